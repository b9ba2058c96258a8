"""GET_DAQ_CLOCK_MULTICAST on UDP: the master asks every slave of a cluster at once, slaves listen."""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LinkError, UsageError
from xcaliper.transport.base import link_error
from xcaliper.wire.codec import codec_for
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast, clock_multicast_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.transport.ports import Sent, Watched

__all__ = ["ClockMulticast", "MulticastPort"]

_PACKET_BYTES: Final = 5
_PREFIX: Final = b"\xf2\xfa"
_MAX_READS: Final = 64
_MAX_DATAGRAM: Final = 2048
_ANY: Final = "0.0.0.0"  # noqa: S104 -- every interface


def _nothing() -> None:
    return


def _check_cluster(cluster: int) -> None:
    if not 0 <= cluster <= 0xFFFF:
        raise UsageError(f"cluster {cluster}: an identifier has 16 bits.")


class ClockMulticast:
    """The master's side: sends GET_DAQ_CLOCK_MULTICAST; the answers come over each slave's link.

    Args:
        cluster: identifier; it makes the address 239.255.hi.lo.
        interface: own address of the network, ``127.0.0.1`` for slaves on this machine.
        clock: monotonic nanoseconds.

    Attributes:
        cluster: as given.
        sent: packets so far.

    Raises:
        LinkError: the socket cannot be opened.
    """

    def __init__(
        self,
        cluster: int,
        *,
        interface: str = "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        _check_cluster(cluster)
        self.cluster = cluster
        self.sent = 0
        self._clock = clock
        self._address = clock_multicast_address(cluster)
        self._framing = EthFraming()
        self._encode = codec_for(EthGetDaqClockMulticast).encode
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            if interface:
                packed = socket.inet_aton(interface)
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
        except OSError as cause:
            self._sock.close()
            raise link_error(self.name, cause, "opening") from cause

    @property
    def name(self) -> str:
        """Where it sends to."""
        return f"udp://{self._address[0]}:{self._address[1]}"

    def send(self) -> tuple[int, int]:
        """Ask once; gives the counter, modulo 256, and the host time just before it left.

        Raises:
            LinkError: there is no way to the network.
        """
        counter = self.sent & 0xFF
        packet = EthGetDaqClockMulticast(cluster_identifier=self.cluster, counter=counter)
        self._framing.reset()  # the header counter of a multicast stays 0
        data = self._framing.frame(self._encode(packet))
        now = self._clock()
        try:
            self._sock.sendto(data, self._address)
        except OSError as cause:
            raise link_error(self.name, cause, "sending") from cause
        self.sent += 1
        return counter, now

    def close(self) -> None:
        """Give the socket back; harmless when closed."""
        self._sock.close()


class MulticastPort:
    """The slave's side: hears the multicasts of its cluster and follows it to another address.

    It is shared by whoever holds the session; nothing is sent from here, and nothing but
    GET_DAQ_CLOCK_MULTICAST is taken.

    Args:
        cluster: tells the slave's cluster now.
        interface: own address of the network; empty = the system chooses.
        port: for tests; 0 = the standard's.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "udp"
    master: Final = ""
    is_shared: Final = True
    alignment: Final = 1

    def __init__(self, cluster: Callable[[], int], *, interface: str = "", port: int = 0) -> None:
        self._cluster = cluster
        self._interface = interface or _ANY
        self._joined: int | None = None
        self._reader = DatagramReader()
        self.strangers = 0
        self.refused = 0
        self.broken = 0
        self.waiting = False
        self.busy = False
        self.in_session: Callable[[], bool] = bool
        self.dropped: Callable[[], None] = _nothing
        self.rules: object = None  # the same for every master
        port = port or clock_multicast_address(0)[1]
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform != "linux" and hasattr(socket, "SO_REUSEPORT"):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._sock.bind((_ANY, port))
            self._sock.setblocking(False)
            self._follow()
        except OSError as cause:
            self._sock.close()
            raise LinkError(
                f"udp port {port}: multicasts cannot be heard ({cause.strerror or cause}).",
                hint="Free the port, or switch ClockSettings.multicast off.",
            ) from cause

    @property
    def address(self) -> tuple[str, int]:
        """Group and port that are listened on."""
        return clock_multicast_address(self._joined or 0)[0], self._sock.getsockname()[1]

    @property
    def url(self) -> str:
        """The group as a URL."""
        host, port = self.address
        return f"udp://{host}:{port}"

    def turn_away(self) -> None:
        """Nothing: no session begins here."""

    def _membership(self, cluster: int) -> bytes:
        group = clock_multicast_address(cluster)[0]
        return socket.inet_aton(group) + socket.inet_aton(self._interface)

    def _follow(self) -> None:
        """Leave the old group and join that of the slave's cluster."""
        cluster = self._cluster()
        if cluster == self._joined:
            return
        if self._joined is not None:
            with contextlib.suppress(OSError):
                old = self._membership(self._joined)
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, old)
        new = self._membership(cluster)
        self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, new)
        self._joined = cluster

    def watched(self) -> list[Watched]:
        """What to wait for: sockets, each with ``selectors.EVENT_...``."""
        try:
            self._follow()
        except OSError:  # no such network now; the next look tries again
            self.broken += 1
        return [(self._sock, selectors.EVENT_READ)]

    def read(self) -> list[bytes]:
        """Multicasts that wait, oldest first; never blocks."""
        found: list[bytes] = []
        for _ in range(_MAX_READS):
            try:
                data = self._sock.recv(_MAX_DATAGRAM)
            except OSError:  # BlockingIOError among them: that was all
                break
            self._reader.reset()
            packets = self._reader.feed(data)
            good = [p for p in packets if len(p) == _PACKET_BYTES and p[:2] == _PREFIX]
            self.strangers += len(packets) - len(good)
            found += good
        return found

    def restart(self, *, numbering: bool = True) -> None:
        """Nothing counts from 0 here."""

    def remember(self, master: str) -> bool:  # noqa: ARG002 -- as of the other ports
        """False: a multicast has no master."""
        return False

    def send(self, packets: Sequence[Sent]) -> None:
        """Nothing is sent from here."""

    def hang_up(self) -> None:
        """There is no connection to end."""

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def close(self) -> None:
        """Give the socket back; harmless when closed."""
        self._sock.close()
