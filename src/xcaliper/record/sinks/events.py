"""Files of text that sinks share: whole lines only, and the list of events."""

from __future__ import annotations

import csv
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LinkError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from xcaliper.record.description import RecordingEvent

__all__ = ["EventFile", "LineFile"]

MAX_WAITING: Final = 1 << 16


class LineFile:
    """A new file of comma-separated values that only ever ends with a whole line.

    Lines wait until ``flush`` and then go to the system in one piece: a process that is killed
    leaves no half of one behind, and what a full disk took a part of is taken back.

    Args:
        path: of the file.
        overwrite: replace what is there.
        delimiter: one character between columns.

    Raises:
        SettingsError: it exists, or its folder does not.
        LinkError: it cannot be created.
    """

    def __init__(self, path: Path, *, overwrite: bool, delimiter: str = ",") -> None:
        self._path = path
        self._text = StringIO()
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")
        self._size = 0
        self._error: LinkError | None = None
        try:
            self._file = path.open("wb" if overwrite else "xb", buffering=0)
        except FileExistsError as error:
            raise _exists(path) from error
        except FileNotFoundError as error:
            if path.parent.is_dir():
                raise LinkError(f"{path}: cannot be created ({error.strerror}).") from error
            raise SettingsError(
                "path", f"{path.parent} does not exist", hint="Create it or correct the path."
            ) from error
        except OSError as error:
            raise LinkError(f"{path}: cannot be created ({error.strerror}).") from error

    def write(self, lines: Iterable[Sequence[object]]) -> None:
        """Take lines.

        Raises:
            LinkError: many of them wait, and the file cannot be written.
        """
        self._writer.writerows(lines)
        if self._text.tell() >= MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Hand the lines that wait to the system.

        Raises:
            LinkError: the file cannot be written; it ends with its last whole line.
        """
        if self._error is not None:
            raise self._error
        data = self._text.getvalue().encode("utf-8", "backslashreplace")
        if not data:
            return
        self._text.seek(0)
        self._text.truncate()
        done = 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:
            self._keep_whole_lines(data[:done])
            self._error = LinkError(
                f"{self._path}: cannot be written ({error.strerror}).",
                hint="Free some space or record elsewhere; the lines that it has are complete.",
            )
            raise self._error from error
        self._size += done

    def _keep_whole_lines(self, written: bytes) -> None:
        with suppress(OSError):  # the disk is in trouble already, and that is told
            self._file.truncate(self._size + written.rfind(b"\n") + 1)

    def close(self) -> None:
        """Write what waits and close the file; harmless when closed before.

        Raises:
            LinkError: the file could not be completed.
        """
        if self._file.closed:
            return
        try:
            if self._error is None:  # which has been raised
                self.flush()
        finally:
            try:
                self._file.close()
            except OSError as error:
                raise LinkError(f"{self._path}: cannot be written ({error.strerror}).") from error


class EventFile:
    """``stem_events.csv``, made when there is an event; one that is replaced goes at once.

    Raises:
        SettingsError: it exists.
    """

    def __init__(self, stem: Path, *, overwrite: bool, delimiter: str = ",") -> None:
        self._path = stem.with_name(f"{stem.name}_events.csv")
        if self._path.exists():
            if not overwrite:
                raise _exists(self._path)
            with suppress(
                OSError
            ):  # it tells of what is replaced; the first event says if it stays
                self._path.unlink()
        self._overwrite = overwrite
        self._delimiter = delimiter
        self._file: LineFile | None = None

    def write(self, event: RecordingEvent) -> None:
        """Write one line.

        Raises:
            SettingsError: the file exists.
            LinkError: it cannot be written.
        """
        lines: list[list[str]] = []
        if self._file is None:
            self._file = LineFile(self._path, overwrite=self._overwrite, delimiter=self._delimiter)
            lines.append(["time [s]", "kind", "name", "text"])
        lines.append([f"{event.t_ns / 1e9:.9f}", event.kind.name.lower(), event.name, event.text])
        self._file.write(lines)

    def flush(self) -> None:
        """Hand the lines that wait to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; harmless when there is none."""
        if self._file is not None:
            self._file.close()


def _exists(path: Path) -> SettingsError:
    return SettingsError(
        "path", f"{path} exists already", hint="Choose another name or allow overwriting."
    )
