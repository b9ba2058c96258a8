"""USB: transfers packed in three ways, alignment, damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.header import LengthHeader
from xcaliper.xcp.framing.usb import MessagePacking, UsbFraming, UsbReader


@given(
    st.sampled_from(LengthHeader),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(MessagePacking),
    st.lists(st.binary(min_size=1, max_size=30), max_size=10),
    st.integers(40, 100),
)
@settings(deadline=None, max_examples=150)
def test_round_trip(header, alignment, packing, packets, limit):
    framing = UsbFraming(header, alignment=alignment, packing=packing)
    reader = UsbReader(header, alignment=alignment, packing=packing)
    transfers = framing.transfers(packets, limit)
    assert [p for t in transfers for p in reader.feed(t)] == packets
    assert (reader.lost, reader.counts.malformed) == (0, 0)
    if packing is MessagePacking.SINGLE:
        assert len(transfers) == len(packets)
    else:
        assert all(len(t) <= limit for t in transfers)


@given(
    st.sampled_from(LengthHeader),
    st.sampled_from([1, 4]),
    st.lists(st.binary(min_size=1, max_size=30), max_size=8),
    st.data(),
)
@settings(deadline=None, max_examples=100)
def test_streams_may_be_cut_anywhere(header, alignment, packets, data):
    streaming = MessagePacking.STREAMING
    framing = UsbFraming(header, alignment=alignment, packing=streaming)
    reader = UsbReader(header, alignment=alignment, packing=streaming)
    stream = b"".join(framing.transfers(packets))
    found = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == packets


@given(st.sampled_from(LengthHeader), st.sampled_from(MessagePacking), st.binary(max_size=40))
@settings(deadline=None, max_examples=100)
def test_any_transfer_is_survived(header, packing, transfer):
    reader = UsbReader(header, packing=packing, max_packet=16)
    assert all(0 < len(p) <= 16 for p in reader.feed(transfer))
    reader.reset()
    framing = UsbFraming(header, packing=packing)
    assert reader.feed(framing.transfers([b"\xff\x00"])[0]) == [b"\xff\x00"]


def test_bytes():
    framing = UsbFraming(LengthHeader.LEN_CTR_WORD, alignment=4)
    assert framing.frame(b"\xff").hex() == "01000000ff000000"
    assert framing.frame(b"\xfd").hex() == "01000100fd000000"
    framing.reset()
    assert framing.frame(b"\xff").hex() == "01000000ff000000"


def test_a_second_message_in_a_single_transfer_is_damage():
    reader = UsbReader(LengthHeader.LEN_BYTE)
    assert reader.feed(bytes.fromhex("01ff01fd")) == [b"\xff"]
    assert reader.counts.malformed == 1
    assert reader.feed(bytes.fromhex("05ff")) == []
    assert reader.counts.malformed == 2
    assert reader.feed(bytes.fromhex("00")) == []
    assert reader.counts.empty == 1


def test_gaps():
    reader = UsbReader(LengthHeader.LEN_CTR_BYTE)
    reader.feed(bytes.fromhex("0100ff"), 1)
    reader.feed(bytes.fromhex("0103ff"), 2)
    assert (reader.lost, reader.gaps) == (2, [(1, 2, 2)])


def test_refusals():
    with pytest.raises(SettingsError):
        UsbFraming(alignment=3)
    for packet in (b"", bytes(256)):
        with pytest.raises(FramingError):
            UsbFraming(LengthHeader.LEN_BYTE).frame(packet)
