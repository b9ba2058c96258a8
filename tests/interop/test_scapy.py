"""scapy's XCP layer reads what our master sends and our slave answers, and is answered by our slave.

scapy knows XCP 1.0 and the bare packets; its Ethernet header is big endian, so no header is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.config import conf
from scapy.contrib.automotive.xcp import cto_commands_master as master_layers
from scapy.contrib.automotive.xcp import cto_commands_slave as slave_layers
from scapy.contrib.automotive.xcp.xcp import DTO, CTORequest, CTOResponse
from scapy.packet import NoPayload, Raw

from pair.link import RAM, SEGMENT, Pair, config
from pair.session import lists, whole_session
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import cal, daq, pag, pgm, std, timecorr
from xcaliper.xcp.codes import (
    DaqListModeRequest,
    Resource,
    SegmentMode,
    SetRequestMode,
)
from xcaliper.xcp.events import decode_event, decode_service
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import (
    CAN_COMMANDS,
    CanGetDaqId,
    CanGetSlaveId,
    CanIdentifier,
    CanSetDaqId,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scapy.packet import Packet

    from xcaliper.proto.command import Request

BYTE_ORDERS = (ByteOrder.INTEL, ByteOrder.MOTOROLA)
MAX_CTO = 64

#: scapy's name of a field → ours, where they differ; None = reserved, must be 0.
NAMES = {
    "alignment": None,
    "reserved": None,
    "reserved1": None,
    "reserved2": None,
    "reserved_1": None,
    "reserved_2": None,
    "not_used": None,
    "connection_mode": "mode",
    "nr_of_data_elements": "count",
    "len": "count",
    "data_elements": "data",
    "element": "data",
    "shift_value": "shift",
    "data_segment_num": "segment",
    "data_page_num": "page",
    "segment_number": "segment",
    "page_number": "page",
    "segment_num_src": "source_segment",
    "page_num_src": "source_page",
    "segment_num_dst": "destination_segment",
    "page_num_dst": "destination_page",
    "daq_list_num": "daq_list",
    "daq_list_number": "daq_list",
    "odt_num": "odt",
    "odt_entry_num": "odt_entry",
    "odt_entries_count": "entry_count",
    "size_of_daq_element": "size",
    "event_channel_num": "event_channel",
    "transmission_rate_prescaler": "prescaler",
    "daq_list_prio": "priority",
    "sub_command_code": "sub_command",
    "encryption_mode": "encryption_method",
    "verification_mode": "mode",
    "sector_number": "sector",
    "max_dto_le": "max_dto",
    "xcp_protocol_layer_version_number_msb": "protocol_layer_version",
    "xcp_transport_layer_version_number_msb": "transport_layer_version",
    "current_session_status": "session_status",
    "current_resource_protection_status": "protection_status",
    "xcp_driver_version_number": "driver_version",
    "logical_data_page_number": "page",
    "max_extension": "max_mapping",
    "basic_info": "value",
    "mapping_info": "value",
    "current_mode": "mode",
    "current_event_channel_number": "event_channel",
    "current_prescaler": "prescaler",
    "current_daq_list_priority": "priority",
    "receive_timestamp": "timestamp",
    "size_daq_element": "size",
    "address_extension_daq_element": "address_extension",
    "daq_element_address": "address",
    "granularity_odt_entry_size_daq": "granularity_daq",
    "max_odt_entry_size_daq": "max_entry_size_daq",
    "granularity_odt_entry_size_stim": "granularity_stim",
    "max_odt_entry_size_stim": "max_entry_size_stim",
    "event_channel_name_length": "name_length",
    "event_channel_time_cycle": "time_cycle",
    "event_channel_time_unit": "time_unit",
    "event_channel_priority": "priority",
    "min_bs_pgm": "min_st_pgm",
    "seed_length": "length",
    "error_code": "code",
    "error_info": "info",
}
#: As above, where the name depends on the layer.
NAMES_BY_LAYER = {
    (master_layers.Unlock, "len"): "length",
    (master_layers.Unlock, "seed"): "key",
}

#: One request of every kind that scapy has a layer for.
REQUESTS: tuple[Request, ...] = (
    std.Connect(mode=1),
    std.Disconnect(),
    std.GetStatus(),
    std.Synch(),
    std.GetCommModeInfo(),
    std.GetId(identification_type=4),
    std.SetRequest(mode=SetRequestMode(0x0B), session_configuration_id=0x1234),
    std.GetSeed(mode=1, resource=Resource.of(daq=1)),
    std.Unlock(length=5, key=b"\x01\x02\x03\x04\x05"),
    std.SetMta(address_extension=7, address=0x1234_5678),
    std.Upload(count=9),
    std.ShortUpload(count=3, address_extension=2, address=0xCAFE_F00D),
    std.BuildChecksum(block_size=0x0102_0304),
    std.TransportLayerCmd(sub_command=0xFB),
    std.UserCmd(sub_command=0x5A),
    cal.Download(count=6, data=b"abcdef"),
    cal.DownloadNext(count=4, data=b"wxyz"),
    cal.DownloadMax(data=bytes(range(MAX_CTO - 1))),
    cal.ShortDownload(count=3, address_extension=1, address=0x2000_0010, data=b"xyz"),
    cal.ModifyBits(shift=13, and_mask=0xFF0E, xor_mask=0x0102),
    pag.SetCalPage(mode=pag.CalPageMode.of(ecu=1, all=1), segment=3, page=4),
    pag.GetCalPage(access_mode=2, segment=5),
    pag.GetPagProcessorInfo(),
    pag.GetSegmentInfo(mode=2, segment=1, segment_info=2, mapping_index=3),
    pag.GetPageInfo(segment=1, page=2),
    pag.SetSegmentMode(mode=SegmentMode(1), segment=9),
    pag.GetSegmentMode(segment=8),
    pag.CopyCalPage(source_segment=1, source_page=2, destination_segment=3, destination_page=4),
    daq.ClearDaqList(daq_list=0x0102),
    daq.SetDaqPtr(daq_list=0x0304, odt=5, odt_entry=6),
    daq.WriteDaq(bit_offset=9, size=4, address_extension=3, address=0x0708_090A),
    daq.SetDaqListMode(
        mode=DaqListModeRequest.of(timestamp=1, direction_stim=1),
        daq_list=0x0102,
        event_channel=0x0304,
        prescaler=5,
        priority=6,
    ),
    daq.GetDaqListMode(daq_list=0x0A0B),
    daq.StartStopDaqList(mode=2, daq_list=0x0C0D),
    daq.StartStopSynch(mode=1),
    timecorr.GetDaqClock(),
    daq.ReadDaq(),
    daq.GetDaqProcessorInfo(),
    daq.GetDaqResolutionInfo(),
    daq.GetDaqListInfo(daq_list=0x0E0F),
    daq.GetDaqEventInfo(event_channel=0x0102),
    daq.FreeDaq(),
    daq.AllocDaq(daq_count=0x0203),
    daq.AllocOdt(daq_list=0x0102, odt_count=3),
    daq.AllocOdtEntry(daq_list=0x0102, odt=3, entry_count=4),
    pgm.ProgramStart(),
    pgm.ProgramClear(mode=1, clear_range=0x0001_0002),
    pgm.Program(count=4, data=b"prog"),
    pgm.ProgramReset(),
    pgm.GetPgmProcessorInfo(),
    pgm.GetSectorInfo(mode=1, sector=7),
    pgm.ProgramPrepare(code_size=0x0A0B),
    pgm.ProgramFormat(
        compression_method=1, encryption_method=2, programming_method=3, access_method=4
    ),
    pgm.ProgramNext(count=3, data=b"pqr"),
    pgm.ProgramMax(data=bytes(range(MAX_CTO - 1))),
    pgm.ProgramVerify(mode=1, verification_type=0x0102, verification_value=0x0304_0506),
)

#: scapy compares the mode of GET_SEGMENT_INFO with a text and never finds these by itself.
SEGMENT_ANSWERS = {
    0: slave_layers.SegmentInfoMode0PositiveResponse,
    1: slave_layers.SegmentInfoMode1PositiveResponse,
    2: slave_layers.SegmentInfoMode2PositiveResponse,
}


@pytest.fixture(params=BYTE_ORDERS, ids=lambda order: order.name)
def byte_order(request) -> Iterator[ByteOrder]:
    """A byte order that scapy is told, too; its global settings are put back."""
    before = dict(conf.contribs["XCP"])
    conf.contribs["XCP"].update(
        byte_order=int(request.param is ByteOrder.MOTOROLA),
        MAX_CTO=MAX_CTO,
        MAX_DTO=128,
        Address_Granularity_Byte=1,
    )
    yield request.param
    conf.contribs["XCP"].clear()
    conf.contribs["XCP"].update(before)


def compare(layer, ours) -> int:
    """Every field that scapy reads has our value; gives the number of fields compared."""
    compared = 0
    for field in layer.fields_desc:
        theirs = layer.getfieldval(field.name)
        if field.name not in layer.fields:
            continue  # a conditional field of the other case
        alias = NAMES_BY_LAYER.get((type(layer), field.name), NAMES.get(field.name, field.name))
        if alias is None:
            assert not theirs or not any(bytes(theirs) if isinstance(theirs, bytes) else [theirs])
            continue
        value = getattr(ours, alias)
        if isinstance(value, bytes):
            assert bytes(theirs) == value, field.name
        else:
            assert int(theirs) == int(value), field.name
        compared += 1
    assert isinstance(layer.payload, NoPayload), f"{layer.payload!r} is left over"
    return compared


def encode(request: Request, order: ByteOrder) -> bytes:
    return codec_for(type(request), order, 1).encode(request)


def check_request(packet: bytes, order: ByteOrder) -> CTORequest:
    """scapy reads a command of ours as we do and builds it again."""
    info = COMMANDS.find(packet)
    assert info is not None
    ours = codec_for(info.request, order, 1).decode(packet)
    theirs = CTORequest(packet)
    assert CTORequest.pids[theirs.pid] == info.name
    assert not isinstance(theirs.payload, Raw), info.name
    if len(packet) > 1:
        assert type(theirs.payload).__name__ == info.request.__name__
        assert compare(theirs.payload, ours) > 0
    assert bytes(theirs) == packet
    return theirs


def check_answer(request: bytes, packet: bytes, order: ByteOrder) -> str:
    """scapy takes a packet of our slave as the answer to a command, reads it as we do, rebuilds it.

    Returns:
        Class of the layer that scapy chose.
    """
    theirs = CTOResponse(packet)
    assert theirs.answers(CTORequest(request))
    assert bytes(theirs) == packet
    info = COMMANDS.find(request)
    assert info is not None
    layer = theirs.payload
    if packet[0] == 0xFE:
        assert isinstance(layer, slave_layers.NegativeResponse)
        compare(layer, codec_for(std.ErrorResponse, order, 1).decode(packet))
        return "NegativeResponse"
    if info.name == "GET_SEGMENT_INFO":
        layer = SEGMENT_ANSWERS[request[1]](packet[1:])
    if isinstance(layer, slave_layers.GenericResponse | NoPayload | Raw):
        return type(layer).__name__
    ours = codec_for(info.response, order, 1).decode(
        packet, codec_for(info.request, order, 1).decode(request)
    )
    assert compare(layer, ours) > 0
    return type(layer).__name__


def test_every_command_of_scapy_is_in_the_list():
    """All PIDs but those that scapy names without having a layer."""
    bound = {condition["pid"] for condition, cls in CTORequest.payload_guess if cls is not DTO}
    assert {request.__command__.code for request in REQUESTS} == bound
    assert len(bound) == len(REQUESTS) == 56


def test_sub_commands_of_can(byte_order):
    table = COMMANDS.extended(*CAN_COMMANDS)
    for request, fields in (
        (CanGetSlaveId(mode=1), {"x": 0x58, "c": 0x43, "p": 0x50, "mode": 1}),
        (CanGetDaqId(daq_list=0x0102), {"daq_list_number": 0x0102}),
        (
            CanSetDaqId(daq_list=0x0304, can_id=CanIdentifier(0x0506_0708)),
            {"daq_list_number": 0x0304, "can_identifier": 0x0506_0708},
        ),
    ):
        packet = encode(request, byte_order)
        info = table.find(packet)
        assert info is not None
        assert info.request is type(request)
        layer = CTORequest(packet).lastlayer()
        assert {field.name: int(layer.getfieldval(field.name)) for field in layer.fields_desc} == (
            fields
        )


def test_requests_are_read_alike(byte_order):
    for request in REQUESTS:
        check_request(encode(request, byte_order), byte_order)


def test_granularities_shift_the_data(byte_order):
    for ag in (2, 4):
        conf.contribs["XCP"]["Address_Granularity_Byte"] = ag
        request = cal.Download(count=2, data=bytes(range(1, 1 + 2 * ag)))
        packet = codec_for(cal.Download, byte_order, ag).encode(request)
        theirs = CTORequest(packet)
        assert theirs.payload.data_elements == request.data
        assert bytes(theirs) == packet
        answer = codec_for(std.UploadResponse, byte_order, ag).encode(
            std.UploadResponse(data=request.data)
        )
        dissected = CTOResponse(answer)
        assert dissected.answers(CTORequest() / master_layers.Upload(nr_of_data_elements=2))
        assert dissected.payload.element == request.data


def test_a_session_of_master_and_slave(byte_order):
    """Both directions of a session that uses every procedure, as one would capture it."""
    pair = Pair(config(byte_order=byte_order, slave_block_mode=False, master_block_mode=False))
    # Block mode is left out, for several answers to one command do not fit scapy's answers().
    pair.forget()
    whole_session(pair)
    commands = pair.to_slave.sent
    answers = [packet for packet in pair.to_master.sent if packet[0] >= 0xFC]
    assert len(commands) == len(answers) > 80
    layers = set()
    for command, answer in zip(commands, answers, strict=True):
        if command[0] == 0xC0:
            continue  # GET_VERSION, a family that 1.0 does not have
        check_request(command, byte_order)
        layers.add(check_answer(command, answer, byte_order))
    assert layers >= {
        "CalPagePositiveResponse",
        "ChecksumPositiveResponse",
        "DAQClockListPositiveResponse",
        "DAQEventInfoPositiveResponse",
        "DAQProcessorInfoPositiveResponse",
        "DAQResolutionInfoPositiveResponse",
        "IdPositiveResponse",
        "PagProcessorInfoPositiveResponse",
        "PageInfoPositiveResponse",
        "SegmentInfoMode0PositiveResponse",
        "SegmentInfoMode1PositiveResponse",
        "ShortUploadPositiveResponse",
        "StartStopDAQListPositiveResponse",
        "UploadPositiveResponse",
    }


def test_connect_settles_scapy(byte_order):
    """scapy takes byte order, granularity and sizes from our CONNECT response."""
    pair = Pair(config(byte_order=byte_order))
    conf.contribs["XCP"].update(byte_order=9, MAX_CTO=1, MAX_DTO=1, Address_Granularity_Byte=2)
    assert CTOResponse(pair.to_master.sent[0]).answers(CTORequest(pair.to_slave.sent[0]))
    told = conf.contribs["XCP"]
    assert told["byte_order"] == int(byte_order is ByteOrder.MOTOROLA)
    assert (told["MAX_CTO"], told["MAX_DTO"], told["Address_Granularity_Byte"]) == (64, 128, 1)


@pytest.mark.parametrize("identification_field", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_daq_packets_have_scapys_layout(byte_order, identification_field, size):
    """scapy learns the format from GET_DAQ_PROCESSOR_INFO and GET_DAQ_RESOLUTION_INFO."""
    settings = config(
        byte_order=byte_order,
        identification_field=identification_field,
        timestamp=TickClock(1, 6, size),
    )
    pair = Pair(settings)
    for request in (daq.GetDaqProcessorInfo(), daq.GetDaqResolutionInfo()):
        packet = encode(request, byte_order)
        (answer,) = exchange(pair, packet)
        check_answer(packet, answer, byte_order)
    if size == 1:
        conf.contribs["XCP"]["timestamp_size"] = 1  # scapy misreads the code of one byte
    assert conf.contribs["XCP"]["timestamp_size"] == size
    pair.run(daq_setup.setup(pair.session, lists(), multiple=False))
    pair.run(daq_setup.start())
    pair.event(1, 0x0102_0304 * 1_000_000)
    order = "big" if byte_order is ByteOrder.MOTOROLA else "little"
    first = DTO(pair.dtos[0][1:])
    ticks = int(0x0102_0304 * 1_000_000 / settings.timestamp.tick_ns) % (1 << 8 * size)
    assert int.from_bytes(first.timestamp, order) == ticks
    assert first.data[:3] == pair.memory.read(RAM, 1) + pair.memory.read(RAM + 16, 2)
    if identification_field:
        assert pair.dtos[0][0] == 0
        assert int.from_bytes(first.daq, order) == 1
    else:
        assert pair.dtos[0][0] == 2  # behind the ODTs of list 0


def exchange(pair: Pair, packet: bytes) -> list[bytes]:
    """What the slave answers to a packet that our master did not send."""
    pair.slave.receive(packet, pair.now_ns)
    return pair.slave.outgoing()


def theirs_and_ours() -> list[tuple[CTORequest, Request]]:
    """Commands built by scapy beside ours: a session, in this order."""
    m = master_layers
    return [
        (CTORequest() / m.Connect(connection_mode=0), std.Connect()),
        (CTORequest(pid=0xFD), std.GetStatus()),
        (CTORequest(pid=0xFB), std.GetCommModeInfo()),
        (CTORequest(pid=0xFC), std.Synch()),
        (CTORequest() / m.GetId(identification_type=1), std.GetId(identification_type=1)),
        (CTORequest() / m.SetMta(address=RAM.value + 5), std.SetMta(address=RAM.value + 5)),
        (CTORequest() / m.Upload(nr_of_data_elements=7), std.Upload(count=7)),
        (
            CTORequest() / m.ShortUpload(nr_of_data_elements=4, address=RAM.value),
            std.ShortUpload(count=4, address=RAM.value),
        ),
        (CTORequest() / m.SetMta(address=SEGMENT.value), std.SetMta(address=SEGMENT.value)),
        (
            CTORequest() / m.Download(nr_of_data_elements=3, data_elements=b"abc"),
            cal.Download(count=3, data=b"abc"),
        ),
        (
            CTORequest() / m.ShortDownload(address=RAM.value + 8, data_elements=b"wxyz"),
            cal.ShortDownload(count=4, address=RAM.value + 8, data=b"wxyz"),
        ),
        (CTORequest() / m.SetMta(address=RAM.value), std.SetMta(address=RAM.value)),
        (
            CTORequest() / m.ModifyBits(shift_value=3, and_mask=0xFFFE, xor_mask=2),
            cal.ModifyBits(shift=3, and_mask=0xFFFE, xor_mask=2),
        ),
        (CTORequest() / m.BuildChecksum(block_size=32), std.BuildChecksum(block_size=32)),
        (
            CTORequest() / m.SetCalPage(mode="ecu+xcp", data_segment_num=0, data_page_num=1),
            pag.SetCalPage(mode=pag.CalPageMode.of(ecu=1, xcp=1), segment=0, page=1),
        ),
        (
            CTORequest() / m.GetCalPage(access_mode=1, data_segment_num=0),
            pag.GetCalPage(access_mode=1, segment=0),
        ),
        (
            CTORequest() / m.GetSegmentInfo(mode=1, segment_number=1),
            pag.GetSegmentInfo(mode=1, segment=1),
        ),
        (CTORequest() / m.GetPageInfo(page_number=1), pag.GetPageInfo(segment=0, page=1)),
        (CTORequest(pid=0xD6), daq.FreeDaq()),
        (CTORequest() / m.AllocDaq(daq_count=2), daq.AllocDaq(daq_count=2)),
        (
            CTORequest() / m.AllocOdt(daq_list_num=1, odt_count=1),
            daq.AllocOdt(daq_list=1, odt_count=1),
        ),
        (
            CTORequest() / m.AllocOdtEntry(daq_list_num=1, odt_num=0, odt_entries_count=1),
            daq.AllocOdtEntry(daq_list=1, odt=0, entry_count=1),
        ),
        (CTORequest() / m.SetDaqPtr(daq_list_num=1), daq.SetDaqPtr(daq_list=1, odt=0, odt_entry=0)),
        (
            CTORequest() / m.WriteDaq(bit_offset=255, size_of_daq_element=4, address=RAM.value),
            daq.WriteDaq(size=4, address=RAM.value),
        ),
        (
            CTORequest()
            / m.SetDaqListMode(
                mode=0x10, daq_list_num=1, event_channel_num=1, transmission_rate_prescaler=1
            ),
            daq.SetDaqListMode(
                mode=DaqListModeRequest.of(timestamp=1), daq_list=1, event_channel=1
            ),
        ),
        (CTORequest() / m.GetDaqListMode(daq_list_number=1), daq.GetDaqListMode(daq_list=1)),
        (
            CTORequest() / m.StartStopDaqList(mode=1, daq_list_number=1),
            daq.StartStopDaqList(mode=1, daq_list=1),
        ),
        (CTORequest() / m.StartStopSynch(mode=0), daq.StartStopSynch(mode=0)),
        (
            CTORequest() / m.GetDaqEventInfo(event_channel_num=2),
            daq.GetDaqEventInfo(event_channel=2),
        ),
        (CTORequest(pid=0xFE), std.Disconnect()),
    ]


def test_what_scapy_builds_is_answered_as_ours(byte_order):
    by_scapy = Pair(config(byte_order=byte_order), connected=False)
    by_us = Pair(config(byte_order=byte_order), connected=False)
    conf.contribs["XCP"]["allow_byte_order_change"] = False
    positive = 0
    for theirs, ours in theirs_and_ours():
        built = bytes(theirs)
        packet = encode(ours, byte_order)
        assert built == packet, ours
        answers = exchange(by_scapy, built)
        assert answers == exchange(by_us, packet)
        assert len(answers) == 1
        check_answer(built, answers[0], byte_order)
        positive += answers[0][0] == 0xFF
    assert positive == len(theirs_and_ours()) - 1  # SYNCH is answered by an error, as it must be


def test_short_packets_of_scapy_are_refused(byte_order):
    """A command cut anywhere is answered with ERR_CMD_SYNTAX, which scapy names."""
    pair = Pair(config(byte_order=byte_order))
    for request in REQUESTS:
        packet = encode(request, byte_order)
        for size in range(1, len(packet)):
            try:
                codec_for(type(request), byte_order, 1).decode(packet[:size])
            except WireError:
                pass
            else:
                continue  # the rest is optional
            (answer,) = exchange(pair, packet[:size])
            layer = CTOResponse(answer).payload
            assert isinstance(layer, slave_layers.NegativeResponse)
            name = layer.error_code_enum[layer.error_code]
            assert name in {"ERR_CMD_SYNTAX", "ERR_CMD_UNKNOWN"}, request


def test_events_and_services(byte_order):
    pair = Pair(config(byte_order=byte_order))
    pair.slave.notify(0x03, b"\x05")
    pair.slave.say("running")
    event, service = pair.slave.outgoing()
    theirs = CTOResponse(event)
    assert theirs.answers(CTORequest(pid=0xFD))
    assert theirs.payload.event_code == decode_event(event, byte_order, max_cto=64).code == 3
    assert bytes(theirs.payload.payload) == b"\x05"  # scapy leaves the information undissected
    theirs = CTOResponse(service)
    text = decode_service(service, byte_order)
    assert theirs.payload.service_request_code == 1
    assert bytes(theirs.payload.payload) == text.data == b"running\0"


def scapys_answers() -> list[tuple[Request, Packet]]:
    """Every positive answer that scapy can build, with numbers in all of its fields."""
    s = slave_layers
    return [
        (
            std.GetStatus(),
            s.StatusPositiveResponse(
                current_session_status=0x44,
                current_resource_protection_status=0x15,
                session_configuration_id=0x1234,
            ),
        ),
        (
            std.GetCommModeInfo(),
            s.CommonModeInfoPositiveResponse(
                comm_mode_optional=1,
                max_bs=20,
                min_st=5,
                queue_size=3,
                xcp_driver_version_number=0x11,
            ),
        ),
        (std.GetId(identification_type=1), s.IdPositiveResponse(mode=1, element=b"engine")),
        (std.GetSeed(mode=0, resource=Resource.of(daq=1)), s.SeedPositiveResponse(seed=b"seed")),
        (
            std.Unlock(length=4, key=b"keys"),
            s.UnlockPositiveResponse(current_resource_protection_status=0x04),
        ),
        (std.Upload(count=5), s.UploadPositiveResponse(element=b"abcde")),
        (std.ShortUpload(count=3, address=0x1234), s.ShortUploadPositiveResponse(element=b"xyz")),
        (
            std.BuildChecksum(block_size=8),
            s.ChecksumPositiveResponse(checksum_type=9, checksum=0x89CD_97CE),
        ),
        (
            pag.GetCalPage(access_mode=1, segment=0),
            s.CalPagePositiveResponse(logical_data_page_number=3),
        ),
        (
            pag.GetPagProcessorInfo(),
            s.PagProcessorInfoPositiveResponse(max_segment=2, pag_properties=1),
        ),
        (
            pag.GetSegmentInfo(mode=0, segment=1),
            s.SegmentInfoMode0PositiveResponse(basic_info=0x8000_1000),
        ),
        (
            pag.GetSegmentInfo(mode=1, segment=1),
            s.SegmentInfoMode1PositiveResponse(
                max_pages=2,
                address_extension=1,
                max_extension=3,
                compression_method=4,
                encryption_method=5,
            ),
        ),
        (
            pag.GetSegmentInfo(mode=2, segment=1),
            s.SegmentInfoMode2PositiveResponse(mapping_info=0x0001_0002),
        ),
        (
            pag.GetPageInfo(segment=0, page=1),
            s.PageInfoPositiveResponse(page_properties=0x3F, init_segment=2),
        ),
        (pag.GetSegmentMode(segment=1), s.SegmentModePositiveResponse(mode=1)),
        (
            daq.GetDaqListMode(daq_list=1),
            s.DAQListModePositiveResponse(
                current_mode=0x51,
                current_event_channel_number=0x0203,
                current_prescaler=4,
                current_daq_list_priority=9,
            ),
        ),
        (daq.StartStopDaqList(mode=2, daq_list=1), s.StartStopDAQListPositiveResponse(first_pid=7)),
        (timecorr.GetDaqClock(), s.DAQClockListPositiveResponse(receive_timestamp=0x0102_0304)),
        (
            daq.ReadDaq(),
            s.ReadDAQPositiveResponse(
                bit_offset=255,
                size_daq_element=4,
                address_extension_daq_element=1,
                daq_element_address=0x2000_0010,
            ),
        ),
        (
            daq.GetDaqProcessorInfo(),
            s.DAQProcessorInfoPositiveResponse(
                daq_properties=0x11,
                max_daq=0x0102,
                max_event_channel=0x0304,
                min_daq=5,
                daq_key_byte=0x40,
            ),
        ),
        (
            daq.GetDaqResolutionInfo(),
            s.DAQResolutionInfoPositiveResponse(
                granularity_odt_entry_size_daq=1,
                max_odt_entry_size_daq=248,
                granularity_odt_entry_size_stim=2,
                max_odt_entry_size_stim=100,
                timestamp_mode=0x34,
                timestamp_ticks=0x0102,
            ),
        ),
        (
            daq.GetDaqListInfo(daq_list=1),
            s.DAQListInfoPositiveResponse(
                daq_list_properties=4, max_odt=3, max_odt_entries=9, fixed_event=0x0102
            ),
        ),
        (
            daq.GetDaqEventInfo(event_channel=1),
            s.DAQEventInfoPositiveResponse(
                daq_event_properties=4,
                max_daq_list=3,
                event_channel_name_length=5,
                event_channel_time_cycle=10,
                event_channel_time_unit=6,
                event_channel_priority=8,
            ),
        ),
        (
            pgm.ProgramStart(),
            s.ProgramStartPositiveResponse(
                comm_mode_pgm=1, max_cto_pgm=64, max_bs_pgm=7, min_bs_pgm=8, queue_size_pgm=9
            ),
        ),
        (pgm.GetPgmProcessorInfo(), s.PgmProcessorPositiveResponse(pgm_properties=3, max_sector=4)),
        (
            pgm.GetSectorInfo(mode=0, sector=1),
            s.SectorInfoPositiveResponse(
                clear_sequence_number=1,
                program_sequence_number=2,
                programming_method=3,
                sector_info=0x0810_4000,
            ),
        ),
    ]


def test_answers_of_scapy_are_taken_by_our_master(byte_order):
    """A master machine that hears scapy alone, CONNECT included, gives the numbers that it put in."""
    master = MasterMachine()
    hello = slave_layers.ConnectPositiveResponse(
        resource=0x1D, comm_mode_basic=0xC0 | int(byte_order is ByteOrder.MOTOROLA), max_cto=64
    )
    size = {"max_dto": 0x0102} if byte_order is ByteOrder.MOTOROLA else {"max_dto_le": 0x0102}
    for name, value in size.items():
        hello.setfieldval(name, value)
    conf.contribs["XCP"]["byte_order"] = int(byte_order is ByteOrder.MOTOROLA)
    answered = take(master, std.Connect(), bytes(CTOResponse(packet_code=0xFF) / hello))
    assert master.profile.byte_order is byte_order
    assert (answered.max_cto, answered.max_dto, int(answered.resource)) == (64, 0x0102, 0x1D)
    cases = scapys_answers()
    for request, layer in cases:
        ours = take(master, request, bytes(CTOResponse(packet_code=0xFF) / layer))
        dissected = type(layer)(bytes(layer))
        assert compare(dissected, ours) == len(
            [f for f in layer.fields_desc if wanted(layer, f.name) is not None]
        )
    assert len(cases) == 26


def wanted(layer, name: str) -> str | None:
    """Our name of a field of scapy; None for reserved ones and those that are not there."""
    alias = NAMES_BY_LAYER.get((type(layer), name), NAMES.get(name, name))
    return alias if name in type(layer)(bytes(layer)).fields else None


def take(master: MasterMachine, request: Request, packet: bytes):
    """What the master makes of a packet that comes as the answer to a request."""
    running = master.start(ask(request), 0)
    assert len(master.outgoing()) == 1
    master.receive(packet, 1)
    assert running.done(), request
    return running.result()
