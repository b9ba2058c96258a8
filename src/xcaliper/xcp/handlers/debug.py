"""Behaviour of software debugging, XCP on POD and USER_CMD; debugging and POD are unconfirmed.

Their layouts, and with them this behaviour, have a single public source.
"""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import level1
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_debug import DebugWrite
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.std import EmptyResponse, UserCmd, UserCmdResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_debug import DebugTarget
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "attach",
    "exclusive_target_access",
    "get_hwio_info",
    "get_jtag_id",
    "get_mode_info",
    "get_tri_desc_tbl",
    "get_vendor_info",
    "halt_after_reset",
    "hwio_control",
    "llbt",
    "llt",
    "pod_command",
    "read",
    "read_can1",
    "read_can2",
    "read_modify_write",
    "sequence_multiple",
    "set_hwio_event",
    "user_cmd",
    "write",
    "write_can1",
    "write_can2",
    "write_can_next",
    "write_next",
]

_VERSION: Final = (1, 0)
_WIDTHS: Final = (1, 2, 4, 8)
#: T1 and T7 that the slave names, in a unit that no public text gives.
_TIMERS: Final = (0, 0)
_WRITE_HEAD: Final = 16
_NEXT_HEAD: Final = 8
_CAN_HEAD: Final = 4
_PIN_BYTES: Final = 4
_RESULT_BYTES: Final = 6
_DWORD: Final = 0xFFFF_FFFF


def _target(slave: SlaveState) -> DebugTarget:
    target = slave.config.debug
    assert target is not None, "a slave without a target refuses these commands as unknown"
    return target


def _in_range(*, fits: bool) -> None:
    if not fits:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)


def _fitting(slave: SlaveState, data: bytes, head: int) -> bytes:
    """Data that fit one response behind its head."""
    _in_range(fits=head + len(data) <= slave.max_cto)
    return data


def attach(slave: SlaveState, request: level1.DbgAttach) -> level1.DbgAttachResponse:
    """Begin debugging (XCP on software debugging, ATTACH, 1.5)."""
    slave.debug.reset(connected=True)
    return level1.DbgAttachResponse(
        major=_VERSION[0],
        minor=_VERSION[1],
        timeout_1=_TIMERS[0],
        timeout_7=_TIMERS[1],
        max_cto_dbg=slave.max_cto,
    )


def get_vendor_info(
    slave: SlaveState, request: level1.DbgGetVendorInfo
) -> level1.DbgGetVendorInfoResponse:
    """Tell the maker (XCP on software debugging, GET_VENDOR_INFO, 1.5)."""
    info = _target(slave).info
    text = info.vendor_info[: slave.max_cto - _CAN_HEAD]
    return level1.DbgGetVendorInfoResponse(
        length=len(text), vendor_id=info.vendor_id, vendor_info=text
    )


def get_mode_info(
    slave: SlaveState, request: level1.DbgGetModeInfo
) -> level1.DbgGetModeInfoResponse:
    """Tell the abilities (XCP on software debugging, GET_MODE_INFO, 1.5)."""
    target = _target(slave)
    info = target.info
    return level1.DbgGetModeInfoResponse(
        max_hwio_pins=len(target.pins()),
        dialect=info.dialect,
        feature=info.feature,
        service_level=info.service_level,
    )


def get_jtag_id(slave: SlaveState, request: level1.DbgGetJtagId) -> level1.DbgGetJtagIdResponse:
    """Tell the chip (XCP on software debugging, GET_JTAG_ID, 1.5)."""
    return level1.DbgGetJtagIdResponse(jtag_id=_target(slave).info.jtag_id)


def halt_after_reset(slave: SlaveState, request: level1.DbgHaltAfterReset) -> EmptyResponse:
    """Halt the target at its next reset (XCP on software debugging, HALT_AFTER_RESET, 1.5)."""
    _target(slave).halt_after_reset()
    return EmptyResponse()


