"""Three-way merge of parameter sets: what two people changed since they parted, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.compare import matching_key
from xcaliper.calib.entries import label_of, same_values
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Entry, HistoryEntry, Key
    from xcaliper.calib.paramset import ParameterSet

__all__ = ["Conflict", "MergeResult", "merge"]

_DATA: Final = ("kind", "values", "axes", "unit", "is_raw")
"""What a value is; changes as one, since an axis without its values means nothing."""
_TEXTS: Final = ("long_name", "display_name", "functions", "category")


_SHORT: Final = 40


def _is_short(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _SHORT)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One parameter that both sides changed, differently.

    Attributes:
        key: name and variant.
        base: what both started from; None when it was in neither.
        mine: what one side has now; None when it removed it.
        theirs: what the other side has now; None when it removed it.
        fields: what they disagree about: ``data`` for values, axes, unit and kind together, names of
            texts, or ``removed`` when one removed what the other changed.
        cells: places both changed differently, int[n, ndim], where single values were merged; else None.
        merged: the entry with everything they agree about; what they do not agree about is that of the base,
            or of mine where there is no base. None for ``removed``.
    """

    key: Key
    base: Entry | None
    mine: Entry | None
    theirs: Entry | None
    fields: tuple[str, ...]
    cells: NDArray[np.intp] | None = None
    merged: Entry | None = None

    def text(self) -> str:
        """One line."""
        if self.fields == ("removed",):
            who = "mine removed it, theirs changed it"
            return f"{label_of(self.key)}: " + (
                who if self.mine is None else "theirs removed it, mine changed it"
            )
        count = f" in {len(self.cells)} values" if self.cells is not None else ""
        return f"{label_of(self.key)}: both changed {', '.join(self.fields)}{count}{self._values()}"

    def _values(self) -> str:
        """The values of a single one, of all who have it; tables and long texts are too large for a line."""
        told = [
            (whose, one.values)
            for whose, one in (("base", self.base), ("mine", self.mine), ("theirs", self.theirs))
            if one is not None
        ]
        if "data" not in self.fields or not all(_is_short(value) for _, value in told):
            return ""
        return f" ({', '.join(f'{whose} {value!r}' for whose, value in told)})"

    def side(self, choice: str) -> Entry | None:
        """The entry when one side is right about what they disagree about; the rest stays merged.

        Args:
            choice: ``mine``, ``theirs`` or ``base``.

        Returns:
            None where that side does not have the parameter.

        Raises:
            UsageError: another word.
        """
        if choice not in ("mine", "theirs", "base"):
            raise UsageError(f"{choice}: no side of a merge.", hint="Say mine, theirs or base.")
        chosen: Entry | None = getattr(self, choice)
        if chosen is None or self.merged is None:
            return chosen
        changes = {one: getattr(chosen, one) for one in self.fields if one != "data"}
        if "data" in self.fields:
            changes |= {one: getattr(chosen, one) for one in _DATA}
            if self.cells is not None:
                changes["values"] = _taken(self.merged.values, chosen.values, self.cells)
        return replace(self.merged, **changes)


