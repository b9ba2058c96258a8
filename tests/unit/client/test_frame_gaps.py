"""Losses stay with the data when blocks become frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xcaliper.client import frames
from xcaliper.client.block import Block
from xcaliper.client.measurement import Measurement
from xcaliper.core.samples import Gap, SampleBlock

T_NS = np.array([0, 10, 40, 50], np.int64) * 1_000_000
ROWS = np.array([(1,), (2,), (5,), (6,)], [("n", "<u2")])
GAPS = (Gap(2, 10_000_000, 40_000_000, 2, "counter"), Gap(4, 50_000_000, 90_000_000, 0, "overload"))
TOLD = [
    {"t_from": 0.01, "t_to": 0.04, "lost": 2, "reason": "counter"},
    {"t_from": 0.05, "t_to": 0.09, "lost": 0, "reason": "overload"},
]


@pytest.fixture
def blocks():
    rule = SimpleNamespace(unit="rpm", phys=lambda column: column, raw=lambda column: column)
    return [
        Block("lossy", SampleBlock(0, T_NS, ROWS, GAPS), {"n": rule}, raw_only=False),
        Block("whole", SampleBlock(1, T_NS, ROWS, ()), {"n": rule}, raw_only=False),
    ]


def same(found, expected):
    assert [set(row) for row in found] == [set(row) for row in expected]
    for key in ("lost", "reason"):
        assert [row[key] for row in found] == [row[key] for row in expected]
    for key in ("t_from", "t_to"):
        assert [row[key] for row in found] == pytest.approx([row[key] for row in expected])


def test_a_measurement_tells_its_gaps_per_event(blocks):
    found = Measurement.gaps(SimpleNamespace(blocks=lambda: blocks))
    assert list(found) == ["lossy", "whole"]
    same(found["lossy"], TOLD)
    assert found["whole"] == []


def test_frames_of_pandas_carry_them(blocks, tmp_path):
    pandas = pytest.importorskip("pandas")
    found = frames.to_pandas(blocks)
    same(found["lossy"].attrs["gaps"], TOLD)
    assert found["whole"].attrs["gaps"] == []
    assert found["lossy"].iloc[1:].attrs["gaps"], "parts keep them"
    pytest.importorskip("pyarrow")
    found["lossy"].to_parquet(tmp_path / "f.parquet")  # which wants what JSON can hold
    same(pandas.read_parquet(tmp_path / "f.parquet").attrs["gaps"], TOLD)


def test_datasets_of_xarray_carry_them(blocks):
    pytest.importorskip("xarray")
    found = frames.to_xarray(blocks)
    told = found["lossy"].attrs
    fields = ("t_from", "t_to", "lost", "reason")
    assert told["gaps"] == 2
    same(
        [
            dict(zip(fields, row, strict=True))
            for row in zip(*(told[f"gap_{field}"] for field in fields), strict=True)
        ],
        TOLD,
    )
    assert found["whole"].attrs == {"event": "whole", "gaps": 0}
    for value in told.values():  # as netCDF wants them: numbers, texts, lists of one of both
        kinds = {type(one) for one in (value if isinstance(value, list) else [value])}
        assert len(kinds) == 1
        assert kinds <= {int, float, str}
