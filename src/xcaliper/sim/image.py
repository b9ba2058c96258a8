"""Where every object of a declaration lies, and the bytes the memory starts with."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import NotFoundError, PlanError
from xcaliper.sim.items import (
    Axis,
    BitField,
    Map,
    Measurement,
    Parameter,
    Scalar,
    StdAxis,
    StructArray,
    Text,
    TextMeasurement,
    ValueBlock,
    default_raw,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.sim.declare import EcuDeclaration

__all__ = [
    "CODE",
    "RAM",
    "EcuImage",
    "Element",
    "Placement",
    "Region",
    "build_image",
    "record_elements",
    "record_offsets",
    "struct_dtype",
]

#: Names of the regions that every ECU has; segments are regions under their own names.
RAM = "RAM"
CODE = "CODE"

_Placed: TypeAlias = Measurement | TextMeasurement | StructArray | Parameter


@dataclass(frozen=True, slots=True)
class Region:
    """A run of memory.

    Attributes:
        address: first address, in AG.
        initial: bytes after start.
    """

    name: str
    address: int
    extension: int
    initial: bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one object lies.

    Attributes:
        region: name of its region.
        offset: bytes from the start of the region.
        address: the same in AG, absolute; what an A2L holds.
    """

    name: str
    region: str
    offset: int
    address: int
    extension: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a data record (ASAP2, RECORD_LAYOUT).

    Attributes:
        keyword: its keyword in the layout.
        raw: raw values in memory order, flat.
    """

    keyword: str
    datatype: DataType
    raw: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EcuImage:
    """Placements and initial bytes of one declaration for one granularity."""

    declaration: EcuDeclaration
    ag: int
    regions: MappingProxyType[str, Region]
    placements: MappingProxyType[str, Placement]

    def __getitem__(self, name: str) -> Placement:
        """The placement of a signal or parameter; bit fields lie where their holder lies.

        Raises:
            NotFoundError: there is no such object.
        """
        item = self.declaration[name]
        holder = item.of if isinstance(item, BitField) else name
        if holder not in self.placements:
            raise NotFoundError(name, kind="placed object")
        return self.placements[holder]


def record_elements(item: Parameter) -> tuple[Element, ...]:
    """The data record of a parameter, element by element."""
    if isinstance(item, Text):
        codes = np.frombuffer(item.default.encode("ascii").ljust(item.size_bytes, b"\0"), np.uint8)
        return (Element("FNC_VALUES", DataType.UBYTE, codes.astype(np.float64)),)
    raw = default_raw(item)
    if isinstance(item, Axis):
        count = Element("NO_AXIS_PTS_X", DataType.UWORD, np.array([len(item.default)], float))
        return count, Element("AXIS_PTS_X", item.datatype, raw)
    if isinstance(item, (Scalar, ValueBlock)):
        return (Element("FNC_VALUES", item.datatype, raw.reshape(-1)),)
    inner = [
        (letter, axis)
        for letter, axis in zip("XY", item.axes, strict=False)
        if isinstance(axis, StdAxis)
    ]
    by_column = isinstance(item, Map) and item.by_column
    return (
        *(
            Element(f"NO_AXIS_PTS_{d}", DataType.UBYTE, np.array([len(axis.default)], float))
            for d, axis in inner
        ),
        *(Element(f"AXIS_PTS_{d}", axis.datatype, default_raw(axis)) for d, axis in inner),
        Element("FNC_VALUES", item.datatype, raw.reshape(-1, order="F" if by_column else "C")),
    )


def record_offsets(elements: tuple[Element, ...]) -> tuple[tuple[int, ...], int]:
    """Byte offset of each element, naturally aligned, and the size of the record."""
    offsets: list[int] = []
    at = 0
    for element in elements:
        at = _align(at, element.datatype.size_bytes)
        offsets.append(at)
        at += element.datatype.size_bytes * len(element.raw)
    return tuple(offsets), at


def struct_dtype(item: StructArray, order: ByteOrder, ag: int = 1) -> np.dtype[Any]:
    """The structured dtype of one structure, members naturally aligned."""
    formats, offsets, at, border = [], [], 0, ag
    for member in item.members:
        one = member.datatype.size_bytes
        at = _align(at, max(one, ag))
        border = max(border, one)
        formats.append((member.datatype.dtype(order), member.shape))
        offsets.append(at)
        at += one * int(np.prod(member.shape, dtype=np.int64))
    return np.dtype(
        {
            "names": [member.name for member in item.members],
            "formats": formats,
            "offsets": offsets,
            "itemsize": _align(at, border),
        }
    )


def build_image(declaration: EcuDeclaration, *, ag: int = 1) -> EcuImage:
    """Place every object, events together, and fill the initial bytes.

    Args:
        declaration: what to place.
        ag: bytes per address, 1, 2 or 4.

    Raises:
        PlanError: objects overlap, are badly aligned or do not fit their region.
    """
    if ag not in (1, 2, 4):
        raise PlanError("memory image", (f"granularity {ag} is none of 1, 2, 4",))
    problems: list[str] = []
    ram = _Allocator(
        RAM, declaration.ram_address, declaration.ram_extension, declaration.ram_size_bytes, ag
    )
    for event in declaration.events:
        ram.place(
            [
                (signal, *_signal_size(signal, declaration.byte_order, ag))
                for signal in declaration.signals
                if not isinstance(signal, BitField) and signal.event == event.name
            ],
            problems,
        )
    code = declaration.epk.encode("ascii")
    regions = {
        RAM: Region(
            RAM,
            declaration.ram_address,
            declaration.ram_extension,
            bytes(declaration.ram_size_bytes),
        ),
        CODE: Region(
            CODE,
            declaration.epk_address,
            declaration.flash_extension,
            code.ljust(_align(len(code), 16), b"\0"),
        ),
    }
    placements = dict(ram.placements)
    for segment in declaration.segments:
        inside = [item for item in declaration.parameters if item.segment == segment.name]
        room = _Allocator(segment.name, segment.address, segment.extension, segment.size_bytes, ag)
        room.place([(item, *_record_size(item)) for item in inside], problems)
        placements.update(room.placements)
        if not problems:
            data = _segment_bytes(inside, room.placements, segment.size_bytes, declaration)
            regions[segment.name] = Region(segment.name, segment.address, segment.extension, data)
            if segment.initial_at is not None:
                name = segment.initial_name
                regions[name] = Region(name, segment.initial_at, declaration.flash_extension, data)
    for area in declaration.areas:
        data = bytes((area.fill,)) * area.size_bytes
        regions[area.name] = Region(area.name, area.address, area.extension, data)
    problems += _overlaps(declaration, ag)
    if problems:
        raise PlanError(f"{declaration.name} memory", tuple(problems), hint="Move or enlarge.")
    return EcuImage(declaration, ag, MappingProxyType(regions), MappingProxyType(placements))


def _align(offset: int, border: int) -> int:
    return -(-offset // border) * border


def _signal_size(
    signal: Measurement | TextMeasurement | StructArray, order: ByteOrder, ag: int
) -> tuple[int, int]:
    if isinstance(signal, TextMeasurement):
        return signal.size_bytes, 1
    count = int(np.prod(signal.shape, dtype=np.int64))
    if isinstance(signal, Measurement):
        return signal.datatype.size_bytes * count, signal.datatype.size_bytes
    border = max(member.datatype.size_bytes for member in signal.members)
    return struct_dtype(signal, order, ag).itemsize * count, border


def _record_size(item: Parameter) -> tuple[int, int]:
    elements = record_elements(item)
    border = max(element.datatype.size_bytes for element in elements)
    return record_offsets(elements)[1], border


class _Allocator:
    """Places objects in one region: fixed addresses first, the others around them in order."""

    def __init__(self, name: str, address: int, extension: int, size_bytes: int, ag: int) -> None:
        self.placements: dict[str, Placement] = {}
        self._name, self._address, self._extension = name, address, extension
        self._size_bytes, self._ag = size_bytes, ag
        self._next = 0
        self._fixed: list[Placement] = []

    def place(self, items: list[tuple[_Placed, int, int]], problems: list[str]) -> None:
        """Place (object, size, alignment); what does not fit is told in ``problems``."""
        for item, size, border in items:
            if item.address is not None:
                self._put(item, (item.address - self._address) * self._ag, size, border, problems)
        self._fixed.sort(key=lambda placed: placed.offset)
        for item, size, border in items:
            if item.address is None:
                offset = self._free(_align(self._next, max(border, self._ag)), size, border)
                self._put(item, offset, size, border, problems)
                self._next = offset + size

    def _free(self, offset: int, size: int, border: int) -> int:
        for other in self._fixed:  # those without an address come one behind the other
            if other.offset < offset + size and offset < other.offset + self._room(other):
                offset = _align(other.offset + self._room(other), max(border, self._ag))
        return offset

    def _room(self, placed: Placement) -> int:
        return _align(placed.size_bytes, self._ag)

    def _put(self, item: _Placed, offset: int, size: int, border: int, problems: list[str]) -> None:
        if offset < 0 or offset + _align(size, self._ag) > self._size_bytes:
            problems.append(f"{item.name} ({size} bytes) does not fit region {self._name}")
            return
        if offset % border:
            problems.append(f"{item.name} at 0x{item.address:X} is not aligned to {border} bytes")
        if item.address is not None:
            problems += [
                f"{item.name} overlaps {other.name}"
                for other in self.placements.values()
                if other.offset < offset + size and offset < other.offset + self._room(other)
            ]
        address = self._address + offset // self._ag
        self.placements[item.name] = Placement(
            item.name, self._name, offset, address, self._extension, size
        )
        if item.address is not None:
            self._fixed.append(self.placements[item.name])


def _segment_bytes(
    items: list[Parameter],
    placements: dict[str, Placement],
    size_bytes: int,
    declaration: EcuDeclaration,
) -> bytes:
    data = bytearray(b"\xff" * size_bytes)  # what erased flash holds
    for item in items:
        elements = record_elements(item)
        offsets, _ = record_offsets(elements)
        start = placements[item.name].offset
        for element, offset in zip(elements, offsets, strict=True):
            raw = element.raw.astype(element.datatype.dtype(declaration.byte_order)).tobytes()
            data[start + offset : start + offset + len(raw)] = raw
    return bytes(data)


def _overlaps(declaration: EcuDeclaration, ag: int) -> list[str]:
    flash = declaration.flash_extension
    code_size = _align(len(declaration.epk), 16)
    runs = [
        (declaration.ram_extension, declaration.ram_address, declaration.ram_size_bytes, RAM),
        (flash, declaration.epk_address, code_size, CODE),
    ]
    for segment in declaration.segments:
        runs.append((segment.extension, segment.address, segment.size_bytes, segment.name))
        if segment.initial_at is not None:
            runs.append((flash, segment.initial_at, segment.size_bytes, segment.initial_name))
    runs += [(one.extension, one.address, one.size_bytes, one.name) for one in declaration.areas]
    runs.sort()
    return [
        f"region {name} overlaps region {other}"
        for (ext, start, size, name), (other_ext, other_start, _, other) in itertools.pairwise(runs)
        if ext == other_ext and start + -(-size // ag) > other_start
    ]
