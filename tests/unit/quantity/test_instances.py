"""Structures: pointers, overwritten properties, arrays of tables, order of elements, blobs."""

import struct

import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import LimitError, NotFoundError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

COMMON = """
/begin COMPU_METHOD HALF "" LINEAR "" "V" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD
/begin RECORD_LAYOUT U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT U16 FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A8 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT TAB NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT FNC_VALUES 3 UWORD ROW_DIR DIRECT
 STATIC_RECORD_LAYOUT /end RECORD_LAYOUT
/begin RECORD_LAYOUT TAGGED IDENTIFICATION 1 UBYTE FNC_VALUES 2 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin TYPEDEF_MEASUREMENT M8 "" UBYTE HALF 0 0 0 100 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT M16 "" UWORD NO_COMPU_METHOD 0 0 0 65535 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT P16 "" UWORD NO_COMPU_METHOD 0 0 0 65535 ADDRESS_TYPE PWORD /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT ARR "" UWORD NO_COMPU_METHOD 0 0 0 65535 MATRIX_DIM 3 2 LAYOUT COLUMN_DIR /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_CHARACTERISTIC K8 "" VALUE U8 0 NO_COMPU_METHOD 0 255 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC TAGGED_T "" VALUE TAGGED 0 NO_COMPU_METHOD 0 65535 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC TEXT_T "" ASCII U8 0 NO_COMPU_METHOD 0 255 NUMBER 4 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC CURVE_T "" CURVE TAB 0 NO_COMPU_METHOD 0 65535
 /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 255 /end AXIS_DESCR /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_AXIS AX_T "" NO_INPUT_QUANTITY A8 0 NO_COMPU_METHOD 3 0 255 /end TYPEDEF_AXIS
/begin TYPEDEF_BLOB B5 "" 5 /end TYPEDEF_BLOB
/begin TYPEDEF_BLOB BP "" 2 ADDRESS_TYPE PWORD /end TYPEDEF_BLOB
/begin TYPEDEF_STRUCTURE NODE "" 8
 /begin STRUCTURE_COMPONENT v M16 0 /end STRUCTURE_COMPONENT
 /begin STRUCTURE_COMPONENT next NODE 4 ADDRESS_TYPE PLONG /end STRUCTURE_COMPONENT /end TYPEDEF_STRUCTURE
"""


