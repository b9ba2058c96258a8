"""Sparse memory: runs, overlaps, extensions, granularity."""

import pytest

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import UsageError
from xcaliper.core.memory import SparseMemory


def memory(*runs, ag=1):
    made = SparseMemory(ag)
    for start, data in runs:
        made.add(start, data)
    return made


def test_read_and_write_inside_a_run():
    mem = memory((Address(0x100), bytes(range(8))))
    assert mem.read(Address(0x102), 3) == b"\x02\x03\x04"
    mem.write(Address(0x103), b"\xaa\xbb")
    assert mem.read(Address(0x100), 8) == bytes.fromhex("000102aabb050607")


def test_runs_are_sorted_whatever_the_order():
    mem = memory(
        (Address(0x300), b"ccc"),
        (Address(0x100, 1), b"x"),
        (Address(0x100), b"a"),
        (Address(0x200), b"bb"),
    )
    assert mem.ranges() == [
        AddressRange(Address(0x100), 1),
        AddressRange(Address(0x200), 2),
        AddressRange(Address(0x300), 3),
        AddressRange(Address(0x100, 1), 1),
    ]
    assert mem.read(Address(0x200), 2) == b"bb"


@pytest.mark.parametrize(
    ("address", "size"),
    [
        (Address(0xFF), 1),
        (Address(0x108), 1),
        (Address(0x107), 2),
        (Address(0x100), 9),
        (Address(0x100, 1), 1),
        (Address(0xFF), 10),
        (Address(0x104), -1),
    ],
)
def test_outside_is_refused(address, size):
    mem = memory((Address(0x100), bytes(8)))
    with pytest.raises(UsageError, match=f"no memory at {address}"):
        mem.read(address, size)
    with pytest.raises(UsageError):
        mem.view(address, size)


def test_writing_outside_changes_nothing():
    mem = memory((Address(0x100), bytes(4)))
    for start in (0xFF, 0x102, 0x104):
        with pytest.raises(UsageError):
            mem.write(Address(start), b"\xff\xff\xff")
    assert mem.read(Address(0x100), 4) == bytes(4)


def test_runs_side_by_side_stay_separate():
    mem = memory((Address(0x100), b"ab"), (Address(0x102), b"cd"), (Address(0xFE), b"yz"))
    assert mem.read(Address(0x101), 1) == b"b"
    assert mem.read(Address(0x102), 2) == b"cd"
    with pytest.raises(UsageError):
        mem.read(Address(0x101), 2)


@pytest.mark.parametrize(
    ("start", "size"), [(0x100, 8), (0xFF, 2), (0x107, 1), (0x102, 2), (0xF0, 0x20), (0x100, 1)]
)
def test_overlaps_are_refused_and_leave_no_trace(start, size):
    mem = memory((Address(0x100), bytes(8)))
    with pytest.raises(UsageError, match="overlaps the one at 0x00000100"):
        mem.add(Address(start), bytes(size))
    assert mem.ranges() == [AddressRange(Address(0x100), 8)]


def test_a_run_over_several_others_is_refused():
    mem = memory((Address(0x100), b"a"), (Address(0x200), b"b"), (Address(0x300), b"c"))
    with pytest.raises(UsageError):
        mem.add(Address(0x180), bytes(0x200))


def test_extensions_are_separate_spaces():
    mem = memory((Address(0x100), b"zero"), (Address(0x100, 1), b"one!"))
    assert mem.read(Address(0x100), 4) == b"zero"
    assert mem.read(Address(0x100, 1), 4) == b"one!"
    with pytest.raises(UsageError, match="0x00000100:1"):
        mem.add(Address(0x102, 1), b"x")


def test_granularity_scales_addresses_not_sizes():
    mem = memory((Address(0x10), bytes(range(8))), ag=4)
    assert mem.read(Address(0x11), 4) == b"\x04\x05\x06\x07"
    assert mem.read(Address(0x11), 1) == b"\x04"
    assert mem.ranges() == [AddressRange(Address(0x10), 8)]
    mem.add(Address(0x12), b"next")
    with pytest.raises(UsageError, match="the one at 0x00000010"):
        mem.add(Address(0x11), b"x")


@pytest.mark.parametrize("ag", [0, 3, 8, -1])
def test_other_granularities_are_refused(ag):
    with pytest.raises(UsageError, match="granularity"):
        SparseMemory(ag)


def test_a_bytearray_is_shared_bytes_are_copied():
    shared, copied = bytearray(4), b"\x01\x02"
    mem = memory((Address(0), shared), (Address(8), copied))
    mem.write(Address(1), b"\x55")
    assert shared == b"\x00\x55\x00\x00"
    shared[0] = 9
    assert mem.read(Address(0), 2) == b"\x09\x55"
    mem.write(Address(8), b"\xff")
    assert copied == b"\x01\x02"


def test_a_view_writes_through():
    mem = memory((Address(0x100), bytes(4)))
    mem.view(Address(0x101), 2)[:] = b"\x0a\x0b"
    assert mem.read(Address(0x100), 4) == b"\x00\x0a\x0b\x00"


def test_empty_runs_and_empty_reads():
    mem = memory((Address(0x100), b"abcd"))
    mem.add(Address(0x100), b"")
    mem.add(Address(0x102), b"")
    assert mem.ranges() == [AddressRange(Address(0x100), 4)]
    assert mem.read(Address(0x100), 4) == b"abcd"
    assert mem.read(Address(0x104), 0) == b""


def test_empty_memory_has_nothing():
    assert SparseMemory().ranges() == []
    with pytest.raises(UsageError):
        SparseMemory().read(Address(0), 1)
