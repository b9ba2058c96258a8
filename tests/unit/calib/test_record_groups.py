"""Parameters read in bulk: the same as read singly, whatever their records look like."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from support.parameters import described
from xcaliper.calib.entry_values import entry_of
from xcaliper.calib.extract import extract
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.characteristic import BoundCharacteristic

POOL = np.random.default_rng(11).integers(0, 256, 1 << 14, dtype=np.uint8)
COUNT = 8
"""Parameters of each form; they lie at addresses with every rest to their borders."""

LAYOUTS = {
    "PLAIN": "FNC_VALUES 1 SWORD ROW_DIR DIRECT",
    "COLUMNS": "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UWORD INDEX_DECR DIRECT "
    "FNC_VALUES 3 FLOAT32_IEEE COLUMN_DIR DIRECT",
    "COUNTED": "NO_AXIS_PTS_X 1 UBYTE NO_AXIS_PTS_Y 2 UBYTE AXIS_PTS_X 3 SWORD INDEX_INCR DIRECT "
    "AXIS_PTS_Y 4 SWORD INDEX_INCR DIRECT FNC_VALUES 5 ULONG ROW_DIR DIRECT",
    "LATE": "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT NO_AXIS_PTS_Y 3 UBYTE "
    "AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UBYTE ROW_DIR DIRECT",
    "STATIC": "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT NO_AXIS_PTS_X 2 UBYTE "
    "FNC_VALUES 3 UBYTE ROW_DIR DIRECT STATIC_RECORD_LAYOUT",
    "WOVEN": "FNC_VALUES 1 SWORD ALTERNATE_WITH_X DIRECT AXIS_PTS_X 2 SWORD INDEX_INCR DIRECT",
    "FIXED": "FIX_NO_AXIS_PTS_X 3 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT "
    "FNC_VALUES 2 UBYTE ROW_DIR DIRECT",
    "WIDE": "RESERVED 1 BYTE FNC_VALUES 2 A_UINT64 ROW_DIR DIRECT",
    "STEPS": "OFFSET_X 1 SWORD DIST_OP_X 2 UBYTE FNC_VALUES 3 UBYTE ROW_DIR DIRECT",
    "FAR": "FNC_VALUES 1 UBYTE ROW_DIR PLONG",
    "POINTS": "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 SWORD INDEX_DECR DIRECT",
    "PAIRS": "NO_RESCALE_X 1 UBYTE AXIS_RESCALE_X 2 UBYTE 3 INDEX_INCR DIRECT",
}
METHODS = """
/begin COMPU_METHOD LIN "" LINEAR "%6.1" "1/min" COEFFS_LINEAR 0.1 -40 /end COMPU_METHOD
/begin COMPU_METHOD RAT "" RAT_FUNC "%6.1" "V" COEFFS 0 3 1 0 0 2 /end COMPU_METHOD
/begin COMPU_METHOD TWO "" RAT_FUNC "%6.1" "V" COEFFS 1 0 0 0 0 1 /end COMPU_METHOD
/begin COMPU_METHOD FORM "" FORM "%6.1" "A" /begin FORMULA "X1*X1" /end FORMULA /end COMPU_METHOD
/begin COMPU_METHOD WORD "" TAB_VERB "" "" COMPU_TAB_REF WORDS /end COMPU_METHOD
/begin COMPU_METHOD STATE "" LINEAR "%6.1" "K" COEFFS_LINEAR 2 0 STATUS_STRING_REF LOST /end COMPU_METHOD
/begin COMPU_VTAB_RANGE WORDS "" 2 0 100 "low" 101 70000 "high" DEFAULT_VALUE "odd" /end COMPU_VTAB_RANGE
/begin COMPU_VTAB_RANGE LOST "" 1 0 900 "lost" /end COMPU_VTAB_RANGE
/begin COMPU_METHOD ONE "" LINEAR "%6.1" "" COEFFS_LINEAR 1 0 /end COMPU_METHOD
"""
RULES = ("NO_COMPU_METHOD", "LIN", "RAT", "TWO", "FORM", "WORD", "STATE", "ONE")
STD = "STD_AXIS NO_INPUT_QUANTITY {rule} {count} 0 9"
FIX = (
    "FIX_AXIS rpm {rule} 3 0 9 FIX_AXIS_PAR_DIST 5 2 3",
    "FIX_AXIS rpm {rule} 3 0 9 /begin FIX_AXIS_PAR_LIST 0.5 1.5 9 /end FIX_AXIS_PAR_LIST",
)
FORMS = {
    "v": ("VALUE", "PLAIN", "", ()),
    "v_motorola": ("VALUE", "PLAIN", "BYTE_ORDER MSB_FIRST", ()),
    "v_bit": ("VALUE", "PLAIN", "BIT_MASK 0xFF0", ()),
    "v_unit": ("VALUE", "PLAIN", 'PHYS_UNIT "own"', ()),
    "w": ("VALUE", "WIDE", "", ()),
    "w_mixed": ("VALUE", "WIDE", "BYTE_ORDER MSB_FIRST_MSW_LAST", ()),
    "far": ("VALUE", "FAR", "", ()),
    "b": ("VAL_BLK", "PLAIN", "MATRIX_DIM 3 2 2", ()),
    "b_small": ("VAL_BLK", "PLAIN", "MATRIX_DIM 2", ()),
    "n": ("VAL_BLK", "WIDE", "NUMBER 4", ()),
    "n_small": ("VAL_BLK", "WIDE", "NUMBER 2", ()),
    "columns": ("MAP", "COLUMNS", "", (STD, STD + " DEPOSIT DIFFERENCE")),
    "counted": ("MAP", "COUNTED", "", (STD, STD + " BYTE_ORDER MSB_FIRST")),
    "counted_intel": ("MAP", "COUNTED", "", (STD, STD)),
    "late": ("MAP", "LATE", "", (STD, STD)),
    "static": ("CURVE", "STATIC", "", (STD,)),
    "woven": ("MAP", "WOVEN", "", (STD, FIX[0])),
    "fixed": ("CURVE", "FIXED", "", (STD,)),
    "steps": ("CURVE", "STEPS", "", (STD,)),
    "listed": ("MAP", "PLAIN", "", FIX),
    "listed_otherwise": ("MAP", "PLAIN", "", FIX[::-1]),
    "common": ("CURVE", "PLAIN", "", ("COM_AXIS rpm {rule} 4 0 9 AXIS_PTS_REF ax{n}",)),
    "pairs": ("CURVE", "PLAIN", "", ("RES_AXIS rpm {rule} 4 0 9 AXIS_PTS_REF rx{n}",)),
    "both": (
        "MAP",
        "COLUMNS",
        "",
        ("COM_AXIS rpm {rule} 4 0 9 AXIS_PTS_REF ax{n}", STD),
    ),
    "cube": ("CUBOID", "PLAIN", "", (FIX[0], "COM_AXIS rpm {rule} 4 0 9 AXIS_PTS_REF ax1", FIX[1])),
    "indexed": (
        "CURVE",
        "PLAIN",
        "",
        ("CURVE_AXIS rpm NO_COMPU_METHOD 4 0 9 CURVE_AXIS_REF fixed0",),
    ),
}


PARTS = """
/begin TYPEDEF_CHARACTERISTIC SPEED "a speed" VALUE PLAIN 0 LIN 0 9 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC FLAG "" VALUE PLAIN 0 NO_COMPU_METHOD 0 9 BIT_MASK 0x70 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_AXIS AX "" NO_INPUT_QUANTITY POINTS 0 STATE 4 0 9 /end TYPEDEF_AXIS
/begin TYPEDEF_CHARACTERISTIC CURVE "" CURVE PLAIN 0 WORD 0 9
  /begin AXIS_DESCR COM_AXIS rpm LIN 4 0 9 AXIS_PTS_REF THIS.ax /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC ABROAD "" CURVE PLAIN 0 LIN 0 9
  /begin AXIS_DESCR COM_AXIS rpm LIN 4 0 9 AXIS_PTS_REF ax2 /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC BESIDE "" CURVE PLAIN 0 LIN 0 9
  /begin AXIS_DESCR COM_AXIS rpm LIN 4 0 9 AXIS_PTS_REF ax /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC MAP "" MAP COUNTED 0 LIN 0 9
  /begin AXIS_DESCR STD_AXIS rpm LIN 3 0 9 /end AXIS_DESCR
  /begin AXIS_DESCR STD_AXIS rpm LIN 2 0 9 /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC BLOCK "" VAL_BLK PLAIN 0 RAT 0 9 MATRIX_DIM 3 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE UNIT "" 403
  /begin STRUCTURE_COMPONENT speed SPEED 1 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT speeds SPEED 4 MATRIX_DIM 3 2 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT turned SPEED 30 MATRIX_DIM 3 2 LAYOUT COLUMN_DIR /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT flag FLAG 60 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT ax AX 70 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT curve CURVE 100 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT abroad ABROAD 130 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT beside BESIDE 150 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT map MAP 200 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT block BLOCK 300 MATRIX_DIM 2 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
