"""One call of a shared library in a child process: bounded in time, memory and consequences."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from xcaliper.core.errors import LibraryError, SettingsError
from xcaliper.sandbox.helpers import command_for

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Convention", "Limits", "call_library"]

Convention = Literal["auto", "cdecl", "stdcall"]

_TOP_BIT: Final = 0x8000_0000
_WINDOWS: Final = {0xC000_0005: "access violation", 0xC000_00FD: "stack overflow"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take.

    Attributes:
        deadline_s: seconds until the process is ended.
        memory_bytes: address space, where the system can bound it; 0 = no limit.
    """

    deadline_s: float = 5.0
    memory_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s < math.inf:
            raise SettingsError("deadline_s", f"{self.deadline_s} is not a time")
        if self.memory_bytes < 0:
            raise SettingsError("memory_bytes", f"{self.memory_bytes} is negative")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function returned, and the bytes that it gave."""

    result: int
    value: bytes


def call_library(
    path: str | Path,
    call: str,
    fields: Mapping[str, str],
    *,
    limits: Limits,
    convention: Convention = "auto",
) -> Answer:
    """Call a function of a library.

    Whatever the library does (crash, hang, leave, print) happens to a child process.

    Args:
        path: of the library.
        call: ``key``, ``privileges`` or ``checksum``.
        fields: of the request, see ``child.py``.
        limits: of the child.
        convention: how 32-bit Windows calls; tried out by default.

    Raises:
        LibraryError: says what went wrong, and where.
    """
    place = Path(path).absolute()
    command = command_for(place)
    request = {
        "call": call,
        "library": str(place),
        "convention": convention,
        "memory": str(limits.memory_bytes),
        "cpu": str(math.ceil(limits.deadline_s) + 1),
        **fields,
    }
    text = "".join(f"{name} {value}\n" for name, value in request.items()) + ".\n"
    code, said = _run(place, command, text.encode(), limits)
    lines = said.decode("utf-8", "replace").splitlines()
    if "." not in lines:
        raise _ended(place, call, code, limits)
    return _understood(place, dict(line.split(" ", 1) for line in lines if " " in line))


def _understood(path: Path, answer: Mapping[str, str]) -> Answer:
    kind, _, detail = answer.get("problem", "").partition(" ")
    if kind == "symbol":
        hint = "It is no library of this kind, or exports its functions under other names."
        raise LibraryError(str(path), "symbol", f"it has no function {detail}", hint=hint)
    if kind:
        hint = "Check that the libraries it needs are there."
        raise LibraryError(str(path), "load", f"it cannot be loaded ({detail})", hint=hint)
    try:
        return Answer(int(answer["result"]), bytes.fromhex(answer.get("value", "")))
    except (KeyError, ValueError):
        text = "its helper gave an answer that nobody understands"
        raise LibraryError(str(path), "answer", text, hint="Check the helper.") from None


def _run(path: Path, command: list[str], request: bytes, limits: Limits) -> tuple[int, bytes]:
    """Exit code of the child, and what it said."""
    try:
        child = subprocess.Popen(  # noqa: S603 -- a list, no shell; the user named the library
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=path.parent,
            start_new_session=True,
        )
    except OSError as error:
        text = f"its helper {command[0]} cannot be started ({error.strerror or error})"
        raise LibraryError(str(path), "helper", text) from error
    with child:
        try:
            said, _ = child.communicate(request, limits.deadline_s)
        except subprocess.TimeoutExpired:
            _end(child)
            raise LibraryError(
                str(path),
                "time",
                f"no answer in {limits.deadline_s:g} s; its process was ended",
                hint="Give it more time, or check the library: it may wait for somebody.",
            ) from None
        except BaseException:
            _end(child)
            raise
    return child.returncode, said


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started."""
    if sys.platform != "win32":
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def _ended(path: Path, call: str, code: int, limits: Limits) -> LibraryError:
    """Why a child left without an answer."""
    what = f"it crashed while it was asked for a {call}"
    if call == "privileges":
        what = "it crashed while it was asked for its privileges"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        if name == "SIGXCPU":
            text = f"it took more processor time than {limits.deadline_s:g} s"
            return LibraryError(str(path), "time", text)
        return LibraryError(str(path), "crashed", f"{what} ({name})", hint="Nothing else was hurt.")
    if code >= _TOP_BIT:
        name = _WINDOWS.get(code, f"0x{code:08X}")
        return LibraryError(str(path), "crashed", f"{what} ({name})", hint="Nothing else was hurt.")
    text = f"it ended its process with exit code {code} instead of answering"
    return LibraryError(str(path), "exited", text, hint="Check what the library needs.")
