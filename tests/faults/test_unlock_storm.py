"""Unlocking on a bad link: it is open when it is said to be, or there is an error with a name."""

from __future__ import annotations

import random
from collections import Counter

from pair.link import Pair, config
from xcaliper.core.errors import XcaliperError
from xcaliper.xcp.procedures.unlock import unlock
from xcaliper.xcp.seed_key import resource_named
from xcaliper.xcp.slave_security import SecuritySettings

CAL = resource_named("cal")
MS = 1_000_000
RUNS = 300
LIMIT_NS = 120_000 * MS


def key_of(_: int, seed: bytes) -> bytes:
    return seed[::-1] * 2


def weather(chance: random.Random, rate: float, latest_ns: int):
    """Lose, repeat or delay a share of the packets."""

    def hook(packet: bytes, _: int) -> list[tuple[int, bytes]]:
        fate = chance.random() / rate
        if fate < 1 / 3:
            return []
        if fate < 2 / 3:
            return [(0, packet), (chance.randrange(latest_ns), packet)]
        return [(chance.randrange(latest_ns) if fate < 1 else 0, packet)]

    return hook


def test_it_is_open_when_it_is_said_to_be() -> None:
    ends: Counter[str] = Counter()
    for seed in range(RUNS):
        chance = random.Random(seed)
        security = SecuritySettings(
            protected=CAL, key=key_of, seed_bytes=20, seeds=chance.randbytes, attempts=0
        )
        pair = Pair(config(max_cto=chance.choice((8, 16, 64)), security=security))
        rate, latest_ns = chance.choice((0.02, 0.1, 0.2)), chance.choice((3 * MS, 2500 * MS))
        pair.to_slave.hook = pair.to_master.hook = weather(chance, rate, latest_ns)
        try:
            left = pair.run(unlock(pair.session, CAL, key_of))
        except XcaliperError as error:
            ends[type(error).__name__] += 1
        else:
            ends["open"] += 1
            assert not left & CAL, f"seed {seed}"
            assert not pair.slave.state.locked & CAL, f"seed {seed}"
        assert pair.now_ns < LIMIT_NS, f"seed {seed}"
    allowed = {
        "open",
        "UnlockError",
        "SequenceError",
        "RemoteProtocolError",
        "ExchangeTimeoutError",
    }
    assert set(ends) <= allowed, ends
    assert ends["open"] > RUNS * 3 // 4, ends
