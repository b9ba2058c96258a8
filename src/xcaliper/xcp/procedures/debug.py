"""Software debugging and POD from the master's side; unconfirmed.

Their layouts have a single public source, and so has what these sequences assume: that a long write
is answered at its end only, as a block of DOWNLOAD is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError
from xcaliper.proto.procedure import Burst, ask
from xcaliper.xcp import level1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session

__all__ = [
    "attach",
    "control_pins",
    "exclusive_access",
    "halt_after_reset",
    "jtag_id",
    "mode_info",
    "modify_word",
    "pins",
    "pod_command",
    "read_words",
    "run_sequence",
    "set_pin_event",
    "target_resources",
    "telegram",
    "transfer",
    "vendor_info",
    "write_words",
]

_WIDTHS: Final = (1, 2, 4, 8)
_WRITE_HEAD: Final = 16
_NEXT_HEAD: Final = 8
_SHORT_HEAD: Final = 4
_MAX_COUNT: Final = 0xFFFF
_MAX_SHORT: Final = 0xFF
_MAX_PINS: Final = 256
#: From this packet size on a request with a 64-bit address has room for data.
_LONG_CTO: Final = 24


def attach() -> Procedure[level1.DbgAttachResponse]:
    """Begin debugging (XCP on software debugging, ATTACH, 1.5)."""
    return (yield from ask(level1.DbgAttach()))


def vendor_info() -> Procedure[level1.DbgGetVendorInfoResponse]:
    """The maker (XCP on software debugging, GET_VENDOR_INFO, 1.5)."""
    return (yield from ask(level1.DbgGetVendorInfo()))


def mode_info() -> Procedure[level1.DbgGetModeInfoResponse]:
    """The abilities (XCP on software debugging, GET_MODE_INFO, 1.5)."""
    return (yield from ask(level1.DbgGetModeInfo()))


def jtag_id() -> Procedure[int]:
    """The chip (XCP on software debugging, GET_JTAG_ID, 1.5)."""
    return (yield from ask(level1.DbgGetJtagId())).jtag_id


def halt_after_reset() -> Procedure[None]:
    """Halt the target at its next reset (XCP on software debugging, HALT_AFTER_RESET, 1.5)."""
    yield from ask(level1.DbgHaltAfterReset())


def pins() -> Procedure[tuple[level1.HwioPin, ...]]:
    """Every hardware pin, in as many answers as it takes (XCP on software debugging, GET_HWIO_INFO, 1.5)."""
    most = (yield from mode_info()).max_hwio_pins
    found: list[level1.HwioPin] = []
    while len(found) < min(most, _MAX_PINS):
        index = found[-1].index + 1 if found else 0
        if index > _MAX_SHORT:
            break
        reply = yield from ask(level1.DbgGetHwioInfo(index=index))
        fresh = [pin for pin in reply.pins if pin.index >= index]
        if not fresh:
            break
        found += fresh
    return tuple(found)


def set_pin_event(index: int, trigger: int) -> Procedure[None]:
    """Choose what a pin triggers (XCP on software debugging, SET_HWIO_EVENT, 1.5)."""
    yield from ask(level1.DbgSetHwioEvent(index=index, trigger=trigger))


def control_pins(wanted: Sequence[level1.HwioState]) -> Procedure[bytes]:
    """Drive pins; the state of each afterwards (XCP on software debugging, HWIO_CONTROL, 1.5)."""
    reply = yield from ask(level1.DbgHwioControl(count=len(wanted), pins=tuple(wanted)))
    return reply.states


def exclusive_access(mode: int, context: int = 0) -> Procedure[None]:
    """Keep others from the target (XCP on software debugging, EXCLUSIVE_TARGET_ACCESS, 1.5)."""
    yield from ask(level1.DbgExclusiveTargetAccess(mode=mode, context=context))


def run_sequence(
    mode: int, count: int, sequence: bytes
) -> Procedure[tuple[level1.SequenceResult, ...]]:
    """Run low-level operations (XCP on software debugging, SEQUENCE_MULTIPLE, 1.5)."""
    request = level1.DbgSequenceMultiple(mode=mode, count=count, sequence=sequence)
    return (yield from ask(request)).results


def transfer(count: int, mode: int, items: bytes) -> Procedure[level1.DbgLltResponse]:
    """Exchange low-level telegrams (XCP on software debugging, LLT, 1.5)."""
    return (yield from ask(level1.DbgLlt(count=count, mode=mode, items=items)))


def telegram(data: bytes) -> Procedure[bytes]:
    """Exchange a binary telegram (XCP on software debugging, LLBT, 1.5)."""
    return (yield from ask(level1.DbgLlbt(length=len(data), data=data))).data


def target_resources() -> Procedure[level1.DbgGetTriDescTblResponse]:
    """The table of target resources (XCP on software debugging, GET_TRI_DESC_TBL, 1.5)."""
    return (yield from ask(level1.DbgGetTriDescTbl()))


# --- memory --------------------------------------------------------------------------------------


def _check_width(width: int) -> None:
    if width not in _WIDTHS:
        raise UsageError(f"width {width}: it is 1, 2, 4 or 8 bytes.")


def modify_word(tri: int, address: int, width: int, *, mask: int, value: int) -> Procedure[bytes]:
    """Set the masked bits of a word to those of a value; the word before.

    *(XCP on software debugging, READ_MODIFY_WRITE, 1.5)*

    Raises:
        UsageError: there are no such words.
    """
    _check_width(width)
    reply = yield from ask(
        level1.DbgReadModifyWrite(tri=tri, width=width, address=address, mask=mask, value=value)
    )
    return reply.value


def read_words(
    session: Session, tri: int, address: int, width: int, count: int
) -> Procedure[bytes]:
    """Words of a target resource, by the requests that the packet size allows.

    *(XCP on software debugging, READ, READ_CAN1 and READ_CAN2, 1.5)*

    Raises:
        UsageError: there are no such words.
    """
    _check_width(width)
    profile = session.profile
    out = bytearray()
    short = profile.max_cto < _WRITE_HEAD
    most = (profile.max_cto - 1) // width if short else profile.max_cto // width - 1
    most = min(most, _MAX_SHORT if short else _MAX_COUNT)
    if short and count:
        yield from ask(level1.DbgReadCan1(tri=tri, address=address))
    for at in range(0, count, max(most, 1)):
        part = min(max(most, 1), count - at)
        where = address + at * width // profile.ag
        if short:
            out += (yield from ask(level1.DbgReadCan2(width=width, count=part))).data
        else:
            request = level1.DbgRead(tri=tri, width=width, count=part, address=where)
            out += (yield from ask(request)).data
    return bytes(out)


def write_words(
    session: Session, tri: int, address: int, width: int, data: bytes
) -> Procedure[None]:
    """Replace words of a target resource, as blocks.

    *(XCP on software debugging, WRITE, WRITE_NEXT, WRITE_CAN1, WRITE_CAN2 and WRITE_CAN_NEXT, 1.5)*

    Raises:
        UsageError: the bytes are no whole words, or do not fit the packets of the slave.
    """
    _check_width(width)
    if len(data) % width:
        raise UsageError(f"write: {len(data)} bytes are no whole words of {width} bytes.")
    profile = session.profile
    short = profile.max_cto < _LONG_CTO
    if short and width > profile.max_cto - _SHORT_HEAD:
        raise UsageError(f"write: words of {width} bytes do not fit packets of {profile.max_cto}.")
    most = (_MAX_SHORT if short else _MAX_COUNT) * width
    for at in range(0, len(data), most):
        part = data[at : at + most]
        where = address + at // profile.ag
        if short:
            yield from _write_short(session, tri, where, width, part)
        else:
            yield from _write_long(session, tri, where, width, part)


def _write_long(
    session: Session, tri: int, address: int, width: int, data: bytes
) -> Procedure[None]:
    count = len(data) // width
    first = (session.profile.max_cto - _WRITE_HEAD) // width * width
    step = (session.profile.max_cto - _NEXT_HEAD) // width * width
    requests: list[level1.DbgWrite | level1.DbgWriteNext] = [
        level1.DbgWrite(tri=tri, width=width, count=count, address=address, data=data[:first])
    ]
    for at in range(first, len(data), step):
        left = count - at // width
        requests.append(level1.DbgWriteNext(count=left, data=data[at : at + step]))
    yield from _send(session, requests)


def _write_short(
    session: Session, tri: int, address: int, width: int, data: bytes
) -> Procedure[None]:
    count = len(data) // width
    step = (session.profile.max_cto - _SHORT_HEAD) // width * width
    yield from ask(level1.DbgWriteCan1(tri=tri, address=address))
    yield from ask(level1.DbgWriteCan2(width=width, count=count))
    requests = [
        level1.DbgWriteCanNext(count=count - at // width, data=data[at : at + step])
        for at in range(0, len(data), step)
    ]
    yield from _send(session, requests)


def _send(
    session: Session,
    requests: Sequence[level1.DbgWrite | level1.DbgWriteNext | level1.DbgWriteCanNext],
) -> Procedure[None]:
    if len(requests) == 1:
        yield from ask(requests[0])
    else:
        yield Burst(tuple(requests), session.min_st_ns)


def pod_command(command: int, parameters: bytes = b"") -> Procedure[bytes]:
    """A POD command; parameters and answer are not public (XCP Base, POD, 1.5)."""
    reply = yield from ask(level1.PodCommand(pod_command=command, parameters=parameters))
    return reply.data
