"""Parameter sets out of memory: of an ECU, a page or an image; and out of values by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.entries import AxisKind, Entry, EntryKind, Origin, SetAxis
from xcaliper.calib.memory_blocks import REFUSALS, MemoryBlocks
from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.scalars import ScalarGroups
from xcaliper.calib.select import functions_of, known_functions
from xcaliper.calib.values import Table, plain
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob
from xcaliper.quantity.characteristic import BoundCharacteristic, RawCharacteristic
from xcaliper.quantity.instance import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Variant
    from xcaliper.calib.parameters import Read
    from xcaliper.quantity.axis import BoundAxis
    from xcaliper.quantity.catalog import Catalog

    OnProblem = Callable[[Diagnostic], None]
    Parameter = BoundCharacteristic | AxisPoints | BoundBlob

__all__ = ["entry_of", "extract", "from_values", "parameter_names", "places_of", "to_physical"]

TOOL: Final = "XCaliper"


def parameter_names(catalog: Catalog) -> tuple[str, ...]:
    """Every name that a set can hold: parameters, axes and runs of raw bytes."""
    return catalog.characteristics + catalog.axis_pts + catalog.blobs


def extract(  # noqa: PLR0913  # options by name
    catalog: Catalog,
    read: Read,
    names: Iterable[str] | None = None,
    *,
    on_problem: OnProblem,
    variants: Mapping[str, str] | None = None,
    raw: bool = False,
    name: str = "",
    origin: Origin | None = None,
) -> ParameterSet:
    """A set of what memory holds.

    Variant-coded parameters give one entry per variant. Parameters that lie near each other are read together.

    Args:
        catalog: names and descriptions.
        read: gives bytes of memory for an address and a size.
        names: what to take; None for everything. A place of a variant-coded parameter can be named, as ``A.0``.
        on_problem: is told of everything that is left out, and of what is odd about memory.
        variants: criterion → value: of variant-coded parameters only what is in effect then; None for all.
        raw: ECU values instead of physical ones.
        name: of the set.
        origin: where the values come from; of the description and its EPK when None.

    Raises:
        LinkError: the link failed; a silent slave raises as well.
    """
    given = parameter_names(catalog) if names is None else dict.fromkeys(names)
    work = _Work(catalog, on_problem, variants, raw=raw)
    for one in given:
        work.plan(one)
    entries = work.carry_out(read)
    mod_par = catalog.index.module.mod_par
    made = origin or Origin(
        a2l=catalog.file.source, epk=(mod_par.epk or "") if mod_par else "", tool=TOOL
    )
    criteria = [(c.name, c.values) for c in catalog.variants.criteria.values()]
    functions = known_functions(catalog)
    return ParameterSet(entries, name=name, origin=made, functions=functions, criteria=criteria)


def places_of(
    catalog: Catalog, name: str, variants: Mapping[str, str] | None = None
) -> list[tuple[Variant, BoundCharacteristic | AxisPoints]]:
    """A parameter at every place it has: one, or one per variant.

    Args:
        catalog: names and descriptions.
        name: its name, or that of one of its places.
        variants: criterion → value, to get the place in effect then; None for all places.

    Raises:
        NotFoundError: no such name.
        UsageError: its description cannot be used, or the values do not tell the variant.
    """
    coding = catalog.variants
    place = coding.find(name) if coding.criteria else None
    if place is not None:
        return [(tuple(place.values.items()), _parameter(coding.bind(place), name))]
    if not coding.criteria or not coding.criteria_of(name):
        return [((), _parameter(catalog.bind(name), name))]
    if not coding.has_addresses(name):  # only its axes are coded
        bound = catalog.bind(name) if variants is None else coding.placed(name, variants)
        return [((), _parameter(bound, name))]
    if variants is not None:
        chosen = coding.select(name, variants)
        bound = coding.with_axes(coding.bind(chosen), variants)
        return [(tuple(chosen.values.items()), replace(bound, name=name))]
    return [
        (tuple(one.values.items()), replace(coding.bind(one), name=name)) for one in coding.of(name)
    ]


def _parameter(bound: Any, name: str) -> BoundCharacteristic | AxisPoints:
    if isinstance(bound, BoundCharacteristic | AxisPoints):
        return bound
    raise UsageError(f"{name}: it is a measurement.", hint="Name a parameter.")


@dataclass(frozen=True, slots=True)
class _Place:
    """One place that is read singly."""

    order: tuple[int, int]
    name: str
    variant: Variant
    bound: Parameter


class _Work:
    """Names sorted by how they are read: single values in bulk, everything else one by one."""

    def __init__(
        self,
        catalog: Catalog,
        on_problem: OnProblem,
        variants: Mapping[str, str] | None,
        *,
        raw: bool,
    ) -> None:
        self._catalog = catalog
        self._tell = on_problem
        self._variants = variants
        self._raw = raw
        self._functions = functions_of(catalog)
        self._scalars = ScalarGroups(catalog)
        self._places: list[_Place] = []
        self._count = 0

    def plan(self, name: str) -> None:
        """Take a name in."""
        self._count += 1
        made = self._catalog.index.object(name)
        if made is not None and self._scalars.add(self._count, name, made):
            return
        try:
            if (
                made is not None
                and (node := self._catalog.dependencies.find(name))
                and not node.has_memory
            ):
                text = f"{name}: it is virtual and has no memory; it is left out."
                self._problem(name, "virtual", text, severity=Severity.INFO)
                return
            for n, (variant, bound) in enumerate(self._bound(name, made)):
                plain_name = name.rpartition(self._catalog.variants.separator)[0]
                own = plain_name if made is None and variant else name
                self._places.append(_Place((self._count, n), own, variant, bound))
        except UsageError as error:
            self._problem(name, error.slug, str(error))

    def _bound(self, name: str, made: Any) -> list[tuple[Variant, Parameter]]:
        located = None if made is not None else locate(self._catalog.index, name)
        kind = made.KEYWORD if made is not None else located.kind.upper() if located else ""
        if kind == "BLOB":
            return [((), self._catalog.blob(name))]
        known = located is not None or kind or self._catalog.variants.find(name) is not None
        if not known:  # without the search for names alike, which takes long in large descriptions
            raise NotFoundError(name, kind="parameter")
        return [*places_of(self._catalog, name, self._variants)]

    def _problem(
        self, name: str, slug: str, text: str, severity: Severity = Severity.WARNING
    ) -> None:
        self._tell(Diagnostic(severity, slug, Where(), text, subject=name))

    def carry_out(self, read: Read) -> list[Entry]:
        """Read everything; entries in the order of the names."""
        ranges = [*self._scalars.ranges()]
        for one in self._places:
            ranges.extend(one.bound.memory_ranges())
        blocks = MemoryBlocks(read, ranges, self._catalog.ag)
        found: dict[tuple[int, int], Entry] = {}
        for order, entry in self._scalars.entries(
            blocks, self._functions, self._problem, raw=self._raw
        ):
            found[order, 0] = entry
        for place in self._places:
            try:
                found[place.order] = self._entry(place, blocks)
            except REFUSALS as error:
                self._problem(place.name, "unreadable", f"{place.name}: left out: {error}")
        return [found[order] for order in sorted(found)]

    def _entry(self, place: _Place, read: Read) -> Entry:
        bound = place.bound
        if not isinstance(bound, BoundBlob) and _counts(bound):
            for doubt in bound.doubts(read):
                self._problem(place.name, "count", f"{doubt}.")
        made = self._catalog.index.object(place.name)
        entry = entry_of(bound, read, raw=self._raw)
        axes = entry.axes
        if axes and isinstance(bound, BoundCharacteristic) and self._catalog.variants.criteria:
            axes = tuple(map(self._whole_name, axes))
            if not place.variant and self._variants is None:
                axes = tuple(self._open_axes(bound, axes))
        return replace(
            entry,
            axes=axes,
            name=place.name,
            variant=place.variant,
            display_name=getattr(made, "display_identifier", None) or "",
            functions=self._functions(place.name),
        )

    def _whole_name(self, axis: SetAxis) -> SetAxis:
        """The axis under the name of the parameter, not that of its place in a variant."""
        variant = self._catalog.variants.find(axis.ref) if axis.ref else None
        return axis if variant is None else replace(axis, ref=variant.parameter)

    def _open_axes(
        self, bound: BoundCharacteristic, axes: tuple[SetAxis, ...]
    ) -> Iterator[SetAxis]:
        """Axes as they are; of one that exists once per variant only its name counts."""
        coding = self._catalog.variants
        for axis, made in zip(bound.axes, axes, strict=True):
            part = axis.shared or axis.curve
            coded = part is not None and coding.has_addresses(part.name)
            yield replace(made, values=None) if coded else made


def _counts(bound: BoundCharacteristic | AxisPoints) -> bool:
    """True where memory tells how many points there are."""
    layouts = [bound.layout]
    if isinstance(bound, BoundCharacteristic):
        layouts += [axis.shared.layout for axis in bound.axes if axis.shared is not None]
        layouts += [axis.curve.layout for axis in bound.axes if axis.curve is not None]
        layouts += [one.layout for one in bound.maps]
    return any(one.is_counted for one in layouts)


def entry_of(bound: Parameter, read: Read, *, raw: bool = False) -> Entry:
    """What memory holds of one parameter.

    Points of a rescale axis are its pairs, array[n, 2] of axis point and virtual point.

    Args:
        bound: the parameter.
        read: gives bytes of memory for an address and a size.
        raw: ECU values instead of physical ones.

    Raises:
        UsageError: memory or a pointer cannot be read.
    """
    kind = EntryKind(bound.type)
    text = bound.description
    if isinstance(bound, BoundBlob):
        return Entry(bound.name, kind, bound.decode(read), long_name=text, is_raw=raw)
    bound = bound.resolve(read)
    unit = "" if raw else bound.unit
    if isinstance(bound, AxisPoints):
        points, category = _points(bound, read, raw=raw)
        return Entry(
            bound.name,
            kind,
            points,
            unit=unit,
            long_name=text,
            category=category,
            is_raw=raw,
        )
    found = bound.decode(read)
    values, axes = _physical(bound, found, raw=raw)
    category = "DEPENDENT_VALUE" if bound.dependent and kind is EntryKind.VALUE else ""
    return Entry(
        bound.name,
        kind,
        values,
        axes=axes,
        unit=unit,
        long_name=text,
        category=category,
        is_raw=raw,
    )


def _points(bound: AxisPoints, read: Read, *, raw: bool) -> tuple[NDArray[Any], str]:
    if not bound.is_rescale:
        points = bound.decode(read)
        return _even(points if raw else bound.to_phys(points)), ""
    pairs = bound.pairs(read)
    if raw:
        return _even(pairs), "RES_AXIS"
    return np.stack([bound.conversion.to_numbers(pairs[:, 0]), pairs[:, 1]], axis=1), "RES_AXIS"


def _physical(
    bound: BoundCharacteristic, found: RawCharacteristic, *, raw: bool
) -> tuple[Any, tuple[SetAxis, ...]]:
    """Values and axes as an entry has them."""
    if raw:
        values: Any = found.values
        points = found.axes
    else:
        phys = bound.to_phys(found)
        values, points = phys.values, phys.axes
    axes = tuple(_axis(axis, p, raw=raw) for axis, p in zip(bound.axes, points, strict=True))
    if isinstance(values, str):
        return values, axes
    single = bound.type == "VALUE" and values.ndim == 0
    return plain(values[()]) if single else _even(values), axes


def _axis(axis: BoundAxis, points: NDArray[Any], *, raw: bool) -> SetAxis:
    part = axis.shared or axis.curve
    return SetAxis(
        AxisKind(axis.attribute),
        _even(points),
        part.name if part is not None else "",
        "" if raw else axis.unit,
        axis.input_quantity,
    )


def _even(values: Any) -> NDArray[Any]:
    """Values as entries hold them: float64, whole numbers of 64 bit, or texts as objects."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    if array.dtype.kind in "iub":
        return array if array.dtype == np.uint64 else array.astype(np.int64)
    return array.astype(object)


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
    bound = _parameter(catalog.bind(entry.name), entry.name)
    numbers = np.asarray(entry.values)
    if isinstance(bound, AxisPoints):
        if bound.is_rescale:
            raise UsageError(f"{entry.name}: it is a rescale axis.", hint="Extract it anew.")
        return replace(entry, values=_even(bound.to_phys(numbers)), unit=bound.unit, is_raw=False)
    points = tuple(
        np.zeros(0) if axis.values is None else axis.values
        for axis, _ in zip(entry.axes, bound.axes, strict=True)
    )
    found = RawCharacteristic(numbers, points)
    if bound.type == "ASCII":
        found = replace(found, values=numbers.astype(bound.datatype.dtype()))
    values, axes = _physical(bound, found, raw=False)
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
        given = _even(given)
        given = plain(given[()]) if given.ndim == 0 else given
    if catalog is not None:
        if locate(catalog.index, name) is None:
            raise NotFoundError(name, kind="parameter")
        bound = _parameter(catalog.bind(name), name)
        axes = _table_axes(table, bound)
        kind = EntryKind(bound.type)
        return Entry(name, kind, given, axes, bound.unit, bound.description)
    if table is not None:
        axes = tuple(
            SetAxis(AxisKind.STD, _even(one.points), "", one.unit, one.name) for one in table.axes
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
        one = _axis(axis, points, raw=False)
        made.append(one if n < len(known) else replace(one, values=None))
    return tuple(made)
