"""From a slave's answers to a plan, to its set-up, to DTOs, to values: every kind of list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pair.link import EVENTS, RAM, Pair, config
from xcaliper.a2l.xcp_extras import XcpPackedMode
from xcaliper.core.errors import NegativeResponseError, RemoteProtocolError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    ClockReading,
    DaqAnswers,
    DaqDecoder,
    EventAnswer,
    ListAnswer,
    Wanted,
    WantedSignal,
    compile_plan,
    merge,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, level1
from xcaliper.xcp.daq_lists import ListKind, OdtEntry
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.daq_setup import (
    SetupHabits,
    prepare,
    setup,
    start,
    start_list,
    stop,
    stop_list,
    stop_selected,
)
from xcaliper.xcp.slave_daq_config import EventConfig, FixedList, PackedConfig

MS = 1_000_000


def asked(pair):
    """Abilities as the slave itself tells them."""
    told = pair.run(daq_info(pair.session))
    answers = DaqAnswers(
        told.processor,
        told.resolution,
        tuple(EventAnswer(e.channel, e.info, e.name) for e in told.events or ()),
        lists=tuple(ListAnswer(one.number, one.info, one.odts) for one in told.lists),
    )
    return merge(None, answers, pair.session.profile)[0]


def signal(name, at, code="<u4", event=0, **more):
    return WantedSignal(name, RAM + at, np.dtype(code), fixed_event=event, **more)


SIGNALS = (
    signal("a", 0),
    signal("b", 16, "<u2"),
    signal("c", 40, ("u1", (6,))),
    signal("d", 100, "<u8", 1),
)


def measured(pair, plan, events, **more):
    """Set up, let events happen, decode."""
    pids = pair.run(setup(pair.session, plan.lists, **more))
    numbered = {one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)}
    decoder = DaqDecoder(plan, numbered, ClockReading(0, 0))
    pair.dtos.clear()
    pair.run(start(plan.lists))
    for channel, t_ns in events:
        pair.event(channel, t_ns)
    blocks = decoder.feed(DtoBatch(pair.now_ns, list(pair.dtos)))
    assert decoder.quality.is_clean
    return blocks


def check_values(pair, plan, blocks, signals):
    seen = set()
    for block in blocks:
        for name in plan.rasters[block.raster].signals:
            one = next(s for s in signals if s.name == name)
            truth = pair.memory.read(one.address, one.size_bytes)
            column = block.column(name)
            assert all(column[i : i + 1].tobytes() == truth for i in range(len(block)))
            seen.add(name)
    return seen


STATIC = (
    FixedList(max_odt=1, max_odt_entries=2),
    FixedList(max_odt=4, max_odt_entries=4),
    FixedList(max_odt=4, max_odt_entries=2, event_fixed=1),
    FixedList(max_odt=9, max_odt_entries=9),
)


@pytest.mark.parametrize("kind", [0, 1, 3])
@pytest.mark.parametrize("disabled", [(), ("CLEAR_DAQ_LIST",), ("WRITE_DAQ_MULTIPLE",)])
def test_static_lists_the_smallest_that_do(kind, disabled):
    pair = Pair(
        config(
            dynamic=False,
            fixed_lists=STATIC,
            identification_field=kind,
            disabled=frozenset(disabled),
        )
    )
    caps = asked(pair)
    assert not caps.dynamic
    assert [one.max_odt for one in caps.lists] == [1, 4, 4, 9]
    plan = compile_plan(Wanted(SIGNALS), caps)
    assert [(s.daq_list, s.event_channel, s.kind) for s in plan.lists] == [
        (1, 0, ListKind.STATIC),
        (0, 1, ListKind.STATIC),
    ]
    for _ in range(2):  # the second round finds the entries of the first
        blocks = measured(pair, plan, [(0, MS), (1, 2 * MS), (0, 3 * MS)])
        assert check_values(pair, plan, blocks, SIGNALS) == {"a", "b", "c", "d"}
        pair.run(stop())
    assert "FREE_DAQ" not in pair.seen


PREDEFINED = (
    FixedList(entries=((OdtEntry(RAM, 4), OdtEntry(RAM + 4, 20)), (OdtEntry(RAM + 40, 8),))),
    FixedList(entries=((OdtEntry(RAM + 96, 4), OdtEntry(RAM + 100, 8)),), event_fixed=1),
)


def test_predefined_lists_are_read_and_taken_whole():
    pair = Pair(config(dynamic=False, fixed_lists=PREDEFINED))
    plan = compile_plan(Wanted(SIGNALS), asked(pair))
    assert [(s.daq_list, s.kind) for s in plan.lists] == [
        (0, ListKind.PREDEFINED),
        (1, ListKind.PREDEFINED),
    ]
    pair.forget()
    blocks = measured(pair, plan, [(0, MS), (1, 2 * MS)])
    assert check_values(pair, plan, blocks, SIGNALS) == {"a", "b", "c", "d"}
    assert not {"WRITE_DAQ", "WRITE_DAQ_MULTIPLE", "SET_DAQ_PTR", "CLEAR_DAQ_LIST"} & set(pair.seen)


def test_predefined_beside_dynamic_lists():
    pair = Pair(config(fixed_lists=PREDEFINED[:1]))
    caps = asked(pair)
    assert caps.min_daq == 1
    few = compile_plan(Wanted(SIGNALS), caps)  # 12 of 32 bytes: an own list is shorter
    assert [(s.daq_list, s.kind.value) for s in few.lists] == [(1, "dynamic"), (2, "dynamic")]
    signals = (*SIGNALS, signal("e", 8, "<u8"))
    plan = compile_plan(Wanted(signals), caps)
    assert [(s.daq_list, s.kind.value) for s in plan.lists] == [(0, "predefined"), (1, "dynamic")]
    blocks = measured(pair, plan, [(0, MS), (1, 2 * MS)])
    assert check_values(pair, plan, blocks, signals) == {"a", "b", "c", "d", "e"}
    left_alone = compile_plan(Wanted(signals, predefined=False), caps)
    assert all(setup.kind is ListKind.DYNAMIC for setup in left_alone.lists)


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("timestamp_mode", [0, 1])
def test_packed_samples_come_as_rows_with_their_times(mode, timestamp_mode):
    packed = PackedConfig(mode, timestamp_mode, sample_count=4, mandatory=True)
    pair = Pair(config(events=(EventConfig(0, "1ms", time_cycle=1, packed=packed),)))
    caps = asked(pair)
    assert caps.events[0].packs
    words = (
        ("ELEMENT_GROUPED", "EVENT_GROUPED")[mode - 1],
        ("STS_LAST", "STS_FIRST")[timestamp_mode],
    )
    offer = XcpPackedMode(*words, "MANDATORY", 4)  # what only an A2L tells
    caps = replace(caps, events=(replace(caps.events[0], packed_mode=offer),))
    wanted = (signal("a", 0), signal("b", 16, "<u2"), signal("c", 40, ("u1", (6,))))
    plan = compile_plan(Wanted(wanted), caps)
    assert plan.rasters[0].packed.sample_count == 4
    pids = pair.run(setup(pair.session, plan.lists))
    told = pair.run(ask(level1.GetDaqPackedMode(daq_list=0)))
    assert (told.daq_packed_mode, told.timestamp_mode, told.sample_count) == (
        mode,
        timestamp_mode,
        4,
    )
    decoder = DaqDecoder(plan, dict(enumerate(pids)), ClockReading(0, 0))
    pair.run(start())
    truths = []
    for turn in range(1, 13):
        pair.memory.write(RAM, bytes([turn]) * 64)
        truths.append(turn)
        pair.event(0, turn * MS)
    (block,) = decoder.feed(DtoBatch(pair.now_ns, list(pair.dtos)))
    assert block.column("a").tolist() == [turn * 0x01010101 for turn in truths]
    assert block.column("b").tolist() == [turn * 0x0101 for turn in truths]
    assert block.column("c").tolist() == [[turn] * 6 for turn in truths]
    assert block.t_ns.tolist() == [turn * MS for turn in truths]


def test_stim_lists_are_set_up_completely():
    events = (EventConfig(0, "1ms", time_cycle=1, stim=True),)
    pair = Pair(config(events=events, bit_stim=True, granularity_odt_entry_stim=1))
    wanted = (
        signal("out", 0, "<u2"),
        signal("in", 64, "<u4", stim=True),
        signal("flag", 80, "u1", stim=True, bit=3),
    )
    plan = compile_plan(Wanted(wanted), asked(pair))
    assert [(s.daq_list, s.stim) for s in plan.lists] == [(0, False), (1, True)]
    assert [e.bit_offset for e in plan.lists[1].odts[0].entries] == [0xFF, 3]
    pair.run(setup(pair.session, plan.lists))
    state = pair.run(ask(daq.GetDaqListMode(daq_list=1)))
    assert (state.mode.direction_stim, state.event_channel) == (1, 0)
    pair.run(ask(daq.SetDaqPtr(daq_list=1, odt=0, odt_entry=1)))
    entry = pair.run(ask(daq.ReadDaq()))
    assert (entry.bit_offset, entry.size, entry.address) == (3, 1, RAM.value + 80)


def test_a_slave_that_ignores_direction_stim_is_found_out():
    events = (EventConfig(0, "1ms", time_cycle=1, stim=True),)
    pair = Pair(config(events=events))
    plan = compile_plan(Wanted((signal("in", 64, stim=True),)), asked(pair))
    pair.to_slave.hook = lambda p, _: [(0, bytes([p[0], p[1] & ~2]) + p[2:] if p[0] == 0xE0 else p)]
    with pytest.raises(RemoteProtocolError, match="direction STIM"):
        pair.run(setup(pair.session, plan.lists))


def test_one_list_without_identification_field():
    pair = Pair(config(identification_field=0, pid_off=True, overload=0))
    wanted = Wanted((signal("a", 0), signal("b", 16, "<u2")), pid_off=True, can_ids=(0x123,))
    plan = compile_plan(wanted, asked(pair))
    blocks = measured(pair, plan, [(0, MS), (0, 2 * MS)])
    assert len(pair.dtos[0]) == 4 + 4 + 2
    assert check_values(pair, plan, blocks, wanted.signals) == {"a", "b"}


def test_alternating_lists_have_no_timestamps():
    pair = Pair(config(alternating=0))
    plan = compile_plan(Wanted((signal("a", 0),), alternating=True), asked(pair))
    assert plan.rasters[0].cycle_ns == 2 * MS
    blocks = measured(pair, plan, [(0, n * MS) for n in range(6)])
    assert sum(map(len, blocks)) == 3


# ------------------------------------------------------------------------------ other habits


def two_lists(pair):
    return compile_plan(Wanted(SIGNALS), asked(pair)).lists


def refuse_mode(pair, code, mode):
    """The slave finds one mode of a command not valid."""
    pair.to_slave.hook = lambda p, _: [
        (0, bytes([code, 9]) + p[2:] if p[:2] == bytes([code, mode]) else p)
    ]


def test_a_refusal_of_multiple_writes_is_remembered():
    pair = Pair(config(disabled=frozenset({"WRITE_DAQ_MULTIPLE"})))
    habits = SetupHabits()
    for _ in range(3):
        pair.run(setup(pair.session, two_lists(pair), habits=habits))
    assert habits.multiple is False
    assert pair.seen.count("WRITE_DAQ_MULTIPLE") == 1
    known = Pair(config())
    known.run(setup(known.session, two_lists(known), multiple=False))
    assert "WRITE_DAQ_MULTIPLE" not in known.seen


@pytest.mark.parametrize("selects", [True, False])
def test_slaves_that_only_start_single_lists(selects):
    pair = Pair(config(disabled=frozenset({"START_STOP_SYNCH"})))
    lists = two_lists(pair)
    if not selects:
        refuse_mode(pair, 0xDE, 2)
    habits = SetupHabits()
    assert pair.run(setup(pair.session, lists, habits=habits)) == (0, 0)
    assert habits.selects is selects
    with pytest.raises(NegativeResponseError):
        pair.run(start())
    pair.run(start(lists))
    pair.event(0)
    pair.event(1)
    assert {dto[1] for dto in pair.dtos} == {0, 1}


def test_single_starts_are_all_or_nothing():
    pair = Pair(config(disabled=frozenset({"START_STOP_SYNCH"})))
    lists = two_lists(pair)
    pair.run(setup(pair.session, lists))
    refused = bytes([0xDE, 1, 1, 0])
    pair.to_slave.hook = lambda p, _: [(0, bytes([0xDE, 9]) + p[2:] if p == refused else p)]
    with pytest.raises(NegativeResponseError):
        pair.run(start(lists))
    assert not pair.slave.daq_running


def test_slaves_that_only_start_selected_lists():
    pair = Pair()
    lists = two_lists(pair)
    pair.run(setup(pair.session, lists))
    pair.run(stop())  # nothing is selected any more
    refuse_mode(pair, 0xDE, 1)
    assert pair.run(start_list(1)) == 0
    pair.event(0)
    pair.event(1)
    assert {dto[1] for dto in pair.dtos} == {1}
    refuse_mode(pair, 0xDE, 0)
    pair.run(stop_list(1))
    assert not pair.slave.daq_running


def test_single_lists_start_and_stop():
    pair = Pair(config(identification_field=0))
    lists = two_lists(pair)
    pids = pair.run(setup(pair.session, lists))
    assert pair.run(start_list(1)) == pids[1]
    pair.run(start_list(0))
    pair.run(stop_list(0))
    pair.event(0)
    pair.event(1)
    assert {dto[0] for dto in pair.dtos} == {pids[1]}
    with pytest.raises(NegativeResponseError):
        pair.run(start_list(7))
    with pytest.raises(NegativeResponseError):
        pair.run(stop_list(7))


@pytest.mark.parametrize("disabled", [(), ("START_STOP_SYNCH",)])
def test_some_lists_stop_together(disabled):
    pair = Pair(config(disabled=frozenset(disabled)))
    lists = two_lists(pair)
    pair.run(setup(pair.session, lists))
    pair.run(start(lists))
    pair.run(stop_selected([0]))
    pair.event(0)
    pair.event(1)
    assert {dto[1] for dto in pair.dtos} == {1}
    with pytest.raises(NegativeResponseError):
        pair.run(stop_selected([7]))


def test_the_start_is_prepared_where_the_slave_can():
    pair = Pair()
    pair.run(setup(pair.session, two_lists(pair)))
    assert pair.run(prepare())
    pair.run(start())
    assert pair.slave.daq_running
    old = Pair(config(protocol_version=1))
    old.run(setup(old.session, two_lists(old)))
    assert not old.run(prepare())
    wrong = Pair()
    with pytest.raises(NegativeResponseError):
        wrong.run(prepare())


def test_lists_that_cannot_be_read_whole_are_not_used():
    pair = Pair(
        config(dynamic=False, fixed_lists=PREDEFINED, disabled=frozenset({"READ_DAQ"}), max_cto=8)
    )
    told = pair.run(daq_info(pair.session))
    assert [one.odts for one in told.lists] == [(), ()]
    pair = Pair(
        config(dynamic=False, fixed_lists=STATIC, disabled=frozenset({"GET_DAQ_LIST_INFO"}))
    )
    assert pair.run(daq_info(pair.session)).lists == ()


def test_timestamps_of_one_byte_still_fit():
    pair = Pair(config(timestamp=TickClock(1, 6, 1), events=EVENTS[:2]))
    plan = compile_plan(Wanted(SIGNALS), asked(pair))
    blocks = measured(pair, plan, [(0, MS), (1, 2 * MS)])
    assert check_values(pair, plan, blocks, SIGNALS) == {"a", "b", "c", "d"}
