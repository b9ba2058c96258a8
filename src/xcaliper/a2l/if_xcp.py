"""Typed view of IF_DATA XCP and XCPplus, both directions (ASAP2, IF_DATA XCP, 1.0).

Readers take what is there: missing tails get their neutral values, unknown tags are skipped, both with findings.
Builders give ``IfData`` trees that the readers read back to equal values.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted, Reader, number_of
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.ticks import unit_ns

__all__ = [
    "XcpChecksum",
    "XcpDaq",
    "XcpDaqEvent",
    "XcpDaqList",
    "XcpDescription",
    "XcpEvent",
    "XcpOnCan",
    "XcpOnOther",
    "XcpOnTcpIp",
    "XcpOnUdpIp",
    "XcpPag",
    "XcpPage",
    "XcpPgm",
    "XcpProtocolLayer",
    "XcpSector",
    "XcpSegment",
    "XcpStim",
    "XcpTimestamp",
    "XcpTransport",
    "read_daq_event",
    "read_segment",
    "read_xcp",
    "write_daq_event",
    "write_segment",
    "write_xcp",
]

T = TypeVar("T")

ORDERS: Final = {
    "BYTE_ORDER_MSB_LAST": ByteOrder.INTEL,
    "BYTE_ORDER_MSB_FIRST": ByteOrder.MOTOROLA,
}
GRANULARITIES: Final = {
    "ADDRESS_GRANULARITY_BYTE": 1,
    "ADDRESS_GRANULARITY_WORD": 2,
    "ADDRESS_GRANULARITY_DWORD": 4,
}
OPTIMISATIONS: Final = {
    "OPTIMISATION_TYPE_DEFAULT": 0,
    "OPTIMISATION_TYPE_ODT_TYPE_16": 1,
    "OPTIMISATION_TYPE_ODT_TYPE_32": 2,
    "OPTIMISATION_TYPE_ODT_TYPE_64": 3,
    "OPTIMISATION_TYPE_ODT_TYPE_ALIGNMENT": 4,
    "OPTIMISATION_TYPE_MAX_ENTRY_SIZE": 5,
}
EXTENSIONS: Final = {
    "ADDRESS_EXTENSION_FREE": 0,
    "ADDRESS_EXTENSION_ODT": 1,
    "ADDRESS_EXTENSION_DAQ": 3,
}
IDENTIFICATIONS: Final = {
    "IDENTIFICATION_FIELD_TYPE_ABSOLUTE": 0,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_BYTE": 1,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_WORD": 2,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_WORD_ALIGNED": 3,
}
DAQ_GRANULARITIES: Final = {
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE": 1,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_WORD": 2,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_DWORD": 4,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_DLONG": 8,
}
STIM_GRANULARITIES: Final = {k.replace("_DAQ_", "_STIM_"): v for k, v in DAQ_GRANULARITIES.items()}
OVERLOADS: Final = {
    "NO_OVERLOAD_INDICATION": 0,
    "OVERLOAD_INDICATION_PID": 1,
    "OVERLOAD_INDICATION_EVENT": 2,
}
TIMESTAMP_SIZES: Final = {"NO_TIME_STAMP": 0, "SIZE_BYTE": 1, "SIZE_WORD": 2, "SIZE_DWORD": 4}
UNITS: Final = {
    "UNIT_1NS": 0,
    "UNIT_10NS": 1,
    "UNIT_100NS": 2,
    "UNIT_1US": 3,
    "UNIT_10US": 4,
    "UNIT_100US": 5,
    "UNIT_1MS": 6,
    "UNIT_10MS": 7,
    "UNIT_100MS": 8,
    "UNIT_1S": 9,
    "UNIT_1PS": 10,
    "UNIT_10PS": 11,
    "UNIT_100PS": 12,
}
CONFIG_TYPES: Final = {"STATIC": "STATIC", "DYNAMIC": "DYNAMIC"}
DIRECTIONS: Final = {"DAQ": "DAQ", "STIM": "STIM", "DAQ_STIM": "DAQ_STIM"}
PGM_MODES: Final = {
    "PGM_MODE_ABSOLUTE": 1,
    "PGM_MODE_FUNCTIONAL": 2,
    "PGM_MODE_ABSOLUTE_AND_FUNCTIONAL": 3,
}
CHECKSUMS: Final = {
    "XCP_ADD_11": 1,
    "XCP_ADD_12": 2,
    "XCP_ADD_14": 3,
    "XCP_ADD_22": 4,
    "XCP_ADD_24": 5,
    "XCP_ADD_44": 6,
    "XCP_CRC_16": 7,
    "XCP_CRC_16_CITT": 8,
    "XCP_CRC_32": 9,
    "XCP_USER_DEFINED": 255,
}
ECU_ACCESS: Final = {
    "ECU_ACCESS_NOT_ALLOWED": 0,
    "ECU_ACCESS_WITHOUT_XCP_ONLY": 1,
    "ECU_ACCESS_WITH_XCP_ONLY": 2,
    "ECU_ACCESS_DONT_CARE": 3,
}
READ_ACCESS: Final = {
    "XCP_READ_ACCESS_NOT_ALLOWED": 0,
    "XCP_READ_ACCESS_WITHOUT_ECU_ONLY": 1,
    "XCP_READ_ACCESS_WITH_ECU_ONLY": 2,
    "XCP_READ_ACCESS_DONT_CARE": 3,
}
WRITE_ACCESS: Final = {k.replace("READ", "WRITE"): v for k, v in READ_ACCESS.items()}
ALIGNMENTS: Final = {"PACKET_ALIGNMENT_8": 1, "PACKET_ALIGNMENT_16": 2, "PACKET_ALIGNMENT_32": 4}


@dataclass(frozen=True, slots=True)
class XcpProtocolLayer:
    """PROTOCOL_LAYER; timers in ms, sizes in bytes (ASAP2, IF_DATA XCP PROTOCOL_LAYER)."""

    version: int = 0x0104
    t1: int = 1000
    t2: int = 1000
    t3: int = 1000
    t4: int = 1000
    t5: int = 1000
    t6: int = 1000
    t7: int = 1000
    max_cto: int = 8
    max_dto: int = 8
    byte_order: ByteOrder = ByteOrder.INTEL
    address_granularity: int = 1
    optional_cmds: tuple[str, ...] = ()
    level1_cmds: tuple[str, ...] = ()
    block_slave: bool = False
    block_master: bool = False
    max_bs: int = 0
    min_st: int = 0
    interleaved_queue: int | None = None
    seed_and_key: str | None = None
    max_dto_stim: int | None = None


@dataclass(frozen=True, slots=True)
class XcpTimestamp:
    """TIMESTAMP_SUPPORTED: increments per unit, bytes, unit code, always present or not."""

    ticks: int
    size: int
    unit: int
    fixed: bool = False

    @property
    def tick_ns(self) -> float:
        """Length of one increment in nanoseconds."""
        return float(self.ticks * unit_ns(self.unit))


@dataclass(frozen=True, slots=True)
class XcpEvent:
    """EVENT: a channel that triggers DAQ lists; time_cycle 0 is not cyclic."""

    name: str
    short_name: str
    channel: int
    direction: str = "DAQ"
    max_daq_list: int = 255
    time_cycle: int = 0
    time_unit: int = 6
    priority: int = 0
    consistency: str | None = None

    @property
    def period_ns(self) -> int:
        """Nominal period in nanoseconds, 0 for events that are not cyclic."""
        return int(self.time_cycle * unit_ns(self.time_unit))


@dataclass(frozen=True, slots=True)
class XcpDaqList:
    """DAQ_LIST of a static configuration."""

    number: int
    direction: str = "DAQ"
    max_odt: int = 0
    max_odt_entries: int = 0
    first_pid: int | None = None
    event_fixed: int | None = None


@dataclass(frozen=True, slots=True)
class XcpStim:
    """STIM: what stimulation may carry; min_st_stim in 100 µs."""

    granularity: int = 1
    max_odt_entry_size: int = 0
    bit_stim: bool = False
    min_st_stim: int | None = None


@dataclass(frozen=True, slots=True)
class XcpDaq:
    """DAQ: what the slave can measure (ASAP2, IF_DATA XCP DAQ)."""

    config_type: str = "DYNAMIC"
    max_daq: int = 0
    max_event_channel: int = 0
    min_daq: int = 0
    optimisation: int = 0
    address_extension: int = 0
    identification_field: int = 0
    granularity_daq: int = 1
    max_odt_entry_size_daq: int = 0
    overload: int = 0
    timestamp: XcpTimestamp | None = None
    alternating_event: int | None = None
    prescaler_supported: bool = False
    resume_supported: bool = False
    store_daq_supported: bool = False
    pid_off_supported: bool = False
    dto_ctr_field_supported: bool = False
    stim: XcpStim | None = None
    daq_lists: tuple[XcpDaqList, ...] = ()
    events: tuple[XcpEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpPag:
    """PAG: number of segments, and whether they can be frozen."""

    max_segments: int = 0
    freeze_supported: bool = False


@dataclass(frozen=True, slots=True)
class XcpSector:
    """SECTOR of PGM."""

    name: str
    number: int
    address: int
    length: int
    clear_sequence_number: int = 0
    program_sequence_number: int = 0
    program_method: int = 0


@dataclass(frozen=True, slots=True)
class XcpPgm:
    """PGM: how the flash is programmed."""

    mode: int = 1
    max_sectors: int = 0
    max_cto_pgm: int = 0
    sectors: tuple[XcpSector, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpPage:
    """PAGE: access rights as the wire codes 0 to 3 (ASAP2, IF_DATA XCP PAGE)."""

    number: int
    ecu_access: int = 3
    xcp_read_access: int = 3
    xcp_write_access: int = 3
    init_segment: int | None = None


@dataclass(frozen=True, slots=True)
class XcpChecksum:
    """CHECKSUM: algorithm as the wire code, block size in bytes."""

    type: int
    max_block_size: int | None = None
    external_function: str | None = None
    mta_block_size_align: int | None = None


@dataclass(frozen=True, slots=True)
class XcpSegment:
    """SEGMENT at a MEMORY_SEGMENT."""

    number: int
    number_of_pages: int = 1
    address_extension: int = 0
    compression_method: int = 0
    encryption_method: int = 0
    checksum: XcpChecksum | None = None
    default_page_number: int | None = None
    pages: tuple[XcpPage, ...] = ()
    address_mappings: tuple[tuple[int, int, int], ...] = ()
    pgm_verify: int | None = None


@dataclass(frozen=True, slots=True)
class XcpDaqEvent:
    """DAQ_EVENT at an object.

    Attributes:
        fixed: the only events allowed; empty for a variable choice.
        available: events to choose from; empty means any.
        default: events to use when nobody chooses.
        consistency: events that keep the object consistent.
        variable: True for the VARIABLE form.
    """

    fixed: tuple[int, ...] = ()
    available: tuple[int, ...] = ()
    default: tuple[int, ...] = ()
    consistency: tuple[int, ...] = ()
    variable: bool = False


@dataclass(frozen=True, slots=True)
class XcpTransport:
    """Common to all transports: their own blocks override those of the module."""

    protocol_layer: XcpProtocolLayer | None = None
    daq: XcpDaq | None = None
    pag: XcpPag | None = None
    pgm: XcpPgm | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class _XcpOnIp(XcpTransport):
    version: int = 0x0104
    port: int = 5555
    host: str | None = None
    address: str | None = None
    ipv6: str | None = None
    max_bus_load: int | None = None
    max_bit_rate: int | None = None
    packet_alignment: int | None = None
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpOnUdpIp(_XcpOnIp):
    """XCP_ON_UDP_IP: where the slave listens (ASAP2, IF_DATA XCP XCP_ON_UDP_IP)."""


@dataclass(frozen=True, slots=True)
class XcpOnTcpIp(_XcpOnIp):
    """XCP_ON_TCP_IP: where the slave listens (ASAP2, IF_DATA XCP XCP_ON_TCP_IP)."""


@dataclass(frozen=True, slots=True)
class XcpOnCan(XcpTransport):
    """XCP_ON_CAN: identifiers with bit 31 set are extended (ASAP2, IF_DATA XCP XCP_ON_CAN)."""

    version: int = 0x0104
    can_id_broadcast: int | None = None
    can_id_master: int | None = None
    can_id_slave: int | None = None
    can_id_get_daq_clock_multicast: int | None = None
    can_id_master_incremental: bool = False
    baudrate: int | None = None
    sample_point: int | None = None
    max_dlc_required: bool = False
    can_fd: bool = False
    can_fd_max_dlc: int | None = None
    can_fd_data_transfer_baudrate: int | None = None
    daq_list_can_ids: tuple[tuple[int, int | None], ...] = ()
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpOnOther(XcpTransport):
    """A transport that is kept as its tree: SxI, USB, FlexRay.

    Attributes:
        tag: keyword of the block.
        items: its content.
    """

    tag: str = ""
    items: tuple[IfItem, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpDescription:
    """Everything a module says about XCP.

    Attributes:
        plus_version: version of the XCPplus form, None for the XCP form.
        protocol_layer: common PROTOCOL_LAYER.
        daq: common DAQ.
        pag: common PAG.
        pgm: common PGM.
        transports: every transport, in order.
    """

    plus_version: int | None = None
    protocol_layer: XcpProtocolLayer | None = None
    daq: XcpDaq | None = None
    pag: XcpPag | None = None
    pgm: XcpPgm | None = None
    transports: tuple[XcpTransport, ...] = ()

    def merged(self, transport: XcpTransport | None = None) -> "XcpDescription":
        """The common blocks with those of one transport over them; without one, of the first."""
        chosen = transport or next(iter(self.transports), None)
        if chosen is None:
            return self
        return replace(
            self,
            protocol_layer=chosen.protocol_layer or self.protocol_layer,
            daq=chosen.daq or self.daq,
            pag=chosen.pag or self.pag,
            pgm=chosen.pgm or self.pgm,
            transports=(chosen,),
        )


# ---- reading


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
_DAQ_LIST_FIELDS: Final = {
    "MAX_ODT": "max_odt",
    "MAX_ODT_ENTRIES": "max_odt_entries",
    "FIRST_PID": "first_pid",
    "EVENT_FIXED": "event_fixed",
}


def _daq_list(block: _Block) -> XcpDaqList:
    made: dict[str, Any] = {"number": block.integer("number")}
    for tag, values, _ in block.tags(_DAQ_LIST_TAGS):
        if tag == "DAQ_LIST_TYPE":
            made["direction"] = DIRECTIONS.get(values[0], "DAQ")
        elif tag in _DAQ_LIST_FIELDS:
            made[_DAQ_LIST_FIELDS[tag]] = _int(values[0])
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


_DAQ_FLAGS: Final = {
    "PRESCALER_SUPPORTED": "prescaler_supported",
    "RESUME_SUPPORTED": "resume_supported",
    "STORE_DAQ_SUPPORTED": "store_daq_supported",
    "PID_OFF_SUPPORTED": "pid_off_supported",
    "DTO_CTR_FIELD_SUPPORTED": "dto_ctr_field_supported",
}
_DAQ_TAGS: Final = {
    **dict.fromkeys(_DAQ_FLAGS, 0),
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
        if tag in _DAQ_FLAGS:
            made[_DAQ_FLAGS[tag]] = True
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
_IP_TEXTS: Final = {
    "HOST_NAME": "host",
    "ADDRESS": "address",
    "IPV6": "ipv6",
    "TRANSPORT_LAYER_INSTANCE": "instance",
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
        elif tag in _IP_TEXTS:
            made[_IP_TEXTS[tag]] = values[0]
        elif tag in ALIGNMENTS:
            made["packet_alignment"] = ALIGNMENTS[tag]
        elif tag == "OPTIONAL_TL_SUBCMD":
            commands.append(values[0])
        else:
            made[tag.lower()] = _int(values[0])
    return cls(**made, optional_subcmds=tuple(commands))


_CAN_NUMBERS: Final = {
    "CAN_ID_BROADCAST": "can_id_broadcast",
    "CAN_ID_MASTER": "can_id_master",
    "CAN_ID_SLAVE": "can_id_slave",
    "CAN_ID_GET_DAQ_CLOCK_MULTICAST": "can_id_get_daq_clock_multicast",
    "BAUDRATE": "baudrate",
    "SAMPLE_POINT": "sample_point",
}
_CAN_FLAGS: Final = {
    "CAN_ID_MASTER_INCREMENTAL": "can_id_master_incremental",
    "MAX_DLC_REQUIRED": "max_dlc_required",
}
_CAN_TAGS: Final = {
    **dict.fromkeys(_CAN_NUMBERS, 1),
    **dict.fromkeys(_CAN_FLAGS, 0),
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
        if tag in _CAN_NUMBERS and values:
            made[_CAN_NUMBERS[tag]] = _int(values[0])
        elif tag in _CAN_FLAGS:
            made[_CAN_FLAGS[tag]] = True
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


# ---- writing


def _key(words: Mapping[str, T], value: T) -> str:
    return next(word for word, meaning in words.items() if meaning == value)


def _option(items: list[IfItem], tag: str, value: int | str | None) -> None:
    """Append a tag and its value, unless the value is None."""
    if value is not None:
        items.extend((tag, Quoted(value) if isinstance(value, str) else str(value)))


def _write_protocol_layer(made: XcpProtocolLayer) -> IfBlock:
    items: list[IfItem] = [f"0x{made.version:04X}"]
    items += [str(getattr(made, f"t{n}")) for n in range(1, 8)]
    items += [str(made.max_cto), str(made.max_dto)]
    items += [_key(ORDERS, made.byte_order), _key(GRANULARITIES, made.address_granularity)]
    for command in made.optional_cmds:
        items += ["OPTIONAL_CMD", command]
    for command in made.level1_cmds:
        items += ["OPTIONAL_LEVEL1_CMD", command]
    if made.block_slave or made.block_master:
        items += ["COMMUNICATION_MODE_SUPPORTED", "BLOCK"]
        if made.block_slave:
            items.append("SLAVE")
        if made.block_master:
            items += ["MASTER", str(made.max_bs), str(made.min_st)]
    if made.interleaved_queue is not None:
        items += ["COMMUNICATION_MODE_SUPPORTED", "INTERLEAVED", str(made.interleaved_queue)]
    _option(items, "SEED_AND_KEY_EXTERNAL_FUNCTION", made.seed_and_key)
    _option(items, "MAX_DTO_STIM", made.max_dto_stim)
    return IfBlock("PROTOCOL_LAYER", items)


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
    if event.consistency:
        items += ["CONSISTENCY", event.consistency]
    return IfBlock("EVENT", items)


def _write_daq_list(made: XcpDaqList) -> IfBlock:
    items: list[IfItem] = [str(made.number), "DAQ_LIST_TYPE", made.direction]
    for tag, attr in _DAQ_LIST_FIELDS.items():
        _option(items, tag, getattr(made, attr))
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
    items += [tag for tag, attr in _DAQ_FLAGS.items() if getattr(made, attr)]
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
    return items


def _write_on_ip(tag: str, made: _XcpOnIp) -> IfBlock:
    items: list[IfItem] = [f"0x{made.version:04X}", str(made.port)]
    for name, attr in _IP_TEXTS.items():
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
    for tag, attr in _CAN_NUMBERS.items():
        value = getattr(made, attr)
        if value is not None:
            items += [tag, f"0x{value:X}" if tag.startswith("CAN_ID") else str(value)]
    items += [tag for tag, attr in _CAN_FLAGS.items() if getattr(made, attr)]
    _option(items, "TRANSPORT_LAYER_INSTANCE", made.instance)
    for command in made.optional_subcmds:
        items += ["OPTIONAL_TL_SUBCMD", command]
    for number, fixed in made.daq_list_can_ids:
        choice = ["VARIABLE"] if fixed is None else ["FIXED", f"0x{fixed:X}"]
        items.append(IfBlock("DAQ_LIST_CAN_ID", [str(number), *choice]))
    if made.can_fd:
        inner: list[IfItem] = []
        _option(inner, "MAX_DLC", made.can_fd_max_dlc)
        _option(inner, "CAN_FD_DATA_TRANSFER_BAUDRATE", made.can_fd_data_transfer_baudrate)
        items.append(IfBlock("CAN_FD", inner))
    return IfBlock("XCP_ON_CAN", items + _write_common(made))


def _write_transport(made: XcpTransport) -> IfBlock:
    if isinstance(made, XcpOnUdpIp):
        return _write_on_ip("XCP_ON_UDP_IP", made)
    if isinstance(made, XcpOnTcpIp):
        return _write_on_ip("XCP_ON_TCP_IP", made)
    if isinstance(made, XcpOnCan):
        return _write_on_can(made)
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