def get_hwio_info(
    slave: SlaveState, request: level1.DbgGetHwioInfo
) -> level1.DbgGetHwioInfoResponse:
    """Tell the pins from an index on, as many as fit (XCP on software debugging, GET_HWIO_INFO, 1.5)."""
    pins = [pin for pin in _target(slave).pins() if pin.index >= request.index]
    _in_range(fits=bool(pins))
    pins = pins[: (slave.max_cto - 2) // _PIN_BYTES]
    return level1.DbgGetHwioInfoResponse(count=len(pins), pins=tuple(pins))


def set_hwio_event(slave: SlaveState, request: level1.DbgSetHwioEvent) -> EmptyResponse:
    """Choose what a pin triggers (XCP on software debugging, SET_HWIO_EVENT, 1.5)."""
    _target(slave).set_pin_event(request.index, request.trigger)
    return EmptyResponse()


def hwio_control(
    slave: SlaveState, request: level1.DbgHwioControl
) -> level1.DbgHwioControlResponse:
    """Drive pins (XCP on software debugging, HWIO_CONTROL, 1.5)."""
    states = _fitting(slave, _target(slave).control_pins(request.pins), 1)
    return level1.DbgHwioControlResponse(states=states)


def exclusive_target_access(
    slave: SlaveState, request: level1.DbgExclusiveTargetAccess
) -> EmptyResponse:
    """Keep others from the target (XCP on software debugging, EXCLUSIVE_TARGET_ACCESS, 1.5)."""
    _target(slave).set_exclusive(request.mode, request.context)
    return EmptyResponse()


def sequence_multiple(
    slave: SlaveState, request: level1.DbgSequenceMultiple
) -> level1.DbgSequenceMultipleResponse:
    """Run low-level operations (XCP on software debugging, SEQUENCE_MULTIPLE, 1.5)."""
    results = tuple(_target(slave).run_sequence(request.mode, request.count, request.sequence))
    _in_range(fits=3 + _RESULT_BYTES * len(results) <= slave.max_cto)
    return level1.DbgSequenceMultipleResponse(count=len(results), results=results)


def llt(slave: SlaveState, request: level1.DbgLlt) -> level1.DbgLltResponse:
    """Exchange low-level telegrams (XCP on software debugging, LLT, 1.5)."""
    count, items = _target(slave).transfer(request.count, request.mode, request.items)
    return level1.DbgLltResponse(count=count, items=_fitting(slave, items, 2))


def llbt(slave: SlaveState, request: level1.DbgLlbt) -> level1.DbgLlbtResponse:
    """Exchange a binary telegram (XCP on software debugging, LLBT, 1.5)."""
    data = _fitting(slave, _target(slave).telegram(request.data), _CAN_HEAD)
    return level1.DbgLlbtResponse(length=len(data), data=data)


def get_tri_desc_tbl(
    slave: SlaveState, request: level1.DbgGetTriDescTbl
) -> level1.DbgGetTriDescTblResponse:
    """Tell the target resources (XCP on software debugging, GET_TRI_DESC_TBL, 1.5)."""
    info = _target(slave).info
    table = info.tri_table[: slave.max_cto - _NEXT_HEAD]
    return level1.DbgGetTriDescTblResponse(mode=info.tri_mode, length=len(table), table=table)


# --- memory --------------------------------------------------------------------------------------


def read_modify_write(
    slave: SlaveState, request: level1.DbgReadModifyWrite
) -> level1.DbgReadModifyWriteResponse:
    """Change masked bits, tell the word before (XCP on software debugging, READ_MODIFY_WRITE, 1.5)."""
    width = request.width
    _in_range(fits=width in _WIDTHS)
    target = _target(slave)
    old = target.read(request.tri, request.address, width, 1)
    order: Any = slave.config.byte_order.value
    mask, value = request.mask or 0, request.value or 0
    new = (int.from_bytes(old, order) & ~mask) | (value & mask)
    target.write(request.tri, request.address, width, new.to_bytes(width, order))
    return level1.DbgReadModifyWriteResponse(value=old)


def read(slave: SlaveState, request: level1.DbgRead) -> level1.DbgReadResponse:
    """Tell words of a target resource (XCP on software debugging, READ, 1.5)."""
    width, count = request.width, request.count
    _in_range(fits=width in _WIDTHS and 0 < count <= slave.max_cto // width - 1)
    data = _target(slave).read(request.tri, request.address, width, count)
    return level1.DbgReadResponse(data=data)


def read_can1(slave: SlaveState, request: level1.DbgReadCan1) -> EmptyResponse:
    """Take the address of a read (XCP on software debugging, READ_CAN1, 1.5)."""
    slave.debug.place = (request.tri, request.address)
    return EmptyResponse()


def read_can2(slave: SlaveState, request: level1.DbgReadCan2) -> level1.DbgReadCan2Response:
    """Tell words; the address moves on (XCP on software debugging, READ_CAN2, 1.5)."""
    width, count = request.width, request.count
    if slave.debug.place is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    _in_range(fits=width in _WIDTHS and 0 < count * width <= slave.max_cto - 1)
    tri, address = slave.debug.place
    data = _target(slave).read(tri, address, width, count)
    slave.debug.place = (tri, (address + len(data) // slave.config.ag) & _DWORD)
    return level1.DbgReadCan2Response(data=data)


def write(slave: SlaveState, request: level1.DbgWrite) -> EmptyResponse | None:
    """Replace words, or begin a block of them (XCP on software debugging, WRITE, 1.5)."""
    width, count = request.width, request.count
    _in_range(fits=width in _WIDTHS and count > 0)
    block = DebugWrite(request.tri, request.address, width, count, bytearray(), short=False)
    return _take(slave, block, request.data, slave.max_cto - _WRITE_HEAD)


def write_next(slave: SlaveState, request: level1.DbgWriteNext) -> EmptyResponse | None:
    """Go on with a block; its end is answered (XCP on software debugging, WRITE_NEXT, 1.5)."""
    return _go_on(slave, request.count, request.data, slave.max_cto - _NEXT_HEAD, short=False)


def write_can1(slave: SlaveState, request: level1.DbgWriteCan1) -> EmptyResponse:
    """Take the address of a write (XCP on software debugging, WRITE_CAN1, 1.5)."""
    slave.debug.write_place = (request.tri, request.address)
    return EmptyResponse()


def write_can2(slave: SlaveState, request: level1.DbgWriteCan2) -> EmptyResponse:
    """Take width and number of a write (XCP on software debugging, WRITE_CAN2, 1.5)."""
    width, count = request.width, request.count
    place, slave.debug.write_place = slave.debug.write_place, None
    if place is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    _in_range(fits=width in _WIDTHS and count > 0)
    slave.debug.block = DebugWrite(*place, width, count, bytearray(), short=True)
    return EmptyResponse()


def write_can_next(slave: SlaveState, request: level1.DbgWriteCanNext) -> EmptyResponse | None:
    """Take data of a short write; its end is answered (XCP on software debugging, WRITE_CAN_NEXT, 1.5)."""
    return _go_on(slave, request.count, request.data, slave.max_cto - _CAN_HEAD, short=True)


def _go_on(
    slave: SlaveState, count: int, data: bytes, room: int, *, short: bool
) -> EmptyResponse | None:
    block, slave.debug.block = slave.debug.block, None
    missing = block.count - len(block.data) // block.width if block else 0
    _in_range(fits=block is not None and block.short == short and count == missing)
    assert block is not None, "there is one: the line above"
    return _take(slave, block, data, room)


def _take(slave: SlaveState, block: DebugWrite, data: bytes, room: int) -> EmptyResponse | None:
    """Add a packet's words to a block; write it once it is complete."""
    left = block.count * block.width - len(block.data)
    size_bytes = min(left, room - room % block.width)
    if len(data) < size_bytes or not size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    block.data += data[:size_bytes]
    if size_bytes < left:
        slave.debug.block = block
        return None
    _target(slave).write(block.tri, block.address, block.width, bytes(block.data))
    return EmptyResponse()


# --- commands of others --------------------------------------------------------------------------


def pod_command(slave: SlaveState, request: level1.PodCommand) -> level1.PodCommandResponse:
    """Hand a POD command to whoever serves it (XCP Base, POD, 1.5)."""
    serve = slave.config.pod_command
    assert serve is not None, "a slave without POD refuses the command as unknown"
    data = serve(request.pod_command, request.parameters)
    return level1.PodCommandResponse(data=_fitting(slave, data, 1))


def user_cmd(slave: SlaveState, request: UserCmd) -> UserCmdResponse:
    """Hand USER_CMD to whoever serves it (XCP Base, USER_CMD, 1.0)."""
    serve = slave.config.user_command
    assert serve is not None, "a slave without one refuses the command as unknown"
    data = serve(request.sub_command, request.parameters)
    return UserCmdResponse(data=_fitting(slave, data, 1))


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        UserCmd: user_cmd,
        level1.DbgAttach: attach,
        level1.DbgGetVendorInfo: get_vendor_info,
        level1.DbgGetModeInfo: get_mode_info,
        level1.DbgGetJtagId: get_jtag_id,
        level1.DbgHaltAfterReset: halt_after_reset,
        level1.DbgGetHwioInfo: get_hwio_info,
        level1.DbgSetHwioEvent: set_hwio_event,
        level1.DbgHwioControl: hwio_control,
        level1.DbgExclusiveTargetAccess: exclusive_target_access,
        level1.DbgSequenceMultiple: sequence_multiple,
        level1.DbgLlt: llt,
        level1.DbgReadModifyWrite: read_modify_write,
        level1.DbgWrite: write,
        level1.DbgWriteNext: write_next,
        level1.DbgWriteCan1: write_can1,
        level1.DbgWriteCan2: write_can2,
        level1.DbgWriteCanNext: write_can_next,
        level1.DbgRead: read,
        level1.DbgReadCan1: read_can1,
        level1.DbgReadCan2: read_can2,
        level1.DbgGetTriDescTbl: get_tri_desc_tbl,
        level1.DbgLlbt: llbt,
        level1.PodCommand: pod_command,
    }
)
