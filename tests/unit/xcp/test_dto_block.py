"""Blocks of DTOs: where messages lie, how they are numbered, cut and given out again."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xcaliper.xcp.dto_block import BlockLayout, DtoBlock
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming


def filled(sizes, samples: int, alignment: int = 1) -> tuple[DtoBlock, list[bytes]]:
    """A block of counting bytes and the DTOs that are in it."""
    layout = BlockLayout(sizes, alignment)
    layout.grown = samples
    block = DtoBlock(layout)
    packets = []
    for sample in range(samples):
        row = block.row()
        row[:] = 0
        for odt, (start, size) in enumerate(zip(layout.starts, sizes, strict=True)):
            data = bytes((sample + odt + at) % 251 for at in range(size))
            row[start : start + 4 + size] = np.frombuffer(
                struct.pack("<HH", size, 0) + data, np.uint8
            )
            packets.append(data)
    return block, packets


@pytest.mark.parametrize("alignment", [1, 2, 4])
@pytest.mark.parametrize(("sizes", "samples"), [((5,), 1), ((7, 3, 9), 2), ((7, 3, 9), 40)])
@pytest.mark.parametrize("first", [0, 65_530])
def test_numbered_messages_are_those_of_the_framing(sizes, samples, alignment, first) -> None:
    block, packets = filled(sizes, samples, alignment)
    framing = EthFraming(alignment)
    framing.take(first)
    wanted = b"".join(framing.frame(packet) for packet in packets)
    assert bytes(block.numbered(first)) == wanted
    assert block.packets() == packets
    assert len(block) == len(packets)


@pytest.mark.parametrize(
    ("sizes", "limit", "runs"),
    [
        ((96, 96, 96, 46), 150, [(0, 350, 100)]),
        ((96, 96, 96, 46), 250, [(0, 350, 200)]),
        ((96, 46, 96), 120, [(0, 150, 100), (150, 250, 100)]),
        ((46, 96), 120, [(0, 50, 50), (50, 150, 100)]),
        ((396,), 120, [(0, 400, 400)]),
        ((96, 96, 16, 16), 120, [(0, 100, 100), (100, 240, 120)]),
        ((96, 96, 56, 56), 120, [(0, 200, 100), (200, 320, 120)]),
        ((96, 96, 50), 160, [(0, 254, 100)]),  # 100 + 54 in one datagram would break the run
    ],
)
def test_cuts_are_runs_of_equal_datagrams(sizes, limit: int, runs) -> None:
    """By hand: a message takes four bytes more than its DTO; a shorter datagram ends a run."""
    assert list(BlockLayout(sizes).cuts(limit)) == runs


@pytest.mark.parametrize("limit", [60, 150, 1472, 9000])
def test_cut_datagrams_hold_whole_messages_in_order(limit: int) -> None:
    sizes = tuple(np.random.default_rng(5).integers(1, 200, 30).tolist())
    block, packets = filled(sizes, 3)
    data, layout = block.numbered(0), block.layout
    reader = DatagramReader()
    found: list[bytes] = []
    for base in range(0, len(data), layout.stride):
        end = 0
        for start, stop, size in layout.cuts(limit):
            assert start == end
            end = stop
            for at in range(start, stop, size):
                datagram = bytes(data[base + at : base + min(at + size, stop)])
                got = reader.feed(datagram)
                assert len(datagram) <= limit or len(got) == 1
                found += got
        assert end == layout.stride
    assert found == packets
    assert (reader.counts.malformed, reader.lost) == (0, 0)


def test_blocks_grow_with_need_and_use_their_memory_again() -> None:
    first = DtoBlock(BlockLayout((10,)))
    first.row()
    assert first.full
    second = first.follow(turns=False)
    second.row()
    assert not second.full  # the first one did not suffice
    second.row()
    assert second.full
    second.release()
    third = second.follow(turns=False)
    assert third.room == 4
    third.row()
    third.release()
    assert third.follow(turns=False).room == 4
    assert third.follow(turns=True).room <= 4
    assert third.layout.grown == 1  # lists that take turns need no more
    huge = DtoBlock(BlockLayout((60_000, 60_000)))
    huge.row()
    assert huge.full  # one sample, however long it is


def test_only_a_few_blocks_are_kept_for_their_memory() -> None:
    layout = BlockLayout((10,))
    blocks = [DtoBlock(layout) for _ in range(9)]
    for block in blocks:
        block.release()
    kept = len(layout.spare)
    assert 0 < kept < len(blocks)
    again = [DtoBlock(layout) for _ in range(kept)]
    assert layout.spare == []
    assert len({id(block.rows) for block in again}) == kept
