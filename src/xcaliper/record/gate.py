"""From trigger to trigger: which samples belong to a recording."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.record.description import EventCause, EventType, RecordingEvent
from xcaliper.record.watch import FOREVER, NEVER, Watch, start_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.sinks import Sink

__all__ = ["Gate", "GateStats"]

SETTLE_NS: Final = 1_000_000_000
"""How long the end of a recording waits for samples of slower rasters, in time of the samples."""
LATE_NS: Final = 2 * SETTLE_NS
"""How much later than others a raster's samples may come and still be waited for."""
MAX_EVENTS: Final = 10_000
MANUAL: Final = "manual"


@dataclass(frozen=True, slots=True)
class GateStats:
    """Counters of a gate.

    Attributes:
        state: ``waiting``, ``recording`` or ``ended``.
        recordings: recordings begun.
        samples: samples that belong to them.
        ring_bytes: bytes kept now.
        short: recordings that lack a part of their time before the trigger.
    """

    state: str = "waiting"
    recordings: int = 0
    samples: int = 0
    ring_bytes: int = 0
    short: int = 0


@dataclass(slots=True)
class _Window:
    """A recording that runs: samples from ``start`` to ``stop``, both included."""

    sink: Sink
    start_ns: int
    trigger_ns: int
    stop_ns: int = FOREVER
    stopped_by: RecordingEvent | None = None


