"""Procedures on scripted answers: slaves that ours does not imitate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import ExchangeTimeoutError, OutOfRangeError, RemoteProtocolError
from xcaliper.proto.procedure import Ask, Burst, run_script
from xcaliper.xcp import cal, pgm, std, timecorr
from xcaliper.xcp.codes import (
    CommModeBasic,
    ErrorCode,
    GetIdMode,
    Resource,
    negative_response,
)
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.procedures.daq_setup import clock, start
from xcaliper.xcp.procedures.identify import get_id, upload_a2l
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.procedures.program import program_info
from xcaliper.xcp.profile import Profile

if TYPE_CHECKING:
    from xcaliper.proto.memory_port import MemoryPort

SESSION = Session(profile=Profile(max_cto=8, max_dto=8), max_bs=4)
OK = std.EmptyResponse()
UNKNOWN = negative_response("X", ErrorCode.ERR_CMD_UNKNOWN)
RANGE = negative_response("X", ErrorCode.ERR_OUT_OF_RANGE)
LOST = ExchangeTimeoutError("UPLOAD", timer="T1", attempts=3, elapsed_ns=1)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    SESSION.forget()


def test_blocks_that_are_announced_but_refused_become_single_packets() -> None:
    memory: MemoryPort = XcpMemory(SESSION)
    _, steps = run_script(memory.write(Address(0x100), bytes(20)), [OK, RANGE, *[OK] * 4])
    assert isinstance(steps[1], Burst)
    assert steps[2] == Ask(std.SetMta(address=0x100), unless_set=True)
    kinds = [type(s.request) for s in steps[3:] if isinstance(s, Ask)]
    assert kinds == [cal.DownloadMax, cal.DownloadMax, cal.Download]
    assert "DOWNLOAD_NEXT" in SESSION.refused


def test_an_address_that_is_out_of_range_says_nothing_about_blocks() -> None:
    with pytest.raises(OutOfRangeError):
        run_script(XcpMemory(SESSION).write(Address(0x100), bytes(20)), [OK, RANGE, OK, OK, RANGE])
    with pytest.raises(OutOfRangeError):
        run_script(XcpMemory(SESSION).write(Address(0x100), bytes(4)), [OK, RANGE])
    assert SESSION.refused == set()


def test_two_answers_to_connect_that_differ_are_not_believed() -> None:
    answers = [
        std.ConnectResponse(
            resource=Resource(1),
            comm_mode_basic=CommModeBasic(0),
            max_cto=size,
            max_dto=8,
            protocol_layer_version=1,
            transport_layer_version=1,
        )
        for size in (8, 9)
    ]
    with pytest.raises(RemoteProtocolError, match="two answers differ"):
        run_script(connect(twice=True), answers)
    session, steps = run_script(connect(twice=True), [answers[0]] * 2 + [UNKNOWN] * 2)
    assert session.profile.max_cto == 8
    assert [type(step.request) for step in steps[:2]] == [std.Connect] * 2


def test_programming_that_the_device_is_known_to_lack_is_not_asked_for() -> None:
    session = Session(profile=SESSION.profile, resource=Resource.of(pgm=1))
    session.refused.add("GET_PGM_PROCESSOR_INFO")
    assert run_script(program_info(session), []) == (None, [])
    session.forget()
    session.refused.add("GET_SECTOR_INFO")
    told = pgm.GetPgmProcessorInfoResponse(pgm_properties=pgm.PgmProperties(0), max_sector=3)
    found, steps = run_script(program_info(session), [told])
    assert found is not None
    assert (found.max_sector, found.sectors, len(steps)) == (3, (), 1)


def test_memory_without_any_way_to_read() -> None:
    with pytest.raises(Exception, match="ERR_CMD_UNKNOWN"):
        run_script(XcpMemory(SESSION).read(Address(0), 4), [UNKNOWN, OK, UNKNOWN])
    with pytest.raises(Exception, match="ERR_CMD_UNKNOWN"):
        run_script(XcpMemory(SESSION).read(Address(0), 4), [UNKNOWN])


def test_nothing_is_written_without_a_command() -> None:
    assert run_script(XcpMemory(SESSION).write(Address(0), b""), []) == (None, [])


def test_bits_are_changed_without_trying_the_command_twice() -> None:
    data = std.UploadResponse(data=b"\x0f\0\0\0")
    change = {"and_mask": 0xFFF0, "xor_mask": 2}
    for script in ([OK, UNKNOWN, data, OK, OK], [data, OK, OK]):
        _, steps = run_script(XcpMemory(SESSION).modify_bits(Address(0), **change), script)
    assert [type(s.request) for s in steps] == [std.ShortUpload, std.SetMta, cal.Download]
    assert steps[-1].request.data == b"\x02\0\0\0"


@pytest.mark.parametrize("info", ["", "0100", "00000000ffff", "010000000000"])
def test_checksum_limits_that_do_not_help(info: str) -> None:
    refused = negative_response("BUILD_CHECKSUM", 0x22, bytes.fromhex(info))
    with pytest.raises(OutOfRangeError):
        run_script(XcpMemory(SESSION).checksum(Address(0), 64), [OK, refused])


def test_checksum_blocks_of_one_byte_end() -> None:
    session = Session(profile=Profile(max_cto=8, max_dto=8))
    refused = negative_response("BUILD_CHECKSUM", 0x22, bytes.fromhex("010001000000"))
    one = std.BuildChecksumResponse(checksum_type=1, checksum=0)
    script = [OK, refused, OK, *[one] * 70_000]
    with pytest.raises(RemoteProtocolError, match="too long"):
        run_script(XcpMemory(session).checksum(Address(0), 1 << 20), script)


def identification(length: int, mode: int = 0) -> std.GetIdResponse:
    return std.GetIdResponse(mode=GetIdMode(mode), length=length)


def test_an_unbelievable_length_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="byte order"):
        run_script(get_id(SESSION, 1), [identification(0x0400_0000)])


def test_an_upload_that_never_succeeds_ends() -> None:
    with pytest.raises(ExchangeTimeoutError):
        run_script(get_id(SESSION, 1), [identification(3), LOST] * 5)


def test_compressed_descriptions_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="compressed"):
        run_script(upload_a2l(SESSION), [identification(3, mode=2), b"abc"])


def test_a_denied_description_is_none() -> None:
    denied = negative_response("GET_ID", ErrorCode.ERR_ACCESS_DENIED)
    assert run_script(upload_a2l(SESSION), [denied])[0] == b""


def test_clocks_of_both_formats() -> None:
    extended = timecorr.DaqClockExtended(
        trigger_info=timecorr.TriggerInfo(0),
        payload_fmt=timecorr.PayloadFmt(2),
        slave_timestamp=1 << 40,
    )
    assert run_script(clock(), [extended])[0] == 1 << 40
    assert run_script(clock(), [timecorr.DaqClockLegacy(timestamp=7)])[0] == 7
    assert run_script(clock(), [UNKNOWN])[0] is None


def test_a_refused_start_stays_refused_when_nothing_runs() -> None:
    idle = std.GetStatusResponse(
        session_status=std.SessionStatus(0), protection_status=std.Resource(0)
    )
    with pytest.raises(OutOfRangeError):
        run_script(start(), [RANGE, idle])
