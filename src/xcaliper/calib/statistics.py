"""Numbers about parameters and sets: ranges of values, what changed, how mature everything is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.compare import compare
from xcaliper.quantity.conversion import floats_of, is_text

if TYPE_CHECKING:
    from xcaliper.calib.entries import Entry
    from xcaliper.calib.paramset import ParameterSet

__all__ = ["EntryStatistics", "SetStatistics", "entry_statistics", "set_statistics"]


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """Numbers about the values of one parameter; those that are no numbers are counted apart.

    Attributes:
        name: of the parameter, with its variant.
        count: values.
        invalid: values that are not-a-number or texts.
        smallest: of the numbers; not-a-number where there are none, like the rest.
        largest: of the numbers.
        mean: of the numbers.
        deviation: standard deviation over all of them.
        distinct: different values.
        unit: of the values.
    """

    name: str
    count: int
    invalid: int
    smallest: float
    largest: float
    mean: float
    deviation: float
    distinct: int
    unit: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        made = {one.name: getattr(self, one.name) for one in fields(self)}
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in made.items()}


def entry_statistics(entry: Entry) -> EntryStatistics:
    """Numbers about the values of one parameter; bytes of a BLOB count singly."""
    values = entry.values
    array = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else np.asarray(values)
    flat = array.ravel()
    texts = is_text(flat)
    numbers = floats_of(flat[~texts])
    numbers = numbers[~np.isnan(numbers)]
    distinct = len({*numbers.tolist(), *map(str, flat[texts].tolist())})
    invalid = flat.size - numbers.size
    if not numbers.size:
        none = float("nan")
        return EntryStatistics(
            entry.label, flat.size, invalid, none, none, none, none, distinct, entry.unit
        )
    with np.errstate(invalid="ignore", over="ignore"):
        mean, deviation = float(np.mean(numbers)), float(np.std(numbers))
    return EntryStatistics(
        entry.label,
        flat.size,
        invalid,
        float(numbers.min()),
        float(numbers.max()),
        mean,
        deviation,
        distinct,
        entry.unit,
    )


@dataclass(frozen=True, slots=True)
class SetStatistics:
    """Numbers about a set.

    Attributes:
        entries: parameters.
        values: single values in all of them.
        kinds: kind → parameters.
        states: maturity → parameters; the empty one for those without history.
        functions: function → maturity → parameters; the empty function for those without one.
        changed: parameters that differ from the other set; None without one.
        changed_values: single values that differ in those of equal shape.
        added: parameters the other set does not have.
        removed: parameters only the other set has.
    """

    entries: int
    values: int
    kinds: dict[str, int]
    states: dict[str, int]
    functions: dict[str, dict[str, int]]
    changed: int | None = None
    changed_values: int | None = None
    added: int | None = None
    removed: int | None = None

    def text(self) -> str:
        """A few lines."""
        lines = [f"{self.entries} parameters, {self.values} values"]
        lines.append("kinds: " + _counted(self.kinds))
        lines.append("maturity: " + _counted(self.states))
        lines.extend(
            f"{name or 'no function'}: {_counted(states)}"
            for name, states in sorted(self.functions.items())
        )
        if self.changed is not None:
            lines.append(
                f"{self.changed} changed in {self.changed_values} values, "
                f"{self.added} added, {self.removed} removed"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name or 'unknown'}" for name, count in counts.items()) or "none"


def set_statistics(
    values: ParameterSet,
    against: ParameterSet | None = None,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
) -> SetStatistics:
    """Numbers about a set, and about what is different from another one.

    Args:
        values: the set.
        against: the other one, usually older; None leaves differences out.
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.

    Raises:
        UsageError: a tolerance is below 0.
    """
    functions: dict[str, Counter[str]] = {}
    for one in values:
        for function in one.functions or ("",):
            functions.setdefault(function, Counter())[one.state] += 1
    found = None
    if against is not None:
        found = compare(against, values, absolute=absolute, relative=relative)
    return SetStatistics(
        entries=len(values),
        values=sum(one.count for one in values),
        kinds=dict(Counter(str(one.kind) for one in values).most_common()),
        states=dict(Counter(one.state for one in values).most_common()),
        functions={name: dict(counts.most_common()) for name, counts in functions.items()},
        changed=None if found is None else len(found.changed),
        changed_values=None if found is None else sum(len(one.cells) for one in found.changed),
        added=None if found is None else len(found.right_only),
        removed=None if found is None else len(found.left_only),
    )
