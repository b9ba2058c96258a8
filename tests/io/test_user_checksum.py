"""BUILD_CHECKSUM with an algorithm of the slave's own, and its library in the master."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

import xcaliper
from xcaliper.core.errors import LibraryError, SettingsError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.slave_config import SlaveConfig

C_SUM = """
typedef struct { unsigned char *pMem; unsigned long lLen; } TRange;
int CalcChecksum(TRange *ranges, int n, unsigned char *sum, int *significant, unsigned short flags) {
    unsigned found = 1;
    for (unsigned long i = 0; i < ranges[0].lLen; i++) found = found * 33 + ranges[0].pMem[i];
    for (int i = 0; i < 4; i++) sum[i] = found >> 8 * i;
    *significant = 4;
    return 1;
}
"""


def own_sum(data: bytes) -> int:
    found = 1
    for byte in data:
        found = found * 33 + byte & 0xFFFFFFFF
    return found


@pytest.fixture(scope="module")
def server():
    settings = SlaveConfig(
        checksum=ChecksumType.XCP_USER_DEFINED, user_checksum=own_sum, max_checksum_block=1000
    )
    with EcuServer(build_ecu("demo-engine", settings)) as running:
        yield running


def test_the_slave_must_have_the_algorithm() -> None:
    with pytest.raises(SettingsError, match="user_checksum"):
        SlaveConfig(checksum=ChecksumType.XCP_USER_DEFINED)


def test_memory_is_verified_by_a_function(server) -> None:
    with xcaliper.connect(str(server.endpoints[0]), cache=False) as ecu:
        segment = ecu.info.segments[0]
        data = ecu.read_memory(segment.address, segment.size_bytes)
        assert ecu.checksum(segment.address, 100) == ("XCP_USER_DEFINED", own_sum(data[:100]))
        assert ecu.verify_memory(segment.address, data, checksums=own_sum)
        for at in (0, len(data) - 1):
            other = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
            assert not ecu.verify_memory(segment.address, other, checksums=own_sum)
        with pytest.raises(UsageError, match="algorithm is its own"):
            ecu.verify_memory(segment.address, data)
        with pytest.raises(LibraryError, match="no such library"):
            ecu.verify_memory(segment.address, data, checksums="absent.so")
        with pytest.raises(SettingsError, match="has no EXTERNAL_FUNCTION"):
            ecu.verify_memory(segment.address, data, checksums="a2l")
        speed = ecu.describe("EngineSpeed")["address"]
        with pytest.raises(SettingsError, match="has no EXTERNAL_FUNCTION"):
            ecu.verify_memory(speed, bytes(4), checksums="a2l")


def test_usual_algorithms_need_nothing() -> None:
    with (
        EcuServer(build_ecu("demo-engine")) as server,
        xcaliper.connect(str(server.endpoints[0]), cache=False) as ecu,
    ):
        segment = ecu.info.segments[0]
        data = ecu.read_memory(segment.address, segment.size_bytes)
        assert ecu.verify_memory(segment.address, data)
        assert not ecu.verify_memory(segment.address, bytes(len(data)))


@pytest.mark.skipif(sys.platform != "linux", reason="the library of this test is for Linux")
def test_memory_is_verified_by_the_library_of_the_a2l(server, tmp_path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    source = tmp_path / "sum.c"
    source.write_text(C_SUM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", tmp_path / "ownsum.so", source], check=True, timeout=60
    )
    named = r'\1 EXTERNAL_FUNCTION "OwnSum.dll"'
    text = re.sub(r"(CHECKSUM\s+XCP_USER_DEFINED)\b", named, server.ecu.a2l)
    assert text != server.ecu.a2l
    described = tmp_path / "ecu.a2l"
    described.write_text(text, encoding="utf-8")
    with xcaliper.connect(str(server.endpoints[0]), described) as ecu:
        segment = ecu.info.segments[0]
        data = ecu.read_memory(segment.address, segment.size_bytes)
        assert ecu.verify_memory(segment.address, data, checksums="a2l")
        assert not ecu.verify_memory(segment.address, data[:-1] + b"?", checksums="a2l")
        library = tmp_path / "ownsum.so"
        assert ecu.verify_memory(segment.address, data, checksums=library)
