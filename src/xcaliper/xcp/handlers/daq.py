"""Behaviour of the data acquisition commands; lists are dynamic."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.xcp import daq
from xcaliper.xcp.codes import (
    DaqKeyByte,
    DaqListModeState,
    DaqListProperties,
    DaqProperties,
    ErrorCode,
    EventProperties,
    TimestampMode,
)
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_compiler import compile_sampler
from xcaliper.xcp.slave_state import Alloc, DaqList, refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_sampler import Sampler
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "alloc_daq",
    "alloc_odt",
    "alloc_odt_entry",
    "clear_daq_list",
    "first_pid",
    "free_daq",
    "get_daq_event_info",
    "get_daq_list_info",
    "get_daq_list_mode",
    "get_daq_processor_info",
    "get_daq_resolution_info",
    "read_daq",
    "set_daq_list_mode",
    "set_daq_ptr",
    "start_stop_daq_list",
    "start_stop_synch",
    "write_daq",
    "write_daq_multiple",
]

_STOP: Final = 0
_START: Final = 1
_SELECT: Final = 2
_STOP_SELECTED: Final = 2
_PREPARE: Final = 3


def _list(slave: SlaveState, number: int) -> DaqList:
    if number >= len(slave.daq.lists):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return slave.daq.lists[number]


def _idle_list(slave: SlaveState, number: int) -> DaqList:
    daq_list = _list(slave, number)
    if daq_list.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    return daq_list


# -- allocation -----------------------------------------------------------------------------------


def _allocating(slave: SlaveState, *allowed: Alloc) -> None:
    """Guard of the ALLOC commands (XCP Base, DAQ allocation sequence, 1.0)."""
    if slave.daq.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    if slave.daq.last not in allowed:
        raise refuse(ErrorCode.ERR_SEQUENCE)


def _overflow(slave: SlaveState) -> Exception:
    """The whole configuration is void after an overflow."""
    slave.daq.clear()
    return refuse(ErrorCode.ERR_MEMORY_OVERFLOW)


def free_daq(slave: SlaveState, request: daq.FreeDaq) -> EmptyResponse:
    """Stop and remove every list (XCP Base, FREE_DAQ, 1.0)."""
    slave.daq.clear()
    slave.daq.last = Alloc.FREE
    return EmptyResponse()


def alloc_daq(slave: SlaveState, request: daq.AllocDaq) -> EmptyResponse:
    """Make lists; a second call replaces the first (XCP Base, ALLOC_DAQ, 1.0)."""
    _allocating(slave, Alloc.FREE, Alloc.DAQ)
    if request.daq_count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    by_field = (252, 256, 0xFFFF, 0xFFFF)[slave.config.identification_field]
    if request.daq_count > min(slave.config.max_daq_lists, by_field):
        raise _overflow(slave)
    slave.daq.lists = [DaqList() for _ in range(request.daq_count)]
    slave.daq.last = Alloc.DAQ
    return EmptyResponse()


def alloc_odt(slave: SlaveState, request: daq.AllocOdt) -> EmptyResponse:
    """Give a list its ODTs, within the packet identifiers (XCP Base, ALLOC_ODT, 1.0)."""
    _allocating(slave, Alloc.DAQ, Alloc.ODT)
    daq_list = _list(slave, request.daq_list)
    if not 0 < request.odt_count <= slave.config.max_odt:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if slave.config.identification_field == 0:
        others = sum(len(other.odts) for other in slave.daq.lists if other is not daq_list)
        if others + request.odt_count > slave.config.max_odt:
            raise _overflow(slave)
    daq_list.odts = [[] for _ in range(request.odt_count)]
    slave.daq.last = Alloc.ODT
    return EmptyResponse()


def alloc_odt_entry(slave: SlaveState, request: daq.AllocOdtEntry) -> EmptyResponse:
    """Give an ODT its entries, within the slave's memory (XCP Base, ALLOC_ODT_ENTRY, 1.0)."""
    _allocating(slave, Alloc.ODT, Alloc.ENTRY)
    daq_list = _list(slave, request.daq_list)
    if request.odt >= len(daq_list.odts) or request.entry_count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    old = len(daq_list.odts[request.odt])
    total = slave.daq.entries + request.entry_count - old
    if total > slave.config.max_odt_entries_total:
        raise _overflow(slave)
    daq_list.odts[request.odt] = [None] * request.entry_count
    slave.daq.entries = total
    slave.daq.last = Alloc.ENTRY
    return EmptyResponse()


