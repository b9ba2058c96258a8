"""Lines of a CVX file: header, cells and records *(CVX 2.0 and 2.1)*."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.calib.formats.cells import parse_number
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ATTRIBUTES",
    "Cell",
    "Header",
    "Record",
    "decode",
    "read_header",
    "records",
    "row",
    "split_lines",
]

ATTRIBUTES: Final = ("FUNCTION", "VARIANT", "DISPLAY_IDENTIFIER")
_TITLE: Final = re.compile(r"\s*\"?CALIBRATION VALUES V(\d{1,3}\.\d{1,3})\"?(.)(.*)", re.IGNORECASE)
_HEADERS: Final = ("FUNCTION_HDR", "VARIANT_HDR")
_NUMBER_LIKE: Final = re.compile(r"[+-]?[.,]?[0-9]")
MAX_SIZE_BYTES: Final = 1 << 29


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a line: its text, and whether it was quoted."""

    text: str
    quoted: bool = False

    def __bool__(self) -> bool:
        return self.quoted or bool(self.text)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says.

    Attributes:
        version: of the format.
        separator: of cells.
        point: decimal point.
        comment: what a line of comment begins with.
        quote: around texts.
        pattern: one cell and what ends it.
    """

    version: str
    separator: str
    point: str
    comment: str
    quote: str
    pattern: re.Pattern[str]

    def number(self, text: str) -> int | float:
        """Number in the notation of the file.

        Raises:
            ValueError: it is none.
        """
        if self.point != ".":
            if "." in text:
                raise ValueError(f"{text[:40]!r} has a point; {self.point!r} is that of the file")
            text = text.replace(self.point, ".")
        return parse_number(text)

    def value(self, cell: Cell) -> int | float | str:
        """Number of a cell, or its text where it is quoted or a word.

        Raises:
            ValueError: it is empty, or looks like a number and is none.
        """
        if cell.quoted:
            return cell.text
        try:
            return self.number(cell.text)
        except ValueError:
            if not cell.text or _NUMBER_LIKE.match(cell.text):
                raise
            return cell.text


@dataclass(slots=True)
class Record:
    """Lines of one entry.

    Attributes:
        name: of the entry.
        line: 1-based line of its name.
        rows: its lines, without empty ones: type, data, attributes.
    """

    name: str
    line: int
    rows: list[list[Cell]] = field(default_factory=list)


def decode(data: bytes, source: str) -> str:
    """Text of a file: UTF-8 where it is that, otherwise Windows-1252.

    Raises:
        ParameterSetError: it is too large.
    """
    if len(data) > MAX_SIZE_BYTES:
        raise ParameterSetError(
            f"{len(data)} bytes, at most {MAX_SIZE_BYTES} are read.",
            source=source,
            hint="Split it.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The five codes that Windows-1252 leaves open are those of Latin-1.
        return "".join(
            part.decode("cp1252") if part not in _OPEN else part.decode("latin-1")
            for part in re.split(b"([\x81\x8d\x8f\x90\x9d])", data)
        )


_OPEN: Final = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")


def split_lines(text: str) -> list[str]:
    """Lines of a text, whichever line end it has."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_header(line: str, source: str) -> Header:
    """Header of the first line.

    Raises:
        ParameterSetError: it is none.
    """
    found = _TITLE.match(line)
    if found is None:
        raise ParameterSetError(
            "no CVX: the first line is not CALIBRATION VALUES.",
            source=source,
            line=1,
            hint="Give another format.",
        )
    version, separator, rest = found[1], found[2], found[3]
    point, comment, quote = [*(word.strip() for word in rest.split(separator)), "", "", ""][:3]
    point = point or "."
    if point not in (".", ",") or point == separator or separator.isalnum() or separator == ".":
        raise ParameterSetError(
            f"separator {separator!r} and decimal point {point[:10]!r} do not go together.",
            source=source,
            line=1,
            hint="Correct the first line.",
        )
    quote = quote[:1] or '"'
    q, s = re.escape(quote), re.escape(separator)
    pattern = re.compile(rf"[ ]*(?:{q}((?:[^{q}]|{q}{q})*){q}[ ]*|([^{s}]*))({s}|$)")
    return Header(version, separator, point, comment or "*", quote, pattern)


def row(header: Header, line: str) -> list[Cell]:
    """Cells of a line, without the empty ones at its end."""
    cells: list[Cell] = []
    at = 0
    while True:
        found = header.pattern.match(line, at)
        assert found is not None  # the second branch takes anything
        quoted = found[1] is not None
        text = found[1].replace(header.quote * 2, header.quote) if quoted else found[2].strip()
        cells.append(Cell(text, quoted))
        at = found.end()
        if not found[3]:
            break
    while cells and not cells[-1]:
        cells.pop()
    return cells


def records(
    header: Header, lines: list[str], functions: list[str], criteria: dict[str, tuple[str, ...]]
) -> Iterator[Record]:
    """Records of a file.

    Args:
        header: of the file.
        lines: all of them, the first included.
        functions: filled with the names of FUNCTION_HDR.
        criteria: filled with those of VARIANT_HDR.
    """
    current: Record | None = None
    part = ""
    for number, line in enumerate(lines[1:], 2):
        if line.startswith(header.comment):
            continue
        cells = row(header, line)
        word = cells[0].text if cells else ""
        if word in _HEADERS:
            part = word
        elif not cells:
            part = "" if part == "VARIANT_HDR" else part
        elif part == "FUNCTION_HDR":
            functions += [cell.text for cell in cells if cell]
            part = ""
        elif part == "VARIANT_HDR" and word:
            criteria[word] = tuple(cell.text for cell in cells[1:] if cell)
        elif len(cells) == 2 and not cells[0]:
            part = ""
            if current is not None:
                yield current
            current = Record(cells[1].text, number)
        else:
            part = ""
            if current is None:
                current = Record("", number)
            current.rows.append(cells)
    if current is not None:
        yield current
