"""Every served command goes round, in every byte order and granularity."""

from __future__ import annotations

import pytest

from pair.link import RAM, SEGMENT, SEGMENT_SIZE, Pair, config
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    AccessDeniedError,
    NegativeResponseError,
    OutOfRangeError,
    SettingsError,
    UnknownCommandError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.core.memory import SparseMemory
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.xcp import cal, daq, level1, pag, std, timecorr
from xcaliper.xcp.checksum import checksum as reference_checksum
from xcaliper.xcp.codes import ChecksumType, ErrorCode
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.procedures import PROCEDURES
from xcaliper.xcp.procedures.connect import Session, connect, disconnect, synchronise
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.identify import IdType, get_id, identify, upload_a2l
from xcaliper.xcp.procedures.memory import XcpMemory, checksum, modify_bits, read, write
from xcaliper.xcp.procedures.pages import copy_page, get_pages, page_info, set_page
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, PageConfig, SegmentConfig
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import ETH_COMMANDS

ORDERS = [ByteOrder.INTEL, ByteOrder.MOTOROLA]
SIZES = [8, 64, 252]


def pair_of(ag: int = 1, order: ByteOrder = ByteOrder.INTEL, max_cto: int = 64, **more) -> Pair:
    grain = {"granularity_odt_entry": ag}
    return Pair(config(ag=ag, byte_order=order, max_cto=max_cto, **grain, **more))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ag", [1, 2, 4])
@pytest.mark.parametrize("max_cto", SIZES)
def test_connect_tells_the_profile(ag: int, order: ByteOrder, max_cto: int) -> None:
    pair = pair_of(ag, order, max_cto)
    session = pair.session
    assert session.profile == pair.master.profile
    assert (session.profile.ag, session.profile.byte_order) == (ag, order)
    assert (session.profile.max_cto, session.profile.max_dto) == (max_cto, 128)
    assert session.resource.cal_pag
    assert session.resource.daq
    assert not session.resource.pgm
    assert session.max_bs == 32
    assert session.protocol_version == (1, 5)
    assert pair.master.connected
    assert pair.slave.connected
    assert [e.kind for e in pair.slave.events()] == ["connected"]


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ag", [1, 2, 4])
@pytest.mark.parametrize("max_cto", SIZES)
def test_memory_reads_and_writes_any_size(
    ag: int, order: ByteOrder, max_cto: int, block: bool
) -> None:
    pair = pair_of(ag, order, max_cto, slave_block_mode=block, master_block_mode=block)
    memory = XcpMemory(pair.session)
    for size in (ag, 4, 8, 60, 64, 248, 256, 1000):
        data = bytes((7 * i + size) & 0xFF for i in range(size))
        pair.run(memory.write(RAM + 3, data))
        assert pair.memory.read(RAM + 3, size) == data
        assert pair.run(memory.read(RAM + 3, size)) == data
    assert not memory.session.refused
    assert pair.master.counters.timeouts == 0


def test_read_cuts_a_size_inside_an_element() -> None:
    pair = pair_of(4)
    assert pair.run(read(pair.session, RAM, 5)) == bytes(range(5))
    assert pair.run(read(pair.session, RAM, 0)) == b""
    with pytest.raises(UsageError):
        pair.run(read(pair.session, RAM, -1))
    with pytest.raises(UsageError):
        pair.run(write(pair.session, RAM, b"abc"))


@pytest.mark.parametrize(
    "missing",
    [
        {"SHORT_UPLOAD"},
        {"UPLOAD"},
        {"SHORT_DOWNLOAD"},
        {"DOWNLOAD_NEXT"},
        {"MODIFY_BITS"},
        {"SHORT_UPLOAD", "SHORT_DOWNLOAD", "DOWNLOAD_NEXT", "MODIFY_BITS"},
    ],
)
def test_memory_does_without_optional_commands(missing: set[str]) -> None:
    pair = Pair(config(max_cto=16, disabled=frozenset(missing)))
    memory = XcpMemory(pair.session)
    data = bytes(range(200, 0, -1))
    for size in (4, 200):
        pair.run(memory.write(RAM, data[:size]))
        assert pair.run(memory.read(RAM, size)) == data[:size]
    pair.run(memory.modify_bits(RAM, and_mask=0xFF00, xor_mask=0x0001))
    assert pair.memory.read(RAM, 2) == bytes((0x01, data[1]))
    assert memory.session.refused <= missing


