"""Functions of expressions that look back in time, whole blocks at once.

One object per call in an expression; it keeps what the next block needs. The first argument is
the time of the rows, int64[n] in ns; values are array[n, *shape].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["STATEFUL"]


def _rows(values: Any, count: int) -> NDArray[Any]:
    """Values with a row axis, bool as integers."""
    array = np.asarray(values)
    if array.ndim == 0:
        array = np.broadcast_to(array, (count,))
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _like(factors: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Numbers per row, shaped to multiply rows of elements."""
    return factors.reshape(-1, *(1,) * (values.ndim - 1)) if factors.ndim == 1 else factors


class _Previous:
    """Rows shifted by one; the first row has itself in front of it."""

    def __init__(self) -> None:
        self._last: NDArray[Any] | None = None

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        if not len(values):
            return values
        before = values[:1] if self._last is None else self._last
        shifted = np.concatenate([before, values[:-1]])
        self._last = values[-1:].copy()
        return shifted


class _Steps:
    """Seconds since the row before; 0 at the first row of all."""

    def __init__(self) -> None:
        self._previous = _Previous()

    def __call__(self, t_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        seconds: NDArray[np.float64] = (t_ns - self._previous(t_ns)) / 1e9
        return seconds


class _Before:
    """The value one sample before."""

    def __init__(self) -> None:
        self._previous = _Previous()

    def __call__(self, t_ns: NDArray[np.int64], values: Any) -> NDArray[Any]:
        return self._previous(_rows(values, len(t_ns)))


class _Delta:
    """Difference to the value one sample before; 0 at first."""

    def __init__(self) -> None:
        self._previous = _Previous()

    def __call__(self, t_ns: NDArray[np.int64], values: Any) -> NDArray[Any]:
        rows = _rows(values, len(t_ns))
        return np.asarray(rows - self._previous(rows))


class _Derivative:
    """Difference per second to the value one sample before; 0 at first."""

    def __init__(self) -> None:
        self._delta, self._steps, self._begun = _Delta(), _Steps(), False

    def __call__(self, t_ns: NDArray[np.int64], values: Any) -> NDArray[Any]:
        change = self._delta(t_ns, values).astype(float)
        slope = change / _like(self._steps(t_ns), change)
        if not self._begun and len(slope):
            self._begun = True
            slope[0] = 0.0
        return np.asarray(slope)


class _Integral:
    """Area under the straight lines between samples since the first one; not-a-number adds 0."""

    def __init__(self) -> None:
        self._previous, self._steps = _Previous(), _Steps()
        self._sum: Any = 0.0

    def __call__(self, t_ns: NDArray[np.int64], values: Any) -> NDArray[Any]:
        rows = _rows(values, len(t_ns)).astype(float)
        if not len(rows):
            return rows
        area = (rows + self._previous(rows)) / 2 * _like(self._steps(t_ns), rows)
        total = self._sum + np.cumsum(np.nan_to_num(area, nan=0.0, posinf=np.inf), axis=0)
        self._sum = total[-1]
        return np.asarray(total)


class _Lowpass:
    """First-order low pass for any distance of samples; a missing value keeps the last one."""

    def __init__(self) -> None:
        self._steps = _Steps()
        self._last: Any = None

    def __call__(self, t_ns: NDArray[np.int64], values: Any, tau_s: Any) -> NDArray[Any]:
        rows = _rows(values, len(t_ns)).astype(float)
        if not len(rows):
            return rows
        tau = _like(_rows(tau_s, len(t_ns)).astype(float), rows)
        steps = _like(self._steps(t_ns), rows)
        kept = np.where(tau > 0, np.exp(-np.maximum(steps, 0.0) / np.where(tau > 0, tau, 1.0)), 0.0)
        kept = np.broadcast_to(kept, rows.shape).copy()
        missing = np.isnan(rows)
        if self._last is None:
            self._last = np.where(missing[0], 0.0, rows[0])
            kept[0] = 0.0
        kept[missing] = 1.0
        added = np.where(missing, 0.0, (1.0 - kept) * np.where(missing, 0.0, rows))
        filtered = _recurrence(kept, added, self._last)
        self._last = filtered[-1]
        return filtered


def _recurrence(factor: NDArray[Any], added: NDArray[Any], start: Any) -> NDArray[Any]:
    """``y[k] = factor[k] · y[k-1] + added[k]`` by doubling steps; both arrays are used up."""
    added[0] += factor[0] * start
    step = 1
    while step < len(added):
        added[step:] += factor[step:] * added[:-step]
        factor[step:] = factor[step:] * factor[:-step]
        step *= 2
    return added


class _Hold:
    """The value of the last sample at which a condition was true; not-a-number before it."""

    def __init__(self) -> None:
        self._last: Any = np.nan

    def __call__(self, t_ns: NDArray[np.int64], values: Any, when: Any) -> NDArray[Any]:
        rows = _rows(values, len(t_ns)).astype(float)
        if not len(rows):
            return rows
        true = _rows(when, len(t_ns)) != 0
        if true.ndim != 1:
            raise ValueError("the condition must be one value per sample")
        place = np.maximum.accumulate(np.where(true, np.arange(len(rows)), -1))
        known = _like(place >= 0, rows)
        held = np.where(known, rows[np.maximum(place, 0)], self._last)
        self._last = held[-1]
        return held


class _Count:
    """How many samples of a condition were true so far."""

    def __init__(self) -> None:
        self._sum: Any = 0

    def __call__(self, t_ns: NDArray[np.int64], condition: Any) -> NDArray[Any]:
        rows = _rows(condition, len(t_ns)) != 0
        total = self._sum + np.cumsum(rows, axis=0)
        if len(total):
            self._sum = total[-1]
        return np.asarray(total)


class _Crossing:
    """Samples at which values pass a level, having been ``hysteresis`` beyond it before.

    A sample between the two sides keeps the side of the one before; the first side of all is no
    crossing.
    """

    sign = 1

    def __init__(self) -> None:
        self._side: Any = 0

    def __call__(
        self, t_ns: NDArray[np.int64], values: Any, level: Any = 0.5, hysteresis: Any = 0.0
    ) -> NDArray[Any]:
        rows = self.sign * _rows(values, len(t_ns)).astype(float)
        if not len(rows):
            return rows > 0
        limit = self.sign * _like(_rows(level, len(t_ns)), rows)
        band = _like(_rows(hysteresis, len(t_ns)), rows)
        side = np.where(rows > limit, 1, np.where(rows <= limit - band, -1, 0))
        place = np.where(side != 0, np.arange(len(side)).reshape(-1, *(1,) * (side.ndim - 1)), -1)
        place = np.maximum.accumulate(place, axis=0)
        carried = np.broadcast_to(self._side, side.shape[1:])
        filled = np.where(
            place >= 0, np.take_along_axis(side, np.maximum(place, 0), axis=0), carried
        )
        before = np.concatenate([carried[None], filled[:-1]])
        self._side = filled[-1]
        return np.asarray((filled == 1) & (before == -1))


class _Rising(_Crossing):
    """From at or below a level to above it; without a level: from false to true."""


class _Falling(_Crossing):
    """From at or above a level to below it; without a level: from true to false."""

    sign = -1


STATEFUL: Final[dict[str, tuple[int, int, Callable[[], Callable[..., Any]]]]] = {
    "previous": (1, 1, _Before),
    "delta": (1, 1, _Delta),
    "derivative": (1, 1, _Derivative),
    "integral": (1, 1, _Integral),
    "lowpass": (2, 2, _Lowpass),
    "hold": (2, 2, _Hold),
    "count": (1, 1, _Count),
    "rising": (1, 3, _Rising),
    "falling": (1, 3, _Falling),
}
"""Name → least and most arguments, and what makes one."""
