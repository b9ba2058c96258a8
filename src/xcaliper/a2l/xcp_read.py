"""IF_DATA XCP trees to values; what is missing or unknown becomes a finding."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from xcaliper.a2l.ifdata import IfBlock, IfData, Reader, number_of
from xcaliper.a2l.xcp_model import (
    ALIGNMENTS,
    CAN_FLAGS,
    CAN_NUMBERS,
    CHECKSUMS,
    CONFIG_TYPES,
    DAQ_FLAGS,
    DAQ_GRANULARITIES,
    DAQ_LIST_FIELDS,
    DIRECTIONS,
    ECU_ACCESS,
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
from xcaliper.core.diagnostics import Diagnostic, Severity, Where

__all__ = ["read_daq_event", "read_segment", "read_xcp"]

T = TypeVar("T")


class _Block:
    """A block being read: positional items first, then tags."""

    def __init__(self, block: IfBlock, found: list[Diagnostic], source: str = "") -> None:
        self.block = block
        self.reader = Reader(block.items)
        self.found = found
        self.source = source

    def report(self, slug: str, text: str) -> None:
        self.found.append(
            Diagnostic(
                Severity.WARNING,
                slug,
                Where(self.source, self.block.line),
                f"IF_DATA XCP {self.block.tag}: {text}",
                "Compare it with the A2ML of the XCP edition in use.",
            )
        )

    def integer(self, name: str, default: int = 0) -> int:
        value = self.reader.integer()
        if value is None:
            self.report("if-xcp-missing", f"{name} is missing; {default} was taken.")
            return default
        return value

    def text(self, name: str) -> str:
        value = self.reader.text()
        if value is None:
            self.report("if-xcp-missing", f"{name} is missing.")
            return ""
        return value

    def word(self, name: str, words: Mapping[str, T]) -> T:
        """Meaning of one word; a foreign word is left for the tags that follow."""
        item = self.reader.peek()
        if isinstance(item, str) and item in words:
            self.reader.at += 1
            return words[item]
        first = next(iter(words))
        self.report("if-xcp-missing", f"{name} is missing; {first} was taken.")
        return words[first]

    def tags(self, plain: Mapping[str, int]) -> Iterator[tuple[str, list[str], "_Block | None"]]:
        """The rest: known words with their parameters, and all blocks."""
        reader = self.reader
        while (item := reader.take()) is not None:
            if isinstance(item, IfBlock):
                yield item.tag, [], _Block(item, self.found, self.source)
            elif item in plain:
                values: list[str] = []
                while len(values) < plain[item] and isinstance(reader.peek(), str):
                    values.append(str(reader.take()))
                if len(values) < plain[item]:
                    self.report("if-xcp-missing", f"{item} lacks a parameter; it was skipped.")
                else:
                    yield str(item), values, None
            else:
                self.report(
                    "if-xcp-unknown", f"{str(item)[:60]} is not known here; it was skipped."
                )
                while isinstance(word := reader.peek(), str) and word not in plain:
                    reader.take()

    def unknown(self, tag: str) -> None:
        self.report("if-xcp-unknown", f"block {tag[:60]} is not known here; it was skipped.")


def _int(word: str) -> int:
    value = number_of(word)
    if value is None or value != value or abs(value) == float("inf"):  # noqa: PLR0124
        return 0
    return int(value)


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
        fields_.update(block_master=True, max_bs=_int(values[0]), min_st=_int(values[1]))
    elif tag == "INTERLEAVED":
        fields_["interleaved_queue"] = _int(values[0])
    return tag in _COMM_MODE_TAGS


def _comm_mode_block(block: _Block, made: dict[str, Any]) -> None:
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


def _protocol_layer(block: _Block) -> XcpProtocolLayer:
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
                made["max_dto_stim"] = _int(values[0])
            else:
                _comm_mode(tag, values, made)
        elif tag in ("COMMUNICATION_MODE_SUPPORTED", "BLOCK"):
            _comm_mode_block(inner, made)
        elif tag != "ECU_STATES":
            block.unknown(tag)
    return XcpProtocolLayer(
        **made,
        optional_cmds=tuple(lists["OPTIONAL_CMD"]),
        level1_cmds=tuple(lists["OPTIONAL_LEVEL1_CMD"]),
    )


def _timestamp(block: _Block) -> XcpTimestamp | None:
    ticks = block.integer("ticks", 1)
    size = block.word("size", TIMESTAMP_SIZES)
    unit = block.word("unit", UNITS)
    fixed = any(tag == "TIMESTAMP_FIXED" for tag, _, _ in block.tags({"TIMESTAMP_FIXED": 0}))
    return XcpTimestamp(ticks, size, unit, fixed) if size else None


_EVENT_TAGS: Final = {
    "CONSISTENCY": 1,
    "COMPLEMENTARY_BYPASS_EVENT_CHANNEL_NUMBER": 1,
    "EVENT_COUNTER_PRESENT": 0,
    "RELATED_EVENT_CHANNEL_NUMBER": 1,
    "RELATED_EVENT_CHANNEL_NUMBER_FIXED": 0,
    "DTO_CTR_DAQ_MODE": 1,
    "DTO_CTR_DAQ_MODE_FIXED": 0,
    "DTO_CTR_STIM_MODE": 1,
    "DTO_CTR_STIM_MODE_FIXED": 0,
    "STIM_DTO_CTR_COPY_PRESENT": 0,
    "CPU_LOAD_MAX": 1,
}


def _event(block: _Block) -> XcpEvent:
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
    for tag, values, _ in block.tags(_EVENT_TAGS):
        if tag == "CONSISTENCY" and values:
            event = replace(event, consistency=values[0])
    return event


_DAQ_LIST_TAGS: Final = {
    "DAQ_LIST_TYPE": 1,
    "MAX_ODT": 1,
    "MAX_ODT_ENTRIES": 1,
    "FIRST_PID": 1,
    "EVENT_FIXED": 1,
    "DAQ_PACKED_MODE_SUPPORTED": 0,
}


def _daq_list(block: _Block) -> XcpDaqList:
    made: dict[str, Any] = {"number": block.integer("number")}
    for tag, values, _ in block.tags(_DAQ_LIST_TAGS):
        if tag == "DAQ_LIST_TYPE":
            made["direction"] = DIRECTIONS.get(values[0], "DAQ")
        elif tag in DAQ_LIST_FIELDS:
            made[DAQ_LIST_FIELDS[tag]] = _int(values[0])
    return XcpDaqList(**made)


def _stim(block: _Block) -> XcpStim:
    made: dict[str, Any] = {
        "granularity": block.word("granularity", STIM_GRANULARITIES),
        "max_odt_entry_size": block.integer("MAX_ODT_ENTRY_SIZE_STIM"),
    }
    for tag, values, _ in block.tags({"BIT_STIM_SUPPORTED": 0, "MIN_ST_STIM": 1}):
        if tag == "BIT_STIM_SUPPORTED":
            made["bit_stim"] = True
        elif tag == "MIN_ST_STIM" and values:
            made["min_st_stim"] = _int(values[0])
    return XcpStim(**made)


_DAQ_TAGS: Final = {
    **dict.fromkeys(DAQ_FLAGS, 0),
    "OPTIMISATION_TYPE_ODT_STRICT": 0,
    "DAQ_ALTERNATING_SUPPORTED": 1,
    "MAX_DAQ_TOTAL": 1,
    "MAX_ODT_TOTAL": 1,
    "MAX_ODT_DAQ_TOTAL": 1,
    "MAX_ODT_STIM_TOTAL": 1,
    "MAX_ODT_ENTRIES_TOTAL": 1,
    "MAX_ODT_ENTRIES_DAQ_TOTAL": 1,
    "MAX_ODT_ENTRIES_STIM_TOTAL": 1,
    "CPU_LOAD_MAX_TOTAL": 1,
    "CORE_LOAD_MAX_TOTAL": 1,
}
_DAQ_BLOCKS_KEPT: Final = ("CORE_LOAD_MAX", "DAQ_MEMORY_CONSUMPTION")


def _daq(block: _Block) -> XcpDaq:
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
    events: list[XcpEvent] = []
    lists: list[XcpDaqList] = []
    for tag, values, inner in block.tags(_DAQ_TAGS):
        if tag in DAQ_FLAGS:
            made[DAQ_FLAGS[tag]] = True
        elif tag == "DAQ_ALTERNATING_SUPPORTED" and values:
            made["alternating_event"] = _int(values[0])
        elif inner is None or tag in _DAQ_BLOCKS_KEPT:
            continue
        elif tag == "EVENT":
            events.append(_event(inner))
        elif tag == "DAQ_LIST":
            lists.append(_daq_list(inner))
        elif tag == "STIM":
            made["stim"] = _stim(inner)
        elif tag == "TIMESTAMP_SUPPORTED":
            made["timestamp"] = _timestamp(inner)
        else:
            block.unknown(tag)
    return XcpDaq(**made, events=tuple(events), daq_lists=tuple(lists))


def _pag(block: _Block) -> XcpPag:
    count = block.integer("MAX_SEGMENTS")
    freeze = any(tag == "FREEZE_SUPPORTED" for tag, _, _ in block.tags({"FREEZE_SUPPORTED": 0}))
    return XcpPag(count, freeze)


def _pgm(block: _Block) -> XcpPgm:
    mode = block.word("mode", PGM_MODES)
    sectors_max = block.integer("MAX_SECTORS")
    max_cto = block.integer("MAX_CTO_PGM")
    sectors = tuple(
        XcpSector(
            inner.text("name"),
            inner.integer("number"),
            inner.integer("address"),
            inner.integer("length"),
            inner.integer("clear sequence number"),
            inner.integer("program sequence number"),
            inner.integer("program method"),
        )
        for tag, _, inner in block.tags(_COMM_MODE_TAGS)
        if tag == "SECTOR" and inner is not None
    )
    return XcpPgm(mode, sectors_max, max_cto, sectors)


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


def _on_ip(block: _Block, cls: Callable[..., XcpTransport]) -> XcpTransport:
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
            made[tag.lower()] = _int(values[0])
    return cls(**made, optional_subcmds=tuple(commands))


_CAN_TAGS: Final = {
    **dict.fromkeys(CAN_NUMBERS, 1),
    **dict.fromkeys(CAN_FLAGS, 0),
    "SAMPLE_RATE": 1,
    "BTL_CYCLES": 1,
    "SJW": 1,
    "SYNC_EDGE": 1,
    "MAX_BUS_LOAD": 1,
    "MEASUREMENT_SPLIT_ALLOWED": 0,
    "OPTIONAL_TL_SUBCMD": 1,
    "TRANSPORT_LAYER_INSTANCE": 1,
}
_CAN_FD_TAGS: Final = {
    "MAX_DLC": 1,
    "CAN_FD_DATA_TRANSFER_BAUDRATE": 1,
    "SAMPLE_POINT": 1,
    "BTL_CYCLES": 1,
    "SJW": 1,
    "SYNC_EDGE": 1,
    "MAX_DLC_REQUIRED": 0,
    "SECONDARY_SAMPLE_POINT": 1,
    "TRANSCEIVER_DELAY_COMPENSATION": 1,
}


def _can_fd(block: _Block, made: dict[str, Any]) -> None:
    made["can_fd"] = True
    for tag, values, _ in block.tags(_CAN_FD_TAGS):
        if tag == "MAX_DLC" and values:
            made["can_fd_max_dlc"] = _int(values[0])
        elif tag == "CAN_FD_DATA_TRANSFER_BAUDRATE" and values:
            made["can_fd_data_transfer_baudrate"] = _int(values[0])


def _can_daq_list(block: _Block) -> tuple[int, int | None]:
    """DAQ list number and its fixed identifier; None when it may be chosen."""
    number = block.integer("DAQ list number")
    fixed: int | None = None
    for tag, values, _ in block.tags({"VARIABLE": 0, "FIXED": 1}):
        if tag == "FIXED" and values:
            fixed = _int(values[0])
    return number, fixed


def _on_can(block: _Block) -> XcpOnCan:
    made: dict[str, Any] = {"version": block.integer("version", 0x0100)}
    commands: list[str] = []
    identifiers: list[tuple[int, int | None]] = []
    for tag, values, inner in block.tags(_CAN_TAGS):
        if tag in CAN_NUMBERS and values:
            made[CAN_NUMBERS[tag]] = _int(values[0])
        elif tag in CAN_FLAGS:
            made[CAN_FLAGS[tag]] = True
        elif tag == "OPTIONAL_TL_SUBCMD" and values:
            commands.append(values[0])
        elif tag == "TRANSPORT_LAYER_INSTANCE" and values:
            made["instance"] = values[0]
        elif inner is not None:
            if tag == "CAN_FD":
                _can_fd(inner, made)
            elif tag == "DAQ_LIST_CAN_ID":
                identifiers.append(_can_daq_list(inner))
            elif tag != "EVENT_CAN_ID_LIST" and not _common(tag, inner, made):
                block.unknown(tag)
    return XcpOnCan(**made, optional_subcmds=tuple(commands), daq_list_can_ids=tuple(identifiers))


def _on_other(block: _Block) -> XcpOnOther:
    made: dict[str, Any] = {}
    for item in block.block.items:
        if isinstance(item, IfBlock):
            _common(item.tag, _Block(item, block.found, block.source), made)
    return XcpOnOther(tag=block.block.tag, items=tuple(block.block.items), **made)


_COMMON: Final[dict[str, tuple[str, Callable[[_Block], Any]]]] = {
    "PROTOCOL_LAYER": ("protocol_layer", _protocol_layer),
    "DAQ": ("daq", _daq),
    "PAG": ("pag", _pag),
    "PGM": ("pgm", _pgm),
}


def _common(tag: str, inner: _Block, made: dict[str, Any]) -> bool:
    """Read a block that may stand at the module and at a transport; False for others."""
    if tag in _COMMON:
        name, read = _COMMON[tag]
        made[name] = read(inner)
        return True
    return tag == "TIME_CORRELATION"


def _xcp_blocks(
    if_data: Iterable[IfData], found: list[Diagnostic]
) -> Iterator[tuple[IfData, _Block]]:
    for data in if_data:
        if data.name in ("XCP", "XCPplus"):
            where = data.where
            yield data, _Block(IfBlock(data.name, data.items, where.line), found, where.source)


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
            return _daq_event(_Block(inner, found, block.source))
    return None


def _daq_event(block: _Block) -> XcpDaqEvent:
    lists: dict[str, list[int]] = {"FIXED_EVENT_LIST": []}
    variable = False
    for tag, values, inner in block.tags({"FIXED_EVENT_LIST": 0, "VARIABLE": 0, "EVENT": 1}):
        if tag == "VARIABLE":
            variable = True
        elif tag == "EVENT" and values:
            lists["FIXED_EVENT_LIST"].append(_int(values[0]))
        elif inner is not None:
            events = lists.setdefault(tag, [])
            events.extend(_int(given[0]) for _, given, _ in inner.tags({"EVENT": 1}) if given)
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
            return _segment(_Block(inner, found, block.source))
    return None


def _checksum(block: _Block) -> XcpChecksum:
    made: dict[str, Any] = {"type": block.word("type", CHECKSUMS)}
    for tag, values, _ in block.tags(
        {"MAX_BLOCK_SIZE": 1, "EXTERNAL_FUNCTION": 1, "MTA_BLOCK_SIZE_ALIGN": 1}
    ):
        if values:
            made[tag.lower()] = values[0] if tag == "EXTERNAL_FUNCTION" else _int(values[0])
    return XcpChecksum(**made)


def _page(block: _Block) -> XcpPage:
    number = block.integer("number")
    page = XcpPage(
        number,
        block.word("ECU access", ECU_ACCESS),
        block.word("XCP read access", READ_ACCESS),
        block.word("XCP write access", WRITE_ACCESS),
    )
    for tag, values, _ in block.tags({"INIT_SEGMENT": 1}):
        if tag == "INIT_SEGMENT" and values:
            page = replace(page, init_segment=_int(values[0]))
    return page


def _segment(block: _Block) -> XcpSegment:
    made: dict[str, Any] = {"number": block.integer("number")}
    made["number_of_pages"] = block.integer("number of pages", 1)
    made["address_extension"] = block.integer("address extension")
    made["compression_method"] = block.integer("compression method")
    made["encryption_method"] = block.integer("encryption method")
    pages: list[XcpPage] = []
    mappings: list[tuple[int, int, int]] = []
    for tag, values, inner in block.tags({"DEFAULT_PAGE_NUMBER": 1, "PGM_VERIFY": 1}):
        if values:
            made[tag.lower()] = _int(values[0])
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
