"""Slave ticks → nanoseconds since the start of the measurement, on one axis for all rasters.

Time 0 is the clock reading taken at the start (GET_DAQ_CLOCK), or the first timestamp seen where
there was none. Without timestamps it is the host's time of the start, or of the first batch.

A counter of 1, 2 or 4 bytes wraps. Two hints tell the epoch of a timestamp:

- the raster's own last timestamp, while less than half a wrap has passed on the host's clock since
  (a slave may deliver late, but not before the event);
- otherwise the slave's time now, as the progress of all rasters and the host's clock give it. A
  timestamp is taken to be at most 7/8 of a wrap old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.core.ticks import TickClock

__all__ = ["ClockReading", "Timeline"]

#: How long the best estimate of the slave's clock is kept before drift makes it stale.
WINDOW_NS: Final = 5_000_000_000
#: Clocks that wrap sooner cannot be told apart by the host's time; a known period has to do.
MIN_WRAP_NS: Final = 50_000_000
#: Largest time; only a slave with absurd ticks can reach it.
MAX_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The slave's clock at a moment of the host's.

    Attributes:
        ticks: as read by GET_DAQ_CLOCK; only as many bits as timestamps have are used.
        t_ns: host time of the reading, monotonic nanoseconds.
    """

    ticks: int
    t_ns: int


@dataclass(slots=True)
class _Track:
    """Progress of one raster.

    Attributes:
        cycle_ticks: expected step, None when unknown.
        last: latest extended tick, None before the first.
        host_ns: host time of the batch that had it.
        last_ns: latest time that was handed out.
    """

    cycle_ticks: int | None
    last: int | None = None
    host_ns: int = 0
    last_ns: int | None = None


