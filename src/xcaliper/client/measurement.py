"""A running measurement: blocks of columns as they come, frames afterwards, a file on the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from xcaliper.client.values import format_number
from xcaliper.core.errors import LocalProtocolError, UsageError, XcaliperError
from xcaliper.core.samples import Gap, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

    from xcaliper.client.binding import Signal
    from xcaliper.core.frames import DtoBatch
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.record.pipeline import Pipeline

__all__ = ["Block", "Measurement", "Quality", "Session", "join_blocks"]

#: Blocks that nobody takes are dropped, oldest first and counted, beyond this size.
MAX_WAITING_BYTES: Final = 256 << 20
#: Blocks kept for frames are dropped, oldest first and counted, beyond this size.
MAX_KEPT_BYTES: Final = 512 << 20
_BLOCK_S: Final = 0.1
_SHOWN_NAMES: Final = 20
#: Silence after which the slave is asked whether it is still there.
_SILENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Quality:
    """What arrived and what did not, so far.

    Attributes:
        samples: rows of all events.
        lost: messages that the transport counter missed, samples that the DTO counter missed.
        gaps: places where something is missing.
        incomplete: samples of which a part was missing.
        overloads: how often the slave said that it lost samples.
        unknown: packets that belong to no list of this measurement.
        dropped: samples that had to be dropped because their reader was too slow.
    """

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    incomplete: int = 0
    overloads: int = 0
    unknown: int = 0
    dropped: int = 0


class Block:
    """Consecutive samples of one event: a time axis and columns.

    Attributes:
        event: name of the raster, that is of the event.
        t: float64[n], seconds since the start on the slave's clock.
        names: signals in the block.
        gaps: losses inside or just before the block.
    """

    __slots__ = ("_cache", "_raw_only", "_samples", "_signals", "event", "gaps", "names", "t")

    def __init__(
        self, event: str, samples: SampleBlock, signals: Mapping[str, Signal], *, raw_only: bool
    ) -> None:
        self.event = event
        self.t: NDArray[np.float64] = samples.t_ns / 1e9
        self.names = tuple(samples.rows.dtype.names or ())
        self.gaps = samples.gaps
        self._samples = samples
        self._signals = signals
        self._raw_only = raw_only
        self._cache: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        return f"<Block {self.event}: {len(self)} samples of {len(self.names)} signals>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(self._newest(name))}</td>"
            f"<td>{escape('' if self._raw_only else self._signals[name].unit)}</td></tr>"
            for name in self.names[:_SHOWN_NAMES]
        )
        more = len(self.names) - _SHOWN_NAMES
        rest = f"<tr><td>… {more} more</td></tr>" if more > 0 else ""
        return f"<table><caption>{escape(repr(self)[1:-1])}</caption>{rows}{rest}</table>"

    def _newest(self, name: str) -> str:
        if not len(self):
            return "–"
        value = self.latest(name)
        return "…" if np.shape(value) else format_number(value)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Values of a signal, physical unless the measurement is raw; array[n] or array[n, *shape].

        Raises:
            KeyError: the signal is not in this block.
        """
        if name not in self._cache:
            if name not in self.names:
                raise KeyError(name)
            column = self._samples.column(name)
            signal = self._signals[name]
            self._cache[name] = signal.raw(column) if self._raw_only else signal.phys(column)
        return self._cache[name]

    def raw(self, name: str) -> NDArray[Any]:
        """ECU values of a signal in native byte order, masks applied.

        Raises:
            KeyError: the signal is not in this block.
        """
        if name not in self.names:
            raise KeyError(name)
        return self._signals[name].raw(self._samples.column(name))

    def latest(self, name: str) -> Any:
        """The newest value of a signal, as ``block[name][-1]`` but cheap.

        Raises:
            KeyError: the signal is not in this block.
        """
        if name not in self.names:
            raise KeyError(name)
        signal = self._signals[name]
        column = self._samples.column(name)[-1:]
        return (signal.raw(column) if self._raw_only else signal.phys(column))[0]


