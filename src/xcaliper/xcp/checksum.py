"""The algorithms of BUILD_CHECKSUM, fast enough for megabytes."""

from __future__ import annotations

import binascii
import zlib
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.xcp.codes import ChecksumType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["block_alignment", "checksum"]


class _Add(NamedTuple):
    """Summing numbers of ``width`` bytes into ``result`` bytes."""

    width: int
    result: int


_ADDS: Final[Mapping[ChecksumType, _Add]] = MappingProxyType(
    {
        ChecksumType.XCP_ADD_11: _Add(1, 1),
        ChecksumType.XCP_ADD_12: _Add(1, 2),
        ChecksumType.XCP_ADD_14: _Add(1, 4),
        ChecksumType.XCP_ADD_22: _Add(2, 2),
        ChecksumType.XCP_ADD_24: _Add(2, 4),
        ChecksumType.XCP_ADD_44: _Add(4, 4),
    }
)


@lru_cache(maxsize=1)
def _crc16_table() -> tuple[int, ...]:
    """Reflected table of polynomial 0x8005."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _crc16(data: bytes) -> int:
    crc = 0
    table = _crc16_table()
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


_CRCS: Final[Mapping[ChecksumType, Callable[[bytes], int]]] = MappingProxyType(
    {
        ChecksumType.XCP_CRC_16: _crc16,
        ChecksumType.XCP_CRC_16_CITT: lambda data: binascii.crc_hqx(data, 0xFFFF),
        ChecksumType.XCP_CRC_32: zlib.crc32,
    }
)


def block_alignment(kind: ChecksumType) -> int:
    """Bytes that a block must be a multiple of (XCP Base, BUILD_CHECKSUM, 1.0)."""
    add = _ADDS.get(kind)
    return add.width if add else 1


def checksum(
    kind: ChecksumType,
    data: bytes | bytearray | memoryview,
    order: ByteOrder = ByteOrder.INTEL,
    user: Callable[[bytes], int] | None = None,
) -> int:
    """The checksum of a block as BUILD_CHECKSUM answers it (XCP Base, BUILD_CHECKSUM, 1.0).

    Args:
        kind: algorithm.
        data: bytes as they stand in memory.
        order: byte order of the slave, for sums of words and dwords.
        user: the algorithm behind XCP_USER_DEFINED; of its result 32 bits count.

    Raises:
        UsageError: the algorithm is the user's own and was not given, or the block is not a multiple of its words.
    """
    add = _ADDS.get(kind)
    if add is not None:
        if len(data) % add.width:
            raise UsageError(
                f"checksum: {kind.name} needs a multiple of {add.width} bytes, got {len(data)}.",
                hint="Choose another block length.",
            )
        numbers = np.frombuffer(data, f"{order.mark}u{add.width}")
        return int(numbers.sum(dtype=np.uint64)) & ((1 << 8 * add.result) - 1)
    if user is not None and kind is ChecksumType.XCP_USER_DEFINED:
        return user(bytes(data)) & 0xFFFF_FFFF
    crc = _CRCS.get(kind)
    if crc is None:
        raise UsageError(
            f"checksum: {kind.name} is not known.", hint="Compare the memory itself instead."
        )
    return crc(bytes(data))
