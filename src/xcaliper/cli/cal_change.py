"""``xcaliper cal set``: a parameter, or some of its cells, changed, checked and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.cal_target import TargetOptionsOfVerb, open_target
from xcaliper.cli.map_change import MapOptions, MapOptionsOfVerb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.parameters import WriteResult
    from xcaliper.client.connection import Connection as Target

__all__ = ["set_parameter"]


def set_parameter(
    target: str,
    name: str,
    /,
    *values: Annotated[str, Parameter(allow_leading_hyphen=True)],
    change: MapOptionsOfVerb = None,
    raw: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Change a parameter: give it values, or change cells of it by an operation.

    Limits are checked before anything is sent; what was written is read back.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555.
        name: name of the parameter; a cell of a curve or map as NAME[x] or NAME[y,x], from 0.
        values: one value, or as many as the array or table has, row by row; with --where one value for
            every selected cell.
        change: operation and selection.
        raw: ECU values instead of physical ones.
        json: print one JSON object.
        options: how to open the target.
    """
    from xcaliper.cli.shell import print_json

    change = change or MapOptions()
    _check(target, name, values, change)
    with open_target(target, options) as memory:
        if change.operation or change.where:
            done, differ = _change_cells(memory, name, values, change, raw=raw)
        else:
            done, differ = _write(memory, name, values, raw=raw), None
        facts = memory.describe(done.name)
        if json:
            print_json({**done.as_dict(), "unit": "" if raw else facts["unit"]})
            return 0
        _report(memory, done, differ, raw=raw)
    return 0


def _check(target: str, name: str, values: tuple[str, ...], change: MapOptions) -> None:
    """Refuse what contradicts itself before a connection is made."""
    from xcaliper.core.errors import UsageError

    if change.operation and values:
        raise UsageError(
            f"{name}: give either values or --{change.operation}.",
            hint="A value goes into every selected cell; an operation changes them.",
        )
    if not change.operation and not values:
        hint = f"xcaliper cal set {target} {name} VALUE, or --offset, --scale, …"
        raise UsageError(f"{name}: no value given.", hint=hint)
    if change.where and not change.operation and len(values) > 1:
        raise UsageError(f"{name}: --where takes one value, {len(values)} were given.")


def _write(memory: Target, name: str, values: tuple[str, ...], *, raw: bool) -> WriteResult:
    from xcaliper.cli.write import target_of, value_of

    parameter, at = target_of(memory.catalog, name)
    is_text = memory.describe(parameter)["kind"] == "ASCII" and not raw
    return memory.write(parameter, value_of(values, is_text=is_text), at=at, raw=raw)


def _change_cells(
    memory: Target, name: str, values: tuple[str, ...], change: MapOptions, *, raw: bool
) -> tuple[WriteResult, NDArray[Any]]:
    """What was done, and where the cells differ from before.

    A cell that changes alone is written alone: its neighbours are not looked at.
    """
    import numpy as np

    from xcaliper.calib.values import plain
    from xcaliper.cli.map_change import changed_cells, changed_value
    from xcaliper.cli.write import value_of
    from xcaliper.core.errors import UsageError

    before = memory.read(name, raw=raw)
    given = value_of(values, is_text=False) if values else None
    try:
        after = changed_value(before, change, given)
    except UsageError as error:
        if not error.message.startswith(f"{name}:"):
            error.message = f"{name}: {error.message.removeprefix('values: ')}"
        raise
    differ = changed_cells(before, after)
    if differ.ndim == 0:
        return memory.write(name, plain(np.asarray(after)[()]), raw=raw), differ
    if differ.sum() == 1:
        at = tuple(int(index) for index in np.argwhere(differ)[0])
        done = memory.write(name, plain(np.asarray(after)[at]), at=at, raw=raw)
    else:
        done = memory.write(name, after, raw=raw)
    return done, changed_cells(before, memory.read(name, raw=raw))


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
