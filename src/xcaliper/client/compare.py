"""Holds a description against a live slave: what differs, and a description that says what the slave says.

Only commands without side effects are sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.if_xcp import (
    XcpDaq,
    XcpEvent,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpTimestamp,
    read_segment,
    read_xcp,
    write_segment,
    write_xcp,
)
from xcaliper.a2l.rules import RULES
from xcaliper.core.diagnostics import Diagnostic, Where
from xcaliper.core.errors import NegativeResponseError, ProtocolError, UnknownCommandError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, level1, pag, pgm, std, timecorr
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.pages import page_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l import A2lFile
    from xcaliper.a2l.if_xcp import XcpDescription, XcpProtocolLayer, XcpSegment, XcpTransport
    from xcaliper.client.connection import Connection
    from xcaliper.xcp.procedures.daq_info import DaqInfo, EventInfo
    from xcaliper.xcp.procedures.pages import SegmentState

__all__ = ["LiveFacts", "compare", "correct", "live_facts"]

#: Optional commands that can be tried without changing anything; the resource they need.
_PROBES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("GET_COMM_MODE_INFO", "", std.GetCommModeInfo()),
    ("GET_ID", "", std.GetId(identification_type=0)),
    ("GET_VERSION", "", level1.GetVersion()),
    ("GET_PAG_PROCESSOR_INFO", "cal_pag", pag.GetPagProcessorInfo()),
    ("GET_SEGMENT_INFO", "cal_pag", pag.GetSegmentInfo(mode=1, segment=0)),
    ("GET_PAGE_INFO", "cal_pag", pag.GetPageInfo(segment=0, page=0)),
    ("GET_SEGMENT_MODE", "cal_pag", pag.GetSegmentMode(segment=0)),
    ("GET_DAQ_PROCESSOR_INFO", "daq", daq.GetDaqProcessorInfo()),
    ("GET_DAQ_RESOLUTION_INFO", "daq", daq.GetDaqResolutionInfo()),
    ("GET_DAQ_LIST_INFO", "daq", daq.GetDaqListInfo(daq_list=0)),
    ("GET_DAQ_EVENT_INFO", "daq", daq.GetDaqEventInfo(event_channel=0)),
    ("GET_DAQ_LIST_MODE", "daq", daq.GetDaqListMode(daq_list=0)),
    ("GET_DAQ_CLOCK", "daq", timecorr.GetDaqClock()),
    ("GET_PGM_PROCESSOR_INFO", "pgm", pgm.GetPgmProcessorInfo()),
)
_LEVEL_1: Final = ("GET_VERSION",)
_RENAMED: Final = {
    "daq-contradiction": "live-contradiction",
    "daq-assumed": "live-assumed",
    "epk-mismatch": "live-epk",
}
_CONSISTENCY: Final = ("ODT", "DAQ", "EVENT", "NONE")
_UNIT_1MS: Final = 6


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What a slave said about itself.

    Attributes:
        daq: its DAQ processor; None when it offers no DAQ.
        segments: its calibration segments; None when it does not tell.
        commands: optional commands that were tried → served or not.
    """

    daq: DaqInfo | None
    segments: tuple[SegmentState, ...] | None
    commands: dict[str, bool]


def live_facts(connection: Connection) -> LiveFacts:
    """Ask a slave for everything that a description repeats."""
    session, link = connection.session, connection.link
    commands: dict[str, bool] = {}
    for name, resource, request in _PROBES:
        if resource and not getattr(session.resource, resource):
            continue
        try:
            link.run(ask(request))
        except UnknownCommandError:
            commands[name] = False
        except NegativeResponseError:
            commands[name] = True  # it is there and dislikes the number
        else:
            commands[name] = True
    told = link.run(daq_info(session)) if session.resource.daq else None
    segments: tuple[SegmentState, ...] | None = None
    if session.resource.cal_pag:
        try:
            found = link.run(page_info(session))
        except ProtocolError:
            found = None
        segments = None if found is None else tuple(found)
    return LiveFacts(told, segments, commands)


def compare(connection: Connection, facts: LiveFacts | None = None) -> list[Diagnostic]:
    """What the description of a connection says otherwise than its slave; the slave is right.

    Args:
        connection: open, with a description.
        facts: what the slave said; asked for when None.
    """
    facts = facts or live_facts(connection)
    found = [
        replace(one, slug=_RENAMED[one.slug], severity=RULES[_RENAMED[one.slug]].severity)
        for one in connection.diagnostics
        if one.slug in _RENAMED
    ]
    file = connection.catalog.file
    xcp = read_xcp(file.module.if_data)
    if xcp is None:
        found.append(_finding("live-contradiction", "IF_DATA XCP: the A2L has none.", "XCP"))
        return found
    chosen = xcp.merged(_transport(xcp, connection))
    found += _layer(chosen.protocol_layer, connection, facts)
    if facts.daq is not None:
        found += _events(chosen.daq, facts.daq)
    if facts.segments is not None:
        found += _segments(file, facts.segments, connection)
    return found


