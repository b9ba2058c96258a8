"""Measurements of one slave or of several on one time axis."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.client.acquisition import Acquisition
from xcaliper.client.measurement import Measurement
from xcaliper.client.recording import describe_recording, open_recordings, recordings_of
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xcaliper.client.calculated import Calculated
    from xcaliper.client.recording import Output, Record
    from xcaliper.client.selection import Selection
    from xcaliper.quantity.catalog import Catalog

__all__ = ["make_measurement", "measure_together", "reconnect_time_s"]

#: How long a lost slave is looked for when nobody says.
RECONNECT_S: Final = 60.0
MAX_RECONNECT_S: Final = 7 * 86_400.0


def measure_together(  # noqa: PLR0913  # options by name
    selections: Mapping[str, Selection] | Sequence[Selection],
    *,
    duration_s: float | None = None,
    record: Record | Sequence[Record] | None = None,
    overwrite: bool = False,
    raw: bool = False,
    keep: bool = True,
    calculated: Calculated | None = None,
    reconnect: bool | float = False,
) -> Measurement:
    """Measure several slaves at once: common start, one time axis, one recording.

    Events are called ``label/event``. A signal keeps its name; where several slaves have one of that
    name, all of them are called ``label/name``.

    Args:
        selections: label → ``connection.select(names, …)``; without labels the slaves' own names are
            used.
        duration_s: as for ``Connection.measure``, as are the others.
        record: see there.
        overwrite: see there.
        raw: see there.
        keep: see there.
        calculated: see there; expressions may mix signals of several slaves.
        reconnect: see there; the other slaves go on meanwhile.

    Raises:
        UsageError: no slave, one slave twice, or one that is measuring.
    """
    if hasattr(selections, "items"):
        labelled = [(str(label), one) for label, one in selections.items()]
    else:
        labelled = _own_names(list(selections))
    connections = [one.connection for _, one in labelled]
    if not connections:
        raise UsageError(
            "measure_together: no slave is given.",
            hint='measure_together({"engine": ecu.select("EngineSpeed"), …}, duration_s=5)',
        )
    if any(one is None for one in connections) or len(set(map(id, connections))) < len(connections):
        raise UsageError(
            "measure_together: each slave needs one selection of its own connection.",
            hint="Put all names of a slave into one select().",
        )
    for one in connections:
        assert one is not None, "checked above"
        one.port.check_free()
    return make_measurement(
        _told_apart(labelled) if len(labelled) > 1 else labelled,
        duration_s=duration_s,
        record=record,
        overwrite=overwrite,
        raw=raw,
        keep=keep,
        calculated=calculated,
        reconnect=reconnect,
    )


def _own_names(selections: list[Selection]) -> list[tuple[str, Selection]]:
    """Labels from the slaves' own names; equal ones get a number."""
    names = [
        (one.connection.info.ecu_name if one.connection is not None else "") or "ECU"
        for one in selections
    ]
    often = Counter(names)
    seen: Counter[str] = Counter()
    found = []
    for name, one in zip(names, selections, strict=True):
        seen[name] += 1
        found.append((f"{name} {seen[name]}" if often[name] > 1 else name, one))
    return found


def _told_apart(labelled: list[tuple[str, Selection]]) -> list[tuple[str, Selection]]:
    """Signals that several slaves have, renamed."""
    often = Counter(name for _, one in labelled for name in one.signals)
    return [
        (
            label,
            replace(
                one,
                signals={
                    name: replace(signal, renamed=f"{label}/{name}") if often[name] > 1 else signal
                    for name, signal in one.signals.items()
                },
            ),
        )
        for label, one in labelled
    ]


def make_measurement(  # noqa: PLR0913  # options by name
    labelled: Sequence[tuple[str, Selection]],
    *,
    duration_s: float | None,
    record: Record | Sequence[Record] | None,
    overwrite: bool,
    raw: bool,
    keep: bool,
    calculated: Calculated | None,
    reconnect: bool | float,
) -> Measurement:
    """A measurement of the selected signals; the first selection's slave is the first source.

    Raises:
        UsageError: something cannot be measured like this.
    """
    recordings = recordings_of(record, overwrite=overwrite)
    reconnect_s = reconnect_time_s(reconnect)
    acquisitions = []
    for label, one in labelled:
        assert one.connection is not None, "checked by the caller"
        if one.plan.stim_rasters:
            raise UsageError(
                "measure: what is sent to the slave is not measured.",
                hint="Leave out stim=…; stimulate() and bypass() send.",
            )
        acquisitions.append(
            Acquisition(
                one.connection.port,
                one.plan,
                one.signals,
                label=label if len(labelled) > 1 else "",
                poll_hz=one.poll_hz,
                reconnect_s=reconnect_s,
            )
        )

    catalogs = [one.port.connection.catalog for one in acquisitions]

    def outputs(measurement: Measurement, begin_ns: int) -> list[tuple[str, Output]]:
        with _says_what_is_not_measured(catalogs):
            return open_recordings(recordings, describe_recording(measurement, begin_ns))

    extra: dict[str, Any] = {}
    if calculated:
        from xcaliper.client.calculated import make_calculator

        extra["calculator"] = make_calculator(calculated)
    with _says_what_is_not_measured(catalogs):
        return Measurement(
            acquisitions,
            duration_s=duration_s,
            raw=raw,
            keep=keep,
            outputs=outputs if recordings else None,
            **extra,
        )


@contextmanager
def _says_what_is_not_measured(catalogs: Sequence[Catalog]) -> Iterator[None]:
    """Tell names that no ECU has from those that are only not measured."""
    try:
        yield
    except NotFoundError as error:
        if not any(error.name in catalog.names for catalog in catalogs):
            raise
        raise NotFoundError(
            error.name,
            kind=error.kind,
            hint=f"The ECU has it, but it is not measured: add {error.name} to the signals.",
        ) from error


def reconnect_time_s(reconnect: bool | float) -> float | None:  # noqa: FBT001  # as users say it
    """Seconds to look for a lost slave; None = not at all.

    Raises:
        UsageError: it is not between 0 and a week.
    """
    if isinstance(reconnect, bool):
        return RECONNECT_S if reconnect else None
    if not 0 <= reconnect <= MAX_RECONNECT_S:
        raise UsageError(
            f"reconnect: {reconnect} s is not between 0 and a week.",
            hint="True looks for a lost slave for a minute.",
        )
    return float(reconnect) or None
