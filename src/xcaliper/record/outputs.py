"""Outputs of a recorder: files by their suffix, and sinks of the caller's own."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import SettingsError
from xcaliper.mdf.storage import MemoryFile
from xcaliper.record.sinks.mdf4 import Mdf4Sink, attachments_of
from xcaliper.record.splitting import FileSink, Splitter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.core.samples import SampleBlock
    from xcaliper.mdf.description import Attachment
    from xcaliper.record.description import RecordingDescription, RecordingEvent
    from xcaliper.record.sinks import Sink

__all__ = ["FileOptions", "Outputs", "open_file"]

FORMATS: Final = {".mf4": "mdf4", ".mdf": "mdf4", ".csv": "csv", ".parquet": "parquet"}
MAX_NUMBER: Final = 9999


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are written; each format takes what concerns it.

    Attributes:
        overwrite: replace existing files, else they are refused.
        numbered: choose a free name ``name_001`` and so on instead of refusing.
        compressed: smaller files, more work (MDF4: transposed deflate; Parquet always is).
        durable: survive a power loss, not only the death of the process (MDF4).
        flush_period_s: how old samples may get before they are in the file; ``None`` = as is
            good for the format (MDF4 and CSV below 1 s, Parquet 5 s).
        physical: write physical values where the format does not hold both (CSV, Parquet).
    """

    overwrite: bool = False
    numbered: bool = False
    compressed: bool = False
    durable: bool = False
    flush_period_s: float | None = None
    physical: bool = True


@dataclass(slots=True)
class _Output:
    """One output over all recordings.

    Attributes:
        sink: the caller's own; ``None`` = files.
        path: name of the first or only file.
        failed: it gets nothing more.
    """

    sink: Sink | None
    path: Path = field(default_factory=Path)
    failed: bool = False


