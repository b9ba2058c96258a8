"""Which event channel a signal is measured or stimulated with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.daq.plan import PolledSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.daq.capabilities import DaqCapabilities, EventChannel
    from xcaliper.daq.wanted import Wanted, WantedSignal

__all__ = ["EventChoice", "Findings", "some"]

#: Where nobody says which event a signal belongs to, the one nearest to this period is taken.
PREFERRED_CYCLE_NS: Final = 10_000_000


#: Events that a message names.
_SHOWN: Final = 8


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


@dataclass(slots=True)
class Findings:
    """What goes wrong or is worth saying while a plan is made.

    Attributes:
        allow_polling: signals that cannot be measured are polled instead of being a problem.
        problems: reasons against the plan.
        notes: choices that the user should know of.
        polled: signals that are read instead.
        leave_out: signals to leave out, as problems say.
    """

    allow_polling: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[Diagnostic] = field(default_factory=list)
    polled: list[PolledSignal] = field(default_factory=list)
    leave_out: list[str] = field(default_factory=list)
    _refused: dict[str, list[str]] = field(default_factory=dict)

    def problem(self, text: str) -> None:
        """One more reason against the plan."""
        self.problems.append(text)

    def note(self, slug: str, text: str, hint: str) -> None:
        """Something that was decided."""
        self.notes.append(Diagnostic(Severity.INFO, slug, Where(), text, hint, subject="DAQ"))

    def refuse(self, signal: WantedSignal, reason: str, *, link: str = ": ") -> None:
        """One signal cannot be measured: poll it, or make it a reason against the plan."""
        if self.allow_polling and not signal.stim:
            self.poll(signal, reason)
        else:
            self._refused.setdefault(f"{link}{reason}", []).append(signal.name)

    def gather(self) -> None:
        """Make one problem of every reason that signals were refused for."""
        self.problems += [f"{some(names)}{reason}" for reason, names in self._refused.items()]
        self._refused.clear()

    def poll(self, signal: WantedSignal, reason: str) -> None:
        """Read a signal again and again instead of measuring it."""
        self.polled.append(PolledSignal(signal.name, signal, reason))


class EventChoice:
    """Chooses by the user's word, then the A2L's, then by the period.

    Args:
        wanted: what is asked for.
        capabilities: of the slave.
        findings: where refusals go.
    """

    def __init__(self, wanted: Wanted, capabilities: DaqCapabilities, findings: Findings) -> None:
        self._wanted = wanted
        self._caps = capabilities
        self._findings = findings
        self._known = {event.number: event for event in capabilities.events}
        self._refusals: dict[tuple[int, bool], str | None] = {}
        self._cyclic: dict[str, str] = {}
        self._best: dict[tuple[tuple[int, ...], bool], EventChannel | None] = {}

    def choose(self, signal: WantedSignal) -> int | None:
        """The event channel, None when there is none; the reason is in the findings then."""
        wanted = self._wanted
        told = wanted.event_channels.get(signal.name, wanted.event_channel)
        if told is not None:
            return self._check_told(signal, told)
        for number in (signal.fixed_event, signal.default_event):
            if number is not None:
                return self._check(signal, number)
        usable = [n for n in signal.available_events if self._refusal(n, signal.stim) is None]
        if signal.available_events and not usable:
            return self._check(signal, signal.available_events[0])
        return self._choose_cyclic(signal, tuple(usable))

    def _check_told(self, signal: WantedSignal, told: int) -> int | None:
        allowed = signal.available_events
        if signal.fixed_event is not None:
            allowed = (signal.fixed_event,)
        if allowed and told not in allowed:
            names = some([str(number) for number in allowed], _SHOWN)
            what = "stimulated" if signal.stim else "measured"
            self._findings.refuse(
                signal, f"cannot be {what} on event {told}; the A2L allows event {names}", link=" "
            )
            return None
        return self._check(signal, told)

    def _check(self, signal: WantedSignal, number: int) -> int | None:
        refusal = self._refusal(number, signal.stim)
        if refusal is None:
            return number
        self._findings.refuse(signal, refusal)
        return None

    def _refusal(self, number: int, stim: bool) -> str | None:  # noqa: FBT001  # key of a cache
        key = (number, stim)
        if key not in self._refusals:
            self._refusals[key] = self._why_not(number, stim=stim)
        return self._refusals[key]

    def _why_not(self, number: int, *, stim: bool) -> str | None:
        """Why an event cannot be used, None when it can."""
        caps, event = self._caps, self._known.get(number)
        if event is None:
            if (caps.events or caps.max_event_channel) and not (
                0 <= number < caps.max_event_channel
            ):
                known = [_called(e) for e in caps.events if (e.stim if stim else e.daq)]
                hint = some(known, _SHOWN) or f"0 to {caps.max_event_channel - 1}"
                return f"event {number} does not exist; use one of {hint}"
            return None if 0 <= number <= 0xFFFF else f"event {number} is not a number of an event"
        if not (event.stim if stim else event.daq):
            verb = "stimulate" if stim else "measure"
            return f"event {number} ({event.label}) does not {verb}; use another event"
        if event.max_daq_list == 0:
            return f"event {number} ({event.label}) cannot be used now; use another event"
        return None

    def _choose_cyclic(self, signal: WantedSignal, allowed: tuple[int, ...]) -> int | None:
        key = (allowed, signal.stim)
        if key not in self._best:
            self._best[key] = self._nearest(allowed, stim=signal.stim)
        best = self._best[key]
        if best is None and allowed:
            return allowed[0]
        if best is None:
            self._findings.refuse(signal, "no event is known; name an event channel")
            return None
        if len(allowed) != 1:
            self._cyclic[signal.name] = f"{best.number} ({best.label})"
        return best.number

    def _nearest(self, allowed: tuple[int, ...], *, stim: bool) -> EventChannel | None:
        usable = [
            event
            for event in self._caps.events
            if self._refusal(event.number, stim) is None
            and (not allowed or event.number in allowed)
        ]
        cyclic = [event for event in usable if event.cycle_ns]
        if cyclic:
            return min(cyclic, key=lambda e: (_distance(e.cycle_ns or 1), e.number))
        return usable[0] if usable else None

    def note_choices(self) -> None:
        """Say which events were chosen without anybody's word."""
        for event in sorted(set(self._cyclic.values())):
            names = [name for name, chosen in self._cyclic.items() if chosen == event]
            self._findings.note(
                "daq-event-chosen",
                f"event {event} was chosen for {some(names)}, for which nothing names an event.",
                "Name an event to choose another.",
            )


def _called(event: EventChannel) -> str:
    return f"{event.number} ({event.name})" if event.name else str(event.number)


def _distance(cycle: int) -> float:
    return max(cycle, PREFERRED_CYCLE_NS) / min(cycle, PREFERRED_CYCLE_NS)
