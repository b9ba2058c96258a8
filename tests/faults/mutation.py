"""Damaged packets from good ones: everything seeded, so that a failure can be run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pair.link import Pair
from pair.session import whole_session
from xcaliper.core.datatypes import ByteOrder

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from xcaliper.xcp.slave_config import SlaveConfig

VECTORS = Path(__file__).parents[1] / "vectors" / "xcp" / "vectors.json"
EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)


def golden(*directions: str) -> list[bytes]:
    """Bare packets of the golden vectors, both byte orders."""
    document = json.loads(VECTORS.read_text("utf-8"))
    return [
        bytes.fromhex(vector["bytes"])
        for vector in document["vectors"]
        if vector["layer"] == "xcp" and vector["direction"] in directions
    ]


def recorded(settings: SlaveConfig) -> tuple[list[bytes], list[bytes]]:
    """Commands and answers (with DTOs) of a session of our own machines with such a slave."""
    pair = Pair(settings, connected=False)
    pair.session = pair.run(_connect())
    whole_session(pair, multiple=settings.max_cto >= 32)
    return pair.to_slave.sent, pair.to_master.sent


def _connect():
    from xcaliper.xcp.procedures.connect import connect

    return connect()


class Mutator:
    """Damages packets.

    Args:
        rng: the only source of chance.
        pool: good packets to splice with.
    """

    def __init__(self, rng: random.Random, pool: list[bytes]) -> None:
        self.rng = rng
        self.pool = pool
        self._ways: tuple[Callable[[bytearray], bytearray], ...] = (
            self._truncate,
            self._extend,
            self._flip,
            self._flip,
            self._edge,
            self._edge,
            self._splice,
            self._swap,
        )

    def noise(self) -> bytes:
        """Random bytes, short ones more often."""
        rng = self.rng
        return rng.randbytes(rng.choice((0, 1, 2, 4, 8, 8, 9, 16, 64, 255, 300)))

    def damage(self, packet: bytes) -> bytes:
        """The packet with one to three damages."""
        data = bytearray(packet)
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            if not data:
                return self.noise()
            data = self.rng.choice(self._ways)(data)
        return bytes(data)

    def _truncate(self, data: bytearray) -> bytearray:
        del data[self.rng.randrange(len(data)) :]
        return data

    def _extend(self, data: bytearray) -> bytearray:
        return data + self.rng.randbytes(self.rng.choice((1, 2, 7, 250)))

    def _flip(self, data: bytearray) -> bytearray:
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        return data

    def _edge(self, data: bytearray) -> bytearray:
        at = self.rng.randrange(len(data))
        data[at] = self.rng.choice(EDGES) if self.rng.random() < 0.7 else self.rng.randrange(256)
        return data

    def _splice(self, data: bytearray) -> bytearray:
        other = self.rng.choice(self.pool)
        return data[: self.rng.randint(1, len(data))] + other[self.rng.randint(0, len(other)) :]

    def _swap(self, data: bytearray) -> bytearray:
        a, b = self.rng.randrange(len(data)), self.rng.randrange(len(data))
        data[a], data[b] = data[b], data[a]
        return data


class Stream:
    """An endless mixture of storms (noise, damaged vectors) and sessions with a few faults.

    Args:
        rng: the only source of chance.
        session: packets of a good session.
        others: further good packets.
        start: a session begins at one of these places.
    """

    def __init__(
        self,
        rng: random.Random,
        session: list[bytes],
        others: list[bytes],
        start: tuple[int, ...] = (0,),
    ) -> None:
        self.rng = rng
        self.session = session
        self.others = others
        self.start = start
        self.mutator = Mutator(rng, session + others)
        self._at = 0
        self._left = 0
        self._faults = 0.0
        self._held: list[bytes] = []

    def take(self) -> bytes:
        """The next packet."""
        self._left -= 1
        if self._left < 0:
            self._left = self.rng.randrange(200)
            self._faults = self.rng.choice((0.0, 0.02, 0.2, 1.0, 1.0))
            self._at = self.rng.choice(self.start)
        if self.rng.random() < self._faults:
            return self._fault()
        self._at += 1
        return self.session[(self._at - 1) % len(self.session)]

    def _fault(self) -> bytes:
        chance = self.rng.random()
        if chance < 0.1:
            return self.mutator.noise()
        if chance < 0.2:
            return bytes((self.rng.randrange(256),)) + self.mutator.noise()
        if chance < 0.5:
            return self.mutator.damage(self.rng.choice(self.others))
        if chance < 0.6:
            return self.rng.choice(self.others)
        packet = self.session[self._at % len(self.session)]
        if chance < 0.8:
            self._at += 1
            return self.mutator.damage(packet)
        if chance < 0.85:
            return packet  # and once more
        if chance < 0.9:
            self._at += self.rng.randrange(5)  # lost
            return self.session[self._at % len(self.session)]
        self._at += 1
        self._held.append(packet)  # late
        if len(self._held) < 4:
            return self.session[self._at % len(self.session)]
        return self._held.pop(self.rng.randrange(len(self._held)))


def slave_settings(seed: int) -> dict[str, object]:
    """Changes of the settings that a seed stands for; together they cover every option."""
    ag = (1, 1, 2, 4)[seed % 4]
    return {
        "byte_order": (ByteOrder.INTEL, ByteOrder.MOTOROLA)[seed % 2],
        "ag": ag,
        "granularity_odt_entry": ag,
        "max_cto": (64, 8, 32, 248)[(seed // 2) % 4],
        "max_dto": (128, 32, 64, 1024)[(seed // 3) % 4],
        "identification_field": seed % 4,
        "overload": seed % 3,
        "slave_block_mode": seed % 5 != 0,
        "master_block_mode": seed % 5 != 1,
        "queue_size": (16_384, 64)[seed % 2],
    }
