"""Libraries of keys and checksums in a child process: good ones, and those that misbehave."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from xcaliper.core.errors import LibraryError, SettingsError
from xcaliper.sandbox import library
from xcaliper.sandbox.binary import host_binary
from xcaliper.sandbox.checksums import ChecksumLibrary
from xcaliper.sandbox.helpers import helper_variable
from xcaliper.sandbox.keys import KeyLibrary
from xcaliper.sandbox.library import Limits
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.seed_key import resource_named

CAL, DAQ, PGM = map(resource_named, ("cal", "daq", "pgm"))
LINUX = sys.platform == "linux"
HELPER = Path(library.__file__).with_name("helper.c")

#: cal: bytes backwards; daq: 255 bytes; the other privileges misbehave in one way each.
KEYS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef unsigned char BYTE;
typedef unsigned int DWORD;
__attribute__((constructor)) static void loud(void) { printf("result 7\n.\n"); fflush(stdout); }
DWORD XCP_GetAvailablePrivileges(BYTE *privileges) { *privileges = 0x05; return 0; }
DWORD XCP_ComputeKeyFromSeed(BYTE privilege, BYTE lenSeed, BYTE *seed, BYTE *lenKey, BYTE *key) {
    int i;
    static volatile char *hole, *pages[4096];
    puts("noise"); fputs("more noise\n", stderr); fflush(stdout);
    switch (privilege) {
    case 0x01: for (i = 0; i < lenSeed; i++) key[i] = seed[lenSeed - 1 - i]; *lenKey = lenSeed; return 0;
    case 0x04: if (*lenKey < 255) return 3; memset(key, lenSeed, 255); return 0;
    case 0x08: return lenSeed == 4 ? 2 : 99;
    case 0x10: *hole = 1; return 0;
    case 0x20: for (;;) pause();
    case 0x40: exit(3);
    case 0x80: for (i = 0; i < 4096; i++) {
            pages[i] = malloc(1 << 20);
            if (!pages[i]) return 98;
            memset((char *)pages[i], 1, 1 << 20);
        }
        return 97;
    default: return 1;
    }
}
"""
SUMS = r"""
typedef unsigned char BYTE;
typedef struct { BYTE *pMem; unsigned long lLen; } TRange;
int CalcChecksum(TRange ranges[], int nRanges, BYTE *checksum, int *significant, unsigned short flags) {
    unsigned sum = flags; unsigned long i;
    for (i = 0; i < ranges[0].lLen; i++) sum = sum * 31 + ranges[0].pMem[i];
    checksum[0] = sum; checksum[1] = sum >> 8; checksum[2] = 0xEE;
    *significant = 2;
    return ranges[0].lLen > 1 && nRanges == 1;
}
"""
MUTE = "unsigned XCP_GetAvailablePrivileges(unsigned char *p) { (void)p; return 5; }"
LOST = "int needed_but_absent(void); int CalcChecksum(void) { return needed_but_absent(); }"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The libraries, and a helper for the architecture of this machine."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not LINUX or compiler is None:
        pytest.skip("the libraries of these tests are C for Linux; there is no C compiler here")
    folder = tmp_path_factory.mktemp("libraries")
    for name, text in (("keys", KEYS), ("sums", SUMS), ("mute", MUTE), ("lost", LOST)):
        source = folder / f"{name}.c"
        source.write_text(text)
        command = [compiler, "-shared", "-fPIC", "-w", "-o", folder / f"{name}.so", source]
        subprocess.run([*command, "-Wl,-z,now"], check=True, timeout=60)
    helper = folder / "helper"
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-o", helper, HELPER, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture(params=["python", "helper"])
def place(request, built, monkeypatch) -> Path:
    """The libraries, called by Python or by the helper."""
    if request.param == "helper":
        monkeypatch.setattr(library, "command_for", lambda _: [str(built / "helper")])
    return built


def reason_of(call, *arguments) -> tuple[str, str]:
    with pytest.raises(LibraryError) as error:
        call(*arguments)
    return error.value.reason, str(error.value)


def test_keys_come_back_whatever_the_library_prints(place, capfd) -> None:
    keys = KeyLibrary(place / "keys.so")
    assert keys(CAL, b"\x01\x02\x03") == b"\x03\x02\x01"
    assert keys(CAL, bytes(range(1, 256))) == bytes(range(255, 0, -1))
    assert keys(DAQ, bytes(9)) == b"\x09" * 255
    assert keys.privileges() == CAL | DAQ
    assert "keys.so" in repr(keys)
    assert capfd.readouterr() == ("", "")


