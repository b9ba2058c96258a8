"""Opening protected resources for the rules behind them, step by step and on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.model import SkippedError
from xcaliper.conformance.words import error_name
from xcaliper.core.errors import AccessLockedError
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_RES, Resource
from xcaliper.xcp.seed_key import each_resource, resource_name

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["key_of", "locked_now", "open_up", "seed_of", "send_key", "unlocked"]

_FIRST: Final = 0
_REST: Final = 1
_MOST_PARTS: Final = 0xFF


def locked_now(probe: Probe) -> Resource:
    """What is locked, of what the slave announces."""
    announced = probe.connect_packet[1] if len(probe.connect_packet) > 1 else 0xFF
    return Resource(probe.use(std.GetStatus()).protection_status & announced)


def seed_of(probe: Probe, resource: Resource) -> bytes:
    """The whole seed of a locked resource, in as many parts as it takes.

    Raises:
        SkippedError: it cannot be had.
    """
    told = probe.use(std.GetSeed(mode=_FIRST, resource=resource))
    total, seed = told.length, told.seed
    for _ in range(_MOST_PARTS):
        if len(seed) >= total:
            break
        part = probe.use(std.GetSeed(mode=_REST, resource=resource)).seed
        if not part:
            raise SkippedError("builds on the parts of a seed, one of which is empty.")
        seed += part
    if not total:
        raise SkippedError(f"{resource_name(resource)} has no seed.")
    return seed[:total]


def key_of(probe: Probe, resource: Resource, seed: bytes) -> bytes:
    """The key that the given function makes.

    Raises:
        SkippedError: there is no function, or it has none for this resource.
    """
    if probe.key is None:
        raise SkippedError("needs keys: --key-library or --key-python.")
    try:
        return probe.key(resource, seed)
    except AccessLockedError as error:
        raise SkippedError(f"{resource_name(resource)}: {error}") from error


def send_key(probe: Probe, key: bytes) -> bytes | None:
    """Send a key in parts; gives the answer to the last part, or the refusal before it."""
    room = max(probe.profile.max_cto - 2, 1)
    answer: bytes | None = None
    for at in range(0, len(key), room):
        answer = probe.ask(std.Unlock(length=len(key) - at, key=key[at : at + room]))
        if answer is None or answer[0] != PID_RES:
            break
    return answer


def unlocked(probe: Probe, resource: Resource) -> bytes:
    """Open a resource; gives the positive answer to UNLOCK.

    Raises:
        SkippedError: it cannot be opened; a slave may have ended the session then.
    """
    key = key_of(probe, resource, seed_of(probe, resource))
    answer = send_key(probe, key)
    if answer is not None and answer[0] == PID_RES:
        return answer
    probe.connected = False  # a wrong key ends the session, an order that is wrong might
    code = answer[1] if answer is not None and answer[0] == PID_ERR and len(answer) > 1 else None
    why = "not answered" if code is None else f"refused with {error_name(code)}"
    raise SkippedError(f"the key of {resource_name(resource)} was {why}.")


def open_up(probe: Probe) -> None:
    """Open everything for which there is a key; what stays locked is remembered and not tried again."""
    if probe.key is None:
        return
    try:
        wanted = locked_now(probe) & ~probe.not_opened
    except SkippedError:
        return
    for resource in each_resource(wanted):
        try:
            unlocked(probe, resource)
        except SkippedError:
            probe.not_opened = Resource(probe.not_opened | resource)
            if not probe.connected and probe.connect() is None:
                return
