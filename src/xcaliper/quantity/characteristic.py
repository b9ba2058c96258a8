"""Parameters bound to memory: scalars, texts, arrays, curves and maps (ASAP2, CHARACTERISTIC)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.if_xcp import XcpDaqEvent, read_daq_event
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import (
    BoundAxis,
    bind_axis,
    check_monotony,
    read_points,
    write_points,
)
from xcaliper.quantity.compu import Conversion, compile_conversion, round_to
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.measurement import BitField, bit_field, check_limits, dims_to_shape
from xcaliper.quantity.memory_values import at_offset, byte_order_of, from_bytes, to_bytes
from xcaliper.quantity.record_layout import Placed, Record, RecordShape, shape_of

__all__ = [
    "BoundCharacteristic",
    "PhysCharacteristic",
    "RawCharacteristic",
    "bind_characteristic",
]

Read = Callable[[Address, int], bytes]

_AXES: Final = {"CURVE": 1, "MAP": 2, "CUBOID": 3, "CUBE_4": 4, "CUBE_5": 5}
_CODECS: Final = {"UTF8": "utf-8", "UTF16": "utf-16", "UTF32": "utf-32"}


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

    @property
    def size_bytes(self) -> int:
        """Bytes of the record at its largest, without shared axes."""
        return self._place(None, {}).size_bytes

    def _place(self, data: bytes | None, given: dict[int, int]) -> Record:
        return self.layout.place(
            self.address.value * self.ag,
            tuple(axis.max_points for axis in self.axes),
            given=given,
            data=data,
            order=self.byte_order,
            values=None if self.axes else prod(self.shape),
        )

    def memory_ranges(self) -> list[AddressRange]:
        """What to read: the record at its largest, then every shared axis."""
        ranges = [AddressRange(self.address, self.size_bytes)]
        for axis in self.axes:
            if axis.shared is not None:
                ranges.extend(axis.shared.memory_ranges())
        return ranges

    def _open(self, read: Read) -> tuple[bytes, Record, dict[int, NDArray[Any]]]:
        """The record's bytes, its elements at their places, and the points not in the record."""
        outside: dict[int, NDArray[Any]] = {}
        for n, axis in enumerate(self.axes):
            if axis.shared is not None:
                (where,) = axis.shared.memory_ranges()
                outside[n] = axis.shared.points(read(where.start, where.size_bytes))
            elif axis.fixed is not None:
                points = np.asarray(axis.fixed, dtype=float)
                outside[n] = points.astype(np.int64) if _whole(points) else points
        given = {n: len(points) for n, points in outside.items()}
        size = self._place(None, given).size_bytes
        data = read(self.address, size)
        if len(data) < size:
            raise UsageError(f"{self.name}: {size} bytes are needed, {len(data)} were read.")
        return data, self._place(data, given), outside

    def _values(self, record: Record) -> Placed:
        placed = record.find("fnc_values")
        assert placed is not None, "checked when bound"
        return placed

    def decode(self, read: Read) -> RawCharacteristic:
        """Raw values and axis points.

        Args:
            read: gives bytes of memory for an address and a size in bytes.
        """
        data, record, outside = self._open(read)
        memory = self._memory(data, record)
        values = self.bits.take(memory, self.datatype) if self.bits else memory
        axes = [
            outside[n] if n in outside else self._points(data, record, n)
            for n in range(len(self.axes))
        ]
        return RawCharacteristic(values, tuple(axes))

    def _points(self, data: bytes, record: Record, n: int) -> NDArray[Any]:
        axis = self.axes[n]
        placed = record.find("axis_pts", n)
        if axis.attribute == "STD_AXIS" and placed is not None:
            return read_points(data, placed, axis.byte_order, difference=axis.difference)
        operands: dict[str, float] = {}
        for kind in ("offset", "shift_op", "dist_op"):
            found = record.find(kind, n)
            if found is not None and found.element.datatype is not None:
                raw = data[found.offset : found.offset + found.size_bytes]
                operands[kind] = from_bytes(raw, found.element.datatype, axis.byte_order)[0].item()
        steps = np.arange(record.counts[n])
        if "offset" in operands and "dist_op" in operands:
            return np.asarray(operands["offset"] + steps * operands["dist_op"])
        if "offset" in operands and -64 <= operands.get("shift_op", 99) <= 64:
            return np.asarray(operands["offset"] + steps * 2.0 ** operands["shift_op"])
        raise UsageError(
            f"{self.name}: the points of axis {n} are neither in the record nor described.",
            hint="Correct AXIS_DESCR or the record layout.",
        )

    def _actual(self, record: Record) -> tuple[int, ...]:
        return tuple(reversed(record.counts)) if self.axes else self.shape

    def _reversed(self) -> tuple[slice, ...]:
        """Index that undoes INDEX_DECR in every dimension, slowest first."""
        return tuple(
            slice(None, None, -1) if self._decreasing(n) else slice(None)
            for n in reversed(range(len(self.axes)))
        )

    def _decreasing(self, n: int) -> bool:
        shared = self.axes[n].shared
        element = shared.layout.find("axis_pts", 0) if shared else self.layout.find("axis_pts", n)
        return element is not None and element.reversed

    def _memory(self, data: bytes, record: Record) -> NDArray[Any]:
        """Memory values in logical order."""
        placed = self._values(record)
        raw = data[placed.offset : placed.offset + placed.size_bytes]
        flat = from_bytes(raw, self.datatype, self.byte_order)
        shape = self._actual(record)
        if placed.element.mode == "COLUMN_DIR" and len(shape) > 1:
            *slow, ny, nx = shape
            table = flat.reshape(*slow, nx, ny).swapaxes(-1, -2)
        else:
            table = flat.reshape(shape)
        return table[self._reversed()] if self.axes else table

    def _stored(self, table: NDArray[Any], placed: Placed) -> NDArray[Any]:
        """Memory order of a logical table, array[n]."""
        if self.axes:
            table = table[self._reversed()]
        if placed.element.mode == "COLUMN_DIR" and table.ndim > 1:
            table = table.swapaxes(-1, -2)
        return table.reshape(-1)

    def to_phys(self, raw: RawCharacteristic) -> PhysCharacteristic:
        """Physical values and axis points; texts end at their first NUL."""
        axes = tuple(
            axis.conversion.to_phys(points)
            for axis, points in zip(self.axes, raw.axes, strict=True)
        )
        if self.type == "ASCII":
            return PhysCharacteristic(self._text(raw.values), axes)
        return PhysCharacteristic(self.conversion.to_phys(raw.values), axes)

    def _codec(self) -> str:
        codec = _CODECS.get(self.encoding, "")
        big = self.byte_order.mark == ">"
        return f"{codec}-{'be' if big else 'le'}" if codec in ("utf-16", "utf-32") else codec

    def _text(self, values: NDArray[Any]) -> str:
        codec = self._codec()
        if codec in ("", "utf-8") or self.datatype.size_bytes > 1:
            ends = np.flatnonzero(values == 0)
            values = values[: ends[0]] if len(ends) else values
        data = to_bytes(values, self.datatype, self.byte_order)
        if not codec and self.datatype.size_bytes == 1:
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                return data.decode("latin-1")
        codec = codec or {2: "utf-16", 4: "utf-32"}.get(self.datatype.size_bytes, "utf-8")
        if codec in ("utf-16", "utf-32"):
            codec += "-be" if self.byte_order.mark == ">" else "-le"
        return data.decode(codec, errors="replace").split("\0", 1)[0]

    def encode(self, phys: Any, *, read: Read | None = None) -> list[tuple[Address, bytes]]:
        """Writes that give the parameter physical values; nothing is left to check afterwards.

        Args:
            phys: a number, a text, or an array of the actual shape; texts of a verbal conversion.
            read: gives bytes of memory now; needed for tables and where a mask leaves bits alone.

        Raises:
            LimitError: a value is outside of its limits or its type.
            UsageError: wrong shape, text too long, text unknown, or no way back.
        """
        if self.type == "ASCII":
            return self._encode_text(phys)
        data, record = self._now(read)
        shape = self._actual(record)
        raw = self.conversion.to_raw(phys)
        if raw.shape != shape:
            raise UsageError(
                f"{self.name}: shape {shape} is needed, {raw.shape} was given.",
                hint="Rows run along X: value[y][x].",
            )
        self._check(phys, raw)
        placed = self._values(record)
        if self.bits:
            memory = self._memory(data, record)
            whole = round_to(raw, DataType.A_INT64, name=self.name)
            table = self.bits.put(memory, whole, self.name)
        else:
            table = round_to(raw, self.datatype, name=self.name)
        out = to_bytes(self._stored(table, placed), self.datatype, self.byte_order)
        return [(at_offset(self.address, placed.offset, self.ag, self.name), out)]

    def _now(self, read: Read | None) -> tuple[bytes, Record]:
        """Memory as it is; without a reader only what does not depend on it."""
        if read is not None:
            data, record, _ = self._open(read)
            return data, record
        known = {n: len(a.fixed) for n, a in enumerate(self.axes) if a.fixed is not None}
        moving = any(
            n not in known and (a.shared is not None or self.layout.find("no_axis_pts", n))
            for n, a in enumerate(self.axes)
        )
        if self.bits or moving:
            raise UsageError(
                f"{self.name}: writing it depends on memory.", hint="Give a reader as well."
            )
        return b"", self._place(None, known)

    def _check(self, phys: Any, raw: NDArray[Any]) -> None:
        """Limits in physical terms; verbal values are checked as raw numbers only when given so."""
        if self.conversion.kind != "verbal":
            check_limits(self.name, np.asarray(phys, float), self.lower, self.upper, self.unit)
            return
        given = np.asarray(phys, dtype=object)
        for place in np.ndindex(given.shape):
            if not isinstance(given[place], str):
                check_limits(self.name, np.asarray(raw[place], float), self.lower, self.upper)

    def _encode_text(self, text: Any) -> list[tuple[Address, bytes]]:
        if not isinstance(text, str):
            raise UsageError(f"{self.name}: it is a text; {type(text).__name__} was given.")
        codec = self._codec()
        if not codec and self.datatype.size_bytes > 1:
            mark = "be" if self.byte_order.mark == ">" else "le"
            codec = f"utf-{8 * self.datatype.size_bytes}-{mark}"
        try:
            data = text.encode(codec or "latin-1")
        except (UnicodeEncodeError, LookupError):
            raise UsageError(
                f"{self.name}: the text has characters the ECU cannot hold.",
                hint="Use ASCII characters.",
            ) from None
        record = self._place(None, {})
        placed = self._values(record)
        if len(data) > placed.size_bytes:
            raise UsageError(
                f"{self.name}: the text needs {len(data)} bytes, there is room for "
                f"{placed.size_bytes}.",
                hint="Shorten it.",
            )
        out = data.ljust(placed.size_bytes, b"\0")
        return [(at_offset(self.address, placed.offset, self.ag, self.name), out)]

    def encode_axis(self, n: int, phys: Any, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that change the points of one axis, not their number.

        Args:
            n: 0 for X, 1 for Y, …
            phys: as many values as there are points now.
            read: gives bytes of memory now.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: the axis is fixed, or the number of points differs.
        """
        if not 0 <= n < len(self.axes):
            raise UsageError(f"{self.name}: it has {len(self.axes)} axes, not axis {n}.")
        axis = self.axes[n]
        if axis.shared is not None:
            (where,) = axis.shared.memory_ranges()
            return axis.shared.encode(phys, data=read(where.start, where.size_bytes))
        _, record, _ = self._open(read)
        placed = record.find("axis_pts", n)
        if axis.attribute != "STD_AXIS" or placed is None:
            raise UsageError(f"{self.name}: the points of axis {n} are fixed.")
        values = np.asarray(phys, dtype=float)
        if values.shape != (placed.count,):
            raise UsageError(
                f"{self.name}: {placed.count} points are needed, {values.size} were given."
            )
        check_limits(f"{self.name} axis {n}", values, axis.lower, axis.upper, axis.unit)
        check_monotony(f"{self.name} axis {n}", values, axis.monotony)
        out = write_points(
            axis.conversion.to_raw(values),
            placed,
            axis.byte_order,
            f"{self.name} axis {n}",
            difference=axis.difference,
        )
        return [(at_offset(self.address, placed.offset, self.ag, self.name), out)]


def _whole(points: NDArray[Any]) -> bool:
    return bool(np.all(points == np.trunc(points)) and np.all(np.abs(points) < 2**53))


def bind_characteristic(
    index: ModuleIndex, name: str, *, ag: int = 1, version: str = "1.71"
) -> BoundCharacteristic:
    """A parameter by name, instances included.

    Args:
        index: the module.
        name: its name, as ``IdleSpeed`` or ``Inst.arr[2].member``.
        ag: bytes per address unit.
        version: version of ASAP2.

    Raises:
        NotFoundError: no such parameter.
        UsageError: its description cannot be used.
    """
    located = locate(index, name, ag=ag)
    if located is None or located.kind != "characteristic":
        raise NotFoundError(name, kind="characteristic")
    return bind_located_characteristic(index, located, ag=ag, version=version)


def bind_located_characteristic(
    index: ModuleIndex, located: Located, *, ag: int = 1, version: str = "1.71"
) -> BoundCharacteristic:
    """A parameter whose description was found already."""
    made = located.made
    name = located.name
    assert located.address is not None, "characteristics have an address by grammar"
    if getattr(made, "virtual_characteristic", None) is not None:
        raise UsageError(f"{name}: it is virtual and has no memory.", hint="Read its inputs.")
    layout = shape_of(made.deposit, index, name)
    values = layout.find("fnc_values")
    if values is None or values.datatype is None:
        raise UsageError(f"{name}: its record layout has no FNC_VALUES.", hint="Add it.")
    order = byte_order_of(made.byte_order, index)
    axes = _axes(index, located, order, ag, version)
    if axes and located.dims:
        raise UsageError(f"{name}: arrays of tables are not supported.", hint="Name one element.")
    hard = made.extended_limits
    soft = (made.lower_limit, made.upper_limit)
    limits = (hard.lower_limit, hard.upper_limit) if hard else soft
    conversion = compile_conversion(
        made.conversion, index, limits=limits, phys_unit=made.phys_unit, version=version
    )
    access = getattr(made, "calibration_access", None)
    return BoundCharacteristic(
        name=name,
        description=made.long_identifier,
        type=made.type if not (made.type == "VALUE" and located.dims) else "VAL_BLK",
        address=Address(located.address, located.extension),
        ag=ag,
        layout=layout,
        datatype=values.datatype,
        byte_order=order,
        shape=_shape(located, axes),
        axes=axes,
        bits=bit_field(made.bit_mask, getattr(made, "bit_operation", None), values.datatype),
        conversion=conversion,
        unit=conversion.unit,
        lower=limits[0],
        upper=limits[1],
        soft_limits=soft,
        writable=not getattr(made, "read_only", False) and access in (None, "CALIBRATION"),
        encoding=made.encoding or "",
        events=read_daq_event(located.if_data),
        format=made.format or "",
    )


def _axes(
    index: ModuleIndex, located: Located, order: ByteOrder, ag: int, version: str
) -> tuple[BoundAxis, ...]:
    made = located.made
    need = _AXES.get(made.type, 0)
    if len(made.axis_descr) < need:
        raise UsageError(
            f"{located.name}: {made.type} needs {need} AXIS_DESCR, {len(made.axis_descr)} are there.",
            hint="Add the missing axes.",
        )
    return tuple(
        bind_axis(index, descr, located, order, ag=ag, version=version)
        for descr in made.axis_descr[:need]
    )


def _shape(located: Located, axes: tuple[BoundAxis, ...]) -> tuple[int, ...]:
    made = located.made
    if axes:
        return tuple(axis.max_points for axis in reversed(axes))
    if made.type not in ("VAL_BLK", "ASCII"):
        return dims_to_shape(located.dims)
    if made.matrix_dim is None and made.number is None:
        raise UsageError(
            f"{located.name}: {made.type} has neither MATRIX_DIM nor NUMBER.", hint="Add one."
        )
    own = dims_to_shape(made.matrix_dim) if made.matrix_dim else (made.number,)
    shape = dims_to_shape(located.dims) + (own or (1,))
    return (prod(shape),) if made.type == "ASCII" else shape
