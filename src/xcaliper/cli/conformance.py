"""``xcaliper conformance``: check any slave against the standard."""

from __future__ import annotations

import json as json_text
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb, keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.client.keys import Keys
    from xcaliper.conformance.model import Permission, Result, Rule
    from xcaliper.conformance.report import Report

__all__ = ["conformance"]

_OWN: Final = "slave"
_STYLES: Final = {
    "violation": "bold red",
    "deviation": "yellow",
    "note": "blue",
    "error": "bold red",
}
_SHOWN_STEPS: Final = 4


def conformance(  # noqa: PLR0913 -- one argument per option
    url: str = "",
    /,
    *,
    allow: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    forbid: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    a2l: Path | None = None,
    keys: KeyOptionsOfVerb = None,
    address: str = "",
    scratch: int | None = None,
    select: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    ignore: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    group: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    severity: str = "note",
    html: Path | None = None,
    json: Path | None = None,
    timeout: float = 1.0,
    limit: float = 300.0,
    rules: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Check a slave against the standard, rule by rule.

    Memory, pages and stored data are not touched unless allowed. DAQ lists are configured and run unless
    lists run already at the first CONNECT. The session is ended and what was written is restored, whatever
    happens.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555 or tcp://host:5555.
        allow: what rules may do, several with commas: write, page, daq, stim, store, program, keys.
        forbid: daq, to leave lists alone.
        a2l: description to hold against the slave, which also names memory to read; slave = the one that it
            carries itself.
        keys: of protected resources, so that the rules behind them can be run.
        address: memory that may be read, and written with --allow write, as ADDRESS[:EXTENSION][+COUNT].
        scratch: number of a sector of the flash that may be erased and programmed with --allow program; what it
            holds is lost.
        select: ids of rules, or how they begin; others are not run.
        ignore: ids of rules, or how they begin, that are not run.
        group: groups of rules; others are not run.
        severity: least severity of rules to run: note, deviation or violation.
        html: write the report as a page.
        json: write the report as JSON.
        timeout: seconds to wait for an answer.
        limit: seconds that the whole run may take.
        rules: list the rules and end.
    """
    from xcaliper.conformance.rules import choose
    from xcaliper.core.errors import UsageError

    chosen = choose(
        select=_words(select), ignore=_words(ignore), groups=_words(group), severity=severity
    )
    if rules:
        return _list(chosen)
    if not url:
        raise UsageError("conformance: the slave is missing.", hint="Try udp://127.0.0.1:5555.")
    if not 0 < timeout <= 60 or not 0 < limit <= 86_400:
        raise UsageError("conformance: --timeout is 0 to 60 s, --limit 0 to 86400 s.")
    permissions = _permissions(_words(allow), _words(forbid))
    if scratch is not None and not 0 <= scratch <= 0xFF:
        raise UsageError("conformance: --scratch is the number of a sector, 0 to 255.")
    given = (a2l, address, keys_of(keys), scratch)
    made = _examine(url, chosen, permissions, given, (timeout, limit))
    _write(made, html, json)
    _summary(made)
    return made.outcome.exit_code


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in value.replace(",", " ").split())


def _permissions(
    allow: tuple[str, ...], forbid: tuple[str, ...]
) -> tuple[frozenset[Permission], bool]:
    """What is allowed, and whether DAQ was allowed in so many words."""
    from xcaliper.conformance.model import Permission
    from xcaliper.core.errors import UsageError

    known = {one.value: one for one in Permission}
    for word in allow:
        if word not in known:
            raise UsageError(f"{word}: nothing that could be allowed.", hint=", ".join(known))
    for word in forbid:
        if word != Permission.DAQ.value:
            raise UsageError(f"{word}: only daq needs to be forbidden.", hint="--forbid daq")
    wanted = {known[word] for word in allow}
    named = Permission.DAQ in wanted
    if not forbid:
        wanted.add(Permission.DAQ)
    return frozenset(wanted), named


def _examine(
    url: str,
    rules: tuple[Rule, ...],
    permissions: tuple[frozenset[Permission], bool],
    given: tuple[Path | None, str, Keys | None, int | None],
    seconds: tuple[float, float],
) -> Report:
    import xcaliper
    from xcaliper.conformance.live import keys_for, limits_of, opened, parse_region, read_paper
    from xcaliper.conformance.report import report_of
    from xcaliper.conformance.runner import run

    allow, named = permissions
    path, address, keys, scratch = given
    own = path is not None and str(path) == _OWN
    file = None if own else path
    paper = read_paper(file, url) if file is not None else None
    options: dict[str, Any] = {
        "limits": limits_of(*seconds),
        "allow": allow,
        "paper": paper,
        "own_paper": own,
        "region": parse_region(address) if address else None,
        "key": keys_for(keys, file, paper),
        "scratch": scratch,
    }
    begin, started = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
    with (
        opened(url, **options) as probe,
        _progress(len(rules)) as told,
    ):
        outcome = run(probe, rules, told, take_over_lists=named)
        return report_of(
            probe,
            outcome,
            target=url,
            version=xcaliper.__version__,
            started=started,
            duration_s=time.monotonic() - begin,
        )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Result], None] | None]:
    """A bar on standard error while somebody looks."""
    from xcaliper.cli.shell import errors

    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=errors(), transient=True) as bars:
        task = bars.add_task("checking", total=total)

        def told(result: Result) -> None:
            bars.update(task, advance=1, description=f"{result.rule.id} {result.rule.title[:40]}")

        yield told


def _write(report: Report, html: Path | None, json: Path | None) -> None:
    if html is not None:
        from xcaliper.conformance.html import as_html

        html.write_text(as_html(report), "utf-8")
    if json is not None:
        from xcaliper.conformance.report import as_values

        text = json_text.dumps(as_values(report), indent=1, ensure_ascii=False)
        json.write_text(text + "\n", "utf-8")


def _list(rules: tuple[Rule, ...]) -> int:
    from rich.table import Table

    from xcaliper.cli.shell import print_table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("id", "severity", "needs", "rule"):
        table.add_column(name)
    for rule in rules:
        needs = ", ".join(need.value for need in rule.needs)
        table.add_row(rule.id, rule.severity.value, needs, rule.title)
    print_table(table)
    return 0


def _summary(report: Report) -> None:
    """Failed rules with what was asked and what came, then the counts."""
    from rich.markup import escape

    from xcaliper.cli.shell import errors, stdout
    from xcaliper.conformance.model import Severity, Verdict
    from xcaliper.core.wording import counted

    console, outcome = stdout(), report.outcome
    for one in outcome.results:
        if one.verdict not in (Verdict.FAILED, Verdict.ERROR):
            continue
        kind = one.rule.severity.value if one.verdict is Verdict.FAILED else "error"
        console.print(
            f"[{_STYLES[kind]}]{kind:9}[/] [bold]{one.rule.id}[/] {escape(one.rule.title)}",
            soft_wrap=True,
        )
        console.print(f"          {one.reason}", markup=False, soft_wrap=True)
        for step in one.steps[-_SHOWN_STEPS:]:
            asked = step.asked.hex(" ") or "(listened)"
            came = " | ".join(packet.hex(" ") for packet in step.came) or "nothing"
            line = f"          {asked} → {came}"
            console.print(line if len(line) < 160 else line[:159] + "…", style="dim", markup=False)
    failed = [counted(outcome.count(Verdict.FAILED, kind), kind.value) for kind in Severity]
    counts = [f"{outcome.count(Verdict.PASSED)} passed", *failed]
    counts.append(f"{outcome.count(Verdict.SKIPPED)} not run")
    console.print(
        f"{report.target}: {', '.join(counts)} in {report.duration_s:.1f} s", markup=False
    )
    if outcome.stopped:
        errors().print(f"stopped: {outcome.stopped}", markup=False, soft_wrap=True)
