"""Parameter sets into files, as the ``cal`` verbs that make some write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.cal_options import Flag
from xcaliper.core.errors import PlanError, UsageError

if TYPE_CHECKING:
    from xcaliper.cli.cal_target import Taken

__all__ = ["FileOptions", "FileOptionsOfVerb", "check_free", "keep", "tell_kept"]

_TOLD = 50


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How a file is written.

    Attributes:
        to: format, where the ending of the file does not tell.
        overwrite: replace a file that is there.
        leave_out: write the rest when the format cannot hold some parameters, and tell which are left out.
    """

    to: str = ""
    overwrite: Flag = False
    leave_out: Flag = False


FileOptionsOfVerb = Annotated[FileOptions | None, Parameter(name="*")]


def check_free(file: Path, options: FileOptions) -> None:
    """Refuse to replace a file that is there.

    Raises:
        UsageError: it is, and nobody said that it may be replaced.
    """
    if file.exists() and not options.overwrite:
        raise UsageError(f"{file}: it exists already.", hint="Use --overwrite to replace it.")


def keep(taken: Taken, file: Path, options: FileOptions | None) -> dict[str, Any]:
    """Write a file; gives what it holds, what it has no place for, and what is left out.

    Raises:
        PlanError: the format cannot hold some parameters.
        UsageError: the file is there already, or its format is not known.
    """
    from xcaliper.calib.formats.table import fitting, losses
    from xcaliper.client.set_file import format_for, save_set

    options = options or FileOptions()
    name = options.to or format_for(file)
    check_free(file, options)
    values, left_out = taken.values, tuple[str, ...]()
    if options.leave_out:
        values, left_out = fitting(values, name, catalog=taken.catalog)
    missing = [str(one) for one in losses(values, name)]
    try:
        save_set(values, file, format=name, catalog=taken.catalog)
    except PlanError as error:
        error.hint = "Correct them, choose another format, or write the rest with --leave-out."
        raise
    return {
        "file": str(file),
        "format": name,
        "entries": len(values),
        "no_place_for": missing,
        "left_out": list(left_out),
    }


def tell_kept(facts: dict[str, Any], *, as_json: bool) -> None:
    """Say what was written."""
    from xcaliper.cli.shell import errors, print_json, stdout

    if as_json:
        print_json(facts)
        return
    noun = "parameter" if facts["entries"] == 1 else "parameters"
    stdout().print(f"{facts['file']}: {facts['entries']} {noun}", markup=False, soft_wrap=True)
    left_out = facts["left_out"]
    told = [f"note: left out: {one}" for one in left_out[:_TOLD]]
    if len(left_out) > _TOLD:
        told.append(f"note: and {len(left_out) - _TOLD} more are left out")
    if facts["no_place_for"]:
        told.append(f"note: {facts['format']} has no place for {', '.join(facts['no_place_for'])}.")
    for line in told:
        errors().print(line, markup=False, soft_wrap=True)
