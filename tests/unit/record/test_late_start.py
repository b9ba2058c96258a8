"""A start that is known only when the files are open already."""

from __future__ import annotations

import numpy as np
import pytest
from asammdf import MDF

from xcaliper.core.samples import SampleBlock
from xcaliper.mdf.reader import MdfReader
from xcaliper.record.description import RasterDescription, RecordingDescription, SignalDescription
from xcaliper.record.files import DiskFile
from xcaliper.record.recorder import Recorder

DTYPE = np.dtype([("n", "<u2")])
GUESSED = 1_700_000_000_000_000_000
KNOWN = GUESSED + 812_345_678


def description():
    raster = RasterDescription(
        name="a", event_channel=1, cycle_ns=10, dtype=DTYPE, signals=(SignalDescription("n"),)
    )
    return RecordingDescription(
        start_ns=GUESSED, rasters=(raster,), properties={"clock": "guessed"}, epk="E1"
    )


def rows(first, count):
    values = np.zeros(count, DTYPE)
    values["n"] = np.arange(first, first + count)
    return SampleBlock(0, np.arange(first, first + count) * 1_000_000_000, values, ())


def test_open_files_and_those_after_a_split_tell_it(tmp_path):
    pytest.importorskip("pyarrow")
    paths = [tmp_path / "run.mf4", tmp_path / "run.parquet", tmp_path / "run.csv"]
    recorder = Recorder(description(), paths, split_s=5.0, at_once=False)
    recorder.open_files()
    recorder.begins(KNOWN, {"clock": "measured"})
    recorder.put(rows(0, 8))
    recorder.close()
    for number in (1, 2):
        file = DiskFile(tmp_path / f"run_00{number}.mf4", writable=False)
        reader = MdfReader(file)
        assert reader.start_ns == KNOWN
        assert reader.properties["clock"] == "measured"
        assert reader.properties["part"] == str(number)
        assert reader.properties["epk"] == "E1"
        file.close()
        with MDF(tmp_path / f"run_00{number}.mf4") as mdf:
            assert mdf.start_time.timestamp() == pytest.approx(KNOWN * 1e-9, abs=1e-5)
            assert mdf.header.comment.count("measured") == 1
            assert mdf.file_history[0].abs_time == KNOWN
        from pyarrow import dataset

        facts = dataset.dataset(tmp_path / f"run_00{number}_a.parquet").schema.metadata
        assert facts[b"xcaliper.start_ns"] == str(KNOWN).encode()
        assert facts[b"xcaliper.clock"] == b"measured"


def test_what_began_at_once_keeps_its_start(tmp_path):
    with Recorder(description(), tmp_path / "run.mf4") as recorder:
        recorder.begins(KNOWN, {})
        recorder.put(rows(0, 2))
    file = DiskFile(tmp_path / "run.mf4", writable=False)
    assert MdfReader(file).start_ns == GUESSED
    file.close()
