"""The file of an ECU's non-volatile memory: what survives, what is refused, and how it is told."""

from __future__ import annotations

import json
import zlib

import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import SourceError
from xcaliper.sim import nvm
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.gallery.demo_engine import DemoEngine, demo_engine
from xcaliper.sim.image import RAM
from xcaliper.sim.nvm import NvmFile
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_store import NonVolatile, StoredDaq, StoredList

MS = 1_000_000
LISTS = (
    StoredList(((None, None),), selected=False),
    StoredList(
        ((OdtEntry(Address(0x2000_0000, 1), 4), None), (OdtEntry(Address(8), 1, 3),)),
        selected=True,
        event_channel=2,
        prescaler=3,
        priority=4,
        timestamp=True,
        packing=(1, 0, 8),
    ),
)
KEPT = NonVolatile(
    daq=StoredDaq(0x1234, True, LISTS, 4),
    pages={0: b"\0\1", 3: b"tuned"},
    master="udp://127.0.0.1:1",
)


def same(first: NonVolatile, second: NonVolatile) -> bool:
    names = ("daq", "pages", "daq_lost", "pages_lost", "master")
    return all(getattr(first, name) == getattr(second, name) for name in names)


def test_everything_comes_back(tmp_path):
    path = tmp_path / "ecu.nvm"
    told: list[str] = []
    first = NvmFile(path, ecu="engine 1", on_problem=told.append)
    assert same(first.memory, NonVolatile())  # no file yet
    first.memory.daq, first.memory.pages = KEPT.daq, KEPT.pages
    first.memory.master = KEPT.master
    first.memory.changed()
    again = NvmFile(path, ecu="engine 1", on_problem=told.append)
    assert same(again.memory, KEPT)
    assert told == []
    assert [one.name for one in tmp_path.iterdir()] == ["ecu.nvm"]


def content(**changes) -> bytes:
    text = json.loads(nvm.encode(KEPT, ecu="engine 1"))
    text["content"] |= changes
    text["crc32"] = zlib.crc32(json.dumps(text["content"], sort_keys=True).encode())
    return json.dumps(text).encode()


def daq(**changes) -> dict:
    made = json.loads(nvm.encode(KEPT, ecu="engine 1"))["content"]["daq"]
    return made | changes


WHOLE = nvm.encode(KEPT, ecu="engine 1")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "damaged"),
        (WHOLE[:-20], "damaged"),
        (WHOLE.replace(b"4660", b"4661"), "does not fit its checksum"),
        (b'{"format": "other", "version": 1}', "no xcaliper-nvm"),
        (b"[" * 100_000, "damaged"),
        (b"\xff\xfe", "damaged"),
        (content(ecu="engine 2"), "that of 'engine 2'"),
        (content(pages={"0": "zz"}), "damaged"),
        (content(pages=[1]), "damaged"),
        (content(daq=daq(session_configuration_id=0)), "damaged"),
        (content(daq=daq(alignment=True, lists=3)), "damaged"),
        (content(daq=daq(lists=[{"packing": [0, 0]}])), "damaged"),
        (content(daq=daq(lists=[{}])), "damaged"),
    ],
)
def test_damage_is_told_and_the_ecu_starts_without(tmp_path, data, says):
    path = tmp_path / "ecu.nvm"
    path.write_bytes(data)
    told: list[str] = []
    memory = NvmFile(path, ecu="engine 1", on_problem=told.append).memory
    assert (memory.daq, memory.pages, memory.daq_lost, memory.pages_lost) == (None, {}, True, True)
    assert len(told) == 1
    assert str(path) in told[0]
    assert says in told[0]
    assert "starts without" in told[0]
    with pytest.raises(SourceError, match=says):
        nvm.decode(data, source="x", ecu="engine 1")


def test_files_that_cannot_be_read_or_written(tmp_path):
    told: list[str] = []
    folder = NvmFile(tmp_path, ecu="x", on_problem=told.append)
    assert folder.memory.daq_lost
    missing = NvmFile(tmp_path / "no" / "such" / "folder", ecu="x", on_problem=told.append)
    missing.memory.changed()
    assert ["cannot be read" in told[0], "cannot be written" in told[1]] == [True, True]
    NvmFile(tmp_path / "no" / "folder", ecu="x").memory.changed()  # nobody wants to know


