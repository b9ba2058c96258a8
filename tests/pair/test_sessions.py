"""Sessions: CONNECT inside one and in a mode of the user, other masters, sleep, the slave's own end."""

from __future__ import annotations

import pytest

from pair.link import RAM, SEGMENT, Pair, config
from pair.session import lists
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    OutOfRangeError,
    RemoteProtocolError,
    SettingsError,
    UsageError,
)
from xcaliper.proto.procedure import Ask, Burst, Collect, Pipeline, Tell, Uploads, ask
from xcaliper.xcp import cal, std
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.observer import ObserverMachine
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.connect import connect, disconnect
from xcaliper.xcp.procedures.memory import read, write
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave_session import SessionSettings

MS = 1_000_000
T1 = 1000 * MS


def measuring(pair: Pair) -> Pair:
    pair.run(daq_setup.setup(pair.session, lists(timestamp=False)))
    pair.run(daq_setup.start())
    pair.forget()
    return pair


def with_session(**settings: object) -> Pair:
    return Pair(config(max_cto=32, session=SessionSettings(**settings)), connected=False)


# -- CONNECT inside a session ---------------------------------------------------------------------


def test_connect_inside_a_session_is_answered_and_begins_afresh() -> None:
    pair = measuring(Pair(config()))
    pair.slave.state.mta = RAM
    again = pair.run(connect())
    assert again == pair.session
    assert pair.to_master.sent[0][0] == 0xFF
    assert pair.slave.connected
    assert not pair.slave.daq_running
    assert not pair.slave.state.daq.lists
    assert pair.slave.state.mta is None


def test_connect_inside_a_session_may_leave_the_lists_running() -> None:
    """The other reading of the standard: the master has to look at GET_STATUS."""
    pair = with_session(keeps_lists=True)
    pair.session = pair.run(connect())
    measuring(pair)
    again = pair.run(connect())
    assert again.status.daq_running
    assert pair.slave.daq_running
    assert pair.slave.state.mta is None
    pair.event(0)
    assert len(pair.dtos) == 2
    pair.run(disconnect())
    assert not pair.slave.daq_running
    pair.session = pair.run(connect())
    assert not pair.session.status.daq_running


def test_a_refused_connect_leaves_the_session_as_it_is() -> None:
    pair = measuring(Pair(config()))
    for mode in (1, 2, 255):
        with pytest.raises(OutOfRangeError):
            pair.run(ask(std.Connect(mode=mode)))
    assert pair.slave.daq_running


def test_connect_answered_at_the_second_try_only() -> None:
    pair = with_session(silent_connects=1)
    pair.session = pair.run(connect())
    assert pair.seen[:2] == ["CONNECT", "CONNECT"]
    assert pair.now_ns == T1
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    pair.run(connect())
    assert pair.now_ns == T1, "inside a session it is answered at once"
    pair.run(disconnect())
    pair.run(connect())
    assert pair.now_ns == 2 * T1


