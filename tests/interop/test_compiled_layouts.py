"""Memory that a C compiler laid out, described as A2L and read back against the values C lists."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.measurement import BoundMeasurement

SOURCE = Path(__file__).parent / "compiled" / "layouts.c"
BASE, CAL = 0x40000, 0x1000
ORDERS = ("MSB_LAST", "MSB_FIRST", "MSB_FIRST_MSW_LAST", "MSB_LAST_MSW_FIRST")

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

LAYOUTS = """
IDENT IDENTIFICATION 1 UWORD RESERVED 2 BYTE FNC_VALUES 3 FLOAT64_IEEE ROW_DIR DIRECT
CURVE SRC_ADDR_X 1 ULONG NO_AXIS_PTS_X 2 UBYTE AXIS_PTS_X 3 UWORD INDEX_INCR DIRECT RIP_ADDR_X 4 ULONG
 FNC_VALUES 5 FLOAT32_IEEE ROW_DIR DIRECT RIP_ADDR_W 6 ULONG STATIC_RECORD_LAYOUT
ROWS NO_AXIS_PTS_X 1 UBYTE NO_AXIS_PTS_Y 2 UBYTE AXIS_PTS_X 3 SWORD INDEX_INCR DIRECT AXIS_PTS_Y 4 SBYTE INDEX_INCR DIRECT
 FNC_VALUES 5 SLONG ROW_DIR DIRECT
COLUMNS AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT AXIS_PTS_Y 2 UBYTE INDEX_INCR DIRECT FNC_VALUES 3 UWORD COLUMN_DIR DIRECT
CUBOID AXIS_PTS_X 1 SBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UWORD INDEX_INCR DIRECT AXIS_PTS_Z 3 ULONG INDEX_INCR DIRECT
 FNC_VALUES 4 A_INT64 ROW_DIR DIRECT
CUBE4 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UBYTE INDEX_INCR DIRECT AXIS_PTS_Z 3 UBYTE INDEX_INCR DIRECT
 AXIS_PTS_4 4 UBYTE INDEX_INCR DIRECT FNC_VALUES 5 UWORD ROW_DIR DIRECT
CUBE5 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT AXIS_PTS_Y 2 UBYTE INDEX_INCR DIRECT AXIS_PTS_Z 3 UBYTE INDEX_INCR DIRECT
 AXIS_PTS_4 4 UBYTE INDEX_INCR DIRECT AXIS_PTS_5 5 UBYTE INDEX_INCR DIRECT FNC_VALUES 6 FLOAT32_IEEE ROW_DIR DIRECT
WITH_X AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UWORD ALTERNATE_WITH_X DIRECT
WITH_Y FNC_VALUES 1 UWORD ALTERNATE_WITH_Y DIRECT AXIS_PTS_Y 2 UBYTE INDEX_INCR DIRECT
CURVES FNC_VALUES 1 UWORD ALTERNATE_CURVES DIRECT AXIS_PTS_X 2 ULONG INDEX_INCR DIRECT
SHIFTED OFFSET_X 1 SBYTE SHIFT_OP_X 2 UBYTE FIX_NO_AXIS_PTS_X 6 FNC_VALUES 3 UWORD ROW_DIR DIRECT
SPACED OFFSET_X 1 FLOAT32_IEEE DIST_OP_X 2 FLOAT32_IEEE FNC_VALUES 3 UBYTE ROW_DIR DIRECT
RESCALE NO_RESCALE_X 1 UWORD AXIS_RESCALE_X 2 SLONG 5 INDEX_INCR DIRECT
POINTERS AXIS_PTS_X 1 UWORD INDEX_INCR PLONG FNC_VALUES 2 SLONG ROW_DIR PLONGLONG
FALLING AXIS_PTS_X 1 UWORD INDEX_DECR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT
BYTES AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT
TIGHT NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT FNC_VALUES 3 FLOAT64_IEEE ROW_DIR DIRECT
 ALIGNMENT_WORD 1 ALIGNMENT_FLOAT64_IEEE 1
