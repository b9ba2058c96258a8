"""Answers at the wrong moment, and slaves that mean no good."""

from __future__ import annotations

import contextlib

import pytest

from pair.link import RAM, Pair, config
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    RemoteProtocolError,
    XcaliperError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.daq_setup import setup, start
from xcaliper.xcp.procedures.memory import read

MS = 1_000_000
T1 = 1000 * MS
T7 = 200 * MS


@pytest.fixture
def pair() -> Pair:
    made = Pair(config(max_cto=8))
    made.forget()
    return made


@pytest.mark.parametrize("late", [T1 - 1, T1, T1 + 1, T1 + MS])
def test_a_late_answer_is_never_that_of_the_next_command(pair: Pair, late: int) -> None:
    pair.to_master.delay(0, late)
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.run(read(pair.session, RAM + 2, 2)) == b"\x02\x03"
    assert pair.run(read(pair.session, RAM + 4, 2)) == b"\x04\x05"


@pytest.mark.parametrize("late", [1, 3 * T1, 3 * T1 + 1, 4 * T1, 6 * T1])
def test_answers_later_than_all_attempts_are_dropped(pair: Pair, late: int) -> None:
    """Every answer is late, until the link recovers."""
    pair.to_master.hook = lambda packet, n: [(late, packet)]
    with contextlib.suppress(ExchangeTimeoutError):
        assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    pair.to_master.hook = None
    for offset in range(2, 20, 2):
        try:
            got = pair.run(read(pair.session, RAM + offset, 2))
        except ExchangeTimeoutError:
            continue
        assert got == bytes((offset, offset + 1)), offset


@pytest.mark.parametrize("late", [T1 + 1, 2 * T1, 5 * T1])
def test_a_late_answer_is_not_that_of_connect(pair: Pair, late: int) -> None:
    """Eight bytes that look like an answer to CONNECT, and come while one is awaited."""
    fake = bytes((0xFF, 5, 1, 16, 0, 16, 1, 1))
    pair.memory.write(RAM, fake[1:])
    pair.to_slave.hook = lambda packet, n: [(0, packet)] if n < 1 else []
    pair.to_master.delay(0, late)
    with pytest.raises(ExchangeTimeoutError):
        pair.run(ask(std.ShortUpload(count=7, address=RAM.value), attempts=1))
    pair.to_slave.hook = lambda packet, n: [(10 * T1 if packet[0] == 0xFF else 0, packet)]
    with contextlib.suppress(XcaliperError):
        pair.run(connect())
    pair.to_slave.hook = None
    for _ in range(3):
        try:
            status = pair.run(ask(std.GetStatus()))
        except XcaliperError:
            pair.run(connect())
            continue
        assert status.session_status == 0
        assert not status.state_number
        assert status.session_configuration_id == 0


def test_pending_while_waiting_for_a_busy_slave_does_not_change_the_wait(pair: Pair) -> None:
    def busy(packet: bytes, n: int) -> list[tuple[int, bytes]]:
        if n == 0:
            return [(0, b"\xfe\x10"), (MS, b"\xfd\x05")]
        return [(0, packet)]

    pair.to_master.hook = busy
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
    assert pair.now_ns == T7


def test_a_storm_of_pending_ends(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(i * 10 * MS, b"\xfd\x05") for i in range(10_000)]
    with pytest.raises(ExchangeTimeoutError):
        pair.run(read(pair.session, RAM, 2), steps=400_000)
    assert pair.now_ns <= 3 * (60_000 + 5000) * MS


@pytest.mark.parametrize("body", ["fe", "fe24", "fe24" + "55" * 6, "fe24" + "00" * 200])
def test_refusals_of_any_length(pair: Pair, body: str) -> None:
    pair.to_master.replace(0, bytes.fromhex(body))
    if body == "fe":
        assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"
        return
    with pytest.raises(NegativeResponseError):
        pair.run(read(pair.session, RAM, 2))
    pair.to_master.hook = None
    assert pair.run(read(pair.session, RAM, 2)) == b"\x00\x01"


def test_a_padded_download_writes_what_it_counts() -> None:
    pair = Pair(config(max_cto=8))
    before = pair.memory.read(RAM, 8)
    pair.run(ask(std.SetMta(address=RAM.value)))
    pair.slave.receive(bytes.fromhex("f0 02 aa bb 00 00 00 00"), 0)
    assert pair.slave.outgoing() == [b"\xff"]
    assert pair.memory.read(RAM, 8) == b"\xaa\xbb" + before[2:]
    assert pair.slave.state.mta == RAM + 2


def test_a_padded_short_download_writes_what_it_counts() -> None:
    pair = Pair(config(max_cto=16))
    before = pair.memory.read(RAM, 8)
    pair.slave.receive(bytes.fromhex("ed 02 00 00 00000020 aabb 0000000000"), 0)
    assert pair.slave.outgoing() == [b"\xff"]
    assert pair.memory.read(RAM, 8) == b"\xaa\xbb" + before[2:]


def test_overload_is_told_once_per_list() -> None:
    pair = Pair(config(queue_size=5, overload=2))
    big = tuple(OdtSetup((OdtEntry(RAM, 4),)) for _ in range(4))
    small = (OdtSetup((OdtEntry(RAM, 1),)),)
    lists = (DaqListSetup(0, 0, big, priority=1), DaqListSetup(1, 0, small))
    pair.run(setup(pair.session, lists))
    pair.run(start())
    for _ in range(20):
        pair.slave.event(0, 0)
        for packet in pair.slave.outgoing():
            assert packet[:2] != b"\xfd\x06"
    for _ in range(20):
        pair.slave.event(0, 0)
    out = pair.slave.outgoing()
    assert [p[:2] for p in out].count(b"\xfd\x06") == 2


def test_text_of_an_old_session_does_not_begin_that_of_the_next(pair: Pair) -> None:
    pair.master.receive(b"\xfc\x01old", 0)
    pair.run(connect())
    pair.master.events()
    pair.slave.say("new")
    pair.exchange()
    assert [event.text for event in pair.master.events()] == ["new"]


def test_dead_session_sends_nothing_that_was_queued(pair: Pair) -> None:
    running = pair.master.start(read(pair.session, RAM, 2), 0)
    pair.master.receive(b"\xfd\x07", 0)
    assert running.done()
    with pytest.raises(RemoteProtocolError):
        running.result()
    assert pair.master.outgoing() == []
