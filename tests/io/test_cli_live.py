"""Every verb against a virtual ECU, as a shell user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.served import wait_for
from xcaliper.cli.main import main
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(180)

SRC = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="module")
def url():
    with EcuProcess() as process:
        yield process.url


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path / "cache"))


def json_lines(text: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "xcaliper", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": "utf-8"},
    )


def test_info(url, capsys):
    assert main(["info", url]) == 0
    told = capsys.readouterr()
    for word in (
        "DemoEngine",
        "XCALIPER-DEMO-1",
        "Task10ms",
        "CalibrationMaps",
        "187 measurements",
    ):
        assert word in told.out
    assert all(line == line.rstrip() for line in told.out.splitlines())
    assert main(["info", url, "--json"]) == 0
    (facts,) = json_lines(capsys.readouterr().out)
    assert facts["a2l"]["origin"] == "cache"
    assert [event["name"] for event in facts["events"]] == [
        "Task1ms", "Task10ms", "Task100ms", "CrankSync",
    ]  # fmt: skip


def test_read(url, capsys):
    assert main(["read", url, "cIdleSpeedTarget", "KFZW", "LoadHistogram", "cVehicleName"]) == 0
    text = capsys.readouterr().out
    assert "820  rpm" in text
    assert "KFZW [°CA]" in text
    assert "Demo saloon" in text
    assert main(["read", url, "*", "--json"]) == 0
    rows = {row["name"]: row for row in json_lines(capsys.readouterr().out)}
    assert rows["cIdleSpeedTarget"] == {"name": "cIdleSpeedTarget", "value": 820.0, "unit": "rpm"}
    assert [axis["unit"] for axis in rows["KFZW"]["value"]["axes"]] == ["rpm", "%"]
    assert len(rows) > 250


def test_write(url, capsys):
    assert main(["write", url, "cIdleSpeedTarget", "900.3"]) == 0
    text = capsys.readouterr().out
    assert "820 → 900.25 rpm" in text
    assert "rounded" in text
    assert main(["write", url, "cIdleSpeedTarget", "820", "--json"]) == 0
    (done,) = json_lines(capsys.readouterr().out)
    assert (done["before"], done["after"], done["changed"]) == (900.25, 820.0, 1)
    assert main(["write", url, "KFZW[0,0]", "-2"]) == 0
    assert "KFZW[0,0]: 11.6 → -2 °CA" in capsys.readouterr().out
    assert main(["write", url, "cVehicleName", "12"]) == 0  # a text, though it looks like a number
    assert main(["write", url, "cVehicleName", "Demo", "saloon"]) == 0
    assert main(["write", url, "cGearRatios", "5", "4", "3", "2", "1"]) == 0
    assert "5 of 5 values changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["read", "URL", "EngineSpd"], 3, "EngineSpeed"),
        (["write", "URL", "cIdleSpeedTarget", "-5"], 2, "400 … 2000 rpm"),
        (["write", "URL", "cIdleSpeedTarget", "1", "2"], 2, "one value is needed"),
        (["write", "URL", "KFZW[99,0]", "1"], 2, "no cell"),
        (["write", "URL", "EngineSpeed", "1"], 2, "read-only"),
        (["measure", "URL", "cVehicleNam*"], 2, "no measurable signal"),
        (["measure", "URL", "EngineSpeed", "--event", "Task7ms"], 3, "Task10ms"),
        (["measure", "URL", "EngineSpeed", "-d", "0"], 2, "duration"),
        (["measure", "URL", "EngineSpeed", "-d", "inf"], 2, "duration"),
        (["read", "URL", "EngineSpeed", "--timeout", "inf"], 2, "timeout"),
        (["measure", "URL", "EngineSpeed", "-o", "missing-folder/x.mf4"], 3, "missing-folder"),
        (["read", "udp://127.0.0.1:9", "A"], 4, "127.0.0.1:9"),
        (["read", "tcp://127.0.0.1:9", "A"], 4, "127.0.0.1:9"),
    ],
)
def test_refusals_have_their_exit_code(url, arguments, code, words, capsys):
    arguments = [url if word == "URL" else word for word in arguments]
    assert main(arguments) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert main([*arguments, "--json"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert words in json.dumps(json.loads(told.err), ensure_ascii=False)


def test_refused_by_the_ecu(url, capsys):
    from xcaliper import connect

    with connect(url) as ecu:
        ecu.set_page(1, 1)
    with connect(url) as ecu:
        page = ecu.pages()[1]
    if page == (1, 1):  # the page outlives the session
        assert main(["write", url, "cIdleSpeedTarget", "900"]) == 5
        assert "working page" in capsys.readouterr().err
    with connect(url) as ecu:
        ecu.set_page(1, 0)
    assert page == (1, 1)


def test_measure(url, tmp_path, capsys):
    file = tmp_path / "run.mf4"
    arguments = ["measure", url, "Engine*", "Lambda", "-d", "0.5", "-o", str(file)]
    assert main(arguments) == 0
    assert "Task10ms" in capsys.readouterr().out
    assert file.stat().st_size > 1000
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    *blocks, last = json_lines(told.out)
    assert last["summary"]["lost"] == 0
    assert sum(len(block["t"]) for block in blocks) == last["summary"]["samples"]


def test_measure_plan(url, capsys):
    assert main(["measure", url, "EngineSpeed", "-e", "10ms", "--plan"]) == 0
    assert "Task10ms: event 1" in capsys.readouterr().out
    assert main(["measure", url, "EngineSpeed", "-e", "10ms", "--plan", "--json"]) == 0
    raster, last = json_lines(capsys.readouterr().out)
    assert raster["signals"] == ["EngineSpeed"]
    assert last["summary"]["bytes_per_second"] > 0
    command = ["measure", url, "EngineSpeed", "-e", "10ms", "--plan", "--json"]
    assert main([*command, "--priority", "7", "--dto-ctr"]) == 0
    chosen, _ = json_lines(capsys.readouterr().out)
    assert (raster["priority"], chosen["priority"]) == (0, 7)
    assert chosen["sample_bytes"] == raster["sample_bytes"] + 1


def test_a2l(url, tmp_path, capsys):
    from xcaliper import connect

    file = tmp_path / "demo.a2l"
    with connect(url) as ecu:
        file.write_bytes(ecu.description.data)
    assert main(["a2l", "info", str(file), "--json"]) == 0
    (facts,) = json_lines(capsys.readouterr().out)
    assert facts["objects"]["MEASUREMENT"] > 100
    assert main(["a2l", "list", str(file), "KF*", "--json"]) == 0
    assert {row["kind"] for row in json_lines(capsys.readouterr().out)} == {"MAP"}
    assert main(["a2l", "check", str(file)]) == 0
    broken = tmp_path / "broken.a2l"
    broken.write_bytes(file.read_bytes().replace(b"CM_rpm_0_25 ", b"CM_lost ", 1)[:-400])
    capsys.readouterr()
    assert main(["a2l", "check", str(broken), "--json"]) == 6
    told = capsys.readouterr()
    assert all(row["line"] > 0 for row in json_lines(told.out) if row["severity"] == "error")
    assert main(["read", url, "cFanSpeedMax", "--a2l", str(file)]) == 0


def test_demo(tmp_path, capsys):
    file = tmp_path / "tour.mf4"
    assert main(["demo", "--duration", "2", "--out", str(file), "--json"]) == 0
    (facts,) = json_lines(capsys.readouterr().out)
    assert facts["lost"] == 0
    assert len(facts["signals"]) == 16
    assert len(facts["marks"]) == 2
    assert file.exists()
    assert file.with_suffix(".png").stat().st_size > 10_000


def test_vecu_serves_until_told_to_stop(tmp_path, capsys):
    described = tmp_path / "own.a2l"
    process = start(
        "vecu", "demo-engine", "udp://127.0.0.1:0", "--json", "--a2l-out", str(described),
        "--byte-order", "motorola", "--duration", "30",
    )  # fmt: skip
    try:
        facts = json.loads(process.stdout.readline())
        assert described.stat().st_size == facts["a2l_bytes"]
        assert main(["read", facts["urls"][0], "cIdleSpeedTarget", "--json"]) == 0
        assert json_lines(capsys.readouterr().out)[0]["value"] == 820
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def test_vecu_of_many_signals(capsys):
    process = start(
        "vecu", "many-signals", "udp://127.0.0.1:0", "--json", "--signals", "12", "--rate", "5000",
        "--datagram", "4000", "--duration", "30",
    )  # fmt: skip
    try:
        facts = json.loads(process.stdout.readline())
        assert facts["name"] == "many-signals"
        assert main(["read", facts["urls"][0], "RunCounter", "Sig00011", "--json"]) == 0
        runs, last = (row["value"] for row in json_lines(capsys.readouterr().out))
        assert runs > 0
        assert 0 <= last <= 255
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_closes_the_recording(url, tmp_path, as_json):
    file = tmp_path / "stopped.mf4"
    extra = ["--json"] if as_json else []
    process = start("measure", url, "EngineSpeed", "-o", str(file), *extra)
    try:
        wait_for(lambda: file.exists() and file.stat().st_size > 4000, 60)
        time.sleep(1.0)  # description and attachment are in
        begun = file.stat().st_size
        wait_for(lambda: file.stat().st_size > begun, 60)  # samples arrive
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Stopped by Ctrl+C" in err
    assert "Traceback" not in err
    samples = json_lines(out)[-1]["summary"]["samples"] if as_json else int(out.split()[8])
    asammdf = pytest.importorskip("asammdf")
    with asammdf.MDF(file) as recording:
        assert len(recording.get("EngineSpeed").samples) == samples > 0


def test_a_reader_that_has_enough_is_no_error(url):
    process = start("measure", url, "EngineSpeed", "-d", "20", "--json")
    assert "EngineSpeed" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
