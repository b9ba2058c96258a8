"""Plans run by a naive slave on random memory: every limit kept, every value reproduced."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import PlanError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    AddressExtensionScope,
    ClockReading,
    DaqCapabilities,
    DaqDecoder,
    EventChannel,
    Overload,
    Wanted,
    WantedSignal,
    compile_plan,
)

MEMORY_BYTES = 2048
BASE = 0x1000
EVENTS = (
    EventChannel(0, "1ms", 1_000_000),
    EventChannel(1, "10ms", 10_000_000, consistency=1),
    EventChannel(5, "sync", None),
)


class NaiveSlave:
    """Executes DAQ lists entry by entry, as the standard's text says, with no cleverness."""

    def __init__(self, plan, caps, first_pids):
        self.plan, self.caps, self.first_pids = plan, caps, first_pids
        self.mark = caps.byte_order.mark
        self.memory = {}

    def shuffle(self, rng):
        self.memory = {ext: rng.randbytes(MEMORY_BYTES + 8) for ext in range(3)}

    def header(self, setup, odt):
        kind = self.plan.dto_format.identification_field
        order = "big" if self.mark == ">" else "little"
        number = setup.daq_list.to_bytes(2, order)
        if kind == 0:
            return bytes([self.first_pids[setup.daq_list] + odt])
        if kind == 1:
            return bytes([odt, setup.daq_list])
        return bytes([odt]) + (number if kind == 2 else b"\xaa" + number)

    def sample(self, setup, ticks, counter=0, padding=0):
        """DTOs of one sample and the memory that they show."""
        head, dtos = self.plan.dto_format, []
        for number, odt in enumerate(setup.odts):
            dto = bytearray(self.header(setup, number))
            if number == 0:
                if head.dto_ctr and head.identification_field == 3:
                    dto[1] = counter % 256
                elif head.dto_ctr:
                    dto.append(counter % 256)
                if head.timestamp_size:
                    stamp = ticks % (1 << 8 * head.timestamp_size)
                    order = "big" if self.mark == ">" else "little"
                    dto += stamp.to_bytes(head.timestamp_size, order)
            for entry in odt.entries:
                start = entry.address.value * self.caps.ag - BASE
                assert start >= 0
                assert start + entry.size * self.caps.ag <= MEMORY_BYTES + 8
                memory = self.memory[entry.address.extension]
                dto += memory[start : start + entry.size * self.caps.ag]
            assert len(dto) <= self.caps.max_dto
            dtos.append(bytes(dto) + b"\x55" * padding)
        return dtos

    def truth(self, signal):
        start = signal.address.value * self.caps.ag - BASE
        return self.memory[signal.address.extension][start : start + signal.size_bytes]


def check_limits(plan, caps):
    """Everything that a slave may refuse."""
    format_ = plan.dto_format
    odts_total = 0
    for setup in plan.lists:
        odts_total += len(setup.odts)
        assert 1 <= len(setup.odts) <= caps.max_odts
        extensions = set()
        for number, odt in enumerate(setup.odts):
            header = format_.header_size if number else format_.first_header_size
            assert 1 <= len(odt.entries) <= 255
            inside = {entry.address.extension for entry in odt.entries}
            extensions |= inside
            if caps.address_extension is AddressExtensionScope.ODT:
                assert len(inside) == 1
            for entry in odt.entries:
                assert 1 <= entry.size <= caps.max_entry_size
                assert entry.size * caps.ag % caps.granularity == 0
                assert entry.address.value * caps.ag % caps.granularity == 0
            assert header + sum(e.size for e in odt.entries) * caps.ag <= caps.max_dto
        if caps.address_extension is AddressExtensionScope.DAQ_LIST:
            assert len(extensions) == 1
    if format_.identification_field == 0:
        assert odts_total <= caps.max_odts
    numbers = [setup.daq_list for setup in plan.lists]
    assert numbers == list(range(caps.min_daq, caps.min_daq + len(numbers)))
    for number, count in Counter(setup.event_channel for setup in plan.lists).items():
        most = caps.event(number).max_daq_list
        assert most is None or count <= most


