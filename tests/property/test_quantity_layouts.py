"""Any layout, conversion or field: what is written reads back, and nothing else moves."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.bits import BitField
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.rounding import fit

INTEGERS = [t.value for t in DataType if not t.is_float]
ALL_TYPES = [t.value for t in DataType]
ORDERS = ["MSB_FIRST", "MSB_LAST", "MSB_FIRST_MSW_LAST", "MSB_LAST_MSW_FIRST"]
BORDERS = "ALIGNMENT_BYTE {} ALIGNMENT_WORD {} ALIGNMENT_LONG {} ALIGNMENT_INT64 {} ALIGNMENT_FLOAT32_IEEE {}"
EXTRAS = [
    "RESERVED {} BYTE",
    "RESERVED {} LONG",
    "IDENTIFICATION {} UWORD",
    "SRC_ADDR_X {} ULONG",
    "RIP_ADDR_W {} ULONG",
]
TARGET = 0x40_000


def described(body):
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


@st.composite
def maps(draw):
    """A description of one map with elements anywhere, its counts and its start."""
    positions = draw(st.permutations(range(1, 12)))
    static = draw(st.booleans())
    if not static:
        # a number has to lie before what it moves
        mixed = list(positions)
        positions[3], positions[4], positions[0], positions[1], positions[2] = sorted(mixed[:5])[
            :2
        ] + draw(st.permutations(sorted(mixed[:5])[2:]))
    mode = draw(st.sampled_from(["ROW_DIR", "COLUMN_DIR", "ALTERNATE_WITH_X", "ALTERNATE_WITH_Y"]))
    datatype = draw(st.sampled_from(INTEGERS))
    pointer = (
        "DIRECT"
        if mode.startswith("ALT")
        else draw(st.sampled_from(["DIRECT", "PLONG", "PLONGLONG"]))
    )
    parts = [f"FNC_VALUES {positions[0]} {datatype} {mode} {pointer}"]
    for n, letter in enumerate("XY"):
        way = draw(st.sampled_from(["INDEX_INCR", "INDEX_DECR"]))
        kind = draw(st.sampled_from(["UBYTE", "UWORD", "ULONG"]))
        parts.append(f"AXIS_PTS_{letter} {positions[1 + n]} {kind} {way} DIRECT")
        parts.append(f"NO_AXIS_PTS_{letter} {positions[3 + n]} UBYTE")
    extras = draw(st.lists(st.sampled_from(EXTRAS), max_size=3, unique=True))
    parts += [extra.format(positions[5 + n]) for n, extra in enumerate(extras)]
    if draw(st.booleans()):
        borders = [draw(st.sampled_from([1, 2, 4, 8])) for _ in range(5)]
        parts.append(BORDERS.format(*borders))
    counts = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    maximum = tuple(n + draw(st.integers(0, 3)) for n in counts)
    order = draw(st.sampled_from(ORDERS))
    axes = "".join(
        f"/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD {n} 0 255 /end AXIS_DESCR "
        for n in maximum
    )
    start = draw(st.integers(0, 15))
    body = (
        f"/begin RECORD_LAYOUT L {' '.join(parts)} {'STATIC_RECORD_LAYOUT' if static else ''} /end RECORD_LAYOUT "
        f'/begin CHARACTERISTIC c "" MAP {start} L 0 NO_COMPU_METHOD -1e20 1e20 BYTE_ORDER {order} {axes} '
        "/end CHARACTERISTIC"
    )
    return body, counts, datatype, start


@settings(deadline=None, max_examples=200)
@given(maps(), st.integers(0, 2**32 - 1))
def test_maps_of_every_layout(made, seed):
    body, counts, datatype, start = made
    bound = described(body).bind("c")
    random = np.random.default_rng(seed)
    memory = SparseMemory()
    memory.add(Address(0), bytearray(random.bytes(4096)))
    memory.add(Address(TARGET), bytearray(random.bytes(4096)))
    # a number moves what is behind it; after the second round both lie where they are read
    for _ in range(3):
        record = bound.layout.place(
            start, tuple(a.max_points for a in bound.axes), data=memory.read(Address(start), bound.size_bytes),
            order=bound.byte_order,
        )  # fmt: skip
        for n, count in enumerate(counts):
            memory.write(Address(start + record.find("no_axis_pts", n).offset), bytes([count]))
    values_at = record.find("fnc_values")
    if values_at.element.pointer is not None:
        width = values_at.element.pointer
        memory.write(Address(start + values_at.offset), TARGET.to_bytes(width.size_bytes, "little"))
    raw = bound.decode(memory.read)
    assert tuple(len(a) for a in raw.axes) == counts
    before = memory.read(Address(0), 4096)
    dtype = DataType(datatype).dtype()
    values = random.integers(
        *DataType(datatype).limits, size=counts[::-1], dtype=dtype, endpoint=True
    )
    points = [np.sort(random.integers(0, 255, size=n, endpoint=True)) for n in counts]
    touched = []
    for writes in (
        bound.encode(values, read=memory.read),
        bound.encode_axis(0, points[0], read=memory.read),
        bound.encode_axis(1, points[1], read=memory.read),
    ):
        for address, data in writes:
            memory.write(address, data)
            touched.append((address.value, len(data)))
    again = bound.decode(memory.read)
    assert again.values.tolist() == values.tolist()
    assert [a.tolist() for a in again.axes] == [p.tolist() for p in points]
    places = [at for where, size in touched for at in range(where, where + size)]
    assert len(places) == len(set(places))
    after = memory.read(Address(0), 4096)
    changed = {n for n in range(4096) if before[n] != after[n]}
    assert changed <= set(places)
    assert all(start <= n < start + bound.size_bytes for n in changed)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(INTEGERS),
    st.integers(0, 2**64 - 1),
    st.integers(-9, 40),
    st.booleans(),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    st.integers(0, 2**64 - 1),
)
def test_fields_take_what_they_were_given(datatype, mask, shift, signed, words, other):
    kind = DataType(datatype)
    full = (1 << 8 * kind.size_bytes) - 1
    field = BitField(mask & full, shift, signed)
    unsigned = f"u{kind.size_bytes}"
    memory = np.array([w & full for w in words], dtype=unsigned).astype(kind.dtype())
    raw = field.take(memory, kind)
    lower, upper = field.bounds
    assert all(lower <= v <= upper for v in raw.tolist())
    target = np.full(len(words), other & full, dtype=unsigned).astype(kind.dtype())
    # shifting right may drop bits of the mask, which putting back leaves at zero
    made = field.put(target, raw, "x")
    assert field.take(made, kind).tolist() == raw.tolist()
    outside = np.array([full & ~field.mask], dtype=unsigned)
    assert ((made.astype(unsigned) ^ target.astype(unsigned)) & outside).tolist() == [0] * len(
        words
    )


CONVERSIONS = st.one_of(
    st.tuples(st.floats(0.01, 50), st.floats(-500, 500)).map(
        lambda ab: f'LINEAR "" "" COEFFS_LINEAR {ab[0]} {ab[1]}'
    ),
    st.tuples(st.floats(0.1, 50), st.floats(-50, 50), st.floats(0.1, 9)).map(
        lambda bcf: f'RAT_FUNC "" "" COEFFS 0 {bcf[0]} {bcf[1]} 0 0 {bcf[2]}'
    ),
    st.tuples(st.floats(0.1, 9), st.floats(0.1, 50)).map(
        lambda ab: f'RAT_FUNC "" "" COEFFS {ab[0]} {ab[1]} 0 0 0 1'
    ),
    st.just('RAT_FUNC "" "" COEFFS 0 0 1 0 1 0'),
    st.just('IDENTICAL "" ""'),
    st.just('FORM "" "" /begin FORMULA "sqrt(X1) * 2 + 1" FORMULA_INV "pow((X1 - 1) / 2, 2)" /end FORMULA'),
    st.lists(st.integers(1, 500), min_size=9, max_size=9).map(
        lambda steps: 'TAB_INTP "" "" COMPU_TAB_REF T /end COMPU_METHOD /begin COMPU_TAB T "" TAB_INTP 9 '
        + " ".join(f"{8192 * n} {sum(steps[: n + 1])}" for n in range(9))
        + " /end COMPU_TAB /begin COMPU_METHOD unused \"\" IDENTICAL \"\" \"\""
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(CONVERSIONS, st.lists(st.integers(0, 65_535), min_size=1, max_size=8))
def test_raw_to_phys_to_raw(text, raws):
    # the hyperbola has no value at 0, and the parabola only one branch above 0
    raws = [max(1, r) for r in raws]
    made = described(
        f'/begin COMPU_METHOD C "" {text} /end COMPU_METHOD '
        f'/begin MEASUREMENT m "" UWORD C 0 0 {"0" if "COEFFS" in text and "LINEAR" not in text and "0 0 1 0 1 0" in text else "-1e9"} 1e9 '
        f"ECU_ADDRESS 0 MATRIX_DIM {len(raws)} /end MEASUREMENT"
    )
    bound = made.bind("m")
    phys = bound.conversion.to_phys(np.array(raws, dtype=np.uint16))
    if np.isnan(phys).any():
        assert bound.conversion.kind == "rational"
        limited = described(
            f'/begin COMPU_METHOD C "" {text} /end COMPU_METHOD '
            f'/begin MEASUREMENT m "" UWORD C 0 0 0 1e9 ECU_ADDRESS 0 /end MEASUREMENT'
        )
        bound = limited.bind("m")
        phys = bound.conversion.to_phys(np.array(raws, dtype=np.uint16))
    report = bound.phys_to_raw(phys)
    assert report.raw.tolist() == raws
    assert not report.clamped.any()


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(ALL_TYPES),
    st.lists(
        st.one_of(st.floats(allow_nan=False), st.integers(-(2**70), 2**70)), min_size=1, max_size=6
    ),
)
def test_rounding_reports_the_truth(datatype, values):
    kind = DataType(datatype)
    made = fit(values, kind, clamp=True)
    lower, upper = kind.limits
    for value, raw, rounded, clamped in zip(
        values, made.raw.tolist(), made.rounded, made.clamped, strict=True
    ):
        if kind.is_float:
            continue
        assert lower <= raw <= upper
        if value < lower - 1 or value > upper + 1:
            assert clamped
            assert raw == (lower if value < 0 else upper)
        if not clamped:
            assert abs(raw - value) <= 0.5 + 1e-9 * abs(value)
            assert rounded or abs(raw - value) <= 1e-9 * max(1, abs(value))
    try:
        strict = fit(values, kind)
    except LimitError:
        assert made.clamped.any()
    else:
        assert strict.raw.tolist() == made.raw.tolist()


RARE = """
/begin RECORD_LAYOUT L NO_AXIS_PTS_X 1 SBYTE NO_RESCALE_Y 2 FLOAT32_IEEE OFFSET_Y 3 FLOAT16_IEEE SHIFT_OP_Y 4 SBYTE
 AXIS_PTS_X 5 UBYTE INDEX_DECR PWORD AXIS_RESCALE_Y 6 UBYTE 3 INDEX_INCR DIRECT FNC_VALUES 7 UBYTE COLUMN_DIR PBYTE
 /end RECORD_LAYOUT
