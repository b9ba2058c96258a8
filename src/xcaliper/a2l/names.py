"""Names of blocks in a form that is stored and searched without making strings of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NameTable"]


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names by number, and numbers by name.

    Attributes:
        joined: the names, UTF-8, with a NUL behind each.
        stops: int64[n], where each name ends in ``joined``.
        sums: uint32[n], CRC-32 of the names, in rising order.
        order: int32[n], number of the name of each sum; rising where sums are equal.
    """

    joined: bytes
    stops: NDArray[np.int64]
    sums: NDArray[np.uint32]
    order: NDArray[np.int32]

    @classmethod
    def of(cls, names: list[str]) -> NameTable:
        """The table of some names; none of them has a NUL."""
        raw = [name.encode("utf-8", "surrogatepass") for name in names]
        sizes = np.fromiter(map(len, raw), np.int64, len(raw))
        sums = np.fromiter(map(crc32, raw), np.uint32, len(raw))
        order = np.argsort(sums, kind="stable").astype(np.int32)
        joined = b"".join(word + b"\0" for word in raw)
        return cls(joined, np.cumsum(sizes + 1) - 1, sums[order], order)

    def __len__(self) -> int:
        return len(self.stops)

    def names(self) -> list[str]:
        """All names, in order."""
        return self.joined.decode("utf-8", "surrogatepass").split("\0")[:-1]

    def find(self, name: str) -> list[int]:
        """Numbers of the blocks with a name, in rising order."""
        wanted = name.encode("utf-8", "surrogatepass")
        total = np.uint32(crc32(wanted))
        first = int(np.searchsorted(self.sums, total, side="left"))
        last = int(np.searchsorted(self.sums, total, side="right"))
        return [n for n in self.order[first:last].tolist() if self._is(n, wanted)]

    def _is(self, number: int, wanted: bytes) -> bool:
        start = int(self.stops[number - 1]) + 1 if number else 0
        return self.joined[start : int(self.stops[number])] == wanted
