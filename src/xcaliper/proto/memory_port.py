"""Memory of an ECU as procedures, so that engines need not know XCP from CCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure

__all__ = ["MemoryPort"]


class MemoryPort(Protocol):
    """Reads and writes bytes at addresses; every call gives a procedure to run."""

    def read(self, address: Address, size_bytes: int) -> Procedure[bytes]:
        """Bytes at an address."""
        ...

    def write(self, address: Address, data: bytes) -> Procedure[None]:
        """Replace bytes at an address."""
        ...
