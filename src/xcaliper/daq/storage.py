"""Memory that the compiled decoder writes rows into, used again when nobody looks at it any more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from xcaliper.daq.kernels import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.daq.plan import Raster

__all__ = ["RowStorage", "StoragePool", "move_row"]

_LINE: Final = 64
_LEAST_ROWS: Final = 8
_MOST_BYTES: Final = 12 << 20
#: Size of a huge page: memory that begins and ends at one needs a page table entry where it would need
#: 512, which have left the caches whenever they are wanted again.
_HUGE: Final = 2 << 20
_MOST_KEPT: Final = 6


class RowStorage:
    """Rows, timestamps and DTO counters of every list, in one piece.

    Attributes:
        ticks: int64[n]; timestamps as sent.
        rows: uint8[8 n], the same memory.
    """

    def __init__(self, size_bytes: int) -> None:
        size, spare = size_bytes, 0
        if size_bytes >= _HUGE:  # numpy asks for huge pages where an array is large enough
            size, spare = -(-size_bytes // _HUGE) * _HUGE, _HUGE
        # Views of views refer to the array that owns the memory.
        self._owner: NDArray[np.int64] = np.empty(-(-size // 8) + spare // 8, np.int64)
        at = -self._owner.ctypes.data % _HUGE // 8 if spare else 0
        self.ticks: NDArray[np.int64] = self._owner[at : at - (-size // 8)]
        self.rows: NDArray[np.uint8] = self.ticks.view(np.uint8)
        self._own_references = sys.getrefcount(self._owner)

    @property
    def is_free(self) -> bool:
        """True when no array that was handed out looks at this memory."""
        return sys.getrefcount(self._owner) <= self._own_references


class StoragePool:
    """Makes storage as large as it pays, and finds the one that can be used again.

    Args:
        row_sizes: bytes of a row of each list.
        rates: of each list, in any unit; a guess that what comes corrects.
        size_bytes: of the first storage.
    """

    @classmethod
    def for_rasters(cls, rasters: Sequence[Raster], size_bytes: int) -> Self:
        """For the rows of a plan; a raster without a cycle may be as fast as the fastest."""
        rates = [1e9 / raster.cycle_ns if raster.cycle_ns else 0.0 for raster in rasters]
        rates = [rate or max(*rates, 1.0) for rate in rates]
        return cls([raster.dtype.itemsize for raster in rasters], rates, size_bytes)

    def __init__(self, row_sizes: Sequence[int], rates: Sequence[float], size_bytes: int) -> None:
        self._row_sizes = tuple(row_sizes)
        self._rates = [rate / max(*rates, 1e-9) for rate in rates]
        self._size_bytes = size_bytes
        self._kept: list[RowStorage] = []
        # Without a GIL the number of references is not exact: then memory is never used again.
        self._reuses = getattr(sys, "_is_gil_enabled", lambda: True)()

    def learn(self, rows: Sequence[int], *, quickly_full: bool) -> None:
        """Take what the last storage held as the rates; double the size when it was full soon."""
        most = max(*rows, 1)
        self._rates = [count / most for count in rows]
        if quickly_full:
            self._size_bytes = min(2 * self._size_bytes, _MOST_BYTES)

    def _capacities(self) -> list[int]:
        each = [size + 9 for size in self._row_sizes]
        per_step = sum(rate * size for rate, size in zip(self._rates, each, strict=True)) or 1.0
        steps = self._size_bytes / per_step
        return [max(int(rate * steps * 1.05), _LEAST_ROWS) for rate in self._rates]

    def next(self, lists: NDArray[np.int64]) -> RowStorage:
        """Storage in which every list begins at row 0; places and capacities go into ``lists``."""
        at = 0
        for which, (rows, size) in enumerate(zip(self._capacities(), self._row_sizes, strict=True)):
            lists[which, Field.CAPACITY] = rows
            lists[which, Field.TICKS_AT] = at // 8
            lists[which, Field.COUNTERS_AT] = at + 8 * rows
            lists[which, Field.ROWS_AT] = _line(at + 9 * rows)
            at = _line(_line(at + 9 * rows) + rows * size)
        return self._of_size(at)

    def _of_size(self, size_bytes: int) -> RowStorage:
        for storage in self._kept if self._reuses else ():
            if storage.rows.nbytes >= size_bytes and storage.is_free:
                return storage
        made = RowStorage(size_bytes)
        self._kept = [*self._kept[-_MOST_KEPT + 1 :], made]
        return made


def _line(at: int) -> int:
    return -(-at // _LINE) * _LINE


def move_row(
    lists: NDArray[Any], which: int, before: NDArray[Any], old: RowStorage, new: RowStorage
) -> None:
    """Copy the row that is being filled from its place before to row 0 of the new storage."""
    row, size = int(before[Field.ROW]), int(before[Field.ROW_SIZE])
    at = int(before[Field.ROWS_AT]) + row * size
    to = int(lists[which, Field.ROWS_AT])
    new.rows[to : to + size] = old.rows[at : at + size]
    new.ticks[lists[which, Field.TICKS_AT]] = old.ticks[before[Field.TICKS_AT] + row]
    counter = old.rows[before[Field.COUNTERS_AT] + row]
    new.rows[lists[which, Field.COUNTERS_AT]] = counter
