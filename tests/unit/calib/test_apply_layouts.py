"""Sets and odd layouts: numbers of points that change, rescale pairs, wide address units, many parameters."""

from __future__ import annotations

import struct

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
