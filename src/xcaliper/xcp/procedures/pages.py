"""Pages of calibration segments: what there is, which one is used, switch and copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.address import Address
from xcaliper.proto.procedure import ask
from xcaliper.xcp import pag
from xcaliper.xcp.procedures.connect import Session, optional

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.codes import PageProperties

__all__ = ["PageState", "SegmentState", "copy_page", "get_pages", "page_info", "set_page"]


@dataclass(frozen=True, slots=True)
class PageState:
    """A page; properties are None when the slave does not tell."""

    number: int
    properties: PageProperties | None
    init_segment: int = 0


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A segment as the slave describes it.

    Attributes:
        number: of the segment.
        address: first address, None when the slave does not tell.
        size_bytes: length, 0 when the slave does not tell.
        pages: its pages.
        ecu_page: page that the ECU uses, None when the slave does not tell.
        xcp_page: page that XCP sees, None when the slave does not tell.
        standard: compression, encryption and the like, None when the slave does not tell.
    """

    number: int
    address: Address | None
    size_bytes: int
    pages: tuple[PageState, ...]
    ecu_page: int | None
    xcp_page: int | None
    standard: pag.SegmentStandardInfo | None = None


def set_page(
    segment: int, page: int, *, ecu: bool = True, xcp: bool = True, every: bool = False
) -> Procedure[None]:
    """Switch ECU, XCP or both to a page (XCP Base, SET_CAL_PAGE, 1.0).

    Args:
        segment: number; ignored with ``every``.
        page: number.
        ecu: the application shall use it.
        xcp: reading and writing shall go there.
        every: switch all segments at once.
    """
    mode = pag.CalPageMode.of(ecu=int(ecu), xcp=int(xcp), all=int(every))
    yield from ask(pag.SetCalPage(mode=mode, segment=segment, page=page))


def get_pages(segment: int) -> Procedure[tuple[int, int]]:
    """Pages in use by the ECU and by XCP (XCP Base, GET_CAL_PAGE, 1.0)."""
    ecu = yield from ask(pag.GetCalPage(access_mode=1, segment=segment))
    xcp = yield from ask(pag.GetCalPage(access_mode=2, segment=segment))
    return ecu.page, xcp.page


def copy_page(source: tuple[int, int], destination: tuple[int, int]) -> Procedure[None]:
    """Copy (segment, page) onto (segment, page) (XCP Base, COPY_CAL_PAGE, 1.0)."""
    yield from ask(
        pag.CopyCalPage(
            source_segment=source[0],
            source_page=source[1],
            destination_segment=destination[0],
            destination_page=destination[1],
        )
    )


def page_info(session: Session) -> Procedure[tuple[SegmentState, ...] | None]:
    """Every segment with its pages; None when the slave does not tell (take the A2L's then)."""
    if not session.resource.cal_pag:
        return None
    processor = yield from optional(session, pag.GetPagProcessorInfo())
    if processor is None:
        return None
    found: list[SegmentState] = []
    for number in range(processor.max_segment):
        state = yield from _segment(session, number)
        found.append(state)
    return tuple(found)


def _segment(session: Session, number: int) -> Procedure[SegmentState]:
    start = yield from optional(session, pag.GetSegmentInfo(mode=0, segment=number, segment_info=0))
    length = yield from optional(session, pag.GetSegmentInfo(mode=0, segment=number, segment_info=1))
    standard = yield from optional(session, pag.GetSegmentInfo(mode=1, segment=number))
    values = [
        reply.value if isinstance(reply, pag.SegmentValueInfo) else None
        for reply in (start, length)
    ]
    extension = 0
    pages: list[PageState] = []
    if isinstance(standard, pag.SegmentStandardInfo):
        extension = standard.address_extension
        for page in range(standard.max_pages):
            info = yield from optional(session, pag.GetPageInfo(segment=number, page=page))
            pages.append(
                PageState(page, info.page_properties, info.init_segment)
                if info
                else PageState(page, None)
            )
    ecu = yield from optional(session, pag.GetCalPage(access_mode=1, segment=number))
    xcp = (yield from optional(session, pag.GetCalPage(access_mode=2, segment=number))) if ecu else None
    return SegmentState(
        number=number,
        address=None if values[0] is None else Address(values[0], extension),
        size_bytes=(values[1] or 0) * session.profile.ag,
        pages=tuple(pages),
        ecu_page=ecu.page if ecu and xcp else None,
        xcp_page=xcp.page if xcp else None,
        standard=standard if isinstance(standard, pag.SegmentStandardInfo) else None,
    )
