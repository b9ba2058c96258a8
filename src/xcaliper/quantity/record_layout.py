"""RECORD_LAYOUT to elements with offsets (ASAP2, RECORD_LAYOUT)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import lcm, prod
from typing import Any, Final

from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.layout import RecordLayout
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.memory_values import POINTERS, byte_order_of, datatype_of, from_bytes

__all__ = ["AXES", "Element", "Placed", "Record", "RecordShape", "memory_axes", "shape_of"]

AXES: Final = "xyz45"
"""Letters of the axes, X first (ASAP2, RECORD_LAYOUT)."""
MAX_ITEMS: Final = 1 << 24
MAX_KNOWN: Final = 1024
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
_ALTERNATING: Final = {"ALTERNATE_WITH_X": 0, "ALTERNATE_WITH_Y": 1, "ALTERNATE_CURVES": 0}


def memory_axes(mode: str, ndim: int) -> tuple[int, ...]:
    """Order of the dimensions of a logical table [.., z, y, x] in memory, slowest first.

    Rows run along X. COLUMN_DIR has Y fastest, then X, and ALTERNATE_WITH_X keeps all values of
    one x together *(ASAP2, FNC_VALUES, IndexMode)*.
    """
    axes = list(range(ndim))
    if ndim < 2:
        return tuple(axes)
    if mode == "COLUMN_DIR":
        axes[-1], axes[-2] = axes[-2], axes[-1]
    elif mode == "ALTERNATE_WITH_X":
        axes = [axes[-1], *axes[:-1]]
    elif mode == "ALTERNATE_WITH_Y":
        axes = [axes[-2], *axes[:-2], axes[-1]]
    return tuple(axes)


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
        pointer: type of the pointer that stands in the record for the data; None for data in place.
        max_pairs: pairs of AXIS_RESCALE.
    """

    kind: str
    axis: int
    position: int
    datatype: DataType | None
    size_bytes: int
    reversed: bool = False
    mode: str = ""
    pointer: DataType | None = None
    max_pairs: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """An element at its place.

    Attributes:
        element: the element.
        offset: bytes from the start of the record; of the pointer, where there is one.
        count: number of items.
        starts: offsets of runs of items, where they alternate with something else.
        run: items in each of those runs.
    """

    element: Element
    offset: int
    count: int
    starts: tuple[int, ...] = ()
    run: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all items."""
        return self.element.size_bytes * self.count

    def pieces(self) -> list[tuple[int, int]]:
        """Offset and size in bytes of every run of data inside the record."""
        if not self.starts:
            return [(self.offset, self.size_bytes)]
        size = self.run * self.element.size_bytes
        return [(start, size) for start in self.starts]


@dataclass(frozen=True, slots=True)
class Record:
    """A layout applied to a place and to counts.

    Attributes:
        placed: elements in memory order.
        counts: points of each axis.
        size_bytes: bytes from the start of the record to behind its last element.
        pairs: rescale pairs of each axis that has them.
        doubts: counts of the record that cannot be right; the largest numbers stand for them.
    """

    placed: tuple[Placed, ...]
    counts: tuple[int, ...]
    size_bytes: int
    pairs: Mapping[int, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def find(self, kind: str, axis: int = -1) -> Placed | None:
        """The element of a kind and axis."""
        return next(
            (p for p in self.placed if p.element.kind == kind and p.element.axis == axis), None
        )


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many items there are of everything, and for how many room is kept."""

    points: tuple[int, ...]
    pairs: Mapping[int, int]
    values: int | None

    def items(self, element: Element) -> int:
        if element.kind == "fnc_values":
            return prod(self.points) if self.values is None else self.values
        if element.kind == "axis_pts":
            return self.points[element.axis] if element.axis < len(self.points) else 0
        if element.kind == "axis_rescale":
            return 2 * self.pairs.get(element.axis, element.max_pairs)
        return 1


