"""What stimulation and bypass share: lists of both directions, set up, started together and stopped."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread, current_thread
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.client.acquisition import FIRST_WAIT_S, LONGEST_WAIT_S
from xcaliper.client.beside import measure_beside
from xcaliper.client.stim_rows import RowWriter
from xcaliper.core.errors import (
    IntegrityError,
    NegativeResponseError,
    RemoteProtocolError,
    UsageError,
    XcaliperError,
)
from xcaliper.daq.stim import StimEncoder, sample_sets
from xcaliper.xcp.procedures import counters, daq_setup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from xcaliper.client.beside import Beside
    from xcaliper.client.connection import Connection
    from xcaliper.client.daq_port import DaqPort
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.recording import Record
    from xcaliper.client.selection import Selection
    from xcaliper.core.frames import DtoBatch
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.dto_sets import DtoSet, DtoSets
    from xcaliper.xcp.timecorr import DtoCtrMode

__all__ = ["SessionOptions", "StimSession"]

#: Silence after which the slave is asked whether it is still there.
SILENCE_NS: Final = 2_000_000_000
_LOOK_S: Final = 0.05
#: Readings of the clock before the start, and the drift that a later one has to beat.
_READINGS: Final = 5
_DRIFT: Final = 1e-4
_CLOCK_PERIOD_NS: Final = 500_000_000
_WATCHER_STOP_S: Final = 10.0
#: Unit of MIN_ST_STIM in the A2L.
_MIN_ST_NS: Final = 100_000


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What can be chosen about a session beyond its plan.

    Attributes:
        is_measured: samples and what is sent are kept, see ``StimSession.measurement``.
        record: what to record them into.
        overwrite: replace a file that exists.
        reconnect_s: how long to look for a slave that was lost; None = a loss ends the session.
        one_per_datagram: each STIM packet travels in a datagram of its own.
    """

    is_measured: bool = False
    record: Record | Sequence[Record] | None = None
    overwrite: bool = False
    reconnect_s: float | None = None
    one_per_datagram: bool = True


