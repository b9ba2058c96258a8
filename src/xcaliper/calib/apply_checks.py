"""What entries of a set are held against: kinds of numbers, sizes, limits, monotony; and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from xcaliper.calib.entry_values import entry_of
from xcaliper.calib.live import Overlay
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import floats_of, is_text
from xcaliper.quantity.points import check_monotony

if TYPE_CHECKING:
    from collections.abc import Container

    from numpy.typing import NDArray

    from xcaliper.calib.parameters import Read
    from xcaliper.core.address import Address

    Writes = list[tuple[Address, bytes]]

__all__ = [
    "OnAxis",
    "Refused",
    "Rules",
    "Wanted",
    "check_points",
    "check_rising",
    "clip_points",
    "judge",
    "numbers_in",
    "sizes",
    "values_after",
    "without_name",
]

OnAxis = Literal["refuse", "keep", "interpolate"]
"""What becomes of a table whose axis in memory has other points and cannot be changed with it."""

_MAX_BITS: Final = 64


class Refused(Exception):  # noqa: N818  # an answer, never leaves this package
    """Why an entry is not taken.

    Args:
        outcome: what becomes of it.
        text: why.
        before: what memory holds.
    """

    def __init__(self, outcome: Outcome, text: str, before: Any = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.before = before


@dataclass(frozen=True, slots=True)
class Rules:
    """How entries are taken.

    Attributes:
        clamp: bring values outside of the limits to them.
        on_axis: what becomes of a table whose axis in memory has other points.
        own_axes: places of axes that are in the set and were taken: their points win over those that
            tables repeat.
        ag: bytes per address unit.
    """

    clamp: bool
    on_axis: OnAxis
    own_axes: Container[Address]
    ag: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry would do.

    Attributes:
        writes: bytes by address, changed or not.
        before: values now.
        after: values afterwards.
        outcome: APPLIED, ROUNDED or CLAMPED.
        text: what was changed about it.
        warnings: what else to know.
    """

    writes: Writes
    before: Any
    after: Any
    outcome: Outcome = Outcome.APPLIED
    text: str = ""
    warnings: tuple[str, ...] = ()


def without_name(message: str, name: str) -> str:
    """A message without the name in front, which a report says already."""
    return message.removeprefix(f"{name}: ")


def values_after(bound: Any, memory: Read, writes: Writes, ag: int, *, raw: bool) -> Any:
    """Values of a parameter once some writes are done.

    Args:
        bound: the parameter, its pointers followed.
        memory: memory before.
        writes: bytes by address.
        ag: bytes per address unit.
        raw: ECU values instead of physical ones.
    """
    then = Overlay(memory, ag)
    then.add(writes)
    return entry_of(bound, then, raw=raw).values


def judge(rounded: Any, clamped: Any, rails: bool) -> tuple[Outcome, str, tuple[str, ...]]:  # noqa: FBT001
    """Outcome, text and warnings of values that were brought into what memory can hold."""
    warnings = ("the outermost cells are guard rails and follow",) if rails else ()
    if np.any(clamped):
        return Outcome.CLAMPED, f"{int(np.sum(clamped))} values brought to the limits", warnings
    if np.any(rounded):
        return Outcome.ROUNDED, f"{int(np.sum(rounded))} values rounded", warnings
    return Outcome.APPLIED, "", warnings


def numbers_in(values: Any, now: Any) -> NDArray[Any]:
    """Values that have to be numbers.

    Raises:
        Refused: they are not.
    """
    array = np.asarray(values)
    if is_text(array).any():
        raise Refused(Outcome.TYPE_DIFFERS, "texts in the set, numbers in memory", now)
    if array.dtype.kind == "O":
        flat = array.ravel().tolist()
        if not all(type(v) in (int, float) for v in flat):
            raise Refused(Outcome.TYPE_DIFFERS, "something that is no number", now)
        if any(type(v) is int and v.bit_length() > _MAX_BITS for v in flat):
            raise Refused(Outcome.OUTSIDE_LIMITS, "a number is too large", now)
    return array


def clip_points(points: NDArray[Any], bound: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Points brought to the limits, and where; the second column of rescale pairs stays."""
    made = floats_of(points)
    view = made[:, 0] if made.ndim > 1 else made
    before = view.copy()
    np.clip(view, bound.lower, bound.upper, out=view)
    clamped = (before != view) & ~np.isnan(before)
    return (made if clamped.any() else points), clamped


def check_points(points: NDArray[Any], bound: Any, now: Any, *, raw: bool) -> None:
    """Refuse points that are no numbers, or break MONOTONY."""
    if is_text(points).any():
        return
    shown = points[:, 0] if points.ndim > 1 else points
    if np.isnan(floats_of(shown)).any():
        raise Refused(Outcome.OUTSIDE_LIMITS, "a point is no number", now)
    numbers = bound.conversion.to_numbers(shown) if raw else floats_of(shown)
    check_rising(numbers, bound.monotony, now)
    if points.ndim > 1:
        check_rising(points[:, 1], "MON_INCREASE", now)


def check_rising(points: Any, word: str, now: Any) -> None:
    """Refuse points that break MONOTONY; texts have no order.

    Args:
        points: the points, or rescale pairs.
        word: MONOTONY word, or empty.
        now: what memory holds, for the report.

    Raises:
        Refused: they do.
    """
    shown = points[:, 0] if np.ndim(points) > 1 else points
    if is_text(np.asarray(shown)).any():
        return
    try:
        check_monotony("", floats_of(shown), word)
    except UsageError:
        raise Refused(Outcome.AXIS_NOT_MONOTONIC, f"the points break {word}", now) from None


def sizes(given: Any, now: Any) -> str:
    """Sizes of both sides, in words."""

    def said(value: Any) -> str:
        return " × ".join(map(str, np.shape(value))) or "one value"

    return f"{said(given)} in the set, {said(now)} in memory"
