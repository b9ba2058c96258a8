"""What a compiler says about a variable: types as frozen values, the same from every reader.

``const`` and ``volatile`` are left out: they say nothing about the place of a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Final, Literal, TypeAlias

from xcaliper.core.datatypes import DataType

__all__ = [
    "Array",
    "BareType",
    "Base",
    "BaseKind",
    "CType",
    "Enum",
    "Function",
    "Member",
    "Pointer",
    "Struct",
    "Typedef",
    "Void",
    "base_name",
    "datatype_of",
    "element_of",
    "integer_type",
    "size_of",
    "strip",
]

BaseKind: TypeAlias = Literal["bool", "signed", "unsigned", "float", "other"]

_WORDS: Final = frozenset({"signed", "unsigned", "short", "long", "int", "char"})
#: ``signed char`` and ``unsigned char`` are what ``int8_t`` and ``uint8_t`` are made of.
_CHARACTERS: Final = frozenset({"char", "char8_t"})
_MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Void:
    """No type: what a ``void *`` points to, or a type that the file does not describe."""


@dataclass(frozen=True, slots=True)
class Base:
    """A number (DWARF, DW_TAG_base_type).

    Attributes:
        name: as in the program, ``unsigned int``.
        kind: what the bits mean; ``other`` for what ASAP2 cannot say (complex, decimal).
        size_bytes: size in memory.
    """

    name: str
    kind: BaseKind
    size_bytes: int

    @property
    def is_character(self) -> bool:
        """True for the types of text."""
        return self.size_bytes == 1 and self.name in _CHARACTERS


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address, or a C++ reference.

    Attributes:
        size_bytes: size in memory.
        target: name of what it points to, empty for ``void``.
    """

    size_bytes: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """Code; only ever pointed to."""


@dataclass(frozen=True, slots=True)
class Array:
    """Elements one after another.

    Attributes:
        element: type of one.
        dims: counts, slowest first as in C; 0 where the program gives none.
    """

    element: CType
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A part of a structure.

    Attributes:
        name: empty for an anonymous structure and for a base class, whose members belong to the parent.
        type: its type.
        offset: first byte inside the parent; of a bit field, that of its storage unit.
        bit_size: width of a bit field, 0 for other members.
        bit_shift: bits of the storage unit, read as a number, below a bit field.
        storage_bytes: size of the storage unit of a bit field.
    """

    name: str
    type: CType
    offset: int
    bit_size: int = 0
    bit_shift: int = 0
    storage_bytes: int = 0

    @property
    def bit_mask(self) -> int:
        """Bits of the storage unit that belong to a bit field."""
        return ((1 << self.bit_size) - 1) << self.bit_shift


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure, class or union.

    Attributes:
        kind: which of them.
        name: tag with its name spaces, empty when anonymous.
        size_bytes: size in memory.
        members: in order.
        is_complete: False when the file only declares it.
    """

    kind: Literal["struct", "class", "union"]
    name: str
    size_bytes: int
    members: tuple[Member, ...]
    is_complete: bool = True
    _by_name: dict[str, Member] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def find(self, name: str) -> Member | None:
        """The member of a name, those of anonymous structures included, its offset inside this one."""
        if not self._by_name:
            for member in self.flat():
                self._by_name.setdefault(member.name, member)
        return self._by_name.get(name)

    def flat(self) -> tuple[Member, ...]:
        """Named members, those of anonymous structures and base classes lifted into this one."""
        return tuple(_lifted(self, 0, 0))


def _lifted(struct: Struct, offset: int, depth: int) -> list[Member]:
    found: list[Member] = []
    for member in struct.members:
        inner = strip(member.type)
        if member.name:
            found.append(
                Member(
                    member.name,
                    member.type,
                    offset + member.offset,
                    member.bit_size,
                    member.bit_shift,
                    member.storage_bytes,
                )
            )
        elif isinstance(inner, Struct) and depth < _MAX_DEPTH:
            found.extend(_lifted(inner, offset + member.offset, depth + 1))
    return found


@dataclass(frozen=True, slots=True)
class Enum:
    """Named integers.

    Attributes:
        name: tag with its name spaces, empty when anonymous.
        size_bytes: size in memory.
        is_signed: the integer below is signed; also when a value is negative.
        values: name and value, in order.
    """

    name: str
    size_bytes: int
    is_signed: bool
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Typedef:
    """Another name of a type."""

    name: str
    type: CType


BareType: TypeAlias = Void | Base | Pointer | Function | Array | Struct | Enum
CType: TypeAlias = BareType | Typedef


def base_name(name: str) -> str:
    """One spelling of the types of C: ``unsigned short`` for ``short unsigned int``."""
    words = name.split()
    if not words or not _WORDS.issuperset(words):
        return name
    sign = "unsigned " if "unsigned" in words else ""
    if "char" in words:
        return f"{sign or ('signed ' if 'signed' in words else '')}char"
    size = [word for word in words if word in ("short", "long")]
    return sign + (" ".join(size) or "int")


def strip(kind: CType) -> BareType:
    """The type behind any typedefs."""
    while isinstance(kind, Typedef):
        kind = kind.type
    return kind


def element_of(kind: CType) -> tuple[CType, tuple[int, ...]]:
    """Element type behind any arrays and typedefs of arrays, and all counts, slowest first."""
    dims: tuple[int, ...] = ()
    bare = strip(kind)
    while isinstance(bare, Array):
        dims += bare.dims
        kind = bare.element
        bare = strip(kind)
    return kind, dims


def size_of(kind: CType) -> int:
    """Bytes in memory; 0 for what has no size."""
    bare = strip(kind)
    if isinstance(bare, Array):
        return size_of(bare.element) * prod(bare.dims)
    return 0 if isinstance(bare, (Void, Function)) else bare.size_bytes


_INTEGERS: Final = {
    (1, False): DataType.UBYTE,
    (1, True): DataType.SBYTE,
    (2, False): DataType.UWORD,
    (2, True): DataType.SWORD,
    (4, False): DataType.ULONG,
    (4, True): DataType.SLONG,
    (8, False): DataType.A_UINT64,
    (8, True): DataType.A_INT64,
}
_FLOATS: Final = {2: DataType.FLOAT16_IEEE, 4: DataType.FLOAT32_IEEE, 8: DataType.FLOAT64_IEEE}


def integer_type(size_bytes: int, *, signed: bool) -> DataType | None:
    """The ASAP2 integer of a size; None when there is none."""
    return _INTEGERS.get((size_bytes, signed))


def datatype_of(kind: CType) -> DataType | None:
    """The ASAP2 data type of a scalar; None for structures, arrays and what ASAP2 cannot say."""
    bare = strip(kind)
    if isinstance(bare, Base):
        if bare.kind == "float":
            return _FLOATS.get(bare.size_bytes)
        if bare.kind == "other":
            return None
        return integer_type(bare.size_bytes, signed=bare.kind == "signed")
    if isinstance(bare, Enum):
        return integer_type(bare.size_bytes, signed=bare.is_signed)
    if isinstance(bare, Pointer):
        return integer_type(bare.size_bytes, signed=False)
    return None
