"""Parameter sets into memory: every entry checked, with one outcome each, before anything is written."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import lcm
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.apply_values import OnAxis, Refused, Rules, plan_entry
from xcaliper.calib.compare import Tolerance, difference, differing_axes, matching_key
from xcaliper.calib.entries import EntryKind, same_values
from xcaliper.calib.extract import extract
from xcaliper.calib.formats.par import with_kinds
from xcaliper.calib.live import LiveValues, Overlay
from xcaliper.calib.memory_blocks import REFUSALS, ReadOnce
from xcaliper.calib.outcomes import ApplyPlan, EntryOutcome, Outcome
from xcaliper.calib.parameters import plan_write, read_value
from xcaliper.calib.write_plan import changed_runs
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob
from xcaliper.quantity.instance import locate
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xcaliper.calib.apply_values import Wanted
    from xcaliper.calib.entries import Entry, Key
    from xcaliper.calib.parameters import Read
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.core.address import Address
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.characteristic import BoundCharacteristic

    Parameter = BoundCharacteristic | AxisPoints | BoundBlob
    Writes = list[tuple[Address, bytes]]

__all__ = ["OnAxis", "plan_apply"]

_EXACT: Final = Tolerance()
_NEAR: Final = Tolerance(relative=1e-6)


def plan_apply(
    values: ParameterSet,
    catalog: Catalog,
    read: Read,
    *,
    clamp: bool = False,
    on_axis: OnAxis = "refuse",
    variants: Mapping[str, str] | None = None,
) -> ApplyPlan:
    """Check a set against a description and memory, and work out what to write; nothing is written.

    Every entry has one outcome; no entry ends the work. Axes are planned before the tables that use them, and
    tables are judged beside axes as they will be. Parameters that are computed from others follow.

    Args:
        values: the set, physical or raw.
        catalog: names and descriptions.
        read: gives bytes of memory as it is, for an address and a size; each place is asked for once.
        clamp: bring values outside of the limits to them, and say so, instead of refusing the entry.
        on_axis: what becomes of a table whose axis in memory has other points, and cannot be changed with
            it: ``refuse`` it, ``keep`` its values for the other points, or ``interpolate`` them.
        variants: criterion → value, for entries without a variant of variant-coded parameters; where it is
            None, memory tells the variant in effect.

    Raises:
        LinkError: the link failed; a silent slave raises as well.
        NotFoundError: no such variant criterion.
    """
    work = _Planner(catalog, read, variants or {}, clamp=clamp, on_axis=on_axis)
    return work.plan(values)


class _Planner:
    """A plan in the making."""

    def __init__(
        self,
        catalog: Catalog,
        read: Read,
        variants: Mapping[str, str],
        *,
        clamp: bool,
        on_axis: OnAxis,
    ) -> None:
        self._catalog = catalog
        self._now = ReadOnce(read, catalog.ag)
        self._memory = Overlay(self._now, catalog.ag)
        self._live = LiveValues(catalog, self._memory, catalog.ag)
        for criterion, value in variants.items():
            self._live.choose(criterion, value)
        self._own_axes: set[Address] = set()
        self._rules = Rules(clamp, on_axis, self._own_axes, catalog.ag)
        self._held: dict[tuple[Key, bool], Entry] = {}
        self._moved: set[str] = set()
        self._writes: tuple[Writes, Writes, Writes] = ([], [], [])

    def plan(self, values: ParameterSet) -> ApplyPlan:
        """Outcomes of all entries."""
        values = with_kinds(values, self._catalog, only=_tells_no_kind)
        entries = list(values)
        self._read_all(entries)
        first = {axis.ref for one in self._held.values() for axis in one.axes if axis.ref}
        computed = {one.key for one in entries if self._catalog.dependencies.find(one.name)}

        def rank(entry: Entry) -> int:
            """Axes, then curves that give the points of axes, then everything else."""
            return 0 if entry.kind is EntryKind.AXIS_PTS else 1 if entry.name in first else 2

        found = {
            one.key: self._entry(one)
            for one in sorted(entries, key=rank)
            if one.key not in computed
        }
        followers = self._followers([one for one in found.values() if one.is_changed])
        for one in entries:
            if one.key in computed:
                found[one.key] = self._computed(one, followers)
        ag = self._catalog.ag
        return ApplyPlan(
            tuple(found[one.key] for one in entries),
            tuple(one for key, one in followers.items() if key not in computed),
            tuple(write for part in self._writes for write in _joined(part, ag)),
        )

    def _read_all(self, entries: Iterable[Entry]) -> None:
        """Read what memory holds of the set in large pieces; what cannot be read is met again by its entry."""
        for raw in (False, True):
            names = dict.fromkeys(one.name for one in entries if one.is_raw is raw)
            if not names:
                continue
            held = extract(self._catalog, self._now, names, on_problem=lambda _: None, raw=raw)
            self._held |= {(matching_key(one.key), raw): one for one in held}

    def _exists(self, name: str) -> bool:
        """True for a name; the search for names alike takes long in large descriptions."""
        try:
            located = locate(self._catalog.index, name, ag=self._catalog.ag)
            return located is not None or self._catalog.variants.find(name) is not None
        except UsageError:
            return False

    # --- one entry ---

    def _entry(self, entry: Entry) -> EntryOutcome:
        held = self._held.get((matching_key(entry.key), entry.is_raw))
        if held is not None and self._is_same(entry, held):
            if entry.kind is EntryKind.AXIS_PTS:
                self._note_axis(self._target(entry))
            same = held.values
            return EntryOutcome(*entry.key, Outcome.UNCHANGED, before=same, after=same)
        try:
            bound = self._target(entry)
            made = plan_entry(entry, bound, self._memory, self._rules)
        except Refused as refusal:
            return EntryOutcome(*entry.key, refusal.outcome, str(refusal), before=refusal.before)
        except LimitError as error:
            return EntryOutcome(*entry.key, Outcome.OUTSIDE_LIMITS, error.message)
        except REFUSALS as error:
            return EntryOutcome(*entry.key, Outcome.NOT_USABLE, error.message)
        return self._take(entry, bound, made)

    def _is_same(self, entry: Entry, held: Entry) -> bool:
        """True when memory holds exactly the entry, and no axis of it moves."""
        if not same_values(entry.values, held.values) or entry.kind is not held.kind:
            return False
        if entry.unit != held.unit and entry.unit and held.unit:
            return False
        if self._moved and any(axis.ref in self._moved for axis in held.axes):
            return False
        return not differing_axes(entry.axes, held.axes, _EXACT)

    def _note_axis(self, bound: Parameter) -> None:
        """Remember that the set has the points of an axis."""
        if isinstance(bound, AxisPoints):
            self._own_axes.add(bound.resolve(self._memory).address)

    def _target(self, entry: Entry) -> Parameter:
        """What the entry is for.

        Raises:
            Refused: nothing, or nothing that a set can hold.
            UsageError: its description cannot be used, or its variant is not known.
        """
        name = entry.name
        if not self._exists(name):
            raise Refused(Outcome.NOT_IN_A2L, "no such parameter")
        located = locate(self._catalog.index, name, ag=self._catalog.ag)
        if located is not None and located.kind == "blob":
            return self._catalog.blob(name)
        if entry.variant:
            return self._in_variant(name, dict(entry.variant))
        bound = self._live.bound(name, self._now)
        if isinstance(bound, BoundMeasurement):
            raise Refused(Outcome.NOT_IN_A2L, "it is a measurement")
        return bound

    def _in_variant(self, name: str, variant: Mapping[str, str]) -> Parameter:
        if not self._catalog.variants.has_addresses(name):
            raise Refused(Outcome.NOT_IN_A2L, "it has no variants")
        try:
            return self._catalog.variants.placed(name, variant)
        except UsageError as error:
            raise Refused(Outcome.NOT_IN_A2L, error.message) from None

    def _take(self, entry: Entry, bound: Parameter, made: Wanted) -> EntryOutcome:
        """Note what changes; later entries see it."""
        writes = self._changes(bound, made.writes)
        self._memory.add(writes)
        self._writes[0 if isinstance(bound, AxisPoints) else 1].extend(writes)
        self._note_axis(bound)
        if writes:
            self._moved.add(entry.name)
        outcome = made.outcome
        if outcome is Outcome.APPLIED and not writes:
            outcome = Outcome.UNCHANGED
        return EntryOutcome(
            *entry.key, outcome, made.text, made.warnings, made.before, made.after, tuple(writes)
        )

    def _changes(self, bound: Parameter, writes: Iterable[tuple[Address, bytes]]) -> Writes:
        """What differs from memory as it will be, in whole elements and whole addresses."""
        ag = self._catalog.ag
        found: Writes = []
        step = lcm(_element_size(bound), ag)
        for address, data in writes:
            now = self._memory(address, -(-len(data) // ag) * ag)
            wanted = data + now[len(data) :]
            found.extend(
                (address + begin // ag, wanted[begin:end])
                for begin, end in changed_runs(now, wanted, step)
            )
        return found

    # --- what is computed from others ---

    def _followers(self, changed: Iterable[EntryOutcome]) -> dict[Key, EntryOutcome]:
        """Outcomes of parameters that are computed from what changed, inputs first."""
        graph = self._catalog.dependencies
        names = dict.fromkeys(name for one in changed for name in self._meanings(one.name))
        try:
            affected = graph.affected_by(names, measurements=False) if names else ()
        except UsageError as error:  # a circle: none of them can be computed
            name = error.message.partition(": ")[0]
            return {(name, ()): EntryOutcome(name, (), Outcome.NOT_USABLE, error.message)}
        return {(one, ()): self._follow(one) for one in affected if graph[one].has_memory}

    def _meanings(self, name: str) -> Iterator[str]:
        """The name, and everything that stands for something else with it: variants."""
        yield name
        coding = self._catalog.variants
        variant = coding.find(name)
        if variant is not None:
            yield variant.parameter
        if any(name in (one.selector, one.measurement) for one in coding.criteria.values()):
            yield from coding.names

    def _follow(self, name: str) -> EntryOutcome:
        memory = self._memory

        def phys(one: str) -> Any:
            return read_value(self._live.bound(one, memory), memory, raw=False)

        try:
            bound = self._live.bound(name, memory)
            value = self._catalog.dependencies.evaluate(name, cache(phys))
            target = replace(bound, writable=True)
            made = plan_write(target, value, at=None, raw=False, read=memory)
        except LimitError as error:
            return EntryOutcome(name, (), Outcome.OUTSIDE_LIMITS, error.message)
        except REFUSALS as error:
            return EntryOutcome(name, (), Outcome.NOT_USABLE, error.message)
        assert not isinstance(bound, BoundMeasurement), "only parameters have DEPENDENT"
        writes = self._changes(bound, made.writes)
        memory.add(writes)
        self._writes[2].extend(writes)
        after = read_value(bound, memory, raw=False)
        outcome = Outcome.APPLIED if writes else Outcome.UNCHANGED
        before, after = (getattr(one, "values", one) for one in (made.before, after))
        return EntryOutcome(name, (), outcome, "computed", (), before, after, tuple(writes))

    def _computed(self, entry: Entry, followers: Mapping[Key, EntryOutcome]) -> EntryOutcome:
        """The outcome of an entry whose parameter is computed: it cannot be written, but may be right."""
        node = self._catalog.dependencies[entry.name]
        inputs = ", ".join(node.inputs) or "nothing"
        if not node.has_memory:
            return EntryOutcome(*entry.key, Outcome.READ_ONLY, f"virtual, computed from {inputs}")
        follower = followers.get((entry.name, ()))
        if follower is not None and not follower.outcome.is_taken:
            return replace(follower, variant=entry.variant)
        held = extract(
            self._catalog, self._memory, [entry.name], on_problem=lambda _: None, raw=entry.is_raw
        ).get(*entry.key)
        if held is None:
            return EntryOutcome(*entry.key, Outcome.NOT_USABLE, "memory cannot be read")
        if difference(entry, held, _NEAR) is not None:
            text = f"it is computed from {inputs}, which gives something else"
            writes = follower.writes if follower is not None else ()
            before = follower.before if follower is not None else held.values
            return EntryOutcome(
                *entry.key, Outcome.READ_ONLY, text, (), before, held.values, writes
            )
        if follower is not None:
            return replace(follower, variant=entry.variant)
        return EntryOutcome(*entry.key, Outcome.UNCHANGED, before=held.values, after=held.values)


def _tells_no_kind(entry: Entry) -> bool:
    """True for ECU values of a file that does not tell blocks, tables and axes apart."""
    return entry.is_raw and entry.kind is EntryKind.VAL_BLK


def _element_size(bound: Any) -> int:
    """Bytes that change together; a number is never written in part."""
    if isinstance(bound, BoundBlob):
        return 1
    sizes = [one.size_bytes for one in bound.layout.elements if one.datatype is not None]
    return max(sizes, default=1)


def _joined(writes: Writes, ag: int) -> Writes:
    """Writes in order of address; those that touch or overlap are one, later ones win."""
    made: list[tuple[Address, bytearray]] = []
    order = sorted(range(len(writes)), key=lambda n: (writes[n][0].extension, writes[n][0].value))
    members: list[list[int]] = []
    for n in order:
        address, data = writes[n]
        last = made[-1] if made else None
        at = (address.value - last[0].value) * ag if last is not None else 0
        if last is not None and last[0].extension == address.extension and at <= len(last[1]):
            last[1].extend(bytes(max(0, at + len(data) - len(last[1]))))
            members[-1].append(n)
        else:
            made.append((address, bytearray(data)))
            members.append([n])
    for (start, block), numbers in zip(made, members, strict=True):
        for n in sorted(numbers):
            at = (writes[n][0].value - start.value) * ag
            block[at : at + len(writes[n][1])] = writes[n][1]
    return [(start, bytes(block)) for start, block in made]
