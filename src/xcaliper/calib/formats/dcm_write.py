"""DCM 2.0 written (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cells import number_text
from xcaliper.calib.formats.dcm_words import bare_or_quoted, quote
from xcaliper.calib.formats.text_parts import (
    Cell,
    axis_objects,
    cells_of,
    is_shared,
    points_of,
    refuse,
    shape_problem,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from xcaliper.calib.paramset import ParameterSet, Variant
    from xcaliper.quantity.catalog import Catalog

    Objects = dict[tuple[str, Variant], NDArray[Any]]

__all__ = ["write_dcm"]

PER_LINE: Final = 6
_NAME: Final = re.compile(r"""[^\s"*!.@=,][^\s"=,]*""")
_VALUE: Final = re.compile(r"""[^\s",=]+""")
_ENDS: Final = re.compile(r"[\r\n]")
_TABLES: Final = {
    (EntryKind.CURVE, AxisKind.STD): "KENNLINIE",
    (EntryKind.CURVE, AxisKind.FIX): "FESTKENNLINIE",
    (EntryKind.CURVE, AxisKind.COM): "GRUPPENKENNLINIE",
    (EntryKind.MAP, AxisKind.STD): "KENNFELD",
    (EntryKind.MAP, AxisKind.FIX): "FESTKENNFELD",
    (EntryKind.MAP, AxisKind.COM): "GRUPPENKENNFELD",
}
_SIMPLE: Final = {
    EntryKind.VALUE: "FESTWERT",
    EntryKind.ASCII: "TEXTSTRING",
    EntryKind.VAL_BLK: "FESTWERTEBLOCK",
    EntryKind.AXIS_PTS: "STUETZSTELLENVERTEILUNG",
}
_DIMENSIONS: Final = {EntryKind.VAL_BLK: (1, 2), EntryKind.AXIS_PTS: (1,)}


