"""Time-outs, SYNCH, late, doubled, wrong and unsolicited packets."""

from __future__ import annotations

import pickle

import pytest

from pair.link import RAM, SEGMENT, Pair, config
from xcaliper.core.errors import (
    BusyError,
    ExchangeTimeoutError,
    LocalProtocolError,
    NegativeResponseError,
    RemoteProtocolError,
    SettingsError,
    XcaliperError,
)
from xcaliper.proto.procedure import Burst, Tell, ask
from xcaliper.xcp import cal, daq, std
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.clock import clock_properties
from xcaliper.xcp.procedures.connect import connect, disconnect, synchronise
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.daq_setup import setup, start, stop
from xcaliper.xcp.procedures.identify import identify, upload_a2l
from xcaliper.xcp.procedures.memory import XcpMemory, read, upload, write
from xcaliper.xcp.procedures.pages import page_info
from xcaliper.xcp.recovery import RECOVERY, Timers
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.table import COMMANDS

MS = 1_000_000
T1 = 1000 * MS
LISTS = (DaqListSetup(0, 0, (OdtSetup((OdtEntry(RAM, 4), OdtEntry(RAM + 8, 2))),)),)


@pytest.fixture
def pair() -> Pair:
    made = Pair(config(max_cto=8))
    made.forget()
    return made


def test_upload_survives_one_lost_answer(pair: Pair) -> None:
    pair.to_master.lose(0)
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.seen == ["SHORT_UPLOAD", "SYNCH", "SHORT_UPLOAD"]
    assert pair.now_ns == T1
    assert pair.master.counters.timeouts == 1


def test_upload_survives_one_lost_command(pair: Pair) -> None:
    pair.to_slave.lose(0)
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.seen == ["SHORT_UPLOAD", "SYNCH", "SHORT_UPLOAD"]


@pytest.mark.parametrize("lost", ["command", "answer"])
def test_pointer_is_set_again_before_an_upload_is_repeated(pair: Pair, lost: str) -> None:
    pair = Pair(config(max_cto=8, slave_block_mode=False))
    pair.forget()
    (pair.to_slave if lost == "command" else pair.to_master).lose(2)
    assert pair.run(read(pair.session, RAM, 70)) == bytes(range(70))
    assert pair.seen == [
        *("SET_MTA", "UPLOAD", "UPLOAD", "SYNCH", "SET_MTA", *["UPLOAD"] * 9),
    ]
    assert pair.to_slave.sent[4].hex() == "f600000007000020"


def test_download_is_not_written_behind_itself(pair: Pair) -> None:
    pair = Pair(config(max_cto=8, master_block_mode=False))
    pair.forget()
    pair.to_master.lose(2)
    pair.run(write(pair.session, RAM, b"0123456789abcdef"))
    assert pair.memory.read(RAM, 17) == b"0123456789abcdef\x10"


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("way", ["to_slave", "to_master"])
def test_a_block_is_repeated_as_a_whole(pair: Pair, number: int, way: str) -> None:
    getattr(pair, way).lose(number if way == "to_slave" else 1)
    pair.run(write(pair.session, RAM, b"0123456789abcdef"))
    assert pair.memory.read(RAM, 17) == b"0123456789abcdef\x10"
    assert pair.seen.count("DOWNLOAD") == 2
    assert pair.seen[4:6] == ["SYNCH", "SET_MTA"]


