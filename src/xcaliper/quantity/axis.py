"""Axes of tables: standard, fixed and common ones (ASAP2, AXIS_DESCR)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.compu import Conversion, compile_conversion, round_to
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.measurement import check_limits
from xcaliper.quantity.memory_values import at_offset, byte_order_of, from_bytes, to_bytes
from xcaliper.quantity.record_layout import Placed, Record, RecordShape, shape_of

__all__ = ["AxisPoints", "BoundAxis", "bind_axis", "bind_axis_points", "read_points"]


def read_points(
    data: bytes, placed: Placed, order: ByteOrder, *, difference: bool = False
) -> NDArray[Any]:
    """Raw axis points in rising order of index: DEPOSIT and INDEX_DECR undone."""
    assert placed.element.datatype is not None, "axis points have a type"
    raw = data[placed.offset : placed.offset + placed.size_bytes]
    points = from_bytes(raw, placed.element.datatype, order)
    if difference:
        points = np.cumsum(points, dtype=float if points.dtype.kind == "f" else np.int64)
    return points[::-1] if placed.element.reversed else points


def write_points(
    raw: NDArray[Any], placed: Placed, order: ByteOrder, name: str, *, difference: bool
) -> bytes:
    """Bytes of raw axis points."""
    assert placed.element.datatype is not None, "axis points have a type"
    points = raw[::-1] if placed.element.reversed else raw
    if difference:
        points = np.diff(points, prepend=0)
    return to_bytes(
        round_to(points, placed.element.datatype, name=name), placed.element.datatype, order
    )


@dataclass(frozen=True, slots=True)
class AxisPoints:
    """An AXIS_PTS object bound to memory.

    Attributes:
        name: full name.
        description: its long identifier.
        address: first address.
        ag: bytes per address unit.
        layout: its record layout.
        byte_order: order of its bytes.
        max_points: largest number of points.
        difference: DEPOSIT DIFFERENCE.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value.
        upper: highest physical value.
        writable: may be changed.
        input_quantity: name of the measurement for the working point, or empty.
        monotony: MONOTONY word, or empty.
    """

    name: str
    description: str
    address: Address
    ag: int
    layout: RecordShape
    byte_order: ByteOrder
    max_points: int
    difference: bool
    conversion: Conversion
    unit: str
    lower: float
    upper: float
    writable: bool
    input_quantity: str = ""
    monotony: str = ""
    format: str = ""

    @property
    def type(self) -> str:
        """``AXIS_PTS``."""
        return "AXIS_PTS"

    @property
    def shape(self) -> tuple[int, ...]:
        """Largest shape."""
        return (self.max_points,)

    def _place(self, data: bytes | None = None) -> Record:
        return self.layout.place(
            self.address.value * self.ag, (self.max_points,), data=data, order=self.byte_order
        )

    def memory_ranges(self) -> list[AddressRange]:
        """What to read: the record at its largest."""
        return [AddressRange(self.address, self._place().size_bytes)]

    def points(self, data: bytes) -> NDArray[Any]:
        """Raw points of the record's bytes."""
        placed = self._place(data).find("axis_pts", 0)
        if placed is None:
            raise UsageError(f"{self.name}: its record layout has no AXIS_PTS_X.", hint="Add it.")
        return read_points(data, placed, self.byte_order, difference=self.difference)

    def to_phys(self, raw: Any) -> NDArray[Any]:
        """Physical values of raw ones."""
        return self.conversion.to_phys(raw)

    def encode(self, phys: Any, *, data: bytes) -> list[tuple[Address, bytes]]:
        """Writes that change the points, not their number.

        Args:
            phys: as many values as there are points now.
            data: bytes of the record now.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: wrong number of points, or a fall where MONOTONY forbids it.
        """
        values = np.asarray(phys, dtype=float)
        placed = self._place(data).find("axis_pts", 0)
        if placed is None or values.shape != (placed.count,):
            need = placed.count if placed else 0
            raise UsageError(f"{self.name}: {need} points are needed, {values.size} were given.")
        check_limits(self.name, values, self.lower, self.upper, self.unit)
        check_monotony(self.name, values, self.monotony)
        raw = write_points(
            self.conversion.to_raw(values),
            placed,
            self.byte_order,
            self.name,
            difference=self.difference,
        )
        return [(at_offset(self.address, placed.offset, self.ag, self.name), raw)]


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


