"""Slave ticks → nanoseconds since the start of the measurement, on one axis for all rasters.

Time 0 is the clock reading taken at the start (GET_DAQ_CLOCK), or the first timestamp seen where
there was none. Without timestamps it is the host's time of the start, or of the first batch.

A counter of 1, 2 or 4 bytes wraps. Two hints tell the epoch of a timestamp:

- the raster's own last timestamp, while less than half a wrap has passed on the host's clock since
  (a slave may deliver late, but not before the event);
- otherwise the slave's time now, as the progress of all rasters, readings of the clock and the
  host's clock give it. A timestamp is taken to be at most 7/8 of a wrap old.

A clock may be set while it is measured. Small steps back are scatter: the sample gets the time of
the one before. Larger ones, and steps forward that the host's clock knows to be impossible, are
taken for what they are: time goes on by one period, and all rasters move by the same amount. Either
way the rows are told in ``marks``, so that nobody takes them for undisturbed.
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
#: Steps back up to here, or half a period, are scatter of the clock and not somebody setting it.
SCATTER_NS: Final = 2_000_000
#: Age of the first timestamp that is believed; lists start behind the reading that begins the axis.
OLDEST_NS: Final = 10_000_000_000
#: Steps forward beyond what the host's clock allows, and readings beyond what is expected.
LEAP_NS: Final = 1_000_000_000
#: Samples that may have been lost around the moment at which the clock was set.
_LOST_PERIODS: Final = 20
#: Largest time; only a slave with absurd ticks can reach it.
MAX_NS: Final = 2**63 - 1
#: Clocks that wrap sooner do not reach it in a lifetime.
_LONG_WRAP_NS: Final = MAX_NS >> 20


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
        scatter: ticks that a step back may have without being one.
        shift: ticks by which its raw counters are moved since the clock was set.
        usual: latest step forward, for rasters without a period.
    """

    cycle_ticks: int | None
    last: int | None = None
    host_ns: int = 0
    last_ns: int | None = None
    scatter: int = 0
    shift: int = 0
    usual: int = 0


