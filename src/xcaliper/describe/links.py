"""Which symbol an object stands for, and the copies of its address in IF_DATA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted, number_of
from xcaliper.core.datatypes import DataType

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Blob", "Link", "LinkMap", "blobs_of", "link_maps_of", "links_of"]

_MAX_DEPTH: Final = 32
#: Codes of data types in LINK_MAP, as Vector tools write them.
LINK_MAP_TYPES: Final = {
    DataType.UBYTE: 0x87,
    DataType.SBYTE: 0xC7,
    DataType.UWORD: 0x8F,
    DataType.SWORD: 0xCF,
    DataType.ULONG: 0x9F,
    DataType.SLONG: 0xDF,
    DataType.A_UINT64: 0xBF,
    DataType.A_INT64: 0xFF,
    DataType.FLOAT32_IEEE: 0x01,
    DataType.FLOAT64_IEEE: 0x02,
}


@dataclass(frozen=True, slots=True)
class Link:
    """A symbol text and where it stands.

    Attributes:
        origin: the keyword it comes from.
        text: the symbol, perhaps with a path.
        offset: bytes behind it.
    """

    origin: Literal["SYMBOL_LINK", "LINK_MAP", "NAME", "DISPLAY_IDENTIFIER"]
    text: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class _Words:
    """Words in a list of items, changed in place."""

    items: list[IfItem]
    at: int

    def number(self, index: int) -> int | None:
        """A word as a whole number; None where there is none."""
        at = self.at + index
        item = self.items[at] if at < len(self.items) else None
        if not isinstance(item, str) or isinstance(item, Quoted):
            return None
        value = number_of(item)
        return value if isinstance(value, int) else None

    def put(self, index: int, value: int) -> None:
        """Replace a number; hexadecimal stays hexadecimal."""
        old = self.items[self.at + index]
        decimal = isinstance(old, str) and "x" not in old.lower() and old != "0"
        self.items[self.at + index] = str(value) if decimal else f"0x{value:X}"


class LinkMap(_Words):
    """A LINK_MAP of Vector: symbol, base address, extension, flag, offset, type valid, type, bit offset."""

    BASE, OFFSET, TYPE_VALID, TYPE, BIT_OFFSET = 1, 4, 5, 6, 7

    @property
    def symbol(self) -> str:
        """Name of the symbol."""
        item = self.items[self.at]
        return str(item) if isinstance(item, str) else ""


class Blob(_Words):
    """A KP_BLOB or DP_BLOB of CCP: extension, address, length."""

    ADDRESS, LENGTH = 1, 2


def _lists(items: list[IfItem], depth: int = 0) -> Iterator[list[IfItem]]:
    yield items
    for item in items:
        if isinstance(item, IfBlock) and depth < _MAX_DEPTH:
            yield from _lists(item.items, depth + 1)


def link_maps_of(if_data: list[IfData]) -> Iterator[LinkMap]:
    """Every LINK_MAP of an object."""
    for data in if_data:
        if data.name == "CANAPE_EXT":
            for items in _lists(data.items):
                for at, item in enumerate(items[:-1]):
                    if item == "LINK_MAP" and isinstance(items[at + 1], str):
                        yield LinkMap(items, at + 1)


def blobs_of(if_data: list[IfData]) -> Iterator[Blob]:
    """Every KP_BLOB and DP_BLOB of an object, as words or as blocks."""
    for data in if_data:
        for items in _lists(data.items):
            for at, item in enumerate(items):
                if isinstance(item, IfBlock) and item.tag in ("KP_BLOB", "DP_BLOB"):
                    yield Blob(item.items, 0)
                elif item in ("KP_BLOB", "DP_BLOB"):
                    yield Blob(items, at + 1)


def links_of(made: Any) -> list[Link]:
    """Symbols of an object, the surest first.

    SYMBOL_LINK, then LINK_MAP. An object with neither goes by its name, then by its display identifier: a name says
    nothing where a link was given.
    """
    found: list[Link] = []
    if made.symbol_link is not None and made.symbol_link.symbol_name.strip():
        found.append(Link("SYMBOL_LINK", made.symbol_link.symbol_name, made.symbol_link.offset))
    found.extend(
        Link("LINK_MAP", entry.symbol, entry.number(LinkMap.OFFSET) or 0)
        for entry in link_maps_of(made.if_data)
        if entry.symbol.strip()
    )
    if not found:
        found.append(Link("NAME", made.name))
        if made.display_identifier:
            found.append(Link("DISPLAY_IDENTIFIER", made.display_identifier))
    return found
