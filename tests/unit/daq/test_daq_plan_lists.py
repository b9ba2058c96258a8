"""Static, predefined, packed, PID_OFF and STIM lists; what each refuses and what helps."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from xcaliper.a2l.xcp_extras import XcpPackedMode
from xcaliper.core.address import Address
from xcaliper.core.errors import PlanError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    AddressExtensionScope,
    DaqCapabilities,
    EventChannel,
    ListCanId,
    StaticList,
    Wanted,
    WantedSignal,
    compile_plan,
)
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup, PackedMode

MS = 1_000_000


def signal(name, address, code="<u4", extension=0, **more):
    return WantedSignal(name, Address(address, extension), np.dtype(code), **more)


def words(count, start=0x100, event=0, code="<u4"):
    return tuple(
        signal(f"w{start}_{i}", start + 8 * i, code, default_event=event) for i in range(count)
    )


def caps_of(**more):
    events = (EventChannel(0, "fast", MS), EventChannel(1, "slow", 10 * MS, stim=True))
    return DaqCapabilities(
        **({"max_dto": 8, "identification_field": 1, "max_entry_size": 6, "events": events} | more)
    )


def problems(wanted, caps):
    with pytest.raises(PlanError) as caught:
        compile_plan(wanted, caps)
    return caught.value.problems


# ------------------------------------------------------------------------------------- static


def static(*sizes, **more):
    lists = tuple(
        StaticList(n, *size) if isinstance(size, tuple) else size for n, size in enumerate(sizes)
    )
    return caps_of(dynamic=False, lists=lists, **more)


def test_the_smallest_list_that_holds_everything():
    plan = compile_plan(Wanted(words(3)), static((9, 9), (3, 1), (4, 4)))
    assert [(s.daq_list, len(s.odts), s.capacity) for s in plan.lists] == [(1, 3, (3, 1))]


def test_a_list_with_the_events_number_comes_before_a_free_one_of_that_size():
    lists = (StaticList(0, 3, 1), StaticList(1, 3, 1, event=0), StaticList(2, 3, 1, event=1))
    plan = compile_plan(Wanted(words(3) + words(2, 0x900, 1)), static(*lists))
    assert [(s.daq_list, s.event_channel) for s in plan.lists] == [(1, 0), (2, 1)]


def test_the_largest_lists_and_what_is_left_once_more():
    plan = compile_plan(Wanted(words(12)), static((2, 1), (5, 1), (6, 1), (4, 1)))
    assert [(s.daq_list, len(s.odts)) for s in plan.lists] == [(2, 6), (1, 5), (0, 1)]
    assert [r.name for r in plan.rasters] == ["fast", "fast (2)", "fast (3)"]
    assert [d.slug for d in plan.diagnostics][-1] == "daq-lists-apart"


def test_the_event_that_found_no_list_chooses_first():
    # greedy by event number would give list 0 to event 0 and leave nothing for event 1
    lists = (StaticList(0, 3, 1), StaticList(1, 9, 1, event=0))
    plan = compile_plan(Wanted(words(3) + words(2, 0x900, 1)), static(*lists))
    assert {s.event_channel: s.daq_list for s in plan.lists} == {0: 1, 1: 0}


def test_static_lists_that_do_not_suffice_name_what_to_leave_out():
    wanted = Wanted((*words(4), signal("big", 0x900, ("<u4", (2,)), default_event=0)))
    (text,) = problems(wanted, static((5, 1)))
    assert text == (
        "event 0 (fast) needs 24 bytes per sample, which the free static DAQ lists 0 (5 × 1) "
        "(ODTs × entries) do not hold; leave out big, or move them to another event"
    )
    (text,) = problems(Wanted(words(1, event=1)), static(StaticList(0, 5, 5, event=0)))
    assert "no static DAQ list is free for it" in text


def test_what_events_that_share_too_few_lists_are_told_to_leave_out_is_enough_together():
    wanted = (*words(5), *words(4, 0x900, 1), signal("big", 0xA00, ("<u4", (8,)), default_event=0))
    caps = static((3, 1))
    with pytest.raises(PlanError) as caught:
        compile_plan(Wanted(wanted), caps)
    first, second = caught.value.problems
    assert "do not hold; leave out big" in first
    assert second.startswith(
        "event 1 (slow) needs 16 bytes per sample, and no static DAQ list is free"
    )
    rest = tuple(one for one in wanted if one.name not in caught.value.leave_out)
    assert rest
    assert len(compile_plan(Wanted(rest), caps).lists) == 1


@pytest.mark.parametrize(
    ("caps", "reason"),
    [
        ({"dynamic": False}, "static DAQ lists, whose sizes are not known"),
        ({"clock": TickClock(1, 3, 4), "identification_field": 3}, "MAX_DTO 8 leaves no room"),
    ],
)
def test_everything_is_polled_where_no_list_can_hold_anything(caps, reason):
    plan = compile_plan(Wanted(words(3), allow_polling=True), caps_of(**caps))
    assert (plan.lists, plan.rasters) == ((), ())
    assert [one.name for one in plan.polled] == [one.name for one in words(3)]
    assert all(reason in one.reason for one in plan.polled)
    assert f"polled: {', '.join(one.name for one in words(3))}, " in plan.describe()
    out = signal("out", 0x900, default_event=1, stim=True)
    mixed = Wanted((*words(1), out), allow_polling=True)
    if "dynamic" in caps:
        with pytest.raises(PlanError, match=reason):
            compile_plan(mixed, caps_of(**caps))
    else:
        assert compile_plan(mixed, caps_of(**caps)).stim_rasters[0].signals == ("out",)


def test_static_lists_of_one_direction():
    lists = (StaticList(0, 9, 9, daq=False, stim=True), StaticList(1, 9, 9))
    wanted = Wanted((signal("in", 0x100, stim=True, default_event=1), *words(1, 0x500)))
    plan = compile_plan(wanted, static(*lists))
    assert [(s.daq_list, s.stim) for s in plan.lists] == [(1, False), (0, True)]
    assert [r.is_stim for r in plan.stim_rasters] == [True]
    assert plan.stim_rasters[0].name == "slow STIM"


# --------------------------------------------------------------------------------- predefined


def predefined(number, *odts, event=None):
    made = tuple(OdtSetup(tuple(OdtEntry(Address(a), n) for a, n in odt)) for odt in odts)
    return StaticList(number, len(made), 9, event=event, is_predefined=True, odts=made)


def test_a_signal_that_two_entries_carry_side_by_side():
    one = predefined(0, ((0x100, 4), (0x104, 2)), ((0x106, 4), (0x200, 2)), event=1)
    caps = caps_of(dynamic=False, min_daq=1, lists=(one,))
    plan = compile_plan(Wanted((signal("x", 0x102, "<u8"), signal("y", 0x200, "<u2"))), caps)
    raster = plan.rasters[0]
    assert (raster.event_channel, raster.dtype.itemsize) == (1, 12)
    assert {n: raster.dtype.fields[n][1] for n in raster.signals} == {"x": 2, "y": 10}
    (text,) = problems(Wanted((signal("z", 0x108, "<u8", default_event=1),)), caps)
    assert "no static DAQ list is free" in text


def test_what_predefined_lists_carry_is_measured_when_nothing_holds_the_rest():
    lists = (predefined(0, ((0x100, 4),), ((0x108, 4),), event=0),)
    inside = words(2)
    out = signal("out", 0xA00, "<u2", default_event=0)
    caps = caps_of(dynamic=False, min_daq=1, lists=lists)
    (text,) = problems(Wanted((*inside, out)), caps)
    assert text == (
        "event 0 (fast) needs 10 bytes per sample, and no static DAQ list is free for it, "
        "nor do predefined ones carry all of it; leave out out, or move them to another event"
    )
    plan = compile_plan(Wanted((out, *inside), allow_polling=True), caps)
    assert [one.name for one in plan.polled] == ["out"]
    assert plan.rasters[0].signals == tuple(one.name for one in inside)


def test_bits_of_predefined_entries_carry_no_whole_value():
    entry = OdtEntry(Address(0x100), 4, 3)
    one = StaticList(0, 1, 1, is_predefined=True, odts=(OdtSetup((entry,)),))
    caps = caps_of(dynamic=False, min_daq=1, lists=(one,))
    assert problems(Wanted(words(1)), caps)


def test_predefined_lists_help_out_where_others_do_not_suffice():
    one = predefined(0, ((0x900, 6),), ((0x906, 6),))
    wanted = Wanted((*words(5), signal("p", 0x900, default_event=0)))
    lists = (one, StaticList(1, 9, 1))
    plan = compile_plan(wanted, caps_of(dynamic=False, min_daq=1, lists=lists))
    assert [s.kind.value for s in plan.lists] == ["static"]
    lists = (one, StaticList(1, 5, 1))
    plan = compile_plan(wanted, caps_of(dynamic=False, min_daq=1, lists=lists))
    assert [s.kind.value for s in plan.lists] == ["predefined", "static"]
    assert plan.rasters[0].signals == ("p",)
    assert problems(
        Wanted(wanted.signals, predefined=False), caps_of(dynamic=False, min_daq=1, lists=lists)
    )


# ------------------------------------------------------------------------------------- packed


def packs(grouping="ELEMENT_GROUPED", stamp="STS_LAST", duty="OPTIONAL", samples=4, *more):
    offer = XcpPackedMode(grouping, stamp, duty, samples, more)
    return caps_of(
        max_dto=64,
        clock=TickClock(1, 3, 4),
        events=(EventChannel(0, "e", MS, packs=True, packed_mode=offer),),
    )


def test_samples_that_several_dtos_carry_are_those_of_a_set():
    plan = compile_plan(Wanted(words(5), packed=4), packs())
    assert len(plan.lists[0].odts) == 2
    assert "4 samples per set of DTOs, element-grouped" in plan.describe()


def test_the_count_that_fills_max_dto():
    # 64 - 2 - 4 = 58 bytes: 9 samples of 6, the counts offered are 2, 4, 8 and 16
    two = (signal("a", 0x100, default_event=0), signal("b", 0x104, "<u2", default_event=0))
    plan = compile_plan(
        Wanted(two, packed=None), packs("EVENT_GROUPED", "STS_FIRST", "OPTIONAL", 2, 4, 8, 16)
    )
    assert plan.rasters[0].packed == PackedMode(2, 8, 1)
    assert plan.lists[0].packed == plan.rasters[0].packed
    assert plan.rasters[0].odt_sizes == (6,)
    assert plan.dto_sizes(plan.rasters[0]) == (2 + 4 + 48,)
    assert plan.rasters[0].set_cycle_ns == 8 * MS
    assert plan.load(plan.rasters[0]) == 54 / 8 * 1000
    assert "8 samples per DTO, event-grouped" in plan.describe()
    free = caps_of(
        max_dto=64, clock=TickClock(1, 3, 4), events=(EventChannel(0, "e", MS, packs=True),)
    )
    assert compile_plan(Wanted(two, packed=None), free).rasters[0].packed == PackedMode(2, 9)


def test_what_is_mandatory_and_what_is_told():
    one = (signal("a", 0x100, default_event=0),)
    assert compile_plan(Wanted(one), packs()).rasters[0].packed is None
    assert compile_plan(Wanted(one, packed=4), packs()).rasters[0].packed == PackedMode(1, 4)
    must = packs("ELEMENT_GROUPED", "STS_LAST", "MANDATORY", 3, 2)
    assert compile_plan(Wanted(one), must).rasters[0].packed == PackedMode(1, 2)
    assert compile_plan(Wanted(one, packed=3), must).rasters[0].packed == PackedMode(1, 3)
    (text,) = problems(Wanted(one, packed=5), must)
    assert text == "event 0 (e) cannot collect 5 samples; use packed=2, 3 or packed=0"
    (text,) = problems(Wanted(one, packed=5), caps_of())
    assert "it has no packed mode; use packed=0" in text


def test_samples_that_do_not_fit_one_dto_are_spread_over_odts():
    plan = compile_plan(Wanted(words(10), packed=4), packs())
    assert [sum(e.size for e in odt.entries) for odt in plan.lists[0].odts] == [12, 12, 12, 4]
    assert all(size <= 64 for size in plan.dto_sizes(plan.rasters[0]))


# ------------------------------------------------------------------------------------- PID_OFF


def test_each_odt_becomes_a_list_with_an_identifier_of_its_own():
    ids = MappingProxyType({0: ListCanId(0x500), 1: ListCanId(None), 2: ListCanId(None)})
    caps = caps_of(identification_field=0, pid_off=True, can_ids=ids, max_entry_size=8)
    plan = compile_plan(Wanted(words(5), pid_off=True, can_ids=(0x600, 0x601)), caps)
    assert [(s.can_id, s.can_id_fixed, len(s.odts)) for s in plan.lists] == [
        (0x500, True, 1),
        (0x600, False, 1),
        (0x601, False, 1),
    ]
    assert [r.odt_sizes for r in plan.rasters] == [(8,), (8,), (4,)]
    assert [r.transport_id for r in plan.rasters] == [0x500, 0x600, 0x601]
    assert "no identification field, CAN identifier 0x600" in plan.describe()


def test_pid_off_needs_what_it_needs():
    relative = caps_of(pid_off=True)
    assert (
        "absolute identification fields only"
        in problems(Wanted(words(1), pid_off=True), relative)[0]
    )
    assert (
        "switch pid_off off"
        in problems(Wanted(words(1), pid_off=True), caps_of(identification_field=0))[0]
    )
    caps = caps_of(identification_field=0, pid_off=True)
    assert (
        "DAQ list 1 has no CAN identifier"
        in problems(Wanted(words(4), pid_off=True, can_ids=(1,)), caps)[0]
    )
    same = "CAN identifier 0x7 belongs to 2 DAQ lists, which PID_OFF cannot tell apart; name others in can_ids, or switch pid_off off"
    assert problems(Wanted(words(4), pid_off=True, can_ids=(7, 7)), caps) == (same,)
    large = Wanted((signal("big", 0, ("u1", (9,)), default_event=0),), pid_off=True, can_ids=(1, 2))
    assert (
        "with PID_OFF a signal must fit one ODT of 8 bytes; leave out big"
        in problems(large, caps)[0]
    )


# ---------------------------------------------------------------------------------------- STIM


def stim(name, address, code="<u4", **more):
    return signal(name, address, code, stim=True, default_event=1, **more)


def test_stim_has_limits_of_its_own():
    caps = caps_of(
        max_dto=64,
        max_dto_stim=16,
        granularity_stim=2,
        max_entry_size_stim=6,
        clock=TickClock(1, 3, 4),
    )
    plan = compile_plan(Wanted((stim("m", 0x100, ("<u2", (12,))),), prescaler=1, priority=3), caps)
    assert [[e.size for e in odt.entries] for odt in plan.lists[0].odts] == [[6, 6, 2], [6, 4]]
    assert (plan.lists[0].timestamp, plan.lists[0].prescaler) == (False, 1)
    echo = compile_plan(Wanted((stim("m", 0x100, ("<u2", (12,))),), stim_timestamp=True), caps)
    assert echo.lists[0].timestamp
    assert echo.stim_format.timestamp_size == 4


def test_stim_never_writes_what_nobody_wanted():
    (text,) = problems(Wanted((stim("s", 0x101, "<u2"),)), caps_of(granularity_stim=2))
    assert text.startswith(
        "s: 2 bytes at 0x101 are not a multiple of the 2 bytes that STIM entries have"
    )
    # 8 - 2 - 4 bytes behind the timestamp hold no element: it is split, never filled up
    caps = caps_of(clock=TickClock(1, 3, 4))
    plan = compile_plan(Wanted((stim("s", 0x100),), stim_timestamp=True), caps)
    assert [[e.size for e in odt.entries] for odt in plan.lists[0].odts] == [[2], [2]]
    assert plan.stim_rasters[0].filler_bytes == 0
    assert "daq-element-split" in [d.slug for d in plan.diagnostics]


def test_bits_are_entries_of_their_own():
    caps = caps_of(bit_stim=True, granularity_stim=2, max_dto=64)
    wanted = Wanted((stim("b0", 0x100, bit=0), stim("b31", 0x100, bit=31), stim("v", 0x104)))
    plan = compile_plan(wanted, caps)
    assert {(e.address.value, e.size, e.bit_offset) for e in plan.lists[0].odts[0].entries} == {
        (0x100, 2, 0),
        (0x100, 2, 31),
        (0x104, 4, 0xFF),
    }
    assert plan.stim_rasters[0].dtype["b31"] == np.dtype("<u2")
    assert "no single bits" in problems(wanted, caps_of(granularity_stim=2))[0]
    assert "outside 0 … 31" in problems(Wanted((stim("b", 0x100, bit=32),)), caps)[0]


def test_stim_lists_come_first_where_pids_are_shared():
    caps = caps_of(identification_field=0, min_daq=2, max_entry_size=7)
    plan = compile_plan(Wanted((*words(2), stim("s", 0x800))), caps)
    assert [(s.stim, s.daq_list) for s in plan.lists] == [(False, 3), (True, 2)]
    many = tuple(stim(f"s{i}", 0x1000 + 8 * i) for i in range(337))
    (text,) = problems(Wanted(many), caps)
    assert "192 ODTs of 7 bytes hold at most 1344" in text


def test_events_without_stim_are_refused():
    assert (
        "fast) does not stimulate"
        in problems(Wanted((signal("x", 0, stim=True, default_event=0),)), caps_of())[0]
    )


# ----------------------------------------------------------------------------- rules for ODTs


def odt_sizes(plan):
    return [[e.size for e in odt.entries] for odt in plan.lists[0].odts]


MIXED = (
    signal("a", 0x100, "<u2", default_event=0),
    signal("b", 0x204, "<u4", default_event=0),
    signal("c", 0x301, "u1", default_event=0),
    signal("d", 0x408, "<f8", default_event=0),
    signal("e", 0x502, "<u4", default_event=0),
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (9, [[8, 4, 4, 2], [1]]),
        (10, [[8, 4], [2, 2, 2], [1]]),
        (11, [[8], [4], [2, 2, 2], [1]]),
        (4, [[8, 4, 2, 2, 2, 1]]),
    ],
)
def test_elements_of_one_width_or_from_wide_to_narrow(code, expected):
    plan = compile_plan(
        Wanted(MIXED), caps_of(max_dto=32, optimisation_type=code, max_entry_size=24)
    )
    assert sorted(map(sorted, odt_sizes(plan))) == sorted(map(sorted, expected))
    if code == 4:
        assert odt_sizes(plan) == expected


def test_entries_of_one_length():
    plan = compile_plan(Wanted(MIXED), caps_of(max_dto=32, optimisation_type=5, max_entry_size=6))
    assert {n for odt in odt_sizes(plan) for n in odt} == {6}
    assert len(odt_sizes(plan)) == 2  # 2 + 4 + 1 + 8 + 4 bytes are 6 blocks, 5 in an ODT
    (text,) = problems(Wanted(MIXED), caps_of(max_dto=7, optimisation_type=5, max_entry_size=6))
    assert text == "MAX_DTO 7 leaves no room for data behind 2 bytes of header; MAX_DTO 8 would do"


def test_a_preference_gives_way_where_it_costs_too_many_odts():
    two = tuple(signal(f"s{i}", 0x1000 + 8 * i + (i % 2), "<u2", default_event=0) for i in range(4))
    lists = (StaticList(0, 1, 9),)
    caps = caps_of(dynamic=False, lists=lists, max_dto=32, optimisation_type=2)
    plan = compile_plan(Wanted(two), caps)
    assert len(plan.lists[0].odts) == 1
    assert "daq-mixed-odts" in [d.slug for d in plan.diagnostics]
    strict = caps_of(
        dynamic=False, lists=lists, max_dto=32, optimisation_type=2, optimisation_strict=True
    )
    assert problems(Wanted(two), strict)


# -------------------------------------------------------------------------------------- others


def test_alternating_lists():
    caps = caps_of(alternating_event=0, clock=TickClock(1, 3, 4))
    plan = compile_plan(Wanted(words(1), alternating=True, dto_ctr=True), caps)
    assert (plan.lists[0].alternating, plan.lists[0].timestamp, plan.rasters[0].cycle_ns) == (
        True,
        False,
        2 * MS,
    )
    assert (
        "use event 0, or switch alternating off"
        in problems(Wanted(words(1, event=1), alternating=True), caps)[0]
    )
    fixed = caps_of(clock=TickClock(1, 3, 2), timestamp_fixed=True)
    assert "carry no timestamps" in problems(Wanted(words(1), alternating=True), fixed)[0]
    assert "no DTO counter" in problems(Wanted(words(1), dto_ctr=True), caps_of(dto_ctr=False))[0]


def test_polling_takes_what_cannot_be_measured_and_says_why():
    wanted = Wanted(
        (
            *words(3),
            signal("lost", 0x900, fixed_event=9),
            signal("huge", 0x2000, ("u1", (2000,)), default_event=0),
        ),
        allow_polling=True,
    )
    plan = compile_plan(wanted, caps_of(identification_field=0))
    assert {one.name: one.reason.split(";")[0].split(",")[0] for one in plan.polled} == {
        "lost": "event 9 does not exist",
        "huge": "event 0 (fast) needs 2012 bytes per sample",
    }
    assert plan.polled[0].wanted is wanted.signals[3]
    assert [r.signals for r in plan.rasters] == [("w256_0", "w256_1", "w256_2")]
    nothing = compile_plan(Wanted((signal("x", 0, fixed_event=9),), allow_polling=True), caps_of())
    assert (nothing.lists, len(nothing.polled)) == ((), 1)


def test_lists_of_one_extension_share_the_limit_of_their_event():
    events = (EventChannel(0, "e", MS, max_daq_list=1),)
    caps = caps_of(address_extension=AddressExtensionScope.DAQ_LIST, events=events, max_dto=64)
    two = (signal("a", 0x100, default_event=0), signal("b", 0x100, "<u2", 1, default_event=0))
    (text,) = problems(Wanted(two), caps)
    assert text == (
        "event 0 (e) needs 2 DAQ lists and serves 1; leave out a, or move them to another event"
    )


def test_numbers_outside_their_range_and_other_contradictions():
    found = problems(
        Wanted((signal("none", 0, "V0"), *words(1)), priority=300, packed=70_000, prescaler=0),
        caps_of(),
    )
    text = "; ".join(found)
    for part in (
        "none has no bytes",
        "priority 300 is outside",
        "packed=70000 is outside",
        "prescaler 0 of event fast",
    ):
        assert part in text


def test_lists_that_list_numbers_cannot_tell_apart():
    events = tuple(EventChannel(n, f"e{n}", MS) for n in range(5))
    wanted = Wanted(tuple(signal(f"s{n}", 0x100 * n, default_event=n) for n in range(5)))
    (text,) = problems(wanted, caps_of(events=events, min_daq=252))
    assert text == (
        "5 DAQ lists behind 252 predefined ones are needed, 256 can be told apart; use fewer events"
    )


def test_bits_where_every_entry_has_one_length():
    caps = caps_of(bit_stim=True, optimisation_type=5, max_entry_size_stim=4, max_dto=32)
    (text,) = problems(Wanted((stim("b", 0x100, bit=1),)), caps)
    assert "entries of single bits have 1 bytes, this slave wants 4 in each" in text


def test_overlapping_objects_that_blocks_would_spill_over():
    caps = caps_of(optimisation_type=5, max_entry_size_stim=4, max_dto=32)
    fits = Wanted((stim("a", 0x100), stim("b", 0x100, "<u8")))
    assert compile_plan(fits, caps).stim_rasters[0].dtype.itemsize == 8
    (text,) = problems(Wanted((stim("a", 0x100), stim("b", 0x102))), caps)
    assert "would write bytes beside a, b" in text


def test_stim_keeps_its_identification_field():
    caps = caps_of(identification_field=0, pid_off=True, max_entry_size=7)
    plan = compile_plan(Wanted((stim("s", 0x100), *words(1)), pid_off=True, can_ids=(9,)), caps)
    assert [s.pid_off for s in plan.lists] == [True, False]
    assert "daq-stim-identified" in [d.slug for d in plan.diagnostics]


def test_static_stim_lists_share_the_numbers_of_direction_stim():
    lists = tuple(StaticList(n, 100, 1, stim=True) for n in range(3))
    caps = caps_of(dynamic=False, lists=lists, identification_field=0, max_dto=5, max_entry_size=4)
    many = tuple(stim(f"s{i}", 0x1000 + 8 * i) for i in range(250))
    (text,) = problems(Wanted(many), caps)
    assert "250 ODTs of direction STIM are needed and 192 have numbers" in text


def test_packed_lists_among_static_ones():
    offer = XcpPackedMode("EVENT_GROUPED", "STS_LAST", "OPTIONAL", 2)
    events = (EventChannel(0, "e", MS, packs=True, packed_mode=offer),)
    caps = caps_of(
        dynamic=False, lists=(StaticList(0, 9, 9, packs=True),), events=events, max_dto=32
    )
    plan = compile_plan(Wanted(words(2), packed=2), caps)
    assert (plan.lists[0].kind.value, plan.lists[0].packed) == ("static", PackedMode(2, 2))
    told = caps_of(
        dynamic=False,
        lists=(StaticList(0, 9, 9), StaticList(1, 9, 9, packs=True)),
        events=(EventChannel(0, "e", MS, packs=True),),
        max_dto=32,
    )
    assert [s.daq_list for s in compile_plan(Wanted(words(2), packed=2), told).lists] == [1]


def test_a_reason_tells_the_odts_that_whole_elements_take_and_where_another_event_helps():
    def refusal(count, **more):
        wanted = tuple(
            WantedSignal(f"s{i}", Address(0x1000 + 16 * i), np.dtype("<u4"), default_event=0)
            for i in range(count)
        )
        caps = DaqCapabilities(
            **{"max_dto": 8, "identification_field": 0, "events": (EventChannel(0, "e", 1000),)}
            | more
        )
        with pytest.raises(PlanError) as caught:
            compile_plan(Wanted(wanted), caps)
        (problem,) = caught.value.problems
        return problem

    assert refusal(300) == (
        "event 0 (e) needs 1200 bytes per sample, which take 300 ODTs of 7 bytes as elements stay "
        "whole, and 252 are left; leave out s0, s1, s2 and 45 more"
    )
    assert "252 ODTs of 7 bytes hold at most 1764; leave out s0" in refusal(3000)
    assert "move them" not in refusal(3000)
    static = (StaticList(0, 2, 1),)
    assert refusal(4, dynamic=False, lists=static).endswith("or move them to another event")
