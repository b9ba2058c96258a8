"""Slaves on Ethernet are found by multicast: the master asks everybody, each slave says where it is.

*(XCP on Ethernet, GET_SLAVE_ID, 1.1; GET_SLAVE_ID_EXTENDED, 1.3)*
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import struct
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LinkError, UsageError, WireError
from xcaliper.transport.base import link_error
from xcaliper.wire.codec import encode
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming
from xcaliper.xcp.procedures.transport import FoundSlave, decode_discovery
from xcaliper.xcp.tlcmd import (
    DISCOVERY_ADDRESS,
    EthGetSlaveId,
    EthGetSlaveIdExtended,
    ip_to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.transport.ports import Sent, Watched
    from xcaliper.xcp.slave_link import LinkReply

__all__ = ["DiscoveryPort", "discover"]

_ANY: Final = "0.0.0.0"  # noqa: S104 -- every interface
_MAX_READS: Final = 64
_MAX_DATAGRAM: Final = 2048
_MAX_SLAVES: Final = 4096
_MAX_TIMEOUT_S: Final = 60.0
_REQUESTS: Final = (b"\xf2\xff", b"\xf2\xfd", b"\xf2\xfc")


def _nothing() -> None:
    return


def _framed(packet: bytes) -> bytes:
    """A message of its own, its header counter 0."""
    return EthFraming().frame(packet)


def discover(
    *,
    timeout_s: float = 1.0,
    interface: str = "",
    address: tuple[str, int] = DISCOVERY_ADDRESS,
) -> list[FoundSlave]:
    """Every slave that answers within the time, one entry per address and port, in their order.

    Args:
        timeout_s: how long answers are collected; longer is safer on busy networks.
        interface: own address of the network to search, ``127.0.0.1`` for this machine; empty = the
            one that the system chooses.
        address: where to ask; the standard's group and port unless told otherwise.

    Raises:
        UsageError: the time is not between 0 and a minute, or the interface is no IPv4 address.
        LinkError: there is no way to the network.
    """
    if not 0 < timeout_s <= _MAX_TIMEOUT_S:
        raise UsageError(f"discover: {timeout_s} s is not between 0 and {_MAX_TIMEOUT_S:g} s.")
    name = f"udp://{address[0]}:{address[1]}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            host = _prepare(sock, interface, address)
            port = sock.getsockname()[1]
            for kind in (EthGetSlaveId, EthGetSlaveIdExtended):
                sock.sendto(_framed(encode(kind(port=port, ip=ip_to_bytes(host)))), address)
            return _collect(sock, time.monotonic() + timeout_s)
        except OSError as cause:
            raise link_error(name, cause, "searching") from cause


def _prepare(sock: socket.socket, interface: str, address: tuple[str, int]) -> str:
    """Bind; the own address, for the answers."""
    if interface:
        ip_to_bytes(interface)
        try:
            packed = socket.inet_aton(interface)
        except OSError:
            raise UsageError(f"interface {interface}: it is no IPv4 address.") from None
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
        host = interface
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            host = probe.getsockname()[0]
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    sock.bind((host, 0))
    sock.setblocking(False)
    return host


def _collect(sock: socket.socket, until: float) -> list[FoundSlave]:
    found: dict[tuple[str, int], FoundSlave] = {}
    while len(found) < _MAX_SLAVES:
        left = until - time.monotonic()
        if left <= 0 or not select.select([sock], [], [], left)[0]:
            break
        with contextlib.suppress(ConnectionError):
            data, (sender, _) = sock.recvfrom(_MAX_DATAGRAM)
            for packet in DatagramReader().feed(data):
                with contextlib.suppress(WireError):  # somebody else's packet
                    _add(found, decode_discovery(packet), sender)
    return [found[place] for place in sorted(found)]


def _add(found: dict[tuple[str, int], FoundSlave], slave: FoundSlave, sender: str) -> None:
    """Keep the fuller one of two answers; a slave on every interface is where it answered from."""
    if slave.host == _ANY:
        slave = replace(slave, host=sender)
    place = (slave.host, slave.port)
    if place not in found or slave.mac:
        found[place] = slave


class DiscoveryPort:
    """The slave's side: hears the search, hands it over and sends the answers where they belong.

    It is shared by whoever holds the session; no session begins here.

    Args:
        answer: gives the answers to a packet.
        interface: own address of the network; empty = the system chooses.
        address: group and port, those of the standard unless told otherwise.

    Raises:
        LinkError: the port cannot be had.
    """

    scheme = "udp"
    master: Final = ""
    is_shared: Final = True
    alignment: Final = 1

    def __init__(
        self,
        answer: Callable[[bytes], Iterable[LinkReply]],
        *,
        interface: str = "",
        address: tuple[str, int] = DISCOVERY_ADDRESS,
    ) -> None:
        self._answer = answer
        self.address = address
        self.strangers = 0
        self.refused = 0
        self.broken = 0
        self.waiting = False
        self.busy = False
        self.in_session: Callable[[], bool] = bool
        self.rules: object = None  # the same for every master
        self.dropped: Callable[[], None] = _nothing
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform != "linux" and hasattr(socket, "SO_REUSEPORT"):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._sock.bind((_ANY, address[1]))
            self._sock.setblocking(False)
            member = struct.pack("4s4s", *map(socket.inet_aton, (address[0], interface or _ANY)))
            self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError as cause:
            self._sock.close()
            raise LinkError(
                f"udp port {address[1]}: the search for slaves cannot be heard "
                f"({cause.strerror or cause}).",
                hint="Free the port; the slave serves without it as well.",
            ) from cause

    @property
    def url(self) -> str:
        """The group as a URL."""
        return f"udp://{self.address[0]}:{self.address[1]}"

    def watched(self) -> list[Watched]:
        """What to wait for: sockets, each with ``selectors.EVENT_...``."""
        return [(self._sock, selectors.EVENT_READ)]

    def read(self) -> list[bytes]:
        """Answer the searches that wait; there are no packets for a session."""
        for _ in range(_MAX_READS):
            try:
                data = self._sock.recv(_MAX_DATAGRAM)
            except OSError:  # BlockingIOError among them: that was all
                break
            for packet in DatagramReader().feed(data):
                if packet[:2] not in _REQUESTS:
                    self.strangers += 1
                    continue
                for reply in self._answer(packet):
                    self._send(reply)
        return []

    def _send(self, reply: LinkReply) -> None:
        try:
            self._sock.sendto(_framed(reply.packet), (reply.ip, reply.port))
        except (OSError, OverflowError):  # an address that nobody can reach
            self.broken += 1

    def restart(self, *, numbering: bool = True) -> None:
        """Nothing counts from 0 here."""

    def remember(self, master: str) -> bool:  # noqa: ARG002 -- as of the other ports
        """False: this port has no master."""
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
