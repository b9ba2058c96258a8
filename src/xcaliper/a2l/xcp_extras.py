"""The rarer parts of IF_DATA XCP: ECU states, clocks, packed mode, load model, predefined lists, both directions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from xcaliper.a2l import xcp_words as words
from xcaliper.a2l.ifdata import IfBlock, IfItem, Quoted
from xcaliper.a2l.xcp_block import Block, integer_of

__all__ = [
    "XcpClock",
    "XcpClockTicks",
    "XcpCpuLoad",
    "XcpEcuState",
    "XcpMemoryAccess",
    "XcpMemoryConsumption",
    "XcpOdt",
    "XcpOdtEntry",
    "XcpPackedMode",
    "XcpQueueLoad",
    "XcpTimeCorrelation",
    "read_core_load",
    "read_cpu_load",
    "read_ecu_states",
    "read_memory_consumption",
    "read_packed_mode",
    "read_pair",
    "read_predefined",
    "read_queue_load",
    "read_time_correlation",
    "write_cpu_load",
    "write_ecu_states",
    "write_memory_consumption",
    "write_packed_mode",
    "write_pair",
    "write_predefined",
    "write_queue_load",
    "write_time_correlation",
]


@dataclass(frozen=True, slots=True)
class XcpMemoryAccess:
    """MEMORY_ACCESS: what a state allows with one page of a segment."""

    segment: int
    page: int
    readable: bool = False
    writable: bool = False


@dataclass(frozen=True, slots=True)
class XcpEcuState:
    """STATE of ECU_STATES; resources are NOT_ACTIVE, ACTIVE or GETTER_ONLY (ASAP2, ECU_STATES)."""

    number: int
    name: str = ""
    switched_to_default_page: bool = False
    cal_pag: str = "NOT_ACTIVE"
    daq: str = "NOT_ACTIVE"
    stim: str = "NOT_ACTIVE"
    pgm: str = "NOT_ACTIVE"
    memory_access: tuple[XcpMemoryAccess, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpClockTicks:
    """TIMESTAMP_CHARACTERIZATION: increments per unit, unit code as in TIMESTAMP_SUPPORTED, bytes."""

    ticks: int
    unit: int
    size: int


@dataclass(frozen=True, slots=True)
class XcpClock:
    """CLOCK of TIME_CORRELATION (ASAP2, IF_DATA XCP TIME_CORRELATION, 1.3).

    Attributes:
        uuid: eight octets, EUI-64.
        kind: whose clock it is.
        readability: when it can be read.
        synchronisation: how it follows others.
        quality: stratum level.
        characterization: what its timestamps count.
        max_timestamp: value before the counter wraps.
        epoch: what zero means.
    """

    uuid: bytes
    kind: str = "XCP_SLAVE_CLOCK"
    readability: str = "RANDOMLY_READABLE"
    synchronisation: str = "SYN_UNSUPPORTED"
    quality: int = 255
    characterization: XcpClockTicks | None = None
    max_timestamp: int = 0
    epoch: str = "ARBITRARY"


@dataclass(frozen=True, slots=True)
class XcpTimeCorrelation:
    """TIME_CORRELATION: which clock stamps DAQ data, and all clocks."""

    daq_timestamps_relate_to: str | None = None
    clocks: tuple[XcpClock, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpPackedMode:
    """DAQ_PACKED_MODE of an event: several samples in one DTO (ASAP2, EVENT, 1.5)."""

    grouping: str = "ELEMENT_GROUPED"
    timestamp: str = "STS_LAST"
    duty: str = "OPTIONAL"
    samples: int = 1
    alternatives: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpCpuLoad:
    """CPU_LOAD_CONSUMPTION_DAQ or _STIM: cost per list, ODT and entry.

    Attributes:
        size_factors: entry size → factor on the cost of an entry.
        core_loads: core → share of the cost.
    """

    per_list: float = 0.0
    per_odt: float = 0.0
    per_entry: float = 0.0
    size_factors: tuple[tuple[int, float], ...] = ()
    core_loads: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class XcpQueueLoad:
    """CPU_LOAD_CONSUMPTION_QUEUE or _QUEUE_STIM: cost per ODT and per element of its length."""

    per_odt: float = 0.0
    per_element: float = 0.0
    core_loads: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class XcpMemoryConsumption:
    """DAQ_MEMORY_CONSUMPTION: bytes there are and bytes that lists take.

    Attributes:
        reserve: BUFFER_RESERVE of the ODT queues, in percent or elements as the slave counts.
    """

    limit: int = 0
    per_daq_list: int = 0
    per_odt: int = 0
    per_odt_entry: int = 0
    daq_buffer_factor: int = 0
    stim_buffer_factor: int = 0
    reserve: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class XcpOdtEntry:
    """ODT_ENTRY of a predefined ODT; bit_offset 255 means no bit."""

    number: int
    address: int
    extension: int = 0
    size: int = 1
    bit_offset: int = 255


@dataclass(frozen=True, slots=True)
class XcpOdt:
    """ODT of a predefined DAQ list."""

    number: int
    entries: tuple[XcpOdtEntry, ...] = ()


# ---- reading


def _pairs(block: Block, tag: str) -> tuple[tuple[int, float], ...]:
    return tuple(
        (inner.integer("number"), inner.number("factor"))
        for name, _, inner in block.tags({})
        if name == tag and inner is not None
    )


def read_ecu_states(block: Block) -> tuple[XcpEcuState, ...]:
    """States of an ECU_STATES block."""
    return tuple(
        _state(inner) for tag, _, inner in block.tags({}) if tag == "STATE" and inner is not None
    )


def _state(block: Block) -> XcpEcuState:
    number, name = block.integer("number"), block.text("name")
    switched = block.reader.peek() == "ECU_SWITCHED_TO_DEFAULT_PAGE"
    block.reader.at += switched
    names = ("CAL/PAG", "DAQ", "STIM", "PGM")
    cal_pag, daq, stim, pgm = [block.choice(n, words.RESOURCE_STATES) for n in names]
    accesses = tuple(
        XcpMemoryAccess(
            inner.integer("segment"),
            inner.integer("page"),
            bool(inner.word("read access", words.STATE_READS)),
            bool(inner.word("write access", words.STATE_WRITES)),
        )
        for tag, _, inner in block.tags({})
        if tag == "MEMORY_ACCESS" and inner is not None
    )
    return XcpEcuState(number, name, switched, cal_pag, daq, stim, pgm, accesses)


def read_time_correlation(block: Block, units: dict[str, int]) -> XcpTimeCorrelation:
    """A TIME_CORRELATION block.

    Args:
        block: the block.
        units: words for time units and their codes.
    """
    relation: str | None = None
    clocks: list[XcpClock] = []
    for tag, values, inner in block.tags({"DAQ_TIMESTAMPS_RELATE_TO": 1}):
        if inner is None:
            relation = values[0]
        elif tag == "CLOCK":
            clocks.append(_clock(inner, units))
        else:
            block.unknown(tag)
    return XcpTimeCorrelation(relation, tuple(clocks))


def _clock(block: Block, units: dict[str, int]) -> XcpClock:
    uuid = bytes(block.integer("UUID") & 0xFF for _ in range(8))
    made: dict[str, Any] = {
        "kind": block.choice("clock", words.CLOCKS),
        "readability": block.choice("readability", words.READABILITIES),
        "synchronisation": block.choice("synchronisation", words.SYNCHRONISATIONS),
        "quality": block.integer("quality"),
    }
    item = block.reader.peek()
    if isinstance(item, IfBlock) and item.tag == "TIMESTAMP_CHARACTERIZATION":
        block.reader.at += 1
        inner = Block(item, block.found, block.source)
        made["characterization"] = XcpClockTicks(
            inner.integer("ticks", 1),
            inner.word("unit", units),
            inner.word("size", words.CLOCK_SIZES),
        )
    made["max_timestamp"] = block.integer("largest timestamp")
    made["epoch"] = block.choice("epoch", words.EPOCHS)
    return XcpClock(uuid, **made)


def read_packed_mode(block: Block) -> XcpPackedMode:
    """A DAQ_PACKED_MODE block."""
    return XcpPackedMode(
        block.choice("grouping", words.PACKED_GROUPINGS),
        block.choice("timestamp", words.PACKED_TIMESTAMPS),
        block.choice("duty", words.PACKED_DUTIES),
        block.integer("sample count", 1),
        tuple(integer_of(v[0]) for _, v, _ in block.tags({"ALT_SAMPLE_COUNT": 1}) if v),
    )


def read_cpu_load(block: Block) -> XcpCpuLoad:
    """A CPU_LOAD_CONSUMPTION_DAQ or _STIM block."""
    names = ("DAQ_FACTOR", "ODT_FACTOR", "ODT_ENTRY_FACTOR")
    per_list, per_odt, per_entry = [block.number(name) for name in names]
    at = block.reader.at
    sizes = _pairs(block, "ODT_ENTRY_SIZE_FACTOR_TABLE")
    block.reader.at = at
    return XcpCpuLoad(per_list, per_odt, per_entry, sizes, _pairs(block, "CORE_LOAD_EP"))


def read_queue_load(block: Block) -> XcpQueueLoad:
    """A CPU_LOAD_CONSUMPTION_QUEUE or _QUEUE_STIM block."""
    per_odt, per_element = block.number("ODT_FACTOR"), block.number("ODT_ELEMENT_LOAD")
    return XcpQueueLoad(per_odt, per_element, _pairs(block, "CORE_LOAD_EP"))


_CONSUMPTION: Final = (
    "DAQ_MEMORY_LIMIT",
    "DAQ_SIZE",
    "ODT_SIZE",
    "ODT_ENTRY_SIZE",
    "ODT_DAQ_BUFFER_ELEMENT_SIZE",
    "ODT_STIM_BUFFER_ELEMENT_SIZE",
)


def read_memory_consumption(block: Block) -> XcpMemoryConsumption:
    """A DAQ_MEMORY_CONSUMPTION block."""
    numbers = [block.integer(name) for name in _CONSUMPTION]
    reserve: tuple[int, int] | None = None
    for tag, _, inner in block.tags({}):
        if tag == "BUFFER_RESERVE" and inner is not None:
            reserve = read_pair(inner)
    limit, daq_list, odt, entry, daq_factor, stim_factor = numbers
    return XcpMemoryConsumption(limit, daq_list, odt, entry, daq_factor, stim_factor, reserve)


def read_pair(block: Block) -> tuple[int, int]:
    """Two whole numbers: MIN_CYCLE_TIME, BUFFER_RESERVE, BUFFER_RESERVE_EVENT."""
    return block.integer("first number"), block.integer("second number")


def read_core_load(block: Block) -> tuple[int, float]:
    """A CORE_LOAD_MAX block: core and load."""
    return block.integer("core"), block.number("load")


def read_predefined(block: Block) -> tuple[XcpOdt, ...]:
    """ODTs of a PREDEFINED block."""
    return tuple(
        XcpOdt(
            inner.integer("number"),
            tuple(
                XcpOdtEntry(*map(integer_of, values))
                for tag, values, _ in inner.tags({"ODT_ENTRY": 5})
                if tag == "ODT_ENTRY" and values
            ),
        )
        for name, _, inner in block.tags({})
        if name == "ODT" and inner is not None
    )


# ---- writing


def write_ecu_states(states: Iterable[XcpEcuState]) -> IfBlock:
    """An ECU_STATES block."""
    return IfBlock("ECU_STATES", [_write_state(state) for state in states])


def _write_state(state: XcpEcuState) -> IfBlock:
    items: list[IfItem] = [str(state.number), Quoted(state.name)]
    if state.switched_to_default_page:
        items.append("ECU_SWITCHED_TO_DEFAULT_PAGE")
    items += [state.cal_pag, state.daq, state.stim, state.pgm]
    for access in state.memory_access:
        rights = (
            f"{kind}_ACCESS_{'ALLOWED' if allowed else 'NOT_ALLOWED'}"
            for kind, allowed in (("READ", access.readable), ("WRITE", access.writable))
        )
        items.append(IfBlock("MEMORY_ACCESS", [str(access.segment), str(access.page), *rights]))
    return IfBlock("STATE", items)


def write_time_correlation(made: XcpTimeCorrelation, units: dict[str, int]) -> IfBlock:
    """A TIME_CORRELATION block.

    Args:
        made: the values.
        units: words for time units and their codes.
    """
    items: list[IfItem] = []
    if made.daq_timestamps_relate_to is not None:
        items += ["DAQ_TIMESTAMPS_RELATE_TO", made.daq_timestamps_relate_to]
    for clock in made.clocks:
        inner: list[IfItem] = [f"0x{octet:02X}" for octet in clock.uuid]
        inner += [clock.kind, clock.readability, clock.synchronisation, str(clock.quality)]
        ticks = clock.characterization
        if ticks is not None:
            unit = next(word for word, code in units.items() if code == ticks.unit)
            size = next(word for word, n in words.CLOCK_SIZES.items() if n == ticks.size)
            inner.append(IfBlock("TIMESTAMP_CHARACTERIZATION", [str(ticks.ticks), unit, size]))
        inner += [f"0x{clock.max_timestamp:X}", clock.epoch]
        items.append(IfBlock("CLOCK", inner))
    return IfBlock("TIME_CORRELATION", items)


def write_packed_mode(made: XcpPackedMode) -> IfBlock:
    """A DAQ_PACKED_MODE block."""
    items: list[IfItem] = [made.grouping, made.timestamp, made.duty, str(made.samples)]
    for count in made.alternatives:
        items += ["ALT_SAMPLE_COUNT", str(count)]
    return IfBlock("DAQ_PACKED_MODE", items)


def _write_pairs(tag: str, pairs: Iterable[tuple[int, float]]) -> list[IfItem]:
    return [IfBlock(tag, [str(number), repr(factor)]) for number, factor in pairs]


def write_cpu_load(tag: str, made: XcpCpuLoad) -> IfBlock:
    """A CPU_LOAD_CONSUMPTION_DAQ or _STIM block."""
    items: list[IfItem] = [repr(made.per_list), repr(made.per_odt), repr(made.per_entry)]
    items += _write_pairs("ODT_ENTRY_SIZE_FACTOR_TABLE", made.size_factors)
    return IfBlock(tag, items + _write_pairs("CORE_LOAD_EP", made.core_loads))


def write_queue_load(tag: str, made: XcpQueueLoad) -> IfBlock:
    """A CPU_LOAD_CONSUMPTION_QUEUE or _QUEUE_STIM block."""
    items: list[IfItem] = [repr(made.per_odt), repr(made.per_element)]
    return IfBlock(tag, items + _write_pairs("CORE_LOAD_EP", made.core_loads))


def write_memory_consumption(made: XcpMemoryConsumption) -> IfBlock:
    """A DAQ_MEMORY_CONSUMPTION block."""
    items: list[IfItem] = [
        str(made.limit),
        str(made.per_daq_list),
        str(made.per_odt),
        str(made.per_odt_entry),
        str(made.daq_buffer_factor),
        str(made.stim_buffer_factor),
    ]
    if made.reserve is not None:
        items.append(write_pair("BUFFER_RESERVE", made.reserve))
    return IfBlock("DAQ_MEMORY_CONSUMPTION", items)


def write_pair(tag: str, pair: tuple[int, int]) -> IfBlock:
    """A block of two whole numbers."""
    return IfBlock(tag, [str(number) for number in pair])


def write_predefined(odts: Iterable[XcpOdt]) -> IfBlock:
    """A PREDEFINED block."""
    return IfBlock(
        "PREDEFINED",
        [
            IfBlock("ODT", [str(odt.number), *(w for e in odt.entries for w in _write_entry(e))])
            for odt in odts
        ],
    )


def _write_entry(made: XcpOdtEntry) -> tuple[str, ...]:
    numbers = (made.extension, made.size, made.bit_offset)
    return ("ODT_ENTRY", str(made.number), f"0x{made.address:X}", *map(str, numbers))
