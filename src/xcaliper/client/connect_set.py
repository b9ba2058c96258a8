"""An ECU and a parameter set brought together: only what the set tells is compared and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xcaliper.calib.compare import matching_key
from xcaliper.calib.dirty import Dirty
from xcaliper.calib.exchange import changes_by, check_plan
from xcaliper.calib.extract import extract
from xcaliper.calib.history import told as told_value
from xcaliper.client.connect_model import (
    Choice,
    Choose,
    Outcome,
    ParameterDifference,
    Question,
    SegmentDifference,
    Synchronised,
)
from xcaliper.client.connect_steps import Told, decided, download, sides

if TYPE_CHECKING:
    from collections.abc import Collection

    from xcaliper.calib.entries import Entry, Key
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.client.calibration import Calibration
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["synchronise_set"]


@dataclass(frozen=True, slots=True)
class _Compared:
    """A set beside the ECU.

    Attributes:
        values: the set.
        plan: what would become of each entry.
        segments: every segment, with what differs in it for the set.
        bytes_changed: bytes that differ.
    """

    values: ParameterSet
    plan: ApplyPlan
    segments: tuple[SegmentDifference, ...]
    bytes_changed: int

    @property
    def is_equal(self) -> bool:
        """The ECU has all of the set already."""
        return self.plan.is_complete and not self.plan.writes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of entries that differ, and of those that the ECU cannot take."""
        differing = (
            one.name for one in self.plan.outcomes if one.is_changed or not one.outcome.is_taken
        )
        return tuple(dict.fromkeys(differing))

    def question(self) -> Question:
        """What is to be decided."""
        dirty = Dirty(self.names, (), self.bytes_changed)
        return Question(self.segments, dirty, self.differences)

    def differences(self) -> list[ParameterDifference]:
        """Values of every entry that differs."""
        names = set(self.names)
        return [
            ParameterDifference(
                one.name, told_value(one.before), told_value(self.values[one.key].values)
            )
            for one in self.plan.outcomes
            if one.name in names
        ]


def synchronise_set(
    calib: Calibration,
    values: ParameterSet,
    choice: Choose,
    told: Told,
    reason: str,
) -> Synchronised:
    """Compare a set with the ECU and let a choice decide; what is in no entry stays as the ECU has it.

    Args:
        calib: calibration of the connection, XCP on the RAM page.
        values: the set.
        choice: see :data:`~xcaliper.client.connect_model.Choose`.
        told: called while it goes on.
        reason: why, for the history.

    Raises:
        PlanError: entries that are to be downloaded cannot be taken; nothing was sent.
        UsageError: the choice is none, or parameters are missing in it; nothing was written.
        TransactionError: a download was stopped; tells what is known.
        XcaliperError: the slave refuses or is silent.
    """
    found = _compare(calib, values, told)
    note = " ".join(one.text for one in found.plan.diagnostics)
    done = Synchronised(Outcome.EQUAL, found.segments, note=note, plan=found.plan)
    if found.is_equal:
        calib.is_offline = False
        calib.mark_saved()
        return done
    made = decided(choice, found.question)
    if made is Choice.OFFLINE:
        calib.is_offline = True
        return replace(done, outcome=Outcome.OFFLINE)
    if isinstance(made, Mapping):
        taken, kept = sides(found.names, made)
        outcome = Outcome.DECIDED
    elif made is Choice.UPLOAD:
        taken, kept = [], found.names
        outcome = Outcome.UPLOADED
    else:
        taken, kept = list(found.names), ()
        outcome = Outcome.DOWNLOADED
    plan = found.plan
    if kept:
        plan = calib.plan_set(values.filter(names=taken))
    check_plan(
        plan, values.name, "Nothing was sent. Correct the set, or decide for each parameter."
    )
    calib.is_offline = False
    transaction, more = download(calib, plan.writes, told, reason, changes_by(plan))
    held, lacking = _with_ecu(calib, values, kept, found.plan)
    if lacking:
        more = f"{more} The ECU has no value for {', '.join(lacking[:8])}.".strip()
    calib.mark_saved()
    return replace(
        done,
        outcome=outcome,
        transaction=transaction,
        kept=kept if outcome is Outcome.DECIDED else (),
        note=f"{note} {more}".strip(),
        plan=plan if taken else None,
        values=held if kept else None,
    )


def _compare(calib: Calibration, values: ParameterSet, told: Told) -> _Compared:
    working = calib.working
    total = sum(one.size_bytes for one in working.segments)
    uploaded: list[int] = []
    done = 0
    for segment in working.segments:
        uploaded.append(working.refresh_segment(segment, check=True).uploaded)
        done += segment.size_bytes
        told("compare", done, total)
    plan = calib.plan_set(values)
    changed = [0] * (len(working.segments) + 1)
    for address, data in plan.writes:
        holds = working.segment_at(address, len(data))
        place = len(working.segments) if holds is None else working.segments.index(holds)
        changed[place] += _differing(calib, address, data)
    rows = [
        SegmentDifference(segment.label, count, read)
        for segment, count, read in zip(working.segments, changed, uploaded, strict=False)
    ]
    if changed[-1]:
        rows.append(SegmentDifference("memory outside of the segments", changed[-1], 0))
    return _Compared(values, plan, tuple(rows), sum(changed))


def _differing(calib: Calibration, address: Address, data: bytes) -> int:
    now = calib.working.read(address, len(data))
    return sum(a != b for a, b in zip(now, data, strict=True))


def _with_ecu(
    calib: Calibration, values: ParameterSet, names: Collection[str], plan: ApplyPlan
) -> tuple[ParameterSet, list[str]]:
    """The set with what the ECU has for some names; and those that it has nothing for."""
    mine = values.filter(names=names)
    held: dict[tuple[Key, bool], Entry] = {}
    for raw in (False, True):
        some = dict.fromkeys(one.name for one in mine if one.is_raw is raw)
        now = extract(calib.catalog, calib.working.read, some, on_problem=_ignore, raw=raw)
        held |= {(matching_key(one.key), raw): one for one in now}
    before = {one.key: one.before for one in plan.outcomes}
    made: list[Entry] = []
    lacking: list[str] = []
    for one in mine:
        ecu = held.get((matching_key(one.key), one.is_raw))
        if ecu is not None:
            made.append(replace(ecu, variant=one.variant, history=one.history, flags=one.flags))
        elif before.get(one.key) is not None and not any(not axis.ref for axis in one.axes):
            made.append(replace(one, values=before[one.key]))  # of the variant in effect
        else:
            lacking.append(one.name)
    return values.with_entries(made), lacking


def _ignore(_: Diagnostic) -> None:
    """The plan has told of it already."""
