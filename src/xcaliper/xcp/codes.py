"""Packet identifiers, error and event codes, resource, mode and property bits of XCP."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from xcaliper.core.errors import (
    AccessDeniedError,
    AccessLockedError,
    BusyError,
    DaqActiveError,
    MemoryOverflowError,
    NegativeResponseError,
    OutOfRangeError,
    SequenceError,
    UnknownCommandError,
    WriteProtectedError,
)
from xcaliper.wire.layout import BitField, bit, bits

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PID_ERR",
    "PID_EV",
    "PID_RES",
    "PID_SERV",
    "ChecksumType",
    "CommModeBasic",
    "CommModeOptional",
    "DaqKeyByte",
    "DaqListModeRequest",
    "DaqListModeState",
    "DaqListProperties",
    "DaqProperties",
    "ErrorCode",
    "ErrorMeaning",
    "EventCode",
    "EventProperties",
    "GetIdMode",
    "Group",
    "PagProperties",
    "PageProperties",
    "Resource",
    "SegmentMode",
    "ServiceCode",
    "SessionStatus",
    "SetRequestMode",
    "TimestampMode",
    "error_set",
    "meaning_of",
    "negative_response",
]

PID_RES: Final = 0xFF
PID_ERR: Final = 0xFE
PID_EV: Final = 0xFD
PID_SERV: Final = 0xFC


class Group:
    """Command groups under their standard names."""

    STD: Final = "STD"
    CAL: Final = "CAL"
    PAG: Final = "PAG"
    DAQ: Final = "DAQ"
    PGM: Final = "PGM"
    TIME: Final = "TIME"
    DBG: Final = "DBG"
    POD: Final = "POD"
    TL: Final = "TL"


class ErrorCode(IntEnum):
    """Codes behind PID ERR (XCP Base, error codes, 1.0; later ones marked in ``meaning_of``)."""

    ERR_CMD_SYNCH = 0x00
    ERR_CMD_BUSY = 0x10
    ERR_DAQ_ACTIVE = 0x11
    ERR_PGM_ACTIVE = 0x12
    ERR_CMD_UNKNOWN = 0x20
    ERR_CMD_SYNTAX = 0x21
    ERR_OUT_OF_RANGE = 0x22
    ERR_WRITE_PROTECTED = 0x23
    ERR_ACCESS_DENIED = 0x24
    ERR_ACCESS_LOCKED = 0x25
    ERR_PAGE_NOT_VALID = 0x26
    ERR_MODE_NOT_VALID = 0x27
    ERR_SEGMENT_NOT_VALID = 0x28
    ERR_SEQUENCE = 0x29
    ERR_DAQ_CONFIG = 0x2A
    ERR_MEMORY_OVERFLOW = 0x30
    ERR_GENERIC = 0x31
    ERR_VERIFY = 0x32
    ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE = 0x33
    ERR_SUBCMD_UNKNOWN = 0x34
    ERR_TIMECORR_STATE_CHANGE = 0x35


_LETTERS: Final[Mapping[str, ErrorCode]] = MappingProxyType(
    {
        "B": ErrorCode.ERR_CMD_BUSY,
        "D": ErrorCode.ERR_DAQ_ACTIVE,
        "P": ErrorCode.ERR_PGM_ACTIVE,
        "U": ErrorCode.ERR_CMD_UNKNOWN,
        "S": ErrorCode.ERR_CMD_SYNTAX,
        "R": ErrorCode.ERR_OUT_OF_RANGE,
        "W": ErrorCode.ERR_WRITE_PROTECTED,
        "A": ErrorCode.ERR_ACCESS_DENIED,
        "L": ErrorCode.ERR_ACCESS_LOCKED,
        "Pg": ErrorCode.ERR_PAGE_NOT_VALID,
        "M": ErrorCode.ERR_MODE_NOT_VALID,
        "Sg": ErrorCode.ERR_SEGMENT_NOT_VALID,
        "Q": ErrorCode.ERR_SEQUENCE,
        "C": ErrorCode.ERR_DAQ_CONFIG,
        "O": ErrorCode.ERR_MEMORY_OVERFLOW,
        "G": ErrorCode.ERR_GENERIC,
        "V": ErrorCode.ERR_VERIFY,
        "N": ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE,
        "Sub": ErrorCode.ERR_SUBCMD_UNKNOWN,
        "T": ErrorCode.ERR_TIMECORR_STATE_CHANGE,
    }
)


def error_set(letters: str) -> frozenset[int]:
    """Error codes by short letters, as in a column of the command table: ``"B P U S R"``.

    B busy, D DAQ active, P PGM active, U unknown command, S syntax, R out of range, W write
    protected, A access denied, L locked, Pg page, M mode, Sg segment, Q sequence, C DAQ
    configuration, O memory overflow, G generic, V verify, N not accessible now, Sub unknown
    sub-command, T time correlation state.
    """
    return frozenset(_LETTERS[letter].value for letter in letters.split())


class ErrorMeaning(NamedTuple):
    """What an error code says and what usually helps.

    Attributes:
        severity: 0 information, 1 warning, 2 resolvable, 3 fatal.
        meaning: in words.
        remedy: what to try.
        since: first protocol-layer version that has the code.
    """

    severity: int
    meaning: str
    remedy: str
    since: str = "1.0"


_MEANINGS: Final[Mapping[int, ErrorMeaning]] = MappingProxyType(
    {
        0x00: ErrorMeaning(0, "the command processor was synchronised", ""),
        0x10: ErrorMeaning(2, "it is busy", "Wait and try again."),
        0x11: ErrorMeaning(2, "data acquisition is running", "Stop the measurement first."),
        0x12: ErrorMeaning(2, "programming is in progress", "Wait until it has ended."),
        0x20: ErrorMeaning(2, "it does not have this command", "Use another way, or none."),
        0x21: ErrorMeaning(2, "length or structure is wrong", "Check version and options."),
        0x22: ErrorMeaning(2, "a parameter is out of range", "Check numbers and sizes."),
        0x23: ErrorMeaning(
            2, "the memory is write protected", "Switch XCP access to the working page."
        ),
        0x24: ErrorMeaning(
            2, "the memory cannot be accessed", "Check that the A2L belongs to this software."
        ),
        0x25: ErrorMeaning(
            2,
            "the resource is protected",
            "Give a key function: keys=… of connect(), --key-library or --key-python in the shell.",
        ),
        0x26: ErrorMeaning(2, "the page does not exist", "Ask for the pages of the segment."),
        0x27: ErrorMeaning(2, "the mode is not available", "Check what the slave supports."),
        0x28: ErrorMeaning(2, "the segment does not exist", "Ask for the number of segments."),
        0x29: ErrorMeaning(2, "the order of commands was wrong", "Start the sequence again."),
        0x2A: ErrorMeaning(
            2, "the DAQ configuration cannot be used", "Measure fewer or smaller signals."
        ),
        0x30: ErrorMeaning(2, "it has no memory left", "Measure fewer signals."),
        0x31: ErrorMeaning(2, "it failed for a reason of its own", "Connect again."),
        0x32: ErrorMeaning(3, "verification failed", "Check image and sectors."),
        0x33: ErrorMeaning(2, "the resource cannot be reached now", "Try again later.", "1.1"),
        0x34: ErrorMeaning(2, "it does not have this sub-command", "Do without it.", "1.3"),
        0x35: ErrorMeaning(
            2, "time correlation cannot be changed now", "Stop the measurement first.", "1.3"
        ),
    }
)

_ERROR_CLASSES: Final[Mapping[int, type[NegativeResponseError]]] = MappingProxyType(
    {
        0x10: BusyError,
        0x11: DaqActiveError,
        0x12: BusyError,
        0x20: UnknownCommandError,
        0x22: OutOfRangeError,
        0x23: WriteProtectedError,
        0x24: AccessDeniedError,
        0x25: AccessLockedError,
        0x29: SequenceError,
        0x30: MemoryOverflowError,
        0x33: BusyError,
        0x34: UnknownCommandError,
    }
)


#: What people call a resource that has another name in RESOURCE.
_NEEDED: Final[Mapping[str, str]] = MappingProxyType({"cal_pag": "cal", "daq": "daq or stim"})


#: What helps when memory for something else than lists is used up, by resource.
_ROOM: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cal_pag": "Store what there is, or copy the reference page onto the working page to free it.",
        "pgm": "Check the size of the sectors.",
    }
)


def meaning_of(code: int) -> ErrorMeaning:
    """What a code says; unknown codes count as severity 2 (XCP Base, error codes, 1.0)."""
    return _MEANINGS.get(code) or ErrorMeaning(2, "an unknown error code", "Ask the ECU's maker.")


def negative_response(
    command: str, code: int, info: bytes = b"", request: object = None
) -> NegativeResponseError:
    """The typed exception of an ERR packet."""
    meaning = meaning_of(code)
    try:
        name = ErrorCode(code).name
    except ValueError:
        name = "ERR_UNKNOWN"
    kind = _ERROR_CLASSES.get(code, NegativeResponseError)
    text, remedy = meaning.meaning, meaning.remedy
    needed = getattr(getattr(request, "__command__", None), "resource", "")
    if code == ErrorCode.ERR_MEMORY_OVERFLOW:
        remedy = _ROOM.get(needed, remedy)
    if code == ErrorCode.ERR_ACCESS_LOCKED and needed:
        text = f"{_NEEDED.get(needed, needed)} is protected"
    return kind(
        command,
        code=code,
        code_name=name,
        meaning=text,
        remedy=remedy,
        info=info,
        request=request,
    )


class EventCode(IntEnum):
    """Codes behind PID EV (XCP Base, event codes, 1.0; TIME_SYNC and later ones 1.1+)."""

    EV_RESUME_MODE = 0x00
    EV_CLEAR_DAQ = 0x01
    EV_STORE_DAQ = 0x02
    EV_STORE_CAL = 0x03
    EV_CMD_PENDING = 0x05
    EV_DAQ_OVERLOAD = 0x06
    EV_SESSION_TERMINATED = 0x07
    EV_TIME_SYNC = 0x08
    EV_STIM_TIMEOUT = 0x09
    EV_SLEEP = 0x0A
    EV_WAKE_UP = 0x0B
    EV_ECU_STATE_CHANGE = 0x0C
    EV_USER = 0xFE
    EV_TRANSPORT = 0xFF


class ServiceCode(IntEnum):
    """Codes behind PID SERV (XCP Base, service request codes, 1.0)."""

    SERV_RESET = 0x00
    SERV_TEXT = 0x01


class ChecksumType(IntEnum):
    """Algorithms of BUILD_CHECKSUM (XCP Base, BUILD_CHECKSUM, 1.0)."""

    XCP_ADD_11 = 0x01
    XCP_ADD_12 = 0x02
    XCP_ADD_14 = 0x03
    XCP_ADD_22 = 0x04
    XCP_ADD_24 = 0x05
    XCP_ADD_44 = 0x06
    XCP_CRC_16 = 0x07
    XCP_CRC_16_CITT = 0x08
    XCP_CRC_32 = 0x09
    XCP_USER_DEFINED = 0xFF


class Resource(BitField):
    """RESOURCE and protection masks (XCP Base, CONNECT, 1.0; DBG 1.5)."""

    __slots__ = ()
    cal_pag = bit(0, "calibration and paging")
    daq = bit(2, "data acquisition")
    stim = bit(3, "stimulation")
    pgm = bit(4, "programming")
    dbg = bit(5, "software debugging")


class CommModeBasic(BitField):
    """COMM_MODE_BASIC (XCP Base, CONNECT, 1.0)."""

    __slots__ = ()
    byte_order = bit(0, "0 Intel, 1 Motorola")
    granularity = bits(1, 2, "0 byte, 1 word, 2 dword")
    slave_block_mode = bit(6, "several responses per UPLOAD")
    optional = bit(7, "GET_COMM_MODE_INFO has more")


class CommModeOptional(BitField):
    """COMM_MODE_OPTIONAL (XCP Base, GET_COMM_MODE_INFO, 1.0)."""

    __slots__ = ()
    master_block_mode = bit(0)
    interleaved_mode = bit(1)


class SessionStatus(BitField):
    """SESSION_STATUS (XCP Base, GET_STATUS, 1.0; the LOST bits 1.5)."""

    __slots__ = ()
    store_cal_req = bit(0)
    cal_pag_cfg_lost = bit(1)
    store_daq_req = bit(2)
    clear_daq_req = bit(3)
    daq_cfg_lost = bit(4)
    daq_running = bit(6)
    resume = bit(7)


class GetIdMode(BitField):
    """MODE of the GET_ID response (XCP Base, GET_ID, 1.0)."""

    __slots__ = ()
    transfer_mode = bit(0, "1: the text is in the response")
    compressed_encrypted = bit(1)


class SetRequestMode(BitField):
    """MODE of SET_REQUEST (XCP Base, SET_REQUEST, 1.0; bit 1 since 1.1, bits 4 and 5 since 1.5)."""

    __slots__ = ()
    store_cal_req = bit(0)
    store_daq_req_no_resume = bit(1)
    store_daq_req_resume = bit(2)
    clear_daq_req = bit(3)
    clear_cal_pag_cfg_lost = bit(4)
    clear_daq_cfg_lost = bit(5)


class PagProperties(BitField):
    """PAG_PROPERTIES (XCP Base, GET_PAG_PROCESSOR_INFO, 1.0)."""

    __slots__ = ()
    freeze_supported = bit(0)


class PageProperties(BitField):
    """PAGE_PROPERTIES (XCP Base, GET_PAGE_INFO, 1.0)."""

    __slots__ = ()
    ecu_access = bits(0, 2, "1 without XCP, 2 with XCP, 3 don't care")
    xcp_read_access = bits(2, 2, "1 without ECU, 2 with ECU, 3 don't care")
    xcp_write_access = bits(4, 2, "1 without ECU, 2 with ECU, 3 don't care")


class SegmentMode(BitField):
    """MODE of SET_SEGMENT_MODE (XCP Base, 1.0)."""

    __slots__ = ()
    freeze = bit(0)


class DaqProperties(BitField):
    """DAQ_PROPERTIES (XCP Base, GET_DAQ_PROCESSOR_INFO, 1.0)."""

    __slots__ = ()
    dynamic = bit(0)
    prescaler_supported = bit(1)
    resume_supported = bit(2)
    bit_stim_supported = bit(3)
    timestamp_supported = bit(4)
    pid_off_supported = bit(5)
    overload_msb = bit(6)
    overload_event = bit(7)


class DaqKeyByte(BitField):
    """DAQ_KEY_BYTE (XCP Base, GET_DAQ_PROCESSOR_INFO, 1.0)."""

    __slots__ = ()
    optimisation_type = bits(0, 4)
    address_extension = bits(4, 2, "0 free, 1 same per ODT, 3 same per list")
    identification_field = bits(6, 2, "0 absolute, 1 + list u8, 2 + list u16, 3 + fill + list u16")


class TimestampMode(BitField):
    """TIMESTAMP_MODE (XCP Base, GET_DAQ_RESOLUTION_INFO, 1.0)."""

    __slots__ = ()
    size = bits(0, 3, "bytes")
    fixed = bit(3)
    unit = bits(4, 4)


class DaqListProperties(BitField):
    """DAQ_LIST_PROPERTIES (XCP Base, GET_DAQ_LIST_INFO, 1.0; PACKED 1.4)."""

    __slots__ = ()
    predefined = bit(0)
    event_fixed = bit(1)
    daq = bit(2)
    stim = bit(3)
    packed = bit(4)


class EventProperties(BitField):
    """DAQ_EVENT_PROPERTIES (XCP Base, GET_DAQ_EVENT_INFO, 1.0; PACKED 1.4)."""

    __slots__ = ()
    daq = bit(2)
    stim = bit(3)
    packed = bit(4)
    consistency = bits(6, 2, "0 ODT, 1 DAQ list, 2 event channel, 3 none")


class DaqListModeRequest(BitField):
    """MODE of SET_DAQ_LIST_MODE (XCP Base, 1.0; DTO_CTR 1.3)."""

    __slots__ = ()
    alternating = bit(0)
    direction_stim = bit(1)
    dto_ctr = bit(3)
    timestamp = bit(4)
    pid_off = bit(5)


class DaqListModeState(BitField):
    """MODE of the GET_DAQ_LIST_MODE response (XCP Base, 1.0; DTO_CTR 1.3)."""

    __slots__ = ()
    selected = bit(0)
    direction_stim = bit(1)
    dto_ctr = bit(3)
    timestamp = bit(4)
    pid_off = bit(5)
    running = bit(6)
    resume = bit(7)
