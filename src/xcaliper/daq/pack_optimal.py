"""Fewer ODTs than first-fit-decreasing: best sums of sizes per ODT, and a bounded search.

Both work on a chain that may hold laid-out regions already, and place the others whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.daq.odt_chain import Chain, Odt
    from xcaliper.daq.regions import Limits, Region

__all__ = ["best_subset", "fill", "least_entries", "lower_bound", "search"]

#: Steps of the search, about 20 ms; it is given up with what it has found then.
MAX_STEPS: Final = 6000
#: What a step of the search counts in steps of a plan.
SEARCH_STEP: Final = 8
#: Sums of sizes that are looked at in one step.
SUMS_PER_STEP: Final = 1024
#: More regions than this are not searched.
MAX_SEARCHED: Final = 48

#: (bytes, element, key): what regions that are alike have in common.
_Class: TypeAlias = tuple[int, int, tuple[int, int]]


def _least(size_bytes: int, limits: Limits) -> int:
    return 1 + max(0, -(-(size_bytes - limits.first_payload) // limits.payload))


def least_entries(regions: Sequence[Region], limits: Limits) -> int:
    """The ODT entries that regions need at least; neighbours may share one."""
    entries = 0
    run: list[Region] = []
    size = 0
    for region in regions:
        if run and (region.extension, region.start) != (run[-1].extension, run[-1].end):
            entries += _least_of_run(run, size, limits)
            run, size = [], 0
        run.append(region)
        size += region.size_bytes
    return entries + (_least_of_run(run, size, limits) if run else 0)


def _least_of_run(run: Sequence[Region], size: int, limits: Limits) -> int:
    """Entries of memory without a gap; elements of neighbours may be wider together than apart."""
    most = limits.max_entry_bytes
    if limits.strict and len(run) == 1:
        most = limits.entry_bytes(run[0].unit)
    return -(-size // most)


def lower_bound(regions: Sequence[Region], limits: Limits) -> int:
    """The ODTs that regions need at least, by their bytes and by their entries."""
    by_bytes = _least(sum(region.size_bytes for region in regions), limits)
    return max(by_bytes, -(-least_entries(regions, limits) // limits.max_entries))


def best_subset(classes: Sequence[tuple[int, int]], capacity: int) -> list[int]:
    """How many of each class fill a capacity best, with as few of the last classes as possible.

    Args:
        classes: (size, count), both at least 1.
        capacity: largest sum.

    Returns:
        A number for each class.
    """
    mask = (1 << capacity + 1) - 1
    reachable = [1]  # bit s = the classes so far can make the sum s
    for size, count in classes:
        bits, left, step = reachable[-1], min(count, capacity // size), 1
        while left > 0:
            take = min(step, left)
            bits |= bits << size * take & mask
            left -= take
            step *= 2
        reachable.append(bits)
    target = reachable[-1].bit_length() - 1
    chosen = [0] * len(classes)
    for index in range(len(classes) - 1, -1, -1):
        while not reachable[index] >> target & 1:
            target -= classes[index][0]
            chosen[index] += 1
    return chosen


class _Pool:
    """Regions that wait, by class, widest classes first."""

    def __init__(self, chain: Chain, regions: Sequence[Region]) -> None:
        self.chain = chain
        self.waiting: dict[_Class, list[Region]] = {}
        ordered = sorted(regions, key=lambda r: (-r.size_bytes, -r.unit, r.extension, -r.start))
        for region in ordered:
            key = (region.size_bytes, region.unit, chain.key_of(region))
            self.waiting.setdefault(key, []).append(region)

    def take(self, kind: _Class, odt: Odt) -> None:
        same = self.waiting[kind]
        self.chain.put(odt, same.pop())
        if not same:
            del self.waiting[kind]

    def fitting(self, odt: Odt) -> list[_Class]:
        return [kind for kind, same in self.waiting.items() if self.chain.takes(odt, same[-1])]


def fill(chain: Chain, regions: Sequence[Region]) -> bool:
    """Fill each ODT in turn with the sizes that leave the least of it free.

    A new ODT always gets the largest region that waits.

    Returns:
        False when there are too many ODTs, or when the budget is spent.
    """
    pool = _Pool(chain, regions)
    grain, index, budget = chain.limits.granularity, 0, chain.budget
    while pool.waiting:
        if budget.is_spent:
            return False
        budget.charge(2 * len(pool.waiting))
        if index == len(chain.odts) and not chain.open():
            return False
        odt = chain.odts[index]
        index += 1
        fitting = pool.fitting(odt)
        if fitting and odt.is_empty:
            pool.take(fitting[0], odt)
            fitting = pool.fitting(odt)
        if not fitting:
            continue
        budget.charge(len(fitting) * (2 + odt.free // grain // SUMS_PER_STEP))
        classes = [(kind[0] // grain, len(pool.waiting[kind])) for kind in fitting]
        counts = best_subset(classes, odt.free // grain)
        for kind, count in zip(fitting, counts, strict=True):
            for _ in range(count):
                if not chain.takes(odt, pool.waiting[kind][-1]):
                    break  # entries or order forbid what the sizes would allow
                pool.take(kind, odt)
    return True


@dataclass(slots=True)
class _Search:
    """Depth-first search over the ODT of each region, the largest first."""

    sizes: list[int]
    entries: list[int]
    limits: Limits
    best: int
    goal: int
    steps: int = MAX_STEPS
    free: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    found: list[int] | None = None

    def run(self, item: int, left: int) -> None:
        if item == len(self.sizes):
            self.best, self.found = len(self.free), list(self.places)
            return
        size, entries, seen = self.sizes[item], self.entries[item], set()
        for odt, free in enumerate(self.free):
            state = (free, self.slots[odt])
            if size <= free and entries <= state[1] and state not in seen:
                seen.add(state)
                self._place(item, odt, left)
                if self.best <= self.goal or self.steps <= 0:
                    return
        if len(self.free) + 1 < self.best:
            self.free.append(self.limits.payload)
            self.slots.append(self.limits.max_entries)
            self._place(item, len(self.free) - 1, left)
            self.free.pop()
            self.slots.pop()

    def _place(self, item: int, odt: int, left: int) -> None:
        self.steps -= 1
        size, entries = self.sizes[item], self.entries[item]
        self.free[odt] -= size
        self.slots[odt] -= entries
        self.places.append(odt)
        short = left - size - sum(self.free)
        if self.steps > 0 and len(self.free) + max(0, -(-short // self.limits.payload)) < self.best:
            self.run(item + 1, left - size)
        self.places.pop()
        self.free[odt] += size
        self.slots[odt] += entries


def search(chain: Chain, regions: Sequence[Region], best: int) -> bool:
    """Place few regions into fewer ODTs than are known to do; False = none found in bounded time.

    Args:
        chain: empty.
        regions: to be placed whole.
        best: ODTs that are known to do.
    """
    limits, steps = chain.limits, min(MAX_STEPS, chain.budget.left // SEARCH_STEP)
    if len(regions) > MAX_SEARCHED or steps == 0:
        return False
    if limits.descending or limits.odt_type or limits.one_extension:
        return False
    ordered = sorted(regions, key=lambda r: (-r.size_bytes, r.extension, r.start))
    sizes = [region.size_bytes for region in ordered]
    total = sum(sizes)
    state = _Search(
        sizes,
        [chain.entries_of(region.size_bytes, region.unit) for region in ordered],
        limits,
        min(best, limits.max_odts + 1),
        lower_bound(regions, limits),
        steps=steps,
        free=[limits.first_payload],
        slots=[limits.max_entries],
    )
    state.run(0, total)
    chain.budget.charge((steps - state.steps) * SEARCH_STEP)
    if state.found is None:
        return False
    for region, odt in zip(ordered, state.found, strict=True):
        while odt >= len(chain.odts):
            chain.open()
        chain.put(chain.odts[odt], region)
    return True
