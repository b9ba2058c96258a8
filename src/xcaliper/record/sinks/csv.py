"""The CSV sink: one text file per raster, one line per sample."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from xcaliper.core.errors import LinkError, SettingsError, UsageError
from xcaliper.mdf.placement import unique_names
from xcaliper.record.columns import (
    LOST,
    LostColumn,
    element_names,
    elements,
    gap_event,
    signal_values,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
    )

__all__ = ["CsvSink"]

_UNSAFE: Final = re.compile(r"[^\w.-]+")


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
        base = Path(path)
        self._stem = base.with_suffix("") if base.suffix.lower() == ".csv" else base
        self.path = self._stem.with_name(f"{self._stem.name}.csv")
        self._physical = physical
        self._mode: Literal["w", "x"] = "w" if overwrite else "x"
        self._delimiter = delimiter
        self._rasters = description.rasters
        self._files: list[TextIO] = []
        self._events: TextIO | None = None
        self._lost = LostColumn()
        names = unique_names(_UNSAFE.sub("_", raster.name) for raster in description.rasters)
        self.paths = tuple(self._stem.with_name(f"{self._stem.name}_{n}.csv") for n in names)
        try:
            for raster, target in zip(description.rasters, self.paths, strict=True):
                file = self._open(target)
                self._files.append(file)
                self._put(file, [["time [s]", *_titles(raster, physical=physical), LOST]])
        except BaseException:
            self.close()
            raise

    def write(self, block: SampleBlock) -> None:
        """Write one line per sample.

        Raises:
            UsageError: the block belongs to no raster.
            LinkError: the file cannot be written.
        """
        if not 0 <= block.raster < len(self._files):
            raise UsageError(
                f"raster {block.raster}: the recording has {len(self._files)} rasters.",
                hint="Describe every raster before the start.",
            )
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
        self._put(self._files[block.raster], zip(*columns, lost.tolist(), strict=True))

    def event(self, event: RecordingEvent) -> None:
        """Write one line to the file of events."""
        if self._events is None:
            self._events = self._open(self._stem.with_name(f"{self._stem.name}_events.csv"))
            self._put(self._events, [["time [s]", "kind", "name", "text"]])
        row = [f"{event.t_ns / 1e9:.9f}", event.kind.name.lower(), event.name, event.text]
        self._put(self._events, [row])

    def tick(self, now_ns: int) -> None:  # noqa: ARG002  # cheap enough to do each time
        """Hand buffered lines to the system."""
        for file in self._all():
            try:
                file.flush()
            except OSError as error:
                raise _failed(file, error) from error

    def close(self) -> None:
        """Close all files.

        Raises:
            LinkError: a file could not be completed; the others are closed nevertheless.
        """
        problem: LinkError | None = None
        for file in self._all():
            try:
                file.close()
            except OSError as error:
                problem = problem or _failed(file, error)
        if problem is not None:
            raise problem

    def _all(self) -> list[TextIO]:
        return [*self._files, *([self._events] if self._events else [])]

    def _open(self, path: Path) -> TextIO:
        try:
            return path.open(self._mode, encoding="utf-8", newline="")
        except FileExistsError as error:
            raise SettingsError(
                "path", f"{path} exists already", hint="Choose another name or allow overwriting."
            ) from error
        except FileNotFoundError as error:
            raise SettingsError(
                "path", f"{path.parent} does not exist", hint="Create it or correct the path."
            ) from error
        except OSError as error:
            raise LinkError(f"{path}: cannot be created ({error.strerror}).") from error

    def _put(self, file: TextIO, rows: Any) -> None:
        try:
            csv.writer(file, delimiter=self._delimiter, lineterminator="\n").writerows(rows)
        except OSError as error:
            raise _failed(file, error) from error


def _failed(file: TextIO, error: OSError) -> LinkError:
    return LinkError(
        f"{file.name}: cannot be written ({error.strerror}).",
        hint="Free some space or record elsewhere.",
    )


def _titles(raster: RasterDescription, *, physical: bool) -> Iterator[str]:
    for signal in raster.signals:
        unit = f" [{signal.unit}]" if physical and signal.unit else ""
        for name in element_names(raster, signal):
            yield name + unit
