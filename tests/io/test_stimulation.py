"""Stimulation and bypass of a virtual ECU over real sockets."""

from __future__ import annotations

import time

import numpy as np
import pytest

import xcaliper
from support.served import hasty, wait_for
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import AlgorithmError, PlanError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_daq_config import CounterConfig, EventConfig

pytestmark = pytest.mark.timeout(90)


def serve(url="udp://127.0.0.1:0", settings=None):
    return EcuServer(build_ecu("demo-engine", settings), (url,))


@pytest.fixture(params=["udp", "tcp"])
def ecu(request):
    with (
        serve(f"{request.param}://127.0.0.1:0") as server,
        xcaliper.connect(server.url, cache=False) as found,
    ):
        found.counters = lambda: server.ecu.slave.state.stim.counters
        found.slave = lambda: server.ecu.slave
        yield found


def opening(speed, target):
    return 9.0 + 0.0005 * (target - speed)


# -- bypass ---------------------------------------------------------------------------------------


def test_a_function_takes_the_place_of_one_in_the_ecu(ecu) -> None:
    bypass = ecu.bypass(["EngineSpeed", "IdleSpeedTarget"], "IdleThrottle", opening, event="10ms")
    assert "STIM" in bypass.describe()
    with bypass:
        wait_for(lambda: ecu.counters().applied >= 20)
        wait_for(lambda: 8.0 < ecu.read("IdleThrottle") < 10.0)
        assert ecu.slave().stim_running
    result = bypass.result()
    assert result.samples == result.answered >= 20
    assert (result.lost, result.clamped) == (0, 0)
    assert result.reaction.count == result.round_trip.count == result.answered
    speed, target = result.inputs["EngineSpeed"], result.inputs["IdleSpeedTarget"]
    assert np.allclose(result.outputs["IdleThrottle"], opening(speed, target))
    assert (np.diff(result.t_s) > 0).all()
    assert "samples" in str(result)
    assert result.to_dict()["reaction"]["count"] == result.answered
    assert not ecu.slave().stim_running
    assert not ecu.slave().daq_running


def test_an_error_of_the_algorithm_brings_the_own_value_back(ecu) -> None:
    calls = []

    def breaks(speed):
        calls.append(speed)
        if len(calls) == 5:
            raise ZeroDivisionError("now")
        return 50.0

    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", breaks, event="10ms").start()
    assert bypass.wait(20) is False
    wait_for(lambda: not ecu.slave().stim_running)
    with pytest.raises(AlgorithmError, match=r"sample 5 .*ZeroDivisionError") as caught:
        bypass.stop()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(calls) == 5
    assert bypass.result().answered == 4
    bypass.stop()  # told once
    time.sleep(0.05)
    assert ecu.read("IdleThrottle") < 20.0  # the ECU computes it again


@pytest.mark.parametrize("wrong", [lambda speed: (1, 2), lambda speed: float("nan")])
def test_results_that_are_none_stop_it_too(ecu, wrong) -> None:
    with (
        pytest.raises(AlgorithmError),
        ecu.bypass("EngineSpeed", "IdleThrottle", wrong, event=1) as one,
    ):
        one.wait(20)


def test_an_error_in_the_block_says_more_than_that_of_the_bypass(ecu) -> None:
    def block(bypass):
        with bypass:
            bypass.wait(20)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        block(ecu.bypass("EngineSpeed", "IdleThrottle", lambda _: 1 / 0, event=1))


def test_arrays_and_what_is_kept(ecu) -> None:
    def fill(taken, given):
        given[0] = 0.001 * taken[0]

    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", fill, event=1, arrays=True, keep=8)
    with bypass:
        wait_for(lambda: bypass.samples >= 20)
    result = bypass.result()
    assert len(result.t_s) == 8
    assert (np.diff(result.t_s) > 0).all()
    assert np.allclose(result.outputs["IdleThrottle"], 0.001 * result.inputs["EngineSpeed"])
    none = ecu.bypass("EngineSpeed", "IdleThrottle", lambda speed: 3.0, event=1, keep=0)
    with none:
        wait_for(lambda: none.samples >= 3)
    assert len(none.result().t_s) == 0


def test_commands_go_on_while_a_bypass_runs(ecu) -> None:
    bypass = ecu.bypass(["EngineSpeed", "WheelSpeed"], "IdleThrottle", lambda s, w: 3.0, event=1)
    with bypass:
        for _ in range(50):
            ecu.read("EngineSpeed")
            ecu.write("cIdleSpeedTarget", 900)
        wait_for(lambda: bypass.samples >= 10)
        with pytest.raises(UsageError, match="another"):
            ecu.measure("EngineSpeed")
        with pytest.raises(UsageError, match="before"):
            bypass.start()
    assert bypass.result().lost == 0
    with ecu.measure("EngineSpeed", duration_s=0.1) as measurement:
        measurement.run()


