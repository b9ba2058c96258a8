"""Begin and end a session; the frozen result says how the slave wants to be talked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    ProtocolError,
    RemoteProtocolError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import level1, std
from xcaliper.xcp.codes import ErrorCode, Resource, SessionStatus, negative_response
from xcaliper.xcp.profile import Profile

if TYPE_CHECKING:
    from xcaliper.proto.command import Request, Response
    from xcaliper.proto.procedure import Procedure

__all__ = ["Session", "attempt", "connect", "disconnect", "optional", "probe", "synchronise"]

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
        queue_size: commands that may wait besides the one that is worked on, 0 = no interleaved mode.
        refused: optional commands that this device refused as unknown or left unanswered; no procedure
            sends them again.
        unanswered: those that it left unanswered twice; a device that ignores what it lacks.
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
    queue_size: int = 0
    refused: set[str] = field(default_factory=set, compare=False)
    unanswered: set[str] = field(default_factory=set, compare=False)

    def forget(self) -> None:
        """Optional commands that were refused may be tried again."""
        self.refused.clear()
        self.unanswered.clear()


def attempt(session: Session | None, request: Request[R], *, attempts: int = 0) -> Procedure[R]:
    """The answer to an optional command; one that the device has refused before is not sent.

    Args:
        session: remembers; None = of no session yet.
        request: the command.
        attempts: how often it may be sent; 0 = as the machine is set.

    Raises:
        UnknownCommandError: the slave does not have it, now or before.
    """
    refused = session.refused if session is not None else set()
    name = request.__command__.name
    if name in refused:
        refusal = negative_response(name, ErrorCode.ERR_CMD_UNKNOWN, request=request)
        assert isinstance(refusal, UnknownCommandError), "the class of this code"
        raise refusal
    try:
        return (yield from ask(request, attempts=attempts))
    except UnknownCommandError:
        refused.add(name)
        raise


def probe(session: Session, request: Request[R]) -> Procedure[R | None]:
    """The answer to an optional command; None when the device leaves it unanswered.

    An answer can get lost, too: the first command that stays unanswered is asked for twice. Once a device
    has ignored one, each of the others costs one time-out.

    Args:
        session: remembers what was left unanswered; whether it is never sent again is the caller's choice.
        request: the command.

    Raises:
        NegativeResponseError: the slave refuses it, see :func:`attempt`.
        ExchangeTimeoutError: the slave does not answer SYNCH either; it is gone.
    """
    for _ in range(1 if session.unanswered else 2):
        try:
            return (yield from attempt(session, request, attempts=1))
        except ExchangeTimeoutError:
            yield from ask(std.Synch())
    session.unanswered.add(request.__command__.name)
    return None


def optional(
    session: Session | None, request: Request[R], default: R | None = None
) -> Procedure[R | None]:
    """The answer, or the default when the slave refuses the command or leaves it unanswered.

    Small slaves lack commands that others need: each costs one time-out once per device, for the session
    remembers, and the first one a second, see :func:`probe`. Refusals of a number, a mode or the moment
    are not remembered.

    Args:
        session: remembers; None = of no session yet.
        request: the command.
        default: what to give instead of an answer.

    Raises:
        ExchangeTimeoutError: the slave does not answer SYNCH either; it is gone.
    """
    known = session if session is not None else Session()
    try:
        reply = yield from probe(known, request)
    except NegativeResponseError:
        return default
    if reply is None:
        if not request.__command__.mandatory:
            known.refused.add(request.__command__.name)
        return default
    return reply


def connect(
    mode: int = 0,
    *,
    attempts: int = 0,
    within_ns: int = 0,
    transport: str = "",
    twice: bool = False,
    refused: set[str] | None = None,
) -> Procedure[Session]:
    """A new session (XCP Base, CONNECT, 1.0); what the slave does not tell keeps its default.

    Args:
        mode: 1 for a mode that the user defines.
        attempts: how often CONNECT is sent; 0 = as the machine is set, which repeats it for a while
            in mode 1.
        within_ns: repeat it for so long instead, however often.
        transport: name of the transport, kept in the profile.
        twice: ask twice and believe equal answers only, for links without a checksum: what CONNECT
            tells is relied on for the whole session.
        refused: optional commands that the device is known to lack, see :attr:`Session.refused`.

    Raises:
        RemoteProtocolError: two answers differ.
    """
    reply = yield from ask(std.Connect(mode=mode), attempts=attempts, within_ns=within_ns)
    if twice and (yield from ask(std.Connect(mode=mode), attempts=attempts)) != reply:
        raise RemoteProtocolError(
            "CONNECT: its two answers differ, so the link has damaged one of them.",
            hint="Connect again.",
        )
    profile = Profile.from_connect(reply, transport)
    known = Session(profile=profile, refused=set() if refused is None else refused)
    status = yield from optional(known, std.GetStatus())
    modes = None
    if profile.comm_mode_optional:
        modes = yield from optional(known, std.GetCommModeInfo())
    version = yield from optional(known, level1.GetVersion())
    interleaved = modes is not None and bool(modes.comm_mode_optional.interleaved_mode)
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
        queue_size=modes.queue_size if modes and interleaved else 0,
        refused=known.refused,
        unanswered=known.unanswered,
    )


def disconnect(timeout_ns: int = 0) -> Procedure[bool]:
    """End the session; True when the slave agreed (XCP Base, DISCONNECT, 1.0).

    Sent once: it ends within one time-out, whatever the slave does.
    """
    try:
        yield from ask(std.Disconnect(), attempts=1, timeout_ns=timeout_ns, final=True)
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
