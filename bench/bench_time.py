"""Time correlation against a known truth: two virtual slaves of ±50 ppm on one axis after 10 s.

Run: ``PYTHONPATH=src python bench/bench_time.py``. Everything is simulated on a virtual clock, so the figures do not depend on the
machine. Clocks scatter over 200 µs and packets take 10 to 210 µs each way. Clocks are read as often as a measurement reads them, and a
lost answer costs the time that it is waited for. Printed per way: the share of seeded runs whose two slaves agree within 50 µs, the 99th
percentile of their disagreement as a ratio to 50 µs, and how often the stated bound covers it.
"""

from __future__ import annotations

import argparse
import random
import time

import numpy as np

from xcaliper.client.measurement import MULTICAST_S
from xcaliper.client.slave_time import ANSWER_NS, GROUP, PACE, REST_S
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline
from xcaliper.daq.correlation import Correlator, common_axis
from xcaliper.xcp.procedures.clock import ClockProperties, ClockSample, Stamp
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings, SlaveClocks
from xcaliper.xcp.timecorr import decode_clock_blocks

SECOND = 1_000_000_000
LENGTH_NS = 10 * SECOND
AGREED_NS = 50_000
TICK = TickClock(1, 3, 4)
BOOT = 1000 * SECOND
MASTER = ClockModel(start_ns=1_700_000_000 * SECOND, resolution=TickClock(1, 0, 8), epoch=1)


class Slave:
    """A slave's clocks, a correlator, and the way between them."""

    def __init__(self, ppm: float, seed: int, *, grandmaster: bool) -> None:
        model = ClockModel(drift_ppm=ppm, jitter_ns=200_000, start_ns=seed * 7919 % 5000 * SECOND)
        settings = ClockSettings(
            slave=model,
            seed=seed,
            grandmaster=MASTER if grandmaster else None,
            grandmaster_access=int(grandmaster),
        )
        self.rng = random.Random(seed)
        self.clocks = SlaveClocks(settings, TICK)
        info, memory = self.clocks.blocks(0, ByteOrder.INTEL)
        properties = ClockProperties(
            self.clocks.slave_config(),
            self.clocks.observable(),
            self.clocks.sync_state(0),
            0,
            decode_clock_blocks(info, memory),
        )
        start = ClockReading(self.clocks.daq_ticks(0) % 2**32, BOOT)
        self.timeline = Timeline(TICK, [None], start)
        self.correlator = Correlator(self.timeline, properties)

    def way(self) -> int:
        return self.rng.randint(10_000, 210_000)

    def read(self, sent: int, taken: int, received: int) -> None:
        seen = self.clocks.read(taken, event=False, room=24)
        grandmaster = None if seen.grandmaster is None else Stamp(seen.grandmaster, 8)
        self.correlator.add(
            ClockSample(
                BOOT + sent, BOOT + received, slave=Stamp(seen.slave, 4), grandmaster=grandmaster
            )
        )

    def error(self, line, zero: int) -> int:
        """Error of a line at the end, ns."""
        whole, rest = divmod(self.clocks.slave.shows_ns(LENGTH_NS), 1000)
        placed = self.timeline.reading(whole % 2**32, 4, BOOT + LENGTH_NS) + rest
        return int(line.correlate(np.array([placed]))[0]) - zero - LENGTH_NS


def read_in_groups(slave: Slave, loss: float) -> None:
    """GET_DAQ_CLOCK as a measurement sends it; a lost answer ends a group, its rest follows."""
    begin = 0
    while begin < LENGTH_NS:
        at, left = begin, GROUP
        while left and at < LENGTH_NS:
            taken = at + slave.way()
            received = taken + slave.way()
            if slave.rng.random() < loss:
                at += ANSWER_NS + int(REST_S * SECOND)
                continue
            slave.read(at, taken, received)
            at, left = received, left - 1
        begin = max(begin + int(PACE[0][1] * SECOND), at)


def read_together(slaves: list[Slave], loss: float) -> None:
    """GET_DAQ_CLOCK_MULTICAST; the first answer bounds all of them."""
    for at in range(0, LENGTH_NS, int(MULTICAST_S * SECOND)):
        shared = at + slaves[0].way()
        answers = [shared + one.way() for one in slaves]
        first = min(answers) + 5_000  # a multicast may reach one slave so much later
        for one, answer in zip(slaves, answers, strict=True):
            if one.rng.random() >= loss:
                taken = shared + one.rng.randint(0, 5_000)
                one.read(at, taken, max(min(answer, first), taken))


def run(seed: int, way: str, loss: float) -> tuple[int, int]:
    """Disagreement of the two at the end, and its stated bound, ns."""
    grandmaster = way == "grandmaster"
    slaves = [Slave(p, 2 * seed + n, grandmaster=grandmaster) for n, p in enumerate((50.0, -50.0))]
    if way == "multicast":
        read_together(slaves, loss)
    else:
        for one in slaves:
            read_in_groups(one, loss)
    lines, bound = common_axis([one.correlator for one in slaves])
    zero = MASTER.start_ns if grandmaster else BOOT
    one, other = (slave.error(line, zero) for slave, line in zip(slaves, lines, strict=True))
    return abs(one - other), bound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    print(
        f"two slaves of ±50 ppm after 10 s, {seeds} seeds; bars without loss: p99/50 µs ≤ 1, covered ≥ 0.99"
    )
    for way in ("GET_DAQ_CLOCK", "multicast", "grandmaster"):
        for loss in (0.0, 0.3):
            begin = time.process_time()
            found = [run(seed, way, loss) for seed in range(seeds)]
            apart = np.array([one for one, _ in found])
            covered = np.mean([one <= bound for one, bound in found])
            ratio = np.percentile(apart, 99) / AGREED_NS
            bound = np.median([bound for _, bound in found]) / 1000
            print(
                f"{way:14} loss {loss:3.0%}: within 50 µs {np.mean(apart <= AGREED_NS):6.1%}  "
                f"p99/50 µs {ratio:5.2f}  covered {covered:5.3f}  stated {bound:5.1f} µs  "
                f"worst {apart.max() / 1000:5.1f} µs  ({time.process_time() - begin:.1f} s)"
            )


if __name__ == "__main__":
    main()
