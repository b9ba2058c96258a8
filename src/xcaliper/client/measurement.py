"""A running measurement: blocks of columns as they come, frames afterwards, files on the way."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from xcaliper.client.block import Block, ColumnRule, join_blocks
from xcaliper.client.callbacks import Callback
from xcaliper.client.measured import Measured
from xcaliper.client.quality import Quality
from xcaliper.client.recording import describe_track, discard, tell_begin
from xcaliper.client.slave_time import share_axis
from xcaliper.core.errors import (
    LinkError,
    LocalProtocolError,
    NotFoundError,
    UsageError,
    XcaliperError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from xcaliper.client.acquisition import Acquisition
    from xcaliper.client.calculated import Calculator
    from xcaliper.client.daq_port import DaqPort
    from xcaliper.client.quality import Track
    from xcaliper.client.recording import Output
    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RasterDescription
    from xcaliper.transport.multicast import ClockMulticast

    MakeCalculator = Callable[[Sequence[RasterDescription], Mapping[str, ColumnRule]], Calculator]

__all__ = ["Block", "Measurement", "Quality", "join_blocks"]

#: Seconds between two GET_DAQ_CLOCK_MULTICAST.
MULTICAST_S: Final = 0.1
_BLOCK_S: Final = 0.1
#: News that come within so many seconds are looked at together: a slave may tell much.
_NEWS_S: Final = 0.02
_WATCHER_STOP_S: Final = 10.0


class Measurement(Measured):
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
        super().__init__(acquisitions, raw=raw, keep=keep)
        self.duration_s = duration_s
        self.multicast: ClockMulticast | None = None
        self._multicast_ns = 0
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
        self._outputs = outputs
        self._record_error: XcaliperError | None = None
        self._has_reader = False
        self._unheard: XcaliperError | None = None
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

    # --- single lists ---

    def stop_list(self, name: str) -> None:
        """Stop one raster while the others go on, as one that the link has no room for.

        What is on its way still comes; what does not come any more is no loss. A slave that is lost
        meanwhile is set up again without it. Calculated signals end with it where it is their first
        input, and else go on with its last value. Does nothing where it is stopped already.

        Args:
            name: of the raster, as in :attr:`rasters` and ``block.event``; an event that needs several
                DAQ lists has several rasters.

        Raises:
            NotFoundError: no such raster; carries those that there are.
            UsageError: it is no DAQ list, but polled or calculated.
            LocalProtocolError: the measurement does not run.
            NegativeResponseError: the slave refused, and the raster goes on.
            ExchangeTimeoutError: no answer.
        """
        track, acquisition = self._list_of(name)
        if acquisition.stop_list(track):
            self.mark(f"{name}: stopped", name="list")

    def start_list(self, name: str) -> None:
        """Start a raster again that :meth:`stop_list` has stopped; does nothing where it runs.

        Before its next row is a gap of reason ``stopped``. Up to 0.3 s behind the stop it is waited
        until everything from before has been handed out.

        Args:
            name: as there.

        Raises:
            NotFoundError: as there, and the others.
        """
        track, acquisition = self._list_of(name)
        if acquisition.start_list(track):
            self.mark(f"{name}: started again", name="list")

    def _list_of(self, name: str) -> tuple[Track, Acquisition]:
        """The track of a DAQ list and whose it is."""
        known = [track.name for track in self.tracks if track.kind == "daq"]
        track = next((track for track in self.tracks if track.name == name), None)
        if track is None:
            raise NotFoundError(name, kind="raster", nearest=tuple(known[:8]))
        if track.kind != "daq":
            raise UsageError(
                f"{name}: it is {'polled' if track.kind == 'polling' else track.kind}, no DAQ list.",
                hint=f"Lists: {', '.join(known[:8]) or 'none'}.",
            )
        if self._state != "running":
            raise LocalProtocolError(
                f"{name}: the measurement does not run.",
                hint="Start it first; one that ended is over.",
            )
        return track, next(one for one in self.acquisitions if track in one.tracks)

    # --- recordings ---

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
