"""The Parquet sink: one dataset per raster, of complete files that appear one after the other."""

from __future__ import annotations

import json
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import LinkError, SettingsError, UsageError
from xcaliper.record.columns import (
    LOST,
    LostColumn,
    element_names,
    gap_event,
    signal_values,
    texts_of,
)
from xcaliper.record.libraries import optional_library
from xcaliper.record.sinks.events import EventFile
from xcaliper.record.sinks.rasters import check_raster, raster_paths, stem_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.core.samples import Gap, SampleBlock
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
        SignalDescription,
    )

__all__ = ["ParquetSink", "check_parquet"]

FLUSH_PERIOD_S: Final = 5.0
MAX_PART_BYTES: Final = 8 << 20
MAX_WAITING_BYTES: Final = 64 << 20
TIME: Final = "t_ns"
_PART: Final = "part-*.parquet"


class ParquetSink:
    """Writes a folder ``stem_raster.parquet`` per raster, which readers take as one table.

    A Parquet file can be read once it is complete. So a part appears in the folder, all at once,
    as often as ``flush_period_s`` says; a process that dies loses the samples since the last part.
    Columns are ``t_ns`` (ns since the start), the signals, arrays as lists of fixed length, and
    ``lost``: how many samples were lost right before a row, -1 for an unknown number. The schema's
    metadata holds the start and the raster, each field's its unit, each part's its gaps. Events are
    in ``stem.parquet_events.csv``.

    Args:
        path: folder and stem; a ``.parquet`` at its end is not part of the stem.
        description: what is recorded.
        physical: physical values, else raw ones.
        overwrite: replace the parts in existing folders.
        flush_period_s: how old rows may get before they are in a file.

    Attributes:
        path: folder and stem, with the suffix.
        paths: folders by raster.

    Raises:
        SettingsError: a folder exists, or the one around it does not.
        UsageError: pyarrow is not installed.
        LinkError: a folder cannot be made.
    """

    def __init__(
        self,
        path: str | Path,
        description: RecordingDescription,
        *,
        physical: bool = True,
        overwrite: bool = False,
        flush_period_s: float = FLUSH_PERIOD_S,
    ) -> None:
        stem = stem_of(Path(path), ".parquet")
        self.path = stem.with_name(f"{stem.name}.parquet")
        self.paths = raster_paths(stem, description, ".parquet")
        self._rasters = [
            _Dataset(raster, folder, description, physical=physical)
            for raster, folder in zip(description.rasters, self.paths, strict=True)
        ]
        self._flush_ns = round(flush_period_s * 1e9)
        self._events = EventFile(self.path, overwrite=overwrite)
        for folder in self.paths:
            _make(folder, overwrite=overwrite)

    def begins(self, description: RecordingDescription) -> None:
        """Take start and properties, known by now, of a description; before the first sample."""
        for one, raster in zip(self._rasters, description.rasters, strict=True):
            one.describe(raster, description)

    def write(self, block: SampleBlock) -> None:
        """Take samples; they appear with the next part.

        Raises:
            UsageError: the block belongs to no raster.
            LinkError: a part cannot be written.
        """
        check_raster(block.raster, len(self._rasters))
        for gap in block.gaps:
            self._events.write(gap_event(block.raster, gap))
        self._rasters[block.raster].add(block, time.monotonic_ns())
        if sum(raster.waiting_bytes for raster in self._rasters) >= MAX_WAITING_BYTES:
            for raster in self._rasters:
                raster.flush()

    def event(self, event: RecordingEvent) -> None:
        """Write one line to the file of events."""
        self._events.write(event)

    def tick(self, now_ns: int) -> None:
        """Write the parts that are due.

        Raises:
            LinkError: a part cannot be written.
        """
        self._events.flush()
        for raster in self._rasters:
            if raster.since_ns is not None and now_ns - raster.since_ns >= self._flush_ns:
                raster.flush()

    def close(self) -> None:
        """Write what waits.

        Raises:
            LinkError: a part cannot be written; those of the other rasters are.
        """
        problem: LinkError | None = None
        for raster in self._rasters:
            try:
                raster.flush()
            except LinkError as error:
                problem = problem or error
        self._events.close()
        if problem is not None:
            raise problem


