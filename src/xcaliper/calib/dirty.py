"""What differs from the reference page or from a file, as names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.history import Change, told
from xcaliper.calib.write_plan import Run, difference
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.calib.live import LiveValues
    from xcaliper.calib.places import PlaceIndex
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.working_set import WorkingSet
    from xcaliper.core.address import AddressRange

__all__ = ["Dirty", "changes_of", "dirty_of", "dirty_runs"]

#: With more parameters than this a download tells their names only.
_MAX_TOLD: Final = 10_000


@dataclass(frozen=True, slots=True)
class Dirty:
    """What differs.

    Attributes:
        names: parameters, in the order of their addresses.
        unnamed: bytes that belong to no parameter.
        bytes_changed: bytes that differ.
    """

    names: tuple[str, ...]
    unnamed: tuple[AddressRange, ...]
    bytes_changed: int

    def __bool__(self) -> bool:
        return self.bytes_changed > 0


def dirty_of(places: PlaceIndex, working: WorkingSet, runs: Sequence[Run]) -> Dirty:
    """Some runs as what they are of, byte by byte."""
    names, unnamed = places.names_in(
        part.range
        for run in runs
        for part in difference(run.address, run.old, run.new, ag=working.ag)
    )
    changed = sum(a != b for one in runs for a, b in zip(one.old, one.new, strict=True))
    return Dirty(tuple(names), tuple(unnamed), changed)


def dirty_runs(
    working: WorkingSet, against: str, page: int | None, saved: Mapping[int, bytes]
) -> list[Run]:
    """Bytes of every segment that are not as on its reference page, or not as they were saved.

    Args:
        working: what is known of the ECU.
        against: ``reference`` or ``file``.
        page: the reference page; None = the first one that cannot be written.
        saved: number of the segment, in order → bytes that were saved.

    Raises:
        UsageError: there is no other page, or nothing was saved.
    """
    if against not in ("reference", "file"):
        raise UsageError(f"dirty: against {against!r} is neither 'reference' nor 'file'.")
    if against == "file" and not saved:
        raise UsageError(
            "dirty: nothing was saved, so nothing is known to compare with.",
            hint="Export, or call mark_saved().",
        )
    runs: list[Run] = []
    for number, segment in enumerate(working.segments):
        other = saved.get(number) if against == "file" else _reference(working, segment, page)
        if other is not None:
            runs += difference(segment.start, other, working.content(segment), ag=working.ag)
    return runs


def _reference(working: WorkingSet, segment: CalibSegment, page: int | None) -> bytes:
    reference = segment.reference_page if page is None else page
    if segment.number is None or reference is None:
        raise UsageError(f"{segment.label}: it has no reference page.", hint='Use dirty("file").')
    return working.content(segment, reference)


def changes_of(names: Sequence[str], before: LiveValues, after: LiveValues) -> list[Change]:
    """Some parameters with their values in one memory and in another."""
    if len(names) > _MAX_TOLD:
        return [Change(name, None, None) for name in names]
    return [Change(name, _told(before, name), _told(after, name)) for name in names]


def _told(live: LiveValues, name: str) -> Any:
    try:
        return told(live.read(name))
    except UsageError:  # a value that its description cannot express
        return None
