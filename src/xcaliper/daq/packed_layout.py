"""Packed DTOs: where the bytes of each sample are, and when it was taken.

XCP Base, SET_DAQ_PACKED_MODE, 1.4: a set of DTOs carries several samples behind one timestamp. Grouped
by element, all samples of an entry stand together; grouped by event, all entries of a sample do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.daq.plan import Raster

__all__ = ["packed_index", "spread_times"]

_ELEMENT_GROUPED: Final = 1


def packed_index(raster: Raster, data_starts: Sequence[int]) -> NDArray[np.intp]:
    """Positions of the bytes of every sample in the joined DTOs of a set, row after row.

    Args:
        raster: a packed one.
        data_starts: where the data of each DTO begins.

    Returns:
        intp[samples × row bytes].
    """
    assert raster.packed is not None, "only packed rasters have sets"
    count = raster.packed.sample_count
    samples = np.arange(count, dtype=np.intp)[:, None]
    parts: list[NDArray[np.intp]] = []
    for start, size, entries in zip(data_starts, raster.odt_sizes, raster.entry_sizes, strict=True):
        if raster.packed.mode != _ELEMENT_GROUPED:
            parts.append(start + samples * size + np.arange(size, dtype=np.intp))
            continue
        for entry in entries:
            parts.append(start + samples * entry + np.arange(entry, dtype=np.intp))
            start += count * entry  # noqa: PLW2901  # walks through the DTO
    return np.concatenate(parts, axis=1).ravel()


def spread_times(
    stamps: NDArray[np.int64],
    raster: Raster,
    last_ns: int | None,
    *,
    stamped: bool = True,
) -> NDArray[np.int64]:
    """Times of all samples of sets, int64[sets × samples], never decreasing.

    Samples of a set are one cycle apart. Where neighbouring timestamps are about as far apart as a
    set is long, the samples between them are spaced evenly instead, so that the drift of a clock
    makes no steps; so they are where the event has no known cycle.

    Args:
        stamps: time of each set.
        raster: a packed one.
        last_ns: time of the sample before, None at the beginning.
        stamped: False when the times are those of arrival, which the last sample has.
    """
    assert raster.packed is not None, "only packed rasters have sets"
    count = raster.packed.sample_count
    first = stamped and raster.packed.timestamp_mode == 1
    steps = np.diff(stamps)
    if first:
        steps = np.append(steps, steps[-1] if len(steps) and not raster.cycle_ns else -1)
    else:
        steps = np.insert(steps, 0, -1 if last_ns is None else stamps[0] - last_ns)
    length = raster.set_cycle_ns
    if length:
        even = (steps * 2 > length) & (steps * 2 < 3 * length)
        steps = np.where(even, steps, length)
    elif len(steps) > 1 and steps[0] < 0:
        steps[0] = steps[1]
    steps = np.maximum(steps, 0)
    places = np.arange(count) if first else np.arange(1 - count, 1)
    times = stamps[:, None] + steps[:, None] * places // count
    flat: NDArray[np.int64] = np.maximum.accumulate(times.ravel())
    return flat if last_ns is None else np.maximum(flat, last_ns)
