"""What is read, checked by checksum and remembered of an ECU made of bytes."""

from __future__ import annotations

import pytest

from support.calib_ecu import MAPS, PLAIN, SEGMENTS, SIZE, TWIN, CalibEcu, refusal, silence
from xcaliper.calib.port import PlainPort
from xcaliper.calib.segments import CalibSegment, PageUse
from xcaliper.calib.working_set import WorkingSet
from xcaliper.calib.write_plan import Run
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    NotFoundError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.core.memory import SparseMemory


def made(**options) -> tuple[CalibEcu, WorkingSet]:
    ecu = CalibEcu(**options)
    return ecu, WorkingSet(ecu, SEGMENTS)


def test_what_was_read_once_is_not_read_again_outside_of_segments_always():
    ecu, working = made()
    first = working.read(Address(MAPS + 4), 8)
    assert ecu.bytes_read == 8
    ecu.pages_of[0, 0][4] ^= 0xFF
    assert working.read(Address(MAPS + 4), 8) == first
    assert working.read(Address(MAPS + 6), 2) == first[2:4]
    assert ecu.bytes_read == 8
    assert working.read_live(Address(MAPS + 4), 1) != first[:1]
    assert working.read(Address(MAPS + 4), 1) != first[:1], "what was seen live is known"
    for _ in range(2):
        working.read(Address(PLAIN), 4)
    assert ecu.bytes_read == 8 + 1 + 8


def test_each_page_is_remembered_by_itself():
    ecu, working = made()
    ecu.pages_of[0, 1][0] = 99
    working.read(Address(MAPS), 1)
    ecu.used[0][1] = 1
    assert working.read(Address(MAPS), 1) == bytes([99])
    ecu.used[0][1] = 0
    read = ecu.bytes_read
    assert working.read(Address(MAPS), 1) != bytes([99])
    assert ecu.bytes_read == read


def test_a_checksum_proves_what_is_known_and_only_what_differs_is_read():
    big = CalibSegment(0, "maps", Address(0), 1 << 16, (PageUse(0),))
    memory = SparseMemory()
    block = bytearray(1 << 16)
    memory.add(Address(0), block)
    working = WorkingSet(PlainPort(memory), [big])
    assert working.refresh().uploaded == 1 << 16
    again = working.refresh()
    assert (again.uploaded, again.checked, again.changed) == (0, 1 << 16, 0)
    block[40_000] = block[40_001] = 1
    seen: list[tuple[int, int]] = []
    found = working.refresh(lambda done, total: seen.append((done, total)))
    assert found.changed == 2
    assert found.uploaded == 1024
    assert found.checked == (1 << 16) - 1024
    assert seen == [(1 << 16, 1 << 16)]
    assert working.read(Address(40_000), 2) == b"\x01\x01"


def test_without_checksums_all_of_it_is_read():
    ecu, working = made(checksums=False)
    working.refresh()
    assert ecu.bytes_read == 2 * SIZE
    ecu.pages_of[1, 0][5] ^= 1
    found = working.refresh()
    assert (found.uploaded, found.changed) == (2 * SIZE, 1)


def test_what_is_not_trusted_any_more_is_read_or_proven():
    ecu, working = made()
    working.refresh()
    ecu.pages_of[0, 0][0] ^= 1
    working.distrust()
    assert working.read(Address(MAPS), 1) == bytes(ecu.pages_of[0, 0][:1])
    working.refresh_segment(SEGMENTS[1])
    read = ecu.bytes_read
    working.read(Address(TWIN), 4)
    assert ecu.bytes_read == read
    working.distrust(SEGMENTS[1])
    assert not working.mirror(SEGMENTS[1], 0).is_certain(0, 4)
    read = ecu.bytes_read
    for _ in range(3):
        working.read(Address(TWIN), 4)
    assert ecu.bytes_read == read + 4, "what was read since then is certain again"
    assert working.refresh_segment(SEGMENTS[1]).checked == SIZE, "one checksum for all"
    assert working.refresh_segment(SEGMENTS[1]).checked == 0


def test_what_somebody_else_wrote_is_forgotten():
    ecu, working = made()
    working.refresh()
    read = ecu.bytes_read
    working.forget_range(Address(MAPS + 10), 4)
    working.forget_range(Address(PLAIN), 4)
    working.read(Address(MAPS + 4), 2)
    assert ecu.bytes_read == read
    working.read(Address(MAPS + 12), 2)
    assert ecu.bytes_read == read + 2
    working.forget(1, 0)
    working.read(Address(TWIN), 1)
    assert ecu.bytes_read == read + 3


