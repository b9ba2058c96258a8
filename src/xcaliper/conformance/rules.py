"""Every rule of the suite, in the order in which a run goes through them."""

from __future__ import annotations

from typing import Final

from xcaliper.conformance.checks import (
    calibration,
    clock,
    daq_alloc,
    daq_config,
    daq_info,
    daq_level1,
    daq_run,
    daq_states,
    described,
    described_memory,
    link,
    memory,
    page_rights,
    paging,
    programming,
    protection,
    refusals,
    session,
    standard,
    stimulation,
    storing,
    unlocking,
)
from xcaliper.conformance.model import Group, Rule, Severity
from xcaliper.core.errors import UsageError

__all__ = ["RULES", "choose"]

RULES: Final[tuple[Rule, ...]] = (
    *session.RULES,
    *standard.RULES,
    *refusals.RULES,
    *memory.RULES,
    *calibration.RULES,
    *paging.RULES,
    *page_rights.RULES,
    *daq_info.RULES,
    *daq_alloc.RULES,
    *daq_config.RULES,
    *daq_level1.RULES,
    *daq_run.RULES,
    *daq_states.RULES,
    *stimulation.RULES,
    *storing.RULES,
    *clock.RULES,
    *protection.RULES,
    *programming.RULES,
    *unlocking.RULES,
    *described.RULES,
    *described_memory.RULES,
    *link.RULES,
    *link.LAST,
)
_WEIGHTS: Final = (Severity.NOTE, Severity.DEVIATION, Severity.VIOLATION)


def _matches(rule: Rule, names: tuple[str, ...]) -> bool:
    return any(rule.id == name or rule.id.startswith(name) for name in names)


def choose(
    *,
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    severity: str = "note",
) -> tuple[Rule, ...]:
    """The rules of a run.

    Args:
        select: ids, or beginnings such as ``MEM``; empty = all.
        ignore: the same, to leave out.
        groups: values of :class:`~xcaliper.conformance.model.Group`; empty = all.
        severity: least weight: ``note``, ``deviation`` or ``violation``.

    Raises:
        UsageError: an id, a group or a severity does not exist.
    """
    known_groups = {group.value for group in Group}
    for group in groups:
        if group not in known_groups:
            known = ", ".join(sorted(known_groups))
            raise UsageError(f"{group}: no such group of rules.", hint=f"There are: {known}.")
    for name in (*select, *ignore):
        if not any(_matches(rule, (name,)) for rule in RULES):
            raise UsageError(f"{name}: no rule has this id or begins so.", hint="See --rules.")
    if severity not in {one.value for one in Severity}:
        raise UsageError(f"{severity}: no such severity.", hint="note, deviation or violation.")
    least = _WEIGHTS.index(Severity(severity))
    return tuple(
        rule
        for rule in RULES
        if (not select or _matches(rule, select))
        and not _matches(rule, ignore)
        and (not groups or rule.group.value in groups)
        and _WEIGHTS.index(rule.severity) >= least
    )
