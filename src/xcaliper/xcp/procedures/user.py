"""Commands that others define: USER_CMD, sub-commands of transports, whole packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.errors import UsageError, WireError
from xcaliper.proto.procedure import Tell, ask
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import std

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandTable, Response
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.profile import Profile

__all__ = ["send_packet", "transport_cmd", "user_cmd"]


def user_cmd(sub_command: int, parameters: bytes = b"") -> Procedure[bytes]:
    """What the maker of the ECU answers to USER_CMD, behind the RES (XCP Base, USER_CMD, 1.0)."""
    reply = yield from ask(std.UserCmd(sub_command=sub_command, parameters=parameters))
    return reply.data


def transport_cmd(sub_command: int, parameters: bytes = b"") -> Procedure[bytes]:
    """The answer to a sub-command of the transport that no table declares.

    *(XCP Base, TRANSPORT_LAYER_CMD, 1.0)*
    """
    reply = yield from ask(std.TransportLayerCmd(sub_command=sub_command, parameters=parameters))
    return reply.data


def send_packet(table: CommandTable, profile: Profile, packet: bytes) -> Procedure[Response | None]:
    """Send a command as bytes; its answer, decoded by the table, or None where there is none.

    Raises:
        UsageError: the table has no such command, or the bytes are too short for it.
    """
    info = table.find(packet)
    if info is None:
        raise UsageError(
            f"packet {packet[:4].hex(' ') or 'without bytes'}: the table has no such command.",
            hint="Declare it with @command and give it to connect(commands=...).",
        )
    try:
        request = codec_for(info.request, profile.byte_order, profile.ag).decode(packet)
    except WireError as error:
        raise UsageError(f"{info.name}: {error}") from error
    if not info.answered:
        yield Tell(request)
        return None
    reply: Response = yield from ask(request)
    return reply
