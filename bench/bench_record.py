"""Recording: streaming rate against asammdf's append and extend, and 20 MB/s for a minute.

The rate compares process CPU time, in interleaved rounds, with the median of the rounds' ratios. The
minute goes through recorder, queue and MDF4 sink with a paced producer; its counter proves in the
file that nothing was lost, its memory is looked at after 10 s and at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from xcaliper.core.samples import SampleBlock
from xcaliper.mdf.reader import MdfReader
from xcaliper.record.description import (
    RasterDescription,
    RecordingDescription,
    SignalDescription,
)
from xcaliper.record.files import DiskFile
from xcaliper.record.recorder import Recorder
from xcaliper.record.sinks.mdf4 import Mdf4Sink

RASTERS = ((1, 100), (10, 400), (100, 1000))  # period in ms, number of signals
BLOCK_S = 0.01
EARLY_S = 10.0


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


def described(work):
    rasters = []
    for number, (period, _) in enumerate(RASTERS):
        dtype = next(rows.dtype for n, _, rows in work if n == number)
        signals = tuple(SignalDescription(name) for name in dtype.names)
        rasters.append(
            RasterDescription(f"{period} ms", number, period * 1_000_000, dtype, signals)
        )
    return RecordingDescription(0, tuple(rasters))


def stream(sink, work, *, ticks=True):
    start = time.process_time()
    for index, (number, t_ns, rows) in enumerate(work):
        sink.write(SampleBlock(number, t_ns, rows))
        if ticks:
            sink.tick((index + 1) << 40)  # every second of data goes to the file at once
    sink.close()
    return time.process_time() - start


def ours(path, work, compressed):
    return stream(Mdf4Sink(path, described(work), compressed=compressed), work)


def parquet(path, work):
    from xcaliper.record.sinks.parquet import ParquetSink

    sink = ParquetSink(path, described(work), physical=False)
    return stream(sink, work, ticks=False)  # parts of the size that they have at high rates


def asammdf_extend(path, work, compressed):
    from asammdf import MDF, Signal

    start = time.process_time()
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
    return time.process_time() - start


def rates(folder, options):
    """Ratios and rates of whole files, flushed every second of data."""
    work = list(blocks(options.file_seconds))
    samples = sum(rows.size * len(rows.dtype.names) for _, _, rows in work)
    results = {"file [MB]": sum(rows.nbytes for _, _, rows in work) / 1e6}
    for compressed, name in ((False, "plain"), (True, "compressed")):
        pairs = []
        for repeat in range(options.rounds):
            mine, peer = folder / f"mine{repeat}.mf4", folder / f"peer{repeat}.mf4"
            runs = [(ours, mine), (asammdf_extend, peer)]
            found = {}
            for run, path in runs if repeat % 2 else reversed(runs):
                found[run] = run(path, work, compressed)
            pairs.append((found[ours], found[asammdf_extend]))
            mine.unlink()
            peer.unlink()
        bar = " (bar: 5)" if not compressed else ""
        results[f"{name}: ours [M samples/s]"] = (
            samples / statistics.median(p[0] for p in pairs) / 1e6
        )
        results[f"{name}: asammdf [M samples/s]"] = (
            samples / statistics.median(p[1] for p in pairs) / 1e6
        )
        results[f"{name}: rate / asammdf{bar}"] = statistics.median(p[1] / p[0] for p in pairs)
    try:
        taken = parquet(folder / "p.parquet", work)
    except Exception as error:
        results["parquet"] = str(error)
    else:
        results["parquet: ours [M samples/s]"] = samples / taken / 1e6
    return results


def resident_kb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def paced(folder, options):
    """Record at a rate for a while; the counter in the file is the truth."""
    dtype = np.dtype([("counter", "<u8"), *((f"s{n}", "<u2") for n in range(996))])
    signals = tuple(SignalDescription(name) for name in dtype.names)
    row_bytes = dtype.itemsize + 8
    count = max(1, round(options.rate * 1e6 * BLOCK_S / row_bytes))
    description = RecordingDescription(
        0, (RasterDescription("raster", 0, round(BLOCK_S * 1e9 / count), dtype, signals),)
    )
    path = folder / "paced.mf4"
    recorder = Recorder(description, path)
    early = refused = done = 0
    cpu, start = time.process_time(), time.perf_counter()
    while (now := time.perf_counter() - start) < options.seconds:
        if not early and now >= min(EARLY_S, options.seconds / 2):
            early = resident_kb()
        while done * BLOCK_S <= now:
            rows = np.zeros(count, dtype)
            rows["counter"] = np.arange(done * count, (done + 1) * count)
            step = round(BLOCK_S * 1e9 / count)
            t_ns = (np.arange(count) + done * count).astype(np.int64) * step
            refused += not recorder.put(SampleBlock(0, t_ns, rows))
            done += 1
        time.sleep(BLOCK_S / 2)
    late = resident_kb()
    sent_s = time.perf_counter() - start
    recorder.close()
    cpu, taken = time.process_time() - cpu, time.perf_counter() - start
    stats = recorder.stats
    return {
        "paced: rate [MB/s]": done * count * row_bytes / sent_s / 1e6,
        "paced: seconds": sent_s,
        "paced: rows sent": done * count,
        "paced: rows lost (bar: 0)": done * count - rows_in(path, done * count),
        "paced: blocks refused (bar: 0)": refused + stats.dropped_blocks,
        "paced: CPU of a core, producer included": cpu / taken,
        "paced: queue, most [MB]": stats.peak_bytes / 1e6,
        "paced: memory early [MB]": early / 1e3,
        "paced: memory at the end [MB]": late / 1e3,
        "paced: memory end / early (bar: 1.05)": late / early if early else "not known here",
    }


def rows_in(path, expected):
    """Rows of a file whose counter is what it must be."""
    file = DiskFile(path, writable=False)
    try:
        reader = MdfReader(file)
        found = reader.raw(reader.groups[0], "counter")
    finally:
        file.close()
    return int((found[:expected] == np.arange(len(found[:expected]))).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--file-seconds", type=int, default=160)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=20.0, help="MB/s")
    parser.add_argument("--folder", type=Path, help="record there instead of a temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        if sys.platform == "linux":
            results |= paced(Path(name), options)
        results |= rates(Path(name), options)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for key, value in results.items():
        print(f"{key:44} " + (value if isinstance(value, str) else f"{value:12.3f}"))


if __name__ == "__main__":
    main()
