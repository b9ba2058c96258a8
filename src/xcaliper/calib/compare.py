"""Differences between two parameter sets, whatever they were made from: files, images, pages, ECUs, recordings."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.entries import label_of, same_values
from xcaliper.calib.values import format_number
from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import floats_of
from xcaliper.quantity.record_layout import AXES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Entry, Key, SetAxis, Variant
    from xcaliper.calib.paramset import ParameterSet

__all__ = [
    "EntryDifference",
    "SetDifference",
    "Tolerance",
    "compare",
    "difference",
    "differing_axes",
    "matching_key",
]

MAX_LINES: Final = 1000
"""Lines of a difference as text; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far numbers may be apart and still count as equal: the larger one of both counts.

    Attributes:
        absolute: in the unit of the value.
        relative: part of the larger one of two numbers.

    Raises:
        UsageError: negative, or no number.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        for name in ("absolute", "relative"):
            value = getattr(self, name)
            if not value >= 0:
                raise UsageError(f"{name} tolerance: {value} is below 0 or no number.")

    def beyond(self, left: Any, right: Any) -> NDArray[np.bool_]:
        """Where two of one shape differ, bool of that shape; not-a-number equals itself.

        Args:
            left: number, text or array of numbers or texts.
            right: the same.
        """
        a, b = np.asarray(left), np.asarray(right)
        if a.dtype.kind in "iufb" and b.dtype.kind in "iufb":
            return self._numbers(a, b)
        if "O" not in (a.dtype.kind, b.dtype.kind):
            return np.asarray(a != b)
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return np.fromiter((self._one(x, y) for x, y in pairs), bool, a.size).reshape(a.shape)

    def _one(self, left: Any, right: Any) -> bool:
        if same_values(left, right):
            return False
        both = (left, right)
        if not all(isinstance(one, int | float | np.number) for one in both):
            return True
        try:
            return bool(self._numbers(*map(np.asarray, both)))
        except OverflowError:  # a whole number beyond any float
            return True

    def _numbers(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            differ = np.asarray(a != b)
            if a.dtype.kind == b.dtype.kind == "f":
                differ &= ~(np.isnan(a) & np.isnan(b))
            if not (self.absolute or self.relative) or not differ.any():
                return differ
            x, y = floats_of(a), floats_of(b)
            room = np.maximum(self.absolute, self.relative * np.maximum(np.abs(x), np.abs(y)))
            near = (np.abs(x - y) <= room) & np.isfinite(x) & np.isfinite(y)
            return np.asarray(differ & ~near)


@dataclass(frozen=True, slots=True)
class EntryDifference:
    """One parameter that differs.

    Attributes:
        left: the entry of the left set.
        right: the entry of the right set.
        reasons: what differs: ``kind``, ``form`` (one is raw, the other physical), ``shape``, ``values``,
            ``axes``, ``unit``.
        cells: places of values that differ, int[n, ndim]; of shape (1, 0) for a scalar, empty where
            values do not differ or cannot be compared cell by cell.
        axes: numbers of axes that differ, 0 for X.
        largest: largest distance of numbers that differ; not-a-number where none do.
    """

    left: Entry
    right: Entry
    reasons: tuple[str, ...]
    cells: NDArray[np.intp]
    axes: tuple[int, ...] = ()
    largest: float = float("nan")

    @property
    def name(self) -> str:
        """Name of the parameter."""
        return self.left.name

    @property
    def variant(self) -> Variant:
        """Its variant."""
        return self.left.variant

    def text(self) -> str:
        """One line: what differs, by how much."""
        said = []
        if "kind" in self.reasons:
            said.append(f"{self.left.kind} → {self.right.kind}")
        if "form" in self.reasons:
            said.append("one side holds ECU values, the other physical ones")
        if "shape" in self.reasons:
            said.append(f"shape {list(self.left.shape)} → {list(self.right.shape)}")
        if "values" in self.reasons:
            said.append(self._values())
        said.extend(f"axis {AXES[n] if n < len(AXES) else n} differs" for n in self.axes)
        if "unit" in self.reasons:
            said.append(f"unit {self.left.unit} → {self.right.unit}")
        return f"{self.left.label}: {'; '.join(said)}"

    def _values(self) -> str:
        left, right = self.left.values, self.right.values
        if isinstance(left, bytes) or isinstance(right, bytes):
            return "bytes differ"
        if not isinstance(left, np.ndarray) or not isinstance(right, np.ndarray):
            unit = f" {self.left.unit}" if self.left.unit else ""
            return f"{_shown(left)} → {_shown(right)}{unit}"
        count = f"{len(self.cells)} of {left.size} values"
        return count if np.isnan(self.largest) else f"{count}, by up to {self.largest:g}"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.left.name,
            "variant": dict(self.left.variant),
            "reasons": list(self.reasons),
            "left": self.left.as_dict()["values"],
            "right": self.right.as_dict()["values"],
            "cells": self.cells.tolist(),
            "axes": list(self.axes),
            "largest": None if np.isnan(self.largest) else self.largest,
        }


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else format_number(value)


