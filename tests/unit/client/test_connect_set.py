"""A set of values as the working data that an ECU is brought together with."""

from __future__ import annotations

import numpy as np
import pytest

from support.calib_ecu import SEGMENTS, CalibEcu, catalog
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.entries import AxisKind, Entry, EntryKind, SetAxis
from xcaliper.calib.paramset import ParameterSet
from xcaliper.client.connect_model import Outcome
from xcaliper.client.connect_set import synchronise_set
from xcaliper.core.errors import PlanError


@pytest.fixture
def calib():
    return Calibrator(catalog(), CalibEcu(), SEGMENTS, clock=lambda: 0)


def worked(**changes) -> ParameterSet:
    """a is 1, the axis 10, 20, 30, 40 in the ECU."""
    made = {
        "a": Entry("a", EntryKind.VALUE, changes.get("a", 1.0), long_name="mine"),
        "ax": Entry("ax", EntryKind.AXIS_PTS, np.array(changes.get("ax", [10, 20, 30, 40]))),
        "t1": Entry("t1", EntryKind.VALUE, changes.get("t1", 7)),
    }
    points = SetAxis(AxisKind.COM, made["ax"].values, ref="ax")
    values = np.array(changes.get("curve", [1, 2, 3, 4]))
    made["curve"] = Entry("curve", EntryKind.CURVE, values, axes=(points,))
    return ParameterSet(made.values(), name="mine")


def together(calib, values, choice, **options):
    return synchronise_set(calib, values, choice, lambda *_: None, "", **options)


def test_the_set_wins_and_what_is_computed_follows(calib):
    done = together(calib, worked(a=50.0), "download")
    assert (done.outcome, done.values) == (Outcome.DOWNLOADED, None)
    assert (calib["a"], calib["sum"], calib["t1"]) == (50, 55, 7)
    assert calib["curve"].values.tolist() == [1, 2, 3, 4]
    assert together(calib, worked(a=50.0), "offline").outcome is Outcome.EQUAL
    assert [one.label for one in done.segments] == ["segment 0 (maps)", "segment 1 (twin)"]


def test_the_ecu_wins_and_points_move_under_tables(calib):
    given = worked(a=50.0, ax=[10, 20, 30, 50])
    sides = {"a": "ecu", "ax": "ecu", "t1": "data", "curve": "data"}
    with pytest.raises(PlanError, match="curve: axis differs"):
        together(calib, given, sides)  # its values are for other points
    calib["curve"] = [1, 2, 3, 4]
    done = together(calib, given, sides)
    found = done.values
    assert (found["a"].values, found["a"].long_name) == (1, "mine")
    assert found["ax"].values.tolist() == [10, 20, 30, 40]
    assert found["curve"].axes[0].values.tolist() == [10, 20, 30, 40]
    assert found["curve"].values.tolist() == [1, 2, 3, 4]
    assert found["t1"] == given["t1"]
    assert found.name == "mine"
    assert done.kept == ("a", "ax")
    assert together(calib, found, "offline").outcome is Outcome.EQUAL


def test_what_the_ecu_cannot_take(calib):
    given = worked(a=5000.0)
    with pytest.raises(PlanError, match="a: outside limits") as caught:
        together(calib, given, "download")
    assert "partial=True" in caught.value.hint
    assert calib["t1"] != 7
    done = together(calib, given, "download", partial=True)
    assert "Left out: a: outside limits" in done.note
    assert (calib["a"], calib["t1"]) == (1, 7)
    done = together(calib, given, {"a": "data"}, partial=True)
    assert (done.outcome, done.transaction) == (Outcome.DECIDED, None)
    outside = ParameterSet([Entry("p", EntryKind.VALUE, 9)])  # in memory without pages
    done = together(calib, outside, "download")
    assert (calib["p"], done.segments[-1].label) == (9, "memory outside of the segments")
