"""Parameter sets of 100 000 parameters: compare, merge, extract and plan, against a comparison of raw images.

Run: ``PYTHONPATH=src python bench/bench_sets.py``. Half of the parameters are single values, a quarter each curves
and maps; one in a hundred differs. The floor is one numpy comparison of the two images, which
have room between parameters, or of as many bytes as the parameters have. CPU time of the process
counts, so that what else runs hardly matters.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import a2l_generator
import numpy as np

from xcaliper.a2l import parse
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract
from xcaliper.calib.merge import merge
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

BASE = 0x8000_0000
PITCH = 0x800
"""Bytes between two parameters of the generator."""
ROUNDS = 3


def best(call: Any) -> tuple[float, Any]:
    """CPU seconds of the fastest round, and what came of it."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        result = call()
        times.append(time.process_time() - begin)
    return min(times), result


def once(call: Any) -> tuple[float, Any]:
    """CPU seconds and result of one call."""
    begin = time.process_time()
    result = call()
    return time.process_time() - begin, result


def image(data: np.ndarray) -> SparseMemory:
    """Memory that starts where the parameters are."""
    memory = SparseMemory()
    memory.add(Address(BASE), bytearray(data.tobytes()))
    return memory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=100_000)
    count = max(100, parser.parse_args().parameters)
    file = parse(a2l_generator.describe(0, count).decode())
    rng = np.random.default_rng(6)
    old = rng.integers(0, 255, count * PITCH + PITCH, dtype=np.uint8)
    # axis points and values of any bytes; a float may be not-a-number, which equals itself
    new = old.copy()
    changed = list(file.modules[0].characteristic)[::100]
    new[np.asarray([one.address for one in changed]) - BASE] ^= 1
    problems: list[Any] = []

    names, _ = once(lambda: Catalog(file).names)
    held, other = image(old), image(new)
    cold, left = once(lambda: extract(Catalog(file), held.read, on_problem=problems.append))
    catalog = Catalog(file)
    right = extract(catalog, other.read, on_problem=problems.append)
    warm, _ = once(lambda: extract(catalog, held.read, on_problem=problems.append))
    assert not problems, problems[:3]
    assert len(left) == len(right) == count

    floor, _ = best(lambda: np.flatnonzero(old != new))
    packed = sum(catalog.bind(name).size_bytes for name in catalog.characteristics)
    close, _ = best(lambda: np.flatnonzero(old[:packed] != new[:packed]))
    compared, found = best(lambda: compare(left, right))
    near, _ = best(lambda: compare(left, right, relative=1e-6))
    merged, result = once(lambda: merge(left, right, left))
    assert not result.conflicts
    assert len(result.from_mine) == len(found.changed)
    planned, plan = once(lambda: plan_apply(right, catalog, held.read, clamp=True))
    print(
        json.dumps(
            {
                "parameters": count,
                "image_bytes": len(old),
                "differ": len(found.changed),
                "numpy_image_s": round(floor, 4),
                "compare_s": round(compared, 3),
                "compare_to_numpy_image": round(compared / floor, 1),
                "parameter_bytes": packed,
                "compare_to_numpy_parameters": round(compared / close, 1),
                "compare_with_tolerance_to_numpy_image": round(near / floor, 1),
                "merge_to_numpy_image": round(merged / floor, 1),
                "extract_s": round(cold, 2),
                "extract_again_to_compare": round(warm / compared, 1),
                "plan_apply_s": round(planned, 2),
                "plan_apply_to_compare": round(planned / compared, 1),
                "plan_outcomes": {str(k): v for k, v in plan.counts().items()},
                "names_s": round(names, 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
