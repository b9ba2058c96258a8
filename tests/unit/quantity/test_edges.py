"""Values at the edge of what types, tables and layouts can say; every byte worked out by hand."""

import struct

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

BIG = 2**62 + 1
BODY = """
/begin COMPU_METHOD FIFTH "" LINEAR "" "" COEFFS_LINEAR 5 0 /end COMPU_METHOD
/begin COMPU_METHOD SAME "" RAT_FUNC "" "" COEFFS 0 1 0 0 0 1 /end COMPU_METHOD
/begin COMPU_METHOD ONCE "" LINEAR "" "" COEFFS_LINEAR 1 0 /end COMPU_METHOD
/begin COMPU_METHOD HYPER "" RAT_FUNC "" "" COEFFS 0 0 1 0 1 0 /end COMPU_METHOD
/begin COMPU_METHOD ROOT "" FORM "" "" /begin FORMULA "X1*X1" FORMULA_INV "sqrt(X1)" /end FORMULA
/end COMPU_METHOD
/begin COMPU_METHOD STATED "" LINEAR "" "" COEFFS_LINEAR 1 0 STATUS_STRING_REF ERR /end COMPU_METHOD
/begin COMPU_VTAB ERR "" TAB_VERB 1 255 "error" /end COMPU_VTAB
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F32 FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT S64 FNC_VALUES 1 A_INT64 ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT AX AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT AXS AXIS_PTS_X 1 SWORD INDEX_DECR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT AX64 AXIS_PTS_X 1 A_INT64 INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT COUNTED NO_AXIS_PTS_X 1 UBYTE FNC_VALUES 2 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT RESCALED NO_RESCALE_X 1 UBYTE AXIS_RESCALE_X 2 UBYTE 3 INDEX_INCR DIRECT
  FNC_VALUES 3 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin AXIS_PTS diff "" 0x100 NO_INPUT_QUANTITY AX 0 FIFTH 4 0 1000 DEPOSIT DIFFERENCE /end AXIS_PTS
/begin AXIS_PTS fall "" 0x100 NO_INPUT_QUANTITY AXS 0 FIFTH 3 0 1000 DEPOSIT DIFFERENCE /end AXIS_PTS
/begin AXIS_PTS wide "" 0x100 NO_INPUT_QUANTITY AX64 0 NO_COMPU_METHOD 2 -9.3e18 9.3e18 /end AXIS_PTS
/begin CHARACTERISTIC same "" VALUE 0x100 S64 0 SAME -9.3e18 9.3e18 /end CHARACTERISTIC
/begin CHARACTERISTIC once "" VALUE 0x100 S64 0 ONCE -9.3e18 9.3e18 /end CHARACTERISTIC
/begin CHARACTERISTIC block "" VAL_BLK 0x100 S64 0 NO_COMPU_METHOD -9.3e18 5e18 NUMBER 2 /end CHARACTERISTIC
/begin CHARACTERISTIC hyper "" VALUE 0x100 F32 0 HYPER 0 10 /end CHARACTERISTIC
/begin CHARACTERISTIC root "" VALUE 0x100 F32 0 ROOT -10 10 /end CHARACTERISTIC
/begin CHARACTERISTIC stated "" VAL_BLK 0x100 U8 0 STATED 0 100 NUMBER 3 /end CHARACTERISTIC
/begin CHARACTERISTIC counted "" CURVE 0x100 COUNTED 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 255 FIX_AXIS_PAR 10 1 4 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC rescaled "" CURVE 0x100 RESCALED 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY FIFTH 3 0 1000 /end AXIS_DESCR
/end CHARACTERISTIC
"""


@pytest.fixture
def made():
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {BODY} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


def memory(data):
    made = SparseMemory()
    made.add(Address(0x100), bytearray(data.ljust(32, b"\0")))
    return made.read


def test_differences_are_those_of_rounded_points(made):
    # points 2, 4, 6, 8 in steps of 5 are 0.4, 0.8, 1.2, 1.6: raw 0, 1, 1, 2
    ((_, data),) = made.bind("diff").encode([2, 4, 6, 8], read=memory(b""))
    assert data == bytes([0, 1, 0, 1])
    # raw 1, 2, 4 lie falling in memory: 4, then -2, then -1
    ((_, data),) = made.bind("fall").encode([5, 10, 20], read=memory(b""))
    assert struct.unpack("<hhh", data) == (4, -2, -1)
    assert made.bind("fall").decode(memory(data)).tolist() == [1, 2, 4]


def test_whole_numbers_of_64_bit_stay_exact_on_every_way(made):
    ((_, data),) = made.bind("wide").encode([BIG, BIG + 2], read=memory(b""))
    assert struct.unpack("<qq", data) == (BIG, BIG + 2)
    for name in ("same", "once"):
        bound = made.bind(name)
        ((_, data),) = bound.encode(BIG)
        assert struct.unpack("<q", data) == (BIG,)
        assert bound.to_phys(bound.decode(memory(data))).values.item() == BIG
    # a clamped neighbour must not round the other value
    found = made.bind("block").phys_to_raw([BIG, 2**63 - 1], clamp=True)
    assert found.raw.tolist() == [BIG, 5 * 10**18]
    assert found.clamped.tolist() == [False, True]


def test_what_has_no_raw_value_is_refused(made):
    for name, value in (("hyper", 0), ("root", -1)):
        with pytest.raises(UsageError, match=f"{name}: no raw value stands for {value}"):
            made.bind(name).encode(value)


def test_clamping_beside_a_status(made):
    values = np.asarray(["error", 120.0, 7.0], dtype=object)
    found = made.bind("stated").phys_to_raw(values, clamp=True)
    assert found.raw.tolist() == [255, 100, 7]
    assert found.clamped.tolist() == [False, True, False]
    with pytest.raises(LimitError):
        made.bind("stated").phys_to_raw(values)


def test_a_count_in_the_record_shortens_a_fixed_axis(made):
    bound, read = made.bind("counted"), memory(bytes([3, 7, 8, 9, 66]))
    found = bound.decode(read)
    assert (found.values.tolist(), found.axes[0].tolist()) == ([7, 8, 9], [10, 12, 14])
    assert bound.encode([1, 2, 3], read=read) == [(Address(0x101), bytes([1, 2, 3]))]
    with pytest.raises(UsageError, match="shape"):
        bound.encode([1, 2, 3, 4], read=read)


def test_rescale_pairs_of_a_standard_axis_convert_their_points_alone(made):
    read = memory(bytes([2, 0, 0, 100, 240, 1, 2, 3]))
    # points 10 and 1000 are raw 2 and 200; virtual points are numbers of the ECU and have no limits
    ((_, data),) = made.bind("rescaled").encode_axis(0, [[10, 0], [1000, 255]], read=read)
    assert data == bytes([2, 0, 200, 255])
    with pytest.raises(UsageError, match="rescale pairs"):
        made.bind("rescaled").encode_axis(0, [1, 2, 3], read=read)
