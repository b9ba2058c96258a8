"""Parameters bound to memory: scalars, texts, arrays, curves and maps (ASAP2, CHARACTERISTIC)."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.if_xcp import XcpDaqEvent
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.axis import BoundAxis, curve_points, described_points
from xcaliper.quantity.bits import BitField
from xcaliper.quantity.compu import Conversion
from xcaliper.quantity.memory_values import Read, at_offset, to_bytes
from xcaliper.quantity.points import PointsRule, encode_count, encode_points, railed, read_points
from xcaliper.quantity.record_access import OpenRecord, PointerChain, read_exactly
from xcaliper.quantity.record_layout import Placed, Record, RecordShape, memory_axes
from xcaliper.quantity.rounding import PhysToRaw, check_shape, fit_raw, phys_to_raw, target_of
from xcaliper.quantity.texts import decode_text, encode_text
from xcaliper.quantity.window import Window, window_of

__all__ = ["BoundCharacteristic", "PhysCharacteristic", "RawCharacteristic", "Read"]


@dataclass(frozen=True, slots=True)
class RawCharacteristic:
    """ECU values.

    Attributes:
        values: array of the actual shape, slowest dimension first; 0-dimensional for a scalar.
        axes: raw points of each axis, X first.
    """

    values: NDArray[Any]
    axes: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class PhysCharacteristic:
    """Engineering values.

    Attributes:
        values: array of the actual shape, a 0-dimensional array for a scalar, or a text.
        axes: physical points of each axis, X first.
    """

    values: NDArray[Any] | str
    axes: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class BoundCharacteristic:
    """A parameter with everything needed to read and write it.

    Attributes:
        name: full name.
        description: its long identifier.
        type: VALUE, ASCII, VAL_BLK, CURVE, MAP, CUBOID, CUBE_4 or CUBE_5.
        address: first address.
        ag: bytes per address unit.
        layout: its record layout.
        datatype: type of one value in memory.
        byte_order: order of its bytes.
        shape: largest shape, slowest dimension first; a map is (y, x).
        axes: axes, X first.
        bits: mask and shift, or None.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value that is accepted.
        upper: highest physical value that is accepted.
        soft_limits: limits of normal use; equal to the others without EXTENDED_LIMITS.
        writable: may be changed.
        encoding: ENCODING word of texts, or empty.
        events: DAQ events of the description, or None.
        format: display format.
        memory_order: dimensions of an array in memory, slowest first; empty for that of the layout.
        pointers: pointers between the address and the data, or None; see ``resolve``.
        dependent: it is recomputed from others (ASAP2, DEPENDENT_CHARACTERISTIC).
        maps: the maps a cuboid is assembled from, in Z order (ASAP2, MAP_LIST).
        guard_rails: GUARD_RAILS; the outermost values follow their neighbours when written.
    """

    name: str
    description: str
    type: str
    address: Address
    ag: int
    layout: RecordShape
    datatype: DataType
    byte_order: ByteOrder
    shape: tuple[int, ...]
    axes: tuple[BoundAxis, ...]
    bits: BitField | None
    conversion: Conversion
    unit: str
    lower: float
    upper: float
    soft_limits: tuple[float, float]
    writable: bool
    encoding: str = ""
    events: XcpDaqEvent | None = None
    format: str = ""
    memory_order: tuple[int, ...] = ()
    pointers: PointerChain | None = None
    dependent: bool = False
    maps: "tuple[BoundCharacteristic, ...]" = ()
    guard_rails: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the record at its largest, without shared axes."""
        return self._place(None, {}).size_bytes

    @property
    def value_address(self) -> Address:
        """Address of the first value of a parameter without axes; elements of the record may precede.

        Raises:
            UsageError: the values are behind a pointer.
        """
        placed = self._place(None, {}).find("fnc_values")
        assert placed is not None, "checked when bound"
        if placed.element.pointer is not None:
            raise UsageError(
                f"{self.name}: its values are behind a pointer in the record.",
                hint="Read it instead of measuring it.",
            )
        return at_offset(self.address, placed.offset, self.ag, self.name)

    def arrange(self, memory: NDArray[Any]) -> NDArray[Any]:
        """Raw values of samples of a parameter without axes, array[n, *shape].

        Args:
            memory: memory values in native byte order, array[n, count] or array[n].
        """
        values = self.bits.take(memory, self.datatype) if self.bits else memory
        order = self.memory_order or tuple(range(len(self.shape)))
        table = values.reshape(len(memory), *(self.shape[n] for n in order))
        return table.transpose(0, *(np.argsort(order) + 1).tolist())

    def _place(self, data: bytes | None, given: dict[int, int]) -> Record:
        return self.layout.place(
            self.address.value * self.ag,
            tuple(axis.max_points for axis in self.axes),
            given=given,
            data=data,
            order=self.byte_order,
            values=None if self.axes else prod(self.shape),
        )

    def resolve(self, read: Read) -> "BoundCharacteristic":
        """The same parameter at the address its pointers lead to now.

        Raises:
            UsageError: a pointer is null or cannot be read.
        """
        if self.pointers is None:
            return self
        return replace(self, address=self.pointers.follow(self.address, read), pointers=None)

    def memory_ranges(self) -> list[AddressRange]:
        """What to read: the record at its largest, then every shared axis and curve.

        Behind a pointer it is the place of the pointer.
        """
        if self.pointers is not None:
            ranges = [self.pointers.first(self.address)]
        elif self.maps:
            ranges = [r for one in self.maps for r in one.memory_ranges()]
        else:
            ranges = [AddressRange(self.address, self.size_bytes)]
        for axis in self.axes:
            if axis.shared is not None:
                ranges.extend(axis.shared.memory_ranges())
            if axis.curve is not None:
                ranges.extend(axis.curve.memory_ranges())
        return ranges

    def _open(self, read: Read) -> tuple[OpenRecord, dict[int, NDArray[Any]]]:
        """The record as it is, and the points that are not in it."""
        outside: dict[int, NDArray[Any]] = {}
        for n, axis in enumerate(self.axes):
            if axis.shared is not None:
                outside[n] = axis.shared.decode(read)
            elif axis.fixed is not None:
                outside[n] = described_points(axis.fixed)
        given = {n: len(points) for n, points in outside.items() if not self._counted(n)}
        sized = self._place(None, given)
        data = read_exactly(read, self.address, sized.size_bytes, self.name)
        if self.layout.is_counted:
            record = self._record(data, given, read)
        else:  # nothing in memory moves anything
            record = OpenRecord(self.name, self.address, self.ag, self.layout, sized, data, read)
        return record, {n: points[: record.record.counts[n]] for n, points in outside.items()}

    def _counted(self, n: int) -> bool:
        """True for a fixed axis whose points in use are counted in the record or its layout."""
        own = self.layout.find("no_axis_pts", n) is not None or n in self.layout.fixed
        return own and self.axes[n].shared is None

    def _record(self, data: bytes, given: dict[int, int], read: Read | None) -> OpenRecord:
        record = self._place(data or None, given)
        return OpenRecord(self.name, self.address, self.ag, self.layout, record, data, read)

    def _values(self, record: OpenRecord) -> Placed:
        placed = record.find("fnc_values")
        assert placed is not None, "checked when bound"
        return placed

    def decode(self, read: Read) -> RawCharacteristic:
        """Raw values and axis points.

        Args:
            read: gives bytes of memory for an address and a size in bytes.

        Raises:
            UsageError: memory or a pointer cannot be read.
        """
        if self.pointers is not None:
            return self.resolve(read).decode(read)
        if self.maps:
            return self._decode_maps(read)
        record, outside = self._open(read)
        memory = self._memory(record)
        values = self.bits.take(memory, self.datatype) if self.bits else memory
        axes = [
            outside[n] if n in outside else self._points(record, n) for n in range(len(self.axes))
        ]
        return RawCharacteristic(values, tuple(axes))

    def parts(self, read: Read) -> dict[str, Any]:
        """Numbers of the record that are neither values nor points: identification, counts, addresses.

        Args:
            read: gives bytes of memory for an address and a size in bytes.

        Returns:
            Keyword in lower case → number, as ``{"identification": 7, "src_addr_x": 4096}``.
        """
        if self.pointers is not None:
            return self.resolve(read).parts(read)
        return self._open(read)[0].parts(self.byte_order)

    def doubts(self, read: Read) -> tuple[str, ...]:
        """Counts in memory that cannot be right, those of shared axes as well."""
        if self.pointers is not None:
            return self.resolve(read).doubts(read)
        parts = [one.doubts(read) for one in self.maps]
        parts += [axis.shared.doubts(read) for axis in self.axes if axis.shared is not None]
        parts += [axis.curve.doubts(read) for axis in self.axes if axis.curve is not None]
        own = () if self.maps or not self.axes else self._open(read)[0].record.doubts
        return tuple(f"{self.name}: {one}" for one in own) + tuple(d for p in parts for d in p)

    def _decode_maps(self, read: Read) -> RawCharacteristic:
        """Maps stacked along Z; X and Y are those of the first map."""
        found = [one.decode(read) for one in self.maps]
        if len({one.values.shape for one in found}) != 1:
            raise UsageError(f"{self.name}: its maps differ in size.", hint="Read them singly.")
        axis = self.axes[2]
        if axis.shared is not None:
            z = axis.shared.decode(read)
        else:
            z = np.asarray(axis.fixed if axis.fixed is not None else range(len(found)))
        return RawCharacteristic(np.stack([one.values for one in found]), (*found[0].axes, z))

    def window(self, read: Read | None = None) -> Window:
        """Where the values of a table are, so that they can be measured.

        Args:
            read: gives memory as it is; without it the table is taken to be as large as it can be.

        Raises:
            UsageError: they are not in one piece, or only memory tells where.
        """
        if self.maps:
            raise UsageError(
                f"{self.name}: it is made of several maps.", hint="Measure those of MAP_LIST."
            )
        if read is None:
            record = self._record(b"", {}, None)
        else:
            record, _ = self._open(read)
        placed, shape = self._values(record), self._actual(record)
        if read is None and placed.element.pointer is not None:
            raise self._needs_reader()
        order = self._order(placed, len(shape))
        return window_of(record, placed, self.byte_order, shape, order, self.index_flips())

    def _points(self, record: OpenRecord, n: int) -> NDArray[Any]:
        axis = self.axes[n]
        if axis.curve is not None:
            assert record.read is not None, "opened with a reader"
            curve = axis.curve.to_phys(axis.curve.decode(record.read))
            assert not isinstance(curve.values, str), "a curve holds numbers"
            return curve_points(curve.axes[0], curve.values, record.record.counts[n])
        found = read_points(record, n, axis.byte_order, difference=axis.difference)
        if found is None:
            raise UsageError(
                f"{self.name}: the points of axis {n} are neither in the record nor described.",
                hint="Correct AXIS_DESCR or the record layout.",
            )
        return found

    def _actual(self, record: OpenRecord) -> tuple[int, ...]:
        return tuple(reversed(record.record.counts)) if self.axes else self.shape

    def index_flips(self) -> tuple[slice, ...]:
        """Index that undoes INDEX_DECR in every dimension, slowest first."""
        return tuple(
            slice(None, None, -1) if self._decreasing(n) else slice(None)
            for n in reversed(range(len(self.axes)))
        )

    def _decreasing(self, n: int) -> bool:
        shared = self.axes[n].shared
        layout, at = (shared.layout, 0) if shared else (self.layout, n)
        element = layout.find("axis_pts", at) or layout.find("axis_rescale", at)
        return element is not None and element.reversed

    def _order(self, placed: Placed, ndim: int) -> tuple[int, ...]:
        return self.memory_order or memory_axes(placed.element.mode, ndim)

    def _memory(self, record: OpenRecord) -> NDArray[Any]:
        """Memory values in logical order."""
        placed = self._values(record)
        shape = self._actual(record)
        order = self._order(placed, len(shape))
        flat = record.values(placed, self.byte_order)
        table = flat.reshape([shape[n] for n in order]).transpose(np.argsort(order).tolist())
        return table[self.index_flips()] if self.axes else table

    def _stored(self, table: NDArray[Any], placed: Placed) -> NDArray[Any]:
        """Memory order of a logical table, array[n]."""
        if self.axes:
            table = table[self.index_flips()]
        return table.transpose(self._order(placed, table.ndim)).reshape(-1)

    def in_memory(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Raw values in the order of memory, array[n]; a bit field is at its place, other bits are 0.

        Args:
            raw: whole raw values of the data type, slowest dimension first.
        """
        if self.bits:
            raw = self.bits.put(np.zeros(raw.shape, self.datatype.dtype()), raw, self.name)
        return self._stored(raw, self._values(self._record(b"", {}, None)))

    def to_phys(self, raw: RawCharacteristic) -> PhysCharacteristic:
        """Physical values and axis points; texts end at their first NUL."""
        axes = tuple(axis.to_phys(points) for axis, points in zip(self.axes, raw.axes, strict=True))
        if self.type == "ASCII":
            return PhysCharacteristic(
                decode_text(raw.values, self.encoding, self.datatype, self.byte_order), axes
            )
        return PhysCharacteristic(self.conversion.to_phys(raw.values), axes)

    def phys_to_raw(self, phys: Any, *, clamp: bool = False) -> PhysToRaw:
        """Raw values for physical ones, with a report of rounding and clamping.

        Args:
            phys: values of any shape.
            clamp: bring values outside of the limits to them instead of refusing them.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: no way back.
        """
        return phys_to_raw(phys, target_of(self), clamp=clamp)

    def encode(
        self, phys: Any, *, read: Read | None = None, clamp: bool = False
    ) -> list[tuple[Address, bytes]]:
        """Writes that give the parameter physical values; nothing is left to check afterwards.

        Args:
            phys: a number, a text, or an array of the actual shape; texts of a verbal conversion.
            read: gives bytes of memory now; needed for tables and where a mask leaves bits alone.
            clamp: bring values outside of the limits to them instead of refusing them.

        Raises:
            LimitError: a value is outside of its limits or its type.
            UsageError: wrong shape, text too long, text unknown, or no way back.
        """
        if self.pointers is not None:
            if read is None:
                raise self._needs_reader()
            return self.resolve(read).encode(phys, read=read, clamp=clamp)
        if self.type == "ASCII":
            return self._encode_text(phys, read)
        if self.maps:
            return self._encode_maps(phys, read, clamp=clamp)
        record = self._now(read)
        check_shape(self.name, phys, self._actual(record))
        return self._put(record, self.phys_to_raw(phys, clamp=clamp).raw)

    def encode_raw(self, raw: Any, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that give the parameter raw values; limits do not count, those of the type do.

        Args:
            raw: array of the actual shape; whole numbers, or what a float type holds.
            read: gives bytes of memory now.

        Raises:
            LimitError: a value does not fit its type or its bits.
            UsageError: wrong shape.
        """
        if self.pointers is not None:
            return self.resolve(read).encode_raw(raw, read=read)
        if self.maps:
            slabs = self._slabs(raw)
            return [w for one, slab in slabs for w in one.encode_raw(slab, read=read)]
        record = self._open(read)[0]
        return self._put(record, fit_raw(raw, self._actual(record), target_of(self)))

    def _put(self, record: OpenRecord, raw: NDArray[Any]) -> list[tuple[Address, bytes]]:
        placed = self._values(record)
        if self.guard_rails and self.axes:
            raw = railed(raw)
        if self.bits:
            raw = self.bits.put(self._memory(record), raw, self.name)
        out = to_bytes(self._stored(raw, placed), self.datatype, self.byte_order)
        return record.writes(placed, out)

    def _encode_maps(
        self, phys: Any, read: Read | None, *, clamp: bool
    ) -> list[tuple[Address, bytes]]:
        slabs = self._slabs(phys)
        return [w for one, slab in slabs for w in one.encode(slab, read=read, clamp=clamp)]

    def _slabs(self, values: Any) -> "list[tuple[BoundCharacteristic, NDArray[Any]]]":
        slabs = list(np.asarray(values)) if np.ndim(values) == 3 else []
        if len(slabs) != len(self.maps):
            raise UsageError(
                f"{self.name}: {len(self.maps)} maps are needed, shape {np.shape(values)} was given.",
                hint="Values are value[z][y][x].",
            )
        return list(zip(self.maps, slabs, strict=True))

    def _needs_reader(self) -> UsageError:
        return UsageError(
            f"{self.name}: writing it depends on memory.", hint="Give a reader as well."
        )

    def _now(self, read: Read | None) -> OpenRecord:
        """Memory as it is; without a reader only what does not depend on it."""
        if read is not None:
            return self._open(read)[0]
        known = {
            n: len(a.fixed)
            for n, a in enumerate(self.axes)
            if a.fixed is not None and not self._counted(n)
        }
        moving = any(
            n not in known and (a.shared is not None or self.layout.find("no_axis_pts", n))
            for n, a in enumerate(self.axes)
        )
        values = self.layout.find("fnc_values")
        if self.bits or moving or (values is not None and values.pointer is not None):
            raise self._needs_reader()
        return self._record(b"", known, None)

    def _encode_text(self, text: Any, read: Read | None) -> list[tuple[Address, bytes]]:
        record = self._now(read)
        placed = self._values(record)
        coding = (self.encoding, self.datatype, self.byte_order)
        return record.writes(placed, encode_text(self.name, text, placed.size_bytes, *coding))

    def encode_axis(self, n: int, phys: Any, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that change the points of one axis, not their number.

        Args:
            n: 0 for X, 1 for Y, …
            phys: as many values as there are points now; pairs for a rescale axis.
            read: gives bytes of memory now.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: the axis is fixed, or the number of points differs.
        """
        if not 0 <= n < len(self.axes):
            raise UsageError(f"{self.name}: it has {len(self.axes)} axes, not axis {n}.")
        if self.pointers is not None:
            return self.resolve(read).encode_axis(n, phys, read=read)
        if self.maps and n < 2:
            return [w for one in self.maps for w in one.encode_axis(n, phys, read=read)]
        axis = self.axes[n]
        if axis.shared is not None:
            return axis.own().encode(phys, read=read)
        name = f"{self.name} axis {n}"
        if axis.fixed is not None or axis.curve is not None:
            raise UsageError(
                f"{name}: its points are fixed.", hint="Only the description has them."
            )
        rule = PointsRule(
            name,
            axis.conversion,
            (axis.lower, axis.upper),
            axis.unit,
            axis.monotony,
            axis.byte_order,
            axis.difference,
            self.guard_rails,
        )
        return encode_points(self._open(read)[0], n, phys, rule)

    def encode_count(self, n: int, count: int, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that change how many points of an axis in the record are in use; values move with it.

        Args:
            n: 0 for X, 1 for Y, …
            count: as many as will be in use.
            read: gives bytes of memory now.

        Raises:
            UsageError: memory does not tell the number, or there is no room for so many.
        """
        if self.pointers is not None:
            return self.resolve(read).encode_count(n, count, read=read)
        axis, name = self.axes[n], f"{self.name} axis {n}"
        if axis.shared is not None:
            return axis.shared.encode_count(count, read=read)
        return encode_count(self._open(read)[0], n, count, axis.max_points, self.byte_order, name)
