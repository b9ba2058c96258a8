"""The history of a calibration in a file that survives the tool, whenever that is killed.

Lines of text, only ever appended: CRC-32 of what follows as eight digits, a space, JSON. A transaction is
on the disk before its first byte is sent; what became of it follows. Where that second line is missing,
the ECU is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from zlib import crc32

from xcaliper.calib.history import History, State, Transaction, runs_as_lists, runs_from_lists
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import IntegrityError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO

    from xcaliper.calib.write_plan import Run

__all__ = ["HistoryFile", "read_history"]

_FORMAT: Final = "xcaliper-history"
_VERSION: Final = 1
_MAX_LINE: Final = 1 << 28
_BROKEN: Final = (ValueError, KeyError, TypeError, AttributeError)


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (crc32(text), text)


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line says; None when it is damaged."""
    text = line[9:].rstrip(b"\n")
    try:
        if not line.endswith(b"\n") or line[8:9] != b" " or int(line[:8], 16) != crc32(text):
            return None
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class _Reading:
    """A file as it was found.

    Attributes:
        head: its first record.
        transactions: by number, in order.
        diagnostics: what is damaged.
        good: bytes up to the end of the last sound line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.head: dict[str, Any] = {}
        self.transactions: dict[int, Transaction] = {}
        self.diagnostics: list[Diagnostic] = []
        self.good = 0
        try:
            with path.open("rb") as file:
                self._read(file)
        except OSError as error:
            raise SourceError(
                f"the history cannot be read: {error.strerror or error}.", source=str(path)
            ) from error

    def _read(self, file: BinaryIO) -> None:
        at = 0
        for number, line in enumerate(_lines(file), 1):
            record = _record(line)
            if number == 1:
                self._begin(record, line)
            elif record is None or not self._take(record):
                self._note(number, line)
            at += len(line)
            if record is not None:
                self.good = at

    def _begin(self, record: dict[str, Any] | None, line: bytes) -> None:
        if record is None and not line.endswith(b"\n"):
            return  # killed while the very first line was written
        if record is None or record.get("format") != _FORMAT:
            raise SourceError("it is no history of a calibration.", source=str(self._path), line=1)
        if record.get("version") != _VERSION:
            raise SourceError(
                f"its version is {record.get('version')!r}, known is {_VERSION}.",
                source=str(self._path),
                line=1,
                hint="Use the program that wrote it, or a newer one.",
            )
        self.head = record

    def _take(self, record: dict[str, Any]) -> bool:
        """Add what a record says; False when it makes no sense."""
        try:
            if "intent" in record:
                made = Transaction.from_dict(record["intent"])
                if made.number in self.transactions:
                    return False
                self.transactions[made.number] = made
            else:
                self._settle(int(record["settled"]), record)
        except _BROKEN:
            return False
        return True

    def _settle(self, number: int, record: dict[str, Any]) -> None:
        from dataclasses import replace

        before = self.transactions[number]
        runs = record["runs"]
        self.transactions[number] = replace(
            before,
            state=State(record["state"]),
            runs=before.runs if runs is None else runs_from_lists(runs),
        )

    def _note(self, number: int, line: bytes) -> None:
        torn = not line.endswith(b"\n")
        text = (
            "the last line was not finished when the tool ended; it is dropped"
            if torn
            else "the line is damaged; what it said is unknown"
        )
        self.diagnostics.append(
            Diagnostic(
                Severity.INFO if torn else Severity.ERROR,
                "torn-line" if torn else "damaged-line",
                Where(str(self._path), number),
                f"{text}.",
                "" if torn else "Compare the ECU with the history: calib.disagreements().",
            )
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE):
        yield line


def read_history(path: str | Path) -> tuple[History, tuple[Diagnostic, ...]]:
    """The history in a file, and what is damaged of it; nothing is changed.

    Raises:
        SourceError: the file cannot be read, or is none.
    """
    found = _Reading(Path(path))
    return History(transactions=found.transactions), tuple(found.diagnostics)


class HistoryFile:
    """A history that is kept while a calibration goes on; a context manager.

    Args:
        path: the file; made where it does not exist, continued where it does.
        epk: program of the ECU; a history belongs to one program.
        a2l: name of its description.

    Attributes:
        path: the file.
        diagnostics: what was damaged.

    Raises:
        SourceError: it cannot be read or written, or is no history.
        IntegrityError: it is the history of another program.
        UsageError: somebody else is writing it.
    """

    def __init__(self, path: str | Path, *, epk: str = "", a2l: str = "") -> None:
        self.path = Path(path)
        self.diagnostics: tuple[Diagnostic, ...] = ()
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._lock()
            found = _Reading(self.path)
            self._check(found, epk)
            self.diagnostics = tuple(found.diagnostics)
            self._transactions = found.transactions
            self._length = found.good
            os.truncate(self._file.fileno(), found.good)
            if not found.head:
                head = {"format": _FORMAT, "version": _VERSION, "epk": epk, "a2l": a2l}
                self._append(head, sync=True)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on this system
            return
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{self.path}: another program keeps this history.",
                hint="End it, or give another file.",
            ) from None

    def _check(self, found: _Reading, epk: str) -> None:
        known = str(found.head.get("epk", ""))
        if known and epk and known != epk:
            raise IntegrityError(
                f"{self.path}: it is the history of another program, EPK",
                expected=epk,
                actual=known,
                hint="Begin another file for this program.",
            )

    def history(self) -> History:
        """The history so far; what is added to it is kept here."""
        return History(self, dict(self._transactions))

    # --- as a journal ---

    def intend(self, transaction: Transaction) -> None:
        """Keep a transaction on the disk before its first byte is sent."""
        self._append({"intent": transaction.as_dict()}, sync=True)

    def settle(self, number: int, state: State, runs: tuple[Run, ...] | None) -> None:
        """Keep what became of it; should this be lost, the ECU is asked."""
        rows = None if runs is None else runs_as_lists(runs)
        self._append({"settled": number, "state": str(state), "runs": rows}, sync=False)

    def _append(self, record: dict[str, Any], *, sync: bool) -> None:
        line = _line(record)
        try:
            done = 0
            while done < len(line):
                done += self._file.write(line[done:]) or 0
            if sync:
                getattr(os, "fdatasync", os.fsync)(self._file.fileno())
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                os.truncate(self._file.fileno(), self._length)  # half a line would hide the next
            raise self._failed(error) from error
        self._length += len(line)

    def _failed(self, error: Exception) -> SourceError:
        reason = getattr(error, "strerror", None) or error
        return SourceError(
            f"the history cannot be written: {reason}.",
            source=str(self.path),
            hint="Nothing is sent that is not in the history.",
        )

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
