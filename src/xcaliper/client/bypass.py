"""Bypassing: samples of inputs → the user's algorithm → outputs in place of the ECU's own values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.client.reaction import Durations
from xcaliper.client.stim_rows import RowReader
from xcaliper.client.stim_session import StimSession
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import AlgorithmError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from xcaliper.client.connection import Connection
    from xcaliper.client.selection import Selection
    from xcaliper.client.stim_session import SessionOptions
    from xcaliper.daq.plan import Raster
    from xcaliper.xcp.dto_sets import DtoSet

__all__ = ["Bypass", "BypassResult", "adapt_algorithm"]

_MOST_KEPT: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class BypassResult:
    """What a bypass came to.

    Attributes:
        duration_s: from start to end.
        samples: of the inputs that came.
        answered: samples whose outputs were sent.
        lost: samples of the inputs that are missing, by the DTO counter; or were incomplete.
        late: answers sent later than one cycle after their sample was taken; without timestamps, had come.
        clamped: output values that were brought to a limit.
        timeouts: EV_STIM_TIMEOUT of the slave.
        reconnects: how often the slave was found again after a loss.
        reaction: from the sample's last packet, as taken from the socket, until the outputs were handed
            to the network.
        round_trip: from the sample in the ECU, by its timestamp, until then; empty without timestamps.
            The way back is not in it.
        t_s: float64[n], seconds since the start, of the latest samples.
        inputs: name → float64[n] of the latest samples; scalars only.
        outputs: the same of outputs.
        diagnostics: what was odd.
    """

    duration_s: float
    samples: int
    answered: int
    lost: int
    late: int
    clamped: int
    timeouts: int
    reconnects: int
    reaction: Durations
    round_trip: Durations
    t_s: NDArray[np.float64]
    inputs: dict[str, NDArray[np.float64]]
    outputs: dict[str, NDArray[np.float64]]
    diagnostics: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"bypass: {self.samples} samples in {self.duration_s:.1f} s, {self.answered} answered",
            f"        {self.lost} lost, {self.late} late, {self.clamped} values limited",
            f"        {self.timeouts} times data was missing or wrong for the slave (EV_STIM_TIMEOUT)",
            f"reaction of the host: {self.reaction}",
            f"sample to answer:     {self.round_trip}",
        ]
        spread = self.round_trip if self.round_trip.count else self.reaction
        if spread.count:
            lines.append(spread.bars())
        if self.reconnects:
            lines.append(f"the slave was found again {self.reconnects} times")
        lines += [str(one) for one in self.diagnostics]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Counts and times as plain values, ready for JSON; samples left out."""
        plain = (
            "duration_s", "samples", "answered", "lost", "late", "clamped", "timeouts", "reconnects",
        )  # fmt: skip
        return {name: getattr(self, name) for name in plain} | {
            "reaction": self.reaction.to_dict(),
            "round_trip": self.round_trip.to_dict(),
        }