def test_a_block_gives_up_after_its_attempts(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: [] if packet[0] == 0xEF else [(0, packet)]
    with pytest.raises(ExchangeTimeoutError) as caught:
        pair.run(write(pair.session, RAM, b"0123456789abcdef"))
    assert (caught.value.command, caught.value.attempts) == ("DOWNLOAD_NEXT", 3)


def test_a_lost_part_of_a_slave_block_is_read_again(pair: Pair) -> None:
    for number in (1, 2, 3):
        pair.forget()
        pair.to_master.lose(number)
        assert pair.run(read(pair.session, RAM, 20)) == bytes(range(20))
        assert pair.seen == ["SET_MTA", "UPLOAD", "SYNCH", "SET_MTA", "UPLOAD"]


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("way", ["to_slave", "to_master"])
def test_set_up_survives_any_single_loss(number: int, way: str) -> None:
    pair = Pair(config(max_cto=64))
    pair.forget()
    getattr(pair, way).lose(number)
    pair.run(setup(pair.session, LISTS))
    pair.run(start())
    pair.event(0)
    assert [p[6:] for p in pair.dtos] == [bytes((0, 1, 2, 3, 8, 9))]
    assert len(pair.slave.state.daq.lists) == 1
    pair.forget()
    assert pair.run(stop())


def test_write_daq_sets_its_pointer_again(pair: Pair) -> None:
    pair.run(setup(pair.session, LISTS))
    pair.forget()
    pair.to_master.lose(6)
    pair.run(setup(pair.session, LISTS))
    at = pair.seen.index("SYNCH")
    assert pair.seen[at - 1 : at + 3] == ["WRITE_DAQ", "SYNCH", "SET_DAQ_PTR", "WRITE_DAQ"]
    assert pair.to_slave.sent[at + 1].hex() == "e20000000001"


def test_a_lost_allocation_starts_from_free(pair: Pair) -> None:
    pair.to_master.lose(1)
    pair.run(setup(pair.session, LISTS))
    assert pair.seen[:6] == ["FREE_DAQ", "ALLOC_DAQ", "SYNCH", "FREE_DAQ", "ALLOC_DAQ", "ALLOC_ODT"]


def test_a_dead_slave_is_given_up_in_bounded_time(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError) as caught:
        pair.run(read(pair.session, RAM, 4))
    assert caught.value.command == "SHORT_UPLOAD"
    assert caught.value.timer == "T1"
    assert pair.seen == ["SHORT_UPLOAD", "SYNCH", "SYNCH", "SYNCH"]
    assert pair.now_ns == 4 * T1
    assert caught.value.elapsed_ns == 4 * T1


def test_connect_is_repeated_without_synch() -> None:
    pair = Pair(connected=False)
    pair.to_slave.lose(0, 1)
    pair.run(connect())
    assert pair.seen[:4] == ["CONNECT", "CONNECT", "CONNECT", "GET_STATUS"]
    assert pair.now_ns == 2 * T1
    pair = Pair(connected=False)
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError) as caught:
        pair.run(connect(1, attempts=7))
    assert caught.value.timer == "T6"
    timers = pair.master.timers
    assert pair.now_ns == 7 * timers.t6_ns + 6 * timers.t7_ns


def test_a_lost_disconnect_ends_in_one_timeout(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: []
    assert pair.run(disconnect(300 * MS)) is False
    assert pair.now_ns == 300 * MS
    assert not pair.master.connected


def test_a_late_answer_before_that_to_synch_is_dropped(pair: Pair) -> None:
    pair.to_master.delay(0, T1 + 5)
    pair.to_slave.delay(1, 10)  # SYNCH is on its way when the late answer comes
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.master.counters.stray == 1
    assert pair.seen == ["SHORT_UPLOAD", "SYNCH", "SHORT_UPLOAD"]


def test_an_answer_to_nothing_is_dropped(pair: Pair) -> None:
    pair.master.receive(b"\xff\x01", 0)
    pair.master.receive(b"\xfe\x22", 0)
    assert pair.master.counters.stray == 2
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_a_doubled_answer_to_synch_is_dropped(pair: Pair) -> None:
    pair.to_master.duplicate(0)
    assert pair.run(synchronise()) is True
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_a_doubled_connect_answer_is_not_taken_for_the_next() -> None:
    pair = Pair(connected=False)
    pair.to_master.duplicate(0)
    session = pair.run(connect())
    assert session.status == 0
    assert session.max_bs == 32
    assert pair.master.counters.stray == 1


def test_connect_answers_that_cross(pair: Pair) -> None:
    pair = Pair(connected=False)
    pair.to_master.delay(0, T1 + 1)
    pair.to_slave.delay(1, 2)
    assert pair.run(connect()).max_bs == 32


def test_longer_answers_are_cut(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, packet + b"\xaa\x55\x00")]
    assert pair.run(read(pair.session, RAM, 3)) == b"\x00\x01\x02"
    assert pair.run(read(pair.session, RAM, 20)) == bytes(range(20))
    pair.run(write(pair.session, RAM, b"0123456789"))
    assert pair.run(connect()).profile == pair.session.profile
    assert pair.master.counters.timeouts == 0


def test_too_short_answers_are_not_believed(pair: Pair) -> None:
    pair.to_master.replace(0, b"\xff\x00")
    assert pair.run(read(pair.session, RAM, 4)) == bytes(range(4))
    assert pair.master.counters.malformed == 1
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(0, b"\xff")] * 5
    with pytest.raises(RemoteProtocolError, match="does not fit"):
        pair.run(read(pair.session, RAM, 4))


