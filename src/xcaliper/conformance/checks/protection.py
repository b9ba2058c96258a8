"""Rules about seed and key; wrong keys only where allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response
from xcaliper.conformance.model import Group, Permission, Rule, SkippedError, rule
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, ErrorCode, Resource

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_SEC: Final = Group.SECURITY
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_LOCKED: Final = ErrorCode.ERR_ACCESS_LOCKED
_BITS: Final = ("cal_pag", "daq", "stim", "pgm")
_PROBES: Final = {"cal_pag": b"\xea\x01\x00", "daq": b"\xda", "pgm": b"\xce"}
_FIRST: Final = 0
_REST: Final = 1


def _protected(probe: Probe) -> Resource:
    return probe.use(std.GetStatus()).protection_status


def _seed(resource: Resource, mode: int = _FIRST) -> std.GetSeed:
    return std.GetSeed(mode=mode, resource=resource)


def _one(name: str) -> Resource:
    return Resource.of(**{name: 1})


@rule(
    "SEC-001",
    _SEC,
    "Seed for no resource",
    "GET_SEED without a resource is refused with ERR_OUT_OF_RANGE.",
    "GET_SEED, 1.0",
)
def _nothing(probe: Probe) -> None:
    probe.refused(_seed(Resource(0)), _RANGE)


@rule(
    "SEC-002",
    _SEC,
    "Seed for several resources",
    "GET_SEED for more than one resource is refused with ERR_OUT_OF_RANGE.",
    "GET_SEED, 1.0",
)
def _several(probe: Probe) -> None:
    probe.refused(_seed(Resource.of(cal_pag=1, daq=1)), _RANGE)


@rule(
    "SEC-003",
    _SEC,
    "Rest of a seed without its beginning",
    "GET_SEED for the next part is refused with ERR_SEQUENCE when no first part came before.",
    "GET_SEED, 1.0",
)
def _rest_first(probe: Probe) -> None:
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    probe.refused(_seed(_one("cal_pag"), _REST), _SEQUENCE)


@rule(
    "SEC-004",
    _SEC,
    "Unknown mode of GET_SEED",
    "A mode of GET_SEED other than 0 and 1 is refused.",
    "GET_SEED, 1.0",
)
def _mode(probe: Probe) -> None:
    probe.refused(
        _seed(_one("cal_pag"), 0x7E), _RANGE, ErrorCode.ERR_CMD_SYNTAX, ErrorCode.ERR_MODE_NOT_VALID
    )


@rule(
    "SEC-005",
    _SEC,
    "No seed for what is open",
    "The seed of a resource that is not protected has length 0.",
    "GET_SEED, 1.0",
)
def _open(probe: Probe) -> None:
    locked, there = _protected(probe), connect_response(probe).resource
    for name in _BITS:
        if getattr(there, name) and not getattr(locked, name):
            found = probe.use(_seed(_one(name))).length
            probe.demand(not found, f"{name} is open and has a seed of {found} bytes.")
            return
    raise SkippedError("every resource is protected.")


@rule(
    "SEC-006",
    _SEC,
    "Seed for what is protected",
    "The seed of a protected resource has a length above 0.",
    "GET_SEED, 1.0",
)
def _locked_seed(probe: Probe) -> None:
    locked = _protected(probe)
    for name in _BITS:
        if getattr(locked, name):
            answer = probe.subject(_seed(_one(name)), 2)
            probe.demand(answer[1], f"{name} is protected and its seed has length 0.")
            room = min(answer[1], probe.profile.max_cto - 2)
            size = len(answer) - 2
            probe.demand(size >= room, f"the response holds {size} bytes of the seed, not {room}.")
            return
    raise SkippedError("no resource is protected.")


@rule(
    "SEC-007",
    _SEC,
    "Protected commands are refused",
    "Commands of a protected resource are refused with ERR_ACCESS_LOCKED.",
    "protection, 1.0",
)
def _refuses(probe: Probe) -> None:
    locked, there = _protected(probe), connect_response(probe).resource
    names = [name for name in _PROBES if getattr(locked, name)]
    if there.stim and not locked.stim:  # commands of lists serve that direction
        names = [name for name in names if name != "daq"]
    if not names:
        raise SkippedError("no resource is protected whose commands serve nothing else.")
    for name in names:
        answer = probe.ask(_PROBES[name])
        probe.demand(answer is not None, f"a command of {name} was not answered.")
        probe.demand(
            answer and answer[0] == PID_ERR and answer[1] in (_LOCKED, 0x20),
            f"a command of {name} was not refused though {name} is protected.",
        )


@rule(
    "SEC-008",
    _SEC,
    "Seed for what can be protected",
    "A slave with a protected resource has GET_SEED.",
    "protection, 1.0",
)
def _has_seed(probe: Probe) -> None:
    if not int(_protected(probe)) & int(connect_response(probe).resource):
        raise SkippedError("no resource is protected.")
    known = probe.knows(b"\xf8")
    probe.demand(known is not False, "resources are protected and GET_SEED is unknown.")


@rule(
    "SEC-009",
    _SEC,
    "Key without a seed",
    "UNLOCK that follows no GET_SEED is refused with ERR_SEQUENCE.",
    "UNLOCK, 1.0",
    needs=Permission.KEYS,
)
def _key_first(probe: Probe) -> None:
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    probe.refused(std.Unlock(length=1, key=b"\0"), _SEQUENCE)


@rule(
    "SEC-010",
    _SEC,
    "Wrong key",
    "A wrong key is refused with ERR_ACCESS_LOCKED and unlocks nothing.",
    "UNLOCK, 1.0",
    needs=Permission.KEYS,
)
def _wrong_key(probe: Probe) -> None:
    locked = _protected(probe)
    name = next((name for name in _BITS if getattr(locked, name)), "")
    if not name:
        raise SkippedError("no resource is protected.")
    told = probe.use(_seed(_one(name)))
    left = told.length - len(told.seed)
    for _ in range(0xFF):
        if left <= 0:
            break
        left -= max(len(probe.use(_seed(_one(name), _REST)).seed), 1)
    answer = probe.ask(std.Unlock(length=1, key=b"\0"))
    probe.demand(answer is not None, "UNLOCK was not answered.")
    refused = answer and answer[0] == PID_ERR and answer[1] in (_LOCKED, _SEQUENCE)
    probe.demand(refused, "UNLOCK with a key of one byte 0 was not refused.")
    probe.connected = False


RULES: Final[tuple[Rule, ...]] = (
    _nothing,
    _several,
    _rest_first,
    _mode,
    _open,
    _locked_seed,
    _refuses,
    _has_seed,
    _key_first,
    _wrong_key,
)
