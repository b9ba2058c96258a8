"""Whatever descriptions are merged, their objects read the same from memory as before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from property.reading import memory, values
from xcaliper.a2l import parse
from xcaliper.a2l.merge import merge
from xcaliper.core.errors import PlanError

ORDERS = ("MSB_FIRST", "MSB_LAST", "MSB_LAST_MSW_FIRST", "LITTLE_ENDIAN")
BODY = """
  /begin RECORD_LAYOUT @T
    NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT FNC_VALUES 3 FLOAT32_IEEE COLUMN_DIR DIRECT
  /end RECORD_LAYOUT
  /begin RECORD_LAYOUT @A NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 ULONG INDEX_INCR DIRECT /end RECORD_LAYOUT
  /begin RECORD_LAYOUT @V FNC_VALUES 1 UWORD ROW_DIR DIRECT ALIGNMENT_WORD 4 /end RECORD_LAYOUT
  /begin RECORD_LAYOUT @L RESERVED 1 BYTE FNC_VALUES 2 A_INT64 ROW_DIR DIRECT /end RECORD_LAYOUT
  /begin MEASUREMENT @byte "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS 0x10 /end MEASUREMENT
  /begin MEASUREMENT @word "" SWORD NO_COMPU_METHOD 0 0 -9 9 ECU_ADDRESS 0x13 /end MEASUREMENT
  /begin MEASUREMENT @own "" ULONG NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x15 BYTE_ORDER MSB_FIRST /end MEASUREMENT
  /begin MEASUREMENT @mask "" ULONG NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x15 BIT_MASK 0xFF00 /end MEASUREMENT
  /begin CHARACTERISTIC @value "" VALUE 0x31 @V 0 NO_COMPU_METHOD 0 9 /end CHARACTERISTIC
  /begin CHARACTERISTIC @block "" VAL_BLK 0x41 @L 0 NO_COMPU_METHOD 0 9 NUMBER 5 /end CHARACTERISTIC
  /begin CHARACTERISTIC @curve "" CURVE 0x80 @T 0 NO_COMPU_METHOD 0 9
    /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 300 0 99 /end AXIS_DESCR
  /end CHARACTERISTIC
  /begin CHARACTERISTIC @told "" CURVE 0x91 @T 0 NO_COMPU_METHOD 0 9 BYTE_ORDER MSB_LAST
    /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 300 0 99 DEPOSIT DIFFERENCE /end AXIS_DESCR
  /end CHARACTERISTIC
  /begin AXIS_PTS @axis "" 0x213 NO_INPUT_QUANTITY @A 0 NO_COMPU_METHOD 300 0 99 /end AXIS_PTS
  /begin CHARACTERISTIC @common "" CURVE 0x333 @V 0 NO_COMPU_METHOD 0 9
    /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 300 0 99 AXIS_PTS_REF @axis /end AXIS_DESCR
  /end CHARACTERISTIC
  /begin TYPEDEF_MEASUREMENT @TM "" UWORD NO_COMPU_METHOD 0 0 0 9 /end TYPEDEF_MEASUREMENT
  /begin TYPEDEF_CHARACTERISTIC @TC "" VALUE @V 0 NO_COMPU_METHOD 0 9 /end TYPEDEF_CHARACTERISTIC
  /begin TYPEDEF_STRUCTURE @TS "" 0x8
    /begin STRUCTURE_COMPONENT part @TM 0x1 MATRIX_DIM 2 /end STRUCTURE_COMPONENT
    /begin STRUCTURE_COMPONENT value @TC 0x4 /end STRUCTURE_COMPONENT
  /end TYPEDEF_STRUCTURE
  /begin INSTANCE @inst "" @TS 0x500 MATRIX_DIM 2 /end INSTANCE
