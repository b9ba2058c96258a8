"""What the verbs share: consoles, JSON, exit codes, errors in words."""

from __future__ import annotations

import gc
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import (
    A2lError,
    ExchangeTimeoutError,
    LinkError,
    NegativeResponseError,
    NotFoundError,
    PlanError,
    RemoteProtocolError,
    UnlockError,
    UsageError,
    XcaliperError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from xcaliper.a2l import A2lFile
    from xcaliper.core.progress import Progress

__all__ = [
    "EXIT_CONNECTION",
    "EXIT_FAILURE",
    "EXIT_FOUND",
    "EXIT_INTERRUPTED",
    "EXIT_NOT_FOUND",
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_USAGE",
    "errors",
    "example_text",
    "exit_code",
    "make_console",
    "print_json",
    "print_table",
    "report",
    "stdout",
    "working",
]

#: Reasons of one error that are listed.
_PROBLEMS: Final = 50

EXIT_OK: Final = 0
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_FOUND: Final = 3
EXIT_CONNECTION: Final = 4
EXIT_REFUSED: Final = 5
EXIT_FOUND: Final = 6
EXIT_INTERRUPTED: Final = 130

#: Columns where nobody looks: a file or the next command of a pipe.
_WIDE: Final = 1000

#: First match wins, so the special ones stand first.
_CODES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (NotFoundError, EXIT_NOT_FOUND),
    (FileNotFoundError, EXIT_NOT_FOUND),
    (ExchangeTimeoutError, EXIT_CONNECTION),
    (LinkError, EXIT_CONNECTION),
    (RemoteProtocolError, EXIT_CONNECTION),
    (NegativeResponseError, EXIT_REFUSED),
    (UnlockError, EXIT_REFUSED),
    (UsageError, EXIT_USAGE),
    (A2lError, EXIT_FAILURE),
    (XcaliperError, EXIT_FAILURE),
)


def exit_code(error: BaseException) -> int:
    """The exit code of an error."""
    if isinstance(error.__cause__, FileNotFoundError):
        return EXIT_NOT_FOUND
    return next((code for kind, code in _CODES if isinstance(error, kind)), EXIT_FAILURE)


def example_text(lines: tuple[str, ...]) -> str:
    """Examples as they stand below a help page."""
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)])


def make_console(*, stderr: bool = False, width: int | None = None, markup: bool = True) -> Console:
    """A console that leaves a broken pipe to the end of the command line."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(highlight=False, emoji=False, stderr=stderr, width=width, markup=markup)


def stdout(*, markup: bool = True) -> Console:
    """A console on standard output: for data; lines are not folded when it goes elsewhere."""
    width = None if sys.stdout.isatty() else _WIDE
    return make_console(stderr=False, width=width, markup=markup)


def print_table(table: Any) -> None:
    """Print a table on standard output, without blanks at the ends of lines.

    Its texts come from descriptions and ECUs: brackets are nothing special.
    """
    console = stdout(markup=False)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    console.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def errors() -> Console:
    """A console on standard error: for everything that is not data."""
    return make_console(stderr=True, width=None)


@contextmanager
def working(text: str, *trees: A2lFile) -> Iterator[Progress | None]:
    """Bars on standard error while something long is done; None, and nothing printed, when nobody looks.

    Args:
        text: what is done, for what cannot be counted.
        trees: descriptions whose objects are read meanwhile.
    """
    with _few_collections():
        if sys.stderr.isatty():
            with _bars(text, trees) as told:
                yield told
        else:
            yield None


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for unused cycles less often: hundreds of thousands of objects come and none of them goes."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _bars(text: str, trees: tuple[A2lFile, ...]) -> Iterator[Progress]:
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.fields[share]}", markup=False),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    bars = rich_progress.Progress(*columns, console=errors(), transient=True)
    waiting = bars.add_task(text, total=None, share="")
    known: dict[str, rich_progress.TaskID] = {}

    def told(what: str, done: int, total: int) -> None:
        if not bars.live.is_started:
            return  # a description that is used on tells nobody
        if what not in known:
            bars.update(waiting, visible=False)  # from now on there is something to count
            known[what] = bars.add_task(what, total=total, share="")
        bars.update(known[what], completed=done, total=total, share=f"{done:,} of {total:,}")

    def told_of(number: int) -> Progress:
        return lambda what, done, total: told(f"{what}, file {number}", done, total)

    for number, tree in enumerate(trees, 1):
        tree.watch(told if len(trees) == 1 else told_of(number))
    try:
        with bars:
            yield told
    finally:
        for tree in trees:
            tree.watch(None)


def print_json(value: Any) -> None:
    """One JSON object on standard output, one line."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:  # JSON has no NaN and no infinity
        rough = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
        text = json.dumps(rough, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """Plain Python values of numpy values and the like."""
    for name in ("tolist", "as_dict"):
        convert = getattr(value, name, None)
        if convert is not None:
            return convert()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def report(error: XcaliperError, *, as_json: bool) -> None:
    """Say what went wrong, why, and what to do; data stay on standard output."""
    problems = getattr(error, "problems", ())
    if as_json:
        fields: dict[str, Any] = {"error": error.slug, "message": error.message, "hint": error.hint}
        if problems:
            fields["problems"] = list(problems)
        json.dump(fields, sys.stderr, ensure_ascii=False)
        sys.stderr.write("\n")
        return
    console = errors()
    console.print(f"[bold red]error[/] [dim]{error.slug}[/]", end=" ")
    if isinstance(error, PlanError) and len(problems) > 1:
        console.print(f"{error.subject}: {len(problems)} problems", markup=False, soft_wrap=True)
    else:
        console.print(error.message, markup=False, soft_wrap=True)
    for problem in problems[:_PROBLEMS] if len(problems) > 1 else ():
        console.print(f"  - {problem}", markup=False, soft_wrap=True)
    if len(problems) > _PROBLEMS:
        console.print(f"  … and {len(problems) - _PROBLEMS} more", markup=False)
    if error.hint:
        console.print("[bold]hint[/]", end="  ")
        console.print(error.hint, markup=False, soft_wrap=True)
