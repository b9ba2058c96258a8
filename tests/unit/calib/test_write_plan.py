"""Which bytes are sent for which writes, by hand."""

from __future__ import annotations

from xcaliper.calib.staging import StagedMemory
from xcaliper.calib.write_plan import Run, changed_runs, difference, plan_runs
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.memory import SparseMemory


def memory(ag: int = 1, size: int = 64) -> SparseMemory:
    made = SparseMemory(ag)
    made.add(Address(0x100), bytes(size))
    return made


def at(value: int) -> Address:
    return Address(value)


def test_only_what_differs_is_a_run_and_near_ones_are_one():
    now = bytes(40)
    data = bytearray(40)
    data[2] = data[9] = data[20] = 1
    assert changed_runs(now, bytes(data), 1) == [(2, 10), (20, 21)]
    assert changed_runs(now, bytes(data), 4) == [(0, 12), (20, 24)]
    assert changed_runs(now, bytes(data), 1, join=0) == [(2, 3), (9, 10), (20, 21)]
    assert changed_runs(now, now, 4) == []
    long = bytearray(10_000)
    long[9_999] = 1
    assert changed_runs(bytes(10_000), bytes(long), 1) == [(9_999, 10_000)]
    assert changed_runs(bytes(10_000), bytes(long), 3) == [(9_999, 10_000)]
    assert difference(at(0x10), b"ab", b"ac") == [Run(at(0x11), b"b", b"c")]


def test_an_element_of_eight_bytes_is_never_sent_in_two_runs():
    now, data = bytes(8), bytes([1, 0, 0, 0, 0, 0, 0, 1])
    assert changed_runs(now, data, 1) == [(0, 8)]


def test_later_writes_win_and_neighbours_are_one_run():
    mem = memory()
    writes = [(at(0x110), b"\x01\x02"), (at(0x112), b"\x03"), (at(0x111), b"\x09")]
    assert plan_runs(writes, mem.read) == [Run(at(0x110), bytes(3), b"\x01\x09\x03")]
    assert plan_runs([(at(0x110), bytes(4))], mem.read) == []
    assert plan_runs([], mem.read) == []
    back = [(at(0x110), b"\x01"), (at(0x110), b"\x00")]
    assert plan_runs(back, mem.read) == [], "what is changed and changed back is not sent"


def test_the_order_of_the_first_write_is_kept():
    mem = memory()
    axis, values, axis_again = (at(0x130), b"\x05"), (at(0x100), b"\x06"), (at(0x131), b"\x07")
    runs = plan_runs([axis, values, axis_again], mem.read)
    assert [run.address.value for run in runs] == [0x130, 0x100]
    assert runs[0].new == b"\x05\x07"


def test_gaps_are_bridged_inside_of_areas_only():
    mem = memory()
    writes = [(at(0x100), b"\x01"), (at(0x104), b"\x01")]
    assert len(plan_runs(writes, mem.read)) == 2
    (run,) = plan_runs(writes, mem.read, areas=[AddressRange(at(0x100), 16)])
    assert run == Run(at(0x100), bytes(5), b"\x01\0\0\0\x01")
    assert len(plan_runs(writes, mem.read, areas=[AddressRange(at(0x100), 3)])) == 2
    other = [(at(0x100), b"\x01"), (Address(0x101, 1), b"\x01")]
    mem.add(Address(0x101, 1), bytes(4))
    assert len(plan_runs(other, mem.read, areas=[AddressRange(at(0x100), 16)])) == 2


def test_runs_are_whole_addresses_of_more_than_one_byte():
    mem = memory(ag=2)
    (run,) = plan_runs([(at(0x101), b"\0\x01")], mem.read, ag=2)
    assert run == Run(at(0x101), b"\0\0", b"\0\x01")
    (run,) = plan_runs([(at(0x101), b"\x01")], mem.read, ag=2)
    assert run == Run(at(0x101), b"\0\0", b"\x01\0"), "half an address keeps its other half"


def test_staged_memory_shows_what_will_be():
    mem = memory(size=600)
    staged = StagedMemory(mem.read)
    staged.write(at(0x100 + 250), bytes(range(1, 21)))
    assert staged.read(at(0x100 + 248), 24) == b"\0\0" + bytes(range(1, 21)) + b"\0\0"
    assert staged.read(at(0x100 + 252), 4) == bytes((3, 4, 5, 6))
    staged.write(at(0x100 + 252), b"\xff")
    assert staged.read(at(0x100 + 251), 3) == b"\x02\xff\x04"
    assert mem.read(at(0x100 + 250), 2) == b"\0\0"
    assert staged.read(at(0x100), 4) == bytes(4)
    assert Run(at(1), b"a", b"b").back() == Run(at(1), b"b", b"a")


def test_an_element_is_sent_whole_though_half_of_it_is_equal():
    mem = memory()
    mem.write(at(0x110), b"\x01\x02\x03\x04")
    (run,) = plan_runs([(at(0x110), b"\x01\x02\x03\x05")], mem.read)
    assert run == Run(at(0x110), b"\x01\x02\x03\x04", b"\x01\x02\x03\x05")
    (run,) = plan_runs([(at(0x10F), b"\0\x01"), (at(0x111), b"\x02\x09")], mem.read)
    assert run == Run(at(0x111), b"\x02\x03", b"\x02\x09")
    (run,) = plan_runs([(at(0x108), bytes(8) + b"\x01\x02\x03\x09")], mem.read)
    assert run == Run(at(0x113), b"\x04", b"\x09"), "of a long write only what differs"
