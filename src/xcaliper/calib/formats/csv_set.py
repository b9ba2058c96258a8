"""Parameter sets as a plain table for spreadsheets: one row per value, comma, semicolon or tab between cells.

The header names the columns; ``name`` and ``value`` have to be there, the order is free and so is that of the rows.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from math import isnan, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.tokens import decode_text
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.formats.text_parts import (
    AXES_OF,
    Cell,
    Findings,
    array_of,
    cells_of,
    number_text,
    numbers_in,
    refuse,
    shape_problem,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis, Variant
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.quantity.catalog import Catalog

__all__ = ["COLUMNS", "FORMAT", "read_csv", "sniff_csv", "write_csv"]

ALWAYS: Final = ("name", "index", "axis", "value", "unit", "comment")
COLUMNS: Final = (
    *ALWAYS,
    "kind",
    "ref",
    "quantity",
    "variant",
    "function",
    "display",
    "raw",
)
"""Columns; those behind ``comment`` are written only where a set has something for them."""

_LETTERS: Final = "xyz45"
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


# --- texts in a spreadsheet ----------------------------------------------------------------------


def _is_number(text: str) -> bool:
    try:
        numbers_in([text])
    except ValueError as error:
        return "is no number" not in str(error)
    return True


def _needs_guard(text: str) -> bool:
    """True for a text that a spreadsheet, or this reader, would take for a number or a formula."""
    if text[:1] == "'":
        return _needs_guard(text[1:])
    formula = len(text) > 1 and text[0] in "=+-@"
    return formula or not text or _is_number(text) or text != text.strip()


def _guard(text: str) -> str:
    return f"'{text}" if _needs_guard(text) else text


def _bare(text: str) -> str:
    return text[1:] if text[:1] == "'" and _needs_guard(text[1:]) else text.strip()


# --- read ----------------------------------------------------------------------------------------


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
                self.findings.error(line, "damaged", text, hint="Is a quote missing?")

    def read(self) -> ReadSet:
        unknown = [head for head in self.heads if head and head not in COLUMNS]
        if unknown:
            text = f"columns {', '.join(unknown)[:80]} are not known; they are not used."
            self.findings.info(1, "unknown-column", text)
        rows = list(self._rows(silent=False))
        if rows and self.text[-1:] not in ("\n", "\r"):
            self._check_last(*rows[-1])
        for line, row in rows:
            cells = {head: cell for head, cell in zip(self.heads, row, strict=False) if cell}
            self._row(line, {head: _bare(cell) for head, cell in cells.items()}, cells)
        entries = [
            entry
            for (name, variant), rows in self.found.items()
            if (entry := self._entry(name, variant, rows)) is not None
        ]
        return ReadSet(ParameterSet(entries), self.findings.all())

    def _check_last(self, line: int, row: list[str]) -> None:
        """Tell that a file ends without an end of line; with cells missing it is cut."""
        text = f"{row[0][:60]}: the last line has no end."
        add = self.findings.error if len(row) < len(self.heads) else self.findings.warning
        add(line, "no-end", text, hint="Is the file whole?")
        if len(row) < len(self.heads):
            self.cut = line

    def _row(self, line: int, row: dict[str, str], raw: dict[str, str]) -> None:
        name = row.get("name", "")
        if not name:
            self.findings.error(line, "no-name", "the row has no name; it is left out.")
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
            self.findings.error(line, "bad-row", text, subject=name)

    def _put(self, rows: _Rows, row: dict[str, str], raw: str) -> None:
        """Take over one row.

        Raises:
            ValueError: it makes no sense.
        """
        index = _index(row.get("index", ""))
        letter = row.get("axis", "").lower()
        if letter and letter not in _LETTERS:
            raise ValueError(f"axis {letter[:20]!r} is none of x, y, z, 4, 5")
        is_text = row.get("kind", "").upper() in ("ASCII", "BLOB")
        value = row.get("value", "") if is_text else self._value(raw)
        if letter:
            axis = _LETTERS.index(letter)
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
        if cell[:1] == "'" and _needs_guard(cell[1:]):
            return cell[1:]
        cell = cell.strip()
        if _COMMA_NUMBER.fullmatch(cell):
            if not self.takes_commas:
                raise ValueError(f"{cell} has a comma where other numbers have a point")
            cell = cell.replace(",", ".")
        try:
            return numbers_in([cell])[0]
        except ValueError as error:
            if "larger" in str(error):
                raise
            return cell

    def _entry(self, name: str, variant: Variant, rows: _Rows) -> Entry | None:
        if rows.problem:
            return None
        try:
            entry = _entry_of(name, variant, rows)
        except ValueError as error:
            text = f"{name}: {error}; it is left out."
            self.findings.error(rows.line, "bad-shape", text, subject=name)
            return None
        if problem := shape_problem(entry):
            self.findings.error(rows.line, "bad-shape", f"{problem}; it is left out.", subject=name)
            return None
        cells = cells_of(entry.values) if not isinstance(entry.values, bytes) else []
        if any(isinstance(cell, float) and isnan(cell) for cell in cells):
            text = f"{name}: it holds NaN."
            self.findings.warning(rows.line, "not-a-number", text, subject=name)
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
    return array_of([cells[index] for index in sorted(cells)], shape)


# --- write ---------------------------------------------------------------------------------------


def write_csv(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """Write a table of values, UTF-8 with commas and decimal points.

    Args:
        values: what to write.
        catalog: not needed.

    Raises:
        PlanError: entries whose shape does not fit their kind, or that have no values.
    """
    del catalog
    problems = [found for one in values if (found := _problem(one))]
    refuse("CSV", problems, "Correct them, or leave them out.")
    rows = [row for one in values for row in _rows_of(one)]
    used = {head for row in rows for head in row}
    heads = [head for head in COLUMNS if head in ALWAYS or head in used]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows([row.get(head, "") for head in heads] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _problem(entry: Entry) -> str:
    if found := shape_problem(entry):
        return found
    if entry.kind == EntryKind.AXIS_PTS and np.ndim(entry.values) != 1:
        return f"{entry.name}: AXIS_PTS of {np.ndim(entry.values)} dimensions have no place in CSV"
    if isinstance(entry.values, np.ndarray | bytes) and not len(entry.values):
        return f"{entry.name}: it has no values"
    lists = [*(text for pair in entry.variant for text in pair), *entry.functions]
    if any(";" in text for text in lists) or any("=" in name for name, _ in entry.variant):
        return f"{entry.name}: names of variants and functions hold no semicolon in CSV"
    return ""


def _rows_of(entry: Entry) -> Iterator[dict[str, str]]:
    """Rows of an entry; what is said once stands in the first one."""
    base = {"name": _guard(entry.name)}
    if entry.variant:
        base["variant"] = _guard(";".join(f"{name}={value}" for name, value in entry.variant))
    once = {
        "unit": entry.unit,
        "comment": entry.long_name,
        "kind": _kind_word(entry),
        "function": ";".join(entry.functions),
        "display": entry.display_name,
        "raw": "raw" if entry.is_raw else "",
    }
    once = {head: _guard(text) for head, text in once.items() if text}
    if entry.kind == EntryKind.AXIS_PTS:
        yield from _axis_rows(base, "x", entry.values, once)
        return
    for letter, axis in zip(_LETTERS, entry.axes, strict=False):
        kind = "" if axis.kind == (AxisKind.COM if axis.ref else AxisKind.STD) else str(axis.kind)
        facts = {"unit": axis.unit, "ref": axis.ref, "quantity": axis.quantity, "kind": kind}
        facts = {head: _guard(text) for head, text in facts.items() if text}
        yield from _axis_rows(base, letter, axis.values, facts)
    if isinstance(entry.values, bytes):
        yield {**base, **once, "value": _guard(entry.values.hex())}
        return
    cells = map(_cell_text, cells_of(entry.values))
    for index, cell in zip(np.ndindex(np.shape(entry.values)), cells, strict=True):
        yield {**base, **once, "value": cell, "index": "".join(f"[{n}]" for n in index)}
        once = {}


def _axis_rows(
    base: dict[str, str], letter: str, points: Any, facts: dict[str, str]
) -> Iterator[dict[str, str]]:
    if points is None:
        yield {**base, "axis": letter, **facts}
        return
    for n, cell in enumerate(map(_cell_text, cells_of(points))):
        yield {**base, "axis": letter, "index": f"[{n}]", "value": cell, **facts}
        facts = {}


def _kind_word(entry: Entry) -> str:
    """The kind where the shape does not show it."""
    hidden = (EntryKind.ASCII, EntryKind.BLOB)
    return str(entry.kind) if entry.kind in hidden else ""


def _cell_text(cell: Cell) -> str:
    return _guard(cell) if isinstance(cell, str) else number_text(cell)


FORMAT: Final = SetFormat(
    "csv",
    "CSV, one row per value",
    (".csv", ".tsv"),
    read_csv,
    write_csv,
    sniff_csv,
    holds=frozenset(Holds) - {Holds.HISTORY, Holds.FLAGS, Holds.ORIGIN},
)
