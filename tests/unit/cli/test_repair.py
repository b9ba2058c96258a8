"""``xcaliper repair``: what it tells, what it leaves alone, what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from asammdf import MDF

from xcaliper.cli.main import main
from xcaliper.core.samples import SampleBlock
from xcaliper.record.description import RasterDescription, RecordingDescription, SignalDescription
from xcaliper.record.sinks.mdf4 import Mdf4Sink

DTYPE = np.dtype([("count", "<u4")])


def recorded(path, blocks=10):
    raster = RasterDescription(
        name="10 ms",
        event_channel=1,
        cycle_ns=10_000_000,
        dtype=DTYPE,
        signals=(SignalDescription("count"),),
    )
    sink = Mdf4Sink(path, RecordingDescription(start_ns=0, rasters=(raster,)), flush_period_s=0.0)
    for n in range(blocks):
        rows = np.zeros(5, DTYPE)
        rows["count"] = np.arange(n * 5, n * 5 + 5)
        sink.write(SampleBlock(0, np.arange(n * 5, n * 5 + 5) * 10_000_000, rows, ()))
    sink.close()
    return path.read_bytes()


def test_a_cut_recording_is_mended_beside_itself(tmp_path, capsys):
    file = tmp_path / "run.mf4"
    whole = recorded(file)
    # in the middle of the last samples, found by their bytes
    at = whole.rindex(np.arange(45, 50, dtype="<u4").tobytes()[:4])
    cut = whole[: at + 1]
    file.write_bytes(cut)
    assert main(["repair", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    mended = tmp_path / "run_repaired.mf4"
    assert file.read_bytes() == cut, "never touched"
    assert told["file"] == str(mended)
    assert told["changed"]
    (group,) = told["groups"]
    assert (group["group"], group["samples"], group["announced"]) == ("10 ms", 45, 50)
    assert (group["from_s"], group["to_s"]) == (0.0, pytest.approx(0.44))
    kept = cut.rindex(b"##")  # the torn block begins there
    assert told["bytes_cut"] == pytest.approx(len(cut) - kept, abs=8)
    with MDF(mended) as mdf:
        assert mdf.get("count").samples.tolist() == list(range(45))
    assert main(["repair", str(file)]) == 2, "the mended one is not replaced"
    assert "run_repaired.mf4: the file exists already" in capsys.readouterr().err
    assert main(["repair", str(file), "--overwrite"]) == 0
    out = capsys.readouterr()
    assert "0.440000 s" in out.out
    assert f"{told['bytes_cut']} bytes at its end" in out.err
    assert main(["repair", str(file), "--in-place"]) == 0
    with MDF(file) as mdf:
        assert len(mdf.get("count").samples) == 45


def test_a_whole_recording_is_left_alone(tmp_path, capsys):
    file = tmp_path / "run.mf4"
    whole = recorded(file)
    assert main(["repair", str(file)]) == 0
    assert "is whole: nothing to mend" in capsys.readouterr().err
    assert main(["repair", str(file), "--in-place", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changed"], told["bytes_cut"]) == (False, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["run.mf4"]
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "words", "code", "told"),
    [
        (None, (), 3, "run.mf4"),
        (b"", (), 1, "no MDF4 file"),
        (b"time [s],EngineSpeed\n", (), 1, "no MDF4 file"),
        (b"MDF     3.30    ".ljust(28, b"\0") + b"\x4a\x01" + bytes(500), (), 1, "Only MDF 4"),
        (600, (), 1, "Its description is cut"),
        (-100, ("--out", "gone/run.mf4"), 3, "gone"),
        (-100, ("--out", "run.mf4", "--overwrite"), 2, "is the recording itself"),
        (-100, ("--out", "a.mf4", "--in-place"), 2, "--in-place has no other file"),
    ],
)
def test_what_cannot_be_mended_is_told_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, content, words, code, told
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "run.mf4"
    if isinstance(content, int):
        content = recorded(file)[:content]
    if content is not None:
        file.write_bytes(content)
    assert main(["repair", "run.mf4", *words]) == code
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == (
        ["run.mf4"] if content is not None else []
    )
    assert content is None or file.read_bytes() == content
