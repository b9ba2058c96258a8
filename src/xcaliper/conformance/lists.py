"""DAQ lists of the suite: one list is set up, run for a while, stopped and taken away again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info, event_infos, region, resolution
from xcaliper.conformance.model import SkippedError
from xcaliper.core.errors import WireError
from xcaliper.core.ticks import unit_ns
from xcaliper.xcp import daq
from xcaliper.xcp.codes import PID_RES, DaqListModeRequest
from xcaliper.xcp.dto import Dto, decode_dto
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.std import GetStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.conformance.facts import EventFacts
    from xcaliper.conformance.probe import Probe
    from xcaliper.core.address import Address

__all__ = [
    "Recorded",
    "Setup",
    "bind",
    "choose_event",
    "cleared",
    "dto_format",
    "record",
    "set_up",
    "start",
    "tick_ns",
    "write_entries",
]

_SAMPLES: Final = 12
_MIN_CYCLE_NS: Final = 200_000
_MAX_CYCLE_NS: Final = 200_000_000
_GOOD_CYCLE_NS: Final = 10_000_000
_STEP_NS: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Setup:
    """A list that is ready for entries.

    Attributes:
        number: of the list.
        odts: ODTs that it has.
        entries: entries of each ODT.
        address: what its first entry measures; further ones follow.
        size: AG elements of an entry.
        event: channel that it is bound to.
        stamped: timestamps are switched on.
        counted: the DTO counter is switched on.
        first_pid: as START_STOP_DAQ_LIST told.
    """

    number: int
    odts: int
    entries: int
    address: Address
    size: int
    event: EventFacts
    stamped: bool = False
    counted: bool = False
    first_pid: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run of a list brought.

    Attributes:
        setup: the list.
        packets: (arrival, DAQ packet), in order.
        early: packets that came before the answer to the start.
        status: SESSION_STATUS while the list ran.
        mode: mode of the list while it ran, None where it cannot be read.
        late: packets that came though the list had been stopped for a while.
        status_after: SESSION_STATUS after the stop.
        missed: gaps of the transport counter while the list ran.
    """

    setup: Setup
    packets: tuple[tuple[int, bytes], ...]
    early: int
    status: int
    mode: int | None
    late: int
    status_after: int
    missed: int

    def decoded(self, probe: Probe) -> list[Dto]:
        """The packets by the layout that the slave announces.

        Raises:
            SkippedError: there are none, or one is too short.
        """
        if not self.packets:
            raise SkippedError("builds on DAQ packets; none came.")
        fmt = dto_format(probe, self.setup)
        found = []
        try:
            for _, packet in self.packets:
                first = _relative_odt(fmt, packet, self.setup) == 0
                found.append(decode_dto(packet, fmt, probe.profile.byte_order, first_odt=first))
        except WireError as cause:
            raise SkippedError("builds on the length of DAQ packets, which is wrong.") from cause
        return found


def _relative_odt(fmt: DtoFormat, packet: bytes, setup: Setup) -> int:
    number = packet[0] & 0x7F if fmt.overload_msb else packet[0]
    return number - setup.first_pid if fmt.identification_field == 0 else number


def dto_format(probe: Probe, setup: Setup) -> DtoFormat:
    """Header of the list's packets, as the slave announces it."""
    info = daq_info(probe)
    return DtoFormat(
        identification_field=info.daq_key_byte.identification_field,
        timestamp_size=resolution(probe).timestamp_mode.size if setup.stamped else 0,
        dto_ctr=setup.counted,
        overload_msb=bool(info.daq_properties.overload_msb),
    )


def choose_event(probe: Probe) -> EventFacts:
    """A cyclic event near 10 ms that serves DAQ, else any that does.

    Raises:
        SkippedError: there is none.
    """
    usable = [
        event
        for event in event_infos(probe)
        if event.info.daq_event_properties.daq and event.info.max_daq_list
    ]
    cyclic = [e for e in usable if _MIN_CYCLE_NS <= e.cycle_ns <= _MAX_CYCLE_NS]
    if cyclic:
        return min(cyclic, key=lambda event: abs(event.cycle_ns - _GOOD_CYCLE_NS))
    if not usable:
        raise SkippedError("no event channel serves lists of direction DAQ.")
    return usable[0]


@contextmanager
def cleared(probe: Probe) -> Iterator[None]:
    """Whatever is set up inside is stopped and removed at the end."""
    try:
        yield
    finally:
        probe.ask(daq.StartStopSynch(mode=0))
        if daq_info(probe).daq_properties.dynamic:
            probe.ask(daq.FreeDaq())
        probe.measuring = False
        probe.take_dtos()


