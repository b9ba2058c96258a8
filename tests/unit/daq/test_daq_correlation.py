"""Fits of clocks: bounds that hold, lines that never run back, texts that say how."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline
from xcaliper.daq.clock_fit import fit_line
from xcaliper.daq.correlation import (
    HOST,
    ClockFit,
    Correlation,
    Correlator,
    MonotoneAxis,
    common_axis,
    daq_stamp,
)
from xcaliper.xcp.procedures.clock import ClockProperties, ClockSample, Stamp
from xcaliper.xcp.timecorr import (
    ClockBlocks,
    ClockInformation,
    ObservableClocks,
    SlaveConfigBits,
    SyncState,
)

MS = 1_000_000
S = 1_000_000_000


def readings(rng, way, scatter_ns, count, drift_ppm):
    """Slave times and intervals of the host over 10 s; the truth is host = 1000 s + t."""
    t = np.sort(rng.uniform(0, 10 * S, count)).round()
    out, back = way(count), way(count)
    shown = t * (1 + drift_ppm * 1e-6) + rng.uniform(-scatter_ns / 2, scatter_ns / 2, count)
    return (
        shown.astype(np.int64),
        (1000 * S + t - out).astype(np.int64),
        (1000 * S + t + back).astype(np.int64),
    )


@pytest.mark.parametrize("scatter_ns", [0, 40_000, 200_000])
@pytest.mark.parametrize("kind", ["even", "tail", "constant"])
def test_the_bound_covers_the_truth_in_99_of_100_runs(kind: str, scatter_ns: int) -> None:
    """300 seeds each: ways evenly long, with a long tail, or always the same."""
    rng = np.random.default_rng(scatter_ns + len(kind))
    ways = {
        "even": lambda n: rng.uniform(10_000, 210_000, n),
        "tail": lambda n: 30_000 + rng.exponential(60_000, n),
        "constant": lambda n: np.full(n, 50_000.0),
    }
    good = drift_good = 0
    runs = 300
    for _ in range(runs):
        drift_ppm = rng.uniform(-200, 200)
        count = int(rng.choice([8, 20, 60, 120]))
        fit = ClockFit()
        for reading in zip(*readings(rng, ways[kind], scatter_ns, count, drift_ppm), strict=True):
            fit.add(*map(int, reading))
        line = fit.correlation(HOST, "test")
        end = int(10 * S * (1 + drift_ppm * 1e-6))
        error = int(line.correlate(np.array([end]))[0]) - 1010 * S
        good += abs(error) <= line.uncertainty_at(end)
        drift_good += abs(line.drift_ppm - drift_ppm) <= line.drift_uncertainty_ppm
        assert line.uncertainty_at(end) < 600_000
    assert good >= 0.99 * runs
    assert drift_good >= 0.98 * runs


def test_late_answers_do_not_move_the_line() -> None:
    """The quickest answers decide: a host that stalls now and then widens intervals only."""
    x = np.arange(100) * 100.0 * MS
    low, high = np.full(100, -50_000.0), np.full(100, 50_000.0)
    plain = fit_line(x, low, high)
    high[::3] += 40 * MS
    stalled = fit_line(x, low, high)
    assert abs(stalled.value(x[-1]) - plain.value(x[-1])) < 1_000
    assert stalled.bound(x[-1]) < 60_000


def test_a_single_reading_is_as_good_as_its_way_was_short() -> None:
    fit = ClockFit()
    assert fit.correlation(HOST, "test") is None
    fit.add(5_000, 1_000_000, 1_080_000)
    line = fit.correlation(HOST, "test")
    assert line.correlate(np.array([5_000])).tolist() == [1_040_000]
    assert 40_000 <= line.uncertainty_ns < 400_000
    assert line.uncertainty_at(5_000 + S) > 5 * MS  # nothing is known about the drift


def test_memory_and_work_are_bounded() -> None:
    fit = ClockFit()
    for at in range(3000):
        fit.add(at * 10 * MS, at * 10 * MS - 20_000, at * 10 * MS + 20_000 + at % 7 * 1000)
    assert 256 <= len(fit) <= 512
    line = fit.correlation(HOST, "test")
    assert line.readings == len(fit)
    assert line.uncertainty_ns < 25_000
    fit.add(10_000 * S, 10_000 * S, 10_000 * S + 1000)  # everything else is too old now
    assert len(fit) >= 1


def test_a_wild_reading_is_left_out_and_three_begin_anew() -> None:
    fit = ClockFit()
    for at in range(20):
        fit.add(at * S, at * S, at * S + 1000)
    fit.add(20 * S, 25 * S, 25 * S + 1000)
    fit.add(21 * S, 21 * S, 21 * S + 1000)
    assert (fit.outliers, fit.steps, len(fit)) == (1, 0, 21)
    for at in range(22, 25):
        fit.add(at * S, at * S + 5 * S, at * S + 5 * S + 1000)
    assert (fit.outliers, fit.steps, len(fit)) == (1, 1, 3)
    there = fit.correlation(HOST, "test").correlate(np.array([24 * S]))
    assert abs(int(there[0]) - 29 * S) < 1_000


def groups(shown, *, pace_ns=500 * MS, count=30, size=10) -> ClockFit:
    """Readings as a measurement takes them, in groups: what a slave's clock shows, by the true time."""
    fit = ClockFit()
    for group in range(count):
        for at in range(group * pace_ns, group * pace_ns + size * 200_000, 200_000):
            fit.add(int(shown(at + 40_000)), at, at + 100_000)
    return fit


