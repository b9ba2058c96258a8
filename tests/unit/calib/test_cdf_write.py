"""Written CDF files: valid, and equal in the eyes of a second reader."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from support.parameter_files import latin, problems_of, second_reading
from xcaliper.a2l.parse import parse
from xcaliper.calib.formats.cdf import read_cdf, write_cdf
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
from xcaliper.core.errors import UsageError
from xcaliper.quantity.catalog import Catalog

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


@pytest.mark.parametrize("values", [rich(), later()], ids=["2.0", "2.1"])
def test_a_written_set_is_valid_and_reads_back(values: ParameterSet) -> None:
    data = write_cdf(values)
    assert problems_of(data) == []
    read = read_cdf(data)
    assert read.diagnostics == ()
    assert_same(read.values, values)
    for entry in read.values:
        before = values[entry.name, entry.variant].values
        if isinstance(before, np.ndarray) and before.dtype.kind in "iuf":
            assert entry.values.dtype.kind == before.dtype.kind.replace("u", "i")
        else:
            assert isinstance(entry.values, type(before) if entry.name != "Dep" else float)


def test_the_validator_refuses_a_wrong_order() -> None:
    data = (
        write_cdf(rich()).replace(b"<LABEL>80</LABEL>", b"").replace(b"<V>INF</V>", b"<V/><LABEL/>")
    )
    assert problems_of(data) != []


def test_a_second_reader_sees_the_same() -> None:
    seen = second_reading(write_cdf(rich()))
    assert len(seen) == len(rich())
    assert seen["Idle", ()] == {
        "category": "VALUE",
        "values": [780.0],
        "unit": "1/min",
        "axes": [],
        "states": ["changed", ""],
    }
    assert seen["Enable", ()]["values"] == ["false"]
    assert seen["Gear", ("Car=B", "Box=M")]["values"] == [6.0]
    assert seen["Label", ()]["values"] == [" two\r\nlines\t& <tag> "]
    assert seen["Res", ()]["values"] == [[1, 2], [3, 4]]
    assert seen["Curve", ()]["values"] == ["a", 1.5, "b"]
    assert seen["Curve", ()]["axes"] == [("COM_AXIS", "AxN", None)]
    assert seen["Map", ()]["axes"][1] == ("STD_AXIS", None, [10.0, 80.0])
    for entry in rich():
        if isinstance(entry.values, np.ndarray) and entry.values.dtype.kind in "iuf":
            key = entry.name, tuple(f"{c}={v}" for c, v in entry.variant)
            np.testing.assert_array_equal(np.array(seen[key]["values"]), entry.values)


def test_groups_are_labelled_by_their_axis() -> None:
    text = write_cdf(later()).decode()
    assert "<VG><LABEL>1</LABEL><VG><LABEL>0</LABEL><V>12.0</V>" in text
    assert "<CATEGORY>CDF21</CATEGORY>" in text
    assert (
        "<VG><LABEL>80</LABEL><V>INF</V><V>-INF</V><V>9.25</V></VG>" in write_cdf(rich()).decode()
    )


def test_a_file_that_was_read_stays_as_it_is() -> None:
    for name in ("engine.cdfx", "parts.cdfx"):
        once = write_cdf(read_cdf(latin(name)).values)
        assert write_cdf(read_cdf(once).values) == once
        assert problems_of(once) == []


def test_axes_get_the_category_of_their_use() -> None:
    curve = Entry("C", EntryKind.CURVE, np.array([1]))
    user = Entry("U", EntryKind.CURVE, np.array([1]), axes=(SetAxis(AxisKind.CURVE, None, "C"),))
    pairs = Entry("R", EntryKind.AXIS_PTS, np.array([[1, 2]]))
    seen = second_reading(write_cdf(ParameterSet([curve, user, pairs])))
    assert [one["category"] for one in seen.values()] == ["CURVE_AXIS", "CURVE", "RES_AXIS"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry("X", EntryKind.VALUE, 1, is_raw=True), "X: it holds ECU values"),
        (Entry(" X", EntryKind.VALUE, 1), "blanks around"),
        (Entry("X", EntryKind.ASCII, "a\0"), "XML forbids"),
        (Entry("X", EntryKind.VALUE, 1, variant=(("a", "\x01"),)), "XML forbids"),
        (Entry("X", EntryKind.CURVE, np.array(["\x02"], dtype=object)), "XML forbids"),
        (Entry("X", EntryKind.VALUE, np.array([1])), "VALUE has 1 dimensions, not 0"),
        (Entry("X", EntryKind.MAP, np.array([1])), "MAP has 1 dimensions, not 2"),
        (Entry("X", EntryKind.AXIS_PTS, np.ones((2, 3))), "AXIS_PTS has 2 dimensions"),
        (Entry("X", EntryKind.ASCII, 5), "a text is due"),
        (Entry("X", EntryKind.BLOB, "00"), "a BLOB holds bytes"),
        (Entry("X", EntryKind.VALUE, 1 + 2j), "neither number nor text"),
        (
            Entry(
                "X", EntryKind.CURVE, np.array([1]), axes=(SetAxis(AxisKind.STD, np.ones((1, 1))),)
            ),
            "more than one dimension",
        ),
    ],
)
def test_what_cdf_cannot_hold(entry: Entry, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        write_cdf(ParameterSet([Entry("Fine", EntryKind.VALUE, 1), entry]))


def test_all_problems_are_told_at_once() -> None:
    bad = [Entry(f"X{n}", EntryKind.VALUE, 1, is_raw=True) for n in range(30)]
    with pytest.raises(UsageError, match=r"X0: .*X19: .*and 10 more"):
        write_cdf(ParameterSet(bad))


A2L = """ASAP2_VERSION 1 71
/begin PROJECT p ""
/begin MODULE m ""
/begin TYPEDEF_CHARACTERISTIC scalar "" VALUE l 0 NO_COMPU_METHOD 0 100 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE phase "" 8
  /begin STRUCTURE_COMPONENT offset scalar 0 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE my.motor "" phase 0x1000 /end INSTANCE