AXIS NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT
TABLE NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT FNC_VALUES 3 FLOAT32_IEEE ROW_DIR DIRECT STATIC_RECORD_LAYOUT
U8 FNC_VALUES 1 UBYTE ROW_DIR DIRECT
U16 FNC_VALUES 1 UWORD ROW_DIR DIRECT
U16C FNC_VALUES 1 UWORD COLUMN_DIR DIRECT
F32 FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT
X8 AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT
"""


def layouts():
    text = LAYOUTS.replace("\n ", " ").strip()
    for line in text.splitlines():
        name, rest = line.split(" ", 1)
        yield f"/begin RECORD_LAYOUT {name}L {rest} /end RECORD_LAYOUT"


def axis(kind="STD_AXIS", count=4, options=""):
    return (
        f"/begin AXIS_DESCR {kind} NO_INPUT_QUANTITY NO_COMPU_METHOD {count} -1e10 1e10 {options} "
        "/end AXIS_DESCR"
    )


def fixed(count):
    return axis("FIX_AXIS", count, f"FIX_AXIS_PAR_DIST 0 1 {count}")


CHARACTERISTICS = [
    ("ident", "VALUE", "IDENTL", ""),
    ("curve", "CURVE", "CURVEL", axis(count=5)),
    ("row_map", "MAP", "ROWSL", axis() + axis(count=3)),
    ("col_map", "MAP", "COLUMNSL", axis() + axis(count=3)),
    ("cuboid", "CUBOID", "CUBOIDL", axis(count=2) + axis(count=3) + axis()),
    ("col_cuboid", "CUBOID", "U16CL", fixed(2) + fixed(3) + fixed(4)),
    ("cube4", "CUBE_4", "CUBE4L", axis(count=2) * 2 + axis(count=3) + axis(count=2)),
    ("cube5", "CUBE_5", "CUBE5L", axis(count=2) * 4 + axis(count=3)),
    ("with_x", "MAP", "WITH_XL", axis() + fixed(3)),
    ("with_y", "MAP", "WITH_YL", fixed(4) + axis(count=3)),
    ("curve_a", "CURVE", "CURVESL", axis()),
    ("curve_b", "CURVE", "CURVESL", axis()),
    ("curve_c", "CURVE", "CURVESL", axis()),
    ("shifted", "CURVE", "SHIFTEDL", axis("FIX_AXIS", 9)),
    ("spaced", "CURVE", "SPACEDL", axis("FIX_AXIS", 5)),
    ("rescale_curve", "CURVE", "U8L", axis("RES_AXIS", 9, "AXIS_PTS_REF rescale")),
    ("pointers", "CURVE", "POINTERSL", axis(count=3)),
    ("falling", "CURVE", "FALLINGL", axis()),
    ("differences", "CURVE", "BYTESL", axis(options="DEPOSIT DIFFERENCE")),
    ("tight", "CURVE", "TIGHTL", axis(count=3)),
    ("axis_curve", "CURVE", "F32L", axis("COM_AXIS", 6, "AXIS_PTS_REF axis")),
    ("block", "VAL_BLK", "U16L", "MATRIX_DIM 3 4 2"),
    ("text", "ASCII", "U8L", "NUMBER 8"),
]
SIGNED = "/begin BIT_OPERATION RIGHT_SHIFT {} SIGN_EXTEND /end BIT_OPERATION"
MEASUREMENTS = [
    ("u8", "u8", "UBYTE", ""),
    ("i8", "i8", "SBYTE", ""),
    ("u16", "u16", "UWORD", ""),
    ("i16", "i16", "SWORD", ""),
    ("u32", "u32", "ULONG", ""),
    ("i32", "i32", "SLONG", ""),
    ("u64", "u64", "A_UINT64", ""),
    ("i64", "i64", "A_INT64", ""),
    ("f16", "f16", "FLOAT16_IEEE", ""),
    ("f32", "f32", "FLOAT32_IEEE", ""),
    ("f64", "f64", "FLOAT64_IEEE", ""),
    ("a32", "bits32", "ULONG", "BIT_MASK 0x7"),
    ("b32", "bits32", "ULONG", "BIT_MASK 0x3F8"),
    ("c32", "bits32", "ULONG", "BIT_MASK 0x3FFC00 " + SIGNED.format(10)),
    ("d32", "bits32", "SLONG", "BIT_MASK 0xFFC00000"),
    ("a64", "bits64", "A_UINT64", "BIT_MASK 1"),
    ("b64", "bits64", "A_UINT64", f"BIT_MASK {(1 << 41) - 2} " + SIGNED.format(1)),
    ("c64", "bits64", "A_INT64", f"BIT_MASK {(1 << 64) - (1 << 41)}"),
    ("matrix", "matrix", "SLONG", "MATRIX_DIM 4 3"),
    ("columns", "columns", "UWORD", "MATRIX_DIM 4 3 LAYOUT COLUMN_DIR"),
    ("via_pointer", "via_pointer", "SLONG", "MATRIX_DIM 4 3 ADDRESS_TYPE PLONG"),
]
COMPONENTS = {
    "point": [("x", "SWORD_T", "", "x"), ("y", "SLONG_T", "", "y")],
    "inner": [
        ("p", "point", "MATRIX_DIM 3 2", "p"),
        ("gain", "DOUBLE_T", "", "gain"),
        ("lo", "LO_T", "", "flags"),
        ("hi", "HI_T", "", "flags"),
    ],
    "outer": [
        ("k", "UBYTE_T", "", "k"),
        ("in", "inner", "MATRIX_DIM 2", "in"),
        ("t", "TABLE_T", "MATRIX_DIM 3", "t"),
        ("raw", "RAW_T", "", "raw"),
        ("link", "outer", "ADDRESS_TYPE PLONG", "link"),
        ("sx", "SX_T", "", "sx"),
        ("sv", "SV_T", "", "sv"),
        ("blob", "BLOB_T", "", "blob"),
    ],
}
LIMITS = "NO_COMPU_METHOD 0 0 -1e20 1e20"
TYPEDEFS = f"""
/begin TYPEDEF_MEASUREMENT SWORD_T "" SWORD {LIMITS} /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT SLONG_T "" SLONG {LIMITS} /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT DOUBLE_T "" FLOAT64_IEEE {LIMITS} /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT LO_T "" UWORD {LIMITS} BIT_MASK 0x1F /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT HI_T "" UWORD {LIMITS} BIT_MASK 0xFFE0 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT RAW_T "" UWORD {LIMITS} MATRIX_DIM 3 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_CHARACTERISTIC UBYTE_T "" VALUE U8L 0 NO_COMPU_METHOD 0 255 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_CHARACTERISTIC TABLE_T "" CURVE TABLEL 0 NO_COMPU_METHOD -1e20 1e20 {axis()} /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_AXIS SX_T "" NO_INPUT_QUANTITY X8L 0 NO_COMPU_METHOD 3 0 255 /end TYPEDEF_AXIS
/begin TYPEDEF_CHARACTERISTIC SV_T "" CURVE U16L 0 NO_COMPU_METHOD 0 65535
 {axis("COM_AXIS", 3, "AXIS_PTS_REF THIS.sx")} /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_BLOB BLOB_T "" 5 /end TYPEDEF_BLOB
