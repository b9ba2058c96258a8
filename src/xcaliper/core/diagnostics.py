"""Findings of checkers and counters of streams: reported, never raised."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Diagnostic", "Severity", "Where"]


class Severity(IntEnum):
    """How bad a finding is; comparable."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Where:
    """Place in a source: 1-based line and column, 0 when unknown."""

    source: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.source
        return f"{self.source or '<text>'}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        severity: how bad it is.
        slug: stable code of the rule, kebab-case.
        where: place in the source.
        text: what is wrong, naming the thing.
        hint: what to do; may be empty.
        subject: name of the object or block the finding sits in.
    """

    severity: Severity
    slug: str
    where: Where
    text: str
    hint: str = ""
    subject: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if str(self.where) else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{self.severity.name.lower()} [{self.slug}] {self.text}{hint}"
