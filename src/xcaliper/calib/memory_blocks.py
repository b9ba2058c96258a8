"""Many small places of memory, read in few large pieces."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xcaliper.calib.parameters import Read
    from xcaliper.core.address import AddressRange

    _Flat = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]

__all__ = ["REFUSALS", "MemoryBlocks", "ReadOnce", "Run"]

REFUSALS: Final = (UsageError, SourceError, NegativeResponseError)
"""What a memory raises for a place that it does not have; anything else ends the work."""
MAX_BLOCK: Final = 65_536
MAX_GAP: Final = 8
_MAX_SIZE: Final = 1 << 26

Span = tuple[int, int]
"""First byte and the one behind the last."""

Run = tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Address extension; first bytes of some places and their sizes, counted in bytes, int64[n]."""


class MemoryBlocks:
    """Places of memory that were read together; what was not asked for beforehand is read singly.

    Places that touch, or have a few bytes between them, are read as one. Where a piece is refused it is
    halved until only the places that are refused are left out.

    Args:
        read: gives bytes of memory for an address and a size.
        ranges: places that will be needed.
        ag: bytes per address unit.
        runs: further places, many at a time.

    Raises:
        LinkError: the link failed; a silent slave raises as well.
    """

    def __init__(
        self,
        read: Read,
        ranges: Iterable[AddressRange],
        ag: int = 1,
        *,
        runs: Iterable[Run] = (),
    ) -> None:
        self._read = read
        self._ag = ag
        self._starts: dict[int, list[int]] = {}
        self._blocks: dict[int, list[bytes]] = {}
        self._joined: dict[int, _Flat] = {}
        spans: dict[int, list[Span]] = {}
        for one in ranges:
            if 0 < one.size_bytes <= _MAX_SIZE:
                start = one.start.value * ag
                spans.setdefault(one.start.extension, []).append((start, start + one.size_bytes))
        for extension, starts, sizes in runs:
            fits = (sizes > 0) & (sizes <= _MAX_SIZE)
            ends = (starts + sizes)[fits].tolist()
            spans.setdefault(extension, []).extend(zip(starts[fits].tolist(), ends, strict=True))
        for extension, every in spans.items():
            self._starts[extension], self._blocks[extension] = [], []
            for piece in _pieces(every, ag):
                self._take(extension, piece)

    def _take(self, extension: int, spans: list[Span]) -> None:
        """Read a piece, or the halves of it."""
        ag = self._ag
        start = spans[0][0] // ag * ag
        end = -(-spans[-1][1] // ag) * ag
        try:
            data = self._read(Address(start // ag, extension), end - start)
        except REFUSALS:
            data = b""
        if len(data) == end - start:
            self._starts[extension].append(start)
            self._blocks[extension].append(data)
        elif len(spans) > 1:
            half = len(spans) // 2
            self._take(extension, spans[:half])
            self._take(extension, spans[half:])

    def _block(self, extension: int, start: int, size: int) -> tuple[bytes, int] | None:
        starts = self._starts.get(extension, ())
        at = bisect_right(starts, start) - 1
        if at < 0:
            return None
        block, offset = self._blocks[extension][at], start - starts[at]
        return (block, offset) if offset + size <= len(block) else None

    def __call__(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address."""
        found = self._block(address.extension, address.value * self._ag, size_bytes)
        if found is None:
            return self._read(address, size_bytes)
        block, offset = found
        return block[offset : offset + size_bytes]

    def gather(
        self, extension: int, starts: NDArray[np.int64], size_bytes: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Bytes of many places of one size, out of what was read.

        Args:
            extension: address extension.
            starts: first bytes, counted in bytes, int64[n].
            size_bytes: bytes of each.

        Returns:
            uint8[n, size_bytes], and where there is one, bool[n].
        """
        out = np.zeros((len(starts), size_bytes), dtype=np.uint8)
        good = np.zeros(len(starts), dtype=bool)
        bases, begins, sizes, whole = self._flat(extension)
        if not len(bases) or not len(starts):
            return out, good
        at = np.searchsorted(bases, starts, side="right") - 1
        here = np.clip(at, 0, None)
        offsets = starts - bases[here]
        good = (at >= 0) & (offsets + size_bytes <= sizes[here])
        places = (begins[here] + offsets)[good]
        out[good] = whole[places[:, None] + np.arange(size_bytes)]
        return out, good

    def _flat(self, extension: int) -> _Flat:
        """First byte of each block in memory and among all of them, size of each, and all behind each other."""
        if extension not in self._joined:
            blocks = self._blocks.get(extension, [])
            sizes = np.asarray(list(map(len, blocks)), dtype=np.int64)
            self._joined[extension] = (
                np.asarray(self._starts.get(extension, ()), dtype=np.int64),
                np.cumsum(sizes) - sizes,
                sizes,
                np.frombuffer(b"".join(blocks), dtype=np.uint8),
            )
        return self._joined[extension]


class ReadOnce:
    """Memory whose bytes are asked for once; for work that changes nothing in between.

    Args:
        read: gives bytes of memory for an address and a size.
        ag: bytes per address unit.
    """

    def __init__(self, read: Read, ag: int = 1) -> None:
        self._read = read
        self._ag = ag
        self._starts: dict[int, list[int]] = {}
        self._blocks: dict[int, list[bytes]] = {}

    def __call__(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address."""
        start = address.value * self._ag
        starts = self._starts.setdefault(address.extension, [])
        blocks = self._blocks.setdefault(address.extension, [])
        at = bisect_right(starts, start) - 1
        if at >= 0 and start - starts[at] + size_bytes <= len(blocks[at]):
            offset = start - starts[at]
            return blocks[at][offset : offset + size_bytes]
        data = self._read(address, size_bytes)
        if at >= 0 and starts[at] == start:
            blocks[at] = data
        else:
            starts.insert(at + 1, start)
            blocks.insert(at + 1, data)
        return data


def _pieces(spans: list[Span], ag: int) -> list[list[Span]]:
    """Spans in order, those that are read together in one list; overlapping ones are joined."""
    spans.sort()
    pieces: list[list[Span]] = []
    gap = max(MAX_GAP, ag)
    for start, end in spans:
        last = pieces[-1] if pieces else None
        if last is not None and start < last[-1][1]:
            last[-1] = (last[-1][0], max(last[-1][1], end))
        elif last is not None and start - last[-1][1] < gap and end - last[0][0] <= MAX_BLOCK:
            last.append((start, end))
        else:
            pieces.append([(start, end)])
    return pieces
