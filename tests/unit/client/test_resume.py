"""What comes before anybody knows what to do with it, and waiting for a slave that stores."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from xcaliper.client import resume
from xcaliper.client.resume import EarlyPackets, wait_stored
from xcaliper.core.errors import RemoteProtocolError
from xcaliper.core.frames import DtoBatch
from xcaliper.xcp.codes import SessionStatus
from xcaliper.xcp.procedures.store import StoreStatus


def test_early_packets_come_first_and_in_order():
    early, got = EarlyPackets(), []
    batches = [DtoBatch(number, [bytes((number,))]) for number in range(4)]
    early.put(batches[0])
    early.put(batches[1])
    early.hand_over(got.append)
    early.put(batches[2])
    early.hand_over(got.append)
    early.put(batches[3])
    assert got == batches


def test_what_finds_no_room_is_a_gap():
    early, got = EarlyPackets(max_bytes=200), []
    kept = DtoBatch(0, [b"x" * 40])
    early.put(kept)
    early.put(DtoBatch(1, [b"y" * 40] * 2, lost=[(0, 3)]))
    early.put(DtoBatch(2, [b"z"]))
    early.hand_over(got.append)
    assert got == [kept, DtoBatch(2, lost=[(0, 6)])]


class Slave:
    """Answers GET_STATUS from a list and tells events at given times; time passes in sleep()."""

    def __init__(self, monkeypatch, states, events=()) -> None:
        self.states = list(states)
        self.events = dict(events)
        self.now = 0.0
        self.asked = 0
        self.link = SimpleNamespace(run=self.run)
        self.port = SimpleNamespace(take_events=self.take_events)
        monkeypatch.setattr(resume, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, time_s: float) -> None:
        self.now += time_s

    def run(self, procedure) -> StoreStatus:
        procedure.close()
        self.asked += 1
        bits, identifier = self.states[min(self.asked, len(self.states)) - 1]
        return StoreStatus(SessionStatus(bits), identifier)

    def take_events(self):
        return [SimpleNamespace(name=name) for name in self.events.get(self.asked, ())]


STORING, IDLE = 0x04, 0x00


def test_the_pending_bit_falls(monkeypatch):
    slave = Slave(monkeypatch, [(STORING, 0), (STORING, 0), (IDLE, 7)])
    assert wait_stored(slave, "EV_STORE_DAQ", 5, wanted=7).session_configuration_id == 7
    assert slave.asked == 3


def test_a_slave_that_shows_no_bit_is_waited_for_by_its_id_or_event(monkeypatch):
    slave = Slave(monkeypatch, [(IDLE, 0), (IDLE, 0), (IDLE, 7)])
    assert wait_stored(slave, "EV_STORE_DAQ", 5, wanted=7).session_configuration_id == 7
    told = Slave(monkeypatch, [(IDLE, 0)], {2: ("EV_USER", "EV_STORE_DAQ")})
    assert wait_stored(told, "EV_STORE_DAQ", 5, wanted=7).session_configuration_id == 0
    assert told.asked == 2


def test_a_slave_that_never_ends(monkeypatch):
    slave = Slave(monkeypatch, [(STORING, 0)])
    with pytest.raises(RemoteProtocolError, match="not stored it within 3 s"):
        wait_stored(slave, "EV_STORE_CAL", 3)
    assert slave.asked < 30
