"""Each concept of calibration seen through a master: what a write does, what pages do, what forgets."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from pair.ecu_pair import MS, EcuPair
from xcaliper.a2l.if_xcp import read_segment
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    BusyError,
    MemoryOverflowError,
    WriteProtectedError,
)
from xcaliper.proto.procedure import ask
from xcaliper.sim.extensions import ExtensionMap
from xcaliper.xcp import pag, std
from xcaliper.xcp.procedures import pages, store
from xcaliper.xcp.procedures.program_sequence import program_absolute

FLASH = Address(0x0801_0000)
POINTERS = Address(0x0802_0000)


def bytes_of(pair: EcuPair, name: str) -> tuple[Address, int]:
    """Where a parameter lies, by the master's own reading of the A2L."""
    bound = pair.catalog.bind(name)
    return bound.address, bound.size_bytes


def program(pair: EcuPair, *parts: tuple[Address, bytes]) -> None:
    """Program the flash; the ECU starts anew and the master connects again."""
    pair.run(program_absolute(pair.session, parts))
    pair.pass_ms(1)
    pair.connect()


def with_word(image: bytes, offset: int, word: int) -> bytes:
    """An image with another 16-bit word."""
    changed = bytearray(image)
    changed[offset : offset + 2] = struct.pack("<H", word)
    return bytes(changed)


# -- parameters in flash ---------------------------------------------------------------------------


def test_parameters_in_flash_change_with_the_image_only():
    pair = EcuPair("flash-parameters")
    for name, value in (("cSetA", 2), ("KFA", 7.0)):
        before = pair.get(name)
        with pytest.raises(WriteProtectedError):
            pair.put(name, np.full_like(before.values, value) if name == "KFA" else value)
    assert pair.get("cSetA") == 1
    (segment,) = pair.run(pages.page_info(pair.session))
    assert [page.properties.xcp_write_access for page in segment.pages] == [0]

    image = pair.read_bytes(FLASH, 0x400)
    program(pair, (FLASH, with_word(image, 0, 7)))
    assert pair.get("cSetA") == 7
    assert pair.read_bytes(FLASH, 0x400)[2:] == image[2:]
    pair.pass_ms(2)
    assert pair.used("SetA") == 7
    pair.reboot()
    assert pair.get("cSetA") == 7


# -- EEPROM ---------------------------------------------------------------------------------------


def test_an_eeprom_is_busy_after_a_small_write():
    pair = EcuPair("eeprom", master={"busy_patience_ns": 0})
    pair.put("cSetA", 2)
    with pytest.raises(BusyError):
        pair.put("cSetA", 3)
    pair.pass_ms(3)
    pair.put("cSetA", 3)


def test_a_master_waits_for_an_eeprom_and_reads_meanwhile():
    pair = EcuPair("eeprom")
    pair.put("cSetA", 2)
    assert pair.get("cSetA") == 2  # the mirror is not busy
    pair.forget()
    pair.put("cSetB", 3)
    refusals = [one.hex() for one in pair.to_master.sent if one[0] == 0xFE]
    assert set(refusals) == {"fe10"}
    assert (pair.get("cSetA"), pair.get("cSetB")) == (2, 3)
    pair.reboot()
    assert (pair.get("cSetA"), pair.get("cSetB")) == (2, 3)


def test_a_long_write_to_an_eeprom_says_that_it_is_pending():
    pair = EcuPair("eeprom")
    started = pair.now_ns
    table = pair.get("KFA")
    pair.put("KFA", table.values + 1.0)
    took_ms = (pair.now_ns - started) / MS
    cells = 31  # of 8 bytes, that the 242 bytes from offset 8 to 250 reach into
    assert took_ms >= 3 * cells
    np.testing.assert_allclose(pair.get("KFA").values, table.values + 1.0)
    pair.pass_ms(2)
    assert pair.used("EepromWrites") == cells


