"""Fewest ODTs: never more than first-fit-decreasing, never fewer than the bytes need, often fewer."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np

from xcaliper.core.address import Address
from xcaliper.daq.pack import Limits, pack, regions_of
from xcaliper.daq.pack_optimal import best_subset
from xcaliper.daq.wanted import WantedSignal


def limits(first, payload, *, entries=255, max_odts=252, **more):
    return Limits(1, 1, payload, first, payload, max_odts, entries, **more)


def apart(sizes):
    """A signal of bytes for each size, none beside another."""
    found, at = [], 0x1000
    for index, size in enumerate(sizes):
        found.append(WantedSignal(f"s{index}", Address(at), np.dtype(("u1", (size,)))))
        at += size + 1
    return found


def first_fit_decreasing(sizes, first, payload):
    """ODTs by the plain rule; the oracle is written here on purpose."""
    free = [first]
    for size in sorted(sizes, reverse=True):
        for odt, room in enumerate(free):
            if size <= room:
                free[odt] -= size
                break
        else:
            free.append(payload - size)
    return len(free)


def fewest(sizes, first, payload):
    """The true minimum by trying everything; few sizes only."""
    left = sorted(sizes, reverse=True)
    for count in range(1, len(left) + 2):
        if _fits(left, [first] + [payload] * (count - 1)):
            return count
    raise AssertionError("every size fits an ODT")


def _fits(sizes, free):
    if not sizes:
        return True
    return any(
        sizes[0] <= room and _fits(sizes[1:], [*free[:i], room - sizes[0], *free[i + 1 :]])
        for i, room in enumerate(free)
        if room not in free[:i]
    )


def whole(sizes):
    """Signals of one element each: nothing may be cut."""
    found, at = [], 0x1000
    for index, size in enumerate(sizes):
        found.append(WantedSignal(f"s{index}", Address(at), np.dtype(f"V{size}")))
        at += size + 1
    return found


def packed_odts(sizes, first, payload, **more):
    made = limits(first, payload, **more)
    packed = pack(regions_of(whole(sizes), made), made)
    assert packed is not None
    assert sorted(packed.offsets) == sorted(f"s{i}" for i in range(len(sizes)))
    for number, odt in enumerate(packed.odts):
        assert sum(entry.size for entry in odt.entries) <= (payload if number else first)
    return len(packed.odts)


def full_odts(rng, first, payload, count):
    """Sizes that fill so many ODTs to the last byte."""
    sizes = []
    for odt in range(count):
        room = payload if odt else first
        cuts = sorted(rng.sample(range(1, room), min(room - 1, rng.randint(1, 3))))
        sizes += [b - a for a, b in zip([0, *cuts], [*cuts, room], strict=True)]
    return sizes


def test_never_worse_than_first_fit_decreasing_and_never_below_the_bytes():
    rng, better = random.Random(5), 0
    for _ in range(400):
        payload = rng.choice([7, 20, 60, 250])
        first = payload - rng.choice([0, 0, min(4, payload - 1)])
        top = min(first, rng.choice([8, 8, payload]))
        if rng.random() < 0.5:
            sizes = [rng.randint(max(1, top // 4), top) for _ in range(rng.randint(1, 60))]
        else:
            sizes = full_odts(rng, first, payload, rng.randint(2, 30))
        count = packed_odts(sizes, first, payload)
        plain = first_fit_decreasing(sizes, first, payload)
        assert count <= plain
        assert count >= 1 + max(0, -(-(sum(sizes) - first) // payload))
        better += count < plain
    assert better >= 20  # it is worth having


def test_few_signals_reach_the_true_minimum():
    rng = random.Random(11)
    for _ in range(60):
        payload = rng.choice([10, 17, 30])
        first = payload - rng.choice([0, 3])
        sizes = [rng.randint(2, first) for _ in range(rng.randint(2, 9))]
        assert packed_odts(sizes, first, payload) == fewest(sizes, first, payload)


def test_the_textbook_case_that_first_fit_decreasing_misses():
    sizes = [5, 4, 4, 3, 2, 2]  # 5 3 2 and 4 4 2
    assert first_fit_decreasing(sizes, 10, 10) == 3
    assert packed_odts(sizes, 10, 10) == 2


def test_entries_count_as_bytes_do():
    sizes = [2] * 9 + [8] * 3
    assert packed_odts(sizes, 42, 42, entries=4) == 3


def test_arrays_are_cut_where_that_saves_an_odt():
    made = limits(8, 8)
    signals = [
        WantedSignal("map", Address(0x100), np.dtype(("<u2", (6,)))),
        *(WantedSignal(f"w{i}", Address(0x200 + 8 * i), np.dtype("<u4")) for i in range(3)),
    ]
    packed = pack(regions_of(signals, made), made)
    assert len(packed.odts) == 3  # 24 bytes


def test_homogeneous_odts_are_filled_as_well():
    made = limits(10, 10, odt_type=4)
    sizes = [2] * 5 + [4] * 4
    found, at = [], 0x1000
    for index, size in enumerate(sizes):
        at += -at % 8 + (size == 2) * 2
        found.append(WantedSignal(f"s{index}", Address(at), np.dtype(f"u{size}")))
        at += 8
    packed = pack(regions_of(found, made), made)
    kinds = [{entry.size for entry in odt.entries} for odt in packed.odts]
    assert sorted(kinds, key=sorted) == [{2}, {4}, {4}]


def test_best_subset_is_the_best_one():
    rng = random.Random(3)
    for _ in range(200):
        classes = [(rng.randint(1, 12), rng.randint(1, 3)) for _ in range(rng.randint(1, 4))]
        capacity = rng.randint(0, 40)
        chosen = best_subset(classes, capacity)
        assert all(0 <= n <= count for n, (_, count) in zip(chosen, classes, strict=True))
        every = [size for size, count in classes for _ in range(count)]
        sums = {sum(part) for n in range(len(every) + 1) for part in combinations(every, n)}
        best = max(total for total in sums if total <= capacity)
        assert sum(n * size for n, (size, _) in zip(chosen, classes, strict=True)) == best
