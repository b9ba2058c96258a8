"""Rare layouts and axes against bytes worked out by hand."""

import struct

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.points import rescaled


def catalog(body, version="1 71"):
    file = parse(
        f'ASAP2_VERSION {version} /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


def memory_of(**runs):
    memory = SparseMemory()
    for start, data in runs.items():
        memory.add(Address(int(start[1:], 16)), bytearray(data))
    return memory


def layout(text, name="L"):
    return f"/begin RECORD_LAYOUT {name} {text} /end RECORD_LAYOUT "


def table(kind, axes, name="c", address=0x100, deposit="L", options=""):
    return (
        f'/begin CHARACTERISTIC {name} "" {kind} {address} {deposit} 0 NO_COMPU_METHOD -1e9 1e9 {axes} {options} '
        "/end CHARACTERISTIC "
    )


def axis(
    count, kind="STD_AXIS", options="", conversion="NO_COMPU_METHOD", quantity="NO_INPUT_QUANTITY"
):
    return f"/begin AXIS_DESCR {kind} {quantity} {conversion} {count} -1e9 1e9 {options} /end AXIS_DESCR "


def fixed(count):
    return axis(count, "FIX_AXIS", f"FIX_AXIS_PAR_DIST 0 1 {count}")


def apply(memory, writes):
    for address, data in writes:
        memory.write(address, data)


# ---- alternating values


@pytest.mark.parametrize(
    ("positions", "data"),
    [
        # x first: 10 | 1 2 | 20 | 3 4 | 30 | 5 6
        (
            "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ALTERNATE_WITH_X DIRECT",
            b"\x0a\1\2\x14\3\4\x1e\5\6",
        ),
        (
            "AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT FNC_VALUES 1 UBYTE ALTERNATE_WITH_X DIRECT",
            b"\1\2\x0a\3\4\x14\5\6\x1e",
        ),
        (
            "AXIS_PTS_X 1 UBYTE INDEX_DECR DIRECT FNC_VALUES 2 UBYTE ALTERNATE_WITH_X DIRECT",
            b"\x1e\5\6\x14\3\4\x0a\1\2",
        ),
    ],
)
def test_alternate_with_x_keeps_a_column_with_its_point(positions, data):
    bound = catalog(layout(positions) + table("MAP", axis(3) + fixed(2))).bind("c")
    memory = memory_of(x100=data)
    raw = bound.decode(memory.read)
    assert raw.values.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert raw.axes[0].tolist() == [10, 20, 30]
    apply(memory, bound.encode([[7, 9, 11], [8, 10, 12]], read=memory.read))
    apply(memory, bound.encode_axis(0, [40, 50, 60], read=memory.read))
    again = bound.decode(memory.read)
    assert again.values.tolist() == [[7, 9, 11], [8, 10, 12]]
    assert again.axes[0].tolist() == [40, 50, 60]
    assert len(bound.memory_ranges()) == 1
    assert bound.memory_ranges()[0].size_bytes == 9


def test_alternate_with_y_keeps_a_row_with_its_point():
    """Rows of three words behind one byte each: 1, pad, 6 bytes, 1, pad, 6 bytes."""
    body = layout("AXIS_PTS_Y 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UWORD ALTERNATE_WITH_Y DIRECT")
    bound = catalog(body + table("MAP", fixed(3) + axis(2))).bind("c")
    memory = memory_of(x100=struct.pack("<BxHHHBxHHH", 7, 1, 2, 3, 9, 4, 5, 6))
    raw = bound.decode(memory.read)
    assert raw.values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert raw.axes[1].tolist() == [7, 9]
    assert bound.encode([[6, 5, 4], [3, 2, 1]], read=memory.read) == [
        (Address(0x102), struct.pack("<3H", 6, 5, 4)),
        (Address(0x10A), struct.pack("<3H", 3, 2, 1)),
    ]


def test_alternating_axis_with_a_count_is_compact():
    body = layout(
        "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT FNC_VALUES 3 UBYTE ALTERNATE_WITH_X DIRECT"
        " IDENTIFICATION 4 UBYTE"
    )
    bound = catalog(body + table("CURVE", axis(5))).bind("c")
    raw = bound.decode(memory_of(x100=b"\2\x0a\1\x14\2" + b"\xee" * 20).read)
    assert (raw.values.tolist(), raw.axes[0].tolist()) == ([1, 2], [10, 20])
    assert bound.size_bytes == 1 + 5 * 2 + 1


def test_value_block_in_the_order_of_alternation():
    bound = catalog(
        layout("FNC_VALUES 1 UBYTE ALTERNATE_WITH_X DIRECT")
        + table("VAL_BLK", "", options="MATRIX_DIM 3 2")
    ).bind("c")
    assert bound.decode(memory_of(x100=b"\1\4\2\5\3\6").read).values.tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]


