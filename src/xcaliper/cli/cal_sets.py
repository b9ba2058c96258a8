"""``xcaliper cal export``, ``import``, ``diff`` and ``merge``: parameter sets in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.cal_options import ChoiceOptionsOfVerb, Flag, TargetOptionsOfVerb, Words
from xcaliper.cli.cal_source import matching
from xcaliper.cli.cal_target import Taken, described, load, meant_by, take_from
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from xcaliper.calib.entries import Entry, Key
    from xcaliper.calib.merge import MergeResult

__all__ = ["FileOptions", "diff", "export", "import_set", "merge"]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How a file is written.

    Attributes:
        to: format, where the ending of the file does not tell.
        overwrite: replace a file that is there.
    """

    to: str = ""
    overwrite: Flag = False


_FileOptionsOfVerb = Annotated[FileOptions | None, Parameter(name="*")]


def export(
    target: str,
    file: Path,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    raw: Flag = False,
    written: _FileOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Keep the parameters of an ECU or an image in a file.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, an image with its --a2l, or a file of parameter
            values.
        file: what to write; its ending tells the format.
        names: parameters to take, with * and ?; all without any.
        choice: functions and groups to take.
        raw: ECU values instead of physical ones.
        written: how the file is written.
        json: print one JSON object.
        options: how to open the target.
    """
    taken = take_from(target, names, options, choice=choice, raw=raw, with_history=True)
    if (names or choice) and not len(taken.values):
        raise NotFoundError(" ".join(names) or "such", kind="parameter")
    _tell_kept(_keep(taken, file, written), as_json=json)
    return 0


def import_set(
    file: Path,
    out: Path,
    /,
    *names: str,
    form: Annotated[str, Parameter(name="--from")] = "",
    written: _FileOptionsOfVerb = None,
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
        options: the description is used by formats that hold ECU values or data types.
    """
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK
    from xcaliper.core.diagnostics import Severity

    found = load(file, form=form)
    values = found.values
    if names:
        values = values.filter(names=matching(values.names, names))
        if not len(values):
            raise NotFoundError(" ".join(names), kind="parameter")
    lost = sum(one.severity is Severity.ERROR for one in found.diagnostics)
    facts = _keep(Taken(values, described(options)), out, written)
    _tell_kept({**facts, "lost": lost}, as_json=json)
    return EXIT_FOUND if lost else EXIT_OK


def diff(
    left: str,
    right: str,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
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
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.
        json: print one JSON object.
        options: how to open what is no file of values.
    """
    from xcaliper.calib.compare import compare
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, stdout

    sides = [take_from(target, names, options) for target in (left, right)]
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
    written: _FileOptionsOfVerb = None,
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
        written: how the file is written.
        json: print one JSON object.
        options: how to open what is no file of values.
    """
    from xcaliper.calib import merge as engine
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, stdout

    sides = [take_from(target, (), options) for target in (base, mine, theirs)]
    found = _resolved(engine.merge(*(one.values for one in sides), cells=cells), take)
    catalog = next((one.catalog for one in sides if one.catalog is not None), described(options))
    kept = None
    if out is not None and found.is_clean:
        kept = _keep(Taken(found.set, catalog), out, written)
    if json:
        print_json({**found.as_dict(), "written": kept})
    else:
        stdout().print(found.text(), markup=False, soft_wrap=True)
        if kept is not None:
            _tell_kept(kept, as_json=False)
    return EXIT_OK if found.is_clean else EXIT_FOUND


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


def _keep(taken: Taken, file: Path, options: FileOptions | None) -> dict[str, Any]:
    """Write a file; gives what it holds and what it has no place for."""
    from xcaliper.calib.formats.table import losses
    from xcaliper.client.set_file import format_for, save_set

    options = options or FileOptions()
    name = options.to or format_for(file)
    if file.exists() and not options.overwrite:
        raise UsageError(f"{file}: it exists already.", hint="Use --overwrite to replace it.")
    missing = [str(one) for one in losses(taken.values, name)]
    save_set(taken.values, file, format=name, catalog=taken.catalog)
    return {
        "file": str(file),
        "format": name,
        "entries": len(taken.values),
        "no_place_for": missing,
    }


def _tell_kept(facts: dict[str, Any], *, as_json: bool) -> None:
    from xcaliper.cli.shell import errors, print_json, stdout

    if as_json:
        print_json(facts)
        return
    noun = "parameter" if facts["entries"] == 1 else "parameters"
    stdout().print(f"{facts['file']}: {facts['entries']} {noun}", markup=False, soft_wrap=True)
    if facts["no_place_for"]:
        told = f"note: {facts['format']} has no place for {', '.join(facts['no_place_for'])}."
        errors().print(told, markup=False, soft_wrap=True)
