"""Axis points out of a record and back: stored, rescaled or computed (ASAP2, AXIS_PTS_X and others)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import Conversion, floats_of, numbers_of
from xcaliper.quantity.memory_values import to_bytes
from xcaliper.quantity.record_access import OpenRecord
from xcaliper.quantity.record_layout import Placed
from xcaliper.quantity.rounding import check_limits, round_to

__all__ = [
    "MIN_GUARDED",
    "PointsRule",
    "check_monotony",
    "encode_count",
    "encode_points",
    "railed",
    "read_pairs",
    "read_points",
    "rescaled",
    "write_points",
]

MIN_GUARDED: Final = 2
"""An axis of so few points has no inner ones; guard rails mean nothing there."""
_OPERANDS = ("offset", "shift_op", "dist_op")


def rescaled(pairs: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Axis points at evenly spread virtual points.

    Args:
        pairs: axis point and virtual point, both rising, array[n, 2].
        count: number of axis points.
    """
    points, virtual = floats_of(pairs[:, 0]), floats_of(pairs[:, 1])
    if count < 2 or len(pairs) < 2:
        return points[:count]
    step = (virtual[-1] - virtual[0] + 1) / (count - 1)
    found = np.interp(virtual[0] + step * np.arange(count), virtual, points)
    found[-1] = points[-1]
    return np.asarray(found)


def read_pairs(record: OpenRecord, n: int, order: ByteOrder) -> NDArray[Any] | None:
    """Rescale pairs of axis n as stored, array[pairs, 2]; None when it has none."""
    placed = record.find("axis_rescale", n)
    if placed is None:
        return None
    pairs = record.values(placed, order).reshape(-1, 2)
    return pairs[::-1] if placed.element.reversed else pairs


def read_points(
    record: OpenRecord, n: int, order: ByteOrder, *, difference: bool = False
) -> NDArray[Any] | None:
    """Raw points of axis n in rising order of index; None when the record does not have them.

    DEPOSIT DIFFERENCE and INDEX_DECR are undone, rescale pairs spread, operands applied.
    """
    placed = record.find("axis_pts", n)
    if placed is not None:
        points = record.values(placed, order)
        if difference:
            points = np.cumsum(points, dtype=float if points.dtype.kind == "f" else np.int64)
        return points[::-1] if placed.element.reversed else points
    pairs = read_pairs(record, n, order)
    if pairs is not None:
        return rescaled(pairs, record.record.counts[n])
    operands = _operands(record, n, order)
    steps = np.arange(record.record.counts[n])
    if "offset" not in operands:
        return None
    if "dist_op" in operands:
        return np.asarray(operands["offset"] + steps * operands["dist_op"])
    if -64 <= operands.get("shift_op", 99) <= 64:
        return np.asarray(operands["offset"] + steps * 2.0 ** operands["shift_op"])
    return None


def _operands(record: OpenRecord, n: int, order: ByteOrder) -> dict[str, Any]:
    """OFFSET, SHIFT_OP and DIST_OP of an axis as far as the record has them."""
    found: dict[str, Any] = {}
    for kind in _OPERANDS:
        placed = record.find(kind, n)
        if placed is not None:
            found[kind] = record.values(placed, order)[0].item()
    return found


@dataclass(frozen=True, slots=True)
class PointsRule:
    """What the points of an axis have to obey.

    Attributes:
        name: name for messages.
        conversion: raw to physical.
        limits: lowest and highest physical value.
        unit: physical unit.
        monotony: MONOTONY word, or empty.
        order: byte order.
        difference: DEPOSIT DIFFERENCE.
        guard_rails: the outermost points are not for adjustment; they keep what memory holds.
    """

    name: str
    conversion: Conversion
    limits: tuple[float, float]
    unit: str
    monotony: str
    order: ByteOrder
    difference: bool
    guard_rails: bool = False


