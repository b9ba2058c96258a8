"""The slave's sockets: packets in and out for one session at a time; they know no machine.

A slave reads packets, calls :meth:`restart` when one is CONNECT, and sends what it has to say.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from xcaliper.core.errors import FramingError, LinkError, SettingsError, UsageError
from xcaliper.transport.base import (
    MAX_DATAGRAM,
    RECEIVE_BUFFER,
    ask_receive_buffer,
    format_address,
    link_error,
    resolve,
)
from xcaliper.transport.url import parse_url
from xcaliper.xcp.dto_block import DtoBlock
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.core.diagnostics import Diagnostic

__all__ = [
    "DATAGRAM_LIMIT",
    "Lost",
    "SessionRules",
    "SlavePort",
    "TcpPort",
    "UdpPort",
    "open_port",
    "segment_runs",
]

#: Bytes of one datagram that fit an Ethernet frame *(XCP on Ethernet, MTU)*.
DATAGRAM_LIMIT: Final = 1472

_CONNECT: Final = 0xFF
#: First byte of commands; below are samples for stimulation.
_COMMANDS: Final = 0xC0
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_MAX_SEGMENTS: Final = 60
_MAX_JOINED: Final = 65000
_MAX_READS: Final = 64
_MAX_DATAGRAM_BACKLOG: Final = 4096
_MAX_STREAM_BACKLOG: Final = 1 << 20
_DRAIN_S: Final = 0.2
#: A master that takes no datagram for so long, and sends none, is gone.
_GONE_NS: Final = 2_000_000_000
_REFUSALS: Final = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH}
)
#: Linux tells about refused datagrams, and whose they were, on demand: (level, option).
_REPORT_ERRORS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_MSG_ERRQUEUE: Final = 0x2000

Watched: TypeAlias = "tuple[socket.socket, int]"


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that have a number but never leave: what a lossy link does, for tests."""

    count: int


#: What a slave has to send: packets, whole blocks of DTOs, losses on purpose.
Sent: TypeAlias = bytes | DtoBlock | Lost
#: What one call of the system may send: datagrams back to back, and the bytes of each but the last.
_Run: TypeAlias = "tuple[bytes | memoryview, int]"


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
    name = format_address(scheme, (host, port))
    if failure.errno == errno.EADDRINUSE:
        raise LinkError(
            f"{name}: the port is taken.", hint="Choose another port, or 0 for any."
        ) from failure
    raise link_error(name, failure, "listening") from failure


@dataclass(frozen=True, slots=True)
class SessionRules:
    """What becomes of masters that want a session while another one has it.

    Attributes:
        takeover: CONNECT takes the session over where it comes from another port of the same host, or
            through another port of the server, so that a master that was restarted is not locked out;
            else it is treated as that of any other master.
        refuses: CONNECT of another master is answered with ERR_ACCESS_LOCKED where the transport can
            do that without a connection (UDP); else, and everything but CONNECT, with nothing.
    """

    takeover: bool = True
    refuses: bool = False


#: Answer to a master that comes second.
LOCKED: Final = b"\xfe\x25"


