"""Our CSV read: rows to parameters, by their columns."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from math import isnan, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.tokens import decode_text
from xcaliper.calib.formats.cells import shaped
from xcaliper.calib.formats.csv_words import ALWAYS, COLUMNS, LETTERS, bare, needs_guard
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import ReadSet
from xcaliper.calib.formats.text_parts import (
    AXES_OF,
    Cell,
    cells_of,
    numbers_in,
    shape_problem,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis, Variant
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_csv", "sniff_csv"]

_SEPARATORS: Final = ",;\t"
_INDEX: Final = re.compile(r"[\s\[\](),;]*+((?:\d{1,8}[\s\[\](),;]*+){0,5})")
_DIGITS: Final = re.compile(r"\d+")
_COMMA_NUMBER: Final = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_POINT_NUMBER: Final = re.compile(r"[+-]?\d*\.\d*(?:[eE][+-]?\d+)?")
_KINDS: Final = tuple(map(str, EntryKind))
_AXIS_KINDS: Final = tuple(map(str, AxisKind))


def sniff_csv(data: bytes) -> bool:
    """True when the first line names the columns ``name`` and ``value``."""
    text, _ = decode_text(data)
    head = text.lstrip("\ufeff").split("\n", 1)[0]
    return {"name", "value"} <= set(_heads(head, _separator(head)))


def _separator(head: str) -> str:
    return max(_SEPARATORS, key=head.count)


def _heads(head: str, separator: str) -> list[str]:
    return [cell.strip().strip('"').strip().lower() for cell in head.strip().split(separator)]


@dataclass(slots=True)
class _Rows:
    """What the rows of one parameter and variant tell."""

    line: int
    values: dict[tuple[int, ...], Cell] = field(default_factory=dict)
    points: dict[int, dict[int, Cell]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    axis_facts: dict[tuple[int, str], str] = field(default_factory=dict)
    problem: str = ""


def read_csv(data: bytes, *, source: str = "") -> ReadSet:
    """Read a table of values; the separator is found out, a decimal comma is understood beside ``;`` and tab.

    Args:
        data: bytes of the file; UTF-8 with or without mark, UTF-16 with mark, Windows-1252.
        source: its name, for messages.

    Raises:
        ParameterSetError: its first line does not name the columns ``name`` and ``value``.
    """
    text = decode_text(data)[0].lstrip("\ufeff")
    head = text.split("\n", 1)[0]
    separator = _separator(head)
    heads = _heads(head, separator)
    if not {"name", "value"} <= set(heads):
        raise ParameterSetError(
            "its first line does not name the columns name and value.",
            source=source,
            line=1,
            hint=f"Start with {','.join(ALWAYS)}.",
        )
    return _Table(text, heads, separator, source).read()


class _Table:
    def __init__(self, text: str, heads: list[str], separator: str, source: str) -> None:
        self.text = text
        self.heads = heads
        self.separator = separator
        self.findings = Findings(source)
        self.cut = 0
        self.found: dict[tuple[str, Variant], _Rows] = {}
        # a comma is a decimal sign only where no point is one, else nobody knows what 1,500 is
        self.takes_commas = separator != "," and not self._has_points()

    def _has_points(self) -> bool:
        at = self.heads.index("value")
        return any(
            len(row) > at and _POINT_NUMBER.fullmatch(row[at].strip()) and row[at].strip() != "."
            for _, row in self._rows(silent=True)
        )

    def _rows(self, *, silent: bool) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of every row behind the header; reading ends where the file is damaged."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        line = 1
        try:
            for row in reader:
                if line > 1 and any(map(str.strip, row)):
                    yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            if not silent:
                text = f"the file cannot be read from here on: {error}."
                self.findings.error("damaged", text, line=line, hint="Is a quote missing?")

    def read(self) -> ReadSet:
        unknown = [head for head in self.heads if head and head not in COLUMNS]
        if unknown:
            text = f"columns {', '.join(unknown)[:80]} are not known; they are not used."
            self.findings.note("unknown-column", text, line=1)
        rows = list(self._rows(silent=False))
        if rows and self.text[-1:] not in ("\n", "\r"):
            self._check_last(*rows[-1])
        for line, row in rows:
            cells = {head: cell for head, cell in zip(self.heads, row, strict=False) if cell}
            self._row(line, {head: bare(cell) for head, cell in cells.items()}, cells)
        entries = [
            entry
            for (name, variant), rows in self.found.items()
            if (entry := self._entry(name, variant, rows)) is not None
        ]
        return ReadSet(ParameterSet(entries), self.findings.all())

    def _check_last(self, line: int, row: list[str]) -> None:
        """Tell that a file ends without an end of line; with cells missing it is cut."""
        text = f"{row[0][:60]}: the last line has no end."
        add = self.findings.error if len(row) < len(self.heads) else self.findings.warn
        add("no-end", text, line=line, hint="Is the file whole?")
        if len(row) < len(self.heads):
            self.cut = line

    def _row(self, line: int, row: dict[str, str], raw: dict[str, str]) -> None:
        name = row.get("name", "")
        if not name:
            self.findings.error("no-name", "the row has no name; it is left out.", line=line)
            return
        variant = tuple(
            (part.partition("=")[0], part.partition("=")[2])
            for part in row.get("variant", "").split(";")
            if part
        )
        if line == self.cut:  # of what key it is nobody knows; all of that name are doubtful
            for (other, _), rows in self.found.items():
                if other == name:
                    rows.problem = "cut"
            return
        rows = self.found.setdefault((name, variant), _Rows(line))
        try:
            self._put(rows, row, raw.get("value", ""))
        except ValueError as error:
            rows.problem = rows.problem or "bad row"
            text = f"{name}: {error}; the parameter is left out."
            self.findings.error("bad-row", text, line=line, subject=name)

    def _put(self, rows: _Rows, row: dict[str, str], raw: str) -> None:
        """Take over one row.

        Raises:
            ValueError: it makes no sense.
        """
        index = _index(row.get("index", ""))
        letter = row.get("axis", "").lower()
        if letter and letter not in LETTERS:
            raise ValueError(f"axis {letter[:20]!r} is none of x, y, z, 4, 5")
        is_text = row.get("kind", "").upper() in ("ASCII", "BLOB")
        value = row.get("value", "") if is_text else self._value(raw)
        if letter:
            axis = LETTERS.index(letter)
            for fact in ("kind", "ref", "quantity", "unit"):
                if fact in row:
                    rows.axis_facts.setdefault((axis, fact), row[fact])
            points = rows.points.setdefault(axis, {})
            self._note(rows, row, ("comment", "function", "display", "raw"))
            if raw or index:
                self._need(raw)
                _put_once(points, index[0] if index else 0, value, f"axis {letter}{list(index)}")
            return
        self._note(rows, row, ("kind", "unit", "comment", "function", "display", "raw"))
        self._need(raw)
        _put_once(rows.values, index, value, f"value {list(index)}" if index else "its value")

    def _need(self, cell: str) -> None:
        if not cell:
            raise ValueError("a value is missing")

    def _note(self, rows: _Rows, row: dict[str, str], facts: tuple[str, ...]) -> None:
        """Keep what is said once; the first row that says it counts."""
        for fact in facts:
            if fact in row:
                rows.facts.setdefault(fact, row[fact])

    def _value(self, cell: str) -> Cell:
        """A number or text; an apostrophe in front marks a text that looks like a number."""
        if cell[:1] == "'" and needs_guard(cell[1:]):
            return cell[1:]
        cell = cell.strip()
        if _COMMA_NUMBER.fullmatch(cell):
            if not self.takes_commas:
                raise ValueError(f"{cell} has a comma where other numbers have a point")
            cell = cell.replace(",", ".")
        try:
            return numbers_in([cell])[0]
        except ValueError as error:
            if "beyond" in str(error):
                raise
            return cell

    def _entry(self, name: str, variant: Variant, rows: _Rows) -> Entry | None:
        if rows.problem:
            return None
        try:
            entry = _entry_of(name, variant, rows)
        except ValueError as error:
            text = f"{name}: {error}; it is left out."
            self.findings.error("bad-shape", text, line=rows.line, subject=name)
            return None
        if problem := shape_problem(entry):
            self.findings.error(
                "bad-shape", f"{problem}; it is left out.", line=rows.line, subject=name
            )
            return None
        cells = cells_of(entry.values) if not isinstance(entry.values, bytes) else []
        if any(isinstance(cell, float) and isnan(cell) for cell in cells):
            text = f"{name}: it holds NaN."
            self.findings.warn("not-a-number", text, line=rows.line, subject=name)
        return entry


def _put_once(cells: dict[Any, Cell], index: Any, value: Cell, what: str) -> None:
    if index in cells:
        raise ValueError(f"{what} is given twice")
    cells[index] = value


def _index(text: str) -> tuple[int, ...]:
    """Place in an array, slowest dimension first; empty for a scalar."""
    match = _INDEX.fullmatch(text)
    if match is None:
        raise ValueError(f"index {text[:40]!r} is not of the form [1][2]")
    return tuple(map(int, _DIGITS.findall(match[1])))


def _entry_of(name: str, variant: Variant, rows: _Rows) -> Entry:
    facts = rows.facts
    kind = _kind(rows)
    axes = tuple(_axis(rows, n) for n in range(AXES_OF.get(kind, 0)))
    if kind == EntryKind.AXIS_PTS:
        values: Any = _dense({(n,): v for n, v in rows.points[0].items()})
        unit = rows.axis_facts.get((0, "unit"), "")
    else:
        values = _values(kind, rows)
        unit = facts.get("unit", "")
    return Entry(
        name,
        kind,
        values,
        axes=axes,
        unit=unit,
        long_name=facts.get("comment", ""),
        display_name=facts.get("display", ""),
        functions=tuple(part for part in facts.get("function", "").split(";") if part),
        variant=variant,
        is_raw=bool(facts.get("raw")),
        where=f"line {rows.line}",
    )


def _kind(rows: _Rows) -> EntryKind:
    """The kind that the rows tell, else the one their shape shows."""
    if word := rows.facts.get("kind", "").upper():
        if word not in _KINDS:
            raise ValueError(f"kind {word[:20]!r} is none of {', '.join(_KINDS)}")
        kind = EntryKind(word)
        if kind == EntryKind.AXIS_PTS:
            raise ValueError("AXIS_PTS have rows of axis x only")
        return kind
    if not rows.values:
        if set(rows.points) != {0}:
            raise ValueError("it has axes and no values")
        return EntryKind.AXIS_PTS
    axes = max(rows.points, default=-1) + 1
    if axes:
        return next(kind for kind, count in AXES_OF.items() if count == axes)
    return EntryKind.VALUE if () in rows.values else EntryKind.VAL_BLK


def _values(kind: EntryKind, rows: _Rows) -> Any:
    if () in rows.values:
        if len(rows.values) > 1:
            raise ValueError("one value has no index, others have one")
        value = rows.values[()]
        if kind == EntryKind.BLOB:
            return bytes.fromhex(str(value))
        return value
    return _dense(rows.values)


def _axis(rows: _Rows, number: int) -> SetAxis:
    facts = {fact: text for (axis, fact), text in rows.axis_facts.items() if axis == number}
    word = facts.get("kind", "").upper() or ("COM_AXIS" if "ref" in facts else "STD_AXIS")
    if word not in _AXIS_KINDS:
        raise ValueError(f"kind of axis {word[:20]!r} is none of {', '.join(_AXIS_KINDS)}")
    points = rows.points.get(number)
    return SetAxis(
        AxisKind(word),
        _dense({(n,): v for n, v in points.items()}) if points else None,
        facts.get("ref", ""),
        facts.get("unit", ""),
        facts.get("quantity", ""),
    )


def _dense(cells: dict[tuple[int, ...], Cell]) -> np.ndarray[Any, Any]:
    """An array whose cells are all given."""
    dimensions = {len(index) for index in cells}
    if len(dimensions) != 1:
        raise ValueError("some values have more indices than others")
    shape = tuple(max(index[n] for index in cells) + 1 for n in range(dimensions.pop()))
    if prod(shape) != len(cells):
        missing = prod(shape) - len(cells)
        raise ValueError(f"of shape {list(shape)} {missing} values are missing")
    return shaped([cells[index] for index in sorted(cells)], shape)
