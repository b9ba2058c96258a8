"""From names and events to the lists that a stimulation or a bypass needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from xcaliper.client.binding import Signal
from xcaliper.client.selection import Selection, event_number
from xcaliper.client.stimulation import Stimulation
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.daq.plan import compile_plan
from xcaliper.daq.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xcaliper.client.connection import Connection
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.wanted import WantedSignal

__all__ = ["StimOptions", "make_stimulation", "select_bypass"]

#: Name of the sample that says when to send, where nothing else is measured.
CLOCK: Final = "{} (as measured)"
_WORD_BYTES: Final = 4


class StimOptions(TypedDict, total=False):
    """What can be chosen about the plan of a stimulation or a bypass.

    Attributes:
        timestamp: False = switch timestamps of samples off, where the slave allows.
        priority: of the lists; 0 = the slave may buffer them.
        dto_ctr: DTOs carry a counter *(1.3)*; not given = where the description says that they can.
        predefined: True = predefined lists may be used.
        stim_timestamp: STIM packets carry the timestamp of the sample that they answer to.
    """

    timestamp: bool
    priority: int
    dto_ctr: bool
    predefined: bool
    stim_timestamp: bool


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _capabilities(connection: Connection) -> DaqCapabilities:
    daq = connection.daq
    if daq is None or not any(event.stim for event in daq.events):
        raise UsageError(
            f"{connection.link.name}: no event of the slave serves STIM.",
            hint="Its A2L or the slave says so; write parameters with write().",
        )
    return daq


def _counted(daq: DaqCapabilities, options: StimOptions) -> bool:
    """Whether DTOs shall carry a counter: where the description says that they can."""
    chosen = options.get("dto_ctr")
    return bool(daq.dto_ctr) if chosen is None else chosen


def _outgoing(signal: Signal) -> WantedSignal:
    """A signal that is sent; single bits count inside the 32-bit word at their address."""
    wanted = replace(signal.wanted(), stim=True)
    bound = signal.bound
    if wanted.bit is not None and getattr(bound, "byte_order", None) is ByteOrder.MOTOROLA:
        wanted = replace(wanted, bit=wanted.bit + 8 * (_WORD_BYTES - wanted.size_bytes))
    return wanted


def _select(
    connection: Connection,
    signals: Mapping[str, Signal],
    wanted: Sequence[WantedSignal],
    events: Mapping[str, int],
    options: StimOptions,
) -> Selection:
    known = StimOptions.__annotations__
    unknown = set(options) - set(known)
    if unknown:
        raise TypeError(
            f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )
    daq = _capabilities(connection)
    plan = compile_plan(
        Wanted(
            signals=tuple(wanted),
            event_channels=events,
            priority=options.get("priority", 0),
            timestamp=options.get("timestamp", True),
            dto_ctr=_counted(daq, options),
            predefined=options.get("predefined", False),
            stim_timestamp=options.get("stim_timestamp", False),
        ),
        daq,
    )
    return Selection(dict(signals), plan, connection=connection)


def select_bypass(  # what is told about a bypass
    connection: Connection,
    inputs: str | Iterable[str],
    outputs: str | Iterable[str],
    event: str | int | None,
    output_event: str | int | None,
    options: StimOptions,
) -> Selection:
    """Inputs and outputs with their plan; nothing is sent.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit; carries every reason.
        UsageError: a name is input and output, or no event serves STIM.
    """
    daq = _capabilities(connection)
    taken = connection.memory.signals(_listed(inputs))
    given = connection.memory.signals(_listed(outputs))
    both = sorted(set(taken) & set(given))
    if both:
        raise UsageError(f"bypass: {', '.join(both)} cannot be input and output at once.")
    events: dict[str, int] = {}
    if event is not None:
        events = dict.fromkeys([*taken, *given], event_number(daq.events, event))
    if output_event is not None:
        events |= dict.fromkeys(given, event_number(daq.events, output_event))
    wanted = [one.wanted() for one in taken.values()]
    wanted += [_outgoing(one) for one in given.values()]
    return _select(connection, taken | given, wanted, events, options)


def make_stimulation(  # what is told about a stimulation
    connection: Connection,
    values: Mapping[str, Any],
    event: str | int | None,
    stream: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None,
    names: Sequence[str],
    t_s: Any,
    options: Mapping[str, Any],
) -> Stimulation:
    """A stimulation, planned and checked.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit; carries every reason.
        UsageError: something else has the lists, or a value is missing.
    """
    connection.port.check_free()
    daq = _capabilities(connection)
    columns = list(stream) if hasattr(stream, "keys") else list(names)  # type: ignore[arg-type]
    if not values and not columns:
        raise UsageError(
            "stimulation: nothing to send.", hint='stimulate({"Torque": 12.5}, event="10ms")'
        )
    signals = connection.memory.signals([*values, *columns])
    wanted = [_outgoing(one) for one in signals.values()]
    number = None if event is None else event_number(daq.events, event)
    if number is None:
        defaults = {
            one.fixed_event if one.fixed_event is not None else one.default_event for one in wanted
        }
        if len(defaults) != 1 or None in defaults:
            raise UsageError(
                "stimulation: the description does not say at which event.", hint="Give event=…"
            )
        (number,) = cast("set[int]", defaults)
    events = dict.fromkeys(signals, number)
    found = next((one for one in daq.events if one.number == number), None)
    if found is not None and found.daq and found.stim:
        first = next(iter(signals.values()))
        clock = CLOCK.format(first.name)
        signals[clock] = Signal(first.bound, first.window)
        wanted.append(replace(first.wanted(), name=clock))
        events[clock] = number
    selection = _select(connection, signals, wanted, events, cast("StimOptions", options))
    return Stimulation(connection, selection, values, stream, t_s)
