"""Finds what can load a library: this interpreter, or a helper built for another architecture."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from xcaliper.core.errors import LibraryError
from xcaliper.sandbox.binary import HEAD_BYTES, Binary, host_binary, read_binary

__all__ = ["check_library", "command_for", "helper_variable"]

_CHILD: Final = Path(__file__).with_name("child.py")
#: Isolated: neither variables, nor the folder of the user, nor site packages change what runs.
_PYTHON: Final = ("-I", "-S", "-B", str(_CHILD))


def helper_variable(machine: str) -> str:
    """The environment variable that names the helper of an architecture: XCALIPER_HELPER_X86."""
    word = "".join(c if c.isalnum() else "_" for c in machine)
    return f"XCALIPER_HELPER_{word.upper()}"


def check_library(path: Path) -> Binary:
    """What a file was built for.

    Raises:
        LibraryError: there is no such file, or it is no shared library.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise LibraryError(
            str(path), "missing", "there is no such library", hint="Check the path."
        ) from None
    except OSError as error:
        text = f"it cannot be read ({error.strerror or error})"
        raise LibraryError(str(path), "missing", text, hint="Check path and rights.") from error
    found = read_binary(head)
    if found is None:
        text = "it is no shared library: neither ELF nor PE nor Mach-O"
        raise LibraryError(str(path), "no-library", text, hint="Check the path.")
    if not found.shared:
        text = f"it is a program or an object file, not a shared library ({found})"
        raise LibraryError(str(path), "no-library", text, hint="Check the path.")
    return found


def command_for(path: Path) -> list[str]:
    """The command of the child process that can load a library.

    A library that this interpreter cannot load needs a helper: the one that the variable
    ``XCALIPER_HELPER_<machine>`` names, or a program ``xcaliper-helper-<machine>`` beside the library or
    on the path. A name that begins with ``python`` is an interpreter, anything else a program as
    ``helper.c`` makes it.

    Raises:
        LibraryError: it is no library; it was built for another architecture and there is no helper.
    """
    built, host = check_library(path), host_binary()
    if (built.format, built.bits, built.machine) == (host.format, host.bits, host.machine):
        return [sys.executable, *_PYTHON]
    variable = helper_variable(built.machine)
    name = f"xcaliper-helper-{built.machine}"
    named = os.environ.get(variable, "")
    found = named or _beside(path, name) or shutil.which(name)
    if not found:
        raise LibraryError(
            str(path),
            "architecture",
            f"it was built for {built}; this Python is {host}",
            hint=f"Take the library for this system, or name a helper built for {built.machine}: a "
            f"program {name} beside it or on the path, or {variable} with a Python of that kind.",
        )
    if named and shutil.which(named) is None:
        raise LibraryError(
            str(path),
            "helper",
            f"{variable} names {named}, which is no program",
            hint="It takes the path of an interpreter or of a helper.",
        )
    arguments = _PYTHON if Path(found).name.lower().startswith("python") else ()
    return [found, *arguments]


def _beside(path: Path, name: str) -> str | None:
    return shutil.which(name, path=str(path.parent))
