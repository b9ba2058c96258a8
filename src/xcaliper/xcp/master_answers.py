"""What a master reads out of an answer: fields, refusals, CONNECT, and answers that come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import DaqListModeRequest, Resource, negative_response

if TYPE_CHECKING:
    from xcaliper.core.errors import NegativeResponseError
    from xcaliper.proto.command import Request, Response
    from xcaliper.xcp.profile import Profile

__all__ = ["Echoes", "decode_answer", "decode_connect", "refusal", "resource_of"]

_ECHO_WINDOW: Final = 8
_LEAST_BYTES: Final = 8


def refusal(packet: bytes, request: Request[Any]) -> NegativeResponseError:
    """The exception of an ERR packet."""
    name = request.__command__.name
    return negative_response(name, packet[1], bytes(packet[2:]), request)


def decode_answer(
    request: Request[Any],
    packet: bytes,
    profile: Profile,
    max_cto: int,
    index: int = 0,
    count: int = 1,
) -> Response:
    """The answer to anything but CONNECT; longer ones are accepted, shorter ones are not.

    Args:
        request: what was asked.
        packet: what came.
        profile: of the session.
        max_cto: bytes of a packet.
        index: which answer of a block it is.
        count: how many the block has.

    Raises:
        WireError: it does not fit.
    """
    if isinstance(request, std.Upload | std.ShortUpload):
        ag = profile.ag
        room = max_cto // ag * ag - ag
        size = request.count * ag - index * room
        size = min(size, room) if count > 1 else size
        if len(packet) < ag + size:
            raise WireError("UPLOAD response", need=f"{ag + size} bytes", got=len(packet))
        return std.UploadResponse(data=bytes(packet[ag : ag + size]))
    codec = codec_for(request.__command__.response, profile.byte_order, profile.ag)
    found: Response = codec.decode(packet, request)
    return found


def decode_connect(packet: bytes) -> std.ConnectResponse:
    """The answer to CONNECT, which says itself how it is to be read (XCP Base, CONNECT, 1.0).

    Raises:
        WireError: it does not fit, or its sizes are below the least.
    """
    if len(packet) < _LEAST_BYTES:
        raise WireError("ConnectResponse", need="8 bytes", got=len(packet))
    order = ByteOrder.MOTOROLA if packet[2] & 1 else ByteOrder.INTEL
    response: std.ConnectResponse = codec_for(std.ConnectResponse, order).decode(packet)
    if response.max_cto < _LEAST_BYTES or response.max_dto < _LEAST_BYTES:
        raise WireError(
            "ConnectResponse",
            need="MAX_CTO and MAX_DTO of 8 or more",
            got=f"{response.max_cto} and {response.max_dto}",
            what="content",
        )
    return response


class Echoes:
    """Second answers to a CONNECT that was sent twice, or that the net doubled."""

    def __init__(self) -> None:
        self._echo = b""
        self._left = 0

    def expect(self, packet: bytes) -> None:
        """Look out for another one of this answer among the next few packets."""
        self._echo, self._left = bytes(packet), _ECHO_WINDOW

    def has(self, packet: bytes, request: Request[Any]) -> bool:
        """True when the packet is one."""
        if self._left <= 0 or isinstance(request, std.Connect):
            return False
        if packet != self._echo:
            self._left -= 1
            return False
        return True


def resource_of(request: Request[Any]) -> Resource:
    """The resource that a command needs; empty when none is known.

    Memory is read by standard commands, which slaves of today protect with calibration *(XCP Base,
    error handling matrix, UPLOAD, 1.0)*.
    """
    info = request.__command__
    if isinstance(request, daq.SetDaqListMode):
        stim = DaqListModeRequest(request.mode).direction_stim
        return Resource.of(stim=1) if stim else Resource.of(daq=1)
    if isinstance(request, std.Upload | std.ShortUpload | std.BuildChecksum):
        return Resource.of(cal_pag=1)
    return Resource.of(**{info.resource: 1}) if info.resource else Resource(0)
