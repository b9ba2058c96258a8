"""Calls one function of a shared library; runs alone, by any Python since 3.8, 32-bit ones included.

It imports nothing of this project. The request comes as lines ``name value`` on stdin and ends with a
line of one dot; so does the answer on stdout. See ``helper.c`` for the same as a small program.

    call        key, privileges or checksum
    library     absolute path
    convention  auto, cdecl or stdcall; they differ on 32-bit Windows only
    privilege   of a key: the resource, one bit
    seed, data  hexadecimal
    memory      bytes of address space, 0 = no limit
    cpu         seconds of processor time, 0 = no limit

Answers are ``result`` with what the function returned, and ``value`` with what it gave, hexadecimal; or
``problem load``, ``problem symbol`` and a text.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

__all__ = [
    "Problem",
    "Range",
    "answer",
    "checksum",
    "function",
    "key",
    "limit",
    "load",
    "main",
    "privileges",
]

_KEY_BYTES = 255
_CHECKSUM_BYTES = 8
_NO_DIALOGS = 0x8003
_ALTERED_SEARCH = 0x8
_STACK_BYTES = {"XCP_ComputeKeyFromSeed": 20, "XCP_GetAvailablePrivileges": 4, "CalcChecksum": 20}


class Range(ctypes.Structure):
    """A run of memory, as CalcChecksum takes it (unconfirmed: a single public source)."""

    _fields_ = [("memory", ctypes.c_void_p), ("length", ctypes.c_ulong)]


class Problem(Exception):  # noqa: N818
    """What keeps the library from being called: a kind and a text."""


def limit(memory: int, cpu: int) -> None:
    """Bound memory and processor time, and write no core files, where the system can do that."""
    try:
        import resource
    except ImportError:
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetErrorMode(_NO_DIALOGS)
        return
    for kind, value in (("RLIMIT_AS", memory), ("RLIMIT_CPU", cpu), ("RLIMIT_CORE", 0)):
        number = getattr(resource, kind, None)
        if number is None or (kind != "RLIMIT_CORE" and not value):
            continue
        hard = resource.getrlimit(number)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(number, (wanted, hard))
        except (ValueError, OSError):
            continue


def load(path: str, *, stdcall: bool) -> Any:
    """The library."""
    try:
        if sys.platform == "win32":
            loader = ctypes.WinDLL if stdcall else ctypes.CDLL
            return loader(path, winmode=_ALTERED_SEARCH)
        return ctypes.CDLL(path)
    except OSError as error:
        raise Problem("load", str(error)) from error


def function(library: Any, name: str) -> Any:
    """A function by its name, or by the name that stdcall gives it."""
    for spelling in (name, f"_{name}@{_STACK_BYTES[name]}"):
        try:
            return getattr(library, spelling)
        except AttributeError:
            continue
    raise Problem("symbol", name)


def key(library: Any, request: dict[str, str]) -> list[tuple[str, Any]]:
    """XCP_ComputeKeyFromSeed."""
    call = function(library, "XCP_ComputeKeyFromSeed")
    seed = bytes.fromhex(request["seed"])
    length = ctypes.c_uint8(_KEY_BYTES)
    room = ctypes.create_string_buffer(_KEY_BYTES + 1)
    given = ctypes.create_string_buffer(seed, len(seed) + 1)
    call.restype = ctypes.c_uint32
    privilege = ctypes.c_uint8(int(request["privilege"]))
    result = call(privilege, ctypes.c_uint8(len(seed)), given, ctypes.byref(length), room)
    return [("result", result), ("value", room.raw[: length.value].hex())]


def privileges(library: Any, _: dict[str, str]) -> list[tuple[str, Any]]:
    """XCP_GetAvailablePrivileges."""
    call = function(library, "XCP_GetAvailablePrivileges")
    call.restype = ctypes.c_uint32
    mask = ctypes.c_uint8(0)
    result = call(ctypes.byref(mask))
    return [("result", result), ("value", f"{mask.value:02x}")]


def checksum(library: Any, request: dict[str, str]) -> list[tuple[str, Any]]:
    """CalcChecksum over one run of memory."""
    call = function(library, "CalcChecksum")
    data = bytes.fromhex(request["data"])
    memory = ctypes.create_string_buffer(data, max(len(data), 1))
    ranges = (Range * 1)(Range(ctypes.addressof(memory), len(data)))
    room = (ctypes.c_uint8 * _CHECKSUM_BYTES)()
    significant = ctypes.c_int(0)
    call.restype = ctypes.c_int
    result = call(ranges, 1, room, ctypes.byref(significant), ctypes.c_uint16(0))
    used = min(max(significant.value, 0), _CHECKSUM_BYTES)
    return [("result", result), ("value", bytes(room[:used]).hex())]


def answer(request: dict[str, str]) -> list[tuple[str, Any]]:
    """The lines of the answer."""
    calls = {"key": key, "privileges": privileges, "checksum": checksum}
    call = calls[request["call"]]
    convention = request.get("convention", "auto")
    try:
        try:
            return call(load(request["library"], stdcall=convention == "stdcall"), request)
        except ValueError:  # the stack shows that the convention was the other one
            if convention != "auto":
                raise
            return call(load(request["library"], stdcall=True), request)
    except Problem as problem:
        kind, text = problem.args
        return [("problem", kind + " " + text.replace("\n", " "))]


def main() -> None:
    """Serve one request; whatever the library prints goes nowhere."""
    requests = sys.stdin.buffer.read().decode("utf-8").split("\n")
    request = dict(line.split(" ", 1) for line in requests if " " in line)
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    limit(int(request.get("memory", 0)), int(request.get("cpu", 0)))
    lines = [f"{name} {value}" for name, value in answer(request)]
    os.write(answers, "\n".join([*lines, ".", ""]).encode("utf-8"))


if __name__ == "__main__":
    main()
    os._exit(0)  # a library that hangs or crashes when it is unloaded has done its work already
