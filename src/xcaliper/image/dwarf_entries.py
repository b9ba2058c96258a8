"""Entries of debug information: their attributes, children and origins, whatever the damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "behind",
    "chain",
    "children",
    "name_of",
    "number_of",
    "origin",
    "text_of",
    "uleb",
    "visit",
]

_Context = TypeVar("_Context")


def _entry_at(die: Any, at: int) -> Any:
    """The entry at a place in the unit of another one; pyelftools would keep every entry that it gives in memory."""
    return type(die)(die.cu, die.stream, at)


def children(die: Any) -> Iterator[Any]:
    """Direct children, each entry behind the one before, so that no damage makes a circle."""
    if not die.has_children:
        return
    at = die.offset + die.size
    while True:
        child = _entry_at(die, at)
        if child.is_null():
            return
        yield child
        at = behind(child)


def behind(die: Any) -> int:
    """Where the next sibling of an entry stands."""
    at = int(die.offset + die.size)
    if not die.has_children:
        return at
    following = _sibling(die)
    if following is not None:
        return following
    depth = 1
    while depth:
        inner = _entry_at(die, at)
        at = inner.offset + inner.size
        depth += -1 if inner.is_null() else bool(inner.has_children)
    return at


def _sibling(die: Any) -> int | None:
    """Where the next sibling of an entry stands, as far as the entry itself says so."""
    found = die.attributes.get("DW_AT_sibling")
    if found is None or found.form == "DW_FORM_ref_addr":
        return None
    following = int(found.raw_value + die.cu.cu_offset)
    if following < die.offset + die.size:
        raise ValueError("entries run in a circle")
    return following


def visit(top: Any, around: _Context, enter: Callable[[Any, _Context], _Context | None]) -> None:
    """Call for every entry of a unit, each once and in order.

    Args:
        top: first entry of the unit.
        around: context of the entries below it.
        enter: takes an entry and the context around it, and gives that of its children; None to pass over them.
    """
    if not top.has_children:
        return
    at, end = top.offset + top.size, top.cu.cu_offset + top.cu.size
    contexts: list[_Context | None] = [around]
    while contexts and at < end:
        die = _entry_at(top, at)
        at += die.size
        if die.is_null():
            contexts.pop()
            continue
        outer = contexts[-1]
        inner = None if outer is None else enter(die, outer)
        if die.has_children:
            following = _sibling(die) if inner is None else None
            if following is None:
                contexts.append(inner)
            else:
                at = following


def origin(die: Any) -> Any | None:
    """The entry that an entry completes or repeats."""
    for attribute in ("DW_AT_specification", "DW_AT_abstract_origin"):
        if attribute in die.attributes:
            return die.get_DIE_from_attribute(attribute)
    return None


def chain(die: Any) -> Iterator[Any]:
    """The entry and those it refers to as its origin."""
    for _ in range(8):
        yield die
        following = origin(die)
        if following is None:
            return
        die = following


def name_of(die: Any) -> str:
    """Name of an entry, or of its origin."""
    return next((t for d in chain(die) if (t := text_of(d, "DW_AT_name"))), "")


def text_of(die: Any, attribute: str) -> str:
    """The string of an attribute, empty where there is none."""
    found = die.attributes.get(attribute)
    if found is None or not isinstance(found.value, (bytes, str)):
        return ""
    value = found.value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def number_of(die: Any, attribute: str) -> int | None:
    """The number of an attribute; None where it is missing or computed when the program runs."""
    found = die.attributes.get(attribute)
    if found is None or not isinstance(found.value, int) or found.form.startswith("DW_FORM_ref"):
        return None
    return int(found.value)


def uleb(code: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, and the place behind it (DWARF, LEB128)."""
    value = shift = 0
    while True:
        byte = code[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
