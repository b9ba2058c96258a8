"""CVX, calibration values exchange: read only *(CVX 2.0 and 2.1)*.

Deviates: two layouts of curves and maps are in use and both are read. In one, a line of X points follows the type
and every row of a map begins with two empty cells and its Y point. In the other, the line of the type has the name
of a shared X axis and, for a curve, its points; the next line of a map has the name of the shared Y axis before the
X points, and rows begin with one cell and the Y point.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.entries import label_of
from xcaliper.calib.formats.cells import cell_array, shaped
from xcaliper.calib.formats.cvx_rows import (
    ATTRIBUTES,
    Cell,
    Header,
    Record,
    decode,
    read_header,
    records,
    split_lines,
)
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    ParameterSet,
    SetAxis,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["FORMAT", "read_cvx"]

_VERSIONS: Final = ("2.0", "2.1")
_AXIS_OF: Final = {"X_AXIS_PTS": 0, "Y_AXIS_PTS": 1, "Z_AXIS_PTS": 2}
_HINT: Final = "Correct the file or write the value by hand."


@dataclass(slots=True)
class _Facts:
    """What the attributes of a record say."""

    functions: list[str] = field(default_factory=list)
    long_names: dict[str, str] = field(default_factory=dict)
    variant: list[tuple[str, str]] = field(default_factory=list)
    display_name: str = ""


def read_cvx(data: bytes, *, source: str = "") -> ReadSet:
    """Read a set from a CVX file.

    Entries that are wrong are left out and reported.

    Args:
        data: bytes of the file, UTF-8 or Windows-1252.
        source: its name, for messages.

    Raises:
        ParameterSetError: the first line is not that of a CVX file, or the file is too large.
    """
    lines = split_lines(decode(data, source))
    header = read_header(lines[0] if lines else "", source)
    return _Reader(header, source).read(lines)


class _Reader:
    """Reads one file, record by record."""

    def __init__(self, header: Header, source: str) -> None:
        self.header = header
        self.findings = Findings(source)
        self.entries: dict[tuple[str, Variant], Entry] = {}
        self.long_names: dict[str, str] = {}
        self.points: list[tuple[Record, Variant, int, SetAxis]] = []

    def read(self, lines: list[str]) -> ReadSet:
        """The whole set."""
        if self.header.version not in _VERSIONS:
            self.findings.warn(
                "edition",
                f"Version {self.header.version}; {' and '.join(_VERSIONS)} are known.",
                line=1,
                hint="Compare the values with another tool.",
            )
        functions: list[str] = []
        criteria: dict[str, tuple[str, ...]] = {}
        for record in records(self.header, lines, functions, criteria):
            try:
                self._record(record)
            except ValueError as error:
                self.findings.error(
                    "bad-values",
                    f"{record.name or 'Values without a name'}: {error}; left out.",
                    line=record.line,
                    subject=record.name,
                    hint=_HINT,
                )
        for record, variant, n, axis in self.points:
            self._attach(record, variant, n, axis)
        names = dict.fromkeys([*functions, *self.long_names])
        values = ParameterSet(
            self.entries.values(),
            functions=[
                CollectionInfo(one, long_name=self.long_names.get(one, "")) for one in names
            ],
            criteria=criteria.items(),
        )
        return ReadSet(values, self.findings.all())

    def _record(self, record: Record) -> None:
        if not record.name:
            raise ValueError("a line of values before the first name")
        if not record.rows:
            raise ValueError("a name without a type and values")
        kind_row, *rest = record.rows
        word = kind_row[0].text
        facts = self._facts(record, [cells for cells in rest if cells[0].text in ATTRIBUTES])
        rows = [cells for cells in rest if cells[0].text not in ATTRIBUTES]
        if word in _AXIS_OF:
            axis = SetAxis(AxisKind.STD, self._array(kind_row[2:]), unit=_unit(kind_row))
            self.points.append((record, tuple(facts.variant), _AXIS_OF[word], axis))
            return
        make = _MAKERS.get(word)
        if make is None:
            raise ValueError(f"type {word[:40]!r} is not known")
        entry = replace(
            make(self, record.name, kind_row, rows),
            functions=tuple(facts.functions),
            variant=tuple(facts.variant),
            display_name=facts.display_name,
            where=f"line {record.line}",
        )
        self.long_names |= facts.long_names
        if entry.key in self.entries:
            self.findings.warn(
                "duplicate",
                f"{label_of(entry.key)}: given again; the later one counts.",
                line=record.line,
                subject=record.name,
            )
        self.entries[entry.key] = entry

    def _facts(self, record: Record, rows: list[list[Cell]]) -> _Facts:
        facts = _Facts()
        for cells in rows:
            texts = [cell.text for cell in cells[2:] if cell]
            if cells[0].text == "FUNCTION" and texts:
                facts.functions.append(texts[0])
                facts.long_names[texts[0]] = texts[1] if len(texts) > 1 else ""
            elif cells[0].text == "DISPLAY_IDENTIFIER" and texts:
                facts.display_name = texts[0]
            elif cells[0].text == "VARIANT":
                facts.variant += [self._criterion(text) for text in texts]
            else:
                self.findings.note(
                    "no-text", f"{record.name}: {cells[0].text} says nothing.", line=record.line
                )
        return facts

    def _criterion(self, text: str) -> tuple[str, str]:
        criterion, point, value = text.partition(".")
        if not point:
            raise ValueError(f"VARIANT {text[:40]!r} is not criterion.value")
        return criterion.strip(self.header.quote), value.strip(self.header.quote)

    def _attach(self, record: Record, variant: Variant, n: int, axis: SetAxis) -> None:
        """Points that a record of its own gives for an axis of a curve or map."""
        entry = self.entries.get((record.name, variant))
        wanted = {EntryKind.CURVE: 1, EntryKind.MAP: 2}.get(entry.kind, 0) if entry else 0
        text = ""
        if entry is None:
            text = "points of an axis, but no values that they belong to"
        elif n >= wanted:
            text = f"points of axis {n}, but {entry.kind} has {wanted} axes"
        elif axis.values is None or len(axis.values) != entry.values.shape[-1 - n]:  # type: ignore[union-attr]
            text = "points of an axis that do not fit its values"
        if text or entry is None:
            self.findings.error(
                "bad-axis",
                f"{record.name}: {text}; left out.",
                line=record.line,
                subject=record.name,
                hint=_HINT,
            )
            return
        axes = list(entry.axes) or [SetAxis(AxisKind.STD)] * wanted
        axes[n] = replace(axes[n], values=axis.values, unit=axis.unit or axes[n].unit)
        self.entries[entry.key] = replace(entry, axes=tuple(axes))

    # -- values -----------------------------------------------------------------------------------

    def _array(self, cells: Sequence[Cell]) -> NDArray[Any]:
        return cell_array([self.header.value(cell) for cell in cells])

    def _table(self, rows: Sequence[Sequence[Cell]]) -> NDArray[Any]:
        width = len(rows[0]) if rows else 0
        for number, cells in enumerate(rows):
            if len(cells) != width:
                raise ValueError(f"row {number} has {len(cells)} values, the first one has {width}")
        flat = [self.header.value(cell) for cells in rows for cell in cells]
        return shaped(flat, (len(rows), width))

    def value(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A scalar, number or text of a verbal table."""
        _no_more(rows)
        if len(kind_row) != 3:
            raise ValueError(f"{max(0, len(kind_row) - 2)} values, one is due")
        value = self.header.value(kind_row[2])
        return Entry(name, EntryKind.VALUE, value, unit=_unit(kind_row))

    def ascii(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A text."""
        _no_more(rows)
        if len(kind_row) > 3:
            raise ValueError(f"{len(kind_row) - 2} texts, one is due")
        return Entry(name, EntryKind.ASCII, kind_row[2].text if len(kind_row) == 3 else "")

    def block(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A value block; further lines are further rows of it."""
        if rows:
            lists = [cells[2:] for cells in ([kind_row] if len(kind_row) > 2 else []) + rows]
            values = self._table(lists)
        else:
            values = self._array(kind_row[2:])
        return Entry(name, EntryKind.VAL_BLK, values, unit=_unit(kind_row))

    def axis(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """An axis object."""
        _no_more(rows)
        points = self._array(kind_row[2:])
        return Entry(name, EntryKind.AXIS_PTS, points, unit=_unit(kind_row))

    def rescale(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A rescale axis, pairs one after the other."""
        entry = self.axis(name, kind_row, rows)
        flat = self._array(kind_row[2:])
        if len(flat) % 2:
            raise ValueError(f"{len(flat)} values are no pairs")
        return replace(entry, values=flat.reshape(-1, 2), category="RES_AXIS")

    def curve(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A curve, with its X points before it, in the line of its type, or elsewhere."""
        if not 1 <= len(rows) <= 2:
            raise ValueError(f"{len(rows)} lines of values; X points and values are due")
        ref = "" if _unit(kind_row) or len(kind_row) < 2 else kind_row[1].text
        points = rows[0][2:] if len(rows) == 2 else kind_row[2:]
        values = self._array(rows[-1][2:])
        axes: tuple[SetAxis, ...] = ()
        if points or ref:
            axes = (self._axis(ref, points, len(values), "X"),)
        return Entry(name, EntryKind.CURVE, values, axes=axes, unit=_unit(rows[-1], 0))

    def map(self, name: str, kind_row: list[Cell], rows: list[list[Cell]]) -> Entry:
        """A map, with X points before and Y points in its rows, or without them."""
        if not rows:
            raise ValueError("no lines of values")
        head = rows[0]
        xref = "" if _unit(kind_row) or len(kind_row) < 2 else kind_row[1].text
        if len(head) > 3 and not any(head[:3]):
            y_at, yref = 2, ""
        elif xref or (len(head) > 1 and head[1]):
            y_at, yref = 1, head[1].text
        else:
            table = self._table([cells[2:] for cells in rows])
            return Entry(name, EntryKind.MAP, table, unit=_unit(head, 0))
        body = rows[1:]
        short = [cells for cells in body if len(cells) <= y_at + 1]
        if short or not body:
            raise ValueError("a row without values" if short else "X points, but no rows")
        table = self._table([cells[y_at + 1 :] for cells in body])
        axes = (
            self._axis(xref, head[y_at + 1 :], table.shape[1], "X"),
            self._axis(yref, [cells[y_at] for cells in body], table.shape[0], "Y"),
        )
        return Entry(name, EntryKind.MAP, table, axes=axes, unit=_unit(body[0], 0))

    def _axis(self, ref: str, points: Sequence[Cell], count: int, letter: str) -> SetAxis:
        values = self._array(points) if points else None
        if values is not None and len(values) != count:
            raise ValueError(f"{len(values)} {letter} points, {count} are due")
        return SetAxis(AxisKind.COM if ref else AxisKind.STD, values, ref=ref)


def _no_more(rows: list[list[Cell]]) -> None:
    if rows:
        raise ValueError(f"{len(rows)} more lines than are due")


def _unit(cells: list[Cell], at: int = 1) -> str:
    """Unit in brackets, where some writers give one."""
    text = cells[at].text if len(cells) > at else ""
    return text[1:-1] if text.startswith("[") and text.endswith("]") else ""


_MAKERS: Final[dict[str, Callable[[_Reader, str, list[Cell], list[list[Cell]]], Entry]]] = {
    "VALUE": _Reader.value,
    "ASCII": _Reader.ascii,
    "VAL_BLK": _Reader.block,
    "AXIS_PTS": _Reader.axis,
    "RESCALE_AXIS_PTS": _Reader.rescale,
    "CURVE": _Reader.curve,
    "MAP": _Reader.map,
}


def _looks_so(data: bytes) -> bool:
    return b"CALIBRATION VALUES V" in data[:64].upper()


FORMAT: Final = SetFormat(
    "cvx",
    "CVX (read only)",
    (".cvx",),
    read=read_cvx,
    sniff=_looks_so,
    holds=frozenset(
        {Holds.TEXTS, Holds.AXES, Holds.UNITS, Holds.NAMES, Holds.FUNCTIONS, Holds.VARIANTS}
    ),
)
