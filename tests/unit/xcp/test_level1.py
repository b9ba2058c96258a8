"""Two-byte commands and time correlation from hand-made bytes, for what has no golden vector."""

import json
from pathlib import Path

import pytest

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError, WireError
from xcaliper.wire.codec import codec_for, encode
from xcaliper.xcp import events, level1, refusals, timecorr, tlcmd
from xcaliper.xcp.codes import ErrorCode, error_set
from xcaliper.xcp.dto import Dto, encode_dto
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.table import COMMANDS

FILE = Path(__file__).parents[2] / "vectors" / "xcp" / "unconfirmed.json"
DBG = {
    f"{'USB ' * (row['layer'] == 'usb')}{row['command']}": (row["request"], row["response"])
    for row in json.loads(FILE.read_text("utf-8"))["vectors"]
}


@pytest.mark.parametrize("name", DBG)
def test_bytes_by_hand(name):
    table = COMMANDS.extended(*tlcmd.USB_COMMANDS)
    command, answer = (bytes.fromhex(text) for text in DBG[name])
    info = table.find(command)
    assert info.name == name.removeprefix("USB ")
    request = codec_for(info.request).decode(command)
    assert encode(request) == command
    response = codec_for(info.response).decode(answer, request)
    assert encode(response, request=request) == answer


def test_every_command_without_vector_has_bytes_here():
    from meta import gaps

    assert set(DBG) == gaps.NO_VECTOR


def test_values_by_hand():
    def request(name):
        return codec_for(COMMANDS[name].request).decode(bytes.fromhex(DBG[name][0]))

    def response(name):
        info = COMMANDS[name]
        return codec_for(info.response).decode(bytes.fromhex(DBG[name][1]), request(name))

    assert response("DBG_ATTACH").max_cto_dbg == 0x0100
    assert response("DBG_SEQUENCE_MULTIPLE").results[0].tdo == 0xDEADBEEF
    rmw = request("DBG_READ_MODIFY_WRITE")
    assert (rmw.tri, rmw.width, rmw.address, rmw.mask, rmw.value) == (1, 2, 0x1000, 0xFF, 0x1234)
    assert response("DBG_READ_MODIFY_WRITE").value == bytes.fromhex("1234")
    write = request("DBG_WRITE")
    assert (write.count, write.data) == (2, bytes.fromhex("01020304"))
    assert response("DBG_READ").data == bytes.fromhex("1122334455667788")
    assert request("DBG_HWIO_CONTROL").pins == (level1.HwioState(index=3, state=1, frequency=10),)
    assert response("DBG_GET_HWIO_INFO").pins[0].pin_class == 3
    assert request("POD_COMMAND").pod_command == level1.PodCommandCode.MANAGE_TRANSFER


def test_clock_information_blocks():
    clock = "0011223344556677" + "0a00" + "02" + "ff" + "04" + "000000" + "ffffffff00000000"
    grandmaster = "8899aabbccddeeff" + "0100" + "00" + "01" + "08" + "010000" + "ff" * 8
    relation = "01" + "00" * 7 + "02" + "00" * 7
    info = timecorr.ClockInfo(0b10111)
    memory = bytes.fromhex(clock + grandmaster + relation + "1122334455667788")
    assert timecorr.ClockBlocks.size_bytes(info) == len(memory) == 72
    blocks = timecorr.decode_clock_blocks(info, memory)
    assert (blocks.slave.timestamp_ticks, blocks.slave.timestamp_unit) == (10, 2)
    assert blocks.slave.max_timestamp_before_wrap == 0xFFFFFFFF
    assert blocks.slave.native_timestamp_size == 4
    assert (blocks.grandmaster.epoch, blocks.grandmaster.stratum_level) == (1, 1)
    assert (blocks.relation.origin, blocks.relation.slave_timestamp) == (1, 2)
    assert blocks.ecu is None
    assert blocks.ecu_grandmaster == bytes.fromhex("1122334455667788")
    with pytest.raises(WireError, match="72 bytes"):
        timecorr.decode_clock_blocks(info, memory[:-1])
    motorola = timecorr.decode_clock_blocks(
        timecorr.ClockInfo.of(relation=1), bytes(15) + b"\x05", ByteOrder.MOTOROLA
    )
    assert motorola.relation.slave_timestamp == 5
    assert motorola.slave is None


def test_reserved_timestamp_sizes_are_refused():
    with pytest.raises(WireError, match=r"payload_fmt\.slave"):
        codec_for(timecorr.GetDaqClockResponse).decode(bytes.fromhex("ff000003") + bytes(20))


def test_unknown_and_damaged_events():
    assert events.decode_event(b"\xfd\x44\x01") == events.UnknownEvent(
        event_code=0x44, data=b"\x01"
    )
    assert events.decode_event(b"\xfd\x44").name == "EV_44"
    short = events.decode_event(b"\xfd\x09\x00")
    assert (type(short), short.code) == (events.UnknownEvent, 9)
    assert events.decode_service(b"\xfc\x07\x01").name == "SERV_07"
    assert events.decode_service(b"\xfc\x07").code == 7
    assert events.decode_event(bytes.fromhex("fd000201")).timestamp is None
    with pytest.raises(WireError):
        events.decode_event(b"\xfe\x00")


def test_refusals_without_their_extra_bytes_stay_plain():
    plain = refusals.decode_refusal(b"\xfe\x22", "BUILD_CHECKSUM")
    assert (plain.code, plain.info) == (0x22, b"")
    found = refusals.decode_refusal(bytes.fromhex("fe22040000100000"), "UPLOAD")
    assert found.info == bytes.fromhex("040000100000")


def test_letters_are_those_of_the_table():
    assert error_set("B Q Sub") == {
        ErrorCode.ERR_CMD_BUSY,
        ErrorCode.ERR_SEQUENCE,
        ErrorCode.ERR_SUBCMD_UNKNOWN,
    }
    assert COMMANDS["PROGRAM_VERIFY"].errors >= {ErrorCode.ERR_VERIFY}


def test_ip_addresses():
    assert tlcmd.ip_to_bytes("192.168.0.1") == bytes([192, 168, 0, 1]) + bytes(12)
    assert tlcmd.ip_from_bytes(tlcmd.ip_to_bytes("fe80::1"), 1) == "fe80::1"
    for wrong in ("nowhere", "1.2.3", ":::"):
        with pytest.raises(UsageError, match="not an IP address"):
            tlcmd.ip_to_bytes(wrong)
    assert tlcmd.clock_multicast_address(0x0102) == ("239.255.1.2", 5557)


def test_dto_numbers_that_do_not_fit_the_header():
    overload = DtoFormat(1, overload_msb=True)
    for dto, fmt in (
        (Dto(odt=0x80, daq_list=1), overload),
        (Dto(odt=300), DtoFormat(0)),
        (Dto(odt=0, daq_list=256), DtoFormat(1)),
        (Dto(odt=0, daq_list=65536), DtoFormat(2)),
    ):
        with pytest.raises(WireError):
            encode_dto(dto, fmt)
    assert encode_dto(Dto(odt=1, daq_list=2, overload=True), overload) == b"\x81\x02"
    assert encode_dto(Dto(odt=0, timestamp=0x10005), DtoFormat(0, timestamp_size=2)) == b"\0\x05\0"
