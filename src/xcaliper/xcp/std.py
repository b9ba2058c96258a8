"""Standard commands: session, identification, memory access by MTA, checksum."""

from __future__ import annotations

from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import data, packet, u8, u16, u32
from xcaliper.xcp.codes import (
    PID_ERR,
    PID_RES,
    CommModeBasic,
    CommModeOptional,
    GetIdMode,
    Group,
    Resource,
    SessionStatus,
    SetRequestMode,
    error_set,
)

__all__ = [
    "BuildChecksum",
    "BuildChecksumResponse",
    "Connect",
    "ConnectResponse",
    "Disconnect",
    "EmptyResponse",
    "ErrorResponse",
    "GetCommModeInfo",
    "GetCommModeInfoResponse",
    "GetId",
    "GetIdResponse",
    "GetSeed",
    "GetSeedResponse",
    "GetStatus",
    "GetStatusResponse",
    "SetMta",
    "SetRequest",
    "ShortUpload",
    "Synch",
    "TransportLayerCmd",
    "TransportLayerCmdResponse",
    "Unlock",
    "UnlockResponse",
    "Upload",
    "UploadResponse",
    "UserCmd",
    "UserCmdResponse",
]


@packet(PID_RES)
class EmptyResponse(Response):
    """Done; nothing more to tell (XCP Base, positive response, 1.0)."""


@packet(PID_ERR)
class ErrorResponse(Response):
    """Refused (XCP Base, negative response, 1.0); ``info`` depends on command and code."""

    code: int = u8(1)
    info: bytes = data(2, default=b"")


@packet(PID_RES)
class ConnectResponse(Response):
    """What the slave is and how it talks (XCP Base, CONNECT, 1.0)."""

    resource: Resource = u8(1, view=Resource)
    comm_mode_basic: CommModeBasic = u8(2, view=CommModeBasic)
    max_cto: int = u8(3, unit="byte")
    max_dto: int = u16(4, unit="byte")
    protocol_layer_version: int = u8(6, default=1)
    transport_layer_version: int = u8(7, default=1)


@command(0xFF, group=Group.STD, recovery="connect", mandatory=True, errors=error_set("N"))
class Connect(Request[ConnectResponse]):
    """Begin a session; mode 1 enters a mode that the user defines (XCP Base, CONNECT, 1.0)."""

    mode: int = u8(1, default=0)


@command(0xFE, group=Group.STD, mandatory=True, errors=error_set("B P"))
class Disconnect(Request[EmptyResponse]):
    """End the session (XCP Base, DISCONNECT, 1.0)."""


@packet(PID_RES)
class GetStatusResponse(Response):
    """State of the session (XCP Base, GET_STATUS, 1.0; state number 1.3)."""

    session_status: SessionStatus = u8(1, view=SessionStatus)
    protection_status: Resource = u8(2, view=Resource)
    state_number: int = u8(3, default=0)
    session_configuration_id: int = u16(4, default=0)


@command(0xFD, group=Group.STD, mandatory=True, errors=error_set("N"))
class GetStatus(Request[GetStatusResponse]):
    """Ask for session status and protection (XCP Base, GET_STATUS, 1.0)."""


@command(0xFC, group=Group.STD, recovery="again", mandatory=True, errors=error_set("U N"))
class Synch(Request[ErrorResponse]):
    """Flush the command processor; answered by ERR_CMD_SYNCH (XCP Base, SYNCH, 1.0)."""


@packet(PID_RES)
class GetCommModeInfoResponse(Response):
    """Block and interleaved mode (XCP Base, GET_COMM_MODE_INFO, 1.0)."""

    comm_mode_optional: CommModeOptional = u8(2, view=CommModeOptional)
    max_bs: int = u8(4, unit="packet")
    min_st: int = u8(5, unit="100 µs")
    queue_size: int = u8(6)
    driver_version: int = u8(7)


@command(0xFB, group=Group.STD, errors=error_set("B U S N"))
class GetCommModeInfo(Request[GetCommModeInfoResponse]):
    """Ask for the optional transfer modes (XCP Base, GET_COMM_MODE_INFO, 1.0)."""


@packet(PID_RES)
class GetIdResponse(Response):
    """Identification, in the packet or at the MTA (XCP Base, GET_ID, 1.0)."""

    mode: GetIdMode = u8(1, view=GetIdMode)
    length: int = u32(4, unit="byte")
    data: bytes = data(8, default=b"", count="length")


@command(0xFA, group=Group.STD, errors=error_set("B U S R N"))
class GetId(Request[GetIdResponse]):
    """Ask for an identification: 1 A2L name, 4 the A2L itself, 5 EPK (XCP Base, GET_ID, 1.0)."""

    identification_type: int = u8(1)


