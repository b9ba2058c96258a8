"""The EPK of an image: at its address, somewhere, elsewhere, nowhere."""

import pytest

from xcaliper.core.address import Address, AddressRange
from xcaliper.image.epk import find_epk
from xcaliper.image.memory_image import MemoryImage

IMAGE = MemoryImage(
    [(Address(0x100), b"V1.2-abc\0\0\0\0"), (Address(0x400), b"..V1.2-abc..V1.2-abc")]
)


@pytest.mark.parametrize(
    ("epk", "addresses", "text", "places", "right", "searched"),
    [
        ("V1.2-abc", [0x100], "V1.2-abc", [0x100], True, False),
        ("V1.2-abc  \0", [0x100], "V1.2-abc", [0x100], True, False),
        ("V1.2-abd", [0x100], "V1.2-abc", [], False, False),
        ("V1.2-abc-long", [0x400], "..V1.2-abc..V", [], False, False),
        ("V1.2-abc", [0x100, 0x402], "V1.2-abc", [0x100, 0x402], True, False),
        ("V1.2-abc", [0x9000], "V1.2-abc", [0x100, 0x402, 0x40C], True, True),
        ("V1.2-abc", [], "V1.2-abc", [0x100, 0x402, 0x40C], True, True),
        ("V9", [], "", [], True, True),  # nothing is known, so nothing is wrong
        ("", [], "", [], True, False),
    ],
)
def test_where_it_stands(epk, addresses, text, places, right, searched):
    found = find_epk(IMAGE, epk, addresses)
    assert (found.text, found.is_right, found.is_searched) == (text, right, searched)
    size = len(epk.strip("\0 "))
    assert found.places == tuple(AddressRange(Address(at), size) for at in places)


def test_other_extensions_and_granularities():
    other = MemoryImage([(Address(0x80, 3), b"xxV7")], ag=2)
    assert find_epk(other, "V7", [0x81]).places == (AddressRange(Address(0x81, 3), 2),)
    assert find_epk(other, "xV", []).places == ()  # between two addresses
    assert not find_epk(other, "V8", [0x81]).is_right
    assert not find_epk(other, "V8", []).is_known
