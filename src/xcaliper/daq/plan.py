"""compile_plan(): what was wanted × what the slave can → lists to set up and rows to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import PlanError
from xcaliper.daq.capabilities import AddressExtensionScope, DaqCapabilities, EventChannel
from xcaliper.daq.pack import Limits, PackedList, Region, pack, regions_of
from xcaliper.xcp.daq_lists import DaqListSetup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.wanted import Wanted, WantedSignal
    from xcaliper.xcp.daq_lists import PackedMode
    from xcaliper.xcp.profile import DtoFormat

__all__ = ["DaqPlan", "PolledSignal", "Raster", "compile_plan"]

#: Where nobody says which event a signal belongs to, the one nearest to this period is taken.
PREFERRED_CYCLE_NS = 10_000_000
MAX_LISTS = 0xFFFF
MAX_PRESCALER = 255


@dataclass(frozen=True, slots=True)
class Raster:
    """Rows of one DAQ list: what a SampleBlock with this index holds.

    One event has one raster per DAQ list: usually one, more when a list was full.

    Attributes:
        index: SampleBlock.raster.
        name: unique; the event's name, ``(2)`` and so on behind it for further lists of the event.
        event: what triggers it.
        daq_list: number on the wire.
        prescaler: every how many events there is a row.
        dtype: of a row: the data bytes of all ODTs in order, one field per signal.
        odt_sizes: data bytes of each ODT.
        filler_bytes: bytes at the beginning that belong to no signal.
        packed: several samples in one set of DTOs; None = one each. Rows are single samples always.
        entry_sizes: bytes of each entry of each ODT; told for packed lists.
        alternating: sampled every second time only.
        transport_id: CAN identifier of the DTOs, where the list has one of its own.
    """

    index: int
    name: str
    event: EventChannel
    daq_list: int
    prescaler: int
    dtype: np.dtype[Any]
    odt_sizes: tuple[int, ...]
    filler_bytes: int = 0
    packed: PackedMode | None = None
    entry_sizes: tuple[tuple[int, ...], ...] = ()
    alternating: bool = False
    transport_id: int | None = None

    @property
    def event_channel(self) -> int:
        """Number of the event."""
        return self.event.number

    @property
    def cycle_ns(self) -> int | None:
        """Time between rows; None = not cyclic or unknown."""
        if self.event.cycle_ns is None:
            return None
        return self.event.cycle_ns * self.prescaler * (2 if self.alternating else 1)

    @property
    def samples_per_set(self) -> int:
        """Rows that one set of DTOs carries."""
        return self.packed.sample_count if self.packed else 1

    @property
    def set_cycle_ns(self) -> int | None:
        """Time between sets of DTOs; None = not cyclic or unknown."""
        return None if self.cycle_ns is None else self.cycle_ns * self.samples_per_set

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the fields, as wanted."""
        return self.dtype.names or ()


@dataclass(frozen=True, slots=True)
class PolledSignal:
    """A signal that cannot be measured and is read again and again instead.

    Attributes:
        name: as wanted.
        wanted: what it is.
        reason: why it cannot be measured.
    """

    name: str
    wanted: WantedSignal
    reason: str


