"""Typed view of IF_DATA ASAP1B_CCP and of the link maps of CANAPE_EXT (ASAP2, IF_DATA ASAP1B_CCP)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted, as_block
from xcaliper.a2l.xcp_block import Block, integer_of
from xcaliper.core.diagnostics import Diagnostic

__all__ = [
    "CcpBlob",
    "CcpChecksum",
    "CcpDescription",
    "CcpEventGroup",
    "CcpPage",
    "CcpQpBlob",
    "CcpRaster",
    "CcpSource",
    "CcpTpBlob",
    "LinkMap",
    "cse_ns",
    "read_ccp",
    "read_ccp_blob",
    "read_link_map",
    "write_ccp",
    "write_ccp_blob",
]

NAME: Final = "ASAP1B_CCP"
_CCP: Final = "CCP"
_PAGE_KINDS: Final = (
    "RAM",
    "ROM",
    "FLASH",
    "EEPROM",
    "RAM_INIT_BY_ECU",
    "RAM_INIT_BY_TOOL",
    "AUTO_FLASH_BACK",
    "FLASH_BACK",
    "DEFAULT",
)
_SECOND_NS: Final = 1_000_000_000
_CSE_NS: Final = {
    **{code: 1000 * 10**code for code in range(8)},
    8: 60 * _SECOND_NS,
    9: 3600 * _SECOND_NS,
    10: 86400 * _SECOND_NS,
}


def cse_ns(unit: int, rate: int) -> int | None:
    """Period of a raster in nanoseconds; None for units that are not time (ASAP2, CSE unit codes).

    Args:
        unit: CSE code.
        rate: how many of it.
    """
    length = _CSE_NS.get(unit)
    return None if length is None else length * rate


@dataclass(frozen=True, slots=True)
class CcpQpBlob:
    """QP_BLOB: one DAQ list; ``length`` counts ODTs, ``can_id`` None may be chosen."""

    daq_list: int
    length: int = 0
    can_id: int | None = None
    rasters: tuple[int, ...] = ()
    exclusive: tuple[int, ...] = ()
    reduction_allowed: bool = False
    first_pid: int | None = None


@dataclass(frozen=True, slots=True)
class CcpSource:
    """SOURCE: a DAQ list with its slowest rate as CSE unit and factor."""

    name: str
    unit: int = 0
    rate: int = 0
    display_identifier: str | None = None
    qp_blob: CcpQpBlob | None = None


@dataclass(frozen=True, slots=True)
class CcpRaster:
    """RASTER: an event channel with its period as CSE unit and factor."""

    name: str
    short_name: str = ""
    event_channel: int = 0
    unit: int = 0
    rate: int = 0
    exclusive: tuple[int, ...] = ()

    @property
    def period_ns(self) -> int | None:
        """Nominal period; None when it does not follow time."""
        return cse_ns(self.unit, self.rate)


@dataclass(frozen=True, slots=True)
class CcpEventGroup:
    """EVENT_GROUP: rasters under one name."""

    name: str
    short_name: str = ""
    rasters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CcpChecksum:
    """CHECKSUM_PARAM: procedure code, largest block, which page is summed."""

    procedure: int = 0
    max_block: int = 0
    calculation: str | None = None


@dataclass(frozen=True, slots=True)
class CcpPage:
    """DEFINED_PAGES: a memory page and its kinds."""

    number: int
    name: str = ""
    extension: int = 0
    address: int = 0
    size: int = 0
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CcpTpBlob:
    """TP_BLOB: how the ECU is reached and what it can.

    Attributes:
        cro_id: identifier to the ECU; bit 31 means 29 bits.
        dto_id: identifier from the ECU.
        byte_order: 1 high byte first, 2 low byte first.
        can_param: kHz and the two bit-timing registers.
        words: SAMPLE_RATE, SYNC_EDGE, DAQ_MODE, CONSISTENCY and ADDRESS_EXTENSION as far as they are said.
        numbers: BAUDRATE, SAMPLE_POINT, BTL_CYCLES and SJW as far as they are said.
        flags: BYTES_ONLY, RESUME_SUPPORTED and STORE_SUPPORTED as far as they are said.
    """

    ccp_version: int = 0x0201
    blob_version: int = 0
    cro_id: int = 0
    dto_id: int = 0
    station_address: int = 0
    byte_order: int = 1
    can_param: tuple[int, int, int] | None = None
    words: tuple[tuple[str, str], ...] = ()
    numbers: tuple[tuple[str, int], ...] = ()
    flags: tuple[str, ...] = ()
    checksum: CcpChecksum | None = None
    pages: tuple[CcpPage, ...] = ()
    optional_cmds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CcpDescription:
    """Everything a module says about CCP."""

    sources: tuple[CcpSource, ...] = ()
    rasters: tuple[CcpRaster, ...] = ()
    event_groups: tuple[CcpEventGroup, ...] = ()
    seed_key: tuple[str, str, str] | None = None
    checksum: str | None = None
    tp_blob: CcpTpBlob | None = None


@dataclass(frozen=True, slots=True)
class CcpBlob:
    """KP_BLOB or DP_BLOB at an object: where it lies; rasters for KP_BLOB."""

    address: int
    length: int = 0
    extension: int = 0
    rasters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkMap:
    """LINK_MAP of CANAPE_EXT: the linker symbol of an object (Vector CANAPE_EXT).

    Attributes:
        symbol: name in the map file.
        address: address of the symbol.
        extension: its address extension.
        relative: the address is relative to a data segment.
        offset: distance of the object from the symbol.
        datatype: type code; None when it is not valid.
        bit_offset: bit position.
    """

    symbol: str
    address: int = 0
    extension: int = 0
    relative: bool = False
    offset: int = 0
    datatype: int | None = None
    bit_offset: int = 0


# ---- reading


def _numbers(block: Block, tag: str) -> tuple[int, ...]:
    return tuple(integer_of(v[0]) for name, v, _ in block.tags({tag: 1}) if name == tag and v)


def read_ccp(
    if_data: Iterable[IfData], diagnostics: list[Diagnostic] | None = None
) -> CcpDescription | None:
    """What the IF_DATA of a module say about CCP; None when they say nothing.

    Args:
        if_data: the ``if_data`` of a module.
        diagnostics: findings are appended here.
    """
    found = diagnostics if diagnostics is not None else []
    data = next((d for d in if_data if d.name == NAME), None)
    if data is None:
        return None
    many: dict[str, list[Any]] = {"SOURCE": [], "RASTER": [], "EVENT_GROUP": []}
    made: dict[str, Any] = {}
    block = Block(as_block(data), found, "", _CCP)
    for tag, _, inner in block.tags({}):
        if inner is None:
            continue
        if tag == "SOURCE":
            many[tag].append(_source(inner))
        elif tag == "RASTER":
            many[tag].append(_raster(inner))
        elif tag == "EVENT_GROUP":
            group = inner.text("name"), inner.text("short name")
            many[tag].append(CcpEventGroup(*group, _numbers(inner, "RASTER")))
        elif tag == "SEED_KEY":
            made["seed_key"] = inner.text("CAL"), inner.text("DAQ"), inner.text("PGM")
        elif tag == "CHECKSUM":
            made["checksum"] = inner.text("function")
        elif tag == "TP_BLOB":
            made["tp_blob"] = _tp_blob(inner)
        elif tag not in ("DP_BLOB", "KP_BLOB"):
            block.unknown(tag)
    return CcpDescription(
        tuple(many["SOURCE"]), tuple(many["RASTER"]), tuple(many["EVENT_GROUP"]), **made
    )


def _source(block: Block) -> CcpSource:
    name, unit, rate = block.text("name"), block.integer("unit"), block.integer("rate")
    made: dict[str, Any] = {}
    for tag, values, inner in block.tags({"DISPLAY_IDENTIFIER": 1}):
        if inner is None:
            made["display_identifier"] = values[0]
        elif tag == "QP_BLOB":
            made["qp_blob"] = _qp_blob(inner)
        else:
            block.unknown(tag)
    return CcpSource(name, unit, rate, **made)


_QP_TAGS: Final = {
    "LENGTH": 1,
    "CAN_ID_VARIABLE": 0,
    "CAN_ID_FIXED": 1,
    "RASTER": 1,
    "EXCLUSIVE": 1,
    "REDUCTION_ALLOWED": 0,
    "FIRST_PID": 1,
}


def _qp_blob(block: Block) -> CcpQpBlob:
    number = block.integer("DAQ list")
    made: dict[str, Any] = {}
    lists: dict[str, list[int]] = {"RASTER": [], "EXCLUSIVE": []}
    names = {"LENGTH": "length", "CAN_ID_FIXED": "can_id", "FIRST_PID": "first_pid"}
    for tag, values, inner in block.tags(_QP_TAGS):
        if inner is not None:
            block.unknown(tag)
        elif tag in lists:
            lists[tag].append(integer_of(values[0]))
        elif tag in names:
            made[names[tag]] = integer_of(values[0])
        elif tag == "REDUCTION_ALLOWED":
            made["reduction_allowed"] = True
    return CcpQpBlob(
        number, rasters=tuple(lists["RASTER"]), exclusive=tuple(lists["EXCLUSIVE"]), **made
    )


def _raster(block: Block) -> CcpRaster:
    return CcpRaster(
        block.text("name"),
        block.text("short name"),
        block.integer("event channel"),
        block.integer("unit"),
        block.integer("rate"),
        _numbers(block, "EXCLUSIVE"),
    )


_TP_WORDS: Final = ("SAMPLE_RATE", "SYNC_EDGE", "DAQ_MODE", "CONSISTENCY", "ADDRESS_EXTENSION")
_TP_NUMBERS: Final = ("BAUDRATE", "SAMPLE_POINT", "BTL_CYCLES", "SJW")
_TP_FLAGS: Final = ("BYTES_ONLY", "RESUME_SUPPORTED", "STORE_SUPPORTED")
_TP_TAGS: Final = {
    **dict.fromkeys(_TP_WORDS, 1),
    **dict.fromkeys(_TP_NUMBERS, 1),
    **dict.fromkeys(_TP_FLAGS, 0),
    "OPTIONAL_CMD": 1,
}


def _tp_blob(block: Block) -> CcpTpBlob:
    head = [
        block.integer(name)
        for name in (
            *("CCP version", "blob version", "CAN identifier to the ECU"),
            *("CAN identifier from the ECU", "station address", "byte order"),
        )
    ]
    made: dict[str, Any] = {}
    words: list[tuple[str, str]] = []
    numbers: list[tuple[str, int]] = []
    flags: list[str] = []
    pages: list[CcpPage] = []
    commands: list[int] = []
    for tag, values, inner in block.tags(_TP_TAGS):
        if inner is not None:
            if tag == "CAN_PARAM":
                made["can_param"] = tuple(inner.integer(n) for n in ("kHz", "BTR0", "BTR1"))
            elif tag == "CHECKSUM_PARAM":
                made["checksum"] = _checksum(inner)
            elif tag == "DEFINED_PAGES":
                pages.append(_page(inner))
            else:
                block.unknown(tag)
        elif tag in _TP_WORDS:
            words.append((tag, values[0]))
        elif tag in _TP_NUMBERS:
            numbers.append((tag, integer_of(values[0])))
        elif tag in _TP_FLAGS:
            flags.append(tag)
        else:
            commands.append(integer_of(values[0]))
    made |= {"words": tuple(words), "numbers": tuple(numbers), "flags": tuple(flags)}
    made |= {"pages": tuple(pages), "optional_cmds": tuple(commands)}
    version, blob, cro_id, dto_id, station, order = head
    return CcpTpBlob(version, blob, cro_id, dto_id, station, order, **made)


def _checksum(block: Block) -> CcpChecksum:
    procedure, size = block.integer("procedure"), block.integer("largest block")
    calculation = [v[0] for _, v, _ in block.tags({"CHECKSUM_CALCULATION": 1}) if v]
    return CcpChecksum(procedure, size, calculation[0] if calculation else None)


def _page(block: Block) -> CcpPage:
    return CcpPage(
        block.integer("number"),
        block.text("name"),
        block.integer("extension"),
        block.integer("address"),
        block.integer("length"),
        tuple(tag for tag, _, inner in block.tags(dict.fromkeys(_PAGE_KINDS, 0)) if inner is None),
    )


def read_ccp_blob(
    if_data: Iterable[IfData], diagnostics: list[Diagnostic] | None = None
) -> CcpBlob | None:
    """The KP_BLOB or DP_BLOB of an object, with or without ``/begin``; None when there is none."""
    found = diagnostics if diagnostics is not None else []
    for data in if_data:
        if data.name != NAME:
            continue
        for at, item in enumerate(data.items):
            tag = item.tag if isinstance(item, IfBlock) else item
            if tag in ("KP_BLOB", "DP_BLOB"):
                if isinstance(item, IfBlock):
                    return _blob(Block(item, found, "", _CCP))
                plain = as_block(data, data.items[at + 1 :], tag)
                return _blob(Block(plain, found, data.where.source, _CCP))
    return None


def _blob(block: Block) -> CcpBlob:
    extension = block.integer("extension")
    address, length = block.integer("address"), block.integer("length")
    return CcpBlob(address, length, extension, _numbers(block, "RASTER"))


def read_link_map(if_data: Iterable[IfData]) -> LinkMap | None:
    """The LINK_MAP of an object; None when there is none."""
    for data in if_data:
        if data.name != "CANAPE_EXT" or "LINK_MAP" not in data.items:
            continue
        words = data.items[data.items.index("LINK_MAP") + 1 :]
        if not words or not isinstance(words[0], str):
            continue
        numbers: list[int] = []
        for word in words[1:8]:
            if not isinstance(word, str) or isinstance(word, Quoted) or not _is_number(word):
                break
            numbers.append(integer_of(word))
        numbers += [0] * (7 - len(numbers))
        address, extension, relative, offset, valid, datatype, bit_offset = numbers
        return LinkMap(
            str(words[0]),
            address & 0xFFFF_FFFF if address < 0 else address,
            extension,
            bool(relative),
            offset,
            datatype if valid else None,
            bit_offset,
        )
    return None


def _is_number(word: str) -> bool:
    return word.lstrip("+-")[:1].isdigit()


# ---- writing


def write_ccp(made: CcpDescription) -> IfData:
    """IF_DATA of a module."""
    items: list[IfItem] = [
        *map(_write_source, made.sources),
        *map(_write_raster, made.rasters),
        *map(_write_group, made.event_groups),
    ]
    if made.seed_key is not None:
        items.append(IfBlock("SEED_KEY", [Quoted(name) for name in made.seed_key]))
    if made.checksum is not None:
        items.append(IfBlock("CHECKSUM", [Quoted(made.checksum)]))
    if made.tp_blob is not None:
        items.append(_write_tp_blob(made.tp_blob))
    return IfData(NAME, items)


def _repeat(tag: str, numbers: Iterable[int]) -> list[IfItem]:
    return [word for number in numbers for word in (tag, str(number))]


def _write_source(made: CcpSource) -> IfBlock:
    items: list[IfItem] = [Quoted(made.name), str(made.unit), str(made.rate)]
    if made.display_identifier is not None:
        items += ["DISPLAY_IDENTIFIER", Quoted(made.display_identifier)]
    blob = made.qp_blob
    if blob is not None:
        can_id = ["CAN_ID_VARIABLE"] if blob.can_id is None else ["CAN_ID_FIXED", hex(blob.can_id)]
        inner: list[IfItem] = [str(blob.daq_list), "LENGTH", str(blob.length), *can_id]
        inner += _repeat("RASTER", blob.rasters) + _repeat("EXCLUSIVE", blob.exclusive)
        if blob.reduction_allowed:
            inner.append("REDUCTION_ALLOWED")
        if blob.first_pid is not None:
            inner += ["FIRST_PID", str(blob.first_pid)]
        items.append(IfBlock("QP_BLOB", inner))
    return IfBlock("SOURCE", items)


def _write_raster(made: CcpRaster) -> IfBlock:
    names: list[IfItem] = [Quoted(made.name), Quoted(made.short_name)]
    numbers = map(str, (made.event_channel, made.unit, made.rate))
    return IfBlock("RASTER", [*names, *numbers, *_repeat("EXCLUSIVE", made.exclusive)])


def _write_group(made: CcpEventGroup) -> IfBlock:
    names: list[IfItem] = [Quoted(made.name), Quoted(made.short_name)]
    return IfBlock("EVENT_GROUP", names + _repeat("RASTER", made.rasters))


def _write_tp_blob(made: CcpTpBlob) -> IfBlock:
    items: list[IfItem] = [
        f"0x{made.ccp_version:X}",
        f"0x{made.blob_version:X}",
        f"0x{made.cro_id:X}",
        f"0x{made.dto_id:X}",
        f"0x{made.station_address:X}",
        str(made.byte_order),
    ]
    if made.can_param is not None:
        items.append(IfBlock("CAN_PARAM", [str(number) for number in made.can_param]))
    for tag, word in made.words:
        items += [tag, word]
    for tag, number in made.numbers:
        items += [tag, str(number)]
    items += made.flags
    if made.checksum is not None:
        inner: list[IfItem] = [str(made.checksum.procedure), str(made.checksum.max_block)]
        if made.checksum.calculation is not None:
            inner += ["CHECKSUM_CALCULATION", made.checksum.calculation]
        items.append(IfBlock("CHECKSUM_PARAM", inner))
    for page in made.pages:
        numbers = (str(page.extension), f"0x{page.address:X}", f"0x{page.size:X}")
        inner = [str(page.number), Quoted(page.name), *numbers, *page.kinds]
        items.append(IfBlock("DEFINED_PAGES", inner))
    return IfBlock("TP_BLOB", items + _repeat("OPTIONAL_CMD", made.optional_cmds))


def write_ccp_blob(made: CcpBlob, *, tag: str = "KP_BLOB") -> IfData:
    """IF_DATA of an object: KP_BLOB of a measurement, DP_BLOB of a parameter or segment."""
    words = [tag, str(made.extension), f"0x{made.address:X}", str(made.length)]
    return IfData(NAME, [*words, *_repeat("RASTER", made.rasters)])
