"""Checksums by name: sums of BUILD_CHECKSUM and the usual cyclic redundancy checks."""

from __future__ import annotations

import binascii
import zlib
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ALGORITHMS", "Crc", "Sum", "checksum_of", "find_algorithm"]


class Sum(NamedTuple):
    """Numbers of ``width`` bytes added up, ``result`` bytes of which count."""

    width: int
    result: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the result."""
        return self.result

    def __call__(self, data: bytes, order: ByteOrder) -> int:
        """The sum of a multiple of ``width`` bytes."""
        numbers = np.frombuffer(data, f"{order.mark}u{self.width}")
        return int(numbers.sum(dtype=np.uint64)) & ((1 << 8 * self.result) - 1)


class Crc(NamedTuple):
    """A cyclic redundancy check in the usual description of its parameters.

    Attributes:
        bits: of the result, 8 to 64.
        poly: polynomial without its highest bit, most significant bit first.
        init: register before the first byte, not reflected.
        reflected: bits of each byte, and the result, go least significant first.
        xor: applied to the result.
    """

    bits: int
    poly: int
    init: int
    reflected: bool
    xor: int

    @property
    def width(self) -> int:
        """Data may have any number of bytes."""
        return 1

    @property
    def size_bytes(self) -> int:
        """Bytes of the result."""
        return self.bits // 8

    def __call__(self, data: bytes, _order: ByteOrder) -> int:
        """The check over bytes; the byte order does not matter to it."""
        return _quick(self)(data) ^ self.xor


def _reversed(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


@lru_cache(maxsize=32)
def _table(crc: Crc) -> tuple[int, ...]:
    """What each byte does to the register."""
    if crc.reflected:
        poly = _reversed(crc.poly, crc.bits)
        return tuple(_down(byte, poly) for byte in range(256))
    return tuple(_up(byte, crc) for byte in range(256))


def _down(value: int, poly: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (poly if value & 1 else 0)
    return value


def _up(byte: int, crc: Crc) -> int:
    top, mask = 1 << (crc.bits - 1), (1 << crc.bits) - 1
    value = byte << (crc.bits - 8)
    for _ in range(8):
        value = (value << 1 ^ (crc.poly if value & top else 0)) & mask
    return value


@lru_cache(maxsize=32)
def _quick(crc: Crc) -> Callable[[bytes], int]:
    """The fastest way to the register after the last byte, before the closing exclusive or."""
    if (crc.bits, crc.poly, crc.reflected, crc.init) == (32, 0x04C11DB7, True, 0xFFFF_FFFF):
        return lambda data: zlib.crc32(data) ^ 0xFFFF_FFFF
    if (crc.bits, crc.poly, crc.reflected) == (16, 0x1021, False):
        return lambda data: binascii.crc_hqx(data, crc.init)
    return _by_table_reflected(crc) if crc.reflected else _by_table(crc)


def _by_table(crc: Crc) -> Callable[[bytes], int]:
    table, shift, mask = _table(crc), crc.bits - 8, (1 << crc.bits) - 1

    def run(data: bytes) -> int:
        value = crc.init
        for byte in data:
            value = (value << 8 & mask) ^ table[value >> shift ^ byte]
        return value

    return run


def _by_table_reflected(crc: Crc) -> Callable[[bytes], int]:
    table = _table(crc)

    def run(data: bytes) -> int:
        value = _reversed(crc.init, crc.bits)
        for byte in data:
            value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        return value

    return run


ALGORITHMS: Final[Mapping[str, Sum | Crc]] = MappingProxyType(
    {
        # Names and results of BUILD_CHECKSUM (XCP Base, BUILD_CHECKSUM, 1.0).
        "XCP_ADD_11": Sum(1, 1),
        "XCP_ADD_12": Sum(1, 2),
        "XCP_ADD_14": Sum(1, 4),
        "XCP_ADD_22": Sum(2, 2),
        "XCP_ADD_24": Sum(2, 4),
        "XCP_ADD_44": Sum(4, 4),
        "XCP_CRC_16": Crc(16, 0x8005, 0, reflected=True, xor=0),
        "XCP_CRC_16_CITT": Crc(16, 0x1021, 0xFFFF, reflected=False, xor=0),
        "XCP_CRC_32": Crc(32, 0x04C11DB7, 0xFFFF_FFFF, reflected=True, xor=0xFFFF_FFFF),
        # Others that boot loaders use, by the names of the public catalogues of parametrised checks.
        "CRC-8/AUTOSAR": Crc(8, 0x2F, 0xFF, reflected=False, xor=0xFF),
        "CRC-8/SAE-J1850": Crc(8, 0x1D, 0xFF, reflected=False, xor=0xFF),
        "CRC-8/SMBUS": Crc(8, 0x07, 0, reflected=False, xor=0),
        "CRC-16/GENIBUS": Crc(16, 0x1021, 0xFFFF, reflected=False, xor=0xFFFF),
        "CRC-16/IBM-SDLC": Crc(16, 0x1021, 0xFFFF, reflected=True, xor=0xFFFF),
        "CRC-16/KERMIT": Crc(16, 0x1021, 0, reflected=True, xor=0),
        "CRC-16/MODBUS": Crc(16, 0x8005, 0xFFFF, reflected=True, xor=0),
        "CRC-16/UMTS": Crc(16, 0x8005, 0, reflected=False, xor=0),
        "CRC-16/USB": Crc(16, 0x8005, 0xFFFF, reflected=True, xor=0xFFFF),
        "CRC-16/XMODEM": Crc(16, 0x1021, 0, reflected=False, xor=0),
        "CRC-32/AUTOSAR": Crc(32, 0xF4ACFB13, 0xFFFF_FFFF, reflected=True, xor=0xFFFF_FFFF),
        "CRC-32/BZIP2": Crc(32, 0x04C11DB7, 0xFFFF_FFFF, reflected=False, xor=0xFFFF_FFFF),
        "CRC-32/CKSUM": Crc(32, 0x04C11DB7, 0, reflected=False, xor=0xFFFF_FFFF),
        "CRC-32/ISCSI": Crc(32, 0x1EDC6F41, 0xFFFF_FFFF, reflected=True, xor=0xFFFF_FFFF),
        "CRC-32/JAMCRC": Crc(32, 0x04C11DB7, 0xFFFF_FFFF, reflected=True, xor=0),
        "CRC-32/MPEG-2": Crc(32, 0x04C11DB7, 0xFFFF_FFFF, reflected=False, xor=0),
        "CRC-64/ECMA-182": Crc(64, 0x42F0E1EBA9EA3693, 0, reflected=False, xor=0),
        "CRC-64/XZ": Crc(64, 0x42F0E1EBA9EA3693, (1 << 64) - 1, reflected=True, xor=(1 << 64) - 1),
    }
)
"""Name → algorithm."""


def find_algorithm(name: str) -> Sum | Crc:
    """The algorithm of a name.

    Raises:
        NotFoundError: no such name; carries the nearest ones.
    """
    found = ALGORITHMS.get(name.upper())
    if found is None:
        nearest = tuple(get_close_matches(name.upper(), ALGORITHMS, n=3))
        hint = f"Known are {', '.join(ALGORITHMS)}."
        raise NotFoundError(name, kind="checksum algorithm", nearest=nearest, hint=hint)
    return found


def checksum_of(
    name: str, data: bytes | bytearray | memoryview, order: ByteOrder = ByteOrder.INTEL
) -> int:
    """The checksum of bytes by a named algorithm.

    Args:
        name: one of :data:`ALGORITHMS`.
        data: bytes as they stand in memory.
        order: byte order of the ECU, for sums of words and dwords.

    Raises:
        NotFoundError: no such name.
        UsageError: the bytes are no multiple of the words that are added.
    """
    algorithm = find_algorithm(name)
    if len(data) % algorithm.width:
        raise UsageError(
            f"checksum: {name} needs a multiple of {algorithm.width} bytes, got {len(data)}.",
            hint="Choose another block length.",
        )
    return algorithm(bytes(data), order)