@dataclass(frozen=True, slots=True)
class SetDifference:
    """How two sets differ.

    Attributes:
        changed: parameters in both that differ, in the order of the left set.
        left_only: name and variant of what only the left set has.
        right_only: name and variant of what only the right set has.
        equal: number of parameters that are equal.
    """

    changed: tuple[EntryDifference, ...]
    left_only: tuple[Key, ...]
    right_only: tuple[Key, ...]
    equal: int

    @property
    def is_equal(self) -> bool:
        """True when the sets have the same parameters with the same values."""
        return not (self.changed or self.left_only or self.right_only)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of parameters in both that differ, each once."""
        return tuple(dict.fromkeys(one.name for one in self.changed))

    def summary(self) -> str:
        """Numbers of everything, in one line."""
        return (
            f"{len(self.changed)} differ, {self.equal} equal, "
            f"{len(self.left_only)} only left, {len(self.right_only)} only right"
        )

    def lines(self) -> list[str]:
        """One line per difference: ``~`` differs, ``<`` only left, ``>`` only right."""
        return [
            *(f"~ {one.text()}" for one in self.changed),
            *(f"< {label_of(key)}" for key in self.left_only),
            *(f"> {label_of(key)}" for key in self.right_only),
        ]

    def text(self, limit: int = MAX_LINES) -> str:
        """The lines and the numbers below them; lines beyond a limit are counted."""
        lines = self.lines()
        more = [f"… and {len(lines) - limit} more"] if len(lines) > limit else []
        return "\n".join([*lines[:limit], *more, self.summary()])

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "changed": [one.as_dict() for one in self.changed],
            "left_only": [{"name": name, "variant": dict(v)} for name, v in self.left_only],
            "right_only": [{"name": name, "variant": dict(v)} for name, v in self.right_only],
            "equal": self.equal,
        }

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text(limit=200))}</pre>"


def matching_key(key: Key) -> Key:
    """Name and variant with the criteria in order of their names, as files order them differently."""
    name, variant = key
    return (name, tuple(sorted(variant))) if len(variant) > 1 else key


def compare(
    left: ParameterSet,
    right: ParameterSet,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
    names: Iterable[str] | None = None,
) -> SetDifference:
    """Where two sets differ: values, axis points, kinds, shapes and units.

    Memory and recordings are made sets first: :func:`~xcaliper.calib.extract.extract`,
    :func:`~xcaliper.calib.extract.from_values`. A unit counts where both sides tell one, points of an axis
    where both sides have them. History, flags and texts about a parameter do not count.

    Args:
        left: one set.
        right: the other set.
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.
        names: what to compare; None for everything.

    Raises:
        UsageError: a tolerance is below 0.
    """
    near = Tolerance(absolute, relative)
    if names is not None:
        listed = frozenset([names] if isinstance(names, str) else names)
        left, right = left.filter(names=listed), right.filter(names=listed)
    others = {matching_key(key): entry for key, entry in right.by_key.items()}
    changed: list[EntryDifference] = []
    left_only: list[Key] = []
    equal = 0
    for key, one in left.by_key.items():
        other = others.pop(matching_key(key), None)
        if other is None:
            left_only.append(key)
        elif one is other or _plainly_equal(one, other):
            equal += 1
        elif (found := difference(one, other, near)) is not None:
            changed.append(found)
        else:
            equal += 1
    right_only = tuple(entry.key for entry in others.values())
    return SetDifference(tuple(changed), tuple(left_only), right_only, equal)


_PLAIN: Final = frozenset((int, float, str, bytes))


def _plainly_equal(left: Entry, right: Entry) -> bool:
    """True for the everyday case of two equal single values; False says nothing."""
    a, b = left.values, right.values
    return (
        type(a) in _PLAIN
        and type(a) is type(b)
        and bool(a == b)
        and left.kind is right.kind
        and left.is_raw is right.is_raw
        and left.unit == right.unit
    )


def difference(left: Entry, right: Entry, near: Tolerance) -> EntryDifference | None:
    """How two entries differ; None when they do not.

    Args:
        left: one entry.
        right: the other.
        near: how far numbers may be apart.
    """
    reasons: list[str] = []
    cells, largest = np.zeros((0, len(left.shape)), dtype=np.intp), float("nan")
    if left.kind is not right.kind:
        reasons.append("kind")
    if left.is_raw is not right.is_raw:
        reasons.append("form")
    elif left.shape != right.shape:
        reasons.append("shape")
    elif not same_values(left.values, right.values):
        cells, largest = _cells(left.values, right.values, near)
        reasons.extend(["values"] if len(cells) else [])
    axes = () if "form" in reasons else differing_axes(left.axes, right.axes, near)
    if axes:
        reasons.append("axes")
    if left.unit != right.unit and left.unit and right.unit:
        reasons.append("unit")
    return EntryDifference(left, right, tuple(reasons), cells, axes, largest) if reasons else None


def _cells(left: Any, right: Any, near: Tolerance) -> tuple[NDArray[np.intp], float]:
    beyond = near.beyond(left, right)
    cells = np.argwhere(beyond)
    a, b = np.asarray(left)[beyond], np.asarray(right)[beyond]
    if not a.size or a.dtype.kind not in "iuf" or b.dtype.kind not in "iuf":
        return cells, float("nan")
    with np.errstate(invalid="ignore"):
        apart = np.abs(floats_of(a) - floats_of(b))
    apart = apart[~np.isnan(apart)]
    return cells, float(apart.max()) if apart.size else float("nan")


def differing_axes(
    left: tuple[SetAxis, ...], right: tuple[SetAxis, ...], near: Tolerance
) -> tuple[int, ...]:
    """Numbers of axes that differ; where one side has no axes at all, only the other's count tells.

    Args:
        left: axes of one entry.
        right: those of the other.
        near: how far points may be apart.
    """
    if not left or not right:
        return ()
    found = []
    for n in range(max(len(left), len(right))):
        a = left[n].values if n < len(left) else None
        b = right[n].values if n < len(right) else None
        missing = n >= min(len(left), len(right))
        if missing or (a is not None and b is not None and not _same_points(a, b, near)):
            found.append(n)
    return tuple(found)


def _same_points(left: NDArray[Any], right: NDArray[Any], near: Tolerance) -> bool:
    if left.shape != right.shape:
        return False
    return same_values(left, right) or not near.beyond(left, right).any()
