"""Writes through slaves that want a page to be chosen first, although no description says so."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    WriteProtectedError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import pag
from xcaliper.xcp.procedures import pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.client.info import SegmentInfo
    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.memory import XcpMemory

__all__ = ["WriteAccess"]

#: GET_CAL_PAGE, access by XCP.
_BY_XCP: Final = 2


class WriteAccess:
    """Repeats a write that was refused as protected once the segment's page has been chosen.

    The page is the one that XCP sees already (page 0 where the slave does not tell), so nothing
    that was readable changes.

    Args:
        segments: of the slave.
        ag: bytes per address.

    Attributes:
        notes: segment → what had to be done for it.
    """

    def __init__(self, segments: Sequence[SegmentInfo], ag: int) -> None:
        self._segments = segments
        self._ag = ag
        self.notes: dict[int, Diagnostic] = {}

    def write(self, link: Link, memory: XcpMemory, address: Address, data: bytes) -> None:
        """Write; choose the page and write again where that helps.

        Raises:
            NegativeResponseError: the slave refuses it all the same.
        """
        try:
            link.run(memory.write(address, data))
        except WriteProtectedError:
            segment = self._segment_at(address)
            if segment is None or not link.run(_choose(segment.number)):
                raise
            link.run(memory.write(address, data))
            self.notes.setdefault(segment.number, _note(segment))

    def _segment_at(self, address: Address) -> SegmentInfo | None:
        for one in self._segments:
            start, size = one.address, one.size_bytes
            if start is None or size is None:
                continue
            if start <= address.value < start + size // self._ag:
                return one
        return None


def _choose(segment: int) -> Procedure[bool]:
    """Choose the page of XCP once more; False when the slave does not let it."""
    page = 0
    with suppress(NegativeResponseError, ExchangeTimeoutError):
        told = yield from ask(pag.GetCalPage(access_mode=_BY_XCP, segment=segment), attempts=1)
        page = told.page
    try:
        yield from pages.set_page(segment, page, ecu=False)
    except NegativeResponseError:
        return False
    return True


def _note(segment: SegmentInfo) -> Diagnostic:
    name = f"segment {segment.number} {segment.name}".rstrip()
    return Diagnostic(
        Severity.INFO,
        "page-chosen",
        Where(),
        f"{name}: the slave took the write only after SET_CAL_PAGE had chosen the page for XCP.",
        "Other tools have to choose it before they write.",
        subject=name,
    )
