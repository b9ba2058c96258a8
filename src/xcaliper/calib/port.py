"""What calibration needs of the memory it works on: an ECU that answers, or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from xcaliper.core.address import Address

__all__ = ["MemoryPort"]


class MemoryPort(Protocol):
    """Memory of a slave, a page or an image.

    Attributes:
        ag: bytes per address.
    """

    @property
    def ag(self) -> int:
        """Bytes per address."""
        ...

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address.

        Raises:
            UsageError: part of the range does not exist.
            XcaliperError: a slave refuses or is silent.
        """
        ...

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes; whole address units.

        Raises:
            UsageError: part of the range does not exist, or cannot be written.
            XcaliperError: a slave refuses or is silent.
        """
        ...
