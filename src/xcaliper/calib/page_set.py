"""The values of one page of an ECU as a parameter set, whatever page is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.calib.extract import extract, parameter_names
from xcaliper.calib.page_bytes import page_bytes
from xcaliper.calib.select import without_read_only
from xcaliper.calib.staging import StagedMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from xcaliper.calib.calibrator import Calibrator
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["page_set"]


def page_set(  # options by name
    calib: Calibrator,
    page: int,
    names: Iterable[str] | None = None,
    *,
    on_problem: Callable[[Diagnostic], None],
    variants: Mapping[str, str] | None = None,
    raw: bool = False,
    segments: Iterable[int | str] = (),
) -> ParameterSet:
    """A set of what one page of an ECU holds; outside of the segments it is what the ECU holds.

    Args:
        calib: of the ECU; XCP sees the page while it is read, and the one before afterwards.
        page: its number.
        names: what to take; None for everything that may be calibrated.
        on_problem: is told of everything that is left out.
        variants: criterion → value, to take one variant only.
        raw: ECU values instead of physical ones.
        segments: numbers and names of segments to take from that page; every segment without any.

    Raises:
        NotFoundError: no such segment, or it has no such page.
        UsageError: there are no segments, or a slave does not tell its page, so nobody could go back.
        XcaliperError: the slave refuses or is silent.
    """
    held = page_bytes(calib, page, segments)
    memory = StagedMemory(calib.working.read, calib.working.ag)
    for address, data in held.runs():
        memory.write(address, data)
    if names is None:
        names = without_read_only(calib.catalog, parameter_names(calib.catalog), on_problem)
    return extract(
        calib.catalog,
        memory.read,
        names,
        on_problem=on_problem,
        variants=variants,
        raw=raw,
        name=f"page {page}",
    )
