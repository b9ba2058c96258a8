"""Objects bound to memory images that were worked out by hand, byte by byte."""

import struct

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import LimitError, NotFoundError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

COMMON = """
/begin MOD_COMMON "" BYTE_ORDER MSB_LAST ALIGNMENT_WORD 2 ALIGNMENT_LONG 4 ALIGNMENT_FLOAT32_IEEE 4 /end MOD_COMMON
/begin COMPU_METHOD TENTH "" RAT_FUNC "%5.1" "V" COEFFS 0 10 0 0 0 1 /end COMPU_METHOD
/begin COMPU_METHOD LESS50 "" LINEAR "%5.1" "degC" COEFFS_LINEAR 1 -50 /end COMPU_METHOD
/begin COMPU_METHOD SWITCH "" TAB_VERB "" "" COMPU_TAB_REF SWITCH_TEXTS /end COMPU_METHOD
/begin COMPU_VTAB SWITCH_TEXTS "" TAB_VERB 2 0 "off" 1 "on" /end COMPU_VTAB
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U16 FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U8C FNC_VALUES 1 UBYTE COLUMN_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F32 FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
"""


def catalog(body):
    text = f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {COMMON} {body} /end MODULE /end PROJECT'
    file = parse(text)
    assert not file.diagnostics
    return Catalog(file)


def reader(start, data):
    memory = SparseMemory()
    memory.add(Address(start), bytearray(data))
    return memory.read


def measurement(name, datatype="UBYTE", conversion="NO_COMPU_METHOD", limits="0 255", options=""):
    return (
        f'/begin MEASUREMENT {name} "" {datatype} {conversion} 0 0 {limits} ECU_ADDRESS 0x100 {options}'
        " /end MEASUREMENT\n"
    )


# ---- measurements


@pytest.mark.parametrize(
    ("datatype", "options", "data", "raw"),
    [
        ("SBYTE", "", b"\xff", -1),
        ("UWORD", "BYTE_ORDER MSB_FIRST", b"\x12\x34", 0x1234),
        ("ULONG", "BYTE_ORDER MSB_LAST", b"\x44\x33\x22\x11", 0x11223344),
        ("ULONG", "BYTE_ORDER MSB_FIRST_MSW_LAST", b"\x33\x44\x11\x22", 0x11223344),
        ("ULONG", "BYTE_ORDER MSB_LAST_MSW_FIRST", b"\x22\x11\x44\x33", 0x11223344),
        ("A_UINT64", "", b"\xff" * 8, 2**64 - 1),
        ("A_INT64", "", b"\xfe" + b"\xff" * 7, -2),
        ("FLOAT32_IEEE", "", struct.pack("<f", 1.5), 1.5),
        ("FLOAT64_IEEE", "BYTE_ORDER MSB_FIRST", struct.pack(">d", -2.25), -2.25),
        ("FLOAT16_IEEE", "", struct.pack("<e", 0.5), 0.5),
        ("UBYTE", "BIT_MASK 0xC", b"\xba", 0b10),
        ("UBYTE", "BIT_MASK 0xA", b"\xbe", 0b101),
        (
            "UBYTE",
            "BIT_MASK 0xF0 /begin BIT_OPERATION RIGHT_SHIFT 0 /end BIT_OPERATION",
            b"\xba",
            0xB0,
        ),
        (
            "UBYTE",
            "BIT_MASK 0xF0 /begin BIT_OPERATION RIGHT_SHIFT 4 SIGN_EXTEND /end BIT_OPERATION",
            b"\xba",
            -5,
        ),
        (
            "UBYTE",
            "BIT_MASK 0x0F /begin BIT_OPERATION LEFT_SHIFT 2 /end BIT_OPERATION",
            b"\xba",
            0x28,
        ),
        ("UWORD", "BIT_MASK 0xFFFF", b"\xff\xff", 0xFFFF),
        ("UBYTE", "BIT_MASK 0xFF01", b"\xff", 1),
        ("A_UINT64", "BIT_MASK 0x8000000000000000", b"\0" * 7 + b"\x80", 1),
        ("SWORD", "BIT_MASK 0xFF00", b"\x34\x92", 0x92),
    ],
)
def test_measurement_raw_values(datatype, options, data, raw):
    bound = catalog(measurement("m", datatype, options=options)).bind("m")
    assert bound.size_bytes == len(data)
    assert bound.decode(data).item() == raw


