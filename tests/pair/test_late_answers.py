"""Answers that come when nobody expects them any more, as bad links bring them."""

from __future__ import annotations

import pytest

from pair.link import RAM, Pair, config
from xcaliper.core.errors import ExchangeTimeoutError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.procedures.connect import connect, disconnect
from xcaliper.xcp.procedures.memory import modify_bits, read, write

MS = 1_000_000
T1 = 1000 * MS


def test_bits_are_toggled_once_even_when_the_answer_is_lost() -> None:
    pair = Pair(config(max_cto=8))
    pair.forget()
    pair.to_master.lose(1)
    with pytest.raises(ExchangeTimeoutError, match="MODIFY_BITS") as caught:
        pair.run(modify_bits(pair.session, RAM, and_mask=0xFFFF, xor_mask=0x00FF))
    assert pair.memory.read(RAM, 2) == b"\xff\x01"
    assert "read them" in caught.value.hint
    assert pair.seen == ["SET_MTA", "MODIFY_BITS"]


def test_bits_that_are_set_may_be_set_again() -> None:
    pair = Pair(config(max_cto=8))
    pair.forget()
    pair.to_master.lose(1)
    pair.run(modify_bits(pair.session, RAM, and_mask=0xFF00, xor_mask=0x00A5))
    assert pair.memory.read(RAM, 2) == b"\xa5\x01"
    assert pair.seen == ["SET_MTA", "MODIFY_BITS", "SYNCH", "SET_MTA", "MODIFY_BITS"]


def test_lost_set_mta_of_modify_bits_is_told_as_such() -> None:
    pair = Pair(config(max_cto=8))
    pair.to_slave.hook = lambda packet, n: []
    with pytest.raises(ExchangeTimeoutError, match="SET_MTA") as caught:
        pair.run(modify_bits(pair.session, RAM, and_mask=0xFFFF, xor_mask=1))
    assert "read them" not in caught.value.hint


def test_an_answer_to_synch_that_was_given_up_is_counted_off_later() -> None:
    """Its late answer must not pass for that to the next SYNCH, or all answers are one off."""
    pair = Pair(config(max_cto=8))
    pair.forget()
    delays = {0: 2500 * MS, 1: 2500 * MS - T1, 2: 5300 * MS, 3: 0, 4: T1 + MS}

    def late(packet: bytes, number: int) -> list[tuple[int, bytes]]:
        return [(delays.get(number, 0), packet)]

    pair.to_master.hook = late
    for offset in range(0, 12, 2):
        try:
            got = pair.run(read(pair.session, RAM + offset, 2))
        except ExchangeTimeoutError:
            continue
        assert got == bytes((offset, offset + 1))


def test_an_old_answer_is_not_taken_for_that_to_disconnect() -> None:
    pair = Pair(config(max_cto=8))
    pair.forget()
    pair.to_master.delay(0, T1 + 100 * MS)
    with pytest.raises(ExchangeTimeoutError):
        pair.run(ask(std.GetStatus(), attempts=1))
    pair.to_slave.hook = lambda packet, n: []
    assert not pair.run(disconnect())
    assert pair.slave.connected
    assert pair.now_ns <= 2 * T1 + MS


def test_answers_to_a_connect_that_was_given_up_are_not_those_of_other_commands() -> None:
    pair = Pair(config(max_cto=8), connected=False)
    pair.to_master.hook = lambda packet, n: [(max(3200 * MS - pair.now_ns, 0), packet)]
    with pytest.raises(ExchangeTimeoutError):
        pair.run(connect(attempts=3))
    answer = pair.run(ask(std.GetId(identification_type=0)))
    assert answer.length == 0
    assert pair.seen[-2:] == ["SYNCH", "GET_ID"]


@pytest.mark.parametrize(
    ("max_cto", "lost", "told"), [(64, (0,), 1), (64, (0, 2), 2), (8, (1,), 1), (8, (0,), 0)]
)
def test_a_write_that_may_have_been_carried_out_twice_is_told(max_cto, lost, told) -> None:
    """One that got no answer is repeated by the matrix; the ECU's own change in between is gone."""
    pair = Pair(config(max_cto=max_cto))
    pair.forget()
    pair.to_master.lose(*lost)
    applied: list[bytes] = []
    write_memory = pair.memory.write

    def write_and_change(address, data) -> None:
        applied.append(bytes(data))
        write_memory(address, data)
        write_memory(address, b"\xee")

    pair.memory.write = write_and_change
    pair.run(write(pair.session, RAM, b"\x01\x02\x03"))
    assert pair.master.counters.repeated_writes == told
    assert applied == [b"\x01\x02\x03"] * (1 + told)


def test_a_write_that_the_slave_was_too_busy_for_is_no_second_one() -> None:
    pair = Pair(config(max_cto=64))
    pair.forget()
    pair.to_slave.hook = lambda packet, n: [] if n == 0 else [(0, packet)]
    receive, refused = pair.slave.receive, []

    def busy_once(packet: bytes, now_ns: int) -> None:
        if packet[0] == 0xED and not refused:
            refused.append(packet)
            pair.slave._out.append(b"\xfe\x10")
            return
        receive(packet, now_ns)

    pair.slave.receive = busy_once
    pair.to_slave.hook = None
    pair.run(write(pair.session, RAM, b"\x01\x02\x03"))
    assert refused
    assert pair.master.counters.repeated_writes == 0


def test_an_unchecked_link_takes_no_surplus_answers_for_later_ones() -> None:
    """A damaged count made the slave answer more often: SYNCH first, so a write waits for its own."""
    for unchecked in (False, True):
        pair = Pair(config(max_cto=8, master_block_mode=False), unchecked=unchecked)
        pair.forget()
        pair.to_slave.hook = lambda packet, n, pair=pair: (
            [(0, b"\xf5\x46")] if packet[0] == 0xF5 else [(0, packet)]
        )
        pair.to_master.hook = lambda packet, n: [(n * MS, packet)]
        assert pair.run(read(pair.session, RAM, 40)) == bytes(range(40))
        pair.to_slave.hook = lambda packet, n: [] if packet[0] == 0xF0 else [(0, packet)]
        if unchecked:
            with pytest.raises(ExchangeTimeoutError):
                pair.run(write(pair.session, RAM, b"\xaa\xbb"))
        else:
            pair.run(write(pair.session, RAM, b"\xaa\xbb"))
        assert pair.memory.read(RAM, 2) == b"\x00\x01", "never written"
        assert ("SYNCH" in pair.seen) == unchecked
