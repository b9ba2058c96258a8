"""DWARF 2 to 5 as variables and types, read by pyelftools (extra ``elf``)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import ImageError
from xcaliper.core.progress import Progress, counted
from xcaliper.image.c_types import Array, CType, size_of, strip
from xcaliper.image.debug_info import DebugInfo, Variable
from xcaliper.image.dwarf_entries import chain, name_of, text_of, uleb, visit
from xcaliper.image.dwarf_types import TypeBuilder, family
from xcaliper.image.elf import ElfFile, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_debug_info"]

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
_SCOPES: Final = frozenset(
    {"DW_TAG_namespace", "DW_TAG_structure_type", "DW_TAG_class_type", "DW_TAG_union_type"}
)
_CODE: Final = frozenset(
    {"DW_TAG_subprogram", "DW_TAG_lexical_block", "DW_TAG_inlined_subroutine", "DW_TAG_try_block"}
)
_OP_ADDR, _OP_PLUS_UCONST, _OP_ADDRX, _OP_GNU_ADDR_INDEX = 0x03, 0x23, 0xA1, 0xFB
_FIXED: Final = frozenset(bytes([op]) for op in (_OP_ADDR, _OP_ADDRX, _OP_GNU_ADDR_INDEX))

_BYTES_READ: Final = "bytes of debug information read"


def read_debug_info(
    elf: ElfFile | bytes, *, source: str = "", progress: Progress | None = None
) -> DebugInfo:
    """Variables of a program with their types; empty when the file has none.

    A damaged unit costs its own variables and gives a finding.

    Args:
        elf: the program, or the bytes of its file.
        source: name of the file, for messages.
        progress: told how many bytes of debug information are read, and how many of many variables are built.

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
    return _Reader(file, info, foreign, TypeUnit).read(progress)


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
        self.builder = TypeBuilder(little_endian=info.config.little_endian, type_unit=type_unit)
        self.file = file
        self.info = info
        self.foreign = foreign
        self.findings: list[Diagnostic] = []
        self.mask = (1 << (8 * file.address_bytes)) - 1

    def read(self, progress: Progress | None = None) -> DebugInfo:
        """Walk all units for variables and complete types, then build what the variables need."""
        entries: list[_Found] = []
        for unit in self.units():
            self.tell(unit, progress)
            try:
                if unit.header.get("unit_type") == "DW_UT_type":
                    self.builder.signatures[unit["type_signature"]] = unit
                entries.extend(self.unit(unit))
            except self.foreign as error:
                self.finding(f"unit at 0x{unit.cu_offset:X}: it was left out: {error}.")
        found: dict[tuple[str, int, str], Variable] = {}
        declared: dict[str, _Found] = {}
        for entry in counted(entries, "variables built", len(entries), progress):
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

    def tell(self, unit: Any, progress: Progress | None) -> None:
        """How far the walk is; type units stand in a section of their own."""
        section = self.info.debug_info_sec
        if progress is not None and section is not None and unit.cu_offset < section.size:
            progress(_BYTES_READ, unit.cu_offset + unit.size, section.size)

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
        name = text_of(top, "DW_AT_name")
        apart = text_of(top, "DW_AT_dwo_name") or text_of(top, "DW_AT_GNU_dwo_name")
        if apart:
            self.finding(f"unit {name or apart}: its types are in the separate file {apart}.")
        found: list[_Found] = []

        def enter(die: Any, around: tuple[str, str]) -> tuple[str, str] | None:
            scope, function = around
            tag = die.tag
            if tag == "DW_TAG_variable" or (
                tag == "DW_TAG_member" and "DW_AT_declaration" in die.attributes
            ):
                self.builder.scopes[die.offset] = scope
                if self.is_fixed(die):
                    found.append(_Found(die, scope, function, name))
            elif tag in _SCOPES or tag == "DW_TAG_enumeration_type":
                return self.enter_type(die, scope, function)
            elif tag in _CODE:
                inner = name_of(die) if tag == "DW_TAG_subprogram" and die.has_children else ""
                return scope, inner or function
            elif tag == "DW_TAG_typedef":
                self.builder.scopes[die.offset] = scope
            return None

        visit(top, ("", ""), enter)
        return found

    def enter_type(self, die: Any, scope: str, function: str) -> tuple[str, str] | None:
        """Remember a type or name space; gives the context inside where something there matters."""
        self.builder.scopes[die.offset] = scope
        inner = text_of(die, "DW_AT_name")
        path = f"{scope}::{inner}" if scope and inner else inner or scope
        if die.tag != "DW_TAG_namespace" and inner and "DW_AT_declaration" not in die.attributes:
            self.builder.complete.setdefault((family(die.tag), path), die)
        inside = die.tag != "DW_TAG_enumeration_type" and self.worth(die, die.tag)
        return (path, function) if inside else None

    def is_fixed(self, die: Any) -> bool:
        """True for variables that may have a fixed address; most of those in functions have none."""
        location = die.attributes.get("DW_AT_location")
        if location is None:
            return "DW_AT_declaration" in die.attributes
        blocks = location.form.startswith(("DW_FORM_exprloc", "DW_FORM_block"))
        return blocks and bytes(location.value)[:1] in _FIXED

    def worth(self, die: Any, tag: str) -> bool:
        """Structures of C hold no variables and no types that need a scope."""
        return tag == "DW_TAG_namespace" or self.is_cpp(die.cu)

    def is_cpp(self, unit: Any) -> bool:
        language = unit.get_top_DIE().attributes.get("DW_AT_language")
        return language is None or language.value not in (0x01, 0x02, 0x0C, 0x1D, 0x2C)

    # ---- variables

    def variable(self, entry: _Found, declared: dict[str, _Found]) -> Variable | None:
        """The variable of an entry; None when it has no fixed address."""
        origins = list(chain(entry.die))
        name = name_of(entry.die)
        if not name:
            return None
        scope = (
            self.builder.scopes.get(origins[-1].offset, entry.scope)
            if len(origins) > 1
            else entry.scope
        )
        full = f"{scope}::{name}" if scope else name
        linkage = self.linkage(origins)
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
        external = any("DW_AT_external" in d.attributes for d in origins)
        typed = next((d for d in origins if "DW_AT_type" in d.attributes), entry.die)
        return Variable(
            full,
            address,
            self.counted(self.builder.type_of(typed), address, linkage or name),
            linkage if linkage != name else "",
            self.unit_name(entry, origins),
            "" if external else entry.function,
            is_external=external,
            is_constant=self.builder.is_constant(typed),
        )

    def unit_name(self, entry: _Found, origins: list[Any]) -> str:
        """Source file of a variable; link-time optimisation moves it into a unit of its own making."""
        home = origins[-1].cu
        return entry.unit if home is entry.die.cu else text_of(home.get_top_DIE(), "DW_AT_name")

    def linkage(self, origins: list[Any]) -> str:
        for die in origins:
            for key in ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name"):
                if key in die.attributes:
                    return text_of(die, key)
        return ""

    def from_symbol(
        self, name: str, entry: _Found, found: dict[tuple[str, int, str], Variable]
    ) -> None:
        """A variable that is only declared, defined in a unit without debug information."""
        origins = list(chain(entry.die))
        linkage = self.linkage(origins) or text_of(entry.die, "DW_AT_name")
        symbols = self.file.find(linkage)
        if not symbols or symbols[0].kind == "function":
            return
        try:
            kind = self.builder.type_of(entry.die)
        except self.foreign as error:
            self.finding(f"entry at 0x{entry.die.offset:X}: it was left out: {error}.")
            return
        address = symbols[0].address
        kind = self.counted(kind, address, linkage)
        found[name, address, ""] = Variable(
            name,
            address,
            kind,
            linkage if linkage != name else "",
            symbols[0].unit,
            is_constant=self.builder.is_constant(entry.die),
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
            index, at = uleb(code, 1)
            address = self.info.get_addr(die.cu, index)
        else:
            return None
        while at < len(code):
            if code[at] != _OP_PLUS_UCONST:
                return None
            more, at = uleb(code, at + 1)
            address = (address + more) & self.mask
        return address & self.mask