def test_the_slave_checks_the_counter_and_tells() -> None:
    events = (
        EventConfig(0, ""),
        EventConfig(1, "", stim=True, counter=CounterConfig()),
        EventConfig(2, "", stim=True, counter=CounterConfig()),
        EventConfig(3, ""),
    )
    with (
        serve(settings=SlaveConfig(events=events)) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        stim = server.ecu.slave.state.stim
        options = {"event": 1, "check_counter": True, "dto_ctr": True}
        with ecu.bypass("EngineSpeed", "IdleThrottle", lambda s: 3.0, **options) as bypass:
            wait_for(lambda: stim.counters.applied >= 10)
            mode = server.ecu.slave.state.daq.counters[1]
            assert (mode.stim_mode, mode.related_event) == (1, 1)
        assert server.ecu.slave.state.daq.counters[1].stim_mode == 0  # as it was
        assert stim.counters.late == 0
        assert bypass.result().lost == 0
        # The 100 ms event follows that of 10 ms at once: an answer is always one behind.
        before = stim.counters.applied
        with ecu.bypass(
            "EngineSpeed", "IdleThrottle", lambda s: 3.0, output_event=2, **options
        ) as bypass:
            assert server.ecu.slave.state.daq.counters[2].related_event == 1
            wait_for(lambda: stim.counters.wrong_counter > 0, 20)
            wait_for(lambda: bypass.look() or bypass.timeouts > 0)
        assert stim.counters.applied == before
        with pytest.raises(UsageError, match="check_counter"):
            ecu.bypass(
                "EngineSpeed",
                "IdleThrottle",
                lambda s: 3.0,
                event=1,
                check_counter=True,
                dto_ctr=False,
            ).start()


def test_a_slow_algorithm_is_late_and_the_slave_says_so(ecu) -> None:
    def slow(speed):
        time.sleep(0.03)
        return 3.0

    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", slow, event=1)
    with bypass:
        wait_for(lambda: ecu.counters().missing >= 5)
        wait_for(lambda: bypass.late > 0 and bypass.timeouts >= 1, 20)
    result = bypass.result()
    assert result.late > 0
    assert result.timeouts >= 1


def test_what_cannot_be_bypassed(ecu) -> None:
    with pytest.raises(UsageError, match="takes 2 values"):
        ecu.bypass("EngineSpeed", "IdleThrottle", lambda x, y: x, event=1)
    with pytest.raises(UsageError, match="nothing"):
        ecu.bypass([], "IdleThrottle", lambda x: x, event=1)
    with pytest.raises(PlanError, match="does not stimulate"):
        ecu.bypass("EngineSpeed", "IdleThrottle", lambda x: x, event="1ms")
    with pytest.raises(TypeError, match="no such option"):
        ecu.bypass("EngineSpeed", "IdleThrottle", lambda x: x, event=1, polling=True)
    with pytest.raises(UsageError, match="keep"):
        ecu.bypass("EngineSpeed", "IdleThrottle", lambda x: x, event=1, keep=-1)


def test_a_slave_without_stim() -> None:
    events = tuple(EventConfig(n, "") for n in range(4))
    with (
        serve(settings=SlaveConfig(events=events)) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
        pytest.raises(UsageError, match="no event of the slave serves STIM"),
    ):
        ecu.stimulate({"StimulusTorque": 1.0})


# -- stimulation ----------------------------------------------------------------------------------


def test_a_value_is_held_until_it_is_changed(ecu) -> None:
    with ecu.stimulate({"StimulusTorque": 5.0, "IdleThrottle": 4.0}, event="10ms") as stimulation:
        wait_for(lambda: ecu.counters().applied >= 3)
        wait_for(lambda: ecu.read("IdleThrottle") == 4.0)  # between two events without data
        assert ecu.read("StimulusTorque") == 5.0
        stimulation.set(StimulusTorque=-7.5)
        stimulation["IdleThrottle"] = 6.0
        wait_for(lambda: ecu.read("StimulusTorque") == -7.5)
        wait_for(lambda: ecu.read("IdleThrottle") == 6.0)
        with pytest.raises(UsageError, match="not held"):
            stimulation.set(EngineSpeed=1)
        with pytest.raises(UsageError, match="NaN"):
            stimulation.update({"IdleThrottle": 1.0, "StimulusTorque": float("nan")})
        wait_for(lambda: ecu.read("IdleThrottle") == 6.0)  # all together or nothing
    assert stimulation.sent > 3
    assert not ecu.slave().stim_running


def test_a_stream_gives_one_row_for_each_event(ecu) -> None:
    seen = []
    values = np.arange(1.0, 31.0)
    stimulation = ecu.stimulate(stream={"StimulusTorque": values}, event=1)
    with stimulation:
        while stimulation.wait(0.005):
            seen.append(ecu.read("StimulusTorque"))
    assert stimulation.sent == 30
    assert stimulation.join(0) is True
    assert set(seen) <= {0.0, *values.tolist()}
    assert (np.diff(seen) >= 0).all()


def test_a_stream_over_time_and_an_iterator(ecu) -> None:
    t_s = np.array([0.0, 0.1, 0.2])
    with ecu.stimulate(
        {"IdleThrottle": 5.0}, stream={"StimulusTorque": [1.0, 2.0, 3.0]}, t_s=t_s, event=1
    ) as stimulation:
        assert stimulation.join(20)
    assert 1 < stimulation.sent < stimulation.events <= 40
    rows = ({"StimulusTorque": float(n)} for n in range(5))
    with ecu.stimulate(stream=rows, names=["StimulusTorque"], event=1) as stimulation:
        assert stimulation.join(20)
    assert stimulation.sent == 5


def test_a_stream_that_fails_ends_it(ecu) -> None:
    def rows():
        yield {"StimulusTorque": 1.0}
        raise OSError("the file ended")

    stimulation = ecu.stimulate(stream=rows(), names=["StimulusTorque"], event=1).start()
    stimulation.wait(20)
    with pytest.raises(UsageError, match="the file ended"):
        stimulation.stop()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"stream": {"StimulusTorque": []}}, "one length"),
        ({"stream": {"StimulusTorque": [1, 2]}, "t_s": [0]}, "one length"),
        ({"stream": {"StimulusTorque": [1, 2]}, "t_s": [1, 0]}, "ascend"),
        ({"stream": {"StimulusTorque": [1, 2]}, "t_s": [0, float("nan")]}, "ascend"),
        ({"stream": {"StimulusTorque": [1, 2]}, "t_s": ["a", "b"]}, "t_s is no column"),
        ({"stream": {"StimulusTorque": [1, 2]}, "t_s": 5}, "t_s is no column"),
        ({"stream": {"StimulusTorque": 5}}, "StimulusTorque is no column"),
        ({"stream": {"StimulusTorque": [[1], [1, 2]]}}, "StimulusTorque is no column"),
        ({"values": {"StimulusTorque": "abc"}}, "StimulusTorque: 'abc'"),
        ({"stream": iter(()), "names": ["StimulusTorque"], "t_s": [0]}, "without t_s"),
        ({}, "nothing to send"),
    ],
)
def test_streams_that_cannot_be(ecu, arguments, why) -> None:
    with pytest.raises(UsageError, match=why):
        ecu.stimulate(event=1, **arguments)


