"""Written CDF files: valid, and equal in the eyes of a second reader."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from support.parameter_files import latin, problems_of, second_reading
from support.parameter_sets import assert_same, later, rich
from xcaliper.a2l.parse import parse
from xcaliper.calib.formats.cdf import read_cdf, write_cdf
from xcaliper.calib.formats.model import Holds
from xcaliper.calib.formats.table import losses
from xcaliper.calib.paramset import (
    AxisKind,
    Entry,
    EntryKind,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import UsageError
from xcaliper.quantity.catalog import Catalog


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


def test_what_cdf_lacks() -> None:
    raw = Entry("Raw", EntryKind.VALUE, 1, is_raw=True)
    assert losses(ParameterSet([*rich(), *later(), raw]), "cdf") == (Holds.RAW,)
    assert losses(ParameterSet([*rich(), *later(), raw]), "json") == ()


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
            Entry("my.motor.gain", EntryKind.VALUE, 1.75, variant=(("Car", "A"),)),
            one("my.motor" + ".deep" * 60, 6),
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
        ("SHORT-NAME", "my.motor.gain"), ("CATEGORY", "VALUE"),
        ("SHORT-NAME", "my.motor" + ".deep" * 60), ("CATEGORY", "VALUE"),
    ]  # fmt: skip