def test_master_block_travels_as_burst() -> None:
    pair = Pair(config(max_cto=8, max_bs=3, min_st=5))
    pair.forget()
    pair.run(write(pair.session, RAM, bytes(range(14))))
    assert pair.seen == ["SET_MTA", "DOWNLOAD", "DOWNLOAD_NEXT", "DOWNLOAD_NEXT"]
    assert [p.hex() for p in pair.to_slave.sent[1:]] == [
        "f00e000102030405",
        "ef08060708090a0b",
        "ef020c0d",
    ]
    assert pair.now_ns == 1_000_000  # two gaps of MIN_ST, 500 µs each


def test_slave_block_is_answered_by_several_packets() -> None:
    pair = Pair(config(max_cto=8))
    pair.forget()
    assert pair.run(read(pair.session, RAM, 20)) == bytes(range(20))
    assert pair.seen == ["SET_MTA", "UPLOAD"]
    assert [len(p) for p in pair.to_master.sent] == [1, 8, 8, 7]


@pytest.mark.parametrize("order", ORDERS)
def test_modify_bits_is_done_by_the_slave(order: ByteOrder) -> None:
    pair = pair_of(order=order)
    pair.memory.plain.write(RAM, (0xAABB_CCDD).to_bytes(4, order.value))
    pair.run(modify_bits(pair.session, RAM, and_mask=0xFF00, xor_mask=0x00F0, shift=8))
    new = int.from_bytes(pair.memory.read(RAM, 4), order.value)
    assert new == 0xAABB_CCDD & ~(0x00FF << 8) ^ (0xF0 << 8)
    with pytest.raises(OutOfRangeError):
        pair.run(modify_bits(pair.session, RAM, and_mask=0, xor_mask=0, shift=32))


@pytest.mark.parametrize(
    "kind", [k for k in ChecksumType if k is not ChecksumType.XCP_USER_DEFINED]
)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ag", [1, 4])
def test_checksums_by_blocks(kind: ChecksumType, order: ByteOrder, ag: int) -> None:
    pair = pair_of(ag, order, checksum=kind, max_checksum_block=102)
    blocks = pair.run(checksum(pair.session, RAM, 240))
    assert sum(block.size_bytes for block in blocks) == 240
    assert len(blocks) == 3
    for block in blocks:
        data = pair.memory.read(block.address, block.size_bytes)
        assert block.value == reference_checksum(kind, data, order)
        assert block.checksum_type == kind


def test_checksum_tells_why_not() -> None:
    pair = pair_of(checksum=ChecksumType.XCP_ADD_44)
    with pytest.raises(OutOfRangeError) as caught:
        pair.run(checksum(pair.session, RAM, 5))
    assert caught.value.info.hex() == "0400fcffffff"
    with pytest.raises(UsageError):
        pair.run(checksum(pair.session, RAM, 0))


@pytest.mark.parametrize("limit", [0, 100])
@pytest.mark.parametrize("ag", [1, 2, 4])
def test_identification(ag: int, limit: int) -> None:
    pair = pair_of(ag, id_in_packet_limit=limit)
    assert pair.run(identify(pair.session)) == {1: "demo", 5: "EPK 1.0"}
    steps: list[tuple[int, int]] = []
    text = pair.run(upload_a2l(pair.session, lambda done, of: steps.append((done, of))))
    assert text == b"/begin PROJECT demo\n" * 50
    assert steps[-1] == (1000, 1000)
    assert pair.run(get_id(pair.session, 77)).data == b""


def test_pages() -> None:
    pair = pair_of()
    assert pair.run(get_pages(0)) == (0, 0)
    pair.run(set_page(0, 1, ecu=False))
    assert pair.run(get_pages(0)) == (0, 1)
    assert pair.run(read(pair.session, SEGMENT, 1)) == b"\x01"
    with pytest.raises(WriteProtectedError):
        pair.run(write(pair.session, SEGMENT, b"\x55"))
    pair.run(set_page(0, 0, every=True))
    assert pair.run(get_pages(1)) == (0, 0)
    pair.run(copy_page((0, 1), (0, 0)))
    assert pair.run(read(pair.session, SEGMENT, 4)) == b"\x01" * 4
    with pytest.raises(WriteProtectedError):
        pair.run(copy_page((0, 0), (0, 1)))
    segments = pair.run(page_info(pair.session))
    assert [s.address for s in segments] == [SEGMENT, Address(0x6001_0000)]
    assert [s.size_bytes for s in segments] == [SEGMENT_SIZE, 0x40]
    assert [len(s.pages) for s in segments] == [2, 2]
    assert segments[0].pages[1].properties.xcp_write_access == 0
    assert (segments[0].ecu_page, segments[0].xcp_page) == (0, 0)