def adapt_algorithm(
    algorithm: Callable[..., Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    arrays: bool = False,
) -> tuple[Callable[[list[Any]], list[Any]], list[Diagnostic]]:
    """One way to call every kind of algorithm: a list of inputs in, a list of outputs out.

    Args:
        algorithm: takes one value per input, or one dict of all; gives one value, a sequence in the
            order of the outputs, or a dict. With ``arrays``, or compiled by numba: takes
            ``float64[inputs]`` and fills ``float64[outputs]``.
        inputs: names, in order.
        outputs: names, in order.
        arrays: the algorithm works on arrays; it is compiled where numba is installed.

    Raises:
        UsageError: it takes another number of values.
    """
    if arrays or hasattr(algorithm, "py_func"):
        return _on_arrays(algorithm, len(inputs), len(outputs))
    takes_dict = _takes_dict(algorithm, inputs)

    def call(values: list[Any]) -> list[Any]:
        found = (
            algorithm(dict(zip(inputs, values, strict=True))) if takes_dict else algorithm(*values)
        )
        if isinstance(found, Mapping):
            return [found[name] for name in outputs]
        if len(outputs) == 1 and not isinstance(found, list | tuple):
            return [found]
        return list(found)

    return call, []


def _takes_dict(algorithm: Callable[..., Any], inputs: Sequence[str]) -> bool:
    """Whether it takes one dict, not a value for each input."""
    try:
        parameters = inspect.signature(algorithm).parameters.values()
    except (TypeError, ValueError):  # a function of another language
        return False
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    count = sum(one.kind in positional for one in parameters)
    required = sum(one.kind in positional and one.default is one.empty for one in parameters)
    many = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if many or required <= len(inputs) <= count:
        return False
    if required <= 1 <= count:
        return True
    raise UsageError(
        f"algorithm: it takes {required} values, there are {len(inputs)} inputs.",
        hint="Give it one parameter for each input, or a single one for a dict of all.",
    )


def _on_arrays(
    algorithm: Callable[..., Any], inputs: int, outputs: int
) -> tuple[Callable[[list[Any]], list[Any]], list[Diagnostic]]:
    diagnostics: list[Diagnostic] = []
    compiled = algorithm
    try:
        import numba
    except ImportError:
        diagnostics.append(
            Diagnostic(
                Severity.INFO,
                "algorithm-not-compiled",
                Where(),
                "the algorithm runs in Python: numba is not installed.",
                'Install the "fast" extra to have it compiled.',
            )
        )
    else:
        if not hasattr(algorithm, "py_func"):
            compiled = numba.njit(algorithm)
        row = numba.float64[::1]
        compiled.compile((row, row))  # type: ignore[attr-defined]  # now, not with the first sample
    taken, given = np.zeros(inputs), np.zeros(outputs)

    def call(values: list[Any]) -> list[Any]:
        taken[:] = values
        compiled(taken, given)
        return given.tolist()

    return call, diagnostics


class Bypass(StimSession):
    """A function of the ECU replaced by one of the user; made by ``Connection.bypass``.

    The algorithm is called in the thread that receives, for every sample of the inputs, as soon as the
    sample is complete. What it raises ends the bypass: nothing is sent any more, the lists are
    stopped, the ECU's own value comes back, and :meth:`stop` raises it as AlgorithmError.

    Args:
        connection: to the slave.
        selection: inputs and outputs with their plan.
        algorithm: what to do with a sample; see :func:`adapt_algorithm`.
        inputs: name → its name in the plan, in the order of the algorithm.
        arrays: it works on arrays.
        check_counter: have the slave refuse answers to another cycle *(1.3)*.
        keep: samples that are remembered for the result.
        options: measuring besides, reconnecting, and more.

    Raises:
        UsageError: there are no inputs, no outputs, or the algorithm does not fit.
    """

    name = "bypass"

    def __init__(  # noqa: PLR0913  # options by name
        self,
        connection: Connection,
        selection: Selection,
        algorithm: Callable[..., Any],
        *,
        inputs: Mapping[str, str],
        arrays: bool = False,
        check_counter: bool = False,
        keep: int = 100_000,
        options: SessionOptions | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self._sampled = frozenset(inputs.values())
        super().__init__(
            connection, selection, check_counter=check_counter, tells=True, options=options
        )
        if not 0 <= keep <= _MOST_KEPT:
            raise UsageError(f"bypass: keep={keep} samples is not between 0 and {_MOST_KEPT}.")
        sent = {name for raster in self.plan.stim_rasters for name in raster.signals}
        self.outputs = [name for name in selection.signals if name in sent]
        self._call, self._diagnostics = adapt_algorithm(
            algorithm, self.inputs, self.outputs, arrays=arrays
        )
        self.samples = 0
        self.lost = 0
        self.late = 0
        self.reaction = Durations()
        self.round_trip = Durations()
        rasters = self._inputs()
        self._readers = {one.index: RowReader(one, selection.signals) for one in rasters}
        self._trigger = rasters[-1].index
        if self._beside is not None:
            self._beside.trigger = self._trigger
        self._rows: dict[int, bytearray] = {}
        planned = list(inputs.values())
        self._order = {
            number: [
                (planned.index(name), at) for at, name in enumerate(reader.names) if name in planned
            ]
            for number, reader in self._readers.items()
        }
        self._put = [
            (writer, name, self.outputs.index(name))
            for writer in self._writers
            for name in writer.names
        ]
        self._counter: int | None = None
        self._cycle_ns = rasters[-1].cycle_ns or 0
        scalars = [name for name in selection.signals if not selection.signals[name].bound.shape]
        self._kept_inputs = [
            (n, one) for n, one in enumerate(self.inputs) if inputs[one] in scalars
        ]
        self._kept_outputs = [(n, one) for n, one in enumerate(self.outputs) if one in scalars]
        self._kept = np.zeros((keep, 1 + len(self._kept_inputs) + len(self._kept_outputs)))

    def _inputs(self) -> list[Raster]:
        return [one for one in self.plan.rasters if self._sampled.intersection(one.signals)]

    def _set_up(self) -> None:
        self._counter = None  # what was seen in the session before does not count
        self._rows.clear()
        super()._set_up()

    def _on_sample(self, sample: DtoSet, raster: Raster, came_ns: int) -> None:
        if raster.index not in self._readers:
            return
        self._rows[raster.index] = sample.data
        if raster.index == self._trigger and len(self._rows) == len(self._readers):
            self._answer(sample, came_ns)

    def _answer(self, sample: DtoSet, came_ns: int) -> None:
        """Compute and send; an error of the algorithm ends the bypass."""
        self.samples += 1
        counter = sample.counter
        if counter is not None:
            if self._counter is not None:
                self.lost += (counter - self._counter - 1) & 0xFF
            self._counter = counter
        values: list[Any] = [None] * len(self.inputs)
        for raster, reader in self._readers.items():
            read = reader.read(self._rows[raster])
            for place, at in self._order[raster]:
                values[place] = read[at]
        try:
            found = self._computed(values)
            for writer, name, place in self._put:
                writer.put(name, found[place])
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            self._fail(_algorithm_error(error, self.samples))
            return
        self._send(counter or 0, sample.ticks or 0)
        self._note(sample, came_ns, values, found)

    def _computed(self, values: list[Any]) -> list[Any]:
        found = self._call(values)
        if len(found) != len(self.outputs):
            raise UsageError(
                f"algorithm: it gave {len(found)} values, there are {len(self.outputs)} outputs."
            )
        return found

    def _note(self, sample: DtoSet, came_ns: int, values: list[Any], found: list[Any]) -> None:
        """Keep times and values, after the answer is on its way."""
        now_ns = self._now()
        self.reaction.add(now_ns - came_ns)
        sampled_ns = None if sample.ticks is None else self._host_ns(sample.ticks)
        late = bool(self._cycle_ns) and now_ns - (sampled_ns or came_ns) > self._cycle_ns
        self.late += late
        trip_s = float("nan")
        if sampled_ns is not None:
            self.round_trip.add(now_ns - sampled_ns)
            trip_s = (now_ns - sampled_ns) * 1e-9
        self._note_sent(
            sampled_ns or came_ns, ((now_ns - came_ns) * 1e-9, trip_s, late, self.timeouts)
        )
        if not len(self._kept):
            return
        row = self._kept[(self.samples - 1) % len(self._kept)]
        row[0] = ((sampled_ns or came_ns) - self._begin_ns) * 1e-9
        kept = [values[n] for n, _ in self._kept_inputs] + [found[n] for n, _ in self._kept_outputs]
        row[1:] = [one if isinstance(one, int | float) else np.nan for one in kept]

    def result(self) -> BypassResult:
        """What it has come to so far."""
        end_ns = self._end_ns or self._now()
        count = min(self.reaction.count, len(self._kept))
        rows = self._kept[:count]
        if count and self.reaction.count > count:
            rows = np.roll(self._kept, -(self.reaction.count % count), axis=0)
        names = [one for _, one in self._kept_inputs]
        first = 1 + len(names)
        incomplete = self._sets.counters.incomplete if self._sets is not None else 0
        return BypassResult(
            duration_s=(end_ns - self._begin_ns) * 1e-9 if self._begin_ns else 0.0,
            samples=self.samples,
            answered=self.reaction.count,
            lost=max(self.lost, incomplete),
            late=self.late,
            clamped=sum(writer.clamped for writer in self._writers),
            timeouts=self.timeouts,
            reconnects=self.reconnects,
            reaction=self.reaction,
            round_trip=self.round_trip,
            t_s=rows[:, 0].copy(),
            inputs={one: rows[:, 1 + n].copy() for n, one in enumerate(names)},
            outputs={
                one: rows[:, first + n].copy() for n, (_, one) in enumerate(self._kept_outputs)
            },
            diagnostics=tuple(self._diagnostics),
        )


def _algorithm_error(error: Exception, sample: int) -> AlgorithmError:
    made = AlgorithmError(
        f"bypass: the algorithm failed at sample {sample} ({type(error).__name__}: {error}).",
        hint="The ECU computes its own value again.",
    )
    made.__cause__ = error
    return made
