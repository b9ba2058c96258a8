"""Some of the signals of a recording: narrower rows, fewer rasters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xcaliper.core.rows import RowCopy, packed_fields
from xcaliper.core.samples import SampleBlock
from xcaliper.record.lookup import chosen_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from xcaliper.record.description import RasterDescription, RecordingDescription, RecordingEvent
    from xcaliper.record.sinks import Sink

__all__ = ["Selection", "SelectionStage"]


class Selection:
    """Chosen signals.

    Args:
        description: everything there is.
        patterns: names, or patterns with ``*`` and ``?``.

    Attributes:
        description: with the chosen signals only; rasters without any are left out.
        numbers: raster before → raster behind.

    Raises:
        NotFoundError: a pattern that chooses nothing.
    """

    def __init__(self, description: RecordingDescription, patterns: Sequence[str]) -> None:
        chosen = chosen_signals(description.rasters, patterns)
        rasters: list[RasterDescription] = []
        self.numbers: dict[int, int] = {}
        for number, raster in enumerate(description.rasters):
            signals = chosen.get(number)
            if signals is None:
                continue
            self.numbers[number] = len(rasters)
            dtype = raster.dtype
            if len(signals) < len(raster.signals):
                dtype = packed_fields(dtype, {signal.column for signal in signals})
            rasters.append(replace(raster, dtype=dtype, signals=signals))
        self.description = replace(description, rasters=tuple(rasters))


class SelectionStage:
    """Hands on what was chosen, under the numbers that it has there."""

    def __init__(self, selection: Selection, target: Sink) -> None:
        self._target = target
        self._numbers = selection.numbers
        self._dtypes = [raster.dtype for raster in selection.description.rasters]
        self._copies: dict[int, tuple[np.dtype[Any], RowCopy | None]] = {}

    def write(self, block: SampleBlock) -> None:
        """Hand on the chosen signals of a block."""
        number = self._numbers.get(block.raster)
        if number is None:
            return
        known, copy = self._copies.get(number, (None, None))
        if known is not block.rows.dtype:
            wanted = self._dtypes[number]
            copy = None if block.rows.dtype == wanted else RowCopy(block.rows.dtype, wanted)
            self._copies[number] = block.rows.dtype, copy
        rows = block.rows if copy is None else copy(block.rows)
        self._target.write(SampleBlock(number, block.t_ns, rows, block.gaps))

    def event(self, event: RecordingEvent) -> None:
        """Hand an event on, unless it is about a raster that was not chosen."""
        if event.raster is None:
            self._target.event(event)
        elif event.raster in self._numbers:
            self._target.event(replace(event, raster=self._numbers[event.raster]))

    def tick(self, now_ns: int) -> None:
        """Hand a tick on."""
        self._target.tick(now_ns)

    def close(self) -> None:
        """Close the target."""
        self._target.close()
