"""Rules about making room for DAQ lists and pointing into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.conformance.facts import daq_info
from xcaliper.conformance.lists import cleared, set_up
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.probe import Probe
    from xcaliper.proto.command import Request

__all__ = ["RULES"]

_DQC: Final = Group.DAQ_CONFIG
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_CONFIG: Final = ErrorCode.ERR_DAQ_CONFIG
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_MAY: Final = Permission.DAQ


def _dynamic(probe: Probe) -> int:
    """Number of the first dynamic list.

    Raises:
        SkippedError: lists are static.
    """
    info = daq_info(probe)
    if not info.daq_properties.dynamic:
        raise SkippedError("the slave's lists are static.")
    return info.min_daq


@rule(
    "DQC-001",
    _DQC,
    "FREE_DAQ is answered",
    "FREE_DAQ is always possible with dynamic lists.",
    "FREE_DAQ, 1.0",
    needs=_MAY,
)
def _free(probe: Probe) -> None:
    _dynamic(probe)
    probe.subject(daq.FreeDaq())


def _after(*before: str) -> Callable[[Probe, Request[Any]], None]:
    """A check that the request is refused with ERR_SEQUENCE behind the commands."""

    def check(probe: Probe, wrong: Request[Any]) -> None:
        number = daq_info(probe).min_daq
        with cleared(probe):
            probe.use(daq.FreeDaq())
            if "daq" in before:
                probe.use(daq.AllocDaq(daq_count=1))
            if "odt" in before:
                probe.use(daq.AllocOdt(daq_list=number, odt_count=1))
            if "entry" in before:
                probe.use(daq.AllocOdtEntry(daq_list=number, odt=0, entry_count=1))
            probe.refused(wrong, _SEQUENCE)

    return check


@rule(
    "DQC-002",
    _DQC,
    "ALLOC_ODT needs lists",
    "ALLOC_ODT directly behind FREE_DAQ is refused with ERR_SEQUENCE.",
    "ALLOC_ODT, 1.0",
    needs=_MAY,
)
def _odt_first(probe: Probe) -> None:
    _after()(probe, daq.AllocOdt(daq_list=_dynamic(probe), odt_count=1))


@rule(
    "DQC-003",
    _DQC,
    "ALLOC_ODT_ENTRY needs lists",
    "ALLOC_ODT_ENTRY directly behind FREE_DAQ is refused with ERR_SEQUENCE.",
    "ALLOC_ODT_ENTRY, 1.0",
    needs=_MAY,
)
def _entry_first(probe: Probe) -> None:
    _after()(probe, daq.AllocOdtEntry(daq_list=_dynamic(probe), odt=0, entry_count=1))


@rule(
    "DQC-004",
    _DQC,
    "ALLOC_ODT_ENTRY needs ODTs",
    "ALLOC_ODT_ENTRY directly behind ALLOC_DAQ is refused with ERR_SEQUENCE.",
    "ALLOC_ODT_ENTRY, 1.0",
    needs=_MAY,
)
def _entry_early(probe: Probe) -> None:
    _after("daq")(probe, daq.AllocOdtEntry(daq_list=_dynamic(probe), odt=0, entry_count=1))


@rule(
    "DQC-005",
    _DQC,
    "ALLOC_DAQ comes first",
    "ALLOC_DAQ behind ALLOC_ODT is refused with ERR_SEQUENCE.",
    "ALLOC_DAQ, 1.0",
    needs=_MAY,
)
def _daq_late(probe: Probe) -> None:
    _dynamic(probe)
    _after("daq", "odt")(probe, daq.AllocDaq(daq_count=1))


@rule(
    "DQC-006",
    _DQC,
    "ODTs come before entries",
    "ALLOC_ODT behind ALLOC_ODT_ENTRY is refused with ERR_SEQUENCE.",
    "ALLOC_ODT, 1.0",
    needs=_MAY,
)
def _odt_late(probe: Probe) -> None:
    number = _dynamic(probe)
    _after("daq", "odt", "entry")(probe, daq.AllocOdt(daq_list=number, odt_count=1))


@rule(
    "DQC-007",
    _DQC,
    "No lists allocated",
    "ALLOC_DAQ of 0 lists is refused with ERR_OUT_OF_RANGE.",
    "ALLOC_DAQ, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _alloc_nothing(probe: Probe) -> None:
    _dynamic(probe)
    with cleared(probe):
        probe.use(daq.FreeDaq())
        probe.refused(daq.AllocDaq(daq_count=0), _RANGE)


@rule(
    "DQC-008",
    _DQC,
    "ODTs for a list that does not exist",
    "ALLOC_ODT of a list that was not allocated is refused with ERR_OUT_OF_RANGE.",
    "ALLOC_ODT, 1.0",
    needs=_MAY,
)
def _no_list(probe: Probe) -> None:
    number = _dynamic(probe)
    with cleared(probe):
        probe.use(daq.FreeDaq())
        probe.use(daq.AllocDaq(daq_count=1))
        probe.refused(daq.AllocOdt(daq_list=number + 1, odt_count=1), _RANGE)


@rule(
    "DQC-009",
    _DQC,
    "MAX_DAQ counts allocated lists",
    "With dynamic lists MAX_DAQ is MIN_DAQ plus the lists that are allocated.",
    "GET_DAQ_PROCESSOR_INFO, 1.0",
    severity=Severity.NOTE,
    needs=_MAY,
)
def _max_daq(probe: Probe) -> None:
    number = _dynamic(probe)
    if number > daq_info(probe).max_daq:
        raise SkippedError("builds on MIN_DAQ and MAX_DAQ, which another rule judges.")
    with cleared(probe):
        probe.use(daq.FreeDaq())
        probe.use(daq.AllocDaq(daq_count=2))
        found = probe.use(daq.GetDaqProcessorInfo()).max_daq
        probe.demand(found == number + 2, f"MAX_DAQ is {found} with {number} + 2 lists.")


@rule(
    "DQC-010",
    _DQC,
    "FREE_DAQ removes lists",
    "After FREE_DAQ dynamic lists do not exist any more.",
    "FREE_DAQ, 1.0",
    needs=_MAY,
)
def _removed(probe: Probe) -> None:
    _dynamic(probe)
    with cleared(probe):
        setup = set_up(probe)
        probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))
        probe.use(daq.FreeDaq())
        wrong = daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0)
        probe.refused(wrong, _RANGE, _CONFIG, _SEQUENCE)


@rule(
    "DQC-011",
    _DQC,
    "Pointer to a list that does not exist",
    "SET_DAQ_PTR to a list that does not exist is refused.",
    "SET_DAQ_PTR, 1.0",
    needs=_MAY,
)
def _pointer_list(probe: Probe) -> None:
    with cleared(probe):
        set_up(probe)
        probe.refused(daq.SetDaqPtr(daq_list=0xFFFE, odt=0, odt_entry=0), _RANGE, _CONFIG)


@rule(
    "DQC-012",
    _DQC,
    "Pointer to an ODT that does not exist",
    "SET_DAQ_PTR to an ODT that the list has not is refused.",
    "SET_DAQ_PTR, 1.0",
    needs=_MAY,
)
def _pointer_odt(probe: Probe) -> None:
    _dynamic(probe)
    with cleared(probe):
        setup = set_up(probe)
        wrong = daq.SetDaqPtr(daq_list=setup.number, odt=setup.odts, odt_entry=0)
        probe.refused(wrong, _RANGE, _CONFIG)


@rule(
    "DQC-013",
    _DQC,
    "Pointer to an entry that does not exist",
    "SET_DAQ_PTR to an entry that the ODT has not is refused.",
    "SET_DAQ_PTR, 1.0",
    needs=_MAY,
)
def _pointer_entry(probe: Probe) -> None:
    _dynamic(probe)
    with cleared(probe):
        setup = set_up(probe)
        wrong = daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=setup.entries)
        probe.refused(wrong, _RANGE, _CONFIG)


RULES: Final[tuple[Rule, ...]] = (
    _free,
    _odt_first,
    _entry_first,
    _entry_early,
    _daq_late,
    _odt_late,
    _alloc_nothing,
    _no_list,
    _max_daq,
    _removed,
    _pointer_list,
    _pointer_odt,
    _pointer_entry,
)
