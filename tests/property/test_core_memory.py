"""Sparse memory behaves like a dictionary of bytes that has holes."""

import contextlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError
from xcaliper.core.memory import SparseMemory

places = st.builds(Address, st.integers(0, 24), st.integers(0, 1))
runs = st.lists(st.tuples(places, st.binary(max_size=12)), max_size=8)
granularities = st.sampled_from([1, 2, 4])


def build(added, ag):
    """The memory, and the plain model of it: (extension, byte) → (run, content)."""
    memory, model = SparseMemory(ag), {}
    for run, (start, content) in enumerate(added):
        keys = [(start.extension, start.value * ag + i) for i in range(len(content))]
        free = not any(key in model for key in keys)
        try:
            memory.add(start, content)
            accepted = True
        except UsageError:
            accepted = False
        assert accepted == free
        if free:
            model.update({key: (run, byte) for key, byte in zip(keys, content, strict=True)})
    return memory, model


def expected(model, at, size, ag):
    found = [model.get((at.extension, at.value * ag + i)) for i in range(size)]
    if None in found or len({run for run, _ in found}) > 1:
        return None
    return bytes(byte for _, byte in found)


@given(runs, granularities, places, st.integers(1, 14))
@settings(deadline=None, max_examples=200)
def test_reads_what_the_model_holds(added, ag, at, size):
    memory, model = build(added, ag)
    try:
        got = memory.read(at, size)
    except UsageError:
        got = None
    assert got == expected(model, at, size, ag)


@given(runs, granularities, st.lists(st.tuples(places, st.binary(min_size=1, max_size=6))))
@settings(deadline=None, max_examples=100)
def test_writes_are_all_or_nothing(added, ag, writes):
    memory, model = build(added, ag)
    for at, content in writes:
        fits = expected(model, at, len(content), ag) is not None
        with contextlib.suppress(UsageError):
            memory.write(at, content)
            assert fits
            for i, byte in enumerate(content):
                key = (at.extension, at.value * ag + i)
                model[key] = (model[key][0], byte)
    held = b"".join(memory.read(run.start, run.size_bytes) for run in memory.ranges())
    assert held == bytes(byte for _, (_, byte) in sorted(model.items()))


@given(runs, granularities)
@settings(deadline=None, max_examples=100)
def test_ranges_are_sorted_and_apart(added, ag):
    memory, model = build(added, ag)
    ranges = memory.ranges()
    assert sum(run.size_bytes for run in ranges) == len(model)
    for one, two in pairwise(ranges):
        end = one.start.value * ag + one.size_bytes
        assert (one.start.extension, end) <= (two.start.extension, two.start.value * ag) or (
            one.start.extension < two.start.extension
        )
