"""``xcaliper watch``: a live table of values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from xcaliper.client.measurement import Measurement

__all__ = ["watch"]

_Flag = Parameter(negative=(), show_default=False)
_Events = Parameter(name=["--event", "-e"], negative=(), show_default=False)


def watch(  # noqa: PLR0913  # options by name
    url: str,
    /,
    *signals: str,
    list_: Annotated[Path | None, Parameter(name=["--list", "-l"])] = None,
    event: Annotated[list[str], _Events] = [],  # noqa: B006
    duration: Annotated[float | None, Parameter(name=["--duration", "-d"])] = None,
    sort: Literal["name", "event", "order"] = "name",
    calc: Annotated[list[str], Parameter(negative=(), show_default=False)] = [],  # noqa: B006
    polling: float = 10.0,
    reconnect: Annotated[bool, Parameter(negative="--no-reconnect")] = True,
    skip_unknown: Annotated[bool, _Flag] = False,
    a2l: Path | None = None,
    json: Annotated[bool, _Flag] = False,
    interval: float = 1.0,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Watch values: latest, least and largest, in a table that follows them.

    Nothing is recorded; a value that does not come any more is marked as stale. Where no terminal is,
    the table is printed once, at the end.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555.
        signals: names of the A2L; * and ? are wildcards.
        list_: LAB file with more names, each with its event in the second column if wanted.
        event: event for all signals, by name, number or period (10ms), or for some ('Lambda*=100ms').
        duration: seconds; without it until Ctrl+C.
        sort: order of the signals: by name, by event, or as they were asked for.
        calc: calculated signal, 'Power = EngineSpeed * Torque / 9549 [kW]'.
        polling: read what cannot be measured, so many times a second at most; 0 refuses it.
        reconnect: go on when the ECU was lost and comes back within a minute.
        skip_unknown: leave out lines of the list that the A2L does not know.
        a2l: description to use; without it the slave is asked for its own.
        json: one JSON object with all values per interval.
        interval: seconds between those objects.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    from xcaliper.cli.choice import calculated_signals, choose
    from xcaliper.cli.shell import EXIT_INTERRUPTED, EXIT_OK, errors

    choice = choose("watch", signals, event, list_, url=url)
    computed = calculated_signals(calc)
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        names, events = choice.resolve(ecu.catalog, ecu.event_number, skip_unknown=skip_unknown)
        measurement = ecu.measure(
            names,
            event=events,
            polling=polling,
            duration_s=duration,
            calculated=computed,
            reconnect=reconnect,
            keep=False,
        )
        try:
            with measurement:
                _follow(measurement, sort, interval if json else None)
        except KeyboardInterrupt as asked:
            measurement.stop()
            errors().print(f"Stopped by {str(asked) or 'Ctrl+C'}.")
            return EXIT_INTERRUPTED
    return EXIT_OK


def _follow(measurement: Measurement, sort: str, interval: float | None) -> None:
    from xcaliper.cli.live_view import LiveView, Values
    from xcaliper.cli.shell import errors, print_json, print_table

    console = errors()
    if interval is None and console.is_terminal:
        with LiveView(console, measurement, measurement.duration_s, by=sort, extremes=True) as view:
            for block in measurement:
                view.take(block)
            view.finish()
        return
    values = Values(measurement)
    due = time.monotonic() + (interval or 0.0)
    is_told = False
    for block in measurement:
        values.take(block, extremes=True)
        is_told = False
        if interval is not None and time.monotonic() >= due:
            due = max(due + interval, time.monotonic())
            is_told = True
            print_json(_snapshot(measurement, values, sort))
    if interval is None:
        print_table(values.table(1 << 30, by=sort, extremes=True))
    elif not is_told:
        print_json(_snapshot(measurement, values, sort))


def _snapshot(measurement: Measurement, values: Any, sort: str) -> dict[str, Any]:
    return {
        "t": measurement.now_ns * 1e-9,
        "values": values.rows(by=sort),
        "lost": measurement.quality.lost,
    }