class Timeline:
    """One time axis for all rasters of a slave.

    Args:
        clock: of the timestamps, None = there are none and the host's time has to do.
        cycles_ns: period of each raster, None where unknown.
        start: the slave's clock at the start; its ticks are ignored without timestamps.
    """

    def __init__(
        self,
        clock: TickClock | None,
        cycles_ns: Sequence[int | None],
        start: ClockReading | None = None,
    ) -> None:
        self.clock = clock
        self.backward = 0
        self._cycles_ns = tuple(cycles_ns)
        self._origin_host = start.t_ns if start else None
        if clock is not None:
            tick_ns = clock.tick_ns
            assert tick_ns > 0, "a clock without a length of its ticks is refused before"
            self._numerator, self._denominator = tick_ns.numerator, tick_ns.denominator
            self._modulus = clock.modulus
            self._wrap_ns = int(clock.modulus * tick_ns)
            self._tracks = [_Track(self._ticks(c) if c else None) for c in cycles_ns]
        else:
            self._tracks = [_Track(None) for _ in cycles_ns]
        self._origin: int | None = None
        # largest (slave ticks - host ticks) of this window and the one before: least latency
        self._ahead: list[int | None] = [None, None]
        self._window_ns = 0
        if clock is not None and start is not None:
            self._origin = start.ticks % clock.modulus
            self._note_ahead(self._origin, start.t_ns)

    def _ticks(self, ns: int) -> int:
        return ns * self._denominator // self._numerator

    # ------------------------------------------------------------------------- with timestamps

    def place(self, raster: int, ticks: NDArray[Any], t_ns: int) -> NDArray[np.int64]:
        """Times of consecutive samples, int64[n] in ns since the start, never decreasing.

        A timestamp that went back is counted and gets the time of the sample before.

        Args:
            raster: index.
            ticks: unsigned[n], counters as sent, oldest first.
            t_ns: host time at which they arrived.
        """
        if not len(ticks):
            return np.empty(0, np.int64)
        if self.clock is None:
            return self._spread(raster, len(ticks), t_ns)
        track = self._tracks[raster]
        if len(ticks) == 1:
            return self._place_one(track, int(ticks[0]), t_ns)
        extended = self._extend(track, ticks.astype(np.int64), t_ns)
        if self._origin is None:
            self._origin = int(extended[0])
        track.last, track.host_ns = int(extended[-1]), t_ns
        self._note_ahead(int(extended.max()), t_ns)
        relative = extended - self._origin
        return self._settle(track, self._to_ns(relative))

    def _place_one(self, track: _Track, raw: int, t_ns: int) -> NDArray[np.int64]:
        """As place(), for the one sample that a quick tick of the pump brings."""
        extended = self._first(track, raw, raw, 0, t_ns)
        if self._origin is None:
            self._origin = extended
        track.last, track.host_ns = extended, t_ns
        self._note_ahead(extended, t_ns)
        time_ns = (extended - self._origin) * self._numerator // self._denominator
        if track.last_ns is not None and time_ns < track.last_ns:
            self.backward += 1
            time_ns = track.last_ns
        time_ns = max(-MAX_NS, min(time_ns, MAX_NS))
        track.last_ns = time_ns
        return np.array([time_ns], np.int64)

    def _to_ns(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Exact where it matters: whole and broken parts of a tick apart, so nothing overflows."""
        whole, rest = divmod(self._numerator, self._denominator)
        if not rest:
            return ticks * whole
        return ticks * whole + ticks * rest // self._denominator

    def _extend(self, track: _Track, raw: NDArray[np.int64], t_ns: int) -> NDArray[np.int64]:
        low = self._lowest_step(track)
        travelled = np.zeros(len(raw), np.int64)
        np.cumsum((raw[1:] - raw[:-1] - low) % self._modulus + low, out=travelled[1:])
        return travelled + self._first(track, int(raw[0]), int(raw[-1]), int(travelled[-1]), t_ns)

    def _first(self, track: _Track, first: int, last: int, travelled: int, t_ns: int) -> int:
        """Extended value of the first counter of a batch."""
        if track.last is not None and self._is_continuous(track, t_ns):
            low = self._lowest_step(track)
            return track.last + (first - track.last - low) % self._modulus + low
        return self._newest(last, t_ns) - travelled

    def _is_continuous(self, track: _Track, t_ns: int) -> bool:
        """Whether the raster's own last timestamp tells the epoch of its next one."""
        elapsed = t_ns - track.host_ns
        if elapsed <= self._wrap_ns // 2:
            return True
        return track.cycle_ticks is not None and self._wrap_ns < MIN_WRAP_NS

    def _lowest_step(self, track: _Track) -> int:
        """Smallest believed step between two samples of a raster; a step back is a small one."""
        half = self._modulus // 2
        if track.cycle_ticks is not None and track.cycle_ticks >= half:
            return track.cycle_ticks - half
        return -(self._modulus // 8)

    def _newest(self, raw: int, t_ns: int) -> int:
        """The latest extended value of a counter that is not in the future."""
        ahead = max((a for a in self._ahead if a is not None), default=None)
        if ahead is None:
            return raw
        latest = ahead + self._ticks(t_ns) + self._modulus // 8
        return latest - (latest - raw) % self._modulus

    def _note_ahead(self, ticks: int, t_ns: int) -> None:
        ahead = ticks - self._ticks(t_ns)
        if self._ahead[0] is None or t_ns - self._window_ns > WINDOW_NS:
            self._ahead[1], self._ahead[0] = self._ahead[0], ahead
            self._window_ns = t_ns
        else:
            self._ahead[0] = max(self._ahead[0], ahead)

    # ---------------------------------------------------------------------- without timestamps

    def _spread(self, raster: int, count: int, t_ns: int) -> NDArray[np.int64]:
        """Host time for the newest sample, the others one period apart before it."""
        if self._origin_host is None:
            self._origin_host = t_ns
        cycle = self._cycles_ns[raster] or 0
        newest = t_ns - self._origin_host
        ages = np.arange(count - 1, -1, -1, dtype=np.int64) * cycle
        track = self._tracks[raster]
        floor = 0 if track.last_ns is None else track.last_ns
        times = np.maximum(newest - ages, floor)
        track.last_ns = int(times[-1])
        return times

    def _settle(self, track: _Track, times: NDArray[np.int64]) -> NDArray[np.int64]:
        before = times[0] if track.last_ns is None else track.last_ns
        if times[0] < before or (times[1:] < times[:-1]).any():
            steps = np.diff(times, prepend=before)
            self.backward += int((steps < 0).sum())
            times = np.maximum.accumulate(np.maximum(times, before))
        track.last_ns = int(times[-1])
        return times