def test_measurement_properties():
    options = (
        'ECU_ADDRESS_EXTENSION 2 READ_WRITE MATRIX_DIM 3 2 1 FORMAT "%3.1" /begin IF_DATA XCP /begin DAQ_EVENT '
        "VARIABLE /begin AVAILABLE_EVENT_LIST EVENT 1 EVENT 2 /end AVAILABLE_EVENT_LIST /begin DEFAULT_EVENT_LIST "
        "EVENT 2 /end DEFAULT_EVENT_LIST /end DAQ_EVENT /end IF_DATA"
    )
    bound = catalog(measurement("m", "UWORD", "TENTH", "0 100", options)).bind("m")
    assert bound.address == Address(0x100, 2)
    assert (bound.shape, bound.count, bound.size_bytes) == ((2, 3), 6, 12)
    assert (bound.unit, bound.writable, bound.format) == ("V", True, "%3.1")
    assert (bound.available_events, bound.default_events) == ((1, 2), (2,))
    raw = bound.decode(struct.pack("<6H", 1, 2, 3, 4, 5, 6))
    assert raw.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert bound.to_phys(raw)[1].tolist() == pytest.approx([0.4, 0.5, 0.6])
    samples = np.arange(12, dtype=np.uint16).reshape(2, 6)
    assert bound.arrange(samples).tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_samples_of_arrays_keep_their_leading_dimension():
    options = "MATRIX_DIM 3 2 LAYOUT COLUMN_DIR"
    bound = catalog(measurement("m", options=options)).bind("m")
    flat = np.array([[1, 4, 2, 5, 3, 6]] * 4, dtype=np.uint8)
    for samples in (flat, flat.reshape(4, 2, 3)):
        raw = bound.arrange(samples)
        assert raw.shape == (4, 2, 3)
        assert raw[3].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_measurement_in_columns():
    bound = catalog(measurement("m", options="MATRIX_DIM 3 2 LAYOUT COLUMN_DIR")).bind("m")
    assert bound.decode(b"\1\4\2\5\3\6").tolist() == [[1, 2, 3], [4, 5, 6]]
    assert bound.encode([[1, 2, 3], [4, 5, 6]]) == [(Address(0x100), b"\1\4\2\5\3\6")]


def test_measurement_writes_check_first():
    bound = catalog(measurement("m", "UWORD", "TENTH", "0 100")).bind("m")
    assert bound.encode(12.34) == [(Address(0x100), b"\x7b\0")]
    with pytest.raises(LimitError, match=r"m: 100\.1"):
        bound.encode(100.1)
    with pytest.raises(UsageError, match="shape"):
        bound.encode([1, 2])


def test_measurement_bit_write_keeps_the_other_bits():
    bound = catalog(measurement("m", "UBYTE", limits="0 3", options="BIT_MASK 0xC")).bind("m")
    assert bound.encode(1, current=b"\xba") == [(Address(0x100), b"\xb6")]
    with pytest.raises(UsageError, match="bit mask"):
        bound.encode(1)


def test_measurement_without_address():
    made = '/begin MEASUREMENT m "" UBYTE NO_COMPU_METHOD 0 0 0 1 /end MEASUREMENT'
    with pytest.raises(UsageError, match="m: it has no address"):
        catalog(made).bind("m")


# ---- parameters


def characteristic(kind, layout, options="", conversion="NO_COMPU_METHOD", limits="0 255"):
    return (
        f'/begin CHARACTERISTIC c "" {kind} 0x100 {layout} 0 {conversion} {limits} {options}'
        " /end CHARACTERISTIC\n"
    )


AXIS = "/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY {} {} 0 255 {} /end AXIS_DESCR\n"


def fixed(par, count, conversion="NO_COMPU_METHOD"):
    return f"/begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY {conversion} {count} -100 255 {par} /end AXIS_DESCR\n"