@st.composite
def capabilities(draw):
    ag = draw(st.sampled_from([1, 1, 2, 4]))
    granularity = ag * draw(st.sampled_from([1, 1, 2]))
    size = draw(st.sampled_from([None, 1, 2, 4]))
    return DaqCapabilities(
        min_daq=draw(st.integers(0, 3)),
        identification_field=draw(st.integers(0, 3)),
        overload=draw(st.sampled_from(list(Overload))),
        clock=None if size is None else TickClock(1, 3, size),
        timestamp_fixed=draw(st.booleans()),
        granularity=granularity,
        max_entry_size=draw(st.integers(granularity // ag, 64)),
        address_extension=draw(st.sampled_from(list(AddressExtensionScope))),
        events=EVENTS,
        max_dto=draw(st.sampled_from([8, 8, 12, 16, 17, 64, 248, 1400])),
        ag=ag,
        byte_order=draw(st.sampled_from([ByteOrder.INTEL, ByteOrder.MOTOROLA])),
    )


@st.composite
def signals(draw, caps):
    found = []
    for index in range(draw(st.integers(1, 25))):
        code = draw(st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4", "f8"]))
        dtype = np.dtype(caps.byte_order.mark + code)
        shape = draw(st.sampled_from([(), (), (), (3,), (2, 5), (40,)]))
        whole = np.dtype((dtype, shape)) if shape else dtype
        top = (MEMORY_BYTES - whole.itemsize) // caps.ag
        spot = draw(st.one_of(st.integers(0, 40), st.integers(0, top)))
        address = Address(BASE // caps.ag + spot, draw(st.sampled_from([0, 0, 1, 2])))
        event = draw(st.sampled_from([None, 0, 1, 5]))
        found.append(WantedSignal(f"s{index}", address, whole, default_event=event))
    return tuple(found)


def first_pids_of(plan):
    pids, following = {}, 0
    for setup in plan.lists:
        pids[setup.daq_list] = following
        following += len(setup.odts)
    return pids


def settled(data):
    caps = data.draw(capabilities())
    wanted = Wanted(data.draw(signals(caps)), dto_ctr=data.draw(st.booleans()))
    try:
        return caps, wanted, compile_plan(wanted, caps)
    except PlanError:
        assume(False)


COMMON = settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@COMMON
@given(st.data())
def test_every_value_arrives_as_it_was_in_the_memory(data):
    caps, wanted, plan = settled(data)
    check_limits(plan, caps)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    slave = NaiveSlave(plan, caps, first_pids_of(plan))
    decoder = DaqDecoder(plan, slave.first_pids, ClockReading(0, 0))
    padding = data.draw(st.sampled_from([0, 0, 3]))
    by_name = {signal.name: signal for signal in wanted.signals}
    expected = {raster.index: [] for raster in plan.rasters}
    packets = []
    for turn in range(8):
        for raster, setup in zip(plan.rasters, plan.lists, strict=True):
            slave.shuffle(rng)
            packets += slave.sample(setup, turn, turn, padding)
            expected[raster.index].append({n: slave.truth(by_name[n]) for n in raster.signals})
    seen = {raster.index: [] for raster in plan.rasters}
    at = 0
    while at < len(packets):  # cut anywhere
        size = rng.randint(1, 40)
        for block in decoder.feed(DtoBatch(0, packets[at : at + size])):
            assert not block.gaps
            names = plan.rasters[block.raster].signals
            for row in range(len(block)):
                seen[block.raster].append(
                    {n: block.column(n)[row : row + 1].tobytes() for n in names}
                )
        at += size
    assert seen == expected
    assert sorted(n for r in plan.rasters for n in r.signals) == sorted(by_name)
    assert decoder.finish().is_clean


@COMMON
@given(st.data())
def test_exactly_the_damaged_samples_are_missing_after_random_loss(data):
    caps, _, plan = settled(data)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    slave = NaiveSlave(plan, caps, first_pids_of(plan))
    decoder = DaqDecoder(plan, slave.first_pids)
    loss = data.draw(st.sampled_from([0.02, 0.2, 0.6]))
    sent = []  # (raster, sample number, packet)
    bodies = {}
    for turn in range(20):
        for raster, setup in zip(plan.rasters, plan.lists, strict=True):
            slave.shuffle(rng)
            dtos = slave.sample(setup, turn, turn)
            head = plan.dto_format
            bodies[raster.index, turn] = b"".join(
                dto[head.header_size if i else head.first_header_size :]
                for i, dto in enumerate(dtos)
            )
            sent += [(raster.index, turn, dto) for dto in dtos]
    lost = {i for i in range(len(sent)) if rng.random() < loss}
    damaged = {sent[i][:2] for i in lost}
    expected = {r.index: [] for r in plan.rasters}
    for key, body in bodies.items():
        if key not in damaged:
            expected[key[0]].append(body)
    seen = {r.index: [] for r in plan.rasters}
    gap_rows = {r.index: set() for r in plan.rasters}
    at = lost_before = 0
    while at < len(sent):
        size = rng.randint(1, 60)
        batch = DtoBatch(0)
        for i in range(at, min(at + size, len(sent))):
            if i in lost:
                lost_before += 1
                continue
            if lost_before:
                batch.lost.append((len(batch.packets), lost_before))
                lost_before = 0
            batch.packets.append(sent[i][2])
        for block in decoder.feed(batch):
            gap_rows[block.raster] |= {len(seen[block.raster]) + g.before_row for g in block.gaps}
            seen[block.raster] += [
                row.tobytes() for row in block.rows.view(f"V{block.rows.itemsize}")
            ]
        at += size
    assert seen == expected  # nothing more, nothing less, nothing mixed
    quality = decoder.quality
    assert quality.gaps_total == sum(map(len, gap_rows.values()))
    assert quality.lost_messages == len(lost) - lost_before
    assert quality.samples == sum(map(len, expected.values()))
    for raster in plan.rasters:  # a missing sample is marked before the next one that arrived
        numbers = [n for n in range(20) if (raster.index, n) not in damaged]
        for row, number in enumerate(numbers):
            if number > (numbers[row - 1] + 1 if row else 0):
                assert row in gap_rows[raster.index]
    assert decoder.finish().gaps_total <= sum(map(len, gap_rows.values())) + len(plan.rasters)


@COMMON
@given(st.data())
def test_random_packets_never_crash_and_never_make_rows_from_nothing(data):
    caps, _, plan = settled(data)
    slave = NaiveSlave(plan, caps, first_pids_of(plan))
    decoder = DaqDecoder(plan, slave.first_pids)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    slave.shuffle(rng)
    pool = [dto for setup in plan.lists for dto in slave.sample(setup, 1)]
    for _ in range(10):
        packets = []
        for _ in range(rng.randint(0, 30)):
            packet = bytearray(rng.choice(pool) if rng.random() < 0.7 else rng.randbytes(9))
            if packet and rng.random() < 0.2:
                packet[rng.randrange(len(packet))] = rng.randrange(256)
            if rng.random() < 0.2:
                del packet[rng.randint(0, len(packet)) :]
            packets.append(bytes(packet))
        lost = [(rng.randint(0, 40), rng.randint(-1, 300)) for _ in range(rng.randint(0, 2))]
        for block in decoder.feed(DtoBatch(rng.randrange(10**9), packets, lost)):
            assert len(block.t_ns) == len(block.rows) > 0
            assert (np.diff(block.t_ns) >= 0).all()
            raster = plan.rasters[block.raster]
            assert block.rows.dtype == raster.dtype
            assert len(block) * len(raster.odt_sizes) <= 300
    decoder.finish()
