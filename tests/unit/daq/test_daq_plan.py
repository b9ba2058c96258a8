"""Choice of events, packing into small ODTs, and what a refused plan says."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import PlanError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    AddressExtensionScope,
    DaqCapabilities,
    EventChannel,
    Overload,
    Wanted,
    WantedSignal,
    compile_plan,
)
from xcaliper.xcp.daq_lists import OdtEntry

MS = 1_000_000
EVENTS = (
    EventChannel(0, "fast", MS),
    EventChannel(1, "task10", 10 * MS),
    EventChannel(2, "crank", None),
    EventChannel(3, "bypass", MS, daq=False, stim=True),
    EventChannel(4, "full", MS, max_daq_list=0),
)
CAN = DaqCapabilities(
    max_dto=8, identification_field=0, clock=TickClock(1, 3, 4), max_entry_size=7, events=EVENTS
)
ETHERNET = DaqCapabilities(
    max_dto=1400,
    identification_field=3,
    clock=TickClock(1, 0, 4),
    timestamp_fixed=True,
    max_entry_size=248,
    events=EVENTS,
    prescaler=True,
    min_daq=2,
)


def signal(name, address, code="<u4", extension=0, **events):
    return WantedSignal(name, Address(address, extension), np.dtype(code), **events)


def plan_of(caps, *signals, **options):
    return compile_plan(Wanted(tuple(signals), **options), caps)


def entries(plan, index=0):
    return [[(e.address.value, e.size) for e in odt.entries] for odt in plan.lists[index].odts]


def problems(caps, *signals, **options):
    with pytest.raises(PlanError) as caught:
        plan_of(caps, *signals, **options)
    return caught.value.problems


def test_small_signals_fill_the_room_behind_the_timestamp():
    plan = plan_of(
        CAN,
        signal("a", 0x100, "<u4", fixed_event=1),
        signal("b", 0x200, "<u2", fixed_event=1),
        signal("c", 0x300, "<u1", fixed_event=1),
        signal("d", 0x400, "<u2", fixed_event=1),
    )
    # 8 - PID - 4 = 3 bytes first, 7 behind it
    assert [sum(size for _, size in odt) for odt in entries(plan)] == [3, 6]
    assert plan.rasters[0].odt_sizes == (3, 6)
    assert plan.rasters[0].dtype.itemsize == 9
    assert plan.rasters[0].signals == ("a", "b", "c", "d")
    assert plan.diagnostics == ()


def test_an_element_stays_whole_and_a_filler_keeps_the_first_odt_from_being_empty():
    plan = plan_of(CAN, signal("a", 0x100, fixed_event=1), signal("b", 0x200, fixed_event=1))
    assert entries(plan) == [[(0x100, 1)], [(0x100, 4)], [(0x200, 4)]]
    assert plan.rasters[0].dtype.fields["a"][1] == 1
    assert [d.slug for d in plan.diagnostics] == ["daq-filler"]


def test_elements_are_split_to_save_odts_where_the_slave_keeps_lists_consistent():
    caps = DaqCapabilities(
        max_dto=8, max_entry_size=7, events=(EventChannel(0, "e", MS, consistency=1),)
    )
    plan = plan_of(caps, *(signal(f"s{i}", 0x100 + 8 * i) for i in range(7)))
    assert len(plan.lists[0].odts) == 4  # 28 bytes in 4 × 7
    torn = DaqCapabilities(max_dto=8, max_entry_size=7, events=(EventChannel(0, "e", MS),))
    assert (
        len(plan_of(torn, *(signal(f"s{i}", 0x100 + 8 * i) for i in range(7))).lists[0].odts) == 7
    )


def test_an_element_larger_than_an_odt_is_split_and_reported():
    caps = DaqCapabilities(max_dto=8, max_entry_size=7, events=EVENTS)
    plan = plan_of(
        caps, signal("d", 0x100, "<f8", fixed_event=0), signal("e", 0x200, "u1", fixed_event=0)
    )
    assert [[size for _, size in odt] for odt in entries(plan)] == [[7], [1, 1]]
    assert plan.rasters[0].dtype.fields["d"][0] == np.dtype("<f8")
    assert "daq-element-split" in [d.slug for d in plan.diagnostics]


def test_neighbours_and_overlaps_share_bytes_and_all_appear():
    plan = plan_of(
        ETHERNET,
        signal("low", 0x100, "<u2", fixed_event=1),
        signal("high", 0x102, "<u2", fixed_event=1),
        signal("both", 0x100, "<u4", fixed_event=1),
        signal("next", 0x104, "<u1", fixed_event=1),
    )
    assert entries(plan) == [[(0x100, 5)]]
    fields = plan.rasters[0].dtype.fields
    assert {n: fields[n][1] for n in fields} == {"low": 0, "high": 2, "both": 0, "next": 4}


def test_equal_addresses_with_different_extensions_are_different_memory():
    plan = plan_of(
        ETHERNET, signal("a", 0x100, fixed_event=1), signal("b", 0x100, "<u4", 1, fixed_event=1)
    )
    assert plan.lists[0].odts[0].entries == (
        OdtEntry(Address(0x100, 0), 4),
        OdtEntry(Address(0x100, 1), 4),
    )


def test_an_array_larger_than_entry_and_odt_is_one_contiguous_signal():
    plan = plan_of(ETHERNET, signal("map", 0x1000, np.dtype(("<f4", (20, 40))), fixed_event=1))
    assert len(plan.lists[0].odts) == 3  # 3200 bytes in 1392 + 1396 + rest
    assert max(size for odt in entries(plan) for _, size in odt) <= 248
    assert plan.rasters[0].dtype["map"].shape == (20, 40)
    starts = [address for odt in entries(plan) for address, _ in odt]
    assert starts == sorted(starts)
    assert all(sum(size for _, size in odt) % 4 == 0 for odt in entries(plan))


def test_granularity_rounds_outwards_and_addresses_count_elements():
    caps = DaqCapabilities(max_dto=64, ag=2, granularity=4, max_entry_size=20, events=EVENTS)
    plan = plan_of(caps, signal("w", 0x101, "<u2", fixed_event=0))  # byte address 0x202
    assert entries(plan) == [[(0x100, 2)]]
    assert plan.rasters[0].dtype.fields["w"][1] == 2
    assert plan.rasters[0].odt_sizes == (4,)


def test_no_more_than_255_entries_in_an_odt():
    caps = DaqCapabilities(max_dto=1400, events=EVENTS, max_entry_size=1)
    plan = plan_of(caps, *(signal(f"s{i}", 2 * i, "u1", fixed_event=0) for i in range(600)))
    assert [len(odt) for odt in entries(plan)] == [255, 255, 90]


def test_several_lists_per_event_when_one_is_full():
    caps = DaqCapabilities(
        max_dto=8, identification_field=1, max_entry_size=6, events=EVENTS, min_daq=3
    )
    plan = plan_of(caps, *(signal(f"s{i}", 8 * i, fixed_event=1) for i in range(300)))
    assert [(s.daq_list, len(s.odts)) for s in plan.lists] == [(3, 252), (4, 48)]
    assert [r.name for r in plan.rasters] == ["task10", "task10 (2)"]
    assert sorted(n for r in plan.rasters for n in r.signals) == sorted(f"s{i}" for i in range(300))


@pytest.mark.parametrize(("overload", "most"), [(Overload.NONE, 252), (Overload.MSB, 124)])
def test_absolute_pids_limit_the_sum_of_all_lists(overload, most):
    caps = DaqCapabilities(max_dto=5, max_entry_size=4, events=EVENTS, overload=overload)
    fits = [signal(f"s{i}", 8 * i, fixed_event=i % 2) for i in range(most)]
    assert sum(len(s.odts) for s in plan_of(caps, *fits).lists) == most
    (text,) = problems(caps, *fits, signal("more", 0x9000, fixed_event=1))
    assert "leave out" in text


def test_extensions_per_odt_and_per_list():
    signals = [signal(f"s{i}", 8 * i, "<u4", i % 2, fixed_event=1) for i in range(4)]
    caps = DaqCapabilities(max_dto=64, events=EVENTS, address_extension=AddressExtensionScope.ODT)
    plan = plan_of(caps, *signals)
    assert [{e.address.extension for e in odt.entries} for odt in plan.lists[0].odts] == [{0}, {1}]
    caps = DaqCapabilities(
        max_dto=64, events=EVENTS, address_extension=AddressExtensionScope.DAQ_LIST
    )
    assert [len(s.odts) for s in plan_of(caps, *signals).lists] == [1, 1]


def test_events_as_told_beat_the_a2l_which_beats_the_cyclic_choice():
    plan = plan_of(
        ETHERNET,
        signal("told", 0x100, default_event=0),
        signal("fixed", 0x200, fixed_event=2),
        signal("default", 0x300, default_event=0, available_events=(0, 1)),
        signal("free", 0x400),
        signal("few", 0x500, available_events=(0, 2)),
        event_channels={"told": 2},
        prescalers={2: 4},
    )
    assert {
        n: plan.raster_of(n).event_channel for n in ("told", "fixed", "default", "free", "few")
    } == {
        "told": 2,
        "fixed": 2,
        "default": 0,
        "free": 1,
        "few": 0,
    }
    assert [d.slug for d in plan.diagnostics] == ["daq-event-chosen", "daq-event-chosen"]
    assert [s.prescaler for s in plan.lists] == [1, 1, 4]
    assert [s.daq_list for s in plan.lists] == [2, 3, 4]


def test_a_timestamp_that_cannot_be_switched_off_is_told():
    caps = DaqCapabilities(
        clock=TickClock(1, 3, 2), timestamp_fixed=True, events=(EventChannel(0, "e", 1000),)
    )
    plan = compile_plan(Wanted((signal("a", 0x100, fixed_event=0),), timestamp=False), caps)
    assert plan.dto_format.timestamp_size == 2
    assert [note.slug for note in plan.diagnostics] == ["daq-timestamp-fixed"]


def test_a_refused_plan_names_every_reason_and_what_helps():
    found = problems(
        CAN,
        signal("a", 0x100, fixed_event=3),
        signal("b", 0x100, available_events=(0, 1)),
        signal("c", 0x100, fixed_event=9),
        signal("d", 0x100, default_event=4),
        signal("c", 0x100, fixed_event=1),
        event_channels={"b": 2, "ghost": 0},
        prescaler=3,
    )
    text = "; ".join(found)
    for part in (
        "a: event 3 (bypass) does not measure",
        "b cannot be measured on event 2; the A2L allows event 0, 1",
        "c: event 9 does not exist; use one of 0 (",
        "d: event 4 (full) cannot be used now",
        "'c' is used twice",
        "ghost",
        "no prescaler, 3 is wanted",
    ):
        assert part in text


def test_header_without_room_for_data():
    caps = DaqCapabilities(
        max_dto=8, identification_field=3, clock=TickClock(1, 3, 4), events=EVENTS
    )
    assert problems(caps, signal("a", 0)) == (
        (
            "MAX_DTO 8 leaves no room for data behind 8 bytes of header; MAX_DTO 9 would do, "
            "or switch timestamps off"
        ),
    )
    plan = plan_of(caps, signal("a", 0), timestamp=False)
    assert plan.dto_format.timestamp_size == 0
    assert plan.clock is None
    assert not plan.lists[0].timestamp


def test_fixed_timestamps_stay_on():
    assert plan_of(ETHERNET, signal("a", 0), timestamp=False).lists[0].timestamp


def test_nothing_wanted_and_static_lists():
    assert "no signal is wanted" in problems(ETHERNET)[0]
    static = DaqCapabilities(dynamic=False, events=EVENTS)
    assert "static DAQ lists" in problems(static, signal("a", 0))[0]


def test_events_that_serve_too_few_lists():
    caps = DaqCapabilities(
        max_dto=8,
        identification_field=1,
        events=(EventChannel(0, "only", MS, max_daq_list=1),),
        max_entry_size=6,
    )
    (text,) = problems(caps, *(signal(f"s{i}", 8 * i) for i in range(300)))
    assert text.startswith(
        "event 0 (only) needs 2 DAQ lists and serves 1; leave out s0, s1, s2 and 45"
    )


def test_one_signal_too_large_for_any_list():
    caps = DaqCapabilities(max_dto=8, identification_field=1, events=EVENTS)
    (text,) = problems(caps, signal("huge", 0, np.dtype(("u1", (2000,))), fixed_event=1))
    assert "2000 bytes" in text
    assert "leave out huge" in text


def test_description_tells_the_prescaler_of_an_event_that_is_not_cyclic():
    plan = plan_of(ETHERNET, signal("b", 0x200, fixed_event=2), prescaler=2)
    assert "crank: event 2, 1 of 2 events, DAQ list" in plan.describe()


def test_description_tells_lists_bytes_and_load():
    plan = plan_of(ETHERNET, signal("a", 0x100, fixed_event=0), signal("b", 0x200, fixed_event=2))
    text = plan.describe(overhead_bytes=4)
    # 4 + 4 + 4 bytes of DTO, 4 of the transport, 1000 times a second
    assert (
        "fast: event 0, 1 ms, DAQ list 2, 1 signal, 1 ODT, 1 entry, 12 bytes per sample, 16.0 kB/s"
        in text
    )
    assert "crank: event 2, not cyclic, DAQ list 3" in text
    assert "total: 2 DAQ lists, 2 ODTs, 16.0 kB/s from cyclic events" in text
    assert plan.load(plan.rasters[0]) == 12_000