"""
COUNT = 4 + 5 + 2 * 2


def texts(name, words):
    text = " ".join(f"{key} {value}" for key, value in words.items() if value is not None)
    common = f'/begin MOD_COMMON "" {text} /end MOD_COMMON' if words else ""
    return (
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {common} '
        f"{BODY.replace('@', name)} /end MODULE /end PROJECT"
    )


def words():
    alignment = st.sampled_from([None, 1, 2, 4, 8])
    return st.fixed_dictionaries(
        {},
        optional={
            "BYTE_ORDER": st.sampled_from([None, *ORDERS]),
            "DEPOSIT": st.sampled_from([None, "ABSOLUTE", "DIFFERENCE"]),
            "ALIGNMENT_BYTE": alignment,
            "ALIGNMENT_WORD": alignment,
            "ALIGNMENT_LONG": alignment,
            "ALIGNMENT_INT64": alignment,
            "ALIGNMENT_FLOAT32_IEEE": alignment,
        },
    )


def joined(first, second, conflict):
    """The merged description as it is read again, and the report."""
    file = parse(first)
    editor, report = merge(file, parse(second), conflict=conflict)
    again = parse(editor.to_bytes())
    assert not again.diagnostics
    assert again.modules == file.modules
    return again, report


@settings(deadline=None, max_examples=60)
@given(
    words(),
    words(),
    st.sampled_from(["fail", "first", "second", "rename"]),
    st.integers(0, 1 << 30),
)
def test_objects_of_other_names(common, other, conflict, seed):
    read = memory(seed)
    first, second = texts("f", common), texts("s", other)
    before = values(parse(first), read) | values(parse(second), read)
    assert len(before) == 2 * COUNT
    told = [{k: v for k, v in side.items() if v is not None} for side in (common, other)]
    if conflict == "fail" and any(
        told[0][k] != told[1][k] for k in told[0].keys() & told[1].keys()
    ):
        with pytest.raises(PlanError, match="MOD_COMMON differs in"):
            joined(first, second, conflict)
        return
    again, report = joined(first, second, conflict)
    assert values(again, read) == before
    assert not report.of("unsaid")
    if conflict != "second":
        assert parse(first).module.mod_common is None or again.module.mod_common is not None
        of_first = [one.name for one in report.of("spelled") if one.name.startswith("f")]
        assert of_first == []


@settings(deadline=None, max_examples=30)
@given(words(), words(), st.integers(0, 1 << 30))
def test_objects_of_equal_names(common, other, seed):
    """Those that read differently are different objects, even if their texts are equal."""
    read = memory(seed)
    first, second = texts("x", common), texts("x", other)
    again, report = joined(first, second, "rename")
    now = values(again, read)
    new = {one.name: one.note for one in report.of("renamed")}
    assert now.items() >= values(parse(first), read).items()
    for name, value in values(parse(second), read).items():
        base = name.partition("[")[0]
        assert now[new.get(base, base) + name[len(base) :]] == value


def test_what_cannot_be_said_is_told():
    body = """/begin MEASUREMENT far "" UBYTE NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0 ADDRESS_TYPE PLONG /end MEASUREMENT
      /begin RECORD_LAYOUT R FNC_VALUES 1 UBYTE ROW_DIR PWORD /end RECORD_LAYOUT"""
    text = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {} /end MODULE /end PROJECT'
    common = '/begin MOD_COMMON "" BYTE_ORDER MSB_FIRST /end MOD_COMMON'
    par = '/begin MOD_PAR "" ECU_CALIBRATION_OFFSET 0x10 /end MOD_PAR'
    again, report = joined(text.format(""), text.format(common + par + body), "fail")
    assert again.module.mod_common.byte_order is None
    assert again.module.mod_par.ecu_calibration_offset is None
    told = {one.name: one.note for one in report.of("unsaid")}
    pointers = "its pointers are read as MSB_LAST now, not as MSB_FIRST"
    assert told == {
        "far": pointers,
        "R": f"{pointers}; ECU_CALIBRATION_OFFSET of its pointers is 0 now, not 16",
    }


@pytest.mark.parametrize("conflict", ["fail", "first", "rename"])
def test_only_what_relies_on_a_default_gets_a_word(conflict):
    file = parse(texts("f", {}))
    _, report = merge(file, parse(texts("s", {"BYTE_ORDER": "MSB_FIRST"})), conflict=conflict)
    told = {one.name for one in report.of("spelled")}
    assert told == {
        "sword",
        "smask",
        "svalue",
        "sblock",
        "scurve",
        "saxis",
        "scommon",
        "sTM",
        "sTC",
    }
    by_name = {made.name: made.byte_order for made in file.module.measurement}
    assert by_name["sbyte"] is None
    assert by_name["fword"] is None
    assert by_name["sword"] == "MSB_FIRST"
