"""A sink that only counts: for tests, and to measure what the rest of the path can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RecordingEvent

__all__ = ["NullSink"]


class NullSink:
    """Counts blocks, samples, gaps and events."""

    def __init__(self) -> None:
        self.blocks = 0
        self.samples = 0
        self.gaps = 0
        self.events = 0
        self.closed = False

    def write(self, block: SampleBlock) -> None:
        """Count a block."""
        self.blocks += 1
        self.samples += len(block)
        self.gaps += len(block.gaps)

    def event(self, event: RecordingEvent) -> None:  # noqa: ARG002  # only counted
        """Count an event."""
        self.events += 1

    def tick(self, now_ns: int) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Note the end."""
        self.closed = True
