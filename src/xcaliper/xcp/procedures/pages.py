"""Pages of calibration segments: what there is, which one is used, switch and copy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, RemoteProtocolError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import pag
from xcaliper.xcp.codes import SegmentMode
from xcaliper.xcp.procedures.connect import Session, optional
from xcaliper.xcp.procedures.memory import told_and_uploaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.codes import PageProperties

__all__ = [
    "PageState",
    "SegmentState",
    "copy_page",
    "get_pages",
    "is_frozen",
    "page_info",
    "pages_in_use",
    "segment_name",
    "set_frozen",
    "set_page",
    "switch_page",
]

_NAME: Final = 2
_LONGEST_NAME: Final = 0xFF


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


def pages_in_use(segment: int) -> Procedure[tuple[int | None, int | None]]:
    """Pages of the ECU and of XCP; None for what the slave does not tell."""
    ecu = yield from optional(None, pag.GetCalPage(access_mode=1, segment=segment))
    asks = ecu is not None
    xcp = (
        (yield from optional(None, pag.GetCalPage(access_mode=2, segment=segment)))
        if asks
        else None
    )
    return (ecu.page if ecu else None), (xcp.page if xcp else None)


def switch_page(
    segments: Sequence[int], page: int, *, ecu: bool, xcp: bool, every: bool = False
) -> Procedure[dict[int, tuple[int | None, int | None]]]:
    """Switch to a page and look whether the slave has done it.

    Slaves refuse with whatever code, and some say yes and stay; what GET_CAL_PAGE tells counts.

    Args:
        segments: the one to switch; those to look at with ``every``.
        page: number.
        ecu: the application shall use it.
        xcp: reading and writing shall go there.
        every: switch all segments at once.

    Returns:
        Segment → (page of the ECU, page of XCP), None where the slave does not tell.

    Raises:
        NegativeResponseError: the slave refuses, and has not done it before either.
        RemoteProtocolError: it agreed and has not done it.
    """
    refused: NegativeResponseError | None = None
    try:
        yield from set_page(segments[0], page, ecu=ecu, xcp=xcp, every=every)
    except NegativeResponseError as error:
        refused = error
    found: dict[int, tuple[int | None, int | None]] = {}
    for number in segments:
        found[number] = yield from pages_in_use(number)
        for name, wanted, used in zip(("ECU", "XCP"), (ecu, xcp), found[number], strict=True):
            unknown = used is None and refused is None
            if not wanted or used == page or unknown:
                continue
            if refused is not None:
                raise refused
            raise RemoteProtocolError(
                f"SET_CAL_PAGE: the slave agreed to {name} page {page} of segment {number} and "
                f"is on page {used}."
            )
    return found


def set_frozen(segment: int, *, on: bool) -> Procedure[None]:
    """Mark a segment for STORE_CAL_REQ, or not, and look (XCP Base, SET_SEGMENT_MODE, 1.0).

    Raises:
        NegativeResponseError: the slave refuses.
        RemoteProtocolError: it agreed and has not done it.
    """
    mode = SegmentMode.of(freeze=int(on))
    yield from ask(pag.SetSegmentMode(mode=mode, segment=segment))
    found = yield from is_frozen(segment)
    if found is not None and found != on:
        raise RemoteProtocolError(
            f"SET_SEGMENT_MODE: segment {segment} {'is not' if on else 'is still'} in FREEZE mode."
        )


def is_frozen(segment: int) -> Procedure[bool | None]:
    """Whether a segment is marked for STORE_CAL_REQ; None when the slave does not tell."""
    reply = yield from optional(None, pag.GetSegmentMode(segment=segment))
    return None if reply is None else bool(reply.mode.freeze)


def _name_size(reply: pag.GetSegmentInfoResponse | None) -> int:
    size = reply.value if isinstance(reply, pag.SegmentValueInfo) else 0
    return size if 0 < size <= _LONGEST_NAME else 0


def segment_name(session: Session, segment: int) -> Procedure[str]:
    """Name of a segment, which some slaves have at the MTA; empty when there is none.

    Deviates: GET_SEGMENT_INFO mode 0 knows address and length; these slaves answer item 2 with the
    length of a name and point the MTA at it.
    """
    request = pag.GetSegmentInfo(mode=0, segment=segment, segment_info=_NAME)
    _, text = yield from told_and_uploaded(session, partial(optional, session, request), _name_size)
    name = text.split(b"\0")[0].decode("utf-8", "replace")
    return name if name.isprintable() else ""


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
    length = yield from optional(
        session, pag.GetSegmentInfo(mode=0, segment=number, segment_info=1)
    )
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
    xcp = (
        (yield from optional(session, pag.GetCalPage(access_mode=2, segment=number)))
        if ecu
        else None
    )
    return SegmentState(
        number=number,
        address=None if values[0] is None else Address(values[0], extension),
        size_bytes=(values[1] or 0) * session.profile.ag,
        pages=tuple(pages),
        ecu_page=ecu.page if ecu and xcp else None,
        xcp_page=xcp.page if xcp else None,
        standard=standard if isinstance(standard, pag.SegmentStandardInfo) else None,
    )
