"""Sets and odd layouts: numbers of points that change, rescale pairs, wide address units, many parameters."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from support.parameters import described
from xcaliper.a2l import parse
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.extract import extract
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis
from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

COUNTED = """
/begin RECORD_LAYOUT M NO_AXIS_PTS_X 1 UBYTE NO_AXIS_PTS_Y 2 UBYTE AXIS_PTS_X 3 UBYTE INDEX_INCR DIRECT
  AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT R NO_RESCALE_X 1 UBYTE AXIS_RESCALE_X 2 UBYTE 3 INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT S NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC map "" MAP 0x100 M 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 255 /end AXIS_DESCR
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 255 /end AXIS_DESCR
/end CHARACTERISTIC
/begin AXIS_PTS rx "" 0x120 NO_INPUT_QUANTITY R 0 NO_COMPU_METHOD 3 0 255 /end AXIS_PTS
/begin AXIS_PTS sx "" 0x130 NO_INPUT_QUANTITY S 0 NO_COMPU_METHOD 4 0 255 /end AXIS_PTS
/begin CHARACTERISTIC curve "" CURVE 0x138 U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 255 AXIS_PTS_REF sx /end AXIS_DESCR
/end CHARACTERISTIC
"""
SMALL = bytes([2, 2, 10, 20, 5, 6, 1, 2, 3, 4])
LARGE = bytes([3, 2, 10, 20, 30, 5, 6, 1, 2, 7, 3, 4, 8])


@pytest.fixture
def counted():
    memory = SparseMemory()
    memory.add(Address(0x100), bytearray(0x40))
    memory.write(Address(0x100), SMALL)
    memory.write(Address(0x120), bytes([2, 1, 2, 3, 4]))
    memory.write(Address(0x130), bytes([2, 10, 20]))
    memory.write(Address(0x138), bytes([7, 8]))
    return described(COUNTED), memory


def written(memory, plan):
    for address, data in plan.writes:
        memory.write(address, data)


def large_map():
    axes = (
        SetAxis(AxisKind.STD, np.array([10, 20, 30])),
        SetAxis(AxisKind.STD, np.array([5, 6])),
    )
    return Entry("map", EntryKind.MAP, np.array([[1, 2, 7], [3, 4, 8]]), axes)


def test_a_map_grows_and_everything_behind_its_points_moves(counted):
    catalog, memory = counted
    plan = plan_apply(ParameterSet([large_map()]), catalog, memory.read)
    (outcome,) = plan.outcomes
    assert (outcome.outcome, outcome.before.tolist()) == ("applied", [[1, 2], [3, 4]])
    assert outcome.after.tolist() == [[1, 2, 7], [3, 4, 8]]
    written(memory, plan)
    assert memory.read(Address(0x100), len(LARGE)) == LARGE


def test_a_saved_set_comes_back_after_a_reset_with_other_counts(counted):
    catalog, memory = counted
    saved = extract(catalog, memory.read, on_problem=print)
    before = memory.read(Address(0x100), 0x40)
    written(memory, plan_apply(ParameterSet([large_map()]), catalog, memory.read))
    memory.write(Address(0x120), bytes([3, 9, 9, 10, 10, 11, 11]))
    memory.write(Address(0x130), bytes([4, 1, 2, 3, 4]))
    plan = plan_apply(saved, catalog, memory.read)
    assert plan.is_complete
    written(memory, plan)
    for address, size in ((0x100, len(SMALL)), (0x120, 5), (0x130, 3), (0x138, 2)):
        now = memory.read(Address(address), size)
        assert now == before[address - 0x100 : address - 0x100 + size]


def test_a_shared_axis_with_fewer_points_takes_its_curves_along(counted):
    catalog, memory = counted
    axis = Entry("sx", EntryKind.AXIS_PTS, np.array([10, 20, 30]))
    com = SetAxis(AxisKind.COM, np.array([10, 20, 30]), "sx")
    curve = Entry("curve", EntryKind.CURVE, np.array([7, 8, 9]), (com,))
    plan = plan_apply(ParameterSet([curve, axis]), catalog, memory.read)
    assert [one.outcome for one in plan.outcomes] == ["applied", "applied"]
    alone = plan_apply(ParameterSet([curve]), catalog, memory.read)
    assert [one.outcome for one in alone.outcomes] == ["size differs"]


def test_counts_without_room_or_that_nobody_tells_are_refused(counted):
    catalog, memory = counted
    with pytest.raises(UsageError, match="there is room for 3"):
        catalog.bind("map").encode_count(0, 4, read=memory.read)
    with pytest.raises(UsageError, match="there is room for 4"):
        catalog.bind("curve").encode_count(0, 0, read=memory.read)
    plain = described()
    with pytest.raises(UsageError, match="number of its points is fixed"):
        plain.bind("ax").encode_count(2, read=lambda _, size: bytes(size))


def test_address_units_of_two_bytes():
    body = """
