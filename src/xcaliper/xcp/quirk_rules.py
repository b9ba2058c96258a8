"""What quirks refuse, and what they make of answers: one small rule each, in two tables."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from xcaliper.core.address import Address
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for, encode
from xcaliper.xcp import daq, pag
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode
from xcaliper.xcp.quirks import Quirk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.xcp.quirky_slave import QuirkySlave
    from xcaliper.xcp.slave_config import SegmentConfig, SlaveConfig

__all__ = ["BUSY_NS", "DYNAMIC_EXTENSION", "REFUSALS", "SEQUELS", "Code", "segment_at"]

#: Address extension of measurements whose address holds the event.
DYNAMIC_EXTENSION: Final = 2
#: How long a write keeps the slave busy.
BUSY_NS: Final = 1_500_000_000
#: GET_ID types that are answered by length 0 where there is no text.
_EMPTY_IDS: Final = frozenset({3, 4})
_UNWANTED_MODES: Final = 0x23  # alternating, direction STIM, PID_OFF
_DIRECTION: Final = 0x02
_XCP_ACCESS: Final = 0x02
_EXTENDED: Final = 2
_NO_PAGE: Final = frozenset({ErrorCode.ERR_PAGE_NOT_VALID, ErrorCode.ERR_SEGMENT_NOT_VALID})


class Code(IntEnum):
    """Commands that quirks look at, by their first byte."""

    CONNECT = 0xFF
    GET_STATUS = 0xFD
    SYNCH = 0xFC
    GET_ID = 0xFA
    DOWNLOAD = 0xF0
    DOWNLOAD_NEXT = 0xEF
    DOWNLOAD_MAX = 0xEE
    SHORT_DOWNLOAD = 0xED
    MODIFY_BITS = 0xEC
    SET_CAL_PAGE = 0xEB
    GET_SEGMENT_INFO = 0xE8
    GET_PAGE_INFO = 0xE7
    COPY_CAL_PAGE = 0xE4
    WRITE_DAQ = 0xE1
    SET_DAQ_LIST_MODE = 0xE0
    START_STOP_DAQ_LIST = 0xDE
    START_STOP_SYNCH = 0xDD
    ALLOC_ODT_ENTRY = 0xD3
    WRITE_DAQ_MULTIPLE = 0xC7
    CLOCK_PROPERTIES = 0xC6
    PRIVATE = 0xC1


_WRITES: Final = frozenset(
    {Code.DOWNLOAD, Code.DOWNLOAD_NEXT, Code.DOWNLOAD_MAX, Code.SHORT_DOWNLOAD, Code.MODIFY_BITS}
)
_PAGING: Final = range(Code.COPY_CAL_PAGE, Code.SET_CAL_PAGE + 1)


def segment_at(config: SlaveConfig, address: Address) -> SegmentConfig | None:
    """The calibration segment at an address; None outside of all."""
    for one in config.segments:
        start, size = one.address, one.size_bytes // config.ag
        inside = start.value <= address.value < start.value + size
        if inside and start.extension == address.extension:
            return one
    return None


# -- refusals: packet → error, None to serve it ---------------------------------------------------


def _written(slave: QuirkySlave, packet: bytes) -> list[Address]:
    """Addresses of the entries that a packet writes; none for other packets."""
    kinds: dict[int, type[Any]] = {
        Code.WRITE_DAQ: daq.WriteDaq,
        Code.WRITE_DAQ_MULTIPLE: daq.WriteDaqMultiple,
    }
    kind = kinds.get(packet[0])
    if kind is None:
        return []
    try:
        request = codec_for(kind, slave.config.byte_order, slave.config.ag).decode(packet)
    except WireError:
        return []  # the plain slave says what is wrong
    elements = request.elements if kind is daq.WriteDaqMultiple else (request,)
    return [Address(one.address, one.address_extension) for one in elements]


def _empty_stop(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    stops = packet[:2] == bytes((Code.START_STOP_SYNCH, 0))
    return ErrorCode.ERR_DAQ_CONFIG if stops and not slave.state.daq.lists else None


def _single_start(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    starts = packet[:2] == bytes((Code.START_STOP_DAQ_LIST, 1))
    return ErrorCode.ERR_MODE_NOT_VALID if starts else None


def _second_start(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    kinds = (Code.START_STOP_SYNCH, Code.START_STOP_DAQ_LIST)
    starts = packet[0] in kinds and packet[1:2] == b"\1"
    return ErrorCode.ERR_DAQ_ACTIVE if starts and slave.state.daq.running else None


def _strict_mode(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    if packet[0] != Code.SET_DAQ_LIST_MODE:
        return None
    unwanted = _UNWANTED_MODES
    if Quirk.STIM_IGNORED in slave.config.quirks:
        unwanted &= ~_DIRECTION
    modes = int.from_bytes(packet[1:2], "little")
    return ErrorCode.ERR_OUT_OF_RANGE if modes & unwanted else None


def _event_in_address(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    """Entries of one list, and the event of its mode, must name the same event."""
    lists, pointer = slave.state.daq.lists, slave.state.daq.pointer
    number, events = -1, set()
    if packet[0] == Code.SET_DAQ_LIST_MODE and len(packet) == 8:
        request = codec_for(daq.SetDaqListMode, slave.config.byte_order).decode(packet)
        number, events = request.daq_list, {request.event_channel}
    elif pointer is not None:
        number = pointer[0]
        events = {
            address.value >> 16
            for address in _written(slave, packet)
            if address.extension == DYNAMIC_EXTENSION
        }
    if not events or number >= len(lists):
        return None
    events |= {
        entry.address.value >> 16
        for odt in lists[number].odts
        for entry in odt
        if entry is not None and entry.address.extension == DYNAMIC_EXTENSION
    }
    return ErrorCode.ERR_OUT_OF_RANGE if len(events) > 1 else None


def _parameter_entry(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    denied = any(segment_at(slave.config, one) is not None for one in _written(slave, packet))
    return ErrorCode.ERR_ACCESS_DENIED if denied else None


def _unknown_id(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    if packet[0] != Code.GET_ID or len(packet) < 2:
        return None
    known = packet[1] in _EMPTY_IDS or packet[1] in slave.config.ids
    return None if known else ErrorCode.ERR_OUT_OF_RANGE


def _other_copy(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    other = packet[0] == Code.COPY_CAL_PAGE and packet[2:5:2] != b"\1\0"
    return ErrorCode.ERR_ACCESS_DENIED if other else None


def _no_status(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    return ErrorCode.ERR_CMD_UNKNOWN if packet[0] == Code.GET_STATUS else None


def _no_page_chosen(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    early = packet[0] in _WRITES and not slave.page_chosen
    return ErrorCode.ERR_WRITE_PROTECTED if early else None


def _entry_too_early(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    state = slave.state.daq
    missing = any(not one.odts for one in state.lists[state.first_dynamic :])
    early = packet[0] == Code.ALLOC_ODT_ENTRY and missing
    return ErrorCode.ERR_SEQUENCE if early else None


def _busy(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    busy = slave.now_ns < slave.busy_until_ns and packet[0] not in (Code.CONNECT, Code.SYNCH)
    return ErrorCode.ERR_CMD_BUSY if busy else None


Refusal: TypeAlias = "Callable[[QuirkySlave, bytes], ErrorCode | None]"

#: In the order in which they are asked; a busy slave does not look at the rest.
REFUSALS: Final[Mapping[Quirk, Refusal]] = MappingProxyType(
    {
        Quirk.BUSY_AFTER_WRITE: _busy,
        Quirk.EMPTY_STOP_REFUSED: _empty_stop,
        Quirk.SYNCHRONOUS_START_ONLY: _single_start,
        Quirk.ONE_SET_AT_A_TIME: _second_start,
        Quirk.STRICT_LIST_MODE: _strict_mode,
        Quirk.EVENT_IN_ADDRESS: _event_in_address,
        Quirk.PARAMETERS_NOT_MEASURED: _parameter_entry,
        Quirk.EMPTY_IDS: _unknown_id,
        Quirk.DENIED_PAGES: _other_copy,
        Quirk.UNKNOWN_INFO: _no_status,
        Quirk.PAGE_BEFORE_WRITE: _no_page_chosen,
        Quirk.ODTS_BEFORE_ENTRIES: _entry_too_early,
    }
)


# -- sequels: command and its answer → the answer that is given -----------------------------------


def _one_kind_of_unknown(_slave: QuirkySlave, _packet: bytes, answer: bytes) -> bytes:
    if answer[:2] == bytes((PID_ERR, ErrorCode.ERR_SUBCMD_UNKNOWN)):
        return bytes((PID_ERR, ErrorCode.ERR_CMD_UNKNOWN))
    return answer


def _init_segment(_slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    if packet[0] == Code.GET_PAGE_INFO and answer[0] == PID_RES:
        return answer[:2] + b"\1" + answer[3:]
    return answer


def _denied_page(slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    if packet[0] in _PAGING and answer[0] == PID_ERR and answer[1] in _NO_PAGE:
        return bytes((PID_ERR, ErrorCode.ERR_ACCESS_DENIED))
    if packet[0] == Code.COPY_CAL_PAGE and answer[0] == PID_RES:
        for one in (one for one in slave.config.segments if len(one.pages) > 1):
            slave.state.memory.copy_page((one.number, 1), (one.number, 0))
    return answer


def _segment_name(slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    segments = slave.config.segments
    asks = packet[:2] == bytes((Code.GET_SEGMENT_INFO, 0)) and packet[3:4] == b"\2"
    if not asks or packet[2] >= len(segments):
        return answer
    name = segments[packet[2]].name.encode("ascii", "replace")
    slave.state.point_text(name)
    return encode(pag.SegmentValueInfo(value=len(name)), slave.config.byte_order)


def _claimed_clock(_slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    if packet[0] == Code.CLOCK_PROPERTIES and answer[0] == PID_RES:
        return answer[:1] + bytes((answer[1] & 0xFC | _EXTENDED,)) + answer[2:]
    return answer


def _note_page(slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    if packet[0] == Code.CONNECT:
        slave.page_chosen = False
    elif packet[0] == Code.SET_CAL_PAGE and answer[0] == PID_RES:
        slave.page_chosen = slave.page_chosen or bool(packet[1] & _XCP_ACCESS)
    return answer


def _note_write(slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    if packet[0] in _WRITES and answer[0] == PID_RES:
        slave.busy_until_ns = slave.now_ns + BUSY_NS
    return answer


def _not_applied(slave: QuirkySlave, packet: bytes, answer: bytes) -> bytes:
    mta = slave.state.mta
    if packet[0] in _WRITES and answer[0] == PID_RES and mta is not None:
        last = Address(max(mta.value - 1, 0), mta.extension)
        segment = segment_at(slave.config, last)
        if segment is not None:
            slave.say(f"{segment.name}: not locked, write not applied")
    return answer


Sequel: TypeAlias = "Callable[[QuirkySlave, bytes, bytes], bytes]"

SEQUELS: Final[Mapping[Quirk, Sequel]] = MappingProxyType(
    {
        Quirk.PRIVATE_COMMANDS: _one_kind_of_unknown,
        Quirk.PAGE_AS_INIT_SEGMENT: _init_segment,
        Quirk.DENIED_PAGES: _denied_page,
        Quirk.SEGMENT_NAMES: _segment_name,
        Quirk.EXTENDED_CLOCK_CLAIMED: _claimed_clock,
        Quirk.PAGE_BEFORE_WRITE: _note_page,
        Quirk.BUSY_AFTER_WRITE: _note_write,
        Quirk.UNAPPLIED_WRITES: _not_applied,
    }
)
