"""ECU values of entries, for formats that hold those: converted and rounded as the description says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.formats.text_parts import shape_problem
from xcaliper.calib.paramset import EntryKind
from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError, XcaliperError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.memory_values import to_bytes
from xcaliper.quantity.points import write_points
from xcaliper.quantity.record_access import OpenRecord
from xcaliper.quantity.rounding import Target, fit_raw, phys_to_raw, target_of
from xcaliper.quantity.texts import encode_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.paramset import Entry
    from xcaliper.core.datatypes import DataType
    from xcaliper.quantity.catalog import Catalog

__all__ = ["RawEntry", "axis_type", "raw_entries", "raw_entry", "record_of"]


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An entry as the ECU holds it.

    Attributes:
        entry: the entry.
        bound: its description.
        values: raw values of the data type, slowest dimension first; the text of an ASCII.
        points: raw points of each axis that the parameter holds itself, X first; None for others.
    """

    entry: Entry
    bound: BoundCharacteristic | AxisPoints
    values: NDArray[Any] | str
    points: tuple[NDArray[Any] | None, ...] = ()

    @property
    def datatype(self) -> DataType:
        """Type of one value, or of one point of an axis object."""
        if isinstance(self.bound, AxisPoints):
            return axis_type(self.bound, 0)
        return self.bound.datatype


def axis_type(bound: BoundCharacteristic | AxisPoints, number: int) -> DataType:
    """Type in memory of the points of an axis that is in the record.

    Raises:
        UsageError: the record has none, or computes them.
    """
    element = bound.layout.find("axis_pts", number)
    if element is None or element.datatype is None:
        raise UsageError(f"{bound.name}: the points of axis {number} are computed, not stored.")
    return element.datatype


def raw_entry(entry: Entry, catalog: Catalog) -> RawEntry:
    """The ECU values of an entry; limits count for physical values, types for raw ones.

    Args:
        entry: physical or raw values.
        catalog: the description.

    Raises:
        NotFoundError: the description has no such parameter.
        LimitError: a value is outside of its limits or its type.
        UsageError: kind or shape differ, or there is no way back from physical values.
    """
    bound = catalog.bind(entry.name)
    if problem := shape_problem(entry):
        raise UsageError(f"{problem}.")
    if not isinstance(bound, BoundCharacteristic | AxisPoints):
        raise UsageError(f"{entry.name}: the description calls it a measurement.")
    if bound.type != entry.kind:
        raise UsageError(f"{entry.name}: the description calls it a {bound.type}.")
    if isinstance(entry.values, str) and bound.type == "ASCII":
        return RawEntry(entry, bound, entry.values)
    shape = np.shape(entry.values)
    if len(shape) != len(bound.shape) or any(
        n > most for n, most in zip(shape, bound.shape, strict=True)
    ):
        raise UsageError(f"{entry.name}: shape {shape} does not fit {bound.shape}.")
    if isinstance(bound, AxisPoints):
        limits = (bound.lower, bound.upper)
        target = Target(bound.name, bound.conversion, axis_type(bound, 0), limits, bound.unit)
        return RawEntry(entry, bound, _raw(entry.values, target, is_raw=entry.is_raw))
    values = _raw(entry.values, target_of(bound), is_raw=entry.is_raw)
    points = tuple(_points(entry, bound, n) for n in range(len(bound.axes)))
    return RawEntry(entry, bound, values, points)


def _raw(values: Any, target: Target, *, is_raw: bool) -> NDArray[Any]:
    if is_raw:
        return np.asarray(fit_raw(values, np.shape(values), target))
    return np.asarray(phys_to_raw(values, target).raw)


def _points(entry: Entry, bound: BoundCharacteristic, n: int) -> NDArray[Any] | None:
    """Raw points of an axis in the record; None for one that is elsewhere."""
    axis, given = bound.axes[n], entry.axes[n].values
    if axis.shared is not None or axis.fixed is not None or axis.curve is not None:
        return None
    if given is None:
        raise UsageError(f"{entry.name}: the points of axis {n} are not in the set.")
    target = Target(
        f"{entry.name} axis {n}",
        axis.conversion,
        axis_type(bound, n),
        (axis.lower, axis.upper),
        axis.unit,
    )
    return _raw(given, target, is_raw=entry.is_raw)


