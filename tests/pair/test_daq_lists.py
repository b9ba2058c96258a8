"""DAQ lists from set-up to DTO bytes, in every header format."""

from __future__ import annotations

import struct

import pytest

from pair.link import RAM, ROM, Pair, config
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    AccessDeniedError,
    DaqActiveError,
    NegativeResponseError,
    OutOfRangeError,
    SequenceError,
    UsageError,
)
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import DaqListModeRequest, ErrorCode
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.daq_setup import clock, free, setup, start, stop

MS = 1_000_000


def entries(*places: tuple[int, int]) -> OdtSetup:
    """An ODT of (offset in RAM, size) pairs."""
    return OdtSetup(tuple(OdtEntry(RAM + at, size) for at, size in places))


TWO_LISTS = (
    DaqListSetup(0, 0, (entries((0, 4), (16, 2)), entries((32, 8)))),
    DaqListSetup(1, 1, (entries((64, 1), (66, 1)),), priority=5),
)


def running(lists=TWO_LISTS, **changes) -> Pair:
    pair = Pair(config(**changes))
    pair.run(setup(pair.session, lists))
    pair.run(start())
    return pair


@pytest.mark.parametrize(
    ("kind", "order", "heads"),
    [
        (0, ByteOrder.INTEL, ["00", "01", "02"]),
        (1, ByteOrder.INTEL, ["0000", "0100", "0001"]),
        (2, ByteOrder.INTEL, ["000000", "010000", "000100"]),
        (2, ByteOrder.MOTOROLA, ["000000", "010000", "000001"]),
        (3, ByteOrder.INTEL, ["00000000", "01000000", "00000100"]),
        (3, ByteOrder.MOTOROLA, ["00000000", "01000000", "00000001"]),
    ],
)
@pytest.mark.parametrize("stamp", [0, 1, 2, 4])
def test_header_formats(kind: int, order: ByteOrder, heads: list[str], stamp: int) -> None:
    lists = tuple(
        DaqListSetup(one.daq_list, one.event_channel, one.odts, timestamp=stamp > 0)
        for one in TWO_LISTS
    )
    pair = running(
        lists, identification_field=kind, byte_order=order, timestamp=TickClock(1, 3, stamp)
    )
    t_ns = 0x1_2345_6789 * 1000
    pair.event(0, t_ns)
    pair.event(1)
    ticks = (0x1_2345_6789 % (1 << 8 * stamp)).to_bytes(stamp, order.value).hex()
    ram = pair.memory.read(RAM, 128)
    first = (ram[0:4] + ram[16:18]).hex()
    assert [p.hex() for p in pair.dtos] == [
        heads[0] + ticks + first,
        heads[1] + ram[32:40].hex(),
        heads[2] + ticks + (ram[64:65] + ram[66:67]).hex(),
    ]


def test_first_pids_of_absolute_identification() -> None:
    pair = Pair(config(identification_field=0))
    assert pair.run(setup(pair.session, TWO_LISTS)) == (0, 2)
    pair = Pair(config(identification_field=1))
    assert pair.run(setup(pair.session, TWO_LISTS)) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(0, "0007"), (1, "000007"), (2, "00000007"), (3, "00070000")],
)
def test_dto_counter(kind: int, expected: str) -> None:
    one = DaqListSetup(0, 0, (entries((0, 1)),), timestamp=False, dto_ctr=True)
    pair = running((one,), identification_field=kind)
    for _ in range(7):
        pair.event(0)
    assert pair.dtos[-1].hex() == expected + "00"


def test_sampling_sees_the_memory_of_the_moment() -> None:
    pair = running((DaqListSetup(0, 0, (entries((0, 2)),), timestamp=False),))
    for value in (b"ab", b"cd"):
        pair.memory.write(RAM, value)
        pair.event(0)
    assert pair.dtos == [b"\0\0ab", b"\0\0cd"]


