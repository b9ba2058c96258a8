"""Behaviour of seed and key."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import std
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = ["HANDLERS", "get_seed", "unlock"]

_FIRST: Final = 0
_REMAINING: Final = 1


def get_seed(slave: SlaveState, request: std.GetSeed) -> std.GetSeedResponse:
    """Give the first part of a fresh seed, or the next one (XCP Base, GET_SEED, 1.0)."""
    if request.mode == _FIRST:
        length, seed = slave.security.first_seed(request.resource)
    elif request.mode == _REMAINING:
        length, seed = slave.security.next_seed()
    else:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return std.GetSeedResponse(length=length, seed=seed)


def unlock(slave: SlaveState, request: std.Unlock) -> std.UnlockResponse:
    """Take a part of the key and tell what is protected now (XCP Base, UNLOCK, 1.0)."""
    slave.security.take_key(request.length, request.key)
    return std.UnlockResponse(protection_status=slave.locked)


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {std.GetSeed: get_seed, std.Unlock: unlock}
)
