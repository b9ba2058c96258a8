"""Segments of parameters with their pages, as calibration needs to know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.address import AddressRange

if TYPE_CHECKING:
    from xcaliper.core.address import Address

__all__ = ["CalibSegment", "PageUse"]

_ALONE, _TOGETHER = 1, 2


@dataclass(frozen=True, slots=True)
class PageUse:
    """Who may use a page: bit 0 while the other side is elsewhere, bit 1 while it is there as well.

    *(XCP Base, PAGE_PROPERTIES, 1.0)*

    Attributes:
        number: of the page.
        ecu: of the application.
        xcp_read: of reading through XCP.
        xcp_write: of writing through XCP.
    """

    number: int
    ecu: int = 3
    xcp_read: int = 3
    xcp_write: int = 3

    @property
    def is_writable(self) -> bool:
        """Writing through XCP is possible at some time."""
        return self.xcp_write != 0

    @property
    def is_spare(self) -> bool:
        """Can be written through XCP while the ECU is elsewhere, and taken by the ECU afterwards."""
        return bool(self.xcp_write & _ALONE and self.ecu & _TOGETHER)

    @property
    def is_shelter(self) -> bool:
        """The ECU can work with it while XCP is elsewhere."""
        return bool(self.ecu & _ALONE)


@dataclass(frozen=True, slots=True)
class CalibSegment:
    """A block of parameters.

    Attributes:
        number: on the wire; None = memory without pages.
        name: may be empty.
        start: first address.
        size_bytes: length.
        pages: what is known of its pages, by number; empty = nobody says.
    """

    number: int | None
    name: str
    start: Address
    size_bytes: int
    pages: tuple[PageUse, ...] = ()

    @property
    def label(self) -> str:
        """``segment 1 (Maps)``, as messages call it."""
        text = "memory" if self.number is None else f"segment {self.number}"
        return f"{text} ({self.name})" if self.name else text

    @property
    def range(self) -> AddressRange:
        """All of it."""
        return AddressRange(self.start, self.size_bytes)

    def offset(self, address: Address, *, ag: int = 1) -> int:
        """Bytes from its start; may be outside."""
        return (address.value - self.start.value) * ag

    def holds(self, address: Address, size_bytes: int, *, ag: int = 1) -> bool:
        """True when all the bytes lie inside."""
        return self.range.contains(address, size_bytes, ag=ag)

    def touches(self, address: Address, size_bytes: int, *, ag: int = 1) -> bool:
        """True when some of the bytes lie inside."""
        if address.extension != self.start.extension:
            return False
        offset = self.offset(address, ag=ag)
        return offset < self.size_bytes and offset + size_bytes > 0

    @property
    def working_page(self) -> int | None:
        """The first page that XCP may write: RAM; None when nobody says."""
        return next((one.number for one in self.pages if one.is_writable), None)

    @property
    def reference_page(self) -> int | None:
        """The first page that cannot be written: flash; else the one after the working page."""
        fixed = next((one.number for one in self.pages if not one.is_writable), None)
        others = (one.number for one in self.pages if one.number != self.working_page)
        return fixed if fixed is not None else next(others, None)
