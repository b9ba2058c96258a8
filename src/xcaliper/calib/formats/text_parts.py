"""What the readers and writers of text formats share: lines, runs of numbers, entries of one name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cells import parse_number
from xcaliper.calib.paramset import AxisKind, EntryKind
from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xcaliper.calib.formats.findings import Findings
    from xcaliper.calib.paramset import Entry, ParameterSet, SetAxis, Variant

__all__ = [
    "AXES_OF",
    "axis_objects",
    "cells_of",
    "is_shared",
    "numbers_in",
    "points_of",
    "refuse",
    "shape_problem",
    "split_lines",
    "unique_entries",
]

Number = int | float
Cell = int | float | str

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
_ENDS: Final = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Lines without their ends: CR LF, LF or CR, and nothing else, so that texts stay whole."""
    return _ENDS.split(text)


def numbers_in(words: list[str]) -> list[Number]:
    """Numbers of words: decimal, with exponent, hexadecimal, NaN and INF.

    Raises:
        ValueError: a word is no number; its message tells which and why.
    """
    text = " ".join(words)
    if not _DECIMAL.fullmatch(text):
        return [parse_number(w) for w in words]
    found: list[Number]
    try:
        if text.count(".") == len(words):
            found = list(map(float, words))
        elif "." not in text and "e" not in text and "E" not in text:
            found = list(map(int, words))
        else:
            found = [float(w) if "." in w or "e" in w or "E" in w else int(w) for w in words]
    except ValueError:
        return [parse_number(w) for w in words]
    can_be_large = "e" in text or "E" in text or len(text) > MAX_DIGITS
    return [parse_number(w) for w in words] if can_be_large and _has_large(words, found) else found


def _has_large(words: list[str], found: list[Number]) -> bool:
    """True where a number may be larger than what a float holds."""
    longest = max(map(len, words))
    return longest > MAX_DIGITS or float("inf") in found or float("-inf") in found


def cells_of(values: Any) -> list[Cell]:
    """Values of an entry or axis as plain Python numbers and texts, row by row."""
    if isinstance(values, str):  # numpy would cut NULs off its end
        return [values]
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    found: list[Cell] = array.ravel().tolist()
    return found


def unique_entries(entries: Iterable[tuple[int, Entry]], findings: Findings) -> list[Entry]:
    """Entries with their lines; of those that are given twice the later one, with a warning."""
    lines: dict[Any, int] = {}
    found: dict[Any, Entry] = {}
    for line, entry in entries:
        if entry.key in found:
            what = entry.name + "".join(f" {c}={v}" for c, v in entry.variant)
            findings.warn(
                "given-twice",
                f"{what}: it stands in line {lines[entry.key]} already; this one counts.",
                line=line,
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
