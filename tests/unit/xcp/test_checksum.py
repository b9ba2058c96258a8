"""BUILD_CHECKSUM: known results, slow twins, megabytes, refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.xcp.checksum import block_alignment, checksum
from xcaliper.xcp.codes import ChecksumType

SUMS = {"11": (1, 1), "12": (1, 2), "14": (1, 4), "22": (2, 2), "24": (2, 4), "44": (4, 4)}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ChecksumType.XCP_CRC_16, 0xBB3D),
        (ChecksumType.XCP_CRC_16_CITT, 0x29B1),
        (ChecksumType.XCP_CRC_32, 0xCBF43926),
        (ChecksumType.XCP_ADD_11, 0xDD),
    ],
)
def test_check_values(kind, expected):
    assert checksum(kind, b"123456789") == expected
    assert checksum(kind, memoryview(bytearray(b"123456789"))) == expected


@given(st.binary(max_size=80), st.sampled_from(sorted(SUMS)), st.sampled_from(["little", "big"]))
@settings(deadline=None, max_examples=150)
def test_sums_against_plain_python(data, name, order):
    width, result = SUMS[name]
    data = data[: len(data) // width * width]
    slow = sum(int.from_bytes(data[i : i + width], order) for i in range(0, len(data), width))
    kind = ChecksumType[f"XCP_ADD_{name}"]
    assert checksum(kind, data, ByteOrder(order)) == slow % (1 << 8 * result)


def crc_by_bits(data, polynomial, start):
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return crc


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=60)
def test_crc16_against_the_polynomial(data):
    assert checksum(ChecksumType.XCP_CRC_16, data) == crc_by_bits(data, 0xA001, 0)


def test_a_megabyte_does_not_overflow():
    data = b"\xff" * (1 << 20)
    assert checksum(ChecksumType.XCP_ADD_44, data) == (0xFFFFFFFF << 18) % (1 << 32)
    assert checksum(ChecksumType.XCP_ADD_14, data) == 255 << 20


def test_refusals():
    assert [block_alignment(ChecksumType[f"XCP_ADD_{n}"]) for n in ("14", "24", "44")] == [1, 2, 4]
    assert block_alignment(ChecksumType.XCP_CRC_32) == 1
    with pytest.raises(UsageError, match="multiple of 4"):
        checksum(ChecksumType.XCP_ADD_44, bytes(6))
    with pytest.raises(UsageError, match="XCP_USER_DEFINED"):
        checksum(ChecksumType.XCP_USER_DEFINED, b"")


def test_the_algorithm_of_the_user():
    """XCP_USER_DEFINED is whatever was given for it; of its result the 32 bits of the answer count."""
    given = []

    def own(block):
        given.append(block)
        return -2

    assert checksum(ChecksumType.XCP_USER_DEFINED, memoryview(b"abc"), user=own) == 0xFFFF_FFFE
    assert given == [b"abc"]
    assert checksum(ChecksumType.XCP_ADD_11, b"abc", user=own) == (97 + 98 + 99) & 0xFF
