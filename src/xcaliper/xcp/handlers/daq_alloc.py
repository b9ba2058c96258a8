"""Behaviour of the commands that make DAQ lists and write their entries."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.xcp import daq
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_resources import memory_left
from xcaliper.xcp.slave_state import Alloc, DaqList, refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from xcaliper.xcp.slave_state import SlaveState

__all__ = [
    "alloc_daq",
    "alloc_odt",
    "alloc_odt_entry",
    "clear_daq_list",
    "daq_list_of",
    "free_daq",
    "idle_list",
    "read_daq",
    "set_daq_ptr",
    "write_daq",
    "write_daq_multiple",
]

_NO_BIT: Final = 0xFF
_LAST_BIT: Final = 31
#: Lists that each identification field can tell apart.
_BY_FIELD: Final = (252, 256, 0xFFFF, 0xFFFF)


def daq_list_of(slave: SlaveState, number: int) -> DaqList:
    """The list of a number, else ERR_OUT_OF_RANGE."""
    if number >= len(slave.daq.lists):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return slave.daq.lists[number]


def idle_list(slave: SlaveState, number: int) -> DaqList:
    """The same, while it does not run, else ERR_DAQ_ACTIVE."""
    daq_list = daq_list_of(slave, number)
    if daq_list.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    return daq_list


# -- allocation -----------------------------------------------------------------------------------


def _allocating(slave: SlaveState, *allowed: Alloc) -> None:
    """Guard of the ALLOC commands (XCP Base, DAQ allocation sequence, 1.0)."""
    if slave.daq.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    if slave.daq.last not in allowed:
        raise refuse(ErrorCode.ERR_SEQUENCE)


def _dynamic_list(slave: SlaveState, number: int) -> DaqList:
    if number < slave.daq.first_dynamic:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return daq_list_of(slave, number)


def _overflow(slave: SlaveState) -> Exception:
    """The whole dynamic configuration is void after an overflow."""
    slave.daq.free()
    return refuse(ErrorCode.ERR_MEMORY_OVERFLOW)


def free_daq(slave: SlaveState, request: daq.FreeDaq) -> EmptyResponse:
    """Stop every list and remove the dynamic ones (XCP Base, FREE_DAQ, 1.0)."""
    slave.daq.free()
    slave.daq.last = Alloc.FREE
    return EmptyResponse()


def alloc_daq(slave: SlaveState, request: daq.AllocDaq) -> EmptyResponse:
    """Make lists behind the predefined ones; a second call replaces the first (XCP Base, ALLOC_DAQ, 1.0)."""
    _allocating(slave, Alloc.FREE, Alloc.DAQ)
    config, first = slave.config, slave.daq.first_dynamic
    if request.daq_count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    total = config.totals.daq
    if (
        request.daq_count > config.max_daq_lists
        or first + request.daq_count > _BY_FIELD[config.identification_field]
        or (total is not None and first + request.daq_count > total)
    ):
        raise _overflow(slave)
    slave.daq.lists[first:] = [DaqList() for _ in range(request.daq_count)]
    if memory_left(slave) < 0:
        raise _overflow(slave)
    slave.daq.last = Alloc.DAQ
    return EmptyResponse()


def alloc_odt(slave: SlaveState, request: daq.AllocOdt) -> EmptyResponse:
    """Give a list its ODTs, within the packet identifiers (XCP Base, ALLOC_ODT, 1.0)."""
    _allocating(slave, Alloc.DAQ, Alloc.ODT)
    config = slave.config
    daq_list = _dynamic_list(slave, request.daq_list)
    if not 0 < request.odt_count <= config.max_odt:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    others = sum(len(other.odts) for other in slave.daq.lists if other is not daq_list)
    limits = [config.max_odt] if config.identification_field == 0 else []
    if config.totals.odt is not None:
        limits.append(config.totals.odt)
    if any(others + request.odt_count > limit for limit in limits):
        raise _overflow(slave)
    daq_list.odts = [[] for _ in range(request.odt_count)]
    if memory_left(slave) < 0:
        raise _overflow(slave)
    slave.daq.last = Alloc.ODT
    return EmptyResponse()


def alloc_odt_entry(slave: SlaveState, request: daq.AllocOdtEntry) -> EmptyResponse:
    """Give an ODT its entries, within the slave's memory (XCP Base, ALLOC_ODT_ENTRY, 1.0)."""
    _allocating(slave, Alloc.ODT, Alloc.ENTRY)
    daq_list = _dynamic_list(slave, request.daq_list)
    if request.odt >= len(daq_list.odts) or request.entry_count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    daq_list.odts[request.odt] = [None] * request.entry_count
    if slave.daq.entries > slave.config.max_odt_entries_total or memory_left(slave) < 0:
        raise _overflow(slave)
    slave.daq.last = Alloc.ENTRY
    return EmptyResponse()


def clear_daq_list(slave: SlaveState, request: daq.ClearDaqList) -> EmptyResponse:
    """Stop a list, reset its state and empty its entries, predefined ones stay (CLEAR_DAQ_LIST, 1.0)."""
    daq_list = daq_list_of(slave, request.daq_list)
    if daq_list.predefined and not slave.config.clear_predefined:
        raise refuse(ErrorCode.ERR_ACCESS_DENIED)
    daq_list.reset()
    slave.daq.schedule()
    return EmptyResponse()


