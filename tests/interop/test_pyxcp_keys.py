"""pyxcp, as a master from elsewhere, unlocks the demo ECU with its own seed and key code."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import xcaliper
from xcaliper.sim.demo_key import demo_security
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.slave_config import SlaveConfig

CHILD = Path(__file__).with_name("pyxcp_keys_child.py")
TIME_LIMIT_S = 60
BOTH = Resource.of(cal_pag=1, daq=1)


def ask(*, max_cto: int, seed_bytes: int, resources: str = "calpag,daq", **job) -> tuple[dict, int]:
    """What pyxcp found, and the resources that the slave has locked afterwards."""
    security = replace(demo_security(BOTH), seed_bytes=seed_bytes)
    settings = SlaveConfig(max_cto=max_cto, security=security)
    with EcuServer(build_ecu("demo-engine", settings), ("udp://127.0.0.1:0",)) as server:
        where = server.endpoints[0]
        with xcaliper.connect(str(where), cache=False) as ecu:
            address = ecu.describe("cIdleSpeedTarget")["address"]
        told = {"host": where.host, "port": where.port, "address": address, "resources": resources}
        told |= {"wrong": False, "long": False, "own_loop": False} | job
        done = subprocess.run(
            [sys.executable, str(CHILD)],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout), server.ecu.slave.state.security.wrong_keys


@pytest.mark.parametrize(
    ("max_cto", "seed_bytes", "long"),
    [(255, 8, False), (255, 253, False), (32, 30, False), (32, 60, True), (16, 28, True)],
)
def test_pyxcp_unlocks_with_its_own_function(max_cto: int, seed_bytes: int, long: bool) -> None:
    found, wrong_keys = ask(max_cto=max_cto, seed_bytes=seed_bytes, long=long)
    locked = {"calpag": True, "daq": True}
    assert {name: found["before"][name] for name in locked} == locked
    assert not any(found["after"].values())
    assert found["written"]
    assert wrong_keys == 0


def test_pyxcp_unlocks_one_resource_of_two() -> None:
    found, _ = ask(max_cto=64, seed_bytes=16, resources="calpag")
    assert (found["after"]["calpag"], found["after"]["daq"]) == (False, True)


@pytest.mark.parametrize(("max_cto", "seed_bytes", "parts"), [(16, 100, 8), (32, 255, 9)])
def test_pyxcp_reads_seeds_of_many_parts(max_cto: int, seed_bytes: int, parts: int) -> None:
    found, _ = ask(max_cto=max_cto, seed_bytes=seed_bytes, long=True, own_loop=True)
    assert found["parts"] == parts
    assert found["after"]["calpag"] is False


def test_pyxcp_with_a_wrong_key_is_refused() -> None:
    found, wrong_keys = ask(max_cto=64, seed_bytes=16, wrong=True)
    assert "ACCESS_LOCKED" in found["error"]
    assert wrong_keys == 1
