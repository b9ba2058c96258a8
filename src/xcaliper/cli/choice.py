"""What the verbs that measure share: signals from the command line and from lists, events, sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.client.names import expand_names
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.client.label_file import LabelFile
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.record.calculated import CalculatedSignal

__all__ = ["Choice", "calculated_signals", "choose", "packed_count", "read_split"]

#: Lines of a list that are told one by one.
_LINES: Final = 8
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_BYTES: Final = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "k": 10**3, "m": 10**6, "g": 10**9,
}  # fmt: skip
_SECONDS: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_CALCULATED: Final = re.compile(
    r"\s*(?P<name>[^\s=]+)\s*=(?!=)\s*(?P<text>.*?)(?:\s*\[(?P<unit>[^\[\]\d][^\[\]]*)\])?\s*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Signals and events as told on the command line.

    Attributes:
        signals: names and patterns.
        events: of ``--event``: an event, or ``pattern=event``.
        labels: of ``--list``; None without.
    """

    signals: tuple[str, ...]
    events: tuple[str, ...]
    labels: LabelFile | None

    def resolve(
        self, catalog: Catalog, event: Callable[[str], int], *, skip_unknown: bool
    ) -> tuple[list[str], dict[str, str | int]]:
        """Names to measure and name → event; lines that mean nothing are told with their numbers.

        Args:
            catalog: names there are.
            event: number of an event by its name; raises NotFoundError.
            skip_unknown: warn about such lines instead of refusing the list.

        Raises:
            NotFoundError: a name that does not exist.
            SourceError: the list names what does not exist.
            UsageError: nothing is left to measure; an event is for none of it.
        """
        labels = self._known(catalog, event, skip_unknown=skip_unknown)
        names = list(dict.fromkeys([*self.signals, *(labels.names if labels else ())]))
        if not names:
            raise UsageError("no signal is left to measure.", hint="Name one, or correct the list.")
        common = [text for text in self.events if "=" not in text]
        events: dict[str, str | int] = {}
        if common:
            events.update(dict.fromkeys(names, common[-1]))
        events.update(labels.events if labels else {})
        for text in self.events:
            pattern, equals, one = text.rpartition("=")
            if equals:
                _check_meant(catalog, pattern.strip(), names)
                events[pattern.strip()] = one.strip()
        return names, events

    def _known(
        self, catalog: Catalog, event: Callable[[str], int], *, skip_unknown: bool
    ) -> LabelFile | None:
        from xcaliper.cli.shell import errors

        labels = self.labels
        if labels is None:
            return None
        problems = labels.check(catalog, event)
        if problems and not skip_unknown:
            if len(problems) > 1:
                problems[0].message += f" ({_further([one.line or 0 for one in problems[1:]])})"
            problems[0].hint = f"{problems[0].hint} --skip-unknown leaves such lines out.".strip()
            raise problems[0]
        for one in problems:
            errors().print(f"skipped: {one.message}", markup=False, soft_wrap=True)
        for line, name in labels.skipped:
            errors().print(
                f"skipped: {labels.source}:{line}: section [{name}]", markup=False, soft_wrap=True
            )
        return labels.without({one.line for one in problems})


def _check_meant(catalog: Catalog, pattern: str, names: Sequence[str]) -> None:
    """Refuse an event for signals that are not measured.

    Raises:
        NotFoundError: nothing has this name.
        UsageError: it means none of the signals.
    """
    if set(expand_names(catalog, pattern)).isdisjoint(expand_names(catalog, names)):
        raise UsageError(
            f"event: {pattern} is none of the signals to measure.",
            hint="Name it as a signal too, or leave out its event.",
        )


def _further(lines: list[int]) -> str:
    """The lines of further problems, in words."""
    shown = ", ".join(map(str, lines[:_LINES]))
    left = len(lines) - _LINES
    rest = f" and {left} more" if left > 0 else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{rest} as well"


def choose(verb: str, signals: Sequence[str], events: Sequence[str], listed: Path | None) -> Choice:
    """What was asked for.

    Raises:
        UsageError: nothing.
        SourceError: the list cannot be read.
    """
    from xcaliper.client.label_file import read_label_file

    labels = read_label_file(listed) if listed is not None else None
    if labels is not None and not labels.measurements:
        what = "only parameters ([Label])" if labels.entries else "nothing"
        raise UsageError(
            f"{labels.source}: it names {what}.", hint="Signals to measure stand below [RAMCELL]."
        )
    if not signals and labels is None:
        raise UsageError(
            f"{verb}: no signal given.", hint=f"xcaliper {verb} … 'Engine*', or --list signals.lab"
        )
    return Choice(tuple(signals), tuple(events), labels)


def read_split(text: str | None) -> dict[str, Any]:
    """``100MB`` or ``10min`` as arguments of a recording.

    Raises:
        UsageError: it is neither a size nor a time.
    """
    if text is None:
        return {}
    found = _SIZE.fullmatch(text.strip())
    unit = found[2].casefold() if found else ""
    if found and unit in _SECONDS:
        return {"split_s": float(found[1]) * _SECONDS[unit]}
    if found and unit in _BYTES and float(found[1]) * _BYTES[unit] >= 1:
        return {"split_bytes": int(float(found[1]) * _BYTES[unit])}
    raise UsageError(
        f"split: {text!r} is neither a size nor a time.", hint="--split 100MB, or --split 10min"
    )


def calculated_signals(texts: Sequence[str]) -> list[CalculatedSignal]:
    """``Power = EngineSpeed * Torque / 9549 [kW]`` as calculated signals.

    Raises:
        UsageError: a text without a name.
    """
    from xcaliper.record.calculated import CalculatedSignal

    found = []
    for text in texts:
        parts = _CALCULATED.fullmatch(text)
        if parts is None or not parts["text"]:
            raise UsageError(
                f"calc: {text!r} is not 'name = expression'.",
                hint="--calc 'Power = EngineSpeed * Torque / 9549 [kW]'",
            )
        found.append(
            CalculatedSignal(parts["name"], parts["text"].strip(), unit=parts["unit"] or "")
        )
    return found


def packed_count(text: str) -> int | Literal["max"]:
    """Samples per set of packets, or ``max``.

    Raises:
        UsageError: it is neither.
    """
    if text == "max":
        return "max"
    if text.isdecimal():
        return int(text)
    raise UsageError(f"packed: {text!r} is no number.", hint="--packed 10, or --packed max")
