"""SxI: every header and checksum, SYNC/ESC, SPI fill, recovery after damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.header import LengthHeader
from xcaliper.xcp.framing.sxi import SxiChecksum, SxiFormat, SxiFraming, SxiReader

forms = st.builds(
    SxiFormat,
    header=st.sampled_from(LengthHeader),
    checksum=st.sampled_from(SxiChecksum),
    unit=st.sampled_from([1, 2, 4]),
    min_packet=st.sampled_from([0, 8]),
    sync=st.just(-1),
    esc=st.just(-1),
)
framed = st.builds(
    SxiFormat,
    header=st.sampled_from(LengthHeader),
    checksum=st.sampled_from(SxiChecksum),
    sync=st.just(0xAA),
    esc=st.just(0xAB),
)


@given(
    st.one_of(forms, framed), st.lists(st.binary(min_size=1, max_size=20), max_size=8), st.data()
)
@settings(deadline=None, max_examples=150)
def test_any_chunking_gives_the_same_packets(form, packets, data):
    framing, reader = SxiFraming(form), SxiReader(form)
    stream = b"".join(framing.frame(p) for p in packets)
    if form.sync < 0:
        assert len(stream) % form.unit == 0
    found = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == packets
    assert (reader.lost, reader.counts.malformed, reader.counts.checksum) == (0, 0, 0)


@given(st.one_of(forms, framed), st.binary(max_size=60))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_survived(form, chunk):
    reader = SxiReader(form, max_packet=16)
    assert all(0 < len(p) <= 16 for p in reader.feed(chunk))
    reader.reset()
    message = SxiFraming(form).frame(b"\xff\x00")
    assert reader.feed(message) == [b"\xff\x00"]


@given(framed, st.binary(min_size=1, max_size=20), st.binary(max_size=20))
@settings(deadline=None, max_examples=100)
def test_sync_bytes_bring_the_reader_back_in_step(form, packet, noise):
    reader = SxiReader(form, max_packet=32)
    reader.feed(noise.replace(b"\xaa", b""))
    assert reader.feed(SxiFraming(form).frame(packet)) == [packet]


def test_sync_in_the_middle_drops_the_message():
    form = SxiFormat(checksum=SxiChecksum.BYTE, sync=0xAA, esc=0xAB)
    reader = SxiReader(form)
    whole = SxiFraming(form).frame(b"\xff\x00")
    assert reader.feed(whole[:3] + whole) == [b"\xff\x00"]
    assert reader.counts.malformed == 1
    assert reader.feed(b"\xaa\x02\xab\x07\xff\x00") == []
    assert reader.counts.malformed == 2


def test_a_wrong_checksum_drops_one_message():
    form = SxiFormat(header=LengthHeader.LEN_CTR_BYTE, checksum=SxiChecksum.WORD)
    framing, reader = SxiFraming(form), SxiReader(form)
    bad = bytearray(framing.frame(b"\xff\x00"))
    bad[2] ^= 1
    assert reader.feed(bytes(bad) + framing.frame(b"\xfd")) == [b"\xfd"]
    assert reader.counts.checksum == 1


def test_gaps():
    form = SxiFormat(header=LengthHeader.LEN_CTR_WORD)
    framing, reader = SxiFraming(form), SxiReader(form)
    frames = [framing.frame(bytes([i])) for i in range(4)]
    reader.feed(frames[0], 5)
    reader.feed(frames[3], 9)
    assert reader.lost == 2
    assert reader.gaps == [(5, 9, 2)]
    framing.reset()
    reader.reset()
    reader.feed(framing.frame(b"\1"))
    assert reader.lost == 2


def test_impossible_lengths_and_silence():
    reader = SxiReader(SxiFormat(), max_packet=8)
    assert reader.feed(b"\x09\xff") == []
    assert reader.feed(b"\x00\x01") == []
    assert reader.feed(b"\x02\xff") == []
    reader.idle()
    assert reader.feed(b"\x02\xff\x00") == [b"\xff\x00"]
    assert (reader.counts.malformed, reader.counts.empty) == (2, 1)
    reader.idle()
    assert reader.counts.malformed == 2


def test_settings_and_packets_that_do_not_fit():
    for wrong in (
        {"unit": 3},
        {"sync": 1},
        {"esc": 1},
        {"sync": 1, "esc": 1},
        {"sync": 300, "esc": 2},
    ):
        with pytest.raises(SettingsError):
            SxiFormat(**wrong)
    for packet in (b"", bytes(256)):
        with pytest.raises(FramingError):
            SxiFraming(SxiFormat()).frame(packet)


def test_counter_has_the_width_of_len():
    framing = SxiFraming(SxiFormat(header=LengthHeader.LEN_CTR_BYTE))
    for _ in range(256):
        framing.frame(b"\1")
    assert framing.frame(b"\1") == b"\x01\x00\x01"
