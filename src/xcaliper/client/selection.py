"""From names and options to signals and a plan, with an ECU or without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from xcaliper.client.binding import Signal
from xcaliper.client.names import expand_names
from xcaliper.client.polling import polling_rate
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.daq.event_choice import some
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from xcaliper.client.connection import Connection
    from xcaliper.daq.capabilities import DaqCapabilities, EventChannel
    from xcaliper.daq.plan import DaqPlan, PolledSignal
    from xcaliper.daq.wanted import WantedSignal
    from xcaliper.quantity.axis import AxisPoints
    from xcaliper.quantity.catalog import Bound, Catalog
    from xcaliper.quantity.dependents import Dependent
    from xcaliper.quantity.memory_values import Read
    from xcaliper.xcp.profile import Profile

__all__ = [
    "POLLING",
    "NameSpace",
    "PlanOptions",
    "Selection",
    "event_number",
    "select",
]

#: The event of signals that shall be read again and again instead of measured.
POLLING: Final = "polling"
_PERIOD: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)")
_UNIT_NS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}


class PlanOptions(TypedDict, total=False):
    """What can be chosen about a plan.

    Attributes:
        event: event for all signals, by name, number, or period such as ``"10ms"``; or pattern →
            event, later ones beating earlier ones; ``"polling"`` reads instead of measuring; None = as
            the description says.
        prescaler: take every n-th event only.
        polling: read again and again what cannot be measured: True (10 rounds per second) or rounds
            per second; False = refuse.
        timestamp: False = switch the slave's timestamps off, where it allows.
        priority: of the lists; 0 = the slave may buffer them.
        dto_ctr: have the DTO counter inserted *(1.3)*.
        packed: samples that one set of DTOs carries *(1.4)*: 0 = as few as the slave allows, ``"max"``
            = as many as fit.
        pid_off: leave the identification field out, one ODT per list.
        can_ids: CAN identifiers for lists that have none of their own, in order; bit 31 = 29 bits.
        alternating: take every second cycle of display events.
        predefined: False = leave predefined lists alone.
        stim: signals, of those named, that are sent to the slave instead; see
            :meth:`~xcaliper.client.connection.Connection.stimulate`.
        stim_timestamp: their packets carry the timestamp of the sample that they answer to.
    """

    event: str | int | Mapping[str, str | int] | None
    prescaler: int
    polling: bool | float
    timestamp: bool
    priority: int
    dto_ctr: bool
    packed: int | Literal["max"]
    pid_off: bool
    can_ids: Sequence[int]
    alternating: bool
    predefined: bool
    stim: str | Iterable[str]
    stim_timestamp: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """Signals of one slave and the plan for them.

    Attributes:
        signals: name → signal.
        plan: what the slave will be told to do.
        poll_hz: rounds per second for what is polled.
        connection: to the slave; None when it was planned without.
    """

    signals: dict[str, Signal]
    plan: DaqPlan
    poll_hz: float = 0.0
    connection: Connection | None = None


@dataclass(frozen=True, slots=True)
class NameSpace:
    """Names of a description and what they stand for.

    Attributes:
        catalog: names and descriptions.
        bound: the object of a name, in the variant in effect.
        computed: how a quantity is computed; None when it is not.
        read: gives bytes of memory; None when there is no ECU.
    """

    catalog: Catalog
    bound: Callable[[str], Bound]
    computed: Callable[[str], Dependent | None]
    read: Read | None = None

    def signals(
        self, names: str | Iterable[str], left_out: dict[str, str] | None = None
    ) -> dict[str, Signal]:
        """Measurable signals by name; patterns give measurements, and parameters with an event.

        Args:
            names: names and patterns.
            left_out: gets what a pattern means and cannot be measured, each with the reason.

        Raises:
            NotFoundError: no such name; carries the nearest ones.
            UsageError: it cannot be measured.
        """
        asked = [names] if isinstance(names, str) else list(names)
        found: dict[str, Signal] = {}
        left_out = {} if left_out is None else left_out
        for name in asked:
            if not isinstance(name, str):
                raise UsageError(f"signal: {name!r} is no name.", hint="Names are texts.")
            wild = "*" in name or "?" in name
            for one in expand_names(self.catalog, [name]):
                try:
                    signal = self._signal(one, wild=wild)
                except UsageError as error:
                    if not wild:
                        raise
                    left_out.setdefault(one, error.message.removeprefix(f"{one}: "))
                    continue
                if signal is not None:
                    found.setdefault(one, signal)
        for name in found:
            left_out.pop(name, None)
        if not found:
            raise UsageError(
                f"{', '.join(asked) or 'nothing'}: no measurable signal among them.",
                hint=next((f"{name}: {why}" for name, why in left_out.items()), "")
                or "A pattern means measurements, and parameters that the A2L gives an event; "
                "other parameters are named in full.",
            )
        return found

    def _signal(self, name: str, *, wild: bool) -> Signal | None:
        """The signal of one name; None when a pattern does not mean it."""
        node = self.computed(name)
        if node is not None and not node.has_memory:
            if wild:
                return None
            raise UsageError(
                f"{name}: it is virtual and cannot be measured.",
                hint=f"Measure {', '.join(node.inputs)}, or read it with read().",
            )
        bound = self.bound(name)
        if wild and not isinstance(bound, BoundMeasurement) and not _has_event(bound):
            return None
        return Signal.of(replace(self._resolved(bound), name=name), self.read)

    def _resolved(self, bound: Bound) -> Bound:
        if self.read is not None:
            return bound.resolve(self.read)
        if getattr(bound, "pointers", None) is not None:
            raise UsageError(
                f"{bound.name}: only the ECU knows where it is, behind a pointer.",
                hint="Plan it with a connection.",
            )
        return bound


def _has_event(bound: BoundCharacteristic | AxisPoints) -> bool:
    return isinstance(bound, BoundCharacteristic) and not bound.axes and bound.events is not None


def event_number(known: Sequence[EventChannel], event: str | int) -> int:
    """Number of an event given by name, number or period.

    Args:
        known: events that there are.
        event: which one is meant.

    Raises:
        NotFoundError: no such event; carries those that there are.
        UsageError: several events have the period; or it is no text and no number.
    """
    if isinstance(event, bool) or not isinstance(event, int | str):
        raise UsageError(
            f"event: {event!r} is neither a name nor a number.", hint="'10ms', 'Task1' or 3."
        )
    if isinstance(event, int):
        return event
    event = event.strip()
    for channel in known:
        if channel.name.casefold() == event.casefold():
            return channel.number
    if event.isdecimal():
        return int(event)
    period = _PERIOD.fullmatch(event)
    if period is not None:
        cycle_ns = round(float(period[1]) * _UNIT_NS[period[2]])
        same = [channel for channel in known if channel.cycle_ns == cycle_ns]
        if len(same) > 1:
            labels = ", ".join(channel.label for channel in same[:8])
            raise UsageError(
                f"event: {len(same)} events have {event}.", hint=f"Name one: {labels}."
            )
        if same:
            return same[0].number
    raise NotFoundError(event, kind="event", nearest=tuple(one.label for one in known)[:8])


@dataclass(slots=True)
class _Chosen:
    """Events as told: one for all, some by name, some polled."""

    common: int | None = None
    by_name: dict[str, int] = field(default_factory=dict)
    polled: set[str] = field(default_factory=set)


def _choose(
    space: NameSpace, signals: Mapping[str, Signal], known: Sequence[EventChannel], event: Any
) -> _Chosen:
    chosen = _Chosen()
    if event is not None and not isinstance(event, Mapping):
        if event == POLLING:
            chosen.polled = set(signals)
        else:
            chosen.common = event_number(known, event)
        return chosen
    for pattern, one in (event or {}).items():
        names = [name for name in expand_names(space.catalog, [pattern]) if name in signals]
        if one == POLLING:
            chosen.polled.update(names)
            continue
        chosen.by_name.update(dict.fromkeys(names, event_number(known, one)))
        chosen.polled.difference_update(names)
    return chosen


def select(  # what there is, and what is wanted
    space: NameSpace,
    names: str | Iterable[str],
    daq: DaqCapabilities | None,
    profile: Profile,
    *,
    subject: str,
    options: PlanOptions,
    connection: Connection | None = None,
) -> Selection:
    """Signals and their plan; nothing is sent.

    Args:
        space: names.
        names: names and patterns with ``*`` and ``?``.
        daq: abilities of the slave; None = it cannot measure.
        profile: how the slave talks.
        subject: name of the slave, for messages.
        options: as told by the user.
        connection: kept in the result; parameters that it has seen refused are polled, where polling is
            allowed and no event is chosen.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit; carries every reason.
        UsageError: it cannot be measured.
        TypeError: an option that does not exist.
    """
    unknown = set(options) - set(PlanOptions.__annotations__)
    if unknown:
        known = ", ".join(PlanOptions.__annotations__)
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}; there are {known}")
    _check_options(options)
    left_out: dict[str, str] = {}
    signals = space.signals(names, left_out)
    poll_hz = polling_rate(options.get("polling", False))
    chosen = _choose(space, signals, daq.events if daq else (), options.get("event"))
    if chosen.polled and not poll_hz:
        poll_hz = polling_rate(True)  # asked for by the event
    stim = set()
    if options.get("stim"):
        stim = set(expand_names(space.catalog, options["stim"])) & set(signals)
    wanted = {name: one.wanted() for name, one in signals.items() if name not in chosen.polled}
    wanted = {n: replace(one, stim=n in stim) for n, one in wanted.items()}
    by_hand = [_polled(signals[n].wanted(), "polling was asked for") for n in sorted(chosen.polled)]
    refused = connection.port.refused if connection is not None and poll_hz else frozenset()
    denied = [wanted.pop(n) for n in _not_measured(signals, wanted, chosen, refused)]
    by_hand += [_polled(one, "the slave does not measure parameters there") for one in denied]
    if daq is None and wanted:
        reason = "the slave offers no data acquisition"
        if not poll_hz:
            raise UsageError(
                f"{subject}: {reason}.", hint="Read values with read() in a loop, or polling=True."
            )
        by_hand += [_polled(one, reason) for one in wanted.values()]
        wanted = {}
    plan = _compile(daq, profile, wanted, chosen, options, poll_hz)
    notes = _left_out_notes(left_out)
    plan = replace(plan, polled=(*plan.polled, *by_hand), diagnostics=(*plan.diagnostics, *notes))
    return Selection(signals, plan, poll_hz, connection)


def _check_options(options: PlanOptions) -> None:
    """Refuse what is no number where one is due.

    Raises:
        UsageError: with the option.
    """
    for name in ("prescaler", "priority", "packed"):
        value: object = options.get(name, 0)
        if not isinstance(value, int) and (name != "packed" or value not in ("max", None)):
            raise UsageError(f"{name}: {value!r} is no whole number.")
    polling: object = options.get("polling", False)
    if not isinstance(polling, int | float):
        raise UsageError(f"polling: {polling!r} is no number of rounds per second.")


def _left_out_notes(left_out: Mapping[str, str]) -> list[Diagnostic]:
    """What patterns mean and cannot be measured, one note for each reason."""
    names: dict[str, list[str]] = {}
    for name, why in left_out.items():
        names.setdefault(why, []).append(name)
    hint = "They are left out; other signals of the pattern are not concerned."
    return [
        Diagnostic(
            Severity.WARNING, "daq-left-out", Where(), f"{some(found)}: {why}", hint, subject="DAQ"
        )
        for why, found in names.items()
    ]


def _not_measured(
    signals: Mapping[str, Signal],
    wanted: Mapping[str, WantedSignal],
    chosen: _Chosen,
    refused: AbstractSet[str],
) -> list[str]:
    """Parameters without a chosen event whose entries the slave has refused before."""
    return [
        name
        for name in wanted
        if name in refused
        and not isinstance(signals[name].bound, BoundMeasurement)
        and chosen.common is None
        and name not in chosen.by_name
    ]


def _polled(wanted: WantedSignal, reason: str) -> PolledSignal:
    from xcaliper.daq.plan import PolledSignal

    return PolledSignal(wanted.name, wanted, reason)


def _compile(  # all that a plan depends on
    daq: DaqCapabilities | None,
    profile: Profile,
    wanted: Mapping[str, WantedSignal],
    chosen: _Chosen,
    options: PlanOptions,
    poll_hz: float,
) -> DaqPlan:
    """The plan of what is measured; an empty one when everything is polled."""
    from xcaliper.daq.plan import DaqPlan, compile_plan
    from xcaliper.daq.wanted import Wanted
    from xcaliper.xcp.profile import DtoFormat

    if daq is None or not wanted:
        link = daq.link if daq is not None else None
        return DaqPlan((), (), DtoFormat(), profile.byte_order, None, profile.max_dto, link=link)
    packed = options.get("packed", 0)
    request = Wanted(
        signals=tuple(wanted.values()),
        event_channel=chosen.common,
        event_channels={n: number for n, number in chosen.by_name.items() if n in wanted},
        prescaler=options.get("prescaler", 1),
        priority=options.get("priority", 0),
        timestamp=options.get("timestamp", True),
        dto_ctr=options.get("dto_ctr", False),
        allow_polling=poll_hz > 0,
        packed=None if packed == "max" else packed,
        pid_off=options.get("pid_off", False),
        can_ids=tuple(options.get("can_ids", ())),
        alternating=options.get("alternating", False),
        predefined=options.get("predefined", True),
        stim_timestamp=options.get("stim_timestamp", False),
    )
    return compile_plan(request, daq)