def test_codes_are_explained(place) -> None:
    keys = KeyLibrary(place / "keys.so")
    reason, text = reason_of(keys, Resource(0x02), b"abc")
    assert reason == "refused"
    assert "no key for nothing" in text
    assert text.endswith("It has keys for cal, daq.")
    assert "seed of 4 bytes has the wrong length" in reason_of(keys, Resource(8), b"abcd")[1]
    assert "failed with code 99" in reason_of(keys, Resource(8), b"abc")[1]


def test_a_crash_ends_the_child_alone(place) -> None:
    reason, text = reason_of(KeyLibrary(place / "keys.so"), Resource(0x10), b"abc")
    assert reason == "crashed"
    assert "SIGSEGV" in text


def test_a_library_that_hangs_is_ended(place) -> None:
    keys = KeyLibrary(place / "keys.so", limits=Limits(deadline_s=0.5))
    reason, text = reason_of(keys, Resource(0x20), b"abc")
    assert reason == "time"
    assert "no answer in 0.5 s" in text


def test_a_library_that_leaves_is_told_of(place) -> None:
    reason, text = reason_of(KeyLibrary(place / "keys.so"), Resource(0x40), b"abc")
    assert reason == "exited"
    assert "exit code 3" in text


def test_memory_is_bounded(built) -> None:
    keys = KeyLibrary(built / "keys.so", limits=Limits(memory_bytes=256 << 20))
    assert "failed with code 98" in reason_of(keys, Resource(0x80), b"abc")[1]


def test_what_is_no_library_of_keys(place) -> None:
    reason, text = reason_of(KeyLibrary(place / "sums.so"), CAL, b"abc")
    assert reason == "symbol"
    assert "XCP_ComputeKeyFromSeed" in text
    reason, text = reason_of(ChecksumLibrary(place / "keys.so"), b"abc")
    assert reason == "symbol"
    assert "CalcChecksum" in text
    reason, text = reason_of(ChecksumLibrary(place / "lost.so"), b"abc")
    assert reason == "load"
    assert "needed_but_absent" in text


def test_privileges_that_are_not_told(place) -> None:
    keys = KeyLibrary(place / "mute.so")
    assert "(code 5)" in reason_of(keys.privileges)[1]
    assert KeyLibrary(place / "keys.so").privileges()
    assert keys._has() == "It does not tell which keys it has."


def test_checksums(place) -> None:
    sums = ChecksumLibrary(place / "sums.so")
    assert sums(b"\x01\x02") == 31 + 2
    data = bytes(range(256)) * 1024
    expected = 0
    for byte in data:
        expected = expected * 31 + byte & 0xFFFF
    assert sums(data) == expected
    assert "no checksum of 0 bytes" in reason_of(sums, b"")[1]
    assert "sums.so" in repr(sums)


# -- files ----------------------------------------------------------------------------------------


def other_library(folder: Path) -> tuple[Path, str]:
    """A library for an architecture that this machine does not have: a head, nothing else."""
    place = folder / "other.so"
    place.write_bytes(b"\x7fELF\x01\x02\x01" + bytes(9) + struct.pack(">HHI", 3, 22, 1) + bytes(40))
    assert host_binary().machine != "s390" or host_binary().bits != 32
    return place, helper_variable("s390")


