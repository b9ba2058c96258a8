"""CANape PAR, versions 3.1 and 3.2: ECU values with their physical ones as comments.

Known from open implementations that agree; no description by the vendor was at hand. The file does not tell curves with
shared axes, axes and blocks apart: read without a description they are all VAL_BLK, see :func:`with_kinds`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import isnan, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.tokens import decode_text
from xcaliper.calib.formats.cells import number_text, shaped
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.formats.raw_values import RawEntry, axis_type, raw_entries
from xcaliper.calib.formats.text_parts import (
    AXES_OF,
    Cell,
    cells_of,
    numbers_in,
    refuse,
    split_lines,
    unique_entries,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, Origin, ParameterSet, SetAxis
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import NotFoundError, ParameterSetError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMAT", "read_par", "sniff_par", "with_kinds", "write_par"]

_HEAD: Final = re.compile(
    r'CANape PAR V(\d+)\.(\d+)\s*:\s*(?:"([^"]*)"|(\S+))?\s*(\d+)?\s*(\d+)?\s*(.*)', re.IGNORECASE
)
_ENTRY: Final = re.compile(
    r"(?P<name>\S+?)(?:\s+(?P<device>[^\s\[][^\[]{0,200}?))?\s*"
    r"\[\s*(?P<type>UINT|INT|FLOAT|DOUBLE|STRING)\s*\(\s*(?P<size>\d{1,8})\s*\)"
    r"(?:\s*,\s*\(\s*(?P<dims>\d{1,8}(?:\s*,\s*\d{1,8}){0,4})\s*\))?\s*\]\s*(?P<rest>.*)"
)
_CELL: Final = re.compile(r"([XYZ45]?)\s*:\s*(.*)")
_LETTERS: Final = "XYZ45"
_TYPES: Final = {
    "UINT(8)": DataType.UBYTE,
    "UINT(16)": DataType.UWORD,
    "UINT(32)": DataType.ULONG,
    "UINT(64)": DataType.A_UINT64,
    "INT(8)": DataType.SBYTE,
    "INT(16)": DataType.SWORD,
    "INT(32)": DataType.SLONG,
    "INT(64)": DataType.A_INT64,
    "FLOAT(32)": DataType.FLOAT32_IEEE,
    "FLOAT(64)": DataType.FLOAT64_IEEE,
    "DOUBLE(64)": DataType.FLOAT64_IEEE,
}
_WORDS: Final[dict[DataType, str]] = {
    one: word
    for word, one in _TYPES.items()
    if one not in (DataType.A_UINT64, DataType.A_INT64) and word != "FLOAT(64)"
}
"""Data type → word; those of 64 bit are not known to be understood and are not written."""


def sniff_par(data: bytes) -> bool:
    """True when the first line names the format."""
    return data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(b"canape par v")


# --- read ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Par:
    """A parameter while it is read."""

    name: str
    line: int
    datatype: DataType | None
    size: int
    dims: tuple[int, ...]
    values: list[Cell] = field(default_factory=list)
    points: dict[str, list[Cell]] = field(default_factory=dict)
    is_sound: bool = True


def read_par(data: bytes, *, source: str = "") -> ReadSet:
    """Read a PAR file; numbers are ECU values, comments are not used.

    Args:
        data: bytes of the file.
        source: its name, for messages.

    Raises:
        ParameterSetError: it is no PAR file, or of another version than 3.x.
    """
    return _Reader(split_lines(decode_text(data)[0]), source).read()


class _Reader:
    def __init__(self, lines: list[str], source: str) -> None:
        self.lines = lines
        self.at = 0
        self.findings = Findings(source)
        self.source = source
        self.now: _Par | None = None
        self.entries: list[tuple[int, Entry]] = []

    def read(self) -> ReadSet:
        head = self._head()
        for line in self.lines[1:]:
            self.at += 1
            bare = line.strip()
            if bare and bare[0] != ";":
                self._line(bare)
        self._check_last(self.lines[-1])
        self._close()
        a2l = head[3] if head[3] is not None else (head[4] or "")
        found = ParameterSet(
            unique_entries(self.entries, self.findings),
            name=head[7].strip(),
            origin=Origin(a2l="" if a2l == "~" else a2l),
        )
        return ReadSet(found, self.findings.all())

    def _check_last(self, line: str) -> None:
        """Tell that a file ends without an end of line; without a comment its last number may be cut."""
        self.at = len(self.lines)
        if ";" in line:
            text = "the last line has no end."
            self.findings.warn("no-end", text, line=self.at, hint="Is the file whole?")
        elif line.strip():
            self._fail("no-end", "the last line has no end.", hint="Is the file whole?")

    def _head(self) -> re.Match[str]:
        self.at = 1
        head = _HEAD.fullmatch(self.lines[0].strip())
        if head is None:
            raise ParameterSetError(
                "it does not begin with CANape PAR.",
                source=self.source,
                line=1,
                hint="It is no PAR file.",
            )
        if head[1] != "3":
            raise ParameterSetError(
                f"it is version {head[1]}.{head[2]}; 3.1 and 3.2 can be read.",
                source=self.source,
                line=1,
                hint="Save it as version 3.2.",
            )
        return head

    def _line(self, line: str) -> None:
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            self._close()
            self._open(entry)
            return
        cell = _CELL.fullmatch(line)
        if cell is None or self.now is None:
            text = f"{line[:60]!r} is neither a parameter nor one of its values."
            self._fail("unknown-line", text)
            return
        self._cells(cell[1], cell[2])

    def _fail(self, slug: str, text: str, *, hint: str = "") -> None:
        """Report an error; the parameter it is in is left out."""
        subject = ""
        if self.now is not None:
            self.now.is_sound = False
            subject = self.now.name
        self.findings.error(slug, text, line=self.at, hint=hint, subject=subject)

    def _open(self, match: re.Match[str]) -> None:
        word, size = match["type"], int(match["size"])
        dims = tuple(int(n) for n in (match["dims"] or "").split(",") if n)
        datatype = _TYPES.get(f"{word}({size})")
        self.now = _Par(match["name"], self.at, datatype, size, dims)
        if datatype is None and word != "STRING":
            self._fail("bad-type", f"{match['name']}: {word}({size}) is no type; it is left out.")
        if match["device"]:
            text = f"{match['name']}: {match['device']!r} behind its name is not used."
            self.findings.note("device", text, line=self.at, subject=match["name"])
        rest = match["rest"].lstrip(":").strip()
        if rest and rest[0] != ";":
            self._cells("", rest)

    def _cells(self, letter: str, text: str) -> None:
        """Numbers in front of the comment."""
        assert self.now is not None, "checked by the caller"
        into = self.now.points.setdefault(letter, []) if letter else self.now.values
        try:
            into += numbers_in(text.partition(";")[0].split())
        except ValueError as error:
            hint = "Write a decimal point." if "comma" in str(error) else ""
            self._fail("bad-value", f"{self.now.name}: {error}; it is left out.", hint=hint)

    def _close(self) -> None:
        one, self.now = self.now, None
        if one is None or not one.is_sound:
            return
        try:
            entry = _entry_of(one)
        except ValueError as error:
            text = f"{one.name}: {error}; it is left out."
            self.findings.error("wrong-count", text, line=one.line, subject=one.name)
            return
        cells = cells_of(entry.values)
        if any(isinstance(cell, float) and isnan(cell) for cell in cells):
            text = f"{one.name}: it holds NaN."
            self.findings.warn("not-a-number", text, line=one.line, subject=one.name)
        self.entries.append((one.line, entry))


def _entry_of(one: _Par) -> Entry:
    """The entry of a parameter.

    Raises:
        ValueError: numbers are missing, too many, or do not fit their type.
    """
    where = f"line {one.line}"
    if one.datatype is None:
        return Entry(one.name, EntryKind.ASCII, _text_of(one), where=where)
    wants = prod(one.dims) if one.dims else 1
    if len(one.values) != wants:
        raise ValueError(f"{wants} values are announced, {len(one.values)} stand there")
    if not one.dims:
        value = cells_of(_typed(one.values, one.datatype, ()))[0]
        return Entry(one.name, EntryKind.VALUE, value, is_raw=True, where=where)
    shape = one.dims
    if len(shape) == 2 and shape[0] == 1 and "Y" not in one.points:
        shape = shape[1:]
    if not wants:
        raise ValueError("it has no values")
    values = _typed(one.values, one.datatype, shape)
    kind, axes = EntryKind.VAL_BLK, tuple[SetAxis, ...]()
    if one.points:
        kind = {count: kind for kind, count in AXES_OF.items()}[len(shape)]
        axes = tuple(
            _axis(one, letter, count)
            for letter, count in zip(_LETTERS, reversed(shape), strict=False)
        )
    return Entry(one.name, kind, values, axes=axes, is_raw=True, where=where)


def _axis(one: _Par, letter: str, count: int) -> SetAxis:
    points = one.points.get(letter)
    if points is None:
        return SetAxis(AxisKind.COM)
    if len(points) != count:
        raise ValueError(f"axis {letter} has {len(points)} points where {count} are due")
    return SetAxis(AxisKind.STD, shaped(points, (count,)))


def _typed(cells: list[Cell], datatype: DataType, shape: tuple[int, ...]) -> Any:
    """Numbers that fit their type, as 64-bit ones; of 32-bit floats what these can hold."""
    if datatype.is_float:
        floats = np.array(cells, dtype=np.float64)
        with np.errstate(over="ignore"):
            held = floats.astype(datatype.dtype()).astype(np.float64)
        if np.any(np.isinf(held) & ~np.isinf(floats)):
            raise ValueError("a number is larger than its type")
        return held.reshape(shape)
    low, high = datatype.limits
    for cell in cells:
        whole = isinstance(cell, int) or (isinstance(cell, float) and cell.is_integer())
        if not whole or not low <= float(cell) <= high:
            raise ValueError(f"{cell} does not fit {datatype.value}")
    return shaped([int(cell) for cell in cells], shape)


def _text_of(one: _Par) -> str:
    """The text of character codes, up to the first 0."""
    codes = one.values
    if len(codes) > one.size:
        raise ValueError(f"{len(codes)} characters stand where {one.size} have room")
    if not all(isinstance(code, int) and 0 <= code < 256 for code in codes):
        raise ValueError("a character code is outside of 0 to 255")
    data = bytes(map(int, codes)).split(b"\0", 1)[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def with_kinds(
    values: ParameterSet, catalog: Catalog, *, only: Callable[[Entry], bool] = lambda _: True
) -> ParameterSet:
    """The set with the kinds and shapes of a description, which PAR does not tell.

    Args:
        values: as it was read.
        catalog: the description; entries that it does not have, or has in another size, stay as they are.
        only: the entries to look at.
    """
    if not any(map(only, values)):
        return values
    return values.replaced(_with_kind(one, catalog) if only(one) else one for one in values)


def _with_kind(entry: Entry, catalog: Catalog) -> Entry:
    if not isinstance(entry.values, np.ndarray):
        return entry
    try:
        bound = catalog.bind(entry.name)
    except (NotFoundError, UsageError):
        return entry
    if isinstance(bound, AxisPoints) and not entry.axes and entry.values.ndim == 1:
        return replace(entry, kind=EntryKind.AXIS_PTS)
    if not isinstance(bound, BoundCharacteristic) or bound.type not in tuple(map(str, EntryKind)):
        return entry
    shape = entry.values.shape
    if len(shape) != len(bound.shape):  # (1, n) may be a curve, or a block of one row
        shape = (1,) * (len(bound.shape) - len(shape)) + shape
        if len(shape) != len(bound.shape):
            return entry
    if entry.axes and len(entry.axes) != len(bound.axes):
        return entry
    axes = tuple(
        replace(given, kind=AxisKind(axis.attribute), ref=axis.name if axis.shared else "")
        for axis, given in zip(
            bound.axes, entry.axes or (SetAxis(AxisKind.COM),) * len(bound.axes), strict=True
        )
    )
    return replace(entry, kind=EntryKind(bound.type), values=entry.values.reshape(shape), axes=axes)


# --- write ---------------------------------------------------------------------------------------


def write_par(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """Write a PAR file, version 3.2, UTF-8: ECU values, physical ones behind a semicolon.

    Args:
        values: physical or raw.
        catalog: the description.

    Raises:
        UsageError: no description is given.
        PlanError: entries that PAR cannot hold or whose values do not fit; names every one.
    """
    if catalog is None:
        raise UsageError("PAR holds ECU values.", hint="Give the description as well.")
    raws, problems = raw_entries(values, catalog)
    problems += [found for one in raws if (found := _problem(one))]
    refuse("PAR", problems, "Correct them, or leave them out.")
    a2l = values.origin.a2l or "~"
    quoted = f'"{a2l}"' if " " in a2l else a2l
    lines = [f"CANape PAR V3.2: {quoted} 0 0 {values.name}".rstrip()]
    for one in raws:
        lines += _lines(one)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _problem(raw: RawEntry) -> str:
    name = raw.entry.name
    if raw.entry.variant:
        return f"{name}: PAR holds one variant, without its name"
    if isinstance(raw.values, str):
        return "" if raw.datatype.size_bytes == 1 else f"{name}: PAR has texts of bytes only"
    types = [raw.datatype] + [
        axis_type(raw.bound, n) for n, points in enumerate(raw.points) if points is not None
    ]
    missing = [one.value for one in types if one not in _WORDS]
    return f"{name}: PAR has no {missing[0]}" if missing else ""


def _lines(raw: RawEntry) -> Iterator[str]:
    name, bound = raw.entry.name, raw.bound
    if isinstance(raw.values, str):
        room = bound.shape[0] if bound.shape else 1
        data = raw.values.encode("utf-8" if bound.encoding == "UTF8" else "latin-1")  # type: ignore[union-attr]
        codes = " ".join(str(code) for code in data.ljust(room, b"\0"))
        yield f"{name} [STRING({room})] {codes} ; {_comment(raw.values)}"
        return
    word = _WORDS[raw.datatype]
    phys = bound.conversion.to_phys(raw.values)
    if not raw.values.ndim:
        yield f"{name} [{word}] {_pair(raw.values, phys)}"
        return
    dims = raw.values.shape if raw.values.ndim > 1 else (1, *raw.values.shape)
    yield f"{name} [{word},({','.join(map(str, dims))})]"
    yield from (f": {one}" for one in map(_pair, raw.values.flat, np.asarray(phys).flat))
    for letter, n in zip(_LETTERS, range(len(raw.points)), strict=False):
        points = raw.points[n]
        if points is not None:
            shown = bound.axes[n].to_phys(points)  # type: ignore[union-attr]  # axes have no axes
            yield from (f"{letter} : {one}" for one in map(_pair, points.flat, shown.flat))


def _pair(raw: Any, phys: Any) -> str:
    """A raw number and its physical value or text."""
    shown = np.asarray(phys).item()
    shown = _comment(shown) if isinstance(shown, str) else f"{shown:.12g}"
    return f"{number_text(np.asarray(raw).item())} ; {shown}"


def _comment(text: str) -> str:
    return " ".join(text.split())


FORMAT: Final = SetFormat(
    "par",
    "CANape PAR 3.2",
    (".par",),
    read_par,
    write_par,
    sniff_par,
    holds=frozenset({Holds.TEXTS, Holds.AXES, Holds.CUBOIDS, Holds.RAW}),
)
