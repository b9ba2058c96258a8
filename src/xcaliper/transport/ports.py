"""The slave's sockets: packets in and out for one session at a time; they know no machine.

A slave reads packets, calls :meth:`restart` when one is CONNECT, and sends what it has to say.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

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

    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["DATAGRAM_LIMIT", "SlavePort", "TcpPort", "UdpPort", "segment_runs"]

#: Bytes of one datagram that fit an Ethernet frame *(XCP on Ethernet, MTU)*.
DATAGRAM_LIMIT: Final = 1472

_CONNECT: Final = 0xFF
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_MAX_SEGMENTS: Final = 60
_MAX_JOINED: Final = 65000
_MAX_READS: Final = 64
_MAX_DATAGRAM_BACKLOG: Final = 4096
_MAX_STREAM_BACKLOG: Final = 1 << 20
_DRAIN_S: Final = 0.2


def _never() -> bool:
    return False


def _nothing() -> None:
    return


def _listen(scheme: str, host: str, port: int) -> socket.socket:
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    failure: OSError | None = None
    for family, address in resolve(host, port, kind, passive=True):
        try:
            sock = socket.socket(family, kind)
        except OSError as cause:
            failure = cause
            continue
        try:
            if kind == socket.SOCK_STREAM and sys.platform != "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.setblocking(False)
        except OSError as cause:
            failure = cause
            sock.close()
            continue
        return sock
    assert failure is not None, "resolve() gives at least one address"
    raise link_error(format_address(scheme, (host, port)), failure, "listening") from failure


class _Port:
    """What both ports share.

    Attributes:
        diagnostics: what is not as good as it could be.
        strangers: datagrams, or connections, of others during a session; they were ignored.
        broken: connections ended, or datagrams lost, by damage or a failed socket.
        in_session: set by the owner: says whether a session lasts.
        dropped: set by the owner: called when the connection is gone.
    """

    scheme = ""

    def __init__(self, host: str, port: int, alignment: int) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.strangers = 0
        self.broken = 0
        self.in_session: Callable[[], bool] = _never
        self.dropped: Callable[[], None] = _nothing
        self._framing = EthFraming(alignment)
        self._sock = _listen(self.scheme, host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on; the port is a real one when 0 was asked for."""
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    @property
    def url(self) -> str:
        """Address for a master on the same machine."""
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return format_address(self.scheme, (host, port))


class UdpPort(_Port):
    """Datagrams; what is sent goes to the sender of CONNECT.

    During a session, datagrams of others are ignored and counted. A CONNECT from another port of
    the same host takes the session over, so that a master that was restarted is not locked out.

    Args:
        host: address to listen on.
        port: 0 = any free one, see ``address``.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        limit: bytes of one datagram; messages are gathered up to it.
        segmentation: let the system cut joined datagrams (UDP_SEGMENT) where it can.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "udp"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        alignment: int = 1,
        limit: int = DATAGRAM_LIMIT,
        segmentation: bool = True,
    ) -> None:
        if not 16 <= limit <= _MAX_JOINED:
            raise SettingsError("limit", f"{limit} is not from 16 to {_MAX_JOINED} bytes")
        super().__init__(host, port, alignment)
        _, self.diagnostics = ask_receive_buffer(self._sock, RECEIVE_BUFFER, self.url)
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER)
        self._limit = limit
        self._segmentation = segmentation and sys.platform == "linux"
        self._reader = DatagramReader(alignment)
        self._peer: Any = None
        self._held: tuple[bytes, Any] | None = None
        self._kept: deque[list[bytes]] = deque()

    @property
    def malformed(self) -> int:
        """Damaged datagrams."""
        return self._reader.counts.malformed

    @property
    def segmentation(self) -> bool:
        """True while joined datagrams are sent."""
        return self._segmentation

    def sockets(self) -> list[socket.socket]:
        """What to wait for reading on."""
        return [self._sock]

    def blocked(self) -> list[socket.socket]:
        """What to wait for writing on."""
        return [self._sock] if self._kept else []

    def read(self) -> list[bytes]:
        """Packets of the master that wait, oldest first; never blocks."""
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            if self._held is not None:
                (data, sender), self._held = self._held, None
            else:
                try:
                    data, sender = self._sock.recvfrom(MAX_DATAGRAM)
                except BlockingIOError:
                    break
                except OSError:  # news about an earlier datagram that nobody took
                    continue
            if sender != self._peer:
                if found:  # what the old peer asked is answered before the new one has its turn
                    self._held = (data, sender)
                    break
                if not self._may_begin(data, sender):
                    self.strangers += 1
                    continue
                self._peer = sender
                self._kept.clear()
            found += self._reader.feed(data)
        return found

    def _may_begin(self, data: bytes, sender: Any) -> bool:
        if len(data) < 6 or data[4] != _CONNECT:
            return False
        return self._peer is None or sender[0] == self._peer[0] or not self.in_session()

    def restart(self) -> None:
        """Begin a session: counters start with 0."""
        self._framing.reset()
        self._reader.reset()

    def send(self, packets: Sequence[bytes]) -> None:
        """Send packets, gathered into datagrams; what finds no room is kept for :meth:`flush`."""
        if self._peer is None or not packets:
            return
        if len(packets) == 1:
            datagrams = [self._framing.frame(packets[0])]
        else:
            datagrams = self._framing.frame_many(packets, self._limit)
        if self._segmentation and len(datagrams) > 1:
            self._kept.extend(segment_runs(datagrams))
        else:
            self._kept.extend([datagram] for datagram in datagrams)
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        kept = self._kept
        while kept:
            try:
                self._send_run(kept[0])
            except BlockingIOError:
                break
            except OSError:  # refused or too long: lost, as on any cable
                self.broken += 1
            kept.popleft()
        while len(kept) > _MAX_DATAGRAM_BACKLOG:
            self.broken += len(kept.popleft())

    def _send_run(self, run: list[bytes]) -> None:
        if len(run) > 1 and self._segmentation:
            control = [(_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", len(run[0])))]
            try:
                self._sock.sendmsg(run, control, 0, self._peer)
            except BlockingIOError:
                raise
            except OSError:  # the system or the interface cannot
                self._segmentation = False
            else:
                return
        while run:
            self._sock.sendto(run[0], self._peer)
            del run[0]

    @property
    def busy(self) -> bool:
        """True while the socket takes no more; let the slave's own queue fill then."""
        return bool(self._kept)

    def close(self) -> None:
        """Give the socket back; harmless when closed."""
        self._sock.close()


