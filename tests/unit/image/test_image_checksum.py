"""Checksums of an image: found wrong, set right, in an order that holds."""

import zlib

import pytest

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import GapError, NotFoundError, UsageError
from xcaliper.image.checksum import (
    ChecksumRegion,
    check_checksums,
    compute_checksum,
    repair_checksums,
)
from xcaliper.image.memory_image import MemoryImage

DATA = bytes(range(1, 33))


@pytest.fixture
def image():
    return MemoryImage([(Address(0x100), DATA + b"\xff" * 32)])


def region(name="data", start=0x100, size=32, algorithm="XCP_CRC_32", **options):
    return ChecksumRegion(name, (AddressRange(Address(start), size),), algorithm, **options)


def test_stored_results_are_checked_and_repaired(image):
    made = region(stored_at=Address(0x120))
    (state,) = check_checksums(image, [made])
    assert (state.stored, state.computed, state.is_right) == (0xFFFFFFFF, zlib.crc32(DATA), False)
    assert str(state) == f"checksum data: 0xFFFFFFFF is stored, 0x{zlib.crc32(DATA):X} is right"
    assert repair_checksums(image, [made]) == (state,)
    assert image.read(Address(0x120), 4) == zlib.crc32(DATA).to_bytes(4, "little")
    assert check_checksums(image, [made])[0].is_right
    assert str(check_checksums(image, [made])[0]).endswith("right")
    image.write(Address(0x104), b"!")
    assert not check_checksums(image, [made])[0].is_right


def test_byte_order_size_and_complement(image):
    made = region(
        algorithm="XCP_ADD_24",
        stored_at=Address(0x130),
        size_bytes=2,
        byte_order=ByteOrder.MOTOROLA,
        inverted=True,
    )
    total = sum(int.from_bytes(DATA[n : n + 2], "big") for n in range(0, 32, 2))
    repair_checksums(image, [made])
    assert image.read(Address(0x12F), 4) == b"\xff" + (~total & 0xFFFF).to_bytes(2, "big") + b"\xff"


def test_a_result_inside_of_its_region_is_left_out_or_blanked(image):
    inside = {"start": 0x100, "size": 64, "stored_at": Address(0x108)}
    left_out = DATA[:8] + DATA[12:] + b"\xff" * 32
    assert compute_checksum(image, region(**inside)) == zlib.crc32(left_out)
    blanked = DATA[:8] + b"\0\0\0\0" + DATA[12:] + b"\xff" * 32
    assert compute_checksum(image, region(**inside, blank=0)) == zlib.crc32(blanked)
    repair_checksums(image, [region(**inside)])
    assert check_checksums(image, [region(**inside)])[0].is_right


def test_several_ranges_are_one_text(image):
    ranges = (AddressRange(Address(0x118), 8), AddressRange(Address(0x100), 8))
    made = ChecksumRegion("two", ranges, "crc-32/bzip2")
    (state,) = check_checksums(image, [made])
    assert (state.stored, state.is_right) == (None, True)
    joined = image.read(Address(0x118), 8) + DATA[:8]
    one = MemoryImage([(Address(0), joined)])
    assert state.computed == compute_checksum(one, region("x", 0, 16, "CRC-32/BZIP2"))
    assert str(state) == f"checksum two: 0x{state.computed:X}"


def test_those_that_others_cover_come_first(image):
    outer = region("outer", 0x100, 0x30, stored_at=Address(0x130))
    inner = region("inner", 0x100, 0x10, stored_at=Address(0x120))
    for order in ([outer, inner], [inner, outer]):
        fresh = image.copy()
        states = repair_checksums(fresh, order)
        assert [one.name for one in states] == [one.name for one in order]
        assert all(one.is_right for one in check_checksums(fresh, order))
    circle = region("inner", 0x100, 0x34, stored_at=Address(0x120))
    with pytest.raises(UsageError, match="outer, inner: they are computed over each other"):
        repair_checksums(image, [outer, circle])
    with pytest.raises(UsageError, match="the same name"):
        repair_checksums(image, [outer, outer])


def test_the_function_of_the_user(image):
    seen = []

    def own(data):
        seen.append(data)
        return -1

    made = region(algorithm=own, stored_at=Address(0x120), size_bytes=3)
    repair_checksums(image, [made])
    assert set(seen) == {DATA}
    assert image.read(Address(0x120), 4) == b"\xff\xff\xff\xff"
    assert compute_checksum(image, made) == 0xFFFFFF
    with pytest.raises(UsageError, match="how many bytes its function's result takes"):
        compute_checksum(image, region(algorithm=own))
    for wrong in (True, "12", 1.5, None):
        with pytest.raises(UsageError, match="its function gave"):
            compute_checksum(image, region(algorithm=lambda _, w=wrong: w, size_bytes=4))


def test_what_is_not_there_is_named_and_nothing_is_written(image):
    before = image.copy()
    good = region("good", stored_at=Address(0x120))
    for bad, match in (
        (region("bad", 0x0F0), "checksum bad at 0x000000F0, 32 bytes: the image lacks 16 bytes"),
        (region("bad", stored_at=Address(0x13E)), "result of checksum bad at 0x0000013E, 4 bytes"),
    ):
        with pytest.raises(GapError, match=match):
            repair_checksums(image, [good, bad])
    assert image == before
    with pytest.raises(NotFoundError, match="CRC-32/BZIP2"):
        compute_checksum(image, region(algorithm="CRC-32/BZIP3"))
    with pytest.raises(UsageError, match="multiple of 4"):
        compute_checksum(image, region(size=30, algorithm="XCP_ADD_44"))
    with pytest.raises(UsageError, match="65 bytes are no result"):
        compute_checksum(image, region(size_bytes=65))
