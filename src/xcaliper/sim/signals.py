"""How a model reaches its memory: many signals in one write, parameters as plain numbers.

A model works in physical values. A :class:`SignalWriter` scales, rounds and saturates a whole
task's signals with a few numpy calls and packs each run of memory at once.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.sim.image import RAM, EcuImage, record_elements, record_offsets, struct_dtype
from xcaliper.sim.items import (
    Axis,
    Curve,
    Map,
    Measurement,
    Scalar,
    StructArray,
    Text,
    TextMeasurement,
    ValueBlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from xcaliper.core.datatypes import DataType
    from xcaliper.sim.conversion import Conversion
    from xcaliper.sim.memory import EcuMemory

__all__ = ["ParameterReader", "SignalWriter", "Table", "signal_view", "write_text"]

#: Largest float that still is an int64, so that casts never overflow.
_TOP: Final = float(np.nextafter(2.0**63, 0))


def signal_view(memory: EcuMemory, name: str) -> NDArray[Any]:
    """Raw values of a signal as an array over the RAM: shape of the signal, () for scalars.

    Raises:
        UsageError: the name is a bit field or a parameter.
    """
    image = memory.image
    item = image.declaration[name]
    order = image.declaration.byte_order
    placed = image[name]
    if isinstance(item, StructArray):
        dtype, shape = struct_dtype(item, order, image.ag), item.shape
    elif isinstance(item, Measurement):
        dtype, shape = item.datatype.dtype(order), item.shape
    elif isinstance(item, TextMeasurement):
        dtype, shape = np.dtype("u1"), (item.size_bytes,)
    else:
        raise UsageError(f"{name}: only signals with memory of their own have a view.")
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(memory.ram, dtype, count, placed.offset).reshape(shape)


def write_text(memory: EcuMemory, name: str, text: str) -> None:
    """Write a text measurement, cut to its size and NUL-padded."""
    placed = memory.image[name]
    data = text.encode("ascii", "replace")[: placed.size_bytes].ljust(placed.size_bytes, b"\0")
    memory.ram[placed.offset : placed.offset + placed.size_bytes] = data


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring signals that one pack call writes."""

    packer: struct.Struct
    offset: int
    first: int
    last: int


class SignalWriter:
    """Writes a fixed set of scalar signals, given as physical values by name.

    Args:
        memory: where they go.
        names: measurements without shape.

    Raises:
        UsageError: a name is no scalar measurement.
    """

    def __init__(self, memory: EcuMemory, names: Iterable[str]) -> None:
        image = memory.image
        items: list[Measurement] = []
        for name in names:
            item = image.declaration[name]
            if not isinstance(item, Measurement) or item.shape:
                raise UsageError(f"{name}: only scalar measurements can be written together.")
            items.append(item)
        items.sort(key=lambda item: image[item.name].offset)
        integers = [item for item in items if not item.datatype.is_float]
        floats = [item for item in items if item.datatype.is_float]
        packed = [*integers, *floats]
        self._ram = memory.ram
        self._pick = itemgetter(*(item.name for item in packed)) if packed else None
        self._many = len(packed) > 1
        self._integers = len(integers)
        self._curved: list[tuple[int, Conversion]] = []
        self._scale(packed)
        places = {item.name: at for at, item in enumerate(packed)}
        self._order = itemgetter(*(places[item.name] for item in items)) if items else None
        self._runs = _runs(image, items)

    def _scale(self, packed: list[Measurement]) -> None:
        rows = [item.conversion.linear or (1.0, 0.0) for item in packed]
        self._curved = [
            (at, item.conversion) for at, item in enumerate(packed) if not item.conversion.linear
        ]
        self._gain = np.array([1.0 / factor for factor, _ in rows])
        self._bias = np.array([-offset / factor for factor, offset in rows])
        self._low = np.array([max(float(item.datatype.limits[0]), -_TOP) for item in packed])
        self._high = np.array([min(float(item.datatype.limits[1]), _TOP) for item in packed])

    def write(self, phys: Mapping[str, float]) -> None:
        """Write all signals; values saturate at what the data type holds."""
        if self._pick is None or self._order is None:
            return
        picked = self._pick(phys)
        raw = np.array(picked if self._many else (picked,), dtype=np.float64)
        raw *= self._gain
        raw += self._bias
        for at, conversion in self._curved:
            raw[at] = conversion.to_raw(picked[at] if self._many else picked)
        np.fmax(np.fmin(raw, self._high, out=raw), self._low, out=raw)
        split = self._integers
        whole = np.rint(raw[:split]).astype(np.int64).tolist()
        values = [*whole, *raw[split:].tolist()]
        ordered = self._order(values) if self._many else values
        for run in self._runs:
            run.packer.pack_into(self._ram, run.offset, *ordered[run.first : run.last])


def _runs(image: EcuImage, items: list[Measurement]) -> tuple[_Run, ...]:
    """Split signals, sorted by offset, where memory of others lies between them."""
    taken = sorted(
        placed.offset
        for placed in image.placements.values()
        if placed.region == RAM and placed.name not in {item.name for item in items}
    )
    order = image.declaration.byte_order.mark
    runs: list[_Run] = []
    first, code, end = 0, order, -1
    for at, item in enumerate(items):
        offset = image[item.name].offset
        others_between = end >= 0 and bisect_right(taken, offset) != bisect_right(taken, end - 1)
        if end >= 0 and (others_between or offset - end > 64):
            runs.append(_Run(struct.Struct(code), image[items[first].name].offset, first, at))
            first, code, end = at, order, -1
        if end >= 0 and offset > end:
            code += f"{offset - end}x"
        code += item.datatype.struct_code
        end = offset + item.datatype.size_bytes
    if items:
        runs.append(_Run(struct.Struct(code), image[items[first].name].offset, first, len(items)))
    return tuple(runs)


