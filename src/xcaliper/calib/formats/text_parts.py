"""What the readers and writers of text formats share: numbers, arrays, findings, entries of one name."""

from __future__ import annotations

import re
from math import isinf, isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.paramset import AxisKind, EntryKind
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xcaliper.calib.paramset import Entry, ParameterSet, SetAxis, Variant

__all__ = [
    "AXES_OF",
    "MAX_FINDINGS",
    "Findings",
    "array_of",
    "axis_objects",
    "cells_of",
    "is_shared",
    "number_text",
    "numbers_in",
    "points_of",
    "refuse",
    "shape_problem",
    "split_lines",
    "unique_entries",
]

Number = int | float
Cell = int | float | str

MAX_FINDINGS: Final = 1000
MAX_DIGITS: Final = 300
AXES_OF: Final = {
    EntryKind.CURVE: 1,
    EntryKind.MAP: 2,
    EntryKind.CUBOID: 3,
    EntryKind.CUBE_4: 4,
    EntryKind.CUBE_5: 5,
}
"""Kind of a table → number of its axes."""

_DECIMAL: Final = re.compile(r"[0-9+\-.eE ]*")
_HEX: Final = re.compile(r"([+-]?)0[xX]([0-9A-Fa-f]{1,16})")
# the C library of Windows prints 1.#INF, 1.#QNAN and -1.#IND
_NAN: Final = re.compile(r"[+-]?(?:nan|1\.#(?:q|s)?nan0*|1\.#ind0*)", re.IGNORECASE)
_INF: Final = re.compile(r"([+-]?)(?:inf|infinity|1\.#inf0*)", re.IGNORECASE)
_COMMA: Final = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_ENDS: Final = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Lines without their ends: CR LF, LF or CR, and nothing else, so that texts stay whole."""
    return _ENDS.split(text)


class Findings:
    """Diagnostics of one file; from the thousandth on they are only counted.

    Args:
        source: name of the file.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._found: list[Diagnostic] = []
        self._more = 0

    def error(self, line: int, slug: str, text: str, *, hint: str = "", subject: str = "") -> None:
        """Something that could not be taken over."""
        self._add(Severity.ERROR, line, slug, text, hint, subject)

    def warning(
        self, line: int, slug: str, text: str, *, hint: str = "", subject: str = ""
    ) -> None:
        """Something that was taken over and is doubtful."""
        self._add(Severity.WARNING, line, slug, text, hint, subject)

    def info(self, line: int, slug: str, text: str, *, hint: str = "", subject: str = "") -> None:
        """Something that has no place in the model and changes no value."""
        self._add(Severity.INFO, line, slug, text, hint, subject)

    def _add(
        self, severity: Severity, line: int, slug: str, text: str, hint: str, subject: str
    ) -> None:
        if len(self._found) < MAX_FINDINGS:
            where = Where(self.source, line)
            self._found.append(Diagnostic(severity, slug, where, text, hint, subject))
        else:
            self._more += 1

    def all(self) -> tuple[Diagnostic, ...]:
        """Every diagnostic; where there were too many, the last one tells how many more."""
        if not self._more:
            return tuple(self._found)
        text = f"{self._more} further findings are not listed."
        return (
            *self._found,
            Diagnostic(Severity.ERROR, "too-many-findings", Where(self.source), text),
        )


def numbers_in(words: list[str]) -> list[Number]:
    """Numbers of words: decimal, with exponent, hexadecimal, NaN and INF.

    Raises:
        ValueError: a word is no number; its message tells which and why.
    """
    if _DECIMAL.fullmatch(" ".join(words)) and max(map(len, words), default=0) <= MAX_DIGITS:
        try:
            found: list[Number] = [
                float(w) if "." in w or "e" in w or "E" in w else int(w) for w in words
            ]
        except ValueError:
            found = [_number(w) for w in words]
        if float("inf") not in found and float("-inf") not in found:
            return found
    return [_number(w) for w in words]


def _number(word: str) -> Number:
    if len(word) > MAX_DIGITS:
        raise ValueError(f"{word[:20]}… has {len(word)} characters")
    if found := _HEX.fullmatch(word):
        return int(found[1] + found[2], 16)
    if _NAN.fullmatch(word):
        return float("nan")
    if found := _INF.fullmatch(word):
        return float(f"{found[1]}inf")
    if _COMMA.fullmatch(word):
        raise ValueError(f"{word} has a decimal comma")
    if not word or not _DECIMAL.fullmatch(word):
        raise ValueError(f"{word[:60]!r} is no number")
    try:
        value: Number = float(word) if set(word) & set(".eE") else int(word)
    except ValueError:
        raise ValueError(f"{word[:60]!r} is no number") from None
    if isinstance(value, float) and isinf(value):
        raise ValueError(f"{word[:60]} is larger than any number a computer holds")
    return value


