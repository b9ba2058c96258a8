"""Rules about what DAQ lists are told: entries, modes, events, selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info, event_infos, region, resolution
from xcaliper.conformance.lists import bind, cleared, set_up, write_entries
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import daq
from xcaliper.xcp.codes import PID_ERR, DaqListModeRequest, ErrorCode

if TYPE_CHECKING:
    from xcaliper.conformance.lists import Setup
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_DQC: Final = Group.DAQ_CONFIG
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_CONFIG: Final = ErrorCode.ERR_DAQ_CONFIG
_SYNTAX: Final = ErrorCode.ERR_CMD_SYNTAX
_NO_MODE: Final = ErrorCode.ERR_MODE_NOT_VALID
_MAY: Final = Permission.DAQ


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
