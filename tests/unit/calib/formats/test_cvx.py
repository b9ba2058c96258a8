"""Reading CVX files made by hand, in both layouts, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from support.parameter_files import latin
from xcaliper.calib.formats import cvx_rows
from xcaliper.calib.formats.cvx import read_cvx
from xcaliper.calib.formats.table import read_set
from xcaliper.calib.paramset import CollectionInfo
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import ParameterSetError


def seen(values) -> dict:
    return {
        (one.name, *(value for _, value in one.variant)): (
            str(one.kind),
            one.values.tolist() if isinstance(one.values, np.ndarray) else one.values,
            [(a.ref, a.values.tolist()) for a in one.axes],
        )
        for one in values
    }


def test_lines_of_x_points() -> None:
    read = read_set(latin("columns.cvx"), source="a.cvx")
    assert read.diagnostics == ()
    assert seen(read.values) == {
        ("IdleSpeed", "Sedan"): ("VALUE", 780, []),
        ("IdleSpeed", "Van"): ("VALUE", 812.5, []),
        ("Mode",): ("VALUE", "heat;up", []),
        ("CalLabel",): ("ASCII", 'say "now" ', []),
        ("PumpTab",): ("VAL_BLK", [1.0, -2.0, 30.0], []),
        ("PumpBlock",): ("VAL_BLK", [[1, 2], [3, 4]], []),
        ("AxN",): ("AXIS_PTS", [800, 2000, 4500], []),
        ("Spread",): ("AXIS_PTS", [[10, 2], [18, 3]], []),
        ("Trim",): ("CURVE", [10.0, 20.0, 30.5], [("", [1, 2, 3])]),
        ("Spark",): (
            "MAP", [[8.0, 14.5, 20.0], [2.0, 6.0, 9.25]], [("", [800, 2000, 4500]), ("", [10, 80])],
        ),
        ("Bare",): ("MAP", [[1, 2], [3, 4]], [("", [100, 200]), ("", [5, 6])]),
    }  # fmt: skip
    idle = read.values["IdleSpeed", (("Car", "Sedan"),)]
    assert (idle.display_name, idle.functions, idle.where) == ("n.idle", ("Idle",), "line 10")
    assert read.values.functions == (
        CollectionInfo("Idle", long_name="idle control"),
        CollectionInfo("Spark"),
    )
    assert read.values.criteria == {"Car": ("Sedan", "Van")}  # fmt: skip


def test_names_of_shared_axes_and_decimal_comma() -> None:
    read = read_cvx(latin("names.cvx"))
    assert read.diagnostics == ()
    assert seen(read.values) == {
        ("IdleSpeed",): ("VALUE", 780.25, []),
        ("Mode",): ("VALUE", "heat up", []),
        ("AxN",): ("AXIS_PTS", [800, 2000, 4500], []),
        ("Trim",): ("CURVE", [10.0, 20.0, 30.5], [("AxN", [800, 2000, 4500])]),
        ("Spark",): (
            "MAP",
            [[8.0, 14.5, 20.0], [2.0, 6.0, 9.25]],
            [("AxN", [800, 2000, 4500]), ("AxLoad", [10, 80])],
        ),
    }
    units = {one.name: one.unit for one in read.values}
    assert units == {"IdleSpeed": "1/min", "Mode": "", "AxN": "1/min", "Trim": "°C", "Spark": "deg"}


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_encodings(end: str) -> None:
    text = latin("names.cvx").decode("latin-1").replace("\n", end)
    for data in (text.encode("utf-8-sig"), text.encode("cp1252")):
        assert seen(read_cvx(data).values) == seen(read_cvx(latin("names.cvx")).values)
    odd = text.replace("°", "\x81").encode("latin-1")
    assert read_cvx(odd).values["Trim"].unit == "\x81C"


HEAD = 'CALIBRATION VALUES V2.1;.;*;"";\n;Good\nVALUE;;1\n'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (";X", "a name without a type and values"),
        (";X\nWHAT;;1", "type 'WHAT' is not known"),
        (";X\nVALUE;;1,5", "decimal comma"),
        (";X\nVALUE", "0 values, one is due"),
        (";X\nVALUE;;1;2", "2 values, one is due"),
        (";X\nVALUE;;1\n;;2", "1 more lines than are due"),
        (';X\nASCII;;"a";"b"', "2 texts, one is due"),
        (";X\nVAL_BLK;;1;;2", "a number is missing"),
        (";X\nVAL_BLK\n;;1;2\n;;3", "row 1 has 1 values, the first one has 2"),
        (";X\nCURVE", "0 lines of values"),
        (";X\nCURVE\n;;1\n;;2\n;;3", "3 lines of values"),
        (";X\nCURVE\n;;1;2\n;;1", "2 X points, 1 are due"),
        (";X\nMAP", "no lines of values"),
        (";X\nMAP\n;;;1;2", "X points, but no rows"),
        (";X\nMAP\n;;;1;2\n;;5", "a row without values"),
        (";X\nMAP\n;;;1;2\n;;5;6", "2 X points, 1 are due"),
        (";X\nRESCALE_AXIS_PTS;;1;2;3", "3 values are no pairs"),
        (";X\nVALUE;;1\nVARIANT;;Car", "'Car' is not criterion.value"),
        (";X\nX_AXIS_PTS;;1;2", "no values that they belong to"),
        (";Good\nX_AXIS_PTS;;1;2", "VALUE has 0 axes"),
    ],
)
def test_a_wrong_entry_is_left_out_and_named(bad: str, reason: str) -> None:
    read = read_cvx((HEAD + bad + "\n").encode(), source="f")
    assert [one.name for one in read.values] == ["Good"]
    (found,) = read.diagnostics
    assert (found.severity, found.where.line) == (Severity.ERROR, 4)
    assert reason in found.text


def test_points_that_do_not_fit() -> None:
    read = read_cvx((HEAD + ";C\nCURVE\n;;1;2\n;C\nX_AXIS_PTS;;1;2;3\n").encode())
    assert read.values["C"].axes == ()
    assert "do not fit" in read.diagnostics[0].text


def test_what_is_doubtful_is_named() -> None:
    text = HEAD.replace("2.1", "3.0") + "FUNCTION;;\n;Good\nVALUE;;2\n"
    read = read_cvx(text.encode())
    assert [d.slug for d in read.diagnostics] == ["edition", "no-text", "duplicate"]
    assert read.values["Good"].values == 2
    before = read_cvx((HEAD.partition("\n")[0] + "\nVALUE;;1\n").encode())
    assert "before the first name" in before.diagnostics[0].text
    point = read_cvx(HEAD.replace(";.;", ";,;").replace("VALUE;;1", "VALUE;;1.5").encode())
    assert "has a point; ',' is that of the file" in point.diagnostics[0].text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "first line is not CALIBRATION VALUES"),
        (b"\0\1\2", "first line is not CALIBRATION VALUES"),
        (b"CALIBRATION VALUES V2.1;:;*", "do not go together"),
    ],
)
def test_what_is_no_such_file(data: bytes, reason: str) -> None:
    with pytest.raises(ParameterSetError, match=reason):
        read_cvx(data, source="f.cvx")


def test_a_comma_that_separates_is_no_decimal_point() -> None:
    assert read_cvx(b"CALIBRATION VALUES V2.1,,,*\n,X\nVALUE,,1.5\n").values["X"].values == 1.5


def test_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cvx_rows, "MAX_SIZE_BYTES", 10)
    with pytest.raises(ParameterSetError, match="at most 10 are read"):
        read_cvx(HEAD.encode())
