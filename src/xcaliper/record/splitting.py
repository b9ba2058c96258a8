"""One recording in several files, cut at one time for all rasters."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.record.description import EventType, RecordingEvent
from xcaliper.record.sinks import Sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xcaliper.core.samples import SampleBlock

__all__ = ["FileSink", "Splitter"]

SETTLE_NS: Final = 1_000_000_000
MAX_OPEN: Final = 4
FOREVER: Final = (1 << 63) - 1


class FileSink(Sink, Protocol):
    """A sink with a name.

    Attributes:
        path: of the file.
    """

    path: Path


@dataclass(slots=True)
class _Part:
    """A file and the time at which the next one takes over."""

    sink: FileSink
    size: int = 0
    end_ns: int = FOREVER
    newest_ns: int = -FOREVER


class Splitter:
    """Routes samples by time to files, each complete by itself.

    A sample is in exactly one file. Samples that come after their file was closed, more than a
    second late, go to the oldest file that is open.

    Args:
        begin: opens a file, given its number from 1 and the name of the one before.
        split_bytes: bytes of samples per file, ``None`` = no bound.
        split_ns: time per file, ``None`` = no bound.
        rasters: how many there are; the end of a file waits a moment for each.
    """

    def __init__(
        self,
        begin: Callable[[int, str], FileSink],
        *,
        split_bytes: int | None = None,
        split_ns: int | None = None,
        rasters: int = 0,
    ) -> None:
        self._begin = begin
        self._split_bytes = split_bytes
        self._split_ns = split_ns
        self._newest = dict.fromkeys(range(rasters), -FOREVER)
        self._newest_ns = -FOREVER
        self._count = 1
        self._parts: deque[_Part] = deque([_Part(begin(1, ""))])

    def write(self, block: SampleBlock) -> None:
        """Take samples; cuts the block where a file ends."""
        if not len(block):
            since = min((gap.t_from_ns for gap in block.gaps), default=FOREVER)
            parts = self._parts
            next((one for one in parts if since < one.end_ns), parts[-1]).sink.write(block)
            return
        if self._split_ns is not None and self._newest_ns == -FOREVER:
            self._parts[0].end_ns = int(block.t_ns[0]) + self._split_ns
        rest: SampleBlock | None = block
        while rest is not None:
            rest = self._route(rest)
        last = int(block.t_ns.max())
        self._newest[block.raster] = max(self._newest.get(block.raster, last), last)
        self._newest_ns = max(self._newest_ns, last)
        self._close_passed()

    def _route(self, block: SampleBlock) -> SampleBlock | None:
        """Write the rows in front that belong to one file; the rest or ``None``."""
        first = int(block.t_ns[0])
        part = next((part for part in self._parts if first < part.end_ns), None)
        if part is None:
            part = self._next_part(first)
        count = len(block)
        late = block.t_ns >= part.end_ns
        if late.any():
            count = int(late.argmax())
        if self._split_bytes is not None and part.size < self._split_bytes:
            per_row = block.rows.dtype.itemsize + 8
            count = min(count, max(1, -(-(self._split_bytes - part.size) // per_row)))
        piece = block.part(0, count)
        part.sink.write(piece)
        part.size += piece.rows.nbytes + piece.t_ns.nbytes
        part.newest_ns = max(part.newest_ns, int(piece.t_ns.max()))
        if self._split_bytes is not None and part.size >= self._split_bytes:
            # never in front of what is in the file, of any raster
            part.end_ns = min(part.end_ns, part.newest_ns + 1)
        return block.part(count, len(block)) if count < len(block) else None

    def _next_part(self, t_ns: int) -> _Part:
        before = self._parts[-1]
        start = before.end_ns
        self._count += 1
        part = _Part(self._begin(self._count, before.sink.path.name))
        if self._split_ns is not None:
            steps = max(0, t_ns - start) // self._split_ns  # none for times without samples
            part.end_ns = start + (steps + 1) * self._split_ns
        self._parts.append(part)
        seam = min(start, t_ns)
        before.sink.event(
            RecordingEvent(EventType.MARKER, seam, f"continued in {part.sink.path.name}", "split")
        )
        part.sink.event(
            RecordingEvent(EventType.MARKER, seam, f"continues {before.sink.path.name}", "split")
        )
        return part

    def _close_passed(self) -> None:
        """Close files that nothing can come for any more."""
        while len(self._parts) > 1:
            end = self._parts[0].end_ns
            passed = min(self._newest.values()) >= end or self._newest_ns >= end + SETTLE_NS
            if not passed and len(self._parts) <= MAX_OPEN:
                return
            self._parts.popleft().sink.close()

    def event(self, event: RecordingEvent) -> None:
        """Write an event to the file of its time."""
        part = next((part for part in self._parts if event.t_ns < part.end_ns), self._parts[-1])
        part.sink.event(event)

    def tick(self, now_ns: int) -> None:
        """Hand a tick to the open files."""
        for part in self._parts:
            part.sink.tick(now_ns)

    def close(self) -> None:
        """Close all files; what one of them raises comes behind the closing of the others."""
        problem: Exception | None = None
        while self._parts:
            try:
                self._parts.popleft().sink.close()
            except Exception as error:  # noqa: BLE001  # the other files are closed first
                problem = problem or error
        if problem is not None:
            raise problem
