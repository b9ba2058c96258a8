"""Golden traces replayed: what an independent source says goes back and forth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pair.link import PagedMemory
from pair.programming import FlashedMemory
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.sim.flash import Flash
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import Session, connect, disconnect
from xcaliper.xcp.procedures.memory import upload
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, PageConfig, SegmentConfig, SlaveConfig
from xcaliper.xcp.slave_program import ProgramSettings, SectorConfig
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.std import SetMta

VECTORS = Path(__file__).parents[1] / "vectors" / "xcp" / "vectors.json"
MS = 1_000_000


def packets_of(trace: str) -> list[tuple[str, bytes]]:
    """(direction, packet) of a trace, in order."""
    found: dict[str, Any] = json.loads(VECTORS.read_text())
    by_name = {v["name"]: v for v in found["vectors"]}
    names = next(
        next(x for x in t.values() if isinstance(x, list) and x)
        for t in found["traces"]
        if t["id"] == trace
    )
    return [(by_name[n]["direction"], bytes.fromhex(by_name[n]["bytes"])) for n in names]


def replay(slave: SlaveMachine, trace: str, before: dict[int, Any]) -> None:
    """Feed every command; every answer must be the trace's, to the byte."""
    answers: list[bytes] = []
    now_ns = 0
    for number, (direction, packet) in enumerate(packets_of(trace)):
        if number in before:
            now_ns = before[number](now_ns)
            answers += slave.outgoing()
        if direction == "cmd":
            assert answers == [], f"{trace} {number}: unexpected answers"
            slave.receive(packet, now_ns)
            answers += slave.outgoing()
        else:
            assert answers, f"{trace} {number}: no answer, expected {packet.hex()}"
            assert answers.pop(0).hex() == packet.hex(), f"{trace} {number}"
    assert answers == []


def test_measurement_trace() -> None:
    memory = PagedMemory()
    slave = SlaveMachine(
        SlaveConfig(
            max_cto=64,
            max_dto=64,
            identification_field=0,
            timestamp=TickClock(1, 3, 4),
            events=(
                EventConfig(0, "1ms", time_cycle=1, consistency=0),
                EventConfig(1, "10ms", time_cycle=10, consistency=0),
            ),
            ids={1: b"DEMO"},
            master_block_mode=False,
            prescaler=False,
            overload=0,
            max_odt_entry_size=59,
            transport_major=4,
        ),
        memory,
    )
    ram = SparseMemory()
    ram.add(Address(0x2000_1000), bytes(6))
    slave.state.memory = ram

    def sample(at_ns: int, counter: int) -> Any:
        def act(now_ns: int) -> int:
            ram.write(Address(0x2000_1000), counter.to_bytes(4, "little"))
            ram.write(Address(0x2000_1004), (counter + 1).to_bytes(2, "little"))
            slave.event(1, at_ns)
            return at_ns

        return act

    replay(
        slave,
        "t_daq",
        {36: lambda now_ns: 1 * MS, 40: sample(10 * MS, 1), 41: sample(20 * MS, 2)},
    )


