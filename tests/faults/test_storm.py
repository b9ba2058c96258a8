"""A storm of faults on the link: every procedure ends with its result or a named error."""

from __future__ import annotations

import random

import pytest

from pair.link import RAM, Pair, config
from xcaliper.core.errors import XcaliperError
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import connect, disconnect
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.daq_setup import free, setup, start, stop
from xcaliper.xcp.procedures.identify import identify
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.procedures.pages import page_info

MS = 1_000_000
HOUR = 3_600_000 * MS
LISTS = (DaqListSetup(0, 0, (OdtSetup((OdtEntry(RAM, 4), OdtEntry(RAM + 8, 2))),)),)


class Weather:
    """Loses, delays, doubles, cuts, stretches and invents packets, by chance and seed."""

    def __init__(self, seed: int, severity: float, inventions: list[bytes]) -> None:
        self.random = random.Random(seed)
        self.inventions = inventions
        self.severity = severity
        self.damaged = 0

    def __call__(self, packet: bytes, number: int) -> list[tuple[int, bytes]]:
        chance = self.random
        if chance.random() > self.severity:
            return [(MS // 10, packet)]
        self.damaged += 1
        match chance.randrange(7):
            case 0:
                return []
            case 1:
                return [(chance.randrange(3000 * MS), packet)]
            case 2:
                return [(0, packet), (chance.randrange(2000 * MS), packet)]
            case 3:
                return [(0, packet[: chance.randrange(len(packet) + 1)])]
            case 4:
                return [(0, packet + chance.randbytes(chance.randrange(1, 40)))]
            case 5:
                return [(0, chance.randbytes(chance.randrange(1, 20))), (MS, packet)]
            case _:
                head = chance.choice(self.inventions)
                return [(0, head), (0, packet)]


def unsettle(pair: Pair, seed: int, severity: float) -> tuple[Weather, Weather]:
    """Bad weather in both directions; commands that end the session do not fall from the sky."""
    down = Weather(seed, severity, [b"\xfc", b"\xfd", b"\xdc", b"\xf5\x04", b"\xc1"])
    up = Weather(~seed, severity, [b"\xfe\x10", b"\xfe\x00", b"\xfd\x05", b"\xfc\x01x", b"\xff"])
    pair.to_slave.hook, pair.to_master.hook = down, up
    return down, up


def attempts(pair: Pair):
    """Procedures of a whole session, each built when its turn comes."""
    memory = XcpMemory(pair.session)
    yield lambda: connect(attempts=5)
    yield lambda: identify(pair.session)
    yield lambda: page_info(pair.session)
    yield lambda: daq_info(pair.session)
    for size in (2, 7, 30, 90):
        yield lambda size=size: memory.write(RAM, bytes(range(size)))
        yield lambda size=size: memory.read(RAM, size)
    yield lambda: memory.checksum(RAM, 64)
    yield lambda: setup(pair.session, LISTS)
    yield start
    yield stop
    yield free
    yield disconnect


@pytest.mark.parametrize("severity", [0.02, 0.15, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(12))
def test_every_procedure_ends(seed: int, severity: float) -> None:
    pair = Pair(config(max_cto=(8, 32, 64)[seed % 3]))
    down, up = unsettle(pair, seed, severity)
    succeeded = failed = 0
    for make in attempts(pair):
        try:
            pair.run(make(), steps=20_000)
            succeeded += 1
        except XcaliperError:
            failed += 1
        assert pair.now_ns < HOUR, f"seed {seed}, severity {severity}"
        assert pair.master.idle, f"seed {seed}, severity {severity}"
    assert succeeded + failed == 18
    assert down.damaged + up.damaged or severity < 0.1
    if severity <= 0.02:
        assert failed <= 3, f"seed {seed}: {failed} failed"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_read_after_loss_and_delay_is_right(seed: int) -> None:
    """Loss alone never gives wrong data: the answer is right, or there is an error."""
    pair = Pair(config(max_cto=16, slave_block_mode=seed % 2 == 0))
    chance = random.Random(seed)
    pair.to_slave.hook = pair.to_master.hook = lambda packet, n: (
        []
        if chance.random() < 0.08
        else [(chance.randrange(MS), packet)]
        if seed % 4
        else [(0, packet)]
    )
    memory = XcpMemory(pair.session)
    for _ in range(10):
        size = chance.randrange(1, 100)
        data = chance.randbytes(size)
        try:
            pair.run(memory.write(RAM, data))
            found = pair.run(memory.read(RAM, size))
        except XcaliperError:
            continue
        if seed % 4 == 0:  # without reordering inside a block
            assert found == data, f"seed {seed}"
        assert len(found) == size


@pytest.mark.parametrize("seed", range(8))
def test_the_link_recovers_when_the_weather_clears(seed: int) -> None:
    pair = Pair(config(max_cto=32))
    memory = XcpMemory(pair.session)
    unsettle(pair, seed, 0.7)
    for _ in range(10):
        try:
            pair.run(memory.read(RAM, 40))
        except XcaliperError:
            continue
    pair.to_slave.hook = pair.to_master.hook = None
    pair.now_ns += 10_000 * MS
    pair.exchange()
    pair.master.suspect()
    pair.session = pair.run(connect())
    assert pair.run(XcpMemory(pair.session).read(RAM, 40)) == pair.memory.read(RAM, 40)
