"""A sink that keeps everything in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.core.samples import SampleBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.core.samples import Gap
    from xcaliper.record.description import RecordingEvent

__all__ = ["MemorySink"]


class MemorySink:
    """Collects copies of blocks and events.

    Args:
        max_bytes: oldest blocks are dropped, and counted, beyond it; ``None`` = no limit.

    Attributes:
        blocks: kept blocks, oldest first.
        events: events in order.
        dropped_samples: samples of dropped blocks.
    """

    def __init__(self, *, max_bytes: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self.blocks: list[SampleBlock] = []
        self.events: list[RecordingEvent] = []
        self.dropped_samples = 0

    def write(self, block: SampleBlock) -> None:
        """Keep a copy; the caller may reuse its arrays."""
        kept = SampleBlock(block.raster, block.t_ns.copy(), block.rows.copy(), block.gaps)
        self.blocks.append(kept)
        self._bytes += kept.t_ns.nbytes + kept.rows.nbytes
        while self._max_bytes is not None and self._bytes > self._max_bytes:
            oldest = self.blocks.pop(0)
            self._bytes -= oldest.t_ns.nbytes + oldest.rows.nbytes
            self.dropped_samples += len(oldest)

    def event(self, event: RecordingEvent) -> None:
        """Keep an event."""
        self.events.append(event)

    def tick(self, now_ns: int) -> None:
        """Everything is visible at once."""

    def close(self) -> None:
        """Keep what there is."""

    def t_ns(self, raster: int) -> NDArray[np.int64]:
        """Times of a raster, int64[n]."""
        parts = [block.t_ns for block in self.blocks if block.raster == raster]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def column(self, raster: int, name: str) -> NDArray[Any]:
        """Raw values of a signal over all blocks.

        Raises:
            UsageError: nothing was recorded for the raster, or it has no such field.
        """
        parts = [block.rows for block in self.blocks if block.raster == raster]
        if not parts or name not in (parts[0].dtype.names or ()):
            raise UsageError(
                f"{name}: nothing recorded in raster {raster}.", hint="Check raster and name."
            )
        return np.concatenate([part[name] for part in parts])

    def gaps(self, raster: int) -> list[Gap]:
        """Losses of a raster, in order; their row numbers count inside their blocks."""
        return [gap for block in self.blocks if block.raster == raster for gap in block.gaps]
