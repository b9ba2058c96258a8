"""What the slave's ports share: the listening socket, numbering of messages, who may have the session."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from xcaliper.core.errors import LinkError
from xcaliper.transport.base import format_address, link_error, resolve
from xcaliper.xcp.dto_block import DtoBlock
from xcaliper.xcp.framing.eth import EthFraming

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["LOCKED", "MAX_READS", "Lost", "Port", "Sent", "SessionRules", "Watched"]

#: Datagrams or pieces of a stream that one read takes.
MAX_READS: Final = 64

Watched: TypeAlias = "tuple[socket.socket, int]"


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that have a number but never leave: what a lossy link does, for tests."""

    count: int


#: What a slave has to send: packets, whole blocks of DTOs, losses on purpose.
Sent: TypeAlias = bytes | DtoBlock | Lost


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


class Port:
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
    #: A read gives one datagram, so that another one may wait.
    one_by_one: ClassVar[bool] = False

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

    @property
    def waiting(self) -> bool:
        """True when there is something to read that no socket tells of."""
        return False

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
