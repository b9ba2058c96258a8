"""Optional commands without an answer: ignored by the slave, or lost once on the way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pair.link import Pair, config
from xcaliper.client.facts import LiveFacts, live_facts
from xcaliper.core.errors import ExchangeTimeoutError
from xcaliper.xcp.procedures.clock import clock_properties
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.identify import identify
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.table import COMMANDS

T1 = 1_000_000_000


def test_of_unanswered_optional_commands_the_first_one_costs_two_timeouts() -> None:
    pair = Pair(connected=False)
    pair.to_slave.hook = lambda packet, n: [] if packet[:1] in b"\xc0\xda\xd9" else [(0, packet)]
    session = pair.run(connect())
    assert session.protocol_version == (1, 0)
    assert pair.now_ns == 2 * T1
    info = pair.run(daq_info(session))
    assert (info.processor, info.resolution) == (None, None)
    assert pair.now_ns == 4 * T1, "a device that ignores one command ignores others"
    pair.run(daq_info(session))
    assert pair.now_ns == 4 * T1, "and is not asked again"
    session.forget()
    pair.run(daq_info(session))
    assert pair.now_ns == 7 * T1


def lose_once(pair: Pair, *codes: int) -> list[int]:
    """Let the slave miss the first packet of each code; gives those that it missed."""
    lost: list[int] = []

    def hook(packet: bytes, number: int) -> list[tuple[int, bytes]]:
        if packet[0] in codes and packet[0] not in lost:
            lost.append(packet[0])
            return []
        return [(0, packet)]

    pair.to_slave.hook = hook
    return lost


def test_one_lost_answer_to_an_optional_command_hides_nothing() -> None:
    pair = Pair(connected=False)
    lost = lose_once(pair, 0xDA)  # GET_DAQ_PROCESSOR_INFO
    session = pair.run(connect())
    assert pair.run(daq_info(session)).processor is not None
    assert lost
    assert not session.refused


def test_one_lost_answer_hides_no_clock() -> None:
    pair = Pair(config(clocks=ClockSettings(slave=ClockModel())))
    expected = pair.run(clock_properties(pair.session))
    lost = lose_once(pair, 0xC6)  # TIME_CORRELATION_PROPERTIES
    assert pair.run(clock_properties(pair.session)) == expected
    assert lost
    assert not pair.session.refused


def test_a_slave_that_ignores_time_correlation_costs_two_timeouts() -> None:
    pair = Pair()
    pair.to_slave.hook = lambda packet, n: [] if packet[0] == 0xC6 else [(0, packet)]
    for _ in range(2):
        assert pair.run(clock_properties(pair.session)) is None
        assert pair.now_ns == 2 * T1, "then it is known"
    pair.to_slave.hook = lambda packet, n: []
    pair.session.forget()
    with pytest.raises(ExchangeTimeoutError, match="SYNCH"):
        pair.run(clock_properties(pair.session))


def facts_of(pair: Pair) -> LiveFacts:
    """What a check of a description asks the slave, without a description."""
    link = SimpleNamespace(run=pair.run)
    file = SimpleNamespace(module=SimpleNamespace(mod_par=None))
    return live_facts(
        SimpleNamespace(
            session=pair.session,
            link=link,
            catalog=SimpleNamespace(file=file),
            description=SimpleNamespace(epk=""),
        )
    )


def test_one_lost_answer_hides_no_command_from_a_check() -> None:
    expected = facts_of(Pair())
    assert expected.commands["GET_DAQ_CLOCK"]
    for command in ("GET_COMM_MODE_INFO", "GET_VERSION", "GET_PAG_PROCESSOR_INFO", "GET_DAQ_CLOCK"):
        pair = Pair()
        lost = lose_once(pair, COMMANDS[command].code)
        assert facts_of(pair) == expected
        assert lost


def test_a_check_does_not_keep_ignored_numbers_from_being_asked_again() -> None:
    """Which identification is ignored says nothing of the others; each time-out counts once more only."""
    pair = Pair()
    pair.to_slave.hook = lambda packet, n: [] if packet[:2] == b"\xfa\0" else [(0, packet)]
    assert not facts_of(pair).commands["GET_ID"]
    assert pair.now_ns == 2 * T1
    assert pair.run(identify(pair.session, (1,))) == {1: "demo"}
