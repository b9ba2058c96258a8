"""Memory as it will be: writes are kept here until they are sent together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.calib.live import Overlay
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address

    Read = Callable[[Address, int], bytes]

__all__ = ["StagedMemory"]


class StagedMemory:
    """Memory with planned writes over it, to be read and written like any other.

    Args:
        read: gives bytes as they are, for an address and a size.
        ag: bytes per address.

    Attributes:
        writes: what was planned, in order.
    """

    def __init__(self, read: Read, ag: int = 1) -> None:
        self._overlay = Overlay(read, ag)
        self.ag = ag
        self.writes: list[tuple[Address, bytes]] = []

    def write(self, address: Address, data: bytes) -> None:
        """Plan a write of whole address units.

        Raises:
            UsageError: the bytes are no whole units.
        """
        if len(data) % self.ag:
            raise UsageError(f"write: {len(data)} bytes are no whole elements of {self.ag} bytes.")
        self.writes.append((address, bytes(data)))
        self._overlay.add(self.writes[-1:])

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they will be."""
        return self._overlay(address, size_bytes)
