"""Parameter sets that have everything a set can have."""

from __future__ import annotations

import numpy as np

from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
)

COM = SetAxis(AxisKind.COM, None, ref="AxN", quantity="n")
STD = SetAxis(AxisKind.STD, np.array([10, 80]), unit="%")
CHANGE = HistoryEntry(
    "changed",
    "2026-02-03",
    "jd",
    "P",
    "W",
    "O",
    "V",
    "EPK",
    "D",
    ("one", "two"),
    (("a\n\"b'", "c"),),
)


def rich() -> ParameterSet:
    """One entry of every kind, with everything an entry can have."""
    return ParameterSet(
        [
            Entry(
                "Idle",
                EntryKind.VALUE,
                780,
                unit="1/min",
                long_name='less < "more" & all',
                display_name="n",
                functions=("F1", "F2"),
                history=(CHANGE, HistoryEntry()),
                flags=(Flag("review", "true", "mk", "2026", ("why",)), Flag()),
            ),
            Entry("Enable", EntryKind.VALUE, 0, category="BOOLEAN"),
            Entry("Mode", EntryKind.VALUE, "heat up"),
            Entry("Dep", EntryKind.VALUE, np.float64(0.1), category="DEPENDENT_VALUE"),
            Entry("Label", EntryKind.ASCII, " two\r\nlines\t& <tag> "),
            Entry("Empty", EntryKind.ASCII, ""),
            Entry("Block", EntryKind.VAL_BLK, np.arange(6, dtype=np.uint8).reshape(2, 3)),
            Entry("Row", EntryKind.VAL_BLK, np.array([[1, 2, 3]])),
            Entry("Column", EntryKind.VAL_BLK, np.array([[1], [2]])),
            Entry("Line", EntryKind.VAL_BLK, np.array([0.1, -0.0, 1e300, 5e-324])),
            Entry("Single", EntryKind.VAL_BLK, np.array([np.float32(0.1)])),
            Entry("AxN", EntryKind.AXIS_PTS, np.array([1, 2, 3]), unit="1/min"),
            Entry("Res", EntryKind.AXIS_PTS, np.array([[1, 2], [3, 4]]), category="RES_AXIS"),
            Entry("OneRes", EntryKind.AXIS_PTS, np.array([[1, 2]]), category="RES_AXIS"),
            Entry("Curve", EntryKind.CURVE, np.array(["a", 1.5, "b"], dtype=object), axes=(COM,)),
            Entry(
                "ForAxis",
                EntryKind.CURVE,
                np.array([1.5, 2.5]),
                axes=(SetAxis(AxisKind.FIX, np.array(["lo", "hi"], dtype=object)),),
                category="CURVE_AXIS",
            ),
            Entry(
                "Map",
                EntryKind.MAP,
                np.array([[8, 14.5, np.nan], [np.inf, -np.inf, 9.25]]),
                axes=(COM, STD),
            ),
            Entry("Gear", EntryKind.VALUE, 5, variant=(("Car", "A"), ("Box", "M"))),
            Entry("Gear", EntryKind.VALUE, 6, variant=(("Car", "B"), ("Box", "M"))),
            Entry("Big", EntryKind.VALUE, 2**64 - 1),
        ],
        name="winter",
        origin=Origin("m.a2l", "EPK_1", "m.hex", 'Tool "1"', "2026-02-03T04:05:06", "jö"),
        functions=[
            CollectionInfo("F1", "1.2", "first", history=(CHANGE,)),
            CollectionInfo("mine", is_collection=True, version="3"),
        ],
        criteria=[("Car", ("A", "B", "C")), ("Box", ("M",))],
        comments=["  first", "second & last"],
    )


def later() -> ParameterSet:
    cube = np.arange(24.0).reshape(2, 3, 4)
    axes = tuple(SetAxis(AxisKind.STD, np.arange(n)) for n in (4, 3, 2))
    return ParameterSet(
        [
            Entry("Cube", EntryKind.CUBOID, cube, axes=axes),
            Entry("Four", EntryKind.CUBE_4, cube.reshape(2, 1, 3, 4)),
            Entry("Five", EntryKind.CUBE_5, cube.reshape(2, 1, 3, 1, 4)),
            Entry("Bytes", EntryKind.BLOB, bytes(range(256))),
        ],
        name="cubes",
    )


def assert_same(left: ParameterSet, right: ParameterSet) -> None:
    assert list(left) == list(right)
    for name in ("name", "origin", "functions", "criteria", "comments"):
        assert getattr(left, name) == getattr(right, name), name
