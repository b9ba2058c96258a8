"""What was wanted × what the slave can → a checked plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import PlanError
from xcaliper.core.wording import counted
from xcaliper.daq.assemble import Assembly
from xcaliper.daq.budget import Budget
from xcaliper.daq.capabilities import (
    MAX_ODTS,
    MAX_ODTS_STIM,
    DaqCapabilities,
    EventChannel,
    StaticList,
)
from xcaliper.daq.event_choice import EventChoice, Findings
from xcaliper.daq.list_drafts import (
    Group,
    ListDraft,
    Overflow,
    bindings,
    by_extension,
    fewest_omitted,
    fill_dynamic,
    fill_static,
    refuse_overflow,
)
from xcaliper.daq.list_limits import MANY, ListLimits, formats
from xcaliper.daq.means import Means
from xcaliper.daq.pack_optimal import least_entries
from xcaliper.daq.packed_choice import packed_options
from xcaliper.daq.plan_checks import check_lists, check_prescalers, check_request
from xcaliper.daq.predefined import offsets_in, take_predefined
from xcaliper.daq.regions import regions_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.daq.plan import DaqPlan, PolledSignal
    from xcaliper.daq.regions import Limits
    from xcaliper.daq.wanted import Wanted, WantedSignal
    from xcaliper.xcp.daq_lists import PackedMode

__all__ = ["Planner"]

#: ODT entries to be written for one plan; each is a command, and a row has at least as many bytes.
MAX_PLAN_ENTRIES: Final = 500_000
#: Rounds in which events that found no static list left get the first choice.
MAX_ROUNDS: Final = 64


class Planner:
    """One compilation: collects problems and notes until the end.

    Args:
        wanted: what is asked for.
        capabilities: of the slave.
        budget: gets the work counted; None = one of its own.
    """

    def __init__(
        self, wanted: Wanted, capabilities: DaqCapabilities, budget: Budget | None = None
    ) -> None:
        self.budget = Budget() if budget is None else budget
        self.wanted = wanted
        self.caps = capabilities
        self.limits = ListLimits(capabilities, *formats(wanted, capabilities))
        self.findings = Findings(allow_polling=wanted.allow_polling)
        self.odts_left, self.stim_left = self._odt_numbers(), MAX_ODTS_STIM
        self.entries_left = MAX_PLAN_ENTRIES
        self.lists_at: dict[int, int] = {}
        self.free = [one for one in capabilities.lists if self._is_configurable(one)]
        self._events = {event.number: event for event in capabilities.events}

    def _odt_numbers(self) -> int:
        """ODT numbers for dynamic lists; predefined ones keep theirs, used or not."""
        return self.caps.max_odts - sum(one.max_odt for one in self.caps.lists if one.is_predefined)

    def _is_configurable(self, one: StaticList) -> bool:
        return (
            not self.caps.dynamic
            and not one.is_predefined
            and one.number >= self.caps.min_daq
            and one.max_odt > 0
            and one.max_odt_entries > 0
        )

    def compile(self) -> DaqPlan:
        """The plan.

        Raises:
            PlanError: something does not fit; carries every reason.
        """
        possible = check_request(self.wanted, self.caps, self.limits, self.findings)
        groups = self._groups()
        check_prescalers(groups, self.wanted, self.caps, self.findings)
        drafts = self._draft(groups) if possible else []
        check_lists(drafts, self.wanted, self.caps, self.findings)
        self._stop_if_refused()
        plan = Assembly(self.wanted, self.caps, self.limits, self.findings).plan(drafts)
        self._stop_if_refused()
        return Means(self.wanted, self.caps, self.budget, self._again).within(plan)

    def _again(
        self, wanted: Wanted, caps: DaqCapabilities, polled: Sequence[PolledSignal]
    ) -> DaqPlan:
        """The plan of another request, beside signals that are polled already."""
        other = Planner(wanted, caps, self.budget)
        other.findings.polled += polled
        if not wanted.signals:
            return Assembly(wanted, caps, other.limits, other.findings).plan(())
        return other.compile()

    def _stop_if_refused(self) -> None:
        if self.findings.problems:
            reasons = tuple(dict.fromkeys(self.findings.problems))
            raise PlanError("plan", reasons, leave_out=tuple(self.findings.leave_out))

    def _groups(self) -> list[Group]:
        choice = EventChoice(self._with_predefined_events(), self.caps, self.findings)
        found: dict[tuple[int, bool], list[WantedSignal]] = {}
        polled = {one.name for one in self.findings.polled}
        for signal in self.wanted.signals:
            if signal.name in polled:
                continue
            event = choice.choose(signal)
            if event is not None and signal.size_bytes > 0:
                found.setdefault((event, signal.stim), []).append(signal)
        self.findings.gather()
        choice.note_choices()
        return [
            Group(self._event(number), stim, tuple(signals))
            for (number, stim), signals in sorted(found.items(), key=lambda item: item[0])
        ]

    def _event(self, number: int) -> EventChannel:
        return self._events.get(number) or EventChannel(number)

    def _with_predefined_events(self) -> Wanted:
        """Where every list is predefined, a signal without an event gets that of its list."""
        wanted = self.wanted
        if self.caps.dynamic or self.free or not wanted.predefined:
            return wanted
        told = dict(wanted.event_channels)
        open_ = [s for s in wanted.signals if s.name not in told and s.fixed_event is None]
        if wanted.event_channel is None:
            for one in self._predefined():
                if one.event is not None:
                    for name in offsets_in(one, open_, self.caps.ag):
                        told.setdefault(name, one.event)
        return replace(wanted, event_channels=told)

    # --------------------------------------------------------------------------------- lists

    def _predefined(self, event: int | None = None) -> list[StaticList]:
        if not self.wanted.predefined or self.wanted.pid_off:
            return []
        return [
            one
            for one in self.caps.lists
            if one.is_predefined
            and one.odts
            and one.daq
            and (event is None or one.event in (None, event))
            and self._fits_dtos(one)
        ]

    def _fits_dtos(self, one: StaticList) -> bool:
        """Whether the entries of a predefined list leave room for the header of this measurement."""
        sizes = [sum(entry.size for entry in odt.entries) * self.caps.ag for odt in one.odts]
        first, later = self.limits.daq.first_header_size, self.limits.daq.header_size
        largest = max(later + size for size in sizes)
        return max(first + sizes[0], largest) <= self.caps.max_dto

    def _draft(self, groups: Sequence[Group]) -> list[ListDraft]:
        """Lists of every group; where static lists run out, the group that failed chooses first."""
        order = list(range(len(groups)))
        if not self.caps.dynamic:
            order.sort(key=lambda i: (len(self._usable(groups[i])), i))
        first: set[int] = set()
        done: dict[int, list[ListDraft]] = {}
        for _ in range(MAX_ROUNDS):
            done, failed = self._try(groups, order)
            if not failed:
                break
            late = [index for index in failed if index not in first]
            if late and not self.caps.dynamic:
                first.update(late)
                order = late + [index for index in order if index not in late]
                continue
            polled = len(self.findings.polled)
            for index in failed:
                done[index] = self._refuse(groups[index], done)
                self._claim(groups[index], done[index])
            if self.findings.problems or len(self.findings.polled) == polled:
                break
            groups = self._without_polled(groups)
            first.clear()
        else:
            self.findings.problem(
                f"no division of the DAQ lists among {len(groups)} events and directions was found in "
                f"{MAX_ROUNDS} rounds; use fewer events"
            )
        return [draft for index in sorted(done) for draft in done[index]]

    def _without_polled(self, groups: Sequence[Group]) -> list[Group]:
        """The groups without what is polled by now; empty ones stay to keep the numbering."""
        polled = {one.name for one in self.findings.polled}
        return [
            replace(group, signals=tuple(s for s in group.signals if s.name not in polled))
            for group in groups
        ]

    def _try(
        self, groups: Sequence[Group], order: Sequence[int]
    ) -> tuple[dict[int, list[ListDraft]], list[int]]:
        """Lists by group, and the groups that do not fit."""
        self.odts_left, self.stim_left = self._odt_numbers(), MAX_ODTS_STIM
        self.entries_left = MAX_PLAN_ENTRIES
        self.free = [one for one in self.caps.lists if self._is_configurable(one)]
        self.lists_at = {}
        done: dict[int, list[ListDraft]] = {}
        failed: list[int] = []
        for index in order:
            drafts = self._plan_group(groups[index], _numbers(done))
            if drafts is None:
                failed.append(index)
                continue
            done[index] = drafts
            self._claim(groups[index], drafts)
        return done, failed

    def _claim(self, group: Group, drafts: Sequence[ListDraft]) -> None:
        """Take what the lists of a group use from what is left for the others."""
        event = group.event.number
        self.lists_at[event] = self.lists_at.get(event, 0) + bindings(drafts)
        used = {draft.static.number for draft in drafts if draft.static}
        self.free = [one for one in self.free if one.number not in used]
        odts = sum(len(draft.packed.odts) for draft in drafts if draft.static is None)
        self.odts_left -= odts
        self.stim_left -= odts * group.stim
        self.entries_left -= sum(
            draft.packed.entry_count
            for draft in drafts
            if draft.static is None or not draft.static.is_predefined
        )

    def _plan_group(
        self, group: Group, taken: set[int], *, any_number: bool = False
    ) -> list[ListDraft] | None:
        """Lists of a group: predefined ones that pay, then more of those, then none of them.

        Args:
            group: one event, one direction.
            taken: numbers of static lists that others have.
            any_number: True to ignore how many lists the event serves.
        """
        lists = [] if group.stim else self._predefined(group.event.number)
        lists = [one for one in lists if one.number not in taken]
        most = self._lists_left(group.event) if not any_number else MANY
        ways = (
            ((lists, self._has_no_lists()), (lists, True), ([], False)) if lists else (([], False),)
        )
        for usable, eager in ways:
            drafts, rest = take_predefined(group, usable, self.caps.ag, eager=eager)
            if self._least_entries(rest) > self.entries_left:
                continue
            for part in by_extension(rest, self.caps.address_extension):
                used = {draft.static.number for draft in drafts if draft.static}
                odts = sum(len(draft.packed.odts) for draft in drafts if draft.static is None)
                more = self._fill(part, used, odts)
                if more is None:
                    break
                drafts += more
            else:
                if bindings(drafts) <= most:
                    return drafts
        return None

    def _least_entries(self, group: Group) -> int:
        """ODT entries that have to be written for a group at least."""
        limits = self._limits(group, 1)
        return least_entries(regions_of(group.signals, limits), limits)

    def _lists_left(self, event: EventChannel) -> int:
        """Lists that the event still serves, beside those that are bound to it for ever."""
        if event.max_daq_list is None:
            return MANY
        bound = sum(one.event == event.number for one in self.caps.lists)
        return event.max_daq_list - bound - self.lists_at.get(event.number, 0)

    def _has_no_lists(self) -> bool:
        return not self.caps.dynamic and not self.free

    def _usable(self, group: Group) -> list[StaticList]:
        event = group.event.number
        events = (None, event) if self._lists_left(group.event) > 0 else (event,)
        return [
            one
            for one in self.free
            if one.event in events and (one.stim if group.stim else one.daq)
        ]

    def _limits(
        self, group: Group, samples: int, used: int = 0, one: StaticList | None = None
    ) -> Limits:
        return self.limits.of(
            group.event,
            stim=group.stim,
            odts_left=(min(self.odts_left, self.stim_left) if group.stim else self.odts_left)
            - used,
            samples=samples,
            static=one,
        )

    def _fill(self, group: Group, used: set[int], odts: int) -> list[ListDraft] | None:
        """The lists of a group in the packed mode that keeps elements whole and takes few bytes."""
        if not group.signals:
            return []
        best: tuple[tuple[bool, float], list[ListDraft]] | None = None
        for mode in self._modes(group):
            drafts = self._fill_mode(group, mode, used, odts)
            if drafts is not None:
                split = any(draft.packed.split_elements for draft in drafts)
                score = split, self._bytes_per_sample(drafts)
                if best is None or score < best[0]:
                    best = score, drafts
        return best[1] if best else None

    def _modes(self, group: Group) -> list[PackedMode | None]:
        if group.stim:
            return [None]
        event, wanted = group.event, self.wanted.packed
        if wanted == 0 and event.packed_mode is None:
            return [None]
        room = self._limits(group, 1).first_payload
        size = sum(
            region.size_bytes for region in regions_of(group.signals, self._limits(group, 1))
        )
        return packed_options(event, wanted, size, room, self.findings)

    def _fill_mode(
        self, group: Group, mode: PackedMode | None, used: set[int], odts: int
    ) -> list[ListDraft] | None:
        """Lists whose ODTs are homogeneous where the slave likes that; mixed where that is too many."""
        found = self._fill_lists(group, mode, used, odts)
        rule = self.caps.optimisation
        if found is None and rule.odt_type and not rule.is_strict:
            found = self._fill_lists(group, mode, used, odts, mixed=True)
            if found is not None:
                self._note_mixed(group)
        return found

    def _fill_lists(
        self,
        group: Group,
        mode: PackedMode | None,
        used: set[int],
        odts: int,
        *,
        mixed: bool = False,
    ) -> list[ListDraft] | None:
        samples = mode.sample_count if mode else 1

        def limits_of(more: int, one: StaticList | None = None) -> Limits:
            limits = self._limits(group, samples, odts + more, one)
            return replace(limits, odt_type=0) if mixed else limits

        if self.caps.dynamic:
            return fill_dynamic(group, limits_of, self.budget, mode)
        lists = [one for one in self._usable(group) if one.number not in used]
        if mode is not None:
            lists = [one for one in lists if one.packs or group.event.packed_mode]
        return fill_static(group, lists, lambda one: limits_of(0, one), self.budget, mode)

    def _note_mixed(self, group: Group) -> None:
        self.findings.note(
            "daq-mixed-odts",
            f"{group.event.label}: ODTs with one element size each would be too many.",
            "Some are mixed, which this slave copies more slowly.",
        )

    def _bytes_per_sample(self, drafts: Sequence[ListDraft]) -> float:
        total = 0.0
        for draft in drafts:
            head = self.limits.header(stim=draft.stim)
            samples = draft.mode.sample_count if draft.mode else 1
            odts = draft.packed.odts
            headers = head.first_header_size + head.header_size * (len(odts) - 1)
            data = sum(entry.size for odt in odts for entry in odt.entries) * self.caps.ag
            total += headers / samples + data
        return total

    # ------------------------------------------------------------------------------ refusals

    def _refuse(self, group: Group, done: dict[int, list[ListDraft]]) -> list[ListDraft]:
        """Say why a group does not fit, and the fewest signals whose omission helps.

        Returns:
            The lists of what would remain, so that the next group is told what is left beside them.
        """
        taken = _numbers(done)

        def fits(signals: tuple[WantedSignal, ...]) -> bool:
            return self._plan_group(replace(group, signals=signals), taken) is not None

        omitted = fewest_omitted(group.signals, fits, self.budget, self._to_omit(group))
        whole = self._plan_group(group, taken, any_number=True)
        if whole is not None:
            event = group.event
            bound = (event.max_daq_list or 0) - self._lists_left(event)
            text = (
                f"event {event.number} ({event.label}) needs {bound + bindings(whole)} DAQ lists "
                f"and serves {event.max_daq_list}"
            )
        else:
            text = self._why(group)
        shared = self.caps.dynamic and self.caps.identification_field == 0
        elsewhere = whole is not None or not (shared or "of a plan are left" in text)
        refuse_overflow(group, self.findings, omitted, text, elsewhere=elsewhere)
        names = {signal.name for signal in omitted}
        rest = tuple(signal for signal in group.signals if signal.name not in names)
        return self._plan_group(replace(group, signals=rest), taken) or []

    def _to_omit(self, group: Group) -> list[WantedSignal]:
        """An order to leave signals out in: those of predefined lists last, the largest first."""
        lists = [] if group.stim else self._predefined(group.event.number)
        held = {n for one in lists for n in offsets_in(one, group.signals, self.caps.ag)}
        return sorted(group.signals, key=lambda s: (s.name in held, -s.size_bytes))

    def _why(self, group: Group) -> str:
        event, limits = group.event, self._limits(group, 1)
        title = f"event {event.number} ({event.label})"
        regions = regions_of(group.signals, limits)
        need, entries = sum(region.size_bytes for region in regions), least_entries(regions, limits)
        if entries > self.entries_left:
            return (
                f"{title} needs {entries} ODT entries, {max(self.entries_left, 0)} of the "
                f"{MAX_PLAN_ENTRIES} of a plan are left"
            )
        if self.caps.dynamic:
            overflow = Overflow()
            for part in by_extension(group, self.caps.address_extension):
                if not self._fits(part, overflow):
                    need = sum(region.size_bytes for region in overflow.regions)
                    break
            room = max((limits.max_odts - 1) * limits.payload + limits.first_payload, 0)
            room = room if limits.max_odts > 0 else 0
            count = self._odts_of(group) if limits.crossing and need <= room else 0
            if count:
                return (
                    f"{title} needs {counted(need, 'byte')} per sample, which take {count} ODTs of "
                    f"{limits.payload} bytes as elements stay whole, and {limits.max_odts} are left"
                )
            if limits.crossing:
                return (
                    f"{title} needs {counted(need, 'byte')} per sample, {max(limits.max_odts, 0)} ODTs of "
                    f"{limits.payload} bytes hold at most {room}"
                )
            return f"{title}: with PID_OFF a signal must fit one ODT of {limits.payload} bytes"
        usable = self._usable(group)
        if not usable:
            text = f"{title} needs {counted(need, 'byte')} per sample, and no static DAQ list is free for it"
            ready = not group.stim and self._predefined(event.number)
            return f"{text}, nor do predefined ones carry all of it" if ready else text
        sizes = ", ".join(
            f"{one.number} ({one.max_odt} × {one.max_odt_entries})" for one in usable[:4]
        )
        return (
            f"{title} needs {counted(need, 'byte')} per sample, which the free static DAQ lists {sizes} "
            "(ODTs × entries) do not hold"
        )

    def _odts_of(self, group: Group) -> int:
        """ODTs that a group would need if there were more numbers, 0 when many more do not suffice."""

        def limits_of(used: int) -> Limits:
            return replace(self._limits(group, 1, used), max_odts=4 * MAX_ODTS - used)

        parts = by_extension(group, self.caps.address_extension)
        found = [fill_dynamic(part, limits_of, self.budget) for part in parts]
        if any(drafts is None for drafts in found):
            return 0
        return sum(len(draft.packed.odts) for drafts in found if drafts for draft in drafts)

    def _fits(self, group: Group, overflow: Overflow) -> bool:
        """Whether dynamic lists hold the signals of a group; else what is left over is told."""

        def limits_of(used: int) -> Limits:
            return self._limits(group, 1, used)

        return fill_dynamic(group, limits_of, self.budget, None, overflow) is not None


def _numbers(done: Mapping[int, Sequence[ListDraft]]) -> set[int]:
    """Static lists that are in use."""
    return {draft.static.number for drafts in done.values() for draft in drafts if draft.static}