def test_scalar():
    bound = catalog(characteristic("VALUE", "U16", conversion="TENTH", limits="0 20")).bind("c")
    read = reader(0x100, b"\x7b\0")
    raw = bound.decode(read)
    assert raw.values.item() == 123
    assert bound.to_phys(raw).values.item() == pytest.approx(12.3)
    assert bound.encode(1.25) == [(Address(0x100), b"\x0d\0")]
    with pytest.raises(LimitError):
        bound.encode(20.1)


def test_hard_limits_win_over_soft_ones():
    bound = catalog(characteristic("VALUE", "U8", "EXTENDED_LIMITS 0 20", limits="0 10")).bind("c")
    assert bound.soft_limits == (0, 10)
    assert bound.encode(15) == [(Address(0x100), b"\x0f")]
    with pytest.raises(LimitError) as caught:
        bound.encode(21)
    assert (caught.value.name, caught.value.upper) == ("c", 20)


def test_enum_accepts_texts():
    bound = catalog(characteristic("VALUE", "U8", conversion="SWITCH", limits="0 1")).bind("c")
    assert bound.encode("on") == [(Address(0x100), b"\x01")]
    assert bound.to_phys(bound.decode(reader(0x100, b"\x01"))).values.item() == "on"
    with pytest.raises(UsageError, match="on"):
        bound.encode("onn")
    with pytest.raises(LimitError):
        bound.encode(2)


def test_bits_are_merged():
    bound = catalog(characteristic("VALUE", "U8", "BIT_MASK 0x30", limits="0 3")).bind("c")
    read = reader(0x100, b"\xff")
    assert bound.decode(read).values.item() == 3
    assert bound.encode(1, read=read) == [(Address(0x100), b"\xdf")]
    with pytest.raises(UsageError, match="reader"):
        bound.encode(1)


def test_text():
    bound = catalog(characteristic("ASCII", "U8", "NUMBER 6")).bind("c")
    assert bound.to_phys(bound.decode(reader(0x100, b"abc\0xy"))).values == "abc"
    assert bound.encode("hello") == [(Address(0x100), b"hello\0")]
    assert bound.encode("exact!") == [(Address(0x100), b"exact!")]
    with pytest.raises(UsageError, match="room for 6"):
        bound.encode("too long")
    with pytest.raises(UsageError, match="cannot hold"):
        bound.encode("日")


def test_text_in_utf16():
    bound = catalog(
        characteristic("ASCII", "U16", "MATRIX_DIM 4 ENCODING UTF16 BYTE_ORDER MSB_FIRST")
    ).bind("c")
    assert bound.to_phys(bound.decode(reader(0x100, b"\0A\0\xe4\0\0\0\0"))).values == "Aä"
    assert bound.encode("äB") == [(Address(0x100), b"\0\xe4\0B\0\0\0\0")]


@pytest.mark.parametrize(
    ("layout", "data"), [("U8", bytes(range(12))), ("U8C", b"\0\3\6\x09\1\4\7\x0a\2\5\x08\x0b")]
)
def test_value_block_3_by_4(layout, data):
    """MATRIX_DIM 3 4: three columns, four rows; COLUMN_DIR has Y fastest."""
    bound = catalog(characteristic("VAL_BLK", layout, "MATRIX_DIM 3 4 1")).bind("c")
    assert bound.shape == (4, 3)
    logical = np.arange(12).reshape(4, 3)
    assert bound.decode(reader(0x100, data)).values.tolist() == logical.tolist()
    assert bound.encode(logical) == [(Address(0x100), data)]
    with pytest.raises(UsageError, match=r"\(4, 3\)"):
        bound.encode(logical.T)
    wrong = logical.copy()
    wrong[2, 1] = 999
    with pytest.raises(LimitError) as caught:
        bound.encode(wrong)
    assert caught.value.name == "c[2][1]"


