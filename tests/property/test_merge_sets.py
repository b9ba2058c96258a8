"""Merging never loses a change of one side; conflicts are exactly what both changed, differently."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.calib.compare import compare
from xcaliper.calib.merge import merge
from xcaliper.calib.paramset import (
    AxisKind,
    Entry,
    EntryKind,
    HistoryEntry,
    ParameterSet,
    SetAxis,
)

NAMES = ("a", "b", "c", "d")
NUMBERS = st.sampled_from([0.0, 1.0, 2.5, float("nan"), float("inf")])
SCALARS = st.one_of(NUMBERS, st.sampled_from([1, 2**63, "on", "off"]))
TABLES = st.lists(NUMBERS, min_size=2, max_size=3).map(np.array)


@st.composite
def entries(draw, name):
    variant = (("G", draw(st.sampled_from("MA"))),) if name == "d" else ()
    history = tuple(HistoryEntry(date=d) for d in draw(st.lists(st.sampled_from("12"), max_size=2)))
    more = {"variant": variant, "history": history, "unit": draw(st.sampled_from(["", "V"]))}
    if draw(st.booleans()):
        return Entry(name, EntryKind.VALUE, draw(SCALARS), **more)
    values = draw(TABLES)
    axis = SetAxis(AxisKind.STD, np.arange(len(values)) + draw(st.integers(0, 1)))
    return Entry(name, EntryKind.CURVE, values, (axis,), **more)


@st.composite
def sets(draw):
    chosen = [name for name in NAMES if draw(st.booleans())]
    return ParameterSet([draw(entries(name)) for name in chosen])


@st.composite
def histories(draw):
    """A set and two that came from it, as two people would change it."""
    base = draw(sets())
    return base, draw(changed(base)), draw(changed(base))


@st.composite
def changed(draw, base):
    kept = [one for one in base if draw(st.integers(0, 5))]
    return ParameterSet(
        [draw(entries(one.name)) if not draw(st.integers(0, 2)) else one for one in kept]
    ).with_entries(draw(sets()) if draw(st.booleans()) else [])


def data(entry):
    """What counts as one: the entry without its history, None where it is not there."""
    return None if entry is None else replace(entry, history=())


@given(histories())
@settings(max_examples=150, deadline=None)
def test_conflicts_are_what_both_changed_and_nothing_of_one_side_is_lost(three):
    base, mine, theirs = three
    made = merge(base, mine, theirs)
    conflicts = {one.key: one for one in made.conflicts}
    for key in {*base.keys, *mine.keys, *theirs.keys}:
        b, m, t = (data(side.get(*key)) for side in three)
        lines = (side.get(*key).history if side.get(*key) else None for side in three)
        both = m != b and t != b and m != t
        gone = (m is None) != (t is None) and b is not None
        old, own, other = lines
        if gone and old not in (own, other) and not both:
            assert key in conflicts  # one removed what the other wrote a line about
            continue
        assert (key in conflicts) == both, key
        found = made.set.get(*key)
        if not both:
            expected = m if t == b else t
            assert data(found) == expected
        else:
            assert (conflicts[key].mine, conflicts[key].theirs) == (
                mine.get(*key),
                theirs.get(*key),
            )
        if None not in (own, other) and found is not None:
            for line in {*own, *other}:
                added = line not in (old or ())
                assert not added or line in found.history


@given(histories())
@settings(max_examples=60, deadline=None)
def test_sides_are_alike_and_decisions_end_conflicts(three):
    base, mine, theirs = three
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert {c.key for c in one.conflicts} == {c.key for c in other.conflicts}
    assert compare(one.resolve("mine").set, other.resolve("theirs").set).is_equal
    assert merge(base, base, theirs).set.by_key == theirs.by_key
    assert merge(base, mine, base).set.by_key == mine.by_key
    assert merge(base, mine, mine).is_clean


@given(histories())
@settings(max_examples=60, deadline=None)
def test_single_values_merge_with_conflicts_only_where_both_differ(three):
    base, mine, theirs = three
    made = merge(base, mine, theirs, cells=True)
    whole = {one.key for one in merge(base, mine, theirs).conflicts}
    assert {one.key for one in made.conflicts} <= whole
    for one in made.conflicts:
        for cell in map(tuple, one.cells.tolist() if one.cells is not None else ()):
            three_values = {repr(side.get(*one.key).values[cell]) for side in three}
            assert len(three_values) == 3
