"""IF_DATA as a generic tree of tagged blocks, words and strings; A2ML as its text.

Words keep their spelling, so a number stays ``0x0010``; strings are ``Quoted``. What the tree means is decided on
demand by a typed view such as ``if_xcp``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from xcaliper.a2l.grammar import Keyword, Origin, keyword, number_of
from xcaliper.core.diagnostics import Where

__all__ = [
    "A2ml",
    "IfBlock",
    "IfData",
    "IfItem",
    "Quoted",
    "Reader",
    "as_block",
    "item_tokens",
    "item_where",
    "number_of",
    "origin_of",
]


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


def origin_of(owner: IfData | IfBlock) -> Origin | None:
    """Where a tree or a block of it was read; None when it was made by hand."""
    if isinstance(owner, IfData):
        return owner.origin
    return owner.place if isinstance(owner.place, Origin) else None


def as_block(data: IfData, items: list[IfItem] | None = None, tag: str = "") -> IfBlock:
    """An IF_DATA as the block that its name stands for, with its place; or some of its items as one."""
    block = IfBlock(tag or data.name, data.items if items is None else items)
    origin = data.origin
    if origin is not None and items is None:
        block.place = Origin(origin.places, origin.tokens, origin.first + 1, True)
        block.place.last = origin.last
    else:
        block.place = data.where.line
    return block


def item_tokens(owner: IfData | IfBlock) -> list[tuple[int, int]]:
    """First and last token of every item, block marks included, in the stretch it was read from.

    Args:
        owner: as it was read; where its items were changed since, the tokens are not theirs.
    """
    origin = origin_of(owner)
    if origin is None:
        return []
    at = origin.first + (2 if isinstance(owner, IfData) else 1)
    found: list[tuple[int, int]] = []
    for item in owner.items:
        inner = origin_of(item) if isinstance(item, IfBlock) else None
        first, last = (at, at) if inner is None else (inner.first - 1, inner.last)
        found.append((first, last))
        at = last + 1
    return found


def item_where(owner: IfData | IfBlock, index: int) -> Where:
    """Place of an item; that of the end of the block for an index behind the last one."""
    origin = origin_of(owner)
    if origin is None:
        where = owner.where if isinstance(owner, IfData) else Where()
        return where if isinstance(owner, IfData) or not owner.line else Where("", owner.line)
    tokens = item_tokens(owner)
    if index < len(tokens):
        first = tokens[index][0] + isinstance(owner.items[index], IfBlock)  # a block: its tag
    else:
        first = tokens[-1][1] + 1 if tokens else origin.first + 1
    if first > origin.last:
        first = origin.first
    return origin.places.where(origin.tokens(first)[0])


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
