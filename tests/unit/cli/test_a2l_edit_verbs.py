"""The verbs that compare and change descriptions: output, files, exit codes."""

import json
import os
from pathlib import Path

import pytest

from xcaliper import read_a2l
from xcaliper.cli.main import main

TEXT = """ASAP2_VERSION 1 71 /* kept */
/begin PROJECT p ""
  /begin MODULE m ""
    /begin COMPU_METHOD CM "" IDENTICAL "%4.2" "rpm" /end COMPU_METHOD
    /begin COMPU_METHOD UNUSED "" IDENTICAL "%4.2" "" /end COMPU_METHOD
    /begin MEASUREMENT b "" UBYTE CM 0x0 0 0 255. /end MEASUREMENT
    /begin MEASUREMENT a "" UBYTE CM 0 0 0 255 SYMBOL_LINK "a" 0 /end MEASUREMENT
    /begin GROUP g "" /begin REF_MEASUREMENT a b /end REF_MEASUREMENT /end GROUP
  /end MODULE
/end PROJECT
"""


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "ecu.a2l"
    made.write_bytes(TEXT.encode())
    return made


def run(*words):
    return main(["a2l", *map(str, words)])


def test_diff(file, tmp_path, capsys):
    other = tmp_path / "other.a2l"
    other.write_text(TEXT.replace("255. ", "0xFF").replace("/* kept */", ""))
    assert run("diff", file, other) == 0
    assert "0 added, 0 removed, 0 changed" in capsys.readouterr().err
    other.write_text(TEXT.replace("255. ", "100 "))
    assert run("diff", file, other) == 6
    assert capsys.readouterr().out == "~ MEASUREMENT b\n    upper_limit: 255.0 -> 100\n"
    assert run("diff", file, other, "--json") == 6
    assert json.loads(capsys.readouterr().out)["changed"] == 1
    assert run("diff", file, tmp_path / "none.a2l") == 3


def test_show(file, capsys):
    assert run("show", file, "b", "--references") == 0
    shown = capsys.readouterr().out
    assert '    /begin MEASUREMENT b "" UBYTE CM 0x0 0 0 255. /end MEASUREMENT\n' in shown
    assert "ecu.a2l:6" in shown
    assert "used by GROUP g" in shown
    capsys.readouterr()
    assert run("show", file, "C*", "--json") == 0
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["name"], found["line"]) == ("CM", 4)
    assert found["used_by"] == ["MEASUREMENT b", "MEASUREMENT a"]
    assert run("show", file, "bb") == 3
    assert run("show", file) == 2


def test_rename_writes_only_where_it_shall(file, tmp_path, capsys):
    assert run("rename", file, "b", "speed") == 0
    assert file.read_bytes() == TEXT.encode()
    assert "Nothing was written" in capsys.readouterr().err
    out = tmp_path / "out.a2l"
    assert run("rename", file, "b", "speed", "--out", out) == 0
    expected = TEXT.replace("MEASUREMENT b", "MEASUREMENT speed").replace("a b", "a speed")
    assert out.read_text() == expected
    assert "MEASUREMENT b -> speed, 1 references" in capsys.readouterr().out
    assert run("rename", file, "b", "speed", "--in-place") == 0
    assert file.read_text() == expected
    backup = tmp_path / "ecu.a2l.bak"
    assert backup.read_text() == TEXT
    backup.unlink()
    assert run("rename", file, "speed", "b", "--in-place", "--no-backup", "--json") == 0
    capsys.readouterr()
    assert file.read_text() == TEXT
    assert not backup.exists()
    assert run("rename", file, "none", "x", "--in-place") == 3
    assert run("rename", file, "a", "b") == 2
    assert run("rename", file, "a", "c", "--out", out, "--in-place") == 2


