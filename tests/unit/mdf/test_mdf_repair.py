"""Repair: whatever is cut off, the rest is a consistent file."""

import numpy as np
import pytest

from xcaliper.core.errors import MdfError
from xcaliper.mdf.description import Channel, Group, Header
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.repair import repair
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventType, MdfWriter, WriterOptions

DTYPE = np.dtype([("n", "<u4"), ("t", "S5")])


def recording(*, compressed, close):
    """Bytes of a recording, and where its structure ends."""
    file = MemoryFile()
    groups = [
        Group("a", DTYPE, [Channel("n")]),
        Group("b", DTYPE, [Channel("n"), Channel("t", vlsd=True)]),
    ]
    writer = MdfWriter(file, Header(5), groups, options=WriterOptions(compressed=compressed))
    structure = len(file.data)
    for n in range(0, 40, 4):
        rows = np.array([(k, b"%d" % k) for k in range(n, n + 4)], DTYPE)
        writer.append(0, np.arange(n, n + 4), rows)
        writer.append(1, np.arange(n, n + 4), rows)
        writer.commit(n)
        writer.add_event(EventType.MARKER, n, f"e{n}")
    if close:
        writer.close(9)
    return bytes(file.data), structure


def values(data):
    reader = MdfReader(MemoryFile(bytes(data)))
    for group in reader.groups:
        assert reader.refresh(group) == int.from_bytes(
            data[group.cg + 80 : group.cg + 88], "little"
        )
    first, second = (reader.raw(g, "n").tolist() for g in reader.groups)
    texts = reader.raw(reader.groups[1], "t").tolist()
    assert texts == [b"%d" % n for n in second]
    assert [e.text for e in reader.events] == [f"e{n}" for n in range(0, 40, 4)][
        : len(reader.events)
    ]
    return first, second


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_anywhere(compressed, close):
    data, structure = recording(compressed=compressed, close=close)
    last = 0
    for end in range(structure, len(data) + 1, 11):
        file = MemoryFile(data[:end])
        report = repair(file, 77)
        found = values(file.data)
        for part in found:
            assert part == list(range(len(part)))
        assert [g.cycles for g in report.groups] == [len(part) for part in found]
        assert len(found[0]) >= last, "a longer file never gives less"
        last = len(found[0])
        again = repair(file, 78)
        assert not again.changed
        assert again.cuts == 0
        if report.changed:
            assert MdfReader(file).history[-1] == "Recording repaired."
    repair(file := MemoryFile(data), 1)
    last = len(values(file.data)[0])
    assert last == 40
    # closed files lose only their consolidated lists, not the records in front of them
    short = MemoryFile(data[: len(data) - 8])
    repair(short, 1)
    assert len(values(short.data)[0]) >= 36


def test_truncated_structure_is_named_or_mended():
    data, structure = recording(compressed=False, close=True)
    refused = 0
    for end in range(0, structure, 7):
        file = MemoryFile(data[:end])
        try:
            repair(file, 1)
        except MdfError:
            refused += 1
        else:
            assert values(file.data) == ([], [])
    assert refused > 100


def test_good_file_is_left_alone():
    data, _ = recording(compressed=True, close=True)
    file = MemoryFile(data)
    assert not repair(file, 1).changed
    assert file.data == data


def test_unfinished_file_is_finished():
    data, _ = recording(compressed=False, close=False)
    broken = bytearray(data)
    broken[:8] = b"UnFinMF "
    broken[60] = 1
    reader = MdfReader(MemoryFile(data))
    at = reader.groups[0].cg + 80
    broken[at : at + 8] = bytes(8)
    file = MemoryFile(bytes(broken))
    report = repair(file, 1)
    assert (report.groups[0].cycles_before, report.groups[0].cycles) == (0, 40)
    assert file.data[:8] == b"MDF     "
    assert values(file.data)[0] == list(range(40))


def test_circles_end():
    data, _ = recording(compressed=False, close=False)
    reader = MdfReader(MemoryFile(data))
    dg = reader.groups[0].dg
    first = int.from_bytes(data[dg + 40 : dg + 48], "little")
    broken = bytearray(data)
    broken[first + 24 : first + 32] = first.to_bytes(8, "little")
    circle = MdfReader(MemoryFile(bytes(broken)))
    with pytest.raises(MdfError, match="circle"):
        circle.raw(circle.groups[0], "n")
    file = MemoryFile(bytes(broken))
    assert repair(file, 1).groups[0].cycles == 4
    loop = bytearray(data)
    loop[dg + 24 : dg + 32] = dg.to_bytes(8, "little")
    with pytest.raises(MdfError, match="circle"):
        MdfReader(MemoryFile(bytes(loop)))
