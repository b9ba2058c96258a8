"""The CSV sink: one text file per raster, one line per sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import LinkError
from xcaliper.record.columns import (
    LOST,
    LostColumn,
    element_names,
    elements,
    gap_event,
    signal_values,
    texts_of,
)
from xcaliper.record.sinks.events import EventFile, LineFile
from xcaliper.record.sinks.rasters import check_raster, raster_paths, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
    )

__all__ = ["CsvSink"]


class CsvSink:
    """Writes ``stem_raster.csv`` per raster, and ``stem_events.csv`` once there is an event.

    The last column tells how many samples were lost right before a line: 0 none, -1 an unknown
    number. Losses are events as well.

    Args:
        path: folder and stem of the files; a ``.csv`` at its end is not part of the stem.
        description: what is recorded.
        physical: write physical values with units, else raw values.
        overwrite: replace existing files.
        delimiter: one character between columns.

    Attributes:
        path: folder and stem, with the suffix.
        paths: files by raster.

    Raises:
        SettingsError: a file exists or the folder does not.
        LinkError: a file cannot be created.
    """

    def __init__(
        self,
        path: str | Path,
        description: RecordingDescription,
        *,
        physical: bool = True,
        overwrite: bool = False,
        delimiter: str = ",",
    ) -> None:
        self._stem = stem_of(Path(path), ".csv")
        self.path = self._stem.with_name(f"{self._stem.name}.csv")
        self._physical = physical
        self._rasters = description.rasters
        self._files: list[LineFile] = []
        self._events = EventFile(self._stem, overwrite=overwrite, delimiter=delimiter)
        self._lost = LostColumn()
        self.paths = raster_paths(self._stem, description, ".csv")
        try:
            for raster, target in zip(description.rasters, self.paths, strict=True):
                file = LineFile(target, overwrite=overwrite, delimiter=delimiter)
                self._files.append(file)
                file.write([["time [s]", *_titles(raster, physical=physical), LOST]])
        except BaseException:
            self.close()
            raise

    def write(self, block: SampleBlock) -> None:
        """Write one line per sample.

        Raises:
            UsageError: the block belongs to no raster.
            LinkError: the file cannot be written.
        """
        check_raster(block.raster, len(self._files))
        raster = self._rasters[block.raster]
        lost = self._lost.column(block)
        for gap in block.gaps:
            self.event(gap_event(block.raster, gap))
        if not len(block):
            return
        columns: list[list[Any]] = [[f"{t:.9f}" for t in (block.t_ns / 1e9).tolist()]]
        for signal in raster.signals:
            values = signal_values(signal, block.rows, physical=self._physical)
            columns += [texts_of(column, signal) for column in elements(values)]
        lines = zip(*columns, lost.tolist(), strict=True)
        self._files[block.raster].write(lines)

    def event(self, event: RecordingEvent) -> None:
        """Write one line to the file of events."""
        self._events.write(event)

    def tick(self, now_ns: int) -> None:  # noqa: ARG002  # cheap enough to do each time
        """Hand buffered lines to the system."""
        self._events.flush()
        for file in self._files:
            file.flush()

    def close(self) -> None:
        """Close all files.

        Raises:
            LinkError: a file could not be completed; the others are closed nevertheless.
        """
        problem: LinkError | None = None
        files: tuple[LineFile | EventFile, ...] = (*self._files, self._events)
        for file in files:
            try:
                file.close()
            except LinkError as error:
                problem = problem or error
        if problem is not None:
            raise problem


def _titles(raster: RasterDescription, *, physical: bool) -> Iterator[str]:
    for signal in raster.signals:
        unit = f" [{signal.unit}]" if physical and signal.unit else ""
        for name in element_names(raster, signal):
            yield name + unit
