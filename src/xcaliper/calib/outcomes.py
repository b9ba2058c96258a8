"""What became of each entry of a set that is applied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.entries import label_of

if TYPE_CHECKING:
    from xcaliper.calib.entries import Key, Variant
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["ApplyPlan", "EntryOutcome", "Outcome"]


class Outcome(StrEnum):
    """What becomes of an entry; exactly one for each."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    ROUNDED = "rounded"
    CLAMPED = "clamped"
    NOT_IN_A2L = "not in A2L"
    TYPE_DIFFERS = "type differs"
    SIZE_DIFFERS = "size differs"
    OUTSIDE_LIMITS = "outside limits"
    AXIS_NOT_MONOTONIC = "axis not monotonic"
    AXIS_DIFFERS = "axis differs"
    READ_ONLY = "read only"
    NOT_USABLE = "not usable"

    @property
    def is_taken(self) -> bool:
        """True when memory holds the entry afterwards, as far as it can."""
        return self in _TAKEN


_TAKEN = frozenset((Outcome.APPLIED, Outcome.UNCHANGED, Outcome.ROUNDED, Outcome.CLAMPED))


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """What becomes of one entry.

    Attributes:
        name: of the parameter.
        variant: its variant.
        outcome: what becomes of it.
        text: why it is not taken, or what was changed about it; may be empty.
        warnings: what else to know: units that differ, shared axes with other points.
        before: values in memory now, physical unless the entry is raw; None where they were not read.
        after: values afterwards; None for what is not taken.
        writes: bytes that change for it, by address.
    """

    name: str
    variant: Variant
    outcome: Outcome
    text: str = ""
    warnings: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    writes: tuple[tuple[Address, bytes], ...] = ()

    @property
    def key(self) -> Key:
        """Name and variant."""
        return self.name, self.variant

    @property
    def is_changed(self) -> bool:
        """True when memory changes for it."""
        return bool(self.writes)

    def line(self) -> str:
        """One line of a report."""
        said = [one for one in (self.text, *self.warnings) if one]
        return f"{label_of(self.key)}: {self.outcome}" + (f" ({'; '.join(said)})" if said else "")

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "variant": dict(self.variant),
            "outcome": str(self.outcome),
            "text": self.text,
            "warnings": list(self.warnings),
            "before": _bare(self.before),
            "after": _bare(self.after),
            "bytes": sum(len(data) for _, data in self.writes),
        }


def _bare(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.tolist() if isinstance(value, np.ndarray) else value


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """A set that was checked against a description and memory; nothing is written yet.

    Attributes:
        outcomes: one per entry, in the order of the set.
        dependents: what follows because it is computed from entries, inputs first.
        writes: bytes that change: axes first, then values, then what is computed; in each of the three in
            order of address and joined where they touch.
        diagnostics: what to know of the set as a whole, such as that it is of another program (EPK).
    """

    outcomes: tuple[EntryOutcome, ...]
    dependents: tuple[EntryOutcome, ...]
    writes: tuple[tuple[Address, bytes], ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def refused(self) -> tuple[EntryOutcome, ...]:
        """Entries and computed parameters that cannot be taken."""
        return tuple(one for one in (*self.outcomes, *self.dependents) if not one.outcome.is_taken)

    @property
    def is_complete(self) -> bool:
        """True when every entry can be taken; a caller that writes all or nothing asks this first."""
        return not self.refused

    @property
    def size_bytes(self) -> int:
        """Bytes to write."""
        return sum(len(data) for _, data in self.writes)

    @property
    def changed(self) -> tuple[EntryOutcome, ...]:
        """Entries and computed parameters for which memory changes."""
        return tuple(one for one in (*self.outcomes, *self.dependents) if one.is_changed)

    def counts(self) -> dict[Outcome, int]:
        """Outcome → number of entries; outcomes that do not occur are left out."""
        found = Counter(one.outcome for one in self.outcomes)
        return {one: found[one] for one in Outcome if found[one]}

    def summary(self) -> str:
        """Numbers of every outcome, in one line."""
        parts = [f"{count} {one}" for one, count in self.counts().items()]
        parts.extend([f"{len(self.dependents)} computed from them"] if self.dependents else [])
        return f"{', '.join(parts) or 'no entries'}; {self.size_bytes} bytes to write"

    def report(self, *, every: bool = False) -> str:
        """What to know of the set, a line per entry worth telling, then the numbers.

        Args:
            every: also lines of what is applied or unchanged without a remark.
        """
        quiet = (Outcome.APPLIED, Outcome.UNCHANGED)
        told = [
            one.line()
            for one in (*self.outcomes, *self.dependents)
            if every or one.outcome not in quiet or one.text or one.warnings
        ]
        return "\n".join([*map(str, self.diagnostics), *told, self.summary()])

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "outcomes": [one.as_dict() for one in self.outcomes],
            "dependents": [one.as_dict() for one in self.dependents],
            "counts": {str(one): count for one, count in self.counts().items()},
            "bytes": self.size_bytes,
            "diagnostics": [str(one) for one in self.diagnostics],
        }

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.report())}</pre>"
