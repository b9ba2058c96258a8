"""Sample blocks between who brings and who takes them; bounded, what is dropped is marked."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from xcaliper.client.block import join_blocks
from xcaliper.core.samples import Gap, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Waiting", "block_bytes"]

#: Most bytes of blocks that are joined.
_JOINED_BYTES: Final = 256 << 10


def block_bytes(block: SampleBlock) -> int:
    """Memory that the samples of a block take."""
    return block.rows.nbytes + 8 * len(block)


class Waiting:
    """A queue of sample blocks; the oldest ones are dropped and counted when it is full.

    Args:
        max_bytes: of samples that may wait; the newest block always may.

    Attributes:
        max_bytes: as given.
        dropped: samples dropped so far.
        peak_bytes: the most that ever waited.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.dropped = 0
        self.peak_bytes = 0
        self._blocks: deque[SampleBlock] = deque()
        self._bytes = 0
        self._lost: dict[int, tuple[int, int]] = {}
        self._filled = threading.Condition()
        self._closed = False

    @property
    def bytes(self) -> int:
        """Bytes that wait now."""
        return self._bytes

    def put(self, blocks: Sequence[SampleBlock]) -> None:
        """Append blocks, and drop the oldest where there is no room."""
        with self._filled:
            for block in blocks:
                self._blocks.append(block)
                self._bytes += block_bytes(block)
            self.peak_bytes = max(self.peak_bytes, min(self._bytes, self.max_bytes))
            while self._bytes > self.max_bytes and len(self._blocks) > 1:
                old = self._blocks.popleft()
                self._bytes -= block_bytes(old)
                self.dropped += len(old)
                since, count = self._lost.get(old.raster, (_first_time(old), 0))
                carried = sum(gap.lost for gap in old.gaps)
                self._lost[old.raster] = since, count + len(old) + carried
            self._filled.notify()

    def take(self) -> list[SampleBlock]:
        """Everything that waits, ordered by raster, dropped ones marked as a gap in front.

        What is small is joined, so that there is one block per raster; of much data several are handed
        out as they are, because copying them would cost more than to look at each.
        """
        with self._filled:
            blocks, self._blocks, self._bytes = list(self._blocks), deque(), 0
            there = {block.raster for block in blocks}
            lost = {raster: self._lost.pop(raster, None) for raster in there}
        by_raster: dict[int, list[SampleBlock]] = {}
        for block in blocks:
            by_raster.setdefault(block.raster, []).append(block)
        joined = [
            join_blocks(part) for _, group in sorted(by_raster.items()) for part in _parts(group)
        ]
        return [_mark_dropped(block, lost.pop(block.raster, None)) for block in joined]

    def wait(self, timeout_s: float) -> bool:
        """Wait until something is there or nothing will come any more; True once it is closed."""
        with self._filled:
            if not self._blocks and not self._closed:
                self._filled.wait(timeout_s)
            return self._closed

    def close(self) -> None:
        """Nothing will come any more."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()

    def __len__(self) -> int:
        return len(self._blocks)


def _parts(blocks: list[SampleBlock]) -> Iterator[list[SampleBlock]]:
    """Blocks of one raster in pieces that are worth joining."""
    part: list[SampleBlock] = []
    size = 0
    for block in blocks:
        more = block_bytes(block)
        if part and size + more > _JOINED_BYTES:
            yield part
            part, size = [], 0
        part.append(block)
        size += more
    yield part


def _first_time(block: SampleBlock) -> int:
    if len(block):
        return int(block.t_ns[0])
    return min((gap.t_from_ns for gap in block.gaps), default=0)


def _mark_dropped(block: SampleBlock, lost: tuple[int, int] | None) -> SampleBlock:
    if lost is None:
        return block
    gap = Gap(0, lost[0], _first_time(block), lost[1], "queue")
    return SampleBlock(block.raster, block.t_ns, block.rows, (gap, *block.gaps))
