"""Every keyword of a record layout on every axis; images packed by hand with struct."""

import struct

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

AXES = "XYZ45"


def bound(layout, axes="", options="", kind="CUBE_5", common=""):
    text = (
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {common}\n'
        f"/begin RECORD_LAYOUT L {layout} /end RECORD_LAYOUT\n"
        f'/begin CHARACTERISTIC c "" {kind} 0x1000 L 0 NO_COMPU_METHOD -1e9 1e9 {options} {axes}\n'
        "/end CHARACTERISTIC /end MODULE /end PROJECT"
    )
    file = parse(text)
    assert not file.diagnostics
    return Catalog(file).bind("c")


def axis(kind, count, options=""):
    return (
        f"/begin AXIS_DESCR {kind} NO_INPUT_QUANTITY NO_COMPU_METHOD {count} -1e9 1e9 {options} "
        "/end AXIS_DESCR "
    )


def memory(data):
    made = SparseMemory()
    made.add(Address(0x1000), bytearray(data.ljust(4096, b"\xee")))
    return made.read


def test_counts_addresses_and_points_of_five_axes():
    layout, position = [], 0
    for letter in AXES:
        for word, rest in (
            ("SRC_ADDR", "ULONG"),
            ("NO_AXIS_PTS", "UWORD"),
            ("RIP_ADDR", "UBYTE"),
            ("AXIS_PTS", "SBYTE INDEX_INCR DIRECT"),
        ):
            position += 1
            layout.append(f"{word}_{letter} {position} {rest}")
    layout += [
        "RIP_ADDR_W 21 UWORD",
        "IDENTIFICATION 22 UBYTE",
        "FNC_VALUES 23 UBYTE ROW_DIR DIRECT",
    ]
    layout += [f"ALIGNMENT_{word} 1" for word in ("BYTE", "WORD", "LONG")]
    made = bound(" ".join(layout), "".join(axis("STD_AXIS", 3) for _ in AXES))
    counts = (2, 1, 3, 1, 2)
    data = b""
    for n, count in enumerate(counts):
        data += struct.pack("<IHB", 0x100 + n, count, 0x40 + n)
        data += struct.pack(f"<{count}b", *(10 * n + i - 5 for i in range(count)))
    data += struct.pack("<HB", 0xABCD, 0x77) + bytes(range(12))
    found = made.decode(memory(data))
    assert found.values.shape == (2, 1, 3, 1, 2)
    assert found.values.reshape(-1).tolist() == list(range(12))
    assert [points.tolist() for points in found.axes] == [
        [10 * n + i - 5 for i in range(count)] for n, count in enumerate(counts)
    ]
    parts = made.parts(memory(data))
    for n, letter in enumerate("xyz45"):
        assert parts[f"src_addr_{letter}"] == 0x100 + n
        assert parts[f"no_axis_pts_{letter}"] == counts[n]
        assert parts[f"rip_addr_{letter}"] == 0x40 + n
    assert (parts["rip_addr_w"], parts["identification"]) == (0xABCD, 0x77)
    # one write, behind everything else: the last 12 bytes
    assert made.encode(found.values + 1, read=memory(data)) == [
        (Address(0x1000 + len(data) - 12), bytes(range(1, 13)))
    ]


@pytest.mark.parametrize(("word", "step"), [("DIST_OP", 3), ("SHIFT_OP", 8)])
def test_operands_and_fixed_counts_of_five_axes(word, step):
    layout = [f"FIX_NO_AXIS_PTS_{letter} {n % 2 + 1}" for n, letter in enumerate(AXES)]
    for n, letter in enumerate(AXES):
        layout += [f"OFFSET_{letter} {2 * n + 1} SBYTE", f"{word}_{letter} {2 * n + 2} UBYTE"]
    layout.append("FNC_VALUES 11 UBYTE COLUMN_DIR DIRECT")
    made = bound(" ".join(layout), "".join(axis("FIX_AXIS", 2) for _ in AXES))
    data = b"".join(struct.pack("<bB", -n, 3) for n in range(5)) + bytes([9, 8, 7, 6])
    found = made.decode(memory(data))
    assert found.values.shape == (1, 2, 1, 2, 1)
    assert [points.tolist() for points in found.axes] == [
        [-n + i * step for i in range(n % 2 + 1)] for n in range(5)
    ]
    # Y runs fastest, then X, Z, 4, 5: y has two points and 4 has two
    assert found.values[0, :, 0, :, 0].tolist() == [[9, 8], [7, 6]]


