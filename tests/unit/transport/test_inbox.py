"""The way of DAQ packets to the sink."""

from __future__ import annotations

import pytest

from xcaliper.core.frames import DtoBatch
from xcaliper.transport.inbox import DaqInbox


@pytest.fixture
def batches() -> list[DtoBatch]:
    return []


def test_packets_and_gaps_keep_their_order(batches: list[DtoBatch]) -> None:
    inbox = DaqInbox()
    inbox.start(batches.append)
    inbox.put(b"a")
    inbox.put_gap(2)
    inbox.put_gap(1)
    inbox.put(b"b")
    inbox.put(b"c")
    assert inbox.waiting == 4
    assert inbox.deliver(7)
    inbox.put_gap(5)
    assert inbox.finish(8, 1.0)
    assert batches == [
        DtoBatch(7, [b"a", b"b", b"c"], [(1, 3)]),
        DtoBatch(8, [], [(0, 5)]),
    ]


def test_what_finds_no_room_is_counted_and_marked(batches: list[DtoBatch]) -> None:
    inbox = DaqInbox(max_bytes=3 * (64 + 36))
    inbox.start(batches.append)
    for number in range(10):
        inbox.put(bytes((number,)) * 36)
    inbox.deliver(0)
    inbox.put(b"x" * 36)
    inbox.deliver(1)
    assert inbox.dropped == 7
    assert [len(batch.packets) for batch in batches] == [3, 1]
    assert batches[1].lost == [(0, 7)]


def test_packets_without_a_sink_are_stray(batches: list[DtoBatch]) -> None:
    inbox = DaqInbox()
    inbox.put(b"early")
    inbox.start(batches.append)
    inbox.put(b"right")
    inbox.finish(0, 1.0)
    inbox.put(b"late")
    assert inbox.stray == 2
    assert [batch.packets for batch in batches] == [[b"right"]]


def test_sink_that_raises_gets_nothing_more() -> None:
    calls: list[DtoBatch] = []

    def sink(batch: DtoBatch) -> None:
        calls.append(batch)
        raise RuntimeError("full")

    inbox = DaqInbox()
    inbox.start(sink)
    for _ in range(3):
        inbox.put(b"a")
        inbox.deliver(0)
    assert len(calls) == 1
    assert isinstance(inbox.error, RuntimeError)
    assert inbox.dropped == 2


def test_sink_that_asks_for_more_is_not_called_inside_itself() -> None:
    depth: list[bool] = []

    def sink(batch: DtoBatch) -> None:
        inbox.put(b"again") if len(depth) < 2 else None
        depth.append(inbox.deliver(0))

    inbox = DaqInbox()
    inbox.start(sink)
    inbox.put(b"a")
    inbox.deliver(0)
    assert depth == [False, False, False]
