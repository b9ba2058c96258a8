"""The slave's answers beat the A2L, and contradictions are told once."""

from __future__ import annotations

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    AddressExtensionScope,
    DaqAnswers,
    DeclaredDaq,
    EventAnswer,
    EventChannel,
    Overload,
    merge,
)
from xcaliper.xcp.codes import DaqKeyByte, DaqProperties, EventProperties, TimestampMode
from xcaliper.xcp.daq import (
    GetDaqEventInfoResponse,
    GetDaqProcessorInfoResponse,
    GetDaqResolutionInfoResponse,
)
from xcaliper.xcp.profile import Profile

PROFILE = Profile(ByteOrder.INTEL, ag=1, max_cto=248, max_dto=1400)


def processor(**changes):
    values = {
        "daq_properties": DaqProperties(0x11),  # dynamic, timestamps
        "max_daq": 0,
        "max_event_channel": 2,
        "min_daq": 0,
        "daq_key_byte": DaqKeyByte(0xC0),
    }
    return GetDaqProcessorInfoResponse(**values | changes)


def resolution(**changes):
    values = {
        "granularity_daq": 1,
        "max_entry_size_daq": 248,
        "granularity_stim": 1,
        "max_entry_size_stim": 248,
        "timestamp_mode": TimestampMode(0x0C),  # 4 bytes, fixed, 1 ns
        "timestamp_ticks": 1,
    }
    return GetDaqResolutionInfoResponse(**values | changes)


def event(number, name, cycle=10, unit=6, max_daq_list=0xFF, properties=0x84):
    info = GetDaqEventInfoResponse(
        daq_event_properties=EventProperties(properties),
        max_daq_list=max_daq_list,
        name_length=len(name),
        time_cycle=cycle,
        time_unit=unit,
        priority=3,
    )
    return EventAnswer(number, info, name)


def test_the_slave_alone():
    answers = DaqAnswers(processor(), resolution(), (event(0, "10ms"), event(1, "", 0)), True)
    caps, found = merge(None, answers, PROFILE)
    assert found == ()
    assert caps.dynamic
    assert caps.identification_field == 3
    assert caps.clock == TickClock(1, 0, 4)
    assert caps.timestamp_fixed
    assert caps.overload is Overload.NONE
    assert caps.write_daq_multiple
    assert (caps.max_dto, caps.ag, caps.max_entry_size) == (1400, 1, 248)
    assert caps.event(0) == EventChannel(0, "10ms", 10_000_000, None, 3, True, False, 2)
    assert caps.event(1).cycle_ns is None
    assert caps.dto_format().first_header_size == 8


def test_an_a2l_that_names_another_header_is_not_believed():
    declared = DeclaredDaq(
        dynamic=True,
        max_daq=100,  # slaves count allocated lists: no contradiction
        identification_field=1,
        overload=Overload.MSB,
        timestamp_size=4,
        granularity=1,
        max_entry_size=248,
    )
    caps, found = merge(declared, DaqAnswers(processor(), resolution()), PROFILE)
    assert caps.identification_field == 3
    assert not caps.dto_format().overload_msb
    assert [str(d) for d in found] == [
        (
            "warning [daq-contradiction] IDENTIFICATION_FIELD_TYPE: the A2L says 1, the slave says 3. "
            "The slave is believed."
        ),
        (
            "warning [daq-contradiction] OVERLOAD_INDICATION: the A2L says msb, the slave says none. "
            "The slave is believed."
        ),
    ]


def test_strict_optimisation_is_a_flag_in_the_a2l_and_a_part_of_the_type_in_the_key_byte():
    header = {"identification_field": 3, "granularity": 1, "max_entry_size": 248}
    strict = DeclaredDaq(optimisation_type=2, optimisation_strict=True, **header)
    found = {}
    for live in (10, 2, 9):
        answer = processor(daq_key_byte=DaqKeyByte(0xC0 | live))
        caps, said = merge(strict, DaqAnswers(answer, resolution()), PROFILE)
        assert caps.optimisation.is_strict
        found[live] = [d.text for d in said]
    assert (found[10], found[2]) == ([], [])
    assert found[9] == ["OPTIMISATION_TYPE: the A2L says 2, the slave says 9."]


def test_a_slave_that_refuses_leaves_the_a2l():
    declared = DeclaredDaq(
        dynamic=True,
        identification_field=2,
        timestamp_size=2,
        timestamp_unit=3,
        timestamp_ticks=10,
        granularity=2,
        max_entry_size=6,
        address_extension=AddressExtensionScope.ODT,
        events=(EventChannel(7, "seg", 5_000_000),),
    )
    caps, found = merge(declared, DaqAnswers(), PROFILE)
    assert found == ()
    assert caps.clock == TickClock(10, 3, 2)
    assert (caps.granularity, caps.max_entry_size, caps.identification_field) == (2, 6, 2)
    assert caps.address_extension is AddressExtensionScope.ODT
    assert caps.event(7).label == "seg"


def test_nobody_says_anything():
    caps, found = merge(None, DaqAnswers(), Profile(ag=2, max_dto=8))
    assert {d.slug for d in found} == {"daq-assumed"}
    assert len(found) == 4
    assert caps.granularity == 2
    assert caps.clock is None
    assert caps.max_dto == 8


def test_the_a2l_lends_periods_and_names_and_is_contradicted_once_per_event():
    declared = DeclaredDaq(
        events=(
            EventChannel(0, "task", 10_000_000),
            EventChannel(1, "slow", 100_000_000),
            EventChannel(2, "paper", 1_000_000),
        )
    )
    answers = DaqAnswers(processor(), resolution(), (event(0, "", 0, 0), event(1, "slow", 50)))
    caps, found = merge(declared, answers, PROFILE)
    assert [(e.name, e.cycle_ns) for e in caps.events] == [
        ("task", 10_000_000),
        ("slow", 50_000_000),
        ("paper", 1_000_000),
    ]
    assert [d.text for d in found] == [
        "EVENT 1 slow: period in ns: the A2L says 100000000, the slave says 50000000."
    ]


def test_answers_that_cannot_be_are_mended_and_told():
    lies = DaqAnswers(
        processor(daq_properties=DaqProperties(0xD1), daq_key_byte=DaqKeyByte(0x20)),
        resolution(granularity_daq=3, max_entry_size_daq=0, timestamp_mode=TimestampMode(0x33)),
    )
    caps, found = merge(None, lies, Profile(ag=2, max_dto=64))
    assert caps.granularity == 2
    assert caps.max_entry_size == 1
    assert caps.clock is None
    assert caps.overload is Overload.MSB
    assert caps.address_extension is AddressExtensionScope.DAQ_LIST
    assert sorted(d.slug for d in found) == [
        "daq-address-extension",
        "daq-assumed",
        "daq-assumed",
        "daq-overload-both",
        "daq-timestamp-size",
    ]


def test_an_old_slave_writes_its_time_unit_into_the_high_nibble():
    caps, _ = merge(
        None, DaqAnswers(processor(), resolution(), (event(0, "x", 10, 0x60),)), PROFILE
    )
    assert caps.event(0).cycle_ns == 10_000_000


def test_no_timestamp_support_beats_a_timestamp_size():
    answers = DaqAnswers(processor(daq_properties=DaqProperties(0x01)), resolution())
    assert merge(None, answers, PROFILE)[0].clock is None
