"""EEPROM emulation: its log by hand, records that power-off cut short, wear."""

from __future__ import annotations

import struct

import pytest

from xcaliper.core.errors import SettingsError
from xcaliper.sim.eeprom import EepromEmulation

INITIAL = bytes(range(24))  # three cells


def crc16(data: bytes) -> int:
    """CRC-16 with polynomial 0x1021 from 0xFFFF, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def header(sequence: int) -> bytes:
    body = struct.pack("<HI", 0x4545, sequence)
    return body + struct.pack("<H", crc16(body))


def record(cell: int, data: bytes) -> bytes:
    body = struct.pack("<H", cell) + data
    return body + struct.pack("<H", crc16(body))


def made(**more: int) -> EepromEmulation:
    return EepromEmulation(INITIAL, **({"sector_bytes": 8 + 6 * 12} | more))


def put(device: EepromEmulation, number: int, content: bytes) -> None:
    sector = device.sectors[number]
    sector[:] = content.ljust(len(sector), b"\xff")


def test_a_write_logs_the_cells_that_change():
    device = made()
    assert device.write(6, b"\xaa\xbb\xcc")  # across the border of cells 0 and 1
    cells = INITIAL[:6] + b"\xaa\xbb", b"\xcc" + INITIAL[9:16]
    content = header(1) + record(0, cells[0]) + record(1, cells[1])
    assert bytes(device.sectors[0]) == content.ljust(80, b"\xff")
    assert device.read() == cells[0] + cells[1] + INITIAL[16:]
    assert device.write(6, b"\xaa\xbb\xcc")  # again: nothing to log
    assert device.writes == 2


def test_the_newest_valid_record_wins_after_power_off():
    device = made()
    torn = record(1, b"torn----")[:-1] + b"\xff"
    content = header(3) + record(1, b"old-----") + record(1, b"new-----") + torn
    put(device, 0, content + record(9, b"nowhere-"))
    device.power_up()
    assert device.read() == INITIAL[:8] + b"new-----" + INITIAL[16:]
    device.write(0, b"behind--")  # the log goes on behind what was cut short
    start = len(content) + 12
    assert bytes(device.sectors[0][start : start + 12]) == record(0, b"behind--")


@pytest.mark.parametrize("number", [0, 1])
def test_the_sector_with_the_higher_number_counts_and_the_other_is_erased(number):
    device = made()
    put(device, number, header(8) + record(0, b"newer---"))
    put(device, 1 - number, header(7) + record(0, b"older---"))
    device.power_up()
    assert device.read() == b"newer---" + INITIAL[8:]
    assert set(device.sectors[1 - number]) == {0xFF}
    assert device.erases[1 - number] == 1


def test_a_swap_without_its_header_did_not_happen():
    device = made()
    put(device, 0, header(1) + record(0, b"before--"))
    put(device, 1, b"\xff" * 8 + record(0, b"half----"))
    device.power_up()
    assert device.read() == b"before--" + INITIAL[8:]
    assert set(device.sectors[1]) == {0xFF}


def test_without_any_header_it_is_as_delivered():
    device = made()
    put(device, 0, b"\x00" * 8 + record(0, b"lost----"))
    device.power_up()
    assert device.read() == INITIAL
    assert bytes(device.sectors[0][:8]) == header(1)
    assert device.erases == [1, 1]


def test_sectors_take_turns_until_they_are_worn_out():
    device = made(endurance=1)
    for turn in range(6):
        assert device.write(0, bytes([100 + turn]))
    assert device.erases == [0, 0]
    assert device.write(16, b"\x01\x02")  # the seventh record: the other sector, newest cells only
    kept = bytes([105]) + INITIAL[1:8]
    assert bytes(device.sectors[1]) == (
        header(2) + record(0, kept) + record(2, b"\x01\x02" + INITIAL[18:])
    ).ljust(80, b"\xff")
    assert device.erases == [1, 0]
    device.power_up()
    assert device.read() == kept + INITIAL[8:16] + b"\x01\x02" + INITIAL[18:]
    for turn in range(8):  # four fill the second sector, four more the first one again
        assert device.write(0, bytes([200 + turn]))
    assert device.erases == [1, 1]
    before = device.read()
    assert not device.write(0, b"\x00")  # no sector can be erased any more
    assert device.read() == before
    assert device.erases == [1, 1]
    assert device.write(0, before[:8])  # what is there already wears nothing


def test_a_sector_needs_room_for_twice_the_cells():
    with pytest.raises(SettingsError, match="79 is too small for twice 3 records"):
        made(sector_bytes=79)


def test_what_it_holds_outlives_the_process():
    device, told = made(), []
    device.changed = lambda: told.append(device.dump())
    for turn in range(7):
        device.write(0, bytes([100 + turn]))
    assert len(told) == 7
    fresh = made()
    assert not fresh.load(told[-1][:-1])
    assert fresh.read() == INITIAL
    assert fresh.load(told[-1])
    assert fresh.read() == device.read()
    assert (fresh.erases, fresh.writes) == ([1, 0], 8)  # seven, and one that changed its sector