def test_alternate_curves_share_points():
    """Three curves a b c and then x, for each of two points; d is on its own."""
    body = layout("FNC_VALUES 1 UBYTE ALTERNATE_CURVES DIRECT AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT")
    names = {"a": 0x100, "b": 0x101, "c": 0x102, "d": 0x110}
    body += "".join(table("CURVE", axis(2), name, where) for name, where in names.items())
    made = catalog(body)
    memory = memory_of(x100=b"\1\2\3\xee\x0a\0\4\5\6\xee\x14\0", x110=b"\7\xee\x1e\0\x08\xee\x28\0")
    found = {name: made.bind(name).decode(memory.read) for name in names}
    assert {n: r.values.tolist() for n, r in found.items()} == {
        "a": [1, 4],
        "b": [2, 5],
        "c": [3, 6],
        "d": [7, 8],
    }
    assert {n: r.axes[0].tolist() for n, r in found.items()} == {
        "a": [10, 20], "b": [10, 20], "c": [10, 20], "d": [30, 40]
    }  # fmt: skip
    assert made.bind("b").encode([8, 9], read=memory.read) == [
        (Address(0x101), b"\x08"),
        (Address(0x107), b"\x09"),
    ]


def test_alternate_curves_over_a_common_axis():
    body = layout("FNC_VALUES 1 UBYTE ALTERNATE_CURVES DIRECT") + layout(
        "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT", "A"
    )
    body += (
        '/begin AXIS_PTS ax "" 0x200 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 3 0 255 /end AXIS_PTS '
    )
    body += table("CURVE", axis(3, "COM_AXIS", "AXIS_PTS_REF ax"), "a")
    body += table("CURVE", axis(3, "COM_AXIS", "AXIS_PTS_REF ax"), "b", 0x101)
    made, memory = catalog(body), memory_of(x100=b"\1\2\3\4\5\6", x200=b"\7\x08\x09")
    assert made.bind("a").decode(memory.read).values.tolist() == [1, 3, 5]
    assert made.bind("b").decode(memory.read).values.tolist() == [2, 4, 6]


# ---- rescale axes


def test_rescale_points_of_the_published_example():
    """Pairs (0,0) (100,192) (216,255), nine points; the source cuts 158.92 down to 158."""
    found = rescaled(np.array([[0, 0], [100, 192], [216, 255]]), 9).tolist()
    assert found == pytest.approx([0, 16.67, 33.33, 50, 66.67, 83.33, 100, 158.92, 216], abs=0.005)


RESCALE = (
    layout("NO_RESCALE_X 1 UBYTE RESERVED 2 BYTE AXIS_RESCALE_X 3 UBYTE 5 INDEX_INCR DIRECT", "R")
    + '/begin AXIS_PTS ax "" 0x200 NO_INPUT_QUANTITY R 0 TENTH 9 0 21.6 /end AXIS_PTS '
    + '/begin COMPU_METHOD TENTH "" RAT_FUNC "" "V" COEFFS 0 10 0 0 0 1 /end COMPU_METHOD '
    + layout("FNC_VALUES 1 UBYTE ROW_DIR DIRECT")
)


def test_rescale_axis_gives_a_curve_its_points():
    made = catalog(RESCALE + table("CURVE", axis(9, "RES_AXIS", "AXIS_PTS_REF ax", "TENTH")))
    memory = memory_of(x100=bytes(range(1, 10)), x200=b"\3\0\x00\x00\x64\xc0\xd8\xff" + bytes(12))
    bound = made.bind("c")
    phys = bound.to_phys(bound.decode(memory.read))
    assert phys.values.tolist() == list(range(1, 10))
    assert phys.axes[0].tolist()[:3] == pytest.approx([0, 1.667, 3.333], abs=0.001)
    assert made.bind("ax").pairs(memory.read).tolist() == [[0, 0], [100, 192], [216, 255]]
    with pytest.raises(UsageError, match="pairs"):
        made.bind("ax").encode([1] * 9, read=memory.read)
    writes = made.bind("ax").encode([[0, 0], [5, 100], [21.6, 255]], read=memory.read)
    assert writes == [(Address(0x202), b"\0\0\x32\x64\xd8\xff")]
    with pytest.raises(LimitError):
        bound.encode_axis(0, [[0, 0], [5, 100], [1e10, 255]], read=memory.read)


