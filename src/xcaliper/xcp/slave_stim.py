"""Stimulation in the slave: STIM packets are collected, and written when the event of their list occurs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NegativeResponseError, SettingsError, UsageError
from xcaliper.xcp.dto_sets import DtoSet, DtoSets, SetCounters
from xcaliper.xcp.events import EvStimTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.core.address import Address
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.profile import DtoFormat
    from xcaliper.xcp.slave_config import SlaveConfig, SlaveMemory
    from xcaliper.xcp.slave_state import DaqList, DaqState

__all__ = ["StimCounters", "StimList", "StimSettings", "StimState", "Target"]

#: Number of PIDs that the master may use for STIM (XCP Base, PID range, 1.0).
MAX_PIDS: Final = 0xC0
_WORD_BYTES: Final = 4
_WHOLE: Final = 0xFF
#: CONSISTENCY of an event channel (XCP Base, GET_DAQ_EVENT_INFO, 1.0).
_OF_LIST: Final = 1
_OF_EVENT: Final = 2
#: FAILURE_TYPE of EV_STIM_TIMEOUT *(1.3)*.
_TIMED_OUT: Final = 0
_WRONG_COUNTER: Final = 1


@dataclass(frozen=True, slots=True)
class StimSettings:
    """What the slave does when STIM data is missing or wrong; the standard leaves it to the slave.

    Attributes:
        use_last: write the data of the sample before once more; False = write nothing, so that the
            ECU's own value stays.
        stop_after: misses in a row after which a list is stopped; 0 = never.
        grace: events after the start that may pass without data.
        timeout_event: tell the master with EV_STIM_TIMEOUT.
        timeout_of_list: the event names the list; False = the event channel.
        timeout_pause_ns: shortest time between two EV_STIM_TIMEOUT about the same.
    """

    use_last: bool = False
    stop_after: int = 0
    grace: int = 1
    timeout_event: bool = True
    timeout_of_list: bool = False
    timeout_pause_ns: int = 1_000_000_000

    def __post_init__(self) -> None:
        for key in ("stop_after", "grace", "timeout_pause_ns"):
            if getattr(self, key) < 0:
                raise SettingsError(f"stim.{key}", f"{getattr(self, key)} is negative")


@dataclass(slots=True)
class StimCounters(SetCounters):
    """What stimulation came to since the slave was made.

    Attributes:
        applied: samples written, by list; with consistency ODT by ODT.
        missing: the same, not there when the event occurred.
        wrong_counter: not used because of their DTO counter *(1.3)*.
        late: used although their DTO counter was that of an earlier event *(1.3)*.
        replaced: never used, because the next one came before the event.
        refused: not used because the memory could not be written any more.
        timeouts: EV_STIM_TIMEOUT sent.
        stopped: lists stopped after too many misses.
    """

    applied: int = 0
    missing: int = 0
    wrong_counter: int = 0
    late: int = 0
    replaced: int = 0
    refused: int = 0
    timeouts: int = 0
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a piece of STIM data goes.

    Attributes:
        address: first element.
        at: position in the data of the set.
        size_bytes: of the data.
        bit: mask of the only bit that is written; 0 = all of them.
        inside: byte of the element that the bit is in.
    """

    address: Address
    at: int
    size_bytes: int
    bit: int = 0
    inside: int = 0

    def write(self, memory: SlaveMemory, data: bytes | bytearray, ag: int) -> tuple[Address, bytes]:
        """Write the piece; gives what was there before.

        Raises:
            NegativeResponseError: the memory refuses.
            UsageError: there is no such memory.
        """
        piece = bytes(data[self.at : self.at + self.size_bytes])
        if not self.bit:
            before = memory.read(self.address, self.size_bytes)
            memory.write(self.address, piece)
            return self.address, before
        before = memory.read(self.address, ag)
        element = bytearray(before)
        if any(piece):
            element[self.inside] |= self.bit
        else:
            element[self.inside] &= ~self.bit & 0xFF
        memory.write(self.address, bytes(element))
        return self.address, before


