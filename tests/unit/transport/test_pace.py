"""How often the pump looks and how much it takes: numbers in, numbers out."""

from __future__ import annotations

import pytest

from xcaliper.transport.driver import HOLD_BYTES, LATE_BYTES
from xcaliper.transport.pace import Pace

MS = 1_000_000
MUCH = 32 << 10


def grown(pace: Pace) -> float:
    """The pause after a long time in which nothing came."""
    for _ in range(20):
        pace.drained(0, MUCH)
    return pace.pause_s


@pytest.mark.parametrize(
    ("buffer_size", "patient", "least", "most"),
    [
        (16 << 20, True, 0.02, 0.02),
        (4 << 20, True, 0.010, 0.011),  # what two Gbit/s and their overhead put into 4 MiB
        (1 << 20, True, 0.004, 0.004),
        (0, True, 0.004, 0.004),
        (16 << 20, False, 0.001, 0.001),
        (212_992, True, 0.0004, 0.0004),
    ],
)
def test_the_longest_pause_is_what_the_buffer_bears(buffer_size, patient, least, most):
    pace = Pace(buffer_size)
    pace.begin(0, patient=patient)
    assert least <= grown(pace) <= most


def test_much_ends_the_long_pause_and_a_look_shortens_it():
    pace = Pace(16 << 20)
    pace.begin(0, patient=True)
    assert grown(pace) == 0.02
    pace.drained(MUCH + 1, MUCH)
    assert pace.pause_s == 0.004
    pace.is_fresh = True
    assert grown(pace) == 0.004
    pace.drained(MUCH + 1, MUCH)
    assert pace.pause_s == 0.001
    assert pace.stay_ns == 20 * MS
    pace.is_fresh = False
    grown(pace)
    assert pace.stay_ns == 100 * MS


def test_bytes_of_a_stay_count_by_the_millisecond():
    pace = Pace(16 << 20)
    pace.begin(0, patient=True)
    grown(pace)
    pace.stayed(100 * MUCH, MUCH, 100 * MS, 100 * MS)
    assert pace.pause_s == 0.02
    pace.stayed(101 * MUCH, MUCH, 100 * MS, 100 * MS)
    assert pace.pause_s == 0.004


@pytest.mark.parametrize(
    ("buffer_size", "patient", "pause_s"),
    [
        (16 << 20, True, 0.004),
        (4 << 20, True, 0.0026),  # a burst of two Gbit/s fills a quarter of it
        (1 << 20, True, 0.001),
        (0, True, 0.001),
        (16 << 20, False, 0.001),
        (212_992, True, 0.0004),
    ],
)
def test_the_pause_of_a_busy_link_leaves_room_in_the_buffer(buffer_size, patient, pause_s):
    pace = Pace(buffer_size)
    pace.begin(0, patient=patient)
    pace.drained(1 << 20, MUCH)
    assert pace.pause_s == pytest.approx(pause_s, rel=0.01)


def test_a_drain_that_was_not_full_has_left_nothing():
    pace = Pace(16 << 20)
    pace.begin(0, patient=True)
    pace.share(1 * MS, running=True, wanted=True)
    assert not pace.is_behind(HOLD_BYTES - 1, MUCH)
    assert pace.is_behind(HOLD_BYTES, MUCH)


def test_a_small_buffer_fills_while_it_is_drained():
    pace = Pace(212_992)
    pace.begin(0, patient=True)
    assert pace.is_behind(MUCH + 1, MUCH)
    assert not pace.is_behind(MUCH, MUCH)


def test_late_is_what_comes_long_after_its_pause_and_large_shares_help():
    pace = Pace(16 << 20)
    pace.begin(0, patient=True)
    assert pace.share(1 * MS, running=True, wanted=False) == HOLD_BYTES
    assert pace.share(6 * MS, running=True, wanted=False) == LATE_BYTES
    assert pace.is_late
    pause_ns = int(grown(pace) * 1e9)
    assert pace.share(6 * MS + pause_ns, running=True, wanted=False) == LATE_BYTES
    assert not pace.is_late, "it was to come after a long pause"
    assert pace.share(6 * MS + 2 * pause_ns, running=True, wanted=True) == HOLD_BYTES
    assert pace.share(20 * MS + 3 * pause_ns, running=True, wanted=True) == LATE_BYTES
    assert pace.share(90 * MS + 3 * pause_ns, running=False, wanted=False) == HOLD_BYTES


def test_a_full_drain_makes_the_next_one_large_unless_somebody_waits():
    pace = Pace(16 << 20)
    pace.begin(0, patient=True)
    pace.drained(HOLD_BYTES, MUCH)
    assert pace.share(1 * MS, running=True, wanted=False) == LATE_BYTES
    pace.drained(HOLD_BYTES, MUCH)
    assert pace.share(2 * MS, running=True, wanted=True) == HOLD_BYTES


@pytest.mark.parametrize(("now_ms", "late"), [(102, False), (104, True)])
def test_a_stay_that_ends_late_was_kept_waiting(now_ms, late):
    pace = Pace(16 << 20)
    pace.stayed(0, MUCH, 100 * MS, now_ms * MS)
    assert pace.is_late == late
