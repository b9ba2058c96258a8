"""A plan held against what the ECU and the link can afford: resources of the A2L, load of the link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import PlanError
from xcaliper.daq.event_choice import some
from xcaliper.daq.list_drafts import fewest_omitted
from xcaliper.daq.plan import PolledSignal
from xcaliper.daq.resources import ELSEWHERE, Excess, ResourceModel, exceeded, resource_use

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.daq.budget import Budget
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.daq.wanted import Wanted, WantedSignal

__all__ = ["Means"]

#: Signals to leave out that are each tried again in the plan without the others.
MAX_TRIED: Final = 16
MAX_PRESCALER: Final = 255


@dataclass(frozen=True, slots=True)
class Means:
    """What a plan may cost.

    Attributes:
        wanted: what is asked for.
        caps: of the slave.
        budget: gets the work counted.
        again: compiles another request; the signals handed over are polled.
    """

    wanted: Wanted
    caps: DaqCapabilities
    budget: Budget
    again: Callable[[Wanted, DaqCapabilities, Sequence[PolledSignal]], DaqPlan]

    def within(self, plan: DaqPlan) -> DaqPlan:
        """The plan if it can be afforded; else one with polled signals.

        Raises:
            PlanError: it cannot be, and nothing may be polled.
        """
        found = self._exceeded(plan)
        if not found:
            return self._with_note(plan)
        if self.wanted.allow_polling and plan.rasters:
            daq = [signal for signal in self.wanted.signals if not signal.stim]
            stim = tuple(signal for signal in self.wanted.signals if signal.stim)
            out = self._fewest(plan, daq, stim, found)
            reason = "; ".join(one.text for one in found)
            polled = [PolledSignal(signal.name, signal, reason) for signal in out]
            return self.again(self._without(out), self.caps, polled)
        out = self._fewest(plan, self.wanted.signals, (), found)
        names, groups = tuple(signal.name for signal in out), _groups(plan)

        def advice(one: Excess) -> str:
            """The signals that count for this limit; those of all limits together are enough."""
            mine = [name for name in names if name in groups and one.counts(*groups[name])]
            return f"{one.text}; leave out {some(mine or names)}{one.hint}"

        raise PlanError("plan", tuple(map(advice, found)), leave_out=names)

    def _exceeded(self, plan: DaqPlan) -> list[Excess]:
        """Every limit that is exceeded."""
        link, model = self.caps.link, self.caps.resources
        found = exceeded(resource_use(plan.lists, model, self.caps.lists), model)
        if self.caps.dynamic and self.caps.max_daq:
            found += self._too_many_lists(plan)
        if link is None or link.is_assumed or link.max_load is None:
            return found
        percent = self._percent(plan.rasters, plan) + self._percent(plan.stim_rasters, plan)
        if percent <= link.max_load * (1 + 1e-9):
            return found
        text = f"MAX_BUS_LOAD {link.max_load:g} % is exceeded: {percent:.1f} % would be used"
        cyclic = {r.event.number for r in (*plan.rasters, *plan.stim_rasters) if r.set_cycle_ns}
        return [
            *found,
            Excess(text, lambda event, _: event in cyclic, self._prescaler(plan, link.max_load)),
        ]

    def _too_many_lists(self, plan: DaqPlan) -> list[Excess]:
        """MAX_DAQ of the A2L, which a slave that allocates lists does not tell."""
        count = self.caps.min_daq + sum(one.daq_list >= self.caps.min_daq for one in plan.lists)
        if count <= self.caps.max_daq:
            return []
        text = f"MAX_DAQ {self.caps.max_daq} is exceeded: {count} would be used"
        return [Excess(text, lambda _event, _stim: True, ELSEWHERE)]

    def _percent(self, rasters: Sequence[Raster], plan: DaqPlan) -> float:
        return sum(plan.link_percent(raster, self.caps.link) or 0.0 for raster in rasters)

    def _prescaler(self, plan: DaqPlan, percent: float) -> str:
        """The prescaler that brings the load of the link below some percent, in words."""
        room = percent - self._percent(plan.stim_rasters, plan)
        if not self.caps.prescaler or self.wanted.prescalers or room <= 0:
            return ""
        needed = ceil(self.wanted.prescaler * self._percent(plan.rasters, plan) / room - 1e-9)
        return f", or use prescaler {needed}" if needed <= MAX_PRESCALER else ""

    def _with_note(self, plan: DaqPlan) -> DaqPlan:
        """The plan, with a warning where its link is too slow for it."""
        link = self.caps.link
        if link is None or link.is_assumed:
            return plan
        percent = self._percent(plan.rasters, plan) + self._percent(plan.stim_rasters, plan)
        if percent <= 100:
            return plan
        hint = f"Leave out signals, use a slower event{self._prescaler(plan, 100)}."
        if "prescaler" not in hint:
            hint = "Leave out signals, or use a slower event."
        text = f"the link carries less than the lists send, which is {percent:.0f} % of it."
        note = Diagnostic(Severity.WARNING, "daq-link-full", Where(), text, hint, subject="DAQ")
        return replace(plan, diagnostics=(*plan.diagnostics, note))

    # ------------------------------------------------------------------------------- what to omit

    def _fewest(
        self,
        plan: DaqPlan,
        signals: Sequence[WantedSignal],
        kept: tuple[WantedSignal, ...],
        found: Sequence[Excess],
    ) -> list[WantedSignal]:
        """The fewest signals to leave out that can be found in a few orders."""

        def affords(some_: tuple[WantedSignal, ...]) -> bool:
            return self._affords(some_ + kept)

        ways = [
            fewest_omitted(signals, affords, self.budget, order)
            for order in self._orders(plan, signals, found)
        ]
        out = self._fewer_by_group(plan, signals, min(ways, key=len), affords)
        if 1 < len(out) <= MAX_TRIED:
            for one in tuple(out):
                fewer = [signal for signal in out if signal is not one]
                if fewer and not self.budget.is_spent and affords(_others(signals, fewer)):
                    out = fewer
        return out

    def _fewer_by_group(
        self,
        plan: DaqPlan,
        signals: Sequence[WantedSignal],
        out: list[WantedSignal],
        affords: Callable[[tuple[WantedSignal, ...]], bool],
    ) -> list[WantedSignal]:
        """As few signals as it takes of each event and direction in turn, beside those of the others.

        Orders over all events leave out too many where events have limits of their own.
        """
        where = _groups(plan)
        for group in sorted({where[s.name] for s in out if s.name in where}):
            mine = [signal for signal in out if where.get(signal.name) == group]
            others = [signal for signal in out if where.get(signal.name) != group]
            if not others or self.budget.is_spent:
                break
            kept = _others(signals, out)
            if affords(kept + tuple(mine)):
                out = others
                continue
            out = others + fewest_omitted(mine, _beside(kept, affords), self.budget, mine)
        return out

    def _orders(
        self, plan: DaqPlan, signals: Sequence[WantedSignal], found: Sequence[Excess]
    ) -> list[list[WantedSignal]]:
        """Orders to leave signals out in; those that count for no limit come last in each.

        The largest first; the largest load first; those of the event with the fewest signals first.
        """
        where = _raster_of(plan)
        sizes: dict[tuple[int, bool], int] = {}
        for raster in where.values():
            group = raster.event.number, raster.is_stim
            sizes[group] = sizes.get(group, 0) + 1

        def idle(signal: WantedSignal) -> bool:
            raster = where.get(signal.name)
            return raster is None or not any(
                one.counts(raster.event.number, raster.is_stim) for one in found
            )

        def load(signal: WantedSignal) -> float:
            raster = where.get(signal.name)
            return signal.size_bytes / ((raster and raster.cycle_ns) or 1e18)

        def group_of(signal: WantedSignal) -> tuple[int, int]:
            raster = where.get(signal.name)
            if raster is None:
                return len(where) + 1, 0
            return sizes[raster.event.number, raster.is_stim], raster.event.number

        by_size = sorted(signals, key=lambda s: (idle(s), -s.size_bytes))
        by_load = sorted(signals, key=lambda s: (idle(s), -load(s)))
        by_group = sorted(signals, key=lambda s: (idle(s), group_of(s), -s.size_bytes))
        orders = [by_size]
        orders += [order for order in (by_load, by_group) if order != by_size]
        return orders

    def _without(self, out: Sequence[WantedSignal]) -> Wanted:
        names = {signal.name for signal in out}
        return replace(
            self.wanted,
            signals=_others(self.wanted.signals, out),
            event_channels={n: e for n, e in self.wanted.event_channels.items() if n not in names},
        )

    def _affords(self, kept: tuple[WantedSignal, ...]) -> bool:
        if not kept:
            return True
        smaller = self._without(_others(self.wanted.signals, kept))
        free = replace(self.caps, resources=ResourceModel(), link=None, max_daq=0)
        try:
            plan = self.again(smaller, free, ())
        except PlanError:
            return False
        return not self._exceeded(plan)


def _beside(
    kept: tuple[WantedSignal, ...], affords: Callable[[tuple[WantedSignal, ...]], bool]
) -> Callable[[tuple[WantedSignal, ...]], bool]:
    """Whether signals can be afforded beside others."""
    return lambda some_: affords(kept + some_)


def _raster_of(plan: DaqPlan) -> dict[str, Raster]:
    """Signal → its raster."""
    rasters = (*plan.rasters, *plan.stim_rasters)
    return {name: raster for raster in rasters for name in raster.signals}


def _groups(plan: DaqPlan) -> dict[str, tuple[int, bool]]:
    """Signal → event channel and direction of its list."""
    return {n: (raster.event.number, raster.is_stim) for n, raster in _raster_of(plan).items()}


def _others(
    signals: Sequence[WantedSignal], out: Sequence[WantedSignal]
) -> tuple[WantedSignal, ...]:
    names = {signal.name for signal in out}
    return tuple(signal for signal in signals if signal.name not in names)
