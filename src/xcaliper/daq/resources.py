"""What lists cost the ECU: memory, CPU load and totals, by the resource model of the A2L.

The model is that of XCP 1.2 (ASAP2, IF_DATA XCP DAQ, DAQ_MEMORY_CONSUMPTION and
CPU_LOAD_CONSUMPTION): memory counts AG elements; CPU loads have the unit of their limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from xcaliper.a2l.xcp_extras import XcpCpuLoad, XcpMemoryConsumption, XcpQueueLoad
    from xcaliper.daq.capabilities import StaticList
    from xcaliper.xcp.daq_lists import DaqListSetup

__all__ = [
    "ELSEWHERE",
    "EventLoad",
    "Excess",
    "ResourceModel",
    "ResourceUse",
    "Totals",
    "entry_load",
    "exceeded",
    "resource_use",
]

#: What helps where a limit is that of an event, or of lists.
ELSEWHERE: Final = ", or move them to another event"


@dataclass(frozen=True, slots=True)
class Totals:
    """Limits over all lists (ASAP2, MAX_DAQ_TOTAL and others, 1.2); None = none."""

    daq: int | None = None
    odt: int | None = None
    odt_daq: int | None = None
    odt_stim: int | None = None
    entries: int | None = None
    entries_daq: int | None = None
    entries_stim: int | None = None


@dataclass(frozen=True, slots=True)
class EventLoad:
    """What lists cost at an event (ASAP2, EVENT, 1.2).

    Attributes:
        limit: CPU_LOAD_MAX, None = none.
        daq: cost of sampling.
        stim: cost of writing.
        queue: cost of queueing DAQ packets.
        queue_stim: cost of queueing STIM packets.
        reserve: buffer reserve in percent for DAQ and for STIM; None = that of all events.
    """

    limit: float | None = None
    daq: XcpCpuLoad | None = None
    stim: XcpCpuLoad | None = None
    queue: XcpQueueLoad | None = None
    queue_stim: XcpQueueLoad | None = None
    reserve: tuple[int, int] | None = None

    @property
    def cores(self) -> frozenset[int]:
        """Cores that lists at the event keep busy."""
        costs = (self.daq, self.stim, self.queue, self.queue_stim)
        return frozenset(core for one in costs if one for core, _ in one.core_loads)


@dataclass(frozen=True, slots=True)
class ResourceModel:
    """What DAQ may cost, and what a list does cost; empty where the A2L says nothing.

    Attributes:
        totals: limits of counts.
        memory: DAQ_MEMORY_CONSUMPTION.
        cpu_load_max: CPU_LOAD_MAX_TOTAL.
        core_load_max_total: CORE_LOAD_MAX_TOTAL, over all cores.
        core_load_max: (core, its limit).
        events: event channel → its costs.
    """

    totals: Totals = field(default_factory=Totals)
    memory: XcpMemoryConsumption | None = None
    cpu_load_max: float | None = None
    core_load_max_total: float | None = None
    core_load_max: tuple[tuple[int, float], ...] = ()
    events: Mapping[int, EventLoad] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What lists cost together; pairs are (DAQ, STIM).

    Attributes:
        lists: number of lists.
        odts: number of ODTs.
        entries: number of entries.
        memory: AG elements, None without a model.
        memory_limit: AG elements, None without one.
        cpu_load: event channel → load, where the A2L tells costs.
        core_load: core → load.
    """

    lists: tuple[int, int] = (0, 0)
    odts: tuple[int, int] = (0, 0)
    entries: tuple[int, int] = (0, 0)
    memory: int | None = None
    memory_limit: int | None = None
    cpu_load: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    core_load: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that is exceeded.

    Attributes:
        text: which one, and by what.
        counts: event channel and direction (True = STIM) of a list → whether it counts for the limit.
        hint: what helps beside leaving signals out.
    """

    text: str
    counts: Callable[[int, bool], bool]
    hint: str = ""


def entry_load(factors: Sequence[tuple[int, float]], size: int) -> float:
    """Cost of the size of an entry (ASAP2, ODT_ENTRY_SIZE_FACTOR_TABLE, 1.2).

    A size of the table costs what it says, a smaller one as the next larger, any other as many of the
    largest as cover it.

    Args:
        factors: (size, cost) pairs.
        size: AG elements.
    """
    if not factors:
        return 0.0
    table = sorted(factors)
    for known, cost in table:
        if size <= known:
            return cost
    largest, cost = table[-1]
    return ceil(size / largest) * cost if largest > 0 else 0.0


def _entry_counts(setup: DaqListSetup) -> dict[int, int]:
    counts: dict[int, int] = {}
    for odt in setup.odts:
        for entry in odt.entries:
            counts[entry.size] = counts.get(entry.size, 0) + 1
    return counts


def _memory(
    setups: Iterable[DaqListSetup], model: ResourceModel, idle: Iterable[StaticList]
) -> int | None:
    memory = model.memory
    if memory is None:
        return None
    total = 0
    for setup in setups:
        load = model.events.get(setup.event_channel, EventLoad())
        reserve = load.reserve or memory.reserve or (0, 0)
        factor = memory.stim_buffer_factor if setup.stim else memory.daq_buffer_factor
        samples = setup.packed.sample_count if setup.packed else 1
        total += memory.per_daq_list
        for odt in setup.odts:
            payload = sum(entry.size for entry in odt.entries) * samples
            total += memory.per_odt + memory.per_odt_entry * len(odt.entries)
            total += ceil(payload * factor * (100 + reserve[setup.stim]) / 100)
    for one in idle:
        entries = sum(len(odt.entries) for odt in one.odts)
        total += memory.per_daq_list + memory.per_odt * one.max_odt + memory.per_odt_entry * entries
    return total


def _loads(
    setup: DaqListSetup, model: ResourceModel
) -> list[tuple[float, Sequence[tuple[int, float]]]]:
    """(cost, share of each core) of sampling and of queueing one list."""
    costs = model.events.get(setup.event_channel)
    if costs is None:
        return []
    found: list[tuple[float, Sequence[tuple[int, float]]]] = []
    copy = costs.stim if setup.stim else costs.daq
    if copy is not None:
        load = copy.per_list + copy.per_odt * len(setup.odts)
        for size, count in _entry_counts(setup).items():
            load += count * (copy.per_entry + entry_load(copy.size_factors, size))
        found.append((load, copy.core_loads))
    queue = costs.queue_stim if setup.stim else costs.queue
    if queue is not None:
        samples = setup.packed.sample_count if setup.packed else 1
        elements = sum(entry.size for odt in setup.odts for entry in odt.entries) * samples
        found.append(
            (queue.per_odt * len(setup.odts) + queue.per_element * elements, queue.core_loads)
        )
    return found


def resource_use(
    setups: Sequence[DaqListSetup], model: ResourceModel, fixed: Iterable[StaticList] = ()
) -> ResourceUse:
    """What lists cost together.

    Args:
        setups: lists that are used.
        model: what they may cost.
        fixed: lists that the slave brings along; predefined ones take their place when nobody uses
            them as well.
    """
    used = {setup.daq_list for setup in setups}
    idle = [one for one in fixed if one.is_predefined and one.number not in used]
    lists, odts, entries = [0, 0], [0, 0], [0, 0]
    cpu: dict[int, float] = {}
    cores: dict[int, float] = {}
    for one in idle:
        side = int(one.stim and not one.daq)
        lists[side] += 1
        odts[side] += one.max_odt
        entries[side] += sum(len(odt.entries) for odt in one.odts)
    for setup in setups:
        lists[setup.stim] += 1
        odts[setup.stim] += len(setup.odts)
        entries[setup.stim] += sum(len(odt.entries) for odt in setup.odts)
        for load, shares in _loads(setup, model):
            cpu[setup.event_channel] = cpu.get(setup.event_channel, 0.0) + load
            for core, share in shares:
                cores[core] = cores.get(core, 0.0) + load * share
    return ResourceUse(
        lists=(lists[0], lists[1]),
        odts=(odts[0], odts[1]),
        entries=(entries[0], entries[1]),
        memory=_memory(setups, model, idle),
        memory_limit=model.memory.limit if model.memory else None,
        cpu_load=MappingProxyType(cpu),
        core_load=MappingProxyType(cores),
    )


def exceeded(use: ResourceUse, model: ResourceModel) -> list[Excess]:
    """Every limit that is exceeded, and what counts for it."""
    totals = model.totals
    rows: list[tuple[str, float | None, float | None, Callable[[int, bool], bool]]] = [
        ("MAX_DAQ_TOTAL", totals.daq, sum(use.lists), _all),
        ("MAX_ODT_TOTAL", totals.odt, sum(use.odts), _all),
        ("MAX_ODT_DAQ_TOTAL", totals.odt_daq, use.odts[0], _daq),
        ("MAX_ODT_STIM_TOTAL", totals.odt_stim, use.odts[1], _stim),
        ("MAX_ODT_ENTRIES_TOTAL", totals.entries, sum(use.entries), _all),
        ("MAX_ODT_ENTRIES_DAQ_TOTAL", totals.entries_daq, use.entries[0], _daq),
        ("MAX_ODT_ENTRIES_STIM_TOTAL", totals.entries_stim, use.entries[1], _stim),
        ("DAQ_MEMORY_LIMIT", use.memory_limit, use.memory, _all),
        ("CPU_LOAD_MAX_TOTAL", model.cpu_load_max, sum(use.cpu_load.values()), _at(model.events)),
        (
            "CORE_LOAD_MAX_TOTAL",
            model.core_load_max_total,
            sum(use.core_load.values()),
            _at(number for number, load in model.events.items() if load.cores),
        ),
    ]
    rows += [
        (
            f"CORE_LOAD_MAX of core {core}",
            limit,
            use.core_load.get(core, 0.0),
            _at(number for number, load in model.events.items() if core in load.cores),
        )
        for core, limit in model.core_load_max
    ]
    rows += [
        (
            f"CPU_LOAD_MAX of event {number}",
            load.limit,
            use.cpu_load.get(number, 0.0),
            _at([number]),
        )
        for number, load in model.events.items()
    ]
    return [
        Excess(
            f"{name} {limit:g} is exceeded: {need:g} would be used",
            counts,
            ELSEWHERE if name == "MAX_DAQ_TOTAL" or " of event " in name else "",
        )
        for name, limit, need, counts in rows
        if limit is not None and need is not None and need > limit * (1 + 1e-9)
    ]


def _all(_event: int, _stim: bool) -> bool:  # noqa: FBT001  # an answer for a list
    return True


def _daq(_event: int, stim: bool) -> bool:  # noqa: FBT001
    return not stim


def _stim(_event: int, stim: bool) -> bool:  # noqa: FBT001
    return stim


def _at(events: Iterable[int]) -> Callable[[int, bool], bool]:
    known = frozenset(events)
    return lambda event, _stim: event in known
