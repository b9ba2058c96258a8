"""Parameter sets: values of many parameters with all that files of any format tell about them.

File formats are views of this model. Values are physical unless an entry says otherwise; the description
at hand converts them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from difflib import get_close_matches
from fnmatch import translate
from html import escape
from re import compile as compile_pattern
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.entries import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    SetAxis,
    Variant,
    label_of,
    same_values,
)
from xcaliper.calib.values import format_number
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from xcaliper.calib.entries import Key

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
    "same_values",
]

MAX_ROWS: Final = 200
"""Rows that a notebook shows of a set."""


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
        self._entries: dict[Key, Entry] = {one.key: one for one in entries}
        self._by_name: dict[str, list[Entry]] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry."""
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        """True for a name, in whatever variant, or for a name with its variant."""
        return name in self._entries or name in self._names()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterSet):
            return NotImplemented
        return self._head() == other._head() and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]  # equal by content, and arrays can change

    def _head(self) -> tuple[Any, ...]:
        return self.name, self.origin, self.functions, self.criteria, self.comments

    def __repr__(self) -> str:
        return f"<ParameterSet {self.name!r}, {len(self)} entries>"

    # --- looking up ---

    def _names(self) -> dict[str, list[Entry]]:
        if self._by_name is None:
            found: dict[str, list[Entry]] = {}
            for one in self._entries.values():
                found.setdefault(one.name, []).append(one)
            self._by_name = found
        return self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """Names, each once."""
        return tuple(self._names())

    @property
    def by_key(self) -> Mapping[Key, Entry]:
        """Name and variant → entry, in order; it cannot be changed."""
        return MappingProxyType(self._entries)

    @property
    def keys(self) -> tuple[tuple[str, Variant], ...]:
        """Name and variant of every entry."""
        return tuple(self._entries)

    def of(self, name: str) -> tuple[Entry, ...]:
        """Every entry of a name: one, or one per variant; none for an unknown name."""
        return tuple(self._names().get(name, ()))

    def get(self, name: str, variant: Variant | Mapping[str, str] = ()) -> Entry | None:
        """The entry of a name and variant; None when there is none.

        Args:
            name: full name.
            variant: criterion → value, in any order; empty for the entry without variant.
        """
        if not variant:
            return self._entries.get((name, ()))
        wanted = dict(variant)
        return next((one for one in self.of(name) if dict(one.variant) == wanted), None)

    def __getitem__(self, name: str | tuple[str, Variant]) -> Entry:
        """The entry of a name, or of a name with its variant.

        Raises:
            NotFoundError: no such entry; carries the nearest names.
            UsageError: the name has several variants and none was given.
        """
        if isinstance(name, tuple):
            found = self.get(*name)
            if found is None:
                raise NotFoundError(label_of(name), kind="entry")
            return found
        entries = self.of(name)
        plain = self._entries.get((name, ()))
        if plain is not None or len(entries) == 1:
            return plain or entries[0]
        if not entries:
            nearest = tuple(get_close_matches(name, self.names, n=3))
            raise NotFoundError(name, kind="entry", nearest=nearest)
        raise UsageError(
            f"{name}: it has {len(entries)} variants.",
            hint=f"Name one of {', '.join(one.label for one in entries[:4])}.",
        )

    # --- other sets made from this one ---

    def replaced(
        self,
        entries: Iterable[Entry],
        *,
        functions: Iterable[CollectionInfo] | None = None,
        criteria: Iterable[tuple[str, tuple[str, ...]]] | None = None,
    ) -> ParameterSet:
        """A set with other entries and the same head; what is known of functions and criteria may be replaced."""
        return ParameterSet(
            entries,
            name=self.name,
            origin=self.origin,
            functions=self.functions if functions is None else functions,
            criteria=self.criteria.items() if criteria is None else criteria,
            comments=self.comments,
        )

    def with_head(
        self,
        *,
        name: str | None = None,
        origin: Origin | None = None,
        comments: Iterable[str] | None = None,
    ) -> ParameterSet:
        """The same entries under another name, origin or comment."""
        made = self.replaced(self)
        made.name = self.name if name is None else name
        made.origin = self.origin if origin is None else origin
        made.comments = self.comments if comments is None else tuple(comments)
        return made

    def with_entries(self, entries: Iterable[Entry]) -> ParameterSet:
        """A set with further entries; those of a key that is there already take its place."""
        return self.replaced((*self._entries.values(), *entries))

    def without(self, names: Iterable[str | tuple[str, Variant]]) -> ParameterSet:
        """A set without some names, in every variant, or without single keys.

        Raises:
            NotFoundError: one of them is not there.
        """
        gone: set[Key] = set()
        for name in [names] if isinstance(names, str) else names:
            found = [self[name]] if isinstance(name, tuple) else self.of(name)
            gone.update(one.key for one in found or [self[name]])
        return self.replaced(one for key, one in self._entries.items() if key not in gone)

    def rename(self, names: Mapping[str, str]) -> ParameterSet:
        """A set with other names, in axis references as well.

        Args:
            names: name now → name then; names that are not there are ignored.

        Raises:
            UsageError: two entries would have one name.
        """
        entries = [_renamed(one, names) for one in self]
        made = self.replaced(entries)
        if len(made) < len(entries):
            counts = Counter(one.key for one in entries)
            twice = next(one for one in entries if counts[one.key] > 1)
            raise UsageError(
                f"{twice.label}: two entries would have this name.", hint="Choose another name."
            )
        return made

    def filter(
        self,
        pattern: str = "*",
        *,
        functions: Iterable[str] = (),
        kinds: Iterable[EntryKind] = (),
        names: Iterable[str] | None = None,
        only: Callable[[Entry], bool] | None = None,
    ) -> ParameterSet:
        """A set of the entries that meet every condition.

        Args:
            pattern: of names, with ``*`` and ``?``; brackets are taken literally.
            functions: functions, one of which an entry belongs to; empty for any.
            kinds: kinds, one of which an entry has; empty for any.
            names: names, one of which an entry has; None for any. Groups and functions of a
                description are turned into names by :mod:`xcaliper.calib.select`.
            only: a further condition.
        """
        matches = compile_pattern(translate(pattern.replace("[", "[[]"))).match
        wanted, those = set(functions), set(kinds)
        listed = None if names is None else set(names)
        return self.replaced(
            one
            for one in self
            if (listed is None or one.name in listed)
            and (not those or one.kind in those)
            and (not wanted or not wanted.isdisjoint(one.functions))
            and (pattern == "*" or matches(one.name))
            and (only is None or only(one))
        )

    # --- showing ---

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: for scripts; the file format of every field is ``json``."""
        return {
            "name": self.name,
            "origin": {one.name: getattr(self.origin, one.name) for one in fields(self.origin)},
            "functions": [one.name for one in self.functions],
            "criteria": {name: list(values) for name, values in self.criteria.items()},
            "entries": [one.as_dict() for one in self],
        }

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{one}</th>" for one in ("name", "kind", "value", "unit", "state"))
        rows = [_row(one) for one, _ in zip(self, range(MAX_ROWS), strict=False)]
        more = len(self) - len(rows)
        tail = f'<tr><td colspan="5">… and {more} more</td></tr>' if more else ""
        title = escape(f"{self.name or 'ParameterSet'}: {len(self)} entries")
        return f"<table><caption>{title}</caption><tr>{head}</tr>{''.join(rows)}{tail}</table>"


def _renamed(entry: Entry, names: Mapping[str, str]) -> Entry:
    axes = tuple(
        replace(axis, ref=names[axis.ref]) if axis.ref in names else axis for axis in entry.axes
    )
    return replace(entry, name=names.get(entry.name, entry.name), axes=axes)


def _row(entry: Entry) -> str:
    if isinstance(entry.values, np.ndarray):
        value = " × ".join(map(str, reversed(entry.shape))) + " values"
    elif isinstance(entry.values, bytes):
        value = f"{len(entry.values)} bytes"
    else:
        value = format_number(entry.values)
    cells = (entry.label, str(entry.kind), value, entry.unit, entry.state)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