def test_files_that_cannot_be_libraries(tmp_path) -> None:
    for name, content, part in (
        ("absent.so", None, "no such library"),
        ("text.so", b"#!/bin/sh\n", "no shared library"),
        ("program", Path(sys.executable).read_bytes()[:4096].replace(b"\x03\0", b"\x02\0", 1), ""),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        reason, text = reason_of(KeyLibrary(path), CAL, b"abc")
        assert reason in ("missing", "no-library")
        assert str(path) in text
        assert part in text
    reason, text = reason_of(KeyLibrary(tmp_path), CAL, b"abc")
    assert reason == "missing"
    assert "cannot be read" in text


def test_the_wrong_architecture_is_named_with_a_way_out(tmp_path, monkeypatch) -> None:
    path, variable = other_library(tmp_path)
    monkeypatch.delenv(variable, raising=False)
    reason, text = reason_of(KeyLibrary(path), CAL, b"abc")
    assert reason == "architecture"
    assert "it was built for 32 bit, s390, ELF (Linux)" in text
    assert str(host_binary()) in text
    assert "xcaliper-helper-s390" in text
    assert variable in text
    monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    reason, text = reason_of(KeyLibrary(path), CAL, b"abc")
    assert reason == "helper"
    assert variable in text


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name != "posix", reason="the helpers of these tests are shell scripts")
def test_a_helper_is_found_beside_the_library_on_the_path_or_by_its_variable(
    tmp_path, monkeypatch
) -> None:
    path, variable = other_library(tmp_path)
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    monkeypatch.setenv("PATH", f"{elsewhere}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(variable, raising=False)
    keys = KeyLibrary(path)
    answer = 'cat > "{seen}"; printf "result 0\\nvalue {key}\\n.\\n"'
    script(elsewhere / "xcaliper-helper-s390", answer.format(seen=tmp_path / "seen", key="01"))
    assert keys(CAL, b"abc") == b"\x01"
    seen = (tmp_path / "seen").read_text().splitlines()
    assert {"call key", f"library {path}", "privilege 1", "seed 616263", "."} <= set(seen)
    script(tmp_path / "xcaliper-helper-s390", answer.format(seen="/dev/null", key="02"))
    assert keys(CAL, b"abc") == b"\x02"
    named = script(tmp_path / "own", answer.format(seen="/dev/null", key="03"))
    monkeypatch.setenv(variable, str(named))
    assert keys(CAL, b"abc") == b"\x03"


@pytest.mark.skipif(os.name != "posix", reason="the helpers of these tests are shell scripts")
def test_a_name_that_begins_with_python_is_an_interpreter(tmp_path, monkeypatch) -> None:
    path, variable = other_library(tmp_path)
    python = tmp_path / "python3-s390"
    python.symlink_to(sys.executable)
    monkeypatch.setenv(variable, str(python))
    reason, _ = reason_of(KeyLibrary(path), CAL, b"abc")
    assert reason == "load"  # it ran, and found that the file is only a head


@pytest.mark.skipif(os.name != "posix", reason="the helpers of these tests are shell scripts")
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("cat > /dev/null; echo .", "answer"),
        ('cat > /dev/null; printf "result x\\n.\\n"', "answer"),
        ('cat > /dev/null; printf "result 0\\nvalue zz\\n.\\n"', "answer"),
        ("cat > /dev/null; exit 0", "exited"),
        ("exit 9", "exited"),
        ("kill -XCPU $$", "time"),
        ("kill -TERM $$", "crashed"),
        ("sleep 60 & sleep 60", "time"),
    ],
)
def test_helpers_that_misbehave(tmp_path, monkeypatch, said: str, reason: str) -> None:
    path, variable = other_library(tmp_path)
    monkeypatch.setenv(variable, str(script(tmp_path / "bad", said)))
    keys = KeyLibrary(path, limits=Limits(deadline_s=2.0 if reason == "time" else 20.0))
    assert reason_of(keys, CAL, b"abc")[0] == reason


@pytest.mark.skipif(os.name != "posix", reason="the helpers of these tests are shell scripts")
def test_a_helper_that_cannot_be_started(tmp_path, monkeypatch) -> None:
    path, variable = other_library(tmp_path)
    helper = tmp_path / "bad"
    helper.write_text("#!/nowhere/at/all\n")
    helper.chmod(0o755)
    monkeypatch.setenv(variable, str(helper))
    reason, text = reason_of(KeyLibrary(path), CAL, b"abc")
    assert reason == "helper"
    assert "cannot be started" in text


def test_how_windows_says_that_something_crashed(tmp_path) -> None:
    for code, word in ((0xC0000005, "access violation"), (0xC0000409, "0xC0000409")):
        error = library._ended(tmp_path / "x.dll", "privileges", code, Limits())
        assert error.reason == "crashed"
        assert word in str(error)
        assert "asked for its privileges" in str(error)
    assert "signal 99" in str(library._ended(tmp_path, "key", -99, Limits()))


@pytest.mark.parametrize("wrong", [{"deadline_s": 0}, {"deadline_s": 1e999}, {"memory_bytes": -1}])
def test_limits_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        Limits(**wrong)
