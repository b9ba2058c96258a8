"""Measurements bound to memory: address, type, shape, mask, conversion, events."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.if_xcp import XcpDaqEvent, read_daq_event
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.bits import BitField, bit_field
from xcaliper.quantity.compu import Conversion, compile_conversion
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.memory_values import Read, byte_order_of, datatype_of, from_bytes, to_bytes
from xcaliper.quantity.record_access import PointerChain
from xcaliper.quantity.record_layout import memory_axes
from xcaliper.quantity.rounding import PhysToRaw, check_shape, fit_raw, phys_to_raw, target_of
from xcaliper.quantity.sizes import own_dims

__all__ = [
    "BitField",
    "BoundMeasurement",
    "bind_located_measurement",
    "bind_measurement",
    "chain_of",
    "dims_to_shape",
    "joined_order",
]


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
        bits: mask and shift, or None.
        conversion: raw to physical.
        unit: physical unit.
        lower: lowest physical value.
        upper: highest physical value.
        writable: READ_WRITE.
        events: DAQ events of the description, or None.
        error_mask: bits that flag an invalid value.
        format: display format.
        memory_order: dimensions of the array in memory, slowest first; empty for those of the shape.
        pointers: pointers between the address and the data, or None; see ``resolve``.
        ag: bytes per address unit.
    """

    name: str
    description: str
    address: Address
    datatype: DataType
    byte_order: ByteOrder
    shape: tuple[int, ...]
    bits: BitField | None
    conversion: Conversion
    unit: str
    lower: float
    upper: float
    writable: bool
    events: XcpDaqEvent | None
    error_mask: int | None = None
    format: str = ""
    memory_order: tuple[int, ...] = ()
    pointers: PointerChain | None = None
    ag: int = 1

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

    @property
    def column_dir(self) -> bool:
        """True when elements do not lie in the order of the shape."""
        return self.memory_order not in ((), tuple(range(len(self.shape))))

    def memory_ranges(self) -> list[AddressRange]:
        """What to read; behind a pointer, where the pointer is."""
        if self.pointers is not None:
            return [self.pointers.first(self.address)]
        return [AddressRange(self.address, self.size_bytes)]

    def resolve(self, read: Read) -> "BoundMeasurement":
        """The same measurement at the address its pointers lead to now.

        Raises:
            UsageError: a pointer is null or cannot be read.
        """
        if self.pointers is None:
            return self
        return replace(self, address=self.pointers.follow(self.address, read), pointers=None)

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
        if not self.column_dir:
            return flat
        table = flat.reshape(-1, *(self.shape[n] for n in self.memory_order))
        back = np.argsort(self.memory_order) + 1
        return table.transpose(0, *back.tolist()).reshape(len(flat), -1)

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

    def invalid(self, memory: NDArray[Any]) -> NDArray[np.bool_]:
        """Where ERROR_MASK flags memory values as invalid (ASAP2, ERROR_MASK)."""
        if not self.error_mask or self.datatype.is_float:
            return np.zeros(memory.shape, dtype=bool)
        bits = memory.astype(f"u{self.datatype.size_bytes}").astype(np.uint64)
        return np.asarray((bits & np.uint64(self.error_mask & (1 << 64) - 1)) != 0)

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
        self, phys: Any, *, current: bytes | None = None, clamp: bool = False
    ) -> list[tuple[Address, bytes]]:
        """Writes that give the measurement physical values; limits are checked first.

        Args:
            phys: values of ``shape``.
            current: bytes in memory now; needed where a mask leaves bits alone.
            clamp: bring values outside of the limits to them instead of refusing them.

        Raises:
            LimitError: a value is outside of its limits.
            UsageError: wrong shape, no way back, or the data are behind a pointer.
        """
        if self.pointers is not None:
            raise UsageError(
                f"{self.name}: its data are behind a pointer.", hint="Resolve it with a reader."
            )
        check_shape(self.name, phys, self.shape)
        return self._put(self.phys_to_raw(phys, clamp=clamp).raw, current)

    def encode_raw(self, raw: Any, *, read: Read) -> list[tuple[Address, bytes]]:
        """Writes that give the measurement raw values; limits do not count, those of the type do.

        Args:
            raw: array of ``shape``; whole numbers, or what a float type holds.
            read: gives bytes of memory now.

        Raises:
            LimitError: a value does not fit its type or its bits.
            UsageError: wrong shape.
        """
        if self.pointers is not None:
            return self.resolve(read).encode_raw(raw, read=read)
        made = fit_raw(raw, self.shape, target_of(self))
        return self._put(made, read(self.address, self.size_bytes) if self.bits else None)

    def _put(self, values: NDArray[Any], current: bytes | None) -> list[tuple[Address, bytes]]:
        raw = self._stored(values)
        if self.bits:
            if current is None or len(current) != self.size_bytes:
                raise UsageError(f"{self.name}: its bit mask needs the bytes in memory now.")
            memory = from_bytes(current, self.datatype, self.byte_order)
            raw = self.bits.put(memory, raw, self.name)
        return [(self.address, to_bytes(raw, self.datatype, self.byte_order))]

    def _stored(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Elements in memory order, array[count]."""
        if self.column_dir:
            raw = raw.transpose(self.memory_order)
        return raw.reshape(-1)


def dims_to_shape(dims: tuple[int, ...] | None) -> tuple[int, ...]:
    """Numpy shape of MATRIX_DIM: unused dimensions dropped, slowest first."""
    used = [max(1, n) for n in dims or ()]
    while used and used[-1] == 1:
        used.pop()
    return tuple(reversed(used))


def joined_order(
    located: Located, outer: tuple[int, ...], own: tuple[int, ...], mode: str
) -> tuple[int, ...]:
    """Dimensions of an array in memory: those of the instance around those of the object."""
    around = memory_axes("COLUMN_DIR" if located.column_dir else "", len(outer))
    return around + tuple(len(outer) + n for n in memory_axes(mode, len(own)))


def chain_of(index: ModuleIndex, located: Located) -> PointerChain | None:
    """Pointers on the way to an object; None when it lies at its address."""
    if not located.hops:
        return None
    return PointerChain(located.hops, byte_order_of(None, index), located.name)


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
    return bind_located_measurement(index, located, ag=ag, version=version)


def bind_located_measurement(
    index: ModuleIndex, located: Located, *, ag: int = 1, version: str = "1.71"
) -> BoundMeasurement:
    """A measurement whose description was found already.

    Raises:
        UsageError: it has no memory, or its description cannot be used.
    """
    made = located.made
    name = located.name
    if located.address is None:
        raise UsageError(
            f"{name}: it has no address.",
            hint="Where it is virtual, compute it: Catalog.dependencies.evaluate().",
        )
    datatype = datatype_of(made.datatype, name)
    outer, own = dims_to_shape(located.dims), tuple(reversed(own_dims(made)))
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
        shape=outer + own,
        bits=bit_field(made.bit_mask, made.bit_operation, datatype),
        conversion=conversion,
        unit=conversion.unit,
        lower=made.lower_limit,
        upper=made.upper_limit,
        writable=located.read_write,
        events=read_daq_event(located.if_data),
        error_mask=made.error_mask,
        format=made.format or "",
        memory_order=joined_order(located, outer, own, made.layout or ""),
        pointers=chain_of(index, located),
        ag=ag,
    )
