"""Names that stand inside other objects: system constants, memory segments, criteria of variants; and mentions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem
from xcaliper.a2l.index import owner_of, walk

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from xcaliper.a2l.grammar import Keyword
    from xcaliper.a2l.keywords.project import Module

__all__ = ["PART_KINDS", "Mention", "formulas_with", "mentions", "parts_of"]

PART_KINDS: Final = ("SYSTEM_CONSTANT", "MEMORY_SEGMENT", "VAR_CRITERION")
"""Kinds of named things that are no objects of a module themselves."""

_KNOWN: Final = frozenset({"ASAP1B_CCP", "CANAPE_EXT", "XCP", "XCPplus"})
"""IF_DATA whose built-in types have symbols, events and segments, but no names of objects."""

_FORMULAS: Final = ("fx", "formula", "formula_inv")
_SYSC: Final = re.compile(r"(\bsysc\s*\(\s*)([^\s()]+)(\s*\))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """A place in an IF_DATA that has the old name of an object, and keeps it.

    Attributes:
        name: the old name.
        interface: name of the IF_DATA.
        owner: keyword and name of the object it belongs to; empty for the module.
        line: line of the IF_DATA.
    """

    name: str
    interface: str
    owner: str
    line: int

    def __str__(self) -> str:
        of = f" of {self.owner}" if self.owner else ""
        text = f"{self.name} is mentioned in IF_DATA {self.interface}{of}, not changed"
        return f"line {self.line}: {text}" if self.line else text


def parts_of(module: Module, kind: str) -> dict[str, tuple[Keyword, Any]]:
    """Named parts of one kind with the object of the module that holds them, by name.

    Args:
        module: the module.
        kind: one of ``PART_KINDS``.
    """
    mod_par, coding = module.mod_par, module.variant_coding
    holder: Any = coding if kind == "VAR_CRITERION" else mod_par
    if holder is None:
        return {}
    return {one.name: (holder, one) for one in getattr(holder, kind.lower())}


def formulas_with(
    users: Iterable[Keyword], names: Mapping[str, str]
) -> Iterator[tuple[Keyword, dict[str, int]]]:
    """Give system constants new names in every formula; gives objects that changed, with places by old name.

    Args:
        users: objects of a module.
        names: new names by old names.
    """
    for user in users:
        counts: dict[str, int] = {}

        def renamed(found: re.Match[str], counts: dict[str, int] = counts) -> str:
            old = found[2]
            if old not in names:
                return found[0]
            counts[old] = counts.get(old, 0) + 1
            return f"{found[1]}{names[old]}{found[3]}"

        for holder in walk(user):
            for attr in () if isinstance(holder, IfData) else _FORMULAS:
                text = getattr(holder, attr, None)
                if isinstance(text, str):
                    setattr(holder, attr, _SYSC.sub(renamed, text))
        if counts:
            yield user, counts


def mentions(users: Iterable[Keyword], names: Container[str]) -> Iterator[Mention]:
    """Places in IF_DATA of unknown meaning that have one of some names, or a part of one.

    Args:
        users: objects of a module.
        names: names of objects.
    """
    for user in users:
        for holder in walk(user):
            if not isinstance(holder, IfData) or holder.name in _KNOWN:
                continue
            owner = "" if holder is user else f"{user.KEYWORD} {getattr(user, 'name', '')}".rstrip()
            seen = dict.fromkeys(
                name for word in _words(holder.items) if (name := owner_of(word, names))
            )
            for name in seen:
                yield Mention(name, holder.name, owner, holder.line)


def _words(items: list[IfItem]) -> Iterator[str]:
    """Words and strings; reading bounds how deep they are."""
    for item in items:
        if isinstance(item, IfBlock):
            yield from _words(item.items)
        else:
            yield str(item)
