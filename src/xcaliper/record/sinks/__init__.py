"""Sinks: where sample blocks end up. A sink is one class with these four methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RecordingEvent

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes blocks and events, in order, from one thread.

    One that has a method ``describe`` is told before what it will get, a ``RecordingDescription``.
    """

    def write(self, block: SampleBlock) -> None:
        """Take the samples of a block."""
        ...

    def event(self, event: RecordingEvent) -> None:
        """Take note of an event."""
        ...

    def tick(self, now_ns: int) -> None:
        """Let buffered data become visible; called often, with monotonic time."""
        ...

    def close(self) -> None:
        """Finish; nothing comes after it."""
        ...
