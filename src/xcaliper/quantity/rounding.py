"""Raw values as the ECU can hold them: rounded, inside their type, with a report of both."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.bits import BitField
from xcaliper.quantity.conversion import Conversion, floats_of, is_text, numbers_of

__all__ = [
    "PhysToRaw",
    "Target",
    "Valued",
    "check_limits",
    "check_shape",
    "fit",
    "fit_raw",
    "outside_limits",
    "phys_to_raw",
    "round_to",
    "target_of",
]

Array = NDArray[Any]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PhysToRaw:
    """Raw values for physical ones, and what had to be changed on the way.

    Attributes:
        raw: raw values of the data type.
        rounded: bool of the same shape, where the ECU cannot hold exactly what was asked for.
        clamped: bool of the same shape, where limits, table or type end before the value.
    """

    raw: Array
    rounded: Bools
    clamped: Bools


def fit(
    values: Any,
    datatype: DataType,
    *,
    name: str = "",
    bounds: tuple[int, int] | None = None,
    clamp: bool = False,
) -> PhysToRaw:
    """Raw values of a data type: rounded half away from zero, never wrapped.

    Args:
        values: raw values before rounding.
        datatype: type in memory.
        name: name for the message.
        bounds: lowest and highest raw value of a bit field, instead of those of the type.
        clamp: bring values outside to the nearest end instead of refusing them.

    Raises:
        LimitError: a value does not fit, or is no number.
    """
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "O" and not set(map(type, array.ravel().tolist())) <= {int}:
        array = floats_of(numbers_of(array, name))
    lower, upper = bounds or datatype.limits
    if datatype.is_float:
        return _fit_float(floats_of(array), datatype, name, clamp=clamp)
    whole = array
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            cut = np.trunc(array)
            whole = cut + np.sign(array) * (np.abs(array - cut) >= 0.5)
            rounded = np.abs(array - whole) > 1e-9 * np.maximum(1.0, np.abs(array))
        # the float next to an upper bound of 64 bit is one too many, hence the open end
        low, high = whole < float(lower), whole >= float(upper) + 1
    else:
        rounded = np.zeros(array.shape, dtype=bool)
        low = np.asarray(whole < lower, dtype=bool)
        high = np.asarray(whole > upper, dtype=bool)
    invalid = np.isnan(whole) if whole.dtype.kind == "f" else np.zeros(whole.shape, dtype=bool)
    _refuse(name or datatype.value, array, invalid if clamp else low | high | invalid, lower, upper)
    outside = low | high
    raw = np.where(outside, 0, whole).astype(datatype.dtype() if bounds is None else object)
    if bounds is not None:
        raw = raw.astype(np.uint64 if upper > np.iinfo(np.int64).max else np.int64)
    raw = np.asarray(raw)
    raw[low], raw[high] = lower, upper
    return PhysToRaw(raw, np.asarray(rounded & ~outside), np.asarray(outside))


def _fit_float(array: Array, datatype: DataType, name: str, *, clamp: bool) -> PhysToRaw:
    lower, upper = datatype.limits
    outside = np.isfinite(array) & (np.abs(array) > upper)
    _refuse(name or datatype.value, array, outside & (not clamp), lower, upper)
    raw = np.clip(array, lower, upper) if clamp else array
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        raw = np.where(np.isinf(array), array, raw).astype(datatype.dtype())
        eps = float(np.finfo(datatype.dtype()).eps)
        rounded = np.abs(floats_of(raw) - array) > eps * np.abs(array)
    return PhysToRaw(np.asarray(raw), np.asarray(rounded & ~outside), np.asarray(outside))


def _refuse(name: str, array: Array, outside: Bools, lower: float, upper: float) -> None:
    if np.any(outside):
        place = tuple(np.argwhere(outside)[0].tolist())
        element = name + "".join(f"[{i}]" for i in place)
        raise LimitError(element, phys=float(array[place]), lower=lower, upper=upper)


def round_to(values: Any, datatype: DataType, *, name: str = "") -> Array:
    """Raw values of a data type: rounded half away from zero, never wrapped.

    Args:
        values: raw values before rounding.
        datatype: type in memory.
        name: name for the message.

    Raises:
        LimitError: a value does not fit the type.
    """
    return fit(values, datatype, name=name).raw


def outside_limits(phys: Array, lower: float, upper: float) -> Bools:
    """Where values lie outside of limits or are no numbers; a few units of rounding are forgiven."""
    low, high = float(lower), float(upper)
    low -= 4 * np.spacing(abs(low)) if np.isfinite(low) else 0.0
    high += 4 * np.spacing(abs(high)) if np.isfinite(high) else 0.0
    with np.errstate(invalid="ignore"):
        return np.asarray(~((phys >= low) & (phys <= high)))


def check_limits(name: str, phys: Array, lower: float, upper: float, unit: str = "") -> None:
    """Refuse physical values outside of limits; a few units of rounding are forgiven.

    Raises:
        LimitError: names the first element outside.
    """
    outside = np.argwhere(outside_limits(phys, lower, upper))
    if len(outside):
        place = tuple(outside[0].tolist())
        element = name + "".join(f"[{i}]" for i in place)
        raise LimitError(element, phys=float(phys[place]), lower=lower, upper=upper, unit=unit)


@dataclass(frozen=True, slots=True)
class Target:
    """What physical values are converted for.

    Attributes:
        name: name for messages.
        conversion: the rule.
        datatype: type in memory.
        limits: lowest and highest physical value.
        unit: unit for messages.
        bounds: lowest and highest raw value of a bit field, or None.
    """

    name: str
    conversion: Conversion
    datatype: DataType
    limits: tuple[float, float]
    unit: str = ""
    bounds: tuple[int, int] | None = None


class Valued(Protocol):
    """What measurements and parameters have in common as far as single values go."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def conversion(self) -> Conversion:
        """Raw to physical."""
        ...

    @property
    def datatype(self) -> DataType:
        """Type of one value in memory."""
        ...

    @property
    def lower(self) -> float:
        """Lowest physical value."""
        ...

    @property
    def upper(self) -> float:
        """Highest physical value."""
        ...

    @property
    def unit(self) -> str:
        """Physical unit."""
        ...

    @property
    def bits(self) -> BitField | None:
        """Mask and shift, or None."""
        ...


