"""``xcaliper cal history``, ``undo`` and ``redo``: what was changed, taken back and made again."""

from __future__ import annotations

import getpass
import os
import re
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from xcaliper.cli.cal_options import ChangeOptions, ChangeOptionsOfVerb, Flag, TargetOptionsOfVerb
from xcaliper.core.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xcaliper.calib.history import History, Transaction
    from xcaliper.cli.cal_target import Target

__all__ = ["default_history", "history", "kept_history", "known_history", "redo", "undo"]

_Steps = Annotated[int, Parameter(name=("--steps", "-n"))]


def history(
    target: str,
    /,
    *names: str,
    settle: Literal["look", "finish", "back"] | None = None,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Show what was changed: when, by whom, from what to what and why.

    Args:
        target: URL of a slave, an image with its --a2l, or the file of a history.
        names: only what changed one of these parameters; * and ? are wildcards.
        settle: what to do about changes that were cut off: look what became of them, finish them, or put them
            back.
        change: where the history is.
        json: one JSON object per line.
        options: how to open the target.
    """
    from xcaliper.cli.cal_source import matching
    from xcaliper.cli.cal_target import changing, is_image, is_live, opened, tell
    from xcaliper.cli.shell import print_json
    from xcaliper.client.history_file import read_history

    if not is_live(target) and not is_image(target):
        if settle:
            raise UsageError("--settle: only an ECU tells what became of a change.")
        kept, problems = read_history(target)
        tell(problems)
        rows = list(kept)
    elif settle:
        with changing(target, options, change) as memory:
            for found in memory.calib.settle(settle):
                _say(f"{found.transaction.number}: {found.state}")
            rows = list(memory.calib.history)
    else:
        with opened(target, options, change) as memory:
            rows = list(known_history(target, memory, change))
    if names:
        rows = [one for one in rows if matching(one.names, names)]
    if json:
        for one in rows:
            print_json({**one.as_dict(), "state": str(one.state)})
    else:
        _show(rows)
    return 0


def undo(
    target: str,
    /,
    *,
    steps: _Steps = 1,
    force: Flag = False,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Take the latest change back, as the history knows it.

    Args:
        target: URL of a slave, or an image with its --a2l.
        steps: how many changes.
        force: although the ECU holds something else than was written.
        change: where the history is.
        json: one JSON object per change.
        options: how to open the target.
    """
    return _again("undo", target, steps, (options, change), force=force, as_json=json)


def redo(
    target: str,
    /,
    *,
    steps: _Steps = 1,
    force: Flag = False,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Make the latest change again that was taken back.

    Args:
        target: URL of a slave, or an image with its --a2l.
        steps: how many changes.
        force: although the ECU holds something else than before.
        change: where the history is.
        json: one JSON object per change.
        options: how to open the target.
    """
    return _again("redo", target, steps, (options, change), force=force, as_json=json)


def _again(
    what: str, target: str, steps: int, options: tuple[Any, Any], *, force: bool, as_json: bool
) -> int:
    from xcaliper.cli.cal_target import changing
    from xcaliper.cli.shell import print_json, stdout

    if steps < 1:
        raise UsageError(f"{what}: {steps} changes; name at least one.")
    with changing(target, *options) as memory:
        for _ in range(steps):
            done = getattr(memory.calib, what)(force=force)
            if as_json:
                print_json({**done.as_dict(), "state": str(done.state)} if done else {})
            else:
                stdout().print(str(done or "nothing to send"), markup=False, soft_wrap=True)
    return 0


# --- where it is kept ---


@contextmanager
def kept_history(target: str, memory: Target, change: ChangeOptions | None) -> Iterator[None]:
    """The history of a target goes on in its file meanwhile.

    Args:
        target: URL or file.
        memory: the target, opened.
        change: who changes it, and where the history is: ``none`` keeps none, and without a word it is that of
            the slave, or of the image that is written, and of its program.

    Raises:
        SourceError: it cannot be read or written.
        IntegrityError: it is the history of another program.
        UsageError: another program keeps it.
    """
    from xcaliper.cli.cal_target import tell
    from xcaliper.client.connection import Connection
    from xcaliper.client.history_file import HistoryFile

    change = change or ChangeOptions()
    file = change.history
    memory.calib.author = change.author or memory.calib.author or _user()
    if file == "none":
        yield
        return
    place = _place(target, memory, change)
    if file is None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(
                f"the history cannot be kept: {error.strerror or error}.",
                source=str(place),
                hint="Use --history FILE, or --history none.",
            ) from error
    if isinstance(memory, Connection):
        kept = memory.calib.keep_history(place)
    else:
        kept = HistoryFile(place, epk=_program(memory), a2l=memory.catalog.file.source)
        memory.calib.history = kept.history()
    try:
        tell(kept.diagnostics)
        for one in memory.calib.history.open():
            _say(f"note: nobody knows how change {one.number} ended: cal history --settle look")
        yield
    finally:
        kept.close()


def known_history(target: str, memory: Target, change: ChangeOptions | None = None) -> History:
    """The history of a target as far as its file tells; nothing is made or locked.

    Args:
        target: URL or file.
        memory: the target, opened; it takes the history over.
        change: where the history is.

    Raises:
        SourceError: the file cannot be read, or is no history.
    """
    from xcaliper.cli.cal_target import tell
    from xcaliper.client.history_file import read_history

    change = change or ChangeOptions()
    place = _place(target, memory, change)
    if change.history != "none" and (change.history or place.exists()):
        memory.calib.history, problems = read_history(place)
        tell(problems)
    return memory.calib.history


def _place(target: str, memory: Target, change: ChangeOptions) -> Path:
    if change.history is not None:
        return Path(change.history)
    return default_history(str(change.out or target), _program(memory))


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


def _program(memory: Target) -> str:
    """EPK that the description is for."""
    mod_par = memory.catalog.index.module.mod_par
    return (mod_par.epk or "") if mod_par else ""


def default_history(target: str, epk: str) -> Path:
    """The file of a target's history: one per URL or image, and per program.

    ``XCALIPER_HISTORY`` names the folder, else it is the user's folder of states.
    """
    chosen = os.environ.get("XCALIPER_HISTORY")
    if chosen:
        folder = Path(chosen)
    else:
        base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME")
        folder = (Path(base) if base else Path.home() / ".local" / "state") / "xcaliper" / "history"
    whole = target if "://" in target else str(Path(target).resolve())
    word = re.sub(r"[^\w.]+", "-", target if "://" in target else Path(target).name).strip("-")
    mark = sha256(f"{whole}\n{epk}".encode()).hexdigest()[:10]
    return folder / f"{word[:60]}-{mark}.history"


# --- showing ---


def _show(rows: Iterable[Transaction]) -> None:
    from rich.table import Table

    from xcaliper.cli.shell import print_table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("number", "time", "author", "kind", "state", "what", "reason"):
        table.add_column(column, overflow="fold")
    for one in rows:
        time = datetime.fromtimestamp(one.time_ns / 1e9, UTC).astimezone()
        what = "; ".join(map(str, one.changes[:3])) or f"{one.bytes_changed} bytes"
        more = f" and {len(one.changes) - 3} more" if len(one.changes) > 3 else ""
        kind = f"{one.kind} of {one.of}" if one.of else str(one.kind)
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            str(one.number), when, one.author, kind, str(one.state), f"{what}{more}", one.reason
        )
    print_table(table)


def _say(text: str) -> None:
    from xcaliper.cli.shell import errors

    errors().print(text, markup=False, soft_wrap=True)
