"""Rules that hold the A2L against the wire; a master that only has the A2L would get it wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.conformance.facts import (
    connect_response,
    daq_info,
    event_infos,
    resolution,
)
from xcaliper.conformance.model import Group, Rule, Severity, SkippedError, rule
from xcaliper.core.ticks import unit_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l.xcp_model import XcpDaq, XcpDescription, XcpProtocolLayer
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_A2L: Final = Group.A2L
#: Commands that can be probed for without doing anything: with their code alone they are too short.
_SAFE: Final = {
    "GET_COMM_MODE_INFO": 0xFB,
    "GET_ID": 0xFA,
    "GET_SEED": 0xF8,
    "SET_MTA": 0xF6,
    "UPLOAD": 0xF5,
    "SHORT_UPLOAD": 0xF4,
    "BUILD_CHECKSUM": 0xF3,
    "GET_CAL_PAGE": 0xEA,
    "GET_PAG_PROCESSOR_INFO": 0xE9,
    "GET_SEGMENT_INFO": 0xE8,
    "GET_PAGE_INFO": 0xE7,
    "GET_SEGMENT_MODE": 0xE5,
    "GET_DAQ_LIST_MODE": 0xDF,
    "GET_DAQ_CLOCK": 0xDC,
    "GET_DAQ_PROCESSOR_INFO": 0xDA,
    "GET_DAQ_RESOLUTION_INFO": 0xD9,
    "GET_DAQ_LIST_INFO": 0xD8,
    "GET_DAQ_EVENT_INFO": 0xD7,
    "GET_PGM_PROCESSOR_INFO": 0xCE,
    "GET_SECTOR_INFO": 0xCD,
}


def _described(probe: Probe) -> XcpDescription:
    if probe.paper is None or probe.paper.xcp is None:
        raise SkippedError("no A2L with IF_DATA XCP was given.")
    return probe.paper.xcp


def _layer(probe: Probe) -> XcpProtocolLayer:
    found = _described(probe).protocol_layer
    if found is None:
        raise SkippedError("the A2L has no PROTOCOL_LAYER.")
    return found


def _daq(probe: Probe) -> XcpDaq:
    found = _described(probe).daq
    if found is None:
        raise SkippedError("the A2L has no DAQ.")
    return found


def _equal(
    number: str, what: str, wrote: Callable[[Probe], Any], says: Callable[[Probe], Any], item: str
) -> Rule:
    def check(probe: Probe) -> None:
        paper, wire = wrote(probe), says(probe)
        probe.demand(paper == wire, f"{what}: the A2L says {paper}, the slave {wire}.")

    return rule(
        number,
        _A2L,
        f"{what}: A2L and slave agree",
        f"{what} in the A2L is what the slave tells.",
        f"ASAP2, IF_DATA XCP {item}",
        severity=Severity.DEVIATION,
    )(check)


def _ticks(probe: Probe) -> tuple[int, float]:
    found = _daq(probe).timestamp
    return (found.size, found.tick_ns) if found is not None else (0, 0.0)


def _told_ticks(probe: Probe) -> tuple[int, float]:
    found = resolution(probe)
    size = found.timestamp_mode.size
    return size, float(found.timestamp_ticks * unit_ns(found.timestamp_mode.unit)) if size else 0.0


def _overload(probe: Probe) -> int:
    found = daq_info(probe).daq_properties
    return 1 if found.overload_msb else 2 if found.overload_event else 0


@rule(
    "A2L-011",
    _A2L,
    "Commands of the A2L exist",
    "The slave has every optional command that the A2L lists.",
    "ASAP2, IF_DATA XCP OPTIONAL_CMD",
    severity=Severity.DEVIATION,
)
def _commands(probe: Probe) -> None:
    listed = [name for name in _layer(probe).optional_cmds if name in _SAFE]
    missing = [name for name in listed if probe.knows(bytes((_SAFE[name],))) is False]
    probe.demand(not missing, f"{', '.join(missing)}: in the A2L, unknown to the slave.")


@rule(
    "A2L-012",
    _A2L,
    "Event channels: A2L and slave agree",
    "Every event channel of the A2L has the cycle and the direction that the slave tells.",
    "ASAP2, IF_DATA XCP EVENT",
    severity=Severity.DEVIATION,
)
def _events(probe: Probe) -> None:
    wrote = {event.channel: event for event in _daq(probe).events}
    if not wrote:
        raise SkippedError("the A2L has no event channels.")
    wrong = []
    for told in event_infos(probe):
        event = wrote.pop(told.number, None)
        if event is None:
            wrong.append(f"channel {told.number} is not in the A2L")
            continue
        if event.period_ns and told.cycle_ns and event.period_ns != told.cycle_ns:
            wrong.append(f"channel {told.number}: {event.period_ns} ns, told {told.cycle_ns} ns")
        bits = told.info.daq_event_properties
        ways = (event.direction in ("DAQ", "DAQ_STIM"), event.direction in ("STIM", "DAQ_STIM"))
        if ways != (bool(bits.daq), bool(bits.stim)):
            wrong.append(f"channel {told.number}: direction {event.direction}, told otherwise")
    count = daq_info(probe).max_event_channel
    wrong += [f"channel {number} does not exist" for number in wrote if number >= count]
    probe.demand(not wrong, "; ".join(wrong[:4]))


RULES: Final[tuple[Rule, ...]] = (
    _equal(
        "A2L-001",
        "MAX_CTO",
        lambda p: _layer(p).max_cto,
        lambda p: p.profile.max_cto,
        "PROTOCOL_LAYER",
    ),
    _equal(
        "A2L-002",
        "MAX_DTO",
        lambda p: _layer(p).max_dto,
        lambda p: p.profile.max_dto,
        "PROTOCOL_LAYER",
    ),
    _equal(
        "A2L-003",
        "Byte order",
        lambda p: _layer(p).byte_order.name,
        lambda p: p.profile.byte_order.name,
        "PROTOCOL_LAYER",
    ),
    _equal(
        "A2L-004",
        "Address granularity",
        lambda p: _layer(p).address_granularity,
        lambda p: p.profile.ag,
        "PROTOCOL_LAYER",
    ),
    _equal(
        "A2L-005",
        "Slave block mode",
        lambda p: _layer(p).block_slave,
        lambda p: bool(connect_response(p).comm_mode_basic.slave_block_mode),
        "COMMUNICATION_MODE_SUPPORTED",
    ),
    _equal(
        "A2L-006",
        "Kind of lists",
        lambda p: _daq(p).config_type,
        lambda p: "DYNAMIC" if daq_info(p).daq_properties.dynamic else "STATIC",
        "DAQ",
    ),
    _equal(
        "A2L-007",
        "Identification field",
        lambda p: _daq(p).identification_field,
        lambda p: daq_info(p).daq_key_byte.identification_field,
        "DAQ",
    ),
    _equal("A2L-008", "Timestamps (bytes, ns)", _ticks, _told_ticks, "TIMESTAMP_SUPPORTED"),
    _equal("A2L-009", "Overload indication", lambda p: _daq(p).overload, _overload, "DAQ"),
    _equal(
        "A2L-010",
        "Granularity of ODT entries",
        lambda p: _daq(p).granularity_daq,
        lambda p: resolution(p).granularity_daq,
        "DAQ",
    ),
    _commands,
    _events,
    _equal(
        "A2L-013",
        "Largest ODT entry",
        lambda p: _daq(p).max_odt_entry_size_daq,
        lambda p: resolution(p).max_entry_size_daq,
        "DAQ",
    ),
    _equal(
        "A2L-014",
        "Prescaler",
        lambda p: _daq(p).prescaler_supported,
        lambda p: bool(daq_info(p).daq_properties.prescaler_supported),
        "PRESCALER_SUPPORTED",
    ),
)
