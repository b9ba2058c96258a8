"""Values in the terminal: numbers with units, coloured tables, surfaces; and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from rich.console import Console
    from rich.text import Text

    from xcaliper.calib.display import Cell, Grid
    from xcaliper.calib.values import Table

__all__ = ["Shown", "json_value", "show_values"]

_GAP: Final = "  "
#: Longer blocks are not written into one line.
_LINE_VALUES: Final = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A value to show.

    Attributes:
        name: whose.
        value: number, text, array or table.
        unit: of it; empty when it has none.
        changed: cells to mark; bool of the shape of the values.
    """

    name: str
    value: Any
    unit: str = ""
    changed: NDArray[Any] | None = None


def show_values(values: Iterable[Shown], *, surface: bool = False) -> None:
    """Print single values as a list, then tables, coloured where the terminal has colours.

    Args:
        values: what to show.
        surface: draw tables of numbers as well.

    Raises:
        UsageError: a table to draw that holds no numbers.
    """
    from rich.table import Table as Rows

    from xcaliper.calib.display import surface_of
    from xcaliper.calib.values import Table, format_number
    from xcaliper.cli.shell import print_table, stdout

    rows = Rows(box=None, padding=(0, 2, 0, 0), show_header=False)
    rows.add_column(overflow="fold")
    rows.add_column(justify="right", overflow="fold")
    rows.add_column()
    tables: list[tuple[Table, Shown]] = []
    for one in values:
        if isinstance(one.value, Table):
            tables.append((one.value, one))
        elif _is_wide(one, surface=surface):
            tables.append((Table(one.name, one.value, (), one.unit), one))
        else:
            flat = one.value.ravel() if hasattr(one.value, "ravel") else [one.value]
            rows.add_row(one.name, " ".join(map(format_number, flat)), one.unit)
    if rows.row_count:
        print_table(rows)
    console = stdout()
    for table, one in tables:
        _print_table(console, table, one.changed)
        if surface:
            width = min(console.width, 100) - 40
            console.print(surface_of(table, width=width), markup=False, soft_wrap=True)


def _is_wide(one: Shown, *, surface: bool) -> bool:
    """True for arrays that are shown like a table."""
    dimensions = getattr(one.value, "ndim", 0)
    if dimensions != 1:
        return bool(dimensions)
    return surface or one.changed is not None or one.value.size > _LINE_VALUES


def json_value(value: Any) -> Any:
    """A value ready for JSON; a table with its axes."""
    from xcaliper.calib.values import Table

    if isinstance(value, Table):
        axes = [
            {"name": axis.name, "unit": axis.unit, "points": axis.points.tolist()}
            for axis in value.axes
        ]
        return {"values": value.values.tolist(), "axes": axes}
    return value.tolist() if hasattr(value, "tolist") else value


def _print_table(console: Console, table: Table, changed: NDArray[Any] | None) -> None:
    """Slices below each other; wide ones in parts, where somebody looks."""
    from xcaliper.calib.display import grids_of, head_of

    console.print(head_of(table), markup=False, soft_wrap=True, style="bold")
    width = console.width if console.is_terminal else None
    first = True
    for grid in grids_of(table, changed=changed):
        if not first:
            console.print()
        first = False
        if grid.title:
            console.print(grid.title, markup=False, soft_wrap=True)
        for line in _lines(grid, width):
            console.print(line, soft_wrap=True)


def _lines(grid: Grid, width: int | None) -> Iterator[Text]:
    """Aligned lines; with a width, as many columns at a time as fit."""
    marked = any(cell.changed for row in grid.rows for cell in row)
    columns = list(zip(*grid.rows, strict=True))
    sizes = [max(len(_text(cell, marked=marked)) for cell in column) for column in columns]
    if grid.columns:
        sizes = [
            max(size, len(label) + marked) for size, label in zip(sizes, grid.columns, strict=True)
        ]
    label_size = max(map(len, (grid.corner, *grid.labels)))
    start = 0
    while start < len(columns) or start == 0:
        stop = _fitting(sizes, start, label_size, width)
        yield from _part(grid, sizes, label_size, (start, stop), marked=marked)
        start = max(stop, 1)


def _fitting(sizes: list[int], start: int, label_size: int, width: int | None) -> int:
    """The column behind the last one that fits; at least one does."""
    if width is None:
        return len(sizes)
    used, stop = label_size, start
    while stop < len(sizes):
        used += len(_GAP) + sizes[stop]
        if used > width and stop > start:
            break
        stop += 1
    return stop


def _part(
    grid: Grid, sizes: list[int], label_size: int, span: tuple[int, int], *, marked: bool
) -> Iterator[Text]:
    from rich.text import Text

    start, stop = span
    has_labels = bool(grid.corner or grid.labels)
    mark = " " if marked else ""
    if grid.columns:
        head = Text(style="bold", end="")
        cells = [
            f"{label}{mark}".rjust(size)
            for label, size in zip(grid.columns[start:stop], sizes[start:stop], strict=True)
        ]
        labels = [grid.corner.rjust(label_size)] if has_labels else []
        head.append(_GAP.join([*labels, *cells]).rstrip())
        yield head
    for at, row in enumerate(grid.rows):
        line = Text(end="")
        if has_labels:
            line.append((grid.labels[at] if grid.labels else "").rjust(label_size), style="bold")
        for number in range(start, stop):
            if number > start or has_labels:
                line.append(_GAP)
            line.append(
                _text(row[number], marked=marked).rjust(sizes[number]), style=_style(row[number])
            )
        line.rstrip()
        yield line


def _text(cell: Cell, *, marked: bool) -> str:
    return cell.text + ("*" if cell.changed else " ") if marked else cell.text


def _style(cell: Cell) -> str:
    from xcaliper.calib.display import colour

    marked = "bold underline " if cell.changed else ""
    if cell.level is None:
        return marked.strip()
    red, green, blue = colour(cell.level)
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < 128
    return f"{marked}{'#ffffff' if dark else '#000000'} on rgb({red},{green},{blue})"
