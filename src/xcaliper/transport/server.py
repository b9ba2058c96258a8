"""The slave's side of Ethernet: sockets that serve one slave machine, one session at a time."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.transport.base import (
    MAX_DATAGRAM,
    RECEIVE_BUFFER,
    ask_receive_buffer,
    format_address,
    link_error,
    resolve,
)
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from xcaliper.core.diagnostics import Diagnostic

__all__ = [
    "DATAGRAM_LIMIT",
    "ServedMachine",
    "SlaveServer",
    "TcpServer",
    "UdpServer",
    "open_server",
    "segment_runs",
]

#: Bytes of one datagram that fit an Ethernet frame *(XCP on Ethernet, MTU)*.
DATAGRAM_LIMIT: Final = 1472

_CONNECT: Final = 0xFF
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_MAX_SEGMENTS: Final = 60
_MAX_JOINED: Final = 65000
_TURN_NS: Final = 50_000_000
_PATIENCE_S: Final = 0.02
_MAX_PER_TURN: Final = 256
_DRAIN_NS: Final = 200_000_000


class ServedMachine(Protocol):
    """What a server needs of a slave."""

    @property
    def connected(self) -> bool:
        """True inside a session."""
        ...

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one command."""
        ...

    def outgoing(self) -> list[bytes]:
        """Answers and DTOs in order; each is given out once."""
        ...

    def on_time(self, now_ns: int) -> None:
        """A deadline passed."""
        ...

    def due(self) -> int | None:
        """Next deadline in nanoseconds."""
        ...

    def drop(self, now_ns: int) -> None:
        """The connection is gone."""
        ...