class Outputs:
    """Opens what a recording is written to.

    Args:
        outputs: files or sinks.
        description: what is recorded.
        options: how files are written.
        several: there may be more than one recording, so files are numbered.
        later: files are opened at a trigger; what would fail then is found out now.
        split_bytes: bytes of samples per file.
        split_ns: time per file.
        report: is told what fails; the other outputs go on.

    Attributes:
        files: begun so far.

    Raises:
        SettingsError: an unknown format, a file that exists, a folder that does not.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        outputs: Any,
        description: RecordingDescription,
        options: FileOptions,
        *,
        several: bool,
        later: bool,
        split_bytes: int | None,
        split_ns: int | None,
        report: Callable[[Exception], None],
    ) -> None:
        self._description = description
        self._options = options
        self._several = several
        self._split = (split_bytes, split_ns)
        self._report = report
        self._running = later
        self.files: list[Path] = []
        self._begun = False
        self._fresh: list[tuple[FileSink, dict[str, str]]] = []
        given: Sequence[Any] = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        _check_outputs(given)
        self._outputs = [
            _Output(None, self._target(Path(item)))
            if isinstance(item, (str, Path))
            else _Output(item)
            for item in given
        ]
        for output in self._outputs:
            getattr(output.sink, "describe", _ignore)(description)
            if output.sink is None and later:
                _try_out(output.path, description)
        mdf4 = any(
            o.sink is None and FORMATS[o.path.suffix.lower()] == "mdf4" for o in self._outputs
        )
        # deflating a large A2L takes too long to be done at each trigger
        self._attachments = [item.packed() for item in attachments_of(description)] if mdf4 else []

    @property
    def is_working(self) -> bool:
        """Whether an output is left that has not failed."""
        return any(not output.failed for output in self._outputs)

    # --- names ---

    def _is_numbered(self) -> bool:
        return self._several or self._split != (None, None)

    def _target(self, path: Path) -> Path:
        """The path to record to, once it is sure that its names are free."""
        if path.suffix.lower() not in FORMATS:
            raise SettingsError(
                "outputs",
                f"{path}: no format has the suffix {path.suffix!r}",
                hint=f"Use one of {', '.join(FORMATS)}.",
            )
        if not path.parent.is_dir():
            what = "is no folder" if path.parent.exists() else "does not exist"
            raise SettingsError(
                "path", f"{path.parent} {what}", hint="Create it or correct the path."
            )
        if path.is_dir() and path.suffix.lower() != ".parquet":
            raise SettingsError("path", f"{path} is a folder", hint="Name a file in it.")
        if not os.access(path.parent, os.W_OK):
            raise SettingsError(
                "path",
                f"{path.parent} cannot be written to",
                hint="Record elsewhere, or ask for the right to write there.",
            )
        if self._options.overwrite or not (taken := self._taken(path)):
            return path
        if not self._options.numbered:
            raise SettingsError(
                "path",
                f"{taken[0]} exists already",
                hint="Choose another name, let the name be numbered, or allow overwriting.",
            )
        for number in range(1, MAX_NUMBER):
            candidate = path.with_name(f"{path.stem}_{number:03d}{path.suffix}")
            if not candidate.exists() and not self._taken(candidate):
                return candidate
        raise SettingsError("path", f"{path} and all its numbers exist", hint="Use another name.")

    def _taken(self, path: Path) -> list[Path]:
        """Existing files that a recording under this name could meet."""
        stem, suffix = re.escape(path.stem), re.escape(path.suffix)
        number = r"_\d{3,}(_\d{3,})?" if self._is_numbered() else ""
        rasters = "" if FORMATS[path.suffix.lower()] == "mdf4" else r"(_.+)?"
        pattern = re.compile(stem + number + rasters + suffix)
        return sorted(entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name))

    def _name(self, path: Path, recording: int, part: int) -> Path:
        name = path.stem
        if self._several:
            name += f"_{recording:03d}"
        if self._split != (None, None):
            name += f"_{part:03d}"
        return path.with_name(name + path.suffix)

    # --- life ---

    def begin(self, recording: int) -> Sink:
        """What a recording is written to.

        An output that cannot be opened is reported, and the others go on.

        Raises:
            Exception: it is the only one; or nothing has begun yet, so nothing is lost by ending.
        """
        sinks: list[tuple[_Output, Sink]] = []
        problem: Exception | None = None
        for output in self._outputs:
            if output.failed:
                continue
            try:
                sinks.append((output, self._open(output, recording)))
            except Exception as error:
                output.failed = True
                if not self._running:
                    _FanOut(sinks, self._report).close()
                    raise
                problem = error
                if len(self._outputs) > 1:
                    self._report(error)
        if problem is not None and not sinks:
            raise problem
        self._running = True
        return _FanOut(sinks, self._report)

    def _open(self, output: _Output, recording: int) -> Sink:
        if output.sink is not None:
            return _Shared(output.sink)

        def begin(part: int, before: str) -> FileSink:
            path = self._name(output.path, recording, part)
            facts = {"recording": str(recording)} if self._several else {}
            facts |= {"part": str(part)} if self._split != (None, None) else {}
            facts |= {"continues": before} if before else {}
            properties = dict(self._description.properties) | facts
            described = replace(self._description, properties=properties)
            sink = open_file(path, described, self._options, self._attachments)
            self.files += getattr(sink, "paths", None) or [Path(sink.path)]
            if not self._begun:
                self._fresh.append((sink, facts))
            return sink

        split_bytes, split_ns = self._split
        if (split_bytes, split_ns) == (None, None):
            return begin(1, "")
        return Splitter(
            begin,
            split_bytes=split_bytes,
            split_ns=split_ns,
            rasters=len(self._description.rasters),
        )

    def begins(self, start_ns: int, properties: Mapping[str, str]) -> None:
        """Correct the start in files that are open; nothing has been written to them yet.

        Raises:
            XcaliperError: a file cannot be written.
        """
        self._description = replace(
            self._description, start_ns=start_ns, properties=dict(properties)
        )
        self._begun = True
        fresh, self._fresh = self._fresh, []
        for sink, facts in fresh:
            if hasattr(sink, "begins"):  # CSV has no place for a start
                sink.begins(replace(self._description, properties={**properties, **facts}))

    def remove(self) -> None:
        """Remove the files that were begun, as far as the system lets us."""
        for path in self.files:
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()  # of Parquet; parts in it are samples
                else:
                    path.unlink()

    def close(self) -> None:
        """Close the caller's own sinks, once; files are closed with their recordings."""
        outputs, self._outputs = self._outputs, []
        for output in outputs:
            if output.sink is not None:
                try:
                    output.sink.close()
                except Exception as error:  # noqa: BLE001  # the others are closed too
                    self._report(error)


