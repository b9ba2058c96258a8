"""Parameters whose records are alike, decoded and converted as one array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from xcaliper.calib.entries import Entry, EntryKind
from xcaliper.calib.entry_values import even
from xcaliper.calib.memory_blocks import REFUSALS
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.row_values import phys_rows, point_rows, value_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from xcaliper.calib.group_axes import GroupAxes, MemberAxis
    from xcaliper.calib.memory_blocks import MemoryBlocks
    from xcaliper.quantity.compu import Conversion
    from xcaliper.quantity.record_layout import Record, RecordShape

    Given = tuple[tuple[int, int], ...]  # axis and number of points that something else tells

__all__ = ["COUNTS", "Group", "GroupDecoding", "Member"]

COUNTS: Final = ("no_axis_pts", "no_rescale")
"""Elements of a record that tell numbers."""


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
class Group:
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


class GroupDecoding:
    """Records of groups to entries.

    Args:
        blocks: memory.
        axes: axes that are shared, or that the description gives.
        functions: gives the functions of a name.
        problem: is told name, slug and text of what is odd about memory.
        raw: ECU values instead of physical ones.
    """

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
        self, group: Group, starts: NDArray[np.int64]
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

    def _given(self, group: Group, member: Member) -> Given:
        """Numbers of points that are not in the record."""
        return tuple(
            (n, len(self._axes.raw(axis, self._blocks)))
            for n, axis in enumerate(member.axes)
            if axis.shared is not None or (axis.fixed is not None and not _counted(group.layout, n))
        )

    def _decoded(
        self, group: Group, members: list[Member], record: Record, data: NDArray[np.uint8]
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
        group: Group,
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
    group: Group, rest: int, given: Given, data: NDArray[np.uint8]
) -> Iterator[tuple[Record, list[int]]]:
    """Layouts applied to the counts in records, and the numbers of the records that have them."""
    largest = group.place(rest, given)
    places = [one for one in largest.placed if one.element.kind in COUNTS]
    columns = np.concatenate([data[:, p.offset : p.offset + p.size_bytes] for p in places], axis=1)
    alike: dict[bytes, list[int]] = {}
    for n, row in enumerate(columns):
        alike.setdefault(row.tobytes(), []).append(n)
    for some in alike.values():
        yield group.place(rest, given, data[some[0]].tobytes()), some
