"""One slave in a measurement: its lists, its polled signals, its place on the time axis."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.client.clock_check import ClockCheck
from xcaliper.client.list_switch import ListSwitch
from xcaliper.client.polling import Poller, polled_dtype
from xcaliper.client.quality import Track
from xcaliper.client.slave_time import SlaveTime
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    RemoteProtocolError,
    XcaliperError,
)
from xcaliper.core.samples import Gap, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from xcaliper.client.block import ColumnRule
    from xcaliper.client.daq_port import DaqPort, ListUser
    from xcaliper.client.slave_time import SharedAxis
    from xcaliper.core.frames import DtoBatch
    from xcaliper.daq.correlation import Correlation, Correlator
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.quality import Quality as DaqQuality

__all__ = ["Acquisition", "renamed_dtype"]

#: Silence after which the slave is asked whether it is still there.
SILENCE_S: Final = 2.0
#: How soon the slave is looked after again: at most, and while it is polled, lost or asked for its clock.
LONGEST_REST_S: Final = 0.5
SHORT_REST_S: Final = 0.1
#: How long a slave that said so may sleep while something is measured.
ASLEEP_S: Final = 600.0
#: Between two attempts to find a slave again: the first and the longest wait.
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 2.0
_LEAST_REST_S: Final = 0.02
_SUMMED: Final = (
    "lost_messages",
    "lost_samples",
    "incomplete",
    "overloads",
    "unknown",
    "malformed",
    "late",
    "backward",
)


class Acquisition:
    """Brings the samples of one slave onto the axis of a measurement.

    Args:
        port: lists of the slave.
        plan: what it is told to do.
        rules: signal → how its column reads.
        label: of the slave, in front of names of rasters; empty when there is only one slave.
        poll_hz: rounds per second of what has to be polled.
        reconnect_s: how long to look for a slave that was lost; None = a loss ends the measurement.

    Attributes:
        port: as given.
        plan: as given.
        label: as given.
        tracks: rasters of the slave, with their index in the measurement.
        reconnects: how often it was found again.
        silences: how often cyclic data stopped although the slave answered.
        diagnostics: what was odd, each told once.
        axis: that of a measurement of several slaves; None = the slave's own time counts.
        news: called when the slave has told something or the link has failed, so that :meth:`watch` is
            worth it.
        is_hurried: the slave is asked for its clock by others, too, so events are to be taken soon.
    """

    def __init__(  # options by name
        self,
        port: DaqPort,
        plan: DaqPlan,
        rules: Mapping[str, ColumnRule],
        *,
        label: str = "",
        poll_hz: float = 0.0,
        reconnect_s: float | None = None,
    ) -> None:
        self.port = port
        self.plan = plan
        self.label = label
        self.tracks: list[Track] = []
        self.reconnects = 0
        self.silences = 0
        self.diagnostics: list[Diagnostic] = []
        self._rules = rules
        self._names = {name: one.name for name, one in rules.items() if one.name != name}
        self._poll_hz = poll_hz
        self._reconnect_s = reconnect_s
        self._deliver: Callable[[list[SampleBlock]], None] = lambda _blocks: None
        self._lost: Callable[[str], None] = lambda _text: None
        self.axis: SharedAxis | None = None
        self.news: Callable[[], object] = lambda: None
        self.is_hurried = False
        self._time: SlaveTime | None = None
        self._clock_check = ClockCheck(None)
        self._decoder: DaqDecoder | None = None
        self._numbered: dict[int, int] = {}
        self._poller: Poller | None = None
        self._before: dict[str, int] = dict.fromkeys(_SUMMED, 0)
        self._begin_ns = 0
        self._origin_ns = 0
        self._offset_ns = 0
        self._last_data_ns = 0
        self._is_quiet = self._is_fresh = False
        self._open: dict[int, tuple[Gap, ...]] = {}
        self._marks: dict[int, str] = {}  # raster → reason of the gap before its next row
        self._switch = ListSwitch(port, plan)
        self._down_since_ns = 0
        self._asleep_since_ns = 0
        self._next_try_ns = 0
        self._wait_s = FIRST_WAIT_S
        self._trouble: XcaliperError | None = None

    # --- before the start ---

    def number(self, first: int) -> list[Track]:
        """Make the tracks; their indices begin with ``first``."""
        prefix = f"{self.label}/" if self.label else ""
        for raster in self.plan.rasters:
            rules = self._by_name(raster.signals)
            self.tracks.append(
                Track(
                    first + raster.index,
                    prefix + raster.name,
                    renamed_dtype(raster.dtype, self._names),
                    rules,
                    source=self.label,
                    event_channel=raster.event_channel,
                    cycle_ns=raster.cycle_ns,
                )
            )
        polled = self.plan.polled
        if polled:
            rules = self._by_name(one.name for one in polled)
            self.tracks.append(
                Track(
                    first + len(self.tracks),
                    f"{prefix}polling",
                    renamed_dtype(polled_dtype(polled), self._names),
                    rules,
                    kind="polling",
                    source=self.label,
                )
            )
        return self.tracks

    def _by_name(self, fields: Iterable[str]) -> dict[str, ColumnRule]:
        """Rules by the name in the measurement."""
        return {self._rules[one].name: self._rules[one] for one in fields}

    def claim(self, measurement: ListUser) -> None:
        """Have the lists of the slave for one measurement.

        Raises:
            UsageError: another one is running.
        """
        self.port.claim(measurement)

    @property
    def has_lists(self) -> bool:
        """False when everything is polled."""
        return bool(self.plan.lists)

    def prepare(
        self, deliver: Callable[[list[SampleBlock]], None], lost: Callable[[str], None]
    ) -> None:
        """Set the lists up.

        Args:
            deliver: gets blocks, numbered and placed; called in several threads.
            lost: told when the slave was lost or found again, or fell silent.

        Raises:
            NegativeResponseError: the slave refused.
        """
        self._deliver, self._lost = deliver, lost
        self._numbered = self.port.allocate(self.plan)

    def begin(self) -> int:
        """Begin its time and listen; gives the host's time of the slave's time 0."""
        self._decoder, self._origin_ns = self.port.begin_time(self.plan, self._numbered)
        self._begin_time(self._decoder)
        self._listen()
        if self.plan.polled:
            self._poller = Poller(
                self.port.read,
                self.plan.polled,
                self._poll_hz,
                self.tracks[-1].index,
                self._on_polled,
            )
        return self._origin_ns

    def go(self, begin_ns: int) -> None:
        """Start the lists.

        Args:
            begin_ns: host's time of the measurement's time 0.
        """
        self._begin_ns = begin_ns
        self._offset_ns = self._origin_ns - begin_ns
        self._last_data_ns = time.monotonic_ns()
        if self.has_lists:
            self.port.go(self.plan)
        if self._poller is not None:
            self._poller.start()

    # --- time ---

    def _begin_time(self, decoder: DaqDecoder) -> None:
        if self.has_lists:
            self._clock_check = ClockCheck(decoder.timeline)
            clocks = self.port.clocks() if self.plan.clock is not None else None
            self._time = SlaveTime(self.port, decoder, clocks)
            self._time.begin()

    @property
    def correlator(self) -> Correlator | None:
        """What is known of the slave's time; None before the start, and where all is polled."""
        return self._time.correlator if self._time is not None else None

    @property
    def correlation(self) -> Correlation | None:
        """How its time lies on the host's or a grandmaster's clock, as known now.

        With an axis of its own: from the times of its blocks, also behind a reconnection. On an axis of
        several slaves: from what its ticks say.
        """
        found = self.correlator.correlation() if self.correlator is not None else None
        if found is None or self.axis is not None or not self._offset_ns:
            return found
        return replace(found, slave_ns=found.slave_ns + self._offset_ns)

    def multicast_sent(self, counter: int, sent_ns: int) -> None:
        """All slaves of the cluster were asked for their clocks."""
        if self._time is not None:
            self._time.multicast_sent(counter, sent_ns)

    def _look_at_clock(self, now_ns: int) -> None:
        if self._time is None:
            return
        moved = self._time.correlator.host.moved
        self._tell(self._clock_check.findings(self._name, moved))
        fresh = self._time.take_events(self.port.take_events())
        fresh |= self._time.tick(now_ns)
        if fresh and self.axis is not None:
            self.axis.follow(self._time.correlator)

    # --- data ---

    def _listen(self) -> None:
        decoder = self._decoder
        if not self.has_lists or decoder is None:
            return

        def take(blocks: list[SampleBlock]) -> None:
            if self._decoder is decoder:  # and not one of a session that was given up
                self._on_blocks(blocks)

        self.port.listen(decoder, self._on_batch, take, self.news)
        if self._is_fresh or self.is_hurried:
            self.port.keep_fresh()

    def keep_fresh(self) -> None:
        """Hand out blocks as soon as can be, from now on and after a reconnection."""
        self._is_fresh = True
        self.port.keep_fresh()

    def _on_batch(self, batch: DtoBatch) -> None:
        blocks = self._decoded(batch)
        if blocks:
            self._on_blocks(blocks)

    def _decoded(self, batch: DtoBatch) -> list[SampleBlock]:
        decoder = self._decoder
        if decoder is None:  # of a session that was given up
            return []
        for _ in range(self.port.take_overloads()):
            decoder.note_overload()
        return decoder.feed(batch)

    def _on_blocks(self, blocks: Sequence[SampleBlock]) -> None:
        self._last_data_ns = time.monotonic_ns()
        self._is_quiet = False
        if self._time is not None:
            self._time.take_blocks(blocks, self._last_data_ns)
            self._clock_check.take(blocks, self._last_data_ns)
        self._deliver([self._placed(block) for block in blocks])

    def _placed(self, block: SampleBlock) -> SampleBlock:
        """On the axis and with the number of the measurement; the time away or stopped marked."""
        track = self.tracks[block.raster]
        times = self._on_axis(block.t_ns)
        gaps = self._placed_gaps(block.gaps)
        if block.raster in self._marks and len(block):
            reason = self._marks.pop(block.raster)
            ended = self._open.pop(block.raster, ())
            gaps = [*ended, Gap(0, track.last_ns, int(times[0]), 0, reason), *gaps]
        return SampleBlock(track.index, times, self._renamed(block.rows), tuple(gaps))

    def _placed_gaps(self, gaps: Sequence[Gap]) -> Sequence[Gap]:
        if not gaps or (self.axis is None and not self._offset_ns):
            return gaps
        ends = np.array([(g.t_from_ns, g.t_to_ns) for g in gaps], np.int64).reshape(-1)
        moved = self._on_axis(ends).reshape(-1, 2).tolist()
        return [
            Gap(g.before_row, begin, end, g.lost, g.reason)
            for g, (begin, end) in zip(gaps, moved, strict=True)
        ]

    def _on_axis(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of the slave on the axis of the measurement."""
        if self.axis is not None:
            return self.axis.place(t_ns)
        return t_ns + self._offset_ns if self._offset_ns else t_ns

    def _renamed(self, rows: NDArray[Any]) -> NDArray[Any]:
        return rows.view(renamed_dtype(rows.dtype, self._names)) if self._names else rows

    def _on_polled(self, block: SampleBlock) -> None:
        times = block.t_ns - self._begin_ns
        gaps = tuple(
            Gap(g.before_row, g.t_from_ns - self._begin_ns, int(times[0]), g.lost, g.reason)
            for g in block.gaps
        )
        if not self.has_lists:
            self._last_data_ns = time.monotonic_ns()
        self._deliver([SampleBlock(block.raster, times, self._renamed(block.rows), gaps)])

    # --- single lists ---

    def stop_list(self, track: Track) -> bool:
        """Stop the list of a track, the others go on; False when it does not run.

        A slave that is looked for will not start it again.

        Raises:
            NegativeResponseError: the slave refused; the list goes on.
            ExchangeTimeoutError: no answer.
        """
        with self._switch.lock:
            if not self._switch.stop(self.tracks.index(track), self._decoder):
                return False
            self._last_data_ns = time.monotonic_ns()
        return True

    def start_list(self, track: Track) -> bool:
        """Start a list that was stopped; False when it runs. Its next row has a gap before it.

        Raises:
            NegativeResponseError: the slave refused; the list stays stopped.
            ExchangeTimeoutError: no answer.
        """
        raster = self.tracks.index(track)
        with self._switch.lock:
            if raster not in self._switch.stopped:
                return False
            self._switch.await_rest(raster)
            if track.samples:
                self._marks[raster] = "stopped"
            self._switch.start(raster, self._decoder)
            self._last_data_ns = time.monotonic_ns()
            self._is_quiet = False
        return True

    # --- trouble ---

    @property
    def is_down(self) -> bool:
        """True while a lost slave is looked for."""
        return bool(self._down_since_ns)

    @property
    def quiet_s(self) -> float:
        """Seconds without data, 0 while they come as they should."""
        if self._switch.is_all:
            return 0.0
        quiet_ns = time.monotonic_ns() - self._last_data_ns
        return quiet_ns * 1e-9 if quiet_ns > self._patience_ns() else 0.0

    def _patience_ns(self) -> float:
        slowest = max((track.cycle_ns or 0 for track in self._expected()), default=0)
        return max(SILENCE_S * 1e9, 3 * slowest)

    def _expected(self) -> list[Track]:
        """Tracks that data may come of: all but those whose lists were told to stop."""
        stopped = self._switch.stopped
        return [track for at, track in enumerate(self.tracks) if at not in stopped]

    def rest_s(self, now_ns: int) -> float:
        """How long it may take until :meth:`watch` is called again, unless there is news."""
        if self._down_since_ns or self._poller is not None or self.is_hurried:
            return SHORT_REST_S
        if self._time is None:
            return LONGEST_REST_S
        return max(min(self._time.rest_s(now_ns), LONGEST_REST_S), _LEAST_REST_S)

    def watch(self, now_ns: int) -> None:
        """Look after the slave; to be called again after :meth:`rest_s`.

        Raises:
            XcaliperError: it is lost, for good where reconnecting is allowed.
        """
        if self._down_since_ns:
            self._try_again(now_ns)
            return
        try:
            self._check(now_ns)
            self._look_at_clock(now_ns)
        except XcaliperError as error:
            if self._reconnect_s is None:
                raise
            self._go_down(now_ns, error)

    def _check(self, now_ns: int) -> None:
        if self.port.failure is not None:
            raise self.port.failure
        if self._poller is not None and self._poller.trouble is not None:
            raise self._poller.trouble
        self.port.look()
        if self.port.terminated:
            raise RemoteProtocolError(
                "measurement: the slave ended the session.",
                hint="Connect again; reconnect=… does so by itself.",
            )
        if self._sleeps(now_ns):
            return
        if not self.has_lists or now_ns - self._last_data_ns <= self._patience_ns():
            return
        is_running = self.port.is_running()
        self._last_data_ns = now_ns
        if self._switch.is_all:
            return
        if not is_running:
            raise RemoteProtocolError(
                "measurement: the slave stopped its DAQ lists.",
                hint="It may have restarted, or another master took over; reconnect=… sets them "
                "up again.",
            )
        cyclic = [track.name for track in self._expected() if track.cycle_ns]
        if cyclic and not self._is_quiet:
            self._is_quiet = True
            self.silences += 1
            self._note_silence(cyclic)

    def _sleeps(self, now_ns: int) -> bool:
        """True while the slave said that it sleeps: it has nothing to send and is not asked.

        Raises:
            ExchangeTimeoutError: it has slept for longer than anybody waits.
        """
        if not self.port.asleep:
            self._asleep_since_ns = 0
            return False
        if not self._asleep_since_ns:
            self._asleep_since_ns = now_ns
            self.diagnostics.append(
                Diagnostic(
                    Severity.WARNING,
                    "slave-asleep",
                    Where(),
                    f"the slave fell asleep (EV_SLEEP); it is waited for, up to {ASLEEP_S:g} s.",
                    "Data go on when it wakes up; commands wait.",
                    subject="DAQ",
                )
            )
        slept_ns = now_ns - self._asleep_since_ns
        if slept_ns > ASLEEP_S * 1e9:
            raise ExchangeTimeoutError(
                "measurement: the slave sleeps",
                timer="sleep",
                attempts=1,
                elapsed_ns=slept_ns,
                hint="Wake it up and connect again; reconnect=… does so by itself.",
            )
        self._last_data_ns = now_ns
        return True

    def _note_silence(self, names: Sequence[str]) -> None:
        unknown = self.counters()["unknown"]
        text = f"{', '.join(names)}: no data for {SILENCE_S:g} s, though the slave answers"
        hint = "Does the event occur? Does a firewall drop datagrams?"
        if unknown:
            text += f"; {unknown} packets came that belong to no list of this measurement"
            hint = "The slave numbers its lists otherwise than it said."
        self._tell(
            [Diagnostic(Severity.WARNING, "daq-silent", Where(), f"{text}.", hint, subject="DAQ")]
        )
        self._lost(f"{text}.")

    def _tell(self, findings: Iterable[Diagnostic]) -> None:
        """Keep what was odd, each kind once."""
        for finding in findings:
            if not any(one.slug == finding.slug for one in self.diagnostics):
                self.diagnostics.append(finding)

    def _go_down(self, now_ns: int, error: XcaliperError) -> None:
        self._trouble = error
        self._down_since_ns = self._next_try_ns = now_ns
        self._wait_s = FIRST_WAIT_S
        if self._poller is not None:
            self._poller.trouble = error
        self._retire()
        self.port.connection.abandon()
        self._lost(f"lost {self._name}: {error.message}")

    @property
    def _name(self) -> str:
        return self.label or self.port.connection.link.name

    def _retire(self) -> None:
        """The decoder's session has ended; its counters stay, and what it lost at its end waits."""
        decoder, self._decoder = self._decoder, None
        if decoder is None:
            return
        for name, value in _counted(decoder.finish()).items():
            self._before[name] += value
        for block in decoder.ends:
            gaps = self._placed_gaps(block.gaps)
            self._open[block.raster] = (*self._open.get(block.raster, ()), *gaps)

    def _deliver_ends(self) -> None:
        """Hand out what was lost behind the last rows: blocks without rows carry it."""
        opened, self._open = self._open, {}
        blocks = []
        for raster, gaps in sorted(opened.items()):
            track = self.tracks[raster]
            rows = np.zeros(0, track.dtype)
            blocks.append(SampleBlock(track.index, np.zeros(0, np.int64), rows, gaps))
        if blocks:
            self._deliver(blocks)

    def _try_again(self, now_ns: int) -> None:
        assert self._trouble is not None, "it is down for a reason"
        assert self._reconnect_s is not None, "only then it is looked for"
        if now_ns - self._down_since_ns > self._reconnect_s * 1e9:
            self._trouble.hint = (
                f"It was looked for during {self._reconnect_s:g} s; what came until then is kept."
            )
            raise self._trouble
        if now_ns < self._next_try_ns:
            return
        try:
            with self._switch.lock:
                self._resume()
        except IntegrityError:
            raise
        except (XcaliperError, ExchangeTimeoutError) as error:
            self._trouble = error
            self._next_try_ns = time.monotonic_ns() + int(self._wait_s * 1e9)
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _resume(self) -> None:
        """A new session, the same lists, the same axis; lists that were stopped are only set up."""
        self.port.connection.reconnect()
        self.port.renew()
        decoder, origin_ns = self.port.setup(self.plan)
        self._begin_time(decoder)
        if self.axis is not None and self._time is not None:
            self.axis.restart(self._time.correlator)
        self._offset_ns = self._continued(origin_ns)
        running = {raster.index for raster in self.plan.rasters} - self._switch.stopped
        self._marks = dict.fromkeys(running, "reconnect")
        self._switch.renew(decoder)
        self._decoder = decoder
        self._listen()
        if self.has_lists:
            self.port.go(self.plan)
        self.reconnects += 1
        self._last_data_ns = time.monotonic_ns()
        away_s = (self._last_data_ns - self._down_since_ns) * 1e-9
        self._down_since_ns = 0
        self._trouble = None
        if self._poller is not None:
            self._poller.trouble = None
        self._lost(f"found {self._name} again after {away_s:.1f} s")

    def _continued(self, origin_ns: int) -> int:
        """Offset of a new session: its time 0 is as far behind the last sample as on the host's clock."""
        newest = max(
            (t.last_ns for t in self.tracks if t.samples and t.kind == "daq"), default=None
        )
        by_host = origin_ns - self._begin_ns
        return by_host if newest is None else max(by_host, newest + 1)

    # --- end ---

    def halt(self) -> None:
        """Stop the slave's lists and listening, bounded in time.

        Raises:
            XcaliperError: the slave does not answer; all else has ended.
        """
        if self._poller is not None:
            self._poller.stop()
            self.diagnostics.extend(self._poller.diagnostics.values())
        try:
            self.port.halt(lists=self.has_lists and not self.is_down)
        finally:
            self._retire()
            self._deliver_ends()

    def counters(self) -> dict[str, int]:
        """Counters of all sessions so far."""
        found = dict(self._before)
        decoder = self._decoder
        if decoder is not None:
            for name, value in _counted(decoder.quality).items():
                found[name] += value
        return found


def renamed_dtype(dtype: np.dtype[Any], names: Mapping[str, str]) -> np.dtype[Any]:
    """A structured dtype of the same layout whose fields have other names."""
    fields = dtype.fields
    if not names or not fields:
        return dtype
    return np.dtype(
        {
            "names": [names.get(name, name) for name in fields],
            "formats": [field[0] for field in fields.values()],
            "offsets": [field[1] for field in fields.values()],
            "itemsize": dtype.itemsize,
        }
    )


def _counted(quality: DaqQuality) -> dict[str, int]:
    return {name: getattr(quality, name) for name in _SUMMED}
