"""Commands of the transports: identifiers on CAN, endpoints on USB, buffers on FlexRay, discovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import RemoteProtocolError, WireError
from xcaliper.proto.procedure import Tell, ask
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import tlcmd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.codes import Resource

__all__ = [
    "FoundSlave",
    "activate_buffer",
    "assign_buffer",
    "can_daq_id",
    "can_slave_id",
    "daq_buffers",
    "deactivate_buffer",
    "decode_discovery",
    "find_slaves",
    "set_can_daq_id",
    "set_daq_buffers",
    "set_slave_ip_address",
    "set_usb_daq_endpoint",
    "usb_daq_endpoint",
]

_PROTOCOLS: Final = (("tcp",), ("udp",), ("udp", "tcp"))
_CONFIRM: Final = 1


# --- CAN -----------------------------------------------------------------------------------------


def can_slave_id() -> Procedure[tlcmd.CanIdentifier]:
    """The identifier that the slave listens to, asked for and confirmed.

    *(XCP on CAN, GET_SLAVE_ID, 1.0)*

    Raises:
        RemoteProtocolError: what came back is no echo, or two slaves answered.
    """
    first = yield from ask(tlcmd.CanGetSlaveId())
    second = yield from ask(tlcmd.CanGetSlaveId(mode=_CONFIRM))
    echoes = (first.echo, second.echo)
    if echoes != (tlcmd.ECHO_TEXT, tlcmd.INVERSE_TEXT) or first.can_id != second.can_id:
        raise RemoteProtocolError(
            f"GET_SLAVE_ID: the answers {first.echo.hex()} and {second.echo.hex()} do not fit.",
            hint="Check that one slave listens on the broadcast identifier.",
        )
    return first.can_id


def can_daq_id(daq_list: int) -> Procedure[tlcmd.CanGetDaqIdResponse]:
    """Identifier of a list, and whether it can be changed (XCP on CAN, GET_DAQ_ID, 1.0)."""
    return (yield from ask(tlcmd.CanGetDaqId(daq_list=daq_list)))


def set_can_daq_id(daq_list: int, can_id: tlcmd.CanIdentifier) -> Procedure[None]:
    """Give a list its own identifier (XCP on CAN, SET_DAQ_ID, 1.0).

    Raises:
        OutOfRangeError: the slave cannot use it, or it is fixed.
    """
    yield from ask(tlcmd.CanSetDaqId(daq_list=daq_list, can_id=can_id))


# --- Ethernet ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FoundSlave:
    """A slave that answered the search, one per address and port.

    Attributes:
        host: numeric address.
        port: where it listens.
        schemes: ``udp``, ``tcp``, or both.
        busy: somebody is connected.
        resource: what it offers.
        name: its identification.
        mac: six bytes; empty where it did not tell.
    """

    host: str
    port: int
    schemes: tuple[str, ...]
    busy: bool
    resource: Resource
    name: str
    mac: bytes = b""

    @property
    def urls(self) -> tuple[str, ...]:
        """The slave as ``connect`` takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return tuple(f"{scheme}://{host}:{self.port}" for scheme in self.schemes)


def find_slaves(host: str, port: int, *, extended: bool = False) -> Procedure[None]:
    """Have every slave that hears it tell an address about itself.

    The answers do not come over the link: :func:`decode_discovery` reads what arrives at that
    address, and :func:`~xcaliper.transport.discovery.discover` does both on real sockets.
    *(XCP on Ethernet, GET_SLAVE_ID, 1.1; GET_SLAVE_ID_EXTENDED, 1.3)*

    Args:
        host: numeric address for the answers.
        port: UDP port for the answers.
        extended: ask for MAC addresses as well.
    """
    kind = tlcmd.EthGetSlaveIdExtended if extended else tlcmd.EthGetSlaveId
    yield Tell(kind(ip=tlcmd.ip_to_bytes(host), port=port))


