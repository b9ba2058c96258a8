"""What the description lets nobody write: left out of sets for writing, harmless where it is there already."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.entries import Entry, EntryKind
from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.port import PlainPort
from xcaliper.calib.select import is_read_only, without_read_only
from xcaliper.quantity.catalog import Catalog

BODY = """
/begin RECORD_LAYOUT B FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC free "" VALUE 0x0 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC fixed "" VALUE 0x1 B 0 NO_COMPU_METHOD 0 255 READ_ONLY /end CHARACTERISTIC
/begin CHARACTERISTIC offline "" VALUE 0x2 B 0 NO_COMPU_METHOD 0 255
  CALIBRATION_ACCESS NO_CALIBRATION /end CHARACTERISTIC
/begin CHARACTERISTIC label "" ASCII 0x4 B 0 NO_COMPU_METHOD 0 255 NUMBER 4 READ_ONLY /end CHARACTERISTIC
/begin AXIS_PTS axis "" 0x8 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 3 0 255 READ_ONLY /end AXIS_PTS
/begin CHARACTERISTIC table "" CURVE 0xC B 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 255 AXIS_PTS_REF axis /end AXIS_DESCR
/end CHARACTERISTIC
"""
ROM = bytes([10, 20, 30, 0, *b"AB\0\0", 1, 5, 9, 0, 7, 8, 9, 0])


@pytest.fixture
def catalog():
    text = (
        f'ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M "" {BODY} /end MODULE /end PROJECT'
    )
    return Catalog(parse(text))


def read(address, size):
    return ROM[address.value : address.value + size]


class Memory:
    ag = 1
    read = staticmethod(read)

    def write(self, address, data):
        pytest.fail("nothing is to be written")


def outcomes(catalog, *entries):
    plan = plan_apply(ParameterSet(entries), catalog, read)
    return {one.name: str(one.outcome) for one in plan.outcomes}, plan


def test_what_memory_holds_already_stops_nothing(catalog):
    found, plan = outcomes(
        catalog,
        Entry("free", EntryKind.VALUE, 11),
        Entry("fixed", EntryKind.VALUE, 20),
        Entry("offline", EntryKind.VALUE, 30),
        Entry("label", EntryKind.VALUE, "AB"),  # as formats without a word for texts have it
        Entry("axis", EntryKind.AXIS_PTS, [1, 5, 9]),
    )
    assert found == {
        "free": "applied", "fixed": "unchanged", "offline": "unchanged", "label": "unchanged", "axis": "unchanged",
    }  # fmt: skip
    assert plan.is_complete
    assert [(address.value, data) for address, data in plan.writes] == [(0, b"\x0b")]


def test_anything_else_is_refused_as_read_only(catalog):
    found, plan = outcomes(
        catalog,
        Entry("fixed", EntryKind.VALUE, 21),
        Entry("offline", EntryKind.VALUE, 999),  # outside of its limits as well
        Entry("label", EntryKind.ASCII, "ABCDEFG"),
        Entry("axis", EntryKind.AXIS_PTS, [1, 5, 8]),
    )
    assert set(found.values()) == {"read only"}
    assert not plan.writes
    assert plan.outcomes[0].before == 20


def test_ecu_values_of_files_without_kinds(catalog):
    found, _ = outcomes(
        catalog,
        Entry("table", EntryKind.VAL_BLK, np.array([7, 8, 10]), is_raw=True),
        Entry("axis", EntryKind.VAL_BLK, np.array([1, 5, 9]), is_raw=True),
    )
    assert found == {"table": "applied", "axis": "unchanged"}
    found, _ = outcomes(catalog, Entry("table", EntryKind.VAL_BLK, np.array([7, 8, 10])))
    assert found == {"table": "type differs"}


def test_names_for_writing(catalog):
    told = []
    names = ["free", "fixed", "offline", "label", "axis", "table", "nobody"]
    assert without_read_only(catalog, names, told.append) == ["free", "table", "nobody"]
    (one,) = told
    assert one.slug == "read-only"
    assert "fixed, offline, label, axis" in one.text
    assert without_read_only(catalog, ["free"], pytest.fail) == ["free"]
    assert is_read_only(catalog, "axis")
    assert not is_read_only(catalog, "table[7]")


def test_a_snapshot_can_be_applied(catalog):
    calib = Calibrator(catalog, PlainPort(Memory()), clock=lambda: 0)
    told = []
    assert calib.snapshot(on_problem=told.append).names == ("free", "table")
    assert [one.slug for one in told] == ["read-only"]
    assert len(calib.snapshot(read_only=True, on_problem=pytest.fail)) == 6
    assert calib.snapshot(["fixed"], on_problem=pytest.fail)["fixed"].values == 20
    assert calib.apply(calib.snapshot(read_only=True)).transaction is None
