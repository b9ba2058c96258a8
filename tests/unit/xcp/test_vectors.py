"""Every golden vector decodes to its fields and encodes back to its bytes; none is skipped."""

from collections import Counter

import pytest

from support.golden import DOCUMENT, TABLES, VECTORS, check_fields, order_of
from xcaliper.wire.codec import codec_for, encode
from xcaliper.wire.layout import Packet
from xcaliper.xcp.checksum import checksum
from xcaliper.xcp.codes import ChecksumType, ErrorCode
from xcaliper.xcp.dto import decode_dto, encode_dto, join_packed, split_packed
from xcaliper.xcp.events import (
    EvTimeSyncShort,
    decode_event,
    decode_service,
)
from xcaliper.xcp.framing.can import CanFraming, CanReader
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader
from xcaliper.xcp.framing.flexray import FlexRayFraming, FlexRayReader, FlxHeader
from xcaliper.xcp.framing.header import LengthHeader
from xcaliper.xcp.framing.sxi import SxiChecksum, SxiFormat, SxiFraming, SxiReader
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.refusals import decode_refusal
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import EthGetSlaveIdResponse, clock_multicast_address, ip_to_bytes

LAYERS = {"xcp": 378, "eth": 13, "can": 9, "sxi": 17, "flx": 12}


def check_command(vector, packet, table):
    info = table.find(packet)
    ag = vector.get("context", {}).get("address_granularity", 1)
    codec = codec_for(info.request, order_of(vector), ag)
    request = codec.decode(packet)
    wanted = vector["fields"].get("command", info.name)
    assert wanted in (info.name, "TRANSPORT_LAYER_CMD")
    if "sub_command" in vector["fields"]:
        assert vector["fields"]["sub_command"] == packet[1]
    return info, codec, request


def request_for(vector):
    """The request that the response of a vector answers, as far as its layout depends on it."""
    fields, context = vector["fields"], vector.get("context", {})
    info = TABLES["xcp"][fields["command"]]
    names = {name for name, _ in info.request.__layout__.terms}
    known = {"count": context.get("n"), "mode": fields.get("mode"), "segment": 0, "sector": 0}
    if info.name in ("GET_SEGMENT_INFO", "GET_SECTOR_INFO") or (
        info.name == "UPLOAD" and known["count"] is not None
    ):
        return info.request(**{n: v for n, v in known.items() if n in names})
    return None


def check_xcp_command(vector):
    packet = bytes.fromhex(vector["bytes"])
    info, codec, request = check_command(vector, packet, TABLES["xcp"])
    skip = {"command", "sub_command"}
    if vector["fields"]["command"] == "PROGRAM_MAX":
        assert len(request.data) == vector.get("context", {})["max_cto"] - 1
    check_fields(vector, request, command=info.name, skip=skip)
    assert codec.encode(request) == packet


def check_xcp_response(vector):
    packet = bytes.fromhex(vector["bytes"])
    info = TABLES["xcp"][vector["fields"]["command"]]
    request = request_for(vector)
    ag = vector.get("context", {}).get("address_granularity", 1)
    order = order_of(vector)
    response = codec_for(info.response, order, ag).decode(packet, request)
    skip = {"command"}
    if request is not None and hasattr(request, "mode"):
        skip.add("mode")
    check_fields(vector, response, command=info.name, skip=skip)
    assert encode(response, order, ag, request=request) == packet


def check_xcp_error(vector):
    packet = bytes.fromhex(vector["bytes"])
    name = vector["name"]
    command = "BUILD_CHECKSUM" if "max_block_size" in vector["fields"] else ""
    command = "DOWNLOAD_NEXT" if "expected_elements" in vector["fields"] else command
    command = "PROGRAM_START" if "device_error" in vector["fields"] else command
    error = decode_refusal(packet, command, order_of(vector))
    code = packet[1]
    assert (ErrorCode(code).name, code) == (
        vector["fields"]["error"],
        vector["fields"]["error_code"],
    ), name
    assert decode_refusal(packet, "", order_of(vector)).code == code
    check_fields(vector, error, skip={"error", "error_code"})
    assert encode(error, order_of(vector)) == packet


def check_xcp_event(vector):
    packet = bytes.fromhex(vector["bytes"])
    context = vector.get("context", {})
    event = decode_event(packet, order_of(vector), max_cto=context.get("max_cto", 255))
    assert (event.name, event.code) == (vector["fields"]["event"], vector["fields"]["event_code"])
    assert not isinstance(event, EvTimeSyncShort) or context["max_cto"] == 8
    check_fields(vector, event, skip={"event", "event_code"})
    assert encode(event, order_of(vector)) == packet


