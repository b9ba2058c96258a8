"""The command ``xcaliper``: verbs by name, loaded when they are used."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

import xcaliper
from xcaliper.cli import shell
from xcaliper.cli.interrupts import first_interrupt_only
from xcaliper.core.errors import UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App

__all__ = ["VERBS", "main", "make_app"]

_URL: Final = "udp://127.0.0.1:5555"

#: Verb, one line of help, examples. The order is that of the help page.
VERBS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "demo",
        "Start the demo engine, measure, calibrate and record it: the whole tour in 10 s.",
        ("xcaliper demo", "xcaliper demo --duration 5 --out tour.mf4"),
    ),
    (
        "vecu",
        "Run a virtual ECU that any XCP master can connect to.",
        (
            "xcaliper vecu",
            "xcaliper vecu demo-engine tcp://127.0.0.1:5556",
            "xcaliper vecu --byte-order motorola --disable SHORT_UPLOAD",
        ),
    ),
    (
        "info",
        "Connect and show what the slave is and can do.",
        (f"xcaliper info {_URL}", f"xcaliper info {_URL} --json"),
    ),
    (
        "discover",
        "List the slaves on the network that can be found.",
        ("xcaliper discover", "xcaliper discover --interface 127.0.0.1 --json"),
    ),
    (
        "read",
        "Read measurements and parameters by name, in physical units.",
        (f"xcaliper read {_URL} EngineSpeed KFZW", f"xcaliper read {_URL} 'cIdle*' --json"),
    ),
    (
        "write",
        "Write a parameter by name, with limits checked and the value read back.",
        (
            f"xcaliper write {_URL} cIdleSpeedTarget 900",
            f"xcaliper write {_URL} 'KFZW[3,4]' 12.5",
            f"xcaliper write {_URL} cLambdaEnable OFF",
        ),
    ),
    ("cal", "Look at parameters, change them, keep them and bring them back.", ()),
    (
        "page",
        "Show pages of calibration segments; switch, copy, freeze and store them.",
        (
            f"xcaliper page show {_URL}",
            f"xcaliper page switch {_URL} 1 1 --side xcp",
            f"xcaliper page copy {_URL} 1 1 1 0",
            f"xcaliper page freeze {_URL} all",
            f"xcaliper page store {_URL} all",
        ),
    ),
    (
        "measure",
        "Measure signals in step with ECU events, live and into files.",
        (
            f"xcaliper measure {_URL} 'Engine*' Lambda",
            f"xcaliper measure {_URL} 'Engine*' --duration 10 --out run.mf4",
            f"xcaliper measure {_URL} -l signals.lab --event 10ms \\",
            "      --trigger 'EngineSpeed > 3000' --pre 2 --post 5 --out run.mf4",
            f"xcaliper measure {_URL} EngineSpeed --event Task10ms --plan",
        ),
    ),
    (
        "watch",
        "Watch values live: latest, least and largest.",
        (f"xcaliper watch {_URL} 'Engine*'", f"xcaliper watch {_URL} --list signals.lab --json"),
    ),
    (
        "plan",
        "Show what a measurement would use, from the A2L alone.",
        ("xcaliper plan ecu.a2l 'Engine*'", "xcaliper plan ecu.a2l --list signals.lab --json"),
    ),
    (
        "repair",
        "Mend a recording that a loss of power or a broken copy cut short.",
        ("xcaliper repair run.mf4", "xcaliper repair run.mf4 --out whole.mf4 --json"),
    ),
    (
        "conformance",
        "Check any slave against the standard, with a report of what was asked and what came.",
        (
            f"xcaliper conformance {_URL}",
            f"xcaliper conformance {_URL} --allow write,page --html report.html",
            "xcaliper conformance --rules --group memory",
        ),
    ),
    ("a2l", "Look into an ASAP2 description and check it.", ()),
)


def make_app() -> App:
    """The application with every verb, none of them loaded yet."""
    from cyclopts import App

    app = App(
        name="xcaliper",
        help="Measure, calibrate and simulate electronic control units over XCP.",
        help_epilogue="New here? Run: xcaliper demo",
        version=xcaliper.__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        console=shell.make_console(),
    )
    for at, (verb, text, examples) in enumerate(VERBS):
        target = f"xcaliper.cli.{verb}:{verb}"
        if not examples:  # a group of verbs, which has its own
            app.command(target, name=verb, help=text, sort_key=at)
            continue
        app.command(
            target,
            name=verb,
            help=text,
            help_epilogue=shell.example_text(examples),
            sort_key=at,
        )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; no error ends in a traceback unless ``XCALIPER_DEBUG`` is set.

    Returns:
        0 ok, 1 failure, 2 usage, 3 not found, 4 connection, 5 refused by the ECU, 6 a check found
        something, 130 interrupted with Ctrl+C, 143 by SIGTERM, 129 by SIGHUP.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    with first_interrupt_only(to_the_end=arguments is None) as came:
        return came.exit_code(_guarded(tokens))


def _guarded(tokens: list[str]) -> int:
    """Run it with every error told in words; gives the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that a terminal lacks is no failure
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has what it wanted, as in "| head"
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return shell.EXIT_OK
    except KeyboardInterrupt:
        shell.errors().print("Interrupted; files are closed.")
        return shell.EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border to the shell user
        return _report(error, tokens)
    return code


def _run(tokens: list[str]) -> int:
    from cyclopts import CycloptsError

    try:
        result = make_app()(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        verb = next((token for token in tokens if any(token == name for name, *_ in VERBS)), "")
        hint = " ".join(filter(None, ("See xcaliper", verb, "--help")))
        raise UsageError(str(error), hint=f"{hint}.") from error
    return result if isinstance(result, int) else shell.EXIT_OK


def _report(error: Exception, tokens: list[str]) -> int:
    """Say in one or two lines what went wrong; gives the exit code."""
    if os.environ.get("XCALIPER_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, XcaliperError):
        told = error
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        told = XcaliperError(
            f"{where}{error.strerror or error}.", hint="Check path, rights and free space."
        )
    else:
        told = XcaliperError(
            f"xcaliper {xcaliper.__version__}: unexpected {type(error).__name__}: {error}",
            hint="This is a defect: please report it with the command line and the output of the "
            "same command with XCALIPER_DEBUG=1.",
        )
    shell.report(told, as_json="--json" in tokens)
    return shell.exit_code(error)