def _targets(entries: Sequence[OdtEntry], at: int, ag: int, order: ByteOrder) -> list[Target]:
    """Entries as pieces of data; neighbours become one."""
    found: list[Target] = []
    for entry in entries:
        size = entry.size * ag
        if entry.bit_offset != _WHOLE:
            byte = entry.bit_offset // 8
            byte = byte if order.mark == "<" else _WORD_BYTES - 1 - byte
            bit = 1 << entry.bit_offset % 8
            found.append(Target(entry.address + byte // ag, at, size, bit, byte % ag))
        else:
            last = found[-1] if found else None
            joins = (
                last is not None
                and not last.bit
                and last.address + last.size_bytes // ag == entry.address
            )
            if last is not None and joins:
                found[-1] = Target(last.address, last.at, last.size_bytes + size)
            else:
                found.append(Target(entry.address, at, size))
        at += size
    return found


@dataclass(slots=True, eq=False)
class _Part:
    """What is written together: all ODTs of a list, or a single one.

    Attributes:
        dtos: collects it.
        targets: where its data goes.
        waiting: data for the next event; None = nothing has come.
        last: data that was written last.
    """

    dtos: DtoSet
    targets: list[Target]
    waiting: bytearray | None = None
    counter: int | None = None
    last: bytearray | None = None


class StimList:
    """A running list of direction STIM.

    Args:
        number: of the list.
        odts: entries of each ODT.
        fmt: header of its DTOs.
        first_pid: with absolute identification fields.
        consistency: of its event channel.
        config: of the slave.

    Attributes:
        number: as given.
        parts: what is written together.
        misses: events in a row without usable data.
        grace: events that may still pass without data.
    """

    __slots__ = ("grace", "misses", "number", "parts")

    def __init__(  # all that a list is
        self,
        number: int,
        odts: Sequence[Sequence[OdtEntry]],
        fmt: DtoFormat,
        first_pid: int,
        consistency: int,
        config: SlaveConfig,
    ) -> None:
        self.number = number
        self.misses = 0
        self.grace = config.stim.grace
        self.parts: list[_Part] = []
        ag = config.ag
        sizes = [sum(entry.size for entry in entries) * ag for entries in odts]
        whole = consistency in (_OF_LIST, _OF_EVENT)
        groups = [range(len(odts))] if whole else [range(n, n + 1) for n in range(len(odts))]
        for group in groups:
            if not any(sizes[odt] for odt in group):
                continue
            targets: list[Target] = []
            at = 0
            for odt in group:
                targets += _targets(odts[odt], at, ag, config.byte_order)
                at += sizes[odt]
            own = tuple(sizes[odt] for odt in group)
            dtos = DtoSet(number, fmt, own, first_odt=group[0], first_pid=first_pid)
            self.parts.append(_Part(dtos, targets))

    def probe(self, memory: SlaveMemory, ag: int) -> None:
        """See whether the memory can be written, by writing what it holds.

        Raises:
            NegativeResponseError: it cannot.
            UsageError: there is no such memory.
        """
        for part in self.parts:
            for target in part.targets:
                size = ag if target.bit else target.size_bytes
                memory.write(target.address, memory.read(target.address, size))


@dataclass(slots=True)
class StimState:
    """STIM packets on their way into the memory.

    Args:
        config: of the slave.
        memory: where data goes.
        daq: the lists.

    Attributes:
        counters: totals; read them, do not write.
        received: DTO counter that came last for an event channel *(1.3)*.
    """

    config: SlaveConfig
    memory: SlaveMemory
    daq: DaqState
    counters: StimCounters = field(default_factory=StimCounters)
    received: dict[int, int] = field(default_factory=dict)
    _sets: DtoSets | None = None
    _lists: Mapping[int, list[tuple[int, DaqList]]] | None = None
    _owners: dict[DtoSet, tuple[_Part, int]] = field(default_factory=dict)
    _told_ns: dict[tuple[int, int], int] = field(default_factory=dict)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002  # begin and end are alike
        """Begin or end a session: nothing waits any more."""
        self._sets = self._lists = None
        self._owners = {}
        self._told_ns = {}
        self.received = {}

    def _follow(self) -> DtoSets:
        """Sets of the lists that run now."""
        if self._sets is None or self._lists is not self.daq.stimulated:
            self._lists = self.daq.stimulated
            self._owners = {}
            for channel, lists in self._lists.items():
                for _, daq_list in lists:
                    assert daq_list.stimulus is not None, "schedule() keeps running lists only"
                    for part in daq_list.stimulus.parts:
                        self._owners[part.dtos] = (part, channel)
            self._sets = DtoSets(self._owners, self.config.byte_order, self.counters)
        return self._sets

    def receive(self, packet: bytes) -> bool:
        """Take a packet of the master; False when no list of direction STIM runs."""
        if not self.daq.stimulated:
            return False
        sets = self._follow()
        if len(packet) > self.config.largest_dto(stim=True):
            self.counters.malformed += 1
            return True
        complete = sets.receive(packet)
        if complete is not None:
            part, channel = self._owners[complete]
            self.counters.replaced += part.waiting is not None
            part.waiting, part.counter = complete.data, complete.counter
            if complete.counter is not None:
                self.received[channel] = complete.counter
        return True

    # -- the event occurs -------------------------------------------------------------------------

    def apply(
        self, channel: int, event_counters: Sequence[int], now_ns: int
    ) -> list[EvStimTimeout]:
        """Write what has come for an event channel; gives what the master shall be told.

        Args:
            channel: that occurs now; its own counter has not been incremented yet.
            event_counters: of all event channels.
            now_ns: when.
        """
        due = []
        for number, daq_list in self.daq.stimulated.get(channel, ()):
            daq_list.skipped += 1
            if daq_list.skipped >= daq_list.period:
                daq_list.skipped = 0
                due.append((number, daq_list))
        if self.config.events[channel].consistency == _OF_EVENT:
            groups = [due] if due else []
        else:
            groups = [[one] for one in due]
        told: list[EvStimTimeout] = []
        for group in groups:
            told += self._apply_group(channel, group, event_counters, now_ns)
        return told

    def _apply_group(
        self,
        channel: int,
        group: Sequence[tuple[int, DaqList]],
        event_counters: Sequence[int],
        now_ns: int,
    ) -> list[EvStimTimeout]:
        """Lists that are written together."""
        together = self.config.events[channel].consistency in (_OF_LIST, _OF_EVENT)
        stimuli = [one.stimulus for _, one in group if one.stimulus is not None]
        expected = self._expected(channel, event_counters)
        wrong = [
            one.number
            for (_, daq_list), one in zip(group, stimuli, strict=True)
            if daq_list.dto_ctr and self._is_wrong(channel, one, expected)
        ]
        parts = [(one, part) for one in stimuli for part in one.parts]
        missing = {one.number for one, part in parts if part.waiting is None}
        if wrong:
            self.counters.wrong_counter += len(wrong)
            used: list[_Part] = []
        elif missing and together:
            used = []
        else:
            used = [part for _, part in parts if part.waiting is not None]
        done = self._write(used) if used else True
        for _, part in parts:
            if done and part in used:
                self.counters.applied += 1
                part.last = part.waiting
            elif self.config.stim.use_last and part.last is not None:
                self._write_last(part)
            part.waiting = None
        failed = {*wrong, *missing, *(() if done else (one.number for one in stimuli))}
        told: list[EvStimTimeout] = []
        for one in stimuli:
            told += self._judge(channel, one, failed, wrong, now_ns)
        return told

    def _expected(self, channel: int, event_counters: Sequence[int]) -> int:
        made = self.daq.counters.get(channel) or self.config.events[channel].counter
        related = made.related_event if made is not None else None
        return event_counters[channel if related is None else related]

    def _is_wrong(self, channel: int, one: StimList, expected: int) -> bool:
        """Whether the counter forbids to use the data; counts data of an earlier event."""
        first = one.parts[0]
        if first.waiting is None or first.counter == expected:
            return False
        made = self.daq.counters.get(channel) or self.config.events[channel].counter
        if made is not None and made.stim_mode:
            return True
        self.counters.late += 1
        return False

    def _write(self, parts: Sequence[_Part]) -> bool:
        """Write all of it or nothing."""
        undo: list[tuple[Address, bytes]] = []
        try:
            for part in parts:
                assert part.waiting is not None, "only what has come is written"
                for target in part.targets:
                    undo.append(target.write(self.memory, part.waiting, self.config.ag))  # noqa: PERF401  # what was written before an error counts
        except (NegativeResponseError, UsageError):
            self.counters.refused += 1
            for address, before in reversed(undo):
                self.memory.write(address, before)
            return False
        return True

    def _write_last(self, part: _Part) -> None:
        part.waiting = part.last
        self._write([part])

    def _judge(
        self,
        channel: int,
        one: StimList,
        failed: set[int],
        wrong: Sequence[int],
        now_ns: int,
    ) -> list[EvStimTimeout]:
        """Count a miss of a list; stop it, tell the master, where it is time to."""
        if one.number not in failed:
            one.misses = one.grace = 0
            return []
        if one.grace and one.number not in wrong:
            one.grace -= 1
            return []
        settings, counters = self.config.stim, self.counters
        one.misses += 1
        counters.missing += one.number not in wrong
        if one.misses == settings.stop_after:
            counters.stopped += 1
            self.daq.lists[one.number].stop()
            self.daq.schedule()
        number = one.number if settings.timeout_of_list else channel
        failure = _WRONG_COUNTER if one.number in wrong else _TIMED_OUT
        told_ns = self._told_ns.get((number, failure))
        recent = told_ns is not None and now_ns - told_ns < settings.timeout_pause_ns
        if recent or not settings.timeout_event:
            return []
        self._told_ns[number, failure] = now_ns
        counters.timeouts += 1
        return [
            EvStimTimeout(
                info_type=int(settings.timeout_of_list), failure_type=failure, number=number
            )
        ]

    def counter_copy(self, channel: int) -> int:
        """The DTO counter that came last for an event channel, 0 before (INSERT_STIM_COUNTER_COPY, 1.3)."""
        return self.received.get(channel, 0)
