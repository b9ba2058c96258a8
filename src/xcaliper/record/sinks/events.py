"""Files of text that sinks share: opening, writing, and the list of events."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TextIO

from xcaliper.core.errors import LinkError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.record.description import RecordingEvent

__all__ = ["EventFile", "failed", "flush", "open_text", "write_lines"]


class EventFile:
    """``stem_events.csv``, made when there is an event.

    Raises:
        SettingsError: it exists.
    """

    def __init__(self, stem: Path, *, overwrite: bool, delimiter: str = ",") -> None:
        self._path = stem.with_name(f"{stem.name}_events.csv")
        if not overwrite and self._path.exists():
            raise _exists(self._path)
        self._overwrite = overwrite
        self._delimiter = delimiter
        self._file: TextIO | None = None

    def write(self, event: RecordingEvent) -> None:
        """Write one line.

        Raises:
            SettingsError: the file exists.
            LinkError: it cannot be written.
        """
        lines: list[list[str]] = []
        if self._file is None:
            self._file = open_text(self._path, overwrite=self._overwrite)
            lines.append(["time [s]", "kind", "name", "text"])
        lines.append([f"{event.t_ns / 1e9:.9f}", event.kind.name.lower(), event.name, event.text])
        write_lines(self._file, lines, self._delimiter)

    def flush(self) -> None:
        """Hand buffered lines to the system."""
        if self._file is not None:
            flush(self._file)

    def close(self) -> None:
        """Close the file; harmless when there is none."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                raise failed(self._file, error) from error


def open_text(path: Path, *, overwrite: bool) -> TextIO:
    """A new file of text.

    Raises:
        SettingsError: it exists, or its folder does not.
        LinkError: it cannot be created.
    """
    try:
        return path.open("w" if overwrite else "x", encoding="utf-8", newline="")
    except FileExistsError as error:
        raise _exists(path) from error
    except FileNotFoundError as error:
        raise SettingsError(
            "path", f"{path.parent} does not exist", hint="Create it or correct the path."
        ) from error
    except OSError as error:
        raise LinkError(f"{path}: cannot be created ({error.strerror}).") from error


def _exists(path: Path) -> SettingsError:
    return SettingsError(
        "path", f"{path} exists already", hint="Choose another name or allow overwriting."
    )


def write_lines(file: TextIO, lines: Any, delimiter: str) -> None:
    """Write lines of comma-separated values.

    Raises:
        LinkError: the file cannot be written.
    """
    try:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(lines)
    except OSError as error:
        raise failed(file, error) from error


def flush(file: TextIO) -> None:
    """Hand buffered lines to the system.

    Raises:
        LinkError: the file cannot be written.
    """
    try:
        file.flush()
    except OSError as error:
        raise failed(file, error) from error


def failed(file: TextIO, error: OSError) -> LinkError:
    """What is raised when a file cannot be written."""
    return LinkError(
        f"{file.name}: cannot be written ({error.strerror}).",
        hint="Free some space or record elsewhere.",
    )
