"""Values by name, as a recording or another tool has them, as parameter sets; ECU values as physical ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.entries import AxisKind, Entry, EntryKind, Origin, SetAxis
from xcaliper.calib.entry_values import axis_of, even, physical
from xcaliper.calib.extract import TOOL, parameter_of
from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.values import Table, plain
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic, RawCharacteristic
from xcaliper.quantity.instance import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.quantity.catalog import Catalog

    OnProblem = Callable[[Diagnostic], None]

__all__ = ["from_values", "to_physical"]


def to_physical(values: ParameterSet, catalog: Catalog, *, on_problem: OnProblem) -> ParameterSet:
    """A set whose ECU values were converted; entries that are physical already stay.

    Args:
        values: a set with ECU values, as some file formats hold them.
        catalog: names and descriptions.
        on_problem: is told of entries that cannot be converted; they are left out.
    """
    entries: list[Entry] = []
    for one in values:
        if not one.is_raw or one.kind is EntryKind.BLOB:
            entries.append(one)
            continue
        try:
            entries.append(_converted(one, catalog))
        except (UsageError, TypeError, ValueError) as error:
            text = f"{one.label}: it cannot be converted and is left out: {error}"
            on_problem(Diagnostic(Severity.WARNING, "convert", Where(), text, subject=one.name))
    return values.replaced(entries)


def _converted(entry: Entry, catalog: Catalog) -> Entry:
    if locate(catalog.index, entry.name) is None:
        raise NotFoundError(entry.name, kind="parameter")
    bound = parameter_of(catalog.bind(entry.name), entry.name)
    numbers = np.asarray(entry.values)
    if isinstance(bound, AxisPoints):
        if bound.is_rescale:
            raise UsageError(f"{entry.name}: it is a rescale axis.", hint="Extract it anew.")
        return replace(entry, values=even(bound.to_phys(numbers)), unit=bound.unit, is_raw=False)
    points = tuple(
        np.zeros(0) if axis.values is None else axis.values
        for axis, _ in zip(entry.axes, bound.axes, strict=True)
    )
    found = RawCharacteristic(numbers, points)
    if bound.type == "ASCII":
        found = replace(found, values=numbers.astype(bound.datatype.dtype()))
    values, axes = physical(bound, found, raw=False)
    kept = tuple(
        replace(made, values=None) if axis.values is None else made
        for axis, made in zip(entry.axes, axes, strict=True)
    )
    return replace(entry, values=values, axes=kept, unit=bound.unit, is_raw=False)


def from_values(
    values: Mapping[str, Any],
    catalog: Catalog | None = None,
    *,
    on_problem: OnProblem,
    name: str = "",
    origin: Origin | None = None,
) -> ParameterSet:
    """A set of physical values by name, as a recording has them at some time.

    Args:
        values: name → number, text, bytes, array or table.
        catalog: tells kinds, units and axes of references; without it they follow from the values.
        on_problem: is told of values that no parameter has, and which are left out.
        name: of the set.
        origin: where the values come from.
    """
    entries: list[Entry] = []
    for one, value in values.items():
        try:
            entries.append(_valued(one, value, catalog))
        except UsageError as error:
            text = f"{one}: left out: {error}"
            on_problem(Diagnostic(Severity.WARNING, error.slug, Where(), text, subject=one))
    return ParameterSet(entries, name=name, origin=origin or Origin(tool=TOOL))


_BY_AXES: Final = (
    EntryKind.VAL_BLK,
    EntryKind.CURVE,
    EntryKind.MAP,
    EntryKind.CUBOID,
    EntryKind.CUBE_4,
    EntryKind.CUBE_5,
)


def _valued(name: str, value: Any, catalog: Catalog | None) -> Entry:
    if isinstance(value, bytes):
        return Entry(name, EntryKind.BLOB, value)
    table = value if isinstance(value, Table) else None
    given = plain(value) if table is None else table.values
    if not isinstance(given, int | float | str):
        given = even(given)
        given = plain(given[()]) if given.ndim == 0 else given
    if catalog is not None:
        if locate(catalog.index, name) is None:
            raise NotFoundError(name, kind="parameter")
        bound = parameter_of(catalog.bind(name), name)
        axes = _table_axes(table, bound)
        kind = EntryKind(bound.type)
        return Entry(name, kind, given, axes, bound.unit, bound.description)
    if table is not None:
        axes = tuple(
            SetAxis(AxisKind.STD, even(one.points), "", one.unit, one.name) for one in table.axes
        )
        return Entry(name, _BY_AXES[len(axes)], given, axes, table.unit)
    return Entry(
        name, EntryKind.VAL_BLK if isinstance(given, np.ndarray) else EntryKind.VALUE, given
    )


def _table_axes(
    table: Table | None, bound: BoundCharacteristic | AxisPoints
) -> tuple[SetAxis, ...]:
    if isinstance(bound, AxisPoints):
        return ()
    known = table.axes if table is not None else ()
    made = []
    for n, axis in enumerate(bound.axes):
        points = known[n].points if n < len(known) else np.zeros(0)
        one = axis_of(axis, points, raw=False)
        made.append(one if n < len(known) else replace(one, values=None))
    return tuple(made)