def check_xcp_service(vector):
    packet = bytes.fromhex(vector["bytes"])
    service = decode_service(packet)
    fields = vector["fields"]
    assert (service.name, service.code) == (fields["service"], fields["service_code"])
    if "text" in fields:
        assert (service.text, service.is_last) == (fields["text"], fields["last"])
    assert set(fields) <= {"service", "service_code", "text", "last"}
    assert encode(service) == packet


def check_xcp_dto(vector):
    packet = bytes.fromhex(vector["bytes"])
    context, fields = vector["context"], dict(vector["fields"])
    fmt = DtoFormat(
        identification_field=context["id_type"],
        timestamp_size=context["timestamp_size"],
        dto_ctr=context.get("dto_ctr", False),
        overload_msb=context.get("overload_msb", False),
        pid_off=context.get("pid_off", False),
    )
    dto = decode_dto(packet, fmt, order_of(vector), first_odt=context["first_odt"])
    assert fields.pop("kind") in ("daq", "stim")
    for name, ours in (
        ("pid", dto.odt),
        ("odt", dto.odt),
        ("daq_list", dto.daq_list),
        ("counter", dto.counter),
        ("timestamp", dto.timestamp),
        ("data_hex", dto.data.hex()),
        ("overload", int(dto.overload)),
    ):
        assert fields.pop(name, ours) == ours, name
    if "fill" in fields:
        assert packet[1] == fields.pop("fill")
    if "packed_mode" in context:
        mode, count = context["packed_mode"], context["sample_count"]
        samples = split_packed(dto.data, context["entries"], mode, count)
        for name, entry in zip("AB", samples, strict=True):
            assert [int.from_bytes(s, "little") for s in entry] == fields.pop(name)
        assert join_packed(samples, mode) == dto.data
        of = "first sample" if context["timestamp_mode"] else "last sample"
        assert fields.pop("timestamp_of") == of
    assert not fields
    assert encode_dto(dto, fmt, order_of(vector), first_odt=context["first_odt"]) == packet


def set_counter(framing, counter, size=1):
    for _ in range(counter):
        framing.frame(bytes(size))


def check_eth(vector):
    raw = bytes.fromhex(vector["bytes"])
    fields = vector["fields"]
    alignment = vector.get("context", {}).get("packet_alignment", 8) // 8
    messages = fields.get("messages") or [
        {"len": fields["len"], "ctr": fields["ctr"], "packet_hex": raw[4:].hex()}
    ]
    for reader in (DatagramReader(alignment), StreamReader(alignment)):
        packets = reader.feed(raw)
        assert [p.hex() for p in packets] == [m["packet_hex"] for m in messages]
        assert [len(p) for p in packets] == [m["len"] for m in messages]
        assert (reader.lost, reader.late, reader.counts.malformed) == (0, 0, 0)
    framing = EthFraming(alignment)
    set_counter(framing, messages[0]["ctr"])
    assert framing.counter == messages[0]["ctr"]
    assert framing.frame_many(packets) == [raw]
    if "messages" not in fields:
        check_discovery(vector, packets[0])


def check_discovery(vector, packet):
    fields = vector["fields"]
    skip = {"len", "ctr", "sub_command", "destination"}
    if vector["direction"] == "cmd":
        info, codec, obj = check_command(vector, packet, TABLES["eth"])
        name = info.name
    else:
        extended = packet[:2] == b"\xff\xfd"
        name = "GET_SLAVE_ID_EXTENDED" if extended else "GET_SLAVE_ID"
        codec = codec_for(TABLES["eth"][name].response)
        assert extended or codec.cls is EthGetSlaveIdResponse
        obj = codec.decode(packet)
    check_fields(vector, obj, command=name, skip=skip)
    assert codec.encode(obj) == packet
    if "ip" in fields:
        assert ip_to_bytes(fields["ip"]) == obj.ip
    if "destination" in fields:
        address, port = clock_multicast_address(obj.cluster_identifier)
        assert f"{address}:{port}" == fields["destination"]