@pytest.mark.parametrize(
    ("mode", "order"),
    [
        ("ROW_DIR", lambda z, y, x: (z * 3 + y) * 2 + x),
        ("COLUMN_DIR", lambda z, y, x: (z * 2 + x) * 3 + y),
    ],
)
def test_cuboid_2_3_4(mode, order):
    body = f"/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE {mode} DIRECT /end RECORD_LAYOUT"
    axes = "".join(fixed(f"FIX_AXIS_PAR_DIST 0 1 {n}", n) for n in (2, 3, 4))
    bound = catalog(body + characteristic("CUBOID", "L", axes)).bind("c")
    values = bound.decode(reader(0x100, bytes(range(24)))).values
    assert values.shape == (4, 3, 2)
    for z, y, x in np.ndindex(4, 3, 2):
        assert values[z, y, x] == order(z, y, x)
    assert bound.encode(values) == [(Address(0x100), bytes(range(24)))]


CURVE = """/begin RECORD_LAYOUT L NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT
FNC_VALUES 3 FLOAT32_IEEE COLUMN_DIR DIRECT {} /end RECORD_LAYOUT"""


def test_compact_curve_moves_with_its_count():
    """Count 2 at 0, pad, points at 2 and 4, pad to 8, values at 8 and 12."""
    bound = catalog(
        CURVE.format("") + characteristic("CURVE", "L", AXIS.format("TENTH", 4, ""))
    ).bind("c")
    data = b"\2\0" + struct.pack("<2H", 10, 20) + b"\0\0" + struct.pack("<2f", 1.5, 2.5)
    read = reader(0x100, data + b"\xee" * 64)
    raw = bound.decode(read)
    assert raw.values.tolist() == [1.5, 2.5]
    assert bound.to_phys(raw).axes[0].tolist() == [1.0, 2.0]
    assert bound.shape == (4,)
    assert bound.memory_ranges()[0].size_bytes == 12 + 16
    assert bound.encode([3, 4], read=read) == [(Address(0x108), struct.pack("<2f", 3, 4))]
    assert bound.encode_axis(0, [0.5, 9], read=read) == [
        (Address(0x102), struct.pack("<2H", 5, 90))
    ]


def test_static_curve_keeps_room_for_the_maximum():
    """Points at 2 … 9, values at 12 although only two are valid."""
    body = CURVE.format("STATIC_RECORD_LAYOUT")
    bound = catalog(
        body + characteristic("CURVE", "L", AXIS.format("NO_COMPU_METHOD", 4, ""))
    ).bind("c")
    data = b"\2\0" + struct.pack("<4H", 10, 20, 0, 0) + b"\0\0" + struct.pack("<4f", 1.5, 2.5, 0, 0)
    raw = bound.decode(reader(0x100, data))
    assert raw.values.tolist() == [1.5, 2.5]
    assert raw.axes[0].tolist() == [10, 20]


@pytest.mark.parametrize("count", [0, 9])
def test_impossible_count_reads_the_maximum(count):
    body = CURVE.format("STATIC_RECORD_LAYOUT")
    bound = catalog(
        body + characteristic("CURVE", "L", AXIS.format("NO_COMPU_METHOD", 4, ""))
    ).bind("c")
    assert bound.decode(reader(0x100, bytes([count]) + bytes(63))).values.shape == (4,)


def test_alignment_counts_from_address_zero():
    body = "/begin RECORD_LAYOUT L RESERVED 1 BYTE FNC_VALUES 2 ULONG ROW_DIR DIRECT /end RECORD_LAYOUT"
    made = characteristic("VALUE", "L", limits="0 1e9").replace("0x100", "0x101")
    bound = catalog(body + made).bind("c")
    assert bound.encode(1) == [(Address(0x104), b"\1\0\0\0")]


def test_layout_alignment_wins():
    body = "/begin RECORD_LAYOUT L RESERVED 1 BYTE FNC_VALUES 2 ULONG ROW_DIR DIRECT ALIGNMENT_LONG 1 /end RECORD_LAYOUT"
    bound = catalog(body + characteristic("VALUE", "L")).bind("c")
    assert bound.encode(1) == [(Address(0x101), b"\1\0\0\0")]


