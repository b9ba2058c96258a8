"""Parameter sets out of, into and against what has names: an image, or an ECU that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract, parameter_names
from xcaliper.calib.history import Kind
from xcaliper.calib.image_values import ParameterDifference
from xcaliper.calib.paramset import ParameterSet
from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    from xcaliper.calib.calibrator import Calibrator
    from xcaliper.calib.outcomes import ApplyPlan
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = ["NamedSource", "apply_plan", "diff_by_name"]


class NamedSource(Protocol):
    """Memory with a description."""

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        ...

    def read_memory(self, address: Address, size: int, /) -> bytes:
        """Bytes at an address."""
        ...


def apply_plan(
    calib: Calibrator, plan: ApplyPlan, *, name: str, partial: bool = False, reason: str = ""
) -> None:
    """Write what was planned for a set: all of it, or nothing.

    Args:
        calib: writes and remembers.
        plan: what becomes of every entry.
        name: of the set, for messages.
        partial: write what can be taken, although other entries cannot.
        reason: why, for the history.

    Raises:
        PlanError: an entry cannot be taken; carries each with its reason, and nothing was written.
        TransactionError: it was stopped; tells whether everything was put back.
    """
    if plan.refused and not partial:
        raise PlanError(
            f"set {name}".rstrip(),
            tuple(one.line() for one in plan.refused),
            hint="Nothing was written. partial=True writes the others.",
        )
    if plan.writes:
        calib.send(plan.writes, kind=Kind.APPLY, reason=reason)


def diff_by_name(
    left: NamedSource,
    right: NamedSource | ParameterSet,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
) -> ParameterDifference:
    """Where parameters differ, by their names; each side has its own description.

    Args:
        left: memory.
        right: other memory; or a set, whose entries alone are compared.
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.

    Raises:
        UsageError: a tolerance is below 0.
    """
    notes: list[Diagnostic] = []
    names: list[str] | None = None
    if isinstance(right, ParameterSet):
        known = set(parameter_names(left.catalog))
        names = [one for one in right.names if one in known or left.catalog.variants.find(one)]
        other = right
    else:
        other = extract(right.catalog, right.read_memory, on_problem=notes.append)
    own = extract(left.catalog, left.read_memory, names, on_problem=notes.append)
    found = compare(own, other, absolute=absolute, relative=relative)
    return ParameterDifference(found, diagnostics=tuple(notes))
