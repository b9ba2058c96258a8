"""Checksums from shared libraries, for slaves that answer XCP_USER_DEFINED.

Unconfirmed: the interface is taken from a single public implementation. ``CalcChecksum`` gets runs of
memory and gives up to eight bytes, of which it says how many count; here they are one number, lowest
byte first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xcaliper.core.errors import LibraryError
from xcaliper.sandbox.library import Limits, call_library

if TYPE_CHECKING:
    from xcaliper.sandbox.library import Convention

__all__ = ["ChecksumLibrary"]


class ChecksumLibrary:
    """Checksum of bytes by a shared library, in a process of its own for every call.

    Args:
        path: of the library; it is looked at with the first call.
        limits: what one call may take.
        convention: how 32-bit Windows calls functions; found out by default.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        limits: Limits | None = None,
        convention: Convention = "auto",
    ) -> None:
        self.path = Path(path)
        self._limits = limits or Limits()
        self._convention: Convention = convention

    def __repr__(self) -> str:
        return f"ChecksumLibrary({str(self.path)!r})"

    def __call__(self, data: bytes) -> int:
        """The checksum.

        Raises:
            LibraryError: the library cannot be used, or failed.
        """
        answer = call_library(
            self.path,
            "checksum",
            {"data": data.hex()},
            limits=self._limits,
            convention=self._convention,
        )
        if answer.result == 0:
            text = f"it gave no checksum of {len(data)} bytes"
            raise LibraryError(str(self.path), "refused", text)
        return int.from_bytes(answer.value, "little")
