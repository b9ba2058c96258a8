"""Calibration of a live slave: ``connection.calib``."""

from __future__ import annotations

import getpass
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from xcaliper.calib.history import History
from xcaliper.client.exporting import ExportingCalibrator
from xcaliper.client.history_file import HistoryFile
from xcaliper.client.slave_port import SlavePort, calibration_segments
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.calib.history import Transaction
    from xcaliper.client.checksums import Checksums
    from xcaliper.client.connect_model import Choose, Synchronised, WorkingData
    from xcaliper.client.connection import Connection
    from xcaliper.client.memory_access import MemoryAccess
    from xcaliper.core.address import Address

__all__ = ["Calibration", "author_name"]

_MAX_MARKS = 20


class Calibration(ExportingCalibrator):
    """Parameters of a live slave, changed with a memory of what was; see :class:`~xcaliper.calib.calibrator.Calibrator`.

    Args:
        connection: to the slave.
        memory: its memory, with the rights of pages.
        variants: variant criterion → value chosen at the connection.
        note: told of every name that is about to be written.

    Attributes:
        is_offline: the user has chosen to stay offline: nothing is written until :meth:`synchronise`
            is told otherwise.
    """

    def __init__(
        self,
        connection: Connection,
        memory: MemoryAccess,
        variants: dict[str, str],
        note: Any,
    ) -> None:
        self._connection = connection
        self._note = note
        self._port = SlavePort(connection, memory)
        self._file: HistoryFile | None = None
        self.is_offline = False
        super().__init__(
            connection.catalog,
            self._port,
            calibration_segments(connection),
            clock=time.time_ns,
            author=author_name(),
            variants=variants,
        )
        self.program = connection.description.epk or self.program
        self.on_change = self._mark
        memory.watchers.append(self._somebody_wrote)
        memory.page_watchers.append(self._somebody_switched)

    # --- what happens around ---

    def _somebody_wrote(self, address: Address, size_bytes: int) -> None:
        if not self._port.busy:
            self.working.forget_range(address, size_bytes)

    def _somebody_switched(self, segment: int, page: int | None) -> None:
        if self._port.busy:
            return
        if page is not None:
            self.working.forget(segment, page)
        for one in self.working.segments:
            if one.number == segment:
                self.working.distrust(one)

    def _mark(self, transaction: Transaction) -> None:
        """Leave marks of the changes in the running measurement."""
        port = self._connection.port
        measurement = port.measurement
        for change in transaction.changes:
            self._note(change.name)
        if measurement is None:
            return
        for change in transaction.changes[:_MAX_MARKS]:
            measurement.mark(str(change), name=change.name, port=port)
        if len(transaction.changes) > _MAX_MARKS:
            measurement.mark(str(transaction), name="calibration", port=port)

    def check_allowed(self, transaction: Transaction) -> None:
        """Refuse to write with the description of another program, or offline.

        Raises:
            IntegrityError: the EPK differs, and nobody has confirmed that.
            UsageError: the user has chosen to stay offline.
        """
        name = transaction.names[0] if transaction.names else str(transaction.kind)
        if self.is_offline:
            raise UsageError(
                f"{name}: not written, the calibration is offline.",
                hint="Call synchronise() to decide what is to be in the ECU.",
            )
        self._connection.check_confirmed(name)

    # --- settings ---

    @property
    def checksums(self) -> Checksums | None:
        """For slaves with a checksum of their own, see :meth:`Connection.verify_memory`."""
        return self._port.checksums

    @checksums.setter
    def checksums(self, checksums: Checksums | None) -> None:
        self._port.checksums = checksums

    # --- history ---

    def keep_history(self, path: str | Path) -> HistoryFile:
        """Keep the history in a file that survives the tool; what it holds already is taken over.

        Transactions that were cut off when the tool was killed are open then: :meth:`settle` looks what
        became of them.

        Args:
            path: the file; made where it does not exist.

        Raises:
            SourceError: it cannot be read or written, or is no history.
            IntegrityError: it is the history of another program.
            UsageError: another program keeps it, or something was changed already.
        """
        if len(self.history) or self._file is not None:
            raise UsageError(
                "history: there is one already.",
                hint="Call keep_history() before the first change.",
            )
        description = self._connection.description
        self._file = HistoryFile(path, epk=description.epk, a2l=description.name)
        self.history = self._file.history()
        return self._file

    def close(self) -> None:
        """Close the file of the history; harmless when repeated."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.history = History(transactions=self.history.transactions)

    # --- connecting ---

    def synchronise(
        self,
        data: WorkingData | None = None,
        choice: Choose = "ask",
        **options: Any,
    ) -> Synchronised:
        """Bring ECU and working data together after connecting; who wins is a choice.

        Args:
            data: memory such as the page of an image, or a set of which only the entries are compared; None = what
                was known of the ECU before the link was lost.
            choice: ``upload``, ``download``, ``offline``; name → ``ecu`` or ``data``; or a function that gives one.
            options: of :func:`~xcaliper.client.connect_choice.synchronise`.
        """
        from xcaliper.client.connect_choice import synchronise

        return synchronise(self, self._connection, data, choice, **options)


def author_name() -> str:
    """Name of the user of this computer; empty where it does not tell."""
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""
