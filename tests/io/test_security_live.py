"""A protected virtual ECU over the network: keys in Python, in libraries, in the shell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import xcaliper
from xcaliper.cli.main import main
from xcaliper.core.errors import (
    AccessLockedError,
    LibraryError,
    NotFoundError,
    SettingsError,
    UnlockError,
)
from xcaliper.sim.demo_key import DEMO_LIBRARY, demo_key, demo_security
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.seed_key import resource_named
from xcaliper.xcp.slave_config import SlaveConfig

CAL, DAQ = resource_named("cal"), resource_named("daq")
NAME = "cIdleSpeedTarget"

C_KEY = """
unsigned XCP_ComputeKeyFromSeed(unsigned char resource, unsigned char size, unsigned char *seed,
                                unsigned char *room, unsigned char *key) {
    for (int i = 0; i < size; i++) key[i] = (seed[size - 1 - i] ^ 0x5A) + resource;
    *room = size;
    return 0;
}
"""


@pytest.fixture
def server():
    settings = SlaveConfig(security=demo_security(Resource(CAL | DAQ)))
    with EcuServer(build_ecu("demo-engine", settings)) as running:
        yield running


@pytest.fixture
def url(server) -> str:
    return str(server.endpoints[0])


def wrong(resource: Resource, seed: bytes) -> bytes:
    *right, last = demo_key(resource, seed)
    return bytes((*right, last ^ 1))


def test_without_keys_it_is_said_what_is_locked_and_what_to_do(url) -> None:
    with xcaliper.connect(url, cache=False) as ecu:
        assert ecu.security.state() == {"cal": True, "daq": True, "stim": False}
        assert ecu.read(NAME) == 820
        with pytest.raises(AccessLockedError, match="cal is protected") as error:
            ecu.write(NAME, 900)
        assert "keys=" in str(error.value)
        assert "--key-library" in str(error.value)
        with pytest.raises(AccessLockedError, match="daq or stim is protected"):
            ecu.measure("EngineSpeed", duration_s=0.1).start()
        with pytest.raises(SettingsError, match="there is no key function"):
            ecu.security.unlock("cal")
        with pytest.raises(NotFoundError, match="flash"):
            ecu.security.unlock("flash", keys=demo_key)


def test_unlocking_by_hand_one_by_one(url) -> None:
    with xcaliper.connect(url, cache=False) as ecu:
        assert ecu.info.segments[0].ecu_page is None
        assert ecu.security.unlock("cal", keys=demo_key) == {
            "cal": False,
            "daq": True,
            "stim": False,
        }
        assert ecu.info.segments[0].ecu_page is not None
        assert ecu.info.protection == DAQ
        ecu.write(NAME, 900)
        assert ecu.read(NAME) == 900
        ecu.write(NAME, 850)
        assert ecu.security.unlock(keys={"daq": demo_key}) == {
            "cal": False,
            "daq": False,
            "stim": False,
        }
        measured = ecu.measure("EngineSpeed", duration_s=0.2)
        assert sum(len(block) for block in measured)
        assert "no keys" in repr(ecu.security)


def test_with_keys_whatever_is_needed_is_unlocked_on_demand(url) -> None:
    asked: list[int] = []

    def keys(resource: Resource, seed: bytes) -> bytes:
        asked.append(int(resource))
        return demo_key(resource, seed)

    with xcaliper.connect(url, cache=False, keys=keys) as ecu:
        ecu.write(NAME, 870)
        assert ecu.read(NAME) == 870
        assert sum(len(block) for block in ecu.measure("EngineSpeed", duration_s=0.2))
        assert sorted(asked) == [CAL, DAQ]
        assert not any(ecu.security.state().values())
        ecu.reconnect()  # a new session is locked, and opened when it is needed
        ecu.write(NAME, 850)
        assert sorted(asked) == [CAL, CAL, DAQ]
        assert "keys" in repr(ecu.security)


def test_reading_that_needs_programming_is_unlocked_on_demand() -> None:
    pgm = resource_named("pgm")
    security = replace(demo_security(Resource(CAL | pgm)), reads=pgm)
    with EcuServer(build_ecu("demo-engine", SlaveConfig(security=security))) as server:
        url = str(server.endpoints[0])
        with xcaliper.connect(url, cache=False) as ecu, pytest.raises(AccessLockedError):
            ecu.read(NAME)
        with xcaliper.connect(url, cache=False, keys=demo_key) as ecu:
            assert ecu.security.state()["pgm"]  # calibration was looked at, programming was not
            assert ecu.read(NAME) == 820
            assert not ecu.security.state().get("pgm")


def test_a_wrong_key_ends_the_attempt_with_its_name(url) -> None:
    with pytest.raises(UnlockError, match="refused the key of"):
        xcaliper.connect(url, cache=False, keys=wrong)
    with xcaliper.connect(url, cache=False) as ecu:
        with pytest.raises(UnlockError):
            ecu.security.unlock("cal", keys=wrong)
        ecu.reconnect()
        assert ecu.security.unlock("cal", "daq", keys=demo_key) == {
            "cal": False,
            "daq": False,
            "stim": False,
        }


def test_keys_that_are_none_are_refused_at_once(url, tmp_path) -> None:
    for keys, kind in (
        (7, SettingsError),
        ({"cal": 7}, SettingsError),
        ({"flash": demo_key}, NotFoundError),
        ("a2l", SettingsError),  # the description is the slave's own
        (tmp_path / "absent.so", LibraryError),
    ):
        with pytest.raises(kind):
            xcaliper.connect(url, cache=False, keys=keys)
    with (
        xcaliper.connect(url, cache=False) as ecu,
        pytest.raises(AccessLockedError, match="daq is protected, and the keys have none"),
    ):
        ecu.security.unlock("daq", keys={"cal": demo_key})


@pytest.mark.skipif(sys.platform != "linux", reason="the library of this test is for Linux")
def test_the_library_that_the_a2l_names(url, server, tmp_path, capsys) -> None:
    described = tmp_path / "ecu.a2l"
    described.write_text(server.ecu.a2l, encoding="utf-8")
    assert f'SEED_AND_KEY_EXTERNAL_FUNCTION "{DEMO_LIBRARY}"' in " ".join(server.ecu.a2l.split())
    with pytest.raises(LibraryError, match="not beside the A2L"):
        xcaliper.connect(url, described, keys="a2l")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    source = tmp_path / "demo_key.c"
    source.write_text(C_KEY)
    library = tmp_path / "libdemo_key.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    with xcaliper.connect(url, described, keys="a2l") as ecu:
        ecu.write(NAME, 860)
    with xcaliper.connect(url, cache=False, keys={"CAL/PAG": str(library)}) as ecu:
        assert ecu.security.unlock("cal") == {"cal": False, "daq": True, "stim": False}
    arguments = ["write", url, NAME, "850", "--key-library", str(library), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["name"] == NAME


def test_the_shell(url, capsys, tmp_path, monkeypatch) -> None:
    function = "xcaliper.sim.demo_key:demo_key"
    assert main(["write", url, NAME, "880"]) == 5
    assert "cal is protected" in capsys.readouterr().err
    assert main(["write", url, NAME, "850", "--key-python", function]) == 0
    assert main(["info", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["protection"]["cal_pag"] == 1
    assert main(["info", url, "--json", "--key-python", function]) == 0
    assert json.loads(capsys.readouterr().out)["protection"]["cal_pag"] == 0
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def key(resource, seed):\n    return b'no'\nvalue = 1\n")
    assert main(["write", url, NAME, "880", "--key-python", "mine:key"]) == 5
    assert "refused the key of" in capsys.readouterr().err
    for wrong_one, text in (
        ("mine", "not MODULE:FUNCTION"),
        ("mine:value", "no function value"),
        ("nowhere_at_all:key", "cannot be imported"),
    ):
        assert main(["read", url, NAME, "--key-python", wrong_one]) == 2
        assert text in capsys.readouterr().err
    both = ["--key-python", function, "--key-library", "x.so"]
    assert main(["read", url, NAME, *both]) == 2
    assert "one of them is enough" in capsys.readouterr().err


def test_a_protected_ecu_in_a_process_of_its_own() -> None:
    settings = SlaveConfig(security=demo_security(CAL))
    with (
        EcuProcess(settings=settings) as process,
        xcaliper.connect(process.url, cache=False, keys={"cal": demo_key}) as ecu,
    ):
        assert ecu.security.state()["cal"] is False
        ecu.write(NAME, 830)


def test_a_protected_ecu_from_the_shell(tmp_path, capsys) -> None:
    out = tmp_path / "ecu.a2l"
    options = ["--protect", "cal,daq", "--duration", "0", "--a2l-out", str(out)]
    assert main(["vecu", "udp://127.0.0.1:0", *options]) == 0
    text = out.read_text()
    assert "SEED_AND_KEY_EXTERNAL_FUNCTION" in text
    assert "OPTIONAL_CMD GET_SEED" in " ".join(text.split())
    assert main(["vecu", "udp://127.0.0.1:0", "--protect", "cal,tea", "--duration", "0"]) == 3
    assert "Resources are" in capsys.readouterr().err
