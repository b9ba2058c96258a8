"""Scenes for the golden vectors of data acquisition, by command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pair.golden_slaves import (
    Scene,
    bound,
    events,
    lists,
    ready,
    selected,
)
from xcaliper.core.ticks import TickClock
from xcaliper.xcp import daq, level1, timecorr
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.slave_config import EventConfig, FixedList
from xcaliper.xcp.slave_daq_config import PackedConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    Vector = dict[str, Any]


def clear_daq_list(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list))


def set_daq_ptr(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list, f.odt + 1, f.odt_entry + 1))


def write_daq(f: Any) -> Scene:
    pointer = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
    return Scene(before=(*lists(0, entries=getattr(f, "n", 1)), pointer))


def set_daq_list_mode(f: Any) -> Scene:
    # lists of direction STIM cannot leave out the identification field: see NOT_BY_SLAVE
    return Scene(before=lists(f.daq_list))


def get_daq_list_mode(f: Any) -> Scene:
    if not hasattr(f, "event_channel"):
        return Scene(before=lists(f.daq_list))
    return Scene(
        before=(
            *ready(1),
            bound(1, f.event_channel, priority=f.priority),
            daq.StartStopDaqList(mode=1, daq_list=1),
            daq.StartStopDaqList(mode=2, daq_list=1),
        ),
        request=daq.GetDaqListMode(daq_list=1),
    )


def start_stop_daq_list(f: Any) -> Scene:
    first = getattr(f, "first_pid", 0)
    number = getattr(f, "daq_list", 1)
    made = ready(number, first=first)
    start = daq.StartStopDaqList(mode=getattr(f, "mode", 1), daq_list=number)
    return Scene({"identification_field": 0 if first else 2}, made, start)


def start_stop_synch(f: Any) -> Scene:
    return Scene(before=selected())


EXTENDED = timecorr.TimeCorrelationProperties(
    set_properties=timecorr.SetProperties.of(response_fmt=2)
)


def clocks(f: Any, *ticks: int, **changes: Any) -> dict[str, Any]:
    """Clocks of the slave, a grandmaster and the ECU that count so many nanoseconds, by 8 bytes."""
    models = [
        ClockModel(resolution=TickClock(tick, 0, 8), start_ns=start)
        for tick, start in zip(ticks, changes.pop("start_ns", (0, 0, 0)), strict=False)
    ]
    settings = ClockSettings(
        **dict(zip(("slave", "grandmaster", "ecu"), models, strict=False)),
        sampling=f.time_of_sampling,
        **changes,
    )
    return {"clocks": settings, "timestamp": TickClock(ticks[0], 0, 4)}


def get_daq_clock(f: Any) -> Scene:
    if not getattr(f, "payload_fmt", 0):
        return Scene(at_ns=getattr(f, "timestamp", 0) * 1000)
    if not hasattr(f, "grandmaster_timestamp"):
        settings = ClockSettings(sampling=f.time_of_sampling)
        return Scene({"clocks": settings}, (EXTENDED,), at_ns=f.slave_timestamp * 1000)
    # of what the grandmaster counts 1, the slave's clock counts 17
    times = f.slave_timestamp // f.grandmaster_timestamp
    made = clocks(f, 1, times, discipline="synchronised", grandmaster_access=1)
    return Scene(made, (EXTENDED,), at_ns=f.slave_timestamp)


def read_daq(f: Any) -> Scene:
    pointer = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
    if not hasattr(f, "size"):
        return Scene(before=(*lists(0), pointer))
    entry = daq.WriteDaq(
        bit_offset=f.bit_offset, size=f.size, address_extension=0, address=f.address
    )
    return Scene(before=(*lists(0), pointer, entry, pointer))


def get_daq_processor_info(f: Any) -> Scene:
    if not hasattr(f, "max_daq"):
        return Scene()
    return Scene(
        {
            "events": events()[: f.max_event_channel],
            "max_daq_lists": f.max_daq,
            "max_daq_is_limit": True,
            "overload": 1 if f.overload_msb else 0,
            "identification_field": f.identification_field_type,
            "pid_off": bool(f.pid_off_supported),
            "bit_stim": bool(f.bit_stim_supported),
        }
    )


def get_daq_resolution_info(f: Any) -> Scene:
    if not hasattr(f, "granularity_daq"):
        return Scene()
    clock = TickClock(f.timestamp_ticks, f.timestamp_unit, f.timestamp_size)
    return Scene({"max_odt_entry_size": f.max_entry_size_daq, "timestamp": clock})


def get_daq_list_info(f: Any) -> Scene:
    if not hasattr(f, "max_odt"):
        return Scene(before=lists(f.daq_list))
    one = FixedList(max_odt=f.max_odt, max_odt_entries=f.max_odt_entries, event_fixed=f.fixed_event)
    return Scene({"dynamic": False, "fixed_lists": (one,)}, request=daq.GetDaqListInfo(daq_list=0))


def get_daq_event_info(f: Any) -> Scene:
    if not hasattr(f, "name_length"):
        return Scene()
    one = EventConfig(
        0,
        "n" * f.name_length,
        time_cycle=f.time_cycle,
        time_unit=f.time_unit,
        priority=f.priority,
        stim=bool(f.stim),
        max_daq_list=f.max_daq_list,
        consistency=f.consistency,
    )
    return Scene({"events": (one,)}, request=daq.GetDaqEventInfo(event_channel=0))


def alloc_daq(f: Any) -> Scene:
    return Scene(before=(daq.FreeDaq(),))


def alloc_odt(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list)[:2])


def alloc_odt_entry(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list, f.odt + 1)[:3])


def set_daq_packed_mode(f: Any) -> Scene:
    return Scene(before=ready(f.daq_list, mode=0))


def get_daq_packed_mode(f: Any) -> Scene:
    if hasattr(f, "daq_list"):
        return Scene(before=lists(f.daq_list))
    asks = level1.GetDaqPackedMode(daq_list=0)
    if not f.daq_packed_mode:
        return Scene(before=lists(0), request=asks)
    one = PackedConfig(f.daq_packed_mode, f.timestamp_mode, f.sample_count)
    wanted = level1.SetDaqPackedMode(
        daq_list=0,
        daq_packed_mode=f.daq_packed_mode,
        timestamp_mode=f.timestamp_mode,
        sample_count=f.sample_count,
    )
    return Scene({"events": events(packed=one)}, (*ready(0, mode=0), wanted), asks)


DAQ_SCENES: dict[str, Callable[[Any], Scene]] = {
    "CLEAR_DAQ_LIST": clear_daq_list,
    "SET_DAQ_PTR": set_daq_ptr,
    "WRITE_DAQ": write_daq,
    "WRITE_DAQ_MULTIPLE": write_daq,
    "SET_DAQ_LIST_MODE": set_daq_list_mode,
    "GET_DAQ_LIST_MODE": get_daq_list_mode,
    "START_STOP_DAQ_LIST": start_stop_daq_list,
    "START_STOP_SYNCH": start_stop_synch,
    "GET_DAQ_CLOCK": get_daq_clock,
    "READ_DAQ": read_daq,
    "GET_DAQ_PROCESSOR_INFO": get_daq_processor_info,
    "GET_DAQ_RESOLUTION_INFO": get_daq_resolution_info,
    "GET_DAQ_LIST_INFO": get_daq_list_info,
    "GET_DAQ_EVENT_INFO": get_daq_event_info,
    "ALLOC_DAQ": alloc_daq,
    "ALLOC_ODT": alloc_odt,
    "ALLOC_ODT_ENTRY": alloc_odt_entry,
    "SET_DAQ_PACKED_MODE": set_daq_packed_mode,
    "GET_DAQ_PACKED_MODE": get_daq_packed_mode,
}
