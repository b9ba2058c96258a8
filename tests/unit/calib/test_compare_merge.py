"""Differences of two sets with tolerances; merging what two sides changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from xcaliper.calib.compare import compare
from xcaliper.calib.merge import merge
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import NotFoundError, UsageError


def scalar(name="a", value=1.0, **more):
    return Entry(name, EntryKind.VALUE, value, **more)


def curve(values, points=(1, 2, 3), **more):
    axis = SetAxis(AxisKind.STD, None if points is None else np.array(points))
    return Entry("c", EntryKind.CURVE, np.array(values), (axis,), **more)


def reasons(left, right, **near):
    found = compare(ParameterSet([left]), ParameterSet([right]), **near)
    return found.changed[0].reasons if found.changed else ()


def test_what_is_different_and_where():
    left = ParameterSet([scalar(), curve([1.0, 2.0, 3.0]), scalar("gone"), scalar("t", "on")])
    right = ParameterSet(
        [scalar("t", "off"), curve([1.0, 2.5, 7.0]), scalar(), scalar("new", unit="V")]
    )
    found = compare(left, right)
    assert (found.left_only, found.right_only, found.equal) == ((("gone", ()),), (("new", ()),), 1)
    assert found.names == ("c", "t")
    (cells, _) = found.changed
    assert (cells.cells.tolist(), cells.largest) == ([[1], [2]], 4.0)
    assert found.text() == (
        "~ c: 2 of 3 values, by up to 4\n~ t: 'on' → 'off'\n< gone\n> new\n"
        "2 differ, 1 equal, 1 only left, 1 only right"
    )
    assert found.text(limit=1).splitlines()[1] == "… and 3 more"
    assert not found.is_equal
    assert json.dumps(found.as_dict())
    assert compare(left, left).is_equal
    assert compare(left, right, names=["a"]).is_equal


def test_each_reason():
    assert reasons(scalar(), scalar(value=1)) == ()
    assert reasons(scalar(), scalar(value=2.0)) == ("values",)
    assert reasons(scalar(value=float("nan")), scalar(value=float("nan"))) == ()
    assert reasons(scalar(value=float("nan")), scalar()) == ("values",)
    assert reasons(scalar(value="1"), scalar(value=1)) == ("values",)
    assert reasons(scalar(unit="V"), scalar(unit="A")) == ("unit",)
    assert reasons(scalar(unit="V"), scalar()) == ()
    assert reasons(scalar(), scalar(is_raw=True)) == ("form",)
    assert reasons(scalar(), replace(scalar(), kind=EntryKind.ASCII)) == ("kind",)
    assert reasons(curve([1, 2, 3]), curve([1, 2], (1, 2))) == ("shape", "axes")
    assert reasons(curve([1, 2, 3]), curve([1, 2, 3], (1, 2, 4))) == ("axes",)
    assert reasons(curve([1, 2, 3]), curve([1, 2, 3], None)) == ()
    two = replace(curve([1, 2, 3]), axes=curve([1, 2, 3]).axes * 2)
    assert reasons(curve([1, 2, 3]), two) == ("axes",)
    assert reasons(scalar(value=b"1"), scalar(value=b"2")) == ("values",)
    assert reasons(scalar(value=2**70), scalar(value=2**70 + 1)) == ("values",)
    mixed = np.array(["on", 1.0], dtype=object)
    assert reasons(scalar(value=mixed), scalar(value=np.array(["on", 1], dtype=object))) == ()
    assert reasons(scalar(value=mixed), scalar(value=np.array(["off", 2], dtype=object))) == (
        "values",
    )


def test_tolerances():
    assert reasons(scalar(value=100.0), scalar(value=100.9), absolute=1) == ()
    assert reasons(scalar(value=100.0), scalar(value=101.1), absolute=1) == ("values",)
    assert reasons(scalar(value=100.0), scalar(value=100.9), relative=0.01) == ()
    assert reasons(curve([1, 2, 3]), curve([1, 2, 3.01], (1, 2, 3.01)), absolute=0.1) == ()
    assert reasons(curve([np.inf]), curve([-np.inf]), absolute=1, relative=1) == ("values",)
    assert reasons(curve([np.inf]), curve([np.inf]), relative=0.1) == ()
    assert reasons(scalar(value=1), scalar(value=2**2000), relative=0.1) == ("values",)
    for wrong in (-1, float("nan")):
        with pytest.raises(UsageError, match="absolute tolerance"):
            reasons(scalar(), scalar(), absolute=wrong)


def test_variants_match_whatever_the_order_of_their_criteria():
    one = scalar(variant=(("G", "1"), ("D", "2")))
    assert reasons(one, replace(one, variant=(("D", "2"), ("G", "1")))) == ()
    found = compare(ParameterSet([one]), ParameterSet([scalar()]))
    assert (len(found.left_only), len(found.right_only)) == (1, 1)


def test_both_sides_are_kept():
    base = ParameterSet([scalar("a"), scalar("b"), scalar("c"), scalar("d"), scalar("e")])
    mine = base.with_entries([scalar("a", 2.0), scalar("n1")]).without(["d"])
    theirs = base.with_entries([scalar("b", 3.0), scalar("n2"), scalar("c", 9.0)]).without(["e"])
    mine = mine.with_entries([scalar("c", 9.0)])
    made = merge(base, mine, theirs)
    assert made.is_clean
    assert {one.name: one.values for one in made.set} == {
        "a": 2.0, "b": 3.0, "c": 9.0, "n1": 1.0, "n2": 1.0,
    }  # fmt: skip
    assert [k for k, _ in made.from_mine] == ["a", "d", "n1"]
    assert [k for k, _ in made.from_theirs] == ["b", "e", "n2"]
    assert [k for k, _ in made.from_both] == ["c"]


def test_conflicts_wait_for_a_decision():
    base = ParameterSet([scalar("a"), scalar("r"), scalar("x")])
    mine = ParameterSet([scalar("a", 2.0), scalar("new", 1.0), scalar("x", 5.0)])
    theirs = ParameterSet(
        [scalar("a", 3.0), scalar("r", 7.0), scalar("new", 2.0), scalar("x", 6.0)]
    )
    made = merge(base, mine, theirs)
    assert [(c.key[0], c.fields) for c in made.conflicts] == [
        ("a", ("data",)),
        ("r", ("removed",)),
        ("x", ("data",)),
        ("new", ("data",)),
    ]
    assert {one.name: one.values for one in made.set} == {"a": 1.0, "r": 1.0, "x": 1.0}
    assert "a: both changed data (base 1.0, mine 2.0, theirs 3.0)\n" in made.text()
    assert "new: both changed data (mine 1.0, theirs 2.0)" in made.text()
    assert "r: mine removed it, theirs changed it" in made.text()
    assert json.dumps(made.as_dict())
    done = made.resolve({"a": "theirs", ("r", ()): "mine", "new": scalar("new", 9.0)})
    assert [c.key[0] for c in done.conflicts] == ["x"]
    assert {one.name: one.values for one in done.set} == {"a": 3.0, "x": 1.0, "new": 9.0}
    assert made.resolve("mine").is_clean
    assert {one.name: one.values for one in made.resolve("base").set} == {
        "a": 1.0, "r": 1.0, "x": 1.0,
    }  # fmt: skip
    with pytest.raises(NotFoundError, match="no such conflict"):
        made.resolve({"b": "mine"})
    with pytest.raises(UsageError, match="no side"):
        made.resolve("ours")


def test_texts_history_and_flags_of_one_entry_come_from_both_sides():
    old, m, t = (HistoryEntry(state, date) for state, date in (("a", "1"), ("m", "3"), ("t", "2")))
    entry = scalar(history=(old,), flags=(Flag("X"),), long_name="one")
    mine = replace(entry, values=2.0, history=(old, m), flags=())
    theirs = replace(entry, long_name="two", history=(old, t), flags=(Flag("X"), Flag("Y")))
    made = merge(*(ParameterSet([one]) for one in (entry, mine, theirs)))
    assert made.is_clean
    assert made.set["a"] == replace(
        entry, values=2.0, long_name="two", history=(old, t, m), flags=(Flag("Y"),)
    )
    rival = merge(*(ParameterSet([one]) for one in (entry, replace(mine, long_name="3"), theirs)))
    (conflict,) = rival.conflicts
    assert conflict.fields == ("long_name",)
    assert rival.set["a"].values == 2.0  # what nobody disputes is merged already
    assert rival.set["a"].long_name == "one"
    chosen = rival.resolve("theirs").set["a"]
    assert (chosen.values, chosen.long_name, len(chosen.history)) == (2.0, "two", 3)


def test_single_values_merge_only_when_asked_and_only_on_the_same_axes():
    base, mine, theirs = curve([1, 2, 3]), curve([9, 2, 4]), curve([1, 8, 5])
    sets = [ParameterSet([one]) for one in (base, mine, theirs)]
    assert merge(*sets).set["c"].values.tolist() == [1, 2, 3]
    made = merge(*sets, cells=True)
    assert made.set["c"].values.tolist() == [9, 8, 3]
    assert made.conflicts[0].cells.tolist() == [[2]]
    assert made.resolve("theirs").set["c"].values.tolist() == [9, 8, 5]
    sets[2] = ParameterSet([curve([1, 8, 3], (1, 2, 4))])
    assert merge(*sets, cells=True).conflicts[0].cells is None
    clean = [ParameterSet([one]) for one in (base, curve([9, 2, 3]), curve([1, 2, 7]))]
    assert merge(*clean, cells=True).set["c"].values.tolist() == [9, 2, 7]


def test_functions_and_criteria_of_both_sides_are_known():
    base = ParameterSet(criteria=[("G", ("M",))], functions=[CollectionInfo("F", "1")])
    theirs = ParameterSet(
        criteria=[("G", ("A",)), ("D", ("3",))],
        functions=[CollectionInfo("F", "2"), CollectionInfo("H")],
    )
    made = merge(base, base.with_head(name="mine"), theirs).set
    assert made.name == "mine"
    assert made.criteria == {"G": ("M", "A"), "D": ("3",)}
    assert [one.name for one in made.functions] == ["F", "H"]
