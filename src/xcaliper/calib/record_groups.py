"""Parameters in bulk: those whose records are alike are decoded and converted as one array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from xcaliper.calib.entries import Entry, EntryKind
from xcaliper.calib.entry_values import even
from xcaliper.calib.group_axes import GroupAxes, MemberAxis
from xcaliper.calib.memory_blocks import REFUSALS
from xcaliper.core.errors import UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.compu import Conversion, compile_conversion
from xcaliper.quantity.row_values import phys_rows, point_rows, value_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from xcaliper.calib.memory_blocks import MemoryBlocks, Run
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.instance import Located
    from xcaliper.quantity.record_layout import Record, RecordShape

    Given = tuple[tuple[int, int], ...]  # axis and number of points that something else tells

__all__ = ["Member", "RecordGroups"]

_TYPES: Final = frozenset(("VALUE", "VAL_BLK", "CURVE", "MAP", "CUBOID", "CUBE_4", "CUBE_5"))
_COUNTS: Final = ("no_axis_pts", "no_rescale")
_ARRAYS: Final = ("fnc_values", "axis_pts", "axis_rescale")
_TOP: Final = 1 << 48
_NOTHING: Final = (None, None, None, None)


class Member(NamedTuple):
    """A parameter of a group.

    Attributes:
        order: place among what was asked for.
        name: its name.
        made: its description, perhaps a typedef.
        address: where its record is.
        rule: conversion of its values.
        axes: its axes, X first.
    """

    order: int
    name: str
    made: Any
    address: int
    rule: Conversion
    axes: tuple[MemberAxis, ...] = ()


@dataclass(slots=True)
class _Group:
    """Parameters that differ only in place, conversion and the names of their axes.

    Attributes:
        bound: one of them.
        extension: their address extension.
        members: all of them.
    """

    bound: BoundCharacteristic | AxisPoints
    extension: int
    members: list[Member] = field(default_factory=list)

    @property
    def layout(self) -> RecordShape:
        """Layout of their records."""
        return self.bound.layout

    def starts(self, ag: int) -> NDArray[np.int64]:
        """First byte of each record, counted in bytes."""
        return np.asarray([one.address for one in self.members], dtype=np.int64) * ag

    def place(self, start: int, given: Given = (), data: bytes | None = None) -> Record:
        """The layout applied to the record of a member."""
        bound = self.bound
        if isinstance(bound, AxisPoints):
            maximum: tuple[int, ...] = (bound.max_points,)
            values = None
        else:
            maximum = tuple(axis.max_points for axis in bound.axes)
            values = None if bound.axes else int(np.prod(bound.shape))
        return self.layout.place(
            start, maximum, given=dict(given), data=data, order=bound.byte_order, values=values
        )


class RecordGroups:
    """Parameters sorted by what their records look like.

    Texts, bytes, bit fields, what is behind pointers or made of parts, and what exists once per variant
    are none of them.

    Args:
        catalog: names and descriptions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._groups: dict[tuple[Any, ...], _Group | None] = {}
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
        odd = located.hops or located.address is None or located.name in self._coded
        if own is None or odd:
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

    def _pattern(self, name: str, extension: int) -> _Group | None:
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
        return _Group(bound, extension) if stored else None

    def _filled(self) -> Iterator[_Group]:
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
        work = _Decoding(blocks, self._axes, functions, problem, raw=raw)
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
    last = max(n for n, kind in enumerate(kinds) if kind in _COUNTS)
    return not any(kind in _ARRAYS for kind in kinds[:last])


