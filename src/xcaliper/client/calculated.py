"""Signals that are computed from measured ones, while they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xcaliper.client.binding import Signal, recorded_conversion
from xcaliper.client.quality import Track
from xcaliper.core.errors import UsageError
from xcaliper.record.calculated import CalculatedSignal, Calculation, CalculationStage
from xcaliper.record.description import (
    RasterDescription,
    RecordingDescription,
    RecordingEvent,
    SignalDescription,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.core.samples import SampleBlock

__all__ = ["Calculated", "CalculatedRule", "Calculator", "make_calculator"]

Calculated = Mapping[str, "str | CalculatedSignal"] | Sequence[CalculatedSignal]


class CalculatedRule:
    """How the column of a calculated signal reads: its values are physical already.

    Args:
        described: as it is recorded.
    """

    def __init__(self, described: SignalDescription) -> None:
        self._described = described

    @property
    def name(self) -> str:
        """Name of the column."""
        return self._described.name

    @property
    def unit(self) -> str:
        """Physical unit, as told."""
        return self._described.unit

    def raw(self, column: NDArray[Any]) -> NDArray[Any]:
        """The values themselves."""
        return column

    def phys(self, column: NDArray[Any]) -> NDArray[Any]:
        """The values themselves."""
        return column

    def description(self) -> SignalDescription:
        """What a recording needs to know."""
        return self._described


class Calculator:
    """Computes calculated signals block by block.

    Args:
        rasters: what is measured, in the order of their numbers.
        signals: what is computed, each from measured ones and those in front of it.
        cycles_ns: period of each raster.

    Attributes:
        tracks: rasters of what is computed, numbered behind those measured.

    Raises:
        NotFoundError: no such signal or raster.
        UsageError: an expression that cannot be read.
    """

    def __init__(
        self, rasters: Sequence[RasterDescription], signals: Sequence[CalculatedSignal]
    ) -> None:
        measured = RecordingDescription(start_ns=0, rasters=tuple(rasters))
        calculation = Calculation(measured, signals)
        self.tracks = [
            Track(
                number,
                raster.name,
                raster.dtype,
                {one.name: CalculatedRule(one) for one in raster.signals},
                kind="calculated",
                event_channel=raster.event_channel,
                cycle_ns=raster.cycle_ns,
            )
            for number, raster in enumerate(calculation.description.rasters)
            if number >= len(rasters)
        ]
        self._first = len(rasters)
        self._made: list[SampleBlock] = []
        self._stage = CalculationStage(calculation, self)

    def feed(self, blocks: Sequence[SampleBlock]) -> list[SampleBlock]:
        """Blocks that these complete."""
        for block in blocks:
            self._stage.write(block)
        return self._collect()

    def finish(self) -> list[SampleBlock]:
        """What still waited for samples of other rasters."""
        self._stage.close()
        return self._collect()

    def _collect(self) -> list[SampleBlock]:
        made, self._made = self._made, []
        return made

    # --- the end of the stage ---

    def write(self, block: SampleBlock) -> None:
        """Take a block of the stage; measured ones have gone their way already."""
        if block.raster >= self._first:
            self._made.append(block)

    def event(self, event: RecordingEvent) -> None:
        """Events go their own way."""

    def tick(self, now_ns: int) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing is open."""


def _signals_of(calculated: Any) -> list[CalculatedSignal]:
    """Calculated signals, whatever they were told as.

    Raises:
        UsageError: they are something else.
    """
    hint = 'calculated={"Power": "EngineSpeed * Torque / 9549"}'
    if isinstance(calculated, Mapping):
        pairs = list(calculated.items())
    elif isinstance(calculated, str) or not isinstance(calculated, Sequence):
        raise UsageError(f"calculated: {calculated!r} is no calculated signal.", hint=hint)
    else:
        pairs = [("", one) for one in calculated]
    signals = []
    for name, one in pairs:
        if isinstance(one, str) and name and isinstance(name, str):
            signals.append(CalculatedSignal(name, one))
        elif isinstance(one, CalculatedSignal):
            signals.append(one)
        else:
            told = f"{name!r}: {one!r}" if name else repr(one)
            raise UsageError(f"calculated: {told} is no calculated signal.", hint=hint)
    return signals


def make_calculator(
    calculated: Calculated,
) -> Callable[[Sequence[RasterDescription], Mapping[str, Any]], Calculator]:
    """What makes the calculator once the rasters are known.

    Args:
        calculated: name → expression; or calculated signals with unit and raster.

    Raises:
        UsageError: something else is among them.
    """
    signals = _signals_of(calculated)

    def make(rasters: Sequence[RasterDescription], rules: Mapping[str, Any]) -> Calculator:
        made = Calculator(rasters, signals)
        _check_inputs(signals, rules)
        return made

    return make


def _check_inputs(signals: Sequence[CalculatedSignal], rules: Mapping[str, Any]) -> None:
    """Refuse inputs whose physical values only the description can compute."""
    for name, rule in rules.items():
        if not isinstance(rule, Signal):
            continue
        note = recorded_conversion(rule.bound.conversion)[1]
        if not note.startswith("raw values"):
            continue
        users = [one.name for one in signals if name in one.expression]
        if users:
            raise UsageError(
                f"{users[0]}: {name} has a conversion that expressions cannot compute with.",
                hint=f"Compute it from block[{name!r}] instead.",
            )
