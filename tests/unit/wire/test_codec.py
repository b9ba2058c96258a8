"""The layout compiler: positions, byte orders, dependent fields, and what it refuses."""

import dataclasses

import pytest

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for, decode, encode
from xcaliper.wire.layout import (
    AFTER,
    BitField,
    Packet,
    bit,
    bits,
    choose,
    data,
    elements,
    f64,
    fixed,
    i16,
    layout_of,
    packet,
    sized,
    u8,
    u16,
    u32,
    u64,
)


class Flags(BitField):
    __slots__ = ()
    low = bit(0)
    mode = bits(2, 2, "two bits")


class MoreFlags(Flags):
    __slots__ = ()
    high = bit(7)


@packet(0xAB)
class Mixed(Packet):
    flags: Flags = u8(1, view=Flags)
    little: int = u16(2, little=True)
    big: int = u32(4, big=True)
    own: int = i16(8)
    real: float = f64(12)
    wide: int = u64(20)
    name: bytes = fixed(28, 3)


MIXED = Mixed(flags=Flags(5), little=0x1234, big=0x01020304, own=-2, real=1.5, wide=7, name=b"abc")


@packet()
class Item(Packet):
    key: int = u8(0)
    number: int = u16(2)


@packet(0x01)
class Counted(Packet):
    count: int = u8(1)
    items: tuple[Item, ...] = elements(2, Item, count="count")


@packet(0x03)
class Uncounted(Packet):
    items: tuple[Item, ...] = elements(1, Item)


@packet(0x02)
class Dependent(Packet):
    flags: Flags = u8(1, view=Flags)
    width: int = u8(2)
    number: int | None = sized(3, by="width")
    stamp: int | None = sized(AFTER, by="flags.mode", sizes=(0, 4, 8))
    extra: int | None = u16(AFTER, when="flags.low")
    text: bytes = data(AFTER, default=b"", count="width")
    last: int | None = u8(AFTER, optional=True)


def test_positions_orders_and_gaps():
    raw = encode(MIXED, ByteOrder.MOTOROLA)
    assert (
        raw.hex()
        == "ab0534120102030" + "4fffe0000" + "3ff8000000000000" + "0000000000000007" + "616263"
    )
    assert raw[10:12] == b"\0\0"
    assert decode(Mixed, raw, ByteOrder.MOTOROLA) == MIXED
    intel = encode(MIXED, ByteOrder.INTEL)
    assert intel[2:4] == raw[2:4]
    assert intel[4:8] == raw[4:8]
    assert intel[8:10] == raw[8:10][::-1]
    assert decode(Mixed, intel + b"padding") == MIXED


def test_reserved_bytes_are_ignored():
    raw = bytearray(encode(MIXED))
    raw[10] = 0xFF
    assert decode(Mixed, bytes(raw)) == MIXED


def test_views_name_bits():
    flags = decode(Mixed, encode(MIXED)).flags
    assert (flags.low, flags.mode) == (1, 1)
    assert flags.fields() == {"low": 1, "mode": 1}
    assert str(flags) == "Flags(0x05: low mode)"
    assert str(Flags.of(mode=3)) == "Flags(0x0C: mode=3)"
    assert str(Flags(0)) == "Flags(0x00)"
    assert [g.name for g in MoreFlags.groups()] == ["low", "mode", "high"]
    with pytest.raises(ValueError, match="does not fit 2 bits"):
        Flags.of(mode=4)


@pytest.mark.parametrize("size", range(31))
def test_short_packets_are_refused(size):
    with pytest.raises(WireError, match="31 bytes"):
        decode(Mixed, encode(MIXED)[:size])


def test_other_identifiers_are_refused():
    with pytest.raises(WireError, match="identifier"):
        decode(Mixed, b"\xac" + encode(MIXED)[1:])


@pytest.mark.parametrize(
    "change",
    [
        {"little": 65536},
        {"big": -1},
        {"own": 40000},
        {"name": b"ab"},
        {"name": b"abcd"},
        {"wide": None},
    ],
)
def test_values_that_do_not_fit_are_refused(change):
    values = {name: getattr(MIXED, name) for name, _ in layout_of(Mixed).terms} | change
    with pytest.raises(WireError):
        encode(Mixed(**values))


