"""Runs of bytes with gaps: reading, filling, cutting, merging, comparing; a plain dict as the twin."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import GapError, ImageError, UsageError
from xcaliper.image.memory_image import MAX_IMAGE_BYTES, MemoryImage, Overlap


def cells(image):
    """(extension, byte address) → byte."""
    return {
        (start.extension, start.value * image.ag + n): byte
        for start, data in image.runs()
        for n, byte in enumerate(data)
    }


def span(value, size, extension=0):
    return AddressRange(Address(value, extension), size)


@pytest.fixture
def image():
    return MemoryImage(
        [
            (Address(0x14), b"ef"),
            (Address(0x10), b"abcd"),
            (Address(0x20), b"xyz"),
            (Address(0x10, 1), b"other"),
        ]
    )


def test_adjacent_runs_are_one(image):
    assert image.ranges() == [span(0x10, 6), span(0x20, 3), span(0x10, 5, 1)]
    assert (image.size_bytes, image.extensions, image.ag) == (14, (0, 1), 1)
    assert image.read(Address(0x12), 4) == b"cdef"
    assert repr(image) == "<MemoryImage, 3 runs, 14 bytes>"


def test_gaps_are_named(image):
    assert image.gaps() == [span(0x16, 10)]
    assert image.gaps(span(0x0E, 0x20)) == [span(0x0E, 2), span(0x16, 10), span(0x23, 11)]
    assert image.holds(Address(0x10), 6)
    assert not image.holds(Address(0x10), 7)
    with pytest.raises(GapError) as missing:
        image.read(Address(0x14), 14)
    assert str(missing.value) == (
        "memory at 0x00000014, 14 bytes: the image lacks 10 bytes at 0x00000016."
    )
    assert (missing.value.address, missing.value.size_bytes) == (Address(0x14), 14)
    assert missing.value.gap == span(0x16, 10)
    named = missing.value.named("Map")
    assert str(named).startswith("Map at 0x00000014, 14 bytes")
    with pytest.raises(GapError, match="0x00000030, 1 byte: the image holds none of it"):
        image.read(Address(0x30), 1)


def test_a_write_is_whole_or_not_at_all(image):
    before = image.copy()
    with pytest.raises(GapError):
        image.write(Address(0x14), b"123")
    assert image == before
    image.write(Address(0x14), b"12")
    assert image != before
    assert before.read(Address(0x14), 2) == b"ef"
    assert image.read(Address(0x10, 1), 5) == b"other"


def test_fill_keeps_what_is_there(image):
    filled = image.fill(span(0x0E, 0x18), b"\x01\x02\x03")
    assert filled.ranges() == [span(0x0E, 0x18), span(0x10, 5, 1)]
    assert filled.read(Address(0x0E), 12) == b"\x01\x02abcdef\x03\x01\x02\x03"
    twin = cells(image)
    for at in range(0x0E, 0x26):
        twin.setdefault((0, at), (at - 0x0E) % 3 + 1)
    assert cells(filled) == twin
    with pytest.raises(UsageError, match="pattern is empty"):
        image.fill(span(0, 1), b"")
    with pytest.raises(UsageError, match="more than"):
        image.fill(span(0, MAX_IMAGE_BYTES))


def test_cut_move_and_extend(image):
    assert image.crop([span(0x12, 2), span(0x13, 0x0E)]).ranges() == [span(0x12, 4), span(0x20, 1)]
    assert image.without([span(0x12, 2), span(0x10, 2, 1)]).ranges() == [
        span(0x10, 2),
        span(0x14, 2),
        span(0x20, 3),
        span(0x12, 3, 1),
    ]
    assert image.crop([span(0x10, 3, 1)]).with_extension(7).ranges() == [span(0x10, 3, 7)]
    assert image.moved(-0x10).ranges()[0] == span(0, 6)
    with pytest.raises(UsageError, match="no address -1"):
        image.moved(-0x11)
    with pytest.raises(ImageError, match="two values for 0x00000010: 0x61 and 0x6F"):
        image.with_extension(0)


def test_merge_says_who_wins(image):
    other = MemoryImage([(Address(0x14), b"eF"), (Address(0x16), b"gh")])
    with pytest.raises(ImageError, match="two values for 0x00000015"):
        image.merge(other)
    assert image.merge(other, Overlap.OURS).read(Address(0x10), 8) == b"abcdefgh"
    assert image.merge(other, Overlap.THEIRS).read(Address(0x10), 8) == b"abcdeFgh"
    assert image.merge(image) == image
    with pytest.raises(UsageError, match="bytes per address"):
        image.merge(MemoryImage(ag=2))


def test_compare(image):
    other = image.without([span(0x22, 1)]).merge(MemoryImage([(Address(0x40), b"!")]))
    other.write(Address(0x11), b"BC")
    other.write(Address(0x15), b"F")
    found = image.compare(other)
    assert found.changed == (span(0x11, 2), span(0x15, 1))
    assert (found.left_only, found.right_only) == ((span(0x22, 1),), (span(0x40, 1),))
    assert found
    assert not image.compare(image.copy())
    with pytest.raises(UsageError, match="bytes per address"):
        image.compare(MemoryImage(ag=4))


def test_differences_are_whole_addresses():
    left = MemoryImage([(Address(0x10), b"abcdefgh")], ag=4)
    right = left.copy()
    right.write(Address(0x11), b"efGh")
    assert left.compare(right).changed == (span(0x11, 4),)
    assert left.ranges() == [span(0x10, 8)]
    assert left.read(Address(0x11), 4) == b"efgh"


def test_refusals():
    with pytest.raises(UsageError, match="granularity 3"):
        MemoryImage(ag=3)
    with pytest.raises(UsageError, match="no address 0:256"):
        MemoryImage([(Address(0, 256), b"x")])
    with pytest.raises(ImageError, match="two values for 0x00000002: 0x62 and 0x63"):
        MemoryImage([(Address(1), b"ab"), (Address(2), b"c")])
    assert MemoryImage([(Address(1), b"ab"), (Address(2), b"b"), (Address(9), b"")]).size_bytes == 2
    assert (MemoryImage() == object()) is False


bytes_at = st.dictionaries(
    st.tuples(st.integers(0, 1), st.integers(0, 40)), st.integers(0, 3), max_size=40
)
ranges = st.lists(
    st.builds(span, st.integers(0, 40), st.integers(0, 15), st.integers(0, 1)), max_size=4
)


def made(twin):
    return MemoryImage((Address(at, ext), bytes([byte])) for (ext, at), byte in twin.items())


def inside(key, wanted):
    return any(
        key[0] == one.start.extension
        and one.start.value <= key[1] < one.start.value + one.size_bytes
        for one in wanted
    )


@given(bytes_at, bytes_at, ranges)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_against_a_dict(left, right, wanted):
    one, other = made(left), made(right)
    assert cells(one) == left
    assert cells(one.crop(wanted)) == {k: v for k, v in left.items() if inside(k, wanted)}
    assert cells(one.without(wanted)) == {k: v for k, v in left.items() if not inside(k, wanted)}
    assert cells(one.merge(other, Overlap.THEIRS)) == left | right
    assert cells(one.merge(other, Overlap.OURS)) == right | left
    if all(right.get(key, byte) == byte for key, byte in left.items()):
        assert one.merge(other) == other.merge(one)
    else:
        with pytest.raises(ImageError):
            one.merge(other)
    found = one.compare(other)
    keys = {k for k in left.keys() | right.keys() if inside(k, found.changed)}
    assert keys == {k for k in left.keys() & right.keys() if left[k] != right[k]}
    assert sum(r.size_bytes for r in found.left_only) == len(left.keys() - right.keys())
    assert sum(r.size_bytes for r in found.right_only) == len(right.keys() - left.keys())
    for area in wanted:
        missing = {k for k in ((area.start.extension, a) for a in range(64)) if inside(k, [area])}
        gaps = one.gaps(area)
        assert {k for k in missing if inside(k, gaps)} == missing - left.keys()
