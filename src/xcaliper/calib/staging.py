"""Memory as it will be: writes are kept here until they are sent together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address

    Read = Callable[[Address, int], bytes]

__all__ = ["StagedMemory"]

_BLOCK: Final = 256


class StagedMemory:
    """Memory with planned writes over it.

    Args:
        read: gives bytes as they are, for an address and a size.
        ag: bytes per address.

    Attributes:
        writes: what was planned, in order.
    """

    def __init__(self, read: Read, ag: int = 1) -> None:
        self._read = read
        self.ag = ag
        self.writes: list[tuple[Address, bytes]] = []
        self._blocks: dict[tuple[int, int], tuple[bytearray, bytearray]] = {}

    def write(self, address: Address, data: bytes) -> None:
        """Plan a write of whole address units.

        Raises:
            UsageError: the bytes are no whole units.
        """
        if len(data) % self.ag:
            raise UsageError(f"write: {len(data)} bytes are no whole elements of {self.ag} bytes.")
        self.writes.append((address, bytes(data)))
        begin = address.value * self.ag
        for number, low, high in _parts(begin, begin + len(data)):
            block, known = self._blocks.setdefault(
                (address.extension, number), (bytearray(_BLOCK), bytearray(_BLOCK))
            )
            part = data[number * _BLOCK + low - begin : number * _BLOCK + high - begin]
            block[low:high] = part
            known[low:high] = b"\1" * len(part)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they will be."""
        begin, end = address.value * self.ag, address.value * self.ag + size_bytes
        parts = [
            (number, low, high, self._blocks[address.extension, number])
            for number, low, high in _parts(begin, end)
            if (address.extension, number) in self._blocks
        ]
        if not parts:
            return self._read(address, size_bytes)
        if len(parts) == -(-end // _BLOCK) - begin // _BLOCK and all(
            0 not in known[low:high] for _, low, high, (_, known) in parts
        ):
            return b"".join(bytes(block[low:high]) for _, low, high, (block, _) in parts)
        data = bytearray(self._read(address, size_bytes))
        for number, low, high, (block, known) in parts:
            at = number * _BLOCK - begin
            for index in range(low, high):
                if known[index]:
                    data[at + index] = block[index]
        return bytes(data)

    __call__ = read


def _parts(begin: int, end: int) -> list[tuple[int, int, int]]:
    """Number, begin and end within it, of every block that a stretch touches."""
    return [
        (number, max(begin - number * _BLOCK, 0), min(end - number * _BLOCK, _BLOCK))
        for number in range(begin // _BLOCK, -(-end // _BLOCK))
    ]
