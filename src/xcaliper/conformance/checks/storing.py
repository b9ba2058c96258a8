"""Rules about what SET_REQUEST stores; only where allowed, and only where nothing is stored yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info, pag_info
from xcaliper.conformance.lists import bind, cleared, set_up, write_entries
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq
from xcaliper.xcp.codes import PID_ERR, PID_EV, PID_RES, ErrorCode, EventCode, SetRequestMode
from xcaliper.xcp.std import GetStatus, SetRequest

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_STO: Final = Group.STORING
_MAY: Final = Permission.STORE
_CAL_PENDING: Final = 0x01
_DAQ_PENDING: Final = 0x04
_CLEAR_PENDING: Final = 0x08
_RESUME: Final = 0x80
_ID: Final = 0x5AA5
_POLLS: Final = 200
_BUSY: Final = (
    ErrorCode.ERR_CMD_BUSY,
    ErrorCode.ERR_PGM_ACTIVE,
    ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE,
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What became of one request.

    Attributes:
        refused: error code of its refusal; None = it was taken.
        again: answer to the same request while it was pending; empty = it was done at once.
        pending: it was still pending when patience ended.
        told: the event came.
        identifier: session configuration id when it was done.
    """

    refused: int | None
    again: bytes = b""
    pending: bool = False
    told: bool = False
    identifier: int = 0


def _count(probe: Probe, event: EventCode) -> int:
    return sum(one[:2] == bytes((PID_EV, event)) for one in probe.observed.events)