def array_of(cells: list[Cell], shape: tuple[int, ...]) -> NDArray[Any]:
    """Cells as an array: int64 or uint64 where all are whole, else float64; object with texts."""
    kinds = set(map(type, cells))
    if str in kinds:
        texts = np.empty(len(cells), dtype=object)
        texts[:] = cells
        return texts.reshape(shape)
    if kinds == {int}:
        low, high = min(map(int, cells)), max(map(int, cells))
        if low >= -(2**63) and high < 2**63:
            return np.array(cells, dtype=np.int64).reshape(shape)
        if low >= 0 and high < 2**64:
            return np.array(cells, dtype=np.uint64).reshape(shape)
    return np.array(cells, dtype=np.float64).reshape(shape)


def cells_of(values: Any) -> list[Cell]:
    """Values of an entry or axis as plain Python numbers and texts, row by row."""
    if isinstance(values, str):  # numpy would cut NULs off its end
        return [values]
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    found: list[Cell] = array.ravel().tolist()
    return found


def number_text(cell: Cell, *, nan: str = "NaN", inf: str = "INF") -> str:
    """A number with as many digits as it takes to read the same one again."""
    if isinstance(cell, float):
        if isnan(cell):
            return nan
        if isinf(cell):
            return inf if cell > 0 else f"-{inf}"
    return repr(cell)


def unique_entries(entries: Iterable[tuple[int, Entry]], findings: Findings) -> list[Entry]:
    """Entries with their lines; of those that are given twice the later one, with a warning."""
    lines: dict[Any, int] = {}
    found: dict[Any, Entry] = {}
    for line, entry in entries:
        if entry.key in found:
            what = entry.name + "".join(f" {c}={v}" for c, v in entry.variant)
            findings.warning(
                line,
                "given-twice",
                f"{what}: it stands in line {lines[entry.key]} already; this one counts.",
                hint="Remove one of them.",
                subject=entry.name,
            )
        found[entry.key] = entry
        lines[entry.key] = line
    return list(found.values())


def refuse(title: str, problems: list[str], hint: str) -> None:
    """Refuse to write a file that would lack something.

    Raises:
        PlanError: there are problems; names every one.
    """
    if problems:
        raise PlanError(title, tuple(problems), hint=hint)


def shape_problem(entry: Entry) -> str:
    """What is wrong with the shape of an entry, empty when nothing is."""
    axes = AXES_OF.get(entry.kind, 0)
    shape = np.shape(entry.values) if not isinstance(entry.values, bytes) else ()
    if len(entry.axes) != axes:
        return f"{entry.name}: a {entry.kind} has {axes} axes, not {len(entry.axes)}"
    if axes and len(shape) != axes:
        return f"{entry.name}: a {entry.kind} has {axes} dimensions, not {len(shape)}"
    if entry.kind in (EntryKind.VALUE, EntryKind.ASCII) and shape:
        return f"{entry.name}: a {entry.kind} has one value, not shape {shape}"
    if entry.kind in (EntryKind.VAL_BLK, EntryKind.AXIS_PTS) and not shape:
        return f"{entry.name}: a {entry.kind} needs an array"
    for letter, axis, count in zip("xyz45", entry.axes, reversed(shape), strict=False):
        if axis.values is not None and len(axis.values) != count:
            return f"{entry.name}: axis {letter} has {len(axis.values)} points, the values {count}"
    return ""


def axis_objects(values: ParameterSet) -> dict[tuple[str, Variant], NDArray[Any]]:
    """Points of every AXIS_PTS of a set by name and variant."""
    return {one.key: np.asarray(one.values) for one in values if one.kind == EntryKind.AXIS_PTS}


def points_of(
    axis: SetAxis, variant: Variant, objects: dict[tuple[str, Variant], NDArray[Any]]
) -> NDArray[Any] | None:
    """Points of an axis; those of the object that it is shared with where it has none of its own."""
    if axis.values is not None or not axis.ref:
        return axis.values
    return objects.get((axis.ref, variant), objects.get((axis.ref, ())))


def is_shared(kind: AxisKind) -> bool:
    """True for an axis whose points belong to an object of their own."""
    return kind in (AxisKind.COM, AxisKind.RES, AxisKind.CURVE)