"""


def description(listing, order):
    """The A2L of the memory; every place comes from the compiler."""
    place = {n: BASE + int(v) for n, v in listing["address"].items()}
    yield f'/begin MOD_PAR "" ECU_CALIBRATION_OFFSET {CAL} /end MOD_PAR'
    yield f'/begin MOD_COMMON "" BYTE_ORDER {order} /end MOD_COMMON'
    yield from layouts()
    for name, kind, layout, options in CHARACTERISTICS:
        yield (
            f'/begin CHARACTERISTIC {name} "" {kind} {place[name]} {layout} 0 NO_COMPU_METHOD -1e30 1e30 '
            f"{options} /end CHARACTERISTIC"
        )
    for name, layout, count in (("rescale", "RESCALEL", 9), ("axis", "AXISL", 6)):
        yield (
            f'/begin AXIS_PTS {name} "" {place[name]} NO_INPUT_QUANTITY {layout} 0 NO_COMPU_METHOD {count} '
            "-1e10 1e10 /end AXIS_PTS"
        )
    for name, where, datatype, options in MEASUREMENTS:
        yield (
            f'/begin MEASUREMENT {name} "" {datatype} NO_COMPU_METHOD 0 0 -1e30 1e30 '
            f"ECU_ADDRESS {place[where]} READ_WRITE {options} /end MEASUREMENT"
        )
    yield TYPEDEFS
    for name, parts in COMPONENTS.items():
        made = " ".join(
            f"/begin STRUCTURE_COMPONENT {part} {typedef} {listing['offset'][f'{name}.{member}']} "
            f"{options} /end STRUCTURE_COMPONENT"
            for part, typedef, options, member in parts
        )
        size = listing["size"][name]
        yield f'/begin TYPEDEF_STRUCTURE {name} "" {size} {made} /end TYPEDEF_STRUCTURE'
    yield f'/begin INSTANCE s "" outer {place["s"]} MATRIX_DIM 2 READ_WRITE /end INSTANCE'


def run(program, *arguments):
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    listing = {"address": {}, "offset": {}, "size": {}, "value": {}}
    for line in done.stdout.splitlines():
        kind, name, *rest = line.split(" ")
        if kind == "value":
            listing["value"][name, rest[0]] = rest[1:]
        else:
            listing[kind][name] = rest[0]
    return listing


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("compiled") / "layouts"
    subprocess.run(
        ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", built, SOURCE],
        check=True,
        timeout=120,
        capture_output=True,
    )
    return built


def load(program, folder, order):
    image = folder / "memory.bin"
    listing = run(program, "make", str(ORDERS.index(order)), image)
    body = "\n".join(description(listing, order))
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    memory = SparseMemory()
    memory.add(Address(BASE), bytearray(image.read_bytes()))
    return listing, Catalog(file), memory


def found_values(catalog, memory, name, what):
    bound = catalog.bind(name).resolve(memory.read)
    if isinstance(bound, BoundMeasurement):
        return bound.decode(memory.read(bound.address, bound.size_bytes))
    if len(what) > 1:
        return bound.parts(memory.read)[what]
    raw = bound.decode(memory.read)
    if isinstance(bound, AxisPoints):
        return raw
    return raw.values if what == "v" else raw.axes["xyz45".index(what)]


def agree(found, listed):
    flat = np.asarray(found).reshape(-1).tolist()
    wanted = [type(value)(text) for value, text in zip(flat, listed, strict=True)]
    return flat == pytest.approx(wanted, rel=1e-8, abs=0) and (
        not all(isinstance(v, int) for v in flat) or flat == wanted
    )


@pytest.mark.parametrize("order", ORDERS)
def test_every_value_is_what_c_sees(program, tmp_path, order):
    listing, catalog, memory = load(program, tmp_path, order)
    assert len(listing["value"]) > 130
    wrong = [
        (name, what, found_values(catalog, memory, name, what), listed)
        for (name, what), listed in listing["value"].items()
        if not agree(found_values(catalog, memory, name, what), listed)
    ]
    assert not wrong
    text = catalog.bind("text")
    assert text.to_phys(text.decode(memory.read)).values == "Motor"
    sizes = [len(catalog.blob(f"s[{n}].blob").decode(memory.read)) for n in range(2)]
    assert sizes == [5, 5]


@pytest.mark.parametrize("order", ORDERS)
def test_writing_what_is_there_changes_nothing(program, tmp_path, order):
    listing, catalog, memory = load(program, tmp_path, order)
    before = memory.read(Address(BASE), int(listing["size"]["image"]))
    written = 0
    for name, what in listing["value"]:
        if len(what) > 1:
            continue
        bound = catalog.bind(name).resolve(memory.read)
        values = found_values(catalog, memory, name, what)
        if isinstance(bound, BoundMeasurement):
            current = memory.read(bound.address, bound.size_bytes)
            writes = bound.encode(values, current=current)
        elif isinstance(bound, AxisPoints):
            points = bound.pairs(memory.read) if bound.is_rescale else values
            writes = bound.encode(points, read=memory.read)
        elif what == "v":
            writes = bound.encode(values, read=memory.read)
        elif bound.axes["xyz45".index(what)].attribute == "RES_AXIS":
            continue
        else:
            writes = bound.encode_axis("xyz45".index(what), values, read=memory.read)
        written += sum(len(data) for _, data in writes)
        for address, data in writes:
            memory.write(address, data)
    assert written > 1500
    assert memory.read(Address(BASE), len(before)) == before


def test_c_sees_what_was_written(program, tmp_path):
    """Every writable value gets its own values reversed, which C then lists."""
    listing, catalog, memory = load(program, tmp_path, "MSB_LAST")
    expected = {}
    skipped = {"link", "via_pointer", "rescale", "axis", "f16", "sx"}
    for name, what in listing["value"]:
        if (
            what != "v"
            or skipped & set(name.replace("[", ".").split("."))
            or name.endswith(("]", "_"))
        ):
            continue
        bound = catalog.bind(name)
        values = np.asarray(found_values(catalog, memory, name, "v"))
        new = values[(slice(None, None, -1),) * values.ndim]
        if not values.shape:
            new = values / 2 if values.dtype.kind == "f" else values // 2
        if isinstance(bound, BoundMeasurement):
            writes = bound.encode(new, current=memory.read(bound.address, bound.size_bytes))
        else:
            writes = bound.encode(new, read=memory.read)
        for address, data in writes:
            memory.write(address, data)
        expected[name] = new
    image = tmp_path / "changed.bin"
    image.write_bytes(memory.read(Address(BASE), int(listing["size"]["image"])))
    after = run(program, "list", image)["value"]
    assert len(expected) > 55
    wrong = [n for n, new in expected.items() if not agree(new, after[n, "v"])]
    assert not wrong
    kept = [
        key for key, listed in listing["value"].items() if key[1] != "v" and after[key] != listed
    ]
    assert not kept
