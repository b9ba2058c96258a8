"""DTOs and their sets: what tells them apart, and packets that are too short."""

from __future__ import annotations

import pytest

from xcaliper.core.errors import WireError
from xcaliper.xcp.dto import decode_dto, split_packed
from xcaliper.xcp.dto_sets import DtoSet, DtoSets
from xcaliper.xcp.profile import DtoFormat


@pytest.mark.parametrize("lost", [0, 0x80])
@pytest.mark.parametrize(
    ("field", "packets"),
    [
        (0, ("05 aa", "06 bb cc")),
        (1, ("00 03 aa", "01 03 bb cc")),
        (2, ("00 0300 aa", "01 0300 bb cc")),
        (3, ("00 55 0300 aa", "01 55 0300 bb cc")),
    ],
)
def test_the_mark_of_lost_samples_hides_no_dto(field: int, packets, lost: int) -> None:
    """The most significant bit of the first byte tells of an overload (DAQ_PROPERTIES, 1.0)."""
    fmt = DtoFormat(field, overload_msb=True)
    sets = DtoSets([DtoSet(3, fmt, (1, 2), first_pid=5)])
    raw = [bytearray.fromhex(packet) for packet in packets]
    for packet in raw:
        packet[0] |= lost
    assert sets.receive(bytes(raw[0])) is None
    complete = sets.receive(bytes(raw[1]))
    assert complete is not None
    assert (complete.daq_list, complete.data) == (3, b"\xaa\xbb\xcc")
    assert sets.receive(b"") is None
    assert (sets.counters.packets, sets.counters.unknown) == (2, 1)


def test_a_dto_without_its_whole_header_is_refused() -> None:
    """Counter and timestamp stand in the first DTO of a sample only."""
    fmt = DtoFormat(1, timestamp_size=4)
    for size in (0, 1, 2, 5):
        with pytest.raises(WireError, match="2 bytes" if size < 2 else "6 bytes"):
            decode_dto(bytes(size), fmt)
    assert decode_dto(bytes(2), fmt, first_odt=False).timestamp is None
    assert decode_dto(bytes.fromhex("0000 04030201"), fmt).timestamp == 0x01020304


def test_a_packed_odt_without_all_its_samples_is_refused() -> None:
    """Two entries of 1 and 2 bytes, three samples: 9 bytes."""
    assert split_packed(b"abcABDEFG", [1, 2], 1, 3) == [
        [b"a", b"b", b"c"],
        [b"AB", b"DE", b"FG"],
    ]
    for mode in (1, 2):
        with pytest.raises(WireError, match="9 bytes"):
            split_packed(bytes(8), [1, 2], mode, 3)
