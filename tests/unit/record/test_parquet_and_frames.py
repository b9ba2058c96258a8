"""Parquet datasets and frames: values, texts, arrays, gaps; what is there while it is written."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from support.recording import lost
from unit.record.test_record_sinks import DESCRIPTION, block
from xcaliper.core.errors import LinkError, SettingsError, UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.record import sinks
from xcaliper.record.columns import LostColumn
from xcaliper.record.description import EventType, RecordingEvent
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.sinks.parquet import ParquetSink, check_parquet

del sinks


def read(folder):
    return import_module("pyarrow.parquet").read_table(folder)


def test_parquet_holds_values_units_and_gaps(tmp_path):
    sink = ParquetSink(tmp_path / "r.parquet", DESCRIPTION)
    assert [p.name for p in sink.paths] == ["r_10_ms_task.parquet", "r_idle.parquet"]
    sink.write(block(0, 3))
    sink.tick(1 << 62)
    sink.write(block(6, 2, (Gap(0, 20_000_000, 60_000_000, 3, "counter"),)))
    sink.write(SampleBlock(0, np.empty(0, np.int64), block(0, 0).rows, (lost(0, 1, 2, 0),)))
    sink.write(block(9, 1))
    sink.event(RecordingEvent(EventType.MARKER, 10, "hello"))
    sink.close()
    parts = sorted(sink.paths[0].iterdir())
    assert [p.name for p in parts] == ["part-00001.parquet", "part-00002.parquet"]
    table = read(sink.paths[0])
    n = [0, 1, 2, 6, 7, 9]
    assert table.column_names == ["t_ns", "Engine.rpm", "gear", "bits", "map", "label", "lost"]
    assert table["t_ns"].to_pylist() == [k * 10_000_000 for k in n]
    assert table["Engine.rpm"].to_pylist() == n
    assert table["gear"].to_pylist() == [["N", "1st", "?"][k % 3] for k in n]
    assert table["bits"].to_pylist() == n
    assert table["map"].to_pylist() == [[k, -k] for k in n]
    assert table["label"].to_pylist() == [f"L{k}" for k in n]
    assert table["lost"].to_pylist() == [0, 0, 0, 3, 0, -1]
    assert table.schema.field("Engine.rpm").metadata[b"unit"] == b"1/min"
    facts = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert facts["xcaliper.start_ns"] == str(10**18)
    assert facts["xcaliper.ecu"] == "ENGINE"
    second = import_module("pyarrow.parquet").read_schema(parts[1]).metadata
    assert json.loads(second[b"gaps"])[0] == [20_000_000, 60_000_000, 3, "counter"]
    events = (tmp_path / "r.parquet_events.csv").read_text().splitlines()
    assert len(events) == 4
    assert "3 lost until 0.060000 s (counter)" in events[1]
    assert list(sink.paths[1].iterdir()) == []
    frame = import_module("polars").read_parquet(sink.paths[0] / "*.parquet")
    assert frame["Engine.rpm"].to_list() == n
    assert import_module("pandas").read_parquet(sink.paths[0])["lost"].sum() == 2


def test_parquet_raw_and_large_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("xcaliper.record.sinks.parquet.MAX_PART_BYTES", 1000)
    sink = ParquetSink(tmp_path / "r", DESCRIPTION, physical=False)
    for start in range(0, 100, 10):
        sink.write(block(start, 10))
    assert len(list(sink.paths[0].glob("part-*"))) == 2
    monkeypatch.setattr("xcaliper.record.sinks.parquet.MAX_WAITING_BYTES", 700)
    sink.write(SampleBlock(1, np.arange(3), block(0, 3).rows))
    assert len(list(sink.paths[1].glob("part-*"))) == 1
    sink.tick(0)
    sink.close()
    table = read(sink.paths[0])
    assert table["Engine.rpm"].to_pylist() == [2 * k for k in range(100)]
    assert table["gear"].to_pylist() == [k % 3 for k in range(100)]
    with pytest.raises(UsageError, match="2 rasters"):
        sink.write(SampleBlock(7, np.arange(1), block(0, 1).rows))


def test_existing_folders_are_safe(tmp_path):
    ParquetSink(tmp_path / "r.parquet", DESCRIPTION).close()
    keep = tmp_path / "r_idle.parquet" / "mine.txt"
    keep.write_text("x")
    (tmp_path / "r_idle.parquet" / "part-00009.parquet").write_text("old")
    with pytest.raises(SettingsError, match="exists already"):
        ParquetSink(tmp_path / "r.parquet", DESCRIPTION)
    ParquetSink(tmp_path / "r.parquet", DESCRIPTION, overwrite=True).close()
    assert [p.name for p in keep.parent.iterdir()] == ["mine.txt"]
    with pytest.raises(SettingsError, match="does not exist"):
        ParquetSink(tmp_path / "no" / "r.parquet", DESCRIPTION)


def test_a_full_disk_leaves_complete_parts(tmp_path, monkeypatch):
    sink = ParquetSink(tmp_path / "r.parquet", DESCRIPTION)
    sink.write(block(0, 5))
    sink.tick(1 << 62)
    sink.write(block(5, 5))
    real = Path.replace

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(LinkError, match="No space left"):
        sink.tick(1 << 62)
    assert read(sink.paths[0]).num_rows == 5
    monkeypatch.setattr(Path, "replace", real)
    sink.close()
    assert read(sink.paths[0])["Engine.rpm"].to_pylist() == list(range(10))
    assert not list(sink.paths[0].glob(".*"))


def test_parquet_needs_pyarrow_and_single_names(monkeypatch):
    from dataclasses import replace

    check_parquet(DESCRIPTION)
    raster = DESCRIPTION.rasters[0]
    doubled = replace(raster, signals=(*raster.signals, raster.signals[0]))
    with pytest.raises(UsageError, match="two columns"):
        check_parquet(replace(DESCRIPTION, rasters=(doubled,)))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pyarrow"):
        check_parquet(DESCRIPTION)


def test_frames_of_pandas_and_polars(monkeypatch):
    sink = MemorySink(DESCRIPTION)
    sink.write(block(0, 2))
    sink.write(block(5, 2, (Gap(0, 10_000_000, 50_000_000, 3, "counter"),)))
    frames = sink.to_pandas()
    assert list(frames) == ["10 ms/task", "idle"]
    frame = frames["10 ms/task"]
    assert frame.index.name == "t [s]"
    assert frame.index.tolist() == [0.0, 0.01, 0.05, 0.06]
    assert list(frame) == ["Engine.rpm", "gear", "bits", "map[0]", "map[1]", "label", "lost"]
    assert frame["lost"].tolist() == [0, 0, 3, 0]
    assert frame["label"].tolist() == ["L0", "L1", "L5", "L6"]
    assert frames["idle"].empty
    tables = sink.to_polars()
    assert tables["10 ms/task"]["gear"].to_list() == ["N", "1st", "?", "N"]
    with pytest.raises(UsageError, match="not described"):
        MemorySink().to_pandas()
    with pytest.raises(UsageError, match="not described"):
        sink.columns(2)
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(UsageError, match="polars is not installed"):
        sink.to_polars()


def test_losses_wait_for_the_next_row():
    column = LostColumn()
    empty = SampleBlock(0, np.empty(0, np.int64), block(0, 0).rows, (lost(0, 1, 4),))
    assert column.column(empty).tolist() == []
    assert column.column(empty).tolist() == []
    behind = block(0, 2, (lost(1, 1, 3), lost(2, 1, 9), lost(2, 1, 3)))
    assert column.column(behind).tolist() == [4, 1]
    assert column.column(SampleBlock(1, behind.t_ns, behind.rows)).tolist() == [0, 0]
    assert column.column(block(0, 2, (lost(-1, 0, 2),))).tolist() == [9, 0]
    assert column.column(block(0, 1, (lost(0, 0, 2), lost(0, 0, 2, 0)))).tolist() == [-1]
