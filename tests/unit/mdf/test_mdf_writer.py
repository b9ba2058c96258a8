"""The writer: the file is valid after every single write, and failures lose nothing twice."""

import struct

import numpy as np
import pytest

from xcaliper.core.errors import MdfError, UsageError
from xcaliper.mdf.conversion import ValueToText
from xcaliper.mdf.description import Attachment, Channel, Group, Header
from xcaliper.mdf.placement import Placement, place, unique_names
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventType, MdfWriter, WriterOptions

DTYPE = np.dtype([("n", ">u4"), ("t", "S6")])
GROUPS = [
    Group("fast", DTYPE, [Channel("n")]),
    Group("text", DTYPE, [Channel("n"), Channel("t", vlsd=True)]),
]


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

    def instants(self):
        """The file after each write, and in the middle of each append."""
        image = bytearray()
        for offset, data in self.writes:
            if offset == len(image):
                yield bytes(image + data[: len(data) // 2])
            image[offset : offset + len(data)] = data
            yield bytes(image)


def rows(start, count):
    return np.array([(n, b"t%d" % n) for n in range(start, start + count)], DTYPE)


def drive(file, **options):
    writer = MdfWriter(
        file,
        Header(10**18),
        GROUPS,
        [Attachment("a", b"abc" * 99)],
        options=WriterOptions(**options),
    )
    yield writer
    for n in range(6):
        for group in (0, 1):
            if n % 2 or group:
                writer.append(group, np.arange(n * 5, n * 5 + 5) * 1000, rows(n * 5, 5))
        writer.commit(n)
        writer.add_event(EventType.MARKER, n, f"event {n}", name="m", group_index=n % 2)
        yield writer
    writer.close(10**18 + 5)


@pytest.mark.parametrize("compressed", [False, True])
def test_file_is_valid_at_every_instant(compressed):
    file = Journal()
    for _ in drive(file, compressed=compressed):
        pass
    best = [0, 0, 0]
    for number, image in enumerate(file.instants()):
        if number == 0:
            continue  # half of the identification
        reader = MdfReader(MemoryFile(image))
        if not reader.groups:
            assert best == [0, 0, 0]
            continue
        found = [reader.raw(g, "n").tolist() for g in reader.groups]
        truth_0 = [n * 5 + k for n in range(1, 6, 2) for k in range(5)]
        assert found[0] == truth_0[: len(found[0])]
        assert found[1] == list(range(len(found[1])))
        texts = reader.raw(reader.groups[1], "t").tolist()
        assert texts == [b"t%d" % n for n in range(len(texts))]
        events = [e.text for e in reader.events]
        assert events == [f"event {n}" for n in range(len(events))]
        now = [len(found[0]), len(found[1]), len(events)]
        assert all(a >= b for a, b in zip(now, best, strict=True)), "nothing is ever taken back"
        best = now
        assert [a.data for a in reader.attachments] == [b"abc" * 99]
    assert best == [15, 30, 6]


@pytest.mark.parametrize("compressed", [False, True])
def test_order_of_the_patches(compressed):
    """Plain blocks: link, then counter. Compressed blocks: counter, then link."""
    file = Journal()
    writer = MdfWriter(file, Header(0), GROUPS[:1], options=WriterOptions(compressed=compressed))
    reader = MdfReader(file)
    group = reader.groups[0]
    for start in (0, 5):
        before = len(file.writes)
        writer.append(0, np.arange(5), rows(start, 5))
        writer.commit(start)
        patches = [at for at, data in file.writes[before:] if len(data) == 8]
        counter = group.cg + 80
        assert patches[1 if not compressed else 0] == counter
        assert len(patches) == 2
        assert all(at % 8 == 0 for at in patches)


def test_blocks_start_at_multiples_of_eight_and_records_are_exact():
    file = MemoryFile()
    writer = MdfWriter(file, Header(0), GROUPS[:1])
    writer.append(0, np.array([1_500_000_000, 2_000_000_000]), rows(1, 2))
    writer.flush()
    at = bytes(file.data).rindex(b"##DT")
    assert at % 8 == 0
    payload = b"".join(
        struct.pack("<d", t) + struct.pack(">I", n) + f"t{n}".encode().ljust(6, b"\0")
        for t, n in ((1.5, 1), (2.0, 2))
    )
    assert file.data[at + 24 : at + 24 + 36] == payload
    assert struct.unpack_from("<QQ", file.data, at + 8) == (24 + 36, 0)


class Full(MemoryFile):
    """Refuses to grow beyond a size, with part of the data written, like a disk."""

    limit = 1 << 60

    def append(self, data):
        if len(self.data) + len(data) > self.limit:
            raise MdfError("the disk is full.")
        return super().append(data)


@pytest.mark.parametrize("compressed", [False, True])
def test_full_disk_keeps_file_and_rows(compressed):
    whole = Full()
    for _ in drive(whole, compressed=compressed):
        pass
    file = Full()
    steps = drive(file, compressed=compressed)
    next(steps)
    start = len(file.data)
    for limit in range(start, len(whole.data), 40):
        file = Full()
        writer = MdfWriter(
            file, Header(10**18), GROUPS, [Attachment("a", b"abc" * 99)],
            options=WriterOptions(compressed=compressed),
        )  # fmt: skip
        file.limit = limit
        n = 0
        failed = False
        while n < 30 and not failed:
            writer.append(0, np.arange(n, n + 5), rows(n, 5))
            writer.append(1, np.arange(n, n + 5), rows(n, 5))
            n += 5
            try:
                writer.commit(n)
            except MdfError:
                failed = True
        for group in (reader := MdfReader(MemoryFile(bytes(file.data)))).groups:
            found = reader.raw(group, "n").tolist()
            assert found == list(range(len(found)))
        file.limit = 1 << 60
        writer.close()
        reader = MdfReader(file)
        for group in reader.groups:
            assert reader.raw(group, "n").tolist() == list(range(n))
        assert reader.raw(reader.groups[1], "t").tolist() == [b"t%d" % k for k in range(n)]


def test_commit_follows_the_flush_period():
    file = MemoryFile()
    writer = MdfWriter(file, Header(0), GROUPS[:1], options=WriterOptions(flush_period_ns=100))
    reader = MdfReader(file)
    seen = []
    for now in (0, 50, 99, 100, 150, 199, 201):
        writer.append(0, np.array([now]), rows(now, 1))
        writer.commit(now)
        seen.append(reader.refresh(reader.groups[0]))
    assert seen == [1, 1, 1, 4, 4, 4, 7]
    assert writer.pending_bytes == 0


def test_full_buffer_commits_by_itself():
    file = MemoryFile()
    writer = MdfWriter(file, Header(0), GROUPS[:1], options=WriterOptions(chunk_bytes=18 * 10))
    writer.append(0, np.arange(95), rows(0, 95))
    assert writer.cycles == (90,)
    assert writer.pending_bytes == 5 * 18
    writer.close()
    reader = MdfReader(file)
    assert reader.raw(reader.groups[0], "n").tolist() == list(range(95))
    assert reader.t_s(reader.groups[0]).tolist() == (np.arange(95) / 1e9).tolist()


def test_wrong_use_is_refused():
    writer = MdfWriter(MemoryFile(), Header(0), GROUPS[:1])
    with pytest.raises(UsageError, match="group 1"):
        writer.append(1, np.arange(1), rows(0, 1))
    with pytest.raises(UsageError, match="no 'n' of the described type"):
        writer.append(0, np.arange(1), np.zeros(1, "u4,u8"))
    with pytest.raises(UsageError, match="another layout"):
        writer.append(0, np.arange(1), np.zeros(1, np.dtype([("t", "S6"), ("n", "<u4")])))
    with pytest.raises(UsageError, match="2 times"):
        writer.append(0, np.arange(2), rows(0, 1))
    writer.close()
    writer.close()
    with pytest.raises(UsageError, match="closed"):
        writer.append(0, np.arange(1), rows(0, 1))


@pytest.mark.parametrize(
    ("dtype", "channel", "match"),
    [
        (DTYPE, Channel("missing"), "no field"),
        (np.dtype([("x", "U4")]), Channel("x"), "no type"),
        (np.dtype([("x", "c8")]), Channel("x"), "no type"),
        (np.dtype([("x", "M8[s]")]), Channel("x"), "no type"),
        (np.dtype([("x", "O")]), Channel("x"), "no type"),
        (np.dtype([("x", "S0")]), Channel("x"), "empty"),
        (DTYPE, Channel("n", vlsd=True), "variable length"),
        (DTYPE, Channel("n", conversion=ValueToText((1, 2), ("a",))), "differ"),
        (DTYPE, Channel("n", conversion=ValueToText(tuple(range(70000)), ("a",) * 70000)), "65535"),
    ],
)
def test_channels_mdf_cannot_hold_are_refused(dtype, channel, match):
    with pytest.raises(UsageError, match=match):
        MdfWriter(MemoryFile(), Header(0), [Group("g", dtype, [channel])])


def test_unfinished_mark_is_cleared_at_close():
    file = MemoryFile()
    writer = MdfWriter(file, Header(0), GROUPS[:1], options=WriterOptions(unfinished=True))
    assert file.data[:8] == b"UnFinMF "
    assert file.data[60] == 1
    writer.close()
    assert file.data[:8] == b"MDF     "
    assert file.data[60] == 0


def test_placement_of_bit_fields():
    dtype = np.dtype([("pad", "u1"), ("le", "<u4"), ("be", ">u4"), ("s", ">i2")])
    mask = 0x0007_FC00  # bits 10 to 18
    assert place(Channel("le", bit_mask=mask), dtype) == Placement(0, 2, 2, 9)
    assert place(Channel("be", bit_mask=mask), dtype) == Placement(1, 5 + 1, 2, 9)
    assert place(Channel("be", bit_mask=0xFF), dtype) == Placement(1, 5 + 3, 0, 8)
    assert place(Channel("s", bit_mask=0xFFFF), dtype) == Placement(3, 9, 0, 16)
    assert place(Channel("s", bit_mask=0x8000), dtype) == Placement(1, 9, 7, 1)
    assert place(Channel("le", bit_mask=mask, bit_shift=8), dtype).scale == 4.0
    assert "not contiguous" in place(Channel("le", bit_mask=0x5), dtype).remark
    assert "not contiguous" in place(Channel("le", bit_mask=0), dtype).remark


def test_unique_names():
    assert unique_names(["a", "a", "a_2", "", "a", ""]) == [
        "a", "a_3", "a_2", "unnamed", "a_4", "unnamed_2",
    ]  # fmt: skip
