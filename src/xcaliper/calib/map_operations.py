"""What is done to the cells of curves, maps and blocks: set, offset, scale, interpolate, smooth, clip, fill.

Every function takes a table or an array and gives a changed copy of the same kind. ``where`` tells the
cells, as :func:`~xcaliper.calib.map_selection.select` gives them; without it all of them are meant. Cells
that are not selected stay what they are, to the last bit. Limits are not looked at: the write refuses
what the ECU must not get.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np

from xcaliper.calib.map_selection import axis_positions, block_of
from xcaliper.calib.values import Table
from xcaliper.core.errors import UsageError
from xcaliper.quantity.record_layout import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FILL_SOURCES",
    "clip_cells",
    "fill_cells",
    "interpolate_cells",
    "offset_cells",
    "scale_cells",
    "set_cells",
    "smooth_cells",
]

Cells = TypeVar("Cells", Table, "NDArray[Any]")

FillSource = Literal["around", "left", "right", "up", "down"]

#: Where :func:`fill_cells` takes values from; X goes to the right, Y downwards, as tables are shown.
FILL_SOURCES: Final[tuple[FillSource, ...]] = ("around", "left", "right", "up", "down")

#: Cells that are filled from around at once: the work grows with the third power.
_MAX_FILLED: Final = 2500
_MAX_PASSES: Final = 1000


def set_cells(
    values: Cells, value: float | str, *, where: NDArray[np.bool_] | None = None
) -> Cells:
    """One value in every selected cell.

    Raises:
        UsageError: a text for numbers, or a number that is none.
    """
    cells, mask = _cells(values, where)
    if cells.dtype.kind not in "biuf":
        changed = cells.astype(object)
        changed[mask] = value
        return _like(values, changed)
    if isinstance(value, str):
        raise UsageError(f"{_name(values)}: {value!r} is a text, its values are numbers.")
    return _stored(values, cells, mask, np.full(int(mask.sum()), _finite(values, value)))


def offset_cells(values: Cells, by: float, *, where: NDArray[np.bool_] | None = None) -> Cells:
    """Selected cells plus a number.

    Raises:
        UsageError: texts, or a number that is none.
    """
    cells, mask = _numbers(values, where)
    with np.errstate(over="ignore"):
        new = cells[mask].astype(float) + _finite(values, by)
    return _stored(values, cells, mask, new)


def scale_cells(values: Cells, factor: float, *, where: NDArray[np.bool_] | None = None) -> Cells:
    """Selected cells times a number.

    Raises:
        UsageError: texts, or a number that is none.
    """
    cells, mask = _numbers(values, where)
    with np.errstate(over="ignore"):
        new = cells[mask].astype(float) * _finite(values, factor)
    return _stored(values, cells, mask, new)


def clip_cells(
    values: Cells,
    lower: float | None = None,
    upper: float | None = None,
    *,
    where: NDArray[np.bool_] | None = None,
) -> Cells:
    """Selected cells, brought between two bounds; either may be None.

    Raises:
        UsageError: texts, or bounds in the wrong order.
    """
    cells, mask = _numbers(values, where)
    low = -np.inf if lower is None else _finite(values, lower)
    high = np.inf if upper is None else _finite(values, upper)
    if not low <= high:
        raise UsageError(f"{_name(values)}: clipping to {low:g} … {high:g} leaves nothing.")
    return _stored(values, cells, mask, np.clip(cells[mask].astype(float), low, high))


def interpolate_cells(
    values: Cells, *, along: str = "", where: NDArray[np.bool_] | None = None
) -> Cells:
    """A straight course between the ends of a block of cells, by the values of its axes.

    The corners stay. Along x, each row becomes straight between its first and last selected cell; along
    several axes everything follows from the corners (bilinear for a map).

    Args:
        values: table or array.
        along: letters of axes, such as ``x`` or ``xy``; empty for all of them.
        where: the block; whole rows and columns of cells in any combination.

    Raises:
        UsageError: texts, cells that are no block, no cell in between, or axis points that do not rise or
            fall throughout.
    """
    cells, mask = _numbers(values, where)
    axes = _axes(values, cells, along)
    block = block_of(mask)
    if block is None:
        raise UsageError(
            f"{_name(values)}: the cells to interpolate are no block.",
            hint="Select them by their axes only.",
        )
    part = cells[np.ix_(*block)].astype(float)
    straight = part
    for axis in axes:
        dimension = cells.ndim - 1 - axis
        places = block[dimension]
        if places.size > 2:
            share = _shares(values, axis, places)
            straight = _between(straight, share, dimension)
    if straight is part:
        raise UsageError(
            f"{_name(values)}: no cell lies between the ends.",
            hint="Select at least three in a row.",
        )
    new = np.zeros(cells.shape)
    new[np.ix_(*block)] = straight
    return _stored(values, cells, mask, new[mask])


def smooth_cells(
    values: Cells,
    passes: int = 1,
    *,
    along: str = "",
    where: NDArray[np.bool_] | None = None,
) -> Cells:
    """Selected cells, each the mean of itself (twice) and its neighbours along each axis.

    Neighbours that are not selected count, and stay; at the border there are less of them. Cells that
    hold no number stay and do not count.

    Args:
        values: table or array.
        passes: how often, 1 … 1000; more is smoother.
        along: letters of axes, such as ``x`` or ``xy``; empty for all of them.
        where: cells to change.

    Raises:
        UsageError: texts, or a wrong number of passes.
    """
    cells, mask = _numbers(values, where)
    if not 1 <= passes <= _MAX_PASSES:
        raise UsageError(f"{_name(values)}: {passes} passes; use 1 to {_MAX_PASSES}.")
    now = cells.astype(float)
    known = np.isfinite(now)
    mask = mask & known
    for _ in range(passes):
        smooth = now
        for axis in _axes(values, cells, along):
            smooth = _averaged(smooth, known, cells.ndim - 1 - axis)
        now = np.where(mask, smooth, now)
    return _stored(values, cells, mask, now[mask])


def fill_cells(
    values: Cells, source: FillSource = "around", *, where: NDArray[np.bool_] | None = None
) -> Cells:
    """Selected cells, made anew from cells that are not selected: a hole is closed.

    ``around`` gives the smoothest surface that joins what surrounds the hole: along a curve that is a
    straight line by axis values, beyond the last known cell the value goes on as it is. The sides copy the
    nearest cell there that is not selected.

    Args:
        values: table or array.
        source: one of :data:`FILL_SOURCES`.
        where: the hole; ``select(table, "value = nan")`` finds missing numbers.

    Raises:
        UsageError: nothing to fill from, texts or missing numbers around, or too many cells at once.
    """
    if source not in FILL_SOURCES:
        raise UsageError(
            f"{_name(values)}: no source {source!r} to fill from.",
            hint=f"Use one of {', '.join(FILL_SOURCES)}.",
        )
    if source != "around":
        return _filled_from_side(values, source, where)
    cells, mask = _numbers(values, where)
    rest = cells[~mask].astype(float)
    if not rest.size or not np.isfinite(rest).all():
        raise UsageError(
            f"{_name(values)}: "
            + ("missing numbers" if rest.size else "no cells")
            + " to fill from.",
            hint="Select what is to be filled, and all that holds no number.",
        )
    if mask.sum() > _MAX_FILLED:
        raise UsageError(
            f"{_name(values)}: {int(mask.sum())} cells at once; {_MAX_FILLED} can be filled.",
            hint="Fill a part of them first, or from a side.",
        )
    return _stored(values, cells, mask, _harmonic(values, cells.astype(float), mask))


# --- what they share ---


def _name(values: Table | NDArray[Any]) -> str:
    return values.name if isinstance(values, Table) else "values"


def _cells(
    values: Table | NDArray[Any], where: NDArray[np.bool_] | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    cells = values.values if isinstance(values, Table) else np.asarray(values)
    mask = np.ones(cells.shape, dtype=bool) if where is None else np.asarray(where, dtype=bool)
    if mask.shape != cells.shape:
        raise UsageError(
            f"{_name(values)}: a selection of shape {list(mask.shape)} for {list(cells.shape)} cells."
        )
    return cells, mask


def _numbers(
    values: Table | NDArray[Any], where: NDArray[np.bool_] | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    cells, mask = _cells(values, where)
    if cells.dtype.kind not in "biuf":
        raise UsageError(
            f"{_name(values)}: its values are texts.",
            hint="Texts can be set, or filled from a side.",
        )
    return cells, mask


def _finite(values: Table | NDArray[Any], number: float) -> float:
    if not np.isfinite(number):
        raise UsageError(f"{_name(values)}: {number} is no number to calculate with.")
    return float(number)


def _like(values: Cells, cells: NDArray[Any]) -> Cells:
    if isinstance(values, Table):
        return replace(values, values=cells)
    return cells


def _stored(
    values: Cells, cells: NDArray[Any], mask: NDArray[np.bool_], new: NDArray[np.float64]
) -> Cells:
    """The cells with new numbers; whole ones stay whole where all of them are, in their own type."""
    if (~np.isfinite(new) & np.isfinite(cells[mask])).any():
        raise UsageError(
            f"{_name(values)}: the result is no number in some cells.",
            hint="Look for missing numbers and for numbers that are too large.",
        )
    if cells.dtype.kind == "f":
        changed = cells.copy() if cells.dtype == np.float64 else cells.astype(np.float64)
        changed[mask] = new
        return _like(values, changed)
    info = np.iinfo(cells.dtype) if cells.dtype.kind in "iu" else np.iinfo(np.uint8)
    fits = (new == np.round(new)) & (new >= info.min) & (new <= info.max) & (np.abs(new) < 2.0**53)
    if fits.all():
        whole = cells.copy() if cells.dtype.kind in "iu" else cells.astype(np.uint8)
        whole[mask] = new.astype(whole.dtype)
        return _like(values, whole)
    wide = cells.astype(np.float64)
    wide[mask] = new
    return _like(values, wide)


def _axes(values: Table | NDArray[Any], cells: NDArray[Any], along: str) -> list[int]:
    """Numbers of the axes that letters name, X first."""
    known = AXES[: cells.ndim]
    unknown = [letter for letter in along if letter not in known]
    if unknown:
        raise UsageError(
            f"{_name(values)}: no axis {unknown[0]!r} to go along.",
            hint=f"Its axes are {', '.join(known)}." if known else "It is a single value.",
        )
    return [at for at, letter in enumerate(known) if not along or letter in along]


def _distances(values: Table | NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Points of an axis as numbers that rise or fall throughout."""
    points = axis_positions(values, axis)
    if points.dtype.kind not in "biuf":
        raise UsageError(
            f"{_name(values)}: the points of its {AXES[axis]} axis are texts.",
            hint="Nothing lies between texts; go along another axis.",
        )
    numbers = points.astype(float)
    steps = np.diff(numbers)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise UsageError(
            f"{_name(values)}: the points of its {AXES[axis]} axis neither rise nor fall throughout.",
            hint="Correct the axis first.",
        )
    return numbers


