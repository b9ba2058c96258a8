"""Addresses count in AG, ranges in bytes."""

import pytest

from xcaliper.core.address import Address, AddressRange


def test_addition_counts_ag_and_keeps_the_extension():
    assert Address(0x1000, 2) + 3 == Address(0x1003, 2)
    assert Address(0x1000) + -1 == Address(0xFFF)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address(0x100), "0x00000100"),
        (Address(0x100, 3), "0x00000100:3"),
        (Address(0x1_0000_0000), "0x100000000"),
    ],
)
def test_text(address, text):
    assert str(address) == text


def test_order_and_hash():
    assert sorted([Address(2), Address(1, 1), Address(1)]) == [
        Address(1),
        Address(1, 1),
        Address(2),
    ]
    assert len({Address(1), Address(1, 0)}) == 1
    assert AddressRange(Address(1), 2) < AddressRange(Address(1), 3)


@pytest.mark.parametrize(
    ("address", "size", "ag", "inside"),
    [
        (Address(0x100), 8, 1, True),
        (Address(0x100), 9, 1, False),
        (Address(0xFF), 1, 1, False),
        (Address(0x107), 1, 1, True),
        (Address(0x108), 1, 1, False),
        (Address(0x108), 0, 1, True),
        (Address(0x100, 1), 1, 1, False),
        (Address(0x101), 4, 4, True),
        (Address(0x101), 5, 4, False),
        (Address(0x103), 2, 2, True),
        (Address(0x104), 1, 2, False),
    ],
)
def test_contains(address, size, ag, inside):
    assert AddressRange(Address(0x100), 8).contains(address, size, ag=ag) is inside


def test_contains_asks_for_one_byte_by_default():
    assert AddressRange(Address(0x100), 1).contains(Address(0x100))
    assert not AddressRange(Address(0x100), 0).contains(Address(0x100))
