"""Plans as files: everything that decoding needs comes back, damage is an error."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SourceError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import DaqCapabilities, EventChannel, Wanted, WantedSignal, compile_plan
from xcaliper.daq.saved_plan import SavedPlan, session_configuration_id
from xcaliper.xcp.daq_lists import PackedMode

CAPABILITIES = DaqCapabilities(
    dynamic=True,
    identification_field=1,
    clock=TickClock(1, 3, 4),
    max_entry_size=8,
    events=(EventChannel(0, "fast", 1_000_000), EventChannel(5, "crank")),
    max_dto=64,
    byte_order=ByteOrder.MOTOROLA,
)
SIGNALS = (
    WantedSignal("speed", Address(0x100), np.dtype(">u2"), fixed_event=0),
    WantedSignal("map", Address(0x200, 1), np.dtype((">f4", (3, 2))), fixed_event=5),
    WantedSignal("text", Address(0x300), np.dtype("S5"), fixed_event=5),
)
PLAN = compile_plan(Wanted(SIGNALS), CAPABILITIES)
SAVED = SavedPlan(
    session_configuration_id(PLAN),
    PLAN,
    {0: 0, 1: 3},
    ("speed", "map"),
    "udp://x:1",
    "EPK",
    resume=False,
)


def test_everything_comes_back():
    again = SavedPlan.from_bytes(SAVED.to_bytes())
    assert replace(again, plan=PLAN) == SAVED
    plan = again.plan
    assert plan.lists == PLAN.lists
    assert [one.dtype for one in plan.rasters] == [one.dtype for one in PLAN.rasters]
    for one, other in zip(plan.rasters, PLAN.rasters, strict=True):
        assert (one.name, one.cycle_ns, one.odt_sizes) == (
            other.name,
            other.cycle_ns,
            other.odt_sizes,
        )
        assert one.event_channel == other.event_channel
    assert (plan.dto_format, plan.clock, plan.max_dto) == (
        PLAN.dto_format,
        PLAN.clock,
        PLAN.max_dto,
    )
    assert plan.byte_order is ByteOrder.MOTOROLA
    assert session_configuration_id(plan) == session_configuration_id(PLAN)


def test_packed_lists_without_a_clock_come_back():
    packed = PackedMode(2, 4, 1)
    lists = tuple(
        replace(one, packed=packed, timestamp=False, capacity=(3, 4)) for one in PLAN.lists
    )
    rasters = tuple(replace(one, packed=packed, entry_sizes=((2,),)) for one in PLAN.rasters)
    plan = replace(PLAN, lists=lists, rasters=rasters, clock=None)
    again = SavedPlan.from_bytes(replace(SAVED, plan=plan).to_bytes()).plan
    assert again.lists == lists
    assert again.clock is None
    assert [one.packed for one in again.rasters] == [packed] * len(rasters)


def test_equal_lists_have_equal_ids_and_others_seldom():
    seen = set()
    for at in range(50):
        signals = (replace(SIGNALS[0], address=Address(0x100 + at)),)
        plan = compile_plan(Wanted(signals), CAPABILITIES)
        identifier = session_configuration_id(plan)
        assert 1 <= identifier <= 0xFFFF
        assert identifier == session_configuration_id(compile_plan(Wanted(signals), CAPABILITIES))
        seen.add(identifier)
    assert len(seen) > 45


def changed(change) -> bytes:
    text = json.loads(SAVED.to_bytes())
    change(text["content"])
    text["crc32"] = zlib.crc32(json.dumps(text["content"], sort_keys=True).encode())
    return json.dumps(text).encode()


def plan_with(**changes) -> bytes:
    return changed(lambda content: content["plan"].update(changes))


def raster_with(**changes) -> bytes:
    return changed(lambda content: content["plan"]["rasters"][0].update(changes))


WHOLE = SAVED.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:-30],
        b"{}",
        b'{"format": "xcaliper-nvm", "version": 1}',
        WHOLE.replace(b"speed", b"spend"),
        b"[" * 100_000,
        changed(lambda content: content.update(session_configuration_id=0)),
        changed(lambda content: content.update(first_pids={"0": 999})),
        plan_with(lists=[]),
        plan_with(clock=[0, 3, 4]),
        plan_with(byte_order="middle"),
        plan_with(rasters=[]),
        raster_with(index=1),
        raster_with(odt_sizes=[1]),
        raster_with(row_bytes=1, fields=[["speed", ">u2", [], 0]]),
        raster_with(fields=[["speed", "O", [], 0]]),
        raster_with(fields=[["speed", ">u2", [1 << 30], 0]]),
        raster_with(event=[0, "fast", 0]),
    ],
    ids=range(18),
)
def test_damage_is_an_error(data):
    with pytest.raises(SourceError, match=r"plan\.json: it is no stored measurement"):
        SavedPlan.from_bytes(data, source="plan.json")


def test_files_beyond_reason_are_not_read(monkeypatch):
    monkeypatch.setattr("xcaliper.daq.saved_plan._MAX_BYTES", 10)
    with pytest.raises(SourceError, match="too long"):
        SavedPlan.from_bytes(WHOLE)
