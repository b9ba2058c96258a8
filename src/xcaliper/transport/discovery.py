"""Slaves on Ethernet are found by multicast: the master asks everybody, each slave says where it is.

*(XCP on Ethernet, GET_SLAVE_ID, 1.1; GET_SLAVE_ID_EXTENDED, 1.3)*
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LinkError, UsageError, WireError
from xcaliper.transport.base import link_error
from xcaliper.transport.group import ANY, GroupPort, listen_to_groups, prepare_sender
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
    from collections.abc import Callable, Iterable

    from xcaliper.xcp.slave_link import LinkReply

__all__ = ["DiscoveryPort", "discover"]

_MAX_DATAGRAM: Final = 2048
_MAX_SLAVES: Final = 4096
_MAX_TIMEOUT_S: Final = 60.0
_REQUESTS: Final = (b"\xf2\xff", b"\xf2\xfd", b"\xf2\xfc")


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
            socket.inet_aton(interface)
        except OSError:
            raise UsageError(f"interface {interface}: it is no IPv4 address.") from None
        host = interface
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            host = probe.getsockname()[0]
    prepare_sender(sock, interface)
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
    if slave.host == ANY:
        slave = replace(slave, host=sender)
    place = (slave.host, slave.port)
    if place not in found or slave.mac:
        found[place] = slave


class DiscoveryPort(GroupPort):
    """The slave's side: hears the search, hands it over and sends the answers where they belong.

    Args:
        answer: gives the answers to a packet.
        interface: own address of the network; empty = the system chooses.
        address: group and port, those of the standard unless told otherwise.

    Raises:
        LinkError: the port cannot be had.
    """

    def __init__(
        self,
        answer: Callable[[bytes], Iterable[LinkReply]],
        *,
        interface: str = "",
        address: tuple[str, int] = DISCOVERY_ADDRESS,
    ) -> None:
        super().__init__()
        self._answer = answer
        self.address = address
        try:
            listen_to_groups(self._sock, address[1])
            member = struct.pack("4s4s", *map(socket.inet_aton, (address[0], interface or ANY)))
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

    def read(self) -> list[bytes]:
        """Answer the searches that wait; there are no packets for a session."""
        for data in self._datagrams():
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
