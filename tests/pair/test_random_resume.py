"""Random plans on random slaves: stored, saved as files, run from the next power-up, decoded."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pair.link import Pair
from pair.test_daq_plan_setup import asked
from pair.test_daq_random_slaves import MS, planned, slave, wish
from xcaliper.core.frames import DtoBatch
from xcaliper.daq import DaqDecoder, ResourceModel, Wanted
from xcaliper.daq.resources import Totals
from xcaliper.daq.saved_plan import SavedPlan, session_configuration_id
from xcaliper.sim import nvm
from xcaliper.xcp.procedures import daq_setup, store
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_store import NonVolatile, StoreSettings

STORES = StoreSettings(daq=True, resume=True, duration_ns=MS)


def stored(pair: Pair, plan) -> SavedPlan:
    pids = pair.run(daq_setup.setup(pair.session, plan.lists))
    identifier = session_configuration_id(plan)
    pair.run(store.store_daq(identifier, resume=True))
    pair.now_ns += MS
    assert pair.run(store.store_status()).session_configuration_id == identifier
    return SavedPlan(
        identifier, plan, dict(zip((one.daq_list for one in plan.lists), pids, strict=True))
    )


def switched_on(before: Pair, kept: NonVolatile) -> Pair:
    """The same memory, a new slave; the file of the ECU is written and read on the way."""
    again = nvm.decode(nvm.encode(kept, ecu="x"), source="test", ecu="x")
    assert replace(again, changed=kept.changed) == kept
    pair = Pair(before.config, connected=False)
    pair.slave = SlaveMachine(before.config, pair.memory, nonvolatile=again)
    pair.slave.power_up(0)
    return pair


def check(pair: Pair, saved: SavedPlan, signals) -> None:
    plan = saved.plan
    for number in range(6):
        pair.event(number % 2, (number + 1) * MS)
        if number == 3:  # a master comes in the middle
            session = pair.run(connect())
            assert session.status.resume
            assert session.session_configuration_id == saved.session_configuration_id
            pair.run(store.compare_lists(plan.lists))
    decoder = DaqDecoder(plan, saved.first_pids)
    blocks = decoder.feed(DtoBatch(0, pair.dtos))
    blocks += decoder.blocks(0)
    names: dict[str, int] = {}
    for block in blocks:
        for name in plan.rasters[block.raster].signals:
            one = next(s for s in signals if s.name == name)
            truth = pair.memory.read(one.address, one.size_bytes)
            column = block.column(name)
            assert all(column[i : i + 1].tobytes() == truth for i in range(len(column)))
            names[name] = names.get(name, 0) + len(column)
    assert names == {name: 3 for raster in plan.rasters for name in raster.signals}


@pytest.mark.parametrize("seed", range(4))
def test_what_was_stored_is_what_comes(seed):
    rng, made = random.Random(f"resume {seed}"), 0
    for _ in range(25):
        state = rng.getrandbits(32)
        local = random.Random(state)
        pair = Pair(replace(slave(local), store=STORES))
        kept = NonVolatile()
        pair.slave.state.store.memory = kept
        signals = wish(local, pair.config.byte_order.mark, pair.config.granularity_odt_entry)
        signals = tuple(replace(one, stim=False) for one in signals)
        rule = pair.config.optimisation_type
        caps = replace(
            asked(pair),
            optimisation_type={1: 9, 2: 10, 3: 11}.get(rule, rule),
            resources=ResourceModel(Totals(odt=pair.config.totals.odt)),
        )  # only an A2L tells these
        plan = planned(Wanted(signals, dto_ctr=local.random() < 0.3), caps)
        if plan is None or not plan.lists:
            continue
        try:
            saved = stored(pair, plan)
            again = SavedPlan.from_bytes(saved.to_bytes())
            told = replace(plan, diagnostics=(), use=None, resources=None)
            assert again.plan.lists == told.lists
            assert again.first_pids == saved.first_pids
            assert [one.dtype for one in again.plan.rasters] == [one.dtype for one in told.rasters]
            check(switched_on(pair, kept), again, signals)
            made += 1
        except Exception as error:
            error.add_note(f"random.Random({state})")
            raise
    assert made > 6
