"""The conformance suite on a served virtual ECU: command line, reports and the pytest plugin."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.served import message, scripted
from xcaliper.cli.main import main
from xcaliper.sim.demo_key import demo_key
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_security import SecuritySettings

pytestmark = pytest.mark.timeout(120)

#: A busy machine answers late; the rules of these slaves wait for no silence that would take as long.
PATIENT = ("--timeout", "10")
SRC = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="module")
def server():
    urls = ("udp://127.0.0.1:0", "tcp://127.0.0.1:0")
    with EcuServer(build_ecu("demo-engine"), urls) as made:
        yield made


def urls(server: EcuServer) -> list[str]:
    return [str(endpoint) for endpoint in server.endpoints]


def test_the_virtual_ecu_breaks_no_rule_over_udp(server, tmp_path, capsys):
    a2l, page, data = tmp_path / "ecu.a2l", tmp_path / "report.html", tmp_path / "report.json"
    a2l.write_text(server.ecu.a2l, "utf-8")
    allow = ("--allow", "write,page,keys")
    done = main(
        [
            "conformance",
            urls(server)[0],
            *PATIENT,
            *allow,
            "--a2l",
            str(a2l),
            "--html",
            str(page),
            "--json",
            str(data),
        ]
    )
    values = json.loads(data.read_text("utf-8"))
    wrong = {
        one["id"]: one["reason"]
        for one in values["results"]
        if one["verdict"] in ("failed", "error")
    }
    assert not wrong
    assert done == 0
    assert values["summary"]["passed"] >= 190
    assert "0 violations" in capsys.readouterr().out
    assert page.read_text("utf-8").count("<details") == len(values["results"])
    assert values["results"][0]["steps"]


def test_the_same_over_tcp(server, capsys):
    words = ("--group", "session,memory,transport")
    assert main(["conformance", urls(server)[1], *PATIENT, *words]) == 0
    assert "passed" in capsys.readouterr().out


def test_a_slave_that_violates_is_told_with_bytes(capsys, tmp_path):
    def answer(data: bytes) -> list[bytes]:
        code = data[4]
        packet = {0xFF: b"\xff\x00\x00\x08\x08\x00\x01\x01", 0xFD: b"\xff\x00", 0xFE: b"\xff"}.get(
            code
        )
        return [message(0, packet or b"\xfe\x20")]

    with scripted(answer) as url:
        assert main(["conformance", url, "--select", "STA-001,SES-001", "--timeout", "0.5"]) == 6
    told = capsys.readouterr().out
    assert "violation STA-001" in told
    assert "fd → ff 00" in told
    assert "SES-001" in told
    assert "0 passed, 2 violations, 0 deviations" in told
    with scripted(answer) as url:
        assert main(["conformance", url, "--select", "STA-001", "--timeout", "0.5"]) == 6
    assert "0 passed, 1 violation, 0 deviations" in capsys.readouterr().out


def test_nobody_there_is_no_verdict(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert main(["conformance", f"udp://127.0.0.1:{port}", "--timeout", "0.1"]) == 4
    assert "CONNECT was not answered" in capsys.readouterr().err
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert main(["conformance", f"tcp://127.0.0.1:{port}"]) == 4
    assert "nobody listens" in capsys.readouterr().err


def test_a_protected_slave_with_keys_and_its_own_a2l(tmp_path, capsys):
    config = SlaveConfig(
        security=SecuritySettings(
            protected=Resource.of(cal_pag=1, daq=1), key=demo_key, library="demo_key.so"
        )
    )
    data = tmp_path / "report.json"
    words = ["--a2l", "slave", "--group", "security,a2l,memory,calibration,paging"]
    keys = ["--key-python", "xcaliper.sim.demo_key:demo_key"]
    with EcuServer(build_ecu("demo-engine", config), ("udp://127.0.0.1:0",)) as made:
        url = urls(made)[0]
        allow = ["--allow", "write,page,keys,stim,store"]
        assert main(["conformance", url, *PATIENT, *words, *keys, *allow, "--json", str(data)]) == 0
        assert not made.ecu.slave.connected
    results = {one["id"]: one for one in json.loads(data.read_text("utf-8"))["results"]}
    assert not [one["id"] for one in results.values() if one["verdict"] in ("failed", "error")]
    for number in ("SEC-012", "SEC-016", "CAL-001", "A2L-015", "A2L-016"):
        assert results[number]["verdict"] == "passed", results[number]["reason"]


def test_a_slave_without_a2l_is_no_connection_problem(server, capsys):
    with EcuServer(build_ecu("demo-engine", SlaveConfig()), ("udp://127.0.0.1:0",)) as made:
        made.ecu.slave.state.config.ids.pop(4, None)
        assert main(["conformance", urls(made)[0], "--a2l", "slave"]) == 3
    assert "--a2l" in capsys.readouterr().err


def test_ctrl_c_ends_the_session_and_writes_what_ran(server, tmp_path):
    data = tmp_path / "report.json"
    command = [sys.executable, "-m", "xcaliper", "conformance", urls(server)[0]]
    running = subprocess.Popen(
        [*command, "--json", str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not server.ecu.slave.connected and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (out, err)
    assert b"interrupted" in err
    values = json.loads(data.read_text("utf-8"))
    assert values["exit_code"] == 130
    assert 0 < len(values["results"]) < 250
    assert not server.ecu.slave.connected


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("udp://x:1", "--allow", "everything"),
        ("udp://x:1", "--forbid", "write"),
        ("udp://x:1", "--timeout", "0"),
        ("udp://x:1", "--group", "nothing"),
    ],
)
def test_wrong_command_lines(words, capsys):
    assert main(["conformance", *words]) == 2
    assert "error" in capsys.readouterr().err


def test_rules_are_listed(capsys):
    assert main(["conformance", "--rules", "--group", "memory"]) == 0
    told = capsys.readouterr().out
    assert "MEM-001" in told
    assert "SES-001" not in told


def run_pytest(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "xcaliper.conformance.plugin",
            "-p",
            "no:cacheprovider",
            *words,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(SRC),
            "PYTEST_ADDOPTS": "",
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=100,
    )


def test_the_plugin_makes_each_rule_a_test(server, tmp_path):
    (tmp_path / "test_other.py").write_text("def test_other(): raise SystemError\n")
    done = run_pytest(
        *("--xcp-slave", urls(server)[0], "--xcp-timeout", "10"),
        *("--xcp-select", "SES,MEM", "-v"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "xcp::MEM-001 PASSED" in done.stdout
    assert "test_other" not in done.stdout
    assert not server.ecu.slave.connected


def test_the_plugin_tells_what_failed_and_by_which_bytes(tmp_path):
    def answer(data: bytes) -> list[bytes]:
        packet = {0xFF: b"\xff\x42\x00\x08\x08\x00\x01\x01", 0xFD: b"\xff\x00", 0xFE: b"\xff"}.get(
            data[4]
        )
        return [message(0, packet or b"\xfe\x20")]

    with scripted(answer) as url:
        done = run_pytest(
            "--xcp-slave",
            url,
            "--xcp-select",
            "STA-001,SES-003,SES-004",
            "--xcp-timeout",
            "0.5",
            folder=tmp_path,
        )
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed" in done.stdout
    assert "asked fd  GET_STATUS" in done.stdout
    assert "came  ff 00" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_plugin_refuses_what_it_cannot_do(tmp_path):
    done = run_pytest(
        "--xcp-slave", "udp://127.0.0.1:1", "--xcp-select", "NOTHING", folder=tmp_path
    )
    assert done.returncode == 4
    assert "no rule has this id" in done.stdout + done.stderr
