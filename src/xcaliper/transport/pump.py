"""The one loop: transport ↔ framing ↔ machine; whoever holds the lock drives.

A synchronous caller takes the lock, sends, and reads until its answer is there; DAQ packets that it
meets go to the inbox. A pump thread tries the lock every tick, drains without blocking and hands
the inbox to the sink. With compiled code and no commands on their way it stays in the receive for
many ticks, until somebody wants the lock.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    LocalProtocolError,
    UsageError,
    XcaliperError,
)
from xcaliper.daq.kernels import LARGE
from xcaliper.proto.procedure import ask
from xcaliper.transport.acquisition import BufferedSource
from xcaliper.transport.base import readable_within
from xcaliper.transport.drain import Stay
from xcaliper.transport.driver import HOLD_BYTES, Driver
from xcaliper.transport.inbox import DaqInbox
from xcaliper.transport.pace import Pace, Turns
from xcaliper.xcp.std import Disconnect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from xcaliper.daq.framed import FramedDecoder
    from xcaliper.proto.exchange import Waiting
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.base import Transport
    from xcaliper.transport.inbox import BlockSink, DaqSink
    from xcaliper.xcp.framing.counter import Gap
    from xcaliper.xcp.master import MasterEvent, MasterMachine

__all__ = ["Link"]

T = TypeVar("T")

_MAX_EVENTS: Final = 4096
#: How long a prompt pump waits while somebody else has the link, who takes what comes.
_HELD_TICK_S: Final = 0.0004
#: Bytes of one tick from which joined datagrams are worth a dearer system call per answer.
_BATCHING_BYTES: Final = 32 << 10
_IDLE_TICK_S: Final = 0.025
#: How long it does not stay after a command.
_COMMANDED_NS: Final = 3_000_000
_CLOSE_NS: Final = 500_000_000
_SLICE_S: Final = 0.1
#: How long a prompt pump waits for the socket: submitted procedures wait as long.
_PROMPT_TICK_S: Final = 0.002
#: Bytes of packets that share a datagram: what an Ethernet frame holds.
_DATAGRAM_BYTES: Final = 1472
_STOP_S: Final = 5.0
_MAX_FINAL_POLLS: Final = 1024


class Link:
    """One connection: a transport, its framing, the master on it and one lock.

    Args:
        transport: open; the link owns and closes it.
        machine: the master.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        threaded: False for no pump thread; :meth:`poll` has to be called instead.
        clock: monotonic nanoseconds.
        switch_interval_s: thread switch interval of the interpreter while DAQ runs; it is a setting
            of the whole process, so None leaves it alone. 0.001 keeps a busy thread of the
            application from delaying the pump.
        may_hurry: with None above, lower it to 1 ms all the same while a decoder's DAQ starts, and
            once a busy thread has kept the pump waiting while much came; put it back after that.

    Attributes:
        transport: as given.
        machine: as given; touch it only inside procedures.
        diagnostics: what is not as good as it could be.
        on_news: called when there are new :meth:`events`, and when the link fails; by any thread.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        transport: Transport,
        machine: MasterMachine,
        *,
        alignment: int = 1,
        threaded: bool = True,
        clock: Callable[[], int] = time.monotonic_ns,
        switch_interval_s: float | None = None,
        may_hurry: bool = True,
        on_wait: Callable[[Waiting], object] | None = None,
    ) -> None:
        self.transport = transport
        self.machine = machine
        self.diagnostics: list[Diagnostic] = list(transport.diagnostics)
        self._clock = clock
        self._inbox = DaqInbox()
        self._driver = Driver(transport, machine, self._inbox, alignment=alignment, clock=clock)
        self._driver.on_wait = on_wait
        self.on_news: Callable[[], object] = lambda: None
        self._events: deque[MasterEvent] = deque(maxlen=_MAX_EVENTS)
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._queueing: list[None] = []
        self._submitted: deque[tuple[Procedure[Any], float | None, Future[Any]]] = deque()
        self._closed = False
        self._close_lock = threading.Lock()
        self._turns = Turns(switch_interval_s, may_hurry=may_hurry)
        self._pace = Pace(transport.buffer_size)
        self._wake = threading.Lock()
        self._wake.acquire()
        self._pump_id = 0
        self._pump_drives = False
        self._stay: Stay | None = None
        self._sent = 0
        self._commanded_ns = 0
        self._prompt: Callable[[float], bool] | None = None
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(
                target=self._pump, name=f"xcaliper {transport.name}", daemon=True
            )
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- what happened ---

    @property
    def name(self) -> str:
        """Address of the peer as a URL."""
        return self.transport.name

    @property
    def clock(self) -> Callable[[], int]:
        """Monotonic nanoseconds, as packets are stamped."""
        return self._clock

    @property
    def is_open(self) -> bool:
        """True until the link is closed or has failed."""
        return not self._driver.closing and self._driver.failure is None

    @property
    def failure(self) -> XcaliperError | None:
        """Why the link cannot be used any more; None while it can."""
        return self._driver.failure

    @property
    def lost_messages(self) -> int:
        """Messages of any kind missing so far, by the transport counter."""
        return self._driver.reader.lost

    @property
    def gaps(self) -> list[Gap]:
        """The latest gaps of the transport counter with their time range, oldest first."""
        return list(self._driver.reader.gaps)

    @property
    def malformed(self) -> int:
        """Frames, or rests of frames, that were damaged."""
        return self._driver.reader.counts.malformed

    @property
    def daq_received(self) -> int:
        """DAQ packets taken since the link was opened."""
        return self._inbox.received

    @property
    def daq_dropped(self) -> int:
        """DAQ packets that found no room, or no working sink."""
        return self._inbox.dropped

    @property
    def daq_stray(self) -> int:
        """DAQ packets that came while no sink was set."""
        return self._inbox.stray

    def events(self) -> list[MasterEvent]:
        """Event and service packets since the last call, oldest first; the latest 4096 are kept."""
        found: list[MasterEvent] = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._events.popleft())
        return found

    # --- commands ---

    def run(self, procedure: Procedure[T], timeout_s: float | None = None) -> T:
        """Run a procedure to its end and give its result; the caller drives.

        Args:
            procedure: sequence of commands; nothing else comes in between.
            timeout_s: for everything together; None = the timers of the commands decide.

        Raises:
            NegativeResponseError: the slave refused.
            ExchangeTimeoutError: no answer in time.
            LinkError: the link is closed or failed.
        """
        deadline = None if timeout_s is None else self._clock() + int(timeout_s * 1e9)
        self._acquire(timeout_s)
        try:
            return self._driver.drive(procedure, deadline)
        finally:
            self._collect()
            self._lock.release()

    def submit(self, procedure: Procedure[T], timeout_s: float | None = None) -> Future[T]:
        """Let the pump thread run a procedure; the future gets its result or error."""
        future: Future[T] = Future()
        if self._thread is None:
            raise UsageError(f"{self.name}: there is no pump thread.", hint="Use run() instead.")
        self._submitted.append((procedure, timeout_s, future))
        self._wake_pump()
        if self._driver.closing:
            self._fail_submitted()
        return future

    def short_upload(self, address: int, size: int, extension: int = 0) -> bytes:
        """Read a few bytes in one round trip (XCP Base, SHORT_UPLOAD, 1.0).

        Args:
            address: in units of the address granularity.
            size: bytes; at most what fits into one answer.
            extension: address extension.

        Raises:
            NegativeResponseError: the slave refused.
            ExchangeTimeoutError: no answer in time.
            LinkError: the link is closed or failed.
            UsageError: the size does not fit, or the numbers are out of range.
        """
        lock = self._lock
        if self._queueing or not lock.acquire(False):
            self._acquire(None)
        try:
            return self._driver.short_upload(address, size, extension)
        finally:
            lock.release()

    def _acquire(self, timeout_s: float | None) -> None:
        """Take the lock in turn: a caller in a tight loop sees that others wait and queues too.

        The pump goes on delivering while it waits.
        """
        pumping = threading.get_ident() == self._pump_id
        if pumping and self._pump_drives:
            raise LocalProtocolError(f"{self.name}: a sink cannot run commands; use submit().")
        until = None if timeout_s is None else time.monotonic() + max(timeout_s, 0)
        self._queueing.append(None)
        self._leave()
        try:
            self._acquire_one(self._turn, until, pumping=pumping)
            try:
                self._acquire_one(self._lock, until, pumping=pumping)
            finally:
                self._turn.release()
        finally:
            self._queueing.pop()

    def _acquire_one(self, lock: threading.Lock, until: float | None, *, pumping: bool) -> None:
        while True:
            wait = _IDLE_TICK_S if pumping else _SLICE_S
            if until is not None:
                wait = min(wait, max(until - time.monotonic(), 0))
            if lock.acquire(timeout=wait):
                return
            self._driver.check()
            if until is not None and time.monotonic() >= until:
                raise ExchangeTimeoutError(
                    "link",
                    timer="caller's time",
                    attempts=0,
                    elapsed_ns=0,
                    hint="Another caller kept the link busy.",
                )
            if pumping:
                self._deliver()

    # --- DAQ ---

    def start_blocks(self, decoder: FramedDecoder, sink: BlockSink) -> None:
        """As :meth:`start_daq`, but received bytes go to a decoder and its blocks to the sink.

        The decoder belongs to the link until :meth:`stop_daq`.

        Raises:
            UsageError: a sink is set already.
            LinkError: the link is closed or failed.
        """
        can_stay = sys.platform == "linux"

        def begin() -> None:
            # A large buffer holds what a burst brings meanwhile, and timestamps do not care.
            self._pace.begin(self._clock(), patient=decoder.is_patient)
            if self._thread is not None and self._clock is time.monotonic_ns and can_stay:
                decoder.control[LARGE] = self._pace.large
                self._stay = Stay(decoder.control)
            self._driver.begin_acquisition(decoder, self._stay)
            self._inbox.start_blocks(decoder, sink)

        self._begin_daq(begin)

    def keep_fresh(self) -> None:
        """Hand out blocks every 20 ms, whatever it costs, until DAQ ends: somebody looks at them."""
        self._pace.is_fresh = True

    def start_daq(self, sink: DaqSink, *, prompt: bool = False) -> None:
        """Give every DAQ packet from now on to the sink, in batches and in order.

        The sink is called by the pump thread, never while a synchronous caller waits for it. What
        it raises ends the delivery and is raised by :meth:`stop_daq`.

        Args:
            sink: gets the packets.
            prompt: let the pump wait for the socket and not for its next tick, so that the sink is
                called as soon as something comes. It costs more where much comes.

        Raises:
            UsageError: a sink is set already.
            LinkError: the link is closed or failed.
        """
        transport = self.transport
        if prompt and isinstance(transport, BufferedSource):
            self._prompt = readable_within(transport.fileno())

        def begin() -> None:
            self._pace.begin(self._clock(), patient=False)
            self._inbox.start(sink)

        self._begin_daq(begin)

    def send_data(self, packets: Sequence[bytes]) -> None:
        """Send packets that nobody answers (STIM), in order; any thread may, a sink as well.

        Raises:
            LinkError: the link is closed or failed.
        """
        self._driver.send_data(packets, _DATAGRAM_BYTES)

    def _begin_daq(self, begin: Callable[[], None]) -> None:
        self._driver.check()
        if self._inbox.running:
            raise UsageError(f"{self.name}: DAQ has a sink already.", hint="Call stop_daq() first.")
        self._acquire(None)
        try:
            begin()
        finally:
            self._lock.release()
        self._turns.begin(stays=self._stay is not None)
        self._wake_pump()

    def stop_daq(self) -> None:
        """Deliver what has come so far and let the sink go; harmless without one.

        Raises:
            Exception: what the sink raised.
            LinkError: the sink was still busy after five seconds.
        """
        error = self._end_daq()
        if error is not None:
            raise error

    def _end_daq(self) -> Exception | None:
        if not self._inbox.running:
            return None
        self._prompt = None
        self._pace.is_fresh = False
        self._turns.end()
        self._leave()
        if self._lock.acquire(timeout=_STOP_S):
            try:
                if self._stay is not None:
                    self._stay.close()
                    self._stay = None
                with contextlib.suppress(OSError):
                    self.transport.set_batching(on=False)
                with contextlib.suppress(XcaliperError):  # what came before a failure still counts
                    for _ in range(_MAX_FINAL_POLLS):
                        if not self._driver.poll():
                            break
                self._driver.end_acquisition()
            finally:
                self._lock.release()
        finished = self._inbox.finish(self._clock(), _STOP_S)
        if self._inbox.error is not None:
            return self._inbox.error
        if not finished:
            return LinkError(f"{self.name}: the DAQ sink is stuck.", hint="Let it return sooner.")
        return None

    # --- pump ---

    def poll(self) -> int:
        """Drain what waits and hand it on; for links without a thread. Gives the bytes taken.

        Raises:
            LinkError: the link failed.
        """
        self._acquire(None)
        try:
            self._driver.check()
            size = self._driver.poll()
            self._collect()
        finally:
            self._lock.release()
        self._inbox.deliver(self._clock())
        return size

    def _collect(self) -> None:
        fresh = self.machine.events()
        if fresh:
            self._events.extend(fresh)
            self.on_news()

    def _leave(self) -> None:
        """Get the pump out of a long stay; harmless when it does not stay."""
        stay = self._stay
        if stay is not None:
            stay.end()

    def _wake_pump(self) -> None:
        self._leave()
        with contextlib.suppress(RuntimeError):  # awake already
            self._wake.release()

    def _pump(self) -> None:
        self._pump_id = threading.get_ident()
        more = told = False
        while not self._driver.closing:
            prompt = self._prompt if self._inbox.running else None
            if not more and prompt is None:
                running = self._inbox.running
                self._wake.acquire(timeout=self._pace.pause_s if running else _IDLE_TICK_S)
            try:
                more = self._tick() if prompt is None else self._turn_promptly(prompt)
            except Exception as error:  # noqa: BLE001 - whatever it is, callers shall hear of it
                more = False
                if self._driver.failure is None and not isinstance(error, LinkError):
                    self._driver.failure = LinkError(f"{self.name}: the pump failed ({error!r}).")
            if self._driver.failure is not None:
                self._inbox.deliver(self._clock())
                self._fail_submitted()
                if not told:
                    self.on_news()
                told = True

    def _turn_promptly(self, is_readable: Callable[[float], bool]) -> bool:
        """Wait for the socket, a few ms at most, and hand on what has come."""
        ready = False
        if self._driver.failure is not None:
            self._wake.acquire(timeout=_IDLE_TICK_S)
        elif self._lock.locked():  # whoever holds it takes what comes
            self._wake.acquire(timeout=_HELD_TICK_S)
        else:
            ready = is_readable(_PROMPT_TICK_S)
        if ready and self._lock.acquire(False):
            try:
                self._driver.take_one()
                self._collect()
            finally:
                self._lock.release()
        self._deliver()
        if self._submitted:
            self._run_submitted()
        return False

    def _tick(self) -> bool:
        """One turn of the pump; True when the next one should follow at once."""
        size, stayed, pace = 0, False, self._pace
        if self._driver.failure is None and self._lock.acquire(False):
            try:
                stayed = self._may_stay()
                size = self._remain() if stayed else self._drain()
                if pace.is_late and size > pace.large:
                    self._turns.note_wait()
                if size > _BATCHING_BYTES and self._inbox.running:
                    self.transport.set_batching(on=True)
                self._collect()
            finally:
                self._lock.release()
        if self._inbox.waiting:
            self._inbox.deliver(self._clock())
        if self._submitted:
            self._run_submitted()
        if stayed and not self._queueing:
            return True
        return bool(self._submitted) or pace.is_behind(size, self._driver.worthwhile_bytes)

    def _may_stay(self) -> bool:
        """Whether nobody needs the link while the pump stays in the receive."""
        if self._stay is None or not self._driver.can_stay:
            return False
        now, sent = self._clock(), self._driver.framing.counter
        if sent != self._sent:
            self._sent, self._commanded_ns = sent, now
        if now - self._commanded_ns < _COMMANDED_NS:
            return False
        # Whoever wants it to end after this is seen, by the kernel or here.
        self._stay.begin(self._pace.pause_s)
        return not (self._queueing or self._submitted or self._driver.closing)

    def _remain(self) -> int:
        """Receive tick by tick for a while; gives the number of bytes."""
        pace = self._pace
        until = self._clock() + pace.stay_ns
        size = self._driver.poll(HOLD_BYTES, until)
        if size:
            self._turns.stayed(pace.stay_ns)
        pace.stayed(size, self._driver.worthwhile_bytes, until, self._clock())
        return size

    def _drain(self) -> int:
        """Take what waits; gives the number of bytes."""
        running, wanted = self._inbox.running, bool(self._queueing)
        share = self._pace.share(self._clock(), running=running, wanted=wanted)
        size = self._driver.poll(share)
        self._pace.drained(size, self._driver.worthwhile_bytes)
        return size

    def _run_submitted(self) -> None:
        try:
            procedure, timeout_s, future = self._submitted.popleft()
        except IndexError:
            return
        if not future.set_running_or_notify_cancel():
            procedure.close()
            return
        try:
            deadline = None if timeout_s is None else self._clock() + int(timeout_s * 1e9)
            self._acquire(timeout_s)
            self._pump_drives = True
            try:
                result = self._driver.drive(procedure, deadline, idle=self._deliver)
                self._collect()
            finally:
                self._pump_drives = False
                self._lock.release()
        except Exception as error:  # noqa: BLE001 - it belongs to the one who submitted
            future.set_exception(error)
        else:
            future.set_result(result)

    def _deliver(self) -> None:
        if self._inbox.waiting:
            self._inbox.deliver(self._clock())

    def _fail_submitted(self) -> None:
        while self._submitted:
            try:
                procedure, _, future = self._submitted.popleft()
            except IndexError:
                return
            procedure.close()
            if future.set_running_or_notify_cancel():
                error = self._driver.failure or LinkError(f"{self.name}: the link is closed.")
                future.set_exception(error)

    # --- end ---

    def close(self) -> None:
        """Say DISCONNECT, stop the pump, give the socket back; in bounded time, from any thread.

        Harmless when closed. What a sink raised, or that it got stuck, is in ``diagnostics``.
        """
        if not self._close_lock.acquire(timeout=_STOP_S):
            return
        try:
            if self._closed:
                return
            self._closed = True
            self._say_goodbye()
            self._driver.closing = True
            self._wake_pump()
            error = self._end_daq()
            if error is not None:
                self.diagnostics.append(
                    Diagnostic(Severity.ERROR, "daq-sink", Where(self.name), f"DAQ sink: {error}")
                )
            thread = self._thread
            if thread is not None and thread is not threading.current_thread():
                thread.join(_STOP_S)
            self._fail_submitted()
            self._close_transport()
        finally:
            self._close_lock.release()

    def _close_transport(self) -> None:
        """Close the socket under the lock; a caller in a receive leaves after one slice."""
        locked = self._lock.acquire(timeout=1.0)
        try:
            with contextlib.suppress(OSError):
                self.transport.close()
        finally:
            if locked:
                self._lock.release()

    def _say_goodbye(self) -> None:
        if self._driver.failure is not None or not self.machine.connected:
            return
        if not self._lock.acquire(timeout=_CLOSE_NS / 1e9):
            return
        try:
            with contextlib.suppress(XcaliperError):
                self._driver.drive(_goodbye(), self._clock() + _CLOSE_NS)
            self._collect()
        finally:
            self._lock.release()


def _goodbye() -> Procedure[None]:
    yield from ask(Disconnect(), attempts=1, timeout_ns=_CLOSE_NS)