def write_dcm(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """Write a DCM 2.0 file, UTF-8; shared axes repeat their points in every block, as DCM wants it.

    Args:
        values: physical values.
        catalog: not needed.

    Raises:
        PlanError: entries that DCM cannot hold: cuboids, raw values, blocks of three dimensions.
    """
    del catalog
    objects = axis_objects(values)
    problems = [found for one in values if (found := _problem(one, objects))]
    refuse("DCM", problems, "Leave them out, or write CDF or JSON.")
    lines = [*_head(values)]
    for one in values:
        lines += ["", *_block(one, objects)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _problem(entry: Entry, objects: Objects) -> str:
    """Why DCM cannot hold an entry; empty when it can."""
    if entry.kind not in _SIMPLE and entry.kind not in (EntryKind.CURVE, EntryKind.MAP):
        return f"{entry.name}: DCM has no {entry.kind}"
    if entry.is_raw:
        return f"{entry.name}: its values are raw; DCM holds physical ones"
    if found := shape_problem(entry):
        return found
    dimensions = np.ndim(entry.values)
    if dimensions not in _DIMENSIONS.get(entry.kind, (dimensions,)):
        return f"{entry.name}: DCM has no {entry.kind} of {dimensions} dimensions"
    if not np.size(entry.values):
        return f"{entry.name}: it has no values"
    return _problem_of_words(entry, objects)


def _problem_of_words(entry: Entry, objects: Objects) -> str:
    """What of names and texts has no place in a line; empty when everything has."""
    if not _NAME.fullmatch(entry.name):
        return f"{entry.name!r} is no name in DCM"
    if bad := [name for name, _ in entry.variant if not _VALUE.fullmatch(name)]:
        return f"{entry.name}: {bad[0]!r} is no name of a variant in DCM"
    for letter, axis in zip("XY", entry.axes, strict=False):
        if points_of(axis, entry.variant, objects) is None:
            return f"{entry.name}: the points of its axis {letter} are unknown"
    texts = [cell for cell in cells_of(entry.values) if isinstance(cell, str)]
    texts += [text for pair in entry.variant for text in pair]
    texts += [axis.ref for axis in entry.axes]
    if any(map(_ENDS.search, texts)):
        return f"{entry.name}: a text of several lines has no place in DCM"
    return ""


def _text(text: str) -> str:
    """A describing text in quotes, on one line."""
    return quote(_ENDS.sub(" ", text))


def _head(values: ParameterSet) -> Iterator[str]:
    yield '* encoding="utf-8"'
    origin = values.origin
    facts = {"name": values.name, "a2l": origin.a2l, "epk": origin.epk, "image": origin.image}
    facts |= {"tool": origin.tool, "time": origin.time, "user": origin.user}
    yield from (f"* {key}={_text(text)}" for key, text in facts.items() if text)
    yield from (f"* {line}" for text in values.comments for line in _ENDS.split(text))
    yield "KONSERVIERUNG_FORMAT 2.0"
    functions = [one for one in values.functions if not one.is_collection]
    if functions:
        yield from ("", "FUNKTIONEN")
        for one in functions:
            yield f"  FKT {bare_or_quoted(one.name)} {_text(one.version)} {_text(one.long_name)}"
        yield "END"
    if values.criteria:
        yield from ("", "VARIANTENKODIERUNG")
        for name, choices in values.criteria.items():
            yield f"  KRITERIUM {' '.join(map(bare_or_quoted, (name, *choices)))}"
        yield "END"


def _block(entry: Entry, objects: Objects) -> Iterator[str]:
    sizes = [str(n) for n in reversed(np.shape(entry.values))]
    separator = " @ " if entry.kind == EntryKind.VAL_BLK else " "
    yield f"{_keyword(entry)} {entry.name} {separator.join(sizes)}".rstrip()
    if entry.kind == EntryKind.AXIS_PTS:
        yield "*SST"
    yield from _info(entry)
    for letter, axis in zip("XY", entry.axes, strict=False):
        if axis.ref and is_shared(axis.kind):
            yield f"*SST{letter} {axis.ref}"
    if entry.kind == EntryKind.AXIS_PTS:
        yield from _cells("ST/X", "ST_TX/X", cells_of(entry.values))
    elif entry.kind == EntryKind.MAP:
        yield from _map(entry, objects)
    else:
        if entry.axes:
            points = points_of(entry.axes[0], entry.variant, objects)
            yield from _cells("ST/X", "ST_TX/X", cells_of(points))
        rows = [entry.values] if np.ndim(entry.values) < 2 else list(np.asarray(entry.values))
        for row in rows:
            yield from _cells("WERT", "TEXT", cells_of(row))
    yield "END"


def _keyword(entry: Entry) -> str:
    """Keyword of the block; a shared axis makes it a group block, a fixed one a fixed block."""
    if not entry.axes:
        return _SIMPLE[entry.kind]
    kinds = {AxisKind.COM if is_shared(axis.kind) else axis.kind for axis in entry.axes}
    kind = next(k for k in (AxisKind.COM, AxisKind.STD, AxisKind.FIX) if k in kinds)
    return _TABLES[entry.kind, kind]


def _info(entry: Entry) -> Iterator[str]:
    if entry.long_name:
        yield f"  LANGNAME {_text(entry.long_name)}"
    if entry.display_name:
        yield f"  DISPLAYNAME {bare_or_quoted(_ENDS.sub(' ', entry.display_name))}"
    if entry.variant:
        pairs = (
            f"{name}={value if _VALUE.fullmatch(value) else quote(value)}"
            for name, value in entry.variant
        )
        yield f"  VAR {', '.join(pairs)}"
    if entry.functions:
        yield f"  FUNKTION {' '.join(bare_or_quoted(_ENDS.sub(' ', f)) for f in entry.functions)}"
    units = {letter: axis.unit for letter, axis in zip("XY", entry.axes, strict=False)}
    units["X" if entry.kind == EntryKind.AXIS_PTS else "W"] = entry.unit
    yield from (f"  EINHEIT_{one} {_text(unit)}" for one, unit in units.items() if unit)


def _map(entry: Entry, objects: Objects) -> Iterator[str]:
    x, y = (cells_of(points_of(axis, entry.variant, objects)) for axis in entry.axes)
    yield from _cells("ST/X", "ST_TX/X", x)
    rows = cells_of(entry.values)
    for n, point in enumerate(y):
        yield from _cells("ST/Y", "ST_TX/Y", [point])
        yield from _cells("WERT", "TEXT", rows[n * len(x) : (n + 1) * len(x)])


def _cells(number_word: str, text_word: str, cells: list[Cell]) -> Iterator[str]:
    """Lines of at most six cells; a line holds numbers or texts."""
    for word, run in _runs(number_word, text_word, cells):
        for at in range(0, len(run), PER_LINE):
            yield f"  {word} {' '.join(run[at : at + PER_LINE])}"


def _runs(
    number_word: str, text_word: str, cells: Iterable[Cell]
) -> Iterator[tuple[str, list[str]]]:
    word, run = "", list[str]()
    for cell in cells:
        is_text = isinstance(cell, str)
        if word != (text_word if is_text else number_word):
            if run:
                yield word, run
            word, run = text_word if is_text else number_word, []
        run.append(quote(cell) if isinstance(cell, str) else number_text(cell))
    if run:
        yield word, run
