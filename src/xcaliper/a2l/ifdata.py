"""IF_DATA as a generic tree of tagged blocks, words and strings; A2ML as its text.

Words keep their spelling, so a number stays ``0x0010``; strings are ``Quoted``. What the tree means is decided on
demand by a typed view such as ``if_xcp``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from xcaliper.a2l.grammar import Keyword, Origin, keyword

__all__ = ["A2ml", "IfBlock", "IfData", "IfItem", "Quoted", "Reader", "number_of"]

_INTEGER = re.compile(r"[+-]?[0-9]+|[+-]?0[xX][0-9a-fA-F]+")


class Quoted(str):
    """A string that stood in quotes."""

    __slots__ = ()


@dataclass(slots=True)
class IfBlock:
    """A tagged block: ``/begin TAG … /end TAG``.

    Attributes:
        tag: first word.
        items: words, strings and blocks in order.
        place: where it was read, or its line.
    """

    tag: str
    items: "list[IfItem]" = field(default_factory=list)
    place: Origin | int | None = field(default=None, compare=False, repr=False)

    @property
    def line(self) -> int:
        """1-based line, 0 when made by hand."""
        place = self.place
        return place.where().line if isinstance(place, Origin) else place or 0

    def blocks(self, tag: str) -> "Iterator[IfBlock]":
        """Direct sub-blocks with a tag, in order."""
        return (i for i in self.items if isinstance(i, IfBlock) and i.tag == tag)

    def block(self, tag: str) -> "IfBlock | None":
        """First direct sub-block with a tag."""
        return next(self.blocks(tag), None)


IfItem = str | IfBlock


@keyword("IF_DATA", block=True)
class IfData(Keyword):
    """Data of one interface, not interpreted (ASAP2, IF_DATA)."""

    name: str
    items: list[IfItem] = field(default_factory=list)

    def blocks(self, tag: str) -> Iterator[IfBlock]:
        """Direct sub-blocks with a tag, in order."""
        return (i for i in self.items if isinstance(i, IfBlock) and i.tag == tag)

    def block(self, tag: str) -> IfBlock | None:
        """First direct sub-block with a tag."""
        return next(self.blocks(tag), None)


@keyword("A2ML", block=True)
class A2ml(Keyword):
    """Grammar of the IF_DATA blocks, kept verbatim (ASAP2, A2ML)."""

    text: str


def number_of(word: str) -> int | float | None:
    """The number a word spells, decimal, hexadecimal or floating; None for other words."""
    if len(word) < 20 and word.isascii():
        if word.isdigit():
            return int(word)
        if word[:2] == "0x" and word[2:].isalnum():
            try:
                return int(word, 16)
            except ValueError:
                return None
    if _INTEGER.fullmatch(word):
        try:
            return int(word, 16) if "x" in word or "X" in word else int(word)
        except ValueError:  # more digits than Python converts
            return None
    if "_" in word:
        return None
    try:
        return float(word)
    except ValueError:
        return None


class Reader:
    """Reads items one by one and knows what is left.

    Args:
        items: items of a block.
    """

    __slots__ = ("at", "items")

    def __init__(self, items: list[IfItem]) -> None:
        self.items = items
        self.at = 0

    def peek(self) -> IfItem | None:
        """Next item without taking it; None at the end."""
        return self.items[self.at] if self.at < len(self.items) else None

    def take(self) -> IfItem | None:
        """Next item; None at the end."""
        item = self.peek()
        if item is not None:
            self.at += 1
        return item

    def word(self) -> str | None:
        """Next item if it is a bare word."""
        item = self.peek()
        if isinstance(item, str) and not isinstance(item, Quoted):
            self.at += 1
            return item
        return None

    def text(self) -> str | None:
        """Next item if it is a string, quoted or bare."""
        item = self.peek()
        if isinstance(item, str):
            self.at += 1
            return str(item)
        return None

    def integer(self) -> int | None:
        """Next item if it is a whole number."""
        item = self.peek()
        if isinstance(item, str) and not isinstance(item, Quoted):
            value = number_of(item)
            if value is not None and value == value and abs(value) != float("inf"):  # noqa: PLR0124
                self.at += 1
                return int(value)
        return None
