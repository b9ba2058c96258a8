"""Tables on other axes, parameters by function and group, numbers about sets."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from support.parameters import described
from xcaliper.calib.interpolate import interpolate, resample
from xcaliper.calib.paramset import (
    AxisKind,
    Entry,
    EntryKind,
    HistoryEntry,
    ParameterSet,
    SetAxis,
)
from xcaliper.calib.select import (
    copy_entries,
    functions_of,
    known_functions,
    names_of_function,
    names_of_group,
)
from xcaliper.calib.statistics import entry_statistics, set_statistics
from xcaliper.core.errors import NotFoundError, UsageError


def table(values, *points):
    kind = (EntryKind.CURVE, EntryKind.MAP)[len(points) - 1]
    axes = tuple(SetAxis(AxisKind.STD, np.array(one), unit="V") for one in points)
    return Entry("t", kind, np.array(values), axes)


def test_linear_between_points_and_constant_beyond():
    made = interpolate(table([0.0, 10.0, 40.0], [1, 2, 4]), [[0, 1, 1.5, 3, 4, 9]])
    assert made.values.tolist() == [0, 0, 5, 25, 40, 40]
    assert made.axes[0].values.tolist() == [0, 1, 1.5, 3, 4, 9]
    assert made.axes[0].unit == "V"


def test_maps_follow_numpy_in_both_directions():
    x, y = np.array([0.0, 1.0, 5.0]), np.array([10.0, 20.0])
    values = np.array([[1.0, 2.0, 4.0], [3.0, -2.0, 8.0]])
    nx, ny = np.array([0.5, 3.0]), np.array([10.0, 12.0, 25.0])
    made = interpolate(table(values, x, y), [nx, ny]).values
    rows = np.array([np.interp(nx, x, row) for row in values])
    expected = np.array([np.interp(ny, y, column) for column in rows.T]).T
    assert np.allclose(made, expected, rtol=1e-15)
    assert interpolate(table(values, x, y), [None, [20]]).values.tolist() == [[3, -2, 8]]


def test_falling_axes_equal_points_and_single_ones():
    assert interpolate(table([4.0, 2.0], [2, 1]), [[1, 1.5, 2]]).values.tolist() == [2, 3, 4]
    step = table([1.0, 2.0, 3.0], [0, 1, 1])
    assert interpolate(step, [[0.5, 1, 2]]).values.tolist() == [1.5, 3, 3]
    assert interpolate(table([7.0], [3]), [[0, 9]]).values.tolist() == [7, 7]
    ends = interpolate(table([-np.inf, 0.0], [0, 1]), [[0, 1]])
    assert ends.values.tolist() == [-np.inf, 0]


def test_what_cannot_be_interpolated_is_refused():
    texts = np.array(["a", "b"], dtype=object)
    good = table([1.0, 2.0], [1, 2])
    with pytest.raises(UsageError, match="texts"):
        interpolate(replace(good, values=texts), [[1]])
    with pytest.raises(UsageError, match="texts"):
        interpolate(good, [texts])
    with pytest.raises(UsageError, match="neither rise nor fall"):
        interpolate(table([1.0, 2.0, 3.0], [1, 3, 2]), [[1]])
    with pytest.raises(UsageError, match="1 axes are needed, 2 given"):
        interpolate(good, [[1], [2]])
    with pytest.raises(UsageError, match="no axes"):
        interpolate(Entry("s", EntryKind.VALUE, 1), [])
    with pytest.raises(UsageError, match="not known"):
        interpolate(replace(good, axes=(SetAxis(AxisKind.COM, None, "a"),)), [[1]])
    with pytest.raises(UsageError, match="no number"):
        interpolate(good, [[np.nan]])
    with pytest.raises(UsageError, match="2 points are needed"):
        resample(np.ones(2), np.ones(3), np.ones(1), dimension=0)
    with pytest.raises(UsageError, match="no points"):
        interpolate(good, [[]])


def test_names_by_function_and_group_end_in_circles_and_open_instances():
    catalog = described()
    assert names_of_function(catalog, "Idle") == ("torque", "speed", "map")
    assert names_of_function(catalog, "Idle", deep=False) == ("torque", "speed")
    assert names_of_function(catalog, "Inner") == ("map", "torque")  # it defines nothing
    pid = tuple(f"pid[{n}].{part}" for n in (0, 1) for part in "pi")
    assert names_of_group(catalog, "All") == ("block", *pid, "map", "torque")
    assert names_of_group(catalog, "All", deep=False) == ()
    with pytest.raises(NotFoundError, match="Did you mean Idle"):
        names_of_function(catalog, "Idl")
    with pytest.raises(NotFoundError):
        names_of_group(catalog, "Missing")
    find = functions_of(catalog)
    assert (find("speed"), find("torque"), find("map"), find("ax")) == (
        ("Idle",),
        ("Idle",),
        ("Inner",),
        (),
    )
    assert known_functions(catalog)[0].version == "1.2"


NESTED = """
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin TYPEDEF_CHARACTERISTIC GAIN "" VALUE U8 0 NO_COMPU_METHOD 0 255 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_MEASUREMENT SEEN "" UBYTE NO_COMPU_METHOD 0 0 0 255 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_STRUCTURE PID "" 2
  /begin STRUCTURE_COMPONENT p GAIN 0 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT i GAIN 1 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin TYPEDEF_STRUCTURE AXLE "" 8
  /begin STRUCTURE_COMPONENT gain PID 0 MATRIX_DIM 2 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT top GAIN 4 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT now SEEN 5 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT gains GAIN 6 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE axle "" AXLE 0x100 MATRIX_DIM 2 /end INSTANCE