@pytest.mark.parametrize("owners", [1, 2])
@pytest.mark.parametrize("ag", [1, 2, 4])
def test_many_scattered_entries_come_in_order(ag: int, owners: int) -> None:
    """More runs than are joined: the gathered form, from one or two owners of memory."""
    places = [OdtEntry(RAM + (i * 37) % 200 * 4, 4 // ag) for i in range(90)]
    if owners == 2:
        places.insert(45, OdtEntry(Address(ROM.value), 4 // ag))
    odts = (OdtSetup(tuple(places[:50])), OdtSetup(tuple(places[50:])))
    pair = running(
        (DaqListSetup(0, 0, odts, timestamp=True),),
        ag=ag,
        max_dto=512,
        granularity_odt_entry=ag,
    )
    pair.event(0, 5 * MS)
    raw = [b"".join(pair.memory.read(e.address, 4) for e in odt.entries) for odt in odts]
    assert pair.dtos == [b"\0\0" + struct.pack("<I", 5000) + raw[0], b"\1\0" + raw[1]]


def test_prescaler_and_priority() -> None:
    lists = (
        DaqListSetup(0, 0, (entries((0, 1)),), prescaler=3, timestamp=False),
        DaqListSetup(1, 0, (entries((1, 1)),), priority=9, timestamp=False),
    )
    pair = running(lists)
    for _ in range(7):
        pair.event(0)
    assert [p[1] for p in pair.dtos] == [1, 0, 1, 1, 1, 0, 1, 1, 1, 0]


def test_unbound_and_unknown_events() -> None:
    pair = running()
    pair.event(2)
    assert pair.dtos == []
    with pytest.raises(UsageError, match="event channel 3"):
        pair.slave.event(3, 0)


def test_status_start_stop_and_events() -> None:
    pair = Pair()
    pair.run(setup(pair.session, TWO_LISTS))
    assert pair.run(ask(daq.GetDaqListMode(daq_list=1))).mode.selected
    pair.now_ns = 42 * MS
    assert pair.run(clock()) == 42_000
    pair.run(start())
    assert pair.run(ask(std.GetStatus())).session_status.daq_running
    state = pair.run(ask(daq.GetDaqListMode(daq_list=1)))
    assert (state.mode.running, state.mode.selected, state.mode.timestamp) == (1, 0, 1)
    assert (state.event_channel, state.prescaler, state.priority) == (1, 1, 5)
    assert pair.run(stop())
    assert not pair.run(ask(std.GetStatus())).session_status.daq_running
    pair.event(0)
    assert pair.dtos == []
    assert pair.run(free())
    assert [e.kind for e in pair.slave.events()] == ["connected", "daq-started", "daq-stopped"]


def test_single_list_start_and_stop() -> None:
    pair = Pair()
    pair.run(setup(pair.session, TWO_LISTS))
    pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=1)))
    pair.event(0)
    pair.event(1)
    assert len(pair.dtos) == 1
    pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=1)))  # once more: no effect
    pair.run(ask(daq.StartStopDaqList(mode=0, daq_list=1)))
    pair.event(1)
    assert len(pair.dtos) == 1


def test_prepare_keeps_the_selection() -> None:
    pair = Pair()
    pair.run(setup(pair.session, TWO_LISTS))
    pair.run(ask(daq.StartStopSynch(mode=3)))
    pair.event(0)
    assert pair.dtos == []
    pair.run(ask(daq.StartStopSynch(mode=1)))
    pair.event(0)
    assert len(pair.dtos) == 2


def test_stop_selected_leaves_the_others() -> None:
    pair = running()
    pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=0)))
    pair.run(ask(daq.StartStopSynch(mode=2)))
    pair.event(0)
    pair.event(1)
    assert len(pair.dtos) == 1


def test_read_daq_gives_back_what_was_written() -> None:
    pair = Pair()
    pair.run(setup(pair.session, TWO_LISTS))
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    first = pair.run(ask(daq.ReadDaq()))
    second = pair.run(ask(daq.ReadDaq()))
    assert (first.address, first.size, first.bit_offset) == (RAM.value, 4, 0xFF)
    assert (second.address, second.size) == (RAM.value + 16, 2)
    with pytest.raises(OutOfRangeError):
        pair.run(ask(daq.ReadDaq()))
    info = pair.run(ask(daq.GetDaqListInfo(daq_list=0)))
    assert (info.max_odt, info.max_odt_entries) == (2, 2)
    pair.run(ask(daq.ClearDaqList(daq_list=0)))
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    assert pair.run(ask(daq.ReadDaq())).size == 0


def test_set_up_without_multiple_writes() -> None:
    pair = Pair(config(disabled=frozenset({"WRITE_DAQ_MULTIPLE"})))
    pair.run(setup(pair.session, TWO_LISTS))
    pair.run(start())
    pair.event(0)
    assert len(pair.dtos) == 2
    assert pair.seen.count("WRITE_DAQ_MULTIPLE") == 1
    small = Pair(config(max_cto=8))
    small.run(setup(small.session, TWO_LISTS))
    assert "WRITE_DAQ_MULTIPLE" not in small.seen


