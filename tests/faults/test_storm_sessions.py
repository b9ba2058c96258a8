"""Ten thousand whole sessions in bad weather: the right result or a named error, in bounded time."""

from __future__ import annotations

from collections import Counter

import pytest

from faults import storm as weather
from faults.storm import BOUND_NS, LINKS, StormPair, Weather, WrongResultError, shrunk, storm

RUNS = 10_000
BLOCK = 250


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_storm(first: int) -> None:
    whole, faults, ended = Counter(), Counter(), Counter()
    for seed in range(first, first + BLOCK):
        try:
            session, pair = storm(seed)
        except AssertionError as error:
            less = shrunk(seed)
            pytest.fail("\n".join((str(error), str(less), *getattr(less, "__notes__", ()))))
        assert session.steps == 19
        whole[pair.link] += not session.errors
        faults.update(pair.down.faults)
        faults.update(pair.up.faults)
        ended.update(type(error).__name__ for error in session.errors.values())
    # It was a storm, and more than half of the sessions came through it without a single error.
    assert all(faults[kind] > BLOCK // 2 for kind in ("lose", "delay", "repeat", "overtake"))
    assert faults["corrupt"] > BLOCK
    assert whole["net"] + whole["wire"] > BLOCK // 3, whole
    assert ended["ExchangeTimeoutError"] > 20, ended


def test_a_calm_link_makes_no_errors() -> None:
    for seed in range(30):
        session, pair = storm(seed, faults=0)
        assert not session.errors
        assert pair.now_ns < BOUND_NS


@pytest.mark.parametrize("link", LINKS)
def test_the_storm_finds_a_master_that_lies(link: str, monkeypatch) -> None:
    """The checks can fail: a master that claims writes without waiting for answers is caught."""

    def claims(self, at, data):
        return
        yield

    monkeypatch.setattr(weather.XcpMemory, "write", claims)
    monkeypatch.setattr(weather.XcpMemory, "read", lambda self, at, size: reads(size))

    def reads(size):
        return bytes(size)
        yield

    with pytest.raises(WrongResultError):
        storm(LINKS.index(link), faults=0)


def test_corruption_arrives_on_a_link_without_checksum_only() -> None:
    for link in LINKS:
        pair = StormPair(1, link, 0.2)
        assert isinstance(pair.down, Weather)
        pair.down.chance.seed(5)
        outcomes = [pair.down.carry(b"\x02\x00\x00\x00\xf4\x00", 0)[1] for _ in range(2000)]
        damaged = [
            frame
            for copies in outcomes
            for _, frame in copies
            if frame != b"\x02\x00\x00\x00\xf4\x00"
        ]
        assert bool(damaged) is (link == "raw")
