"""Packed mode and DTO counter of a slave, from the commands to the bytes of the DTOs."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pair.link import EVENTS, RAM, Pair, config
from pair.test_slave_lists import START, allocate, mode, prepared, refused
from xcaliper.core.errors import SettingsError, UnknownCommandError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, level1, timecorr
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.dto import Dto, decode_dto, split_packed
from xcaliper.xcp.procedures.connect import Session
from xcaliper.xcp.procedures.counters import count_own_events
from xcaliper.xcp.procedures.daq_info import PackedMode, packed_mode
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig


def packed_events(**settings) -> tuple:
    made = PackedConfig(**({"sample_count": 3, "alternatives": (2,)} | settings))
    return (replace(EVENTS[0], packed=made), *EVENTS[1:])


def packed(mode_: int = 1, stamp: int = 0, count: int = 3) -> level1.SetDaqPackedMode:
    return level1.SetDaqPackedMode(
        daq_list=0, daq_packed_mode=mode_, timestamp_mode=stamp, sample_count=count
    )


OFF = level1.SetDaqPackedMode(daq_list=0, daq_packed_mode=0, timestamp_mode=None, sample_count=None)


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [(1, "10 11 12 2010 2111 2212"), (2, "10 2010 11 2111 12 2212")],
)
@pytest.mark.parametrize(("stamp", "ticks"), [(0, 3_000), (1, 1_000)])
def test_samples_are_grouped_and_stamped(grouping: int, expected: str, stamp: int, ticks) -> None:
    """Entries A (1 byte) and B (2 bytes), samples 0 to 2: the layout of the standard, by hand."""
    pair = prepared(
        [(RAM, 1), (RAM + 8, 2)], events=packed_events(mode=grouping, timestamp_mode=stamp)
    )
    pair.run(ask(packed(grouping, stamp)))
    assert pair.run(packed_mode(0)) == PackedMode(grouping, stamp, 3)
    answer = pair.run(ask(level1.GetDaqPackedMode(daq_list=0)))
    assert (answer.daq_packed_mode, answer.timestamp_mode, answer.sample_count) == (
        grouping,
        stamp,
        3,
    )
    pair.run(ask(START))
    for turn in range(3):
        assert pair.dtos == []
        pair.memory.write(RAM, bytes((0x10 + turn,)))
        pair.memory.write(RAM + 8, bytes((0x20 + turn, 0x10 + turn)))
        pair.event(0, 1_000_000 * (turn + 1))
    assert pair.dtos == [b"\0\0" + struct.pack("<I", ticks) + bytes.fromhex(expected)]


@pytest.mark.parametrize("grouping", [1, 2])
def test_a_set_of_one_sample_carries_that_sample(grouping: int) -> None:
    """A sample count of 1 is allowed; each event sends what the memory holds then."""
    once = packed_events(mode=grouping, sample_count=1, alternatives=())
    pair = prepared([(RAM, 1), (RAM + 8, 2)], events=once, bits=0)
    pair.run(ask(packed(grouping, count=1)))
    pair.run(ask(START))
    for turn in range(2):
        pair.memory.write(RAM, bytes((0x10 + turn,)))
        pair.memory.write(RAM + 8, b"\x22\x33")
        pair.event(0)
    assert pair.dtos == [bytes.fromhex("0000 10 2233"), bytes.fromhex("0000 11 2233")]


@pytest.mark.parametrize("grouping", [1, 2])
def test_every_odt_of_a_set_is_packed_on_its_own(grouping: int) -> None:
    pair = prepared(
        [(RAM, 4), (RAM + 9, 3)], [(RAM + 32, 8)], events=packed_events(mode=grouping), bits=0
    )
    pair.run(ask(packed(grouping)))
    pair.run(ask(START))
    rows = []
    for turn in range(6):
        pair.memory.write(RAM, bytes((turn + at) % 256 for at in range(64)))
        rows.append(pair.memory.read(RAM, 64))
        pair.event(0)
    assert [packet[0] for packet in pair.dtos] == [0, 1, 0, 1]
    for number, dto in enumerate(decode_dto(p, DtoFormat(1)) for p in pair.dtos):
        assert isinstance(dto, Dto)
        sizes = [4, 3] if number % 2 == 0 else [8]
        found = split_packed(dto.data, sizes, grouping, 3)
        places = [0, 9] if number % 2 == 0 else [32]
        now = rows[number // 2 * 3 : number // 2 * 3 + 3]
        assert found == [
            [row[at : at + size] for row in now] for at, size in zip(places, sizes, strict=True)
        ]


def test_a_lost_set_counts_its_samples_and_the_next_one_is_whole() -> None:
    pair = prepared([(RAM, 1)], events=packed_events(), bits=0, queue_size=1)
    pair.run(ask(packed()))
    pair.run(ask(START))
    for turn in range(7):
        pair.memory.write(RAM, bytes((turn,)))
        pair.slave.event(0, turn)
    pair.exchange()
    assert pair.slave.counters.lost_samples == 3
    assert pair.dtos == [b"\0\0\0\1\2"]
    for turn in range(7, 9):
        pair.memory.write(RAM, bytes((turn,)))
        pair.event(0)
    assert pair.dtos[1:] == [b"\0\0\6\7\x08"]


REFUSED = [
    (packed(3), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (packed(2), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (packed(1, 1), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (packed(count=4), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (OFF, {"mandatory": True}, ErrorCode.ERR_MODE_NOT_VALID),
    (
        level1.SetDaqPackedMode(
            daq_list=0, daq_packed_mode=1, timestamp_mode=None, sample_count=None
        ),
        {},
        ErrorCode.ERR_CMD_SYNTAX,
    ),
    (
        level1.SetDaqPackedMode(daq_list=1, daq_packed_mode=1, timestamp_mode=0, sample_count=3),
        {},
        ErrorCode.ERR_OUT_OF_RANGE,
    ),
]


@pytest.mark.parametrize(("request_", "settings", "code"), REFUSED)
def test_packed_modes_that_the_event_does_not_have(request_, settings, code) -> None:
    refused(prepared([(RAM, 1)], events=packed_events(**settings)), request_, code)


def test_counts_and_duties_that_are_possible() -> None:
    pair = prepared([(RAM, 1)], events=packed_events(mandatory=True))
    refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)  # it must be packed
    pair.run(ask(packed(count=2)))
    pair.run(ask(START))
    refused(pair, packed(), ErrorCode.ERR_DAQ_ACTIVE)
    pair = prepared([(RAM, 1)], event=1, events=packed_events())
    refused(pair, packed(), ErrorCode.ERR_MODE_NOT_VALID)  # this event has none
    pair.run(ask(OFF))


def test_a_packed_list_must_fit_its_dtos() -> None:
    """Header 6 and 3 · 41 bytes are 129, one more than MAX_DTO."""
    pair = prepared([(RAM, 41)], events=packed_events())
    pair.run(ask(packed()))
    refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)
    pair = prepared([(RAM, 40)], events=packed_events())
    pair.run(ask(packed()))
    pair.run(ask(START))


def test_packed_mode_may_be_chosen_before_the_event() -> None:
    pair = Pair(config(events=packed_events()))
    allocate(pair, 1)
    pair.run(ask(packed()))
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    pair.run(ask(daq.WriteDaq(size=1, address=RAM.value)))
    pair.run(ask(mode(event=1)))
    refused(pair, START, ErrorCode.ERR_DAQ_CONFIG)
    pair.run(ask(mode(event=0)))
    pair.run(ask(START))


def test_property_bits_tell_of_packed_mode() -> None:
    pair = prepared([(RAM, 1)], events=packed_events())
    told = [
        pair.run(ask(daq.GetDaqEventInfo(event_channel=n))).daq_event_properties.packed
        for n in range(2)
    ]
    assert told == [1, 0]
    assert pair.run(ask(daq.GetDaqListInfo(daq_list=0))).daq_list_properties.packed
    plain = prepared([(RAM, 1)])
    assert not plain.run(ask(daq.GetDaqListInfo(daq_list=0))).daq_list_properties.packed
    refused(plain, packed(), ErrorCode.ERR_SUBCMD_UNKNOWN)


# -- DTO counter ----------------------------------------------------------------------------------


def counted(**settings) -> tuple:
    return (replace(EVENTS[0], counter=CounterConfig(**settings)), *EVENTS[1:])


def properties(modifier: int = 0, *, event: int = 0, related: int = 0, bits: int = 0):
    return timecorr.DtoCtrProperties(
        modifier=timecorr.DtoCtrModifier(modifier),
        event_channel=event,
        related_event_channel=related,
        mode=timecorr.DtoCtrMode(bits),
    )


@pytest.mark.parametrize(
    ("settings", "is_own"),
    [
        (None, True),
        ({}, True),
        ({"related_event": 1}, True),
        ({"related_event": 1, "related_event_fixed": True}, False),
        ({"daq_mode": 1}, True),
        ({"related_event": 1, "daq_mode": 1}, True),
        ({"daq_mode": 1, "daq_mode_fixed": True}, False),
    ],
)
def test_a_measurement_has_the_own_counter_inserted(settings, is_own) -> None:
    made = None if settings is None else CounterConfig(**settings)
    events = (replace(EVENTS[0], counter=made, stim=True), *EVENTS[1:])
    pair = prepared([(RAM, 1)], bits=0x08, events=events)
    assert pair.run(count_own_events(Session(), 0)) is is_own
    if settings is not None:
        now = pair.run(ask(properties()))
        assert is_own == ((now.related_event_channel, now.mode.daq_mode) == (0, 0))


def test_the_counter_of_the_own_event_is_the_default() -> None:
    pair = prepared([(RAM, 1)], bits=0x08, events=counted())
    answer = pair.run(ask(properties()))
    assert (answer.related_event_channel, answer.mode.daq_mode) == (0, 0)
    told = answer.properties
    assert (told.related_event_present, told.daq_mode_present, told.evt_ctr_present) == (1, 1, 1)
    assert (told.related_event_fixed, told.daq_mode_fixed) == (0, 1)
    assert (told.stim_mode_present, told.stim_dto_ctr_copy_present) == (0, 0)
    pair.run(ask(START))
    for _ in range(258):
        pair.event(0)
    assert [packet[2] for packet in pair.dtos[-3:]] == [0, 1, 2]


def test_the_counter_of_another_event() -> None:
    pair = prepared([(RAM, 1)], bits=0x08, events=counted())
    assert pair.run(ask(properties(1, related=1))).related_event_channel == 1
    pair.run(ask(START))
    for _ in range(5):
        pair.event(1)
    pair.event(0)
    pair.event(1)
    pair.event(0)
    assert [packet[2] for packet in pair.dtos] == [5, 6]
    refused(pair, properties(1, related=2), ErrorCode.ERR_DAQ_ACTIVE)
    assert pair.run(ask(properties())).related_event_channel == 1


@pytest.mark.parametrize(
    ("request_", "settings"),
    [
        (properties(event=3), {}),
        (properties(event=1), {}),
        (properties(1, related=3), {}),
        (properties(1, related=1), {"related_event_fixed": True}),
        (properties(2, bits=1), {}),
        (properties(4, bits=2), {}),
    ],
)
def test_counters_that_cannot_be(request_, settings: dict) -> None:
    pair = prepared([(RAM, 1)], events=counted(**settings))
    refused(pair, request_, ErrorCode.ERR_OUT_OF_RANGE)


def test_a_slave_without_counters_does_not_know_the_command() -> None:
    for pair in (prepared([(RAM, 1)]), prepared([(RAM, 1)], events=counted(), dto_ctr=False)):
        with pytest.raises(UnknownCommandError):
            pair.run(ask(properties()))


@pytest.mark.parametrize("settings", [{"related_event": 3}, {"stim_mode": 2}])
def test_counter_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(SettingsError):
        config(events=counted(**settings))


def test_a_list_that_is_not_packed_says_so() -> None:
    pair = prepared([(RAM, 1)], events=packed_events())
    pair.run(ask(OFF))
    assert pair.run(packed_mode(0)) == PackedMode()