def test_falling_axis_reverses_points_and_values():
    body = """/begin RECORD_LAYOUT L AXIS_PTS_X 1 UBYTE INDEX_DECR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT
    /end RECORD_LAYOUT"""
    bound = catalog(
        body + characteristic("CURVE", "L", AXIS.format("NO_COMPU_METHOD", 3, ""))
    ).bind("c")
    read = reader(0x100, b"\x1e\x14\x0a\3\2\1")
    raw = bound.decode(read)
    assert raw.axes[0].tolist() == [10, 20, 30]
    assert raw.values.tolist() == [1, 2, 3]
    assert bound.encode([4, 5, 6]) == [(Address(0x103), b"\6\5\4")]
    assert bound.encode_axis(0, [7, 8, 9], read=read) == [(Address(0x100), b"\x09\x08\x07")]


def test_map_with_two_falling_axes():
    body = """/begin RECORD_LAYOUT L AXIS_PTS_X 1 UBYTE INDEX_DECR DIRECT AXIS_PTS_Y 2 UBYTE INDEX_DECR DIRECT
    FNC_VALUES 3 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT"""
    axes = AXIS.format("NO_COMPU_METHOD", 3, "") + AXIS.format("NO_COMPU_METHOD", 2, "")
    bound = catalog(body + characteristic("MAP", "L", axes)).bind("c")
    raw = bound.decode(reader(0x100, b"\3\2\1" + b"\x14\x0a" + b"\6\5\4\3\2\1"))
    assert raw.values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert [a.tolist() for a in raw.axes] == [[1, 2, 3], [10, 20]]
    assert bound.encode(raw.values) == [(Address(0x105), b"\6\5\4\3\2\1")]


def test_differences_add_up():
    axis = AXIS.format("NO_COMPU_METHOD", 3, "DEPOSIT DIFFERENCE")
    body = """/begin RECORD_LAYOUT L AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT
    /end RECORD_LAYOUT"""
    bound = catalog(body + characteristic("CURVE", "L", axis)).bind("c")
    read = reader(0x100, b"\x64\x64\x32\1\2\3")
    assert bound.decode(read).axes[0].tolist() == [100, 200, 250]
    assert bound.encode_axis(0, [1, 3, 9], read=read) == [(Address(0x100), b"\1\2\6")]


@pytest.mark.parametrize(
    ("par", "count", "conversion", "expected"),
    [
        ("FIX_AXIS_PAR 0 4 6", 6, "NO_COMPU_METHOD", [0, 16, 32, 48, 64, 80]),
        ("FIX_AXIS_PAR_DIST 1 1 6", 6, "LESS50", [-49, -48, -47, -46, -45, -44]),
        (
            "/begin FIX_AXIS_PAR_LIST 1 2.5 9 /end FIX_AXIS_PAR_LIST",
            3,
            "NO_COMPU_METHOD",
            [1, 2.5, 9],
        ),
    ],
)
def test_fixed_axes_are_converted(par, count, conversion, expected):
    bound = catalog(characteristic("CURVE", "U8", fixed(par, count, conversion))).bind("c")
    phys = bound.to_phys(bound.decode(reader(0x100, bytes(count))))
    assert phys.axes[0].tolist() == expected
    with pytest.raises(UsageError, match="fixed"):
        bound.encode_axis(0, expected, read=reader(0x100, bytes(count)))


def test_fixed_axis_with_operands_in_memory():
    body = """/begin RECORD_LAYOUT L OFFSET_X 1 SBYTE DIST_OP_X 2 UBYTE FIX_NO_AXIS_PTS_X 3
    FNC_VALUES 3 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT"""
    bound = catalog(body + characteristic("CURVE", "L", fixed("", 8))).bind("c")
    raw = bound.decode(reader(0x100, b"\xfe\x05\1\2\3" + bytes(8)))
    assert raw.axes[0].tolist() == [-2, 3, 8]
    assert raw.values.tolist() == [1, 2, 3]


COMMON_AXIS = """/begin RECORD_LAYOUT A NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin AXIS_PTS ax "" 0x200 NO_INPUT_QUANTITY A 0 TENTH 15 0 25.5 MONOTONY STRICT_INCREASE /end AXIS_PTS
"""
COM = (
    "/begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY LESS50 15 -50 255 AXIS_PTS_REF ax /end AXIS_DESCR"
)


