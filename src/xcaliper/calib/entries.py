"""What a parameter set consists of: entries with values, axes, history and flags."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AxisKind",
    "CollectionInfo",
    "Entry",
    "EntryKind",
    "Flag",
    "HistoryEntry",
    "Key",
    "Origin",
    "SetAxis",
    "Variant",
    "label_of",
    "same_values",
]

Variant = tuple[tuple[str, str], ...]
"""Criterion and value, in the order of the criteria; empty for what has no variants."""

Key = tuple[str, Variant]
"""Name and variant of an entry."""


def same_values(left: Any, right: Any) -> bool:
    """True for values of equal shape and content; not-a-number equals itself, 1 equals 1.0.

    Args:
        left: number, text, bytes, array or None.
        right: the same.
    """
    if left is right:
        return True
    if not isinstance(left, np.ndarray) or not isinstance(right, np.ndarray):
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return False
        return bool(left == right) or (_is_nan(left) and _is_nan(right))
    if left.shape != right.shape:
        return False
    if left.dtype == right.dtype and left.dtype.kind != "O" and left.tobytes() == right.tobytes():
        return True
    if "O" in (left.dtype.kind, right.dtype.kind):
        return all(map(same_values, left.ravel().tolist(), right.ravel().tolist()))
    numbers = left.dtype.kind in "iufb" and right.dtype.kind in "iufb"
    return bool(np.array_equal(left, right, equal_nan=numbers))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and isnan(value)


def _same_fields(left: Any, right: Any) -> bool:
    """Equal content of two of the same class, places in files aside."""
    if type(left) is not type(right):
        return False
    return all(
        same_values(getattr(left, one.name), getattr(right, one.name))
        if one.name == "values"
        else getattr(left, one.name) == getattr(right, one.name)
        for one in fields(left)
        if one.compare
    )


class EntryKind(StrEnum):
    """What a parameter is (ASAP2, CHARACTERISTIC and AXIS_PTS)."""

    VALUE = "VALUE"
    ASCII = "ASCII"
    VAL_BLK = "VAL_BLK"
    CURVE = "CURVE"
    MAP = "MAP"
    CUBOID = "CUBOID"
    CUBE_4 = "CUBE_4"
    CUBE_5 = "CUBE_5"
    AXIS_PTS = "AXIS_PTS"
    BLOB = "BLOB"


class AxisKind(StrEnum):
    """Where the points of an axis are (ASAP2, AXIS_DESCR)."""

    STD = "STD_AXIS"
    FIX = "FIX_AXIS"
    COM = "COM_AXIS"
    RES = "RES_AXIS"
    CURVE = "CURVE_AXIS"


@dataclass(frozen=True, slots=True, eq=False)
class SetAxis:
    """One axis of a curve or map.

    Attributes:
        kind: where its points are.
        values: points, array[n] of numbers, or of texts (dtype object); None where only ``ref`` tells.
        ref: name of the axis or curve object that it is shared with; empty for STD and FIX.
        unit: of the points.
        quantity: input quantity; may be empty.
    """

    kind: AxisKind
    values: NDArray[Any] | None = None
    ref: str = ""
    unit: str = ""
    quantity: str = ""

    def __eq__(self, other: object) -> bool:
        return _same_fields(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and arrays can change


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of the history of a parameter (CDF 2.0, CS-ENTRY).

    Attributes:
        state: maturity, free text; usual are changed, prelimCalibrated, calibrated, checked, completed.
        date: ISO 8601, as it was written.
        user: who (CSUS).
        project: CSPR.
        work_package: CSWP.
        test_object: CSTO.
        test_variant: CSTV.
        program: program identifier, the EPK (CSPI).
        data: data identifier (CSDI).
        remark: paragraphs.
        special: further name and text pairs (SD).
    """

    state: str = ""
    date: str = ""
    user: str = ""
    project: str = ""
    work_package: str = ""
    test_object: str = ""
    test_variant: str = ""
    program: str = ""
    data: str = ""
    remark: tuple[str, ...] = ()
    special: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """A mark of a parameter (CDF 2.0, SW-CS-FLAG)."""

    category: str = ""
    flag: str = ""
    user: str = ""
    date: str = ""
    remark: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Entry:
    """One parameter with its values.

    Attributes:
        name: full name, as in the description.
        kind: what it is.
        values: int, float or str for a scalar or text; otherwise an array of the actual shape, slowest
            dimension first (a map is (y, x)); numbers keep int or float, texts are dtype object; raw
            bytes for a BLOB.
        axes: X first.
        unit: of the values.
        long_name: long identifier.
        display_name: DISPLAY_IDENTIFIER.
        functions: functions it belongs to.
        variant: criterion and value that it is for.
        history: oldest first.
        flags: marks.
        category: how its file calls the kind, where that says more (as BOOLEAN or DEPENDENT_VALUE).
        is_raw: values and points are ECU values, not physical ones.
        where: line or place in its file, for messages; may be empty.
    """

    name: str
    kind: EntryKind
    values: int | float | str | bytes | NDArray[Any]
    axes: tuple[SetAxis, ...] = ()
    unit: str = ""
    long_name: str = ""
    display_name: str = ""
    functions: tuple[str, ...] = ()
    variant: Variant = ()
    history: tuple[HistoryEntry, ...] = ()
    flags: tuple[Flag, ...] = ()
    category: str = ""
    is_raw: bool = False
    where: str = field(default="", compare=False)

    def __init__(  # noqa: PLR0913, PLR0917 - one per field
        self,
        name: str,
        kind: EntryKind,
        values: float | str | bytes | NDArray[Any],
        axes: tuple[SetAxis, ...] = (),
        unit: str = "",
        long_name: str = "",
        display_name: str = "",
        functions: tuple[str, ...] = (),
        variant: Variant = (),
        history: tuple[HistoryEntry, ...] = (),
        flags: tuple[Flag, ...] = (),
        category: str = "",
        is_raw: bool = False,  # noqa: FBT001, FBT002 - as above
        where: str = "",
    ) -> None:
        # As a frozen dataclass does it, but three times as fast: sets have 100 000 entries.
        _set_name(self, name)
        _set_kind(self, kind)
        _set_values(self, values)
        _set_axes(self, axes)
        _set_unit(self, unit)
        _set_long_name(self, long_name)
        _set_display_name(self, display_name)
        _set_functions(self, functions)
        _set_variant(self, variant)
        _set_history(self, history)
        _set_flags(self, flags)
        _set_category(self, category)
        _set_is_raw(self, is_raw)
        _set_where(self, where)

    @property
    def key(self) -> tuple[str, Variant]:
        """Name and variant: at most one entry of a set has it."""
        return self.name, self.variant

    @property
    def label(self) -> str:
        """Name for messages, with the variant where there is one."""
        return label_of(self.key)

    @property
    def state(self) -> str:
        """Maturity: the state of the last line of the history that has one; may be empty."""
        return next((one.state for one in reversed(self.history) if one.state), "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values; empty for a scalar, a text and bytes."""
        return tuple(self.values.shape) if isinstance(self.values, np.ndarray) else ()

    @property
    def count(self) -> int:
        """Number of values; 1 for a scalar or text, bytes count singly."""
        if isinstance(self.values, np.ndarray):
            return self.values.size
        return len(self.values) if isinstance(self.values, bytes) else 1

    def __eq__(self, other: object) -> bool:
        return _same_fields(self, other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and arrays can change

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; bytes of a BLOB are hexadecimal text."""
        return {
            "name": self.name,
            "kind": str(self.kind),
            "values": _bare(self.values),
            "axes": [
                {
                    "kind": str(axis.kind),
                    "values": None if axis.values is None else axis.values.tolist(),
                    "ref": axis.ref,
                    "unit": axis.unit,
                    "quantity": axis.quantity,
                }
                for axis in self.axes
            ],
            "unit": self.unit,
            "long_name": self.long_name,
            "display_name": self.display_name,
            "functions": list(self.functions),
            "variant": dict(self.variant),
            "state": self.state,
            "raw": self.is_raw,
        }


(
    _set_name,
    _set_kind,
    _set_values,
    _set_axes,
    _set_unit,
    _set_long_name,
    _set_display_name,
    _set_functions,
    _set_variant,
    _set_history,
    _set_flags,
    _set_category,
    _set_is_raw,
    _set_where,
) = (getattr(Entry, one.name).__set__ for one in fields(Entry))


def label_of(key: Key) -> str:
    """Name for messages, with the variant where there is one."""
    name, variant = key
    return f"{name} ({', '.join('='.join(one) for one in variant)})" if variant else name


def _bare(values: Any) -> Any:
    if isinstance(values, bytes):
        return values.hex()
    return values.tolist() if isinstance(values, np.ndarray) else values


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A function or collection that entries belong to.

    Attributes:
        name: of the function.
        version: its version.
        long_name: its text.
        is_collection: a collection of the user's, not a function of the software.
        history: of the function, oldest first.
    """

    name: str
    version: str = ""
    long_name: str = ""
    is_collection: bool = False
    history: tuple[HistoryEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the values of a set come from.

    Attributes:
        a2l: name of the description.
        epk: program identification.
        image: name of the hex image.
        tool: program that wrote the set.
        time: ISO 8601.
        user: who.
    """

    a2l: str = ""
    epk: str = ""
    image: str = ""
    tool: str = ""
    time: str = ""
    user: str = ""
