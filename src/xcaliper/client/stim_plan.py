"""From names and events to the lists that a stimulation or a bypass needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from xcaliper.client.binding import Signal
from xcaliper.client.bypass import Bypass
from xcaliper.client.names import expand_names
from xcaliper.client.selection import Selection, event_number
from xcaliper.client.stim_session import SessionOptions
from xcaliper.client.stimulation import Stimulation
from xcaliper.client.together import reconnect_time_s
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.daq.plan import compile_plan
from xcaliper.daq.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.client.connection import Connection
    from xcaliper.client.recording import Record
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.wanted import WantedSignal

__all__ = ["StimOptions", "make_bypass", "make_stimulation"]

#: Name in the plan of what is sampled of a signal that is sent too.
SAMPLED: Final = "{} (as measured)"
_WORD_BYTES: Final = 4


class StimOptions(TypedDict, total=False):
    """What can be chosen about a stimulation or a bypass.

    Attributes:
        timestamp: False = switch timestamps of samples off, where the slave allows.
        priority: of the lists; 0 = the slave may buffer them.
        dto_ctr: DTOs carry a counter *(1.3)*; not given = where the description says that they can.
        predefined: True = predefined lists may be used.
        stim_timestamp: STIM packets carry the timestamp of the sample that they answer to.
        measure: names and patterns of what is measured besides, at the events that the description
            says; or name → event. Events are those of the same slave, and all lists start together.
        record: what to record everything into that is sampled and sent, as for ``measure()``.
        overwrite: replace a file that exists.
        reconnect: look for a slave that was lost or has restarted, up to 60 s or as many seconds as given,
            and go on; False = the loss is the end.
        one_per_datagram: each STIM packet travels in a datagram of its own *(UDP)*; False = those of a row
            share one, as the standard allows.
    """

    timestamp: bool
    priority: int
    dto_ctr: bool
    predefined: bool
    stim_timestamp: bool
    measure: str | Iterable[str] | Mapping[str, str | int]
    record: Record | Sequence[Record] | None
    overwrite: bool
    reconnect: bool | float
    one_per_datagram: bool


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


def _check_options(options: Mapping[str, Any]) -> None:
    known = StimOptions.__annotations__
    unknown = set(options) - set(known)
    if unknown:
        raise TypeError(
            f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(known)}"
        )


def _session_options(options: StimOptions) -> SessionOptions:
    return SessionOptions(
        is_measured=bool(options.get("measure") or options.get("record")),
        record=options.get("record"),
        overwrite=options.get("overwrite", False),
        reconnect_s=reconnect_time_s(options.get("reconnect", False)),
        one_per_datagram=options.get("one_per_datagram", True),
    )


class _Lists:
    """Signals of both directions and their events, on the way to a plan."""

    def __init__(self, connection: Connection, sent: Mapping[str, Signal]) -> None:
        self.connection = connection
        self.signals = dict(sent)
        self.events: dict[str, int] = {}
        self._daq = _capabilities(connection)
        self._sent = frozenset(sent)
        self._wanted: dict[str, WantedSignal] = {}

    def sample(self, signals: Mapping[str, Signal], event: int | None) -> list[str]:
        """Have signals sampled; gives their names in the plan."""
        found = []
        for name, signal in signals.items():
            planned = SAMPLED.format(name) if name in self._sent else name
            if planned not in self._wanted:
                self.signals[planned] = signal
                self._wanted[planned] = replace(signal.wanted(), name=planned)
                if event is not None:
                    self.events[planned] = event
            found.append(planned)
        return found

    def measure(self, measured: str | Iterable[str] | Mapping[str, str | int]) -> None:
        """Have what is measured besides sampled too."""
        memory = self.connection.memory
        if not isinstance(measured, Mapping):
            names = _listed(measured)
            if names:
                self.sample(memory.signals(names), None)
            return
        chosen: dict[str, int] = {}
        for pattern, event in measured.items():
            number = event_number(self._daq.events, event)
            chosen |= dict.fromkeys(expand_names(memory.catalog, [pattern]), number)
        for name, number in chosen.items():
            self.sample(memory.signals([name]), number)

    def selection(self, options: StimOptions) -> Selection:
        """All of it with its plan.

        Raises:
            PlanError: it does not fit; carries every reason.
        """
        outgoing = [_outgoing(self.signals[name]) for name in self.signals if name in self._sent]
        plan = compile_plan(
            Wanted(
                signals=(*self._wanted.values(), *outgoing),
                event_channels=self.events,
                priority=options.get("priority", 0),
                timestamp=options.get("timestamp", True),
                dto_ctr=_counted(self._daq, options),
                predefined=options.get("predefined", False),
                stim_timestamp=options.get("stim_timestamp", False),
            ),
            self._daq,
        )
        return Selection(self.signals, plan, connection=self.connection)


def make_bypass(  # noqa: PLR0913  # what is told about a bypass
    connection: Connection,
    inputs: str | Iterable[str],
    outputs: str | Iterable[str],
    algorithm: Callable[..., Any],
    event: str | int | None,
    output_event: str | int | None,
    *,
    arrays: bool,
    check_counter: bool,
    keep: int,
    options: StimOptions,
) -> Bypass:
    """A bypass, planned and checked; nothing is sent.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit; carries every reason.
        UsageError: no event serves STIM, something else has the lists, or the algorithm does not fit.
    """
    connection.port.check_free()
    _check_options(options)
    daq = _capabilities(connection)
    taken = connection.memory.signals(_listed(inputs))
    given = connection.memory.signals(_listed(outputs))
    lists = _Lists(connection, given)
    number = None if event is None else event_number(daq.events, event)
    planned = lists.sample(taken, number)
    last = number if output_event is None else event_number(daq.events, output_event)
    if last is not None:
        lists.events |= dict.fromkeys(given, last)
    lists.measure(options.get("measure", ()))
    return Bypass(
        connection,
        lists.selection(options),
        algorithm,
        inputs=dict(zip(taken, planned, strict=True)),
        arrays=arrays,
        check_counter=check_counter,
        keep=keep,
        options=_session_options(options),
    )


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
    _check_options(options)
    chosen = cast("StimOptions", options)
    daq = _capabilities(connection)
    columns = list(stream) if hasattr(stream, "keys") else list(names)  # type: ignore[arg-type]
    if not values and not columns:
        raise UsageError(
            "stimulation: nothing to send.", hint='stimulate({"Torque": 12.5}, event="10ms")'
        )
    signals = connection.memory.signals([*values, *columns])
    number = _event_of(signals, daq, event)
    lists = _Lists(connection, signals)
    lists.events |= dict.fromkeys(signals, number)
    found = next((one for one in daq.events if one.number == number), None)
    clock: str | None = None
    if found is not None and found.daq and found.stim:
        name, first = next(iter(signals.items()))
        (clock,) = lists.sample({name: Signal(first.bound, first.window)}, number)
    lists.measure(chosen.get("measure", ()))
    return Stimulation(
        connection,
        lists.selection(chosen),
        values,
        stream,
        t_s,
        clock=clock,
        options=_session_options(chosen),
    )


def _event_of(signals: Mapping[str, Signal], daq: DaqCapabilities, event: str | int | None) -> int:
    """The one event at which all of them are written."""
    if event is not None:
        return event_number(daq.events, event)
    wanted = [one.wanted() for one in signals.values()]
    numbers = {
        one.fixed_event if one.fixed_event is not None else one.default_event for one in wanted
    }
    if len(numbers) != 1 or None in numbers:
        raise UsageError(
            "stimulation: the description does not say at which event.", hint="Give event=…"
        )
    (number,) = cast("set[int]", numbers)
    return number