class _Dataset:
    """The parts of one raster."""

    def __init__(
        self,
        raster: RasterDescription,
        folder: Path,
        description: RecordingDescription,
        *,
        physical: bool,
    ) -> None:
        self._arrow = _pyarrow()
        self._raster = raster
        self._folder = folder
        self._physical = physical
        self._blocks: list[SampleBlock] = []
        self._losses: list[NDArray[np.int64]] = []
        self.waiting_bytes = 0
        self._count = 0
        self._lost = LostColumn()
        self.since_ns: int | None = None
        self.describe(raster, description)

    def describe(self, raster: RasterDescription, description: RecordingDescription) -> None:
        """What the schema says of the recording; before the first part."""
        self._facts = _facts(raster, description)
        self._schema = self._table(np.empty(0, np.int64), np.zeros(0, raster.dtype), [], ()).schema

    def add(self, block: SampleBlock, now_ns: int) -> None:
        self._blocks.append(block)
        self._losses.append(self._lost.column(block))
        self.waiting_bytes += block.rows.nbytes + block.t_ns.nbytes
        self.since_ns = now_ns if self.since_ns is None else self.since_ns
        if self.waiting_bytes >= MAX_PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write a part of what waits; on failure it waits on."""
        blocks = self._blocks
        if not sum(len(block) for block in blocks):
            return
        table = self._table(
            np.concatenate([block.t_ns for block in blocks]),
            np.concatenate([block.rows for block in blocks]),
            self._losses,
            tuple(gap for block in blocks for gap in block.gaps),
        )
        name = f"part-{self._count + 1:05d}.parquet"
        hidden = self._folder / f".{name}.tmp"  # readers pass over names with a dot in front
        parquet = import_module("pyarrow.parquet")
        try:
            parquet.write_table(table, hidden, compression="zstd")
            hidden.replace(self._folder / name)
        except OSError as error:
            hidden.unlink(missing_ok=True)
            raise LinkError(
                f"{self._folder / name}: cannot be written ({error.strerror or error}).",
                hint="Free some space or record elsewhere; the parts before it are complete.",
            ) from error
        self._count += 1
        self._blocks, self._losses, self.waiting_bytes, self.since_ns = [], [], 0, None

    def _table(
        self,
        t_ns: NDArray[np.int64],
        rows: NDArray[Any],
        lost: list[NDArray[np.int64]],
        gaps: tuple[Gap, ...],
    ) -> Any:
        arrow = self._arrow
        fields = [arrow.field(TIME, arrow.int64(), nullable=False)]
        columns = [arrow.array(t_ns)]
        for signal in self._raster.signals:
            values = signal_values(signal, rows, physical=self._physical)
            column = _column(arrow, values, signal)
            columns.append(column)
            unit = signal.unit if self._physical else ""
            facts = {"unit": unit, "comment": signal.comment}
            if values.ndim > 2:
                facts["shape"] = json.dumps(values.shape[1:])
            fields.append(arrow.field(signal.name, column.type, metadata=facts))
        fields.append(arrow.field(LOST, arrow.int64(), nullable=False))
        columns.append(arrow.array(np.concatenate([*lost, np.empty(0, np.int64)])))
        listed = [[g.t_from_ns, g.t_to_ns, g.lost, g.reason] for g in gaps]
        facts = self._facts | ({"gaps": json.dumps(listed)} if listed else {})
        return arrow.Table.from_arrays(columns, schema=arrow.schema(fields, metadata=facts))


def _facts(raster: RasterDescription, description: RecordingDescription) -> dict[str, str]:
    facts = {
        "start_ns": str(description.start_ns),
        "raster": raster.name,
        "cycle_ns": str(raster.cycle_ns or ""),
        "ecu": raster.source or description.source,
        "epk": description.epk,
        "a2l": description.a2l_name,
        **description.properties,
    }
    return {f"xcaliper.{key}": value for key, value in facts.items() if value}


def _column(arrow: Any, values: NDArray[Any], signal: SignalDescription) -> Any:
    """Arrow column: numbers as they are, texts as strings, arrays as lists of fixed length."""
    plain = values.reshape(-1)
    if plain.dtype.kind in "biuf":
        column = arrow.array(np.ascontiguousarray(plain.astype(plain.dtype.newbyteorder("="))))
    else:
        column = arrow.array(texts_of(plain, signal), arrow.string()).dictionary_encode()
    if values.ndim == 1:
        return column
    width = int(np.prod(values.shape[1:]))
    return arrow.FixedSizeListArray.from_arrays(column, width)


def _make(folder: Path, *, overwrite: bool) -> None:
    try:
        folder.mkdir(exist_ok=overwrite)
        for old in folder.glob(_PART):
            old.unlink()
    except FileExistsError as error:
        raise SettingsError(
            "path", f"{folder} exists already", hint="Choose another name or allow overwriting."
        ) from error
    except FileNotFoundError as error:
        raise SettingsError(
            "path", f"{folder.parent} does not exist", hint="Create it or correct the path."
        ) from error
    except OSError as error:
        raise LinkError(f"{folder}: cannot be made ({error.strerror}).") from error


def _pyarrow() -> Any:
    return optional_library("pyarrow", "parquet")


def check_parquet(description: RecordingDescription) -> None:
    """Find out whether a recording can be written.

    Raises:
        UsageError: pyarrow is not installed, rows lack a signal, or two columns have one name.
    """
    _pyarrow()
    for raster in description.rasters:
        names = [signal.name for signal in raster.signals] + [TIME, LOST]
        for signal in raster.signals:
            list(element_names(raster, signal))
            if names.count(signal.name) > 1:
                raise UsageError(
                    f"{signal.name}: two columns of {raster.name} have this name.",
                    hint="Record it to another format.",
                )
