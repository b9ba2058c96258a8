"""Parameter sets as a plain table for spreadsheets: one row per value, comma, semicolon or tab between cells.

The header names the columns; ``name`` and ``value`` have to be there, the order is free and so is that of the rows.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cells import number_text
from xcaliper.calib.formats.csv_read import read_csv, sniff_csv
from xcaliper.calib.formats.csv_words import ALWAYS, COLUMNS, LETTERS, guard
from xcaliper.calib.formats.model import Holds, SetFormat
from xcaliper.calib.formats.text_parts import (
    Cell,
    cells_of,
    refuse,
    shape_problem,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMAT", "write_csv"]


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
    if not (entry.values if isinstance(entry.values, bytes) else np.size(entry.values)):
        return f"{entry.name}: it has no values"
    lists = [*(text for pair in entry.variant for text in pair), *entry.functions]
    if any(";" in text for text in lists) or any("=" in name for name, _ in entry.variant):
        return f"{entry.name}: names of variants and functions hold no semicolon in CSV"
    return ""


def _rows_of(entry: Entry) -> Iterator[dict[str, str]]:
    """Rows of an entry; what is said once stands in the first one."""
    base = {"name": guard(entry.name)}
    if entry.variant:
        base["variant"] = guard(";".join(f"{name}={value}" for name, value in entry.variant))
    once = {
        "unit": entry.unit,
        "comment": entry.long_name,
        "kind": _kind_word(entry),
        "function": ";".join(entry.functions),
        "display": entry.display_name,
        "raw": "raw" if entry.is_raw else "",
    }
    once = {head: guard(text) for head, text in once.items() if text}
    if entry.kind == EntryKind.AXIS_PTS:
        yield from _axis_rows(base, "x", entry.values, once)
        return
    for letter, axis in zip(LETTERS, entry.axes, strict=False):
        kind = "" if axis.kind == (AxisKind.COM if axis.ref else AxisKind.STD) else str(axis.kind)
        facts = {"unit": axis.unit, "ref": axis.ref, "quantity": axis.quantity, "kind": kind}
        facts = {head: guard(text) for head, text in facts.items() if text}
        yield from _axis_rows(base, letter, axis.values, facts)
    if isinstance(entry.values, bytes):
        yield {**base, **once, "value": guard(entry.values.hex())}
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
    return guard(cell) if isinstance(cell, str) else number_text(cell)


FORMAT: Final = SetFormat(
    "csv",
    "CSV, one row per value",
    (".csv", ".tsv"),
    read_csv,
    write_csv,
    sniff_csv,
    holds=frozenset(Holds) - {Holds.HISTORY, Holds.FLAGS, Holds.ORIGIN},
)
