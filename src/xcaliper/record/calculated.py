"""Calculated signals: rasters of their own beside those that they are computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.core.errors import SettingsError
from xcaliper.core.samples import SampleBlock
from xcaliper.quantity.expression import Expression, compile_expression
from xcaliper.record.description import RasterDescription, SignalDescription
from xcaliper.record.evaluate import Evaluator, home_raster
from xcaliper.record.lookup import SignalBook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xcaliper.record.description import RecordingDescription, RecordingEvent
    from xcaliper.record.sinks import Sink

__all__ = ["CalculatedSignal", "Calculation", "CalculationStage"]

MAX_CALCULATED: Final = 1000


@dataclass(frozen=True, slots=True)
class CalculatedSignal:
    """A signal that is computed from others while recording.

    Attributes:
        name: name in the recording.
        expression: text, see ``quantity.expression``; it may name calculated signals in front.
        raster: name of the raster at whose samples it is computed; empty = that of its first
            signal. Signals of other rasters count with their last value.
        unit: physical unit of the result.
        comment: for people; empty = the expression.
    """

    name: str
    expression: str
    raster: str = ""
    unit: str = ""
    comment: str = ""


@dataclass(slots=True)
class _Group:
    """Calculated signals that are computed together: one raster of the recording."""

    home: int
    layer: int
    number: int
    signals: list[CalculatedSignal]
    expressions: list[Expression]


class Calculation:
    """Compiled calculated signals of a recording.

    Args:
        description: what is measured.
        signals: in an order in which each names only measured signals and those in front of it.

    Attributes:
        description: with a raster for each group of calculated signals behind those measured.
        book: all signals.

    Raises:
        SettingsError: two signals of one name, one without, or too many.
        NotFoundError: no such signal or raster.
        UsageError: an expression that cannot be read.
    """

    def __init__(
        self, description: RecordingDescription, signals: Sequence[CalculatedSignal]
    ) -> None:
        if len(signals) > MAX_CALCULATED:
            raise SettingsError("calculated", f"{len(signals)} signals, at most {MAX_CALCULATED}")
        self.book = SignalBook(description.rasters)
        self._measured = len(description.rasters)
        self._groups: list[_Group] = []
        for signal in signals:
            if not signal.name.strip():
                raise SettingsError("calculated", f"a signal has no name: {signal.expression!r}")
            if signal.name in self.book:
                raise SettingsError("calculated", f"there is a signal {signal.name} already")
            self._enter(signal, description)
        self.description = replace(description, rasters=tuple(self.book.rasters))

    def _enter(self, signal: CalculatedSignal, description: RecordingDescription) -> None:
        expression = compile_expression(signal.expression, self.book)
        home = home_raster(expression, self.book, signal.raster)
        if home >= self._measured:
            home = self._groups[home - self._measured].home
        used = {self.book.find(name)[0] - self._measured for name in expression.names}
        layers = [self._groups[at] for at in used if at >= 0]
        # a group may name its own results and those of lower layers: no two wait for each other
        layer = max((g.layer + (g.home != home) for g in layers), default=0)
        group = next((g for g in self._groups if (g.home, g.layer) == (home, layer)), None)
        if group is None:
            group = _Group(home, layer, self._measured + len(self._groups), [], [])
            self._groups.append(group)
            self.book.add(_raster(group, description.rasters[home]))
        group.signals.append(signal)
        group.expressions.append(expression)
        raster = _raster(group, description.rasters[home])
        self.book.grow(group.number, raster)

    def evaluators(self) -> Iterator[tuple[RasterDescription, int, Evaluator]]:
        """Raster, its number, and what computes it; those in front first."""
        for group in sorted(self._groups, key=lambda group: group.layer):
            raster = self.book.rasters[group.number]
            names = [signal.name for signal in group.signals]
            results = {name: at for at, name in enumerate(names)}
            results |= {f"{raster.name}:{name}": at for at, name in enumerate(names)}
            evaluator = Evaluator(group.expressions, group.home, self.book, results)
            yield raster, group.number, evaluator


def _raster(group: _Group, home: RasterDescription) -> RasterDescription:
    level = f" ({group.layer + 1})" if group.layer else ""
    fields = [
        (signal.name, "u1" if made.dtype.kind == "b" else made.dtype, made.shape)
        for signal, made in zip(group.signals, group.expressions, strict=True)
    ]
    return replace(
        home,
        name=f"{home.name} calculated{level}",
        dtype=np.dtype(fields),
        signals=tuple(
            SignalDescription(
                s.name, unit=s.unit, comment=s.comment or f"= {s.expression}", calculated=True
            )
            for s in group.signals
        ),
        comment=f"calculated at the samples of {home.name}",
    )


class CalculationStage:
    """Hands blocks on, and behind them those computed from them.

    Args:
        calculation: what is computed.
        target: gets everything.
    """

    def __init__(self, calculation: Calculation, target: Sink) -> None:
        self._target = target
        self._work = list(calculation.evaluators())

    def write(self, block: SampleBlock) -> None:
        """Hand a block on and compute what it completes."""
        self._target.write(block)
        fresh = [block]
        for raster, number, evaluator in self._work:
            made = []
            for source in fresh:
                for samples, results in evaluator.feed(source):
                    made.append(_block(raster, number, samples, results))
            self._send(made)
            fresh += made

    def event(self, event: RecordingEvent) -> None:
        """Hand an event on."""
        self._target.event(event)

    def tick(self, now_ns: int) -> None:
        """Hand a tick on."""
        self._target.tick(now_ns)

    def close(self) -> None:
        """Compute what still waited, then close the target."""
        try:
            made: list[SampleBlock] = []
            for raster, number, evaluator in self._work:
                found = [pair for source in made for pair in evaluator.feed(source)]
                found += evaluator.finish()
                fresh = [_block(raster, number, samples, results) for samples, results in found]
                self._send(fresh)
                made += fresh
        finally:
            self._target.close()

    def _send(self, blocks: list[SampleBlock]) -> None:
        for block in blocks:
            if len(block) or block.gaps:
                self._target.write(block)


def _block(
    raster: RasterDescription, number: int, samples: SampleBlock, results: list[np.ndarray]
) -> SampleBlock:
    rows = np.empty(len(samples), raster.dtype)
    for name, values in zip(raster.dtype.names or (), results, strict=True):
        rows[name] = values
    return SampleBlock(number, samples.t_ns, rows, samples.gaps)