@dataclass(frozen=True, slots=True)
class Table:
    """A curve or map as plain lists, interpolated and clamped at its edges.

    Attributes:
        x: axis points, rising.
        y: axis points of a map, rising; empty for a curve.
        rows: values, one row per y.
    """

    x: list[float]
    y: list[float]
    rows: list[list[float]]

    def at(self, x: float, y: float = 0.0) -> float:
        """The value at a point."""
        ix, fx = _locate(self.x, x)
        if not self.y:
            row = self.rows[0]
            return row[ix] + fx * (row[ix + 1] - row[ix])
        iy, fy = _locate(self.y, y)
        low, high = self.rows[iy], self.rows[iy + 1]
        first = low[ix] + fx * (low[ix + 1] - low[ix])
        second = high[ix] + fx * (high[ix + 1] - high[ix])
        return first + fy * (second - first)


def _locate(points: list[float], at: float) -> tuple[int, float]:
    """Index of the interval and the fraction inside it, 0 to 1."""
    if not at > points[0]:  # NaN too
        return 0, 0.0
    last = len(points) - 2
    if at >= points[-1]:
        return last, 1.0
    index = bisect_right(points, at) - 1  # inside, whatever the order of the points is
    width = points[index + 1] - points[index]
    return index, (at - points[index]) / width if width > 0.0 else 0.0


class ParameterReader:
    """The ECU's parameters as physical numbers, read again only after a change.

    Whatever bytes the pages hold, a model gets finite numbers inside the limits.

    Args:
        memory: pages to read from, as the ECU sees them.

    Attributes:
        scalars: value by name.
        blocks: flat values of value blocks, by name.
        tables: curves and maps by name.
        texts: texts by name.
    """

    def __init__(self, memory: EcuMemory) -> None:
        self._memory = memory
        self._seen = -1
        self.scalars: dict[str, float] = {}
        self.blocks: dict[str, list[float]] = {}
        self.tables: dict[str, Table] = {}
        self.texts: dict[str, str] = {}

    def refresh(self) -> bool:
        """Read everything again if anything changed; True when it did."""
        if self._seen == self._memory.generation:
            return False
        self._seen = self._memory.generation
        for item in self._memory.image.declaration.parameters:
            if isinstance(item, Scalar):
                self.scalars[item.name] = self._values(item)[0]
            elif isinstance(item, ValueBlock):
                self.blocks[item.name] = self._values(item)
            elif isinstance(item, Text):
                placed = self._memory.image[item.name]
                data = self._bytes(item.name, 0, placed.size_bytes)
                self.texts[item.name] = data.split(b"\0")[0].decode("ascii", "replace")
            elif isinstance(item, (Curve, Map)):
                self.tables[item.name] = self._table(item)
        return True

    def _bytes(self, name: str, offset: int, size_bytes: int) -> bytes:
        placed = self._memory.image[name]
        start = placed.offset + offset
        return bytes(self._memory.ecu_bytes(placed.region)[start : start + size_bytes])

    def _element(self, item: Scalar | ValueBlock | Axis | Curve | Map, keyword: str) -> _Raw:
        elements = record_elements(item)
        offsets, _ = record_offsets(elements)
        for element, offset in zip(elements, offsets, strict=True):
            if element.keyword == keyword:
                dtype = element.datatype.dtype(self._memory.image.declaration.byte_order)
                data = self._bytes(item.name, offset, dtype.itemsize * len(element.raw))
                return _Raw(np.frombuffer(data, dtype), element.datatype)
        raise AssertionError(f"{item.name} has no {keyword}")

    def _values(self, item: Scalar | ValueBlock | Curve | Map) -> list[float]:
        raw = self._element(item, "FNC_VALUES")
        limits = item.phys_limits
        if isinstance(item, Scalar) and item.hard_limits:
            limits = item.hard_limits
        return _bounded(item.conversion, raw, limits)

    def _table(self, item: Curve | Map) -> Table:
        points = []
        for letter, axis in zip("XY", item.axes, strict=False):
            if isinstance(axis, str):
                shared = self._memory.image.declaration[axis]
                assert isinstance(shared, Axis), "checked at construction"
                raw = self._element(shared, "AXIS_PTS_X")
                points.append(_bounded(shared.conversion, raw, shared.phys_limits))
            elif hasattr(axis, "distance"):
                points.append(list(axis.default))
            else:
                raw = self._element(item, f"AXIS_PTS_{letter}")
                points.append(_bounded(axis.conversion, raw, axis.phys_limits))
        values = self._values(item)
        if not isinstance(item, Map):
            return Table(points[0], [], [values])
        nx, ny = len(points[0]), len(points[1])
        if item.by_column:
            rows = [values[iy::ny] for iy in range(ny)]
        else:
            rows = [values[iy * nx : (iy + 1) * nx] for iy in range(ny)]
        return Table(points[0], points[1], rows)


@dataclass(frozen=True, slots=True)
class _Raw:
    values: NDArray[Any]
    datatype: DataType


def _bounded(conversion: Conversion, raw: _Raw, limits: tuple[float, float]) -> list[float]:
    phys = conversion.to_phys(raw.values.astype(np.float64))
    low, high = limits
    bounded: list[float] = np.fmax(np.fmin(np.nan_to_num(phys, nan=low), high), low).tolist()
    return bounded
