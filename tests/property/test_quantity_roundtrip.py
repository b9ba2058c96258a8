"""What is written reads back: for every layout, type, order and conversion."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.datatypes import DataType
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

INTEGERS = ["UBYTE", "SBYTE", "UWORD", "SWORD", "ULONG", "SLONG", "A_UINT64", "A_INT64"]
ORDERS = ["MSB_FIRST", "MSB_LAST", "MSB_FIRST_MSW_LAST", "MSB_LAST_MSW_FIRST"]
TYPES = ["CURVE", "MAP", "CUBOID", "CUBE_4", "CUBE_5"]


@settings(deadline=None, max_examples=150)
@given(
    st.data(),
    st.sampled_from(INTEGERS),
    st.sampled_from(ORDERS),
    st.sampled_from(["ROW_DIR", "COLUMN_DIR"]),
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 7),
)
def test_tables(data, datatype, order, mode, axes, static, address):
    elements = f"FNC_VALUES 20 {datatype} {mode} DIRECT RESERVED 5 BYTE"
    descr = ""
    for (count, falling), axis in zip(axes, "XYZ45", strict=False):
        position = "XYZ45".index(axis)
        way = "INDEX_DECR" if falling else "INDEX_INCR"
        elements += f" AXIS_PTS_{axis} {6 + position} UWORD {way} DIRECT NO_AXIS_PTS_{axis} {position} UBYTE"
        descr += f"/begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD {count + 2} 0 65535 /end AXIS_DESCR "
    lower, upper = DataType(datatype).limits
    file = parse(
        f"/begin RECORD_LAYOUT L {elements} {'STATIC_RECORD_LAYOUT' if static else ''} /end RECORD_LAYOUT "
        f'/begin CHARACTERISTIC c "" {TYPES[len(axes) - 1]} {address} L 0 NO_COMPU_METHOD {lower} {upper} '
        f"BYTE_ORDER {order} {descr} /end CHARACTERISTIC"
    )
    assert not file.diagnostics
    bound = Catalog(file).bind("c")
    memory = SparseMemory()
    memory.add(Address(0), bytearray(1 << 18))
    memory.write(Address(address), bytes(count for count, _ in axes))
    shape = tuple(count for count, _ in reversed(axes))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    dtype = DataType(datatype).dtype()
    values = random.integers(lower, upper, size=shape, dtype=dtype, endpoint=True)
    points = [
        sorted(data.draw(st.lists(st.integers(0, 65535), min_size=c, max_size=c))) for c, _ in axes
    ]
    for n, wanted in enumerate(points):
        for where, out in bound.encode_axis(n, wanted, read=memory.read):
            memory.write(where, out)
    for where, out in bound.encode(values, read=memory.read):
        memory.write(where, out)
    raw = bound.decode(memory.read)
    assert raw.values.tolist() == values.tolist()
    assert [axis.tolist() for axis in raw.axes] == points
    assert memory.read(Address(address), len(axes)) == bytes(count for count, _ in axes)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([n for n in INTEGERS if not n.startswith("A_")]),
    st.integers(1, 2**32 - 1),
    st.binary(min_size=4, max_size=4),
    st.data(),
)
def test_masked_writes_change_their_bits_only(datatype, mask, before, data):
    size = DataType(datatype).size_bytes
    mask &= (1 << (8 * size)) - 1
    if not mask:
        return
    file = parse(
        f'/begin MEASUREMENT m "" {datatype} NO_COMPU_METHOD 0 0 0 1e10 ECU_ADDRESS 0 BIT_MASK {mask} /end MEASUREMENT'
    )
    bound = Catalog(file).bind("m")
    shift = (mask & -mask).bit_length() - 1
    value = (data.draw(st.integers(0, 2**32 - 1)) & mask) >> shift
    if bound.bits is None and DataType(datatype).is_signed:
        return
    ((_, after),) = bound.encode(value, current=before[:size])
    assert bound.decode(after).item() == value
    old, new = int.from_bytes(before[:size], "little"), int.from_bytes(after, "little")
    assert old & ~mask == new & ~mask


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e3, 1e3), st.floats(0.01, 100), st.integers(0, 65535))
def test_linear_conversions_return_to_the_raw_value(offset, factor, raw):
    file = parse(
        f'/begin COMPU_METHOD C "" LINEAR "" "" COEFFS_LINEAR {factor} {offset} /end COMPU_METHOD '
        f'/begin MEASUREMENT m "" UWORD C 0 0 -1e9 1e9 ECU_ADDRESS 0 /end MEASUREMENT'
    )
    bound = Catalog(file).bind("m")
    data = raw.to_bytes(2, "little")
    ((_, out),) = bound.encode(bound.to_phys(bound.decode(data)))
    assert out == data
