"""Behaviour of SET_REQUEST, and of a power-up with what it stored."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import NegativeResponseError, UsageError
from xcaliper.xcp import std
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.events import EvResumeMode
from xcaliper.xcp.handlers.daq_run import run_lists
from xcaliper.xcp.slave_state import DaqList, Packing, refuse
from xcaliper.xcp.slave_store import Request, StoredDaq, StoredList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request as Command
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = ["HANDLERS", "power_up", "set_request"]

_MODES: Final = 0x3F
_MODIFIED: Final = ("event_channel", "prescaler", "priority", "timestamp", "dto_ctr", "stim")
_FLAGS: Final = ("alternating", "pid_off")


def set_request(slave: SlaveState, request: std.SetRequest) -> std.EmptyResponse:
    """Begin to store or to erase; GET_STATUS and an event tell the end (XCP Base, SET_REQUEST, 1.0).

    What is stored is what there is now. The answer drops the SELECTED flags of stored lists.
    """
    mode, config = request.mode, slave.config
    settings = config.store
    stores_daq = mode.store_daq_req_no_resume or mode.store_daq_req_resume
    newest = config.protocol_version >= 5
    supported = (
        (0x01 if config.freeze else 0)
        | (0x0A if settings.daq else 0)
        | (0x04 if settings.resume else 0)
        | (0x30 if newest else 0)
    )
    conflicting = bool(mode.store_daq_req_no_resume) + bool(mode.store_daq_req_resume)
    if (
        not mode
        or int(mode) & ~supported
        or conflicting + bool(mode.clear_daq_req) > 1
        or (stores_daq and not request.session_configuration_id)
    ):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if mode.clear_daq_req and slave.daq.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    made = Request(
        due_ns=slave.now_ns + settings.duration_ns,
        pages=_frozen_pages(slave) if mode.store_cal_req else None,
        daq=_selected_lists(
            slave, request.session_configuration_id, resume=bool(mode.store_daq_req_resume)
        )
        if stores_daq
        else None,
        clear=bool(mode.clear_daq_req),
    )
    memory = slave.store.memory
    if mode.clear_cal_pag_cfg_lost:
        memory.pages_lost = False
    if mode.clear_daq_cfg_lost:
        memory.daq_lost = False
    if int(mode) & 0x0F:
        slave.store.request = made
    else:
        memory.changed()
    if stores_daq:
        for daq_list in slave.daq.lists:
            daq_list.selected = False
    return std.EmptyResponse()


def _frozen_pages(slave: SlaveState) -> dict[int, bytes]:
    """Segment that a page 0 belongs to → its new bytes, for every segment in FREEZE mode.

    It is the page that XCP sees, stored for page 0 of its INIT_SEGMENT, or of its own segment where
    that one cannot take it.
    """
    found: dict[int, bytes] = {}
    segments = slave.config.segments
    for number in sorted(slave.frozen):
        segment = segments[number]
        page = segment.pages[slave.memory.get_page(number, ecu=False)]
        goal = page.init_segment
        if goal >= len(segments) or segments[goal].size_bytes != segment.size_bytes:
            goal = number
        found[goal] = slave.memory.read(segment.address, segment.size_bytes)
    return found


def _selected_lists(slave: SlaveState, identifier: int, *, resume: bool) -> StoredDaq:
    """The configuration of the selected lists; with RESUME it has to be able to run."""
    lists = slave.daq.lists
    selected = [number for number, one in enumerate(lists) if one.selected]
    if not selected:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    if resume:
        run_lists(slave, selected, dry=True)
    return StoredDaq(
        session_configuration_id=identifier,
        resume=resume,
        lists=tuple(_stored(one) for one in lists),
        alignment=slave.alignment,
    )


def _stored(one: DaqList) -> StoredList:
    if not one.selected:
        return StoredList(tuple((None,) * len(entries) for entries in one.odts), selected=False)
    packing = one.packing
    return StoredList(
        tuple(tuple(entries) for entries in one.odts),
        selected=True,
        packing=(packing.mode, packing.timestamp_mode, packing.sample_count),
        **{name: getattr(one, name) for name in (*_MODIFIED, *_FLAGS)},
    )


# -- power-up -------------------------------------------------------------------------------------


def power_up(slave: SlaveState) -> EvResumeMode | None:
    """Restore the stored lists; with RESUME they run from now on, which the event tells.

    A configuration that this slave cannot run is given up and remembered as lost
    *(XCP Base, DAQ_CFG_LOST, 1.5)*.
    """
    stored = slave.store.memory.daq
    if stored is None:
        return None
    try:
        _restore(slave, stored)
        if stored.resume:
            slave.alignment = stored.alignment
            run_lists(slave, [n for n, one in enumerate(stored.lists) if one.selected])
    except (NegativeResponseError, UsageError):
        slave.daq.clear()
        slave.store.memory.daq = None
        slave.store.memory.daq_lost = True
        slave.store.memory.changed()
        return None
    slave.store.pristine = True
    if not stored.resume:
        return None
    slave.store.begin_resume()
    ticks = slave.clocks.daq_ticks(slave.now_ns) if slave.config.timestamp.size_bytes else None
    return EvResumeMode(
        session_configuration_id=stored.session_configuration_id,
        timestamp=ticks,
    )


def _restore(slave: SlaveState, stored: StoredDaq) -> None:
    config, daq = slave.config, slave.daq
    first = daq.first_dynamic
    most = first + (config.max_daq_lists if config.dynamic else 0)
    if not config.store.daq or not first <= len(stored.lists) <= most:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    if stored.resume and not config.store.resume:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    daq.lists[first:] = [DaqList() for _ in stored.lists[first:]]
    for daq_list, one in zip(daq.lists, stored.lists, strict=True):
        shape = [len(entries) for entries in one.odts]
        fixed = daq_list.fixed is not None
        if fixed and shape != [len(entries) for entries in daq_list.odts]:
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        if not one.selected:
            if not fixed:
                daq_list.odts = [list(entries) for entries in one.odts]
            continue
        if one.event_channel is not None and one.event_channel >= len(config.events):
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        if not daq_list.predefined:
            daq_list.odts = [list(entries) for entries in one.odts]
        for name in (*_MODIFIED, *_FLAGS):
            setattr(daq_list, name, getattr(one, name))
        daq_list.packing = Packing(*one.packing)
        daq_list.resume = stored.resume
        daq_list.selected = not stored.resume


HANDLERS: Final[Mapping[type[Command[Any]], Handler]] = MappingProxyType(
    {std.SetRequest: set_request}
)
