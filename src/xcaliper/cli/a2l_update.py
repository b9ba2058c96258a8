"""``xcaliper a2l update``: addresses and types from a linked program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.describe.report import UpdateReport

__all__ = ["update"]

_SHOWN = 20


def update(  # noqa: PLR0913  # each option is one choice of the user
    file: Path,
    /,
    *,
    elf: Path | None = None,
    map: Path | None = None,  # noqa: A002  # the name of the option
    mode: Literal["report", "addresses", "full"] = "addresses",
    missing: Literal["keep", "zero", "remove", "fail"] = "keep",
    epk: str = "",
    out: Path | None = None,
    outside: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Bring a description up to date with a linked program. Exit code 6 when symbols are missing.

    Args:
        file: the A2L file.
        elf: the linked program, with debug information for mode full.
        map: map of the linker, for symbols that the program file does not have.
        mode: report changes nothing; addresses takes over addresses; full also types, sizes, limits and enums.
        missing: objects without a symbol: keep, zero (address 0), remove, or fail.
        epk: symbol of the identification text; ADDR_EPK and EPK follow it.
        out: file to write, with only the changed words exchanged; without it nothing is written.
        outside: includes may lie outside of the file's folder.
        json: print the report as one JSON object.
    """
    from xcaliper.cli.a2l_change import inventory, summary, tell_summary
    from xcaliper.cli.program_source import read_program
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, errors, print_json, working
    from xcaliper.client.a2l_source import read_a2l, save_a2l
    from xcaliper.describe.updater import update as run_update

    program = read_program(elf, map)
    with working(f"Reading {file.name} …") as told:
        tree = read_a2l(file, outside=outside, progress=told)
        tree.load_all()
        objects = inventory(tree)
    full = mode == "full" or (mode == "report" and program.has_types)
    if out is None or mode == "report":
        with working("Matching symbols …") as told:
            report = run_update(
                tree, program, mode="report", missing=missing, types=full, epk=epk, progress=told
            )
    else:
        from xcaliper.a2l.edit import Editor

        before = [Editor.inventory(module) for module in tree.modules]
        with working("Matching symbols …") as told:
            report = run_update(tree, program, mode=mode, missing=missing, epk=epk, progress=told)
            editor = Editor(tree)
            for module, held in zip(tree.modules, before, strict=True):
                editor.adopt(module, held)
            editor.apply(told)
        save_a2l(tree, out)
    facts = summary(objects, inventory(tree))
    facts["changes"] = report.counts()
    if json:
        print_json({**report.as_dict(), **facts})
    else:
        _show(report)
        tell_summary(facts)
        if out is None and mode != "report" and not report.is_current:
            errors().print("Nothing was written; add --out FILE.", markup=False)
    stale = bool(report.missing) or (not report.applied and not report.is_current)
    return EXIT_FOUND if stale else EXIT_OK


def _show(report: UpdateReport) -> None:
    """Lists, cut to a screen, and the totals."""
    from xcaliper.cli.shell import stdout

    console = stdout()
    for title, lines in (
        ("moved", report.moved),
        ("changed", report.changed),
        ("missing", report.missing),
        ("findings", report.findings),
    ):
        for line in lines[:_SHOWN]:
            console.print(f"{title:8}  {line}", markup=False, soft_wrap=True)
        if len(lines) > _SHOWN:
            console.print(f"{title:8}  … and {len(lines) - _SHOWN} more", markup=False)
    console.print(
        f"{report.unchanged} up to date, {len(report.moved)} moved, {len(report.changed)} other changes, "
        f"{len(report.missing)} missing, {len(report.skipped)} without symbol by design",
        markup=False,
        soft_wrap=True,
    )
