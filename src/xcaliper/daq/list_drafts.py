"""Signals of one event → as many DAQ lists as it takes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.daq.capabilities import AddressExtensionScope
from xcaliper.daq.event_choice import Findings, some
from xcaliper.daq.odt_chain import Chain, PackedList
from xcaliper.daq.pack import pack
from xcaliper.daq.regions import Limits, Region, regions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
#: ODTs that filling up in order looks back at.
RECENT: Final = 8


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


def _most(regions: Sequence[Region], limits: Limits) -> tuple[int, PackedList | None]:
    """As many regions from the beginning as one list takes, and how.

    Found by filling up in order, and by a few attempts with more.
    """
    if limits.max_odts < 1 or limits.first_payload < limits.filler_bytes:
        return 0, None
    high = _count_by_sums(regions, limits)
    if high == len(regions):
        whole = _pack(regions, limits, thorough=True)
        if whole is not None:
            return high, whole
    low, best, attempts = 0, None, MAX_ATTEMPTS
    middle = max(_count_in_order(regions[:high], limits), 1)
    while low < high and attempts > 0:
        packed = _pack(regions[:middle], limits)
        attempts -= low > 0
        if packed is None:
            high = middle - 1
            middle = (low + high + 1) // 2
        else:
            step = max(middle // 16, 1) if low == 0 else high
            low, best = middle, packed
            middle = min(low + step, (low + high + 1) // 2 if step == high else high)
    return low, best


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


def _count_in_order(regions: Sequence[Region], limits: Limits) -> int:
    """Regions that fit when each goes to one of the ODTs opened last."""
    chain = Chain(limits)
    for count, region in enumerate(regions):
        if not chain.fit_recent(region, RECENT):
            return count
    return len(regions)


def _pack(
    regions: Sequence[Region], limits: Limits, *, thorough: bool = False
) -> PackedList | None:
    """ODTs for regions; where filling up is forbidden, elements are split before giving up."""
    packed = pack(regions, limits, thorough=thorough)
    if packed is None and not limits.filler and not limits.may_split:
        packed = pack(regions, replace(limits, may_split=True), thorough=thorough)
        if packed is not None:
            signals = [signal for region in regions for signal in region.signals]
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


def _signals_in(group: Group, regions: Sequence[Region]) -> tuple[WantedSignal, ...]:
    inside = {signal.name for region in regions for signal in region.signals}
    return tuple(signal for signal in group.signals if signal.name in inside)


def fill_dynamic(
    group: Group,
    limits_of: Callable[[int], Limits],
    mode: PackedMode | None = None,
    overflow: Overflow | None = None,
) -> list[ListDraft] | None:
    """Dynamic lists, one after the other; None when the ODT numbers do not suffice.

    Args:
        group: one event, one direction.
        limits_of: limits of a list when so many ODTs were used before.
        mode: how samples are collected.
        overflow: gets what does not fit.
    """
    used, drafts = 0, list[ListDraft]()
    limits = first = limits_of(0)
    rest = every = regions_of(group.signals, limits)
    while rest:
        count, packed = _most(rest, limits)
        if packed is None:
            if overflow is not None:
                overflow.regions = rest if limits == first else every
                overflow.limits = first
            return None
        drafts += _lists(group, rest[:count], packed, mode, limits)
        used += len(packed.odts)
        rest = rest[count:]
        limits = limits_of(used)
    return drafts


def _lists(
    group: Group,
    regions: Sequence[Region],
    packed: PackedList,
    mode: PackedMode | None,
    limits: Limits,
) -> list[ListDraft]:
    """One list, or with PID_OFF one for each ODT."""
    if limits.crossing:
        return [ListDraft(group.event, group.stim, _signals_in(group, regions), packed, mode)]
    drafts, begin = [], 0
    for odt in packed.odts:
        end = begin + sum(entry.size for entry in odt.entries) * limits.ag
        offsets = {n: at - begin for n, at in packed.offsets.items() if begin <= at < end}
        signals = tuple(signal for signal in group.signals if signal.name in offsets)
        if signals:
            part = PackedList((odt,), offsets, 0, ())
            drafts.append(ListDraft(group.event, group.stim, signals, part, mode))
        begin = end
    return drafts


def fill_static(
    group: Group,
    free: Sequence[StaticList],
    limits_of: Callable[[StaticList], Limits],
    mode: PackedMode | None = None,
) -> list[ListDraft] | None:
    """The slave's own lists: the smallest one that holds everything, else the largest and go on.

    Args:
        group: one event, one direction.
        free: lists that may be used.
        limits_of: limits of a list.
        mode: how samples are collected.
    """
    left = sorted(free, key=lambda one: (_capacity(limits_of(one)), one.event is None, one.number))
    drafts: list[ListDraft] = []
    rest = group.signals
    while rest:
        found = _smallest(rest, left, limits_of)
        if found is None:
            found = _largest(rest, left, limits_of)
        if found is None:
            return None
        one, regions, packed = found
        taken = _signals_in(group, regions)
        drafts.append(ListDraft(group.event, group.stim, taken, packed, mode, one))
        left.remove(one)
        names = {signal.name for signal in taken}
        rest = tuple(signal for signal in rest if signal.name not in names)
    return drafts


def _capacity(limits: Limits) -> int:
    """Bytes of a list at most."""
    if limits.max_odts < 1:
        return 0
    odt = min(limits.payload, limits.max_entries * limits.max_entry_bytes)
    return min(limits.first_payload, odt) + (limits.max_odts - 1) * odt


_Found: TypeAlias = "tuple[StaticList, list[Region], PackedList] | None"


def _smallest(
    signals: Sequence[WantedSignal],
    left: Sequence[StaticList],
    limits_of: Callable[[StaticList], Limits],
) -> _Found:
    """The smallest list that holds everything; lists with a fixed event before others of that size."""
    tried: set[Limits] = set()
    for one in left:
        limits = limits_of(one)
        if limits in tried or limits.max_odts < 1:
            continue
        tried.add(limits)
        regions = regions_of(signals, limits)
        if sum(region.size_bytes for region in regions) > _capacity(limits):
            continue
        count, packed = _most(regions, limits)
        if packed is not None and count == len(regions):
            return one, regions, packed
    return None


def _largest(
    signals: Sequence[WantedSignal],
    left: Sequence[StaticList],
    limits_of: Callable[[StaticList], Limits],
) -> _Found:
    """The list that takes the most, and what it takes."""
    for one in reversed(left):
        limits = limits_of(one)
        regions = regions_of(signals, limits)
        count, packed = _most(regions, limits)
        if packed is None:  # the first region may be too large: those that fit
            regions = [region for region in regions if _most([region], limits)[0]]
            count, packed = _most(regions, limits)
        if packed is not None:
            return one, regions[:count], packed
    return None


def fewest_omitted(
    signals: Sequence[WantedSignal], fits: Callable[[tuple[WantedSignal, ...]], bool]
) -> list[WantedSignal]:
    """The largest signals, as few as it takes for the others to fit; all when nothing fits.

    Args:
        signals: what does not fit.
        fits: True when a part of them does.
    """
    by_size = sorted(signals, key=lambda signal: -signal.size_bytes)
    low, high = 1, len(by_size)
    while low < high:
        middle = (low + high) // 2
        kept = {signal.name for signal in by_size[middle:]}
        if fits(tuple(signal for signal in signals if signal.name in kept)):
            high = middle
        else:
            low = middle + 1
    return by_size[:low]


def refuse_overflow(
    group: Group, findings: Findings, omitted: Sequence[WantedSignal], text: str
) -> None:
    """A group that does not fit: poll what is omitted, or make it a reason against the plan."""
    if findings.allow_polling and not group.stim:
        for signal in omitted:
            findings.poll(signal, text)
        return
    names = some([signal.name for signal in omitted])
    findings.problem(f"{text}; leave out {names}, or move them to another event")
