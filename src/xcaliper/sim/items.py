"""What a virtual ECU consists of: signals, parameters, segments, events, groups.

Defaults and limits are physical. Shapes are those of numpy: the last dimension is the fastest.
Addresses count in units of the address granularity (AG).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from xcaliper.sim.conversion import Conversion, Identical

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.core.datatypes import DataType

__all__ = [
    "Area",
    "Axis",
    "BitField",
    "CalibrationMethod",
    "Curve",
    "Event",
    "FixAxis",
    "Function",
    "Group",
    "Map",
    "Measurement",
    "MemoryKind",
    "Page",
    "Parameter",
    "Scalar",
    "Segment",
    "Signal",
    "StdAxis",
    "StructArray",
    "StructMember",
    "Text",
    "TextMeasurement",
    "ValueBlock",
    "default_raw",
    "phys_limits",
]

_RAW: Final = Identical()
_BITS: Final = Identical(format="%3.0")

Limits: TypeAlias = tuple[float, float]
Numbers: TypeAlias = tuple[float, ...] | tuple["Numbers", ...]


class MemoryKind(Enum):
    """What a run of memory is made of (ASAP2, MEMORY_SEGMENT memory type, 1.2)."""

    FLASH = "flash"
    RAM = "RAM"
    EEPROM = "EEPROM"
    PERIPHERALS = "peripherals"
    EXTERNAL_FLASH = "external flash"


def phys_limits(datatype: DataType, conversion: Conversion) -> Limits:
    """Lowest and highest physical value that the data type can hold."""
    ends = [float(end) for end in conversion.to_phys(datatype.limits)]
    return min(ends), max(ends)


@dataclass(frozen=True, slots=True)
class Event:
    """An event channel (XCP Base, event channel, 1.0).

    Attributes:
        name: full name.
        channel: number, from 0 without holes.
        cycle_ms: period; None when the event is not cyclic.
        short_name: at most 8 characters.
        priority: 255 is the highest.
        cycle_us: period that is no whole number of milliseconds; counts instead of ``cycle_ms``.
        stim: lists of direction STIM may use it too.
    """

    name: str
    channel: int
    cycle_ms: int | None
    short_name: str
    priority: int = 0
    cycle_us: int | None = None
    stim: bool = False

    @property
    def period_ns(self) -> int:
        """Nanoseconds from one event to the next, 0 when it is not cyclic."""
        if self.cycle_us is not None:
            return self.cycle_us * 1_000
        return (self.cycle_ms or 0) * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A scalar or an array that the ECU computes (ASAP2, MEASUREMENT).

    Attributes:
        event: name of the event whose task writes it.
        limits: physical; None = what the data type holds.
        shape: () for a scalar.
        writable: True permits stimulation and writing.
        address: fixed address; None lets the image place it.
    """

    name: str
    datatype: DataType
    text: str
    event: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    shape: tuple[int, ...] = ()
    writable: bool = False
    address: int | None = None

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitField:
    """Some bits of an integer measurement (ASAP2, BIT_MASK).

    Attributes:
        of: name of the measurement that holds the bits.
        mask: bits inside it; one run of ones.
    """

    name: str
    of: str
    mask: int
    text: str
    conversion: Conversion = _BITS

    @property
    def shift(self) -> int:
        """Position of the lowest bit."""
        return (self.mask & -self.mask).bit_length() - 1

    @property
    def top(self) -> int:
        """Highest value the bits can hold."""
        return self.mask >> self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMeasurement:
    """A text that the ECU writes: NUL-padded characters, read-only (ASAP2, ASCII)."""

    name: str
    size_bytes: int
    text: str
    event: str
    address: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StructMember:
    """One component of a structure (ASAP2, STRUCTURE_COMPONENT, 1.7)."""

    name: str
    datatype: DataType
    text: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    shape: tuple[int, ...] = ()

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class StructArray:
    """An array of equal structures that the ECU computes (ASAP2, INSTANCE, 1.7).

    Attributes:
        type_name: name of the structure type.
        shape: (n,) or more dimensions; () for one structure.
    """

    name: str
    type_name: str
    members: tuple[StructMember, ...]
    text: str
    event: str
    shape: tuple[int, ...]
    address: int | None = None


