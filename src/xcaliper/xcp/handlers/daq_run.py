"""Behaviour of the commands that give DAQ lists a mode, start and stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.xcp import daq, level1, timecorr
from xcaliper.xcp.codes import DaqListModeState, ErrorCode
from xcaliper.xcp.handlers.daq_alloc import daq_list_of, idle_list
from xcaliper.xcp.slave_compiler import check_packing, compile_sampler, compile_stimulus
from xcaliper.xcp.slave_daq_config import CounterConfig
from xcaliper.xcp.slave_resources import check_resources
from xcaliper.xcp.slave_state import Packing, refuse
from xcaliper.xcp.slave_stim import StimList
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.slave_daq_config import EventConfig
    from xcaliper.xcp.slave_sampler import ListSampler
    from xcaliper.xcp.slave_state import DaqList, SlaveState

    Ready: TypeAlias = "tuple[DaqList, ListSampler | StimList]"

__all__ = [
    "dto_ctr_properties",
    "first_pid",
    "get_daq_list_mode",
    "get_daq_packed_mode",
    "run_lists",
    "set_daq_list_mode",
    "set_daq_packed_mode",
    "start_stop_daq_list",
    "start_stop_synch",
]

_STOP: Final = 0
_START: Final = 1
_SELECT: Final = 2
_STOP_SELECTED: Final = 2
_PREPARE: Final = 3


# -- mode -----------------------------------------------------------------------------------------


def _mode_possible(
    slave: SlaveState, daq_list: DaqList, event: EventConfig, request: daq.SetDaqListMode
) -> bool:
    """Whether list, event and slave can do what MODE asks for (XCP Base, SET_DAQ_LIST_MODE, 1.0)."""
    config, mode, fixed = slave.config, request.mode, daq_list.fixed
    stim = bool(mode.direction_stim)
    if not (event.stim if stim else event.daq):
        return False
    if fixed is not None and not (fixed.stim if stim else fixed.daq):
        return False
    if mode.alternating and (mode.timestamp or config.alternating != event.channel):
        return False
    if mode.pid_off and (stim or not config.pid_off):
        return False  # a packet of the master must tell its list
    return not (
        (mode.dto_ctr and not config.dto_ctr)
        or (mode.timestamp and not config.timestamp.size_bytes)
    )


def set_daq_list_mode(slave: SlaveState, request: daq.SetDaqListMode) -> EmptyResponse:
    """Bind a list to an event channel (XCP Base, SET_DAQ_LIST_MODE, 1.0)."""
    config = slave.config
    daq_list = idle_list(slave, request.daq_list)
    mode, fixed = request.mode, daq_list.fixed
    if request.event_channel >= len(config.events):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    event = config.events[request.event_channel]
    if (
        (fixed is not None and fixed.event_fixed not in (None, event.channel))
        or request.prescaler == 0
        or (request.prescaler > 1 and (not config.prescaler or mode.direction_stim))
        or (request.priority and not config.priority)
    ):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    if config.timestamp_fixed and config.timestamp.size_bytes and not mode.timestamp:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    users = sum(
        other.event_channel == event.channel and other is not daq_list for other in slave.daq.lists
    )
    full = event.max_daq_list != 0xFF and users >= event.max_daq_list
    if full or not _mode_possible(slave, daq_list, event, request):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    daq_list.event_channel = request.event_channel
    daq_list.prescaler = request.prescaler
    daq_list.priority = request.priority
    daq_list.timestamp = bool(mode.timestamp)
    daq_list.dto_ctr = bool(mode.dto_ctr)
    daq_list.stim = bool(mode.direction_stim)
    daq_list.alternating = bool(mode.alternating)
    daq_list.pid_off = bool(mode.pid_off)
    return EmptyResponse()


def get_daq_list_mode(slave: SlaveState, request: daq.GetDaqListMode) -> daq.GetDaqListModeResponse:
    """Tell mode and state of a list (XCP Base, GET_DAQ_LIST_MODE, 1.0)."""
    daq_list = daq_list_of(slave, request.daq_list)
    return daq.GetDaqListModeResponse(
        mode=DaqListModeState.of(
            selected=int(daq_list.selected),
            direction_stim=int(daq_list.stim),
            dto_ctr=int(daq_list.dto_ctr),
            timestamp=int(daq_list.timestamp),
            pid_off=int(daq_list.pid_off),
            running=int(daq_list.running),
            resume=int(daq_list.resume),
        ),
        event_channel=daq_list.event_channel or 0,
        prescaler=daq_list.prescaler,
        priority=daq_list.priority,
    )


# -- packed mode ----------------------------------------------------------------------------------


def set_daq_packed_mode(slave: SlaveState, request: level1.SetDaqPackedMode) -> EmptyResponse:
    """Collect several samples in one set of DTOs (XCP Base, SET_DAQ_PACKED_MODE, 1.4)."""
    daq_list = idle_list(slave, request.daq_list)
    wanted = Packing()
    if request.daq_packed_mode:
        if request.timestamp_mode is None or request.sample_count is None:
            raise refuse(ErrorCode.ERR_CMD_SYNTAX)
        wanted = Packing(request.daq_packed_mode, request.timestamp_mode, request.sample_count)
    check_packing(slave.config, daq_list, wanted)
    daq_list.packing = wanted
    return EmptyResponse()


def get_daq_packed_mode(
    slave: SlaveState, request: level1.GetDaqPackedMode
) -> level1.GetDaqPackedModeResponse:
    """Tell how the samples of a list are collected (XCP Base, GET_DAQ_PACKED_MODE, 1.4)."""
    packing = daq_list_of(slave, request.daq_list).packing
    if not packing.mode:
        return level1.GetDaqPackedModeResponse(
            daq_packed_mode=0, timestamp_mode=None, sample_count=None
        )
    return level1.GetDaqPackedModeResponse(
        daq_packed_mode=packing.mode,
        timestamp_mode=packing.timestamp_mode,
        sample_count=packing.sample_count,
    )


# -- DTO counter ----------------------------------------------------------------------------------


def dto_ctr_properties(
    slave: SlaveState, request: timecorr.DtoCtrProperties
) -> timecorr.DtoCtrPropertiesResponse:
    """Choose or tell where the DTO counter of an event comes from (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""
    events = slave.config.events
    if request.event_channel >= len(events):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    event = events[request.event_channel]
    made = events[event.channel].counter
    if made is None:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    now = slave.daq.counters.get(event.channel, made)
    related = event.channel if now.related_event is None else now.related_event
    modifier, mode = request.modifier, request.mode
    if modifier.related_event and request.related_event_channel != related:
        if made.related_event_fixed or request.related_event_channel >= len(events):
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        related = request.related_event_channel
    copies = slave.config.takes_stim  # else there is no STIM counter to be copied
    daq_mode = now.daq_mode
    if modifier.daq_mode and mode.daq_mode != daq_mode:
        if made.daq_mode_fixed or not copies:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        daq_mode = mode.daq_mode
    stim_mode = now.stim_mode
    if modifier.stim_mode and mode.stim_mode != stim_mode:
        if made.stim_mode_fixed or not event.stim:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        stim_mode = mode.stim_mode
    changed = CounterConfig(related, daq_mode=daq_mode, stim_mode=stim_mode)
    if modifier and slave.daq.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    slave.daq.counters[event.channel] = changed
    return timecorr.DtoCtrPropertiesResponse(
        properties=timecorr.DtoCtrPropertyBits.of(
            related_event_fixed=int(made.related_event_fixed),
            daq_mode_fixed=int(made.daq_mode_fixed or not copies),
            stim_mode_fixed=int(made.stim_mode_fixed),
            related_event_present=1,
            daq_mode_present=1,
            stim_mode_present=int(event.stim),
            stim_dto_ctr_copy_present=int(copies),
            evt_ctr_present=1,
        ),
        related_event_channel=related,
        mode=timecorr.DtoCtrMode.of(daq_mode=daq_mode, stim_mode=stim_mode),
    )


# -- start and stop -------------------------------------------------------------------------------


def first_pid(slave: SlaveState, number: int) -> int:
    """FIRST_PID with absolute identification fields, else 0."""
    if slave.config.identification_field != 0:
        return 0
    return sum(len(daq_list.odts) for daq_list in slave.daq.lists[:number])


def run_lists(slave: SlaveState, numbers: Sequence[int], *, dry: bool = False) -> None:
    """Start lists that do not run yet, all or none; only look whether that works when ``dry``."""
    ready = _ready(slave, numbers)
    if not dry:
        _run(ready)
        slave.daq.schedule()


def _ready(slave: SlaveState, numbers: Sequence[int]) -> list[Ready]:
    """Lists that do not run yet and what starting compiles: all of them or none."""
    lists = slave.daq.lists
    waiting = [number for number in numbers if not lists[number].running]
    ready: list[Ready] = []
    for n in waiting:
        compiled = compile_stimulus if lists[n].stim else compile_sampler
        ready.append((lists[n], compiled(slave, n, lists[n], first_pid(slave, n))))
    check_resources(slave, [daq_list for daq_list, _ in ready])
    return ready


def _run(ready: Sequence[Ready]) -> None:
    turn = 0
    for daq_list, made in ready:
        if isinstance(made, StimList):
            daq_list.stimulus = made
        else:
            daq_list.sampler = made
        daq_list.period = daq_list.prescaler * (2 if daq_list.alternating else 1)
        daq_list.skipped = daq_list.period - 1  # the first event is sampled
        if daq_list.alternating:
            daq_list.skipped -= turn % 2  # neighbours take turns
            turn += 1
        daq_list.lost = False


def start_stop_daq_list(
    slave: SlaveState, request: daq.StartStopDaqList
) -> daq.StartStopDaqListResponse:
    """Stop, start or select one list (XCP Base, START_STOP_DAQ_LIST, 1.0)."""
    if request.mode not in (_STOP, _START, _SELECT):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    daq_list = daq_list_of(slave, request.daq_list)
    if request.mode == _SELECT:
        daq_list.selected = True
    elif request.mode == _STOP:
        daq_list.stop()
    else:
        run_lists(slave, [request.daq_list])
    slave.daq.schedule()
    return daq.StartStopDaqListResponse(first_pid=first_pid(slave, request.daq_list))


def start_stop_synch(slave: SlaveState, request: daq.StartStopSynch) -> EmptyResponse:
    """Stop all, or start, stop or prepare the selected lists (XCP Base, START_STOP_SYNCH, 1.0)."""
    mode = request.mode
    if mode > (_PREPARE if slave.config.protocol_version >= 4 else _STOP_SELECTED):
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    lists = slave.daq.lists
    selected = [number for number, daq_list in enumerate(lists) if daq_list.selected]
    if mode in (_START, _PREPARE):
        if not selected:
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        ready = _ready(slave, selected)
        if mode == _PREPARE:
            return EmptyResponse()  # stays selected: the start follows
        _run(ready)
    else:
        for daq_list in lists:
            if mode == _STOP or daq_list.selected:
                daq_list.stop()
    for daq_list in lists:
        daq_list.selected = False
    slave.daq.schedule()
    return EmptyResponse()
