"""Expressions over a stream of blocks: signals of other rasters count with their last value."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.core.samples import SampleBlock
    from xcaliper.quantity.expression import Expression, Input
    from xcaliper.record.lookup import SignalBook

__all__ = ["Evaluator", "home_raster"]

MAX_WAIT_NS: Final = 1_000_000_000
"""How long samples wait for those of another raster, in time of the samples."""
KEEP_NS: Final = 10 * MAX_WAIT_NS
"""How old values of other rasters are kept when no samples come that need them."""


def home_raster(expression: Expression, book: SignalBook, name: str = "") -> int:
    """Number of the raster at whose samples an expression is computed.

    Raises:
        NotFoundError: no such raster.
        UsageError: no signal in it, so no samples.
    """
    if name:
        return book.raster(name)
    if not expression.names:
        raise UsageError(
            f"expression {expression.text[:120]!r}: it names no signal.",
            hint="Say at which raster's samples it is computed.",
        )
    return book.find(expression.names[0])[0]


class _History:
    """Values of one other raster that are still needed: the last one and newer ones."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = list(inputs)
        self.times: NDArray[np.int64] = np.empty(0, np.int64)
        self.values: dict[Input, NDArray[Any]] = {}

    def add(self, block: SampleBlock, book: SignalBook) -> None:
        if not len(block):
            return
        # times that step back would not be found; they count from when they came
        times = np.maximum.accumulate(block.t_ns)
        if len(self.times):
            times = np.maximum(times, self.times[-1])
        self.times = np.concatenate([self.times, times])
        for item in self.inputs:
            fresh = book.take(item, block.rows)
            old = self.values.get(item)
            self.values[item] = fresh if old is None else np.concatenate([old, fresh])
        self.forget(int(self.times[-1]) - KEEP_NS)

    def at(self, t_ns: NDArray[np.int64]) -> NDArray[np.intp]:
        """Index of the last sample not after each time, -1 = none yet."""
        return np.searchsorted(self.times, t_ns, side="right") - 1

    def forget(self, before_ns: int) -> None:
        """Drop what no time from then on needs."""
        keep = int(np.searchsorted(self.times, before_ns, side="right")) - 1
        if keep > 0:
            self.times = self.times[keep:].copy()
            for item, values in self.values.items():
                self.values[item] = values[keep:].copy()


class Evaluator:
    """Computes expressions at the samples of one raster.

    Samples from before the first value of another raster have no result.

    Args:
        expressions: results that may be named by later ones are given in ``results``.
        home: number of the raster.
        book: all signals.
        results: name → position of an earlier expression whose result it is.

    Attributes:
        judged_ns: every sample up to this time has been computed.
    """

    def __init__(
        self,
        expressions: Sequence[Expression],
        home: int,
        book: SignalBook,
        results: dict[str, int] | None = None,
    ) -> None:
        self.home = home
        self.judged_ns = np.iinfo(np.int64).min
        self._book = book
        self._results = results or {}
        self._expressions = list(expressions)
        self._running = [expression.start() for expression in expressions]
        others: dict[int, list[Input]] = {}
        for expression in expressions:
            for item in expression.inputs:
                raster = self._raster_of(item)
                if raster is not None and raster != home:
                    others.setdefault(raster, []).append(item)
        self._others = {r: _History(list(dict.fromkeys(items))) for r, items in others.items()}
        self._waiting: deque[SampleBlock] = deque()
        self._newest_ns = np.iinfo(np.int64).min

    def _raster_of(self, item: Input) -> int | None:
        """Raster of an input; ``None`` = time or an earlier result."""
        if item.kind == "time" or item.name in self._results:
            return None
        return self._book.find(item.name)[0]

    def feed(self, block: SampleBlock) -> list[tuple[SampleBlock, list[NDArray[Any]]]]:
        """Take a block of any raster; samples that could be computed and their results."""
        history = self._others.get(block.raster)
        if history is not None:
            history.add(block, self._book)
        elif block.raster == self.home:
            self._waiting.append(block)
            if len(block):
                self._newest_ns = max(self._newest_ns, int(block.t_ns[-1]))
        else:
            return []
        return self._advance(self._ready_ns())

    def finish(self) -> list[tuple[SampleBlock, list[NDArray[Any]]]]:
        """What still waits for other rasters, with the values there are."""
        return self._advance(np.iinfo(np.int64).max)

    def _ready_ns(self) -> int:
        ready = int(np.iinfo(np.int64).max)
        for history in self._others.values():
            ready = min(ready, int(history.times[-1]) if len(history.times) else -(1 << 62))
        return max(ready, self._newest_ns - MAX_WAIT_NS)

    def _advance(self, ready_ns: int) -> list[tuple[SampleBlock, list[NDArray[Any]]]]:
        done: list[tuple[SampleBlock, list[NDArray[Any]]]] = []
        while self._waiting:
            block = self._waiting.popleft()
            cut = int(np.searchsorted(np.maximum.accumulate(block.t_ns), ready_ns, side="right"))
            if cut < len(block):
                self._waiting.appendleft(block.part(cut, len(block)) if cut else block)
            if cut or not len(block):
                done.append(self._compute(block.part(0, cut) if len(block) else block))
            if cut < len(block):
                break
        return done

    def _compute(self, block: SampleBlock) -> tuple[SampleBlock, list[NDArray[Any]]]:
        if len(block):
            self.judged_ns = max(self.judged_ns, int(block.t_ns[-1]))
        places = {raster: history.at(block.t_ns) for raster, history in self._others.items()}
        first = max((int((at < 0).sum()) for at in places.values()), default=0)
        if first:
            block = block.part(first, len(block))
            places = {raster: at[first:] for raster, at in places.items()}
        results: list[NDArray[Any]] = []
        cache: dict[Input, NDArray[Any]] = {}
        for expression, running in zip(self._expressions, self._running, strict=True):
            inputs = [
                self._value(item, block, places, results, cache) for item in expression.inputs
            ]
            results.append(running(block.t_ns, inputs))
        if len(block):
            for history in self._others.values():
                history.forget(int(block.t_ns[-1]))
        return block, results

    def _value(
        self,
        item: Input,
        block: SampleBlock,
        places: dict[int, NDArray[np.intp]],
        results: list[NDArray[Any]],
        cache: dict[Input, NDArray[Any]],
    ) -> NDArray[Any]:
        if item in cache:
            return cache[item]
        if item.kind == "time":
            return block.t_ns
        if item.name in self._results:
            value = results[self._results[item.name]]
            return value.astype(np.int64) if value.dtype.kind == "b" else value
        raster = self._book.find(item.name)[0]
        if raster == self.home:
            value = self._book.take(item, block.rows)
        elif len(block):
            value = self._others[raster].values[item][places[raster]]
        else:
            value = self._book.take(item, np.empty(0, self._book.rasters[raster].dtype))
        cache[item] = value
        return value