def _shares(values: Table | NDArray[Any], axis: int, places: NDArray[np.intp]) -> NDArray[Any]:
    points = _distances(values, axis)[places]
    return np.asarray((points - points[0]) / (points[-1] - points[0]))


def _between(
    block: NDArray[np.float64], share: NDArray[np.float64], dimension: int
) -> NDArray[np.float64]:
    """Everything along a dimension from its two ends."""
    first = np.take(block, [0], axis=dimension)
    last = np.take(block, [-1], axis=dimension)
    shape = [1] * block.ndim
    shape[dimension] = share.size
    weight = share.reshape(shape)
    with np.errstate(invalid="ignore"):
        return np.asarray(first * (1 - weight) + last * weight)


def _averaged(
    now: NDArray[np.float64], known: NDArray[np.bool_], dimension: int
) -> NDArray[np.float64]:
    """Weights 1, 2, 1 along a dimension, of what is there and is a number."""
    cells, there = (
        np.moveaxis(np.where(known, now, 0.0), dimension, 0),
        np.moveaxis(known.astype(float), dimension, 0),
    )
    total, weight = 2 * cells, 2 * there
    total[1:] += cells[:-1]
    weight[1:] += there[:-1]
    total[:-1] += cells[1:]
    weight[:-1] += there[1:]
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return np.moveaxis(mean, 0, dimension)


