"""Streaming rate of the MDF4 writer against asammdf's append and extend, in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from xcaliper.core.samples import SampleBlock
from xcaliper.record.description import (
    RasterDescription,
    RecordingDescription,
    SignalDescription,
)
from xcaliper.record.sinks.mdf4 import Mdf4Sink

RASTERS = ((1, 100), (10, 400), (100, 1000))  # period in ms, number of signals
SECONDS = 160
REPEATS = 3


def blocks(seconds):
    """Per second and raster: times and structured rows."""
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 6.28, 1000)
    speed = rng.uniform(0.1, 2.0, 1000)
    for second in range(seconds):
        for number, (period, count) in enumerate(RASTERS):
            dtype = np.dtype([(f"s{number}_{n}", "<u2") for n in range(count)])
            rows = 1000 // period
            t_ns = (np.arange(rows) * period + second * 1000).astype(np.int64) * 1_000_000
            angle = phase[:count] + speed[:count] * (t_ns[:, None] / 1e9)
            data = (np.sin(angle) * 1000 + 2000).astype(np.uint16)
            data += rng.integers(0, 4, (rows, count), dtype=np.uint16)
            yield number, t_ns, data.view(dtype)[:, 0]


def ours(path, work, compressed):
    rasters = []
    for number, (period, _) in enumerate(RASTERS):
        dtype = next(rows.dtype for n, _, rows in work if n == number)
        signals = tuple(SignalDescription(name) for name in dtype.names)
        rasters.append(
            RasterDescription(f"{period} ms", number, period * 1_000_000, dtype, signals)
        )
    start = time.perf_counter()
    sink = Mdf4Sink(path, RecordingDescription(0, tuple(rasters)), compressed=compressed)
    for index, (number, t_ns, rows) in enumerate(work):
        sink.write(SampleBlock(number, t_ns, rows))
        sink.tick((index + 1) << 40)  # every second of data goes to the file at once
    sink.close()
    return time.perf_counter() - start


def asammdf_extend(path, work, compressed):
    from asammdf import MDF, Signal

    start = time.perf_counter()
    mdf = MDF(version="4.10")
    known = set()
    for number, t_ns, rows in work:
        t_s = t_ns / 1e9
        if number not in known:
            known.add(number)
            mdf.append([Signal(rows[name], t_s, name=name) for name in rows.dtype.names])
        else:
            mdf.extend(number, [(t_s, None), *((rows[name], None) for name in rows.dtype.names)])
    mdf.save(path, overwrite=True, compression=2 if compressed else 0)
    mdf.close()
    return time.perf_counter() - start


def main():
    warnings.simplefilter("ignore")
    work = list(blocks(SECONDS))
    samples = sum(rows.size * len(rows.dtype.names) for _, _, rows in work)
    size = sum(rows.nbytes for _, _, rows in work)
    print(f"{samples / 1e6:.1f} M samples, {size / 1e6:.0f} MB, flushed every second")
    print(f"{'path':<24}{'asammdf M/s':>12}{'ours M/s':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for compressed in (False, True):
            times = {ours: [], asammdf_extend: []}
            for repeat in range(REPEATS):
                for run, found in times.items():
                    path = Path(folder) / f"{run.__name__}_{compressed}_{repeat}.mf4"
                    found.append(run(path, work, compressed))
                    path.unlink()
            mine, peer = (statistics.median(found) for found in times.values())
            name = "transposed deflate" if compressed else "plain"
            print(
                f"{name:<24}{samples / peer / 1e6:>12.1f}{samples / mine / 1e6:>12.1f}"
                f"{peer / mine:>8.1f}"
            )


if __name__ == "__main__":
    main()
