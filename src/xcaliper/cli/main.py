"""The command ``xcaliper``: verbs by name, loaded when they are used."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import xcaliper
from xcaliper.cli import shell
from xcaliper.core.errors import XcaliperError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import App

__all__ = ["main", "make_app"]

#: Verb, function, one line of help. The order is that of the help page.
VERBS: Final = (
    ("demo", "Start the demo engine, measure, calibrate and record it: the whole tour in 10 s."),
    ("vecu", "Run a virtual ECU that any XCP master can connect to."),
    ("info", "Connect and show what the slave is and can do."),
    ("read", "Read measurements and parameters by name, in physical units."),
    ("write", "Write a parameter by name, with limits checked and the value read back."),
    ("measure", "Measure signals in step with ECU events, live and into an MDF4 file."),
    ("a2l", "Look into an ASAP2 description and check it."),
)


def make_app() -> App:
    """The application with every verb, none of them loaded yet."""
    from cyclopts import App

    app = App(
        name="xcaliper",
        help="Measure, calibrate and simulate electronic control units over XCP.",
        help_epilogue="New here? Run `xcaliper demo`.",
        version=xcaliper.__version__,
        help_format="plaintext",
    )
    for verb, text in VERBS:
        app.command(f"xcaliper.cli.{verb}:{verb}", name=verb, help=text)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Returns:
        0 ok, 1 failure, 2 usage, 3 not found, 4 connection, 5 refused by the ECU, 6 a check found
        something, 130 interrupted.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in tokens
    from cyclopts import CycloptsError

    try:
        result = make_app()(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        console = shell.errors()
        console.print("[bold red]error[/] [dim]usage[/]", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        console.print("[bold]try[/]   xcaliper --help, or xcaliper VERB --help")
        return shell.EXIT_USAGE
    except XcaliperError as error:
        shell.report(error, as_json=as_json)
        return shell.exit_code(error)
    except KeyboardInterrupt:
        shell.errors().print("Interrupted; files are closed.")
        return shell.EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return shell.EXIT_OK
    except OSError as error:
        return _report_os_error(error, as_json=as_json)
    return result if isinstance(result, int) else shell.EXIT_OK


def _report_os_error(error: OSError, *, as_json: bool) -> int:
    """A file that is missing, protected or does not fit is the user's to mend: no traceback."""
    where = f"{error.filename}: " if error.filename else ""
    wrapped = XcaliperError(
        f"{where}{error.strerror or error}.", hint="Check path, rights and free space."
    )
    shell.report(wrapped, as_json=as_json)
    return shell.exit_code(error)
