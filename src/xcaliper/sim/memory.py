"""Memory of a virtual ECU: measurement RAM, program identification and paged segments.

ECU and XCP each look at one page of every segment; the two are switched independently
*(XCP Base, page switching, 1.0)*.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.errors import (
    AccessDeniedError,
    MemoryOverflowError,
    NegativeResponseError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.sim.image import RAM, EcuImage
from xcaliper.sim.log import EcuLog
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.core.address import Address
    from xcaliper.sim.flash import Flash
    from xcaliper.sim.items import Area, Segment
    from xcaliper.xcp.slave_program import SectorConfig

__all__ = ["EcuMemory", "PagedSegment", "refusal"]

#: Room for the headers of one sample: 252 ODTs with all that may stand before their data.
_SCRATCH_BYTES: Final = 8192

_KINDS: Final[dict[ErrorCode, type[NegativeResponseError]]] = {
    ErrorCode.ERR_ACCESS_DENIED: AccessDeniedError,
    ErrorCode.ERR_WRITE_PROTECTED: WriteProtectedError,
    ErrorCode.ERR_MEMORY_OVERFLOW: MemoryOverflowError,
}


def refusal(code: ErrorCode, meaning: str) -> NegativeResponseError:
    """What the slave answers to the command that caused it."""
    kind = _KINDS.get(code, NegativeResponseError)
    return kind("memory", code=code, code_name=code.name, meaning=meaning)


@dataclass(slots=True)
class PagedSegment:
    """Pages of one segment and who looks at which.

    Attributes:
        segment: what the declaration says.
        pages: bytes by number of the page.
        ecu: page that the ECU reads.
        xcp: page that XCP reads and writes.
        window: always equals the page that XCP sees, so that views of it outlive a page switch.
    """

    segment: Segment
    pages: list[bytearray]
    ecu: int
    xcp: int
    window: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.window = bytearray(self.pages[self.xcp])

    def show(self) -> None:
        """Bring the window up to date."""
        self.window[:] = self.pages[self.xcp]


@dataclass(frozen=True, slots=True)
class _Spare:
    """Memory without objects."""

    area: Area
    cells: bytearray


_Holder: TypeAlias = bytearray | PagedSegment | _Spare | bytes | memoryview


def _seen(holder: _Holder) -> bytes | bytearray | memoryview:
    """Bytes of a run of memory as XCP sees them."""
    if isinstance(holder, PagedSegment):
        return holder.window
    return holder.cells if isinstance(holder, _Spare) else holder


class EcuMemory:
    """The live memory of one virtual ECU.

    Args:
        image: placements and initial bytes.
        flash: sectors that XCP can program; they lie beside the regions of the image.
        stored: segment → bytes of its page 0, instead of those of the image; all of them.
        log: where it tells what no answer tells.

    Attributes:
        image: as given.
        log: as given.
        ag: bytes per address.
        ram: bytes of the measurement RAM, shared with the model; behind them is the slave's scratch room.
        generation: counts every change of what the ECU reads as parameters.
        cleared: segments whose flash was erased since power-up.
    """

    def __init__(
        self,
        image: EcuImage,
        flash: Flash | None = None,
        stored: Mapping[int, bytes] | None = None,
        log: EcuLog | None = None,
    ) -> None:
        self.image = image
        self.log = EcuLog() if log is None else log  # an empty one is false
        self._flash = flash
        self.ag = image.ag
        ram = image.regions[RAM].initial
        self.ram = bytearray(ram) + bytes(-len(ram) % 8 + _SCRATCH_BYTES)
        self.generation = 0
        self.cleared: set[int] = set()
        self._paged = [
            self._load(segment)
            for segment in sorted(image.declaration.segments, key=lambda one: one.number)
        ]
        for number, data in (stored or {}).items():
            self._restore(self._paged[number], data)
        self._rows = sorted(self._make_rows(), key=lambda row: row[:2])
        self._starts = [row[:2] for row in self._rows]

    def _cells(self, region: str) -> bytearray | None:
        """Cells of the flash sector that a region fills; None when it lies elsewhere."""
        found = self.image.regions[region]
        for sector, cells in self._flash.live() if self._flash is not None else ():
            same = (sector.address.value, sector.address.extension, sector.size_bytes)
            if same == (found.address, found.extension, len(found.initial)):
                return cells
        return None

    def _load(self, segment: Segment) -> PagedSegment:
        """Pages after power-up: those that cannot be written are the flash itself, others its copy."""
        origin = segment.name if segment.initial_at is None else segment.initial_name
        cells = self._cells(origin)
        initial = self.image.regions[origin].initial if cells is None else cells
        pages = [
            bytearray(initial) if page.writable or cells is None else cells
            for page in segment.pages
        ]
        return PagedSegment(segment, pages, segment.init_page, segment.init_page)

    def _restore(self, paged: PagedSegment, data: bytes) -> None:
        """Let page 0 begin with what was stored."""
        if paged.segment.pages[0].writable:
            paged.pages[0][:] = data
            paged.show()

    def _make_rows(self) -> list[tuple[int, int, int, _Holder]]:
        """Address extension, first byte, end and bytes of every run of memory."""
        holders: dict[str, _Holder] = {
            RAM: self.ram,
            **{paged.segment.name: paged for paged in self._paged},
            **{
                area.name: _Spare(area, bytearray(self.image.regions[area.name].initial))
                for area in self.image.declaration.areas
            },
        }
        rows: list[tuple[int, int, int, _Holder]] = []
        for region in self.image.regions.values():
            cells = self._cells(region.name)
            plain = region.initial if cells is None else memoryview(cells).toreadonly()
            holder = holders.get(region.name, plain)
            start = region.address * self.ag
            rows.append((region.extension, start, start + len(region.initial), holder))
        taken = {row[:2] for row in rows}
        for sector, view in self._flash.runs() if self._flash is not None else ():
            start = sector.address.value * self.ag
            if (sector.address.extension, start) not in taken:
                rows.append((sector.address.extension, start, start + len(view), view))
        return rows

    def _find(self, address: Address, size_bytes: int) -> tuple[_Holder, int]:
        found = self._row(address, size_bytes)
        if found is None:
            self._suspect(address, size_bytes)
            raise refusal(
                ErrorCode.ERR_ACCESS_DENIED, f"no memory at {address}, {size_bytes} bytes"
            )
        if isinstance(found[0], _Spare):
            self._suspect(address, size_bytes)
        return found

    def _row(self, address: Address, size_bytes: int) -> tuple[_Holder, int] | None:
        key = (address.extension, address.value * self.ag)
        at = bisect_right(self._starts, key) - 1
        if at >= 0:
            extension, start, end, holder = self._rows[at]
            if extension == key[0] and key[1] + size_bytes <= end:
                return holder, key[1] - start
        return None

    def _suspect(self, address: Address, size_bytes: int) -> None:
        """Note an access where nothing of the description lies, but does with another extension."""
        start = address.value * self.ag
        for extension, first, end, holder in self._rows:
            if (
                extension != address.extension
                and not isinstance(holder, _Spare)
                and first <= start
                and start + size_bytes <= end
            ):
                self.log.add(
                    "wrong-extension",
                    f"{size_bytes} bytes at 0x{address.value:08X} were asked for with address "
                    f"extension {address.extension}; {self._name(extension, first)} lies there with "
                    f"extension {extension}.",
                )
                return

    def _name(self, extension: int, first: int) -> str:
        for region in self.image.regions.values():
            if (region.extension, region.address * self.ag) == (extension, first):
                return region.name
        return "the flash"

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them: segments show their XCP page.

        Raises:
            AccessDeniedError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        return bytes(_seen(holder)[offset : offset + size_bytes])

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A read-only window on bytes as XCP sees them; it stays current.

        Raises:
            AccessDeniedError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        return memoryview(_seen(holder))[offset : offset + size_bytes].toreadonly()

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
        if isinstance(holder, PagedSegment):
            self._check_writable(holder, holder.xcp)
            self._write_page(holder, offset, data)
            return
        if isinstance(holder, _Spare) and holder.area.writable:
            holder = holder.cells
        if not isinstance(holder, bytearray):
            raise refusal(
                ErrorCode.ERR_WRITE_PROTECTED, f"program memory at {address} is read-only"
            )
        holder[offset : offset + len(data)] = data

    def _check_writable(self, paged: PagedSegment, number: int) -> None:
        page = paged.segment.pages[number]
        if not page.writable:
            raise refusal(
                ErrorCode.ERR_WRITE_PROTECTED,
                f"{paged.segment.name} page {page.number} ({page.text}) is read-only",
            )

    def _write_page(self, paged: PagedSegment, offset: int, data: bytes) -> None:
        """Replace bytes of the page that XCP sees, which is writable."""
        paged.pages[paged.xcp][offset : offset + len(data)] = data
        paged.window[offset : offset + len(data)] = data
        if paged.ecu == paged.xcp:
            self.generation += 1

    def write_ns(self, address: Address, data: bytes) -> tuple[int, int]:  # noqa: ARG002 -- RAM is fast
        """How long a write takes in ns: until its answer, and after it until the next one."""
        return 0, 0

    def step(self) -> None:
        """The application's task runs: do what the concept of calibration does beside it."""

    def figures(self) -> dict[str, int]:
        """Values of the concept for signals of the same names."""
        return {}

    # what programming does (XCP Base, PGM, 1.0)

    def _flash_of(self) -> Flash:
        if self._flash is None:
            raise refusal(ErrorCode.ERR_ACCESS_DENIED, "there is no flash")
        return self._flash

    def clear(self, sector: SectorConfig) -> None:
        """Erase a sector of the flash."""
        self._flash_of().clear(sector)
        for paged in self._paged:
            segment = paged.segment
            origin = segment.address if segment.initial_at is None else segment.initial_at
            if origin == sector.address.value:
                self.cleared.add(segment.number)
        self._reprogrammed()

    def program(self, address: Address, data: bytes) -> None:
        """Write erased cells of the flash.

        Raises:
            AccessDeniedError: they are no flash, or hold something.
        """
        self._flash_of().program(address, data)
        self._reprogrammed()

    def _reprogrammed(self) -> None:
        """Pages in flash show what the flash holds."""
        for paged in self._paged:
            paged.show()
        self.generation += 1

    def end_segment(self) -> None:
        """What was written to the flash is complete."""
        self._flash_of().end_segment()

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        """Whether the flash is as it should be, see :meth:`Flash.verify`."""
        return self._flash_of().verify(mode, verification_type, value)

    def _segment(self, number: int) -> PagedSegment:
        if not 0 <= number < len(self._paged):
            raise refusal(ErrorCode.ERR_SEGMENT_NOT_VALID, f"segment {number} does not exist")
        return self._paged[number]

    def _page(self, segment: int, page: int) -> PagedSegment:
        paged = self._segment(segment)
        if not 0 <= page < len(paged.pages):
            raise refusal(ErrorCode.ERR_PAGE_NOT_VALID, f"{paged.segment.name} has no page {page}")
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
        self._check_writable(goal, destination[1])
        data = origin.pages[source[1]]
        if len(data) != len(goal.pages[destination[1]]):
            raise refusal(
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
