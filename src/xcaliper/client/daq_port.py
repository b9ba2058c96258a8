"""The DAQ lists of one connection: set up, started, watched and stopped for one measurement."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    ExchangeTimeoutError,
    NegativeResponseError,
    UsageError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, std
from xcaliper.xcp.procedures import counters, daq_setup
from xcaliper.xcp.procedures.clock import COMMON_INITIATORS, clock_properties, read_clocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.client.connection import Connection
    from xcaliper.client.resume import ResumedLists
    from xcaliper.core.errors import XcaliperError
    from xcaliper.core.frames import DtoBatch
    from xcaliper.core.samples import SampleBlock
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.xcp.procedures.clock import ClockProperties

__all__ = ["DaqPort", "ListUser"]

_MAX_EVENTS: Final = 4096
_SETTLE_S: Final = 0.02
_STOP_TIMEOUT_NS: Final = 500_000_000
_STOP_S: Final = 1.5
#: Time-outs that pass until SYNCH is sure that no older answer comes any more, and one for what follows.
_SILENT_TIMEOUTS: Final = 3.5
#: The same while data comes: the receiver may be too slow for it.
_STOP_LIMIT_S: Final = 10.0
_FREE_S: Final = 1.0
_ALIVE_S: Final = 1.5
#: How long to wait for compiled code before the lists start, where its beginning would cost samples; from
#: the cache it is there in less.
_COMPILE_S: Final = 2.0
#: Longest delay while it begins, and what the kernel adds to a small message in its buffer.
_DELAY_S: Final = 0.2
_OVERHEAD_BYTES: Final = 256


class ListUser(Protocol):
    """What has the lists: a measurement, a stimulation or a bypass."""

    @property
    def is_running(self) -> bool:
        """True until it is over."""
        ...

    def stop(self) -> object:
        """End it."""
        ...

    def mark(self, text: str, *, name: str = "", port: DaqPort | None = None) -> object:
        """Take note that something was changed in the ECU of a port."""
        ...


class DaqPort:
    """What measurements of one connection share: its lists can serve one of them at a time.

    Args:
        connection: it belongs to.
        multiple: whether the slave takes WRITE_DAQ_MULTIPLE; None = not known.

    Attributes:
        connection: as given.
        measurement: the one that has the lists, or had them last.
        habits: what the slave turned out to do when lists were set up.
        resumed: lists that the slave runs since its start and nobody has taken yet.
        cluster: cluster of GET_DAQ_CLOCK_MULTICAST that the slave is put into; None leaves it.
        refused: signals in entries that the slave refused (ERR_ACCESS_DENIED).
        idle: numbers of lists that were told to stop; :meth:`setup` and :meth:`go` leave them so.
    """

    def __init__(self, connection: Connection, *, multiple: bool | None) -> None:
        self.connection = connection
        self.measurement: ListUser | None = None
        self._multiple = multiple
        self.habits = daq_setup.SetupHabits(multiple=multiple)
        self.resumed: ResumedLists | None = None
        self._resume_event: Any = None
        self._adopted: ResumedLists | None = None
        self._adopted_sink: Callable[[DtoBatch], object] | None = None
        self._claim_lock = threading.Lock()
        self._silent = False
        self._tells_status = True
        self._terminated = False
        self._asleep = False
        self._overloads = 0
        self._stim_timeouts = 0
        self._fresh: list[Any] = []
        self._clocks: ClockProperties | None = None
        self._asked_clocks = False
        self.cluster: int | None = None
        self.refused: set[str] = set()
        self.idle: set[int] = set()
        self._events_lock = threading.Lock()
        self._events: deque[Any] = deque(maxlen=_MAX_EVENTS)

    # --- who has the lists ---

    def forget(self) -> None:
        """Forget what the slave turned out not to do."""
        self.habits = daq_setup.SetupHabits(multiple=self._multiple)

    def check_free(self) -> None:
        """Refuse a second measurement.

        Raises:
            UsageError: one is running.
        """
        if self.measurement is not None and self.measurement.is_running:
            raise UsageError(
                "DAQ lists: another measurement, stimulation or bypass has them.",
                hint="Stop it; signals of one kind fit into one.",
            )

    def claim(self, measurement: ListUser) -> None:
        """Give the DAQ lists of the slave to one measurement.

        Raises:
            UsageError: another one is running.
        """
        with self._claim_lock:
            if self.measurement is not measurement:
                self.check_free()
                self.idle.clear()
            self.measurement = measurement
            self._silent = self._terminated = False

    # --- commands ---

    def clocks(self) -> ClockProperties | None:
        """What the slave says about its clocks; None = it knows the legacy form only."""
        if not self._asked_clocks:
            found: ClockProperties | None = None
            ask_for: tuple[dict[str, Any], ...] = (
                {"response_fmt": COMMON_INITIATORS, "cluster": self.cluster},
                {},  # a slave that refuses the change still tells
            )
            for settings in ask_for:
                try:
                    found = self.connection.link.run(
                        clock_properties(self.connection.session, **settings)
                    )
                except NegativeResponseError:
                    continue
                break
            self._clocks, self._asked_clocks = found, True
        return self._clocks

    def read_clock(self, clock: TickClock) -> ClockReading | None:
        """The clock of DAQ timestamps with the host's time in the middle of the exchange."""
        found = self.time_clock(clock)
        return None if found is None else found[0]

    def time_clock(self, clock: TickClock) -> tuple[ClockReading, int] | None:
        """The same, and by how many ns the host's time may be wrong."""
        from xcaliper.daq.correlation import daq_stamp
        from xcaliper.daq.timeline import ClockReading

        link = self.connection.link
        sample = link.run(read_clocks(link.clock, attempts=0))
        stamp = None if sample is None else daq_stamp(sample, self.clocks(), clock)
        if sample is None or stamp is None or sample.sent_ns is None:
            return None
        middle_ns = (sample.sent_ns + sample.received_ns) // 2
        return ClockReading(stamp.ticks, middle_ns), (sample.received_ns - sample.sent_ns) // 2

    def renew(self) -> None:
        """A new session has begun: what was set in the slave may be gone."""
        self._asked_clocks = self._asleep = False
        self.resumed = self._adopted = None

    def resume_ticks(self) -> int | None:
        """The slave's clock as EV_RESUME_MODE told it at power-up; None when it did not."""
        self.look()
        if self._resume_event is None or self.resumed is None:
            return None
        identifier = self.resumed.saved.session_configuration_id
        told = self._resume_event.session_configuration_id
        ticks = self._resume_event.timestamp
        if ticks is None or told == identifier:
            return None if ticks is None else int(ticks)
        # Before CONNECT nobody knows the byte order.
        swapped = int.from_bytes(told.to_bytes(2, "big"), "little")
        ticks = int.from_bytes(ticks.to_bytes(4, "big"), "little")
        return ticks if swapped == identifier else None

    def _adopt(self, plan: DaqPlan, resumed: ResumedLists) -> tuple[DaqDecoder, int]:
        """A decoder for lists that run already; its packets come with :meth:`go`."""
        from xcaliper.daq.decode import DaqDecoder

        self.clocks()
        start = resumed.start_reading() if plan.clock is not None else None
        self.resumed, self._adopted = None, resumed
        now = self.connection.link.clock() if start is None else start.t_ns
        return DaqDecoder(plan, dict(resumed.saved.first_pids), start), now

    def setup(self, plan: DaqPlan) -> tuple[DaqDecoder, int]:
        """Allocate and fill the lists; gives a decoder and the host's time of its time 0.

        Raises:
            NegativeResponseError: the slave refused.
        """
        return self.begin_time(plan, self.allocate(plan))

    def allocate(self, plan: DaqPlan) -> dict[int, int]:
        """The first half of :meth:`setup`: allocate and fill the lists; gives list → FIRST_PID.

        Raises:
            NegativeResponseError: the slave refused.
            UsageError: its DTO counters do not tell what was lost.
        """
        from xcaliper.transport.drain import prepare

        prepare(wait_s=_COMPILE_S if self._fills_soon(plan) else 0.0)
        if self.resumed is not None and plan is self.resumed.saved.plan:
            return {}  # they run
        if self.resumed is not None:  # these lists make room for others
            self.resumed = None
            self.connection.link.stop_daq()
        if not plan.lists:
            self._silent = self._terminated = False
            return {}
        numbered = self.setup_lists(plan)
        self._count_own_events(plan)
        return numbered

    def _count_own_events(self, plan: DaqPlan) -> None:
        """Have every event that is counted insert its own counter."""
        if not plan.dto_format.dto_ctr:
            return
        for event in {raster.event_channel: raster.event for raster in plan.rasters}.values():
            if not self.connection.link.run(
                counters.count_own_events(self.connection.session, event.number)
            ):
                raise UsageError(
                    f"dto_ctr: the slave inserts another counter than that of event {event.number} "
                    f"({event.label}), and does not change it (DTO_CTR_PROPERTIES).",
                    hint="Switch dto_ctr off.",
                )

    def _fills_soon(self, plan: DaqPlan) -> bool:
        """Whether the kernel holds less than comes while a compiler begins, which delays all others."""
        transport = self.connection.link.transport
        if transport.is_stream or not transport.buffer_size:
            return False
        load = sum(plan.load(raster, _OVERHEAD_BYTES) or 0.0 for raster in plan.rasters)
        return load * _DELAY_S > transport.buffer_size / 2

    def begin_time(self, plan: DaqPlan, numbered: dict[int, int]) -> tuple[DaqDecoder, int]:
        """The second half: a decoder whose time 0 is now, and the host's time of that.

        Args:
            plan: as of the first half.
            numbered: what that gave.
        """
        from xcaliper.daq.decode import DaqDecoder
        from xcaliper.daq.framed import FramedDecoder, is_suitable
        from xcaliper.daq.timeline import ClockReading
        from xcaliper.transport.drain import control_block, drain_kernel, reside_kernel

        if self.resumed is not None and plan is self.resumed.saved.plan:
            return self._adopt(plan, self.resumed)
        link = self.connection.link
        if not plan.lists:
            now = link.clock()
            return DaqDecoder(plan, {}, ClockReading(0, now)), now
        if plan.clock is not None:
            self.clocks()  # before the clock is read: it settles the form of the answer
        start = self.read_clock(plan.clock) if plan.clock is not None else None
        now = link.clock() if start is None else start.t_ns
        if not is_suitable(plan):
            return DaqDecoder(plan, numbered, start), now
        control = control_block()
        decoder = FramedDecoder(
            plan,
            numbered,
            start,
            kernel=drain_kernel,
            resident=reside_kernel,
            control=control,
        )
        return decoder, now

    def setup_lists(self, plan: DaqPlan) -> dict[int, int]:
        """Allocate, fill and select the lists; gives list → FIRST_PID.

        Raises:
            NegativeResponseError: the slave refused.
        """
        link, session = self.connection.link, self.connection.session
        self._silent = self._terminated = False
        try:
            pids = link.run(
                daq_setup.setup(session, plan.lists, habits=self.habits, idle=self.idle)
            )
        except AccessDeniedError as error:
            self.refused |= _explain(error, plan, session.profile.ag)
            raise
        return {one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)}

    def listen(
        self,
        decoder: DaqDecoder,
        sink: Callable[[DtoBatch], object],
        block_sink: Callable[[list[SampleBlock]], object],
        news: Callable[[], object] = lambda: None,
    ) -> None:
        """Hand every batch of DAQ packets to a function from now on.

        Args:
            decoder: of :meth:`setup`.
            sink: gets batches for a decoder of packets.
            block_sink: gets blocks of a decoder that takes bytes as they are received.
            news: called when the slave has told something, or the link has failed; in any thread.
        """
        from xcaliper.daq.framed import FramedDecoder

        self.take_overloads()
        self._terminated = False
        self.connection.link.on_news = news
        if self._adopted is not None:
            self._adopted_sink = sink
            return
        if isinstance(decoder, FramedDecoder):
            self.connection.link.start_blocks(decoder, block_sink)
        else:
            self.connection.link.start_daq(sink)

    def keep_fresh(self) -> None:
        """Somebody looks at the blocks as they come: hand them out often, until it ends."""
        self.connection.link.keep_fresh()

    def go(self, plan: DaqPlan) -> None:
        """Start the selected lists together; those that run already hand over what has come.

        Lists that were told to stop stay so.
        """
        if self._adopted is not None and self._adopted_sink is not None:
            self._adopted.early.hand_over(self._adopted_sink)
            return
        lists = [one for one in plan.lists if one.daq_list not in self.idle]
        if lists:
            self.connection.link.run(daq_setup.start(lists))

    def halt(self, *, lists: bool = True) -> None:
        """Stop the lists, let the last packets arrive, stop listening, free the lists.

        Args:
            lists: False when there are none.

        Raises:
            ExchangeTimeoutError: the slave does not answer; listening has ended all the same.
        """
        self._adopted = self._adopted_sink = None
        link = self.connection.link
        reachable = link.is_open and not self._silent and lists
        try:
            if reachable:
                self._stop()
                time.sleep(_SETTLE_S)
        except ExchangeTimeoutError as error:
            raise self._gone("stopping", error) from error
        finally:
            link.stop_daq()
        if reachable:
            link.run(daq_setup.free(attempts=1), _FREE_S)

    def _stop(self) -> None:
        """Stop every list; a slave whose data or answers come is there, though the answer got lost.

        Behind lost answers SYNCH has to wait for silence, longer than two time-outs.

        Raises:
            ExchangeTimeoutError: there is no answer.
        """
        link = self.connection.link
        until = time.monotonic() + _STOP_LIMIT_S
        within_s = _STOP_S
        lost: ExchangeTimeoutError | None = None
        while True:
            answers = link.machine.counters.answers
            try:
                agreed = link.run(daq_setup.stop(timeout_ns=_STOP_TIMEOUT_NS), within_s)
            except ExchangeTimeoutError as error:
                seen = link.daq_received
                answered = lost is None and link.machine.counters.answers != answers
                time.sleep(_SETTLE_S)
                if (link.daq_received == seen and not answered) or time.monotonic() > until:
                    raise
                if answered:
                    lost = error
                    silent_s = _SILENT_TIMEOUTS * link.machine.timers.t1_ns * 1e-9
                    within_s = min(_STOP_S + silent_s, _STOP_LIMIT_S)
            else:
                if lost is not None and not agreed:
                    raise lost
                return

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes of memory as they are now."""
        return self.connection.read_memory(address, size_bytes)

    # --- is it still there? ---

    @property
    def failure(self) -> XcaliperError | None:
        """Why the link cannot be used any more; None while it can."""
        return self.connection.link.failure

    @property
    def terminated(self) -> bool:
        """True once the slave said that it ended the session."""
        return self._terminated

    @property
    def asleep(self) -> bool:
        """True from EV_SLEEP to EV_WAKE_UP; nothing should be sent meanwhile."""
        return self._asleep

    def is_running(self) -> bool:
        """Ask for a sign of life; True while the slave says that DAQ lists run, or does not say.

        Raises:
            ExchangeTimeoutError: there is none.
        """
        link = self.connection.link
        try:
            if not self._tells_status:
                link.run(ask(std.Synch()), _ALIVE_S)
                return True
            status = link.run(ask(std.GetStatus(), attempts=1), _ALIVE_S)
        except ExchangeTimeoutError as error:
            if self._tells_status and self._answers():
                self._tells_status = False
                return True
            raise self._gone("no data", error) from error
        except NegativeResponseError:  # it does not know the command, yet it is there
            self._tells_status = False
            return True
        return bool(status.session_status.daq_running)

    def _answers(self) -> bool:
        """A sign of life of a slave that leaves GET_STATUS unanswered."""
        try:
            self.connection.link.run(ask(std.Synch(), attempts=1), _ALIVE_S)
        except ExchangeTimeoutError:
            return False
        return True

    def _gone(self, what: str, error: ExchangeTimeoutError) -> ExchangeTimeoutError:
        """Nobody waits for this slave a second time; says so in terms of the measurement."""
        self._silent = True
        return ExchangeTimeoutError(
            f"measurement: {what}",
            timer=error.timer,
            attempts=error.attempts,
            elapsed_ns=error.elapsed_ns,
            hint="The slave has gone or restarted; what came until then is kept. reconnect=… "
            "(--reconnect) looks for it and goes on.",
        )

    # --- events of the slave ---

    def look(self) -> None:
        """Take note of what the slave told since the last call."""
        with self._events_lock:
            fresh = self.connection.link.events()
            self._events.extend(fresh)
            self._fresh = [*self._fresh, *fresh][-_MAX_EVENTS:]
            for event in fresh:
                if event.name == "EV_RESUME_MODE":
                    self._resume_event = event.content
                self._overloads += event.name == "EV_DAQ_OVERLOAD"
                self._stim_timeouts += event.name == "EV_STIM_TIMEOUT"
                self._terminated |= event.name == "EV_SESSION_TERMINATED"
                if event.name in ("EV_SLEEP", "EV_WAKE_UP"):
                    self._asleep = event.name == "EV_SLEEP"

    def events(self) -> list[Any]:
        """Events and service requests of the slave since the last call, oldest first."""
        self.look()
        with self._events_lock:
            found = list(self._events)
            self._events.clear()
        return found

    def take_events(self) -> list[Any]:
        """Events since the last call, for the measurement itself."""
        self.look()
        with self._events_lock:
            found, self._fresh = self._fresh, []
        return found

    def take_stim_timeouts(self) -> int:
        """How often the slave told of missing or wrong STIM data since the last call."""
        self.look()
        with self._events_lock:
            count, self._stim_timeouts = self._stim_timeouts, 0
        return count

    def take_overloads(self) -> int:
        """How often the slave told of lost samples since the last call."""
        self.look()
        with self._events_lock:
            count, self._overloads = self._overloads, 0
        return count


def _explain(error: AccessDeniedError, plan: DaqPlan, ag: int) -> set[str]:
    """Say which signals lie where the slave does not measure, and what can be done; their names."""
    request = error.request
    entries: tuple[daq.WriteDaq | daq.DaqElement, ...] = ()
    if isinstance(request, daq.WriteDaq):
        entries = (request,)
    elif isinstance(request, daq.WriteDaqMultiple):
        entries = request.elements
    refused = {Address(one.address, one.address_extension) for one in entries}
    names: list[str] = []
    for raster, setup in zip(plan.rasters, plan.lists, strict=False):
        at = 0
        fields: Mapping[str, Any] = raster.dtype.fields or {}
        for entry in (entry for odt in setup.odts for entry in odt.entries):
            end = at + entry.size * ag
            if entry.address in refused:
                names += [n for n in raster.signals if at <= fields[n][1] < end]
            at = end
    if names:
        error.hint = (
            f"Among {', '.join(names[:8])} are some that the slave does not measure, as it may be "
            "with parameters; have them read again and again: polling=True, or "
            "event={name: 'polling'}."
        )
    return set(names)