class Gate:
    """A sink that hands on the samples of recordings only.

    A sample belongs to a recording by its time, whatever block it comes in and however late:
    blocks are cut, and the end of a recording waits a moment for slower rasters.

    Args:
        start: triggers, each of which begins a recording; none = the first sample does.
        stop: triggers, each of which ends it.
        pre_ns: time before the trigger.
        post_ns: time behind the trigger or, with ``stop``, behind what stopped; ``None`` = 0 with
            ``stop``, endless without.
        max_recordings: how many; ``None`` = each trigger again.
        ring_bytes: bound of samples kept for ``pre_ns``, or until a slow stop condition is judged.
        rasters: those that are recorded; the end of a recording waits a moment for each. Others
            only count for triggers.
        begin: opens the sink of a recording, given its number from 1.
        at_once: without ``start``, open it now, else with ``open_first``.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        *,
        start: Sequence[Watch],
        stop: Sequence[Watch],
        pre_ns: int,
        post_ns: int | None,
        max_recordings: int | None,
        ring_bytes: int,
        rasters: Collection[int],
        begin: Callable[[int], Sink],
        at_once: bool = True,
    ) -> None:
        self._once = not start
        self._start = list(start) or [start_watch()]
        self._stop = list(stop)
        self._pre_ns = pre_ns
        self._post_ns = post_ns
        self._most = 1 if self._once else max_recordings
        self._ring_bytes = ring_bytes
        self._begin = begin
        self._ring: deque[SampleBlock] = deque()
        self._kept_bytes = 0
        self._events: deque[RecordingEvent] = deque(maxlen=MAX_EVENTS)
        self._window: _Window | None = None
        self._floor_ns = NEVER  # samples before belong to an earlier recording
        self._dropped_ns = NEVER  # samples up to here left the ring for lack of room
        self._newest = dict.fromkeys(rasters, NEVER)
        self._newest_ns = NEVER
        self._manual: RecordingEvent | None = None
        self._ended = self._closing = False
        self._recordings = self._samples = self._short = 0
        if at_once:
            self.open_first()

    def open_first(self) -> None:
        """Open the recording that needs no trigger, before the first sample comes."""
        if self._once and not self._recordings:
            self._open(NEVER, NEVER)

    @property
    def stats(self) -> GateStats:
        """Counters now."""
        state = "ended" if self._ended else "recording" if self._window else "waiting"
        return GateStats(state, self._recordings, self._samples, self._kept_bytes, self._short)

    # --- sink ---

    def write(self, block: SampleBlock) -> None:
        """Take samples; what belongs to a recording goes on as soon as that is sure."""
        if self._ended:
            return
        for watch in (*self._start, *self._stop):
            watch.feed(block)
        if len(block):
            last = int(block.t_ns.max())
            self._newest_ns = max(self._newest_ns, last)
            if block.raster in self._newest:
                self._newest[block.raster] = max(self._newest[block.raster], last)
        if block.raster in self._newest:
            self._ring.append(block)
            self._kept_bytes += _size(block)
        self._advance()

    def event(self, event: RecordingEvent) -> None:
        """Take an event: it may start or stop, and is recorded with the samples around it."""
        if self._ended:
            return
        if event.name == MANUAL and event.kind is EventType.START_TRIGGER:
            if self._window is None:
                self._manual = event
        elif event.name == MANUAL and event.kind is EventType.STOP_TRIGGER:
            if self._window is not None:
                self._end_at(event.t_ns, event)
        else:
            for watch in (*self._start, *self._stop):
                watch.event(event)
            self._events.append(event)
        self._advance()

    def tick(self, now_ns: int) -> None:
        """Hand a tick on."""
        if self._window is not None:
            self._window.sink.tick(now_ns)

    def close(self) -> None:
        """Do what waited for more samples; a recording that runs ends with the newest ones."""
        self._closing = True
        for watch in (*self._start, *self._stop):
            watch.finish()
        self._advance()
        if self._window is not None:
            self._emit(self._window.stop_ns)
            self._finish()
        self._ended = True
        self._clear()

    # --- from trigger to trigger ---

    def _advance(self) -> None:
        """Do all that is sure by now; each turn begins or ends one recording."""
        while not self._ended:
            if self._window is None and not self._try_open():
                self._trim()
                return
            self._try_stop()
            self._emit(self._safe_ns())
            if not self._complete():
                self._bound()
                return
            self._finish()

    def _judged_ns(self, watches: Sequence[Watch]) -> int:
        """No trigger at or before this time can come any more.

        A raster that fell silent does not hold the others up for ever.
        """
        if self._closing:
            return FOREVER
        judged = min((watch.judged_ns for watch in watches), default=FOREVER)
        late = self._newest_ns - LATE_NS if self._newest_ns > NEVER + LATE_NS else NEVER
        return max(judged, late)

    def _earliest(self, watches: Sequence[Watch], from_ns: int) -> tuple[int, Watch] | None:
        """First trigger from a time on, if no earlier one can come any more."""
        fired = [(watch.first(from_ns), watch) for watch in watches]
        known = [(time, watch) for time, watch in fired if time is not None]
        if not known:
            return None
        time, watch = min(known, key=lambda pair: pair[0])
        return (time, watch) if watch.prompt or time <= self._judged_ns(watches) else None

    def _try_open(self) -> bool:
        """Begin a recording if one was triggered."""
        if self._manual is not None:
            event, self._manual = self._manual, None
            self._open(event.t_ns - self._pre_ns, event.t_ns, event)
            return True
        found = self._earliest(self._start, self._floor_ns)
        if found is None:
            return False
        time, watch = found
        event = RecordingEvent(EventType.START_TRIGGER, time, watch.text, "trigger")
        self._open(time - self._pre_ns, time, event)
        return True

    def _open(self, start_ns: int, trigger_ns: int, event: RecordingEvent | None = None) -> None:
        start = max(start_ns, self._floor_ns)
        self._recordings += 1
        sink = self._begin(self._recordings)
        self._window = _Window(sink, start, trigger_ns)
        if event is not None:
            sink.event(event)
            if start <= self._dropped_ns:
                self._short += 1
                sink.event(_short_event(trigger_ns, self._dropped_ns))
            if not self._stop and self._post_ns is not None:
                self._end_in(trigger_ns)

    def _end_in(self, t_ns: int) -> None:
        """End the recording that runs when its time is over."""
        assert self._window is not None, "a recording runs"
        self._window.stop_ns = stop_ns = t_ns + (self._post_ns or 0)
        self._window.stopped_by = RecordingEvent(
            EventType.STOP_TRIGGER, stop_ns, f"{(stop_ns - t_ns) / 1e9:g} s are over", "stop"
        )

    def _end_at(self, stop_ns: int, event: RecordingEvent) -> None:
        """End the recording that runs at a time, unless it ends before."""
        assert self._window is not None, "a recording runs"
        if stop_ns < self._window.stop_ns:
            self._window.stop_ns, self._window.stopped_by = stop_ns, event

    def _try_stop(self) -> None:
        window = self._window
        if window is None or window.stop_ns != FOREVER:
            return
        if self._once and not self._stop:
            first = None if self._post_ns is None else self._start[0].first(NEVER)
            if first is not None:
                self._end_in(first)
            return
        found = self._earliest(self._stop, window.trigger_ns + (window.trigger_ns != NEVER))
        if found is not None:
            time, watch = found
            event = RecordingEvent(EventType.STOP_TRIGGER, time, watch.text, "stop")
            self._end_at(time + (self._post_ns or 0), event)

    def _safe_ns(self) -> int:
        """Samples up to here belong to the recording whatever comes."""
        assert self._window is not None, "a recording runs"
        if self._window.stop_ns != FOREVER or not self._stop:
            return self._window.stop_ns
        judged, post = self._judged_ns(self._stop), self._post_ns or 0
        return judged + post if NEVER < judged < FOREVER - post else judged

    def _complete(self) -> bool:
        """Whether every raster has passed the end, or is too late for it."""
        window = self._window
        if window is None or window.stop_ns == FOREVER:
            return False
        slowest = min(self._newest.values(), default=NEVER)
        return (
            self._closing
            or slowest > window.stop_ns
            or self._newest_ns > window.stop_ns + SETTLE_NS
        )

    def _finish(self) -> None:
        window, self._window = self._window, None
        assert window is not None, "a recording runs"
        stop_ns = self._newest_ns if window.stop_ns == FOREVER else window.stop_ns
        self._floor_ns = max(self._floor_ns, stop_ns + 1)
        for watch in (*self._start, *self._stop):
            watch.forget(self._floor_ns)
        if self._most is not None and self._recordings >= self._most:
            self._ended = True
            self._clear()
        try:
            if window.stopped_by is not None:
                window.sink.event(window.stopped_by)
        finally:
            window.sink.close()

    def _clear(self) -> None:
        self._ring.clear()
        self._events.clear()
        self._kept_bytes = 0

    # --- samples ---

    def _emit(self, safe_ns: int) -> None:
        """Hand on the samples of the recording up to a time, drop those before it."""
        window = self._window
        assert window is not None, "a recording runs"
        while self._events and self._events[0].t_ns <= safe_ns:
            event = self._events.popleft()
            if event.t_ns >= window.start_ns:
                window.sink.event(event)
        ring, self._ring, self._kept_bytes = self._ring, deque(), 0
        for block in ring:
            count = _count_until(block, safe_ns)
            if count or (not len(block) and _last_ns(block) <= safe_ns):
                self._hand_on(window, block.part(0, count))
            elif not len(block):
                self._ring.append(block)
            if count < len(block):
                rest = block.part(count, len(block))
                self._ring.append(rest)
                self._kept_bytes += _size(rest)

    def _hand_on(self, window: _Window, block: SampleBlock) -> None:
        first = 0 if window.start_ns == NEVER else _count_until(block, window.start_ns - 1)
        if first < len(block) or (not len(block) and _last_ns(block) >= window.start_ns):
            belongs = block.part(first, len(block))
            self._samples += len(belongs)
            window.sink.write(belongs)

    def _trim(self) -> None:
        """Drop what no trigger can want any more, and the oldest beyond the bound."""
        judged = min(self._newest_ns, self._judged_ns(self._start))
        horizon = self._floor_ns
        if judged > NEVER + self._pre_ns + SETTLE_NS:
            prompt = all(watch.prompt for watch in self._start)  # events come a little late
            horizon = max(horizon, judged - self._pre_ns - (SETTLE_NS if prompt else 0))
        while self._ring and _last_ns(self._ring[0]) < horizon:
            self._kept_bytes -= _size(self._ring.popleft())
        self._drop_oldest()
        while self._events and self._events[0].t_ns < horizon:
            self._events.popleft()
        for watch in self._stop:
            watch.forget(horizon)

    def _bound(self) -> None:
        """Keep to the bound of bytes while a recording runs."""
        if self._kept_bytes <= self._ring_bytes:
            return
        assert self._window is not None, "a recording runs"
        if self._window.stop_ns == FOREVER:
            self._emit(FOREVER)  # not yet judged: rather a sample too much than one too few
        else:
            self._drop_oldest()  # behind the end: for the next recording at most

    def _drop_oldest(self) -> None:
        while self._kept_bytes > self._ring_bytes and len(self._ring) > 1:
            oldest = self._ring.popleft()
            self._kept_bytes -= _size(oldest)
            self._dropped_ns = max(self._dropped_ns, _last_ns(oldest))


def _short_event(trigger_ns: int, dropped_ns: int) -> RecordingEvent:
    have = max(0, trigger_ns - dropped_ns) / 1e9
    text = f"less than {have:.6f} s before the trigger: the ring was too small"
    return RecordingEvent(EventType.MARKER, trigger_ns, text, "short", EventCause.ERROR)


def _count_until(block: SampleBlock, t_ns: int) -> int:
    """Rows in front of the first one behind a time."""
    if not len(block):
        return 0
    late = block.t_ns > t_ns
    return int(late.argmax()) if late.any() else len(block)


def _last_ns(block: SampleBlock) -> int:
    """Newest time that a block speaks of."""
    if len(block):
        return int(block.t_ns.max())
    return max((gap.t_to_ns for gap in block.gaps), default=NEVER)


def _size(block: SampleBlock) -> int:
    return block.t_ns.nbytes + block.rows.nbytes
