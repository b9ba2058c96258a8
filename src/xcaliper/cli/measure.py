"""``xcaliper measure``: signals in step with ECU events."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.client.measurement import Block, Measurement
    from xcaliper.daq.plan import DaqPlan

__all__ = ["follow", "measure", "summary_table"]


def measure(  # noqa: PLR0913  # options by name
    url: str,
    /,
    *signals: str,
    event: Annotated[str | None, Parameter(name=["--event", "-e"])] = None,
    duration: Annotated[float | None, Parameter(name=["--duration", "-d"])] = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    overwrite: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    prescaler: int = 1,
    a2l: Path | None = None,
    plan: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    timeout: float = 2.0,
) -> int:
    """Measure signals in step with ECU events, live and into an MDF4 file.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555.
        signals: names of the A2L; * and ? are wildcards.
        event: event for all signals, by name, number or period (10ms); without it the A2L chooses.
        duration: seconds; without it until Ctrl+C.
        out: MDF4 file to record into.
        overwrite: replace the file when it exists.
        prescaler: take every n-th event only.
        a2l: description to use; without it the slave is asked for its own.
        plan: show the DAQ lists and stop there; nothing is measured.
        json: one JSON object per block of samples, a summary last.
        timeout: seconds to wait for an answer.
    """
    from xcaliper import connect
    from xcaliper.cli.shell import (
        EXIT_INTERRUPTED,
        EXIT_OK,
        errors,
        print_json,
        print_table,
        stdout,
    )
    from xcaliper.core.errors import UsageError

    if not signals:
        raise UsageError("measure: no signal given.", hint="xcaliper measure URL 'Engine*' -d 10")
    if out is not None and out.exists() and not overwrite and not plan:
        raise UsageError(
            f"{out}: the file exists already.", hint="Choose another name, or add --overwrite."
        )
    code = EXIT_OK
    with connect(url, a2l=a2l, timeout_s=timeout) as ecu:
        if plan:
            _show_plan(ecu.plan(signals, event=event, prescaler=prescaler), as_json=json)
            return EXIT_OK
        measurement = ecu.measure(
            signals,
            event=event,
            duration_s=duration,
            record=out,
            overwrite=overwrite,
            prescaler=prescaler,
            keep=False,
        )
        try:
            with measurement:
                if json:
                    for block in measurement:
                        print_json(_json_block(block))
                else:
                    follow(measurement, duration)
        except KeyboardInterrupt:
            errors().print("Stopped by Ctrl+C.")
            code = EXIT_INTERRUPTED
        if json:
            print_json({"summary": measurement.summary()})
        else:
            print_table(summary_table(measurement))
            if out is not None:
                stdout().print(f"recorded {out}", markup=False, soft_wrap=True)
    return code


def _show_plan(plan: DaqPlan, *, as_json: bool) -> None:
    from xcaliper.cli.shell import print_json, stdout

    if not as_json:
        stdout().print(plan.describe(), markup=False, soft_wrap=True)
        return
    for raster in plan.rasters:
        print_json(
            {
                "event": raster.name,
                "event_channel": raster.event_channel,
                "cycle_ns": raster.cycle_ns,
                "signals": list(raster.signals),
                "bytes_per_sample": raster.dtype.itemsize,
            }
        )


def _json_block(block: Block) -> dict[str, Any]:
    columns = {name: block[name].tolist() for name in block.names}
    lost = sum(gap.lost for gap in block.gaps)
    return {"event": block.event, "t": block.t.tolist(), "lost": lost, "values": columns}


def follow(measurement: Measurement, duration: float | None) -> None:
    """Draw latest values and a progress bar until the measurement ends."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from xcaliper.cli.shell import errors

    console = errors()
    if not console.is_terminal:
        for _ in measurement:  # nobody looks
            pass
        return
    progress = Progress(
        TextColumn("measuring"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
    )
    task = progress.add_task("measure", total=duration, state="")
    latest: dict[str, Any] = {}
    started = drawn = time.monotonic()
    with Live(Group(Text(""), progress), console=console, refresh_per_second=5) as live:
        for block in measurement:
            if len(block):
                for name in block.names:
                    latest[name] = block.latest(name)
            now = time.monotonic()
            if now - drawn < 0.2:
                continue
            drawn = now
            quality = measurement.quality
            progress.update(
                task,
                completed=now - started if duration else None,
                state=f"{quality.samples} samples, lost {quality.lost}",
            )
            live.update(Group(_values(measurement, latest, console.height - 4), progress))
        progress.update(task, completed=duration)


def _values(measurement: Measurement, latest: dict[str, Any], rows: int) -> Any:
    from rich.table import Table

    from xcaliper.client.values import format_number

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("signal", "value", "unit", "event"):
        table.add_column(column, justify="right" if column == "value" else "left", no_wrap=True)
    shown = list(latest.items())[: max(rows, 4)]
    for name, value in shown:
        text = format_number(value) if not hasattr(value, "shape") or not value.shape else "…"
        table.add_row(name, text, measurement.unit(name), measurement.event_of(name))
    if len(shown) < len(latest):
        table.add_row(f"… {len(latest) - len(shown)} more", "", "", "")
    return table


def summary_table(measurement: Measurement) -> Any:
    """Samples, rates and losses per event."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("event", "signals", "samples", "rate", "lost", "gaps"):
        table.add_column(column, justify="left" if column == "event" else "right")
    for row in measurement.summary()["events"]:
        rate = f"{row['rate_hz']:.1f} Hz" if row["rate_hz"] else "–"
        table.add_row(
            row["event"],
            str(row["signals"]),
            str(row["samples"]),
            rate,
            str(row["lost"]),
            str(row["gaps"]),
        )
    return table
