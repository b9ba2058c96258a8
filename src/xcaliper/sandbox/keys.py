"""Keys from shared libraries with the ASAM interface of XCP seed and key."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import LibraryError
from xcaliper.sandbox.library import Limits, call_library
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.seed_key import resource_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.sandbox.library import Answer, Convention

__all__ = ["KeyLibrary"]

_NO_PRIVILEGE: Final = 1
_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "it has no key for {resource}",
        2: "a seed of {seed} bytes has the wrong length for it",
        3: "its key is longer than the 255 bytes of XCP",
    }
)


class KeyLibrary:
    """A key function that asks a shared library, in a process of its own for every call.

    The library exports ``XCP_ComputeKeyFromSeed`` and, if it likes, ``XCP_GetAvailablePrivileges``;
    privileges are the bits of RESOURCE *(XCP Base, seed and key, 1.0)*.

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
        return f"KeyLibrary({str(self.path)!r})"

    def __call__(self, resource: Resource, seed: bytes) -> bytes:
        """The key of a resource.

        Raises:
            LibraryError: the library cannot be used, or has no such key.
        """
        answer = self._ask("key", {"privilege": str(int(resource)), "seed": seed.hex()})
        result = answer.result
        if result == 0:
            return answer.value
        name = resource_name(resource)
        reason = _REASONS.get(result, "it failed with code {result}")
        text = reason.format(resource=name, seed=len(seed), result=result)
        hint = ""
        if result == _NO_PRIVILEGE:
            hint = self._has()
        raise LibraryError(str(self.path), "refused", text, hint=hint)

    def _has(self) -> str:
        try:
            return f"It has keys for {resource_name(self.privileges())}."
        except LibraryError:
            return "It does not tell which keys it has."

    def privileges(self) -> Resource:
        """Resources that the library has keys for.

        Raises:
            LibraryError: it cannot be used, or does not tell.
        """
        answer = self._ask("privileges", {})
        if answer.result:
            text = f"it does not tell its privileges (code {answer.result})"
            raise LibraryError(str(self.path), "refused", text)
        return Resource(int.from_bytes(answer.value, "little"))

    def _ask(self, call: str, fields: Mapping[str, str]) -> Answer:
        return call_library(
            self.path, call, fields, limits=self._limits, convention=self._convention
        )
