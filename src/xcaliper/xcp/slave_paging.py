"""Access rules of pages in the slave: memory as XCP may see it while ECU and XCP use certain pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.xcp.codes import ErrorCode, negative_response
from xcaliper.xcp.page_access import Access, Side, page_refusal
from xcaliper.xcp.slave_config import ScratchMemory

if TYPE_CHECKING:
    from xcaliper.core.address import Address
    from xcaliper.xcp.slave_config import SegmentConfig, SlaveConfig, SlaveMemory

__all__ = ["PagedAccess", "guarded"]


def guarded(config: SlaveConfig, memory: SlaveMemory) -> SlaveMemory:
    """The memory behind the access rules of its pages; itself where every page allows everything."""
    always = Access.DONT_CARE
    strict = [
        segment
        for segment in config.segments
        if any(
            page.xcp_read_access != always or page.xcp_write_access != always
            for page in segment.pages
        )
    ]
    if not strict:
        return memory
    if isinstance(memory, ScratchMemory):
        return _ScratchPagedAccess(config.ag, memory, strict)
    return PagedAccess(config.ag, memory, strict)


class PagedAccess:
    """A memory whose segments are read and written as their pages allow (XCP Base, PAGE_PROPERTIES, 1.0).

    Args:
        ag: bytes per address.
        memory: what is behind.
        segments: those with rules.
    """

    def __init__(self, ag: int, memory: SlaveMemory, segments: list[SegmentConfig]) -> None:
        self._ag = ag
        self._memory = memory
        self._segments = segments
        self._unread = [
            one
            for one in segments
            if any(page.xcp_read_access != Access.DONT_CARE for page in one.pages)
        ]

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page of a segment; SET_CAL_PAGE has looked at the rules."""
        self._memory.set_page(segment, page, ecu=ecu, xcp=xcp)

    def get_page(self, segment: int, *, ecu: bool) -> int:
        """The page in use by the ECU, or by XCP."""
        return self._memory.get_page(segment, ecu=ecu)

    def _check(self, address: Address, size_bytes: int, side: Side, code: ErrorCode) -> None:
        for segment in self._unread if side is Side.XCP_READ else self._segments:
            start = segment.address
            offset = (address.value - start.value) * self._ag
            outside = offset >= segment.size_bytes or offset + size_bytes <= 0
            if address.extension != start.extension or outside:
                continue
            self._check_page(segment, self.get_page(segment.number, ecu=False), side, code)

    def _check_page(self, segment: SegmentConfig, page: int, side: Side, code: ErrorCode) -> None:
        together = page == self.get_page(segment.number, ecu=True)
        if page_refusal(segment.pages[page], side, together=together):
            raise negative_response("slave", code)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them.

        Raises:
            AccessDeniedError: there is no such memory, or its page may not be read now.
        """
        self._check(address, size_bytes, Side.XCP_READ, ErrorCode.ERR_ACCESS_DENIED)
        return self._memory.read(address, size_bytes)

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A view that stays current; whether it may be read is looked at now.

        Raises:
            AccessDeniedError: as for :meth:`read`.
        """
        self._check(address, size_bytes, Side.XCP_READ, ErrorCode.ERR_ACCESS_DENIED)
        return self._memory.view(address, size_bytes)

    def write(self, address: Address, data: bytes) -> None:
        """Write all bytes or none.

        Raises:
            WriteProtectedError: the page may not be written now.
            AccessDeniedError: there is no such memory.
        """
        self._check(address, len(data), Side.XCP_WRITE, ErrorCode.ERR_WRITE_PROTECTED)
        self._memory.write(address, data)

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy (segment, page) onto (segment, page).

        Raises:
            AccessDeniedError: the source may never be read.
            WriteProtectedError: the destination may not be written now.
        """
        for segment in self._segments:
            if segment.number == source[0] and not segment.pages[source[1]].xcp_read_access:
                raise negative_response("slave", ErrorCode.ERR_ACCESS_DENIED)
            if segment.number == destination[0]:
                code = ErrorCode.ERR_WRITE_PROTECTED
                self._check_page(segment, destination[1], Side.XCP_WRITE, code)
        self._memory.copy_page(source, destination)


class _ScratchPagedAccess(PagedAccess):
    """The same over a memory with scratch room."""

    def __init__(self, ag: int, memory: SlaveMemory, segments: list[SegmentConfig]) -> None:
        super().__init__(ag, memory, segments)
        assert isinstance(memory, ScratchMemory), "chosen for it by guarded()"
        self._scratch = memory

    def scratch(self) -> memoryview:
        """Writable bytes behind the variables."""
        return self._scratch.scratch()
