"""Programs from files: what the verbs around ELF files and linker maps share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.errors import ImageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.image.debug_info import VariableSource
    from xcaliper.image.program import Program

__all__ = ["read_bytes", "read_program"]


def read_program(elf: Path | None, map_file: Path | None, *, listed: bool = False) -> Program:
    """Types, symbols and map of a program.

    Args:
        elf: the linked program.
        map_file: the listing of the linker.
        listed: every variable is wanted, so all types are read now; otherwise drgn answers where it is installed.

    Raises:
        UsageError: neither file was given.
        ImageError: a file cannot be read or used.
    """
    from xcaliper.cli.shell import errors, working
    from xcaliper.image.drgn_types import open_drgn
    from xcaliper.image.dwarf import read_debug_info
    from xcaliper.image.elf import read_elf
    from xcaliper.image.map_file import read_map
    from xcaliper.image.program import Program

    if elf is None and map_file is None:
        raise UsageError("program: no file was given.", hint="Add --elf FILE or --map FILE.")
    linker_map = None
    if map_file is not None:
        text = read_bytes(map_file).decode("utf-8", "replace")
        linker_map = read_map(text, source=str(map_file))
    if elf is None:
        return Program(linker_map=linker_map)
    types: VariableSource | None = None
    trouble: ImageError | None = None
    with working(f"Reading {elf.name} …") as told:
        file = read_elf(read_bytes(elf), source=str(elf), progress=told)
        quick = None if listed else open_drgn(str(elf), file, lambda: read_debug_info(file))
        try:
            types = quick or read_debug_info(file, progress=told)
        except ImageError as error:
            trouble = error
    if trouble is not None:
        errors().print(
            f"note  symbols only, without types. {trouble}", markup=False, soft_wrap=True
        )
        return Program(elf=file, linker_map=linker_map)
    for finding in getattr(types, "diagnostics", ()):
        errors().print(str(finding), markup=False, soft_wrap=True)
    return Program(types=types, elf=file, linker_map=linker_map)


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"the file cannot be read: {error.strerror or error}.",
            source=str(path),
            hint="Check path and rights.",
        ) from error
