"""What both sides of seed and key share: names of resources and the type of a key function."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.errors import NotFoundError
from xcaliper.xcp.codes import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["KeyFunction", "each_resource", "resource_name", "resource_named"]

KeyFunction: TypeAlias = Callable[[Resource, bytes], bytes]
"""One resource bit and the whole seed, 1 to 255 bytes → the whole key, 1 to 255 bytes."""

_NAMES: Final[Mapping[str, Resource]] = MappingProxyType(
    {
        "cal": Resource.of(cal_pag=1),
        "daq": Resource.of(daq=1),
        "stim": Resource.of(stim=1),
        "pgm": Resource.of(pgm=1),
        "dbg": Resource.of(dbg=1),
    }
)
_CALIBRATION: Final = frozenset({"pag", "cal/pag", "cal_pag", "calpag"})


def resource_named(name: str) -> Resource:
    """The bit of ``cal`` (or ``cal/pag``), ``daq``, ``stim``, ``pgm`` or ``dbg``, in any case.

    Raises:
        NotFoundError: there is no such resource.
    """
    word = name.strip().lower()
    found = _NAMES.get("cal" if word in _CALIBRATION else word)
    if found is None:
        raise NotFoundError(name, kind="resource", hint=f"Resources are {', '.join(_NAMES)}.")
    return found


def resource_name(resource: int) -> str:
    """``cal``, ``daq``, ``stim``, ``pgm`` or ``dbg``; several are joined by commas."""
    return ", ".join(name for name, bit in _NAMES.items() if resource & bit) or "nothing"


def each_resource(mask: int) -> Iterator[Resource]:
    """The bits of a mask that name a resource, one by one, lowest first."""
    return (bit for bit in _NAMES.values() if mask & bit)
