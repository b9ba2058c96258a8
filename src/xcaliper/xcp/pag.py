"""Page switching commands."""

from __future__ import annotations

from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import BitField, bit, choose, packet, u8, u32
from xcaliper.xcp.codes import PID_RES, Group, PageProperties, PagProperties, SegmentMode, error_set
from xcaliper.xcp.std import EmptyResponse

__all__ = [
    "CalPageMode",
    "CopyCalPage",
    "GetCalPage",
    "GetCalPageResponse",
    "GetPagProcessorInfo",
    "GetPagProcessorInfoResponse",
    "GetPageInfo",
    "GetPageInfoResponse",
    "GetSegmentInfo",
    "GetSegmentInfoResponse",
    "GetSegmentMode",
    "GetSegmentModeResponse",
    "SegmentStandardInfo",
    "SegmentValueInfo",
    "SetCalPage",
    "SetSegmentMode",
]


class CalPageMode(BitField):
    """MODE of SET_CAL_PAGE (XCP Base, SET_CAL_PAGE, 1.0)."""

    __slots__ = ()
    ecu = bit(0)
    xcp = bit(1)
    all = bit(7, "every segment")


@command(
    0xEB, group=Group.PAG, resource="cal_pag", mandatory=True, errors=error_set("B P S L Pg M Sg N")
)
class SetCalPage(Request[EmptyResponse]):
    """Choose the page that the ECU, XCP or both use (XCP Base, SET_CAL_PAGE, 1.0)."""

    mode: CalPageMode = u8(1, view=CalPageMode)
    segment: int = u8(2)
    page: int = u8(3)


@packet(PID_RES)
class GetCalPageResponse(Response):
    """The page in use (XCP Base, GET_CAL_PAGE, 1.0)."""

    page: int = u8(3)


@command(
    0xEA, group=Group.PAG, resource="cal_pag", mandatory=True, errors=error_set("B P S L Pg M Sg N")
)
class GetCalPage(Request[GetCalPageResponse]):
    """Ask for the page in use: 1 by the ECU, 2 by XCP (XCP Base, GET_CAL_PAGE, 1.0)."""

    access_mode: int = u8(1)
    segment: int = u8(2)


@packet(PID_RES)
class GetPagProcessorInfoResponse(Response):
    """Number of segments (XCP Base, GET_PAG_PROCESSOR_INFO, 1.0)."""

    max_segment: int = u8(1)
    pag_properties: PagProperties = u8(2, view=PagProperties)


@command(0xE9, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S L N"))
class GetPagProcessorInfo(Request[GetPagProcessorInfoResponse]):
    """Ask for the number of segments (XCP Base, GET_PAG_PROCESSOR_INFO, 1.0)."""


class GetSegmentInfoResponse(Response):
    """Answer by mode: :class:`SegmentValueInfo` or :class:`SegmentStandardInfo`.

    *(XCP Base, GET_SEGMENT_INFO, 1.0)*
    """

    __slots__ = ()


@packet(PID_RES)
class SegmentStandardInfo(GetSegmentInfoResponse):
    """Answer to mode 1 (XCP Base, GET_SEGMENT_INFO, 1.0)."""

    max_pages: int = u8(1)
    address_extension: int = u8(2)
    max_mapping: int = u8(3)
    compression_method: int = u8(4)
    encryption_method: int = u8(5)


@packet(PID_RES)
class SegmentValueInfo(GetSegmentInfoResponse):
    """Answer to modes 0 and 2: one address or length (XCP Base, GET_SEGMENT_INFO, 1.0)."""

    value: int = u32(4)


choose(
    GetSegmentInfoResponse,
    "request.mode",
    {0: SegmentValueInfo, 1: SegmentStandardInfo, 2: SegmentValueInfo},
    default=SegmentValueInfo,
)


@command(0xE8, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S R L M Sg N"))
class GetSegmentInfo(Request[GetSegmentInfoResponse]):
    """Ask for a segment: mode 0 address or length, 1 pages, 2 mapping (XCP Base, GET_SEGMENT_INFO, 1.0)."""

    mode: int = u8(1)
    segment: int = u8(2)
    segment_info: int = u8(3, default=0)
    mapping_index: int = u8(4, default=0)


@packet(PID_RES)
class GetPageInfoResponse(Response):
    """Who may use a page (XCP Base, GET_PAGE_INFO, 1.0)."""

    page_properties: PageProperties = u8(1, view=PageProperties)
    init_segment: int = u8(2)


@command(0xE7, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S L Pg Sg N"))
class GetPageInfo(Request[GetPageInfoResponse]):
    """Ask for a page (XCP Base, GET_PAGE_INFO, 1.0)."""

    segment: int = u8(2)
    page: int = u8(3)


@command(0xE6, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S L M Sg N"))
class SetSegmentMode(Request[EmptyResponse]):
    """Mark a segment for STORE_CAL_REQ (XCP Base, SET_SEGMENT_MODE, 1.0)."""

    mode: SegmentMode = u8(1, view=SegmentMode)
    segment: int = u8(2)


@packet(PID_RES)
class GetSegmentModeResponse(Response):
    """Mode of a segment (XCP Base, GET_SEGMENT_MODE, 1.0)."""

    mode: SegmentMode = u8(2, view=SegmentMode)


@command(0xE5, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S L Sg N"))
class GetSegmentMode(Request[GetSegmentModeResponse]):
    """Ask for the mode of a segment (XCP Base, GET_SEGMENT_MODE, 1.0)."""

    segment: int = u8(2)


@command(0xE4, group=Group.PAG, resource="cal_pag", errors=error_set("B P U S W L Pg Sg N"))
class CopyCalPage(Request[EmptyResponse]):
    """Copy a page onto another (XCP Base, COPY_CAL_PAGE, 1.0)."""

    source_segment: int = u8(1)
    source_page: int = u8(2)
    destination_segment: int = u8(3)
    destination_page: int = u8(4)
