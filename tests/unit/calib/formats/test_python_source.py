"""Python source: what it holds, and that it is never executed."""

import ast

import numpy as np
import pytest

from xcaliper.calib.formats.table import read_set, write_set
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, HistoryEntry, ParameterSet
from xcaliper.core.errors import ParameterSetError

#: By hand, as a formatter would leave it.
SOURCE = '''\
"""Some values."""
# XCaliper
XCALIPER_SET = 1
NAME = "run"
ORIGIN = {"epk": 'E"1'}
CRITERIA = {"Gear": ["1", "2"]}
PARAMETERS = [
    {
        "name": "Map",
        "kind": "MAP",
        "values": [[1, 2.5], (3, 0x10)],
        "axes": [
            {"kind": "COM_AXIS", "ref": "AxN", "values": [800, 4500], "unit": "1/" "min"},
            {"kind": "FIX_AXIS", "values": ["low", "high"]},
        ],
        "history": [{"state": "checked", "remark": ["a", "b"]}],
    },
    {"name": "Inf", "kind": "VALUE", "values": float("-inf"), "is_raw": True},
    {"name": "Blob", "kind": "BLOB", "values": b"\\x00\\xff"},
    {"name": "Text", "kind": "ASCII", "values": "a\\tb", "variant": [["Gear", "1"]]},
    {"name": "N", "kind": "VALUE", "values": (-1), "unit": None},
]
'''


def read(text):
    return read_set(text.encode(), source="a.py")


def test_constants_are_understood():
    found = read(SOURCE)
    assert [(one.slug, one.subject, one.where.line) for one in found.diagnostics] == [
        ("bad-entry", "N", 21)  # a unit is a text
    ]
    values = found.values
    assert (values.name, values.origin.epk, values.criteria) == ("run", 'E"1', {"Gear": ("1", "2")})
    table, infinite, blob, text = values
    assert table.values.tolist() == [[1.0, 2.5], [3.0, 16.0]]
    assert [(axis.kind, axis.ref, axis.unit) for axis in table.axes] == [
        (AxisKind.COM, "AxN", "1/min"),
        (AxisKind.FIX, "", ""),
    ]
    assert table.axes[1].values.tolist() == ["low", "high"]
    assert table.history == (HistoryEntry("checked", remark=("a", "b")),)
    assert (infinite.values, infinite.is_raw, table.where) == (-float("inf"), True, "line 8")
    assert (blob.values, text.values, text.variant) == (b"\x00\xff", "a\tb", (("Gear", "1"),))


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        'X = __import__("os")',
        "X = [a for a in ()]",
        "X = 1 + 1",
        'X = f"{1}"',
        "X = float(1)",
        'X = float("1")',
        "X = 1_0",
        "X = 5abc",
        "X = ['a' b'c']",
        "X = {1: 2}",
        "X = {'a': 1, 'a': 2}",
        "X = '\\N{no such}'",
        "X = " + "[" * 20 + "]" * 20,
        "X = 'open",
        "X = (1",
        "X = 1 2",
        "[1]",
        "X = " + "9" * 500,
    ],
)
def test_anything_else_ends_the_reading_with_its_line(line):
    found = read(
        f'XCALIPER_SET = 1\nPARAMETERS = [\n {{"name": "a", "kind": "VALUE", "values": 1}},\n]\n{line}\n'
    )
    (diagnostic,) = found.diagnostics
    assert (diagnostic.slug, diagnostic.severity, diagnostic.where.line) in {
        ("damaged", 2, 5),
        ("damaged", 2, 6),  # what is missing is missed at the end
    }
    assert [entry.name for entry in found.values] == ["a"]


def test_a_half_written_file_keeps_what_is_whole():
    entry = '{"name": "a%d", "kind": "VALUE", "values": 123},\n'
    text = "XCALIPER_SET = 1\nPARAMETERS = [\n" + "".join(entry % n for n in range(3))
    found = read(text[:-6])
    assert [one.name for one in found.values] == ["a0", "a1"]
    assert (found.diagnostics[0].slug, found.diagnostics[0].where.line) == ("damaged", 5)


@pytest.mark.parametrize(
    "part",
    [
        *('"values": [[1, 2], [3]]', '"values": [[1], 2]', '"values": [None]', '"values": {}'),
        *('"values": 1, "kind": "X"', '"values": 1, "colour": ""', '"values": 1, "axes": [1]'),
        *('"values": 1, "axes": [{"kind": "X"}]', '"values": 1, "variant": [["a"]]', '"unit": ""'),
        *('"values": 1, "where": "line 9", "flags": 5', '"values": None', '"values": [True]'),
    ],
)
def test_entries_that_make_no_sense_are_left_out(part):
    text = f'XCALIPER_SET = 1\nPARAMETERS = [{{"kind": "VALUE", "name": "a", {part}}}]\n'
    if '"kind": "X"}' not in part:
        text = text.replace(
            '"kind": "VALUE", ', "" if '"kind": "X"' in part else '"kind": "VALUE", '
        )
    found = read(text)
    assert [one.slug for one in found.diagnostics] == ["bad-entry"]
    assert (len(found.values), found.diagnostics[0].subject) == (0, "a")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"print('hello')\n", "no Python source"),
        (b"NAME = 'x'\n", "does not assign"),
        (b"XCALIPER_SET = 2\n", "version 2"),
        (b"XCALIPER_SET = 1\nNAME = 5\n", "head is wrong"),
        (b"XCALIPER_SET = 1\nORIGIN = {'x': ''}\n", "head is wrong"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_other_files_are_refused(data, word):
    with pytest.raises(ParameterSetError, match=word):
        read_set(data, format="python")


def test_written_source_is_read_by_python_itself():
    values = ParameterSet(
        [
            Entry("a", EntryKind.VALUE, float("nan"), unit="\u2028\x85\x00"),
            Entry("m", EntryKind.VAL_BLK, np.array([[1, 2], [3, 4]]), history=(HistoryEntry("x"),)),
            Entry("f", EntryKind.VAL_BLK, np.array([0.1], dtype=np.float32)),
        ],
        comments=["one"],
    )
    tree = ast.parse(write_set(values, "python"))
    found = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(found["COMMENTS"]) == ["one"]
    first, second, third = found["PARAMETERS"].elts
    assert ast.literal_eval(first.values[-1]) == "\u2028\x85\x00"
    assert ast.literal_eval(second) == {
        "name": "m",
        "kind": "VAL_BLK",
        "values": [[1, 2], [3, 4]],
        "history": [{"state": "x"}],
    }
    assert np.float32(ast.literal_eval(third)["values"][0]) == np.float32(0.1)
