"""What calibration needs of the memory it works on: an ECU that answers, or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.address import Address

__all__ = ["MemoryPort", "PagedPort", "PlainPort"]


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


class PagedPort(MemoryPort, Protocol):
    """Memory with pages and checksums; what a slave lacks, it says so by None or False."""

    def matches(self, address: Address, data: bytes) -> bool | None:
        """Whether memory holds these bytes, by checksum; None = it cannot tell.

        Raises:
            XcaliperError: a slave is silent.
        """
        ...

    def pages(self, segment: int) -> tuple[int | None, int | None]:
        """Page of the ECU and page of XCP; None where the slave does not tell."""
        ...

    def switch(self, segments: Sequence[int], page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page for the ECU, for XCP or for both, and look whether it is so.

        Raises:
            XcaliperError: the slave refuses, has not done it, or is silent.
        """
        ...

    def user_command(self, content: bytes) -> None:
        """Send USER_CMD with these bytes (XCP Base, USER_CMD, 1.0).

        Raises:
            XcaliperError: the slave refuses or is silent.
        """
        ...


class PlainPort:
    """Memory without pages as a :class:`PagedPort`: an image, or a block of bytes.

    Args:
        memory: what it works on.
    """

    def __init__(self, memory: MemoryPort) -> None:
        self._memory = memory

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self._memory.ag

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address."""
        return self._memory.read(address, size_bytes)

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes."""
        self._memory.write(address, data)

    def matches(self, address: Address, data: bytes) -> bool | None:
        """Whether memory holds these bytes."""
        return self._memory.read(address, len(data)) == data

    def pages(self, segment: int) -> tuple[int | None, int | None]:  # noqa: ARG002  # the protocol's
        """There are none."""
        return None, None

    def switch(self, segments: Sequence[int], page: int, *, ecu: bool, xcp: bool) -> None:
        """There is nothing to switch."""

    def user_command(self, content: bytes) -> None:
        """Nobody is there to be told."""
