"""``xcaliper demo``: the whole tour in ten seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from xcaliper.cli.plots import Mark, Strip
    from xcaliper.client.connection import Connection
    from xcaliper.client.measurement import Block, Measurement

__all__ = ["SIGNALS", "demo"]

#: Sixteen signals over three events.
SIGNALS: Final = (
    "EngineSpeed",
    "EngineSpeedRaw",
    "CrankAngle",
    "ManifoldPressure",
    "ThrottlePos",
    "EngineState",
    "IdleSpeedTarget",
    "IdleThrottle",
    "Lambda",
    "LambdaReq",
    "InjectionTime",
    "Load",
    "IgnitionAngle",
    "IgnitionAngleOut",
    "TorqueIndicated",
    "KnockRetard",
)
_MAP: Final = "KFZW"
_STEP_RPM: Final = 250
_STEP_DEG: Final = 12.0


@dataclass(slots=True)
class _Tour:
    """What happened on the way."""

    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def demo(
    *,
    duration: float = 10.0,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("demo.mf4"),
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Start the demo engine, measure, calibrate and record it: the whole tour in 10 s.

    Args:
        duration: seconds to measure, at least 2.
        out: MDF4 file; the picture goes beside it as PNG.
        json: print one JSON object instead of pictures and text.
    """
    from xcaliper import connect
    from xcaliper.cli.shell import errors, print_json, stdout
    from xcaliper.core.errors import UsageError
    from xcaliper.sim.process import EcuProcess

    if duration < 2:
        raise UsageError(
            f"demo: {duration:g} s is too short to show anything.", hint="Use 2 or more."
        )
    console, notes = stdout(), errors()
    with notes.status("Starting the demo engine in its own process …"):
        process = EcuProcess("demo-engine").start()
    try:
        with connect(process.url) as ecu:
            if not json:
                _introduce(ecu, console)
            names = ecu.expand([name for name in SIGNALS if name in ecu.catalog.names])
            measurement = ecu.measure(names, duration_s=duration, record=out, overwrite=True)
            tour = _Tour()
            _drive(ecu, measurement, tour, duration, notes)
            picture = out.with_suffix(".png")
            strips = _strips(measurement)
            _save(picture, strips, tour)
            if json:
                print_json(
                    {
                        "recording": str(out),
                        "picture": str(picture),
                        "signals": names,
                        "marks": [{"t": mark.t, "text": mark.text} for mark in tour.marks],
                        **measurement.summary(),
                    }
                )
            else:
                _show(console, measurement, strips, tour, out, picture)
    finally:
        process.close()
    return 0


def _introduce(ecu: Connection, console: Console) -> None:
    info = ecu.info
    console.print(f"[bold]{info.ecu_name}[/] at {info.url}, EPK {info.epk}")
    console.print(
        f"Its A2L came by {info.a2l_origin}: {info.measurements} measurements, "
        f"{info.characteristics} parameters, {len(info.events)} events."
    )


