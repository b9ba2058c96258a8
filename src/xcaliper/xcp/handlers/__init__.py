"""Slave behaviour: one plain function per command, found by the class of the request."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp.handlers import cal, clock, daq, pag, security, std

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_state import Handler

__all__ = ["HANDLERS"]

HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        **std.HANDLERS,
        **security.HANDLERS,
        **cal.HANDLERS,
        **pag.HANDLERS,
        **daq.HANDLERS,
        **clock.HANDLERS,
    }
)
