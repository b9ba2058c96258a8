"""The concepts of calibration over real sockets, by the shell's server and the client."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

import xcaliper
from xcaliper.cli.main import main
from xcaliper.core.errors import MemoryOverflowError, NegativeResponseError, WriteProtectedError
from xcaliper.sim.extensions import ExtensionMap
from xcaliper.sim.gallery import CONCEPT_NAMES, NAMES, build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer

pytestmark = pytest.mark.timeout(60)

FLASH = 0x0801_0000
#: What writing one parameter of each structure, A to D, comes to.
WRITTEN = {
    "flash-parameters": [WriteProtectedError] * 4,
    "eeprom": [2, 2, 2, 2],
    "ram-parameters": [2, 2, 2, 2],
    "two-ram-pages": [2, 2, 2, 2],
    "flash-overlay": [2, 2, 2, 2],
    "dynamic-overlay": [2, 2, 2, 2],
    "autosar-single-pointer": [2, MemoryOverflowError, 2, MemoryOverflowError],
    "double-pointer": [2, MemoryOverflowError, 2, MemoryOverflowError],
    "pointer-table-in-flash": [2, WriteProtectedError, 2, WriteProtectedError],
}


@pytest.mark.parametrize("name", CONCEPT_NAMES)
def test_each_concept_through_the_client(name):
    found = []
    with (
        EcuServer(build_ecu(name)) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        for structure in "ABCD":
            try:
                found.append(ecu.write(f"cSet{structure}", 2).after)
            except NegativeResponseError as error:
                found.append(type(error))
        now = [ecu.read(f"cSet{structure}") for structure in "ABCD"]
    assert found == WRITTEN[name]
    assert now == [2 if one == 2 else 1 for one in found]


def test_parameters_in_flash_point_to_the_image():
    with (
        EcuServer(build_ecu("flash-parameters")) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
        pytest.raises(WriteProtectedError, match=r"no page of segment 0 .* offline"),
    ):
        ecu.write("cSetA", 2)


@pytest.mark.parametrize("name", ["flash-parameters", "ram-parameters"])
def test_parameters_are_calibrated_in_the_image_and_programmed(name, tmp_path):
    """What lies in flash, and what begins with it, changes offline: read the image, write, program."""
    described, image, changed = (tmp_path / one for one in ("ecu.a2l", "flash.bin", "new.bin"))
    with EcuServer(build_ecu(name)) as server:
        described.write_text(server.ecu.a2l, encoding="utf-8-sig")
        with xcaliper.connect(server.url, cache=False) as ecu:
            image.write_bytes(ecu.read_memory(FLASH, 0x400))
            offline = xcaliper.open_image(described, image, address=FLASH)
            offline.write("cSetA", 7)
            offline.write("KFA", offline.read("KFA").values * 2)
            offline.save(changed)
            ecu.program.write([(FLASH, changed.read_bytes())])
        with xcaliper.connect(server.url, cache=False) as ecu:
            assert ecu.read("cSetA") == 7
            assert ecu.read("KFA").values[10, 10] == 40
            assert ecu.read_memory(FLASH, 0x400) == changed.read_bytes()


def test_the_shell_lists_the_ecus(capsys):
    assert main(["vecu", "--list-ecus"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    assert main(["vecu", "--list-ecus", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == list(NAMES)
    assert main(["vecu", "flash-overlay", "--extensions", "rom=1"]) == 2


def test_the_shell_prints_the_log(tmp_path):
    command = [sys.executable, "-m", "xcaliper", "vecu", "flash-overlay", "udp://127.0.0.1:0"]
    options = ["--json", "--duration", "30", "--extensions", "flash=0,ram=1"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        (url,) = json.loads(process.stdout.readline())["urls"]
        with xcaliper.connect(url, cache=False) as ecu:
            ecu.write("cSetA", 2)
            with suppress(NegativeResponseError):
                ecu.read_memory(0x2000_0000, 4)
        told = process.stderr.readline() + process.stderr.readline()
        assert "wrong-extension: 4 bytes at 0x20000000" in told.replace("\n", " ")
    finally:
        process.kill()
        process.communicate()


def test_a_process_of_its_own_takes_a_map():
    with (
        EcuProcess("ram-parameters", extensions=ExtensionMap(ram=6)) as process,
        xcaliper.connect(process.url, cache=False) as ecu,
    ):
        assert ecu.write("cSetA", 2).after == 2
        assert ecu.read_memory(0x2001_0000, 2, extension=6) == b"\2\0"
        (block, *_) = ecu.measure(["TaskCounter", "SetA"], duration_s=0.2).run().blocks()
        assert set(np.diff(block["TaskCounter"].astype(int))) == {1}
        assert set(block["SetA"]) == {2}
