"""The DAQ lists of one connection: set up, started, watched and stopped for one measurement."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import ExchangeTimeoutError, NegativeResponseError, UsageError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.clock import COMMON_INITIATORS, clock_properties, read_clocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.client.connection import Connection
    from xcaliper.client.measurement import Measurement
    from xcaliper.core.address import Address
    from xcaliper.core.errors import XcaliperError
    from xcaliper.core.frames import DtoBatch
    from xcaliper.core.samples import SampleBlock
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.xcp.procedures.clock import ClockProperties

__all__ = ["DaqPort"]

_MAX_EVENTS: Final = 4096
_SETTLE_S: Final = 0.02
_STOP_TIMEOUT_NS: Final = 500_000_000
_STOP_S: Final = 1.5
#: The same while data comes: the receiver may be too slow for it.
_STOP_LIMIT_S: Final = 10.0
_FREE_S: Final = 1.0
_ALIVE_S: Final = 1.5


class DaqPort:
    """What measurements of one connection share: its lists can serve one of them at a time.

    Args:
        connection: it belongs to.
        multiple: whether the slave takes WRITE_DAQ_MULTIPLE; None = not known.

    Attributes:
        connection: as given.
        measurement: the one that has the lists, or had them last.
        cluster: cluster of GET_DAQ_CLOCK_MULTICAST that the slave is put into; None leaves it.
    """

    def __init__(self, connection: Connection, *, multiple: bool | None) -> None:
        self.connection = connection
        self.measurement: Measurement | None = None
        self._multiple = multiple
        self._habits = daq_setup.SetupHabits(multiple=multiple)
        self._claim_lock = threading.Lock()
        self._silent = False
        self._terminated = False
        self._asleep = False
        self._overloads = 0
        self._fresh: list[Any] = []
        self._clocks: ClockProperties | None = None
        self._asked_clocks = False
        self.cluster: int | None = None
        self._events_lock = threading.Lock()
        self._events: deque[Any] = deque(maxlen=_MAX_EVENTS)

    # --- who has the lists ---

    def forget(self) -> None:
        """Forget what the slave turned out not to do."""
        self._habits = daq_setup.SetupHabits(multiple=self._multiple)

    def check_free(self) -> None:
        """Refuse a second measurement.

        Raises:
            UsageError: one is running.
        """
        if self.measurement is not None and self.measurement.is_running:
            raise UsageError(
                "measure: another measurement of this connection is running.",
                hint="Stop it, or put all signals into one.",
            )

    def claim(self, measurement: Measurement) -> None:
        """Give the DAQ lists of the slave to one measurement.

        Raises:
            UsageError: another one is running.
        """
        with self._claim_lock:
            if self.measurement is not measurement:
                self.check_free()
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

    def _read_clock(self, clock: TickClock) -> ClockReading | None:
        """The clock of DAQ timestamps with the host's time in the middle of the exchange."""
        from xcaliper.daq.correlation import daq_stamp
        from xcaliper.daq.timeline import ClockReading

        sample = self.connection.link.run(read_clocks(time.monotonic_ns, attempts=0))
        stamp = None if sample is None else daq_stamp(sample, self.clocks(), clock)
        if sample is None or stamp is None or sample.sent_ns is None:
            return None
        return ClockReading(stamp.ticks, (sample.sent_ns + sample.received_ns) // 2)

    def renew(self) -> None:
        """A new session has begun: what was set in the slave may be gone."""
        self._asked_clocks = self._asleep = False

    def setup(self, plan: DaqPlan) -> tuple[DaqDecoder, int]:
        """Allocate and fill the lists; gives a decoder and the host's time of its time 0.

        Raises:
            NegativeResponseError: the slave refused.
        """
        from xcaliper.daq.decode import DaqDecoder
        from xcaliper.daq.framed import FramedDecoder, is_suitable
        from xcaliper.daq.timeline import ClockReading
        from xcaliper.transport.drain import control_block, drain_kernel, prepare, reside_kernel

        prepare()
        link, session = self.connection.link, self.connection.session
        self._silent = self._terminated = False
        if not plan.lists:
            now = time.monotonic_ns()
            return DaqDecoder(plan, {}, ClockReading(0, now)), now
        pids = link.run(daq_setup.setup(session, plan.lists, habits=self._habits))
        numbered = {one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)}
        if plan.clock is not None:
            self.clocks()  # before the clock is read: it settles the form of the answer
        start = self._read_clock(plan.clock) if plan.clock is not None else None
        now = time.monotonic_ns() if start is None else start.t_ns
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

    def listen(
        self,
        decoder: DaqDecoder,
        sink: Callable[[DtoBatch], object],
        block_sink: Callable[[list[SampleBlock]], object],
    ) -> None:
        """Hand every batch of DAQ packets to a function from now on.

        Args:
            decoder: of :meth:`setup`.
            sink: gets batches for a decoder of packets.
            block_sink: gets blocks of a decoder that takes bytes as they are received.
        """
        from xcaliper.daq.framed import FramedDecoder

        self.take_overloads()
        self._terminated = False
        if isinstance(decoder, FramedDecoder):
            self.connection.link.start_blocks(decoder, block_sink)
        else:
            self.connection.link.start_daq(sink)

    def go(self, plan: DaqPlan) -> None:
        """Start the selected lists together."""
        self.connection.link.run(daq_setup.start(plan.lists))

    def halt(self, *, lists: bool = True) -> None:
        """Stop the lists, let the last packets arrive, stop listening, free the lists.

        Args:
            lists: False when there are none.

        Raises:
            ExchangeTimeoutError: the slave does not answer; listening has ended all the same.
        """
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
        """Stop every list; a slave whose data keeps coming is there, though its answer got lost.

        Raises:
            ExchangeTimeoutError: there is no answer.
        """
        link = self.connection.link
        until = time.monotonic() + _STOP_LIMIT_S
        while True:
            before = link.daq_received
            try:
                link.run(daq_setup.stop(timeout_ns=_STOP_TIMEOUT_NS), _STOP_S)
            except ExchangeTimeoutError:
                if link.daq_received == before or time.monotonic() > until:
                    raise
            else:
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
        """Ask for a sign of life; True while the slave says that DAQ lists run.

        Raises:
            ExchangeTimeoutError: there is none.
        """
        try:
            status = self.connection.link.run(ask(std.GetStatus()), _ALIVE_S)
        except ExchangeTimeoutError as error:
            raise self._gone("no data", error) from error
        return bool(status.session_status.daq_running)

    def _gone(self, what: str, error: ExchangeTimeoutError) -> ExchangeTimeoutError:
        """Nobody waits for this slave a second time; says so in terms of the measurement."""
        self._silent = True
        return ExchangeTimeoutError(
            f"measurement: {what}",
            timer=error.timer,
            attempts=error.attempts,
            elapsed_ns=error.elapsed_ns,
            hint="The slave has gone; what came until then is kept.",
        )

    # --- events of the slave ---

    def look(self) -> None:
        """Take note of what the slave told since the last call."""
        with self._events_lock:
            fresh = self.connection.link.events()
            self._events.extend(fresh)
            self._fresh = [*self._fresh, *fresh][-_MAX_EVENTS:]
            for event in fresh:
                self._overloads += event.name == "EV_DAQ_OVERLOAD"
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

    def take_overloads(self) -> int:
        """How often the slave told of lost samples since the last call."""
        self.look()
        with self._events_lock:
            count, self._overloads = self._overloads, 0
        return count
