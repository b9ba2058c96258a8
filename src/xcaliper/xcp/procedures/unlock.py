"""Seed and key: open a protected resource, seeds and keys in parts included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import (
    AccessLockedError,
    RemoteProtocolError,
    SequenceError,
    UnlockError,
    UsageError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.seed_key import resource_name

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.seed_key import KeyFunction

__all__ = ["protection", "read_seed", "send_key", "unlock"]

#: The first try and two repetitions (XCP Base, error handling matrix, UNLOCK, 1.0).
_ROUNDS: Final = 3
_FIRST: Final = 0
_REMAINING: Final = 1
_LONGEST: Final = 0xFF


def protection() -> Procedure[Resource]:
    """What is locked now (XCP Base, GET_STATUS, 1.0)."""
    reply = yield from ask(std.GetStatus())
    return Resource(reply.protection_status)


def _settled() -> Procedure[Resource]:
    """What is locked, told behind a SYNCH: no answer that came late or twice passes for it."""
    yield from ask(std.Synch())
    return (yield from protection())


def unlock(session: Session, resource: Resource, key_function: KeyFunction) -> Procedure[Resource]:
    """Open a resource; what stays locked, once it is open.

    A resource that is open already costs one command. The key function runs while the slave waits: no
    other command may come between GET_SEED and UNLOCK. When the order of commands was wrong, because
    the slave lost a part, it all begins anew, twice (XCP Base, error handling matrix, UNLOCK, 1.0).

    Args:
        session: of the slave.
        resource: one bit.
        key_function: gets the bit and the seed, gives the key.

    Raises:
        UnlockError: the key is wrong; the session is over.
        BusyError: the slave gives no seed now, as after too many wrong keys.
        UsageError: not one resource; or the key is none.
        NegativeResponseError: the slave has no seed and key, or refuses for another reason.
    """
    for turn in range(1, _ROUNDS + 1):
        seed = yield from read_seed(resource)
        if seed:
            try:
                return (yield from send_key(session, resource, key_function(resource, seed)))
            except SequenceError:
                if turn == _ROUNDS:
                    raise
        left = yield from _settled()
        if not seed and not left & resource:
            return left
    raise _still_locked(resource)


def _still_locked(resource: Resource) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"UNLOCK: the slave took it, and says that {resource_name(resource)} is still locked.",
        hint="It may want another resource first.",
    )


def read_seed(resource: Resource) -> Procedure[bytes]:
    """The whole seed of a resource, 1 to 255 bytes; empty when it is not locked.

    A part whose answer was lost cannot be had again, so the seed is asked for anew, twice
    (XCP Base, GET_SEED, 1.0).

    Raises:
        UsageError: not exactly one resource.
        RemoteProtocolError: the parts do not make a seed.
        NegativeResponseError: the slave refused.
    """
    if resource.bit_count() != 1:
        raise UsageError(f"unlock: {resource_name(resource)} is not one resource.")
    for _ in range(_ROUNDS):
        seed = yield from _seed_once(resource)
        if seed is not None:
            return seed
        yield from ask(std.Synch())  # answers that came twice are out of the way then
    raise RemoteProtocolError(
        f"GET_SEED: the slave's parts do not make a seed of {resource_name(resource)}.",
        hint="Its count of remaining bytes does not follow from the parts before.",
    )


def _seed_once(resource: Resource) -> Procedure[bytes | None]:
    reply = yield from ask(std.GetSeed(mode=_FIRST, resource=resource))
    total, seed = reply.length, reply.seed
    while len(seed) < total:
        try:
            reply = yield from ask(std.GetSeed(mode=_REMAINING, resource=resource))
        except SequenceError:
            return None
        if reply.length != total - len(seed) or not reply.seed:
            return None
        seed += reply.seed
    return seed[:total]  # a padded packet carries more than the seed


def send_key(session: Session, resource: Resource, key: object) -> Procedure[Resource]:
    """Send a key in as many parts as it takes; what stays locked (XCP Base, UNLOCK, 1.0).

    Raises:
        UnlockError: the key is wrong.
        SequenceError: the slave lost a part, or there was no seed.
        RemoteProtocolError: the slave took the key and is still locked.
        UsageError: the key is no bytes, empty or longer than 255.
    """
    name = resource_name(resource)
    if not isinstance(key, bytes | bytearray | memoryview):
        kind = type(key).__name__
        raise UsageError(f"key of {name}: the key function gave {kind}.", hint="It gives bytes.")
    if not 0 < len(key) <= _LONGEST:
        raise UsageError(
            f"key of {name}: the key function gave {len(key)} bytes.", hint="It takes 1 to 255."
        )
    room = session.profile.max_cto - 2
    for at in range(0, len(key), room):
        part = bytes(key[at : at + room])
        try:
            yield from ask(std.Unlock(length=len(key) - at, key=part))
        except AccessLockedError as error:
            raise UnlockError(name) from error
    left = yield from _settled()
    if left & resource:
        raise _still_locked(resource)
    return left
