"""Begin and end a session; the frozen result says how the slave wants to be talked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    ProtocolError,
    RemoteProtocolError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import level1, std
from xcaliper.xcp.codes import Resource, SessionStatus
from xcaliper.xcp.profile import Profile

if TYPE_CHECKING:
    from xcaliper.proto.command import Request, Response
    from xcaliper.proto.procedure import Procedure

__all__ = ["Session", "connect", "disconnect", "optional", "synchronise"]

R = TypeVar("R", bound="Response")


@dataclass(frozen=True, slots=True)
class Session:
    """What the slave told about itself when the session began.

    Attributes:
        profile: byte order, granularity, packet sizes.
        resource: groups of commands that exist.
        status: state at the beginning; shows lists that run or a pending store.
        protection: resources that must be unlocked.
        session_configuration_id: id of a stored DAQ configuration, 0 = none.
        max_bs: packets per master block, 0 = no master block mode.
        min_st_ns: least time between packets of a block.
        driver_version: of the slave's protocol driver, high nibble major.
        protocol_version: (major, minor); minor is 0 when the slave does not tell.
        transport_version: (major, minor).
    """

    profile: Profile = field(default_factory=Profile)
    resource: Resource = field(default_factory=lambda: Resource(0))
    status: SessionStatus = field(default_factory=lambda: SessionStatus(0))
    protection: Resource = field(default_factory=lambda: Resource(0))
    session_configuration_id: int = 0
    max_bs: int = 0
    min_st_ns: int = 0
    driver_version: int = 0
    protocol_version: tuple[int, int] = (1, 0)
    transport_version: tuple[int, int] = (1, 0)


def optional(request: Request[R]) -> Procedure[R | None]:
    """The answer, or None when the slave refuses the command or leaves it unanswered.

    Small slaves lack commands that others need: each costs one time-out at most.

    Raises:
        ExchangeTimeoutError: the slave does not answer SYNCH either; it is gone.
    """
    try:
        return (yield from ask(request, attempts=1))
    except NegativeResponseError:
        return None
    except ExchangeTimeoutError:
        yield from ask(std.Synch())
        return None


def connect(mode: int = 0, *, attempts: int = 0, transport: str = "") -> Procedure[Session]:
    """A new session (XCP Base, CONNECT, 1.0); what the slave does not tell keeps its default.

    Args:
        mode: 1 for a mode that the user defines.
        attempts: how often CONNECT is sent; 0 = as the machine is set.
        transport: name of the transport, kept in the profile.
    """
    reply = yield from ask(std.Connect(mode=mode), attempts=attempts)
    profile = Profile.from_connect(reply, transport)
    status = yield from optional(std.GetStatus())
    modes = (yield from optional(std.GetCommModeInfo())) if profile.comm_mode_optional else None
    version = yield from optional(level1.GetVersion())
    block = modes is not None and bool(modes.comm_mode_optional.master_block_mode)
    return Session(
        profile=profile,
        resource=reply.resource,
        status=SessionStatus(status.session_status if status else 0),
        protection=Resource(status.protection_status if status else 0),
        session_configuration_id=status.session_configuration_id if status else 0,
        max_bs=modes.max_bs if modes and block else 0,
        min_st_ns=modes.min_st * 100_000 if modes and block else 0,
        driver_version=modes.driver_version if modes else 0,
        protocol_version=(version.protocol_major, version.protocol_minor)
        if version
        else (reply.protocol_layer_version, 0),
        transport_version=(version.transport_major, version.transport_minor)
        if version
        else (reply.transport_layer_version, 0),
    )


def disconnect(timeout_ns: int = 0) -> Procedure[bool]:
    """End the session; True when the slave agreed (XCP Base, DISCONNECT, 1.0).

    Sent once: it ends within one time-out, whatever the slave does.
    """
    try:
        yield from ask(std.Disconnect(), attempts=1, timeout_ns=timeout_ns)
    except ProtocolError:
        return False
    return True


def synchronise() -> Procedure[bool]:
    """True when the slave answers SYNCH (XCP Base, SYNCH, 1.0)."""
    try:
        yield from ask(std.Synch())
    except (ExchangeTimeoutError, RemoteProtocolError):
        return False
    return True
