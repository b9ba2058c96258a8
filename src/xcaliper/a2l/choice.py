"""Which findings are wanted, and how bad they are to be taken."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from xcaliper.a2l.rules import RULES
from xcaliper.core.diagnostics import Diagnostic, Severity
from xcaliper.core.errors import UsageError

__all__ = ["Choice", "suppress"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to report.

    Attributes:
        select: codes to report, as ``live-*``; all when empty.
        ignore: what not to report, see :func:`suppress`.
        levels: code → severity; codes may have ``*`` and ``?``, the last one that fits counts.
        least: findings below are left out.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, Severity] = field(default_factory=dict)
    least: Severity = Severity.INFO

    def __post_init__(self) -> None:
        """Refuse codes that do not exist: they are misspelled.

        Raises:
            UsageError: a code fits no rule.
        """
        for pattern in (*self.select, *self.ignore, *self.levels):
            code = pattern.partition(":")[0]
            if not any(fnmatchcase(slug, code) for slug in RULES):
                raise UsageError(
                    f"{code}: no finding has this code.",
                    hint="The codes are those in the brackets of the report.",
                )

    def of(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings that are wanted, each once, with their severities."""
        kept = suppress(dict.fromkeys(found), self.ignore)
        if self.select:
            kept = [f for f in kept if any(fnmatchcase(f.slug, code) for code in self.select)]
        if self.levels:
            kept = [replace(f, severity=self._level(f)) for f in kept]
        return [f for f in kept if f.severity >= self.least]

    def _level(self, one: Diagnostic) -> Severity:
        wanted = [level for code, level in self.levels.items() if fnmatchcase(one.slug, code)]
        return wanted[-1] if wanted else one.severity


def suppress(found: Iterable[Diagnostic], ignore: Iterable[str]) -> list[Diagnostic]:
    """Findings without those that are not wanted.

    Args:
        found: the findings.
        ignore: codes, as ``unused``, or codes and objects, as ``unused:Tmp*``; both may have ``*`` and ``?``.
    """
    patterns = [(slug, name or "*") for slug, _, name in (text.partition(":") for text in ignore)]
    return [
        one
        for one in found
        if not any(
            fnmatchcase(one.slug, slug) and fnmatchcase(one.subject, name)
            for slug, name in patterns
        )
    ]
