"""``measure``, ``watch`` and ``plan`` in the shell: lists, triggers, splitting, several files, Ctrl+C."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from asammdf import MDF
from rich.console import Console

from support.served import wait_for
from xcaliper import connect
from xcaliper.cli.live_view import LiveView
from xcaliper.cli.main import main
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(90)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    before = os.environ.get("XCALIPER_CACHE")
    os.environ["XCALIPER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    with EcuProcess() as process:
        yield process.url
    if before is None:
        del os.environ["XCALIPER_CACHE"]
    else:
        os.environ["XCALIPER_CACHE"] = before


@pytest.fixture
def labels(tmp_path):
    file = tmp_path / "signals.lab"
    file.write_text("[RAMCELL]\nTaskCounter1ms;Task1ms\nLambda;10ms\n; remark\nCoolantTemp\n")
    return str(file)


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_list_trigger_calc_and_files_of_all_kinds(url, labels, tmp_path, capsys):
    mdf, csv, parquet = (tmp_path / f"run.{kind}" for kind in ("mf4", "csv", "parquet"))
    code = main(
        [
            "measure", url, "EngineSpeed", "--list", labels, "--duration", "2.3",
            "--trigger", "TaskCounter1ms % 1000 == 500 and t > 0.5", "--pre", "0.1", "--post", "0.2",
            "--calc", "Half = EngineSpeed / 2 [rpm]", "--compress", "--reconnect",
            "--out", str(mdf), "--out", str(csv), "--out", str(parquet), "--event", "Lamb*=100ms",
        ]
    )  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.err == "", "quiet where no terminal is"
    assert f"recorded {mdf}" in told.out
    with MDF(mdf) as file:
        counts = file.get("TaskCounter1ms").samples
        at = (counts % 1000).tolist().index(500)
        t = file.get("TaskCounter1ms").timestamps
        assert -0.1005 < t[0] - t[at] <= t[-1] - t[at] < 0.2005
        assert (np.diff(counts.astype(np.int64)) == 1).all()
        if "1000.0 Hz" in told.out:  # else the machine was too busy to let every task run
            assert (len(counts), at) == (301, 100)
        np.testing.assert_allclose(file.get("Half").samples, file.get("EngineSpeed").samples / 2)
        assert file.get("Half").unit == "rpm"
        assert len(file.get("Lambda")) <= 4, "--event beats the list"
    assert sum(1 for _ in tmp_path.glob("run*.csv")) >= 1
    assert sum(1 for _ in tmp_path.glob("run*.parquet")) >= 1


def test_split_by_time_loses_nothing(url, tmp_path, capsys):
    target = tmp_path / "run.mf4"
    assert main(["measure", url, "TaskCounter1ms", "-d", "1", "--split", "0.3s", "-o", str(target),
                 "--json"]) == 0  # fmt: skip
    *_, last = lines(capsys.readouterr().out)
    files = last["summary"]["files"]
    assert len(files) >= 3
    parts = []
    for one in files:
        with MDF(one) as mdf:
            parts.append(mdf.get("TaskCounter1ms").samples.astype(np.int64))
    counts = np.concatenate(parts)
    assert len(counts) == last["summary"]["samples"]
    assert (np.diff(counts) == 1).all()


def test_json_tells_queues_gaps_and_quality(url, capsys):
    assert main(["measure", url, "EngineSpeed", "CoolantTemp", "-d", "0.4", "--json", "--polling",
                 "50", "--event", "CoolantTemp=polling"]) == 0  # fmt: skip
    *blocks, last = lines(capsys.readouterr().out)
    assert {block["event"] for block in blocks} == {"Task1ms", "polling"}
    summary = last["summary"]
    assert {"reader"} == {queue["name"] for queue in summary["queues"]}
    assert summary["reconnects"] == summary["silences"] == 0
    assert [row["kind"] for row in summary["events"]] == ["daq", "polling"]


def is_closed_and_whole(target):
    with MDF(target) as mdf:
        counts = mdf.get("TaskCounter1ms").samples.astype(np.int64)
        assert len(counts) > 100
        assert (np.diff(counts) == 1).all()
        assert mdf.identification.unfinalized_standard_flags == 0, "closed, not only readable"


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [("SIGINT", 130, "Ctrl+C"), ("SIGTERM", 143, "SIGTERM"), ("SIGHUP", 129, "SIGHUP")],
)
def test_whatever_ends_it_closes_the_file(url, tmp_path, name, code, told):
    number = getattr(signal, name)
    target = tmp_path / "stopped.mf4"
    child = subprocess.Popen(
        [sys.executable, "-m", "xcaliper", "measure", url, "TaskCounter1ms", "-o", str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(target.exists, 30)
    time.sleep(1.0)  # description and attachment are in
    begin = target.stat().st_size
    wait_for(lambda: target.stat().st_size > begin + 2000, 30)
    while child.poll() is None:  # somebody is impatient
        child.send_signal(number)
        time.sleep(0.05)
    out, err = child.communicate(timeout=30)
    assert child.returncode == code, err
    assert err == f"Stopped by {told}.\n"
    assert "Task1ms" in out
    is_closed_and_whole(target)


def test_a_terminal_that_is_closed_ends_it_in_order(url, tmp_path, monkeypatch):
    """What draws there must not keep files from being closed."""
    pty = pytest.importorskip("pty")  # no terminals of POSIX on Windows
    target = tmp_path / "left.mf4"
    words = [sys.executable, "-m", "xcaliper", "measure", url, "TaskCounter1ms", "-o", str(target)]
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, words)
    drawn = threading.Thread(target=drain, args=(terminal,), daemon=True)
    drawn.start()
    try:
        wait_for(lambda: target.exists() and target.stat().st_size > 4000, 60)
        begin = target.stat().st_size
        wait_for(lambda: target.stat().st_size > begin + 2000, 60)
    finally:
        os.kill(child, signal.SIGSTOP)  # the terminal goes while it draws
        os.close(terminal)
        os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    is_closed_and_whole(target)


def drain(terminal):
    with contextlib.suppress(OSError):
        while os.read(terminal, 4096):
            pass


def test_what_is_ignored_stays_ignored(url):
    """``nohup`` is obeyed, and a watched value ends by SIGTERM as well."""
    words = ["watch", url, "TaskCounter1ms", "--json", "--interval", "0.2"]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which a child inherits
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "xcaliper", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    assert child.stdout is not None
    assert child.stdout.readline()
    child.send_signal(signal.SIGHUP)
    assert child.stdout.readline()
    assert child.stdout.readline(), "goes on"
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 143
    assert err == "Stopped by SIGTERM.\n"


def test_no_file_is_named_that_is_not_there(url, tmp_path, capsys, monkeypatch):
    """Ctrl+C while the file is being made leaves none."""

    def interrupted(*_, **_named):
        raise KeyboardInterrupt

    target = tmp_path / "run.mf4"
    words = ["measure", url, "CoolantTemp", "-d", "0.3", "-o", str(target)]
    with monkeypatch.context() as patch:
        patch.setattr("xcaliper.client.recording.Recording.open", interrupted)
        assert main(words) == 130
    told = capsys.readouterr()
    assert "recorded" not in told.out
    assert "Nothing was recorded: it ended before the first sample." in told.err
    assert not target.exists()
    target.write_bytes(b"of another day")
    assert main(words) == 2
    assert main([*words, "--split", "1min"]) == 0, "names with numbers are free"
    assert target.read_bytes() == b"of another day"


def test_an_interrupted_end_still_closes_the_file(url, tmp_path, monkeypatch):
    """Ctrl+C while a measurement ends by itself."""
    with connect(url) as ecu:
        measurement = ecu.measure("TaskCounter1ms", record=tmp_path / "run.mf4")
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100, 30)

        def interrupted():
            raise KeyboardInterrupt

        monkeypatch.setattr(measurement, "_finish_calculated", interrupted)
        with pytest.raises(KeyboardInterrupt):
            measurement.stop()
        samples = measurement.quality.samples
        with MDF(tmp_path / "run.mf4") as mdf:
            assert len(mdf.get("TaskCounter1ms").samples) == samples
            assert mdf.identification.unfinalized_standard_flags == 0
        assert len(ecu.measure("TaskCounter1ms", duration_s=0.2).run().blocks()[0]), (
            "lists are free"
        )


def test_what_came_until_an_error_is_told(tmp_path, capsys):
    target = tmp_path / "run.mf4"
    with EcuProcess() as process:
        with connect(process.url):
            pass  # the description is in the cache

        def end():
            wait_for(target.exists, 40)
            time.sleep(1.0)  # description and attachment are in
            begin = target.stat().st_size
            wait_for(lambda: target.stat().st_size > begin + 4000, 30)
            process.close()

        ends = threading.Thread(target=end)
        ends.start()
        words = ["measure", process.url, "TaskCounter1ms", "-d", "30", "-o", str(target)]
        assert main(words) == 4
        ends.join()
    told = capsys.readouterr()
    assert f"recorded {target}" in told.out
    assert "error" in told.err
    with MDF(target) as mdf:
        assert len(mdf.get("TaskCounter1ms")) > 100


def test_watch_gives_values_and_extremes(url, labels, capsys):
    assert main(["watch", url, "--list", labels, "WheelSpeed", "-d", "0.6"]) == 0
    told = capsys.readouterr()
    names = [line.split()[0] for line in told.out.splitlines()[1:]]
    assert names == sorted(names, key=str.casefold)
    assert set(names) == {"TaskCounter1ms", "Lambda", "CoolantTemp", "WheelSpeed"}
    assert main(["watch", url, "TaskCounter1ms", "-d", "0.7", "--json", "--interval", "0.3"]) == 0
    rows = lines(capsys.readouterr().out)
    assert len(rows) >= 2
    (row,) = rows[-1]["values"]
    assert row["min"] < row["max"]
    assert not row["stale"]
    times = [row["t"] for row in rows]
    assert times == sorted(set(times)), "nothing is told twice"


def test_plan_needs_no_ecu(url, labels, tmp_path, capsys):
    file = tmp_path / "ecu.a2l"
    with connect(url) as ecu:
        file.write_bytes(ecu.description.data)
        expected = ecu.plan(["TaskCounter1ms", "Lambda", "CoolantTemp"],
                            event={"Lambda": "10ms", "TaskCounter1ms": "Task1ms"})  # fmt: skip
    assert main(["plan", str(file), "--list", labels, "--json"]) == 0
    rows = lines(capsys.readouterr().out)
    assert [row["event"] for row in rows[:-1]] == [raster.name for raster in expected.rasters]
    assert rows[0]["daq_list"] == 0
    whole = expected.to_dict()["lists"][0]
    assert (rows[0]["row_bytes"], rows[0]["sample_bytes"]) == (4, whole["sample_bytes"])
    assert f"{rows[0]['sample_bytes']} bytes per sample" in expected.describe()
    assert rows[0]["link_percent"] > 0
    assert rows[-1]["summary"]["link_percent"] >= rows[0]["link_percent"]
    assert main(["plan", str(file), "Lambda", "--event", "polling", "--json"]) == 0
    assert lines(capsys.readouterr().out)[0]["event"] == "polling"
    assert main(["plan", str(file), "--list", labels]) == 0
    assert "Task1ms" in capsys.readouterr().out


BAD = [
    (["measure", "URL"], 2, "no signal given"),
    (["measure", "URL", "EngineSpeed", "--trigger", "x"], 2, "needs a file"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--split", "7 parsecs"], 2, "neither a size"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--split", "5B"], 2, "65536 bytes are the least"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--split", "0.01s"], 2, "from 0.1 s"),
    (["measure", "URL", "EngineSpeed", "--calc", "no equals sign"], 2, "name = expression"),
    (["measure", "URL", "EngineSpeed", "--calc", "A = EnginSpeed", "-d", "1"], 3, "EngineSpeed"),
    (["measure", "URL", "EngineSpeed", "--packed", "many"], 2, "packed"),
    (["measure", "URL", "EngineSpeed", "--polling", "-1"], 2, "rounds per second"),
    (["measure", "URL", "EngineSpeed", "-o", "x.xyz", "-d", "1"], 2, "x.xyz"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--trigger", "Engin > 1", "-d", "1"], 3, "Engin"),
    (["measure", "URL", "EngineSpeed", "-o", "no/x.mf4"], 3, "Make it first"),
    (["measure", "URL", "EngineSpeed", "-o", "."], 2, "--out: '.' is no file"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "-o", "x.mf4"], 2, "named twice"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--pre", "1"], 2, "--pre needs a trigger"),
    (["measure", "URL", "EngineSpeed", "-o", "x.mf4", "--pre", "-1", "--trigger", "at 1"], 2, "--pre: -1"),
    (["measure", "URL", "EngineSpeed", "--post", "1", "--repeat"], 2, "need a file to record into"),
    (["measure", "EngineSpeed", "-d", "1"], 2, "udp://127.0.0.1:5555 EngineSpeed"),
    (["measure", "URL", "", "-d", "1"], 2, "without a name"),
    (["plan", "missing.a2l", "EngineSpeed"], 3, "missing.a2l"),
    (["plan", "URL", "EngineSpeed"], 2, "--plan"),
    (["watch", "URL", "--list", "missing.lab"], 3, "missing.lab"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=lambda value: str(value)[-40:])
def test_refusals(url, arguments, code, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [url if word == "URL" else word for word in arguments]
    assert main(arguments) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert not list(tmp_path.iterdir()), "nothing was left behind"


def test_lines_of_a_list_are_named(url, tmp_path, capsys):
    file = tmp_path / "bad.lab"
    file.write_text("[RAMCELL]\nEngineSpeed\nEnginSpeed\nLambda;7ms\n")
    assert main(["measure", url, "--list", str(file), "-d", "0.2"]) != 0
    told = capsys.readouterr().err
    assert "bad.lab:3" in told
    assert "EngineSpeed" in told
    assert "line 4" in told
    assert "--skip-unknown" in told
    assert main(["measure", url, "--list", str(file), "-d", "0.2", "--skip-unknown"]) == 0
    told = capsys.readouterr()
    assert "bad.lab:3" in told.err
    assert "bad.lab:4" in told.err
    assert "Task1ms" in told.out
    file.write_text("[Label]\ncIdleSpeedTarget\n")
    assert main(["measure", url, "--list", str(file)]) == 2
    assert "only parameters" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_line_of_a_narrow_terminal(tmp_path, width):
    """Seconds stay; folders of Parquet parts count with what is in them."""
    folder = tmp_path / "run_10ms.parquet"
    folder.mkdir()
    (folder / "part-1.parquet").write_bytes(bytes(1500))
    stats = SimpleNamespace(state="recording", files=(folder,))
    measurement = SimpleNamespace(
        tracks=[],
        acquisitions=[],
        recorders=[SimpleNamespace(stats=stats)],
        quality=SimpleNamespace(samples=2200, lost=0, dropped=0, reconnects=0),
        elapsed_s=2.0,
        load_bytes_per_s=42_300.0,
    )
    console = Console(file=StringIO(), width=width, height=20, force_terminal=True, no_color=True)
    with LiveView(console, measurement, 2.0) as view:
        view.finish()
    told = console.file.getvalue()
    assert "measuring" in told
    assert "0:00:0" in told
    words = " ".join(told.split())
    assert re.search(
        r"2200 samples, 1100/s, 42.3 kB/s, lost 0, 1.5 kB written, [\d.]+ [kMGT]?B free", words
    )
