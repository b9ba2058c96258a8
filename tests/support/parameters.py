"""A description with a parameter of every kind, and memory for it, byte by byte by hand."""

from __future__ import annotations

import struct

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

__all__ = ["BODY", "Bench", "described"]

BODY = """
/begin MOD_PAR "" EPK "V7" /end MOD_PAR
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U16 FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT S16 FNC_VALUES 1 SWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F32 FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT AX16 AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT AX8 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT R8 AXIS_RESCALE_X 1 UBYTE 2 INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT M AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UBYTE INDEX_INCR DIRECT
  FNC_VALUES 3 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT N NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD TENTH "" LINEAR "%6.1" "1/min" COEFFS_LINEAR 0.1 0 /end COMPU_METHOD
/begin COMPU_METHOD MODES "" TAB_VERB "" "" COMPU_TAB_REF MODES_T /end COMPU_METHOD
/begin COMPU_VTAB MODES_T "" TAB_VERB 3 0 "off" 1 "on" 2 "auto" /end COMPU_VTAB
/begin COMPU_METHOD GEARS "" TAB_VERB "" "" COMPU_TAB_REF GEARS_T /end COMPU_METHOD
/begin COMPU_VTAB GEARS_T "" TAB_VERB 2 0 "Manual" 1 "Automatic" /end COMPU_VTAB
/begin CHARACTERISTIC speed "idle speed" VALUE 0x100 U16 0 TENTH 0 1000 DISPLAY_IDENTIFIER d.speed
  /begin FUNCTION_LIST Idle /end FUNCTION_LIST /end CHARACTERISTIC
/begin CHARACTERISTIC torque "" VALUE 0x102 U16 0 NO_COMPU_METHOD 0 300 PHYS_UNIT "Nm" /end CHARACTERISTIC
/begin CHARACTERISTIC factor "" VALUE 0x104 F32 0 NO_COMPU_METHOD -10 10 /end CHARACTERISTIC
/begin CHARACTERISTIC mode "" VALUE 0x108 U8 0 MODES 0 2 /end CHARACTERISTIC
/begin CHARACTERISTIC flag "" VALUE 0x109 U8 0 NO_COMPU_METHOD 0 1 BIT_MASK 0x10 /end CHARACTERISTIC
/begin CHARACTERISTIC label "" ASCII 0x10A U8 0 NO_COMPU_METHOD 0 255 NUMBER 6 /end CHARACTERISTIC
/begin CHARACTERISTIC block "" VAL_BLK 0x110 U8 0 NO_COMPU_METHOD 0 200 MATRIX_DIM 3 2 /end CHARACTERISTIC
/begin AXIS_PTS ax "" 0x118 NO_INPUT_QUANTITY AX16 0 TENTH 3 0 6000 MONOTONY STRICT_INCREASE /end AXIS_PTS
/begin CHARACTERISTIC curve "" CURVE 0x120 S16 0 NO_COMPU_METHOD -100 100
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY TENTH 3 0 6000 AXIS_PTS_REF ax /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC map "" MAP 0x128 M 0 NO_COMPU_METHOD 0 100
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 50 /end AXIS_DESCR
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 50 MONOTONY STRICT_INCREASE
  /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC fixed "" CURVE 0x140 U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 50
    /begin FIX_AXIS_PAR_LIST 0 5 10 /end FIX_AXIS_PAR_LIST /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC cube "" CUBOID 0x148 U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 5 1 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC modes "" VAL_BLK 0x150 U8 0 MODES 0 2 MATRIX_DIM 2 /end CHARACTERISTIC
/begin AXIS_PTS rx "" 0x154 NO_INPUT_QUANTITY R8 0 NO_COMPU_METHOD 3 0 255 /end AXIS_PTS
/begin BLOB blob "raw bytes" 0x160 4 /end BLOB
/begin CHARACTERISTIC twice "" VALUE 0x168 U16 0 NO_COMPU_METHOD 0 400
  /begin DEPENDENT_CHARACTERISTIC "X1*2" torque /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC virtual "" VALUE 0 U16 0 NO_COMPU_METHOD 0 400
  /begin VIRTUAL_CHARACTERISTIC "X1+1" torque /end VIRTUAL_CHARACTERISTIC /end CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC GAIN "" VALUE U8 0 NO_COMPU_METHOD 0 255 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE PID "" 2
  /begin STRUCTURE_COMPONENT p GAIN 0 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT i GAIN 1 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE pid "" PID 0x170 MATRIX_DIM 2 /end INSTANCE
/begin CHARACTERISTIC gear "" VALUE 0x178 U8 0 GEARS 0 1 /end CHARACTERISTIC
/begin CHARACTERISTIC coded "" VALUE 0 U8 0 NO_COMPU_METHOD 0 99 /end CHARACTERISTIC
/begin AXIS_PTS cx "" 0x188 NO_INPUT_QUANTITY AX8 0 NO_COMPU_METHOD 2 0 255 /end AXIS_PTS
/begin CHARACTERISTIC ccurve "" CURVE 0 U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 255 AXIS_PTS_REF cx /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC plain "" CURVE 0x18C U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 255 AXIS_PTS_REF cx /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC locked "" VALUE 0x190 U8 0 NO_COMPU_METHOD 0 255 READ_ONLY /end CHARACTERISTIC
/begin AXIS_PTS counted "" 0x194 NO_INPUT_QUANTITY N 0 NO_COMPU_METHOD 3 0 255 /end AXIS_PTS
/begin CHARACTERISTIC gone "" VALUE 0x9000 U8 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin MEASUREMENT rpm "" UWORD TENTH 0 0 0 6000 ECU_ADDRESS 0x100 /end MEASUREMENT
/begin VARIANT_CODING
  /begin VAR_CRITERION Gear "" Manual Automatic VAR_SELECTION_CHARACTERISTIC gear /end VAR_CRITERION
  /begin VAR_CHARACTERISTIC coded Gear /begin VAR_ADDRESS 0x180 0x181 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC cx Gear /begin VAR_ADDRESS 0x182 0x184 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC ccurve Gear /begin VAR_ADDRESS 0x186 0x188 /end VAR_ADDRESS
  /end VAR_CHARACTERISTIC
/end VARIANT_CODING
/begin FUNCTION Idle "Idle control" FUNCTION_VERSION "1.2"
  /begin DEF_CHARACTERISTIC torque /end DEF_CHARACTERISTIC
  /begin SUB_FUNCTION Inner Idle /end SUB_FUNCTION /end FUNCTION
/begin FUNCTION Inner "" /begin REF_CHARACTERISTIC map torque /end REF_CHARACTERISTIC /end FUNCTION
/begin GROUP All "" ROOT /begin SUB_GROUP Part Missing /end SUB_GROUP /end GROUP
/begin GROUP Part "" /begin REF_CHARACTERISTIC block pid /end REF_CHARACTERISTIC
  /begin FUNCTION_LIST Inner /end FUNCTION_LIST
  /begin SUB_GROUP All /end SUB_GROUP /end GROUP
"""

