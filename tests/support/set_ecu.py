"""A small description with every kind of parameter, and a set of values for it, both by hand."""

import numpy as np

from xcaliper.a2l import parse
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis
from xcaliper.quantity.catalog import Catalog

LAYOUTS = {
    "U8": "FNC_VALUES 1 UBYTE ROW_DIR DIRECT",
    "U16": "FNC_VALUES 1 UWORD ROW_DIR DIRECT",
    "S32": "FNC_VALUES 1 SLONG ROW_DIR DIRECT",
    "S64": "FNC_VALUES 1 A_INT64 ROW_DIR DIRECT",
    "U64": "FNC_VALUES 1 A_UINT64 ROW_DIR DIRECT",
    "F16": "FNC_VALUES 1 FLOAT16_IEEE ROW_DIR DIRECT",
    "F32": "FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT",
    "F64": "FNC_VALUES 1 FLOAT64_IEEE ROW_DIR DIRECT",
    "CURVE": "IDENTIFICATION 1 UBYTE NO_AXIS_PTS_X 2 UBYTE AXIS_PTS_X 3 UWORD INDEX_INCR DIRECT "
    "FNC_VALUES 4 SLONG ROW_DIR DIRECT",
    "COLUMNS": "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UWORD INDEX_DECR DIRECT "
    "FNC_VALUES 3 SWORD COLUMN_DIR DIRECT",
    "WITH_X": "AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UWORD ALTERNATE_WITH_X DIRECT",
    "AXIS": "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT",
    "STATIC": "NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT "
    "FNC_VALUES 3 UBYTE ROW_DIR DIRECT STATIC_RECORD_LAYOUT",
    "POINTED": "AXIS_PTS_X 1 UWORD INDEX_INCR PLONG FNC_VALUES 2 SLONG ROW_DIR PLONG",
}
STD = "/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY %s %d 0 60000 /end AXIS_DESCR"
FIX = "/begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 9 FIX_AXIS_PAR_DIST 0 1 2 /end AXIS_DESCR"
COM = "/begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY TEN 3 0 9000 AXIS_PTS_REF AxN /end AXIS_DESCR"
# name, type, layout, conversion, limits, more
PARAMETERS = (
    ("Speed", "VALUE", "U16", "TEN", "0 6553.5", ""),
    ("Mode", "VALUE", "U8", "VERB", "0 255", ""),
    ("Lowest", "VALUE", "S32", "NO_COMPU_METHOD", "-2147483648 2147483647", ""),
    ("Lowest64", "VALUE", "S64", "NO_COMPU_METHOD", "-9223372036854775808 9.3e18", ""),
    ("Serial", "VALUE", "U64", "NO_COMPU_METHOD", "0 1.8446744073709551615e19", ""),
    ("Half", "VALUE", "F16", "NO_COMPU_METHOD", "-9 9", ""),
    ("Gain", "VALUE", "F32", "NO_COMPU_METHOD", "-1e9 1e9", ""),
    ("Exact", "VALUE", "F64", "NO_COMPU_METHOD", "-1e99 1e99", ""),
    ("Masked", "VALUE", "U8", "NO_COMPU_METHOD", "0 7", "BIT_MASK 0x70"),
    ("Label", "ASCII", "U8", "NO_COMPU_METHOD", "0 255", "NUMBER 8"),
    ("Block", "VAL_BLK", "F32", "NO_COMPU_METHOD", "-9 9", "MATRIX_DIM 3 2"),
    ("Row", "VAL_BLK", "U8", "TEN", "0 25.5", "NUMBER 3"),
    ("Curve", "CURVE", "CURVE", "TEN", "-9e7 9e7", STD % ("TEN", 4)),
    ("Short", "CURVE", "STATIC", "NO_COMPU_METHOD", "0 255", STD % ("NO_COMPU_METHOD", 4)),
    (
        "Columns",
        "MAP",
        "COLUMNS",
        "TEN",
        "-3000 3000",
        STD % ("NO_COMPU_METHOD", 3) + STD % ("TEN", 2),
    ),
    ("Woven", "MAP", "WITH_X", "TEN", "0 6000", STD % ("NO_COMPU_METHOD", 3) + FIX),
    ("Shared", "MAP", "U8", "NO_COMPU_METHOD", "0 255", COM + FIX),
    ("Pointed", "CURVE", "POINTED", "NO_COMPU_METHOD", "0 9", STD % ("NO_COMPU_METHOD", 2)),
)