def catalog(body):
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {COMMON} {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


def structure(*components, size=64, name="S"):
    parts = " ".join(f"/begin STRUCTURE_COMPONENT {c} /end STRUCTURE_COMPONENT" for c in components)
    return f'/begin TYPEDEF_STRUCTURE {name} "" {size} {parts} /end TYPEDEF_STRUCTURE '


def instance(typedef="S", options="", address=0x100):
    return f'/begin INSTANCE i "" {typedef} {address} {options} /end INSTANCE '


def memory_of(**runs):
    memory = SparseMemory()
    for start, data in runs.items():
        memory.add(Address(int(start[1:], 16)), bytearray(data))
    return memory


def raw_of(made, name, memory):
    bound = made.bind(name).resolve(memory.read)
    return bound.decode(memory.read(bound.address, bound.size_bytes)).tolist()


# ---- pointers


def test_a_list_is_followed_as_far_as_it_goes():
    made = catalog(instance("NODE"))
    memory = memory_of(
        x100=struct.pack("<HxxI", 1, 0x200),
        x200=struct.pack("<HxxI", 2, 0x300),
        x300=struct.pack("<HxxI", 3, 0),
    )
    assert made.measurements == ("i.v",)
    assert [raw_of(made, f"i.{'next.' * n}v", memory) for n in range(3)] == [1, 2, 3]
    bound = made.bind("i.next.next.v")
    assert [str(r.start) for r in bound.memory_ranges()] == ["0x00000104"]
    assert bound.resolve(memory.read).address == Address(0x300)
    with pytest.raises(
        UsageError, match=r"i\.next\.next\.next\.v: the pointer at 0x00000304 is null"
    ):
        raw_of(made, "i.next.next.next.v", memory)
    with pytest.raises(UsageError, match="behind a pointer"):
        bound.encode(5)
    assert bound.resolve(memory.read).encode(5) == [(Address(0x300), b"\5\0")]


@pytest.mark.parametrize(
    ("word", "code"), [("PBYTE", "B"), ("PWORD", "H"), ("PLONG", "I"), ("PLONGLONG", "Q")]
)
def test_every_pointer_width_and_order(word, code):
    body = '/begin MOD_COMMON "" BYTE_ORDER MSB_FIRST /end MOD_COMMON '
    body += f'/begin MEASUREMENT m "" UWORD NO_COMPU_METHOD 0 0 0 65535 ECU_ADDRESS 0x40 ADDRESS_TYPE {word} /end MEASUREMENT '
    body += instance("M16", f"ADDRESS_TYPE {word}", 0x40)
    memory = memory_of(x40=struct.pack(f">{code}", 0x80), x80=b"\1\2")
    made = catalog(body)
    assert raw_of(made, "m", memory) == raw_of(made, "i", memory) == 0x0102
    with pytest.raises(UsageError, match="bytes are needed, 0 were read"):
        made.bind("m").resolve(lambda _, __: b"")


def test_pointer_to_an_array_and_array_of_pointers():
    body = (
        structure("to M16 0 ADDRESS_TYPE PWORD MATRIX_DIM 3", "of P16 4 MATRIX_DIM 2") + instance()
    )
    memory = memory_of(
        x100=struct.pack("<HxxHH", 0x200, 0x300, 0x310),
        x200=b"\1\0\2\0\3\0",
        x300=b"\7\0",
        x310=b"\x08\0",
    )
    made = catalog(body)
    assert made.measurements == ("i.to", "i.of[0]", "i.of[1]")
    assert raw_of(made, "i.to", memory) == [1, 2, 3]
    assert raw_of(made, "i.to[2]", memory) == 3
    assert [raw_of(made, f"i.of[{n}]", memory) for n in range(2)] == [7, 8]
    with pytest.raises(UsageError, match=r"Name one element, as i\.of\[0\]"):
        made.bind("i.of")


def test_tables_behind_pointers():
    body = structure("t CURVE_T 8 ADDRESS_TYPE PWORD", "x AX_T 10 ADDRESS_TYPE PWORD") + instance()
    made = catalog(body)
    memory = memory_of(
        x108=b"\0\2\0\3", x200=struct.pack("<B3B3H", 2, 10, 20, 0, 1, 2, 0), x300=b"\1\2\3"
    )
    raw = made.bind("i.t").decode(memory.read)
    assert (raw.values.tolist(), raw.axes[0].tolist()) == ([1, 2], [10, 20])
    assert made.bind("i.t").encode([8, 9], read=memory.read) == [(Address(0x204), b"\x08\0\x09\0")]
    assert made.bind("i.t").encode_axis(0, [5, 6], read=memory.read) == [(Address(0x201), b"\5\6")]
    assert made.bind("i.x").decode(memory.read).tolist() == [1, 2, 3]
    assert made.bind("i.x").encode([4, 5, 6], read=memory.read) == [(Address(0x300), b"\4\5\6")]
    with pytest.raises(UsageError, match="Give a reader"):
        made.bind("i.t").encode([8, 9])


# ---- arrays


def test_arrays_of_tables_texts_and_tagged_values():
    """A record of one count, three points and three words is 10 bytes; a tagged word is 4."""
    body = structure(
        "t CURVE_T 0 MATRIX_DIM 2",
        "g TAGGED_T 20 MATRIX_DIM 3",
        "n TEXT_T 32 MATRIX_DIM 2",
        "x AX_T 40 MATRIX_DIM 2",
    )
    made = catalog(body + instance())
    assert made.characteristics == (
        "i.t[0]", "i.t[1]", "i.g[0]", "i.g[1]", "i.g[2]", "i.n[0]", "i.n[1]"
    )  # fmt: skip
    assert made.axis_pts == ("i.x[0]", "i.x[1]")
    data = struct.pack("<B3B3HB3B3H", 3, 1, 2, 3, 10, 20, 30, 2, 4, 5, 0, 40, 50, 0)
    data += struct.pack("<BxHBxHBxH", 9, 100, 9, 200, 9, 300) + b"ab\0\0cdef" + b"\1\2\3\4\5\6"
    memory = memory_of(x100=data)
    assert made.bind("i.t[1]").decode(memory.read).values.tolist() == [40, 50]
    assert made.bind("i.g[2]").decode(memory.read).values.item() == 300
    assert made.bind("i.g[1]").encode(7) == [(Address(0x100 + 26), b"\7\0")]
    names = [made.bind(f"i.n[{n}]") for n in range(2)]
    assert [b.to_phys(b.decode(memory.read)).values for b in names] == ["ab", "cdef"]
    assert made.bind("i.x[1]").decode(memory.read).tolist() == [4, 5, 6]
    with pytest.raises(UsageError, match="array of tables"):
        made.bind("i.t")


def test_records_of_an_array_are_padded_like_structs():
    """A word and a byte take three bytes, but the next word begins at the fourth."""
    body = """/begin RECORD_LAYOUT TAIL FNC_VALUES 1 UWORD ROW_DIR DIRECT IDENTIFICATION 2 UBYTE /end RECORD_LAYOUT
    /begin TYPEDEF_CHARACTERISTIC TAIL_T "" VALUE TAIL 0 NO_COMPU_METHOD 0 65535 /end TYPEDEF_CHARACTERISTIC """
    made = catalog(body + instance("TAIL_T", "MATRIX_DIM 3"))
    memory = memory_of(x100=struct.pack("<HBxHBxHBx", 1, 7, 2, 8, 3, 9))
    bound = [made.bind(f"i[{n}]") for n in range(3)]
    assert [b.decode(memory.read).values.item() for b in bound] == [1, 2, 3]
    assert [b.parts(memory.read) for b in bound] == [{"identification": n} for n in (7, 8, 9)]


@pytest.mark.parametrize(
    ("layout", "order"), [("ROW_DIR", [1, 2, 3, 4, 5, 6]), ("COLUMN_DIR", [1, 4, 2, 5, 3, 6])]
)
def test_layout_of_an_instance_and_of_a_component(layout, order):
    dims = f"MATRIX_DIM 3 2 LAYOUT {layout}"
    memory = memory_of(x100=bytes(order))
    made = catalog(instance("M8", dims))
    assert raw_of(made, "i", memory) == [[1, 2, 3], [4, 5, 6]]
    assert [raw_of(made, f"i[{y}][{x}]", memory) for y in range(2) for x in range(3)] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    inner = catalog(structure("p Q 0 " + dims) + structure("a M8 0", size=1, name="Q") + instance())
    assert [raw_of(inner, f"i.p[{y}][{x}].a", memory) for y in range(2) for x in range(3)] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert inner.bind("i.p._1_._2_.a").address == inner.bind("i.p[1][2].a").address
    parameter = catalog(instance("K8", dims)).bind("i")
    assert parameter.decode(memory.read).values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert parameter.encode([[1, 2, 3], [4, 5, 6]]) == [(Address(0x100), bytes(order))]


def test_arrays_of_arrays():
    """Two blocks of 3 x 2 words, each column by column."""
    made = catalog(instance("ARR", "MATRIX_DIM 2"))
    memory = memory_of(x100=struct.pack("<12H", 1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12))
    assert raw_of(made, "i", memory) == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]
    assert raw_of(made, "i[1]", memory) == [[7, 8, 9], [10, 11, 12]]
    assert raw_of(made, "i[1][1][2]", memory) == 12
    assert made.bind("i").decode(memory.read(Address(0x100), 24)).shape == (2, 2, 3)
    for name in ("i[2]", "i[1][2][0]", "i[1][1]"):
        with pytest.raises(UsageError, match="index outside"):
            made.bind(name)