def test_after_nonsense_the_next_command_begins_with_synch(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xff")] * 5
    with pytest.raises(RemoteProtocolError):
        pair.run(read(pair.session, RAM, 4))
    pair.forget()
    assert pair.run(read(pair.session, RAM, 4)) == bytes(range(4))
    assert pair.seen == ["SYNCH", "SHORT_UPLOAD"]


@pytest.mark.parametrize("packet", ["ff1dc0050008010100", "ff1dc0ff0000010101", "ff05"])
def test_impossible_connect_answers_are_refused(packet: str) -> None:
    pair = Pair(connected=False)
    pair.to_master.hook = lambda p, n: [(0, bytes.fromhex(packet))]
    with pytest.raises((RemoteProtocolError, ExchangeTimeoutError)):
        pair.run(connect())
    assert not pair.master.connected


def test_a_busy_slave_is_waited_for(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x10" if n < 4 else packet)]
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.seen == ["SHORT_UPLOAD"] * 5
    assert pair.now_ns == 4 * pair.master.timers.t7_ns


def test_patience_with_a_busy_slave_ends(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x12")]
    with pytest.raises(BusyError):
        pair.run(read(pair.session, RAM, 2))
    assert 10_000 * MS <= pair.now_ns <= 11_000 * MS


def test_pending_commands_get_more_time_but_not_for_ever(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: (
        [(k * 900 * MS, b"\xfd\x05") for k in range(5)] + [(4500 * MS, packet)]
    )
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.now_ns == 4500 * MS
    assert pair.seen == ["SHORT_UPLOAD"]
    pair = Pair(pending_patience_ns=3 * T1)
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(k * 900 * MS, b"\xfd\x05") for k in range(9)]
    with pytest.raises(ExchangeTimeoutError):
        pair.run(read(pair.session, RAM, 2))
    assert pair.now_ns <= 7 * T1


@pytest.mark.parametrize("moment", ["before", "within"])
def test_events_and_services_may_come_at_any_moment(pair: Pair, moment: str) -> None:
    extra = [b"\xfd\x06", b"\xfc\x01Hello ", b"\xfc\x01world\n\0\0\0", b"\xfc\x00", b"\xfd\xee\x01"]
    if moment == "before":
        for packet in extra:
            pair.master.receive(packet, 5)
    else:
        pair.to_master.hook = lambda packet, n: [(0, p) for p in [*extra, packet]]
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    events = pair.master.events()
    assert [e.name for e in events] == ["EV_DAQ_OVERLOAD", "SERV_TEXT", "SERV_RESET", "EV_EE"]
    assert events[1].text == "Hello world\n"
    assert pair.master.events() == []


def test_texts_of_the_slave_arrive_whole(pair: Pair) -> None:
    pair.slave.say("a text that needs more than one packet")
    pair.exchange()
    assert [e.text for e in pair.master.events()] == ["a text that needs more than one packet"]


def test_texts_without_end_do_not_grow(pair: Pair) -> None:
    for _ in range(30_000):
        pair.master.receive(b"\xfc\x01abcdef", 0)
    texts = pair.master.events()
    assert len(texts) == 2
    assert all(len(e.text) == 65_536 for e in texts)


def test_the_slave_ends_the_session(pair: Pair) -> None:
    running = pair.master.start(read(pair.session, RAM, 2), 0)
    pair.slave.terminate(0)
    pair.exchange()
    assert running.done()
    with pytest.raises(RemoteProtocolError, match="the slave ended it"):
        running.result()
    assert not pair.master.connected
    assert not pair.slave.connected
    with pytest.raises(RemoteProtocolError, match="Connect again"):
        pair.run(read(pair.session, RAM, 2))
    pair.run(connect())
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_before_connect_the_slave_is_silent() -> None:
    pair = Pair(connected=False)
    for packet in (b"\xfd", b"\xfc", b"\xf4\x01\0\0\0\0\0\x20", b"\xde\xad", b"", b"\x00\x01"):
        pair.slave.receive(packet, 0)
    assert pair.slave.outgoing() == []
    assert pair.slave.counters.ignored == 6


def test_unknown_and_short_commands(pair: Pair) -> None:
    for packet, answer in (
        (b"\xc1", "fe20"),
        (b"\xf4\x01", "fe21"),
        (b"\xc0", "fe21"),
        (b"\xc0\x55", "fe34"),
        (b"\xfd" + bytes(8), "fe21"),  # longer than MAX_CTO
        (b"\xfd" + bytes(7), "ff0000000000"),  # padded up to MAX_CTO
    ):
        pair.slave.receive(packet, 0)
        assert [p.hex() for p in pair.slave.outgoing()] == [answer]


def test_another_command_ends_a_block(pair: Pair) -> None:
    pair.slave.receive(bytes.fromhex("f600000000000020"), 0)
    pair.slave.receive(bytes.fromhex("f00e000102030405"), 0)
    pair.slave.receive(b"\xfd", 0)
    pair.slave.receive(bytes.fromhex("ef08060708090a0b"), 0)
    assert [p.hex() for p in pair.slave.outgoing()] == ["ff", "ff0000000000", "fe2900"]


def test_one_procedure_at_a_time(pair: Pair) -> None:
    first = pair.master.start(read(pair.session, RAM, 2), 0)
    with pytest.raises(LocalProtocolError):
        pair.master.start(read(pair.session, RAM, 2), 0)
    with pytest.raises(LocalProtocolError):
        first.result()
    assert not pair.master.idle
    pair.exchange()
    assert first.result() == b"\x00\x01"
    assert pair.master.idle


def test_a_cancelled_command_is_followed_by_synch(pair: Pair) -> None:
    running = pair.master.start(read(pair.session, RAM, 2), 0)
    pair.master.outgoing()
    pair.master.cancel(running)
    assert running.done()
    assert pair.master.due() is None
    pair.master.cancel(running)  # once more: no effect
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.seen == ["SYNCH", "SHORT_UPLOAD"]


def test_a_suspicious_link_begins_with_synch(pair: Pair) -> None:
    pair.master.suspect()
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.seen == ["SYNCH", "SHORT_UPLOAD"]


def test_a_slave_without_synch(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: [(0, b"\xc1" if packet == b"\xfc" else packet)]
    pair.to_master.lose(0)
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_text_uploads_start_again_after_a_loss(pair: Pair) -> None:
    pair.to_master.lose(3)
    assert pair.run(upload_a2l(pair.session)) == b"/begin PROJECT demo\n" * 50
    assert pair.seen.count("GET_ID") == 2


def test_the_name_of_an_event_is_asked_for_again_after_a_loss() -> None:
    quiet = Pair()
    quiet.forget()
    expected = quiet.run(daq_info(quiet.session)).events
    uploads = [n for n, name in enumerate(quiet.seen) if name == "UPLOAD"]
    assert [one.name for one in expected] == ["1ms", "10ms", "crank"]
    for at in uploads:
        pair = Pair()
        pair.forget()
        pair.to_master.lose(at)
        assert pair.run(daq_info(pair.session)).events == expected
        assert pair.seen.count("GET_DAQ_EVENT_INFO") == 3 + 1


def test_the_name_of_an_event_that_is_lost_again_and_again() -> None:
    pair = Pair()
    pair.to_slave.hook = lambda packet, n: [] if packet[:1] == b"\xf5" else [(0, packet)]
    with pytest.raises(ExchangeTimeoutError, match="UPLOAD"):
        pair.run(daq_info(pair.session))


def test_what_a_slave_tells_of_its_clocks_is_asked_for_again_after_a_loss() -> None:
    pair = Pair(config(clocks=ClockSettings(slave=ClockModel())))
    pair.forget()
    expected = pair.run(clock_properties(pair.session))
    assert pair.seen == ["TIME_CORRELATION_PROPERTIES", "UPLOAD"]
    pair.to_master.lose(1)
    assert pair.run(clock_properties(pair.session)) == expected
    assert pair.seen.count("TIME_CORRELATION_PROPERTIES") == 3
    pair.to_slave.hook = lambda packet, n: [] if packet[:1] == b"\xf5" else [(0, packet)]
    with pytest.raises(ExchangeTimeoutError, match="UPLOAD"):
        pair.run(clock_properties(pair.session))


#: What a slave must have; all other commands are optional (XCP Base, table of commands, 1.0).
NEEDED = {"CONNECT", "DISCONNECT", "GET_STATUS", "SYNCH", "SET_MTA", "UPLOAD", "SHORT_UPLOAD"}


def test_a_slave_that_is_silent_for_optional_commands() -> None:
    pair = Pair(connected=False)
    pair.to_slave.hook = lambda packet, n: (
        [(0, packet)] if getattr(COMMANDS.find(packet), "name", "") in NEEDED else []
    )
    session = pair.run(connect())
    unanswered: list[int] = []
    pair.to_slave.sent.clear()
    assert pair.run(identify(session, unanswered=unanswered)) == {}
    assert unanswered == [0, 1]  # the others would cost a time-out each
    assert pair.seen.count("GET_ID") == 3 + 1
    told = pair.run(daq_info(session))
    assert (told.processor, told.resolution, told.events) == (None, None, None)
    assert pair.run(page_info(session)) is None
    assert pair.run(read(session, RAM, 2)) == b"\x00\x01"


def test_a_slave_that_is_silent_for_some_identifications(pair: Pair) -> None:
    """Those that are there are found, before and behind the others."""
    pair.to_slave.hook = lambda packet, n: (
        [] if packet[:2] in (b"\xfa\0", b"\xfa\x06") else [(0, packet)]
    )
    unanswered: list[int] = []
    found = pair.run(identify(pair.session, unanswered=unanswered))
    assert found == {1: "demo", 5: "EPK 1.0"}
    assert unanswered == [0, 6]


def test_a_slave_without_page_queries_shows_its_segments() -> None:
    pair = Pair()
    pair.to_slave.hook = lambda packet, n: [] if packet[:1] == b"\xea" else [(0, packet)]
    first, second = pair.run(page_info(pair.session))
    assert (first.address, first.ecu_page, first.xcp_page) == (SEGMENT, None, None)
    assert second.ecu_page is None


def test_identification_of_a_slave_that_is_gone(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError):
        pair.run(identify(pair.session))


def test_upload_without_known_pointer_is_not_repeated(pair: Pair) -> None:
    pair.run(ask(std.SetMta(address=RAM.value)))
    pair.master.lose_track()
    pair.forget()
    pair.to_master.lose(0)
    with pytest.raises(ExchangeTimeoutError):
        pair.run(upload(pair.session, 4))
    assert pair.seen == ["UPLOAD", "SYNCH"]


def test_a_lost_answer_to_start_is_found_out(pair: Pair) -> None:
    pair.run(setup(pair.session, LISTS))
    pair.forget()
    pair.to_master.lose(0)
    pair.run(start())
    assert pair.seen[-2:] == ["START_STOP_SYNCH", "GET_STATUS"]
    pair.event(0)
    assert len(pair.dtos) == 1


def test_a_request_beyond_max_cto_is_not_sent(pair: Pair) -> None:
    with pytest.raises(LocalProtocolError, match="MAX_CTO"):
        pair.run(ask(cal.Download(count=20, data=bytes(20))))
    with pytest.raises(XcaliperError):
        pair.run(ask(std.ShortUpload(count=300, address=0)))
    assert pair.to_slave.sent == []


def test_a_message_without_answer(pair: Pair) -> None:
    def procedure():
        yield Tell(daq.FreeDaq())
        return (yield from ask(std.GetStatus()))

    pair.to_master.lose(0)
    assert pair.run(procedure()).session_status == 0


def test_early_errors_of_a_block_do_not_hit_the_next_command(pair: Pair) -> None:
    memory = XcpMemory(pair.session)
    pair.to_master.hook = lambda packet, n: [(0, packet)] * (3 if packet[0] == 0xFE else 1)
    with pytest.raises(NegativeResponseError):
        pair.run(memory.write(RAM + 0x3FFC, bytes(16)))
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert "SYNCH" in pair.seen


def test_procedures_that_fail_leave_the_machine_usable(pair: Pair) -> None:
    def broken():
        yield from ask(std.GetStatus())
        raise KeyError("bug")

    with pytest.raises(KeyError):
        pair.run(broken())
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_burst_as_a_step(pair: Pair) -> None:
    def procedure():
        yield from ask(std.SetMta(address=RAM.value))
        yield Burst((cal.Download(count=2, data=b"hi"),))
        return (yield from ask(std.ShortUpload(count=2, address=RAM.value))).data

    assert pair.run(procedure()) == b"hi"


def test_a_slave_that_dies_during_information_is_not_asked_on(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError):
        pair.run(daq_info(pair.session))
    assert pair.now_ns == 4 * T1
    assert pair.run(synchronise()) is False


def test_timers() -> None:
    timers = Timers.of_ms(10, 20, 0, 40)
    assert (timers.t1_ns, timers.t2_ns, timers.t4_ns) == (10 * MS, 20 * MS, 40 * MS)
    assert timers.t3_ns == Timers().t3_ns
    assert timers.named("T4") == 40 * MS
    with pytest.raises(SettingsError):
        Timers(t1_ns=0)


def test_every_command_has_a_rule_and_a_timer() -> None:
    for info in COMMANDS:
        assert info.recovery in RECOVERY
        assert Timers().named(info.timer) > 0


def test_errors_of_the_machine_travel_between_processes(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError) as caught:
        pair.run(read(pair.session, RAM, 4))
    assert pickle.loads(pickle.dumps(caught.value)).command == "SHORT_UPLOAD"
