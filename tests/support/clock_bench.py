"""Virtual slaves on one true time, read over ways that take long and lose packets."""

from __future__ import annotations

import random

import numpy as np

from pair.link import RAM, Pair, config
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline
from xcaliper.daq.correlation import Correlator, daq_stamp
from xcaliper.wire.codec import codec_for
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.clock import (
    COMMON_INITIATORS,
    clock_properties,
    read_clocks,
    sample_of_event,
)
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

MS = 1_000_000
S = 1_000_000_000
MICROSECONDS = TickClock(1, 3, 4)


class BenchSlave:
    """A slave machine with a master, a measurement of one list, and the truth beside it.

    Args:
        clocks: of the slave.
        seed: of the way.
        way_ns: shortest and longest time of a packet on its way, each direction.
        loss: probability that a packet is lost on its way.
        extended: leave the legacy form.
        timestamp: of the slave.
    """

    def __init__(
        self,
        clocks,
        *,
        seed=0,
        way_ns=(10_000, 210_000),
        loss=0.0,
        extended=False,
        timestamp=MICROSECONDS,
    ) -> None:
        self.rng = random.Random(seed)
        self.way_ns, self.loss = (10_000, 10_000), 0.0  # in order while it is set up
        self.pair = Pair(config(clocks=clocks, timestamp=timestamp), connected=False)
        table = COMMANDS.extended(EthGetDaqClockMulticast)
        self.pair.slave = SlaveMachine(self.pair.config, self.pair.memory, table)
        self.pair.session = self.pair.run(connect())
        self.pair.to_slave.hook = self.pair.to_master.hook = self.travel
        self.properties = None
        if extended:
            self.properties = self.pair.run(
                clock_properties(self.pair.session, response_fmt=COMMON_INITIATORS, cluster=1)
            )
        one = DaqListSetup(0, 0, (OdtSetup((OdtEntry(RAM, 1),)),), timestamp=True)
        self.pair.run(daq_setup.setup(self.pair.session, (one,)))
        sample = self.pair.run(read_clocks(self.now))
        stamp = None if sample is None else daq_stamp(sample, self.properties, timestamp)
        start = None if stamp is None else ClockReading(stamp.ticks, self.pair.now_ns)
        self.timeline = Timeline(timestamp, [None], start)
        self.correlator = Correlator(self.timeline, self.properties)
        self.pair.run(daq_setup.start())
        self.size = timestamp.size_bytes
        self.way_ns, self.loss = way_ns, loss
        self.truth: list[int] = []
        self.times: list[int] = []
        self.pending: list[int] = []
        self.samples = []

    def travel(self, packet, _number):
        if self.rng.random() < self.loss and packet[0] in (0xFF, 0xFD, 0xDC):
            return []
        if packet[0] < 0xC0:
            return [(0, packet)]  # DTOs are placed by hand: what is tested is the time
        return [(self.rng.randint(*self.way_ns), packet)]

    def now(self) -> int:
        return self.pair.now_ns

    def read(self, at_ns: int) -> None:
        """GET_DAQ_CLOCK, once."""
        self.pair.now_ns = max(self.pair.now_ns, at_ns)
        sample = self.pair.run(read_clocks(self.now, timeout_ns=5 * MS))
        if sample is not None:
            self.correlator.add(sample)

    def sample(self, at_ns: int) -> None:
        """The application reaches its event; the DTO arrives a little later."""
        self.pair.now_ns = max(self.pair.now_ns, at_ns)
        at = self.pair.now_ns
        self.pair.event(0)
        dto = self.pair.dtos.pop()
        raw = int.from_bytes(dto[2 : 2 + self.size], "little")
        arrived = at + self.rng.randint(*self.way_ns)
        placed = int(self.timeline.place(0, np.array([raw], np.uint32), arrived)[0])
        self.correlator.add_arrival(placed, arrived)
        self.truth.append(at)
        self.times.append(placed)

    def multicast(self, at_ns: int, counter: int, skew_ns: int = 5_000) -> None:
        """A multicast of the master reaches the slave; its event comes back."""
        self.pair.now_ns = max(self.pair.now_ns, at_ns)
        packet = codec_for(EthGetDaqClockMulticast).encode(
            EthGetDaqClockMulticast(cluster_identifier=1, counter=counter & 0xFF)
        )
        self.pair.now_ns += self.way_ns[0] + self.rng.randint(0, skew_ns)
        self.pair.slave.receive(packet, self.pair.now_ns)
        self.collect(300 * 1000)

    def collect(self, wait_ns: int) -> None:
        """Let events arrive."""
        end = self.pair.now_ns + wait_ns
        self.pair.exchange()
        while self.pair._travelling and self.pair._travelling[0][0] <= end:
            self.pair.now_ns = self.pair._travelling[0][0]
            self.pair.exchange()
        for event in self.pair.master.events():
            sample = sample_of_event(event.content, event.t_ns)
            if sample is not None:
                self.samples.append(sample)

    def errors(self, correlation) -> np.ndarray:
        """Correlated time of every sample minus its true time, ns."""
        mapped = correlation.correlate(np.array(self.times, np.int64))
        return mapped - np.array(self.truth)
