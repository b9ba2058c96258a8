"""Concept memories below the protocol: bookkeeping, programming, extension maps, the log."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.check import check
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    MemoryOverflowError,
    NegativeResponseError,
    NotFoundError,
    PlanError,
    SettingsError,
    WriteProtectedError,
)
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.lint import lint
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.eeprom import EepromEmulation, EepromMemory, EepromTimes
from xcaliper.sim.extensions import ExtensionMap
from xcaliper.sim.flash import flash_settings
from xcaliper.sim.gallery import CONCEPT_NAMES, NAMES, build_ecu, meaning
from xcaliper.sim.gallery.concepts import CONCEPTS, ConceptProgram
from xcaliper.sim.granted import CalibrationRam, GrantedMemory, Piece, blocks, structures
from xcaliper.sim.image import build_image
from xcaliper.sim.items import Area, MemoryKind, Segment
from xcaliper.sim.log import EcuLog
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave_config import SlaveConfig

FLASH = Address(0x0801_0000)


def test_pieces_are_granted_together_or_not_at_all():
    ram = CalibrationRam(blocks(100, 32), 70)
    assert [(p.name, p.offset, p.size_bytes) for p in ram.pieces][-1] == ("block 3", 96, 4)
    two = ram.touched(31, 2)
    assert [piece.name for piece in two] == ["block 0", "block 1"]
    assert ram.grant(two)
    assert ram.places == {"block 0": 0, "block 1": 32}
    assert not ram.grant(ram.touched(0, 100))
    assert (ram.used_bytes, ram.free_bytes) == (64, 6)
    assert ram.grant(ram.touched(96, 4))
    ram.release()
    assert (ram.places, ram.free_bytes) == ({}, 70)
    assert ram.touched(32, 0) == []


def test_structures_lie_from_their_first_member_to_their_last():
    image = build_image(CONCEPTS["double-pointer"](ByteOrder.INTEL, 1).declaration)
    assert structures(image, {"x": ("KFA", "cSetA")}) == (Piece("x", 0, 250),)
    with pytest.raises(SettingsError, match="x and y overlap"):
        structures(image, {"x": ("cSetA", "KFA"), "y": ("cGainA",)})


@pytest.mark.parametrize("name", CONCEPT_NAMES)
@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize("ag", [1, 4])
def test_every_concept_has_every_byte_order_and_granularity(name, order, ag):
    settings = SlaveConfig(byte_order=order, ag=ag, max_cto=252, granularity_odt_entry=ag)
    ecu = build_ecu(name, replace(settings, program=flash_settings(ag=ag)))
    ecu.on_time(2_000_000)
    assert not len(ecu.log)
    catalog = Catalog(parse(ecu.a2l), ag=ag)
    bound = catalog.bind("cSetA")
    mark = ">" if order is ByteOrder.MOTOROLA else "<"
    assert ecu.memory.read(bound.address, bound.size_bytes) == struct.pack(f"{mark}H", 1)
    sectors = ecu.flash.sectors  # those of the parameters, behind them the usual ones
    assert [one.number for one in sectors] == list(range(len(sectors)))
    assert [one.name for one in sectors[-4:]] == ["calibration0", "calibration1", "code0", "code1"]
    assert len(sectors) == {"eeprom": 4, "flash-overlay": 6, "pointer-table-in-flash": 6}.get(
        name, 5
    )


def test_an_ecu_without_programming_keeps_its_parameters_for_ever():
    ecu = build_ecu("flash-parameters", SlaveConfig())
    assert ecu.flash is None
    with pytest.raises(WriteProtectedError):
        ecu.memory.write(FLASH, b"\0")


def test_what_has_no_copy_follows_the_flash_and_what_has_one_does_not():
    ecu = build_ecu("dynamic-overlay")
    memory, (sector, *_) = ecu.memory, ecu.flash.sectors
    memory.write(FLASH, b"\x22")
    memory.clear(sector)
    assert memory.read(FLASH, 1) == b"\x22"
    assert (
        memory.read(FLASH + 127, 2)
        == memory.image.regions["Calibration"].initial[127:128] + b"\xff"
    )
    memory.program(FLASH + 128, b"\x44")
    assert memory.read(FLASH + 128, 1) == b"\x44"
    memory.set_page(0, 1, ecu=True, xcp=True)
    assert memory.read(FLASH, 1) == b"\xff"
    assert memory.ecu_bytes("Calibration")[128] == 0x44


def test_copying_another_segment_needs_ram_for_all_of_it():
    concept = CONCEPTS["dynamic-overlay"](ByteOrder.INTEL, 1)
    other = Segment(name="Other", number=1, address=0x0803_0000, size_bytes=0x400)
    image = build_image(
        replace(concept.declaration, segments=(*concept.declaration.segments, other))
    )
    small = concept.memory(image, None, None, None)
    with pytest.raises(MemoryOverflowError):
        small.copy_page((1, 1), (0, 0))
    large = GrantedMemory(image, pieces=lambda _: blocks(0x400, 128), room_bytes=0x400)
    large.copy_page((1, 1), (0, 0))
    assert large.read(FLASH, 0x400) == b"\xff" * 0x400
    assert large.calibration_ram.free_bytes == 0
    large.write(Address(0x0803_0000), b"\1")  # the other segment is granted by nobody
    with pytest.raises(WriteProtectedError):
        large.copy_page((0, 0), (0, 1))


def test_a_worn_out_eeprom_refuses_and_says_so():
    concept = CONCEPTS["eeprom"](ByteOrder.INTEL, 1)
    image = build_image(concept.declaration)
    initial = image.regions["Calibration"].initial
    device = EepromEmulation(initial, sector_bytes=8 + 256 * 12, endurance=0)
    log = EcuLog()
    memory = EepromMemory(image, None, None, log, device=device, times=EepromTimes())
    at = Address(0x0A00_0000)
    for turn in range(256):
        memory.write(at, struct.pack("<H", 1000 + turn))
    assert memory.write_ns(at, b"\7\7") == (1_503_000_000, 0)
    assert memory.write_ns(at, memory.read(at, 2)) == (0, 0)
    assert memory.write_ns(Address(0x1234), b"\7") == (0, 0)
    with pytest.raises(WriteProtectedError):
        memory.write(at, b"\7\7")
    assert [entry.slug for entry in log] == ["eeprom-worn"]
    assert memory.read(at, 2) == struct.pack("<H", 1255)


def test_an_eeprom_survives_the_process_in_the_file_of_the_ecu(tmp_path):
    at = Address(0x0A00_0000)
    build_ecu("eeprom", nvm=tmp_path / "ecu.nvm").memory.write(at, b"\x2a\0")
    ecu = build_ecu("eeprom", nvm=tmp_path / "ecu.nvm")
    assert ecu.memory.read(at, 2) == b"\x2a\0"
    assert ecu.memory.figures()["EepromWrites"] == 1
    build_ecu("flash-parameters", nvm=tmp_path / "other.nvm")  # has none


def test_names_have_meanings_and_others_are_refused():
    assert all(meaning(name) for name in NAMES)
    assert set(CONCEPTS) == set(CONCEPT_NAMES)
    with pytest.raises(NotFoundError, match="flash-overlay"):
        build_ecu("overlay")


# -- extension maps --------------------------------------------------------------------------------


def test_a_map_is_read_from_words():
    assert ExtensionMap.parse("ram=0x10, external-flash=7") == ExtensionMap(
        ram=16, external_flash=7
    )
    for text, words in (
        ("rom=1", "'rom' is none of flash, ram, peripherals, external-flash"),
        ("ram", "'ram' needs a number"),
        ("ram=300", "300 is not from 0 to 255"),
        ("external-flash=0", "0 has memory at the same addresses already"),
    ):
        with pytest.raises(SettingsError, match=words):
            ExtensionMap.parse(text)


def test_quirks_that_move_the_ram_leave_no_room_for_a_map():
    settings = SlaveConfig(quirks=frozenset({Quirk.MIXED_EXTENSIONS, Quirk.BURSTS}))
    with pytest.raises(SettingsError, match="the quirks mixed-extensions have addresses"):
        build_ecu("demo-engine", settings, extensions=ExtensionMap())
    build_ecu(
        "demo-engine", SlaveConfig(quirks=frozenset({Quirk.BURSTS})), extensions=ExtensionMap()
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extensions", [None, ExtensionMap()])
def test_no_description_has_a_finding(name, extensions):
    file = parse(build_ecu(name, extensions=extensions, signals=8).a2l)
    assert check(file) == []
    assert lint(file) == []


def test_the_description_tells_memory_of_every_kind():
    ecu = build_ecu("ram-parameters", extensions=ExtensionMap())
    module = parse(ecu.a2l).project.module[0]
    found = {
        one.name: (one.prg_type, one.memory_type, one.attribute, one.address)
        for one in module.mod_par.memory_segment
    }
    assert found["Calibration"] == ("CALIBRATION_VARIABLES", "RAM", "INTERN", 0x2001_0000)
    assert found["Calibration_INIT"] == ("OFFLINE_DATA", "FLASH", "INTERN", 0x0801_0000)
    assert found["PERIPHERALS"][1:3] == ("REGISTER", "INTERN")
    assert "EXTERNAL_FLASH" not in found  # nobody could tell it from the flash inside
    eeprom = parse(build_ecu("eeprom").a2l).project.module[0]
    (segment,) = [s for s in eeprom.mod_par.memory_segment if s.name == "Calibration"]
    assert segment.memory_type == "EEPROM"


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ({"address": 4}, "area X: address and size must be multiples of 8"),
        ({"extension": 256}, "area X: address extension is outside 0 to 255"),
        ({"address": 0x0801_0008}, "Calibration overlaps region X"),
    ],
)
def test_areas_are_checked_like_everything_else(area, words):
    declaration = CONCEPTS["flash-parameters"](ByteOrder.INTEL, 1).declaration
    made = {"name": "X", "kind": MemoryKind.FLASH, "address": 0x5000_0000, "size_bytes": 8}
    with pytest.raises(PlanError, match=words):
        build_image(replace(declaration, areas=(Area(**(made | area)),)))
    (segment,) = declaration.segments
    with pytest.raises(PlanError, match="address of initial values must be a multiple of 8"):
        replace(declaration, segments=(replace(segment, initial_at=4),))


def test_the_flash_beside_the_image_is_named_when_it_is_missed():
    settings = SlaveConfig(program=flash_settings())
    ecu = build_ecu("demo-engine", settings)
    with pytest.raises(NegativeResponseError):
        ecu.memory.read(Address(0x0810_0000, 5), 4)
    (entry,) = ecu.log
    assert "the flash lies there with extension 0" in entry.text


# -- log -------------------------------------------------------------------------------------------


def test_a_log_counts_repetitions_and_ends():
    log, told = EcuLog(), []
    log.told = told.append
    log.now_ns = 1_500_000_000
    for turn in (1, 1, 2):
        log.turn = turn
        log.add("thing", "it happened.")
    log.add("thing", "something else.")
    assert [str(entry) for entry in log] == [
        "1.500 s thing: it happened. (2 times)",
        "1.500 s thing: something else.",
    ]
    assert len(told) == 2
    for number in range(2000):
        log.add("many", f"number {number}")
    assert len(log) == 1000
    assert log.of("many")[0].text == "number 1000"
    assert log.of("thing") == []


def test_the_program_needs_nothing_of_the_concept():
    concept = CONCEPTS["flash-parameters"](ByteOrder.INTEL, 1)
    ecu = VirtualEcu(concept.declaration, ConceptProgram)
    ecu.on_time(3_000_000)
    ecu.memory.set_page(0, 0, ecu=True, xcp=True)
    assert ecu.memory.figures() == {}