def test_segment_mode_and_mapping() -> None:
    pair = pair_of()
    pair.run(ask(pag.SetSegmentMode(mode=pag.SegmentMode.of(freeze=1), segment=1)))
    assert pair.run(ask(pag.GetSegmentMode(segment=1))).mode.freeze == 1
    assert pair.run(ask(pag.GetSegmentMode(segment=0))).mode.freeze == 0
    pair.run(ask(pag.SetSegmentMode(mode=pag.SegmentMode(0), segment=1)))
    assert pair.run(ask(pag.GetSegmentMode(segment=1))).mode.freeze == 0
    values = [
        pair.run(ask(pag.GetSegmentInfo(mode=2, segment=0, segment_info=i))).value for i in range(3)
    ]
    assert values == [0x6000_0000, 0x0801_0000, 0x100]


def test_daq_information() -> None:
    pair = pair_of(timestamp=TickClock(5, 3, 2), overload=1, identification_field=2)
    info = pair.run(daq_info(pair.session))
    assert info.processor.daq_key_byte.identification_field == 2
    assert info.processor.daq_properties.overload_msb == 1
    assert info.resolution.timestamp_mode.size == 2
    assert info.resolution.timestamp_ticks == 5
    assert [(e.channel, e.name) for e in info.events] == [(0, "1ms"), (1, "10ms"), (2, "crank")]
    assert info.events[1].info.time_cycle == 10


def test_daq_information_of_a_slave_that_tells_nothing() -> None:
    hidden = {"GET_DAQ_PROCESSOR_INFO", "GET_DAQ_RESOLUTION_INFO", "GET_DAQ_EVENT_INFO"}
    pair = pair_of(disabled=frozenset(hidden))
    info = pair.run(daq_info(pair.session))
    assert (info.processor, info.resolution, info.events) == (None, None, None)
    pair = pair_of(disabled=frozenset({"GET_DAQ_EVENT_INFO"}))
    assert pair.run(daq_info(pair.session)).events is None


def test_session_of_a_slave_without_optional_commands() -> None:
    names = {"GET_COMM_MODE_INFO", "GET_VERSION"}
    pair = pair_of(disabled=frozenset(names), transport_major=4)
    assert pair.session.max_bs == 0
    assert pair.session.protocol_version == (1, 0)
    assert pair.session.transport_version == (4, 0)


def test_synch_and_disconnect() -> None:
    pair = pair_of()
    assert pair.run(synchronise()) is True
    assert pair.run(disconnect()) is True
    assert not pair.master.connected
    assert not pair.slave.connected
    assert pair.run(disconnect(5_000_000)) is False  # silence, one time-out
    assert pair.now_ns == 5_000_000
    assert pair.run(connect()).profile.max_cto == 64


def test_clock_is_the_slaves_time() -> None:
    pair = pair_of(timestamp=TickClock(10, 3, 4))
    pair.now_ns = 123_456_789
    assert pair.run(ask(timecorr.GetDaqClock())).timestamp == 12_345


