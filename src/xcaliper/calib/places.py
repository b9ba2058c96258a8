"""Which parameters lie where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import GapError, XcaliperError
from xcaliper.quantity.characteristic import BoundCharacteristic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from xcaliper.quantity.blob import BoundBlob
    from xcaliper.quantity.catalog import Bound, Catalog

    Read = Callable[[Address, int], bytes]
    Locate = Callable[[Address, int], Address]

__all__ = ["PlaceIndex"]

_SHIFT: Final = 48  # of the extension above an address in bytes


class PlaceIndex:
    """Names of parameters by the bytes they occupy, every variant included.

    Args:
        catalog: names and descriptions.
        read: gives bytes for an address and a size; pointers are followed with it.
        locate: gives the place of an address and a size in an image; None = where they are described.

    Attributes:
        diagnostics: parameters whose place cannot be told.
    """

    def __init__(self, catalog: Catalog, read: Read, locate: Locate | None = None) -> None:
        self._ag = catalog.ag
        self._locate = locate
        self._blobs = frozenset(catalog.blobs)
        self.diagnostics: list[Diagnostic] = []
        rows = sorted(
            (self._begin(part.start), self._begin(part.start) + part.size_bytes, name)
            for name, part in self._parts(catalog, read)
        )
        self._begins: NDArray[np.int64] = np.array([row[0] for row in rows], dtype=np.int64)
        self._ends: NDArray[np.int64] = np.array([row[1] for row in rows], dtype=np.int64)
        self._names = [row[2] for row in rows]
        self._rows: dict[str, list[int]] = {}
        for number, name in enumerate(self._names):
            self._rows.setdefault(name, []).append(number)

    def _begin(self, address: Address) -> int:
        return (address.extension << _SHIFT) + address.value * self._ag

    def _parts(self, catalog: Catalog, read: Read) -> Iterator[tuple[str, AddressRange]]:
        for name in (*catalog.characteristics, *catalog.axis_pts, *catalog.blobs):
            node = catalog.dependencies.find(name)
            if node is not None and not node.has_memory:
                continue
            try:
                for one in self._places(catalog, name, read):
                    yield name, self._located(one)
            except XcaliperError as error:
                told = error.named(name) if isinstance(error, GapError) else error
                self.diagnostics.append(
                    Diagnostic(Severity.WARNING, "no-place", Where(), told.message, subject=name)
                )

    def _located(self, one: AddressRange) -> AddressRange:
        if self._locate is None:
            return one
        return AddressRange(self._locate(one.start, one.size_bytes), one.size_bytes)

    def _places(self, catalog: Catalog, name: str, read: Read) -> list[AddressRange]:
        if name in catalog.variants and catalog.variants.has_addresses(name):
            return [
                part
                for variant in catalog.variants.of(name)
                for part in _own(catalog.variants.bind(variant).resolve(read))
            ]
        made = catalog.blob(name) if name in self._blobs else catalog.bind(name)
        return _own(made.resolve(read))

    def ranges_of(self, name: str) -> list[AddressRange]:
        """The bytes of a parameter, of every variant; empty where its place cannot be told."""
        found: list[AddressRange] = []
        for number in self._rows.get(name, ()):
            begin, end = int(self._begins[number]), int(self._ends[number])
            extension, value = begin >> _SHIFT, begin & (1 << _SHIFT) - 1
            found.append(AddressRange(Address(value // self._ag, extension), end - begin))
        return found

    def names_in(self, ranges: Iterable[AddressRange]) -> tuple[list[str], list[AddressRange]]:
        """Parameters that these bytes belong to, in the order of their addresses, and bytes of none."""
        found: dict[str, None] = {}
        unnamed: list[AddressRange] = []
        for one in ranges:
            begin = self._begin(one.start)
            last = int(np.searchsorted(self._begins, begin + one.size_bytes, side="left"))
            hits = np.flatnonzero(self._ends[:last] > begin).tolist()
            found.update(dict.fromkeys(self._names[hit] for hit in hits))
            if not hits:
                unnamed.append(one)
        return list(found), unnamed


def _own(bound: Bound | BoundBlob) -> list[AddressRange]:
    """The memory of an object without that of the axes it shares."""
    if isinstance(bound, BoundCharacteristic):
        if bound.maps:
            return [part for one in bound.maps for part in _own(one)]
        return [AddressRange(bound.address, bound.size_bytes)]
    return bound.memory_ranges()