class _Decoding:
    """Groups to entries."""

    def __init__(
        self,
        blocks: MemoryBlocks,
        axes: GroupAxes,
        functions: Callable[[str], tuple[str, ...]],
        problem: Callable[[str, str, str], None],
        *,
        raw: bool,
    ) -> None:
        self._blocks = blocks
        self._axes = axes
        self._functions = functions
        self._problem = problem
        self._raw = raw

    def entries(
        self, group: _Group, starts: NDArray[np.int64]
    ) -> Iterator[tuple[Member, Entry | None]]:
        """Each member with its entry."""
        period = group.layout.period()
        alike: dict[tuple[int, Given], list[int]] = {}
        for n, (one, rest) in enumerate(
            zip(group.members, (starts % period).tolist(), strict=True)
        ):
            try:
                given = self._given(group, one)
            except REFUSALS:
                yield one, None
                continue
            alike.setdefault((rest, given), []).append(n)
        for (rest, given), numbers in alike.items():
            members = [group.members[n] for n in numbers]
            counted = group.layout.is_counted
            first = group.place(rest, given)
            data, good = self._blocks.gather(group.extension, starts[numbers], first.size_bytes)
            if not good.all():
                yield from ((m, None) for m, there in zip(members, good, strict=True) if not there)
                members = [m for m, there in zip(members, good.tolist(), strict=True) if there]
                data = data[good]
            if not counted:
                yield from self._decoded(group, members, first, data)
                continue
            for record, some in _by_counts(group, rest, given, data):
                yield from self._decoded(group, [members[n] for n in some], record, data[some])

    def _given(self, group: _Group, member: Member) -> Given:
        """Numbers of points that are not in the record."""
        return tuple(
            (n, len(self._axes.raw(axis, self._blocks)))
            for n, axis in enumerate(member.axes)
            if axis.shared is not None or (axis.fixed is not None and not _counted(group.layout, n))
        )

    def _decoded(
        self, group: _Group, members: list[Member], record: Record, data: NDArray[np.uint8]
    ) -> Iterator[tuple[Member, Entry]]:
        if not members:
            return
        bound = group.bound
        if isinstance(bound, AxisPoints):
            placed = record.find("axis_pts", 0)
            assert placed is not None, "asked for when the group was made"
            found = point_rows(placed, data, bound.byte_order, difference=bound.difference)
            parts: list[Sequence[NDArray[Any]]] = []
        else:
            found = value_rows(bound, record, data)
            parts = [self._points(group, n, members, record, data) for n in range(len(bound.axes))]
        values = self._converted([one.rule for one in members], found)
        kind, raw, made_axis = EntryKind(bound.type), self._raw, self._axes.made
        doubtful = group.layout.is_counted or any(a.shared is not None for a in members[0].axes)
        for n, one in enumerate(members):
            if doubtful:
                self._doubt(one, record, told=group.layout.is_counted)
            made = one.made
            axes = (
                tuple([made_axis(axis, parts[k][n], raw=raw) for k, axis in enumerate(one.axes)])
                if parts
                else ()
            )
            yield (
                one,
                Entry(
                    one.name,
                    kind,
                    values[n],
                    axes,
                    "" if raw else one.rule.unit,
                    made.long_identifier,
                    getattr(made, "display_identifier", None) or "",
                    self._functions(one.name),
                    is_raw=raw,
                ),
            )

    def _points(
        self,
        group: _Group,
        n: int,
        members: list[Member],
        record: Record,
        data: NDArray[np.uint8],
    ) -> Sequence[NDArray[Any]]:
        """Points of one axis of each member."""
        bound = group.bound
        assert isinstance(bound, BoundCharacteristic), "only tables have axes"
        axis = bound.axes[n]
        if axis.shared is not None or axis.fixed is not None:
            count = record.counts[n]
            return [
                self._axes.points(one.axes[n], self._blocks, raw=self._raw)[:count]
                for one in members
            ]
        placed = record.find("axis_pts", n)
        assert placed is not None, "asked for when the group was made"
        found = point_rows(placed, data, axis.byte_order, difference=axis.difference)
        made: Sequence[NDArray[Any]] = self._converted([one.axes[n].rule for one in members], found)
        return made

    def _converted(self, rules: list[Conversion], found: NDArray[Any]) -> list[Any]:
        """Rows as entries have them; plain values where a row is one."""
        if self._raw:
            made = even(found)
            return made.tolist() if made.ndim == 1 else list(made)
        out: list[Any] = [None] * len(rules)
        for numbers, rows in phys_rows(rules, found):
            made = even(rows)
            for n, row in zip(numbers, made.tolist() if made.ndim == 1 else made, strict=True):
                out[n] = row
        return out

    def _doubt(self, one: Member, record: Record, *, told: bool) -> None:
        if told:
            own = record.doubts if one.axes or hasattr(one.made, "deposit_record") else ()
            for doubt in own:
                self._problem(one.name, "count", f"{one.name}: {doubt}.")
        for axis in one.axes:
            for doubt in self._axes.doubts(axis, self._blocks):
                self._problem(one.name, "count", f"{doubt}.")


def _counted(layout: RecordShape, n: int) -> bool:
    """True where the record or its layout tells how many points of an axis are in use."""
    return layout.find("no_axis_pts", n) is not None or n in layout.fixed


def _by_counts(
    group: _Group, rest: int, given: Given, data: NDArray[np.uint8]
) -> Iterator[tuple[Record, list[int]]]:
    """Layouts applied to the counts in records, and the numbers of the records that have them."""
    largest = group.place(rest, given)
    places = [one for one in largest.placed if one.element.kind in _COUNTS]
    columns = np.concatenate([data[:, p.offset : p.offset + p.size_bytes] for p in places], axis=1)
    alike: dict[bytes, list[int]] = {}
    for n, row in enumerate(columns):
        alike.setdefault(row.tobytes(), []).append(n)
    for some in alike.values():
        yield group.place(rest, given, data[some[0]].tobytes()), some
