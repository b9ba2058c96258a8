"""The verbs at an ECU that has everything switched on, and at one that keeps them waiting."""

import json

import pytest

import xcaliper
from xcaliper.cli.main import main
from xcaliper.sim.demo_key import demo_security
from xcaliper.sim.ecu import STORING
from xcaliper.sim.flash import flash_settings
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave_config import SlaveConfig

KEY = ("--key-python", "xcaliper.sim.demo_key:demo_key")
ALL = Resource(0x1D)  # CAL/PAG, DAQ, STIM, PGM


@pytest.fixture(scope="module")
def server():
    settings = SlaveConfig(security=demo_security(ALL), program=flash_settings(), **STORING)
    with EcuServer(build_ecu("demo-engine", settings)) as running:
        yield running


def run(capsys, *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_description_of_everything_has_no_findings(server, tmp_path, capsys) -> None:
    path = tmp_path / "all.a2l"
    with xcaliper.connect(server.url, cache=False) as ecu:
        path.write_bytes(ecu.description.data)
    for word in (
        "SEED_AND_KEY_EXTERNAL_FUNCTION",
        "/begin PGM",
        "DAQ_STIM",
        "RESUME_SUPPORTED STORE_DAQ_SUPPORTED",
    ):
        assert word in path.read_text("utf-8-sig")
    assert run(capsys, "a2l", "check", str(path))[:2] == (0, "")
    live = run(capsys, "a2l", "check", str(path), "--against", server.url, *KEY)
    assert live[:2] == (0, "")


def test_pages_of_a_protected_ecu(server, capsys) -> None:
    code, _, told = run(capsys, "page", server.url, "set", "1", "1")
    assert code == 5
    assert "cal is protected" in told
    code, shown, told = run(capsys, "page", server.url, "set", "1", "1", "--json", *KEY)
    assert code == 0, told
    pages = {one["segment"]: one["xcp_page"] for one in map(json.loads, shown.splitlines())}
    assert pages == {0: 0, 1: 1}


def test_a_key_function_that_fails_is_named(server, capsys) -> None:
    target = ("write", server.url, "cIdleSpeedTarget", "911", "--key-python")
    code, _, told = run(capsys, *target, "os:urandom")
    assert code == 2
    assert "os:urandom failed (TypeError" in told
    assert "a resource and a seed" in told


def test_what_the_ecu_can_is_said_in_words(server, capsys) -> None:
    code, shown, _ = run(capsys, "info", server.url, *KEY)
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert code == 0
    assert "stim, pgm" in rows["offers"]
    assert "Task10ms" in rows["STIM"]
    assert "RESUME" in rows["DAQ"]
    assert "4 sectors" in rows["PGM"]


def test_a_busy_slave_is_told_with_the_bound(capsys) -> None:
    settings = SlaveConfig(quirks=frozenset({Quirk.BUSY_AFTER_WRITE}))
    with EcuServer(build_ecu("demo-engine", settings)) as server:
        code, shown, told = run(capsys, "write", server.url, "cIdleSpeedTarget", "900")
    assert code == 0
    assert "900" in shown
    assert "the slave is busy for 1 s now; it is given up after 10 s" in told
