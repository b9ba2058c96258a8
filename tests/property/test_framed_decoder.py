"""Both tiers of the framed decoder give what the packet path gives for the same bytes."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from support.framed_tiers import TIERS, Framed, PacketPath, joined, pids_of, same
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import TickClock
from xcaliper.daq import DaqPlan, EventChannel, Raster, kernels
from xcaliper.daq.framed import FramedDecoder
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.framing.eth import DatagramReader, StreamReader
from xcaliper.xcp.profile import DtoFormat

MAX_LISTS = 4


def plan_of(rng: random.Random, kind: int) -> DaqPlan:
    head = DtoFormat(
        kind,
        rng.choice((0, 1, 2, 4)),
        dto_ctr=rng.random() < 0.5,
        overload_msb=rng.random() < 0.5,
    )
    order = rng.choice((ByteOrder.INTEL, ByteOrder.MOTOROLA))
    setups, rasters = [], []
    alike, sizes = rng.random() < 0.3, ()
    for index in range(rng.randint(1, MAX_LISTS)):
        number = index if kind < 2 else 255 + index
        if not (alike and sizes):
            sizes = tuple(rng.randint(1, 60) for _ in range(rng.choice((1, 1, 2, 3, 7))))
        dtype = np.dtype([(f"s{index}", "u1", (sum(sizes),))])
        odts = tuple(OdtSetup((OdtEntry(Address(0), size),)) for size in sizes)
        setups.append(DaqListSetup(number, index, odts))
        event = EventChannel(index, f"e{index}", rng.choice((None, 1_000_000)))
        rasters.append(Raster(index, f"e{index}", event, number, 1, dtype, sizes))
    clock = TickClock(1, 3, head.timestamp_size) if head.timestamp_size else None
    return DaqPlan(tuple(setups), tuple(rasters), head, order, clock, 1400)


class Slave:
    """Sends what a slave might, and what none should."""

    def __init__(self, rng: random.Random, plan: DaqPlan, trouble: float) -> None:
        self.rng, self.plan, self.trouble = rng, plan, trouble
        self.pids = pids_of(plan)
        self.ctr = rng.choice((0, 0, 65530))
        self.counters = [rng.randrange(256) for _ in plan.rasters]
        self.ticks = rng.randrange(1 << 16)
        self.fill = [rng.choice((0, 0, 3)) for _ in plan.rasters]
        self.answers = 0.0  # how often one comes behind a packet

    def sample(self, index: int) -> list[bytes]:
        raster, head = self.plan.rasters[index], self.plan.dto_format
        mark = self.plan.byte_order.mark
        packets = []
        self.ticks += self.rng.randint(0, 3)
        self.counters[index] += 1 if self.rng.random() > self.trouble else 2
        for odt, size in enumerate(raster.odt_sizes):
            first = odt + (self.pids[raster.daq_list] if head.identification_field == 0 else 0)
            if head.overload_msb and self.rng.random() < self.trouble:
                first |= 0x80
            packet = bytes([first])
            counter = bytes([self.counters[index] & 0xFF]) if head.dto_ctr and odt == 0 else b""
            if head.identification_field == 1:
                packet += bytes([raster.daq_list])
            elif head.identification_field == 2:
                packet += struct.pack(mark + "H", raster.daq_list)
            elif head.identification_field == 3:
                packet += counter or bytes([self.rng.choice((0, 0, 9))])
                packet += struct.pack(mark + "H", raster.daq_list)
                counter = b""
            packet += counter
            if odt == 0 and head.timestamp_size:
                limit = 1 << (8 * head.timestamp_size)
                form = {1: "B", 2: "H", 4: "I"}[head.timestamp_size]
                packet += struct.pack(mark + form, self.ticks % limit)
            packets.append(packet + self.rng.randbytes(size) + bytes(self.fill[index]))
        return packets

    def packets(self, count: int) -> list[bytes]:
        """DTOs with everything between them that can be."""
        rng, found = self.rng, []
        for _ in range(count):
            sample = self.sample(rng.randrange(len(self.plan.rasters)))
            if rng.random() < self.trouble:  # another list comes between
                other = self.sample(rng.randrange(len(self.plan.rasters)))
                merged: list[bytes] = []
                while sample or other:
                    merged.append(
                        (sample if sample and (not other or rng.random() < 0.5) else other).pop(0)
                    )
                sample = merged
            for packet in sample:
                if rng.random() < self.trouble:
                    found.append(self.odd(packet))
                else:
                    found.append(packet)
                if self.answers and rng.random() < self.answers:
                    found.append(bytes([rng.choice((0xFF, 0xFF, 0xFE))]) + rng.randbytes(2))
        return found

    def odd(self, packet: bytes) -> bytes:
        rng = self.rng
        return rng.choice(
            (
                packet[: rng.randint(0, len(packet))],
                packet + bytes(rng.randint(1, 9)),
                bytes([rng.choice((0xFF, 0xFE, 0xFD, 0xFC)), 5]) + rng.randbytes(rng.randint(0, 7)),
                rng.randbytes(rng.randint(1, 12)),
                bytes([packet[0] ^ 1]) + packet[1:],
                bytes([0x70]) + packet[1:],
            )
        )

    def datagrams(self, count: int, alignment: int) -> list[bytes]:
        """Messages in datagrams: some lost, doubled, swapped, cut short, with junk behind."""
        rng = self.rng
        messages = []
        for packet in self.packets(count):
            size = len(packet)
            message = struct.pack("<HH", size, self.ctr & 0xFFFF) + packet
            messages.append(message + bytes(-len(message) % alignment))
            self.ctr += 1
            if rng.random() < self.trouble / 4:
                self.ctr += rng.choice((1, 2, 3, 40000))
        found, at = [], 0
        while at < len(messages):
            take = rng.randint(1, 6)
            found.append(b"".join(messages[at : at + take]))
            at += take
        return self.mishandled(found)

    def mishandled(self, datagrams: list[bytes]) -> list[bytes]:
        rng, found = self.rng, []
        for datagram in datagrams:
            if rng.random() >= self.trouble:
                found.append(datagram)
                continue
            what = rng.randrange(6)
            if what == 1:
                found += [datagram, datagram]
            elif what == 2:
                found.append(datagram[: rng.randrange(len(datagram))])
            elif what == 3:
                found.append(datagram + rng.randbytes(rng.randint(1, 5)))
            elif what == 4:
                found.insert(max(len(found) - 1, 0), datagram)
            elif what == 5:
                found += [datagram, rng.choice(found[-20:] or [b""])]
        return found


def rows_and_gaps(blocks):
    """What does not depend on where blocks end."""
    rows: dict[int, bytes] = {}
    times: dict[int, list[int]] = {}
    gaps: dict[int, list[tuple[int, int, int, str]]] = {}
    for b in blocks:
        rows[b.raster] = rows.get(b.raster, b"") + b.rows.tobytes()
        seen = times.setdefault(b.raster, [])
        gaps.setdefault(b.raster, []).extend(
            (len(seen) + g.before_row, g.t_to_ns, g.lost, g.reason) for g in b.gaps
        )
        seen += b.t_ns.tolist()
    return rows, times, gaps


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", range(4))
def test_datagrams_give_what_the_packet_path_gives(kind: int, tier: str) -> None:
    rows = 0
    for seed in range(30):
        rng = random.Random(f"{kind} {seed}")
        plan = plan_of(rng, kind)
        alignment = rng.choice((1, 2, 4))
        slave = Slave(rng, plan, rng.choice((0, 0.01, 0.05, 0.3)))
        pieces_at, datagrams = [], slave.datagrams(60, alignment)
        while datagrams:
            take = rng.choice((1, 2, 12, 40))
            pieces_at.append(datagrams[:take])
            del datagrams[:take]
        rows += same(plan, lambda a=alignment: DatagramReader(a), pieces_at, tier)
    assert rows > 400


@pytest.mark.parametrize("tier", TIERS)
def test_answers_that_come_late_or_twice_are_the_same_for_all(tier: str) -> None:
    overtaken = duplicates = 0
    for seed in range(40):
        rng = random.Random(f"late {seed}")
        slave = Slave(rng, plan_of(rng, seed % 4), rng.choice((0, 0, 0.02)))
        slave.answers = rng.choice((0.02, 0.2, 0.5))
        datagrams = slave.datagrams(80, 1)
        for _ in range(len(datagrams) // 8):
            at = rng.randrange(len(datagrams))
            moved = datagrams[at] if rng.random() < 0.3 else datagrams.pop(at)
            datagrams.insert(at + rng.choice((1, 2, 5, 30)), moved)
        pieces_at = []
        while datagrams:
            take = rng.choice((1, 2, 12, 40))
            pieces_at.append(datagrams[:take])
            del datagrams[:take]
        same(slave.plan, DatagramReader, pieces_at, tier)
        oracle = PacketPath(slave.plan, DatagramReader())
        for pieces in pieces_at:
            oracle.feed(pieces, 0)
        overtaken += oracle.reader.counts.overtaken
        duplicates += oracle.reader.counts.duplicates
    assert min(overtaken, duplicates) > 40


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", range(4))
def test_streams_cut_anywhere_give_what_the_packet_path_gives(kind: int, tier: str) -> None:
    rows = 0
    for seed in range(30):
        rng = random.Random(f"stream {kind} {seed}")
        plan = plan_of(rng, kind)
        alignment = rng.choice((1, 2, 4))
        slave = Slave(rng, plan, rng.choice((0, 0.01, 0.05, 0.3)))
        slave.mishandled = lambda datagrams: datagrams
        data, pieces_at, at = b"".join(slave.datagrams(60, alignment)), [], 0
        while at < len(data):
            take = rng.choice((1, 3, 100, 1500, 6000))
            pieces_at.append([data[at : at + take]])
            at += take
        rows += same(plan, lambda a=alignment: StreamReader(a), pieces_at, tier)
    assert rows > 400


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_wrong_numbers_and_starved_lists_are_marked_alike(kind: int, tier: str) -> None:
    """Rows of periodic lists whose number is wrong, and one list that nothing comes of any more."""
    reasons: set[str] = set()
    starved = 0
    for seed in range(6):
        rng = random.Random(f"stray {kind} {seed}")
        head = DtoFormat(kind, 4, overload_msb=seed % 2 == 1)
        setups, rasters = [], []
        for index, (sizes, cycle) in enumerate((((8,), 10**6), ((40, 40), 10**7), ((3,), None))):
            odts = tuple(OdtSetup((OdtEntry(Address(0), size),)) for size in sizes)
            setups.append(DaqListSetup(index, index, odts))
            dtype = np.dtype([(f"s{index}", "u1", (sum(sizes),))])
            event = EventChannel(index, f"e{index}", cycle)
            rasters.append(Raster(index, f"e{index}", event, index, 1, dtype, sizes))
        clock = TickClock(1, 3, 4)
        plan = DaqPlan(tuple(setups), tuple(rasters), head, ByteOrder.INTEL, clock, 1400)
        pids, messages, ctr = pids_of(plan), [], 0
        for ms in range(300):
            for index in [0] + [1] * (ms % 10 == 0 and ms < 150) + [2] * (rng.random() < 0.1):
                stray = rng.random() < 0.03 and ms != 250  # where the bit is
                bit = 0x80 * (head.overload_msb and ms == 250 and index == 0)
                for odt, size in enumerate(rasters[index].odt_sizes):
                    first = odt + (pids[index] if kind == 0 else 0)
                    number = bytes([index]) if kind == 1 else struct.pack("<H", index)
                    number = number if kind else b""
                    if stray:  # of a list that is not there
                        number = bytes([0x66, *number[1:]])
                        first, number = (0x66, b"") if kind == 0 else (first, number)
                    packet = bytes([first | bit]) + number
                    packet += struct.pack("<I", 1000 * ms) * (odt == 0) + rng.randbytes(size)
                    messages.append(struct.pack("<HH", len(packet), ctr) + packet)
                    ctr += 1
        pieces_at, at = [], 0
        while at < len(messages):
            take = rng.choice((1, 5, 20, 60))
            pieces_at.append([b"".join(messages[at : at + take])])
            at += take
        same(plan, DatagramReader, pieces_at, tier)
        oracle = PacketPath(plan, DatagramReader())
        for number, pieces in enumerate(pieces_at):
            for block in oracle.feed(pieces, 1_000_000 * number):
                reasons |= {gap.reason for gap in block.gaps}
        oracle.finish()
        starved += sum(gap.lost >= 14 for block in oracle.decoder.ends for gap in block.gaps)
    assert reasons == {"unknown", "overload"}
    assert starved == 3  # where the bit told of it


@pytest.mark.parametrize("tier", TIERS)
def test_a_loss_in_the_last_cycle_ends_well(tier: str) -> None:
    """A sample has begun, a part of its messages is lost, and the answer to the stop comes."""
    for seed in range(8):
        rng = random.Random(f"end {seed}")
        plan = plan_of(rng, seed % 4)
        while len(plan.rasters[0].odt_sizes) < 3:
            plan = plan_of(rng, seed % 4)
        slave = Slave(rng, plan, 0)
        datagrams = [d for _ in range(5) for d in slave.datagrams(1, 1)]
        begun = slave.sample(0)[0]
        ctr = slave.ctr & 0xFFFF
        datagrams.append(struct.pack("<HH", len(begun), ctr) + begun)
        datagrams.append(struct.pack("<HHB", 1, (ctr + 2) & 0xFFFF, 0xFF))
        same(plan, DatagramReader, [[d] for d in datagrams], tier)


@pytest.mark.parametrize("tier", TIERS)
def test_a_gap_of_more_than_half_a_round_is_a_gap(tier: str) -> None:
    """And data that overtake some of it are late all the same."""
    rng = random.Random("long gap")
    plan = plan_of(rng, 1)
    while len(plan.rasters) > 1:
        plan = plan_of(rng, 1)
    slave = Slave(rng, plan, 0)
    pieces_at = [slave.datagrams(400, 1)]
    pieces_at[0] += pieces_at[0][10:40]  # late
    slave.ctr += 40_000
    pieces_at += [slave.datagrams(400, 1) for _ in range(12)]
    oracle = PacketPath(plan, DatagramReader())
    for pieces in pieces_at:
        oracle.feed(pieces, 0)
    assert oracle.reader.lost == 40_000
    assert oracle.decoder.quality.lost_messages == 40_000
    same(plan, DatagramReader, pieces_at, tier)


class Draining(Framed):
    """The decoder receives by itself, all that waits at once."""

    def __init__(self, plan, reader, kernel, waiting: list[bytes]) -> None:
        super().__init__(plan, reader, kernel, joined)
        self._waiting = waiting

    def feed(self, pieces: list[bytes], t_ns: int):
        self._waiting.extend(pieces)
        while self._waiting:
            drained = self.decoder.drain(7, 1 << 20, t_ns)
            assert drained is not None
            self.others += drained[2]
        return self.decoder.take_ready()


@pytest.mark.parametrize("piece", [23, 101, 701])
def test_a_stream_goes_through_a_small_part_of_the_buffer(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the buffer is begun anew, in a message or in its fill, nothing is lost."""
    waiting: list[bytes] = []
    furthest = 0

    def receive(descriptor, buffer, at: int, room: int, control) -> int:
        nonlocal furthest
        if not waiting:
            return -1
        data, rest = waiting[0][:room], waiting[0][room:]
        waiting[:1] = [rest] if rest else []
        buffer[at : at + len(data)] = np.frombuffer(data, np.uint8)
        furthest = max(furthest, at + len(data))
        return len(data)

    monkeypatch.setattr(kernels, "receive", receive)
    monkeypatch.setattr(kernels, "PIECE", piece)
    rows = 0
    for seed in range(24):
        rng = random.Random(f"window {seed}")
        plan = plan_of(rng, seed % 4)
        alignment = rng.choice((1, 2, 4))
        slave = Slave(rng, plan, rng.choice((0, 0.01, 0.05)))
        slave.mishandled = lambda datagrams: datagrams
        data = b"".join(slave.datagrams(60, alignment))
        oracle = PacketPath(plan, StreamReader(alignment))
        framed = Draining(plan, StreamReader(alignment), lambda: kernels.drain, waiting)
        expected, got = oracle.feed([data], 0), framed.feed([data], 0)
        assert rows_and_gaps(got) == rows_and_gaps(expected)
        assert framed.others == oracle.others
        assert framed.reader.counts == oracle.reader.counts
        assert (framed.reader.lost, framed.reader.expected) == (
            oracle.reader.lost,
            oracle.reader.expected,
        )
        rows += sum(map(len, got))
    assert rows > 400
    assert furthest < 20_000


