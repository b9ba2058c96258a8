"""The algorithms of BUILD_CHECKSUM, fast enough for megabytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.checksum import ALGORITHMS, checksum_of
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.xcp.codes import ChecksumType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["block_alignment", "checksum"]


def block_alignment(kind: ChecksumType) -> int:
    """Bytes that a block must be a multiple of (XCP Base, BUILD_CHECKSUM, 1.0)."""
    known = ALGORITHMS.get(kind.name)
    return known.width if known else 1


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
    if kind is not ChecksumType.XCP_USER_DEFINED:
        return checksum_of(kind.name, data, order)
    if user is None:
        raise UsageError(
            f"checksum: {kind.name} is not known.", hint="Compare the memory itself instead."
        )
    return user(bytes(data)) & 0xFFFF_FFFF
