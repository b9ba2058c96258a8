"""``xcaliper measure``: signals in step with ECU events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.list_options import ListOptionsOfVerb, plan_options
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.client.measurement import Block, Measurement
    from xcaliper.client.recording import Recording

__all__ = ["follow", "measure", "summary_table", "written_files"]

#: Setting of a recording → option of this verb.
_OPTIONS: Final = {
    "pre_s": "--pre",
    "post_s": "--post",
    "split_s": "--split",
    "split_bytes": "--split",
    "trigger": "--trigger",
    "stop": "--stop",
    "outputs": "--out",
    "path": "--out",
    "calculated": "--calc",
}
_Flag = Parameter(negative=(), show_default=False)
_Several = Parameter(negative=(), show_default=False, consume_multiple=False)
_Events = Parameter(name=["--event", "-e"], negative=(), show_default=False)
_Out = Parameter(name=["--out", "-o"], negative=(), show_default=False)


def measure(  # noqa: PLR0913  # options by name
    url: str,
    /,
    *signals: str,
    list_: Annotated[Path | None, Parameter(name=["--list", "-l"])] = None,
    event: Annotated[list[str], _Events] = [],  # noqa: B006
    duration: Annotated[float | None, Parameter(name=["--duration", "-d"])] = None,
    out: Annotated[list[Path], _Out] = [],  # noqa: B006
    overwrite: Annotated[bool, _Flag] = False,
    trigger: Annotated[list[str], _Several] = [],  # noqa: B006
    stop: Annotated[list[str], _Several] = [],  # noqa: B006
    pre: float = 0.0,
    post: float | None = None,
    repeat: Annotated[bool, _Flag] = False,
    split: str | None = None,
    compress: Annotated[bool, _Flag] = False,
    calc: Annotated[list[str], _Several] = [],  # noqa: B006
    reconnect: Annotated[bool, _Flag] = False,
    polling: float = 0.0,
    prescaler: int = 1,
    packed: str = "0",
    lists: ListOptionsOfVerb = None,
    skip_unknown: Annotated[bool, _Flag] = False,
    a2l: Path | None = None,
    plan: Annotated[bool, _Flag] = False,
    json: Annotated[bool, _Flag] = False,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Measure signals in step with ECU events, live and into files.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555.
        signals: names of the A2L; * and ? are wildcards.
        list_: LAB file with more names, each with its event in the second column if wanted.
        event: name, number or period (10ms), for all signals or for some ('Lambda*=100ms'); 'polling' reads
            instead of measuring; without it the list or the A2L chooses.
        duration: seconds; without it until Ctrl+C.
        out: file to record into (.mf4, .csv or .parquet); repeat it for several.
        overwrite: replace files that exist.
        trigger: what starts the recording, such as 'EngineSpeed > 3000', 'page' or 'at 5'.
        stop: what ends it; without it --post seconds behind the trigger.
        pre: seconds to record from before the trigger.
        post: seconds to record behind it; without it to the end.
        repeat: record again at each further trigger, into numbered files.
        split: go on in another file after so much (100MB) or so long (10min); 64KiB and 0.1s are the
            least.
        compress: smaller files, more work.
        calc: calculated signal, 'Power = EngineSpeed * Torque / 9549 [kW]'; repeat it for several.
        reconnect: look for an ECU that was lost for a minute, and go on in the same file, gap marked.
        polling: read what cannot be measured, so many times a second at most.
        prescaler: take every n-th event only.
        packed: samples that one set of packets carries, or 'max', where the slave can.
        lists: choices about lists.
        skip_unknown: leave out lines of the list that the A2L does not know.
        a2l: description to use; without it the slave is asked for its own.
        plan: show the DAQ lists and stop there; nothing is measured.
        json: one JSON object per block of samples, a summary last.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    from xcaliper.cli.choice import (
        calculated_signals,
        choose,
        packed_count,
        read_split,
        settings_as_options,
    )
    from xcaliper.cli.plan import show_plan
    from xcaliper.cli.shell import EXIT_OK
    from xcaliper.client.recording import Recording

    choice = choose("measure", signals, event, list_, url=url)
    numbered = bool(split or (trigger and repeat))
    _check_files(out, replaced=overwrite or plan or numbered)
    _check_recording(
        {"--trigger": trigger, "--stop": stop, "--split": split, "--compress": compress},
        {"--pre": pre, "--post": post is not None, "--repeat": repeat},
        recorded=bool(out),
    )
    recording = None
    if out:
        recording = Recording(
            list(out),
            trigger=trigger or None,
            stop=stop or None,
            pre_s=pre,
            post_s=post,
            repeat=repeat,
            compressed=compress,
            overwrite=overwrite,
            **read_split(split),
        )
    computed = calculated_signals(calc)
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        names, events = choice.resolve(ecu.catalog, ecu.event_number, skip_unknown=skip_unknown)
        chosen: dict[str, Any] = {
            "event": events,
            "prescaler": prescaler,
            "polling": polling,
            "packed": packed_count(packed),
            **plan_options(lists),
        }
        if plan:
            show_plan(ecu.plan(names, **chosen), as_json=json)
            return EXIT_OK
        with settings_as_options(_OPTIONS):
            measurement = ecu.measure(
                names,
                duration_s=duration,
                record=recording,
                calculated=computed,
                reconnect=reconnect,
                keep=False,
                **chosen,
            )
            return _carry_out(measurement, recording, as_json=json)


def _check_files(out: list[Path], *, replaced: bool) -> None:
    """Refuse what cannot be meant before anything is asked of the ECU.

    Args:
        out: files to record into.
        replaced: they are, or their names get numbers, which the recorder looks at.
    """
    from xcaliper.core.errors import NotFoundError, UsageError

    for file in out:
        if not file.name or file.is_dir():
            raise UsageError(f"--out: {str(file)!r} is no file.", hint="Name one: --out run.mf4")
        if not file.parent.exists():
            raise NotFoundError(
                str(file.parent), kind="folder", hint="Make it first, or correct the path."
            )
        if out.count(file) > 1:
            raise UsageError(f"--out: {file} is named twice.", hint="Name each file once.")
        if file.exists() and not replaced:
            raise UsageError(
                f"{file}: the file exists already.", hint="Choose another name, or add --overwrite."
            )


def _check_recording(
    files: Mapping[str, object], moments: Mapping[str, object], *, recorded: bool
) -> None:
    """Refuse options that would have no effect.

    Args:
        files: option → value, of those that need a file to record into.
        moments: of those that need a trigger as well.
        recorded: there is such a file.
    """
    from xcaliper.core.errors import UsageError

    lost = [name for name, value in {**files, **moments}.items() if value]
    if lost and not recorded:
        raise UsageError(
            f"measure: {' and '.join(lost)} need{'s' if len(lost) == 1 else ''} a file to record into.",
            hint="Add --out run.mf4.",
        )
    lost = [name for name, value in moments.items() if value]
    if lost and not files["--trigger"]:
        raise UsageError(
            f"measure: {' and '.join(lost)} need{'s' if len(lost) == 1 else ''} a trigger.",
            hint="--trigger 'EngineSpeed > 3000'; --duration is the length of a measurement.",
        )


def _carry_out(measurement: Measurement, recording: Recording | None, *, as_json: bool) -> int:
    """Measure to the end, to Ctrl+C or a signal; files are closed either way."""
    from xcaliper.cli.shell import EXIT_INTERRUPTED, EXIT_OK, errors, print_json

    code = EXIT_OK
    try:
        with measurement:
            if as_json:
                for block in measurement:
                    print_json(_json_block(block))
            else:
                follow(measurement, measurement.duration_s)
    except KeyboardInterrupt as asked:
        measurement.stop()
        errors().print(f"Stopped by {str(asked) or 'Ctrl+C'}.")
        code = EXIT_INTERRUPTED
    finally:
        for finding in measurement.diagnostics:
            errors().print(f"warning: {finding.text} {finding.hint}", markup=False, soft_wrap=True)
        if measurement.elapsed_s or code != EXIT_OK:  # what came until an error is kept and told
            _tell_result(measurement, recording, as_json=as_json)
    return code


def _tell_result(measurement: Measurement, recording: Recording | None, *, as_json: bool) -> None:
    """What was measured, and which files hold it."""
    from xcaliper.cli.shell import errors, print_json, print_table, stdout

    files = [str(file) for file in written_files(measurement)]
    if as_json:
        print_json({"summary": measurement.summary() | {"files": files}})
        return
    print_table(summary_table(measurement))
    odd = measurement.quality.oddities
    if odd:
        stdout().print(f"noticed {odd}", markup=False, soft_wrap=True)
    for file in files:
        stdout().print(f"recorded {file}", markup=False, soft_wrap=True)
    if recording is not None and not files:
        waited = recording.trigger is not None
        why = "the trigger did not come" if waited else "it ended before the first sample"
        errors().print(f"Nothing was recorded: {why}.")


def written_files(measurement: Measurement) -> list[Path]:
    """Files that were begun; none where nothing came to be recorded."""
    found: list[Path] = []
    for recorder in measurement.recorders:
        found += getattr(recorder.stats, "files", ())
    return found


def _json_block(block: Block) -> dict[str, Any]:
    columns = {name: block[name].tolist() for name in block.names}
    lost = sum(gap.lost for gap in block.gaps)
    return {"event": block.event, "t": block.t.tolist(), "lost": lost, "values": columns}


def follow(measurement: Measurement, duration: float | None) -> None:
    """Draw latest values and a progress line until the measurement ends; nothing where nobody looks."""
    from xcaliper.cli.live_view import LiveView
    from xcaliper.cli.shell import errors

    console = errors()
    if not console.is_terminal:
        for _ in measurement:
            pass
        return
    with LiveView(console, measurement, duration) as view:
        for block in measurement:
            view.take(block)
        view.finish()


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