def _taken(values: Any, source: Any, cells: NDArray[np.intp]) -> Any:
    made = values.copy()
    for place in map(tuple, cells.tolist()):
        made[place] = source[place]
    return made


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A merged set.

    Attributes:
        set: everything that could be merged; where there is a conflict, what both started from.
        conflicts: parameters that both sides changed differently, to be decided.
        from_mine: name and variant of what only one side changed, added or removed.
        from_theirs: the same of the other side.
        from_both: of what both changed alike, or merged in parts.
    """

    set: ParameterSet
    conflicts: tuple[Conflict, ...]
    from_mine: tuple[Key, ...] = ()
    from_theirs: tuple[Key, ...] = ()
    from_both: tuple[Key, ...] = ()

    @property
    def is_clean(self) -> bool:
        """True without conflicts."""
        return not self.conflicts

    def resolve(self, choices: Mapping[str | Key, str | Entry] | str) -> MergeResult:
        """The result with some conflicts decided.

        Args:
            choices: name, or name and variant → ``mine``, ``theirs``, ``base`` or an entry; or one of the
                words for all conflicts.

        Raises:
            NotFoundError: a name is not in conflict.
            UsageError: no such side.
        """
        wanted = self._choices(choices)
        entries = {matching_key(one.key): one for one in self.set}
        left: list[Conflict] = []
        for conflict in self.conflicts:
            choice = wanted.get(conflict.key)
            if choice is None:
                left.append(conflict)
                continue
            entry = conflict.side(choice) if isinstance(choice, str) else choice
            if entry is None:
                entries.pop(matching_key(conflict.key), None)
            else:
                entries[matching_key(conflict.key)] = entry
        return replace(self, set=self.set.replaced(entries.values()), conflicts=tuple(left))

    def _choices(self, choices: Mapping[str | Key, str | Entry] | str) -> dict[Key, str | Entry]:
        keys = [one.key for one in self.conflicts]
        if isinstance(choices, str):
            return dict.fromkeys(keys, choices)
        found: dict[Key, str | Entry] = {}
        for name, choice in choices.items():
            meant = [key for key in keys if name in (key, key[0])]
            if not meant:
                label = name if isinstance(name, str) else label_of(name)
                raise NotFoundError(label, kind="conflict")
            found.update(dict.fromkeys(meant, choice))
        return found

    def text(self) -> str:
        """Numbers, then one line per conflict."""
        head = (
            f"{len(self.from_mine)} from mine, {len(self.from_theirs)} from theirs, "
            f"{len(self.from_both)} from both, {len(self.conflicts)} conflicts"
        )
        return "\n".join([head, *(one.text() for one in self.conflicts)])

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""

        def shown(entry: Entry | None) -> Any:
            return None if entry is None else entry.as_dict()

        return {
            "from_mine": [label_of(key) for key in self.from_mine],
            "from_theirs": [label_of(key) for key in self.from_theirs],
            "from_both": [label_of(key) for key in self.from_both],
            "conflicts": [
                {
                    "name": one.key[0],
                    "variant": dict(one.key[1]),
                    "fields": list(one.fields),
                    "base": shown(one.base),
                    "mine": shown(one.mine),
                    "theirs": shown(one.theirs),
                }
                for one in self.conflicts
            ],
        }

    def __str__(self) -> str:
        return self.text()


def merge(
    base: ParameterSet, mine: ParameterSet, theirs: ParameterSet, *, cells: bool = False
) -> MergeResult:
    """Merge what two sides changed since a common set.

    A parameter is changed as a whole: values, axes, unit and kind together; texts about it one by one;
    lines of its history and flags are collected from both sides. A parameter that one side removed and the
    other left alone is removed.

    Args:
        base: what both started from.
        mine: one side; its name, origin and comments stay.
        theirs: the other side.
        cells: merge changes of single values of one array too, when shape and axes are the same.
    """
    sides = [{matching_key(one.key): one for one in every} for every in (base, mine, theirs)]
    merged: list[Entry] = []
    conflicts: list[Conflict] = []
    sources: dict[str, list[Key]] = {"mine": [], "theirs": [], "both": []}
    for key in dict.fromkeys(key for side in sides for key in side):
        b, m, t = (side.get(key) for side in sides)
        own = next(one.key for one in (m, t, b) if one is not None)
        entry, source = _whole(b, m, t)
        if source == "fields":
            made = _fields(b, m, t, cells=cells)
            if isinstance(made, Conflict):
                conflicts.append(made)
                source, entry = "", b if b is None else made.merged or b
            else:
                source, entry = "both", made
        if source:
            sources[source].append(own)
        if entry is not None:
            merged.append(entry)
    made_set = _headed(merged, base, mine, theirs)
    return MergeResult(
        made_set,
        tuple(conflicts),
        tuple(sources["mine"]),
        tuple(sources["theirs"]),
        tuple(sources["both"]),
    )


def _whole(b: Entry | None, m: Entry | None, t: Entry | None) -> tuple[Entry | None, str]:
    """What becomes of a parameter, and whose change it is; ``fields`` where both changed it."""
    if m is b or m == b:
        return t, "" if t is b or t == b else "theirs"
    if t is b or t == b:
        return m, "mine"
    if m == t:
        return m, "both"
    return None, "fields"


def _fields(b: Entry | None, m: Entry | None, t: Entry | None, *, cells: bool) -> Entry | Conflict:
    """Merge a parameter that both sides changed, field by field."""
    if m is None or t is None:
        changed = m or t
        assert changed is not None, "both removed it alike otherwise"
        return Conflict((b or changed).key, b, m, t, ("removed",))
    changes: dict[str, Any] = {}
    disputed: list[str] = []
    places: NDArray[np.intp] | None = None
    choice = _choice(*(None if one is None else _Data(one) for one in (b, m, t)))
    if choice == "both" and cells and b is not None and (found := _by_cell(b, m, t)) is not None:
        changes["values"], places = found
        disputed.extend(["data"] if len(places) else [])
    elif choice == "both":
        disputed.append("data")
        source = b or m
        changes |= {one: getattr(source, one) for one in _DATA}
    elif choice == "theirs":
        changes |= {one: getattr(t, one) for one in _DATA}
    for name in _TEXTS:
        choice = _choice(*(None if one is None else getattr(one, name) for one in (b, m, t)))
        if choice == "both":
            disputed.append(name)
            changes[name] = getattr(b or m, name)
        elif choice == "theirs":
            changes[name] = getattr(t, name)
    changes["history"] = _history(b.history if b else (), m.history, t.history)
    changes["flags"] = _lines(b.flags if b else (), m.flags, t.flags)
    made = replace(m, **changes)
    if not disputed:
        return made
    found_cells = places if places is not None and len(places) else None
    return Conflict(m.key, b, m, t, tuple(disputed), found_cells, made)


@dataclass(frozen=True, slots=True)
class _Data:
    """Values with what belongs to them, comparable."""

    entry: Entry

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Data):
            return NotImplemented
        a, b = self.entry, other.entry
        return same_values(a.values, b.values) and all(
            getattr(a, one) == getattr(b, one) for one in _DATA if one != "values"
        )

    __hash__ = None  # type: ignore[assignment]  # arrays can change


def _choice(b: Any, m: Any, t: Any) -> str:
    """Whose field counts: ``mine`` or ``theirs``; ``both`` where they disagree. No base is a change of both."""
    if t in (m, b):
        return "mine"
    return "theirs" if m == b else "both"


def _by_cell(b: Entry, m: Entry, t: Entry) -> tuple[Any, NDArray[np.intp]] | None:
    """Values merged one by one, and places of conflict; None where only whole entries can be compared."""
    arrays = [one.values for one in (b, m, t) if isinstance(one.values, np.ndarray)]
    if (
        len(arrays) < 3
        or len({one.shape for one in arrays}) > 1
        or not all(
            getattr(b, one) == getattr(m, one) == getattr(t, one)
            for one in _DATA
            if one != "values"
        )
    ):
        return None
    base, mine, theirs = (one.ravel().tolist() for one in arrays)
    made: list[Any] = []
    conflicts: list[int] = []
    for n, (x, y, z) in enumerate(zip(base, mine, theirs, strict=True)):
        if same_values(y, z) or same_values(x, z):
            made.append(y)
        elif same_values(x, y):
            made.append(z)
        else:
            made.append(x)
            conflicts.append(n)
    kind = np.result_type(*arrays) if all(a.dtype.kind != "O" for a in arrays) else object
    values = np.empty(len(made), dtype=kind)
    values[:] = made
    places = np.stack(
        np.unravel_index(np.asarray(conflicts, dtype=np.intp), arrays[0].shape), axis=1
    )
    return values.reshape(arrays[0].shape), places.astype(np.intp)


def _lines(
    base: tuple[Any, ...], mine: tuple[Any, ...], theirs: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Lines of both sides: what both kept, then what either added; what one removed is gone."""
    kept = [one for one in base if one in mine and one in theirs]
    added = [one for one in mine if one not in base]
    return (*kept, *added, *(one for one in theirs if one not in base and one not in added))


def _history(
    base: tuple[HistoryEntry, ...],
    mine: tuple[HistoryEntry, ...],
    theirs: tuple[HistoryEntry, ...],
) -> tuple[HistoryEntry, ...]:
    """Lines of both sides; those that were added stand in order of their dates."""
    lines = _lines(base, mine, theirs)
    old = sum(one in mine and one in theirs for one in base)
    return (*lines[:old], *sorted(lines[old:], key=lambda one: one.date))


def _headed(
    entries: Iterable[Entry], base: ParameterSet, mine: ParameterSet, theirs: ParameterSet
) -> ParameterSet:
    """The merged set; functions and criteria of both sides are known to it."""
    functions = {one.name: one for side in (base, theirs, mine) for one in side.functions}
    criteria: dict[str, tuple[str, ...]] = {}
    for side in (base, mine, theirs):
        for name, values in side.criteria.items():
            criteria[name] = tuple(dict.fromkeys((*criteria.get(name, ()), *values)))
    return mine.replaced(entries, functions=functions.values(), criteria=criteria.items())
