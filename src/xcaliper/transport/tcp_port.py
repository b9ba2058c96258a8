"""The slave's port on TCP: one connection at a time."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import FramingError
from xcaliper.transport.base import MAX_DATAGRAM, format_address
from xcaliper.transport.port_base import MAX_READS, Port
from xcaliper.xcp.dto_block import DtoBlock
from xcaliper.xcp.framing.eth import StreamReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.transport.port_base import Sent, Watched

__all__ = ["TcpPort"]

_MAX_STREAM_BACKLOG: Final = 1 << 20
_DRAIN_S: Final = 0.2


class TcpPort(Port):
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
        for _ in range(MAX_READS):
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
