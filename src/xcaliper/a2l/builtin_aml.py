"""Types of the standard IF_DATA blocks, for files whose own A2ML is missing or broken (ASAP2, IF_DATA XCP, CCP).

The types are declared here and spelled out by ``write_aml`` where a text is needed. They are as wide as the editions
of the standards together: everything that came later, or that old tools left out, is optional.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from xcaliper.a2l import xcp_model as model
from xcaliper.a2l import xcp_words as words
from xcaliper.a2l.aml import Loader, parse_aml, write_aml
from xcaliper.a2l.aml_types import (
    Aml,
    AmlArray,
    AmlEnum,
    AmlNumber,
    AmlSequence,
    AmlStruct,
    AmlTag,
    AmlTaggedStruct,
    AmlTaggedUnion,
    AmlText,
    AmlType,
    is_complete,
)
from xcaliper.a2l.keywords.project import Module
from xcaliper.core.diagnostics import Diagnostic

__all__ = ["builtin_aml", "module_aml", "xcp_aml_text"]

_U8: Final = AmlNumber("uchar")
_U16: Final = AmlNumber("uint")
_U32: Final = AmlNumber("ulong")
_I16: Final = AmlNumber("int")
_I32: Final = AmlNumber("long")
_U64: Final = AmlNumber("uint64")
_FLOAT: Final = AmlNumber("float")
_NAME: Final = AmlText(101)
_LONG_TEXT: Final = AmlText(256)


def _enum(table: Mapping[str, Any] | Iterable[str], name: str = "") -> AmlEnum:
    """An enum of a table of words; their numbers where they are numbers."""
    if not isinstance(table, Mapping):
        table = dict.fromkeys(table)
    return AmlEnum(
        {w: v if isinstance(v, int) else at for at, (w, v) in enumerate(table.items())}, name
    )


def _one(members: tuple[AmlType, ...]) -> AmlType | None:
    if not members:
        return None
    return members[0] if len(members) == 1 else AmlStruct(members)


def _tag(tag: str, *members: AmlType, many: bool = False) -> AmlTag:
    return AmlTag(tag, _one(members), repeated=many)


def _block(tag: str, *members: AmlType, many: bool = False) -> AmlTag:
    return AmlTag(tag, _one(members), block=True, repeated=many)


def _flags(*tags: str) -> tuple[AmlTag, ...]:
    return tuple(AmlTag(t) for t in tags)


def _any(*tags: AmlTag, name: str = "") -> AmlTaggedStruct:
    return AmlTaggedStruct(tags, name)


def _either(*tags: AmlTag) -> AmlTaggedUnion:
    return AmlTaggedUnion(tags)


def _struct(name: str, *members: AmlType, required: int | None = None) -> AmlStruct:
    return AmlStruct(members, name, required)


# ---- XCP, common part


def _comm_mode() -> AmlTag:
    block = _any(_tag("SLAVE"), _tag("MASTER", _U8, _U8))
    return _tag(
        "COMMUNICATION_MODE_SUPPORTED",
        _either(_tag("BLOCK", block), _tag("INTERLEAVED", _U8)),
        many=True,
    )


def _ecu_states() -> AmlTag:
    resource = _enum(words.RESOURCE_STATES, "xcp_resource_state")
    access = _block(
        "MEMORY_ACCESS", _U8, _U8, _enum(words.STATE_READS), _enum(words.STATE_WRITES), many=True
    )
    state = _block(
        "STATE",
        *(_U8, _NAME, _any(_tag("ECU_SWITCHED_TO_DEFAULT_PAGE"))),
        *(resource, resource, resource, resource),
        _any(access),
        many=True,
    )
    return _block("ECU_STATES", _any(state))


def _protocol_layer() -> AmlType:
    return _struct(
        "xcp_protocol_layer",
        *(_U16, *(_U16,) * 7, _U8, _U16),
        _enum(model.ORDERS),
        _enum(model.GRANULARITIES),
        _any(
            _tag("OPTIONAL_CMD", _enum(words.COMMAND_CODES), many=True),
            _tag("OPTIONAL_LEVEL1_CMD", _enum(words.LEVEL1_CODES), many=True),
            _comm_mode(),
            _tag("SEED_AND_KEY_EXTERNAL_FUNCTION", _LONG_TEXT),
            _tag("MAX_DTO_STIM", _U16),
            _ecu_states(),
        ),
    )


def _cpu_loads(unit: AmlType) -> tuple[AmlTag, ...]:
    core = _block("CORE_LOAD_EP", _U16, _FLOAT, many=True)
    sizes = _block("ODT_ENTRY_SIZE_FACTOR_TABLE", _U16, _FLOAT, many=True)
    lists = _struct("xcp_cpu_load", _FLOAT, _FLOAT, _FLOAT, _any(sizes, core))
    queue = _struct("xcp_cpu_load_queue", _FLOAT, _FLOAT, _any(core))
    packed = _block(
        "DAQ_PACKED_MODE",
        _enum(words.PACKED_GROUPINGS),
        _enum(words.PACKED_TIMESTAMPS),
        _enum(words.PACKED_DUTIES),
        _U16,
        _any(_tag("ALT_SAMPLE_COUNT", _U16, many=True)),
    )
    return (
        packed,
        _block("MIN_CYCLE_TIME", _U8, unit),
        _block("BUFFER_RESERVE_EVENT", _U8, _U8),
        _tag("CPU_LOAD_MAX", _FLOAT),
        _block("CPU_LOAD_CONSUMPTION_DAQ", lists),
        _block("CPU_LOAD_CONSUMPTION_STIM", lists),
        _block("CPU_LOAD_CONSUMPTION_QUEUE", queue),
        _block("CPU_LOAD_CONSUMPTION_QUEUE_STIM", queue),
    )


def _event(direction: AmlType) -> AmlType:
    return _struct(
        "xcp_event",
        *(_NAME, AmlText(9), _U16, direction, _U8, _U8, _U8, _U8),
        _any(
            *(_tag(tag, _U16) for tag in model.EVENT_NUMBERS),
            *_flags(*model.EVENT_FLAGS),
            _tag("CONSISTENCY", _enum(words.CONSISTENCIES)),
            _tag("DTO_CTR_DAQ_MODE", _enum(words.DTO_CTR_DAQ_MODES)),
            _tag("DTO_CTR_STIM_MODE", _enum(words.DTO_CTR_STIM_MODES)),
            *_cpu_loads(_U8),
        ),
    )


def _daq_list(direction: AmlType) -> AmlType:
    entry = _tag("ODT_ENTRY", _U8, _U32, _U8, _U8, _U8, many=True)
    return _struct(
        "xcp_daq_list",
        _U16,
        _any(
            _tag("DAQ_LIST_TYPE", direction),
            _tag("MAX_ODT", _U8),
            _tag("MAX_ODT_ENTRIES", _U8),
            _tag("FIRST_PID", _U8),
            _tag("EVENT_FIXED", _U16),
            _tag("DAQ_PACKED_MODE_SUPPORTED"),
            _block("PREDEFINED", _any(_block("ODT", _U8, _any(entry), many=True))),
        ),
    )


def _daq(unit: AmlType) -> AmlType:
    direction = _enum({"DAQ": 1, "STIM": 2, "DAQ_STIM": 3}, "xcp_direction")
    stim = _any(_tag("BIT_STIM_SUPPORTED"), _tag("MIN_ST_STIM", _U8))
    reserve = _any(_block("BUFFER_RESERVE", _U8, _U8))
    return _struct(
        "xcp_daq",
        _enum(model.CONFIG_TYPES),
        *(_U16, _U16, _U8),
        _enum(model.OPTIMISATIONS),
        _enum(model.EXTENSIONS),
        _enum(model.IDENTIFICATIONS),
        _enum(model.DAQ_GRANULARITIES),
        _U8,
        _enum(model.OVERLOADS),
        _any(
            _tag("DAQ_ALTERNATING_SUPPORTED", _U16),
            *_flags(*model.DAQ_FLAGS),
            _block("STIM", _enum(model.STIM_GRANULARITIES), _U8, stim),
            _block(
                "TIMESTAMP_SUPPORTED",
                *(_U16, _enum(model.TIMESTAMP_SIZES), unit),
                _any(_tag("TIMESTAMP_FIXED")),
            ),
            *(_tag(total, _U16) for total in model.DAQ_TOTALS),
            *(_tag(load, _FLOAT) for load in model.DAQ_LOADS),
            _block("CORE_LOAD_MAX", _U16, _FLOAT, many=True),
            _block("DAQ_MEMORY_CONSUMPTION", _U32, *(_U16,) * 5, reserve),
            _block("DAQ_LIST", _daq_list(direction), many=True),
            _block("EVENT", _event(direction), many=True),
        ),
    )


def _time_correlation(unit: AmlType) -> AmlType:
    characterization = _block("TIMESTAMP_CHARACTERIZATION", _U16, unit, _enum(words.CLOCK_SIZES))
    clock = _block(
        "CLOCK",
        AmlArray(_U8, 8),
        _enum(words.CLOCKS),
        _enum(words.READABILITIES),
        _enum(words.SYNCHRONISATIONS),
        _U8,
        _any(characterization),
        _U64,
        _enum(words.EPOCHS),
        many=True,
    )
    relation = _tag("DAQ_TIMESTAMPS_RELATE_TO", _enum(words.RELATIONS))
    return _any(relation, clock, name="xcp_time_correlation")


def _pgm() -> AmlType:
    sector = _block("SECTOR", _NAME, _U8, _U32, _U32, _U8, _U8, _U8, many=True)
    return _struct(
        "xcp_pgm", _enum(model.PGM_MODES), _U8, _U8, _any(sector, _comm_mode()), required=3
    )


def _segment() -> AmlType:
    checksum = _block(
        "CHECKSUM",
        _enum(model.CHECKSUMS),
        _any(
            _tag("MAX_BLOCK_SIZE", _U32),
            _tag("EXTERNAL_FUNCTION", _LONG_TEXT),
            _tag("MTA_BLOCK_SIZE_ALIGN", _U16),
        ),
    )
    page = _block(
        "PAGE",
        *(_U8, _enum(model.ECU_ACCESS), _enum(model.READ_ACCESS), _enum(model.WRITE_ACCESS)),
        _any(_tag("INIT_SEGMENT", _U8)),
        many=True,
    )
    return _struct(
        "xcp_segment",
        *(_U8,) * 5,
        _any(
            checksum,
            _tag("DEFAULT_PAGE_NUMBER", _U8),
            page,
            _block("ADDRESS_MAPPING", _U32, _U32, _U32, many=True),
            _tag("PGM_VERIFY", _U32),
        ),
    )


def _daq_event() -> AmlType:
    events = _any(_tag("EVENT", _U16, many=True), name="xcp_event_list")
    lists = ("AVAILABLE_EVENT_LIST", "DEFAULT_EVENT_LIST", "CONSISTENCY_EVENT_LIST")
    return _either(
        _tag("FIXED_EVENT_LIST", events),
        _tag("VARIABLE", _any(*(_block(tag, events) for tag in lists))),
    )


# ---- XCP, transports


def _bit_timing() -> tuple[AmlTag, ...]:
    return (
        _tag("SAMPLE_POINT", _U8),
        _tag("BTL_CYCLES", _U8),
        _tag("SJW", _U8),
        _tag("SYNC_EDGE", _enum(words.SYNC_EDGES)),
    )


def _subcommands(codes: Mapping[str, int]) -> AmlTag:
    return _tag("OPTIONAL_TL_SUBCMD", _enum(codes), many=True)


def _on_can(common: tuple[AmlTag, ...]) -> AmlType:
    choice = _either(_tag("VARIABLE"), _tag("FIXED", _U32))
    fixed = _any(_tag("FIXED", _U32, many=True))
    fd = _any(
        _tag("MAX_DLC", _U16),
        _tag("CAN_FD_DATA_TRANSFER_BAUDRATE", _U32),
        *_bit_timing(),
        _tag("MAX_DLC_REQUIRED"),
        _tag("SECONDARY_SAMPLE_POINT", _U8),
        _tag("TRANSCEIVER_DELAY_COMPENSATION", _enum({"OFF": 0, "ON": 1})),
    )
    identifiers = (tag for tag in model.CAN_NUMBERS if tag.startswith("CAN_ID"))
    return _struct(
        "xcp_on_can",
        _U16,
        _any(
            *(_tag(tag, _U32) for tag in identifiers),
            *_flags(*model.CAN_FLAGS),
            _tag("BAUDRATE", _U32),
            *_bit_timing(),
            _tag("SAMPLE_RATE", _enum(words.SAMPLE_RATES)),
            _block("DAQ_LIST_CAN_ID", _U16, choice, many=True),
            _block("EVENT_CAN_ID_LIST", _U16, fixed, many=True),
            _tag("MAX_BUS_LOAD", _U32),
            _block("CAN_FD", fd),
            _subcommands(words.CAN_SUBCOMMANDS),
            *common,
        ),
    )


def _on_ip(common: tuple[AmlTag, ...]) -> AmlType:
    return _struct(
        "xcp_on_ip",
        *(_U16, _U16),
        _any(
            *(_tag(tag, _LONG_TEXT) for tag in ("HOST_NAME", "ADDRESS", "IPV6")),
            _tag("MAX_BUS_LOAD", _U32),
            _tag("MAX_BIT_RATE", _U32),
            *_flags(*model.ALIGNMENTS),
            _subcommands(words.IP_SUBCOMMANDS),
            *common,
        ),
    )


def _on_sxi(common: tuple[AmlTag, ...]) -> AmlType:
    framing = _any(_block("FRAMING", _U8, _U8))
    return _struct(
        "xcp_on_sxi",
        *(_U16, _U32),
        _either(
            _tag("ASYNCH_FULL_DUPLEX_MODE", _enum(words.PARITIES), _enum(words.STOP_BITS), framing),
            *_flags(*words.SXI_SYNCHRONOUS),
        ),
        _enum(words.HEADERS),
        _enum(words.SXI_CHECKSUMS),
        _any(*common),
    )


def _on_usb(common: tuple[AmlTag, ...]) -> AmlType:
    endpoint = _struct(
        "xcp_usb_endpoint",
        *(_U8, _enum(words.TRANSFERS), _U16, _U8),
        *(_enum(words.PACKINGS), _enum(words.USB_ALIGNMENTS)),
        _any(_tag("RECOMMENDED_HOST_BUFSIZE", _U16)),
    )
    choice = _any(_tag("VARIABLE"), _tag("FIXED_IN", _U8), _tag("FIXED_OUT", _U8))
    return _struct(
        "xcp_on_usb",
        *(_U16, _U16, _U16, _U8, _enum(words.HEADERS)),
        _any(
            *(_block(tag, endpoint, many=tag.count("ONLY") > 0) for tag in words.USB_ENDPOINTS),
            _tag("ALTERNATE_SETTING_NO", _U8),
            _tag("INTERFACE_STRING_DESCRIPTOR", _NAME),
            _block("DAQ_LIST_USB_ENDPOINT", _U16, choice, many=True),
            _subcommands(words.USB_SUBCOMMANDS),
            *common,
        ),
    )


def _on_flx(common: tuple[AmlTag, ...]) -> AmlType:
    def slot(tag: str, value: AmlType) -> AmlTag:
        initial = _any(_tag("INITIAL_VALUE", value))
        return _tag(tag, _either(_tag("FIXED", value), _tag("VARIABLE", initial)))

    assignment = _enum(words.FLX_ASSIGNMENTS, "xcp_flx_assignment")
    lpdu = _any(
        slot("FLX_SLOT_ID", _U16),
        slot("OFFSET", _U8),
        slot("CYCLE_REPETITION", _U8),
        slot("CHANNEL", _enum(words.FLX_CHANNELS)),
    )
    buffer = _struct(
        "xcp_flx_buffer",
        _U8,
        _any(
            _tag("MAX_FLX_LEN_BUF", _either(_tag("FIXED", _U8), _tag("VARIABLE", _U8))),
            _block("LPDU_ID", lpdu),
            _block("XCP_PACKET", _any(*(_tag(tag, assignment) for tag in words.FLX_PACKETS))),
        ),
    )
    return _struct(
        "xcp_on_flx",
        *(_U16, _U16, _LONG_TEXT, _LONG_TEXT, _U8),
        *(_enum(words.FLX_HEADERS), _enum(words.FLX_ALIGNMENTS)),
        _any(
            *(_block(tag, buffer, many=tag == "POOL_BUFFER") for tag in words.FLX_BUFFERS),
            _subcommands(words.FLX_SUBCOMMANDS),
            *common,
        ),
    )


_TRANSPORTS: Final[dict[str, Callable[[tuple[AmlTag, ...]], AmlType]]] = {
    "XCP_ON_CAN": _on_can,
    "XCP_ON_SxI": _on_sxi,
    "XCP_ON_USB": _on_usb,
    "XCP_ON_FLX": _on_flx,
}


def _xcp() -> tuple[AmlTag, AmlTag]:
    """IF_DATA XCP and XCPplus; both at the module, at segments and at objects."""
    unit = _enum(model.UNITS, "xcp_time_unit")
    common = (
        _block("PROTOCOL_LAYER", _protocol_layer()),
        _block("DAQ", _daq(unit)),
        _block("PAG", _U8, _any(_tag("FREEZE_SUPPORTED"))),
        _block("PGM", _pgm()),
        _block("TIME_CORRELATION", _time_correlation(unit)),
    )
    own = (*common, _tag("TRANSPORT_LAYER_INSTANCE", _NAME))
    ip = _on_ip(own)
    everything = _any(
        *common,
        _block("SEGMENT", _segment()),
        _block("DAQ_EVENT", _daq_event()),
        *(_block(tag, make(own), many=True) for tag, make in _TRANSPORTS.items()),
        _block("XCP_ON_TCP_IP", ip, many=True),
        _block("XCP_ON_UDP_IP", ip, many=True),
        name="xcp",
    )
    plus = AmlStruct((_U16, everything), required=0)  # objects often leave the version out
    return _tag("XCP", everything), _tag("XCPplus", plus)


# ---- CCP and vendors


def _ccp() -> AmlTag:
    """IF_DATA ASAP1B_CCP (ASAP2, IF_DATA ASAP1B_CCP)."""
    place = (_U16, _U32, _U32)
    raster = _tag("RASTER", _U8, many=True)
    qp_blob = _block(
        "QP_BLOB",
        _U16,
        _any(
            _tag("LENGTH", _U16),
            _tag("CAN_ID_VARIABLE"),
            _tag("CAN_ID_FIXED", _U32),
            raster,
            _tag("EXCLUSIVE", _I16, many=True),
            _tag("REDUCTION_ALLOWED"),
            _tag("FIRST_PID", _U8),
        ),
    )
    source = _any(_tag("DISPLAY_IDENTIFIER", _NAME), qp_blob)
    kp_blob = _struct("ccp_kp_blob", *place, _any(raster), required=3)
    dp_blob = _struct("ccp_dp_blob", *place)
    kinds = (
        *("RAM", "ROM", "FLASH", "EEPROM", "RAM_INIT_BY_ECU", "RAM_INIT_BY_TOOL"),
        *("AUTO_FLASH_BACK", "FLASH_BACK", "DEFAULT"),
    )
    either = _enum({"DAQ": 0, "ODT": 1})
    checksum = _any(_tag("CHECKSUM_CALCULATION", _enum(("ACTIVE_PAGE", "BIT_OR_WITH_OPT_PAGE"))))
    tp_blob = _any(
        _block("CAN_PARAM", _U16, _U8, _U8),
        _tag("BAUDRATE", _U32),
        *_bit_timing(),
        _tag("SAMPLE_RATE", _enum(words.SAMPLE_RATES)),
        _tag("DAQ_MODE", _enum(("ALTERNATING", "BURST"))),
        *_flags("BYTES_ONLY", "RESUME_SUPPORTED", "STORE_SUPPORTED"),
        _tag("CONSISTENCY", either),
        _tag("ADDRESS_EXTENSION", either),
        _block("CHECKSUM_PARAM", _U16, _U32, checksum),
        _block("DEFINED_PAGES", _U16, _NAME, _U16, _U32, _U32, _any(*_flags(*kinds)), many=True),
        _tag("OPTIONAL_CMD", _U16, many=True),
    )
    return _tag(
        "ASAP1B_CCP",
        _any(
            _block("SOURCE", _NAME, _I16, _I32, source, many=True),
            _block(
                *("RASTER", _NAME, AmlText(9), _U8, _I16, _I32),
                _any(_tag("EXCLUSIVE", _U8, many=True)),
                many=True,
            ),
            _block("EVENT_GROUP", _NAME, AmlText(9), _any(raster), many=True),
            _block("SEED_KEY", _LONG_TEXT, _LONG_TEXT, _LONG_TEXT),
            _block("CHECKSUM", _LONG_TEXT),
            _block("TP_BLOB", _U16, _U16, _U32, _U32, _U16, _U16, tp_blob),
            _tag("DP_BLOB", dp_blob),
            _block("DP_BLOB", dp_blob),
            _tag("KP_BLOB", kp_blob),
            _block("KP_BLOB", kp_blob),
        ),
    )


def _canape_ext() -> AmlTag:
    """IF_DATA CANAPE_EXT of Vector tools: where a symbol lies and how it is shown."""
    link = AmlStruct((AmlText(1024), _I32, *(_U16,) * 2, _I32, *(_U16,) * 3), required=2)
    number = AmlNumber("double")
    return _tag(
        "CANAPE_EXT",
        _I16,
        _any(
            _tag("LINK_MAP", link),
            _tag("DISPLAY", AmlStruct((_I32, number, number), required=1)),
            _tag("VIRTUAL_CONVERSION", _LONG_TEXT),
        ),
    )


# ---- together


def _named(root: AmlType) -> dict[tuple[str, str], AmlType]:
    """Named types in an order in which each stands before its users."""
    found: dict[tuple[str, str], AmlType] = {}
    kinds = {AmlEnum: "enum", AmlStruct: "struct", AmlTaggedStruct: "taggedstruct"}

    def visit(made: Any) -> None:
        if isinstance(made, AmlStruct):
            inner: tuple[AmlType, ...] = made.members
        elif isinstance(made, (AmlTaggedStruct, AmlTaggedUnion)):
            inner = tuple(t.type for t in made.tags if t.type is not None)
        else:
            inner = (made.element,) if isinstance(made, (AmlSequence, AmlArray)) else ()
        for one in inner:
            visit(one)
        word = kinds.get(type(made))
        if word is not None and made.name:
            assert found.setdefault((word, made.name), made) is made, "a name stands for one type"

    visit(root)
    return found


@cache
def builtin_aml() -> Aml:
    """Types of IF_DATA XCP, XCPplus, ASAP1B_CCP and CANAPE_EXT."""
    root = AmlTaggedUnion((*_xcp(), _ccp(), _canape_ext()), "if_data")
    return Aml(root, _named(root))


@cache
def xcp_aml_text() -> str:
    """A2ML text of IF_DATA XCP, for descriptions that are generated."""
    root = AmlTaggedUnion((_xcp()[0],), "if_data")
    return write_aml(Aml(root, _named(root)))


def _no_includes(_name: str) -> str | None:
    return None


def module_aml(
    module: Module,
    diagnostics: list[Diagnostic] | None = None,
    *,
    loader: Loader = _no_includes,
) -> Aml:
    """Types of the IF_DATA of a module: its own A2ML first, built-in ones where that says nothing usable.

    Args:
        module: the module.
        diagnostics: findings in its A2ML are appended here.
        loader: gives the text of a file the A2ML includes, None when it is missing.
    """
    builtin = builtin_aml()
    if module.a2ml is None:
        return builtin
    own = parse_aml(module.a2ml.text, diagnostics, where=module.a2ml.where, loader=loader)
    usable = tuple(t for t in own.root.tags if t.type is None or is_complete(t.type))
    return Aml(AmlTaggedUnion(usable), own.named, own.missing).with_tags(*builtin.root.tags)
