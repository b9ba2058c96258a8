"""Axes of parameters that are read in bulk: what they share is read and converted once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xcaliper.calib.entries import AxisKind, SetAxis
from xcaliper.calib.entry_values import even
from xcaliper.core.errors import UsageError
from xcaliper.quantity.axis import AxisPoints, described_points
from xcaliper.quantity.instance import locate
from xcaliper.quantity.sizes import AXES_OF, fixed_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xcaliper.calib.memory_blocks import MemoryBlocks, Run
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.compu import Conversion

__all__ = ["GroupAxes", "MemberAxis"]


@dataclass(slots=True, eq=False)
class _Shared:
    """An axis object, or points of the description, with what was made of them."""

    bound: AxisPoints | None
    raw: NDArray[Any] | None = None
    phys: dict[int, NDArray[Any]] = field(default_factory=dict)
    doubts: tuple[str, ...] | None = None


class MemberAxis(NamedTuple):
    """One axis of one parameter.

    Attributes:
        kind: where its points are.
        rule: their conversion.
        quantity: input quantity, or empty.
        shared: the axis object of a common or rescale axis; None otherwise.
        fixed: points of the description; None otherwise.
    """

    kind: AxisKind
    rule: Conversion
    quantity: str
    shared: _Shared | None = None
    fixed: _Shared | None = None


Axes = tuple[tuple[Any, ...], tuple[MemberAxis, ...]]
"""What a record depends on, and the axes themselves."""


class GroupAxes:
    """Axes of all parameters that are read in bulk.

    Args:
        catalog: names and descriptions.
        rule: gives the conversion of a name and a unit; None where it cannot be used.
        coded: names of parameters that exist once per variant.
    """

    def __init__(
        self,
        catalog: Catalog,
        rule: Callable[[str, str | None], Conversion | None],
        coded: frozenset[str],
    ) -> None:
        self._catalog = catalog
        self._rule = rule
        self._coded = coded
        self._shared: dict[str, _Shared | None] = {}
        self._fixed: dict[tuple[float, ...], _Shared] = {}

    def of(self, made: Any, scope: str = "") -> Axes | None:
        """Axes of a parameter; None where one of them has to be looked at singly.

        Args:
            made: its description.
            scope: name of the structure it is in, with its dot, for THIS; may be empty.
        """
        need = AXES_OF.get(made.type, 0)
        if not need:
            return (), ()
        if len(made.axis_descr) < need:
            return None
        keys, axes = [], []
        for descr in made.axis_descr[:need]:
            found = self._axis(descr, scope)
            if found is None:
                return None
            keys.append(found[0])
            axes.append(found[1])
        return tuple(keys), tuple(axes)

    def _axis(self, descr: Any, scope: str) -> tuple[Any, MemberAxis] | None:
        rule = self._rule(descr.conversion, descr.phys_unit)
        if rule is None:
            return None
        quantity = "" if descr.input_quantity == "NO_INPUT_QUANTITY" else descr.input_quantity
        word = descr.attribute
        if word == "STD_AXIS":
            key: Any = (word, descr.max_axis_points, descr.byte_order, descr.deposit)
            return key, MemberAxis(AxisKind.STD, rule, quantity)
        if word == "FIX_AXIS":
            points = fixed_points(descr)
            if points is None:
                return None
            fixed = self._fixed.get(points)
            if fixed is None:
                fixed = self._fixed[points] = _Shared(None, described_points(points))
            return (word, len(points)), MemberAxis(AxisKind.FIX, rule, quantity, fixed=fixed)
        if word not in ("COM_AXIS", "RES_AXIS"):
            return None
        shared = self._common(descr.axis_pts_ref or "", scope)
        if shared is None or shared.bound is None:
            return None
        key = (word, shared.bound.layout.name, shared.bound.max_points)
        return key, MemberAxis(AxisKind(word), rule, quantity, shared)

    def _common(self, ref: str, scope: str) -> _Shared | None:
        """The axis object that is referred to; None where it depends on more than its name."""
        name = scope + ref.removeprefix("THIS.") if ref.startswith("THIS.") else ref
        if name not in self._shared:
            try:
                located = locate(self._catalog.index, name, ag=self._catalog.ag)
                usable = located is not None and located.kind == "axis_pts"
                bound: Any = (
                    self._catalog.bind(name) if usable and name not in self._coded else None
                )
            except UsageError:
                bound = None
            self._shared[name] = None if bound is None else _Shared(bound)
        return self._shared[name]

    def runs(self) -> Iterator[Run]:
        """Where axis objects are at their largest."""
        ag = self._catalog.ag
        for one in self._shared.values():
            for part in one.bound.memory_ranges() if one is not None and one.bound else ():
                start = np.asarray([part.start.value * ag], dtype=np.int64)
                yield part.start.extension, start, np.asarray([part.size_bytes], dtype=np.int64)

    def raw(self, axis: MemberAxis, blocks: MemoryBlocks) -> NDArray[Any]:
        """Raw points of an axis that is shared or fixed.

        Raises:
            UsageError: memory or a pointer cannot be read.
        """
        one = axis.shared or axis.fixed
        assert one is not None, "asked for axes outside of the record only"
        if one.raw is None:
            assert one.bound is not None, "points of the description are there from the start"
            one.raw = one.bound.decode(blocks)
        return one.raw

    def points(self, axis: MemberAxis, blocks: MemoryBlocks, *, raw: bool) -> NDArray[Any]:
        """Points of an axis that is shared or fixed, as entries have them.

        Args:
            axis: the axis.
            blocks: memory.
            raw: ECU values instead of physical ones.
        """
        one = axis.shared or axis.fixed
        assert one is not None, "asked for axes outside of the record only"
        key = 0 if raw else id(axis.rule)
        found = one.phys.get(key)
        if found is None:
            held = self.raw(axis, blocks)
            found = one.phys[key] = even(held if raw else axis.rule.to_phys(held))
            found.flags.writeable = False  # several tables have it
        return found

    def doubts(self, axis: MemberAxis, blocks: MemoryBlocks) -> tuple[str, ...]:
        """Counts of an axis object that cannot be right."""
        one = axis.shared
        if one is None or one.bound is None or not one.bound.layout.is_counted:
            return ()
        if one.doubts is None:
            one.doubts = one.bound.doubts(blocks)
        return one.doubts

    def made(self, axis: MemberAxis, points: NDArray[Any], *, raw: bool) -> SetAxis:
        """The axis as an entry has it.

        Args:
            axis: the axis.
            points: its points.
            raw: they are ECU values.
        """
        shared = axis.shared
        ref = shared.bound.name if shared is not None and shared.bound is not None else ""
        return SetAxis(axis.kind, points, ref, "" if raw else axis.rule.unit, axis.quantity)
