"""A virtual ECU on UDP and TCP in real time: one thread, bounded waits, one master at a time."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from xcaliper.core.errors import LinkError, UsageError
from xcaliper.sim.clock_section import takes_multicasts
from xcaliper.sim.quirky_ports import open_quirky_port
from xcaliper.sim.xcp_section import Endpoint
from xcaliper.transport.discovery import DiscoveryPort
from xcaliper.transport.multicast import MulticastPort
from xcaliper.transport.ports import DATAGRAM_LIMIT
from xcaliper.transport.server import SlaveServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType
    from typing import Self

    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.transport.ports import SessionRules, SlavePort
    from xcaliper.transport.server import ServerCounters
    from xcaliper.xcp.slave import SlaveMachine

__all__ = ["EcuServer"]

#: How late the tasks of an ECU may run before they are given up, unless told otherwise.
MAX_LATE_S: Final = 0.2
#: Tasks wait for each other so long: waking up for every single one costs more than its work.
_PACE_NS: Final = 4_000_000
#: The same while nobody measures; a command is served with what is due until then.
_IDLE_PACE_NS: Final = 10_000_000
_JOIN_S: Final = 5.0
_MAX_WISHES: Final = 100
_ANY: Final = "0.0.0.0"  # noqa: S104 -- every interface


class _Paced:
    """An ECU as its server sees it: tasks run a few at a time, those far too late are given up.

    Their times are those at which they are due, so nobody can tell but by the time of arrival.
    """

    def __init__(self, ecu: VirtualEcu, max_late_s: float) -> None:
        self._ecu = ecu
        self._max_late_ns = int(max_late_s * 1e9)
        self._ran_ns = 0
        self.outgoing = ecu.outgoing
        self.outgoing_blocks = ecu.outgoing_blocks
        self.reboot_wanted = threading.Event()
        self.wishes: deque[Callable[[SlaveMachine, int], None]] = deque(maxlen=_MAX_WISHES)
        self.hang_up: Callable[[], None] = _nothing

    @property
    def alignment(self) -> int:
        """Bytes that the transport of the session aligns messages to."""
        return self._ecu.alignment

    @alignment.setter
    def alignment(self, size_bytes: int) -> None:
        self._ecu.alignment = self._ecu.slave.alignment = size_bytes

    @property
    def connected(self) -> bool:
        """True inside a session."""
        return self._ecu.slave.connected

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one packet of the master on an ECU that is up to date."""
        if self._ecu.due() <= now_ns:
            self.on_time(now_ns)
        self._ecu.receive(packet, now_ns)

    def due(self) -> int:
        """When the next tasks run."""
        restart = self._ecu.slave.state.program.restart
        if self.reboot_wanted.is_set() or self.wishes or restart:
            return 0
        if self._ecu.slave.stim_running:
            return self._ecu.due()  # somebody answers to what is sampled: no time may be lost
        pace_ns = _PACE_NS if self._ecu.slave.daq_running else _IDLE_PACE_NS
        return max(self._ecu.due(), self._ran_ns + pace_ns)

    def on_time(self, now_ns: int) -> None:
        """Run what is due, after a long sleep of the process only what is left of it."""
        self._ran_ns = now_ns
        ecu = self._ecu
        slave = ecu.slave
        if now_ns - ecu.due() > self._max_late_ns:
            ecu.skip_to(now_ns)
        ecu.on_time(now_ns)
        if self.reboot_wanted.is_set():
            ecu.reboot(now_ns)
            self.reboot_wanted.clear()
        while self.wishes:
            self.wishes.popleft()(ecu.slave, now_ns)
        if ecu.slave is not slave:
            self.hang_up()

    def drop(self, now_ns: int) -> None:
        """The connection is gone."""
        self._ecu.slave.drop(now_ns)


def _nothing() -> None:
    return


