"""Have the slave store calibration data and DAQ lists, and see how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import (
    NegativeResponseError,
    RemoteProtocolError,
    ResumeError,
    UsageError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import ErrorCode, SetRequestMode
from xcaliper.xcp.procedures.connect import optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.codes import SessionStatus
    from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry

__all__ = [
    "StoreStatus",
    "check_resumed",
    "clear_daq",
    "clear_lost",
    "compare_lists",
    "select",
    "store_cal",
    "store_daq",
    "store_status",
]

_SELECT: Final = 2
_LARGEST_ID: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What GET_STATUS says about stored things (XCP Base, GET_STATUS, 1.0).

    Attributes:
        status: SESSION_STATUS.
        session_configuration_id: of the stored DAQ configuration, 0 = none.
    """

    status: SessionStatus
    session_configuration_id: int

    @property
    def is_storing(self) -> bool:
        """True while calibration data or lists are being stored or erased."""
        status = self.status
        return bool(status.store_cal_req or status.store_daq_req or status.clear_daq_req)

    @property
    def is_resumed(self) -> bool:
        """True while lists run that power-up has started."""
        return bool(self.status.resume and self.status.daq_running)


def store_status() -> Procedure[StoreStatus]:
    """How far storing is, and which configuration is stored."""
    reply = yield from ask(std.GetStatus())
    return StoreStatus(reply.session_status, reply.session_configuration_id)


def _request(mode: SetRequestMode, identifier: int = 0) -> Procedure[None]:
    """SET_REQUEST; one that was carried out although its answer was lost counts as answered.

    The repetition finds the slave busy with the first one (XCP Base, SET_REQUEST, 1.0).
    """
    try:
        yield from ask(std.SetRequest(mode=mode, session_configuration_id=identifier))
    except NegativeResponseError as error:
        if error.code != ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE:
            raise
        found = yield from store_status()
        pending = int(mode) & 0x01 and not found.status.store_cal_req
        pending = pending or (int(mode) & 0x06 and not found.status.store_daq_req)
        pending = pending or (int(mode) & 0x08 and not found.status.clear_daq_req)
        if pending:
            raise


def store_cal() -> Procedure[None]:
    """Have the segments in FREEZE mode stored; the end comes later (XCP Base, STORE_CAL_REQ, 1.0)."""
    yield from _request(SetRequestMode.of(store_cal_req=1))


def store_daq(identifier: int, *, resume: bool) -> Procedure[None]:
    """Have the selected lists stored; the end comes later (XCP Base, STORE_DAQ_REQ, 1.0).

    Args:
        identifier: session configuration id, 1 to 65535.
        resume: the lists shall start at power-up.

    Raises:
        UsageError: the id is none.
        NegativeResponseError: the slave refuses, as without selected lists.
    """
    if not 0 < identifier <= _LARGEST_ID:
        raise UsageError(f"session configuration id: {identifier} is not from 1 to 65535.")
    mode = SetRequestMode.of(
        store_daq_req_no_resume=int(not resume), store_daq_req_resume=int(resume)
    )
    before = yield from store_status()
    try:
        yield from _request(mode, identifier)
    except NegativeResponseError as error:
        # The answer was lost and the lists are stored: the repetition finds none selected.
        after = yield from store_status()
        stored = after.session_configuration_id == identifier
        if not stored or before.session_configuration_id == identifier:
            raise error from None


def clear_daq() -> Procedure[None]:
    """Have the stored lists erased; the end comes later (XCP Base, CLEAR_DAQ_REQ, 1.0)."""
    yield from _request(SetRequestMode.of(clear_daq_req=1))


def clear_lost(*, pages: bool = False, daq_lists: bool = False) -> Procedure[None]:
    """Acknowledge that stored things were lost (XCP Base, CAL_PAG_CFG_LOST and DAQ_CFG_LOST, 1.5)."""
    yield from ask(
        std.SetRequest(
            mode=SetRequestMode.of(
                clear_cal_pag_cfg_lost=int(pages), clear_daq_cfg_lost=int(daq_lists)
            )
        )
    )


def select(lists: Sequence[DaqListSetup]) -> Procedure[None]:
    """Select lists again: storing has dropped the flags (XCP Base, SET_REQUEST, 1.0)."""
    for one in lists:
        yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=one.daq_list))


def compare_lists(lists: Sequence[DaqListSetup]) -> Procedure[bool]:
    """Hold running lists against what they should be, without touching them.

    Mode, event and prescaler come from GET_DAQ_LIST_MODE. The entries need the DAQ pointer, which
    slaves may refuse to move while the list runs.

    Args:
        lists: what was stored.

    Returns:
        True when the entries could be compared as well, False when the slave does not show them.

    Raises:
        ResumeError: the slave has other lists.
    """
    seen = True
    for one in lists:
        found = yield from optional(None, daq.GetDaqListMode(daq_list=one.daq_list))
        _check_mode(one, found)
        for number, odt in enumerate(one.odts):
            if seen:
                seen = yield from _compare_entries(one.daq_list, number, odt.entries)
    return seen


def _check_mode(one: DaqListSetup, reply: daq.GetDaqListModeResponse | None) -> None:
    if reply is None:
        return
    mode = reply.mode
    has = (
        reply.event_channel,
        max(reply.prescaler, 1),
        bool(mode.direction_stim),
        bool(mode.timestamp),
        bool(mode.dto_ctr),
        bool(mode.pid_off),
    )
    wants = (
        one.event_channel,
        one.prescaler,
        one.stim,
        one.timestamp,
        one.dto_ctr,
        one.pid_off,
    )
    if has != wants:
        names = ("event", "prescaler", "direction STIM", "timestamp", "counter", "PID_OFF")
        name, old, new = next(
            (name, old, new) for name, old, new in zip(names, wants, has, strict=True) if old != new
        )
        raise ResumeError(f"DAQ list {one.daq_list}: {name}", expected=old, actual=new)
    if not mode.running:
        raise ResumeError(f"DAQ list {one.daq_list}", expected="running", actual="stopped")


def _compare_entries(daq_list: int, odt: int, entries: Sequence[OdtEntry]) -> Procedure[bool]:
    try:
        yield from ask(daq.SetDaqPtr(daq_list=daq_list, odt=odt, odt_entry=0))
        for at, wanted in enumerate(entries):
            reply = yield from ask(daq.ReadDaq())
            found = (reply.address_extension, reply.address, reply.size)
            if found != (wanted.address.extension, wanted.address.value, wanted.size):
                raise ResumeError(
                    f"DAQ list {daq_list}, ODT {odt}, entry {at}",
                    expected=f"{wanted.size} at {wanted.address}",
                    actual=f"{reply.size} at {reply.address:#x}",
                )
    except NegativeResponseError:
        return False
    return True


def check_resumed(found: StoreStatus, identifier: int) -> None:
    """That the slave runs the lists of a session configuration id since power-up.

    Raises:
        RemoteProtocolError: it does not run stored lists.
        ResumeError: it runs those of another id.
    """
    if not found.is_resumed:
        raise RemoteProtocolError(
            "resume: the slave does not run stored DAQ lists.",
            hint="They start at power-up, once store_measurement() was done; was it restarted?",
        )
    if found.session_configuration_id != identifier:
        raise ResumeError(
            "session configuration id of the lists that run",
            expected=identifier,
            actual=found.session_configuration_id,
        )
