"""Any cutting of a stream into blocks, parts, files and recordings keeps each sample once."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record.description import (
    RasterDescription,
    RecordingDescription,
    SignalDescription,
)
from xcaliper.record.gate import Gate
from xcaliper.record.lookup import SignalBook
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.splitting import Splitter
from xcaliper.record.watch import make_watches

DTYPE = np.dtype([("n", "<i4"), ("go", "u1"), ("halt", "u1")])
SIGNALS = tuple(SignalDescription(name) for name in DTYPE.names)
SECOND = np.dtype([("k", "<i4")])
DESCRIPTION = RecordingDescription(
    0,
    (
        RasterDescription("a", 0, None, DTYPE, SIGNALS),
        RasterDescription("b", 1, None, SECOND, (SignalDescription("k"),)),
    ),
)


@st.composite
def streams(draw):
    """Rows of two rasters, cut into blocks, the second one a few blocks behind."""
    count = draw(st.integers(1, 60))
    steps = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    t_ns = np.cumsum(steps).astype(np.int64)
    rows = np.zeros(count, DTYPE)
    rows["n"] = np.arange(count)
    rows["go"] = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    rows["halt"] = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    other = np.arange(0, int(t_ns[-1]) + 1, 5, dtype=np.int64)
    second = np.zeros(len(other), SECOND)
    second["k"] = np.arange(len(other))
    cuts = sorted({0, count, *draw(st.lists(st.integers(0, count), max_size=12))})
    blocks = [SampleBlock(0, t_ns[a:b], rows[a:b]) for a, b in itertools.pairwise(cuts)]
    cuts = sorted({0, len(other), *draw(st.lists(st.integers(0, len(other)), max_size=6))})
    late = [SampleBlock(1, other[a:b], second[a:b]) for a, b in itertools.pairwise(cuts)]
    order = draw(st.permutations([0] * len(blocks) + [1] * len(late)))
    sources = [iter(blocks), iter(late)]
    return t_ns, rows, other, [next(sources[which]) for which in order]


def windows(t_ns, rows, pre, post, most):
    """Recordings as the documentation has them, sample by sample."""
    found, floor = [], -(1 << 60)
    while most is None or len(found) < most:
        starts = [t for t, go in zip(t_ns, rows["go"], strict=True) if go and t >= floor]
        if not starts:
            return found
        trigger = starts[0]
        stops = [t for t, halt in zip(t_ns, rows["halt"], strict=True) if halt and t > trigger]
        end = stops[0] + post if stops else 1 << 60
        found.append((max(trigger - pre, floor), end))
        if not stops:
            return found
        floor = end + 1
    return found


@settings(deadline=None, max_examples=150)
@given(streams(), st.integers(0, 40), st.integers(0, 40), st.sampled_from([None, 1, 3]))
def test_recordings_hold_exactly_their_time(stream, pre, post, most):
    t_ns, rows, other, blocks = stream
    book = SignalBook(DESCRIPTION.rasters)
    sinks = []
    gate = Gate(
        start=make_watches("go != 0", book),
        stop=make_watches("halt != 0", book),
        pre_ns=pre,
        post_ns=post,
        max_recordings=most,
        ring_bytes=1 << 30,
        rasters=range(2),
        begin=lambda _: sinks.append(MemorySink()) or sinks[-1],
    )
    for block in blocks:
        gate.write(block)
    gate.close()
    expected = windows(t_ns, rows, pre, post, most)
    got = [(s.t_ns(0).tolist(), s.t_ns(1).tolist()) for s in sinks]
    truth = [
        ([t for t in t_ns if a <= t <= b], [t for t in other if a <= t <= b]) for a, b in expected
    ]
    assert got == truth


@settings(deadline=None, max_examples=100)
@given(streams(), st.integers(1, 400), st.one_of(st.none(), st.integers(1, 50)))
def test_files_hold_every_sample_once(stream, split_bytes, split_ns):
    t_ns, _rows, other, blocks = stream
    parts = []

    class Part(MemorySink):
        def __init__(self, number):
            super().__init__()
            self.path = Path(f"{number}")

    def begin(number, before):
        assert before == (parts[-1].path.name if parts else "")
        parts.append(Part(number))
        return parts[-1]

    splitter = Splitter(begin, split_bytes=split_bytes, split_ns=split_ns, rasters=2)
    for block in blocks:
        splitter.write(block)
    splitter.close()
    for raster, times in ((0, t_ns), (1, other)):
        spans = [part.t_ns(raster) for part in parts]
        assert sorted(np.concatenate(spans).tolist()) == times.tolist()
        for span in spans:
            assert (np.diff(span) > 0).all()


@settings(deadline=None)
@given(
    st.integers(0, 12),
    st.lists(st.integers(-2, 14), max_size=6),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_parts_of_a_block_have_each_gap_once(count, places, cuts):
    gaps = tuple(Gap(at, k, k, 0, "counter") for k, at in enumerate(places))
    block = SampleBlock(0, np.arange(count), np.zeros(count, DTYPE), gaps)
    marks = sorted({0, count, *(cut for cut in cuts if cut < count)})
    pieces = [block.part(a, b) for a, b in itertools.pairwise(marks)]
    if not count:
        pieces = [block.part(0, 0)]
    assert np.concatenate([p.t_ns for p in pieces]).tolist() == list(range(count))
    found = {}
    start = 0
    for piece in pieces:
        for gap in piece.gaps:
            assert gap.t_from_ns not in found
            found[gap.t_from_ns] = gap.before_row + start
        start += len(piece)
    expected = (
        {k: max(at, 0) for k, at in enumerate(places)}
        if len(pieces) > 1
        else dict(enumerate(places))
    )
    assert found == expected