def test_another_page_is_looked_at_for_a_while():
    ecu, working = made()
    ecu.pages_of[0, 1][:] = b"\x55" * SIZE
    assert working.content(SEGMENTS[0], 1) == b"\x55" * SIZE
    assert ecu.used[0] == [0, 0]
    assert ecu.log == ["xcp 0 1", "xcp 0 0"]
    with pytest.raises(ZeroDivisionError), working.seeing(SEGMENTS[0], 1):
        raise ZeroDivisionError
    assert ecu.used[0] == [0, 0]
    plain = WorkingSet(PlainPort(SparseMemory()), SEGMENTS)
    with pytest.raises(UsageError, match="nobody could go back"), plain.seeing(SEGMENTS[0], 1):
        pass


def test_a_write_is_read_back_and_a_long_one_proven_by_checksum():
    ecu, working = made()
    old = bytes(ecu.pages_of[0, 0])
    working.write(Run(Address(MAPS), old[:4], b"\x01\x02\x03\x04"))
    assert (ecu.bytes_read, ecu.checked) == (4, 0)
    assert working.read(Address(MAPS), 4) == b"\x01\x02\x03\x04"
    assert ecu.bytes_read == 4
    working.write(Run(Address(MAPS + 8), old[8:408], bytes(400)))
    assert (ecu.bytes_read, ecu.checked) == (4, 400)
    working.write(Run(Address(MAPS), b"\x01\x02", b"\x09\x09"), verify=False)
    assert (ecu.bytes_read, ecu.checked) == (4, 400)


@pytest.mark.parametrize("size", [4, 400])
def test_an_ecu_that_does_not_take_a_value_is_found_out(size):
    ecu, working = made()
    write = ecu.write
    ecu.write = lambda at, data: write(at, data[:-1] + bytes([data[-1] ^ 1]))
    old = bytes(ecu.pages_of[0, 0][:size])
    with pytest.raises(IntegrityError, match="read back at 0x00001000") as caught:
        working.write(Run(Address(MAPS), old, bytes(size)))
    assert caught.value.actual == (bytes(size - 1) + b"\x01").hex()
    assert working.read(Address(MAPS), size) == bytes(size - 1) + b"\x01", "known as it is"


def test_nothing_is_known_of_what_was_refused_or_not_answered():
    ecu, working = made()
    ecu.fail = {0: (refusal(), False), 1: (silence(), True)}
    run = Run(Address(MAPS), working.read(Address(MAPS), 2), b"\x01\x01")
    with pytest.raises(WriteProtectedError):
        working.write(run)
    assert not working.mirror(SEGMENTS[0], 0).knows(0, 2)
    with pytest.raises(ExchangeTimeoutError):
        working.write(run)
    ecu.silent = False
    assert working.read(Address(MAPS), 2) == b"\x01\x01"


def test_segments_are_found_by_place_name_and_number():
    _, working = made()
    assert working.segment_at(Address(MAPS + SIZE - 1)) is SEGMENTS[0]
    assert working.segment_at(Address(MAPS + SIZE - 1), 2) is None
    assert working.segment_at(Address(MAPS, 1)) is None
    assert working.segment("twin") is working.segment(1) is SEGMENTS[1]
    with pytest.raises(NotFoundError, match="segment"):
        working.segment(7)
    first, second = SEGMENTS
    assert (first.working_page, first.reference_page) == (0, 1)
    assert (second.working_page, second.reference_page) == (0, 1)
    bare = CalibSegment(None, "", Address(0), 4)
    assert (bare.working_page, bare.reference_page, bare.label) == (None, None, "memory")
    assert not bare.touches(Address(0, 1), 4)


def test_stretches_that_differ_are_found_and_known():
    ecu, working = made()
    wanted = bytearray(ecu.pages_of[0, 0])
    wanted[3] ^= 1
    wanted[300] ^= 1
    assert working.differing(SEGMENTS[0], 0, bytes(wanted)) == ([(3, 4), (300, 301)], SIZE)
    assert working.differing(SEGMENTS[0], 0, bytes(ecu.pages_of[0, 0])) == ([], 0)
    assert working.differing(SEGMENTS[0], 300, bytes(wanted[300:302])) == ([(300, 301)], 2)
    known = dict(working.remembered())
    assert known == {Address(MAPS): bytes(ecu.pages_of[0, 0])}


def test_after_a_loss_xcp_goes_back_from_the_page_it_looked_at():
    ecu, working = made()
    ecu.pages_of[0, 1][0] = 99
    ecu.fail_switch = {1: silence()}
    with pytest.raises(ExchangeTimeoutError):
        working.content(SEGMENTS[0], 1)
    assert ecu.used[0] == [0, 1]
    ecu.silent = False
    working.distrust()
    assert working.read(Address(MAPS), 1) != bytes([99])
    assert ecu.used[0] == [0, 0]
