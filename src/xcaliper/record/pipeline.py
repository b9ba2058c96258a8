"""A bounded queue between the decoder and the sinks; what does not fit is counted and marked."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from xcaliper.core.errors import LinkError, UsageError, XcaliperError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record.description import EventCause, EventType, RecordingEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.record.sinks import Sink

__all__ = ["Pipeline", "PipelineStats", "as_ours"]

MAX_BYTES: Final = 64 << 20
MAX_BLOCKS: Final = 10_000
TICK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class PipelineStats:
    """Counters of a pipeline.

    Attributes:
        blocks: blocks accepted.
        samples: samples accepted.
        dropped_blocks: blocks that did not fit.
        dropped_samples: their samples.
        dropped_events: events that did not fit.
        queued_bytes: bytes that wait now.
        peak_bytes: the most that ever waited.
    """

    blocks: int = 0
    samples: int = 0
    dropped_blocks: int = 0
    dropped_samples: int = 0
    dropped_events: int = 0
    queued_bytes: int = 0
    peak_bytes: int = 0


@dataclass(slots=True)
class _Loss:
    """Samples of one raster dropped since the last accepted block."""

    t_from_ns: int
    t_to_ns: int
    lost: int


def _size(item: SampleBlock | RecordingEvent) -> int:
    if isinstance(item, SampleBlock):
        return item.t_ns.nbytes + item.rows.nbytes
    return len(item.text) + len(item.name)


class Pipeline:
    """Hands blocks to sinks in a thread of its own.

    ``put`` never waits. A sink that fails gets nothing more; the others go on.

    Args:
        sinks: where blocks go; they are closed by ``close``.
        max_bytes: of blocks that may wait.
        max_blocks: blocks and events that may wait.
        tick_s: how often sinks are asked to make their data visible.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        max_bytes: int = MAX_BYTES,
        max_blocks: int = MAX_BLOCKS,
        tick_s: float = TICK_S,
    ) -> None:
        self._sinks = tuple(sinks)
        self._max_bytes = max_bytes
        self._max_blocks = max_blocks
        self._tick_ns = max(1_000_000, round(tick_s * 1e9))
        self._wake = threading.Condition()
        self._queue: deque[SampleBlock | RecordingEvent] = deque()
        self._bytes = 0
        self._losses: dict[int, _Loss] = {}
        self._last_ns: dict[int, int] = {}
        self._stats = PipelineStats()
        self._errors: dict[int, Exception] = {}
        self._unseen: list[Exception] = []
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="xcaliper-record", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except XcaliperError:  # the exception on its way out says more
            return

    @property
    def stats(self) -> PipelineStats:
        """Counters now."""
        with self._wake:
            return replace(self._stats, queued_bytes=self._bytes)

    @property
    def is_finished(self) -> bool:
        """Whether the thread has ended, so that no sink is used any more."""
        return not self._thread.is_alive()

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What sinks raised, one per failed sink."""
        with self._wake:
            return tuple(self._errors.values())

    def put(self, block: SampleBlock) -> bool:
        """Queue a block; its arrays must not change any more.

        Returns:
            Whether it fitted; otherwise its loss is marked in the raster's next block.

        Raises:
            LinkError: a sink failed since the last call; the block was queued for the others.
            UsageError: the pipeline is closed.
        """
        with self._wake:
            self._check_open()
            size = _size(block)
            fits = len(self._queue) < self._max_blocks and (
                self._bytes + size <= self._max_bytes or not self._queue
            )
            if fits:
                self._accept(block, size)
            else:
                self._drop(block)
            self._raise_unseen()
            return fits

    def event(self, event: RecordingEvent) -> bool:
        """Queue an event; as many may wait as blocks.

        Raises:
            UsageError: the pipeline is closed.
        """
        with self._wake:
            self._check_open()
            if len(self._queue) >= 2 * self._max_blocks:
                self._stats = replace(self._stats, dropped_events=self._stats.dropped_events + 1)
                return False
            self._push(event, _size(event))
            return True

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and close the sinks.

        Args:
            timeout_s: when to give up waiting; the thread then drops what still waits.

        Raises:
            LinkError: the writer did not finish in time, or a sink failed that raised something
                that is not one of our errors.
            XcaliperError: what the first failed sink raised.
        """
        with self._wake:
            if not self._closing:
                for raster, loss in self._losses.items():
                    event = _loss_event(raster, loss)
                    self._push(event, _size(event))
                self._losses.clear()
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._wake:
                self._abandoned = True
                waiting = len(self._queue)
            raise LinkError(
                f"recording: not finished in {timeout_s:g} s, {waiting} blocks still wait.",
                hint="The target is too slow or hangs; the file holds what was committed.",
            )
        with self._wake:
            first = next(iter(self._errors.values()), None)
        if first is not None:
            raise as_ours(first)

    def _check_open(self) -> None:
        if self._closing:
            raise UsageError("recording: already closed.", hint="Start a new recording.")

    def _raise_unseen(self) -> None:
        if self._unseen:
            raise as_ours(self._unseen.pop(0))

    def _accept(self, block: SampleBlock, size: int) -> None:
        loss = self._losses.pop(block.raster, None)
        if loss is not None:
            until = int(block.t_ns[0]) if len(block) else loss.t_to_ns
            gap = Gap(0, loss.t_from_ns, until, loss.lost, "queue")
            block = replace(block, gaps=(gap, *block.gaps))
        if len(block):
            self._last_ns[block.raster] = int(block.t_ns[-1])
        self._push(block, size)
        stats = self._stats
        self._stats = replace(
            stats,
            blocks=stats.blocks + 1,
            samples=stats.samples + len(block),
            peak_bytes=max(stats.peak_bytes, self._bytes),
        )

    def _drop(self, block: SampleBlock) -> None:
        lost = len(block) + sum(gap.lost for gap in block.gaps)
        first, last = _span(block)
        known = self._losses.get(block.raster)
        if known is None:
            start = self._last_ns.get(block.raster, first)
            self._losses[block.raster] = _Loss(start, last, lost)
        else:
            known.lost += lost
            known.t_to_ns = max(known.t_to_ns, last)
        stats = self._stats
        self._stats = replace(
            stats,
            dropped_blocks=stats.dropped_blocks + 1,
            dropped_samples=stats.dropped_samples + len(block),
        )

    def _push(self, item: SampleBlock | RecordingEvent, size: int) -> None:
        self._queue.append(item)
        self._bytes += size
        self._wake.notify()

    def _run(self) -> None:
        due_ns = time.monotonic_ns() + self._tick_ns
        while True:
            item, done = self._next(due_ns)
            if item is not None:
                self._hand_out(item)
            now_ns = time.monotonic_ns()
            if now_ns >= due_ns:
                due_ns = now_ns + self._tick_ns
                for number, sink in enumerate(self._sinks):
                    self._guard(number, partial(sink.tick, now_ns))
            if done:
                break
        for number, sink in enumerate(self._sinks):
            self._guard(number, sink.close, always=True)

    def _next(self, due_ns: int) -> tuple[SampleBlock | RecordingEvent | None, bool]:
        """Wait for the next item until a tick is due; True once there is nothing to wait for."""
        with self._wake:
            if not self._queue and not self._closing:
                self._wake.wait(max(0, due_ns - time.monotonic_ns()) / 1e9)
            if self._abandoned:
                self._queue.clear()
            if not self._queue:
                return None, self._closing
            return self._queue[0], False

    def _hand_out(self, item: SampleBlock | RecordingEvent) -> None:
        for number, sink in enumerate(self._sinks):
            if isinstance(item, SampleBlock):
                self._guard(number, partial(sink.write, item))
            else:
                self._guard(number, partial(sink.event, item))
        with self._wake:  # an item counts as waiting until the last sink has it
            if self._queue and self._queue[0] is item:
                self._queue.popleft()
                self._bytes -= _size(item)

    def _guard(self, number: int, action: Callable[[], None], *, always: bool = False) -> None:
        """Run a step of one sink; its failure ends this sink, not the thread."""
        if number in self._errors and not always:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001  # sinks are anybody's code; one must not end all
            with self._wake:
                if number not in self._errors:
                    self._errors[number] = error
                    self._unseen.append(error)


def as_ours(error: Exception) -> XcaliperError:
    """What a sink raised, as one of our errors."""
    if isinstance(error, XcaliperError):
        return error
    wrapped = LinkError(f"sink: {type(error).__name__}: {error}.", hint="Other sinks went on.")
    wrapped.__cause__ = error
    return wrapped


def _span(block: SampleBlock) -> tuple[int, int]:
    """First and last time that a block speaks of."""
    if len(block):
        return int(block.t_ns[0]), int(block.t_ns[-1])
    first = min((gap.t_from_ns for gap in block.gaps), default=0)
    return first, max((gap.t_to_ns for gap in block.gaps), default=first)


def _loss_event(raster: int, loss: _Loss) -> RecordingEvent:
    text = f"{loss.lost} lost until {loss.t_to_ns / 1e9:.6f} s (queue)"
    return RecordingEvent(
        EventType.ACQUISITION_INTERRUPT, loss.t_from_ns, text, "loss", EventCause.ERROR, raster
    )
