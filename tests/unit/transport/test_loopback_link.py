"""A whole link on virtual time: driver, framing, machine, recovery; no socket, no thread."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.served import BASE, CONNECTED, CONTENT, TalkativeSlave, message, slave
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    SettingsError,
    UsageError,
    XcaliperError,
)
from xcaliper.proto.procedure import ask
from xcaliper.transport.loopback import Faults, LoopbackLine, SlaveEnd
from xcaliper.transport.pump import Link
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.std import Connect, Disconnect, GetStatus, UserCmd

TIMERS = Timers.of_ms(50, 50, 50, 50, 50, 50, 10)


def link_on(line: LoopbackLine) -> Link:
    machine = MasterMachine(timers=TIMERS, attempts=20)
    return Link(line.transport, machine, threaded=False, clock=line.clock)


@pytest.mark.parametrize("stream", [False, True])
def test_commands_go_through(stream: bool) -> None:
    line = LoopbackLine(stream=stream, seed=3)
    end = SlaveEnd(line, slave())
    link = link_on(line)
    link.run(ask(Connect()))
    for at in range(0, 200, 7):
        assert link.short_upload(BASE + at, 5) == CONTENT[at : at + 5]
    assert link.run(ask(GetStatus())) is not None
    link.close()
    assert not end.machine.connected
    assert line.transport.closed


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    duplicate=st.sampled_from([0.0, 0.2, 0.9]),
)
def test_lost_and_doubled_datagrams_never_give_wrong_data(
    seed: int, loss: float, duplicate: float
) -> None:
    line = LoopbackLine(Faults(loss=loss, duplicate=duplicate), seed=seed)
    SlaveEnd(line, slave())
    link = link_on(line)
    link.run(ask(Connect()))
    for at in range(0, 120, 4):
        try:
            assert link.short_upload(BASE + at, 4) == CONTENT[at : at + 4]
        except ExchangeTimeoutError:
            assert loss, "nothing was lost, so every answer must be found"
    link.close()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_every_fault_at_once_ends_in_bounded_time(seed: int) -> None:
    faults = Faults(0.2, 0.2, 0.2, 0.2, jitter_ns=2_000_000, late_ns=70_000_000)
    line = LoopbackLine(faults, seed=seed)
    SlaveEnd(line, slave())
    link = link_on(line)
    for at in range(0, 40, 4):
        started = line.clock()
        try:
            if not link.machine.connected:
                link.run(ask(Connect()), timeout_s=5)
            assert len(link.short_upload(BASE + at, 4)) == 4
        except XcaliperError:
            pass
        assert line.clock() - started < 60_000_000_000
    link.close()


def test_same_seed_same_faults() -> None:
    lost = []
    for _ in range(2):
        line = LoopbackLine(Faults(loss=0.1), seed=11)
        SlaveEnd(line, slave())
        link = link_on(line)
        link.run(ask(Connect()))
        for at in range(50):
            link.short_upload(BASE + at, 1)
        lost.append((line.lost, line.clock(), link.lost_messages))
    assert lost[0] == lost[1]
    assert lost[0][0] > 5


def test_lost_daq_is_marked() -> None:
    line = LoopbackLine()
    end = SlaveEnd(line, TalkativeSlave(dto_size=1400))
    link = link_on(line)
    numbers: list[int] = []
    lost: list[tuple[int, int]] = []

    def sink(batch: object) -> None:
        lost.extend((len(numbers) + at, missing) for at, missing in batch.lost)
        numbers.extend(packet[1] for packet in batch.packets)

    link.run(ask(Connect()))
    link.start_daq(sink)
    link.run(ask(UserCmd(sub_command=0, parameters=b"\x05\0\0\0")))
    line.faults = Faults(loss=1.0)
    end.machine.receive(b"\xf1\x00\x03\0\0\0", 0)
    end.flush()
    line.faults = Faults()
    link.run(ask(UserCmd(sub_command=0, parameters=b"\x05\0\0\0")))
    line.run_until(line.clock() + 1_000_000)
    link.poll()
    link.stop_daq()
    assert numbers == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]
    assert lost == [(5, 4)]  # three DTOs and the answer that travelled with the first
    assert link.lost_messages == 4


def test_events_are_kept_in_order_and_bounded() -> None:
    line = LoopbackLine()
    end = SlaveEnd(line, slave())
    link = link_on(line)
    link.run(ask(Connect()))
    for code in range(5000):
        end.machine.notify(0x80, code.to_bytes(2, "little"))
        end.flush()
        if code % 500 == 0:
            line.run_until(line.clock() + 1_000_000)
            link.poll()
    line.run_until(line.clock() + 1_000_000)
    while link.poll():
        pass
    found = [int.from_bytes(event.content.data[:2], "little") for event in link.events()]
    assert found[-1] == 4999
    assert found == sorted(found)
    assert 1000 < len(found) <= 4096
    assert link.events() == []


def test_news_are_told_with_every_event_and_only_then() -> None:
    line = LoopbackLine()
    end = SlaveEnd(line, slave())
    link = link_on(line)
    told: list[int] = []
    link.on_news = lambda: told.append(len(link.events()))
    link.run(ask(Connect()))
    link.run(ask(GetStatus()))
    assert told == []
    end.machine.notify(0x80, b"\x01\x00")
    end.machine.notify(0x80, b"\x02\x00")
    end.flush()
    line.run_until(line.clock() + 1_000_000)
    link.poll()
    assert told == [2]


def test_event_between_command_and_answer() -> None:
    line = LoopbackLine()

    def answer(data: bytes, now_ns: int) -> list[bytes]:
        if data[4] == 0xFF:
            return [message(0, CONNECTED)]
        return [message(1, b"\xfd\x06") + message(2, b"\x05dto") + message(3, b"\xff" + b"data")]

    line.attach(answer)
    link = link_on(line)
    packets: list[bytes] = []
    link.run(ask(Connect()))
    link.start_daq(lambda batch: packets.extend(batch.packets))
    assert link.short_upload(BASE, 4) == b"data"
    link.stop_daq()
    link.poll()
    assert packets == [b"\x05dto"]
    assert [event.name for event in link.events()] == ["EV_DAQ_OVERLOAD"]
    assert link.lost_messages == 0


def test_loss_around_an_answer_is_told_of_the_data_behind_it() -> None:
    """Missing before the answer, behind it, and before a message without a packet: all of it."""
    line = LoopbackLine()
    answers = iter(
        (
            [message(0, CONNECTED)],
            [message(1, b"\x05a") + message(4, b"\xff" + b"data") + message(9, b"\x05b")],
            [message(12, b"\x05c") + message(14, b"\xff" + b"data")],
            [message(16, b"") + message(18, b"\xff" + b"data") + message(20, b"")],
            [message(21, b"\x05d") + message(22, b"\xff" + b"data")],
        )
    )
    line.attach(lambda _data, _now_ns: next(answers))
    link = link_on(line)
    packets: list[bytes] = []
    lost: list[tuple[int, int]] = []

    def sink(batch: object) -> None:
        lost.extend((len(packets) + at, missing) for at, missing in batch.lost)
        packets.extend(batch.packets)

    link.run(ask(Connect()))
    link.start_daq(sink)
    for _ in range(4):
        assert link.short_upload(BASE, 4) == b"data"
    link.stop_daq()
    link.poll()
    assert packets == [b"\x05a", b"\x05b", b"\x05c", b"\x05d"]
    assert lost == [(1, 6), (2, 2), (3, 4)]
    assert link.lost_messages == 12


def test_pending_event_gives_more_time() -> None:
    line = LoopbackLine()
    sent: list[int] = []

    def answer(data: bytes, now_ns: int) -> list[bytes]:
        sent.append(data[4])
        if data[4] == 0xFF:
            return [message(0, CONNECTED)]
        for number, t_ms in enumerate((40, 80, 120)):
            packet = message(1 + number, b"\xfd\x05")
            line.at(now_ns + t_ms * 1_000_000, lambda packet=packet: line.to_master(packet))
        line.at(now_ns + 150_000_000, lambda: line.to_master(message(4, b"\xffdata")))
        return []

    line.attach(answer)
    link = link_on(line)
    link.run(ask(Connect()))
    assert link.short_upload(BASE, 4) == b"data"
    assert sent == [0xFF, 0xF4]


def test_silent_slave_costs_a_bounded_virtual_time() -> None:
    line = LoopbackLine()
    link = link_on(line)
    with pytest.raises(ExchangeTimeoutError):
        link.run(ask(Connect()))
    assert 1_000_000_000 <= line.clock() < 2_000_000_000
    with pytest.raises(ExchangeTimeoutError) as caught:
        link.run(ask(Connect(), timeout_ns=10**12), timeout_s=0.25)
    assert caught.value.elapsed_ns == pytest.approx(250_000_000, abs=2_000_000)


def test_after_disconnect_there_is_no_short_way() -> None:
    line = LoopbackLine()
    SlaveEnd(line, slave())
    link = link_on(line)
    link.run(ask(Connect()))
    link.run(ask(Disconnect()))
    with pytest.raises(XcaliperError):
        link.short_upload(BASE, 4)


def test_closed_link_says_so() -> None:
    line = LoopbackLine()
    link = link_on(line)
    link.close()
    link.close()
    with pytest.raises(LinkError, match="closed"):
        link.run(ask(Connect()))
    with pytest.raises(LinkError, match="closed"):
        link.poll()
    with pytest.raises(UsageError, match="thread"):
        link.submit(ask(Connect()))


def test_probabilities_are_checked() -> None:
    with pytest.raises(SettingsError, match="loss"):
        Faults(loss=1.5)


def test_answer_behind_very_much_daq_is_found() -> None:
    line = LoopbackLine()

    def answer(data: bytes, now_ns: int) -> list[bytes]:
        if data[4] == 0xFF:
            return [message(0, CONNECTED)]
        first = 1 + 2001 * sum(asked)
        asked.append(1)
        dtos = [message(first + at, b"\x01" + at.to_bytes(2, "little")) for at in range(2000)]
        return [*dtos, message(first + 2000, b"\xffdata")]

    asked: list[int] = []
    line.attach(answer)
    link = link_on(line)
    count: list[int] = []
    link.run(ask(Connect()))
    link.start_daq(lambda batch: count.append(len(batch.packets)))
    for _ in range(3):
        assert link.short_upload(BASE, 4) == b"data"
    link.stop_daq()
    assert len(asked) == 3
    assert sum(count) == 6000
    assert link.lost_messages == 0
