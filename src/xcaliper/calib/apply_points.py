"""Points of an axis object out of a set: do they fit, and which bytes would they be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.apply_checks import (
    Refused,
    Wanted,
    check_points,
    check_rising,
    clip_points,
    judge,
    numbers_in,
    sizes,
    values_after,
    without_name,
)
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.errors import LimitError
from xcaliper.quantity.rounding import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.apply_checks import Rules
    from xcaliper.calib.entries import Entry
    from xcaliper.calib.parameters import Read
    from xcaliper.quantity.axis import AxisPoints

__all__ = ["Points"]


@dataclass(frozen=True, slots=True)
class Points:
    """Points of an axis object."""

    entry: Entry
    bound: AxisPoints
    now: Entry
    rules: Rules

    def plan(self, memory: Read) -> Wanted:
        """Writes that give the axis its points.

        Raises:
            Refused: they do not fit.
        """
        bound, now = self.bound, self.now.values
        verbal = bound.conversion.kind == "verbal" and not self.entry.is_raw
        points = np.asarray(self.entry.values) if verbal else numbers_in(self.entry.values, now)
        if np.shape(points) != np.shape(now):
            raise Refused(Outcome.SIZE_DIFFERS, sizes(points, now), now)
        clamped: Any = False
        if self.rules.clamp and not self.entry.is_raw and not verbal:
            points, clamped = clip_points(points, bound)
        check_points(points, bound, now, raw=self.entry.is_raw)
        try:
            encode = bound.encode_raw if self.entry.is_raw else bound.encode
            writes = encode(points, read=memory)
        except LimitError as error:
            raise Refused(
                Outcome.OUTSIDE_LIMITS, without_name(error.message, bound.name), now
            ) from None
        after = values_after(bound, memory, writes, self.rules.ag, raw=self.entry.is_raw)
        check_rising(after, bound.monotony, now)
        rounded = () if verbal else self._rounded(points)
        outcome, text, warnings = judge(rounded, clamped, bound.guard_rails)
        return Wanted(writes, now, after, outcome, text, warnings)

    def _rounded(self, points: NDArray[Any]) -> Any:
        element = self.bound.layout.find("axis_pts", 0) or self.bound.layout.find("axis_rescale", 0)
        if element is None or element.datatype is None:
            return ()
        one = points[:, 0] if points.ndim > 1 else points
        raw = one if self.entry.is_raw else self.bound.conversion.to_raw(one)
        return fit(raw, element.datatype, name=self.bound.name, clamp=True).rounded
