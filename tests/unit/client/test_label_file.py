"""LAB files as other tools write them, and as people do."""

from __future__ import annotations

import pytest

from xcaliper.client.label_file import parse_label_file, read_label_file
from xcaliper.core.errors import SourceError

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