class EcuServer:
    """Serves one virtual ECU, in the calling thread or in one of its own.

    The newest CONNECT owns the session; packets of others are counted and ignored. On UDP another
    host has to wait for the end of a session. An ECU that comes too late (a stopped process, a
    sleeping laptop) skips tasks, counts them (``ecu.scheduler.skipped``) and notes it in its log when
    they are being measured.

    Args:
        ecu: the ECU; its A2L is written anew with the real ports.
        urls: where to listen, ``udp://127.0.0.1:5555``; port 0 takes any.
        datagram_limit: bytes of one UDP datagram that the server sends.
        rules: what becomes of a master that comes while another one has the session.
        max_late_s: seconds that tasks may run late; what is later is skipped, all else made up for.
        clock: nanoseconds that never go back.

    Attributes:
        endpoints: where it listens.
        discovery: where it hears the search for slaves; None when that cannot be.
        multicast: where it hears GET_DAQ_CLOCK_MULTICAST; None when it does not, or the port or the
            network does not let it.

    Raises:
        UsageError: a URL is wrong.
        LinkError: a port cannot be opened.
    """

    def __init__(
        self,
        ecu: VirtualEcu,
        urls: Sequence[str] = ("udp://127.0.0.1:0",),
        *,
        datagram_limit: int = DATAGRAM_LIMIT,
        rules: SessionRules | None = None,
        max_late_s: float = MAX_LATE_S,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not urls:
            raise UsageError("virtual ECU: give at least one URL to listen on.")
        if not 0 <= max_late_s < math.inf:
            raise UsageError(f"virtual ECU: {max_late_s} s is not how late a task may run.")
        self.ecu = ecu
        self._clock = clock
        self._zero_ns = 0
        self._stop = threading.Event()
        self._served = False
        self._thread: threading.Thread | None = None
        ports: list[SlavePort] = []
        with contextlib.ExitStack() as undo:
            for url in urls:
                most = max(ecu.slave.config.max_cto, 255)
                quirks = ecu.slave.config.quirks
                ports.append(open_quirky_port(url, quirks, max_packet=most, limit=datagram_limit))
                undo.callback(ports[-1].close)
            undo.pop_all()
        self.multicast = self._open_multicast(ports[0].address[0])
        self.discovery = self._open_discovery(ports[0].address[0])
        shared = [port for port in (self.multicast, self.discovery) if port is not None]
        self._paced = _Paced(ecu, max_late_s)
        self._server = SlaveServer(self._paced, [*ports, *shared], rules=rules, clock=self._now_ns)
        self._paced.hang_up = self._hang_up
        self._server.resumed = lambda: ecu.slave.resumed
        self._saved, ecu.nonvolatile.changed = ecu.nonvolatile.changed, self._stored
        self.endpoints = tuple(Endpoint(port.scheme, *port.address) for port in ports)
        ecu.announce(self.endpoints)
        self._find_master()

    def _hang_up(self) -> None:
        """The ECU has started anew: the session is gone, lists of RESUME go to the last master."""
        self._server.hang_up()
        self._find_master()

    def _find_master(self) -> None:
        if self.ecu.slave.resumed:
            self._server.remember(self.ecu.nonvolatile.master)

    def _stored(self) -> None:
        """Something was stored: lists that start with the next power-up are for who asked for it."""
        self.ecu.nonvolatile.master = self._server.master or self.ecu.nonvolatile.master
        self._saved()

    def _open_multicast(self, host: str) -> MulticastPort | None:
        if not takes_multicasts(self.ecu.slave.config):
            return None
        interface = "" if ":" in host or host == _ANY else host
        try:
            return MulticastPort(lambda: self.ecu.slave.state.clocks.cluster, interface=interface)
        except LinkError:  # everything else works without
            return None

    def _open_discovery(self, host: str) -> DiscoveryPort | None:
        if ":" in host:
            return None
        try:
            return DiscoveryPort(
                lambda packet: self.ecu.search(packet, self._now_ns()),
                interface="" if host == _ANY else host,
            )
        except LinkError:  # everything else works without
            return None

    @property
    def url(self) -> str:
        """The first endpoint, as a master writes it."""
        return str(self.endpoints[0])

    @property
    def thread_id(self) -> int | None:
        """Identifier of the background thread; None before it runs."""
        return self._thread.ident if self._thread is not None else None

    @property
    def counters(self) -> ServerCounters:
        """What happened on the links so far."""
        return self._server.counters

    # the loop

    def serve(self, duration_s: float | None = None) -> None:
        """Serve until :meth:`stop`, or for a time; links are closed afterwards.

        Raises:
            UsageError: it has served before.
        """
        if self._served:
            raise UsageError("virtual ECU: a server runs once.", hint="Make a new one.")
        self._served = True
        self._zero_ns = self._clock() - max(self.ecu.due(), 0)
        until_ns = None if duration_s is None else self._now_ns() + int(duration_s * 1e9)
        try:
            self._server.serve(self._stop.is_set, until_ns=until_ns)
        finally:
            self.ecu.slave.terminate(self._now_ns())
            self._server.flush()
            self._server.close()

    def _now_ns(self) -> int:
        return self._clock() - self._zero_ns

    # stopping, threads, signals

    def stop(self) -> None:
        """Ask the loop to end; harmless from any thread and from a signal handler."""
        self._stop.set()

    def reboot(self) -> None:
        """Let the ECU start anew within 50 ms: session and lists are gone, counters begin again.

        The master hears nothing of it on UDP; a TCP connection ends.
        """
        self._paced.reboot_wanted.set()

    def end_session(self) -> None:
        """Let the slave end the session, and say so, within 50 ms (XCP Base, EV_SESSION_TERMINATED)."""
        self._paced.wishes.append(lambda slave, now_ns: slave.terminate(now_ns))

    def sleep(self) -> None:
        """Let the slave fall asleep, and say so, within 50 ms (XCP Base, EV_SLEEP)."""
        self._paced.wishes.append(lambda slave, _now_ns: slave.sleep())

    def wake(self) -> None:
        """Let the slave wake up, and say so, within 50 ms (XCP Base, EV_WAKE_UP)."""
        self._paced.wishes.append(lambda slave, _now_ns: slave.wake())

    def start(self) -> Self:
        """Serve in a background thread.

        Raises:
            UsageError: it was started before.
        """
        if self._thread is not None or self._stop.is_set():
            raise UsageError("virtual ECU: a server runs once.", hint="Make a new one.")
        self._thread = threading.Thread(target=self.serve, name="virtual-ecu", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop and wait for the end, in bounded time."""
        self.stop()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        else:
            self._server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def serve_until_signal(self, duration_s: float | None = None) -> None:
        """Serve in the calling main thread until SIGINT or SIGTERM; handlers are put back."""

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        numbers = [signal.SIGINT, signal.SIGTERM]
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            self.serve(duration_s)
        finally:
            for number, handler in before.items():
                with contextlib.suppress(TypeError):  # a handler of another language
                    signal.signal(number, handler)
