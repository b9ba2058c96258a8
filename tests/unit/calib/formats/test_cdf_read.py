"""Reading CDF files made by hand, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from support.parameter_files import latin
from xcaliper.calib.formats import xml_records
from xcaliper.calib.formats.cdf import read_cdf
from xcaliper.calib.formats.table import format_of
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    SetAxis,
)
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import ParameterSetError


def told(entry) -> tuple:
    """Kind and values with their type, the way they are written down below."""
    values = entry.values
    return str(entry.kind), values.tolist() if isinstance(values, np.ndarray) else values


def axes_of(entry) -> list:
    return [
        (str(a.kind), a.ref, None if a.values is None else a.values.tolist()) for a in entry.axes
    ]


def test_what_tools_write() -> None:
    read = read_cdf(latin("engine.cdfx"), source="engine.cdfx")
    values = read.values
    assert values.name == "Winter tests"
    assert values.origin == Origin("motor.a2l", image="motor_17.hex", tool="Bench 4.1")
    checked = HistoryEntry("checked", "2025-11-30", "mk")
    assert values.functions == (
        CollectionInfo("Idle", "2.7", history=(checked,)),
        CollectionInfo("My favourites", is_collection=True),
    )
    assert {one.name: told(one) for one in values} == {
        "Idle.Speed": ("VALUE", 812.5),
        "Idle.Enable": ("VALUE", 1),
        "Idle.Mode": ("VALUE", "catalyst heating"),
        "Label": ("ASCII", "Rev C  "),
        "Pump.Table": ("VAL_BLK", [[1, -2, 3], [31, 5, 6]]),
        "Pump.Gain": ("VALUE", -0.00125),
        "Trim.Fixed": ("CURVE", [0.5, 0.75, 1.0]),
        "Trim.Shared": ("CURVE", ["off", "low", 7]),
        "Axis.Temp": ("AXIS_PTS", [-30, 20, 90]),
        "Axis.Rescale": ("AXIS_PTS", [[10, 2], [18, 3], [33, 4]]),
        "Axis.Curve": ("CURVE", [0.0, 0.25]),
        "Spark.Map": ("MAP", [[8.0, 14.5, pytest.approx(np.nan, nan_ok=True)], [2.0, 6.0, 9.25]]),
    }
    assert values["Pump.Table"].values.dtype == np.int64
    assert axes_of(values["Trim.Fixed"]) == [("FIX_AXIS", "", [-40, 0, 40])]
    assert axes_of(values["Trim.Shared"]) == [("COM_AXIS", "Axis.Temp", None)]
    assert axes_of(values["Spark.Map"]) == [
        ("RES_AXIS", "Axis.Rescale", None),
        ("CURVE_AXIS", "Axis.Curve", [0.1, 0.2]),
    ]
    categories = {one.name: one.category for one in values if one.category}
    assert categories == {
        "Idle.Enable": "BOOLEAN",
        "Pump.Table": "VALUE_ARRAY",
        "Pump.Gain": "DEPENDANT_VALUE",
        "Axis.Rescale": "RES_AXIS",
        "Axis.Curve": "CURVE_AXIS",
    }
    assert [(d.severity, d.slug, d.subject) for d in read.diagnostics] == [
        (Severity.INFO, "category", "Pump.Gain")
    ]
    assert str(read.diagnostics[0].where) == "engine.cdfx:126"


def test_texts_and_history_of_an_entry() -> None:
    entry = read_cdf(latin("engine.cdfx")).values["Idle.Speed"]
    assert (entry.long_name, entry.display_name, entry.unit) == (
        "Speed <warm> & ready",
        "n_idle",
        "1/min",
    )
    assert entry.functions == ("Idle",)
    assert entry.where == "line 37"
    assert entry.history == (
        HistoryEntry(
            "changed", "2026-01-07T06:10:00", "jö", "Coldland", "start", "blue car", "manual",
            "EPK_17", "D_17_03", ("raised by 12.5", "because of stalling"), (("ticket", "4711"),),
        ),
        HistoryEntry("calibrated", "2026-01-09", "jö"),
    )  # fmt: skip
    assert entry.flags == (Flag("review", "true", "mk", "2026-01-10", ("ask",)),)
    units = {one.name: one.unit for one in read_cdf(latin("engine.cdfx")).values if one.unit}
    assert units == {
        "Idle.Speed": "1/min", "Pump.Table": "mm³", "Axis.Temp": "°C", "Spark.Map": "°KW",
    }  # fmt: skip


def test_variants_structures_and_cubes() -> None:
    read = read_cdf(latin("parts.cdfx"))
    assert read.values.name == "parts"
    assert {(one.name, one.variant): told(one) for one in read.values} == {
        ("Gear", (("Car", "Sedan"), ("Box", "Manual"))): ("VALUE", 5),
        ("Gear", (("Car", "Van"), ("Box", "Manual"))): ("VALUE", 6),
        ("Motor.gain", ()): ("VALUE", 1.5),
        ("Motor.phases[0].offset", ()): ("VALUE", 10),
        ("Motor.phases[1].offset", ()): ("VALUE", 11),
        ("Motor.full", ()): ("VALUE", 3),
        ("Cubes", ()): ("CUBOID", [[[1, 2]], [[3, 4]]]),
        ("Flat", ()): ("MAP", [[1, 2], [3, 4], [5, 6]]),
        ("Block", ()): ("VAL_BLK", [18446744073709551615, 0]),
        ("Bytes", ()): ("BLOB", b"\x00\xff\x10"),
        ("Future", ()): ("CURVE", [1, 2]),
    }
    assert read.values["Future"].axes == (SetAxis(AxisKind.STD, np.array([0, 1])),)
    assert [(d.slug, d.subject) for d in read.diagnostics] == [("category", "Future")]


def document(*instances: str, head: str = "") -> bytes:
    body = "\n".join(instances)
    return (
        f"{head}<MSRSW><CATEGORY>CDF20</CATEGORY><SW-SYSTEMS><SW-SYSTEM><SW-INSTANCE-SPEC>"
        f"<SW-INSTANCE-TREE>\n{body}\n"
        "</SW-INSTANCE-TREE></SW-INSTANCE-SPEC></SW-SYSTEM></SW-SYSTEMS></MSRSW>"
    ).encode()


def instance(category: str, phys: str, *, sizes: str = "", more: str = "", name: str = "X") -> str:
    size = f"<SW-ARRAYSIZE>{sizes}</SW-ARRAYSIZE>" if sizes else ""
    return (
        f"<SW-INSTANCE><SHORT-NAME>{name}</SHORT-NAME><CATEGORY>{category}</CATEGORY><SW-VALUE-CONT>"
        f"{size}<SW-VALUES-PHYS>{phys}</SW-VALUES-PHYS></SW-VALUE-CONT>{more}</SW-INSTANCE>"
    )


def axis(points: str, category: str = "STD_AXIS") -> str:
    return (
        f"<SW-AXIS-CONTS><SW-AXIS-CONT><CATEGORY>{category}</CATEGORY><SW-VALUES-PHYS>{points}"
        "</SW-VALUES-PHYS></SW-AXIS-CONT></SW-AXIS-CONTS>"
    )


GOOD = instance("VALUE", "<V>1</V>", name="Good")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (instance("VALUE", "<V>1,5</V>"), "decimal comma"),
        (instance("VALUE", "<V></V>"), "a number is missing"),
        (instance("VALUE", "<V>1_000</V>"), "'1_000' is no number"),
        (instance("VALUE", "<V>1e999</V>"), "beyond what a number can hold"),
        (instance("VALUE", ""), "0 values, one is due"),
        (instance("ASCII", "<V>7</V>"), "V instead of VT"),
        (instance("CURVE", "<V>1</V><V>2</V>", more=axis("<V>1</V>")), "axis 0 has 1 points"),
        (instance("CURVE", "<V>1</V>", more=axis("<V>x</V>")), "axis 0: 'x' is no number"),
        (instance("CURVE", "<VG><V>1</V><V>2</V></VG><VG><V>3</V><V>4</V></VG>"), "2 dimensions"),
        (instance("MAP", "<V>1</V><V>2</V>"), "1 dimensions, 2 are due"),
        (instance("MAP", "<VG><V>1</V><V>2</V></VG><VG><V>1</V></VG>"), "groups differ in size"),
        (instance("MAP", "<VG><V>1</V></VG><V>2</V>"), "values stand beside groups"),
        (
            instance("VAL_BLK", "<V>1</V><V>2</V>", sizes="<V>3</V>"),
            "SW-ARRAYSIZE says 3, 2 values",
        ),
        (
            instance("MAP", "<VG><V>1</V><V>2</V></VG>" * 3, sizes="<V>3</V><V>2</V>"),
            "SW-ARRAYSIZE says 3 × 2, 2 × 3 values",
        ),
        (
            instance("CURVE", "<V>1</V>", more=axis("<VG><V>1</V><V>2</V></VG>" * 2)),
            "axis 0: points of 2 dimensions",
        ),
        (instance("VAL_BLK", "<V>1</V>", sizes="<V>x</V>"), "'x' is no number"),
        (instance("VAL_BLK", "<V>1</V>", sizes="<V>-1</V>"), "does not hold sizes"),
        (instance("VALUE", "<V>1<W/></V>"), "element 'W' is no value"),
        (instance("VALUE", "<V>1<V>2</V></V>"), "a number is missing"),
        (instance("VAL_BLK", "<W>1</W>"), "element 'W' is no value"),
        (instance("VAL_BLK", "<VG>" * 9 + "<V>1</V>" + "</VG>" * 9), "groups inside each other"),
        (instance("BLOB", "<V>256</V>"), "a BLOB holds bytes only"),
        (instance("BLOB", "<VT>0x</VT>"), "hexadecimal"),
        ("<SW-INSTANCE><CATEGORY>VALUE</CATEGORY></SW-INSTANCE>", "without a name"),
        ("<SW-INSTANCE><SW-ARRAY-INDEX>0</SW-ARRAY-INDEX></SW-INSTANCE>", "without a name"),
    ],
)
def test_a_wrong_entry_is_left_out_and_named(bad: str, reason: str) -> None:
    read = read_cdf(document(GOOD, bad, instance("VALUE", "<V>2</V>", name="After")), source="f")
    assert [one.name for one in read.values] == ["Good", "After"]
    (found,) = read.diagnostics
    assert found.severity is Severity.ERROR
    assert reason in found.text
    assert found.where.line == 3


def test_doubtful_entries_are_taken_and_named() -> None:
    twice = instance("VALUE", "<V>2</V>", name="Good")
    empty = "<SW-INSTANCE><SHORT-NAME>E</SHORT-NAME><CATEGORY>VALUE</CATEGORY></SW-INSTANCE>"
    loose = "<SW-AXIS-CONTS><SW-AXIS-CONT/></SW-AXIS-CONTS>"
    curve = instance("CURVE", "<V>1</V>", name="C", more=loose)
    data = document(GOOD, twice, empty, curve).replace(b"CDF20", b"CDF30")
    nameless = b"<SW-CS-COLLECTIONS><SW-CS-COLLECTION/></SW-CS-COLLECTIONS>"
    data = data.replace(b"<SW-INSTANCE-TREE>", b"<SW-INSTANCE-TREE>" + nameless)
    read = read_cdf(data.replace(b"</MSRSW>", b'<SDGS><SDG GID="theirs"/></SDGS></MSRSW>'))
    assert {one.name: one.values.tolist() if one.name == "C" else one.values for one in read.values} == {
        "Good": 2,
        "C": [1],
    }  # fmt: skip
    assert [(d.slug, d.severity) for d in read.diagnostics] == [
        ("edition", Severity.WARNING),
        ("no-name", Severity.INFO),
        ("duplicate", Severity.WARNING),
        ("no-values", Severity.WARNING),
        ("no-points", Severity.WARNING),
        ("special-data", Severity.INFO),
    ]


def test_shapes_that_only_some_tools_write() -> None:
    axes = "<SW-AXIS-CONTS>" + "".join(
        f"<SW-AXIS-CONT><SW-VALUES-PHYS>{'<V>1</V>' * n}</SW-VALUES-PHYS></SW-AXIS-CONT>"
        for n in (2, 3)
    )
    read = read_cdf(
        document(
            instance("MAP", "<V>1</V>" * 6, more=axes + "</SW-AXIS-CONTS>", name="ByAxes"),
            instance("VAL_BLK", "<V>1</V><V>2</V>", sizes="<V>2</V><V>1</V><V>1</V>", name="Thin"),
            instance("VALUE", "<VF>1.5</VF>", name="OtherTag"),
            instance("ASCII", "<VT>a</VT><VT>b</VT>", name="Texts"),
            instance("val-blk", "<V>1</V>", name="SmallLetters"),
        )
    )
    assert read.diagnostics == ()
    assert [told(one)[1] for one in read.values] == [
        [[1, 1], [1, 1], [1, 1]],
        [[[1, 2]]],
        1.5,
        ["a", "b"],
        [1],
    ]


def test_half_a_file_gives_what_is_complete_and_says_where_it_ends() -> None:
    data = latin("engine.cdfx")
    cut = data.index(b"<SHORT-NAME>Pump.Gain")
    read = read_cdf(data[:cut], source="engine.cdfx")
    assert [one.name for one in read.values][-1] == "Pump.Table"
    (found,) = read.diagnostics
    assert (found.severity, found.slug, found.where.line) == (Severity.ERROR, "half-a-file", 127)
    assert "5 entries before are read" in found.text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no XML"),
        (b"NAME;1\n", "no XML"),
        (b"<html><body/></html>", "root element is 'html'"),
        (document(GOOD, head='<!DOCTYPE MSRSW [<!ENTITY a "b">]>'), "declares the entity 'a'"),
        (document(GOOD, head='<!DOCTYPE MSRSW [<!ENTITY a SYSTEM "b">]>'), "declares the entity"),
        (document(GOOD, head='<!DOCTYPE MSRSW [<!ENTITY % a "b"> %a;]>'), "declares the entity"),
        (document("&later;", head='<!DOCTYPE MSRSW SYSTEM "x.dtd">'), "'later' is not declared"),
        (b'<?xml version="1.0" encoding="klingon"?><MSRSW/>', "unknown encoding"),
        (b'<?xml version="1.0" encoding="utf-7"?><MSRSW/>', "multi-byte"),
        (b"<MSRSW>" + b"<A>" * 200, "100 elements inside each other"),
    ],
)
def test_what_is_no_such_file(data: bytes, reason: str) -> None:
    with pytest.raises(ParameterSetError, match=reason) as caught:
        read_cdf(data, source="some.cdfx")
    assert str(caught.value).startswith("some.cdfx")


@pytest.mark.parametrize(("cap", "value"), [("MAX_SIZE_BYTES", 100), ("MAX_CELLS", 5)])
def test_caps(monkeypatch: pytest.MonkeyPatch, cap: str, value: int) -> None:
    monkeypatch.setattr(xml_records, cap, value)
    with pytest.raises(ParameterSetError, match=str(value)):
        read_cdf(document(GOOD))


def test_findings_are_bounded() -> None:
    many = [instance("VALUE", "<V/>", name=f"N{n}") for n in range(1500)]
    found = read_cdf(document(*many)).diagnostics
    assert len(found) == 1001
    assert found[-1].slug == "too-many-findings"
    assert "500 more" in found[-1].text


def test_the_content_tells_the_format() -> None:
    assert format_of(latin("engine.cdfx"), source="x.xml").name == "cdf"
    assert format_of(latin("old.paco.xml"), source="x.xml").name == "paco"


def test_kinds_are_complete() -> None:
    from xcaliper.calib.formats.cdf_words import CATEGORY_OF_KIND, KINDS

    assert {KINDS[category] for category in CATEGORY_OF_KIND.values()} == set(EntryKind)


def test_our_special_data_counts_once_and_for_its_variant_only() -> None:
    group = (
        '<SDG GID="INSTANCE"><SDG-CAPTION><SHORT-NAME>{}</SHORT-NAME></SDG-CAPTION>{}'
        '<SD GID="FUNCTION">F</SD></SDG>'
    )
    variant = '<SD GID="VARIANT-Car">A</SD>'
    groups = [group.format("Good", ""), group.format("Good", ""), group.format("Good", variant)]
    special = f'<SDGS><SDG GID="XCALIPER">{"".join(groups)}</SDG></SDGS></MSRSW>'
    read = read_cdf(document(GOOD).replace(b"</MSRSW>", special.encode()))
    assert read.diagnostics == ()
    assert read.values["Good"].functions == ("F",)
