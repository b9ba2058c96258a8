"""Random plans of direction STIM on random slaves: what the memory holds is what was sent."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from pair.link import RAM, Pair, config
from pair.test_daq_plan_setup import asked
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import PlanError
from xcaliper.core.ticks import TickClock
from xcaliper.daq.plan import compile_plan
from xcaliper.daq.stim import StimEncoder, sample_sets
from xcaliper.daq.wanted import Wanted, WantedSignal
from xcaliper.xcp.procedures.daq_setup import setup, start
from xcaliper.xcp.slave_config import EventConfig
from xcaliper.xcp.slave_daq_config import CounterConfig


def slave(rng):
    ag = rng.choice([1, 1, 2, 4])
    grain = max(ag, rng.choice([1, 2, 4]))
    kind = rng.randint(0, 3)
    counter = CounterConfig(stim_mode=rng.randint(0, 1))
    return config(
        ag=ag,
        byte_order=rng.choice([ByteOrder.INTEL, ByteOrder.MOTOROLA]),
        max_cto=rng.choice([8, 64]),
        max_dto=rng.choice([16, 40, 128]),
        identification_field=kind,
        timestamp=TickClock(1, 3, rng.choice([0, 2, 4])),
        timestamp_fixed=rng.random() < 0.2,
        granularity_odt_entry=grain,
        granularity_odt_entry_stim=grain,
        max_odt_entry_size=grain * rng.choice([1, 4, 8]),
        bit_stim=True,
        segments=(),
        events=tuple(
            EventConfig(
                n, f"e{n}", time_cycle=1, stim=True, consistency=rng.randint(0, 3), counter=counter
            )
            for n in range(2)
        ),
    )


def wish(rng, made):
    """Signals that do not overlap: values and single bits of both directions."""
    found, at = [], 0
    grain = made.granularity_odt_entry
    for index in range(rng.randint(1, 12)):
        stim = index == 0 or rng.random() < 0.7
        dtype = np.dtype(made.byte_order.mark + rng.choice(["u1", "u2", "u4", "f4", "f8"]))
        shape = rng.choice([(), (), (3,), (2, 4)])
        whole = np.dtype((dtype, shape)) if shape else dtype
        if whole.itemsize % grain:
            whole = np.dtype((np.uint8, (grain,)))
        bit = None
        if stim and rng.random() < 0.3:
            whole, bit = np.dtype(f"{made.byte_order.mark}u{grain}"), rng.randint(0, 31)
        at += -at % 8
        found.append(
            WantedSignal(
                f"s{index}",
                Address(RAM.value + at // made.ag),
                whole,
                default_event=rng.randint(0, 1),
                stim=stim,
                bit=bit,
            )
        )
        at += max(whole.itemsize, 4)
    return tuple(found)


def held(pair, one, row):
    """Whether the memory holds what a row, structured[1], says about a signal."""
    sent = row[one.name].tobytes()
    if one.bit is None:
        return pair.memory.read(one.address, one.size_bytes) == sent
    word = int.from_bytes(
        pair.memory.read(one.address, 4), "little" if pair.config.byte_order.mark == "<" else "big"
    )
    return bool(word >> one.bit & 1) == any(sent)


def stimulated(pair, plan, signals, rng):
    """Send random rows of all lists, twice; the samples of DAQ show what was written."""
    pids = dict(
        zip(
            (one.daq_list for one in plan.lists),
            pair.run(setup(pair.session, plan.lists)),
            strict=True,
        )
    )
    pair.run(start(plan.lists))
    encoders = [StimEncoder(plan, one, pids[one.daq_list]) for one in plan.stim_rasters]
    by_name = {one.name: one for one in signals}
    sets, owners = sample_sets(plan, pids)
    for turn in range(2):
        sent = []
        for raster, encoder in zip(plan.stim_rasters, encoders, strict=True):
            size = raster.dtype.itemsize
            rows = np.frombuffer(rng.randbytes(3 * size), raster.dtype)
            counters = np.array([turn, turn, turn])
            many = encoder.encode(rows, counters=counters, ticks=np.array([5, 6, 7]))
            packets = encoder.packets(rows[2].tobytes(), counter=turn, ticks=7)
            assert packets == [odt[2].tobytes() for odt in many]
            assert len(packets) == encoder.packets_per_row
            for packet in packets:
                pair.slave.receive(packet, pair.now_ns)
            sent.append((raster, rows[2:]))
        for channel in (0, 1):
            pair.event(channel)
        for raster, row in sent:
            for name in raster.signals:
                assert held(pair, by_name[name], row), name
    seen = {}
    for packet in pair.dtos:
        done = sets.receive(packet)
        if done is not None:
            seen.setdefault(owners[done].index, []).append(bytes(done.data))
    assert sets.counters.unknown == sets.counters.incomplete == 0
    for raster in plan.rasters:
        row = np.frombuffer(seen[raster.index][-1], raster.dtype)
        for name in raster.signals:
            assert held(pair, by_name[name], row), name
    counters = pair.slave.state.stim.counters
    assert (counters.unknown, counters.malformed, counters.missing) == (0, 0, 0)
    assert counters.wrong_counter == counters.incomplete == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_memory_holds_what_was_sent(seed):
    rng, made = random.Random(seed), 0
    for _ in range(40):
        state = rng.getrandbits(32)
        local = random.Random(state)
        pair = Pair(slave(local))
        caps = replace(asked(pair), dto_ctr=True)
        signals = wish(local, pair.config)
        wanted = Wanted(signals, dto_ctr=local.random() < 0.5, stim_timestamp=local.random() < 0.5)
        try:
            plan = compile_plan(wanted, caps)
        except PlanError:
            continue
        made += 1
        try:
            stimulated(pair, plan, signals, local)
        except Exception as error:
            error.add_note(f"random.Random({state})")
            raise
    assert made > 20
