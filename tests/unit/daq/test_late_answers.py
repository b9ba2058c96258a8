"""Answers that come late or twice among samples: no tier takes them for the answer to a newer command.

All bytes are made by hand: LEN, CTR, packet. A DTO is ODT 0 of list 0 with two bytes of data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from support.framed_tiers import TIERS, Framed, PacketPath, joined, reader_state
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.daq import DaqPlan, EventChannel, Raster, kernels
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.framing.eth import DatagramReader
from xcaliper.xcp.profile import DtoFormat


def plan() -> DaqPlan:
    setup = DaqListSetup(0, 0, (OdtSetup((OdtEntry(Address(0), 2),)),))
    dtype = np.dtype([("s", "u1", (2,))])
    raster = Raster(0, "e", EventChannel(0, "e", None), 0, 1, dtype, (2,))
    return DaqPlan((setup,), (raster,), DtoFormat(1, 0), ByteOrder.INTEL, None, 1400)


def res(counter: int) -> bytes:
    return (
        bytes((3, 0))
        + counter.to_bytes(2, "little")
        + bytes((0xFF,))
        + counter.to_bytes(2, "little")
    )


def dto(counter: int) -> bytes:
    return (
        bytes((4, 0))
        + counter.to_bytes(2, "little")
        + bytes((0, 0))
        + counter.to_bytes(2, "little")
    )


@dataclass
class Case:
    """Datagrams, and what is to be made of them."""

    datagrams: list[bytes]
    answers: list[int]
    samples: list[int]
    lost: int = 0
    late: int = 0
    counts: dict[str, int] = field(default_factory=dict)


CASES = {
    "a late answer alone": Case(
        [res(0), dto(1), res(2), res(3), res(5), res(4), dto(6), res(7)],
        answers=[0, 2, 3, 5, 7],
        samples=[1, 6],
        lost=1,
        late=1,
        counts={"overtaken": 1},
    ),
    "a late answer before samples": Case(
        [res(0), res(1), res(2), res(5), res(3) + dto(4), dto(6)],
        answers=[0, 1, 2, 5],
        samples=[4, 6],
        lost=2,
        late=2,
        counts={"overtaken": 1},
    ),
    "a late answer behind samples": Case(
        [res(0), res(1), res(2), res(6), dto(3) + res(4) + dto(5), dto(7)],
        answers=[0, 1, 2, 6],
        samples=[3, 5, 7],
        lost=3,
        late=3,
        counts={"overtaken": 1},
    ),
    "answers that all come behind samples": Case(
        [dto(0) + res(1), dto(2) + res(3), dto(4) + res(5), dto(8) + res(9), dto(6) + res(7)],
        answers=[1, 3, 5, 9],
        samples=[0, 2, 4, 8, 6],
        lost=2,
        late=2,
        counts={"overtaken": 1},
    ),
    "a late answer behind more samples than a reader remembers": Case(
        [res(0), res(1), res(2), res(4), *(dto(n) for n in range(5, 45)), res(3), res(45)],
        answers=[0, 1, 2, 4, 45],
        samples=list(range(5, 45)),
        lost=1,
        late=1,
        counts={"overtaken": 1},
    ),
    "an answer that only samples have overtaken": Case(
        [res(0), res(1), res(2), dto(4), dto(5), res(3), dto(6) + res(7)],
        answers=[0, 1, 2, 3, 7],
        samples=[4, 5, 6],
        lost=1,
        late=1,
    ),
    "a late answer of a slave not yet known to count": Case(
        [res(1), res(3), res(2), dto(4)],
        answers=[1, 3, 2],
        samples=[4],
        lost=1,
        late=1,
    ),
    "a copy": Case(
        [res(0), res(1), dto(2), res(3) + dto(4), dto(5), res(3) + dto(4), res(6), res(6), dto(7)],
        answers=[0, 1, 3, 6],
        samples=[2, 4, 5, 7],
        counts={"duplicates": 2},
    ),
    "a copy that comes too late to be known as one": Case(
        [res(0), res(1), dto(2) + res(3), *(dto(n) for n in range(4, 24)), dto(2) + res(3)],
        answers=[0, 1, 3],
        samples=[2, *range(4, 24), 2],
        late=2,
        counts={"overtaken": 1},
    ),
    "a copy among empty datagrams": Case(
        [*(piece for n in range(60) for piece in (dto(n), b"")), dto(46), res(60)],
        answers=[60],
        samples=list(range(60)),
        counts={"duplicates": 1},
    ),
    "an answer in time, a round of the counter later": Case(
        # 100 below the last one, which is 65,436 messages ago
        [res(298), res(299), res(300), dto(30_000), dto(60_000), dto(199), res(200) + dto(201)],
        answers=[298, 299, 300, 200],
        samples=[30_000, 60_000, 199, 201],
        lost=29_699 + 29_999 + 5_734,
    ),
    "an answer behind samples, a round of the counter later": Case(
        [res(298), res(299), res(300), dto(30_000), dto(60_000), dto(201), res(200), dto(202)],
        answers=[298, 299, 300, 200],
        samples=[30_000, 60_000, 201, 202],
        lost=29_699 + 29_999 + 5_736,
        late=1,
    ),
    "an empty datagram and a rest behind a late answer": Case(
        [res(0), res(1), res(2), res(4), b"", res(3) + bytes((9, 0, 5, 0, 0xFF)), dto(5)],
        answers=[0, 1, 2, 4],
        samples=[5],
        lost=1,
        late=1,
        counts={"overtaken": 1, "malformed": 1},
    ),
}


def numbers(blocks) -> list[int]:
    return [n for b in blocks for n in np.frombuffer(b.rows.tobytes(), "<u2").tolist()]


@pytest.mark.parametrize("together", [1, 3, 100])
@pytest.mark.parametrize("tier", ["packets", *TIERS])
@pytest.mark.parametrize("name", CASES)
def test_datagrams(name: str, tier: str, together: int) -> None:
    case = CASES[name]
    reader = DatagramReader()
    path = (
        PacketPath(plan(), reader)
        if tier == "packets"
        else Framed(plan(), reader, TIERS[tier](), joined)
    )
    blocks = []
    for at in range(0, len(case.datagrams), together):
        blocks += path.feed(case.datagrams[at : at + together], at)
    assert path.others == [b"\xff" + n.to_bytes(2, "little") for n in case.answers]
    assert numbers(blocks) == case.samples
    assert (reader.lost, reader.late) == (case.lost, case.late)
    counts = {"duplicates": 0, "overtaken": 0, "malformed": 0} | case.counts
    assert {name: getattr(reader.counts, name) for name in counts} == counts
    assert reader.counts.messages == len(case.answers) + len(case.samples)
    assert path.finish().lost_messages == case.lost


def filled(counter: int, size: int) -> bytes:
    """A datagram of one DTO and fill."""
    return (size - 4).to_bytes(2, "little") + dto(counter)[2:] + bytes(size - 8)


#: Bytes of a datagram, and how many of them a system joins.
SIZES = {"small": (1400, 1), "large": (11_000, 1), "largest": (65_000, 1), "joined": (1400, 40)}


@pytest.mark.parametrize("back", [1, 8, 16])
@pytest.mark.parametrize("name", SIZES)
def test_a_copy_is_known_however_large_the_datagrams_are(
    name: str, back: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go through a small part of the buffer, but what is remembered stays as it came."""
    size, count = SIZES[name]
    sent = [filled(n, size) for n in range(80)]
    sent.insert(80, sent[-back])
    sent += [filled(n, size) for n in range(80, 119)]
    sent.append(res(119))
    waiting = [sent[at : at + count] for at in range(0, len(sent), count)]
    furthest = 0

    def receive(descriptor, buffer, at: int, room: int, control) -> int:
        nonlocal furthest
        if not waiting:
            return -1
        data = np.frombuffer(b"".join(waiting.pop(0)), np.uint8)
        assert len(data) <= room
        control[0] = size if count > 1 else 0
        buffer[at : at + len(data)] = data
        furthest = max(furthest, at + len(data))
        return len(data)

    monkeypatch.setattr(kernels, "receive", receive)
    path = PacketPath(plan(), DatagramReader())
    framed = Framed(plan(), DatagramReader(), TIERS["twin"](), joined)
    expected = path.feed(sent, 0)
    size_in, ended, others = framed.decoder.drain(7, 1 << 30, 0, joined=count > 1)
    assert (size_in, ended, others) == (sum(map(len, sent)), False, path.others)
    assert numbers(framed.decoder.take_ready()) == numbers(expected) == list(range(119))
    assert reader_state(framed.reader) == reader_state(path.reader)
    assert framed.reader.counts.duplicates == 1
    assert framed.finish() == path.finish()
    assert furthest < max(64 << 10, 18 * size, (count > 1) * (200 << 10))
