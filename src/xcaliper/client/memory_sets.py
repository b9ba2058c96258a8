"""Parameters of what has names, an image or an ECU that answers, compared with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract, parameter_names
from xcaliper.calib.image_values import ParameterDifference
from xcaliper.calib.paramset import ParameterSet

if TYPE_CHECKING:
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = ["NamedSource", "diff_by_name"]


class NamedSource(Protocol):
    """Memory with a description."""

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        ...

    def read_memory(self, address: Address, size: int, /) -> bytes:
        """Bytes at an address."""
        ...


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
