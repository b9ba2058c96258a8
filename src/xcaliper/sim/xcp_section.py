"""What an ECU's slave is: its settings out of the declaration, and the same as IF_DATA XCP."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from xcaliper.a2l.if_xcp import (
    XcpChecksum,
    XcpDaq,
    XcpDaqList,
    XcpDescription,
    XcpEvent,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpPag,
    XcpPage,
    XcpPgm,
    XcpProtocolLayer,
    XcpSector,
    XcpSegment,
    XcpStim,
    XcpTimestamp,
)
from xcaliper.a2l.xcp_extras import (
    XcpCpuLoad,
    XcpMemoryConsumption,
    XcpOdt,
    XcpOdtEntry,
    XcpPackedMode,
    XcpQueueLoad,
)
from xcaliper.core.address import Address
from xcaliper.sim.clock_section import describe_clocks, takes_multicasts
from xcaliper.xcp.codes import Group
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.slave_config import (
    EventConfig,
    MappingConfig,
    PageConfig,
    SegmentConfig,
    SlaveConfig,
)
from xcaliper.xcp.slave_daq_config import CounterConfig
from xcaliper.xcp.slave_link import EthLink
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.items import Event, Page, Segment
    from xcaliper.xcp.slave_daq_config import CpuLoad, QueueLoad

__all__ = ["Endpoint", "describe_segment", "describe_slave", "slave_config"]

_UNIT_1MS: Final = 6
_DONT_CARE: Final = 3
_NOT_ALLOWED: Final = 0
_LEVEL_1: Final = 0xC0
_MAX_CYCLE: Final = 255
_TYPES_WITH_STRICT: Final = (1, 2, 3)
_CONSISTENCY: Final = ("ODT", "DAQ", "EVENT", "NONE")
_GROUPINGS: Final = {1: "ELEMENT_GROUPED", 2: "EVENT_GROUPED"}
_STAMPS: Final = ("STS_LAST", "STS_FIRST")
_DAQ_MODES: Final = ("INSERT_COUNTER", "INSERT_STIM_COUNTER_COPY")
_STIM_MODES: Final = ("DO_NOT_CHECK_COUNTER", "CHECK_COUNTER")


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
    """Settings with the events and segments of a declaration in them.

    What the declaration does not say about an event (packed mode, counters, loads, limits) is taken
    from the event of the same number in the settings.
    """
    chosen = {event.channel: event for event in settings.events}
    return replace(
        settings,
        events=tuple(
            _event_config(event, chosen.get(event.channel))
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
                        page.ecu_access,
                        page.xcp_read_access,
                        _write_access(page),
                        init_segment=segment.number,
                    )
                    for page in segment.pages
                ),
                tuple(MappingConfig(*one) for one in _mappings(segment, settings.ag)),
            )
            for segment in sorted(declaration.segments, key=lambda segment: segment.number)
        ),
    )


def _mappings(segment: Segment, ag: int) -> tuple[tuple[int, int, int], ...]:
    """Where start-up code takes a segment from: source, destination, length in AG.

    *(XCP Base, GET_SEGMENT_INFO mode 2, 1.0)*
    """
    if segment.initial_at is None:
        return ()
    return ((segment.initial_at, segment.address, segment.size_bytes // ag),)


def _event_config(event: Event, chosen: EventConfig | None) -> EventConfig:
    cycle, unit = _cycle(event.period_ns)
    return replace(
        chosen or _own_config(event),
        name=event.name,
        time_cycle=cycle,
        time_unit=unit,
        priority=event.priority,
    )


def _own_config(event: Event) -> EventConfig:
    """An event channel as the declaration has it; with STIM its DTO counter can be chosen *(1.3)*."""
    counter = CounterConfig() if event.stim else None
    return EventConfig(event.channel, event.name, stim=event.stim, counter=counter)


def _cycle(period_ns: int) -> tuple[int, int]:
    """Period as cycle and unit code, milliseconds where they do (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""
    if not period_ns:
        return 0, _UNIT_1MS
    for unit in (_UNIT_1MS, 5, 4, 3, 2, 1, 0, 7, 8, 9):
        cycle, rest = divmod(period_ns, 10**unit)
        if not rest and cycle <= _MAX_CYCLE:
            return cycle, unit
    return 0, _UNIT_1MS


def _write_access(page: Page) -> int:
    if page.xcp_write_access is not None:
        return page.xcp_write_access
    return _DONT_CARE if page.writable else _NOT_ALLOWED


def describe_slave(
    config: SlaveConfig, declaration: EcuDeclaration, endpoints: tuple[Endpoint, ...]
) -> XcpDescription:
    """IF_DATA XCP of the module."""
    return XcpDescription(
        protocol_layer=_protocol_layer(config),
        daq=_daq(config, declaration) if config.events else None,
        pag=XcpPag(len(config.segments), config.freeze) if config.segments else None,
        pgm=_pgm(config),
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
        optional_subcmds=_subcommands(config),
    )


def _subcommands(config: SlaveConfig) -> tuple[str, ...]:
    found = ("GET_SLAVE_ID", "GET_SLAVE_ID_EXTENDED", "SET_SLAVE_IP_ADDRESS")
    searched = found if isinstance(config.link, EthLink) else ()
    return (*searched, *(("GET_DAQ_CLOCK_MULTICAST",) if takes_multicasts(config) else ()))


def _version(minor: int) -> int:
    return 0x0100 | minor


def _protocol_layer(config: SlaveConfig) -> XcpProtocolLayer:
    served = [
        info
        for info in COMMANDS
        if info.request in HANDLERS
        and not (info.mandatory and info.group == Group.STD)
        and info.name not in config.absent_commands
        and info.group not in config.absent_groups
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
        interleaved_queue=config.queue_size_commands if config.interleaved else None,
        max_dto_stim=config.max_dto_stim,
        seed_and_key=config.security.library or None,
    )


def _daq(config: SlaveConfig, declaration: EcuDeclaration) -> XcpDaq:
    clock = config.timestamp
    short = {event.channel: event.short_name for event in declaration.events}
    totals = config.totals
    lists = len(config.fixed_lists) + (config.max_daq_lists if config.dynamic else 0)
    strict = config.optimisation_strict and config.optimisation_type in _TYPES_WITH_STRICT
    return XcpDaq(
        config_type="DYNAMIC" if config.dynamic else "STATIC",
        max_daq=min(lists, 0xFFFF),
        max_event_channel=len(config.events),
        min_daq=config.min_daq,
        optimisation=config.optimisation_type,
        optimisation_strict=strict,
        address_extension=config.address_extension,
        identification_field=config.identification_field,
        granularity_daq=config.grain(),
        max_odt_entry_size_daq=min(0xFF, config.largest_entry() // config.ag),
        overload=config.overload,
        timestamp=XcpTimestamp(
            clock.ticks, clock.size_bytes, clock.unit, fixed=config.timestamp_fixed
        )
        if clock.size_bytes
        else None,
        alternating_event=config.alternating,
        prescaler_supported=config.prescaler,
        resume_supported=config.store.resume,
        store_daq_supported=config.store.daq,
        pid_off_supported=config.pid_off,
        dto_ctr_field_supported=config.dto_ctr,
        max_daq_total=totals.daq,
        max_odt_total=totals.odt,
        max_odt_daq_total=totals.odt_daq,
        max_odt_stim_total=totals.odt_stim,
        max_odt_entries_total=config.max_odt_entries_total if config.dynamic else None,
        max_odt_entries_daq_total=totals.odt_entries_daq,
        max_odt_entries_stim_total=totals.odt_entries_stim,
        cpu_load_max_total=config.cpu_load_max_total,
        core_load_max_total=config.core_load_max_total,
        core_load_max=config.core_load_max,
        memory_consumption=_memory_consumption(config),
        stim=XcpStim(
            config.grain(stim=True),
            min(0xFF, config.largest_entry(stim=True) // config.ag),
            config.bit_stim,
        )
        if config.takes_stim
        else None,
        daq_lists=_daq_lists(config),
        events=tuple(_event(event, short[event.channel], config) for event in config.events),
    )


def _pgm(config: SlaveConfig) -> XcpPgm | None:
    program = config.program
    if program is None:
        return None
    block = program.master_block_mode
    return XcpPgm(
        mode=int(program.absolute) | 2 * int(program.functional),
        max_sectors=len(program.sectors),
        max_cto_pgm=config.max_cto if program.max_cto is None else program.max_cto,
        sectors=tuple(
            XcpSector(
                sector.name,
                sector.number,
                sector.address.value,
                sector.size_bytes // config.ag,
                sector.clear_sequence_number,
                sector.program_sequence_number,
                sector.programming_method,
            )
            for sector in program.sectors
        ),
        block_slave=program.slave_block_mode,
        block_master=block,
        max_bs=program.max_bs if block else 0,
        min_st=program.min_st if block else 0,
    )


def _memory_consumption(config: SlaveConfig) -> XcpMemoryConsumption | None:
    memory = config.daq_memory
    if memory is None:
        return None
    return XcpMemoryConsumption(
        memory.limit,
        memory.per_list,
        memory.per_odt,
        memory.per_entry,
        memory.daq_buffer,
        memory.stim_buffer,
        memory.reserve,
    )


def _direction(*, daq: bool, stim: bool) -> str:
    return "DAQ_STIM" if daq and stim else "STIM" if stim else "DAQ"


def _daq_lists(config: SlaveConfig) -> tuple[XcpDaqList, ...]:
    """DAQ_LIST of every list that is there from the start."""
    made: list[XcpDaqList] = []
    first_pid = 0
    for number, one in enumerate(config.fixed_lists):
        made.append(
            XcpDaqList(
                number,
                _direction(daq=one.daq, stim=one.stim),
                one.odts,
                one.entries_per_odt,
                first_pid if config.identification_field == 0 else None,
                one.event_fixed,
                one.packed,
                tuple(
                    XcpOdt(
                        odt,
                        tuple(
                            XcpOdtEntry(
                                at,
                                entry.address.value,
                                entry.address.extension,
                                entry.size,
                                entry.bit_offset,
                            )
                            for at, entry in enumerate(entries)
                        ),
                    )
                    for odt, entries in enumerate(one.entries)
                ),
            )
        )
        first_pid += one.odts
    return tuple(made)


def _event(event: EventConfig, short_name: str, config: SlaveConfig) -> XcpEvent:
    made = XcpEvent(
        event.name,
        short_name,
        event.channel,
        direction=_direction(daq=event.daq, stim=event.stim),
        max_daq_list=event.max_daq_list,
        time_cycle=event.time_cycle,
        time_unit=event.time_unit,
        priority=event.priority,
        consistency=_CONSISTENCY[event.consistency],
        cpu_load_max=event.cpu_load_max,
        buffer_reserve=event.buffer_reserve,
    )
    packed, counter = event.packed, event.counter
    if packed is not None:
        packed_mode = XcpPackedMode(
            _GROUPINGS[packed.mode],
            _STAMPS[packed.timestamp_mode],
            "MANDATORY" if packed.mandatory else "OPTIONAL",
            packed.sample_count,
            packed.alternatives,
        )
        made = replace(made, packed_mode=packed_mode)
    if counter is not None and config.dto_ctr:
        related = event.channel if counter.related_event is None else counter.related_event
        made = replace(
            made,
            related_event=related,
            related_event_fixed=counter.related_event_fixed,
            event_counter_present=True,
            dto_ctr_daq_mode=_DAQ_MODES[counter.daq_mode],
            dto_ctr_daq_mode_fixed=counter.daq_mode_fixed or not config.takes_stim,
            stim_dto_ctr_copy_present=config.takes_stim,
        )
        if event.stim:
            made = replace(
                made,
                dto_ctr_stim_mode=_STIM_MODES[counter.stim_mode],
                dto_ctr_stim_mode_fixed=counter.stim_mode_fixed,
            )
    return replace(
        made,
        cpu_load_daq=_cpu_load(event.cpu_load),
        cpu_load_stim=_cpu_load(event.cpu_load_stim),
        cpu_load_queue=_queue_load(event.queue_load),
        cpu_load_queue_stim=_queue_load(event.queue_load_stim),
    )


def _cpu_load(load: CpuLoad | None) -> XcpCpuLoad | None:
    if load is None:
        return None
    return XcpCpuLoad(load.per_list, load.per_odt, load.per_entry, load.sizes, load.cores)


def _queue_load(load: QueueLoad | None) -> XcpQueueLoad | None:
    return None if load is None else XcpQueueLoad(load.per_odt, load.per_element, load.cores)


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
            XcpPage(
                page.number,
                page.ecu_access,
                page.xcp_read_access,
                _write_access(page),
                init_segment=segment.number,
            )
            for page in segment.pages
        ),
        address_mappings=_mappings(segment, config.ag),
    )