class TcpPort(_Port):
    """One connection at a time; another one is turned away while the first has a session.

    Args:
        host: address to listen on.
        port: 0 = any free one, see ``address``.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        max_packet: a longer message ends the connection.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "tcp"

    def __init__(
        self, host: str, port: int, *, alignment: int = 1, max_packet: int = 0xFFFF
    ) -> None:
        super().__init__(host, port, alignment)
        self._sock.listen(4)
        self._reader = StreamReader(alignment, max_packet=max_packet)
        self._client: socket.socket | None = None
        self._kept = bytearray()

    @property
    def malformed(self) -> int:
        """Damaged messages."""
        return self._reader.counts.malformed

    def sockets(self) -> list[socket.socket]:
        """What to wait for reading on."""
        return [self._sock] if self._client is None else [self._sock, self._client]

    def blocked(self) -> list[socket.socket]:
        """What to wait for writing on."""
        return [self._client] if self._client is not None and self._kept else []

    def read(self) -> list[bytes]:
        """Packets of the master that wait, oldest first; never blocks."""
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            if self._client is None:
                break
            try:
                data = self._client.recv(MAX_DATAGRAM)
                packets = self._reader.feed(data) if data else []
            except BlockingIOError:
                break
            except (OSError, FramingError):
                self.broken += 1
                data, packets = b"", []
            if not data:
                if found:  # serve these first; the end will still be there
                    return found
                self._hang_up()
                break
            found += packets
        self._accept()  # behind reading: the end of the old connection comes first
        return found

    def _accept(self) -> None:
        try:
            client, _ = self._sock.accept()
        except OSError:  # nobody waits, or has given up already
            return
        if self._client is not None:
            if self.in_session():
                self.strangers += 1
                client.close()
                return
            self._hang_up()
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._client = client
        self._reader.reset()
        self._framing.reset()

    def restart(self) -> None:
        """Begin a session: counters start with 0."""
        self._framing.reset()
        self._reader.restart_counter()

    def send(self, packets: Sequence[bytes]) -> None:
        """Send packets; what the pipe does not take is kept for :meth:`flush`."""
        if self._client is None or not packets:
            return
        frame = self._framing.frame
        self._kept += b"".join([frame(packet) for packet in packets])
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        while self._kept and self._client is not None:
            try:
                sent = self._client.send(self._kept)
            except BlockingIOError:
                return
            except OSError:
                self.broken += 1
                self._hang_up()
                return
            del self._kept[:sent]

    @property
    def busy(self) -> bool:
        """True while much waits for the master to read; let the slave's own queue fill then."""
        return len(self._kept) > _MAX_STREAM_BACKLOG

    def _hang_up(self) -> None:
        """End the connection, which ends the session *(XCP on Ethernet, TCP)*."""
        client, self._client = self._client, None
        self._kept.clear()
        if client is None:
            return
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        client.close()
        self.dropped()

    def close(self) -> None:
        """Send the rest if the pipe takes it soon, give the sockets back; harmless when closed."""
        if self._kept and self._client is not None:
            select.select([], [self._client], [], _DRAIN_S)
            self.flush()
        self._hang_up()
        self._sock.close()


SlavePort: TypeAlias = UdpPort | TcpPort


def segment_runs(datagrams: Sequence[bytes]) -> list[list[bytes]]:
    """Neighbours that may be sent at once: equal sizes, the last one may be shorter."""
    runs: list[list[bytes]] = []
    start, size, total = 0, len(datagrams[0]), 0
    for at, datagram in enumerate(datagrams):
        length = len(datagram)
        full = at - start >= _MAX_SEGMENTS or total + length > _MAX_JOINED
        if at > start and (length > size or full or len(datagrams[at - 1]) < size):
            runs.append(list(datagrams[start:at]))
            start, size, total = at, length, 0
        total += length
    runs.append(list(datagrams[start:]))
    return runs
