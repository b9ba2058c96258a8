"""asammdf opens the file at every instant of a recording, and after the repair of a cut one."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest

from xcaliper.mdf.description import Channel, Group, Header
from xcaliper.mdf.repair import repair
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventType, MdfWriter, WriterOptions

DTYPE = np.dtype([("n", ">u4"), ("t", "S6")])


class Journal(MemoryFile):
    """Keeps every write, to see the file as it was at each instant."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def append(self, data):
        self.writes.append((len(self.data), bytes(data)))
        return super().append(data)

    def write_at(self, offset, data):
        self.writes.append((offset, bytes(data)))
        super().write_at(offset, data)


def recording(compressed):
    file = Journal()
    groups = [
        Group("a", DTYPE, [Channel("n")]),
        Group("b", DTYPE, [Channel("n"), Channel("t", vlsd=True)]),
    ]
    writer = MdfWriter(file, Header(10**18), groups, options=WriterOptions(compressed=compressed))
    structure = len(file.data)
    for n in range(0, 20, 4):
        rows = np.array([(k, b"t%d" % k) for k in range(n, n + 4)], DTYPE)
        for group in (0, 1):
            writer.append(group, np.arange(n, n + 4) * 10**6, rows)
        writer.commit(n)
        writer.add_event(EventType.MARKER, n, f"e{n}")
    writer.close()
    return file, structure


def read(data):
    from asammdf import MDF

    with MDF(io.BytesIO(bytes(data))) as mdf:
        found = [mdf.get("n", group=g).samples.tolist() for g in range(len(mdf.groups))]
        if len(found) == 2:
            texts = mdf.get("t", group=1).samples.tolist()
            assert [t.rstrip(b"\0") for t in texts] == [b"t%d" % n for n in found[1]]
        assert [e.comment for e in mdf.events] == [f"e{n}" for n in range(0, 20, 4)][
            : len(mdf.events)
        ]
    for part in found:
        assert part == list(range(len(part)))
    return [len(part) for part in found]


@pytest.mark.parametrize("compressed", [False, True])
def test_every_instant(compressed):
    file, _ = recording(compressed)
    image = bytearray()
    best = [0, 0]
    for number, (offset, data) in enumerate(file.writes):
        image[offset : offset + len(data)] = data
        found = read(image)
        if number < 2:
            assert found == []  # the description comes in two steps, then its link
            continue
        assert found >= best
        best = found
    assert best == [20, 20]


@pytest.mark.parametrize("compressed", [False, True])
def test_cut_anywhere_and_repaired(compressed):
    file, structure = recording(compressed)
    seed = 7
    print(f"seed {seed}")
    rng = random.Random(seed)
    best = 0
    for end in sorted(rng.randrange(structure, len(file.data)) for _ in range(60)):
        cut = MemoryFile(bytes(file.data[:end]))
        report = repair(cut, 10**18)
        found = read(cut.data)
        assert found == [group.cycles for group in report.groups]
        assert found[0] >= best
        best = found[0]
    assert best == 20
