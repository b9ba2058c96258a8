"""A parameter set as the data one works on: memory of an ECU as it would be with the values of the set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xcaliper.calib.apply import plan_apply
from xcaliper.calib.compare import matching_key
from xcaliper.calib.extract import extract
from xcaliper.calib.staging import StagedMemory
from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    from xcaliper.calib.calibrator import Calibrator
    from xcaliper.calib.entries import Entry
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["SetMemory"]


class SetMemory:
    """Working data for :meth:`~xcaliper.client.calibration.Calibration.synchronise` made of a set.

    Where the set says nothing it is as the ECU. The set is held against the ECU when it is first read.

    Args:
        calib: of the ECU.
        values: the set.
        clamp: bring values outside of their limits to them.
        partial: leave out what the ECU cannot take, instead of refusing the set.

    Attributes:
        diagnostics: what :meth:`values` had to leave out.
    """

    def __init__(
        self,
        calib: Calibrator,
        values: ParameterSet,
        *,
        clamp: bool = False,
        partial: bool = False,
    ) -> None:
        self._calib = calib
        self._given = values
        self._clamp = clamp
        self._partial = partial
        self._plan: ApplyPlan | None = None
        self._memory = StagedMemory(calib.working.read, calib.working.ag)
        self.diagnostics: list[Diagnostic] = []

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self._memory.ag

    @property
    def plan(self) -> ApplyPlan:
        """What becomes of each entry.

        Raises:
            PlanError: entries cannot be taken, or lie outside of the segments, which alone are compared.
        """
        if self._plan is None:
            plan = plan_apply(
                self._given,
                self._calib.catalog,
                self._calib.working.read,
                clamp=self._clamp,
                variants=self._calib.chosen or None,
            )
            self._check(plan)
            for address, data in plan.writes:
                self._memory.write(address, data)
            self._plan = plan
        return self._plan

    def _check(self, plan: ApplyPlan) -> None:
        subject = f"set {self._given.name}".rstrip()
        if plan.refused and not self._partial:
            refused = tuple(one.line() for one in plan.refused)
            raise PlanError(subject, refused, hint="partial=True takes all the others.")
        find = self._calib.working.segment_at
        outside = [
            f"{one.name}: it lies outside of the segments of the ECU"
            for one in plan.changed
            if any(find(address, len(data)) is None for address, data in one.writes)
        ]
        if outside:
            hint = "Bring them in by apply(), which needs no segments."
            raise PlanError(subject, tuple(outside), hint=hint)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they would be.

        Raises:
            PlanError: see :attr:`plan`.
            XcaliperError: the slave refuses or is silent.
        """
        _ = self.plan
        return self._memory.read(address, size_bytes)

    def write(self, address: Address, data: bytes) -> None:
        """Take over what the ECU has."""
        self._memory.write(address, data)

    @property
    def is_changed(self) -> bool:
        """True once the ECU has won for something of the set."""
        return bool(self._lost())

    def _lost(self) -> set[str]:
        """Names of entries for which the ECU has won."""
        return {
            one.name
            for one in self.plan.outcomes
            if any(self._memory.read(address, len(data)) != data for address, data in one.writes)
        }

    def values(self) -> ParameterSet:
        """The set, with the values of the ECU where that has won."""
        lost = self._lost()
        others = [
            one
            for one in self._given
            if one.name in lost or any(axis.ref in lost for axis in one.axes if axis.ref)
        ]
        self.diagnostics.clear()
        made: list[Entry] = []
        for raw in (False, True):
            names = dict.fromkeys(one.name for one in others if one.is_raw is raw)
            held = extract(
                self._calib.catalog,
                self._memory.read,
                names,
                on_problem=self.diagnostics.append,
                variants=None,
                raw=raw,
            )
            found = {matching_key(one.key): one for one in held}
            made += [
                _with_values(one, found[matching_key(one.key)])
                for one in others
                if one.is_raw is raw and matching_key(one.key) in found
            ]
        return self._given.with_entries(made) if made else self._given


def _with_values(given: Entry, held: Entry) -> Entry:
    """An entry as it was given, with values and points from memory."""
    axes = held.axes if any(axis.values is not None for axis in given.axes) else given.axes
    return replace(given, kind=held.kind, values=held.values, axes=axes)
