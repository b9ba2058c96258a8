"""Which time of the host, or of a grandmaster, a slave's time is; pure, fed with readings.

Block times stay what the slave's ticks say. A :class:`Correlator` collects readings of the clocks
and gives a :class:`Correlation`, which maps times, says how far they may be off, and tells in words
how it knows. Which way is taken follows from what the slave says about its clocks
*(XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)*:

=============================== ====================================================================
the slave's DAQ clock           way
=============================== ====================================================================
synchronised to a grandmaster   its timestamps are the grandmaster's time
syntonised                      equal rate; the offset comes from the clock relation block
beside a readable grandmaster   fit of pairs that were read at one instant
readable, or in EV_TIME_SYNC    fit of readings between sending and receiving
not readable, or none           time of arrival, with a stated error
=============================== ====================================================================
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.core.ticks import TickClock, unit_ns
from xcaliper.daq.clock_fit import Line, fit_line
from xcaliper.xcp.procedures.clock import Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from xcaliper.daq.timeline import Timeline
    from xcaliper.xcp.procedures.clock import ClockProperties, ClockSample

__all__ = [
    "HOST",
    "ClockFit",
    "Correlation",
    "Correlator",
    "MonotoneAxis",
    "common_axis",
    "daq_stamp",
    "pair_multicasts",
]

#: Name of the axis of the host's monotonic clock.
HOST: Final = "host"

_MAX_READINGS: Final = 512
_WINDOW_NS: Final = 300_000_000_000
_STEP_NS: Final = 1_000_000
_STEP_READINGS: Final = 3
_MIN_CHECKED: Final = 8
#: Steps up to here may be those of a slave that reads its clock in a slow task only.
_MOVED_NS: Final = 100_000_000
#: By how much a clock may run otherwise than it did, as a part of the time without readings.
_DRIFT_CHANGE: Final = 1e-4
#: Readings that agree for so long tell how a clock goes on.
_SURE_NS: Final = 1_000_000_000
#: Arrival of data says when it was measured, but for buffers, the network and the host's scheduler.
_ARRIVAL_NS: Final = 20_000_000
_ARRIVAL_BIN_NS: Final = 500_000_000
#: What a slave that calls itself synchronised is trusted to keep; it does not say.
_SYNCHRONISED_NS: Final = 1_000
_SLEW_NS: Final = 1_000_000_000
_MAX_KNOTS: Final = 64
#: Seconds of TAI minus UTC since 2017; no leap second has been announced since.
TAI_MINUS_UTC_S: Final = 37
_WIDE: Final = 8
_SYNCHRONISED: Final = 1
_SYNTONISED: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """How a slave's time lies on another axis: a line with a bound.

    Attributes:
        axis: ``host`` (monotonic), or ``grandmaster`` and the identifier of its clock.
        method: how it is known, in words.
        slave_ns: time of the slave, on the axis of its samples, at which it was fitted.
        axis_ns: the same instant on the other axis.
        drift_ppm: how much faster the slave's clock runs than the axis.
        uncertainty_ns: largest error expected at ``slave_ns``.
        drift_uncertainty_ppm: largest error expected of the drift.
        readings: how many it rests on.
        jitter_ns: standard deviation of what the slave's clock scatters.
        epoch: what the axis counts from: ``boot``, ``TAI``, ``UTC`` or ``arbitrary``.
    """

    axis: str
    method: str
    slave_ns: int
    axis_ns: int
    drift_ppm: float
    uncertainty_ns: int
    drift_uncertainty_ppm: float
    readings: int
    jitter_ns: int = 0
    epoch: str = "boot"
    line: Line | None = None

    @property
    def rate(self) -> float:
        """How much more the axis counts per nanosecond of the slave."""
        return 1 / (1 + self.drift_ppm * 1e-6) - 1

    @property
    def offset_ns(self) -> int:
        """The axis at time 0 of the samples."""
        return int(self.correlate(np.zeros(1, np.int64))[0])

    def correlate(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of samples → times of the axis, int64[n]; never decreasing where they do not."""
        since = t_ns - self.slave_ns
        if not self.drift_ppm:
            return since + self.axis_ns
        mapped: NDArray[np.int64] = np.rint(since * self.rate).astype(np.int64)
        mapped += since + self.axis_ns
        return mapped

    def uncertainty_at(self, t_ns: int) -> int:
        """Largest error expected at a time of the samples, ns."""
        away = abs(t_ns - self.slave_ns)
        if self.line is not None:
            return round(self.line.bound(float(t_ns - self.slave_ns) + self.line.reference))
        return self.uncertainty_ns + round(away * self.drift_uncertainty_ppm * 1e-6)

    def utc_ns(self, host_utc_ns: int) -> int:
        """UTC at time 0 of the samples, ns since 1970.

        Args:
            host_utc_ns: UTC at 0 of the host's monotonic clock; what counts for other epochs.
        """
        if self.epoch == "UTC":
            return self.offset_ns
        if self.epoch == "TAI":
            return self.offset_ns - TAI_MINUS_UTC_S * 1_000_000_000
        return self.offset_ns + host_utc_ns

    def describe(self) -> str:
        """One sentence: ``host time by …: drift +12.3 ± 0.4 ppm, within 18.2 µs``."""
        scatter = f", the clock scatters by {_length(self.jitter_ns)}" if self.jitter_ns else ""
        return (
            f"{self.axis} time by {self.method}: drift {self.drift_ppm:+.3f} "
            f"± {self.drift_uncertainty_ppm:.3f} ppm, within {_length(self.uncertainty_ns)}"
            f" ({self.readings} readings{scatter})"
        )

    def properties(self) -> dict[str, str]:
        """The figures as names and texts, for the header of a recording."""
        return {
            "time_axis": self.axis,
            "time_method": self.method,
            "time_offset_ns": str(self.offset_ns),
            "time_drift_ppm": f"{self.drift_ppm:.6f}",
            "time_drift_uncertainty_ppm": f"{self.drift_uncertainty_ppm:.6f}",
            "time_uncertainty_ns": str(self.uncertainty_ns),
            "time_readings": str(self.readings),
            "time_epoch": self.epoch,
        }


