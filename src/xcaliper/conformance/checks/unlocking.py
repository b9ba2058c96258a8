"""Rules about opening what is protected, with the keys that the user gave, and about closing it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response
from xcaliper.conformance.locks import key_of, locked_now, seed_of, send_key, unlocked
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode, Resource
from xcaliper.xcp.seed_key import each_resource, resource_name

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_SEC: Final = Group.SECURITY
_LOCKED: Final = ErrorCode.ERR_ACCESS_LOCKED
_CAL, _DAQ, _STIM, _PGM = (Resource.of(**{n: 1}) for n in ("cal_pag", "daq", "stim", "pgm"))
#: One harmless command of each resource; those of DAQ serve both directions of lists.
_PROBES: Final = {_CAL: b"\xea\x01\x00", _DAQ: b"\xda", _PGM: b"\xce"}
_MOST_PARTS: Final = 0xFF


def _fresh(probe: Probe) -> Resource:
    """A session in which nothing was opened yet; gives what is locked.

    Raises:
        SkippedError: CONNECT does not work, or nothing is locked.
    """
    found = _next_session(probe)
    if not found and probe.connect() is not None:  # where DISCONNECT does not lock, CONNECT may
        found = locked_now(probe)
    if not found:
        raise SkippedError("no resource is protected.")
    return found


def _next_session(probe: Probe) -> Resource:
    """End the session and begin another; gives what is locked in it."""
    if probe.disconnect() is None or probe.connect() is None:
        raise SkippedError("builds on DISCONNECT and CONNECT, which did not work.")
    return locked_now(probe)


def _first(probe: Probe, wanted: Resource = Resource(0xFF)) -> Resource:  # noqa: B008 -- immutable
    """A locked resource whose key is known to fit."""
    locked = _fresh(probe) & wanted & ~probe.not_opened
    found = next(each_resource(locked), None)
    if probe.key is None:
        raise SkippedError("needs keys: --key-library or --key-python.")
    if found is None:
        raise SkippedError("no protected resource of these has a key that fits.")
    return found


def _locked_out(answer: bytes | None) -> bool:
    return answer is not None and answer[:2] == bytes((PID_ERR, _LOCKED))


@rule(
    "SEC-011",
    _SEC,
    "Parts of a seed",
    "GET_SEED gives a seed that is longer than MAX_CTO - 2 in parts: each tells how many bytes are left, "
    "itself included.",
    "GET_SEED, 1.0",
)
def _seed_parts(probe: Probe) -> None:
    resource, room = next(each_resource(_fresh(probe))), probe.profile.max_cto - 2
    told = probe.use(std.GetSeed(mode=0, resource=resource))
    if told.length <= room:
        raise SkippedError(f"the seed of {told.length} bytes fits one packet.")
    left = told.length
    for part in range(1, _MOST_PARTS):
        left -= min(room, left)
        if not left:
            return
        answer = probe.subject(std.GetSeed(mode=1, resource=resource), 2)
        probe.demand(answer[1] == left, f"part {part} tells {answer[1]} bytes left, not {left}.")
        size, wanted = len(answer) - 2, min(room, left)
        probe.demand(size >= wanted, f"part {part} has {size} bytes of the seed, not {wanted}.")


@rule(
    "SEC-012",
    _SEC,
    "The right key opens",
    "The right key is answered positively, and its resource is no longer told as protected: neither in the "
    "answer nor by GET_STATUS.",
    "UNLOCK, 1.0",
)
def _opens(probe: Probe) -> None:
    resource = next(each_resource(_fresh(probe)))
    name = resource_name(resource)
    key = key_of(probe, resource, seed_of(probe, resource))
    answer = send_key(probe, key)
    if answer is None or answer[0] != PID_RES:
        probe.connected = False
        probe.not_opened = Resource(probe.not_opened | resource)
    probe.demand(answer is not None, "UNLOCK was not answered.")
    assert answer is not None
    probe.demand(answer[0] == PID_RES, f"the key of {name} was refused.")
    probe.demand(len(answer) >= 2, "the answer to UNLOCK has less than 2 bytes.")
    probe.demand(not answer[1] & resource, f"the answer tells {name} as protected.")
    probe.demand(not locked_now(probe) & resource, f"GET_STATUS tells {name} as protected.")


@rule(
    "SEC-013",
    _SEC,
    "A key opens its own resource",
    "UNLOCK leaves every other protected resource locked.",
    "UNLOCK, 1.0",
)
def _others(probe: Probe) -> None:
    resource = _first(probe)
    before = locked_now(probe)
    if before == resource:
        raise SkippedError("only one resource is protected.")
    unlocked(probe, resource)
    gone = Resource(before & ~resource & ~locked_now(probe))
    probe.demand(
        not gone, f"the key of {resource_name(resource)} opened {resource_name(gone)} too."
    )


@rule(
    "SEC-014",
    _SEC,
    "Commands of what was opened",
    "After UNLOCK no command of the resource is refused with ERR_ACCESS_LOCKED.",
    "protection, 1.0",
)
def _served(probe: Probe) -> None:
    wanted = Resource(_CAL | _DAQ | _PGM)
    resource = _first(probe, wanted)
    unlocked(probe, resource)
    answer = probe.ask(_PROBES[resource])
    name = resource_name(resource)
    probe.demand(
        not _locked_out(answer), f"{name} was opened, and its command is refused as locked."
    )


@rule(
    "SEC-015",
    _SEC,
    "What is open stays usable",
    "While a resource is protected, commands of those that are not are not refused with ERR_ACCESS_LOCKED.",
    "protection, 1.0",
)
def _untouched(probe: Probe) -> None:
    locked, there = _fresh(probe), connect_response(probe).resource
    free = Resource(there & ~locked)
    for resource, packet in _PROBES.items():
        if resource & free:
            told = resource_name(resource)
            probe.demand(
                not _locked_out(probe.ask(packet)),
                f"{told} is open, and its command is refused as locked.",
            )


@rule(
    "SEC-016",
    _SEC,
    "DISCONNECT locks again",
    "The next session finds every protected resource locked.",
    "DISCONNECT, 1.0",
)
def _relocked(probe: Probe) -> None:
    resource = _first(probe)
    unlocked(probe, resource)
    name = resource_name(resource)
    probe.demand(_next_session(probe) & resource, f"{name} is open in the next session.")


@rule(
    "SEC-017",
    _SEC,
    "CONNECT locks again",
    "CONNECT inside a session begins a new one, which finds every protected resource locked.",
    "CONNECT, 1.0",
    severity=Severity.DEVIATION,
)
def _relocked_inside(probe: Probe) -> None:
    resource = _first(probe)
    unlocked(probe, resource)
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    name = resource_name(resource)
    probe.demand(locked_now(probe) & resource, f"{name} is open after CONNECT.")


@rule(
    "SEC-018",
    _SEC,
    "A key directly behind its seed",
    "UNLOCK is refused with ERR_SEQUENCE when another command came after GET_SEED.",
    "UNLOCK, 1.0",
    severity=Severity.DEVIATION,
)
def _between(probe: Probe) -> None:
    resource = _first(probe)
    key = key_of(probe, resource, seed_of(probe, resource))
    probe.use(std.GetStatus())
    answer = send_key(probe, key)
    told = answer is not None and answer[0] == PID_ERR
    probe.demand(told, "UNLOCK was served though GET_STATUS came between.")
    probe.demand(
        answer and answer[1:2] == bytes((ErrorCode.ERR_SEQUENCE,)),
        "UNLOCK with GET_STATUS between was refused with another code than ERR_SEQUENCE.",
    )


@rule(
    "SEC-019",
    _SEC,
    "Parts of a key",
    "A key that is longer than MAX_CTO - 2 is taken in parts, and only the last one opens.",
    "UNLOCK, 1.0",
)
def _key_parts(probe: Probe) -> None:
    resource, room = _first(probe), probe.profile.max_cto - 2
    key = key_of(probe, resource, seed_of(probe, resource))
    if len(key) <= room:
        raise SkippedError(f"the key of {len(key)} bytes fits one packet.")
    answer = probe.subject(std.Unlock(length=len(key), key=key[:room]), 2)
    name = resource_name(resource)
    probe.demand(answer[1] & resource, f"the first part of its key opened {name}.")


@rule(
    "SEC-020",
    _SEC,
    "A wrong key ends the session",
    "After a wrong key the slave is disconnected and answers nothing but CONNECT.",
    "UNLOCK, 1.0",
    severity=Severity.DEVIATION,
    needs=Permission.KEYS,
)
def _ends(probe: Probe) -> None:
    resource = next(each_resource(_fresh(probe)))
    seed_of(probe, resource)
    answer = probe.ask(std.Unlock(length=1, key=b"\0"))
    probe.connected = False
    if not _locked_out(answer):
        raise SkippedError("builds on the refusal of a wrong key, which another rule judges.")
    probe.silent_to(b"\xfd", "after a wrong key")


RULES: Final[tuple[Rule, ...]] = (
    _seed_parts,
    _opens,
    _others,
    _served,
    _untouched,
    _relocked,
    _relocked_inside,
    _between,
    _key_parts,
    _ends,
)
