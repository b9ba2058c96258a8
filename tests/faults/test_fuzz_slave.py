"""A million random and damaged commands: the slave never fails, never grows, answers afterwards."""

from __future__ import annotations

import gc
import random
import struct
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from faults.mutation import Stream, golden, recorded, slave_settings
from pair.link import PagedMemory, config
from xcaliper.core.address import Address
from xcaliper.sim.gallery import build_ecu
from xcaliper.xcp.slave import SlaveMachine

if TYPE_CHECKING:
    from xcaliper.xcp.slave_config import SlaveConfig

PACKETS = 1_000_000
SEEDS = range(20)
#: Longest time of one packet or event; the slave compiles up to 65535 entries in it.
LONGEST_S = 3.0
#: Answers that a slave keeps for a master that does not fetch them.
BACKLOG = 4096
CONNECT = b"\xff\x00"
GET_STATUS = b"\xfd"
SYNCH = b"\xfc"
FREE_DAQ = b"\xd6"
#: EV_CLEAR_DAQ, EV_STORE_DAQ, EV_STORE_CAL.
STORED = (b"\xfd\x01", b"\xfd\x02", b"\xfd\x03")


class Harness:
    """A slave, its application and a master out of its mind."""

    def __init__(self, seed: int) -> None:
        self.settings: SlaveConfig = config(**slave_settings(seed))
        self.memory = PagedMemory(self.settings.ag)
        self.slave = SlaveMachine(self.settings, self.memory)
        self.rng = random.Random(seed)
        commands, _ = recorded(self.settings)
        setup = commands[commands.index(FREE_DAQ) :]
        running = [CONNECT, *setup[:-2], *[GET_STATUS, SYNCH] * 30, *setup[-2:]]
        again = len(commands)
        self.stream = Stream(self.rng, commands + running, golden("cmd"), (0, again, again))
        self.now_ns = 0
        self.longest_s = 0.0
        self.answers = 0
        self.dtos = 0
        self.drained = 0

    def run(self, count: int) -> None:
        """Feed so many packets; some of them in a row without fetching the answers."""
        rng, slave, take = self.rng, self.slave, self.stream.take
        clock = time.perf_counter
        hold = 0
        for number in range(count):
            packet = take() if number % 300 else CONNECT
            self.now_ns += 50_000
            before = clock()
            slave.receive(packet, self.now_ns)
            if number % 4 == 0:
                slave.event(rng.randrange(3), self.now_ns)
            self.longest_s = max(self.longest_s, clock() - before)
            if hold:
                hold -= 1
            else:
                self.drain()
                if rng.random() < 0.001:
                    hold = rng.randrange(2 * BACKLOG)
        self.drain()

    def drain(self) -> None:
        """Fetch what the slave says and check its form."""
        packets = self.slave.outgoing()
        # A refused packet may still be answered by a block, and events come on top of the queue.
        assert len(packets) <= self.settings.queue_size + BACKLOG + 300
        self.drained = max(self.drained, len(packets))
        for packet in packets:
            if packet[0] >= 0xFC:
                assert len(packet) <= self.settings.max_cto
                self.answers += 1
            else:
                assert len(packet) <= self.settings.max_dto
                self.dtos += 1
        assert len(self.slave.events()) <= 1024

    def answer(self, command: bytes) -> bytes:
        """The one answer; the end of storing may be told before it."""
        self.slave.receive(command, self.now_ns)
        *told, answer = self.slave.outgoing()
        assert all(packet[:2] in STORED for packet in told)
        return answer

    def check_alive(self) -> None:
        """A new session works: CONNECT, GET_STATUS, reading what is in memory."""
        answer = self.answer(CONNECT)
        assert answer[0] == 0xFF
        assert len(answer) == 8
        answer = self.answer(GET_STATUS)
        assert answer[:1] == b"\xff"
        assert len(answer) == 6
        assert not answer[1] & 0x40  # no list survives CONNECT


@pytest.mark.parametrize("seed", SEEDS)
def test_slave_survives(seed):
    harness = Harness(seed)
    for _ in range(10):
        harness.run(PACKETS // len(SEEDS) // 10)
        harness.check_alive()
    assert harness.longest_s < LONGEST_S
    assert harness.answers > PACKETS // len(SEEDS) // 4  # it was spoken to, not only shouted at
    assert harness.dtos > 500
    counters = harness.slave.counters
    assert counters.refused
    assert counters.ignored
    assert counters.refused < counters.commands


@pytest.mark.parametrize("seed", [100, 101])
def test_slave_does_not_grow(seed):
    """The second half of a long session leaves nothing behind that the first did not."""
    harness = Harness(seed)

    def traced(count: int) -> int:
        harness.run(count)
        harness.check_alive()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = traced(5_000)
        second = traced(10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert second - first < 200_000
    assert peak < 64 << 20


def test_queue_of_a_master_that_never_listens():
    """Answers, DTOs and texts that nobody fetches are dropped at a limit, and counted."""
    settings = config(queue_size=100)
    slave = SlaveMachine(settings, PagedMemory())
    for _ in range(3 * BACKLOG):
        slave.receive(CONNECT, 0)
        slave.say("text of the application")
    assert slave.counters.ignored > BACKLOG
    assert len(slave.outgoing()) <= settings.queue_size + BACKLOG + 3
    slave.receive(GET_STATUS, 0)
    assert len(slave.outgoing()) == 1


@pytest.mark.parametrize("seed", range(300, 304))
def test_virtual_ecu_survives(seed):
    """The same with the demo ECU behind the slave: its memory, pages and running application."""
    ecu = build_ecu("demo-engine", seed=seed)
    rng = random.Random(seed)
    commands, _ = recorded(config(max_cto=255))
    stream = Stream(rng, [*commands, CONNECT], golden("cmd"), (0, commands.index(FREE_DAQ)))
    answers = now_ns = 0
    for _ in range(25_000):
        ecu.receive(stream.take(), now_ns)
        now_ns += 100_000
        ecu.on_time(now_ns)
        packets = ecu.outgoing()
        assert len(packets) < 1000
        answers += sum(packet[0] >= 0xFC for packet in packets)
    assert answers > 5_000
    ecu.receive(CONNECT, now_ns)
    (answer,) = ecu.outgoing()
    assert answer[0] == 0xFF
    place = Address(ecu.image["TaskCounter1ms"].address)
    ecu.receive(struct.pack("<BBBBI", 0xF4, 4, 0, place.extension, place.value), now_ns)
    (answer,) = ecu.outgoing()
    assert answer == b"\xff" + ecu.memory.read(place, 4)