class _Port:
    """What both ports share.

    Attributes:
        diagnostics: what is not as good as it could be.
        strangers: datagrams of others during a session; they were ignored.
        refused: connections turned away.
        broken: connections ended, or datagrams lost, by damage or a failed socket.
        in_session: set by the owner: says whether a session lasts.
        dropped: set by the owner: called when the connection is gone.
        rules: what becomes of other masters.
    """

    scheme = ""
    #: What arrives is for the holder of the session alone.
    is_shared: Final = False

    def __init__(self, host: str, port: int, alignment: int) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.strangers = 0
        self.refused = 0
        self.broken = 0
        self.in_session: Callable[[], bool] = _never
        self.dropped: Callable[[], None] = _nothing
        self.rules = SessionRules()
        self._framing = EthFraming(alignment)
        self._sock = _listen(self.scheme, host, port)

    @property
    def alignment(self) -> int:
        """Bytes that messages are aligned to."""
        return self._framing.alignment

    def _framed(self, item: Sent) -> bytes | memoryview:
        """The messages of one item, numbered; empty for a loss."""
        if isinstance(item, bytes):
            return self._framing.frame(item)
        if isinstance(item, Lost):
            self._framing.take(item.count)
            return b""
        return item.numbered(self._framing.take(len(item)))

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
    The session of a master that has gone without a word, so that datagrams to it are refused, is
    dropped after two seconds.

    Args:
        host: address to listen on.
        port: 0 = any free one, see ``address``.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
        limit: bytes of one datagram; messages are gathered up to it.
        segmentation: let the system cut joined datagrams (UDP_SEGMENT) where it can.
        clock: monotonic nanoseconds.

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
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not 16 <= limit <= _MAX_JOINED:
            raise SettingsError("limit", f"{limit} is not from 16 to {_MAX_JOINED} bytes")
        super().__init__(host, port, alignment)
        _, self.diagnostics = ask_receive_buffer(self._sock, RECEIVE_BUFFER, self.url)
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER)
        self._limit = limit
        self._segmentation = segmentation and sys.platform == "linux"
        self._segment = 0
        self._reader = DatagramReader(alignment, answers_from=_COMMANDS)
        self._peer: Any = None
        self._is_new = False
        self._held: tuple[bytes, Any] | None = None
        self._kept: deque[_Run] = deque()
        self._clock = clock
        self._refused_ns: int | None = None
        self._reports = self._ask_reports()

    def _ask_reports(self) -> bool:
        option = _REPORT_ERRORS.get(self._sock.family)
        if sys.platform != "linux" or option is None:
            return False
        try:
            self._sock.setsockopt(*option, 1)
        except OSError:
            return False
        return True

    @property
    def malformed(self) -> int:
        """Damaged datagrams."""
        return self._reader.counts.malformed

    @property
    def segmentation(self) -> bool:
        """True while joined datagrams are sent."""
        return self._segmentation

    def watched(self) -> list[Watched]:
        """What to wait for: sockets, each with ``selectors.EVENT_...``."""
        writing = selectors.EVENT_WRITE if self._kept else 0
        return [(self._sock, selectors.EVENT_READ | writing)]

    @property
    def waiting(self) -> bool:
        """True when there is something to read that no socket tells of."""
        return self._held is not None

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
                    self._take_news()
                    continue
            begins = len(data) >= 6 and data[4] == _CONNECT
            if sender != self._peer:
                if found:  # what the old peer asked is answered before the new one has its turn
                    self._held = (data, sender)
                    break
                if not begins or not self._may_begin(sender):
                    self._count_stranger()
                    if begins:
                        self.turn_away(sender)
                    continue
                self._peer = sender
                self._is_new = True
                self._kept.clear()
            self._refused_ns = None
            if begins:
                self._reader.reset()  # else a second CONNECT would pass for the first one, doubled
            found += self._reader.feed(data)
        return found

    def _count_stranger(self) -> None:
        """Ignore a datagram of somebody who holds no session."""
        self.strangers += 1

    def _may_begin(self, sender: Any) -> bool:
        if self._peer is None or not self.in_session():
            return True
        return self.rules.takeover and bool(sender[0] == self._peer[0])

    def turn_away(self, sender: Any = None) -> None:
        """Tell a master that another one has the session, if the rules say so.

        Args:
            sender: of CONNECT; None = the one that this port has just heard, which is forgotten.
        """
        if sender is None:
            sender, self._peer = self._peer, None
        if self.rules.refuses and sender is not None:
            with contextlib.suppress(OSError):
                self._sock.sendto(EthFraming(self.alignment).frame(LOCKED), sender)

    @property
    def master(self) -> str:
        """Address of the master as a URL; empty without one."""
        return "" if self._peer is None else format_address("udp", self._peer[:2])

    def remember(self, master: str) -> bool:
        """Send to a master that has not come yet; False when this port cannot."""
        try:
            where = parse_url(master)
            if where.scheme != self.scheme:
                return False
            found = resolve(where.host, where.port, socket.SOCK_DGRAM)
        except UsageError:
            return False
        same = [address for family, address in found if family == self._sock.family]
        self._peer = same[0] if same else None
        return bool(same)

    def restart(self, *, numbering: bool = True) -> None:
        """Begin a session: counters start with 0, and what was for another master is not sent.

        Args:
            numbering: False lets the counter of what is sent go on.
        """
        self._is_new = False
        if numbering:
            self._framing.reset()
        self._reader.reset()

    def send(self, items: Sequence[Sent]) -> None:
        """Send packets, gathered into datagrams; what finds no room is kept for :meth:`flush`.

        Blocks of DTOs that are longer than a datagram go out as they lie.
        """
        if self._peer is None or self._is_new or not items:
            return
        gathered: list[bytes | memoryview] = []
        size = 0
        datagrams: list[bytes] = []
        for item in items:
            framed = self._framed(item)
            whole = isinstance(item, DtoBlock) and len(framed) > self._limit
            if gathered and (whole or size + len(framed) > self._limit):
                datagrams.append(b"".join(gathered))
                gathered, size = [], 0
            if whole:
                assert isinstance(item, DtoBlock), "only blocks go out whole"
                self._keep(datagrams)
                datagrams = []
                self._send_block(item, memoryview(framed))
            elif framed:
                gathered.append(framed)
                size += len(framed)
        if gathered:
            datagrams.append(b"".join(gathered))
        if len(datagrams) == 1:  # an answer, most often: straight out where it can
            self._put(datagrams[0], len(datagrams[0]))
        else:
            self._keep(datagrams)
        self.flush()
        if not self._kept:
            for item in items:
                if isinstance(item, DtoBlock):
                    item.release()

    def _keep(self, datagrams: list[bytes]) -> None:
        if self._segmentation and len(datagrams) > 1:
            runs = segment_runs(datagrams)
            self._kept.extend((b"".join(run), len(run[0])) for run in runs)
        else:
            self._kept.extend((datagram, len(datagram)) for datagram in datagrams)

    def _send_block(self, block: DtoBlock, data: memoryview) -> None:
        """Cut a block into datagrams: samples are gathered while they fit, a long one is cut."""
        stride, put = block.layout.stride, self._put
        if stride <= self._limit:
            size = self._limit // stride * stride
            step = min(_MAX_JOINED // size, _MAX_SEGMENTS) * size
            for at in range(0, len(data), step):
                put(data[at : at + step], size)
            return
        cuts: list[tuple[int, int, int]] = []
        for start, end, size in block.layout.cuts(self._limit):
            step = max(min(_MAX_JOINED // size, _MAX_SEGMENTS), 1) * size
            cuts += [(at, min(at + step, end), size) for at in range(start, end, step)]
        if len(cuts) == 1:
            ((_, _, size),) = cuts
            for at in range(0, len(data), stride):
                put(data[at : at + stride], size)
            return
        for at in range(0, len(data), stride):
            for start, end, size in cuts:
                put(data[at + start : at + end], size)

    def _put(self, data: bytes | memoryview, size: int) -> None:
        """Send datagrams at once where nothing waits and the system need not be told how to cut them."""
        if self._peer is None:
            return
        segment = self._segment
        alone = len(data) == size and (size <= segment or not segment)
        if not self._kept and (alone or (segment == size and self._segmentation)):
            try:
                self._sock.sendto(data, self._peer)
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno in _REFUSALS:
                    self._take_news()  # about an earlier datagram
            else:
                return
        self._kept.append((data, size))
        if len(self._kept) == 1:
            self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        kept = self._kept
        again = False
        while kept:
            try:
                self._send_run(kept[0])
            except BlockingIOError:
                break
            except OSError as error:  # lost, as on any cable
                if error.errno not in _REFUSALS:
                    self.broken += 1
                elif again:
                    self._refuse()
                else:  # that was news about an earlier datagram
                    again = True
                    self._take_news()
                    continue
            again = False
            if kept:
                kept.popleft()
        while len(kept) > _MAX_DATAGRAM_BACKLOG:
            data, size = kept.popleft()
            self.broken += -(-len(data) // size)

    def _take_news(self) -> None:
        """Learn which datagrams nobody took."""
        if not self._reports:
            self._refuse()
            return
        for _ in range(_MAX_READS):
            try:
                _, _, _, receiver = self._sock.recvmsg(1, 0, _MSG_ERRQUEUE)
            except OSError:  # that was all
                return
            if receiver == self._peer:
                self._refuse()

    def _refuse(self) -> None:
        """Count a datagram that the master did not take; after a while there is no master."""
        self.broken += 1
        now = self._clock()
        if self._refused_ns is None:
            self._refused_ns = now
        elif now - self._refused_ns >= _GONE_NS:
            self._peer = self._refused_ns = None
            self._kept.clear()
            self.dropped()

    def _send_run(self, run: _Run) -> None:
        data, size = run
        if self._segmentation and len(data) > size:
            try:
                if self._segment != size:
                    self._sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, size)
                    self._segment = size
                self._sock.sendto(data, self._peer)
            except BlockingIOError:
                raise
            except OSError as error:
                if error.errno in _REFUSALS:
                    raise
                self._segmentation = False  # the system or the interface cannot
            else:
                return
        if 0 < self._segment < size:
            self._sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, 0)
            self._segment = 0
        for at in range(0, len(data), size):
            try:
                self._sock.sendto(data[at : at + size], self._peer)
            except OSError:
                self._kept[0] = (data[at:], size)
                raise

    def hang_up(self) -> None:
        """Forget the master without a word."""
        self._peer = self._refused_ns = None
        self._kept.clear()

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
        self._ended = False

    @property
    def malformed(self) -> int:
        """Damaged messages."""
        return self._reader.counts.malformed

    def watched(self) -> list[Watched]:
        """What to wait for: sockets, each with ``selectors.EVENT_...``."""
        found = [(self._sock, selectors.EVENT_READ)]
        if self._client is not None:
            writing = selectors.EVENT_WRITE if self._kept else 0
            found.append((self._client, selectors.EVENT_READ | writing))
        return found

    @property
    def waiting(self) -> bool:
        """True when there is something to read that no socket tells of."""
        return self._ended

    def read(self) -> list[bytes]:
        """Packets of the master that wait, oldest first; never blocks."""
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            if self._client is None or self._ended:
                break
            try:
                data = self._client.recv(MAX_DATAGRAM)
                found += self._reader.feed(data)
            except BlockingIOError:
                break
            except (OSError, FramingError):
                self.broken += 1
                self._ended = True
            else:
                self._ended = not data
        if self._ended:
            if found:  # these are served first
                return found
            self.hang_up()
        self._accept()  # behind reading: the end of the old connection comes first
        return found

    def _accept(self) -> None:
        try:
            client, _ = self._sock.accept()
        except OSError:  # nobody waits, or has given up already
            return
        if self._client is not None:
            if self.in_session():
                self.refused += 1
                client.close()
                return
            self.hang_up()
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._client = client
        self._reader.reset()
        self._framing.reset()

    @property
    def master(self) -> str:
        """Address of the master as a URL; empty without one."""
        if self._client is None:
            return ""
        try:
            return format_address("tcp", self._client.getpeername()[:2])
        except OSError:  # gone already
            return ""

    def remember(self, master: str) -> bool:  # noqa: ARG002 -- as of the other ports
        """False: only a master can open a connection."""
        return False

    def turn_away(self) -> None:
        """Close the connection of a master, for another one has the session."""
        self.refused += 1
        self.hang_up()

    def restart(self, *, numbering: bool = True) -> None:
        """Begin a session: counters start with 0.

        Args:
            numbering: False lets the counter of what is sent go on.
        """
        if numbering:
            self._framing.reset()
        self._reader.restart_counter()

    def send(self, items: Sequence[Sent]) -> None:
        """Send packets; what the pipe does not take is kept for :meth:`flush`."""
        if self._client is None or not items:
            return
        for item in items:
            self._kept += self._framed(item)
            if isinstance(item, DtoBlock):
                item.release()
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
                self.hang_up()
                return
            del self._kept[:sent]

    @property
    def busy(self) -> bool:
        """True while much waits for the master to read; let the slave's own queue fill then."""
        return len(self._kept) > _MAX_STREAM_BACKLOG

    def hang_up(self) -> None:
        """End the connection, which ends the session *(XCP on Ethernet, TCP)*; harmless without one."""
        client, self._client = self._client, None
        self._kept.clear()
        self._ended = False
        if client is None:
            return
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        client.close()
        self.dropped()

    def close(self) -> None:
        """Send the rest if the pipe takes it soon, give the sockets back; harmless when closed."""
        if self._kept and self._client is not None:
            with contextlib.suppress(OSError):
                self._client.settimeout(_DRAIN_S)
                self._client.sendall(self._kept)
        self.hang_up()
        self._sock.close()


SlavePort: TypeAlias = UdpPort | TcpPort


def open_port(url: str, *, max_packet: int = 0xFFFF, limit: int = DATAGRAM_LIMIT) -> SlavePort:
    """A port that listens where a URL says; port 0 takes any.

    Args:
        url: ``udp://host:port`` or ``tcp://host:port``.
        max_packet: a longer message ends a TCP connection.
        limit: bytes of one datagram.

    Raises:
        UsageError: the URL is wrong, or the host has no address.
        LinkError: the port cannot be had.
    """
    wanted = parse_url(url)
    if wanted.scheme == "udp":
        return UdpPort(wanted.host, wanted.port, alignment=wanted.alignment, limit=limit)
    return TcpPort(wanted.host, wanted.port, alignment=wanted.alignment, max_packet=max_packet)


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
