"""Field terms and ``@packet``: positions beside names, as in the standard.

A layout is a frozen dataclass whose fields carry terms. Offsets count from the packet identifier
(offset 0). Gaps between terms are reserved: sent as zero, ignored on reception. A packet may be
longer than its layout (padding of the transport); a shorter one is refused.

Fields that depend on others name them by a path: ``count`` (an earlier field), ``payload_fmt.ecu``
(a bit group of one), ``request.mode`` (a field of the request that a response answers) or
``packet.3`` (a byte of the packet, for :func:`choose`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AFTER",
    "BitField",
    "Bits",
    "Choice",
    "Layout",
    "Packet",
    "Term",
    "bit",
    "bits",
    "choose",
    "data",
    "elements",
    "f64",
    "fixed",
    "i16",
    "layout_of",
    "make_layout",
    "packet",
    "sized",
    "u8",
    "u16",
    "u32",
    "u64",
]

TERM_KEY: Final = "term"

#: Offset of a field that stands right behind the one declared before it.
AFTER: Final = -1


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
        kind: ``int``, ``float``, ``fixed`` (bytes of known size), ``sized`` (an integer whose size
            another field tells), ``data`` (bytes up to the end or as counted) or ``elements``
            (repeated sub-layout).
        offset: position of the first byte, or ``AFTER``.
        size_bytes: size of ``int``, ``float`` and ``fixed`` terms.
        code: struct letter of ``int`` and ``float`` terms.
        order: ``<`` or ``>`` when the field ignores the slave's byte order, else empty.
        optional: True when short packets may end before the field; it is None then.
        view: integer subclass that the value is converted to.
        count: path of what counts a ``data`` or ``elements`` term; empty = up to the end.
        scale: path of the bytes per counted unit of a ``data`` term, or ``AG``.
        unit: unit of the value.
        align: path of what the offset is rounded up to, or ``AG``.
        when: path of a flag; the field is absent (None) where the flag is 0.
        by: path of the number that tells the size of a ``sized`` term.
        sizes: number → bytes of a ``sized`` term; empty = the number is the size.
        element: layout class of ``elements``.
    """

    kind: str
    offset: int
    size_bytes: int = 0
    code: str = ""
    order: str = ""
    optional: bool = False
    view: type[int] | None = None
    count: str = ""
    scale: str = ""
    unit: str = ""
    align: str = ""
    when: str = ""
    by: str = ""
    sizes: tuple[int, ...] = ()
    element: type[Packet] | None = None

    @property
    def is_plain(self) -> bool:
        """True when position and size depend on nothing."""
        return (
            self.kind in ("int", "float", "fixed")
            and self.offset >= 0
            and not self.optional
            and not self.when
        )


def _field(term: Term, default: Any) -> Any:
    if (term.optional or term.when or term.by) and default is dataclasses.MISSING:
        default = None
    return dataclasses.field(default=default, metadata={TERM_KEY: term})


def _integer(code: str, size: int) -> Any:
    def make(offset: int, *, default: Any = dataclasses.MISSING, **rest: Any) -> Any:
        little = rest.pop("little", False)
        big = rest.pop("big", False)
        order = "<" if little else ">" if big else ""
        return _field(Term("int", offset, size, code, order=order, **rest), default)

    return make


def u8(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    when: str = "",
) -> Any:
    """An unsigned byte."""
    return _U8(offset, default=default, view=view, unit=unit, optional=optional, when=when)


def u16(  # noqa: PLR0913 - one keyword per property of a field
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    when: str = "",
    little: bool = False,
    big: bool = False,
) -> Any:
    """An unsigned 16-bit word in slave byte order, or always little or big endian."""
    return _U16(
        offset,
        default=default,
        view=view,
        unit=unit,
        optional=optional,
        when=when,
        little=little,
        big=big,
    )


def i16(
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    when: str = "",
) -> Any:
    """A signed 16-bit word in slave byte order."""
    return _I16(offset, default=default, view=view, unit=unit, optional=optional, when=when)


def u32(  # noqa: PLR0913 - one keyword per property of a field
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    when: str = "",
    little: bool = False,
    big: bool = False,
) -> Any:
    """An unsigned 32-bit word in slave byte order, or always little or big endian."""
    return _U32(
        offset,
        default=default,
        view=view,
        unit=unit,
        optional=optional,
        when=when,
        little=little,
        big=big,
    )