@pytest.mark.parametrize("copies", [2, 5])
def test_connect_answered_several_times(copies: int) -> None:
    """Late copies of the answer are not those of the commands that follow."""
    pair = Pair(config(max_cto=16), connected=False)
    pair.to_master.hook = lambda packet, n: [
        (i * MS if n == 0 else 0, packet) for i in range(copies if n == 0 else 1)
    ]
    pair.to_slave.hook = lambda packet, n: [(MS // 2 if n else 0, packet)]
    pair.session = pair.run(connect())
    assert pair.session.profile.max_cto == 16
    assert pair.run(read(pair.session, RAM, 4)) == bytes(range(4))
    pair.now_ns += 100 * MS
    pair.exchange()
    assert pair.master.counters.stray >= 1


# -- CONNECT in a mode of the user ----------------------------------------------------------------


def test_user_defined_connect_is_repeated_with_t6_and_without_synch() -> None:
    timers = Timers.of_ms(1000, 2000, 2000, 10_000, 1000, 50, 30)
    pair = Pair(
        config(session=SessionSettings(user_mode=True, silent_connects=7)),
        connected=False,
        timers=timers,
    )
    pair.session = pair.run(connect(1, attempts=20))
    assert pair.seen.count("CONNECT") == 8
    assert pair.to_slave.sent[:8] == [b"\xff\x01"] * 8
    assert "SYNCH" not in pair.seen
    assert 7 * 50 * MS <= pair.now_ns <= 7 * 80 * MS
    assert pair.slave.state.session.user_mode
    assert [event.kind for event in pair.slave.events()] == ["connected", "user-mode"]
    pair.run(connect())
    assert not pair.slave.state.session.user_mode, "a normal CONNECT leaves the mode"


def test_user_defined_connect_ends_within_its_attempts() -> None:
    pair = with_session(user_mode=False)
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError, match="CONNECT"):
        pair.run(connect(1, attempts=10))
    assert pair.seen == ["CONNECT"] * 10
    assert pair.now_ns <= 10 * (100 + 200) * MS


@pytest.mark.parametrize("within_ms", [50, 99, 100, 101, 305, 5000])
def test_user_defined_connect_is_repeated_for_exactly_so_long(within_ms: int) -> None:
    """Not a moment longer, whatever T6 and T7 are, and more often the longer it is."""
    pair = with_session(user_mode=False)
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError, match="CONNECT") as caught:
        pair.run(connect(1, within_ns=within_ms * MS))
    assert pair.now_ns == within_ms * MS
    assert caught.value.attempts == len(pair.seen) == -(-within_ms // 300)
    assert set(pair.seen) == {"CONNECT"}


def test_changing_the_mode_begins_afresh_even_where_lists_are_kept() -> None:
    pair = with_session(user_mode=True, keeps_lists=True)
    pair.session = pair.run(connect())
    measuring(pair)
    pair.run(connect(1))
    assert not pair.slave.daq_running


def test_settings_are_checked() -> None:
    for silent in (-1, 1001):
        with pytest.raises(SettingsError):
            SessionSettings(silent_connects=silent)


# -- another master on a shared line --------------------------------------------------------------


class SharedLine:
    """A bus: one slave, two masters that hear every answer, and an observer that hears all."""

    def __init__(self) -> None:
        self.pair = Pair(config(max_cto=8))
        self.other = MasterMachine()
        self.observer = ObserverMachine()
        self.now_ns = self.pair.now_ns

    def run(self, master: MasterMachine, procedure):
        running = master.start(procedure, self.now_ns)
        for _ in range(1000):
            sent = master.outgoing()
            for packet in sent:
                self.observer.receive(packet, self.now_ns, from_master=True)
                self.pair.slave.receive(packet, self.now_ns)
            for packet in self.pair.slave.outgoing():
                self.observer.receive(packet, self.now_ns, from_master=False)
                for one in (self.pair.master, self.other):
                    one.receive(packet, self.now_ns)
            if running.done():
                return running.result()
            if not sent:
                self.now_ns = max(master.due(), self.now_ns)
                master.on_time(self.now_ns)
        raise AssertionError("no end")


def test_two_masters_on_one_bus() -> None:
    """The slave cannot tell them apart: the second CONNECT ends what the first one had set up."""
    line = SharedLine()
    first, second = line.pair.master, line.other
    line.run(first, daq_setup.setup(line.pair.session, lists(timestamp=False)))
    line.run(first, daq_setup.start())
    assert line.pair.slave.daq_running
    line.observer.rows()
    session = line.run(second, connect())
    assert line.run(second, read(session, RAM, 4)) == bytes(range(4))
    assert not line.pair.slave.daq_running
    assert first.counters.stray >= 3, "answers to nothing that it asked"
    assert line.run(first, read(line.pair.session, SEGMENT, 2)) == b"\0\0"
    line.run(second, disconnect())
    with pytest.raises(ExchangeTimeoutError):
        line.run(first, read(line.pair.session, RAM, 2))
    rows = line.observer.rows()
    names = [row.name for row in rows if row.kind == "CMD"]
    assert names[0] == "CONNECT"
    assert names.count("SHORT_UPLOAD") >= 2
    assert "DISCONNECT" in names
    assert any(row.kind == "RES" and row.name == "CONNECT" for row in rows), "foreign, and decoded"
    assert not [row for row in rows if row.kind == "RES" and row.error]


# -- the slave ends the session -------------------------------------------------------------------


def test_session_terminated_between_commands() -> None:
    pair = measuring(Pair(config()))
    pair.slave.terminate(pair.now_ns)
    pair.exchange()
    assert not pair.slave.daq_running
    assert not pair.master.connected
    assert [event.name for event in pair.master.events()] == ["EV_SESSION_TERMINATED"]
    with pytest.raises(RemoteProtocolError, match="session: the slave ended it") as caught:
        pair.run(read(pair.session, RAM, 2))
    assert caught.value.hint == "Connect again."
    assert pair.to_slave.sent == [], "nothing is sent into a dead session"
    pair.session = pair.run(connect())
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


@pytest.mark.parametrize(
    "step",
    [
        Ask(std.GetStatus()),
        Tell(std.GetStatus()),
        Burst((cal.Download(count=2, data=b"ab"), cal.DownloadNext(count=1, data=b"c"))),
        Collect(std.Upload(count=4), 1),
        Uploads((4, 4)),
        Pipeline((std.GetStatus(), std.GetStatus()), queue=1),
    ],
    ids=lambda step: type(step).__name__,
)
def test_no_kind_of_step_is_sent_into_a_session_that_has_ended(step) -> None:
    def steps():
        yield step

    pair = Pair(config(max_cto=8))
    pair.slave.terminate(pair.now_ns)
    pair.exchange()
    pair.forget()
    for _ in range(2):  # the machine is free for the next one
        with pytest.raises(RemoteProtocolError, match="the slave ended it"):
            pair.run(steps())
        assert pair.master.idle
    assert pair.seen == []


def test_session_terminated_inside_a_block() -> None:
    pair = Pair(config(max_cto=8))
    pair.forget()

    def end(packet: bytes, number: int) -> list[tuple[int, bytes]]:
        if number == 3:
            pair.slave.terminate(pair.now_ns)
        return [(0, packet)]

    pair.to_slave.hook = end
    with pytest.raises(RemoteProtocolError, match="the slave ended it"):
        pair.run(write(pair.session, RAM, bytes(100)))
    assert pair.memory.read(RAM, 4) == bytes(range(4)), (
        "a block that is not complete is not written"
    )
    assert pair.slave.state.block is None


# -- states of the ECU -----------------------------------------------------------------------------


def test_the_state_of_the_ecu_is_told_once_when_it_changes_and_whenever_it_is_asked_for() -> None:
    pair = Pair(config())
    for state in (3, 3, 255, 0):
        pair.slave.enter_state(state)
        pair.exchange()
        assert pair.run(ask(std.GetStatus())).state_number == state
    events = [(one.name, one.content.state_number) for one in pair.master.events()]
    assert events == [("EV_ECU_STATE_CHANGE", state) for state in (3, 255, 0)]
    for wrong in (-1, 256):
        with pytest.raises(UsageError, match="state of the ECU"):
            pair.slave.enter_state(wrong)
    pair.run(disconnect())
    pair.slave.enter_state(7)
    assert pair.slave.outgoing() == [], "nobody listens"
    assert pair.run(ask(std.Connect())).max_cto == 64
    assert pair.run(ask(std.GetStatus())).state_number == 7, "it is no matter of sessions"


# -- sleep ----------------------------------------------------------------------------------------


def test_a_sleeping_slave_serves_and_samples_nothing() -> None:
    pair = measuring(Pair(config()))
    pair.slave.sleep()
    pair.slave.sleep()
    for packet in (b"\xfd", b"\xf4\x04\0\0\0\0\0\x20", b"\xff\x00"):
        pair.slave.receive(packet, 0)
    for _ in range(5):
        pair.slave.event(0, 0)
    assert pair.slave.outgoing() == [b"\xfd\x0a"], "told once, silent otherwise"
    assert pair.slave.counters.ignored == 3
    pair.slave.wake()
    pair.slave.wake()
    assert pair.slave.outgoing() == [b"\xfd\x0b"]
    assert pair.slave.daq_running, "it goes on where it stopped"
    pair.slave.event(0, 0)
    assert len(pair.slave.outgoing()) == 2
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_power_fails_while_it_sleeps() -> None:
    pair = Pair(config())
    pair.slave.sleep()
    pair.slave.drop(0)
    pair.slave.outgoing()
    pair.slave.receive(b"\xff\x00", 0)
    assert pair.slave.connected


def test_sleep_without_a_session_says_nothing() -> None:
    pair = Pair(config(), connected=False)
    pair.slave.sleep()
    pair.slave.wake()
    assert pair.slave.outgoing() == []


def test_a_master_that_knows_of_the_sleep_comes_through_it() -> None:
    """Commands wait for EV_WAKE_UP; without it they end in an error, in bounded time."""
    pair = Pair(config())
    pair.forget()
    pair.slave.sleep()
    pair.exchange()
    running = pair.master.start(read(pair.session, RAM, 2), pair.now_ns)
    pair.exchange()
    pair.now_ns += 500 * MS
    pair.slave.wake()
    pair.exchange()
    for _ in range(20):
        if running.done():
            break
        pair.wait()
        pair.exchange()
    assert running.result() == b"\x00\x01"
    pair.slave.sleep()
    pair.exchange()
    with pytest.raises((ExchangeTimeoutError, RemoteProtocolError)):
        pair.run(read(pair.session, RAM, 2))
    assert pair.now_ns < 700_000 * MS


def test_samples_of_the_session_before_are_not_sent_into_the_new_one() -> None:
    pair = measuring(Pair(config()))
    pair.slave.event(0, 0)
    pair.slave.receive(b"\xfd", 0)
    pair.slave.event(1, 0)
    pair.slave.receive(b"\xff\x00", 0)
    found = pair.slave.outgoing()
    assert [packet[0] for packet in found] == [0xFF, 0xFF]
    assert len(found[0]) == 6, "what was asked before is answered"
    assert pair.slave.counters.dtos == 4
