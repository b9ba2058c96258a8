"""Behaviour of the standard commands."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.wire.codec import encode
from xcaliper.xcp import std
from xcaliper.xcp.checksum import block_alignment, checksum
from xcaliper.xcp.codes import (
    CommModeBasic,
    CommModeOptional,
    ErrorCode,
    GetIdMode,
)
from xcaliper.xcp.refusals import BuildChecksumRangeError
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "build_checksum",
    "connect",
    "disconnect",
    "get_comm_mode_info",
    "get_id",
    "get_status",
    "set_mta",
    "short_upload",
    "synch",
    "upload",
]


def connect(slave: SlaveState, request: std.Connect) -> std.ConnectResponse | None:
    """Start a session afresh, also inside one (XCP Base, CONNECT, 1.0)."""
    if not slave.session.takes(request.mode):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if not slave.session.begin(request.mode):
        return None
    config = slave.config
    return std.ConnectResponse(
        resource=config.resources,
        comm_mode_basic=CommModeBasic.of(
            byte_order=int(config.byte_order is ByteOrder.MOTOROLA),
            granularity=config.ag.bit_length() - 1,
            slave_block_mode=int(config.slave_block_mode),
            optional=int("GET_COMM_MODE_INFO" not in config.disabled),
        ),
        max_cto=config.max_cto,
        max_dto=slave.announced.max_dto,
        protocol_layer_version=1,
        transport_layer_version=config.transport_major,
    )


def disconnect(slave: SlaveState, request: std.Disconnect) -> std.EmptyResponse:
    """End the session; lists stop, resources lock (XCP Base, DISCONNECT, 1.0)."""
    slave.reset(connected=False)
    return std.EmptyResponse()


def get_status(slave: SlaveState, request: std.GetStatus) -> std.GetStatusResponse:
    """Tell what runs, what is stored and what is locked (XCP Base, GET_STATUS, 1.0)."""
    return std.GetStatusResponse(
        session_status=slave.store.status(),
        protection_status=slave.locked,
        state_number=slave.ecu_state,
        session_configuration_id=slave.store.session_configuration_id,
    )


def synch(slave: SlaveState, request: std.Synch) -> std.ErrorResponse:
    """Drop a running block; the answer is always ERR_CMD_SYNCH (XCP Base, SYNCH, 1.0)."""
    slave.block = None
    return std.ErrorResponse(code=ErrorCode.ERR_CMD_SYNCH)


def get_comm_mode_info(
    slave: SlaveState, request: std.GetCommModeInfo
) -> std.GetCommModeInfoResponse:
    """Tell the parameters of blocks and interleaving (XCP Base, GET_COMM_MODE_INFO, 1.0)."""
    config = slave.config
    block = config.takes_blocks
    return std.GetCommModeInfoResponse(
        comm_mode_optional=CommModeOptional.of(
            master_block_mode=int(block), interleaved_mode=int(config.interleaved)
        ),
        max_bs=config.max_bs if block else 0,
        min_st=config.min_st if block else 0,
        queue_size=config.queue_size_commands if config.interleaved else 0,
        driver_version=config.driver_version,
    )


def get_id(slave: SlaveState, request: std.GetId) -> std.GetIdResponse:
    """Give a text in the packet or at the MTA; length 0 for unknown types (XCP Base, GET_ID, 1.0)."""
    text = slave.config.ids.get(request.identification_type, b"")
    limit = min(slave.config.id_in_packet_limit, slave.config.max_cto - 8)
    if text and len(text) <= limit:
        mode = GetIdMode.of(transfer_mode=1)
        return std.GetIdResponse(mode=mode, length=len(text), data=text)
    if text:
        slave.point_text(text)
    return std.GetIdResponse(mode=GetIdMode(0), length=len(text))


def set_mta(slave: SlaveState, request: std.SetMta) -> std.EmptyResponse:
    """Set the MTA; the address is checked when it is used (XCP Base, SET_MTA, 1.0)."""
    slave.point(Address(request.address, request.address_extension))
    return std.EmptyResponse()


def upload(slave: SlaveState, request: std.Upload) -> list[std.UploadResponse]:
    """Serve elements at the MTA, in several responses if need be (XCP Base, UPLOAD, 1.0)."""
    config = slave.config
    room = slave.max_cto // config.ag - 1
    if not 0 < request.count <= (0xFF if slave.slave_block_mode else room):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    data = slave.fetch(request.count)
    step = room * config.ag
    return [std.UploadResponse(data=data[at : at + step]) for at in range(0, len(data), step)]


def short_upload(slave: SlaveState, request: std.ShortUpload) -> std.UploadResponse:
    """Serve the elements and leave the MTA behind them (XCP Base, SHORT_UPLOAD, 1.0)."""
    config = slave.config
    count = request.count
    if not 0 < count <= slave.max_cto // config.ag - 1:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    start = Address(request.address, request.address_extension)
    data = slave.read(start, count * config.ag)
    slave.point(start + count)
    return std.UploadResponse(data=data)


def build_checksum(slave: SlaveState, request: std.BuildChecksum) -> std.BuildChecksumResponse:
    """Checksum of the block at the MTA, which moves behind it (XCP Base, BUILD_CHECKSUM, 1.0)."""
    config = slave.config
    align = max(1, block_alignment(config.checksum) // config.ag)
    largest = config.max_checksum_block // config.ag or 0xFFFF_FFFF
    largest -= largest % align
    if not 0 < request.block_size <= largest or request.block_size % align:
        hint = BuildChecksumRangeError(mta_block_size_align=align, max_block_size=largest)
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE, encode(hint, config.byte_order)[2:])
    data = slave.fetch(request.block_size)  # of memory, or of the text that GET_ID points to
    found = checksum(config.checksum, data, config.byte_order, config.user_checksum)
    return std.BuildChecksumResponse(checksum_type=config.checksum, checksum=found)


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        std.Connect: connect,
        std.Disconnect: disconnect,
        std.GetStatus: get_status,
        std.Synch: synch,
        std.GetCommModeInfo: get_comm_mode_info,
        std.GetId: get_id,
        std.SetMta: set_mta,
        std.Upload: upload,
        std.ShortUpload: short_upload,
        std.BuildChecksum: build_checksum,
    }
)
