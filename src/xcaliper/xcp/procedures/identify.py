"""Identification texts and the A2L from inside the slave."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import (
    AccessDeniedError,
    ExchangeTimeoutError,
    NegativeResponseError,
    OutOfRangeError,
    RemoteProtocolError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.procedures.connect import attempt
from xcaliper.xcp.procedures.memory import upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session

__all__ = ["IdType", "Identification", "get_id", "identify", "upload_a2l"]

_MAX_TEXT: Final = 1 << 16
_MAX_FILE: Final = 1 << 28
_RESTARTS: Final = 5
_UNANSWERED: Final = 2


class IdType(IntEnum):
    """Identification types (XCP Base, GET_ID, 1.0; EPK and ECU 1.3)."""

    NAME = 0
    A2L_NAME = 1
    A2L_FILE = 2
    A2L_URL = 3
    A2L = 4
    EPK = 5
    ECU = 6
    POD = 7


@dataclass(frozen=True, slots=True)
class Identification:
    """One identification.

    Attributes:
        data: bytes without terminator, empty when the slave has none.
        compressed: True when the bytes are compressed or encrypted.
    """

    data: bytes = b""
    compressed: bool = False

    @property
    def text(self) -> str:
        """The bytes as text, without terminators and fill."""
        return self.data.rstrip(b"\0").decode("utf-8", "replace").strip()


def get_id(
    session: Session,
    kind: int,
    *,
    limit: int = _MAX_TEXT,
    progress: Callable[[int, int], None] | None = None,
    attempts: int = 0,
) -> Procedure[Identification]:
    """One identification; empty when the slave has none (XCP Base, GET_ID, 1.0).

    A lost answer during the upload starts it again: nobody knows where the MTA is then.

    Args:
        session: of the connection.
        kind: number, see :class:`IdType`.
        limit: largest length that is believed.
        progress: called with bytes so far and bytes in all.
        attempts: how often GET_ID is sent; 0 = as the machine is set.

    Raises:
        RemoteProtocolError: the slave announces more than the limit.
        ExchangeTimeoutError: the link loses too much.
    """
    turn = 0
    while True:
        try:
            reply = yield from attempt(
                session, std.GetId(identification_type=kind), attempts=attempts
            )
        except (UnknownCommandError, OutOfRangeError):
            return Identification()
        compressed = bool(reply.mode.compressed_encrypted)
        if reply.length > limit:
            raise RemoteProtocolError(
                f"GET_ID: type {kind} with {reply.length} bytes, more than {limit}.",
                hint="Check that the slave's byte order is right.",
            )
        if reply.mode.transfer_mode or not reply.length:
            return Identification(reply.data[: reply.length], compressed)
        count = -(-reply.length // session.profile.ag)
        try:
            data = yield from upload(session, count, _reporter(progress, reply.length))
        except ExchangeTimeoutError:
            turn += 1
            if turn == _RESTARTS:
                raise
            continue
        return Identification(data[: reply.length], compressed)


def _reporter(
    progress: Callable[[int, int], None] | None, total: int
) -> Callable[[int], None] | None:
    return None if progress is None else lambda done: progress(min(done, total), total)


def identify(
    session: Session,
    kinds: tuple[int, ...] = (
        IdType.NAME,
        IdType.A2L_NAME,
        IdType.A2L_FILE,
        IdType.A2L_URL,
        IdType.EPK,
        IdType.ECU,
    ),
    *,
    unanswered: list[int] | None = None,
) -> Procedure[dict[int, str]]:
    """Texts by type; only those that the slave has.

    A slave that leaves GET_ID unanswered has none: after two types without an answer the others are not asked for.

    Args:
        session: of the connection.
        kinds: types, in the order in which they are asked for.
        unanswered: the types that the slave left unanswered are added to it.

    Raises:
        ExchangeTimeoutError: the slave does not answer SYNCH either; it is gone.
    """
    found: dict[int, str] = {}
    missed: list[int] = [] if unanswered is None else unanswered
    answered = False
    for kind in kinds:
        if len(missed) == _UNANSWERED and not answered:
            break
        try:
            text = (yield from get_id(session, kind, attempts=1 if missed else 0)).text
        except ExchangeTimeoutError as error:
            if error.command != "GET_ID":
                raise  # it has the text, and the link loses it
            yield from ask(std.Synch())
            missed.append(int(kind))
            continue
        except (NegativeResponseError, RemoteProtocolError):
            answered = True
            continue
        answered = True
        if text:
            found[int(kind)] = text
    return found


def upload_a2l(
    session: Session, progress: Callable[[int, int], None] | None = None
) -> Procedure[bytes]:
    """The A2L that the slave carries, empty when it has none (XCP Base, GET_ID type 4, 1.0).

    Raises:
        RemoteProtocolError: it is compressed or encrypted, or unbelievably long.
    """
    try:
        found = yield from get_id(session, IdType.A2L, limit=_MAX_FILE, progress=progress)
    except AccessDeniedError:
        return b""
    if found.compressed:
        raise RemoteProtocolError(
            "GET_ID: the slave's A2L is compressed or encrypted.", hint="Use an A2L file."
        )
    return found.data
