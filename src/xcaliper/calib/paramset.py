"""Parameter sets: values of many parameters with all that files of any format tell about them.

File formats are views of this model. Values are physical unless an entry says otherwise; the description
at hand converts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = [
    "AxisKind",
    "CollectionInfo",
    "Entry",
    "EntryKind",
    "Flag",
    "HistoryEntry",
    "Origin",
    "ParameterSet",
    "SetAxis",
    "Variant",
]

Variant = tuple[tuple[str, str], ...]
"""Criterion and value, in the order of the criteria; empty for what has no variants."""


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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @property
    def key(self) -> tuple[str, Variant]:
        """Name and variant: at most one entry of a set has it."""
        return self.name, self.variant


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


class ParameterSet:
    """Entries by name and variant, in the order they were added.

    Args:
        entries: of the set; a later one replaces an earlier one of the same key.
        name: of the set.
        origin: where the values come from.
        functions: what is known of the functions that entries name.
        criteria: variant criterion → its values.
        comments: lines of text at the head of the file.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        name: str = "",
        origin: Origin | None = None,
        functions: Iterable[CollectionInfo] = (),
        criteria: Iterable[tuple[str, tuple[str, ...]]] = (),
        comments: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.origin = origin or Origin()
        self.functions = tuple(functions)
        self.criteria = dict(criteria)
        self.comments = tuple(comments)
        self._entries = {one.key: one for one in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry."""
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries or (name, ()) in self._entries

    def __repr__(self) -> str:
        return f"<ParameterSet {self.name!r}, {len(self)} entries>"
