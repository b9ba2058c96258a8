"""Axes of tables: standard, fixed, common, rescale and curve axes (ASAP2, AXIS_DESCR, AXIS_PTS)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.compu import Conversion, compile_conversion
from xcaliper.quantity.conversion import floats_of
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.measurement import chain_of
from xcaliper.quantity.memory_values import Read, byte_order_of
from xcaliper.quantity.points import (
    PointsRule,
    encode_count,
    encode_points,
    read_pairs,
    read_points,
)
from xcaliper.quantity.record_access import OpenRecord, PointerChain, read_exactly
from xcaliper.quantity.record_layout import Record, RecordShape, shape_of
from xcaliper.quantity.sizes import fixed_points
from xcaliper.quantity.window import Window, window_of

if TYPE_CHECKING:
    from xcaliper.quantity.characteristic import BoundCharacteristic

__all__ = [
    "AxisPoints",
    "BoundAxis",
    "bind_axis",
    "bind_axis_points",
    "curve_points",
    "described_points",
    "sibling",
]


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
        lower: lowest physical value that is accepted.
        upper: highest physical value that is accepted.
        writable: may be changed.
        input_quantity: name of the measurement for the working point, or empty.
        monotony: MONOTONY word, or empty.
        format: display format.
        soft_limits: limits of normal use; equal to the others without EXTENDED_LIMITS.
        pointers: pointers between the address and the data, or None; see ``resolve``.
        guard_rails: GUARD_RAILS; the outermost points are not for adjustment and are kept.
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
    soft_limits: tuple[float, float] = (-np.inf, np.inf)
    pointers: PointerChain | None = None
    guard_rails: bool = False

    @property
    def type(self) -> str:
        """``AXIS_PTS``."""
        return "AXIS_PTS"

    @property
    def shape(self) -> tuple[int, ...]:
        """Largest shape."""
        return (self.max_points,)

    @property
    def is_rescale(self) -> bool:
        """True when pairs are stored, from which the points are computed (ASAP2, AXIS_RESCALE_X)."""
        return self.layout.find("axis_rescale", 0) is not None and (
            self.layout.find("axis_pts", 0) is None
        )

    def resolve(self, read: Read) -> "AxisPoints":
        """The same axis at the address its pointers lead to now.

        Raises:
            UsageError: a pointer is null or cannot be read.
        """
        if self.pointers is None:
            return self
        return replace(self, address=self.pointers.follow(self.address, read), pointers=None)

    def _place(self, data: bytes | None = None) -> Record:
        return self.layout.place(
            self.address.value * self.ag, (self.max_points,), data=data, order=self.byte_order
        )

    def memory_ranges(self) -> list[AddressRange]:
        """What to read: the record at its largest; behind a pointer, where the pointer is."""
        if self.pointers is not None:
            return [self.pointers.first(self.address)]
        return [AddressRange(self.address, self._place().size_bytes)]

    def _open(self, data: bytes, read: Read | None) -> OpenRecord:
        return OpenRecord(
            self.name, self.address, self.ag, self.layout, self._place(data), data, read
        )

    def _data(self, read: Read) -> bytes:
        return read_exactly(read, self.address, self._place().size_bytes, self.name)

    def points(self, data: bytes, *, read: Read | None = None) -> NDArray[Any]:
        """Raw points of the record's bytes.

        Args:
            data: bytes of the record.
            read: gives memory; needed where the record holds pointers.
        """
        record = self._open(data, read)
        found = read_points(record, 0, self.byte_order, difference=self.difference)
        if found is None:
            raise UsageError(f"{self.name}: its record layout has no AXIS_PTS_X.", hint="Add it.")
        return found

    def decode(self, read: Read) -> NDArray[Any]:
        """Raw points.

        Args:
            read: gives bytes of memory for an address and a size in bytes.
        """
        if self.pointers is not None:
            return self.resolve(read).decode(read)
        return self.points(self._data(read), read=read)

    def window(self, read: Read | None = None) -> Window:
        """Where the points are, so that they can be measured.

        Args:
            read: gives memory as it is; without it the axis is taken to be as long as it can be.

        Raises:
            UsageError: they are not stored as points, one behind the other.
        """
        record = self._open(b"" if read is None else self._data(read), read)
        placed = record.find("axis_pts", 0)
        if placed is None or self.difference:
            raise UsageError(
                f"{self.name}: its points are computed from what is stored.",
                hint="Read it with read().",
            )
        count = record.record.counts[0]
        flips = (slice(None, None, -1) if placed.element.reversed else slice(None),)
        return window_of(record, placed, self.byte_order, (count,), (0,), flips)

    def pairs(self, read: Read) -> NDArray[Any]:
        """Raw rescale pairs, array[n, 2] of axis point and virtual point.

        Raises:
            UsageError: it is no rescale axis.
        """
        if self.pointers is not None:
            return self.resolve(read).pairs(read)
        found = read_pairs(self._open(self._data(read), read), 0, self.byte_order)
        if found is None:
            raise UsageError(f"{self.name}: it is no rescale axis.", hint="Read its points.")
        return found

    def parts(self, read: Read) -> dict[str, Any]:
        """Numbers of the record that are no points, as ``{"no_axis_pts_x": 5}``."""
        if self.pointers is not None:
            return self.resolve(read).parts(read)
        return self._open(self._data(read), read).parts(self.byte_order)

    def doubts(self, read: Read) -> tuple[str, ...]:
        """Counts in memory that cannot be right."""
        if self.pointers is not None:
            return self.resolve(read).doubts(read)
        found = self._open(self._data(read), read).record.doubts
        return tuple(f"{self.name}: {one}" for one in found)

    def to_phys(self, raw: Any) -> NDArray[Any]:
        """Physical values of raw ones."""
        return self.conversion.to_phys(raw)

    def encode(
        self, phys: Any, *, data: bytes | None = None, read: Read | None = None
    ) -> list[tuple[Address, bytes]]:
        """Writes that change the points, not their number.

        Args:
            phys: as many values as there are points now; for a rescale axis its pairs, array[n, 2],
                of a physical axis point and a virtual point each.
            data: bytes of the record now.
            read: gives memory, instead of the bytes or where the record holds pointers.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: wrong number of points, or a fall where MONOTONY forbids it.
        """
        if read is None and (data is None or self.pointers is not None):
            raise UsageError(f"{self.name}: writing it depends on memory.", hint="Give a reader.")
        if read is not None and self.pointers is not None:
            return self.resolve(read).encode(phys, read=read)
        now = self._data(read) if data is None and read is not None else data or b""
        return encode_points(self._open(now, read), 0, phys, self._rule())

    def encode_raw(self, raw: Any, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that change the points to raw ones, not their number; limits do not count.

        Args:
            raw: as many values as there are points now; pairs for a rescale axis.
            read: gives memory.

        Raises:
            LimitError: a value does not fit its type.
            UsageError: wrong number of points, or a fall where MONOTONY forbids it.
        """
        if self.pointers is not None:
            return self.resolve(read).encode_raw(raw, read=read)
        record = self._open(self._data(read), read)
        return encode_points(record, 0, raw, self._rule(), raw=True)

    def encode_count(self, count: int, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that change how many points, or rescale pairs, are in use; the points follow.

        Args:
            count: as many as will be in use.
            read: gives memory.

        Raises:
            UsageError: memory does not tell the number, or there is no room for so many.
        """
        if self.pointers is not None:
            return self.resolve(read).encode_count(count, read=read)
        pairs = self.layout.find("axis_rescale", 0)
        largest = max(self.max_points, pairs.max_pairs if pairs is not None else 0)
        record = self._open(self._data(read), read)
        return encode_count(record, 0, count, largest, self.byte_order, self.name)

    def _rule(self) -> PointsRule:
        return PointsRule(
            self.name,
            self.conversion,
            (self.lower, self.upper),
            self.unit,
            self.monotony,
            self.byte_order,
            self.difference,
            self.guard_rails,
        )


def _limits(made: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Hard and soft limits."""
    hard, soft = made.extended_limits, (made.lower_limit, made.upper_limit)
    return ((hard.lower_limit, hard.upper_limit) if hard else soft), soft


def _deposit(made: Any, index: ModuleIndex) -> bool:
    """True for DIFFERENCE: the object's own word, else MOD_COMMON's."""
    common = index.module.mod_common
    return (made.deposit or (common.deposit if common else None)) == "DIFFERENCE"


def bind_axis_points(
    index: ModuleIndex, located: Located, *, ag: int = 1, version: str = "1.71"
) -> AxisPoints:
    """An AXIS_PTS object whose description was found already."""
    made = located.made
    name = located.name
    assert located.address is not None, "AXIS_PTS have an address by grammar"
    limits, soft = _limits(made)
    conversion = compile_conversion(
        made.conversion, index, limits=limits, phys_unit=made.phys_unit, version=version
    )
    none = made.input_quantity == "NO_INPUT_QUANTITY"
    return AxisPoints(
        name=name,
        description=made.long_identifier,
        address=Address(located.address, located.extension),
        ag=ag,
        layout=shape_of(made.deposit_record, index, name),
        byte_order=byte_order_of(made.byte_order, index),
        max_points=max(0, made.max_axis_points),
        difference=_deposit(made, index),
        conversion=conversion,
        unit=conversion.unit,
        lower=limits[0],
        upper=limits[1],
        writable=not getattr(made, "read_only", False) and located.access in (None, "CALIBRATION"),
        input_quantity="" if none else made.input_quantity,
        monotony=made.monotony or "",
        format=made.format or "",
        soft_limits=soft,
        pointers=chain_of(index, located),
        guard_rails=bool(getattr(made, "guard_rails", False)),
    )


@dataclass(frozen=True, slots=True)
class BoundAxis:
    """One axis of a table.

    Attributes:
        attribute: STD_AXIS, FIX_AXIS, COM_AXIS, RES_AXIS or CURVE_AXIS.
        name: name of the axis object or curve, else of the input quantity; may be empty.
        input_quantity: name of the measurement for the working point, or empty.
        max_points: largest number of points.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value that is accepted.
        upper: highest physical value that is accepted.
        byte_order: order of its bytes, for points inside the table.
        difference: DEPOSIT DIFFERENCE, for points inside the table.
        fixed: raw points listed or computed by the description; None otherwise.
        shared: the axis object of a common or rescale axis; None otherwise.
        monotony: MONOTONY word, or empty.
        curve: the curve that gives the index into a curve axis; None otherwise.
        soft_limits: limits of normal use.
        read_only: READ_ONLY of the axis.
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
    curve: "BoundCharacteristic | None" = None
    soft_limits: tuple[float, float] = (-np.inf, np.inf)
    read_only: bool = False

    def to_phys(self, raw: Any) -> NDArray[Any]:
        """Physical values of raw points; those of a curve axis are physical inputs already."""
        return np.asarray(raw) if self.curve is not None else self.conversion.to_phys(raw)

    def own(self) -> AxisPoints:
        """The axis object as this table sees it: with the conversion and limits of AXIS_DESCR."""
        assert self.shared is not None, "asked for common axes only"
        return replace(
            self.shared,
            conversion=self.conversion,
            unit=self.unit,
            lower=self.lower,
            upper=self.upper,
        )


def described_points(fixed: tuple[float, ...]) -> NDArray[Any]:
    """Raw points that the description gives: int64 where all are whole, float64 otherwise."""
    points = np.asarray(fixed, dtype=float)
    whole = np.all(points == np.trunc(points)) and np.all(np.abs(points) < 2**53)
    return points.astype(np.int64) if whole else points


def curve_points(inputs: NDArray[Any], indices: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Inputs at which a curve yields 0, 1, 2, …; not-a-number where it never does.

    Args:
        inputs: physical axis points of the curve, array[n].
        indices: physical values of the curve, array[n].
        count: number of points of the axis.
    """
    x, y = floats_of(inputs), floats_of(indices)
    wanted = np.arange(count, dtype=float)
    found = np.full(count, np.nan)
    if len(x) == 1:
        found[wanted == y[0]] = x[0]
    for n in range(len(x) - 1):
        low, high = sorted((y[n], y[n + 1]))
        hit = np.isnan(found) & (wanted >= low) & (wanted <= high)
        rise = y[n + 1] - y[n]
        part = (wanted[hit] - y[n]) / rise if rise else np.zeros(int(hit.sum()))
        found[hit] = x[n] + part * (x[n + 1] - x[n])
    return found


def sibling(index: ModuleIndex, owner: Located, name: str, *, ag: int = 1) -> Located | None:
    """What an AXIS_DESCR refers to: a plain name, or one beside the component (ASAP2, THIS, 1.7)."""
    if name.startswith("THIS."):
        name = owner.scope + name.removeprefix("THIS.")
    located = locate(index, name, ag=ag)
    if located is None and owner.scope:
        # Deviates: some generators name a sibling component without THIS
        located = locate(index, owner.scope + name, ag=ag)
    return located


def bind_axis(
    index: ModuleIndex,
    descr: AxisDescr,
    owner: Located,
    order: ByteOrder,
    *,
    ag: int = 1,
    version: str = "1.71",
    curve: "BoundCharacteristic | None" = None,
) -> BoundAxis:
    """An axis of a table.

    Args:
        index: the module.
        descr: its description.
        owner: the table.
        order: byte order of the table.
        ag: bytes per address unit.
        version: version of ASAP2.
        curve: the bound curve of a curve axis.

    Raises:
        UsageError: the axis cannot be used.
    """
    limits, soft = _limits(descr)
    conversion = compile_conversion(
        descr.conversion, index, limits=limits, phys_unit=descr.phys_unit, version=version
    )
    quantity = "" if descr.input_quantity == "NO_INPUT_QUANTITY" else descr.input_quantity
    shared: AxisPoints | None = None
    if descr.attribute in ("COM_AXIS", "RES_AXIS"):
        located = sibling(index, owner, descr.axis_pts_ref or "", ag=ag)
        if located is None or located.kind != "axis_pts":
            raise NotFoundError(descr.axis_pts_ref or "AXIS_PTS_REF", kind=f"axis of {owner.name}")
        shared = bind_axis_points(index, located, ag=ag, version=version)
    fixed = fixed_points(descr) if descr.attribute == "FIX_AXIS" else None
    named = shared or curve
    unit = conversion.unit
    if curve is not None:
        unit = curve.axes[0].unit
    return BoundAxis(
        attribute=descr.attribute,
        name=named.name if named else quantity,
        input_quantity=quantity,
        max_points=max(
            0, shared.max_points if shared else len(fixed or ()) or descr.max_axis_points
        ),
        conversion=conversion,
        unit=unit,
        lower=limits[0],
        upper=limits[1],
        byte_order=byte_order_of(descr.byte_order, index) if descr.byte_order else order,
        difference=_deposit(descr, index),
        fixed=fixed,
        shared=shared,
        monotony=descr.monotony or "",
        curve=curve,
        soft_limits=soft,
        read_only=descr.read_only,
    )