def encode_points(
    record: OpenRecord, n: int, values: Any, rule: PointsRule, *, raw: bool = False
) -> list[tuple[Address, bytes]]:
    """Writes that give axis n physical points, or raw ones; their number stays.

    Args:
        record: the record now.
        n: number of the axis.
        values: as many as there are points; for a rescale axis its pairs, array[n, 2], of an axis
            point and a virtual point each.
        rule: what they have to obey.
        raw: the values are ECU values; limits are physical and do not count then.

    Raises:
        LimitError: a value is outside of its limits.
        UsageError: wrong number of points, or a fall where MONOTONY forbids it.
    """
    name = rule.name
    given = numbers_of(values, name)
    pairs = record.find("axis_pts", n) is None and record.find("axis_rescale", n) is not None
    if pairs and (given.ndim != 2 or given.shape[1] != 2):
        raise UsageError(
            f"{name}: its points are computed from rescale pairs.",
            hint="Give the pairs, an array of shape (n, 2).",
        )
    points = given[:, 0] if pairs else given
    rails = None
    if rule.guard_rails and not pairs and points.ndim == 1 and len(points) > MIN_GUARDED:
        rails = read_points(record, n, rule.order, difference=rule.difference)
    inner = points if rails is None else points[1:-1]
    if not raw:
        check_limits(name, floats_of(inner), *rule.limits, rule.unit)
    made = inner if raw else rule.conversion.to_raw(inner)
    if rails is not None:
        made = np.concatenate([rails[:1], made, rails[-1:]])
    shown = points if not raw and rails is None else rule.conversion.to_numbers(made)
    check_monotony(name, floats_of(shown), rule.monotony)
    if pairs:
        check_monotony(name, floats_of(given[:, 1]), "MON_INCREASE")
        made = np.stack([made, given[:, 1]], axis=1)
    return write_points(record, n, made, rule.order, name, difference=rule.difference)


