"""Flash of a virtual ECU: sectors that are erased as a whole and written once; it survives restarts."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import AccessDeniedError
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_program import CAL_AREA, CODE_AREA, ProgramSettings, SectorConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ERASED", "Flash", "flash_settings"]

#: Value of a cell after clearing.
ERASED: Final = 0xFF
_FIRST_ADDRESS: Final = 0x0810_0000
_SIZES: Final = ((CAL_AREA, "calibration", 0x4000), (CODE_AREA, "code", 0x1_0000))
_SECTORS_PER_AREA: Final = 2
_COMPLETE: Final = 4


def _denied(meaning: str) -> AccessDeniedError:
    code = ErrorCode.ERR_ACCESS_DENIED
    return AccessDeniedError("memory", code=code, code_name=code.name, meaning=meaning)


def flash_settings(*, ag: int = 1, clear_ns: int = 0) -> ProgramSettings:
    """Two sectors of 16 KiB for calibration and two of 64 KiB for code, from 0x08100000 on.

    Args:
        ag: bytes per address.
        clear_ns: how long erasing a sector takes.
    """
    sectors: list[SectorConfig] = []
    at = _FIRST_ADDRESS
    for area, name, size_bytes in _SIZES:
        for turn in range(_SECTORS_PER_AREA):
            number = len(sectors)
            sectors.append(
                SectorConfig(
                    number,
                    f"{name}{turn}",
                    Address(at // ag),
                    size_bytes,
                    clear_sequence_number=2 * number,
                    program_sequence_number=2 * number + 1,
                    area=area,
                )
            )
            at += size_bytes
    return ProgramSettings(tuple(sectors), functional=True, clear_ns=clear_ns)


class Flash:
    """The cells of all sectors, with what was written since they were erased.

    Args:
        sectors: as the slave tells them.
        ag: bytes per address.
        initial: number of a sector → bytes from its start on; such a sector counts as written.

    Attributes:
        sectors: as given.
        unfinished: sectors that were cleared or written and not ended; after a loss of power they
            hold part of something.
        clears: how often each sector was erased.
    """

    def __init__(
        self,
        sectors: Sequence[SectorConfig],
        *,
        ag: int = 1,
        initial: Mapping[int, bytes] | None = None,
    ) -> None:
        self.sectors = tuple(sectors)
        self.unfinished: set[int] = set()
        self.clears = dict.fromkeys((sector.number for sector in self.sectors), 0)
        self._ag = ag
        self._cells: dict[int, bytearray] = {}
        self._written: dict[int, bytearray] = {}
        for sector in self.sectors:
            data = (initial or {}).get(sector.number, b"")[: sector.size_bytes]
            rest = sector.size_bytes - len(data)
            self._cells[sector.number] = bytearray(data) + bytes((ERASED,)) * rest
            self._written[sector.number] = bytearray((1,)) * len(data) + bytearray(rest)

    def runs(self) -> Iterator[tuple[SectorConfig, memoryview]]:
        """Each sector with a read-only view of its cells that stays current."""
        for sector in self.sectors:
            yield sector, memoryview(self._cells[sector.number]).toreadonly()

    def live(self) -> Iterator[tuple[SectorConfig, bytearray]]:
        """Each sector with its cells themselves, for the ECU's own use."""
        for sector in self.sectors:
            yield sector, self._cells[sector.number]

    def clear(self, sector: SectorConfig) -> None:
        """Erase a sector."""
        cells = self._cells[sector.number]
        cells[:] = bytes((ERASED,)) * len(cells)
        self._written[sector.number][:] = bytes(len(cells))
        self.clears[sector.number] += 1
        self.unfinished.add(sector.number)

    def program(self, address: Address, data: bytes) -> None:
        """Write erased cells, across sectors; the same bytes again are no error.

        Raises:
            AccessDeniedError: part of the range is no flash, or holds something else; then nothing
                is written.
        """
        parts = list(self._split(address, data))
        for number, at, part in parts:
            cells = self._cells[number][at : at + len(part)]
            written = self._written[number][at : at + len(part)]
            if any(
                done and old != new for done, old, new in zip(written, cells, part, strict=True)
            ):
                raise _denied(f"flash at {address} has to be cleared before it is written")
        for number, at, part in parts:
            self._cells[number][at : at + len(part)] = part
            self._written[number][at : at + len(part)] = bytes((1,)) * len(part)
            self.unfinished.add(number)

    def _split(self, address: Address, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Sector, offset and bytes of each part."""
        at, left = address.value * self._ag, data
        while left:
            for sector in self.sectors:
                start = sector.address.value * self._ag
                if (
                    sector.address.extension == address.extension
                    and start <= at < start + sector.size_bytes
                ):
                    room = start + sector.size_bytes - at
                    yield sector.number, at - start, left[:room]
                    at, left = at + room, left[room:]
                    break
            else:
                raise _denied(f"no flash at {address}, {len(data)} bytes")

    def end_segment(self) -> None:
        """What was written is complete."""
        self.unfinished.clear()

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        """Mode 0: no sector holds part of something only. Mode 1: CRC-32 of the areas' sectors.

        Type bits 1 and 2 choose calibration and code, 4 the whole flash.
        """
        if mode == 0:
            return not self.unfinished
        everything = bool(verification_type & _COMPLETE)
        crc = 0
        for sector in self.sectors:
            if everything or sector.area & verification_type:
                crc = zlib.crc32(self._cells[sector.number], crc)
        return crc == value
