"""Which cells of a curve, map or block are meant: by axis value, by position, by the value itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.values import Table, format_number
from xcaliper.core.errors import UsageError
from xcaliper.quantity.record_layout import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["axis_positions", "block_of", "select"]

_HINT: Final = (
    "Conditions are as: x 1000..3000, y > 50, value < 0, x = ON, y[2..4]; a comma joins them."
)
#: Numbers further apart than this, relatively, are not shown alike.
_NEAR: Final = 1e-5
_MAX_CONDITIONS: Final = 32
_RANGE: Final = re.compile(r"(?P<low>\S.*?)?\s*\.\.\s*(?P<high>\S.*)?")


@dataclass(frozen=True, slots=True)
class _Condition:
    """A part of a selection, taken apart but not yet understood."""

    text: str
    subject: str
    index: str
    operator: str
    operand: str


def select(values: Table | NDArray[Any], *conditions: str) -> NDArray[np.bool_]:
    """The cells that meet every condition.

    A condition is ``SUBJECT LOW..HIGH`` (ends included, each may be left out), ``SUBJECT > NUMBER`` (or
    ``>=``, ``<``, ``<=``, ``=``, ``!=``) or ``SUBJECT[FIRST..LAST]``, ``SUBJECT[N]`` by position from 0.
    The subject is x, y, z, 4 or 5, the name of an axis, or ``value``. Several conditions in one text are
    joined by commas. Numbers are equal when they are shown alike; points and values that are
    texts know only ``=`` and ``!=``. Where there is no axis, its points are positions from 0.

    Args:
        values: a table, or an array without axes.
        conditions: without any, every cell is selected.

    Returns:
        bool of the shape of the values.

    Raises:
        UsageError: a condition is not understood, or nothing meets them.
    """
    cells = values.values if isinstance(values, Table) else np.asarray(values)
    mask = np.ones(cells.shape, dtype=bool)
    for one in _taken_apart(values, conditions):
        if one.subject == "value":
            found = _meets(one, cells)
        else:
            axis = _axis_of(values, one)
            found = _along(_meets_on_axis(values, one, axis), axis, cells.ndim)
        mask &= found
        if not mask.any():
            raise UsageError(f"{_name(values)}: no cell meets {one.text!r}{_extent(values, one)}.")
    return mask


def axis_positions(values: Table | NDArray[Any], axis: int) -> NDArray[Any]:
    """Points of an axis, one for each cell along it; positions from 0 where there is no such axis.

    Args:
        values: a table, or an array without axes.
        axis: 0 for X.

    Raises:
        UsageError: the axis has less points than there are cells.
    """
    cells = values.values if isinstance(values, Table) else np.asarray(values)
    count = cells.shape[cells.ndim - 1 - axis]
    if not isinstance(values, Table) or axis >= len(values.axes):
        return np.arange(count)
    points = np.asarray(values.axes[axis].points)
    if points.size < count:
        raise UsageError(
            f"{values.name}: its {AXES[axis]} axis has {points.size} points for {count} cells.",
            hint="Select by position, as x[2..4].",
        )
    return points[:count]


def block_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...] | None:
    """Indices along each dimension whose combinations are exactly the selected cells; None when none are."""
    parts = []
    for dimension in range(mask.ndim):
        others = tuple(d for d in range(mask.ndim) if d != dimension)
        parts.append(np.flatnonzero(mask.any(axis=others)))
    full = np.prod([part.size for part in parts]) == mask.sum()
    return tuple(parts) if full else None


def _name(values: Table | NDArray[Any]) -> str:
    return values.name if isinstance(values, Table) else "values"


def _taken_apart(values: Table | NDArray[Any], conditions: tuple[str, ...]) -> list[_Condition]:
    named = [axis.name for axis in values.axes if axis.name] if isinstance(values, Table) else []
    subjects = sorted({*named, *AXES, "value"}, key=len, reverse=True)
    form = re.compile(
        rf"(?P<subject>{'|'.join(map(re.escape, subjects))})\s*"
        r"(?:\[\s*(?P<index>[^\]]*)\]|(?P<operator><=|>=|!=|==|=|<|>)\s*(?P<operand>\S.*)|(?P<range>\s\S.*))"
    )
    texts = [part.strip() for text in conditions for part in text.split(",")]
    if len(texts) > _MAX_CONDITIONS:
        raise UsageError(
            f"{_name(values)}: {len(texts)} conditions, {_MAX_CONDITIONS} are the most."
        )
    found = []
    for text in texts:
        match = form.fullmatch(text)
        if match is None:
            raise UsageError(f"{_name(values)}: {text!r} is no condition.", hint=_HINT)
        operator, operand = match["operator"] or "", match["operand"] or ""
        if match["range"]:
            operator, operand = "..", match["range"].strip()
        found.append(_Condition(text, match["subject"], match["index"] or "", operator, operand))
    return found


def _axis_of(values: Table | NDArray[Any], one: _Condition) -> int:
    cells = values.values if isinstance(values, Table) else np.asarray(values)
    names = [axis.name for axis in values.axes] if isinstance(values, Table) else []
    at = names.index(one.subject) if one.subject in names else AXES.index(one.subject)
    if at >= cells.ndim:
        what = f"{cells.ndim} dimensions" if cells.ndim != 1 else "one dimension"
        raise UsageError(f"{_name(values)}: {one.text!r} means an axis, but there are {what}.")
    return at


def _along(found: NDArray[np.bool_], axis: int, ndim: int) -> NDArray[np.bool_]:
    shape = [1] * ndim
    shape[ndim - 1 - axis] = found.size
    return found.reshape(shape)


def _meets_on_axis(values: Table | NDArray[Any], one: _Condition, axis: int) -> NDArray[np.bool_]:
    if one.operator:
        return _meets(one, axis_positions(values, axis))
    cells = values.values if isinstance(values, Table) else np.asarray(values)
    places = np.arange(cells.shape[cells.ndim - 1 - axis])
    if ".." in one.index:
        low, high = _ends(one, one.index)
    else:
        low = high = _number(one, one.index)
    return (places >= low) & (places <= high)


def _meets(one: _Condition, points: NDArray[Any]) -> NDArray[np.bool_]:
    if one.operator == "":
        raise UsageError(f"{one.text!r}: only axes have positions.", hint=_HINT)
    if points.dtype.kind not in "biuf":
        return _meets_as_text(one, points)
    numbers = points.astype(float)
    if one.operator == "..":
        low, high = _ends(one, one.operand)
        return ((numbers >= low) | _close(numbers, low)) & (
            (numbers <= high) | _close(numbers, high)
        )
    wanted = _number(one, one.operand)
    same = _close(numbers, wanted)
    match one.operator:
        case "=" | "==":
            return same
        case "!=":
            return ~same
        case ">":
            return (numbers > wanted) & ~same
        case ">=":
            return (numbers > wanted) | same
        case "<":
            return (numbers < wanted) & ~same
        case _:
            return (numbers < wanted) | same


def _meets_as_text(one: _Condition, points: NDArray[Any]) -> NDArray[np.bool_]:
    if one.operator not in ("=", "==", "!="):
        raise UsageError(
            f"{one.text!r}: texts have no order.", hint="Use = and !=, or positions as x[2..4]."
        )
    wanted = one.operand.strip("'\"")
    shown = [format_number(point) == wanted for point in points.ravel()]
    same = np.array(shown, dtype=bool).reshape(points.shape)
    return ~same if one.operator == "!=" else same


def _close(numbers: NDArray[np.float64], wanted: float) -> NDArray[np.bool_]:
    """What is shown as the wanted number is: people type what they see."""
    near = np.isclose(numbers, wanted, rtol=_NEAR, atol=0.0, equal_nan=True)
    shown = format_number(wanted)
    near[near] = [format_number(number) == shown for number in numbers[near]]
    return np.asarray(near)


def _ends(one: _Condition, text: str) -> tuple[float, float]:
    match = _RANGE.fullmatch(text)
    if match is None or (match["low"] is None and match["high"] is None):
        raise UsageError(f"{one.text!r}: {text!r} is no range.", hint=_HINT)
    low = -np.inf if match["low"] is None else _number(one, match["low"])
    high = np.inf if match["high"] is None else _number(one, match["high"])
    if not low <= high:
        raise UsageError(f"{one.text!r}: the range is empty.", hint="Give the lower end first.")
    return low, high


def _number(one: _Condition, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{one.text!r}: {text!r} is no number.", hint=_HINT) from None


def _extent(values: Table | NDArray[Any], one: _Condition) -> str:
    """From where to where an axis goes, for a message."""
    if one.subject == "value" or not one.operator:
        return ""
    points = axis_positions(values, _axis_of(values, one))
    if not points.size:
        return ""
    return f"; the axis goes from {format_number(points[0])} to {format_number(points[-1])}"
