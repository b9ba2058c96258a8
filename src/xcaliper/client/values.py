"""Values as users see them: axes and tables with units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Axis", "Table", "format_number"]


def format_number(value: object) -> str:
    """A number as people read it: short, no needless digits; text as it is."""
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    return str(value)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a curve or map.

    Attributes:
        name: input quantity, or name of the axis; may be empty.
        points: axis points, physical unless the table was read raw; array[n].
        unit: unit of the points.
    """

    name: str
    points: NDArray[Any]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A curve or map with its axes.

    Attributes:
        name: name in the A2L.
        values: array[nx] for a curve, array[ny, nx] for a map, array[nz, ny, nx] for a cuboid.
        axes: X first, then Y, then Z.
        unit: unit of the values.
    """

    name: str
    values: NDArray[Any]
    axes: tuple[Axis, ...]
    unit: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return tuple(self.values.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.values.dtype:
            raise ValueError("a conversion needs a copy")
        return np.array(self.values, dtype=dtype, copy=True if copy is None else copy)

    def with_cell(self, at: tuple[int, ...], value: Any) -> Table:
        """A table with one value replaced; ``at`` counts as numpy does, ``(y, x)`` for a map.

        Raises:
            UsageError: no such cell.
        """
        if len(at) != self.values.ndim or any(
            not -n <= i < n for i, n in zip(at, self.shape, strict=False)
        ):
            raise UsageError(
                f"{self.name}: no cell {list(at)} in a table of shape {list(self.shape)}.",
                hint="Cells count from 0, rows (Y) first.",
            )
        values = self.values.copy()
        values[at] = value
        return replace(self, values=values)

    def text(self) -> str:
        """The table as aligned text: X to the right, Y downwards; slices of Z below each other."""
        head = f"{self.name}" + (f" [{self.unit}]" if self.unit else "")
        if self.values.ndim == 1:
            rows = [[format_number(v) for v in self.axes[0].points] if self.axes else []]
            rows.append([format_number(v) for v in self.values])
            return head + "\n" + _aligned(rows)
        slices = self.values.reshape(-1, *self.shape[-2:])
        return head + "\n" + "\n\n".join(_aligned(self._rows(part)) for part in slices)

    def _rows(self, part: NDArray[Any]) -> list[list[str]]:
        x = [format_number(v) for v in self.axes[0].points[: part.shape[1]]]
        y = [format_number(v) for v in self.axes[1].points[: part.shape[0]]]
        corner = f"{self.axes[1].unit or 'y'} \\ {self.axes[0].unit or 'x'}"
        body = [[label, *map(format_number, row)] for label, row in zip(y, part, strict=True)]
        return [[corner, *x], *body]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        if self.values.ndim > 2:
            return f"<pre>{escape(self.text())}</pre>"
        rows = (
            self._rows(self.values)
            if self.values.ndim == 2
            else [
                [format_number(v) for v in self.axes[0].points],
                [format_number(v) for v in self.values],
            ]
        )
        cells = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        unit = f" [{escape(self.unit)}]" if self.unit else ""
        return f"<table><caption>{escape(self.name)}{unit}</caption>{cells}</table>"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*[r for r in rows if r], strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
        if row
    )
