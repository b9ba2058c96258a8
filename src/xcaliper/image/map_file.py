"""Symbols from the listings that linkers write, for programs without a usable ELF file.

The shapes differ by linker and version, so each reader is a tolerant pattern for the lines that carry a symbol, and
everything else is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from xcaliper.core.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LinkerMap", "MapFormat", "MapSymbol", "read_map"]

MapFormat: TypeAlias = Literal["gnu", "lld", "tasking", "ghs", "iar", "keil"]

_MAX_LINE: Final = 4096
_NAME: Final = r"[A-Za-z_.$?@~][^\s|]*"
_HEX: Final = r"0[xX][0-9a-fA-F]{1,16}"
_HINT: Final = (
    "Give a map of GNU ld, lld, TASKING, Green Hills, IAR ILINK or Keil armlink, or the ELF file."
)


@dataclass(frozen=True, slots=True)
class MapSymbol:
    """A name in a map.

    Attributes:
        name: as the linker knows it.
        address: its value.
        size_bytes: its size, 0 where the map does not say.
        unit: object file, empty where the map does not say.
        is_code: the map calls it code.
    """

    name: str
    address: int
    size_bytes: int = 0
    unit: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class LinkerMap:
    """What a map lists.

    Attributes:
        format: which linker wrote it.
        symbols: by name; of several equal names, data wins over code and the first one over later ones.
        ambiguous: names that the map lists at several addresses.
    """

    format: MapFormat
    symbols: dict[str, MapSymbol]
    ambiguous: frozenset[str]

    def find(self, name: str) -> MapSymbol | None:
        """The symbol of a name; C compilers that put an underscore in front are forgiven."""
        return self.symbols.get(name) or self.symbols.get(f"_{name}")


def read_map(text: str, *, source: str = "") -> LinkerMap:
    """Symbols of a linker map.

    Args:
        text: the whole listing.
        source: its name, for messages.

    Raises:
        ImageError: the text is no map of a known linker, or lists no symbol.
    """
    lines = [line[:_MAX_LINE] for line in text.splitlines()]
    for name, mark, reader in _FORMATS:
        if any(mark.search(line) for line in lines):
            symbols: dict[str, MapSymbol] = {}
            ambiguous: set[str] = set()
            for found in reader(lines):
                known = symbols.setdefault(found.name, found)
                if known.address != found.address:
                    ambiguous.add(found.name)
                if (known.is_code and not found.is_code) or (
                    known.address == found.address and found.size_bytes > known.size_bytes
                ):
                    symbols[found.name] = found
            if symbols:
                return LinkerMap(name, symbols, frozenset(ambiguous))
    raise ImageError("this is no linker map with symbols.", source=source, hint=_HINT)


_GNU_SECTION: Final = re.compile(rf"^ (\.{_NAME}|COMMON)(?:\s+({_HEX})\s+({_HEX})\s+(\S.*))?$")
_GNU_REST: Final = re.compile(rf"^\s{{10,}}({_HEX})\s+({_HEX})\s+(\S.*)$")
_GNU_SYMBOL: Final = re.compile(rf"^\s{{10,}}({_HEX})\s+({_NAME}(?:\([^()]*\))?)$")


def _gnu(lines: list[str]) -> Iterator[MapSymbol]:
    """GNU ld: an input section with its object, then its global symbols; static ones show with -fdata-sections."""
    section, unit = "", ""
    begin = next(
        (n for n, line in enumerate(lines) if line.startswith("Linker script and memory map")), 0
    )  # discarded sections come before, at address 0
    for line in lines[begin:]:
        head = _GNU_SECTION.match(line)
        rest = None if head else _GNU_REST.match(line)
        if head:
            section = head[1]
        place = head.groups()[1:] if head else rest.groups() if rest else ()
        if place and place[0] is not None:
            start, size, unit = int(place[0], 16), int(place[1], 16), place[2].strip()
            if start and size and section.count(".") > 1:
                yield MapSymbol(section.split(".", 2)[2], start, size, unit, _is_text(section))
        elif symbol := _GNU_SYMBOL.match(line):
            yield MapSymbol(symbol[2], int(symbol[1], 16), 0, unit, _is_text(section))


def _is_text(section: str) -> bool:
    return section.startswith(".text")


_LLD: Final = re.compile(
    r"^\s*([0-9a-f]{1,16})\s+[0-9a-f]{1,16}\s+([0-9a-f]{1,16})\s+\d{1,9}\s{9,}(?P<name>[A-Za-z_$][^\s:]*)$"
)


def _lld(lines: list[str]) -> Iterator[MapSymbol]:
    """LLVM lld: columns VMA, LMA, Size, Align, Out, In, Symbol; the symbol is the deepest column."""
    for line in lines:
        row = _LLD.match(line)
        if row:
            yield MapSymbol(row["name"], int(row[1], 16), int(row[2], 16))


_CELL_NAME: Final = re.compile(rf"^{_NAME}$")
_CELL_HEX: Final = re.compile(rf"^{_HEX}$")


def _tasking(lines: list[str]) -> Iterator[MapSymbol]:
    """TASKING: symbol tables between bars, with one address and one name per row in either order."""
    inside = False
    for line in lines:
        if "*" in line and "*" in line[:4]:
            inside = "symbol" in line.lower()
        if not inside or "|" not in line:
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        values = [cell for cell in cells if _CELL_HEX.match(cell)]
        names = [cell for cell in cells if _CELL_NAME.match(cell) and not _CELL_HEX.match(cell)]
        if len(values) == 1 and names:
            yield MapSymbol(names[0], int(values[0], 16))


_GHS: Final = re.compile(
    rf"^\s*(\.[\w.$]+)\s+([0-9a-fA-F]{{8,16}})[+,]\s?([0-9a-fA-F]{{1,16}})\s+({_NAME})\s*$"
)


def _ghs(lines: list[str]) -> Iterator[MapSymbol]:
    """Green Hills: section, address+size and name in one row of the symbol lists; a static one carries its file."""
    for line in lines:
        row = _GHS.match(line)
        if row:
            name, _, unit = row[4].partition("..")
            code = row[1].startswith(".text")
            yield MapSymbol(name, int(row[2], 16), int(row[3], 16), unit, code)


_IAR: Final = re.compile(
    rf"^(?P<name>{_NAME})?\s+(0x[0-9a-fA-F']{{1,20}})(?:\s+(0x[0-9a-fA-F']{{1,20}}))?(?:\s+(Code|Data|--))?\s+"
    r"(?:Gb|Lc|Wk)\b(?P<unit>[^\[]*)"
)


def _iar(lines: list[str]) -> Iterator[MapSymbol]:
    """IAR ILINK: the entry list; a long name stands alone and its row follows; digits are grouped by quotes."""
    inside = False
    pending = ""
    for line in lines:
        if line.startswith("***") and line.strip("* "):
            inside = "ENTRY LIST" in line
        if not inside:
            continue
        row = _IAR.match(line)
        if row and (row["name"] or pending):
            size = int(row[3].replace("'", ""), 16) if row[3] else 0
            yield MapSymbol(
                row["name"] or pending,
                int(row[2].replace("'", ""), 16),
                size,
                row["unit"].strip(),
                row[4] == "Code",
            )
        pending = line.strip() if re.fullmatch(_NAME, line.rstrip()) else ""


_KEIL: Final = re.compile(
    rf"^\s+({_NAME})\s+({_HEX})\s+(Data|Thumb Code|ARM Code|Number|Section)\s+(\d{{1,10}})\s+(\S+\.o(?:bj)?)?"
)


def _keil(lines: list[str]) -> Iterator[MapSymbol]:
    """Keil armlink: the image symbol table with value, kind, size and object."""
    for line in lines:
        row = _KEIL.match(line)
        if row and row[3] not in ("Number", "Section"):
            yield MapSymbol(row[1], int(row[2], 16), int(row[4]), row[5] or "", "Code" in row[3])


_FORMATS: Final[
    tuple[tuple[MapFormat, re.Pattern[str], Callable[[list[str]], Iterator[MapSymbol]]], ...]
] = (
    ("gnu", re.compile(r"^Linker script and memory map"), _gnu),
    ("lld", re.compile(r"^\s*VMA\s+LMA\s+Size\s+Align\s+Out\s+In\s+Symbol"), _lld),
    ("iar", re.compile(r"^\*\*\* ENTRY LIST"), _iar),
    ("keil", re.compile(r"Image Symbol Table"), _keil),
    ("tasking", re.compile(r"TASKING|\* Symbols? \(|\*\s+Locate Result", re.IGNORECASE), _tasking),
    ("ghs", _GHS, _ghs),
)
