"""Rules about lists of direction STIM; they run only where that is allowed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, daq_info, event_infos, read, resolution
from xcaliper.conformance.lists import cleared, set_up, write_entries
from xcaliper.conformance.model import Group, Permission, Rule, SkippedError, rule
from xcaliper.core.datatypes import ByteOrder
from xcaliper.xcp import cal, daq, std
from xcaliper.xcp.codes import PID_EV, DaqListModeRequest, EventCode
from xcaliper.xcp.timecorr import DtoCtrMode, DtoCtrModifier, DtoCtrProperties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.conformance.facts import EventFacts
    from xcaliper.conformance.lists import Setup
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_STM: Final = Group.STIMULATION
_MAY: Final = Permission.STIM
_ROUNDS: Final = 8
_EVENT_BYTES: Final = 6
_MAX_CYCLE_NS: Final = 200_000_000
_COUNTERS: Final = (0x11, 0x77, 0xC3)


def _stimulus(probe: Probe, *, counted: bool = False) -> Setup:
    """A list of direction STIM that runs, on a cyclic event that serves it.

    Raises:
        SkippedError: there is no such event, or some step was refused.
    """
    event = _event(probe)
    size = max(resolution(probe).granularity_stim // probe.profile.ag, 1)
    setup = replace(set_up(probe, entries=1), event=event, size=size, counted=counted)
    write_entries(probe, setup)
    mode = DaqListModeRequest.of(direction_stim=1, dto_ctr=int(counted))
    probe.use(
        daq.SetDaqListMode(
            mode=mode,
            daq_list=setup.number,
            event_channel=event.number,
            prescaler=1,
            priority=0,
        )
    )
    told = probe.use(daq.StartStopDaqList(mode=2, daq_list=setup.number))
    probe.measuring = True
    probe.use(daq.StartStopSynch(mode=1))
    return replace(setup, first_pid=told.first_pid)


def _event(probe: Probe) -> EventFacts:
    if not connect_response(probe).resource.stim:
        raise SkippedError("the slave does not announce STIM.")
    usable = [
        event
        for event in event_infos(probe)
        if event.info.daq_event_properties.stim and 0 < event.cycle_ns <= _MAX_CYCLE_NS
    ]
    if not usable:
        raise SkippedError("no cyclic event channel serves STIM.")
    return min(usable, key=lambda one: abs(one.cycle_ns - 10_000_000))


def _packet(probe: Probe, setup: Setup, data: bytes, counter: int = 0) -> bytes:
    """A STIM packet of the first ODT (XCP Base, DTO, 1.0; counter 1.3)."""
    big = probe.profile.byte_order is ByteOrder.MOTOROLA
    word = setup.number.to_bytes(2, "big" if big else "little")
    heads = (
        bytes((setup.first_pid,)),
        bytes((0, setup.number & 0xFF)),
        b"\0" + word,
        b"\0\0" + word,
    )
    head = heads[daq_info(probe).daq_key_byte.identification_field]
    return head + bytes((counter,)) * setup.counted + data


def _events(probe: Probe, since: int) -> list[bytes]:
    kind = bytes((PID_EV, EventCode.EV_STIM_TIMEOUT))
    return [one for one in probe.observed.events[since:] if one[:2] == kind]


@rule(
    "STM-001",
    _STM,
    "STIM data arrives",
    "The data of a STIM packet stands in memory after the event of its list.",
    "DTO, 1.0",
    needs=(_MAY, Permission.WRITE),
)
def _arrives(probe: Probe) -> None:
    with cleared(probe):
        setup = _stimulus(probe)
        size, start = setup.size, setup.address
        before = read(probe, start, size)
        other = bytes(byte ^ 0xFF for byte in before)
        try:
            found = before
            for _ in range(_ROUNDS):
                probe.tell(_packet(probe, setup, other))
                probe.listen(2 * setup.event.cycle_ns)
                found = read(probe, start, size)
                if found == other:
                    break
            probe.demand(found == other, f"memory did not change after {_ROUNDS} packets.")
        finally:
            probe.ask(daq.StartStopSynch(mode=0))
            probe.use(std.SetMta(address=start.value, address_extension=start.extension))
            probe.use(cal.Download(count=size, data=before))


@rule(
    "STM-002",
    _STM,
    "EV_STIM_TIMEOUT tells what and where",
    "EV_STIM_TIMEOUT has 6 bytes: event channel or list, the kind of failure, and the number.",
    "EV_STIM_TIMEOUT, 1.0",
    needs=_MAY,
)
def _timeout(probe: Probe) -> None:
    with cleared(probe):
        since = len(probe.observed.events)
        setup = _stimulus(probe)
        until = probe.port.now_ns() + probe.limits.listen_ns + probe.limits.quiet_ns
        found = _events(probe, since)
        while not found and probe.port.now_ns() < until:
            probe.listen(probe.limits.quiet_ns // 4)
            found = _events(probe, since)
    if not found:
        raise SkippedError("no EV_STIM_TIMEOUT came for a list without data.")
    told = found[0]
    probe.demand(len(told) >= _EVENT_BYTES, f"the event has {len(told)} bytes.")
    kind, number = told[2], probe.number(told[4:6])
    probe.demand(kind in (0, 1) and told[3] in (0, 1), f"its kinds are {kind} and {told[3]}.")
    wanted = setup.event.number if kind == 0 else setup.number
    probe.demand(number == wanted, f"it is about number {number} instead of {wanted}.")


@rule(
    "STM-003",
    _STM,
    "STIM packets are not answered",
    "A STIM packet is no command: it is not answered, also when no list runs.",
    "DTO, 1.0",
    needs=_MAY,
)
def _unanswered(probe: Probe) -> None:
    if not connect_response(probe).resource.stim:
        raise SkippedError("the slave does not announce STIM.")
    answer = probe.ask(bytes(8), wait_ns=probe.limits.quiet_ns)
    probe.demand(answer is None, "a STIM packet was answered.")


@contextmanager
def _compared(probe: Probe, channel: int) -> Iterator[None]:
    """The event compares the counter of STIM packets with its own.

    Raises:
        SkippedError: it cannot.
    """
    before = probe.use(DtoCtrProperties(event_channel=channel))
    has = before.properties
    if not has.stim_mode_present or (has.stim_mode_fixed and not before.mode.stim_mode):
        raise SkippedError(f"event channel {channel} does not compare counters.")

    def choose(related: int, mode: DtoCtrMode) -> None:
        free = DtoCtrModifier.of(
            related_event=int(not has.related_event_fixed), stim_mode=int(not has.stim_mode_fixed)
        )
        probe.use(
            DtoCtrProperties(
                modifier=free, event_channel=channel, related_event_channel=related, mode=mode
            )
        )

    choose(channel, DtoCtrMode.of(stim_mode=1))
    try:
        yield
    finally:
        choose(before.related_event_channel, before.mode)


@rule(
    "STM-004",
    _STM,
    "STIM of another cycle is refused",
    "Where STIM_MODE of an event is on, data with another counter than the event's is not written.",
    "DTO_CTR_PROPERTIES, 1.3",
    needs=(_MAY, Permission.WRITE),
)
def _counter(probe: Probe) -> None:
    with _compared(probe, _event(probe).number), cleared(probe):
        setup = _stimulus(probe, counted=True)
        size, start = setup.size, setup.address
        before = read(probe, start, size)
        came = 0
        try:
            for number in _COUNTERS:  # by chance, one of them may be the right one
                other = bytes((byte ^ number) & 0xFF for byte in before)
                probe.tell(_packet(probe, setup, other, number))
                probe.listen(2 * setup.event.cycle_ns)
                came += read(probe, start, size) == other
        finally:
            probe.ask(daq.StartStopSynch(mode=0))
            probe.use(std.SetMta(address=start.value, address_extension=start.extension))
            probe.use(cal.Download(count=size, data=before))
        probe.demand(came < 2, f"{came} of {len(_COUNTERS)} packets were written.")


RULES: Final[tuple[Rule, ...]] = (_arrives, _timeout, _unanswered, _counter)
