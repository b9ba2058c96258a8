"""Measuring and recording beside a stimulation or a bypass of a virtual ECU."""

from __future__ import annotations

import asammdf
import numpy as np
import pytest

import xcaliper
from pair.faulty_link import FaultyLink
from support.served import hasty, wait_for
from xcaliper.client import beside
from xcaliper.core.errors import LocalProtocolError, SettingsError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_daq_config import EventConfig

pytestmark = pytest.mark.timeout(90)
INPUTS = ["EngineSpeed", "IdleSpeedTarget"]


@pytest.fixture(params=["udp", "tcp"])
def ecu(request):
    with (
        EcuServer(build_ecu("demo-engine"), (f"{request.param}://127.0.0.1:0",)) as server,
        xcaliper.connect(server.url, cache=False) as found,
    ):
        found.stim = server.ecu.slave.state.stim
        yield found


def opening(speed, target):
    return 9.0 + 0.0005 * (target - speed)


def test_a_bypass_is_recorded_with_all_that_surrounds_it(ecu, tmp_path) -> None:
    path = tmp_path / "bypass.mf4"
    measured = {"CoolantTemp": "100ms", "IdleThrottle": "100ms", "EngineSpeed": "10ms"}
    bypass = ecu.bypass(
        INPUTS, "IdleThrottle", opening, event="10ms", measure=measured, record=path
    )
    assert "STIM" in bypass.describe()
    assert "Task10ms STIM" in bypass.plan._repr_html_()
    lists = [(one["direction"], one["event_channel"]) for one in bypass.plan.to_dict()["lists"]]
    assert lists == [("DAQ", 1), ("DAQ", 2), ("STIM", 1)]
    with bypass:
        wait_for(lambda: bypass.samples >= 30)
        ecu.write("cIdleSpeedTarget", 950)
        wait_for(lambda: bypass.samples >= 60)
    result, measurement = bypass.result(), bypass.measurement
    assert result.samples == result.answered >= 60
    assert not measurement.is_running
    found = {name: block for block in measurement.blocks() for name in block.names}
    speed, target = found["EngineSpeed"], found["IdleSpeedTarget"]
    sent, told = found["IdleThrottle (sent)"], found["bypass round trip"]
    assert len(sent) == len(told) == result.answered
    assert len(speed) >= len(sent)  # one may come after the end
    assert np.array_equal(sent.t, speed.t[: len(sent)])
    value = opening(speed["EngineSpeed"], target["IdleSpeedTarget"])[: len(sent)]
    assert np.allclose(sent["IdleThrottle (sent)"], value, atol=0.01)
    assert {"CoolantTemp", "IdleThrottle"} <= set(found)
    assert len(found["CoolantTemp"]) >= 4
    trips = told["bypass round trip"]
    assert np.isclose(trips.max(), result.round_trip.longest_ns * 1e-9)
    assert (told["bypass reaction"] > 0).all()
    assert told["bypass late"].sum() == result.late
    with asammdf.MDF(path) as mdf:
        ours = mdf.get("IdleThrottle (sent)")
        assert np.allclose(ours.samples, sent["IdleThrottle (sent)"])
        assert np.allclose(ours.timestamps, sent.t)
        assert len(mdf.get("EngineSpeed").samples) == len(speed)
        assert len(mdf.get("bypass round trip").samples) == len(trips)
        assert mdf.get("bypass round trip").unit == "s"
        assert any("cIdleSpeedTarget" in str(one.comment) for one in mdf.events)


