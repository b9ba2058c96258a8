"""What is asked for and what came out of planning, held against the slave's abilities."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from xcaliper.daq.capabilities import MAX_ODTS_STIM
from xcaliper.daq.event_choice import some
from xcaliper.daq.regions import NO_BIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.event_choice import Findings
    from xcaliper.daq.list_drafts import Group, ListDraft
    from xcaliper.daq.list_limits import ListLimits
    from xcaliper.daq.wanted import Wanted, WantedSignal

__all__ = ["check_lists", "check_prescalers", "check_request"]

MAX_LISTS: Final = 0xFFFF
MAX_PRESCALER: Final = 255
MAX_PRIORITY: Final = 255
#: Bits of the word that BIT_OFFSET counts in (XCP Base, WRITE_DAQ, 1.0).
MAX_BIT: Final = 31


def check_request(
    wanted: Wanted, caps: DaqCapabilities, limits: ListLimits, findings: Findings
) -> bool:
    """Every contradiction of the request as a whole; False when no list can hold what it has to.

    Where polling is allowed, signals that no list can hold are polled.
    """
    if not wanted.signals:
        findings.problem("no signal is wanted; name at least one")
    _check_names(wanted, findings)
    _check_modes(wanted, caps, findings)
    for signal in wanted.signals:
        if signal.stim:
            _check_stim(signal, caps, limits, findings)
    possible = True
    for stim in sorted({signal.stim for signal in wanted.signals}):
        reason = _no_lists(caps, limits, stim=stim)
        if not reason:
            continue
        if findings.allow_polling and not stim:
            for signal in wanted.signals:
                if not signal.stim:
                    findings.poll(signal, reason)
        else:
            findings.problem(reason)
            possible = False
    if limits.daq.timestamp_size == 0 and not all(signal.stim for signal in wanted.signals):
        findings.note(
            "daq-no-timestamp",
            "samples carry no timestamps.",
            "They get the time of the host, which is late and jitters.",
        )
    return possible


def _check_names(wanted: Wanted, findings: Findings) -> None:
    seen: set[str] = set()
    for signal in wanted.signals:
        if not signal.name or signal.name in seen:
            findings.problem(f"the name {signal.name!r} is used twice; names must differ")
        if signal.size_bytes <= 0:
            findings.problem(f"{signal.name} has no bytes; leave it out")
        seen.add(signal.name)
    unknown = [name for name in wanted.event_channels if name not in seen]
    if unknown:
        findings.problem(f"an event was chosen for {', '.join(unknown)}, which is not measured")


def _check_modes(wanted: Wanted, caps: DaqCapabilities, findings: Findings) -> None:
    if not 0 <= wanted.priority <= MAX_PRIORITY:
        findings.problem(f"priority {wanted.priority} is outside 0 … {MAX_PRIORITY}")
    if wanted.packed is not None and not 0 <= wanted.packed <= MAX_LISTS:
        findings.problem(f"packed={wanted.packed} is outside 0 … {MAX_LISTS} samples")
    if not wanted.timestamp and caps.clock is not None and caps.timestamp_fixed:
        findings.note(
            "daq-timestamp-fixed",
            "this slave cannot switch timestamps off.",
            "Samples carry them all the same.",
        )
    if wanted.dto_ctr and caps.dto_ctr is False:
        findings.problem("the A2L offers no DTO counter; switch dto_ctr off")
    if wanted.pid_off and not caps.pid_off:
        findings.problem("the slave cannot leave the identification field out; switch pid_off off")
    elif wanted.pid_off and caps.identification_field:
        findings.problem(
            "PID_OFF works with absolute identification fields only, this slave's are relative; "
            "switch pid_off off"
        )
    elif wanted.pid_off and caps.link is not None and caps.link.kind == "ethernet":
        findings.problem(
            "PID_OFF tells lists apart by CAN identifiers, which Ethernet has not; switch pid_off off"
        )
    if wanted.alternating and caps.clock is not None and caps.timestamp_fixed:
        findings.problem(
            "alternating lists carry no timestamps, and this slave cannot switch them off; "
            "switch alternating off"
        )


def _check_stim(
    signal: WantedSignal, caps: DaqCapabilities, limits: ListLimits, findings: Findings
) -> None:
    """Writing must not touch bytes that belong to others."""
    grain, first = limits.least_entry(stim=True), signal.address.value * caps.ag
    if signal.bit is not None:
        if not caps.bit_stim:
            findings.problem(
                f"{signal.name}: the slave stimulates no single bits; use whole values"
            )
        if not 0 <= signal.bit <= MAX_BIT:
            findings.problem(f"{signal.name}: bit {signal.bit} is outside 0 … {MAX_BIT}")
        if grain != limits.granularity(stim=True):
            findings.problem(
                f"{signal.name}: entries of single bits have {limits.granularity(stim=True)} bytes, "
                f"this slave wants {grain} in each; use whole values"
            )
        size = 0
    else:
        size = signal.size_bytes
    grain_start = limits.granularity(stim=True)
    if first % grain_start or size % grain:
        findings.problem(
            f"{signal.name}: {size} bytes at {first:#x} are not a multiple of the {grain} bytes that "
            "STIM entries have; stimulate a larger object around it"
        )


def _no_lists(caps: DaqCapabilities, limits: ListLimits, *, stim: bool) -> str:
    """Why no list of a direction can hold anything; empty when one can."""
    if not caps.dynamic and not caps.lists:
        return (
            "the slave has static DAQ lists, whose sizes are not known; "
            "add DAQ_LIST blocks to the A2L, or use a slave that tells them"
        )
    return "" if _has_room(limits, stim=stim) else _no_room(caps, limits, stim=stim)


def _has_room(limits: ListLimits, *, stim: bool) -> bool:
    head = limits.header(stim=stim)
    return limits.payload(head.first_header_size, stim=stim) >= limits.least_entry(stim=stim)


def _no_room(caps: DaqCapabilities, limits: ListLimits, *, stim: bool) -> str:
    head = limits.header(stim=stim)
    header = head.first_header_size
    need = header + limits.least_entry(stim=stim)
    name = "MAX_DTO_STIM" if stim and caps.max_dto_stim else "MAX_DTO"
    text = (
        f"{name} {limits.max_dto(stim=stim)} leaves no room for data behind {header} bytes of header; "
        f"{name} {need} would do"
    ).replace(" 1 bytes", " 1 byte")
    if head.timestamp_size and not caps.timestamp_fixed:
        text += ", or switch timestamps off"
    return text


def check_prescalers(
    groups: Iterable[Group], wanted: Wanted, caps: DaqCapabilities, findings: Findings
) -> None:
    """Prescalers and alternating lists, event by event."""
    for group in groups:
        event, prescaler = group.event, wanted.prescaler_of(group.event.number)
        if group.stim:
            continue  # only lists of direction DAQ have one
        if not 1 <= prescaler <= MAX_PRESCALER:
            findings.problem(
                f"prescaler {prescaler} of event {event.label} is outside 1 … {MAX_PRESCALER}"
            )
        elif prescaler > 1 and not caps.prescaler:
            findings.problem(
                f"the slave has no prescaler, {prescaler} is wanted for event {event.label}; "
                "use 1 or a slower event"
            )
        display = caps.alternating_event
        if wanted.alternating and display not in (None, event.number):
            findings.problem(
                f"event {event.label} is not the display event that lists can alternate on; "
                f"use event {display}, or switch alternating off"
            )


def check_lists(
    drafts: Sequence[ListDraft], wanted: Wanted, caps: DaqCapabilities, findings: Findings
) -> None:
    """Numbers of lists and ODTs, over everything."""
    made = sum(draft.static is None for draft in drafts)
    most = 0x100 if caps.identification_field == 1 else MAX_LISTS
    if caps.min_daq + made > most:
        findings.problem(
            f"{made} DAQ lists behind {caps.min_daq} predefined ones are needed, "
            f"{most} can be told apart; use fewer events"
        )
    stim = [draft for draft in drafts if draft.stim]
    for draft in stim:
        if not findings.problems and _writes_foreign_bytes(draft, caps.ag):
            findings.problem(
                f"event {draft.event.number} ({draft.event.label}): STIM entries of fixed length would "
                f"write bytes beside {some([signal.name for signal in draft.signals])}; "
                "stimulate objects that do not overlap, or larger ones"
            )
    odts = sum(len(draft.packed.odts) for draft in stim)
    if caps.identification_field == 0 and odts > MAX_ODTS_STIM:
        names = some([signal.name for draft in stim for signal in draft.signals])
        findings.problem(
            f"{odts} ODTs of direction STIM are needed and {MAX_ODTS_STIM} have numbers; "
            f"leave out some of {names}"
        )
    if wanted.pid_off and stim:
        findings.note(
            "daq-stim-identified",
            "lists of direction STIM keep their identification field.",
            "PID_OFF is used for lists of direction DAQ only.",
        )


def _writes_foreign_bytes(draft: ListDraft, ag: int) -> bool:
    """Whether entries cover memory that belongs to no signal of the list."""
    owned = sorted(
        (s.address.extension, s.address.value * ag, s.address.value * ag + s.size_bytes)
        for s in draft.signals
        if s.bit is None
    )
    runs: list[tuple[int, int, int]] = []
    for extension, start, end in owned:
        if runs and runs[-1][0] == extension and start <= runs[-1][2]:
            runs[-1] = (extension, runs[-1][1], max(end, runs[-1][2]))
        else:
            runs.append((extension, start, end))
    starts = [run[:2] for run in runs]
    for odt in draft.packed.odts:
        for entry in odt.entries:
            first = entry.address.value * ag
            if entry.bit_offset != NO_BIT:
                continue
            place = bisect_right(starts, (entry.address.extension, first)) - 1
            if (
                place < 0
                or runs[place][0] != entry.address.extension
                or first + entry.size * ag > runs[place][2]
            ):
                return True
    return False