REFUSALS = [
    (std.Connect(mode=1), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.GetSeed(mode=0, resource=1), {}, ErrorCode.ERR_CMD_UNKNOWN),
    (std.Upload(count=1), {}, ErrorCode.ERR_ACCESS_DENIED),
    (std.Upload(count=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.Upload(count=64), {"slave_block_mode": False}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.ShortUpload(count=0, address=RAM.value), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.ShortUpload(count=64, address=RAM.value), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.ShortUpload(count=4, address=0), {}, ErrorCode.ERR_ACCESS_DENIED),
    (std.BuildChecksum(block_size=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (std.BuildChecksum(block_size=4), {}, ErrorCode.ERR_ACCESS_DENIED),
    (cal.Download(count=0, data=b""), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (cal.Download(count=4, data=b"abc"), {}, ErrorCode.ERR_CMD_SYNTAX),
    (cal.Download(count=4, data=b"abcd"), {}, ErrorCode.ERR_ACCESS_DENIED),
    (
        cal.Download(count=63, data=bytes(62)),
        {"master_block_mode": False},
        ErrorCode.ERR_OUT_OF_RANGE,
    ),
    (cal.Download(count=200, data=bytes(62)), {"max_bs": 3}, ErrorCode.ERR_OUT_OF_RANGE),
    (cal.DownloadNext(count=4, data=b"abcd"), {}, ErrorCode.ERR_SEQUENCE),
    (cal.DownloadMax(data=bytes(10)), {}, ErrorCode.ERR_CMD_SYNTAX),
    (cal.ShortDownload(count=4, address=RAM.value, data=b"abc"), {}, ErrorCode.ERR_CMD_SYNTAX),
    (cal.ShortDownload(count=57, address=RAM.value, data=b""), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (cal.ShortDownload(count=1, address=0x0800_0000, data=b"a"), {}, ErrorCode.ERR_WRITE_PROTECTED),
    (cal.ModifyBits(shift=0, and_mask=0, xor_mask=0), {}, ErrorCode.ERR_ACCESS_DENIED),
    (pag.SetCalPage(mode=pag.CalPageMode(0), segment=0, page=0), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (
        pag.SetCalPage(mode=pag.CalPageMode(3), segment=9, page=0),
        {},
        ErrorCode.ERR_SEGMENT_NOT_VALID,
    ),
    (pag.SetCalPage(mode=pag.CalPageMode(3), segment=0, page=5), {}, ErrorCode.ERR_PAGE_NOT_VALID),
    (pag.GetCalPage(access_mode=3, segment=0), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (pag.GetCalPage(access_mode=1, segment=2), {}, ErrorCode.ERR_SEGMENT_NOT_VALID),
    (pag.GetSegmentInfo(mode=0, segment=0, segment_info=2), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (pag.GetSegmentInfo(mode=2, segment=0, mapping_index=1), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (pag.GetSegmentInfo(mode=3, segment=0), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (pag.GetPageInfo(segment=0, page=2), {}, ErrorCode.ERR_PAGE_NOT_VALID),
    (pag.GetPageInfo(segment=2, page=0), {}, ErrorCode.ERR_SEGMENT_NOT_VALID),
    (
        pag.SetSegmentMode(mode=pag.SegmentMode(1), segment=0),
        {"freeze": False},
        ErrorCode.ERR_MODE_NOT_VALID,
    ),
    (
        pag.CopyCalPage(source_segment=0, source_page=9, destination_segment=0, destination_page=0),
        {},
        ErrorCode.ERR_PAGE_NOT_VALID,
    ),
    (daq.AllocDaq(daq_count=1), {}, ErrorCode.ERR_SEQUENCE),
    (daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.WriteDaq(size=4, address=RAM.value), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.ReadDaq(), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.StartStopDaqList(mode=3, daq_list=0), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (daq.StartStopDaqList(mode=1, daq_list=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.StartStopSynch(mode=1), {}, ErrorCode.ERR_DAQ_CONFIG),
    (daq.StartStopSynch(mode=3), {"protocol_version": 3}, ErrorCode.ERR_MODE_NOT_VALID),
    (daq.StartStopSynch(mode=4), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (daq.GetDaqListInfo(daq_list=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.GetDaqEventInfo(event_channel=3), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (daq.GetDaqProcessorInfo(), {"events": ()}, ErrorCode.ERR_CMD_UNKNOWN),
    (level1.GetVersion(), {"disabled": frozenset({"GET_VERSION"})}, ErrorCode.ERR_CMD_UNKNOWN),
]


@pytest.mark.parametrize(("request_", "changes", "code"), REFUSALS)
def test_refusals_have_the_standards_codes(request_, changes: dict, code: ErrorCode) -> None:
    pair = Pair(config(**changes))
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(ask(request_))
    assert caught.value.code == code
    assert caught.value.command == request_.__command__.name
    assert caught.value.request is request_
    assert pair.now_ns == 0


def test_download_max_and_modify() -> None:
    pair = Pair(config(max_cto=8))
    pair.run(ask(std.SetMta(address=RAM.value)))
    pair.run(ask(cal.DownloadMax(data=b"ABCDEFG")))
    pair.run(ask(cal.DownloadMax(data=b"abcdefg")))
    assert pair.memory.read(RAM, 15) == b"ABCDEFGabcdefg\x0e"


def test_a_short_download_of_nothing_moves_the_pointer() -> None:
    pair = Pair()
    pair.run(ask(cal.ShortDownload(count=0, address=RAM.value + 5, data=b"")))
    assert pair.run(ask(std.Upload(count=1))).data == b"\x05"


def test_pages_that_nobody_may_use() -> None:
    closed = SegmentConfig(0, "cal", SEGMENT, 16, (PageConfig(0), PageConfig(1, 0, 0, 0)))
    pair = Pair(config(segments=(closed,)))
    for ecu, xcp in ((True, False), (False, True)):
        with pytest.raises(NegativeResponseError) as caught:
            pair.run(set_page(0, 1, ecu=ecu, xcp=xcp))
        assert caught.value.code == ErrorCode.ERR_MODE_NOT_VALID


def test_page_information_of_slaves_that_do_not_tell() -> None:
    pair = Pair(config(disabled=frozenset({"GET_PAG_PROCESSOR_INFO"})))
    assert pair.run(page_info(pair.session)) is None
    assert pair.run(page_info(Session())) is None
    names = {"GET_SEGMENT_INFO", "GET_PAGE_INFO"}
    pair = Pair(config(disabled=frozenset(names)))
    first = pair.run(page_info(pair.session))[0]
    assert (first.address, first.size_bytes, first.pages, first.ecu_page) == (None, 0, (), 0)


def test_events_without_names() -> None:
    pair = Pair(config(events=(EventConfig(0, ""),)))
    assert [e.name for e in pair.run(daq_info(pair.session)).events] == [""]


def test_plain_memory_without_error_codes_is_denied() -> None:
    plain = SparseMemory()
    slave = SlaveMachine(config(), plain)
    for packet in (b"\xff\0", bytes.fromhex("f404000000000020")):
        slave.receive(packet, 0)
    assert slave.outgoing()[-1] == b"\xfe\x24"


def test_what_the_slave_may_not_send() -> None:
    pair = Pair(config(max_cto=8), connected=False)
    pair.slave.notify(6)
    pair.slave.terminate(0)
    assert pair.slave.outgoing() == []
    with pytest.raises(UsageError, match="MAX_CTO"):
        pair.slave.notify(0xFE, bytes(7))
    assert pair.slave.due() is None
    assert pair.slave.on_time(5) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ag": 3},
        {"max_cto": 7},
        {"max_cto": 256},
        {"max_cto": 10, "ag": 4},
        {"max_dto": 70_000},
        {"timestamp": TickClock(1, 3, 3)},
        {"timestamp": TickClock(0, 3, 4)},
        {"granularity_odt_entry": 3},
        {"identification_field": 4},
        {"overload": 3},
        {"events": (EventConfig(1, "a"),)},
        {"segments": (SegmentConfig(1, "a", RAM, 4, (PageConfig(0),)),)},
        {"segments": (SegmentConfig(0, "a", RAM, 4, (PageConfig(1),)),)},
        {"checksum": ChecksumType.XCP_USER_DEFINED},
    ],
)
def test_settings_that_cannot_be(changes: dict) -> None:
    with pytest.raises(SettingsError):
        config(**changes)


@pytest.mark.parametrize("name", ["CONNECT", "NO_SUCH_COMMAND"])
def test_only_optional_commands_can_be_left_out(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Pair(config(disabled=frozenset({name})))


def test_locked_resources_are_refused() -> None:
    pair = Pair(config(protected=std.Resource.of(cal_pag=1, daq=1)))
    assert pair.session.protection.cal_pag
    for request in (
        cal.ShortDownload(count=1, address=RAM.value, data=b"a"),
        pag.GetCalPage(access_mode=1, segment=0),
        daq.FreeDaq(),
    ):
        with pytest.raises(NegativeResponseError) as caught:
            pair.run(ask(request))
        assert caught.value.code == ErrorCode.ERR_ACCESS_LOCKED
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_memory_errors_have_their_classes() -> None:
    pair = Pair()
    with pytest.raises(AccessDeniedError):
        pair.run(read(pair.session, Address(0x10), 4))
    with pytest.raises(WriteProtectedError):
        pair.run(write(pair.session, Address(0x0800_0000), b"abcd"))
    with pytest.raises(UnknownCommandError):
        pair.run(ask(std.UserCmd(sub_command=1)))


def test_every_handler_and_procedure_names_a_command_of_the_table() -> None:
    known = {info.name for info in COMMANDS.extended(*ETH_COMMANDS)}
    assert {r.__command__.name for r in HANDLERS} <= known
    assert set(PROCEDURES) <= known
    assert IdType.A2L == 4
