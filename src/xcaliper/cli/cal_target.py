"""What the ``cal`` verbs work on: a slave behind a URL, or a file of parameter values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptions
from xcaliper.cli.opening import open_ecu
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from xcaliper.calib.entries import Entry
    from xcaliper.calib.formats.model import ReadSet
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.client.connection import Connection
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = [
    "Source",
    "Taken",
    "TargetOptions",
    "TargetOptionsOfVerb",
    "described",
    "is_live",
    "load",
    "matching",
    "open_source",
    "open_target",
    "take_from",
    "tell",
]

#: Findings that are told one by one.
_TOLD: Final = 50


@dataclass(frozen=True, slots=True)
class TargetOptions(KeyOptions):
    """How a target is opened.

    Attributes:
        a2l: description to use; without it a slave is asked for its own.
        timeout: seconds to wait for an answer of a slave.
    """

    a2l: Path | None = None
    timeout: float = 2.0


TargetOptionsOfVerb = Annotated[TargetOptions | None, Parameter(name="*")]


class Source(Protocol):
    """Parameters by name, to look at."""

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match; of kind ``all``, ``characteristic`` or ``axis``."""

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names."""

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """A value, or several by name."""

    def describe(self, name: str) -> dict[str, Any]:
        """What is known about a parameter."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def is_live(target: str) -> bool:
    """True for the URL of a slave."""
    return "://" in target


def open_target(target: str, options: TargetOptions | None = None) -> Connection:
    """What can be changed, ready for use; a context manager that ends it.

    Args:
        target: URL of a slave.
        options: how to open it.

    Raises:
        UsageError: it is none.
        XcaliperError: it cannot be opened.
    """
    options = options or TargetOptions()
    if not is_live(target):
        raise UsageError(f"{target}: it is no URL.", hint="As udp://127.0.0.1:5555.")
    return open_ecu(target, options.a2l, timeout=options.timeout, keys=options)


def open_source(target: str, options: TargetOptions | None = None) -> Source:
    """What can be looked at: a slave, or a file of parameter values.

    Raises:
        XcaliperError: it cannot be opened.
    """
    if is_live(target):
        return open_target(target, options)
    return SetSource(load(target).values)


def load(target: str) -> ReadSet:
    """A file of parameter values; what could not be understood is told on standard error.

    Raises:
        ParameterSetError: it cannot be read.
    """
    from xcaliper.client.set_file import load_set

    found = load_set(target)
    tell(found.diagnostics)
    return found


@dataclass(frozen=True, slots=True)
class Taken:
    """Parameters of a target.

    Attributes:
        values: the set.
        catalog: their description, where there is one.
    """

    values: ParameterSet
    catalog: Catalog | None = None


def take_from(
    target: str, patterns: tuple[str, ...] = (), options: TargetOptions | None = None
) -> Taken:
    """The parameters of a slave or a file as a set; what is left out is told on standard error.

    Args:
        target: URL or file.
        patterns: names, with * and ?; everything without any. They may mean nothing here.
        options: how to open it.

    Raises:
        XcaliperError: it cannot be opened or read.
    """
    from xcaliper.calib.extract import extract, parameter_names

    if not is_live(target):
        whole = load(target).values
        return Taken(
            whole.filter(names=matching(whole.names, patterns)) if patterns else whole,
            described(options),
        )
    problems: list[Diagnostic] = []
    with open_target(target, options) as ecu:
        names = matching(parameter_names(ecu.catalog), patterns) if patterns else None
        made = extract(ecu.catalog, ecu.read_memory, names, on_problem=problems.append)
    tell(problems)
    return Taken(made, ecu.catalog)


def described(options: TargetOptions | None) -> Catalog | None:
    """Names and objects of the description that the options name; None without one.

    Raises:
        A2lError: it cannot be read.
    """
    from xcaliper.client.a2l_source import read_a2l
    from xcaliper.quantity.catalog import Catalog

    if options is None or options.a2l is None:
        return None
    return Catalog(read_a2l(options.a2l))


def matching(names: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """The names that one of the patterns means; brackets in a pattern are brackets."""
    import re
    from fnmatch import translate

    plain = frozenset(patterns)
    forms = [re.compile(translate(one.replace("[", "[[]"))) for one in patterns]
    return [one for one in names if one in plain or any(form.match(one) for form in forms)]


def tell(findings: Iterable[Diagnostic]) -> None:
    """Say on standard error what was found; very many are counted."""
    from xcaliper.cli.shell import errors

    lines = [str(one) for one in findings]
    for line in lines[:_TOLD]:
        errors().print(line, markup=False, soft_wrap=True)
    if len(lines) > _TOLD:
        errors().print(f"… and {len(lines) - _TOLD} more like these", markup=False)


class SetSource:
    """A parameter set, looked at as a slave is."""

    def __init__(self, values: ParameterSet) -> None:
        self._values = values

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match."""
        axes = {one.name for one in self._values if one.kind == "AXIS_PTS"}
        found = matching(self._values.names, (pattern,))
        return [one for one in found if kind == "all" or (one in axes) == (kind == "axis")]

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names."""
        found: dict[str, None] = {}
        for name in [names] if isinstance(names, str) else names:
            matches = matching(self._values.names, (name,))
            found.update(dict.fromkeys(matches or [self._values[name].name]))
        return list(found)

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """A value, or several by name; those of variants by their labels."""
        from xcaliper.calib.display import shown_value

        if isinstance(name, str):
            return shown_value(self._chosen(self._values[name], raw=raw), self._values)
        entries = [entry for one in name for entry in self._values.of(one)]
        return {one.label: shown_value(self._chosen(one, raw=raw), self._values) for one in entries}

    def _chosen(self, entry: Entry, *, raw: bool) -> Entry:
        if raw != entry.is_raw:
            held, asked = ("ECU", "physical") if entry.is_raw else ("physical", "ECU")
            hint = "Use --raw." if entry.is_raw else "Leave --raw out."
            raise UsageError(
                f"{entry.label}: the set holds {held} values, not {asked} ones.", hint=hint
            )
        return entry

    def describe(self, name: str) -> dict[str, Any]:
        """What the set tells about a parameter."""
        entry = next((one for one in self._values if one.label == name), None)
        entry = entry or self._values.of(name)[0]
        return {
            "name": entry.label,
            "kind": str(entry.kind),
            "shape": list(entry.shape),
            "unit": entry.unit,
            "text": entry.long_name,
            "state": entry.state,
        }
