"""RECORD_LAYOUT to elements with offsets (ASAP2, RECORD_LAYOUT)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.layout import RecordLayout
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.memory_values import datatype_of, from_bytes

__all__ = ["Element", "Placed", "Record", "RecordShape", "shape_of"]

AXES: Final = "xyz45"
_SIZES: Final = {"BYTE": 1, "WORD": 2, "LONG": 4}
_ALIGNMENTS: Final = {
    DataType.UBYTE: "byte",
    DataType.SBYTE: "byte",
    DataType.UWORD: "word",
    DataType.SWORD: "word",
    DataType.ULONG: "long",
    DataType.SLONG: "long",
    DataType.A_UINT64: "int64",
    DataType.A_INT64: "int64",
    DataType.FLOAT16_IEEE: "float16_ieee",
    DataType.FLOAT32_IEEE: "float32_ieee",
    DataType.FLOAT64_IEEE: "float64_ieee",
}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a layout.

    Attributes:
        kind: keyword in lower case without the axis, as ``axis_pts``.
        axis: 0 for X to 4 for 5; −1 where it belongs to no axis.
        position: order in the record.
        datatype: type; None for RESERVED.
        size_bytes: size of one item.
        reversed: INDEX_DECR.
        mode: index mode of FNC_VALUES.
    """

    kind: str
    axis: int
    position: int
    datatype: DataType | None
    size_bytes: int
    reversed: bool = False
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """An element at its place: byte offset in the record and number of items."""

    element: Element
    offset: int
    count: int

    @property
    def size_bytes(self) -> int:
        """Bytes of all items."""
        return self.element.size_bytes * self.count


@dataclass(frozen=True, slots=True)
class Record:
    """A layout applied to a place and to counts.

    Attributes:
        placed: elements in memory order.
        counts: points of each axis.
        size_bytes: bytes from the start of the record to behind its last element.
    """

    placed: tuple[Placed, ...]
    counts: tuple[int, ...]
    size_bytes: int

    def find(self, kind: str, axis: int = -1) -> Placed | None:
        """The element of a kind and axis."""
        return next(
            (p for p in self.placed if p.element.kind == kind and p.element.axis == axis), None
        )


@dataclass(frozen=True, slots=True)
class RecordShape:
    """A layout before it is applied.

    Attributes:
        name: name of the RECORD_LAYOUT.
        elements: in order of position.
        fixed: FIX_NO_AXIS_PTS per axis.
        alignment: border in bytes per data type.
        static: room for the maximum number of points is always kept.
    """

    name: str
    elements: tuple[Element, ...]
    fixed: Mapping[int, int]
    alignment: Mapping[DataType, int]
    static: bool

    def find(self, kind: str, axis: int = -1) -> Element | None:
        """The element of a kind and axis."""
        return next((e for e in self.elements if e.kind == kind and e.axis == axis), None)

    def place(
        self,
        byte_address: int,
        maximum: tuple[int, ...],
        *,
        given: Mapping[int, int] | None = None,
        data: bytes | None = None,
        order: ByteOrder = ByteOrder.INTEL,
        values: int | None = None,
    ) -> Record:
        """Offsets of all elements.

        Args:
            byte_address: absolute address of the record in bytes; alignment counts from 0.
            maximum: largest number of points per axis.
            given: numbers of points that are known from elsewhere; they win.
            data: the record as far as read, to take the numbers of points from it.
            order: byte order of those numbers.
            values: number of function values; the product of the points when None.
        """
        counts = [min(self.fixed.get(n, m), m) if m else 0 for n, m in enumerate(maximum)]
        for axis, count in (given or {}).items():
            counts[axis] = count
        if data is not None:
            self._read_counts(byte_address, maximum, counts, given or {}, data, order)
        placed: list[Placed] = []
        at = 0
        for element in self.elements:
            room = _items(element, maximum if self.static else tuple(counts), values)
            used = _items(element, tuple(counts), values)
            if element.datatype is not None:
                border = self.alignment[element.datatype]
                at += -(byte_address + at) % border
            placed.append(Placed(element, at, used))
            at += room * element.size_bytes
        return Record(tuple(placed), tuple(counts), at)

    def _read_counts(
        self,
        byte_address: int,
        maximum: tuple[int, ...],
        counts: list[int],
        given: Mapping[int, int],
        data: bytes,
        order: ByteOrder,
    ) -> None:
        """Take numbers of points from the record; impossible ones leave the maximum."""
        for axis in range(len(maximum)):
            element = self.find("no_axis_pts", axis)
            if element is None or axis in given or axis in self.fixed:
                continue
            found = self.place(byte_address, maximum, given=dict(enumerate(counts)))
            placed = found.find("no_axis_pts", axis)
            assert placed is not None, "found just above"
            assert element.datatype is not None, "only RESERVED has none"
            raw = data[placed.offset : placed.offset + placed.size_bytes]
            if len(raw) == placed.size_bytes:
                count = int(from_bytes(raw, element.datatype, order)[0])
                counts[axis] = count if 0 < count <= maximum[axis] else maximum[axis]


