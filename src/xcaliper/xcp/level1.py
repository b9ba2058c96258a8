"""Two-byte commands behind 0xC0: version, packed mode, software debugging, XCP on POD.

Layouts of software debugging and POD have a single public source; their table rows say so.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import (
    AFTER,
    Packet,
    data,
    elements,
    fixed,
    packet,
    sized,
    u8,
    u16,
    u32,
    u64,
)
from xcaliper.xcp.codes import PID_RES, Group, error_set
from xcaliper.xcp.std import EmptyResponse

__all__ = [
    "LEVEL1_COMMANDS",
    "DbgAttach",
    "DbgAttachResponse",
    "DbgExclusiveTargetAccess",
    "DbgGetHwioInfo",
    "DbgGetHwioInfoResponse",
    "DbgGetJtagId",
    "DbgGetJtagIdResponse",
    "DbgGetModeInfo",
    "DbgGetModeInfoResponse",
    "DbgGetTriDescTbl",
    "DbgGetTriDescTblResponse",
    "DbgGetVendorInfo",
    "DbgGetVendorInfoResponse",
    "DbgHaltAfterReset",
    "DbgHwioControl",
    "DbgHwioControlResponse",
    "DbgLlbt",
    "DbgLlbtResponse",
    "DbgLlt",
    "DbgLltResponse",
    "DbgRead",
    "DbgReadCan1",
    "DbgReadCan2",
    "DbgReadCan2Response",
    "DbgReadModifyWrite",
    "DbgReadModifyWriteResponse",
    "DbgReadResponse",
    "DbgSequenceMultiple",
    "DbgSequenceMultipleResponse",
    "DbgSetHwioEvent",
    "DbgWrite",
    "DbgWriteCan1",
    "DbgWriteCan2",
    "DbgWriteCanNext",
    "DbgWriteNext",
    "GetDaqPackedMode",
    "GetDaqPackedModeResponse",
    "GetVersion",
    "GetVersionResponse",
    "HwioPin",
    "HwioState",
    "PodCommand",
    "PodCommandCode",
    "PodCommandResponse",
    "SequenceResult",
    "SetDaqPackedMode",
]

_DBG_ERRORS: Final = error_set("B U S R L Sub")


@packet(PID_RES)
class GetVersionResponse(Response):
    """Versions with their minor numbers (XCP Base, GET_VERSION, 1.4)."""

    protocol_major: int = u8(2)
    protocol_minor: int = u8(3)
    transport_major: int = u8(4)
    transport_minor: int = u8(5)


@command(0xC0, 0x00, group=Group.STD, since="1.4", errors=error_set("B U S N Sub"))
class GetVersion(Request[GetVersionResponse]):
    """Ask for the versions (XCP Base, GET_VERSION, 1.4)."""


@command(
    0xC0,
    0x01,
    group=Group.DAQ,
    resource="daq",
    since="1.4",
    errors=error_set("B D P U S R L M Sub"),
)
class SetDaqPackedMode(Request[EmptyResponse]):
    """Collect samples: mode 0 no, 1 by element, 2 by event (XCP Base, SET_DAQ_PACKED_MODE, 1.4).

    Timestamp mode 0 is the time of the last sample, 1 that of the first. Both fields behind the mode
    may be absent when it is 0.
    """

    daq_list: int = u16(2)
    daq_packed_mode: int = u8(4)
    timestamp_mode: int | None = u8(5, optional=True)
    sample_count: int | None = u16(6, optional=True)


@packet(PID_RES)
class GetDaqPackedModeResponse(Response):
    """Packed mode of a list (XCP Base, GET_DAQ_PACKED_MODE, 1.4)."""

    daq_packed_mode: int = u8(2)
    timestamp_mode: int | None = u8(3, optional=True)
    sample_count: int | None = u16(4, optional=True)


@command(
    0xC0, 0x02, group=Group.DAQ, resource="daq", since="1.4", errors=error_set("B P U S R L Sub")
)
class GetDaqPackedMode(Request[GetDaqPackedModeResponse]):
    """Ask for the packed mode of a list (XCP Base, GET_DAQ_PACKED_MODE, 1.4)."""

    daq_list: int = u16(2)


@packet()
class HwioPin(Packet):
    """A hardware pin (XCP on software debugging, GET_HWIO_INFO, 1.5)."""

    index: int = u8(0)
    mode: int = u8(1)
    pin_class: int = u8(2)
    state: int = u8(3)


@packet()
class HwioState(Packet):
    """What a pin shall do (XCP on software debugging, HWIO_CONTROL, 1.5)."""

    index: int = u8(0)
    state: int = u8(1)
    frequency: int = u16(2)


@packet()
class SequenceResult(Packet):
    """Result of one step; the bits are Motorola always (XCP on software debugging, SEQUENCE_MULTIPLE, 1.5)."""

    status: int = u8(0)
    repeat: int = u8(1)
    tdo: int = u32(2, big=True)


@packet(PID_RES)
class DbgAttachResponse(Response):
    """Protocol versions, timers and packet size (XCP on software debugging, ATTACH, 1.5)."""

    major: int = u8(1)
    minor: int = u8(2)
    timeout_1: int = u8(3)
    timeout_7: int = u8(4)
    max_cto_dbg: int = u16(6, unit="byte")


@command(
    0xC0,
    0xFC,
    0x00,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgAttach(Request[DbgAttachResponse]):
    """Begin debugging (XCP on software debugging, ATTACH, 1.5)."""


@packet(PID_RES)
class DbgGetVendorInfoResponse(Response):
    """Maker and his own bytes (XCP on software debugging, GET_VENDOR_INFO, 1.5)."""

    length: int = u8(1, unit="byte")
    vendor_id: int = u16(2)
    vendor_info: bytes = data(4, default=b"", count="length")


@command(
    0xC0,
    0xFC,
    0x01,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgGetVendorInfo(Request[DbgGetVendorInfoResponse]):
    """Ask for the maker (XCP on software debugging, GET_VENDOR_INFO, 1.5)."""


@packet(PID_RES)
class DbgGetModeInfoResponse(Response):
    """Abilities (XCP on software debugging, GET_MODE_INFO, 1.5)."""

    max_hwio_pins: int = u8(2)
    dialect: int = u8(3)
    feature: int = u8(4)
    service_level: int = u8(5)


@command(
    0xC0,
    0xFC,
    0x02,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgGetModeInfo(Request[DbgGetModeInfoResponse]):
    """Ask for abilities (XCP on software debugging, GET_MODE_INFO, 1.5)."""


@packet(PID_RES)
class DbgGetJtagIdResponse(Response):
    """Identification of the chip (XCP on software debugging, GET_JTAG_ID, 1.5)."""

    jtag_id: int = u32(4)


@command(
    0xC0,
    0xFC,
    0x03,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgGetJtagId(Request[DbgGetJtagIdResponse]):
    """Ask for the chip (XCP on software debugging, GET_JTAG_ID, 1.5)."""


@command(
    0xC0,
    0xFC,
    0x04,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgHaltAfterReset(Request[EmptyResponse]):
    """Halt the target after its next reset (XCP on software debugging, HALT_AFTER_RESET, 1.5)."""


@packet(PID_RES)
class DbgGetHwioInfoResponse(Response):
    """Pins (XCP on software debugging, GET_HWIO_INFO, 1.5)."""

    count: int = u8(1)
    pins: tuple[HwioPin, ...] = elements(2, HwioPin, count="count")


@command(
    0xC0,
    0xFC,
    0x05,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgGetHwioInfo(Request[DbgGetHwioInfoResponse]):
    """Ask for hardware pins from an index on (XCP on software debugging, GET_HWIO_INFO, 1.5)."""

    index: int = u8(3)


@command(
    0xC0,
    0xFC,
    0x06,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgSetHwioEvent(Request[EmptyResponse]):
    """Choose what a pin triggers (XCP on software debugging, SET_HWIO_EVENT, 1.5)."""

    index: int = u8(3)
    trigger: int = u8(4)


@packet(PID_RES)
class DbgHwioControlResponse(Response):
    """States of the pins (XCP on software debugging, HWIO_CONTROL, 1.5)."""

    states: bytes = data(1, default=b"")


@command(
    0xC0,
    0xFC,
    0x07,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgHwioControl(Request[DbgHwioControlResponse]):
    """Drive hardware pins (XCP on software debugging, HWIO_CONTROL, 1.5)."""

    count: int = u8(3)
    pins: tuple[HwioState, ...] = elements(4, HwioState, count="count")


@command(
    0xC0,
    0xFC,
    0x08,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgExclusiveTargetAccess(Request[EmptyResponse]):
    """Keep others from the target (XCP on software debugging, EXCLUSIVE_TARGET_ACCESS, 1.5)."""

    mode: int = u8(3)
    context: int = u8(4)


@packet(PID_RES)
class DbgSequenceMultipleResponse(Response):
    """Results of the sequence (XCP on software debugging, SEQUENCE_MULTIPLE, 1.5)."""

    count: int = u8(2)
    results: tuple[SequenceResult, ...] = elements(3, SequenceResult, count="count")


@command(
    0xC0,
    0xFC,
    0x09,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgSequenceMultiple(Request[DbgSequenceMultipleResponse]):
    """Run a sequence of low-level operations (XCP on software debugging, SEQUENCE_MULTIPLE, 1.5)."""

    mode: int = u8(3)
    count: int = u16(4)
    sequence: bytes = data(6, default=b"")


@packet(PID_RES)
class DbgLltResponse(Response):
    """Low-level answers, each a bit count and bytes (XCP on software debugging, LLT, 1.5)."""

    count: int = u8(1)
    items: bytes = data(2, default=b"")


@command(
    0xC0,
    0xFC,
    0x0A,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgLlt(Request[DbgLltResponse]):
    """Send low-level telegrams (XCP on software debugging, LLT, 1.5)."""

    count: int = u8(3)
    mode: int = u8(4)
    items: bytes = data(5, default=b"")


@packet(PID_RES)
class DbgReadModifyWriteResponse(Response):
    """The value before writing (XCP on software debugging, READ_MODIFY_WRITE, 1.5)."""

    value: bytes = data(1, count="request.width", align="request.width")


@command(
    0xC0,
    0xFC,
    0x0B,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgReadModifyWrite(Request[DbgReadModifyWriteResponse]):
    """Change masked bits of a value (XCP on software debugging, READ_MODIFY_WRITE, 1.5)."""

    tri: int = u8(4)
    width: int = u8(5, unit="byte")
    address: int = u64(8)
    mask: int | None = sized(16, by="width")
    value: int | None = sized(AFTER, by="width")


@command(
    0xC0,
    0xFC,
    0x0C,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgWrite(Request[EmptyResponse]):
    """Write elements; starts a block when they do not fit (XCP on software debugging, WRITE, 1.5)."""

    tri: int = u8(4)
    width: int = u8(5, unit="byte")
    count: int = u16(6)
    address: int = u64(8)
    data: bytes = data(16, default=b"", count="count", scale="width")


@command(
    0xC0,
    0xFC,
    0x0D,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgWriteNext(Request[EmptyResponse]):
    """Go on with a block (XCP on software debugging, WRITE_NEXT, 1.5)."""

    count: int = u16(4)
    data: bytes = data(8, default=b"")


@command(
    0xC0,
    0xFC,
    0x0E,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgWriteCan1(Request[EmptyResponse]):
    """Name the address of a write in short packets (XCP on software debugging, WRITE_CAN1, 1.5)."""

    tri: int = u8(3)
    address: int = u32(4)


@command(
    0xC0,
    0xFC,
    0x0F,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgWriteCan2(Request[EmptyResponse]):
    """Name width and number of a write in short packets (XCP on software debugging, WRITE_CAN2, 1.5)."""

    width: int = u8(3, unit="byte")
    count: int = u8(4)


@command(
    0xC0,
    0xFC,
    0x10,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgWriteCanNext(Request[EmptyResponse]):
    """Bring the data of a write in short packets (XCP on software debugging, WRITE_CAN_NEXT, 1.5)."""

    count: int = u8(3)
    data: bytes = data(4, default=b"")


@packet(PID_RES)
class DbgReadResponse(Response):
    """Elements, aligned to their width (XCP on software debugging, READ, 1.5)."""

    data: bytes = data(
        1, default=b"", count="request.count", scale="request.width", align="request.width"
    )


@command(
    0xC0,
    0xFC,
    0x11,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgRead(Request[DbgReadResponse]):
    """Read elements (XCP on software debugging, READ, 1.5)."""

    tri: int = u8(4)
    width: int = u8(5, unit="byte")
    count: int = u16(6)
    address: int = u64(8)


@command(
    0xC0,
    0xFC,
    0x12,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgReadCan1(Request[EmptyResponse]):
    """Name the address of a read in short packets (XCP on software debugging, READ_CAN1, 1.5)."""

    tri: int = u8(3)
    address: int = u32(4)


@packet(PID_RES)
class DbgReadCan2Response(Response):
    """Elements (XCP on software debugging, READ_CAN2, 1.5)."""

    data: bytes = data(1, default=b"", count="request.count", scale="request.width")


@command(
    0xC0,
    0xFC,
    0x13,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgReadCan2(Request[DbgReadCan2Response]):
    """Read elements in short packets (XCP on software debugging, READ_CAN2, 1.5)."""

    width: int = u8(3, unit="byte")
    count: int = u8(4)


@packet(PID_RES)
class DbgGetTriDescTblResponse(Response):
    """Table of target resources (XCP on software debugging, GET_TRI_DESC_TBL, 1.5)."""

    mode: int = u8(1)
    length: int = u32(4, unit="byte")
    table: bytes = data(8, default=b"", count="length")


@command(
    0xC0,
    0xFC,
    0x14,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgGetTriDescTbl(Request[DbgGetTriDescTblResponse]):
    """Ask for the target resources (XCP on software debugging, GET_TRI_DESC_TBL, 1.5)."""

    reserved: bytes = fixed(3, 5, default=bytes(5))


@packet(PID_RES)
class DbgLlbtResponse(Response):
    """Low-level answer (XCP on software debugging, LLBT, 1.5)."""

    length: int = u16(2, unit="byte")
    data: bytes = data(4, default=b"", count="length")


@command(
    0xC0,
    0xFC,
    0x15,
    group=Group.DBG,
    resource="dbg",
    since="1.5",
    errors=_DBG_ERRORS,
    confirmed=False,
)
class DbgLlbt(Request[DbgLlbtResponse]):
    """Send a low-level binary telegram (XCP on software debugging, LLBT, 1.5)."""

    length: int = u16(4, unit="byte")
    data: bytes = data(6, default=b"", count="length")


class PodCommandCode(IntEnum):
    """Commands of XCP on POD (XCP Base, POD, 1.5)."""

    GET_INFO = 1
    SET_ACTIVE_CONFIG = 2
    MANAGE_TRANSFER = 3
    DOWNLOAD = 4
    UPLOAD = 5
    GET_STATUS = 6


@packet(PID_RES)
class PodCommandResponse(Response):
    """Answer of a POD command, undecoded (XCP Base, POD, 1.5)."""

    data: bytes = data(1, default=b"")


@command(0xC0, 0xFD, group=Group.POD, since="1.5", errors=error_set("B U S R Sub"), confirmed=False)
class PodCommand(Request[PodCommandResponse]):
    """A command for a measurement pod (XCP Base, POD, 1.5); parameters are not public."""

    pod_command: int = u16(2)
    parameters: bytes = data(4, default=b"")


#: Every two-byte command, in order of code.
LEVEL1_COMMANDS: Final = (
    GetVersion,
    SetDaqPackedMode,
    GetDaqPackedMode,
    DbgAttach,
    DbgGetVendorInfo,
    DbgGetModeInfo,
    DbgGetJtagId,
    DbgHaltAfterReset,
    DbgGetHwioInfo,
    DbgSetHwioEvent,
    DbgHwioControl,
    DbgExclusiveTargetAccess,
    DbgSequenceMultiple,
    DbgLlt,
    DbgReadModifyWrite,
    DbgWrite,
    DbgWriteNext,
    DbgWriteCan1,
    DbgWriteCan2,
    DbgWriteCanNext,
    DbgRead,
    DbgReadCan1,
    DbgReadCan2,
    DbgGetTriDescTbl,
    DbgLlbt,
    PodCommand,
)
