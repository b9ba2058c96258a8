"""Records that are alike, decoded as one array: values and points of rows, each row by its own rule."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.datatypes import ByteOrder
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.conversion import Conversion, Linear, Rational
from xcaliper.quantity.memory_values import from_bytes
from xcaliper.quantity.record_layout import Placed, Record, memory_axes

__all__ = ["element_rows", "phys_rows", "point_rows", "value_rows"]

_EXACT_BYTES = 8
"""Whole numbers of this size may be more than a float can hold."""


def element_rows(placed: Placed, data: NDArray[np.uint8], order: ByteOrder) -> NDArray[Any]:
    """Values of one element in memory order, array[n, count] in native byte order.

    Args:
        placed: the element, in the record and not behind a pointer.
        data: bytes of the records, uint8[n, size].
        order: byte order of the element.
    """
    datatype = placed.element.datatype
    assert datatype is not None, "only RESERVED has none"
    parts = [data[:, start : start + size] for start, size in placed.pieces()]
    found = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return from_bytes(found.tobytes(), datatype, order).reshape(len(data), placed.count)


def value_rows(bound: BoundCharacteristic, record: Record, data: NDArray[np.uint8]) -> NDArray[Any]:
    """Raw values of many parameters, array[n, *shape], slowest dimension first.

    Args:
        bound: one of them; without bits, pointers and parts.
        record: its layout applied to the counts that all of them have.
        data: bytes of the records, uint8[n, size].
    """
    placed = record.find("fnc_values")
    assert placed is not None, "checked when bound"
    shape = tuple(reversed(record.counts)) if bound.axes else bound.shape
    order = bound.memory_order or memory_axes(placed.element.mode, len(shape))
    flat = element_rows(placed, data, bound.byte_order)
    table = flat.reshape(len(data), *(shape[n] for n in order))
    table = table.transpose(0, *(np.argsort(order) + 1).tolist())
    if bound.axes:
        table = table[(slice(None), *bound.index_flips())]
    return np.ascontiguousarray(table)


def point_rows(
    placed: Placed, data: NDArray[np.uint8], order: ByteOrder, *, difference: bool
) -> NDArray[Any]:
    """Raw points that are stored as such, array[n, count], in rising order of index.

    Args:
        placed: AXIS_PTS_X or that of another axis.
        data: bytes of the records, uint8[n, size].
        order: byte order of the points.
        difference: DEPOSIT DIFFERENCE.
    """
    points = element_rows(placed, data, order)
    if difference:
        kind = float if points.dtype.kind == "f" else np.int64
        points = np.cumsum(points, axis=1, dtype=kind)
    return np.ascontiguousarray(points[:, ::-1]) if placed.element.reversed else points


def phys_rows(
    rules: Sequence[Conversion], raw: NDArray[Any]
) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """Physical values of rows, each by its own rule; as ``rules[i].to_phys(raw[i])`` gives them.

    Args:
        rules: rule of each row.
        raw: ECU values, array[n, ...].

    Yields:
        Numbers of some rows, and their physical values, array[len(numbers), ...].
    """
    exact = raw.dtype.kind in "iu" and raw.dtype.itemsize == _EXACT_BYTES
    lines: list[int] = []
    fractions: list[int] = []
    others: dict[int, list[int]] = {}
    for n, rule in enumerate(rules):
        if exact or rule.status is not None:
            others.setdefault(id(rule), []).append(n)
        elif type(rule) is Linear:
            lines.append(n)
        elif type(rule) is Rational and rule.linear:
            fractions.append(n)
        else:
            others.setdefault(id(rule), []).append(n)
    if lines:
        yield lines, _linear([rules[n] for n in lines], raw[lines])
    if fractions:
        yield fractions, _rational([rules[n] for n in fractions], raw[fractions])
    for numbers in others.values():
        yield numbers, rules[numbers[0]].to_phys(raw[numbers])


def _column(numbers: list[float], ndim: int) -> NDArray[np.float64]:
    """One number per row, array[n, 1, ...]."""
    return np.asarray(numbers, dtype=float).reshape(-1, *(1,) * (ndim - 1))


def _linear(rules: list[Any], raw: NDArray[Any]) -> NDArray[np.float64]:
    a = _column([rule.a for rule in rules], raw.ndim)
    b = _column([rule.b for rule in rules], raw.ndim)
    with np.errstate(all="ignore"):
        return np.asarray(raw.astype(float) * a + b)


def _rational(rules: list[Any], raw: NDArray[Any]) -> NDArray[np.float64]:
    b, c, f = (_column([rule.coeffs[n] for rule in rules], raw.ndim) for n in (1, 2, 5))
    with np.errstate(all="ignore"):
        return np.asarray((f * raw.astype(float) - c) / b + 0.0)