def test_new_set_up_while_lists_run() -> None:
    pair = running()
    pair.run(setup(pair.session, TWO_LISTS[:1]))
    pair.run(start())
    pair.event(0)
    assert len(pair.dtos) == 2


RUNNING_REFUSALS = [
    daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0),
    daq.AllocDaq(daq_count=1),
    daq.AllocOdt(daq_list=0, odt_count=1),
    daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1),
    daq.SetDaqListMode(mode=DaqListModeRequest(0x10), daq_list=0, event_channel=0),
]


@pytest.mark.parametrize("request_", RUNNING_REFUSALS)
def test_running_lists_cannot_be_changed(request_) -> None:
    pair = running()
    with pytest.raises(DaqActiveError):
        pair.run(ask(request_))


ALLOCATION = {
    "FREE": daq.FreeDaq(),
    "DAQ": daq.AllocDaq(daq_count=2),
    "ODT": daq.AllocOdt(daq_list=0, odt_count=2),
    "ENTRY": daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=2),
}
PATHS = {"FREE": [], "DAQ": ["FREE"], "ODT": ["FREE", "DAQ"], "ENTRY": ["FREE", "DAQ", "ODT"]}
ALLOWED = {
    "": {"FREE"},
    "FREE": {"FREE", "DAQ"},
    "DAQ": {"FREE", "DAQ", "ODT"},
    "ODT": {"FREE", "ODT", "ENTRY"},
    "ENTRY": {"FREE", "ENTRY"},
}


@pytest.mark.parametrize("last", ALLOWED)
@pytest.mark.parametrize("following", ALLOCATION)
def test_allocation_sequence(last: str, following: str) -> None:
    pair = Pair()
    for name in [*PATHS[last], last] if last else []:
        pair.run(ask(ALLOCATION[name]))
    pair.run(ask(std.GetStatus()))  # others in between do not break the sequence
    if following in ALLOWED[last]:
        pair.run(ask(ALLOCATION[following]))
    else:
        with pytest.raises(SequenceError):
            pair.run(ask(ALLOCATION[following]))


def allocated(**changes) -> Pair:
    """A pair with one list of one ODT of two entries."""
    pair = Pair(config(**changes))
    for request in (
        daq.FreeDaq(),
        daq.AllocDaq(daq_count=1),
        daq.AllocOdt(daq_list=0, odt_count=1),
        daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=2),
    ):
        pair.run(ask(request))
    return pair


OVERFLOWS = [
    ([daq.AllocDaq(daq_count=257)], {}),
    ([daq.AllocDaq(daq_count=3)], {"max_daq_lists": 2}),
    (
        [
            daq.AllocDaq(daq_count=2),
            daq.AllocOdt(daq_list=0, odt_count=200),
            daq.AllocOdt(daq_list=1, odt_count=53),
        ],
        {"identification_field": 0},
    ),
    (
        [
            daq.AllocDaq(daq_count=1),
            daq.AllocOdt(daq_list=0, odt_count=2),
            daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=60),
            daq.AllocOdtEntry(daq_list=0, odt=1, entry_count=41),
        ],
        {"max_odt_entries_total": 100},
    ),
]


@pytest.mark.parametrize(("requests", "changes"), OVERFLOWS)
def test_memory_overflow_voids_the_configuration(requests, changes) -> None:
    pair = Pair(config(**changes))
    pair.run(ask(daq.FreeDaq()))
    for request in requests[:-1]:
        pair.run(ask(request))
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(ask(requests[-1]))
    assert caught.value.code == ErrorCode.ERR_MEMORY_OVERFLOW
    with pytest.raises(SequenceError):
        pair.run(ask(daq.AllocDaq(daq_count=1)))


@pytest.mark.parametrize(("overload", "limit"), [(0, 252), (1, 124), (2, 252)])
@pytest.mark.parametrize("kind", [0, 1])
def test_odt_numbers_end_below_the_control_packets(overload: int, limit: int, kind: int) -> None:
    pair = Pair(config(overload=overload, identification_field=kind))
    for request in (daq.FreeDaq(), daq.AllocDaq(daq_count=1)):
        pair.run(ask(request))
    with pytest.raises(OutOfRangeError):
        pair.run(ask(daq.AllocOdt(daq_list=0, odt_count=limit + 1)))
    pair.run(ask(daq.AllocOdt(daq_list=0, odt_count=limit)))


