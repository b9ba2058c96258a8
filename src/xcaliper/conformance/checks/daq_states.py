"""Rules about what is possible while lists run, and about starting and stopping them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info
from xcaliper.conformance.lists import (
    bind,
    cleared,
    set_up,
    start,
    write_entries,
)
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq
from xcaliper.xcp.codes import PID_RES, ErrorCode
from xcaliper.xcp.std import GetStatus

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_RUN: Final = Group.DAQ_RUN
_ACTIVE: Final = ErrorCode.ERR_DAQ_ACTIVE
_MAY: Final = Permission.DAQ
_RUNNING: Final = 0x40


def _refused_running(probe: Probe, kind: str) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        mode, setup = bind(probe, setup)
        setup, _ = start(probe, setup)
        if kind == "pointer":
            probe.refused(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0), _ACTIVE)
        elif kind == "mode":
            event = setup.event.number
            request = daq.SetDaqListMode(mode=mode, daq_list=setup.number, event_channel=event)
            probe.refused(request, _ACTIVE)
        else:
            probe.refused(daq.AllocDaq(daq_count=1), _ACTIVE, ErrorCode.ERR_SEQUENCE)


@rule(
    "RUN-016",
    _RUN,
    "Entries of a running list",
    "SET_DAQ_PTR to a list that runs is refused with ERR_DAQ_ACTIVE.",
    "SET_DAQ_PTR, 1.0",
    needs=_MAY,
)
def _pointer(probe: Probe) -> None:
    _refused_running(probe, "pointer")


@rule(
    "RUN-017",
    _RUN,
    "Mode of a running list",
    "SET_DAQ_LIST_MODE of a list that runs is refused with ERR_DAQ_ACTIVE.",
    "SET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _set_mode(probe: Probe) -> None:
    _refused_running(probe, "mode")


@rule(
    "RUN-018",
    _RUN,
    "No allocation while lists run",
    "ALLOC_DAQ while lists run is refused.",
    "ALLOC_DAQ, 1.0",
    needs=_MAY,
)
def _allocate(probe: Probe) -> None:
    if not daq_info(probe).daq_properties.dynamic:
        raise SkippedError("the slave's lists are static.")
    _refused_running(probe, "allocation")


@rule(
    "RUN-019",
    _RUN,
    "DISCONNECT stops lists",
    "After DISCONNECT no list sends any more, RESUME mode left out.",
    "DISCONNECT, 1.0",
    needs=_MAY,
)
def _disconnect(probe: Probe) -> None:
    setup = set_up(probe)
    write_entries(probe, setup)
    _, setup = bind(probe, setup)
    start(probe, setup)
    answer = probe.disconnect()
    if answer is None or answer[0] != PID_RES:
        raise SkippedError("builds on DISCONNECT, which did not work.")
    probe.measuring = True
    probe.listen(probe.limits.quiet_ns)
    probe.take_dtos()
    probe.listen(probe.limits.quiet_ns)
    late = len(probe.take_dtos())
    probe.measuring = False
    probe.demand(not late, f"{late} packets came long after DISCONNECT.")


@rule(
    "RUN-020",
    _RUN,
    "Stopping one list",
    "START_STOP_DAQ_LIST with mode 0 stops the list, which the status shows.",
    "START_STOP_DAQ_LIST, 1.0",
    needs=_MAY,
)
def _stop_one(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        _, setup = bind(probe, setup)
        setup, _ = start(probe, setup)
        running = int(probe.use(GetStatus()).session_status) & _RUNNING
        if not running:
            raise SkippedError("builds on DAQ_RUNNING, which another rule judges.")
        probe.subject(daq.StartStopDaqList(mode=0, daq_list=setup.number))
        after = int(probe.use(GetStatus()).session_status) & _RUNNING
        probe.demand(not after, "DAQ_RUNNING is set after the only list was stopped.")


@rule(
    "RUN-021",
    _RUN,
    "Stopping selected lists",
    "START_STOP_SYNCH with mode 2 stops the lists that were selected.",
    "START_STOP_SYNCH, 1.0",
    needs=_MAY,
)
def _stop_selected(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        _, setup = bind(probe, setup)
        setup, _ = start(probe, setup)
        if not int(probe.use(GetStatus()).session_status) & _RUNNING:
            raise SkippedError("builds on DAQ_RUNNING, which another rule judges.")
        probe.use(daq.StartStopDaqList(mode=2, daq_list=setup.number))
        probe.subject(daq.StartStopSynch(mode=2))
        after = int(probe.use(GetStatus()).session_status) & _RUNNING
        probe.demand(not after, "DAQ_RUNNING is set after the only list was stopped.")


@rule(
    "RUN-022",
    _RUN,
    "Starting one list",
    "START_STOP_DAQ_LIST with mode 1 starts a list without START_STOP_SYNCH.",
    "START_STOP_DAQ_LIST, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _start_one(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        _, setup = bind(probe, setup)
        probe.measuring = True
        probe.subject(daq.StartStopDaqList(mode=1, daq_list=setup.number), 2)


RULES: Final[tuple[Rule, ...]] = (
    _pointer,
    _set_mode,
    _allocate,
    _disconnect,
    _stop_one,
    _stop_selected,
    _start_one,
)