def test_a_write_that_power_off_interrupts_has_not_happened():
    pair = EcuPair("eeprom")
    before = pair.get("KFA").values
    address, size = bytes_of(pair, "KFA")
    pair.run(ask(std.SetMta(address=address.value)))
    pair.ecu.receive(b"\xf0\xf0" + bytes(240), pair.now_ns)
    pair.pass_ms(50)
    assert size == 242
    pair.reboot()
    np.testing.assert_array_equal(pair.get("KFA").values, before)
    assert pair.ecu.memory.figures()["EepromWrites"] == 0


def test_sectors_of_an_eeprom_take_turns_and_wear():
    pair = EcuPair("eeprom")
    values = pair.get("KFA").values
    pair.forget()
    longest = 0
    for turn in range(1, 26):
        started = pair.now_ns
        pair.put("KFA", values + float(turn))
        longest = max(longest, pair.now_ns - started)
    pair.pass_ms(2)
    # 340 records fit a sector; a write of 31 is the twelfth that does not: 25 writes fill two logs.
    assert (pair.used("EepromErases0"), pair.used("EepromErases1")) == (1, 1)
    assert longest > 1_500 * MS  # longer than T1: EV_CMD_PENDING kept the master waiting
    pending = [one for one in pair.to_master.sent if one == b"\xfd\x05"]
    assert len(pending) >= 2 * 14
    assert [entry.slug for entry in pair.ecu.log] == ["eeprom-erase", "eeprom-erase"]
    pair.reboot()
    np.testing.assert_allclose(pair.get("KFA").values, values + 25.0)


# -- RAM with initial values in flash ---------------------------------------------------------------


def test_parameters_in_ram_forget_and_find_their_initial_values_again():
    pair = EcuPair("ram-parameters")
    address, size = bytes_of(pair, "KFA")
    assert 0x2001_0000 <= address.value < 0x2001_0400
    (told,) = (
        read_segment(segment.if_data).address_mappings
        for segment in pair.catalog.file.project.module[0].mod_par.memory_segment
        if segment.name == "Calibration"
    )
    asked = tuple(
        pair.run(ask(pag.GetSegmentInfo(mode=2, segment=0, segment_info=item))).value
        for item in range(3)
    )
    assert told == (asked,)
    source, destination, length = asked
    assert (source, destination, length) == (0x0801_0000, 0x2001_0000, 0x400)

    initial = Address(address.value - destination + source)
    pair.put("cSetA", 2)
    pair.put("KFA", pair.get("KFA").values * 2)
    assert pair.read_bytes(initial, size) != pair.read_bytes(address, size)
    with pytest.raises(WriteProtectedError):
        pair.write_bytes(initial, b"\0\0")
    pair.pass_ms(2)
    assert pair.used("SetA") == 2
    pair.reboot()
    assert pair.get("cSetA") == 1
    assert pair.read_bytes(initial, size) == pair.read_bytes(address, size)

    program(pair, (FLASH, with_word(pair.read_bytes(FLASH, 0x400), 0, 9)))
    assert pair.get("cSetA") == 9  # at the RAM address, from the new initial value


# -- flash overlay --------------------------------------------------------------------------------


def test_a_flash_overlay_is_on_or_off_as_a_whole():
    pair = EcuPair("flash-overlay")
    pair.put("cSetA", 2)
    pair.put("cSetC", 2)
    pair.pass_ms(2)
    assert (pair.used("SetA"), pair.used("SetC")) == (2, 2)
    pair.ecu_page(1, segment=1)  # names one segment, switches both
    assert pair.run(pages.get_pages(0)) == (1, 0)
    assert pair.run(pages.get_pages(1)) == (1, 0)
    seen = pair.seen("SetA", "SetC", runs=2)
    assert seen == [(1, 1), (1, 1)]
    assert pair.get("cSetA") == 2  # XCP still looks at the overlay
    mixed = pair.used("MixedRuns")
    for name in ("cSetA", "cSetC"):  # the ECU never sees half of it
        pair.put(name, 5)
        pair.pass_ms(3)
    pair.ecu_page(0)
    assert pair.seen("SetA", "SetC", runs=2) == [(5, 5), (5, 5)]
    assert pair.used("MixedRuns") == mixed
    pair.xcp_page(1)
    assert (pair.get("cSetA"), pair.get("cSetC")) == (1, 1)
    with pytest.raises(WriteProtectedError):
        pair.put("cSetA", 3)
    pair.reboot()
    assert pair.get("cSetA") == 1  # RAM forgets


