"""TCP for the master: no delay, a connect with a deadline, an orderly close."""

from __future__ import annotations

import contextlib
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from xcaliper.transport.base import (
    DONTWAIT,
    MAX_DATAGRAM,
    STREAM_BUFFER,
    any_host,
    format_address,
    is_readable,
    link_error,
    resolve,
    set_wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["TcpTransport"]

_SEND_NS: Final = 2_000_000_000
_DRAIN_NS: Final = 200_000_000
_DRAIN_BYTES: Final = 64 << 20


class TcpTransport:
    """A byte stream to one peer.

    Args:
        host: name or address of the slave.
        port: its port.
        local_host: own address, to choose the network interface; empty = the system chooses.
        local_port: own port, 0 = any.
        connect_s: time allowed to connect.
        receive_buffer: bytes of kernel buffer to ask for.

    Raises:
        UsageError: the host has no address.
        LinkError: the peer cannot be reached.
    """

    is_stream: Final = True

    def __init__(
        self,
        host: str,
        port: int,
        *,
        local_host: str = "",
        local_port: int = 0,
        connect_s: float = 3.0,
        receive_buffer: int = STREAM_BUFFER,
    ) -> None:
        self.name = format_address("tcp", (host, port))
        self.diagnostics: list[Diagnostic] = []
        self._sock = self._open(host, port, (local_host, local_port), connect_s, receive_buffer)
        self.name = format_address("tcp", self._sock.getpeername())
        self.buffer_size = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.send: Callable[[bytes], object] = self._sock.sendall
        self.receive: Callable[[], bytes] = partial(self._sock.recv, MAX_DATAGRAM)
        self._wait_ns = 0
        self._closed = False
        self.set_wait(100_000_000)

    def _open(
        self, host: str, port: int, local: tuple[str, int], connect_s: float, receive_buffer: int
    ) -> socket.socket:
        deadline = time.monotonic() + connect_s
        failure: OSError | None = None
        for family, address in resolve(host, port, socket.SOCK_STREAM):
            sock: socket.socket | None = None
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                if local != ("", 0):
                    sock.bind((local[0] or any_host(family), local[1]))
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                sock.connect(address)
                sock.setblocking(True)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                set_wait(sock, socket.SO_SNDTIMEO, _SEND_NS)
            except OSError as cause:
                failure = cause
                if sock is not None:
                    sock.close()
                continue
            return sock
        assert failure is not None  # resolve() gives at least one address
        raise link_error(self.name, failure, "connecting") from failure

    @property
    def local(self) -> str:
        """Own address as a URL."""
        return format_address("tcp", self._sock.getsockname())

    def fileno(self) -> int:
        """Descriptor for ``select``; -1 when closed."""
        return self._sock.fileno()

    def set_wait(self, wait_ns: int) -> None:
        """Let ``receive`` wait at most so long."""
        if wait_ns != self._wait_ns:
            set_wait(self._sock, socket.SO_RCVTIMEO, wait_ns)
            self._wait_ns = wait_ns

    def set_batching(self, *, on: bool) -> None:
        """A stream is always taken in large pieces."""

    def poll(self, limit: int) -> list[bytes]:
        """What waits now, about ``limit`` bytes at most; never blocks."""
        found: list[bytes] = []
        size = 0
        with contextlib.suppress(BlockingIOError):
            while size < limit:
                if not DONTWAIT and not is_readable(self._sock):
                    break
                data = self._sock.recv(MAX_DATAGRAM, DONTWAIT)
                found.append(data)
                if not data:
                    break
                size += len(data)
        return found

    @property
    def may_join(self) -> bool:
        """Never: a stream has no datagrams."""
        return False

    def note_received(self, size: int, joins: int, *, emptied: bool) -> None:
        """Nothing to learn from that."""

    def take_pending(self) -> list[bytes]:
        """Nothing: a stream is given out as it comes."""
        return []

    def poll_into(self, buffer: memoryview, limit: int) -> list[tuple[int, int]]:
        """Write what waits now into the buffer; never blocks.

        Returns:
            Bytes of each receive and 0; 0 bytes when the peer has closed the stream.
        """
        found: list[tuple[int, int]] = []
        at = 0
        try:
            while at < limit:
                if not DONTWAIT and not is_readable(self._sock):
                    break
                size = self._sock.recv_into(buffer[at:], limit - at, DONTWAIT)
                found.append((size, 0))
                if not size:
                    break
                at += size
        except BlockingIOError:
            pass
        except OSError:
            if not found:  # what has come counts; the next call meets the trouble again
                raise
        return found

    def close(self) -> None:
        """Shut down, drain what the peer still sends for a short time, close."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic_ns() + _DRAIN_NS
            size = 0
            self.set_wait(20_000_000)
            while size < _DRAIN_BYTES and time.monotonic_ns() < deadline:
                try:
                    data = self._sock.recv(MAX_DATAGRAM)
                except BlockingIOError:
                    continue
                if not data:
                    break
                size += len(data)
        self._sock.close()