def test_more_rescale_pairs_than_the_keyword_says():
    """The count in memory is seven, the keyword says five: memory wins, as in files met."""
    pairs = [(10 * n, 4 * n) for n in range(7)]
    data = b"\7\0" + b"".join(bytes(p) for p in pairs) + bytes(8)
    bound = catalog(RESCALE).bind("ax")
    assert bound.pairs(memory_of(x200=data).read).tolist() == [list(p) for p in pairs]


def test_falling_rescale_pairs():
    body = layout("AXIS_RESCALE_X 1 UBYTE 3 INDEX_DECR DIRECT", "R")
    body += (
        '/begin AXIS_PTS ax "" 0x200 NO_INPUT_QUANTITY R 0 NO_COMPU_METHOD 5 0 255 /end AXIS_PTS'
    )
    bound = catalog(body).bind("ax")
    # D = (7 - 0 + 1) / 4 = 2: V = 0 2 4 6 and the end
    assert bound.decode(memory_of(x200=b"\x50\7\x28\4\0\0").read).tolist() == pytest.approx(
        [0, 20, 40, 40 + 80 / 3, 80]
    )


# ---- curve axes


def curve_axis(values, points=(0, 10, 20, 40), count=4):
    body = layout(
        "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 FLOAT32_IEEE ROW_DIR DIRECT ALIGNMENT_FLOAT32_IEEE 1",
        "N",
    )
    body += '/begin COMPU_METHOD HALF "" LINEAR "" "km/h" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD '
    body += table("CURVE", axis(len(points), conversion="HALF"), "norm", 0x200, "N")
    body += layout("FNC_VALUES 1 UBYTE ROW_DIR DIRECT")
    body += table("CURVE", axis(count, "CURVE_AXIS", "CURVE_AXIS_REF norm"))
    data = bytes(points) + struct.pack(f"<{len(values)}f", *values)
    return catalog(body), memory_of(x100=bytes(range(1, count + 1)), x200=data)


def test_curve_axis_shows_the_inputs_at_whole_indices():
    made, memory = curve_axis([0, 1, 2.5, 3])
    bound = made.bind("c")
    phys = bound.to_phys(bound.decode(memory.read))
    # inputs are 0 5 10 20 km/h; index 2 lies at two thirds from 5 to 10
    assert phys.axes[0].tolist() == pytest.approx([0, 5, 5 + 5 / 1.5, 20])
    assert phys.values.tolist() == [1, 2, 3, 4]
    assert (bound.axes[0].unit, bound.axes[0].name) == ("km/h", "norm")
    assert [str(r.start) for r in bound.memory_ranges()] == ["0x00000100", "0x00000200"]
    assert bound.encode([4, 3, 2, 1]) == [(Address(0x100), b"\4\3\2\1")]
    with pytest.raises(UsageError, match="fixed"):
        bound.encode_axis(0, [1, 2, 3, 4], read=memory.read)


def test_curve_axis_falls_and_ends_early():
    made, memory = curve_axis([2, 1, 0.5, 0.5])
    points = made.bind("c").decode(memory.read).axes[0]
    assert points[1:3].tolist() == [5, 0]
    assert np.isnan(points[[0, 3]]).all()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (
            table("CURVE", axis(3, "CURVE_AXIS", "CURVE_AXIS_REF c")),
            "c: it refers to itself: c → c",
        ),
        (
            table("CURVE", axis(3, "CURVE_AXIS", "CURVE_AXIS_REF none")),
            "none: no such curve axis of c",
        ),
        (
            table("CURVE", axis(3, "CURVE_AXIS", "CURVE_AXIS_REF v")) + table("VALUE", "", "v"),
            "v is a VALUE",
        ),
        (table("CURVE", axis(1 << 30)), "more than"),
    ],
)
def test_impossible_tables_are_refused(body, word):
    with pytest.raises(UsageError, match=word):
        catalog(layout("FNC_VALUES 1 UBYTE ROW_DIR DIRECT") + body).bind("c").decode(
            lambda _, n: bytes(n)
        )


