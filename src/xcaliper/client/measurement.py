"""A running measurement: blocks of columns as they come, frames afterwards, files on the way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from xcaliper.client import frames
from xcaliper.client.block import Block, ColumnRule, join_blocks
from xcaliper.client.callbacks import Callback
from xcaliper.client.quality import Quality, QueueState, Track
from xcaliper.client.recording import describe_track, discard, tell_begin
from xcaliper.client.slave_time import axis_error_ns, share_axis
from xcaliper.client.waiting import Waiting, block_bytes
from xcaliper.core.errors import LinkError, LocalProtocolError, PlanError, UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from xcaliper.client.acquisition import Acquisition
    from xcaliper.client.calculated import Calculator
    from xcaliper.client.daq_port import DaqPort
    from xcaliper.client.recording import Output
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.correlation import Correlation
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.record.description import RasterDescription
    from xcaliper.transport.multicast import ClockMulticast

    MakeCalculator = Callable[[Sequence[RasterDescription], Mapping[str, ColumnRule]], Calculator]

__all__ = ["Block", "Measurement", "Quality", "join_blocks"]

#: Blocks that nobody takes are dropped, oldest first and counted, beyond this size.
MAX_WAITING_BYTES: Final = 256 << 20
#: Blocks kept for frames are dropped, oldest first and counted, beyond this size.
MAX_KEPT_BYTES: Final = 512 << 20
#: Bytes that may wait for a recorder.
RECORD_BYTES: Final = 64 << 20
#: Seconds between two GET_DAQ_CLOCK_MULTICAST.
MULTICAST_S: Final = 0.1
_BLOCK_S: Final = 0.1
#: News that come within so many seconds are looked at together: a slave may tell much.
_NEWS_S: Final = 0.02
_WATCHER_STOP_S: Final = 10.0


class Measurement:
    """Signals in step with ECU events; made by ``Connection.measure`` and ``measure_together``.

    Iterate over it for blocks as they come (``for`` or ``async for``), have functions called with
    them (:meth:`on_block`), or ``run()`` it for its duration and take frames. It can be measured
    once; make another one to go on.

    Attributes:
        acquisitions: one per slave.
        tracks: rasters of all slaves, polled and calculated ones included; a block's ``event`` is the
            name of one.
        signals: name → how to read the column.
        duration_s: length in seconds, None = until stopped.
        recorders: what records; filled at the start.
        multicast: when set before the start, asks all slaves of its cluster for their clocks at once,
            as often as :data:`MULTICAST_S` says; whoever set it closes it.
    """

    def __init__(  # options by name
        self,
        acquisitions: Sequence[Acquisition],
        *,
        duration_s: float | None,
        raw: bool,
        keep: bool,
        outputs: Callable[[Measurement, int], list[tuple[str, Output]]] | None = None,
        calculator: MakeCalculator | None = None,
    ) -> None:
        number = isinstance(duration_s, int | float | np.number)
        if duration_s is not None and not (number and 0 < duration_s < inf):
            raise UsageError(
                f"duration: {duration_s!r} is not a length of time.", hint="In seconds, above 0."
            )
        self.acquisitions = tuple(acquisitions)
        self.duration_s = duration_s
        self.recorders: list[Output] = []
        self.multicast: ClockMulticast | None = None
        self._multicast_ns = 0
        self._recorder_names: list[str] = []
        self.tracks: list[Track] = []
        for one in acquisitions:
            self.tracks += one.number(len(self.tracks))
        self._calculator: Calculator | None = None
        if calculator is not None:
            rules = {name: rule for track in self.tracks for name, rule in track.rules.items()}
            described = [describe_track(track) for track in self.tracks]
            self._calculator = calculator(described, rules)
            self.tracks += self._calculator.tracks
        self.signals: Mapping[str, ColumnRule] = {
            name: rule for track in self.tracks for name, rule in track.rules.items()
        }
        self._raw = raw
        self._keep = keep
        self._outputs = outputs
        self._failed_outputs: dict[int, XcaliperError] = {}
        self._record_error: XcaliperError | None = None
        self._waiting = Waiting(MAX_WAITING_BYTES)
        self._callbacks: list[Callback] = []
        self._has_reader = False
        self._unheard: XcaliperError | None = None
        self._kept: dict[int, deque[SampleBlock]] = {}
        self._kept_bytes = 0
        self._forgotten = 0
        self._started_ns = 0
        self._ended_ns = 0
        self._state = "new"
        self._state_lock = threading.Lock()
        self._data_lock = threading.Lock()
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._error: XcaliperError | None = None
        self._raised: XcaliperError | None = None  # on its way to whoever iterates
        self._watcher: threading.Thread | None = None

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

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

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
            for one in self.acquisitions:
                one.claim(self)
            self._state = "ended"
            try:
                self._begin()
                self._watcher = threading.Thread(
                    target=self._watch, name="xcaliper-watch", daemon=True
                )
                self._watcher.start()
                self._state = "running"
            except BaseException:
                self._let_go()
                self._end_quietly()
                raise

    def _begin(self) -> None:
        """Prepare every slave and file first, so that all start soon behind time 0 and together."""
        if self.multicast is not None:
            for one in self.acquisitions:
                one.port.cluster = self.multicast.cluster
        for one in self.acquisitions:
            one.news = self._news.set
            one.is_hurried = self.multicast is not None
            one.prepare(self._accept, self._note)
        if self._outputs is not None:
            for name, output in self._outputs(self, time.monotonic_ns()):
                self._recorder_names.append(name)
                self.recorders.append(output)
        begin_ns = min(one.begin() for one in self.acquisitions)
        if len(self.acquisitions) > 1:
            shared = share_axis(self.acquisitions)
            begin_ns = begin_ns if shared is None else shared
        tell_begin(self, begin_ns)
        self._started_ns = time.monotonic_ns()
        for one in self.acquisitions:
            one.go(begin_ns)

    def _end_quietly(self) -> None:
        """Clean up behind a failed start; what failed first says more than what fails now."""
        steps: list[Callable[[], None]] = [one.halt for one in self.acquisitions]
        steps += [partial(discard, output) for output in self.recorders]
        for step in steps:
            with suppress(XcaliperError):
                step()

    def _closers(self) -> list[Callable[[], None]]:
        return [output.close for output in self.recorders]

    def stop(self) -> None:
        """Stop the lists, take what is on its way, close recordings; bounded, repeatable.

        Raises:
            XcaliperError: what ended the measurement, unless it was raised before; or stopping, a
                recording or a callback failed. What was measured and recorded is kept.
        """
        with self._state_lock:
            self._stop()

    def _stop(self) -> None:
        """As :meth:`stop`, by whoever has the lock of the state."""
        if self._state != "running":
            unheard, self._unheard = self._unheard, None
            if unheard is not None:
                raise unheard
            return
        self._state = "ended"
        self._let_go()
        try:
            problems = self._wind_up()
        except BaseException:  # Ctrl+C in the middle of it
            self._end_quietly()
            raise
        told = self._record_error  # the reader has heard of it
        problems = [problem for problem in problems if problem is not told]
        first = self._raised or next(iter(problems), None)
        for further in problems:
            if further is not first and first is not None:
                first.add_note(f"also: {further}")
        if first is not None and first is not self._raised:
            raise first

    def _wind_up(self) -> list[XcaliperError]:
        """Stop the lists, close files and callbacks; gives what went wrong, what came first first."""
        watcher = self._watcher
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join(_WATCHER_STOP_S)
        problems = [self._error] if self._error is not None else []
        self._error = None
        self._ended_ns = time.monotonic_ns()
        halts = [one.halt for one in self.acquisitions]
        problems += _failures_of(halts)
        for step in (self._finish_calculated, *self._closers()):
            problems += _failures_of([step])
        problems += [e for e in (one.close() for one in self._callbacks) if e is not None]
        return problems

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

    def _watch(self) -> None:
        """Body of the watching thread: look after every slave until the end.

        It sleeps until something is due, or until a slave has told something: waking up for nothing
        would be most of what a slow measurement costs.
        """
        while True:
            rest_s = min(one.rest_s(time.monotonic_ns()) for one in self.acquisitions)
            if self._news.wait(min(rest_s, self._unread_s())):
                self._stopping.wait(_NEWS_S)
                self._news.clear()
            if self._stopping.is_set():
                return
            if self._unread_s() <= 0 and self._end_unread():
                return
            self._ask_clocks(time.monotonic_ns())
            for one in self.acquisitions:
                try:
                    one.watch(time.monotonic_ns())
                except XcaliperError as error:
                    self._error = error
                    self._let_go()
                    return

    def _unread_s(self) -> float:
        """Seconds until it ends by itself; without end where who iterates over it ends it."""
        if self.duration_s is None or self._has_reader:
            return inf
        return max(self.duration_s - (time.monotonic_ns() - self._started_ns) * 1e-9, 0.0)

    def _end_unread(self) -> bool:
        """End it behind its duration, where nobody else does so now; what failed waits for stop()."""
        if not self._state_lock.acquire(timeout=_NEWS_S):
            return False
        try:
            self._stop()
        except XcaliperError as error:
            self._unheard = error
        finally:
            self._state_lock.release()
        return True

    def _let_go(self) -> None:
        """Whoever waits shall look whether it is over."""
        self._stopping.set()
        self._news.set()

    def _ask_clocks(self, now_ns: int) -> None:
        """Send GET_DAQ_CLOCK_MULTICAST when it is time; without a network nothing is lost."""
        if self.multicast is None or now_ns < self._multicast_ns:
            return
        self._multicast_ns = now_ns + int(MULTICAST_S * 1e9)
        with suppress(LinkError):
            counter, sent_ns = self.multicast.send()
            for one in self.acquisitions:
                one.multicast_sent(counter, sent_ns)

    # --- data ---

    def _accept(self, blocks: Sequence[SampleBlock]) -> None:
        """Take blocks of one slave; called by the thread that has them."""
        with self._data_lock:
            if self._calculator is not None:
                blocks = [*blocks, *self._calculator.feed(blocks)]
            self._hand_out(blocks)

    def _finish_calculated(self) -> None:
        with self._data_lock:
            if self._calculator is not None:
                self._hand_out(self._calculator.finish())

    def _hand_out(self, blocks: Sequence[SampleBlock]) -> None:
        for block in blocks:
            self.tracks[block.raster].count(block)
            for number, output in enumerate(self.recorders):
                self._record(number, output, block)
        if self._has_reader or self._keep or not self._callbacks:
            self._waiting.put(blocks)
        for callback in self._callbacks:
            callback.put(blocks)

    def _record(self, number: int, output: Output, block: SampleBlock) -> None:
        """Hand a block to a recording; when no file is left that works, the reader is told."""
        try:
            output.put(block)
        except XcaliperError as error:
            self._failed_outputs.setdefault(number, error)
            if not any(map(self._is_recording, range(len(self.recorders)))):
                self._record_error = self._record_error or error

    def _is_recording(self, number: int) -> bool:
        """Whether a recording goes on, be it to one of several files."""
        works: bool = getattr(
            self.recorders[number], "is_working", number not in self._failed_outputs
        )
        return works

    def _next_wait_s(self) -> float | None:
        """How long to let data gather; None when the duration is over."""
        if self.duration_s is None:
            return _BLOCK_S
        left_s = self.duration_s - (time.monotonic_ns() - self._started_ns) * 1e-9
        return None if left_s <= 0 else min(_BLOCK_S, left_s)

    def _raise_trouble(self) -> None:
        """End with the trouble of a recording (a full disk) or a slave when it comes."""
        error = self._record_error or self._error
        if error is None:
            return
        if error is self._error:
            self._error = None
        self._raised = error  # what fails while it is stopped says less
        raise error

    def __iter__(self) -> Iterator[Block]:
        """Blocks as they come, about ten per second and event; ends with the duration or a stop.

        Where much comes there are more of them, because joining would copy it. What nobody took while
        it ran can still be taken after it ended.

        Raises:
            LinkError: the link failed.
            ExchangeTimeoutError: the slave fell silent and does not answer any more.
            RemoteProtocolError: the slave stopped its lists or ended the session.
            MdfError: the recording cannot go on, as with a full disk; what it has stays readable.
        """
        self._has_reader = True
        if self._state == "ended" and len(self._waiting):
            yield from self._take()
            return
        self.start()
        try:
            while self._state == "running":
                wait_s = self._next_wait_s()
                if wait_s is None:
                    break
                self._stopping.wait(wait_s)
                yield from self._take()
                self._raise_trouble()
        finally:
            self.stop()
        yield from self._take()

    async def __aiter__(self) -> AsyncIterator[Block]:
        """Blocks as they come, for ``async for``; as with ``for``, and other tasks run meanwhile."""
        self._has_reader = True
        if not (self._state == "ended" and len(self._waiting)):
            await asyncio.to_thread(self.start)
        try:
            while self._state == "running":
                wait_s = self._next_wait_s()
                if wait_s is None:
                    break
                if not self._stopping.is_set():
                    await asyncio.sleep(wait_s)
                for block in self._take():
                    yield block
                self._raise_trouble()
        finally:
            await asyncio.to_thread(self.stop)
        for block in self._take():
            yield block

    def on_block(
        self, function: Callable[[Block], object], *, max_bytes: int | None = None
    ) -> Callable[[Block], object]:
        """Call a function with each block, in a thread of its own; also usable as a decorator.

        When the function is slower than the data, blocks are joined; beyond ``max_bytes`` the oldest
        are dropped, counted in ``quality`` and marked as a gap (``queue``). What it raises ends its
        calls, never the measurement, and is raised by :meth:`stop`.

        Args:
            function: gets a block.
            max_bytes: of samples that may wait for it; None = 64 MiB.
        """
        extra = () if max_bytes is None else (max_bytes,)
        callback = Callback(function, self._block, *extra)
        with self._state_lock:
            if self._state == "ended":
                callback.close()
                raise LocalProtocolError(
                    "measurement: it has ended.", hint="Add callbacks before it ends."
                )
            with self._data_lock:
                self._callbacks.append(callback)
            for one in self.acquisitions:
                one.keep_fresh()
        return function

    def _take(self) -> Iterator[Block]:
        for samples in self._waiting.take():
            if self._keep:
                self._remember(samples)
            if len(samples):  # a loss behind the last rows alone is told by gaps()
                yield self._block(samples)

    def _block(self, samples: SampleBlock) -> Block:
        track = self.tracks[samples.raster]
        return Block(track.name, samples, track.rules, raw_only=self._raw)

    def _remember(self, samples: SampleBlock) -> None:
        self._kept.setdefault(samples.raster, deque()).append(samples)
        self._kept_bytes += block_bytes(samples)
        while self._kept_bytes > MAX_KEPT_BYTES:
            raster = max(self._kept, key=lambda at: sum(map(block_bytes, self._kept[at])))
            old = self._kept[raster].popleft()
            self._kept_bytes -= block_bytes(old)
            self._forgotten += len(old)

    def blocks(self) -> list[Block]:
        """Everything taken so far, one block per event; once it ended, everything measured.

        Raises:
            UsageError: nothing was kept, because of ``keep=False``.
        """
        if not self._keep:
            raise UsageError(
                "measurement: keep=False, so nothing that was measured is kept.",
                hint="Take blocks as they come, or measure with keep=True.",
            )
        if self._state == "ended":
            for samples in self._waiting.take():
                self._remember(samples)
        return [self._block(join_blocks(list(blocks))) for _, blocks in sorted(self._kept.items())]

    def gaps(self) -> dict[str, list[dict[str, Any]]]:
        """Event name → where samples are missing in :meth:`blocks`, in order; empty = nowhere.

        Of each: ``t_from`` and ``t_to``, seconds of the samples at its ends; ``lost``, how many are
        missing, 0 = unknown; ``reason``, such as ``counter``, ``overload``, ``reconnect`` or ``queue``.
        One behind the last sample of an event ends with the measurement.

        Raises:
            UsageError: nothing was kept, because of ``keep=False``.
        """
        return {block.event: frames.gap_rows(block) for block in self.blocks()}

    def to_pandas(self) -> dict[str, Any]:
        """Event name → DataFrame with the time in seconds as index; ``attrs["gaps"]`` as of :meth:`gaps`.

        Raises:
            UsageError: pandas is not installed.
        """
        return frames.to_pandas(self.blocks())

    def to_polars(self) -> dict[str, Any]:
        """Event name → DataFrame with a column ``t [s]``; :meth:`gaps` tells where samples are missing.

        Raises:
            UsageError: polars is not installed.
        """
        return frames.to_polars(self.blocks())

    def to_xarray(self) -> dict[str, Any]:
        """Event name → Dataset over ``t`` in seconds; arrays keep their shape, units are attributes.

        So are its gaps: their number in ``gaps``, and the fields of :meth:`gaps` as lists in
        ``gap_t_from``, ``gap_t_to``, ``gap_lost`` and ``gap_reason``.

        Raises:
            UsageError: xarray is not installed.
        """
        return frames.to_xarray(self.blocks())

    def plot(self, *names: str) -> Any:
        """Draw signals over time, one strip per unit, gaps left open; gives a matplotlib figure.

        Args:
            names: signals; without any all that have one number per sample, up to 16.

        Raises:
            NotFoundError: a signal was not measured.
            UsageError: there is nothing to draw; the measurement was made with ``keep=False``.
        """
        return frames.plot(self.blocks(), names, {n: self.unit(n) for n in self.signals})

    # --- facts ---

    @property
    def plan(self) -> DaqPlan:
        """What the slave was told to do; that of the first one where there are several."""
        return self.acquisitions[0].plan

    @property
    def plans(self) -> dict[str, DaqPlan]:
        """Label of the slave → what it was told to do."""
        return {one.label: one.plan for one in self.acquisitions}

    @property
    def rasters(self) -> tuple[Track, ...]:
        """One per event (and DAQ list), one for what is polled, one per calculated group."""
        return tuple(self.tracks)

    def unit(self, name: str) -> str:
        """Unit of a signal; empty for raw measurements."""
        return "" if self._raw else self.signals[name].unit

    def event_of(self, name: str) -> str:
        """Name of the raster that a signal is measured in.

        Raises:
            PlanError: no raster has it.
        """
        for track in self.tracks:
            if name in track.rules:
                return track.name
        raise PlanError("plan", (f"{name} is not measured",))

    @property
    def queues(self) -> tuple[QueueState, ...]:
        """Fill and losses of every bounded queue."""
        reader = self._waiting
        found = [QueueState("reader", reader.bytes, reader.max_bytes, reader.dropped)]
        for name, output in zip(self._recorder_names, self.recorders, strict=True):
            stats = output.stats
            found.append(
                QueueState(
                    f"record {name}", stats.queued_bytes, RECORD_BYTES, stats.dropped_samples
                )
            )
        for one in self._callbacks:
            queue = one.waiting
            found.append(
                QueueState(f"callback {one.name}", queue.bytes, queue.max_bytes, queue.dropped)
            )
        return tuple(found)

    @property
    def quality(self) -> Quality:
        """Counters so far."""
        counted: dict[str, int] = {}
        for one in self.acquisitions:
            for name, value in one.counters().items():
                counted[name] = counted.get(name, 0) + value
        return Quality(
            samples=sum(track.samples for track in self.tracks if track.is_measured),
            lost=counted["lost_messages"] + counted["lost_samples"],
            gaps=sum(track.gaps for track in self.tracks if track.is_measured),
            dropped=self._forgotten + sum(queue.dropped for queue in self.queues),
            reconnects=sum(one.reconnects for one in self.acquisitions),
            silences=sum(one.silences for one in self.acquisitions),
            **{
                name: counted[name]
                for name in (
                    "incomplete", "overloads", "unknown", "malformed", "late", "backward",
                )
            },
        )  # fmt: skip

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was odd while measuring, each told once."""
        return tuple(found for one in self.acquisitions for found in one.diagnostics)

    @property
    def record_error(self) -> XcaliperError | None:
        """Why nothing is recorded any more; None while every wanted recording goes on."""
        return next(iter(self._failed_outputs.values()), None)

    @property
    def correlations(self) -> dict[str, Correlation | None]:
        """Label of the slave → how its time lies on the host's or a grandmaster's, as known now."""
        return {one.label: one.correlation for one in self.acquisitions}

    @property
    def correlation(self) -> Correlation | None:
        """How the time of the (first) slave lies on the host's or a grandmaster's clock.

        With one slave, times of blocks are what its ticks say; ``correlation.correlate(t_ns)`` gives
        the other axis.
        """
        return next(iter(self.correlations.values()))

    @property
    def axis_error_ns(self) -> int | None:
        """How far apart samples that several slaves took at one instant may lie; None = unknown."""
        return axis_error_ns(self.acquisitions)

    def _time_summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            label or "slave": one.properties() if one is not None else {}
            for label, one in self.correlations.items()
        }
        if len(self.acquisitions) > 1:
            found["axis_error_ns"] = self.axis_error_ns
        return found

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start; 0 before it, the length once it ended."""
        if not self._started_ns:
            return 0.0
        return ((self._ended_ns or time.monotonic_ns()) - self._started_ns) * 1e-9

    @property
    def now_ns(self) -> int:
        """Newest time on the axis of the samples."""
        return max((track.last_ns for track in self.tracks), default=0)

    @property
    def load_bytes_per_s(self) -> float:
        """Bytes of samples per second so far, all slaves, headers not counted."""
        total = sum(t.samples * t.dtype.itemsize for t in self.tracks if t.is_measured)
        return total / self.elapsed_s if self.elapsed_s else 0.0

    def mark(self, text: str, *, name: str = "", port: DaqPort | None = None) -> None:
        """Put a marker with a text into every recording; nothing when there is none.

        Args:
            text: for people.
            name: short name.
            port: of the slave that it is about; where several are measured its label is said.
        """
        if self._state != "running" or not self.recorders:
            return
        from xcaliper.record.description import EventType, RecordingEvent

        label = next((one.label for one in self.acquisitions if one.port is port), "")
        told = f"{label}: {text}" if label else text
        event = RecordingEvent(EventType.MARKER, self.now_ns, told, name)
        for output in self.recorders:
            output.event(event)

    def _note(self, text: str) -> None:
        """A slave was lost or found again."""
        from xcaliper.record.description import EventCause, EventType, RecordingEvent

        event = RecordingEvent(
            EventType.ACQUISITION_INTERRUPT, self.now_ns, text, "link", EventCause.ERROR
        )
        for output in self.recorders:
            with suppress(XcaliperError):  # a closed one needs no note
                output.event(event)

    def trigger(self, text: str = "manual") -> None:
        """Start every recording that waits for a trigger."""
        for output in self.recorders:
            start = getattr(output, "trigger", None)
            if start is not None:
                start(text)

    def summary(self) -> dict[str, Any]:
        """Counters per event and in all, ready for JSON."""
        quality = self.quality
        found: dict[str, Any] = {"events": [track.summary() for track in self.tracks]}
        found |= {name: getattr(quality, name) for name in Quality.__slots__}
        found["queues"] = [
            {name: getattr(queue, name) for name in QueueState.__slots__} for queue in self.queues
        ]
        found["time"] = self._time_summary()
        found["diagnostics"] = [str(one) for one in self.diagnostics]
        return found

    def __repr__(self) -> str:
        from xcaliper.core.wording import counted

        events = ", ".join(track.name for track in self.tracks)
        count = self.quality.samples
        return (
            f"<Measurement {self._state}: {counted(len(self.signals), 'signal')} over {events}, "
            f"{counted(count, 'sample')}>"
        )

    def _repr_html_(self) -> str:
        return frames.summary_html(repr(self)[1:-1], self.summary()["events"])


def _failures_of(steps: Sequence[Callable[[], None]]) -> list[XcaliperError]:
    """What went wrong in steps that are done at the same time, in their order."""
    failures: dict[int, XcaliperError] = {}

    def carry_out(number: int) -> None:
        try:
            steps[number]()
        except XcaliperError as error:
            failures[number] = error

    others = [threading.Thread(target=carry_out, args=(n,)) for n in range(1, len(steps))]
    for thread in others:
        thread.start()
    carry_out(0)
    for thread in others:
        thread.join()
    return [failures[number] for number in sorted(failures)]
