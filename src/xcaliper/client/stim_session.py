"""What stimulation and bypass share: lists of both directions, set up, started together and stopped."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.client.stim_rows import RowReader, RowWriter
from xcaliper.core.errors import (
    NegativeResponseError,
    RemoteProtocolError,
    UsageError,
    XcaliperError,
)
from xcaliper.daq.stim import StimEncoder, sample_sets
from xcaliper.xcp.procedures import counters, daq_setup

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from xcaliper.client.connection import Connection
    from xcaliper.client.selection import Selection
    from xcaliper.core.frames import DtoBatch
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.dto_sets import DtoSet, DtoSets
    from xcaliper.xcp.timecorr import DtoCtrMode

__all__ = ["StimSession"]

#: Silence after which the slave is asked whether it is still there.
SILENCE_NS: Final = 2_000_000_000
_LOOK_S: Final = 0.05
#: Readings of the clock before the start, and the drift that a later one has to beat.
_READINGS: Final = 5
_DRIFT: Final = 1e-4
_CLOCK_PERIOD_NS: Final = 500_000_000


class StimSession:
    """Lists of both directions that run for one purpose.

    Args:
        connection: to the slave.
        selection: signals and plan.
        check_counter: have the slave refuse data of another cycle *(1.3)*.

    Attributes:
        plan: what the slave is told to do.
        error: what ended it early; None while nothing has.
        sent: rows sent, of all lists together.
        timeouts: EV_STIM_TIMEOUT of the slave so far; brought up to date by :meth:`look`.
    """

    name = "stimulation"

    def __init__(
        self, connection: Connection, selection: Selection, *, check_counter: bool = False
    ) -> None:
        plan = selection.plan
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
        self._port = connection.port
        self._now = connection.link.clock
        self._check_counter = check_counter
        self._writers = [RowWriter(one, selection.signals) for one in plan.stim_rasters]
        self._readers = [RowReader(one, selection.signals) for one in plan.rasters]
        self._encoders: list[StimEncoder] = []
        self._sets: DtoSets | None = None
        self._owners: dict[DtoSet, Raster] = {}
        self._restore: list[tuple[int, int, DtoCtrMode]] = []
        self._reading: ClockReading | None = None
        self._wrong_ns = 0
        self._tick_ns = float(plan.clock.tick_ns) if plan.clock is not None else 0.0
        self._begin_ns = self._came_ns = 0
        self._end_ns = 0
        self._state = "new"
        self._over = Event()

    # --- life ---

    @property
    def is_running(self) -> bool:
        """True between start and stop."""
        return self._state == "running"

    def describe(self) -> str:
        """The plan in words."""
        return self.plan.describe()

    def mark(self, text: str, *, name: str = "") -> None:
        """Nothing is recorded here."""

    def start(self) -> Self:
        """Set the lists up and start all of them together.

        Raises:
            UsageError: it was started before, or something else has the lists.
            NegativeResponseError: the slave refused.
        """
        if self._state != "new":
            raise UsageError(f"{self.name}: it was started before.", hint="Make a new one.")
        self._port.claim(self)
        pids = self._port.setup_lists(self.plan)
        self._encoders = [
            StimEncoder(self.plan, one, pids.get(one.daq_list, 0)) for one in self.plan.stim_rasters
        ]
        self._sets, self._owners = sample_sets(self.plan, pids)
        if self._check_counter:
            self._demand_counters()
        for _ in range(_READINGS):
            self._read_clock()
        link = self.connection.link
        self._port.take_stim_timeouts()
        link.start_daq(self._take, prompt=True)
        self._state = "running"
        self._begin_ns = self._came_ns = self._now()
        try:
            self._port.go(self.plan)
        except BaseException:
            self._state = "stopped"
            link.stop_daq()
            raise
        self._started()
        return self

    def _started(self) -> None:
        """The lists run."""

    def _take(self, batch: DtoBatch) -> None:
        """Put samples together and answer each one as soon as it is complete."""
        self._came_ns = batch.t_ns
        sets = self._sets
        assert sets is not None, "made before the start"
        for packet in batch.packets:
            if self._over.is_set():
                return
            done = sets.receive(packet)
            if done is not None:
                self._on_sample(done, self._owners[done], batch.t_ns)

    def _on_sample(self, sample: DtoSet, raster: Raster, came_ns: int) -> None:
        """A sample of the slave is complete."""
        raise NotImplementedError

    def _demand_counters(self) -> None:
        """Have each event for outputs compare its counter with that of the inputs' event."""
        inputs = {raster.event_channel for raster in self.plan.rasters}
        if not self.plan.dto_format.dto_ctr or len(inputs) != 1:
            raise UsageError(
                f"{self.name}: the counter is checked against one event of the inputs.",
                hint="Leave out check_counter.",
            )
        (related,) = inputs
        for channel in sorted({raster.event_channel for raster in self.plan.stim_rasters}):
            before = self.connection.link.run(counters.check_counter(channel, related))
            self._restore.append((channel, *before))

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
        read_ns = self._now()
        while self.is_running and not self._over.is_set():
            left_ns = until_ns - self._now()
            if left_ns <= 0:
                self.look()
                return True
            self._over.wait(min(left_ns * 1e-9, _LOOK_S))
            self.look()
            if self._now() - read_ns > _CLOCK_PERIOD_NS:
                self._read_clock()
                read_ns = self._now()
        return False

    def look(self) -> None:
        """Take note of what the slave told, of a link that failed and of a slave that fell silent."""
        self.timeouts += self._port.take_stim_timeouts()
        failure = self._port.failure
        if failure is None and self._port.terminated:
            failure = RemoteProtocolError(
                f"{self.name}: the slave ended the session.", hint="Connect again."
            )
        if failure is None:
            failure = self._silence()
        if failure is not None:
            self._fail(failure)

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
            self._finish()
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def _finish(self) -> None:
        try:
            self._port.halt()
            for channel, related, mode in self._restore:
                self.connection.link.run(counters.set_counter(channel, related, mode))
            self.timeouts += self._port.take_stim_timeouts()
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
        self.connection.link.send_data(packets)
        self.sent += len(self._writers)

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
