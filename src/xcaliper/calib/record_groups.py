"""Parameters sorted by what their records look like, to be read in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.group_axes import GroupAxes
from xcaliper.calib.group_decoding import COUNTS, Group, GroupDecoding, Member
from xcaliper.core.errors import UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.compu import Conversion, compile_conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.calib.entries import Entry
    from xcaliper.calib.memory_blocks import MemoryBlocks, Run
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.instance import Located
    from xcaliper.quantity.record_layout import RecordShape

__all__ = ["RecordGroups"]

_TYPES: Final = frozenset(("VALUE", "VAL_BLK", "CURVE", "MAP", "CUBOID", "CUBE_4", "CUBE_5"))
_ARRAYS: Final = ("fnc_values", "axis_pts", "axis_rescale")
_TOP: Final = 1 << 48
_NOTHING: Final = (None, None, None, None)


class RecordGroups:
    """Parameters sorted by what their records look like.

    Texts, bytes, bit fields, what is behind pointers or made of parts, and what exists once per variant
    are none of them.

    Args:
        catalog: names and descriptions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._groups: dict[tuple[Any, ...], Group | None] = {}
        self._rules: dict[tuple[str, str | None], Conversion | None] = {}
        coding = catalog.variants
        self._coded = frozenset(coding.names if coding.criteria else ())
        self._axes = GroupAxes(catalog, self._rule, self._coded)

    def add(self, order: int, name: str, made: Any) -> bool:
        """Take a parameter in; False for one that has to be read singly.

        Args:
            order: its place among what was asked for.
            name: its name.
            made: its description.
        """
        own = _kind_key(made)
        if own is None or name in self._coded:
            return False
        member = (order, name, made, made.address)
        return self._add(member, made.ecu_address_extension or 0, own)

    def add_part(self, order: int, located: Located) -> bool:
        """Take a part of an instance in; False for one that has to be read singly.

        Args:
            order: its place among what was asked for.
            located: its typedef and where its memory is.
        """
        own = _kind_key(located.made)
        if own is None or located.hops or located.address is None:
            return False
        if located.name in self._coded:
            return False
        member = (order, located.name, located.made, located.address)
        key = (*own, located.dims, located.column_dir)
        return self._add(member, located.extension, key, located.scope)

    def _add(
        self,
        member: tuple[int, str, Any, int],
        extension: int,
        own: tuple[Any, ...],
        scope: str = "",
    ) -> bool:
        _, name, made, address = member
        axes = self._axes.of(made, scope) if hasattr(made, "axis_descr") else ((), ())
        rule = self._rule(made.conversion, made.phys_unit)
        if rule is None or axes is None or not 0 <= address < _TOP:
            return False
        key = (*own, made.byte_order, extension, *axes[0])
        if key not in self._groups:
            self._groups[key] = self._pattern(name, extension)
        group = self._groups[key]
        if group is None:
            return False
        group.members.append(Member(*member, rule, axes[1]))
        return True

    def _rule(self, name: str, unit: str | None) -> Conversion | None:
        """The conversion of a name; None where it cannot be used, or limits decide between two solutions."""
        key = (name, unit)
        if key not in self._rules:
            version = self._catalog.formula_version
            try:
                made = compile_conversion(
                    name, self._catalog.index, phys_unit=unit, version=version
                )
            except UsageError:
                self._rules[key] = None
            else:
                self._rules[key] = None if made.kind == "rational" else made
        return self._rules[key]

    def _pattern(self, name: str, extension: int) -> Group | None:
        """A group after the pattern of one parameter; None where each has to be looked at."""
        try:
            bound = self._catalog.bind(name)
        except UsageError:
            return None
        assert isinstance(bound, BoundCharacteristic | AxisPoints), "asked for parameters only"
        if bound.pointers is not None or not _is_plain(bound.layout):
            return None
        if isinstance(bound, AxisPoints):
            stored = bound.layout.find("axis_pts", 0) is not None
        else:
            values = bound.layout.find("fnc_values")
            assert values is not None, "checked when bound"
            stored = values.mode != "ALTERNATE_CURVES" and all(
                axis.shared is not None
                or axis.fixed is not None
                or bound.layout.find("axis_pts", n) is not None
                for n, axis in enumerate(bound.axes)
            )
        return Group(bound, extension) if stored else None

    def _filled(self) -> Iterator[Group]:
        for group in self._groups.values():
            if group is not None and group.members:
                yield group

    def runs(self) -> Iterator[Run]:
        """Where their records are at their largest, with the axes that they share."""
        for group in self._filled():
            starts = group.starts(self._catalog.ag)
            period = group.layout.period()
            sizes = np.zeros(len(starts), dtype=np.int64)
            rests = starts % period
            for rest in np.unique(rests).tolist():
                sizes[rests == rest] = group.place(rest).size_bytes
            yield group.extension, starts, sizes
        yield from self._axes.runs()

    def entries(
        self,
        blocks: MemoryBlocks,
        functions: Callable[[str], tuple[str, ...]],
        problem: Callable[[str, str, str], None],
        *,
        raw: bool,
    ) -> Iterator[tuple[Member, Entry | None]]:
        """Each with its entry; None for one whose memory could not be read with that of the others.

        Args:
            blocks: memory.
            functions: gives the functions of a name.
            problem: is told name, slug and text of what is odd about memory.
            raw: ECU values instead of physical ones.
        """
        work = GroupDecoding(blocks, self._axes, functions, problem, raw=raw)
        for group in self._filled():
            yield from work.entries(group, group.starts(self._catalog.ag))


def _kind_key(made: Any) -> tuple[Any, ...] | None:
    """What the record of a parameter depends on, axes aside; None for one that is read singly."""
    word = made.KEYWORD
    if word in ("AXIS_PTS", "TYPEDEF_AXIS"):
        return ("AXIS_PTS", made.deposit_record, made.max_axis_points, made.deposit)
    if word == "CHARACTERISTIC":
        odd = (
            made.bit_operation,
            made.virtual_characteristic,
            made.dependent_characteristic,
            made.map_list,
        )
        if odd != _NOTHING:
            return None
        pointer = getattr(made, "address_type", None)
    elif word == "TYPEDEF_CHARACTERISTIC":
        pointer = None  # those of its instance are known with its place
    else:
        return None
    if made.type not in _TYPES or made.bit_mask is not None:
        return None
    return (made.type, made.deposit, made.matrix_dim, made.number, pointer)


def _is_plain(layout: RecordShape) -> bool:
    """True where everything is in the record, and counts stand where they always stand."""
    if any(one.pointer is not None for one in layout.elements):
        return False
    if layout.static or not layout.is_counted:
        return True
    kinds = [one.kind for one in layout.elements]
    last = max(n for n, kind in enumerate(kinds) if kind in COUNTS)
    return not any(kind in _ARRAYS for kind in kinds[:last])