def _drive(
    ecu: Connection, measurement: Measurement, tour: _Tour, duration: float, console: Console
) -> None:
    """Measure; change the idle speed at 30 % and one map cell at 60 % of the time."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    steps: list[tuple[float, Any]] = [(0.3, _raise_idle_speed), (0.6, _change_map)]
    columns = (
        TextColumn("Measuring"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("measure", total=duration, state="")
        with measurement:
            for _ in measurement:
                elapsed = measurement.elapsed_s
                quality = measurement.quality
                state = f"{quality.samples} samples, {quality.lost} lost"
                progress.update(task, completed=elapsed, state=state)
                if steps and elapsed >= steps[0][0] * duration:
                    steps.pop(0)[1](ecu, measurement, tour)


def _note(measurement: Measurement, tour: _Tour, short: str, text: str) -> None:
    from xcaliper.cli.plots import Mark

    t = measurement.now_ns * 1e-9
    tour.marks.append(Mark(t, short))
    tour.notes.append(f"at {t:.1f} s  {text}")


def _raise_idle_speed(ecu: Connection, measurement: Measurement, tour: _Tour) -> None:
    now = ecu.read("cIdleSpeedTarget")
    done = ecu.write("cIdleSpeedTarget", now + _STEP_RPM)
    text = f"cIdleSpeedTarget {done.before:g} → {done.after:g} rpm"
    _note(measurement, tour, text, f"{text}, read back")


def _change_map(ecu: Connection, measurement: Measurement, tour: _Tour) -> None:
    """Lower the ignition angle in the cell that the engine is working in."""
    table = ecu.read(_MAP)
    inputs = [ecu.read(axis.name) for axis in table.axes]
    at = tuple(
        int(np.abs(axis.points - value).argmin())
        for axis, value in reversed(list(zip(table.axes, inputs, strict=True)))
    )
    before = float(table.values[at])
    done = ecu.write(_MAP, max(before - _STEP_DEG, -10.0), at=at)
    cell = f"{_MAP}[{','.join(map(str, at))}]"
    text = f"{cell} {done.before:.4g} → {done.after:.4g} {table.unit}"
    _note(
        measurement,
        tour,
        text,
        f"{text}: the cell the engine works in, {done.bytes_sent} bytes sent",
    )


def _line(blocks: list[Block], name: str) -> Any:
    from xcaliper.cli.plots import Line

    block = next(block for block in blocks if name in block)
    gaps = tuple((gap.t_from_ns * 1e-9, gap.t_to_ns * 1e-9) for gap in block.gaps)
    return Line(name, block.t, block[name], gaps)


def _strips(measurement: Measurement) -> list[Strip]:
    from xcaliper.cli.plots import Strip

    blocks = measurement.blocks()
    wanted = (
        ("EngineSpeed", "IdleSpeedTarget"),
        ("IgnitionAngle", "IgnitionAngleOut"),
        ("Lambda", "LambdaReq"),
        ("Load", "IdleThrottle"),
        ("TorqueIndicated",),
    )
    strips = []
    for names in wanted:
        there = [name for name in names if any(name in block for block in blocks)]
        if there:
            lines = tuple(_line(blocks, name) for name in there)
            strips.append(Strip(measurement.unit(there[0]), lines))
    return strips


def _save(picture: Path, strips: list[Strip], tour: _Tour) -> None:
    from xcaliper.cli.plots import save_png
    from xcaliper.cli.shell import errors

    with errors().status("Drawing …"):
        save_png(
            picture, strips, tour.marks, "XCaliper demo: engine at idle, calibrated while measured"
        )


def _show(  # everything that there is to show
    console: Console,
    measurement: Measurement,
    strips: list[Strip],
    tour: _Tour,
    out: Path,
    picture: Path,
) -> None:
    from xcaliper.cli.measure import summary_table
    from xcaliper.cli.plots import draw_terminal
    from xcaliper.cli.shell import print_table

    console.print()
    print_table(summary_table(measurement))
    console.print()
    for strip in strips[:2]:
        text = draw_terminal(strip, width=console.width, colour=console.is_terminal)
        console.file.write(text + "\n")
    for note in tour.notes:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    console.print()
    console.print(f"[bold]recorded[/] {out}  ({out.stat().st_size} bytes)", soft_wrap=True)
    console.print(f"[bold]picture[/]  {picture}", soft_wrap=True)
    console.print()
    console.print("[bold]Try next[/]")
    for line in (
        "xcaliper vecu demo-engine            # the engine for yourself; then, in another shell:",
        "xcaliper info udp://127.0.0.1:5555",
        "xcaliper read udp://127.0.0.1:5555 EngineSpeed KFZW",
        "xcaliper write udp://127.0.0.1:5555 cIdleSpeedTarget 1000",
        "xcaliper measure udp://127.0.0.1:5555 'Engine*' 'Lambda*' --duration 10 --out run.mf4",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)
