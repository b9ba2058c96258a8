"""The container of a linked program: sections, symbols, bytes at addresses (System V ABI, ELF).

No type is needed for any of this, so an address update from the symbol table works in a plain install.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import ImageError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.core.progress import Progress, counted

__all__ = ["ElfFile", "Section", "Segment", "Symbol", "SymbolKind", "read_elf"]

SymbolKind = Literal["object", "function", "section", "file", "tls", "other"]

_MAX_SECTIONS: Final = 1 << 18
_MAX_SEGMENTS: Final = 1 << 14
#: Memory made of zeros that a file may ask for, all sections together.
_MAX_ZEROS: Final = 1 << 28
_MAX_NAME: Final = 8192
_ET_REL, _ET_DYN = 1, 3
_SHT_NOBITS: Final = 8
_SHT_SYMTAB: Final = 2
_SHT_DYNSYM: Final = 11
_SHF_WRITE, _SHF_ALLOC, _SHF_EXEC, _SHF_TLS = 1, 2, 4, 0x400
_PT_LOAD: Final = 1
_KINDS: Final[dict[int, SymbolKind]] = {
    1: "object",
    2: "function",
    3: "section",
    4: "file",
    5: "object",
    6: "tls",
}
_HINT: Final = "Give the linked program with its symbols, before any strip."


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the file with a name.

    Attributes:
        name: ``.data``.
        address: where it lies in the memory of the target.
        size_bytes: its length there.
        offset: where its bytes begin in the file.
        is_alloc: lies in memory.
        is_writable: the program may change it.
        is_code: holds instructions.
        has_bytes: the file holds its content; False for ``.bss``.
        is_tls: one copy per thread, so without an address.
        index: number in the section table.
    """

    name: str
    address: int
    size_bytes: int
    offset: int
    is_alloc: bool
    is_writable: bool
    is_code: bool
    has_bytes: bool
    is_tls: bool
    index: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that the loader places (program header PT_LOAD).

    Attributes:
        address: where the program sees them.
        load_address: where they are stored, for flashing; usually the same.
        data: bytes of the file; memory behind them up to ``size_bytes`` is zero.
        size_bytes: length in memory.
    """

    address: int
    load_address: int
    data: bytes = field(repr=False)
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name of the linker.

    Attributes:
        name: as in the table; C++ names are mangled.
        address: its value.
        size_bytes: size of the thing, 0 when unknown.
        kind: what it names.
        is_global: visible outside of its unit.
        section: number of its section; 0 when undefined, from 0xFF00 on special.
        unit: source file of a local symbol, empty when unknown.
    """

    name: str
    address: int
    size_bytes: int
    kind: SymbolKind
    is_global: bool
    section: int
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ElfFile:
    """A program.

    Attributes:
        byte_order: of the target.
        address_bytes: size of its addresses, 4 or 8.
        machine: number of the processor family, 0 when the file does not say.
        sections: as in the section table.
        segments: what is loaded.
        symbols: named symbols, as in the table.
        source: name of the file.
        data: the whole file.
        is_linked: False for an object file, whose addresses count from the begin of each section.
        is_movable: its addresses count from where it is loaded (position independent).
    """

    byte_order: ByteOrder
    address_bytes: int
    machine: int
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...] = field(repr=False)
    symbols: tuple[Symbol, ...] = field(repr=False)
    source: str
    data: bytes = field(repr=False, compare=False)
    is_linked: bool = True
    is_movable: bool = False
    _by_name: dict[str, list[Symbol]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def find(self, name: str) -> tuple[Symbol, ...]:
        """Defined symbols of a name that have an address, global ones first."""
        if not self._by_name and self.symbols:
            for symbol in self.symbols:
                if symbol.section and symbol.kind not in ("section", "file", "tls"):
                    self._by_name.setdefault(symbol.name, []).append(symbol)
        return tuple(sorted(self._by_name.get(name, ()), key=lambda s: not s.is_global))

    def section(self, name: str) -> Section | None:
        """The first section of a name."""
        return next((s for s in self.sections if s.name == name), None)

    def section_at(self, address: int) -> Section | None:
        """The section in memory that holds an address."""
        return next(
            (
                s
                for s in self.sections
                if s.is_alloc and not s.is_tls and s.address <= address < s.address + s.size_bytes
            ),
            None,
        )

    def content(self, section: Section) -> bytes:
        """Bytes of a section as far as the file holds them; none for ``.bss``."""
        if not section.has_bytes:
            return b""
        return self.data[section.offset : section.offset + section.size_bytes]

    def read(self, address: int, size_bytes: int) -> bytes | None:
        """Initial bytes at an address, zeros for ``.bss``; None where the program has nothing."""
        if not 0 <= size_bytes <= _MAX_ZEROS:
            return None
        for section in self.sections:
            offset = address - section.address
            inside = offset >= 0 and offset + size_bytes <= section.size_bytes
            if section.is_alloc and not section.is_tls and inside:
                if not section.has_bytes:
                    return bytes(size_bytes)
                found = self.content(section)[offset : offset + size_bytes]
                return found if len(found) == size_bytes else None
        for segment in self.segments:
            offset = address - segment.address
            if offset >= 0 and offset + size_bytes <= segment.size_bytes:
                return segment.data[offset : offset + size_bytes].ljust(size_bytes, b"\0")
        return None

    def text_at(self, address: int, limit: int = 255) -> str | None:
        """The text at an address up to its NUL, such as the EPK; None where there is none."""
        for size in range(limit, 0, -1):
            found = self.read(address, size)
            if found is not None:
                text = found.split(b"\0", 1)[0]
                printable = text and all(32 <= byte < 127 for byte in text)
                return text.decode("ascii") if printable else None
        return None

    def memory(self, *, zeros: bool = True) -> SparseMemory:
        """Initial content of the memory, from the sections, else from the segments.

        Args:
            zeros: with sections that start as zeros (``.bss``).
        """
        memory = SparseMemory()
        left = _MAX_ZEROS
        runs = [s for s in self.sections if s.is_alloc and not s.is_tls and s.size_bytes]
        for section in runs:
            content = self.content(section)
            if not section.has_bytes:
                if not zeros or section.size_bytes > left:
                    continue
                left -= section.size_bytes
                content = bytes(section.size_bytes)
            _add(memory, section.address, content)
        for segment in [] if runs else self.segments:
            _add(memory, segment.address, segment.data)
        return memory


def _add(memory: SparseMemory, address: int, content: bytes) -> None:
    """Add a run; one that overlaps earlier ones adds nothing."""
    try:
        memory.add(Address(address), content)
    except UsageError:
        return


def read_elf(data: bytes, *, source: str = "", progress: Progress | None = None) -> ElfFile:
    """Sections, segments and symbols of a program.

    Args:
        data: the whole file.
        source: its name, for messages.
        progress: told how many of many symbols are read.

    Raises:
        ImageError: not an ELF file, or its headers lead out of the file.
    """
    if data[:4] != b"\x7fELF":
        raise ImageError("this is not an ELF file.", source=source, hint=_HINT)
    if len(data) < 52 or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise ImageError("the header of the ELF file is damaged.", source=source, hint=_HINT)
    wide, mark = data[4] == 2, "<" if data[5] == 1 else ">"
    try:
        head = struct.unpack_from(mark + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), data, 16)
        reader = _Reader(data, source, mark, wide)
        sections = reader.sections(head[5], head[10], head[11], head[12])
        segments = reader.segments(head[4], head[8], head[9])
        symbols = reader.symbols(sections, progress)
    except (struct.error, OverflowError) as error:
        raise ImageError(
            "the ELF file is cut off or damaged.", source=source, hint=_HINT
        ) from error
    order = ByteOrder.INTEL if mark == "<" else ByteOrder.MOTOROLA
    return ElfFile(
        order,
        8 if wide else 4,
        head[1],
        sections,
        segments,
        symbols,
        source,
        data,
        is_linked=head[0] != _ET_REL,
        is_movable=head[0] == _ET_DYN,
    )