def test_common_axis_tells_the_count_and_the_table_its_own_conversion():
    bound = catalog(COMMON_AXIS + characteristic("CURVE", "U8", COM)).bind("c")
    memory = SparseMemory()
    memory.add(Address(0x100), bytes(range(1, 20)))
    memory.add(Address(0x200), b"\5\x0a\x14\x1e\x28\x32" + bytes(10))
    phys = bound.to_phys(bound.decode(memory.read))
    assert phys.values.tolist() == [1, 2, 3, 4, 5]
    assert phys.axes[0].tolist() == [-40, -30, -20, -10, 0]
    assert [str(r.start) for r in bound.memory_ranges()] == ["0x00000100", "0x00000200"]
    assert bound.encode([9] * 5, read=memory.read) == [(Address(0x100), b"\t" * 5)]
    with pytest.raises(UsageError, match="reader"):
        bound.encode([9] * 5)
    assert bound.encode_axis(0, [-49, -48, 0, 50, 205], read=memory.read) == [
        (Address(0x201), b"\x01\x02\x32\x64\xff")
    ]
    with pytest.raises(UsageError, match="STRICT_INCREASE"):
        bound.encode_axis(0, [1, 2, 2, 4, 5], read=memory.read)
    with pytest.raises(LimitError):
        bound.encode_axis(0, [1, 2, 3, 4, 256], read=memory.read)


def test_axis_object_on_its_own():
    bound = catalog(COMMON_AXIS).bind("ax")
    raw = bound.points(b"\3\x0a\x14\x1e" + bytes(12))
    assert bound.to_phys(raw).tolist() == [1, 2, 3]
    assert bound.shape == (15,)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (characteristic("VALUE", "NONE"), "c: record layout NONE"),
        (characteristic("MAP", "U8"), "c: MAP needs 2"),
        (characteristic("VAL_BLK", "U8"), "c: VAL_BLK has neither"),
        (characteristic("VALUE", "U8", conversion="NONE"), "conversion NONE"),
        (
            characteristic(
                "CURVE",
                "U8",
                "/begin AXIS_DESCR RES_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 9 /end AXIS_DESCR",
            ),
            "AXIS_PTS_REF: no such axis of c",
        ),
        (
            characteristic(
                "VALUE", "U8", '/begin VIRTUAL_CHARACTERISTIC "X1" x /end VIRTUAL_CHARACTERISTIC'
            ),
            "c: it is virtual",
        ),
    ],
)
def test_refusals_name_the_object(body, word):
    with pytest.raises(UsageError, match=word):
        catalog(body).bind("c")


# ---- instances and catalogue

STRUCTURES = """
/begin TYPEDEF_MEASUREMENT M16 "" UWORD TENTH 0 0 0 100 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_CHARACTERISTIC K8 "" VALUE U8 0 NO_COMPU_METHOD 0 255 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_AXIS AX8 "" NO_INPUT_QUANTITY A8 0 NO_COMPU_METHOD 3 0 255 /end TYPEDEF_AXIS
/begin RECORD_LAYOUT A8 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin TYPEDEF_CHARACTERISTIC CU8 "" CURVE U8 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 255 AXIS_PTS_REF THIS.x /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE Inner "" 8
  /begin STRUCTURE_COMPONENT a M16 0 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT b M16 2 MATRIX_DIM 3 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin TYPEDEF_STRUCTURE Outer "" 64
  /begin STRUCTURE_COMPONENT k K8 0 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT x AX8 1 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT c CU8 4 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT arr Inner 16 MATRIX_DIM 2 3 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT next Outer 60 ADDRESS_TYPE PLONG /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE s "" Outer 0x1000 MATRIX_DIM 2 ECU_ADDRESS_EXTENSION 1 READ_WRITE /end INSTANCE
/begin INSTANCE one "" M16 0x2000 /end INSTANCE
/begin INSTANCE dotted.name "" Inner 0x3000 /end INSTANCE
"""


