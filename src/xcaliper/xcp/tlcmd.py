"""Sub-commands of TRANSPORT_LAYER_CMD, one tuple per transport.

Hand a tuple to the table: ``COMMANDS.extended(*CAN_COMMANDS)``.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from xcaliper.core.errors import UsageError
from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import (
    AFTER,
    BitField,
    bit,
    bits,
    data,
    fixed,
    packet,
    u8,
    u16,
    u32,
)
from xcaliper.xcp.codes import PID_ERR, PID_RES, Group, Resource, error_set
from xcaliper.xcp.std import EmptyResponse

__all__ = [
    "CAN_COMMANDS",
    "DISCOVERY_ADDRESS",
    "ECHO_TEXT",
    "ETH_COMMANDS",
    "FLEXRAY_COMMANDS",
    "INVERSE_TEXT",
    "USB_COMMANDS",
    "CanGetDaqId",
    "CanGetDaqIdResponse",
    "CanGetSlaveId",
    "CanGetSlaveIdResponse",
    "CanIdentifier",
    "CanSetDaqId",
    "EthGetDaqClockMulticast",
    "EthGetSlaveId",
    "EthGetSlaveIdExtended",
    "EthGetSlaveIdExtendedResponse",
    "EthGetSlaveIdResponse",
    "EthSetSlaveIpAddress",
    "EthSetSlaveIpAddressError",
    "EthSetSlaveIpAddressResponse",
    "EthSlaveStatus",
    "FlxActivate",
    "FlxAssign",
    "FlxDeactivate",
    "FlxGetDaqBuffers",
    "FlxGetDaqBuffersResponse",
    "FlxPacketTypes",
    "FlxSetDaqBuffers",
    "GetDaqClockMulticast",
    "UsbGetDaqEp",
    "UsbGetDaqEpResponse",
    "UsbSetDaqEp",
    "clock_multicast_address",
    "ip_from_bytes",
    "ip_to_bytes",
]

#: What GET_SLAVE_ID on CAN asks with and is echoed *(XCP on CAN, GET_SLAVE_ID, 1.0)*.
ECHO_TEXT: Final = b"XCP"
#: The answer that confirms, every bit inverted *(XCP on CAN, GET_SLAVE_ID, 1.0)*.
INVERSE_TEXT: Final = bytes(byte ^ 0xFF for byte in ECHO_TEXT)

_ERRORS: Final = error_set("B P U S R N Sub")


@command(0xF2, 0xFA, group=Group.TL, since="1.3", answered=False, errors=_ERRORS)
class GetDaqClockMulticast(Request[EmptyResponse]):
    """Have every slave of a cluster send EV_TIME_SYNC (XCP Base, GET_DAQ_CLOCK_MULTICAST, 1.3)."""

    cluster_identifier: int = u16(2)
    counter: int = u8(4)


# --- CAN -----------------------------------------------------------------------------------------


class CanIdentifier(BitField):
    """A CAN identifier as in A2L and commands (XCP on CAN, 1.0; FD 1.2)."""

    __slots__ = ()
    identifier = bits(0, 29)
    can_fd = bit(30)
    extended = bit(31)


@packet(PID_RES)
class CanGetSlaveIdResponse(Response):
    """Text or inverted text, and the identifier the slave listens to (XCP on CAN, GET_SLAVE_ID, 1.0)."""

    echo: bytes = fixed(1, 3)
    can_id: CanIdentifier = u32(4, view=CanIdentifier)


@command(0xF2, 0xFF, group=Group.TL, name="GET_SLAVE_ID", errors=_ERRORS)
class CanGetSlaveId(Request[CanGetSlaveIdResponse]):
    """Look for slaves on the broadcast identifier: mode 0 echo, 1 confirm (XCP on CAN, GET_SLAVE_ID, 1.0)."""

    text: bytes = fixed(2, 3, default=ECHO_TEXT)
    mode: int = u8(5, default=0)


@packet(PID_RES)
class CanGetDaqIdResponse(Response):
    """Identifier of a list (XCP on CAN, GET_DAQ_ID, 1.0)."""

    can_id_fixed: int = u8(1)
    can_id: CanIdentifier = u32(4, view=CanIdentifier)


@command(0xF2, 0xFE, group=Group.TL, name="GET_DAQ_ID", errors=_ERRORS)
class CanGetDaqId(Request[CanGetDaqIdResponse]):
    """Ask for the identifier of a list (XCP on CAN, GET_DAQ_ID, 1.0)."""

    daq_list: int = u16(2)


@command(0xF2, 0xFD, group=Group.TL, name="SET_DAQ_ID", errors=_ERRORS)
class CanSetDaqId(Request[EmptyResponse]):
    """Give a list its own identifier (XCP on CAN, SET_DAQ_ID, 1.0)."""

    daq_list: int = u16(2)
    can_id: CanIdentifier = u32(4, view=CanIdentifier)


#: Sub-commands on CAN.
CAN_COMMANDS: Final = (CanGetSlaveId, CanGetDaqId, CanSetDaqId, GetDaqClockMulticast)


# --- Ethernet: every word is little endian -------------------------------------------------------


def ip_to_bytes(text: str) -> bytes:
    """The 16 bytes of an address field; IPv4 takes the first four (XCP on Ethernet, GET_SLAVE_ID, 1.1).

    Raises:
        UsageError: not an IP address.
    """
    try:
        raw = IPv6Address(text).packed if ":" in text else IPv4Address(text).packed
    except AddressValueError as error:
        raise UsageError(f"{text}: not an IP address ({error}).") from None
    return raw.ljust(16, b"\0")


def ip_from_bytes(raw: bytes, ip_version: int = 0) -> str:
    """Text of an address field; version 0 is IPv4 (XCP on Ethernet, GET_SLAVE_ID, 1.1)."""
    return str(IPv6Address(raw[:16].ljust(16, b"\0")) if ip_version else IPv4Address(raw[:4]))


#: Where slaves are looked for: multicast address and port *(XCP on Ethernet, GET_SLAVE_ID, 1.1)*.
DISCOVERY_ADDRESS: Final = ("239.255.0.0", 5556)


def clock_multicast_address(cluster_identifier: int) -> tuple[str, int]:
    """Address and port of a cluster (XCP on Ethernet, GET_DAQ_CLOCK_MULTICAST, 1.3)."""
    high, low = cluster_identifier >> 8 & 0xFF, cluster_identifier & 0xFF
    return f"239.255.{high}.{low}", 5557


class EthSlaveStatus(BitField):
    """Status of a slave that was found (XCP on Ethernet, GET_SLAVE_ID, 1.1)."""

    __slots__ = ()
    protocol = bits(0, 2, "0 TCP, 1 UDP, 2 both")
    ip_version = bit(2, "0 IPv4")
    busy = bit(3, "connected already")
    extended_supported = bit(4, "GET_SLAVE_ID_EXTENDED is available")


@packet()
class EthGetSlaveIdResponse(Response):
    """Where and what a slave is; has no packet identifier (XCP on Ethernet, GET_SLAVE_ID, 1.1)."""

    ip: bytes = fixed(0, 16)
    port: int = u16(16, little=True)
    status: EthSlaveStatus = u8(18, view=EthSlaveStatus)
    resource: Resource = u8(19, view=Resource)
    length: int = u32(20, unit="byte", little=True)
    identification: bytes = data(24, default=b"", count="length")


@command(0xF2, 0xFF, group=Group.TL, name="GET_SLAVE_ID", since="1.1", errors=_ERRORS)
class EthGetSlaveId(Request[EthGetSlaveIdResponse]):
    """Look for slaves by multicast (XCP on Ethernet, GET_SLAVE_ID, 1.1)."""

    port: int = u16(2, little=True)
    ip: bytes = fixed(4, 16)
    ip_version: int = u8(20, default=0)


@packet(PID_RES, 0xFD)
class EthGetSlaveIdExtendedResponse(Response):
    """Where and what a slave is, with its MAC (XCP on Ethernet, GET_SLAVE_ID_EXTENDED, 1.3)."""

    ip: bytes = fixed(2, 16)
    port: int = u16(18, little=True)
    status: EthSlaveStatus = u8(20, view=EthSlaveStatus)
    resource: Resource = u8(21, view=Resource)
    length: int = u32(22, unit="byte", little=True)
    identification: bytes = data(26, default=b"", count="length")
    mac: bytes = fixed(AFTER, 6)
    extension: bytes = data(AFTER, default=b"")


@command(0xF2, 0xFD, group=Group.TL, name="GET_SLAVE_ID_EXTENDED", since="1.3", errors=_ERRORS)
class EthGetSlaveIdExtended(Request[EthGetSlaveIdExtendedResponse]):
    """Look for slaves by multicast, MAC wanted (XCP on Ethernet, GET_SLAVE_ID_EXTENDED, 1.3)."""

    port: int = u16(2, little=True)
    ip: bytes = fixed(4, 16)
    mode: int = u8(20, default=0)


@packet(PID_RES, 0xFC)
class EthSetSlaveIpAddressResponse(Response):
    """The slave with that MAC changed its address (XCP on Ethernet, SET_SLAVE_IP_ADDRESS, 1.3)."""

    status: int = u8(2)
    mac: bytes = fixed(3, 6)


@packet(PID_ERR, 0xFC)
class EthSetSlaveIpAddressError(Response):
    """The slave with that MAC refused (XCP on Ethernet, SET_SLAVE_IP_ADDRESS, 1.3)."""

    code: int = u8(2)
    mac: bytes = fixed(3, 6)


@command(
    0xF2,
    0xFC,
    group=Group.TL,
    name="SET_SLAVE_IP_ADDRESS",
    since="1.3",
    errors=_ERRORS,
    confirmed=False,
)
class EthSetSlaveIpAddress(Request[EthSetSlaveIpAddressResponse]):
    """Give the slave with a MAC another address (XCP on Ethernet, SET_SLAVE_IP_ADDRESS, 1.3)."""

    port: int = u16(2, little=True)
    ip: bytes = fixed(4, 16)
    mode: int = u8(20, default=0)
    mac: bytes = fixed(21, 6)
    new_ip: bytes = fixed(27, 4)


@command(
    0xF2,
    0xFA,
    group=Group.TL,
    name="GET_DAQ_CLOCK_MULTICAST",
    since="1.3",
    answered=False,
    errors=_ERRORS,
)
class EthGetDaqClockMulticast(Request[EmptyResponse]):
    """As on other transports, the cluster little endian (XCP on Ethernet, GET_DAQ_CLOCK_MULTICAST, 1.3)."""

    cluster_identifier: int = u16(2, little=True)
    counter: int = u8(4)


#: Sub-commands on UDP and TCP.
ETH_COMMANDS: Final = (
    EthGetSlaveId,
    EthGetSlaveIdExtended,
    EthSetSlaveIpAddress,
    EthGetDaqClockMulticast,
)


# --- USB -----------------------------------------------------------------------------------------


@packet(PID_RES)
class UsbGetDaqEpResponse(Response):
    """Endpoint of a list (XCP on USB, GET_DAQ_EP, 1.0)."""

    endpoint_fixed: int = u8(1)
    endpoint: int = u8(2)


@command(0xF2, 0xFF, group=Group.TL, name="GET_DAQ_EP", errors=_ERRORS, confirmed=False)
class UsbGetDaqEp(Request[UsbGetDaqEpResponse]):
    """Ask for the endpoint of a list (XCP on USB, GET_DAQ_EP, 1.0)."""

    daq_list: int = u16(2)


@command(0xF2, 0xFE, group=Group.TL, name="SET_DAQ_EP", errors=_ERRORS, confirmed=False)
class UsbSetDaqEp(Request[EmptyResponse]):
    """Give a list its own endpoint (XCP on USB, SET_DAQ_EP, 1.0)."""

    daq_list: int = u16(2)
    endpoint: int = u8(4)


#: Sub-commands on USB.
USB_COMMANDS: Final = (UsbGetDaqEp, UsbSetDaqEp)


# --- FlexRay -------------------------------------------------------------------------------------


class FlxPacketTypes(BitField):
    """What a FlexRay buffer carries (XCP on FlexRay, FLX_ASSIGN, 1.0)."""

    __slots__ = ()
    cmd = bit(0)
    stim = bit(1)
    res_err = bit(2)
    ev_serv = bit(3)
    daq = bit(4)


@command(0xF2, 0xFF, group=Group.TL, errors=error_set("B P U S R N Sub"))
class FlxAssign(Request[EmptyResponse]):
    """Bind a buffer to an LPDU (XCP on FlexRay, FLX_ASSIGN, 1.0); its time-out is T1_FLX."""

    flx_buf: int = u8(2)
    packet_types: FlxPacketTypes = u8(3, view=FlxPacketTypes)
    slot_id: int = u16(4)
    offset: int = u8(6)
    cycle_repetition: int = u8(7)
    channel: int = u8(8, default=0)
    max_flx_len_buf: int = u8(9, unit="byte")
    header_crc: int = u16(10, default=0)


@command(0xF2, 0xFE, group=Group.TL, errors=_ERRORS)
class FlxActivate(Request[EmptyResponse]):
    """Allow events and services in a buffer (XCP on FlexRay, FLX_ACTIVATE, 1.0)."""

    flx_buf: int = u8(2)


@command(0xF2, 0xFD, group=Group.TL, errors=_ERRORS)
class FlxDeactivate(Request[EmptyResponse]):
    """Forbid events and services in a buffer (XCP on FlexRay, FLX_DEACTIVATE, 1.0)."""

    flx_buf: int = u8(2)


@packet(PID_RES)
class FlxGetDaqBuffersResponse(Response):
    """Buffers of a list (XCP on FlexRay, GET_DAQ_FLX_BUF, 1.0)."""

    buffers_fixed: int = u8(1)
    count: int = u8(2)
    buffers: bytes = data(3, default=b"", count="count")


@command(0xF2, 0xFC, group=Group.TL, name="GET_DAQ_FLX_BUF", errors=_ERRORS)
class FlxGetDaqBuffers(Request[FlxGetDaqBuffersResponse]):
    """Ask for the buffers of a list (XCP on FlexRay, GET_DAQ_FLX_BUF, 1.0)."""

    daq_list: int = u16(2)


@command(0xF2, 0xFB, group=Group.TL, name="SET_DAQ_FLX_BUF", errors=_ERRORS)
class FlxSetDaqBuffers(Request[EmptyResponse]):
    """Give a list its buffers (XCP on FlexRay, SET_DAQ_FLX_BUF, 1.0)."""

    daq_list: int = u16(2)
    count: int = u8(4)
    buffers: bytes = data(5, default=b"", count="count")


#: Sub-commands on FlexRay.
FLEXRAY_COMMANDS: Final = (
    FlxAssign,
    FlxActivate,
    FlxDeactivate,
    FlxGetDaqBuffers,
    FlxSetDaqBuffers,
    GetDaqClockMulticast,
)
