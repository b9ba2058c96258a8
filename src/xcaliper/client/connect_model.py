"""What is found when ECU and working data are brought together, and who wins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.port import MemoryPort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.calib.dirty import Dirty
    from xcaliper.calib.history import Transaction
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.calib.settle import Found

__all__ = [
    "Choice",
    "Choose",
    "Outcome",
    "ParameterDifference",
    "Question",
    "SegmentDifference",
    "Synchronised",
    "WorkingData",
]

WorkingData: TypeAlias = MemoryPort | ParameterSet
"""An image, or other memory with the values that the user works on; or a set of some of them."""


class Choice(StrEnum):
    """Who wins where ECU and working data differ."""

    UPLOAD = "upload"
    """The ECU."""
    DOWNLOAD = "download"
    """The working data."""
    OFFLINE = "offline"
    """Nobody; nothing is written until this is decided."""


class Outcome(StrEnum):
    """How it ended."""

    EQUAL = "equal"
    UPLOADED = "uploaded"
    DOWNLOADED = "downloaded"
    DECIDED = "decided"
    """For each parameter by itself."""
    OFFLINE = "offline"
    READ_ONLY = "read-only"
    """The program is another one, and nobody has confirmed that it may be written."""


@dataclass(frozen=True, slots=True)
class SegmentDifference:
    """One segment compared.

    Attributes:
        label: ``segment 0 (Maps)``.
        bytes_changed: bytes that differ.
        uploaded: bytes that were read to know that; a checksum told of all the others.
    """

    label: str
    bytes_changed: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class ParameterDifference:
    """One parameter whose values differ; None where a value cannot be told.

    Attributes:
        name: of the parameter.
        ecu: value in the ECU.
        data: value in the working data.
    """

    name: str
    ecu: Any
    data: Any


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be decided.

    Attributes:
        segments: every segment, with what differs.
        dirty: what differs: parameters, and bytes of none; of a set also what the ECU cannot take.
        parameters: gives the values of every parameter that differs; costs time with many.
    """

    segments: tuple[SegmentDifference, ...]
    dirty: Dirty
    parameters: Callable[[], list[ParameterDifference]]


Choose: TypeAlias = (
    "Choice | str | Mapping[str, str] | Callable[[Question], Choice | str | Mapping[str, str]]"
)
"""A choice; or name → ``ecu`` or ``data`` for each parameter that differs; or a function that gives one."""


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What was found and done.

    Attributes:
        outcome: how it ended.
        segments: every segment, with what differed.
        transaction: what was written into the ECU; None = nothing.
        kept: parameters whose value in the ECU was kept although the working data had another one.
        settled: what became of transactions that had been cut off.
        note: what was not as usual, such as an ECU that could not be elsewhere meanwhile; may be empty.
        plan: what became of each entry of a set that was downloaded; None without one.
        values: the set with what the ECU has, where that won; None where it stays as it was, and for memory, which is
            changed itself.
    """

    outcome: Outcome
    segments: tuple[SegmentDifference, ...] = ()
    transaction: Transaction | None = None
    kept: tuple[str, ...] = ()
    settled: tuple[Found, ...] = ()
    note: str = ""
    plan: ApplyPlan | None = None
    values: ParameterSet | None = None
