"""One time axis for all rasters, whatever the counters do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline

MS = 1_000_000


def ticks(*values):
    return np.array(values, np.uint32)


@pytest.mark.parametrize(
    ("clock", "periods_ms"),
    [
        (TickClock(1, 6, 1), (10, 70, 1000, 3700)),  # 1 ms, wraps in 256 ms
        (TickClock(10, 3, 2), (5, 100, 2000)),  # 10 µs, wraps in 655 ms
        (TickClock(1, 0, 4), (1, 100, 5000, 30_000)),  # 1 ns, wraps in 4.29 s
        (TickClock(1, 0, 4), (5000, 30_000)),
        (TickClock(7, 3, 4), (10, 1000)),
    ],
)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("reading", "drift_ppm"), [(True, 0), (False, 100), (True, -100)])
def test_many_wraps_with_rasters_of_every_speed(clock, periods_ms, known, reading, drift_ppm):
    begin = clock.modulus - 1000 % clock.modulus  # wraps soon
    start = ClockReading(begin, 77) if reading else None
    line = Timeline(clock, [p * MS if known else None for p in periods_ms], start)
    tick_ns = clock.tick_ns
    origin = None if not reading else begin
    batch_ms = 20
    for now_ms in range(0, 70_000, batch_ms):
        for raster, period in enumerate(periods_ms):
            due = [t for t in range(now_ms, now_ms + batch_ms) if t and t % period == 0]
            if not due:
                continue
            counts = [begin + int(t * MS / tick_ns) for t in due]
            if origin is None:
                origin = counts[0]
            expected = [int((c - origin) * tick_ns) for c in counts]
            late = (now_ms * 7919) % 9 * MS  # latency of the host, 0 to 8 ms
            arrival = 77 + (now_ms + batch_ms) * (MS + drift_ppm) + late
            raw = np.array([c % clock.modulus for c in counts], np.uint32)
            assert line.place(raster, raw, arrival).tolist() == expected
    assert line.backward == 0


def test_time_zero_is_the_clock_reading_or_else_the_first_timestamp():
    clock = TickClock(1, 3, 4)
    assert Timeline(clock, [None], ClockReading(100, 0)).place(0, ticks(103), 9999).tolist() == [
        3000
    ]
    assert Timeline(clock, [None]).place(0, ticks(103, 104), 9999).tolist() == [0, 1000]


def test_a_reading_of_32_bits_serves_a_clock_of_16():
    line = Timeline(TickClock(1, 3, 2), [None], ClockReading(0x12340010, 0))
    assert line.place(0, ticks(0x0014), 50_000).tolist() == [4000]


def test_steps_back_are_counted_and_never_shown():
    line = Timeline(TickClock(1, 3, 4), [1 * MS], ClockReading(0, 0))
    times = line.place(0, ticks(1000, 2000, 1500, 3000), 3 * MS)
    assert times.tolist() == [1 * MS, 2 * MS, 2 * MS, 3 * MS]
    assert line.place(0, ticks(2500), 4 * MS).tolist() == [3 * MS]
    assert line.backward == 2


def test_a_raster_that_rests_for_many_wraps_comes_back_in_the_right_epoch():
    line = Timeline(TickClock(1, 0, 4), [1 * MS, 10 * MS], ClockReading(0, 0))
    line.place(0, ticks(1_000_000), 1 * MS)
    line.place(1, ticks(1_000_000), 1 * MS)
    for second in range(1, 31):  # the other raster goes on
        line.place(1, ticks(second * 10**9 % 2**32), second * 10**9 + MS)
    late = 30 * 10**9 + 5 * MS
    assert line.place(0, ticks(late % 2**32), late + MS).tolist() == [late]


def test_frozen_host_time_still_gives_continuous_time():
    """Replays may carry no times of arrival."""
    line = Timeline(TickClock(1, 0, 4), [100 * MS, 100 * MS])
    for turn in range(200):
        stamp = turn * 100 * MS
        for raster in (0, 1):
            assert line.place(raster, ticks(stamp % 2**32), 0).tolist() == [stamp]


def test_a_clock_too_fast_for_the_host_goes_by_the_known_period():
    line = Timeline(TickClock(1, 3, 1), [10 * MS])  # wraps in 256 µs
    for turn in range(100):
        raw = ticks(turn * 10_000 % 256)
        assert line.place(0, raw, turn * 10 * MS + turn % 7 * MS).tolist() == [turn * 10 * MS]


def test_picoseconds():
    line = Timeline(TickClock(333, 10, 4), [None], ClockReading(0, 0))
    assert line.place(0, ticks(1, 1000, 3_000_000), 999_000).tolist() == [0, 333, 999_000]


def test_without_timestamps_the_host_tells_the_time():
    line = Timeline(None, [10 * MS, None], ClockReading(0, 1000))
    assert line.place(0, np.zeros(3), 1000 + 25 * MS).tolist() == [5 * MS, 15 * MS, 25 * MS]
    assert line.place(1, np.zeros(2), 1000 + 25 * MS).tolist() == [25 * MS, 25 * MS]
    assert line.place(0, np.zeros(2), 1000 + 30 * MS).tolist() == [25 * MS, 30 * MS]
    assert line.place(0, np.zeros(0), 5000).tolist() == []


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([1, 2, 4]),
    st.sampled_from([(1, 6), (1, 10), (65535, 9)]),
    st.lists(
        st.tuples(st.lists(st.integers(0, 2**32 - 1), max_size=5), st.integers(0, 2**50)),
        max_size=20,
    ),
)
def test_any_counters_give_times_that_never_decrease(size, resolution, batches):
    line = Timeline(TickClock(*resolution, size), [10 * MS])
    last = None
    for values, t_ns in batches:
        raw = np.array([v % (1 << 8 * size) for v in values], np.uint32)
        times = line.place(0, raw, t_ns)
        assert len(times) == len(values)
        for t in times.tolist():
            assert last is None or t >= last
            last = t


def test_times_beyond_292_years_stay_at_the_end_of_the_axis():
    """Ticks of 65535 s: two wraps of 16 bits are more than 64 bits of nanoseconds."""
    line = Timeline(TickClock(65535, 9, 2), [10 * MS])
    first = line.place(0, np.array([16386, 8193, 0, 26054], np.uint32), 0).tolist()
    later = line.place(0, np.array([26053, 26052], np.uint32), 0).tolist()
    assert first + later == sorted(first + later)
    assert first[0] == 0
    assert later[-1] > 2**62