def test_the_measurement_lives_with_the_bypass(ecu, tmp_path) -> None:
    path = tmp_path / "there.mf4"
    path.write_bytes(b"kept")
    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, record=path)
    with pytest.raises(LocalProtocolError, match="beside"):
        bypass.measurement.start()
    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, record=path)
    with pytest.raises(SettingsError, match="exists"):
        bypass.start()
    assert not bypass.is_running
    assert path.read_bytes() == b"kept"
    with pytest.raises(UsageError, match="record"):
        ecu.bypass("EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, record=7)
    bypass = ecu.bypass("EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, measure="Coolant*")
    blocks = []
    with bypass:
        for block in bypass.measurement:
            blocks.append(block)
            if "EngineSpeed" in block.names:
                break
        assert bypass.is_running  # reading has ended, the bypass has not
        assert not bypass.measurement.is_running
    with ecu.measure("EngineSpeed", duration_s=0.05) as measurement:
        measurement.run()


def test_the_own_value_is_read_and_another_one_written(ecu) -> None:
    def corrected(own):
        return own + 1.0

    options = {"event": "1ms", "output_event": "10ms"}
    with ecu.bypass("IdleThrottle", "IdleThrottle", corrected, **options) as bypass:
        wait_for(lambda: ecu.stim.counters.applied >= 10)
    result = bypass.result()
    assert bypass.inputs == bypass.outputs == ["IdleThrottle"]
    own, sent = result.inputs["IdleThrottle"], result.outputs["IdleThrottle"]
    assert np.allclose(sent, own + 1.0)
    with ecu.bypass(
        "IdleThrottle", "IdleThrottle", corrected, **options, measure="EngineSpeed"
    ) as bypass:
        wait_for(lambda: bypass.samples >= 10)
    found = {name: block for block in bypass.measurement.blocks() for name in block.names}
    assert {"IdleThrottle", "IdleThrottle (sent)", "EngineSpeed"} <= set(found)


def test_a_stimulation_is_measured_too(ecu) -> None:
    with ecu.stimulate(
        {"IdleThrottle": 5.0},
        stream={"StimulusTorque": np.arange(1.0, 31.0)},
        event="10ms",
        measure={"EngineSpeed": "10ms", "StimulusTorque": "100ms"},
    ) as stimulation:
        assert stimulation.join(20)
    found = {name: block for block in stimulation.measurement.blocks() for name in block.names}
    assert np.array_equal(found["StimulusTorque (sent)"]["StimulusTorque (sent)"], np.arange(1, 31))
    assert (found["IdleThrottle (sent)"]["IdleThrottle (sent)"] == 5.0).all()
    speed = found["EngineSpeed"]
    assert set(found["StimulusTorque (sent)"].t) <= set(speed.t)
    assert "bypass late" not in found


def test_what_the_clock_of_the_host_sends_is_measured_too() -> None:
    events = (
        EventConfig(0, ""),
        EventConfig(1, "", daq=False, stim=True),
        EventConfig(2, ""),
        EventConfig(3, ""),
    )
    settings = SlaveConfig(events=events, bit_stim=True)
    with (
        EcuServer(build_ecu("demo-engine", settings), ("udp://127.0.0.1:0",)) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        values = {"StimulusTorque": 5.0, "FlagRevLimit": "ON"}
        with ecu.stimulate(values, event=1, measure={"EngineSpeed": 2}) as stimulation:
            wait_for(lambda: server.ecu.slave.state.stim.counters.applied >= 20)
            wait_for(lambda: stimulation.measurement.quality.samples > 0)
        found = {n: block for block in stimulation.measurement.blocks() for n in block.names}
        sent = found["StimulusTorque (sent)"]
        assert len(sent) == stimulation.sent
        assert (np.diff(sent.t) >= 0).all()
        assert set(found["FlagRevLimit (sent)"]["FlagRevLimit (sent)"].tolist()) == {"ON"}
        assert len(found["EngineSpeed"])


@pytest.fixture
def box(request):
    """Server of an ECU that takes small STIM packets."""
    url = f"{getattr(request, 'param', 'udp')}://127.0.0.1:0"
    settings = SlaveConfig(
        max_dto_stim=8, events=tuple(EventConfig(n, "", stim=n == 1) for n in range(4))
    )
    with EcuServer(build_ecu("demo-engine", settings), (url,)) as server:
        yield server


@pytest.mark.parametrize("box", ["udp", "tcp"], indirect=True)
def test_a_bypass_goes_on_after_the_slave_has_restarted(box, tmp_path) -> None:
    path = tmp_path / "run.mf4"
    with xcaliper.connect(box.url, cache=False, timeout_s=0.3) as ecu:
        bypass = ecu.bypass(
            "EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, record=path, reconnect=30
        )
        with bypass:
            wait_for(lambda: bypass.samples >= 10)
            box.reboot()
            wait_for(lambda: bypass.reconnects == 1, 30)
            before = bypass.samples
            wait_for(lambda: bypass.samples >= before + 10)
            assert bypass.wait(0.05)
            assert box.ecu.slave.stim_running
    result = bypass.result()
    assert (result.reconnects, result.lost) == (1, 0)
    assert "found again 1 times" in str(result)
    assert bypass.measurement.quality.reconnects == 1
    blocks = {block.event: block for block in bypass.measurement.blocks()}
    sent = next(b for name, b in blocks.items() if name.endswith("STIM"))
    for block in (sent, next(b for b in blocks.values() if "EngineSpeed" in b.names)):
        (gap,) = block.gaps
        assert gap.reason == "reconnect"
        assert 0 < gap.before_row < len(block)
        assert (np.diff(block.t) >= 0).all()
    assert np.array_equal(sent["IdleThrottle (sent)"], np.full(result.answered, 4.0, np.float32))
    with asammdf.MDF(path) as mdf:
        assert any("found" in str(one.comment) for one in mdf.events)


def test_a_stimulation_is_given_up_when_the_slave_stays_away(box) -> None:
    with hasty(box.url, 0.2) as ecu:
        values = {"StimulusTorque": 5.0}
        stimulation = ecu.stimulate(values, event=1, reconnect=0.5, measure="EngineSpeed").start()
        wait_for(lambda: stimulation.sent > 0)
        box.close()
        assert stimulation.wait(60) is False
        with pytest.raises(xcaliper.XcaliperError) as caught:
            stimulation.stop()
        assert "looked for during 0.5 s" in caught.value.hint
        assert not stimulation.measurement.is_running


def test_samples_that_are_lost_are_gaps_in_what_was_sent_as_well(box) -> None:
    def up(datagram: bytes):
        if datagram[4] == 0 and dropped.count(True) < 3:  # ODT 0; commands are answered by 0xFF
            dropped.append(len(dropped) % 8 == 7)
            return [] if dropped[-1] else [(0.0, datagram)]
        return [(0.0, datagram)]

    dropped: list[bool] = []
    with FaultyLink(box.url) as link, xcaliper.connect(link.url, cache=False) as ecu:
        bypass = ecu.bypass(
            "EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, measure=["Load"], dto_ctr=False
        )
        link.up = up
        with bypass:
            wait_for(lambda: dropped.count(True) == 3 and bypass.samples >= 40)
        link.heal()
    blocks = {name: block for block in bypass.measurement.blocks() for name in block.names}
    speed, sent = blocks["EngineSpeed"], blocks["IdleThrottle (sent)"]
    assert len(sent) == bypass.result().answered <= len(speed)
    assert sum(gap.lost for gap in speed.gaps) >= 3
    assert [(g.t_to_ns, g.lost, g.reason) for g in sent.gaps] == [
        (g.t_to_ns, g.lost, g.reason) for g in speed.gaps
    ]
    for gap in sent.gaps:
        assert round(sent.t[gap.before_row] * 1e9) == gap.t_to_ns
        # samples may be lost before the first one that the decoder sees
        before = sent.t[gap.before_row - 1] if gap.before_row else 0.0
        assert round(before * 1e9) <= gap.t_from_ns


def test_times_of_what_was_answered_when_some_samples_were_not() -> None:
    def matched(about, times):
        return beside._matched(np.array(about, np.int64), np.array(times, np.int64)).tolist()

    assert matched([11, 19], [10, 20]) == [10, 20]
    assert matched([11, 29], [10, 20, 30]) == [10, 30]
    assert matched([-5, 99], [10, 20, 30]) == [10, 30]
    assert matched([11, 19], [10]) == [11, 19]


@pytest.mark.parametrize("alone", [True, False])
def test_packets_of_a_row_travel_alone_or_together(box, alone) -> None:
    values = {"StimulusTorque": 5.0, "IdleThrottle": 4.0}
    with xcaliper.connect(box.url, cache=False) as ecu:
        stimulation = ecu.stimulate(values, event=1, one_per_datagram=alone)
        sizes, send = set(), ecu.link.send_data
        ecu.link.send_data = lambda packets: (sizes.add(len(packets)), send(packets))
        with stimulation:
            wait_for(lambda: box.ecu.slave.state.stim.counters.applied >= 5)
    assert sizes == ({1} if alone else {2})


def test_packets_keep_the_distance_that_the_description_asks_for(
    box, tmp_path, monkeypatch
) -> None:
    pauses = []
    monkeypatch.setattr("xcaliper.client.stim_session.sleep", pauses.append)
    with xcaliper.connect(box.url, cache=False) as ecu:
        text = ecu.description.data.decode("latin-1")
        begin = text.index("/begin STIM")
        end = text.index("/end STIM", begin)
        path = tmp_path / "slow.a2l"
        path.write_text(f"{text[:end]} MIN_ST_STIM 20 {text[end:]}", "latin-1")
    with xcaliper.connect(box.url, a2l=path, cache=False) as ecu:
        values = {"StimulusTorque": 5.0, "IdleThrottle": 4.0}
        with ecu.stimulate(values, event=1, one_per_datagram=False):
            wait_for(lambda: box.ecu.slave.state.stim.counters.applied >= 5)
    assert len(pauses) >= 5  # between the two packets of each row
    assert all(0 < one <= 0.002 for one in pauses)


def test_answers_echo_the_timestamp_of_their_sample() -> None:
    events = tuple(EventConfig(n, "", stim=n == 1) for n in range(4))
    with (
        EcuServer(
            build_ecu("demo-engine", SlaveConfig(events=events)), ("udp://127.0.0.1:0",)
        ) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        asked, given = [], []
        bypass = ecu.bypass(
            "EngineSpeed", "IdleThrottle", lambda _: 4.0, event=1, stim_timestamp=True
        )
        take, send = bypass._take, ecu.link.send_data
        bypass._take = lambda batch: (asked.extend(batch.packets), take(batch))
        ecu.link.send_data = lambda packets: (given.extend(packets), send(packets))
        with bypass:
            wait_for(lambda: server.ecu.slave.state.stim.counters.applied >= 5)
        fmt = bypass.plan.stim_format
        head, size = fmt.first_header_size, fmt.timestamp_size
        assert size == bypass.plan.dto_format.timestamp_size > 0
        at = bypass.plan.dto_format.first_header_size
        stamps = [packet[at - size : at] for packet in asked]
        assert [packet[head - size : head] for packet in given] == stamps[: len(given)]
        assert len(set(stamps)) == len(stamps)


def test_what_is_sent_is_not_stored_for_the_next_start(box) -> None:
    with (
        xcaliper.connect(box.url, cache=False) as ecu,
        pytest.raises(UsageError, match="STIM signals among them"),
    ):
        ecu.store_measurement(
            ["EngineSpeed", "IdleThrottle"], event=1, stim="IdleThrottle", resume=True
        )
