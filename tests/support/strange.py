"""A small virtual ECU with quirks and a client on it, joined by a line in memory, on virtual time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xcaliper.client.connection import Connection
from xcaliper.client.description import find_description
from xcaliper.core.datatypes import DataType
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.items import Event, Measurement, Scalar, Segment, ValueBlock
from xcaliper.sim.signals import signal_view
from xcaliper.sim.tasks import Task
from xcaliper.transport.loopback import LoopbackLine, LoopbackTransport
from xcaliper.transport.ports import Lost
from xcaliper.transport.pump import Link
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import connect as connect_procedure
from xcaliper.xcp.slave_config import SlaveConfig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from xcaliper.client.a2l_source import A2lCache
    from xcaliper.xcp.quirks import Quirk

MS = 1_000_000
S = 1_000_000_000
ARRAY = 80

ECU = EcuDeclaration(
    name="Strange",
    text="Counters",
    epk="STRANGE-1",
    events=(
        Event("Fast", 0, 1, "fast", priority=4),
        Event("Slow", 1, 10, "slow", priority=3),
        Event("Rare", 2, None, "rare", priority=1),
    ),
    signals=(
        Measurement(name="FastCount", datatype=DataType.ULONG, text="runs", event="Fast"),
        Measurement(name="FastByte", datatype=DataType.UBYTE, text="runs, cut", event="Fast"),
        Measurement(name="FastWord", datatype=DataType.UWORD, text="runs, cut", event="Fast"),
        Measurement(name="FastMinus", datatype=DataType.SLONG, text="minus runs", event="Fast"),
        Measurement(name="FastHalf", datatype=DataType.FLOAT32_IEEE, text="half", event="Fast"),
        Measurement(
            name="FastArray",
            datatype=DataType.ULONG,
            text="and index",
            event="Fast",
            shape=(ARRAY,),
        ),
        Measurement(name="SlowCount", datatype=DataType.ULONG, text="runs", event="Slow"),
        Measurement(name="SlowMinus", datatype=DataType.SLONG, text="minus runs", event="Slow"),
        Measurement(name="RareCount", datatype=DataType.ULONG, text="runs", event="Rare"),
    ),
    parameters=(
        Scalar(
            name="Gain",
            datatype=DataType.FLOAT32_IEEE,
            default=1.0,
            text="",
            segment="Cal",
            limits=(0, 1000),
        ),
        Scalar(
            name="Count",
            datatype=DataType.UWORD,
            default=5.0,
            text="",
            segment="More",
            limits=(0, 60000),
        ),
        ValueBlock(
            name="Steps",
            datatype=DataType.UWORD,
            default=tuple(range(40)),
            text="",
            segment="More",
            limits=(0, 60000),
        ),
    ),
    segments=(
        Segment(name="Cal", number=0, address=0x0801_0000, size_bytes=64),
        Segment(name="More", number=1, address=0x0802_0000, size_bytes=256),
    ),
    ram_size_bytes=1024,
)


class Counters:
    """The application: each task writes its number of runs."""

    def __init__(self, memory) -> None:
        self._views = {one.name: signal_view(memory, one.name) for one in ECU.signals}
        self._runs = dict.fromkeys(("Fast", "Slow", "Rare"), 0)
        periods = {"Fast": MS, "Slow": 10 * MS, "Rare": 6 * S}
        self.tasks = tuple(
            Task(name, channel, lambda _ns, name=name: self._run(name), period)
            for channel, (name, period) in enumerate(periods.items())
        )

    def _run(self, task: str) -> None:
        self._runs[task] += 1
        runs, views = self._runs[task], self._views
        views[f"{task}Count"][...] = runs
        if task != "Rare":
            views[f"{task}Minus"][...] = -runs
        if task == "Fast":
            views["FastByte"][...] = runs & 0xFF
            views["FastWord"][...] = runs & 0xFFFF
            views["FastHalf"][...] = runs / 2
            views["FastArray"][...] = runs + np.arange(ARRAY)


@dataclass
class Samples:
    """What came of one event."""

    t_ns: np.ndarray
    rows: np.ndarray
    lost: int

    def __getitem__(self, name):
        return self.rows[name]

    def __len__(self) -> int:
        return len(self.t_ns)


class Bench:
    """ECU, line and client.

    Attributes:
        commands: packets that reached the slave.
        packets: packets that left it.
    """

    def __init__(
        self,
        *quirks: Quirk,
        a2l: str | Path | None = None,
        cache: A2lCache | None = None,
        connected: bool = True,
        **settings,
    ) -> None:
        self.line = LoopbackLine()
        made = SlaveConfig(**({"quirks": frozenset(quirks)} | settings))
        self.ecu = VirtualEcu(replace(ECU, byte_order=made.byte_order), Counters, made)
        self.commands: list[bytes] = []
        self.packets: list[bytes] = []
        self.arrivals_ns: list[int] = []
        self.lose_next = 0
        self._framing = EthFraming()
        self._reader = DatagramReader()
        self._a2l, self._cache = a2l, cache
        self.line.attach(self._receive)
        self._tick()
        self.connection: Connection | None = None
        if connected:
            self.connect()

    # the slave's end

    def _tick(self) -> None:
        now = self.line.clock()
        self.ecu.on_time(now)
        for datagram in self._datagrams():
            if self.lose_next:
                self.lose_next -= 1
            else:
                self.line.to_master(datagram)
        self.line.at(max(self.ecu.due(), now + 1000), self._tick)

    def _receive(self, data: bytes, now_ns: int) -> list[bytes]:
        if data[4] == 0xFF:
            self._reader.reset()
            self._framing.reset()
        for packet in self._reader.feed(data, now_ns):
            self.commands.append(packet)
            self.ecu.receive(packet, now_ns)
        return self._datagrams()

    def _datagrams(self) -> list[bytes]:
        found: list[bytes] = []
        for item in self.ecu.outgoing_blocks():
            if isinstance(item, Lost):
                self._framing.take(item.count)
                continue
            packets = [item] if isinstance(item, bytes) else item.packets()
            self.packets += packets
            self.arrivals_ns += [self.line.clock()] * len(packets)
            found += self._framing.frame_many(packets)
        return found

    # the client's end

    def open_link(self) -> Link:
        self.line.transport = LoopbackTransport(self.line)
        return Link(self.line.transport, MasterMachine(), threaded=False, clock=self.line.clock)

    def connect(self) -> Connection:
        link = self.open_link()
        session = link.run(connect_procedure(transport="udp"))
        found = find_description(link, session, self._a2l, cache=self._cache)
        self.connection = Connection(link, session, found, "udp", self.open_link)
        return self.connection

    def run(self, time_ns: int) -> None:
        """Let time pass and take what comes."""
        until = self.line.clock() + time_ns
        while self.line.clock() < until:
            self.line.run_until(min(self.line.clock() + 5 * MS, until))
            self.connection.link.poll()

    def measure(
        self, names: str | Iterable[str], time_ns: int = 60 * MS, during=None, **options
    ) -> dict[str, Samples]:
        """Samples by the name of the event."""
        client = self.connection
        plan = client.select(names, **options).plan
        decoder, _ = client.port.setup(plan)
        blocks: list = []
        client.port.listen(decoder, lambda batch: blocks.extend(decoder.feed(batch)), blocks.extend)
        try:
            client.port.go(plan)
            self.run(time_ns)
            if during is not None:
                during()
                self.run(time_ns)
        finally:
            client.port.halt()
        self.quality = decoder.finish()
        found = {}
        for raster in plan.rasters:
            mine = [one for one in blocks if one.raster == raster.index and len(one)]
            if not mine:
                found[raster.name] = Samples(np.empty(0), np.empty(0, raster.dtype), 0)
                continue
            found[raster.name] = Samples(
                np.concatenate([one.t_ns for one in mine]),
                np.concatenate([one.rows for one in mine]),
                sum(gap.lost for one in mine for gap in one.gaps),
            )
        return found

    def check_samples(self, found: dict[str, Samples], *, whole: bool = True) -> None:
        """Every row is right, and so is its time."""
        for name, samples in found.items():
            counts = samples[f"{name}Count"].astype(np.int64)
            assert len(counts) > 2, name
            if whole:
                np.testing.assert_array_equal(np.diff(counts), 1, name)
            cycle = {"Fast": MS, "Slow": 10 * MS, "Rare": 6 * S}[name]
            np.testing.assert_array_equal(np.diff(samples.t_ns), np.diff(counts) * cycle, name)
            for signal in samples.rows.dtype.names:
                np.testing.assert_array_equal(samples[signal], truth(signal, counts), signal)

    def check_calibration(self, value: float = 7.5) -> None:
        """A scalar and an array are written and read back."""
        client = self.connection
        assert client.write("Gain", value).after == value
        assert client.read("Gain") == value
        steps = (np.arange(40) * 3 + int(value)).astype(float)
        client.write("Steps", steps)
        np.testing.assert_array_equal(client.read("Steps"), steps)
        assert client.write("Count", int(value)).after == int(value)

    def sent(self, code: int) -> list[bytes]:
        """Commands with this code that reached the slave."""
        return [packet for packet in self.commands if packet[0] == code]


def truth(signal: str, counts: np.ndarray) -> np.ndarray:
    """What a signal holds after so many runs of its task."""
    if signal.endswith("Minus"):
        return -counts
    if signal == "FastByte":
        return counts & 0xFF
    if signal == "FastWord":
        return counts & 0xFFFF
    if signal == "FastHalf":
        return counts / 2
    if signal == "FastArray":
        return counts[:, None] + np.arange(ARRAY)
    return counts


ALL_FAST = ("FastCount", "FastByte", "FastWord", "FastMinus", "FastHalf", "FastArray")
SLOW = ("SlowCount", "SlowMinus")
