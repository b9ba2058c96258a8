"""What the verbs that measure share: signals from the command line and from lists, events, sizes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.client.names import expand_names
from xcaliper.core.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from xcaliper.client.label_file import LabelFile
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.record.calculated import CalculatedSignal

__all__ = [
    "Choice",
    "calculated_signals",
    "choose",
    "packed_count",
    "read_split",
    "settings_as_options",
]

#: Numbers of lines behind an error.
_LINES: Final = 8
#: Lines of a list that are told one by one.
_NOTES: Final = 50
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
        common = [text for text in self.events if "=" not in text]
        labels = self._known(catalog, event, skip_unknown=skip_unknown, use_events=not common)
        names = list(dict.fromkeys([*self.signals, *(labels.names if labels else ())]))
        if not names:
            raise UsageError("no signal is left to measure.", hint="Name one, or correct the list.")
        events: dict[str, str | int] = {}
        if common:
            events.update(dict.fromkeys(names, common[-1]))
        elif labels is not None:
            events.update(labels.events)
        for text in self.events:
            pattern, equals, one = text.rpartition("=")
            if equals:
                _check_meant(catalog, pattern.strip(), names)
                events[pattern.strip()] = one.strip()
        return names, events

    def _known(
        self, catalog: Catalog, event: Callable[[str], int], *, skip_unknown: bool, use_events: bool
    ) -> LabelFile | None:
        """The list as it can be measured; what is left out or ignored is told.

        Args:
            catalog: names there are.
            event: number of an event by its name.
            skip_unknown: warn instead of refusing the list.
            use_events: its rasters count, because no event was told for all signals.
        """
        labels = self.labels
        if labels is None:
            return None
        names = labels.unknown_names(catalog)
        events = labels.unknown_events(event) if use_events else []
        problems = sorted([*names, *events], key=lambda one: one.line)
        if problems and not skip_unknown:
            further = [one.line for one in problems[1:] if one.line != problems[0].line]
            if further:
                problems[0].message += f" ({_further(list(dict.fromkeys(further)))})"
            problems[0].hint = f"{problems[0].hint} --skip-unknown leaves such lines out.".strip()
            raise problems[0]
        left_out = {one.line for one in names}
        notes = [f"skipped: {one.message}" for one in names]
        notes += [f"event ignored: {one.message}" for one in events if one.line not in left_out]
        notes += [f"skipped: {labels.source}:{at}: section [{name}]" for at, name in labels.skipped]
        _tell([*notes, *(_further_rasters(labels) if use_events else ())])
        return labels.without(left_out).without_events({one.line for one in events})


def _further_rasters(labels: LabelFile) -> list[str]:
    """What the list wants and nobody can give: a signal of several events."""
    return [
        f"note: {labels.source}:{entry.line}: {entry.name} is measured with {entry.raster}, "
        f"not with {' and '.join(entry.further)} as well."
        for entry in labels.measurements
        if entry.further
    ]


def _tell(notes: Sequence[str]) -> None:
    """On standard error, the first ones of many."""
    from xcaliper.cli.shell import errors

    for note in notes[:_NOTES]:
        errors().print(note, markup=False, soft_wrap=True)
    if len(notes) > _NOTES:
        errors().print(f"… and {len(notes) - _NOTES} more such lines")


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


def choose(
    verb: str,
    signals: Sequence[str],
    events: Sequence[str],
    listed: Path | None,
    *,
    url: str = "",
) -> Choice:
    """What was asked for.

    Args:
        verb: that asks.
        signals: names and patterns.
        events: of ``--event``.
        listed: of ``--list``.
        url: what the verb got as such.

    Raises:
        UsageError: nothing.
        SourceError: the list cannot be read.
    """
    from xcaliper.client.label_file import read_label_file

    labels = read_label_file(listed) if listed is not None else None
    if labels is not None and not labels.measurements:
        what = "only parameters ([Label])" if labels.entries else "no signal"
        sections = "".join(f", and a section [{name}]" for _, name in labels.skipped[:_LINES])
        raise UsageError(
            f"{labels.source}: it names {what}{sections}.",
            hint="Signals to measure stand below [RAMCELL].",
        )
    for name in signals:
        if not name.strip():
            raise UsageError(f"{verb}: a signal without a name.", hint="Leave out the quotes.")
    if not signals and labels is None and url and "://" not in url:
        raise UsageError(
            f"{verb}: {url!r} is not an address.",
            hint=f"xcaliper {verb} udp://127.0.0.1:5555 {url}",
        )
    if not signals and labels is None:
        raise UsageError(
            f"{verb}: no signal given.", hint=f"xcaliper {verb} … 'Engine*', or --list signals.lab"
        )
    return Choice(tuple(signals), tuple(events), labels)


@contextmanager
def settings_as_options(options: Mapping[str, str]) -> Iterator[None]:
    """Let errors name options of the verb instead of settings.

    Args:
        options: setting → option.
    """
    try:
        yield
    except SettingsError as error:
        begin = f"{error.key} ({error.source}): "
        if error.key in options and error.message.startswith(begin):
            error.message = f"{options[error.key]}: {error.message.removeprefix(begin)}"
        raise


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
