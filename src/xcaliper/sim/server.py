"""A virtual ECU on UDP and TCP in real time: one thread, bounded waits, one master at a time."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.core.errors import FramingError, LinkError, UsageError
from xcaliper.sim.xcp_section import Endpoint
from xcaliper.transport.base import ask_receive_buffer, link_error, resolve
from xcaliper.transport.url import parse_url
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType
    from typing import Self

    from xcaliper.sim.ecu import VirtualEcu

__all__ = ["EcuServer", "ServerCounters"]

_CONNECT: Final = 0xFF
_MAX_WAIT_S: Final = 0.05
_MAX_LATE_NS: Final = 200_000_000
_MAX_DATAGRAM: Final = 65536
_DATAGRAM_LIMIT: Final = 1472  # what fits an Ethernet frame
_RECEIVE_BUFFER: Final = 1 << 20
_MAX_READS: Final = 64
_MAX_STREAM_BACKLOG: Final = 1 << 20
_MAX_DATAGRAM_BACKLOG: Final = 4096
_STREAM_CHUNK: Final = 65536
_JOIN_S: Final = 5.0


class ServerCounters:
    """What happened on the links of a server.

    Attributes:
        strangers: packets of somebody who holds no session.
        refused: TCP connections turned away.
        broken: connections closed because of a broken stream or a failed socket.
    """

    __slots__ = ("broken", "refused", "strangers")

    def __init__(self) -> None:
        self.strangers = 0
        self.refused = 0
        self.broken = 0


class _Udp:
    """Datagrams; the peer is whoever sent the last CONNECT."""

    def __init__(self, host: str, port: int, alignment: int, counters: ServerCounters) -> None:
        self._sock = _bind(host, port, socket.SOCK_DGRAM)
        ask_receive_buffer(self._sock, _RECEIVE_BUFFER, "udp")
        address = self._sock.getsockname()
        self.endpoint = Endpoint("udp", address[0], address[1])
        self._counters = counters
        self._alignment = alignment
        self._peer: tuple[Any, ...] | None = None
        self._framing = EthFraming(alignment)
        self._reader = DatagramReader(alignment)
        self._kept: deque[bytes] = deque()

    def sockets(self) -> list[socket.socket]:
        return [self._sock]

    def blocked(self) -> list[socket.socket]:
        return [self._sock] if self._kept else []

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            try:
                data, peer = self._sock.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # the kernel reports that a peer is gone: not our failure
                continue
            packets = self._reader.feed(data)
            if peer != self._peer:
                if not packets or packets[0][0] != _CONNECT:
                    self._counters.strangers += len(packets) or 1
                    continue
                self._peer = peer
                self._kept.clear()
            found += packets
        return found

    def restart(self) -> None:
        self._framing.reset()
        self._reader.reset()

    def send(self, packets: list[bytes]) -> None:
        if self._peer is None:
            return
        self._kept.extend(self._framing.frame_many(packets, _DATAGRAM_LIMIT))
        self.flush()

    def flush(self) -> None:
        kept = self._kept
        while kept and self._peer is not None:
            try:
                self._sock.sendto(kept[0], self._peer)
            except BlockingIOError:
                break
            except OSError:  # refused or too long: this datagram is lost, as on any cable
                self._counters.broken += 1
            kept.popleft()
        while len(kept) > _MAX_DATAGRAM_BACKLOG:
            kept.popleft()

    @property
    def busy(self) -> bool:
        """True while the socket takes no more."""
        return bool(self._kept)

    def close(self) -> None:
        self._sock.close()


class _Tcp:
    """One connection at a time; a second one is turned away while the first holds a session."""

    def __init__(
        self, host: str, port: int, alignment: int, max_cto: int, counters: ServerCounters
    ) -> None:
        self._listener = _bind(host, port, socket.SOCK_STREAM)
        self._listener.listen(4)
        address = self._listener.getsockname()
        self.endpoint = Endpoint("tcp", address[0], address[1])
        self._counters = counters
        self._conn: socket.socket | None = None
        self._framing = EthFraming(alignment)
        self._reader = StreamReader(alignment, max_packet=max(max_cto, 255))
        self._kept = bytearray()
        self.in_session: Callable[[], bool] = lambda: False
        self.dropped: Callable[[], None] = lambda: None

    def sockets(self) -> list[socket.socket]:
        return [self._listener] if self._conn is None else [self._listener, self._conn]

    def blocked(self) -> list[socket.socket]:
        return [self._conn] if self._conn is not None and self._kept else []

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            if self._conn is None:
                break
            try:
                chunk = self._conn.recv(_STREAM_CHUNK)
                if not chunk:
                    self._hang_up()
                    break
                found += self._reader.feed(chunk)
            except BlockingIOError:
                break
            except (OSError, FramingError):
                self._counters.broken += 1
                self._hang_up()
        self._accept()  # behind reading: the end of the old connection comes first
        return found

    def _accept(self) -> None:
        try:
            conn, _ = self._listener.accept()
        except OSError:  # nobody waits, or has given up already
            return
        if self._conn is not None:
            if self.in_session():
                self._counters.refused += 1
                conn.close()
                return
            self._hang_up()
        conn.setblocking(False)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._conn = conn
        self._reader.reset()
        self._framing.reset()

    def _hang_up(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
            self._kept.clear()
            self.dropped()

    def restart(self) -> None:
        self._framing.reset()
        self._reader.restart_counter()

    def send(self, packets: list[bytes]) -> None:
        if self._conn is None:
            return
        for packet in packets:
            self._kept += self._framing.frame(packet)
        self.flush()

    def flush(self) -> None:
        while self._kept and self._conn is not None:
            try:
                sent = self._conn.send(self._kept)
            except BlockingIOError:
                return
            except OSError:
                self._counters.broken += 1
                self._hang_up()
                return
            del self._kept[:sent]

    @property
    def busy(self) -> bool:
        """True while much waits for the master to read."""
        return len(self._kept) > _MAX_STREAM_BACKLOG

    def close(self) -> None:
        self._hang_up()
        self._listener.close()


def _bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    scheme = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    failure: OSError | None = None
    for family, address in resolve(host, port, kind, passive=True):
        try:
            sock = socket.socket(family, kind)
        except OSError as cause:
            failure = cause
            continue
        try:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.setblocking(False)
        except OSError as cause:
            failure = cause
            sock.close()
            continue
        return sock
    assert failure is not None, "resolve() gives at least one address"
    name = str(Endpoint(scheme, host, port))
    if getattr(failure, "errno", None) in (98, 48, 10048):
        raise LinkError(
            f"{name}: the port is taken.", hint="Choose another port, or 0 for any."
        ) from failure
    raise link_error(name, failure, "listening") from failure


class EcuServer:
    """Serves one virtual ECU, in the calling thread or in one of its own.

    The newest CONNECT owns the session; packets of others are counted and ignored. An ECU that
    comes too late (a stopped process, a sleeping laptop) skips tasks and counts them.

    Args:
        ecu: the ECU; its A2L is written anew with the real ports.
        urls: where to listen, ``udp://127.0.0.1:5555``; port 0 takes any.
        clock: nanoseconds that never go back.

    Attributes:
        endpoints: where it listens.
        counters: what happened on the links.

    Raises:
        UsageError: a URL is wrong.
        LinkError: a port cannot be opened.
    """

    def __init__(
        self,
        ecu: VirtualEcu,
        urls: Sequence[str] = ("udp://127.0.0.1:0",),
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not urls:
            raise UsageError("virtual ECU: give at least one URL to listen on.")
        self.ecu = ecu
        self.counters = ServerCounters()
        self._clock = clock
        self._stop = threading.Event()
        self._served = False
        self._thread: threading.Thread | None = None
        self._links: list[_Udp | _Tcp] = []
        try:
            for url in urls:
                self._links.append(self._open(url))
        except BaseException:
            self._close_links()
            raise
        self.endpoints = tuple(link.endpoint for link in self._links)
        ecu.announce(self.endpoints)
        self._owner: _Udp | _Tcp | None = None
        self._zero_ns = 0

    def _open(self, url: str) -> _Udp | _Tcp:
        wanted = parse_url(url)
        if wanted.scheme == "udp":
            return _Udp(wanted.host, wanted.port, wanted.alignment, self.counters)
        link = _Tcp(
            wanted.host,
            wanted.port,
            wanted.alignment,
            self.ecu.slave.config.max_cto,
            self.counters,
        )
        link.in_session = lambda: self._owner is link and self.ecu.slave.connected
        link.dropped = lambda: self._dropped(link)
        return link

    @property
    def url(self) -> str:
        """The first endpoint, as a master writes it."""
        return str(self.endpoints[0])

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
        end_ns = None if duration_s is None else self._clock() + int(duration_s * 1e9)
        try:
            while not self._stop.is_set() and (end_ns is None or self._clock() < end_ns):
                self._turn()
        finally:
            self._say_goodbye()
            self._close_links()

    def _now_ns(self) -> int:
        return self._clock() - self._zero_ns

    def _turn(self) -> None:
        """One round: tasks, packets out, wait for packets in or the next task."""
        ecu = self.ecu
        now_ns = self._now_ns()
        if now_ns - ecu.due() > _MAX_LATE_NS:
            ecu.scheduler.skip_to(now_ns)
        ecu.on_time(now_ns)
        self._drain()
        wait_s = min(max((ecu.due() - self._now_ns()) * 1e-9, 0.0), _MAX_WAIT_S)
        links = self._links
        reading = [sock for link in links for sock in link.sockets()]
        writing = [sock for link in links for sock in link.blocked()]
        ready, writable, _ = select.select(reading, writing, (), wait_s)
        if not ready and not writable:
            return
        for link in links:
            if writable:
                link.flush()
            if any(sock in ready for sock in link.sockets()):
                self._receive(link)

    def _receive(self, link: _Udp | _Tcp) -> None:
        for packet in link.read():
            if packet[0] == _CONNECT and self._owner is not link:
                self._owner = link
            if self._owner is not link:
                self.counters.strangers += 1
                continue
            if packet[0] == _CONNECT:
                link.restart()
            self.ecu.receive(packet, self._now_ns())
        self._drain()

    def _drain(self) -> None:
        owner = self._owner
        if owner is None or owner.busy:
            return  # the slave's own queue fills, drops and counts
        packets = self.ecu.outgoing()
        if packets:
            owner.send(packets)

    def _dropped(self, link: _Tcp) -> None:
        if self._owner is link:
            self._owner = None
            self.ecu.slave.drop(self._now_ns())
            self.ecu.outgoing()

    def _say_goodbye(self) -> None:
        self.ecu.slave.terminate(self._now_ns())
        self._drain()

    def _close_links(self) -> None:
        for link in self._links:
            link.close()

    # stopping, threads, signals

    def stop(self) -> None:
        """Ask the loop to end; harmless from any thread and from a signal handler."""
        self._stop.set()

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
            self._close_links()

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
