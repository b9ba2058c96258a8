"""Master sequences as generators; ``PROCEDURES`` says which of them use a command."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.xcp.procedures import (
    clock,
    connect,
    daq_info,
    daq_setup,
    identify,
    memory,
    pages,
    unlock,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PROCEDURES"]

#: Standard name of a command → procedures that send it.
PROCEDURES: Final[Mapping[str, tuple[Callable[..., Any], ...]]] = MappingProxyType(
    {
        "CONNECT": (connect.connect,),
        "DISCONNECT": (connect.disconnect,),
        "GET_STATUS": (connect.connect, daq_setup.start),
        "SYNCH": (connect.synchronise,),
        "GET_SEED": (unlock.unlock, unlock.read_seed),
        "UNLOCK": (unlock.unlock, unlock.send_key),
        "GET_COMM_MODE_INFO": (connect.connect,),
        "GET_VERSION": (connect.connect,),
        "GET_ID": (identify.get_id, identify.identify, identify.upload_a2l),
        "SET_MTA": (memory.read, memory.write, memory.modify_bits, memory.checksum),
        "UPLOAD": (memory.upload, memory.read, identify.get_id, daq_info.daq_info),
        "SHORT_UPLOAD": (memory.read,),
        "BUILD_CHECKSUM": (memory.checksum,),
        "DOWNLOAD": (memory.write,),
        "DOWNLOAD_NEXT": (memory.write,),
        "SHORT_DOWNLOAD": (memory.write,),
        "MODIFY_BITS": (memory.modify_bits,),
        "SET_CAL_PAGE": (pages.set_page,),
        "GET_CAL_PAGE": (pages.get_pages, pages.page_info),
        "GET_PAG_PROCESSOR_INFO": (pages.page_info,),
        "GET_SEGMENT_INFO": (pages.page_info,),
        "GET_PAGE_INFO": (pages.page_info,),
        "COPY_CAL_PAGE": (pages.copy_page,),
        "SET_DAQ_PTR": (daq_setup.setup, daq_info.list_info),
        "WRITE_DAQ": (daq_setup.setup,),
        "WRITE_DAQ_MULTIPLE": (daq_setup.setup,),
        "SET_DAQ_LIST_MODE": (daq_setup.setup,),
        "START_STOP_DAQ_LIST": (daq_setup.setup, daq_setup.start_list, daq_setup.stop_list),
        "START_STOP_SYNCH": (
            daq_setup.start,
            daq_setup.stop,
            daq_setup.stop_selected,
            daq_setup.prepare,
        ),
        "GET_DAQ_LIST_MODE": (daq_setup.setup,),
        "SET_DAQ_PACKED_MODE": (daq_setup.setup,),
        "CLEAR_DAQ_LIST": (daq_setup.setup,),
        "GET_DAQ_LIST_INFO": (daq_info.list_info,),
        "READ_DAQ": (daq_info.list_info,),
        "GET_DAQ_CLOCK": (daq_setup.clock, clock.read_clocks),
        "TIME_CORRELATION_PROPERTIES": (clock.clock_properties,),
        "GET_DAQ_CLOCK_MULTICAST": (clock.multicast,),
        "GET_DAQ_PROCESSOR_INFO": (daq_info.daq_info,),
        "GET_DAQ_RESOLUTION_INFO": (daq_info.daq_info,),
        "GET_DAQ_EVENT_INFO": (daq_info.daq_info,),
        "FREE_DAQ": (daq_setup.setup, daq_setup.free),
        "ALLOC_DAQ": (daq_setup.setup,),
        "ALLOC_ODT": (daq_setup.setup,),
        "ALLOC_ODT_ENTRY": (daq_setup.setup,),
    }
)