def check_can(vector):
    raw = bytes.fromhex(vector["bytes"])
    fields = vector["fields"]
    if "packet_hex" in fields:
        context = vector["context"]
        packet = bytes.fromhex(fields["packet_hex"])
        framing = CanFraming(
            max_dlc=64 if context.get("can_fd") else 8,
            max_dlc_required=context.get("max_dlc_required", False),
        )
        assert framing.frame(packet) == raw
        assert CanReader().feed(raw) == [raw]
        assert len(raw) - len(packet) == fields["padding"]
        assert len(raw) == fields.get("dlc_length", 8)
        return
    skip = {"sub_command"}
    if vector["direction"] == "cmd":
        _, codec, obj = check_command(vector, raw, TABLES["can"])
    else:
        name = "GET_DAQ_ID" if "can_id_fixed" in fields else "GET_SLAVE_ID"
        codec = codec_for(TABLES["can"][name].response)
        obj = codec.decode(raw)
        if "echo_hex" in fields:
            skip.add("echo_hex")
            assert obj.echo.hex() == fields["echo_hex"]
    check_fields(vector, obj, skip=skip)
    assert codec.encode(obj) == raw


def check_sxi(vector):
    raw = bytes.fromhex(vector["bytes"])
    fields, context = dict(vector["fields"]), vector.get("context", {})
    unit = {"BYTE": 1, "WORD": 2, "DWORD": 4}[context.get("spi", "BYTE").rpartition("_")[2]]
    form = SxiFormat(
        header=LengthHeader[fields.pop("header")],
        checksum=SxiChecksum[fields.pop("checksum").upper()],
        unit=unit,
        min_packet=context.get("max_cto", 0),
        sync=fields.pop("sync", -1),
        esc=fields.pop("esc", -1),
    )
    packet = bytes.fromhex(fields.pop("packet_hex"))
    reader = SxiReader(form)
    assert [p for byte in raw for p in reader.feed(bytes([byte]))] == [packet]
    framing = SxiFraming(form)
    set_counter(framing, fields.pop("ctr", 0))
    assert framing.frame(packet) == raw
    assert len(packet) == fields.pop("len")
    if "tail_fill" in context:
        size = form.body_size(len(packet)) - form.header.size - len(packet)
        assert size == context["tail_fill"]
    assert (fields.pop("esc_sync", 1), fields.pop("esc_esc", 0)) == (1, 0)
    assert not fields


def check_flx(vector):
    raw = bytes.fromhex(vector["bytes"])
    fields, context = dict(vector["fields"]), vector.get("context", {})
    if "header" not in fields:
        if vector["direction"] == "cmd":
            _, codec, obj = check_command(vector, raw, TABLES["flx"])
        else:
            codec = codec_for(TABLES["flx"]["GET_DAQ_FLX_BUF"].response)
            obj = codec.decode(raw)
        check_fields(vector, obj, skip={"sub_command"})
        assert codec.encode(obj) == raw
        return
    header = FlxHeader[fields.pop("header").removeprefix("HEADER_")]
    alignment = context["packet_alignment"] // 8
    nax, messages = fields.pop("nax"), fields.pop("messages")
    packets = [bytes.fromhex(m["packet_hex"]) for m in messages]
    found = FlexRayReader(header, nax, alignment=alignment).feed(raw)
    if header.has_length:
        assert found == packets
        assert [len(p) for p in found] == [m["len"] for m in messages]
    else:
        assert [p[: context["packet_length"]] for p in found] == packets
    full = context.get("max_flx_len_buf")
    framing = FlexRayFraming(
        header, nax, alignment=alignment, max_length=full or 254, full=bool(full)
    )
    set_counter(framing, fields.pop("ctr", 0))
    assert framing.frame_many(packets) == [raw]
    assert not fields


CHECKS = {
    ("xcp", "cmd"): check_xcp_command,
    ("xcp", "res"): check_xcp_response,
    ("xcp", "err"): check_xcp_error,
    ("xcp", "ev"): check_xcp_event,
    ("xcp", "serv"): check_xcp_service,
    ("xcp", "dto"): check_xcp_dto,
    "eth": check_eth,
    "can": check_can,
    "sxi": check_sxi,
    "flx": check_flx,
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector(vector):
    check = CHECKS.get(vector["layer"]) or CHECKS[vector["layer"], vector["direction"]]
    check(vector)


def test_no_vector_is_missing():
    assert Counter(v["layer"] for v in VECTORS) == LAYERS
    assert len({v["name"] for v in VECTORS}) == sum(LAYERS.values()) == 429


@pytest.mark.parametrize(
    "row", DOCUMENT["checksums"], ids=lambda r: f"{r['name']}-{r['byte_order']}"
)
def test_checksums(row):
    data = bytes.fromhex(row["data"])
    for name, expected in row["results"].items():
        assert checksum(ChecksumType[name], data, order_of(row)) == int(expected, 16), name


def test_layout_objects_are_packets():
    assert all(issubclass(info.request, Packet) for info in COMMANDS)