def test_the_clock_of_the_host_says_when_where_the_event_serves_no_daq() -> None:
    events = (
        EventConfig(0, ""),
        EventConfig(1, "", daq=False, stim=True),
        EventConfig(2, ""),
        EventConfig(3, "", daq=False, stim=True),
    )
    with (
        serve(settings=SlaveConfig(events=events)) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        with ecu.stimulate({"StimulusTorque": 5.0}, event=1) as stimulation:
            wait_for(lambda: server.ecu.slave.state.stim.counters.applied >= 5)
        assert stimulation.sent >= 5
        with pytest.raises(UsageError, match="not cyclic"):
            ecu.stimulate({"StimulusTorque": 5.0}, event=3)


@pytest.mark.parametrize("how", ["silent", "terminated", "restarted"])
def test_a_slave_that_goes_ends_a_stimulation(monkeypatch, how) -> None:
    monkeypatch.setattr("xcaliper.client.stim_session.SILENCE_NS", 300_000_000)
    with (
        serve() as server,
        hasty(server.url, 0.2) as ecu,
    ):
        stimulation = ecu.stimulate({"StimulusTorque": 5.0}, event=1).start()
        wait_for(lambda: stimulation.sent > 0)
        if how == "silent":
            monkeypatch.setattr(server.ecu.slave, "receive", lambda *_: None)
            monkeypatch.setattr(server.ecu.slave, "event", lambda *_: None)
        elif how == "terminated":
            server.ecu.slave.terminate(0)
        else:
            server.ecu.slave.state.daq.free()
        assert stimulation.wait(30) is False
        with pytest.raises(xcaliper.XcaliperError) as caught:
            stimulation.stop()
        words = {"silent": "no answer", "terminated": "ended the session", "restarted": "stopped"}
        assert words[how] in str(caught.value)


def test_an_event_that_does_not_occur_is_no_error(monkeypatch) -> None:
    monkeypatch.setattr("xcaliper.client.stim_session.SILENCE_NS", 50_000_000)
    with (
        serve() as server,
        xcaliper.connect(server.url, cache=False) as ecu,
        ecu.stimulate({"StimulusTorque": 5.0}, event=1) as stimulation,
    ):
        monkeypatch.setattr(server.ecu.slave, "event", lambda *_: None)
        assert stimulation.wait(0.3)


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
def test_single_bits(order) -> None:
    settings = SlaveConfig(byte_order=order, bit_stim=True)
    with (
        serve(settings=settings) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
        ecu.stimulate({"FlagRevLimit": "ON", "FlagBrake": "ON"}, event=1),
    ):
        wait_for(lambda: server.ecu.slave.state.stim.counters.applied >= 3)
        wait_for(lambda: ecu.read("StatusWord") & 0x01C0 == 0x0140)


def test_a_link_that_goes_ends_a_stimulation() -> None:
    server = serve("tcp://127.0.0.1:0").start()
    with hasty(server.url) as ecu:
        stimulation = ecu.stimulate({"StimulusTorque": 5.0}, event=1).start()
        wait_for(lambda: stimulation.sent > 0)
        server.close()
        assert stimulation.wait(20) is False
        with pytest.raises(xcaliper.XcaliperError):
            stimulation.stop()