# ---- computed axes, pointers, static records


@pytest.mark.parametrize(
    ("operands", "points", "data"),
    [
        ("OFFSET_X 1 SBYTE SHIFT_OP_X 2 UBYTE", [-4, 0, 4], b"\xfc\2"),
        ("OFFSET_X 1 SBYTE DIST_OP_X 2 UBYTE", [-4, 1, 6], b"\xfc\5"),
    ],
)
def test_computed_axes_are_written_by_their_operands(operands, points, data):
    bound = catalog(
        layout(f"{operands} FIX_NO_AXIS_PTS_X 3 FNC_VALUES 3 UBYTE ROW_DIR DIRECT")
        + table("CURVE", axis(9, "FIX_AXIS"))
    ).bind("c")
    memory = memory_of(x100=b"\0\0\1\2\3" + bytes(9))
    apply(memory, bound.encode_axis(0, points, read=memory.read))
    assert memory.read(Address(0x100), 5) == data + b"\1\2\3"
    assert bound.decode(memory.read).axes[0].tolist() == points
    with pytest.raises(UsageError, match="evenly"):
        bound.encode_axis(0, [0, 1, 3], read=memory.read)


@pytest.mark.parametrize(
    ("word", "pointer", "where"),
    [
        ("PBYTE", "<B", 0x80),
        ("PWORD", "<H", 0x8000),
        ("PLONG", "<I", 0x80000),
        ("PLONGLONG", "<Q", 1 << 40),
    ],
)
def test_pointers_in_records(word, pointer, where):
    """The record holds pointers, aligned to their own width; the offset of calibration is added."""
    body = '/begin MOD_PAR "" ECU_CALIBRATION_OFFSET 0x10 /end MOD_PAR '
    body += layout(
        f"RESERVED 1 BYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT FNC_VALUES 3 UWORD ROW_DIR {word}"
    )
    bound = catalog(body + table("CURVE", axis(3))).bind("c")
    size = struct.calcsize(pointer)
    record = bytes(4).ljust(4 + -4 % size, b"\0") + struct.pack(pointer, where)
    memory = memory_of(x100=record)
    memory.add(Address(where + 0x10), bytearray(b"\1\0\2\0\3\0"))
    assert bound.decode(memory.read).values.tolist() == [1, 2, 3]
    assert bound.size_bytes == len(record)
    assert bound.encode([4, 5, 6], read=memory.read) == [(Address(where + 0x10), b"\4\0\5\0\6\0")]
    with pytest.raises(UsageError, match="Give a reader"):
        bound.encode([4, 5, 6])


def test_axis_object_behind_a_pointer():
    body = layout("NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_DECR PWORD", "A")
    body += (
        '/begin AXIS_PTS ax "" 0x200 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 5 0 255 /end AXIS_PTS'
    )
    bound = catalog(body).bind("ax")
    memory = memory_of(x200=b"\3\0\x00\x03", x300=b"\x1e\x14\x0a")
    assert bound.decode(memory.read).tolist() == [10, 20, 30]
    assert bound.encode([1, 2, 3], read=memory.read) == [(Address(0x300), b"\3\2\1")]
    with pytest.raises(UsageError, match="pointer"):
        bound.points(b"\3\0\x00\x03")


@pytest.mark.parametrize("word", ["STATIC_RECORD_LAYOUT", "STATIC_ADDRESS_OFFSETS"])
def test_static_map_keeps_room(word):
    """Room for 3 x 2 points and 6 values; 2 x 1 are in use, values follow each other."""
    body = layout(
        "NO_AXIS_PTS_X 1 UBYTE NO_AXIS_PTS_Y 2 UBYTE AXIS_PTS_X 3 UBYTE INDEX_INCR DIRECT "
        f"AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UBYTE ROW_DIR DIRECT {word}"
    )
    bound = catalog(body + table("MAP", axis(3) + axis(2))).bind("c")
    raw = bound.decode(
        memory_of(x100=b"\2\1" + b"\x0a\x14\xee" + b"\x63\xee" + b"\1\2" + b"\xee" * 4).read
    )
    assert raw.values.tolist() == [[1, 2]]
    assert [a.tolist() for a in raw.axes] == [[10, 20], [99]]


