"""What readers of files find: collected, never raised, never without bound."""

from __future__ import annotations

from typing import Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where

__all__ = ["MAX_FINDINGS", "Findings"]

MAX_FINDINGS: Final = 1000
"""Findings kept of one file; the rest is counted."""


class Findings:
    """Findings of one file, in the order they were made.

    Args:
        source: name of the file, for messages.
    """

    def __init__(self, source: str = "") -> None:
        self.source = source
        self.left_out = 0
        self._kept: list[Diagnostic] = []

    def add(
        self,
        severity: Severity,
        slug: str,
        text: str,
        *,
        line: int = 0,
        subject: str = "",
        hint: str = "",
    ) -> None:
        """Keep one finding, or count it once there are too many."""
        if len(self._kept) >= MAX_FINDINGS:
            self.left_out += 1
            return
        where = Where(self.source, line)
        self._kept.append(Diagnostic(severity, slug, where, text, hint=hint, subject=subject))

    def error(
        self, slug: str, text: str, *, line: int = 0, subject: str = "", hint: str = ""
    ) -> None:
        """Keep a finding that costs a value."""
        self.add(Severity.ERROR, slug, text, line=line, subject=subject, hint=hint)

    def warn(
        self, slug: str, text: str, *, line: int = 0, subject: str = "", hint: str = ""
    ) -> None:
        """Keep a finding that may mean a wrong value."""
        self.add(Severity.WARNING, slug, text, line=line, subject=subject, hint=hint)

    def note(
        self, slug: str, text: str, *, line: int = 0, subject: str = "", hint: str = ""
    ) -> None:
        """Keep a finding that costs nothing."""
        self.add(Severity.INFO, slug, text, line=line, subject=subject, hint=hint)

    def all(self) -> tuple[Diagnostic, ...]:
        """Everything kept, and how many were not."""
        if not self.left_out:
            return tuple(self._kept)
        more = Diagnostic(
            Severity.ERROR,
            "too-many-findings",
            Where(self.source),
            f"{self.left_out} more findings are not listed.",
            hint="Correct the ones above and read the file again.",
        )
        return (*self._kept, more)
