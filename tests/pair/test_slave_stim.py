"""Stimulation: what the slave writes, what it leaves alone, and what it tells the master."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import EVENTS, RAM, ROM, SEGMENT, Pair, config
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NegativeResponseError, SettingsError
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, timecorr
from xcaliper.xcp.codes import DaqListModeRequest, ErrorCode
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup, PackedMode
from xcaliper.xcp.procedures import counters
from xcaliper.xcp.procedures.daq_setup import setup, start
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig
from xcaliper.xcp.slave_stim import StimSettings

SECOND = 1_000_000_000
QUIET = StimSettings(grace=0)


def events(consistency: int = 1, **more):
    return tuple(
        replace(one, stim=True, consistency=consistency, max_daq_list=255, **more) for one in EVENTS
    )


def entries(*places: tuple[int, int] | tuple[int, int, int]) -> OdtSetup:
    """An ODT of (offset in RAM, size, bit offset)."""
    return OdtSetup(tuple(OdtEntry(RAM + at, size, *bit) for at, size, *bit in places))


def stim_list(number: int, *odts: OdtSetup, event: int = 0, **more) -> DaqListSetup:
    more = {"timestamp": False, "stim": True} | more
    return DaqListSetup(number, event, odts, **more)


def running(*lists: DaqListSetup, consistency: int = 1, **changes) -> Pair:
    """A slave whose lists run."""
    changes = {"events": events(consistency), "stim": QUIET} | changes
    pair = Pair(config(**changes))
    pair.run(setup(pair.session, lists))
    pair.run(start(lists))
    pair.forget()
    return pair


def send(pair: Pair, *packets: str) -> None:
    for packet in packets:
        pair.slave.receive(bytes.fromhex(packet), pair.now_ns)


def told(pair: Pair) -> list[str]:
    """Event packets so far."""
    return [packet.hex(" ") for packet in pair.to_master.sent if packet[0] == 0xFD]


def ram(pair: Pair, at: int, size: int) -> str:
    return pair.memory.read(RAM + at, size).hex()


def counted(pair: Pair) -> dict[str, int]:
    """Counters that are not 0."""
    counters = pair.slave.state.stim.counters
    names = (name for kind in type(counters).__mro__[:-1] for name in kind.__dataclass_fields__)
    return {n: getattr(counters, n) for n in set(names) - {"packets"} if getattr(counters, n)}


TWO = stim_list(0, entries((0, 2)), entries((8, 1), (12, 2)))


# -- when data is written -------------------------------------------------------------------------


def test_data_is_written_when_the_event_occurs_and_not_before() -> None:
    pair = running(TWO)
    send(pair, "00 00 aa bb", "01 00 01 02 03")
    assert ram(pair, 0, 2) == "0001"
    pair.event(1)
    assert ram(pair, 0, 2) == "0001"
    pair.event(0)
    assert (ram(pair, 0, 2), ram(pair, 8, 1), ram(pair, 12, 2)) == ("aabb", "01", "0203")
    assert counted(pair) == {"applied": 1}
    assert told(pair) == []


def test_daq_of_the_same_event_shows_what_was_written() -> None:
    pair = running(
        DaqListSetup(0, 0, (entries((0, 2)),), timestamp=False),
        stim_list(1, entries((0, 2))),
    )
    pair.event(0)
    send(pair, "00 01 aa bb")
    pair.event(0)
    assert [packet.hex() for packet in pair.dtos] == ["00000001", "0000aabb"]


def test_the_own_value_stays_when_data_is_missing_and_the_master_hears_of_it_once_a_second() -> (
    None
):
    pair = running(TWO)
    send(pair, "00 00 aa bb", "01 00 01 02 03")
    pair.event(0, 0)
    pair.memory.write(RAM, b"\x11\x22")
    for n in range(5):
        pair.event(0, n + 1)
    assert ram(pair, 0, 2) == "1122"
    assert told(pair) == ["fd 09 00 00 00 00"]
    pair.event(0, SECOND + 1)
    assert told(pair) == ["fd 09 00 00 00 00"] * 2
    assert counted(pair) == {"applied": 1, "missing": 6, "timeouts": 2}


def test_late_data_waits_for_the_next_event_and_the_newest_counts() -> None:
    pair = running(TWO)
    pair.event(0)
    send(pair, "00 00 aa bb", "01 00 01 02 03", "00 00 cc dd", "01 00 04 05 06")
    pair.event(0)
    assert (ram(pair, 0, 2), ram(pair, 12, 2)) == ("ccdd", "0506")
    assert counted(pair) == {"applied": 1, "missing": 1, "timeouts": 1, "replaced": 1}


def test_the_first_events_after_the_start_may_pass_without_data() -> None:
    pair = running(TWO, stim=StimSettings(grace=2))
    for _ in range(3):
        pair.event(0)
    assert counted(pair) == {"missing": 1, "timeouts": 1}


def test_a_slave_may_write_the_last_data_again() -> None:
    pair = running(TWO, stim=StimSettings(use_last=True, timeout_event=False, grace=0))
    pair.event(0)
    assert ram(pair, 0, 2) == "0001"
    send(pair, "00 00 aa bb", "01 00 01 02 03")
    pair.event(0)
    pair.memory.write(RAM, b"\x11\x22")
    pair.event(0)
    assert ram(pair, 0, 2) == "aabb"
    assert counted(pair) == {"applied": 1, "missing": 2}
    assert told(pair) == []


def test_a_slave_may_stop_a_list_that_gets_nothing() -> None:
    pair = running(TWO, stim=StimSettings(stop_after=2, timeout_of_list=True, grace=0))
    for _ in range(4):
        pair.event(0)
    assert counted(pair) == {"missing": 2, "timeouts": 1, "stopped": 1}
    assert told(pair) == ["fd 09 01 00 00 00"]
    assert not pair.slave.daq_running
    pair.slave.receive(b"\0\0\xaa\xbb", 0)
    assert pair.slave.counters.ignored == 1


def test_packed_samples_of_daq_hold_what_was_written_at_each_event() -> None:
    packed = PackedConfig(mode=2, sample_count=2)
    pair = running(
        DaqListSetup(0, 0, (entries((0, 2)),), timestamp=False, packed=PackedMode(2, 2)),
        stim_list(1, entries((0, 1))),
        events=(replace(events()[0], packed=packed), *events()[1:]),
    )
    for n in range(4):
        send(pair, f"00 01 a{n}")
        pair.event(0)
    assert [packet.hex() for packet in pair.dtos] == ["0000a001a101", "0000a201a301"]
    stim = stim_list(0, entries((0, 1)), packed=PackedMode(2, 2))
    with pytest.raises(NegativeResponseError) as caught:
        running(stim, events=(replace(events()[0], packed=packed), *events()[1:]))
    assert caught.value.code == ErrorCode.ERR_MODE_NOT_VALID  # STIM is not packed


# -- consistency ----------------------------------------------------------------------------------


@pytest.mark.parametrize("packets", [("00 00 aa bb",), ("01 00 01 02 03",)])
def test_half_a_list_is_not_written(packets) -> None:
    pair = running(TWO)
    before = ram(pair, 0, 16)
    send(pair, *packets)
    pair.event(0)
    assert ram(pair, 0, 16) == before


@pytest.mark.parametrize("consistency", [0, 3])
def test_each_odt_counts_alone_where_the_event_says_so(consistency: int) -> None:
    pair = running(TWO, consistency=consistency)
    send(pair, "01 00 01 02 03")
    pair.event(0)
    assert (ram(pair, 0, 2), ram(pair, 8, 1)) == ("0001", "01")
    assert counted(pair) == {"applied": 1, "missing": 1, "timeouts": 1}
    send(pair, "01 00 01 02 03", "00 00 aa bb")
    pair.event(0)
    assert ram(pair, 0, 2) == "aabb"
    assert counted(pair)["applied"] == 3


def test_an_odt_without_entries_is_not_waited_for() -> None:
    for consistency in (0, 1):
        pair = running(
            stim_list(0, entries((0, 1)), entries((0, 0)), entries((4, 1))), consistency=consistency
        )
        send(pair, "00 00 aa", "02 00 bb")
        pair.event(0)
        assert ram(pair, 0, 5) == "aa010203bb"
        assert "missing" not in counted(pair)


def test_all_lists_of_an_event_are_written_together_or_not_at_all() -> None:
    lists = (stim_list(0, entries((0, 1))), stim_list(1, entries((4, 1))))
    pair = running(*lists, consistency=2)
    send(pair, "00 00 aa")
    pair.event(0)
    assert ram(pair, 0, 5) == "0001020304"
    send(pair, "00 00 aa", "00 01 bb")
    pair.event(0)
    assert ram(pair, 0, 5) == "aa010203bb"
    apart = running(*lists, consistency=1)
    send(apart, "00 00 aa")
    apart.event(0)
    assert ram(apart, 0, 5) == "aa01020304"


def test_what_comes_in_the_wrong_order_or_length_is_given_up() -> None:
    pair = running(stim_list(0, *(entries((4 * n, 1)) for n in range(3))))
    before = ram(pair, 0, 12)
    for packets in (
        ("00 00 a0", "02 00 a2"),  # one is missing
        ("00 00 a0", "01 00 a1", "00 00 b0"),  # begun anew
        ("00 00 a0", "01 00", "02 00 a2"),  # too short
        ("00 00 a0", "01 00 a1 ff", "02 00 a2"),  # too long
        ("00 05 a0", "07 00 a0", "bf"),  # nobody's
        ("00 00 " + "aa" * 200,),  # beyond MAX_DTO
    ):
        send(pair, *packets)
    pair.event(0)
    assert ram(pair, 0, 12) == before
    assert counted(pair) == {
        "incomplete": 5,
        "out_of_order": 3,
        "malformed": 3,
        "unknown": 3,
        "missing": 1,
        "timeouts": 1,
    }
    send(pair, "00 00 a0", "01 00 a1", "02 00 a2")
    pair.event(0)
    assert ram(pair, 0, 9) == "a0010203a1050607a2"


def test_memory_that_cannot_be_written_any_more_gets_nothing_at_all() -> None:
    inside = OdtSetup((OdtEntry(RAM, 1), OdtEntry(SEGMENT, 1)))
    pair = running(stim_list(0, inside))
    pair.memory.set_page(0, 1, ecu=False, xcp=True)
    send(pair, "00 00 aa bb")
    pair.event(0)
    assert ram(pair, 0, 1) == "00"
    assert counted(pair) == {"refused": 1, "missing": 1, "timeouts": 1}


# -- start ----------------------------------------------------------------------------------------


def test_a_list_starts_only_where_the_memory_can_be_written() -> None:
    lists = (stim_list(0, OdtSetup((OdtEntry(ROM, 1),))),)
    pair = Pair(config(events=events()))
    pair.run(setup(pair.session, lists))
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(start(lists))
    assert caught.value.code == ErrorCode.ERR_WRITE_PROTECTED


def test_stim_has_fewer_pids_and_an_own_packet_size() -> None:
    many = OdtSetup((OdtEntry(RAM, 1),))
    for lists, changes in (
        ((stim_list(0, *[many] * 193),), {}),
        (
            (DaqListSetup(0, 1, (many,) * 120, timestamp=False), stim_list(1, *[many] * 80)),
            {"identification_field": 0},
        ),
    ):
        pair = Pair(config(events=events(), **changes))
        pair.run(setup(pair.session, lists))
        with pytest.raises(NegativeResponseError) as caught:
            pair.run(start(lists))
        assert caught.value.code == ErrorCode.ERR_DAQ_CONFIG


def test_a_packet_of_the_master_must_tell_its_list() -> None:
    pair = Pair(config(events=events(), identification_field=0, pid_off=True))
    pair.run(setup(pair.session, [stim_list(0, entries((0, 1)))]))
    mode = DaqListModeRequest(0x22)
    request = daq.SetDaqListMode(mode=mode, daq_list=0, event_channel=0, prescaler=1)
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(ask(request))
    assert caught.value.code == ErrorCode.ERR_MODE_NOT_VALID


def test_the_resource_is_told_and_a_new_session_finds_nothing_waiting() -> None:
    pair = running(TWO)
    assert pair.session.resource.stim
    assert not Pair().session.resource.stim
    send(pair, "00 00 aa bb", "01 00 01 02 03")
    pair.slave.drop(0)
    send(pair, "00 00 aa bb")
    assert pair.slave.counters.ignored == 1
    pair.event(0)
    assert ram(pair, 0, 2) == "0001"


def test_a_stopped_list_takes_nothing() -> None:
    pair = running(TWO, stim_list(1, entries((4, 1))))
    pair.run(ask(daq.StartStopDaqList(mode=0, daq_list=0)))
    send(pair, "00 00 aa bb", "00 01 cc")
    pair.event(0)
    assert ram(pair, 0, 5) == "00010203cc"
    assert counted(pair) == {"unknown": 1, "applied": 1}


def test_lists_of_the_display_event_take_turns() -> None:
    pair = running(stim_list(0, entries((0, 1)), alternating=True), alternating=0)
    for n in range(4):
        send(pair, f"00 00 a{n}")
        pair.event(0)
    assert ram(pair, 0, 1) == "a2"
    assert counted(pair) == {"applied": 2, "replaced": 1}


# -- headers --------------------------------------------------------------------------------------

#: Identification field, byte order, (first DTO, second DTO) with counter 7 and timestamp 0x0102; made
#: by hand from the layouts of the standard. The list is number 1, its FIRST_PID 2.
HEADS = [
    (0, "<", "02 07 0201 aa", "03 bb"),
    (1, "<", "00 01 07 0201 aa", "01 01 bb"),
    (2, "<", "00 0100 07 0201 aa", "01 0100 bb"),
    (2, ">", "00 0001 07 0102 aa", "01 0001 bb"),
    (3, "<", "00 07 0100 0201 aa", "01 aa 0100 bb"),
    (3, ">", "00 07 0001 0102 aa", "01 00 0001 bb"),
]


@pytest.mark.parametrize(("kind", "mark", "first", "second"), HEADS)
def test_every_header_is_understood(kind: int, mark: str, first: str, second: str) -> None:
    order = ByteOrder.INTEL if mark == "<" else ByteOrder.MOTOROLA
    pair = running(
        DaqListSetup(0, 1, (entries((0, 1)), entries((1, 1))), timestamp=False),
        stim_list(1, entries((4, 1)), entries((6, 1)), dto_ctr=True, timestamp=True),
        identification_field=kind,
        byte_order=order,
        timestamp=TickClock(1, 3, 2),
    )
    send(pair, first, second)
    pair.event(0)
    assert ram(pair, 4, 3) == "aa05bb"


@pytest.mark.parametrize(
    ("ag", "mark"), [(1, "<"), (1, ">"), (2, "<"), (2, ">"), (4, "<"), (4, ">")]
)
def test_single_bits_of_a_32_bit_word_are_set_and_cleared(ag: int, mark: str) -> None:
    order = ByteOrder.INTEL if mark == "<" else ByteOrder.MOTOROLA
    size = 4
    word = [OdtEntry(RAM, size // ag, bit) for bit in (0, 7, 8, 31)]
    pair = running(
        stim_list(0, OdtSetup(tuple(word))),
        ag=ag,
        byte_order=order,
        bit_stim=True,
        granularity_odt_entry=size,
    )
    pair.memory.write(RAM, (0x0000_0001).to_bytes(4, "little" if mark == "<" else "big"))
    send(pair, "00 00" + "00000000" + "00000001" + "80000000" + "01000000")
    pair.event(0)
    value = int.from_bytes(pair.memory.read(RAM, 4), "little" if mark == "<" else "big")
    assert value == 1 << 7 | 1 << 8 | 1 << 31


# -- DTO counter ----------------------------------------------------------------------------------


def checked(**counter) -> dict:
    return {"events": tuple(replace(one, counter=CounterConfig(**counter)) for one in events())}


def test_a_wrong_counter_forbids_to_use_the_data() -> None:
    one = stim_list(0, entries((0, 1)), dto_ctr=True)
    pair = running(one, **checked(stim_mode=1))
    pair.event(0)  # the counter is 1 now
    send(pair, "00 00 00 aa")
    pair.event(0)
    assert ram(pair, 0, 1) == "00"
    send(pair, "00 00 02 bb")  # the value before its own increment
    pair.event(0)
    assert ram(pair, 0, 1) == "bb"
    assert counted(pair) == {"missing": 1, "timeouts": 2, "wrong_counter": 1, "applied": 1}
    assert told(pair) == ["fd 09 00 00 00 00", "fd 09 00 01 00 00"]


def test_the_counter_may_be_that_of_another_event() -> None:
    one = stim_list(0, entries((0, 1)), dto_ctr=True)
    pair = running(one, **checked(stim_mode=1, related_event=1))
    for _ in range(3):
        pair.event(1)
    send(pair, "00 00 03 aa")
    pair.event(0)
    assert ram(pair, 0, 1) == "aa"


def test_data_of_an_earlier_event_is_used_and_counted_where_nobody_checks() -> None:
    pair = running(stim_list(0, entries((0, 1)), dto_ctr=True))
    pair.event(0)
    pair.event(0)
    send(pair, "00 00 01 aa")
    pair.event(0)
    assert ram(pair, 0, 1) == "aa"
    assert counted(pair) == {"missing": 2, "timeouts": 1, "late": 1, "applied": 1}


def test_a_daq_packet_may_carry_the_counter_that_came_last() -> None:
    lists = (
        DaqListSetup(0, 0, (entries((0, 1)),), timestamp=False, dto_ctr=True),
        stim_list(1, entries((4, 1)), dto_ctr=True),
    )
    pair = running(*lists, **checked(daq_mode=1))
    pair.event(0)
    send(pair, "00 01 5a aa")
    pair.event(0)
    assert [packet[2] for packet in pair.dtos] == [0, 0x5A]


def test_the_modes_of_the_counter_can_be_chosen() -> None:
    def ask_for(modifier: int, bits: int):
        return timecorr.DtoCtrProperties(
            modifier=timecorr.DtoCtrModifier(modifier),
            event_channel=0,
            mode=timecorr.DtoCtrMode(bits),
        )

    pair = Pair(config(**checked()))
    answer = pair.run(ask(ask_for(6, 3)))
    assert (answer.mode.daq_mode, answer.mode.stim_mode) == (1, 1)
    told = answer.properties
    assert (told.daq_mode_fixed, told.stim_mode_fixed, told.stim_dto_ctr_copy_present) == (0, 0, 1)
    assert pair.run(ask(ask_for(0, 0))).mode.daq_mode == 1
    fixed = Pair(config(**checked(daq_mode_fixed=True)))
    with pytest.raises(NegativeResponseError) as caught:
        fixed.run(ask(ask_for(2, 1)))
    assert caught.value.code == ErrorCode.ERR_OUT_OF_RANGE


@pytest.mark.parametrize("key", ["grace", "stop_after", "timeout_pause_ns"])
def test_settings_that_cannot_be(key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        StimSettings(**{key: -1})
    with pytest.raises(SettingsError, match="counter"):
        config(**checked(daq_mode=2))


def test_an_event_can_be_told_to_check_the_counter_of_its_inputs_and_be_set_back() -> None:
    pair = Pair(config(**checked()))
    before = pair.run(counters.check_counter(0, 1))
    assert pair.to_slave.sent[-1].hex(" ") == "c5 05 00 00 01 00 02"
    now = pair.run(counters.counter_of(0))
    assert (now.related_event_channel, now.mode.stim_mode, now.mode.daq_mode) == (1, 1, 0)
    pair.run(counters.set_counter(0, *before))
    now = pair.run(counters.counter_of(0))
    assert (now.related_event_channel, now.mode.stim_mode) == (0, 0)
    fixed = Pair(config(**checked(stim_mode_fixed=True)))
    with pytest.raises(NegativeResponseError) as caught:
        fixed.run(counters.check_counter(0, 1))
    assert caught.value.code == ErrorCode.ERR_OUT_OF_RANGE
