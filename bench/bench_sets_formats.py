"""Parameter sets read and written in every format: time per value as a ratio to splitting the same text, in one run.

Run: ``PYTHONPATH=src python bench/bench_sets_formats.py``. The set is that of ``bench_dcm.py``: scalars, blocks, curves and maps,
a quarter each. Files of PAR and C need a description and are left out; PaCo and CVX are not written. Figures are medians of CPU time of
the thread; the ratios are the result. For CDF there is also the ratio to what ElementTree takes to build the same tree.
"""

from __future__ import annotations

import argparse
import json
import sys
from xml.etree.ElementTree import fromstring

from bench_dcm import example, median

from xcaliper.calib.formats.table import FORMATS, read_set, write_set

NEED_DESCRIPTION = ("par", "c")


def ratios(values, name, rounds):
    """Figures of one format."""
    data = write_set(values, name)
    found = read_set(data, format=name)
    assert len(found.values) == len(values)
    text = data.decode()
    split = median(text.split, rounds)
    read = median(lambda: read_set(data, format=name), rounds)
    figures = {
        "megabytes": round(len(data) / 1e6, 2),
        "read / splitting": round(read / split, 1),
        "write / splitting": round(median(lambda: write_set(values, name), rounds) / split, 1),
        "values per second, reading": round(sum(one.count for one in values) / read),
    }
    if name == "cdf":
        figures["read / ElementTree"] = round(read / median(lambda: fromstring(data), rounds), 1)
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    values = example(given.groups)
    names = [one.name for one in FORMATS if one.read and one.write]
    figures = {
        name: ratios(values, name, given.rounds) for name in names if name not in NEED_DESCRIPTION
    }
    if given.json:
        print(json.dumps(figures))
    else:
        for name, found in figures.items():
            print(f"{name}: " + ", ".join(f"{key} {figure}" for key, figure in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
