"""Behaviour of the data acquisition commands: what the slave tells, and the table of all of them."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import daq, level1, timecorr
from xcaliper.xcp.codes import (
    DaqKeyByte,
    DaqListProperties,
    DaqProperties,
    ErrorCode,
    EventProperties,
    TimestampMode,
)
from xcaliper.xcp.handlers import daq_alloc, daq_run
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "get_daq_event_info",
    "get_daq_list_info",
    "get_daq_processor_info",
    "get_daq_resolution_info",
]

_STRICT: Final = 8
_TYPES_WITH_STRICT: Final = (1, 2, 3)


def get_daq_processor_info(
    slave: SlaveState, request: daq.GetDaqProcessorInfo
) -> daq.GetDaqProcessorInfoResponse:
    """Tell general abilities; MAX_DAQ counts the lists that are there now (XCP Base, 1.0)."""
    config = slave.announced
    kind = config.optimisation_type
    if config.optimisation_strict and kind in _TYPES_WITH_STRICT:
        kind |= _STRICT  # XCP Base, DAQ_KEY_BYTE, 1.4
    lists = len(slave.daq.lists)
    if config.dynamic and config.max_daq_is_limit:
        lists = config.min_daq + config.max_daq_lists
    return daq.GetDaqProcessorInfoResponse(
        daq_properties=DaqProperties.of(
            dynamic=int(config.dynamic),
            prescaler_supported=int(config.prescaler),
            resume_supported=int(config.store.resume),
            bit_stim_supported=int(config.bit_stim),
            timestamp_supported=int(config.timestamp.size_bytes > 0),
            pid_off_supported=int(config.pid_off),
            overload_msb=int(config.overload == 1),
            overload_event=int(config.overload == 2),
        ),
        max_daq=lists,
        max_event_channel=len(config.events),
        min_daq=config.min_daq,
        daq_key_byte=DaqKeyByte.of(
            optimisation_type=kind,
            address_extension=config.address_extension,
            identification_field=config.identification_field,
        ),
    )


def get_daq_resolution_info(
    slave: SlaveState, request: daq.GetDaqResolutionInfo
) -> daq.GetDaqResolutionInfoResponse:
    """Tell entry sizes and the clock (XCP Base, GET_DAQ_RESOLUTION_INFO, 1.0)."""
    config = slave.announced
    size_bytes = config.timestamp.size_bytes
    return daq.GetDaqResolutionInfoResponse(
        granularity_daq=config.grain(),
        max_entry_size_daq=min(0xFF, config.largest_entry() // config.ag),
        granularity_stim=config.grain(stim=True),
        max_entry_size_stim=min(0xFF, config.largest_entry(stim=True) // config.ag),
        timestamp_mode=TimestampMode.of(
            size=size_bytes,
            fixed=int(config.timestamp_fixed and size_bytes > 0),
            unit=config.timestamp.unit,
        ),
        timestamp_ticks=config.timestamp.ticks,
    )


def get_daq_list_info(slave: SlaveState, request: daq.GetDaqListInfo) -> daq.GetDaqListInfoResponse:
    """Tell the room of a list, and what of it is fixed (XCP Base, GET_DAQ_LIST_INFO, 1.0)."""
    daq_list = daq_alloc.daq_list_of(slave, request.daq_list)
    fixed = daq_list.fixed
    event = None if fixed is None else fixed.event_fixed
    return daq.GetDaqListInfoResponse(
        daq_list_properties=DaqListProperties.of(
            predefined=int(daq_list.predefined),
            event_fixed=int(event is not None),
            daq=int(fixed is None or fixed.daq),
            stim=int(slave.announced.takes_stim if fixed is None else fixed.stim),
            packed=int(fixed.packed if fixed else any(e.packed for e in slave.announced.events)),
        ),
        max_odt=len(daq_list.odts),
        max_odt_entries=max((len(entries) for entries in daq_list.odts), default=0),
        fixed_event=event or 0,
    )


def get_daq_event_info(
    slave: SlaveState, request: daq.GetDaqEventInfo
) -> daq.GetDaqEventInfoResponse:
    """Tell an event channel and point the MTA at its name (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""
    events = slave.announced.events
    if request.event_channel >= len(events):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    event = events[request.event_channel]
    name = event.name.encode("ascii", "replace")[:0xFF]
    if name:
        slave.point_text(name)
    return daq.GetDaqEventInfoResponse(
        daq_event_properties=EventProperties.of(
            daq=int(event.daq),
            stim=int(event.stim),
            packed=int(event.packed is not None),
            consistency=event.consistency,
        ),
        max_daq_list=event.max_daq_list,
        name_length=len(name),
        time_cycle=event.time_cycle,
        time_unit=event.time_unit,
        priority=event.priority,
    )


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        daq.FreeDaq: daq_alloc.free_daq,
        daq.AllocDaq: daq_alloc.alloc_daq,
        daq.AllocOdt: daq_alloc.alloc_odt,
        daq.AllocOdtEntry: daq_alloc.alloc_odt_entry,
        daq.ClearDaqList: daq_alloc.clear_daq_list,
        daq.SetDaqPtr: daq_alloc.set_daq_ptr,
        daq.WriteDaq: daq_alloc.write_daq,
        daq.WriteDaqMultiple: daq_alloc.write_daq_multiple,
        daq.ReadDaq: daq_alloc.read_daq,
        daq.SetDaqListMode: daq_run.set_daq_list_mode,
        daq.GetDaqListMode: daq_run.get_daq_list_mode,
        level1.SetDaqPackedMode: daq_run.set_daq_packed_mode,
        level1.GetDaqPackedMode: daq_run.get_daq_packed_mode,
        timecorr.DtoCtrProperties: daq_run.dto_ctr_properties,
        daq.StartStopDaqList: daq_run.start_stop_daq_list,
        daq.StartStopSynch: daq_run.start_stop_synch,
        daq.GetDaqProcessorInfo: get_daq_processor_info,
        daq.GetDaqResolutionInfo: get_daq_resolution_info,
        daq.GetDaqListInfo: get_daq_list_info,
        daq.GetDaqEventInfo: get_daq_event_info,
    }
)
