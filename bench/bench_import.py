"""What `import xcaliper` costs, as a ratio to `import numpy`: at most 1.5.

Fresh processes take turns, and CPU time of the process counts, so that what else runs hardly matters. The result is
the median; the exit code tells whether the ratio holds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

LIMIT: Final = 1.5
SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
FINE: Final = (
    "import time; a = time.process_time_ns(); import {}; print((time.process_time_ns() - a) / 1e6)"
)


def cost_ms(module: str) -> float:
    """CPU milliseconds that one import takes in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", FINE.format(module)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="processes per module")
    rounds = max(3, parser.parse_args().rounds)
    for module in ("numpy", "xcaliper"):
        cost_ms(module)  # compiled files and disk cache
    costs: dict[str, list[float]] = {"numpy": [], "xcaliper": []}
    for _ in range(rounds):
        for module, values in costs.items():
            values.append(cost_ms(module))
    medians = {module: statistics.median(values) for module, values in costs.items()}
    ratio = medians["xcaliper"] / medians["numpy"]
    for module, median in medians.items():
        print(f"import {module:<10} {median:7.1f} ms CPU (median of {rounds})")
    print(f"ratio             {ratio:7.2f}    limit {LIMIT}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
