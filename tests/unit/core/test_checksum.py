"""Named checksums: results of an independent tool, a slow twin, refusals."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xcaliper.core.checksum import ALGORITHMS, Crc, Sum, checksum_of, find_algorithm
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, UsageError

#: Name → results over "123456789" and over BLOCK, both by the package crccheck 1.3.1.
KNOWN = {
    "CRC-8/AUTOSAR": (0xDF, 0x64),
    "CRC-8/SAE-J1850": (0x4B, 0x76),
    "CRC-8/SMBUS": (0xF4, 0x16),
    "CRC-16/GENIBUS": (0xD64E, 0x62AF),
    "CRC-16/IBM-SDLC": (0x906E, 0x5D1B),
    "CRC-16/KERMIT": (0x2189, 0x906B),
    "CRC-16/MODBUS": (0x4B37, 0x536B),
    "CRC-16/UMTS": (0xFEE8, 0x3552),
    "CRC-16/USB": (0xB4C8, 0xAC94),
    "CRC-16/XMODEM": (0x31C3, 0x6C1C),
    "CRC-32/AUTOSAR": (0x1697D06A, 0x59BF70BA),
    "CRC-32/BZIP2": (0xFC891918, 0xDA9EFF22),
    "CRC-32/CKSUM": (0x765E7680, 0x90CB5045),
    "CRC-32/ISCSI": (0xE3069283, 0xB6B87B18),
    "CRC-32/JAMCRC": (0x340BC6D9, 0x76326831),
    "CRC-32/MPEG-2": (0x0376E6E7, 0x256100DD),
    "CRC-64/ECMA-182": (0x6C40DF5F0B497347, 0x32674F8CC8CE955B),
    "CRC-64/XZ": (0x995DC9BBDF1939FA, 0x638A9288F7FFA3BD),
    "XCP_CRC_16": (0xBB3D, 0xC76A),
    "XCP_CRC_16_CITT": (0x29B1, 0x9D50),
    "XCP_CRC_32": (0xCBF43926, 0x89CD97CE),
}
BLOCK = bytes([*range(0x01, 0x11), *range(0xF1, 0x100), 0x00])


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_results(name):
    assert (checksum_of(name, b"123456789"), checksum_of(name, BLOCK)) == KNOWN[name]


def test_every_check_has_a_known_result():
    assert set(KNOWN) == {name for name, one in ALGORITHMS.items() if isinstance(one, Crc)}


def by_bits(crc, data):
    """The definition, bit by bit, most significant first."""
    top, mask, value = 1 << (crc.bits - 1), (1 << crc.bits) - 1, crc.init
    for byte in data:
        for at in range(8):
            bit = byte >> (at if crc.reflected else 7 - at) & 1
            value = (value << 1 ^ (crc.poly if bool(value & top) != bool(bit) else 0)) & mask
    if crc.reflected:
        value = sum(1 << at for at in range(crc.bits) if value >> (crc.bits - 1 - at) & 1)
    return value ^ crc.xor


@given(st.sampled_from(sorted(KNOWN)), st.binary(max_size=40))
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_against_the_definition(name, data):
    assert checksum_of(name, data) == by_bits(ALGORITHMS[name], data)


def test_sums_follow_the_byte_order():
    assert checksum_of("XCP_ADD_24", BLOCK, ByteOrder.INTEL) == 0x00071800
    assert checksum_of("XCP_ADD_24", memoryview(BLOCK), ByteOrder.MOTOROLA) == 0x00080710


def test_sizes_of_results():
    assert (ALGORITHMS["XCP_ADD_24"].size_bytes, ALGORITHMS["CRC-16/USB"].size_bytes) == (4, 2)
    assert find_algorithm("crc-32/bzip2") is ALGORITHMS["CRC-32/BZIP2"]
    assert isinstance(find_algorithm("XCP_ADD_11"), Sum)


def test_refusals():
    with pytest.raises(NotFoundError, match="CRC-32/MPEG-2") as refused:
        checksum_of("CRC-32/MPEG2", b"")
    assert "CRC-32/MPEG-2" in refused.value.nearest
    with pytest.raises(NotFoundError, match="Known are XCP_ADD_11"):
        checksum_of("nothing of the kind", b"")
    with pytest.raises(UsageError, match="multiple of 2"):
        checksum_of("XCP_ADD_22", b"abc")