def test_elements_of_plain_arrays():
    body = """/begin MEASUREMENT m "" UWORD NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x100 MATRIX_DIM 3 2 LAYOUT COLUMN_DIR
    /end MEASUREMENT /begin MEASUREMENT old "" UWORD NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x100 ARRAY_SIZE 6 /end MEASUREMENT
    /begin CHARACTERISTIC k "" VAL_BLK 0x100 U16 0 NO_COMPU_METHOD 0 9 NUMBER 6 /end CHARACTERISTIC
    /begin CHARACTERISTIC tagged "" VAL_BLK 0x100 TAGGED 0 NO_COMPU_METHOD 0 9 NUMBER 6 /end CHARACTERISTIC
    /begin MEASUREMENT one "" UWORD NO_COMPU_METHOD 0 0 0 9 ECU_ADDRESS 0x100 /end MEASUREMENT"""
    made = catalog(body)
    memory = memory_of(x100=struct.pack("<6H", 1, 4, 2, 5, 3, 6))
    assert raw_of(made, "m[1][0]", memory) == 4
    assert raw_of(made, "m._0_._2_", memory) == 3
    assert raw_of(made, "old[5]", memory) == 6
    assert made.bind("k[1]").decode(memory.read).values.item() == 4
    assert made.bind("k[1]").shape == ()
    for name in ("tagged[0]", "one[0]", "m[2][0]", "k[6]"):
        with pytest.raises(UsageError):
            made.bind(name)
    with pytest.raises(NotFoundError):
        made.bind("m.x")


# ---- overwritten properties, access


