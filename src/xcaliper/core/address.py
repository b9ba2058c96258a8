"""Addresses: 32-bit (or wider, in files) value plus extension, counted in AG elements."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Address", "AddressRange"]


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where something lies in the memory of an ECU (XCP Base, MTA, 1.0).

    Attributes:
        value: address in units of the address granularity (AG).
        extension: address extension, 0 to 255.
    """

    value: int
    extension: int = 0

    def __add__(self, count_ag: int) -> Address:
        return Address(self.value + count_ag, self.extension)

    def __str__(self) -> str:
        suffix = f":{self.extension}" if self.extension else ""
        return f"0x{self.value:08X}{suffix}"


@dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """A run of bytes in one address space.

    Attributes:
        start: first address.
        size_bytes: length; the range ends before ``start + size_bytes / AG``.
    """

    start: Address
    size_bytes: int

    def contains(self, address: Address, size_bytes: int = 1, *, ag: int = 1) -> bool:
        """True when the bytes at the address lie wholly inside."""
        if address.extension != self.start.extension:
            return False
        offset = (address.value - self.start.value) * ag
        return offset >= 0 and offset + size_bytes <= self.size_bytes
