"""The pipeline: order, bounds, marks of loss, failing and hanging sinks."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from xcaliper.core.errors import LinkError, MdfError, UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record.description import EventType, RecordingEvent
from xcaliper.record.pipeline import Pipeline
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.sinks.null import NullSink

DTYPE = np.dtype([("n", "<u4")])


def block(start: int, count: int = 10, raster: int = 0, gaps: tuple[Gap, ...] = ()) -> SampleBlock:
    n = np.arange(start, start + count)
    return SampleBlock(raster, n.astype(np.int64) * 1000, n.astype(DTYPE), gaps)


class Gate(MemorySink):
    """Holds the writer in its first write until it is opened."""

    def __init__(self):
        super().__init__()
        self.inside = threading.Event()
        self.open = threading.Event()
        self.ticks = 0
        self.ticked = threading.Event()
        self.closed = False

    def write(self, block):
        self.inside.set()
        assert self.open.wait(20)
        super().write(block)

    def tick(self, now_ns):
        self.ticks += 1
        self.ticked.set()

    def close(self):
        self.closed = True


class Broken(NullSink):
    def __init__(self, error, after=0):
        super().__init__()
        self.error = error
        self.after = after
        self.calls = 0
        self.failed = threading.Event()

    def write(self, block):
        self.calls += 1
        if self.calls > self.after:
            self.failed.set()
            raise self.error
        super().write(block)


def test_everything_arrives_in_order_at_every_sink():
    sinks = [MemorySink(), MemorySink(), NullSink()]
    with Pipeline(sinks) as pipeline:
        for n in range(0, 1000, 10):
            assert pipeline.put(block(n, raster=n // 10 % 2))
        assert pipeline.event(RecordingEvent(EventType.MARKER, 5, "hello"))
    for sink in sinks[:2]:
        both = np.sort(np.concatenate([sink.column(0, "n"), sink.column(1, "n")]))
        np.testing.assert_array_equal(both, np.arange(1000))
        assert (np.diff(sink.t_ns(0)) > 0).all()
        assert [e.text for e in sink.events] == ["hello"]
    assert sinks[2].samples == 1000
    assert sinks[2].closed
    assert pipeline.stats.samples == 1000
    assert pipeline.stats.queued_bytes == 0


def test_what_does_not_fit_is_counted_and_marked():
    gate = Gate()
    pipeline = Pipeline([gate], max_bytes=480)  # four blocks of 120 bytes
    assert pipeline.put(block(0))
    assert gate.inside.wait(20)
    accepted = [pipeline.put(block(n)) for n in range(10, 80, 10)]
    assert accepted == [True] * 3 + [False] * 4
    assert not pipeline.put(block(200, raster=1))
    assert not pipeline.put(block(80, gaps=(Gap(0, 1, 2, 7, "counter"),)))
    assert pipeline.stats.dropped_samples == 60
    assert pipeline.stats.dropped_blocks == 6
    assert pipeline.stats.peak_bytes == 480
    gate.open.set()
    for _ in range(1000):
        if pipeline.put(block(90)):
            break
        threading.Event().wait(0.005)
    pipeline.close()
    marked = [b for b in gate.blocks if b.gaps]
    assert [b.rows["n"][0] for b in marked] == [90]
    gap = marked[0].gaps[0]
    assert (gap.before_row, gap.t_from_ns, gap.t_to_ns, gap.reason) == (0, 39_000, 90_000, "queue")
    tries = pipeline.stats.dropped_blocks - 6
    assert gap.lost == 40 + 17 + 10 * tries
    # a raster without a later block gets an event instead
    assert [(e.raster, e.kind, e.text.split()[0]) for e in gate.events] == [
        (1, EventType.ACQUISITION_INTERRUPT, "10")
    ]


def test_a_loss_behind_the_last_row_that_does_not_fit_keeps_its_time():
    gate = Gate()
    pipeline = Pipeline([gate], max_blocks=1)
    assert pipeline.put(block(0))
    assert gate.inside.wait(20)
    rows = block(0, 0, raster=2, gaps=(Gap(0, 5_000_000_000, 9_000_000_000, 4, "overload"),))
    assert not pipeline.put(rows)
    gate.open.set()
    pipeline.close()
    assert [(e.raster, e.t_ns, e.text) for e in gate.events] == [
        (2, 5_000_000_000, "4 lost until 9.000000 s (queue)")
    ]


def test_ticks_come_without_data():
    gate = Gate()
    pipeline = Pipeline([gate], tick_s=0.01)
    assert gate.ticked.wait(20)
    pipeline.close()
    assert gate.closed


@pytest.mark.parametrize("error", [MdfError("disk full."), ZeroDivisionError("oops")])
def test_a_broken_sink_does_not_stop_the_others(error):
    broken, good = Broken(error, after=2), MemorySink()
    pipeline = Pipeline([broken, good])
    for n in range(0, 30, 10):
        pipeline.put(block(n))
    assert broken.failed.wait(20)
    raised = 0
    for n in range(30, 1000, 10):
        try:
            pipeline.put(block(n))
        except (MdfError, LinkError):
            raised += 1
        if not pipeline.errors:
            threading.Event().wait(0.001)
    with pytest.raises((MdfError, LinkError)):
        pipeline.close()
    assert raised == 1
    assert broken.calls == 3
    assert broken.closed
    assert pipeline.errors == (error,)
    assert good.column(0, "n").tolist() == list(range(1000))


def test_close_gives_up_on_a_hanging_sink():
    gate = Gate()
    pipeline = Pipeline([gate])
    pipeline.put(block(0))
    pipeline.put(block(10))
    assert gate.inside.wait(20)
    with pytest.raises(LinkError, match=r"2 blocks still wait"):
        pipeline.close(timeout_s=0.05)
    gate.open.set()
    pipeline.close(timeout_s=20)
    assert gate.closed
    assert len(gate.blocks) == 1


def test_a_closed_pipeline_refuses():
    pipeline = Pipeline([NullSink()])
    pipeline.close()
    pipeline.close()
    with pytest.raises(UsageError):
        pipeline.put(block(0))
    with pytest.raises(UsageError):
        pipeline.event(RecordingEvent(EventType.MARKER, 0, ""))


def test_too_many_events_are_counted():
    gate = Gate()
    pipeline = Pipeline([gate], max_blocks=5)
    pipeline.put(block(0))
    assert gate.inside.wait(20)
    kept = [pipeline.event(RecordingEvent(EventType.MARKER, n, "x")) for n in range(12)]
    assert kept == [True] * 9 + [False] * 3
    assert pipeline.stats.dropped_events == 3
    assert not pipeline.put(block(10))
    gate.open.set()
    pipeline.close()
    assert len(gate.events) == 10