/begin FUNCTION Front "" /begin DEF_CHARACTERISTIC axle[0] /end DEF_CHARACTERISTIC /end FUNCTION
/begin FUNCTION Rear "" /begin DEF_CHARACTERISTIC axle[1].gain /end DEF_CHARACTERISTIC
  /begin REF_CHARACTERISTIC axle[1].top /end REF_CHARACTERISTIC /end FUNCTION
/begin FUNCTION Left "" /begin REF_CHARACTERISTIC axle[1].gain[0] axle[0].top /end REF_CHARACTERISTIC
  /end FUNCTION
/begin FUNCTION Every "" /begin DEF_CHARACTERISTIC axle axle[0].none /end DEF_CHARACTERISTIC
  /end FUNCTION
"""


def test_functions_name_structures_inside_of_instances():
    catalog = described(NESTED)
    front = tuple(f"axle[0].{one}" for one in ("gain[0].p", "gain[0].i", "gain[1].p", "gain[1].i"))
    front = (*front, "axle[0].top", "axle[0].gains")
    assert names_of_function(catalog, "Front") == front
    rear = tuple(f"axle[1].gain[{n}].{one}" for n in (0, 1) for one in "pi")
    assert names_of_function(catalog, "Rear") == rear
    assert names_of_function(catalog, "Left") == (*rear[:2], "axle[0].top")
    every = names_of_function(catalog, "Every")
    assert len(every) == 13
    assert every[-1] == "axle[0].none"  # there is none; whoever takes it is told
    find = functions_of(catalog)
    assert find("axle[0].gain[1].p") == ("Front",)
    assert find("axle[1].gain[0].i") == ("Rear",)  # it defines the structure nearest to it
    assert find("axle[1].gain[1].i") == ("Rear",)
    assert find("axle[1].top") == ("Every",)  # to define is more than to refer
    assert find("axle[1].gains") == ("Every",)


def test_copies_take_every_variant_and_shared_axes_when_asked():
    coded = [Entry("v", EntryKind.VALUE, n, variant=(("G", str(n)),)) for n in (1, 2)]
    axis = Entry("ax", EntryKind.AXIS_PTS, np.array([1, 2]))
    curve = replace(table([1, 2], [1, 2]), axes=(SetAxis(AxisKind.COM, None, "ax"),))
    source = ParameterSet([*coded, axis, curve, Entry("other", EntryKind.VALUE, 5)])
    target = ParameterSet([Entry("other", EntryKind.VALUE, 6)], name="target")
    made = copy_entries(source, target, ["v", "t", "missing"])
    assert [one.label for one in made] == ["other", "v (G=1)", "v (G=2)", "t"]
    assert (made["other"].values, made.name) == (6, "target")
    assert "ax" in copy_entries(source, target, ["t"], axes=True)


def test_numbers_about_entries():
    found = entry_statistics(table([1.0, np.nan, 3.0, 3.0], [1, 2, 3, 4]))
    assert (found.count, found.invalid, found.smallest, found.largest) == (4, 1, 1, 3)
    assert found.mean == pytest.approx(7 / 3)
    assert found.distinct == 2
    texts = entry_statistics(Entry("m", EntryKind.VALUE, "on"))
    assert (texts.count, texts.invalid, texts.distinct) == (1, 1, 1)
    assert texts.as_dict()["mean"] is None
    assert entry_statistics(Entry("b", EntryKind.BLOB, b"\1\5")).largest == 5


def test_numbers_about_sets():
    done = (HistoryEntry("calibrated"),)
    new = ParameterSet(
        [
            Entry("a", EntryKind.VALUE, 2, functions=("F",), history=done),
            Entry("b", EntryKind.VALUE, 1, functions=("F", "G")),
            table([1, 2, 4], [1, 2, 3]),
        ]
    )
    old = ParameterSet([Entry("a", EntryKind.VALUE, 1), table([1, 3, 5], [1, 2, 3])])
    found = set_statistics(new, old.with_entries([Entry("z", EntryKind.VALUE, 1)]))
    assert (found.entries, found.values) == (3, 5)
    assert found.kinds == {"VALUE": 2, "CURVE": 1}
    assert found.states == {"": 2, "calibrated": 1}
    assert found.functions == {"F": {"calibrated": 1, "": 1}, "G": {"": 1}, "": {"": 1}}
    assert (found.changed, found.changed_values, found.added, found.removed) == (2, 3, 1, 1)
    assert "maturity: 2 unknown, 1 calibrated" in found.text()
    assert json.dumps(found.as_dict())
    assert set_statistics(new).changed is None
