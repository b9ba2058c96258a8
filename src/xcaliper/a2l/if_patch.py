"""The smallest edits of the text of an IF_DATA; comments, order and the spelling of other words stay."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.a2l.document import Document, Patch
from xcaliper.a2l.if_words import Step, key_of, steps
from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, item_tokens, origin_of
from xcaliper.a2l.tokens import BEGIN, END, WORD, Tokens
from xcaliper.a2l.write import item_lines, item_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Place", "if_data_patches", "item_places"]

_TRAILING: Final = re.compile(rb"[ \t]*(?:/\*[^\r\n]*?\*/)?[ \t]*(?://[^\r\n]*)?(?=\r?\n|\Z)")


@dataclass(slots=True)
class Place:
    """Where an item stands: its first and last token; of a block also where its items stand."""

    first: int
    last: int
    inner: list[Place] = field(default_factory=list)


def if_data_patches(
    document: Document, tokens: Tokens, old: IfData, new: IfData
) -> Iterator[Patch] | None:
    """Edits that bring an IF_DATA to new items; None when its text is too odd to be followed.

    Args:
        document: the text.
        tokens: tokens of a stretch that holds the block.
        old: the block as read from these tokens.
        new: what it shall say.
    """
    assert old.origin is not None, "it was read from the tokens"
    first = old.origin.first
    places = item_places(tokens, old)
    if places is None or old.name != new.name:
        return None
    writer = _Writer(document, tokens)
    return writer.edits(old.items, new.items, places, (first - 1, first + 1, old.origin.last - 1))


def item_places(tokens: Tokens, owner: IfData | IfBlock) -> list[Place] | None:
    """Where the items of an IF_DATA stand; None when its blocks are not well formed, or not those that were read.

    Args:
        tokens: tokens of the stretch that it was read from.
        owner: as it was read; reading bounds how deep it is.
    """
    origin = origin_of(owner)
    if origin is None or tokens.kinds[origin.last - 1 : origin.last + 1] != [END, WORD]:
        return None
    head = origin.first + (1 if isinstance(owner, IfData) else 0)
    spans = item_tokens(owner)
    if (spans[-1][1] if spans else head) != origin.last - 2:
        return None
    found: list[Place] = []
    for item, (first, last) in zip(owner.items, spans, strict=True):
        place = Place(first, last)
        if isinstance(item, IfBlock):
            if tokens.kinds[first] != BEGIN or tokens.texts[first + 1] != item.tag:
                return None
            inner = item_places(tokens, item)
            if inner is None:
                return None
            place.inner = inner
        elif tokens.kinds[first] in (BEGIN, END):
            return None
        found.append(place)
    return found


def _joined(way: Iterable[Step]) -> Iterator[Step]:
    """The steps, with each item that comes where others go in the place of one of these."""
    going: list[Step] = []
    for step in way:
        if step.new is None:
            going.append(step)
        elif step.old is None and going:
            gone = going.pop(0)
            yield Step(gone.old, step.new, gone.at)
        else:
            yield from going
            going = []
            yield step
    yield from going


class _Writer:
    """Makes the edits of one IF_DATA."""

    def __init__(self, document: Document, tokens: Tokens) -> None:
        self.document = document
        self.tokens = tokens

    def edits(
        self,
        old: Sequence[IfItem],
        new: Sequence[IfItem],
        places: Sequence[Place],
        block: tuple[int, int, int],
    ) -> Iterator[Patch]:
        """Edits of the items of one block.

        Args:
            old: items as they stand there.
            new: what shall stand there.
            places: where the old ones stand.
            block: its first token, that before the first item, and its end mark.
        """
        for step in _joined(steps(old, new)):
            if step.old is None:
                assert step.new is not None, "a step has a side"
                behind = block[1] if step.at < 0 else places[step.at].last
                yield self.insert(step.new, behind, block, places)
            elif step.new is None:
                yield self.remove(places[step.at])
            elif isinstance(step.old, IfBlock) != isinstance(step.new, IfBlock) or (
                isinstance(step.old, IfBlock)
                and isinstance(step.new, IfBlock)
                and step.old.tag != step.new.tag
            ):
                yield self.exchange(places[step.at], step.new)
            elif isinstance(step.old, IfBlock) and isinstance(step.new, IfBlock):
                place = places[step.at]
                inner = (place.first, place.first + 1, place.last - 1)
                yield from self.edits(step.old.items, step.new.items, place.inner, inner)
            elif key_of(step.old) != key_of(step.new):
                assert isinstance(step.new, str), "words belong to words"
                yield Patch(*self.tokens.span(places[step.at].first), item_word(step.new))

    def remove(self, place: Place) -> Patch:
        from xcaliper.a2l.patch import removal

        start, stop = self.tokens.span(place.first)[0], self.tokens.span(place.last)[1]
        return removal(self.document, start, stop)

    def exchange(self, place: Place, item: IfItem) -> Patch:
        """Another kind of item in the place of one."""
        start, stop = self.tokens.span(place.first)[0], self.tokens.span(place.last)[1]
        if b"\n" not in self.document.text[start:stop]:
            return Patch(start, stop, " ".join(line.strip() for line in item_lines([item])))
        indent = self.document.indent_of(start)
        lines = self.lines(item, indent, self.document.step_of(start, stop))
        return Patch(start, stop, self.document.newline().join(lines).removeprefix(indent))

    @staticmethod
    def lines(item: IfItem, indent: str, step: str) -> list[str]:
        return [
            indent + step * ((len(line) - len(line.lstrip(" "))) // 2) + line.lstrip(" ")
            for line in item_lines([item])
        ]

    def insert(
        self,
        item: IfItem,
        behind: int,
        block: tuple[int, int, int],
        places: Sequence[Place],
    ) -> Patch:
        """A new item behind a token: words in its line, blocks on lines of their own where the others are."""
        document = self.document
        at = self.tokens.span(behind)[1]
        start, end = self.tokens.span(block[0])[0], self.tokens.span(block[2])[0]
        if not isinstance(item, IfBlock):
            return Patch(at, at, f" {item_word(item)}")
        if b"\n" not in document.text[start:end]:
            return Patch(at, at, " " + " ".join(line.strip() for line in item_lines([item])))
        outer = document.indent_of(start)
        step = document.step_of(start, end)
        depth = outer + step
        for place in places:
            indent = document.indent_of(self.tokens.span(place.first)[0])
            if place.inner and indent:
                depth = indent
        found = _TRAILING.match(document.text, at)
        at = found.end() if found else at
        newline = document.newline()
        text = newline + newline.join(self.lines(item, depth, step))
        return Patch(at, at, text if found else f"{text}{newline}{depth}")
