"""The smallest edits of a text that make an object say what it says now; numbers, comments and order stay."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.document import Document, Patch, Source
from xcaliper.a2l.grammar import Entry, Keyword, Param, Table, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, IfItem, Quoted, item_tokens, origin_of
from xcaliper.a2l.keywords.project import Module, Project
from xcaliper.a2l.lines import Lines
from xcaliper.a2l.objects import ObjectParser
from xcaliper.a2l.tokens import BEGIN, END, WORD, Finding, tokens_of
from xcaliper.a2l.write import item_lines, plain, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["insertion", "laid_out", "patches_of", "removal"]

_DECIMAL: Final = re.compile(r"[+-]?[0-9]")
_TRAILING: Final = re.compile(rb"[ \t]*(?://[^\r\n]*|(?:/\*[^\r\n]*?\*/)?[ \t]*(?=\r?\n|\Z))")


def patches_of(document: Document, made: Keyword) -> list[Patch]:
    """Edits that bring the text of an object to its present values.

    Only tokens that differ are exchanged. Where the text is too odd for that, the whole object is written anew.

    Args:
        document: the text.
        made: an object that was read from it.

    Raises:
        UsageError: the object was not read from this text.
    """
    start, stop = document.span(made)
    old = _Old(document, start, stop)
    before = old.read(made)
    if before == made:
        return []
    if before is not None and not isinstance(made, A2ml):
        with suppress(_OddTextError):
            patches = sorted(old.changes(before, made))
            if _says(document, start, stop, patches, made):
                return patches
    return [Patch(start, stop, laid_out(document, made, start, stop))]


def laid_out(document: Document, made: Keyword, start: int, stop: int) -> str:
    """Text of an object, indented like what stands at a stretch; its first line without indent."""
    outer = document.indent_of(start)
    return _indented(document, made, outer, document.step_of(start, stop))


def insertion(document: Document, offset: int, made: Keyword, like: tuple[int, int]) -> Patch:
    """A new object on lines of its own behind an offset.

    Args:
        document: the text.
        offset: end of what stands before the new object.
        made: the object.
        like: stretch of an object of the same depth.
    """
    outer = document.indent_of(like[0])
    found = _TRAILING.match(document.text[offset : offset + 1000])
    at = offset + (found.end() if found else 0)
    text = _indented(document, made, outer, document.step_of(*like))
    return Patch(at, at, document.newline() + outer + text)


def removal(document: Document, start: int, stop: int) -> Patch:
    """Takes a stretch out: with its lines where it stands alone on them, else with the blanks before it."""
    text = document.text
    before = text.rfind(b"\n", 0, start) + 1
    behind = text.find(b"\n", stop)
    behind = len(text) if behind < 0 else behind + 1
    if not text[before:start].strip() and not text[stop:behind].strip():
        try_lines = Patch(before, behind, "")
        if document.where(before).source == document.where(max(before, behind - 1)).source:
            return try_lines
    while start > before and text[start - 1 : start] in (b" ", b"\t"):
        start -= 1
    joined = text[start - 1 : start].strip() and text[stop : stop + 1].strip()
    return Patch(start, stop, " " if joined else "")


def _indented(document: Document, made: Keyword, outer: str, step: str) -> str:
    if isinstance(made, A2ml):
        return write(made).rstrip("\n")
    lines = []
    for number, line in enumerate(write(made).rstrip("\n").split("\n")):
        inner = line.lstrip(" ")
        depth = (len(line) - len(inner)) // 2
        lines.append((outer if number else "") + step * depth + inner)
    return document.newline().join(lines)


class _OddTextError(Exception):
    """The text of an object is not as the grammar has it; private control flow."""


class _Deaf:
    """Takes findings that were reported when the object was read the first time."""

    def add(self, finding: Finding) -> None:
        """Forget it."""


def _says(document: Document, start: int, stop: int, patches: list[Patch], made: Keyword) -> bool:
    """True when the edited text reads as the object."""
    parts: list[bytes] = []
    at = start
    for patch in patches:
        if patch.start < at and patch.start != start:
            return False
        low, high = max(start, patch.start), min(stop, patch.stop)
        parts += [document.text[at:low], patch.text.encode("utf-8", "surrogatepass")]
        at = max(at, high)
    parts.append(document.text[at:stop])
    text = b"".join(parts)
    single = Document.single(Source("", text, text, "utf-8", Lines(text, "")), document.scan)
    return bool(_Old(single, 0, len(text)).read(made) == made)


class _Old:
    """The text of one object as tokens."""

    def __init__(self, document: Document, start: int, stop: int) -> None:
        self.document = document
        self.tokens = tokens_of(document.text, start, stop, document)

    def read(self, made: Keyword) -> Any:
        """The object as the text has it; None when it cannot be read."""
        around = (table_of(Project), table_of(Module))
        parser = ObjectParser(self.tokens, _Deaf(), around)
        if made.BLOCK:
            return parser.block(type(made))
        parser.at = 1
        return parser.object(type(made), 0)

    def text_of(self, index: int) -> str:
        return self.document.text[slice(*self.tokens.span(index))].decode("utf-8", "replace")

    # ---- differences

    def changes(self, old: Any, new: Any) -> Iterator[Patch]:
        """Edits between the object as read and as it shall be."""
        if isinstance(old, IfData) and old.name == new.name:
            yield from self.items(old, new.items)
            return
        if isinstance(old, (IfData, A2ml)):
            if old != new:
                start, stop = self.document.span(old)
                yield Patch(start, stop, laid_out(self.document, new, start, stop))
            return
        table = table_of(type(old))
        at = old.origin.first + 1
        for number, param in enumerate(table.params):
            yield from self.exchange(
                at + number, param, getattr(old, param.attr), getattr(new, param.attr)
            )
        at += len(table.params)
        if table.rest is not None:
            attr, params = table.rest
            yield from self.rows(at, params, getattr(old, attr), getattr(new, attr))
            at += len(getattr(old, attr)) * len(params)
        yield from self.optional(old, new, table, at)

    def items(self, old: IfData | IfBlock, new: list[IfItem]) -> Iterator[Patch]:
        """Edits of the items of an IF_DATA or of a block in it."""
        if old.items == new:
            return
        tokens = item_tokens(old)
        if not tokens and old.items:
            raise _OddTextError
        matcher = SequenceMatcher(
            None, [*map(self.item_key, old.items)], [*map(self.item_key, new)], autojunk=False
        )
        for kind, b0, b1, a0, a1 in matcher.get_opcodes():
            if kind == "equal":
                for before, now in zip(old.items[b0:b1], new[a0:a1], strict=True):
                    if isinstance(before, IfBlock) and isinstance(now, IfBlock):
                        yield from self.items(before, now.items)
                continue
            pairs = min(b1 - b0, a1 - a0)
            for at in range(pairs):
                first, last = tokens[b0 + at]
                start, stop = self.tokens.span(first)[0], self.tokens.span(last)[1]
                yield Patch(start, stop, self.item_text([new[a0 + at]], start, stop))
            for first, last in tokens[b0 + pairs : b1]:
                yield self.without(first, last)
            if a0 + pairs < a1:
                yield self.insert(old, tokens, b0 + pairs, new[a0 + pairs : a1])

    def item_key(self, item: IfItem) -> tuple[object, ...]:
        """Words by spelling, blocks by where they were read."""
        if isinstance(item, IfBlock):
            origin = origin_of(item)
            mine = origin is not None and origin.places is self.document
            return ("block", origin.span()) if mine and origin else ("new", id(item))
        return isinstance(item, Quoted), str(item)

    def item_text(self, items: list[IfItem], start: int, stop: int) -> str:
        """Items as text, on further lines indented like what stands at a stretch."""
        outer, step = self.document.indent_of(start), self.document.step_of(start, stop)
        lines = []
        for number, line in enumerate(item_lines(items)):
            inner = line.lstrip(" ")
            depth = (len(line) - len(inner)) // 2
            lines.append((outer if number else "") + step * depth + inner)
        return self.document.newline().join(lines)

    def insert(
        self, old: IfData | IfBlock, tokens: list[tuple[int, int]], at: int, items: list[IfItem]
    ) -> Patch:
        """Items behind an item: blocks on lines of their own, words on the same line."""
        origin = origin_of(old)
        assert origin is not None, "callers found its tokens"
        head = origin.first + isinstance(old, IfData)  # the tag, or the name of the IF_DATA
        after = tokens[at - 1][1] if at else head
        stop = self.tokens.span(after)[1]
        if not any(isinstance(item, IfBlock) for item in items):
            return Patch(stop, stop, " " + " ".join(item_lines(items)))
        found = _TRAILING.match(self.document.text[stop : stop + 1000])
        place = stop + (found.end() if found else 0)
        like = next((n for n, item in enumerate(old.items) if isinstance(item, IfBlock)), None)
        if like is None:
            start, end = origin.span()
            indent = self.document.indent_of(start) + self.document.step_of(start, end)
            step = self.document.step_of(start, end)
        else:
            start, end = self.tokens.span(tokens[like][0])[0], self.tokens.span(tokens[like][1])[1]
            indent, step = self.document.indent_of(start), self.document.step_of(start, end)
        text = ""
        for line in item_lines(items):
            inner = line.lstrip(" ")
            depth = (len(line) - len(inner)) // 2
            text += self.document.newline() + indent + step * depth + inner
        return Patch(place, place, text)

    def exchange(self, index: int, param: Param, old: Any, new: Any) -> Iterator[Patch]:
        """Exchange one token when its value changed."""
        if old != new:
            start, stop = self.tokens.span(index)
            yield Patch(start, stop, _spelled(param, new, self.text_of(index)))

    def rows(
        self, at: int, params: tuple[Param, ...], old: list[Any], new: list[Any]
    ) -> Iterator[Patch]:
        """Edits of a list: changed, removed or added elements."""
        width = len(params)
        cells = [(row,) if width == 1 else row for row in old]
        wanted = [(row,) if width == 1 else row for row in new]
        if len(cells) == len(wanted):
            for number, (before, now) in enumerate(zip(cells, wanted, strict=True)):
                for column, param in enumerate(params):
                    index = at + number * width + column
                    yield from self.exchange(index, param, before[column], now[column])
            return
        dropped = _dropped(cells, wanted)
        if dropped is not None:
            for number in dropped:
                yield self.without(at + number * width, at + (number + 1) * width - 1)
            return
        head = 0
        while head < min(len(cells), len(wanted)) and cells[head] == wanted[head]:
            head += 1
        tail = 0
        shorter = min(len(cells), len(wanted)) - head
        while tail < shorter and cells[-1 - tail] == wanted[-1 - tail]:
            tail += 1
        for number in range(head, len(cells) - tail):
            yield self.without(at + number * width, at + (number + 1) * width - 1)
        stop = self.tokens.span(at + head * width - 1)[1]
        first = self.tokens.span(at)[0] if cells else stop
        indent = self.document.indent_of(first) if cells else ""
        glue = f"{self.document.newline()}{indent}" if indent else " "
        added = wanted[head : len(wanted) - tail]
        yield Patch(stop, stop, "".join(glue + " ".join(map(plain, row, params)) for row in added))

    def without(self, first: int, last: int) -> Patch:
        """Takes out some tokens."""
        return removal(self.document, self.tokens.span(first)[0], self.tokens.span(last)[1])

    def optional(self, old: Any, new: Any, table: Table, at: int) -> Iterator[Patch]:
        """Edits of the optional keywords."""
        added: list[str] = []
        places: dict[str, list[int]] | None = None
        for entry in table.optional.values():
            before, now = getattr(old, entry.attr), getattr(new, entry.attr)
            if before == now:
                continue
            if entry.mode == "object":
                yield from self.children(entry, before, now, added)
                continue
            if places is None:
                places = self.places(old, table, at)
            yield from self.values(entry, before, now, places.get(entry.name, []), added)
        if added:
            yield self.at_end(old, added)

    def children(self, entry: Entry, before: Any, now: Any, added: list[str]) -> Iterator[Patch]:
        """Edits of inner objects: the same ones change, others go or come."""
        olds = list(before) if entry.repeated else [] if before is None else [before]
        news = list(now) if entry.repeated else [] if now is None else [now]
        known = {one.origin.span(): one for one in olds}
        pairs: list[tuple[Any, Any]] = []
        strangers: list[Any] = []
        for one in news:
            mine = one.origin is not None and one.origin.places is self.document
            match = known.pop(one.origin.span(), None) if mine else None
            if match is None:
                strangers.append(one)
            else:
                pairs.append((match, one))
        left = list(known.values())
        if len(left) == len(strangers):
            pairs += zip(left, strangers, strict=True)
        else:
            for one in left:
                yield removal(self.document, *one.origin.span())
            added += [write(one).rstrip("\n") for one in strangers]
        for one, other in pairs:
            yield from self.changes(one, other)

    def places(self, old: Any, table: Table, at: int) -> dict[str, list[int]]:
        """Tokens of the plain optional keywords of an object itself."""
        inner: list[tuple[int, int]] = []
        for entry in table.optional.values():
            value = getattr(old, entry.attr)
            if entry.mode == "object" and value is not None:
                inner += [
                    (one.origin.first - one.origin.block, one.origin.last)
                    for one in (value if entry.repeated else (value,))
                ]
        skip = dict(inner)
        found: dict[str, list[int]] = {}
        kinds, texts = self.tokens.kinds, self.tokens.texts
        while at <= old.origin.last:
            if at in skip:
                at = skip[at] + 1
                continue
            if kinds[at] == BEGIN:
                at = self.behind(at)
                continue
            known = table.optional.get(texts[at]) if kinds[at] == WORD else None
            if known is not None and known.mode != "object":
                found.setdefault(texts[at], []).append(at)
                at += known.mode == "value"  # its value may look like a keyword
            at += 1
        return found

    def behind(self, at: int) -> int:
        """Token behind a block that nobody knows."""
        depth = 0
        kinds = self.tokens.kinds
        while at < len(kinds) - 1:
            depth += (kinds[at] == BEGIN) - (kinds[at] == END)
            at += 1
            if depth == 0:
                return at + 1
        return at

    def values(
        self, entry: Entry, before: Any, now: Any, places: list[int], added: list[str]
    ) -> Iterator[Patch]:
        """Edits of a keyword with plain values."""
        if not entry.repeated:
            olds = [] if before is None or before is False else [before]
            news = [] if now is None or now is False else [now]
        else:
            olds, news = list(before), list(now)
        for place, one, other in zip(places, olds, news, strict=False):
            if entry.param is None or one == other:
                continue
            row = one if entry.mode == "values" else (one,)
            wanted = other if entry.mode == "values" else (other,)
            yield from self.rows(place + 1, (entry.param,), list(row), list(wanted))
        for place, one in list(zip(places, olds, strict=False))[len(news) :]:
            size = len(one) if entry.mode == "values" else int(entry.mode == "value")
            yield self.without(place, place + size)
        for other in news[len(olds) :]:
            row = () if entry.param is None else other if entry.mode == "values" else (other,)
            added.append(" ".join([entry.name, *(plain(v, entry.param) for v in row)]))  # type: ignore[arg-type]

    def at_end(self, old: Any, added: Sequence[str]) -> Patch:
        """New keywords before the end of the block."""
        document = self.document
        end = old.origin.last - 1
        if not old.origin.block or self.tokens.kinds[end] != END:
            raise _OddTextError
        at = self.tokens.span(end)[0]
        start = old.origin.span()[0]
        own_line = document.text.rfind(b"\n", 0, at) + 1
        if document.text[own_line:at].strip() or own_line <= start:
            return Patch(at, at, "".join(f"{' '.join(text.split(chr(10)))} " for text in added))
        outer = document.indent_of(start)
        step = document.step_of(start, at)
        newline = document.newline()
        lines = []
        for text in added:
            for line in text.split("\n"):
                inner = line.lstrip(" ")
                depth = 1 + (len(line) - len(inner)) // 2
                lines.append(f"{outer}{step * depth}{inner}{newline}")
        return Patch(own_line, own_line, "".join(lines))


def _dropped(old: list[Any], new: list[Any]) -> list[int] | None:
    """Positions of the old list whose removal gives the new one; None when that is not all."""
    gone: list[int] = []
    at = 0
    for number, row in enumerate(old):
        if at < len(new) and row == new[at]:
            at += 1
        else:
            gone.append(number)
    return gone if at == len(new) else None


def _spelled(param: Param, value: Any, before: str) -> str:
    """A value, in the manner of the token that it replaces."""
    if param.kind == "int" and isinstance(value, int):
        if before[:2] in ("0x", "0X") and value >= 0:
            digits = f"{value:0{len(before) - 2}X}" if before[2:3] == "0" else f"{value:X}"
            return before[:2] + (digits.lower() if before[2:].islower() else digits)
        if param.hexadecimal and _DECIMAL.match(before):
            return str(value)
    if param.kind == "ident" and before.startswith('"'):
        return plain(value, param) if '"' in plain(value, param) else f'"{value}"'
    return plain(value, param)
