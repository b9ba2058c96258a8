"""Two machines on virtual time with a known truth: how well times of slaves are correlated."""

from __future__ import annotations

import numpy as np
import pytest

from support.clock_bench import MS, BenchSlave, S
from xcaliper.core.ticks import TickClock
from xcaliper.daq.correlation import HOST, common_axis, pair_multicasts
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings

JITTER = 200_000
AGREED = 50_000
READ_NS = 50 * MS


def drifting(ppm: float, seed: int, **more) -> ClockSettings:
    start = (seed * 7919 % 5000) * S
    return ClockSettings(
        slave=ClockModel(drift_ppm=ppm, jitter_ns=JITTER, start_ns=start), seed=seed, **more
    )


def agreement(slaves, lines) -> tuple[int, int]:
    """Worst error of a slave, and worst disagreement of two at an equal true time, in the last second."""
    errors = [slave.errors(line) for slave, line in zip(slaves, lines, strict=True)]
    fresh = [e[np.array(s.truth) > s.truth[-1] - S] for e, s in zip(errors, slaves, strict=True)]
    # samples scatter as their clock does; the axis is judged by their middle
    middles = [float(e.mean()) for e in fresh]
    return round(max(map(abs, middles))), round(abs(middles[0] - middles[1]))


def line_errors(slaves, lines) -> list[int]:
    """Error of each line at the end, the slave's clock taken without its jitter."""
    found = []
    for slave, line in zip(slaves, lines, strict=True):
        end = slave.pair.now_ns
        model = slave.pair.slave.state.clocks
        shown = model.slave.shows_ns(end)
        origin = slave.timeline.reading(shown // 1000 % 2**32, 4, end)
        found.append(int(line.correlate(np.array([origin + shown % 1000]))[0]) - end)
    return found


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_two_slaves_agree_within_50_us_after_10_s(seed: int, extended: bool, loss: float) -> None:
    """±50 ppm, clocks that scatter over 200 µs, ways that take 10 to 210 µs each."""
    slaves = [
        BenchSlave(drifting(ppm, 2 * seed + n), seed=2 * seed + n, extended=extended, loss=loss)
        for n, ppm in enumerate((50.0, -50.0))
    ]
    for slave, ppm in zip(slaves, (50.0, -50.0), strict=True):
        for at in range(MS, 10 * S, READ_NS):
            slave.read(at)
            slave.sample(at + READ_NS // 2)
        line = slave.correlator.to_host()
        assert line.axis == HOST
        assert line.method == "GET_DAQ_CLOCK"
        assert abs(line.drift_ppm - ppm) <= line.drift_uncertainty_ppm
        assert line.drift_uncertainty_ppm < 20
    lines, bound = common_axis([slave.correlator for slave in slaves])
    one, other = line_errors(slaves, lines)
    assert abs(one - other) <= AGREED
    assert abs(one - other) <= bound
    assert all(abs(e) <= li.uncertainty_ns for e, li in zip((one, other), lines, strict=True))
    assert agreement(slaves, lines)[1] <= 2 * AGREED  # twenty samples that scatter themselves


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_multicasts_bring_slaves_together(seed: int, loss: float) -> None:
    slaves = [
        BenchSlave(drifting(ppm, 2 * seed + n), seed=seed + n, extended=True, loss=loss)
        for n, ppm in enumerate((50.0, -50.0))
    ]
    sent: dict[int, int] = {}
    for counter, at in enumerate(range(MS, 10 * S, READ_NS)):
        sent[counter & 0xFF] = at
        for slave in slaves:
            slave.pair.now_ns = at
            slave.multicast(at, counter)
        if loss == 0.0:
            assert [len(slave.samples) for slave in slaves] == [1, 1]
        paired = pair_multicasts(sent, [slave.samples for slave in slaves], skew_ns=5_000)
        for slave, samples in zip(slaves, paired, strict=True):
            slave.samples.clear()
            for sample in samples:
                assert sample.initiator == 2
                slave.correlator.add(sample)
            slave.sample(at + READ_NS // 2)
    lines, bound = common_axis([slave.correlator for slave in slaves])
    assert {line.method for line in lines} == {"EV_TIME_SYNC"}
    one, other = line_errors(slaves, lines)
    assert abs(one - other) <= min(AGREED, bound)


def grandmaster(access: int, **more) -> ClockSettings:
    master = ClockModel(
        start_ns=1_700_000_000 * S,
        resolution=TickClock(1, 0, 8),
        clock_id=bytes(range(8)),
        epoch=1,
    )
    return ClockSettings(grandmaster=master, grandmaster_access=access, **more)


@pytest.mark.parametrize("seed", range(4))
def test_a_readable_grandmaster_gives_pairs_without_a_way(seed: int) -> None:
    slaves = []
    for n, ppm in enumerate((50.0, -50.0)):
        model = ClockModel(drift_ppm=ppm, jitter_ns=JITTER, start_ns=77 * S)
        settings = grandmaster(1, slave=model, seed=2 * seed + n)
        slave = BenchSlave(settings, seed=n, way_ns=(100_000, 5 * MS), extended=True, loss=0.2)
        for at in range(MS, 10 * S, READ_NS):
            slave.read(at)
        slaves.append(slave)
    lines, bound = common_axis([slave.correlator for slave in slaves])
    assert {line.axis for line in lines} == {"grandmaster 0001020304050607"}
    for slave, line, ppm in zip(slaves, lines, (50.0, -50.0), strict=True):
        assert line.epoch == "UTC"
        assert abs(line.drift_ppm - ppm) <= line.drift_uncertainty_ppm
        assert "grandmaster" in slave.correlator.describe()
        assert abs(line.utc_ns(0) - 1_700_000_000 * S) < 10 * S
    one, other = (e - 1_700_000_000 * S for e in line_errors(slaves, lines))
    assert abs(one - other) <= min(AGREED, bound)
    assert all(abs(e) <= li.uncertainty_ns for e, li in zip((one, other), lines, strict=True))


def test_a_grandmaster_only_in_events() -> None:
    model = ClockModel(drift_ppm=30.0, start_ns=77 * S)
    slave = BenchSlave(grandmaster(2, slave=model), extended=True)
    slave.read(MS)
    assert slave.correlator.to_grandmaster() is None
    for counter in range(20):
        slave.multicast((1 + counter) * 100 * MS, counter)
    for sample in slave.samples:
        slave.correlator.add(sample)
    line = slave.correlator.correlation()
    assert line.axis.startswith("grandmaster")
    assert line.readings == 20
    assert abs(line.drift_ppm - 30) <= line.drift_uncertainty_ppm


def test_a_grandmaster_is_believed_once_it_is_synchronised() -> None:
    slave = BenchSlave(grandmaster(1, lock_after_ns=S), extended=True)
    for at in range(MS, 2 * S, 100 * MS):
        slave.read(at)
        believed = slave.correlator.to_grandmaster() is not None
        assert believed == (slave.pair.now_ns > S + MS)
    assert slave.correlator.to_grandmaster().readings == 10


def test_a_synchronised_slave_is_on_the_grandmasters_axis_at_once() -> None:
    stamp = TickClock(1, 0, 4)
    model = ClockModel(resolution=TickClock(1, 0, 8))
    settings = grandmaster(0, slave=model, discipline="synchronised")
    slave = BenchSlave(settings, extended=True, timestamp=stamp)
    slave.sample(MS)
    slave.read(3 * MS)
    line = slave.correlator.correlation()
    assert line.method == "a synchronised slave clock"
    assert line.uncertainty_ns <= 1_002
    assert slave.errors(line).tolist() == [1_700_000_000 * S]
    assert slave.correlator.to_host() is not None


@pytest.mark.parametrize("stamp", [TickClock(1, 0, 4), TickClock(1, 3, 4)], ids=["ns", "us"])
def test_a_slave_that_synchronises_while_it_is_measured_is_followed(stamp: TickClock) -> None:
    """Its clock goes on by half a century; readings of 64 bits and timestamps of 32 agree again."""
    model = ClockModel(drift_ppm=80.0, resolution=TickClock(1, stamp.unit, 8))
    settings = grandmaster(0, slave=model, discipline="synchronised", lock_after_ns=3 * S)
    slave = BenchSlave(settings, extended=True, timestamp=stamp)
    for at in range(MS, 6 * S, READ_NS):
        slave.read(at)
        slave.sample(at + READ_NS // 2)
        if at < 2 * S:
            assert slave.correlator.correlation().axis == HOST
    line = slave.correlator.correlation()
    assert line.method == "a synchronised slave clock"
    fresh = np.array(slave.truth) > 3 * S + READ_NS
    off = slave.errors(line)[fresh] - 1_700_000_000 * S
    assert np.abs(off).max() <= line.uncertainty_ns
    off = slave.errors(slave.correlator.to_host())[fresh]
    assert np.abs(off).max() <= 2 * slave.correlator.to_host().uncertainty_ns
    assert slave.correlator.unplaced <= 2, "the first, and one before the timestamps tell of it"


def test_a_syntonised_slave_has_the_rate_and_gets_the_offset_from_the_relation() -> None:
    stamp = TickClock(1, 0, 4)
    model = ClockModel(start_ns=12_345, drift_ppm=90.0, resolution=TickClock(1, 0, 8))
    settings = grandmaster(0, slave=model, discipline="syntonised")
    slave = BenchSlave(settings, extended=True, timestamp=stamp)
    assert slave.properties.blocks.relation is not None
    for at in range(MS, 6 * S, 500 * MS):
        slave.sample(at)
        slave.read(at + MS)
    line = slave.correlator.correlation()
    assert line.method == "a syntonised slave clock"
    assert line.drift_ppm == 0.0
    assert (slave.errors(line) == 1_700_000_000 * S).all()


ECU = ClockModel(drift_ppm=-40.0, start_ns=500 * S, resolution=TickClock(1, 3, 4))


@pytest.mark.parametrize("slave_clock", [None, ClockModel(drift_ppm=50.0)])
def test_an_ecu_clock_that_stamps_is_the_one_that_is_fitted(slave_clock) -> None:
    settings = ClockSettings(slave=slave_clock, ecu=ECU, ecu_stamps=True)
    slave = BenchSlave(settings, extended=True)
    assert slave.correlator.needs_reading
    for at in range(MS, 5 * S, READ_NS):
        slave.read(at)
        slave.sample(at + READ_NS // 2)
    line = slave.correlator.correlation()
    assert abs(line.drift_ppm + 40) <= line.drift_uncertainty_ppm < 20
    assert np.abs(slave.errors(line)).max() <= 2 * line.uncertainty_ns


def test_an_ecu_clock_seen_in_events_only() -> None:
    settings = ClockSettings(ecu=ECU, ecu_stamps=True, ecu_access=2)
    slave = BenchSlave(settings, extended=True)
    assert not slave.correlator.needs_reading
    slave.sample(MS)
    sent = {}
    for counter in range(40):
        sent[counter] = at = (1 + counter) * 100 * MS
        slave.multicast(at, counter)
        slave.sample(at + 50 * MS)
    for sample in pair_multicasts(sent, [slave.samples])[0]:
        slave.correlator.add(sample)
    line = slave.correlator.correlation()
    assert line.method == "EV_TIME_SYNC"
    assert np.abs(slave.errors(line)).max() <= 2 * line.uncertainty_ns


def test_an_ecu_clock_that_nobody_can_read_goes_by_arrival() -> None:
    settings = ClockSettings(ecu=ECU, ecu_stamps=True, ecu_access=3)
    slave = BenchSlave(settings, extended=True, way_ns=(100_000, 8 * MS))
    assert not slave.correlator.needs_reading
    for at in range(MS, 20 * S, 20 * MS):
        slave.sample(at)
    line = slave.correlator.correlation()
    assert "arrival" in line.method
    assert 5 * MS < line.uncertainty_ns < 40 * MS  # stated, and much wider
    assert np.abs(slave.errors(line)).max() <= line.uncertainty_ns
    assert abs(line.drift_ppm + 40) <= line.drift_uncertainty_ppm


def test_a_step_forward_that_timestamps_cannot_show_is_proven_by_readings() -> None:
    model = ClockModel(drift_ppm=20.0, steps=((3 * S, 400 * MS),))
    slave = BenchSlave(ClockSettings(slave=model), loss=0.2)
    for at in range(MS, 6 * S, READ_NS):
        slave.read(at)
        slave.sample(at + READ_NS // 2)
    assert slave.timeline.steps == 0
    at_ns, by_ns = slave.correlator.host.moved
    assert 3 * S < at_ns < 4 * S
    assert abs(by_ns - 400 * MS) < 2 * MS


def test_a_slave_set_while_it_is_measured_begins_a_new_fit() -> None:
    model = ClockModel(drift_ppm=20.0, steps=((3 * S, -2 * S),))
    slave = BenchSlave(ClockSettings(slave=model))
    for at in range(MS, 8 * S, READ_NS):
        slave.read(at)
        slave.sample(at + READ_NS // 2)
    assert slave.timeline.steps == 1
    line = slave.correlator.correlation()
    fresh = slave.errors(line)[np.array(slave.truth) > 7 * S]
    assert np.abs(fresh).max() <= 2 * line.uncertainty_ns