def clear_daq_list(slave: SlaveState, request: daq.ClearDaqList) -> EmptyResponse:
    """Stop a list and empty its entries (XCP Base, CLEAR_DAQ_LIST, 1.0)."""
    daq_list = _list(slave, request.daq_list)
    daq_list.sampler = None
    daq_list.selected = False
    daq_list.odts = [[None] * len(entries) for entries in daq_list.odts]
    slave.daq.schedule()
    return EmptyResponse()


# -- entries --------------------------------------------------------------------------------------


def set_daq_ptr(slave: SlaveState, request: daq.SetDaqPtr) -> EmptyResponse:
    """Point at an entry that exists (XCP Base, SET_DAQ_PTR, 1.0)."""
    daq_list = _idle_list(slave, request.daq_list)
    if request.odt >= len(daq_list.odts):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if request.odt_entry >= len(daq_list.odts[request.odt]):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.daq.pointer = (request.daq_list, request.odt, request.odt_entry)
    return EmptyResponse()


def _pointed(slave: SlaveState) -> tuple[DaqList, int, int]:
    if slave.daq.pointer is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    number, odt, entry = slave.daq.pointer
    if number >= len(slave.daq.lists):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    daq_list = slave.daq.lists[number]
    if odt >= len(daq_list.odts) or entry >= len(daq_list.odts[odt]):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return daq_list, odt, entry


def _advance(slave: SlaveState, entries: list[OdtEntry | None], steps: int) -> None:
    """Move the pointer inside the ODT; behind its last entry it is undefined."""
    assert slave.daq.pointer is not None, "the pointer was checked by _pointed"
    number, odt, entry = slave.daq.pointer
    entry += steps
    slave.daq.pointer = (number, odt, entry) if entry < len(entries) else None


def _checked_entry(slave: SlaveState, request: daq.WriteDaq | daq.DaqElement) -> OdtEntry:
    config = slave.config
    size_bytes = request.size * config.ag
    grain = config.granularity_odt_entry
    if (
        size_bytes > config.max_odt_entry_size
        or size_bytes % grain
        or (request.size and request.address * config.ag % grain)
        or (request.bit_offset > 31 and request.bit_offset != 0xFF)
    ):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    address = Address(request.address, request.address_extension)
    if size_bytes:
        slave.memory.view(address, size_bytes)
    return OdtEntry(address, request.size, request.bit_offset)


def _store(slave: SlaveState, requests: tuple[daq.WriteDaq | daq.DaqElement, ...]) -> None:
    """Write entries from the pointer on: all of them or none."""
    daq_list, odt, at = _pointed(slave)
    if daq_list.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    entries = daq_list.odts[odt]
    if at + len(requests) > len(entries):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    new = [_checked_entry(slave, request) for request in requests]
    changed = [*entries[:at], *new, *entries[at + len(new) :]]
    size_bytes = sum(entry.size for entry in changed if entry is not None) * slave.config.ag
    if slave.dto_format(daq_list).header_size + size_bytes > slave.config.max_dto:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    entries[:] = changed
    _advance(slave, entries, len(new))


def write_daq(slave: SlaveState, request: daq.WriteDaq) -> EmptyResponse:
    """Fill the entry and move on (XCP Base, WRITE_DAQ, 1.0)."""
    _store(slave, (request,))
    return EmptyResponse()


def write_daq_multiple(slave: SlaveState, request: daq.WriteDaqMultiple) -> EmptyResponse:
    """Fill several entries of one ODT, all or none (XCP Base, WRITE_DAQ_MULTIPLE, 1.1)."""
    if request.count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    _store(slave, request.elements)
    return EmptyResponse()


def read_daq(slave: SlaveState, request: daq.ReadDaq) -> daq.ReadDaqResponse:
    """Tell the entry and move on (XCP Base, READ_DAQ, 1.0)."""
    daq_list, odt, at = _pointed(slave)
    entries = daq_list.odts[odt]
    entry = entries[at] or OdtEntry(Address(0), 0)
    _advance(slave, entries, 1)
    return daq.ReadDaqResponse(
        bit_offset=entry.bit_offset,
        size=entry.size,
        address_extension=entry.address.extension,
        address=entry.address.value,
    )