@command(0xF9, group=Group.STD, errors=error_set("B P U S R N"))
class SetRequest(Request[EmptyResponse]):
    """Store calibration or DAQ configuration, or clear it (XCP Base, SET_REQUEST, 1.0)."""

    mode: SetRequestMode = u8(1, view=SetRequestMode)
    session_configuration_id: int = u16(2, default=0)


@packet(PID_RES)
class GetSeedResponse(Response):
    """A part of the seed (XCP Base, GET_SEED, 1.0); a padded packet carries more bytes than counted."""

    length: int = u8(1, unit="byte")
    seed: bytes = data(2, default=b"", count="length")


@command(0xF8, group=Group.STD, errors=error_set("B P U S R N"))
class GetSeed(Request[GetSeedResponse]):
    """Ask for a seed: mode 0 first part, 1 further parts (XCP Base, GET_SEED, 1.0)."""

    mode: int = u8(1)
    resource: Resource = u8(2, view=Resource)


@packet(PID_RES)
class UnlockResponse(Response):
    """Protection as it is now (XCP Base, UNLOCK, 1.0)."""

    protection_status: Resource = u8(1, view=Resource)


@command(0xF7, group=Group.STD, errors=error_set("B P U S R L Q N"))
class Unlock(Request[UnlockResponse]):
    """Send (a part of) the key; length counts what is still to come (XCP Base, UNLOCK, 1.0)."""

    length: int = u8(1, unit="byte")
    key: bytes = data(2, count="length")


@command(0xF6, group=Group.STD, errors=error_set("B P U S R N"))
class SetMta(Request[EmptyResponse]):
    """Set the memory transfer address (XCP Base, SET_MTA, 1.0)."""

    address_extension: int = u8(3, default=0)
    address: int = u32(4)


@packet(PID_RES)
class UploadResponse(Response):
    """Elements from memory; fill bytes align them to the granularity (XCP Base, UPLOAD, 1.0)."""

    data: bytes = data(1, count="request.count", unit="AG", aligned=True)


@command(0xF5, group=Group.STD, recovery="mta", errors=error_set("B P U S R A L N"))
class Upload(Request[UploadResponse]):
    """Read elements at the MTA, which moves on (XCP Base, UPLOAD, 1.0)."""

    count: int = u8(1, unit="AG")


@command(0xF4, group=Group.STD, errors=error_set("B P U S R A L N"))
class ShortUpload(Request[UploadResponse]):
    """Read elements at an address; the MTA ends behind them (XCP Base, SHORT_UPLOAD, 1.0)."""

    count: int = u8(1, unit="AG")
    address_extension: int = u8(3, default=0)
    address: int = u32(4)


@packet(PID_RES)
class BuildChecksumResponse(Response):
    """Algorithm and result (XCP Base, BUILD_CHECKSUM, 1.0)."""

    checksum_type: int = u8(1)
    checksum: int = u32(4)


@command(0xF3, group=Group.STD, timer="T2", recovery="mta", errors=error_set("B P U S R A L N"))
class BuildChecksum(Request[BuildChecksumResponse]):
    """Checksum of a block at the MTA, which moves on (XCP Base, BUILD_CHECKSUM, 1.0)."""

    block_size: int = u32(4, unit="AG")


@packet(PID_RES)
class TransportLayerCmdResponse(Response):
    """Answer to a sub-command that no transport of ours declares (XCP Base, TRANSPORT_LAYER_CMD, 1.0)."""

    data: bytes = data(1, default=b"")


@command(0xF2, group=Group.TL, errors=error_set("B P U S R N Sub"))
class TransportLayerCmd(Request[TransportLayerCmdResponse]):
    """A sub-command of the transport, undecoded (XCP Base, TRANSPORT_LAYER_CMD, 1.0).

    The decoded ones stand in :mod:`xcaliper.xcp.tlcmd`, per transport.
    """

    sub_command: int = u8(1)
    parameters: bytes = data(2, default=b"")


@packet(PID_RES)
class UserCmdResponse(Response):
    """Whatever the maker of the ECU defined (XCP Base, USER_CMD, 1.0)."""

    data: bytes = data(1, default=b"")


@command(0xF1, group=Group.STD, errors=error_set("B P U S R N G"))
class UserCmd(Request[UserCmdResponse]):
    """A command that the maker of the ECU defines (XCP Base, USER_CMD, 1.0)."""

    sub_command: int = u8(1)
    parameters: bytes = data(2, default=b"")
