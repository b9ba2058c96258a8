"""CAN and CAN FD: padding, lengths, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.can import FD_LENGTHS, CanFraming, CanReader, padded_length


def test_classic_frames_have_the_length_of_the_packet():
    assert CanFraming().frame(b"\xff\x00") == b"\xff\x00"
    assert CanFraming(max_dlc_required=True, padding=0xAA).frame(b"\xfd") == b"\xfd" + b"\xaa" * 7


@given(st.binary(min_size=1, max_size=64))
def test_fd_lengths(packet):
    frame = CanFraming(max_dlc=64).frame(packet)
    assert len(frame) in FD_LENGTHS
    assert frame.startswith(packet)
    assert frame[len(packet) :] == bytes(len(frame) - len(packet))
    assert len(frame) == padded_length(len(packet))


@pytest.mark.parametrize(("size", "length"), [(9, 12), (13, 16), (25, 32), (33, 48), (49, 64)])
def test_some_fd_lengths(size, length):
    assert padded_length(size) == length


def test_refusals():
    for packet in (b"", bytes(9)):
        with pytest.raises(FramingError):
            CanFraming().frame(packet)
    with pytest.raises(FramingError):
        padded_length(65)
    for max_dlc in (7, 9, 65):
        with pytest.raises(SettingsError):
            CanFraming(max_dlc=max_dlc)


def test_reading_counts_what_is_no_packet():
    reader = CanReader()
    assert reader.feed(b"\xff\x00\x00") == [b"\xff\x00\x00"]
    assert reader.feed(b"") == []
    assert reader.feed(bytes(65)) == []
    assert (reader.counts.messages, reader.counts.empty, reader.counts.malformed) == (1, 1, 1)
