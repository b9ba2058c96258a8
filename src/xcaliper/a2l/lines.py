"""Offsets to lines and columns."""

from typing import Final

import numpy as np

from xcaliper.core.diagnostics import Where

__all__ = ["Lines", "bytes_of"]

_CHUNK: Final = 4096
_SLAB: Final = 1 << 22
_MAX_COLUMN_BYTES: Final = 1 << 16


class Lines:
    """Places in one text; the index of its lines is made when first asked.

    Args:
        buffer: the text, UTF-8.
        source: its name.
        known: lines and columns of offsets that need no look at the text.
    """

    __slots__ = ("_counts", "buffer", "known", "source")

    def __init__(
        self, buffer: bytes, source: str, known: dict[int, tuple[int, int]] | None = None
    ) -> None:
        self.buffer = buffer
        self.source = source
        self.known = known or {}
        self._counts: list[int] | None = None

    def line_of(self, offset: int) -> int:
        """1-based line of an offset."""
        if self._counts is None:
            self._counts = _count(bytes_of(self.buffer))
        chunk = min(offset // _CHUNK, len(self._counts) - 1)
        return self._counts[chunk] + self.buffer.count(b"\n", chunk * _CHUNK, offset) + 1

    def where(self, offset: int) -> Where:
        """Source, line and column of an offset; very long lines have columns in bytes."""
        if offset in self.known:
            return Where(self.source, *self.known[offset])
        start = self.buffer.rfind(b"\n", 0, offset) + 1
        column = offset - start
        if column < _MAX_COLUMN_BYTES:
            column = len(self.buffer[start:offset].decode("utf-8", "replace"))
        return Where(self.source, self.line_of(offset), column + 1)


def bytes_of(text: bytes) -> bytes:
    """A text as bytes, also when it is one that is read late."""
    whole = getattr(text, "whole", None)
    return text if whole is None else whole()


def _count(buffer: bytes) -> list[int]:
    """Line breaks before each chunk."""
    found = [0]
    whole = len(buffer) // _CHUNK * _CHUNK
    codes = np.frombuffer(buffer, np.uint8)[:whole]
    total = 0
    for at in range(0, whole, _SLAB):
        slab = (codes[at : at + _SLAB] == 10).reshape(-1, _CHUNK)
        for n in np.count_nonzero(slab, axis=1).tolist():
            total += n
            found.append(total)
    return found
