"""Unwrapping gives true time back, however the counter is cut into batches."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.ticks import TickUnwrapper


@st.composite
def timelines(draw):
    """Width in bytes, true ticks whose steps a counter of that width can tell, cut positions."""
    size = draw(st.sampled_from([1, 2, 4]))
    half = 1 << (8 * size - 1)
    start = draw(st.integers(0, 2 * half - 1))
    steps = draw(st.lists(st.integers(-half + 1, half), max_size=40))
    true = np.cumsum([start, *steps], dtype=np.int64)
    cuts = draw(st.lists(st.integers(0, len(true)), max_size=6))
    return size, true, sorted(cuts)


@given(timelines(), st.sampled_from("<>"))
@settings(deadline=None, max_examples=150)
def test_any_batches_give_true_time(timeline, order):
    size, true, cuts = timeline
    modulus = 1 << (8 * size)
    wire = (true % modulus).astype(f"{order}u{size}")
    unwrapper = TickUnwrapper(modulus)
    parts = [unwrapper.extend(part) for part in np.split(wire, cuts)]
    assert np.concatenate(parts).tolist() == true.tolist()
    assert all(part.dtype == np.int64 for part in parts)
    assert unwrapper.last == true[-1]


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=20), st.sampled_from([1, 2, 4, 8]))
@settings(deadline=None, max_examples=100)
def test_any_counter_is_kept_modulo_its_width(values, size):
    modulus = 1 << (8 * size)
    raw = np.array([value % modulus for value in values], f"u{size}")
    out = TickUnwrapper(modulus).extend(raw)
    assert [int(value) % modulus for value in out] == raw.tolist()