def test_count_behind_the_points_of_another_axis():
    """The number of Y points lies behind the X points and moves with them."""
    body = layout(
        "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT NO_AXIS_PTS_Y 3 UBYTE "
        "AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UBYTE COLUMN_DIR DIRECT"
    )
    bound = catalog(body + table("MAP", axis(4) + axis(4))).bind("c")
    raw = bound.decode(memory_of(x100=b"\2\x0a\x14\3\1\2\3" + b"\1\2\3\4\5\6" + bytes(20)).read)
    assert raw.values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert [a.tolist() for a in raw.axes] == [[10, 20], [1, 2, 3]]


def test_default_deposit_of_the_module():
    body = '/begin MOD_COMMON "" DEPOSIT DIFFERENCE /end MOD_COMMON '
    body += layout("AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT")
    memory = memory_of(x100=b"\1\2\3\7\x08\x09")
    assert catalog(body + table("CURVE", axis(3))).bind("c").decode(memory.read).axes[
        0
    ].tolist() == [1, 3, 6]
    own = catalog(body + table("CURVE", axis(3, options="DEPOSIT ABSOLUTE"))).bind("c")
    assert own.decode(memory.read).axes[0].tolist() == [1, 2, 3]


def test_axis_and_table_of_different_byte_order():
    body = layout("AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT FNC_VALUES 2 ULONG ROW_DIR DIRECT")
    made = table(
        "CURVE", axis(2, options="BYTE_ORDER MSB_FIRST"), options="BYTE_ORDER MSB_FIRST_MSW_LAST"
    )
    bound = catalog(body + made).bind("c")
    raw = bound.decode(memory_of(x100=b"\1\2\3\4" + b"\x33\x44\x11\x22" + b"\x77\x88\x55\x66").read)
    assert raw.axes[0].tolist() == [0x0102, 0x0304]
    assert raw.values.tolist() == [0x11223344, 0x55667788]


def test_cuboid_of_listed_maps():
    body = layout("AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT")
    body += table("MAP", axis(2) + fixed(2), "m0") + table("MAP", axis(2) + fixed(2), "m1", 0x200)
    body += table("CUBOID", fixed(2) * 2 + fixed(2), options="/begin MAP_LIST m0 m1 /end MAP_LIST")
    bound = catalog(body).bind("c")
    memory = memory_of(x100=b"\x0a\x14\1\2\3\4", x200=b"\x0a\x14\5\6\7\x08")
    raw = bound.decode(memory.read)
    assert raw.values.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert [a.tolist() for a in raw.axes] == [[10, 20], [0, 1], [0, 1]]
    assert bound.encode(raw.values + 1, read=memory.read) == [
        (Address(0x102), b"\2\3\4\5"), (Address(0x202), b"\6\7\x08\x09")
    ]  # fmt: skip
    with pytest.raises(UsageError, match="2 maps"):
        bound.encode(raw.values[0], read=memory.read)


def test_weak_and_hard_limits_of_axes():
    body = layout("AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT")
    made = "/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 100 EXTENDED_LIMITS 0 200 /end AXIS_DESCR"
    bound = catalog(body + table("CURVE", made)).bind("c")
    memory = memory_of(x100=b"\1\2\3\4")
    assert bound.axes[0].soft_limits == (0, 100)
    assert bound.encode_axis(0, [1, 150], read=memory.read) == [(Address(0x100), b"\x01\x96")]
    with pytest.raises(LimitError, match="axis 0"):
        bound.encode_axis(0, [1, 201], read=memory.read)


def test_record_parts_before_the_values_shift_what_is_measured():
    bound = catalog(
        layout("IDENTIFICATION 1 UBYTE FNC_VALUES 2 ULONG ROW_DIR DIRECT") + table("VALUE", "")
    ).bind("c")
    assert bound.value_address == Address(0x104)


def test_samples_of_a_value_block_in_columns():
    body = layout("FNC_VALUES 1 UBYTE COLUMN_DIR DIRECT") + table(
        "VAL_BLK", "", options="MATRIX_DIM 3 2"
    )
    bound = catalog(body).bind("c")
    samples = np.array([[1, 4, 2, 5, 3, 6]] * 2, dtype=np.uint8)
    assert bound.arrange(samples).tolist() == [[[1, 2, 3], [4, 5, 6]]] * 2
