"""Behaviour of the sub-commands of TRANSPORT_LAYER_CMD, per transport."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.wire.codec import encode
from xcaliper.xcp import std, tlcmd
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.handlers.clock import get_daq_clock_multicast
from xcaliper.xcp.slave_link import (
    CanLink,
    EthLink,
    FlexRayLink,
    FlxBuffer,
    LinkReply,
    UsbLink,
)
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xcaliper.proto.command import Request, Response
    from xcaliper.xcp.slave_link import EthPort
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "DISCOVERY",
    "HANDLERS",
    "can_get_daq_id",
    "can_get_slave_id",
    "can_set_daq_id",
    "eth_get_slave_id",
    "eth_get_slave_id_extended",
    "eth_set_slave_ip_address",
    "flx_activate",
    "flx_assign",
    "flx_deactivate",
    "flx_get_daq_buffers",
    "flx_set_daq_buffers",
    "transport_layer_cmd",
    "usb_get_daq_ep",
    "usb_set_daq_ep",
]

_NEWER: Final = 3
_CONFIRM: Final = 1
_ALL_BUFFERS: Final = 0xFF
_MAX_OFFSET: Final = 63
_MAX_REPLIES: Final = 16
#: PACKET_TYPES that a buffer may carry *(XCP on FlexRay, FLX_ASSIGN, 1.0)*.
_RECEIVED: Final = frozenset({0x01, 0x02, 0x03})
_SENT: Final = frozenset({0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C})
_REPETITIONS: Final = frozenset({1, 2, 4, 8, 16, 32, 64})


def _known_list(slave: SlaveState, daq_list: int) -> int:
    if daq_list >= len(slave.daq.lists):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return daq_list


def transport_layer_cmd(slave: SlaveState, request: std.TransportLayerCmd) -> Response:
    """Refuse what the transport does not have (XCP Base, TRANSPORT_LAYER_CMD, 1.0)."""
    newer = slave.config.protocol_version >= _NEWER
    raise refuse(ErrorCode.ERR_SUBCMD_UNKNOWN if newer else ErrorCode.ERR_CMD_UNKNOWN)


# --- CAN -----------------------------------------------------------------------------------------


def _can(slave: SlaveState) -> CanLink:
    link = slave.link.settings
    if not isinstance(link, CanLink):
        raise refuse(ErrorCode.ERR_SUBCMD_UNKNOWN)
    return link


def can_get_slave_id(
    slave: SlaveState, request: tlcmd.CanGetSlaveId
) -> tlcmd.CanGetSlaveIdResponse | None:
    """Echo, or confirm an echo directly before; silent otherwise (XCP on CAN, GET_SLAVE_ID, 1.0)."""
    link = _can(slave)
    echoed, slave.link.echoed = slave.link.echoed, False
    if request.text != tlcmd.ECHO_TEXT:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    if request.mode > _CONFIRM:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if request.mode == _CONFIRM:
        if not echoed:
            return None
        return tlcmd.CanGetSlaveIdResponse(echo=tlcmd.INVERSE_TEXT, can_id=link.can_id)
    slave.link.echoed = True
    return tlcmd.CanGetSlaveIdResponse(echo=tlcmd.ECHO_TEXT, can_id=link.can_id)


def can_get_daq_id(slave: SlaveState, request: tlcmd.CanGetDaqId) -> tlcmd.CanGetDaqIdResponse:
    """Tell the identifier of a list (XCP on CAN, GET_DAQ_ID, 1.0)."""
    link = _can(slave)
    number = _known_list(slave, request.daq_list)
    return tlcmd.CanGetDaqIdResponse(
        can_id_fixed=int(number in link.fixed),
        can_id=slave.link.daq_ids.get(number, link.response_id),
    )


def can_set_daq_id(slave: SlaveState, request: tlcmd.CanSetDaqId) -> EmptyResponse:
    """Give a list its own identifier (XCP on CAN, SET_DAQ_ID, 1.0)."""
    link = _can(slave)
    number = _known_list(slave, request.daq_list)
    if number in link.fixed or (link.allowed and request.can_id not in link.allowed):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.link.daq_ids[number] = request.can_id
    return EmptyResponse()


# --- Ethernet ------------------------------------------------------------------------------------


def _eth(slave: SlaveState) -> EthLink:
    link = slave.link.settings
    if not isinstance(link, EthLink):
        raise refuse(ErrorCode.ERR_SUBCMD_UNKNOWN)
    return link


def _reply(slave: SlaveState, request: Any, packet: Response) -> None:
    """Put an answer aside for the address that the request names."""
    if len(slave.link.replies) < _MAX_REPLIES:
        address = tlcmd.ip_from_bytes(request.ip)
        slave.link.replies.append(LinkReply(address, request.port, encode(packet)))


def _grouped(slave: SlaveState) -> Iterator[tuple[EthPort, int]]:
    """Each address and port once, with its protocols: 0 TCP, 1 UDP, 2 both."""
    found: dict[tuple[str, int], set[bool]] = {}
    ports = slave.link.ports
    for port in ports:
        found.setdefault((port.ip, port.port), set()).add(port.tcp)
    for port in dict.fromkeys(port._replace(tcp=False) for port in ports):
        kinds = found[port.ip, port.port]
        yield port, 2 if len(kinds) > 1 else int(kinds == {False})


def _status(slave: SlaveState, protocol: int) -> tlcmd.EthSlaveStatus:
    return tlcmd.EthSlaveStatus.of(
        protocol=protocol, busy=int(slave.connected), extended_supported=1
    )


def _identification(slave: SlaveState) -> bytes:
    ids = slave.config.ids
    return ids.get(0) or ids.get(1) or b""


def eth_get_slave_id(slave: SlaveState, request: tlcmd.EthGetSlaveId) -> None:
    """Tell where and what the slave is, once per port (XCP on Ethernet, GET_SLAVE_ID, 1.1)."""
    _eth(slave)
    if request.ip_version != 0:
        return  # reserved: nothing to answer to
    text = _identification(slave)
    for port, protocol in _grouped(slave):
        packet = tlcmd.EthGetSlaveIdResponse(
            ip=tlcmd.ip_to_bytes(port.ip),
            port=port.port,
            status=_status(slave, protocol),
            resource=slave.config.resources,
            length=len(text),
            identification=text,
        )
        _reply(slave, request, packet)


def eth_get_slave_id_extended(slave: SlaveState, request: tlcmd.EthGetSlaveIdExtended) -> None:
    """The same with the MAC (XCP on Ethernet, GET_SLAVE_ID_EXTENDED, 1.3)."""
    link = _eth(slave)
    if request.mode != 0:
        return
    text = _identification(slave)
    for port, protocol in _grouped(slave):
        packet = tlcmd.EthGetSlaveIdExtendedResponse(
            ip=tlcmd.ip_to_bytes(port.ip),
            port=port.port,
            status=_status(slave, protocol),
            resource=slave.config.resources,
            length=len(text),
            identification=text,
            mac=link.mac,
        )
        _reply(slave, request, packet)


def eth_set_slave_ip_address(slave: SlaveState, request: tlcmd.EthSetSlaveIpAddress) -> None:
    """Take another address, when the MAC is the slave's (XCP on Ethernet, SET_SLAVE_IP_ADDRESS, 1.3)."""
    link = _eth(slave)
    if request.mac != link.mac or request.mode != 0:
        return
    if not link.settable or slave.connected:
        code = ErrorCode.ERR_ACCESS_DENIED if not link.settable else ErrorCode.ERR_CMD_BUSY
        _reply(slave, request, tlcmd.EthSetSlaveIpAddressError(code=code, mac=link.mac))
        return
    slave.link.ip = tlcmd.ip_from_bytes(request.new_ip)
    _reply(slave, request, tlcmd.EthSetSlaveIpAddressResponse(status=0, mac=link.mac))


