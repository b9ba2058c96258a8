"""Bars on a terminal, silence elsewhere."""

import io

import pytest

from support.dwarf_maker import Maker, die
from xcaliper.a2l import open_a2l
from xcaliper.cli import shell
from xcaliper.cli.main import main


class Terminal(io.StringIO):
    def isatty(self):
        return True


TEXT = "".join(
    f'/begin MEASUREMENT m{n} "" UBYTE CM 0 0 0 255 /end MEASUREMENT\n' for n in range(1200)
)


def test_nothing_is_printed_when_nobody_looks(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    silent = io.StringIO()
    monkeypatch.setattr("sys.stderr", silent)
    file = open_a2l(TEXT)
    with shell.working("Working", file) as told:
        assert told is None
        file.load_all()
    assert not silent.getvalue()


def test_a_terminal_shows_how_much_is_done(monkeypatch):
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setenv("TERM", "xterm")
    file = open_a2l(TEXT)
    with shell.working("Working", file) as told:
        told("rows checked", 3000, 4000)
        list(file.module.measurement[:1100])
    shown = seen.getvalue()
    assert "Working" in shown
    assert "3,000 of 4,000" in shown
    assert "1,000 of 1,200" in shown
    told("rows checked", 4000, 4000)
    file.load_all()
    assert seen.getvalue() == shown


def test_the_bar_without_a_count_goes_when_there_is_one(monkeypatch):
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setenv("TERM", "xterm")
    with shell.working("Working") as told:
        assert "Working" in seen.getvalue()
        told("objects merged", 10, 40)
        start = len(seen.getvalue())
    shown = seen.getvalue()[start:]
    assert "objects merged" in shown
    assert "Working" not in shown


def test_two_files_have_a_bar_each(monkeypatch):
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    monkeypatch.setenv("TERM", "xterm")
    files = [open_a2l(TEXT), open_a2l(TEXT)]
    with shell.working("Working", *files):
        for file in files:
            file.load_all()
    assert "objects read, file 1" in seen.getvalue()
    assert "objects read, file 2" in seen.getvalue()


def test_an_error_takes_the_bars_away(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyError), shell.working("Working"):
        raise KeyError


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        (("merge", "ecu.a2l", "other.a2l"), "objects merged"),
        (("convert", "ecu.a2l", "--to", "1.50"), "objects converted"),
        (("format", "ecu.a2l"), "MEASUREMENT written"),
        (("update", "ecu.a2l", "--elf", "ecu.elf"), "symbols matched"),
        (("update", "ecu.a2l", "--elf", "ecu.elf"), "symbols read"),
        (("generate", "new.a2l", "--elf", "ecu.elf"), "bytes of debug information read"),
        (("generate", "new.a2l", "--elf", "ecu.elf"), "variables described"),
    ],
    ids=lambda word: word if isinstance(word, str) else "",
)
def test_long_verbs_count(words, counted, tmp_path, monkeypatch, capsys):
    """On a terminal every long verb shows how much is done, not only that it works."""
    names = [f"m{n}" for n in range(1200)]
    head, tail = (
        'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n',
        "/end MODULE /end PROJECT\n",
    )
    text = TEXT.replace("CM", "NO_COMPU_METHOD")
    (tmp_path / "ecu.a2l").write_text(head + text + tail)
    (tmp_path / "other.a2l").write_text(head + text.replace(" m", " n") + tail)
    maker = Maker()
    entries = [
        die("variable", name=name, type="t", external=1, location=maker.at(0x1000 + at))
        for at, name in enumerate(names)
    ]
    base = die("base", "t", name="unsigned char", size=1, encoding=8)
    unit = die("cu", "", base, *entries, name="u.c", language=0x0C)
    symbols = tuple((name, 0x1000 + at, 1) for at, name in enumerate(names))
    (tmp_path / "ecu.elf").write_bytes(maker.elf(unit, symbols))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    seen = Terminal()
    monkeypatch.setattr("sys.stderr", seen)
    main(["a2l", *words])
    assert counted in seen.getvalue()