def describe(order="MSB_LAST", places=None):
    """The description as text.

    Args:
        order: byte order.
        places: addresses by name; 0x1000, 0x1100, … without.
    """
    parts = [
        f"/begin RECORD_LAYOUT {name} {text} /end RECORD_LAYOUT" for name, text in LAYOUTS.items()
    ]
    for number, (name, kind, layout, rule, limits, more) in enumerate(PARAMETERS):
        address = (places or {}).get(name, 0x1000 + 0x100 * number)
        parts.append(
            f'/begin CHARACTERISTIC {name} "text of {name}" {kind} 0x{address:X} {layout} 0 {rule} {limits} '
            f"{more} /end CHARACTERISTIC"
        )
    axis = (places or {}).get("AxN", 0x8000)
    return f"""ASAP2_VERSION 1 71
/begin PROJECT P "" /begin MODULE M ""
/begin MOD_COMMON "" BYTE_ORDER {order} /end MOD_COMMON
{" ".join(parts)}
/begin AXIS_PTS AxN "speed" 0x{axis:X} NO_INPUT_QUANTITY AXIS 0 TEN 5 0 6000 /end AXIS_PTS
/begin COMPU_METHOD TEN "" LINEAR "%6.1" "1/min" COEFFS_LINEAR 0.1 0 /end COMPU_METHOD
/begin COMPU_METHOD VERB "" TAB_VERB "%1.0" "" COMPU_TAB_REF WORDS /end COMPU_METHOD
/begin COMPU_VTAB WORDS "" TAB_VERB 2 0 "eco" 3 "sport; or so" /end COMPU_VTAB
/end MODULE /end PROJECT"""


def catalog(order="MSB_LAST", places=None):
    return Catalog(parse(describe(order, places)), ag=1)


def std(*points, unit=""):
    return SetAxis(AxisKind.STD, np.array(points), unit=unit)


def values():
    """Physical values that the types hold exactly, or whose rounding is none; Half and Pointed left out."""
    own = SetAxis(AxisKind.FIX, np.array([0, 1]))
    shared = SetAxis(AxisKind.COM, np.array([80.0, 200.0, 450.0]), "AxN", "1/min")
    columns = np.array([[-0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
    return ParameterSet(
        [
            Entry("Speed", EntryKind.VALUE, 780.5, unit="1/min", long_name="idle */ speed"),
            Entry("Mode", EntryKind.VALUE, "sport; or so"),
            Entry("Lowest", EntryKind.VALUE, -(2**31)),
            Entry("Lowest64", EntryKind.VALUE, -(2**63)),
            Entry("Serial", EntryKind.VALUE, 2**64 - 1),
            Entry("Gain", EntryKind.VALUE, float(np.float32(0.1))),
            Entry("Exact", EntryKind.VALUE, 1e-300),
            Entry("Masked", EntryKind.VALUE, 5),
            Entry("Label", EntryKind.ASCII, "REV C"),
            Entry("Block", EntryKind.VAL_BLK, np.array([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]])),
            Entry("Row", EntryKind.VAL_BLK, np.array([0.1, 0.2, 25.5])),
            Entry("Curve", EntryKind.CURVE, np.array([-1.5, 1e6, 7.0]), (std(8.0, 20.0, 45.5),)),
            Entry("Short", EntryKind.CURVE, np.array([1, 2]), (std(5, 6),)),
            Entry("Columns", EntryKind.MAP, columns, (std(1, 2, 4), std(0.5, 9.0))),
            Entry(
                "Woven",
                EntryKind.MAP,
                np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
                (std(7, 8, 9), own),
            ),
            Entry("Shared", EntryKind.MAP, np.array([[1, 2, 3], [4, 5, 6]]), (shared, own)),
            Entry("AxN", EntryKind.AXIS_PTS, np.array([80.0, 200.0, 450.0])),
        ],
        name="run 7",
    )
