"""What a description had to say so that it says what its slave says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.if_edit import carry
from xcaliper.a2l.if_xcp import (
    XcpChecksum,
    XcpDaq,
    XcpDescription,
    XcpEvent,
    XcpPag,
    XcpPage,
    XcpProtocolLayer,
    XcpSegment,
    XcpTimestamp,
    read_segment,
    read_xcp,
    write_segment,
    write_xcp,
)
from xcaliper.a2l.keywords.memory import MemorySegment, ModPar
from xcaliper.a2l.xcp_words import COMMAND_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.a2l import A2lFile
    from xcaliper.a2l.if_xcp import XcpTransport
    from xcaliper.a2l.ifdata import IfData
    from xcaliper.client.connection import Connection
    from xcaliper.client.facts import LiveFacts
    from xcaliper.xcp.procedures.daq_info import DaqInfo, EventInfo
    from xcaliper.xcp.procedures.pages import PageState, SegmentState

__all__ = [
    "correct",
    "corrected",
    "corrected_segment",
    "described_segments",
    "matched_segments",
    "transport_of",
]

_LEVEL_1: Final = ("GET_VERSION",)
#: Resources and the codes of their commands, downwards (XCP Base, CONNECT, 1.0).
_GROUPS: Final = (
    (("cal_pag",), 0xF0, 0xE4),
    (("daq", "stim"), 0xE3, 0xD3),
    (("pgm",), 0xD2, 0xC8),
)
_CONSISTENCY: Final = ("ODT", "DAQ", "EVENT", "NONE")
_UNIT_1MS: Final = 6
#: Added to the optimisation types that may be strict (XCP Base, DAQ_KEY_BYTE, 1.4).
_STRICT: Final = 7


def correct(connection: Connection, facts: LiveFacts) -> A2lFile:
    """The description of a connection, changed to say what its slave says; everything else stays.

    Changed are PROTOCOL_LAYER, DAQ and PAG in force for this transport, EPK, and segments.

    Args:
        connection: open, with a description, which is changed in place.
        facts: what the slave said.
    """
    file = connection.catalog.file
    module = file.module
    xcp = read_xcp(module.if_data)
    if xcp is None:
        fresh = XcpDescription(protocol_layer=XcpProtocolLayer())
        module.if_data.append(write_xcp(corrected(fresh, connection, facts)))
    else:
        name = "XCP" if xcp.plus_version is None else "XCPplus"
        data = next(data for data in module.if_data if data.name == name)
        _carry(data, write_xcp(xcp), write_xcp(corrected(xcp, connection, facts)))
    par = module.mod_par
    if par is None and facts.segments:
        par = module.mod_par = ModPar("told by the ECU")
    if par is not None:
        live = connection.description.epk.strip("\0 ")
        if live and par.epk is not None:
            par.epk = live
        _correct_segments(par.memory_segment, facts, connection)
    return file


def _carry(data: IfData, before: IfData, after: IfData) -> None:
    """Change only the words that differ; where that cannot be done, say all of it anew."""
    if before == after:
        return
    view = read_segment if before.block("SEGMENT") is not None else read_xcp
    wanted = view([after])
    if not carry(data, before, after, lambda one: view([one]) == wanted):
        data.items[:] = after.items


def transport_of(xcp: XcpDescription, connection: Connection) -> XcpTransport | None:
    """The transport of the description that the connection uses."""
    return xcp.transport_at(connection.link.name)


def corrected(xcp: XcpDescription, connection: Connection, facts: LiveFacts) -> XcpDescription:
    """What a description should say about XCP.

    Args:
        xcp: what it says.
        connection: open.
        facts: what the slave said.
    """
    transport = transport_of(xcp, connection)
    chosen = xcp.merged(transport)
    made: dict[str, Any] = {}
    if chosen.protocol_layer is not None:
        made["protocol_layer"] = _layer(chosen.protocol_layer, connection, facts)
    if facts.daq is not None and (facts.daq.processor or facts.daq.resolution or facts.daq.events):
        made["daq"] = _daq(chosen.daq or XcpDaq(), facts.daq)
    if facts.pages is not None:
        freeze = bool(facts.pages.pag_properties.freeze_supported)
        made["pag"] = replace(
            chosen.pag or XcpPag(), max_segments=facts.pages.max_segment, freeze_supported=freeze
        )
    own = {k: v for k, v in made.items() if transport is not None and getattr(transport, k)}
    common = {k: v for k, v in made.items() if k not in own}
    if transport is not None and own:
        others = tuple(replace(t, **own) if t is transport else t for t in xcp.transports)
        xcp = replace(xcp, transports=others)
    return replace(xcp, **common)


def _layer(layer: XcpProtocolLayer, connection: Connection, facts: LiveFacts) -> XcpProtocolLayer:
    session = connection.session
    profile = session.profile
    made: dict[str, Any] = {
        "max_cto": profile.max_cto,
        "max_dto": profile.max_dto,
        "byte_order": profile.byte_order,
        "address_granularity": profile.ag,
    }
    if facts.commands.get("GET_VERSION"):
        major, minor = session.protocol_version
        made["version"] = major << 8 | minor
    if layer.block_slave or layer.block_master or layer.interleaved_queue is not None:
        made["block_slave"] = profile.slave_block_mode
        if facts.modes is not None:
            modes = facts.modes.comm_mode_optional
            block = bool(modes.master_block_mode)
            made["block_master"] = block
            made["max_bs"] = facts.modes.max_bs if block else 0
            made["min_st"] = facts.modes.min_st if block else 0
            queue = facts.modes.queue_size if modes.interleaved_mode else None
            made["interleaved_queue"] = queue
    layer = replace(layer, **made)
    if not layer.optional_cmds:
        return layer  # no list means nothing is said
    refused = {name for name, served in facts.commands.items() if not served}
    for group, first, last in _GROUPS:  # commands of a group that CONNECT says is not there
        if not any(getattr(session.resource, name) for name in group):
            refused |= {n for n, code in COMMAND_CODES.items() if first >= code >= last}
    served = [name for name, there in facts.commands.items() if there]
    plain = [name for name in layer.optional_cmds if name not in refused]
    plain += [name for name in served if name not in plain and name not in _LEVEL_1]
    level1_cmds = [name for name in layer.level1_cmds if name not in refused]
    level1_cmds += [name for name in served if name in _LEVEL_1 and name not in level1_cmds]
    return replace(layer, optional_cmds=tuple(plain), level1_cmds=tuple(level1_cmds))


def _daq(described: XcpDaq, told: DaqInfo) -> XcpDaq:
    made: dict[str, Any] = {}
    if told.processor is not None:
        properties, key = told.processor.daq_properties, told.processor.daq_key_byte
        kind = key.optimisation_type
        overload = 1 if properties.overload_msb else 2 if properties.overload_event else 0
        made |= {
            "config_type": "DYNAMIC" if properties.dynamic else "STATIC",
            "min_daq": told.processor.min_daq,
            "max_event_channel": told.processor.max_event_channel,
            "identification_field": key.identification_field,
            "optimisation": kind & 7,
            "optimisation_strict": kind > _STRICT,
            "address_extension": 3 if key.address_extension == 2 else key.address_extension,
            "overload": overload,
            "prescaler_supported": bool(properties.prescaler_supported),
            "resume_supported": bool(properties.resume_supported),
            "pid_off_supported": bool(properties.pid_off_supported),
        }
        if not properties.dynamic:  # dynamic slaves count the lists that are allocated
            made["max_daq"] = told.processor.max_daq
        if described.stim is not None:
            bit_stim = bool(properties.bit_stim_supported)
            made["stim"] = replace(described.stim, bit_stim=bit_stim)
        if not properties.timestamp_supported:
            made["timestamp"] = None
    if told.resolution is not None:
        mode = told.resolution.timestamp_mode
        made |= {
            "granularity_daq": told.resolution.granularity_daq,
            "max_odt_entry_size_daq": told.resolution.max_entry_size_daq,
        }
        if mode.size in (1, 2, 4) and "timestamp" not in made:
            made["timestamp"] = XcpTimestamp(
                told.resolution.timestamp_ticks, mode.size, mode.unit, bool(mode.fixed)
            )
        elif not mode.size:
            made["timestamp"] = None
    if told.events:
        made["events"] = _events(described, told)
    return replace(described, **made)


def _events(described: XcpDaq, told: DaqInfo) -> tuple[XcpEvent, ...]:
    assert told.events is not None, "callers look first"
    paper = {event.channel: event for event in described.events}
    complete = told.processor is not None and told.processor.max_event_channel == len(told.events)
    made = {} if complete else dict(paper)
    for live in told.events:
        made[live.channel] = _event(paper.get(live.channel), live)
    order = [channel for channel in paper if channel in made]  # that of the description
    order += sorted(channel for channel in made if channel not in paper)
    return tuple(made[number] for number in order)


def _event(wrote: XcpEvent | None, live: EventInfo) -> XcpEvent:
    info, properties = live.info, live.info.daq_event_properties
    name = live.name or f"event {live.channel}"
    wrote = wrote or XcpEvent(name, name[:8], live.channel)
    both = properties.daq and properties.stim
    direction = "DAQ_STIM" if both else "STIM" if properties.stim else "DAQ"
    return replace(
        wrote,
        name=live.name or wrote.name,
        direction=direction,
        max_daq_list=info.max_daq_list,
        time_cycle=info.time_cycle,
        time_unit=info.time_unit if info.time_cycle else wrote.time_unit or _UNIT_1MS,
        priority=info.priority,
        consistency=_CONSISTENCY[properties.consistency] if wrote.consistency else None,
    )


# ---- segments


def described_segments(segments: Iterable[Any]) -> dict[int, tuple[Any, XcpSegment]]:
    """Memory segments with the number by which XCP knows them."""
    found: dict[int, tuple[Any, XcpSegment]] = {}
    for made in segments:
        xcp = read_segment(made.if_data)
        if xcp is not None:
            found.setdefault(xcp.number, (made, xcp))
    return found


def corrected_segment(xcp: XcpSegment, state: SegmentState, facts: LiveFacts) -> XcpSegment:
    """What a description should say about a segment.

    Args:
        xcp: what it says; the number may be another one.
        state: what the slave says.
        facts: what else it says.
    """
    made: dict[str, Any] = {"number": state.number}
    if state.address is not None:
        made["address_extension"] = state.address.extension
    if state.standard is not None:
        made["compression_method"] = state.standard.compression_method
        made["encryption_method"] = state.standard.encryption_method
    algorithm = (facts.checksums or {}).get(state.number)
    if xcp.checksum is not None and algorithm is not None:
        made["checksum"] = replace(xcp.checksum, type=algorithm)
    if state.pages:
        made["number_of_pages"] = len(state.pages)
        paper = {page.number: page for page in xcp.pages}
        if paper:
            made["pages"] = tuple(_page(paper.get(page.number), page) for page in state.pages)
    return replace(xcp, **made)


def _page(wrote: XcpPage | None, live: PageState) -> XcpPage:
    if live.properties is None:
        return wrote or XcpPage(live.number)
    fresh = XcpPage(
        live.number,
        live.properties.ecu_access,
        live.properties.xcp_read_access,
        live.properties.xcp_write_access,
        live.init_segment,
    )
    keep = wrote is not None and wrote.init_segment is None  # then nothing is said about it
    return replace(fresh, init_segment=None) if keep else fresh


def matched_segments(
    segments: Iterable[Any], live: Iterable[SegmentState]
) -> tuple[list[tuple[Any, XcpSegment, SegmentState]], list[Any], list[SegmentState]]:
    """Segments of both sides: by number, else by address; and those only one side has."""
    paper = described_segments(segments)
    states = {state.number: state for state in live}
    both = [(*paper.pop(n), states.pop(n)) for n in [*states] if n in paper]
    for number, (made, xcp) in [*paper.items()]:
        for state in [*states.values()]:
            if state.address is not None and state.address.value == made.address:
                both.append((made, xcp, states.pop(state.number)))
                del paper[number]
                break
    return both, [made for made, _ in paper.values()], [*states.values()]


def _correct_segments(segments: list[Any], facts: LiveFacts, connection: Connection) -> None:
    if facts.segments is None:
        return
    ag = connection.session.profile.ag
    both, only_paper, only_live = matched_segments(segments, facts.segments)
    for made, xcp, state in both:
        if state.address is not None:
            made.address = state.address.value
        if state.size_bytes and made.size not in (state.size_bytes, state.size_bytes // ag):
            made.size = state.size_bytes // ag
        data = next(data for data in made.if_data if data.block("SEGMENT") is not None)
        after = write_segment(corrected_segment(xcp, state, facts), name=data.name)
        _carry(data, write_segment(xcp, name=data.name), after)
    for made in only_paper:  # the memory may well be there, but no pages of it
        for data in made.if_data:
            data.items[:] = [i for i in data.items if getattr(i, "tag", "") != "SEGMENT"]
        made.if_data[:] = [data for data in made.if_data if data.items]
    for state in only_live:
        if state.address is None:
            continue
        start = state.address.value
        there = next((made for made in segments if made.address == start), None)
        if there is None:
            there = _new_segment(state, ag, segments)
            segments.append(there)
        there.if_data.append(write_segment(_new_view(state, facts)))


def _new_view(state: SegmentState, facts: LiveFacts) -> XcpSegment:
    pages = tuple(XcpPage(page.number) for page in state.pages)
    algorithm = (facts.checksums or {}).get(state.number)
    checksum = None if algorithm is None else XcpChecksum(algorithm)
    xcp = XcpSegment(state.number, pages=pages, checksum=checksum)
    return corrected_segment(xcp, state, facts)


def _new_segment(state: SegmentState, ag: int, others: list[Any]) -> Any:
    assert state.address is not None, "callers look first"
    name, taken = f"Segment{state.number}", {made.name for made in others}
    while name in taken:
        name += "_"
    return MemorySegment(
        name,
        "told by the ECU",
        "DATA",
        "FLASH",
        "INTERN",
        state.address.value,
        state.size_bytes // ag,
        -1,
        -1,
        -1,
        -1,
        -1,
    )
