"""Random slaves with random wishes: what is planned from a slave's own answers, the slave accepts."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from pair.link import RAM, Pair, config
from pair.test_daq_plan_setup import asked, measured
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import PlanError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ResourceModel, Wanted, WantedSignal, compile_plan
from xcaliper.daq.resources import Totals
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.procedures.daq_setup import setup
from xcaliper.xcp.slave_daq_config import DaqTotals, EventConfig, FixedList

MS = 1_000_000


def fixed_lists(rng, *, dynamic):
    lists = []
    for _ in range(rng.choice([0, 0, 1, 2])):
        odts = tuple(
            tuple(OdtEntry(RAM + 4 * rng.randint(0, 40), 4) for _ in range(rng.randint(1, 2)))
            for _ in range(rng.randint(1, 2))
        )
        lists.append(FixedList(entries=odts, event_fixed=rng.choice([None, 0, 1])))
    if not dynamic:
        lists += [
            FixedList(
                max_odt=rng.choice([1, 4, 30]),
                max_odt_entries=rng.choice([1, 5, 40]),
                event_fixed=rng.choice([None, None, 0, 1]),
                stim=rng.random() < 0.3,
            )
            for _ in range(rng.randint(2, 6))
        ]
    return tuple(lists)


def slave(rng):
    dynamic = rng.random() < 0.6
    grain = rng.choice([1, 1, 2, 4])
    largest = grain * rng.choice([1, 2, 8, 30])
    rule = rng.choice([0, 0, 3, 4, 5, *(n for n in (1, 2) if 1 << n >= grain)])
    return config(
        byte_order=rng.choice([ByteOrder.INTEL, ByteOrder.MOTOROLA]),
        max_cto=rng.choice([8, 64]),
        max_dto=rng.choice([16, 40, 128]),
        identification_field=rng.randint(0, 3),
        timestamp=TickClock(1, 3, rng.choice([0, 2, 4])),
        timestamp_fixed=rng.random() < 0.3,
        overload=rng.randint(0, 2),
        granularity_odt_entry=grain,
        max_odt_entry_size=largest,
        granularity_odt_entry_stim=grain,
        dynamic=dynamic,
        fixed_lists=fixed_lists(rng, dynamic=dynamic),
        events=(
            EventConfig(0, "fast", time_cycle=1, stim=True, consistency=rng.randint(0, 3)),
            EventConfig(
                1,
                "slow",
                time_cycle=10,
                consistency=rng.randint(0, 3),
                max_daq_list=rng.choice([1, 3, 255]),
            ),
        ),
        optimisation_type=rule,
        optimisation_strict=rule > 0,
        address_extension=rng.choice([0, 1, 3]),
        prescaler=rng.random() < 0.5,
        bit_stim=True,
        totals=DaqTotals(odt=rng.choice([None, None, 12])),
        disabled=frozenset(
            rng.sample(
                ["WRITE_DAQ_MULTIPLE", "CLEAR_DAQ_LIST", "GET_DAQ_LIST_MODE"], rng.randint(0, 2)
            )
        ),
    )


def wish(rng, mark, grain):
    found = []
    for index in range(rng.randint(1, 15)):
        dtype = np.dtype(mark + rng.choice(["u1", "u2", "u4", "f4", "f8"]))
        shape = rng.choice([(), (), (), (5,), (2, 7)])
        whole = np.dtype((dtype, shape)) if shape else dtype
        at = rng.randint(0, 300)
        stim = rng.random() < 0.1 and whole.itemsize % grain == 0
        at -= at % (grain if stim else rng.choice([1, dtype.itemsize]))
        found.append(
            WantedSignal(
                f"s{index}",
                Address(RAM.value + at),
                whole,
                default_event=0 if stim else rng.choice([0, 1]),
                stim=stim,
            )
        )
    return tuple(found)


def planned(wanted, caps):
    try:
        return compile_plan(wanted, caps)
    except PlanError:
        return None


@pytest.mark.parametrize("seed", range(8))
def test_what_is_planned_from_a_slaves_answers_it_accepts(seed):
    rng, made = random.Random(seed), 0
    for _ in range(25):
        state = rng.getrandbits(32)
        local = random.Random(state)
        pair = Pair(slave(local))
        caps = asked(pair)
        rule = pair.config.optimisation_type
        strict = {1: 9, 2: 10, 3: 11}.get(rule, rule)
        totals = ResourceModel(Totals(odt=pair.config.totals.odt))
        caps = replace(caps, optimisation_type=strict, resources=totals)  # only an A2L tells these
        signals = wish(local, pair.config.byte_order.mark, pair.config.granularity_odt_entry)
        wanted = Wanted(signals, allow_polling=local.random() < 0.7, dto_ctr=local.random() < 0.3)
        plan = planned(wanted, caps)
        if plan is None or not plan.lists:
            continue
        made += 1
        try:
            if plan.stim_rasters:  # this slave can be told, not started
                pair.run(setup(pair.session, plan.lists))
                continue
            blocks = measured(pair, plan, [(n % 2, (n + 1) * MS) for n in range(6)])
            names = set()
            for block in blocks:
                for name in plan.rasters[block.raster].signals:
                    one = next(s for s in signals if s.name == name)
                    truth = pair.memory.read(one.address, one.size_bytes)
                    column = block.column(name)
                    assert len(column) == 3
                    assert all(column[i : i + 1].tobytes() == truth for i in range(3))
                    names.add(name)
            assert names == {name for raster in plan.rasters for name in raster.signals}
        except Exception as error:
            error.add_note(f"random.Random({state})")
            raise
    assert made > 8
