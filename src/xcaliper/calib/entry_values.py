"""Bound parameters as entries of a set: kinds, shapes and number types that entries have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.entries import AxisKind, Entry, EntryKind, SetAxis
from xcaliper.calib.values import plain
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob
from xcaliper.quantity.conversion import floats_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.parameters import Read
    from xcaliper.quantity.axis import BoundAxis
    from xcaliper.quantity.characteristic import BoundCharacteristic, RawCharacteristic

    Parameter = BoundCharacteristic | AxisPoints | BoundBlob

__all__ = ["axis_of", "entry_of", "even", "physical"]


def entry_of(bound: Parameter, read: Read, *, raw: bool = False) -> Entry:
    """What memory holds of one parameter.

    Points of a rescale axis are its pairs, array[n, 2] of axis point and virtual point.

    Args:
        bound: the parameter.
        read: gives bytes of memory for an address and a size.
        raw: ECU values instead of physical ones.

    Raises:
        UsageError: memory or a pointer cannot be read.
    """
    kind = EntryKind(bound.type)
    text = bound.description
    if isinstance(bound, BoundBlob):
        return Entry(bound.name, kind, bound.decode(read), long_name=text, is_raw=raw)
    bound = bound.resolve(read)
    unit = "" if raw else bound.unit
    if isinstance(bound, AxisPoints):
        points, category = _points(bound, read, raw=raw)
        return Entry(
            bound.name,
            kind,
            points,
            unit=unit,
            long_name=text,
            category=category,
            is_raw=raw,
        )
    found = bound.decode(read)
    values, axes = physical(bound, found, raw=raw)
    category = "DEPENDENT_VALUE" if bound.dependent and kind is EntryKind.VALUE else ""
    return Entry(
        bound.name,
        kind,
        values,
        axes=axes,
        unit=unit,
        long_name=text,
        category=category,
        is_raw=raw,
    )


def _points(bound: AxisPoints, read: Read, *, raw: bool) -> tuple[NDArray[Any], str]:
    if not bound.is_rescale:
        points = bound.decode(read)
        return even(points if raw else bound.to_phys(points)), ""
    pairs = bound.pairs(read)
    if raw:
        return even(pairs), "RES_AXIS"
    points = bound.conversion.to_numbers(pairs[:, 0])
    return np.stack([points, floats_of(pairs[:, 1])], axis=1), "RES_AXIS"


def physical(
    bound: BoundCharacteristic, found: RawCharacteristic, *, raw: bool
) -> tuple[Any, tuple[SetAxis, ...]]:
    """Values and axes as an entry has them.

    Args:
        bound: the parameter.
        found: its ECU values.
        raw: leave them as they are.
    """
    if raw:
        values: Any = found.values
        points = found.axes
    else:
        phys = bound.to_phys(found)
        values, points = phys.values, phys.axes
    axes = tuple(axis_of(axis, p, raw=raw) for axis, p in zip(bound.axes, points, strict=True))
    if isinstance(values, str):
        return values, axes
    single = bound.type == "VALUE" and values.ndim == 0
    return plain(values[()]) if single else even(values), axes


def axis_of(axis: BoundAxis, points: NDArray[Any], *, raw: bool) -> SetAxis:
    """An axis as an entry has it.

    Args:
        axis: the axis.
        points: its points.
        raw: they are ECU values.
    """
    part = axis.shared or axis.curve
    return SetAxis(
        AxisKind(axis.attribute),
        even(points),
        part.name if part is not None else "",
        "" if raw else axis.unit,
        axis.input_quantity,
    )


def even(values: Any) -> NDArray[Any]:
    """Values as entries hold them: float64, whole numbers of 64 bit, or texts as objects."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return floats_of(array)
    if array.dtype.kind in "iub":
        return array if array.dtype == np.uint64 else array.astype(np.int64)
    return array.astype(object)
