"""The script of the child process, inside this one where nothing can go wrong."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from xcaliper.sandbox import child

resource = pytest.importorskip("resource", reason="limits of processes exist on POSIX only")

if TYPE_CHECKING:
    from pathlib import Path

TEXT = r"""
#include <string.h>
unsigned XCP_GetAvailablePrivileges(unsigned char *mask) { *mask = 0x15; return 0; }
unsigned XCP_ComputeKeyFromSeed(unsigned char privilege, unsigned char size, unsigned char *seed,
                                unsigned char *room, unsigned char *key) {
    memcpy(key, seed, size);
    key[0] += privilege;
    *room = size;
    return 0;
}
int CalcChecksum(void *ranges, int n, unsigned char *sum, int *significant, unsigned short flags) {
    sum[0] = n; *significant = 99;
    return 1;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the library of these tests is C for Linux; there is no C compiler here")
    folder = tmp_path_factory.mktemp("child")
    source = folder / "good.c"
    source.write_text(TEXT)
    made = folder / "good.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source], check=True, timeout=60)
    return made


def ask(library: Path, call: str, **fields: str) -> dict:
    return dict(child.answer({"call": call, "library": str(library), **fields}))


def test_answers(library) -> None:
    assert ask(library, "key", privilege="4", seed="0102") == {"result": 0, "value": "0502"}
    assert ask(library, "privileges") == {"result": 0, "value": "15"}
    assert ask(library, "checksum", data="00") == {"result": 1, "value": "01" + "00" * 7}
    told = ask(library.with_name("absent.so"), "privileges")
    assert told["problem"].startswith("load ")


def test_names_that_stdcall_gives() -> None:
    decorated = SimpleNamespace(**{"_CalcChecksum@20": "found"})
    assert child.function(decorated, "CalcChecksum") == "found"
    with pytest.raises(child.Problem):
        child.function(SimpleNamespace(), "CalcChecksum")


def test_the_other_convention_is_tried_when_the_stack_shows_it(monkeypatch, library) -> None:
    tried: list[bool] = []

    def load(_: str, *, stdcall: bool) -> ctypes.CDLL:
        tried.append(stdcall)
        if stdcall is not wanted:
            raise ValueError("Procedure probably called with too many arguments")
        return ctypes.CDLL(str(library))

    monkeypatch.setattr(child, "load", load)
    wanted = True
    assert ask(library, "privileges")["value"] == "15"
    assert tried == [False, True]
    assert ask(library, "privileges", convention="stdcall")["value"] == "15"
    assert tried == [False, True, True]
    with pytest.raises(ValueError, match="too many"):
        ask(library, "privileges", convention="cdecl")


def test_how_windows_loads(monkeypatch) -> None:
    monkeypatch.setattr(child.sys, "platform", "win32")
    fake = SimpleNamespace(
        CDLL=lambda path, winmode: ("cdecl", path, winmode),
        WinDLL=lambda path, winmode: ("stdcall", path, winmode),
    )
    monkeypatch.setattr(child, "ctypes", fake)
    assert child.load("x.dll", stdcall=True) == ("stdcall", "x.dll", 8)
    assert child.load("x.dll", stdcall=False) == ("cdecl", "x.dll", 8)


def test_limits(monkeypatch) -> None:
    given: dict[int, tuple[int, int]] = {}

    def keep(kind: int, values: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_CORE:
            raise ValueError("not allowed")
        given[kind] = values

    unlimited = resource.RLIM_INFINITY
    hard = {resource.RLIMIT_AS: unlimited, resource.RLIMIT_CPU: 3, resource.RLIMIT_CORE: 0}
    monkeypatch.setattr(resource, "setrlimit", keep)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, hard[kind]))
    child.limit(1000, 6)
    assert given == {resource.RLIMIT_AS: (1000, unlimited), resource.RLIMIT_CPU: (3, 3)}
    given.clear()
    child.limit(0, 0)
    assert given == {}


def test_without_limits_windows_at_least_shows_no_dialogs(monkeypatch) -> None:
    modes: list[int] = []
    windll = SimpleNamespace(kernel32=SimpleNamespace(SetErrorMode=modes.append))
    monkeypatch.setitem(sys.modules, "resource", None)
    child.limit(1, 1)
    assert modes == []
    monkeypatch.setattr(child.sys, "platform", "win32")
    monkeypatch.setattr(child, "ctypes", SimpleNamespace(windll=windll))
    child.limit(1, 1)
    assert modes == [0x8003]


def test_the_whole_of_it(library, monkeypatch) -> None:
    redirected: list[int] = []
    written: list[tuple[int, bytes]] = []
    request = f"call privileges\nlibrary {library}\nconvention auto\n.\n".encode()
    stdin = SimpleNamespace(buffer=SimpleNamespace(read=lambda: request))
    monkeypatch.setattr(child.sys, "stdin", stdin)
    monkeypatch.setattr(child, "limit", lambda memory, cpu: None)
    fakes = SimpleNamespace(
        dup=lambda number: 100 + number,
        open=lambda name, flags: 200,
        dup2=lambda old, new: redirected.append(new),
        write=lambda number, data: written.append((number, data)),
        devnull=os.devnull,
        O_RDWR=os.O_RDWR,
    )
    monkeypatch.setattr(child, "os", fakes)
    child.main()
    assert redirected == [0, 1, 2]
    assert written == [(101, b"result 0\nvalue 15\n.\n")]
