"""Splitting, selection, calculated signals, several slaves: no sample lost, doubled or moved."""

from __future__ import annotations

import functools
import operator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.recording import DESCRIPTION, FAST, MS, fast, lost, slow, stream
from xcaliper.core.errors import NotFoundError, SettingsError, UsageError
from xcaliper.core.rows import RowCopy, packed_fields
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.mdf.conversion import Linear, ValueToText
from xcaliper.record.calculated import CalculatedSignal, Calculation, CalculationStage
from xcaliper.record.description import (
    EventType,
    RasterDescription,
    RecordingDescription,
    RecordingEvent,
    SignalDescription,
)
from xcaliper.record.lookup import SignalBook
from xcaliper.record.selection import Selection, SelectionStage
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.slaves import SlaveInput, combine
from xcaliper.record.splitting import Splitter
from xcaliper.record.watch import make_watches


class Part(MemorySink):
    def __init__(self, number, before):
        super().__init__()
        self.path = Path(f"part{number}.mf4")
        self.before = before
        self.closed = False
        self.ticks = 0

    def write(self, block):
        assert not self.closed
        super().write(block)

    def tick(self, now_ns):
        self.ticks += 1

    def close(self):
        self.closed = True


def split(blocks, **settings):
    parts = []

    def begin(number, before):
        assert number == len(parts) + 1
        parts.append(Part(number, before))
        return parts[-1]

    splitter = Splitter(begin, rasters=2, **settings)
    most = 0
    for block in blocks:
        splitter.write(block)
        most = max(most, sum(not part.closed for part in parts))
    splitter.close()
    assert all(part.closed for part in parts)
    return parts, most


def whole(parts, raster, name):
    return np.concatenate([p.column(raster, name) for p in parts if len(p.t_ns(raster))]).tolist()


