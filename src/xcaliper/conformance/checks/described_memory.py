"""Rules that hold what the A2L says of program, segments, pages and resources against the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, pag_info, segments
from xcaliper.conformance.model import Group, Rule, Severity, SkippedError, rule
from xcaliper.conformance.paper import identification
from xcaliper.core.address import Address
from xcaliper.xcp import pag, pgm, std
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.procedures.identify import IdType

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l.xcp_model import XcpDescription
    from xcaliper.conformance.paper import Paper, PaperSegment
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_CHECKSUM_BYTES: Final = 4


def _agree(
    number: str, title: str, demands: str, item: str
) -> Callable[[Callable[[Probe], None]], Rule]:
    source = f"ASAP2, {item}"
    return rule(number, Group.A2L, title, demands, source, severity=Severity.DEVIATION)


def _paper(probe: Probe) -> Paper:
    if probe.paper is None:
        raise SkippedError("no A2L was given.")
    return probe.paper


def _xcp(probe: Probe) -> XcpDescription:
    found = _paper(probe).xcp
    if found is None:
        raise SkippedError("the A2L has no IF_DATA XCP.")
    return found


def _segments(probe: Probe) -> tuple[PaperSegment, ...]:
    found = _paper(probe).segments
    if not found:
        raise SkippedError("the A2L has no segments of XCP.")
    return found


@_agree(
    "A2L-015",
    "EPK: A2L and slave agree",
    "EPK of the A2L is the text that GET_ID gives for type 5.",
    "MOD_PAR EPK",
)
def _epk(probe: Probe) -> None:
    wrote = _paper(probe).epk.strip()
    if not wrote:
        raise SkippedError("the A2L has no EPK.")
    told = identification(probe, IdType.EPK).rstrip(b"\0").decode("latin-1").strip()
    if not told:
        raise SkippedError("the slave tells no EPK.")
    probe.demand(wrote == told, f"EPK: the A2L says {wrote!r}, the slave {told!r}.")


@_agree(
    "A2L-016",
    "Segments: A2L and slave agree",
    "Every SEGMENT of the A2L has the address, length and number of pages that the slave tells.",
    "IF_DATA XCP SEGMENT",
)
def _places(probe: Probe) -> None:
    there = {one.number: one for one in segments(probe)}
    ag, wrong = probe.profile.ag, []
    for paper in _segments(probe):
        number, told = paper.xcp.number, there.get(paper.xcp.number)
        if told is None:
            wrong.append(f"segment {number} does not exist")
            continue
        wrote = (paper.address, paper.size_bytes // ag, paper.xcp.number_of_pages)
        found = (told.address, told.length, told.info.max_pages)
        for name, one, other in zip(("address", "length", "pages"), wrote, found, strict=True):
            if one != other:
                wrong.append(f"segment {number}: {name} 0x{one:X}, told 0x{other:X}")
    probe.demand(not wrong, f"{'; '.join(wrong[:4])}.")


@_agree(
    "A2L-017",
    "Checksums: A2L and slave agree",
    "BUILD_CHECKSUM uses the algorithm that the A2L names for the segment.",
    "IF_DATA XCP CHECKSUM",
)
def _checksum(probe: Probe) -> None:
    named = [one for one in _segments(probe) if one.xcp.checksum is not None]
    if not named:
        raise SkippedError("the A2L names no checksum.")
    for one in named:
        assert one.xcp.checksum is not None
        start = Address(one.address, one.xcp.address_extension)
        probe.use(std.SetMta(address=start.value, address_extension=start.extension))
        count = max(_CHECKSUM_BYTES // probe.profile.ag, 1)
        told = int(probe.use(std.BuildChecksum(block_size=count)).checksum_type)
        wrote = one.xcp.checksum.type
        names = [ChecksumType(v).name if v in set(ChecksumType) else hex(v) for v in (wrote, told)]
        probe.demand(wrote == told, f"{one.name}: the A2L says {names[0]}, the slave {names[1]}.")


@_agree(
    "A2L-018",
    "Rights at pages: A2L and slave agree",
    "Every PAGE of the A2L has the access rights that GET_PAGE_INFO tells.",
    "IF_DATA XCP PAGE",
)
def _rights(probe: Probe) -> None:
    wrong = []
    for segment in _segments(probe):
        for page in segment.xcp.pages:
            number = segment.xcp.number
            info = probe.use(pag.GetPageInfo(segment=number, page=page.number)).page_properties
            wrote = (page.ecu_access, page.xcp_read_access, page.xcp_write_access)
            told = (info.ecu_access, info.xcp_read_access, info.xcp_write_access)
            if wrote != told:
                wrong.append(f"page {page.number} of segment {number}: {wrote}, told {told}")
    probe.demand(not wrong, f"ECU, XCP read, XCP write: {'; '.join(wrong[:4])}.")


@_agree(
    "A2L-019",
    "Abilities of paging: A2L and slave agree",
    "PAG of the A2L has the number of segments and the FREEZE ability that the slave tells.",
    "IF_DATA XCP PAG",
)
def _paging(probe: Probe) -> None:
    paper = _xcp(probe).pag
    if paper is None:
        raise SkippedError("the A2L has no PAG.")
    info = pag_info(probe)
    wrote = (paper.max_segments, paper.freeze_supported)
    told = (info.max_segment, bool(info.pag_properties.freeze_supported))
    probe.demand(wrote == told, f"segments, FREEZE: the A2L says {wrote}, the slave {told}.")


@_agree(
    "A2L-020",
    "Abilities of programming: A2L and slave agree",
    "A slave whose A2L has PGM announces PGM, with the modes and sectors that the A2L names.",
    "IF_DATA XCP PGM",
)
def _programming(probe: Probe) -> None:
    paper, there = _xcp(probe).pgm, connect_response(probe).resource.pgm
    if paper is None:
        raise SkippedError("the A2L has no PGM.")
    probe.demand(there, "the A2L has PGM, and the slave does not announce it.")
    info = probe.use(pgm.GetPgmProcessorInfo())
    wrote, told = (paper.mode, paper.max_sectors), (int(info.pgm_properties) & 3, info.max_sector)
    probe.demand(wrote == told, f"mode, sectors: the A2L says {wrote}, the slave {told}.")


@_agree(
    "A2L-021",
    "Seed and key: the A2L names what the slave wants",
    "Where the slave protects a resource, the A2L names SEED_AND_KEY_EXTERNAL_FUNCTION.",
    "IF_DATA XCP SEED_AND_KEY_EXTERNAL_FUNCTION",
)
def _keys(probe: Probe) -> None:
    layer = _xcp(probe).protocol_layer
    if layer is None:
        raise SkippedError("the A2L has no PROTOCOL_LAYER.")
    start = probe.status_at_start
    if len(start) < 3 or not start[2] & int(connect_response(probe).resource):
        raise SkippedError("no resource is protected.")
    probe.cite("status")
    probe.demand(layer.seed_and_key, "resources are protected, and the A2L names no key function.")


@_agree(
    "A2L-022",
    "Stimulation: A2L and slave agree",
    "The A2L has STIM where the slave announces STIM, and nowhere else.",
    "IF_DATA XCP STIM",
)
def _stimulation(probe: Probe) -> None:
    paper, there = _xcp(probe).daq, bool(connect_response(probe).resource.stim)
    if paper is None:
        raise SkippedError("the A2L has no DAQ.")
    wrote = paper.stim is not None
    names = {True: "has STIM", False: "has none"}
    probe.demand(wrote == there, f"the A2L {names[wrote]}, the slave {names[there]}.")


RULES: Final[tuple[Rule, ...]] = (
    _epk,
    _places,
    _checksum,
    _rights,
    _paging,
    _programming,
    _keys,
    _stimulation,
)
