"""What an update found and changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["Change", "ChangeKind", "ChangeSink", "MissingSymbol", "SilentSink", "UpdateReport"]

ChangeKind: TypeAlias = Literal[
    "address", "bits", "conversion", "dimension", "interface", "layout", "limits", "removed", "type"
]


@dataclass(frozen=True, slots=True)
class Change:
    """One value of the description that differs from the program.

    Attributes:
        kind: what it is about; ``interface`` is a copy of an address or size inside IF_DATA.
        keyword: keyword of the object.
        name: name of the object.
        attribute: what of it, in the words of ASAP2.
        old: value in the description.
        new: value by the program.
        symbol: symbol that decided it.
    """

    kind: ChangeKind
    keyword: str
    name: str
    attribute: str
    old: Any
    new: Any
    symbol: str = ""

    def __str__(self) -> str:
        return f"{self.keyword} {self.name}: {self.attribute} {_show(self.kind, self.old)} → {_show(self.kind, self.new)}"


def _show(kind: ChangeKind, value: Any) -> str:
    if value is None:
        return "none"
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and kind in ("address", "bits", "interface")
    ):
        return f"0x{value:X}"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class MissingSymbol:
    """An object whose symbol the program does not have.

    Attributes:
        keyword: keyword of the object.
        name: name of the object.
        symbols: every symbol text that was tried.
        nearest: names of the program that look alike.
    """

    keyword: str
    name: str
    symbols: tuple[str, ...]
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        near = f"; did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        return f"{self.keyword} {self.name}: no symbol {' or '.join(self.symbols)}{near}"


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """The outcome of an update.

    Attributes:
        moved: new addresses, copies inside IF_DATA included.
        changed: everything else that differs: types, sizes, limits, conversions.
        missing: objects that vanished.
        unchanged: how many objects were right before.
        skipped: names of objects without memory or reached in another way.
        findings: what could not be decided.
        applied: False when only a report was asked for.
    """

    moved: tuple[Change, ...]
    changed: tuple[Change, ...]
    missing: tuple[MissingSymbol, ...]
    unchanged: int
    skipped: tuple[str, ...]
    findings: tuple[Diagnostic, ...]
    applied: bool

    @property
    def is_current(self) -> bool:
        """True when the description fitted the program."""
        return not (self.moved or self.changed or self.missing)

    def counts(self) -> dict[str, int]:
        """How many objects moved, are of another type, and vanished from the program."""

        def owners(changes: tuple[Change, ...], *kinds: str) -> int:
            return len({(c.keyword, c.name) for c in changes if c.kind in kinds})

        return {
            "addresses_moved": owners(self.moved, "address"),
            "types_changed": owners(self.changed, "type", "layout", "dimension", "bits"),
            "vanished": len(self.missing),
        }

    def as_dict(self) -> dict[str, Any]:
        """The report in plain values, for JSON."""
        return {
            "applied": self.applied,
            "current": self.is_current,
            "moved": [_plain(change) for change in self.moved],
            "changed": [_plain(change) for change in self.changed],
            "missing": [
                {
                    "keyword": gone.keyword,
                    "name": gone.name,
                    "symbols": list(gone.symbols),
                    "nearest": list(gone.nearest),
                }
                for gone in self.missing
            ],
            "unchanged": self.unchanged,
            "skipped": list(self.skipped),
            "findings": [str(finding) for finding in self.findings],
        }


def _plain(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "keyword": change.keyword,
        "name": change.name,
        "attribute": change.attribute,
        "old": change.old,
        "new": change.new,
        "symbol": change.symbol,
    }


class ChangeSink(Protocol):
    """Takes changes, and makes them when it is meant to."""

    apply: bool

    def set(
        self,
        made: Any,
        attr: str,
        new: Any,
        kind: ChangeKind,
        *,
        owner: Any = None,
        symbol: str = "",
    ) -> None:
        """Give an attribute a new value, if it differs."""
        ...

    def note(
        self, kind: ChangeKind, owner: Any, attribute: str, old: Any, new: Any, symbol: str = ""
    ) -> None:
        """Record a change that is made elsewhere."""
        ...

    def add(self, things: list[Any], made: Any) -> None:
        """Add an object to the module."""
        ...

    def finding(self, slug: str, made: Any, text: str, hint: str) -> None:
        """Report what cannot be decided."""
        ...


class SilentSink:
    """Makes changes to copies without recording them; additions and findings go on.

    Args:
        sink: takes the rest.
    """

    def __init__(self, sink: ChangeSink) -> None:
        self.sink = sink
        self.apply = True

    def set(
        self,
        made: Any,
        attr: str,
        new: Any,
        kind: ChangeKind,  # noqa: ARG002 -- the protocol
        *,
        owner: Any = None,  # noqa: ARG002 -- the protocol
        symbol: str = "",  # noqa: ARG002 -- the protocol
    ) -> None:
        """Give an attribute a new value."""
        setattr(made, attr, new)

    def note(
        self, kind: ChangeKind, owner: Any, attribute: str, old: Any, new: Any, symbol: str = ""
    ) -> None:
        """Nothing: the object is a copy."""

    def add(self, things: list[Any], made: Any) -> None:
        """Add an object to the module."""
        self.sink.add(things, made)

    def finding(self, slug: str, made: Any, text: str, hint: str) -> None:
        """Report what cannot be decided."""
        self.sink.finding(slug, made, text, hint)