def test_expanded_names():
    found = catalog(STRUCTURES)
    assert found.axis_pts == ("s[0].x", "s[1].x")
    assert found.characteristics == ("s[0].k", "s[0].c", "s[1].k", "s[1].c")
    assert len(found.measurements) == 2 * 6 * 2 + 1 + 2
    assert "s[1].arr[2][1].b" in found.measurements
    assert found.find("s[1].arr[?][0].a") == [f"s[1].arr[{y}][0].a" for y in range(3)]
    assert found.find("*named*") == []
    assert found.find("dotted.*") == ["dotted.name.a", "dotted.name.b"]


@pytest.mark.parametrize(
    ("name", "address", "shape"),
    [
        ("s[0].arr[0][0].a", 0x1010, ()),
        ("s[1].arr[2][1].a", 0x1000 + 64 + 16 + 8 * (2 * 2 + 1), ()),
        ("s[1].arr[2][1].b", 0x1000 + 64 + 16 + 8 * 5 + 2, (3,)),
        ("s[0].arr[0][0].b[2]", 0x1010 + 2 + 4, ()),
        ("s[0].arr[0][0].b._2_", 0x1010 + 2 + 4, ()),
        ("one", 0x2000, ()),
        ("dotted.name.a", 0x3000, ()),
    ],
)
def test_addresses_of_members(name, address, shape):
    bound = catalog(STRUCTURES).bind(name)
    assert bound.address.value == address
    assert bound.shape == shape
    assert bound.unit == "V"
    assert bound.writable == name.startswith("s")


def test_this_names_a_sibling():
    bound = catalog(STRUCTURES).bind("s[1].c")
    assert bound.axes[0].shared.name == "s[1].x"
    raw = bound.decode(lambda address, size: bytes((address.value + i) & 0xFF for i in range(size)))
    assert raw.values.tolist() == [0x44, 0x45, 0x46]
    assert raw.axes[0].tolist() == [0x41, 0x42, 0x43]
    assert bound.address.extension == 1


@pytest.mark.parametrize(
    "name", ["s", "s[0]", "s.k", "s[0].none", "s[0].arr.a", "nothing", "one.a", ""]
)
def test_names_that_do_not_exist(name):
    with pytest.raises(UsageError):
        catalog(STRUCTURES).bind(name)


def test_index_outside_of_its_array():
    with pytest.raises(UsageError, match="index"):
        catalog(STRUCTURES).bind("s[2].k")


def test_nearest_names_are_offered():
    with pytest.raises(NotFoundError) as caught:
        catalog(STRUCTURES).bind("s[0].kk")
    assert "s[0].k" in caught.value.nearest


def test_binding_is_done_once():
    found = catalog(STRUCTURES)
    assert found.bind("one") is found.bind("one")


def test_structure_bombs_are_bounded():
    parts = "".join(
        f"/begin STRUCTURE_COMPONENT m{i} S{{}} 0 MATRIX_DIM 999 /end STRUCTURE_COMPONENT "
        for i in range(9)
    )
    body = "".join(
        f'/begin TYPEDEF_STRUCTURE S{n} "" 1 {parts.replace("{}", str(n + 1))} /end TYPEDEF_STRUCTURE '
        for n in range(12)
    )
    loop = '/begin TYPEDEF_STRUCTURE L "" 1 /begin STRUCTURE_COMPONENT l L 0 /end STRUCTURE_COMPONENT /end TYPEDEF_STRUCTURE'
    made = catalog(
        body
        + loop
        + '/begin INSTANCE i "" S0 0 /end INSTANCE /begin INSTANCE l "" L 0 /end INSTANCE'
    )
    assert made.names == ()


def test_address_granularity_of_two_bytes():
    layer = """/begin IF_DATA XCP /begin PROTOCOL_LAYER 0x0104 1 1 1 1 1 1 1 8 8 BYTE_ORDER_MSB_LAST
    ADDRESS_GRANULARITY_WORD /end PROTOCOL_LAYER /end IF_DATA"""
    body = "/begin RECORD_LAYOUT L RESERVED 1 WORD FNC_VALUES 2 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT"
    bound = catalog(layer + body + characteristic("VALUE", "L")).bind("c")
    assert bound.ag == 2
    assert bound.encode(1) == [(Address(0x101), b"\1\0")]
