"""Behaviour of the clock and version commands."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp import level1, timecorr
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.events import EvTimeSyncExtended, EvTimeSyncLegacy, EvTimeSyncShort
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "get_daq_clock",
    "get_daq_clock_multicast",
    "get_version",
    "time_correlation_properties",
    "time_sync",
]

_DWORD: Final = 0xFFFF_FFFF
_SHORT_CTO: Final = 8
_HEAD_BYTES: Final = 4
_CLUSTER_BYTES: Final = 3
_MULTICAST: Final = 2
_MULTICAST_OVER_BRIDGE: Final = 3
_RESERVED: Final = 3


def get_daq_clock(slave: SlaveState, request: timecorr.GetDaqClock) -> timecorr.GetDaqClockResponse:
    """Tell the clock of DAQ timestamps as a dword, or every readable clock.

    *(XCP Base, GET_DAQ_CLOCK, 1.0; extended 1.3)*
    """
    clocks, max_cto = slave.clocks, slave.config.max_cto
    if clocks.response_fmt == 0 or max_cto == _SHORT_CTO:
        if not clocks.is_readable:
            raise refuse(ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE)
        return timecorr.DaqClockLegacy(timestamp=clocks.daq_ticks(slave.now_ns) & _DWORD)
    tells = clocks.tells_sync_state
    read = clocks.read(slave.now_ns, event=False, room=max_cto - _HEAD_BYTES - tells)
    if not read.fmt:
        raise refuse(ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE)
    return timecorr.DaqClockExtended(
        trigger_info=timecorr.TriggerInfo.of(time_of_sampling=clocks.settings.sampling),
        payload_fmt=read.fmt,
        slave_timestamp=read.slave,
        grandmaster_timestamp=read.grandmaster,
        ecu_timestamp=read.ecu,
        sync_state=clocks.sync_state(slave.now_ns) if tells else None,
    )


def time_correlation_properties(
    slave: SlaveState, request: timecorr.TimeCorrelationProperties
) -> timecorr.TimeCorrelationPropertiesResponse:
    """Set and tell what EV_TIME_SYNC and the clocks are like; all of it is taken or nothing.

    A change while lists run is refused: timestamps on their way would change their meaning.
    *(XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)*
    """
    clocks, wanted = slave.clocks, request.set_properties
    response_fmt = wanted.response_fmt or clocks.response_fmt
    bridge = {0: clocks.bridge_enabled, 1: True, 2: False}.get(wanted.time_sync_bridge)
    if response_fmt == _RESERVED or bridge is None or (bridge and not clocks.settings.bridge):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    cluster = request.cluster_identifier if wanted.set_cluster_id else clocks.cluster
    new = (response_fmt, bridge, cluster)
    old = (clocks.response_fmt, clocks.bridge_enabled, clocks.cluster)
    if slave.daq.running and new != old:
        raise refuse(ErrorCode.ERR_TIMECORR_STATE_CHANGE)
    clocks.response_fmt, clocks.bridge_enabled, clocks.cluster = new
    info = timecorr.ClockInfo(0)
    if request.get_properties_request.get_clk_info:
        info, memory = clocks.blocks(slave.now_ns, slave.config.byte_order)
        slave.point_text(memory)
    return timecorr.TimeCorrelationPropertiesResponse(
        slave_config=clocks.slave_config(),
        observable_clocks=clocks.observable(),
        sync_state=clocks.sync_state(slave.now_ns),
        clock_info=info,
        cluster_identifier=clocks.cluster,
    )


def time_sync(slave: SlaveState, initiator: int, *, counter: int | None = None) -> Event | None:
    """The EV_TIME_SYNC of a trigger; None where RESPONSE_FMT keeps it back.

    Args:
        slave: the session.
        initiator: TRIGGER_INITIATOR, 0 to 6.
        counter: of GET_DAQ_CLOCK_MULTICAST.
    """
    clocks, max_cto = slave.clocks, slave.config.max_cto
    if not clocks.reports(initiator):
        return None
    info = timecorr.TriggerInfo.of(
        trigger_initiator=initiator, time_of_sampling=clocks.settings.sampling
    )
    if clocks.response_fmt == 0:
        return EvTimeSyncLegacy(timestamp=clocks.daq_ticks(slave.now_ns) & _DWORD)
    if max_cto == _SHORT_CTO:
        ticks = clocks.daq_ticks(slave.now_ns) & _DWORD
        return EvTimeSyncShort(trigger_info=info, counter=counter or 0, timestamp=ticks)
    tells = clocks.tells_sync_state
    rest = _HEAD_BYTES + tells + (_CLUSTER_BYTES if counter is not None else 0)
    read = clocks.read(slave.now_ns, event=True, room=max_cto - rest)
    cluster = timecorr.PayloadFmt.of(cluster=int(counter is not None))
    return EvTimeSyncExtended(
        trigger_info=info,
        payload_fmt=timecorr.PayloadFmt(read.fmt | cluster),
        slave_timestamp=read.slave,
        grandmaster_timestamp=read.grandmaster,
        ecu_timestamp=read.ecu,
        cluster_identifier=clocks.cluster if counter is not None else None,
        counter=counter,
        sync_state=clocks.sync_state(slave.now_ns) if tells else None,
    )


def get_daq_clock_multicast(slave: SlaveState, request: EthGetDaqClockMulticast) -> None:
    """Answer a multicast of the own cluster with EV_TIME_SYNC, else stay silent.

    *(XCP Base, GET_DAQ_CLOCK_MULTICAST, 1.3)*
    """
    clocks = slave.clocks
    if clocks.response_fmt == 0 or not clocks.settings.multicast:
        return
    if request.cluster_identifier != clocks.cluster:
        return
    initiator = _MULTICAST_OVER_BRIDGE if clocks.settings.behind_bridge else _MULTICAST
    event = time_sync(slave, initiator, counter=request.counter)
    assert event is not None, "every extended form reports a multicast"
    slave.events.append(event)


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
        timecorr.TimeCorrelationProperties: time_correlation_properties,
        EthGetDaqClockMulticast: get_daq_clock_multicast,
        level1.GetVersion: get_version,
    }
)
