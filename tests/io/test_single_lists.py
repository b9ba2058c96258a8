"""One DAQ list of a running measurement is stopped and started again; the others do not notice."""

from __future__ import annotations

import time

import numpy as np
import pytest

import xcaliper
from support.served import wait_for
from xcaliper.client import acquisition
from xcaliper.core.errors import LocalProtocolError, NotFoundError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig

pytestmark = pytest.mark.timeout(90)
TIMEOUT_S = 0.25
PATIENCE_S = 0.4


@pytest.fixture
def impatient(monkeypatch):
    """Function: from now on silence is noticed soon; before, a busy machine may look silent."""
    return lambda: monkeypatch.setattr(acquisition, "SILENCE_S", PATIENCE_S)


def serve(url: str = "udp://127.0.0.1:0", config: SlaveConfig | None = None) -> EcuServer:
    return EcuServer(build_ecu("demo-engine", config), (url,))


def track(measurement, name):
    return next(one for one in measurement.rasters if one.name == name)


def more(measurement, name, count=30):
    """Wait for further samples of a raster."""
    one = track(measurement, name)
    until = one.samples + count
    wait_for(lambda: one.samples >= until, 20)


def settled(measurement, name):
    """Its samples, once nothing is on its way any more."""
    time.sleep(PATIENCE_S)
    return track(measurement, name).samples


def running(server) -> list[bool]:
    return [one.running for one in server.ecu.slave.state.daq.lists]


def check_counts(block, gap):
    """No run of the task is missing but at the gap."""
    counts = block[block.names[0]].astype(np.int64)
    assert 0 < gap.before_row < len(block)
    assert (np.diff(counts[: gap.before_row]) == 1).all()
    assert (np.diff(counts[gap.before_row :]) == 1).all()
    missing = counts[gap.before_row] - counts[gap.before_row - 1] - 1
    assert missing > 10 * PATIENCE_S
    ends = block.t[gap.before_row - 1 : gap.before_row + 1] * 1e9
    assert [gap.t_from_ns, gap.t_to_ns] == pytest.approx(ends, abs=1000)
    assert ends[1] - ends[0] > 2e9 * PATIENCE_S


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("udp://127.0.0.1:0", {}),
        ("tcp://127.0.0.1:0", {"dto_ctr": True}),
        ("udp://127.0.0.1:0", {"timestamp": False}),
    ],
    ids=["udp", "tcp-dto-counter", "no-timestamps"],
)
@pytest.mark.parametrize("name", ["Task1ms", "Task10ms"])
def test_a_list_stops_and_starts_while_the_other_goes_on(tmp_path, url, options, name) -> None:
    path = tmp_path / "run.mf4"
    config = SlaveConfig(timestamp_fixed=False)
    with serve(url, config) as server, xcaliper.connect(server.url, cache=False) as ecu:
        measurement = ecu.measure(
            ["TaskCounter1ms", "TaskCounter10ms"],
            calculated={"Both": "TaskCounter10ms + TaskCounter1ms"},
            record=path,
            **options,
        )
        other = "Task10ms" if name == "Task1ms" else "Task1ms"
        with measurement:
            more(measurement, name)
            more(measurement, other)
            measurement.stop_list(name)
            measurement.stop_list(name)  # once more is no harm
            stays = [one.name != name for one in measurement.plan.rasters]
            assert running(server) == stays
            before = settled(measurement, name)
            more(measurement, other, 50)
            time.sleep(2 * PATIENCE_S)
            assert track(measurement, name).samples == before
            assert measurement.is_running
            assert measurement.acquisitions[0].quiet_s == 0
            assert measurement.quality.silences == 0
            measurement.start_list(name)
            measurement.start_list(name)
            more(measurement, name)
            assert running(server) == [True, True]
        assert ecu.read("cIdleSpeedTarget") == 820
    quality = measurement.quality
    assert (quality.lost, quality.silences, quality.unknown, quality.late) == (0, 0, 0, 0)
    assert measurement.diagnostics == ()
    blocks = {block.event: block for block in measurement.blocks()}
    (gap,) = blocks[name].gaps
    assert (gap.reason, gap.lost) == ("stopped", 0)
    assert blocks[other].gaps == ()
    check_counts(blocks[name], gap)
    assert (np.diff(blocks[other][blocks[other].names[0]].astype(np.int64)) == 1).all()
    (calculated,) = (block for block in blocks.values() if "Both" in block.names)
    assert len(calculated) > 30
    assert len(blocks["Task10ms"]) - len(calculated) <= 3, (
        "the other input counts with its last value"
    )