# -- the ECU ---------------------------------------------------------------------------------------


class Master:
    """Raw packets to an ECU at its time."""

    def __init__(self, ecu: VirtualEcu) -> None:
        self.ecu = ecu
        self.now_ns = 0

    def ask(self, text: str) -> list[bytes]:
        self.ecu.receive(bytes.fromhex(text), self.now_ns)
        return self.ecu.outgoing()

    def run(self, ms: int) -> list[bytes]:
        self.now_ns += ms * MS
        self.ecu.on_time(self.now_ns)
        return self.ecu.outgoing()


def written(ecu: VirtualEcu) -> Master:
    """One list with one entry on event 0 is selected; segment 0 is tuned and in FREEZE mode."""
    master, ram = Master(ecu), ecu.image.regions[RAM].address
    segment = next(one for one in ecu.declaration.segments if one.number == 0)
    where = segment.address.to_bytes(4, "little").hex()
    for command in (
        "FF 00",
        "D6",
        "D5 00 01 00",
        "D4 00 00 00 01",
        "D3 00 00 00 00 01",
        "E2 00 00 00 00 00",
        f"E1 FF 01 00 {ram.to_bytes(4, 'little').hex()}",
        "E0 10 00 00 00 00 01 00",
        "DE 02 00 00",
        "E6 01 00",
        f"F6 00 00 00 {where}",
        "F0 02 AB CD",
    ):
        answers = master.ask(command)
        assert answers[-1][0] == 0xFF, (command, answers)
    return master


def test_an_ecu_resumes_with_tuned_pages_after_power_off(tmp_path):
    path = tmp_path / "ecu.nvm"
    ecu = build_ecu("demo-engine", nvm=path)
    master = written(ecu)
    assert master.ask("F9 05 22 11") == [b"\xff"]  # STORE_CAL_REQ, STORE_DAQ_REQ_RESUME, id 0x1122
    assert ecu.due() <= 20 * MS
    told = master.run(30)
    assert [packet.hex() for packet in told] == ["fd03", "fd02"]

    other = build_ecu("demo-engine", nvm=path)
    first, *rest = other.outgoing()
    assert first[:4] == bytes.fromhex("FD 00 22 11")
    assert rest == []
    segment = next(one for one in other.declaration.segments if one.number == 0)
    assert other.memory.read(Address(segment.address), 2) == b"\xab\xcd"
    later = Master(other)
    assert all(packet[:2] == b"\0\0" for packet in later.run(50))
    assert later.ask("FD") == []  # silent without a session
    assert later.ask("FF 00")[0][0] == 0xFF
    status = later.ask("FD")[-1]
    assert status[1] & 0xC0 == 0xC0
    assert status[4:6] == b"\x22\x11"
    assert later.ask("EA 01 00")[-1][3] == 0


def test_a_reboot_keeps_what_was_stored_and_nothing_else():
    ecu = build_ecu("demo-engine")
    master = written(ecu)
    assert master.ask("EB 83 00 01")[0] == b"\xff"
    ecu.reboot(5 * MS)
    master.now_ns = 5 * MS
    assert master.ask("FF 00")[0][0] == 0xFF
    assert master.ask("EA 01 00")[0][3] == 0
    assert master.ask("E5 00 00")[0] == bytes.fromhex("FF 00 00")
    segment = next(one for one in ecu.declaration.segments if one.number == 0)
    assert ecu.memory.read(Address(segment.address), 2) != b"\xab\xcd"


def test_pages_of_another_program_are_lost():
    kept = NonVolatile(pages={0: b"too short", 77: b""})
    ecu = VirtualEcu(demo_engine(), DemoEngine, nonvolatile=kept)
    assert kept.pages == {}
    assert kept.pages_lost
    assert Master(ecu).ask("FF 00")[0][0] == 0xFF