/begin RECORD_LAYOUT U16 FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC a "" VALUE 0x100 U16 0 NO_COMPU_METHOD 0 65535 /end CHARACTERISTIC
/begin CHARACTERISTIC b "" VALUE 0x101 U16 0 NO_COMPU_METHOD 0 65535 /end CHARACTERISTIC
/begin CHARACTERISTIC c "" VALUE 0x102 U8 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
"""
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    catalog = Catalog(file, ag=2)
    memory = SparseMemory(ag=2)
    memory.add(Address(0x100), struct.pack("<HHBB", 1, 2, 3, 99))
    saved = extract(catalog, memory.read, on_problem=print)
    assert [one.values for one in saved] == [1, 2, 3]
    wanted = ParameterSet([Entry(name, EntryKind.VALUE, n) for n, name in enumerate("abc", 7)])
    plan = plan_apply(wanted, catalog, memory.read)
    assert plan.writes == ((Address(0x100), struct.pack("<HHBB", 7, 8, 9, 99)),)


def test_unknown_names_of_another_software_cost_little():
    catalog = described()
    entries = [Entry(f"Other.part[{n}].name_{n}", EntryKind.VALUE, n) for n in range(3000)]
    plan = plan_apply(ParameterSet(entries), catalog, lambda _, size: bytes(size))
    assert [str(one) for one in plan.counts()] == ["not in A2L"]


SELDOM = """
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F32 FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD STATUS "" LINEAR "" "" COEFFS_LINEAR 0.5 0 STATUS_STRING_REF LOST /end COMPU_METHOD
/begin COMPU_VTAB LOST "" TAB_VERB 1 255 "lost" /end COMPU_VTAB
/begin COMPU_METHOD DAYS "" TAB_VERB "" "" COMPU_TAB_REF DAYS_T /end COMPU_METHOD
/begin COMPU_VTAB DAYS_T "" TAB_VERB 2 0 "Mo" 1 "Tu" /end COMPU_VTAB
/begin CHARACTERISTIC low "" MAP 0x100 U8 0 NO_COMPU_METHOD 0 200
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC high "" MAP 0x104 U8 0 NO_COMPU_METHOD 0 100
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC both "" CUBOID 0 U8 0 NO_COMPU_METHOD 0 200
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 5 1 2 /end AXIS_DESCR
  /begin MAP_LIST low high /end MAP_LIST
/end CHARACTERISTIC
/begin CHARACTERISTIC index "" CURVE 0x110 F32 0 NO_COMPU_METHOD 0 9
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 99 FIX_AXIS_PAR_DIST 10 10 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC over "" CURVE 0x118 U8 0 NO_COMPU_METHOD 0 200
  /begin AXIS_DESCR CURVE_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 99 CURVE_AXIS_REF index /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC state "" VAL_BLK 0x120 U8 0 STATUS 0 100 MATRIX_DIM 2 /end CHARACTERISTIC
/begin CHARACTERISTIC week "" CURVE 0x124 U8 0 NO_COMPU_METHOD 0 200
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY DAYS 2 0 1 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
/end CHARACTERISTIC
"""


@pytest.fixture
def seldom():
    memory = SparseMemory()
    memory.add(Address(0x100), bytearray(0x40))
    memory.write(Address(0x100), bytes(range(1, 9)))
    memory.write(Address(0x110), struct.pack("<2f", 0, 1) + bytes([3, 4]))
    memory.write(Address(0x120), bytes([10, 255]) + bytes(2) + bytes([7, 8]))
    return described(SELDOM), memory


def test_a_cuboid_of_maps_is_written_into_its_maps(seldom):
    catalog, memory = seldom
    both = extract(catalog, memory.read, ["both"], on_problem=print)["both"]
    assert both.values.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    more = ParameterSet([replace(both, values=both.values * 2.0)])
    plan = plan_apply(more, catalog, memory.read)
    assert plan.writes == ((Address(0x100), bytes(range(2, 18, 2))),)
    much = ParameterSet([replace(both, values=both.values + 95)])
    assert plan_apply(much, catalog, memory.read).outcomes[0].outcome == "outside limits"
    clamped = plan_apply(much, catalog, memory.read, clamp=True)
    assert clamped.outcomes[0].outcome == "clamped"
    assert clamped.writes[0][1] == bytes([96, 97, 98, 99, 100, 100, 100, 100])


def test_axes_that_a_curve_gives_move_with_it(seldom):
    catalog, memory = seldom
    saved = extract(catalog, memory.read, on_problem=print)
    (axis,) = saved["over"].axes
    assert (axis.kind, axis.ref, axis.values.tolist()) == (AxisKind.CURVE, "index", [10, 20])
    curve = replace(saved["index"], values=np.array([0.0, 2.0]))
    over = replace(saved["over"], values=np.array([5, 6]))
    moved = plan_apply(ParameterSet([over, curve]), catalog, memory.read)
    assert [str(one.outcome) for one in moved.outcomes] == ["axis differs", "applied"]
    right = replace(over, axes=(replace(axis, values=np.array([10.0, 15.0])),))
    plan = plan_apply(ParameterSet([right, curve]), catalog, memory.read)
    assert [str(one.outcome) for one in plan.outcomes] == ["applied", "applied"]


def test_states_stand_between_numbers_and_texts_on_axes(seldom):
    catalog, memory = seldom
    saved = extract(catalog, memory.read, on_problem=print)
    assert saved["state"].values.tolist() == [5.0, "lost"]
    assert saved["week"].axes[0].values.tolist() == ["Mo", "Tu"]
    assert plan_apply(saved, catalog, memory.read).writes == ()
    new = replace(saved["state"], values=np.array([6.0, "lost"], dtype=object))
    plan = plan_apply(ParameterSet([new]), catalog, memory.read)
    assert plan.writes == ((Address(0x120), b"\x0c"),)
    other = replace(saved["state"], values=np.array([6.0, "found"], dtype=object))
    assert plan_apply(ParameterSet([other]), catalog, memory.read).outcomes[0].outcome == (
        "type differs"
    )
    days = SetAxis(AxisKind.FIX, np.array(["Mo", "We"], dtype=object))
    week = replace(saved["week"], axes=(days,))
    for on_axis in ("refuse", "interpolate"):
        found = plan_apply(ParameterSet([week]), catalog, memory.read, on_axis=on_axis).outcomes[0]
        assert found.outcome == "axis differs"
    assert "texts" in found.text
