"""Memory of a virtual ECU: measurement RAM, program identification and paged segments.

ECU and XCP each look at one page of every segment; the two are switched independently
*(XCP Base, page switching, 1.0)*.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xcaliper.core.errors import UsageError
from xcaliper.sim.image import CODE, RAM, EcuImage

if TYPE_CHECKING:
    from xcaliper.core.address import Address
    from xcaliper.sim.declare import Segment

__all__ = ["EcuMemory", "WriteProtectedError"]


class WriteProtectedError(UsageError):
    """The memory exists but cannot be written (XCP Base, ERR_WRITE_PROTECTED, 1.0)."""

    slug = "write-protected"


@dataclass(slots=True)
class _Paged:
    """Pages of one segment and who looks at which."""

    segment: Segment
    pages: list[bytearray]
    ecu: int
    xcp: int


class EcuMemory:
    """The live memory of one virtual ECU.

    Args:
        image: placements and initial bytes.

    Attributes:
        ag: bytes per address.
        ram: bytes of the measurement RAM, shared with the model.
        generation: counts every change of what the ECU reads as parameters.
    """

    _NO_MEMORY: ClassVar[str] = "Use the addresses of the ECU's own A2L."

    def __init__(self, image: EcuImage) -> None:
        self.image = image
        self.ag = image.ag
        self.ram = bytearray(image.regions[RAM].initial)
        self.generation = 0
        self._paged = [
            _Paged(
                segment,
                [bytearray(image.regions[segment.name].initial) for _ in segment.pages],
                segment.init_page,
                segment.init_page,
            )
            for segment in sorted(image.declaration.segments, key=lambda one: one.number)
        ]
        rows: list[tuple[int, int, int, bytearray | _Paged | bytes]] = []
        for region in image.regions.values():
            holder: bytearray | _Paged | bytes = region.initial
            if region.name == RAM:
                holder = self.ram
            elif region.name != CODE:
                holder = next(one for one in self._paged if one.segment.name == region.name)
            start = region.address * image.ag
            rows.append((region.extension, start, start + len(region.initial), holder))
        rows.sort(key=lambda row: row[:2])
        self._rows = rows
        self._starts = [row[:2] for row in rows]

    def _find(self, address: Address, size_bytes: int) -> tuple[bytearray | _Paged | bytes, int]:
        key = (address.extension, address.value * self.ag)
        at = bisect_right(self._starts, key) - 1
        if at >= 0:
            extension, start, end, holder = self._rows[at]
            if extension == key[0] and key[1] + size_bytes <= end:
                return holder, key[1] - start
        raise UsageError(f"no memory at {address}, {size_bytes} bytes.", hint=self._NO_MEMORY)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them: segments show their XCP page.

        Raises:
            UsageError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        data = holder.pages[holder.xcp] if isinstance(holder, _Paged) else holder
        return bytes(data[offset : offset + size_bytes])

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A read-only window on bytes as XCP sees them, valid until the XCP page changes.

        Raises:
            UsageError: part of the range does not exist.
        """
        holder, offset = self._find(address, size_bytes)
        data = holder.pages[holder.xcp] if isinstance(holder, _Paged) else holder
        return memoryview(data)[offset : offset + size_bytes].toreadonly()

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes as XCP sees them.

        Raises:
            WriteProtectedError: program memory or a page that is not writable.
            UsageError: part of the range does not exist.
        """
        holder, offset = self._find(address, len(data))
        if isinstance(holder, _Paged):
            page = holder.segment.pages[holder.xcp]
            if not page.writable:
                raise WriteProtectedError(
                    f"{holder.segment.name}: page {page.number} ({page.text}) is read-only.",
                    hint="Switch XCP to a writable page with SET_CAL_PAGE.",
                )
            holder.pages[holder.xcp][offset : offset + len(data)] = data
            if holder.ecu == holder.xcp:
                self.generation += 1
        elif isinstance(holder, bytearray):
            holder[offset : offset + len(data)] = data
        else:
            raise WriteProtectedError(f"program memory at {address} is read-only.")

    def _segment(self, number: int) -> _Paged:
        if not 0 <= number < len(self._paged):
            raise UsageError(f"segment {number} does not exist.")
        return self._paged[number]

    def _page(self, segment: int, page: int) -> _Paged:
        paged = self._segment(segment)
        if not 0 <= page < len(paged.pages):
            raise UsageError(f"{paged.segment.name}: page {page} does not exist.")
        return paged

    def ecu_page(self, segment: int) -> int:
        """Page that the ECU reads.

        Raises:
            UsageError: the segment does not exist.
        """
        return self._segment(segment).ecu

    def xcp_page(self, segment: int) -> int:
        """Page that XCP reads and writes.

        Raises:
            UsageError: the segment does not exist.
        """
        return self._segment(segment).xcp

    def set_ecu_page(self, segment: int, page: int) -> None:
        """Let the ECU use a page (XCP Base, SET_CAL_PAGE, 1.0).

        Raises:
            UsageError: segment or page does not exist.
        """
        self._page(segment, page).ecu = page
        self.generation += 1

    def set_xcp_page(self, segment: int, page: int) -> None:
        """Let XCP access a page (XCP Base, SET_CAL_PAGE, 1.0).

        Raises:
            UsageError: segment or page does not exist.
        """
        self._page(segment, page).xcp = page

    def copy_page(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """Copy (segment, page) to (segment, page) (XCP Base, COPY_CAL_PAGE, 1.0).

        Raises:
            WriteProtectedError: the target page is not writable.
            UsageError: a page does not exist, or the segments differ in size.
        """
        origin, goal = self._page(*source), self._page(*target)
        page = goal.segment.pages[target[1]]
        if not page.writable:
            raise WriteProtectedError(
                f"{goal.segment.name}: page {page.number} ({page.text}) is read-only."
            )
        data = origin.pages[source[1]]
        if len(data) != len(goal.pages[target[1]]):
            raise UsageError(
                f"{origin.segment.name} and {goal.segment.name} differ in size.",
                hint="Copy between pages of one segment.",
            )
        goal.pages[target[1]][:] = data
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
