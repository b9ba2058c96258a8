"""CSV, held against tables made by hand and against the reader of the standard library."""

import csv
import io

import numpy as np
import pytest

from support.set_strategies import entry as plain_entry
from xcaliper.calib.formats.table import read_set, write_set
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis
from xcaliper.core.errors import ParameterSetError, PlanError

#: By hand; rows are out of order, as after sorting in a spreadsheet.
TABLE = """\
name,value,index,axis,unit,comment,kind,ref,variant,function,display,raw
Map,1.5,[0][0],,deg,Ignition,,,,F;G,,
Map,4,[1][0],,,,,,,,,
Map,-2.5e1,[0][1],,,,,,,,,
Map,0x10,[1][1],,,,,,,,,
Map,800,[0],x,1/min,,,AxN,,,,
Map,4500,[1],x,,,,,,,,
Map,10,[0],y,%,,FIX_AXIS,,,,,
Map,80,[1],y,,,,,,,,
AxN,800,[0],x,1/min,Speed,,,,,,
AxN,4500,[1],x,,,,,,,,
Mode,sport,,,,,,,Gear=1;Eco=on,,,
Mode,eco,,,,,,,Gear=2,,,
Label,12,,,,"two
lines",ASCII,,,,a.b,
Raw,200,,,,,,,,,,raw
Blob,00ff,,,,,BLOB,,,,,
Word,'12,,,,,,,,,,
Text,'=A1,,,,,,,,,,
Block,on,[0],,,,,,,,,
Block,7,[1],,,,,,,,,
Curve,1,[0],,,,,,,,,
Curve,,,x,,,CURVE_AXIS,Other,,,,
"""


def test_every_kind_is_understood():
    found = read_set(TABLE.encode(), source="a.csv")
    assert found.diagnostics == ()
    rows = {e.name: e for e in found.values}
    table = rows["Map"]
    assert (table.kind, table.unit, table.long_name) == (EntryKind.MAP, "deg", "Ignition")
    assert table.values.tolist() == [[1.5, -25.0], [4.0, 16.0]]
    assert [(a.kind, a.ref, a.unit, a.values.tolist()) for a in table.axes] == [
        (AxisKind.COM, "AxN", "1/min", [800, 4500]),
        (AxisKind.FIX, "", "%", [10, 80]),
    ]
    assert table.functions == ("F", "G")
    axis = rows["AxN"]
    assert (axis.kind, axis.unit, axis.long_name) == (EntryKind.AXIS_PTS, "1/min", "Speed")
    modes = {e.variant: e.values for e in found.values if e.name == "Mode"}
    assert modes == {(("Gear", "1"), ("Eco", "on")): "sport", (("Gear", "2"),): "eco"}
    label = rows["Label"]
    assert (label.values, label.long_name, label.display_name) == ("12", "two\nlines", "a.b")
    assert (rows["Raw"].values, rows["Raw"].is_raw) == (200, True)
    assert rows["Blob"].values == b"\x00\xff"
    assert (rows["Word"].values, rows["Text"].values) == ("12", "=A1")
    assert rows["Block"].values.tolist() == ["on", 7]
    assert (rows["Curve"].axes[0].kind, rows["Curve"].axes[0].ref) == (AxisKind.CURVE, "Other")
    assert rows["Curve"].axes[0].values is None


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_spreadsheets_in_other_countries_are_understood(separator, coding):
    rows = ["name|value|unit", "a|1,5|°C", "b|-2|", 'c|"1,5e3"|', "d|1.500,0|"]
    text = "\r\n".join(rows).replace("|", separator) + "\r\n"
    found = read_set(text.encode(coding), source="a.csv")
    assert [entry.values for entry in found.values] == [1.5, -2, 1500.0, "1.500,0"]
    assert next(iter(found.values)).unit == "°C"