def _finding(slug: str, text: str, subject: str) -> Diagnostic:
    return Diagnostic(RULES[slug].severity, slug, Where(), text, "The slave is right.", subject)


def _transport(xcp: XcpDescription, connection: Connection) -> XcpTransport | None:
    """The transport of the description that the connection uses."""
    kind = XcpOnTcpIp if connection.link.name.startswith("tcp") else XcpOnUdpIp
    return next((t for t in xcp.transports if isinstance(t, kind)), None)


def _layer(
    layer: XcpProtocolLayer | None, connection: Connection, facts: LiveFacts
) -> Iterator[Diagnostic]:
    if layer is None:
        yield _finding("live-contradiction", "PROTOCOL_LAYER: the A2L has none.", "PROTOCOL_LAYER")
        return
    profile = connection.session.profile
    if layer.max_cto != profile.max_cto:
        text = f"MAX_CTO: the A2L says {layer.max_cto}, the slave says {profile.max_cto}."
        yield _finding("live-contradiction", text, "PROTOCOL_LAYER")
    if facts.daq is None:  # with DAQ these were compared already
        pairs = (
            ("MAX_DTO", layer.max_dto, profile.max_dto),
            ("ADDRESS_GRANULARITY", layer.address_granularity, profile.ag),
            ("BYTE_ORDER", layer.byte_order.value, profile.byte_order.value),
        )
        for name, wrote, said in pairs:
            if wrote != said:
                text = f"{name}: the A2L says {wrote}, the slave says {said}."
                yield _finding("live-contradiction", text, "PROTOCOL_LAYER")
    described = {*layer.optional_cmds, *layer.level1_cmds}
    for name, served in facts.commands.items() if described else ():
        if served and name not in described:
            text = f"OPTIONAL_CMD {name}: the slave has it, the A2L does not say so."
            yield _finding("live-command", text, name)
        elif not served and name in described:
            text = f"OPTIONAL_CMD {name}: the A2L says so, the slave does not have it."
            yield _finding("live-command", text, name)


def _events(described: XcpDaq | None, told: DaqInfo) -> Iterator[Diagnostic]:
    if described is None:
        yield _finding("live-contradiction", "DAQ: the slave has it, the A2L has none.", "DAQ")
        return
    if told.events is None:
        return
    paper = {event.channel: event for event in described.events}
    live = {event.channel: event for event in told.events}
    complete = told.processor is not None and told.processor.max_event_channel == len(live)
    for number in sorted(paper.keys() - live.keys()) if complete else ():
        text = f"EVENT {number} {paper[number].name}: the slave does not have it."
        yield _finding("live-event", text, paper[number].name)
    for number in sorted(live.keys() - paper.keys()):
        text = f"EVENT {number} {live[number].name}: the A2L does not describe it."
        yield _finding("live-event", text, live[number].name)


