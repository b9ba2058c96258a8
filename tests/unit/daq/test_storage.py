"""Memory of decoded rows: where it lies, and when it is used again."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.daq.kernels import Field
from xcaliper.daq.storage import RowStorage, StoragePool

HUGE = 2 << 20


@pytest.mark.parametrize("size", [8, 100, HUGE - 8, HUGE, HUGE + 8, 5 * HUGE])
def test_all_of_it_can_be_written_and_large_pieces_lie_on_huge_pages(size: int) -> None:
    storage = RowStorage(size)
    assert storage.rows.nbytes >= size
    assert storage.ticks.nbytes == storage.rows.nbytes
    storage.rows[:] = 7
    assert int(storage.ticks[-1]) == int.from_bytes(b"\7" * 8, "little")
    if size >= HUGE:
        assert storage.rows.ctypes.data % HUGE == 0
        assert storage.rows.nbytes % HUGE == 0


@pytest.mark.parametrize("size", [4096, 3 * HUGE])
@pytest.mark.parametrize("look", [lambda s: s.rows[10:20], lambda s: s.ticks[1:2].view("u1")[3:]])
def test_it_is_free_when_no_view_of_a_view_is_left(size: int, look) -> None:
    storage = RowStorage(size)
    assert storage.is_free
    view = look(storage).view(np.uint8)
    assert not storage.is_free
    del view
    assert storage.is_free


def test_the_pool_gives_memory_again_that_nobody_looks_at() -> None:
    pool = StoragePool([100], [1.0], 4 * HUGE)
    lists = np.zeros((1, len(Field)), np.int64)
    first = pool.next(lists)
    kept = first.rows[:5]
    second = pool.next(lists)
    assert second is not first
    del kept
    assert pool.next(lists) is first
    rows, size = int(lists[0, Field.CAPACITY]), int(lists[0, Field.ROWS_AT])
    assert size + rows * 100 <= first.rows.nbytes
