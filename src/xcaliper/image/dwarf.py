"""DWARF 2 to 5 as variables and types, read by pyelftools (extra ``elf``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import ImageError
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
from xcaliper.image.debug_info import DebugInfo, Variable
from xcaliper.image.elf import ElfFile, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bit_field_place", "read_debug_info"]

_MAX_DEPTH: Final = 200
_MAX_FINDINGS: Final = 100
#: What pyelftools lets through on damaged input, beside its own errors.
_DAMAGE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
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
_SCOPES: Final = frozenset(
    {"DW_TAG_namespace", "DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type"}
)
_CODE: Final = frozenset(
    {"DW_TAG_subprogram", "DW_TAG_lexical_block", "DW_TAG_inlined_subroutine", "DW_TAG_try_block"}
)
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
_POINTERS: Final = frozenset(
    {"DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"}
)
_STRUCTS: Final = {
    "DW_TAG_structure_type": "struct",
    "DW_TAG_class_type": "class",
    "DW_TAG_interface_type": "class",
    "DW_TAG_union_type": "union",
}
_OP_ADDR, _OP_PLUS_UCONST, _OP_ADDRX, _OP_GNU_ADDR_INDEX = 0x03, 0x23, 0xA1, 0xFB
_OP_CONSTU: Final = 0x10


def read_debug_info(elf: ElfFile | bytes, *, source: str = "") -> DebugInfo:
    """Variables of a program with their types; empty when the file has none.

    A damaged unit costs its own variables and gives a finding.

    Args:
        elf: the program, or the bytes of its file.
        source: name of the file, for messages.

    Raises:
        ImageError: not an ELF file, its debug sections cannot be read at all, or pyelftools is missing.
    """
    file = read_elf(elf, source=source) if isinstance(elf, bytes) else elf
    try:
        from elftools.common.exceptions import DWARFError, ELFError
        from elftools.construct import ConstructError
        from elftools.dwarf.typeunit import TypeUnit
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise ImageError(
            "reading types needs pyelftools.",
            source=file.source,
            hint="Install it with: pip install xcaliper[elf]",
        ) from error
    foreign = (ELFError, DWARFError, ConstructError, *_DAMAGE)
    try:
        parsed = ELFFile(BytesIO(file.data))
        if not parsed.has_dwarf_info():
            return DebugInfo(())
        # Relocation of a linked program's debug sections is done; only object files need it.
        info = parsed.get_dwarf_info(relocate_dwarf_sections=parsed.header["e_type"] == "ET_REL")
    except foreign as error:
        raise ImageError(
            "the debug sections cannot be read.",
            source=file.source,
            hint="Link again with -g, or update from the symbol table.",
        ) from error
    return _Reader(file, info, foreign, TypeUnit).read()


@dataclass(frozen=True, slots=True)
class _Found:
    """A variable entry and where it stands."""

    die: Any
    scope: str
    function: str
    unit: str


class _Reader:
    """Work in progress on one file."""

    def __init__(
        self, file: ElfFile, info: Any, foreign: tuple[type[Exception], ...], type_unit: type
    ) -> None:
        self.type_unit = type_unit
        self.file = file
        self.info = info
        self.foreign = foreign
        self.types: dict[tuple[bool, int], CType] = {}
        self.open: set[tuple[bool, int]] = set()
        self.signatures: dict[int, Any] = {}
        self.complete: dict[tuple[str, str], Any] = {}
        self.scopes: dict[int, str] = {}
        self.findings: list[Diagnostic] = []
        self.mask = (1 << (8 * file.address_bytes)) - 1

    def read(self) -> DebugInfo:
        """Walk all units for variables and complete types, then build what the variables need."""
        entries: list[_Found] = []
        for unit in self.units():
            try:
                if unit.header.get("unit_type") == "DW_UT_type":
                    self.signatures[unit["type_signature"]] = unit
                entries.extend(self.unit(unit))
            except self.foreign as error:
                self.finding(f"unit at 0x{unit.cu_offset:X}: it was left out: {error}.")
        found: dict[tuple[str, int, str], Variable] = {}
        declared: dict[str, _Found] = {}
        for entry in entries:
            try:
                variable = self.variable(entry, declared)
            except self.foreign as error:
                self.finding(f"entry at 0x{entry.die.offset:X}: it was left out: {error}.")
                continue
            if variable is not None:
                found.setdefault((variable.name, variable.address, variable.function), variable)
        known = {name for name, _, _ in found}
        for name, entry in declared.items():
            if name not in known:
                self.from_symbol(name, entry, found)
        return DebugInfo(found.values(), tuple(self.findings))

    def finding(self, text: str) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(
                Diagnostic(
                    Severity.WARNING,
                    "dwarf-damaged",
                    Where(self.file.source),
                    f"Debug information, {text}",
                    "Compile with -g and without splitting.",
                )
            )

    # ---- the walk

    def units(self) -> Iterator[Any]:
        """Every unit, as far as their headers can be read."""
        for walk in (self.info.iter_CUs, self.info.iter_TUs):
            try:
                yield from walk()
            except self.foreign as error:
                self.finding(f"unit headers: the rest was left out: {error}.")

    def unit(self, unit: Any) -> list[_Found]:
        top = unit.get_top_DIE()
        name = _text(top, "DW_AT_name")
        apart = _text(top, "DW_AT_dwo_name") or _text(top, "DW_AT_GNU_dwo_name")
        if apart:
            self.finding(f"unit {name or apart}: its types are in the separate file {apart}.")
        found: list[_Found] = []
        todo: list[tuple[Any, str, str]] = [(top, "", "")]
        while todo:
            die, scope, function = todo.pop()
            for child in self.children(die):
                tag = child.tag
                if tag == "DW_TAG_variable" or (
                    tag == "DW_TAG_member" and "DW_AT_declaration" in child.attributes
                ):
                    self.scopes[child.offset] = scope
                    found.append(_Found(child, scope, function, name))
                elif tag in _SCOPES or tag == "DW_TAG_enumeration_type":
                    self.scopes[child.offset] = scope
                    inner = _text(child, "DW_AT_name")
                    path = f"{scope}::{inner}" if scope and inner else inner or scope
                    if (
                        tag != "DW_TAG_namespace"
                        and inner
                        and "DW_AT_declaration" not in child.attributes
                    ):
                        self.complete.setdefault((_family(tag), path), child)
                    if (
                        child.has_children
                        and tag != "DW_TAG_enumeration_type"
                        and self.worth(child, tag)
                    ):
                        todo.append((child, path, function))
                elif tag in _CODE and child.has_children:
                    inner = self.name(child) if tag == "DW_TAG_subprogram" else ""
                    todo.append((child, scope, inner or function))
                elif tag == "DW_TAG_typedef":
                    self.scopes[child.offset] = scope
        return sorted(found, key=lambda entry: int(entry.die.offset))

    def worth(self, die: Any, tag: str) -> bool:
        """Structures of C hold no variables and no types that need a scope."""
        return tag == "DW_TAG_namespace" or self.is_cpp(die.cu)

    def is_cpp(self, unit: Any) -> bool:
        language = unit.get_top_DIE().attributes.get("DW_AT_language")
        return language is None or language.value not in (0x01, 0x02, 0x0C, 0x1D, 0x2C)

    def children(self, die: Any) -> Iterator[Any]:
        """Direct children, each entry behind the one before, so that no damage makes a circle."""
        if not die.has_children:
            return
        at = die.offset + die.size
        while True:
            child = die.cu.get_DIE_from_refaddr(at)
            if child.is_null():
                return
            yield child
            at = self.behind(child)

    def behind(self, die: Any) -> int:
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

    def origin(self, die: Any) -> Any | None:
        """The entry that an entry completes or repeats."""
        for attribute in ("DW_AT_specification", "DW_AT_abstract_origin"):
            if attribute in die.attributes:
                return die.get_DIE_from_attribute(attribute)
        return None

    def chain(self, die: Any) -> Iterator[Any]:
        """The entry and those it refers to as its origin."""
        for _ in range(8):
            yield die
            following = self.origin(die)
            if following is None:
                return
            die = following

    def name(self, die: Any) -> str:
        return next((t for d in self.chain(die) if (t := _text(d, "DW_AT_name"))), "")

    # ---- variables

    def variable(self, entry: _Found, declared: dict[str, _Found]) -> Variable | None:
        """The variable of an entry; None when it has no fixed address."""
        chain = list(self.chain(entry.die))
        name = self.name(entry.die)
        if not name:
            return None
        scope = self.scopes.get(chain[-1].offset, entry.scope) if len(chain) > 1 else entry.scope
        full = f"{scope}::{name}" if scope else name
        linkage = self.linkage(chain)
        location = entry.die.attributes.get("DW_AT_location")
        if location is None:
            if (
                "DW_AT_declaration" in entry.die.attributes
                and "DW_AT_const_value" not in entry.die.attributes
            ):
                declared.setdefault(full, entry)
            return None
        address = self.address(entry.die, location)
        if address is None or self.is_tombstone(address, linkage or name):
            return None
        external = any("DW_AT_external" in d.attributes for d in chain)
        kind = self.type_of(next((d for d in chain if "DW_AT_type" in d.attributes), entry.die))
        return Variable(
            full,
            address,
            self.counted(kind, address, linkage or name),
            linkage if linkage != name else "",
            entry.unit,
            "" if external else entry.function,
            is_external=external,
        )

    def linkage(self, chain: list[Any]) -> str:
        for die in chain:
            for key in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
                if key in die.attributes:
                    return _text(die, key)
        return ""

    def from_symbol(
        self, name: str, entry: _Found, found: dict[tuple[str, int, str], Variable]
    ) -> None:
        """A variable that is only declared, defined in a unit without debug information."""
        chain = list(self.chain(entry.die))
        linkage = self.linkage(chain) or _text(entry.die, "DW_AT_name")
        symbols = self.file.find(linkage)
        if not symbols or symbols[0].kind == "function":
            return
        try:
            kind = self.type_of(entry.die)
        except self.foreign as error:
            self.finding(f"entry at 0x{entry.die.offset:X}: it was left out: {error}.")
            return
        address = symbols[0].address
        kind = self.counted(kind, address, linkage)
        found[name, address, ""] = Variable(
            name, address, kind, linkage if linkage != name else "", symbols[0].unit
        )

    def counted(self, kind: CType, address: int, name: str) -> CType:
        """An array without a count gets it from the size of its symbol."""
        bare = strip(kind)
        if not isinstance(bare, Array) or bare.dims[0]:
            return kind
        row = (
            size_of(Array(bare.element, bare.dims[1:])) if bare.dims[1:] else size_of(bare.element)
        )
        size = next((s.size_bytes for s in self.file.find(name) if s.address == address), 0)
        return Array(bare.element, (size // row, *bare.dims[1:])) if row and size >= row else kind

    def is_tombstone(self, address: int, name: str) -> bool:
        """Addresses that linkers write for what they left out: −1, −2, and 0 without a symbol there."""
        if address >= self.mask - 1:
            return True
        return address == 0 and not any(s.address == 0 for s in self.file.find(name))

    def address(self, die: Any, location: Any) -> int | None:
        """The fixed address of a location; None for registers, stack, thread-local and computed places."""
        if not location.form.startswith(("DW_FORM_exprloc", "DW_FORM_block")):
            return None
        code = bytes(location.value)
        if not code:
            return None
        size = die.cu["address_size"]
        order = "little" if self.info.config.little_endian else "big"
        if code[0] == _OP_ADDR and len(code) > size:
            address, at = int.from_bytes(code[1 : 1 + size], order), 1 + size  # type: ignore[arg-type]
        elif code[0] in (_OP_ADDRX, _OP_GNU_ADDR_INDEX):
            index, at = _uleb(code, 1)
            address = self.info.get_addr(die.cu, index)
        else:
            return None
        while at < len(code):
            if code[at] != _OP_PLUS_UCONST:
                return None
            more, at = _uleb(code, at + 1)
            address = (address + more) & self.mask
        return address & self.mask

    # ---- types

    def type_of(self, die: Any) -> CType:
        """The type an entry refers to; nothing is ``void``."""
        target = self.target(die, "DW_AT_type")
        return Void() if target is None else self.type(target)

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
                _number(die, "DW_AT_byte_size") or die.cu["address_size"], self.label(die)
            )
        if tag == "DW_TAG_subroutine_type":
            return Function()
        if tag == "DW_TAG_subrange_type" and "DW_AT_byte_size" not in die.attributes:
            return self.type_of(die)
        if tag in ("DW_TAG_base_type", "DW_TAG_subrange_type", "DW_TAG_ptr_to_member_type"):
            kind = _ENCODINGS.get(_number(die, "DW_AT_encoding") or 0, "other")
            return Base(
                base_name(_text(die, "DW_AT_name")), kind, _number(die, "DW_AT_byte_size") or 0
            )
        return Void()

    def scoped(self, die: Any) -> str:
        name = _text(die, "DW_AT_name")
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
                name = self.name(die)
                return (base_name(name) if die.tag == "DW_TAG_base_type" else name) + text
        return text

    def completed(self, die: Any) -> Any | None:
        """The full entry of a type that is only declared here: in a type unit, else by its name."""
        found = self.target(die, "DW_AT_signature")
        if found is None and "DW_AT_declaration" in die.attributes:
            found = self.complete.get((_family(die.tag), self.scoped(die)))
        same = found is not None and (found.offset, found.cu) == (die.offset, die.cu)
        return None if same else found

    def structure(self, die: Any) -> CType:
        """A structure; a declaration is completed by name."""
        complete = self.completed(die)
        if complete is not None:
            return self.type(complete)
        if "DW_AT_declaration" in die.attributes:
            return Struct(_STRUCTS[die.tag], self.scoped(die), 0, (), is_complete=False)  # type: ignore[arg-type]
        size = _number(die, "DW_AT_byte_size") or 0
        members = [m for child in self.children(die) if (m := self.member(child)) is not None]
        return Struct(_STRUCTS[die.tag], self.scoped(die), size, tuple(members))  # type: ignore[arg-type]

    def member(self, die: Any) -> Member | None:
        """A member with a place; static ones and those of virtual bases have none."""
        if die.tag not in ("DW_TAG_member", "DW_TAG_inheritance"):
            return None
        if "DW_AT_declaration" in die.attributes or "DW_AT_external" in die.attributes:
            return None
        name = _text(die, "DW_AT_name") if die.tag == "DW_TAG_member" else ""
        offset = self.member_offset(die)
        if offset is None:
            return None
        kind = self.type_of(die)
        bits = _number(die, "DW_AT_bit_size")
        if bits is None:
            return Member(name, kind, offset)
        size = size_of(kind)
        big = not self.info.config.little_endian
        if "DW_AT_data_bit_offset" in die.attributes:
            start = _number(die, "DW_AT_data_bit_offset") or 0
        else:
            start = 8 * offset
            old = _number(die, "DW_AT_bit_offset")
            if old is not None:  # counted from the most significant bit of the storage unit
                if old >= 1 << 31:
                    old -= 1 << (64 if old >= 1 << 63 else 32)
                storage = _number(die, "DW_AT_byte_size") or size
                start += old if big else 8 * storage - old - bits
        return Member(name, kind, *bit_field_place(start, bits, size, big=big))

    def member_offset(self, die: Any) -> int | None:
        location = die.attributes.get("DW_AT_data_member_location")
        if location is None:
            return 0  # of a union
        if isinstance(location.value, int):
            return location.value
        code = bytes(location.value)
        if code[:1] in (bytes([_OP_PLUS_UCONST]), bytes([_OP_CONSTU])):
            offset, at = _uleb(code, 1)
            return offset if at == len(code) else None
        return None

    def array(self, die: Any) -> CType:
        """Arrays of arrays become one with several counts."""
        counts: list[int] = []
        for child in self.children(die):
            if child.tag == "DW_TAG_subrange_type":
                counts.append(self.count(child))
            elif child.tag == "DW_TAG_enumeration_type":
                counts.append(sum(c.tag == "DW_TAG_enumerator" for c in self.children(child)))
        element = self.type_of(die)
        if isinstance(element, Array):
            return Array(element.element, (*(counts or [0]), *element.dims))
        return Array(element, tuple(counts or [0]))

    def count(self, die: Any) -> int:
        count = _number(die, "DW_AT_count")
        if count is None:
            upper = _number(die, "DW_AT_upper_bound")
            if upper is None or upper in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF):
                return 0
            count = upper - (_number(die, "DW_AT_lower_bound") or 0) + 1
        return count if 0 < count < 1 << 48 else 0

    def enumeration(self, die: Any) -> CType:
        complete = self.completed(die)
        if complete is not None:
            return self.type(complete)
        size = _number(die, "DW_AT_byte_size") or 0
        below = strip(self.type_of(die))
        size = size or size_of(below)
        values = [
            (_text(child, "DW_AT_name"), _number(child, "DW_AT_const_value") or 0)
            for child in self.children(die)
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


def _family(tag: str) -> str:
    return "class" if tag in ("DW_TAG_structure_type", "DW_TAG_class_type") else tag


def _text(die: Any, attribute: str) -> str:
    found = die.attributes.get(attribute)
    if found is None or not isinstance(found.value, (bytes, str)):
        return ""
    value = found.value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _number(die: Any, attribute: str) -> int | None:
    """The number of an attribute; None where it is missing or computed when the program runs."""
    found = die.attributes.get(attribute)
    if found is None or not isinstance(found.value, int) or found.form.startswith("DW_FORM_ref"):
        return None
    return int(found.value)


def _uleb(code: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, and the place behind it (DWARF, LEB128)."""
    value = shift = 0
    while True:
        byte = code[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
