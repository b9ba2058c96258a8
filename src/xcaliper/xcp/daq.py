"""Data acquisition and stimulation commands."""

from __future__ import annotations

from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import Packet, elements, packet, u8, u16, u32
from xcaliper.xcp.codes import (
    PID_RES,
    DaqKeyByte,
    DaqListModeRequest,
    DaqListModeState,
    DaqListProperties,
    DaqProperties,
    EventProperties,
    Group,
    TimestampMode,
    error_set,
)
from xcaliper.xcp.std import EmptyResponse

__all__ = [
    "AllocDaq",
    "AllocOdt",
    "AllocOdtEntry",
    "ClearDaqList",
    "DaqElement",
    "FreeDaq",
    "GetDaqEventInfo",
    "GetDaqEventInfoResponse",
    "GetDaqListInfo",
    "GetDaqListInfoResponse",
    "GetDaqListMode",
    "GetDaqListModeResponse",
    "GetDaqProcessorInfo",
    "GetDaqProcessorInfoResponse",
    "GetDaqResolutionInfo",
    "GetDaqResolutionInfoResponse",
    "ReadDaq",
    "ReadDaqResponse",
    "SetDaqListMode",
    "SetDaqPtr",
    "StartStopDaqList",
    "StartStopDaqListResponse",
    "StartStopSynch",
    "WriteDaq",
    "WriteDaqMultiple",
]


@command(0xE3, group=Group.DAQ, resource="daq", errors=error_set("B P S R A L N"))
class ClearDaqList(Request[EmptyResponse]):
    """Empty a static list, stopping it (XCP Base, CLEAR_DAQ_LIST, 1.0)."""

    daq_list: int = u16(2)


@command(0xE2, group=Group.DAQ, resource="daq", mandatory=True, errors=error_set("B D P S R L N"))
class SetDaqPtr(Request[EmptyResponse]):
    """Point at an ODT entry (XCP Base, SET_DAQ_PTR, 1.0)."""

    daq_list: int = u16(2)
    odt: int = u8(4)
    odt_entry: int = u8(5)


@command(
    0xE1,
    group=Group.DAQ,
    recovery="daq_ptr",
    resource="daq",
    mandatory=True,
    errors=error_set("B D P S R W A L C N"),
)
class WriteDaq(Request[EmptyResponse]):
    """Fill the entry and point at the next (XCP Base, WRITE_DAQ, 1.0); BIT_OFFSET 0xFF = whole element."""

    bit_offset: int = u8(1, default=0xFF)
    size: int = u8(2, unit="AG")
    address_extension: int = u8(3, default=0)
    address: int = u32(4)


@packet()
class DaqElement(Packet):
    """One entry of WRITE_DAQ_MULTIPLE (XCP Base, WRITE_DAQ_MULTIPLE, 1.1)."""

    bit_offset: int = u8(0, default=0xFF)
    size: int = u8(1, unit="AG")
    address: int = u32(2)
    address_extension: int = u8(6, default=0)
    fill: int = u8(7, default=0)


@command(
    0xC7,
    group=Group.DAQ,
    recovery="daq_ptr",
    resource="daq",
    since="1.1",
    errors=error_set("B D P U S R W A L C N"),
)
class WriteDaqMultiple(Request[EmptyResponse]):
    """Fill several entries of one ODT (XCP Base, WRITE_DAQ_MULTIPLE, 1.1)."""

    count: int = u8(1)
    elements: tuple[DaqElement, ...] = elements(2, DaqElement, count="count")


@command(0xE0, group=Group.DAQ, resource="daq", mandatory=True, errors=error_set("B D P S R L M N"))
class SetDaqListMode(Request[EmptyResponse]):
    """Bind a list to an event channel (XCP Base, SET_DAQ_LIST_MODE, 1.0)."""

    mode: DaqListModeRequest = u8(1, view=DaqListModeRequest)
    daq_list: int = u16(2)
    event_channel: int = u16(4)
    prescaler: int = u8(6, default=1)
    priority: int = u8(7, default=0)


@packet(PID_RES)
class GetDaqListModeResponse(Response):
    """Mode and state of a list (XCP Base, GET_DAQ_LIST_MODE, 1.0)."""

    mode: DaqListModeState = u8(1, view=DaqListModeState)
    event_channel: int = u16(4)
    prescaler: int = u8(6)
    priority: int = u8(7)


@command(0xDF, group=Group.DAQ, resource="daq", errors=error_set("B P U S R L N"))
class GetDaqListMode(Request[GetDaqListModeResponse]):
    """Ask for mode and state of a list (XCP Base, GET_DAQ_LIST_MODE, 1.0)."""

    daq_list: int = u16(2)


@packet(PID_RES)
class StartStopDaqListResponse(Response):
    """FIRST_PID of the list, for absolute identification fields (XCP Base, START_STOP_DAQ_LIST, 1.0)."""

    first_pid: int = u8(1, default=0)


@command(0xDE, group=Group.DAQ, resource="daq", mandatory=True, errors=error_set("B P S R L M C N"))
class StartStopDaqList(Request[StartStopDaqListResponse]):
    """Stop (0), start (1) or select (2) a list (XCP Base, START_STOP_DAQ_LIST, 1.0)."""

    mode: int = u8(1)
    daq_list: int = u16(2)