# -- mode, start and stop -------------------------------------------------------------------------


def set_daq_list_mode(slave: SlaveState, request: daq.SetDaqListMode) -> EmptyResponse:
    """Bind a list to an event channel (XCP Base, SET_DAQ_LIST_MODE, 1.0)."""
    config = slave.config
    daq_list = _idle_list(slave, request.daq_list)
    mode = request.mode
    if request.event_channel >= len(config.events):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    event = config.events[request.event_channel]
    if request.prescaler == 0 or (request.prescaler > 1 and not config.prescaler):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if config.timestamp_fixed and config.timestamp.size_bytes and not mode.timestamp:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    if (
        mode.direction_stim
        or mode.alternating
        or mode.pid_off
        or not event.daq
        or (mode.dto_ctr and not config.dto_ctr)
        or (mode.timestamp and not config.timestamp.size_bytes)
    ):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    users = sum(
        other.event_channel == event.channel and other is not daq_list for other in slave.daq.lists
    )
    if event.max_daq_list != 0xFF and users >= event.max_daq_list:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    daq_list.event_channel = request.event_channel
    daq_list.prescaler = request.prescaler
    daq_list.priority = request.priority
    daq_list.timestamp = bool(mode.timestamp)
    daq_list.dto_ctr = bool(mode.dto_ctr)
    return EmptyResponse()


def get_daq_list_mode(slave: SlaveState, request: daq.GetDaqListMode) -> daq.GetDaqListModeResponse:
    """Tell mode and state of a list (XCP Base, GET_DAQ_LIST_MODE, 1.0)."""
    daq_list = _list(slave, request.daq_list)
    return daq.GetDaqListModeResponse(
        mode=DaqListModeState.of(
            selected=int(daq_list.selected),
            dto_ctr=int(daq_list.dto_ctr),
            timestamp=int(daq_list.timestamp),
            running=int(daq_list.running),
        ),
        event_channel=daq_list.event_channel or 0,
        prescaler=daq_list.prescaler,
        priority=daq_list.priority,
    )


def first_pid(slave: SlaveState, number: int) -> int:
    """FIRST_PID with absolute identification fields, else 0."""
    if slave.config.identification_field != 0:
        return 0
    return sum(len(daq_list.odts) for daq_list in slave.daq.lists[:number])


def _compiled(slave: SlaveState, number: int) -> Sampler:
    return compile_sampler(slave, number, slave.daq.lists[number], first_pid(slave, number))


def _run(daq_list: DaqList, sampler: Sampler) -> None:
    daq_list.sampler = sampler
    daq_list.skipped = daq_list.prescaler - 1  # the first event is sampled
    daq_list.lost = False


def start_stop_daq_list(
    slave: SlaveState, request: daq.StartStopDaqList
) -> daq.StartStopDaqListResponse:
    """Stop, start or select one list (XCP Base, START_STOP_DAQ_LIST, 1.0)."""
    if request.mode not in (_STOP, _START, _SELECT):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    daq_list = _list(slave, request.daq_list)
    if request.mode == _SELECT:
        daq_list.selected = True
    elif request.mode == _STOP:
        daq_list.sampler = None
    elif not daq_list.running:
        _run(daq_list, _compiled(slave, request.daq_list))
    slave.daq.schedule()
    return daq.StartStopDaqListResponse(first_pid=first_pid(slave, request.daq_list))


def start_stop_synch(slave: SlaveState, request: daq.StartStopSynch) -> EmptyResponse:
    """Stop all, or start, stop or prepare the selected lists (XCP Base, START_STOP_SYNCH, 1.0)."""
    mode = request.mode
    if mode > (_PREPARE if slave.config.protocol_version >= 4 else _STOP_SELECTED):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    lists = slave.daq.lists
    selected = [number for number, daq_list in enumerate(lists) if daq_list.selected]
    if mode in (_START, _PREPARE):
        if not selected:
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        ready = [(lists[n], _compiled(slave, n)) for n in selected if not lists[n].running]
        if mode == _PREPARE:
            return EmptyResponse()  # stays selected: the start follows
        for daq_list, sampler in ready:
            _run(daq_list, sampler)
    else:
        for daq_list in lists:
            if mode == _STOP or daq_list.selected:
                daq_list.sampler = None
    for daq_list in lists:
        daq_list.selected = False
    slave.daq.schedule()
    return EmptyResponse()


