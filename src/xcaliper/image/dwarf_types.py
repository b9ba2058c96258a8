"""Types of debug information as values of ``c_types`` (DWARF 2 to 5)."""

from __future__ import annotations

from typing import Any, Final

from xcaliper.image.c_types import (
    Array,
    Base,
    BaseKind,
    CType,
    Enum,
    Function,
    Member,
    Pointer,
    Struct,
    Typedef,
    Void,
    base_name,
    size_of,
    strip,
)
from xcaliper.image.dwarf_entries import children, name_of, number_of, text_of, uleb

__all__ = ["TypeBuilder", "bit_field_place", "family"]

_MAX_DEPTH: Final = 200
_OP_PLUS_UCONST, _OP_CONSTU = 0x23, 0x10
_ENCODINGS: Final[dict[int, BaseKind]] = {
    0x02: "bool",
    0x04: "float",
    0x05: "signed",
    0x06: "signed",
    0x07: "unsigned",
    0x08: "unsigned",
    0x0D: "signed",
    0x0E: "unsigned",
    0x10: "unsigned",
}
_QUALIFIERS: Final = frozenset(
    {
        "DW_TAG_const_type",
        "DW_TAG_volatile_type",
        "DW_TAG_restrict_type",
        "DW_TAG_atomic_type",
        "DW_TAG_packed_type",
        "DW_TAG_immutable_type",
        "DW_TAG_shared_type",
    }
)
_NO_MEMBER: Final = ("DW_AT_declaration", "DW_AT_external", "DW_AT_artificial")
_POINTERS: Final = frozenset(
    {"DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"}
)
_STRUCTS: Final = {
    "DW_TAG_structure_type": "struct",
    "DW_TAG_class_type": "class",
    "DW_TAG_interface_type": "class",
    "DW_TAG_union_type": "union",
}


