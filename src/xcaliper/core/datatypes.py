"""ASAM data types and byte orders, with their struct codes and numpy dtypes."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import numpy as np

__all__ = ["ByteOrder", "DataType"]


class ByteOrder(Enum):
    """Order of bytes in memory (ASAP2, BYTE_ORDER; XCP, COMM_MODE_BASIC).

    The two mixed orders swap 16-bit words *(ASAP2, BYTE_ORDER, 1.7)*.
    """

    INTEL = "little"
    MOTOROLA = "big"
    MSB_FIRST_MSW_LAST = "big-bytes-little-words"
    MSB_LAST_MSW_FIRST = "little-bytes-big-words"

    @property
    def mark(self) -> str:
        """``<`` or ``>`` for struct and numpy; mixed orders give the order inside a word."""
        return "<" if self in (ByteOrder.INTEL, ByteOrder.MSB_LAST_MSW_FIRST) else ">"

    @property
    def is_mixed(self) -> bool:
        """True when 16-bit words are swapped against the bytes inside them."""
        return self in (ByteOrder.MSB_FIRST_MSW_LAST, ByteOrder.MSB_LAST_MSW_FIRST)


_ROWS: Final = {
    # name: (size in bytes, struct code, kind)
    "UBYTE": (1, "B", "u"),
    "SBYTE": (1, "b", "i"),
    "UWORD": (2, "H", "u"),
    "SWORD": (2, "h", "i"),
    "ULONG": (4, "I", "u"),
    "SLONG": (4, "i", "i"),
    "A_UINT64": (8, "Q", "u"),
    "A_INT64": (8, "q", "i"),
    "FLOAT16_IEEE": (2, "e", "f"),
    "FLOAT32_IEEE": (4, "f", "f"),
    "FLOAT64_IEEE": (8, "d", "f"),
}


class DataType(Enum):
    """Elementary data type under its ASAP2 name (ASAP2, DataType)."""

    UBYTE = "UBYTE"
    SBYTE = "SBYTE"
    UWORD = "UWORD"
    SWORD = "SWORD"
    ULONG = "ULONG"
    SLONG = "SLONG"
    A_UINT64 = "A_UINT64"
    A_INT64 = "A_INT64"
    FLOAT16_IEEE = "FLOAT16_IEEE"
    FLOAT32_IEEE = "FLOAT32_IEEE"
    FLOAT64_IEEE = "FLOAT64_IEEE"

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return _ROWS[self.value][0]

    @property
    def struct_code(self) -> str:
        """Letter of the struct module, without byte order."""
        return _ROWS[self.value][1]

    @property
    def is_float(self) -> bool:
        """True for the IEEE types."""
        return _ROWS[self.value][2] == "f"

    @property
    def is_signed(self) -> bool:
        """True for signed integers and floats."""
        return _ROWS[self.value][2] != "u"

    @property
    def limits(self) -> tuple[float, float] | tuple[int, int]:
        """Lowest and highest raw value; exact integers for integer types."""
        size, _, kind = _ROWS[self.value]
        if kind == "f":
            top = float(np.finfo(f"f{size}").max)
            return -top, top
        bits = 8 * size
        return (0, 2**bits - 1) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def dtype(self, order: ByteOrder = ByteOrder.INTEL) -> np.dtype[Any]:
        """The numpy dtype in a byte order; mixed orders are not numpy's: swap words first."""
        size, _, kind = _ROWS[self.value]
        return np.dtype(f"{order.mark}{kind}{size}")