def _length(ns: float) -> str:
    for limit, unit, size in ((1e3, "ns", 1.0), (1e6, "µs", 1e3), (1e9, "ms", 1e6)):
        if abs(ns) < limit:
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


class ClockFit:
    """Readings of two clocks → the line between them; bounded memory.

    A clock that is set makes readings that no longer fit; three in a row begin a new fit.

    Args:
        resolution_ns: of a tick of the slave's clock.

    Attributes:
        steps: how often the clock was set.
        outliers: readings that were left out.
        moved: the slave's time at which its clock was first set by more than drift, scatter and slow
            tasks explain, and by how much, both ns; None = it was not.
    """

    def __init__(self, resolution_ns: float = 0.0) -> None:
        self.steps = 0
        self.outliers = 0
        self.moved: tuple[int, int] | None = None
        self._resolution = resolution_ns
        self._readings: list[tuple[int, int, int]] = []
        self._odd: list[tuple[int, int, int]] = []
        self._line: Line | None = None
        self._base = (0, 0)
        self._guard: tuple[Line, tuple[int, int]] | None = None
        self._guard_until = 0

    def __len__(self) -> int:
        return len(self._readings)

    def add(self, slave_ns: int, earliest_ns: int, latest_ns: int) -> None:
        """A reading: the slave showed a time between two times of the axis."""
        reading = (slave_ns, earliest_ns, max(latest_ns, earliest_ns))
        if self._is_odd(reading):
            self._odd.append(reading)
            if len(self._odd) < _STEP_READINGS:
                return
            self.steps += 1
            self._note_move()
            self._readings, self._odd = self._odd, []
            self._guard = None
        else:
            self.outliers += len(self._odd)
            self._odd.clear()
            self._readings.append(reading)
        self._line = None
        self._thin()

    def _note_move(self) -> None:
        """See whether the readings that do not fit prove that the clock was set."""
        first, last, after = self._readings[0], self._readings[-1], self._odd[0]
        gap, sure = after[2] - last[1], last[1] - first[2]
        offs = [self._off(one) for one in self._odd]
        least = min(offs, key=abs)
        if (
            self.moved is None
            and sure >= max(_SURE_NS, gap)
            and (min(offs) > 0 or max(offs) < 0)
            and abs(least) > _MOVED_NS + _DRIFT_CHANGE * gap
        ):
            self.moved = after[0], round(least)

    def _off(self, reading: tuple[int, int, int]) -> float:
        """By how much the slave's clock is ahead of the line at least; 0 where a reading meets it."""
        assert self._guard is not None, "a reading is odd only where it was held against one"
        (line, (x0, y0)), (slave, earliest, latest) = self._guard, reading
        expected = line.value(float(slave - x0))
        ahead, behind = expected - (latest - slave - y0), earliest - slave - y0 - expected
        return ahead if ahead > 0 else -max(behind, 0.0)

    def _is_odd(self, reading: tuple[int, int, int]) -> bool:
        if len(self._readings) < _MIN_CHECKED:
            return False
        slave = reading[0]
        if self._guard is None or len(self._readings) >= self._guard_until:
            line = self.line()  # a new one for each reading would tell nothing more
            self._guard = line, self._base
            self._guard_until = min(len(self._readings) * 2, _MAX_READINGS)
        line, (x0, _) = self._guard
        return (
            abs(self._off(reading))
            > _STEP_NS + 2 * line.bound(float(slave - x0)) + 6 * line.scatter_ns
        )

    def _thin(self) -> None:
        """Forget what is old, then the wider one of each two of the older half."""
        kept = self._readings
        while kept[-1][0] - kept[0][0] > _WINDOW_NS:
            del kept[0]
        if len(kept) <= _MAX_READINGS:
            return
        half = len(kept) // 2
        pairs = zip(kept[0:half:2], kept[1:half:2], strict=False)
        best = [min(pair, key=lambda one: one[2] - one[1]) for pair in pairs]
        self._readings = [*best, *kept[half - half % 2 :]]

    def line(self) -> Line:
        """The line so far; differences are relative to the first reading."""
        if self._line is None:
            ordered = sorted(self._readings)
            x0, y0 = ordered[0][0], ordered[0][1] - ordered[0][0]
            self._base = (x0, y0)
            rows = np.array(
                [(slave - x0, low - slave - y0, high - slave - y0) for slave, low, high in ordered],
                np.float64,
            )
            self._line = fit_line(
                rows[:, 0], rows[:, 1], rows[:, 2], resolution_ns=self._resolution
            )
        return self._line

    def correlation(self, axis: str, method: str, epoch: str = "boot") -> Correlation | None:
        """What the readings say; None before the first."""
        if not self._readings:
            return None
        line, (x0, y0) = self.line(), self._base
        at = x0 + round(line.reference)
        return Correlation(
            axis=axis,
            method=method,
            slave_ns=at,
            axis_ns=at + y0 + round(line.offset),
            drift_ppm=(1 / (1 + line.rate) - 1) * 1e6,
            uncertainty_ns=round(line.bound(line.reference)),
            drift_uncertainty_ppm=line.rate_bound * 1e6,
            readings=len(self._readings),
            jitter_ns=round(line.scatter_ns),
            epoch=epoch,
            line=line,
        )