# -- dynamic overlay ------------------------------------------------------------------------------


def used_blocks(pair: EcuPair) -> tuple[float, float, float]:
    pair.pass_ms(1)
    return tuple(pair.used(name) for name in ("CalRamPieces", "CalRamUsed", "CalRamFree"))


def test_overlay_blocks_are_granted_until_there_are_none_left():
    pair = EcuPair("dynamic-overlay")
    reference = pair.read_bytes(FLASH, 0x400)
    assert used_blocks(pair) == (0, 0, 512)
    pair.put("cSetA", 2)  # offset 0: block 0
    assert used_blocks(pair) == (1, 128, 384)
    pair.put("cGainA", 1.5)  # the same block
    assert used_blocks(pair) == (1, 128, 384)
    pair.put("cSetB", 2)  # offset 250: block 1
    assert used_blocks(pair) == (2, 256, 256)
    pair.put("cSetC", 2)  # offset 430: block 3
    assert used_blocks(pair) == (3, 384, 128)

    # KLC reaches from offset 436 to 550, blocks 3 and 4; the whole set needs one more than there is.
    pair.put("KLC", pair.get("KLC").values + 1.0)
    assert used_blocks(pair) == (4, 512, 0)
    kept = pair.read_bytes(FLASH, 0x400)
    with pytest.raises(MemoryOverflowError, match="no memory left") as caught:
        pair.put("VecB", pair.get("VecB") + 1.0)  # offsets 256 to 430: block 2 as well
    assert caught.value.code_name == "ERR_MEMORY_OVERFLOW"
    assert "copy the reference page" in str(caught.value)
    assert "block 2" in pair.ecu.log.of("calibration-ram-exhausted")[0].text
    assert pair.read_bytes(FLASH, 0x400) == kept  # values so far are kept, nothing of the last one
    pair.put("cSetA", 3)  # a block that is there can be written for ever
    pair.pass_ms(1)
    assert (pair.used("SetA"), pair.used("SetB"), pair.used("SetC")) == (3, 2, 2)

    pair.run(pages.copy_page((0, 1), (0, 0)))  # back to the reference
    assert used_blocks(pair) == (0, 0, 512)
    assert pair.read_bytes(FLASH, 0x400) == reference
    pair.put("VecB", pair.get("VecB") + 1.0)
    assert used_blocks(pair)[0] == 2  # blocks 2 and 3


def test_the_overlay_is_switched_and_its_result_can_be_stored():
    pair = EcuPair("dynamic-overlay")
    pair.put("cSetA", 2)
    pair.put("cSetC", 2)
    pair.ecu_page(1)
    assert pair.seen("SetA", "SetC", runs=1) == [(1, 1)]
    pair.ecu_page(0)
    assert pair.seen("SetA", "SetC", runs=1) == [(2, 2)]
    pair.run(pages.set_frozen(0, on=True))
    pair.run(store.store_cal())
    pair.pass_ms(50)
    pair.reboot()
    pair.xcp_page(1)
    assert (pair.get("cSetA"), pair.get("cSetC")) == (2, 2)  # in the flash itself
    assert used_blocks(pair) == (0, 0, 512)

    image = pair.read_bytes(FLASH, 0x400)
    program(pair, (FLASH, with_word(image, 0, 9)))  # what is programmed later counts
    pair.reboot()
    assert (pair.get("cSetA"), pair.get("cSetC")) == (9, 2)


# -- pointers in RAM ------------------------------------------------------------------------------

POINTER_ECUS = ("autosar-single-pointer", "double-pointer")


