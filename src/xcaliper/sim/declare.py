"""The declaration of a virtual ECU: memory image, A2L and event list follow from it.

It checks itself: every problem at once, one sentence each.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, PlanError, UsageError
from xcaliper.sim.items import (
    Area,
    Axis,
    BitField,
    CalibrationMethod,
    Curve,
    Event,
    FixAxis,
    Function,
    Group,
    Map,
    Measurement,
    Parameter,
    Scalar,
    Segment,
    Signal,
    StdAxis,
    StructArray,
    TableAxis,
    Text,
    TextMeasurement,
    ValueBlock,
    default_raw,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EcuDeclaration"]

_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_MAX_DIMENSIONS = 3
_MAX_ELEMENTS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class EcuDeclaration:
    """Everything a virtual ECU is made of, checked.

    Attributes:
        name: identifier of the ECU, also of its A2L module.
        epk: identification of the program, stored at ``epk_address``.
        ram_address: first address of the measurement RAM.
        ram_extension: its address extension.
        flash_extension: that of the program identification and of initial values.
        areas: further memory, without objects.
        method: how parameters are made adjustable; None = nobody has to know.

    Raises:
        PlanError: something does not fit; carries every problem.
    """

    name: str
    text: str
    epk: str
    events: tuple[Event, ...]
    signals: tuple[Signal, ...]
    parameters: tuple[Parameter, ...]
    segments: tuple[Segment, ...]
    groups: tuple[Group, ...] = ()
    functions: tuple[Function, ...] = ()
    byte_order: ByteOrder = ByteOrder.INTEL
    ram_address: int = 0x2000_0000
    ram_size_bytes: int = 0x1_0000
    epk_address: int = 0x0800_0100
    ram_extension: int = 0
    flash_extension: int = 0
    areas: tuple[Area, ...] = ()
    method: CalibrationMethod | None = None
    _by_name: dict[str, Signal | Parameter] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        found = _problems(self)
        if found:
            raise PlanError(self.name or "ECU", found, hint="Correct the declaration.")
        self._by_name.update({item.name: item for item in (*self.signals, *self.parameters)})

    def __getitem__(self, name: str) -> Signal | Parameter:
        """The signal or parameter of a name.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self._by_name:
            raise NotFoundError(name, kind="signal or parameter")
        return self._by_name[name]

    def points(self, axis: TableAxis) -> tuple[float, ...]:
        """Physical points of an axis, shared ones looked up."""
        if isinstance(axis, str):
            shared = self[axis]
            assert isinstance(shared, Axis), "checked at construction"
            return shared.default
        return axis.default


def _problems(declaration: EcuDeclaration) -> tuple[str, ...]:
    """Everything that does not fit, in the order of the declaration."""
    return (
        *_names(declaration),
        *_events(declaration),
        *_segments(declaration),
        *(text for signal in declaration.signals for text in _signal(signal, declaration)),
        *(text for item in declaration.parameters for text in _parameter(item, declaration)),
        *_groups(declaration),
        *_functions(declaration),
    )


def _names(declaration: EcuDeclaration) -> Iterator[str]:
    objects = [item.name for item in (*declaration.signals, *declaration.parameters)]
    kinds = {
        "object": objects,
        "event": [event.name for event in declaration.events],
        "segment": [segment.name for segment in declaration.segments],
        "area": [area.name for area in declaration.areas],
        "group": [group.name for group in declaration.groups],
        "function": [function.name for function in declaration.functions],
    }
    for kind, names in kinds.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{kind} {name} is declared {count} times"
            if kind != "event" and not _IDENT.match(name):
                yield f"{kind} name {name!r} is no identifier"
    if not _IDENT.match(declaration.name):
        yield f"ECU name {declaration.name!r} is no identifier"
    if not declaration.epk.isascii() or not 0 < len(declaration.epk) <= 255:
        yield "EPK must be 1 to 255 ASCII characters"


def _events(declaration: EcuDeclaration) -> Iterator[str]:
    channels = sorted(event.channel for event in declaration.events)
    if channels != list(range(len(channels))):
        yield f"event channels {channels} are not 0 to {len(channels) - 1} without holes"
    for event in declaration.events:
        if not 0 < len(event.short_name) <= 8:
            yield f"event {event.name}: short name {event.short_name!r} needs 1 to 8 characters"
        if not 0 <= event.priority <= 255:
            yield f"event {event.name}: priority {event.priority} is outside 0 to 255"
        if event.cycle_ms is not None and not 0 < event.cycle_ms <= 255:
            yield f"event {event.name}: cycle {event.cycle_ms} ms is outside 1 to 255"
        if event.cycle_us is not None and not 0 < event.cycle_us <= 255_000:
            yield f"event {event.name}: cycle {event.cycle_us} us is outside 1 to 255000"