class FlatPages(SparseMemory):
    """One segment whose pages look alike; enough for a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.add(
            Address(0),
            bytes.fromhex("0102030405060708090a0b0c0d0e0f10")
            + bytes(range(0xF1, 0x100))
            + bytes(0x100),
        )
        self.used = [0, 0]

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        self.used = [page, page]

    def get_page(self, segment: int, *, ecu: bool) -> int:
        return self.used[ecu]

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        self.used = [*self.used]


def test_calibration_trace() -> None:
    segment = SegmentConfig(0, "cal", Address(0), 0x100, (PageConfig(0), PageConfig(1)))
    slave = SlaveMachine(
        SlaveConfig(
            max_cto=8,
            max_dto=8,
            segments=(segment,),
            slave_block_mode=False,
            disabled=frozenset({"GET_COMM_MODE_INFO"}),
        ),
        FlatPages(),
    )
    replay(slave, "t_cal", {})


def test_block_trace() -> None:
    memory = SparseMemory()
    memory.add(Address(0x2000_1000), bytes(32))
    slave = SlaveMachine(SlaveConfig(max_cto=8, max_dto=8, max_bs=3), memory)
    replay(slave, "t_block", {})


def recovering() -> SlaveMachine:
    memory = SparseMemory()
    memory.add(Address(0x2000_0000), bytes(range(1, 33)))
    return SlaveMachine(
        SlaveConfig(
            max_cto=8,
            max_dto=8,
            slave_block_mode=False,
            disabled=frozenset({"GET_COMM_MODE_INFO", "GET_VERSION"}),
        ),
        memory,
    )


def test_recovery_trace_is_what_the_master_sends() -> None:
    """The master loses one answer, then does exactly what the trace does."""
    trace = packets_of("t_recover")
    sent = [packet for direction, packet in trace if direction == "cmd"]
    slave, master = recovering(), MasterMachine()
    seen: list[bytes] = []

    def procedure():
        reply = yield from connect()
        yield from ask(SetMta(address=0x2000_0000))
        data = yield from upload(Session(profile=reply.profile), 7)
        yield from disconnect()
        return data

    now_ns = 0
    running = master.start(procedure(), now_ns)
    lost = False
    while not running.done():
        packets = master.outgoing()
        for packet in packets:
            if packet not in (b"\xfd", b"\xc0\x00"):  # the trace does not ask for these two
                seen.append(packet)
            slave.receive(packet, now_ns)
            for answer in slave.outgoing():
                if packet[0] == 0xF5 and not lost:
                    lost = True
                else:
                    master.receive(answer, now_ns)
        due = master.due()
        if due is not None and not packets:
            now_ns = due
            master.on_time(now_ns)
    assert running.result() == bytes(range(1, 8))
    assert seen == sent


@pytest.mark.parametrize("name", ["t_recover"])
def test_recovery_trace_is_what_the_slave_answers(name: str) -> None:
    slave = recovering()
    answers: list[bytes] = []
    for direction, packet in packets_of(name):
        if direction == "cmd":
            if packet == b"\xfc":
                answers.clear()  # the answer to UPLOAD was lost
            slave.receive(packet, 0)
            answers += slave.outgoing()
        else:
            assert answers.pop(0).hex() == packet.hex()
    assert answers == []


class WithProgramming(SlaveConfig):
    """A slave that offers programming beside the rest, as that of the trace does."""

    @property
    def resources(self) -> Resource:
        return Resource.of(cal_pag=1, daq=1, pgm=1)


def test_seed_and_key_trace() -> None:
    seeds = iter((bytes(range(1, 9)), bytes.fromhex("aabbccdd")))
    slave = SlaveMachine(
        WithProgramming(
            max_cto=8,
            max_dto=8,
            slave_block_mode=False,
            disabled=frozenset({"GET_COMM_MODE_INFO"}),
            events=(EventConfig(0, "1ms", time_cycle=1),),
            security=SecuritySettings(
                protected=Resource.of(cal_pag=1, daq=1, pgm=1),
                key=lambda _, seed: bytes(byte ^ 0xFF for byte in seed),
                seeds=lambda _: next(seeds),
            ),
        ),
        PagedMemory(),
    )
    replay(slave, "t_seed", {})
    assert not slave.connected  # the wrong key at its end


def test_programming_trace() -> None:
    flash = Flash((SectorConfig(0, "code", Address(0x0800_8000), 0x400),))
    memory = FlashedMemory(flash)
    memory.verify = lambda *asked: asked == (1, 2, 0xCAFE_BABE)
    slave = SlaveMachine(
        WithoutCalibration(
            max_cto=8,
            max_dto=8,
            slave_block_mode=False,
            disabled=frozenset({"GET_COMM_MODE_INFO"}),
            program=ProgramSettings(
                flash.sectors,
                max_bs=2,
                slave_block_mode=False,
                start_ns=150 * MS,
                clear_ns=150 * MS,
                pending_ns=100 * MS,
            ),
        ),
        memory,
    )

    def wait(now_ns: int) -> int:
        slave.on_time(now_ns + 100 * MS)
        return now_ns + 100 * MS

    replay(slave, "t_flash", {3: wait, 4: wait, 14: wait, 15: wait})


class WithoutCalibration(SlaveConfig):
    """A slave that announces nothing but programming, as that of the trace does."""

    @property
    def resources(self) -> Resource:
        return Resource.of(pgm=1)


#: Trace → the test in which a slave answers all of it.
REPLAYED = {
    "t_daq": test_measurement_trace,
    "t_cal": test_calibration_trace,
    "t_block": test_block_trace,
    "t_seed": test_seed_and_key_trace,
    "t_recover": test_recovery_trace_is_what_the_slave_answers,
    "t_flash": test_programming_trace,
}
