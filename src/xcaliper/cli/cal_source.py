"""A file of parameter values, looked at as an ECU is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, Self

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from xcaliper.calib.entries import Entry
    from xcaliper.calib.paramset import ParameterSet

__all__ = ["SetSource", "Source", "matching"]


class Source(Protocol):
    """Parameters by name, to look at."""

    @property
    def catalog(self) -> Any:
        """Their description; None where there is none."""

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match; of kind ``all``, ``characteristic`` or ``axis``."""

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names."""

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """A value, or several by name."""

    def describe(self, name: str) -> dict[str, Any]:
        """What is known about a parameter."""


def matching(names: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """The names that one of the patterns means; brackets in a pattern are brackets."""
    import re
    from fnmatch import translate

    plain = frozenset(patterns)
    forms = [re.compile(translate(one.replace("[", "[[]"))) for one in patterns]
    return [one for one in names if one in plain or any(form.match(one) for form in forms)]


class SetSource:
    """A parameter set by names.

    Attributes:
        values: the set.
    """

    def __init__(self, values: ParameterSet) -> None:
        self.values = values

    @property
    def catalog(self) -> None:
        """A set has none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match."""
        axes = {one.name for one in self.values if one.kind == "AXIS_PTS"}
        found = matching(self.values.names, (pattern,))
        return [one for one in found if kind == "all" or (one in axes) == (kind == "axis")]

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names.

        Raises:
            NotFoundError: one of them means nothing.
        """
        found: dict[str, None] = {}
        for name in [names] if isinstance(names, str) else names:
            matches = matching(self.values.names, (name,))
            if not matches and not set(name) & set("*?"):
                matches = [self.values[name].name]
            found.update(dict.fromkeys(matches))
        return list(found)

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """A value, or several by name; those of variants by their labels.

        Raises:
            NotFoundError: no such name.
            UsageError: the set holds the other kind of values.
        """
        from xcaliper.calib.display import shown_value

        if isinstance(name, str):
            return shown_value(_chosen(self.values[name], raw=raw), self.values)
        entries = [entry for one in name for entry in self.values.of(one)]
        return {one.label: shown_value(_chosen(one, raw=raw), self.values) for one in entries}

    def describe(self, name: str) -> dict[str, Any]:
        """What the set tells about a parameter, by name or label."""
        entry = next((one for one in self.values.of(name)), None)
        entry = entry or next(one for one in self.values if one.label == name)
        return {
            "name": name,
            "kind": str(entry.kind),
            "shape": list(entry.shape),
            "unit": entry.unit,
            "text": entry.long_name,
            "state": entry.state,
        }


def _chosen(entry: Entry, *, raw: bool) -> Entry:
    if raw != entry.is_raw:
        held, asked = ("ECU", "physical") if entry.is_raw else ("physical", "ECU")
        hint = "Use --raw." if entry.is_raw else "Leave --raw out."
        raise UsageError(
            f"{entry.label}: the set holds {held} values, not {asked} ones.", hint=hint
        )
    return entry
