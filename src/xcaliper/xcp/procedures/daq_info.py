"""What the slave tells about its data acquisition; live answers beat the A2L."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, level1
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import Session, optional
from xcaliper.xcp.procedures.memory import told_and_uploaded

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure

__all__ = ["DaqInfo", "EventInfo", "ListInfo", "PackedMode", "daq_info", "list_info", "packed_mode"]

_MAX_EVENTS: Final = 4096
_MAX_LISTS: Final = 4096
#: Entries of predefined lists that are read; slaves have few.
_MAX_ENTRIES: Final = 16_384


@dataclass(frozen=True, slots=True)
class EventInfo:
    """An event channel as the slave describes it; the name may be empty."""

    channel: int
    name: str
    info: daq.GetDaqEventInfoResponse


@dataclass(frozen=True, slots=True)
class ListInfo:
    """A static or predefined list as the slave describes it.

    Attributes:
        number: on the wire.
        info: capacity and properties.
        odts: entries of a predefined list; empty when they cannot be read.
    """

    number: int
    info: daq.GetDaqListInfoResponse
    odts: tuple[OdtSetup, ...] = ()


@dataclass(frozen=True, slots=True)
class PackedMode:
    """How samples of a list travel together (XCP Base, GET_DAQ_PACKED_MODE, 1.4).

    Attributes:
        mode: 0 each alone, 1 grouped by element, 2 by event.
        timestamp_mode: 0 the time is that of the last sample, 1 of the first.
        sample_count: samples in one DTO.
    """

    mode: int = 0
    timestamp_mode: int = 0
    sample_count: int = 1


@dataclass(frozen=True, slots=True)
class DaqInfo:
    """Answers of the slave; None where it does not tell.

    Attributes:
        processor: general abilities, header format.
        resolution: entry sizes, clock.
        events: channels that could be asked for, in order; None when the slave does not tell.
        lists: static and predefined lists that could be asked for, in order.
    """

    processor: daq.GetDaqProcessorInfoResponse | None
    resolution: daq.GetDaqResolutionInfoResponse | None
    events: tuple[EventInfo, ...] | None
    lists: tuple[ListInfo, ...] = ()


def daq_info(session: Session, *, max_events: int = _MAX_EVENTS) -> Procedure[DaqInfo]:
    """General abilities, clock and events; every answer is optional.

    Args:
        session: of the connection.
        max_events: events beyond are not asked for.
    """
    processor = yield from optional(session, daq.GetDaqProcessorInfo())
    resolution = yield from optional(session, daq.GetDaqResolutionInfo())
    events: list[EventInfo] = []
    told = processor is not None and processor.max_event_channel > 0
    for channel in range(min(processor.max_event_channel, max_events) if processor else 0):
        request = daq.GetDaqEventInfo(event_channel=channel)
        info, name = yield from told_and_uploaded(
            session, partial(optional, session, request), _name_size
        )
        if info is None:
            told = bool(events)
            break
        events.append(EventInfo(channel, name.rstrip(b"\0").decode("utf-8", "replace"), info))
    count = 0
    if processor is not None:
        dynamic = processor.daq_properties.dynamic
        count = processor.min_daq if dynamic else max(processor.max_daq, processor.min_daq)
    lists = yield from list_info(session, count)
    return DaqInfo(processor, resolution, tuple(events) if told else None, lists)


def _name_size(info: daq.GetDaqEventInfoResponse | None) -> int:
    return 0 if info is None else info.name_length


def list_info(session: Session, count: int) -> Procedure[tuple[ListInfo, ...]]:
    """Static and predefined lists, the entries of the latter (XCP Base, GET_DAQ_LIST_INFO, 1.0).

    Asking ends with the first list that the slave does not tell about.

    Args:
        session: of the connection.
        count: lists to ask for, from number 0.
    """
    found: list[ListInfo] = []
    entries_left = _MAX_ENTRIES
    for number in range(min(count, _MAX_LISTS)):
        info = yield from optional(session, daq.GetDaqListInfo(daq_list=number))
        if info is None:
            break
        odts: tuple[OdtSetup, ...] = ()
        if info.daq_list_properties.predefined:
            entries_left -= info.max_odt * info.max_odt_entries
            if entries_left >= 0:
                odts = yield from _read_list(session, number, info)
        found.append(ListInfo(number, info, odts))
    return tuple(found)


def _read_list(
    session: Session, number: int, info: daq.GetDaqListInfoResponse
) -> Procedure[tuple[OdtSetup, ...]]:
    """Entries of a predefined list (XCP Base, READ_DAQ, 1.0).

    An ODT ends with an unused entry, or where the slave refuses to read on. Nothing when a part
    cannot be read: a list that is known in part cannot be decoded.
    """
    odts: list[OdtSetup] = []
    for odt in range(info.max_odt):
        if (
            yield from optional(session, daq.SetDaqPtr(daq_list=number, odt=odt, odt_entry=0))
        ) is None:
            return ()
        entries: list[OdtEntry] = []
        for _ in range(info.max_odt_entries):
            try:
                reply = yield from ask(daq.ReadDaq())
            except NegativeResponseError:
                if entries:
                    break
                return ()
            if not reply.size:
                break
            address = Address(reply.address, reply.address_extension)
            entries.append(OdtEntry(address, reply.size, reply.bit_offset))
        if not entries:
            break
        odts.append(OdtSetup(tuple(entries)))
    return tuple(odts)


def packed_mode(daq_list: int) -> Procedure[PackedMode]:
    """How samples of a list travel together (XCP Base, GET_DAQ_PACKED_MODE, 1.4).

    Raises:
        UnknownCommandError: the slave never packs.
        OutOfRangeError: there is no such list.
    """
    reply = yield from ask(level1.GetDaqPackedMode(daq_list=daq_list))
    if not reply.daq_packed_mode:
        return PackedMode()
    return PackedMode(reply.daq_packed_mode, reply.timestamp_mode or 0, reply.sample_count or 1)
