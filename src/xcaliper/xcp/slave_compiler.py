"""What START does to a DAQ list: its entries are checked and become one sampler."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NegativeResponseError
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_config import ScratchMemory
from xcaliper.xcp.slave_resources import used_entries
from xcaliper.xcp.slave_sampler import Head, ListSampler, PackedSampler, SamplePlan, dto_head
from xcaliper.xcp.slave_state import Packing, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.profile import DtoFormat
    from xcaliper.xcp.slave_config import SlaveConfig
    from xcaliper.xcp.slave_state import DaqList, SlaveState

__all__ = ["check_packing", "compile_sampler"]

_TIMESTAMP_CODES: Final = {0: "", 1: "B", 2: "H", 4: "I"}
_LAST_MODE: Final = 2
_ALIGNMENT: Final = 4
_MAX_ENTRY_SIZE: Final = 5
_SAME_PER_ODT: Final = 1
_SAME_PER_LIST: Final = 3


def check_packing(config: SlaveConfig, daq_list: DaqList, wanted: Packing) -> None:
    """Whether the samples of a list can be collected like this (XCP Base, SET_DAQ_PACKED_MODE, 1.4).

    A list without an event channel may have what any channel offers; the start looks again.

    Raises:
        NegativeResponseError: ERR_MODE_NOT_VALID or ERR_OUT_OF_RANGE.
    """
    channel = daq_list.event_channel
    events = config.events if channel is None else (config.events[channel],)
    modes = [event.packed for event in events if event.packed is not None]
    if daq_list.stim or (daq_list.fixed is not None and not daq_list.fixed.packed):
        modes = []
    if wanted.mode == 0:
        if channel is not None and any(mode.mandatory for mode in modes):
            raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
        return
    modes = [
        mode
        for mode in modes
        if mode.mode == wanted.mode and mode.timestamp_mode == wanted.timestamp_mode
    ]
    if wanted.mode > _LAST_MODE or not modes:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    if not any(wanted.sample_count in (mode.sample_count, *mode.alternatives) for mode in modes):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)


def compile_sampler(
    slave: SlaveState, number: int, daq_list: DaqList, first_pid: int
) -> ListSampler:
    """Check a list and make it ready to be sampled.

    Raises:
        NegativeResponseError: ERR_DAQ_CONFIG: no event, no entries, an ODT exceeds MAX_DTO or breaks
            a rule of the slave; ERR_MODE_NOT_VALID: stimulation is not served.
        AccessDeniedError: an entry lies outside the memory.
        AccessLockedError: an entry lies in memory that cannot be read before a resource is unlocked.
    """
    config = slave.config
    odts = used_entries(daq_list)
    if not odts or not odts[0] or daq_list.event_channel is None:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    if daq_list.stim:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    fmt = slave.dto_format(daq_list)
    _check_mode(config, daq_list, fmt, first_pid)
    _check_entries(config, odts, stim=daq_list.stim)
    hides = slave.security.hides
    if any(hides(one.address, one.size * config.ag) for entries in odts for one in entries):
        raise refuse(ErrorCode.ERR_ACCESS_LOCKED)
    packing = daq_list.packing
    views: list[list[memoryview]] = []
    heads: list[bytes] = []
    mark = config.byte_order.mark
    for odt, entries in enumerate(odts):
        if not entries:
            continue
        header = fmt.first_header_size if odt == 0 else fmt.header_size
        payload = sum(entry.size for entry in entries) * config.ag * packing.sample_count
        if header + payload > config.max_dto:
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        pid = odt + (first_pid if config.identification_field == 0 else 0)
        field = dto_head(config.identification_field, pid, number, mark)
        heads.append(b"" if daq_list.pid_off else field)
        views.append([slave.memory.view(one.address, one.size * config.ag) for one in entries])
    code = _TIMESTAMP_CODES[fmt.timestamp_size]
    head = Head(
        heads,
        timestamp=struct.Struct(mark + code) if code else None,
        counter_at=_counter_at(fmt),
        msb=config.overload == 1 and not daq_list.pid_off,
    )
    if packing.mode:
        return PackedSampler(
            views,
            head,
            mode=packing.mode,
            first=packing.timestamp_mode == 1,
            samples=packing.sample_count,
            alignment=slave.alignment,
        )
    memory = slave.memory
    scratch = memory.scratch() if isinstance(memory, ScratchMemory) else None
    return ListSampler(SamplePlan(views, head, alignment=slave.alignment, scratch=scratch))


def _counter_at(fmt: DtoFormat) -> int:
    if not fmt.dto_ctr:
        return -1
    return 1 if fmt.identification_field == 3 and not fmt.pid_off else fmt.header_size


def _check_mode(config: SlaveConfig, daq_list: DaqList, fmt: DtoFormat, first_pid: int) -> None:
    """Rules about the list as a whole."""
    too_many = config.identification_field == 0 and first_pid + len(daq_list.odts) > config.max_odt
    if too_many or (fmt.pid_off and (config.identification_field or len(daq_list.odts) > 1)):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    try:
        check_packing(config, daq_list, daq_list.packing)
    except NegativeResponseError as error:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG) from error


def _check_entries(config: SlaveConfig, odts: Sequence[Sequence[OdtEntry]], *, stim: bool) -> None:
    """Rules about entries that only a complete list can keep (XCP Base, DAQ_KEY_BYTE, 1.0)."""
    grain, largest = config.grain(stim=stim), config.largest_entry(stim=stim)
    sizes = [entry.size * config.ag for entries in odts for entry in entries]
    if any(size % grain or size > largest for size in sizes):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    extensions = [{entry.address.extension for entry in entries} for entries in odts]
    if config.address_extension == _SAME_PER_LIST:
        extensions = [set().union(*extensions)]
    if config.address_extension in (_SAME_PER_ODT, _SAME_PER_LIST) and any(
        len(one) > 1 for one in extensions
    ):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    if config.optimisation_strict and not all(
        _follows(config, entries, grain, largest) for entries in odts
    ):
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)


def _follows(config: SlaveConfig, entries: Sequence[OdtEntry], grain: int, largest: int) -> bool:
    """Whether an ODT follows OPTIMISATION_TYPE (XCP Base, DAQ_KEY_BYTE, 1.0)."""
    kind = config.optimisation_type
    sizes = [entry.size * config.ag for entry in entries]
    addresses = [entry.address.value * config.ag for entry in entries]
    if kind == _MAX_ENTRY_SIZE:
        return all(size == largest for size in sizes)
    if kind == _ALIGNMENT:
        steps = [_natural(size) for size in sizes]
        sorted_ = steps == sorted(steps, reverse=True)
        return sorted_ and all(at % step == 0 for at, step in zip(addresses, steps, strict=True))
    widest = max(1 << kind, grain)
    units = [unit for unit in (1, 2, 4, 8) if grain <= unit < widest and {*sizes} == {unit}]
    unit = units[0] if units else widest  # elements of the widest type may be several in one entry
    return all(n % unit == 0 for n in (*sizes, *addresses))


def _natural(size: int) -> int:
    """Largest power of two, up to 8, that divides a size."""
    return min(size & -size, 8)