def test_prune(file, tmp_path, capsys):
    out = tmp_path / "out.a2l"
    assert run("prune", file, "--out", out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["removed"] == [{"keyword": "COMPU_METHOD", "name": "UNUSED"}]
    assert found["objects"] == {"COMPU_METHOD": {"before": 2, "after": 1}}
    assert found["written"] == [str(out)]
    lines = TEXT.splitlines(keepends=True)
    assert out.read_text() == "".join(line for line in lines if "UNUSED" not in line)
    assert run("prune", file, "--kind", "group") == 0
    assert "0 unused" in capsys.readouterr().out


MOVED = TEXT.replace('SYMBOL_LINK "a" 0', 'ECU_ADDRESS 0x20 SYMBOL_LINK "a" 0')
MOVED = MOVED.replace("MEASUREMENT b", "MEASUREMENT c").replace("a b", "a c")


@pytest.mark.parametrize(
    ("words", "objects", "changes"),
    [
        (("rename", "b", "speed"), {}, (0, 0, 0)),
        (("prune",), {"COMPU_METHOD": (2, 1)}, (0, 0, 1)),
        (("convert", "--to", "1.60"), {}, (0, 0, 0)),
        (("format", "--order", "name"), {}, (0, 0, 0)),
        (("merge", "@", "--conflict", "second"), {"MEASUREMENT": (2, 3)}, (1, 0, 0)),
    ],
    ids=lambda words: words[0] if words and isinstance(words, tuple) else "",
)
def test_every_change_ends_in_a_summary(file, tmp_path, capsys, words, objects, changes):
    (tmp_path / "2.a2l").write_text(MOVED)
    verb, *rest = [str(tmp_path / "2.a2l") if word == "@" else word for word in words]
    count = 5 + sum(after - before for before, after in objects.values())
    run(verb, file, *rest, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["total"] == {"before": 5, "after": count}
    assert told["objects"] == {
        keyword: {"before": before, "after": after} for keyword, (before, after) in objects.items()
    }
    assert tuple(told["changes"].values()) == changes
    assert [*told["changes"]] == ["addresses_moved", "types_changed", "vanished"]
    run(verb, file, *rest)
    shown = capsys.readouterr().err
    assert f"objects: 5 -> {count}\n" in shown
    for keyword, (before, after) in objects.items():
        assert f"{keyword}: {before} -> {after}\n" in shown
    moved, types, vanished = changes
    assert f"{moved} addresses moved, {types} types changed, {vanished} vanished\n" in shown


def test_convert(file, tmp_path, capsys):
    out = tmp_path / "out.a2l"
    assert run("convert", file, "--to", "1.50", "--out", out) == 6
    assert "cannot be said" in capsys.readouterr().out
    assert read_a2l(out).version == "1.50"
    assert run("convert", file, "--to", "1.70", "--out", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
    assert out.read_text() == TEXT.replace("1 71", "1 70")
    assert run("convert", file, "--to", "2.0") == 2


def test_format(file, tmp_path, capsys):
    out = tmp_path / "out.a2l"
    assert run("format", file, "--order", "name", "--out", out) == 0
    assert not capsys.readouterr().out
    assert "/* kept */" in out.read_text()
    assert [m.name for m in read_a2l(out).module.measurement] == ["a", "b"]
    assert run("diff", file, out) == 0


def test_merge(file, tmp_path, capsys):
    second, third, out = tmp_path / "2.a2l", tmp_path / "3.a2l", tmp_path / "out.a2l"
    second.write_text(TEXT.replace('"rpm"', '"km"'))
    third.write_text(TEXT.replace("MEASUREMENT b", "MEASUREMENT c").replace("a b", "a c"))
    assert run("merge", file, second, "--out", out) == 2
    assert "COMPU_METHOD CM differs in unit" in capsys.readouterr().err
    assert not out.exists()
    assert run("merge", file, second, third, "--conflict", "first", "--out", out) == 0
    shown = capsys.readouterr()
    assert "kept COMPU_METHOD CM: unit" in shown.out
    assert "MEASUREMENT: 2 -> 3" in shown.err
    assert read_a2l(out).module.group[0].ref_measurement.names == ["a", "b", "c"]
    assert set(TEXT.splitlines()[:7]) <= set(out.read_text().splitlines())
    assert run("merge", file, third, "--conflict", "rename", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["merged"][0]["counts"] == {"same": 3, "added": 1, "joined": 1}
    assert run("merge", file) == 2


@pytest.mark.parametrize("verb", ["show", "diff", "merge", "convert", "format", "rename", "prune"])
def test_every_verb_has_help(verb, capsys):
    assert run(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert f"xcaliper a2l {verb}" in shown
    assert "--json" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("format", "{}", "--in-place"),
        ("rename", "{}", "a", "b"),
        ("prune", "{}", "--in-place"),
        ("convert", "{}", "--to", "1.60"),
        ("merge", "{}", "{}"),
        ("diff", "{}", "{}"),
        ("show", "{}", "a"),
        ("info", "{}"),
        ("list", "{}"),
    ],
)
def test_what_is_no_description_stays_as_it_is(words, tmp_path, capsys):
    junk = tmp_path / "junk.a2l"
    junk.write_bytes(b"hello\n")
    assert run(*(word.format(junk) for word in words)) == 1
    assert "description without MODULE" in capsys.readouterr().err
    assert junk.read_bytes() == b"hello\n"


def test_included_files_change_in_place_only(file, tmp_path, capsys):
    part, out = tmp_path / "part.aml", tmp_path / "out.a2l"
    text = '/begin MEASUREMENT c "" UBYTE CM 0 0 0 255 /end MEASUREMENT\n'
    part.write_text(text)
    file.write_text(TEXT.replace("    /begin GROUP", '    /include "part.aml"\n    /begin GROUP'))
    assert run("rename", file, "c", "d", "--out", out) == 2
    assert f"the included file {part}" in capsys.readouterr().err.replace("\n", "")
    assert (part.read_text(), out.exists()) == (text, False)
    assert run("rename", file, "a", "d", "--out", out) == 0
    assert run("rename", file, "c", "e", "--in-place") == 0
    assert part.read_text() == text.replace("MEASUREMENT c", "MEASUREMENT e")
    assert (tmp_path / "part.aml.bak").read_text() == text


def test_links_and_devices_take_the_result(file, tmp_path, monkeypatch):
    real, link = tmp_path / "real.a2l", tmp_path / "link.a2l"
    real.write_text("old")
    link.symlink_to(real)
    assert run("rename", file, "a", "d", "--out", link) == 0
    assert link.is_symlink()
    assert "MEASUREMENT d" in real.read_text()
    assert run("format", file, "--out", os.devnull) == 0
    assert not Path(os.devnull).is_file()
    assert run("format", file, "--out", tmp_path) == 1
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = real.read_bytes()
    assert run("prune", file, "--out", real) == 1
    assert real.read_bytes() == before


def test_kinds_of_names(file, capsys):
    assert run("rename", file, "a", "d", "--kind", "colour") == 2
    assert "SYSTEM_CONSTANT" in capsys.readouterr().err


def test_diff_of_addresses(file, tmp_path, capsys):
    other = tmp_path / "other.a2l"
    other.write_text(TEXT.replace("CM 0 0 0 255 SYM", "CM 0 0 0 255 ECU_ADDRESS 1 SYM"))
    assert run("diff", file, other, "--addresses", "only") == 6
    assert "ecu_address: + 1" in capsys.readouterr().out
    assert run("diff", file, other, "--addresses", "never") == 0


def test_show_tells_each_missing_name_and_shows_the_others(file, capsys):
    assert run("show", file, "a", "a*", "nowhere") == 3
    shown = capsys.readouterr()
    assert shown.out.count("MEASUREMENT a") == 1
    assert "nowhere" in shown.err


@pytest.mark.parametrize(
    "words",
    [
        ("rename", "{}", "a", "d"),
        ("prune", "{}"),
        ("convert", "{}", "--to", "1.50"),
        ("merge", "{}", "{}"),
        ("format", "{}"),
    ],
)
def test_the_result_is_written_before_anybody_reads_the_report(words, file, tmp_path, monkeypatch):
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("rich.console.Console.print", gone)
    out = tmp_path / "out.a2l"
    run(*(word.format(file) for word in words), "--out", out)
    assert out.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["info", "--json"],
        ["list"],
        ["show", "b"],
        ["convert", "--to", "1.71"],
        ["format"],
        ["prune"],
        ["rename", "b", "new"],
        ["diff"],
        ["merge"],
    ],
)
def test_includes_from_elsewhere_need_the_option(file, tmp_path, capsys, words):
    home = tmp_path / "home"
    home.mkdir()
    main_file = home / "main.a2l"
    main_file.write_text("/include ../ecu.a2l\n")
    verb, *rest = words
    others = {"diff": [file], "merge": [main_file]}.get(verb, [])
    refused = run(verb, main_file, *others, *rest)
    shown = capsys.readouterr()
    allowed = run(verb, main_file, *others, *rest, "--outside")
    now = capsys.readouterr()
    assert allowed in (0, 6), now.err
    assert (refused, shown) != (allowed, now)
