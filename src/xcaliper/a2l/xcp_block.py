"""Reads the blocks of IF_DATA XCP item by item; what is missing or unknown becomes a finding."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from xcaliper.a2l.ifdata import IfBlock, Reader, item_where, number_of
from xcaliper.core.diagnostics import Diagnostic, Severity

__all__ = [
    "Block",
    "float_of",
    "integer_of",
]

T = TypeVar("T")

_NAMES = {"CCP": "ASAP1B_CCP"}


class Block:
    """A block being read: positional items first, then tags.

    Args:
        block: the block.
        found: findings are appended here.
        source: name of the text it stands in.
        interface: what the findings call the IF_DATA.
    """

    def __init__(
        self, block: IfBlock, found: list[Diagnostic], source: str = "", interface: str = "XCP"
    ) -> None:
        self.block = block
        self.reader = Reader(block.items)
        self.found = found
        self.source = source
        self.interface = interface

    def report(self, kind: str, text: str) -> None:
        """Add a finding about the next item, or the last one where the kind is ``unknown``."""
        where = item_where(self.block, max(0, self.reader.at - (kind == "unknown")))
        self.found.append(
            Diagnostic(
                Severity.WARNING,
                f"if-{self.interface.lower()}-{kind}",
                where if where.source else replace(where, source=self.source),
                f"IF_DATA {_NAMES.get(self.interface, self.interface)} {self.block.tag}: {text}",
                f"Compare it with the A2ML of the {self.interface} edition in use.",
            )
        )

    def integer(self, name: str, default: int = 0) -> int:
        """Next item as a whole number; the default and a finding where there is none."""
        value = self.reader.integer()
        if value is None:
            self.report("missing", f"{name} is missing; {default} was taken.")
            return default
        return value

    def number(self, name: str) -> float:
        """Next item as a number; 0 and a finding where there is none."""
        item = self.reader.peek()
        if not isinstance(item, str) or number_of(item) is None:
            self.report("missing", f"{name} is missing; 0 was taken.")
            return 0.0
        self.reader.at += 1
        return float_of(item)

    def text(self, name: str) -> str:
        """Next item as a string; empty and a finding where there is none."""
        value = self.reader.text()
        if value is None:
            self.report("missing", f"{name} is missing.")
            return ""
        return value

    def word(self, name: str, words: Mapping[str, T]) -> T:
        """Meaning of one word; a foreign word is left for the tags that follow."""
        item = self.reader.peek()
        if isinstance(item, str) and item in words:
            self.reader.at += 1
            return words[item]
        first = next(iter(words))
        self.report("missing", f"{name} is missing; {first} was taken.")
        return words[first]

    def tags(self, plain: Mapping[str, int]) -> Iterator[tuple[str, list[str], "Block | None"]]:
        """The rest: known words with their parameters, and all blocks."""
        reader = self.reader
        while (item := reader.take()) is not None:
            if isinstance(item, IfBlock):
                yield item.tag, [], Block(item, self.found, self.source, self.interface)
            elif item in plain:
                values: list[str] = []
                while len(values) < plain[item] and isinstance(reader.peek(), str):
                    values.append(str(reader.take()))
                if len(values) < plain[item]:
                    self.report("missing", f"{item} lacks a parameter; it was skipped.")
                else:
                    yield str(item), values, None
            else:
                self.report("unknown", f"{str(item)[:60]} is not known here; it was skipped.")
                while isinstance(word := reader.peek(), str) and word not in plain:
                    reader.take()

    def choice(self, name: str, words: Iterable[str]) -> str:
        """Next item as one of some words; the first of them and a finding where it is another."""
        return self.word(name, {word: word for word in words})

    def unknown(self, tag: str) -> None:
        """Add a finding about a block that has no place here."""
        self.report("unknown", f"block {tag[:60]} is not known here; it was skipped.")


def integer_of(word: str) -> int:
    """The whole number a word spells, 0 for other words."""
    value = number_of(word)
    if value is None or value != value or abs(value) == float("inf"):  # noqa: PLR0124
        return 0
    return int(value)


def float_of(word: str) -> float:
    """The finite number a word spells, 0 for other words."""
    value = number_of(word)
    if value is None or not abs(value) <= sys.float_info.max:
        return 0.0
    return float(value)
