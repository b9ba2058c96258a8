"""Behaviour of the calibration commands."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.xcp import cal
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_state import Block, refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request, Response
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "download",
    "download_max",
    "download_next",
    "modify_bits",
    "short_download",
]


def _room(slave: SlaveState) -> int:
    """Elements that fit one DOWNLOAD packet."""
    ag = slave.config.ag
    return (slave.config.max_cto - max(2, ag)) // ag


def _write(
    slave: SlaveState, start: Address, data: bytes, *, mta_stays: bool = False
) -> Response | None:
    """Write, and leave the MTA behind it; None when the answer comes later."""

    def finish() -> EmptyResponse:
        slave.memory.write(start, data)
        slave.point(start if mta_stays else start + len(data) // slave.config.ag)
        return EmptyResponse()

    return slave.writing.write(slave.now_ns, start, data, finish)


def download(slave: SlaveState, request: cal.Download) -> Response | None:
    """Write at the MTA, or begin a block that DOWNLOAD_NEXT completes (XCP Base, DOWNLOAD, 1.0)."""
    config = slave.config
    room = _room(slave)
    size_bytes = min(request.count, room) * config.ag
    if request.count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    most = config.max_bs * room if config.takes_blocks else room
    if request.count > max(most, room):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    if request.count <= room:
        return _write(slave, slave.address(), request.data)
    slave.address()
    slave.block = Block(request.count, bytearray(request.data[:size_bytes]))
    return None


def download_next(slave: SlaveState, request: cal.DownloadNext) -> Response | None:
    """Go on with the block; only its end is answered (XCP Base, DOWNLOAD_NEXT, 1.0)."""
    block, slave.block = slave.block, None
    ag = slave.config.ag
    missing = block.total - len(block.data) // ag if block else 0
    if block is None or request.count != missing:
        raise refuse(ErrorCode.ERR_SEQUENCE, bytes((missing,)))
    size_bytes = min(missing, _room(slave)) * ag
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    block.data += request.data[:size_bytes]
    if len(block.data) < block.total * ag:
        slave.block = block
        return None
    return _write(slave, slave.address(), bytes(block.data))


def download_max(slave: SlaveState, request: cal.DownloadMax) -> Response | None:
    """Write MAX_CTO / AG - 1 elements at the MTA (XCP Base, DOWNLOAD_MAX, 1.0)."""
    size_bytes = slave.config.max_cto - slave.config.ag
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    return _write(slave, slave.address(), request.data[:size_bytes])


def short_download(slave: SlaveState, request: cal.ShortDownload) -> Response | None:
    """Write at the address and leave the MTA behind (XCP Base, SHORT_DOWNLOAD, 1.0)."""
    config = slave.config
    if request.count > (config.max_cto - 8) // config.ag:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if len(request.data) < request.count * config.ag:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    start = Address(request.address, request.address_extension)
    if request.count:
        return _write(slave, start, request.data)
    slave.point(start)
    return EmptyResponse()


def modify_bits(slave: SlaveState, request: cal.ModifyBits) -> Response | None:
    """Clear and toggle bits of the dword at the MTA, which stays (XCP Base, MODIFY_BITS, 1.0)."""
    if request.shift > 31:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    start = slave.address()
    order: Any = slave.config.byte_order.value
    old = int.from_bytes(slave.memory.read(start, 4), order)
    cleared = old & ~((~request.and_mask & 0xFFFF) << request.shift)
    new = (cleared ^ (request.xor_mask << request.shift)) & 0xFFFF_FFFF
    return _write(slave, start, new.to_bytes(4, order), mta_stays=True)


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        cal.Download: download,
        cal.DownloadNext: download_next,
        cal.DownloadMax: download_max,
        cal.ShortDownload: short_download,
        cal.ModifyBits: modify_bits,
    }
)
