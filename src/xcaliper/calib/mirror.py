"""What is known of one page of a segment, and how much of that is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Mirror"]


class Mirror:
    """Bytes of a page: which of them are known, and which are certain to be still there.

    Args:
        size_bytes: length of the segment.

    Attributes:
        left_by_us: it holds what was active before we swapped the pages, which is in the history.
    """

    def __init__(self, size_bytes: int) -> None:
        self._data = bytearray(size_bytes)
        self._known: NDArray[np.bool_] = np.zeros(size_bytes, dtype=bool)
        self._certain: NDArray[np.bool_] = np.zeros(size_bytes, dtype=bool)
        self.left_by_us = False

    def __len__(self) -> int:
        return len(self._data)

    def knows(self, begin: int, end: int) -> bool:
        """True when every byte of a stretch is known."""
        return bool(self._known[begin:end].all())

    def is_certain(self, begin: int, end: int) -> bool:
        """True when every byte of a stretch was seen, and nothing happened since that may have changed it."""
        return bool(self._certain[begin:end].all())

    def get(self, begin: int, end: int) -> bytes:
        """Bytes of a stretch; those that are not known are 0."""
        return bytes(self._data[begin:end])

    def put(self, begin: int, data: bytes) -> None:
        """Take bytes as known and certain."""
        end = begin + len(data)
        self._data[begin:end] = data
        self._known[begin:end] = self._certain[begin:end] = True

    def drop(self, begin: int, end: int) -> None:
        """Bytes of a stretch are not known any more."""
        begin, end = max(begin, 0), max(end, 0)
        self._known[begin:end] = self._certain[begin:end] = False

    def confirm(self, begin: int, end: int) -> None:
        """What is known of a stretch was proven to be there."""
        self._certain[begin:end] |= self._known[begin:end]

    def distrust(self) -> None:
        """Something may have changed the page: what is known is not certain any more."""
        self._certain[:] = False
        self.left_by_us = False

    def unknown(self) -> Iterator[tuple[int, int]]:
        """Begin and end of every stretch that is not known."""
        return _stretches(~self._known)

    def known(self) -> Iterator[tuple[int, int]]:
        """Begin and end of every stretch that is known, certain or not."""
        return _stretches(self._known)


def _stretches(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
