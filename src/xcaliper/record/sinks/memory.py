"""A sink that keeps everything in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record.columns import (
    LOST,
    LostColumn,
    element_names,
    elements,
    signal_values,
    text_values,
)
from xcaliper.record.libraries import optional_library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xcaliper.record.description import RecordingDescription, RecordingEvent

__all__ = ["MemorySink"]

MAX_BYTES: Final = 512 << 20


class MemorySink:
    """Collects copies of blocks and events, and gives frames of them.

    Args:
        description: what is recorded; frames need it, a recorder tells it.
        max_bytes: oldest blocks are dropped, counted and marked beyond it; ``None`` = no limit.

    Attributes:
        blocks: kept blocks, oldest first.
        events: events in order.
        dropped_samples: samples of dropped blocks.
    """

    def __init__(
        self, description: RecordingDescription | None = None, *, max_bytes: int | None = MAX_BYTES
    ) -> None:
        self._description = description
        self._max_bytes = max_bytes
        self._bytes = 0
        self._dropped: dict[int, Gap] = {}
        self.blocks: list[SampleBlock] = []
        self.events: list[RecordingEvent] = []
        self.dropped_samples = 0

    def describe(self, description: RecordingDescription) -> None:
        """Learn what is recorded, unless it was told before."""
        self._description = self._description or description

    def write(self, block: SampleBlock) -> None:
        """Keep a copy; the caller may reuse its arrays."""
        kept = SampleBlock(block.raster, block.t_ns.copy(), block.rows.copy(), block.gaps)
        self.blocks.append(kept)
        self._bytes += kept.t_ns.nbytes + kept.rows.nbytes
        while self._max_bytes is not None and self._bytes > self._max_bytes:
            oldest = self.blocks.pop(0)
            self._bytes -= oldest.t_ns.nbytes + oldest.rows.nbytes
            self.dropped_samples += len(oldest)
            self._note(oldest)

    def _note(self, block: SampleBlock) -> None:
        """Remember that the first row that is left of a raster stands behind a loss."""
        lost = len(block) + sum(gap.lost for gap in block.gaps)
        times = [int(t) for t in block.t_ns[:1]] + [gap.t_from_ns for gap in block.gaps]
        ends = [int(t) for t in block.t_ns[-1:]] + [gap.t_to_ns for gap in block.gaps]
        known = self._dropped.get(block.raster)
        if known is not None:
            known = replace(known, t_to_ns=max([known.t_to_ns, *ends]), lost=known.lost + lost)
        elif times:
            known = Gap(0, min(times), max(ends), lost, "queue")
        if known is not None:
            self._dropped[block.raster] = known

    def event(self, event: RecordingEvent) -> None:
        """Keep an event."""
        self.events.append(event)

    def tick(self, now_ns: int) -> None:
        """Everything is visible at once."""

    def close(self) -> None:
        """Keep what there is."""

    def t_ns(self, raster: int) -> NDArray[np.int64]:
        """Times of a raster, int64[n]."""
        parts = [block.t_ns for block in self.blocks if block.raster == raster]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def column(self, raster: int, name: str) -> NDArray[Any]:
        """Raw values of a signal over all blocks.

        Raises:
            UsageError: nothing was recorded for the raster, or it has no such field.
        """
        parts = [block.rows for block in self.blocks if block.raster == raster]
        if not parts or name not in (parts[0].dtype.names or ()):
            raise UsageError(
                f"{name}: nothing recorded in raster {raster}.", hint="Check raster and name."
            )
        return np.concatenate([part[name] for part in parts])

    def gaps(self, raster: int) -> list[Gap]:
        """Losses of a raster, in order; their row numbers count inside their blocks.

        What was dropped for the bound comes first.
        """
        dropped = [self._dropped[raster]] if raster in self._dropped else []
        return dropped + [
            gap for block in self.blocks if block.raster == raster for gap in block.gaps
        ]

    def columns(self, raster: int) -> dict[str, NDArray[Any]]:
        """Columns of a frame: ``t [s]``, physical values, and ``lost``.

        Elements of arrays get an index behind the name. ``lost`` is how many samples were lost
        right before a row, -1 for an unknown number.

        Raises:
            UsageError: the sink was made without a description, or has no such raster.
        """
        if self._description is None or not 0 <= raster < len(self._description.rasters):
            raise UsageError(
                f"raster {raster}: it is not described.", hint="Give the sink the description."
            )
        described = self._description.rasters[raster]
        blocks = [block for block in self.blocks if block.raster == raster]
        rows = np.concatenate([np.empty(0, described.dtype), *(block.rows for block in blocks)])
        found: dict[str, NDArray[Any]] = {"t [s]": self.t_ns(raster) / 1e9}
        for signal in described.signals:
            values = signal_values(signal, rows)
            if values.dtype.kind in "SV":
                values = text_values(signal, rows)
            names = element_names(described, signal)
            found |= dict(zip(names, elements(values), strict=True))
        counter = LostColumn(self._dropped)
        lost = [counter.column(block) for block in blocks]
        found[LOST] = np.concatenate([np.empty(0, np.int64), *lost])
        return found

    def to_pandas(self) -> dict[str, Any]:
        """Raster name → pandas DataFrame with the time in seconds as index.

        Raises:
            UsageError: pandas is not installed, or the sink was made without a description.
        """
        frames = {}
        for name, columns in self._frames():
            pandas = optional_library("pandas")
            index = pandas.Index(columns.pop("t [s]"), name="t [s]")
            frames[name] = pandas.DataFrame(columns, index=index)
        return frames

    def to_polars(self) -> dict[str, Any]:
        """Raster name → polars DataFrame with a column ``t [s]``.

        Raises:
            UsageError: polars is not installed, or the sink was made without a description.
        """
        return {
            name: optional_library("polars").DataFrame(columns) for name, columns in self._frames()
        }

    def _frames(self) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
        if self._description is None:
            self.columns(0)
            return
        for number, raster in enumerate(self._description.rasters):
            yield raster.name, self.columns(number)