def target_of(bound: Valued) -> Target:
    """What values of a bound object are converted for."""
    bounds = bound.bits.bounds if bound.bits else None
    limits = (bound.lower, bound.upper)
    return Target(bound.name, bound.conversion, bound.datatype, limits, bound.unit, bounds)


def check_shape(name: str, values: Any, shape: tuple[int, ...]) -> None:
    """Refuse values of another shape.

    Raises:
        UsageError: they are of another shape.
    """
    if np.shape(values) != shape:
        raise UsageError(
            f"{name}: shape {shape} is needed, {np.shape(values)} was given.",
            hint="Rows run along X: value[y][x].",
        )


def fit_raw(raw: Any, shape: tuple[int, ...], target: Target) -> Array:
    """Given raw values as the ECU can hold them; only type, bits and shape limit them.

    Raises:
        LimitError: a value does not fit its type or its bits.
        UsageError: wrong shape.
    """
    values = numbers_of(raw, target.name)
    check_shape(target.name, values, shape)
    return fit(values, target.datatype, name=target.name, bounds=target.bounds).raw


def phys_to_raw(phys: Any, target: Target, *, clamp: bool = False) -> PhysToRaw:
    """Raw values for physical ones: limits, way back, rounding, range of the type.

    Texts have no limits; numbers given for a verbal conversion are raw values and obey them.

    Args:
        phys: physical values.
        target: what they are for.
        clamp: bring values outside to the nearest end instead of refusing them.

    Raises:
        LimitError: a value is outside of its limits or its type.
        UsageError: no way back, or a text is unknown.
    """
    conversion, datatype, limits = target.conversion, target.datatype, target.limits
    name, unit, bounds = target.name, target.unit, target.bounds
    given = np.asarray(phys)
    texts = is_text(given)
    if texts.any():
        raw = conversion.to_raw(phys)
        checked = np.zeros(given.shape, dtype=float)
        checked[~texts] = floats_of(given[~texts])
        beyond = outside_limits(checked, *limits) & ~texts
        if beyond.any():
            if not clamp or np.isnan(checked).any():
                _refuse_phys(name, checked, beyond, limits, unit)
            given = given.copy()
            given[beyond] = np.clip(checked[beyond], *limits)
            raw = conversion.to_raw(given)
        made = fit(raw, datatype, name=name, bounds=bounds, clamp=clamp)
        return replace(made, clamped=made.clamped | beyond)
    given = numbers_of(phys, conversion.name or name)
    numbers = floats_of(given)
    beyond = outside_limits(numbers, *limits)
    if beyond.any():
        if not clamp or np.isnan(numbers).any():
            _refuse_phys(name, given, beyond, limits, unit)
        if given.dtype.kind in "iub":  # whole numbers of 64 bit beside a clamped one stay exact
            given = given.astype(object)
            given[beyond] = [_whole_end(v) for v in np.clip(numbers[beyond], *limits).tolist()]
        else:
            given = np.where(beyond, np.clip(numbers, *limits), given)
    ended = conversion.outside(given)
    raw = conversion.to_raw(given)
    _refuse_undefined(name, given, raw)
    made = fit(raw, datatype, name=name, bounds=bounds, clamp=clamp)
    return PhysToRaw(made.raw, made.rounded, made.clamped | beyond | ended)


def _whole_end(limit: float) -> int | float:
    return int(limit) if limit.is_integer() else limit


def _refuse_undefined(name: str, phys: Array, raw: Array) -> None:
    """Refuse values for which the way back has no number, as a division by zero."""
    if raw.dtype.kind != "f":
        return
    lost = ~np.isfinite(raw) & np.isfinite(floats_of(phys))
    if lost.any():
        place = tuple(np.argwhere(lost)[0].tolist())
        element = name + "".join(f"[{i}]" for i in place)
        raise UsageError(
            f"{element}: no raw value stands for {float(phys[place]):g}.",
            hint="Its conversion is not defined there; give another value.",
        )


def _refuse_phys(
    name: str, phys: Array, beyond: Bools, limits: tuple[float, float], unit: str
) -> None:
    place = tuple(np.argwhere(beyond)[0].tolist())
    element = name + "".join(f"[{i}]" for i in place)
    raise LimitError(element, phys=float(phys[place]), lower=limits[0], upper=limits[1], unit=unit)