@dataclass(frozen=True, slots=True)
class DaqPlan:
    """A measurement, decided and checked; nothing of it was sent yet.

    Attributes:
        lists: what to set up: those of direction DAQ first, then those of direction STIM.
        rasters: what will come, one per list of direction DAQ and in the same order.
        dto_format: header of the DTOs.
        byte_order: of the slave.
        clock: of the timestamps, None = there are none.
        max_dto: largest DTO, bytes.
        diagnostics: choices that the user should know of.
        polled: signals to be read instead, because they cannot be measured.
        stim_rasters: rows to be sent, one per list of direction STIM and in the same order.
        stim_format: header of the STIM DTOs, None without any.
    """

    lists: tuple[DaqListSetup, ...]
    rasters: tuple[Raster, ...]
    dto_format: DtoFormat
    byte_order: ByteOrder
    clock: TickClock | None
    max_dto: int
    diagnostics: tuple[Diagnostic, ...] = ()
    polled: tuple[PolledSignal, ...] = ()
    stim_rasters: tuple[Raster, ...] = ()
    stim_format: DtoFormat | None = None

    def raster_of(self, signal: str) -> Raster:
        """The raster that a signal is measured in.

        Raises:
            PlanError: no raster has it.
        """
        for raster in self.rasters:
            if signal in raster.signals:
                return raster
        raise PlanError("plan", (f"{signal} is not measured",))

    def sample_bytes(self, raster: Raster) -> int:
        """Bytes of all DTOs of one sample, headers included, transport headers not."""
        later = self.dto_format.header_size * (len(raster.odt_sizes) - 1)
        return self.dto_format.first_header_size + later + sum(raster.odt_sizes)

    def load(self, raster: Raster, overhead_bytes: int = 0) -> float | None:
        """Bytes per second on the link, None when the event is not cyclic.

        Args:
            raster: one of the plan's rasters.
            overhead_bytes: transport header of each DTO.
        """
        if not raster.cycle_ns:
            return None
        size = self.sample_bytes(raster) + overhead_bytes * len(raster.odt_sizes)
        return size * 1e9 / raster.cycle_ns

    def describe(self, overhead_bytes: int = 0) -> str:
        """The plan in words: a line per raster, totals, and what was decided on the way.

        Args:
            overhead_bytes: transport header of each DTO, counted into the load.
        """
        lines = []
        total = 0.0
        for raster, setup in zip(self.rasters, self.lists, strict=True):
            load = self.load(raster, overhead_bytes)
            total += load or 0.0
            entries = sum(len(odt.entries) for odt in setup.odts)
            rate = "not cyclic" if load is None else f"{_rate(load)}"
            lines.append(
                f"{raster.name}: event {raster.event_channel}, {_period(raster)}, "
                f"DAQ list {raster.daq_list}, {_count(len(raster.signals), 'signal')}, "
                f"{_count(len(setup.odts), 'ODT')}, {_count(entries, 'entry', 'entries')}, "
                f"{self.sample_bytes(raster)} bytes per sample, {rate}"
            )
        dtos = sum(len(setup.odts) for setup in self.lists)
        lines.append(
            f"total: {_count(len(self.lists), 'DAQ list')}, {_count(dtos, 'ODT')}, "
            f"{_rate(total)} from cyclic events"
        )
        lines += [f"note: {finding.text} {finding.hint}".rstrip() for finding in self.diagnostics]
        return "\n".join(lines)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def _rate(load: float) -> str:
    return f"{load / 1e6:.2f} MB/s" if load >= 1e6 else f"{load / 1e3:.1f} kB/s"


def _period(raster: Raster) -> str:
    if raster.cycle_ns is None:
        return "not cyclic" if raster.prescaler == 1 else f"every {raster.prescaler}th event"
    return f"{raster.cycle_ns / 1e6:g} ms"


# ------------------------------------------------------------------------------------- compile


def compile_plan(wanted: Wanted, capabilities: DaqCapabilities) -> DaqPlan:
    """Choose events, pack the signals into ODTs and describe the rows that will come.

    Raises:
        PlanError: something does not fit; carries every reason with the smallest change that helps.
    """
    return _Compiler(wanted, capabilities).compile()


@dataclass(frozen=True, slots=True)
class _ListDraft:
    event: EventChannel
    signals: tuple[WantedSignal, ...]
    packed: PackedList


