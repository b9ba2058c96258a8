"""Behaviour of the clock and version commands."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import level1, timecorr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "get_daq_clock",
    "get_version",
]


def get_daq_clock(slave: SlaveState, request: timecorr.GetDaqClock) -> timecorr.DaqClockLegacy:
    """Tell the clock of DAQ timestamps as a dword (XCP Base, GET_DAQ_CLOCK, 1.0)."""
    return timecorr.DaqClockLegacy(timestamp=slave.config.ticks(slave.now_ns) & 0xFFFF_FFFF)


def get_version(slave: SlaveState, request: level1.GetVersion) -> level1.GetVersionResponse:
    """Tell the versions with their minor numbers (XCP Base, GET_VERSION, 1.4)."""
    config = slave.config
    return level1.GetVersionResponse(
        protocol_major=1,
        protocol_minor=config.protocol_version,
        transport_major=config.transport_major,
        transport_minor=config.transport_version,
    )


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        timecorr.GetDaqClock: get_daq_clock,
        level1.GetVersion: get_version,
    }
)