@dataclass(frozen=True, slots=True)
class RecordShape:
    """A layout before it is applied.

    Attributes:
        name: name of the RECORD_LAYOUT.
        elements: in order of position.
        fixed: FIX_NO_AXIS_PTS per axis.
        alignment: border in bytes per data type.
        static: room for the maximum number of points is always kept.
        curves: place of this curve among those it alternates with, and their number.
        calibration_offset: what is added to a pointer of the record.
        pointer_order: byte order of a pointer of the record.
    """

    name: str
    elements: tuple[Element, ...]
    fixed: Mapping[int, int]
    alignment: Mapping[DataType, int]
    static: bool
    curves: tuple[int, int] = (0, 1)
    calibration_offset: int = 0
    pointer_order: ByteOrder = ByteOrder.INTEL
    _known: dict[tuple[Any, ...], Record] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )  # what was worked out for a place and for counts; many records are alike

    def find(self, kind: str, axis: int = -1) -> Element | None:
        """The element of a kind and axis."""
        return next((e for e in self.elements if e.kind == kind and e.axis == axis), None)

    @property
    def is_counted(self) -> bool:
        """True when the record tells how many points or pairs it has."""
        return any(e.kind in ("no_axis_pts", "no_rescale") for e in self.elements)

    def among(self, rank: int, total: int) -> "RecordShape":
        """The same layout for one of several curves that alternate."""
        return replace(self, curves=(rank, total))

    def border(self) -> int:
        """Largest border of its elements: what an array of such records is padded to."""
        return max((self._border(e) for e in self.elements), default=1)

    def _border(self, element: Element) -> int:
        datatype = element.pointer or element.datatype
        return self.alignment[datatype] if datatype is not None else 1

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

        Raises:
            UsageError: the record is larger than any memory it could lie in.
        """
        if data is not None:
            return self._laid(byte_address, maximum, given, data, order, values)
        known = (byte_address % self.period(), maximum, tuple((given or {}).items()), values)
        made = self._known.get(known)
        if made is None:
            made = self._laid(byte_address, maximum, given, None, order, values)
            if len(self._known) < MAX_KNOWN:
                self._known[known] = made
        return made

    def period(self) -> int:
        """Distance at which addresses are alike to every border."""
        return lcm(*map(self._border, self.elements))

    def _laid(
        self,
        byte_address: int,
        maximum: tuple[int, ...],
        given: Mapping[int, int] | None,
        data: bytes | None,
        order: ByteOrder,
        values: int | None,
    ) -> Record:
        points = [min(self.fixed.get(n, m), m) if m else 0 for n, m in enumerate(maximum)]
        for axis, count in (given or {}).items():
            points[axis] = count
        largest = self._largest_pairs(maximum)
        pairs = dict(largest)
        room = _Counts(tuple(maximum), largest, values)
        doubts: list[str] = []
        if data is not None:
            for element in self.elements:
                if element.kind in ("no_axis_pts", "no_rescale"):
                    used = _Counts(tuple(points), pairs, values)
                    doubt = self._read_count(
                        element, byte_address, (used, room), (points, pairs, given), data, order
                    )
                    doubts.extend([doubt] if doubt else [])
        made = self._place(byte_address, _Counts(tuple(points), pairs, values), room)
        return replace(made, doubts=tuple(doubts)) if doubts else made

    def _largest_pairs(self, maximum: tuple[int, ...]) -> dict[int, int]:
        """Rescale pairs per axis; a count in the record may exceed that of the keyword."""
        found: dict[int, int] = {}
        for element in self.elements:
            if element.kind == "axis_rescale":
                more = maximum[element.axis] if element.axis < len(maximum) else 0
                counted = self.find("no_rescale", element.axis) is not None
                found[element.axis] = max(element.max_pairs, more if counted else 0)
        return found

    def _read_count(
        self,
        element: Element,
        byte_address: int,
        counts: tuple[_Counts, _Counts],
        into: tuple[list[int], dict[int, int], Mapping[int, int] | None],
        data: bytes,
        order: ByteOrder,
    ) -> str:
        """Take a number of points or pairs from the record; impossible ones leave the maximum.

        Returns:
            What is wrong with the number; empty when nothing is.
        """
        points, pairs, given = into
        axis = element.axis
        top = counts[1].pairs.get(axis, 0) if element.kind == "no_rescale" else 0
        if element.kind == "no_axis_pts":
            if axis >= len(points) or axis in (given or {}) or axis in self.fixed:
                return ""
            top = counts[1].points[axis]
        placed = self._place(byte_address, *counts).find(element.kind, axis)
        assert placed is not None, "it is one of the elements"
        assert element.datatype is not None, "only RESERVED has none"
        raw = data[placed.offset : placed.offset + placed.size_bytes]
        if len(raw) < placed.size_bytes:
            return ""
        found = from_bytes(raw, element.datatype, order)[0]
        count = int(found) if 0 < found <= top else top
        if element.kind == "no_rescale":
            pairs[axis] = count
        else:
            points[axis] = count
        if count == found:
            return ""
        word = f"{element.kind}_{AXES[axis]}".upper()
        return f"{word} is {found:g} where 1 to {top} can be; {top} are taken"

    def _place(self, byte_address: int, used: _Counts, room: _Counts) -> Record:
        kept = room if self.static else used
        if max(map(kept.items, self.elements), default=0) > MAX_ITEMS:
            raise UsageError(
                f"record layout {self.name}: it has room for more than {MAX_ITEMS} values.",
                hint="Correct the dimensions.",
            )
        placed: list[Placed] = []
        together = self._alternating(used)
        at = 0
        for element in self.elements:
            if element in together:
                if element is together[0]:
                    made, at = self._weave(byte_address, at, together, used, kept)
                    placed.extend(made)
                continue
            at += -(byte_address + at) % self._border(element)
            placed.append(Placed(element, at, used.items(element)))
            at += (
                element.pointer.size_bytes
                if element.pointer
                else kept.items(element) * element.size_bytes
            )
        return Record(tuple(placed), used.points, at, used.pairs)

    def _alternating(self, used: _Counts) -> tuple[Element, ...]:
        """Values and axis points that lie mixed, in order of position; nothing in most layouts."""
        values = self.find("fnc_values")
        axis = _ALTERNATING.get(values.mode) if values else None
        if values is None or axis is None or values.pointer or axis >= len(used.points):
            return ()
        points = self.find("axis_pts", axis)
        if points is None or points.pointer:
            return (values,) if values.mode == "ALTERNATE_CURVES" else ()
        if values.mode == "ALTERNATE_CURVES":
            return (values, points)
        return tuple(e for e in self.elements if e in (values, points))

    def _weave(
        self,
        byte_address: int,
        at: int,
        together: tuple[Element, ...],
        used: _Counts,
        kept: _Counts,
    ) -> tuple[list[Placed], int]:
        """Place elements that alternate: a run of values and a point, once per point of the axis."""
        values = next(e for e in together if e.kind == "fnc_values")
        axis = _ALTERNATING[values.mode]
        rank, total = self.curves if values.mode == "ALTERNATE_CURVES" else (0, 1)
        runs = {
            e: total if e.kind == "fnc_values" and total > 1 else _run(e, used, axis)
            for e in together
        }
        kept_runs = {e: runs[e] if total > 1 else _run(e, kept, axis) for e in together}
        starts: dict[Element, list[int]] = {e: [] for e in together}
        # the address of a curve is that of its own first value
        at -= rank * values.size_bytes
        end = at
        for n in range(max(used.points[axis], kept.points[axis])):
            for element in together:
                at += -(byte_address + at) % self._border(element)
                own = rank * values.size_bytes if element is values else 0
                if n < used.points[axis]:
                    starts[element].append(at + own)
                end = (
                    at
                    + own
                    + (1 if element is values and total > 1 else kept_runs[element])
                    * (element.size_bytes)
                )
                at += kept_runs[element] * element.size_bytes
        made = [
            Placed(
                e,
                starts[e][0] if starts[e] else end,
                used.items(e),
                tuple(starts[e]),
                1 if total > 1 else runs[e],
            )
            for e in together
        ]
        return made, end


def _run(element: Element, counts: _Counts, axis: int) -> int:
    """Items of one element per point of the alternating axis."""
    return counts.items(element) // max(1, counts.points[axis])


def shape_of(name: str, index: ModuleIndex, owner: str) -> RecordShape:
    """The layout of a name.

    Args:
        name: name of the RECORD_LAYOUT.
        index: the module.
        owner: the object, for messages.

    Raises:
        UsageError: the layout is missing, or names an unknown data type.
    """
    layout: RecordLayout | None = index.find(name, "RECORD_LAYOUT")
    if layout is None:
        raise UsageError(f"{owner}: record layout {name} does not exist.", hint="Add it.")
    key = ("RECORD_LAYOUT", name)
    known = index.made.get(key)
    if known is None or known[0] is not layout:
        known = index.made[key] = (layout, _shape(layout, index, owner))
    shape: RecordShape = known[1]
    return shape


def _shape(layout: RecordLayout, index: ModuleIndex, owner: str) -> RecordShape:
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
    common, par = index.module.mod_common, index.module.mod_par
    alignment = {
        datatype: _first(
            getattr(layout, f"alignment_{word}"),
            getattr(common, f"alignment_{word}", None),
            datatype.size_bytes,
        )
        for datatype, word in _ALIGNMENTS.items()
    }
    return RecordShape(
        layout.name,
        tuple(elements),
        fixed,
        alignment,
        layout.static_record_layout or layout.static_address_offsets,
        calibration_offset=(par.ecu_calibration_offset or 0) if par else 0,
        pointer_order=byte_order_of(None, index),
    )


def _some(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _first(*choices: int | None) -> int:
    return next((c for c in choices if c and c > 0), 1)


def _element(attr: str, made: Any, owner: str) -> Element:
    kind, _, suffix = attr.rpartition("_")
    if not kind or suffix not in tuple(AXES):
        kind, suffix = attr, ""
    axis = AXES.index(suffix) if suffix else -1
    if kind == "reserved":
        return Element(kind, axis, made.position, None, _SIZES.get(made.data_size, 1))
    addressing = str(getattr(made, "address_type", "") or getattr(made, "addressing", ""))
    datatype = datatype_of(made.datatype, owner)
    return Element(
        kind,
        axis,
        made.position,
        datatype,
        datatype.size_bytes,
        getattr(made, "index_incr", "") == "INDEX_DECR",
        getattr(made, "index_mode", ""),
        POINTERS.get(addressing),
        max(0, getattr(made, "max_number_of_rescale_pairs", 0)),
    )
