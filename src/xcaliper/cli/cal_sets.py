"""``xcaliper cal import``, ``diff``, ``merge`` and ``stats``: parameter sets in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from xcaliper.cli.cal_keep import FileOptionsOfVerb, keep, tell_kept
from xcaliper.cli.cal_options import ChoiceOptionsOfVerb, Flag, TargetOptionsOfVerb, Words
from xcaliper.cli.cal_source import matching
from xcaliper.cli.cal_target import Taken, described, load, meant_by, physical, take_from
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from xcaliper.calib.entries import Entry, Key
    from xcaliper.calib.merge import MergeResult

__all__ = ["diff", "import_set", "merge", "stats"]


def import_set(
    file: Path,
    out: Path,
    /,
    *names: str,
    form: Annotated[str, Parameter(name="--from")] = "",
    written: FileOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Read a file of parameter values in any format and keep it in another one.

    Everything that could not be understood is told with its line; the file is kept only when nothing of it
    was lost, or with what could be read and exit code 6.

    Args:
        file: what to read.
        out: what to write; its ending tells the format.
        names: parameters to take, with * and ?; all without any.
        form: format of the file, where neither content nor ending tell.
        written: how it is written.
        json: print one JSON object.
        options: the description makes physical values of ECU values, and the other way round.
    """
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK
    from xcaliper.core.diagnostics import Severity

    found = load(file, form=form)
    catalog = described(options)
    values = physical(found.values, catalog)
    if names:
        values = values.filter(names=matching(values.names, names))
        if not len(values):
            raise NotFoundError(" ".join(names), kind="parameter")
    lost = sum(one.severity is Severity.ERROR for one in found.diagnostics)
    facts = keep(Taken(values, catalog), out, written)
    tell_kept({**facts, "lost": lost}, as_json=json)
    return EXIT_FOUND if lost else EXIT_OK