class _Compiler:
    """One compilation: collects problems and notes until the end."""

    def __init__(self, wanted: Wanted, capabilities: DaqCapabilities) -> None:
        self.wanted = wanted
        self.caps = capabilities
        self.format = capabilities.dto_format(timestamp=wanted.timestamp, dto_ctr=wanted.dto_ctr)
        self.problems: list[str] = []
        self.notes: list[Diagnostic] = []
        self.odts_left = capabilities.max_odts
        self.cyclic_choice: dict[str, str] = {}

    def compile(self) -> DaqPlan:
        self._check_request()
        groups: dict[int, list[WantedSignal]] = {}
        for signal in self.wanted.signals:
            event = self._choose_event(signal)
            if event is not None:
                groups.setdefault(event, []).append(signal)
        self._note_choices()
        drafts: list[_ListDraft] = []
        for number in sorted(groups):
            drafts += self._plan_event(self._event(number), groups[number])
        self._check_lists(drafts)
        if self.problems:
            raise PlanError("plan", tuple(dict.fromkeys(self.problems)))
        return self._assemble(drafts)

    # ------------------------------------------------------------------ the request as a whole

    def _check_request(self) -> None:
        caps = self.caps
        if not self.wanted.signals:
            self.problems.append("no signal is wanted; name at least one")
        if not caps.dynamic:
            self.problems.append(
                "the slave has static DAQ lists, whose sizes are not known; "
                "only dynamic lists can be planned"
            )
        room = self._payload(self.format.first_header_size)
        if room < caps.granularity:
            self.problems.append(self._no_room())
        seen: set[str] = set()
        for signal in self.wanted.signals:
            if not signal.name or signal.name in seen:
                self.problems.append(f"the name {signal.name!r} is used twice; names must differ")
            if signal.size_bytes <= 0:
                self.problems.append(f"{signal.name} has no bytes; leave it out")
            seen.add(signal.name)
        unknown = [name for name in self.wanted.event_channels if name not in seen]
        if unknown:
            self.problems.append(
                f"an event was chosen for {', '.join(unknown)}, which is not measured"
            )
        if self.format.timestamp_size == 0:
            self._note(
                "daq-no-timestamp",
                "samples carry no timestamps.",
                "They get the time of the host, which is late and jitters.",
            )

    def _no_room(self) -> str:
        caps, header = self.caps, self.format.first_header_size
        need = header + caps.granularity
        text = (
            f"MAX_DTO {caps.max_dto} leaves no room for data behind {header} bytes of header; "
            f"MAX_DTO {need} would do"
        )
        if self.format.timestamp_size and not caps.timestamp_fixed:
            text += ", or switch timestamps off"
        return text

    def _payload(self, header: int) -> int:
        room = max(self.caps.max_dto - header, 0)
        return room - room % self.caps.granularity

    # -------------------------------------------------------------------------------- events

    def _event(self, number: int) -> EventChannel:
        return self.caps.event(number) or EventChannel(number)

    def _choose_event(self, signal: WantedSignal) -> int | None:
        wanted = self.wanted
        told = wanted.event_channels.get(signal.name, wanted.event_channel)
        if told is not None:
            return self._check_told(signal, told)
        for number in (signal.fixed_event, signal.default_event):
            if number is not None:
                return self._check_event(signal, number)
        usable = [n for n in signal.available_events if self._refusal(n) is None]
        if signal.available_events and not usable:
            return self._check_event(signal, signal.available_events[0])
        return self._choose_cyclic(signal, usable)

    def _check_told(self, signal: WantedSignal, told: int) -> int | None:
        allowed = signal.available_events
        if signal.fixed_event is not None:
            allowed = (signal.fixed_event,)
        if allowed and told not in allowed:
            names = ", ".join(str(number) for number in allowed)
            self.problems.append(
                f"{signal.name} cannot be measured on event {told}; it allows event {names}"
            )
            return None
        return self._check_event(signal, told)

    def _check_event(self, signal: WantedSignal, number: int) -> int | None:
        refusal = self._refusal(number)
        if refusal is None:
            return number
        self.problems.append(f"{signal.name}: {refusal}")
        return None

    def _refusal(self, number: int) -> str | None:
        """Why an event cannot be used, None when it can."""
        caps = self.caps
        event = caps.event(number)
        if event is None:
            if caps.events or caps.max_event_channel:
                known = ", ".join(str(e.number) for e in caps.events if e.daq)
                if not 0 <= number < caps.max_event_channel:
                    hint = known or f"0 to {caps.max_event_channel - 1}"
                    return f"event {number} does not exist; use one of {hint}"
            return None if 0 <= number <= 0xFFFF else f"event {number} is not a number of an event"
        if not event.daq:
            return f"event {number} ({event.label}) does not measure; use another event"
        if event.max_daq_list == 0:
            return f"event {number} ({event.label}) cannot be used now; use another event"
        return None

    def _choose_cyclic(self, signal: WantedSignal, allowed: Sequence[int]) -> int | None:
        usable = [
            event
            for event in self.caps.events
            if self._refusal(event.number) is None and (not allowed or event.number in allowed)
        ]
        cyclic = [event for event in usable if event.cycle_ns]
        if cyclic:
            best = min(cyclic, key=lambda e: (_distance(e.cycle_ns or 1), e.number))
        elif usable:
            best = usable[0]
        elif allowed:
            return allowed[0]
        else:
            self.problems.append(f"{signal.name}: no event is known; name an event channel")
            return None
        if len(allowed) != 1:
            self.cyclic_choice[signal.name] = f"{best.number} ({best.label})"
        return best.number

    def _note_choices(self) -> None:
        for event in sorted(set(self.cyclic_choice.values())):
            names = [name for name, chosen in self.cyclic_choice.items() if chosen == event]
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            self._note(
                "daq-event-chosen",
                f"event {event} was chosen for {some}, for which nothing names an event.",
                "Name an event to choose another.",
            )

    # --------------------------------------------------------------------------------- lists

    def _plan_event(self, event: EventChannel, signals: list[WantedSignal]) -> list[_ListDraft]:
        self._check_prescaler(event)
        signals = [signal for signal in signals if signal.size_bytes > 0]
        if self._payload(self.format.first_header_size) < self.caps.granularity:
            return []
        if self.caps.address_extension is not AddressExtensionScope.DAQ_LIST:
            return self._fill_lists(event, signals)
        drafts: list[_ListDraft] = []
        for extension in sorted({signal.address.extension for signal in signals}):
            same = [s for s in signals if s.address.extension == extension]
            drafts += self._fill_lists(event, same)
        return drafts

    def _check_prescaler(self, event: EventChannel) -> None:
        prescaler = self.wanted.prescaler_of(event.number)
        if not 1 <= prescaler <= MAX_PRESCALER:
            self.problems.append(
                f"prescaler {prescaler} of event {event.label} is outside 1 … {MAX_PRESCALER}"
            )
        elif prescaler > 1 and not self.caps.prescaler:
            self.problems.append(
                f"the slave has no prescaler, {prescaler} is wanted for event {event.label}; "
                "use 1 or a slower event"
            )

    def _limits(self, event: EventChannel) -> Limits:
        caps = self.caps
        entry = caps.max_entry_size * caps.ag
        payload = self._payload(self.format.header_size)
        return Limits(
            granularity=caps.granularity,
            ag=caps.ag,
            max_entry_bytes=max(entry - entry % caps.granularity, caps.granularity),
            first_payload=self._payload(self.format.first_header_size),
            payload=payload,
            max_odts=self.odts_left if self.format.identification_field == 0 else caps.max_odts,
            one_extension=caps.address_extension is AddressExtensionScope.ODT,
            may_split=event.consistency in (1, 2),
        )

    def _fill_lists(self, event: EventChannel, signals: list[WantedSignal]) -> list[_ListDraft]:
        """As many lists as it takes; with absolute identification fields one, as they share PIDs."""
        limits = self._limits(event)
        rest = regions_of(signals, granularity=limits.granularity, ag=limits.ag)
        drafts: list[_ListDraft] = []
        while rest:
            count, packed = _most(rest, limits)
            if packed is None or (count < len(rest) and self.format.identification_field == 0):
                self.problems.append(self._too_big(event, rest, limits))
                return drafts
            inside = {s.name for region in rest[:count] for s in region.signals}
            chosen = tuple(signal for signal in signals if signal.name in inside)
            drafts.append(_ListDraft(event, chosen, packed))
            self.odts_left -= len(packed.odts)
            rest = rest[count:]
        return drafts

    def _too_big(self, event: EventChannel, regions: Sequence[Region], limits: Limits) -> str:
        """Too many ODTs, in numbers, with the fewest signals whose omission helps."""
        need = sum(region.size_bytes for region in regions)
        room = (limits.max_odts - 1) * limits.payload + limits.first_payload
        text = (
            f"event {event.number} ({event.label}) needs {need} bytes per sample, "
            f"{max(limits.max_odts, 0)} ODTs of {limits.payload} bytes hold at most {max(room, 0)}"
        )
        by_size = sorted(regions, key=lambda region: -region.size_bytes)
        low, high = 1, len(by_size)
        while low < high:
            middle = (low + high) // 2
            left = sorted(by_size[middle:], key=lambda region: (region.extension, region.start))
            if left and pack(left, limits) is not None:
                high = middle
            else:
                low = middle + 1
        names = [signal.name for region in by_size[:low] for signal in region.signals]
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"{text}; leave out {some}, or move them to another event"

    def _check_lists(self, drafts: list[_ListDraft]) -> None:
        caps = self.caps
        per_event: dict[int, int] = {}
        for draft in drafts:
            per_event[draft.event.number] = per_event.get(draft.event.number, 0) + 1
        for number, count in per_event.items():
            most = self._event(number).max_daq_list
            if most is not None and count > most:
                self.problems.append(
                    f"event {number} ({self._event(number).label}) needs {count} DAQ lists and "
                    f"serves {most}; measure fewer signals on it"
                )
        most = 0x100 if self.format.identification_field == 1 else MAX_LISTS
        if caps.min_daq + len(drafts) > most:
            self.problems.append(
                f"{len(drafts)} DAQ lists behind {caps.min_daq} predefined ones are needed, "
                f"{most} can be told apart; use fewer events"
            )

    # ------------------------------------------------------------------------------- results

    def _assemble(self, drafts: list[_ListDraft]) -> DaqPlan:
        lists: list[DaqListSetup] = []
        rasters: list[Raster] = []
        names: set[str] = set()
        for index, draft in enumerate(drafts):
            prescaler = self.wanted.prescaler_of(draft.event.number)
            setup = DaqListSetup(
                daq_list=self.caps.min_daq + index,
                event_channel=draft.event.number,
                odts=draft.packed.odts,
                prescaler=prescaler,
                priority=self.wanted.priority,
                timestamp=self.format.timestamp_size > 0,
                dto_ctr=self.format.dto_ctr,
            )
            sizes = tuple(
                sum(entry.size for entry in odt.entries) * self.caps.ag for odt in setup.odts
            )
            raster = Raster(
                index=index,
                name=_unique(draft.event.label, names),
                event=draft.event,
                daq_list=setup.daq_list,
                prescaler=prescaler,
                dtype=_row_dtype(draft, sum(sizes)),
                odt_sizes=sizes,
                filler_bytes=draft.packed.filler_bytes,
            )
            lists.append(setup)
            rasters.append(raster)
            self._note_list(draft, raster)
        return DaqPlan(
            lists=tuple(lists),
            rasters=tuple(rasters),
            dto_format=self.format,
            byte_order=self.caps.byte_order,
            clock=self._clock(),
            max_dto=self.caps.max_dto,
            diagnostics=tuple(self.notes),
        )

    def _clock(self) -> TickClock | None:
        clock = self.caps.clock
        if clock is None or not self.format.timestamp_size:
            return None
        return replace(clock, size_bytes=self.format.timestamp_size)

    def _note_list(self, draft: _ListDraft, raster: Raster) -> None:
        if draft.packed.split_elements and draft.event.consistency in (0, 3):
            names = ", ".join(draft.packed.split_elements[:3])
            self._note(
                "daq-element-split",
                f"{names}: an ODT of this slave is smaller than one element.",
                f"Two ODTs share it, and event {draft.event.label} keeps ODTs consistent only.",
            )
        if raster.filler_bytes:
            self._note(
                "daq-filler",
                f"{raster.name}: no element fits behind the timestamp in the first ODT.",
                f"It carries {raster.filler_bytes} bytes that nobody needs.",
            )

    def _note(self, slug: str, text: str, hint: str) -> None:
        self.notes.append(Diagnostic(Severity.INFO, slug, Where(), text, hint, subject="DAQ"))