def u64(  # noqa: PLR0913 - one keyword per property of a field
    offset: int,
    *,
    default: Any = dataclasses.MISSING,
    view: type[int] | None = None,
    unit: str = "",
    optional: bool = False,
    when: str = "",
    little: bool = False,
    big: bool = False,
) -> Any:
    """An unsigned 64-bit word in slave byte order, or always little or big endian."""
    return _U64(
        offset,
        default=default,
        view=view,
        unit=unit,
        optional=optional,
        when=when,
        little=little,
        big=big,
    )


def f64(offset: int, *, default: Any = dataclasses.MISSING, unit: str = "") -> Any:
    """A 64-bit IEEE float in slave byte order."""
    return _field(Term("float", offset, 8, "d", unit=unit), default)


def sized(
    offset: int,
    *,
    by: str,
    sizes: tuple[int, ...] = (),
    default: Any = dataclasses.MISSING,
    unit: str = "",
) -> Any:
    """An unsigned integer of 1, 2, 4 or 8 bytes, as another field tells; None where it tells 0.

    Args:
        offset: position, or ``AFTER``.
        by: path of the number that tells the size.
        sizes: bytes for number 0, 1, 2 …; empty = the number is the size.
        default: value when none is given.
        unit: unit of the value.
    """
    return _field(Term("sized", offset, by=by, sizes=sizes, unit=unit), default)


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
    scale: str = "",
    aligned: bool = False,
    align: str = "",
) -> Any:
    """Bytes up to the end of the packet, or as many as a field counts; never swapped.

    A counted term takes what is there when the packet is shorter (a block starts with the count of
    the whole block), and cuts what is longer (padding).

    Args:
        offset: position, or ``AFTER``.
        default: value when none is given.
        count: path of the count; empty = up to the end.
        unit: unit of the count; ``AG`` makes it count address elements.
        scale: path of the bytes per counted unit.
        aligned: True when the offset is rounded up to the address granularity.
        align: path of what the offset is rounded up to instead.
    """
    scale = scale or ("AG" if unit == "AG" else "")
    align = align or ("AG" if aligned else "")
    term = Term("data", offset, count=count, unit=unit, scale=scale, align=align)
    return _field(term, default)


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
        terms: field name and term, in order of declaration, which is the order on the wire.
        choice: how a class without own terms finds the layout of a packet; see :func:`choose`.
    """

    name: str
    prefix: bytes
    terms: tuple[tuple[str, Term], ...]
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Several layouts for one answer.

    Attributes:
        by: path of the number that chooses.
        cases: number → layout class.
        default: layout class for other numbers, or where the number is not known.
    """

    by: str
    cases: Mapping[int, type[Packet]]
    default: type[Packet]


class Packet:
    """Base of every layout class.

    Comparison and text are written once here: generating them for each of the many classes would
    take longer than all other start-up work.
    """

    __slots__ = ()
    __layout__: ClassVar[Layout]

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name, _ in self.__layout__.terms])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packet) or type(self) is not type(other):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        pairs = zip(self.__layout__.terms, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{term[0]}={v!r}' for term, v in pairs)})"


def make_layout(cls: type[Any], prefix: bytes) -> type[Any]:
    """Turn a class with terms into a frozen dataclass with ``__layout__``."""
    made = dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)(cls)
    terms = tuple((f.name, f.metadata[TERM_KEY]) for f in dataclasses.fields(made))
    made.__layout__ = Layout(made.__name__, prefix, terms)
    return made


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(u8, u16, i16, u32, u64, f64, sized, fixed, data, elements),
)
def packet(*prefix: int) -> Any:
    """Declare a layout with constant first bytes: ``@packet(0xFF)``; none for sub-layouts."""

    def wrap(cls: type[Any]) -> type[Any]:
        return make_layout(cls, bytes(prefix))

    return wrap


def choose(
    base: type[Packet], by: str, cases: Mapping[int, type[Packet]], *, default: type[Packet]
) -> None:
    """Give a base class its layouts; decoding the base gives an object of the chosen subclass."""
    assert all(issubclass(case, base) for case in (*cases.values(), default))
    base.__layout__ = Layout(base.__name__, b"", (), Choice(by, MappingProxyType(cases), default))


def layout_of(cls: type[Packet] | Packet) -> Layout:
    """The layout of a packet class or object."""
    return cls.__layout__
