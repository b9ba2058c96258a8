"""Copies of objects that belong to no text."""

from __future__ import annotations

from typing import Any, TypeVar

from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData

__all__ = ["clone"]

T = TypeVar("T", bound=Keyword)


def clone(made: T) -> T:
    """An equal object, to be put into another file or changed freely.

    Args:
        made: any object; what it contains is copied, too.
    """
    copy: Any
    if isinstance(made, IfData):
        copy = IfData(made.name, _items(made.items))
        return copy  # type: ignore[no-any-return]
    if isinstance(made, A2ml):
        copy = A2ml(made.text)
        return copy  # type: ignore[no-any-return]
    table = table_of(type(made))
    copy = table.cls(*(getattr(made, p.attr) for p in table.params))
    if table.rest is not None:
        setattr(copy, table.rest[0], list(getattr(made, table.rest[0])))
    for entry in table.optional.values():
        value: Any = getattr(made, entry.attr)
        if entry.mode == "object" and value is not None:
            value = [clone(one) for one in value] if entry.repeated else clone(value)
        elif entry.repeated:
            value = list(value)
        setattr(copy, entry.attr, value)
    return copy  # type: ignore[no-any-return]


def _items(items: list[Any]) -> list[Any]:
    """Items of an IF_DATA; reading bounds how deep they are."""
    return [
        IfBlock(item.tag, _items(item.items)) if isinstance(item, IfBlock) else item
        for item in items
    ]
