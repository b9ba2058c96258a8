"""Calibration of an image: the same names as with the ECU, saved without touching anything else."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xcaliper
from meta.tree import ROOT
from xcaliper.calib.paramset import ParameterSet
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import (
    GapError,
    ImageError,
    IntegrityError,
    LimitError,
    NotFoundError,
    PlanError,
    UsageError,
)
from xcaliper.image.checksum import ChecksumRegion
from xcaliper.image.files import read_image, write_image
from xcaliper.image.memory_image import MemoryImage
from xcaliper.sim.gallery import build_ecu

CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT.parent / "shared" / "data"))

#: Flash of a small ECU: EPK, initial values of parameters that live in RAM, a checksum over both.
A2L = """ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M ""
/begin MOD_COMMON "" BYTE_ORDER MSB_FIRST /end MOD_COMMON
/begin MOD_PAR "" ADDR_EPK 0x8000 EPK "PUMP-7"
  /begin MEMORY_SEGMENT Ram "" DATA RAM INTERN 0x1000 0x40 -1 -1 -1 -1 -1
    /begin IF_DATA XCP /begin SEGMENT 0 1 0 0 0
      /begin PAGE 0 ECU_ACCESS_DONT_CARE XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_DONT_CARE
        INIT_SEGMENT 1 /end PAGE
    /end SEGMENT /end IF_DATA
  /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Flash "" DATA FLASH INTERN 0x8010 0x40 -1 -1 -1 -1 -1
    /begin IF_DATA XCP /begin SEGMENT 1 1 0 0 0 /end SEGMENT /end IF_DATA
  /end MEMORY_SEGMENT
/end MOD_PAR
/begin RECORD_LAYOUT W FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT B FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A NO_AXIS_PTS_X 1 UWORD AXIS_PTS_X 2 UWORD INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD RPM "" LINEAR "%6.2" "rpm" COEFFS_LINEAR 0.25 0 /end COMPU_METHOD
/begin CHARACTERISTIC Speed "target" VALUE 0x1000 W 0 RPM 0 8000 /end CHARACTERISTIC
/begin CHARACTERISTIC Twice "" VALUE 0x1002 W 0 RPM 0 16000
  /begin DEPENDENT_CHARACTERISTIC "2 * X1" Speed /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC Half "" VALUE 0 W 0 RPM 0 16000
  /begin VIRTUAL_CHARACTERISTIC "X1 / 2" Speed /end VIRTUAL_CHARACTERISTIC /end CHARACTERISTIC
/begin AXIS_PTS Axis "" 0x1004 NO_INPUT_QUANTITY A 0 RPM 3 0 8000 MONOTONY STRICT_INCREASE /end AXIS_PTS
/begin CHARACTERISTIC Map "" MAP 0x1010 B 0 NO_COMPU_METHOD 0 200
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY RPM 3 0 8000 AXIS_PTS_REF Axis /end AXIS_DESCR
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 10 FIX_AXIS_PAR_DIST 0 5 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC Label "" ASCII 0x1018 B 0 NO_COMPU_METHOD 0 255 NUMBER 8 /end CHARACTERISTIC
/begin CHARACTERISTIC Select "" VALUE 0x1020 B 0 NO_COMPU_METHOD 0 1 /end CHARACTERISTIC
/begin CHARACTERISTIC Coded "" VALUE 0x1021 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC Fixed "" VALUE 0x8050 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC Wrong "" VALUE 0x8002 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC Beyond "" VAL_BLK 0x103E B 0 NO_COMPU_METHOD 0 255 MATRIX_DIM 4 /end CHARACTERISTIC
/begin CHARACTERISTIC Nowhere "" VALUE 0x20000 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin VARIANT_CODING VAR_SEPARATOR "."
  /begin VAR_CRITERION Engine "" Small Large VAR_SELECTION_CHARACTERISTIC Select /end VAR_CRITERION
  /begin VAR_CHARACTERISTIC Coded Engine /begin VAR_ADDRESS 0x1021 0x1022 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING
/end MODULE /end PROJECT
"""

CRC = ChecksumRegion("flash", (AddressRange(Address(0x8000), 0x60),), "XCP_CRC_32", Address(0x8060))


def flash(epk=b"PUMP-7"):
    """By hand: the bytes that A2L describes."""
    data = bytearray(b"\xff" * 0x64)
    data[: len(epk)] = epk
    ram = struct.pack(">HHH3H", 4000, 8000, 3, 400, 800, 1600) + b"\xaa" * 4
    ram += bytes([1, 2, 3, 11, 12, 13]) + b"\xaa" * 2 + b"pump\0\0\0\0" + bytes([1, 5, 6])
    data[0x10 : 0x10 + len(ram)] = ram
    data[0x50] = 77
    data[0x60:] = zlib.crc32(bytes(data[:0x60])).to_bytes(4, "little")
    return bytes(data)


def hex_of(data, start=0x8000):
    """Intel HEX by hand, 16 bytes a line."""
    lines = []
    for at in range(0, len(data), 16):
        body = data[at : at + 16]
        raw = bytes([len(body)]) + (start + at).to_bytes(2, "big") + b"\0" + body
        lines.append(f":{raw.hex().upper()}{-sum(raw) & 0xFF:02X}")
    return "\n".join([*lines, ":00000001FF", ""]).encode()


@pytest.fixture
def files(tmp_path):
    (tmp_path / "pump.a2l").write_text(A2L, "utf-8")
    (tmp_path / "pump.hex").write_bytes(hex_of(flash()))
    return tmp_path


@pytest.fixture
def pump(files):
    return xcaliper.open_image(files / "pump.a2l", files / "pump.hex", checksums=[CRC])


def test_values_are_found_in_flash(pump):
    assert pump.read("Speed") == 1000
    assert pump.read(["Half", "T*", "Label", "Fixed"]) == {
        "Half": 500,
        "Twice": 2000,
        "Label": "pump",
        "Fixed": 77,
    }
    table = pump.read("Map")
    assert table.values.tolist() == [[1, 2, 3], [11, 12, 13]]
    assert [axis.points.tolist() for axis in table.axes] == [[100, 200, 400], [0, 5]]
    assert pump.read("Speed", raw=True) == 4000
    assert pump.names("*a*", kind="axis") == []
    assert pump.names("A*", kind="axis") == ["Axis"]
    facts = pump.describe("Speed")
    assert (facts["address"], facts["unit"], facts["text"]) == (0x1000, "rpm", "target")
    assert (pump.epk.text, pump.diagnostics) == ("PUMP-7", ())
    assert repr(pump) == "<OfflineImage pump.hex, 100 bytes, A2L: pump.a2l>"


def test_writes_are_checked_and_followed(pump):
    done = pump.write("Speed", 1500, reason="colder")
    assert [(one.name, one.after) for one in done.dependents] == [("Twice", 3000)]
    assert pump.read(["Speed", "Twice", "Half"]) == {"Speed": 1500, "Twice": 3000, "Half": 750}
    assert pump.image.read(Address(0x8010), 4) == struct.pack(">HH", 6000, 12000)
    pump.write("Map", 99, at=(1, 2))
    pump.write("Axis", [100, 300, 500])
    assert pump.read("Map").axes[0].points.tolist() == [100, 300, 500]
    pump.write("Label", "oil")
    assert pump.changed() == ("Speed", "Twice", "Axis", "Map", "Label")
    for name, value, error in (
        ("Speed", 9000, LimitError),
        ("Axis", [100, 100, 500], UsageError),
        ("Map", [1, 2], UsageError),
        ("Half", 1, UsageError),
        ("Sped", 1, NotFoundError),
    ):
        before = pump.image.copy()
        with pytest.raises(error, match=name):
            pump.write(name, value)
        assert pump.image == before
    with pytest.raises(NotFoundError, match="Did you mean Speed"):
        pump.read("Sped")


def test_undo_redo_and_history(pump):
    first = pump.image.copy()
    pump.write("Speed", 1500, reason="colder")
    second = pump.image.copy()
    with pump.group("warm up"):
        pump.write("Map", 50, at=(0, 0))
        assert pump.read("Map").values[0, 0] == 50  # as it will be
        assert pump.image == second
        pump.write("Fixed", 1)
    assert pump.read("Fixed") == 1
    assert [one.reason for one in pump.history] == ["colder", "warm up"]
    assert pump.history[1].names == ("Speed", "Twice")
    pump.undo()
    assert pump.image == second
    pump.undo()
    assert pump.image == first
    assert not pump.is_changed
    with pytest.raises(UsageError, match="nothing to take back"):
        pump.undo()
    pump.redo()
    assert pump.image == second
    with pytest.raises(LimitError), pump.group("half"):  # noqa: PT012  # the second one is refused
        pump.write("Fixed", 2)
        pump.write("Speed", 9000)
    assert pump.image == second  # all or nothing


def test_variants(pump):
    assert pump.variants() == {"Engine": "Large"}
    assert pump.read("Coded") == 6
    pump.write("Select", 0)
    assert pump.read("Coded") == 5
    pump.choose_variant("Engine", "Large")
    pump.write("Coded", 66)
    assert pump.image.read(Address(0x8031), 2) == bytes([5, 66])
    pump.choose_variant("Engine", None)
    assert (pump.read("Coded"), pump.read("Coded.1")) == (5, 66)


def test_what_the_image_lacks_is_named(pump):
    with pytest.raises(GapError, match="Nowhere at 0x00020000, 1 byte: the image holds none") as no:
        pump.read("Nowhere")
    assert (no.value.name, no.value.address) == ("Nowhere", Address(0x20000))
    with pytest.raises(GapError, match="Nowhere at"):
        pump.write("Nowhere", 1)
    with pytest.raises(GapError, match="Beyond at 0x0000103E, 4 bytes: the image lacks 2 bytes"):
        pump.read(["Speed", "Beyond"])
    with pytest.raises(GapError, match="memory at"):
        pump.read_memory(0x803F, 100)
    notes = []
    made = pump.calib.snapshot(on_problem=notes.append)
    assert {"Beyond", "Nowhere", "Half"} == {one.subject for one in notes}  # one is computed
    assert {one.name for one in made} >= {"Speed", "Twice", "Map", "Axis", "Label", "Coded"}
    assert (made.origin.image, made.origin.epk) == ("pump.hex", "PUMP-7")


def test_a_second_mapping_by_the_user(files):
    data = (files / "pump.hex").read_bytes()
    (files / "moved.a2l").write_text(A2L.replace("INIT_SEGMENT 1", ""), "utf-8")
    with pytest.raises(GapError, match="give the offset"):
        xcaliper.open_image(files / "moved.a2l", files / "pump.hex").read("Speed")
    for offset in (0x7010, {"Ram": 0x7010}):
        moved = xcaliper.open_image(files / "moved.a2l", files / "pump.hex", offset=offset)
        assert (moved.read("Speed"), moved.read("Fixed")) == (1000, 77)
    assert (files / "pump.hex").read_bytes() == data


def test_the_epk_is_checked_first_and_kept(files, pump):
    with pytest.raises(UsageError, match="Wrong: the EPK lies at 0x00008000, and is kept"):
        pump.write("Wrong", 1)
    with pytest.raises(UsageError, match="is kept"):
        pump.write_memory(0x8000, b"X")
    assert pump.image.read(Address(0x8000), 6) == b"PUMP-7"
    (files / "other.hex").write_bytes(hex_of(flash(b"PUMP-8")))
    other = xcaliper.open_image(files / "pump.a2l", files / "other.hex")
    assert [one.slug for one in other.diagnostics] == ["epk-mismatch"]
    assert other.read("Speed") == 1000
    for act in (
        lambda: other.write("Speed", 1),
        lambda: other.write_memory(0x8011, b"!"),
    ):
        with pytest.raises(IntegrityError, match="EPK: expected 'PUMP-7', found 'PUMP-8'"):
            act()
    assert not other.is_changed
    other.confirm()
    other.write("Speed", 1)
    assert other.read("Speed") == 1
    (files / "part.hex").write_bytes(hex_of(flash()[0x10:], 0x8010))
    part = xcaliper.open_image(files / "pump.a2l", files / "part.hex")
    assert [one.slug for one in part.diagnostics] == ["epk-missing"]
    part.write("Speed", 1)


def test_saving_changes_what_has_changed(files, pump):
    original = (files / "pump.hex").read_bytes()
    pump.write("Fixed", 78)
    with pytest.raises(UsageError, match=r"pump\.hex: the file exists"):
        pump.save()
    (states,) = (pump.checksums(),)
    assert [one.is_right for one in states] == [False]
    saved = pump.save(files / "new.hex")
    assert not pump.is_changed
    assert (files / "pump.hex").read_bytes() == original
    wanted = bytearray(flash())
    wanted[0x50] = 78
    wanted[0x60:] = zlib.crc32(bytes(wanted[:0x60])).to_bytes(4, "little")
    assert (files / "new.hex").read_bytes() == hex_of(bytes(wanted))
    assert (saved.path, saved.size_bytes) == (files / "new.hex", len(original))
    assert [one.is_right for one in saved.checksums] == [False]
    assert [one.is_right for one in pump.checksums()] == [True]
    old, new = original.splitlines(), (files / "new.hex").read_bytes().splitlines()
    assert [n for n, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] == [5, 6]
    again = xcaliper.open_image(files / "pump.a2l", files / "new.hex", checksums=[CRC])
    assert again.read("Fixed") == 78
    found = pump.diff(xcaliper.open_image(files / "pump.a2l", files / "pump.hex"))
    assert found.names == ("Fixed",)
    assert sum(one.size_bytes for one in found.unnamed) == 4  # the checksum
    pump.save(overwrite=True)
    assert (files / "pump.hex").read_bytes() == hex_of(bytes(wanted))
    pump.save(files / "new.bin", format="binary")
    assert (files / "new.bin").read_bytes() == bytes(wanted)
    binary = xcaliper.open_image(files / "pump.a2l", files / "new.bin", address=0x8000)
    assert binary.read("Fixed") == 78


def test_a_set_is_applied_whole_or_not_at_all(files, pump):
    before = pump.image.copy()
    made = pump.calib.snapshot(["Speed", "Axis", "Map", "Label"])
    pump.write("Speed", 1500)
    pump.write("Axis", [100, 300, 500])
    pump.write("Map", 99, at=(1, 2))
    assert {one.name for one in pump.calib.plan_set(made).changed} >= {
        "Speed",
        "Axis",
        "Map",
        "Twice",
    }
    plan = pump.calib.apply(made, reason="back to the file").plan
    assert plan.is_complete
    assert pump.image == before
    assert (pump.history[4].reason, str(pump.history[4].kind)) == ("back to the file", "apply")
    pump.undo()
    assert pump.read("Speed") == 1500
    fast = [replace(one, values=9000.0) for one in made if one.name == "Speed"]
    slow = [one for one in made if one.name != "Speed"]
    held = pump.image.copy()
    with pytest.raises(PlanError, match="Speed") as refused:
        pump.calib.apply(ParameterSet([*fast, *slow], name="fast"))
    assert len(refused.value.problems) == 1
    assert pump.image == held
    assert not pump.calib.apply(ParameterSet([*fast, *slow]), partial=True).plan.is_complete
    assert (pump.read("Speed"), pump.read("Map").values[1, 2]) == (1500, 13)
    (files / "other.hex").write_bytes(hex_of(flash(b"PUMP-8")))
    other = xcaliper.open_image(files / "pump.a2l", files / "other.hex")
    with pytest.raises(IntegrityError, match="EPK"):
        other.calib.apply(pump.calib.snapshot(["Speed"]))
    other.confirm()
    (note,) = other.calib.apply(pump.calib.snapshot(["Speed"])).plan.diagnostics
    assert note.slug == "set-of-other-program"
    assert "'PUMP-7' (EPK), this is 'PUMP-8'" in note.text
    assert other.read("Speed") == 1500
    assert pump.calib.plan_set(made).diagnostics == ()


def test_an_exported_set_does_not_count_as_saving_the_image(files, pump):
    pump.write("Speed", 1500)
    names = ["Speed", "Axis", "Map", "Label"]
    kept = pump.calib.export(files / "some.json", names)
    assert kept.origin.image == "pump.hex"
    pump.calib.export(files / "all.json")
    assert pump.is_changed
    assert pump.calib.dirty().names == ("Speed", "Twice")
    pump.undo()
    pump.calib.apply(xcaliper.load_set(files / "some.json").values)
    assert pump.read("Speed") == 1500


def test_differences_to_sets_and_to_other_descriptions(files, pump):
    made = pump.calib.snapshot()
    assert not pump.diff(made)
    pump.write("Speed", 1500)
    assert pump.diff(made).names == ("Speed", "Twice")
    assert pump.diff(made, absolute=600).names == ("Twice",)
    few = ParameterSet(one for one in made if one.name in ("Fixed", "Speed"))
    assert pump.diff(few).names == ("Speed",)
    renamed = A2L.replace("Speed", "Rotation").replace("0x8050", "0x8051")
    (files / "renamed.a2l").write_text(renamed, "utf-8")
    found = pump.diff(xcaliper.open_image(files / "renamed.a2l", files / "pump.hex"))
    assert found.names == ("Twice", "Fixed", "Speed", "Rotation")
    assert found.parameters.left_only == (("Speed", ()),)
    same = pump.diff(xcaliper.open_image(files / "pump.a2l", files / "pump.hex"))
    assert same.names == ("Speed", "Twice")


def test_the_epk_of_a_description_that_does_not_say_where(files):
    (files / "where.a2l").write_text(A2L.replace("ADDR_EPK 0x8000", ""), "utf-8")
    image = xcaliper.open_image(files / "where.a2l", files / "pump.hex")
    assert (image.epk.is_searched, image.diagnostics) == (True, ())
    image.write("Wrong", 1)  # found by a search, it may be anything
    image.save(files / "new.hex")


def test_one_image_for_each_page(files):
    (files / "ram.hex").write_bytes(hex_of(flash()[0x10:0x50], 0x1000))
    pages = {1: files / "pump.hex", 0: files / "ram.hex"}
    reference = xcaliper.open_image(files / "pump.a2l", pages)
    working = reference.on_page(0)
    assert (reference.number, working.number, reference.pages) == (1, 0, (1, 0))
    assert working.read("Speed") == 1000
    working.write("Speed", 1200)
    assert (working.read("Speed"), reference.read("Speed")) == (1200, 1000)
    assert working.calib.dirty("file").names == ("Speed", "Twice")
    assert (working.calib.dirty("file").bytes_changed, working.calib.dirty("file").unnamed) == (
        4,
        (),
    )
    with pytest.raises(UsageError, match="neither 'reference' nor 'file'"):
        working.calib.dirty("something")
    reference.copy_page((0, 0), (0, 1))
    assert reference.read("Speed") == 1200
    assert reference.history[1].names == ("Speed", "Twice")
    reference.undo()
    reference.copy_page((1, 1), (0, 0))  # the flash segment has what the RAM segment starts with
    assert working.read("Speed") == 1000
    with pytest.raises(NotFoundError, match="2: no such page"):
        reference.on_page(2)
    with pytest.raises(NotFoundError, match="5: no such segment"):
        reference.copy_page((5, 0), (0, 1))
    with pytest.raises(GapError):
        reference.copy_page((1, 0), (0, 1))
    with pytest.raises(UsageError, match="no file is given"):
        xcaliper.open_image(files / "pump.a2l", {})


def test_marks_against_another_page(files):
    (files / "b.hex").write_bytes(hex_of(flash()[:0x50] + b"\1" + flash()[0x51:]))
    one = xcaliper.open_image(files / "pump.a2l", {0: files / "pump.hex", 1: files / "b.hex"})
    assert not one.calib.dirty("file")
    assert (
        one.calib.dirty("reference").names
        == one.calib.dirty("reference", page=1).names
        == ("Fixed",)
    )
    alone = xcaliper.open_image(files / "pump.a2l", files / "b.hex")
    for page in (None, 1):
        with pytest.raises(UsageError, match="no image of another page"):
            alone.calib.dirty("reference", page=page)


def test_a_file_that_cannot_be_written_leaves_everything(files, pump, monkeypatch):
    original = (files / "pump.hex").read_bytes()
    pump.write("Fixed", 1)
    with pytest.raises(ImageError, match="cannot be written"):
        pump.save(files / "no folder" / "x.hex")

    def broken(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(ImageError, match="No space left"):
        pump.save(overwrite=True)
    assert (files / "pump.hex").read_bytes() == original
    assert sorted(one.name for one in files.iterdir()) == ["pump.a2l", "pump.hex"]
    assert pump.is_changed


def test_files_that_are_none(files):
    with pytest.raises(ImageError, match=r"no\.hex: the image cannot be read"):
        xcaliper.open_image(files / "pump.a2l", files / "no.hex")
    (files / "half.hex").write_bytes(hex_of(flash())[:200])
    with pytest.raises(ImageError, match=r"half\.hex:5: "):
        xcaliper.open_image(files / "pump.a2l", files / "half.hex")
    (files / "x.bin").write_bytes(b"abc")
    with pytest.raises(UsageError, match="do not tell where they belong"):
        xcaliper.open_image(files / "pump.a2l", files / "x.bin")
    wrong = ChecksumRegion("flash", CRC.ranges, "CRC-33", Address(0x8060))
    with pytest.raises(NotFoundError, match="CRC-33"):
        xcaliper.open_image(files / "pump.a2l", files / "pump.hex", checksums=[wrong])


WORDS = """ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M ""
/begin MOD_COMMON "" BYTE_ORDER MSB_LAST /end MOD_COMMON
/begin MOD_PAR "" ADDR_EPK 0x4000 EPK "W1" /end MOD_PAR
/begin RECORD_LAYOUT L FNC_VALUES 1 ULONG ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT W FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC Wide "" VALUE 0x4002 L 0 NO_COMPU_METHOD 0 4e9 /end CHARACTERISTIC
/begin CHARACTERISTIC Block "" VAL_BLK 0x4004 W 0 NO_COMPU_METHOD 0 65535 MATRIX_DIM 2 ECU_ADDRESS_EXTENSION 1
/end CHARACTERISTIC
/end MODULE /end PROJECT
"""


@pytest.mark.parametrize("file_ag", [None, 1])
def test_addresses_of_words(tmp_path, file_ag):
    """Granularity WORD: the file counts words as the ECU does, or bytes, and is told so."""
    (tmp_path / "w.a2l").write_text(WORDS, "utf-8")
    data = b"W1\0\0" + struct.pack("<IHH", 70000, 1, 2)
    start = 0x4000 if file_ag is None else 0x8000
    source = hex_of(data, start)
    (tmp_path / "w.hex").write_bytes(source)
    image = xcaliper.open_image(tmp_path / "w.a2l", tmp_path / "w.hex", ag=2, file_ag=file_ag)
    assert (image.epk.is_right, image.diagnostics) == (True, ())
    assert image.read("Wide") == 70000
    assert image.read("Block").tolist() == [1, 2]  # records know no extension
    image.write("Block", 7, at=1)
    assert image.changed() == ("Block",)
    image.save(tmp_path / "new.hex")
    assert (tmp_path / "new.hex").read_bytes() == hex_of(data[:-2] + b"\7\0", start)
    with pytest.raises(UsageError, match="the EPK"):
        image.write_memory(0x4000, b"X1")


def test_checksums_on_demand(pump):
    data = flash()
    assert pump.checksum(0x8000, 0x20) == zlib.crc32(data[:0x20])
    assert pump.checksum(0x1000, 0x10) == zlib.crc32(data[0x10:0x20])  # where the values are
    assert pump.checksum(0x8000, 4, algorithm=sum) == sum(data[:4])
    with pytest.raises(GapError):
        pump.checksum(0x8000, 0x100)


def test_the_demo_engine(tmp_path):
    """Every parameter of the gallery's engine, out of a file as out of the ECU's memory."""
    ecu = build_ecu("demo-engine")
    (tmp_path / "e.a2l").write_text(ecu.a2l, "utf-8")
    runs = [
        (Address(one.address, one.extension), one.initial)
        for name, one in ecu.image.regions.items()
        if name != "RAM"
    ]
    (tmp_path / "e.s37").write_bytes(write_image(MemoryImage(runs), "srec"))
    engine = xcaliper.open_image(tmp_path / "e.a2l", tmp_path / "e.s37")
    names = engine.names("c*", kind="characteristic") + engine.names("a*", kind="axis")
    assert len(names) > 50
    for name in names:
        place = ecu.image[name]
        held = ecu.memory.read(Address(place.address, place.extension), place.size_bytes)
        assert engine.read_memory(place.address, place.size_bytes, place.extension) == held
    assert engine.read("cIdleSpeedTarget") == ecu.declaration["cIdleSpeedTarget"].default
    engine.write("cIdleSpeedTarget", 900)
    engine.save(tmp_path / "new.s37")
    new = read_image((tmp_path / "new.s37").read_bytes()).image
    (change,) = MemoryImage(runs).compare(new).changed
    assert change.start.value == ecu.image["cIdleSpeedTarget"].address
    notes = []
    made = engine.calib.snapshot(read_only=True, on_problem=notes.append)
    assert {one.name for one in made} >= set(names)
    assert {ecu.image[one.subject].region for one in notes} == {"RAM"}  # texts of the program's own
    assert not {one.name for one in made} & {one.subject for one in notes}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder of real files is not here")
def test_a_real_pair(tmp_path):
    project = "Vis6__XCP-on-Ethernet-with-CANape"
    a2l = CORPUS / "a2l" / project / "XCPonEthernet_FreeRTOS_CANape_xcp.a2l"
    source = CORPUS / "elf" / project / "XCP_Eth.HEX"
    image = xcaliper.open_image(a2l, source)
    assert image.read("calibration_test") == 100
    held = image.read_memory(0x1C0034, 4)
    assert np.frombuffer(held, "<f4")[0] == 100
    image.write("calibration_test", -7.5)
    image.save(tmp_path / "new.hex")
    old, new = source.read_bytes().splitlines(), (tmp_path / "new.hex").read_bytes().splitlines()
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    again = xcaliper.open_image(a2l, tmp_path / "new.hex")
    assert again.read("calibration_test") == -7.5
    assert image.diff(xcaliper.open_image(a2l, source)).names == ("calibration_test",)
