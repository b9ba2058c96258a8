"""``xcaliper repair``: a recording that was cut short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.mdf.repair import RepairReport

__all__ = ["repair"]

_Flag = Parameter(negative=(), show_default=False)


def repair(
    file: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    in_place: Annotated[bool, _Flag] = False,
    overwrite: Annotated[bool, _Flag] = False,
    json: Annotated[bool, _Flag] = False,
) -> int:
    """Mend an MDF4 recording that a loss of power or a broken copy cut short, and tell what it holds.

    The recording stays as it is, the mended one is another file. One that is whole needs none.

    Args:
        file: the recording.
        out: the mended one; without it run_repaired.mf4 beside run.mf4.
        in_place: mend the recording itself; nobody may be recording into it any more.
        overwrite: replace the mended file if it exists.
        json: one JSON object instead of a table.
    """
    from xcaliper.cli.shell import EXIT_OK, errors, print_json, print_table, stdout
    from xcaliper.core.errors import NotFoundError, UsageError
    from xcaliper.record.files import repair_file

    if in_place and (out is not None or overwrite):
        raise UsageError(
            "repair: --in-place has no other file.", hint="Leave --out and --overwrite."
        )
    if not file.is_file():
        raise NotFoundError(str(file), kind="file", hint="Name the recording, such as run.mf4.")
    target = file if in_place else out or file.with_name(f"{file.stem}_repaired{file.suffix}")
    if not target.parent.is_dir():
        raise NotFoundError(
            str(target.parent), kind="folder", hint="Make it first, or correct the path."
        )
    if target.exists() and not in_place and not overwrite:
        raise UsageError(
            f"{target}: the file exists already.", hint="Choose another --out, or add --overwrite."
        )
    report = repair_file(file, None if in_place else target, overwrite=overwrite)
    whole = target if report.changed else file
    rows = _rows(whole, report)
    if json:
        print_json(
            {
                "file": str(whole),
                "changed": report.changed,
                "bytes_cut": report.bytes_cut,
                "groups": rows,
            }
        )
        return EXIT_OK
    print_table(_table(rows))
    if not report.changed:
        errors().print(f"{file} is whole: nothing to mend.", markup=False, soft_wrap=True)
        return EXIT_OK
    cut = f"{report.bytes_cut} bytes at its end belonged to no whole block"
    errors().print(f"{file}: {cut}.", markup=False, soft_wrap=True)
    stdout().print(f"mended {target}", markup=False, soft_wrap=True)
    return EXIT_OK


def _rows(path: Path, report: RepairReport) -> list[dict[str, Any]]:
    """Group by group: samples and the time of the first and last."""
    from xcaliper.mdf.reader import MdfReader
    from xcaliper.record.files import DiskFile

    found = []
    file = DiskFile(path, writable=False)
    try:
        reader = MdfReader(file)
        for group, mended in zip(reader.groups, report.groups, strict=True):
            begin, end = reader.span_s(group)
            found.append(
                {
                    "group": mended.name,
                    "samples": mended.cycles,
                    "announced": mended.cycles_before,
                    "from_s": begin,
                    "to_s": end,
                }
            )
    finally:
        file.close()
    return found


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("group", "samples", "announced", "from", "to"):
        table.add_column(name, justify="left" if name == "group" else "right")
    for row in rows:
        times = ("–" if row[at] is None else f"{row[at]:.6f} s" for at in ("from_s", "to_s"))
        table.add_row(row["group"], str(row["samples"]), str(row["announced"]), *times)
    return table
