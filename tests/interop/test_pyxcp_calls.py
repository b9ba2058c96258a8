"""pyxcp, as a master from elsewhere, calls every command that it has, over UDP and TCP.

What pyxcp does differently from the standard is asserted as it is and marked "pyxcp:", so that a
change there is noticed.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pair.link import RAM, SEGMENT, PagedMemory, config
from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.flash import flash_settings
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.ports import open_port
from xcaliper.transport.server import SlaveServer
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, FixedList, SlaveConfig
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig
from xcaliper.xcp.slave_session import SessionSettings
from xcaliper.xcp.slave_store import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILD = Path(__file__).with_name("pyxcp_calls_child.py")
TIME_LIMIT_S = 90
SCHEMES = ("udp", "tcp")
SCALARS = 0x0802_0000
COUNTER = 0x2000_0000
FLASH = 0x0810_0000
#: pyxcp: adds words of a Motorola slave up as Intel words.
INTEL_SUMS = ("XCP_ADD_22", "XCP_ADD_24", "XCP_ADD_44")


def raw(data: bytes) -> dict[str, str]:
    return {"hex": data.hex()}


def child(url: str, kind: str, **job: Any) -> dict:
    scheme, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    told = {"kind": kind, "host": host, "port": int(port), "protocol": scheme.upper(), **job}
    done = subprocess.run(
        [sys.executable, str(CHILD)],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


class Calls:
    """A list of calls, each with what must come: a value, the part of an object, or a check."""

    def __init__(self) -> None:
        self.calls: list[list] = []
        self.expected: list[Any] = []

    def __call__(self, name: str, *arguments: Any, gives: Any = None) -> None:
        self.calls.append([name, *arguments])
        self.expected.append(gives)

    def run(self, url: str) -> dict:
        found = child(url, "calls", calls=self.calls)
        for call, came, expected in zip(self.calls, found["results"], self.expected, strict=True):
            where = f"{call}: {came}"
            if expected is None:
                assert not (isinstance(came, dict) and "error" in came), where
            elif isinstance(expected, dict):
                assert holds(came, expected), where
            elif isinstance(expected, Error):
                assert came.get("error") == expected.kind, where
                assert expected.text in came["told"], where
            else:
                assert came == expected, where
        return found


class Error:
    """An exception of pyxcp with a word in its text."""

    def __init__(self, text: str, kind: str = "SystemExit") -> None:
        self.text, self.kind = text, kind


def holds(came: Any, expected: Any) -> bool:
    """Every named part has the value."""
    if not isinstance(expected, dict):
        return bool(came == expected)
    return isinstance(came, dict) and all(holds(came.get(k), v) for k, v in expected.items())


@contextlib.contextmanager
def served(settings: SlaveConfig, scheme: str = "udp") -> Iterator[tuple[SlaveMachine, str]]:
    """A slave with plain memory; its event channel 0 comes about every millisecond."""
    machine = SlaveMachine(settings, PagedMemory())
    ended = threading.Event()
    with SlaveServer(machine, [open_port(f"{scheme}://127.0.0.1:0")]) as server:

        def serve() -> None:
            while not ended.is_set():
                server.step(1_000_000)
                machine.event(0, time.monotonic_ns())
                server.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield machine, server.url
        finally:
            ended.set()
            thread.join()


@pytest.fixture(params=SCHEMES)
def ecu(request) -> Iterator[EcuServer]:
    settings = SlaveConfig(
        program=flash_settings(),
        freeze=True,
        store=StoreSettings(daq=True, resume=True),
        session=SessionSettings(),
        max_cto=64,
        id_in_packet_limit=16,
        user_command=lambda sub, data: bytes((sub,)) + data[::-1],
    )
    with EcuServer(build_ecu("demo-engine", settings), (f"{request.param}://127.0.0.1:0",)) as made:
        yield made


def test_session_memory_and_programming(ecu):
    a2l = ecu.ecu.a2l.encode()
    block = bytes(range(200))
    call = Calls()
    call("connect", gives={"maxCto": 64, "resource": {"pgm": True, "stim": True, "dbg": False}})
    call("getStatus", gives={"sessionStatus": {"daqRunning": False}, "sessionConfiguration": 0})
    call("synch", gives="00")
    call("getCommModeInfo", gives={"commModeOptional": {"masterBlockMode": True}, "maxBs": 32})
    call("getVersion", gives={"protocolMinor": 5, "transportMinor": 5})
    call("getId", 0, gives={"mode": 1, "identification": list(b"DemoEngine")})
    call("getId", 1, gives={"mode": 1, "length": 10})
    for kind in (2, 3, 99):  # nothing of that kind
        call("getId", kind)
    call("getId", 4, gives={"mode": 0, "length": len(a2l)})
    call("fetch", len(a2l), gives=a2l.hex())  # UPLOADs of 255 bytes, each five packets
    call("push", SCALARS, 0, raw(block))  # DOWNLOAD and DOWNLOAD_NEXT
    call("setMta", SCALARS)
    call("upload", 200, gives=block.hex())
    call("shortUpload", 8, SCALARS + 60, gives=block[60:68].hex())
    call("setMta", SCALARS)
    call("downloadMax", raw(b"\xaa" * 63))
    call("shortDownload", SCALARS + 1, 0, raw(b"\xbb\xcc"))
    call("shortUpload", 4, SCALARS, gives="aabbccaa")
    call("setMta", SCALARS)
    call("modifyBits", 8, 0xFF0F, 0x0001)
    call("shortUpload", 4, SCALARS, gives="aa0acc" + "aa")
    call("verify", SCALARS, 128, gives=True)
    call("userCmd", 7, raw(b"\x01\x02"), gives="070201")
    call("setMta", 0x1234)
    call("upload", 4, gives=Error("ERR_ACCESS_DENIED"))
    call("setMta", SCALARS)
    call("downloadMax", raw(bytes(10)), gives=Error("ERR_CMD_SYNTAX"))
    call("getPgmProcessorInfo", gives={"maxSector": 4})
    call("getSectorInfo", 0, 1, gives={"clearSequenceNumber": 2, "sectorInfo": FLASH + 0x4000})
    call("getSectorInfo", 1, 1, gives={"sectorInfo": 0x4000})
    call("getSectorInfo", 2, 1, gives={"sectorNameLength": 12})
    call("fetch", 12, gives=b"calibration1".hex())
    call("getPgmInfo", gives=Error("nameLength", "AttributeError"))  # pyxcp: a name of its own
    call("programStart", gives={"maxCtoPgm": 64, "commModePgm": {"masterBlockMode": True}})
    call("setMta", FLASH)
    call("programClear", 0, 0x4000)
    call("flash_program", FLASH, raw(block))  # PROGRAM and PROGRAM_NEXT
    call("programMax", raw(b"\xa5" * 63))
    call("program", raw(b"\x01\x02\x03"), 3, True)
    call("program", raw(b""), 0, True)
    call("programVerify", 0, 1, 0)
    call("programReset")
    call.run(ecu.url)
    flash = ecu.ecu.flash
    assert flash is not None
    written = block + b"\xa5" * 63 + b"\x01\x02\x03\xff"
    assert flash.read(FLASH, len(written)) == written


def test_pages_freezing_and_storing(ecu):
    call = Calls()
    call("connect")
    call(
        "getPagProcessorInfo", gives={"maxSegments": 2, "pagProperties": {"freezeSupported": True}}
    )
    call("getPagInfo", gives={"maxSegments": 2})
    call("getSegmentInfo", 0, 1, 0, 0, gives={"basicInfo": SCALARS})
    call("getSegmentInfo", 0, 1, 1, 0, gives={"basicInfo": 0x400})
    call("getSegmentInfo", 1, 1, 0, 0, gives={"maxPages": 2})
    call("getSegmentInfo", 2, 1, 0, 0, gives=Error("ERR_OUT_OF_RANGE"))
    call("getPageInfo", 1, 0, gives={"properties": {"xcp_write_access_with_ecu": True}})
    call("shortDownload", SCALARS, 0, raw(b"\x12\x34"))
    call("setCalPage", 0x83, 0, 1)
    call("getCalPage", 1, 1, gives=1)
    call("getCalPage", 2, 0, gives=1)
    call("setCalPage", 0x83, 0, 0)
    call("shortUpload", 2, SCALARS, gives="1234")
    call("setSegmentMode", 1, 1)
    call("getSegmentMode", 1, gives=1)
    call("setRequest", 1, 0)
    call("getStatus", gives={"sessionStatus": {"storeCalRequest": True}})
    call("copyCalPage", 1, 1, 1, 0)
    call("copyCalPage", 1, 0, 1, 9, gives=Error("ERR_PAGE_NOT_VALID"))
    call("freeDaq")
    call("allocDaq", 1)
    call("allocOdt", 0, 1)
    call("allocOdtEntry", 0, 0, 1)
    call("setDaqPtr", 0, 0, 0)
    call("writeDaq", 0xFF, 4, 0, COUNTER)
    call("setDaqListMode", 0x10, 0, 0, 1, 0)
    call("startStopDaqList", 2, 0)
    call("setRequest", 2, 0x1234)
    call.run(ecu.url)
    end = time.monotonic() + 10
    slave = ecu.ecu.slave
    while slave.state.store.request is not None and time.monotonic() < end:
        time.sleep(0.01)
    # pyxcp: the session configuration id travels as big endian to every slave.
    assert slave.state.store.session_configuration_id == 0x3412


def test_daq_setup_clocks_and_counters(ecu):
    elements = [
        {"bitOffset": 255, "size": 4, "address": COUNTER, "addressExt": 0},
        {"bitOffset": 255, "size": 2, "address": SCALARS, "addressExt": 0},
    ]
    call = Calls()
    call("connect")
    call("getDaqProcessorInfo", gives={"maxEventChannel": 4, "minDaq": 0})
    call("getDaqResolutionInfo", gives={"maxOdtEntrySizeDaq": 255, "timestampTicks": 1})
    call("getDaqEventInfo", 0, gives={"eventChannelTimeCycle": 1, "eventChannelPriority": 4})
    call("freeDaq")
    call("allocOdt", 0, 1, gives=Error("ERR_SEQUENCE"))
    call("allocDaq", 1)
    call("allocOdt", 0, 1)
    call("allocOdtEntry", 0, 0, 2)
    call("setDaqPtr", 0, 0, 0)
    call("writeDaqMultiple", elements)
    call("setDaqPtr", 0, 0, 0)
    for one in elements:
        call("readDaq", gives={"address": one["address"], "sizeofDaqElement": one["size"]})
    call("getDaqListInfo", 0, gives={"maxOdt": 1, "maxOdtEntries": 2})
    call("setDaqListMode", 0x10, 0, 0, 2, 7)
    call("getDaqListMode", 0, gives={"currentPrescaler": 2, "currentPriority": 7})
    call("startStopDaqList", 2, 0, gives={"firstPid": 0})
    call("startStopSynch", 1)
    call("await_samples", gives=True)
    call("startStopSynch", 0)
    call("clearDaqList", 0)
    call("getDaqListMode", 9, gives=Error("ERR_OUT_OF_RANGE"))
    call("getDaqClock", gives={"format": "LEGACY", "sync_state": None})
    call(
        "timeCorrelationProperties",
        *(2, 1, 0x55, 0, True),
        gives={"cluster_id": 0x55, "slave_config": {"response_fmt": 2}},
    )
    call("upload", 24)  # clock information of the slave
    call("getDaqClock", gives={"format": "EXTENDED"})
    call("transportLayerCmd", 0xFA, 0x55, 0, 9)  # GET_DAQ_CLOCK_MULTICAST, no answer but an event
    call("getStatus", gives={"sessionStatus": {"daqRunning": False}})
    found = call.run(ecu.url)
    (event,) = (one for one in map(bytes.fromhex, found["events"]) if one[1] == 8)
    assert event[-3:] == b"\x55\x00\x09"  # EV_TIME_SYNC: cluster and counter as they were sent
    counts = [int.from_bytes(bytes.fromhex(dto)[6:10], "little") for dto in found["dtos"]]
    assert counts == list(range(counts[0], counts[0] + 2 * len(counts), 2))  # prescaler 2


def test_pyxcps_own_daq_classes_measure(ecu):
    lists = [
        [
            "fast",
            0,
            False,
            True,
            [["count", COUNTER, 0, "U32"], ["speed", SCALARS, 0, "U16"]],
            0,
            1,
        ],
        ["slow", 1, False, True, [["count", ecu_address(ecu, "TaskCounter10ms"), 0, "U32"]], 0, 1],
    ]
    found = child(ecu.url, "measure", lists=lists)
    assert found["enough"]
    for name, cycle_ns in (("fast", 1_000_000), ("slow", 10_000_000)):
        rows = found["rows"][name]
        counts = [row[1] for row in rows]
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        assert [row[0] for row in rows] == [rows[0][0] + n * cycle_ns for n in range(len(rows))]


def ecu_address(server: EcuServer, name: str) -> int:
    return int(server.ecu.image[name].address)


@pytest.mark.parametrize("order", ["INTEL", "MOTOROLA"])
def test_every_checksum_agrees(order):
    """USER_CMD chooses the algorithm; pyxcp computes each one itself."""
    chosen: list[SlaveMachine] = []

    def choose(sub: int, _data: bytes) -> bytes:
        state = chosen[0].state
        state.config = replace(state.config, checksum=ChecksumType(sub))
        return b""

    settings = config(byte_order=ByteOrder[order], user_command=choose)
    with served(settings) as (machine, url):
        chosen.append(machine)
        call = Calls()
        call("connect")
        for kind in ChecksumType:
            if kind is ChecksumType.XCP_USER_DEFINED:
                continue
            call("userCmd", int(kind), raw(b""))
            agrees = order == "INTEL" or kind.name not in INTEL_SUMS
            call("verify", RAM.value + 16, 1024, gives=agrees)
        call.run(url)


def test_user_defined_connect_mappings_and_static_lists():
    lists = (
        FixedList(entries=((OdtEntry(RAM, 4), OdtEntry(SEGMENT, 2)),), event_fixed=0),
        FixedList(max_odt=2, max_odt_entries=3),
    )
    settings = config(
        dynamic=False,
        fixed_lists=lists,
        session=SessionSettings(user_mode=True),
        identification_field=3,
    )
    with served(settings, "tcp") as (_, url):
        call = Calls()
        call("connect", 1)
        call("getSegmentInfo", 2, 0, 0, 0, gives={"mappingInfo": 0x6000_0000})
        call("getSegmentInfo", 2, 0, 1, 0, gives={"mappingInfo": 0x0801_0000})
        call("getSegmentInfo", 2, 0, 2, 0, gives={"mappingInfo": 0x100})
        call("getDaqProcessorInfo", gives={"maxDaq": 2, "minDaq": 1})
        call("getDaqListInfo", 0, gives={"daqListProperties": {"predefined": True}, "maxOdt": 1})
        call("getDaqListInfo", 1, gives={"daqListProperties": {"predefined": False}, "maxOdt": 2})
        call("allocDaq", 1, gives=Error("ERR_CMD_UNKNOWN"))
        call("setDaqPtr", 1, 1, 0)
        call("writeDaq", 0xFF, 4, 0, RAM.value + 8)
        call("setDaqListMode", 0x10, 0, 0, 1, 0)
        call("setDaqListMode", 0x00, 1, 0, 1, 0)
        call("startStopDaqList", 2, 0)
        call("startStopDaqList", 2, 1)
        call("startStopSynch", 1)
        call("await_samples", gives=True)
        call("startStopSynch", 0)
        found = call.run(url)
    dtos = {dto[:2] + dto[4:8]: bytes.fromhex(dto) for dto in found["dtos"]}
    assert dtos["000000"][8:] == bytes(range(4)) + b"\0\0"  # behind the timestamp
    assert dtos["010100"][4:] == bytes(range(8, 12))


def test_packed_mode_and_counters():
    events = (
        EventConfig(
            0, "1ms", 1, packed=PackedConfig(mode=2, sample_count=4), counter=CounterConfig()
        ),
    )
    with served(config(events=events)) as (machine, url):
        call = Calls()
        call("connect")
        call("freeDaq")
        call("allocDaq", 1)
        call("allocOdt", 0, 1)
        call("allocOdtEntry", 0, 0, 1)
        call("setDaqPtr", 0, 0, 0)
        call("writeDaq", 0xFF, 4, 0, RAM.value)
        call("dtoCtrProperties", 0, 0, 0, 0)
        call("setDaqListMode", 0x10, 0, 0, 1, 0)
        call("setDaqPackedMode", 0, {"type": "DaqPackedModeType.EVENT_GROUPED"}, 0, 4)
        call("getDaqPackedMode", 0)
        call("startStopDaqList", 1, 0)
        call("await_samples", gives=True)
        call("startStopSynch", 0)
        found = call.run(url)
        assert machine.state.daq.lists[0].packing.sample_count == 4
    assert {bytes.fromhex(dto)[6:] for dto in found["dtos"]} == {bytes(range(4)) * 4}
    # pyxcp: takes the reserved byte of the answer for the mode.
    assert found["results"][10] != {"daq_packed_mode": "EVENT_GROUPED", "sample_count": 4}
