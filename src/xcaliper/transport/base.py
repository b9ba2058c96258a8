"""What a link needs of a transport, and what every socket shell shares."""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import LinkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DONTWAIT",
    "MAX_DATAGRAM",
    "RECEIVE_BUFFER",
    "STREAM_BUFFER",
    "Transport",
    "any_host",
    "ask_receive_buffer",
    "format_address",
    "is_readable",
    "link_error",
    "readable_within",
    "resolve",
    "set_wait",
]

#: Bytes of the largest datagram, and of the largest piece of a stream taken at once.
MAX_DATAGRAM: Final = 65536

#: Bytes of kernel buffer that are asked for: 140 ms of a Gbit/s.
RECEIVE_BUFFER: Final = 16 << 20

#: The same of a stream, whose peer waits: more would only be colder when it is read.
STREAM_BUFFER: Final = 4 << 20

#: Flag of a receive that must not block; 0 where :func:`is_readable` has to be asked before.
DONTWAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)

_ENOUGH_BUFFER: Final = 1 << 20
_SO_RCVBUFFORCE: Final = 33
_LINUX: Final = sys.platform == "linux"
_WINDOWS: Final = sys.platform == "win32"


class Transport(Protocol):
    """Moves bytes, knows nothing else.

    ``send`` and ``receive`` are attributes, so that a socket's own methods can be given out and a
    round trip pays no call in between. They raise ``OSError``; the link translates it.
    """

    @property
    def name(self) -> str:
        """Address of the peer as a URL."""
        ...

    @property
    def is_stream(self) -> bool:
        """True when message borders are not kept (TCP)."""
        ...

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What is not as good as it could be, found when opening."""
        ...

    @property
    def buffer_size(self) -> int:
        """Bytes of the receive buffer that were granted; 0 when unknown."""
        ...

    @property
    def send(self) -> Callable[[bytes], object]:
        """Send one datagram, or all bytes of a stream."""
        ...

    @property
    def receive(self) -> Callable[[], bytes]:
        """The next datagram or piece; ``b""`` at the end of a stream.

        Waits at most the time of :meth:`set_wait`, then raises ``BlockingIOError``.
        """
        ...

    def set_wait(self, wait_ns: int) -> None:
        """Let ``receive`` wait at most so long; cheap when nothing changes."""
        ...

    def poll(self, limit: int) -> list[bytes]:
        """What waits now, oldest first, about ``limit`` bytes at most; never blocks.

        A stream that ended gives ``b""`` as its last piece.
        """
        ...

    def set_batching(self, *, on: bool) -> None:
        """Take many datagrams per call where the system can (while DAQ runs)."""
        ...

    def close(self) -> None:
        """Give everything back, in bounded time; harmless when closed."""
        ...


def ask_receive_buffer(sock: socket.socket, wanted: int, name: str) -> tuple[int, list[Diagnostic]]:
    """Ask for a large receive buffer; gives what was granted, and a warning when it is small."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF) if _LINUX else (socket.SO_RCVBUF,):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, wanted)
        except OSError:  # not privileged, or above a hard limit: the next best
            continue
        break
    granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if _LINUX:
        granted //= 2  # the kernel reports the double, for its own book-keeping
    if granted >= min(wanted, _ENOUGH_BUFFER):
        return granted, []
    hint = f"Allow it: sysctl -w net.core.rmem_max={wanted}" if _LINUX else ""
    text = (
        f"{name}: the receive buffer has {granted // 1024} KiB instead of {wanted // 1024} KiB, "
        "DAQ data may be lost at high rates."
    )
    return granted, [Diagnostic(Severity.WARNING, "small-receive-buffer", Where(name), text, hint)]


def set_wait(sock: socket.socket, option: int, wait_ns: int) -> None:
    """Set SO_RCVTIMEO or SO_SNDTIMEO; 0 would wait for ever, so at least 1 ms is set."""
    wait_us = max(wait_ns // 1000, 1000)
    if _WINDOWS:
        value = struct.pack("@I", wait_us // 1000)
    else:
        value = struct.pack("@ll", *divmod(wait_us, 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, option, value)


def is_readable(sock: socket.socket) -> bool:
    """True when a receive would not block."""
    import select

    return bool(select.select([sock], [], [], 0)[0])


def readable_within(descriptor: int) -> Callable[[float], bool]:
    """A function that waits so many seconds for a descriptor; True when a receive would not block.

    True for one that was closed as well: the receive tells.
    """
    import select

    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return lambda wait_s: bool(poller.poll(wait_s * 1000))

    def wait(wait_s: float) -> bool:
        try:
            return bool(select.select([descriptor], [], [], wait_s)[0])
        except (OSError, ValueError):
            return True

    return wait


Resolved = tuple[socket.AddressFamily, "tuple[str, int] | tuple[str, int, int, int]"]


def resolve(
    host: str, port: int, kind: socket.SocketKind, *, passive: bool = False
) -> list[Resolved]:
    """Addresses of a host, IPv4 before IPv6, as ECUs are found.

    Raises:
        UsageError: the host has no address.
    """
    flags = socket.AI_PASSIVE if passive else 0
    try:
        found = socket.getaddrinfo(host or None, port, type=kind, flags=flags)
    except (OSError, UnicodeError) as cause:
        raise UsageError(
            f"{host}: no such host ({cause}).", hint="Check the name or give an IP address."
        ) from cause
    rows: list[Resolved] = []
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            rows.append((family, address))  # type: ignore[arg-type]
    if not rows:
        raise UsageError(f"{host}: no IP address.", hint="Give an IPv4 or IPv6 address.")
    return sorted(rows, key=lambda row: row[0] != socket.AF_INET)


def any_host(family: socket.AddressFamily) -> str:
    """The address that means every interface; used when only a local port was asked for."""
    return "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104


def format_address(scheme: str, address: object) -> str:
    """``udp://127.0.0.1:5555`` or ``tcp://[::1]:5555`` of a socket address."""
    if not isinstance(address, tuple) or len(address) < 2:
        return f"{scheme}://?"
    host, port = str(address[0]), address[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def link_error(name: str, cause: OSError, doing: str) -> LinkError:
    """The project's error for a failed socket call."""
    if isinstance(cause, ConnectionRefusedError):
        return LinkError(
            f"{name}: nobody listens there.", hint="Start the slave, or check address and port."
        )
    reason = cause.strerror or str(cause) or type(cause).__name__
    return LinkError(f"{name}: {doing} failed ({reason}).", hint="Check cable, address and power.")
