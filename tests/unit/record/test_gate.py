"""Triggers: which samples a recording holds, against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from support.recording import DESCRIPTION, MS, fast, lost, slow, stream
from xcaliper.core.errors import NotFoundError, SettingsError, UsageError
from xcaliper.record.description import EventCause, EventType, RecordingEvent
from xcaliper.record.gate import Gate
from xcaliper.record.lookup import SignalBook
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.trigger import (
    At,
    Condition,
    Edge,
    Level,
    Manual,
    PageSwitch,
    parse_trigger,
)
from xcaliper.record.watch import make_watches


class Closing(MemorySink):
    closed = False

    def close(self):
        self.closed = True


def gate(start, stop=None, *, pre_s=0.0, post_s=None, most=None, ring=1 << 30):
    book = SignalBook(DESCRIPTION.rasters)
    sinks = []

    def begin(number):
        assert number == len(sinks) + 1
        sinks.append(Closing())
        return sinks[-1]

    made = Gate(
        start=make_watches(start, book),
        stop=make_watches(stop, book),
        pre_ns=round(pre_s * 1e9),
        post_ns=None if post_s is None else round(post_s * 1e9),
        max_recordings=most,
        ring_bytes=ring,
        rasters=range(2),
        begin=begin,
    )
    return made, sinks


def record(start, stop=None, *, blocks=None, close=True, **settings):
    made, sinks = gate(start, stop, **settings)
    for block in stream() if blocks is None else blocks:
        made.write(block)
    if close:
        made.close()
    return [span(sink) for sink in sinks], sinks, made


def span(sink):
    """First and last counter of both rasters; both must be without a hole."""
    found = []
    for raster, name in ((0, "n"), (1, "level")):
        times = sink.t_ns(raster)
        if not len(times):
            found.append(None)
            continue
        values = sink.column(raster, name)
        assert values.tolist() == list(range(values[0], values[-1] + 1))
        found.append((int(values[0]), int(values[-1])))
    return tuple(found)


# sin passes 0.5 upwards between 83 and 84 ms, downwards between 416 and 417 ms
RISE, FALL = 84, 417


@pytest.mark.parametrize(("size", "late"), [(1, 0), (37, 0), (900, 0), (1, 40), (37, 4)])
def test_every_sample_of_the_time_and_no_other(size, late):
    spans, _, made = record(
        Edge("x", 0.5), "x < -0.5", pre_s=0.05, post_s=0.02, blocks=stream(3000, size, late=late)
    )
    # x < -0.5 from 584 ms on
    assert spans == [((34 + k, 604 + k), (4 + k // 10, 60 + k // 10)) for k in (0, 1000, 2000)]
    assert made.stats.recordings == 3
    assert made.stats.samples == 3 * (571 + 57)
    assert made.stats.state == "ended"


@pytest.mark.parametrize(
    ("start", "settings", "expected"),
    [
        (Level("x", above=0.5), {"post_s": 0.01}, [(RISE, RISE + 10)]),
        (Level("x", below=-0.5), {"post_s": 0.01}, [(584, 594)]),
        (Level("x", above=0.99, below=-0.99), {"post_s": 0.0, "pre_s": 0.002}, [(226, 228)]),
        (Edge("x", 0.5, "falling"), {"post_s": 0.001}, [(FALL, FALL + 1)]),
        (Condition("delta(n) == 1 and level >= 20"), {"post_s": 0.004}, [(200, 204)]),
        (Condition("x > 0.5", "10ms"), {"post_s": 0.004}, [(90, 94)]),
        ("rising(x > 0.5) and n > 1000", {"post_s": 0.0}, [(1084, 1084)]),
        (At(0.5), {"pre_s": 0.0101, "post_s": 0.01}, [(490, 510)]),
        (At(0.5004), {"post_s": 0.0}, []),
        (["x > 2", "n == 700", "n == 650"], {"post_s": 0.0}, [(650, 650)]),
        (Edge("x", 0.5), {}, [(RISE, 2999)]),
        (Condition("n >= 0"), {"pre_s": 5.0, "post_s": 0.003}, [(0, 3)]),
        (Condition("x > nan"), {"pre_s": 0.1}, []),
        (Condition("0 / (n * 0)"), {"pre_s": 0.1}, []),  # not-a-number is not true
    ],
)
def test_each_kind_of_trigger(start, settings, expected):
    spans, _, _ = record(start, most=1, **settings)
    assert [found[0] for found in spans if found[0]] == expected


def test_edges_of_both_directions_with_hysteresis():
    spans, _, _ = record(Edge("x", 0.5, "both", hysteresis=0.4), post_s=0.001)
    assert [found[0][0] for found in spans] == [
        k + at for at in (0, 1000, 2000) for k in (RISE, FALL)
    ]


def test_triggers_again_and_again_without_any_sample_twice():
    spans, sinks, made = record("n % 100 == 50", pre_s=0.08, post_s=0.04, blocks=stream(1000, 7))
    # what the recording before holds is not recorded again
    assert [found[0] for found in spans] == [(0, 90)] + [
        (91 + 100 * k, min(190 + 100 * k, 999)) for k in range(9)
    ]
    assert all(sink.closed for sink in sinks)
    spans, _, made = record("n % 100 == 50", post_s=0.01, most=3)
    assert len(spans) == 3
    assert made.stats.ring_bytes == 0


def test_periodic_times():
    spans, _, _ = record(At(0.1, every_s=0.25), post_s=0.0, blocks=stream(1000))
    assert [found[0] for found in spans] == [(100, 100), (350, 350), (600, 600), (850, 850)]


def test_a_stop_counts_from_behind_the_trigger_on():
    spans, _, _ = record("n == 100", "n >= 100", blocks=stream(1000))
    assert spans == [((100, 101), (10, 10))]
    spans, _, _ = record("n == 100", "n == 50", blocks=stream(1000))
    assert spans == [((100, 999), (10, 99))]


def test_without_trigger_all_is_recorded_until_it_stops():
    spans, _, made = record(None)
    assert spans == [((0, 2999), (0, 299))]
    spans, _, _ = record(None, "n == 1234", post_s=0.006)
    assert spans == [((0, 1240), (0, 124))]
    spans, _, made = record(None, post_s=0.5, close=False)
    assert spans == [((0, 500), (0, 50))]
    assert made.stats.state == "ended"


def events(sink):
    return [(e.kind.name, e.t_ns // MS, e.text) for e in sink.events]


def test_what_started_and_stopped_is_in_the_recording():
    _, sinks, _ = record(Edge("x", 0.5), "x < -0.5", most=1)
    assert events(sinks[0]) == [
        ("START_TRIGGER", 84, "x rising through 0.5"), ("STOP_TRIGGER", 584, "x < -0.5"),
    ]  # fmt: skip
    _, sinks, _ = record("n == 5", post_s=0.01, most=1)
    assert events(sinks[0]) == [
        ("START_TRIGGER", 5, "n == 5"), ("STOP_TRIGGER", 15, "0.01 s are over"),
    ]  # fmt: skip


def marker(t_ms, name="note", text="here"):
    return RecordingEvent(EventType.MARKER, t_ms * MS, text, name)


def by_hand(kind, t_ms):
    return RecordingEvent(kind, t_ms * MS, "by hand", "manual", EventCause.USER)


def test_by_hand():
    made, sinks = gate(Manual(), pre_s=0.1, post_s=0.05)
    for number, block in enumerate(stream(3000, 10)):
        made.write(block)
        if number == 100:  # of both rasters, so 500 ms
            made.event(marker(450, text="recorded with the time before the trigger"))
            made.event(marker(300, text="too early"))
            made.event(by_hand(EventType.START_TRIGGER, 500))
            made.event(by_hand(EventType.START_TRIGGER, 501))
        if number == 400:
            made.event(by_hand(EventType.START_TRIGGER, 2000))
            made.event(by_hand(EventType.STOP_TRIGGER, 2009))
    made.event(by_hand(EventType.STOP_TRIGGER, 2990))
    made.close()
    made.close()
    assert [span(sink) for sink in sinks] == [((400, 550), (40, 55)), ((1900, 2009), (190, 200))]
    assert [e.text for e in sinks[0].events] == [
        "by hand", "recorded with the time before the trigger", "0.05 s are over",
    ]  # fmt: skip
    assert sinks[1].events[-1].cause is EventCause.USER
    made.event(marker(0))
    made.write(fast(0, 1))


def test_page_switch():
    made, sinks = gate(PageSwitch("segment 1"), pre_s=0.01, post_s=0.01)
    for block in stream(1000, 10):
        made.write(block)
        if block.raster == 1 and block.rows["level"][0] in (30, 60):
            at = int(block.rows["level"][0])
            made.event(marker(at * 10, "page", f"segment {at // 30 - 1}: page 1"))
    made.close()
    assert [span(sink) for sink in sinks] == [((590, 610), (59, 61))]
    assert any(e.name == "page" for e in sinks[0].events)


def test_a_small_ring_is_said_and_nothing_else_is_lost():
    made, sinks = gate("n == 2000", pre_s=1.0, post_s=0.1, ring=20 * 500)  # 500 rows of 20 bytes
    for block in stream(3000, 10):
        made.write(block)
        assert made.stats.ring_bytes <= 20 * 500
    made.close()
    first, last = span(sinks[0])[0]
    assert 1500 < first < 1600
    assert last == 2100
    assert made.stats.short == 1
    short = next(e for e in sinks[0].events if e.name == "short")
    assert "less than 0.4" in short.text
    made, sinks = gate("n == 200", pre_s=1.0, post_s=0.1)
    for block in stream(500, 10):
        made.write(block)
    assert made.stats.short == 0  # the measurement was not older


def test_the_bound_holds_while_a_recording_runs():
    # the stop cannot be judged: its raster is silent
    made, sinks = gate("n == 10", "level > 10", ring=20 * 100)
    for start in range(0, 1000, 10):
        made.write(fast(start, start + 10))
        assert made.stats.ring_bytes <= 20 * 100
    made.close()
    assert span(sinks[0])[0] == (10, 999)
    # the end is known, but the slow raster might still come; the next recording pays
    made, sinks = gate("n % 500 == 10", post_s=0.01, pre_s=0.4, ring=20 * 100)
    for start in range(0, 1200, 10):
        made.write(fast(start, start + 10))
        assert made.stats.ring_bytes <= 20 * 110
    made.close()
    assert span(sinks[0])[0] == (0, 20)
    assert made.stats.short >= 1


def test_the_ring_holds_no_more_than_it_must():
    made, _ = gate("x > 2", pre_s=0.05)
    for block in stream(20_000, 10):
        made.write(block)
    assert made.stats.ring_bytes < 20 * 80


def test_a_silent_raster_holds_up_neither_trigger_nor_data():
    made, sinks = gate("x > 0.5", "level > 10", post_s=0.0)
    for start in range(0, 10_000, 10):
        made.write(fast(start, start + 10))
    assert span(sinks[0])[0] == (RISE, 7999 - 10 + 10)  # all but what may still be stopped
    made.close()
    assert span(sinks[0])[0] == (RISE, 9999)
    # an end waits a second at most for a raster that comes no more
    made, sinks = gate("n == 10", post_s=0.1)
    made.write(slow(0, 1))
    for start in range(0, 2000, 10):
        made.write(fast(start, start + 10))
    assert sinks[0].closed
    assert span(sinks[0])[0] == (10, 110)


def test_rasters_that_are_not_recorded_count_for_triggers_only():
    book = SignalBook(DESCRIPTION.rasters)
    sinks = []
    made = Gate(
        start=make_watches("n == 555", book), stop=[], pre_ns=100 * MS, post_ns=50 * MS,
        max_recordings=1, ring_bytes=1 << 30, rasters=[1],
        begin=lambda _: sinks.append(Closing()) or sinks[-1],
    )  # fmt: skip
    most = 0
    for block in stream(1000, 10):
        made.write(block)
        most = max(most, made.stats.ring_bytes)
    assert span(sinks[0]) == (None, (46, 60))
    assert most < 12 * 25
    assert sinks[0].closed


def test_gaps_stay_where_they_are():
    gap = lost(2, 51, 60)
    block = fast(50, 52)
    rest = fast(60, 70)
    joined = fast(0, 0)
    whole = type(block)(
        0, np.concatenate([block.t_ns, rest.t_ns]), np.concatenate([block.rows, rest.rows]), (gap,)
    )
    for trigger, expected in (("n == 50", [2]), ("n == 60", [0]), ("n == 61", [])):
        made, sinks = gate(trigger, post_s=0.03)
        made.write(fast(40, 50))
        made.write(whole)
        made.write(joined)
        made.close()
        found = [g.before_row for b in sinks[0].blocks for g in b.gaps]
        assert found == expected
        assert all(g.lost == 8 for b in sinks[0].blocks for g in b.gaps)


def test_what_waited_for_another_raster_is_judged_at_the_end():
    made, sinks = gate("x > 0.5 and level < 1000", pre_s=0.001)
    made.write(slow(0, 5))
    made.write(fast(0, 200))
    assert not sinks
    made.close()
    assert span(sinks[0]) == ((RISE - 1, 199), None)


def test_ticks_reach_the_open_recording():
    ticks = []
    made, sinks = gate("n == 1")
    made.tick(1)
    made.write(fast(0, 5))
    sinks[0].tick = ticks.append
    made.tick(2)
    assert ticks == [2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("manual", Manual()),
        ("page", PageSwitch()),
        ("page segment 0: page 1", PageSwitch("segment 0: page 1")),
        ("at 5", At(5.0)),
        ("at 0.5s", At(0.5)),
        ("speed > 3", Condition("speed > 3")),
    ],
)
def test_triggers_as_text(text, expected):
    assert parse_trigger(text) == expected


@pytest.mark.parametrize(
    ("trigger", "error"),
    [
        ("", SettingsError), ("at five", SettingsError), ("nix > 3", NotFoundError),
        ("x >", UsageError), (Level("nix", above=1), NotFoundError),
        (Edge("a`b", 1), SettingsError), ("1 > 0", UsageError),
        (Condition("x > 0", "no raster"), NotFoundError), (["x > 0", "n >"], UsageError),
    ],
)  # fmt: skip
def test_triggers_that_cannot_be(trigger, error):
    with pytest.raises(error):
        make_watches(trigger, SignalBook(DESCRIPTION.rasters))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Level("x"),
        lambda: Edge("x", 1, "sideways"),
        lambda: Edge("x", float("nan")),
        lambda: Edge("x", 1, hysteresis=-1),
        lambda: At(float("inf")),
        lambda: At(0, every_s=0),
    ],
)
def test_triggers_are_checked_when_made(make):
    with pytest.raises(SettingsError):
        make()
