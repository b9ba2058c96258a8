"""Memory of a virtual ECU: measurement RAM, program identification and paged segments.

ECU and XCP each look at one page of every segment; the two are switched independently
*(XCP Base, page switching, 1.0)*.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.errors import (
    AccessDeniedError,
    NegativeResponseError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.sim.image import CODE, RAM, EcuImage
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from xcaliper.core.address import Address
    from xcaliper.sim.flash import Flash
    from xcaliper.sim.items import Segment
    from xcaliper.xcp.slave_program import SectorConfig

__all__ = ["EcuMemory"]

#: Room for the headers of one sample: 252 ODTs with all that may stand before their data.
_SCRATCH_BYTES: Final = 8192

_KINDS: Final[dict[ErrorCode, type[NegativeResponseError]]] = {
    ErrorCode.ERR_ACCESS_DENIED: AccessDeniedError,
    ErrorCode.ERR_WRITE_PROTECTED: WriteProtectedError,
}


def _refusal(code: ErrorCode, meaning: str) -> NegativeResponseError:
    """What the slave answers to the command that caused it."""
    kind = _KINDS.get(code, NegativeResponseError)
    return kind("memory", code=code, code_name=code.name, meaning=meaning)


@dataclass(slots=True)
class _Paged:
    """Pages of one segment and who looks at which.

    ``window`` always equals the page that XCP sees, so that views of it outlive a page switch.
    """

    segment: Segment
    pages: list[bytearray]
    window: bytearray
    ecu: int
    xcp: int

    def show(self) -> None:
        """Bring the window up to date."""
        self.window[:] = self.pages[self.xcp]


_Holder: TypeAlias = bytearray | _Paged | bytes | memoryview


class EcuMemory:
    """The live memory of one virtual ECU.

    Args:
        image: placements and initial bytes.
        flash: sectors that XCP can program; they lie beside the regions of the image.

    Attributes:
        ag: bytes per address.
        ram: bytes of the measurement RAM, shared with the model; behind them is the slave's scratch room.
        generation: counts every change of what the ECU reads as parameters.
    """

    def __init__(self, image: EcuImage, flash: Flash | None = None) -> None:
        self.image = image
        self._flash = flash
        self.ag = image.ag
        ram = image.regions[RAM].initial
        self.ram = bytearray(ram) + bytes(-len(ram) % 8 + _SCRATCH_BYTES)
        self.generation = 0
        self._paged = [
            _Paged(
                segment,
                [bytearray(image.regions[segment.name].initial) for _ in segment.pages],
                bytearray(image.regions[segment.name].initial),
                segment.init_page,
                segment.init_page,
            )
            for segment in sorted(image.declaration.segments, key=lambda one: one.number)
        ]
        rows: list[tuple[int, int, int, _Holder]] = []
        for region in image.regions.values():
            holder: _Holder = region.initial
            if region.name == RAM:
                holder = self.ram
            elif region.name != CODE:
                holder = next(one for one in self._paged if one.segment.name == region.name)
            start = region.address * image.ag
            rows.append((region.extension, start, start + len(region.initial), holder))
        for sector, cells in flash.runs() if flash is not None else ():
            start = sector.address.value * image.ag
            rows.append((sector.address.extension, start, start + len(cells), cells))
        rows.sort(key=lambda row: row[:2])
        self._rows = rows
        self._starts = [row[:2] for row in rows]

    def _find(self, address: Address, size_bytes: int) -> tuple[_Holder, int]:
        key = (address.extension, address.value * self.ag)
        at = bisect_right(self._starts, key) - 1
        if at >= 0:
            extension, start, end, holder = self._rows[at]
            if extension == key[0] and key[1] + size_bytes <= end:
                return holder, key[1] - start
        raise _refusal(ErrorCode.ERR_ACCESS_DENIED, f"no memory at {address}, {size_bytes} bytes")

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them: segments show their XCP page.

        Raises:
            AccessDeniedError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        data = holder.window if isinstance(holder, _Paged) else holder
        return bytes(data[offset : offset + size_bytes])

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A read-only window on bytes as XCP sees them; it stays current.

        Raises:
            AccessDeniedError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        data = holder.window if isinstance(holder, _Paged) else holder
        return memoryview(data)[offset : offset + size_bytes].toreadonly()

    def scratch(self) -> memoryview:
        """Room of the slave's own behind the RAM, so that one gather reads variables and headers."""
        return memoryview(self.ram)[len(self.ram) - _SCRATCH_BYTES :]

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes as XCP sees them.

        Raises:
            WriteProtectedError: program memory or a page that is not writable.
            AccessDeniedError: part of the range does not exist.
        """
        holder, offset = self._find(address, len(data))
        if isinstance(holder, _Paged):
            page = holder.segment.pages[holder.xcp]
            if not page.writable:
                raise _refusal(
                    ErrorCode.ERR_WRITE_PROTECTED,
                    f"{holder.segment.name} page {page.number} ({page.text}) is read-only",
                )
            holder.pages[holder.xcp][offset : offset + len(data)] = data
            holder.window[offset : offset + len(data)] = data
            if holder.ecu == holder.xcp:
                self.generation += 1
        elif isinstance(holder, bytearray):
            holder[offset : offset + len(data)] = data
        else:
            raise _refusal(
                ErrorCode.ERR_WRITE_PROTECTED, f"program memory at {address} is read-only"
            )

    # what programming does (XCP Base, PGM, 1.0)

    def _flash_of(self) -> Flash:
        if self._flash is None:
            raise _refusal(ErrorCode.ERR_ACCESS_DENIED, "there is no flash")
        return self._flash

    def clear(self, sector: SectorConfig) -> None:
        """Erase a sector of the flash."""
        self._flash_of().clear(sector)

    def program(self, address: Address, data: bytes) -> None:
        """Write erased cells of the flash.

        Raises:
            AccessDeniedError: they are no flash, or hold something.
        """
        self._flash_of().program(address, data)

    def end_segment(self) -> None:
        """What was written to the flash is complete."""
        self._flash_of().end_segment()

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        """Whether the flash is as it should be, see :meth:`Flash.verify`."""
        return self._flash_of().verify(mode, verification_type, value)

    def _segment(self, number: int) -> _Paged:
        if not 0 <= number < len(self._paged):
            raise _refusal(ErrorCode.ERR_SEGMENT_NOT_VALID, f"segment {number} does not exist")
        return self._paged[number]

    def _page(self, segment: int, page: int) -> _Paged:
        paged = self._segment(segment)
        if not 0 <= page < len(paged.pages):
            raise _refusal(ErrorCode.ERR_PAGE_NOT_VALID, f"{paged.segment.name} has no page {page}")
        return paged

    def get_page(self, segment: int, *, ecu: bool) -> int:
        """Page that the ECU reads, or that XCP reads and writes.

        Raises:
            NegativeResponseError: the segment does not exist.
        """
        paged = self._segment(segment)
        return paged.ecu if ecu else paged.xcp

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page for the ECU, for XCP or for both (XCP Base, SET_CAL_PAGE, 1.0).

        Raises:
            NegativeResponseError: segment or page does not exist.
        """
        paged = self._page(segment, page)
        if ecu:
            paged.ecu = page
            self.generation += 1
        if xcp:
            paged.xcp = page
            paged.show()

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy (segment, page) to (segment, page) (XCP Base, COPY_CAL_PAGE, 1.0).

        Raises:
            WriteProtectedError: the target page is not writable.
            NegativeResponseError: a page does not exist, or the segments differ in size.
        """
        origin, goal = self._page(*source), self._page(*destination)
        page = goal.segment.pages[destination[1]]
        if not page.writable:
            raise _refusal(
                ErrorCode.ERR_WRITE_PROTECTED,
                f"{goal.segment.name} page {page.number} ({page.text}) is read-only",
            )
        data = origin.pages[source[1]]
        if len(data) != len(goal.pages[destination[1]]):
            raise _refusal(
                ErrorCode.ERR_PAGE_NOT_VALID,
                f"{origin.segment.name} and {goal.segment.name} differ in size",
            )
        goal.pages[destination[1]][:] = data
        goal.show()
        self.generation += 1

    def ecu_bytes(self, region: str) -> bytearray:
        """The bytes of a segment on the page that the ECU reads, not a copy.

        Raises:
            UsageError: there is no such segment.
        """
        for paged in self._paged:
            if paged.segment.name == region:
                return paged.pages[paged.ecu]
        raise UsageError(f"segment {region!r} does not exist.")
