"""A virtual ECU that errs on purpose, measured through the public interface: counts equal the truth."""

from __future__ import annotations

import time
from contextlib import contextmanager

import numpy as np
import pytest
from asammdf import MDF

from support.served import hasty, wait_for
from xcaliper.core.errors import NegativeResponseError
from xcaliper.sim.faults import Faults
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig

pytestmark = pytest.mark.timeout(60)


@contextmanager
def faulty(**faults):
    """(server, connection) of an ECU with faults."""
    ecu = build_ecu("demo-engine", faults=Faults(**faults))
    with (
        # what a busy machine keeps from running in time must not look like a fault of the ECU
        EcuServer(ecu, ("udp://127.0.0.1:0",), max_late_s=2) as server,
        hasty(server.url, 0.25) as connection,
    ):
        yield server, connection


def rows(measurement):
    (block,) = measurement.blocks()
    return block["TaskCounter1ms"].astype(np.int64), block["WaveCounter"].astype(np.int64)


def test_samples_that_the_ecu_drops_are_counted_to_the_last_one():
    with faulty(drop_samples=0.02) as (server, ecu):
        measurement = ecu.measure(
            ["TaskCounter1ms", "WaveCounter"], dto_ctr=True, duration_s=2.0
        ).run()
        counts, waves = rows(measurement)
        np.testing.assert_array_equal(counts, -waves)
        missing = int((np.diff(counts) - 1).sum())
        truth = server.ecu.faults.truth.samples
        assert truth > 0
        assert truth - 5 <= missing, "those before the first and behind the last row are unknown"
        inner = [gap for gap in measurement.blocks()[0].gaps if gap.before_row > 0]
        assert sum(gap.lost for gap in inner) == missing
        behind = [counts[gap.before_row] - counts[gap.before_row - 1] - 1 for gap in inner]
        assert [gap.lost for gap in inner] == behind, "each at its place"
        assert measurement.quality.lost >= missing


@pytest.mark.parametrize("overload", [1, 2])
def test_a_list_that_an_overload_starves_to_the_end_is_missed_everywhere(overload, tmp_path):
    settings = SlaveConfig(link_bytes_per_s=9000, link_burst_bytes=500, overload=overload)
    ecu = build_ecu("demo-engine", settings)
    path, called, lengths = tmp_path / "run.mf4", [], []
    with (
        EcuServer(ecu, ("udp://127.0.0.1:0",), max_late_s=2) as server,
        hasty(server.url, 0.25) as connection,
    ):
        measurement = connection.measure(
            ["EngineSpeed", "EngineState", "Lambda"],
            duration_s=1.0,
            record=path,
            calculated={"Twice": "2 * Lambda"},
        )
        measurement.on_block(lambda block: called.append(len(block)))
        lengths = [len(block) for block in measurement]
    assert 0 not in called + lengths, "nobody gets a block without rows"
    gaps, ends = measurement.gaps(), {}
    for track, block in zip(measurement.tracks, measurement.blocks(), strict=True):
        told = gaps[track.name]
        assert (len(told), sum(gap["lost"] for gap in told)) == (track.gaps, track.lost)
        ends[track.name] = [g.lost for g in block.gaps if g.before_row == len(block)]
    starved = [name for name, lost in ends.items() if sum(lost) > 20]
    assert starved, "the link is too slow for both lists"
    measured = [track for track in measurement.tracks if track.is_measured]
    assert measurement.quality.lost == sum(track.lost for track in measured)
    for name in starved:
        block = next(one for one in measurement.blocks() if one.event == name)
        period_s = next(t.cycle_ns for t in measurement.tracks if t.name == name) * 1e-9
        missing = (measurement.now_ns * 1e-9 - block.t[-1]) / period_s
        assert sum(ends[name]) == pytest.approx(missing, abs=2)
    with MDF(path) as mdf:
        texts = [event.comment for event in mdf.events]
    for name in starved:
        assert any(f"{sum(ends[name])} lost until" in text for text in texts), "recorded, too"


def test_packets_of_unknown_lists_and_wrong_lengths_and_numbers():
    """Every row that comes is right, and every odd packet is counted."""
    with faulty(unknown_list=0.02, wrong_length=0.02, wrong_id=0.02) as (server, ecu):
        measurement = ecu.measure(["TaskCounter1ms", "WaveCounter"], duration_s=1.5).run()
        counts, waves = rows(measurement)
        np.testing.assert_array_equal(counts, -waves)
        assert (np.diff(counts) >= 1).all()
        truth, quality = server.ecu.faults.truth, measurement.quality
        assert 0 < quality.unknown <= truth.unknown_lists
        assert quality.malformed + quality.incomplete > 0


def test_ecu_reboots_without_a_word():
    """Nothing but silence tells of it; the lists are set up again, on the same axis."""
    with faulty() as (server, ecu):
        measurement = ecu.measure(["TaskCounter1ms", "WaveCounter"], reconnect=20)
        measurement.start()
        time.sleep(0.4)
        server.reboot()
        wait_for(lambda: measurement.quality.reconnects == 1, 20)
        before_ns = time.monotonic_ns()
        time.sleep(0.4)
        measurement.stop()
        newest_ns = int(measurement.correlation.correlate(np.array([measurement.now_ns]))[0])
        assert before_ns < newest_ns < time.monotonic_ns(), (
            "times of blocks still lead to the host's"
        )
        counts, _ = rows(measurement)
        (gap,) = measurement.blocks()[0].gaps
        assert gap.reason == "reconnect"
        np.testing.assert_array_equal(np.diff(counts[gap.before_row :]), 1)
        assert (np.diff(measurement.blocks()[0].t) > 0).all()
        assert server.ecu.faults.truth.reboots == 1
        assert ecu.read("cIdleSpeedTarget") == 820


def test_ecu_that_stops_sending_is_noticed(tmp_path):
    path = tmp_path / "run.mf4"
    with faulty(stop_after=300) as (server, ecu):
        measurement = ecu.measure(
            ["TaskCounter1ms", "WaveCounter"], duration_s=3.5, record=path
        ).run()
        assert 0 < measurement.quality.samples <= 300
        assert measurement.quality.silences == 1
        assert server.ecu.faults.truth.withheld > 0
    with MDF(path) as mdf:
        (text,) = [event.comment for event in mdf.events]
    assert "Task1ms: no data for 2 s, though the slave answers" in text, "the file tells of it too"


def test_ecu_that_lies_about_its_limits_is_refused_by_itself():
    """The plan believes the larger entry; the ECU does not take it, and the error says which command."""
    lies = {"max_odt_entry_size": 255}
    from xcaliper.xcp.slave_config import SlaveConfig

    ecu = build_ecu("demo-engine", SlaveConfig(max_odt_entry_size=4), faults=Faults(lies=lies))
    with (
        EcuServer(ecu, ("udp://127.0.0.1:0",)) as server,
        hasty(server.url, 0.25) as connection,
    ):
        measurement = connection.measure("WheelSpeed", event="Task10ms", duration_s=0.5)
        with pytest.raises(NegativeResponseError) as caught:
            measurement.run()
        assert "DAQ" in caught.value.command
        assert not measurement.is_running
        small = connection.measure("TaskCounter1ms", duration_s=0.3).run()
        assert small.quality.samples > 0, "the ECU serves what it can"
