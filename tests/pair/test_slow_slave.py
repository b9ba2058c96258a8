"""A slave whose answers come in order, but later than the master waits."""

from __future__ import annotations

import pytest

from pair.link import RAM, Pair
from xcaliper.core.errors import ExchangeTimeoutError
from xcaliper.xcp.procedures.memory import read

MS = 1_000_000


@pytest.mark.parametrize("delay_ms", [1100, 1500, 1900, 2500, 3300])
def test_late_answers_never_answer_the_next_question(delay_ms):
    """Answers keep their order, so that of an old SYNCH says nothing about what came behind it."""
    pair = Pair()
    truth = pair.memory.read(RAM, 64)
    ready_ns = 0
    late_ms = delay_ms

    def later(packet: bytes, _number: int) -> list[tuple[int, bytes]]:
        nonlocal ready_ns
        ready_ns = max(ready_ns, pair.now_ns + late_ms * MS)  # nobody overtakes
        return [(ready_ns - pair.now_ns, packet)]

    pair.to_master.hook = later
    for turn in range(12):
        if turn == 6:
            late_ms = 0
        try:
            data = pair.run(read(pair.session, RAM + turn * 4, 4))
        except ExchangeTimeoutError:
            assert turn < 8
            continue
        assert data == truth[turn * 4 : turn * 4 + 4]
