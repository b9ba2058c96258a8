"""Which keyword each comment of a text belongs to, so that it can go along when the text is laid out anew."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.if_patch import Place, item_places
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, IfItem
from xcaliper.a2l.keywords.project import Module, Project
from xcaliper.a2l.lines import bytes_of
from xcaliper.a2l.patch import keyword_places
from xcaliper.a2l.tokens import END
from xcaliper.a2l.write import Remarks, Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l.parse import A2lFile
    from xcaliper.a2l.tokens import Tokens

__all__ = ["PlacedComments", "comment_spans", "place_comments"]

_PARTS: Final = re.compile(
    rb'"(?:[^"\\\n]|\\[^\n]|"")*"|/begin\s+A2ML\b[\s\S]*?/end\s+A2ML\b|(/\*[\s\S]*?\*/|//[^\r\n]*)'
)
_ENDS: Final[dict[type, re.Pattern[bytes]]] = {
    Project: re.compile(rb"/end\s+PROJECT\b"),
    Module: re.compile(rb"/end\s+MODULE\b"),
}


@dataclass(slots=True)
class PlacedComments:
    """Comments with their places.

    Attributes:
        remarks: to be given to ``write``, which takes out what it writes.
        all: offset, place and text of each.
    """

    remarks: Remarks = field(default_factory=Remarks)
    all: list[tuple[int, Slot, str]] = field(default_factory=list)

    def left(self) -> Iterator[tuple[int, str]]:
        """Offset and text of those that were not written."""
        for start, slot, text in self.all:
            if self.remarks.has(slot):
                yield start, text


def comment_spans(text: bytes) -> list[tuple[int, int]]:
    """Start and end of every comment outside of strings and A2ML."""
    return [m.span(1) for m in _PARTS.finditer(text) if m[1] is not None]


def place_comments(file: A2lFile) -> PlacedComments:
    """Find the comments of a description and what they belong to.

    A comment behind something in its line belongs to that, any other one to what follows it.

    Args:
        file: the description; all of it is read.
    """
    placed = PlacedComments()
    document = file.document
    if document is None:
        return placed
    text = bytes_of(document.text)
    comments = comment_spans(text)
    if not comments:
        return placed
    anchors = sorted(_Anchors(file).all())
    offsets = [offset for offset, _ in anchors]
    for number, (start, stop) in enumerate(comments):
        comment = text[start:stop].decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
        behind = _is_behind(text, comments, number)
        at = bisect_right(offsets, start) - 1 if behind else bisect_left(offsets, stop)
        slot = anchors[at][1] if 0 <= at < len(anchors) else (0, "end", 0)
        if 0 < at < len(anchors) and slot == anchors[at - 1][1]:
            behind = True  # between the parameters of a head
        side = placed.remarks.behind if behind and at >= 0 else placed.remarks.before
        side.setdefault(slot, []).append(comment)
        placed.all.append((start, slot, comment))
    return placed


def _is_behind(text: bytes, comments: list[tuple[int, int]], number: int) -> bool:
    """True when something else than comments stands before a comment in its line."""
    at = comments[number][0]
    line = text.rfind(b"\n", 0, at) + 1
    while number > 0 and comments[number - 1][1] > line:
        number -= 1
        start, stop = comments[number]
        if text[stop:at].strip():
            return True
        if start < line:
            return False
        at = start
    return bool(text[line:at].strip())


class _Anchors:
    """Offsets of everything that gets a line of its own, with the places of these lines."""

    def __init__(self, file: A2lFile) -> None:
        self.file = file
        self.known: dict[int, Tokens] = {}  # by identity of the stretch
        self.held: list[Any] = []

    def all(self) -> Iterator[tuple[int, Slot]]:
        file = self.file
        for one in (file.asap2_version, file.a2ml_version, file.project):
            if one is not None:
                yield from self.keyword(one)
        if file.fragment is not None:
            yield from self.children(file.fragment)

    def tokens(self, made: Any) -> Tokens:
        stretch = made.origin.tokens
        found = self.known.get(id(stretch))
        if found is None:
            found = self.known[id(stretch)] = stretch.tokens(made.origin.places)
            self.held.append(stretch)
        return found

    def keyword(self, made: Any) -> Iterator[tuple[int, Slot]]:
        origin = made.origin
        if origin is None or origin.places is not self.file.document:
            return
        start = origin.span()[0]
        yield start, (id(made), "", 0)
        if isinstance(made, A2ml):
            return
        if isinstance(made, (Project, Module)):
            yield from self.outer(made, start)
            return
        tokens = self.tokens(made)
        if isinstance(made, IfData):
            places = item_places(tokens, made)
            if places is not None:
                yield from self.items(tokens, made.items, places)
        else:
            yield from self.parts(tokens, made)
            yield from self.children(made)
        if tokens.kinds[origin.last - 1] == END:
            yield tokens.span(origin.last - 1)[0], (id(made), "end", 0)

    def outer(self, made: Project | Module, start: int) -> Iterator[tuple[int, Slot]]:
        """A project or module: its tokens are those of its head alone."""
        last = len(table_of(type(made)).params) + made.origin.first  # type: ignore[union-attr]  # it was read
        yield self.tokens(made).span(last)[0], (id(made), "", 0)
        for anchor in self.children(made):
            start = max(start, anchor[0])
            yield anchor
        found = _ENDS[type(made)].search(bytes_of(made.origin.places.text), start)  # type: ignore[union-attr]
        if found:
            yield found.start(), (id(made), "end", 0)

    def parts(self, tokens: Tokens, made: Any) -> Iterator[tuple[int, Slot]]:
        """The elements of its list and its plain optional keywords."""
        table = table_of(type(made))
        at = made.origin.first + 1 + len(table.params)
        if table.params:
            yield tokens.span(at - 1)[0], (id(made), "", 0)
        if table.rest is not None and table.block:
            width = len(table.rest[1])
            count = len(getattr(made, table.rest[0]))
            for number in range(count):
                yield tokens.span(at + number * width)[0], (id(made), "row", number)
            at += count * width
        if not table.optional:
            return
        found = keyword_places(tokens, made, at)
        for name, places in found.items():
            for number, place in enumerate(places):
                yield tokens.span(place)[0], (id(made), table.optional[name].attr, number)

    def children(self, made: Any) -> Iterator[tuple[int, Slot]]:
        for entry in table_of(type(made)).optional.values():
            value = getattr(made, entry.attr)
            if entry.mode == "object" and value is not None:
                for one in value if entry.repeated else (value,):
                    yield from self.keyword(one)

    def items(
        self, tokens: Tokens, items: list[IfItem], places: list[Place]
    ) -> Iterator[tuple[int, Slot]]:
        for at, (item, place) in enumerate(zip(items, places, strict=True)):
            yield tokens.span(place.first)[0], (id(items), "item", at)
            if isinstance(item, IfBlock):
                yield from self.items(tokens, item.items, place.inner)
                yield tokens.span(place.last - 1)[0], (id(item), "end", 0)
