"""Interleaved mode: commands wait at the slave, answers come in order, losses empty the queue."""

from __future__ import annotations

import pytest

from pair.link import RAM, Pair, config
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    BusyError,
    ExchangeTimeoutError,
    NegativeResponseError,
    RemoteProtocolError,
    SettingsError,
)
from xcaliper.proto.procedure import Pipeline, ask
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.daq_setup import setup
from xcaliper.xcp.procedures.memory import XcpMemory

MS = 1_000_000
T1 = 1000 * MS
T7 = 200 * MS
PLACES = tuple((RAM + 37 * i, 2 + i % 3) for i in range(12))
NOWHERE = Address(0x1234_0000)


@pytest.fixture
def pair() -> Pair:
    made = Pair(config(max_cto=8, interleaved=True, queue_size_commands=3))
    made.forget()
    return made


def slow(pair: Pair, time_ns: int = MS) -> list[int]:
    """Let each answer take its time, one after the other; gives how many commands wait, each time."""
    depths: list[int] = []
    free_at = [0]

    def hook(packet: bytes, n: int) -> list[tuple[int, bytes]]:
        free_at[0] = max(free_at[0], pair.now_ns) + time_ns
        depths.append(len(pair.to_slave.sent) - n)
        return [(free_at[0] - pair.now_ns, packet)]

    pair.to_master.hook = hook
    return depths


def shorts(*places: Address) -> tuple[std.ShortUpload, ...]:
    return tuple(std.ShortUpload(count=1, address=place.value) for place in places)


def run_pipeline(pair: Pair, requests, *, queue: int = 3, independent: bool = False):
    def procedure():
        return (yield Pipeline(tuple(requests), queue, independent))

    return pair.run(procedure())


def test_the_slave_announces_its_queue_and_the_session_knows(pair: Pair) -> None:
    assert pair.session.queue_size == 3
    assert Pair().session.queue_size == 0
    with pytest.raises(SettingsError):
        config(queue_size_commands=0)


def test_many_places_are_read_with_a_full_queue(pair: Pair) -> None:
    depths = slow(pair)
    found = pair.run(XcpMemory(pair.session).read_many(PLACES))
    assert found == [pair.memory.read(address, size) for address, size in PLACES]
    assert max(depths) == 1 + 3, "one at work and a full queue"
    assert set(pair.seen) == {"SHORT_UPLOAD"}
    assert pair.now_ns == len(PLACES) * MS
    assert pair.slave.counters.refused == 0


def test_without_a_queue_places_are_read_one_by_one() -> None:
    pair = Pair(config(max_cto=8))
    depths = slow(pair)
    pair.forget()
    slow(pair)
    found = pair.run(XcpMemory(pair.session).read_many([*PLACES, (RAM, 0), (RAM, 300)]))
    assert found[:-2] == [pair.memory.read(address, size) for address, size in PLACES]
    assert found[-2:] == [b"", pair.memory.read(RAM, 300)]
    assert depths == []


def test_large_and_empty_places_stand_between_small_ones(pair: Pair) -> None:
    places = [(RAM, 3), (RAM + 5, 200), (RAM + 9, 0), (RAM + 400, 14), (RAM + 1, 1)]
    found = pair.run(XcpMemory(pair.session).read_many(places))
    assert found == [pair.memory.read(a, s) if s else b"" for a, s in places]
    assert pair.run(XcpMemory(pair.session).read_many([])) == []


def test_a_slave_without_short_upload_is_read_otherwise() -> None:
    pair = Pair(config(max_cto=8, interleaved=True, disabled=frozenset({"SHORT_UPLOAD"})))
    memory = XcpMemory(pair.session)
    for _ in range(2):
        found = pair.run(memory.read_many(PLACES))
        assert found == [pair.memory.read(address, size) for address, size in PLACES]
    assert pair.session.refused == {"SHORT_UPLOAD"}
    assert pair.seen.count("SHORT_UPLOAD") == 1 + 4


def test_more_than_the_queue_holds_is_refused(pair: Pair) -> None:
    packet = bytes.fromhex("fd")
    for _ in range(6):
        pair.slave.receive(packet, 0)
    answers = pair.slave.outgoing()
    assert [a[0] == PID_ERR for a in answers] == [False] * 4 + [True] * 2
    assert answers[-1] == b"\xfe\x10"
    short = bytes.fromhex("f401000000000020")
    for _ in range(5):
        pair.slave.receive(short, 0)
    assert [a[:1].hex() for a in pair.slave.outgoing()] == ["ff"] * 4 + ["fe"]
    for _ in range(5):
        pair.slave.receive(packet, 0)
    pair.slave.receive(b"\xfc", 0)
    pair.slave.receive(packet, 0)
    assert [a.hex()[:4] for a in pair.slave.outgoing()][-3:] == ["fe10", "fe00", "ff00"]


def test_a_master_that_overfills_the_queue_waits_and_repeats(pair: Pair) -> None:
    requests = shorts(*(RAM + i for i in range(9)))
    answers = run_pipeline(pair, requests, queue=8)
    assert [a.data[0] for a in answers] == list(range(9))
    assert pair.seen == [*["SHORT_UPLOAD"] * 9, "SYNCH", *["SHORT_UPLOAD"] * 6]
    assert pair.now_ns == 2 * T7