# -- information ----------------------------------------------------------------------------------


def get_daq_processor_info(
    slave: SlaveState, request: daq.GetDaqProcessorInfo
) -> daq.GetDaqProcessorInfoResponse:
    """Tell general abilities; MAX_DAQ counts the allocated lists (XCP Base, 1.0)."""
    config = slave.config
    return daq.GetDaqProcessorInfoResponse(
        daq_properties=DaqProperties.of(
            dynamic=1,
            prescaler_supported=int(config.prescaler),
            timestamp_supported=int(config.timestamp.size_bytes > 0),
            overload_msb=int(config.overload == 1),
            overload_event=int(config.overload == 2),
        ),
        max_daq=len(slave.daq.lists),
        max_event_channel=len(config.events),
        min_daq=0,
        daq_key_byte=DaqKeyByte.of(identification_field=config.identification_field),
    )


def get_daq_resolution_info(
    slave: SlaveState, request: daq.GetDaqResolutionInfo
) -> daq.GetDaqResolutionInfoResponse:
    """Tell entry sizes and the clock (XCP Base, GET_DAQ_RESOLUTION_INFO, 1.0)."""
    config = slave.config
    largest = min(0xFF, config.max_odt_entry_size // config.ag)
    size_bytes = config.timestamp.size_bytes
    return daq.GetDaqResolutionInfoResponse(
        granularity_daq=config.granularity_odt_entry,
        max_entry_size_daq=largest,
        granularity_stim=config.granularity_odt_entry,
        max_entry_size_stim=largest,
        timestamp_mode=TimestampMode.of(
            size=size_bytes,
            fixed=int(config.timestamp_fixed and size_bytes > 0),
            unit=config.timestamp.unit,
        ),
        timestamp_ticks=config.timestamp.ticks,
    )


def get_daq_list_info(slave: SlaveState, request: daq.GetDaqListInfo) -> daq.GetDaqListInfoResponse:
    """Tell what was allocated for a list (XCP Base, GET_DAQ_LIST_INFO, 1.0)."""
    daq_list = _list(slave, request.daq_list)
    return daq.GetDaqListInfoResponse(
        daq_list_properties=DaqListProperties.of(daq=1),
        max_odt=len(daq_list.odts),
        max_odt_entries=max((len(entries) for entries in daq_list.odts), default=0),
        fixed_event=0,
    )


def get_daq_event_info(
    slave: SlaveState, request: daq.GetDaqEventInfo
) -> daq.GetDaqEventInfoResponse:
    """Tell an event channel and point the MTA at its name (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""
    events = slave.config.events
    if request.event_channel >= len(events):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    event = events[request.event_channel]
    name = event.name.encode("ascii", "replace")[:0xFF]
    if name:
        slave.point_text(name)
    return daq.GetDaqEventInfoResponse(
        daq_event_properties=EventProperties.of(
            daq=int(event.daq), stim=int(event.stim), consistency=event.consistency
        ),
        max_daq_list=event.max_daq_list,
        name_length=len(name),
        time_cycle=event.time_cycle,
        time_unit=event.time_unit,
        priority=event.priority,
    )


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        daq.FreeDaq: free_daq,
        daq.AllocDaq: alloc_daq,
        daq.AllocOdt: alloc_odt,
        daq.AllocOdtEntry: alloc_odt_entry,
        daq.ClearDaqList: clear_daq_list,
        daq.SetDaqPtr: set_daq_ptr,
        daq.WriteDaq: write_daq,
        daq.WriteDaqMultiple: write_daq_multiple,
        daq.ReadDaq: read_daq,
        daq.SetDaqListMode: set_daq_list_mode,
        daq.GetDaqListMode: get_daq_list_mode,
        daq.StartStopDaqList: start_stop_daq_list,
        daq.StartStopSynch: start_stop_synch,
        daq.GetDaqProcessorInfo: get_daq_processor_info,
        daq.GetDaqResolutionInfo: get_daq_resolution_info,
        daq.GetDaqListInfo: get_daq_list_info,
        daq.GetDaqEventInfo: get_daq_event_info,
    }
)