class StimSession(ABC):
    """Lists of both directions that run for one purpose.

    Args:
        connection: to the slave.
        selection: signals and plan.
        check_counter: have the slave refuse data of another cycle *(1.3)*.
        tells: the session can say how each answer went.
        options: everything else.

    Attributes:
        plan: what the slave is told to do.
        error: what ended it early; None while nothing has.
        sent: rows sent, of all lists together.
        timeouts: EV_STIM_TIMEOUT of the slave so far; brought up to date by :meth:`look`.
        reconnects: how often the slave was found again.
        measurement: of what is sampled and sent, which starts and stops with it; None when nobody
            asked for one.
    """

    name = "stimulation"

    def __init__(  # options by name
        self,
        connection: Connection,
        selection: Selection,
        *,
        check_counter: bool = False,
        tells: bool = False,
        options: SessionOptions | None = None,
    ) -> None:
        plan, options = selection.plan, options or SessionOptions()
        if not plan.stim_rasters:
            raise UsageError(f"{self.name}: no signal is sent to the slave.")
        if plan.polled:
            raise UsageError(
                f"{self.name}: {plan.polled[0].name} cannot be sampled ({plan.polled[0].reason})."
            )
        self.connection = connection
        self.plan: DaqPlan = plan
        self.error: Exception | None = None
        self.sent = 0
        self.timeouts = 0
        self.reconnects = 0
        self._port = connection.port
        self._now = connection.link.clock
        self._check_counter = check_counter
        self._options = options
        self._writers = [RowWriter(one, selection.signals) for one in plan.stim_rasters]
        self._encoders: list[StimEncoder] = []
        self._sets: DtoSets | None = None
        self._owners: dict[DtoSet, Raster] = {}
        self._restore: list[tuple[int, int, DtoCtrMode]] = []
        self._reading: ClockReading | None = None
        self._wrong_ns = 0
        self._tick_ns = float(plan.clock.tick_ns) if plan.clock is not None else 0.0
        self._apart_ns = _separation_ns(connection)
        self._begin_ns = self._came_ns = self._clock_ns = self._packet_ns = 0
        self._end_ns = 0
        self._state = "new"
        self._over = Event()
        self._is_up = False
        self._looking = Lock()
        self._watcher: Thread | None = None
        self._beside: Beside | None = None
        self.measurement: Measurement | None = None
        if options.is_measured:
            self._beside, self.measurement = measure_beside(
                selection, tells=tells, record=options.record, overwrite=options.overwrite
            )

    # --- life ---

    @property
    def is_running(self) -> bool:
        """True between start and stop."""
        return self._state == "running"

    def describe(self) -> str:
        """The plan in words."""
        return self.plan.describe()

    def mark(self, text: str, *, name: str = "", port: DaqPort | None = None) -> None:
        """Put a marker with a text into every recording; nothing when there is none."""
        if self.measurement is not None:
            self.measurement.mark(text, name=name, port=port)

    def start(self) -> Self:
        """Set the lists up and start all of them together.

        Raises:
            UsageError: it was started before, or something else has the lists.
            NegativeResponseError: the slave refused.
        """
        if self._state != "new":
            raise UsageError(f"{self.name}: it was started before.", hint="Make a new one.")
        self._port.claim(self)
        self._set_up()
        try:
            if self.measurement is not None:
                self.measurement.start()
            self._state = "running"
            self._begin_ns = self._now()
            self._go()
        except BaseException:
            self._state = "stopped"
            self._is_up = False
            self.connection.link.stop_daq()
            with suppress(XcaliperError):  # what failed first says more
                self._end_measurement()
            raise
        self._watcher = Thread(target=self._watch, name=f"xcaliper {self.name}", daemon=True)
        self._watcher.start()
        return self

    def _set_up(self) -> None:
        """Bring the lists into the slave and make what reads and writes their packets."""
        pids = self._port.setup_lists(self.plan)
        self._encoders = [
            StimEncoder(self.plan, one, pids.get(one.daq_list, 0)) for one in self.plan.stim_rasters
        ]
        self._sets, self._owners = sample_sets(self.plan, pids)
        if self._check_counter:
            self._demand_counters()
        self._reading = None
        for _ in range(_READINGS):
            self._read_clock()
        if self._beside is not None:
            self._beside.ready(pids, self._reading, self._now())
        self._port.take_stim_timeouts()

    def _go(self) -> None:
        """Start all lists."""
        self._came_ns = self._clock_ns = self._now()
        self._is_up = True
        self.connection.link.start_daq(self._take, prompt=True)
        self._port.go(self.plan)

    def _take(self, batch: DtoBatch) -> None:
        """Put samples together and answer each one as soon as it is complete."""
        self._came_ns = batch.t_ns
        sets = self._sets
        assert sets is not None, "made before the start"
        for packet in batch.packets:
            if self._over.is_set() or not self._is_up:
                break
            done = sets.receive(packet)
            if done is not None:
                self._on_sample(done, self._owners[done], batch.t_ns)
        if self._beside is not None:
            self._beside.take(batch)

    @abstractmethod
    def _on_sample(self, sample: DtoSet, raster: Raster, came_ns: int) -> None:
        """A sample of the slave is complete."""

    def _demand_counters(self) -> None:
        """Have each event for outputs compare its counter with that of the inputs' event."""
        inputs = {raster.event_channel for raster in self._inputs()}
        if not self.plan.dto_format.dto_ctr or len(inputs) != 1:
            raise UsageError(
                f"{self.name}: the counter is checked against one event of the inputs.",
                hint="Leave out check_counter.",
            )
        (related,) = inputs
        for channel in sorted({raster.event_channel for raster in self.plan.stim_rasters}):
            before = self.connection.link.run(counters.check_counter(channel, related))
            self._restore.append((channel, *before))

    def _inputs(self) -> Sequence[Raster]:
        """Rasters that are answered."""
        return self.plan.rasters

    def _read_clock(self) -> None:
        """Read the slave's clock, and keep the best of what is known."""
        clock = self.plan.clock
        found = None if clock is None else self._port.time_clock(clock)
        if found is None:
            return
        reading, wrong_ns = found
        before = self._reading
        if before is not None:
            drifted_ns = (reading.t_ns - before.t_ns) * _DRIFT
            if wrong_ns > self._wrong_ns + drifted_ns:
                return
        self._reading, self._wrong_ns = reading, wrong_ns

    def wait(self, duration_s: float) -> bool:
        """Let it run; False when it ended before the time was over."""
        until_ns = self._now() + int(duration_s * 1e9)
        while self.is_running and not self._over.is_set():
            left_ns = until_ns - self._now()
            if left_ns <= 0:
                self.look()
                return True
            self._over.wait(min(left_ns * 1e-9, _LOOK_S))
        return False

    def _watch(self) -> None:
        """Body of the watching thread: look after slave and clock until the end."""
        while not self._over.wait(_LOOK_S):
            failure = self._look()
            if failure is not None and not self._over.is_set():
                self._recover(failure)
            elif self._now() - self._clock_ns > _CLOCK_PERIOD_NS:
                self._clock_ns = self._now()
                with suppress(XcaliperError):  # a lost answer; the next look tells more
                    self._read_clock()

    def look(self) -> None:
        """Bring ``timeouts`` up to date."""
        with self._looking:
            fresh = self._port.take_stim_timeouts()
            self.timeouts += fresh
        if fresh:
            self.mark(f"EV_STIM_TIMEOUT, {self.timeouts} so far", name="stim")

    def _look(self) -> XcaliperError | None:
        """What the slave told, why the link failed, whether the slave fell silent."""
        self.look()
        failure = self._port.failure
        if failure is None and self._port.terminated:
            failure = RemoteProtocolError(
                f"{self.name}: the slave ended the session.", hint="Connect again."
            )
        return failure or self._silence()

    def _recover(self, failure: XcaliperError) -> None:
        """Look for a lost slave and start the lists again, or end it all."""
        limit_s = self._options.reconnect_s
        if limit_s is None:
            self._fail(failure)
            return
        self._is_up = False
        if self._beside is not None:
            self._beside.lost(self._now(), failure.message)
        self.connection.abandon()
        since_ns, wait_s = self._now(), FIRST_WAIT_S
        while not self._over.is_set():
            try:
                self._begin_again()
            except IntegrityError as error:
                self._fail(error)
                return
            except XcaliperError as error:
                self._is_up = False
                failure = error
            else:
                return
            if self._now() - since_ns > limit_s * 1e9:
                failure.hint = f"It was looked for during {limit_s:g} s."
                self._fail(failure)
                return
            self._over.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _begin_again(self) -> None:
        """A new session, the same lists."""
        self.connection.reconnect()
        self._port.renew()
        self._restore.clear()
        self._set_up()
        self.reconnects += 1
        if self._beside is not None:
            self._beside.found(self._now())
        self._go()

    def _silence(self) -> XcaliperError | None:
        """Why samples of a cyclic event do not come any more; None while they do."""
        cycles = [raster.cycle_ns for raster in self.plan.rasters if raster.cycle_ns]
        now_ns = self._now()
        if not cycles or now_ns - self._came_ns < max(SILENCE_NS, 3 * max(cycles)):
            return None
        self._came_ns = now_ns
        try:
            if self._port.is_running():
                return None  # the event does not occur
        except XcaliperError as error:
            return error
        return RemoteProtocolError(
            f"{self.name}: the slave stopped its lists.",
            hint="It may have restarted, or another master took over.",
        )

    def stop(self) -> None:
        """Stop the lists: the ECU's own values come back. Harmless when repeated.

        Raises:
            XcaliperError: what ended it early.
        """
        if self._state == "running":
            self._state = "stopped"
            self._over.set()
            self._end_ns = self._now()
            if self._watcher is not None and self._watcher is not current_thread():
                self._watcher.join(_WATCHER_STOP_S)
            self._finish()
            self._keep(self._end_measurement)
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def _end_measurement(self) -> None:
        if self.measurement is None:
            return
        self.measurement.stop()
        if self.measurement.record_error is not None:
            raise self.measurement.record_error

    def _keep(self, step: Callable[[], None]) -> None:
        """Do something at the end; what ended it earlier says more than what fails now."""
        try:
            step()
        except XcaliperError as error:
            self.error = self.error or error

    def _finish(self) -> None:
        try:
            self._port.halt(lists=self._is_up)
            for channel, related, mode in self._restore:
                self.connection.link.run(counters.set_counter(channel, related, mode))
            self.look()
        except NegativeResponseError:
            pass  # what was set before is gone with the lists
        except XcaliperError as error:
            self.error = self.error or error

    def __enter__(self) -> Self:
        return self.start() if self._state == "new" else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
            return
        failed, self.error = self.error, None
        try:
            self.stop()
        except XcaliperError:
            pass  # the error on its way says more
        finally:
            self.error = failed

    # --- in the thread that receives ---

    def _fail(self, error: Exception) -> None:
        """End it: nothing is sent any more, and the slave is told to stop as soon as it can be."""
        if self.error is not None or self._over.is_set():
            return
        self.error = error
        self._over.set()
        if self._port.failure is None:
            self.connection.link.submit(_stop_lists(one.daq_list for one in self.plan.stim_rasters))

    def _send(self, counter: int, ticks: int) -> None:
        """Send the rows of all lists as they are now."""
        packets: list[bytes] = []
        for writer, encoder in zip(self._writers, self._encoders, strict=True):
            packets += encoder.packets(writer.row, counter=counter, ticks=ticks)
        link = self.connection.link
        if self._apart_ns:
            for packet in packets:
                self._hold_back()
                link.send_data([packet])
        elif self._options.one_per_datagram:
            for packet in packets:
                link.send_data([packet])
        else:
            link.send_data(packets)
        self.sent += len(self._writers)

    def _hold_back(self) -> None:
        """Keep the distance between STIM packets that the slave needs (MIN_ST_STIM)."""
        wait_ns = self._packet_ns + self._apart_ns - self._now()
        if 0 < wait_ns <= self._apart_ns:
            sleep(wait_ns * 1e-9)
        self._packet_ns = self._now()

    def _note_sent(self, host_ns: int, outcome: tuple[float, ...] = ()) -> None:
        """Keep what was just sent for the measurement."""
        if self._beside is not None:
            self._beside.sent(host_ns, [bytes(one.row) for one in self._writers], outcome)

    def _host_ns(self, ticks: int) -> int | None:
        """Host time of a sample; None when the slave's clock is not known."""
        clock, reading = self.plan.clock, self._reading
        if clock is None or reading is None:
            return None
        half = clock.modulus // 2
        apart = (ticks - reading.ticks + half) % clock.modulus - half
        return reading.t_ns + round(apart * self._tick_ns)


def _stop_lists(numbers: Iterable[int]) -> Procedure[Any]:
    yield from daq_setup.stop_selected(tuple(numbers))


def _separation_ns(connection: Connection) -> int:
    """Time between two STIM packets that the slave needs (MIN_ST_STIM of the A2L)."""
    described = connection.described
    stim = described.daq.stim if described is not None and described.daq is not None else None
    return (stim.min_st_stim or 0) * _MIN_ST_NS if stim is not None else 0
