"""Sets into memory: one outcome per entry, axes before tables, whole elements, nothing skipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.parameters import Bench
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.extract import extract
from xcaliper.calib.outcomes import Outcome
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis
from xcaliper.core.errors import LinkError, NotFoundError

VALUE, BLOCK, CURVE, MAP, AXIS = (
    EntryKind.VALUE,
    EntryKind.VAL_BLK,
    EntryKind.CURVE,
    EntryKind.MAP,
    EntryKind.AXIS_PTS,
)
COM = AxisKind.COM


@pytest.fixture
def bench():
    return Bench()


def plan(bench, *entries, **options):
    return plan_apply(ParameterSet(entries), bench.catalog, bench.read, **options)


def one(bench, *entries, **options):
    """The outcome of the last entry."""
    return plan(bench, *entries, **options).outcomes[-1]


def array(*values):
    return np.array(values)


def curve(values, points, **more):
    axis = SetAxis(COM, None if points is None else array(*points), "ax")
    return Entry("curve", CURVE, array(*values), (axis,), **more)


def test_a_set_of_memory_changes_nothing_and_comes_back_whole(bench):
    saved = extract(bench.catalog, bench.read, on_problem=bench.tell)
    before = bench.whole()
    same = plan_apply(saved, bench.catalog, bench.read)
    assert set(same.counts()) == {Outcome.UNCHANGED}
    assert (same.writes, same.size_bytes, same.is_complete) == ((), 0, True)
    bench.memory.view(bench.catalog.bind("speed").address, 0xA0)[:] = bytes(0xA0)
    bench.memory.write(bench.catalog.bind("gear").address, b"\1")
    back = plan_apply(saved, bench.catalog, bench.read)
    assert back.refused == tuple(o for o in back.outcomes if o.name == "locked")
    bench.write(back.writes)
    now = bench.whole()
    # bits beside a mask, what is read only, and a point behind those in use are in no set
    assert [n for n in range(len(now)) if now[n] != before[n]] == [0x09, 0x90, 0x97]


def test_the_number_of_points_in_use_comes_with_the_set(bench):
    found = plan(bench, Entry("counted", AXIS, array(4, 5, 7)))
    assert [(a.value, d.hex()) for a, d in found.writes] == [(0x194, "03"), (0x197, "07")]
    assert found.outcomes[0].before.tolist() == [4, 5]
    assert found.outcomes[0].after.tolist() == [4, 5, 7]
    assert one(bench, Entry("counted", AXIS, array(1, 2, 3, 4))).outcome == "size differs"
    assert one(bench, Entry("ax", AXIS, array(800, 2000))).outcome == "size differs"


def test_only_what_differs_is_written_in_whole_elements_axes_first(bench):
    made = plan(
        bench,
        Entry("block", BLOCK, array(1, 2, 3, 4, 5, 7)),
        curve([-1, 9, 1], [800, 2000, 4500]),
        Entry("torque", VALUE, 6),
        Entry("speed", VALUE, 790.0, unit="1/min"),
        Entry("ax", AXIS, array(800, 2100, 4500)),
    )
    assert [str(o.outcome) for o in made.outcomes] == ["applied"] * 5
    assert made.outcomes[1].warnings == (
        "axis x has other points in memory; those of ax in the set count",
    )
    assert [(a.value, data.hex()) for a, data in made.writes] == [
        (0x11A, "0852"),  # 21000, the axis first
        (0x100, "dc1e0600"),  # speed and torque touch
        (0x115, "07"),
        (0x122, "0900"),
        (0x168, "0c00"),  # twice the torque
    ]
    assert [(o.name, o.outcome, o.after) for o in made.dependents] == [("twice", "applied", 12)]
    assert made.outcomes[3].before == 780.0
    assert made.outcomes[3].after == 790.0
    assert made.size_bytes == 11


def test_every_reason_to_refuse_has_its_outcome(bench):
    std = (SetAxis(AxisKind.STD, array(1, 2, 3)), SetAxis(AxisKind.STD, array(10, 10)))
    table = array([1, 2, 3], [4, 5, 6])
    given = [
        (Entry("nothing", VALUE, 1), "not in A2L"),
        (Entry("rpm", VALUE, 1), "not in A2L"),
        (Entry("pid[7].p", VALUE, 1), "not in A2L"),
        (Entry("speed", VALUE, 1, variant=(("Gear", "Manual"),)), "not in A2L"),
        (Entry("coded", VALUE, 1, variant=(("Gear", "Reverse"),)), "not in A2L"),
        (Entry("speed", BLOCK, array(1, 2)), "type differs"),
        (Entry("torque", VALUE, "five"), "type differs"),
        (Entry("label", EntryKind.ASCII, 5), "type differs"),
        (Entry("label", EntryKind.ASCII, "日本"), "type differs"),
        (Entry("factor", VALUE, b"1"), "type differs"),
        (Entry("curve", CURVE, array(1, 2, 3), std), "type differs"),
        (Entry("block", BLOCK, array(1, 2, 3)), "size differs"),
        (Entry("modes", BLOCK, array([1, 2])), "size differs"),
        (Entry("label", EntryKind.ASCII, "too long", variant=()), None),
        (Entry("blob", EntryKind.BLOB, b"123"), "size differs"),
        (Entry("mode", VALUE, "sideways"), "outside limits"),
        (Entry("fixed", CURVE, array(1, 2, 300)), "outside limits"),
        (Entry("ax", AXIS, array(800, 2000, 6001)), "outside limits"),
        (Entry("map", MAP, table, std), "axis not monotonic"),
        (Entry("locked", VALUE, 1), "read only"),
        (Entry("virtual", VALUE, 1), "read only"),
        (Entry("twice", VALUE, 3), "read only"),
        (Entry("gone", VALUE, 1), "not usable"),
    ]
    for entry, outcome in given:
        found = one(bench, entry)
        assert found.outcome == (outcome or "size differs"), (entry.name, found)
        assert found.text
        assert not found.writes
        assert found.line().startswith(entry.name)
    made = plan(bench, Entry("torque", VALUE, 6), *(entry for entry, _ in given))
    assert len(made.outcomes) == len({e.key for e, _ in given} | {("torque", ())})
    assert not made.is_complete


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9, -1, 2**80, -(2**70)])
def test_numbers_that_no_parameter_holds_are_outside_limits(bench, value):
    for name in ("speed", "torque", "mode", "flag"):
        found = one(bench, Entry(name, VALUE, value))
        assert (found.outcome, found.writes) == ("outside limits", ()), name
    kind = object if isinstance(value, int) else float
    found = one(bench, Entry("ax", AXIS, np.array([800, 2000, value], dtype=kind)))
    assert found.outcome in ("outside limits", "axis not monotonic")


def test_axes_have_to_rise_after_rounding_too(bench):
    falling = one(bench, Entry("ax", AXIS, array(800, 4500, 2000)))
    assert falling.outcome == "axis not monotonic"
    close = one(bench, Entry("ax", AXIS, array(800, 800.04, 2000)))
    assert (close.outcome, close.text) == (
        "axis not monotonic",
        "the points break STRICT_INCREASE",
    )


def test_rounding_and_clamping_are_said_never_silent(bench):
    found = one(bench, Entry("speed", VALUE, 780.04))
    assert (found.outcome, found.after, found.writes) == ("rounded", 780.0, ())
    assert one(bench, Entry("block", BLOCK, array(1, 2.4, 3, 4, 5, 6))).text == "1 values rounded"
    assert one(bench, Entry("ax", AXIS, array(800, 2000.02, 4500))).outcome == "rounded"
    assert one(bench, Entry("torque", VALUE, 7.0, is_raw=True)).outcome == "applied"
    assert one(bench, Entry("torque", VALUE, 7.5, is_raw=True)).outcome == "rounded"
    found = one(bench, Entry("speed", VALUE, 1200.0), clamp=True)
    assert (found.outcome, found.after) == ("clamped", 1000.0)
    found = one(bench, Entry("ax", AXIS, array(800, 2000, 9000)), clamp=True)
    assert (found.outcome, found.after.tolist()) == ("clamped", [800, 2000, 6000])
    assert one(bench, Entry("speed", VALUE, float("nan")), clamp=True).outcome == "outside limits"
    far = (SetAxis(AxisKind.STD, array(1, 2, 60)), SetAxis(AxisKind.STD, None))
    table = array([1, 2, 3], [4, 5, 6])
    assert one(bench, Entry("map", MAP, table, far)).outcome == "outside limits"
    assert one(bench, Entry("map", MAP, table, far), clamp=True).outcome == "clamped"


def test_a_shared_axis_with_other_points_is_never_passed_over(bench):
    other = curve([-10, 0, 10], [800, 2000, 6000])
    found = one(bench, other)
    assert (found.outcome, found.text) == ("axis differs", "axis x has other points in memory")
    kept = one(bench, other, on_axis="keep")
    assert (kept.outcome, kept.after.tolist()) == ("applied", [-10, 0, 10])
    assert kept.warnings == ("axis x has other points in memory; values are taken for those",)
    moved = one(bench, other, on_axis="interpolate")
    assert moved.after.tolist() == [-10, 0, 6]  # at 4500, between 0 at 2000 and 10 at 6000
    assert moved.outcome == "rounded"
    refused = one(bench, Entry("ax", AXIS, array(800, 2000, 7000)), other)
    assert refused.outcome == "axis differs"  # its axis is in the set, but was not taken
    fewer = curve([0, 10], [800, 4500])
    assert one(bench, fewer).outcome == "size differs"
    assert one(bench, fewer, on_axis="keep").outcome == "size differs"
    assert one(bench, fewer, on_axis="interpolate").after.tolist() == [0, 3, 10]
    assert one(bench, curve([0, 10, 20], None)).outcome == "applied"
    printed = curve([0, 10, 20], [800.04, 2000, 4500])
    assert one(bench, printed).outcome == "applied"  # the same raw points
    fixed = Entry("fixed", CURVE, array(1, 2, 3), (SetAxis(AxisKind.FIX, array(0, 5, 11)),))
    assert one(bench, fixed).outcome == "axis differs"


def test_a_table_is_taken_or_left_with_its_own_axes(bench):
    axes = (SetAxis(AxisKind.STD, array(1, 2, 4)), SetAxis(AxisKind.STD, array(10, 25)))
    made = plan(bench, Entry("map", MAP, array([9, 2, 3], [4, 5, 6]), axes))
    assert [(a.value, d.hex()) for a, d in made.writes] == [(0x12A, "04"), (0x12C, "1909")]
    bad = one(bench, Entry("map", MAP, array([999, 2, 3], [4, 5, 6]), axes))
    assert (bad.outcome, bad.writes) == ("outside limits", ())
    short = (SetAxis(AxisKind.STD, array(1, 2)), SetAxis(AxisKind.STD, array(10, 25)))
    assert (
        one(bench, Entry("map", MAP, array([9, 2, 3], [4, 5, 6]), short)).outcome == "size differs"
    )


def test_texts_bits_pairs_and_bytes(bench):
    made = plan(
        bench,
        Entry("label", VALUE, "REV D"),
        Entry("mode", VALUE, "auto"),
        Entry("modes", BLOCK, np.array(["on", "off"], dtype=object)),
        Entry("flag", VALUE, 0),
        Entry("rx", AXIS, array([10, 0], [31, 100])),
        Entry("blob", EntryKind.BLOB, b"\xde\xad\xbe\xee"),
        Entry("pid[1].i", VALUE, 23),
        Entry("cube", EntryKind.CUBOID, np.arange(2, 10).reshape(2, 2, 2)),
    )
    assert {str(o.outcome) for o in made.outcomes} == {"applied"}
    bench.write(made.writes)
    assert bench.whole()[0x08:0x10] == bytes([2, 0x25]) + b"REV D\0"
    assert bench.whole()[0x48:0x52] == bytes([2, 3, 4, 5, 6, 7, 8, 9, 1, 0])[:8] + bytes([1, 0])
    assert bench.whole()[0x54:0x58] == bytes([10, 0, 31, 100])
    assert bench.whole()[0x60:0x64] == b"\xde\xad\xbe\xee"
    assert bench.whole()[0x73] == 23


def test_variants_go_to_their_places(bench):
    manual, automatic = (("Gear", "Manual"),), (("Gear", "Automatic"),)
    made = plan(
        bench,
        Entry("coded", VALUE, 42, variant=manual),
        Entry("coded", VALUE, 43, variant=automatic),
        Entry("cx", AXIS, array(3, 5), variant=automatic),
        replace(curve([60, 62], [3, 5]), name="ccurve", variant=automatic),
    )
    assert [(a.value, d.hex()) for a, d in made.writes] == [
        (0x185, "05"),
        (0x180, "2a2b"),
        (0x189, "3e"),
    ]
    active = plan(bench, Entry("coded", VALUE, 44))  # memory says Automatic
    assert active.writes[0][0].value == 0x181
    chosen = plan(bench, Entry("coded", VALUE, 44), variants={"Gear": "Manual"})
    assert chosen.writes[0][0].value == 0x180
    with pytest.raises(NotFoundError):
        plan(bench, Entry("coded", VALUE, 44), variants={"Doors": "3"})
    bench.memory.write(bench.catalog.bind("gear").address, b"\x09")
    lost = one(bench, Entry("coded", VALUE, 44))
    assert lost.outcome == "not usable"


def test_an_entry_of_what_is_computed_is_right_or_read_only(bench):
    made = plan(bench, Entry("twice", VALUE, 12), Entry("torque", VALUE, 6))
    assert [o.outcome for o in made.outcomes] == ["applied", "applied"]
    assert made.dependents == ()
    wrong = plan(bench, Entry("twice", VALUE, 11), Entry("torque", VALUE, 6))
    assert [o.outcome for o in wrong.outcomes] == ["read only", "applied"]
    assert wrong.writes == made.writes
    assert "torque" in wrong.outcomes[0].text
    much = plan(bench, Entry("torque", VALUE, 201))
    assert [o.outcome for o in much.dependents] == ["outside limits"]
    assert not much.is_complete


def test_raw_sets_go_back_as_they_came(bench):
    raw = extract(bench.catalog, bench.read, on_problem=bench.tell, raw=True)
    assert set(plan_apply(raw, bench.catalog, bench.read).counts()) == {Outcome.UNCHANGED}
    before = bench.whole()
    bench.memory.view(bench.catalog.bind("speed").address, 0x74)[:] = bytes(0x74)
    back = plan_apply(raw, bench.catalog, bench.read)
    bench.write(back.writes)
    assert [n for n in range(0x100) if bench.whole()[n] != before[n]] == [0x09]
    assert one(bench, Entry("speed", VALUE, 70000, is_raw=True)).outcome == "outside limits"
    assert one(bench, Entry("speed", VALUE, 60000, is_raw=True)).after == 60000


def test_units_that_differ_are_told(bench):
    found = one(bench, Entry("speed", VALUE, 700.0, unit="rad/s"))
    assert found.outcome == "applied"
    assert found.warnings == ("unit rad/s in the set, 1/min in the description",)


def test_each_place_is_read_once_and_a_dead_link_ends_the_work(bench):
    plan(bench, Entry("torque", VALUE, 6), Entry("speed", VALUE, 1.0))
    assert len(bench.reads) == len(set(bench.reads))

    def dead(address, size):
        raise LinkError("link: it is gone.")

    with pytest.raises(LinkError):
        plan_apply(ParameterSet([Entry("torque", VALUE, 6)]), bench.catalog, dead)


def test_report_tells_numbers_and_everything_worth_telling(bench):
    made = plan(
        bench, Entry("speed", VALUE, 780.0), Entry("torque", VALUE, 6), Entry("x", VALUE, 1)
    )
    assert made.report() == (
        "x: not in A2L (no such parameter)\ntwice: applied (computed)\n"
        "1 applied, 1 unchanged, 1 not in A2L, 1 computed from them; 4 bytes to write"
    )
    assert "speed: unchanged" in made.report(every=True)
    assert made.as_dict()["counts"] == {"applied": 1, "unchanged": 1, "not in A2L": 1}
    assert "not in A2L" in made._repr_html_()
    assert [o.name for o in made.changed] == ["torque", "twice"]
