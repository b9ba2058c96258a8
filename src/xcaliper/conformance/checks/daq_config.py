"""Rules about allocating, filling and binding DAQ lists; nothing is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.conformance.facts import daq_info, event_infos, region, resolution
from xcaliper.conformance.lists import bind, cleared, set_up, write_entries
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq
from xcaliper.xcp.codes import PID_ERR, DaqListModeRequest, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.lists import Setup
    from xcaliper.conformance.probe import Probe
    from xcaliper.proto.command import Request

__all__ = ["RULES"]

_DQC: Final = Group.DAQ_CONFIG
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_CONFIG: Final = ErrorCode.ERR_DAQ_CONFIG
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_SYNTAX: Final = ErrorCode.ERR_CMD_SYNTAX
_NO_MODE: Final = ErrorCode.ERR_MODE_NOT_VALID
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


def _written(probe: Probe, setup: Setup, entry: int) -> daq.ReadDaqResponse:
    probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=entry))
    return probe.use(daq.ReadDaq())


def _same(found: daq.ReadDaqResponse, setup: Setup, entry: int) -> bool:
    at = setup.address + entry * setup.size
    right = (0xFF, setup.size, at.extension, at.value)
    return (found.bit_offset, found.size, found.address_extension, found.address) == right


def _write_one(probe: Probe, setup: Setup, entry: int = 0) -> None:
    at = setup.address + entry * setup.size
    probe.use(daq.WriteDaq(size=setup.size, address=at.value, address_extension=at.extension))


def _read_back_works(probe: Probe, setup: Setup) -> None:
    """Skip the rule unless a single entry reads as written."""
    probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))
    _write_one(probe, setup)
    if not _same(_written(probe, setup, 0), setup, 0):
        raise SkippedError("builds on READ_DAQ, which another rule judges.")
    probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))


@rule(
    "DQC-014",
    _DQC,
    "READ_DAQ gives what was written",
    "READ_DAQ gives size, address and bit offset that WRITE_DAQ wrote.",
    "READ_DAQ, 1.0",
    needs=_MAY,
)
def _read_back(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))
        _write_one(probe, setup)
        found = _written(probe, setup, 0)
        probe.demand(_same(found, setup, 0), f"the first entry reads as {found}.")


@rule(
    "DQC-015",
    _DQC,
    "WRITE_DAQ moves on",
    "WRITE_DAQ moves the pointer to the next entry.",
    "WRITE_DAQ, 1.0",
    needs=_MAY,
)
def _write_moves(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        _read_back_works(probe, setup)
        _write_one(probe, setup, 0)
        _write_one(probe, setup, 1)
        found = [_written(probe, setup, entry) for entry in (0, 1)]
        good = all(_same(one, setup, entry) for entry, one in enumerate(found))
        probe.demand(good, f"two entries written in a row read as {found}.")


@rule(
    "DQC-016",
    _DQC,
    "READ_DAQ moves on",
    "READ_DAQ moves the pointer to the next entry.",
    "READ_DAQ, 1.0",
    needs=_MAY,
)
def _read_moves(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        if not all(_same(_written(probe, setup, entry), setup, entry) for entry in (0, 1)):
            raise SkippedError("builds on READ_DAQ and WRITE_DAQ, which other rules judge.")
        _written(probe, setup, 0)
        found = probe.use(daq.ReadDaq())
        probe.demand(_same(found, setup, 1), f"the second READ_DAQ in a row gives {found}.")


@rule(
    "DQC-017",
    _DQC,
    "WRITE_DAQ_MULTIPLE writes the same",
    "Entries written by WRITE_DAQ_MULTIPLE read as if written one by one.",
    "WRITE_DAQ_MULTIPLE, 1.1",
    needs=_MAY,
)
def _multiple(probe: Probe) -> None:
    if probe.profile.max_cto < 18:
        raise SkippedError("MAX_CTO has no room for two entries.")
    with cleared(probe):
        setup = set_up(probe)
        _read_back_works(probe, setup)
        places = [setup.address + entry * setup.size for entry in (0, 1)]
        parts = tuple(
            daq.DaqElement(size=setup.size, address=at.value, address_extension=at.extension)
            for at in places
        )
        probe.subject(daq.WriteDaqMultiple(count=2, elements=parts))
        good = all(_same(_written(probe, setup, entry), setup, entry) for entry in (0, 1))
        probe.demand(good, "the entries read otherwise than they were written.")


@rule(
    "DQC-018",
    _DQC,
    "Entry that is too large",
    "An entry larger than MAX_ODT_ENTRY_SIZE is refused.",
    "WRITE_DAQ, 1.0",
    needs=_MAY,
)
def _too_large(probe: Probe) -> None:
    largest = resolution(probe).max_entry_size_daq
    if largest * probe.profile.ag < resolution(probe).granularity_daq:
        raise SkippedError("builds on the largest entry, which another rule judges.")
    with cleared(probe):
        setup = set_up(probe)
        size = largest + setup.size
        if size > 0xFF:
            raise SkippedError("no size is too large.")
        probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))
        at = setup.address
        wrong = daq.WriteDaq(size=size, address=at.value, address_extension=at.extension)
        probe.refused(wrong, _RANGE, _CONFIG)


@rule(
    "DQC-019",
    _DQC,
    "Entry that does not fit the granularity",
    "An entry whose size is no multiple of the granularity is refused.",
    "WRITE_DAQ, 1.0",
    needs=_MAY,
)
def _odd_size(probe: Probe) -> None:
    if resolution(probe).granularity_daq not in (1, 2, 4, 8):
        raise SkippedError("builds on the granularity, which another rule judges.")
    if resolution(probe).granularity_daq <= probe.profile.ag:
        raise SkippedError("every size fits.")
    with cleared(probe):
        setup = set_up(probe)
        probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=0))
        at = setup.address
        wrong = daq.WriteDaq(size=setup.size + 1, address=at.value, address_extension=at.extension)
        probe.refused(wrong, _RANGE, _CONFIG)


def _mode_of(probe: Probe, setup: Setup) -> daq.GetDaqListModeResponse:
    return probe.use(daq.GetDaqListMode(daq_list=setup.number))


@rule(
    "DQC-020",
    _DQC,
    "Mode of a list is kept",
    "GET_DAQ_LIST_MODE gives event, prescaler and timestamp bit that SET_DAQ_LIST_MODE set.",
    "GET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _mode_kept(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        mode, setup = bind(probe, setup)
        found = _mode_of(probe, setup)
        same = (
            found.event_channel == setup.event.number
            and found.prescaler == 1
            and found.mode.timestamp == mode.timestamp
        )
        probe.demand(same, f"the mode reads as {found}.")


@rule(
    "DQC-021",
    _DQC,
    "Prescaler 0",
    "A prescaler of 0 is refused with ERR_OUT_OF_RANGE.",
    "SET_DAQ_LIST_MODE, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _prescaler(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        mode, setup = bind(probe, setup)
        wrong = daq.SetDaqListMode(
            mode=mode, daq_list=setup.number, event_channel=setup.event.number, prescaler=0
        )
        probe.refused(wrong, _RANGE)


@rule(
    "DQC-022",
    _DQC,
    "Event that does not exist",
    "SET_DAQ_LIST_MODE with an event channel that does not exist is refused.",
    "SET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _no_event(probe: Probe) -> None:
    event_infos(probe)
    count = daq_info(probe).max_event_channel
    if count > 0xFFFE:
        raise SkippedError("every channel number exists.")
    with cleared(probe):
        setup = set_up(probe)
        mode, setup = bind(probe, setup)
        wrong = daq.SetDaqListMode(mode=mode, daq_list=setup.number, event_channel=count)
        probe.refused(wrong, _RANGE, _NO_MODE, _SYNTAX)


@rule(
    "DQC-023",
    _DQC,
    "Timestamps that cannot be switched off",
    "With TIMESTAMP_FIXED a mode without timestamps is refused.",
    "SET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _fixed(probe: Probe) -> None:
    if not resolution(probe).timestamp_mode.fixed:
        raise SkippedError("timestamps are not fixed.")
    with cleared(probe):
        setup = set_up(probe)
        wrong = daq.SetDaqListMode(
            mode=DaqListModeRequest(0), daq_list=setup.number, event_channel=setup.event.number
        )
        probe.refused(wrong, _SYNTAX, _NO_MODE, _RANGE)


@rule(
    "DQC-024",
    _DQC,
    "Select is told",
    "A list that was selected shows SELECTED in its mode.",
    "START_STOP_DAQ_LIST, 1.0",
    needs=_MAY,
)
def _selected(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        write_entries(probe, setup)
        _, setup = bind(probe, setup)
        probe.use(daq.StartStopDaqList(mode=2, daq_list=setup.number))
        probe.demand(_mode_of(probe, setup).mode.selected, "SELECTED is not set.")


@rule(
    "DQC-025",
    _DQC,
    "Empty list does not start",
    "Starting a list without event and entries is refused with ERR_DAQ_CONFIG.",
    "START_STOP_DAQ_LIST, 1.0",
    needs=_MAY,
)
def _empty(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        probe.measuring = True
        probe.refused(daq.StartStopDaqList(mode=1, daq_list=setup.number), _CONFIG, _NO_MODE)


@rule(
    "DQC-026",
    _DQC,
    "Unknown mode of START_STOP_DAQ_LIST",
    "A mode above 2 is refused with ERR_MODE_NOT_VALID.",
    "START_STOP_DAQ_LIST, 1.0",
    needs=_MAY,
)
def _list_mode(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        probe.refused(daq.StartStopDaqList(mode=0x7E, daq_list=setup.number), _NO_MODE, _RANGE)


@rule(
    "DQC-027",
    _DQC,
    "Unknown mode of START_STOP_SYNCH",
    "A mode above 3 is refused with ERR_MODE_NOT_VALID.",
    "START_STOP_SYNCH, 1.0",
    needs=_MAY,
)
def _synch_mode(probe: Probe) -> None:
    daq_info(probe)
    probe.refused(daq.StartStopSynch(mode=0x7E), _NO_MODE, _RANGE)


@rule(
    "DQC-028",
    _DQC,
    "Start of a list that does not exist",
    "START_STOP_DAQ_LIST of a list that does not exist is refused.",
    "START_STOP_DAQ_LIST, 1.0",
    needs=_MAY,
)
def _start_nothing(probe: Probe) -> None:
    daq_info(probe)
    probe.refused(daq.StartStopDaqList(mode=2, daq_list=0xFFFE), _RANGE, _CONFIG)


@rule(
    "DQC-029",
    _DQC,
    "ODT that is too long",
    "Entries that do not fit MAX_DTO together are refused, when written or at the start.",
    "WRITE_DAQ, 1.0",
    needs=_MAY,
)
def _too_long(probe: Probe) -> None:
    ag, grain = probe.profile.ag, max(resolution(probe).granularity_daq, 1)
    size = min(resolution(probe).max_entry_size_daq, region(probe).count)
    size -= size * ag % grain // ag
    if size * ag < grain:
        raise SkippedError("builds on the largest entry, which another rule judges.")
    count = probe.profile.max_dto // (size * ag) + 1
    if count > 0xFF:
        raise SkippedError("an ODT of so many entries cannot be had.")
    with cleared(probe):
        setup = set_up(probe, entries=count)
        _, setup = bind(probe, setup)
        at = setup.address
        for entry in range(count):
            probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=0, odt_entry=entry))
            request = daq.WriteDaq(size=size, address=at.value, address_extension=at.extension)
            answer = probe.ask(request)
            if answer is not None and answer[0] == PID_ERR:
                return
        probe.measuring = True
        start = daq.StartStopDaqList(mode=1, daq_list=setup.number)
        probe.refused(start, _CONFIG, _RANGE, ErrorCode.ERR_MEMORY_OVERFLOW)


@rule(
    "DQC-030",
    _DQC,
    "STIM where it is not possible",
    "Direction STIM at an event channel that serves DAQ only is refused.",
    "SET_DAQ_LIST_MODE, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _no_stim(probe: Probe) -> None:
    for event in event_infos(probe):
        bits = event.info.daq_event_properties
        if bits.daq and not bits.stim and event.info.max_daq_list:
            break
    else:
        raise SkippedError("every event channel serves STIM.")
    fixed = resolution(probe).timestamp_mode.fixed
    mode = DaqListModeRequest.of(direction_stim=1, timestamp=int(bool(fixed)))
    with cleared(probe):
        setup = set_up(probe)
        request = daq.SetDaqListMode(mode=mode, daq_list=setup.number, event_channel=event.number)
        probe.refused(request, _NO_MODE, _RANGE, _SYNTAX)


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
    _read_back,
    _write_moves,
    _read_moves,
    _multiple,
    _too_large,
    _odd_size,
    _mode_kept,
    _prescaler,
    _no_event,
    _fixed,
    _selected,
    _empty,
    _list_mode,
    _synch_mode,
    _start_nothing,
    _too_long,
    _no_stim,
)