@pytest.mark.parametrize("name", POINTER_ECUS)
def test_400_bytes_hold_structures_a_and_c_but_not_a_and_b(name):
    pair = EcuPair(name)
    sizes = {piece.name: piece.size_bytes for piece in pair.ecu.memory.calibration_ram.pieces}
    assert sizes == {"A": 250, "B": 180, "C": 120, "D": 100}
    pair.put("cGainA", 2.0)  # one parameter: the whole structure is copied
    assert used_blocks(pair) == (1, 250, 150)
    with pytest.raises(MemoryOverflowError):
        pair.put("cSetB", 2)
    assert pair.get("cSetB") == 1
    text = pair.ecu.log.of("calibration-ram-exhausted")[0].text
    assert text == (
        "B of Calibration (180 bytes) does not fit the calibration RAM: 150 of 400 bytes are left."
    )
    pair.put("cSetC", 2)
    assert used_blocks(pair) == (2, 370, 30)
    with pytest.raises(MemoryOverflowError):
        pair.put("cSetD", 2)  # 100 bytes do not fit 30
    assert pair.get("cGainA") == 2.0
    with pytest.raises(WriteProtectedError):
        pair.write_bytes(FLASH + 700, b"\0")  # belongs to no structure
    pair.run(pages.copy_page((0, 1), (0, 0)))
    pair.put("cSetB", 2)
    pair.put("cSetD", 2)
    pair.put("cSetC", 2)
    assert used_blocks(pair) == (3, 400, 0)  # B, D and C fit to the byte


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("autosar-single-pointer", [(1, 1), (2, 1), (2, 2), (2, 2)]),
        ("double-pointer", [(1, 1), (2, 2), (2, 2), (2, 2)]),
    ],
)
def test_switching_one_pointer_is_instant_and_many_are_not(name, expected):
    pair = EcuPair(name)
    pair.ecu_page(1)
    pair.put("cSetA", 2)  # on the page that the ECU does not use
    pair.put("cSetC", 2)
    assert pair.seen("SetA", "SetC", runs=1) == expected[:1]
    pair.ecu_page(0)
    assert pair.seen("SetA", "SetC", runs=3) == expected[1:]
    assert pair.used("MixedRuns") == sum(one != other for one, other in expected)
    pair.ecu_page(1)
    back = pair.seen("SetA", "SetC", runs=2)
    assert back[-1] == (1, 1)
    assert back[0] == ((1, 2) if name == POINTER_ECUS[0] else (1, 1))


def test_a_first_write_on_the_page_in_use_bends_the_pointer_at_once():
    pair = EcuPair("autosar-single-pointer")
    pair.put("cSetA", 2)
    assert pair.seen("SetA", "PointersInRam", runs=1) == [(2, 1)]
    pair.reboot()
    assert pair.get("cSetA") == 1
    assert pair.seen("SetA", "PointersInRam", runs=1) == [(1, 0)]


# -- pointers in flash ----------------------------------------------------------------------------


def pointers(pair: EcuPair) -> list[int]:
    return [int(value) for value in pair.get("PointerTable")]


def test_only_what_the_table_in_flash_leads_to_ram_can_be_written():
    pair = EcuPair("pointer-table-in-flash")
    assert pointers(pair) == [0x2002_0000, 0x0801_00FA, 0x2002_00FC, 0x0801_0226]
    pair.put("cSetA", 2)
    pair.put("cSetC", 2)
    for name in ("cSetB", "cSetD", "PointerTable"):
        with pytest.raises(WriteProtectedError):
            pair.put(name, 2 if name != "PointerTable" else pair.get(name) + 4)
    with pytest.raises(WriteProtectedError):  # from A into B: all or nothing
        pair.write_bytes(FLASH + 248, b"\1\2\3\4")
    assert pair.seen("SetA", "SetB", "SetC", "PointersInRam", runs=1) == [(2, 1, 2, 2)]

    # A tool that knows the table finds the copy at its own address.
    (method,) = pair.catalog.file.project.module[0].mod_par.calibration_method
    assert method.method == "InCircuit2"
    assert method.calibration_handle[0].handle == [0x0802_0000, 16, 4, 0x0801_0000, 0x400]
    assert pair.read_bytes(Address(0x2002_00FC), 2) == b"\2\0"
    pair.write_bytes(Address(0x2002_00FC), b"\3\0")
    assert pair.get("cSetC") == 3
    with pytest.raises(AccessDeniedError):
        pair.read_bytes(Address(0x2002_00FA), 4)  # across the end of A