@pytest.mark.parametrize("letter", AXES)
def test_rescale_pairs_on_every_axis(letter):
    n = AXES.index(letter)
    layout = (
        f"NO_RESCALE_{letter} 1 UBYTE RESERVED 2 LONG AXIS_RESCALE_{letter} 3 UBYTE 3 INDEX_INCR DIRECT "
        "FNC_VALUES 4 UBYTE ROW_DIR DIRECT"
    )
    axes = "".join(
        axis("STD_AXIS", 3) if i == n else axis("FIX_AXIS", 1, "FIX_AXIS_PAR 0 0 1")
        for i in range(5)
    )
    # pairs (0, 0) and (100, 199): three points at 0, 100 and 200 of 199, the last that of the last pair
    data = bytes([2, 0xAA, 0xAA, 0xAA, 0xAA, 0, 0, 100, 199, 1, 2, 3])
    found = bound(layout, axes).decode(memory(data))
    assert np.allclose(found.axes[n], [0, 100 * 100 / 199, 100])
    assert found.values.reshape(-1).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("datatype", "word", "border", "code"),
    [
        ("UBYTE", "BYTE", 4, "B"), ("SBYTE", "BYTE", 2, "b"), ("UWORD", "WORD", 8, "H"),
        ("SWORD", "WORD", 1, "h"), ("ULONG", "LONG", 8, "I"), ("SLONG", "LONG", 2, "i"),
        ("A_UINT64", "INT64", 4, "Q"), ("A_INT64", "INT64", 16, "q"), ("FLOAT16_IEEE", "FLOAT16_IEEE", 4, "e"),
        ("FLOAT32_IEEE", "FLOAT32_IEEE", 16, "f"), ("FLOAT64_IEEE", "FLOAT64_IEEE", 2, "d"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["layout", "common", "both"])
def test_every_alignment_word(datatype, word, border, code, where):
    own = f"ALIGNMENT_{word} {border}" if where != "common" else ""
    # the layout's own word wins over that of the module
    other = border if where == "common" else 32
    common = (
        f'/begin MOD_COMMON "" ALIGNMENT_{word} {other} /end MOD_COMMON'
        if where != "layout"
        else ""
    )
    layout = f"RESERVED 1 WORD RESERVED 2 BYTE FNC_VALUES 3 {datatype} ROW_DIR DIRECT {own}"
    made = bound(layout, kind="VALUE", common=common)
    start = -(-3 // border) * border  # three bytes precede
    data = b"\xee" * start + struct.pack(f"<{code}", 5)
    assert made.decode(memory(data)).values.item() == 5
    assert made.encode(6, read=memory(data)) == [
        (Address(0x1000 + start), struct.pack(f"<{code}", 6))
    ]


@pytest.mark.parametrize(
    ("pointer", "size"), [("PBYTE", 1), ("PWORD", 2), ("PLONG", 4), ("PLONGLONG", 8)]
)
def test_values_behind_every_kind_of_pointer(pointer, size):
    made = bound(f"FNC_VALUES 1 SWORD ROW_DIR {pointer}", kind="VAL_BLK", options="NUMBER 2")
    image = SparseMemory()
    image.add(Address(0x1000), bytearray((0x40).to_bytes(size, "little")))
    image.add(Address(0x40), bytearray(struct.pack("<hh", -2, 300)))
    assert made.decode(image.read).values.tolist() == [-2, 300]
    assert made.encode([1, -1], read=image.read) == [(Address(0x40), b"\x01\x00\xff\xff")]


@pytest.mark.parametrize("word", ["STATIC_RECORD_LAYOUT", "STATIC_ADDRESS_OFFSETS"])
def test_static_records_keep_room_for_the_most_points(word):
    layout = (
        "NO_AXIS_PTS_X 1 UBYTE NO_AXIS_PTS_Y 2 UBYTE AXIS_PTS_X 3 UBYTE INDEX_INCR DIRECT "
        f"AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UBYTE ROW_DIR DIRECT {word}"
    )
    made = bound(layout, axis("STD_AXIS", 4) + axis("STD_AXIS", 3), kind="MAP")
    # counts 2 and 2; four places for X, three for Y, values of a row next to each other
    data = bytes([2, 2, 10, 20, 0xEE, 0xEE, 7, 8, 0xEE, 1, 2, 3, 4])
    found = made.decode(memory(data))
    assert found.values.tolist() == [[1, 2], [3, 4]]
    assert [points.tolist() for points in found.axes] == [[10, 20], [7, 8]]
