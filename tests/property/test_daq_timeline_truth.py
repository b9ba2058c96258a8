"""The time axis against a simulated truth: drift, latency, jitter, wraps, losses, clocks that are set."""

from __future__ import annotations

import random

import numpy as np
import pytest

from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline

MS = 1_000_000
S = 1_000_000_000

CLOCKS = (
    TickClock(1, 0, 4),  # 1 ns, wraps in 4.29 s
    TickClock(1, 3, 4),  # 1 µs
    TickClock(10, 3, 2),  # 10 µs, wraps in 655 ms
    TickClock(1, 6, 1),  # 1 ms, wraps in 256 ms
    TickClock(333, 10, 4),  # 333 ps, wraps in 1.43 s
)


class Slave:
    """True time → ticks, with drift, a start in the middle of nowhere, and steps."""

    def __init__(self, clock: TickClock, rng: random.Random, drift_ppm: float) -> None:
        self.clock = clock
        self.start = rng.randrange(1 << 40)
        self.drift = round(drift_ppm * 1000)
        self.steps: list[tuple[int, int]] = []

    def ticks(self, t_ns: int) -> int:
        shown = t_ns + t_ns * self.drift // 10**9
        shown += sum(step for at, step in self.steps if at <= t_ns)
        return self.start + int(shown / self.clock.tick_ns)


def batches(rng: random.Random, rasters, until_ns: int, loss: float, latency_ns: int):
    """(arrival, raster, true times) in order of arrival, in batches of 1 to 50 ms."""
    found = []
    for raster, (period, begin) in enumerate(rasters):
        t, batch, until = begin, [], begin
        while t < until_ns:
            if t >= until and batch:
                found.append((batch[-1] + rng.randrange(latency_ns), raster, batch))
                batch = []
            if t >= until:
                until = t + rng.randrange(MS, 50 * MS)
            if rng.random() >= loss:
                batch.append(t)
            t += period
    last = {}
    for arrival, raster, times in sorted(found, key=lambda item: item[2][-1]):
        last[raster] = max(arrival, last.get(raster, 0))
        yield last[raster], raster, times


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_every_sample_gets_its_true_time(clock, seed):
    """Many wraps, late starts, rasters slower than a wrap, half of the samples lost."""
    rng = random.Random(seed)
    drift_ppm = rng.uniform(-200, 200)
    loss = (0.0, 0.05, 0.5)[seed % 3]
    known, with_readings = rng.random() < 0.5, rng.random() < 0.5
    slave = Slave(clock, rng, drift_ppm)
    wrap = int(clock.modulus * clock.tick_ns)
    periods = [rng.choice([4, 5, 10]) * MS, rng.choice([100, 700]) * MS, rng.choice([3, 6]) * S]
    rasters = [
        (p, rng.randrange(0, 6 * S) if n else rng.randrange(p)) for n, p in enumerate(periods)
    ]
    boot = rng.randrange(1 << 40)
    start = ClockReading(slave.ticks(0) & 0xFFFF_FFFF, boot)
    line = Timeline(clock, [p if known else None for p in periods], start)
    origin = slave.ticks(0)
    latency = min(30 * MS, wrap // 8)
    next_reading = 0
    for arrival, raster, times in batches(rng, rasters, min(14 * S, 60 * wrap), loss, latency):
        while with_readings and next_reading < times[-1]:
            raw = slave.ticks(next_reading) % (1 << 64)
            place = line.reading(raw, 8, boot + next_reading)
            assert place == int((slave.ticks(next_reading) - origin) * clock.tick_ns)
            next_reading += 3 * S
        ticks = np.array([slave.ticks(t) % clock.modulus for t in times], np.uint32)
        placed = line.place(raster, ticks, boot + arrival)
        assert placed.tolist() == [int((slave.ticks(t) - origin) * clock.tick_ns) for t in times]
        assert line.marks == []
    assert line.backward == line.steps == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("step_ms", [-30_000, -500, -60, 3_000, 20_000])
def test_a_clock_that_is_set_is_told_and_time_goes_on(seed, step_ms, known, loss):
    """Both rasters mark it once, never go back, and stay together to a period."""
    rng = random.Random(seed)
    clock = TickClock(1, 3, 4)
    slave = Slave(clock, rng, 50)
    slave.steps = [(5 * S, step_ms * MS)]
    periods = [2 * MS, 10 * MS]
    line = Timeline(clock, [p if known else None for p in periods], ClockReading(slave.ticks(0), 0))
    last = [-1, -1]
    marks = [0, 0]
    for arrival, raster, times in batches(rng, [(p, 0) for p in periods], 6 * S, loss, 5 * MS):
        ticks = np.array([slave.ticks(t) & 0xFFFF_FFFF for t in times], np.uint32)
        placed = line.place(raster, ticks, arrival)
        assert placed[0] >= last[raster]
        assert (np.diff(placed) >= 0).all()
        last[raster] = int(placed[-1])
        marks[raster] += len(line.marks)
        # what was lost around the step cannot be known, so the axis may lack as much
        lag = np.abs(placed - np.array(times))
        assert lag.max() < (60 if loss or not known else 21) * MS
    assert line.steps == 1
    if not loss:
        assert marks == [1, 1]
        assert line.backward == (2 if step_ms < 0 else 0)
    assert min(marks) >= 1


def test_small_scatter_is_marked_and_moves_nothing():
    line = Timeline(TickClock(1, 3, 4), [MS], ClockReading(0, 0))
    raw = np.array([1000, 2000, 1900, 3000, 4000], np.uint32)
    assert line.place(0, raw, 5 * MS).tolist() == [MS, 2 * MS, 2 * MS, 3 * MS, 4 * MS]
    assert line.marks == [2]
    assert line.place(0, np.array([5000], np.uint32), 6 * MS).tolist() == [5 * MS]
    assert line.marks == []
    assert (line.backward, line.steps) == (1, 0)


def test_readings_of_another_clock_are_not_taken():
    line = Timeline(TickClock(1, 3, 4), [MS], ClockReading(0, 0))
    line.place(0, np.array([1000, 2000], np.uint32), 3 * MS)
    assert line.reading(3_000, 4, 3 * MS) == 3 * MS
    assert line.reading(3_000_000, 4, 4 * MS) is None
    assert line.reading(5_000, 4, 5 * MS) == 5 * MS
    assert Timeline(None, [MS]).reading(1, 4, 0) is None
    assert Timeline(TickClock(1, 3, 4), [MS]).reading(1, 4, 0) is None
