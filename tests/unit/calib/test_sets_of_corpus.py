"""Every description of the corpus, and our own, over memory of any bytes: sets come out and change nothing going in."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from support.parameters import Bench, described
from xcaliper.a2l import decode_text, parse
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract
from xcaliper.quantity.catalog import Catalog

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT / "../shared/data"))
OWN = sorted(
    (ROOT / "tests/vectors/a2l").glob("*.a2l")
)  # where there is no corpus, these stand for it
FILES = [*OWN, *(p for p in sorted(CORPUS.glob("a2l/**/*.a2l")) if p.stat().st_size < 1_500_000)]
POOL = np.random.default_rng(3).integers(0, 256, 1 << 16, dtype=np.uint8)


def anything(address, size_bytes):
    """Bytes that depend on the address alone."""
    return POOL[(address.value * 8 + np.arange(size_bytes)) % len(POOL)].tobytes()


def catalogs():
    """Name and description: a parameter of every kind, then every file; some only include others."""
    yield "every kind", described()
    for path in FILES:
        file = parse(decode_text(path.read_bytes())[0])
        if file.modules:
            yield path.name, Catalog(file)


@pytest.mark.parametrize("raw", [False, True])
def test_what_comes_out_changes_nothing_going_in(raw):
    outcomes: Counter[str] = Counter()
    for name, catalog in catalogs():
        told = []
        values = extract(catalog, anything, on_problem=told.append, raw=raw)
        names = {one.subject for one in told} | set(values.names)
        wanted = {*catalog.characteristics, *catalog.axis_pts, *catalog.blobs}
        assert wanted <= names, name  # in the set, or told why not
        plan = plan_apply(values, catalog, anything)
        assert plan.writes == (), name
        outcomes.update(plan.counts())
        assert compare(values, extract(catalog, anything, on_problem=told.append, raw=raw)).is_equal
    assert outcomes["unchanged"] > 25
    assert set(outcomes) == {"unchanged"}


def test_numbers_that_signal_are_read_without_a_warning():
    bench = Bench()
    bench.memory.write(bench.catalog.bind("factor").address, b"\1\0\x80\x7f")
    for raw in (False, True):
        values = extract(bench.catalog, bench.read, on_problem=bench.tell, raw=raw)
        assert np.isnan(values["factor"].values)
        assert compare(values, extract(bench.catalog, bench.read, on_problem=bench.tell, raw=raw))
        assert plan_apply(values, bench.catalog, bench.read).writes == ()
