"""Parameters copied from one set, image or ECU into another, by name, function or group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, overload

from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.select import (
    copy_entries,
    names_of_function,
    names_of_group,
    without_read_only,
)
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcaliper.calib.apply import OnAxis
    from xcaliper.calib.calibrator import Calibrator
    from xcaliper.calib.exchange import Applied
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = ["Calibrated", "copy_parameters"]


class Calibrated(Protocol):
    """An ECU or an image: memory with a description, whose changes have a history."""

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        ...

    @property
    def calib(self) -> Calibrator:
        """Snapshots out of it and sets into it."""
        ...


@overload
def copy_parameters(
    source: ParameterSet | Calibrated,
    target: ParameterSet,
    names: Iterable[str] = ...,
    *,
    functions: Iterable[str] = ...,
    groups: Iterable[str] = ...,
    axes: bool = ...,
    on_problem: Callable[[Diagnostic], None],
) -> ParameterSet: ...
@overload
def copy_parameters(
    source: ParameterSet | Calibrated,
    target: Calibrated,
    names: Iterable[str] = ...,
    *,
    functions: Iterable[str] = ...,
    groups: Iterable[str] = ...,
    axes: bool = ...,
    on_problem: Callable[[Diagnostic], None],
    reason: str = ...,
    clamp: bool = ...,
    on_axis: OnAxis = ...,
    partial: bool = ...,
) -> Applied: ...
def copy_parameters(  # noqa: PLR0913  # options by name
    source: ParameterSet | Calibrated,
    target: ParameterSet | Calibrated,
    names: Iterable[str] = (),
    *,
    functions: Iterable[str] = (),
    groups: Iterable[str] = (),
    axes: bool = False,
    on_problem: Callable[[Diagnostic], None],
    reason: str = "",
    clamp: bool = False,
    on_axis: OnAxis = "refuse",
    partial: bool = False,
) -> ParameterSet | Applied:
    """Copy parameters; an image or an ECU takes all of them or nothing.

    Functions and groups mean what the description of the source says, else that of the target. Where both
    sides are sets, functions are those that the entries of the source name, and groups are unknown. What the
    description calls read-only, and what it computes from other parameters, is taken only by name.

    Args:
        source: a set, an image or a connection.
        target: the same.
        names: parameters.
        functions: functions whose parameters are meant, those inside of them as well.
        groups: groups whose parameters are meant, those inside of them as well.
        axes: take the shared axes of tables as well; other tables may use them too.
        on_problem: is told of everything that is left out.
        reason: why, for the history of an image or an ECU.
        clamp: bring values outside of the limits to them, and say so.
        on_axis: what becomes of tables over other axis points: ``refuse``, ``keep``, ``interpolate``.
        partial: copy what the target takes although other entries cannot be taken.

    Returns:
        The changed set; or of an image or an ECU what became of each entry.

    Raises:
        NotFoundError: the source has none of a name; or no such function or group.
        PlanError: the target cannot take entries; nothing was written.
        UsageError: nothing is asked for, or groups of sets alone.
    """
    named = tuple(names)
    wanted = _wanted(source, target, named, (tuple(functions), tuple(groups)), on_problem)
    if isinstance(source, ParameterSet):
        held = source
    else:
        held = source.calib.snapshot(wanted, on_problem=on_problem)
        if axes and (more := _axes_of(held, wanted)):
            held = held.with_entries(source.calib.snapshot(more, on_problem=on_problem))
    for name in named:
        if not held.of(name):
            raise NotFoundError(name, kind="parameter of the source")
    if isinstance(target, ParameterSet):
        return copy_entries(held, target, wanted, axes=axes)
    taken = copy_entries(held, ParameterSet(origin=held.origin), wanted, axes=axes)
    return target.calib.apply(taken, reason=reason, clamp=clamp, on_axis=on_axis, partial=partial)


def _axes_of(held: ParameterSet, names: Iterable[str]) -> list[str]:
    """Shared axes of tables that are not among the names themselves."""
    known = set(names)
    found = {axis.ref: None for one in held for axis in one.axes if axis.ref}
    return [name for name in found if name not in known]


def _wanted(
    source: ParameterSet | Calibrated,
    target: ParameterSet | Calibrated,
    names: tuple[str, ...],
    parts: tuple[tuple[str, ...], tuple[str, ...]],
    on_problem: Callable[[Diagnostic], None],
) -> list[str]:
    functions, groups = parts
    if not names and not functions and not groups:
        raise UsageError("copy: nothing is asked for.", hint="Give names, functions or groups.")
    catalog = next(
        (one.catalog for one in (source, target) if not isinstance(one, ParameterSet)), None
    )
    if catalog is None:
        if groups:
            raise UsageError("copy: sets do not tell groups.", hint="Give names or functions.")
        assert isinstance(source, ParameterSet), "without a catalog both are sets"
        meant = source.filter(functions=functions).names if functions else ()
        _check_functions(source, functions)
        return [*dict.fromkeys((*names, *meant))]
    found = dict.fromkeys(
        (*names_of_function(catalog, *functions), *names_of_group(catalog, *groups))
    )
    computed = catalog.dependencies
    own = [one for one in found if one not in names and computed.find(one) is None]
    return [*names, *without_read_only(catalog, own, on_problem)]


def _check_functions(source: ParameterSet, functions: Iterable[str]) -> None:
    """Refuse functions that no entry names.

    Raises:
        NotFoundError: there is one.
    """
    known = {name for one in source for name in one.functions}
    for name in functions:
        if name not in known:
            raise NotFoundError(name, kind="function", nearest=tuple(sorted(known)[:8]))
