"""Field terms and ``@packet``: positions beside names, as in the standard.

A layout is a frozen dataclass whose fields carry terms. Offsets count from the packet identifier
(offset 0). Gaps between terms are reserved: sent as zero, ignored on reception. A packet may be
longer than its layout (padding of the transport); a shorter one is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, dataclass_transform

__all__ = [
    "BitField",
    "Bits",
    "Layout",
    "Packet",
    "Term",
    "bit",
    "bits",
    "data",
    "elements",
    "f64",
    "fixed",
    "i16",
    "layout_of",
    "make_layout",
    "packet",
    "u8",
    "u16",
    "u32",
    "u64",
]

TERM_KEY: Final = "term"


class Bits:
    """One named group of bits of a :class:`BitField`; reads as an int."""

    __slots__ = ("doc", "mask", "name", "shift", "width")

    def __init__(self, shift: int, width: int, doc: str = "") -> None:
        self.shift = shift
        self.width = width
        self.mask = (1 << width) - 1
        self.doc = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: int, owner: type) -> int:
        return (instance >> self.shift) & self.mask


def bit(shift: int, doc: str = "") -> Bits:
    """A single bit."""
    return Bits(shift, 1, doc)


def bits(shift: int, width: int, doc: str = "") -> Bits:
    """A group of neighbouring bits, ``shift`` counts from the least significant one."""
    return Bits(shift, width, doc)


class BitField(int):
    """An integer whose bits have names; subclasses declare them with ``bit`` and ``bits``."""

    __slots__ = ()

    @classmethod
    def groups(cls) -> tuple[Bits, ...]:
        """The declared groups, in order of declaration, those of base classes first."""
        found: dict[str, Bits] = {}
        for base in reversed(cls.__mro__):
            found.update({k: v for k, v in vars(base).items() if isinstance(v, Bits)})
        return tuple(found.values())

    @classmethod
    def of(cls, **values: int) -> Self:
        """Build from named groups; a value too wide for its group is an error."""
        total = 0
        known = {group.name: group for group in cls.groups()}
        for name, value in values.items():
            group = known[name]
            if not 0 <= value <= group.mask:
                raise ValueError(f"{cls.__name__}.{name}: {value} does not fit {group.width} bits")
            total |= int(value) << group.shift
        return cls(total)

    def fields(self) -> dict[str, int]:
        """Every group with its value."""
        return {g.name: (self >> g.shift) & g.mask for g in self.groups()}

    def __repr__(self) -> str:
        text = " ".join(
            name if value == 1 else f"{name}={value}"
            for name, value in self.fields().items()
            if value
        )
        return f"{type(self).__name__}(0x{int(self):02X}{': ' + text if text else ''})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Term:
    """How one field stands in the packet.

    Attributes:
        kind: ``int``, ``float``, ``fixed`` (bytes of known size), ``data`` (bytes up to the end or
            as counted) or ``elements`` (repeated sub-layout).
        offset: position of the first byte; for ``aligned`` terms rounded up to the granularity.
        size_bytes: size of ``int``, ``float`` and ``fixed`` terms.
        code: struct letter of ``int`` and ``float`` terms.
        little: True when the field is little endian whatever the slave's order is.
        optional: True when short packets may end before the field; it is None then.
        view: integer subclass that the value is converted to.
        count: field that counts a ``data`` or ``elements`` term; ``request.x`` names a field of the
            request that a response answers; empty = up to the end of the packet.
        unit: unit of the value, or of the count of a ``data`` term (``AG`` or ``byte``).
        aligned: True when the offset is rounded up to the address granularity.
        element: layout class of ``elements``.
    """

    kind: str
    offset: int
    size_bytes: int = 0
    code: str = ""
    little: bool = False
    optional: bool = False
    view: type[int] | None = None
    count: str = ""
    unit: str = ""
    aligned: bool = False
    element: type[Packet] | None = None


def _field(term: Term, default: Any) -> Any:
    if term.optional and default is dataclasses.MISSING:
        default = None
    return dataclasses.field(default=default, metadata={TERM_KEY: term})


def _integer(code: str, size: int) -> Any:
    def make(
        offset: int,
        *,
        default: Any = dataclasses.MISSING,
        view: type[int] | None = None,
        unit: str = "",
        optional: bool = False,
        little: bool = False,
    ) -> Any:
        term = Term(
            "int", offset, size, code, little=little, optional=optional, view=view, unit=unit
        )
        return _field(term, default)

    return make


def u8(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    little: bool = False,
) -> Any:
    """An unsigned byte."""
    return _U8(offset, default=default, view=view, unit=unit, optional=optional, little=little)


def u16(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    little: bool = False,
) -> Any:
    """An unsigned 16-bit word in slave byte order, or always little endian."""
    return _U16(offset, default=default, view=view, unit=unit, optional=optional, little=little)


def i16(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    little: bool = False,
) -> Any:
    """A signed 16-bit word in slave byte order."""
    return _I16(offset, default=default, view=view, unit=unit, optional=optional, little=little)


def u32(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    little: bool = False,
) -> Any:
    """An unsigned 32-bit word in slave byte order, or always little endian."""
    return _U32(offset, default=default, view=view, unit=unit, optional=optional, little=little)


def u64(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    little: bool = False,
) -> Any:
    """An unsigned 64-bit word in slave byte order, or always little endian."""
    return _U64(offset, default=default, view=view, unit=unit, optional=optional, little=little)


def f64(offset: int, *, default: Any = dataclasses.MISSING, unit: str = "") -> Any:
    """A 64-bit IEEE float in slave byte order."""
    return _field(Term("float", offset, 8, "d", unit=unit), default)


def fixed(
    offset: int,
    size_bytes: int,
    *,
    default: Any = dataclasses.MISSING,
    unit: str = "",
    optional: bool = False,
) -> Any:
    """Bytes of known size, never swapped."""
    term = Term("fixed", offset, size_bytes, f"{size_bytes}s", unit=unit, optional=optional)
    return _field(term, default)


def data(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    count: str = "",
    unit: str = "byte",
    aligned: bool = False,
) -> Any:
    """Bytes up to the end of the packet, or as many as a field counts; never swapped.

    A counted term takes what is there when the packet is shorter (a block starts with the count of
    the whole block), and cuts what is longer (padding).
    """
    return _field(Term("data", offset, count=count, unit=unit, aligned=aligned), default)


def elements(
    offset: int, element: type[Packet], *, count: str = "", default: Any = dataclasses.MISSING
) -> Any:
    """A tuple of equal sub-layouts, as many as a field counts, or up to the end."""
    return _field(Term("elements", offset, count=count, element=element), default)


_U8 = _integer("B", 1)
_U16 = _integer("H", 2)
_I16 = _integer("h", 2)
_U32 = _integer("I", 4)
_U64 = _integer("Q", 8)


@dataclass(frozen=True, slots=True)
class Layout:
    """What ``@packet`` found out about a class.

    Attributes:
        name: name of the class.
        prefix: constant first bytes (packet identifier, sub-command), may be empty.
        terms: field name and term, in order of declaration.
    """

    name: str
    prefix: bytes
    terms: tuple[tuple[str, Term], ...]


class Packet:
    """Base of every layout class."""

    __slots__ = ()
    __layout__: ClassVar[Layout]


def make_layout(cls: type[Any], prefix: bytes) -> type[Any]:
    """Turn a class with terms into a frozen dataclass with ``__layout__``."""
    made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    terms = tuple((f.name, f.metadata[TERM_KEY]) for f in dataclasses.fields(made))
    made.__layout__ = Layout(made.__name__, prefix, terms)
    return made


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(u8, u16, i16, u32, u64, f64, fixed, data, elements),
)
def packet(*prefix: int) -> Any:
    """Declare a layout with constant first bytes: ``@packet(0xFF)``; none for sub-layouts."""

    def wrap(cls: type[Any]) -> type[Any]:
        return make_layout(cls, bytes(prefix))

    return wrap


def layout_of(cls: type[Packet] | Packet) -> Layout:
    """The layout of a packet class or object."""
    return cls.__layout__