def test_a_slave_whose_lists_are_all_stopped_is_no_silent_one(impatient) -> None:
    with serve() as server, xcaliper.connect(server.url, cache=False) as ecu:
        with ecu.measure("TaskCounter1ms", reconnect=5) as measurement:
            more(measurement, "Task1ms")
            measurement.stop_list("Task1ms")
            impatient()
            before = settled(measurement, "Task1ms")
            assert running(server) == [False]
            silences = measurement.quality.silences
            time.sleep(4 * PATIENCE_S)
            assert measurement.quality.silences == silences
            assert measurement.is_running
            assert not measurement.acquisitions[0].is_down
            assert measurement.acquisitions[0].quiet_s == 0
            measurement.start_list("Task1ms")
            more(measurement, "Task1ms")
        assert track(measurement, "Task1ms").samples >= before + 30
        assert measurement.quality.reconnects == 0
        with ecu.measure("TaskCounter1ms") as measurement:
            measurement.stop_list("Task1ms")
        assert ecu.measure("TaskCounter1ms", duration_s=0.1).run().quality.samples > 0, "forgotten"


def test_a_list_that_really_falls_silent_is_still_blamed(impatient) -> None:
    with (
        serve() as server,
        xcaliper.connect(server.url, cache=False) as ecu,
        ecu.measure(["TaskCounter1ms", "TaskCounter10ms"]) as measurement,
    ):
        more(measurement, "Task10ms")
        measurement.stop_list("Task1ms")
        more(measurement, "Task10ms")
        impatient()
        for one in server.ecu.slave.state.daq.lists:
            one.period, one.skipped = 1 << 30, 0
        wait_for(lambda: measurement.quality.silences == 1, 20)
    (told,) = measurement.diagnostics
    assert told.text.startswith("Task10ms: no data")


@pytest.mark.parametrize("while_down", [False, True])
@pytest.mark.parametrize("identification_field", [0, 1])
def test_a_reconnection_does_not_start_it(while_down, identification_field) -> None:
    config = SlaveConfig(identification_field=identification_field)
    server = serve(config=config).start()
    url = server.url
    try:
        with xcaliper.connect(url, cache=False, timeout_s=TIMEOUT_S) as ecu:
            measurement = ecu.measure(["TaskCounter1ms", "TaskCounter10ms"], reconnect=30)
            with measurement:
                more(measurement, "Task1ms")
                more(measurement, "Task10ms")
                if not while_down:
                    measurement.stop_list("Task1ms")
                server.close()
                wait_for(lambda: measurement.acquisitions[0].is_down, 20)
                if while_down:
                    measurement.stop_list("Task1ms")
                server = serve(url, config).start()
                wait_for(lambda: measurement.quality.reconnects == 1, 30)
                before = track(measurement, "Task1ms").samples
                more(measurement, "Task10ms")
                assert track(measurement, "Task1ms").samples == before
                assert sorted(running(server)) == [False, True]
                measurement.start_list("Task1ms")
                more(measurement, "Task1ms")
    finally:
        server.close()
    gaps = {block.event: [gap.reason for gap in block.gaps] for block in measurement.blocks()}
    assert gaps == {"Task1ms": ["stopped"], "Task10ms": ["reconnect"]}
    assert (measurement.quality.lost, measurement.quality.unknown) == (0, 0)


def test_a_reconnection_starts_none_where_all_are_stopped(impatient) -> None:
    server = serve().start()
    url = server.url
    try:
        with (
            xcaliper.connect(url, cache=False, timeout_s=TIMEOUT_S) as ecu,
            ecu.measure("TaskCounter1ms", reconnect=30) as measurement,
        ):
            more(measurement, "Task1ms")
            measurement.stop_list("Task1ms")
            impatient()
            server.close()
            wait_for(lambda: measurement.acquisitions[0].is_down, 20)
            before = track(measurement, "Task1ms").samples
            server = serve(url).start()
            wait_for(lambda: measurement.quality.reconnects == 1, 30)
            assert (running(server), settled(measurement, "Task1ms")) == ([False], before)
            measurement.start_list("Task1ms")
            more(measurement, "Task1ms")
    finally:
        server.close()
    (block,) = measurement.blocks()
    assert [gap.reason for gap in block.gaps] == ["stopped"]


def test_what_cannot_be_stopped_is_said() -> None:
    with serve() as server, xcaliper.connect(server.url, cache=False) as ecu:
        measurement = ecu.measure(
            ["TaskCounter1ms", "CoolantTemp"],
            event={"CoolantTemp": "polling"},
            calculated={"Double": "TaskCounter1ms * 2"},
        )
        with pytest.raises(LocalProtocolError, match="does not run"):
            measurement.stop_list("Task1ms")
        with measurement:
            for call in (measurement.stop_list, measurement.start_list):
                with pytest.raises(NotFoundError, match="Task2ms") as caught:
                    call("Task2ms")
                assert "Task1ms" in str(caught.value) + str(caught.value.hint)
                with pytest.raises(UsageError, match="polled, no DAQ list"):
                    call("polling")
            (calculated,) = (one.name for one in measurement.rasters if one.kind == "calculated")
            with pytest.raises(UsageError, match="calculated, no DAQ list"):
                measurement.stop_list(calculated)
            more(measurement, "Task1ms")
        with pytest.raises(LocalProtocolError, match="does not run"):
            measurement.start_list("Task1ms")