def test_elements():
    packet_ = Counted(count=2, items=(Item(key=1, number=2), Item(key=3, number=4)))
    assert encode(packet_).hex() == "010201000200" + "03000400"
    assert decode(Counted, encode(packet_)) == packet_
    with pytest.raises(WireError, match="10 bytes"):
        decode(Counted, bytes.fromhex("0102010002000300"))
    with pytest.raises(WireError, match="count says"):
        encode(Counted(count=3, items=packet_.items))
    uncounted = Uncounted(items=packet_.items)
    assert encode(uncounted).hex() == "0301000200" + "03000400"
    assert decode(Uncounted, encode(uncounted) + b"\5\0\6") == uncounted  # whole ones only
    assert decode(Uncounted, b"\3").items == ()


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("020001aa55", (0xAA, None, None, b"\x55", None)),
        ("020801aa0102030405060708 55 07", (0xAA, 0x0807060504030201, None, b"\x55", 7)),
        ("020502bbaa 04030201 0900 5555", (0xAABB, 0x01020304, 9, b"\x55\x55", None)),
        ("020000", (None, None, None, b"", None)),
        ("02010009000c", (None, None, 9, b"", 12)),
    ],
)
def test_fields_that_depend_on_others(raw, values):
    raw = bytes.fromhex(raw)
    found = decode(Dependent, raw)
    assert (found.number, found.stamp, found.extra, found.text, found.last) == values
    assert encode(found) == raw


def test_dependent_fields_must_agree():
    with pytest.raises(WireError, match="extra"):
        encode(Dependent(flags=Flags(0), width=0, extra=1))
    with pytest.raises(WireError):
        encode(Dependent(flags=Flags(1), width=0, extra=None))
    with pytest.raises(WireError, match="width"):
        encode(Dependent(flags=Flags(0), width=3, number=1))
    with pytest.raises(WireError, match="mode"):
        decode(Dependent, bytes.fromhex("020c00" + "00" * 20))
    with pytest.raises(WireError, match="length"):
        decode(Dependent, bytes.fromhex("02010000"))


@packet(0x03)
class Tail(Packet):
    first: int | None = u8(1, optional=True)
    second: int | None = u16(2, optional=True)


def test_optional_tails():
    assert decode(Tail, b"\x03") == Tail()
    assert decode(Tail, b"\x03\x05\x01") == Tail(first=5)
    assert decode(Tail, b"\x03\x05\x01\x02") == Tail(first=5, second=0x0201)
    assert encode(Tail(first=5)) == b"\x03\x05"
    with pytest.raises(WireError):
        encode(Tail(second=1))


@packet(0x04)
class Ask(Packet):
    mode: int = u8(1)
    count: int = u8(2)


class Answer(Packet):
    __slots__ = ()


@packet(0xFF)
class Short(Answer):
    value: int = u8(1)


@packet(0xFF)
class Long(Answer):
    data: bytes = data(1, count="request.count", unit="AG", aligned=True)


choose(Answer, "request.mode", {0: Short, 1: Long}, default=Short)


class ByByte(Packet):
    __slots__ = ()


@packet(0xFE)
class Zero(ByByte):
    """Chosen by 0."""


@packet(0xFE)
class Other(ByByte):
    kind: int = u8(1)


choose(ByByte, "packet.1", {0: Zero}, default=Other)


def test_the_request_chooses_and_counts():
    assert decode(Answer, b"\xff\x07\x08", request=Ask(mode=0, count=1)) == Short(value=7)
    assert decode(Answer, b"\xff\x07\x08") == Short(value=7)
    assert decode(Answer, b"\xff\x07\x08", request=Ask(mode=9, count=1)) == Short(value=7)
    assert decode(Answer, b"\xff\x07\x08", request=Ask(mode=1, count=1)) == Long(data=b"\x07")
    assert decode(Long, b"\xff\x07\x08") == Long(data=b"\x07\x08")
    request = Ask(mode=1, count=1)
    assert decode(Answer, b"\xff\0\x01\x02\x03", ag=2, request=request) == Long(data=b"\x01\x02")
    assert encode(Long(data=b"\x01\x02\x03\x04"), ag=4).hex() == "ff00000001020304"


def test_a_byte_chooses():
    assert decode(ByByte, b"\xfe\x00") == Zero()
    assert decode(ByByte, b"\xfe\x02") == Other(kind=2)
    with pytest.raises(WireError):
        decode(ByByte, b"\xfe")


def test_codecs_are_cached():
    assert codec_for(Mixed) is codec_for(Mixed)
    assert codec_for(Mixed) is not codec_for(Mixed, ByteOrder.MOTOROLA)


def test_overlapping_fields_are_a_mistake():
    @packet(0x05)
    class Overlap(Packet):
        wide: int = u32(1)
        inside: int = u8(3)

    with pytest.raises(AssertionError, match="overlaps"):
        codec_for(Overlap)


def test_packets_are_values():
    assert Item(key=1, number=2) == Item(key=1, number=2)
    assert Item(key=1, number=2) != Item(key=1, number=3)
    assert Short(value=1) != Other(kind=1)
    assert Short(value=1) != 1
    assert len({Item(key=1, number=2), Item(key=1, number=2), Item(key=2, number=2)}) == 2
    assert repr(Item(key=1, number=2)) == "Item(key=1, number=2)"
    with pytest.raises(AttributeError):
        Item(key=1, number=2).key = 3
    assert dataclasses.replace(Item(key=1, number=2), key=5) == Item(key=5, number=2)