"""


def body():
    """One parameter per form and number, each with a conversion of its own."""
    yield from (f"/begin RECORD_LAYOUT {k} {v} /end RECORD_LAYOUT" for k, v in LAYOUTS.items())
    yield METHODS
    at = 0x1000
    for n in range(COUNT):
        rule = RULES[n]
        for kind, layout, more in (("ax", "POINTS", ""), ("dx", "POINTS", "DEPOSIT DIFFERENCE")):
            yield (
                f'/begin AXIS_PTS {kind}{n} "" {at} NO_INPUT_QUANTITY {layout} 0 {rule} 4 0 9 {more} /end AXIS_PTS'
            )
            at += 33
        yield (
            f'/begin AXIS_PTS rx{n} "" {at} NO_INPUT_QUANTITY PAIRS 0 NO_COMPU_METHOD 4 0 9 /end AXIS_PTS'
        )
        at += 33
    for form, (kind, layout, more, axes) in FORMS.items():
        for n in range(COUNT):
            parts = "".join(
                f"/begin AXIS_DESCR {one.format(rule=RULES[n + k + 1 - COUNT], count=3, n=n)} /end AXIS_DESCR "
                for k, one in enumerate(axes)
            )
            yield (
                f'/begin CHARACTERISTIC {form}{n} "about {n}" {kind} {at} {layout} 0 {RULES[n]} 0 9 {more} '
                f"DISPLAY_IDENTIFIER d.{form}{n} {parts} /end CHARACTERISTIC"
            )
            at += 257  # every rest to every border
    yield PARTS
    yield (
        f'/begin INSTANCE unit "" UNIT {at} MATRIX_DIM 3 '
        "/begin OVERWRITE speed 0 CONVERSION RAT /end OVERWRITE /end INSTANCE"
    )
    yield f'/begin INSTANCE far "" UNIT {at} ADDRESS_TYPE PLONG /end INSTANCE'
    yield '/begin MEASUREMENT rpm "" UWORD LIN 0 0 0 9 ECU_ADDRESS 0 /end MEASUREMENT'


CATALOG = described("\n".join(body()))


def anything(address, size_bytes):
    """Bytes that depend on the address alone; counts are small now and then."""
    data = POOL[(address.value + np.arange(size_bytes)) % len(POOL)]
    return np.where(data % 3 == 0, data % 4, data).astype(np.uint8).tobytes()


@pytest.mark.parametrize("raw", [False, True])
def test_in_bulk_is_as_singly(raw):
    told = []
    values = extract(CATALOG, anything, on_problem=told.append, raw=raw)
    names = CATALOG.characteristics + CATALOG.axis_pts
    assert values.names == names
    doubts = set()
    for name in names:
        bound, made = CATALOG.bind(name), CATALOG.index.object(name)
        alone = entry_of(bound, anything, raw=raw)
        found = values[name]
        assert found.values is not None
        assert type(found.values) is type(alone.values), name
        assert getattr(found.values, "dtype", None) == getattr(alone.values, "dtype", None), name
        assert [a.values.dtype for a in found.axes] == [a.values.dtype for a in alone.axes], name
        assert found.display_name == ((made.display_identifier or "") if made else "")
        same = {"display_name": "", "functions": ()}
        assert replace(found, **same) == replace(alone, **same), name
        counted = isinstance(bound, BoundCharacteristic) or bound.layout.is_counted
        doubts |= {f"{one}." for one in bound.doubts(anything)} if counted else set()
    assert {one.text for one in told} == doubts
    assert len(doubts) > 5


def test_few_calls_read_what_many_parameters_need():
    reads = []

    def counting(address, size_bytes):
        reads.append(size_bytes)
        return anything(address, size_bytes)

    names = [f"{form}{n}" for form in ("v", "columns", "counted", "listed") for n in range(COUNT)]
    values = extract(CATALOG, counting, names, on_problem=lambda _: None)
    assert len(values) == len(names)
    assert len(reads) == len(names)  # one piece each, as far apart as they are


DENSE = """
/begin RECORD_LAYOUT C NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT
  FNC_VALUES 3 SWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT S FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD HALF "" LINEAR "%6.1" "bar" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD
