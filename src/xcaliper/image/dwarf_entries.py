"""Entries of debug information: their attributes, children and origins, whatever the damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["behind", "chain", "children", "name_of", "number_of", "origin", "text_of", "uleb"]


def children(die: Any) -> Iterator[Any]:
    """Direct children, each entry behind the one before, so that no damage makes a circle."""
    if not die.has_children:
        return
    at = die.offset + die.size
    while True:
        child = die.cu.get_DIE_from_refaddr(at)
        if child.is_null():
            return
        yield child
        at = behind(child)


def behind(die: Any) -> int:
    """Where the next sibling of an entry stands."""
    at = int(die.offset + die.size)
    if not die.has_children:
        return at
    sibling = die.attributes.get("DW_AT_sibling")
    if sibling is not None and sibling.form != "DW_FORM_ref_addr":
        following = int(sibling.raw_value + die.cu.cu_offset)
        if following < at:
            raise ValueError("entries run in a circle")
        return following
    depth = 1
    while depth:
        inner = die.cu.get_DIE_from_refaddr(at)
        at = inner.offset + inner.size
        depth += -1 if inner.is_null() else bool(inner.has_children)
    return at


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
