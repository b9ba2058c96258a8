"""Reading PaCo files made by hand, good and bad."""

from __future__ import annotations

import numpy as np
import pytest

from support.parameter_files import latin
from xcaliper.calib.formats.paco import read_paco
from xcaliper.calib.formats.table import read_set
from xcaliper.calib.paramset import HistoryEntry
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import ParameterSetError


def test_every_kind() -> None:
    read = read_set(latin("old.paco.xml"), source="old.xml")
    assert read.values.name == "tree"
    seen = {
        one.name: (str(one.kind), one.values.tolist() if isinstance(one.values, np.ndarray) else one.values, one.unit)
        for one in read.values
    }  # fmt: skip
    assert seen == {
        "nIdle": ("VALUE", 780.5, "1/min"),
        "sText": ("ASCII", "Rev A", ""),
        "tab": ("VAL_BLK", [[1, 2, 3], [4, 5, 6]], ""),
        "axN": ("AXIS_PTS", [800, 2000], "1/min"),
        "curve": ("CURVE", [0.5, 0.25], ""),
        "map": ("MAP", [[8.0, 14.5, 20.0], [2.0, 6.0, 9.25]], "°KW"),
    }
    axes = {
        one.name: [(str(a.kind), a.unit, a.values.tolist()) for a in one.axes]
        for one in read.values
        if one.axes
    }
    assert axes == {
        "curve": [("FIX_AXIS", "u_none", ["low", "high"])],
        "map": [("COM_AXIS", "1/min", [800, 2000, 4500]), ("COM_AXIS", "", [10, 80])],
    }
    idle = read.values["nIdle"]
    assert (idle.long_name, idle.functions) == ("idle speed", ("Idle",))
    assert idle.history == (
        HistoryEntry(
            "prelimCalibrated", "2004-05-06T07:08:09", "ab", "P1", remark=("first", "try")
        ),
    )
    assert [(d.slug, d.severity, d.subject) for d in read.diagnostics] == [
        ("no-values", Severity.INFO, "IdleComp"),
        ("unit", Severity.WARNING, "curve"),
    ]


def instance(category: str, *conts: str, name: str = "X") -> str:
    return (
        f"<SW-INSTANCE><SHORT-NAME>{name}</SHORT-NAME><CATEGORY>{category}</CATEGORY><SW-AXIS-CONTS>"
        f"{''.join(conts)}</SW-AXIS-CONTS></SW-INSTANCE>"
    )


def cont(index: str, phys: str, si: str = "") -> str:
    return (
        f'<SW-AXIS-CONT SI="{si}"><SW-AXIS-INDEX>{index}</SW-AXIS-INDEX>'
        f"<SW-VALUES-PHYS>{phys}</SW-VALUES-PHYS></SW-AXIS-CONT>"
    )


ONE = "<V>1</V>"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (instance("WHAT", cont("0", ONE)), "CATEGORY 'WHAT' is not known"),
        (instance("VALUE"), "no values, SW-AXIS-CONT with index 0"),
        (instance("VALUE", cont("x", ONE)), "'x' is no index"),
        (instance("VALUE", cont("0", ONE), cont("0", ONE)), "there twice"),
        (instance("VALUE", cont("0", "<V>1,5</V>")), "decimal comma"),
        (instance("VALUE", "<SW-AXIS-CONT/>"), "no SW-VALUES-PHYS"),
        (instance("CURVE_FIXED", cont("0", ONE), cont("1", ONE * 2)), "axis 0 has 2 points"),
        (instance("CURVE_FIXED", cont("0", ONE), cont("1", "<VG/><V/>")), "axis 1: a number"),
        (instance("VALUE_BLOCK", cont("0", ONE, "a;2@1@0")), "SW-ARRAYSIZE says 2 × 1, 1 values"),
        (instance("VALUE_BLOCK", cont("0", ONE, "a;2@x@0")), "does not hold sizes"),
        ("<SW-INSTANCE><CATEGORY>VALUE</CATEGORY></SW-INSTANCE>", "without a name"),
    ],
)
def test_a_wrong_entry_is_left_out_and_named(bad: str, reason: str) -> None:
    good = instance("VALUE", cont("0", ONE), name="Good")
    read = read_paco(f"<MSRSW>\n{good}\n{bad}\n</MSRSW>".encode(), source="f")
    assert [one.name for one in read.values] == ["Good"]
    (found,) = read.diagnostics
    assert (found.severity, found.where.line) == (Severity.ERROR, 3)
    assert reason in found.text


def test_half_a_file_and_no_file() -> None:
    data = latin("old.paco.xml")
    read = read_paco(data[: data.index(b"<SHORT-NAME>axN")])
    assert [one.name for one in read.values] == ["nIdle", "sText", "tab"]
    assert read.diagnostics[-1].slug == "half-a-file"
    with pytest.raises(ParameterSetError, match="root element is 'a'"):
        read_paco(b"<a/>")


def test_given_twice() -> None:
    data = f"<MSRSW>{instance('VALUE', cont('0', ONE)) * 2}</MSRSW>".encode()
    assert [d.slug for d in read_paco(data).diagnostics] == ["duplicate"]
