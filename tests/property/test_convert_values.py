"""Whatever version a description is converted to, what it still has reads the same from memory."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from property.reading import memory, values
from xcaliper.a2l import parse
from xcaliper.a2l.convert import VERSIONS, convert
from xcaliper.quantity.flatten import flatten

ROOT = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[2] / "../shared/data"))
FILES = sorted(p for p in ROOT.glob("a2l/**/*.a2l") if p.stat().st_size < 40_000)

COMMON = """/begin MODULE m ""
  /begin MOD_PAR "" SYSTEM_CONSTANT "GAIN" "3" /end MOD_PAR
  /begin MOD_COMMON "" BYTE_ORDER {order} ALIGNMENT_WORD 2 /end MOD_COMMON
  /begin RECORD_LAYOUT B FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
  /begin RECORD_LAYOUT W FNC_VALUES 1 SWORD ROW_DIR DIRECT /end RECORD_LAYOUT
  /begin RECORD_LAYOUT T
    NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT FNC_VALUES 3 SWORD COLUMN_DIR DIRECT
  /end RECORD_LAYOUT
  /begin COMPU_METHOD RAT "" RAT_FUNC "%6.2" "Nm" COEFFS 0 4 -7 0 0 2 /end COMPU_METHOD
  /begin COMPU_METHOD TAB "" TAB_INTP "%6.2" "Nm" COMPU_TAB_REF TT /end COMPU_METHOD
  /begin COMPU_TAB TT "" TAB_INTP 3 0 5 100 7 255 -3 DEFAULT_VALUE "none" /end COMPU_TAB
  /begin COMPU_METHOD VERB "" TAB_VERB "%6.2" "" COMPU_TAB_REF VT /end COMPU_METHOD
  /begin COMPU_VTAB VT "" TAB_VERB 2 0 "off" 1 "on" DEFAULT_VALUE "?" /end COMPU_VTAB
  {methods}
