"""Reading several objects at once: their memory is fetched together, then decoded one by one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import NegativeResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.core.address import Address

__all__ = ["ReadAhead"]


class ReadAhead:
    """Reads memory, and takes what the same thread fetched before from a store.

    Args:
        read: gives bytes for an address and a size.
        read_many: the same for many places at once.
    """

    def __init__(
        self,
        read: Callable[[Address, int], bytes],
        read_many: Callable[[Sequence[tuple[Address, int]]], list[bytes]],
    ) -> None:
        self._read = read
        self._read_many = read_many
        self._own = threading.local()

    def __call__(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address."""
        fetched: dict[tuple[Address, int], bytes] = getattr(self._own, "fetched", {})
        found = fetched.get((address, size_bytes))
        return self._read(address, size_bytes) if found is None else found

    def fetch(self, bounds: Iterable[Any]) -> None:
        """Read the memory of objects of a description; None among them is left out.

        What the slave refuses is left to the reading of each object, which can say what it is.
        """
        places = [
            (found.start, found.size_bytes)
            for bound in bounds
            if bound is not None
            for found in bound.memory_ranges()
        ]
        unique = list(dict.fromkeys(places))
        try:
            self._own.fetched = dict(zip(unique, self._read_many(unique), strict=True))
        except NegativeResponseError:
            self.drop()

    def drop(self) -> None:
        """What was fetched is old now."""
        self._own.fetched = {}