class SlaveServer(ABC):
    """What both servers share: the loop, its pacing, the counters.

    Attributes:
        machine: the slave; only the thread that serves may touch it.
        diagnostics: what is not as good as it could be.
        strangers: datagrams, or connections, of others during a session; they were ignored.
        refused_streams: connections ended because their bytes were no XCP.
        unsent: datagrams that found no room.
    """

    scheme = ""

    def __init__(self, machine: ServedMachine, *, alignment: int, clock: Callable[[], int]) -> None:
        self.machine = machine
        self.diagnostics: list[Diagnostic] = []
        self.strangers = 0
        self.refused_streams = 0
        self.unsent = 0
        self._framing = EthFraming(alignment)
        self._clock = clock
        self._sock: socket.socket

    def _listen(self, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
        family, address = resolve(host, port, kind, passive=True)[0]
        name = format_address(self.scheme, (host, port))
        try:
            sock = socket.socket(family, kind)
        except OSError as cause:
            raise link_error(name, cause, "opening") from cause
        try:
            if kind == socket.SOCK_STREAM and sys.platform != "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.setblocking(False)
        except OSError as cause:
            sock.close()
            raise link_error(name, cause, "listening") from cause
        return sock

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on; the port is a real one when 0 was asked for."""
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    @property
    def url(self) -> str:
        """Address for a master on the same machine."""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return format_address(self.scheme, (host, port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def serve(
        self,
        stop: threading.Event | Callable[[], bool],
        *,
        next_due_ns: Callable[[], int | None] | None = None,
        on_due: Callable[[int], object] | None = None,
        until_ns: int | None = None,
    ) -> None:
        """Serve until told to stop, noticed within 50 ms; the caller's thread does everything.

        Args:
            stop: an event, or a function that says True.
            next_due_ns: when the ECU's next task is due, on the server's clock; None = none.
            on_due: runs the tasks that are due; gets the time.
            until_ns: serve until this time on the server's clock.
        """
        stopped = stop.is_set if isinstance(stop, threading.Event) else stop
        machine, clock = self.machine, self._clock
        while not stopped():
            now = clock()
            if until_ns is not None and now >= until_ns:
                break
            wake = now + _TURN_NS if until_ns is None else min(now + _TURN_NS, until_ns)
            own = machine.due()
            if own is not None and own <= now:
                machine.on_time(now)
                own = machine.due()
            due = next_due_ns() if next_due_ns is not None else None
            if due is not None and due <= now and on_due is not None:
                on_due(now)
                due = next_due_ns() if next_due_ns is not None else None
            self.flush()
            for time_ns in (own, due):
                if time_ns is not None and time_ns < wake:
                    wake = time_ns
            self.step(wake - clock())
        self.flush()

    @abstractmethod
    def step(self, wait_ns: int = 0) -> None:
        """Wait at most so long for the master, serve what came, send the answers."""

    @abstractmethod
    def flush(self) -> None:
        """Send what the slave has to say."""

    @abstractmethod
    def close(self) -> None:
        """End the session and give the sockets back; harmless when closed."""


class UdpServer(SlaveServer):
    """Serves a slave over UDP; answers go to the sender of CONNECT.

    During a session, datagrams of others are ignored and counted. A CONNECT from another port of
    the same host takes the session over, so that a master that was restarted is not locked out.

    Args:
        machine: the slave.
        host: address to listen on.
        port: 0 = any free one, see ``address``.
        limit: bytes of one datagram; messages are gathered up to it.
        segmentation: let the system cut joined datagrams (UDP_SEGMENT) where it can.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        clock: monotonic nanoseconds.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "udp"

    def __init__(
        self,
        machine: ServedMachine,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        limit: int = DATAGRAM_LIMIT,
        segmentation: bool = True,
        alignment: int = 1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(machine, alignment=alignment, clock=clock)
        if not 16 <= limit <= _MAX_JOINED:
            raise SettingsError("limit", f"{limit} is not from 16 to {_MAX_JOINED} bytes")
        self._limit = limit
        self._sock = self._listen(host, port, socket.SOCK_DGRAM)
        _, self.diagnostics = ask_receive_buffer(self._sock, RECEIVE_BUFFER, self.url)
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER)
        self._reader = DatagramReader(alignment)
        self._peer: Any = None
        self._segmentation = segmentation and sys.platform == "linux"

    @property
    def malformed(self) -> int:
        """Damaged datagrams."""
        return self._reader.counts.malformed

    def step(self, wait_ns: int = 0) -> None:
        """Wait at most so long for the master, serve what came, send the answers."""
        if not _wait_readable([self._sock], wait_ns):
            return
        for _ in range(_MAX_PER_TURN):
            try:
                data, sender = self._sock.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # news about an earlier answer that nobody took
                continue
            self._serve(data, sender)

    def _serve(self, data: bytes, sender: Any) -> None:
        machine = self.machine
        if machine.connected and sender != self._peer and not self._takes_over(data, sender):
            self.strangers += 1
            return
        now = self._clock()
        for packet in self._reader.feed(data, now):
            if packet[0] == _CONNECT:
                self.flush()
                self._peer = sender
                self._framing.reset()
                self._reader.reset()
            machine.receive(packet, now)
        if self._peer == sender:
            self.flush()

    def _takes_over(self, data: bytes, sender: Any) -> bool:
        return bool(sender[0] == self._peer[0] and len(data) >= 6 and data[4] == _CONNECT)

    def flush(self) -> None:
        """Send what the slave has to say, gathered into datagrams."""
        packets = self.machine.outgoing()
        if not packets or self._peer is None:
            return
        if len(packets) == 1:
            self._send([self._framing.frame(packets[0])])
        else:
            self._send(self._framing.frame_many(packets, self._limit))

    def _send(self, datagrams: Sequence[bytes]) -> None:
        if len(datagrams) > 1 and self._segmentation:
            for run in segment_runs(datagrams):
                if len(run) == 1 or not self._send_joined(run):
                    self._send_each(run)
        else:
            self._send_each(datagrams)

    def _send_joined(self, run: Sequence[bytes]) -> bool:
        control = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", len(run[0])))]
        try:
            self._sock.sendmsg(run, control, 0, self._peer)
        except BlockingIOError:
            return False
        except OSError:  # the system or the interface cannot
            self._segmentation = False
            return False
        return True

    def _send_each(self, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            try:
                self._sock.sendto(datagram, self._peer)
            except BlockingIOError:
                self._send_late(datagram)
            except OSError:
                self.unsent += 1

    def _send_late(self, datagram: bytes) -> None:
        select.select([], [self._sock], [], _PATIENCE_S)
        try:
            self._sock.sendto(datagram, self._peer)
        except OSError:
            self.unsent += 1

    def close(self) -> None:
        """End the session and give the socket back; harmless when closed."""
        if self._sock.fileno() < 0:
            return
        if self.machine.connected:
            self.machine.drop(self._clock())
        self._sock.close()


class TcpServer(SlaveServer):
    """Serves a slave over TCP, one connection at a time; a second one is closed at once.

    Args:
        machine: the slave.
        host: address to listen on.
        port: 0 = any free one, see ``address``.
        max_packet: a longer message ends the connection.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        clock: monotonic nanoseconds.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "tcp"

    def __init__(
        self,
        machine: ServedMachine,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_packet: int = 0xFFFF,
        alignment: int = 1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(machine, alignment=alignment, clock=clock)
        self._sock = self._listen(host, port, socket.SOCK_STREAM)
        self._sock.listen(4)
        self._reader = StreamReader(alignment, max_packet=max_packet)
        self._client: socket.socket | None = None
        self._rest: deque[memoryview] = deque()

    @property
    def malformed(self) -> int:
        """Damaged messages."""
        return self._reader.counts.malformed

    def step(self, wait_ns: int = 0) -> None:
        """Wait at most so long for the master, serve what came, send the answers."""
        client = self._client
        if client is None:
            if _wait_readable([self._sock], wait_ns):
                self._accept()
            return
        ready = _wait_readable([self._sock, client], wait_ns, [client] if self._rest else [])
        if client in ready:
            self._serve(client)
        if self._sock in ready:
            self._accept()
        self.flush()

    def _accept(self) -> None:
        try:
            client, _ = self._sock.accept()
        except OSError:  # it went away again
            return
        if self._client is not None:
            self.strangers += 1
            client.close()
            return
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._reader.reset()
        self._framing.reset()
        self._rest.clear()

    def _serve(self, client: socket.socket) -> None:
        now = self._clock()
        try:
            data = client.recv(MAX_DATAGRAM)
            packets = self._reader.feed(data, now) if data else []
        except BlockingIOError:
            return
        except OSError:
            data, packets = b"", []
        except FramingError:
            self.refused_streams += 1
            data, packets = b"", []
        if not data:
            self._hang_up()
            return
        for packet in packets:
            if packet[0] == _CONNECT:
                self.flush()
                self._framing.reset()
                self._reader.restart_counter()
            self.machine.receive(packet, now)

    def flush(self) -> None:
        """Send what the slave has to say; what the pipe does not take stays in the slave's queue."""
        if self._client is None:
            self.machine.outgoing()
            return
        self._push()
        if self._rest:
            return
        packets = self.machine.outgoing()
        if packets:
            frame = self._framing.frame
            self._rest.append(memoryview(b"".join([frame(packet) for packet in packets])))
            self._push()

    def _push(self) -> None:
        client = self._client
        while self._rest and client is not None:
            piece = self._rest[0]
            try:
                sent = client.send(piece)
            except BlockingIOError:
                return
            except OSError:
                self._hang_up()
                return
            if sent == len(piece):
                self._rest.popleft()
            else:
                self._rest[0] = piece[sent:]

    def _hang_up(self) -> None:
        """End the session; a closed socket means DISCONNECT *(XCP on Ethernet, TCP)*."""
        client, self._client = self._client, None
        self._rest.clear()
        if self.machine.connected:
            self.machine.drop(self._clock())
        self.machine.outgoing()
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            client.close()

    def close(self) -> None:
        """Send the rest for a short time, end the session, give the sockets back."""
        if self._sock.fileno() < 0:
            return
        deadline = self._clock() + _DRAIN_NS
        while self._rest and self._client is not None and self._clock() < deadline:
            _wait_readable([], 10_000_000, [self._client])
            self._push()
        self._hang_up()
        self._sock.close()


def open_server(
    scheme: str, machine: ServedMachine, host: str = "127.0.0.1", port: int = 0, **options: Any
) -> UdpServer | TcpServer:
    """A server by the name of its transport, ``udp`` or ``tcp``.

    Raises:
        SettingsError: there is no such transport.
        LinkError: the port cannot be had.
    """
    if scheme == "udp":
        return UdpServer(machine, host, port, **options)
    if scheme == "tcp":
        return TcpServer(machine, host, port, **options)
    raise SettingsError("transport", f"{scheme!r} is none of udp, tcp")


def _wait_readable(
    readers: list[socket.socket], wait_ns: int, writers: Sequence[socket.socket] = ()
) -> list[socket.socket]:
    """Sockets that can be read (or written), after at most the time."""
    ready, writable, _ = select.select(readers, writers, [], max(wait_ns, 0) / 1e9)
    return ready or writable


def segment_runs(datagrams: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Neighbours that may be sent at once: equal sizes, the last one may be shorter."""
    runs: list[Sequence[bytes]] = []
    start, size, total = 0, len(datagrams[0]), 0
    for at, datagram in enumerate(datagrams):
        length = len(datagram)
        full = at - start >= _MAX_SEGMENTS or total + length > _MAX_JOINED
        if at > start and (length > size or full or len(datagrams[at - 1]) < size):
            runs.append(datagrams[start:at])
            start, size, total = at, length, 0
        total += length
    runs.append(datagrams[start:])
    return runs