class _Reader:
    """The tables of one file; every length is checked against the bytes that are there."""

    def __init__(self, data: bytes, source: str, mark: str, wide: bool) -> None:  # noqa: FBT001 -- private
        self.data = data
        self.source = source
        self.mark = mark
        self.wide = wide
        self.links: dict[int, tuple[int, int]] = {}

    def rows(self, offset: int, size: int, count: int, code: str) -> list[tuple[Any, ...]]:
        """Entries of a table that lie wholly inside the file."""
        need = struct.calcsize(self.mark + code)
        if not offset or not count:
            return []
        if size < need or offset + need > len(self.data):
            raise struct.error("table outside of the file")
        count = min(count, (len(self.data) - offset - need) // size + 1)
        return [
            struct.unpack_from(self.mark + code, self.data, offset + n * size) for n in range(count)
        ]

    def sections(self, offset: int, size: int, count: int, names: int) -> tuple[Section, ...]:
        code = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
        if offset and (not count or names == 0xFFFF):  # more than the header can count
            first = self.rows(offset, size, 1, code)[0]
            count, names = count or first[5], first[6] if names == 0xFFFF else names
        rows = self.rows(offset, size, min(count, _MAX_SECTIONS), code)
        strings = b""
        if names < len(rows):
            strings = self.data[rows[names][4] : rows[names][4] + rows[names][5]]
        found = []
        for index, row in enumerate(rows):
            name, kind, flags, address, begin, length, link, _, _, entry = row
            if kind in (_SHT_SYMTAB, _SHT_DYNSYM):
                self.links[index] = (link, entry)
            found.append(
                Section(
                    _text(strings, name),
                    address,
                    length,
                    begin,
                    is_alloc=bool(flags & _SHF_ALLOC),
                    is_writable=bool(flags & _SHF_WRITE),
                    is_code=bool(flags & _SHF_EXEC),
                    has_bytes=kind not in (0, _SHT_NOBITS),
                    is_tls=bool(flags & _SHF_TLS),
                    index=index,
                )
            )
        self.kinds = [row[1] for row in rows]
        return tuple(found)

    def segments(self, offset: int, size: int, count: int) -> tuple[Segment, ...]:
        code = "IIQQQQQQ" if self.wide else "IIIIIIII"
        found = []
        for row in self.rows(offset, size, min(count, _MAX_SEGMENTS), code):
            if row[0] == _PT_LOAD:
                begin, address, load, stored, length = row[2:7] if self.wide else row[1:6]
                found.append(
                    Segment(address, load, self.data[begin : begin + min(stored, length)], length)
                )
        return tuple(found)

    def symbols(
        self, sections: tuple[Section, ...], progress: Progress | None = None
    ) -> tuple[Symbol, ...]:
        """The full symbol table; the dynamic one where the full one was stripped."""
        for wanted in (_SHT_SYMTAB, _SHT_DYNSYM):
            for index, (link, _) in self.links.items():
                if self.kinds[index] == wanted and link < len(sections):
                    return self.table(sections[index], sections[link], progress)
        return ()

    def table(
        self, section: Section, strings: Section, progress: Progress | None
    ) -> tuple[Symbol, ...]:
        order = self.mark
        fields = (
            [("name", "u4"), ("info", "u1"), ("other", "u1"), ("section", "u2"), ("value", "u8"), ("size", "u8")]
            if self.wide
            else [("name", "u4"), ("value", "u4"), ("size", "u4"), ("info", "u1"), ("other", "u1"), ("section", "u2")]
        )  # fmt: skip
        row = np.dtype([(name, order + code) for name, code in fields])
        content = self.data[section.offset : section.offset + section.size_bytes]
        content = content[: len(content) // row.itemsize * row.itemsize]
        texts = self.data[strings.offset : strings.offset + strings.size_bytes]
        table = np.frombuffer(content, dtype=row)
        found = []
        unit = ""
        columns = (table[key].tolist() for key in ("name", "value", "size", "info", "section"))
        rows = zip(*columns, strict=True)
        for name, value, size, info, place in counted(rows, "symbols read", len(table), progress):
            kind = _KINDS.get(info & 15, "other")
            text = _text(texts, name)
            if kind == "file":
                unit = text
            if text:
                is_global = info >> 4 != 0
                found.append(
                    Symbol(text, value, size, kind, is_global, place, "" if is_global else unit)
                )
        return tuple(found)


def _text(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at, at + _MAX_NAME)
    return strings[at : end if end >= 0 else at + _MAX_NAME].decode("utf-8", "replace")
