"""DTOs as a slave queues them: samples of one list in one buffer, with room for the transport's headers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.xcp.framing.eth import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["BlockLayout", "DtoBlock"]

_COUNTER: Final = struct.Struct("<H")
_FEW: Final = 6
#: Bytes of a block, unless one sample alone is longer; one call of the system takes as much.
_BLOCK_BYTES: Final = 65_000
_MAX_ROWS: Final = 512
#: Blocks of a list whose memory is kept for the next ones.
_SPARES: Final = 4


class BlockLayout:
    """How one sample lies in a block: ``LEN u16 | CTR u16 | DTO | fill`` of each ODT, back to back.

    *(XCP on Ethernet, header, 1.0)*

    Args:
        sizes: bytes of each DTO.
        alignment: bytes that messages are aligned to, 1, 2 or 4.

    Attributes:
        sizes: as given.
        starts: position of each message.
        ends: position behind each message.
        stride: bytes of one sample.
        grown: samples that the next block shall hold.
        spare: memory of blocks that were sent.
        unit: what rows are made of; everything lies at whole units.
    """

    __slots__ = (
        "_counters",
        "_cuts",
        "alignment",
        "ends",
        "grown",
        "sizes",
        "spare",
        "starts",
        "stride",
        "unit",
    )

    def __init__(self, sizes: Sequence[int], alignment: int = 1) -> None:
        self.sizes = tuple(sizes)
        self.alignment = alignment
        starts, ends, at = [], [], 0
        for size in self.sizes:
            starts.append(at)
            at += HEADER_SIZE + size
            at += -at % alignment
            ends.append(at)
        self.starts, self.ends, self.stride = tuple(starts), tuple(ends), at
        self._counters = np.array([[at + 2, at + 3] for at in starts], np.intp).ravel()
        self._cuts: dict[int, tuple[tuple[int, int, int], ...]] = {}
        self.grown = 1
        self.spare: list[_Room] = []
        self.unit: np.dtype[Any] = np.dtype(np.uint8)

    @property
    def packets(self) -> int:
        """DTOs of one sample."""
        return len(self.sizes)

    def cuts(self, limit: int) -> tuple[tuple[int, int, int], ...]:
        """Runs of datagrams in one sample that is longer than one: (start, end, bytes of a datagram).

        All datagrams of a run are equal, but the last one may be shorter.

        Args:
            limit: bytes of one datagram; a longer message travels alone.
        """
        found = self._cuts.get(limit)
        if found is None:
            found = self._cuts[limit] = self._best(limit)
        return found

    def _best(self, limit: int) -> tuple[tuple[int, int, int], ...]:
        """Messages gathered into datagrams, or each in its own where that saves calls of the system."""
        gathered = _datagrams(self.starts, self.ends, limit)
        single = list(zip(self.starts, self.ends, strict=True))
        runs, other = _runs(gathered), _runs(single)
        return other if len(other) < len(runs) and len(single) < 2 * len(gathered) else runs

    def number(self, rows: NDArray[np.uint8], first: int) -> None:
        """Write CTR into the messages of some samples, in order."""
        count = len(rows) * len(self.sizes)
        if count <= _FEW:
            for row in rows:
                for start in self.starts:
                    _COUNTER.pack_into(row, start + 2, first & 0xFFFF)
                    first += 1
            return
        counters = np.arange(first, first + count).astype("<u2")  # cut to 16 bits: CTR wraps
        rows[:, self._counters] = counters.view(np.uint8).reshape(len(rows), -1)


def _datagrams(starts: Sequence[int], ends: Sequence[int], limit: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    begin = 0
    for start, end in zip(starts, ends, strict=True):
        if end - begin > limit and start > begin:
            found.append((begin, start))
            begin = start
    return [*found, (begin, ends[-1])]


def _runs(datagrams: Sequence[tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    runs: list[tuple[int, int, int]] = []
    for begin, end in datagrams:
        if runs:
            start, stop, size = runs[-1]
            whole = (stop - start) % size == 0  # a shorter one ends a run
            if whole and end - begin <= size and end - start <= _BLOCK_BYTES:
                runs[-1] = (start, end, size)
                continue
        runs.append((begin, end, end - begin))
    return tuple(runs)


class _Room:
    """Memory of a block, and the views of it that cost time to make."""

    __slots__ = ("array", "data", "rows")

    def __init__(self, count: int, layout: BlockLayout) -> None:
        self.array = np.empty((count, layout.stride), np.uint8)
        self.data: memoryview = self.array.reshape(-1).data
        self.rows: list[NDArray[Any]] = list(self.array.view(layout.unit))


class DtoBlock:
    """Samples of one DAQ list, oldest first; CTR is written when they are sent.

    Attributes:
        layout: of each sample.
        count: samples that are in.
        room: samples that fit.
        rows: room of each sample, elements of the layout's unit.
    """

    __slots__ = ("_room", "count", "layout", "room", "rows")

    def __init__(self, layout: BlockLayout) -> None:
        self.layout = layout
        self.count = 0
        count = max(1, min(_MAX_ROWS, _BLOCK_BYTES // layout.stride, layout.grown))
        spare = layout.spare
        room = spare.pop() if spare else None
        if room is None or len(room.rows) < count:
            room = _Room(count, layout)
        self._room = room
        self.rows = room.rows
        self.room = len(room.rows)

    @property
    def full(self) -> bool:
        """True when another sample needs another block."""
        return self.count == self.room

    def follow(self, *, turns: bool) -> DtoBlock:
        """The next block of the list; it is larger when this one did not suffice.

        Args:
            turns: True when lists take turns in the queue, so that room beyond is of no use.
        """
        if self.full:
            self.layout.grown = min(_MAX_ROWS, 2 * self.room)
        elif turns:
            self.layout.grown = self.count
        return DtoBlock(self.layout)

    def row(self) -> NDArray[Any]:
        """Room for the next sample; it counts as filled."""
        self.count += 1
        return self.rows[self.count - 1]

    def packets(self) -> list[bytes]:
        """The DTOs, without anything around them."""
        data, layout = self._room.data, self.layout
        return [
            bytes(data[base + start + HEADER_SIZE : base + start + HEADER_SIZE + size])
            for base in range(0, self.count * layout.stride, layout.stride)
            for start, size in zip(layout.starts, layout.sizes, strict=True)
        ]

    def numbered(self, first: int) -> memoryview:
        """All messages ready to send.

        Args:
            first: CTR of the first one.
        """
        self.layout.number(self._room.array[: self.count], first)
        return self._room.data[: self.count * self.layout.stride]

    def release(self) -> None:
        """Give the memory to the next block: everything has been sent and nobody looks at it again."""
        if len(self.layout.spare) < _SPARES:
            self.layout.spare.append(self._room)

    def __len__(self) -> int:
        return self.count * len(self.layout.sizes)