def _ignore(description: RecordingDescription) -> None:
    """Sinks need not know what they get."""


def _check_outputs(given: Sequence[Any]) -> None:
    """Refuse what is no output, and one that is named twice."""
    if not given:
        raise SettingsError("outputs", "there is none", hint="Give a path or a sink.")
    seen: set[Path] = set()
    for item in given:
        if isinstance(item, (str, Path)):
            path = Path(item).absolute()
            if path in seen:
                raise SettingsError(
                    "outputs", f"{item} is named twice", hint="Give each output its own name."
                )
            seen.add(path)
        elif not all(hasattr(item, name) for name in ("write", "event", "tick", "close")):
            raise SettingsError(
                "outputs", f"{item!r} is neither a path nor a sink", hint="Name a file."
            )


class _Shared:
    """The caller's sink in one recording; it outlives it."""

    def __init__(self, sink: Sink) -> None:
        self.write, self.event, self.tick = sink.write, sink.event, sink.tick

    def close(self) -> None:
        """Go on with the next recording."""


class _FanOut:
    """Hands everything to each output; one that fails gets nothing more."""

    def __init__(
        self, sinks: list[tuple[_Output, Sink]], report: Callable[[Exception], None]
    ) -> None:
        self._sinks = sinks
        self._report = report

    def write(self, block: SampleBlock) -> None:
        for output, sink in self._sinks:
            self._guard(output, sink.write, block)

    def event(self, event: RecordingEvent) -> None:
        for output, sink in self._sinks:
            self._guard(output, sink.event, event)

    def tick(self, now_ns: int) -> None:
        for output, sink in self._sinks:
            self._guard(output, sink.tick, now_ns)

    def close(self) -> None:
        for output, sink in self._sinks:
            self._guard(output, sink.close, always=True)

    def _guard(
        self, output: _Output, action: Callable[..., None], *arguments: Any, always: bool = False
    ) -> None:
        if output.failed and not always:
            return
        try:
            action(*arguments)
        except Exception as error:  # noqa: BLE001  # sinks are anybody's code
            if not output.failed:
                output.failed = True
                self._report(error)


def open_file(
    path: Path,
    description: RecordingDescription,
    options: FileOptions,
    attachments: Sequence[Attachment],
) -> FileSink:
    """The sink of a file, by its suffix.

    Raises:
        SettingsError: the file exists, or its folder does not.
        UsageError: signals that the format cannot hold, or a library that is not installed.
        XcaliperError: the file cannot be written.
    """
    given: dict[str, Any] = {"overwrite": options.overwrite}
    if options.flush_period_s is not None:
        given["flush_period_s"] = options.flush_period_s
    match FORMATS[path.suffix.lower()]:
        case "mdf4":
            return Mdf4Sink(
                path,
                description,
                compressed=options.compressed,
                durable=options.durable,
                attachments=attachments,
                **given,
            )
        case "parquet":
            from xcaliper.record.sinks.parquet import ParquetSink

            return ParquetSink(path, description, physical=options.physical, **given)
        case _:
            from xcaliper.record.sinks.csv import CsvSink

            given.pop("flush_period_s", None)
            return CsvSink(path, description, physical=options.physical, **given)


def _try_out(path: Path, description: RecordingDescription) -> None:
    """Find out before the measurement what would fail at the first trigger."""
    match FORMATS[path.suffix.lower()]:
        case "mdf4":
            Mdf4Sink(path, description, file=MemoryFile(), attachments=()).close()
        case "parquet":
            from xcaliper.record.sinks.parquet import check_parquet

            check_parquet(description)
        case _:
            from xcaliper.record.columns import element_names

            for raster in description.rasters:
                for signal in raster.signals:
                    list(element_names(raster, signal))