@pytest.mark.parametrize(
    ("rows", "slug", "line", "word"),
    [
        ('a,"1,5"\n', "bad-row", 2, "comma"),
        ("a,\n", "bad-row", 2, "missing"),
        (",1\n", "no-name", 2, "no name"),
        ("a,1\na,2\n", "bad-row", 3, "twice"),
        ("a,1e999\n", "bad-row", 2, "beyond"),
        ("a,1,[0]\na,2,[2]\n", "bad-shape", 2, "1 values are missing"),
        ("a,1,[0]\na,2,[0][1]\n", "bad-shape", 2, "more indices"),
        ("a,1\na,2,[0]\n", "bad-shape", 2, "no index"),
        ("a,1,first\n", "bad-row", 2, "not of the form"),
        ("a,1,[0],q\n", "bad-row", 2, "none of x, y"),
        ("a,1,[0],y\n", "bad-shape", 2, "no values"),
        ("a,1,[0],x\na,1,[1],x\na,1,[0]\n", "bad-shape", 2, "2 points"),
        ("a,1,,,WRONG\n", "bad-shape", 2, "kind 'WRONG'"),
        ("a,1,,,AXIS_PTS\n", "bad-shape", 2, "axis x only"),
        ("a,1,[0],x,WRONG\na,1,[0]\n", "bad-shape", 2, "kind of axis"),
        ("a,xy,,,BLOB\n", "bad-shape", 2, "hexadecimal"),
        ("a,NaN\n", "not-a-number", 2, "NaN"),
        ("a,1", "no-end", 2, "no end"),
    ],
)
def test_what_is_wrong_is_reported_with_its_line(rows, slug, line, word):
    found = read_set(f"name,value,index,axis,kind\n{rows}".encode(), source="a.csv")
    (diagnostic,) = found.diagnostics
    assert (diagnostic.slug, diagnostic.where.line) == (slug, line)
    assert word in diagnostic.text
    assert len(found.values) == (slug == "not-a-number")


def test_a_comma_beside_a_point_is_no_decimal_sign():
    found = read_set(b"name;value\na;1,500\nb;2.5\n", source="a.csv")
    assert [entry.name for entry in found.values] == ["b"]
    assert "where other numbers have a point" in found.diagnostics[0].text


def test_unknown_columns_and_open_quotes_are_told():
    found = read_set(b'name,value,colour\na,1,red\nb,2,"open\nc,3,x\n', source="a.csv")
    assert found.diagnostics[0].slug == "unknown-column"
    assert [entry.name for entry in found.values] == ["a", "b"]
    big = b"name,value\na,1\nb," + b"x" * 200_000 + b"\nc,3\n"
    found = read_set(big, source="a.csv")
    assert ([e.name for e in found.values], found.diagnostics[0].slug) == (["a"], "damaged")
    with pytest.raises(ParameterSetError, match="name and value"):
        read_set(b"nam,number\n", format="csv")


def test_a_cut_table_never_gives_a_wrong_value_unseen():
    whole = {entry.key: plain_entry(entry) for entry in read_set(TABLE.encode()).values}
    for end in range(TABLE.index("\n") + 1, len(TABLE)):
        found = read_set(TABLE[:end].encode(), format="csv")
        wrong = [entry for entry in found.values if plain_entry(entry) != whole.get(entry.key)]
        assert not wrong or found.diagnostics or TABLE[end - 1] == "\n"


def test_written_rows_are_those_of_the_standard_library():
    axis = SetAxis(AxisKind.COM, np.array([1.0, 2.0]), "Ax", "s", "n")
    values = ParameterSet(
        [
            Entry("c", EntryKind.CURVE, np.array([3, 4]), (axis,), unit="-", long_name='a "b", c'),
            Entry("t", EntryKind.ASCII, "-1+2"),
            Entry("n", EntryKind.VALUE, float("nan"), is_raw=True),
        ]
    )
    data = write_set(values, "csv").decode()
    rows = list(csv.reader(io.StringIO(data, newline="")))
    assert rows == [
        ["name", "index", "axis", "value", "unit", "comment", "kind", "ref", "quantity", "raw"],
        ["c", "[0]", "x", "1.0", "s", "", "", "Ax", "n", ""],
        ["c", "[1]", "x", "2.0", "", "", "", "", "", ""],
        ["c", "[0]", "", "3", "-", 'a "b", c', "", "", "", ""],
        ["c", "[1]", "", "4", "", "", "", "", "", ""],
        ["t", "", "", "'-1+2", "", "", "ASCII", "", "", ""],
        ["n", "", "", "NaN", "", "", "", "", "", "raw"],
    ]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("x", EntryKind.AXIS_PTS, np.zeros((2, 2))),
        Entry("x", EntryKind.VAL_BLK, np.zeros((2, 0))),
        Entry("x", EntryKind.BLOB, b""),
        Entry("x", EntryKind.VALUE, 1, variant=(("a", "b;c"),)),
        Entry("x", EntryKind.VALUE, 1, functions=("a;b",)),
        Entry("x", EntryKind.MAP, np.zeros(2)),
    ],
)
def test_what_csv_cannot_hold_is_refused(entry):
    with pytest.raises(PlanError, match="x: "):
        write_set(ParameterSet([entry]), "csv")
