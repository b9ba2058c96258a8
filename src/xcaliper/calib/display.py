"""Tables as people look at them: aligned text, shaded cells, HTML for notebooks, a surface of characters.

Everything here gives text or plain values; whoever has a terminal colours them.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.values import Axis, Table, format_number
from xcaliper.core.errors import UsageError
from xcaliper.quantity.record_layout import AXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Entry
    from xcaliper.calib.paramset import ParameterSet

__all__ = [
    "Cell",
    "Grid",
    "colour",
    "grids_of",
    "head_of",
    "shown_value",
    "surface_of",
    "table_html",
    "table_text",
]

#: From low to high: blue, teal, green, yellow, red; each as bright as the others.
_COLOURS: Final = ((64, 110, 220), (40, 165, 170), (80, 180, 80), (220, 190, 60), (220, 90, 70))
_RAMP: Final = ".:-=+*#%@"
#: Cells that a page of a notebook shows.
_MAX_HTML_CELLS: Final = 20_000
_MAX_RIDGES: Final = 16
_MIN_WIDTH: Final = 20
_MAX_WIDTH: Final = 400


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as it is shown.

    Attributes:
        text: of the value.
        level: 0 for the least number of the table, 1 for the greatest; None for texts, for missing
            numbers, and where all are equal.
        changed: it shall be marked.
    """

    text: str
    level: float | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """An XY slice of a table: X to the right, Y downwards.

    Attributes:
        title: where the slice is, such as ``Gear = 3``; empty when there is only one.
        corner: units of both axes; empty for a curve or without axes.
        columns: labels of the X axis; empty without axes.
        labels: labels of the Y axis, one per row; empty without one.
        rows: cells.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def head_of(table: Table) -> str:
    """Name and unit: ``KFZW [°CA]``."""
    return table.name + (f" [{table.unit}]" if table.unit else "")


def grids_of(table: Table, *, changed: NDArray[np.bool_] | None = None) -> list[Grid]:
    """The slices of a table, cell by cell.

    Args:
        table: what to show.
        changed: cells to mark; bool of the shape of the values.
    """
    values = np.atleast_1d(table.values)
    marks = np.zeros(values.shape, bool) if changed is None else np.atleast_1d(changed)
    levels = _levels(values)
    if values.ndim == 1:
        row = _cells(values, levels, marks)
        return [Grid("", "", _labels(table, 0, len(row)) if table.axes else (), (), (row,))]
    height, width = values.shape[-2:]
    shape = (prod(values.shape[:-2]), height, width)
    parts = zip(values.reshape(shape), levels.reshape(shape), marks.reshape(shape), strict=True)
    corner = ""
    columns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    if table.axes:
        y_unit = table.axes[1].unit if len(table.axes) > 1 else ""
        corner = f"{y_unit or 'y'} \\ {table.axes[0].unit or 'x'}"
        columns, labels = _labels(table, 0, width), _labels(table, 1, height)
    return [
        Grid(title, corner, columns, labels, tuple(_cells(*row) for row in zip(*part, strict=True)))
        for title, part in zip(_titles(table), parts, strict=True)
    ]


def table_text(table: Table) -> str:
    """Aligned text: X to the right, Y downwards; slices of Z below each other."""
    return head_of(table) + "\n" + "\n\n".join(_grid_text(grid) for grid in grids_of(table))


def table_html(table: Table, *, changed: NDArray[np.bool_] | None = None) -> str:
    """HTML for notebooks, light or dark: cells shaded from low to high, marked ones bold.

    Args:
        table: what to show.
        changed: cells to mark; bool of the shape of the values.
    """
    head = escape(head_of(table))
    if table.values.size > _MAX_HTML_CELLS:
        count = " × ".join(map(str, table.shape))
        return f"<p>{head}: {count} values, too many to show here</p>"
    grids = grids_of(table, changed=changed)
    if len(grids) == 1:
        return _grid_html(grids[0], head)
    parts = "".join(_grid_html(grid, escape(grid.title)) for grid in grids)
    return f"<div><b>{head}</b>{parts}</div>"


def shown_value(entry: Entry, whole: ParameterSet | None = None) -> Any:
    """What an entry of a set holds, as reading it gives it: number, text, array, or table with axes.

    Args:
        entry: of a set; raw bytes become hexadecimal text.
        whole: its set, which may hold shared axes; points that nobody holds are numbered from 0.
    """
    if isinstance(entry.values, bytes):
        return entry.values.hex(" ")
    if not entry.axes or not isinstance(entry.values, np.ndarray):
        return entry.values
    axes = []
    for axis, count in zip(entry.axes, entry.values.shape[::-1], strict=False):
        points, unit = axis.values, axis.unit
        shared = whole.get(axis.ref, entry.variant) if whole is not None and axis.ref else None
        if points is None and shared is not None and isinstance(shared.values, np.ndarray):
            points, unit = shared.values.ravel(), unit or shared.unit
        name = axis.quantity or axis.ref
        axes.append(Axis(name, np.arange(count) if points is None else points, unit))
    return Table(entry.name, entry.values, tuple(axes), entry.unit)


def colour(level: float) -> tuple[int, int, int]:
    """Red, green and blue (0 … 255) of a level from 0 to 1."""
    place = min(max(level, 0.0), 1.0) * (len(_COLOURS) - 1)
    at = min(int(place), len(_COLOURS) - 2)
    share = place - at
    red, green, blue = (
        round(one + (other - one) * share)
        for one, other in zip(_COLOURS[at], _COLOURS[at + 1], strict=True)
    )
    return red, green, blue


# --- parts of a grid ---


def _levels(values: NDArray[Any]) -> NDArray[np.float64]:
    """0 … 1 for each number; not a number where there is no level."""
    levels = np.full(values.shape, np.nan)
    if values.dtype.kind not in "biuf" or not values.size:
        return levels
    numbers = values.astype(float)
    there = np.isfinite(numbers)
    if not there.any():
        return levels
    low, high = numbers[there].min(), numbers[there].max()
    if low < high:
        scale = max(abs(low), abs(high))  # the difference of large numbers may be infinite
        levels[there] = (numbers[there] / scale - low / scale) / (high / scale - low / scale)
    return levels


def _cells(values: NDArray[Any], levels: NDArray[Any], marks: NDArray[Any]) -> tuple[Cell, ...]:
    return tuple(
        Cell(format_number(value), None if np.isnan(level) else float(level), bool(mark))
        for value, level, mark in zip(values, levels, marks, strict=True)
    )


def _labels(table: Table, axis: int, count: int) -> tuple[str, ...]:
    """As many labels as there are cells: an axis may hold more points, or less, than are used."""
    points = table.axes[axis].points[:count] if axis < len(table.axes) else ()
    labels = [format_number(point) for point in points]
    return (*labels, *[""] * (count - len(labels)))


def _titles(table: Table) -> Iterator[str]:
    """Where each XY slice is, such as ``Gear = 3``; the fourth and fifth axis before Z."""
    outer = table.values.shape[:-2]
    for place in np.ndindex(*outer):
        parts = []
        for dimension, index in enumerate(place):
            axis = table.values.ndim - 1 - dimension
            letter = AXES[axis] if axis < len(AXES) else str(axis)
            told = table.axes[axis] if axis < len(table.axes) else None
            if told is None or index >= told.points.size:
                parts.append(f"{letter}[{index}]")
            else:
                point = format_number(told.points[index])
                parts.append(f"{told.name or letter} = {point} {told.unit}".rstrip())
        yield ", ".join(parts)


def _grid_text(grid: Grid) -> str:
    rows = [[cell.text for cell in row] for row in grid.rows]
    if grid.labels:
        rows = [[label, *row] for label, row in zip(grid.labels, rows, strict=True)]
    if grid.columns or grid.corner:
        rows.insert(0, [*([grid.corner] if grid.corner else []), *grid.columns])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([*([grid.title] if grid.title else []), *lines])


def _grid_html(grid: Grid, caption: str) -> str:
    parts = [f"<table><caption>{caption}</caption>"]
    if grid.columns or grid.corner:
        labels = [*([grid.corner] if grid.corner else []), *grid.columns]
        cells = "".join(f"<th>{escape(label)}</th>" for label in labels)
        parts.append(f"<thead><tr>{cells}</tr></thead>")
    parts.append("<tbody>")
    for at, row in enumerate(grid.rows):
        label = f"<th>{escape(grid.labels[at])}</th>" if grid.labels else ""
        parts.append(f"<tr>{label}{''.join(map(_cell_html, row))}</tr>")
    parts.append("</tbody></table>")
    return "".join(parts)


def _cell_html(cell: Cell) -> str:
    text = escape(cell.text)
    inner = f"<b>{text}</b>" if cell.changed else text
    if cell.level is None:
        return f"<td>{inner}</td>"
    red, green, blue = colour(cell.level)
    return f'<td style="background:rgba({red},{green},{blue},.35)">{inner}</td>'


# --- the surface ---


def surface_of(table: Table, *, width: int = 72) -> str:
    """A curve or map drawn with ASCII characters, seen from the front: the first Y in front, high values up.

    What is nearer hides what is behind it; the character tells the height as well. A map with many rows
    shows 16 of them, evenly spread; columns are drawn by the values of the X axis. A cuboid gives one
    surface per slice, all of the same scale.

    Args:
        table: a curve, a map, a cuboid or a block of numbers.
        width: characters for X, 20 … 400.

    Raises:
        UsageError: texts, or nothing to draw.
    """
    values = np.atleast_1d(table.values)
    if values.dtype.kind not in "biuf" or not values.size:
        raise UsageError(
            f"{table.name}: it holds no numbers to draw.", hint="Show it as a table instead."
        )
    width = min(max(width, _MIN_WIDTH), _MAX_WIDTH)
    levels = _levels(values)
    numbers = values.astype(float)
    there = numbers[np.isfinite(numbers)]
    flat = np.where(np.isfinite(numbers), 0.0, np.nan)  # all alike: a plane
    levels = levels if np.isfinite(levels).any() else flat
    span = f"{format_number(there.min())} … {format_number(there.max())}" if there.size else "none"
    shape = (
        (prod(values.shape[:-2]), *values.shape[-2:]) if values.ndim > 1 else (1, 1, values.size)
    )
    titles = list(_titles(table)) if values.ndim > 2 else [""]
    parts = [
        "\n".join([*([title] if title else []), *_ridges(table, part, width)])
        for title, part in zip(titles, levels.reshape(shape), strict=True)
    ]
    return f"{head_of(table)}, {span}\n" + "\n\n".join(parts)


def _ridges(table: Table, levels: NDArray[np.float64], width: int) -> list[str]:
    """Lines of one slice, back to front."""
    count = levels.shape[0]
    rows = np.unique(np.linspace(0, count - 1, min(count, _MAX_RIDGES)).round().astype(int))
    height, step = (10, 1) if rows.size == 1 else (8, 2 if rows.size <= 8 else 1)
    margin = 2 * (rows.size - 1)  # what is behind stands further right
    depth = height + step * (rows.size - 1)
    canvas = [[" "] * (width + margin) for _ in range(depth)]
    places = _sampled(table, levels.shape[1], width)
    for line in range(step * (rows.size - 1) + 1):  # from behind
        part, order = line % step / step, line // step
        back = levels[rows[-1 - order]]
        front = levels[rows[-2 - order]] if part else back
        shift = margin - round(2 * line / step)
        ridge = back * (1 - part) + front * part
        _draw(canvas, ridge, places, base=height - 1 + line, height=height, shift=shift)
    lines = ["".join(line).rstrip() for line in canvas]
    return _labelled(table, lines, rows, height=height, step=step, width=width)


def _sampled(table: Table, count: int, width: int) -> NDArray[np.float64]:
    """For each column of the drawing the place among the cells, by axis values where they rise."""
    cells = np.arange(count, dtype=float)
    axis = table.axes[0].points[:count] if table.axes else cells
    if len(axis) < count or axis.dtype.kind not in "biuf" or not np.all(np.diff(axis) > 0):
        axis = cells
    wanted = np.linspace(float(axis[0]), float(axis[-1]), width)
    return np.asarray(np.interp(wanted, axis.astype(float), cells))


def _draw(
    canvas: list[list[str]],
    levels: NDArray[np.float64],
    places: NDArray[np.float64],
    *,
    base: int,
    height: int,
    shift: int,
) -> None:
    """One ridge: it hides what is behind, steep parts are closed by a line upwards."""
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, levels.size - 1)
    share = places - low
    heights = np.where(share > 0, levels[low] * (1 - share) + levels[high] * share, levels[low])
    before: int | None = None
    for column, level in enumerate(heights.tolist()):
        if np.isnan(level):
            before = None
            continue
        top = base - round(level * (height - 1))
        near = top if before is None else before
        for line in range(top, base + 1):
            canvas[line][column + shift] = " "
        sign = _RAMP[min(int(level * len(_RAMP)), len(_RAMP) - 1)]
        first, last = (top, near - 1) if near > top else (near + 1, top)
        for line in range(min(first, top), max(last, top) + 1):
            canvas[line][column + shift] = sign
        before = top


def _labelled(
    table: Table, lines: list[str], rows: NDArray[Any], *, height: int, step: int, width: int
) -> list[str]:
    """Lines with the values of Y where a ridge stands and of X below."""
    labels = _labels(table, 1, int(rows[-1]) + 1) if len(table.axes) > 1 else ()
    shown = [labels[row] for row in rows[::-1]] if labels else []
    pad = max((len(label) for label in shown), default=0)
    made = []
    for at, line in enumerate(lines):
        order, off = divmod(at - height + 1, step)
        label = shown[order] if shown and order >= 0 and off == 0 and order < len(shown) else ""
        made.append(f"{label.rjust(pad)} {line}".rstrip() if pad else line)
    if table.axes and table.axes[0].points.size:
        points = _labels(table, 0, table.values.shape[-1])
        left = " " * (pad + 1 if pad else 0)
        unit = f" {table.axes[0].unit}" if table.axes[0].unit else ""
        last = points[-1] + unit
        made.append(left + points[0] + last.rjust(max(width - len(points[0]), len(last) + 1)))
    while made and not made[0].strip():
        made.pop(0)
    return made