# --- USB -----------------------------------------------------------------------------------------


def _usb(slave: SlaveState) -> UsbLink:
    link = slave.link.settings
    if not isinstance(link, UsbLink):
        raise refuse(ErrorCode.ERR_SUBCMD_UNKNOWN)
    return link


def usb_get_daq_ep(slave: SlaveState, request: tlcmd.UsbGetDaqEp) -> tlcmd.UsbGetDaqEpResponse:
    """Tell the endpoint of a list (XCP on USB, GET_DAQ_EP, 1.0)."""
    link = _usb(slave)
    number = _known_list(slave, request.daq_list)
    return tlcmd.UsbGetDaqEpResponse(
        endpoint_fixed=int(number in link.fixed),
        endpoint=slave.link.daq_endpoints.get(number, link.endpoint),
    )


def usb_set_daq_ep(slave: SlaveState, request: tlcmd.UsbSetDaqEp) -> EmptyResponse:
    """Give a list another endpoint (XCP on USB, SET_DAQ_EP, 1.0)."""
    link = _usb(slave)
    number = _known_list(slave, request.daq_list)
    if number in link.fixed or request.endpoint not in {link.endpoint, *link.daq_endpoints}:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.link.daq_endpoints[number] = request.endpoint
    return EmptyResponse()


# --- FlexRay -------------------------------------------------------------------------------------


def _flexray(slave: SlaveState) -> FlexRayLink:
    link = slave.link.settings
    if not isinstance(link, FlexRayLink):
        raise refuse(ErrorCode.ERR_SUBCMD_UNKNOWN)
    return link


def _buffer(slave: SlaveState, number: int) -> FlxBuffer:
    buffer = slave.link.buffers.get(number)
    if buffer is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return buffer