@pytest.mark.parametrize(("size", "late"), [(1, 0), (37, 3), (450, 0), (3000, 0)])
def test_split_by_time_cuts_all_rasters_at_one_instant(size, late):
    parts, most = split(stream(3000, size, late=late), split_ns=250 * MS)
    assert len(parts) == 12
    assert whole(parts, 0, "n") == list(range(3000))
    assert whole(parts, 1, "level") == list(range(300))
    for number, part in enumerate(parts):
        if size < 3000:  # samples that come seconds late go to the oldest file that is open
            for raster in (0, 1):
                assert (part.t_ns(raster) // (250 * MS) == number).all()
        assert part.before == (f"part{number}.mf4" if number else "")
    assert most <= 5
    notes = [[(e.name, e.t_ns // MS, e.text) for e in part.events] for part in parts[:2]]
    assert notes == [
        [("split", 250, "continued in part2.mf4")],
        [("split", 250, "continues part1.mf4"), ("split", 500, "continued in part3.mf4")],
    ]


@pytest.mark.parametrize("size", [1, 37, 900])
def test_split_by_size(size):
    parts, _ = split(stream(3000, size), split_bytes=10_000)
    assert whole(parts, 0, "n") == list(range(3000))
    assert whole(parts, 1, "level") == list(range(300))
    sizes = [sum(b.rows.nbytes + b.t_ns.nbytes for b in part.blocks) for part in parts]
    assert len(parts) >= sum(sizes) // 11_000
    assert all(10_000 <= size <= 11_000 for size in sizes[:-1])
    ends = [max(part.t_ns(0).max(), 0) for part in parts[:-1] if len(part.t_ns(0))]
    starts = [part.t_ns(0).min() for part in parts[1:] if len(part.t_ns(0))]
    assert all(end < start for end, start in zip(ends, starts, strict=False))


def test_a_row_larger_than_a_file_still_makes_progress():
    parts, _ = split([fast(0, 4)], split_bytes=1)
    assert [part.column(0, "n").tolist() for part in parts] == [[0], [1], [2], [3]]


def test_size_and_time_together_and_pauses_make_no_empty_files():
    blocks = [fast(0, 100), fast(10_000, 10_100), fast(10_100, 10_600)]
    parts, _ = split(blocks, split_ns=1000 * MS, split_bytes=20 * 300)
    assert [(int(p.column(0, "n")[0]), len(p.t_ns(0))) for p in parts] == [
        (0, 100), (10_000, 300), (10_300, 300),
    ]  # fmt: skip


def test_events_and_gaps_go_with_their_time():
    parts = []
    splitter = Splitter(lambda n, b: parts.append(Part(n, b)) or parts[-1], split_ns=100 * MS)
    splitter.write(SampleBlock(0, np.empty(0, np.int64), np.empty(0, FAST), (lost(0, 1, 3),)))
    for block in stream(250, 10):
        splitter.write(block)
    gap = lost(5, 94, 95, 0)
    splitter.write(replace(fast(250, 260), gaps=(gap,)))
    for at in (50, 150, 205):
        splitter.event(RecordingEvent(EventType.MARKER, at * MS, f"at {at}", "note"))
    splitter.tick(5)
    splitter.close()
    noted = [[e.text for e in p.events if e.name == "note"] for p in parts]
    assert functools.reduce(operator.iadd, noted, []) == ["at 50", "at 150", "at 205"]
    assert noted[2] == ["at 50", "at 150", "at 205"]  # the files before are complete
    assert [len(p.gaps(0)) for p in parts] == [1, 0, 1]
    assert [p.ticks for p in parts] == [0, 0, 1]


def test_a_loss_behind_the_last_row_goes_to_the_file_of_its_time():
    parts = []
    splitter = Splitter(
        lambda n, b: parts.append(Part(n, b)) or parts[-1], split_ns=100 * MS, rasters=2
    )
    splitter.write(fast(0, 150))  # two files are open
    splitter.write(SampleBlock(0, np.zeros(0, np.int64), np.empty(0, FAST), (
        Gap(0, 149 * MS, 180 * MS, 30, "overload"),
    )))  # fmt: skip
    splitter.close()
    assert [[gap.lost for gap in part.gaps(0)] for part in parts] == [[], [30]]


def test_all_parts_are_closed_when_one_fails():
    class Bad(Part):
        def close(self):
            super().close()
            raise ValueError(self.path.name)

    parts = []
    splitter = Splitter(
        lambda n, b: parts.append(Bad(n, b)) or parts[-1], split_ns=100 * MS, rasters=2
    )
    splitter.write(fast(0, 150))
    with pytest.raises(ValueError, match=r"part1\.mf4"):
        splitter.close()
    assert [part.closed for part in parts] == [True, True]


# --- selection ---

ODD = np.dtype(
    {
        "names": ["a", "b", "low", "c"],
        "formats": ["<u2", ">u4", "u1", "S3"],
        "offsets": [3, 8, 9, 15],
        "itemsize": 20,
    }
)


def odd_rows(count=7):
    """Rows in a larger array: headers between them belong to nobody."""
    data = np.random.default_rng(3).integers(0, 255, (count, 40), dtype=np.uint8)
    return np.ndarray((count,), ODD, data.tobytes(), 5, (40,))


@pytest.mark.parametrize("names", [["a"], ["low", "b"], ["c", "a"], ["a", "b", "low", "c"]])
def test_rows_change_their_layout_and_not_their_values(names):
    rows = odd_rows()
    target = packed_fields(ODD, names)
    assert target.itemsize == {1: 2, 2: 4 if "b" in names else 5, 4: 9}[len(names)]
    narrow = RowCopy(ODD, target)(rows)
    for name in names:
        np.testing.assert_array_equal(narrow[name], rows[name])
    spaced = RowCopy(target, np.dtype({"names": names[:1], "formats": [ODD[names[0]]],
                                       "offsets": [3], "itemsize": 11}))(narrow)  # fmt: skip
    np.testing.assert_array_equal(spaced[names[0]], rows[names[0]])
    size = ODD[names[0]].itemsize
    octets = spaced.view("V11").tobytes()
    for row in range(len(rows)):
        item = octets[11 * row : 11 * row + 11]
        assert not any(item[:3] + item[3 + size :])


def test_rows_without_the_field_are_refused():
    for other in (np.dtype([("b", ">u4")]), np.dtype([("a", ">u2")])):
        with pytest.raises(UsageError, match="'a'"):
            RowCopy(other, packed_fields(ODD, ["a"]))


def test_a_pattern_means_rasters_only_where_it_says_so():
    """Tasks are called Task1ms, and so are signals: a plain pattern is one of signals."""

    def found(*patterns):
        description = Selection(DESCRIPTION, patterns).description
        return [raster.name for raster in description.rasters]

    assert found("10ms:*") == ["10ms"]
    assert found("1*ms:*") == ["1ms", "10ms"]
    with pytest.raises(NotFoundError, match="10m"):
        found("10m*")
    slaves = [replace(raster, name=f"engine/{raster.name}") for raster in DESCRIPTION.rasters]
    both = replace(DESCRIPTION, rasters=tuple(slaves))
    assert len(Selection(both, ["engine/*"]).description.rasters) == 2


def test_selection_by_name_and_pattern():
    selection = Selection(DESCRIPTION, ["le*"])
    sink = MemorySink()
    stage = SelectionStage(selection, sink)
    assert [r.name for r in selection.description.rasters] == ["10ms"]
    for block in stream(100):
        stage.write(block)
    stage.event(RecordingEvent(EventType.MARKER, 0, "all"))
    stage.event(RecordingEvent(EventType.MARKER, 0, "fast", raster=0))
    stage.event(RecordingEvent(EventType.MARKER, 0, "slow", raster=1))
    stage.tick(0)
    stage.close()
    assert sink.column(0, "level").tolist() == list(range(10))
    assert [(e.text, e.raster) for e in sink.events] == [("all", None), ("slow", 0)]

    selection = Selection(DESCRIPTION, ["1ms:x", "level"])
    assert [r.dtype.itemsize for r in selection.description.rasters] == [8, 4]
    sink = MemorySink()
    SelectionStage(selection, sink).write(fast(0, 9, [lost(3, 2, 3, 0)]))
    np.testing.assert_array_equal(sink.column(0, "x"), fast(0, 9).rows["x"])
    assert len(sink.gaps(0)) == 1
    with pytest.raises(NotFoundError) as caught:
        Selection(DESCRIPTION, ["x", "levell"])
    assert caught.value.nearest == ("level",)


def test_rows_of_another_layout_than_described_are_taken_by_name():
    sink = MemorySink()
    stage = SelectionStage(Selection(DESCRIPTION, ["*"]), sink)
    wide = np.zeros(4, np.dtype([("header", "S3"), ("x", "<f8"), ("gap", "u1"), ("n", "<u4")]))
    wide["n"], wide["x"] = np.arange(4), 0.5
    stage.write(SampleBlock(0, np.arange(4), wide))
    assert sink.blocks[0].rows.dtype == FAST
    assert sink.column(0, "n").tolist() == [0, 1, 2, 3]


# --- calculated signals ---


def calculate(signals, blocks, description=DESCRIPTION):
    calculation = Calculation(description, signals)
    sink = MemorySink(calculation.description)
    stage = CalculationStage(calculation, sink)
    for block in blocks:
        stage.write(block)
    stage.tick(0)
    stage.event(RecordingEvent(EventType.MARKER, 0, "note"))
    stage.close()
    return calculation.description, sink


@pytest.mark.parametrize(("size", "late"), [(1, 0), (37, 0), (37, 3), (3000, 0)])
def test_calculated_at_the_samples_of_their_raster(size, late):
    description, sink = calculate(
        [
            CalculatedSignal("twice", "n * 2", unit="1"),
            CalculatedSignal("high", "x > 0.5"),
            CalculatedSignal("both", "twice + level", comment="of two rasters"),
            CalculatedSignal("step", "delta(both) + high"),
            CalculatedSignal("slowly", "level + n", raster="10ms"),
            CalculatedSignal("mix", "slowly + both + `1ms calculated:twice`", raster="1ms"),
        ],
        stream(1000, size, late=late),
    )
    assert [r.name for r in description.rasters] == [
        "1ms", "10ms", "1ms calculated", "10ms calculated", "1ms calculated (2)",
    ]  # fmt: skip
    assert [s.name for s in description.rasters[2].signals] == ["twice", "high", "both", "step"]
    assert description.rasters[2].signals[2].comment == "of two rasters"
    assert description.rasters[2].signals[0].comment == "= n * 2"
    n = np.arange(1000)
    sine = np.sin(n * 2e-3 * np.pi)
    both = 2 * n + n // 10
    assert sink.t_ns(2).tolist() == (n * MS).tolist()
    assert sink.column(2, "twice").tolist() == (2 * n).tolist()
    assert sink.column(2, "high").tolist() == (sine > 0.5).astype(int).tolist()
    assert sink.column(2, "both").tolist() == both.tolist()
    assert (
        sink.column(2, "step").tolist() == (np.diff(both, prepend=both[0]) + (sine > 0.5)).tolist()
    )
    level = np.arange(100)
    assert sink.column(3, "slowly").tolist() == (level * 11).tolist()
    assert sink.column(4, "mix").tolist() == ((n // 10) * 11 + both + 2 * n).tolist()
    assert sink.column(0, "n").tolist() == n.tolist()
    assert [e.text for e in sink.events] == ["note"]


def test_no_value_is_made_up_before_the_first_one_of_another_raster():
    _, sink = calculate([CalculatedSignal("sum", "n + level")], [
        fast(0, 50), slow(3, 5), fast(50, 60),
    ])  # fmt: skip
    assert sink.t_ns(2).tolist() == [k * MS for k in range(30, 60)]
    assert sink.column(2, "sum").tolist() == [k + min(k // 10, 4) for k in range(30, 60)]
    _, sink = calculate([CalculatedSignal("sum", "n + level")], [fast(0, 50)])
    assert not len(sink.t_ns(2))


def test_a_raster_that_falls_silent_counts_with_its_last_value_a_second_later():
    calculation = Calculation(DESCRIPTION, [CalculatedSignal("sum", "n * 0 + level")])
    sink = MemorySink()
    stage = CalculationStage(calculation, sink)
    stage.write(slow(0, 3))
    for start in range(0, 20_000, 10):
        stage.write(fast(start, start + 10))
    assert sink.column(2, "sum").tolist() == [min(k // 10, 2) for k in range(19_000)]
    stage.close()
    assert len(sink.t_ns(2)) == 20_000


def test_memory_of_another_raster_is_bounded_when_nobody_asks():
    calculation = Calculation(DESCRIPTION, [CalculatedSignal("sum", "level + n", raster="10ms")])
    stage = CalculationStage(calculation, MemorySink(max_bytes=1000))
    for start in range(0, 60_000, 1000):
        stage.write(fast(start, start + 1000))
    (_, _, evaluator), *_ = stage._work
    assert len(evaluator._others[0].times) <= 11_000


def test_gaps_of_the_raster_are_those_of_its_calculated_signals():
    _, sink = calculate([CalculatedSignal("d", "delta(n)")], [
        fast(0, 5), fast(10, 15, [lost(0, 4, 10)]), fast(15, 20),
    ])  # fmt: skip
    assert [(g.before_row, g.lost) for g in sink.gaps(2)] == [(0, 5)]
    assert sink.column(2, "d").tolist() == [0, 1, 1, 1, 1, 6] + [1] * 9


def test_physical_values_texts_masks_and_arrays():
    dtype = np.dtype([("w", ">u2"), ("gear", "u1"), ("v", "<f4", (3,)), ("label", "S4")])
    signals = (
        SignalDescription("speed", "w", "km/h", Linear(10.0, 0.5), bit_mask=0xFFF0),
        SignalDescription("gear", conversion=ValueToText((0, 1), ("P", "D"), "?")),
        SignalDescription("v"),
        SignalDescription("label"),
    )
    description = RecordingDescription(0, (RasterDescription("g", 0, None, dtype, signals),))
    rows = np.array([(0x0010, 0, (1, 2, 3), b"ab"), (0x0020, 1, (4, 5, 6), b"cd"),
                     (0x0FFF, 7, (7, 8, 9), b"ab")], dtype)  # fmt: skip
    described, sink = calculate(
        [
            CalculatedSignal("phys", "speed"),
            CalculatedSignal("ecu", "raw(speed)"),
            CalculatedSignal("drive", "gear == 'D' or label == 'ab'"),
            CalculatedSignal("shift", "gear + 1"),
            CalculatedSignal("scaled", "v * speed"),
        ],
        [SampleBlock(0, np.arange(3), rows)],
        description,
    )
    speed = [10 + 0.5, 10 + 1.0, 10 + 0.5 * 255]
    assert sink.column(1, "phys").tolist() == speed
    assert sink.column(1, "ecu").tolist() == [1, 2, 255]
    assert sink.column(1, "drive").tolist() == [1, 1, 1]
    assert sink.column(1, "shift").tolist() == [1, 2, 8]
    np.testing.assert_array_equal(sink.column(1, "scaled"), rows["v"] * np.array(speed)[:, None])
    frame = sink.columns(0)
    assert list(frame) == ["t [s]", "speed", "gear", "v[0]", "v[1]", "v[2]", "label", "lost"]
    assert frame["gear"].tolist() == ["P", "D", "?"]
    assert frame["label"].tolist() == ["ab", "cd", "ab"]
    assert described.rasters[1].dtype["scaled"].shape == (3,)


def test_a_trigger_needs_one_value_per_sample():
    dtype = np.dtype([("v", "<f4", (3,))])
    raster = RasterDescription("g", 0, None, dtype, (SignalDescription("v"),))
    book = SignalBook([raster])
    with pytest.raises(SettingsError, match="any"):
        make_watches("v > 1", book)
    assert make_watches("any(v > 1)", book)


@pytest.mark.parametrize(
    ("signals", "error", "match"),
    [
        ([CalculatedSignal("n", "x")], SettingsError, "already"),
        ([CalculatedSignal("a", "b"), CalculatedSignal("b", "n")], NotFoundError, "b"),
        ([CalculatedSignal("a", "1 + 1")], UsageError, "no signal"),
        ([CalculatedSignal("a", "n", raster="2ms")], NotFoundError, "2ms"),
        ([CalculatedSignal("a", "n +")], UsageError, "syntax"),
        ([CalculatedSignal(f"a{k}", "n") for k in range(1001)], SettingsError, "1001"),
    ],
)
def test_calculated_signals_that_cannot_be(signals, error, match):
    with pytest.raises(error, match=match):
        Calculation(DESCRIPTION, signals)


# --- several slaves ---


def test_slaves_side_by_side():
    other = replace(
        DESCRIPTION, source="GEARBOX", epk="G1", a2l_name="gear.a2l", a2l=b"g", source_path="udp",
        bus=7, rasters=DESCRIPTION.rasters[:1],
    )  # fmt: skip
    first = replace(DESCRIPTION, epk="E1", a2l_name="engine.a2l", a2l=b"e", bus=2)
    description = combine([first, other])
    assert [r.name for r in description.rasters] == [
        "ENGINE/1ms", "ENGINE/10ms", "GEARBOX/1ms",
    ]  # fmt: skip
    assert [(r.source, r.bus) for r in description.rasters] == [
        ("ENGINE", 2), ("ENGINE", 2), ("GEARBOX", 7),
    ]  # fmt: skip
    assert description.first_rasters == (0, 2)
    assert description.attachments == (("engine.a2l", b"e"), ("gear.a2l", b"g"))
    assert description.properties == {
        "ENGINE epk": "E1", "ENGINE a2l": "engine.a2l",
        "GEARBOX epk": "G1", "GEARBOX a2l": "gear.a2l",
    }  # fmt: skip
    with pytest.raises(UsageError):
        combine([])

    class Takes(MemorySink):
        put = MemorySink.write

    # the same signal of both slaves in one expression
    calculation = Calculation(
        description, [CalculatedSignal("d", "`ENGINE/1ms:n` - `GEARBOX/1ms:n`")]
    )
    with pytest.raises(UsageError, match="2 rasters have it"):
        Calculation(description, [CalculatedSignal("d", "n + 1")])
    taken = Takes()
    stage = CalculationStage(calculation, taken)
    stage.put = stage.write
    engine = SlaveInput(stage, 0)
    gearbox = SlaveInput(stage, 2, lambda t_ns: t_ns + 5 * MS)
    for start in range(0, 100, 10):
        engine.put(fast(start, start + 10))
        gearbox.put(fast(start, start + 10, [lost(0, start - 1, start, 0)] if start else []))
    gearbox.event(RecordingEvent(EventType.MARKER, 10 * MS, "here", raster=0))
    engine.event(RecordingEvent(EventType.MARKER, 10 * MS, "all"))
    assert [(e.raster, e.t_ns // MS) for e in taken.events] == [(2, 15), (None, 10)]
    stage.close()
    assert taken.t_ns(2)[0] == 5 * MS
    assert taken.gaps(2)[0].t_to_ns == 15 * MS
    assert taken.column(3, "d").tolist() == [5] * 95