Signal: TypeAlias = Measurement | BitField | TextMeasurement | StructArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One adjustable number (ASAP2, CHARACTERISTIC VALUE).

    Attributes:
        segment: name of the segment it lives in.
        hard_limits: refused beyond; None = same as ``limits`` (ASAP2, EXTENDED_LIMITS).
        step: step of adjustment in a tool; None = unsaid.
    """

    name: str
    datatype: DataType
    default: float
    text: str
    segment: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    hard_limits: Limits | None = None
    step: float | None = None
    address: int | None = None

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An adjustable text, NUL-padded (ASAP2, CHARACTERISTIC ASCII)."""

    name: str
    size_bytes: int
    default: str
    text: str
    segment: str
    address: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueBlock:
    """An adjustable array without axes (ASAP2, CHARACTERISTIC VAL_BLK)."""

    name: str
    datatype: DataType
    default: Numbers
    text: str
    segment: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    address: int | None = None

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Axis points shared by several tables (ASAP2, AXIS_PTS).

    Attributes:
        default: strictly rising physical points.
        input: measurement that moves along the axis; empty = none.
    """

    name: str
    datatype: DataType
    default: tuple[float, ...]
    text: str
    segment: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    input: str = ""
    address: int | None = None

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class StdAxis:
    """Axis points inside the record of their table (ASAP2, STD_AXIS)."""

    datatype: DataType
    default: tuple[float, ...]
    conversion: Conversion = _RAW
    limits: Limits | None = None
    input: str = ""

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixAxis:
    """Computed axis points: raw = offset + i · distance (ASAP2, FIX_AXIS_PAR_DIST)."""

    offset: int
    distance: int
    count: int
    conversion: Conversion = _RAW
    input: str = ""

    @property
    def default(self) -> tuple[float, ...]:
        """The physical points."""
        raw = [self.offset + i * self.distance for i in range(self.count)]
        return tuple(float(phys) for phys in self.conversion.to_phys(raw))

    @property
    def phys_limits(self) -> Limits:
        """The outermost points."""
        points = self.default
        return (min(points), max(points)) if points else (0.0, 0.0)


#: An axis of a table; a string names a shared :class:`Axis`.
TableAxis: TypeAlias = StdAxis | FixAxis | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A table over one axis (ASAP2, CHARACTERISTIC CURVE)."""

    name: str
    datatype: DataType
    x: TableAxis
    default: tuple[float, ...]
    text: str
    segment: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    address: int | None = None

    @property
    def axes(self) -> tuple[TableAxis, ...]:
        """The axis, in a tuple."""
        return (self.x,)

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A table over two axes; ``default[iy][ix]`` (ASAP2, CHARACTERISTIC MAP).

    Attributes:
        by_column: True stores column by column (COLUMN_DIR) instead of row by row (ROW_DIR).
    """

    name: str
    datatype: DataType
    x: TableAxis
    y: TableAxis
    default: tuple[tuple[float, ...], ...]
    text: str
    segment: str
    conversion: Conversion = _RAW
    limits: Limits | None = None
    by_column: bool = False
    address: int | None = None

    @property
    def axes(self) -> tuple[TableAxis, ...]:
        """X, then Y."""
        return self.x, self.y

    @property
    def phys_limits(self) -> Limits:
        """Declared limits, else those of the data type."""
        return self.limits or phys_limits(self.datatype, self.conversion)


Parameter: TypeAlias = Scalar | Text | ValueBlock | Axis | Curve | Map


@dataclass(frozen=True, slots=True)
class Page:
    """One of the memories of a segment (XCP Base, PAGE, 1.0).

    Attributes:
        writable: its memory can be written at all.
        ecu_access: 0 never, 1 only while XCP uses another page, 2 only with XCP, 3 always.
        xcp_read_access: the same while the ECU uses another page, or this one.
        xcp_write_access: the same; None = always where it is writable.
    """

    number: int
    text: str
    writable: bool
    ecu_access: int = 3
    xcp_read_access: int = 3
    xcp_write_access: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A block of parameters with several pages at one address range (XCP Base, SEGMENT, 1.0).

    Attributes:
        number: from 0 without holes.
        address: first address.
        init_page: page that ECU and XCP use after start.
        kind: memory of its first page.
        initial_at: address of a copy in flash that start-up code takes the working pages from; None =
            there is no copy of its own.
    """

    name: str
    number: int
    address: int
    size_bytes: int
    text: str = ""
    extension: int = 0
    kind: MemoryKind = MemoryKind.FLASH
    initial_at: int | None = None
    pages: tuple[Page, ...] = (
        Page(0, "working page in RAM", writable=True),
        Page(1, "reference page in flash", writable=False),
    )
    init_page: int = 0

    @property
    def initial_name(self) -> str:
        """Name of the region with the initial values."""
        return f"{self.name}_INIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Memory without any object of the description: registers, flash of somebody else.

    Attributes:
        address: first address.
        writable: XCP may write it.
        fill: value of every byte after start.
    """

    name: str
    kind: MemoryKind
    address: int
    size_bytes: int
    extension: int = 0
    writable: bool = False
    fill: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationMethod:
    """How the ECU makes parameters adjustable, for tools that have to know (ASAP2, CALIBRATION_METHOD).

    Attributes:
        name: of the method.
        version: of the method.
        handle: numbers that it needs.
    """

    name: str
    version: int = 1
    handle: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Signals and parameters that belong together (ASAP2, GROUP)."""

    name: str
    text: str
    members: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A software function with what it reads, computes and is adjusted by (ASAP2, FUNCTION)."""

    name: str
    text: str
    parameters: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def default_raw(item: Scalar | ValueBlock | Axis | Curve | Map | StdAxis) -> NDArray[np.float64]:
    """Raw defaults before the cast to the data type: rounded for integers, as floats."""
    raw = item.conversion.to_raw(item.default)
    if item.datatype.is_float:
        return raw
    rounded: NDArray[np.float64] = np.sign(raw) * np.floor(np.abs(raw) + 0.5)
    return rounded