"""
END = "/end MODULE /end PROJECT"
NEW = f"""ASAP2_VERSION 1 71 /begin PROJECT p ""
{COMMON}
  /begin COMPU_METHOD LIN "" LINEAR "%6.2" "km/h" COEFFS_LINEAR 0.5 -40 /end COMPU_METHOD
  /begin COMPU_METHOD ID "" IDENTICAL "%6.2" "rpm" /end COMPU_METHOD
  /begin MEASUREMENT lin "" UWORD LIN 0 0 -40 9000 ECU_ADDRESS 0x10 PHYS_UNIT "m/s" BIT_MASK 0x0FF0 /end MEASUREMENT
  /begin MEASUREMENT arr "" SWORD ID 0 0 -9 9 ECU_ADDRESS 0x20 MATRIX_DIM 3 2 LAYOUT ROW_DIR /end MEASUREMENT
  /begin MEASUREMENT form "" UBYTE FORM 0 0 0 9 ECU_ADDRESS 0x41 PHYS_UNIT "A" /end MEASUREMENT
  /begin MEASUREMENT none "" ULONG NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x44 PHYS_UNIT "V" /end MEASUREMENT
  /begin MEASUREMENT form2 "" SBYTE FORM 0 0 0 9 ECU_ADDRESS 0x48 /end MEASUREMENT
  /begin MEASUREMENT verb "" UBYTE VERB 0 0 0 9 ECU_ADDRESS 0x49 BIT_MASK 1 /end MEASUREMENT
  /begin CHARACTERISTIC blk "" VAL_BLK 0x60 W 0 LIN -99 99 MATRIX_DIM 2 3 /end CHARACTERISTIC
  /begin CHARACTERISTIC fix "" CURVE 0x80 W 0 LIN -99 99
    /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY LIN 4 0 99 PHYS_UNIT "s" FIX_AXIS_PAR_DIST 2 3 4 /end AXIS_DESCR
  /end CHARACTERISTIC
  /begin TYPEDEF_MEASUREMENT TM "" UWORD LIN 0 0 -40 9000 /end TYPEDEF_MEASUREMENT
  /begin TYPEDEF_CHARACTERISTIC TC "" VALUE W 0 ID -9 9 PHYS_UNIT "x" /end TYPEDEF_CHARACTERISTIC
  /begin TYPEDEF_STRUCTURE TS "" 0x8
    /begin STRUCTURE_COMPONENT part TM 0x0 MATRIX_DIM 2 /end STRUCTURE_COMPONENT
    /begin STRUCTURE_COMPONENT value TC 0x4 /end STRUCTURE_COMPONENT
  /end TYPEDEF_STRUCTURE
  /begin INSTANCE inst "" TS 0xA0 MATRIX_DIM 2 /end INSTANCE
{END}"""
OLD = f"""ASAP2_VERSION 1 50 /begin PROJECT p ""
{COMMON}
  /begin MEASUREMENT rat "" UWORD RAT 0 0 0 9 ECU_ADDRESS 0x10 ARRAY_SIZE 3 /end MEASUREMENT
  /begin MEASUREMENT form "" UBYTE FORM 0 0 0 9 ECU_ADDRESS 0x41 /end MEASUREMENT
  /begin MEASUREMENT tab "" UBYTE TAB 0 0 0 9 ECU_ADDRESS 0x42 BYTE_ORDER BIG_ENDIAN /end MEASUREMENT
  /begin CHARACTERISTIC blk "" VAL_BLK 0x60 W 0 RAT -99 99 NUMBER 5 BYTE_ORDER LITTLE_ENDIAN /end CHARACTERISTIC
  /begin CHARACTERISTIC table "" CURVE 0x80 T 0 RAT -99 99
    /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY TAB 300 0 99 /end AXIS_DESCR
  /end CHARACTERISTIC
{END}"""
NEW_FORMULAS = ("X1 + sysc(GAIN)", "pow(X1, 2) / 4", "(X1 > 9 && X1 < 99) * acos(X1 / 255)")
OLD_FORMULAS = ("X1 ^ 2 / sysc(GAIN)", "-X1^2", "(X1 > 9 & ~(X1 < 99)) * arccos(X1 / 255)")


def same_values(text, target, read):
    file = parse(text)
    before = values(file, read)
    result = convert(file, target, expand=flatten)
    again = parse(result.editor.to_bytes())
    assert again.version == target
    now = values(again, read)
    for name in before.keys() & now.keys():
        assert now[name] == before[name], (name, target, [str(n) for n in result.notes])
    gone = before.keys() - now.keys()
    lost = {note.name for note in result.lost}
    assert all(name in lost or name.partition(".")[0].partition("[")[0] in lost for name in gone)
    return again


@settings(deadline=None, max_examples=30)
@given(
    text=st.sampled_from([NEW, OLD]),
    order=st.sampled_from(["MSB_FIRST", "MSB_LAST"]),
    way=st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=3),
    formula=st.integers(0, 2),
    seed=st.integers(0, 1 << 30),
)
def test_all_ways(text, order, way, formula, seed):
    fx = (NEW_FORMULAS if text is NEW else OLD_FORMULAS)[formula]
    method = f'/begin COMPU_METHOD FORM "" FORM "%6.2" "" /begin FORMULA "{fx}" /end FORMULA /end COMPU_METHOD'
    text = text.replace("{order}", order).replace("{methods}", method)
    read = memory(seed)
    assert len(values(parse(text), read)) == text.count("ECU_ADDRESS") + text.count(
        "/begin CHARACTERISTIC"
    ) + 4 * text.count("/begin INSTANCE")
    for target in way:
        text = same_values(text, target, read).to_bytes()


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_real_files():
    seen = 0
    for path, target in itertools.product(FILES, ("1.50", "1.60")):
        file = parse(path.read_bytes())
        if file.project is None or not file.modules:
            continue
        again = same_values(path.read_bytes(), target, memory(1))
        seen += len(values(again, memory(1)))
    assert seen > 100