def record_of(raw: RawEntry) -> OpenRecord:
    """The record of a parameter with its values in it; what a set does not tell is 0.

    Args:
        raw: the values.

    Returns:
        The record at address 0, aligned as at its own address; ``data`` are its bytes.

    Raises:
        UsageError: parts of it are behind pointers, or another number of points is fixed.
    """
    bound = raw.bound
    _refuse_pointers(bound)
    shape = bound.shape if isinstance(raw.values, str) else raw.values.shape
    most = (
        (bound.max_points,)
        if isinstance(bound, AxisPoints)
        else tuple(axis.max_points for axis in bound.axes)
    )
    counts = tuple(reversed(shape)) if most else ()
    for n, (count, room) in enumerate(zip(counts, most, strict=True)):
        _check_count(bound, n, count, room)
    record = bound.layout.place(
        bound.address.value * bound.ag,
        most,
        given=dict(enumerate(counts)),
        values=None if counts else int(np.prod(shape)),
    )
    made = OpenRecord(bound.name, Address(0), 1, bound.layout, record, bytes(record.size_bytes))
    data = bytearray(record.size_bytes)
    for address, part in _writes(raw, made, counts):
        data[address.value : address.value + len(part)] = part
    return OpenRecord(bound.name, Address(0), 1, bound.layout, record, bytes(data))


def _refuse_pointers(bound: BoundCharacteristic | AxisPoints) -> None:
    behind = any(element.pointer is not None for element in bound.layout.elements)
    maps = isinstance(bound, BoundCharacteristic) and bound.maps
    if behind or maps or bound.pointers is not None:
        raise UsageError(f"{bound.name}: its values are behind pointers, or in several maps.")


def _check_count(bound: BoundCharacteristic | AxisPoints, n: int, count: int, room: int) -> None:
    """Refuse fewer points than the record has room for where nothing in it counts them."""
    axes = () if isinstance(bound, AxisPoints) else bound.axes
    shared = bool(axes) and axes[n].shared is not None
    if count != room and not shared and bound.layout.find("no_axis_pts", n) is None:
        raise UsageError(f"{bound.name}: axis {n} has {room} points, not {count}.")


def _writes(
    raw: RawEntry, record: OpenRecord, counts: tuple[int, ...]
) -> list[tuple[Address, bytes]]:
    """Everything that a set tells about a record, at its place."""
    bound = raw.bound
    order = bound.byte_order
    found: list[tuple[Address, bytes]] = []
    for n, count in enumerate(counts):
        if counted := record.find("no_axis_pts", n):
            assert counted.element.datatype is not None, "only RESERVED has none"
            data = to_bytes(np.array([count]), counted.element.datatype, order)
            found += record.writes(counted, data)
    if isinstance(bound, AxisPoints):
        assert not isinstance(raw.values, str), "points are numbers"
        points = raw.values
        return found + write_points(
            record, 0, points, order, bound.name, difference=bound.difference
        )
    for n, (axis, own) in enumerate(zip(bound.axes, raw.points, strict=True)):
        if own is not None:
            found += write_points(
                record, n, own, axis.byte_order, bound.name, difference=axis.difference
            )
    placed = record.find("fnc_values")
    assert placed is not None, "checked when bound"
    if isinstance(raw.values, str):
        size, encoding = placed.size_bytes, bound.encoding
        data = encode_text(bound.name, raw.values, size, encoding, bound.datatype, order)
    else:
        data = to_bytes(bound.in_memory(raw.values), bound.datatype, order)
    return found + record.writes(placed, data)


def raw_entries(values: Any, catalog: Catalog) -> tuple[list[RawEntry], list[str]]:
    """ECU values of every entry, and why some have none."""
    found: list[RawEntry] = []
    problems: list[str] = []
    for entry in values:
        try:
            if entry.kind == EntryKind.BLOB:
                problems.append(f"{entry.name}: a BLOB has no ECU values")
                continue
            found.append(raw_entry(entry, catalog))
        except XcaliperError as error:
            text = error.message.rstrip(".").removeprefix(f"{entry.name}: ")
            problems.append(f"{entry.name}: {text}")
    return found, problems
