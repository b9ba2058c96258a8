"""Recordings with a known truth: two rasters, a counter and a sine, cut into blocks."""

from __future__ import annotations

import numpy as np

from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record.description import (
    RasterDescription,
    RecordingDescription,
    SignalDescription,
)

FAST = np.dtype([("n", "<u4"), ("x", "<f8")])
SLOW = np.dtype([("level", "<i4")])
MS = 1_000_000


def signals(dtype):
    return tuple(SignalDescription(name) for name in dtype.names)


DESCRIPTION = RecordingDescription(
    start_ns=10**18,
    rasters=(
        RasterDescription("1ms", 0, MS, FAST, signals(FAST)),
        RasterDescription("10ms", 1, 10 * MS, SLOW, signals(SLOW)),
    ),
    source="ENGINE",
)


def fast(start, stop, gaps=()):
    """Rows start to before stop of the 1 ms raster: a counter and a sine of 1 Hz."""
    n = np.arange(start, stop)
    rows = np.zeros(len(n), FAST)
    rows["n"] = n
    rows["x"] = np.sin(n * 2e-3 * np.pi)
    return SampleBlock(0, n * MS, rows, tuple(gaps))


def slow(start, stop):
    """Rows of the 10 ms raster: a counter."""
    n = np.arange(start, stop)
    rows = np.zeros(len(n), SLOW)
    rows["level"] = n
    return SampleBlock(1, n * 10 * MS, rows)


def stream(total=3000, size=37, *, late=0):
    """Blocks of both rasters, the slow one ``late`` blocks behind."""
    waiting = []
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield fast(start, stop)
        if -(-start // 10) < -(-stop // 10):
            waiting.append(slow(-(-start // 10), -(-stop // 10)))
        while len(waiting) > late:
            yield waiting.pop(0)
    yield from waiting


def lost(before_row, start, stop, count=None):
    """A gap between two rows of the 1 ms raster."""
    missing = stop - start - 1 if count is None else count
    return Gap(before_row, start * MS, stop * MS, missing, "counter")
