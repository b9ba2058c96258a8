"""What DAQ lists cost the slave: memory, CPU load and totals, and whether it has that much."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.slave_daq_config import CpuLoad, DaqMemory, EventConfig, QueueLoad
    from xcaliper.xcp.slave_state import DaqList, SlaveState

__all__ = ["check_resources", "memory_left", "used_entries"]

#: (core, share of a cost).
_Shares: TypeAlias = tuple[tuple[int, float], ...]
_SLACK: Final = 1 + 1e-9


def memory_left(slave: SlaveState, starting: Sequence[DaqList] = ()) -> int:
    """Elements that remain for buffers beside the descriptors of lists; 0 without a model.

    Of static lists those that run or start count, with what is written into them.
    """
    model = slave.config.daq_memory
    if model is None:
        return 0
    left = model.limit
    for one in slave.daq.lists:
        if _is_static(one) and not (one.running or one in starting):
            continue
        odts = _occupied(one)
        left -= model.per_list + model.per_odt * len(odts) + model.per_entry * sum(odts)
    return left


def _is_static(daq_list: DaqList) -> bool:
    return daq_list.fixed is not None and not daq_list.predefined


def _occupied(daq_list: DaqList) -> list[int]:
    """Entries of each ODT that a list takes: those allocated, of static lists those written."""
    if not _is_static(daq_list):
        return [len(entries) for entries in daq_list.odts]
    return [len(entries) for entries in used_entries(daq_list) if entries]


def used_entries(daq_list: DaqList) -> list[list[OdtEntry]]:
    """Entries that are sent, by ODT: a size of 0 ends an ODT (XCP Base, WRITE_DAQ, 1.0)."""
    found: list[list[OdtEntry]] = []
    for entries in daq_list.odts:
        used: list[OdtEntry] = []
        for entry in entries:
            if entry is None or not entry.size:
                break
            used.append(entry)
        found.append(used)
    return found


def _buffers(slave: SlaveState, model: DaqMemory, lists: Sequence[DaqList]) -> int:
    """Elements that the DTOs of lists take while they wait."""
    total = 0
    for one in lists:
        factor = model.stim_buffer if one.stim else model.daq_buffer
        channel = one.event_channel
        own = None if channel is None else slave.config.events[channel].buffer_reserve
        reserve = (own or model.reserve or (0, 0))[one.stim]
        for entries in used_entries(one):
            payload = sum(entry.size for entry in entries) * one.packing.sample_count
            total += ceil(payload * factor * (100 + reserve) / 100)
    return total


def _size_cost(model: CpuLoad, size: int) -> float:
    table = sorted(model.sizes)
    for known, cost in table:
        if size <= known:
            return cost
    return ceil(size / table[-1][0]) * table[-1][1] if table else 0.0


def _loads(event: EventConfig, daq_list: DaqList) -> list[tuple[float, _Shares]]:
    """What one list costs at its event, and the shares of the cores in it."""
    odts = [entries for entries in used_entries(daq_list) if entries]
    found: list[tuple[float, _Shares]] = []
    model: CpuLoad | None = event.cpu_load_stim if daq_list.stim else event.cpu_load
    if model is not None:
        load = model.per_list + model.per_odt * len(odts)
        load += sum(
            model.per_entry + _size_cost(model, entry.size) for entries in odts for entry in entries
        )
        found.append((load, model.cores))
    queue: QueueLoad | None = event.queue_load_stim if daq_list.stim else event.queue_load
    if queue is not None:
        elements = sum(entry.size for entries in odts for entry in entries)
        load = queue.per_odt * len(odts)
        load += queue.per_element * elements * daq_list.packing.sample_count
        found.append((load, queue.cores))
    return found


def check_resources(slave: SlaveState, starting: Sequence[DaqList]) -> None:
    """Refuse to start lists that cost more than there is (ASAP2, resource consumption, 1.2).

    Args:
        slave: its lists that run count too.
        starting: lists that shall run.

    Raises:
        NegativeResponseError: ERR_DAQ_CONFIG.
    """
    config = slave.config
    lists = [one for one in slave.daq.lists if one.running or one in starting]
    totals = config.totals
    sides = [[one for one in lists if one.stim is side] for side in (False, True)]
    for side, odt_limit, entry_limit in zip(
        sides,
        (totals.odt_daq, totals.odt_stim),
        (totals.odt_entries_daq, totals.odt_entries_stim),
        strict=True,
    ):
        odts = sum(len(_occupied(one)) for one in side)
        entries = sum(sum(_occupied(one)) for one in side)
        if (odt_limit is not None and odts > odt_limit) or (
            entry_limit is not None and entries > entry_limit
        ):
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    model = config.daq_memory
    if model is not None and _buffers(slave, model, lists) > memory_left(slave, starting):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    loads: dict[int, float] = {}
    cores: dict[int, float] = {}
    for one in lists:
        if one.event_channel is None:
            continue
        for load, shares in _loads(config.events[one.event_channel], one):
            loads[one.event_channel] = loads.get(one.event_channel, 0.0) + load
            for core, share in shares:
                cores[core] = cores.get(core, 0.0) + load * share
    limits = [
        (config.cpu_load_max_total, sum(loads.values())),
        (config.core_load_max_total, sum(cores.values())),
        *((config.events[channel].cpu_load_max, load) for channel, load in loads.items()),
        *((limit, cores.get(core, 0.0)) for core, limit in config.core_load_max),
    ]
    if any(limit is not None and load > limit * _SLACK for limit, load in limits):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
