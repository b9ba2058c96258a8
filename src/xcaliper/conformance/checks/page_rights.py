"""Rules about copying pages, switching all segments and keeping the rights that are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.checks.paging import beyond, current, kept, set_page, switchable
from xcaliper.conformance.facts import pag_info, read, segments
from xcaliper.conformance.model import FaultError, Group, Permission, Rule, SkippedError, rule
from xcaliper.core.address import Address
from xcaliper.xcp import cal, pag, std
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode, SegmentMode

if TYPE_CHECKING:
    from xcaliper.conformance.facts import SegmentFacts
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_PAG: Final = Group.PAGING
_MAY: Final = Permission.PAGE
_BOTH: Final = (Permission.PAGE, Permission.WRITE)
_XCP: Final = 2
_ALL: Final = 0x82
_MOST: Final = 4096
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_NO_SEGMENT: Final = ErrorCode.ERR_SEGMENT_NOT_VALID


def _point(probe: Probe, segment: SegmentFacts) -> Address:
    start = Address(segment.address, segment.info.address_extension)
    probe.use(std.SetMta(address=start.value, address_extension=start.extension))
    return start


def _rewrite(probe: Probe, segment: SegmentFacts, data: bytes) -> None:
    """Write a whole segment on the page in use.

    Raises:
        FaultError: it is not what it was.
    """
    ag = probe.profile.ag
    room = (probe.profile.max_cto - max(2, ag)) // ag
    start = _point(probe, segment)
    for at in range(0, len(data), room * ag):
        part = data[at : at + room * ag]
        probe.use(cal.Download(count=len(part) // ag, data=part))
    if read(probe, start, segment.length) != data:
        raise FaultError("the page that was copied to could not be restored.")


def _rights(probe: Probe, segment: int, page: int) -> pag.GetPageInfoResponse:
    return probe.use(pag.GetPageInfo(segment=segment, page=page))


@rule(
    "PAG-025",
    _PAG,
    "COPY_CAL_PAGE copies",
    "After COPY_CAL_PAGE the destination holds what the source holds.",
    "COPY_CAL_PAGE, 1.0",
    needs=_BOTH,
)
def _copies(probe: Probe) -> None:
    number, other = switchable(probe)
    segment = segments(probe)[number]
    if segment.length > _MOST:
        raise SkippedError(f"the segment has more than {_MOST} elements.")
    with kept(probe, number) as (_, here):
        found = {}
        for page in (other, here):
            probe.use(set_page(number, page, xcp=1))
            found[page] = read(probe, _point(probe, segment), segment.length)
        if found[here] == found[other]:
            raise SkippedError("both pages hold the same.")
        goal = next(
            (
                p
                for p in (here, other)
                if _rights(probe, number, p).page_properties.xcp_write_access
            ),
            None,
        )
        if goal is None:
            raise SkippedError("XCP may write neither page.")
        source = other if goal == here else here
        request = pag.CopyCalPage(
            source_segment=number,
            source_page=source,
            destination_segment=number,
            destination_page=goal,
        )
        probe.subject(request)
        probe.use(set_page(number, goal, xcp=1))
        try:
            now = read(probe, _point(probe, segment), segment.length)
            probe.demand(
                now == found[source], f"page {goal} does not hold what page {source} holds."
            )
        finally:
            _rewrite(probe, segment, found[goal])


@rule(
    "PAG-026",
    _PAG,
    "COPY_CAL_PAGE of a segment that does not exist",
    "COPY_CAL_PAGE from beyond the last segment is refused with ERR_SEGMENT_NOT_VALID, "
    "ERR_PAGE_NOT_VALID or ERR_OUT_OF_RANGE.",
    "COPY_CAL_PAGE, 1.0",
    needs=_MAY,
)
def _no_source(probe: Probe) -> None:
    request = pag.CopyCalPage(
        source_segment=beyond(probe), source_page=0, destination_segment=0, destination_page=0
    )
    probe.refused(request, _NO_SEGMENT, ErrorCode.ERR_PAGE_NOT_VALID, _RANGE)


@rule(
    "PAG-027",
    _PAG,
    "SET_CAL_PAGE for all segments",
    "With the ALL bit SET_CAL_PAGE switches every segment, whatever segment it names.",
    "SET_CAL_PAGE, 1.0",
    needs=_MAY,
)
def _all(probe: Probe) -> None:
    numbers = [one.number for one in segments(probe)]
    now = {number: current(probe, number, _XCP) for number in numbers}
    if any(now[one.number] >= one.info.max_pages for one in segments(probe)):
        raise SkippedError("builds on the pages in use, which another rule judges.")
    page = next((p for p in range(_least(probe)) if _may_all(probe, numbers, p, now)), None)
    if page is None or len(numbers) < 2:
        raise SkippedError("no page of every segment may be read, or all are in use.")
    try:
        probe.subject(bytes((0xEB, _ALL, 0, page)))
        left = [number for number in numbers if current(probe, number, _XCP) != page]
        probe.demand(not left, f"segments {left} use another page than {page}.")
    finally:
        for number, before in now.items():
            if current(probe, number, _XCP) != before:
                probe.use(set_page(number, before, xcp=1))


def _least(probe: Probe) -> int:
    return min(16, *(one.info.max_pages for one in segments(probe)))


def _may_all(probe: Probe, numbers: list[int], page: int, now: dict[int, int]) -> bool:
    """Whether XCP may read the page in every segment, with whatever the ECU uses, and some use another."""
    unused = [number for number in numbers if now[number] != page]
    free = all(
        _rights(probe, number, page).page_properties.xcp_read_access == 3 for number in numbers
    )
    return len(unused) > 1 and free


@rule(
    "PAG-028",
    _PAG,
    "Pages that are told as read-only are",
    "DOWNLOAD to a page without XCP write access is refused. The bytes written are those that are there.",
    "GET_PAGE_INFO, 1.0",
    needs=_BOTH,
)
def _read_only(probe: Probe) -> None:
    for segment in segments(probe):
        for page in range(min(segment.info.max_pages, 16)):
            rights = _rights(probe, segment.number, page).page_properties
            if rights.xcp_write_access or rights.xcp_read_access != 3:
                continue
            with kept(probe, segment.number):
                probe.use(set_page(segment.number, page, xcp=1))
                if current(probe, segment.number, _XCP) != page:
                    raise SkippedError("builds on SET_CAL_PAGE, which another rule judges.")
                data = read(probe, _point(probe, segment), 1)
                _point(probe, segment)
                answer = probe.ask(cal.Download(count=1, data=data))
                probe.demand(answer is not None, "DOWNLOAD was not answered.")
                assert answer is not None
                where = f"page {page} of segment {segment.number}"
                probe.demand(answer[0] != PID_RES, f"{where} is read-only and was written.")
                probe.demand(answer[0] == PID_ERR, f"DOWNLOAD to {where} was not refused.")
                return
    raise SkippedError("no page is told as readable and not writable.")


@rule(
    "PAG-029",
    _PAG,
    "FREEZE is refused where it is not supported",
    "SET_SEGMENT_MODE with FREEZE is refused by a slave without FREEZE_SUPPORTED.",
    "SET_SEGMENT_MODE, 1.0",
    needs=_MAY,
)
def _no_freeze(probe: Probe) -> None:
    if pag_info(probe).pag_properties.freeze_supported:
        raise SkippedError("the slave supports FREEZE.")
    segments(probe)
    request = pag.SetSegmentMode(mode=SegmentMode.of(freeze=1), segment=0)
    probe.refused(request, ErrorCode.ERR_MODE_NOT_VALID, _RANGE)


@rule(
    "PAG-030",
    _PAG,
    "SET_SEGMENT_MODE of a segment that does not exist",
    "SET_SEGMENT_MODE beyond the last segment is refused with ERR_SEGMENT_NOT_VALID or ERR_OUT_OF_RANGE.",
    "SET_SEGMENT_MODE, 1.0",
    needs=_MAY,
)
def _no_mode_segment(probe: Probe) -> None:
    request = pag.SetSegmentMode(mode=SegmentMode.of(freeze=0), segment=beyond(probe))
    probe.refused(request, _NO_SEGMENT, _RANGE)


RULES: Final[tuple[Rule, ...]] = (
    _copies,
    _no_source,
    _all,
    _read_only,
    _no_freeze,
    _no_mode_segment,
)
