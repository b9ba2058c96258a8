"""``xcaliper cal set``: a parameter, or some of its cells, changed, checked and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.cal_options import ChangeOptionsOfVerb, Flag, TargetOptionsOfVerb
from xcaliper.cli.cal_target import changing
from xcaliper.cli.map_change import MapOptions, MapOptionsOfVerb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.parameters import WriteResult
    from xcaliper.cli.cal_target import Target

__all__ = ["set_parameter"]


def set_parameter(
    target: str,
    name: str,
    /,
    *values: Annotated[str, Parameter(allow_leading_hyphen=True)],
    cells: MapOptionsOfVerb = None,
    raw: Flag = False,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Change a parameter: give it values, or change cells of it by an operation.

    Limits are checked before anything is written; what was written is read back.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, or an image with its --a2l.
        name: name of the parameter; a cell of a curve or map as NAME[x] or NAME[y,x], from 0.
        values: one value, or as many as the array or table has, row by row; with --where one value for
            every selected cell.
        cells: operation and selection.
        raw: ECU values instead of physical ones.
        change: where the change is kept.
        json: print one JSON object.
        options: how to open the target.
    """
    from xcaliper.cli.shell import print_json

    cells = cells or MapOptions()
    _check(target, name, values, cells)
    reason = change.reason if change else ""
    with changing(target, options, change) as memory:
        if cells.operation or cells.where:
            done, differ = _change_cells(memory, name, values, cells, raw=raw, reason=reason)
        else:
            done, differ = _write(memory, name, values, raw=raw, reason=reason), None
        facts = memory.describe(done.name)
        if json:
            print_json({**done.as_dict(), "unit": "" if raw else facts["unit"]})
        else:
            _report(memory, done, differ, raw=raw)
    return 0


def _check(target: str, name: str, values: tuple[str, ...], cells: MapOptions) -> None:
    """Refuse what contradicts itself before a connection is made."""
    from xcaliper.core.errors import UsageError

    if cells.operation and values:
        raise UsageError(
            f"{name}: give either values or --{cells.operation}.",
            hint="A value goes into every selected cell; an operation changes them.",
        )
    if not cells.operation and not values:
        hint = f"xcaliper cal set {target} {name} VALUE, or --offset, --scale, …"
        raise UsageError(f"{name}: no value given.", hint=hint)
    if cells.where and not cells.operation and len(values) > 1:
        raise UsageError(f"{name}: --where takes one value, {len(values)} were given.")


def _write(
    memory: Target, name: str, values: tuple[str, ...], *, raw: bool, reason: str
) -> WriteResult:
    from xcaliper.cli.write import target_of, value_of

    parameter, at = target_of(memory.catalog, name)
    is_text = memory.describe(parameter)["kind"] == "ASCII" and not raw
    value = value_of(values, is_text=is_text)
    return memory.calib.write(parameter, value, at=at, raw=raw, reason=reason)


def _change_cells(
    memory: Target,
    name: str,
    values: tuple[str, ...],
    cells: MapOptions,
    *,
    raw: bool,
    reason: str,
) -> tuple[WriteResult, NDArray[Any]]:
    """What was done, and where the cells differ from before."""
    import numpy as np

    from xcaliper.calib.values import plain
    from xcaliper.cli.map_change import changed_cells, changed_value
    from xcaliper.cli.write import value_of
    from xcaliper.core.errors import UsageError

    before = memory.read(name, raw=raw)
    given = value_of(values, is_text=False) if values else None
    try:
        after = changed_value(before, cells, given)
    except UsageError as error:
        if not error.message.startswith(f"{name}:"):
            error.message = f"{name}: {error.message.removeprefix('values: ')}"
        raise
    differ = changed_cells(before, after)
    new = np.asarray(after)
    if differ.ndim == 0:
        value = plain(new[()])
        return memory.calib.write(name, value, raw=raw, reason=reason), differ
    if not _singly(memory, name, before, differ, raw=raw):
        done = memory.calib.write(name, after, raw=raw, reason=reason)
    else:
        with memory.calib.group(reason) as group:
            for place in np.argwhere(differ):
                at = tuple(int(index) for index in place)
                memory.calib.write(name, plain(new[at]), at=at, raw=raw)
        done = group.results[-1]
    return done, changed_cells(before, memory.read(name, raw=raw))


def _singly(memory: Target, name: str, before: Any, differ: NDArray[Any], *, raw: bool) -> bool:
    """True where the other cells must not be looked at: texts that several raw values share, limits left before."""
    import numpy as np

    if differ.sum() <= 1:
        return bool(differ.any())
    rest = np.asarray(before)[~differ]
    if rest.dtype.kind not in "biuf":
        return True
    if raw:
        return False
    facts = memory.describe(name)
    return bool(np.any((rest < facts["lower"]) | (rest > facts["upper"])))


def _report(memory: Target, done: WriteResult, differ: NDArray[Any] | None, *, raw: bool) -> None:
    from xcaliper.cli.value_view import Shown, show_values
    from xcaliper.cli.write import print_result

    unit = "" if raw else memory.describe(done.name)["unit"]
    if differ is None or differ.ndim == 0:
        print_result(done, unit)
        return
    size = f"{differ.sum()} of {differ.size} values changed"
    print_result(done, unit, summary=f"{done.name}: {size}")
    show_values([Shown(done.name, memory.read(done.name, raw=raw), unit, differ)])
