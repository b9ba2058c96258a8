"""Bounded queues of blocks, renamed rows and broken lines: values in, values out."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.client.acquisition import renamed_dtype
from xcaliper.client.block import Block
from xcaliper.client.frames import with_breaks
from xcaliper.client.polling import polling_rate
from xcaliper.client.waiting import Waiting
from xcaliper.core.errors import UsageError
from xcaliper.core.samples import Gap, SampleBlock

ROW = np.dtype([("a", "<u2"), ("b", "<u2")])


def block(first: int, count: int, raster: int = 0, gaps: tuple[Gap, ...] = ()) -> SampleBlock:
    rows = np.zeros(count, ROW)
    rows["a"] = np.arange(first, first + count)
    return SampleBlock(raster, np.arange(first, first + count, dtype=np.int64) * 1000, rows, gaps)


def test_what_fits_comes_out_joined_with_its_gaps():
    waiting = Waiting(10_000)
    waiting.put([block(0, 3), block(100, 1, raster=1)])
    waiting.put([block(5, 2, gaps=(Gap(0, 2000, 5000, 2, "counter"),))])
    first, second = waiting.take()
    assert first.rows["a"].tolist() == [0, 1, 2, 5, 6]
    assert [(gap.before_row, gap.lost) for gap in first.gaps] == [(3, 2)]
    assert second.rows["a"].tolist() == [100]
    assert (waiting.dropped, len(waiting), waiting.bytes) == (0, 0, 0)
    assert waiting.take() == []


def test_large_blocks_come_out_as_they_are_and_only_the_first_tells_of_what_was_dropped():
    """262 144 bytes are joined at most: 21 845 rows of twelve bytes."""
    waiting = Waiting(1_000_000)
    for first, count in ((0, 70_000), (1, 10_000), (2, 11_000), (3, 900), (4, 30_000), (5, 1)):
        waiting.put([block(first, count)])
    assert waiting.dropped == 70_000
    left = waiting.take()
    assert [len(one) for one in left] == [21_900 - 900, 900, 30_000, 1]
    assert [int(one.rows["a"][0]) for one in left] == [1, 3, 4, 5]
    assert [gap.lost for one in left for gap in one.gaps] == [70_000]


def test_oldest_are_dropped_counted_and_marked():
    """Twelve bytes a row: two of the four blocks of ten rows fit."""
    waiting = Waiting(250)
    for first in (0, 10, 20, 30):
        waiting.put([block(first, 10)])
    assert waiting.dropped == 20
    assert waiting.peak_bytes <= 250
    (left,) = waiting.take()
    assert left.rows["a"].tolist() == list(range(20, 40))
    (gap,) = left.gaps
    assert (gap.before_row, gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason) == (
        0, 0, 20_000, 20, "queue",
    )  # fmt: skip
    waiting.put([block(40, 1)])
    assert waiting.take()[0].gaps == (), "told once"


def test_loss_of_a_raster_is_kept_until_its_next_block():
    waiting = Waiting(100)
    waiting.put([block(0, 5, raster=1, gaps=(Gap(0, 0, 0, 3, "counter"),))])
    waiting.put([block(0, 8)])
    assert [one.raster for one in waiting.take()] == [0]
    waiting.put([block(9, 1, raster=1)])
    (gap,) = waiting.take()[0].gaps
    assert gap.lost == 5 + 3, "what the dropped block told of is not forgotten"
    large = Waiting(10)
    large.put([block(0, 100)])
    assert len(large.take()[0]) == 100, "the newest block always fits"


def test_a_loss_behind_the_last_row_has_its_time_also_when_rows_were_dropped():
    waiting = Waiting(100)
    behind = Gap(0, 12_000, 20_000, 7, "overload")
    waiting.put([block(5, 8, raster=1), block(100, 8), block(0, 0, raster=1, gaps=(behind,))])
    (lost, told) = waiting.take()[1].gaps
    assert (lost.t_from_ns, lost.t_to_ns, lost.lost, lost.reason) == (5000, 12_000, 8, "queue")
    assert told == behind


def test_closing_ends_the_wait():
    waiting = Waiting(100)
    assert not waiting.wait(0)
    waiting.close()
    assert waiting.wait(60)


def test_fields_are_renamed_in_place_with_any_stride():
    wide = np.zeros(4, np.dtype([("x", "u1"), ("row", ROW), ("y", "u1")]))
    wide["row"]["b"] = [1, 2, 3, 4]
    rows = wide["row"]
    renamed = rows.view(renamed_dtype(rows.dtype, {"b": "left/b"}))
    assert renamed.dtype.names == ("a", "left/b")
    assert renamed["left/b"].tolist() == [1, 2, 3, 4]
    assert np.shares_memory(renamed, wide)
    assert renamed_dtype(ROW, {}) is ROW


def test_lines_stop_behind_the_last_sample_before_a_gap():
    gaps = (Gap(0, 0, 0, 1, "counter"), Gap(2, 1000, 7000, 5, "counter"), Gap(9, 0, 0, 1, "queue"))
    samples = SampleBlock(
        0, np.array([0, 1, 7, 8], np.int64) * 1_000_000_000, np.zeros(4, ROW), gaps
    )
    t, values = with_breaks(Block("e", samples, {}, raw_only=True), np.arange(4.0))
    assert t.tolist() == [0, 1, 1, 7, 8]
    np.testing.assert_array_equal(values, [0, 1, np.nan, 2, 3])


def test_polling_rates():
    assert (polling_rate(False), polling_rate(True), polling_rate(2.5)) == (0.0, 10.0, 2.5)
    for wrong in (-1, 1e9, float("nan")):
        with pytest.raises(UsageError):
            polling_rate(wrong)
