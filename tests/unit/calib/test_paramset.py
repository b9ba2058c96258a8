"""Looking up, filtering, renaming and showing sets; equality by content."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from xcaliper.calib.paramset import (
    AxisKind,
    Entry,
    EntryKind,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
    same_values,
)
from xcaliper.core.errors import NotFoundError, UsageError

A = Entry("Idle.speed[0]", EntryKind.VALUE, 780.0, unit="1/min", functions=("Idle",))
B = Entry(
    "map",
    EntryKind.MAP,
    np.array([[1.0, 2.0], [3.0, np.nan]]),
    (SetAxis(AxisKind.COM, np.array([1, 2]), "ax"), SetAxis(AxisKind.STD, np.array([5, 6]))),
    history=(HistoryEntry("calibrated"), HistoryEntry("", remark=("later",))),
)
C1 = Entry("coded", EntryKind.VALUE, 1, variant=(("Gear", "M"), ("Doors", "3")))
C2 = replace(C1, values=2, variant=(("Gear", "A"), ("Doors", "3")))
SET = ParameterSet(
    [A, B, C1, C2], name="n", origin=Origin(a2l="x.a2l"), criteria=[("Gear", ("M",))]
)


def test_entries_are_found_by_name_and_variant():
    assert SET["map"] is B
    assert SET["coded", C2.variant] is C2
    assert SET.get("coded", {"Doors": "3", "Gear": "A"}) is C2
    assert SET.get("coded") is None
    assert SET.get("nothing") is None
    assert SET.of("coded") == (C1, C2)
    assert SET.names == ("Idle.speed[0]", "map", "coded")
    assert ("coded" in SET, ("coded", C1.variant) in SET, "x" in SET) == (True, True, False)
    with pytest.raises(NotFoundError, match="Did you mean map"):
        SET["maps"]
    with pytest.raises(UsageError, match="2 variants"):
        SET["coded"]
    with pytest.raises(NotFoundError):
        SET["coded", (("Gear", "X"),)]


def test_sets_are_made_from_sets_and_keep_their_head():
    more = SET.with_entries([replace(A, values=1.0), Entry("new", EntryKind.VALUE, 3)])
    assert more.names == (*SET.names, "new")
    assert more[A.name].values == 1.0
    less = SET.without(["coded", ("map", ())])
    assert less.names == (A.name,)
    assert (more.name, less.origin, less.criteria) == ("n", SET.origin, SET.criteria)
    with pytest.raises(NotFoundError):
        SET.without("nothing")
    other = SET.with_head(name="m", comments=["c"])
    assert (other.name, other.comments, other.origin, SET.name) == ("m", ("c",), SET.origin, "n")


def test_renaming_follows_into_axes_and_never_merges_two_entries():
    made = SET.rename({"map": "field", "ax": "axis", "unknown": "x"})
    assert made["field"].axes[0].ref == "axis"
    assert "map" not in made
    with pytest.raises(UsageError, match="map: two entries"):
        SET.rename({A.name: "map"})


def test_filters_all_have_to_be_met():
    def names(**options):
        return SET.filter(**options).names

    assert names(pattern="Idle.speed[?]") == (A.name,)
    assert names(functions=["Idle", "x"]) == (A.name,)
    assert names(kinds=[EntryKind.MAP]) == ("map",)
    assert names(names=["map", "coded"], kinds=[EntryKind.VALUE]) == ("coded",)
    assert names(only=lambda one: one.state == "calibrated") == ("map",)
    assert names(pattern="c*", functions=["Idle"]) == ()


def test_equal_by_content():
    again = replace(B, values=B.values.copy(), where="line 7")
    assert again == B
    assert replace(B, values=np.array([[1.0, 2.0], [3.0, 4.0]])) != B
    assert replace(B, axes=B.axes[:1]) != B
    assert ParameterSet([A]) == ParameterSet([replace(A)])
    assert ParameterSet([A]) != ParameterSet([A], name="x")
    assert ParameterSet([A]) != [A]
    assert B.axes[0] != A


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (float("nan"), float("nan"), True),
        (1, "1", False),
        (np.array([1, 2]), np.array([1.0, 2.0]), True),
        (np.array([np.nan]), np.array([np.nan]), True),
        (np.array([1]), 1, False),
        (1, np.array([1]), False),
        (np.array([1, 2]), np.array([[1, 2]]), False),
        (np.array(["a", np.nan], dtype=object), np.array(["a", np.nan], dtype=object), True),
        (np.array(["a"], dtype=object), np.array([1]), False),
        (np.array(["a"]), np.array(["a"], dtype=object), True),
        (b"1", b"1", True),
        (None, None, True),
    ],
)
def test_same_values(left, right, same):
    assert same_values(left, right) is same


def test_small_facts_of_an_entry():
    assert (A.label, C1.label) == ("Idle.speed[0]", "coded (Gear=M, Doors=3)")
    assert (A.state, B.state) == ("", "calibrated")
    assert (A.shape, B.shape, A.count, B.count) == ((), (2, 2), 1, 4)
    assert Entry("b", EntryKind.BLOB, b"123").count == 3


def test_showing_and_scripts():
    told = json.dumps(SET.as_dict())
    assert '"ref": "ax"' in told
    assert '"1/min"' in told
    assert Entry("b", EntryKind.BLOB, b"\1\2").as_dict()["values"] == "0102"
    page = ParameterSet([replace(A, unit="<x>")])._repr_html_()
    assert "&lt;x&gt;" in page
    assert "2 × 2 values" in SET._repr_html_()
    many = ParameterSet(replace(A, name=f"p{n}") for n in range(250))
    assert "… and 50 more" in many._repr_html_()
    assert repr(SET) == "<ParameterSet 'n', 4 entries>"
