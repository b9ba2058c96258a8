"""Ethernet framing: hand-made bytes, damage, gaps, any chunking."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader

packets_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=12)
alignments = st.sampled_from([1, 2, 4])


def test_header_is_little_endian_and_counts():
    framing = EthFraming()
    assert framing.frame(b"\xff\x00") == bytes.fromhex("02000000ff00")
    assert framing.frame(b"\xfd") == bytes.fromhex("01000100fd")
    framing.reset()
    assert framing.counter == 0


def test_counter_wraps():
    framing = EthFraming()
    for _ in range(65536):
        framing.frame(b"\xff")
    assert framing.frame(b"\xff") == bytes.fromhex("01000000ff")


def test_alignment_fills_behind_the_message():
    assert EthFraming(4).frame(b"\x00\x01\xaa") == bytes.fromhex("030000000001aa00")
    with pytest.raises(SettingsError):
        EthFraming(3)


@pytest.mark.parametrize("packet", [b"", bytes(65536)])
def test_packets_that_do_not_fit_len_are_refused(packet):
    with pytest.raises(FramingError):
        EthFraming().frame(packet)


def test_frame_many_respects_the_limit():
    datagrams = EthFraming().frame_many([bytes(6), bytes(6), bytes(30), b"\x01"], limit=20)
    assert [len(d) for d in datagrams] == [20, 34, 5]


@given(packets_lists, alignments, st.integers(5, 100))
@settings(deadline=None, max_examples=60)
def test_datagrams_round_trip(packets, alignment, limit):
    reader = DatagramReader(alignment)
    datagrams = EthFraming(alignment).frame_many(packets, limit)
    assert [p for d in datagrams for p in reader.feed(d)] == packets
    assert (reader.lost, reader.counts.malformed) == (0, 0)


@given(packets_lists, alignments, st.data())
@settings(deadline=None, max_examples=80)
def test_any_chunking_of_a_stream_gives_the_same_packets(packets, alignment, data):
    framing = EthFraming(alignment)
    stream = b"".join(framing.frame(p) for p in packets)
    reader = StreamReader(alignment)
    found = []
    while stream:
        cut = data.draw(st.integers(0, len(stream)))
        cut = cut or 1
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == packets
    assert reader.lost == 0


@given(st.binary(max_size=64), alignments)
@settings(deadline=None, max_examples=150)
def test_any_datagram_is_survived(data, alignment):
    reader = DatagramReader(alignment, max_packet=32)
    for packet in reader.feed(data):
        assert 0 < len(packet) <= 32


@given(st.lists(st.binary(max_size=20), max_size=8))
@settings(deadline=None, max_examples=100)
def test_any_stream_is_survived(chunks):
    reader = StreamReader(max_packet=64)
    for chunk in chunks:
        try:
            reader.feed(chunk)
        except FramingError:
            reader.reset()


def test_gaps_are_counted_with_their_time_and_place():
    framing, reader = EthFraming(), DatagramReader()
    frames = [framing.frame(bytes([i])) for i in range(8)]
    assert reader.feed(frames[0] + frames[1], 100) == [b"\0", b"\1"]
    assert reader.new_gaps == []
    assert reader.feed(frames[4] + frames[7], 250) == [b"\4", b"\7"]
    assert reader.new_gaps == [(0, 2), (1, 2)]
    assert reader.lost == 4
    assert list(reader.gaps) == [(100, 250, 2), (250, 250, 2)]


@pytest.mark.parametrize("reader", [DatagramReader, StreamReader])
def test_a_gap_before_an_empty_message_counts_for_the_next_packet(reader):
    reader = reader()
    texts = [b"" if i in (2, 6, 9) else bytes([i]) for i in range(14)]
    frames = [bytes([len(text), 0, i, 0]) + text for i, text in enumerate(texts)]
    assert reader.feed(frames[0] + frames[2] + frames[4]) == [b"\0", b"\4"]
    assert reader.new_gaps == [(1, 2)]
    assert reader.feed(frames[6]) == []
    assert reader.new_gaps == []
    assert reader.feed(frames[7]) == [b"\7"]
    assert reader.new_gaps == [(0, 1)]
    assert reader.feed(frames[9] + frames[10]) == [b"\n"]
    assert reader.new_gaps == [(0, 1)]
    assert reader.feed(frames[13]) == [b"\r"]
    assert reader.new_gaps == [(0, 2)]
    assert reader.lost == 6


def test_late_messages_are_not_gaps():
    framing, reader = EthFraming(), DatagramReader()
    a, b, c = (framing.frame(bytes([i])) for i in range(3))
    reader.feed(a)
    reader.feed(c)
    assert reader.feed(b) == [b"\1"]
    assert (reader.lost, reader.late) == (1, 1)
    reader.feed(c)
    assert (reader.lost, reader.late, reader.counts.duplicates) == (1, 1, 1)


def test_reset_forgets_the_counter():
    framing, reader = EthFraming(), DatagramReader()
    reader.feed(framing.frame(b"\1"))
    framing.frame(b"\2")
    reader.reset()
    reader.feed(framing.frame(b"\3"))
    assert reader.lost == 0


def test_zero_and_wild_lengths():
    reader = DatagramReader(max_packet=8)
    assert reader.feed(bytes.fromhex("00000000 01000100ff")) == [b"\xff"]
    assert reader.counts.empty == 1
    assert reader.feed(bytes.fromhex("01000200fd 0900030000000000000000000000")) == [b"\xfd"]
    assert reader.feed(bytes.fromhex("0500040000")) == []
    assert reader.feed(b"\x01\x00") == []
    assert reader.counts.malformed == 3
    slugs = [d.slug for d in reader.counts.diagnostics("udp")]
    assert slugs == ["framing-malformed", "framing-empty"]


def test_a_wild_length_breaks_a_stream_behind_the_good_packets():
    reader = StreamReader(max_packet=8)
    assert reader.feed(bytes.fromhex("01000000ff ffff0100")) == [b"\xff"]
    with pytest.raises(FramingError):
        reader.feed(b"")
    reader.reset()
    with pytest.raises(FramingError):
        reader.feed(bytes.fromhex("ffff0100"))
    reader.reset()
    assert reader.feed(bytes.fromhex("01000000ff")) == [b"\xff"]


def test_a_stream_keeps_running_over_connect():
    reader = StreamReader()
    reader.feed(bytes.fromhex("01000900ff 0100"))
    reader.restart_counter()
    assert reader.feed(bytes.fromhex("0000fd")) == [b"\xfd"]
    assert reader.lost == 0


def test_a_doubled_datagram_gives_nothing_and_is_counted() -> None:
    reader = DatagramReader()
    first, second = bytes.fromhex("0100 0700 ff"), bytes.fromhex("0200 0800 ff2a")
    assert reader.feed(first) == [b"\xff"]
    assert reader.feed(second) == [b"\xff\x2a"]
    assert reader.feed(first) == []
    assert reader.feed(second) == []
    assert reader.feed(bytes.fromhex("0100 0900 ff")) == [b"\xff"]
    assert reader.counts.duplicates == 2
    assert reader.lost == 0


def test_a_slave_that_never_counts_is_understood() -> None:
    reader = DatagramReader()
    same = bytes.fromhex("0100 0000 ff")
    assert [reader.feed(same) for _ in range(5)] == [[b"\xff"]] * 5
    assert reader.counts.duplicates == 0


def test_the_same_bytes_after_connect_are_no_duplicate() -> None:
    reader = DatagramReader()
    answers = [bytes.fromhex("0100 0000 ff"), bytes.fromhex("0100 0100 ff")]
    for _ in range(2):
        assert [reader.feed(answer) for answer in answers] == [[b"\xff"], [b"\xff"]]
        reader.reset()


def test_an_answer_that_later_ones_have_overtaken_is_dropped() -> None:
    """It would pass for the answer to another command; data that come late are data all the same."""
    reader = DatagramReader()
    for counter in (3, 4, 6):
        assert reader.feed(bytes((1, 0, counter, 0, 0xFF))) == [b"\xff"]
    assert reader.feed(bytes.fromhex("0200 0500 ff2a")) == []
    assert reader.feed(bytes.fromhex("0200 0200 fe00 0100 0100 05")) == [b"\x05"]
    assert reader.feed(bytes.fromhex("0200 0500 fd05")) == [b"\xfd\x05"]
    assert reader.counts.overtaken == 2
    assert [d.slug for d in reader.counts.diagnostics("udp")] == ["framing-overtaken"]
    assert reader.feed(bytes.fromhex("0100 0700 ff")) == [b"\xff"]
    reader.reset()
    assert reader.feed(bytes.fromhex("0100 0000 ff")) == [b"\xff"]


@pytest.mark.parametrize(
    "counters",
    [
        [0, 0, 0, 0, 0, 0],  # never counts
        [5, 4, 3, 2, 1, 0],  # counts down
        [1, 2, 40_000, 1, 2, 3],  # begins again, far away
        [65_533, 65_534, 65_535, 0, 1, 2],  # wraps
    ],
)
def test_answers_of_slaves_that_count_in_their_own_way_are_taken(counters) -> None:
    reader = DatagramReader()
    for number, counter in enumerate(counters):
        assert reader.feed(struct.pack("<HHBB", 2, counter, 0xFF, number)) == [
            bytes((0xFF, number))
        ]
    assert reader.counts.overtaken == 0


def test_a_slave_drops_commands_that_come_too_late() -> None:
    reader = DatagramReader(4, answers_from=0xC0)
    for counter in range(3):
        assert reader.feed(struct.pack("<HHB3x", 1, counter, 0xFD)) == [b"\xfd"]
    late = struct.pack("<HHBB2x", 2, 1, 0xF0, 1)
    assert reader.feed(late + struct.pack("<HHB3x", 1, 3, 0xFC)) == [b"\xfc"]
    assert reader.feed(struct.pack("<HHB3x", 1, 2, 0x10)) == [b"\x10"], "STIM is judged elsewhere"
    assert reader.counts.overtaken == 1


def test_alignment_is_told():
    assert [EthFraming(alignment).alignment for alignment in (1, 2, 4)] == [1, 2, 4]


def test_a_stream_that_somebody_else_scans_is_lent_and_put_back():
    reader = StreamReader(2, max_packet=64)
    assert reader.feed(bytes.fromhex("0100 0000 ff")) == [b"\xff"]
    assert reader.lend() == (b"", 1), "the fill behind the packet is still to come"
    assert reader.feed(bytes.fromhex("00 0200 01")) == []
    rest, skip = reader.lend()
    assert (rest, skip) == (bytes.fromhex("020001"), 0)
    reader.put_back(rest, skip, calm=True)
    assert reader.feed(bytes.fromhex("00 ff07")) == [b"\xff\x07"]
    with pytest.raises(FramingError):
        reader.put_back(bytes.fromhex("ffff0200"), 0, calm=False)
    with pytest.raises(FramingError):
        reader.lend()


def test_a_copy_of_what_somebody_else_has_scanned_is_known():
    reader = DatagramReader()
    first, second = (bytes.fromhex(f"0200 {n:02x}00 ff07".replace(" ", "")) for n in (0, 1))
    for datagram in (first, second):
        reader.remember(datagram)
    assert not reader.is_copy(bytes.fromhex("0200 0200 ff07"))
    assert not reader.is_copy(b"\0")
    assert reader.is_copy(first)
    assert reader.counts.duplicates == 1
    assert reader.scan(bytes.fromhex("0000 0200 ff"), 0, ends=True) == []
    assert reader.counts.malformed > 0


def test_a_gap_is_told_once():
    reader = DatagramReader()
    gaps = []
    for counter in (5, 8, 9):
        assert reader.feed(bytes.fromhex(f"0100{counter:02x}00ff")) == [b"\xff"]
        gaps.append(len(reader.new_gaps))
    assert gaps == [0, 1, 0]