/begin RECORD_LAYOUT R NO_RESCALE_X 1 UBYTE AXIS_RESCALE_X 2 UBYTE 3 INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT C NO_AXIS_PTS_X 1 UBYTE FNC_VALUES 2 FLOAT32_IEEE ALTERNATE_CURVES DIRECT
 AXIS_PTS_X 3 FLOAT16_IEEE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin AXIS_PTS r "" 4 NO_INPUT_QUANTITY R 0 NO_COMPU_METHOD 9 0 255 /end AXIS_PTS
/begin CHARACTERISTIC c "" CURVE 8 C 0 NO_COMPU_METHOD 0 1
 /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 255 /end AXIS_DESCR /end CHARACTERISTIC
/begin CHARACTERISTIC m "" MAP 12 L 0 NO_COMPU_METHOD 0 1
 /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 255 /end AXIS_DESCR
 /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 255 /end AXIS_DESCR /end CHARACTERISTIC
/begin CHARACTERISTIC n "" MAP 16 L 0 NO_COMPU_METHOD 0 1
 /begin AXIS_DESCR CURVE_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 255 CURVE_AXIS_REF c /end AXIS_DESCR
 /begin AXIS_DESCR RES_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 255 AXIS_PTS_REF r /end AXIS_DESCR /end CHARACTERISTIC
/begin TYPEDEF_STRUCTURE S "" 4 /begin STRUCTURE_COMPONENT s S 0 ADDRESS_TYPE PBYTE /end STRUCTURE_COMPONENT
 /begin STRUCTURE_COMPONENT v V 1 /end STRUCTURE_COMPONENT /end TYPEDEF_STRUCTURE
/begin TYPEDEF_CHARACTERISTIC V "" ASCII U 0 NO_COMPU_METHOD 0 1 NUMBER 4 ENCODING UTF16 /end TYPEDEF_CHARACTERISTIC
/begin RECORD_LAYOUT U FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin INSTANCE i "" S 0 /end INSTANCE
"""


@settings(deadline=None, max_examples=150)
@given(st.binary(min_size=0, max_size=300), st.sampled_from(["r", "c", "m", "n", "i.s.s.s.v"]))
def test_any_memory_gives_values_or_our_error(data, name):
    memory = SparseMemory()
    memory.add(Address(0), bytearray(data))
    bound = described(RARE).bind(name)
    try:
        raw = bound.decode(memory.read)
        if name != "r":
            bound.to_phys(raw)
    except UsageError:
        pass