/begin AXIS_PTS ax "" 0x140 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 2 0 99 /end AXIS_PTS
/begin AXIS_PTS away "" 0x9000 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 2 0 99 /end AXIS_PTS
{curves}
/begin CHARACTERISTIC on_ax "" CURVE 0x144 S 0 HALF 0 99
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY HALF 2 0 99 AXIS_PTS_REF ax /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC too "" CURVE 0x146 S 0 NO_COMPU_METHOD 0 99
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY HALF 2 0 99 AXIS_PTS_REF ax /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC lost "" CURVE 0x148 S 0 NO_COMPU_METHOD 0 99
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY HALF 2 0 99 AXIS_PTS_REF away /end AXIS_DESCR
/end CHARACTERISTIC
"""
CURVE = """/begin CHARACTERISTIC c{n} "" CURVE {at} C 0 {rule} 0 99
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 99 /end AXIS_DESCR
/end CHARACTERISTIC"""


@pytest.fixture
def dense():
    curves = [
        CURVE.format(n=n, at=0x100 + 16 * n, rule=("NO_COMPU_METHOD", "HALF")[n % 2])
        for n in range(4)
    ]
    memory = SparseMemory()
    memory.add(Address(0x100), bytearray(0x50))
    for n, data in enumerate(
        (
            struct.pack("<4B3h", 3, 1, 2, 3, -1, -2, -3),
            struct.pack("<4B2h", 2, 7, 8, 0, 10, 11),  # a pad byte before the values
            struct.pack("<4B3h", 3, 4, 5, 6, 20, 21, 22),
            struct.pack("<4B3h", 9, 4, 5, 6, 30, 31, 32),
        )
    ):
        memory.write(Address(0x100 + 16 * n), data)
    memory.write(Address(0x140), bytes([10, 20, 0, 0, 1, 2, 3, 4, 5, 6]))
    return described(DENSE.format(curves="\n".join(curves))), memory


def test_records_of_other_counts_lie_in_one_group(dense):
    catalog, memory = dense
    told, reads = [], []

    def counting(address, size_bytes):
        reads.append((address.value, size_bytes))
        return memory.read(address, size_bytes)

    values = extract(catalog, counting, on_problem=told.append)
    found = {f"c{n}": values[f"c{n}"] for n in range(4)}
    assert [one.values.tolist() for one in found.values()] == [
        [-1, -2, -3],
        [5.0, 5.5],
        [20, 21, 22],
        [15.0, 15.5, 16.0],
    ]
    assert [one.axes[0].values.tolist() for one in found.values()] == [
        [1, 2, 3],
        [7, 8],
        [4, 5, 6],
        [4, 5, 6],
    ]
    assert [one.unit for one in found.values()] == ["", "bar", "", "bar"]
    assert reads[0] == (0x100, 0x4A)  # everything that is near in one piece
    texts = [one.text for one in told]
    assert texts[0] == "c3: NO_AXIS_PTS_X is 9 where 1 to 3 can be; 3 are taken."
    assert [one.partition(": left out")[0] for one in texts[1:]] == ["lost", "away"]


def test_points_that_tables_share_are_read_once_and_converted_by_each(dense):
    catalog, memory = dense
    values = extract(catalog, memory.read, ["on_ax", "too", "ax"], on_problem=lambda _: None)
    assert values["on_ax"].values.tolist() == [0.5, 1.0]
    assert values["too"].values.tolist() == [3, 4]
    first, second = values["on_ax"].axes[0], values["too"].axes[0]
    assert first.values.tolist() == second.values.tolist() == [5.0, 10.0]
    assert (first.ref, first.unit) == ("ax", "bar")
    assert values["ax"].values.tolist() == [10, 20]
    assert values["ax"].values is not first.values
    with pytest.raises(ValueError, match="read-only"):
        first.values[0] = 7  # it would be the axis of the other table as well


def test_counts_that_move_other_counts_are_read_record_by_record():
    catalog = described(
        "/begin RECORD_LAYOUT L NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT "
        "NO_AXIS_PTS_Y 3 UBYTE AXIS_PTS_Y 4 UBYTE INDEX_INCR DIRECT "
        "FNC_VALUES 5 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT "
        + " ".join(
            f'/begin CHARACTERISTIC m{n} "" MAP {at} L 0 NO_COMPU_METHOD 0 99 '
            + "/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 99 /end AXIS_DESCR "
            * 2
            + "/end CHARACTERISTIC"
            for n, at in ((0, 0x100), (1, 0x120))
        )
    )
    memory = SparseMemory()
    memory.add(Address(0x100), bytearray(0x40))
    # equal where the second count would be behind three points, different where it is
    memory.write(Address(0x100), bytes([1, 9, 1, 5, 2]))
    memory.write(Address(0x120), bytes([1, 9, 2, 5, 2, 7, 8]))
    values = extract(catalog, memory.read, on_problem=lambda _: None)
    assert [values[f"m{n}"].values.tolist() for n in (0, 1)] == [[[2]], [[7], [8]]]