def set_slave_ip_address(mac: bytes, new_ip: str, host: str, port: int) -> Procedure[None]:
    """Give the slave with a MAC another address; its answer goes to ``host`` and ``port``.

    Unconfirmed: the layout has a single public source.
    *(XCP on Ethernet, SET_SLAVE_IP_ADDRESS, 1.3)*
    """
    yield Tell(
        tlcmd.EthSetSlaveIpAddress(
            port=port,
            ip=tlcmd.ip_to_bytes(host),
            mac=mac,
            new_ip=tlcmd.ip_to_bytes(new_ip)[:4],
        )
    )


def decode_discovery(packet: bytes) -> FoundSlave:
    """A slave from its answer to GET_SLAVE_ID or GET_SLAVE_ID_EXTENDED.

    Raises:
        WireError: the bytes are neither.
    """
    extended = packet[:2] == b"\xff\xfd"
    kind = tlcmd.EthGetSlaveIdExtendedResponse if extended else tlcmd.EthGetSlaveIdResponse
    reply = codec_for(kind).decode(packet)
    assert isinstance(reply, tlcmd.EthGetSlaveIdExtendedResponse | tlcmd.EthGetSlaveIdResponse)
    if reply.status.protocol >= len(_PROTOCOLS):
        raise WireError("GET_SLAVE_ID response", need="protocol 0 to 2", got=reply.status.protocol)
    return FoundSlave(
        host=tlcmd.ip_from_bytes(reply.ip, reply.status.ip_version),
        port=reply.port,
        schemes=_PROTOCOLS[reply.status.protocol],
        busy=bool(reply.status.busy),
        resource=reply.resource,
        name=reply.identification.decode("ascii", "replace"),
        mac=reply.mac if isinstance(reply, tlcmd.EthGetSlaveIdExtendedResponse) else b"",
    )


# --- USB -----------------------------------------------------------------------------------------


def usb_daq_endpoint(daq_list: int) -> Procedure[tlcmd.UsbGetDaqEpResponse]:
    """Endpoint of a list; unconfirmed, the layout is not public (XCP on USB, GET_DAQ_EP, 1.0)."""
    return (yield from ask(tlcmd.UsbGetDaqEp(daq_list=daq_list)))


def set_usb_daq_endpoint(daq_list: int, endpoint: int) -> Procedure[None]:
    """Give a list another endpoint; unconfirmed likewise (XCP on USB, SET_DAQ_EP, 1.0)."""
    yield from ask(tlcmd.UsbSetDaqEp(daq_list=daq_list, endpoint=endpoint))


# --- FlexRay -------------------------------------------------------------------------------------


def assign_buffer(request: tlcmd.FlxAssign) -> Procedure[None]:
    """Bind a buffer to an LPDU, or free it (XCP on FlexRay, FLX_ASSIGN, 1.0).

    Packet types 0 free the buffer; with buffer 0xFF all are as before CONNECT again.
    """
    yield from ask(request)


def activate_buffer(flx_buf: int) -> Procedure[None]:
    """Allow events and services in a buffer (XCP on FlexRay, FLX_ACTIVATE, 1.0)."""
    yield from ask(tlcmd.FlxActivate(flx_buf=flx_buf))


def deactivate_buffer(flx_buf: int) -> Procedure[None]:
    """Forbid events and services in a buffer (XCP on FlexRay, FLX_DEACTIVATE, 1.0)."""
    yield from ask(tlcmd.FlxDeactivate(flx_buf=flx_buf))


def daq_buffers(daq_list: int) -> Procedure[tuple[tuple[int, ...], bool]]:
    """Buffers of a list, and whether they are fixed (XCP on FlexRay, GET_DAQ_FLX_BUF, 1.0)."""
    reply = yield from ask(tlcmd.FlxGetDaqBuffers(daq_list=daq_list))
    return tuple(reply.buffers), bool(reply.buffers_fixed)


def set_daq_buffers(daq_list: int, buffers: Iterable[int]) -> Procedure[None]:
    """Give a list its buffers; none lets it use any (XCP on FlexRay, SET_DAQ_FLX_BUF, 1.0)."""
    raw = bytes(buffers)
    yield from ask(tlcmd.FlxSetDaqBuffers(daq_list=daq_list, count=len(raw), buffers=raw))
