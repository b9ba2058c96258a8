"""What a slave says about itself, asked for by commands without side effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import (
    NegativeResponseError,
    ProtocolError,
    UnknownCommandError,
)
from xcaliper.xcp import daq, level1, pag, pgm, std, timecorr
from xcaliper.xcp.procedures.connect import optional, probe
from xcaliper.xcp.procedures.daq_info import daq_info
from xcaliper.xcp.procedures.pages import page_info

if TYPE_CHECKING:
    from xcaliper.client.connection import Connection
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.procedures.daq_info import DaqInfo
    from xcaliper.xcp.procedures.pages import SegmentState

__all__ = ["LiveFacts", "live_facts"]

#: Optional commands that can be tried without changing anything; the resource they need.
_PROBES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("GET_COMM_MODE_INFO", "", std.GetCommModeInfo()),
    ("GET_ID", "", std.GetId(identification_type=0)),
    ("GET_VERSION", "", level1.GetVersion()),
    ("GET_PAG_PROCESSOR_INFO", "cal_pag", pag.GetPagProcessorInfo()),
    ("GET_SEGMENT_INFO", "cal_pag", pag.GetSegmentInfo(mode=1, segment=0)),
    ("GET_PAGE_INFO", "cal_pag", pag.GetPageInfo(segment=0, page=0)),
    ("GET_SEGMENT_MODE", "cal_pag", pag.GetSegmentMode(segment=0)),
    ("GET_DAQ_PROCESSOR_INFO", "daq", daq.GetDaqProcessorInfo()),
    ("GET_DAQ_RESOLUTION_INFO", "daq", daq.GetDaqResolutionInfo()),
    ("GET_DAQ_LIST_INFO", "daq", daq.GetDaqListInfo(daq_list=0)),
    ("GET_DAQ_EVENT_INFO", "daq", daq.GetDaqEventInfo(event_channel=0)),
    ("GET_DAQ_LIST_MODE", "daq", daq.GetDaqListMode(daq_list=0)),
    ("GET_DAQ_CLOCK", "daq", timecorr.GetDaqClock()),
    ("GET_PGM_PROCESSOR_INFO", "pgm", pgm.GetPgmProcessorInfo()),
)
_CHECKSUM_BYTES: Final = 64
#: Bytes at an address, so that no command moves more than any slave allows.
_EPK_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What a slave said about itself.

    Attributes:
        daq: its DAQ processor; None when it offers no DAQ.
        segments: its calibration segments; None when it does not tell.
        commands: optional commands that were tried → served or not.
        modes: block and interleaved mode; None when it does not tell.
        pages: of calibration; None when it does not tell.
        checksums: segment → algorithm code of BUILD_CHECKSUM.
        epk: text in memory at the description's ADDR_EPK; None when it cannot be read.
    """

    daq: DaqInfo | None
    segments: tuple[SegmentState, ...] | None
    commands: dict[str, bool]
    modes: std.GetCommModeInfoResponse | None = None
    pages: pag.GetPagProcessorInfoResponse | None = None
    checksums: dict[int, int] | None = None
    epk: str | None = None


def live_facts(connection: Connection) -> LiveFacts:
    """Ask a slave for everything that a description repeats.

    Raises:
        ExchangeTimeoutError: the slave is gone; a command that it leaves unanswered is no error.
    """
    session, link = connection.session, connection.link
    commands = {
        name: link.run(_served(session, request))
        for name, resource, request in _PROBES
        if not resource or getattr(session.resource, resource)
    }
    told = link.run(daq_info(session)) if session.resource.daq else None
    segments: tuple[SegmentState, ...] | None = None
    if session.resource.cal_pag:
        try:
            found = link.run(page_info(session))
        except ProtocolError:
            found = None
        segments = None if found is None else tuple(found)
    checksums = link.run(_checksums(session, segments or ()))
    if any(state.address is not None for state in segments or ()):
        commands["BUILD_CHECKSUM"] = bool(checksums)
    modes = (
        link.run(optional(session, std.GetCommModeInfo()))
        if commands["GET_COMM_MODE_INFO"]
        else None
    )
    pages = commands.get("GET_PAG_PROCESSOR_INFO")
    return LiveFacts(
        told,
        segments,
        commands,
        modes,
        link.run(optional(session, pag.GetPagProcessorInfo())) if pages else None,
        checksums,
        _epk(connection),
    )


def _served(session: Session, request: Any) -> Procedure[bool]:
    """Whether the slave has a command; one that it leaves unanswered it has not.

    That it was unanswered here does not keep it from being sent again: it may concern one number only.
    """
    try:
        return (yield from probe(session, request)) is not None
    except UnknownCommandError:
        return False
    except NegativeResponseError:
        return True  # it is there and dislikes the number


def _checksums(session: Session, segments: tuple[SegmentState, ...]) -> Procedure[dict[int, int]]:
    """The algorithm that the slave uses, by segment; over a few bytes only."""
    found: dict[int, int] = {}
    for state in segments:
        if state.address is None:
            continue
        size = min(_CHECKSUM_BYTES, state.size_bytes or 4) // session.profile.ag
        extension = state.address.extension
        set_mta = std.SetMta(address=state.address.value, address_extension=extension)
        if size and (yield from optional(session, set_mta)) is not None:
            reply = yield from optional(session, std.BuildChecksum(block_size=size))
            if reply is None:
                break  # it does not have the command
            found[state.number] = reply.checksum_type
    return found


def _epk(connection: Connection) -> str | None:
    """The text at ADDR_EPK, as long as the one that is expected."""
    par = connection.catalog.file.module.mod_par
    wanted = connection.description.epk or (par.epk if par is not None else None) or ""
    if par is None or not par.addr_epk or not wanted:
        return None
    size = min(len(wanted.encode()), _EPK_BYTES)
    try:
        data = connection.read_memory(Address(par.addr_epk[0]), size)
    except (ProtocolError, NegativeResponseError):
        return None
    return data[:size].decode("utf-8", "replace").rstrip("\0 ")