@pytest.mark.parametrize("way", ["to_slave", "to_master"])
@pytest.mark.parametrize("lost", [0, 2, 5])
def test_a_loss_repeats_from_the_first_unanswered(pair: Pair, way: str, lost: int) -> None:
    """Answers keep their order and have no number: a lost command shifts those behind it.

    So a pipeline relies on a transport that tells losses, or on lengths; here every place has a length
    of its own, and the last answer is the one that is missing.
    """
    places = [(RAM + i, 1) for i in range(6)]
    getattr(pair, way).lose(*range(lost, 6))
    answers = run_pipeline(pair, shorts(*(a for a, _ in places)))
    assert [a.data[0] for a in answers] == [0, 1, 2, 3, 4, 5]
    assert "SYNCH" in pair.seen
    assert pair.seen[0] == pair.seen[-1] == "SHORT_UPLOAD"


def test_silence_ends_a_pipeline(pair: Pair) -> None:
    pair.to_slave.hook = lambda packet, n: [(0, packet)] if packet == b"\xfc" else []
    with pytest.raises(ExchangeTimeoutError) as caught:
        run_pipeline(pair, shorts(RAM, RAM + 1, RAM + 2))
    assert caught.value.attempts == 3
    assert pair.now_ns == 3 * T1


def test_the_timer_is_that_of_the_oldest(pair: Pair) -> None:
    slow(pair, 900 * MS)
    assert len(run_pipeline(pair, shorts(*(RAM + i for i in range(4))))) == 4
    assert pair.now_ns == 3600 * MS
    assert pair.master.counters.timeouts == 0


def test_refusals_take_the_place_of_answers_or_end_it(pair: Pair) -> None:
    requests = shorts(RAM, NOWHERE, RAM + 2, NOWHERE, RAM + 4)
    found = run_pipeline(pair, requests, independent=True)
    assert [isinstance(a, AccessDeniedError) for a in found] == [False, True, False, True, False]
    assert pair.seen == ["SHORT_UPLOAD"] * 5
    pair.forget()
    with pytest.raises(AccessDeniedError):
        run_pipeline(pair, requests)
    assert pair.run(XcpMemory(pair.session).read(RAM, 2)) == b"\x00\x01"
    assert pair.seen[-2:] == ["SYNCH", "SHORT_UPLOAD"], "three answers were still on their way"


def test_a_busy_slave_is_repeated_also_where_refusals_stand(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x10")] if n == 1 else [(0, packet)]
    found = run_pipeline(pair, shorts(RAM, RAM + 1, RAM + 2), independent=True)
    assert [a.data[0] for a in found] == [0, 1, 2]
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x10" if packet[0] == 0xFF else packet)]
    found = run_pipeline(pair, shorts(RAM, RAM + 1), independent=True)
    assert [type(a) for a in found] == [BusyError, BusyError]


def test_a_fatal_refusal_ends_the_session(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x32")]
    with pytest.raises(NegativeResponseError):
        run_pipeline(pair, shorts(RAM, RAM + 1), independent=True)
    assert not pair.master.connected


def test_late_doubled_and_short_answers_do_not_shift_the_others(pair: Pair) -> None:
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x00"), (0, b"\xff"), (0, packet)][
        0 if n == 0 else 2 :
    ]
    assert len(run_pipeline(pair, shorts(RAM, RAM + 1))) == 2
    assert pair.master.counters.malformed == 1
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(0, b"\xff")] * 5
    with pytest.raises(RemoteProtocolError):
        run_pipeline(pair, shorts(RAM, RAM + 1))


def test_a_doubled_answer_to_connect_is_dropped_in_a_pipeline() -> None:
    pair = Pair(config(max_cto=8, interleaved=True), connected=False)
    pair.run(ask(std.Connect()))
    echo = pair.to_master.sent[0]
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(0, echo), (0, packet)] if n == 0 else [(0, packet)]
    assert [a.data[0] for a in run_pipeline(pair, shorts(RAM, RAM + 1))] == [0, 1]
    assert pair.master.counters.stray == 1


def test_entries_of_an_odt_are_written_interleaved_and_after_a_loss_in_their_places() -> None:
    entries = tuple(OdtEntry(RAM + 8 * i, 1) for i in range(5))
    lists = (DaqListSetup(0, 0, (OdtSetup(entries),), timestamp=False),)
    for lose in (False, True):
        pair = Pair(config(max_cto=8, interleaved=True, queue_size_commands=3))
        pair.forget()
        if lose:
            hits: list[int] = []

            def hook(packet: bytes, n: int, pair=pair, hits=hits) -> list[tuple[int, bytes]]:
                if pair.seen and pair.seen[-1] == "WRITE_DAQ" and len(hits) < 2:
                    hits.append(n)
                    return []
                return [(0, packet)]

            pair.to_master.hook = hook
        pair.run(setup(pair.session, lists, multiple=False))
        assert ("SET_DAQ_PTR" in pair.seen[pair.seen.index("WRITE_DAQ") :]) is lose
        pair.to_master.hook = None
        found = []
        pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
        for _ in entries:
            found.append(pair.run(ask(daq.ReadDaq())).address)
        assert found == [entry.address.value for entry in entries]


def test_connect_forgets_nothing_of_the_same_device() -> None:
    pair = Pair(connected=False)
    refused = {"GET_VERSION"}
    session = pair.run(connect(refused=refused))
    assert session.refused is refused
    assert "GET_VERSION" not in pair.seen
    session.forget()
    pair.run(connect(refused=refused))
    assert "GET_VERSION" in pair.seen
