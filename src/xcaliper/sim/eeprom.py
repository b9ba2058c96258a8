"""EEPROM emulated by two flash sectors that log changes in turn, and parameters that live in it.

A sector is a header and a log of records; the newest valid record of a cell wins. When the log is full,
the newest records of all cells go to the other sector, its header makes them valid, and the full sector
is erased: that wears. A record or a header that power-off has cut short has a wrong checksum and does not
count.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError
from xcaliper.sim.flash import ERASED
from xcaliper.sim.memory import EcuMemory, PagedSegment, refusal
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.core.address import Address
    from xcaliper.sim.flash import Flash
    from xcaliper.sim.image import EcuImage
    from xcaliper.sim.log import EcuLog

__all__ = ["CELL_BYTES", "EepromEmulation", "EepromMemory", "EepromTimes"]

#: Bytes of one cell; the ECU writes whole ones.
CELL_BYTES: Final = 8
_MARK: Final = 0x4545
#: Mark, sequence number, CRC-16 of both.
_HEADER: Final = struct.Struct("<HIH")
#: Number of the cell, its bytes, CRC-16 of both.
_RECORD: Final = struct.Struct("<H8sH")
#: Erases of both sectors, records written.
_COUNTS: Final = struct.Struct("<QQQ")
_CRC_START: Final = 0xFFFF
_MS: Final = 1_000_000


def _crc(data: bytes) -> int:
    return binascii.crc_hqx(data, _CRC_START)


class EepromEmulation:
    """An EEPROM in two flash sectors.

    Args:
        initial: what cells hold that were never written.
        sector_bytes: of each sector.
        endurance: how often a sector can be erased.

    Attributes:
        sectors: bytes of both sectors; they outlive power-off.
        erases: how often each was erased.
        writes: records written so far.
        changed: called after each change.

    Raises:
        SettingsError: a sector holds fewer than twice the cells.
    """

    def __init__(
        self, initial: bytes, *, sector_bytes: int = 0x1000, endurance: int = 100_000
    ) -> None:
        self._initial = initial.ljust(-(-len(initial) // CELL_BYTES) * CELL_BYTES, b"\xff")
        self._size_bytes = len(initial)
        self._endurance = endurance
        cells = len(self._initial) // CELL_BYTES
        if sector_bytes < _HEADER.size + 2 * cells * _RECORD.size:
            raise SettingsError(
                "sector_bytes", f"{sector_bytes} is too small for twice {cells} records"
            )
        self.sectors = (
            bytearray((ERASED,)) * sector_bytes,
            bytearray((ERASED,)) * sector_bytes,
        )
        self.erases = [0, 0]
        self.writes = 0
        self.changed: Callable[[], object] = lambda: None
        self._active = 0
        self._sequence = 1
        self._end = _HEADER.size
        self._cells = bytearray(self._initial)
        self._put_header(0)

    # -- reading ----------------------------------------------------------------------------------

    def read(self) -> bytes:
        """What the EEPROM holds."""
        return bytes(self._cells[: self._size_bytes])

    def power_up(self) -> None:
        """Find the sector that counts and the newest record of each cell."""
        numbers = [self._sequence_of(sector) for sector in self.sectors]
        if max(numbers) == 0:  # both were cut short: as it left the factory
            self._format()
            return
        self._active = numbers.index(max(numbers))
        self._sequence = max(numbers)
        for number in (0, 1):
            if number != self._active and any(byte != ERASED for byte in self.sectors[number]):
                self._erase(number)
        self._cells[:] = self._initial
        sector = self.sectors[self._active]
        at = _HEADER.size
        while at + _RECORD.size <= len(sector):
            raw = bytes(sector[at : at + _RECORD.size])
            if raw == bytes((ERASED,)) * _RECORD.size:
                break
            cell, data, crc = _RECORD.unpack(raw)
            if crc == _crc(raw[:-2]) and (cell + 1) * CELL_BYTES <= len(self._cells):
                self._cells[cell * CELL_BYTES : (cell + 1) * CELL_BYTES] = data
            at += _RECORD.size
        self._end = at

    @staticmethod
    def _sequence_of(sector: bytearray) -> int:
        """Sequence number of a valid sector, else 0."""
        raw = bytes(sector[: _HEADER.size])
        mark, sequence, crc = _HEADER.unpack(raw)
        return int(sequence) if mark == _MARK and crc == _crc(raw[:-2]) else 0

    # -- beyond the end of the process ------------------------------------------------------------

    def dump(self) -> bytes:
        """Everything that has to be kept: counts and both sectors."""
        return _COUNTS.pack(*self.erases, self.writes) + b"".join(self.sectors)

    def load(self, data: bytes) -> bool:
        """Take what :meth:`dump` gave; False when it is another size, then nothing changes."""
        size = len(self.sectors[0])
        if len(data) != _COUNTS.size + 2 * size:
            return False
        *self.erases, self.writes = _COUNTS.unpack_from(data)
        for number, sector in enumerate(self.sectors):
            at = _COUNTS.size + number * size
            sector[:] = data[at : at + size]
        self.power_up()
        return True

    # -- writing ----------------------------------------------------------------------------------

    def changing(self, offset: int, data: bytes) -> list[int]:
        """Cells that these bytes would change."""
        wanted = bytearray(self._cells)
        wanted[offset : offset + len(data)] = data
        first, last = offset // CELL_BYTES, (offset + len(data) - 1) // CELL_BYTES
        return [
            cell
            for cell in range(first, last + 1)
            if wanted[cell * CELL_BYTES : (cell + 1) * CELL_BYTES] != self._cell(cell)
        ]

    def needs_swap(self, records: int) -> bool:
        """Whether so many records do not fit the log any more."""
        return self._end + records * _RECORD.size > len(self.sectors[self._active])

    def write(self, offset: int, data: bytes) -> bool:
        """Log the cells that these bytes change; False when the EEPROM is worn out, then nothing changes.

        Args:
            offset: bytes from the start.
            data: new bytes, inside of the EEPROM.
        """
        cells = self.changing(offset, data)
        if self.needs_swap(len(cells)):
            if self.erases[self._active] >= self._endurance:
                return False
            self._swap()
        self._cells[offset : offset + len(data)] = data
        for cell in cells:
            self._append(cell)
        if cells:
            self.changed()
        return True

    def _cell(self, cell: int) -> bytes:
        return bytes(self._cells[cell * CELL_BYTES : (cell + 1) * CELL_BYTES])

    def _append(self, cell: int) -> None:
        body = struct.pack("<H8s", cell, self._cell(cell))
        record = body + struct.pack("<H", _crc(body))
        sector = self.sectors[self._active]
        sector[self._end : self._end + len(record)] = record
        self._end += len(record)
        self.writes += 1

    def _swap(self) -> None:
        """Go on in the other sector: records first, then the header that makes them count."""
        full, self._active = self._active, 1 - self._active
        self._sequence += 1
        self._end = _HEADER.size
        for cell in range(len(self._cells) // CELL_BYTES):
            start = cell * CELL_BYTES
            if self._cell(cell) != self._initial[start : start + CELL_BYTES]:
                self._append(cell)
        self._put_header(self._active)
        self._erase(full)

    def _put_header(self, number: int) -> None:
        body = struct.pack("<HI", _MARK, self._sequence)
        self.sectors[number][: _HEADER.size] = body + struct.pack("<H", _crc(body))

    def _erase(self, number: int) -> None:
        self.sectors[number][:] = bytes((ERASED,)) * len(self.sectors[number])
        self.erases[number] += 1

    def _format(self) -> None:
        for number in (0, 1):
            self._erase(number)
        self._active, self._sequence, self._end = 0, 1, _HEADER.size
        self._cells[:] = self._initial
        self._put_header(0)


@dataclass(frozen=True, slots=True)
class EepromTimes:
    """How long things take.

    Attributes:
        record_ns: writing a record.
        erase_ns: erasing a sector.
        buffered: records that are answered at once and written afterwards; more are answered when they
            are written.
    """

    record_ns: int = 3 * _MS
    erase_ns: int = 1_500 * _MS
    buffered: int = 2


class EepromMemory(EcuMemory):
    """A memory whose first segment lives in an EEPROM.

    Args:
        image: placements and initial bytes.
        flash: sectors that XCP can program.
        stored: segment → bytes that were stored.
        log: of the ECU.
        device: the EEPROM, which outlives power-off.
        times: how long it takes.
    """

    def __init__(  # the four of every memory, and two of its own
        self,
        image: EcuImage,
        flash: Flash | None = None,
        stored: Mapping[int, bytes] | None = None,
        log: EcuLog | None = None,
        *,
        device: EepromEmulation,
        times: EepromTimes,
    ) -> None:
        self._device = device
        self._times = times
        device.power_up()
        super().__init__(image, flash, stored, log)
        self._restore(self._paged[0], device.read())

    def write_ns(self, address: Address, data: bytes) -> tuple[int, int]:
        """How long a write takes in ns: until its answer, and after it until the next one."""
        found = self._row(address, len(data))
        if found is None or found[0] is not self._paged[0]:
            return 0, 0
        times, records = self._times, len(self._device.changing(found[1], data))
        duration = records * times.record_ns
        if self._device.needs_swap(records):
            return duration + times.erase_ns, 0
        return (0, duration) if records <= times.buffered else (duration, 0)

    def _write_page(self, paged: PagedSegment, offset: int, data: bytes) -> None:
        if paged is self._paged[0]:
            before = sum(self._device.erases)
            if not self._device.write(offset, data):
                text = "the EEPROM is worn out: its sectors cannot be erased any more"
                self.log.add("eeprom-worn", f"{text}.")
                raise refusal(ErrorCode.ERR_WRITE_PROTECTED, text)
            if sum(self._device.erases) > before:
                erases = self._device.erases
                self.log.add(
                    "eeprom-erase", f"sectors were erased {erases[0]} and {erases[1]} times."
                )
        super()._write_page(paged, offset, data)

    def figures(self) -> dict[str, int]:
        """How often each sector was erased, and records written."""
        device = self._device
        return {
            "EepromErases0": device.erases[0],
            "EepromErases1": device.erases[1],
            "EepromWrites": device.writes,
        }