/end MODULE
/end PROJECT
"""


def test_parts_of_instances_stand_inside_them() -> None:
    def one(name: str, value: float, kind: EntryKind = EntryKind.VALUE, **more: object) -> Entry:
        values = np.array([value]) if kind is EntryKind.CURVE else value
        return Entry(name, kind, values, long_name=name, **more)

    values = ParameterSet(
        [
            one("my.motor.gain", 1.5, functions=("F", "G")),
            one("flat.name", 2),
            one("my.motor.phases[0].offset", 10),
            one("my.motor.list[0][1]", 3),
            one("my.motor.list[0][2]", 4),
            one("my.motor.curves[0]", 5, EntryKind.CURVE),
            one("my.motor.phases[1].offset", 11, variant=(("Car", "A"),)),
            one("my.motor.phases[1].offset", 12, variant=(("Car", "B"),)),
            one("my.motor", 7),
            one("my.motor.odd..name", 8),
            one("my.motorway", 9),
            one("my.motor.gain.fine", 0.5),
        ],
        name="parts",
    )
    catalog = Catalog(parse(A2L))
    data = write_cdf(values, catalog=catalog)
    assert problems_of(data) == []
    read = read_cdf(data)
    assert read.diagnostics == ()
    assert {one.key: one for one in read.values} == {one.key: one for one in values}
    outline = [
        (one.tag, one.text)
        for one in ET.fromstring(data).find(".//SW-INSTANCE-TREE").iter()
        if one.tag in ("SHORT-NAME", "SW-ARRAY-INDEX", "CATEGORY")
    ]
    assert outline[2:] == [
        ("SHORT-NAME", "my.motor"), ("CATEGORY", "STRUCTURE"),
        ("SHORT-NAME", "gain"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "fine"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "phases"), ("CATEGORY", "STRUCTURE_ARRAY"),
        ("SW-ARRAY-INDEX", "0"), ("CATEGORY", "STRUCTURE"),
        ("SHORT-NAME", "offset"), ("CATEGORY", "VALUE"),
        ("SW-ARRAY-INDEX", "1"), ("CATEGORY", "STRUCTURE"),
        ("SHORT-NAME", "offset"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "list"), ("CATEGORY", "STRUCTURE_ARRAY"),
        ("SW-ARRAY-INDEX", "0"), ("CATEGORY", "VALUE_ARRAY"),
        ("SW-ARRAY-INDEX", "1"), ("CATEGORY", "VALUE"),
        ("SW-ARRAY-INDEX", "2"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "curves"), ("CATEGORY", "CURVE_ARRAY"),
        ("SW-ARRAY-INDEX", "0"), ("CATEGORY", "CURVE"),
        ("SHORT-NAME", "flat.name"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "my.motor"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "my.motor.odd..name"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "my.motorway"), ("CATEGORY", "VALUE"),
    ]  # fmt: skip
