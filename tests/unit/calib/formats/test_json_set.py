"""Sets as JSON: every field comes back, the standard library sees the same, damage is named."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from support.parameter_sets import assert_same, later, rich
from xcaliper.calib.formats import json_set
from xcaliper.calib.formats.json_fields import AXIS, ENTRY, FLAG, FUNCTION, HISTORY, ORIGIN
from xcaliper.calib.formats.json_set import read_json, write_json
from xcaliper.calib.formats.table import read_set
from xcaliper.calib.paramset import (
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import ParameterSetError, UsageError


@pytest.mark.parametrize("values", [rich(), later(), ParameterSet()], ids=["2.0", "2.1", "none"])
def test_nothing_is_lost(values: ParameterSet) -> None:
    data = write_json(values)
    read = read_set(data, source="a.json")
    assert read.diagnostics == ()
    assert_same(read.values, values)
    for entry in read.values:
        before = values[entry.name, entry.variant]
        pairs = [(entry.values, before.values)]
        pairs += [(a.values, b.values) for a, b in zip(entry.axes, before.axes, strict=True)]
        for after, original in pairs:
            if isinstance(original, np.ndarray):
                assert (after.dtype, after.shape) == (original.dtype, original.shape)
    assert write_json(read.values) == data


@pytest.mark.parametrize(
    "values",
    [
        math.nan,
        -math.inf,
        -0.0,
        5e-324,
        "NaN",
        "\ud800 lone",
        2**80,
        np.array([], dtype=np.float32),
        np.zeros((2, 0, 3), dtype=np.int16),
        np.array([True, False]),
        np.array([1, 2], dtype=">u2"),
        np.array(["a", "ü"]),
        np.array(["NaN", math.nan, math.inf, 3, 2.5], dtype=object),
        np.array([math.nan, math.inf, -math.inf, 65504], dtype=np.float16),
    ],
    ids=str,
)
def test_values_that_json_has_no_word_for(values) -> None:
    entry = Entry("X", EntryKind.VAL_BLK, values, is_raw=True)
    data = write_json(ParameterSet([entry]))
    data.decode()
    (after,) = read_json(data).values
    assert after.is_raw
    if isinstance(values, np.ndarray):
        assert after.values.shape == values.shape
        assert [repr(c) for c in after.values.ravel().tolist()] == [
            repr(c) for c in values.ravel().tolist()
        ]
    else:
        assert repr(after.values) == repr(values)


def test_the_standard_library_reads_it() -> None:
    root = json.loads(write_json(rich()), parse_constant=pytest.fail)
    assert (root["format"], root["version"], root["name"]) == (
        "xcaliper-parameter-set",
        1,
        "winter",
    )
    by_name = {one["name"]: one for one in root["entries"]}
    assert by_name["Idle"]["values"] == 780
    assert by_name["Idle"]["history"][0]["special"] == [["a\n\"b'", "c"]]
    assert by_name["Block"]["values"] == {
        "dtype": "uint8",
        "shape": [2, 3],
        "cells": [0, 1, 2, 3, 4, 5],
    }
    assert by_name["Map"]["values"]["cells"] == [8.0, 14.5, "NaN", "INF", "-INF", 9.25]
    assert by_name["Map"]["axes"][0] == {"kind": "COM_AXIS", "ref": "AxN", "quantity": "n"}
    assert by_name["Gear"]["variant"] == [["Car", "B"], ["Box", "M"]]
    assert "unit" not in by_name["Mode"]


def test_one_entry_is_one_line() -> None:
    lines = write_json(rich()).decode().splitlines()
    assert sum(line.startswith('{"name"') for line in lines) == len(rich())


def file(*entries: object, **more: object) -> bytes:
    root = {"format": "xcaliper-parameter-set", "version": 1, "entries": entries} | more
    return json.dumps(root).encode()


ARRAY = {"dtype": "int8", "shape": [2], "cells": [1, 2]}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (7, "an object is due, not 7"),
        ({"kind": "VALUE", "values": 1}, "field 'name' is missing"),
        ({"name": "X", "values": 1}, "field 'kind' is missing"),
        ({"name": 5, "kind": "VALUE", "values": 1}, "name: a text is due, not 5"),
        ({"name": "X", "kind": "VALUES", "values": 1}, "kind: 'VALUES' is none of VALUE,"),
        ({"name": "X", "kind": "VALUE", "values": None}, "values: a number is due, not None"),
        ({"name": "X", "kind": "VALUE", "values": True}, "values: a number is due"),
        ({"name": "X", "kind": "VALUE", "values": [1]}, "values: a number is due"),
        ({"name": "X", "kind": "VALUE", "values": {"number": 1}}, "is no value"),
        ({"name": "X", "kind": "BLOB", "values": {"bytes": "0g"}}, "no hexadecimal bytes"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"shape": [3]}}, "2 cells do not fill"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"shape": [-2]}}, "is no shape"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"shape": [1] * 9}}, "is no shape"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"dtype": "O"}}, "dtype 'O' is not known"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"cells": [1, 128]}}, "do not fit int8"),
        ({"name": "X", "kind": "MAP", "values": ARRAY | {"cells": [1, 1.5]}}, "do not fit int8"),
        (
            {"name": "X", "kind": "MAP", "values": ARRAY | {"dtype": "float32", "cells": [1, 1e300]}},
            "do not fit float32",
        ),
        (
            {"name": "X", "kind": "MAP", "values": ARRAY | {"dtype": "float64", "cells": [1, 10**400]}},
            "do not fit float64",
        ),
        ({"name": "X", "kind": "VAL_BLK", "values": ARRAY | {"dtype": "object", "cells": [1, None]}}, "not None"),
        ({"name": "X", "kind": "CURVE", "values": 1, "axes": {}}, "axes: a list is due"),
        ({"name": "X", "kind": "CURVE", "values": 1, "axes": [{"kind": "STD_AXIS", "values": 1}]}, "array is due"),
        ({"name": "X", "kind": "CURVE", "values": 1, "axes": [{"kind": "STD_AXIS", "x": 1}]}, "'x' is not known"),
        ({"name": "X", "kind": "VALUE", "values": 1, "variant": [["a"]]}, "pairs of texts are due"),
        ({"name": "X", "kind": "VALUE", "values": 1, "is_raw": 1}, "true or false is due"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_left_out_and_named(entry: object, reason: str) -> None:
    good = {"name": "Good", "kind": "VALUE", "values": 1}
    read = read_json(file(good, entry), source="a.json")
    assert [one.name for one in read.values] == ["Good"]
    (found,) = read.diagnostics
    assert found.severity is Severity.ERROR
    assert found.text.startswith("entry 1 ")
    assert reason in found.text


def test_what_is_not_known_or_double_is_named() -> None:
    one = {"name": "X", "kind": "VALUE", "values": 1, "colour": "red"}
    read = read_json(file(one, one | {"values": 2}, mood="good"))
    assert [d.slug for d in read.diagnostics] == [
        "unknown-field",
        "unknown-field",
        "duplicate",
        "unknown-field",
    ]
    assert read.values["X"].values == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (write_json(rich())[:-40], "no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "'format' is not"),
        (b'{"format": "other"}', "'format' is not"),
        (file(version=2), "version 2 of the format"),
        (file(version=True), "version True"),
        (file(name=7), "name: a text is due"),
        (file(entries=7), "entries: a list is due"),
        (file(criteria=[]), "criteria: an object is due"),
        (file(origin=[]), "an object is due"),
        (b'{"format": NaN}', "NaN is not JSON"),
        (b"9" * 5000, "no JSON"),
    ],
)
def test_what_is_no_such_file(data: bytes, reason: str) -> None:
    with pytest.raises(ParameterSetError, match=reason) as caught:
        read_json(data, source="some.json")
    assert str(caught.value).startswith("some.json")


@pytest.mark.parametrize(("cap", "value"), [("MAX_SIZE_BYTES", 100), ("MAX_ENTRIES", 3)])
def test_caps(monkeypatch: pytest.MonkeyPatch, cap: str, value: int) -> None:
    monkeypatch.setattr(json_set, cap, value)
    with pytest.raises(ParameterSetError, match=f"at most {value} are read"):
        read_json(write_json(rich()))


def test_what_json_cannot_hold() -> None:
    entry = Entry("X", EntryKind.VAL_BLK, np.array([1j]))
    with pytest.raises(UsageError, match="X: an array of complex128"):
        write_json(ParameterSet([entry]))
    with pytest.raises(UsageError, match="X: a complex is no number"):
        write_json(ParameterSet([Entry("X", EntryKind.VALUE, 1j)]))


def test_a_number_too_large_for_a_float_is_refused() -> None:
    data = write_json(ParameterSet([Entry("X", EntryKind.VALUE, 1.5)])).replace(b"1.5", b"1e999")
    assert "beyond what a float can hold" in read_json(data).diagnostics[0].text


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "set-json.md").read_text("utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ") and "`" in line]
    shown = {cells[1].strip(): re.findall(r"`(\w+)`", cells[2]) for cells in rows}
    tables = {"origin": ORIGIN, "function": FUNCTION, "entry": ENTRY, "axis": AXIS}
    tables |= {"history": HISTORY, "flag": FLAG}
    assert {name: shown[name] for name in tables} == {k: list(v) for k, v in tables.items()}
    assert set(shown["file"]) == json.loads(write_json(rich())).keys()


def test_tables_name_every_field_of_the_model() -> None:
    tables = {Origin: ORIGIN, CollectionInfo: FUNCTION, Entry: ENTRY, SetAxis: AXIS}
    tables |= {HistoryEntry: HISTORY, Flag: FLAG}
    for kind, table in tables.items():
        assert table.keys() | {"where"} == {one.name for one in fields(kind)} | {"where"}
