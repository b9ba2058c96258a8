"""The six length headers that SxI and USB share; words are little endian."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

__all__ = ["LengthHeader"]


class LengthHeader(IntEnum):
    """Header of a message under its A2L number (XCP on SxI, header, 1.0)."""

    LEN_BYTE = 0
    LEN_CTR_BYTE = 1
    LEN_FILL_BYTE = 2
    LEN_WORD = 3
    LEN_CTR_WORD = 4
    LEN_FILL_WORD = 5

    @property
    def size(self) -> int:
        """Bytes of the header."""
        return _STRUCTS[self].size

    @property
    def has_counter(self) -> bool:
        """True when the header counts messages."""
        return self in (LengthHeader.LEN_CTR_BYTE, LengthHeader.LEN_CTR_WORD)

    @property
    def modulus(self) -> int:
        """Values of LEN, and of CTR."""
        return 1 << 8 if self <= LengthHeader.LEN_FILL_BYTE else 1 << 16

    def pack(self, length: int, counter: int) -> bytes:
        """The header; the counter goes only where there is a place for it."""
        if self in (LengthHeader.LEN_BYTE, LengthHeader.LEN_WORD):
            return _STRUCTS[self].pack(length)
        return _STRUCTS[self].pack(length, counter if self.has_counter else 0)

    def unpack(self, data: bytes | bytearray, at: int) -> tuple[int, int]:
        """LEN and CTR (0 without counter) of the header at an offset."""
        values = _STRUCTS[self].unpack_from(data, at)
        return values[0], values[1] if self.has_counter else 0


_STRUCTS: Final = tuple(Struct(f) for f in ("<B", "<BB", "<BB", "<H", "<HH", "<HH"))