def bind_axis_points(
    index: ModuleIndex, located: Located, *, ag: int = 1, version: str = "1.71"
) -> AxisPoints:
    """An AXIS_PTS object whose description was found already."""
    made = located.made
    name = located.name
    assert located.address is not None, "AXIS_PTS have an address by grammar"
    hard = made.extended_limits
    limits = (hard.lower_limit, hard.upper_limit) if hard else (made.lower_limit, made.upper_limit)
    conversion = compile_conversion(
        made.conversion, index, limits=limits, phys_unit=made.phys_unit, version=version
    )
    access = getattr(made, "calibration_access", None)
    none = made.input_quantity == "NO_INPUT_QUANTITY"
    return AxisPoints(
        name=name,
        description=made.long_identifier,
        address=Address(located.address, located.extension),
        ag=ag,
        layout=shape_of(made.deposit_record, index, name),
        byte_order=byte_order_of(made.byte_order, index),
        max_points=made.max_axis_points,
        difference=made.deposit == "DIFFERENCE",
        conversion=conversion,
        unit=conversion.unit,
        lower=limits[0],
        upper=limits[1],
        writable=not getattr(made, "read_only", False) and access in (None, "CALIBRATION"),
        input_quantity="" if none else made.input_quantity,
        monotony=made.monotony or "",
        format=made.format or "",
    )


@dataclass(frozen=True, slots=True)
class BoundAxis:
    """One axis of a table.

    Attributes:
        attribute: STD_AXIS, FIX_AXIS or COM_AXIS.
        name: name of the axis object, else of the input quantity; may be empty.
        input_quantity: name of the measurement for the working point, or empty.
        max_points: largest number of points.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value.
        upper: highest physical value.
        byte_order: order of its bytes, for points inside the table.
        difference: DEPOSIT DIFFERENCE, for points inside the table.
        fixed: raw points listed or computed by the description; None otherwise.
        shared: the axis object of a common axis; None otherwise.
        monotony: MONOTONY word, or empty.
    """

    attribute: str
    name: str
    input_quantity: str
    max_points: int
    conversion: Conversion
    unit: str
    lower: float
    upper: float
    byte_order: ByteOrder
    difference: bool
    fixed: tuple[float, ...] | None = None
    shared: AxisPoints | None = None
    monotony: str = ""


def bind_axis(
    index: ModuleIndex,
    descr: AxisDescr,
    owner: Located,
    order: ByteOrder,
    *,
    ag: int = 1,
    version: str = "1.71",
) -> BoundAxis:
    """An axis of a table.

    Raises:
        UsageError: the axis cannot be used.
    """
    if descr.attribute not in ("STD_AXIS", "FIX_AXIS", "COM_AXIS"):
        raise UsageError(
            f"{owner.name}: axes of type {descr.attribute} are not supported.",
            hint="Read the bytes by address.",
        )
    conversion = compile_conversion(
        descr.conversion,
        index,
        limits=(descr.lower_limit, descr.upper_limit),
        phys_unit=descr.phys_unit,
        version=version,
    )
    quantity = "" if descr.input_quantity == "NO_INPUT_QUANTITY" else descr.input_quantity
    shared: AxisPoints | None = None
    if descr.attribute == "COM_AXIS":
        shared = _shared(index, descr, owner, ag, version)
    fixed = fixed_points(descr) if descr.attribute == "FIX_AXIS" else None
    return BoundAxis(
        attribute=descr.attribute,
        name=shared.name if shared else quantity,
        input_quantity=quantity,
        max_points=shared.max_points if shared else len(fixed or ()) or descr.max_axis_points,
        conversion=conversion,
        unit=conversion.unit,
        lower=descr.lower_limit,
        upper=descr.upper_limit,
        byte_order=byte_order_of(descr.byte_order, index) if descr.byte_order else order,
        difference=descr.deposit == "DIFFERENCE",
        fixed=fixed,
        shared=shared,
        monotony=descr.monotony or "",
    )


def _shared(
    index: ModuleIndex, descr: AxisDescr, owner: Located, ag: int, version: str
) -> AxisPoints:
    name = descr.axis_pts_ref or ""
    if name.startswith("THIS."):
        name = owner.scope + name.removeprefix("THIS.")
    located = locate(index, name, ag=ag)
    if located is None and owner.scope:
        # Deviates: some generators name a sibling component without THIS
        located = locate(index, owner.scope + name, ag=ag)
    if located is None or located.kind != "axis_pts":
        raise NotFoundError(name or "AXIS_PTS_REF", kind=f"axis of {owner.name}")
    return bind_axis_points(index, located, ag=ag, version=version)


def fixed_points(descr: AxisDescr) -> tuple[float, ...] | None:
    """Raw points that the description itself gives; None when they are in memory."""
    if descr.fix_axis_par_list is not None:
        return tuple(descr.fix_axis_par_list.axis_pts_value)
    if descr.fix_axis_par is not None:
        par = descr.fix_axis_par
        step = 2.0**par.shift if -64 <= par.shift <= 64 else 1.0
        return tuple(par.offset + i * step for i in range(min(par.number_apo, 65_535)))
    if descr.fix_axis_par_dist is not None:
        dist = descr.fix_axis_par_dist
        count = min(dist.number_apo, 65_535)
        return tuple(dist.offset + i * dist.distance for i in range(count))
    return None
