"""Calibration by name over a working set: write, group, undo and redo, history, what differs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcaliper.calib.dirty import changes_of, dirty_of, dirty_runs
from xcaliper.calib.exchange import apply_set, plan_set, take_snapshot
from xcaliper.calib.groups import Brackets, Commit, How, Prepared, prepare
from xcaliper.calib.history import Change, History, Kind, State, Transaction, told
from xcaliper.calib.live import LiveValues
from xcaliper.calib.page_bytes import page_bytes
from xcaliper.calib.parameters import carry_out, plan_write
from xcaliper.calib.places import PlaceIndex
from xcaliper.calib.settle import Found, Settle, disagreements, look, record, remainder
from xcaliper.calib.staging import StagedMemory
from xcaliper.calib.working_set import WorkingSet
from xcaliper.calib.write_plan import Run, plan_runs
from xcaliper.core.errors import IntegrityError, TransactionError, UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from xcaliper.calib.apply_values import OnAxis
    from xcaliper.calib.dirty import Dirty
    from xcaliper.calib.exchange import Applied
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.calib.parameters import WritePlan, WriteResult
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.calib.port import PagedPort
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.working_set import Progress, Refreshed
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.image.memory_image import MemoryImage
    from xcaliper.quantity.catalog import Catalog

__all__ = ["Calibrator", "Group"]


@dataclass(slots=True)
class Group:
    """Writes that are made together when the ``with`` block ends; :meth:`Calibrator.group` gives it.

    Attributes:
        reason: why.
        how: how they are written.
        kind: what the history calls it.
        results: what each write will do, in order.
        transaction: what was done; None before the end, or where nothing had to be sent.
        note: why no page was swapped, where one could be; may be empty.
    """

    reason: str
    how: How
    staged: StagedMemory
    kind: Kind = Kind.GROUP
    of: int = 0
    results: list[WriteResult] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    transaction: Transaction | None = None
    note: str = ""


class Calibrator:
    """Parameters of one ECU or image, changed with a memory of what was.

    Not for several threads at once.

    Args:
        catalog: names and descriptions.
        port: memory and pages.
        segments: what is remembered of it, with its pages.
        clock: gives ns since 1970-01-01 UTC.
        author: who changes, for the history.
        history: what was changed before; None = nothing.
        variants: variant criterion → value chosen, shared with whoever else reads.

    Attributes:
        author: who changes, for the history.
        history: every transaction.
        working: what is known of the memory.
        spare: numbers of segments whose other page nobody minds to be overwritten by a group.
        brackets: what the ECU is told before and after changes.
        verify: look after each write whether it is there.
        on_change: told of every transaction that was made.
        program: EPK of the program in the memory; the description's where nobody knows.
    """

    def __init__(
        self,
        catalog: Catalog,
        port: PagedPort,
        segments: Sequence[CalibSegment] = (),
        *,
        clock: Callable[[], int],
        author: str = "",
        history: History | None = None,
        variants: dict[str, str] | None = None,
    ) -> None:
        self.catalog = catalog
        mod_par = catalog.index.module.mod_par
        self.program = (mod_par.epk or "") if mod_par else ""
        self.working = WorkingSet(port, segments)
        self.author = author
        self.history = History() if history is None else history
        self.spare: set[int] = set()
        self.brackets = Brackets()
        self.verify = True
        self.on_change: Callable[[Transaction], object] = lambda _: None
        self._clock = clock
        self._group: Group | None = None
        self._live = LiveValues(catalog, self._read, port.ag, chosen=variants)
        self._places: PlaceIndex | None = None
        self._saved: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self.working.segments)} segments, {len(self.history)} transactions>"

    @property
    def in_group(self) -> bool:
        """True inside of a ``with group()`` block."""
        return self._group is not None

    @property
    def chosen(self) -> dict[str, str]:
        """Variant criterion → value that was chosen, whatever the ECU says."""
        return self._live.chosen

    def _read(self, address: Address, size_bytes: int) -> bytes:
        """Memory as it will be once the group that is being made is written."""
        group = self._group
        read = self.working.read if group is None else group.staged.read
        return read(address, size_bytes)

    def read_memory(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they are known; inside a group, as they will be."""
        return self._read(address, size_bytes)

    # --- values ---

    def __getitem__(self, name: str) -> Any:
        """The value of a name, see :meth:`read`."""
        return self.read(name)

    def __setitem__(self, name: str, value: Any) -> None:
        """Write a value, see :meth:`write`."""
        self.write(name, value)

    def read(self, name: str, *, raw: bool = False) -> Any:
        """The value of a parameter as it is known; inside a group, as it will be.

        Raises:
            NotFoundError: no such name.
            UsageError: it cannot be bound or computed.
        """
        return self._live.read(name, raw=raw)

    def write(  # options by name
        self,
        name: str,
        value: Any,
        *,
        at: int | tuple[int, ...] | None = None,
        raw: bool = False,
        reason: str = "",
        dependents: bool = True,
    ) -> WriteResult:
        """Write a parameter and what is computed from it; inside a group, when the group ends.

        Args:
            name: of the parameter.
            value: physical value: number, text, array, nested lists or table.
            at: one cell, as numpy counts: ``(y, x)`` for a map.
            raw: the value is an ECU value.
            reason: why, for the history.
            dependents: compute and write what depends on it.

        Raises:
            NotFoundError: no such name.
            LimitError: a value is outside of its limits; nothing was sent.
            UsageError: wrong shape or kind, read-only, computed, or axis points out of order; nothing was sent.
            IntegrityError: the ECU did not take it; the old value is back.
            NegativeResponseError: the slave refused; everything is as it was.
            TransactionError: it was stopped half-way, and could not be put back.
        """
        if self._group is not None:
            return self._stage(self._group, name, value, at=at, raw=raw, dependents=dependents)
        try:
            with self._grouped(reason, How.ORDER, Kind.WRITE) as group:
                result = self._stage(group, name, value, at=at, raw=raw, dependents=dependents)
        except TransactionError as error:
            cause = error.__cause__
            if error.restored and isinstance(cause, XcaliperError):
                cause.message = f"{name}: {cause.message}"
                raise cause from None
            raise
        return result

    def _stage(  # options by name
        self,
        group: Group,
        name: str,
        value: Any,
        *,
        at: int | tuple[int, ...] | None,
        raw: bool,
        dependents: bool,
    ) -> WriteResult:
        """Check a write with what follows from it and put it into a group, wholly or not at all."""
        self.check_writable(name)
        cell = (at,) if isinstance(at, int) else at
        trial = StagedMemory(group.staged.read, self.working.ag)
        plan = plan_write(self._live.bound(name), value, at=cell, raw=raw, read=trial.read)
        followers = self._live.followers(name, plan) if dependents else []
        result, *rest = [self._carry_out(one, trial) for one in (plan, *followers)]
        for address, data in trial.writes:
            group.staged.write(address, data)
        result = replace(result, dependents=tuple(rest))
        group.results.append(result)
        for one, made in zip((plan, *followers), (result, *rest), strict=True):
            if made.changed:
                follows = one is not plan
                shown = name if not follows else one.bound.name
                change = Change(
                    shown, told(made.before), told(made.after), one.at, one.bound.unit, follows
                )
                group.changes.append(change)
        return result

    def _carry_out(self, plan: WritePlan, trial: StagedMemory) -> WriteResult:
        return carry_out(plan, verify=False, read=trial.read, write=trial.write, ag=self.working.ag)

    def check_writable(self, name: str) -> None:
        """Refuse what cannot be written: no name, or computed.

        Raises:
            NotFoundError: no such name.
            UsageError: it is computed.
        """
        self._live.check_writable(name)

    # --- groups ---

    @contextmanager
    def group(self, reason: str = "", *, how: How | str = How.AUTO) -> Iterator[Group]:
        """Writes that are made together when the block ends: all of them, or none.

        Inside of the block values read as they will be. An exception inside of it drops the group;
        nothing was sent then. A group inside of another one belongs to that.

        Args:
            reason: why, for the history.
            how: ``auto``: on another page that the ECU takes at the end, where that page can be
                overwritten without a loss, else in order; ``swap``: so in any case; ``park``: the ECU
                works with its reference page meanwhile; ``order``: one after the other.

        Raises:
            UsageError: the pages do not allow what was asked for; nothing was sent.
            TransactionError: it was stopped; tells whether everything was put back.
        """
        if self._group is not None:
            yield self._group
            return
        with self._grouped(reason, How(how), Kind.GROUP) as group:
            yield group

    @contextmanager
    def _grouped(self, reason: str, how: How, kind: Kind, of: int = 0) -> Iterator[Group]:
        self._check_ready()
        staged = StagedMemory(self.working.read, self.working.ag)
        group = self._group = Group(reason, how, staged, kind, of)
        try:
            yield group
        finally:
            self._group = None
        self._commit(group)

    def _commit(
        self, group: Group, progress: Progress | None = None, *, land: bool = False
    ) -> None:
        prepared = prepare(self.working, group.staged.writes, group.how, self.spare)
        group.note = prepared.note
        if land:
            moves = tuple(replace(one, after=one.written) for one in prepared.moves)
            prepared = replace(prepared, moves=moves)
        if prepared.runs:
            group.transaction = self._make(group, prepared, progress)

    def send(  # options by name
        self,
        writes: Iterable[tuple[Address, bytes]],
        *,
        kind: Kind,
        reason: str = "",
        how: How = How.AUTO,
        changes: Sequence[Change] | None = None,
        land: bool = False,
        progress: Progress | None = None,
    ) -> Group:
        """Write bytes that were checked already, as one transaction; only what differs is sent.

        Args:
            writes: bytes by address, later ones over earlier ones.
            kind: what the history calls it.
            reason: why.
            how: see :meth:`group`.
            changes: parameters that change; None = found by their addresses.
            land: the ECU works with the written page afterwards, wherever it was before.
            progress: called with bytes that are done and bytes in all.

        Raises:
            UsageError: the pages do not allow what was asked for, or a group is being made.
            TransactionError: it was stopped; tells whether everything was put back.
        """
        if self._group is not None:
            raise UsageError(f"{kind}: a group is being made.", hint="End its with block first.")
        self._check_ready()
        staged = StagedMemory(self.working.read, self.working.ag)
        group = Group(reason, how, staged, kind)
        for address, data in writes:
            staged.write(address, data)
        group.changes.extend(self.changes_between(staged) if changes is None else changes)
        self._commit(group, progress, land=land)
        return group

    def changes_between(self, staged: StagedMemory) -> list[Change]:
        """The parameters that planned writes change, with their values before and after."""
        after = LiveValues(self.catalog, staged.read, self.working.ag, chosen=self.chosen)
        return changes_of(self.dirty_by(staged.writes).names, self._live, after)

    def _make(self, group: Group, prepared: Prepared, progress: Progress | None) -> Transaction:
        transaction = Transaction(
            number=self.history.next_number,
            kind=group.kind,
            time_ns=self._clock(),
            author=self.author,
            reason=group.reason,
            changes=tuple(group.changes),
            runs=prepared.runs,
            sent=prepared.sent,
            moves=prepared.moves,
            of=group.of,
        )
        self.check_allowed(transaction)
        self.history.begin(transaction)
        self._carry(transaction, progress)
        done = self.history.settle(transaction.number, State.DONE)
        self.on_change(done)
        return done

    def _carry(self, transaction: Transaction, progress: Progress | None = None) -> None:
        commit = Commit(
            self.working,
            transaction,
            verify=self.verify,
            brackets=self.brackets,
            progress=progress,
        )
        try:
            commit.run()
        except TransactionError as error:
            if error.restored:
                self.history.settle(transaction.number, State.UNDONE, ())
            raise

    def check_allowed(self, transaction: Transaction) -> None:
        """Raise where changes are forbidden; somebody else's to fill in."""

    def _check_ready(self) -> None:
        opened = self.history.open()
        if opened:
            raise UsageError(
                f"calibration: nobody knows how transaction {opened[0].number} ended.",
                hint="Call settle() first.",
            )

    # --- what nobody saw the end of ---

    def settle(
        self, how: Settle | str = Settle.LOOK, progress: Progress | None = None
    ) -> list[Found]:
        """Find out what became of transactions that were cut off, and finish them or put them back.

        Args:
            how: ``look``: only find out, and let the history say so; ``finish``: write what is missing;
                ``back``: put back what is there.
            progress: called with bytes that are done and bytes in all.

        Raises:
            TransactionError: it was stopped again.
            XcaliperError: the slave refuses or is silent.
        """
        how = Settle(how)
        found: list[Found] = []
        self.working.distrust()
        for transaction in self.history.open():
            one = look(self.working, transaction)
            if how is not Settle.LOOK:
                rest = remainder(one, how)
                self.check_allowed(rest)
                self._finish(rest, progress)
            done = record(self.history, one, how)
            if done.state is not State.UNDONE:
                self.on_change(done)
            found.append(one)
        return found

    def _finish(self, rest: Transaction, progress: Progress | None) -> None:
        Commit(
            self.working, rest, verify=self.verify, brackets=self.brackets, progress=progress
        ).run()

    def disagreements(self) -> list[Run]:
        """Where memory is not as the history says: bytes that it should hold, and those that it holds.

        An ECU that was reset, or that somebody else calibrates, is told from one that is as it was left.
        """
        return disagreements(self.working, self.history)

    # --- undo and redo ---

    def undo(self, *, force: bool = False) -> Transaction | None:
        """Take the latest transaction back; None where nothing had to be sent.

        Args:
            force: although the ECU holds something else than was written.

        Raises:
            UsageError: there is nothing to undo.
            IntegrityError: the ECU holds something else than was written; nothing was sent.
            TransactionError: it was stopped; tells whether everything was put back.
        """
        target = self.history.undoable()
        if target is None:
            raise UsageError("undo: there is nothing to take back.")
        return self._again(target, Kind.UNDO, force=force)

    def redo(self, *, force: bool = False) -> Transaction | None:
        """Make the latest transaction again that was taken back; as :meth:`undo`.

        Raises:
            UsageError: there is nothing to redo.
            IntegrityError: the ECU holds something else than before; nothing was sent.
            TransactionError: it was stopped; tells whether everything was put back.
        """
        target = self.history.redoable()
        if target is None:
            raise UsageError("redo: there is nothing to make again.")
        return self._again(target, Kind.REDO, force=force)

    def _again(self, target: Transaction, kind: Kind, *, force: bool) -> Transaction | None:
        undo = kind is Kind.UNDO
        runs = [one.back() for one in reversed(target.runs)] if undo else list(target.runs)
        if not force:
            self._check_held(runs, kind, target)
        with self._grouped(target.reason, How.AUTO, kind, target.number) as group:
            for run in runs:
                group.staged.write(run.address, run.new)
            group.changes.extend(
                replace(one, old=one.new, new=one.old) if undo else one
                for one in (reversed(target.changes) if undo else target.changes)
            )
        return group.transaction

    def _check_held(self, runs: Sequence[Run], kind: Kind, target: Transaction) -> None:
        for run in runs:
            found = self.working.read_live(run.address, run.size_bytes)
            if found != run.old:
                raise IntegrityError(
                    f"{kind} of transaction {target.number}, at {run.address}",
                    expected=run.old.hex(),
                    actual=found.hex(),
                    hint="Somebody else has changed it, or the ECU was reset: force=True writes all the same.",
                )

    # --- sets ---

    def snapshot(  # options by name
        self,
        names: Iterable[str] | None = None,
        *,
        variants: Mapping[str, str] | None = None,
        raw: bool = False,
        name: str = "",
        read_only: bool = False,
        on_problem: Callable[[Diagnostic], None] = lambda _: None,
    ) -> ParameterSet:
        """A set of what the ECU holds, with the history of each parameter.

        Args:
            names: what to take; None for everything that may be calibrated.
            variants: criterion → value, to take one variant only.
            raw: ECU values instead of physical ones.
            name: of the set.
            read_only: without names, also what the description calls read-only.
            on_problem: told of everything that is left out.

        Raises:
            XcaliperError: the slave is silent.
        """
        return take_snapshot(self, names, variants, on_problem, name, raw=raw, read_only=read_only)

    def image(self, page: int | None = None, segments: Iterable[int | str] = ()) -> MemoryImage:
        """Bytes of the calibration segments; see :func:`~xcaliper.calib.page_bytes.page_bytes`."""
        return page_bytes(self, page, segments)

    def plan_set(
        self, values: ParameterSet, *, clamp: bool = False, on_axis: OnAxis = "refuse"
    ) -> ApplyPlan:
        """What :meth:`apply` would do, entry by entry; nothing is sent."""
        return plan_set(self, values, clamp=clamp, on_axis=on_axis)

    def apply(  # options by name
        self,
        values: ParameterSet,
        *,
        reason: str = "",
        clamp: bool = False,
        on_axis: OnAxis = "refuse",
        partial: bool = False,
        how: How | str = How.AUTO,
        progress: Progress | None = None,
    ) -> Applied:
        """Write a set as one transaction: all of it or nothing; only what differs is sent.

        Args:
            values: the set.
            reason: why, for the history.
            clamp: bring values outside of the limits to them, and say so.
            on_axis: what becomes of tables over other axis points: ``refuse``, ``keep``, ``interpolate``.
            partial: apply what can be taken although other entries cannot.
            how: as that of :meth:`group`.
            progress: called with bytes that are done and bytes in all.

        Raises:
            PlanError: entries cannot be taken; carries the reason of each. Nothing was sent.
            TransactionError: it was stopped; tells whether everything was put back.
        """
        return apply_set(
            self, values, reason, How(how), progress, clamp=clamp, on_axis=on_axis, partial=partial
        )

    # --- what is known, what differs ---

    def refresh(self, progress: Progress | None = None) -> Refreshed:
        """Bring what is known of the segments up to date; checksums decide what is read.

        Args:
            progress: called with bytes that are certain and bytes in all.
        """
        return self.working.refresh(progress)

    @property
    def places(self) -> PlaceIndex:
        """Which parameters lie where."""
        if self._places is None:
            self._places = PlaceIndex(self.catalog, self.working.read)
        return self._places

    def dirty(self, against: str = "reference", *, page: int | None = None) -> Dirty:
        """Parameters that are not as on the reference page, or not as they were saved.

        Args:
            against: ``reference`` or ``file``.
            page: the reference page; None = the first one that cannot be written.

        Raises:
            UsageError: there is no other page, or nothing was saved.
        """
        return dirty_of(
            self.places, self.working, dirty_runs(self.working, against, page, self._saved)
        )

    def dirty_by(self, writes: Iterable[tuple[Address, bytes]]) -> Dirty:
        """What planned writes would change."""
        areas = [one.range for one in self.working.segments]
        runs = plan_runs(list(writes), self.working.read, ag=self.working.ag, areas=areas)
        return dirty_of(self.places, self.working, runs)

    def check_park(self, writes: Iterable[tuple[Address, bytes]]) -> None:
        """Raise where the ECU has no other page while these are written.

        Raises:
            UsageError: it has not.
        """
        prepare(self.working, list(writes), How.PARK)

    def mark_saved(self) -> None:
        """What the segments hold now is what the file holds: ``dirty("file")`` compares with it."""
        self._saved = {
            number: self.working.content(segment)
            for number, segment in enumerate(self.working.segments)
        }
