"""A block of DCM while it is read, and the entry that it becomes (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import repeat
from math import prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.formats.cells import shaped
from xcaliper.calib.formats.dcm_words import BlockForm, strings_in, text_in, words_in
from xcaliper.calib.formats.text_parts import (
    Cell,
    numbers_in,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, SetAxis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xcaliper.calib.paramset import Variant

__all__ = [
    "CELLS",
    "INFO",
    "Block",
    "BlockFacts",
    "CellError",
    "Run",
    "cells_of_run",
    "entry_of",
    "entry_with",
    "wrong_counts",
]

_VARIANT: Final = re.compile(r'\s*([^\s=,"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|\Z)')

Run = tuple[int, bool, str]
"""A line of cells: its number, whether it holds texts, and what stands behind its keyword."""


@dataclass(slots=True)
class BlockFacts:
    """What stands in a block beside its cells.

    Attributes:
        form: what its keyword says.
        name: of the parameter.
        sizes: X first.
        line: where it begins.
        info: keyword of INFO → text.
        functions: FUNKTION.
        variant: VAR.
        refs: letter of an axis → name of the distribution.
    """

    form: BlockForm
    name: str
    sizes: tuple[int, ...]
    line: int
    info: dict[str, str] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    variant: Variant = ()
    refs: dict[str, str] = field(default_factory=dict)

    def take(self, word: str, rest: str) -> bool:
        """Take over a line; False where its keyword is none of a block.

        Raises:
            ValueError: the keyword is right, what stands behind it is not.
        """
        if word == "FUNKTION":
            self.functions += tuple(words_in(rest))
        elif word in INFO:
            self.info[word] = text_in(rest)
        elif word == "VAR":
            self.variant = (*self.variant, *_variant_of(rest))
        else:
            return False
        return True


@dataclass(slots=True)
class Block(BlockFacts):
    """A block while it is read line by line.

    Lines of cells are kept as they are, and those of one list are read together when the block ends.
    """

    x_runs: list[Run] = field(default_factory=list)
    y_runs: list[Run] = field(default_factory=list)
    row_runs: list[list[Run]] = field(default_factory=list)
    x: list[Cell] = field(default_factory=list)
    y: list[Cell] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    is_sound: bool = True


class CellError(ValueError):
    """A line of cells that is wrong."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def cells_of_run(run: Run) -> list[Cell]:
    """Cells of one line.

    Raises:
        CellError: something else stands there.
    """
    line, is_text, rest = run
    try:
        return [*strings_in(rest)] if is_text else [*numbers_in(rest.split())]
    except ValueError as error:
        raise CellError(line, str(error)) from None


def _add_x(block: Block, run: Run) -> None:
    block.x_runs.append(run)


def _add_y(block: Block, run: Run) -> None:
    block.y_runs.append(run)
    block.row_runs.append([])


def _add_values(block: Block, run: Run) -> None:
    if not block.row_runs:
        block.row_runs.append([])
    block.row_runs[-1].append(run)


CELLS: Final[dict[str, tuple[bool, Callable[[Block, Run], None]]]] = {
    "WERT": (False, _add_values),
    "TEXT": (True, _add_values),
    "ST/X": (False, _add_x),
    "ST/Y": (False, _add_y),
    "ST_TX/X": (True, _add_x),
    "ST_TX/Y": (True, _add_y),
}
"""Keyword of a line of cells → whether it holds texts, and what takes it."""

INFO: Final = frozenset(("LANGNAME", "DISPLAYNAME", "EINHEIT_X", "EINHEIT_Y", "EINHEIT_W"))
"""Keywords of lines that hold one text."""


def wrong_counts(block: Block) -> list[str]:
    """What is missing or too much in a block that ended."""
    kind, sizes = block.form.kind, block.sizes
    wants_x = sizes[0] if block.form.axis or kind == EntryKind.AXIS_PTS else 0
    wants_y = sizes[1] if kind == EntryKind.MAP else 0
    found = [
        f"{wants} points of {letter} are announced, {len(points)} stand there"
        for letter, wants, points in (("X", wants_x, block.x), ("Y", wants_y, block.y))
        if len(points) != wants
    ]
    if kind == EntryKind.MAP:
        wrong = [row for row in block.rows if len(row) != sizes[0]]
        if not found and len(block.rows) != wants_y:
            found.append(
                "a line of values stands before the first ST/Y, or of ST/Y has several points"
            )
        elif wrong and not found:
            found.append(f"{sizes[0]} values per ST/Y are announced, {len(wrong[0])} stand there")
        return found
    wants = 0 if kind == EntryKind.AXIS_PTS else prod(sizes)
    values = len(block.rows[0]) if block.rows else 0
    if values != wants:
        found.append(f"{wants} values are announced, {values} stand there")
    return found


def entry_of(block: Block) -> Entry:
    """The entry of a block whose counts are right."""
    if block.form.kind == EntryKind.AXIS_PTS:
        return entry_with(block, shaped(block.x, (len(block.x),)), ())
    cells = [cell for row in block.rows for cell in row]
    values: Any = shaped(cells, block.sizes[::-1]) if block.sizes else cells[0]
    count = len(block.form.letters)
    points = [shaped(one, (len(one),)) for one in (block.x, block.y)[:count]]
    return entry_with(block, values, points)


def entry_with(block: BlockFacts, values: Any, points: Sequence[NDArray[Any]]) -> Entry:
    """The entry of a block.

    Args:
        block: what stands there beside the cells.
        values: cells in their shape; a plain number or text without sizes.
        points: of X, then of Y; empty for a block without axes, and for a distribution.
    """
    form, info = block.form, block.info
    return Entry(
        block.name,
        form.kind,
        values,
        tuple(map(_axis, repeat(block), "XY", points)) if points else (),
        info.get(form.unit_word, ""),
        info.get("LANGNAME", ""),
        info.get("DISPLAYNAME", ""),
        block.functions,
        block.variant,
        where=f"line {block.line}",
    )


def _axis(block: BlockFacts, letter: str, points: NDArray[Any]) -> SetAxis:
    """One axis; in a group block that names one of its axes the other one is its own."""
    kind, refs = block.form.axis, block.refs
    assert kind is not None, "asked for tables only"
    unit = block.info.get("EINHEIT_X" if letter == "X" else "EINHEIT_Y", "")
    if not refs or kind != AxisKind.COM:
        return SetAxis(kind, points, "", unit)
    ref = refs.get(letter)
    return SetAxis(AxisKind.STD if ref is None else kind, points, ref or "", unit)


def _variant_of(rest: str) -> Variant:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(rest):
        match = _VARIANT.match(rest, at)
        if match is None:
            raise ValueError(f"VAR {rest[:60]} is not of the form criterion=value")
        value = match[3] if match[3] is not None else strings_in(f'"{match[2]}"')[0]
        found.append((match[1], value))
        at = match.end()
    return tuple(found)