def _segments(declaration: EcuDeclaration) -> Iterator[str]:
    numbers = sorted(segment.number for segment in declaration.segments)
    if numbers != list(range(len(numbers))):
        yield f"segment numbers {numbers} are not 0 to {len(numbers) - 1} without holes"
    for segment in declaration.segments:
        yield from _pages(segment)
        if segment.address % 8 or segment.size_bytes % 8 or segment.size_bytes <= 0:
            yield f"segment {segment.name}: address and size must be multiples of 8"
        if segment.initial_at is not None and segment.initial_at % 8:
            yield f"segment {segment.name}: address of initial values must be a multiple of 8"
    for area in declaration.areas:
        if area.address % 8 or area.size_bytes % 8 or area.size_bytes <= 0:
            yield f"area {area.name}: address and size must be multiples of 8"
    for kind, name, extension in (
        *(("segment", one.name, one.extension) for one in declaration.segments),
        *(("area", one.name, one.extension) for one in declaration.areas),
        ("region", "RAM", declaration.ram_extension),
        ("region", "CODE", declaration.flash_extension),
    ):
        if not 0 <= extension <= 255:
            yield f"{kind} {name}: address extension is outside 0 to 255"
    if declaration.ram_address % 8 or declaration.ram_size_bytes % 8:
        yield "RAM: address and size must be multiples of 8"


def _pages(segment: Segment) -> Iterator[str]:
    pages = [page.number for page in segment.pages]
    if not pages or pages != list(range(len(pages))):
        yield f"segment {segment.name}: pages {pages} are not 0, 1, … without holes"
    if segment.init_page not in pages:
        yield f"segment {segment.name}: first page {segment.init_page} does not exist"


def _signal(signal: Signal, declaration: EcuDeclaration) -> Iterator[str]:
    if isinstance(signal, BitField):
        yield from _bit_field(signal, declaration)
        return
    if signal.event not in {event.name for event in declaration.events}:
        yield f"{signal.name}: event {signal.event!r} is not declared"
    if isinstance(signal, TextMeasurement):
        if not 0 < signal.size_bytes <= 255:
            yield f"{signal.name}: size {signal.size_bytes} is outside 1 to 255"
        return
    yield from _shape(signal.name, signal.shape)
    if isinstance(signal, Measurement):
        yield from _limits(signal.name, signal.phys_limits)
        if signal.conversion.linear is None and signal.shape:
            yield f"{signal.name}: an array needs a linear conversion"
        return
    yield from _members(signal)


def _members(signal: StructArray) -> Iterator[str]:
    if not signal.members:
        yield f"{signal.name}: the structure has no members"
    if not _IDENT.match(signal.type_name):
        yield f"{signal.name}: type name {signal.type_name!r} is no identifier"
    for name, count in Counter(member.name for member in signal.members).items():
        if count > 1:
            yield f"{signal.name}.{name} is declared {count} times"
        if not _IDENT.match(name):
            yield f"{signal.name}: member name {name!r} is no identifier"
    for member in signal.members:
        yield from _shape(f"{signal.name}.{member.name}", member.shape)
        yield from _limits(f"{signal.name}.{member.name}", member.phys_limits)


def _bit_field(signal: BitField, declaration: EcuDeclaration) -> Iterator[str]:
    holder = next((item for item in declaration.signals if item.name == signal.of), None)
    if not isinstance(holder, Measurement) or holder.shape or holder.datatype.is_float:
        yield f"{signal.name}: {signal.of!r} is no integer measurement"
        return
    if signal.mask <= 0 or signal.mask.bit_length() > 8 * holder.datatype.size_bytes:
        yield f"{signal.name}: mask 0x{signal.mask:X} does not fit {holder.datatype.name}"
    elif signal.top & (signal.top + 1):
        yield f"{signal.name}: mask 0x{signal.mask:X} has holes"


def _shape(name: str, shape: tuple[int, ...]) -> Iterator[str]:
    if len(shape) > _MAX_DIMENSIONS or any(size < 1 for size in shape):
        yield f"{name}: shape {shape} needs up to {_MAX_DIMENSIONS} sizes of at least 1"
    elif int(np.prod(shape, dtype=np.int64)) > _MAX_ELEMENTS:
        yield f"{name}: shape {shape} has more than {_MAX_ELEMENTS} elements"


def _limits(name: str, limits: tuple[float, float]) -> Iterator[str]:
    if not limits[0] <= limits[1]:
        yield f"{name}: limits {limits[0]:g} … {limits[1]:g} are reversed"


