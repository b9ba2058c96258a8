"""Any bytes: the reader and the repair give values or an MdfError, never anything else."""

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import MdfError, WireError
from xcaliper.mdf import blocks
from xcaliper.mdf.compress import compress, decompress
from xcaliper.mdf.conversion import Linear, ValueToText
from xcaliper.mdf.description import Attachment, Channel, Group, Header
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.repair import repair
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventType, MdfWriter, WriterOptions


def sample(compressed: bool) -> bytes:
    dtype = np.dtype([("a", ">u2"), ("m", "<f4", (2,)), ("t", "S4")])
    channels = [
        Channel("a", conversion=Linear(1, 2)), Channel("bits", "a", bit_mask=0x1F0),
        Channel("e", "a", conversion=ValueToText((1,), ("x",), "y")), Channel("m"),
        Channel("t", vlsd=True),
    ]  # fmt: skip
    file = MemoryFile()
    writer = MdfWriter(
        file, Header(1), [Group("g", dtype, channels)], [Attachment("f", b"data")],
        options=WriterOptions(compressed=compressed),
    )  # fmt: skip
    for n in range(3):
        writer.append(0, np.arange(4), np.zeros(4, dtype))
        writer.commit(n)
        writer.add_event(EventType.MARKER, n, "x")
    writer.close()
    return bytes(file.data)


SAMPLES = [sample(False), sample(True)]
SIZES = [len(s) for s in SAMPLES]


def read_all(data: bytes) -> None:
    reader = MdfReader(MemoryFile(data))
    _ = reader.events, reader.attachments, reader.history
    for group in reader.groups:
        reader.records(group)
        for channel in group.channels:
            reader.phys(group, channel.name)


@settings(deadline=None, max_examples=300)
@given(
    which=st.integers(0, 1),
    changes=st.lists(
        st.tuples(st.integers(0, max(SIZES) - 1), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.integers(0, max(SIZES)),
)
def test_damaged_files(which, changes, cut):
    data = bytearray(SAMPLES[which])
    for at, value in changes:
        data[at % len(data)] = value
    for image in (bytes(data), bytes(data[:cut])):
        with contextlib.suppress(MdfError):
            read_all(image)
        file = MemoryFile(image)
        try:
            report = repair(file, 1)
        except MdfError:
            continue
        assert all(g.cycles >= 0 for g in report.groups)


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=200), kind=st.sampled_from(sorted(blocks.BLOCKS)))
def test_any_bytes_as_a_block(data, kind):
    cls = blocks.BLOCKS[kind]
    length = 24 + len(data)
    links = data[0] % 16 if data else 0
    image = kind + bytes(4) + length.to_bytes(8, "little") + links.to_bytes(8, "little") + data
    try:
        block = cls.decode(image)
    except WireError:
        return
    assert cls.decode(block.encode()) == block or b"\xff" in data or b"\x7f" in data  # NaN ≠ NaN


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=500), columns=st.integers(1, 40))
def test_compression_is_undone(data, columns):
    block = compress(data, columns)
    assert decompress(blocks.DzBlock.decode(block.encode())) == data


@settings(deadline=None, max_examples=50)
@given(
    parts=st.lists(st.integers(0, 30), max_size=8),
    chunk=st.integers(1, 400),
    compressed=st.booleans(),
)
def test_any_chunking_gives_the_same_records(parts, chunk, compressed):
    dtype = np.dtype([("n", ">u4")])
    file = MemoryFile()
    writer = MdfWriter(
        file, Header(0), [Group("g", dtype, [Channel("n")])],
        options=WriterOptions(chunk_bytes=chunk, compressed=compressed),
    )  # fmt: skip
    start = 0
    for count in parts:
        writer.append(
            0, np.arange(start, start + count), np.arange(start, start + count).astype(dtype)
        )
        start += count
        if count % 3:
            writer.commit(start)
    writer.close()
    reader = MdfReader(file)
    assert reader.raw(reader.groups[0], "n").tolist() == list(range(start))
