"""Asks a slave what it can and has, and holds the A2L against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.a2l.if_xcp import read_segment
from xcaliper.client.binding import declared_daq
from xcaliper.client.info import SegmentInfo
from xcaliper.core.errors import ProtocolError, UnlockError
from xcaliper.daq.merge import DaqAnswers, EventAnswer, ListAnswer, merge
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.pages import page_info
from xcaliper.xcp.procedures.program import program_info

if TYPE_CHECKING:
    from xcaliper.a2l import A2lFile
    from xcaliper.a2l.if_xcp import XcpDescription, XcpSegment
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.page_access import PageRules
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.procedures.program import ProgramInfo

__all__ = ["survey_daq", "survey_program", "survey_segments"]


def survey_daq(
    link: Link, session: Session, described: XcpDescription | None
) -> tuple[DaqCapabilities | None, tuple[Diagnostic, ...]]:
    """DAQ abilities, the slave's answers over the A2L's words; contradictions are reported.

    Returns:
        None when the slave offers no DAQ.
    """
    if not session.resource.daq:
        return None, ()
    told = link.run(daq_info(session))
    answers = DaqAnswers(
        processor=told.processor,
        resolution=told.resolution,
        events=tuple(EventAnswer(e.channel, e.info, e.name) for e in told.events or ()),
        lists=tuple(ListAnswer(one.number, one.info, one.odts) for one in told.lists),
    )
    return merge(declared_daq(described), answers, session.profile)


def survey_program(link: Link, session: Session) -> ProgramInfo | None:
    """Abilities of programming, without the sectors; None when the slave does not tell."""
    return link.run(program_info(session, sectors=False))


def _described_segments(file: A2lFile | None) -> dict[int, SegmentInfo]:
    """Segments of the description by their XCP number."""
    found: dict[int, SegmentInfo] = {}
    mod_par = file.module.mod_par if file is not None else None
    for segment in mod_par.memory_segment if mod_par else ():
        xcp = read_segment(segment.if_data)
        if xcp is not None:
            found[xcp.number] = SegmentInfo(
                number=xcp.number,
                name=segment.name,
                address=segment.address,
                size_bytes=segment.size,
                pages=xcp.number_of_pages,
                extension=xcp.address_extension,
                page_rules=_described_rules(xcp),
            )
    return found


def _described_rules(xcp: XcpSegment) -> tuple[PageRules | None, ...]:
    """Rights of the pages as the description tells them, by number."""
    by_number = {page.number: page for page in xcp.pages}
    return tuple(by_number.get(number) for number in range(xcp.number_of_pages))


def survey_segments(link: Link, session: Session, file: A2lFile | None) -> tuple[SegmentInfo, ...]:
    """Calibration segments with the pages in use; what the slave does not tell is the A2L's."""
    described = _described_segments(file)
    if not session.resource.cal_pag:
        return tuple(described.values())
    try:
        live = link.run(page_info(session))
    except UnlockError:
        raise
    except ProtocolError:
        live = None
    if live is None:
        return tuple(described.values())
    found = []
    for state in live:
        paper = described.get(state.number, SegmentInfo(state.number))
        rules: tuple[PageRules | None, ...] = paper.page_rules
        if any(page.properties is not None for page in state.pages):
            rules = tuple(page.properties for page in state.pages)
        found.append(
            SegmentInfo(
                number=state.number,
                name=paper.name,
                address=paper.address if state.address is None else state.address.value,
                size_bytes=state.size_bytes or paper.size_bytes,
                pages=len(state.pages) or paper.pages,
                ecu_page=state.ecu_page,
                xcp_page=state.xcp_page,
                extension=paper.extension if state.address is None else state.address.extension,
                page_rules=rules,
            )
        )
    return tuple(found)
