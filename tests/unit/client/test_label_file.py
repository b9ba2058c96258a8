"""LAB files as other tools write them, and as people do."""

from __future__ import annotations

import pytest

from xcaliper.client.label_file import parse_label_file, read_label_file
from xcaliper.core.errors import SourceError, UsageError

#: As INCA and CANape write them: settings, measurements with rasters, parameters.
LAB = """\
; exported list
[SETTINGS]
Version;V1.1
MultiRasterSeparator;&

[RAMCELL]
EngineSpeed;10ms
Lambda;10ms&100ms;
  WheelSpeed[2]\t100ms
B_state.flag_
; not this one
EngineSpeed;100ms
"Quoted";Task10ms;a remark

[Label]
cIdleSpeedTarget
[Colours]
EngineSpeed;red
"""


def test_sections_columns_and_comments():
    found = parse_label_file(LAB, "x.lab")
    assert found.settings == {"Version": "V1.1", "MultiRasterSeparator": "&"}
    assert [(e.name, e.raster, e.line) for e in found.measurements] == [
        ("EngineSpeed", "10ms", 7),
        ("Lambda", "10ms", 8),
        ("WheelSpeed[2]", "100ms", 9),
        ("B_state.flag_", "", 10),
        ("Quoted", "Task10ms", 13),
    ]
    assert [e.name for e in found.entries if e.kind == "parameter"] == ["cIdleSpeedTarget"]
    assert found.skipped == ((17, "Colours"),)
    assert found.events["Lambda"] == "10ms"
    assert "B_state.flag_" not in found.events
    assert found.names == ["EngineSpeed", "Lambda", "WheelSpeed[2]", "B_state.flag_", "Quoted"]


def test_plain_list_windows_lines_and_patterns():
    found = parse_label_file("Engine*\r\n# remark\r\n// remark\r\n\r\nLambda ; 10 ms\r\n")
    assert [(e.name, e.raster) for e in found.entries] == [("Engine*", ""), ("Lambda", "10 ms")]
    assert parse_label_file("").entries == ()


@pytest.mark.parametrize("bad", ["12abc", "a+b", "näme=1", "x" * 2000, "[unclosed", "\x00"])
def test_what_is_no_name_is_told_with_its_line(bad):
    with pytest.raises(SourceError) as caught:
        parse_label_file(f"[RAMCELL]\nGood\n{bad}\n", "bad.lab")
    assert (caught.value.source, caught.value.line) == ("bad.lab", 3)
    assert caught.value.hint


def test_encodings_and_missing_files(tmp_path):
    file = tmp_path / "a.lab"
    file.write_bytes("﻿[RAMCELL]\nÖldruck;10ms\n".encode())
    assert read_label_file(file).names == ["Öldruck"]
    file.write_bytes("[RAMCELL]\nÖldruck;10ms\n".encode("latin-1"))
    assert read_label_file(file).names == ["Öldruck"]
    for path in (tmp_path / "none.lab", tmp_path, "a\0b"):
        with pytest.raises(SourceError, match="cannot be read"):
            read_label_file(path)


def lab(version, *sections):
    return "\r\n".join(
        ["[SETTINGS]", f"Version;{version}", "MultirasterSeparator;|", *sections, ""]
    )


def test_versions_devices_and_several_rasters():
    """Columns differ by version; the first of several rasters counts, the others are known."""
    rows = (
        "[RamCell]",
        "nmot\\ETKC:1;10ms|100ms;Display;3;ETKC:1;Drehzahl",
        "rl;;;",
        "[LABEL]",
        "KFZW",
    )
    found = parse_label_file(lab("V1.3", *rows))
    assert [(e.name, e.raster, e.further) for e in found.measurements] == [
        ("nmot", "10ms", ("100ms",)), ("rl", "", ()),
    ]  # fmt: skip
    assert found.entries[-1].kind == "parameter"
    (old,) = parse_label_file(lab("V1.0", "[RAMCELL]", "nmot;Drehzahl")).measurements
    assert (old.name, old.raster) == ("nmot", ""), "a remark is no event"
    (twice,) = parse_label_file("[RAMCELL]\nrl\nrl;10ms\nrl;10ms\nrl;100ms\n").entries
    assert (twice.raster, twice.further, twice.line) == ("10ms", ("100ms",), 2)
    (quoted,) = parse_label_file('"rl" ; "10 ms"').entries
    assert (quoted.name, quoted.raster) == ("rl", "10 ms")


def test_sections_with_names_of_their_own():
    """They hold the signals of a list that has no other; functions and groups never do."""
    own = parse_label_file(
        lab("V1.1", "[Selected channels]", "a", "[Mine]", "b;10ms", "[FUNCTION]", "f")
    )
    assert (own.names, own.events) == (["a", "b"], {"b": "10ms"})
    assert own.skipped == ((8, "FUNCTION"),)
    mixed = parse_label_file(lab("V1.1", "[RAMCELL]", "a", "[Mine]", "b", "[Empty]"))
    assert (mixed.names, mixed.skipped) == (["a"], ((6, "Mine"),))
    with pytest.raises(SourceError, match="x:2: "):
        parse_label_file("[Mine]\na=b\n", "x")
    with pytest.raises(SourceError) as caught:
        parse_label_file("a,10ms\n")
    assert "semicolons" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_encodings_of_windows(tmp_path, encoding):
    """Signs of code pages end no line, and the end of a DOS file is no name."""
    file = tmp_path / "a.lab"
    file.write_bytes("[RAMCELL]\r\n; warte… länger\r\nÖl;10ms\r\n\x1a".encode(encoding))
    assert read_label_file(file).events == {"Öl": "10ms"}


def test_polling_is_an_event_and_near_names_are_looked_for_a_few_times(monkeypatch):
    looked = []
    monkeypatch.setattr("xcaliper.client.label_file.exists", lambda _catalog, name: name == "good")
    monkeypatch.setattr(
        "xcaliper.client.label_file.nearest_names", lambda _catalog, name: looked.append(name) or ()
    )

    def event(text):
        raise UsageError(f"event: 2 events have {text}.", hint="Name one.")

    found = parse_label_file(
        "good;polling\n" + "".join(f"bad{n}\n" for n in range(500)) + "good;10ms"
    )
    problems = found.check(None, event)
    assert len(problems) == 500
    assert len(looked) == 20
    found = parse_label_file("good;polling\n")
    assert found.check(None, event) == []
    (ambiguous,) = parse_label_file("good;10ms\n", "x").check(None, event)
    assert (ambiguous.message, ambiguous.hint) == (
        "x:1: good: event: 2 events have 10ms.",
        "Name one.",
    )