def _harmonic(
    values: Table | NDArray[Any], cells: NDArray[np.float64], mask: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Each selected cell the mean of its neighbours, weighted by one over the distance on the axis."""
    number = np.full(cells.shape, -1)
    count = int(mask.sum())
    number[mask] = np.arange(count)
    matrix, right = np.zeros((count, count)), np.zeros(count)
    for dimension in range(cells.ndim):
        if cells.shape[dimension] < 2:
            continue
        weights = 1 / np.abs(np.diff(_distances(values, cells.ndim - 1 - dimension)))
        shape = [1] * cells.ndim
        shape[dimension] = weights.size
        spread = np.broadcast_to(
            weights.reshape(shape),
            tuple(n - (d == dimension) for d, n in enumerate(cells.shape)),
        ).ravel()
        span = np.arange(cells.shape[dimension])
        low, high = (
            np.take(number, part, axis=dimension).ravel() for part in (span[:-1], span[1:])
        )
        left, far = (np.take(cells, part, axis=dimension).ravel() for part in (span[:-1], span[1:]))
        for one, other, value in ((low, high, far), (high, low, left)):
            inside = one >= 0
            np.add.at(matrix, (one[inside], one[inside]), spread[inside])
            linked = inside & (other >= 0)
            np.add.at(matrix, (one[linked], other[linked]), -spread[linked])
            edge = inside & (other < 0)
            np.add.at(right, one[edge], spread[edge] * value[edge])
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _filled_from_side(values: Cells, source: FillSource, where: NDArray[np.bool_] | None) -> Cells:
    """Copies of the nearest cell on one side that is not selected."""
    cells, mask = _cells(values, where)
    dimension = cells.ndim - (1 if source in ("left", "right") else 2)
    if dimension < 0:
        raise UsageError(f"{_name(values)}: it has no cells {source} of each other.")
    turned, hole = np.moveaxis(cells, dimension, 0), np.moveaxis(mask, dimension, 0)
    if source in ("right", "down"):
        turned, hole = turned[::-1], hole[::-1]
    places = np.arange(turned.shape[0]).reshape(-1, *[1] * (turned.ndim - 1))
    nearest = np.maximum.accumulate(np.where(hole, -1, places), axis=0)
    if (nearest < 0).any():
        raise UsageError(
            f"{_name(values)}: nothing is {source} of some selected cells.",
            hint="Leave the outermost cells out, or fill from another side.",
        )
    filled = np.take_along_axis(turned, nearest, axis=0)
    if source in ("right", "down"):
        filled = filled[::-1]
    return _like(values, np.moveaxis(filled, 0, dimension).copy())
