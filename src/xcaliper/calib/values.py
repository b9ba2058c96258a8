"""Values as users see them: axes and tables with units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Axis", "Table", "format_number", "plain"]


def plain(value: Any) -> Any:
    """A numpy scalar as a Python value, everything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def format_number(value: object) -> str:
    """A number as people read it: six digits, but never less than its whole part; text as it is."""
    if isinstance(value, float | np.floating):
        number = float(value) + 0.0  # no minus sign for zero
        return f"{number:.0f}" if 1e6 <= abs(number) < 1e15 else f"{number:.6g}"
    return str(value)


@dataclass(frozen=True, slots=True, eq=False)
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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        return (self.name, self.unit) == (other.name, other.unit) and _same(
            self.points, other.points
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content can change


@dataclass(frozen=True, slots=True, eq=False)
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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return (
            (self.name, self.unit, self.axes) == (other.name, other.unit, other.axes)
        ) and _same(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content can change

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        if copy is False and dtype is not None and np.dtype(dtype) != self.values.dtype:
            raise ValueError("a conversion needs a copy")
        return np.array(self.values, dtype=dtype, copy=True if copy is None else copy)

    def with_cell(self, at: tuple[int, ...], value: Any) -> Table:
        """A table with one value replaced; ``at`` counts as numpy does, ``(y, x)`` for a map.

        Raises:
            UsageError: no such cell, or a value that a cell cannot hold.
        """
        if len(at) != self.values.ndim or any(
            not -n <= i < n for i, n in zip(at, self.shape, strict=False)
        ):
            raise UsageError(
                f"{self.name}: no cell {list(at)} in a table of shape {list(self.shape)}.",
                hint="Cells count from 0, rows (Y) first.",
            )
        values = self.values.copy()
        if values.dtype.kind == "U":  # fixed width: a longer text would be cut
            values = values.astype(np.promote_types(values.dtype, f"U{len(str(value))}"))
        try:
            values[at] = value
            fits = values.dtype.kind not in "iu" or bool(values[at] == value)
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise UsageError(
                f"{self.name}: {value!r} does not fit a cell of type {values.dtype}.",
                hint="Give one value of the table's type.",
            )
        return replace(self, values=values)

    def text(self) -> str:
        """The table as aligned text: X to the right, Y downwards; slices of Z below each other."""
        from xcaliper.calib.display import table_text

        return table_text(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from xcaliper.calib.display import table_html

        return table_html(self)


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Equal shape and content; not-a-number equals itself."""
    numbers = left.dtype.kind == right.dtype.kind == "f"
    return bool(np.array_equal(left, right, equal_nan=numbers))
