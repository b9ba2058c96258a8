"""Ports of a virtual ECU with quirks: sessions that strangers end, a server that goes deaf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcaliper.transport.ports import DATAGRAM_LIMIT, TcpPort, UdpPort, open_port
from xcaliper.transport.url import parse_url
from xcaliper.xcp.quirks import Quirk

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from xcaliper.transport.port_base import Watched
    from xcaliper.transport.ports import SlavePort

__all__ = ["DeafTcpPort", "OpenUdpPort", "open_quirky_port"]


class OpenUdpPort(UdpPort):
    """Datagrams; any datagram of another sender ends the session without a word."""

    def _count_stranger(self) -> None:
        super()._count_stranger()
        self.hang_up()
        self.dropped()

    def _may_begin(self, _sender: Any) -> bool:
        return True


class DeafTcpPort(TcpPort):
    """One connection at a time; one that ends inside a session is the last.

    Attributes:
        is_deaf: True once that has happened.
    """

    is_deaf = False

    def watched(self) -> list[Watched]:
        """What to wait for; nothing when deaf."""
        return [] if self.is_deaf else super().watched()

    def read(self) -> list[bytes]:
        """Packets of the master; none when deaf."""
        return [] if self.is_deaf else super().read()

    def hang_up(self) -> None:
        """End the connection; inside a session that was a shock."""
        self.is_deaf = self.is_deaf or self.in_session()
        super().hang_up()


def open_quirky_port(
    url: str, quirks: AbstractSet[Quirk], *, max_packet: int = 0xFFFF, limit: int = DATAGRAM_LIMIT
) -> SlavePort:
    """A port that listens where a URL says, with the quirks of its slave.

    Raises:
        UsageError: the URL is wrong, or the host has no address.
        LinkError: the port cannot be had.
    """
    wanted = parse_url(url)
    where = wanted.host, wanted.port
    if wanted.scheme == "udp" and Quirk.SILENT_TAKEOVER in quirks:
        return OpenUdpPort(*where, alignment=wanted.alignment, limit=limit)
    if wanted.scheme == "tcp" and Quirk.DEAF_AFTER_CLOSE in quirks:
        return DeafTcpPort(*where, alignment=wanted.alignment, max_packet=max_packet)
    return open_port(url, max_packet=max_packet, limit=limit)
