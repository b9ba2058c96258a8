"""The bytes of calibration segments as an image: a page of an ECU, to be kept or put into its program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.calib.page_image import parameter_ranges
from xcaliper.calib.segments import CalibSegment
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.image.memory_image import MemoryImage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.calib.calibrator import Calibrator

__all__ = ["page_bytes"]


def page_bytes(
    calib: Calibrator, page: int | None = None, segments: Iterable[int | str] = ()
) -> MemoryImage:
    """Bytes of segments, by addresses of the description.

    Args:
        calib: of an ECU, or of an image, which has the segments of parameters that the description tells.
        page: its number; None is the page that XCP sees in each segment.
        segments: numbers and names; every segment without any.

    Raises:
        NotFoundError: no such segment, or it has no such page.
        UsageError: there are no segments, or a slave does not tell its page, so nobody could go back.
        XcaliperError: the slave refuses or is silent.
    """
    working = calib.working
    known = working.segments or tuple(
        CalibSegment(None, name, one.start, one.size_bytes)
        for name, one in parameter_ranges(calib.catalog)
    )
    chosen = [_one(known, which) for which in segments] or list(known)
    if not chosen:
        raise UsageError(
            "image: nobody tells of a segment of parameters.",
            hint="The description needs a MEMORY_SEGMENT of DATA, or the slave a segment.",
        )
    runs = []
    for one in dict.fromkeys(chosen):
        if page is not None:
            _check_page(one, page)
        kept = one in working.segments
        data = working.content(one, page) if kept else calib.read_memory(one.start, one.size_bytes)
        runs.append((one.start, data))
    return MemoryImage(runs, ag=working.ag)


def _one(known: tuple[CalibSegment, ...], which: int | str) -> CalibSegment:
    for one in known:
        if which in (one.number, one.name) or str(one.number) == which:
            return one
    names = tuple(one.name or str(one.number) for one in known)
    raise NotFoundError(str(which), kind="segment", nearest=names)


def _check_page(segment: CalibSegment, page: int) -> None:
    known = [one.number for one in segment.pages]
    if page not in known:
        nearest = tuple(map(str, known))
        raise NotFoundError(str(page), kind=f"page of {segment.label}", nearest=nearest)