def test_another_table_needs_programming():
    pair = EcuPair("pointer-table-in-flash")
    table = (0x0801_0000, 0x2002_0000, 0x0801_01AE, 0x0801_0226)  # B alone
    program(pair, (POINTERS, struct.pack("<4I", *table)))
    assert pointers(pair) == list(table)
    pair.put("cSetB", 2)
    with pytest.raises(WriteProtectedError):
        pair.put("cSetA", 2)
    assert pair.seen("SetA", "SetB", "PointersInRam", runs=1) == [(1, 2, 1)]


def test_pointers_that_lead_nowhere_leave_their_structure_in_flash():
    pair = EcuPair("pointer-table-in-flash")
    # A at the end of the RAM does not fit, B is erased flash, C and D share bytes.
    table = (0x2002_0100, 0xFFFF_FFFF, 0x2002_0000, 0x2002_0077)
    program(pair, (POINTERS, struct.pack("<4I", *table)))
    told = [entry.text.split()[3] for entry in pair.ecu.log.of("bad-pointer")]
    assert told == ["A", "B", "D"]
    pair.put("cSetC", 2)
    assert pair.seen("SetA", "SetB", "SetC", "SetD", runs=1) == [(1, 1, 2, 1)]


# -- address extensions ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flash-overlay", "ram-parameters", "pointer-table-in-flash"])
def test_objects_are_found_under_their_extensions(name):
    pair = EcuPair(name, extensions=ExtensionMap(flash=4, ram=5))
    pair.put("cSetA", 2)
    pair.pass_ms(2)
    assert pair.used("SetA") == 2
    address, size = bytes_of(pair, "SetA")
    assert address.extension == 5
    assert pair.read_bytes(address, size) == b"\2\0\0\0"
    assert bytes_of(pair, "cSetA")[0].extension == (5 if name == "ram-parameters" else 4)
    assert not len(pair.ecu.log)


def test_a_wrong_extension_is_an_error_in_the_log():
    pair = EcuPair("flash-overlay", extensions=ExtensionMap())
    address, _ = bytes_of(pair, "cSetA")
    # External flash answers at the same address, and nobody says that it is another memory.
    assert pair.read_bytes(Address(address.value, 3), 2) == b"\xe7\xe7"
    with pytest.raises(WriteProtectedError):
        pair.write_bytes(Address(address.value, 3), b"\0\0")
    signal, _ = bytes_of(pair, "SetA")
    for _ in range(2):
        with pytest.raises(AccessDeniedError):
            pair.read_bytes(Address(signal.value, 0), 4)
    pair.write_bytes(Address(0x4000_0010, 2), b"\5")  # a register, rightly
    assert pair.read_bytes(Address(0x4000_0010, 2), 1) == b"\5"
    with pytest.raises(AccessDeniedError):
        pair.read_bytes(Address(0x5000_0000, 0), 4)  # nothing lies there under any extension
    entries = pair.ecu.log.of("wrong-extension")
    words = " with address extension {}; {} lies there with extension {}."
    assert [(entry.count, entry.text) for entry in entries] == [
        (2, "2 bytes at 0x08010000 were asked for" + words.format(3, "Control", 0)),
        (2, f"4 bytes at 0x{signal.value:08X} were asked for" + words.format(0, "RAM", 1)),
    ]


def test_a_checksum_over_the_segment_tells_pages_apart():
    pair = EcuPair("dynamic-overlay")

    def checksum() -> int:
        pair.run(ask(std.SetMta(address=FLASH.value)))
        return pair.run(ask(std.BuildChecksum(block_size=0x400))).checksum

    reference = checksum()
    pair.put("cSetA", 2)
    assert checksum() != reference
    pair.xcp_page(1)
    assert checksum() == reference
