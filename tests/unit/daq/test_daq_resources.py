"""The resource model of the A2L, the load of the link, and how a plan tells both."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from xcaliper.a2l.xcp_extras import XcpCpuLoad, XcpMemoryConsumption, XcpQueueLoad
from xcaliper.core.address import Address
from xcaliper.core.errors import PlanError, UsageError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    DaqAnswers,
    DaqCapabilities,
    DeclaredDaq,
    EventChannel,
    ResourceModel,
    StaticList,
    Wanted,
    WantedSignal,
    compile_plan,
    merge,
)
from xcaliper.daq.link_load import LinkModel, can_fd_time_s, can_frame_bits, read_rate
from xcaliper.daq.resources import EventLoad, Totals, entry_load
from xcaliper.xcp.codes import DaqKeyByte, DaqProperties
from xcaliper.xcp.daq import GetDaqProcessorInfoResponse
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup
from xcaliper.xcp.profile import Profile

MS = 1_000_000


def signals(count, size=4, event=0):
    return tuple(
        WantedSignal(
            f"s{event}_{i}",
            Address(0x1000 * (event + 1) + 16 * i),
            np.dtype(f"<u{size}"),
            default_event=event,
        )
        for i in range(count)
    )


EVENTS = (EventChannel(0, "a<b", MS, stim=True), EventChannel(1, "slow", 10 * MS))


def caps_of(model, **more):
    return DaqCapabilities(
        **({"max_dto": 18, "identification_field": 1, "events": EVENTS, "resources": model} | more)
    )


def test_cost_of_entry_sizes():
    table = ((4, 420.0), (1, 150.0))
    assert [entry_load(table, size) for size in (1, 2, 4, 13)] == [150, 420, 420, 1680]
    assert entry_load((), 7) == 0


MEMORY = XcpMemoryConsumption(1000, 10, 20, 3, 2, 5, (50, 0))


def test_memory_counts_descriptors_and_buffers_with_their_reserve():
    # 2 lists, 3 ODTs (4 words each, 1 word left), 6 entries, payload 24 bytes × 2 × 1.5
    plan = compile_plan(
        Wanted(signals(5) + signals(1, event=1)), caps_of(ResourceModel(memory=MEMORY))
    )
    assert [len(s.odts) for s in plan.lists] == [2, 1]
    assert plan.use.memory == 2 * 10 + 3 * 20 + 6 * 3 + 24 * 2 * 1.5
    assert "ECU: memory 170 of 1000 (17 %) AG elements" in plan.describe()
    own = ResourceModel(memory=MEMORY, events={0: EventLoad(reserve=(0, 0))})
    assert compile_plan(Wanted(signals(5)), caps_of(own)).use.memory == 10 + 40 + 15 + 40


def test_load_of_cpu_and_cores():
    load = EventLoad(
        limit=100,
        daq=XcpCpuLoad(1.0, 2.0, 0.5, ((2, 1.0), (4, 3.0)), ((0, 0.25), (1, 0.75))),
        queue=XcpQueueLoad(1.0, 0.125, ((1, 1.0),)),
    )
    model = ResourceModel(
        events={0: load}, cpu_load_max=200, core_load_max=((1, 50),), core_load_max_total=90
    )
    plan = compile_plan(Wanted(signals(5)), caps_of(model))
    copy, queue = 1 + 2 * 2 + 5 * (0.5 + 3), 2 * 1 + 20 * 0.125
    assert plan.use.cpu_load == {0: copy + queue}
    assert plan.use.core_load == {0: copy / 4, 1: copy * 0.75 + queue}
    text = plan.describe()
    assert "ECU: CPU load of event 0 27 of 100 (27 %)" in text
    assert "ECU: CPU load of all events 27 of 200 (14 %)" in text
    assert "ECU: load of core 1 21.375 of 50 (43 %)" in text


LOAD = EventLoad(limit=10, daq=XcpCpuLoad(0, 0, 1.0))


@pytest.mark.parametrize(
    ("model", "count", "text"),
    [
        (
            ResourceModel(Totals(odt=2)),
            9,
            "MAX_ODT_TOTAL 2 is exceeded: 3 would be used; leave out s0_0",
        ),
        (
            ResourceModel(Totals(odt_daq=2)),
            10,
            "MAX_ODT_DAQ_TOTAL 2 is exceeded: 3 would be used; leave out s0_0, s0_1",
        ),
        (
            ResourceModel(Totals(entries=8)),
            9,
            "MAX_ODT_ENTRIES_TOTAL 8 is exceeded: 9 would be used; leave out s0_0",
        ),
        (
            ResourceModel(memory=XcpMemoryConsumption(100, 0, 0, 10)),
            12,
            "DAQ_MEMORY_LIMIT 100 is exceeded: 120 would be used; leave out s0_0, s0_1",
        ),
        (
            ResourceModel(events={0: LOAD}),
            12,
            (
                "CPU_LOAD_MAX of event 0 10 is exceeded: 12 would be used; leave out s0_0, s0_1, "
                "or move them to another event"
            ),
        ),
        (
            ResourceModel(cpu_load_max=4, events={0: LOAD}),
            5,
            "CPU_LOAD_MAX_TOTAL 4 is exceeded: 5 would be used; leave out s0_0",
        ),
    ],
)
def test_what_exceeds_a_limit_is_refused_with_the_fewest_signals_to_leave_out(model, count, text):
    with pytest.raises(PlanError) as caught:
        compile_plan(Wanted(signals(count)), caps_of(model))
    assert caught.value.problems == (text,)
    polled = compile_plan(Wanted(signals(count), allow_polling=True), caps_of(model)).polled
    names = text.removesuffix(", or move them to another event").split("leave out ")[1]
    assert [one.name for one in polled] == names.split(", ")
    assert {one.reason for one in polled} == {text.split(";")[0]}


def large(count, event=0):
    return tuple(
        WantedSignal(
            f"large{i}", Address(0x8000 + 128 * i), np.dtype(("u1", (100,))), default_event=event
        )
        for i in range(count)
    )


def test_only_what_counts_for_a_limit_is_named_and_the_fewest_of_that():
    wide = {"max_dto": 1000}
    at_slow = caps_of(ResourceModel(events={1: LOAD}), **wide)
    with pytest.raises(PlanError, match=r"of event 1 10 .*leave out s1_0, s1_1, or move") as caught:
        compile_plan(Wanted(large(10) + signals(12, size=1, event=1)), at_slow)
    assert "large" not in str(caught.value)
    one_list = caps_of(ResourceModel(Totals(daq=1)), **wide)
    with pytest.raises(PlanError, match=r"2 would be used; leave out s1_0, or move"):
        compile_plan(Wanted(large(30) + signals(1, event=1)), one_list)
    wanted = Wanted(large(30) + signals(1, event=1), allow_polling=True)
    assert [one.name for one in compile_plan(wanted, one_list).polled] == ["s1_0"]
    core = EventLoad(daq=XcpCpuLoad(0, 0, 1.0, (), ((3, 1.0),)))
    cores = ResourceModel(events={1: core}, core_load_max=((3, 1.0),))
    with pytest.raises(PlanError, match=r"CORE_LOAD_MAX of core 3 .*leave out s1_0\.$"):
        compile_plan(Wanted(large(3) + signals(2, event=1)), caps_of(cores, **wide))


def test_events_with_limits_of_their_own_each_name_the_fewest_of_their_own_signals():
    model = ResourceModel(events={0: EventLoad(limit=11, daq=LOAD.daq), 1: LOAD})
    wanted = large(12) + signals(40, size=1, event=1)
    caps = caps_of(model, max_dto=1000)
    with pytest.raises(PlanError) as caught:
        compile_plan(Wanted(wanted), caps)
    fast, slow = caught.value.problems
    assert fast.endswith("; leave out large0, or move them to another event")
    assert slow.endswith("; leave out s1_0, s1_1, s1_2 and 27 more, or move them to another event")
    out = caught.value.leave_out
    assert len(out) == 31
    rest = tuple(signal for signal in wanted if signal.name not in out)
    assert len(compile_plan(Wanted(rest), caps).lists) == 2
    polled = compile_plan(Wanted(wanted, allow_polling=True), caps).polled
    assert {one.name for one in polled} == set(out)


def test_everything_is_polled_where_no_list_can_be_afforded():
    none = caps_of(ResourceModel(Totals(daq=0)))
    plan = compile_plan(Wanted(signals(3), allow_polling=True), none)
    assert (plan.rasters, len(plan.polled)) == ((), 3)
    assert plan.describe().count("polled: s0_0, s0_1, s0_2, MAX_DAQ_TOTAL 0") == 1


def test_predefined_lists_count_whether_they_are_used_or_not():
    odts = (OdtSetup((OdtEntry(Address(0x500), 4), OdtEntry(Address(0x600), 2))),)
    ready = StaticList(0, 1, 2, is_predefined=True, odts=odts, event=1)
    more = {"lists": (ready,), "min_daq": 1}
    used = caps_of(ResourceModel(memory=MEMORY), **more)
    plan = compile_plan(Wanted(signals(1)), used)
    assert plan.use.lists == (2, 0)
    assert plan.use.entries == (3, 0)
    assert plan.use.memory == 2 * 10 + 2 * 20 + 3 * 3 + 4 * 2 * 1.5
    with pytest.raises(PlanError, match="MAX_DAQ_TOTAL 1 is exceeded: 2 would be used"):
        compile_plan(Wanted(signals(1)), caps_of(ResourceModel(Totals(daq=1)), **more))


def test_max_daq_of_an_a2l_limits_the_lists_that_are_allocated():
    wanted = Wanted(signals(3) + signals(1, event=1))
    for told, live, most in ((2, 0, 2), (1, 2, 2), (0, 0, 0), (1, None, 1)):
        answers = DaqAnswers()
        if live is not None:
            info = GetDaqProcessorInfoResponse(
                daq_properties=DaqProperties(1),
                max_daq=live,
                max_event_channel=2,
                min_daq=0,
                daq_key_byte=DaqKeyByte(0x40),
            )
            answers = DaqAnswers(processor=info)
        paper = DeclaredDaq(
            dynamic=True, max_daq=told, min_daq=0, identification_field=1, events=EVENTS
        )
        caps, _ = merge(paper, answers, Profile(max_dto=40))
        caps = dataclasses.replace(caps, identification_field=1)
        assert caps.max_daq == most
        if most == 1:
            with pytest.raises(
                PlanError, match=r"MAX_DAQ 1 is exceeded: 2 .*leave out s1_0, or mo"
            ):
                compile_plan(wanted, caps)
            polled = compile_plan(dataclasses.replace(wanted, allow_polling=True), caps)
            assert [one.name for one in polled.polled] == ["s1_0"]
        else:
            assert len(compile_plan(wanted, caps).lists) == 2


def test_every_limit_at_once_and_stim_is_never_polled():
    model = ResourceModel(Totals(daq=0, odt=0, entries=0))
    with pytest.raises(PlanError) as caught:
        compile_plan(Wanted(signals(2)), caps_of(model))
    assert [text.split()[0] for text in caught.value.problems] == [
        "MAX_DAQ_TOTAL",
        "MAX_ODT_TOTAL",
        "MAX_ODT_ENTRIES_TOTAL",
    ]
    stim = (WantedSignal("in", Address(0), np.dtype("<u4"), default_event=0, stim=True),)
    with pytest.raises(PlanError, match="leave out in"):
        compile_plan(Wanted(stim + signals(1), allow_polling=True), caps_of(model))
    one = ResourceModel(Totals(odt_stim=1, odt_daq=0, entries_stim=3))
    plan = compile_plan(Wanted(stim + signals(1), allow_polling=True), caps_of(one))
    assert [len(plan.rasters), len(plan.stim_rasters), len(plan.polled)] == [0, 1, 1]


# ----------------------------------------------------------------------------------------- link


def stuffed_worst(bits):
    """Stuff bits of the worst pattern: one after the first five equal bits, then after each four."""
    return (bits - 1) // 4


def test_bits_of_can_frames():
    # SOF, identifier, RTR, IDE, r0, DLC and CRC are stuffed; 3 delimiters and ACK, 7 EOF, 3 gap are not
    for size in range(9):
        assert can_frame_bits(size) == 1 + 11 + 3 + 4 + 15 + 8 * size + 13 + stuffed_worst(
            34 + 8 * size
        )
    assert can_frame_bits(8) == 135  # as the literature has it
    assert can_frame_bits(8, extended=True) == 160


def test_can_fd_is_faster_in_its_data_phase():
    slow, quick = (can_fd_time_s(64, 500_000, rate) for rate in (500_000, 4_000_000))
    assert quick < slow / 5
    assert can_fd_time_s(13, 500_000, 2_000_000) == can_fd_time_s(16, 500_000, 2_000_000)
    assert can_fd_time_s(8, 5e5, 2e6, extended=True) > can_fd_time_s(8, 5e5, 2e6)
    bits = 1 + 11 + 1 + 1 + 1 + 1 + 1 + 12 + (29 - 13) // 4  # without the data phase
    assert can_fd_time_s(0, 1.0, 1e12) == pytest.approx(bits)


def test_datagrams_are_shared_by_the_dtos_of_a_sample():
    link = LinkModel("ethernet", 8.0)  # a byte per second
    assert link.time_s([100]) == 104 + 66
    assert link.time_s([2]) == 18 + 66  # the shortest frame
    assert link.time_s([700, 700]) == 1408 + 66
    assert link.time_s([1000, 1000]) == 2 * (1004 + 66)
    with pytest.raises(UsageError, match="not known"):
        LinkModel("lin", 1)
    with pytest.raises(UsageError, match="above 0"):
        LinkModel("can", 0)


def test_the_load_of_the_link_in_percent():
    caps = caps_of(ResourceModel(), max_dto=8, identification_field=0, clock=TickClock(1, 3, 2))
    plan = compile_plan(Wanted(signals(3)), caps)
    sizes = plan.dto_sizes(plan.rasters[0])
    assert sizes == (7, 5, 5)
    percent = (can_frame_bits(7) + 2 * can_frame_bits(5)) / 500_000 / 0.001 * 100
    text = plan.describe(link=LinkModel("can", 500_000))
    assert text.count(f"{percent:.1f} % of the link") == 2  # the list and the total
    assert plan.to_dict(LinkModel("can", 500_000))["link_percent"] == pytest.approx(percent)
    assert "% of the link, which is more than it carries" in plan.describe(
        link=LinkModel("can", 50_000)
    )
    fd = LinkModel("canfd", 500_000, 2_000_000).time_s(sizes)
    assert fd == pytest.approx(sum(can_fd_time_s(n, 500_000, 2_000_000) for n in sizes))


def can_caps(**link):
    return caps_of(
        ResourceModel(),
        max_dto=8,
        identification_field=0,
        prescaler=True,
        link=LinkModel("can", 500_000, **link),
    )


def test_the_plan_keeps_below_the_load_that_the_link_may_have():
    # 1 PID + 4 data bytes each: 31 signals at 1 kHz, one at 100 Hz
    wanted = Wanted(signals(31, size=4) + signals(1, event=1))
    frame = can_frame_bits(5) / 500_000 * 1e3 * 100
    percent = 31 * frame + frame / 10
    with pytest.raises(PlanError) as caught:
        compile_plan(wanted, can_caps(max_load=50.0))
    (problem,) = caught.value.problems
    out = 31 - int((50 - frame / 10) // frame)
    assert problem.startswith(
        f"MAX_BUS_LOAD 50 % is exceeded: {percent:.1f} % would be used; leave"
    )
    assert f"s0_2 and {out - 3} more, or use prescaler {-(-percent // 50):.0f}" in problem
    polled = compile_plan(dataclasses.replace(wanted, allow_polling=True), can_caps(max_load=50.0))
    assert len(polled.polled) == out
    slower = dataclasses.replace(wanted, prescaler=int(-(-percent // 50)))
    plan = compile_plan(slower, can_caps(max_load=50.0))
    assert "of which 50 % may be used" in plan.describe()
    assert "daq-link-full" not in {one.slug for one in plan.diagnostics}


def test_a_link_that_is_too_slow_is_told_and_an_assumed_one_is_not():
    wanted = Wanted(signals(31, size=4))
    plan = compile_plan(wanted, can_caps())
    (note,) = [one for one in plan.diagnostics if one.slug == "daq-link-full"]
    prescaler = int(re.search(r"prescaler (\d+)", note.hint)[1])
    assert sum(map(plan.link_percent, plan.rasters)) / prescaler <= 100
    assert sum(map(plan.link_percent, plan.rasters)) / (prescaler - 1) > 100
    assert "which is more than it carries" in plan.describe()
    guess = dataclasses.replace(can_caps(), link=LinkModel("ethernet", 1e6, is_assumed=True))
    plan = compile_plan(wanted, guess)
    assert "daq-link-full" not in {one.slug for one in plan.diagnostics}
    assert "% of 1 Mbit/s" in plan.describe()
    assert "% of 1 Mbit/s" in plan._repr_html_()
    assert "carries" not in plan.describe()


def test_speeds_as_they_are_said():
    assert [read_rate(text) for text in ("500k", "2M", "1 Gbit/s", "9600")] == [5e5, 2e6, 1e9, 9600]
    for text in ("", "0", "fast", "-1", "1e9", "nan"):
        with pytest.raises(UsageError, match="no speed"):
            read_rate(text)
    # more than a frame carries counts as several frames
    assert LinkModel("can", 1).time_s([17]) == 2 * can_frame_bits(8) + can_frame_bits(1)


def test_a_plan_as_plain_values_and_as_html():
    wanted = Wanted(
        (*signals(2), WantedSignal("<x>", Address(0), np.dtype("u1"), fixed_event=8)),
        allow_polling=True,
    )
    plan = compile_plan(wanted, caps_of(ResourceModel(memory=MEMORY)))
    made = json.loads(json.dumps(plan.to_dict()))
    (one,) = made["lists"]
    assert one["signals"] == {"s0_0": 0, "s0_1": 4}
    assert one["odts"] == [
        [
            {"address": 0x1000, "extension": 0, "size": 4, "bit_offset": 255},
            {"address": 0x1010, "extension": 0, "size": 4, "bit_offset": 255},
        ]
    ]
    assert (one["direction"], one["kind"], one["packed"], one["sample_bytes"]) == (
        "DAQ",
        "dynamic",
        None,
        10,
    )
    assert made["polled"] == [
        {"name": "<x>", "reason": "event 8 does not exist; use one of 0 (a<b), 1 (slow)"}
    ]
    assert made["resources"]["memory"] == plan.use.memory
    html = plan._repr_html_()
    assert html.count("<tr>") == 2
    assert "a&lt;b" in html
    assert "&lt;x&gt;" in html
    assert "<x>" not in html
