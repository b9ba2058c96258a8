"""Typed view of IF_DATA XCP and XCPplus, both directions (ASAP2, IF_DATA XCP, 1.0).

Readers take what is there: missing tails get their neutral values, unknown tags are skipped, both with findings.
Builders give ``IfData`` trees that the readers read back to equal values.
"""

from xcaliper.a2l.xcp_model import (
    XcpChecksum,
    XcpDaq,
    XcpDaqEvent,
    XcpDaqList,
    XcpDescription,
    XcpEvent,
    XcpOnCan,
    XcpOnOther,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpPag,
    XcpPage,
    XcpPgm,
    XcpProtocolLayer,
    XcpSector,
    XcpSegment,
    XcpStim,
    XcpTimestamp,
    XcpTransport,
)
from xcaliper.a2l.xcp_read import read_daq_event, read_segment, read_xcp
from xcaliper.a2l.xcp_write import write_daq_event, write_segment, write_xcp

__all__ = [
    "XcpChecksum",
    "XcpDaq",
    "XcpDaqEvent",
    "XcpDaqList",
    "XcpDescription",
    "XcpEvent",
    "XcpOnCan",
    "XcpOnOther",
    "XcpOnTcpIp",
    "XcpOnUdpIp",
    "XcpPag",
    "XcpPage",
    "XcpPgm",
    "XcpProtocolLayer",
    "XcpSector",
    "XcpSegment",
    "XcpStim",
    "XcpTimestamp",
    "XcpTransport",
    "read_daq_event",
    "read_segment",
    "read_xcp",
    "write_daq_event",
    "write_segment",
    "write_xcp",
]
