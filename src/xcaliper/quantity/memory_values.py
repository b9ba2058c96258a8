"""Bytes of the ECU to numbers and back: byte orders, the mixed ones too, and addresses in AG."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError

__all__ = [
    "POINTERS",
    "Read",
    "at_offset",
    "byte_order_of",
    "datatype_of",
    "from_bytes",
    "to_bytes",
]

Read = Callable[[Address, int], bytes]
"""Gives bytes of memory for an address and a size in bytes."""

POINTERS: Final = {
    "PBYTE": DataType.UBYTE,
    "PWORD": DataType.UWORD,
    "PLONG": DataType.ULONG,
    "PLONGLONG": DataType.A_UINT64,
}
"""Type of the pointer that an address type means; DIRECT means none (ASAP2, AddrType)."""


_ORDERS: Final = {
    "MSB_LAST": ByteOrder.INTEL,
    "MSB_FIRST": ByteOrder.MOTOROLA,
    # Deviates: these two words mean the reverse of everyday use in files up to 1.5.
    "LITTLE_ENDIAN": ByteOrder.MOTOROLA,
    "BIG_ENDIAN": ByteOrder.INTEL,
    "MSB_FIRST_MSW_LAST": ByteOrder.MSB_FIRST_MSW_LAST,
    "MSB_LAST_MSW_FIRST": ByteOrder.MSB_LAST_MSW_FIRST,
}


def byte_order_of(word: str | None, index: ModuleIndex) -> ByteOrder:
    """Byte order of an object: its own word, else MOD_COMMON's, else MSB_LAST."""
    common = index.module.mod_common
    chosen = word or (common.byte_order if common else None)
    return _ORDERS.get(chosen or "", ByteOrder.INTEL)


def datatype_of(word: str, owner: str) -> DataType:
    """Data type under its name.

    Raises:
        UsageError: no such type.
    """
    try:
        return DataType(word)
    except ValueError:
        raise UsageError(
            f"{owner}: data type {word} is unknown.", hint="Correct the description."
        ) from None


def _swap_words(data: bytes, size: int) -> bytes:
    words = np.frombuffer(data, dtype=np.uint16).reshape(-1, size // 2)
    return words[:, ::-1].tobytes()


def from_bytes(data: bytes, datatype: DataType, order: ByteOrder) -> NDArray[Any]:
    """Values of consecutive elements, array[n] in native byte order."""
    if order.is_mixed and datatype.size_bytes > 2:
        data = _swap_words(data, datatype.size_bytes)
    return np.frombuffer(data, dtype=datatype.dtype(order)).astype(datatype.dtype())


def to_bytes(values: NDArray[Any], datatype: DataType, order: ByteOrder) -> bytes:
    """Bytes of consecutive elements."""
    data = values.astype(datatype.dtype(order)).tobytes()
    if order.is_mixed and datatype.size_bytes > 2:
        data = _swap_words(data, datatype.size_bytes)
    return data


def at_offset(address: Address, offset: int, ag: int, owner: str) -> Address:
    """Address of a byte offset.

    Raises:
        UsageError: the offset is not a multiple of the address granularity.
    """
    if offset % ag:
        raise UsageError(
            f"{owner}: byte offset {offset} is inside an address unit of {ag} bytes.",
            hint="Check ADDRESS_GRANULARITY.",
        )
    return address + offset // ag