def _distance(cycle: int) -> float:
    return max(cycle, PREFERRED_CYCLE_NS) / min(cycle, PREFERRED_CYCLE_NS)


def _most(regions: Sequence[Region], limits: Limits) -> tuple[int, PackedList | None]:
    """As many regions from the beginning as one list takes, and how."""
    if limits.max_odts < 1:
        return 0, None
    room = limits.first_payload + (limits.max_odts - 1) * limits.payload
    low, best = 0, None
    high = total = 0
    for region in regions:  # what exceeds the bytes of a list need not be tried
        total += region.size_bytes
        if total > room:
            break
        high += 1
    middle = high
    while low < high:
        packed = pack(regions[:middle], limits)
        if packed is not None:
            low, best = middle, packed
        else:
            high = middle - 1
        middle = high - (high - low) // 8 if high - low > 8 else high
    return low, best


def _unique(name: str, names: set[str]) -> str:
    candidate, number = name, 1
    while candidate in names:
        number += 1
        candidate = f"{name} ({number})"
    names.add(candidate)
    return candidate


def _row_dtype(draft: _ListDraft, size_bytes: int) -> np.dtype[Any]:
    return np.dtype(
        {
            "names": [signal.name for signal in draft.signals],
            "formats": [signal.dtype for signal in draft.signals],
            "offsets": [draft.packed.offsets[signal.name] for signal in draft.signals],
            "itemsize": size_bytes,
        }
    )
