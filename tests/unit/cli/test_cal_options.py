"""Options of the verbs of calibration: what they mean, and what they refuse."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from xcaliper.cli.cal_connect import _Answer
from xcaliper.cli.cal_history import default_history
from xcaliper.cli.cal_options import ChangeOptions, checksum_region, offset_of, pairs
from xcaliper.cli.cal_target import is_image, is_live
from xcaliper.cli.main import main
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError

URL = "udp://127.0.0.1:1"
IN_PLACE = ChangeOptions(in_place=True)


def test_pairs():
    assert pairs(("Gear=Manual", "A=B=2"), "variant") == {"Gear": "Manual", "A=B": "2"}
    for text in ("Gear", "=1", "Gear=", " = "):
        with pytest.raises(UsageError, match="--variant"):
            pairs((text,), "variant")


@pytest.mark.parametrize(
    ("texts", "offset"),
    [
        ((), None),
        (("0x80000",), 0x80000),
        (("-256",), -256),
        (("RAM=0x100", "FAST=-1"), {"RAM": 256, "FAST": -1}),
    ],
)
def test_offset_of(texts, offset):
    assert offset_of(texts) == offset


@pytest.mark.parametrize("texts", [("far",), ("1", "2"), ("RAM=far",), ("1.5",)])
def test_offsets_that_are_none(texts):
    with pytest.raises(UsageError, match="--offset"):
        offset_of(texts)


def test_checksum_region():
    made = checksum_region("0x8000..0x8FFB + 0xA000..0xA003 : XCP_CRC_32 @ 0x8FFC : big")
    assert made.ranges == (
        AddressRange(Address(0x8000), 0xFFC), AddressRange(Address(0xA000), 4),
    )  # fmt: skip
    assert (made.algorithm, made.stored_at) == ("XCP_CRC_32", Address(0x8FFC))
    assert made.byte_order is ByteOrder.MOTOROLA
    assert checksum_region("16:XCP_ADD_11@17").byte_order is ByteOrder.INTEL


@pytest.mark.parametrize(
    "text", ["", "1..2", "1..2:XCP_ADD_11", "2..1:XCP_ADD_11@5", "a..b:XCP_ADD_11@5", "1..2:X@y", "1:X@2:odd"]
)  # fmt: skip
def test_checksums_that_are_none(text):
    with pytest.raises(UsageError, match="--checksum"):
        checksum_region(text)


def test_kinds_of_targets():
    assert is_live("tcp://10.0.0.1:5555")
    assert not is_live("engine.hex")
    assert is_image("folder/engine.HEX")
    assert is_image("engine.s19")
    assert not is_image("monday.cdfx")


def test_every_target_and_program_has_its_history(monkeypatch, tmp_path):
    monkeypatch.setenv("XCALIPER_HISTORY", str(tmp_path))
    made = {
        default_history(*one)
        for one in ((URL, "A"), (URL, "B"), ("udp://127.0.0.1:2", "A"), ("a.hex", "A"), ("b/a.hex", "A"))
    }  # fmt: skip
    assert len(made) == 5
    assert default_history(URL, "A").name.startswith("udp-127.0.0.1-1-")
    assert default_history("a.hex", "A") == default_history("./a.hex", "A")
    assert all(one.parent == tmp_path and one.suffix == ".history" for one in made)
    monkeypatch.delenv("XCALIPER_HISTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    assert default_history(URL, "A").parent == tmp_path / "state" / "xcaliper" / "history"


def question(*names):
    return SimpleNamespace(dirty=SimpleNamespace(names=names), segments=(), parameters=list)


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (("download",), "download"),
        (("offline",), "offline"),
        (("upload",), "upload"),
        (("A=data", "B=ecu"), {"A": "data", "B": "ecu"}),
        (("A=data", "*=ecu"), {"A": "data", "B": "ecu"}),
        (("*=data", "Z=ecu"), {"A": "data", "B": "data"}),
    ],
)
def test_scripted_choices(words, choice):
    assert _Answer(words, "a.hex", IN_PLACE)(question("A", "B")) == choice


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("upload", "download"), "one choice for everything"),
        (("upload", "A=ecu"), "one choice for everything"),
        (("sideways",), "'sideways' is no choice"),
        (("A=mine",), "neither ecu nor data"),
    ],
)
def test_choices_that_are_none(words, told):
    with pytest.raises(UsageError, match=told):
        _Answer(words, "a.hex", IN_PLACE)


def test_a_choice_that_leaves_something_open():
    with pytest.raises(UsageError, match="nothing is said about B"):
        _Answer(("A=data",), "a.hex", IN_PLACE)(question("A", "B"))


@pytest.mark.parametrize("words", [("upload",), ("A=ecu",)])
def test_what_is_uploaded_needs_a_place(words):
    with pytest.raises(UsageError, match="where does the changed image go"):
        _Answer(words, "a.hex", ChangeOptions())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["undo", URL, "-n", "0"], "0 changes"),
        (["undo", "letter.txt"], "neither the URL"),
        (["connect", "a.hex", "b.hex"], "it is no URL"),
        (["connect", URL, "a.hex", "--choose", "sideways"], "no choice"),
        (["set", "a.hex", "K", "1"], "where does the changed image go"),
        (["set", "a.hex", "K", "1", "--out", "b.hex", "--in-place"], "one of them is enough"),
    ],
)
def test_lines_that_are_refused_before_anything_is_opened(line, told, capsys):
    assert main(["cal", *line]) == 2
    assert told in capsys.readouterr().err
