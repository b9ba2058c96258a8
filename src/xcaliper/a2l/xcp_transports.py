"""XCP on SxI, USB and FlexRay in IF_DATA, both directions (ASAP2, IF_DATA XCP XCP_ON_SxI, _USB, _FLX)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from xcaliper.a2l import xcp_words as words
from xcaliper.a2l.ifdata import IfBlock, IfItem, Quoted
from xcaliper.a2l.xcp_block import Block, integer_of
from xcaliper.a2l.xcp_model import XcpTransport

__all__ = [
    "XcpFlxBuffer",
    "XcpFlxValue",
    "XcpOnFlx",
    "XcpOnSxI",
    "XcpOnUsb",
    "XcpUsbEndpoint",
    "read_on_flx",
    "read_on_sxi",
    "read_on_usb",
    "write_on_flx",
    "write_on_sxi",
    "write_on_usb",
]

Common = Callable[[str, Block, dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class XcpOnSxI(XcpTransport):
    """XCP_ON_SxI: a serial line.

    Attributes:
        mode: ``ASYNCH_FULL_DUPLEX_MODE`` or one of the synchronous modes.
        parity: word, for the asynchronous mode.
        stop_bits: 1 or 2, for the asynchronous mode.
        framing: SYNC and ESC octets, None without framing.
        header: code of the header form.
        checksum: bytes of the tail's checksum, 0 to 2.
    """

    version: int = 0x0104
    baudrate: int = 115200
    mode: str = "ASYNCH_FULL_DUPLEX_MODE"
    parity: str = "PARITY_NONE"
    stop_bits: int = 1
    framing: tuple[int, int] | None = None
    header: int = 0
    checksum: int = 0
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpUsbEndpoint:
    """One endpoint; ``role`` is the keyword of its block, the other words their codes."""

    role: str
    number: int
    transfer: int = 2
    max_packet_size: int = 64
    polling_interval: int = 0
    packing: int = 0
    alignment: int = 0
    host_buffer_size: int | None = None


@dataclass(frozen=True, slots=True)
class XcpOnUsb(XcpTransport):
    """XCP_ON_USB: identifiers, endpoints, and which DAQ list uses which.

    Attributes:
        daq_list_endpoints: list number, fixed IN endpoint, fixed OUT endpoint; None is free.
    """

    version: int = 0x0104
    vendor_id: int = 0
    product_id: int = 0
    interfaces: int = 1
    header: int = 0
    endpoints: tuple[XcpUsbEndpoint, ...] = ()
    alternate_setting: int | None = None
    interface_string: str | None = None
    daq_list_endpoints: tuple[tuple[int, int | None, int | None], ...] = ()
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpFlxValue:
    """A value that is fixed, or may be changed and starts with an initial one."""

    fixed: bool = False
    initial: int | None = None


@dataclass(frozen=True, slots=True)
class XcpFlxBuffer:
    """A FlexRay buffer; ``role`` is the keyword of its block.

    Attributes:
        max_length: MAX_FLX_LEN_BUF.
        packets: kind of packet → how it may be assigned.
    """

    role: str
    number: int
    max_length: XcpFlxValue | None = None
    slot_id: XcpFlxValue | None = None
    offset: XcpFlxValue | None = None
    cycle_repetition: XcpFlxValue | None = None
    channel: XcpFlxValue | None = None
    packets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class XcpOnFlx(XcpTransport):
    """XCP_ON_FLX: cluster, node address and buffers."""

    version: int = 0x0104
    t1_flx: int = 0
    fibex_file: str = ""
    cluster: str = ""
    nax: int = 0
    header: int = 0
    packet_alignment: int = 0
    buffers: tuple[XcpFlxBuffer, ...] = ()
    optional_subcmds: tuple[str, ...] = ()


# ---- reading

_SHARED: Final = {"OPTIONAL_TL_SUBCMD": 1, "TRANSPORT_LAYER_INSTANCE": 1}


def _shared(tag: str, values: list[str], made: dict[str, Any]) -> None:
    """Words that every transport has."""
    if tag == "OPTIONAL_TL_SUBCMD" and values:
        made["optional_subcmds"] = (*made.get("optional_subcmds", ()), values[0])
    elif tag == "TRANSPORT_LAYER_INSTANCE" and values:
        made["instance"] = values[0]


def read_on_sxi(block: Block, common: Common) -> XcpOnSxI:
    """An XCP_ON_SxI block."""
    made: dict[str, Any] = {
        "version": block.integer("version", 0x0100),
        "baudrate": block.integer("baud rate", 115200),
    }
    modes = ("ASYNCH_FULL_DUPLEX_MODE", *words.SXI_SYNCHRONOUS)
    made["mode"] = block.choice("mode", modes)
    if made["mode"] == modes[0]:
        made["parity"] = block.choice("parity", words.PARITIES)
        made["stop_bits"] = block.word("stop bits", words.STOP_BITS)
    item = block.reader.peek()
    if isinstance(item, IfBlock) and item.tag == "FRAMING":
        block.reader.at += 1
        framing = Block(item, block.found, block.source)
        made["framing"] = framing.integer("SYNC"), framing.integer("ESC")
    made["header"] = block.word("header", words.HEADERS)
    made["checksum"] = block.word("checksum", words.SXI_CHECKSUMS)
    for tag, values, inner in block.tags(_SHARED):
        if inner is None:
            _shared(tag, values, made)
        elif not common(tag, inner, made):
            block.unknown(tag)
    return XcpOnSxI(**made)


_USB_TAGS: Final = {**_SHARED, "ALTERNATE_SETTING_NO": 1, "INTERFACE_STRING_DESCRIPTOR": 1}


def read_on_usb(block: Block, common: Common) -> XcpOnUsb:
    """An XCP_ON_USB block."""
    made: dict[str, Any] = {
        "version": block.integer("version", 0x0100),
        "vendor_id": block.integer("vendor"),
        "product_id": block.integer("product"),
        "interfaces": block.integer("number of interfaces", 1),
        "header": block.word("header", words.HEADERS),
    }
    endpoints: list[XcpUsbEndpoint] = []
    lists: list[tuple[int, int | None, int | None]] = []
    for tag, values, inner in block.tags(_USB_TAGS):
        if inner is None:
            if tag == "ALTERNATE_SETTING_NO":
                made["alternate_setting"] = integer_of(values[0])
            elif tag == "INTERFACE_STRING_DESCRIPTOR":
                made["interface_string"] = values[0]
            else:
                _shared(tag, values, made)
        elif tag in words.USB_ENDPOINTS:
            endpoints.append(_endpoint(tag, inner))
        elif tag == "DAQ_LIST_USB_ENDPOINT":
            lists.append(_list_endpoint(inner))
        elif not common(tag, inner, made):
            block.unknown(tag)
    return XcpOnUsb(**made, endpoints=tuple(endpoints), daq_list_endpoints=tuple(lists))


def _endpoint(role: str, block: Block) -> XcpUsbEndpoint:
    made = XcpUsbEndpoint(
        role,
        block.integer("number"),
        block.word("transfer", words.TRANSFERS),
        block.integer("largest packet"),
        block.integer("polling interval"),
        block.word("packing", words.PACKINGS),
        block.word("alignment", words.USB_ALIGNMENTS),
    )
    for _, values, _inner in block.tags({"RECOMMENDED_HOST_BUFSIZE": 1}):
        if values:
            made = replace(made, host_buffer_size=integer_of(values[0]))
    return made


def _list_endpoint(block: Block) -> tuple[int, int | None, int | None]:
    number = block.integer("DAQ list number")
    fixed: dict[str, int] = {}
    for tag, values, _ in block.tags({"VARIABLE": 0, "FIXED_IN": 1, "FIXED_OUT": 1}):
        if values:
            fixed[tag] = integer_of(values[0])
    return number, fixed.get("FIXED_IN"), fixed.get("FIXED_OUT")


def read_on_flx(block: Block, common: Common) -> XcpOnFlx:
    """An XCP_ON_FLX block."""
    made: dict[str, Any] = {
        "version": block.integer("version", 0x0100),
        "t1_flx": block.integer("T1_FLX"),
        "fibex_file": block.text("FIBEX file"),
        "cluster": block.text("cluster"),
        "nax": block.integer("NAX"),
        "header": block.word("header", words.FLX_HEADERS),
        "packet_alignment": block.word("packet alignment", words.FLX_ALIGNMENTS),
    }
    buffers: list[XcpFlxBuffer] = []
    for tag, values, inner in block.tags(_SHARED):
        if inner is None:
            _shared(tag, values, made)
        elif tag in words.FLX_BUFFERS:
            buffers.append(_buffer(tag, inner))
        elif not common(tag, inner, made):
            block.unknown(tag)
    return XcpOnFlx(**made, buffers=tuple(buffers))


_LPDU: Final = {
    "FLX_SLOT_ID": "slot_id",
    "OFFSET": "offset",
    "CYCLE_REPETITION": "cycle_repetition",
    "CHANNEL": "channel",
}


def _values(block: Block, names: dict[str, str]) -> dict[str, XcpFlxValue]:
    """Values that are FIXED, or VARIABLE with or without INITIAL_VALUE; MAX_FLX_LEN_BUF says VARIABLE n."""
    found: dict[str, XcpFlxValue] = {}
    current = ""
    plain = {**dict.fromkeys(names, 0), "FIXED": 1, "VARIABLE": 0, "INITIAL_VALUE": 1}
    if "MAX_FLX_LEN_BUF" in names:
        plain["VARIABLE"] = 1
    for tag, values, inner in block.tags(plain):
        if inner is not None:
            block.unknown(tag)
        elif tag in names:
            current = names[tag]
        elif current:
            word = values[0] if values else None
            code = None if word is None else words.FLX_CHANNELS.get(word, integer_of(word))
            found[current] = XcpFlxValue(tag == "FIXED", code)
    return found


def _buffer(role: str, block: Block) -> XcpFlxBuffer:
    made: dict[str, Any] = {"number": block.integer("number")}
    lengths = IfBlock(block.block.tag, [i for i in block.reader.items[1:] if isinstance(i, str)])
    made |= _values(Block(lengths, block.found, block.source), {"MAX_FLX_LEN_BUF": "max_length"})
    for item in block.reader.items:
        if not isinstance(item, IfBlock):
            continue
        inner = Block(item, block.found, block.source)
        if item.tag == "LPDU_ID":
            made |= _values(inner, _LPDU)
        elif item.tag == "XCP_PACKET":
            kinds = inner.tags(dict.fromkeys(words.FLX_PACKETS, 1))
            made["packets"] = tuple((tag, values[0]) for tag, values, _ in kinds if values)
        else:
            block.unknown(item.tag)
    return XcpFlxBuffer(role, **made)


# ---- writing


def _word(table: dict[str, int], code: int) -> str:
    return next(word for word, value in table.items() if value == code)


def _write_shared(made: Any) -> list[IfItem]:
    items: list[IfItem] = []
    for command in made.optional_subcmds:
        items += ["OPTIONAL_TL_SUBCMD", command]
    if made.instance is not None:
        items += ["TRANSPORT_LAYER_INSTANCE", Quoted(made.instance)]
    return items


def write_on_sxi(made: XcpOnSxI, common: Iterable[IfItem]) -> IfBlock:
    """An XCP_ON_SxI block.

    Args:
        made: the values.
        common: its own PROTOCOL_LAYER, DAQ and so on.
    """
    items: list[IfItem] = [f"0x{made.version:04X}", str(made.baudrate), made.mode]
    if made.mode == "ASYNCH_FULL_DUPLEX_MODE":
        items += [made.parity, _word(words.STOP_BITS, made.stop_bits)]
    if made.framing is not None:
        items.append(IfBlock("FRAMING", [f"0x{octet:02X}" for octet in made.framing]))
    items += [_word(words.HEADERS, made.header), _word(words.SXI_CHECKSUMS, made.checksum)]
    return IfBlock("XCP_ON_SxI", [*items, *_write_shared(made), *common])


def write_on_usb(made: XcpOnUsb, common: Iterable[IfItem]) -> IfBlock:
    """An XCP_ON_USB block; arguments as for ``write_on_sxi``."""
    items: list[IfItem] = [
        f"0x{made.version:04X}",
        f"0x{made.vendor_id:04X}",
        f"0x{made.product_id:04X}",
        str(made.interfaces),
        _word(words.HEADERS, made.header),
    ]
    for endpoint in made.endpoints:
        inner: list[IfItem] = [
            str(endpoint.number),
            _word(words.TRANSFERS, endpoint.transfer),
            str(endpoint.max_packet_size),
            str(endpoint.polling_interval),
            _word(words.PACKINGS, endpoint.packing),
            _word(words.USB_ALIGNMENTS, endpoint.alignment),
        ]
        if endpoint.host_buffer_size is not None:
            inner += ["RECOMMENDED_HOST_BUFSIZE", str(endpoint.host_buffer_size)]
        items.append(IfBlock(endpoint.role, inner))
    if made.alternate_setting is not None:
        items += ["ALTERNATE_SETTING_NO", str(made.alternate_setting)]
    if made.interface_string is not None:
        items += ["INTERFACE_STRING_DESCRIPTOR", Quoted(made.interface_string)]
    for number, fixed_in, fixed_out in made.daq_list_endpoints:
        inner = [str(number)]
        if fixed_in is None and fixed_out is None:
            inner.append("VARIABLE")
        inner += ["FIXED_IN", str(fixed_in)] if fixed_in is not None else []
        inner += ["FIXED_OUT", str(fixed_out)] if fixed_out is not None else []
        items.append(IfBlock("DAQ_LIST_USB_ENDPOINT", inner))
    return IfBlock("XCP_ON_USB", [*items, *_write_shared(made), *common])


def write_on_flx(made: XcpOnFlx, common: Iterable[IfItem]) -> IfBlock:
    """An XCP_ON_FLX block; arguments as for ``write_on_sxi``."""
    items: list[IfItem] = [
        f"0x{made.version:04X}",
        str(made.t1_flx),
        Quoted(made.fibex_file),
        Quoted(made.cluster),
        str(made.nax),
        _word(words.FLX_HEADERS, made.header),
        _word(words.FLX_ALIGNMENTS, made.packet_alignment),
    ]
    items += map(_write_buffer, made.buffers)
    return IfBlock("XCP_ON_FLX", [*items, *_write_shared(made), *common])


def _write_value(tag: str, made: XcpFlxValue, *, plain: bool = False) -> list[IfItem]:
    shown = "0" if made.initial is None else str(made.initial)
    if tag == "CHANNEL":
        shown = "B" if made.initial == 1 else "A"
    if made.fixed:
        return [tag, "FIXED", shown]
    if plain:
        return [tag, "VARIABLE", shown]
    return [tag, "VARIABLE", *(["INITIAL_VALUE", shown] if made.initial is not None else [])]


def _write_buffer(made: XcpFlxBuffer) -> IfBlock:
    items: list[IfItem] = [str(made.number)]
    if made.max_length is not None:
        items += _write_value("MAX_FLX_LEN_BUF", made.max_length, plain=True)
    lpdu: list[IfItem] = []
    for tag, attr in _LPDU.items():
        value: XcpFlxValue | None = getattr(made, attr)
        if value is not None:
            lpdu += _write_value(tag, value)
    if lpdu:
        items.append(IfBlock("LPDU_ID", lpdu))
    if made.packets:
        inner: list[IfItem] = [word for packet in made.packets for word in packet]
        items.append(IfBlock("XCP_PACKET", inner))
    return IfBlock(made.role, items)
