"""A block of DCM while it is read, and the entry that it becomes (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.formats.cells import shaped
from xcaliper.calib.formats.dcm_words import BlockForm, strings_in
from xcaliper.calib.formats.text_parts import (
    Cell,
    numbers_in,
)
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, SetAxis

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.calib.paramset import Variant

__all__ = ["CELLS", "INFO", "Block", "CellError", "Run", "cells_of_run", "entry_of", "wrong_counts"]

Run = tuple[int, bool, str]
"""A line of cells: its number, whether it holds texts, and what stands behind its keyword."""


@dataclass(slots=True)
class Block:
    """A block while it is read.

    Lines of cells are kept as they are, and those of one list are read together when the block ends.
    """

    form: BlockForm
    name: str
    sizes: tuple[int, ...]
    line: int
    info: dict[str, str] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    variant: Variant = ()
    refs: dict[str, str] = field(default_factory=dict)
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
INFO: Final = ("LANGNAME", "DISPLAYNAME", "EINHEIT_X", "EINHEIT_Y", "EINHEIT_W")


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
    kind, info = block.form.kind, block.info
    cells = block.x if kind == EntryKind.AXIS_PTS else [c for row in block.rows for c in row]
    values: Any = cells[0]
    if block.sizes:
        values = shaped(cells, tuple(reversed(block.sizes)))
    return Entry(
        block.name,
        kind,
        values,
        axes=_axes_of(block),
        unit=info.get("EINHEIT_X" if kind == EntryKind.AXIS_PTS else "EINHEIT_W", ""),
        long_name=info.get("LANGNAME", ""),
        display_name=info.get("DISPLAYNAME", ""),
        functions=block.functions,
        variant=block.variant,
        where=f"line {block.line}",
    )


def _axes_of(block: Block) -> tuple[SetAxis, ...]:
    if block.form.axis is None:
        return ()
    pairs = [("X", block.x), ("Y", block.y)][: 2 if block.form.kind == EntryKind.MAP else 1]
    return tuple(
        SetAxis(
            _axis_kind(block, letter),
            shaped(cells, (len(cells),)),
            ref=block.refs.get(letter, "") if block.form.axis == AxisKind.COM else "",
            unit=block.info.get(f"EINHEIT_{letter}", ""),
        )
        for letter, cells in pairs
    )


def _axis_kind(block: Block, letter: str) -> AxisKind:
    """Kind of an axis; in a group block that names one of its axes the other one is its own."""
    assert block.form.axis is not None, "asked for tables only"
    own = block.form.axis == AxisKind.COM and block.refs and letter not in block.refs
    return AxisKind.STD if own else block.form.axis