@pytest.mark.parametrize("tier", ["numpy", "twin", "compiled"])
def test_rows_stay_what_they_are_when_storage_is_used_again(tier: str) -> None:
    """Little storage and blocks that come seldom: nothing moves, nothing that is held changes."""
    for seed in range(8):
        rng = random.Random(f"storage {seed}")
        plan = plan_of(rng, 1)
        slave = Slave(rng, plan, rng.choice((0, 0.02)))
        oracle = PacketPath(plan, DatagramReader())
        decoder = FramedDecoder(plan, kernel=TIERS[tier](), period_ns=5_000_000, storage_bytes=2000)
        decoder.attach(DatagramReader())
        expected, got, kept = [], [], []
        for number in range(150):
            datagrams, t_ns = slave.datagrams(4, 1), 1_000_000 * number
            for datagram in datagrams:
                decoder.feed_bytes(datagram, t_ns)
            for datagram in datagrams:
                expected += oracle.feed([datagram], t_ns)
            blocks = decoder.take_ready()
            got.append(rows_and_gaps(blocks))
            kept.append(blocks if number % 3 == 0 else [])
        decoder.detach(150_000_000)
        last = decoder.take_ready()
        joined_rows: dict[int, bytes] = {}
        for rows, _, _ in [*got, rows_and_gaps(last)]:
            for raster, text in rows.items():
                joined_rows[raster] = joined_rows.get(raster, b"") + text
        assert joined_rows == rows_and_gaps(expected)[0]
        for number, blocks in enumerate(kept):
            if blocks:
                assert rows_and_gaps(blocks) == got[number]
        assert decoder.finish().counters() == oracle.finish().counters()