def test_an_instance_overwrites_what_its_typedef_says():
    body = structure("m M8 0 MATRIX_DIM 2", "t CURVE_T 4", "p Q 16 MATRIX_DIM 2") + structure(
        "a M8 0", size=1, name="Q"
    )
    changes = """
    /begin OVERWRITE m 0 CONVERSION NO_COMPU_METHOD PHYS_UNIT "bar" LIMITS 5 50 FORMAT "%2.0" /end OVERWRITE
    /begin OVERWRITE t 0 EXTENDED_LIMITS 0 99 /end OVERWRITE
    /begin OVERWRITE t 1 CONVERSION HALF INPUT_QUANTITY i.m MONOTONY STRICT_INCREASE LIMITS 0 10 /end OVERWRITE
    /begin OVERWRITE t 7 PHYS_UNIT "never" /end OVERWRITE
    /begin OVERWRITE p.a 0 PHYS_UNIT "all" /end OVERWRITE
    /begin OVERWRITE p[1].a 0 LIMITS 1 2 /end OVERWRITE"""
    made = catalog(body + instance(options=changes) + instance().replace(" i ", " j "))
    bound = made.bind("i.m")
    assert (bound.unit, bound.lower, bound.upper, bound.format) == ("bar", 5, 50, "%2.0")
    assert bound.to_phys([8]).tolist() == [8]
    table = made.bind("i.t")
    assert (table.lower, table.upper, table.soft_limits) == (0, 99, (0, 65535))
    axis = table.axes[0]
    assert (axis.unit, axis.input_quantity, axis.monotony, axis.upper) == (
        "V",
        "i.m",
        "STRICT_INCREASE",
        10,
    )
    assert [(made.bind(f"i.p[{n}].a").unit, made.bind(f"i.p[{n}].a").upper) for n in (0, 1)] == [
        ("all", 100),
        ("all", 2),
    ]
    plain = made.bind("j.m")
    assert (plain.unit, plain.lower, plain.upper, plain.to_phys([8]).tolist()) == ("V", 0, 100, [4])
    assert made.bind("j.t").axes[0].unit == ""


def test_this_means_the_instance_itself():
    made = catalog(
        instance("M8", 'READ_WRITE /begin OVERWRITE THIS 0 PHYS_UNIT "A" LIMITS 0 1 /end OVERWRITE')
    )
    assert (made.bind("i").unit, made.bind("i").writable) == ("A", True)
    with pytest.raises(LimitError):
        made.bind("i").encode(2)


@pytest.mark.parametrize(
    ("access", "writable"), [("", True), ("CALIBRATION", True), ("NO_CALIBRATION", False)]
)
def test_access_of_an_instance(access, writable):
    made = catalog(
        structure("k K8 0", "x AX_T 1")
        + instance(options=access and f"CALIBRATION_ACCESS {access}")
    )
    assert made.bind("i.k").writable == made.bind("i.x").writable == writable


# ---- blobs


def test_blobs():
    body = structure("b B5 0 MATRIX_DIM 2", "p BP 10") + instance()
    body += '/begin BLOB plain "" 0x100 3 CALIBRATION_ACCESS NO_CALIBRATION /end BLOB '
    made = catalog(body)
    memory = memory_of(x100=b"abcdefghij\x00\x02", x200=b"xy")
    assert made.blobs == ("plain", "i.b", "i.p")
    assert made.blob("i.b").decode(memory.read) == b"abcdefghij"
    assert made.blob("i.b[1]").decode(memory.read) == b"fghij"
    assert made.blob("i.p").decode(memory.read) == b"xy"
    assert made.blob("i.p").encode(b"zz", read=memory.read) == [(Address(0x200), b"zz")]
    plain = made.blob("plain")
    assert (plain.decode(memory.read), plain.writable, plain.type) == (b"abc", False, "BLOB")
    with pytest.raises(UsageError, match="3 bytes"):
        plain.encode(b"ab")
    with pytest.raises(UsageError, match="reader"):
        made.blob("i.p").encode(b"zz")
    with pytest.raises(UsageError, match="Catalog"):
        made.bind("plain")
    with pytest.raises(NotFoundError) as caught:
        made.blob("plane")
    assert caught.value.nearest == ("plain",)


def test_address_units_of_two_bytes():
    body = structure("a M16 0", "b M16 3", "n NODE 4 ADDRESS_TYPE PWORD", size=16) + instance(
        options="MATRIX_DIM 2"
    )
    layer = """/begin IF_DATA XCP /begin PROTOCOL_LAYER 0x0104 1 1 1 1 1 1 1 8 8 BYTE_ORDER_MSB_LAST
    ADDRESS_GRANULARITY_WORD /end PROTOCOL_LAYER /end IF_DATA """
    made = catalog(layer + body)
    assert made.bind("i[1].b").address == Address(0x100 + 8 + 3)
    bound = made.bind("i[0].n.next.v").resolve(
        lambda address, size: {0x104: b"\x00\x02", 0x204: b"\x00\x03\0\0"}[address.value][:size]
    )
    assert bound.address == Address(0x300)