def _items(element: Element, counts: tuple[int, ...], values: int | None) -> int:
    if element.kind == "fnc_values":
        return prod(counts) if values is None else values
    if element.kind == "axis_pts":
        return counts[element.axis] if element.axis < len(counts) else 0
    return 1


def shape_of(name: str, index: ModuleIndex, owner: str) -> RecordShape:
    """The layout of a name.

    Args:
        name: name of the RECORD_LAYOUT.
        index: the module.
        owner: the object, for messages.

    Raises:
        UsageError: the layout is missing, or uses what is not supported.
    """
    layout: RecordLayout | None = index.find(name, "RECORD_LAYOUT")
    if layout is None:
        raise UsageError(f"{owner}: record layout {name} does not exist.", hint="Add it.")
    elements = [
        _element(entry.attr, one, owner)
        for entry in table_of(RecordLayout).optional.values()
        if entry.mode == "object"
        for one in _some(getattr(layout, entry.attr))
    ]
    elements.sort(key=lambda e: e.position)
    fixed = {
        n: count
        for n, axis in enumerate(AXES)
        if (count := getattr(layout, f"fix_no_axis_pts_{axis}")) is not None
    }
    common = index.module.mod_common
    alignment = {
        datatype: _first(
            getattr(layout, f"alignment_{word}"),
            getattr(common, f"alignment_{word}", None),
            datatype.size_bytes,
        )
        for datatype, word in _ALIGNMENTS.items()
    }
    return RecordShape(name, tuple(elements), fixed, alignment, layout.static_record_layout)


def _some(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _first(*choices: int | None) -> int:
    return next((c for c in choices if c), 1)


def _element(attr: str, made: Any, owner: str) -> Element:
    kind, _, suffix = attr.rpartition("_")
    if not kind or suffix not in tuple(AXES):
        kind, suffix = attr, ""
    if kind == "axis_rescale":
        raise UsageError(
            f"{owner}: rescale axes are not supported.", hint="Read the bytes by address."
        )
    axis = AXES.index(suffix) if suffix else -1
    if kind == "reserved":
        return Element(kind, axis, made.position, None, _SIZES.get(made.data_size, 1))
    addressing = getattr(made, "address_type", None) or getattr(made, "addressing", "DIRECT")
    mode = getattr(made, "index_mode", "")
    if addressing != "DIRECT" or mode.startswith("ALTERNATE"):
        what = mode if mode.startswith("ALTERNATE") else addressing
        raise UsageError(
            f"{owner}: {what} in its record layout is not supported.",
            hint="Read the bytes by address.",
        )
    datatype = datatype_of(made.datatype, owner)
    backwards = getattr(made, "index_incr", "") == "INDEX_DECR"
    return Element(kind, axis, made.position, datatype, datatype.size_bytes, backwards, mode)