ENTRIES = [
    (daq.WriteDaq(size=9, address=RAM.value), {"max_odt_entry_size": 8}, OutOfRangeError),
    (daq.WriteDaq(size=3, address=RAM.value), {"granularity_odt_entry": 2}, OutOfRangeError),
    (daq.WriteDaq(size=4, address=RAM.value + 1), {"granularity_odt_entry": 4}, OutOfRangeError),
    (daq.WriteDaq(size=4, address=RAM.value, bit_offset=32), {}, OutOfRangeError),
    (daq.WriteDaq(size=4, address=0x10), {}, AccessDeniedError),
    (daq.WriteDaq(size=7, address=RAM.value), {"max_dto": 8}, NegativeResponseError),
    (daq.WriteDaq(size=129, address=RAM.value), {"max_dto": 128}, NegativeResponseError),
    (daq.WriteDaqMultiple(count=0, elements=()), {}, OutOfRangeError),
    (
        daq.WriteDaqMultiple(
            count=3, elements=tuple(daq.DaqElement(size=1, address=RAM.value) for _ in range(3))
        ),
        {},
        OutOfRangeError,
    ),
]


@pytest.mark.parametrize(("request_", "changes", "error"), ENTRIES)
def test_entries_that_do_not_fit(request_, changes: dict, error: type[Exception]) -> None:
    pair = allocated(**changes)
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    with pytest.raises(error):
        pair.run(ask(request_))


def mode(bits: int, **more) -> daq.SetDaqListMode:
    return daq.SetDaqListMode(
        **({"mode": DaqListModeRequest(bits), "daq_list": 0, "event_channel": 0} | more)
    )


MODES = [
    (mode(0x10, daq_list=1), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (mode(0x10, event_channel=3), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (mode(0x10, prescaler=0), {}, ErrorCode.ERR_OUT_OF_RANGE),
    (mode(0x10, prescaler=2), {"prescaler": False}, ErrorCode.ERR_OUT_OF_RANGE),
    (mode(0x00), {"timestamp_fixed": True}, ErrorCode.ERR_CMD_SYNTAX),
    (mode(0x02), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(0x01), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(0x20), {}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(0x08), {"dto_ctr": False}, ErrorCode.ERR_MODE_NOT_VALID),
    (mode(0x10), {"timestamp": TickClock(1, 3, 0)}, ErrorCode.ERR_MODE_NOT_VALID),
]


@pytest.mark.parametrize(("request_", "changes", "code"), MODES)
def test_list_modes_that_do_not_work(request_, changes: dict, code: ErrorCode) -> None:
    pair = allocated(**changes)
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(ask(request_))
    assert caught.value.code == code


def test_a_slave_without_priorities_is_told_of() -> None:
    pair = Pair(config(priority=False))
    with pytest.raises(NegativeResponseError, match="refuse 7; use priority 0") as caught:
        pair.run(setup(pair.session, (DaqListSetup(0, 0, (entries((0, 1)),), priority=7),)))
    assert caught.value.code == ErrorCode.ERR_OUT_OF_RANGE


def test_an_event_takes_only_so_many_lists() -> None:
    one = DaqListSetup(0, 2, (entries((0, 1)),))
    other = DaqListSetup(1, 2, (entries((0, 1)),))
    pair = Pair()
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(setup(pair.session, (one, other)))
    assert caught.value.code == ErrorCode.ERR_MODE_NOT_VALID


@pytest.mark.parametrize("step", ["no mode", "no entries", "too long"])
def test_incomplete_lists_do_not_start(step: str) -> None:
    pair = allocated(max_dto=16)
    if step != "no entries":
        size = 12 if step == "too long" else 4
        pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
        pair.run(ask(daq.WriteDaq(size=size, address=RAM.value)))
    if step != "no mode":
        pair.run(ask(mode(0x10)))
    pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=0)))
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(start())
    assert caught.value.code == ErrorCode.ERR_DAQ_CONFIG
    with pytest.raises(NegativeResponseError):
        pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=0)))