def _segments(
    file: A2lFile, live: tuple[SegmentState, ...], connection: Connection
) -> Iterator[Diagnostic]:
    par = file.module.mod_par
    paper: dict[int, tuple[Any, XcpSegment]] = {}
    for made in par.memory_segment if par else ():
        xcp = read_segment(made.if_data)
        if xcp is not None:
            paper[xcp.number] = made, xcp
    for number in sorted(paper.keys() - {s.number for s in live}):
        text = f"SEGMENT {number} {paper[number][0].name}: the slave does not have it."
        yield _finding("live-segment", text, paper[number][0].name)
    for state in live:
        if state.number not in paper:
            text = f"SEGMENT {state.number}: the A2L does not describe it."
            yield _finding("live-segment", text, str(state.number))
            continue
        made, xcp = paper[state.number]
        pairs: list[tuple[str, int, int]] = []
        if state.address is not None:
            pairs.append(("address", made.address, state.address.value))
            pairs.append(("address extension", xcp.address_extension, state.address.extension))
        if state.size_bytes:
            pairs.append(("length", made.size, state.size_bytes // connection.session.profile.ag))
        if state.pages:
            pairs.append(("number of pages", xcp.number_of_pages, len(state.pages)))
        for name, wrote, said in pairs:
            if wrote != said and not (name == "length" and wrote == state.size_bytes):
                text = f"SEGMENT {state.number} {made.name}: {name}: the A2L says {wrote}, the slave says {said}."  # fmt: skip
                yield _finding("live-segment", text, made.name)


# ---- correcting


def correct(connection: Connection, facts: LiveFacts | None = None) -> A2lFile:
    """The description of a connection, changed to say what its slave says; everything else stays.

    Changed are the PROTOCOL_LAYER and DAQ in force for this transport, EPK, and segments.

    Args:
        connection: open, with a description, which is changed in place.
        facts: what the slave said; asked for when None.
    """
    facts = facts or live_facts(connection)
    file = connection.catalog.file
    module = file.module
    xcp = read_xcp(module.if_data)
    if xcp is not None:
        name = "XCP" if xcp.plus_version is None else "XCPplus"
        at = next(at for at, data in enumerate(module.if_data) if data.name == name)
        module.if_data[at] = write_xcp(_corrected(xcp, connection, facts))
    par = module.mod_par
    if par is not None:
        live = connection.description.epk.strip("\0 ")
        if live and par.epk is not None:
            par.epk = live
        _correct_segments(par.memory_segment, facts.segments or (), connection)
    return file


def _corrected(xcp: XcpDescription, connection: Connection, facts: LiveFacts) -> XcpDescription:
    transport = _transport(xcp, connection)
    chosen = xcp.merged(transport)
    made: dict[str, Any] = {}
    if chosen.protocol_layer is not None:
        made["protocol_layer"] = _corrected_layer(chosen.protocol_layer, connection, facts)
    if facts.daq is not None:
        made["daq"] = _corrected_daq(chosen.daq or XcpDaq(), facts.daq)
    own = {k: v for k, v in made.items() if transport is not None and getattr(transport, k)}
    common = {k: v for k, v in made.items() if k not in own}
    if transport is not None and own:
        others = tuple(replace(t, **own) if t is transport else t for t in xcp.transports)
        xcp = replace(xcp, transports=others)
    return replace(xcp, **common)


def _corrected_layer(
    layer: XcpProtocolLayer, connection: Connection, facts: LiveFacts
) -> XcpProtocolLayer:
    profile = connection.session.profile
    layer = replace(
        layer,
        max_cto=profile.max_cto,
        max_dto=profile.max_dto,
        byte_order=profile.byte_order,
        address_granularity=profile.ag,
    )
    if not layer.optional_cmds:
        return layer  # no list means nothing is said
    refused = {name for name, served in facts.commands.items() if not served}
    served = [name for name, there in facts.commands.items() if there]
    plain = [name for name in layer.optional_cmds if name not in refused]
    plain += [name for name in served if name not in plain and name not in _LEVEL_1]
    level1_cmds = [name for name in layer.level1_cmds if name not in refused]
    level1_cmds += [name for name in served if name in _LEVEL_1 and name not in level1_cmds]
    return replace(layer, optional_cmds=tuple(plain), level1_cmds=tuple(level1_cmds))


def _corrected_daq(described: XcpDaq, told: DaqInfo) -> XcpDaq:
    made: dict[str, Any] = {}
    if told.processor is not None:
        properties, key = told.processor.daq_properties, told.processor.daq_key_byte
        overload = 1 if properties.overload_msb else 2 if properties.overload_event else 0
        made |= {
            "config_type": "DYNAMIC" if properties.dynamic else "STATIC",
            "min_daq": told.processor.min_daq,
            "max_event_channel": told.processor.max_event_channel,
            "identification_field": key.identification_field,
            "optimisation": key.optimisation_type,
            "address_extension": 3 if key.address_extension == 2 else key.address_extension,
            "overload": overload,
            "prescaler_supported": bool(properties.prescaler_supported),
            "resume_supported": bool(properties.resume_supported),
            "pid_off_supported": bool(properties.pid_off_supported),
        }
        if not properties.dynamic:  # dynamic slaves count the lists that are allocated
            made["max_daq"] = told.processor.max_daq
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
        made["events"] = _corrected_events(described, told)
    return replace(described, **made)


def _corrected_events(described: XcpDaq, told: DaqInfo) -> tuple[XcpEvent, ...]:
    assert told.events is not None, "callers look first"
    paper = {event.channel: event for event in described.events}
    complete = told.processor is not None and told.processor.max_event_channel == len(told.events)
    made = {} if complete else dict(paper)
    for live in told.events:
        made[live.channel] = _corrected_event(paper.get(live.channel), live)
    return tuple(made[number] for number in sorted(made))


def _corrected_event(wrote: XcpEvent | None, live: EventInfo) -> XcpEvent:
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


def _correct_segments(
    segments: list[Any], live: tuple[SegmentState, ...], connection: Connection
) -> None:
    states = {state.number: state for state in live}
    for made in segments:
        xcp = read_segment(made.if_data)
        state = states.get(xcp.number) if xcp is not None else None
        if xcp is None or state is None:
            continue
        if state.address is not None:
            made.address = state.address.value
            xcp = replace(xcp, address_extension=state.address.extension)
        ag = connection.session.profile.ag
        if state.size_bytes and made.size not in (state.size_bytes, state.size_bytes // ag):
            made.size = state.size_bytes // ag
        if state.pages and len(state.pages) != xcp.number_of_pages:
            numbers = {page.number for page in state.pages}
            pages = tuple(page for page in xcp.pages if page.number in numbers)
            xcp = replace(xcp, number_of_pages=len(state.pages), pages=pages)
        at = next(at for at, data in enumerate(made.if_data) if data.block("SEGMENT") is not None)
        made.if_data[at] = write_segment(xcp, name=made.if_data[at].name)
