"""Rules about what a slave tells of its data acquisition; nothing is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, daq_info, event_infos, resolution
from xcaliper.conformance.model import Group, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_DAQ: Final = Group.DAQ_INFO
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_DEVIATION: Final = Severity.DEVIATION
_TYPES: Final = (0, 1, 2, 3, 4, 5, 9, 10, 11)
_MAX_UNIT: Final = 0xC
_SOME: Final = 64


def _announced(probe: Probe) -> None:
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")


@rule(
    "DAQ-001",
    _DAQ,
    "GET_DAQ_PROCESSOR_INFO response is complete",
    "The answer to GET_DAQ_PROCESSOR_INFO has 8 bytes.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _info(probe: Probe) -> None:
    _announced(probe)
    probe.subject(daq.GetDaqProcessorInfo(), 8)


@rule(
    "DAQ-002",
    _DAQ,
    "One way to tell overload",
    "Overload is told by the PID, by an event or not at all, never in both ways.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _overload(probe: Probe) -> None:
    found = daq_info(probe).daq_properties
    probe.demand(not (found.overload_msb and found.overload_event), "both ways are announced.")


@rule(
    "DAQ-003",
    _DAQ,
    "Predefined lists are lists",
    "MIN_DAQ, the number of predefined lists, is not larger than MAX_DAQ.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _min_daq(probe: Probe) -> None:
    found = daq_info(probe)
    probe.demand(
        found.min_daq <= found.max_daq, f"MIN_DAQ is {found.min_daq}, MAX_DAQ {found.max_daq}."
    )


@rule(
    "DAQ-004",
    _DAQ,
    "Static lists exist",
    "A slave with static lists has at least one.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _static(probe: Probe) -> None:
    found = daq_info(probe)
    if found.daq_properties.dynamic:
        raise SkippedError("the slave's lists are dynamic.")
    probe.demand(found.max_daq, "MAX_DAQ is 0 and lists are static.")


@rule(
    "DAQ-005",
    _DAQ,
    "Address extension rule exists",
    "ADDRESS_EXTENSION of DAQ_KEY_BYTE is 0, 1 or 3.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _extension(probe: Probe) -> None:
    found = daq_info(probe).daq_key_byte.address_extension
    probe.demand(found != 2, "ADDRESS_EXTENSION is 2, which is not allowed.")


@rule(
    "DAQ-006",
    _DAQ,
    "Optimisation type exists",
    "OPTIMISATION_TYPE is 0 to 5, or the strict variant of 1 to 3.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
)
def _optimisation(probe: Probe) -> None:
    found = daq_info(probe).daq_key_byte.optimisation_type
    probe.demand(found in _TYPES, f"OPTIMISATION_TYPE is {found}.")


@rule(
    "DAQ-007",
    _DAQ,
    "PID_OFF needs absolute numbers",
    "PID_OFF is supported with absolute ODT numbers only.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
    severity=_DEVIATION,
)
def _pid_off(probe: Probe) -> None:
    found = daq_info(probe)
    relative = found.daq_key_byte.identification_field
    probe.demand(
        not (found.daq_properties.pid_off_supported and relative),
        f"PID_OFF is supported with identification field type {relative}.",
    )


@rule(
    "DAQ-008",
    _DAQ,
    "GET_DAQ_RESOLUTION_INFO response is complete",
    "The answer to GET_DAQ_RESOLUTION_INFO has 8 bytes.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _resolution(probe: Probe) -> None:
    _announced(probe)
    probe.subject(daq.GetDaqResolutionInfo(), 8)


@rule(
    "DAQ-009",
    _DAQ,
    "Granularity of entries exists",
    "The granularity of ODT entries is 1, 2, 4 or 8 bytes.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _granularity(probe: Probe) -> None:
    found = resolution(probe).granularity_daq
    probe.demand(found in (1, 2, 4, 8), f"the granularity of ODT entries is {found}.")


@rule(
    "DAQ-010",
    _DAQ,
    "Granularity of entries fits the address granularity",
    "The granularity of ODT entries is a multiple of the address granularity.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _granularity_ag(probe: Probe) -> None:
    found, ag = resolution(probe).granularity_daq, probe.profile.ag
    if found not in (1, 2, 4, 8):
        raise SkippedError("builds on a granularity that exists.")
    probe.demand(found % ag == 0, f"{found} bytes is no multiple of {ag} bytes.")


@rule(
    "DAQ-011",
    _DAQ,
    "Largest entry",
    "The largest ODT entry holds at least one granule.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _entry(probe: Probe) -> None:
    found = resolution(probe)
    if found.granularity_daq not in (1, 2, 4, 8) or found.granularity_daq % probe.profile.ag:
        raise SkippedError("builds on a granularity that exists.")
    size = found.max_entry_size_daq * probe.profile.ag
    probe.demand(size >= found.granularity_daq, f"the largest entry has {size} bytes.")


@rule(
    "DAQ-012",
    _DAQ,
    "Width of timestamps exists",
    "Timestamps have 0, 1, 2 or 4 bytes.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _width(probe: Probe) -> None:
    found = resolution(probe).timestamp_mode.size
    probe.demand(found in (0, 1, 2, 4), f"timestamps have {found} bytes.")


@rule(
    "DAQ-013",
    _DAQ,
    "Timestamps as announced",
    "Timestamps have a width where TIMESTAMP_SUPPORTED is set, and none where it is not.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _supported(probe: Probe) -> None:
    said = daq_info(probe).daq_properties.timestamp_supported
    found = resolution(probe).timestamp_mode.size
    probe.demand(bool(said) == bool(found), f"TIMESTAMP_SUPPORTED is {said}, the size {found}.")


@rule(
    "DAQ-014",
    _DAQ,
    "Unit of timestamps exists",
    "The unit of timestamps is 0 to C.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _unit(probe: Probe) -> None:
    found = resolution(probe).timestamp_mode.unit
    probe.demand(found <= _MAX_UNIT, f"the unit of timestamps is {found}.")


@rule(
    "DAQ-015",
    _DAQ,
    "Ticks of timestamps",
    "A timestamp increment lasts at least one unit.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _ticks(probe: Probe) -> None:
    found = resolution(probe)
    if not found.timestamp_mode.size:
        raise SkippedError("the slave has no timestamps.")
    probe.demand(found.timestamp_ticks, "TIMESTAMP_TICKS is 0.")


@rule(
    "DAQ-016",
    _DAQ,
    "Event information is complete",
    "GET_DAQ_EVENT_INFO gives 7 bytes for every event channel.",
    "GET_DAQ_EVENT_INFO, 1.0",
)
def _events(probe: Probe) -> None:
    count = daq_info(probe).max_event_channel
    if not count:
        raise SkippedError("the slave does not tell how many event channels it has.")
    for number in range(min(count, _SOME)):
        probe.subject(daq.GetDaqEventInfo(event_channel=number), 7)


@rule(
    "DAQ-017",
    _DAQ,
    "Events have a direction",
    "An event channel serves lists of direction DAQ, STIM or both.",
    "GET_DAQ_EVENT_INFO, 1.0",
)
def _directions(probe: Probe) -> None:
    for event in event_infos(probe):
        found = event.info.daq_event_properties
        probe.demand(found.daq or found.stim, f"event {event.number} serves no direction.")


@rule(
    "DAQ-018",
    _DAQ,
    "Unit of events exists",
    "The time unit of an event channel is 0 to C.",
    "GET_DAQ_EVENT_INFO, 1.0",
)
def _event_unit(probe: Probe) -> None:
    for event in event_infos(probe):
        found = event.info.time_unit
        probe.demand(found <= _MAX_UNIT, f"the time unit of event {event.number} is {found}.")


@rule(
    "DAQ-019",
    _DAQ,
    "Names of events can be read",
    "GET_DAQ_EVENT_INFO sets the MTA so that UPLOAD gives the name, in ASCII.",
    "GET_DAQ_EVENT_INFO, 1.0",
)
def _names(probe: Probe) -> None:
    ag = probe.profile.ag
    named = [event for event in event_infos(probe) if event.info.name_length]
    if not named:
        raise SkippedError("no event channel has a name.")
    for event in named:
        size = event.info.name_length
        count = min(-(-size // ag), probe.profile.max_cto // ag - 1)
        probe.use(daq.GetDaqEventInfo(event_channel=event.number))
        answer = probe.subject(std.Upload(count=count), ag * (1 + count))
        text = answer[ag:][: min(size, count * ag)]
        good = all(0x20 <= byte < 0x7F for byte in text.rstrip(b"\0"))
        probe.demand(good, f"the name of event {event.number} is {text!r}.")


@rule(
    "DAQ-020",
    _DAQ,
    "Information of an event that does not exist",
    "GET_DAQ_EVENT_INFO beyond the last channel is refused with ERR_OUT_OF_RANGE.",
    "GET_DAQ_EVENT_INFO, 1.0",
)
def _no_event(probe: Probe) -> None:
    event_infos(probe)
    count = daq_info(probe).max_event_channel
    if count > 0xFFFE:
        raise SkippedError("every channel number exists.")
    probe.refused(daq.GetDaqEventInfo(event_channel=count), _RANGE)


@rule(
    "DAQ-021",
    _DAQ,
    "Information of lists",
    "GET_DAQ_LIST_INFO gives at least 4 bytes for every list that exists.",
    "GET_DAQ_LIST_INFO, 1.0",
)
def _lists(probe: Probe) -> None:
    for number in range(_fixed(probe)):
        probe.subject(daq.GetDaqListInfo(daq_list=number), 4)


def _fixed(probe: Probe) -> int:
    """Lists that are there whatever is allocated."""
    found = daq_info(probe)
    if found.min_daq > found.max_daq:
        raise SkippedError("builds on MIN_DAQ and MAX_DAQ, which another rule judges.")
    count = found.min_daq if found.daq_properties.dynamic else found.max_daq
    if not count:
        raise SkippedError("there are no lists without allocation.")
    return min(count, _SOME)


@rule(
    "DAQ-022",
    _DAQ,
    "Predefined lists say so",
    "Exactly the lists below MIN_DAQ have PREDEFINED set.",
    "GET_DAQ_LIST_INFO, 1.0",
)
def _predefined(probe: Probe) -> None:
    count, border = _fixed(probe), daq_info(probe).min_daq
    for number in range(count):
        found = probe.use(daq.GetDaqListInfo(daq_list=number)).daq_list_properties.predefined
        probe.demand(
            bool(found) == (number < border),
            f"list {number}: PREDEFINED is {found}, MIN_DAQ is {border}.",
        )


@rule(
    "DAQ-023",
    _DAQ,
    "Lists have a direction",
    "A list can have direction DAQ, STIM or both.",
    "GET_DAQ_LIST_INFO, 1.0",
)
def _list_directions(probe: Probe) -> None:
    for number in range(_fixed(probe)):
        found = probe.use(daq.GetDaqListInfo(daq_list=number)).daq_list_properties
        probe.demand(found.daq or found.stim, f"list {number} has no direction.")


@rule(
    "DAQ-024",
    _DAQ,
    "Lists have room",
    "A list that exists has ODTs, and those have entries.",
    "GET_DAQ_LIST_INFO, 1.0",
)
def _list_room(probe: Probe) -> None:
    for number in range(_fixed(probe)):
        found = probe.use(daq.GetDaqListInfo(daq_list=number))
        probe.demand(
            found.max_odt and found.max_odt_entries,
            f"list {number} has {found.max_odt} ODTs of {found.max_odt_entries} entries.",
        )


@rule(
    "DAQ-025",
    _DAQ,
    "Information of a list that does not exist",
    "GET_DAQ_LIST_INFO of a list that does not exist is refused with ERR_OUT_OF_RANGE.",
    "GET_DAQ_LIST_INFO, 1.0",
)
def _no_list(probe: Probe) -> None:
    daq_info(probe)
    probe.refused(daq.GetDaqListInfo(daq_list=0xFFFF), _RANGE)


@rule(
    "DAQ-026",
    _DAQ,
    "Granularity for STIM exists",
    "A slave with STIM has a granularity of 1, 2, 4 or 8 bytes for that direction.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
)
def _granularity_stim(probe: Probe) -> None:
    if not connect_response(probe).resource.stim:
        raise SkippedError("the slave does not announce STIM.")
    found = resolution(probe).granularity_stim
    probe.demand(found in (1, 2, 4, 8), f"the granularity for STIM is {found}.")


@rule(
    "DAQ-027",
    _DAQ,
    "STIM as announced",
    "Some event channel serves STIM where RESOURCE announces it, and none where it does not.",
    "GET_DAQ_EVENT_INFO, 1.0",
    severity=_DEVIATION,
)
def _stim_events(probe: Probe) -> None:
    said = bool(connect_response(probe).resource.stim)
    found = any(event.info.daq_event_properties.stim for event in event_infos(probe))
    probe.demand(said == found, f"STIM in RESOURCE is {said}, event channels say {found}.")


RULES: Final[tuple[Rule, ...]] = (
    _info,
    _overload,
    _min_daq,
    _static,
    _extension,
    _optimisation,
    _pid_off,
    _resolution,
    _granularity,
    _granularity_ag,
    _entry,
    _width,
    _supported,
    _unit,
    _ticks,
    _events,
    _directions,
    _event_unit,
    _names,
    _no_event,
    _lists,
    _predefined,
    _list_directions,
    _list_room,
    _no_list,
    _granularity_stim,
    _stim_events,
)
