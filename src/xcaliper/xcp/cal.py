"""Calibration commands: writing to memory."""

from __future__ import annotations

from xcaliper.proto.command import Request, command
from xcaliper.wire.layout import data, u8, u16, u32
from xcaliper.xcp.codes import Group, error_set
from xcaliper.xcp.std import EmptyResponse

__all__ = ["Download", "DownloadMax", "DownloadNext", "ModifyBits", "ShortDownload"]


@command(
    0xF0,
    group=Group.CAL,
    recovery="mta",
    resource="cal_pag",
    mandatory=True,
    errors=error_set("B P S R W A L O N"),
)
class Download(Request[EmptyResponse]):
    """Write elements at the MTA; starts a block when count exceeds the packet (XCP Base, DOWNLOAD, 1.0)."""

    count: int = u8(1, unit="AG")
    data: bytes = data(2, count="count", unit="AG", aligned=True)


@command(
    0xEF,
    group=Group.CAL,
    recovery="block",
    resource="cal_pag",
    errors=error_set("B P U S R W A L Q O N"),
)
class DownloadNext(Request[EmptyResponse]):
    """Go on with a block; count says what is still missing (XCP Base, DOWNLOAD_NEXT, 1.0)."""

    count: int = u8(1, unit="AG")
    data: bytes = data(2, count="count", unit="AG", aligned=True)


@command(
    0xEE,
    group=Group.CAL,
    recovery="mta",
    resource="cal_pag",
    errors=error_set("B P U S R W A L O N"),
)
class DownloadMax(Request[EmptyResponse]):
    """Write a full packet of MAX_CTO / AG - 1 elements at the MTA (XCP Base, DOWNLOAD_MAX, 1.0)."""

    data: bytes = data(1, unit="AG", aligned=True)


@command(0xED, group=Group.CAL, resource="cal_pag", errors=error_set("B P U S R W A L O N"))
class ShortDownload(Request[EmptyResponse]):
    """Write elements at an address; the MTA ends behind them (XCP Base, SHORT_DOWNLOAD, 1.0)."""

    count: int = u8(1, unit="AG")
    address_extension: int = u8(3, default=0)
    address: int = u32(4)
    data: bytes = data(8, count="count", unit="AG")


@command(
    0xEC,
    group=Group.CAL,
    recovery="mta",
    resource="cal_pag",
    errors=error_set("B P U S R W A L O N"),
)
class ModifyBits(Request[EmptyResponse]):
    """Clear bits where AND is 0, then toggle by XOR, in the dword at the MTA (XCP Base, MODIFY_BITS, 1.0)."""

    shift: int = u8(1, unit="bit")
    and_mask: int = u16(2)
    xor_mask: int = u16(4)
