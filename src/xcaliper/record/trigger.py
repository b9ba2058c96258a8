"""What starts and ends a recording, as plain values; ``record.watch`` finds them in the data."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan
from numbers import Real
from typing import Any, Literal

from xcaliper.core.errors import SettingsError

__all__ = [
    "At",
    "Condition",
    "Edge",
    "Level",
    "Manual",
    "PageSwitch",
    "Trigger",
    "parse_trigger",
]

Direction = Literal["rising", "falling", "both"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Each sample at which an expression is true, see ``quantity.expression``.

    Attributes:
        text: the expression, such as ``"speed > 3000 and gear == 'D'"``.
        raster: raster at whose samples it is looked at; empty = that of its first signal.
    """

    text: str
    raster: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """Each sample of a signal above, below or outside of limits; true at once counts too.

    Attributes:
        above: fires for physical values beyond it; ``None`` = not looked at.
        below: fires for physical values under it; ``None`` = not looked at.
    """

    signal: str
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise SettingsError("trigger", f"level of {self.signal} has neither above nor below")
        _check_numbers(f"level of {self.signal}", self.above, self.below)


@dataclass(frozen=True, slots=True)
class Edge:
    """The sample at which a signal passes a level.

    Attributes:
        level: physical value that is passed; the value itself lies on neither side.
        direction: ``rising``, ``falling`` or ``both``.
        hysteresis: how far the signal must have been on the other side before.
    """

    signal: str
    level: float
    direction: Direction = "rising"
    hysteresis: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in {"rising", "falling", "both"}:
            raise SettingsError("trigger", f"{self.direction!r} is no direction of an edge")
        _check_numbers(f"edge of {self.signal}", self.level, self.hysteresis)
        if not (isfinite(self.hysteresis) and self.hysteresis >= 0 and isfinite(self.level)):
            raise SettingsError("trigger", f"edge of {self.signal} needs finite numbers")


@dataclass(frozen=True, slots=True)
class PageSwitch:
    """A page was switched: an event of the name ``page``.

    Attributes:
        containing: part of the event's text, such as ``"segment 0: page 1"``; empty = any.
    """

    containing: str = ""


@dataclass(frozen=True, slots=True)
class Manual:
    """Only ``Recorder.trigger()`` and ``Recorder.stop()``, which always work."""


@dataclass(frozen=True, slots=True)
class At:
    """A time on the axis of the samples.

    Attributes:
        t_s: seconds since the start of the measurement.
        every_s: distance of further ones; ``None`` = only one.
    """

    t_s: float
    every_s: float | None = None

    def __post_init__(self) -> None:
        _check_numbers("time", self.t_s, self.every_s)
        if not isfinite(self.t_s) or not (self.every_s is None or 0 < self.every_s < 1e9):
            raise SettingsError("trigger", f"{self.t_s} s, every {self.every_s} s is no time")


Trigger = Condition | Level | Edge | PageSwitch | Manual | At


def _check_numbers(of: str, *numbers: Any) -> None:
    for number in numbers:
        if number is not None and (not isinstance(number, Real) or isnan(number)):
            raise SettingsError("trigger", f"{of}: {number!r} is no number")


def parse_trigger(text: str) -> Trigger:
    """What a text on a command line means: ``manual``, ``page``, ``at 5``, or an expression.

    Raises:
        SettingsError: an empty text, or a time that is none.
    """
    words = text.split()
    match words:
        case []:
            raise SettingsError("trigger", "it is empty", hint="Write a condition or 'manual'.")
        case ["manual"]:
            return Manual()
        case ["page", *rest]:
            return PageSwitch(" ".join(rest))
        case ["at", number]:
            try:
                return At(float(number.removesuffix("s")))
            except ValueError:
                raise SettingsError(
                    "trigger", f"{text!r}: no number behind 'at'", hint="at 5 means 5 s."
                ) from None
        case _:
            return Condition(text)
