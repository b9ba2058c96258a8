"""Methods of a connection about lists that do more than measure: stimulation, bypass, storing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from xcaliper.client import resume as stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from xcaliper.client.bypass import Bypass
    from xcaliper.client.connection import Connection
    from xcaliper.client.selection import PlanOptions
    from xcaliper.client.stim_plan import StimOptions
    from xcaliper.client.stimulation import Stimulation
    from xcaliper.daq.saved_plan import SavedPlan

__all__ = ["bypass", "stimulate", "store_measurement"]


def stimulate(
    connection: Connection,
    values: Mapping[str, Any] | None = None,
    *,
    event: str | int | None = None,
    stream: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    names: Sequence[str] = (),
    t_s: Any = None,
    **options: Unpack[StimOptions],
) -> Stimulation:
    """Values to be written by the slave at every event, in place of what the ECU computes.

    Args:
        connection: to the slave.
        values: name → physical value, held until ``set()`` changes it.
        event: event for all of them (name, number or period); None = as the description says.
        stream: name → array of values, one for each event or over ``t_s``; or an iterable of
            name → value, one for each event.
        names: what an iterable gives values of.
        t_s: times of the arrays in seconds, from the first event on.
        options: what concerns the plan, see :class:`~xcaliper.client.stim_plan.StimOptions`.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit, or the event does not serve STIM; carries every reason.
        UsageError: something else has the lists, or a value is missing.
    """
    from xcaliper.client.stim_plan import make_stimulation

    return make_stimulation(connection, values or {}, event, stream, names, t_s, options)


def bypass(  # noqa: PLR0913  # options by name
    connection: Connection,
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
    algorithm: Callable[..., Any],
    *,
    event: str | int | None = None,
    output_event: str | int | None = None,
    arrays: bool = False,
    check_counter: bool = False,
    keep: int = 100_000,
    **options: Unpack[StimOptions],
) -> Bypass:
    """A function of the ECU replaced: inputs are sampled, outputs computed here and sent back.

    Args:
        connection: to the slave.
        inputs: names of what the algorithm gets.
        outputs: names of what it gives.
        algorithm: called for every sample of the inputs with physical values, in the thread that
            receives; see :func:`~xcaliper.client.bypass.adapt_algorithm` for its forms.
        event: at which inputs are sampled; None = as the description says.
        output_event: at which outputs are written; None = that of the inputs.
        arrays: the algorithm takes ``float64[inputs]`` and fills ``float64[outputs]``; compiled where
            numba is installed.
        check_counter: have the slave refuse answers to another cycle *(1.3)*.
        keep: samples that the result remembers.
        options: what concerns the plan, see :class:`~xcaliper.client.stim_plan.StimOptions`.

    Raises:
        NotFoundError: no such name or event.
        PlanError: it does not fit, or an event does not serve STIM; carries every reason.
        UsageError: something else has the lists, or the algorithm does not fit.
    """
    from xcaliper.client.stim_plan import make_bypass

    return make_bypass(
        connection,
        inputs,
        outputs,
        algorithm,
        event,
        output_event,
        arrays=arrays,
        check_counter=check_counter,
        keep=keep,
        options=options,
    )


def store_measurement(
    connection: Connection,
    names: str | Iterable[str],
    *,
    resume: bool = True,
    file: str | Path | None = None,
    timeout_s: float = 30.0,
    **options: Unpack[PlanOptions],
) -> SavedPlan:
    """Have the slave keep a measurement in its non-volatile memory (XCP Base, STORE_DAQ_REQ, 1.0).

    Args:
        connection: to the slave.
        names: names and patterns with ``*`` and ``?``.
        resume: the lists start with the slave, before anybody connects; False = they only wait,
            set up and selected.
        file: where to keep what :func:`~xcaliper.client.connecting.connect` needs for ``resume=…``.
        timeout_s: how long storing may take.
        options: as those of :meth:`measure` that concern the plan.

    Raises:
        UsageError: the slave cannot store them.
        NegativeResponseError: the slave refuses.
        RemoteProtocolError: it has not finished in time.
        ResumeError: it tells another session configuration id than it was given.
    """
    return stored.store_measurement(
        connection, names, resume=resume, file=file, timeout_s=timeout_s, options=options
    )
