"""FlexRay: nine headers, alignment, end marker, order of reception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.flexray import FlexRayFraming, FlexRayReader, FlxHeader

with_length = st.sampled_from([h for h in FlxHeader if h.has_length])
without_length = st.sampled_from([h for h in FlxHeader if not h.has_length])


@given(
    with_length,
    st.sampled_from([1, 2, 4]),
    st.booleans(),
    st.lists(st.binary(min_size=1, max_size=20), max_size=10),
)
@settings(deadline=None, max_examples=150)
def test_round_trip(header, alignment, full, packets):
    framing = FlexRayFraming(header, 0x10, alignment=alignment, max_length=32, full=full)
    reader = FlexRayReader(header, 0x10, alignment=alignment)
    frames = framing.frame_many(packets)
    assert all(len(f) % 2 == 0 and len(f) <= 32 for f in frames)
    assert not full or all(len(f) == 32 for f in frames)
    assert [p for f in frames for p in reader.feed(f)] == packets
    assert (reader.lost, reader.counts.malformed) == (0, 0)


@given(without_length, st.lists(st.binary(min_size=1, max_size=20), max_size=6))
@settings(deadline=None, max_examples=60)
def test_without_length_a_frame_is_a_packet_and_its_tail(header, packets):
    framing, reader = FlexRayFraming(header, 1, max_length=32), FlexRayReader(header, 1)
    frames = framing.frame_many(packets)
    found = [p for f in frames for p in reader.feed(f)]
    assert len(found) == len(packets)
    for whole, packet in zip(found, packets, strict=True):
        assert whole.startswith(packet)
        assert whole[len(packet) :] in (b"", b"\0")


@given(
    st.sampled_from(FlxHeader), st.binary(max_size=40), st.booleans(), st.sampled_from([1, 2, 4])
)
@settings(deadline=None, max_examples=150)
def test_any_frame_is_survived(header, frame, correct, alignment):
    reader = FlexRayReader(header, 0, alignment=alignment, sequence_correction=correct)
    packets = reader.feed(b"\0" + frame) + reader.flush()
    assert all(packets)


def test_other_nodes_are_ignored():
    reader = FlexRayReader(FlxHeader.NAX_LEN, 0x10)
    assert reader.feed(bytes.fromhex("1101ff00")) == []
    assert reader.foreign == 1


def test_damage_is_counted():
    reader = FlexRayReader(FlxHeader.NAX_LEN, 0x10)
    assert reader.feed(b"\x10") == []
    assert reader.feed(bytes.fromhex("1001ff 05fd")) == [b"\xff"]
    assert reader.feed(bytes.fromhex("1000ff00")) == []
    assert (reader.counts.malformed, reader.counts.empty) == (2, 1)


def frames_of(count):
    framing = FlexRayFraming(FlxHeader.NAX_CTR_LEN, 0x10, max_length=8)
    return [framing.frame(bytes([i, i, i])) for i in range(count)]


def test_sequence_correction_restores_the_order():
    frames = frames_of(6)
    reader = FlexRayReader(FlxHeader.NAX_CTR_LEN, 0x10, sequence_correction=True)
    found = []
    for number in (0, 2, 1, 4, 5, 3):
        found += reader.feed(frames[number])
    assert [p[0] for p in found] == [0, 1, 2, 3, 4, 5]
    assert reader.lost == 0


def test_sequence_correction_gives_up_a_lost_packet():
    frames = frames_of(4)
    reader = FlexRayReader(FlxHeader.NAX_CTR_LEN, 0x10, sequence_correction=True)
    reader.feed(frames[0], 1)
    assert reader.feed(frames[2], 2) == []
    assert reader.feed(frames[3], 3) == []
    assert [p[0] for p in reader.flush(4)] == [2, 3]
    assert (reader.lost, reader.gaps) == (1, [(1, 4, 1)])
    reader = FlexRayReader(FlxHeader.NAX_CTR_LEN, 0x10, sequence_correction=True)
    frames = frames_of(80)
    found = [p for n, f in enumerate(frames) if n != 1 for p in reader.feed(f)]
    assert len(found) == 79
    assert reader.lost == 1


def test_without_correction_gaps_are_seen():
    frames = frames_of(4)
    reader = FlexRayReader(FlxHeader.NAX_CTR_LEN, 0x10)
    reader.feed(frames[0])
    reader.feed(frames[3])
    assert reader.lost == 2
    reader.reset()
    reader.feed(frames[1])
    assert reader.lost == 2


def test_refusals():
    for wrong in ({"alignment": 3}, {"max_length": 9}, {"max_length": 256}):
        with pytest.raises(SettingsError):
            FlexRayFraming(FlxHeader.NAX, 1, **wrong)
    framing = FlexRayFraming(FlxHeader.NAX_LEN, 1, max_length=8)
    framing.reset()
    for packet in (b"", bytes(7)):
        with pytest.raises(FramingError):
            framing.frame(packet)
