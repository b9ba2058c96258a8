"""Thousands of random plans over all settings, run by a naive slave.

Every limit is kept, and every value that the decoder gives is the one that was in the memory.
"""

from __future__ import annotations

import random
from types import MappingProxyType

import numpy as np
import pytest

from support.naive_slave import (
    BASE,
    MEMORY_BYTES,
    NaiveSlave,
    check_limits,
    check_rows,
    values,
)
from xcaliper.a2l.xcp_extras import XcpPackedMode
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
    ListCanId,
    Optimisation,
    Overload,
    ResourceModel,
    StaticList,
    Wanted,
    WantedSignal,
    compile_plan,
)
from xcaliper.daq.resources import Totals
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup

PLANS_PER_SEED = 60


def packed_offer(rng):
    if rng.random() < 0.5:
        return None
    return XcpPackedMode(
        rng.choice(["ELEMENT_GROUPED", "EVENT_GROUPED"]),
        rng.choice(["STS_LAST", "STS_FIRST"]),
        rng.choice(["OPTIONAL", "OPTIONAL", "MANDATORY"]),
        rng.choice([1, 2, 3, 5]),
        tuple(rng.sample([2, 4, 8], rng.randint(0, 2))),
    )


def events(rng):
    packs = rng.random() < 0.4
    cycles = (1_000_000, 10_000_000, None)
    return tuple(
        EventChannel(
            number,
            f"e{number}",
            cycle,
            max_daq_list=rng.choice([None, None, None, 3, 1]),
            stim=rng.random() < 0.6,
            consistency=rng.choice([0, 0, 1, 2, 3]),
            packs=packs,
            packed_mode=packed_offer(rng) if packs else None,
        )
        for number, cycle in zip((0, 1, 5), cycles, strict=True)
    )


def static_lists(rng, ag, min_daq, *, dynamic):
    lists = []
    for number in range(min_daq):
        odts = tuple(
            OdtSetup(
                tuple(
                    OdtEntry(
                        Address(BASE // ag + rng.randint(0, 100), rng.choice([0, 0, 1])),
                        rng.randint(1, 4),
                    )
                    for _ in range(rng.randint(1, 2))
                )
            )
            for _ in range(rng.randint(1, 2))
        )
        if rng.random() < 0.2:
            odts = ()
        event = rng.choice([None, 0, 1, 5])
        lists.append(StaticList(number, len(odts), 2, event=event, is_predefined=True, odts=odts))
    if not dynamic:
        for number in range(min_daq, min_daq + rng.randint(1, 8)):
            direction = rng.choice([(True, False), (True, False), (True, True), (False, True)])
            lists.append(
                StaticList(
                    number,
                    rng.choice([1, 3, 10, 60]),
                    rng.choice([1, 4, 7, 50]),
                    daq=direction[0],
                    stim=direction[1],
                    event=rng.choice([None, None, None, 0, 1]),
                    packs=rng.random() < 0.5,
                )
            )
    return tuple(lists)


def capabilities(rng):
    ag = rng.choice([1, 1, 1, 2, 4])
    grain, grain_stim = (ag * rng.choice([1, 1, 1, 2]) for _ in range(2))
    size = rng.choice([None, 1, 2, 4])
    kind = rng.randint(0, 3)
    dynamic, min_daq = rng.random() < 0.7, rng.choice([0, 0, 1, 3])
    entry = rng.choice([1, 2, 3, 4, 8, 16, 60])
    can = rng.random() < 0.3
    return DaqCapabilities(
        dynamic=dynamic,
        min_daq=min_daq,
        identification_field=kind,
        overload=rng.choice(list(Overload)),
        clock=None if size is None else TickClock(1, 3, size),
        timestamp_fixed=rng.random() < 0.3,
        granularity=grain,
        max_entry_size=entry * grain // ag,
        address_extension=rng.choice(list(AddressExtensionScope)),
        prescaler=rng.random() < 0.7,
        bit_stim=rng.random() < 0.6,
        pid_off=can,
        optimisation_type=rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 9, 10, 11, 13]),
        optimisation_strict=rng.random() < 0.2,
        events=events(rng),
        max_dto=rng.choice([8, 8, 12, 16, 17, 64, 248, 1400]),
        ag=ag,
        byte_order=rng.choice([ByteOrder.INTEL, ByteOrder.MOTOROLA]),
        granularity_stim=grain_stim,
        max_entry_size_stim=entry * grain_stim // ag,
        max_dto_stim=rng.choice([0, 0, 16, 64]),
        dto_ctr=rng.choice([None, True, True, False]),
        alternating_event=rng.choice([None, 0, 1]),
        lists=static_lists(rng, ag, min_daq, dynamic=dynamic),
        can_ids=MappingProxyType(
            {n: ListCanId(rng.choice([None, 0x100 + n])) for n in range(rng.randint(0, 8))}
            if can
            else {}
        ),
        resources=ResourceModel(
            Totals(
                daq=rng.choice([None, None, None, 6]),
                odt=rng.choice([None, None, None, 20]),
                entries=rng.choice([None, None, None, 40]),
            )
        ),
    )


