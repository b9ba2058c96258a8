"""What is known of one page of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Mirror"]


class Mirror:
    """Bytes of a page, and which of them are known.

    Args:
        size_bytes: length of the segment.

    Attributes:
        trusted: nothing happened since that may have changed the page behind our back.
        left_by_us: it holds what was active before we swapped the pages, which is in the history.
    """

    def __init__(self, size_bytes: int) -> None:
        self._data = bytearray(size_bytes)
        self._known: NDArray[np.bool_] = np.zeros(size_bytes, dtype=bool)
        self.trusted = True
        self.left_by_us = False

    def __len__(self) -> int:
        return len(self._data)

    def knows(self, begin: int, end: int) -> bool:
        """True when every byte of a stretch is known."""
        return bool(self._known[begin:end].all())

    def get(self, begin: int, end: int) -> bytes:
        """Bytes of a stretch; those that are not known are 0."""
        return bytes(self._data[begin:end])

    def put(self, begin: int, data: bytes) -> None:
        """Take bytes as known."""
        self._data[begin : begin + len(data)] = data
        self._known[begin : begin + len(data)] = True

    def drop(self, begin: int, end: int) -> None:
        """Bytes of a stretch are not known any more."""
        self._known[max(begin, 0) : max(end, 0)] = False

    def stretches(self, *, known: bool) -> Iterator[tuple[int, int]]:
        """Begin and end of every stretch that is known, or that is not."""
        wanted = self._known if known else ~self._known
        edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
        yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
