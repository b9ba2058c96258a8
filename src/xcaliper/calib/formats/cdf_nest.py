"""Dotted names → instances inside instances *(CDF 2.0, SW-INSTANCE within SW-INSTANCE)*."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.a2l.index import owner_of
from xcaliper.calib.paramset import EntryKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from xcaliper.calib.paramset import Entry

__all__ = ["Branch", "nest"]

_STEPS: Final = re.compile(r"(?:\.[^.\[\]]+|\[[0-9]{1,9}\])+")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")
_MAX_STEPS: Final = 40
_ARRAYS: Final = {
    EntryKind.VALUE: "VALUE_ARRAY",
    EntryKind.CURVE: "CURVE_ARRAY",
    EntryKind.MAP: "MAP_ARRAY",
}


@dataclass(slots=True)
class Branch:
    """One SW-INSTANCE: its values, and the instances within.

    Attributes:
        name: its own name, or its index.
        is_index: an element of an array.
        group: entries that differ in their variant only; empty for a structure or array.
        inner: by own name or index in brackets, in the order they are written.
    """

    name: str
    is_index: bool = False
    group: list[Entry] = field(default_factory=list)
    inner: dict[str, Branch] = field(default_factory=dict)

    @property
    def category(self) -> str:
        """Category of what has no values itself."""
        first = next(iter(self.inner.values()))
        if not first.is_index:
            return "STRUCTURE"
        return _ARRAYS.get(first.group[0].kind, "VALUE_ARRAY") if first.group else "STRUCTURE_ARRAY"


def nest(groups: Iterable[list[Entry]], instances: Collection[str]) -> list[Branch]:
    """Instances as they stand in a file, the parts of structures inside them.

    Args:
        groups: entries of one name and description each.
        instances: names of structures and arrays of the description; entries of other names stay flat.
    """
    found: list[Branch] = []
    roots: dict[str, Branch] = {}
    for group in groups:
        name = group[0].name
        steps = _steps(name, instances)
        if not steps or not _place(roots, found, steps, group):
            found.append(Branch(name, group=group))
    return found


def _steps(name: str, instances: Collection[str]) -> list[tuple[str, bool]]:
    """Root, then members and indices; empty for what is no part of an instance."""
    root = owner_of(name, instances)
    rest = name[len(root) :]
    if not root or not rest or not _STEPS.fullmatch(rest):
        return []
    steps = [(one[1] or one[2], one[2] is not None) for one in _STEP.finditer(rest)]
    if len(steps) > _MAX_STEPS or any(part != part.strip() for part, _ in steps):
        return []
    return [(root, False), *steps]


def _place(
    roots: dict[str, Branch],
    found: list[Branch],
    steps: list[tuple[str, bool]],
    group: list[Entry],
) -> bool:
    """Put a group where its steps lead; False when another one is there already."""
    (root, _), *rest = steps
    branch = roots.get(root)
    if branch is None:
        branch = roots[root] = Branch(root)
        found.append(branch)
    for name, is_index in rest:
        key = f"[{name}]" if is_index else name
        branch = branch.inner.setdefault(key, Branch(name, is_index))
    if branch.group:
        return False
    branch.group = group
    return True
