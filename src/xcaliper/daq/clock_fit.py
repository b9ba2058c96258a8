"""A straight line between two clocks from readings that are intervals; robust, with a bound.

A reading says: when the slave's clock showed ``x``, the other clock was between ``earliest`` and
``latest`` (a command was sent and its answer came). Two ways lead to a line:

- While some line meets every interval, *all* lines that do are a small polygon. It is the answer
  with a hard bound: late answers, of whatever distribution, only widen their own interval, so the
  quickest ones decide (the minimum-delay filter), and its size shrinks as 1/n, not 1/√n.
- When no line meets them all, the clock itself scatters. Then intervals are no bounds any more and
  a regression is the honest answer: least squares over the middles, weighted by width and scatter,
  with three standard deviations as bound.

The rate of the regression has a weak prior, and the polygon a wide limit, so few readings give a
wide bound instead of a wild line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_RATE", "Line", "fit_line"]

#: Largest difference of the rates of two clocks that is looked for.
MAX_RATE: Final = 0.01
_PRIOR_RATE: Final = 0.001
_SIGMAS: Final = 3.0
#: The rate suffers more than the offset from weights that are estimated themselves.
_RATE_CAUTION: Final = 1.5
_ROUNDS: Final = 4
#: Below this many readings nobody knows how much the clock itself scatters, so much is added.
_FEW: Final = 5
_UNKNOWN_SCATTER_NS: Final = 250_000.0
_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """``other - slave = offset + rate · (x - reference)``, nanoseconds.

    Attributes:
        reference: x of ``offset``.
        offset: difference there.
        rate: how much more the other clock counts per nanosecond of the slave's.
        scatter_ns: standard deviation of what the slave's clock scatters; 0 while the intervals
            explain everything.
        polygon: float64[k, 2], (offset, rate) of the corners of what is possible; empty when nothing
            is.
        covariance: float64[2, 2] of (offset, rate) by the regression.
        factor: standard deviations that make the bound.
        floor_ns: what no reading can tell: resolution, and the asymmetry of the quickest way.
    """

    reference: float
    offset: float
    rate: float
    scatter_ns: float
    polygon: NDArray[np.float64]
    covariance: NDArray[np.float64]
    factor: float
    floor_ns: float

    def value(self, x: float) -> float:
        """The difference at ``x``."""
        return self.offset + self.rate * (x - self.reference)

    def bound(self, x: float) -> float:
        """Half the width of the band that holds the truth at ``x``."""
        at = x - self.reference
        (oo, ro), (_, rr) = self.covariance.tolist()
        spread = self.factor * math.sqrt(max(oo + 2 * at * ro + at * at * rr, 0.0))
        possible = 0.0
        if len(self.polygon):
            lines = self.polygon[:, 0] + at * self.polygon[:, 1]
            possible = float(np.abs(lines - self.value(x)).max())
        return max(possible, spread) + self.floor_ns

    @property
    def rate_bound(self) -> float:
        """Half the width of the band of the rate."""
        spread = _RATE_CAUTION * self.factor * math.sqrt(self.covariance[1, 1])
        if not len(self.polygon):
            return spread
        return max(spread, float(np.abs(self.polygon[:, 1] - self.rate).max()))


def fit_line(
    x: NDArray[np.float64],
    earliest: NDArray[np.float64],
    latest: NDArray[np.float64],
    *,
    resolution_ns: float = 0.0,
) -> Line:
    """The line through intervals, and how far it may be off.

    Args:
        x: float64[n], ascending, n ≥ 1; times of the slave's clock.
        earliest: float64[n], lowest difference of the other clock to the slave's.
        latest: float64[n], largest difference.
        resolution_ns: of a tick; readings are rounded down by up to so much.
    """
    reference = float(x[-1])
    at = x - reference
    low, high = earliest, latest + resolution_ns
    offset, rate, scatter, covariance = _regress(at, (low + high) / 2, (high - low) / 2)
    few = len(at) < _FEW
    factor = _SIGMAS * (1 + 4 / len(at))
    floor = resolution_ns + (_UNKNOWN_SCATTER_NS if few else 0.0)
    polygon = np.empty((0, 2))
    if _excess(at, low, high) <= _TOLERANCE:
        polygon = _possible(at, low, high)
    if len(polygon):
        offset, rate = _middle(polygon, float(at[0]))
        scatter = 0.0
        if few:
            factor = 0.0  # too few for statistics; the polygon is wide enough
    else:
        floor += float((high - low).min()) / 2
    return Line(reference, offset, rate, scatter, polygon, covariance, factor, floor)


# ----------------------------------------------------------------------------- what is possible


def _hull(x: NDArray[np.float64], y: NDArray[np.float64], sign: float) -> list[int]:
    """Corners of the upper (1.0) or lower (-1.0) hull, Andrew's chain."""
    kept: list[int] = []
    xs, ys = x.tolist(), (y * sign).tolist()
    for at in range(len(xs)):
        while len(kept) >= 2:
            one, two = kept[-2], kept[-1]
            if (xs[two] - xs[one]) * (ys[at] - ys[one]) < (ys[two] - ys[one]) * (xs[at] - xs[one]):
                break
            kept.pop()
        kept.append(at)
    return kept


