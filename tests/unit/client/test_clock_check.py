"""Slaves whose timestamps are not what they say."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.client.clock_check import ClockCheck
from xcaliper.core.samples import SampleBlock
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline

MS = 1_000_000
S = 1_000_000_000


def follow(ticks_per_ms: int, *, reading: int = 0, first: int = 0, seconds: int = 8, late_ns=0):
    """A slave that says to count microseconds, measured every 10 ms: (timeline, slugs, times)."""
    line = Timeline(TickClock(1, 3, 4), [10 * MS], ClockReading(reading, 0))
    check, slugs, times = ClockCheck(line), set(), []
    for batch in range(1, seconds * 10):
        now_ns = batch * 100 * MS + (late_ns if batch % 7 == 0 else 0)
        ms = np.arange(batch * 100 - 100, batch * 100, 10)
        raw = ((first + ms * ticks_per_ms) % 2**32).astype(np.uint32)
        placed = line.place(0, raw, now_ns)
        check.take([SampleBlock(0, placed, np.zeros(len(ms), [("x", "u1")]))], now_ns)
        slugs |= {one.slug for one in check.findings("udp://ecu")}
        times += placed.tolist()
    return line, slugs, times


@pytest.mark.parametrize("late_ns", [0, 1_900 * MS])
def test_a_clock_as_described_is_in_order(late_ns: int) -> None:
    line, slugs, times = follow(1000, reading=2**32 - 5000, first=2**32 - 5000, late_ns=late_ns)
    assert slugs == set()
    assert times == list(range(0, len(times) * 10 * MS, 10 * MS))
    assert not line.is_other_clock


@pytest.mark.parametrize("ticks_per_ms", [1, 100, 1200, 10_000])
def test_other_ticks_than_told_are_noticed(ticks_per_ms: int) -> None:
    _, slugs, _ = follow(ticks_per_ms, seconds=15)
    assert "daq-clock-rate" in slugs
    _, slugs, _ = follow(ticks_per_ms, seconds=4)
    assert "daq-clock-rate" not in slugs, "nobody knows yet"


def test_a_clock_that_was_set_is_told_with_time_and_amount() -> None:
    line = Timeline(TickClock(1, 3, 4), [10 * MS], ClockReading(0, 0))
    check = ClockCheck(line)
    assert list(check.findings("udp://ecu", None)) == []
    (one,) = check.findings("udp://ecu", (5 * S + 300 * MS, 400 * MS))
    assert one.slug == "daq-clock-set"
    assert "udp://ecu: its clock was set forward by 0.400 s" in one.text
    assert "5.3 s behind the start" in one.text
    (one,) = check.findings("udp://ecu", (5 * S, -300 * MS))
    assert "set back by 0.300 s" in one.text


@pytest.mark.parametrize(
    ("by_s", "text"), [(-1, "set back by 1.000 s"), (5, "set forward by 5.000 s")]
)
def test_a_step_that_is_taken_out_is_told_as_well(by_s: int, text: str) -> None:
    line = Timeline(TickClock(1, 3, 4), [10 * MS], ClockReading(10**7, 0))
    check = ClockCheck(line)
    for at in range(0, 6000, 100):
        ms = np.arange(at, at + 100, 10)
        raw = 10**7 + 1000 * ms + (ms >= 3050) * by_s * 10**6
        line.place(0, raw.astype(np.uint32), (at + 100) * MS)
        if at < 3000:
            assert list(check.findings("udp://ecu")) == []
    (one,) = check.findings("udp://ecu", (5 * S, 300 * MS))
    assert one.slug == "daq-clock-set"
    assert f"udp://ecu: its clock was {text}" in one.text
    assert "3.0 s behind the start" in one.text
    assert "'clock'" in one.hint


@pytest.mark.parametrize("apart", [2_000_000, 100_000_000, 2_000_000_000, 4_200_000_000])
def test_a_reading_of_another_clock_does_not_shift_the_axis(apart: int) -> None:
    """A GET_DAQ_CLOCK that always answers 0, or with the time of another core."""
    line, slugs, times = follow(1000, reading=0, first=apart)
    assert slugs == {"daq-other-clock"}
    assert line.is_other_clock
    assert times[0] == 10 * MS, "as it came, with the newest of its batch"
    assert times == list(range(10 * MS, len(times) * 10 * MS + 1, 10 * MS))
    assert line.reading(apart + 9_000_000, 4, 9 * S) is None
