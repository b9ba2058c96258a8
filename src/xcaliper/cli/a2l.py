"""``xcaliper a2l``: look into a description and check it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from xcaliper.cli.a2l_check import check
from xcaliper.cli.shell import example_text

if TYPE_CHECKING:
    from xcaliper.a2l import A2lFile
    from xcaliper.quantity.catalog import Catalog

__all__ = ["a2l", "check", "info", "list_names"]

_EXAMPLES: Final = (
    "xcaliper a2l info engine.a2l",
    "xcaliper a2l check engine.a2l",
    "xcaliper a2l list engine.a2l 'Engine*'",
    "xcaliper a2l show engine.a2l EngineSpeed --references",
    "xcaliper a2l diff old.a2l new.a2l",
    "xcaliper a2l merge engine.a2l gearbox.a2l --conflict rename --out both.a2l",
    "xcaliper a2l convert engine.a2l --to 1.61 --out old-style.a2l",
    "xcaliper a2l rename engine.a2l nEng EngineSpeed --in-place",
    "xcaliper a2l update engine.a2l --elf engine.elf --out new.a2l",
    "xcaliper a2l generate --elf engine.elf --out engine.a2l",
)

a2l = App(
    name="a2l",
    help="Look into an ASAP2 description, check, compare and change it.",
    help_epilogue=example_text(_EXAMPLES),
)
a2l.command(
    "xcaliper.cli.a2l_update:update",
    name="update",
    help="Bring a description up to date with a linked program.",
)
a2l.command(
    "xcaliper.cli.a2l_generate:generate",
    name="generate",
    help="Make a description from a program, a header or declarations.",
)
for _verb, _function, _help in (
    ("show", "show", "Show objects as they stand in the file, and who uses them."),
    ("diff", "diff", "Compare two descriptions by meaning."),
    ("merge", "merge", "Put several descriptions into one."),
    ("convert", "convert", "Bring a description to another version of ASAP2."),
    ("format", "format_text", "Lay a description out anew, sorted on request."),
    ("rename", "rename", "Give an object another name, with all references."),
    ("prune", "prune", "Remove what nobody uses."),
):
    a2l.command(f"xcaliper.cli.a2l_edit:{_function}", name=_verb, help=_help)


def _load(file: Path, *, outside: bool = False) -> A2lFile:
    from xcaliper.cli.shell import working
    from xcaliper.client.a2l_source import read_a2l

    with working(f"Reading {file.name} …") as told:
        return read_a2l(file, outside=outside, progress=told)


@a2l.command
def info(
    file: Path,
    /,
    *,
    outside: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Show what a description holds.

    Args:
        file: the A2L file.
        outside: includes may lie outside of the file's folder.
        json: print one JSON object.
    """
    from rich.table import Table

    from xcaliper.cli.shell import print_json, print_table, working

    tree = _load(file, outside=outside)
    _ = tree.module  # an error when there is none
    with working(f"Reading {file.name} …", tree):
        tree.load_all()  # the findings are counted too
    counts: dict[str, int] = {}
    for module in tree.modules:
        for name in (
            "measurement", "characteristic", "axis_pts", "instance", "compu_method",
            "record_layout", "typedef_structure", "group", "function", "if_data",
        ):  # fmt: skip
            counts[name.upper()] = counts.get(name.upper(), 0) + len(getattr(module, name))
    facts: dict[str, Any] = {
        "file": str(file),
        "version": tree.version,
        "project": tree.project.name if tree.project else "",
        "modules": [module.name for module in tree.modules],
        "objects": counts,
        "diagnostics": len(tree.diagnostics),
    }
    if json:
        print_json(facts)
        return 0
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    for label in ("file", "version", "project"):
        table.add_row(label, str(facts[label]))
    table.add_row("modules", ", ".join(facts["modules"]))
    for keyword, count in counts.items():
        table.add_row(keyword, str(count))
    table.add_row("findings", str(len(tree.diagnostics)))
    print_table(table)
    return 0


a2l.command(check)


@a2l.command(name="list")
def list_names(
    file: Path,
    pattern: str = "*",
    /,
    *,
    outside: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """List measurements and parameters.

    Args:
        file: the A2L file.
        pattern: name with * and ? as wildcards.
        outside: includes may lie outside of the file's folder.
        json: one JSON object per line.
    """
    from rich.table import Table

    from xcaliper.cli.shell import print_json, print_table
    from xcaliper.client.names import expand_names
    from xcaliper.quantity.catalog import Catalog

    catalog = Catalog(_load(file, outside=outside))
    rows = [_row(catalog, name) for name in expand_names(catalog, pattern)]
    if json:
        for row in rows:
            print_json(row)
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("name", "kind", "unit", "text"):
        table.add_column(column, overflow="ellipsis", no_wrap=column != "text")
    for row in rows:
        table.add_row(*[str(row[column]) for column in ("name", "kind", "unit", "text")])
    print_table(table)
    return 0


def _row(catalog: Catalog, name: str) -> dict[str, Any]:
    """Name, kind, unit and text; an object that cannot be used says so in its text."""
    from xcaliper.core.errors import UsageError

    try:
        bound = catalog.bind(name)
    except UsageError as error:
        return {"name": name, "kind": "?", "unit": "", "text": error.message}
    kind = getattr(bound, "type", "MEASUREMENT")
    return {"name": name, "kind": kind, "unit": bound.unit, "text": bound.description}