def set_up(probe: Probe, odts: int = 1, entries: int = 2) -> Setup:
    """A list with room for entries; dynamic lists are allocated, a static one is cleared.

    Raises:
        SkippedError: it cannot be had.
    """
    info, grain = daq_info(probe), max(resolution(probe).granularity_daq, 1)
    event, ag = choose_event(probe), probe.profile.ag
    number = info.min_daq
    if info.daq_properties.dynamic:
        probe.use(daq.FreeDaq())
        probe.use(daq.AllocDaq(daq_count=1))
        probe.use(daq.AllocOdt(daq_list=number, odt_count=odts))
        for odt in range(odts):
            request = daq.AllocOdtEntry(daq_list=number, odt=odt, entry_count=entries)
            probe.use(request)
    else:
        number = _static_list(probe, odts, entries)
        probe.use(daq.ClearDaqList(daq_list=number))
    size = max(grain // ag, 1)
    place = region(probe, size * (odts * entries + 1))
    start = place.address
    behind = start.value * ag % grain
    start += (grain - behind) // ag if behind else 0
    return Setup(number, odts, entries, start, size, event)


def _static_list(probe: Probe, odts: int, entries: int) -> int:
    info = daq_info(probe)
    for number in range(info.min_daq, min(info.max_daq, info.min_daq + 64)):
        found = probe.use(daq.GetDaqListInfo(daq_list=number))
        room = found.max_odt >= odts and found.max_odt_entries >= entries
        if room and found.daq_list_properties.daq and not found.daq_list_properties.event_fixed:
            return number
    raise SkippedError("no static list has the room and may use any event.")


def write_entries(probe: Probe, setup: Setup) -> None:
    """Fill all entries of all ODTs with neighbouring elements."""
    at = setup.address
    for odt in range(setup.odts):
        for entry in range(setup.entries):
            probe.use(daq.SetDaqPtr(daq_list=setup.number, odt=odt, odt_entry=entry))
            probe.use(
                daq.WriteDaq(size=setup.size, address=at.value, address_extension=at.extension)
            )
            at += setup.size


def bind(
    probe: Probe, setup: Setup, *, prescaler: int = 1, counted: bool = False
) -> tuple[DaqListModeRequest, Setup]:
    """Give the list its event and mode; gives the mode and the list as it is now."""
    size = resolution(probe).timestamp_mode.size
    if size not in (0, 1, 2, 4):
        raise SkippedError("builds on the width of timestamps, which another rule judges.")
    stamped = bool(size)
    mode = DaqListModeRequest.of(timestamp=int(stamped), dto_ctr=int(counted))
    probe.use(
        daq.SetDaqListMode(
            mode=mode,
            daq_list=setup.number,
            event_channel=setup.event.number,
            prescaler=prescaler,
            priority=0,
        )
    )
    made = Setup(
        setup.number,
        setup.odts,
        setup.entries,
        setup.address,
        setup.size,
        setup.event,
        stamped,
        counted,
    )
    return mode, made


def start(probe: Probe, setup: Setup) -> tuple[Setup, int]:
    """Select and start; gives the list with its FIRST_PID and the packets that came too early."""
    told = probe.use(daq.StartStopDaqList(mode=2, daq_list=setup.number))
    probe.take_dtos()
    probe.measuring = True
    probe.use(daq.StartStopSynch(mode=1))
    made = Setup(
        setup.number,
        setup.odts,
        setup.entries,
        setup.address,
        setup.size,
        setup.event,
        setup.stamped,
        setup.counted,
        told.first_pid,
    )
    return made, len(probe.dtos)


def record(
    probe: Probe, *, odts: int = 1, entries: int = 2, prescaler: int = 1, counted: bool = False
) -> Recorded:
    """Set up one list, run it until about a dozen samples came, and take it away.

    Raises:
        SkippedError: some step was refused.
    """
    with cleared(probe):
        setup = set_up(probe, odts, entries)
        write_entries(probe, setup)
        _, setup = bind(probe, setup, prescaler=prescaler, counted=counted)
        gaps = len(probe.messages.facts.gaps)
        setup, early = start(probe, setup)
        _listen(probe, _SAMPLES * odts)
        status = int(probe.use(GetStatus()).session_status)
        mode = _mode(probe, setup.number)
        probe.use(daq.StartStopSynch(mode=0))
        packets = tuple(probe.take_dtos())
        missed = len(probe.messages.facts.gaps) - gaps
        return _stopped(probe, setup, packets, (early, status, mode, missed))


def _stopped(
    probe: Probe,
    setup: Setup,
    packets: tuple[tuple[int, bytes], ...],
    seen: tuple[int, int, int | None, int],
) -> Recorded:
    probe.listen(probe.limits.quiet_ns)  # what was queued may still come
    probe.take_dtos()
    probe.listen(probe.limits.quiet_ns)
    late = len(probe.take_dtos())
    probe.measuring = False
    after = int(probe.use(GetStatus()).session_status)
    early, status, mode, missed = seen
    return Recorded(setup, packets, early, status, mode, late, after, missed)


def _listen(probe: Probe, count: int) -> None:
    until = probe.port.now_ns() + probe.limits.listen_ns
    while len(probe.dtos) < count and probe.port.now_ns() < until:
        probe.listen(_STEP_NS)


def _mode(probe: Probe, number: int) -> int | None:
    answer = probe.ask(daq.GetDaqListMode(daq_list=number))
    return answer[1] if answer is not None and answer[0] == PID_RES and len(answer) > 1 else None


def tick_ns(probe: Probe) -> float:
    """Length of a timestamp increment; 0 when the unit is none that exists."""
    found = resolution(probe)
    return float(found.timestamp_ticks * unit_ns(found.timestamp_mode.unit))
