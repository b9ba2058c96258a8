"""The CSV sink: one text file per raster, one line per sample."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

import numpy as np

from xcaliper.core.errors import LinkError, SettingsError, UsageError
from xcaliper.mdf.conversion import to_phys
from xcaliper.mdf.placement import unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
        SignalDescription,
    )

__all__ = ["CsvSink"]

_UNSAFE: Final = re.compile(r"[^\w.-]+")
_ENCODINGS: Final = frozenset({"latin-1", "utf-8", "utf-16-le", "utf-16-be"})


class CsvSink:
    """Writes ``stem_raster.csv`` per raster, and ``stem_events.csv`` once there is an event.

    Args:
        path: folder and stem of the files; a ``.csv`` at its end is not part of the stem.
        description: what is recorded.
        physical: write physical values with units, else raw values.
        overwrite: replace existing files.
        delimiter: one character between columns.

    Attributes:
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
        self._physical = physical
        self._mode: Literal["w", "x"] = "w" if overwrite else "x"
        self._delimiter = delimiter
        self._rasters = description.rasters
        self._files: list[TextIO] = []
        self._events: TextIO | None = None
        names = unique_names(_UNSAFE.sub("_", raster.name) for raster in description.rasters)
        self.paths = tuple(self._stem.with_name(f"{self._stem.name}_{n}.csv") for n in names)
        try:
            for raster, target in zip(description.rasters, self.paths, strict=True):
                file = self._open(target)
                self._files.append(file)
                self._put(file, [["time [s]", *_titles(raster, physical=physical)]])
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
        columns = [[f"{t:.9f}" for t in (block.t_ns / 1e9).tolist()]]
        for signal in raster.signals:
            values = _values(signal, block.rows[signal.column], physical=self._physical)
            columns += [_texts(column, signal) for column in _split(values)]
        self._put(self._files[block.raster], zip(*columns, strict=True))

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
        names = raster.dtype.names or ()
        if signal.column not in names:
            raise UsageError(
                f"{signal.name}: the rows have no field {signal.column!r}.",
                hint="Check the raster's dtype.",
            )
        unit = f" [{signal.unit}]" if physical and signal.unit else ""
        for index in np.ndindex(raster.dtype[signal.column].shape):
            yield signal.name + "".join(f"[{n}]" for n in index) + unit


def _values(signal: SignalDescription, raw: NDArray[Any], *, physical: bool) -> NDArray[Any]:
    """Masked raw or physical values."""
    if signal.bit_mask is not None and raw.dtype.kind in "iu":
        raw = _masked(signal, signal.bit_mask, raw)
    if signal.raw or not physical or raw.dtype.kind not in "iufb":
        return raw
    return to_phys(signal.conversion, raw)


def _masked(signal: SignalDescription, mask: int, raw: NDArray[Any]) -> NDArray[Any]:
    full = (1 << 8 * raw.dtype.itemsize) - 1
    mask &= full
    shift = max((mask & -mask).bit_length() - 1, 0)
    if signal.bit_shift is not None:
        shift = min(max(signal.bit_shift, -63), 63)
    if mask == full and not shift:
        return raw
    octets = raw.astype(raw.dtype.newbyteorder("=")).view(f"=u{raw.dtype.itemsize}")
    word = octets.astype(np.uint64) & np.uint64(mask)
    word = word >> np.uint64(shift) if shift >= 0 else word << np.uint64(-shift)
    width = mask.bit_length() - shift
    if signal.sign_extend and 0 < width < 64:
        top = np.uint64(1 << (width - 1))
        return np.asarray((word ^ top).view(np.int64) - np.int64(top))
    return word


def _split(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for index in np.ndindex(values.shape[1:]):
        yield values[(slice(None), *index)]


def _texts(column: NDArray[Any], signal: SignalDescription) -> list[str]:
    if column.dtype.kind == "S":
        encoding = signal.encoding if signal.encoding in _ENCODINGS else "latin-1"
        return [text.decode(encoding, "replace") for text in column.tolist()]
    if column.dtype.kind == "V":
        return [bytes(text).hex() for text in column]
    return [str(value) for value in column.tolist()]
