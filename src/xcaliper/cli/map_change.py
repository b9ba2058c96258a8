"""The options that change cells of curves and maps by an operation, and what they do to a value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["MapOptions", "MapOptionsOfVerb", "changed_cells", "changed_value"]

_Signed = Annotated[str | None, Parameter(allow_leading_hyphen=True)]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """One operation on the cells that --where selects; on all of them without it.

    Attributes:
        where: cells by axis, position or value, as "x 1000..3000, y > 50", "value < 0", "x[2..4]"; may be
            given several times.
        offset: number to add.
        scale: number to multiply by.
        clip: bounds to keep, LOW..HIGH, LOW.. or ..HIGH.
        interpolate: axes along which the cells become straight between their ends: x, y, xy, …, all.
        smooth: how often each cell is averaged with its neighbours.
        fill: where the cells are filled from: around, left, right, up, down.
    """

    where: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = ()
    offset: _Signed = None
    scale: _Signed = None
    clip: _Signed = None
    interpolate: str | None = None
    smooth: int | None = None
    fill: str | None = None

    @property
    def operation(self) -> str:
        """The operation that is asked for; empty when there is none.

        Raises:
            UsageError: several are.
        """
        names = [one.name for one in fields(self) if one.name != "where"]
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"--{' and --'.join(given)}: one operation at a time.")
        return given[0] if given else ""


MapOptionsOfVerb = Annotated[MapOptions | None, Parameter(name="*")]


def changed_value(value: Any, options: MapOptions, given: Any = None) -> Any:
    """A value after the operation that the options name, or with a given value in the selected cells.

    Args:
        value: number, array or table as it was read.
        options: operation and selection.
        given: value to set where there is no operation.

    Returns:
        Array or table of the same shape; an array without dimensions for a number.

    Raises:
        UsageError: the operation does not fit the value, nothing is selected, or neither is given.
    """
    import numpy as np

    from xcaliper.calib.map_operations import set_cells
    from xcaliper.calib.map_selection import select
    from xcaliper.calib.values import Table

    if isinstance(value, str):
        raise UsageError("it is a text, which has no cells to change.")
    cells: Any = value if isinstance(value, Table) else np.asarray(value)
    name = options.operation
    if bool(name) == (given is not None):
        raise UsageError(
            "give either a value or one operation.", hint=f"Operations are {_operations()}."
        )
    mask = select(cells, *options.where)
    if not name:
        return set_cells(cells, given, where=mask)
    return _OPERATIONS[name](cells, getattr(options, name), mask)


def changed_cells(before: Any, after: Any) -> NDArray[Any]:
    """Where two values of one shape differ; bool of that shape."""
    import numpy as np

    from xcaliper.calib.values import Table

    old, new = (
        np.asarray(one.values if isinstance(one, Table) else one) for one in (before, after)
    )
    differ = np.asarray(old != new)
    if old.dtype.kind == new.dtype.kind == "f":
        differ &= ~(np.isnan(old) & np.isnan(new))
    return differ


def _offset(cells: Any, text: str, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import offset_cells

    return offset_cells(cells, _number("offset", text), where=mask)


def _scale(cells: Any, text: str, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import scale_cells

    return scale_cells(cells, _number("scale", text), where=mask)


def _clip(cells: Any, text: str, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import clip_cells

    low, dots, high = text.partition("..")
    if not dots or not (low.strip() or high.strip()):
        raise UsageError(f"--clip: {text!r} is no range.", hint="--clip 0..40, or --clip ..40")
    bounds = [_number("clip", part) if part.strip() else None for part in (low, high)]
    return clip_cells(cells, *bounds, where=mask)


def _interpolate(cells: Any, text: str, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import interpolate_cells

    return interpolate_cells(cells, along="" if text == "all" else text, where=mask)


def _smooth(cells: Any, passes: int, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import smooth_cells

    return smooth_cells(cells, passes, where=mask)


def _fill(cells: Any, source: Any, mask: NDArray[Any]) -> Any:
    from xcaliper.calib.map_operations import fill_cells

    return fill_cells(cells, source, where=mask)


_OPERATIONS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "offset": _offset,
    "scale": _scale,
    "clip": _clip,
    "interpolate": _interpolate,
    "smooth": _smooth,
    "fill": _fill,
}


def _operations() -> str:
    return ", ".join(f"--{name}" for name in _OPERATIONS)


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--{option}: {text!r} is no number.", hint="A decimal point, no comma: 1.5"
        ) from None
