"""GET_DAQ_CLOCK_MULTICAST on UDP: the master asks every slave of a cluster at once, slaves listen."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LinkError, UsageError
from xcaliper.transport.base import link_error
from xcaliper.transport.group import ANY, GroupPort, listen_to_groups, prepare_sender
from xcaliper.wire.codec import codec_for
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast, clock_multicast_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.transport.port_base import Watched

__all__ = ["ClockMulticast", "MulticastPort"]

_PACKET_BYTES: Final = 5
_PREFIX: Final = b"\xf2\xfa"


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
            prepare_sender(self._sock, interface)
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


class MulticastPort(GroupPort):
    """The slave's side: hears the multicasts of its cluster and follows it to another address.

    Nothing is sent from here, and nothing but GET_DAQ_CLOCK_MULTICAST is taken.

    Args:
        cluster: tells the slave's cluster now.
        interface: own address of the network; empty = the system chooses.
        port: for tests; 0 = the standard's.

    Raises:
        LinkError: the port cannot be had.
    """

    def __init__(self, cluster: Callable[[], int], *, interface: str = "", port: int = 0) -> None:
        super().__init__()
        self._cluster = cluster
        self._interface = interface or ANY
        self._joined: int | None = None
        self._reader = DatagramReader()
        port = port or clock_multicast_address(0)[1]
        try:
            listen_to_groups(self._sock, port)
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
        return super().watched()

    def read(self) -> list[bytes]:
        """Multicasts that wait, oldest first; never blocks."""
        found: list[bytes] = []
        for data in self._datagrams():
            self._reader.reset()
            packets = self._reader.feed(data)
            good = [p for p in packets if len(p) == _PACKET_BYTES and p[:2] == _PREFIX]
            self.strangers += len(packets) - len(good)
            found += good
        return found
