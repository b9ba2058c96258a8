"""The work that planning takes, counted in steps: bounded for any slave and any 10 000 signals."""

from __future__ import annotations

import random

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import PlanError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    DaqCapabilities,
    EventChannel,
    StaticList,
    Wanted,
    WantedSignal,
    compile_plan,
    planner,
)
from xcaliper.daq.budget import MAX_STEPS, Budget
from xcaliper.daq.planner import Planner
from xcaliper.daq.resources import ResourceModel, Totals

MANY = 10_000
#: Steps for each signal that go on when the budget is spent: a few passes over all of them.
PASSES = 150
MS = 1_000_000


def caps(rule=0, max_dto=1400, **more):
    more.setdefault("events", (EventChannel(0, "e", MS),))
    return DaqCapabilities(
        **{
            "max_dto": max_dto,
            "identification_field": 3,
            "clock": TickClock(1, 0, 4),
            "max_entry_size": min(248, max_dto - 8),
            "optimisation_type": rule,
        }
        | more
    )


def signals(dtype_of, count=MANY, events=1):
    """Signals at odd places, none beside another."""
    rng, at, found = random.Random(1), 0x1001, []
    for index in range(count):
        dtype = np.dtype(dtype_of(rng))
        found.append(WantedSignal(f"s{index}", Address(at), dtype, fixed_event=index % events))
        at += dtype.itemsize + rng.choice([1, 2, 3, 5])
    return tuple(found)


def arrays(rng):
    return "u1", (rng.randint(3, 40),)


def blobs(rng):
    return f"V{rng.randint(3, 40)}"


def large_blobs(rng):
    return f"V{rng.randint(500, 1300)}"


def small_blobs(rng):
    return f"V{rng.randint(1, 56)}"


def planned(wanted, slave, steps=MAX_STEPS):
    """The plan, or why there is none, and the steps it took."""
    budget = Budget(steps)
    try:
        return Planner(Wanted(wanted), slave, budget).compile(), budget.used
    except PlanError as error:
        return error, budget.used


def static_lists(count):
    return tuple(StaticList(number, 1 + number % 200, 4 + number % 50) for number in range(count))


@pytest.mark.parametrize(
    ("dtype_of", "slave"),
    [
        (arrays, caps(11)),
        (blobs, caps(11)),
        (large_blobs, caps(0)),
        (small_blobs, caps(9, 64, events=(EventChannel(0, "e", MS, consistency=1),))),
        (small_blobs, caps(4, 64)),
    ],
    ids=["strict arrays", "strict blobs", "large blobs", "strict small", "sorted small"],
)
def test_work_is_bounded_and_every_signal_has_its_place(dtype_of, slave):
    wanted = signals(dtype_of)
    plan, used = planned(wanted, slave)
    names = [name for raster in plan.rasters for name in raster.signals]
    assert sorted(names) == sorted(signal.name for signal in wanted)
    assert used <= MAX_STEPS + PASSES * MANY


def test_work_for_many_events_is_shared():
    """A search for each of them would be short; thousands are not."""
    slave = caps(0, 64, events=tuple(EventChannel(n, f"e{n}", MS) for n in range(700)))
    plan, used = planned(signals(small_blobs, events=700), slave)
    assert sum(len(raster.signals) for raster in plan.rasters) == MANY
    assert used <= MAX_STEPS + PASSES * MANY


def test_work_with_hundreds_of_static_lists_is_bounded():
    slave = caps(0, 64, dynamic=False, lists=static_lists(600))
    plan, used = planned(signals(small_blobs, 4000), slave)
    assert sum(len(raster.signals) for raster in plan.rasters) == 4000
    assert used <= MAX_STEPS + PASSES * MANY


@pytest.mark.parametrize(
    "slave",
    [
        caps(0, 64, identification_field=0),
        caps(0, 64, events=(EventChannel(0, "e", MS, max_daq_list=1),)),
        caps(0, 64, dynamic=False, lists=static_lists(40)),
        caps(0, 64, resources=ResourceModel(totals=Totals(odt=100))),
    ],
    ids=["too few ODTs", "too few lists", "too few static lists", "too little memory"],
)
def test_work_of_a_refusal_is_bounded(slave):
    error, used = planned(signals(small_blobs), slave)
    assert "leave out" in str(error)
    assert used <= MAX_STEPS + PASSES * MANY


def test_work_with_thousands_of_lists_of_one_odt_is_bounded():
    """PID_OFF: each ODT is a list, and any of them may have room."""
    budget = Budget()
    wanted = Wanted(signals(small_blobs), pid_off=True, can_ids=tuple(range(0x20000, 0x28000)))
    plan = Planner(wanted, caps(0, 64, identification_field=0, pid_off=True), budget).compile()
    assert len(plan.lists) > 4000
    assert len({raster.name for raster in plan.rasters}) == len(plan.lists)
    assert budget.used <= MAX_STEPS + PASSES * MANY


@pytest.mark.parametrize(("rule", "max_dto"), [(0, 64), (4, 64), (11, 64), (11, 1400)])
def test_without_a_budget_the_work_grows_with_the_signals(rule, max_dto):
    wanted, slave = signals(small_blobs, 2000), caps(rule, max_dto)
    plan, used = planned(wanted, slave, steps=0)
    assert sum(len(raster.signals) for raster in plan.rasters) == 2000
    assert 2000 <= used <= PASSES * 2000
    best, _ = planned(wanted, slave)
    assert sum(len(one.odts) for one in best.lists) <= sum(len(one.odts) for one in plan.lists)


def test_more_entries_than_a_plan_may_have_are_refused_and_as_few_as_it_takes_are_polled(
    monkeypatch,
):
    """Strict ODTs of misaligned bytes take an entry each."""
    monkeypatch.setattr(planner, "MAX_PLAN_ENTRIES", 5000)
    wanted = signals(lambda _: ("u1", (101,)), 60)
    error, _ = planned(wanted, caps(11))
    assert "6060 ODT entries" in str(error)
    assert "5000" in str(error)
    plan = compile_plan(Wanted(wanted, allow_polling=True), caps(11))
    assert len(plan.polled) == 60 - 5000 // 101
    assert "6060 ODT entries" in plan.polled[0].reason
    assert sum(len(odt.entries) for one in plan.lists for odt in one.odts) == 49 * 101


def test_making_entries_counts_as_work():
    wanted = signals(lambda _: ("u1", (901,)), 200)
    _, narrow = planned(wanted, caps(11))
    _, wide = planned(wanted, caps(0))
    assert narrow - wide >= 200 * 901 // 4
