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
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from xcaliper.core.errors import SettingsError, UsageError
from xcaliper.transport.base import (
    MAX_DATAGRAM,
    RECEIVE_BUFFER,
    ask_receive_buffer,
    format_address,
    resolve,
)
from xcaliper.transport.port_base import LOCKED, MAX_READS, Lost, Port, Sent, SessionRules, Watched
from xcaliper.transport.tcp_port import TcpPort
from xcaliper.transport.url import parse_url
from xcaliper.xcp.dto_block import DtoBlock
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
_MAX_DATAGRAM_BACKLOG: Final = 4096
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

#: What one call of the system may send: datagrams back to back, and the bytes of each but the last.
_Run: TypeAlias = "tuple[bytes | memoryview, int]"


class UdpPort(Port):
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
    one_by_one = True

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

    def read(self) -> list[bytes]:
        """Packets of the master's next datagram; never blocks.

        One at a time: each is answered before the next one, of another master perhaps, has its turn.
        """
        for _ in range(MAX_READS):
            try:
                data, sender = self._sock.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # news about an earlier datagram that nobody took
                self._take_news()
                continue
            begins = len(data) >= 6 and data[4] == _CONNECT
            if sender != self._peer:
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
            found = self._reader.feed(data)
            if found:
                return found
        return []

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
        for _ in range(MAX_READS):
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