class MonotoneAxis:
    """Maps times while the fit is still improving: never backwards, never in a jump.

    A new line is reached within a second of the slave's time (longer where it is far off); what was
    mapped before stays as it is.
    """

    def __init__(self) -> None:
        self._knots: deque[tuple[int, int]] = deque(maxlen=_MAX_KNOTS)
        self._goal: Correlation | None = None
        self._latest: int | None = None

    def follow(self, goal: Correlation) -> None:
        """A better line is known."""
        if self._goal is None or self._latest is None:
            self._goal = goal
            return
        now = self._latest
        y_now = int(self.correlate(np.array([now], np.int64))[0])
        while self._knots and self._knots[-1][0] >= now:
            self._knots.pop()
        there = int(goal.correlate(np.array([now], np.int64))[0])
        span = max(_SLEW_NS, 2 * abs(there - y_now))
        self._knots.append((now, y_now))
        end = int(goal.correlate(np.array([now + span], np.int64))[0])
        self._knots.append((now + span, max(end, y_now)))
        self._goal = goal

    def correlate(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of samples → times of the axis, int64[n].

        Times before the last change that were not mapped then follow the oldest line still known.
        """
        assert self._goal is not None, "follow() gives the first line"
        if len(t_ns):
            latest = int(t_ns.max())
            self._latest = latest if self._latest is None else max(self._latest, latest)
        mapped = self._goal.correlate(t_ns)
        if not self._knots or int(t_ns.min(initial=self._knots[-1][0])) >= self._knots[-1][0]:
            return mapped
        xs = np.array([knot[0] for knot in self._knots])
        ys = np.array([knot[1] for knot in self._knots])
        x0, y0 = int(xs[0]), int(ys[0])
        between = np.interp(t_ns - x0, xs - x0, (ys - y0) - (xs - x0))
        inside = (t_ns - x0) + y0 + np.rint(between).astype(np.int64)
        return np.where(t_ns >= xs[-1], mapped, inside)


def daq_stamp(
    sample: ClockSample, properties: ClockProperties | None, clock: TickClock
) -> Stamp | None:
    """The reading of the clock that stamps DAQ data, in ticks of its timestamps.

    A clock that says to count in other ticks than its timestamps is converted where it is 64 bits
    wide; a narrower one wraps where nobody can tell.

    Args:
        sample: a reading.
        properties: of the slave's clocks; None = legacy.
        clock: of the timestamps.

    Returns:
        None where the sample lacks it.
    """
    if sample.daq is not None:
        return sample.daq
    by_ecu = properties is not None and bool(properties.config.daq_ts_relation)
    stamp = sample.ecu if by_ecu else sample.slave
    blocks = properties.blocks if properties is not None else None
    told = None if blocks is None else blocks.ecu if by_ecu else blocks.slave
    if stamp is None or told is None:
        return stamp
    tick_ns = told.timestamp_ticks * unit_ns(told.timestamp_unit)
    if tick_ns in (0, clock.tick_ns):
        return stamp
    if stamp.size_bytes < _WIDE:
        return None
    return Stamp(int(stamp.ticks * tick_ns / clock.tick_ns), _WIDE)


class Correlator:
    """Everything that is known about the time of one slave, while it is measured.

    Args:
        timeline: of its samples; places readings on their axis.
        properties: what it says about its clocks; None = legacy.

    Attributes:
        host: fit to the host's clock.
        grandmaster: fit to the grandmaster's.
        unplaced: readings that the time axis of the samples did not take.
        host_only: the axis is the host's although there is a grandmaster.
    """

    def __init__(self, timeline: Timeline, properties: ClockProperties | None = None) -> None:
        tick = 0.0 if timeline.clock is None else float(timeline.clock.tick_ns)
        self.host = ClockFit(tick)
        self.grandmaster = ClockFit(tick)
        self._timeline = timeline
        self._properties = properties
        self._arrivals = ClockFit(tick)
        self._bin: tuple[int, int, int] | None = None
        self.unplaced = 0
        self.host_only = False
        self._events = 0
        self._answers = 0
        self._fixed: tuple[int, int] | None = None
        self._sync_state = properties.sync_state if properties is not None else None
        self._axis = MonotoneAxis()
        self._known: Correlation | None = None

    # ------------------------------------------------------------------------------ what is told

    @property
    def _ecu_stamps(self) -> bool:
        return self._properties is not None and bool(self._properties.config.daq_ts_relation)

    @property
    def _grandmaster_tick(self) -> Fraction | None:
        block = self._properties.blocks.grandmaster if self._properties else None
        if block is None:
            return None
        tick = TickClock(block.timestamp_ticks, block.timestamp_unit, 8).tick_ns
        return tick if tick > 0 else None

    @property
    def _state(self) -> int:
        """How the slave's clock follows; 7 where it does not, or does not stamp."""
        if self._sync_state is None or self._ecu_stamps:
            return 7
        return self._sync_state.slv_clk_sync_state

    @property
    def epoch(self) -> str:
        """What the grandmaster counts from."""
        block = self._properties.blocks.grandmaster if self._properties else None
        return ("TAI", "UTC", "arbitrary")[min(block.epoch, 2)] if block else "arbitrary"

    @property
    def grandmaster_axis(self) -> str:
        """Name of the grandmaster's axis; equal names are equal clocks."""
        block = self._properties.blocks.grandmaster if self._properties else None
        return f"grandmaster {block.clock_id.hex()}" if block else "grandmaster"

    # ------------------------------------------------------------------------------------ feeding

    def add(self, sample: ClockSample) -> None:
        """Take a reading of GET_DAQ_CLOCK, or an EV_TIME_SYNC."""
        if sample.sync_state is not None:
            self._sync_state = sample.sync_state
        if self._timeline.clock is None:
            return
        stamp = daq_stamp(sample, self._properties, self._timeline.clock)
        if stamp is None:
            return
        t_ns = self._timeline.reading(stamp.ticks, stamp.size_bytes, sample.received_ns)
        if t_ns is None:
            self.unplaced += 1
            return
        if sample.sent_ns is not None:
            self.host.add(t_ns, sample.sent_ns, sample.received_ns)
        self._events += sample.initiator is not None
        self._answers += sample.initiator is None
        tick = self._grandmaster_tick
        if tick is not None:
            self._add_grandmaster(sample, stamp, t_ns, tick)
        self._known = None

    def _add_grandmaster(
        self, sample: ClockSample, stamp: Stamp, t_ns: int, tick: Fraction
    ) -> None:
        if sample.grandmaster is not None:
            state = self._sync_state
            if state is not None and not state.grandm_clk_sync_state:
                return  # it runs, but not yet with the grandmaster
            time_ns = int(sample.grandmaster.ticks * tick)
            self.grandmaster.add(t_ns, time_ns, time_ns + int(tick))
        elif self._state == _SYNCHRONISED and stamp.size_bytes == _WIDE:
            assert self._timeline.clock is not None, "add() has looked"
            self._fixed = t_ns, int(stamp.ticks * self._timeline.clock.tick_ns)
        elif self._state == _SYNTONISED and self._properties is not None:
            self._fix_by_relation(stamp, t_ns, tick)

    def _fix_by_relation(self, stamp: Stamp, t_ns: int, tick: Fraction) -> None:
        assert self._properties is not None, "the caller has looked"
        relation = self._properties.blocks.relation
        if relation is None:
            return
        assert self._timeline.clock is not None, "add() has looked"
        modulus = 1 << (8 * stamp.size_bytes)
        half = modulus // 2
        since = (stamp.ticks - relation.slave_timestamp + half) % modulus - half
        then_ns = int(relation.origin * tick)
        self._fixed = t_ns, then_ns + int(since * self._timeline.clock.tick_ns)

    def add_arrival(self, t_ns: int, arrived_ns: int) -> None:
        """The newest sample of a batch and when it arrived; the quickest of each bin counts."""
        wait = arrived_ns - t_ns
        if self._bin is None or arrived_ns - self._bin[0] > _ARRIVAL_BIN_NS:
            if self._bin is not None:
                _, best_t, best_wait = self._bin
                arrived = best_t + best_wait
                self._arrivals.add(best_t, arrived - _ARRIVAL_NS, arrived)
                self._known = None
            self._bin = arrived_ns, t_ns, wait
        elif wait < self._bin[2]:
            self._bin = self._bin[0], t_ns, wait
        if not len(self._arrivals):
            self._arrivals.add(t_ns, arrived_ns - _ARRIVAL_NS, arrived_ns)
            self._known = None

    # ------------------------------------------------------------------------------------ results

    @property
    def needs_reading(self) -> bool:
        """False where GET_DAQ_CLOCK cannot help: no timestamps, or a clock that nobody may read."""
        if self._timeline.clock is None or self._timeline.is_other_clock:
            return False
        if self._properties is None or not self._ecu_stamps:
            return True
        return self._properties.observable.ecu_clk == 1

    def to_host(self) -> Correlation | None:
        """The line to the host's monotonic clock; None before anything is known."""
        if self._timeline.clock is None:
            origin = self._timeline.host_origin_ns
            if origin is None:
                return None
            method = "arrival, the samples have no timestamps"
            return Correlation(HOST, method, 0, origin, 0.0, _ARRIVAL_NS, 0.0, 0)
        if len(self.host) and not self._timeline.is_other_clock:
            words = []
            if self._answers:
                words.append("GET_DAQ_CLOCK")
            if self._events:
                words.append("EV_TIME_SYNC")
            return self.host.correlation(HOST, " and ".join(words))
        method = "arrival of the samples, their clock cannot be read"
        return self._arrivals.correlation(HOST, method)

    def to_grandmaster(self) -> Correlation | None:
        """The line to the grandmaster's clock; None where there is none."""
        if self._timeline.is_other_clock:
            return None
        axis, epoch = self.grandmaster_axis, self.epoch
        if self._fixed is not None and self._state in (_SYNCHRONISED, _SYNTONISED):
            slave, axis_ns = self._fixed
            clock = self._timeline.clock
            tick = 1 if clock is None else max(int(clock.tick_ns), 1)
            word = "synchronised" if self._state == _SYNCHRONISED else "syntonised"
            method = f"a {word} slave clock"
            bound = _SYNCHRONISED_NS + 2 * tick
            return Correlation(axis, method, slave, axis_ns, 0.0, bound, 0.0, 1, 0, epoch)
        return self.grandmaster.correlation(axis, "pairs of slave and grandmaster clock", epoch)

    def correlation(self) -> Correlation | None:
        """The best that is known: to a grandmaster where there is one, else to the host."""
        if self._known is None:
            master = None if self.host_only else self.to_grandmaster()
            self._known = master or self.to_host()
            if self._known is not None:
                self._axis.follow(self._known)
        return self._known

    def correlate(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of samples → times of the axis of :meth:`correlation`, steady while it improves.

        Args:
            t_ns: int64[n], as blocks carry them.

        Returns:
            int64[n]; unchanged while nothing is known.
        """
        if self.correlation() is None:
            return t_ns
        return self._axis.correlate(t_ns)

    def describe(self) -> str:
        """What is known and how, in words."""
        found = self.correlation()
        if found is None:
            return "no time correlation: nothing was read yet"
        steps = self.host.steps + self.grandmaster.steps
        text = found.describe()
        return f"{text}; the clock was set {steps} times" if steps else text


def common_axis(correlators: Sequence[Correlator]) -> tuple[list[Correlation], int]:
    """One axis for several slaves, and how far two simultaneous samples may lie apart on it, ns.

    A grandmaster that all of them know is better than the host, which is always there.

    Raises:
        ValueError: a slave has no correlation at all yet.
    """
    masters = [one.to_grandmaster() for one in correlators]
    shared = [one for one in masters if one is not None]
    if len(shared) == len(correlators) and len({one.axis for one in shared}) == 1:
        found = shared
    else:
        found = []
        for one in correlators:
            host = one.to_host()
            if host is None:
                raise ValueError("a slave has no clock reading yet")
            found.append(host)
    worst = sorted((one.uncertainty_ns for one in found), reverse=True)
    return found, sum(worst[:2]) if len(worst) > 1 else 0


def pair_multicasts(
    sent: dict[int, int], events: Sequence[Sequence[ClockSample]], *, skew_ns: int = 0
) -> list[list[ClockSample]]:
    """Bring EV_TIME_SYNC of several slaves together: all of them read at the same instant.

    The instant lies behind the sending of the multicast and before the first of its events arrived,
    so a slave whose own event was late profits from the others.

    Args:
        sent: counter of the multicast → host time before it left.
        events: per slave, its samples with a cluster counter.
        skew_ns: how much later a multicast may reach one slave than another.

    Returns:
        Per slave the samples that belong to a multicast, with their interval.
    """
    first: dict[int, int] = {}
    for samples in events:
        for sample in samples:
            if sample.cluster is not None:
                counter = sample.cluster[1]
                first[counter] = min(first.get(counter, sample.received_ns), sample.received_ns)
    return [
        [
            replace(
                sample,
                sent_ns=sent[sample.cluster[1]],
                received_ns=min(sample.received_ns, first[sample.cluster[1]] + skew_ns),
            )
            for sample in samples
            if sample.cluster is not None and sample.cluster[1] in sent
        ]
        for samples in events
    ]
