"""Parameter sets out of memory: of an ECU, a page or an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.entries import Origin
from xcaliper.calib.entry_values import entry_of
from xcaliper.calib.memory_blocks import REFUSALS, MemoryBlocks
from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.record_groups import RecordGroups
from xcaliper.calib.select import functions_of, known_functions
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.instance import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from xcaliper.calib.entries import Entry, SetAxis, Variant
    from xcaliper.calib.parameters import Read
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.instance import Located

    OnProblem = Callable[[Diagnostic], None]
    Parameter = BoundCharacteristic | AxisPoints | BoundBlob

__all__ = ["TOOL", "extract", "parameter_names", "parameter_of", "places_of"]

TOOL: Final = "XCaliper"
"""How sets that were made here call the program that made them."""


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
        return [(tuple(place.values.items()), parameter_of(coding.bind(place), name))]
    if not coding.criteria or not coding.criteria_of(name):
        return [((), parameter_of(catalog.bind(name), name))]
    if not coding.has_addresses(name):  # only its axes are coded
        bound = catalog.bind(name) if variants is None else coding.placed(name, variants)
        return [((), parameter_of(bound, name))]
    if variants is not None:
        chosen = coding.select(name, variants)
        bound = coding.with_axes(coding.bind(chosen), variants)
        return [(tuple(chosen.values.items()), replace(bound, name=name))]
    return [
        (tuple(one.values.items()), replace(coding.bind(one), name=name)) for one in coding.of(name)
    ]


def parameter_of(bound: Any, name: str) -> BoundCharacteristic | AxisPoints:
    """What a name is bound to, where it is a parameter.

    Args:
        bound: what the name is bound to.
        name: the name.

    Raises:
        UsageError: it is a measurement.
    """
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
        self._groups = RecordGroups(catalog)
        self._places: list[_Place] = []
        self._count = 0

    def plan(self, name: str) -> None:
        """Take a name in."""
        self._count += 1
        made = self._catalog.index.object(name)
        if made is None:
            try:
                located = self._located(name)
            except UsageError as error:
                self._problem(name, error.slug, str(error))
                return
            if located is not None and self._groups.add_part(self._count, located):
                return
        elif self._groups.add(self._count, name, made):
            return
        self._plan_singly(self._count, name)

    def _plan_singly(self, order: int, name: str) -> None:
        made = self._catalog.index.object(name)
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
                self._places.append(_Place((order, n), own, variant, bound))
        except UsageError as error:
            self._problem(name, error.slug, str(error))

    def _bound(self, name: str, made: Any) -> list[tuple[Variant, Parameter]]:
        located = None if made is not None else self._located(name)
        kind = made.KEYWORD.lower() if made is not None else located.kind if located else ""
        if kind == "blob":
            return [((), self._catalog.blob(name))]
        if not kind and self._catalog.variants.find(name) is None:
            # without the search for names alike, which takes long in large descriptions
            raise NotFoundError(name, kind="parameter")
        return [*places_of(self._catalog, name, self._variants)]

    def _located(self, name: str) -> Located | None:
        return locate(self._catalog.index, name, ag=self._catalog.ag)

    def _problem(
        self, name: str, slug: str, text: str, severity: Severity = Severity.WARNING
    ) -> None:
        self._tell(Diagnostic(severity, slug, Where(), text, subject=name))

    def carry_out(self, read: Read) -> list[Entry]:
        """Read everything; entries in the order of the names."""
        ranges = [part for one in self._places for part in one.bound.memory_ranges()]
        blocks = MemoryBlocks(read, ranges, self._catalog.ag, runs=self._groups.runs())
        found: dict[tuple[int, int], Entry] = {}
        for one, entry in self._groups.entries(
            blocks, self._functions, self._problem, raw=self._raw
        ):
            if entry is None:
                self._plan_singly(one.order, one.name)
            else:
                found[one.order, 0] = entry
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
