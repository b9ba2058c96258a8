"""Rules about calibration segments and pages; what is switched is put back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, pag_info, segments
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import pag
from xcaliper.xcp.codes import ErrorCode, SegmentMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.conformance.probe import Probe

__all__ = ["RULES", "beyond", "current", "kept", "set_page", "switchable"]

_PAG: Final = Group.PAGING
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_NO_SEGMENT: Final = ErrorCode.ERR_SEGMENT_NOT_VALID
_NO_PAGE: Final = ErrorCode.ERR_PAGE_NOT_VALID
_NO_MODE: Final = ErrorCode.ERR_MODE_NOT_VALID
_ECU: Final = 1
_XCP: Final = 2
_PAGE: Final = Permission.PAGE


def beyond(probe: Probe) -> int:
    """The number of a segment that does not exist."""
    count = pag_info(probe).max_segment
    if count > 0xFF - 1:
        raise SkippedError("every segment number exists.")
    return count


@rule(
    "PAG-001",
    _PAG,
    "GET_PAG_PROCESSOR_INFO response is complete",
    "The answer to GET_PAG_PROCESSOR_INFO has 3 bytes.",
    "GET_PAG_PROCESSOR_INFO, 1.0",
)
def _info(probe: Probe) -> None:
    if not connect_response(probe).resource.cal_pag:
        raise SkippedError("the slave does not announce CAL/PAG.")
    probe.subject(pag.GetPagProcessorInfo(), 3)


@rule(
    "PAG-002",
    _PAG,
    "PAG_PROPERTIES has no unknown bits",
    "Bits 1 to 7 of PAG_PROPERTIES are reserved and sent as 0.",
    "GET_PAG_PROCESSOR_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _bits(probe: Probe) -> None:
    found = int(pag_info(probe).pag_properties)
    probe.demand(not found & 0xFE, f"PAG_PROPERTIES is 0x{found:02X}.")


@rule(
    "PAG-003",
    _PAG,
    "Standard information of segments",
    "GET_SEGMENT_INFO mode 1 gives 6 bytes for every segment.",
    "GET_SEGMENT_INFO, 1.0",
)
def _standard(probe: Probe) -> None:
    for number in range(_some(probe)):
        probe.subject(pag.GetSegmentInfo(mode=1, segment=number), 6)


def _some(probe: Probe) -> int:
    count = pag_info(probe).max_segment
    if not count:
        raise SkippedError("the slave has no calibration segments.")
    return min(count, 64)


@rule(
    "PAG-004",
    _PAG,
    "Address and length of segments",
    "GET_SEGMENT_INFO mode 0 gives 8 bytes for address and length.",
    "GET_SEGMENT_INFO, 1.0",
)
def _basic(probe: Probe) -> None:
    for number in range(_some(probe)):
        for which in (0, 1):
            request = pag.GetSegmentInfo(mode=0, segment=number, segment_info=which)
            probe.subject(request, 8)


@rule(
    "PAG-005",
    _PAG,
    "Segments have pages",
    "Every segment has at least one page: page 0.",
    "GET_SEGMENT_INFO, 1.0",
)
def _has_pages(probe: Probe) -> None:
    for segment in segments(probe):
        probe.demand(segment.info.max_pages, f"segment {segment.number} has no page.")


@rule(
    "PAG-006",
    _PAG,
    "Segments have a length",
    "No segment is empty.",
    "GET_SEGMENT_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _has_length(probe: Probe) -> None:
    for segment in segments(probe):
        probe.demand(segment.length, f"segment {segment.number} has length 0.")


@rule(
    "PAG-007",
    _PAG,
    "Information of a segment that does not exist",
    "GET_SEGMENT_INFO beyond the last segment is refused with ERR_OUT_OF_RANGE or "
    "ERR_SEGMENT_NOT_VALID.",
    "GET_SEGMENT_INFO, 1.0",
)
def _no_segment(probe: Probe) -> None:
    probe.refused(pag.GetSegmentInfo(mode=1, segment=beyond(probe)), _RANGE, _NO_SEGMENT)


@rule(
    "PAG-008",
    _PAG,
    "Unknown mode of GET_SEGMENT_INFO",
    "A mode above 2 is refused with ERR_MODE_NOT_VALID or ERR_OUT_OF_RANGE.",
    "GET_SEGMENT_INFO, 1.0",
)
def _info_mode(probe: Probe) -> None:
    segments(probe)
    probe.refused(bytes((0xE8, 0x7E, 0, 0, 0)), _NO_MODE, _RANGE)


@rule(
    "PAG-009",
    _PAG,
    "Mappings that are announced exist",
    "GET_SEGMENT_INFO mode 2 gives source, destination and length of every mapping.",
    "GET_SEGMENT_INFO, 1.0",
)
def _mappings(probe: Probe) -> None:
    mapped = [one for one in segments(probe) if one.info.max_mapping]
    if not mapped:
        raise SkippedError("no segment has a mapping.")
    for segment in mapped:
        for index in range(min(segment.info.max_mapping, 16)):
            for which in range(3):
                probe.subject(
                    pag.GetSegmentInfo(
                        mode=2, segment=segment.number, segment_info=which, mapping_index=index
                    ),
                    8,
                )


@rule(
    "PAG-010",
    _PAG,
    "Pages in use exist",
    "GET_CAL_PAGE gives, for ECU and XCP, a page that the segment has.",
    "GET_CAL_PAGE, 1.0",
)
def _page_in_use(probe: Probe) -> None:
    for segment in segments(probe):
        for mode in (_ECU, _XCP):
            answer = probe.subject(pag.GetCalPage(access_mode=mode, segment=segment.number), 4)
            probe.demand(
                answer[3] < max(segment.info.max_pages, 1),
                f"segment {segment.number} uses page {answer[3]}, which it has not.",
            )


@rule(
    "PAG-011",
    _PAG,
    "GET_CAL_PAGE in no mode",
    "GET_CAL_PAGE for neither ECU nor XCP is refused.",
    "GET_CAL_PAGE, 1.0",
)
def _page_mode(probe: Probe) -> None:
    segments(probe)
    probe.refused(pag.GetCalPage(access_mode=0, segment=0), _NO_MODE, _RANGE)


@rule(
    "PAG-012",
    _PAG,
    "GET_CAL_PAGE of a segment that does not exist",
    "GET_CAL_PAGE beyond the last segment is refused with ERR_SEGMENT_NOT_VALID or "
    "ERR_OUT_OF_RANGE.",
    "GET_CAL_PAGE, 1.0",
)
def _page_segment(probe: Probe) -> None:
    probe.refused(pag.GetCalPage(access_mode=_XCP, segment=beyond(probe)), _NO_SEGMENT, _RANGE)


def _pages(probe: Probe) -> list[tuple[int, int]]:
    return [
        (one.number, page) for one in segments(probe) for page in range(min(one.info.max_pages, 16))
    ]


@rule(
    "PAG-013",
    _PAG,
    "Information of pages",
    "GET_PAGE_INFO gives 3 bytes for every page of every segment.",
    "GET_PAGE_INFO, 1.0",
)
def _page_info(probe: Probe) -> None:
    for segment, page in _pages(probe):
        probe.subject(pag.GetPageInfo(segment=segment, page=page), 3)


@rule(
    "PAG-014",
    _PAG,
    "PAGE_PROPERTIES has no unknown bits",
    "Bits 6 and 7 of PAGE_PROPERTIES are reserved and sent as 0.",
    "GET_PAGE_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _page_bits(probe: Probe) -> None:
    for segment, page in _pages(probe):
        found = int(probe.use(pag.GetPageInfo(segment=segment, page=page)).page_properties)
        probe.demand(not found & 0xC0, f"segment {segment} page {page}: 0x{found:02X}.")


@rule(
    "PAG-015",
    _PAG,
    "INIT_SEGMENT exists",
    "INIT_SEGMENT of a page is the number of a segment.",
    "GET_PAGE_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _init_segment(probe: Probe) -> None:
    count = pag_info(probe).max_segment
    for segment, page in _pages(probe):
        found = probe.use(pag.GetPageInfo(segment=segment, page=page)).init_segment
        probe.demand(found < count, f"segment {segment} page {page}: INIT_SEGMENT {found}.")


@rule(
    "PAG-016",
    _PAG,
    "Information of a page that does not exist",
    "GET_PAGE_INFO beyond the last page is refused with ERR_PAGE_NOT_VALID or ERR_OUT_OF_RANGE.",
    "GET_PAGE_INFO, 1.0",
)
def _no_page(probe: Probe) -> None:
    first = segments(probe)[0]
    page = first.info.max_pages
    if page > 0xFE:
        raise SkippedError("every page number exists.")
    probe.refused(pag.GetPageInfo(segment=0, page=page), _NO_PAGE, _RANGE)


@rule(
    "PAG-017",
    _PAG,
    "FREEZE only where it is supported",
    "Without FREEZE_SUPPORTED no segment is in mode FREEZE.",
    "GET_SEGMENT_MODE, 1.0",
)
def _frozen(probe: Probe) -> None:
    if pag_info(probe).pag_properties.freeze_supported:
        raise SkippedError("the slave supports FREEZE.")
    for segment in segments(probe):
        mode = probe.use(pag.GetSegmentMode(segment=segment.number)).mode
        probe.demand(not mode.freeze, f"segment {segment.number} is in mode FREEZE.")


@rule(
    "PAG-018",
    _PAG,
    "Mode of a segment that does not exist",
    "GET_SEGMENT_MODE beyond the last segment is refused with ERR_SEGMENT_NOT_VALID or "
    "ERR_OUT_OF_RANGE.",
    "GET_SEGMENT_MODE, 1.0",
)
def _mode_segment(probe: Probe) -> None:
    probe.refused(pag.GetSegmentMode(segment=beyond(probe)), _NO_SEGMENT, _RANGE)


# -- switching ------------------------------------------------------------------------------------


def current(probe: Probe, segment: int, access: int) -> int:
    """The page that ECU (1) or XCP (2) uses."""
    return probe.use(pag.GetCalPage(access_mode=access, segment=segment)).page


def set_page(segment: int, page: int, *, ecu: int = 0, xcp: int = 0) -> pag.SetCalPage:
    """SET_CAL_PAGE for ECU, XCP or both."""
    return pag.SetCalPage(mode=pag.CalPageMode.of(ecu=ecu, xcp=xcp), segment=segment, page=page)


@contextmanager
def kept(probe: Probe, segment: int) -> Iterator[tuple[int, int]]:
    """ECU page and XCP page of a segment; both are set again at the end."""
    ecu, xcp = (current(probe, segment, access) for access in (_ECU, _XCP))
    try:
        yield ecu, xcp
    finally:
        if current(probe, segment, _ECU) != ecu:
            probe.use(set_page(segment, ecu, ecu=1))
        if current(probe, segment, _XCP) != xcp:
            probe.use(set_page(segment, xcp, xcp=1))


def switchable(probe: Probe) -> tuple[int, int]:
    """A segment, and a page that XCP may read and does not use.

    Raises:
        SkippedError: there is none.
    """
    for segment in segments(probe):
        now = current(probe, segment.number, _XCP)
        for page in range(min(segment.info.max_pages, 16)):
            answer = probe.ask(pag.GetPageInfo(segment=segment.number, page=page))
            told = answer is not None and answer[0] == 0xFF and len(answer) > 1
            if page != now and (not told or (answer or b"\0\0")[1] & 0x0C == 0x0C):
                return segment.number, page
    raise SkippedError("no segment has a second page for XCP.")


@rule(
    "PAG-019",
    _PAG,
    "SET_CAL_PAGE switches XCP access",
    "After SET_CAL_PAGE for XCP, GET_CAL_PAGE gives the new page.",
    "SET_CAL_PAGE, 1.0",
    needs=_PAGE,
)
def _switch(probe: Probe) -> None:
    segment, page = switchable(probe)
    with kept(probe, segment):
        probe.subject(set_page(segment, page, xcp=1))
        found = current(probe, segment, _XCP)
        probe.demand(found == page, f"XCP uses page {found} after switching to {page}.")


@rule(
    "PAG-020",
    _PAG,
    "ECU and XCP pages are apart",
    "SET_CAL_PAGE for XCP only leaves the page of the ECU alone.",
    "SET_CAL_PAGE, 1.0",
    severity=Severity.DEVIATION,
    needs=_PAGE,
)
def _apart(probe: Probe) -> None:
    segment, page = switchable(probe)
    with kept(probe, segment) as (ecu, _):
        probe.use(set_page(segment, page, xcp=1))
        found = current(probe, segment, _ECU)
        probe.demand(found == ecu, f"the ECU page changed from {ecu} to {found} as well.")


@rule(
    "PAG-021",
    _PAG,
    "SET_CAL_PAGE in no mode",
    "SET_CAL_PAGE for neither ECU nor XCP is refused with ERR_MODE_NOT_VALID.",
    "SET_CAL_PAGE, 1.0",
    needs=_PAGE,
)
def _no_mode(probe: Probe) -> None:
    segments(probe)
    page = current(probe, 0, _XCP)
    probe.refused(set_page(0, page), _NO_MODE, _RANGE)


@rule(
    "PAG-022",
    _PAG,
    "SET_CAL_PAGE to a page that does not exist",
    "SET_CAL_PAGE beyond the last page is refused with ERR_PAGE_NOT_VALID or ERR_OUT_OF_RANGE.",
    "SET_CAL_PAGE, 1.0",
    needs=_PAGE,
)
def _set_no_page(probe: Probe) -> None:
    page = segments(probe)[0].info.max_pages
    if page > 0xFE:
        raise SkippedError("every page number exists.")
    with kept(probe, 0):
        probe.refused(set_page(0, page, xcp=1), _NO_PAGE, _RANGE)


@rule(
    "PAG-023",
    _PAG,
    "SET_CAL_PAGE of a segment that does not exist",
    "SET_CAL_PAGE beyond the last segment is refused with ERR_SEGMENT_NOT_VALID or "
    "ERR_OUT_OF_RANGE.",
    "SET_CAL_PAGE, 1.0",
    needs=_PAGE,
)
def _set_no_segment(probe: Probe) -> None:
    probe.refused(set_page(beyond(probe), 0, xcp=1), _NO_SEGMENT, _RANGE)


@rule(
    "PAG-024",
    _PAG,
    "SET_SEGMENT_MODE marks a segment",
    "With FREEZE_SUPPORTED, GET_SEGMENT_MODE gives what SET_SEGMENT_MODE set.",
    "SET_SEGMENT_MODE, 1.0",
    needs=_PAGE,
)
def _freeze(probe: Probe) -> None:
    if not pag_info(probe).pag_properties.freeze_supported:
        raise SkippedError("the slave does not support FREEZE.")
    segments(probe)
    before = probe.use(pag.GetSegmentMode(segment=0)).mode
    other = SegmentMode.of(freeze=1 - before.freeze)
    try:
        probe.subject(pag.SetSegmentMode(mode=other, segment=0))
        found = probe.use(pag.GetSegmentMode(segment=0)).mode
        probe.demand(found.freeze == other.freeze, "the mode did not change.")
    finally:
        probe.use(pag.SetSegmentMode(mode=SegmentMode.of(freeze=before.freeze), segment=0))


RULES: Final[tuple[Rule, ...]] = (
    _info,
    _bits,
    _standard,
    _basic,
    _has_pages,
    _has_length,
    _no_segment,
    _info_mode,
    _mappings,
    _page_in_use,
    _page_mode,
    _page_segment,
    _page_info,
    _page_bits,
    _init_segment,
    _no_page,
    _frozen,
    _mode_segment,
    _switch,
    _apart,
    _no_mode,
    _set_no_page,
    _set_no_segment,
    _freeze,
)
