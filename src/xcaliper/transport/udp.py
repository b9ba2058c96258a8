"""UDP for the master: a connected socket, so strangers' datagrams never arrive."""

from __future__ import annotations

import socket
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from xcaliper.transport.base import (
    DONTWAIT,
    MAX_DATAGRAM,
    RECEIVE_BUFFER,
    any_host,
    ask_receive_buffer,
    format_address,
    is_readable,
    link_error,
    resolve,
    set_wait,
)
from xcaliper.transport.many import ManyDatagrams

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["UdpTransport", "has_gro"]

_SOL_UDP: Final = 17
_UDP_GRO: Final = 104
_MAX_RECEIVES: Final = 4096
#: Bytes that come without a joined datagram before it is not worth to look for them.
_HOPELESS_BYTES: Final = 4 << 20
_GRO_SPACE: Final = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0


def has_gro() -> bool:
    """True when the system can hand over many datagrams at once."""
    return sys.platform == "linux" and hasattr(socket.socket, "recvmsg")


class UdpTransport:
    """Datagrams to and from one peer.

    Args:
        host: name or address of the slave.
        port: its port.
        local_host: own address, to choose the network interface; empty = the system chooses.
        local_port: own port, 0 = any.
        receive_buffer: bytes of kernel buffer to ask for.

    Raises:
        UsageError: the host has no address.
        LinkError: the socket cannot be opened.
    """

    is_stream: Final = False

    def __init__(
        self,
        host: str,
        port: int,
        *,
        local_host: str = "",
        local_port: int = 0,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        self.name = format_address("udp", (host, port))
        self._sock = self._open(host, port, local_host, local_port)
        self.name = format_address("udp", self._sock.getpeername())
        self.buffer_size, self.diagnostics = ask_receive_buffer(
            self._sock, receive_buffer, self.name
        )
        self.send: Callable[[bytes], int] = self._sock.send
        self._receive_plain: Callable[[], bytes] = partial(self._sock.recv, MAX_DATAGRAM)
        self.receive: Callable[[], bytes] = self._receive_plain
        self._pending: deque[bytes] = deque()
        self._wait_ns = 0
        self._joining = self._is_hopeless = False
        self._unjoined_bytes = 0
        self._many = ManyDatagrams.if_possible()
        self.set_wait(100_000_000)

    def _open(self, host: str, port: int, local_host: str, local_port: int) -> socket.socket:
        failure: OSError | None = None
        for family, address in resolve(host, port, socket.SOCK_DGRAM):
            try:
                sock = socket.socket(family, socket.SOCK_DGRAM)
            except OSError as cause:
                failure = cause
                continue
            try:
                sock.setblocking(True)
                if local_host or local_port:
                    sock.bind((local_host or any_host(family), local_port))
                sock.connect(address)
            except OSError as cause:
                failure = cause
                sock.close()
                continue
            return sock
        assert failure is not None  # resolve() gives at least one address
        raise link_error(self.name, failure, "opening") from failure

    @property
    def local(self) -> str:
        """Own address as a URL."""
        return format_address("udp", self._sock.getsockname())

    @property
    def joining(self) -> bool:
        """True while the system joins datagrams (UDP_GRO)."""
        return self._joining

    def fileno(self) -> int:
        """Descriptor for ``select``; -1 when closed."""
        return self._sock.fileno()

    def set_wait(self, wait_ns: int) -> None:
        """Let ``receive`` wait at most so long."""
        if wait_ns != self._wait_ns:
            set_wait(self._sock, socket.SO_RCVTIMEO, wait_ns)
            self._wait_ns = wait_ns

    def set_batching(self, *, on: bool) -> None:
        """Switch UDP_GRO where present; without it nothing changes.

        Where the system has joined nothing of what came, it stays off until it is switched off: to ask for
        it costs something with every datagram.
        """
        if not on:
            self._is_hopeless = False
        if on == self._joining or not has_gro() or (on and self._is_hopeless):
            return
        try:
            self._sock.setsockopt(_SOL_UDP, _UDP_GRO, int(on))
        except OSError:  # older kernel: one datagram per call
            return
        self._joining = on
        self._unjoined_bytes = 0
        if on:
            self.receive = self._receive_joined
        # What was joined before it is switched off comes as one datagram, which is no harm: messages
        # tell their length. poll() goes back to plain receives when nothing waits.

    def _receive_joined(self) -> bytes:
        pending = self._pending
        if not pending:
            pending.extend(self._take(0))
        return pending.popleft()

    def _take(self, flags: int) -> list[bytes]:
        data, control, _, _ = self._sock.recvmsg(MAX_DATAGRAM, _GRO_SPACE, flags)
        for level, kind, value in control:
            if level == _SOL_UDP and kind == _UDP_GRO:
                segment = int.from_bytes(value[:4], sys.byteorder)
                if 0 < segment < len(data):
                    return [data[at : at + segment] for at in range(0, len(data), segment)]
        return [data]

    def poll(self, limit: int) -> list[bytes]:
        """What waits now, oldest first, about ``limit`` bytes at most; never blocks."""
        found: list[bytes] = list(self._pending)
        self._pending.clear()
        size = 0
        joined = self.receive is not self._receive_plain
        recv = self._sock.recv
        try:
            while size < limit:
                if not DONTWAIT and not is_readable(self._sock):
                    break
                if joined:
                    parts = self._take(DONTWAIT)
                    found += parts
                    size += sum(map(len, parts))
                else:
                    data = recv(MAX_DATAGRAM, DONTWAIT)
                    found.append(data)
                    size += len(data) + 1
        except BlockingIOError:
            if not self._joining:
                self.receive = self._receive_plain
        except OSError:
            if not found:  # else it is news about what was sent; what has come counts more
                raise
        return found

    @property
    def may_join(self) -> bool:
        """True while joined datagrams may come, or were taken apart and wait in here."""
        return self.receive is not self._receive_plain

    def take_pending(self) -> list[bytes]:
        """Datagrams that were received but not given out."""
        found = list(self._pending)
        self._pending.clear()
        return found

    def poll_into(self, buffer: memoryview, limit: int) -> list[tuple[int, int]]:
        """Write what waits now into the buffer, one behind the other; never blocks.

        Args:
            buffer: with room for the limit and a datagram of the largest size.
            limit: bytes after which to stop.

        Returns:
            Bytes of each receive, and of each datagram where several were joined, else 0.
        """
        if self.may_join:
            return self._poll_joined(buffer, limit)
        many = self._many
        if many is not None and many.is_worth_it:
            lengths, left = many.receive_into(self._sock.fileno(), buffer, limit)
            if left:  # what comes later has to wait for them
                self._pending.extend(left)
                self.receive = self._receive_joined
            return [(length, 0) for length in lengths]
        found: list[tuple[int, int]] = []
        at = 0
        recv_into = self._sock.recv_into
        try:
            while at < limit and len(found) < _MAX_RECEIVES:
                if not DONTWAIT and not is_readable(self._sock):
                    break
                size = recv_into(buffer[at:], MAX_DATAGRAM, DONTWAIT)
                found.append((size, 0))
                at += size
        except BlockingIOError:
            pass
        except OSError:
            if not found:  # else it is news about what was sent; what has come counts more
                raise
        if many is not None and found:
            many.note(max(size for size, _ in found))
        return found

    def _poll_joined(self, buffer: memoryview, limit: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        at = joins = 0
        emptied = False
        try:
            while at < limit and len(found) < _MAX_RECEIVES:
                size, segment = self._take_into(buffer[at:])
                found.append((size, segment))
                joins += segment > 0
                at += size
        except BlockingIOError:
            emptied = True
        except OSError:
            if not found:
                raise
        self.note_received(at, joins, emptied=emptied)
        return found

    def note_received(self, size: int, joins: int, *, emptied: bool) -> None:
        """Others have received from the descriptor, or this transport has.

        Args:
            size: bytes.
            joins: receives that brought several datagrams.
            emptied: nothing waited any more.
        """
        if not self.may_join:
            return
        if emptied and not self._joining:
            self.receive = self._receive_plain
            return
        self._unjoined_bytes = 0 if joins else self._unjoined_bytes + size
        if self._joining and self._unjoined_bytes >= _HOPELESS_BYTES:
            self.set_batching(on=False)
            self._is_hopeless = True

    def _take_into(self, room: memoryview) -> tuple[int, int]:
        size, control, _, _ = self._sock.recvmsg_into([room], _GRO_SPACE, DONTWAIT)
        for level, kind, value in control:
            if level == _SOL_UDP and kind == _UDP_GRO:
                segment = int.from_bytes(value[:4], sys.byteorder)
                return size, segment if 0 < segment < size else 0
        return size, 0

    def close(self) -> None:
        """Give the socket back; harmless when closed."""
        self._sock.close()
