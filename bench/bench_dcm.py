"""Reading and writing DCM: ratios to dcmReader and to splitting the same text into words, in one run.

Run: ``PYTHONPATH=src python bench/bench_dcm.py``. The file is made of scalars, blocks, curves and maps. Figures are medians of
CPU time; the ratios are the result. dcmReader is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xcaliper.calib.formats.dcm_read import read_dcm
from xcaliper.calib.formats.dcm_write import write_dcm
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis


def median(function, rounds):
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        function()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def example(count):
    """A set of that many groups of a scalar, a block, a curve and a map."""
    rng = np.random.default_rng(1)
    entries = []
    for n in range(count):
        more = {"unit": "km/h", "long_name": f"a parameter {n}", "functions": (f"F{n % 20}",)}
        x, y = (SetAxis(AxisKind.STD, rng.normal(size=size).cumsum(), unit="s") for size in (8, 6))
        entries += [
            Entry(f"scalar{n}", EntryKind.VALUE, float(rng.normal()), **more),
            Entry(f"block{n}", EntryKind.VAL_BLK, rng.integers(0, 9999, 6), **more),
            Entry(f"curve{n}", EntryKind.CURVE, rng.normal(size=8), (x,), **more),
            Entry(f"map{n}", EntryKind.MAP, rng.normal(size=(6, 8)), (x, y), **more),
        ]
    return ParameterSet(entries)


def others(data, rounds):
    """Time of dcmReader, None where it is not installed."""
    try:
        from dcmReader.dcm_reader import DcmReader
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.dcm"
        path.write_bytes(data)
        return median(lambda: DcmReader().read(str(path)), rounds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    values = example(given.groups)
    data = write_dcm(values)
    found = read_dcm(data)
    assert len(found.values) == len(values)
    assert not found.diagnostics
    text = data.decode()
    split = median(text.split, given.rounds)
    read = median(lambda: read_dcm(data), given.rounds)
    write = median(lambda: write_dcm(values), given.rounds)
    other = others(data, given.rounds)
    figures = {
        "megabytes": round(len(data) / 1e6, 2),
        "read / splitting into words": round(read / split, 1),
        "write / splitting into words": round(write / split, 1),
        "dcmReader / read": None if other is None else round(other / read, 1),
        "megabytes per second, reading": round(len(data) / 1e6 / read, 1),
    }
    if given.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name}: {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
