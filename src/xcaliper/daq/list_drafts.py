"""Signals of one event → as many DAQ lists as it takes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.daq.capabilities import AddressExtensionScope
from xcaliper.daq.event_choice import Findings, some
from xcaliper.daq.odt_chain import Chain, PackedList
from xcaliper.daq.pack import Arrangement, arrange
from xcaliper.daq.regions import Limits, Region, regions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.daq.budget import Budget
    from xcaliper.daq.capabilities import EventChannel, StaticList
    from xcaliper.daq.wanted import WantedSignal
    from xcaliper.xcp.daq_lists import PackedMode

__all__ = [
    "Group",
    "ListDraft",
    "Overflow",
    "bindings",
    "by_extension",
    "fewest_omitted",
    "fill_dynamic",
    "fill_static",
    "refuse_overflow",
]


#: Attempts to put more into a list than filling up in order does; each packs it anew.
MAX_ATTEMPTS: Final = 6


@dataclass(frozen=True, slots=True)
class Group:
    """Signals that share an event and a direction."""

    event: EventChannel
    stim: bool
    signals: tuple[WantedSignal, ...]


@dataclass(frozen=True, slots=True)
class ListDraft:
    """One list, not yet numbered.

    Attributes:
        event: what it is bound to.
        stim: its direction.
        signals: what it carries, as wanted.
        packed: its ODTs.
        mode: how samples are collected, None = each one is sent.
        static: the slave's list, None for a dynamic one.
    """

    event: EventChannel
    stim: bool
    signals: tuple[WantedSignal, ...]
    packed: PackedList
    mode: PackedMode | None = None
    static: StaticList | None = None


@dataclass(slots=True)
class Overflow:
    """Why a group does not fit.

    Attributes:
        regions: what is left without a place.
        limits: of a list.
    """

    regions: list[Region] = field(default_factory=list)
    limits: Limits | None = None


def by_extension(group: Group, scope: AddressExtensionScope) -> list[Group]:
    """The group, in parts with one address extension each where a list may have only one."""
    if scope is not AddressExtensionScope.DAQ_LIST:
        return [group]
    return [
        replace(group, signals=tuple(s for s in group.signals if s.address.extension == extension))
        for extension in sorted({signal.address.extension for signal in group.signals})
    ]


def bindings(drafts: Sequence[ListDraft]) -> int:
    """Lists that get their event now; those of a fixed event have it already."""
    return sum(draft.static is None or draft.static.event is None for draft in drafts)


def _most(
    regions: Sequence[Region], limits: Limits, budget: Budget
) -> tuple[int, Arrangement | None]:
    """As many regions from the beginning as one list takes, and how.

    Found by filling up in order, and by a few attempts with more.
    """
    if not _has_room(limits):
        return 0, None
    high = _count_by_sums(regions, limits)
    if high == len(regions):
        whole = _arrange(regions, limits, budget, thorough=True)
        if whole is not None:
            return high, whole
    low, best, attempts = 0, None, MAX_ATTEMPTS
    middle = max(_count_in_order(regions[:high], limits, budget), 1)
    while low < high and attempts > 0:
        packed = _arrange(regions[:middle], limits, budget)
        attempts -= low > 0
        if packed is None:
            high = middle - 1
            middle = (low + high + 1) // 2
        else:
            step = max(middle // 16, 1) if low == 0 else high
            low, best = middle, packed
            middle = min(low + step, (low + high + 1) // 2 if step == high else high)
        if low and budget.is_spent:
            break
    return low, best


def _has_room(limits: Limits) -> bool:
    return limits.max_odts > 0 and limits.first_payload >= limits.filler_bytes


def _count_by_sums(regions: Sequence[Region], limits: Limits) -> int:
    """Regions from the beginning that bytes and entries of a list could hold."""
    room = limits.first_payload + (limits.max_odts - 1) * limits.payload
    entries = limits.max_odts * limits.max_entries
    end: int | None = None
    for count, region in enumerate(regions):
        room -= region.size_bytes
        if limits.strict and region.unit < limits.odt_type:
            entries -= region.size_bytes // region.unit
        elif region.start != end:  # neighbours may share an entry
            entries -= 1
        end = region.end
        if room < 0 or entries < 0:
            return count
    return len(regions)


def _count_in_order(regions: Sequence[Region], limits: Limits, budget: Budget) -> int:
    """Regions that fit when each goes to one of the ODTs opened last."""
    chain = Chain(limits, budget)
    for count, region in enumerate(regions):
        if not chain.fit_recent(region):
            return count
    return len(regions)


def _arrange(
    regions: Sequence[Region], limits: Limits, budget: Budget, *, thorough: bool = False
) -> Arrangement | None:
    """ODTs for regions; where filling up is forbidden, elements are split before giving up."""
    found = arrange(regions, limits, budget, thorough=thorough)
    if found is None and not limits.filler and not limits.may_split:
        found = arrange(regions, replace(limits, may_split=True), budget, thorough=thorough)
    return found


def _finish(found: Arrangement, limits: Limits) -> PackedList:
    """Entries of ODTs, and which elements were split in spite of the limits."""
    packed = found.finish()
    if found.chain.limits.may_split and not limits.may_split:
        signals = [signal for region in found.regions for signal in region.signals]
        packed = replace(packed, split_elements=_split(packed, signals, limits.ag))
    return packed


def _split(packed: PackedList, signals: Sequence[WantedSignal], ag: int) -> tuple[str, ...]:
    """Signals with an element on both sides of the end of an ODT."""
    sizes = (sum(entry.size for entry in odt.entries) * ag for odt in packed.odts)
    ends = list(accumulate(sizes))
    found = []
    for signal in signals:
        first = packed.offsets[signal.name]
        inside = ends[bisect_right(ends, first) : bisect_left(ends, first + signal.size_bytes)]
        if any((end - first) % signal.dtype.base.itemsize for end in inside):
            found.append(signal.name)
    return tuple(found)


def _signals_in(regions: Sequence[Region], order: Mapping[str, int]) -> tuple[WantedSignal, ...]:
    """Signals of regions in the order wanted."""
    inside = [signal for region in regions for signal in region.signals]
    return tuple(sorted(inside, key=lambda signal: order[signal.name]))


def _order(group: Group) -> dict[str, int]:
    return {signal.name: place for place, signal in enumerate(group.signals)}


def fill_dynamic(
    group: Group,
    limits_of: Callable[[int], Limits],
    budget: Budget,
    mode: PackedMode | None = None,
    overflow: Overflow | None = None,
) -> list[ListDraft] | None:
    """Dynamic lists, one after the other; None when the ODT numbers do not suffice.

    Args:
        group: one event, one direction.
        limits_of: limits of a list when so many ODTs were used before.
        budget: gets the work counted.
        mode: how samples are collected.
        overflow: gets what does not fit.
    """
    used, parts = 0, list[tuple[list[Region], Arrangement, Limits]]()
    limits = first = limits_of(0)
    rest = every = regions_of(group.signals, limits)
    budget.charge(len(rest))
    while rest:
        count, found = _most(rest, limits, budget)
        if found is None:
            if overflow is not None:
                overflow.regions = rest if limits == first else every
                overflow.limits = first
            return None
        parts.append((rest[:count], found, limits))
        used += found.odt_count
        rest = rest[count:]
        limits = limits_of(used)
    order = _order(group)
    return [draft for part in parts for draft in _lists(group, *part, mode, order)]


def _lists(
    group: Group,
    regions: Sequence[Region],
    found: Arrangement,
    limits: Limits,
    mode: PackedMode | None,
    order: Mapping[str, int],
) -> list[ListDraft]:
    """One list, or with PID_OFF one for each ODT."""
    packed, signals = _finish(found, limits), _signals_in(regions, order)
    if limits.crossing:
        return [ListDraft(group.event, group.stim, signals, packed, mode)]
    drafts = []
    sizes = (sum(entry.size for entry in odt.entries) * limits.ag for odt in packed.odts)
    ends = list(accumulate(sizes))
    inside: list[list[WantedSignal]] = [[] for _ in ends]
    for signal in signals:
        inside[bisect_right(ends, packed.offsets[signal.name])].append(signal)
    for odt, begin, own in zip(packed.odts, [0, *ends], inside, strict=False):
        if own:
            offsets = {signal.name: packed.offsets[signal.name] - begin for signal in own}
            part = PackedList((odt,), offsets, 0, ())
            drafts.append(ListDraft(group.event, group.stim, tuple(own), part, mode))
    return drafts


def fill_static(
    group: Group,
    free: Sequence[StaticList],
    limits_of: Callable[[StaticList], Limits],
    budget: Budget,
    mode: PackedMode | None = None,
) -> list[ListDraft] | None:
    """The slave's own lists: the smallest one that holds everything, else the largest and go on.

    Args:
        group: one event, one direction.
        free: lists that may be used; their limits differ in ODTs and entries only.
        limits_of: limits of a list.
        budget: gets the work counted.
        mode: how samples are collected.
    """
    if not free:
        return None
    left = [_Usable(one, limits_of(one)) for one in free]
    left.sort(key=lambda one: (one.capacity, one.list.event is None, one.list.number))
    order, drafts = _order(group), list[ListDraft]()
    rest = regions_of(group.signals, left[0].limits)
    budget.charge(len(rest))
    fits_alone: dict[tuple[Limits, int], bool] = {}
    while rest:
        found = _smallest(rest, left, budget) or _largest(rest, left, budget, fits_alone)
        if found is None:
            return None
        one, regions, arranged = found
        packed, taken = _finish(arranged, one.limits), _signals_in(regions, order)
        drafts.append(ListDraft(group.event, group.stim, taken, packed, mode, one.list))
        left.remove(one)
        inside = {id(region) for region in regions}
        rest = [region for region in rest if id(region) not in inside]
    return drafts


@dataclass(frozen=True, slots=True, eq=False)
class _Usable:
    """A static list that may be used.

    Attributes:
        list: what the slave tells of it.
        limits: of its ODTs.
    """

    list: StaticList
    limits: Limits

    @property
    def capacity(self) -> int:
        """Bytes at most."""
        return _capacity(self.limits)


def _capacity(limits: Limits) -> int:
    """Bytes of a list at most."""
    if limits.max_odts < 1:
        return 0
    odt = min(limits.payload, limits.max_entries * limits.max_entry_bytes)
    return min(limits.first_payload, odt) + (limits.max_odts - 1) * odt


_Found: TypeAlias = tuple[_Usable, "Sequence[Region]", Arrangement]


def _smallest(regions: Sequence[Region], left: Sequence[_Usable], budget: Budget) -> _Found | None:
    """The smallest list that holds everything; lists with a fixed event before others of that size.

    When the budget is spent, only the largest is looked at.
    """
    size = sum(region.size_bytes for region in regions)
    tried: set[Limits] = set()
    for one in left[bisect_left(left, size, key=lambda one: one.capacity) :]:
        limits = one.limits
        if limits in tried or not _has_room(limits) or (budget.is_spent and one is not left[-1]):
            continue
        tried.add(limits)
        if _count_by_sums(regions, limits) == len(regions):
            found = _arrange(regions, limits, budget, thorough=True)
            if found is not None:
                return one, regions, found
    return None


def _largest(
    regions: Sequence[Region],
    left: Sequence[_Usable],
    budget: Budget,
    fits_alone: dict[tuple[Limits, int], bool],
) -> _Found | None:
    """The list that takes the most, and what it takes.

    Args:
        regions: what needs a place.
        left: lists, the largest last.
        budget: gets the work counted.
        fits_alone: what is known of single regions, by their id.
    """

    def fits(region: Region, limits: Limits) -> bool:
        key = limits, id(region)
        if key not in fits_alone:
            fits_alone[key] = _most([region], limits, budget)[1] is not None
        return fits_alone[key]

    tried: set[Limits] = set()
    for one in reversed(left):
        limits = one.limits
        if limits in tried:
            continue
        tried.add(limits)
        count, found = _most(regions, limits, budget)
        if found is not None:
            return one, regions[:count], found
        # the first region may be too large: those that fit
        usable = [region for region in regions if fits(region, limits)]
        count, found = _most(usable, limits, budget)
        if found is not None:
            return one, usable[:count], found
    return None


def fewest_omitted(
    signals: Sequence[WantedSignal],
    fits: Callable[[tuple[WantedSignal, ...]], bool],
    budget: Budget,
    order: Sequence[WantedSignal] | None = None,
) -> list[WantedSignal]:
    """The first signals of an order, as few as it takes for the others to fit; all when nothing fits.

    Args:
        signals: what does not fit.
        fits: True when a part of them does.
        budget: when it is spent, those found so far have to do, though fewer might.
        order: of all the signals; None = the largest first.
    """
    order = order or sorted(signals, key=lambda signal: -signal.size_bytes)
    low, high = 1, len(order)
    while low < high and not budget.is_spent:
        middle = (low + high) // 2
        kept = {signal.name for signal in order[middle:]}
        if fits(tuple(signal for signal in signals if signal.name in kept)):
            high = middle
        else:
            low = middle + 1
    return list(order[:high])


def refuse_overflow(
    group: Group,
    findings: Findings,
    omitted: Sequence[WantedSignal],
    text: str,
    *,
    elsewhere: bool,
) -> None:
    """A group that does not fit: poll what is omitted, or make it a reason against the plan.

    Args:
        group: one event, one direction.
        findings: gets either.
        omitted: the fewest signals.
        text: the reason.
        elsewhere: another event may have room for them.
    """
    if findings.allow_polling and not group.stim:
        for signal in omitted:
            findings.poll(signal, text)
        return
    names = [signal.name for signal in omitted]
    findings.leave_out += names
    other = ", or move them to another event" if elsewhere else ""
    findings.problem(f"{text}; leave out {some(names)}{other}")
