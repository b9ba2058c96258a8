"""Data types against hand-written numbers; byte orders against hand-made bytes."""

import struct

import numpy as np
import pytest

from xcaliper.core.datatypes import ByteOrder, DataType

#: name: size, struct letter, float, signed, lowest, highest
TABLE = {
    "UBYTE": (1, "B", False, False, 0, 255),
    "SBYTE": (1, "b", False, True, -128, 127),
    "UWORD": (2, "H", False, False, 0, 65535),
    "SWORD": (2, "h", False, True, -32768, 32767),
    "ULONG": (4, "I", False, False, 0, 4294967295),
    "SLONG": (4, "i", False, True, -2147483648, 2147483647),
    "A_UINT64": (8, "Q", False, False, 0, 18446744073709551615),
    "A_INT64": (8, "q", False, True, -9223372036854775808, 9223372036854775807),
    "FLOAT16_IEEE": (2, "e", True, True, -65504.0, 65504.0),
    "FLOAT32_IEEE": (4, "f", True, True, -3.4028234663852886e38, 3.4028234663852886e38),
    "FLOAT64_IEEE": (8, "d", True, True, -1.7976931348623157e308, 1.7976931348623157e308),
}


def test_table_is_complete():
    assert {member.name for member in DataType} == set(TABLE)
    assert all(member.value == member.name for member in DataType)


@pytest.mark.parametrize("name", TABLE)
def test_properties(name):
    size, code, is_float, is_signed, low, high = TABLE[name]
    kind = DataType(name)
    assert kind.size_bytes == size == struct.calcsize("<" + code)
    assert kind.struct_code == code
    assert kind.is_float is is_float
    assert kind.is_signed is is_signed
    assert kind.limits == (low, high)
    assert all(type(limit) is (float if is_float else int) for limit in kind.limits)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("order", list(ByteOrder))
def test_dtype_reads_what_struct_writes(name, order):
    kind = DataType(name)
    for limit in kind.limits:
        packed = struct.pack(order.mark + kind.struct_code, limit)
        assert np.frombuffer(packed, kind.dtype(order))[0] == limit
    assert kind.dtype(order).itemsize == kind.size_bytes
    assert kind.dtype() == kind.dtype(ByteOrder.INTEL)


@pytest.mark.parametrize(
    ("order", "mark", "mixed", "data"),
    [
        # 0x11223344 as each order stores it
        (ByteOrder.INTEL, "<", False, "44332211"),
        (ByteOrder.MOTOROLA, ">", False, "11223344"),
        (ByteOrder.MSB_FIRST_MSW_LAST, ">", True, "33441122"),
        (ByteOrder.MSB_LAST_MSW_FIRST, "<", True, "22114433"),
    ],
)
def test_orders(order, mark, mixed, data):
    assert order.mark == mark
    assert order.is_mixed is mixed
    stored = bytes.fromhex(data)
    if mixed:
        stored = stored[2:] + stored[:2]
    assert np.frombuffer(stored, DataType.ULONG.dtype(order))[0] == 0x11223344
