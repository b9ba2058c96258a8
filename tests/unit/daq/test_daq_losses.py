"""Samples that a slave drops on purpose, told in every way there is: what is counted is the truth."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.frames import DtoBatch
from xcaliper.core.samples import Gap
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, DaqDecoder, DaqPlan, EventChannel, Raster
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.profile import DtoFormat

MS = 1_000_000
SIZES = (4, 1)
COUNT = 3000
BURSTS = {
    "one": [(100, 1)],
    "some": [(100, 5), (500, 50)],
    "a round of the counter": [(100, 255), (500, 256), (1000, 257)],
    "rounds": [(100, 1000)],
    "every other": [(200 + 2 * n, 1) for n in range(500)],
    "again and again": [(200 + 100 * n, 7) for n in range(20)],
}


class Slave:
    """A slave that drops samples of one list of two ODTs, and the decoder of what it sends.

    Args:
        told: how it tells of that: ``dto``, ``bit``, ``event``, ``event once``, or ``transport``,
            where the network drops.
        timestamp: bytes.
        prescaler: events per sample.
        period_ns: between two samples, really.
        stated_ns: between two events, as it says.
    """

    def __init__(self, told, *, timestamp=4, prescaler=1, period_ns=MS, stated_ns=None) -> None:
        self.told, self.prescaler, self.period_ns = told, prescaler, period_ns
        head = DtoFormat(1, timestamp, dto_ctr=told == "dto", overload_msb=told == "bit")
        event = EventChannel(0, "e", stated_ns or period_ns // prescaler)
        dtype = np.dtype([("number", "<u4"), ("x", "u1")])
        odts = tuple(OdtSetup((OdtEntry(Address(0), size),)) for size in SIZES)
        self.plan = DaqPlan(
            (DaqListSetup(0, 0, odts),),
            (Raster(0, "e", event, 0, prescaler, dtype, SIZES),),
            head,
            ByteOrder.INTEL,
            TickClock(1, 3, timestamp) if timestamp else None,
            1400,
        )
        self.decoder = DaqDecoder(self.plan, start=ClockReading(0, 0))
        self.blocks = []
        self.is_overloaded = self.has_told = False

    def sample(self, number: int, event: int, t_ns: int) -> list[bytes]:
        head = self.plan.dto_format
        first = 0x80 if self.is_overloaded and head.overload_msb else 0
        packet = bytes([first, 0]) + (bytes([event & 0xFF]) if head.dto_ctr else b"")
        stamp = t_ns // 1000 % (1 << (8 * head.timestamp_size))
        packet += stamp.to_bytes(head.timestamp_size, "little")
        return [packet + number.to_bytes(4, "little"), bytes([1, 0, 9])]

    def drop(self, batch: DtoBatch) -> None:
        if self.told == "transport":
            batch.lost.append((len(batch.packets), len(SIZES)))
        tells = {"event": not self.is_overloaded, "event once": not self.has_told}
        if tells.get(self.told):
            self.decoder.note_overload()
        self.is_overloaded = self.has_told = True

    def run(self, dropped: set[int], *, pause_ns=0, pause_at=-1, jitter_ns=0) -> None:
        """Samples 0 … COUNT, in batches as they come from a network."""
        rng = random.Random(1)
        batch, t_ns = DtoBatch(0), 0
        for number in range(COUNT):
            t_ns += pause_ns if number == pause_at else 0
            if number in dropped:
                self.drop(batch)
            else:
                stamp_ns = t_ns + rng.randint(0, jitter_ns)
                batch.packets += self.sample(number, number * self.prescaler, stamp_ns)
                self.is_overloaded = False
            t_ns += self.period_ns
            if rng.random() < 0.05 or number == COUNT - 1:
                batch.t_ns = t_ns
                self.blocks += self.decoder.feed(batch)
                batch = DtoBatch(0)
        self.decoder.finish()

    def gaps(self) -> list[tuple[int, int]]:
        """(number of the sample behind it, lost) of every gap."""
        return [
            (int(block.rows["number"][gap.before_row]), gap.lost)
            for block in self.blocks
            for gap in block.gaps
        ]


def dropped_by(bursts) -> set[int]:
    return {number for at, count in bursts for number in range(at, at + count)}


def merged(bursts) -> list[tuple[int, int]]:
    return [(at + count, count) for at, count in bursts]


@pytest.mark.parametrize("told", ["dto", "bit", "event", "event once", "transport"])
@pytest.mark.parametrize("name", BURSTS)
def test_what_is_counted_is_the_truth_and_stands_in_its_place(told: str, name: str) -> None:
    bursts = BURSTS[name]
    truth = dropped_by(bursts)
    for prescaler, timestamp in ((1, 4), (3, 2), (16, 4)):
        slave = Slave(told, prescaler=prescaler, timestamp=timestamp)
        slave.run(truth, jitter_ns=MS // 10)
        lost, quality = slave.gaps(), slave.decoder.quality
        if told == "transport":
            lost = [(at, messages // len(SIZES)) for at, messages in lost]
            assert quality.lost_messages == len(truth) * len(SIZES)
        else:
            assert quality.lost_samples == len(truth)
        assert lost == merged(bursts)
        assert quality.samples == COUNT - len(truth)
        assert quality.incomplete == quality.backward == 0
        for before, behind in pairwise(slave.blocks):
            assert behind.t_ns[0] > before.t_ns[-1]


def test_the_counter_alone_tells_the_rest_of_its_rounds() -> None:
    """Nobody can know more without timestamps; where all is a full round, nobody knows at all."""
    slave = Slave("dto", timestamp=0)
    slave.run(dropped_by([(100, 5), (400, 258)]))
    assert slave.gaps() == [(105, 5), (658, 2)]


@pytest.mark.parametrize("pause_ms", [100, 200, 400, 920, 5000])
def test_an_event_that_pauses_has_lost_nothing(pause_ms: int) -> None:
    slave = Slave("dto")
    slave.decoder.note_overload()  # the counter knows better what that has cost
    slave.run(dropped_by([(100, 3)]), pause_ns=pause_ms * MS, pause_at=110)
    assert slave.gaps() == [(103, 3)]


@pytest.mark.parametrize("stated_ns", [1000, 10_000, 20_000, 5 * MS, 50 * MS])
def test_a_period_that_the_slave_does_not_keep_makes_no_losses(stated_ns: int) -> None:
    """Only the counter is believed then."""
    slave = Slave("dto", stated_ns=stated_ns)
    slave.run(dropped_by([(100, 3), (900, 40)]))
    assert slave.gaps() == [(103, 3), (940, 40)]


def test_a_period_that_is_rounded_is_measured() -> None:
    """1024 Hz is told as 1 ms."""
    slave = Slave("dto", period_ns=976_563, stated_ns=MS)
    slave.run(dropped_by([(100, 256), (900, 1500)]))
    assert slave.gaps() == [(356, 256), (2400, 1500)]


def plan_of_three(*, overload_msb: bool = False) -> DaqPlan:
    """Lists of one ODT: fast, slow and one without a period."""
    rasters = tuple(
        Raster(n, name, EventChannel(n, name, cycle), n, 1, np.dtype([(name, "u1")]), (1,))
        for n, (name, cycle) in enumerate((("fast", MS), ("slow", 10 * MS), ("sporadic", None)))
    )
    lists = tuple(DaqListSetup(n, n, (OdtSetup((OdtEntry(Address(0), 1),)),)) for n in range(3))
    head, clock = DtoFormat(1, 4, overload_msb=overload_msb), TickClock(1, 3, 4)
    return DaqPlan(lists, rasters, head, ByteOrder.INTEL, clock, 1400)


def dto(number: int, ms: int, first: int = 0) -> bytes:
    return bytes([first, number]) + (1000 * ms).to_bytes(4, "little") + b"\x07"


def ends_of(decoder: DaqDecoder) -> list[tuple[str, int, int, int, str]]:
    """What the blocks without rows carry at the end, by name of the raster."""
    assert all(len(block.rows) == len(block) == 0 for block in decoder.ends)
    names = [raster.name for raster in decoder.plan.rasters]
    return [
        (names[block.raster], gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason)
        for block in decoder.ends
        for gap in block.gaps
        if gap.before_row == 0
    ]


@pytest.mark.parametrize("told", ["", "event", "bit", "bit before"])
def test_a_raster_that_is_starved_to_the_end_has_lost_its_rows(told: str) -> None:
    """A fast list goes on for 100 ms, the slow one has sent 3 rows; what tells names no list.

    The bit of a row of another list tells of the slow one only behind its last row.
    """
    decoder = DaqDecoder(plan_of_three(overload_msb=True), start=ClockReading(0, 0))
    marked = {"bit": 60, "bit before": 15}.get(told, -1)
    for begin in range(0, 100, 20):
        packets = [dto(0, ms, 0x80 * (ms == marked)) for ms in range(begin, begin + 20)]
        if begin <= 20:  # 0, 10 and 20 ms
            packets += [dto(1, ms) for ms in range(begin, min(begin + 20, 21), 10)]
            packets.append(dto(2, begin))
        elif told == "event":
            decoder.note_overload()
        decoder.feed(DtoBatch(begin * MS, packets))
    assert decoder.ends == ()
    quality = decoder.finish()
    # rows at 30 … 90 ms; the fast list ends at 99 ms
    starved = told in ("event", "bit")
    expected = [("slow", 20 * MS, 99 * MS, 7, "overload")] if starved else []
    found = ends_of(decoder)
    assert [gap for gap in found if gap[0] == "slow"] == expected
    assert [gap for gap in quality.gaps if gap[0] == "slow"] == expected
    open_end = [("sporadic", 20 * MS, 20 * MS, 0, "overload")] if told == "event" else []
    assert [gap for gap in found if gap[0] == "sporadic"] == open_end
    assert quality.lost_samples == (7 if starved else 0)


def test_a_loss_behind_the_last_row_is_handed_out() -> None:
    decoder = DaqDecoder(plan_of_three(), start=ClockReading(0, 0))
    decoder.feed(DtoBatch(0, [dto(1, 10)], [(1, 5)]))
    decoder.finish()
    assert ends_of(decoder) == [
        (name, at * MS, at * MS, 5, "counter")
        for name, at in (("fast", 0), ("slow", 10), ("sporadic", 0))
    ]


WRONG = {
    "one": {33},
    "in a row": {33, 34, 35},
    "first of a batch": {40},
    "last of a batch": {39},
    "apart": {5, 33, 39, 40, 71},
    "last of all": {98, 99},
}


@pytest.mark.parametrize("name", WRONG)
def test_rows_that_come_with_a_wrong_number_are_missed_where_they_belong(name: str) -> None:
    wrong = WRONG[name]
    decoder = DaqDecoder(plan_of_three(), start=ClockReading(0, 0))
    found = []
    for begin in range(0, 100, 20):
        packets = []
        for ms in range(begin, begin + 20):
            packets.append(dto(7 if ms in wrong else 0, ms))
            packets += [dto(1, ms)] if ms % 10 == 9 else []
            packets += [dto(2, ms)] if ms % 30 == 7 else []
        for block in decoder.feed(DtoBatch(begin * MS, packets)):
            found += [(block.raster, gap.t_to_ns, gap.lost, gap.reason) for gap in block.gaps]
    quality = decoder.finish()
    ends = [(0, end, lost, reason) for raster, _, end, lost, reason in ends_of(decoder)]
    assert all(raster == "fast" for raster, *_ in ends_of(decoder))
    expected = []
    for ms in range(100):
        if ms - 1 in wrong and ms not in wrong:
            lost = next(n for n in range(1, 9) if ms - 1 - n not in wrong)
            expected.append((0, ms * MS, lost, "unknown"))
    if 99 in wrong:  # by the clock of the other list
        expected.append((0, 99 * MS, 1, "unknown"))
    assert found + ends == expected
    assert quality.unknown == len(wrong)
    assert quality.lost_samples == sum(lost for _, _, lost, _ in expected)


def test_a_list_of_somebody_else_marks_nothing() -> None:
    """It comes all the time: no step of an even raster is missing, and a pause is none of its doing."""
    decoder = DaqDecoder(plan_of_three(), start=ClockReading(0, 0))
    gaps, at = [], 0
    for begin in range(0, 2000, 20):
        packets = []
        for ms in range(begin, begin + 20):
            packets += [dto(9, ms), dto(9, ms)]
            at += 1 if ms != 1500 else 30
            packets += [dto(0, at)] + [dto(2, at)] * (ms % 7 == 0)
        for block in decoder.feed(DtoBatch(begin * MS, packets)):
            gaps += block.gaps
    assert decoder.finish().unknown == 4000
    assert gaps == []
    assert decoder.ends == ()


def test_a_pause_is_not_blamed_on_fewer_wrong_numbers() -> None:
    decoder = DaqDecoder(plan_of_three(), start=ClockReading(0, 0))
    times = [*range(20), *range(500, 520)]
    decoder.feed(DtoBatch(0, [dto(0, ms) for ms in times[:20]]))
    decoder.feed(DtoBatch(1, [dto(9, 20)] + [dto(0, ms) for ms in times[20:]]))
    quality = decoder.finish()
    assert (quality.unknown, quality.lost_samples, quality.gaps_total) == (1, 0, 0)


def test_a_list_that_was_told_to_stop_is_not_starved() -> None:
    """An overload before its stop has cost it rows, what comes while it is stopped has not."""
    decoder = DaqDecoder(plan_of_three(), start=ClockReading(0, 0))
    rows = [dto(0, ms) for ms in range(50)]
    decoder.feed(DtoBatch(50 * MS, [*rows, dto(1, 0), dto(1, 10), dto(2, 5)]))
    decoder.note_overload()
    decoder.feed(DtoBatch(60 * MS, [dto(0, ms) for ms in range(50, 60)]))
    for stopped in (1, 2):
        decoder.pause(stopped)
    decoder.note_overload()
    lost = DtoBatch(100 * MS, [dto(0, ms) for ms in range(60, 100)])
    lost.lost.append((0, 3))
    (block,) = decoder.feed(lost)
    assert [gap.reason for gap in block.gaps] == ["counter"]
    for started in (1, 1, 2):  # twice is no harm
        decoder.go_on(started)
    found = decoder.feed(DtoBatch(230 * MS, [dto(1, 200), dto(1, 210), dto(1, 230), dto(2, 205)]))
    before = Gap(0, 10 * MS, 59 * MS, 4, "overload")
    assert [(block.raster, block.gaps) for block in found] == [(1, (before,)), (2, ())]
    decoder.pause(1)
    decoder.note_overload()
    quality = decoder.finish()
    starved = [
        (g.raster, g.t_from_ns, g.t_to_ns, g.lost) for g in quality.gaps if g.raster != "fast"
    ]
    assert starved == [("slow", 10 * MS, 59 * MS, 4), ("sporadic", 205 * MS, 205 * MS, 0)]
    assert (quality.lost_samples, quality.overloads) == (
        4 + 130,
        3,
    )  # the fast one was never stopped
