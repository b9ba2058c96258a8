"""What an ECU's slave is: its settings out of the declaration, and the same as IF_DATA XCP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from xcaliper.a2l.if_xcp import (
    XcpChecksum,
    XcpDaq,
    XcpDescription,
    XcpEvent,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpPag,
    XcpPage,
    XcpProtocolLayer,
    XcpSegment,
    XcpTimestamp,
)
from xcaliper.core.address import Address
from xcaliper.sim.clock_section import describe_clocks, takes_multicasts
from xcaliper.xcp.codes import Group
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.slave_config import EventConfig, PageConfig, SegmentConfig, SlaveConfig
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.items import Page, Segment

__all__ = ["Endpoint", "describe_segment", "describe_slave", "slave_config"]

_UNIT_1MS: Final = 6
_DONT_CARE: Final = 3
_NOT_ALLOWED: Final = 0
_LEVEL_1: Final = 0xC0
_CONSISTENCY: Final = ("ODT", "DAQ", "EVENT", "NONE")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a slave listens.

    Attributes:
        scheme: ``udp`` or ``tcp``.
        host: numeric address.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def slave_config(declaration: EcuDeclaration, settings: SlaveConfig) -> SlaveConfig:
    """Settings with the events and segments of a declaration in them."""
    return replace(
        settings,
        events=tuple(
            EventConfig(
                event.channel,
                event.name,
                time_cycle=event.cycle_ms or 0,
                time_unit=_UNIT_1MS,
                priority=event.priority,
            )
            for event in sorted(declaration.events, key=lambda event: event.channel)
        ),
        segments=tuple(
            SegmentConfig(
                segment.number,
                segment.name,
                Address(segment.address, segment.extension),
                segment.size_bytes,
                tuple(
                    PageConfig(
                        page.number,
                        xcp_write_access=_write_access(page),
                        init_segment=segment.number,
                    )
                    for page in segment.pages
                ),
            )
            for segment in sorted(declaration.segments, key=lambda segment: segment.number)
        ),
    )


def _write_access(page: Page) -> int:
    return _DONT_CARE if page.writable else _NOT_ALLOWED


def describe_slave(
    config: SlaveConfig, declaration: EcuDeclaration, endpoints: tuple[Endpoint, ...]
) -> XcpDescription:
    """IF_DATA XCP of the module."""
    return XcpDescription(
        protocol_layer=_protocol_layer(config),
        daq=_daq(config, declaration) if config.events else None,
        pag=XcpPag(len(config.segments)) if config.segments else None,
        time_correlation=describe_clocks(config) if config.events else None,
        transports=tuple(_transport(endpoint, config) for endpoint in endpoints),
    )


def _transport(endpoint: Endpoint, config: SlaveConfig) -> XcpOnUdpIp | XcpOnTcpIp:
    kind = XcpOnUdpIp if endpoint.scheme == "udp" else XcpOnTcpIp
    v6 = ":" in endpoint.host
    return kind(
        version=_version(config.transport_version),
        port=endpoint.port,
        address=None if v6 else endpoint.host,
        ipv6=endpoint.host if v6 else None,
        optional_subcmds=("GET_DAQ_CLOCK_MULTICAST",) if takes_multicasts(config) else (),
    )


def _version(minor: int) -> int:
    return 0x0100 | minor


def _protocol_layer(config: SlaveConfig) -> XcpProtocolLayer:
    served = [
        info
        for info in COMMANDS
        if info.request in HANDLERS
        and not (info.mandatory and info.group == Group.STD)
        and info.name not in config.disabled
    ]
    return XcpProtocolLayer(
        version=_version(config.protocol_version),
        max_cto=config.max_cto,
        max_dto=config.max_dto,
        byte_order=config.byte_order,
        address_granularity=config.ag,
        optional_cmds=tuple(info.name for info in served if len(info.prefix) == 1),
        level1_cmds=tuple(
            info.name for info in served if len(info.prefix) > 1 and info.code == _LEVEL_1
        ),
        block_slave=config.slave_block_mode,
        block_master=config.master_block_mode,
        max_bs=config.max_bs if config.master_block_mode else 0,
        min_st=config.min_st if config.master_block_mode else 0,
    )


def _daq(config: SlaveConfig, declaration: EcuDeclaration) -> XcpDaq:
    clock = config.timestamp
    short = {event.channel: event.short_name for event in declaration.events}
    return XcpDaq(
        config_type="DYNAMIC",
        max_daq=config.max_daq_lists,
        max_event_channel=len(config.events),
        min_daq=0,
        identification_field=config.identification_field,
        granularity_daq=config.granularity_odt_entry,
        max_odt_entry_size_daq=config.max_odt_entry_size // config.ag,
        overload=config.overload,
        timestamp=XcpTimestamp(
            clock.ticks, clock.size_bytes, clock.unit, fixed=config.timestamp_fixed
        )
        if clock.size_bytes
        else None,
        prescaler_supported=config.prescaler,
        dto_ctr_field_supported=config.dto_ctr,
        events=tuple(
            XcpEvent(
                event.name,
                short[event.channel],
                event.channel,
                direction="DAQ",
                max_daq_list=event.max_daq_list,
                time_cycle=event.time_cycle,
                time_unit=event.time_unit,
                priority=event.priority,
                consistency=_CONSISTENCY[event.consistency],
            )
            for event in config.events
        ),
    )


def describe_segment(segment: Segment, config: SlaveConfig) -> XcpSegment:
    """IF_DATA XCP of a memory segment."""
    return XcpSegment(
        number=segment.number,
        number_of_pages=len(segment.pages),
        address_extension=segment.extension,
        checksum=XcpChecksum(
            int(config.checksum), max_block_size=config.max_checksum_block or None
        ),
        default_page_number=segment.init_page,
        pages=tuple(
            XcpPage(page.number, xcp_write_access=_write_access(page), init_segment=segment.number)
            for page in segment.pages
        ),
    )
