"""A record that was read: data of its elements, behind pointers too, and where to write them."""

from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.memory_values import Read, at_offset, from_bytes
from xcaliper.quantity.record_layout import AXES, Placed, Record, RecordShape

__all__ = ["OpenRecord", "PointerChain", "read_exactly"]

_ARRAYS: Final = ("fnc_values", "axis_pts", "axis_rescale")


def read_exactly(read: Read, address: Address, size_bytes: int, owner: str) -> bytes:
    """Bytes of memory.

    Raises:
        UsageError: fewer bytes came.
    """
    data = read(address, size_bytes) if size_bytes else b""
    if len(data) < size_bytes:
        raise UsageError(
            f"{owner}: {size_bytes} bytes are needed, {len(data)} were read.",
            hint="Check the address and the memory.",
        )
    return data


@dataclass(frozen=True, slots=True)
class PointerChain:
    """Pointers between the described address and the data (ASAP2, ADDRESS_TYPE, 1.7).

    Attributes:
        hops: type of each pointer, and the distance in address units that follows it.
        order: byte order of the pointers.
        owner: name for messages.
    """

    hops: tuple[tuple[DataType, int], ...]
    order: ByteOrder
    owner: str

    def first(self, address: Address) -> AddressRange:
        """Where the first pointer is."""
        return AddressRange(address, self.hops[0][0].size_bytes)

    def follow(self, address: Address, read: Read) -> Address:
        """Address of the data.

        Raises:
            UsageError: a pointer is null or cannot be read.
        """
        for width, offset in self.hops:
            raw = read_exactly(read, address, width.size_bytes, self.owner)
            value = int(from_bytes(raw, width, self.order)[0])
            if value == 0:
                raise UsageError(
                    f"{self.owner}: the pointer at {address} is null.",
                    hint="The ECU has no data there now.",
                )
            address = Address(value + offset, address.extension)
        return address


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record at its address with the bytes it has now.

    Attributes:
        owner: name of the object, for messages.
        address: first address.
        ag: bytes per address unit.
        shape: its layout.
        record: the layout applied.
        data: bytes of the record.
        read: gives memory outside of the record; None when there is none.
    """

    owner: str
    address: Address
    ag: int
    shape: RecordShape
    record: Record
    data: bytes
    read: Read | None = None

    def find(self, kind: str, axis: int = -1) -> Placed | None:
        """The element of a kind and axis."""
        return self.record.find(kind, axis)

    def values(self, placed: Placed, order: ByteOrder) -> NDArray[Any]:
        """Values of an element in memory order, array[count].

        Raises:
            UsageError: the data are behind a pointer that leads nowhere.
        """
        assert placed.element.datatype is not None, "only RESERVED has none"
        return from_bytes(self._bytes(placed), placed.element.datatype, order)

    def _bytes(self, placed: Placed) -> bytes:
        if placed.element.pointer is not None:
            if self.read is None:
                raise UsageError(
                    f"{self.owner}: its data are behind a pointer.", hint="Give a reader as well."
                )
            return read_exactly(self.read, self._target(placed), placed.size_bytes, self.owner)
        parts = [self.data[start : start + size] for start, size in placed.pieces()]
        found = b"".join(parts)
        if len(found) < placed.size_bytes:
            raise UsageError(
                f"{self.owner}: {self.record.size_bytes} bytes are needed, "
                f"{len(self.data)} were read."
            )
        return found

    def _target(self, placed: Placed) -> Address:
        pointer = placed.element.pointer
        assert pointer is not None, "asked by the caller"
        raw = self.data[placed.offset : placed.offset + pointer.size_bytes]
        if len(raw) < pointer.size_bytes:
            raise UsageError(
                f"{self.owner}: its data are behind a pointer.", hint="Give a reader as well."
            )
        value = int(from_bytes(raw, pointer, self.shape.pointer_order)[0])
        return Address(value + self.shape.calibration_offset, self.address.extension)

    def parts(self, order: ByteOrder) -> dict[str, Any]:
        """Numbers of the record that are neither values nor points, as ``{"src_addr_x": 4096}``."""
        found: dict[str, Any] = {}
        for placed in self.record.placed:
            element = placed.element
            if element.datatype is not None and element.kind not in _ARRAYS:
                axis = f"_{AXES[element.axis]}" if element.axis >= 0 else ""
                found[element.kind + axis] = self.values(placed, order)[0].item()
        return found

    def writes(self, placed: Placed, data: bytes) -> list[tuple[Address, bytes]]:
        """Where the bytes of an element go."""
        if placed.element.pointer is not None:
            return [(self._target(placed), data)]
        out: list[tuple[Address, bytes]] = []
        at = 0
        for start, size in placed.pieces():
            where = at_offset(self.address, start, self.ag, self.owner)
            out.append((where, data[at : at + size]))
            at += size
        return out
