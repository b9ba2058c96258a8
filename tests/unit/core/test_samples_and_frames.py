"""Frames, batches and sample blocks: plain containers with their few promises."""

import numpy as np
import pytest

from xcaliper.core.errors import NotFoundError
from xcaliper.core.frames import DtoBatch, Frame
from xcaliper.core.samples import Gap, SampleBlock


def block():
    rows = np.zeros(3, np.dtype([("speed", ">u2"), ("map", "<f4", (2, 2))]))
    rows["speed"] = [1, 2, 300]
    return SampleBlock(1, np.array([0, 10, 20], np.int64), rows, (Gap(1, 0, 10, 4, "counter"),))


def test_frame_is_time_and_bytes():
    t_ns, data = Frame(5, b"\x01")
    assert (t_ns, data) == (5, b"\x01")


def test_batches_share_nothing():
    one, two = DtoBatch(1), DtoBatch(2)
    one.packets.append(b"x")
    one.lost.append((0, 1))
    assert (two.packets, two.lost) == ([], [])


def test_columns_are_views():
    made = block()
    assert len(made) == 3
    assert made.column("speed").tolist() == [1, 2, 300]
    assert made.column("map").shape == (3, 2, 2)
    assert np.shares_memory(made.column("speed"), made.rows)
    assert made.gaps[0].lost == 4


def test_an_unknown_column_is_named():
    with pytest.raises(NotFoundError, match="rpm"):
        block().column("rpm")
    plain = SampleBlock(0, np.zeros(1, np.int64), np.zeros(1))
    assert plain.gaps == ()
    with pytest.raises(NotFoundError):
        plain.column("rpm")


def test_blocks_can_be_compared_and_kept_in_sets():
    made = block()
    assert made == made
    assert made != block()
    assert len({made, made}) == 1


@pytest.mark.parametrize(
    ("start", "stop", "rows", "gaps"),
    [
        (0, 2, [1, 2], [(0, 2), (1, 3)]),
        (1, 2, [2], [(0, 3)]),
        (2, 3, [300], [(1, 5)]),
        (-4, 1, [1], [(0, 2)]),
        (2, 9, [300], [(1, 5)]),
        (2, 2, [], []),
        (3, 3, [], []),
        (0, 3, [1, 2, 300], [(-1, 2), (1, 3), (3, 5)]),
    ],
)
def test_the_parts_of_a_block_have_each_of_its_gaps_once(start, stop, rows, gaps):
    """Gaps before the first row, before row 1 and behind the last one, which goes with that row."""
    whole = block()
    marks = tuple(Gap(row, 0, 10, lost, "counter") for row, lost in ((-1, 2), (1, 3), (3, 5)))
    made = SampleBlock(whole.raster, whole.t_ns, whole.rows, marks)
    part = made.part(start, stop)
    assert part.column("speed").tolist() == rows
    assert part.t_ns.tolist() == [10 * r for r in range(3)][max(start, 0) : stop]
    assert [(gap.before_row, gap.lost) for gap in part.gaps] == gaps
    assert np.shares_memory(part.rows, made.rows) == bool(rows)
