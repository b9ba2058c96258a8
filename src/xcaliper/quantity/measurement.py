"""Measurements bound to memory: address, type, shape, mask, conversion, events."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.if_xcp import XcpDaqEvent, read_daq_event
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.common import BitOperation
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import LimitError, NotFoundError, UsageError
from xcaliper.quantity.compu import Conversion, compile_conversion, round_to
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.memory_values import byte_order_of, datatype_of, from_bytes, to_bytes

__all__ = ["BitField", "BoundMeasurement", "bind_measurement", "check_limits"]


@dataclass(frozen=True, slots=True)
class BitField:
    """Mask and shift of a value (ASAP2, BIT_MASK, BIT_OPERATION).

    Attributes:
        mask: bits that belong to the value, before shifting.
        shift: bits to shift right; negative shifts left.
        sign_extend: the top bit of the field is its sign.
    """

    mask: int
    shift: int = 0
    sign_extend: bool = False

    def take(self, memory: NDArray[Any], datatype: DataType) -> NDArray[Any]:
        """Raw values out of memory values."""
        bits = 8 * datatype.size_bytes
        unsigned = memory.astype(f"u{datatype.size_bytes}").astype(np.uint64)
        value = unsigned & np.uint64(self.mask)
        value = (
            value >> np.uint64(self.shift) if self.shift >= 0 else value << np.uint64(-self.shift)
        )
        if self.sign_extend:
            width = max(0, self.mask.bit_length() - self.shift)
            if 0 < width < 64:
                top = np.uint64(1 << (width - 1))
                return ((value ^ top).astype(np.int64) - np.int64(1 << (width - 1))).astype(
                    np.int64
                )
            return value.astype(np.int64)
        if bits == 64 and not datatype.is_signed:
            return value
        return value.astype(np.int64)

    def put(self, memory: NDArray[Any], raw: NDArray[Any], name: str) -> NDArray[Any]:
        """Memory values with the field replaced by raw values.

        Raises:
            LimitError: a raw value needs more bits than the field has.
        """
        width = max(0, self.mask.bit_length() - max(0, self.shift))
        lower, upper = (
            0,
            (self.mask >> self.shift) if self.shift >= 0 else self.mask << -self.shift,
        )
        if self.sign_extend and width:
            lower, upper = -(1 << (width - 1)), (1 << (width - 1)) - 1
        size = memory.dtype.itemsize
        out = memory.astype(f"u{size}").ravel().tolist()
        for n, value in enumerate(raw.ravel().tolist()):
            if not lower <= value <= upper:
                raise LimitError(name, phys=value, lower=lower, upper=upper)
            moved = value << self.shift if self.shift >= 0 else value >> -self.shift
            out[n] = (out[n] & ~self.mask) | (moved & self.mask)
        full = (1 << (8 * size)) - 1
        made = np.asarray([v & full for v in out], dtype=f"u{size}")
        return made.astype(memory.dtype).reshape(memory.shape)


def bit_field(
    mask: int | None, operation: BitOperation | None, datatype: DataType
) -> BitField | None:
    """The field of an object; None when the whole value counts."""
    if datatype.is_float or (mask is None and operation is None):
        return None
    full = (1 << (8 * datatype.size_bytes)) - 1
    masked = (full if mask is None else mask) & full
    if operation is not None:
        shift = (operation.right_shift or 0) - (operation.left_shift or 0)
        return BitField(masked, shift, operation.sign_extend)
    if masked == full:
        return None
    return BitField(masked, (masked & -masked).bit_length() - 1 if masked else 0)


def check_limits(name: str, phys: NDArray[Any], lower: float, upper: float, unit: str = "") -> None:
    """Refuse physical values outside of limits; a few units of rounding are forgiven.

    Raises:
        LimitError: names the first element outside.
    """
    low = lower - 4 * np.spacing(abs(float(lower)))
    high = upper + 4 * np.spacing(abs(float(upper)))
    with np.errstate(invalid="ignore"):
        outside = np.argwhere(~((phys >= low) & (phys <= high)))
    if len(outside):
        place = tuple(outside[0].tolist())
        element = name + "".join(f"[{i}]" for i in place)
        raise LimitError(element, phys=float(phys[place]), lower=lower, upper=upper, unit=unit)


@dataclass(frozen=True, slots=True)
class BoundMeasurement:
    """A measurement with everything needed to read it.

    Attributes:
        name: full name.
        description: its long identifier.
        address: first address.
        datatype: type of one element in memory.
        byte_order: order of its bytes.
        shape: numpy shape, slowest first; ``()`` for a scalar.
        column_dir: elements lie Y fastest in memory (LAYOUT COLUMN_DIR).
        bits: mask and shift, or None.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value.
        upper: highest physical value.
        writable: READ_WRITE.
        events: DAQ events of the description, or None.
        error_mask: bits that flag an invalid value.
        format: display format.
    """

    name: str
    description: str
    address: Address
    datatype: DataType
    byte_order: ByteOrder
    shape: tuple[int, ...]
    column_dir: bool
    bits: BitField | None
    conversion: Conversion
    unit: str
    lower: float
    upper: float
    writable: bool
    events: XcpDaqEvent | None
    error_mask: int | None = None
    format: str = ""

    @property
    def count(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes in memory."""
        return self.count * self.datatype.size_bytes

    @property
    def default_events(self) -> tuple[int, ...]:
        """Events to use when nobody chooses: the fixed ones, else the default ones."""
        return self.events.fixed or self.events.default if self.events else ()

    @property
    def available_events(self) -> tuple[int, ...]:
        """Events it may be measured with; empty when any will do."""
        return self.events.fixed or self.events.available if self.events else ()

    def memory_ranges(self) -> list[AddressRange]:
        """What to read."""
        return [AddressRange(self.address, self.size_bytes)]

    def arrange(self, memory: NDArray[Any]) -> NDArray[Any]:
        """Raw values of memory values in native byte order.

        Args:
            memory: array[..., count] or array[..., *shape] in memory order; leading dimensions, as
                samples of a recording, are kept.
        """
        if self.shape:
            inner = 1 if memory.shape[-1:] == (self.count,) else len(self.shape)
            lead = memory.shape[:-inner]
            memory = self._ordered(memory.reshape(-1, self.count)).reshape(*lead, *self.shape)
        return self.bits.take(memory, self.datatype) if self.bits else memory

    def _ordered(self, flat: NDArray[Any]) -> NDArray[Any]:
        if not self.column_dir or len(self.shape) < 2:
            return flat
        *slow, ny, nx = self.shape
        return flat.reshape(-1, *slow, nx, ny).swapaxes(-1, -2).reshape(len(flat), -1)

    def decode(self, data: bytes) -> NDArray[Any]:
        """Raw values, masked and shifted: an array of ``shape``; 0-dimensional for a scalar.

        Raises:
            UsageError: the bytes are not ``size_bytes`` long.
        """
        if len(data) != self.size_bytes:
            raise UsageError(
                f"{self.name}: {self.size_bytes} bytes are needed, {len(data)} were given."
            )
        memory = from_bytes(data, self.datatype, self.byte_order)
        return self.arrange(memory if self.shape else memory.reshape(()))

    def to_phys(self, raw: Any) -> NDArray[Any]:
        """Physical values of raw ones."""
        return self.conversion.to_phys(raw)

    def encode(self, phys: Any, *, current: bytes | None = None) -> list[tuple[Address, bytes]]:
        """Writes that give the measurement physical values; limits are checked first.

        Args:
            phys: values of ``shape``.
            current: bytes in memory now; needed where a mask leaves bits alone.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: wrong shape, or no way back.
        """
        raw = self.conversion.to_raw(phys)
        if raw.shape != self.shape:
            raise UsageError(f"{self.name}: shape {self.shape} is needed, {raw.shape} was given.")
        if self.conversion.kind != "verbal":
            check_limits(self.name, np.asarray(phys, float), self.lower, self.upper, self.unit)
        if self.bits:
            if current is None or len(current) != self.size_bytes:
                raise UsageError(f"{self.name}: its bit mask needs the bytes in memory now.")
            memory = from_bytes(current, self.datatype, self.byte_order)
            whole = round_to(raw, DataType.A_INT64, name=self.name)
            stored = self.bits.put(memory, self._stored(whole), self.name)
        else:
            stored = self._stored(round_to(raw, self.datatype, name=self.name))
        return [(self.address, to_bytes(stored, self.datatype, self.byte_order))]

    def _stored(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Elements in memory order, array[count]."""
        if self.column_dir and len(self.shape) > 1:
            raw = raw.swapaxes(-1, -2)
        return raw.reshape(-1)


def dims_to_shape(dims: tuple[int, ...] | None) -> tuple[int, ...]:
    """Numpy shape of MATRIX_DIM: unused dimensions dropped, slowest first."""
    used = [max(1, n) for n in dims or ()]
    while used and used[-1] == 1:
        used.pop()
    return tuple(reversed(used))


def bind_measurement(
    index: ModuleIndex, name: str, *, ag: int = 1, version: str = "1.71"
) -> BoundMeasurement:
    """A measurement by name, instances included.

    Args:
        index: the module.
        name: its name, as ``Speed`` or ``Inst.arr[2].member``.
        ag: bytes per address unit.
        version: version of ASAP2.

    Raises:
        NotFoundError: no such measurement.
        UsageError: it has no memory, or its description cannot be used.
    """
    located = locate(index, name, ag=ag)
    if located is None or located.kind != "measurement":
        raise NotFoundError(name, kind="measurement")
    return bind_located_measurement(index, located, version=version)


def bind_located_measurement(
    index: ModuleIndex, located: Located, *, version: str = "1.71"
) -> BoundMeasurement:
    """A measurement whose description was found already."""
    made = located.made
    name = located.name
    if located.address is None:
        raise UsageError(
            f"{name}: it has no address.", hint="It is virtual, or the description is incomplete."
        )
    if getattr(made, "address_type", None) not in (None, "DIRECT"):
        raise UsageError(f"{name}: it is reached through a pointer, which is not supported.")
    datatype = datatype_of(made.datatype, name)
    size = getattr(made, "array_size", None)
    own = made.matrix_dim or ((size,) if size else None)
    limits = (made.lower_limit, made.upper_limit)
    conversion = compile_conversion(
        made.conversion, index, limits=limits, phys_unit=made.phys_unit, version=version
    )
    return BoundMeasurement(
        name=name,
        description=made.long_identifier,
        address=Address(located.address, located.extension),
        datatype=datatype,
        byte_order=byte_order_of(made.byte_order, index),
        shape=dims_to_shape(located.dims) + dims_to_shape(own),
        column_dir=made.layout == "COLUMN_DIR",
        bits=bit_field(made.bit_mask, made.bit_operation, datatype),
        conversion=conversion,
        unit=conversion.unit,
        lower=made.lower_limit,
        upper=made.upper_limit,
        writable=located.read_write,
        events=read_daq_event(located.if_data),
        error_mask=made.error_mask,
        format=made.format or "",
    )