BYTES = {
    0x100: struct.pack("<HH", 7800, 5) + struct.pack("<f", 0.5),
    0x108: bytes([1, 0x35]) + b"REV C\0",
    0x110: bytes([1, 2, 3, 4, 5, 6]),
    0x118: struct.pack("<3H", 8000, 20000, 45000),
    0x120: struct.pack("<3h", -1, 0, 1),
    0x128: bytes([1, 2, 3, 10, 20, 1, 2, 3, 4, 5, 6]),
    0x140: bytes([7, 8, 9]),
    0x148: bytes(range(1, 9)),
    0x150: bytes([0, 2]),
    0x154: bytes([10, 0, 30, 100]),
    0x160: b"\xde\xad\xbe\xef",
    0x168: struct.pack("<H", 10),
    0x170: bytes([11, 12, 21, 22]),
    0x178: bytes([1]),
    0x180: bytes([40, 41, 1, 2, 3, 4, 50, 51, 60, 61]),
    0x18C: bytes([70, 71]),
    0x190: bytes([9]),
    0x194: bytes([2, 4, 5, 6]),
}


def described(body: str = BODY) -> Catalog:
    """Names of a module with this inside."""
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics, file.diagnostics
    return Catalog(file)


class Bench:
    """The description and its memory; what was odd and what was read is kept."""

    def __init__(self) -> None:
        self.catalog = described()
        self.memory = SparseMemory()
        self.memory.add(Address(0x100), bytearray(0x100))
        for address, data in BYTES.items():
            self.memory.write(Address(address), data)
        self.told: list[str] = []
        self.reads: list[tuple[int, int]] = []

    def read(self, address: Address, size_bytes: int) -> bytes:
        self.reads.append((address.value, size_bytes))
        return self.memory.read(address, size_bytes)

    def tell(self, problem) -> None:
        self.told.append(str(problem))

    def write(self, writes) -> None:
        for address, data in writes:
            self.memory.write(address, data)

    def whole(self) -> bytes:
        return self.memory.read(Address(0x100), 0x100)