def diff(  # noqa: PLR0913  # options by name
    left: str,
    right: str,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    everything: Annotated[Flag, Parameter(name="--all")] = False,
    absolute: float = 0.0,
    relative: float = 0.0,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Compare parameters: of ECUs, images and files, in any combination; exit code 6 when they differ.

    Args:
        left: URL of a slave, an image, or a file of parameter values.
        right: the other one.
        names: parameters to compare, with * and ?; all without any.
        choice: functions and groups to compare.
        everything: also what a description calls read-only, which is left out unless it is named.
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.
        json: print one JSON object.
        options: how to open what is no file of values.
    """
    from xcaliper.calib.compare import compare
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, stdout

    sides = [
        take_from(target, names, options, read_only=everything, quiet=True)
        for target in (left, right)
    ]
    sides = _alike(sides) if everything else _writable(_alike(sides), names)
    one, other = (side.values for side in sides)
    if choice:
        wanted = meant_by(choice, *sides)
        one, other = one.filter(names=wanted), other.filter(names=wanted)
    if (names or choice) and not (len(one) or len(other)):
        raise NotFoundError(" ".join(names) or "such", kind="parameter")
    found = compare(one, other, absolute=absolute, relative=relative)
    if json:
        print_json(found.as_dict())
    else:
        stdout().print(found.text(), markup=False, soft_wrap=True)
    return EXIT_OK if found.is_equal else EXIT_FOUND


def merge(  # noqa: PLR0913  # options by name
    base: str,
    mine: str,
    theirs: str,
    /,
    *,
    out: Path | None = None,
    cells: Flag = False,
    take: Words = (),
    everything: Annotated[Flag, Parameter(name="--all")] = False,
    written: FileOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Merge what two people changed since they parted; exit code 6 when they disagree.

    Nothing is written while a conflict is open.

    Args:
        base: what both started from: a file of parameter values, an image, or the URL of a slave.
        mine: what one of them has now.
        theirs: what the other one has now.
        out: file to write; without it the result is told only.
        cells: merge changes of single values of one table too.
        take: who is right where both changed the same: mine, theirs or base; or NAME=mine and so on, several
            times.
        everything: also what a description calls read-only.
        written: how the file is written.
        json: print one JSON object.
        options: how to open what is no file of values.
    """
    from xcaliper.calib import merge as engine
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, stdout

    sides = [
        take_from(target, (), options, read_only=everything, quiet=True)
        for target in (base, mine, theirs)
    ]
    sides = _alike(sides) if everything else _writable(_alike(sides))
    found = _resolved(engine.merge(*(one.values for one in sides), cells=cells), take)
    catalog = next((one.catalog for one in sides if one.catalog is not None), described(options))
    kept = None
    if out is not None and found.is_clean:
        kept = keep(Taken(found.set, catalog), out, written)
    if json:
        print_json({**found.as_dict(), "written": kept})
    else:
        stdout().print(found.text(), markup=False, soft_wrap=True)
        if kept is not None:
            tell_kept(kept, as_json=False)
    return EXIT_OK if found.is_clean else EXIT_FOUND


def _alike(sides: list[Taken]) -> list[Taken]:
    """The sides with physical values, as far as the description of one of them can make some."""
    catalog = next((one.catalog for one in sides if one.catalog is not None), None)
    return [replace(one, values=physical(one.values, catalog)) for one in sides]


def _writable(sides: list[Taken], names: tuple[str, ...] = ()) -> list[Taken]:
    """The sides without what the description of one of them calls read-only, unless it is named."""
    from xcaliper.calib.select import is_read_only

    catalogs = [one.catalog for one in sides if one.catalog is not None]
    every = {name for one in sides for name in one.values.names}.difference(names)
    fixed = {name for name in every if any(is_read_only(one, name) for one in catalogs)}
    if not fixed:
        return sides
    return [
        replace(one, values=one.values.filter(only=lambda e: e.name not in fixed)) for one in sides
    ]


def _resolved(found: MergeResult, take: tuple[str, ...]) -> MergeResult:
    """The result with the conflicts that are decided; single names before everything else."""
    single: dict[str | Key, str | Entry] = dict(
        one.rpartition("=")[::2] for one in take if "=" in one
    )
    whole = [one for one in take if "=" not in one]
    if len(whole) > 1:
        raise UsageError(f"--take {' --take '.join(whole)}: one of them for everything is enough.")
    if single:
        found = found.resolve(single)
    return found.resolve(whole[0]) if whole else found


def stats(
    target: str,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    against: str = "",
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Numbers about parameters: ranges of their values, kinds and maturity, and what changed since another set.

    Args:
        target: URL of a slave, an image with its --a2l, or a file of parameter values.
        names: parameters, with * and ?, each with a line of its own; all together without any.
        choice: functions and groups.
        against: what to compare with: a file of parameter values, an image or another slave.
        json: print one JSON object.
        options: how to open what is no file of values.
    """
    from rich.table import Table

    from xcaliper.calib.statistics import entry_statistics, set_statistics
    from xcaliper.calib.values import format_number
    from xcaliper.cli.shell import print_json, print_table, stdout

    taken = take_from(target, names, options, choice=choice)
    if not len(taken.values):
        raise NotFoundError(" ".join(names) or "any", kind="parameter")
    other = None
    if against:
        known = {*taken.values.names}
        other = take_from(against, names, options).values
        if choice:
            other = other.filter(names=known)
    found = set_statistics(taken.values, other)
    rows = [entry_statistics(one) for one in taken.values] if names else []
    if json:
        print_json({**found.as_dict(), "parameters": [one.as_dict() for one in rows]})
        return 0
    if rows:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in (
            "name",
            "values",
            "smallest",
            "largest",
            "mean",
            "deviation",
            "distinct",
            "unit",
        ):
            table.add_column(column, justify="left" if column in ("name", "unit") else "right")
        for row in rows:
            numbers = (row.smallest, row.largest, row.mean, row.deviation)
            shown = ["" if one != one else format_number(one) for one in numbers]  # noqa: PLR0124  # NaN
            table.add_row(row.name, str(row.count), *shown, str(row.distinct), row.unit)
        print_table(table)
    stdout().print(found.text(), markup=False, soft_wrap=True)
    return 0
