"""Memory as bytes at addresses: a protocol and a sparse implementation."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import UsageError

__all__ = ["Memory", "SparseMemory"]


class Memory(Protocol):
    """Something bytes can be read from and written to."""

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address.

        Raises:
            UsageError: part of the range does not exist.
        """
        ...

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes at an address.

        Raises:
            UsageError: part of the range does not exist.
        """
        ...


class SparseMemory:
    """Separate runs of bytes, never overlapping.

    Args:
        ag: bytes per address unit, 1, 2 or 4.

    Raises:
        UsageError: another granularity.
    """

    def __init__(self, ag: int = 1) -> None:
        if ag not in (1, 2, 4):
            raise UsageError(f"memory: address granularity {ag} is none of 1, 2, 4.")
        self.ag = ag
        self._starts: list[tuple[int, int]] = []
        self._blocks: list[bytearray] = []

    def add(self, start: Address, data: bytes | bytearray) -> None:
        """Add a run; a bytearray is taken as it is, so that others may share it.

        An empty run adds nothing.

        Raises:
            UsageError: the run overlaps another one.
        """
        block = data if isinstance(data, bytearray) else bytearray(data)
        if not block:
            return
        key = (start.extension, start.value * self.ag)
        at = bisect_right(self._starts, key)
        for other in (at - 1, at):
            if 0 <= other < len(self._starts):
                ext, begin = self._starts[other]
                end = begin + len(self._blocks[other])
                if ext == key[0] and begin < key[1] + len(block) and key[1] < end:
                    raise UsageError(
                        f"memory run at {start} overlaps the one at {Address(begin // self.ag, ext)}.",
                        hint="Give each run its own addresses.",
                    )
        self._starts.insert(at, key)
        self._blocks.insert(at, block)

    def ranges(self) -> list[AddressRange]:
        """Every run, in order."""
        return [
            AddressRange(Address(begin // self.ag, ext), len(block))
            for (ext, begin), block in zip(self._starts, self._blocks, strict=True)
        ]

    def _find(self, address: Address, size_bytes: int) -> tuple[bytearray, int]:
        key = (address.extension, address.value * self.ag)
        at = bisect_right(self._starts, key) - 1
        if at >= 0 and size_bytes >= 0:
            ext, begin = self._starts[at]
            offset = key[1] - begin
            if ext == key[0] and offset + size_bytes <= len(self._blocks[at]):
                return self._blocks[at], offset
        raise UsageError(f"no memory at {address}, {size_bytes} bytes.")

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A writable view of bytes inside one run.

        Raises:
            UsageError: part of the range does not exist.
        """
        block, offset = self._find(address, size_bytes)
        return memoryview(block)[offset : offset + size_bytes]

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes inside one run.

        Raises:
            UsageError: part of the range does not exist.
        """
        block, offset = self._find(address, size_bytes)
        return bytes(block[offset : offset + size_bytes])

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes inside one run.

        Raises:
            UsageError: part of the range does not exist.
        """
        block, offset = self._find(address, len(data))
        block[offset : offset + len(data)] = data