def write_points(
    record: OpenRecord,
    n: int,
    raw: NDArray[Any],
    order: ByteOrder,
    name: str,
    *,
    difference: bool,
) -> list[tuple[Address, bytes]]:
    """Writes that give axis n raw points.

    Args:
        record: the record now.
        n: number of the axis.
        raw: as many points as there are; for a rescale axis its pairs, array[pairs, 2].
        order: byte order of the axis.
        name: name for messages.
        difference: DEPOSIT DIFFERENCE.

    Raises:
        LimitError: a point does not fit its type.
        UsageError: wrong number of points, or points that the record cannot say.
    """
    placed = record.find("axis_pts", n)
    if placed is not None:
        _check_count(name, raw, (placed.count,))
        points = raw[::-1] if placed.element.reversed else raw
        stored = _differences(points, placed, name) if difference else points
        return _put(record, placed, stored, order, name)
    placed = record.find("axis_rescale", n)
    if placed is not None:
        _check_count(name, raw, (placed.count // 2, 2))
        pairs = raw[::-1] if placed.element.reversed else raw
        return _put(record, placed, pairs.reshape(-1), order, name)
    if record.find("offset", n) is None:
        raise UsageError(f"{name}: its points are fixed.", hint="Only the description has them.")
    _check_count(name, raw, (record.record.counts[n],))
    return _put_operands(record, n, floats_of(raw), order, name)


def encode_count(
    record: OpenRecord, n: int, count: int, largest: int, order: ByteOrder, name: str
) -> list[tuple[Address, bytes]]:
    """Writes that change how many points of axis n are in use, or how many rescale pairs.

    What lies behind them may move with that; the points and values are to be written afterwards.

    Args:
        record: the record now.
        n: number of the axis.
        count: points, or pairs where pairs are stored.
        largest: as many as there is room for.
        order: byte order of the axis.
        name: name for messages.

    Raises:
        UsageError: memory does not tell the number, or there is no room for so many.
    """
    pairs = record.find("axis_pts", n) is None and record.find("axis_rescale", n) is not None
    placed = record.find("no_rescale" if pairs else "no_axis_pts", n)
    if placed is None or (not pairs and n in record.shape.fixed):
        raise UsageError(
            f"{name}: the number of its points is fixed.", hint="Only the description has it."
        )
    if not 0 < count <= largest:
        raise UsageError(
            f"{name}: {count} points were given, there is room for {largest}.",
            hint="Give 1 to as many.",
        )
    return _put(record, placed, np.asarray([count]), order, name)


def _differences(points: NDArray[Any], placed: Placed, name: str) -> NDArray[Any]:
    """The first point, then distances; points are rounded first, so that no rounding adds up."""
    datatype = placed.element.datatype
    assert datatype is not None, "only RESERVED has none"
    if datatype.is_float:
        return np.diff(points, prepend=0)
    wide = DataType.A_INT64 if datatype is not DataType.A_UINT64 else datatype
    return np.diff(round_to(points, wide, name=name).astype(object), prepend=0)


def _check_count(name: str, raw: NDArray[Any], shape: tuple[int, ...]) -> None:
    if raw.shape != shape:
        need = f"{shape[0]} points are" if len(shape) == 1 else f"{shape[0]} rescale pairs are"
        raise UsageError(f"{name}: {need} needed, an array of shape {raw.shape} was given.")


def _put(
    record: OpenRecord, placed: Placed, raw: NDArray[Any], order: ByteOrder, name: str
) -> list[tuple[Address, bytes]]:
    datatype = placed.element.datatype
    assert datatype is not None, "only RESERVED has none"
    return record.writes(placed, to_bytes(round_to(raw, datatype, name=name), datatype, order))


def _put_operands(
    record: OpenRecord, n: int, points: NDArray[Any], order: ByteOrder, name: str
) -> list[tuple[Address, bytes]]:
    """Offset and distance of evenly spaced points."""
    steps = np.diff(points)
    distance = float(steps[0]) if len(steps) else 0.0
    if not np.allclose(steps, distance, rtol=1e-9, atol=0):
        raise UsageError(f"{name}: its points are computed.", hint="Space them evenly.")
    offset = record.find("offset", n)
    assert offset is not None, "checked by the caller"
    out = _put(record, offset, points[:1], order, name)
    if not len(steps):
        return out
    placed = record.find("dist_op", n)
    if placed is None:
        placed = record.find("shift_op", n)
        shift = np.log2(distance) if distance > 0 else np.nan
        if placed is None or shift != np.round(shift):
            raise UsageError(
                f"{name}: its distance is a power of two.", hint="Space the points so."
            )
        distance = float(shift)
    return out + _put(record, placed, np.asarray([distance]), order, name)


def railed(table: NDArray[Any]) -> NDArray[Any]:
    """A table whose outermost values equal their neighbours (ASAP2, GUARD_RAILS).

    A dimension without inner values is left alone.
    """
    out = table.copy()
    for dim, n in enumerate(table.shape):
        if n > MIN_GUARDED:
            view = np.moveaxis(out, dim, 0)
            view[0], view[-1] = view[1], view[-2]
    return out


def check_monotony(name: str, values: NDArray[Any], word: str) -> None:
    """Refuse points that break MONOTONY.

    Raises:
        UsageError: they do.
    """
    steps = np.diff(values)
    rising, falling = bool(np.all(steps >= 0)), bool(np.all(steps <= 0))
    strict = bool(np.all(steps != 0))
    fine = {
        "MON_INCREASE": rising,
        "MON_DECREASE": falling,
        "STRICT_INCREASE": rising and strict,
        "STRICT_DECREASE": falling and strict,
        "MONOTONOUS": rising or falling,
        "STRICT_MON": (rising or falling) and strict,
    }.get(word, True)
    if not fine:
        raise UsageError(f"{name}: the points break {word}.", hint="Nothing was written.")