def _request(probe: Probe, mode: SetRequestMode, flag: int, event: EventCode) -> _Stored:
    """Ask for something to be stored, and wait until it is."""
    before = _count(probe, event)
    request = SetRequest(mode=mode, session_configuration_id=_ID)
    answer = probe.ask(request)
    if answer is None or answer[0] != PID_RES:
        return _Stored(answer[1] if answer is not None and len(answer) > 1 else 0)
    again, pending, identifier = b"", True, 0
    for turn in range(_POLLS):
        status = probe.use(GetStatus())
        identifier = status.session_configuration_id
        pending = bool(int(status.session_status) & flag)
        if not pending:
            break
        if not turn:
            again = probe.ask(request) or b""
        probe.listen(probe.limits.quiet_ns // 4)
    probe.listen(probe.limits.quiet_ns)
    told = _count(probe, event) > before
    return _Stored(None, again, pending, told, identifier)


def _calibration(probe: Probe) -> _Stored:
    if not pag_info(probe).pag_properties.freeze_supported:
        raise SkippedError("the slave does not support FREEZE.")
    mode = SetRequestMode.of(store_cal_req=1)
    return probe.fact(
        "stored cal", lambda p: _request(p, mode, _CAL_PENDING, EventCode.EV_STORE_CAL)
    )


def _lists(probe: Probe) -> tuple[_Stored, _Stored]:
    """Store one list without RESUME, and clear it again."""
    if not daq_info(probe).daq_properties.resume_supported:
        raise SkippedError("the slave does not store lists.")
    return probe.fact("stored lists", _store_and_clear)


def _store_and_clear(probe: Probe) -> tuple[_Stored, _Stored]:
    if probe.use(GetStatus()).session_configuration_id:
        raise SkippedError("lists are stored already; they are somebody's.")
    store, clear = (
        SetRequestMode.of(store_daq_req_no_resume=1),
        SetRequestMode.of(clear_daq_req=1),
    )
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        _, setup = bind(probe, setup)
        probe.use(daq.StartStopDaqList(mode=2, daq_list=setup.number))
        stored = _request(probe, store, _DAQ_PENDING, EventCode.EV_STORE_DAQ)
        return stored, _request(probe, clear, _CLEAR_PENDING, EventCode.EV_CLEAR_DAQ)


def _taken(probe: Probe, found: _Stored, what: str) -> None:
    refused = "" if found.refused is None else f"0x{found.refused:02X}"
    probe.demand(not refused, f"{what} was refused with {refused} or not answered.")
    probe.demand(not found.pending, f"{what} is still pending after {_POLLS} looks at GET_STATUS.")


@rule(
    "STO-001",
    _STO,
    "RESUME only where it is supported",
    "A slave without RESUME_SUPPORTED is not in RESUME mode.",
    "GET_STATUS, 1.0",
)
def _resume(probe: Probe) -> None:
    if daq_info(probe).daq_properties.resume_supported:
        raise SkippedError("the slave supports RESUME.")
    found = int(probe.use(GetStatus()).session_status)
    probe.demand(not found & _RESUME, "RESUME is set, and RESUME_SUPPORTED is not.")


@rule(
    "STO-002",
    _STO,
    "RESUME is refused where it is not supported",
    "STORE_DAQ_REQ with RESUME is refused by a slave without RESUME_SUPPORTED.",
    "SET_REQUEST, 1.0",
    needs=_MAY,
)
def _no_resume(probe: Probe) -> None:
    if daq_info(probe).daq_properties.resume_supported:
        raise SkippedError("the slave supports RESUME.")
    mode = SetRequestMode.of(store_daq_req_resume=1)
    probe.refused(
        SetRequest(mode=mode, session_configuration_id=_ID),
        ErrorCode.ERR_OUT_OF_RANGE,
        ErrorCode.ERR_MODE_NOT_VALID,
        ErrorCode.ERR_DAQ_CONFIG,
    )


@rule(
    "STO-003",
    _STO,
    "Calibration data is stored",
    "With FREEZE_SUPPORTED, STORE_CAL_REQ is taken, and its bit of SESSION_STATUS falls when it is done. "
    "No segment is in FREEZE mode then, unless the application put it there.",
    "SET_REQUEST, 1.0",
    needs=_MAY,
)
def _store_cal(probe: Probe) -> None:
    found = _calibration(probe)
    probe.cite("stored cal")
    _taken(probe, found, "STORE_CAL_REQ")


@rule(
    "STO-004",
    _STO,
    "The end of storing is told",
    "EV_STORE_CAL tells that STORE_CAL_REQ is done.",
    "EV_STORE_CAL, 1.0",
    severity=Severity.NOTE,
    needs=_MAY,
)
def _told(probe: Probe) -> None:
    found = _calibration(probe)
    if found.refused is not None or found.pending:
        raise SkippedError("builds on STORE_CAL_REQ, which another rule judges.")
    probe.demand(found.told, "no EV_STORE_CAL came.")


@rule(
    "STO-005",
    _STO,
    "One request at a time",
    "SET_REQUEST is refused as busy while an earlier request is pending.",
    "SET_REQUEST, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _busy(probe: Probe) -> None:
    again = _calibration(probe).again
    if not again:
        raise SkippedError("no request was seen pending.")
    right = again[0] == PID_ERR and again[1:2] in {bytes((code,)) for code in _BUSY}
    probe.demand(right, "a second STORE_CAL_REQ was not refused as busy.")


@rule(
    "STO-006",
    _STO,
    "Stored lists have their id",
    "After STORE_DAQ_REQ, GET_STATUS gives the session configuration id of the request.",
    "SET_REQUEST, 1.0",
    needs=_MAY,
)
def _identified(probe: Probe) -> None:
    found, _ = _lists(probe)
    _taken(probe, found, "STORE_DAQ_REQ")
    told = found.identifier
    probe.demand(told == _ID, f"the id is 0x{told:04X} after storing with 0x{_ID:04X}.")


@rule(
    "STO-007",
    _STO,
    "Stored lists are erased",
    "After CLEAR_DAQ_REQ nothing is stored: the session configuration id is 0.",
    "SET_REQUEST, 1.0",
    needs=_MAY,
)
def _erased(probe: Probe) -> None:
    stored, found = _lists(probe)
    if stored.refused is not None or stored.pending:
        raise SkippedError("builds on STORE_DAQ_REQ, which another rule judges.")
    _taken(probe, found, "CLEAR_DAQ_REQ")
    probe.demand(not found.identifier, f"the id is 0x{found.identifier:04X} after CLEAR_DAQ_REQ.")


RULES: Final[tuple[Rule, ...]] = (
    _resume,
    _no_resume,
    _store_cal,
    _told,
    _busy,
    _identified,
    _erased,
)