def _parameter(item: Parameter, declaration: EcuDeclaration) -> Iterator[str]:
    if item.segment not in {segment.name for segment in declaration.segments}:
        yield f"{item.name}: segment {item.segment!r} is not declared"
    if isinstance(item, Text):
        if not item.default.isascii() or not 0 < item.size_bytes <= 255:
            yield f"{item.name}: needs 1 to 255 ASCII characters"
        elif len(item.default) > item.size_bytes:
            yield f"{item.name}: {item.default!r} is longer than {item.size_bytes} characters"
        return
    yield from _limits(item.name, item.phys_limits)
    if isinstance(item, (Curve, Map)):
        for axis in item.axes:
            yield from _axis(item.name, axis, declaration)
        shape = tuple(_length(axis, declaration) for axis in reversed(item.axes))
        yield from _table_shape(item, shape)
    if isinstance(item, Axis):
        yield from _rising(item.name, item.default)
        yield from _input(item.name, item.input, declaration)
    yield from _default(item.name, item)


def _table_shape(item: Curve | Map, shape: tuple[int | None, ...]) -> Iterator[str]:
    try:
        found = np.shape(item.default)
    except ValueError:
        found = ()
    if None not in shape and found != shape:
        yield f"{item.name}: values have shape {found}, the axes need {shape}"


def _axis(name: str, axis: TableAxis, declaration: EcuDeclaration) -> Iterator[str]:
    if isinstance(axis, str):
        if _shared(axis, declaration) is None:
            yield f"{name}: shared axis {axis!r} is not declared"
        return
    yield from _input(name, axis.input, declaration)
    yield from _rising(f"{name} axis", axis.default)
    if isinstance(axis, FixAxis):
        if not 2 <= axis.count <= 255 or axis.distance < 1:
            yield f"{name}: a fixed axis needs 2 to 255 points at a distance of at least 1"
        return
    if len(axis.default) > 255:
        yield f"{name}: an axis has at most 255 points"
    yield from _default(f"{name} axis", axis)


def _shared(name: str, declaration: EcuDeclaration) -> Axis | None:
    return next(
        (item for item in declaration.parameters if isinstance(item, Axis) and item.name == name),
        None,
    )


def _length(axis: TableAxis, declaration: EcuDeclaration) -> int | None:
    found = _shared(axis, declaration) if isinstance(axis, str) else axis
    return None if found is None else len(found.default)


def _default(name: str, item: Scalar | ValueBlock | Axis | Curve | Map | StdAxis) -> Iterator[str]:
    try:
        phys = np.asarray(item.default, dtype=np.float64)
        raw = default_raw(item)
    except (ValueError, TypeError, UsageError):
        yield f"{name}: default is no regular array of numbers"
        return
    if not phys.size:
        yield f"{name}: default is empty"
        return
    low, high = item.phys_limits
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    if not bool(np.all((phys >= low - slack) & (phys <= high + slack))):
        yield f"{name}: default is outside {low:g} … {high:g}"
    raw_low, raw_high = item.datatype.limits
    if not bool(np.all((raw >= raw_low) & (raw <= raw_high))):
        yield f"{name}: default does not fit {item.datatype.name}"


def _rising(name: str, points: tuple[float, ...]) -> Iterator[str]:
    if len(points) < 2 or not bool(np.all(np.diff(points) > 0)):
        yield f"{name}: axis points need at least two values that rise strictly"


def _input(name: str, source: str, declaration: EcuDeclaration) -> Iterator[str]:
    if source and source not in {signal.name for signal in declaration.signals}:
        yield f"{name}: input {source!r} is no declared signal"


def _groups(declaration: EcuDeclaration) -> Iterator[str]:
    objects = {item.name for item in (*declaration.signals, *declaration.parameters)}
    groups = {group.name: group for group in declaration.groups}
    for group in declaration.groups:
        for name in group.members:
            if name not in objects:
                yield f"group {group.name}: member {name!r} is not declared"
        for name in group.groups:
            if name not in groups:
                yield f"group {group.name}: group {name!r} is not declared"
    if _has_cycle(groups):
        yield "groups contain each other in a circle"


def _has_cycle(groups: dict[str, Group]) -> bool:
    left = {name: set(group.groups) & set(groups) for name, group in groups.items()}
    while left:
        ends = [name for name, inner in left.items() if not inner & set(left)]
        if not ends:
            return True
        for name in ends:
            del left[name]
    return False


def _functions(declaration: EcuDeclaration) -> Iterator[str]:
    signals = {item.name for item in declaration.signals}
    parameters = {item.name for item in declaration.parameters}
    for function in declaration.functions:
        for name in function.parameters:
            if name not in parameters:
                yield f"function {function.name}: parameter {name!r} is not declared"
        for name in (*function.inputs, *function.outputs):
            if name not in signals:
                yield f"function {function.name}: signal {name!r} is not declared"
