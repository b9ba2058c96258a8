"""Flash cells: erased as a whole, written once, kept over restarts; programmed in a virtual ECU."""

from __future__ import annotations

import zlib

import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import AccessDeniedError, NegativeResponseError, WriteProtectedError
from xcaliper.sim.flash import Flash, flash_settings
from xcaliper.sim.gallery import build_ecu
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_program import SectorConfig

SECTORS = (
    SectorConfig(0, "a", Address(0x100), 16, area=1),
    SectorConfig(1, "b", Address(0x110), 16, area=2),
    SectorConfig(2, "other", Address(0x100, 1), 16, area=4),
)


def cells(flash: Flash, number: int) -> bytes:
    return bytes({s.number: c for s, c in flash.runs()}[number])


def test_cells_are_written_once() -> None:
    flash = Flash(SECTORS, initial={0: b"old"})
    assert cells(flash, 0) == b"old".ljust(16, b"\xff")
    with pytest.raises(AccessDeniedError, match="cleared"):
        flash.program(Address(0x100), b"new")
    flash.program(Address(0x100), b"old!")  # the same again, and one erased cell
    assert cells(flash, 0)[:5] == b"old!\xff"
    flash.clear(SECTORS[0])
    flash.program(Address(0x10E), b"1234")  # across the border of two sectors
    assert cells(flash, 0)[-3:] + cells(flash, 1)[:3] == b"\xff1234\xff"
    assert cells(flash, 2) == b"\xff" * 16
    flash.program(Address(0x100, 1), b"x")
    assert cells(flash, 2)[:2] == b"x\xff"


def test_nothing_is_written_where_part_of_it_cannot_be() -> None:
    flash = Flash(SECTORS)
    for start in (0x11E, 0x200):
        with pytest.raises(AccessDeniedError, match="no flash"):
            flash.program(Address(start), b"1234")
    flash.program(Address(0x111), b"z")
    with pytest.raises(AccessDeniedError):
        flash.program(Address(0x10F), b"abc")
    assert cells(flash, 0) == b"\xff" * 16
    assert flash.unfinished == {1}


def test_what_is_incomplete_is_known() -> None:
    flash = Flash(SECTORS)
    assert flash.verify(0, 0, 0)
    flash.clear(SECTORS[1])
    assert not flash.verify(0, 0, 0)
    flash.program(Address(0x110), b"1")
    flash.end_segment()
    assert flash.verify(0, 0, 0)
    assert flash.verify(1, 2, zlib.crc32(cells(flash, 1)))
    assert flash.verify(1, 3, zlib.crc32(cells(flash, 0) + cells(flash, 1)))
    whole = zlib.crc32(b"".join(cells(flash, n) for n in range(3)))
    assert flash.verify(1, 4, whole)
    assert not flash.verify(1, 4, whole ^ 1)


def exchange(ecu, *packets: str) -> list[str]:
    found = []
    for packet in packets:
        ecu.receive(bytes.fromhex(packet), 0)
        found += [p.hex() for p in ecu.outgoing()]
    return found


def test_a_virtual_ecu_keeps_its_flash_and_starts_anew() -> None:
    settings = SlaveConfig(program=flash_settings())
    ecu = build_ecu("demo-engine", settings)
    assert "/begin PGM" in ecu.a2l
    assert "OPTIONAL_CMD PROGRAM_START" in ecu.a2l
    assert '"calibration0" 0 0x8100000' in ecu.a2l or '"calibration0" 0 135266304' in ecu.a2l
    answers = exchange(ecu, "ff00", "d2", "f600000000001008", "d100000000400000", "d00401020304")
    assert [one[:2] for one in answers] == ["ff"] * 5
    slave = ecu.slave
    assert exchange(ecu, "d000", "cf") == ["ff", "ff"]
    ecu.on_time(1_000_000)
    assert ecu.slave is not slave
    assert not ecu.slave.connected
    assert ecu.memory.read(Address(0x0810_0000), 5) == b"\x01\x02\x03\x04\xff"
    assert bytes(ecu.memory.view(Address(0x0810_0000), 2)) == b"\x01\x02"
    with pytest.raises(WriteProtectedError):
        ecu.memory.write(Address(0x0810_0000), b"1")
    assert ecu.memory.verify(0, 0, 0)


def test_slow_flash_wakes_the_ecu() -> None:
    ecu = build_ecu("demo-engine", SlaveConfig(program=flash_settings(clear_ns=3)))
    exchange(ecu, "ff00", "d2", "f600000000001008", "d100000000400000")
    assert ecu.due() <= 3
    ecu.on_time(3)
    assert [p.hex() for p in ecu.outgoing()] == ["ff"]


def test_an_ecu_without_flash() -> None:
    ecu = build_ecu("demo-engine")
    assert "/begin PGM" not in ecu.a2l
    assert "OPTIONAL_CMD PROGRAM_START" not in ecu.a2l
    assert ecu.flash is None
    for act in (
        lambda: ecu.memory.clear(SECTORS[0]),
        lambda: ecu.memory.program(Address(0), b"1"),
        ecu.memory.end_segment,
        lambda: ecu.memory.verify(0, 0, 0),
    ):
        with pytest.raises(NegativeResponseError, match="ERR_ACCESS_DENIED"):
            act()


def test_a_strange_slave_programs_as_well() -> None:
    quirks = frozenset({Quirk.PADDED_ANSWERS})
    ecu = build_ecu("demo-engine", SlaveConfig(program=flash_settings(), quirks=quirks))
    answers = exchange(ecu, "ff00", "d2", "f600000000001008", "d100000000400000", "d00401020304")
    assert [one[:2] for one in answers] == ["ff"] * 5
    assert [one[:2] for one in exchange(ecu, "d000", "c800000000000000")] == ["ff", "ff"]
    assert ecu.memory.read(Address(0x0810_0000), 4) == b"\x01\x02\x03\x04"