def _corners(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    above, below = _hull(x, low, 1.0), _hull(x, high, -1.0)
    return x[above], low[above], x[below], high[below]


def _excess(x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """How much every interval has to grow on both sides until a line meets them all; ns.

    For a given rate the best offset is known; over the rate the excess is convex and bends only at
    the slopes of the two hulls.
    """
    xl, yl, xh, yh = _corners(x, low, high)
    rates = [np.array([-MAX_RATE, MAX_RATE])]
    for xs, ys in ((xl, yl), (xh, yh)):
        steps = np.diff(xs)
        steep = steps > 0
        rates.append(np.clip(np.diff(ys)[steep] / steps[steep], -MAX_RATE, MAX_RATE))
    slopes = np.concatenate(rates)[:, None]
    need = (yl - slopes * xl).max(axis=1) - (yh - slopes * xh).min(axis=1)
    return max(float(need.min()) / 2, 0.0)


def _possible(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Corners of the polygon of lines that meet every interval, float64[k, 2]."""
    xl, yl, xh, yh = _corners(x, low, high)
    xs, ys = np.concatenate([xl, xh]), np.concatenate([yl, yh])
    one, two = np.triu_indices(len(xs), 1)
    apart = xs[two] != xs[one]
    one, two = one[apart], two[apart]
    rate = (ys[two] - ys[one]) / (xs[two] - xs[one])
    usable = np.abs(rate) <= MAX_RATE
    rate, one = rate[usable], one[usable]
    rates = np.concatenate([rate, np.full(len(xs), -MAX_RATE), np.full(len(xs), MAX_RATE)])
    offsets = np.concatenate([ys[one] - rate * xs[one], ys + MAX_RATE * xs, ys - MAX_RATE * xs])
    slack = _TOLERANCE * (1 + np.abs(ys).max())
    values = offsets[:, None] + rates[:, None] * xs
    meets = (values[:, : len(xl)] >= yl - slack).all(axis=1)
    meets &= (values[:, len(xl) :] <= yh + slack).all(axis=1)
    return np.stack([offsets[meets], rates[meets]], axis=1)


def _middle(polygon: NDArray[np.float64], first: float) -> tuple[float, float]:
    """The line in the middle of what is possible at both ends of the readings."""
    ends = polygon[:, 0]
    end = (float(ends.max()) + float(ends.min())) / 2
    if first == 0.0:
        return end, float(polygon[:, 1].mean())
    begins = polygon[:, 0] + first * polygon[:, 1]
    begin = (float(begins.max()) + float(begins.min())) / 2
    return end, (end - begin) / -first


# ---------------------------------------------------------------------------------- regression


def _regress(
    x: NDArray[np.float64], y: NDArray[np.float64], half: NDArray[np.float64]
) -> tuple[float, float, float, NDArray[np.float64]]:
    """Offset at x = 0, rate, scatter, and the covariance of both; iterated weights.

    Weights come from the width of an interval and from the scatter that the residuals show on top.
    """
    known = half * half / 3 + 1e-3
    count, scatter = len(x), 0.0
    offset = rate = 0.0
    covariance = np.zeros((2, 2))
    scale = max(float(np.abs(x).max()), 1.0)
    at, prior = x / scale, (scale * _PRIOR_RATE) ** -2
    for _ in range(_ROUNDS):
        weights = 1 / (known + scatter)
        # Two unknowns: the normal equations have a solution in closed form.
        weight, by_at = float(weights.sum()), weights * at
        first, second = float(by_at.sum()), float((by_at * at).sum()) + prior
        determinant = weight * second - first * first
        oo, ro, rr = second / determinant, -first / determinant, weight / determinant
        sum_y, sum_xy = float((weights * y).sum()), float((by_at * y).sum())
        offset, rate = oo * sum_y + ro * sum_xy, (ro * sum_y + rr * sum_xy) / scale
        covariance = np.array([[oo, ro / scale], [ro / scale, rr / scale**2]])
        if count <= 2:
            continue
        residual = y - offset - rate * x
        square = float((weights * residual * residual).sum())
        mean_square = square / weight * count / (count - 2)
        scatter = max(mean_square - count / weight + scatter, 0.0)  # count / weight: mean variance
        surplus = square / (count - 2)
        if surplus > 1:
            covariance = covariance * surplus
    return offset, rate, scatter**0.5, covariance
