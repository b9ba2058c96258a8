"""Each quirk of a slave alone: the client measures and calibrates all the same, and copes as it must."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from support.strange import ALL_FAST, ARRAY, ECU, MS, SLOW, Bench, S
from xcaliper.client.a2l_source import A2lCache
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    BusyError,
    DaqActiveError,
    ExchangeTimeoutError,
    IntegrityError,
    NegativeResponseError,
    PlanError,
    RemoteProtocolError,
    SequenceError,
    WriteProtectedError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, pag, std, timecorr
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.clock import clock_properties
from xcaliper.xcp.procedures.identify import get_id
from xcaliper.xcp.procedures.memory import upload
from xcaliper.xcp.procedures.pages import page_info
from xcaliper.xcp.quirks import Quirk

EVERYTHING = (*ALL_FAST, *SLOW)


def works(*quirks: Quirk, **settings) -> Bench:
    """A bench on which the client has measured and calibrated."""
    bench = Bench(*quirks, **settings)
    bench.check_samples(bench.measure(EVERYTHING))
    assert not bench.quality.malformed
    assert not bench.quality.unknown
    bench.check_calibration()
    return bench


def answers(bench: Bench, packet: str) -> list[str]:
    """What the slave says to a packet right now, past the client."""
    now = bench.line.clock()
    bench.ecu.outgoing()
    bench.ecu.receive(bytes.fromhex(packet), now)
    return [found.hex() for found in bench.ecu.outgoing() if found[0] >= 0xFC]


def dtos(bench: Bench) -> list[tuple[int, bytes]]:
    """(time, packet) of each DTO that left the slave."""
    pairs = zip(bench.arrivals_ns, bench.packets, strict=True)
    return [(t_ns, packet) for t_ns, packet in pairs if packet[0] < 0xFC]


def lists(*signals: str, stim: bool = False) -> tuple[DaqListSetup, ...]:
    """One list on event 0 with signals of the RAM, by their numbers."""
    entries = tuple(OdtEntry(Address(ECU.ram_address + 4 * n), 4) for n in range(len(signals)))
    return (DaqListSetup(0, 0, (OdtSetup(entries),), stim=stim),)


def test_contradicting_a2l() -> None:
    bench = works(Quirk.CONTRADICTING_A2L)
    texts = [one.text for one in bench.connection.diagnostics if one.slug == "daq-contradiction"]
    assert len(texts) == 2
    assert sum(text.startswith("IDENTIFICATION_FIELD_TYPE: the A2L says 1") for text in texts) == 1
    assert sum(text.startswith("OVERLOAD_INDICATION: the A2L says msb") for text in texts) == 1
    assert bench.connection.plan("FastCount").dto_format.header_size == 4


def test_filled_dtos() -> None:
    bench = works(Quirk.FILLED_DTOS)
    sizes = {len(packet) for _, packet in dtos(bench)}
    plan = bench.connection.plan(EVERYTHING)
    planned = {size for raster in plan.rasters for size in plan.dto_sizes(raster)}
    assert all(size % 4 == 0 for size in sizes)
    assert sizes != planned, "some are longer than they should be"
    tight = works(Quirk.FILLED_DTOS, max_dto=150)
    assert max(len(packet) for _, packet in dtos(tight)) <= 150


def test_stale_reserved() -> None:
    bench = works(Quirk.STALE_RESERVED)
    answers(bench, "c000")  # leaves the minor version where GET_STATUS has a reserved byte
    assert bench.connection.link.run(ask(std.GetStatus())).session_status == 0
    status = bench.packets[-1]
    assert status[3] != 0
    assert answers(bench, "da")[0][:2] == "ff"


def test_padded_answers() -> None:
    bench = works(Quirk.PADDED_ANSWERS)
    with pytest.raises(AccessDeniedError):
        bench.connection.read_memory(4, 4)
    assert bench.packets[-1][:2].hex() == "fe24"
    assert len(bench.packets[-1]) == 4
    sizes = {len(packet) for packet in bench.packets if packet[0] >= 0xFC}
    assert all(size % 4 == 0 or size == 255 for size in sizes)


def test_counted_lists() -> None:
    bench = Bench(Quirk.COUNTED_LISTS, max_daq_is_limit=True)
    info = daq.GetDaqProcessorInfo()
    assert bench.connection.link.run(ask(info)).max_daq == 0
    bench.check_samples(bench.measure(EVERYTHING))
    bench.check_calibration()
    bench.connection.link.run(daq_setup.setup(bench.connection.session, lists("a")))
    assert bench.connection.link.run(ask(info)).max_daq == 1


def test_empty_stop_refused() -> None:
    bench = works(Quirk.EMPTY_STOP_REFUSED)
    assert answers(bench, "dd00") == ["fe2a"]
    assert not bench.connection.link.run(daq_setup.stop())
    bench.connection.close()
    assert not bench.ecu.slave.connected


def test_synchronous_start_only() -> None:
    bench = works(Quirk.SYNCHRONOUS_START_ONLY)
    assert not [packet for packet in bench.sent(0xDE) if packet[1] == 1]
    link = bench.connection.link
    link.run(daq_setup.setup(bench.connection.session, lists("a")))
    assert answers(bench, "de010000") == ["fe27"]
    link.run(daq_setup.start_list(0))
    assert bench.ecu.slave.daq_running


def test_one_set_at_a_time() -> None:
    bench = works(Quirk.ONE_SET_AT_A_TIME)
    link, session = bench.connection.link, bench.connection.session
    link.run(daq_setup.setup(session, lists("a")))
    link.run(daq_setup.start())
    with pytest.raises(DaqActiveError):
        link.run(ask(daq.StartStopDaqList(mode=1, daq_list=0)))
    link.run(daq_setup.setup(session, lists("a", "b")))
    link.run(daq_setup.start())
    assert bench.ecu.slave.daq_running
    bench.connection.port.halt()
    bench.check_samples(bench.measure(EVERYTHING))


def test_strict_list_mode() -> None:
    bench = works(Quirk.STRICT_LIST_MODE)
    bench.check_samples(bench.measure(EVERYTHING, timestamp=False))
    assert all(packet[1] & 0x10 for packet in bench.sent(0xE0)), "timestamps cannot be left out"
    with pytest.raises(PlanError):
        bench.connection.plan("FastCount", prescaler=2)
    bench.connection.link.run(daq_setup.setup(bench.connection.session, lists("a")))
    assert answers(bench, "e000000000000100") == ["fe21"]
    for packet in ("e010000000000200", "e012000000000100", "e030000000000100", "e011000000000100"):
        assert answers(bench, packet) == ["fe22"]
    both = works(Quirk.STRICT_LIST_MODE, Quirk.STIM_IGNORED)
    both.connection.link.run(daq_setup.setup(both.connection.session, lists("a")))
    assert answers(both, "e012000000000100") == ["ff"]
    assert answers(both, "e0") == ["fe21"]


def test_event_in_address() -> None:
    bench = works(Quirk.EVENT_IN_ADDRESS)
    plan = bench.connection.plan(EVERYTHING)
    for raster, made in zip(plan.rasters, plan.lists, strict=True):
        addresses = [entry.address for odt in made.odts for entry in odt.entries]
        assert {one.extension for one in addresses} == {2}
        assert {one.value >> 16 for one in addresses} == {raster.event_channel}
    with pytest.raises(PlanError):
        bench.connection.plan("FastCount", event="Slow")
    run = bench.connection.link.run
    run(daq_setup.setup(bench.connection.session, lists("a", "b")))
    run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    assert answers(bench, "e1ff040200000100") == ["ff"], "event 1"
    assert answers(bench, "e1ff040200000000") == ["fe22"], "event 0 in the same list"
    assert answers(bench, "e010000000000100") == ["fe22"], "the list is of event 1"
    assert answers(bench, "e010000001000100") == ["ff"]
    assert answers(bench, "e010090001000100") == ["fe22"], "there is no such list"
    assert answers(bench, "c702ff") == ["fe21"], "too short to hold two entries"


def test_parameters_not_measured() -> None:
    bench = works(Quirk.PARAMETERS_NOT_MEASURED)
    names = ["FastCount", "FastMinus", "Gain"]
    plan = bench.connection.plan(names, event={"Gain": "polling"})
    assert [one.name for one in plan.polled] == ["Gain"]
    bench.check_samples(bench.measure(names, event={"Gain": "polling"}))
    for most in (255, 16):  # by WRITE_DAQ_MULTIPLE and by WRITE_DAQ
        other = Bench(Quirk.PARAMETERS_NOT_MEASURED, max_cto=most)
        with pytest.raises(AccessDeniedError) as caught:
            other.measure(names, event={"Gain": "Fast"})
        assert "Gain" in caught.value.hint
        assert "polling" in caught.value.hint
        again = other.connection.plan(names, polling=True)
        assert [one.name for one in again.polled] == ["Gain"], "learned"
        with pytest.raises(AccessDeniedError):
            other.measure(names)  # nobody allowed polling
        with pytest.raises(AccessDeniedError):
            other.measure(names, event={"Gain": "Fast"}, polling=True)
        other.check_samples(other.measure(EVERYTHING))


def test_mixed_extensions() -> None:
    bench = works(Quirk.MIXED_EXTENSIONS)
    by_name = {name: bench.connection.describe(name)["address_extension"] for name in EVERYTHING}
    assert set(by_name.values()) == {0, 4}
    plan = bench.connection.plan(EVERYTHING)
    mixed = [
        {entry.address.extension for entry in odt.entries} for o in plan.lists for odt in o.odts
    ]
    assert {0, 4} in mixed, "neighbours of both extensions share an ODT"
    places = {
        (d["address"] + at, d["address_extension"])
        for d in map(bench.connection.describe, EVERYTHING)
        for at in range({"ULONG": 4, "SLONG": 4, "FLOAT32_IEEE": 4, "UWORD": 2}.get(d["datatype"], 1)
                        * int(np.prod(d["shape"], dtype=int)))
    }  # fmt: skip
    for entry in (entry for o in plan.lists for odt in o.odts for entry in odt.entries):
        for at in range(entry.size):
            assert (entry.address.value + at, entry.address.extension) in places


@pytest.mark.parametrize("names", [("FastCount", "RareCount"), ("RareCount",), ("SlowCount",)])
def test_nanosecond_clock(names: tuple[str, ...]) -> None:
    """19 s are more than four wraps, and 6 s between two samples more than one."""
    bench = works(Quirk.NANOSECOND_CLOCK)
    assert bench.connection.daq.clock.tick_ns == 1
    found = bench.measure(names, 19 * S, event={"RareCount": "Rare"})
    assert {name: len(one) for name, one in found.items()} == {
        {"FastCount": "Fast", "SlowCount": "Slow", "RareCount": "Rare"}[name]: {
            "FastCount": 19_000, "SlowCount": 1_900, "RareCount": 3}[name]
        for name in names
    }  # fmt: skip
    bench.check_samples(found)


def test_counted_losses() -> None:
    """Samples that the slave drops, and datagrams that the line loses, with answers in them."""
    bench = works(Quirk.COUNTED_LOSSES)
    dropped = [0]

    def drops(_daq_list: int) -> bool:
        dropped[0] += (drop := bench.line.clock() // MS % 10 == 0)
        return drop

    bench.ecu.slave.drops = drops
    before = bench.connection.link.lost_messages
    found = bench.measure("FastCount", 50 * MS)["Fast"]
    bench.ecu.slave.drops = None
    assert dropped[0] >= 4
    assert bench.connection.link.lost_messages - before == dropped[0]
    assert found.lost == int((np.diff(found["FastCount"].astype(int)) - 1).sum())
    bench.check_samples({"Fast": found}, whole=False)

    def lose() -> None:
        bench.lose_next = 3

    before = bench.connection.link.lost_messages
    again = bench.measure("FastCount", 20 * MS, during=lose)["Fast"]
    assert again.lost == bench.connection.link.lost_messages - before == 3
    bench.check_samples({"Fast": again}, whole=False)
    plain = Bench(Quirk.DOUBLE_CONNECT)
    plain.ecu.slave.drops = lambda _daq_list: plain.line.clock() // MS % 10 == 0
    assert plain.measure("FastCount", 50 * MS)["Fast"].lost >= 4
    assert plain.connection.link.lost_messages == 0, "without the quirk the counter knows nothing"


def test_bursts() -> None:
    bench = works(Quirk.BURSTS)
    bench.packets.clear()
    bench.arrivals_ns.clear()
    bench.check_samples(bench.measure("FastCount", 240 * MS))
    times = sorted({t_ns // MS for t_ns, _ in dtos(bench)})
    assert len(times) <= 7, "240 samples come in a few bursts"
    bench.packets.clear()
    bench.arrivals_ns.clear()
    bench.check_samples(bench.measure("FastCount", 60 * MS, priority=1))
    assert len({t_ns // MS for t_ns, _ in dtos(bench)}) >= 55, "with a priority each comes at once"
    bench.check_samples(bench.measure(ALL_FAST, 60 * MS))  # more than fit a datagram


def test_bare_connect() -> None:
    bench = works(Quirk.BARE_CONNECT)
    assert bench.sent(0xFF) == [b"\xff\0"]
    assert answers(bench, "ff000000") == []
    fresh = Bench(Quirk.BARE_CONNECT, connected=False)
    assert answers(fresh, "fd") == answers(fresh, "") == answers(fresh, "ff0000") == []
    assert answers(fresh, "ff00")[0][:2] == "ff"


def test_private_commands() -> None:
    bench = works(Quirk.PRIVATE_COMMANDS)
    assert answers(bench, "c0fe") == ["fe20"]
    assert answers(bench, "c1") == []
    assert bench.connection.link.run(daq_setup.clock()) is not None
    from xcaliper.proto.command import Request, command
    from xcaliper.wire.layout import u8

    @command(0xC1, group=bench.connection.link.machine.table["GET_STATUS"].group)
    class Private(Request[std.EmptyResponse]):
        """Does nothing."""

        parameter: int = u8(1, default=0)

    begin_ns = bench.line.clock()
    with pytest.raises(ExchangeTimeoutError):
        bench.connection.link.run(ask(Private(), attempts=1))
    assert bench.line.clock() - begin_ns <= 1.1 * S
    bench.check_calibration(9.5)


def test_empty_ids(tmp_path) -> None:
    file = tmp_path / "strange.a2l"
    file.write_text(Bench(connected=False).ecu.a2l, "utf-8")
    bench = works(Quirk.EMPTY_IDS, a2l=file, ids={4: b""}, id_in_packet_limit=64)
    assert bench.connection.info.epk == ECU.epk
    run, session = bench.connection.link.run, bench.connection.session
    assert run(get_id(session, 3)).data == b""
    assert run(get_id(session, 99)).data == b""
    assert answers(bench, "fa63") == ["fe22"]
    assert answers(bench, "fa03") == answers(bench, "fa04") == ["ff00000000000000"]
    assert answers(bench, "fa") == ["fe21"]
    without = Bench(Quirk.EMPTY_IDS, ids={4: b""})
    assert [one.slug for one in without.connection.diagnostics if "a2l" in one.slug] == ["no-a2l"]


def test_a2l_per_run(tmp_path) -> None:
    """Same EPK and length, other addresses: neither the cache nor a reconnection may be deceived."""
    bench = works(Quirk.A2L_PER_RUN, cache=A2lCache(tmp_path))
    first = bench.connection
    before = first.describe("FastCount")["address"]
    bench.connect()
    assert bench.connection.info.a2l_origin == "cache"
    bench.ecu.reboot(bench.line.clock())
    with pytest.raises(IntegrityError, match="description"):
        bench.connection.reconnect()
    bench.connect()
    assert bench.connection.info.a2l_origin == "upload"
    assert bench.connection.info.epk == ECU.epk
    assert bench.connection.describe("FastCount")["address"] != before
    bench.check_samples(bench.measure(EVERYTHING))
    bench.check_calibration()
    with pytest.raises(AccessDeniedError):
        bench.connection.read_memory(before, 4)
    bench.connection.reconnect()  # the same run, the same description
    bench.check_calibration(3.5)


def test_page_as_init_segment() -> None:
    bench = works(Quirk.PAGE_AS_INIT_SEGMENT)
    found = bench.connection.link.run(page_info(bench.connection.session))
    assert {page.init_segment for one in found for page in one.pages} == {1}
    assert [one.number for one in bench.connection.info.segments] == [0, 1]
    assert bench.connection.pages() == {0: (0, 0), 1: (0, 0)}
    assert answers(bench, "e7000009") == ["fe26"]


def test_denied_pages() -> None:
    bench = works(Quirk.DENIED_PAGES)
    client = bench.connection
    for segment, page in ((9, 0), (0, 7)):
        with pytest.raises(AccessDeniedError):
            client.set_page(segment, page)
    assert answers(bench, "e400000001") == ["fe24"]
    with pytest.raises(WriteProtectedError):  # the client knows before it asks
        client.copy_page((0, 0), (0, 1))
    client.copy_page((0, 1), (0, 0))
    assert (client.read("Gain"), client.read("Count")) == (1.0, 5), "of all segments"
    bench.check_calibration()


def test_segment_names() -> None:
    bench = works(Quirk.SEGMENT_NAMES)
    run = bench.connection.link.run
    told = run(ask(pag.GetSegmentInfo(mode=0, segment=1, segment_info=2)))
    assert run(upload(bench.connection.session, told.value)) == b"More"
    assert answers(bench, "e800090200") == ["fe28"]


def test_extended_clock_claimed() -> None:
    bench = works(Quirk.EXTENDED_CLOCK_CLAIMED)
    run = bench.connection.link.run
    found = run(clock_properties(bench.connection.session, response_fmt=1, cluster=7))
    assert found is not None
    assert isinstance(run(ask(timecorr.GetDaqClock())), timecorr.DaqClockLegacy)
    told = answers(bench, "c61100000700")[0]
    assert int(told[2:4], 16) & 3 == 2
    assert told[12:16] == "0000", "the cluster was ignored"


def test_unknown_cycles() -> None:
    bench = works(Quirk.UNKNOWN_CYCLES)
    assert [event.cycle_ns for event in bench.connection.daq.events] == [None, None, None]
    samples = bench.measure("FastCount", 100 * MS)["Fast"]
    assert np.median(np.diff(samples.t_ns)) == MS, "the rate comes from timestamps"
    assert bench.connection.plan("FastCount").rasters[0].cycle_ns is None


def test_late_stop() -> None:
    bench = works(Quirk.LATE_STOP)
    bench.commands.clear()
    bench.packets.clear()
    bench.arrivals_ns.clear()
    begin_ns = bench.line.clock()
    bench.check_samples(bench.measure(EVERYTHING))
    (stop,) = [packet for packet in bench.sent(0xDD) if packet[1] == 0]
    assert stop
    order = [packet[0] >= 0xFC for packet in bench.packets]
    answer = max(at for at, is_answer in enumerate(order[:-1]) if is_answer)  # the last is FREE_DAQ
    assert not all(order[answer + 1 :]), "DTOs follow the answer"
    assert bench.arrivals_ns[answer] - begin_ns >= 310 * MS
    bench.check_samples(bench.measure("SlowCount", 200 * MS))
    assert bench.quality.unknown == bench.quality.malformed == 0
    client = bench.connection
    client.link.run(daq_setup.setup(client.session, lists("a")))
    client.link.run(daq_setup.start())
    now = bench.line.clock()
    bench.ecu.receive(b"\xdd\0", now)
    bench.ecu.receive(b"\xfc", now)  # impatient masters go on
    assert [p[0] for p in bench.ecu.outgoing() if p[0] >= 0xFC] == [0xFF, 0xFE]
    client.link.run(daq_setup.setup(client.session, lists("a")))
    client.link.run(daq_setup.start())
    bench.ecu.receive(b"\xdd\0", now)
    bench.ecu.slave.drop(now)
    bench.ecu.slave.on_time(now + S)
    assert bench.ecu.outgoing() == [], "a session that is gone is not answered"


def test_unapplied_writes() -> None:
    bench = works(Quirk.UNAPPLIED_WRITES)
    kept = bytes(bench.ecu.memory.ecu_bytes("Cal")[:4])
    assert np.frombuffer(kept, "<f4") == 1.0, "the ECU goes on with the old value"
    texts = [event.text for event in bench.connection.events() if event.name == "SERV_TEXT"]
    assert "Cal: not locked, write not applied" in texts
    assert "More: not locked, write not applied" in texts
    bench.connection.write_memory(ECU.ram_address, b"\1\2\3\4")
    assert bench.connection.events() == [], "RAM is no segment"


def test_unusual_a2l() -> None:
    bench = works(Quirk.UNUSUAL_A2L, max_dto=128)
    client = bench.connection
    slugs = [one.slug for one in client.description.file.diagnostics]
    assert "include-missing" in slugs
    assert not any(one.severity.name == "ERROR" for one in client.description.file.diagnostics)
    array = client.describe("FastArray")
    assert (array["kind"], array["shape"]) == ("VAL_BLK", [ARRAY])
    assert array["upper"] > 2**32 - 1
    assert "測定値" in client.describe("FastCount")["text"]
    plan = client.plan("FastArray")
    sizes = [entry.size for odt in plan.lists[0].odts for entry in odt.entries]
    assert sum(sizes) == 4 * ARRAY
    assert len(plan.lists[0].odts) >= 3, "split over ODTs"
    assert client.read("FastArray")[1] > 0


@pytest.mark.parametrize("quirk", [Quirk.UNKNOWN_INFO, Quirk.SILENT_INFO])
def test_no_information(quirk: Quirk) -> None:
    bench = works(quirk)
    assert [event.name for event in bench.connection.daq.events] == ["Fast", "Slow", "Rare"]
    assert bench.connection.daq.identification_field == 1
    assert len(bench.sent(0xDA)) == len(bench.sent(0xD9)) == 1, "asked once"
    begin_ns = bench.line.clock()
    bench.check_samples(bench.measure(EVERYTHING))
    assert len(bench.sent(0xDA)) == len(bench.sent(0xD9)) == 1
    assert bench.line.clock() - begin_ns < S
    assert bench.connection.port.is_running()
    asked = len(bench.sent(0xFD))
    assert bench.connection.port.is_running()
    assert len(bench.sent(0xFD)) == asked, "GET_STATUS costs its time-out once"
    fresh = Bench(quirk, connected=False)
    begin_ns = fresh.line.clock()
    fresh.connect()
    assert fresh.line.clock() - begin_ns < 4.2 * S, (
        "one time-out for each of three commands, and for the first one again: its answer can get lost"
    )
    fresh.line.attach(lambda *_: [])
    with pytest.raises(ExchangeTimeoutError):
        fresh.connection.port.is_running()


def test_padded_frames() -> None:
    bench = works(Quirk.PADDED_FRAMES)
    assert {len(packet) for packet in bench.packets} == {8}
    fills = {packet[1:] for packet in bench.packets if packet[:1] == b"\xff"}
    assert {fill[-1] for fill in fills} >= {0x00, 0x55, 0xAA}
    assert bench.connection.session.profile.max_cto == 8
    wide = works(Quirk.PADDED_FRAMES, identification_field=3)
    assert wide.connection.session.profile.max_dto == 16


def test_page_before_write() -> None:
    bench = works(Quirk.PAGE_BEFORE_WRITE)
    notes = [one for one in bench.connection.diagnostics if one.slug == "page-chosen"]
    assert len(notes) == 1, "the first write unlocks the rest"
    assert "segment 0 Cal" in notes[0].text
    assert len(bench.sent(0xEB)) == 1
    assert bench.ecu.memory.get_page(0, ecu=True) == 0
    with pytest.raises(WriteProtectedError):
        Bench(Quirk.PAGE_BEFORE_WRITE).connection.write_memory(ECU.ram_address, b"\0")
    stubborn = Bench(Quirk.PAGE_BEFORE_WRITE, disabled=frozenset({"SET_CAL_PAGE"}))
    with pytest.raises(WriteProtectedError):
        stubborn.connection.write("Gain", 2.0)
    ecu_only = Bench(Quirk.PAGE_BEFORE_WRITE)
    ecu_only.connection.set_page(0, 0, xcp=False)
    assert not ecu_only.ecu.slave.page_chosen
    ecu_only.connection.set_page(0, 1)
    with pytest.raises(WriteProtectedError):  # chosen by the user: the flash stays the flash
        ecu_only.connection.write("Gain", 2.0)
    assert ecu_only.ecu.memory.get_page(0, ecu=False) == 1


def test_odts_before_entries() -> None:
    bench = works(Quirk.ODTS_BEFORE_ENTRIES)
    codes = [packet[0] for packet in bench.commands if packet[0] in (0xD3, 0xD4)]
    assert codes == sorted(codes, reverse=True)
    run = bench.connection.link.run
    for request in (
        daq.FreeDaq(),
        daq.AllocDaq(daq_count=2),
        daq.AllocOdt(daq_list=0, odt_count=1),
    ):
        run(ask(request))
    with pytest.raises(SequenceError):
        run(ask(daq.AllocOdtEntry(daq_list=0, odt=0, entry_count=1)))


def test_stim_ignored() -> None:
    bench = works(Quirk.STIM_IGNORED)
    run, session = bench.connection.link.run, bench.connection.session
    with pytest.raises(RemoteProtocolError, match="direction STIM"):
        run(daq_setup.setup(session, lists("a", stim=True)))
    bench.check_samples(bench.measure(EVERYTHING))


def test_no_event_info() -> None:
    bench = works(Quirk.NO_EVENT_INFO)
    assert [event.name for event in bench.connection.daq.events] == ["Fast", "Slow", "Rare"]
    assert len(bench.sent(0xD7)) == 1, "not asked again"
    bench.connection.link.run(daq_setup.setup(bench.connection.session, lists("a")))
    assert answers(bench, "e010000001ff0100") == ["ff"], "only the low byte counts"
    assert bench.ecu.slave.state.daq.lists[0].event_channel == 1


def test_no_event_info_big_endian() -> None:
    from support.strange import Counters
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.xcp.slave_config import SlaveConfig

    order = ByteOrder.MOTOROLA
    settings = SlaveConfig(byte_order=order, quirks=frozenset({Quirk.NO_EVENT_INFO}))
    ecu = VirtualEcu(dataclasses.replace(ECU, byte_order=order), Counters, settings)
    for packet in ("ff00", "d6", "d5000001", "e010000000020100"):
        ecu.receive(bytes.fromhex(packet), 0)
    assert [found.hex() for found in ecu.outgoing()][1:] == ["ff", "ff", "ff"]
    assert ecu.slave.state.daq.lists[0].event_channel == 2


def test_second_connect() -> None:
    bench = works(Quirk.SECOND_CONNECT)
    assert [packet[0] for packet in bench.commands[:3]] == [0xFF, 0xFF, 0xFD]
    assert 0xFC not in {packet[0] for packet in bench.commands}, "no SYNCH before the first answer"


def test_busy_after_write() -> None:
    bench = works(Quirk.BUSY_AFTER_WRITE)
    begin_ns = bench.line.clock()
    bench.connection.write("Gain", 9.0)
    assert 1.3 * S < bench.line.clock() - begin_ns < 5 * S
    bench.run(2 * S)
    found = bench.measure("FastCount", 100 * MS)
    bench.check_samples(found)
    bench.ecu.slave.busy_until_ns = bench.line.clock() + 1000 * S
    begin_ns = bench.line.clock()
    with pytest.raises(BusyError):
        bench.connection.read("Gain")
    assert bench.line.clock() - begin_ns < 12 * S, "patience is bounded"


def test_early_dtos() -> None:
    bench = works(Quirk.EARLY_DTOS)
    bench.packets.clear()
    bench.commands.clear()
    found = bench.measure("FastCount")
    bench.check_samples(found)
    at = [packet[0] < 0xFC for packet in bench.packets].index(True)
    assert bench.packets[at + 1] == b"\xff", "the answer to the start"
    assert len(found["Fast"]) == sum(packet[0] < 0xFC for packet in bench.packets), "none is lost"
    rare = bench.measure("RareCount", 300 * MS, event="Rare")
    assert len(rare["Rare"]) == 0, "without a DTO the answer comes all the same"
    assert [p for p in bench.sent(0xDD) if p[1] == 1] == [b"\xdd\1"] * 2
    assert answers(bench, "dd01") == ["fe2a"], "a refusal is not held back"


def test_double_connect() -> None:
    bench = works(Quirk.DOUBLE_CONNECT)
    assert bench.packets[0] == bench.packets[1]
    assert bench.packets[0][0] == 0xFF
    assert bench.connection.link.machine.counters.stray == 1
    bench.connection.reconnect()
    bench.check_samples(bench.measure(EVERYTHING))


def test_unknown_id_is_a_named_refusal_without_quirks() -> None:
    """The benches differ by quirks only: the plain slave does none of this."""
    bench = works()
    assert answers(bench, "fa63") == ["ff00000000000000"]
    assert answers(bench, "c0fe") == ["fe2a"] or answers(bench, "c0fe")[0].startswith("fe")
    assert {len(packet) % 4 for packet in bench.packets} != {0}
    with pytest.raises(NegativeResponseError) as caught:
        bench.connection.set_page(9, 0)
    assert not isinstance(caught.value, AccessDeniedError)
