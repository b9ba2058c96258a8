"""IF_DATA XCP trees to values; what is missing or unknown becomes a finding."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from xcaliper.a2l import xcp_extras as extras
from xcaliper.a2l.ifdata import IfBlock, IfData, as_block
from xcaliper.a2l.xcp_block import Block, float_of, integer_of
from xcaliper.a2l.xcp_extras import XcpTimeCorrelation
from xcaliper.a2l.xcp_model import (
    ALIGNMENTS,
    CAN_FD_NUMBERS,
    CAN_FD_WORDS,
    CAN_FLAGS,
    CAN_NUMBERS,
    CAN_WORDS,
    CHECKSUMS,
    CONFIG_TYPES,
    DAQ_FLAGS,
    DAQ_GRANULARITIES,
    DAQ_LIST_FIELDS,
    DAQ_LOADS,
    DAQ_TOTALS,
    DIRECTIONS,
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
    XcpChecksum,
    XcpDaq,
    XcpDaqEvent,
    XcpDaqList,
    XcpDescription,
    XcpEvent,
    XcpOnCan,
    XcpOnOther,
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
    XcpTransport,
)
from xcaliper.a2l.xcp_transports import Common, read_on_flx, read_on_sxi, read_on_usb
from xcaliper.core.diagnostics import Diagnostic

__all__ = ["read_daq_event", "read_segment", "read_xcp"]

_COMM_MODE_TAGS: Final = {
    "COMMUNICATION_MODE_SUPPORTED": 0,
    "BLOCK": 0,
    "SLAVE": 0,
    "MASTER": 2,
    "INTERLEAVED": 1,
}


def _comm_mode(tag: str, values: list[str], fields_: dict[str, Any]) -> bool:
    """Take the words of COMMUNICATION_MODE_SUPPORTED, written as words or as blocks."""
    if tag == "SLAVE":
        fields_["block_slave"] = True
    elif tag == "MASTER":
        fields_.update(
            block_master=True, max_bs=integer_of(values[0]), min_st=integer_of(values[1])
        )
    elif tag == "INTERLEAVED":
        fields_["interleaved_queue"] = integer_of(values[0])
    return tag in _COMM_MODE_TAGS


def _comm_mode_block(block: Block, made: dict[str, Any]) -> None:
    for sub, given, deeper in block.tags(_COMM_MODE_TAGS):
        if deeper is None:
            _comm_mode(sub, given, made)


_PROTOCOL_TAGS: Final = {
    **_COMM_MODE_TAGS,
    "OPTIONAL_CMD": 1,
    "OPTIONAL_LEVEL1_CMD": 1,
    "SEED_AND_KEY_EXTERNAL_FUNCTION": 1,
    "MAX_DTO_STIM": 1,
}


def _protocol_layer(block: Block) -> XcpProtocolLayer:
    made: dict[str, Any] = {"version": block.integer("version", 0x0100)}
    for n in range(1, 8):
        made[f"t{n}"] = block.integer(f"T{n}")
    made["max_cto"] = block.integer("MAX_CTO", 8)
    made["max_dto"] = block.integer("MAX_DTO", 8)
    made["byte_order"] = block.word("byte order", ORDERS)
    made["address_granularity"] = block.word("address granularity", GRANULARITIES)
    lists: dict[str, list[str]] = {"OPTIONAL_CMD": [], "OPTIONAL_LEVEL1_CMD": []}
    for tag, values, inner in block.tags(_PROTOCOL_TAGS):
        if inner is None:
            if tag in lists:
                lists[tag].append(values[0])
            elif tag == "SEED_AND_KEY_EXTERNAL_FUNCTION":
                made["seed_and_key"] = values[0]
            elif tag == "MAX_DTO_STIM":
                made["max_dto_stim"] = integer_of(values[0])
            else:
                _comm_mode(tag, values, made)
        elif tag in ("COMMUNICATION_MODE_SUPPORTED", "BLOCK"):
            _comm_mode_block(inner, made)
        elif tag == "ECU_STATES":
            made["ecu_states"] = extras.read_ecu_states(inner)
        else:
            block.unknown(tag)
    return XcpProtocolLayer(
        **made,
        optional_cmds=tuple(lists["OPTIONAL_CMD"]),
        level1_cmds=tuple(lists["OPTIONAL_LEVEL1_CMD"]),
    )


def _timestamp(block: Block) -> XcpTimestamp | None:
    ticks = block.integer("ticks", 1)
    size = block.word("size", TIMESTAMP_SIZES)
    unit = block.word("unit", UNITS)
    fixed = any(tag == "TIMESTAMP_FIXED" for tag, _, _ in block.tags({"TIMESTAMP_FIXED": 0}))
    return XcpTimestamp(ticks, size, unit, fixed) if size else None


_EVENT_TAGS: Final = {
    **dict.fromkeys(EVENT_FLAGS, 0),
    **dict.fromkeys(EVENT_NUMBERS, 1),
    **dict.fromkeys(EVENT_WORDS, 1),
    "CPU_LOAD_MAX": 1,
}
_EVENT_BLOCKS: Final[dict[str, tuple[str, Callable[[Block], Any]]]] = {
    "DAQ_PACKED_MODE": ("packed_mode", extras.read_packed_mode),
    **{tag: (attr, extras.read_pair) for tag, attr in EVENT_PAIRS.items()},
    **{tag: (attr, extras.read_cpu_load) for tag, attr in EVENT_CPU_LOADS.items()},
    **{tag: (attr, extras.read_queue_load) for tag, attr in EVENT_QUEUE_LOADS.items()},
}


def _event(block: Block) -> XcpEvent:
    name = block.text("name")
    short = block.text("short name")
    channel = block.integer("channel")
    direction = block.word("direction", DIRECTIONS)
    event = XcpEvent(
        name,
        short,
        channel,
        direction,
        block.integer("MAX_DAQ_LIST", 255),
        block.integer("TIME_CYCLE"),
        block.integer("TIME_UNIT", 6),
        block.integer("PRIORITY"),
    )
    made: dict[str, Any] = {}
    for tag, values, inner in block.tags(_EVENT_TAGS):
        if inner is not None:
            if tag in _EVENT_BLOCKS:
                attr, read = _EVENT_BLOCKS[tag]
                made[attr] = read(inner)
            else:
                block.unknown(tag)
        elif tag in EVENT_FLAGS:
            made[EVENT_FLAGS[tag]] = True
        elif tag in EVENT_NUMBERS:
            made[EVENT_NUMBERS[tag]] = integer_of(values[0])
        elif tag in EVENT_WORDS:
            made[EVENT_WORDS[tag]] = values[0]
        else:
            made["cpu_load_max"] = float_of(values[0])
    return replace(event, **made)


_DAQ_LIST_TAGS: Final = {
    "DAQ_LIST_TYPE": 1,
    "MAX_ODT": 1,
    "MAX_ODT_ENTRIES": 1,
    "FIRST_PID": 1,
    "EVENT_FIXED": 1,
    "DAQ_PACKED_MODE_SUPPORTED": 0,
}


def _daq_list(block: Block) -> XcpDaqList:
    made: dict[str, Any] = {"number": block.integer("number")}
    for tag, values, inner in block.tags(_DAQ_LIST_TAGS):
        if tag == "DAQ_LIST_TYPE":
            made["direction"] = DIRECTIONS.get(values[0], "DAQ")
        elif tag in DAQ_LIST_FIELDS:
            made[DAQ_LIST_FIELDS[tag]] = integer_of(values[0])
        elif tag == "DAQ_PACKED_MODE_SUPPORTED":
            made["packed_mode_supported"] = True
        elif tag == "PREDEFINED" and inner is not None:
            made["predefined"] = extras.read_predefined(inner)
        else:
            block.unknown(tag)
    return XcpDaqList(**made)


def _stim(block: Block) -> XcpStim:
    made: dict[str, Any] = {
        "granularity": block.word("granularity", STIM_GRANULARITIES),
        "max_odt_entry_size": block.integer("MAX_ODT_ENTRY_SIZE_STIM"),
    }
    for tag, values, _ in block.tags({"BIT_STIM_SUPPORTED": 0, "MIN_ST_STIM": 1}):
        if tag == "BIT_STIM_SUPPORTED":
            made["bit_stim"] = True
        elif tag == "MIN_ST_STIM" and values:
            made["min_st_stim"] = integer_of(values[0])
    return XcpStim(**made)


_DAQ_TAGS: Final = {
    **dict.fromkeys(DAQ_FLAGS, 0),
    "DAQ_ALTERNATING_SUPPORTED": 1,
    **dict.fromkeys(DAQ_TOTALS, 1),
    **dict.fromkeys(DAQ_LOADS, 1),
}
_DAQ_BLOCKS: Final[dict[str, tuple[str, Callable[[Block], Any]]]] = {
    "STIM": ("stim", _stim),
    "TIMESTAMP_SUPPORTED": ("timestamp", _timestamp),
    "DAQ_MEMORY_CONSUMPTION": ("memory_consumption", extras.read_memory_consumption),
}
_DAQ_MANY: Final[dict[str, tuple[str, Callable[[Block], Any]]]] = {
    "EVENT": ("events", _event),
    "DAQ_LIST": ("daq_lists", _daq_list),
    "CORE_LOAD_MAX": ("core_load_max", extras.read_core_load),
}


def _daq(block: Block) -> XcpDaq:
    made: dict[str, Any] = {
        "config_type": block.word("configuration type", CONFIG_TYPES),
        "max_daq": block.integer("MAX_DAQ"),
        "max_event_channel": block.integer("MAX_EVENT_CHANNEL"),
        "min_daq": block.integer("MIN_DAQ"),
        "optimisation": block.word("optimisation type", OPTIMISATIONS),
        "address_extension": block.word("address extension", EXTENSIONS),
        "identification_field": block.word("identification field", IDENTIFICATIONS),
        "granularity_daq": block.word("granularity", DAQ_GRANULARITIES),
        "max_odt_entry_size_daq": block.integer("MAX_ODT_ENTRY_SIZE_DAQ"),
        "overload": block.word("overload indication", OVERLOADS),
    }
    many: dict[str, list[Any]] = {attr: [] for attr, _ in _DAQ_MANY.values()}
    for tag, values, inner in block.tags(_DAQ_TAGS):
        if inner is None:
            _daq_word(tag, values, made)
        elif tag in _DAQ_BLOCKS:
            attr, read = _DAQ_BLOCKS[tag]
            made[attr] = read(inner)
        elif tag in _DAQ_MANY:
            attr, read = _DAQ_MANY[tag]
            many[attr].append(read(inner))
        else:
            block.unknown(tag)
    made |= {attr: tuple(values) for attr, values in many.items()}
    return XcpDaq(**made)


def _daq_word(tag: str, values: list[str], made: dict[str, Any]) -> None:
    if tag in DAQ_FLAGS:
        made[DAQ_FLAGS[tag]] = True
    elif tag in DAQ_TOTALS:
        made[DAQ_TOTALS[tag]] = integer_of(values[0])
    elif tag in DAQ_LOADS:
        made[DAQ_LOADS[tag]] = float_of(values[0])
    else:
        made["alternating_event"] = integer_of(values[0])


def _pag(block: Block) -> XcpPag:
    count = block.integer("MAX_SEGMENTS")
    freeze = any(tag == "FREEZE_SUPPORTED" for tag, _, _ in block.tags({"FREEZE_SUPPORTED": 0}))
    return XcpPag(count, freeze)


def _pgm(block: Block) -> XcpPgm:
    mode = block.word("mode", PGM_MODES)
    sectors_max = block.integer("MAX_SECTORS")
    max_cto = block.integer("MAX_CTO_PGM")
    made: dict[str, Any] = {}
    sectors: list[XcpSector] = []
    for tag, values, inner in block.tags(_COMM_MODE_TAGS):
        if inner is None:
            _comm_mode(tag, values, made)
        elif tag == "SECTOR":
            sectors.append(_sector(inner))
        elif tag in ("COMMUNICATION_MODE_SUPPORTED", "BLOCK"):
            _comm_mode_block(inner, made)
        else:
            block.unknown(tag)
    return XcpPgm(mode, sectors_max, max_cto, tuple(sectors), **made)


def _sector(block: Block) -> XcpSector:
    return XcpSector(
        block.text("name"),
        block.integer("number"),
        block.integer("address"),
        block.integer("length"),
        block.integer("clear sequence number"),
        block.integer("program sequence number"),
        block.integer("program method"),
    )


_IP_TAGS: Final = {
    "HOST_NAME": 1,
    "ADDRESS": 1,
    "IPV6": 1,
    "MAX_BUS_LOAD": 1,
    "MAX_BIT_RATE": 1,
    "PACKET_ALIGNMENT_8": 0,
    "PACKET_ALIGNMENT_16": 0,
    "PACKET_ALIGNMENT_32": 0,
    "OPTIONAL_TL_SUBCMD": 1,
    "TRANSPORT_LAYER_INSTANCE": 1,
}


def _on_ip(block: Block, cls: Callable[..., XcpTransport]) -> XcpTransport:
    made: dict[str, Any] = {
        "version": block.integer("version", 0x0100),
        "port": block.integer("port", 5555),
    }
    commands: list[str] = []
    for tag, values, inner in block.tags(_IP_TAGS):
        if inner is not None:
            if not _common(tag, inner, made):
                block.unknown(tag)
        elif tag in IP_TEXTS:
            made[IP_TEXTS[tag]] = values[0]
        elif tag in ALIGNMENTS:
            made["packet_alignment"] = ALIGNMENTS[tag]
        elif tag == "OPTIONAL_TL_SUBCMD":
            commands.append(values[0])
        else:
            made[tag.lower()] = integer_of(values[0])
    return cls(**made, optional_subcmds=tuple(commands))


_CAN_TAGS: Final = {
    **dict.fromkeys(CAN_NUMBERS, 1),
    **dict.fromkeys(CAN_FLAGS, 0),
    **dict.fromkeys(CAN_WORDS, 1),
    "OPTIONAL_TL_SUBCMD": 1,
    "TRANSPORT_LAYER_INSTANCE": 1,
}
_CAN_FD_TAGS: Final = {
    **dict.fromkeys(CAN_FD_NUMBERS, 1),
    **dict.fromkeys(CAN_FD_WORDS, 1),
    "MAX_DLC_REQUIRED": 0,
}


def _can_fd(block: Block, made: dict[str, Any]) -> None:
    made["can_fd"] = True
    for tag, values, inner in block.tags(_CAN_FD_TAGS):
        if inner is not None:
            block.unknown(tag)
        elif tag in CAN_FD_NUMBERS:
            made[CAN_FD_NUMBERS[tag]] = integer_of(values[0])
        elif tag in CAN_FD_WORDS:
            made[CAN_FD_WORDS[tag]] = values[0]
        else:
            made["can_fd_max_dlc_required"] = True


def _can_event(block: Block) -> tuple[int, tuple[int, ...]]:
    """Event channel number and the identifiers it may use; none means any."""
    number = block.integer("event channel")
    return number, tuple(integer_of(v[0]) for _, v, _ in block.tags({"FIXED": 1}) if v)


def _can_daq_list(block: Block) -> tuple[int, int | None]:
    """DAQ list number and its fixed identifier; None when it may be chosen."""
    number = block.integer("DAQ list number")
    fixed: int | None = None
    for tag, values, _ in block.tags({"VARIABLE": 0, "FIXED": 1}):
        if tag == "FIXED" and values:
            fixed = integer_of(values[0])
    return number, fixed


def _on_can(block: Block) -> XcpOnCan:
    made: dict[str, Any] = {"version": block.integer("version", 0x0100)}
    commands: list[str] = []
    identifiers: list[tuple[int, int | None]] = []
    events: list[tuple[int, tuple[int, ...]]] = []
    for tag, values, inner in block.tags(_CAN_TAGS):
        if inner is None:
            if tag == "OPTIONAL_TL_SUBCMD":
                commands.append(values[0])
            else:
                _can_word(tag, values, made)
        elif tag == "CAN_FD":
            _can_fd(inner, made)
        elif tag == "DAQ_LIST_CAN_ID":
            identifiers.append(_can_daq_list(inner))
        elif tag == "EVENT_CAN_ID_LIST":
            events.append(_can_event(inner))
        elif not _common(tag, inner, made):
            block.unknown(tag)
    return XcpOnCan(
        **made,
        optional_subcmds=tuple(commands),
        daq_list_can_ids=tuple(identifiers),
        event_can_ids=tuple(events),
    )


def _can_word(tag: str, values: list[str], made: dict[str, Any]) -> None:
    if tag in CAN_NUMBERS:
        made[CAN_NUMBERS[tag]] = integer_of(values[0])
    elif tag in CAN_FLAGS:
        made[CAN_FLAGS[tag]] = True
    elif tag in CAN_WORDS:
        made[CAN_WORDS[tag]] = values[0]
    else:
        made["instance"] = values[0]


def _on_other(block: Block) -> XcpOnOther:
    made: dict[str, Any] = {}
    for item in block.block.items:
        if isinstance(item, IfBlock):
            _common(item.tag, Block(item, block.found, block.source), made)
    return XcpOnOther(tag=block.block.tag, items=tuple(block.block.items), **made)


def _time_correlation(block: Block) -> XcpTimeCorrelation:
    return extras.read_time_correlation(block, UNITS)


_COMMON: Final[dict[str, tuple[str, Callable[[Block], Any]]]] = {
    "PROTOCOL_LAYER": ("protocol_layer", _protocol_layer),
    "DAQ": ("daq", _daq),
    "PAG": ("pag", _pag),
    "PGM": ("pgm", _pgm),
    "TIME_CORRELATION": ("time_correlation", _time_correlation),
}


def _common(tag: str, inner: Block, made: dict[str, Any]) -> bool:
    """Read a block that may stand at the module and at a transport; False for others."""
    if tag in _COMMON:
        name, read = _COMMON[tag]
        made[name] = read(inner)
        return True
    return False


_WITH_COMMON: Final[dict[str, Callable[[Block, Common], XcpTransport]]] = {
    "XCP_ON_SxI": read_on_sxi,
    "XCP_ON_USB": read_on_usb,
    "XCP_ON_FLX": read_on_flx,
}


def _xcp_blocks(
    if_data: Iterable[IfData], found: list[Diagnostic]
) -> Iterator[tuple[IfData, Block]]:
    for data in if_data:
        if data.name in ("XCP", "XCPplus"):
            yield data, Block(as_block(data), found)


def read_xcp(
    if_data: Iterable[IfData], diagnostics: list[Diagnostic] | None = None
) -> XcpDescription | None:
    """What the IF_DATA of a module say about XCP; None when they say nothing.

    Args:
        if_data: the ``if_data`` of a module; XCPplus wins over XCP.
        diagnostics: findings are appended here.
    """
    found = diagnostics if diagnostics is not None else []
    blocks = list(_xcp_blocks(if_data, found))
    if not blocks:
        return None
    data, block = next((b for b in blocks if b[0].name == "XCPplus"), blocks[0])
    made: dict[str, Any] = {}
    if data.name == "XCPplus":
        made["plus_version"] = block.integer("version", 0x0100)
    transports: list[XcpTransport] = []
    for tag, _, inner in block.tags({}):
        if inner is None:
            continue
        if tag == "XCP_ON_UDP_IP":
            transports.append(_on_ip(inner, XcpOnUdpIp))
        elif tag == "XCP_ON_TCP_IP":
            transports.append(_on_ip(inner, XcpOnTcpIp))
        elif tag == "XCP_ON_CAN":
            transports.append(_on_can(inner))
        elif tag in _WITH_COMMON:
            transports.append(_WITH_COMMON[tag](inner, _common))
        elif tag.startswith("XCP_ON_"):
            transports.append(_on_other(inner))
        elif not _common(tag, inner, made):
            block.unknown(tag)
    return XcpDescription(**made, transports=tuple(transports))


def read_daq_event(
    if_data: Iterable[IfData], diagnostics: list[Diagnostic] | None = None
) -> XcpDaqEvent | None:
    """Events an object may be measured with; None when nothing is said."""
    found = diagnostics if diagnostics is not None else []
    for data, block in _xcp_blocks(if_data, found):
        inner = data.block("DAQ_EVENT")
        if inner is not None:
            return _daq_event(Block(inner, found, block.source))
    return None


def _daq_event(block: Block) -> XcpDaqEvent:
    lists: dict[str, list[int]] = {"FIXED_EVENT_LIST": []}
    variable = False
    for tag, values, inner in block.tags({"FIXED_EVENT_LIST": 0, "VARIABLE": 0, "EVENT": 1}):
        if tag == "VARIABLE":
            variable = True
        elif tag == "EVENT" and values:
            lists["FIXED_EVENT_LIST"].append(integer_of(values[0]))
        elif inner is not None:
            events = lists.setdefault(tag, [])
            events.extend(integer_of(given[0]) for _, given, _ in inner.tags({"EVENT": 1}) if given)
    return XcpDaqEvent(
        fixed=tuple(lists["FIXED_EVENT_LIST"]),
        available=tuple(lists.get("AVAILABLE_EVENT_LIST", ())),
        default=tuple(lists.get("DEFAULT_EVENT_LIST", ())),
        consistency=tuple(lists.get("CONSISTENCY_EVENT_LIST", ())),
        variable=variable,
    )


def read_segment(
    if_data: Iterable[IfData], diagnostics: list[Diagnostic] | None = None
) -> XcpSegment | None:
    """The SEGMENT of a memory segment; None when nothing is said."""
    found = diagnostics if diagnostics is not None else []
    for data, block in _xcp_blocks(if_data, found):
        inner = data.block("SEGMENT")
        if inner is not None:
            return _segment(Block(inner, found, block.source))
    return None


def _checksum(block: Block) -> XcpChecksum:
    made: dict[str, Any] = {"type": block.word("type", CHECKSUMS)}
    for tag, values, _ in block.tags(
        {"MAX_BLOCK_SIZE": 1, "EXTERNAL_FUNCTION": 1, "MTA_BLOCK_SIZE_ALIGN": 1}
    ):
        if values:
            made[tag.lower()] = values[0] if tag == "EXTERNAL_FUNCTION" else integer_of(values[0])
    return XcpChecksum(**made)


def _page(block: Block) -> XcpPage:
    number = block.integer("number")
    page = XcpPage(
        number,
        block.word("ECU access", ECU_ACCESS),
        block.word("XCP read access", READ_ACCESS),
        block.word("XCP write access", WRITE_ACCESS),
    )
    for tag, values, _ in block.tags({"INIT_SEGMENT": 1}):
        if tag == "INIT_SEGMENT" and values:
            page = replace(page, init_segment=integer_of(values[0]))
    return page


def _segment(block: Block) -> XcpSegment:
    made: dict[str, Any] = {"number": block.integer("number")}
    made["number_of_pages"] = block.integer("number of pages", 1)
    made["address_extension"] = block.integer("address extension")
    made["compression_method"] = block.integer("compression method")
    made["encryption_method"] = block.integer("encryption method")
    pages: list[XcpPage] = []
    mappings: list[tuple[int, int, int]] = []
    for tag, values, inner in block.tags({"DEFAULT_PAGE_NUMBER": 1, "PGM_VERIFY": 1}):
        if values:
            made[tag.lower()] = integer_of(values[0])
        elif inner is None:
            continue
        elif tag == "PAGE":
            pages.append(_page(inner))
        elif tag == "CHECKSUM":
            made["checksum"] = _checksum(inner)
        elif tag == "ADDRESS_MAPPING":
            mappings.append(
                (inner.integer("source"), inner.integer("destination"), inner.integer("length"))
            )
        else:
            block.unknown(tag)
    return XcpSegment(**made, pages=tuple(pages), address_mappings=tuple(mappings))
