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


#: What a block of sessions comes to on each link, at least, for one session: sessions without any error,
#: time-outs, checks of results; of all writes, those that were done, and those repeated. A link without a
#: checksum spoils more: what was to be written is read back twice, and damage to either is an error.
LEAST = {
    "wire": {"whole": 0.40, "timeouts": 0.2, "checks": 28, "done": 0.88, "repeated": 0.12},
    "net": {"whole": 0.40, "timeouts": 0.2, "checks": 28, "done": 0.88, "repeated": 0.12},
    "raw": {"whole": 0.0, "timeouts": 1.0, "checks": 18, "done": 0.33, "repeated": 0.05},
}
#: Kinds of faults on each link, and how many of each come in one session, at least.
FAULTS = {
    "wire": {"lose": 3, "delay": 7, "repeat": 3, "corrupt": 3},
    "net": {"lose": 3, "delay": 3, "repeat": 3, "overtake": 3, "corrupt": 3},
    "raw": {"lose": 3, "delay": 7, "corrupt": 7},
}
#: Share of results on a link without a checksum that damage made wrong without anybody noticing.
MOST_WRONG = 0.04


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_storm(first: int) -> None:
    counts: dict[str, Counter] = {link: Counter() for link in LINKS}
    for seed in range(first, first + BLOCK):
        try:
            session, pair = storm(seed)
        except AssertionError as error:
            less = shrunk(seed)
            pytest.fail("\n".join((str(error), str(less), *getattr(less, "__notes__", ()))))
        assert session.steps == 19
        seen = counts[pair.link]
        seen.update(pair.down.faults)
        seen.update(pair.up.faults)
        names = [type(error).__name__ for error in session.errors.values()]
        claims = session.claims
        seen.update(
            sessions=1,
            whole=not names,
            timeouts=names.count("ExchangeTimeoutError"),
            checks=session.checks,
            wrong=len(session.wrong),
            writes=len(claims),
            done=sum(claim.done for claim in claims),
            repeated=sum(claim.repeated > 0 for claim in claims),
        )
        assert not [text for text in session.wrong if text.startswith("wrote")], "read back twice"
    for link, seen in counts.items():
        least = LEAST[link] | FAULTS[link]
        for name, share in least.items():
            of = seen["writes" if name in ("done", "repeated") else "sessions"]
            assert seen[name] >= share * of, (link, name, seen)
        assert seen["wrong"] <= (MOST_WRONG * seen["checks"] if link == "raw" else 0), (link, seen)


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


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(
    ("aside", "why"),
    [(0, "was applied 2 times"), (0x80, "nobody wrote at")],
    ids=("twice", "aside"),
)
def test_the_storm_finds_a_slave_that_writes_more(
    link: str, aside: int, why: str, monkeypatch
) -> None:
    """No link excuses a write that nobody asked for, or one too many, when nothing was damaged."""
    write = weather.TruthMemory.write

    def writes_more(self, address, data):
        write(self, address, data)
        if address.value != weather.TOGGLED.value:
            write(self, address + aside, data)

    monkeypatch.setattr(weather.TruthMemory, "write", writes_more)
    with pytest.raises(WrongResultError, match=why):
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
