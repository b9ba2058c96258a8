"""A virtual link and clock between a master and a slave machine, with faults on demand."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.xcp.codes import ErrorCode, negative_response
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import (
    EventConfig,
    MappingConfig,
    PageConfig,
    SegmentConfig,
    SlaveConfig,
)
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.core.errors import AccessDeniedError, WriteProtectedError
    from xcaliper.proto.procedure import Procedure

RAM = Address(0x2000_0000)
RAM_SIZE = 0x4000
SEGMENT = Address(0x6000_0000)
SEGMENT_SIZE = 0x100
ROM = Address(0x0800_0000)

EVENTS = (
    EventConfig(0, "1ms", time_cycle=1),
    EventConfig(1, "10ms", time_cycle=10),
    EventConfig(2, "crank", max_daq_list=1),
)
SEGMENTS = (
    SegmentConfig(
        0,
        "cal",
        SEGMENT,
        SEGMENT_SIZE,
        (PageConfig(0), PageConfig(1, xcp_write_access=0, ecu_access=3)),
        mappings=(MappingConfig(0x6000_0000, 0x0801_0000, 0x100),),
    ),
    SegmentConfig(1, "curves", Address(0x6001_0000), 0x40, (PageConfig(0), PageConfig(1))),
)


def config(**changes: object) -> SlaveConfig:
    """A slave with everything switched on, unless told otherwise."""
    settings: dict = {
        "events": EVENTS,
        "segments": SEGMENTS,
        "ids": {1: b"demo", 4: b"/begin PROJECT demo\n" * 50, 5: b"EPK 1.0"},
        "max_cto": 64,
        "max_dto": 128,
        "freeze": True,
    }
    return SlaveConfig(**(settings | changes))


class PagedMemory:
    """RAM, a read-only run and two segments of two pages; page 1 of segment 0 is read-only."""

    def __init__(self, ag: int = 1) -> None:
        self.ag = ag
        self.plain = SparseMemory(ag)
        self.plain.add(RAM, bytes(range(256)) * (RAM_SIZE // 256))
        self.plain.add(ROM, bytes(reversed(range(256))))
        self.rom = ROM.value * ag
        self.pages = {
            (s.number, p.number): bytearray([16 * s.number + p.number]) * s.size_bytes
            for s in SEGMENTS
            for p in s.pages
        }
        self.windows = {s.number: bytearray(s.size_bytes) for s in SEGMENTS}
        self.used = {(s.number, ecu): 0 for s in SEGMENTS for ecu in (True, False)}
        for segment in SEGMENTS:
            self.plain.add(segment.address, self.windows[segment.number])
            self._show(segment.number)

    def _show(self, segment: int) -> None:
        self.windows[segment][:] = self.pages[segment, self.used[segment, False]]

    def _check(self, address: Address, size_bytes: int) -> None:
        for run in self.plain.ranges():
            if run.contains(address, size_bytes, ag=self.ag):
                return
        raise refusal(ErrorCode.ERR_ACCESS_DENIED)

    def read(self, address: Address, size_bytes: int) -> bytes:
        self._check(address, size_bytes)
        return self.plain.read(address, size_bytes)

    def view(self, address: Address, size_bytes: int) -> memoryview:
        self._check(address, size_bytes)
        return self.plain.view(address, size_bytes).toreadonly()

    def write(self, address: Address, data: bytes) -> None:
        self._check(address, len(data))
        if address.value * self.ag >= self.rom and address.value < RAM.value:
            raise refusal(ErrorCode.ERR_WRITE_PROTECTED)
        for segment in SEGMENTS:
            start = segment.address.value
            if start <= address.value < start + segment.size_bytes // self.ag:
                page = self.used[segment.number, False]
                if (segment.number, page) == (0, 1):
                    raise refusal(ErrorCode.ERR_WRITE_PROTECTED)
                at = (address.value - start) * self.ag
                self.pages[segment.number, page][at : at + len(data)] = data
        self.plain.write(address, data)

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        if ecu:
            self.used[segment, True] = page
        if xcp:
            self.used[segment, False] = page
        self._show(segment)

    def get_page(self, segment: int, *, ecu: bool) -> int:
        return self.used[segment, ecu]

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        if destination == (0, 1):
            raise refusal(ErrorCode.ERR_WRITE_PROTECTED)
        self.pages[destination][:] = self.pages[source]
        self._show(destination[0])


def refusal(code: ErrorCode) -> AccessDeniedError | WriteProtectedError:
    return negative_response("memory", code)


#: What a hook makes of a packet: (delay in ns, packet) for each copy that arrives.
Hook = Callable[[bytes, int], list[tuple[int, bytes]]]


@dataclass
class Direction:
    """One way of the link.

    Attributes:
        sent: every packet that was put in.
        hook: called with the packet and its number, from 0; None = arrives at once.
    """

    sent: list[bytes] = field(default_factory=list)
    hook: Hook | None = None

    def put(self, packet: bytes) -> list[tuple[int, bytes]]:
        self.sent.append(packet)
        if self.hook is None:
            return [(0, packet)]
        return self.hook(packet, len(self.sent) - 1)

    def lose(self, *numbers: int) -> None:
        """Lose the packets of these numbers, counted from now."""
        base = len(self.sent)
        wanted = {base + number for number in numbers}
        self.hook = lambda packet, number: [] if number in wanted else [(0, packet)]

    def delay(self, number: int, time_ns: int) -> None:
        """Delay one packet, counted from now."""
        wanted = len(self.sent) + number
        self.hook = lambda packet, n: [(time_ns if n == wanted else 0, packet)]

    def duplicate(self, number: int, after_ns: int = 0) -> None:
        """Deliver one packet twice, counted from now."""
        wanted = len(self.sent) + number
        self.hook = lambda packet, n: [(0, packet)] + ([(after_ns, packet)] * (n == wanted))

    def replace(self, number: int, other: bytes) -> None:
        """Deliver other bytes instead of one packet, counted from now."""
        wanted = len(self.sent) + number
        self.hook = lambda packet, n: [(0, other if n == wanted else packet)]


class Pair:
    """Master and slave, joined; time passes only when somebody waits."""

    def __init__(
        self,
        slave_config: SlaveConfig | None = None,
        *,
        connected: bool = True,
        memory: PagedMemory | None = None,
        **master: object,
    ) -> None:
        self.config = slave_config or config()
        self.memory = memory or PagedMemory(self.config.ag)
        self.slave = SlaveMachine(self.config, self.memory)
        self.master = MasterMachine(**master)
        self.now_ns = 0
        self.to_slave = Direction()
        self.to_master = Direction()
        self.dtos: list[bytes] = []
        self._travelling: list[tuple[int, int, bool, bytes]] = []
        self._order = itertools.count()
        self.session = Session()
        if connected:
            self.session = self.run(connect())

    @property
    def seen(self) -> list[str]:
        """Names of the commands that were sent."""
        return [getattr(COMMANDS.find(p), "name", p.hex()) for p in self.to_slave.sent]

    def forget(self) -> None:
        """Empty the record of packets."""
        self.to_slave.sent.clear()
        self.to_master.sent.clear()
        self.to_slave.hook = self.to_master.hook = None

    def run(self, procedure: Procedure, *, steps: int = 100_000):
        """The result of a procedure; fails when it does not end within so many steps."""
        running = self.master.start(procedure, self.now_ns)
        for _ in range(steps):
            self.exchange()
            if running.done():
                return running.result()
            self.wait()
        raise AssertionError(f"no end after {steps} steps at {self.now_ns} ns")

    def exchange(self) -> None:
        """Let everything that is due now travel."""
        for _ in range(10_000):
            moved = self._collect()
            while self._travelling and self._travelling[0][0] <= self.now_ns:
                _, _, up, packet = heapq.heappop(self._travelling)
                moved = True
                if not up:
                    self.slave.receive(packet, self.now_ns)
                elif packet and packet[0] < 0xFC:
                    self.dtos.append(packet)
                else:
                    self.master.receive(packet, self.now_ns)
            if not moved:
                return
        raise AssertionError("the machines never fall silent")

    def _collect(self) -> bool:
        moved = False
        for machine, way, up in (
            (self.master, self.to_slave, False),
            (self.slave, self.to_master, True),
        ):
            for packet in machine.outgoing():
                moved = True
                for delay, arrives in way.put(packet):
                    item = (self.now_ns + delay, next(self._order), up, arrives)
                    heapq.heappush(self._travelling, item)
        return moved

    def wait(self) -> None:
        """Let time pass until the next packet arrives or the master wants to be woken."""
        times = [self._travelling[0][0]] if self._travelling else []
        due = self.master.due()
        if due is not None:
            times.append(due)
        assert times, "nothing is awaited: the procedure hangs"
        self.now_ns = max(self.now_ns, min(times))
        if due is not None and self.now_ns >= due and min(times) == due:
            self.master.on_time(self.now_ns)

    def event(self, channel: int, at_ns: int | None = None) -> None:
        """The slave's application reaches an event."""
        if at_ns is not None:
            self.now_ns = at_ns
        self.slave.event(channel, self.now_ns)
        self.exchange()
