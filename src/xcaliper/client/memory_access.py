"""Memory of a live slave: read with the rights of pages, written with those of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.client.write_access import WriteAccess
from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.page_access import Side
from xcaliper.xcp.procedures.memory import XcpMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.client.connection import Connection
    from xcaliper.client.info import SegmentInfo
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["MemoryAccess", "as_address"]

_MAX_ADDRESS: Final = 0xFFFF_FFFF


class MemoryAccess:
    """Memory as XCP sees it.

    Args:
        connection: to the slave.

    Attributes:
        watchers: told of every place that was written, or may have been.
        page_watchers: told of pages, see :class:`~xcaliper.client.paging.Paging`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.watchers: list[Callable[[Address, int], object]] = []
        self.page_watchers: list[Callable[[int, int | None], object]] = []
        self._port = XcpMemory(connection.session)
        self._rights = WriteAccess((), connection.session.profile.ag)

    def know(self, segments: Sequence[SegmentInfo]) -> None:
        """Take what the slave tells of its segments; what was noted about writing stays noted."""
        noted = self._rights.notes
        self._rights = WriteAccess(segments, self._connection.session.profile.ag)
        self._rights.notes.update(noted)

    def forget(self) -> None:
        """Begin with the session that the connection has now."""
        self._port = XcpMemory(self._connection.session)

    @property
    def notes(self) -> Iterable[Diagnostic]:
        """What was odd about writing, each told once."""
        return self._rights.notes.values()

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes of any length, from a page that may be read."""
        self._connection.paging.check(address, size_bytes, Side.XCP_READ)
        return self._connection.link.run(self._port.read(address, size_bytes))

    def read_many(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Bytes of several places, asked for together where the slave has a queue."""
        return self._connection.link.run(self._port.read_many(places))

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes in a page that may be written."""
        self._connection.paging.check(address, len(data), Side.XCP_WRITE)
        try:
            self._rights.write(self._connection.link, self._port, address, data)
        finally:
            for watcher in self.watchers:
                watcher(address, len(data))

    def checksum(self, address: Address, size_bytes: int) -> tuple[str, int]:
        """Name of the slave's algorithm and its result over one block.

        Raises:
            UsageError: the slave can do it only in several blocks.
        """
        blocks = self._connection.link.run(self._port.checksum(address, size_bytes))
        if len(blocks) != 1:
            raise UsageError(
                f"checksum: the slave takes {blocks[0].size_bytes} bytes at once, not {size_bytes}.",
                hint="Ask for each block alone.",
            )
        return ChecksumType(blocks[0].checksum_type).name, blocks[0].value


def as_address(address: int | Address, extension: int) -> Address:
    """An address from a number and an extension.

    Raises:
        UsageError: XCP cannot say it.
    """
    if isinstance(address, Address):
        return address
    if not 0 <= address <= _MAX_ADDRESS or not 0 <= extension <= 0xFF:
        raise UsageError(
            f"address {address:#x}, extension {extension}: XCP has 32 bits for one, 8 for the other."
        )
    return Address(address, extension)
