"""Packets of a run in words, for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import UsageError, WireError
from xcaliper.wire.codec import codec_for
from xcaliper.wire.describe import describe_packet
from xcaliper.xcp.codes import PID_ERR, PID_EV, PID_RES, PID_SERV, ErrorCode
from xcaliper.xcp.events import decode_event, decode_service
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.proto.command import Request
    from xcaliper.xcp.profile import Profile

__all__ = ["answer_text", "command_name", "decoded_request", "error_name", "question_text"]


def error_name(code: int) -> str:
    """Standard name of an error code, or its number."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code 0x{code:02X}"


def command_name(packet: bytes) -> str:
    """Standard name of a command packet, or its first bytes."""
    info = COMMANDS.find(packet)
    return info.name if info is not None else f"command 0x{packet[:1].hex().upper()}"


def decoded_request(packet: bytes, profile: Profile) -> Request[Any] | None:
    """The command as an object; None where no layout fits."""
    info = COMMANDS.find(packet)
    if info is None:
        return None
    try:
        found: Request[Any] = codec_for(info.request, profile.byte_order, profile.ag).decode(packet)
    except (WireError, UsageError):
        return None
    return found


def question_text(packet: bytes, profile: Profile) -> str:
    """A command in words."""
    if not packet:
        return "listened"
    request = decoded_request(packet, profile)
    if request is None:
        return f"{command_name(packet)}, {len(packet)} bytes"
    return describe_packet(request)


def answer_text(packet: bytes, asked: bytes, profile: Profile) -> str:
    """A packet of the slave in words; for answers the command that they belong to is needed."""
    order = profile.byte_order
    try:
        if packet[0] == PID_ERR:
            return error_name(packet[1]) if len(packet) > 1 else "ERR without a code"
        if packet[0] == PID_EV:
            return describe_packet(decode_event(packet, order, max_cto=profile.max_cto))
        if packet[0] == PID_SERV:
            return describe_packet(decode_service(packet, order))
        if packet[0] != PID_RES:
            return f"DAQ packet of {len(packet)} bytes"
        return _response_text(packet, asked, profile)
    except (WireError, UsageError, IndexError):
        return f"does not fit its layout, {len(packet)} bytes"


def _response_text(packet: bytes, asked: bytes, profile: Profile) -> str:
    info = COMMANDS.find(asked) if asked else None
    if info is None:
        return "RES"
    request = decoded_request(asked, profile)
    codec = codec_for(info.response, profile.byte_order, profile.ag)
    return describe_packet(codec.decode(packet, request), "RES")
