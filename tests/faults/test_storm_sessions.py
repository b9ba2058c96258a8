"""Ten thousand whole sessions in bad weather: the right result or a named error, in bounded time."""

from __future__ import annotations

from collections import Counter

import pytest

from faults import storm as weather
from faults.storm import (
    LINKS,
    T1,
    Session,
    StormPair,
    Weather,
    WrongResultError,
    calm_of,
    shrunk,
    storm,
)

RUNS = 10_000
BLOCK = 250


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_storm(first: int) -> None:
    whole, faults, ended, claims = Counter(), Counter(), Counter(), Counter()
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
        claims.update(done=sum(claim.done for claim in session.claims))
        claims.update(repeated=sum(claim.repeated > 0 for claim in session.claims))
    # It was a storm, and more than every third of the sessions came through it without an error.
    assert all(faults[kind] > BLOCK // 2 for kind in ("lose", "delay", "repeat", "overtake"))
    assert faults["corrupt"] > BLOCK
    assert whole["net"] + whole["wire"] > BLOCK // 4, whole
    assert ended["ExchangeTimeoutError"] > 20, ended
    assert claims["done"] > 4 * BLOCK, claims
    assert claims["repeated"] > BLOCK // 4, claims


def test_a_calm_link_makes_no_errors() -> None:
    for seed in range(30):
        session, _ = storm(seed, faults=0)
        assert not session.errors
        assert not session.unsure
        assert session.used == session.calm[0]


def dead_from(step: str, seed: int) -> dict[str, int]:
    """Time in ns of each step when the link dies before one of them."""
    pair = StormPair(seed, LINKS[seed % 3], 0.0)
    session = Session(pair, seed)
    plan = session.plan

    def dies():
        for name, body in plan():
            if name == step:
                pair.down.chance.choice = pair.up.chance.choice = lambda kinds: kinds[0]
                pair.down.severity = pair.up.severity = 1.0
            yield name, body

    session.plan = dies
    session.run()
    names = list(session.used)
    return {name: session.used[name].time_ns for name in names[names.index(step) :]}


@pytest.mark.parametrize("seed", range(6))
def test_every_step_on_a_dead_link_ends_when_its_timers_say_so(seed: int) -> None:
    """T1 and three SYNCHs, later three SYNCHs; SYNCH once more in a step with optional commands."""
    link = LINKS[seed % 3]
    names = list(calm_of(seed, StormPair(seed, link, 0.0))[0])
    assert len(names) == 19
    for step in names:
        for name, time_ns in dead_from(step, seed).items():
            wary = link == "raw" and step != "connect"  # SYNCH comes first
            if name == "connect":
                wanted = 5
            elif name == "disconnect":
                wanted = 3 if wary else 1
            else:
                wanted = 3 + (step == name and not wary) + 3 * (name == "identify")
            assert time_ns == wanted * T1, f"{name}, dead from {step}"


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
