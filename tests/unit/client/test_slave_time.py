"""When the clock of a slave is read: in groups, the rest after a lost answer, ever more rarely."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import TYPE_CHECKING

from xcaliper.client import slave_time
from xcaliper.client.slave_time import FEW_MISSES, FIRST_READINGS, GROUP, PACE, REST_S, SlaveTime
from xcaliper.core.errors import ExchangeTimeoutError
from xcaliper.core.ticks import TickClock
from xcaliper.daq.timeline import ClockReading, Timeline
from xcaliper.xcp.timecorr import DaqClockLegacy

if TYPE_CHECKING:
    import pytest

SECOND = 1_000_000_000
WAY_NS = 100_000


class Slave:
    """A link whose slave answers GET_DAQ_CLOCK, or loses the answers that are named."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1000 * SECOND
        self.asked = 0
        self.way_ns = WAY_NS
        self.lost: set[int] = set()
        clock = TickClock(1, 3, 4)
        monkeypatch.setattr(slave_time, "time", SimpleNamespace(monotonic_ns=lambda: self.now_ns))
        timeline = Timeline(clock, [None], ClockReading(self.ticks(), self.now_ns))
        decoder = SimpleNamespace(timeline=timeline, plan=SimpleNamespace(clock=clock))
        port = SimpleNamespace(connection=SimpleNamespace(link=SimpleNamespace(run=self.run)))
        self.time = SlaveTime(port, decoder, None)  # type: ignore[arg-type]

    def ticks(self) -> int:
        return self.now_ns // 1000 % 2**32

    def run(self, procedure, _timeout_s):
        answer, lost = None, False
        try:
            while True:
                if lost:
                    procedure.throw(
                        ExchangeTimeoutError("no answer", timer="t1", attempts=1, elapsed_ns=SECOND)
                    )
                else:
                    procedure.send(answer)
                number, self.asked = self.asked, self.asked + 1
                lost = number in self.lost
                self.now_ns += self.way_ns
                answer = DaqClockLegacy(timestamp=self.ticks())
                self.now_ns += self.way_ns
        except StopIteration as end:
            return end.value

    def watch(self, seconds: float) -> list[tuple[float, int]]:
        """Tick every 10 ms for a while: the times since the start at which was read, and how often."""
        begin_ns = self.now_ns
        found = []
        for at in range(0, round(seconds * SECOND), SECOND // 100):
            self.now_ns = max(self.now_ns, begin_ns + at)
            before = self.asked
            self.time.tick(self.now_ns)
            if self.asked > before:
                found.append((at / SECOND, self.asked - before))
        return found


def test_readings_come_in_groups_and_ever_more_rarely(monkeypatch) -> None:
    slave = Slave(monkeypatch)
    slave.time.begin()
    assert slave.asked == FIRST_READINGS
    read = slave.watch(80)
    assert {count for _, count in read} == {GROUP}
    gaps = [round(after - before, 2) for (before, _), (after, _) in itertools.pairwise(read)]
    expected = {gap for _, gap in PACE}
    assert set(gaps) == expected
    assert gaps == sorted(gaps)
    assert gaps.count(PACE[0][1]) == PACE[0][0] / PACE[0][1]
    host = slave.time.correlator.to_host()
    assert host is not None
    assert abs(host.drift_ppm) < host.drift_uncertainty_ppm < 20
    assert host.uncertainty_ns < 2 * WAY_NS


def test_the_rest_of_a_group_follows_soon_after_a_lost_answer(monkeypatch) -> None:
    slave = Slave(monkeypatch)
    slave.lost = {4}
    assert slave.watch(1.2) == [(0.0, 5), (REST_S, GROUP - 4), (REST_S + PACE[0][1], GROUP)]
    assert len(slave.time.correlator.host) == 2 * GROUP


def test_a_slave_that_never_answers_is_asked_less_and_less(monkeypatch) -> None:
    slave = Slave(monkeypatch)
    slave.lost = set(range(10_000))
    slave.time.begin()
    assert slave.asked == 1  # one time-out at the start, not one per reading
    read = slave.watch(600)
    assert {count for _, count in read} == {1}
    gaps = [round(after - before, 2) for (before, _), (after, _) in itertools.pairwise(read)]
    assert gaps[: FEW_MISSES - 2] == [REST_S] * (FEW_MISSES - 2)
    assert gaps[FEW_MISSES:] == sorted(gaps[FEW_MISSES:])
    assert gaps[-1] == slave_time.LONGEST_PAUSE_S
    slave.lost = set()
    assert slave.watch(2 * slave_time.LONGEST_PAUSE_S)[0][1] == GROUP


def test_a_slow_link_is_not_kept_for_a_whole_group(monkeypatch) -> None:
    slave = Slave(monkeypatch)
    slave.way_ns = SECOND // 50
    read = slave.watch(1.0)
    assert [count for _, count in read[:4]] == [5, 5, 5, GROUP - 15]
    assert len(slave.time.correlator.host) == sum(count for _, count in read)