class TypeBuilder:
    """Builds types on demand, each once.

    Args:
        little_endian: byte order of the target.
        type_unit: class of the units of .debug_types.

    Attributes:
        complete: full entries by family and name, for those that are only declared.
        scopes: name spaces and classes around an entry, by its offset.
        signatures: units that define one type each (DWARF 5).
    """

    def __init__(self, *, little_endian: bool, type_unit: type) -> None:
        self.little_endian = little_endian
        self.type_unit = type_unit
        self.complete: dict[tuple[str, str], Any] = {}
        self.scopes: dict[int, str] = {}
        self.signatures: dict[int, Any] = {}
        self.types: dict[tuple[bool, int], CType] = {}
        self.open: set[tuple[bool, int]] = set()

    def type_of(self, die: Any) -> CType:
        """The type an entry refers to; nothing is ``void``."""
        target = self.target(die, "DW_AT_type")
        return Void() if target is None else self.type(target)

    def is_constant(self, die: Any) -> bool:
        """True when the type of an entry, or the elements of its array, are ``const``."""
        found: Any | None = die
        for _ in range(_MAX_DEPTH):
            found = self.target(found, "DW_AT_type")
            if found is None or found.tag == "DW_TAG_const_type":
                return found is not None
            if found.tag not in _QUALIFIERS | {"DW_TAG_typedef", "DW_TAG_array_type"}:
                return False
        return False

    def target(self, die: Any, attribute: str) -> Any | None:
        """The entry an attribute refers to, in this unit, another one or a type unit."""
        found = die.attributes.get(attribute)
        if found is None:
            return None
        if found.form == "DW_FORM_ref_sig8":
            unit = self.signatures.get(found.raw_value)
            if unit is not None:
                return unit.get_DIE_from_refaddr(unit.cu_offset + unit["type_offset"])
        return die.get_DIE_from_attribute(attribute)

    def type(self, die: Any) -> CType:
        """The type of an entry; one that contains itself is ``void`` there."""
        key = (isinstance(die.cu, self.type_unit), die.offset)
        known = self.types.get(key)
        if known is None:
            if key in self.open or len(self.open) > _MAX_DEPTH:
                return Void()  # a type that contains itself
            self.open.add(key)
            try:
                known = self.build(die)
            finally:
                self.open.discard(key)
            self.types[key] = known
        return known

    def build(self, die: Any) -> CType:  # noqa: PLR0911 -- one line per kind of type
        """The type of an entry, made anew."""
        tag = die.tag
        if tag in _QUALIFIERS:
            return self.type_of(die)
        if tag == "DW_TAG_typedef":
            return Typedef(self.scoped(die), self.type_of(die))
        if tag in _STRUCTS:
            return self.structure(die)
        if tag == "DW_TAG_array_type":
            return self.array(die)
        if tag == "DW_TAG_enumeration_type":
            return self.enumeration(die)
        if tag in _POINTERS:
            return Pointer(
                number_of(die, "DW_AT_byte_size") or die.cu["address_size"], self.label(die)
            )
        if tag == "DW_TAG_subroutine_type":
            return Function()
        if tag == "DW_TAG_subrange_type" and "DW_AT_byte_size" not in die.attributes:
            return self.type_of(die)
        if tag in ("DW_TAG_base_type", "DW_TAG_subrange_type", "DW_TAG_ptr_to_member_type"):
            kind = _ENCODINGS.get(number_of(die, "DW_AT_encoding") or 0, "other")
            name = text_of(die, "DW_AT_name") or tag.removeprefix("DW_TAG_")
            return Base(base_name(name), kind, number_of(die, "DW_AT_byte_size") or 0)
        return Void()

    def scoped(self, die: Any) -> str:
        """Name of a type with its name spaces and classes."""
        name = text_of(die, "DW_AT_name")
        scope = self.scopes.get(die.offset, "") if not isinstance(die.cu, self.type_unit) else ""
        return f"{scope}::{name}" if scope and name else name

    def label(self, die: Any) -> str:
        """Name of what a pointer points to; the target is not built, as types may point to themselves."""
        text = ""
        for _ in range(16):
            target = self.target(die, "DW_AT_type")
            if target is None:
                return text and f"void{text}"
            die = target
            if die.tag in _POINTERS:
                text += " *"
            elif die.tag == "DW_TAG_subroutine_type":
                return f"function{text}"
            elif die.tag not in _QUALIFIERS and die.tag != "DW_TAG_array_type":
                label = name_of(die)
                return (base_name(label) if die.tag == "DW_TAG_base_type" else label) + text
        return text

    def completed(self, die: Any) -> Any | None:
        """The full entry of a type that is only declared here: in a type unit, else by its name."""
        found = self.target(die, "DW_AT_signature")
        if found is None and "DW_AT_declaration" in die.attributes:
            found = self.complete.get((family(die.tag), self.scoped(die)))
        same = found is not None and (found.offset, found.cu) == (die.offset, die.cu)
        return None if same else found

    def structure(self, die: Any) -> CType:
        """A structure; a declaration is completed by name."""
        complete = self.completed(die)
        if complete is not None:
            return self.type(complete)
        if "DW_AT_declaration" in die.attributes:
            return Struct(_STRUCTS[die.tag], self.scoped(die), 0, (), is_complete=False)  # type: ignore[arg-type]
        size = number_of(die, "DW_AT_byte_size") or 0
        members = [m for child in children(die) if (m := self.member(child)) is not None]
        return Struct(_STRUCTS[die.tag], self.scoped(die), size, tuple(members))  # type: ignore[arg-type]

    def member(self, die: Any) -> Member | None:
        """A member with a place; static ones and those of virtual bases have none, tables of methods are no data."""
        if die.tag not in ("DW_TAG_member", "DW_TAG_inheritance"):
            return None
        if any(word in die.attributes for word in _NO_MEMBER):
            return None
        name = text_of(die, "DW_AT_name") if die.tag == "DW_TAG_member" else ""
        offset = self.member_offset(die)
        if offset is None:
            return None
        kind = self.type_of(die)
        bits = number_of(die, "DW_AT_bit_size")
        if bits is None:
            return Member(name, kind, offset)
        size = size_of(kind)
        big = not self.little_endian
        if "DW_AT_data_bit_offset" in die.attributes:
            start = number_of(die, "DW_AT_data_bit_offset") or 0
        else:
            start = 8 * offset
            old = number_of(die, "DW_AT_bit_offset")
            if old is not None:  # counted from the most significant bit of the storage unit
                if old >= 1 << 31:
                    old -= 1 << (64 if old >= 1 << 63 else 32)
                storage = number_of(die, "DW_AT_byte_size") or size
                start += old if big else 8 * storage - old - bits
        return Member(name, kind, *bit_field_place(start, bits, size, big=big))

    def member_offset(self, die: Any) -> int | None:
        """First byte of a member; None where it is computed when the program runs."""
        location = die.attributes.get("DW_AT_data_member_location")
        if location is None:
            return 0  # of a union
        if isinstance(location.value, int):
            return location.value
        code = bytes(location.value)
        if code[:1] in (bytes([_OP_PLUS_UCONST]), bytes([_OP_CONSTU])):
            offset, at = uleb(code, 1)
            return offset if at == len(code) else None
        return None

    def array(self, die: Any) -> CType:
        """Arrays of arrays become one with several counts."""
        counts: list[int] = []
        for child in children(die):
            if child.tag == "DW_TAG_subrange_type":
                counts.append(self.count(child))
            elif child.tag == "DW_TAG_enumeration_type":
                counts.append(sum(c.tag == "DW_TAG_enumerator" for c in children(child)))
        element = self.type_of(die)
        if isinstance(element, Array):
            return Array(element.element, (*(counts or [0]), *element.dims))
        return Array(element, tuple(counts or [0]))

    def count(self, die: Any) -> int:
        """Count of one dimension, 0 where none is given."""
        count = number_of(die, "DW_AT_count")
        if count is None:
            upper = number_of(die, "DW_AT_upper_bound")
            if upper is None or upper in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF):
                return 0
            count = upper - (number_of(die, "DW_AT_lower_bound") or 0) + 1
        return count if 0 < count < 1 << 48 else 0

    def enumeration(self, die: Any) -> CType:
        """An enumeration; older compilers do not say whether it is signed."""
        complete = self.completed(die)
        if complete is not None:
            return self.type(complete)
        size = number_of(die, "DW_AT_byte_size") or 0
        below = strip(self.type_of(die))
        size = size or size_of(below)
        values = [
            (text_of(child, "DW_AT_name"), number_of(child, "DW_AT_const_value") or 0)
            for child in children(die)
            if child.tag == "DW_TAG_enumerator"
        ]
        if isinstance(below, Base):
            signed = below.kind == "signed"
        else:  # older compilers do not say what is below
            signed = any(value < 0 for _, value in values)
        full = 1 << (8 * size)
        if signed:
            values = [(n, v - full if full > v >= full >> 1 else v) for n, v in values]
        elif any(value < 0 for _, value in values):
            signed = all(value < full >> 1 for _, value in values)
        return Enum(self.scoped(die), size, signed, tuple(values))


def bit_field_place(start: int, bits: int, size: int, *, big: bool) -> tuple[int, int, int, int]:
    """Where a bit field lies: byte offset of its storage unit, width, shift and size of the unit.

    Args:
        start: bits from the begin of the structure, counted from the least significant bit of each byte on little
            endian targets and from the most significant one on others (DWARF, DW_AT_data_bit_offset, 4).
        bits: width.
        size: bytes of the declared type.
        big: the target has the most significant byte first.
    """
    for storage in (size, 1, 2, 4, 8):
        step = storage if storage == size else 1  # packed fields cross the units of their type
        at = start // (8 * step) * step if storage else -1
        if storage and start + bits <= 8 * (at + storage):
            break
    else:
        at, storage = start // 8, (start % 8 + bits + 7) // 8
    first = start - 8 * at
    return at, bits, 8 * storage - first - bits if big else first, storage


def family(tag: str) -> str:
    """Structures and classes may be declared as each other."""
    return "class" if tag in ("DW_TAG_structure_type", "DW_TAG_class_type") else tag
