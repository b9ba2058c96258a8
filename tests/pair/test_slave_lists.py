"""Predefined, static and dynamic lists of a slave, and every rule that refuses a start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import EVENTS, RAM, Pair, config
from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, SettingsError, UnknownCommandError
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq
from xcaliper.xcp.codes import DaqListModeRequest, ErrorCode
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_config import DaqMemory, DaqTotals, FixedList
from xcaliper.xcp.slave_daq_config import CpuLoad, PackedConfig, QueueLoad

PREDEFINED = FixedList(
    entries=(
        (OdtEntry(RAM, 4), OdtEntry(RAM + 16, 2)),
        (OdtEntry(RAM + 32, 8),),
    ),
    event_fixed=1,
)
STATIC = FixedList(max_odt=2, max_odt_entries=3, stim=True)
STIM_EVENTS = (replace(EVENTS[0], stim=True), EVENTS[1], EVENTS[2])


def mode(daq_list: int = 0, event: int = 0, bits: int = 0x10, **more) -> daq.SetDaqListMode:
    return daq.SetDaqListMode(
        mode=DaqListModeRequest(bits), daq_list=daq_list, event_channel=event, **more
    )


def refused(pair: Pair, request, code: ErrorCode) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(ask(request))
    assert caught.value.code == code, request


def write(pair: Pair, entries, daq_list: int = 0, odt: int = 0) -> None:
    pair.run(ask(daq.SetDaqPtr(daq_list=daq_list, odt=odt, odt_entry=0)))
    for address, size in entries:
        pair.run(
            ask(daq.WriteDaq(size=size, address=address.value, address_extension=address.extension))
        )


def allocate(pair: Pair, *odts: int, first: int = 0) -> None:
    """One dynamic list with ODTs of so many entries."""
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=1)))
    pair.run(ask(daq.AllocOdt(daq_list=first, odt_count=len(odts))))
    for odt, count in enumerate(odts):
        pair.run(ask(daq.AllocOdtEntry(daq_list=first, odt=odt, entry_count=count)))


def prepared(*odts, event: int = 0, bits: int = 0x10, **changes) -> Pair:
    """A slave with one dynamic list, written and bound to an event."""
    pair = Pair(config(**changes))
    allocate(pair, *map(len, odts))
    for number, entries in enumerate(odts):
        write(pair, entries, odt=number)
    pair.run(ask(mode(event=event, bits=bits)))
    return pair


START = daq.StartStopDaqList(mode=1, daq_list=0)


# -- lists that are there from the start ----------------------------------------------------------


def test_a_predefined_list_is_read_and_started_but_not_written() -> None:
    pair = Pair(config(fixed_lists=(PREDEFINED,)))
    info = pair.run(ask(daq.GetDaqListInfo(daq_list=0)))
    properties = info.daq_list_properties
    assert (properties.predefined, properties.event_fixed, properties.daq) == (1, 1, 1)
    assert (info.max_odt, info.max_odt_entries, info.fixed_event) == (2, 2, 1)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=1)))
    read = pair.run(ask(daq.ReadDaq()))
    assert (read.address, read.size) == ((RAM + 16).value, 2)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    refused(pair, daq.WriteDaq(size=1, address=RAM.value), ErrorCode.ERR_WRITE_PROTECTED)
    refused(pair, mode(event=0), ErrorCode.ERR_OUT_OF_RANGE)
    pair.run(ask(START))
    pair.event(0)
    pair.event(1)
    ram = pair.memory.read(RAM, 64)
    assert pair.dtos == [b"\0\0" + ram[0:4] + ram[16:18], b"\1\0" + ram[32:40]]
    pair.run(ask(daq.ClearDaqList(daq_list=0)))
    pair.event(1)
    assert len(pair.dtos) == 2
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=1, odt_entry=0)))
    assert pair.run(ask(daq.ReadDaq())).size == 8  # the entries stay


def test_some_slaves_protect_predefined_lists_from_clearing() -> None:
    pair = Pair(config(fixed_lists=(PREDEFINED,), clear_predefined=False))
    refused(pair, daq.ClearDaqList(daq_list=0), ErrorCode.ERR_ACCESS_DENIED)


def test_clearing_resets_mode_and_state() -> None:
    pair = prepared([(RAM, 4)])
    pair.run(ask(START))
    pair.run(ask(daq.ClearDaqList(daq_list=0)))
    state = pair.run(ask(daq.GetDaqListMode(daq_list=0)))
    assert (state.mode.running, state.mode.timestamp, state.prescaler) == (0, 0, 1)
    refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


def test_static_lists_have_their_size_and_no_allocation() -> None:
    pair = Pair(config(dynamic=False, fixed_lists=(PREDEFINED, STATIC), events=STIM_EVENTS))
    processor = pair.run(ask(daq.GetDaqProcessorInfo()))
    assert not processor.daq_properties.dynamic
    assert (processor.max_daq, processor.min_daq) == (2, 1)
    info = pair.run(ask(daq.GetDaqListInfo(daq_list=1)))
    properties = info.daq_list_properties
    assert (properties.predefined, properties.event_fixed) == (0, 0)
    assert (properties.daq, properties.stim) == (1, 1)
    assert (info.max_odt, info.max_odt_entries) == (2, 3)
    for request in (
        daq.FreeDaq(),
        daq.AllocDaq(daq_count=1),
        daq.AllocOdt(daq_list=1, odt_count=1),
        daq.AllocOdtEntry(daq_list=1, odt=0, entry_count=1),
    ):
        with pytest.raises(UnknownCommandError):
            pair.run(ask(request))
    refused(pair, daq.SetDaqPtr(daq_list=1, odt=2, odt_entry=0), ErrorCode.ERR_OUT_OF_RANGE)
    refused(pair, daq.SetDaqPtr(daq_list=1, odt=0, odt_entry=3), ErrorCode.ERR_OUT_OF_RANGE)
    write(pair, [(RAM, 1), (RAM + 5, 1)], daq_list=1)
    pair.run(ask(mode(daq_list=1, bits=0)))
    pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=1)))
    pair.event(0)
    assert pair.dtos == [b"\0\1\0\5"]
    pair.run(ask(daq.ClearDaqList(daq_list=1)))
    assert pair.run(ask(daq.GetDaqListInfo(daq_list=1))).max_odt_entries == 3


def test_dynamic_lists_stand_behind_the_predefined_ones() -> None:
    pair = Pair(config(fixed_lists=(PREDEFINED,), identification_field=0))
    assert pair.run(ask(daq.GetDaqProcessorInfo())).max_daq == 1
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=2)))
    assert pair.run(ask(daq.GetDaqProcessorInfo())).max_daq == 3
    refused(pair, daq.AllocOdt(daq_list=0, odt_count=1), ErrorCode.ERR_OUT_OF_RANGE)
    allocate(pair, 1, first=1)
    write(pair, [(RAM + 3, 1)], daq_list=1)
    pair.run(ask(mode(daq_list=1, bits=0)))
    pids = [
        pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=number))).first_pid for number in (0, 1)
    ]
    assert pids == [0, 2]
    pair.event(0)
    assert pair.dtos == [b"\2\3"]
    pair.run(ask(daq.FreeDaq()))
    pair.event(0)
    pair.event(1)
    assert len(pair.dtos) == 1  # the predefined list was stopped too
    assert pair.run(ask(daq.GetDaqProcessorInfo())).max_daq == 1


def test_a_new_session_finds_fixed_lists_as_they_were_made() -> None:
    pair = Pair(config(dynamic=False, fixed_lists=(STATIC,), events=STIM_EVENTS))
    write(pair, [(RAM, 1)])
    pair.slave.drop(0)
    pair.slave.receive(b"\xff\0", 0)
    assert pair.slave.outgoing()[0][0] == 0xFF
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    assert pair.run(ask(daq.ReadDaq())).size == 0


def test_max_daq_may_be_the_limit() -> None:
    pair = Pair(config(fixed_lists=(PREDEFINED,), max_daq_is_limit=True, max_daq_lists=7))
    assert pair.run(ask(daq.GetDaqProcessorInfo())).max_daq == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"fixed_lists": (STATIC,)},
        {"dynamic": False, "fixed_lists": (STATIC, PREDEFINED)},
        {"fixed_lists": (replace(PREDEFINED, event_fixed=9),)},
        {"fixed_lists": (replace(PREDEFINED, daq=False),)},
        {"dynamic": False, "fixed_lists": (replace(STATIC, max_odt=253),)},
        {"dynamic": False, "fixed_lists": (FixedList(),)},
        {"fixed_lists": (PREDEFINED,) * 256},
        {"identification_field": 0, "dynamic": False, "fixed_lists": (replace(STATIC, max_odt=130),) * 2},
        {"optimisation_type": 6},
        {"optimisation_strict": True},
        {"address_extension": 2},
        {"pid_off": True},
        {"alternating": 3},
        {"alternating": 0, "timestamp_fixed": True},
        {"link_bytes_per_s": 0},
        {"granularity_odt_entry_stim": 3},
        {"events": (replace(EVENTS[0], packed=PackedConfig(mode=3)),)},
        {"events": (replace(EVENTS[0], packed=PackedConfig(timestamp_mode=2)),)},
        {"events": (replace(EVENTS[0], packed=PackedConfig(alternatives=(0,))),)},
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(changes: dict) -> None:
    with pytest.raises(SettingsError):
        config(**changes)


# -- modes ----------------------------------------------------------------------------------------

MODES = [
    (mode(priority=1), {"priority": False}, ErrorCode.ERR_OUT_OF_RANGE),
    (mode(bits=0x01), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(bits=0x01, event=1), {"alternating": 0}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(bits=0x11), {"alternating": 0}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(bits=0x20), {"identification_field": 0}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(bits=0x12, event=1), {"events": STIM_EVENTS}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(bits=0x12, prescaler=2), {"events": STIM_EVENTS}, ErrorCode.ERR_OUT_OF_RANGE),
    (
        mode(),
        {"events": (replace(EVENTS[0], max_daq_list=0), *EVENTS[1:])},
        ErrorCode.ERR_MODE_NOT_VALID,
    ),
    (
        mode(bits=0x12),
        {"dynamic": False, "fixed_lists": (replace(STATIC, stim=False),), "events": STIM_EVENTS},
        ErrorCode.ERR_MODE_NOT_VALID,
    ),
]


@pytest.mark.parametrize(("request_", "changes", "code"), MODES)
def test_modes_that_list_or_slave_cannot_have(request_, changes: dict, code: ErrorCode) -> None:
    pair = Pair(config(**changes))
    if pair.config.dynamic:
        allocate(pair, 1)
    refused(pair, request_, code)


def test_alternating_lists_take_turns_at_every_second_cycle() -> None:
    pair = Pair(config(alternating=0))
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=2)))
    for number in range(2):
        pair.run(ask(daq.AllocOdt(daq_list=number, odt_count=1)))
    for number in range(2):
        pair.run(ask(daq.AllocOdtEntry(daq_list=number, odt=0, entry_count=1)))
    for number in range(2):
        write(pair, [(RAM + number, 1)], daq_list=number)
        pair.run(ask(mode(daq_list=number, bits=0x01)))
        pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=number)))
    pair.run(ask(daq.StartStopSynch(mode=1)))
    for _ in range(5):
        pair.event(0)
    assert [packet[1] for packet in pair.dtos] == [0, 1, 0, 1, 0]


def test_pid_off_leaves_out_the_identification_field() -> None:
    changes = {"identification_field": 0, "pid_off": True}
    pair = prepared([(RAM + 1, 2)], bits=0x30, **changes)
    assert pair.run(ask(daq.GetDaqListMode(daq_list=0))).mode.pid_off
    pair.run(ask(START))
    pair.event(0, 7_000)
    assert pair.dtos == [b"\7\0\0\0\1\2"]
    two = prepared([(RAM, 1)], [(RAM, 1)], bits=0x30, **changes)
    refused(two, START, ErrorCode.ERR_DAQ_CONFIG)


def test_stim_lists_are_set_up_and_read_back() -> None:
    pair = prepared([(RAM, 4)], bits=0x12, events=STIM_EVENTS)
    assert pair.run(ask(daq.GetDaqListMode(daq_list=0))).mode.direction_stim
    assert pair.run(ask(daq.GetDaqListInfo(daq_list=0))).daq_list_properties.stim
    pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=0)))
    pair.run(ask(daq.StartStopSynch(mode=1)))
    assert pair.run(ask(daq.GetDaqListMode(daq_list=0))).mode.running


def test_a_refused_synchronous_start_starts_nothing_and_keeps_the_selection() -> None:
    pair = Pair(config())
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=2)))
    pair.run(ask(daq.AllocOdt(daq_list=0, odt_count=1)))
    pair.run(ask(daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1)))
    write(pair, [(RAM, 1)])
    pair.run(ask(mode()))
    for number in range(2):
        pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=number)))
    refused(pair, daq.StartStopSynch(mode=1), ErrorCode.ERR_DAQ_CONFIG)
    pair.event(0)
    assert pair.dtos == []
    assert pair.run(ask(daq.GetDaqListMode(daq_list=0))).mode.selected


# -- entries --------------------------------------------------------------------------------------


def test_bits_need_entries_of_one_granule() -> None:
    pair = Pair(config(granularity_odt_entry=2))
    allocate(pair, 3)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    bad = daq.WriteDaq(size=4, address=RAM.value, bit_offset=3)
    refused(pair, bad, ErrorCode.ERR_OUT_OF_RANGE)
    pair.run(ask(daq.WriteDaq(size=2, address=RAM.value, bit_offset=31)))


def test_stim_has_its_own_granularity_and_sizes() -> None:
    pair = Pair(
        config(
            events=STIM_EVENTS,
            granularity_odt_entry=1,
            granularity_odt_entry_stim=4,
            max_odt_entry_size=8,
            max_odt_entry_size_stim=16,
            bit_stim=False,
        )
    )
    resolution = pair.run(ask(daq.GetDaqResolutionInfo()))
    assert (resolution.granularity_daq, resolution.granularity_stim) == (1, 4)
    assert (resolution.max_entry_size_daq, resolution.max_entry_size_stim) == (8, 16)
    allocate(pair, 4)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    pair.run(ask(daq.WriteDaq(size=12, address=RAM.value)))  # STIM takes it, DAQ does not
    pair.run(ask(daq.WriteDaq(size=3, address=RAM.value + 1)))  # the other way round
    refused(pair, daq.WriteDaq(size=17, address=RAM.value), ErrorCode.ERR_OUT_OF_RANGE)
    pair.run(ask(mode()))
    refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)  # 12 bytes are too long for DAQ
    refused(pair, daq.WriteDaq(size=12, address=RAM.value), ErrorCode.ERR_OUT_OF_RANGE)


FOUR, OTHER = Address(RAM.value, 0), Address(RAM.value + 8, 1)
OPTIMISATIONS = [
    (1, [(RAM, 2), (RAM + 2, 2)], [(RAM, 4), (RAM + 4, 1)]),
    (2, [(RAM, 4), (RAM + 8, 8)], [(RAM, 4), (RAM + 4, 2)]),
    (2, [(RAM, 1), (RAM + 3, 1)], [(RAM + 2, 4)]),
    (3, [(RAM, 8)], [(RAM, 8), (RAM + 8, 4)]),
    (4, [(RAM, 8), (RAM + 12, 4), (RAM + 1, 1)], [(RAM, 1), (RAM + 4, 4)]),
    (4, [(RAM, 4)], [(RAM + 2, 4)]),
    (5, [(RAM, 8), (RAM + 3, 8)], [(RAM, 8), (RAM + 8, 4)]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), OPTIMISATIONS)
def test_odts_that_do_not_follow_a_strict_optimisation(kind: int, good, bad) -> None:
    changes = {"optimisation_type": kind, "max_odt_entry_size": 8}
    pair = prepared(good, optimisation_strict=True, **changes)
    key = pair.run(ask(daq.GetDaqProcessorInfo())).daq_key_byte
    assert key.optimisation_type == (kind | 8 if kind in (1, 2, 3) else kind)
    pair.run(ask(START))
    refused(prepared(bad, optimisation_strict=True, **changes), START, ErrorCode.ERR_DAQ_CONFIG)
    prepared(bad, **changes).run(ask(START))  # tolerated where it only costs time


@pytest.mark.parametrize(
    ("rule", "odts", "fits"),
    [
        (0, (0, 1), True),
        (1, (0, 1), False),
        (3, (0, 1), False),
        (1, (0,), True),
    ],
)
def test_address_extensions_in_an_odt(rule: int, odts, fits: bool) -> None:
    entries = [(Address(RAM.value + 8 * n, n), 4) for n in odts]
    pair = extended(rule, [entries])
    if fits:
        pair.run(ask(START))
    else:
        refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


@pytest.mark.parametrize(("rule", "fits"), [(0, True), (1, True), (3, False)])
def test_address_extensions_in_a_list(rule: int, fits: bool) -> None:
    pair = extended(rule, [[(Address(RAM.value, 0), 4)], [(Address(RAM.value, 1), 4)]])
    if fits:
        pair.run(ask(START))
    else:
        refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


def extended(rule: int, odts) -> Pair:
    """A slave whose RAM is there under extension 1 too."""
    pair = Pair(config(address_extension=rule))
    pair.memory.plain.add(Address(RAM.value, 1), bytes(64))
    allocate(pair, *map(len, odts))
    for number, entries in enumerate(odts):
        write(pair, entries, odt=number)
    pair.run(ask(mode()))
    assert pair.run(ask(daq.GetDaqProcessorInfo())).daq_key_byte.address_extension == rule
    return pair


# -- the DAQ pointer ------------------------------------------------------------------------------


def test_a_pointer_to_an_entry_that_is_gone_is_refused() -> None:
    """ALLOC_ODT_ENTRY again makes the ODT shorter; nothing is written or read beside it."""
    pair = Pair(config())
    allocate(pair, 3)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=2)))
    pair.run(ask(daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1)))
    refused(pair, daq.WriteDaq(size=1, address=RAM.value), ErrorCode.ERR_OUT_OF_RANGE)
    refused(pair, daq.ReadDaq(), ErrorCode.ERR_OUT_OF_RANGE)
    assert pair.slave.state.daq.lists[0].odts == [[None]]


@pytest.mark.parametrize("alignment", [1, 4])
def test_a_started_list_keeps_to_the_alignment_of_the_transport(alignment: int) -> None:
    """XCP on Ethernet fills every message up (1.3); a DTO of 3 bytes behind LEN and CTR takes 7 or 8."""
    pair = prepared([(RAM, 1)], bits=0)
    pair.slave.alignment = alignment
    assert pair.slave.alignment == alignment
    pair.run(ask(START))
    pair.slave.event(0, 0)
    (block,) = pair.slave.outgoing_blocks()
    assert bytes(block.numbered(7)) == bytes.fromhex("0300 0700 0000 00") + bytes(alignment // 4)
    assert block.packets() == [bytes(3)]


# -- limits ---------------------------------------------------------------------------------------

MEMORY = DaqMemory(100, per_list=10, per_odt=5, per_entry=2, daq_buffer=1, reserve=(50, 0))


def test_descriptors_that_need_more_memory_than_there_is() -> None:
    pair = Pair(config(daq_memory=MEMORY))
    pair.run(ask(daq.FreeDaq()))
    refused(pair, daq.AllocDaq(daq_count=11), ErrorCode.ERR_MEMORY_OVERFLOW)
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=1)))
    refused(pair, daq.AllocOdt(daq_list=0, odt_count=19), ErrorCode.ERR_MEMORY_OVERFLOW)
    pair = Pair(config(daq_memory=MEMORY))
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=1)))
    pair.run(ask(daq.AllocOdt(daq_list=0, odt_count=1)))
    over = daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=43)
    refused(pair, over, ErrorCode.ERR_MEMORY_OVERFLOW)


@pytest.mark.parametrize(("size", "fits"), [(54, True), (56, False)])
def test_buffers_count_at_the_start(size: int, fits: bool) -> None:
    """100 - 10 - 5 - 2 elements are left for half as much again as the ODT carries."""
    pair = prepared([(RAM, size)], daq_memory=MEMORY, bits=0)
    if fits:
        pair.run(ask(START))
    else:
        refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


def test_an_event_may_have_a_reserve_of_its_own() -> None:
    events = (replace(EVENTS[0], buffer_reserve=(100, 0)), *EVENTS[1:])
    prepared([(RAM, 41)], daq_memory=MEMORY, events=events, bits=0).run(ask(START))
    tight = prepared([(RAM, 42)], daq_memory=MEMORY, events=events, bits=0)
    refused(tight, START, ErrorCode.ERR_DAQ_CONFIG)


def test_of_static_lists_what_is_written_counts() -> None:
    """A list of 200 ODTs of which one is used takes no more than a dynamic one of that size."""
    fixed = (FixedList(max_odt=200, max_odt_entries=50), FixedList(max_odt=200, max_odt_entries=50))
    for size, totals, fits in (
        (54, DaqTotals(), True),
        (56, DaqTotals(), False),
        (1, DaqTotals(odt_daq=1, odt_entries_daq=1), True),
        (1, DaqTotals(odt_entries_daq=0), False),
    ):
        pair = Pair(config(dynamic=False, fixed_lists=fixed, daq_memory=MEMORY, totals=totals))
        pair.run(ask(mode(bits=0)))
        pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
        pair.run(ask(daq.WriteDaq(size=size, address=RAM.value)))
        if fits:
            pair.run(ask(START))
        else:
            refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


def test_stim_packets_have_a_limit_of_their_own() -> None:
    pair = Pair(config(events=STIM_EVENTS, max_dto_stim=16))
    allocate(pair, 2)
    pair.run(ask(mode(bits=0x12)))
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    pair.run(ask(daq.WriteDaq(size=14, address=RAM.value)))
    refused(pair, daq.WriteDaq(size=1, address=RAM.value), ErrorCode.ERR_DAQ_CONFIG)


def test_totals_over_all_lists() -> None:
    pair = Pair(config(totals=DaqTotals(daq=2, odt=3)))
    pair.run(ask(daq.FreeDaq()))
    refused(pair, daq.AllocDaq(daq_count=3), ErrorCode.ERR_MEMORY_OVERFLOW)
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=2)))
    pair.run(ask(daq.AllocOdt(daq_list=0, odt_count=2)))
    refused(pair, daq.AllocOdt(daq_list=1, odt_count=2), ErrorCode.ERR_MEMORY_OVERFLOW)
    for totals in (DaqTotals(odt_daq=1), DaqTotals(odt_entries_daq=1)):
        pair = prepared([(RAM, 1)], [(RAM, 1)], totals=totals)
        refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


#: An entry of 13 elements costs four times what 4 cost: 1680, of 3 as much as one of 4.
LOAD = CpuLoad(per_list=100, per_odt=10, per_entry=1, sizes=((1, 150), (4, 420)))


@pytest.mark.parametrize(
    ("entries", "load"),
    [
        ([(RAM, 13)], 100 + 10 + 1 + 1680),
        ([(RAM, 3), (RAM, 1)], 100 + 10 + 2 + 420 + 150),
    ],
)
def test_cpu_load_of_an_event_and_of_all(entries, load: float) -> None:
    def events(limit: float):
        return (replace(EVENTS[0], cpu_load=LOAD, cpu_load_max=limit), *EVENTS[1:])

    prepared(entries, events=events(load)).run(ask(START))
    refused(prepared(entries, events=events(load - 1)), START, ErrorCode.ERR_DAQ_CONFIG)
    free = (replace(EVENTS[0], cpu_load=LOAD), *EVENTS[1:])
    prepared(entries, events=free, cpu_load_max_total=load).run(ask(START))
    tight = prepared(entries, events=free, cpu_load_max_total=load - 1)
    refused(tight, START, ErrorCode.ERR_DAQ_CONFIG)


def test_cores_have_limits_of_their_own() -> None:
    load = CpuLoad(per_list=8, cores=((0, 0.25), (1, 0.75)))
    queue = QueueLoad(per_odt=2, cores=((1, 1.0),))
    events = (replace(EVENTS[0], cpu_load=load, queue_load=queue), *EVENTS[1:])
    for limits, fits in (
        ({"core_load_max": ((0, 2.0), (1, 8.0)), "core_load_max_total": 10.0}, True),
        ({"core_load_max": ((0, 1.9),)}, False),
        ({"core_load_max": ((1, 7.9),)}, False),
        ({"core_load_max_total": 9.9}, False),
    ):
        pair = prepared([(RAM, 1)], events=events, **limits)
        if fits:
            pair.run(ask(START))
        else:
            refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


@pytest.mark.parametrize(("limit", "fits"), [(13.0, True), (12.9, False)])
def test_stimulation_costs_too(limit: float, fits: bool) -> None:
    first = replace(
        STIM_EVENTS[0],
        cpu_load=CpuLoad(per_list=99),
        cpu_load_stim=CpuLoad(per_list=10, per_entry=1),
        queue_load_stim=QueueLoad(1, 0.5),
        cpu_load_max=limit,
    )
    pair = prepared([(RAM, 2)], events=(first, *STIM_EVENTS[1:]), bits=2)
    if fits:
        pair.run(ask(START))
    else:
        refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)


def test_queueing_costs_too() -> None:
    events = (replace(EVENTS[0], queue_load=QueueLoad(5, 0.5), cpu_load_max=7.0), *EVENTS[1:])
    prepared([(RAM, 4)], events=events).run(ask(START))
    refused(prepared([(RAM, 5)], events=events), START, ErrorCode.ERR_DAQ_CONFIG)


@pytest.mark.parametrize("overload", [0, 1, 2])
def test_a_link_that_takes_only_so_much(overload: int) -> None:
    """Ten bytes per sample and event on a link of 5000 bytes per second: every second one is lost."""
    pair = prepared(
        [(RAM, 4)],
        link_bytes_per_s=5_000,
        link_burst_bytes=10,
        overload=overload,
        timestamp=TickClock(1, 3, 4),
    )
    pair.run(ask(START))
    for turn in range(20):
        pair.event(0, 1_000_000 * (turn + 1))
    assert pair.slave.counters.lost_samples == 10
    assert len(pair.dtos) == 10
    marked = [packet[0] >> 7 for packet in pair.dtos]
    assert marked == ([0] + [1] * 9 if overload == 1 else [0] * 10)
    told = [event.name for event in pair.master.events()]
    assert told == (["EV_DAQ_OVERLOAD"] * 10 if overload == 2 else [])
