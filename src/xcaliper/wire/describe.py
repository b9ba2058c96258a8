"""Layouts and packets as text: rows for reference pages, one line for traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from xcaliper.wire.layout import AFTER, BitField, Bits, Packet, Term, layout_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FieldRow", "describe_packet", "describe_value", "layout_rows"]

_LONG: Final = 32
_HEX_NAMES: Final = ("address", "mask", "checksum", "can_id", "_crc")


class FieldRow(NamedTuple):
    """One field of a layout as reference pages show it.

    Attributes:
        name: attribute.
        offset: position from the packet identifier, in words where it depends on others.
        size: bytes, in words where they depend on others.
        type: ``u16``, ``bytes``, the name of a bit field or of a repeated layout.
        unit: unit of the value.
        presence: when the field is there; empty = always.
        bits: named bits of a bit field.
    """

    name: str
    offset: str
    size: str
    type: str
    unit: str
    presence: str
    bits: tuple[Bits, ...]


def layout_rows(cls: type[Packet]) -> tuple[FieldRow, ...]:
    """The fields of a layout class in their order on the wire."""
    return tuple(_row(name, term) for name, term in layout_of(cls).terms)


def _row(name: str, term: Term) -> FieldRow:
    groups = term.view.groups() if term.view and issubclass(term.view, BitField) else ()
    offset = "behind" if term.offset == AFTER else str(term.offset)
    if term.align:
        offset += f", aligned to {term.align}"
    presence = "optional" if term.optional else ""
    if term.when or (term.by and term.sizes):
        presence = f"by {term.when or term.by}"
    return FieldRow(name, offset, _size(term), _type(term), term.unit, presence, groups)


def _type(term: Term) -> str:
    if term.view is not None:
        return term.view.__name__
    if term.kind == "int":
        return f"{'i' if term.code.islower() else 'u'}{8 * term.size_bytes}"
    if term.kind == "elements":
        assert term.element is not None  # elements always have one
        return term.element.__name__
    return {"float": "f64", "sized": "unsigned"}.get(term.kind, "bytes")


def _size(term: Term) -> str:
    if term.size_bytes:
        return str(term.size_bytes)
    if term.kind == "sized":
        sizes = [str(size) for size in term.sizes if size] or ["1", "2", "4", "8"]
        return f"{' or '.join(sizes)}, by {term.by}"
    if term.element is not None:
        return f"{term.count or 'n'} × {term.element.__name__}"
    if not term.count:
        return "to the end"
    return term.count + (f" × {term.scale}" if term.scale else "")


def describe_value(name: str, value: Any) -> str:
    """One value of a packet as short text."""
    if isinstance(value, BitField):
        named = [n if v == 1 else f"{n}={v}" for n, v in value.fields().items() if v]
        return "|".join(named) or "0"
    if isinstance(value, bytes):
        more = f"… ({len(value)} bytes)" if len(value) > _LONG else ""
        return (value[:_LONG].hex(" ") or "nothing") + more
    if isinstance(value, tuple):
        parts = [f"{{{' '.join(_pairs(item))}}}" for item in value[:_LONG]]
        return " ".join(parts) + ("…" if len(value) > _LONG else "")
    if isinstance(value, int) and any(mark in name for mark in _HEX_NAMES) and value > 9:
        return f"0x{value:X}"
    return str(value)


def _pairs(packet: Packet) -> Iterator[str]:
    for name, _ in layout_of(packet).terms:
        value = getattr(packet, name)
        if value is not None:
            yield f"{name}={describe_value(name, value)}"


def describe_packet(packet: Packet, name: str = "") -> str:
    """A packet as one line of a trace: ``SHORT_UPLOAD count=4 address_extension=0 address=0x4711``.

    Args:
        packet: the decoded packet.
        name: what to call it; empty = the command's standard name, or the name of the class.
    """
    info = getattr(packet, "__command__", None)
    title = name or (info.name if info is not None else type(packet).__name__)
    return " ".join([title, *_pairs(packet)])