@command(0xDD, group=Group.DAQ, resource="daq", mandatory=True, errors=error_set("B P S L M C N"))
class StartStopSynch(Request[EmptyResponse]):
    """Stop all (0), start (1) or stop (2) selected, prepare (3) (XCP Base, START_STOP_SYNCH, 1.0; 3 1.4)."""

    mode: int = u8(1)


@packet(PID_RES)
class ReadDaqResponse(Response):
    """The entry that the pointer showed (XCP Base, READ_DAQ, 1.0)."""

    bit_offset: int = u8(1)
    size: int = u8(2, unit="AG")
    address_extension: int = u8(3)
    address: int = u32(4)


@command(0xDB, group=Group.DAQ, recovery="daq_ptr", resource="daq", errors=error_set("B P U S L N"))
class ReadDaq(Request[ReadDaqResponse]):
    """Read the entry and point at the next (XCP Base, READ_DAQ, 1.0)."""


@packet(PID_RES)
class GetDaqProcessorInfoResponse(Response):
    """General abilities (XCP Base, GET_DAQ_PROCESSOR_INFO, 1.0)."""

    daq_properties: DaqProperties = u8(1, view=DaqProperties)
    max_daq: int = u16(2)
    max_event_channel: int = u16(4)
    min_daq: int = u8(6)
    daq_key_byte: DaqKeyByte = u8(7, view=DaqKeyByte)


@command(0xDA, group=Group.DAQ, resource="daq", errors=error_set("B P U S L N"))
class GetDaqProcessorInfo(Request[GetDaqProcessorInfoResponse]):
    """Ask for general abilities (XCP Base, GET_DAQ_PROCESSOR_INFO, 1.0)."""


@packet(PID_RES)
class GetDaqResolutionInfoResponse(Response):
    """Entry sizes and timestamp (XCP Base, GET_DAQ_RESOLUTION_INFO, 1.0)."""

    granularity_daq: int = u8(1, unit="byte")
    max_entry_size_daq: int = u8(2, unit="AG")
    granularity_stim: int = u8(3, unit="byte")
    max_entry_size_stim: int = u8(4, unit="AG")
    timestamp_mode: TimestampMode = u8(5, view=TimestampMode)
    timestamp_ticks: int = u16(6)


@command(0xD9, group=Group.DAQ, resource="daq", errors=error_set("B P U S L N"))
class GetDaqResolutionInfo(Request[GetDaqResolutionInfoResponse]):
    """Ask for entry sizes and timestamp (XCP Base, GET_DAQ_RESOLUTION_INFO, 1.0)."""


@packet(PID_RES)
class GetDaqListInfoResponse(Response):
    """Capacity of a static list (XCP Base, GET_DAQ_LIST_INFO, 1.0); old slaves leave the event out."""

    daq_list_properties: DaqListProperties = u8(1, view=DaqListProperties)
    max_odt: int = u8(2)
    max_odt_entries: int = u8(3)
    fixed_event: int | None = u16(4, optional=True)


@command(0xD8, group=Group.DAQ, resource="daq", errors=error_set("B P U S R L N"))
class GetDaqListInfo(Request[GetDaqListInfoResponse]):
    """Ask for a static list (XCP Base, GET_DAQ_LIST_INFO, 1.0)."""

    daq_list: int = u16(2)


@packet(PID_RES)
class GetDaqEventInfoResponse(Response):
    """An event channel; its name waits at the MTA (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""

    daq_event_properties: EventProperties = u8(1, view=EventProperties)
    max_daq_list: int = u8(2)
    name_length: int = u8(3, unit="byte")
    time_cycle: int = u8(4)
    time_unit: int = u8(5)
    priority: int = u8(6)


@command(0xD7, group=Group.DAQ, resource="daq", errors=error_set("B P U S R L N"))
class GetDaqEventInfo(Request[GetDaqEventInfoResponse]):
    """Ask for an event channel (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""

    event_channel: int = u16(2)


@command(0xD6, group=Group.DAQ, resource="daq", errors=error_set("B P U S L N"))
class FreeDaq(Request[EmptyResponse]):
    """Remove every dynamic list (XCP Base, FREE_DAQ, 1.0)."""


@command(
    0xD5, group=Group.DAQ, recovery="alloc", resource="daq", errors=error_set("B D P U S R L Q O N")
)
class AllocDaq(Request[EmptyResponse]):
    """Make dynamic lists (XCP Base, ALLOC_DAQ, 1.0)."""

    daq_count: int = u16(2)


@command(
    0xD4, group=Group.DAQ, recovery="alloc", resource="daq", errors=error_set("B D P U S R L Q O N")
)
class AllocOdt(Request[EmptyResponse]):
    """Give a list its ODTs (XCP Base, ALLOC_ODT, 1.0)."""

    daq_list: int = u16(2)
    odt_count: int = u8(4)


@command(
    0xD3, group=Group.DAQ, recovery="alloc", resource="daq", errors=error_set("B D P U S R L Q O N")
)
class AllocOdtEntry(Request[EmptyResponse]):
    """Give an ODT its entries (XCP Base, ALLOC_ODT_ENTRY, 1.0)."""

    daq_list: int = u16(2)
    odt: int = u8(4)
    entry_count: int = u8(5)