def flx_assign(slave: SlaveState, request: tlcmd.FlxAssign) -> EmptyResponse:
    """Bind a buffer to an LPDU, free it, or put all back (XCP on FlexRay, FLX_ASSIGN, 1.0)."""
    link = _flexray(slave)
    types = request.packet_types
    if request.flx_buf == _ALL_BUFFERS and not types:
        slave.link.buffers = {buffer.number: buffer for buffer in link.buffers}
        slave.link.daq_buffers.clear()
        return EmptyResponse()
    buffer = _buffer(slave, request.flx_buf)
    first = next(one for one in link.buffers if one.number == buffer.number)
    if first.packet_types.cmd or first.packet_types.res_err:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)  # commands and answers cannot be moved
    if not types:
        slave.link.buffers[buffer.number] = FlxBuffer(buffer.number, first.max_length)
        return EmptyResponse()
    if (
        types not in _RECEIVED | _SENT
        or request.offset > _MAX_OFFSET
        or request.cycle_repetition not in _REPETITIONS
        or request.channel > 1
        or not 0 < request.max_flx_len_buf <= first.max_length
    ):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.link.buffers[buffer.number] = FlxBuffer(
        number=buffer.number,
        max_length=request.max_flx_len_buf,
        packet_types=types,
        slot_id=request.slot_id,
        offset=request.offset,
        cycle_repetition=request.cycle_repetition,
        channel=request.channel,
        header_crc=request.header_crc,
    )
    return EmptyResponse()


def _switch(slave: SlaveState, number: int, *, active: bool) -> EmptyResponse:
    _flexray(slave)
    buffer = _buffer(slave, number)
    if not buffer.packet_types:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.link.buffers[number] = replace(buffer, active=active)
    return EmptyResponse()


def flx_activate(slave: SlaveState, request: tlcmd.FlxActivate) -> EmptyResponse:
    """Allow events and services in a buffer (XCP on FlexRay, FLX_ACTIVATE, 1.0)."""
    return _switch(slave, request.flx_buf, active=True)


def flx_deactivate(slave: SlaveState, request: tlcmd.FlxDeactivate) -> EmptyResponse:
    """Forbid events and services in a buffer (XCP on FlexRay, FLX_DEACTIVATE, 1.0)."""
    return _switch(slave, request.flx_buf, active=False)


def flx_get_daq_buffers(
    slave: SlaveState, request: tlcmd.FlxGetDaqBuffers
) -> tlcmd.FlxGetDaqBuffersResponse:
    """Tell the buffers of a list (XCP on FlexRay, GET_DAQ_FLX_BUF, 1.0)."""
    link = _flexray(slave)
    number = _known_list(slave, request.daq_list)
    buffers = bytes(slave.link.daq_buffers.get(number, ()))
    return tlcmd.FlxGetDaqBuffersResponse(
        buffers_fixed=int(number in link.fixed), count=len(buffers), buffers=buffers
    )


def flx_set_daq_buffers(slave: SlaveState, request: tlcmd.FlxSetDaqBuffers) -> EmptyResponse:
    """Give a list its buffers; none lets it use any (XCP on FlexRay, SET_DAQ_FLX_BUF, 1.0)."""
    link = _flexray(slave)
    number = _known_list(slave, request.daq_list)
    if number in link.fixed:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    for one in request.buffers:
        types = _buffer(slave, one).packet_types
        if not (types.daq or types.stim):
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if request.buffers:
        slave.link.daq_buffers[number] = tuple(request.buffers)
    else:
        slave.link.daq_buffers.pop(number, None)
    return EmptyResponse()


#: Commands that a slave serves outside of a session as well.
DISCOVERY: Final[frozenset[type[Request[Any]]]] = frozenset(
    {
        tlcmd.CanGetSlaveId,
        tlcmd.EthGetSlaveId,
        tlcmd.EthGetSlaveIdExtended,
        tlcmd.EthSetSlaveIpAddress,
    }
)

HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        std.TransportLayerCmd: transport_layer_cmd,
        tlcmd.GetDaqClockMulticast: get_daq_clock_multicast,
        tlcmd.CanGetSlaveId: can_get_slave_id,
        tlcmd.CanGetDaqId: can_get_daq_id,
        tlcmd.CanSetDaqId: can_set_daq_id,
        tlcmd.EthGetSlaveId: eth_get_slave_id,
        tlcmd.EthGetSlaveIdExtended: eth_get_slave_id_extended,
        tlcmd.EthSetSlaveIpAddress: eth_set_slave_ip_address,
        tlcmd.UsbGetDaqEp: usb_get_daq_ep,
        tlcmd.UsbSetDaqEp: usb_set_daq_ep,
        tlcmd.FlxAssign: flx_assign,
        tlcmd.FlxActivate: flx_activate,
        tlcmd.FlxDeactivate: flx_deactivate,
        tlcmd.FlxGetDaqBuffers: flx_get_daq_buffers,
        tlcmd.FlxSetDaqBuffers: flx_set_daq_buffers,
    }
)