@pytest.mark.parametrize("overload", [0, 1, 2])
def test_samples_are_dropped_counted_and_told_when_nobody_drains(overload: int) -> None:
    one = DaqListSetup(0, 0, (entries((0, 1)), entries((1, 1))), timestamp=False)
    pair = running((one,), queue_size=7, overload=overload)
    for number in range(10):
        pair.slave.event(0, number * MS)
    pair.exchange()
    assert pair.slave.counters.lost_samples == 7
    assert len(pair.dtos) == 6
    told = [event.name for event in pair.master.events()]
    assert told == (["EV_DAQ_OVERLOAD"] if overload == 2 else [])
    assert [e.kind for e in pair.slave.events()].count("overload") == 1
    pair.dtos.clear()
    for _ in range(2):
        pair.event(0)
    first = 0x80 if overload == 1 else 0
    assert [p[0] for p in pair.dtos] == [first, 1, 0, 1]


def test_a_new_session_ends_the_measurement() -> None:
    pair = running()
    pair.run(connect())
    pair.event(0)
    assert pair.dtos == []
    assert not pair.slave.daq_running


def test_clock_wraps_with_its_width() -> None:
    pair = running((DaqListSetup(0, 0, (entries((0, 1)),)),), timestamp=TickClock(1, 6, 1))
    for t_ms in (254, 255, 256, 257):
        pair.event(0, t_ms * MS)
    assert [p[2] for p in pair.dtos] == [254, 255, 0, 1]
    pair.now_ns = (2**32 + 7) * MS
    assert pair.run(clock()) == 7


def test_the_answer_to_start_comes_before_the_first_dto() -> None:
    pair = Pair()
    pair.run(setup(pair.session, TWO_LISTS))
    pair.forget()
    pair.slave.receive(b"\xdd\x01", 0)
    pair.slave.event(0, 0)
    packets = pair.slave.outgoing()
    assert packets[0] == b"\xff"
    assert len(packets) == 3


REQUESTS_OUT_OF_RANGE = [
    [daq.FreeDaq(), daq.AllocDaq(daq_count=0)],
    [daq.FreeDaq(), daq.AllocDaq(daq_count=1), daq.AllocOdt(daq_list=1, odt_count=1)],
    [daq.FreeDaq(), daq.AllocDaq(daq_count=1), daq.AllocOdt(daq_list=0, odt_count=0)],
    [
        *(daq.FreeDaq(), daq.AllocDaq(daq_count=1), daq.AllocOdt(daq_list=0, odt_count=1)),
        daq.AllocOdtEntry(daq_list=0, odt=1, entry_count=1),
    ],
    [
        *(daq.FreeDaq(), daq.AllocDaq(daq_count=1), daq.AllocOdt(daq_list=0, odt_count=1)),
        daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=0),
    ],
]


@pytest.mark.parametrize("requests", REQUESTS_OUT_OF_RANGE)
def test_numbers_that_do_not_exist(requests) -> None:
    pair = Pair()
    for request in requests[:-1]:
        pair.run(ask(request))
    with pytest.raises(OutOfRangeError):
        pair.run(ask(requests[-1]))


@pytest.mark.parametrize(("odt", "entry"), [(1, 0), (0, 2)])
def test_pointers_to_nothing(odt: int, entry: int) -> None:
    pair = allocated()
    with pytest.raises(OutOfRangeError):
        pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=odt, odt_entry=entry)))


def test_a_pointer_does_not_outlive_its_list() -> None:
    pair = allocated()
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=1)))
    pair.run(ask(daq.FreeDaq()))
    with pytest.raises(OutOfRangeError):
        pair.run(ask(daq.WriteDaq(size=1, address=RAM.value)))


def test_a_list_that_was_started_behind_its_pointer_is_not_written() -> None:
    pair = allocated()
    for request in (
        daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0),
        daq.WriteDaq(size=1, address=RAM.value),
        mode(0x10),
        daq.StartStopDaqList(mode=1, daq_list=0),
    ):
        pair.run(ask(request))
    with pytest.raises(DaqActiveError):
        pair.run(ask(daq.WriteDaq(size=1, address=RAM.value)))


def test_unused_entries_end_an_odt_and_empty_odts_are_not_sent() -> None:
    odts = (
        OdtSetup((OdtEntry(RAM, 1), OdtEntry(RAM, 0), OdtEntry(RAM + 1, 1))),
        OdtSetup((OdtEntry(RAM, 0),)),
        entries((2, 1)),
    )
    pair = running((DaqListSetup(0, 0, odts, timestamp=False),))
    pair.event(0)
    assert [p.hex() for p in pair.dtos] == ["000000", "020002"]
