"""Triggers at work: when did they fire, and up to when is that known?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import numpy as np

from xcaliper.core.errors import SettingsError
from xcaliper.quantity.expression import compile_expression
from xcaliper.record.evaluate import Evaluator, home_raster
from xcaliper.record.trigger import (
    At,
    Condition,
    Edge,
    Level,
    Manual,
    PageSwitch,
    Trigger,
    parse_trigger,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RecordingEvent
    from xcaliper.record.lookup import SignalBook

__all__ = ["FOREVER", "NEVER", "Watch", "make_watches", "start_watch"]

NEVER: Final = int(np.iinfo(np.int64).min)
FOREVER: Final = int(np.iinfo(np.int64).max)
MAX_EVENTS: Final = 10_000


class Watch(Protocol):
    """One trigger.

    Attributes:
        text: for people.
        prompt: it fires by events, so nothing earlier can come later.
    """

    text: str
    prompt: bool

    @property
    def judged_ns(self) -> int:
        """Times up to here will not fire any more than they did."""
        ...

    def feed(self, block: SampleBlock) -> None:
        """Look at the samples of a block."""
        ...

    def event(self, event: RecordingEvent) -> None:
        """Look at an event."""
        ...

    def first(self, from_ns: int) -> int | None:
        """Earliest time not before ``from_ns`` at which it fired; ``None`` = none so far."""
        ...

    def forget(self, before_ns: int) -> None:
        """Drop what fired before; it will not be asked for."""
        ...

    def finish(self) -> None:
        """No sample comes any more: judge what waited for others."""
        ...


class _ConditionWatch:
    """Samples at which an expression is true."""

    prompt = False

    def __init__(self, text: str, source: str, book: SignalBook, raster: str = "") -> None:
        self.text = text
        expression = compile_expression(source, book)
        if not (expression.names or raster):
            raise SettingsError(
                "trigger",
                f"{text!r} names no signal, at whose samples it could be looked at",
                hint="Name one; 'at 5' means a time, Condition(text, raster) the samples.",
            )
        if expression.shape:
            raise SettingsError(
                "trigger",
                f"{text!r} has {expression.shape} values per sample",
                hint="Write any(…), all(…) or an index.",
            )
        self._evaluator = Evaluator([expression], home_raster(expression, book, raster), book)
        self._fired: deque[NDArray[np.int64]] = deque()

    @property
    def judged_ns(self) -> int:
        return self._evaluator.judged_ns

    def feed(self, block: SampleBlock) -> None:
        self._note(self._evaluator.feed(block))

    def finish(self) -> None:
        self._note(self._evaluator.finish())

    def _note(self, computed: list[tuple[SampleBlock, list[NDArray[Any]]]]) -> None:
        for samples, (value,) in computed:
            # not-a-number is no truth
            fired = samples.t_ns[(value != 0) & (value == value)]  # noqa: PLR0124
            if len(fired):
                self._fired.append(fired)

    def event(self, event: RecordingEvent) -> None:
        """Events say nothing about samples."""

    def first(self, from_ns: int) -> int | None:
        for times in self._fired:
            late = times[times >= from_ns]
            if len(late):
                return int(late[0])
        return None

    def forget(self, before_ns: int) -> None:
        while self._fired and int(self._fired[0].max()) < before_ns:
            self._fired.popleft()


class _EventWatch:
    """Events of one name, or none but those of ``Recorder.trigger()``."""

    prompt = True
    judged_ns = FOREVER

    def __init__(self, text: str, name: str, containing: str) -> None:
        self.text = text
        self._name = name
        self._containing = containing
        self._fired: deque[int] = deque(maxlen=MAX_EVENTS)

    def feed(self, block: SampleBlock) -> None:
        """Samples say nothing about events."""

    def event(self, event: RecordingEvent) -> None:
        if event.name == self._name and self._containing in event.text:
            self._fired.append(event.t_ns)

    def first(self, from_ns: int) -> int | None:
        return min((t for t in self._fired if t >= from_ns), default=None)

    def forget(self, before_ns: int) -> None:
        kept = [t for t in self._fired if t >= before_ns]
        self._fired.clear()
        self._fired.extend(kept)

    def finish(self) -> None:
        """Nothing waits."""


class _TimeWatch:
    """Fixed times, as soon as some raster has passed them."""

    prompt = True
    judged_ns = FOREVER

    def __init__(self, at: At) -> None:
        every = "" if at.every_s is None else f", every {at.every_s:g} s"
        self.text = f"at {at.t_s:g} s{every}"
        self._start_ns = round(at.t_s * 1e9)
        self._every_ns = None if at.every_s is None else max(1, round(at.every_s * 1e9))
        self._newest_ns = NEVER

    def feed(self, block: SampleBlock) -> None:
        if len(block):
            self._newest_ns = max(self._newest_ns, int(block.t_ns[-1]))

    def event(self, event: RecordingEvent) -> None:
        """Events do not move time."""

    def first(self, from_ns: int) -> int | None:
        fires = self._start_ns
        if from_ns > fires:
            if self._every_ns is None:
                return None
            fires += -(-(from_ns - fires) // self._every_ns) * self._every_ns
        return fires if fires <= self._newest_ns else None

    def forget(self, before_ns: int) -> None:
        """Nothing is kept."""

    def finish(self) -> None:
        """Nothing waits."""


class _StartWatch:
    """The first sample of all."""

    prompt = True
    judged_ns = FOREVER
    text = "start"

    def __init__(self) -> None:
        self._first_ns: int | None = None

    def feed(self, block: SampleBlock) -> None:
        if len(block) and self._first_ns is None:
            self._first_ns = int(block.t_ns[0])

    def event(self, event: RecordingEvent) -> None:
        """Events are no samples."""

    def first(self, from_ns: int) -> int | None:
        return self._first_ns if self._first_ns is not None and self._first_ns >= from_ns else None

    def forget(self, before_ns: int) -> None:
        """One time is kept."""

    def finish(self) -> None:
        """Nothing waits."""


def start_watch() -> Watch:
    """A watch that fires at the first sample."""
    return _StartWatch()


def _quoted(name: str) -> str:
    if "`" in name or "\n" in name:
        raise SettingsError("trigger", f"{name!r} is no name of a signal")
    return f"`{name}`"


def _watch(trigger: Trigger, book: SignalBook) -> Watch:
    match trigger:
        case Condition(text, raster):
            return _ConditionWatch(text, text, book, raster)
        case Level(signal, above, below):
            limits = [(sign, of) for sign, of in ((">", above), ("<", below)) if of is not None]
            source = " or ".join(f"{_quoted(signal)} {sign} {_number(of)}" for sign, of in limits)
            text = " or ".join(f"{signal} {sign} {of:g}" for sign, of in limits)
            return _ConditionWatch(text, source, book)
        case Edge(signal, level, direction, hysteresis):
            ways = ("rising", "falling") if direction == "both" else (direction,)
            name = _quoted(signal)
            source = " or ".join(
                f"{way}({name}, {_number(level)}, {_number(hysteresis)})" for way in ways
            )
            return _ConditionWatch(f"{signal} {direction} through {level:g}", source, book)
        case PageSwitch(containing):
            return _EventWatch(f"page switch {containing}".strip(), "page", containing)
        case At():
            return _TimeWatch(trigger)
        case Manual():
            return _EventWatch("manual", "", "\0")
        case _:
            raise SettingsError(
                "trigger",
                f"{trigger!r} is none",
                hint="Write a condition such as 'EngineSpeed > 3000', 'page', 'manual' or 'at 5'.",
            )


def _number(value: float) -> str:
    whole = isinstance(value, int) or float(value).is_integer()
    return f"({int(value) if whole else float(value)!r})"  # numpy's numbers say what they are


def make_watches(
    triggers: Trigger | str | Sequence[Trigger | str] | None, book: SignalBook
) -> list[Watch]:
    """Watches of what a recorder was given.

    Raises:
        SettingsError: no trigger, or one that cannot be used.
        NotFoundError: no such signal.
        UsageError: an expression that cannot be read.
    """
    if triggers is None:
        return []
    several: list[Trigger | str] = (
        list(triggers) if isinstance(triggers, (list, tuple)) else [cast("Trigger", triggers)]
    )
    return [_watch(parse_trigger(t) if isinstance(t, str) else t, book) for t in several]