@pytest.mark.parametrize("by_ns", [150 * MS, 400 * MS, 990 * MS, -300 * MS])
def test_readings_prove_that_a_clock_was_set(by_ns: int) -> None:
    when = 6 * S - 100 * MS
    fit = groups(lambda at: at * 1.0001 + (by_ns if at >= when else 0))
    at_ns, moved_ns = fit.moved
    assert abs(at_ns - 6 * S - by_ns) < 2 * MS
    assert abs(moved_ns - by_ns) < 2 * MS
    twice = groups(lambda at: at + (by_ns if at >= 6 * S else 0) + (by_ns if at >= 9 * S else 0))
    assert twice.moved[0] < 8 * S, "the first one is told"


@pytest.mark.parametrize(
    "shown",
    [
        lambda at: at * 1.0001,
        lambda at: at + 50 * MS * (at >= 6 * S),  # too little
        lambda at: at + 400 * MS * (at >= 500 * MS),  # nothing to hold it against yet
        lambda at: at * 1.2,  # other ticks than told
        lambda at: at * 0.1,
        lambda at: at * 2,
        lambda at: at // (10 * MS) * 10 * MS,  # read by a task only
        lambda at: (at + at // 97) // (90 * MS) * 90 * MS,
        lambda at: at + 5e-5 * max(at - 8 * S, 0),  # it got warmer
        lambda at: 7 * S,  # a stub
    ],
)
@pytest.mark.parametrize("pace_ns", [500 * MS, 2500 * MS, 10 * S])
def test_odd_clocks_that_nobody_has_set_are_not_told_as_set(shown, pace_ns: int) -> None:
    if pace_ns > 500 * MS and shown(S) == S + 400 * MS:
        pace_ns = 500 * MS  # else it is before the second reading
    assert groups(shown, pace_ns=pace_ns).moved is None


def test_equal_times_and_no_width_are_no_trouble() -> None:
    fit = ClockFit()
    for _ in range(10):
        fit.add(7, 100, 100)
    assert fit.correlation(HOST, "test").correlate(np.array([7])).tolist() == [100]


def test_times_never_run_back_while_the_fit_improves() -> None:
    rng = np.random.default_rng(3)
    axis = MonotoneAxis()
    last = -(2**62)
    for turn in range(200):
        wrong = int(rng.integers(-5 * MS, 5 * MS)) // (turn + 1)
        drift = float(rng.uniform(-100, 100)) / (turn + 1)
        goal = Correlation(HOST, "test", turn * S, turn * S + wrong, drift, 0, 0.0, 1)
        axis.follow(goal)
        times = axis.correlate(np.arange(turn * S, turn * S + S, 10 * MS))
        assert times[0] >= last
        assert (np.diff(times) >= 0).all()
        last = int(times[-1])
    assert abs(last - int(goal.correlate(np.array([turn * S + 99 * 10 * MS]))[0])) < 5 * MS
    again = axis.correlate(np.arange(150 * S, 200 * S, S // 7))  # older times stay in order
    assert (np.diff(again) >= 0).all()


def test_a_jump_of_the_fit_is_reached_slowly() -> None:
    axis = MonotoneAxis()
    axis.follow(Correlation(HOST, "test", 0, 0, 0.0, 0, 0.0, 1))
    assert axis.correlate(np.array([S])).tolist() == [S]
    axis.follow(Correlation(HOST, "test", 0, -10 * MS, 0.0, 0, 0.0, 1))
    found = axis.correlate(np.array([S, S + S // 2, 2 * S, 3 * S])).tolist()
    assert found == [S, S + S // 2 - 5 * MS, 2 * S - 10 * MS, 3 * S - 10 * MS]


def test_words_and_figures() -> None:
    line = Correlation(HOST, "GET_DAQ_CLOCK", 0, 5 * S, 12.5, 18_200, 0.4, 200, 900)
    assert line.describe() == (
        "host time by GET_DAQ_CLOCK: drift +12.500 ± 0.400 ppm, within 18.2 µs "
        "(200 readings, the clock scatters by 900 ns)"
    )
    assert line.properties()["time_drift_ppm"] == "12.500000"
    assert line.properties()["time_uncertainty_ns"] == "18200"
    assert line.utc_ns(1_700_000_000 * S) == 1_700_000_005 * S
    tai = Correlation("grandmaster", "x", 0, 37 * S, 0.0, 1, 0.0, 1, epoch="TAI")
    assert tai.utc_ns(12345) == 0


def test_without_timestamps_the_arrival_is_the_time_with_a_stated_error() -> None:
    line = Timeline(None, [10 * MS])
    correlator = Correlator(line)
    assert correlator.correlation() is None
    assert correlator.describe().startswith("no time correlation")
    times = np.arange(3)
    assert correlator.correlate(times) is times
    line.place(0, np.zeros(1), 77 * S)
    found = correlator.correlation()
    assert found.correlate(np.zeros(1, np.int64)).tolist() == [77 * S]
    assert found.uncertainty_ns >= 10 * MS
    assert not correlator.needs_reading


def test_readings_in_other_ticks_than_timestamps_are_converted_where_they_can_be() -> None:
    block = ClockInformation(
        clock_id=bytes(8),
        timestamp_ticks=1,
        timestamp_unit=0,
        native_timestamp_size=8,
        max_timestamp_before_wrap=2**64 - 1,
    )
    told = ClockProperties(
        SlaveConfigBits(1), ObservableClocks(0), SyncState(7), 0, ClockBlocks(slave=block)
    )
    clock = TickClock(1, 3, 4)
    wide = ClockSample(0, 1, slave=Stamp(5_000_000_123, 8))
    assert daq_stamp(wide, told, clock) == Stamp(5_000_000, 8)
    assert daq_stamp(ClockSample(0, 1, slave=Stamp(17, 4)), told, clock) is None
    assert daq_stamp(ClockSample(0, 1, slave=Stamp(17, 4)), told, TickClock(1, 0, 4)).ticks == 17
    assert daq_stamp(ClockSample(0, 1, daq=Stamp(17, 4)), told, clock).ticks == 17
    assert daq_stamp(ClockSample(0, 1, ecu=Stamp(17, 4)), None, clock) is None


def test_slaves_without_any_reading_have_no_common_axis() -> None:
    line = Timeline(TickClock(1, 3, 4), [MS], ClockReading(0, 0))
    with pytest.raises(ValueError, match="no clock reading"):
        common_axis([Correlator(line)])