class _Waiting:
    """Sample blocks between the pump and the reader; bounded, loss counted."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._blocks: deque[SampleBlock] = deque()
        self._bytes = 0
        self._lost: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, blocks: list[SampleBlock]) -> None:
        with self._lock:
            for block in blocks:
                self._blocks.append(block)
                self._bytes += block.rows.nbytes + 8 * len(block)
            while self._bytes > self._max_bytes and len(self._blocks) > 1:
                old = self._blocks.popleft()
                self._bytes -= old.rows.nbytes + 8 * len(old)
                self.dropped += len(old)
                since, count = self._lost.get(old.raster, (_first_time(old), 0))
                self._lost[old.raster] = since, count + len(old)

    def take(self) -> list[SampleBlock]:
        """Everything that waits, one block per raster, dropped ones marked as a gap in front."""
        with self._lock:
            blocks, self._blocks, self._bytes = list(self._blocks), deque(), 0
            lost, self._lost = self._lost, {}
        by_raster: dict[int, list[SampleBlock]] = {}
        for block in blocks:
            by_raster.setdefault(block.raster, []).append(block)
        joined = [join_blocks(group) for _, group in sorted(by_raster.items())]
        return [_mark_dropped(block, lost.pop(block.raster, None)) for block in joined]

    def __len__(self) -> int:
        return len(self._blocks)


def _first_time(block: SampleBlock) -> int:
    return int(block.t_ns[0]) if len(block) else 0


def _mark_dropped(block: SampleBlock, lost: tuple[int, int] | None) -> SampleBlock:
    if lost is None:
        return block
    gap = Gap(0, lost[0], _first_time(block), lost[1], "queue")
    return SampleBlock(block.raster, block.t_ns, block.rows, (gap, *block.gaps))


def join_blocks(blocks: list[SampleBlock]) -> SampleBlock:
    """Blocks of one raster as one; gaps move along."""
    if len(blocks) == 1:
        return blocks[0]
    gaps: list[Gap] = []
    offset = 0
    for block in blocks:
        gaps += [
            Gap(gap.before_row + offset, gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason)
            for gap in block.gaps
        ]
        offset += len(block)
    times = np.concatenate([block.t_ns for block in blocks])
    # as bytes: joining structures goes field by field and holds the interpreter for milliseconds
    dtype = blocks[0].rows.dtype
    joined = np.concatenate([_bytes_of(block.rows) for block in blocks])
    rows: NDArray[Any] = np.ndarray((len(times),), dtype, buffer=joined)
    return SampleBlock(blocks[0].raster, times, rows, tuple(gaps))


def _bytes_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """The same memory, uint8[n, bytes of a row]."""
    whole = np.ascontiguousarray(rows)
    return np.ndarray((len(rows), rows.dtype.itemsize), np.uint8, buffer=whole)


class Session:
    """What a measurement needs from its connection; filled in by it.

    Attributes:
        claim: reserve the lists for one measurement; raises while another one runs.
        setup: allocate and fill the lists, gives a decoder.
        listen: hand every batch of DAQ packets, or blocks where the decoder takes bytes, to a
            function from now on.
        go: start the lists together.
        halt: stop and free the lists, bounded in time, and end listening.
        is_alive: ask the slave for a sign of life; raises when there is none.
        overloads: how often the slave told of lost samples since the last call.
        sink: open the recording, None = nothing is recorded.
    """

    __slots__ = ("claim", "go", "halt", "is_alive", "listen", "overloads", "setup", "sink")

    def __init__(  # noqa: PLR0913  # one per duty
        self,
        *,
        claim: Callable[[Measurement], None],
        setup: Callable[[], DaqDecoder],
        listen: Callable[
            [
                DaqDecoder,
                Callable[[DtoBatch], object],
                Callable[[list[SampleBlock]], object],
            ],
            None,
        ],
        go: Callable[[], None],
        halt: Callable[[], None],
        is_alive: Callable[[], None],
        overloads: Callable[[], int],
        sink: Callable[[], Pipeline] | None,
    ) -> None:
        self.claim = claim
        self.setup = setup
        self.listen = listen
        self.go = go
        self.halt = halt
        self.is_alive = is_alive
        self.overloads = overloads
        self.sink = sink


class Measurement:
    """Signals in step with ECU events; made by ``Connection.measure``.

    Iterate over it for blocks as they come, or ``run()`` it for its duration and take frames. It
    can be measured once; make another one to go on.

    Attributes:
        plan: what the slave was told to do.
        signals: name → how to read the column.
        duration_s: length in seconds, None = until stopped.
    """

    def __init__(
        self,
        session: Session,
        plan: DaqPlan,
        signals: Mapping[str, Signal],
        *,
        duration_s: float | None,
        raw: bool,
        keep: bool,
    ) -> None:
        if duration_s is not None and not 0 < duration_s < inf:
            raise UsageError(f"duration: {duration_s} s is not a length of time.")
        self.plan = plan
        self.signals = signals
        self.duration_s = duration_s
        self._session = session
        self._raw = raw
        self._keep = keep
        self._decoder: DaqDecoder | None = None
        self._pipeline: Pipeline | None = None
        self._record_error: XcaliperError | None = None
        self._waiting = _Waiting(MAX_WAITING_BYTES)
        self._kept: dict[int, deque[SampleBlock]] = {}
        self._kept_bytes = 0
        self._forgotten = 0
        self._samples = [0] * len(plan.rasters)
        self._span = [(0, 0)] * len(plan.rasters)
        self._gap_counts = [0] * len(plan.rasters)
        self._lost = [0] * len(plan.rasters)
        self._started_ns = 0
        self._last_data_ns = 0
        self._state = "new"
        self._state_lock = threading.Lock()
        self._stopping = threading.Event()

    # --- life ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except XcaliperError:
            if kind is None:
                raise

    @property
    def is_running(self) -> bool:
        """True between start and stop."""
        return self._state == "running"

    def start(self) -> None:
        """Set the lists up and start them together; does nothing when running.

        Raises:
            LocalProtocolError: this measurement has already ended.
            NegativeResponseError: the slave refused.
        """
        with self._state_lock:
            if self._state == "running":
                return
            if self._state != "new":
                raise LocalProtocolError(
                    "measurement: it has ended.", hint="Make a new one with measure()."
                )
            self._session.claim(self)
            self._state = "ended"
            try:
                if self._session.sink is not None:
                    self._pipeline = self._session.sink()
                self._decoder = self._session.setup()
                self._session.listen(self._decoder, self._on_batch, self._on_blocks)
                self._started_ns = self._last_data_ns = time.monotonic_ns()
                self._session.go()
            except BaseException:
                self._end_quietly()
                raise
            self._state = "running"

    def _end_quietly(self) -> None:
        """Clean up behind a failed start; what failed first says more than what fails now."""
        for step in (self._session.halt, self._close_pipeline):
            try:
                step()
            except XcaliperError:
                continue

    def stop(self) -> None:
        """Stop the lists, take what is on its way, close the recording; bounded, repeatable.

        Raises:
            XcaliperError: stopping or the recording failed; what was recorded is kept.
        """
        with self._state_lock:
            if self._state != "running":
                return
            self._state = "ended"
            self._stopping.set()
            try:
                self._session.halt()
            finally:
                if self._decoder is not None:
                    self._decoder.finish()
                self._close_pipeline()

    def _close_pipeline(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()

    def run(self) -> Self:
        """Measure for the whole duration, then stop; take ``to_pandas()`` or ``blocks()`` after.

        Raises:
            UsageError: there is no duration.
        """
        if self.duration_s is None:
            raise UsageError(
                "measurement: run() needs a duration.", hint="measure(names, duration_s=10)"
            )
        with self:
            for _ in self:
                pass
        return self

    # --- data ---

    def _on_batch(self, batch: DtoBatch) -> None:
        assert self._decoder is not None, "listening begins behind the set-up"
        for _ in range(self._session.overloads()):
            self._decoder.note_overload()
        blocks = self._decoder.feed(batch)
        if blocks:
            self._on_blocks(blocks)

    def _on_blocks(self, blocks: list[SampleBlock]) -> None:
        self._last_data_ns = time.monotonic_ns()
        for block in blocks:
            at = block.raster
            if len(block):
                first = self._span[at][0] if self._samples[at] else int(block.t_ns[0])
                self._span[at] = (first, int(block.t_ns[-1]))
            self._samples[at] += len(block)
            self._gap_counts[at] += len(block.gaps)
            self._lost[at] += sum(gap.lost for gap in block.gaps)
            if self._pipeline is not None:
                self._record(self._pipeline, block)
        self._waiting.put(blocks)

    def _record(self, pipeline: Pipeline, block: SampleBlock) -> None:
        """Hand a block to the recording; its failure is told to the reader, who gets the block."""
        try:
            pipeline.put(block)
        except XcaliperError as error:
            self._record_error = self._record_error or error

    def __iter__(self) -> Iterator[Block]:
        """Blocks as they come, about ten per second and event; ends with the duration or a stop.

        What nobody took while it ran can still be taken after it ended.

        Raises:
            LinkError: the link failed.
            ExchangeTimeoutError: the slave fell silent and does not answer any more.
            MdfError: the recording cannot go on, as with a full disk; what it has stays readable.
        """
        if self._state == "ended" and len(self._waiting):
            yield from self._take()
            return
        self.start()
        deadline = (
            None if self.duration_s is None else self._started_ns + int(self.duration_s * 1e9)
        )
        try:
            while self._state == "running":
                now = time.monotonic_ns()
                if deadline is not None and now >= deadline:
                    break
                wait_s = _BLOCK_S if deadline is None else min(_BLOCK_S, (deadline - now) * 1e-9)
                self._stopping.wait(wait_s)  # let data gather
                yield from self._take()
                self._check_recording()
                self._check_silence()
        finally:
            self.stop()
        yield from self._take()

    def _check_recording(self) -> None:
        """End with the trouble of the recording (a full disk) when it comes, not hours later."""
        if self._record_error is not None:
            raise self._record_error

    def _check_silence(self) -> None:
        """Ask a silent slave for a sign of life, so that its death is not an endless wait."""
        now = time.monotonic_ns()
        slowest = max((raster.cycle_ns or 0 for raster in self.plan.rasters), default=0)
        if now - self._last_data_ns > max(_SILENCE_S * 1e9, 3 * slowest):
            self._session.is_alive()
            self._last_data_ns = now

    def _take(self) -> Iterator[Block]:
        for samples in self._waiting.take():
            if self._keep:
                self._remember(samples)
            yield self._block(samples)

    def _block(self, samples: SampleBlock) -> Block:
        name = self.plan.rasters[samples.raster].name
        return Block(name, samples, self.signals, raw_only=self._raw)

    def _remember(self, samples: SampleBlock) -> None:
        self._kept.setdefault(samples.raster, deque()).append(samples)
        self._kept_bytes += samples.rows.nbytes + 8 * len(samples)
        while self._kept_bytes > MAX_KEPT_BYTES:
            raster = max(self._kept, key=lambda at: sum(b.rows.nbytes for b in self._kept[at]))
            old = self._kept[raster].popleft()
            self._kept_bytes -= old.rows.nbytes + 8 * len(old)
            self._forgotten += len(old)

    def blocks(self) -> list[Block]:
        """Everything taken so far, one block per event; once it ended, everything measured."""
        if self._keep and self._state == "ended":
            for samples in self._waiting.take():
                self._remember(samples)
        return [self._block(join_blocks(list(blocks))) for _, blocks in sorted(self._kept.items())]

    def _columns(self, block: Block) -> dict[str, NDArray[Any]]:
        """One-dimensional columns; elements of arrays get an index behind the name."""
        found: dict[str, NDArray[Any]] = {}
        for name in block.names:
            values = block[name]
            if values.ndim == 1:
                found[name] = values
                continue
            for index in np.ndindex(values.shape[1:]):
                label = name + "".join(f"[{i}]" for i in index)
                found[label] = values[(slice(None), *index)]
        return found

    def to_pandas(self) -> dict[str, Any]:
        """Event name → DataFrame with the time in seconds as index.

        Raises:
            UsageError: pandas is not installed.
        """
        pandas = _optional("pandas")
        return {
            block.event: pandas.DataFrame(
                self._columns(block), index=pandas.Index(block.t, name="t [s]")
            )
            for block in self.blocks()
        }

    def to_polars(self) -> dict[str, Any]:
        """Event name → DataFrame with a column ``t [s]``.

        Raises:
            UsageError: polars is not installed.
        """
        polars = _optional("polars")
        return {
            block.event: polars.DataFrame({"t [s]": block.t, **self._columns(block)})
            for block in self.blocks()
        }

    # --- facts ---

    @property
    def rasters(self) -> tuple[Raster, ...]:
        """One per event (and DAQ list)."""
        return self.plan.rasters

    def unit(self, name: str) -> str:
        """Unit of a signal; empty for raw measurements."""
        return "" if self._raw else self.signals[name].unit

    def event_of(self, name: str) -> str:
        """Name of the raster that a signal is measured in."""
        return self.plan.raster_of(name).name

    @property
    def quality(self) -> Quality:
        """Counters so far."""
        if self._decoder is None:
            return Quality()
        counted = self._decoder.quality
        recorded = self._pipeline.stats.dropped_samples if self._pipeline is not None else 0
        return Quality(
            samples=sum(self._samples),
            lost=counted.lost_messages + counted.lost_samples,
            gaps=sum(self._gap_counts),
            incomplete=counted.incomplete,
            overloads=counted.overloads,
            unknown=counted.unknown,
            dropped=self._waiting.dropped + recorded + self._forgotten,
        )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start; 0 before it."""
        return (time.monotonic_ns() - self._started_ns) * 1e-9 if self._started_ns else 0.0

    @property
    def now_ns(self) -> int:
        """Newest time on the axis of the samples."""
        return max((last for _, last in self._span), default=0)

    def mark(self, text: str, *, name: str = "") -> None:
        """Put a marker with a text into the recording; nothing when there is none."""
        if self._pipeline is None or self._state != "running":
            return
        from xcaliper.record.description import EventType, RecordingEvent

        self._pipeline.event(RecordingEvent(EventType.MARKER, self.now_ns, text, name))

    def summary(self) -> dict[str, Any]:
        """Counters per event and in all, ready for JSON."""
        quality = self.quality
        rows = []
        for at, raster in enumerate(self.plan.rasters):
            first, last = self._span[at]
            count = self._samples[at]
            rows.append(
                {
                    "event": raster.name,
                    "signals": len(raster.signals),
                    "samples": count,
                    "rate_hz": (count - 1) * 1e9 / (last - first) if last > first else 0.0,
                    "lost": self._lost[at],
                    "gaps": self._gap_counts[at],
                }
            )
        fields = ("samples", "lost", "gaps", "incomplete", "overloads", "unknown", "dropped")
        return {"events": rows, **{name: getattr(quality, name) for name in fields}}

    def __repr__(self) -> str:
        events = ", ".join(raster.name for raster in self.plan.rasters)
        count = sum(self._samples)
        return (
            f"<Measurement {self._state}: {len(self.signals)} signals over {events}, "
            f"{count} samples>"
        )

    def _repr_html_(self) -> str:
        names = ("event", "signals", "samples", "rate_hz", "lost", "gaps")
        head = "".join(f"<th>{name}</th>" for name in names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(format_number(row[name]))}</td>" for name in names)
            for row in self.summary()["events"]
        )
        return f"<table><caption>{escape(repr(self)[1:-1])}</caption><tr>{head}</tr>{rows}</table>"


def _optional(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"{name} is not installed.", hint='pip install "xcaliper[frames]"'
        ) from error