# -- entries --------------------------------------------------------------------------------------


def set_daq_ptr(slave: SlaveState, request: daq.SetDaqPtr) -> EmptyResponse:
    """Point at an entry that exists (XCP Base, SET_DAQ_PTR, 1.0).

    Of lists that RESUME runs, a master may read what they hold.
    """
    daq_list = daq_list_of(slave, request.daq_list)
    if daq_list.running and not daq_list.resume:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    if request.odt >= len(daq_list.odts):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if request.odt_entry >= len(daq_list.odts[request.odt]):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.daq.pointer = (request.daq_list, request.odt, request.odt_entry)
    return EmptyResponse()


def _pointed(slave: SlaveState) -> tuple[DaqList, int, int]:
    if slave.daq.pointer is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    number, odt, entry = slave.daq.pointer
    daq_list = daq_list_of(slave, number)
    if odt >= len(daq_list.odts) or entry >= len(daq_list.odts[odt]):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return daq_list, odt, entry


def _advance(slave: SlaveState, entries: list[OdtEntry | None], steps: int) -> None:
    """Move the pointer inside the ODT; behind its last entry it is undefined."""
    assert slave.daq.pointer is not None, "the pointer was checked by _pointed"
    number, odt, entry = slave.daq.pointer
    entry += steps
    slave.daq.pointer = (number, odt, entry) if entry < len(entries) else None


def _directions(slave: SlaveState, daq_list: DaqList) -> list[bool]:
    """Directions a list may still take: False DAQ, True STIM."""
    if daq_list.event_channel is not None and daq_list.fixed is None:
        return [daq_list.stim]
    fixed = daq_list.fixed
    return [
        stim
        for stim in (False, True)
        if (fixed is None or (fixed.stim if stim else fixed.daq))
        and any(event.stim if stim else event.daq for event in slave.config.events)
    ]


def _fits(
    slave: SlaveState, request: daq.WriteDaq | daq.DaqElement, size_bytes: int, *, stim: bool
) -> bool:
    """Whether size, address and bit are possible in a direction (XCP Base, WRITE_DAQ, 1.0)."""
    config = slave.config
    grain = config.grain(stim=stim)
    if size_bytes > config.largest_entry(stim=stim) or size_bytes % grain:
        return False
    if request.size and request.address * config.ag % grain:
        return False
    if request.bit_offset == _NO_BIT:
        return True
    bits = config.bit_stim if stim else True
    return bits and request.bit_offset <= _LAST_BIT and size_bytes in (0, grain)


def _checked_entry(
    slave: SlaveState, daq_list: DaqList, request: daq.WriteDaq | daq.DaqElement
) -> OdtEntry:
    size_bytes = request.size * slave.config.ag
    if not any(
        _fits(slave, request, size_bytes, stim=stim) for stim in _directions(slave, daq_list)
    ):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    address = Address(request.address, request.address_extension)
    if size_bytes:
        slave.memory.view(address, size_bytes)
    return OdtEntry(address, request.size, request.bit_offset)


def _store(slave: SlaveState, requests: tuple[daq.WriteDaq | daq.DaqElement, ...]) -> None:
    """Write entries from the pointer on: all of them or none."""
    daq_list, odt, at = _pointed(slave)
    if daq_list.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    if daq_list.predefined:
        raise refuse(ErrorCode.ERR_WRITE_PROTECTED)
    entries = daq_list.odts[odt]
    if at + len(requests) > len(entries):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    new = [_checked_entry(slave, daq_list, request) for request in requests]
    changed = [*entries[:at], *new, *entries[at + len(new) :]]
    size_bytes = sum(entry.size for entry in changed if entry is not None) * slave.config.ag
    most = max(
        slave.config.largest_dto(stim=stim) for stim in _directions(slave, daq_list) or [False]
    )
    if slave.dto_format(daq_list).header_size + size_bytes > most:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    entries[:] = changed
    _advance(slave, entries, len(new))


def write_daq(slave: SlaveState, request: daq.WriteDaq) -> EmptyResponse:
    """Fill the entry and move on (XCP Base, WRITE_DAQ, 1.0)."""
    _store(slave, (request,))
    return EmptyResponse()


def write_daq_multiple(slave: SlaveState, request: daq.WriteDaqMultiple) -> EmptyResponse:
    """Fill several entries of one ODT, all or none (XCP Base, WRITE_DAQ_MULTIPLE, 1.1)."""
    if request.count == 0:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    _store(slave, request.elements)
    return EmptyResponse()


def read_daq(slave: SlaveState, request: daq.ReadDaq) -> daq.ReadDaqResponse:
    """Tell the entry and move on (XCP Base, READ_DAQ, 1.0)."""
    daq_list, odt, at = _pointed(slave)
    entries = daq_list.odts[odt]
    entry = entries[at] or OdtEntry(Address(0), 0)
    _advance(slave, entries, 1)
    return daq.ReadDaqResponse(
        bit_offset=entry.bit_offset,
        size=entry.size,
        address_extension=entry.address.extension,
        address=entry.address.value,
    )
