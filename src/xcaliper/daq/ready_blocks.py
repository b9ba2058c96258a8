"""Blocks between the thread that decodes and the one that takes them; bounded, drops are marked."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.samples import Gap

if TYPE_CHECKING:
    from xcaliper.core.samples import SampleBlock

__all__ = ["ReadyBlocks"]

#: Bytes of rows that may wait to be taken.
MOST_BYTES: Final = 256 << 20


class ReadyBlocks:
    """A queue without a lock: one thread puts, another one takes.

    Attributes:
        dropped: rows that were dropped, because nobody took the blocks; marked as a gap.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._ready: deque[list[SampleBlock]] = deque()
        # each side writes one of the two, so neither needs a lock
        self._put_bytes = self._taken_bytes = 0
        self._untold: dict[int, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._ready)

    def put(self, blocks: list[SampleBlock]) -> None:
        """Add blocks, or count them when too many wait; a later block of theirs tells of the gap."""
        if self._put_bytes - self._taken_bytes > MOST_BYTES:
            self._drop(blocks)
        elif blocks:
            self._ready.append([self._marked(block) for block in blocks])
            self._put_bytes += sum(block.rows.nbytes for block in blocks)

    def take(self) -> list[SampleBlock]:
        """All that are due, oldest first."""
        found: list[SampleBlock] = []
        for _ in range(len(self._ready)):
            found += self._ready.popleft()
        self._taken_bytes += sum(block.rows.nbytes for block in found)
        return found

    def _drop(self, blocks: list[SampleBlock]) -> None:
        for block in blocks:
            self.dropped += len(block)
            since, count = self._untold.get(block.raster, (int(block.t_ns[0]), 0))
            self._untold[block.raster] = since, count + len(block)

    def _marked(self, block: SampleBlock) -> SampleBlock:
        since, count = self._untold.pop(block.raster, (0, 0))
        if not count:
            return block
        gap = Gap(0, since, int(block.t_ns[0]), count, "queue")
        return replace(block, gaps=(gap, *block.gaps))