def signal(rng, caps, index):
    code = rng.choice(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4", "f8"])
    dtype = np.dtype(caps.byte_order.mark + code)
    shape = rng.choice([(), (), (), (), (3,), (2, 5), (40,)])
    whole = np.dtype((dtype, shape)) if shape else dtype
    stim = rng.random() < 0.15
    top = (MEMORY_BYTES - whole.itemsize) // caps.ag
    spot = rng.choice([rng.randint(0, 40), rng.randint(0, top)])
    grain = caps.granularity_stim if stim else dtype.itemsize
    if stim or rng.random() < 0.5:
        spot -= spot % max(1, grain // caps.ag)
    bits = caps.bit_stim and caps.optimisation.name != "MAX_ENTRY_SIZE"
    bit = (
        rng.randint(0, 31)
        if stim and (bits or rng.random() < 0.02) and rng.random() < 0.4
        else None
    )
    fits = [e.number for e in caps.events if (e.stim if stim else e.daq)]
    event = rng.choice([None, *fits] if rng.random() < 0.98 else [0, 1, 5])
    if stim and (not fits or (bit is None and whole.itemsize % caps.granularity_stim)):
        stim, bit = False, None
    address = Address(BASE // caps.ag + spot, rng.choice([0, 0, 0, 1, 2]))
    return WantedSignal(f"s{index}", address, whole, default_event=event, stim=stim, bit=bit)


def wish(rng, caps):
    signals = tuple(signal(rng, caps, index) for index in range(rng.randint(1, 22)))
    rare = rng.random() < 0.1  # wishes that this slave cannot fulfil
    packs = rare or all(event.packs and not event.packed_mode for event in caps.events)
    alternates = caps.alternating_event is None and not caps.timestamp_fixed
    return Wanted(
        signals,
        prescaler=rng.choice([1, 3]) if caps.prescaler or rare else 1,
        priority=rng.choice([0, 0, 7]),
        timestamp=rng.random() < 0.8,
        dto_ctr=rng.random() < 0.2 and (rare or caps.dto_ctr is not False),
        allow_polling=rng.random() < 0.6,
        packed=rng.choice([0, None, 2, 5] if packs else [0, None]),
        pid_off=caps.pid_off and caps.identification_field == 0 and rng.random() < 0.8,
        alternating=rng.random() < 0.15 and (alternates or rare),
        can_ids=tuple(range(0x700, 0x700 + 40)),
        stim_timestamp=rng.random() < 0.3,
        predefined=rng.random() < 0.8,
    )


def first_pids_of(plan):
    pids, following = {}, 0
    for setup in sorted(plan.lists, key=lambda one: one.daq_list):
        pids[setup.daq_list] = following
        following += len(setup.odts)
    return pids if following <= 252 else {}


def run(plan, caps, wanted, rng):
    """Sets of every list, in random chunks, through the decoder; compared value by value."""
    slave = NaiveSlave(plan, caps, first_pids_of(plan))
    decoder = DaqDecoder(plan, slave.first_pids, ClockReading(0, 0))
    by_name = {signal.name: signal for signal in wanted.signals}
    expected = {raster.index: [] for raster in plan.rasters}
    stream = []
    padding = rng.choice([0, 0, 0, 3])
    for turn in range(3):
        for raster, setup in zip(plan.rasters, plan.lists, strict=False):
            memories = [slave.memory(rng) for _ in range(raster.samples_per_set)]
            step = raster.samples_per_set * setup.prescaler * (2 if setup.alternating else 1)
            dtos = slave.dtos(setup, memories, turn, turn * step, padding)
            stream += [(dto, setup.can_id or 0) for dto in dtos]
            expected[raster.index] += [
                {name: slave.truth(memory, by_name[name]) for name in raster.signals}
                for memory in memories
            ]
    seen = {raster.index: [] for raster in plan.rasters}
    at = 0
    while at < len(stream):
        size = rng.randint(1, 40)
        chunk = stream[at : at + size]
        at += size
        batch = DtoBatch(0, [dto for dto, _ in chunk], [], [source for _, source in chunk])
        for block in decoder.feed(batch):
            assert not block.gaps
            assert len(block.t_ns) == len(block.rows)
            assert (np.diff(block.t_ns) >= 0).all()
            for row in range(len(block)):
                seen[block.raster].append(
                    {
                        name: values(
                            block.column(name)[row : row + 1].tobytes(), by_name[name].dtype
                        )
                        for name in plan.rasters[block.raster].signals
                    }
                )
    assert seen == expected
    assert decoder.finish().is_clean


def feature_names(plan, caps, wanted):
    """What a plan exercises, so that the generator is known to reach everything."""
    yield f"optimisation {caps.optimisation.name}"
    yield f"identification {caps.identification_field}"
    yield f"scope {caps.address_extension.name}"
    for raster, setup in zip((*plan.rasters, *plan.stim_rasters), plan.lists, strict=True):
        yield setup.kind.value
        if setup.stim:
            yield "STIM"
        if any(entry.bit_offset != 0xFF for odt in setup.odts for entry in odt.entries):
            yield "STIM bit"
        if raster.packed:
            yield f"packed {raster.packed.mode} {raster.packed.timestamp_mode}"
        if raster.filler_bytes:
            yield "filler"
        if setup.alternating:
            yield "alternating"
        if setup.prescaler > 1:
            yield "prescaler"
    if plan.dto_format.pid_off:
        yield "PID_OFF"
        if len(plan.lists) > 1:
            yield "PID_OFF several"
    if plan.dto_format.dto_ctr:
        yield "DTO_CTR"
    if plan.polled:
        yield "polled"
    if len({raster.event_channel for raster in plan.rasters}) < len(plan.rasters):
        yield "several lists per event"


def planned(wanted, caps):
    """The plan, None when it is refused with reasons, each once."""
    try:
        return compile_plan(wanted, caps)
    except PlanError as error:
        problems = error.problems
    assert problems
    assert len(set(problems)) == len(problems)
    return None


@pytest.mark.parametrize("seed", range(24))
def test_random_plans_keep_every_limit_and_give_back_the_memory(seed):
    rng = random.Random(seed)
    made = 0
    for _ in range(PLANS_PER_SEED):
        state = rng.getrandbits(32)
        local = random.Random(state)
        caps = capabilities(local)
        wanted = wish(local, caps)
        plan = planned(wanted, caps)
        if plan is None:
            continue
        made += 1
        try:
            check_limits(plan, caps)
            check_rows(plan, caps, wanted)
            names = [n for r in (*plan.rasters, *plan.stim_rasters) for n in r.signals]
            polled = [one.name for one in plan.polled]
            assert sorted(names + polled) == sorted(one.name for one in wanted.signals)
            assert wanted.allow_polling or not polled
            run(plan, caps, wanted, local)
            assert plan.describe()
            assert plan._repr_html_()
        except Exception as error:
            error.add_note(f"random.Random({state})")
            raise
    assert made > PLANS_PER_SEED // 6


EVERY_FEATURE = {
    *(f"optimisation {rule.name}" for rule in Optimisation),
    *(f"identification {kind}" for kind in range(4)),
    *(f"scope {scope.name}" for scope in AddressExtensionScope),
    *(f"packed {mode} {timestamp}" for mode in (1, 2) for timestamp in (0, 1)),
    *("dynamic", "static", "predefined", "STIM", "STIM bit", "filler", "alternating", "prescaler"),
    *("PID_OFF", "PID_OFF several", "DTO_CTR", "polled", "several lists per event"),
}


def test_the_random_plans_reach_every_feature():
    rng, missing = random.Random(7), set(EVERY_FEATURE)
    for _ in range(3000):
        local = random.Random(rng.getrandbits(32))
        caps = capabilities(local)
        wanted = wish(local, caps)
        plan = planned(wanted, caps)
        if plan is not None:
            missing -= set(feature_names(plan, caps, wanted))
        if not missing:
            return
    assert not missing
