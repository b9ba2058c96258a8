"""Variables on demand through drgn: an index in C instead of a walk, for large programs.

drgn finds variables of C by name. What it cannot say for sure (several variables of one name, static locals, C++,
arrays without a count) is left to the reader behind it, so the results are equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.datatypes import ByteOrder
from xcaliper.image.c_types import (
    Array,
    Base,
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
)
from xcaliper.image.debug_info import Variable, VariableSource
from xcaliper.image.dwarf_types import bit_field_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.image.elf import ElfFile

__all__ = ["DrgnVariables", "open_drgn"]

_MAX_DEPTH: Final = 200
#: More than any target uses; drgn wants to know where a module may lie.
_EVERYWHERE: Final = (0, (1 << 64) - 1)


class _UnsureError(Exception):
    """A type that only the other reader can tell; private control flow."""


def open_drgn(
    path: str, elf: ElfFile, fallback: Callable[[], VariableSource]
) -> DrgnVariables | None:
    """Variables of a program through drgn; None where drgn is missing or cannot read the file.

    Args:
        path: the file that ``elf`` was read from.
        elf: its container.
        fallback: gives the full reader; called when drgn cannot answer.
    """
    if _is_split(elf):
        return None  # drgn would find types in files beside the program, the other reader would not
    try:
        import drgn
    except ImportError:
        return None
    program = drgn.Program()
    try:
        module = program.extra_module(path, create=True)
        module.address_range = _EVERYWHERE
        module.try_file(path, force=True)
        known = module.debug_file_status == drgn.ModuleFileStatus.HAVE
    except Exception:  # noqa: BLE001 -- drgn raises a bare Exception for what libdw cannot read
        return None
    return DrgnVariables(program, drgn, elf, fallback) if known else None


def _is_split(elf: ElfFile) -> bool:
    """True when units of the program have their types in ``.dwo`` files (``-gsplit-dwarf``)."""
    if elf.section(".debug_addr") is None:
        return False
    texts = (".debug_str", ".debug_line_str", ".debug_info")
    return any(
        b".dwo\0" in elf.content(section) for name in texts if (section := elf.section(name))
    )


class DrgnVariables:
    """Finds variables one by one.

    Args:
        program: a drgn program with the file loaded.
        drgn: the library.
        elf: container of the same file.
        fallback: gives the full reader.
    """

    def __init__(
        self, program: Any, drgn: Any, elf: ElfFile, fallback: Callable[[], VariableSource]
    ) -> None:
        self._program = program
        self._drgn = drgn
        self._elf = elf
        self._fallback = fallback
        self._full: VariableSource | None = None
        self.answered = 0

    def find(self, name: str) -> tuple[Variable, ...]:
        """Variables of a name, external ones first, as the full reader would give them."""
        variable = self._quick(name)
        if variable is not None:
            self.answered += 1
            return (variable,)
        return self._all().find(name)

    def at(self, address: int) -> Variable | None:
        """The variable that begins at an address, by the full reader."""
        return self._all().at(address)

    def _all(self) -> VariableSource:
        if self._full is None:
            self._full = self._fallback()
        return self._full

    def _quick(self, name: str) -> Variable | None:
        """The global variable of a name that the symbol table has exactly once."""
        symbols = self._elf.find(name)
        if len(symbols) != 1 or not symbols[0].is_global or symbols[0].kind == "function":
            return None
        try:
            found = self._program.variable(name)
            if found.absent_:
                return None
            kind = self._type(found.type_, 0)
            constant = self._is_constant(found.type_)
            language = found.type_.language.name
        except Exception:  # noqa: BLE001 -- drgn raises a bare Exception for what libdw cannot read
            return None
        return (
            Variable(name, symbols[0].address, kind, is_constant=constant)
            if language == "C"
            else None
        )

    def _is_constant(self, kind: Any) -> bool:
        """True when a type, or the elements of an array, are ``const``."""
        kinds = self._drgn.TypeKind
        for _ in range(_MAX_DEPTH):
            if kind.qualifiers & self._drgn.Qualifiers.CONST:
                return True
            if kind.kind not in (kinds.TYPEDEF, kinds.ARRAY):
                return False
            kind = kind.type
        return False

    def _type(self, kind: Any, depth: int) -> CType:
        if depth > _MAX_DEPTH:
            raise _UnsureError
        kinds = self._drgn.TypeKind
        if kind.kind in (kinds.STRUCT, kinds.UNION, kinds.CLASS):
            return self._structure(kind, depth)
        if kind.kind == kinds.TYPEDEF:
            return Typedef(kind.name, self._type(kind.type, depth + 1))
        if kind.kind == kinds.ARRAY:
            if not kind.length:
                raise _UnsureError
            element = self._type(kind.type, depth + 1)
            if isinstance(element, Array):
                return Array(element.element, (kind.length, *element.dims))
            return Array(element, (kind.length,))
        if kind.kind == kinds.ENUM:
            if kind.enumerators is None or kind.type is None:
                raise _UnsureError
            values = tuple((e.name, e.value) for e in kind.enumerators)
            return self._enum(kind, values)
        if kind.kind == kinds.POINTER:
            return Pointer(kind.size, self._label(kind))
        return self._plain(kind)

    def _plain(self, kind: Any) -> CType:
        kinds = self._drgn.TypeKind
        if kind.kind == kinds.INT:
            return Base(base_name(kind.name), "signed" if kind.is_signed else "unsigned", kind.size)
        if kind.kind == kinds.BOOL:
            return Base(base_name(kind.name), "bool", kind.size)
        if kind.kind == kinds.FLOAT:
            return Base(base_name(kind.name), "float", kind.size)
        if kind.kind == kinds.FUNCTION:
            return Function()
        if kind.kind == kinds.VOID:
            return Void()
        raise _UnsureError

    def _enum(self, kind: Any, values: tuple[tuple[str, int], ...]) -> CType:
        signed = bool(kind.type.is_signed)
        if not signed and any(value < 0 for _, value in values):
            raise _UnsureError
        return Enum(kind.tag or "", kind.type.size, signed, values)

    def _structure(self, kind: Any, depth: int) -> CType:
        if not kind.is_complete():
            raise _UnsureError
        big = self._elf.byte_order is ByteOrder.MOTOROLA
        members = []
        for member in kind.members:
            inner = self._member_type(member.type, depth + 1)
            name = member.name or ""
            if member.bit_field_size:
                place = bit_field_place(
                    member.bit_offset, member.bit_field_size, size_of(inner), big=big
                )
                members.append(Member(name, inner, *place))
            else:
                members.append(Member(name, inner, member.bit_offset // 8))
        word = {"STRUCT": "struct", "UNION": "union", "CLASS": "class"}[kind.kind.name]
        return Struct(word, kind.tag or "", kind.size, tuple(members))  # type: ignore[arg-type]

    def _member_type(self, kind: Any, depth: int) -> CType:
        """A flexible array at the end of a structure has no elements."""
        if kind.kind == self._drgn.TypeKind.ARRAY and kind.length is None:
            element = self._type(kind.type, depth)
            if isinstance(element, Array):
                return Array(element.element, (0, *element.dims))
            return Array(element, (0,))
        return self._type(kind, depth)

    def _label(self, kind: Any) -> str:
        """Name of what a pointer points to."""
        kinds = self._drgn.TypeKind
        text = ""
        for _ in range(16):
            kind = kind.type
            if kind.kind == kinds.VOID:
                return text and f"void{text}"
            if kind.kind == kinds.POINTER:
                text += " *"
            elif kind.kind == kinds.FUNCTION:
                return f"function{text}"
            elif kind.kind in (kinds.STRUCT, kinds.UNION, kinds.CLASS, kinds.ENUM):
                return (kind.tag or "") + text
            elif kind.kind != kinds.ARRAY:
                plain = kind.kind in (kinds.INT, kinds.BOOL, kinds.FLOAT)
                return (base_name(kind.name) if plain else str(kind.name)) + text
        return text
