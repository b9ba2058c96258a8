"""What START does to a DAQ list: its entries become one sampler."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_sampler import Sampler, dto_head
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from xcaliper.xcp.slave_state import DaqList, SlaveState

__all__ = ["compile_sampler"]

_TIMESTAMP_CODES: Final = {0: "", 1: "B", 2: "H", 4: "I"}


def compile_sampler(slave: SlaveState, number: int, daq_list: DaqList, first_pid: int) -> Sampler:
    """Check a list and make it ready to be sampled.

    Raises:
        NegativeResponseError: ERR_DAQ_CONFIG: no event, no entries, or an ODT exceeds MAX_DTO.
        AccessDeniedError: an entry lies outside the memory.
    """
    config = slave.config
    fmt = slave.dto_format(daq_list)
    mark = config.byte_order.mark
    base = first_pid if config.identification_field == 0 else 0
    views: list[memoryview] = []
    heads: list[bytes] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for odt, entries in enumerate(daq_list.odts):
        begin = at
        for entry in entries:
            if entry is None or not entry.size:
                break
            size_bytes = entry.size * config.ag
            views.append(slave.memory.view(entry.address, size_bytes))
            at += size_bytes
        if at == begin:
            if odt == 0:
                break
            continue
        header = fmt.first_header_size if odt == 0 else fmt.header_size
        if header + at - begin > config.max_dto:
            raise refuse(ErrorCode.ERR_DAQ_CONFIG)
        heads.append(dto_head(config.identification_field, base + odt, number, mark))
        spans.append((begin, at))
    if not views or daq_list.event_channel is None:
        raise refuse(ErrorCode.ERR_DAQ_CONFIG)
    code = _TIMESTAMP_CODES[fmt.timestamp_size]
    return Sampler(
        views,
        heads,
        spans,
        timestamp=struct.Struct(mark + code) if code else None,
        counter_at=-1
        if not fmt.dto_ctr
        else 1
        if config.identification_field == 3
        else fmt.header_size,
    )
