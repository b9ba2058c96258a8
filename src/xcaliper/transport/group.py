"""What sockets of multicast groups share: opening them on either side, and a slave's port without a session."""

from __future__ import annotations

import selectors
import socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.transport.port_base import Sent, Watched

__all__ = ["ANY", "GroupPort", "listen_to_groups", "prepare_sender"]

ANY: Final = "0.0.0.0"  # noqa: S104 -- every interface
_MAX_READS: Final = 64
_MAX_DATAGRAM: Final = 2048


def _nothing() -> None:
    return


def prepare_sender(sock: socket.socket, interface: str) -> None:
    """Have a socket send to groups of the nearest network, heard on this machine as well.

    Args:
        sock: of datagrams.
        interface: own address of the network; empty = the system chooses.

    Raises:
        OSError: the interface is none, or the system cannot.
    """
    if interface:
        packed = socket.inet_aton(interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)


def listen_to_groups(sock: socket.socket, port: int) -> None:
    """Bind to a port that other slaves of this machine listen on as well.

    Raises:
        OSError: the port cannot be had.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform != "linux" and hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((ANY, port))
    sock.setblocking(False)


class GroupPort:
    """A slave's port that hears a group; it is shared by whoever holds the session, and none begins here.

    Attributes:
        strangers: packets that are none of its business.
        broken: what could not be sent or joined.
    """

    scheme = "udp"
    master: Final = ""
    is_shared: Final = True
    one_by_one: Final = False
    alignment: Final = 1

    def __init__(self) -> None:
        self.strangers = self.refused = self.broken = 0
        self.waiting = self.busy = False
        self.in_session: Callable[[], bool] = bool
        self.rules: object = None  # the same for every master
        self.dropped: Callable[[], None] = _nothing
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def watched(self) -> list[Watched]:
        """What to wait for: sockets, each with ``selectors.EVENT_...``."""
        return [(self._sock, selectors.EVENT_READ)]

    def _datagrams(self) -> list[bytes]:
        """Those that wait, oldest first, up to a bound; never blocks."""
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            try:
                found.append(self._sock.recv(_MAX_DATAGRAM))
            except OSError:  # BlockingIOError among them: that was all
                break
        return found

    def restart(self, *, numbering: bool = True) -> None:
        """Nothing counts from 0 here."""

    def remember(self, master: str) -> bool:  # noqa: ARG002 -- as of the other ports
        """False: a group has no master."""
        return False

    def turn_away(self) -> None:
        """Nobody connects here."""

    def send(self, packets: Sequence[Sent]) -> None:
        """Packets of sessions do not go this way."""

    def hang_up(self) -> None:
        """There is no connection to end."""

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def close(self) -> None:
        """Give the socket back; harmless when closed."""
        self._sock.close()