class Timeline:
    """One time axis for all rasters of a slave.

    Args:
        clock: of the timestamps, None = there are none and the host's time has to do.
        cycles_ns: period of each raster, None where unknown.
        start: the slave's clock at the start; its ticks are ignored without timestamps.

    Attributes:
        clock: as given.
        backward: timestamps that went back.
        steps: how often the clock was set.
        first_step: about when that was for the first time and by how much, both in ns; None = never.
        marks: rows of the latest :meth:`place` whose timestamp did not follow from the one before.
        is_other_clock: the first timestamps cannot be of the clock that was read at the start; the axis
            then begins with their arrival, and readings are not taken.
    """

    def __init__(
        self,
        clock: TickClock | None,
        cycles_ns: Sequence[int | None],
        start: ClockReading | None = None,
    ) -> None:
        self.clock = clock
        self.backward = 0
        self.steps = 0
        self.first_step: tuple[int, int] | None = None
        self.marks: list[int] = []
        self._shift = 0
        self._wide: tuple[int, int, int] | None = None
        self._odd: tuple[int, int] | None = None  # the latest reading that did not fit, and when
        self._cycles_ns = tuple(cycles_ns)
        self._origin_host = start.t_ns if start else None
        if clock is not None:
            tick_ns = clock.tick_ns
            assert tick_ns > 0, "a clock without a length of its ticks is refused before"
            self._numerator, self._denominator = tick_ns.numerator, tick_ns.denominator
            self._modulus = clock.modulus
            self._wrap_ns = int(clock.modulus * tick_ns)
            self._leap = self._ticks(LEAP_NS)
            self._tracks = [
                _Track(
                    self._ticks(c) if c else None,
                    scatter=self._ticks(max(SCATTER_NS, (c or 0) // 2)),
                )
                for c in cycles_ns
            ]
        else:
            self._tracks = [_Track(None) for _ in cycles_ns]
        self._origin: int | None = None
        self.is_other_clock = False
        self._unconfirmed = start if clock is not None else None
        # largest (slave ticks - host ticks) of this window and the one before: least latency
        self._ahead: list[int | None] = [None, None]
        self._window_ns = 0
        if clock is not None and start is not None:
            self._origin = start.ticks % clock.modulus
            self._note_ahead(self._origin, start.t_ns)

    def _ticks(self, ns: int) -> int:
        return ns * self._denominator // self._numerator

    # ------------------------------------------------------------------------- with timestamps

    @property
    def host_origin_ns(self) -> int | None:
        """Host time of time 0 where the host's clock has to do; None before the first batch."""
        return self._origin_host

    def place(self, raster: int, ticks: NDArray[Any], t_ns: int) -> NDArray[np.int64]:
        """Times of consecutive samples, int64[n] in ns since the start, never decreasing.

        A timestamp that went back is counted and marked.

        Args:
            raster: index.
            ticks: unsigned[n], counters as sent, oldest first.
            t_ns: host time at which they arrived.
        """
        if self.marks:
            self.marks = []
        if not len(ticks):
            return np.empty(0, np.int64)
        if self.clock is None:
            return self._spread(raster, len(ticks), t_ns)
        track = self._tracks[raster]
        if self._unconfirmed is not None:
            self._confirm(self._unconfirmed, int(ticks[-1]), t_ns)
        if len(ticks) == 1:
            return self._place_one(track, int(ticks[0]), t_ns)
        extended, steps = self._extend(track, ticks.astype(np.int64, copy=False), t_ns)
        first, last = int(extended[0]), int(extended[-1])
        if self._origin is None:
            self._origin = first
        if (
            int(steps.min()) < 0
            or (track.last is not None and first < track.last)
            or (track.last is not None and self._leaps(track, last, t_ns))
        ):
            return self._place_odd(track, extended, t_ns)
        track.usual = int(steps[-1])
        track.last, track.host_ns = last, t_ns
        self._note_ahead(last, t_ns)
        times = self._to_ns(extended - self._origin)
        if track.last_ns is not None and times[0] < track.last_ns:
            return self._settle(track, times)
        track.last_ns = int(times[-1])
        return times

    def _confirm(self, start: ClockReading, raw: int, t_ns: int) -> None:
        """See by the first timestamp whether it is of the clock that was read at the start."""
        self._unconfirmed = None
        now = self._now(t_ns)
        if now is None or t_ns == start.t_ns:  # replays may know no time of arrival
            return
        age = now - self._newest(raw, t_ns)
        if -self._leap <= age <= self._ticks(OLDEST_NS):
            return
        self.is_other_clock = True
        self._origin = raw - self._ticks(t_ns - start.t_ns)
        self._ahead = [raw - self._ticks(t_ns), None]
        self._window_ns = t_ns

    def _place_odd(
        self, track: _Track, extended: NDArray[np.int64], t_ns: int
    ) -> NDArray[np.int64]:
        """As place(), where some timestamp does not follow from the one before."""
        assert self._origin is not None, "place() has set it"
        extended = self._mend(track, extended, t_ns)
        track.last, track.host_ns = int(extended[-1]), t_ns
        self._note_ahead(int(extended.max()), t_ns)
        return self._settle(track, self._to_ns(extended - self._origin))

    def _place_one(self, track: _Track, raw: int, t_ns: int) -> NDArray[np.int64]:
        """As place(), for the one sample that a quick tick of the pump brings."""
        extended = self._first(track, raw, raw, 0, t_ns)
        if self._origin is None:
            self._origin = extended
        if track.last is not None and (
            extended < track.last - track.scatter or self._leaps(track, extended, t_ns)
        ):
            extended += self._set_clock(track, extended - track.last)
            self.marks.append(0)
        elif track.last is not None:
            track.usual = extended - track.last
        track.last, track.host_ns = extended, t_ns
        self._note_ahead(extended, t_ns)
        time_ns = (extended - self._origin) * self._numerator // self._denominator
        if track.last_ns is not None and time_ns < track.last_ns:
            self.backward += 1
            self.marks = [0]
            time_ns = track.last_ns
        time_ns = max(-MAX_NS, min(time_ns, MAX_NS))
        track.last_ns = time_ns
        return np.array([time_ns], np.int64)

    def reading(self, ticks: int, size_bytes: int, t_ns: int) -> int | None:
        """Time of a reading of the clock on the axis of the samples, ns since the start.

        A reading is wider than timestamps often are, so it also tells the epoch after long pauses.
        None without timestamps, before the first of them where no reading began the axis, and when
        the reading is a second or more off what is expected: the clock was just set, which the next
        one confirms, or it is another clock.

        Args:
            ticks: as read.
            size_bytes: width of the counter, 4 or 8.
            t_ns: host time of the reading.
        """
        if self.clock is None or self._origin is None or self.is_other_clock:
            return None
        value = ticks + self._shift
        expected = self._now(t_ns)
        modulus = max(1 << (8 * size_bytes), self._modulus)
        if self._wide is not None and self._wide[2] == modulus:
            before, placed, _ = self._wide
            half = modulus // 2
            extended = placed + (value - before + half) % modulus - half
            if expected is not None and size_bytes < 8:
                extended += round((expected - extended) / modulus) * modulus
        elif expected is not None:
            half = self._modulus // 2
            extended = expected + (value - expected + half) % self._modulus - half
        else:
            return None
        if expected is not None and abs(extended - expected) > self._leap:
            again = self._behind_step(value, expected, t_ns)
            if again is None:
                return None
            extended = again
        self._odd = None
        self._wide = value, extended, modulus
        self._note_ahead(extended, t_ns)
        return (extended - self._origin) * self._numerator // self._denominator

    def _behind_step(self, value: int, expected: int, t_ns: int) -> int | None:
        """A wide reading after the clock was set, placed by the part that timestamps have.

        None for the first that does not fit, for one that does not go on from it, and where the
        timestamps tell another time.
        """
        before, self._odd = self._odd, (value, t_ns)
        if before is None or abs(value - before[0] - self._ticks(t_ns - before[1])) > self._leap:
            return None
        half = self._modulus // 2
        off = (value - expected + half) % self._modulus - half
        return expected + off if abs(off) <= self._leap else None

    # ------------------------------------------------------------------------ a clock that is set

    def _leaps(self, track: _Track, extended: int, t_ns: int) -> bool:
        """A step forward that the host's clock says cannot have happened."""
        assert track.last is not None, "the callers look"
        step = extended - track.last
        if step <= self._leap or t_ns == track.host_ns:  # replays may know no time of arrival
            return False
        expected = self._now(t_ns)
        return (
            expected is not None
            and extended - expected > self._leap
            and step - self._ticks(t_ns - track.host_ns) > self._leap
        )

    def _set_clock(self, track: _Track, step: int) -> int:
        """Ticks to add from a row on, whose step from the one before cannot be time.

        The first raster that sees it says how far the clock was set, the others take that over.
        """
        self.backward += step < 0
        known = self._shift - track.shift
        usual = max(track.cycle_ticks or track.usual, 1)
        if known and -track.scatter - _LOST_PERIODS * usual <= step + known <= self._leap:
            track.shift = self._shift
            return known
        self.steps += 1
        amount = usual - step
        if self.first_step is None:
            by_ns = -amount * self._numerator // self._denominator
            self.first_step = track.last_ns or 0, by_ns
        track.shift += amount
        self._shift = track.shift
        return amount

    def _mend(self, track: _Track, extended: NDArray[np.int64], t_ns: int) -> NDArray[np.int64]:
        """Undo that the clock was set, wherever in a batch."""
        first = int(extended[0]) if track.last is None else track.last
        steps = np.diff(extended, prepend=first)
        rows = np.flatnonzero(steps < -track.scatter).tolist()
        if track.last is not None and self._leaps(track, int(extended[-1]), t_ns):
            longest = int(steps.argmax())
            if steps[longest] > self._leap:
                rows = sorted({*rows, longest})
        if not rows:
            track.usual = int(steps[-1])
            return extended
        ordinary = np.delete(steps, rows)[1 if track.last is None else 0 :]
        if len(ordinary):
            track.usual = int(np.median(ordinary))
        extended = extended.copy()
        for row in rows:
            extended[row:] += self._set_clock(track, int(steps[row]))
            self.marks.append(row)
        return extended

    def _to_ns(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Exact where it matters: whole and broken parts of a tick apart, so nothing overflows."""
        whole, rest = divmod(self._numerator, self._denominator)
        if self._wrap_ns > _LONG_WRAP_NS:  # few wraps of such a clock are more than 64 bits of ns
            ends = MAX_NS // (whole + 1)
            ticks = np.clip(ticks, -ends, ends)
        if not rest:
            return ticks * whole
        return ticks * whole + ticks * rest // self._denominator

    def _extend(
        self, track: _Track, raw: NDArray[np.int64], t_ns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counters without wraps, and the steps between them."""
        low = self._lowest_step(track)
        first, last = int(raw[0]), int(raw[-1])
        steps = raw[1:] - raw[:-1]
        if low <= int(steps.min()) and int(steps.max()) < low + self._modulus:  # no wrap in here
            return raw + (self._first(track, first, last, last - first, t_ns) - first), steps
        steps -= low
        steps %= self._modulus
        steps += low
        travelled = np.zeros(len(raw), np.int64)
        np.cumsum(steps, out=travelled[1:])
        return travelled + self._first(track, first, last, int(travelled[-1]), t_ns), steps

    def _first(self, track: _Track, first: int, last: int, travelled: int, t_ns: int) -> int:
        """Extended value of the first counter of a batch."""
        if track.last is not None and self._is_continuous(track, t_ns):
            low = self._lowest_step(track)
            return track.last + (first + track.shift - track.last - low) % self._modulus + low
        track.shift = self._shift
        return self._newest(last + track.shift, t_ns) - travelled

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
        now = self._now(t_ns)
        if now is None:
            return raw
        latest = now + self._modulus // 8
        return latest - (latest - raw) % self._modulus

    def _now(self, t_ns: int) -> int | None:
        """The slave's extended clock at a host time, by the quickest arrivals; None = not known."""
        ahead = max((a for a in self._ahead if a is not None), default=None)
        return None if ahead is None else ahead + self._ticks(t_ns)

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
            back = np.flatnonzero(steps < 0).tolist()
            self.backward += len(back)
            self.marks = sorted({*self.marks, *back})
            times = np.maximum.accumulate(np.maximum(times, before))
        track.last_ns = int(times[-1])
        return times
