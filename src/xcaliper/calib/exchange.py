"""Parameter sets out of a calibration and into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from xcaliper.calib.apply import plan_apply
from xcaliper.calib.entries import HistoryEntry
from xcaliper.calib.extract import extract, parameter_names
from xcaliper.calib.history import Change, Kind, State, told
from xcaliper.calib.select import without_read_only
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from xcaliper.calib.apply_values import OnAxis
    from xcaliper.calib.calibrator import Calibrator
    from xcaliper.calib.groups import How
    from xcaliper.calib.history import History, Transaction
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.calib.working_set import Progress

__all__ = ["Applied", "apply_set", "changes_by", "check_plan", "plan_set", "take_snapshot"]


@dataclass(frozen=True, slots=True)
class Applied:
    """A set that was applied.

    Attributes:
        plan: what became of each entry.
        transaction: what was sent; None = the ECU held all of it already.
        note: why no page was swapped, where one could be; may be empty.
    """

    plan: ApplyPlan
    transaction: Transaction | None
    note: str = ""

    @property
    def bytes_sent(self) -> int:
        """Bytes that were written."""
        return 0 if self.transaction is None else self.transaction.bytes_sent

    def __str__(self) -> str:
        return f"{self.plan.report()}; {self.bytes_sent} sent"


def take_snapshot(  # options by name at the caller
    calib: Calibrator,
    names: Iterable[str] | None,
    variants: Mapping[str, str] | None,
    on_problem: Callable[[Diagnostic], None],
    name: str,
    *,
    raw: bool,
    read_only: bool,
) -> ParameterSet:
    """A set of what the ECU holds; checksums decide what is read anew."""
    if names is None and not read_only:
        names = without_read_only(calib.catalog, parameter_names(calib.catalog), on_problem)
    if not calib.in_group:
        calib.refresh()
    made = extract(
        calib.catalog,
        calib.working.read,
        names,
        on_problem=on_problem,
        variants=variants,
        raw=raw,
        name=name,
    )
    lines = _lines(calib.history)
    changed = [
        replace(one, history=(*one.history, *lines[one.name])) for one in made if one.name in lines
    ]
    return made.with_entries(changed) if changed else made


def _lines(history: History) -> dict[str, list[HistoryEntry]]:
    """What the history tells of each parameter, oldest first."""
    found: dict[str, list[HistoryEntry]] = {}
    for one in history:
        if one.state is not State.DONE:
            continue
        at = datetime.fromtimestamp(one.time_ns // 1_000_000_000, UTC)
        line = HistoryEntry(
            state="changed",
            date=at.isoformat().removesuffix("+00:00") + "Z",
            user=one.author,
            remark=(one.reason,) if one.reason else (),
        )
        for name in one.names:
            found.setdefault(name, []).append(line)
    return found


def plan_set(calib: Calibrator, values: ParameterSet, *, clamp: bool, on_axis: OnAxis) -> ApplyPlan:
    """What would become of each entry; nothing is sent."""
    plan = plan_apply(
        values,
        calib.catalog,
        calib.working.read,
        clamp=clamp,
        on_axis=on_axis,
        variants=calib.chosen or None,
    )
    return replace(plan, diagnostics=tuple(_of_other_program(values, calib.program)))


def _of_other_program(values: ParameterSet, program: str) -> Iterator[Diagnostic]:
    """The warning that a set was made for another program, by its EPK."""
    theirs, ours = values.origin.epk.strip("\0 "), program.strip("\0 ")
    if theirs and ours and theirs != ours:
        yield Diagnostic(
            Severity.WARNING,
            "set-of-other-program",
            Where(),
            f"the set {values.name}".rstrip()
            + f" is of program {theirs!r} (EPK), this is {ours!r}.",
            "Parameters of one name may have another meaning there; read the outcome of each.",
        )


def check_plan(plan: ApplyPlan, name: str, hint: str) -> None:
    """Refuse a plan of which entries cannot be taken.

    Args:
        plan: what would be done.
        name: of the set; may be empty.
        hint: what to do about it.

    Raises:
        PlanError: carries the reason of each entry.
    """
    if plan.refused:
        raise PlanError(
            f"set {name}".rstrip(), tuple(one.line() for one in plan.refused), hint=hint
        )


def changes_by(plan: ApplyPlan) -> list[Change]:
    """What a plan changes, for the history."""
    followers = {one.key for one in plan.dependents}
    return [
        Change(one.name, told(one.before), told(one.after), follows=one.key in followers)
        for one in plan.changed
    ]


def apply_set(  # noqa: PLR0913  # options by name at the caller
    calib: Calibrator,
    values: ParameterSet,
    reason: str,
    how: How,
    progress: Progress | None,
    *,
    clamp: bool,
    on_axis: OnAxis,
    partial: bool,
) -> Applied:
    """Write what differs as one transaction.

    Raises:
        PlanError: entries cannot be taken, and ``partial`` is off; nothing was sent.
    """
    plan = plan_set(calib, values, clamp=clamp, on_axis=on_axis)
    if not partial:
        check_plan(plan, values.name, "Nothing was sent. partial=True applies all the others.")
    group = calib.send(
        plan.writes,
        kind=Kind.APPLY,
        reason=reason,
        how=how,
        changes=changes_by(plan),
        progress=progress,
    )
    return Applied(plan, group.transaction, group.note)
