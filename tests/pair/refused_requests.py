"""Requests that a slave of ours refuses, by command and error: what it is, what comes before, what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pair.golden_slaves import (
    ALL,
    FLASH,
    RAM,
    ROM,
    SECTOR_SIZE,
    bound,
    lists,
    program,
    ready,
    running,
    security,
)
from xcaliper.core.address import Address
from xcaliper.xcp import cal, daq, pag, pgm, std, timecorr
from xcaliper.xcp.codes import ErrorCode, Resource, SetRequestMode
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_clock import ClockSettings
from xcaliper.xcp.slave_config import FixedList
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.slave_store import StoreSettings

if TYPE_CHECKING:
    from pair.link import Pair

NOWHERE = 0x7000_0000
STARTED = (pgm.ProgramStart(), std.SetMta(address=FLASH))
CLEAR = pgm.ProgramClear(mode=0, clear_range=SECTOR_SIZE)
POINTER = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
ENTRY = daq.WriteDaq(bit_offset=0xFF, size=1, address_extension=0, address=RAM)
ODD = daq.WriteDaq(bit_offset=0xFF, size=1, address_extension=0, address=NOWHERE)
WIDE = daq.WriteDaq(bit_offset=0xFF, size=255, address_extension=0, address=RAM)
STORE = std.SetRequest(
    mode=SetRequestMode.of(store_daq_req_no_resume=1), session_configuration_id=1
)
SELECTED = (*ready(0), daq.StartStopDaqList(mode=2, daq_list=0))


def mta(address: int) -> std.SetMta:
    return std.SetMta(address=address)


def page(segment: int = 0, number: int = 0, mode: int = 3) -> pag.SetCalPage:
    return pag.SetCalPage(mode=pag.CalPageMode(mode), segment=segment, page=number)


def copy(*numbers: int) -> pag.CopyCalPage:
    names = ("source_segment", "source_page", "destination_segment", "destination_page")
    return pag.CopyCalPage(**dict(zip(names, numbers, strict=True)))


def many(*entries: daq.WriteDaq) -> daq.WriteDaqMultiple:
    names = ("bit_offset", "size", "address", "address_extension")
    elements = tuple(daq.DaqElement(**{n: getattr(e, n) for n in names}) for e in entries)
    return daq.WriteDaqMultiple(count=len(elements), elements=elements)


def verify(kind: int = 1, mode: int = 0) -> pgm.ProgramVerify:
    return pgm.ProgramVerify(mode=mode, verification_type=kind, verification_value=0)


def unsound(pair: Pair) -> None:
    pair.memory.sound = False


def forbid(pair: Pair) -> None:
    pair.slave.state.program.forbidden = 0xBEEF


def burnt(pair: Pair) -> None:
    pair.memory.burnt = True


def generic(sub_command: int, parameters: bytes) -> bytes:
    raise refuse(ErrorCode.ERR_GENERIC)


PREDEFINED = FixedList(entries=((OdtEntry(Address(RAM), 1),),))
FIXED = {"dynamic": False, "fixed_lists": (PREDEFINED,), "clear_predefined": False}
DATA = {"count": 1, "data": b"\1"}
FULL = {"data": bytes(251)}

#: (command, letter) → slave, what comes before, request; errors of parameters, places and order.
BY_HAND: dict[tuple[str, str], tuple[dict[str, Any], tuple[Any, ...], Any]] = {
    ("SET_REQUEST", "R"): (
        {},
        (),
        std.SetRequest(mode=SetRequestMode(0), session_configuration_id=0),
    ),
    ("SET_REQUEST", "N"): (
        {"store": StoreSettings(daq=True, duration_ns=10**12)},
        (*SELECTED, STORE),
        STORE,
    ),
    ("UNLOCK", "Q"): ({}, (), std.Unlock(length=1, key=b"k")),
    ("UNLOCK", "L"): (
        {"security": security(protected=ALL)},
        (std.GetSeed(mode=0, resource=Resource.of(daq=1)),),
        std.Unlock(length=1, key=b"k"),
    ),
    ("GET_SEED", "R"): ({}, (), std.GetSeed(mode=7, resource=Resource.of(daq=1))),
    ("UPLOAD", "R"): ({}, (mta(RAM),), std.Upload(count=0)),
    ("UPLOAD", "A"): ({}, (mta(NOWHERE),), std.Upload(count=1)),
    ("SHORT_UPLOAD", "R"): ({}, (), std.ShortUpload(count=0, address=RAM)),
    ("SHORT_UPLOAD", "A"): ({}, (), std.ShortUpload(count=1, address=NOWHERE)),
    ("BUILD_CHECKSUM", "R"): ({}, (mta(RAM),), std.BuildChecksum(block_size=0)),
    ("BUILD_CHECKSUM", "A"): ({}, (mta(NOWHERE),), std.BuildChecksum(block_size=4)),
    ("TRANSPORT_LAYER_CMD", "Sub"): ({}, (), std.TransportLayerCmd(sub_command=1)),
    ("USER_CMD", "G"): ({"user_command": generic}, (), std.UserCmd(sub_command=1)),
    ("DOWNLOAD", "R"): ({}, (mta(RAM),), cal.Download(count=0, data=b"")),
    ("DOWNLOAD", "W"): ({}, (mta(ROM),), cal.Download(**DATA)),
    ("DOWNLOAD", "A"): ({}, (mta(NOWHERE),), cal.Download(**DATA)),
    ("DOWNLOAD_MAX", "W"): ({}, (mta(ROM),), cal.DownloadMax(**FULL)),
    ("DOWNLOAD_MAX", "A"): ({}, (mta(NOWHERE),), cal.DownloadMax(**FULL)),
    ("SHORT_DOWNLOAD", "W"): ({}, (), cal.ShortDownload(address=ROM, **DATA)),
    ("SHORT_DOWNLOAD", "A"): ({}, (), cal.ShortDownload(address=NOWHERE, **DATA)),
    ("MODIFY_BITS", "W"): ({}, (mta(ROM),), cal.ModifyBits(shift=0, and_mask=0, xor_mask=0)),
    ("MODIFY_BITS", "A"): ({}, (mta(NOWHERE),), cal.ModifyBits(shift=0, and_mask=0, xor_mask=0)),
    ("SET_CAL_PAGE", "Pg"): ({}, (), page(number=99)),
    ("SET_CAL_PAGE", "M"): ({}, (), page(mode=0)),
    ("SET_CAL_PAGE", "Sg"): ({}, (), page(segment=99)),
    ("GET_CAL_PAGE", "M"): ({}, (), pag.GetCalPage(access_mode=7, segment=0)),
    ("GET_CAL_PAGE", "Sg"): ({}, (), pag.GetCalPage(access_mode=1, segment=99)),
    ("GET_SEGMENT_INFO", "R"): (
        {},
        (),
        pag.GetSegmentInfo(mode=0, segment=0, segment_info=9, mapping_index=0),
    ),
    ("GET_SEGMENT_INFO", "M"): (
        {},
        (),
        pag.GetSegmentInfo(mode=9, segment=0, segment_info=0, mapping_index=0),
    ),
    ("GET_SEGMENT_INFO", "Sg"): (
        {},
        (),
        pag.GetSegmentInfo(mode=0, segment=99, segment_info=0, mapping_index=0),
    ),
    ("GET_PAGE_INFO", "Pg"): ({}, (), pag.GetPageInfo(segment=0, page=99)),
    ("GET_PAGE_INFO", "Sg"): ({}, (), pag.GetPageInfo(segment=99, page=0)),
    ("SET_SEGMENT_MODE", "M"): (
        {"freeze": False},
        (),
        pag.SetSegmentMode(mode=pag.SegmentMode.of(freeze=1), segment=0),
    ),
    ("SET_SEGMENT_MODE", "Sg"): ({}, (), pag.SetSegmentMode(mode=pag.SegmentMode(0), segment=99)),
    ("GET_SEGMENT_MODE", "Sg"): ({}, (), pag.GetSegmentMode(segment=99)),
    ("COPY_CAL_PAGE", "Pg"): ({}, (), copy(0, 99, 0, 0)),
    ("COPY_CAL_PAGE", "Sg"): ({}, (), copy(0, 0, 99, 0)),
    ("CLEAR_DAQ_LIST", "R"): ({}, (), daq.ClearDaqList(daq_list=9)),
    ("SET_DAQ_PTR", "R"): ({}, (), POINTER),
    ("SET_DAQ_PTR", "D"): ({}, running(), POINTER),
    ("WRITE_DAQ", "R"): ({}, (), ENTRY),
    ("WRITE_DAQ", "A"): ({}, (*lists(0), POINTER), ODD),
    ("WRITE_DAQ", "C"): ({"max_dto": 8, "max_odt_entry_size": 255}, (*lists(0), POINTER), WIDE),
    ("WRITE_DAQ", "D"): (
        {},
        (*ready(0)[:-1], bound(0), POINTER, daq.StartStopDaqList(mode=1, daq_list=0)),
        ENTRY,
    ),
    ("WRITE_DAQ_MULTIPLE", "R"): ({}, (*lists(0), POINTER), many(ENTRY, ENTRY)),
    ("WRITE_DAQ_MULTIPLE", "A"): ({}, (*lists(0), POINTER), many(ODD)),
    ("WRITE_DAQ_MULTIPLE", "C"): (
        {"max_dto": 8, "max_odt_entry_size": 255},
        (*lists(0), POINTER),
        many(WIDE),
    ),
    ("WRITE_DAQ_MULTIPLE", "D"): (
        {},
        (*ready(0)[:-1], bound(0), POINTER, daq.StartStopDaqList(mode=1, daq_list=0)),
        many(ENTRY),
    ),
    ("SET_DAQ_LIST_MODE", "R"): ({}, lists(0), bound(0, 99)),
    ("SET_DAQ_LIST_MODE", "D"): ({}, running(), bound(0)),
    ("SET_DAQ_LIST_MODE", "M"): ({}, lists(0), bound(0, mode=0x01)),
    ("GET_DAQ_LIST_MODE", "R"): ({}, (), daq.GetDaqListMode(daq_list=9)),
    ("START_STOP_DAQ_LIST", "R"): ({}, (), daq.StartStopDaqList(mode=1, daq_list=9)),
    ("START_STOP_DAQ_LIST", "M"): ({}, lists(0), daq.StartStopDaqList(mode=9, daq_list=0)),
    ("START_STOP_DAQ_LIST", "C"): ({}, lists(0), daq.StartStopDaqList(mode=1, daq_list=0)),
    ("START_STOP_SYNCH", "M"): ({}, (), daq.StartStopSynch(mode=9)),
    ("START_STOP_SYNCH", "C"): ({}, (), daq.StartStopSynch(mode=1)),
    ("GET_DAQ_CLOCK", "N"): ({"clocks": ClockSettings(readable=False)}, (), timecorr.GetDaqClock()),
    ("GET_DAQ_LIST_INFO", "R"): ({}, (), daq.GetDaqListInfo(daq_list=9)),
    ("GET_DAQ_EVENT_INFO", "R"): ({}, (), daq.GetDaqEventInfo(event_channel=99)),
    ("ALLOC_DAQ", "D"): ({}, running(), daq.AllocDaq(daq_count=1)),
    ("ALLOC_DAQ", "R"): ({}, (daq.FreeDaq(),), daq.AllocDaq(daq_count=0)),
    ("ALLOC_DAQ", "Q"): ({}, (), daq.AllocDaq(daq_count=1)),
    ("ALLOC_DAQ", "O"): ({"max_daq_lists": 1}, (daq.FreeDaq(),), daq.AllocDaq(daq_count=2)),
    ("ALLOC_ODT", "D"): ({}, running(), daq.AllocOdt(daq_list=0, odt_count=1)),
    ("ALLOC_ODT", "R"): ({}, lists(0)[:2], daq.AllocOdt(daq_list=9, odt_count=1)),
    ("ALLOC_ODT", "Q"): ({}, (), daq.AllocOdt(daq_list=0, odt_count=1)),
    ("ALLOC_ODT", "O"): (
        {"identification_field": 0, "max_daq_lists": 2},
        (*lists(1)[:2], daq.AllocOdt(daq_list=0, odt_count=250)),
        daq.AllocOdt(daq_list=1, odt_count=250),
    ),
    ("ALLOC_ODT_ENTRY", "D"): ({}, running(), daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1)),
    ("ALLOC_ODT_ENTRY", "R"): (
        {},
        lists(0)[:3],
        daq.AllocOdtEntry(daq_list=0, odt=9, entry_count=1),
    ),
    ("ALLOC_ODT_ENTRY", "Q"): ({}, (), daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1)),
    ("ALLOC_ODT_ENTRY", "O"): (
        {"max_odt_entries_total": 1},
        lists(0)[:3],
        daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=2),
    ),
    ("PROGRAM_START", "D"): ({}, running(), pgm.ProgramStart()),
    ("PROGRAM_START", "G"): ({}, (forbid,), pgm.ProgramStart()),
    ("PROGRAM_CLEAR", "Q"): ({}, (), CLEAR),
    ("PROGRAM_CLEAR", "R"): ({}, STARTED, pgm.ProgramClear(mode=9, clear_range=1)),
    ("PROGRAM", "Q"): ({}, (), pgm.Program(**DATA)),
    ("PROGRAM_MAX", "Q"): ({}, (), pgm.ProgramMax(**FULL)),
    ("PROGRAM_RESET", "Q"): ({}, (), pgm.ProgramReset()),
    ("PROGRAM_PREPARE", "G"): ({}, (), pgm.ProgramPrepare(code_size=1)),
    ("PROGRAM_PREPARE", "R"): ({}, (mta(RAM),), pgm.ProgramPrepare(code_size=0)),
    ("PROGRAM_PREPARE", "Q"): ({}, STARTED, pgm.ProgramPrepare(code_size=1)),
    ("PROGRAM_FORMAT", "R"): (
        {},
        STARTED,
        pgm.ProgramFormat(
            compression_method=1, encryption_method=0, programming_method=0, access_method=0
        ),
    ),
    ("PROGRAM_FORMAT", "Q"): (
        {},
        (),
        pgm.ProgramFormat(
            compression_method=0, encryption_method=0, programming_method=0, access_method=0
        ),
    ),
    ("PROGRAM_VERIFY", "R"): ({}, STARTED, verify(mode=9)),
    ("PROGRAM_VERIFY", "Q"): ({}, (), verify()),
    ("PROGRAM_VERIFY", "V"): ({}, (*STARTED, unsound), verify()),
    ("PROGRAM_CLEAR", "A"): ({}, (pgm.ProgramStart(), mta(NOWHERE)), CLEAR),
    ("PROGRAM", "A"): ({}, (pgm.ProgramStart(), mta(NOWHERE)), pgm.Program(**DATA)),
    ("PROGRAM", "R"): (
        {"program": program(master_block_mode=False)},
        STARTED,
        pgm.Program(count=251, data=bytes(250)),
    ),
    ("MODIFY_BITS", "R"): ({}, (mta(RAM),), cal.ModifyBits(shift=32, and_mask=0, xor_mask=0)),
    ("WRITE_DAQ", "W"): (FIXED, (POINTER,), ENTRY),
    ("WRITE_DAQ_MULTIPLE", "W"): (FIXED, (POINTER,), many(ENTRY)),
    ("CLEAR_DAQ_LIST", "A"): (FIXED, (), daq.ClearDaqList(daq_list=0)),
    ("COPY_CAL_PAGE", "W"): ({}, (burnt,), copy(0, 0, 0, 1)),
    ("GET_SECTOR_INFO", "M"): ({}, (), pgm.GetSectorInfo(mode=9, sector=0)),
    ("GET_SECTOR_INFO", "Sg"): ({}, (), pgm.GetSectorInfo(mode=0, sector=99)),
    ("TIME_CORRELATION_PROPERTIES", "R"): (
        {"clocks": ClockSettings()},
        (),
        timecorr.TimeCorrelationProperties(
            set_properties=timecorr.SetProperties.of(response_fmt=3)
        ),
    ),
    ("TIME_CORRELATION_PROPERTIES", "T"): (
        {},
        running(),
        timecorr.TimeCorrelationProperties(
            set_properties=timecorr.SetProperties.of(response_fmt=2)
        ),
    ),
    ("DTO_CTR_PROPERTIES", "R"): ({}, (), timecorr.DtoCtrProperties(event_channel=99)),
}
