"""Curves and maps on other axis points: linear between points, the outermost value beyond them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import floats_of, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Entry

__all__ = ["interpolate", "resample"]


def interpolate(entry: Entry, axes: Sequence[Any]) -> Entry:
    """A curve, map or cuboid with its values on other axis points.

    Args:
        entry: with points for each axis that changes.
        axes: new points per axis, X first; None leaves an axis as it is.

    Raises:
        UsageError: texts, points that neither rise nor fall, or a wrong number of axes.
    """
    if not entry.axes or not isinstance(entry.values, np.ndarray):
        raise UsageError(f"{entry.label}: it has no axes.", hint="Interpolate curves and maps.")
    if len(axes) != len(entry.axes):
        raise UsageError(f"{entry.label}: {len(entry.axes)} axes are needed, {len(axes)} given.")
    values = entry.values
    made = list(entry.axes)
    for n, points in enumerate(axes):
        if points is None:
            continue
        old = entry.axes[n].values
        if old is None:
            raise UsageError(f"{entry.label}: the points of axis {n} are not known.")
        new = np.atleast_1d(np.asarray(points))
        values = resample(values, old, new, dimension=values.ndim - 1 - n, name=entry.label)
        made[n] = replace(made[n], values=new if new.dtype.kind in "iu" else floats_of(new))
    return replace(entry, values=values, axes=tuple(made))


def resample(
    values: NDArray[Any], old: NDArray[Any], new: NDArray[Any], *, dimension: int, name: str = ""
) -> NDArray[np.float64]:
    """Values of an array at other points along one dimension.

    Args:
        values: numbers.
        old: points of the dimension now, all rising or all falling; of equal ones the last counts.
        new: points wanted, in any order.
        dimension: of the array, 0 for the slowest one.
        name: for messages.

    Raises:
        UsageError: texts or no numbers, points that neither rise nor fall, or another number of points.
    """
    table, before, after = (_numbers(one, name) for one in (values, old, new))
    count = table.shape[dimension]
    if before.shape != (count,):
        raise UsageError(f"{name}: {count} points are needed, {before.size} are there.")
    if not count or not after.size:
        raise UsageError(f"{name}: an axis has no points.", hint="Give at least one.")
    steps = np.diff(before)
    if np.any(steps < 0):
        if np.any(steps > 0):
            raise UsageError(
                f"{name}: its points neither rise nor fall throughout.", hint="Correct the axis."
            )
        before = before[::-1]
        table = np.flip(table, dimension)
    if not np.all(np.isfinite(before)) or not np.all(np.isfinite(after)):
        raise UsageError(f"{name}: an axis point is no number.", hint="Correct the axis.")
    high = np.clip(np.searchsorted(before, after, side="right"), 1, max(count - 1, 1))
    low = high - 1
    high = np.minimum(high, count - 1)
    span = before[high] - before[low]
    part = np.divide(after - before[low], span, out=np.zeros(len(after)), where=span != 0)
    part = np.clip(np.where((span == 0) & (after >= before[high]), 1.0, part), 0.0, 1.0)
    shape = [1] * table.ndim
    shape[dimension] = len(after)
    weight = part.reshape(shape)
    left, right = np.take(table, low, dimension), np.take(table, high, dimension)
    with np.errstate(invalid="ignore", over="ignore"):
        mixed = left * (1.0 - weight) + right * weight
    return np.asarray(np.where(weight == 0, left, np.where(weight == 1, right, mixed)))


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if is_text(array).any():
        raise UsageError(
            f"{name}: texts have nothing between them.", hint="Interpolate numbers only."
        )
    try:
        return floats_of(array)
    except (TypeError, ValueError):
        raise UsageError(f"{name}: not all values are numbers.", hint="Check them.") from None
