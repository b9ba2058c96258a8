"""Values to IF_DATA XCP trees."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

from xcaliper.a2l import xcp_extras as extras
from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted
from xcaliper.a2l.xcp_model import (
    ALIGNMENTS,
    CAN_FD_NUMBERS,
    CAN_FD_WORDS,
    CAN_FLAGS,
    CAN_NUMBERS,
    CAN_WORDS,
    CHECKSUMS,
    DAQ_FLAGS,
    DAQ_GRANULARITIES,
    DAQ_LIST_FIELDS,
    DAQ_LOADS,
    DAQ_TOTALS,
    ECU_ACCESS,
    EVENT_CPU_LOADS,
    EVENT_FLAGS,
    EVENT_NUMBERS,
    EVENT_PAIRS,
    EVENT_QUEUE_LOADS,
    EVENT_WORDS,
    EXTENSIONS,
    GRANULARITIES,
    IDENTIFICATIONS,
    IP_TEXTS,
    OPTIMISATIONS,
    ORDERS,
    OVERLOADS,
    PGM_MODES,
    READ_ACCESS,
    STIM_GRANULARITIES,
    TIMESTAMP_SIZES,
    UNITS,
    WRITE_ACCESS,
    XcpDaq,
    XcpDaqEvent,
    XcpDaqList,
    XcpDescription,
    XcpEvent,
    XcpOnCan,
    XcpOnIp,
    XcpOnOther,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpPag,
    XcpPgm,
    XcpProtocolLayer,
    XcpSegment,
    XcpTransport,
)
from xcaliper.a2l.xcp_transports import (
    XcpOnFlx,
    XcpOnSxI,
    XcpOnUsb,
    write_on_flx,
    write_on_sxi,
    write_on_usb,
)

__all__ = ["write_daq_event", "write_segment", "write_xcp"]

T = TypeVar("T")


def _key(words: Mapping[str, T], value: T) -> str:
    return next(word for word, meaning in words.items() if meaning == value)


def _option(items: list[IfItem], tag: str, value: float | str | None) -> None:
    """Append a tag and its value, unless the value is None."""
    if value is not None:
        items.extend((tag, Quoted(value) if isinstance(value, str) else str(value)))


def _words(items: list[IfItem], table: Mapping[str, str], made: object) -> None:
    """Append the tags of a table whose attribute is set, with its word."""
    for tag, attr in table.items():
        word = getattr(made, attr)
        if word is not None:
            items += [tag, word]


def _write_protocol_layer(made: XcpProtocolLayer) -> IfBlock:
    items: list[IfItem] = [f"0x{made.version:04X}"]
    items += [str(getattr(made, f"t{n}")) for n in range(1, 8)]
    items += [str(made.max_cto), str(made.max_dto)]
    items += [_key(ORDERS, made.byte_order), _key(GRANULARITIES, made.address_granularity)]
    for command in made.optional_cmds:
        items += ["OPTIONAL_CMD", command]
    for command in made.level1_cmds:
        items += ["OPTIONAL_LEVEL1_CMD", command]
    items += _write_comm_mode(made)
    _option(items, "SEED_AND_KEY_EXTERNAL_FUNCTION", made.seed_and_key)
    _option(items, "MAX_DTO_STIM", made.max_dto_stim)
    if made.ecu_states:
        items.append(extras.write_ecu_states(made.ecu_states))
    return IfBlock("PROTOCOL_LAYER", items)


def _write_comm_mode(made: XcpProtocolLayer | XcpPgm) -> list[IfItem]:
    items: list[IfItem] = []
    if made.block_slave or made.block_master:
        items += ["COMMUNICATION_MODE_SUPPORTED", "BLOCK"]
        if made.block_slave:
            items.append("SLAVE")
        if made.block_master:
            items += ["MASTER", str(made.max_bs), str(made.min_st)]
    if made.interleaved_queue is not None:
        items += ["COMMUNICATION_MODE_SUPPORTED", "INTERLEAVED", str(made.interleaved_queue)]
    return items


def _write_event(event: XcpEvent) -> IfBlock:
    items: list[IfItem] = [
        Quoted(event.name),
        Quoted(event.short_name),
        str(event.channel),
        event.direction,
        str(event.max_daq_list),
        str(event.time_cycle),
        str(event.time_unit),
        str(event.priority),
    ]
    _words(items, EVENT_WORDS, event)
    for tag, attr in EVENT_NUMBERS.items():
        _option(items, tag, getattr(event, attr))
    items += [tag for tag, attr in EVENT_FLAGS.items() if getattr(event, attr)]
    if event.packed_mode:
        items.append(extras.write_packed_mode(event.packed_mode))
    _option(items, "CPU_LOAD_MAX", event.cpu_load_max)
    for table, write in _EVENT_BLOCKS:
        for tag, attr in table.items():
            value = getattr(event, attr)
            if value is not None:
                items.append(write(tag, value))
    return IfBlock("EVENT", items)


_EVENT_BLOCKS: Final[tuple[tuple[dict[str, str], Callable[[str, Any], IfBlock]], ...]] = (
    (EVENT_PAIRS, extras.write_pair),
    (EVENT_CPU_LOADS, extras.write_cpu_load),
    (EVENT_QUEUE_LOADS, extras.write_queue_load),
)


def _write_daq_list(made: XcpDaqList) -> IfBlock:
    items: list[IfItem] = [str(made.number), "DAQ_LIST_TYPE", made.direction]
    for tag, attr in DAQ_LIST_FIELDS.items():
        _option(items, tag, getattr(made, attr))
    if made.packed_mode_supported:
        items.append("DAQ_PACKED_MODE_SUPPORTED")
    if made.predefined:
        items.append(extras.write_predefined(made.predefined))
    return IfBlock("DAQ_LIST", items)


def _write_daq(made: XcpDaq) -> IfBlock:
    items: list[IfItem] = [
        made.config_type,
        str(made.max_daq),
        str(made.max_event_channel),
        str(made.min_daq),
        _key(OPTIMISATIONS, made.optimisation),
        _key(EXTENSIONS, made.address_extension),
        _key(IDENTIFICATIONS, made.identification_field),
        _key(DAQ_GRANULARITIES, made.granularity_daq),
        str(made.max_odt_entry_size_daq),
        _key(OVERLOADS, made.overload),
    ]
    _option(items, "DAQ_ALTERNATING_SUPPORTED", made.alternating_event)
    items += [tag for tag, attr in DAQ_FLAGS.items() if getattr(made, attr)]
    for tag, attr in (*DAQ_TOTALS.items(), *DAQ_LOADS.items()):
        _option(items, tag, getattr(made, attr))
    for core, load in made.core_load_max:
        items.append(IfBlock("CORE_LOAD_MAX", [str(core), repr(load)]))
    if made.memory_consumption:
        items.append(extras.write_memory_consumption(made.memory_consumption))
    if made.stim:
        stim: list[IfItem] = [
            _key(STIM_GRANULARITIES, made.stim.granularity),
            str(made.stim.max_odt_entry_size),
        ]
        if made.stim.bit_stim:
            stim.append("BIT_STIM_SUPPORTED")
        _option(stim, "MIN_ST_STIM", made.stim.min_st_stim)
        items.append(IfBlock("STIM", stim))
    if made.timestamp:
        stamp: list[IfItem] = [
            str(made.timestamp.ticks),
            _key(TIMESTAMP_SIZES, made.timestamp.size),
            _key(UNITS, made.timestamp.unit),
        ]
        if made.timestamp.fixed:
            stamp.append("TIMESTAMP_FIXED")
        items.append(IfBlock("TIMESTAMP_SUPPORTED", stamp))
    items += map(_write_daq_list, made.daq_lists)
    items += map(_write_event, made.events)
    return IfBlock("DAQ", items)


def _write_pag(made: XcpPag) -> IfBlock:
    items: list[IfItem] = [str(made.max_segments)]
    return IfBlock("PAG", [*items, "FREEZE_SUPPORTED"] if made.freeze_supported else items)


def _write_pgm(made: XcpPgm) -> IfBlock:
    items: list[IfItem] = [_key(PGM_MODES, made.mode), str(made.max_sectors), str(made.max_cto_pgm)]
    items += _write_comm_mode(made)
    for sector in made.sectors:
        numbers = [str(getattr(sector, f.name)) for f in fields(sector)[1:]]
        items.append(IfBlock("SECTOR", [Quoted(sector.name), *numbers]))
    return IfBlock("PGM", items)


def _write_common(made: XcpTransport | XcpDescription) -> list[IfItem]:
    items: list[IfItem] = []
    if made.protocol_layer:
        items.append(_write_protocol_layer(made.protocol_layer))
    if made.daq:
        items.append(_write_daq(made.daq))
    if made.pag:
        items.append(_write_pag(made.pag))
    if made.pgm:
        items.append(_write_pgm(made.pgm))
    if made.time_correlation:
        items.append(extras.write_time_correlation(made.time_correlation, UNITS))
    return items


def _write_on_ip(tag: str, made: XcpOnIp) -> IfBlock:
    items: list[IfItem] = [f"0x{made.version:04X}", str(made.port)]
    for name, attr in IP_TEXTS.items():
        _option(items, name, getattr(made, attr))
    _option(items, "MAX_BUS_LOAD", made.max_bus_load)
    _option(items, "MAX_BIT_RATE", made.max_bit_rate)
    if made.packet_alignment is not None:
        items.append(_key(ALIGNMENTS, made.packet_alignment))
    for command in made.optional_subcmds:
        items += ["OPTIONAL_TL_SUBCMD", command]
    return IfBlock(tag, items + _write_common(made))


def _write_on_can(made: XcpOnCan) -> IfBlock:
    items: list[IfItem] = [f"0x{made.version:04X}"]
    for tag, attr in CAN_NUMBERS.items():
        value = getattr(made, attr)
        if value is not None:
            items += [tag, f"0x{value:X}" if tag.startswith("CAN_ID") else str(value)]
    items += [tag for tag, attr in CAN_FLAGS.items() if getattr(made, attr)]
    _words(items, CAN_WORDS, made)
    _option(items, "TRANSPORT_LAYER_INSTANCE", made.instance)
    for command in made.optional_subcmds:
        items += ["OPTIONAL_TL_SUBCMD", command]
    for number, fixed in made.daq_list_can_ids:
        choice = ["VARIABLE"] if fixed is None else ["FIXED", f"0x{fixed:X}"]
        items.append(IfBlock("DAQ_LIST_CAN_ID", [str(number), *choice]))
    for number, allowed in made.event_can_ids:
        words = [word for n in allowed for word in ("FIXED", f"0x{n:X}")]
        items.append(IfBlock("EVENT_CAN_ID_LIST", [str(number), *words]))
    if made.can_fd:
        inner: list[IfItem] = []
        for tag, attr in CAN_FD_NUMBERS.items():
            _option(inner, tag, getattr(made, attr))
        if made.can_fd_max_dlc_required:
            inner.append("MAX_DLC_REQUIRED")
        _words(inner, CAN_FD_WORDS, made)
        items.append(IfBlock("CAN_FD", inner))
    return IfBlock("XCP_ON_CAN", items + _write_common(made))


def _write_transport(made: XcpTransport) -> IfBlock:
    if isinstance(made, XcpOnUdpIp):
        return _write_on_ip("XCP_ON_UDP_IP", made)
    if isinstance(made, XcpOnTcpIp):
        return _write_on_ip("XCP_ON_TCP_IP", made)
    if isinstance(made, XcpOnCan):
        return _write_on_can(made)
    if isinstance(made, XcpOnSxI):
        return write_on_sxi(made, _write_common(made))
    if isinstance(made, XcpOnUsb):
        return write_on_usb(made, _write_common(made))
    if isinstance(made, XcpOnFlx):
        return write_on_flx(made, _write_common(made))
    assert isinstance(made, XcpOnOther), "every transport has a writer"
    return IfBlock(made.tag, list(made.items))


def write_xcp(made: XcpDescription) -> IfData:
    """IF_DATA of a module: XCPplus when ``plus_version`` is set, else XCP."""
    items: list[IfItem] = []
    if made.plus_version is not None:
        items.append(f"0x{made.plus_version:04X}")
    items += _write_common(made)
    items += map(_write_transport, made.transports)
    return IfData("XCP" if made.plus_version is None else "XCPplus", items)


def write_daq_event(made: XcpDaqEvent, *, name: str = "XCP") -> IfData:
    """IF_DATA of an object: the events it may be measured with."""
    if not made.variable:
        items: list[IfItem] = ["FIXED_EVENT_LIST"]
        items += [word for n in made.fixed for word in ("EVENT", str(n))]
    else:
        items = ["VARIABLE"]
        for tag, events in (
            ("AVAILABLE_EVENT_LIST", made.available),
            ("DEFAULT_EVENT_LIST", made.default),
            ("CONSISTENCY_EVENT_LIST", made.consistency),
        ):
            if events:
                items.append(IfBlock(tag, [w for n in events for w in ("EVENT", str(n))]))
    return IfData(name, [IfBlock("DAQ_EVENT", items)])


def write_segment(made: XcpSegment, *, name: str = "XCP") -> IfData:
    """IF_DATA of a memory segment: its number, pages and checksum."""
    items: list[IfItem] = [
        str(made.number),
        str(made.number_of_pages),
        str(made.address_extension),
        str(made.compression_method),
        str(made.encryption_method),
    ]
    if made.checksum:
        inner: list[IfItem] = [_key(CHECKSUMS, made.checksum.type)]
        _option(inner, "MAX_BLOCK_SIZE", made.checksum.max_block_size)
        _option(inner, "EXTERNAL_FUNCTION", made.checksum.external_function)
        _option(inner, "MTA_BLOCK_SIZE_ALIGN", made.checksum.mta_block_size_align)
        items.append(IfBlock("CHECKSUM", inner))
    _option(items, "DEFAULT_PAGE_NUMBER", made.default_page_number)
    for page in made.pages:
        inner = [
            str(page.number),
            _key(ECU_ACCESS, page.ecu_access),
            _key(READ_ACCESS, page.xcp_read_access),
            _key(WRITE_ACCESS, page.xcp_write_access),
        ]
        _option(inner, "INIT_SEGMENT", page.init_segment)
        items.append(IfBlock("PAGE", inner))
    items += [
        IfBlock("ADDRESS_MAPPING", [f"0x{n:X}" for n in mapping])
        for mapping in made.address_mappings
    ]
    _option(items, "PGM_VERIFY", made.pgm_verify)
    return IfData(name, [IfBlock("SEGMENT", items)])
