"""Regions of memory → the ODTs of one list, as few as can be found in bounded time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xcaliper.daq.budget import Budget
from xcaliper.daq.odt_chain import Chain, PackedList, finish
from xcaliper.daq.pack_optimal import fill, lower_bound, search
from xcaliper.daq.regions import Limits, Region, join_runs, regions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "Arrangement",
    "Limits",
    "PackedList",
    "Region",
    "arrange",
    "join_runs",
    "pack",
    "regions_of",
]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where regions go; entries are made of the one that is chosen only.

    Attributes:
        chain: the ODTs.
        regions: what is in them, neighbours joined or not.
    """

    chain: Chain
    regions: Sequence[Region]

    @property
    def odt_count(self) -> int:
        """ODTs that are needed."""
        return len(self.chain.odts)

    def finish(self) -> PackedList:
        """Entries and row offsets."""
        return finish(self.chain, self.regions)


def pack(regions: Sequence[Region], limits: Limits, *, thorough: bool = True) -> PackedList | None:
    """The ODTs of arrange(), None when the list has too few."""
    found = arrange(regions, limits, Budget(), thorough=thorough)
    return found.finish() if found else None


def arrange(
    regions: Sequence[Region], limits: Limits, budget: Budget, *, thorough: bool
) -> Arrangement | None:
    """The fewest ODTs that the ways tried here need, None when the list has too few.

    Tried are first-fit-decreasing of whole regions (long ones laid out first), with and without
    joined neighbours, and laying everything out in address order, cutting between elements, or
    anywhere where the slave's consistency allows that. Where these miss the lower bound, ODTs are
    filled with the best sums of sizes, and few regions are searched for a better order.

    When the budget is spent, the first way that fits is taken.

    Args:
        regions: sorted by extension and address.
        limits: of the list.
        budget: gets the work counted.
        thorough: False to try the quick ways only.
    """
    least = lower_bound(regions, limits)
    budget.charge(len(regions))
    if least > limits.max_odts:
        return None
    runs = join_runs(regions, limits)
    best: Arrangement | None = None
    for chain, used in _ways(regions, runs, limits, budget):
        best = _better(best, chain, used)
        budget.charge(len(used))
        if best is not None and budget.is_spent:
            return best
    if thorough and (best is None or best.odt_count > least):
        best = _improved(best, least, regions, runs, limits, budget)
    return best


def _improved(
    best: Arrangement | None,
    least: int,
    regions: Sequence[Region],
    runs: Sequence[Region],
    limits: Limits,
    budget: Budget,
) -> Arrangement | None:
    """The best of the slower ways as well, until one is known to be the best there is."""
    for chain, used in _thorough_ways(regions, runs, limits, budget):
        best = _better(best, chain, used)
        budget.charge(len(used))
        if budget.is_spent or (best is not None and best.odt_count <= least):
            return best
    if not _longer(regions, limits):
        chain = Chain(limits, budget)
        if search(chain, regions, best.odt_count if best else limits.max_odts + 1):
            best = _better(best, chain, regions)
    return best


def _better(
    best: Arrangement | None, chain: Chain | None, used: Sequence[Region]
) -> Arrangement | None:
    """The one with fewer ODTs, then with fewer entries."""
    if chain is None or not chain.is_usable:
        return best
    if best is None or chain.cost < best.chain.cost:
        return Arrangement(chain, used)
    return best


def _ways(
    regions: Sequence[Region], runs: Sequence[Region], limits: Limits, budget: Budget
) -> Iterator[tuple[Chain | None, Sequence[Region]]]:
    yield _first_fit(runs, limits, budget), runs
    if len(runs) < len(regions):
        yield _first_fit(regions, limits, budget), regions
    if limits.crossing:
        yield _poured(runs, limits, budget), runs
        if limits.may_split:
            yield _poured([_cut_anywhere(run) for run in runs], limits, budget), runs


def _thorough_ways(
    regions: Sequence[Region], runs: Sequence[Region], limits: Limits, budget: Budget
) -> Iterator[tuple[Chain | None, Sequence[Region]]]:
    yield _filled(runs, limits, budget, _longer(runs, limits)), runs
    if len(runs) < len(regions):
        yield _filled(regions, limits, budget, _longer(regions, limits)), regions
    arrays = [region for region in regions if len(region.cuts) > 1]
    if arrays and limits.crossing:
        yield _filled(regions, limits, budget, arrays), regions
        arrays.sort(key=lambda region: (-region.unit, -region.size_bytes))
        yield _filled(regions, limits, budget, arrays), regions


def _cut_anywhere(region: Region) -> Region:
    cuts = range(region.start + region.unit, region.end + 1, region.unit)
    return replace(region, cuts=cuts)


def _longer(regions: Sequence[Region], limits: Limits) -> list[Region]:
    """Regions that no ODT holds whole."""
    found = []
    for region in regions:
        most = min(limits.payload, limits.room(limits.max_entries, region.unit))
        if region.size_bytes > most:
            found.append(region)
    return found


def _poured(regions: Sequence[Region], limits: Limits, budget: Budget) -> Chain | None:
    chain = Chain(limits, budget)
    return chain if all(chain.pour(region) for region in _in_order(regions, limits)) else None


def _in_order(regions: Sequence[Region], limits: Limits) -> Sequence[Region]:
    """The order to lay regions out in, so that equal elements follow each other where they must."""
    if limits.odt_type or limits.descending:
        return sorted(regions, key=lambda r: (-r.unit, r.extension, r.start))
    return regions


def _placed(
    regions: Sequence[Region],
    limits: Limits,
    budget: Budget,
    first: Sequence[Region],
    rest: Callable[[Chain, list[Region]], bool],
) -> Chain | None:
    """A chain with some regions laid out along it and the rest placed whole by some rule."""
    if first and not limits.crossing:
        return None
    chain = Chain(limits, budget)
    for region in _in_order(first, limits):
        if not chain.pour(region):
            return None
    laid = {id(region) for region in first}
    return chain if rest(chain, [r for r in regions if id(r) not in laid]) else None


def _first_fit(regions: Sequence[Region], limits: Limits, budget: Budget) -> Chain | None:
    def rest(chain: Chain, whole: list[Region]) -> bool:
        whole.sort(key=lambda r: (-r.size_bytes, -r.unit, r.extension, r.start))
        return all(chain.fit(region) for region in whole)

    return _placed(regions, limits, budget, _longer(regions, limits), rest)


def _filled(
    regions: Sequence[Region], limits: Limits, budget: Budget, first: Sequence[Region]
) -> Chain | None:
    return _placed(regions, limits, budget, first, fill)
