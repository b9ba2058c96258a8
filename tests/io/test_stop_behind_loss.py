"""Stopping a measurement when answers got lost before: the slave is there, so it shall be stopped."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from support.served import CONNECTED, message
from xcaliper.client.daq_port import DaqPort
from xcaliper.core.errors import ExchangeTimeoutError
from xcaliper.proto.procedure import ask
from xcaliper.transport.loopback import LoopbackLine
from xcaliper.transport.pump import Link
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.std import Connect
from xcaliper.xcp.timecorr import GetDaqClock

SYNCH, CLOCK, STOP = 0xFC, 0xDC, 0xDD


class Slave:
    """Answers, but not the clock, and not the first SYNCH; DAQ is over."""

    def __init__(self, *, dead: bool = False, deaf: int = 0) -> None:
        self.asked: list[int] = []
        self.dead, self.deaf = dead, deaf
        self.counter = -1

    def __call__(self, data: bytes, _now_ns: int) -> list[bytes]:
        self.asked.append(data[4])
        answers = {0xFF: CONNECTED, SYNCH: b"\xfe\x00", STOP: b"\xff", 0xFE: b"\xff"}
        lost = data[4] == CLOCK or (data[4] == SYNCH and self.asked.count(SYNCH) == 1)
        if lost or data[4] == self.deaf or (self.dead and data[4] != 0xFF):
            return []
        self.counter += 1
        return [message(self.counter, answers[data[4]])]


def behind_loss(slave: Slave) -> tuple[DaqPort, Link]:
    line = LoopbackLine()
    line.attach(slave)
    link = Link(line.transport, MasterMachine(), threaded=False, clock=line.clock)
    link.run(ask(Connect()))
    for seconds in (0.3, 0.5):  # the second one begins with the SYNCH that gets lost
        with pytest.raises(ExchangeTimeoutError):
            link.run(ask(GetDaqClock(), attempts=1, timeout_ns=200_000_000), seconds)
    port = DaqPort.__new__(DaqPort)
    port.connection = SimpleNamespace(link=link)  # type: ignore[assignment]
    return port, link


def test_lists_are_stopped_behind_a_lost_answer_and_a_lost_synch():
    slave = Slave()
    port, link = behind_loss(slave)
    port._stop()
    assert slave.asked.count(STOP) == 1
    link.close()


def test_a_slave_that_says_nothing_is_not_asked_for_longer():
    slave = Slave(dead=True)
    port, link = behind_loss(slave)
    before_ns = link.clock()
    with pytest.raises(ExchangeTimeoutError):
        port._stop()
    assert link.clock() - before_ns < 2_000_000_000
    link.close()


def test_a_slave_that_answers_but_ignores_the_stop_is_told():
    slave = Slave(deaf=STOP)
    port, link = behind_loss(slave)
    with pytest.raises(ExchangeTimeoutError):
        port._stop()
    assert 1 <= slave.asked.count(STOP) <= 6, "asked, and not without end"
    link.close()
