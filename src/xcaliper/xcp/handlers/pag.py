"""Behaviour of the page switching commands."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import pag
from xcaliper.xcp.codes import ErrorCode, PageProperties, PagProperties, SegmentMode
from xcaliper.xcp.page_access import switch_refusal
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_config import PageConfig, SegmentConfig
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "copy_cal_page",
    "get_cal_page",
    "get_pag_processor_info",
    "get_page_info",
    "get_segment_info",
    "get_segment_mode",
    "set_cal_page",
    "set_segment_mode",
]


def _segment(slave: SlaveState, number: int) -> SegmentConfig:
    segments = slave.config.segments
    if number >= len(segments):
        raise refuse(ErrorCode.ERR_SEGMENT_NOT_VALID)
    return segments[number]


def _page(slave: SlaveState, segment: int, page: int) -> PageConfig:
    pages = _segment(slave, segment).pages
    if page >= len(pages):
        raise refuse(ErrorCode.ERR_PAGE_NOT_VALID)
    return pages[page]


def set_cal_page(slave: SlaveState, request: pag.SetCalPage) -> EmptyResponse:
    """Switch one or all segments, or none when one cannot (XCP Base, SET_CAL_PAGE, 1.0).

    The pages that the ECU and XCP use afterwards have to allow it, see ``page_access``.
    """
    mode = request.mode
    if not (mode.ecu or mode.xcp):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    numbers = range(len(slave.config.segments)) if mode.all else (request.segment,)
    for number in numbers:
        _page(slave, number, request.page)
        ecu_page, xcp_page = (
            request.page if chosen else slave.memory.get_page(number, ecu=ecu)
            for chosen, ecu in ((mode.ecu, True), (mode.xcp, False))
        )
        _, reason = switch_refusal(slave.config.segments[number].pages, ecu_page, xcp_page)
        if reason:
            raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    for number in numbers:
        slave.memory.set_page(number, request.page, ecu=bool(mode.ecu), xcp=bool(mode.xcp))
    return EmptyResponse()


def get_cal_page(slave: SlaveState, request: pag.GetCalPage) -> pag.GetCalPageResponse:
    """Tell the page of the ECU or of XCP (XCP Base, GET_CAL_PAGE, 1.0)."""
    if request.access_mode not in (1, 2):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    _segment(slave, request.segment)
    page = slave.memory.get_page(request.segment, ecu=request.access_mode == 1)
    return pag.GetCalPageResponse(page=page)


def get_pag_processor_info(
    slave: SlaveState, request: pag.GetPagProcessorInfo
) -> pag.GetPagProcessorInfoResponse:
    """Tell the number of segments (XCP Base, GET_PAG_PROCESSOR_INFO, 1.0)."""
    return pag.GetPagProcessorInfoResponse(
        max_segment=len(slave.config.segments),
        pag_properties=PagProperties.of(freeze_supported=int(slave.config.freeze)),
    )


def get_segment_info(
    slave: SlaveState, request: pag.GetSegmentInfo
) -> pag.SegmentStandardInfo | pag.SegmentValueInfo:
    """Tell address, length, pages or mapping (XCP Base, GET_SEGMENT_INFO, 1.0)."""
    segment = _segment(slave, request.segment)
    if request.mode == 1:
        return pag.SegmentStandardInfo(
            max_pages=len(segment.pages),
            address_extension=segment.address.extension,
            max_mapping=len(segment.mappings),
            compression_method=0,
            encryption_method=0,
        )
    if request.mode == 0:
        values: tuple[int, ...] = (segment.address.value, segment.size_bytes // slave.config.ag)
    elif request.mode == 2:
        if request.mapping_index >= len(segment.mappings):
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        mapping = segment.mappings[request.mapping_index]
        values = (mapping.source, mapping.destination, mapping.length)
    else:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    if request.segment_info >= len(values):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return pag.SegmentValueInfo(value=values[request.segment_info])


def get_page_info(slave: SlaveState, request: pag.GetPageInfo) -> pag.GetPageInfoResponse:
    """Tell who may use a page (XCP Base, GET_PAGE_INFO, 1.0)."""
    page = _page(slave, request.segment, request.page)
    return pag.GetPageInfoResponse(
        page_properties=PageProperties.of(
            ecu_access=page.ecu_access,
            xcp_read_access=page.xcp_read_access,
            xcp_write_access=page.xcp_write_access,
        ),
        init_segment=page.init_segment,
    )


def set_segment_mode(slave: SlaveState, request: pag.SetSegmentMode) -> EmptyResponse:
    """Mark a segment for storing, where that exists (XCP Base, SET_SEGMENT_MODE, 1.0)."""
    _segment(slave, request.segment)
    if request.mode.freeze and not slave.config.freeze:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    if request.mode.freeze:
        slave.frozen.add(request.segment)
    else:
        slave.frozen.discard(request.segment)
    return EmptyResponse()


def get_segment_mode(slave: SlaveState, request: pag.GetSegmentMode) -> pag.GetSegmentModeResponse:
    """Tell whether a segment is marked (XCP Base, GET_SEGMENT_MODE, 1.0)."""
    _segment(slave, request.segment)
    mode = SegmentMode.of(freeze=int(request.segment in slave.frozen))
    return pag.GetSegmentModeResponse(mode=mode)


def copy_cal_page(slave: SlaveState, request: pag.CopyCalPage) -> EmptyResponse:
    """Copy a page; the memory refuses a target in flash (XCP Base, COPY_CAL_PAGE, 1.0)."""
    _page(slave, request.source_segment, request.source_page)
    _page(slave, request.destination_segment, request.destination_page)
    slave.memory.copy_page(
        (request.source_segment, request.source_page),
        (request.destination_segment, request.destination_page),
    )
    return EmptyResponse()


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        pag.SetCalPage: set_cal_page,
        pag.GetCalPage: get_cal_page,
        pag.GetPagProcessorInfo: get_pag_processor_info,
        pag.GetSegmentInfo: get_segment_info,
        pag.GetPageInfo: get_page_info,
        pag.SetSegmentMode: set_segment_mode,
        pag.GetSegmentMode: get_segment_mode,
        pag.CopyCalPage: copy_cal_page,
    }
)
