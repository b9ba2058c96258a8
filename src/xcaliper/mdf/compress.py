"""Transposed deflate: what a DZ block holds instead of a DT or SD block *(MDF4, DZ block, 4.1)*."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from xcaliper.core.errors import WireError
from xcaliper.mdf.blocks import DzBlock

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["compress", "decompress"]

MAX_ORIGINAL = 1 << 30


def _transpose(data: NDArray[np.uint8], columns: int, rows: int) -> NDArray[Any]:
    """Write a rows×columns matrix column by column; bytes behind it stay where they are."""
    body = data[: rows * columns].reshape(rows, columns)
    return np.concatenate([body.T.reshape(-1), data[rows * columns :]])


def compress(data: memoryview | bytes, record_size: int, level: int = 1) -> DzBlock:
    """DZ block of records: equal bytes of all records side by side, then deflated.

    Args:
        data: whole records.
        record_size: bytes per record.
        level: effort of zlib, 1 (fast) to 9.
    """
    octets = np.frombuffer(data, dtype=np.uint8)
    turned = _transpose(octets, record_size, len(octets) // record_size)
    return DzBlock(
        dz_zip_type=1,
        dz_zip_parameter=record_size,
        dz_org_data_length=len(octets),
        dz_data=zlib.compress(turned.data, level),
    )


def decompress(block: DzBlock) -> bytes:
    """Original bytes of a DZ block.

    Raises:
        WireError: not deflated, of another length than declared, or unreasonably long.
    """
    size = block.dz_org_data_length
    if block.dz_zip_type not in {0, 1} or size > MAX_ORIGINAL:
        raise WireError(
            "DZ", need="deflate below 1 GiB", got=(block.dz_zip_type, size), what="type"
        )
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(block.dz_data, size + 1)
    except zlib.error as error:
        raise WireError("DZ", need="deflated data", got=str(error), what="content") from None
    if len(plain) != size:
        raise WireError("DZ", need=size, got=len(plain))
    columns = block.dz_zip_parameter
    if block.dz_zip_type == 0 or columns < 2:
        return plain
    rows = size // columns
    # turning the turned matrix back is the same step with rows and columns exchanged
    return _transpose(np.frombuffer(plain, np.uint8), rows, columns).tobytes() if rows else plain
