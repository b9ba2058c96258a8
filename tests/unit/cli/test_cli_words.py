"""What the verbs make of words, values and errors, without an ECU."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from xcaliper.cli import plots, shell
from xcaliper.cli.main import VERBS, main
from xcaliper.cli.write import parse_target, parse_value
from xcaliper.core.errors import (
    A2lError,
    ExchangeTimeoutError,
    IntegrityError,
    LimitError,
    LinkError,
    NegativeResponseError,
    NotFoundError,
    UsageError,
    WriteProtectedError,
)

PNG_SIGNATURE = bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KFZW", ("KFZW", None)),
        ("KFZW[3,4]", ("KFZW", (3, 4))),
        ("Curve[0]", ("Curve", (0,))),
        ("Struct.part[2].x", ("Struct.part[2].x", None)),
        ("Struct.part[2].x[1]", ("Struct.part[2].x", (1,))),
        ("[1]", ("[1]", None)),
        ("A[-1]", ("A[-1]", None)),
    ],
)
def test_parse_target(text, expected):
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("-5", -5),
        ("0x1F", 31),
        ("12.5", 12.5),
        ("1e3", 1000.0),
        ("OFF", "OFF"),
        ("12 V", "12 V"),
        ("", ""),
    ],
)
def test_parse_value(text, expected):
    found = parse_value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_parse_value_takes_nan_as_a_number():
    assert math.isnan(parse_value("nan"))


def _caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError("x"), 3),
        (FileNotFoundError(), 3),
        (_caused(A2lError("gone"), FileNotFoundError()), 3),
        (A2lError("broken"), 1),
        (ExchangeTimeoutError("CONNECT", timer="T1", attempts=1, elapsed_ns=1), 4),
        (LinkError("nobody"), 4),
        (NegativeResponseError("X", code=0x22, code_name="ERR_OUT_OF_RANGE"), 5),
        (WriteProtectedError("X", code=0x23, code_name="ERR_WRITE_PROTECTED"), 5),
        (LimitError("x", phys=1, lower=2, upper=3), 2),
        (UsageError("x"), 2),
        (IntegrityError("x", expected=1, actual=2), 1),
        (PermissionError(), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_exit_code(error, code):
    assert shell.exit_code(error) == code


def test_json_has_no_nan_and_knows_numpy(capsys):
    shell.print_json({"a": np.array([1.0, np.nan, np.inf]), "b": np.float32(0.5), "c": b"\x01\xff"})
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [1.0, None, None],
        "b": 0.5,
        "c": "01ff",
    }


def test_help_names_every_verb_in_order(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    places = [text.index(f"│ {verb} ") for verb, *_ in VERBS]
    assert places == sorted(places)
    assert "xcaliper demo" in text


@pytest.mark.parametrize("verb", [verb for verb, *_ in VERBS])
def test_help_pages_have_examples(verb, capsys):
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Examples:" in text
    assert f"  xcaliper {verb}" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["foo"], 2, ("foo", "demo", "xcaliper --help")),
        (["read"], 2, ("URL", "xcaliper read --help")),
        (["read", "udp://127.0.0.1:1", "--nope"], 2, ("--nope",)),
        (["read", "udp://127.0.0.1:1"], 2, ("no name",)),
        (["read", "bogus://x", "A"], 2, ("bogus", "udp")),
        (["write", "udp://127.0.0.1:1", "A"], 2, ("no value",)),
        (["measure", "udp://127.0.0.1:1"], 2, ("no signal",)),
        (["demo", "--duration", "1"], 2, ("too short",)),
        (["a2l", "check", "no-such-file.a2l"], 3, ("no-such-file.a2l",)),
        (["vecu", "no-such-ecu"], 3, ("no-such-ecu", "demo-engine")),
        (["vecu", "demo-engine", "--checksum", "MD5"], 3, ("MD5", "XCP_CRC_32")),
        (["vecu", "demo-engine", "--disable", "UPLOADS"], 3, ("UPLOADS",)),
    ],
)
def test_errors_are_words_or_json(arguments, code, words, capsys):
    assert main(arguments) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert all(word in told.err for word in words)
    assert "Traceback" not in told.err
    assert main([*arguments, "--json"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert set(json.loads(told.err)) == {"error", "message", "hint"}


def test_a_defect_is_one_line_unless_debugging(monkeypatch, capsys):
    def broken():
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("xcaliper.cli.main.make_app", broken)
    monkeypatch.delenv("XCALIPER_DEBUG", raising=False)
    assert main(["info", "x"]) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "report" in told
    assert "Traceback" not in told
    monkeypatch.setenv("XCALIPER_DEBUG", "1")
    assert main(["info", "x"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_line_is_broken_at_gaps():
    t = np.array([0.0, 1.0, 5.0, 6.0])
    line = plots.Line("x", t, t * 2, ((1.0, 5.0),))
    times, values = line.broken()
    assert times.tolist() == [0.0, 1.0, 5.0, 5.0, 6.0]
    assert np.isnan(values[2])
    assert values[[0, 1, 3, 4]].tolist() == [0.0, 2.0, 10.0, 12.0]


def test_picture_is_a_png(tmp_path):
    t = np.linspace(0, 1, 50)
    strips = [plots.Strip("rpm", (plots.Line("speed", t, np.sin(t), ((0.4, 0.5),)),))]
    target = tmp_path / "x.png"
    plots.save_png(target, strips, [plots.Mark(0.5, "here")], "title")
    data = target.read_bytes()
    assert data.startswith(PNG_SIGNATURE)
    assert data.rstrip()[-8:-4] == b"IEND"
    assert int.from_bytes(data[16:20], "big") > 500  # width in pixels


def test_terminal_picture_names_its_lines():
    t = np.linspace(0, 1, 5000)
    text = plots.draw_terminal(
        plots.Strip("rpm", (plots.Line("speed", t, t), plots.Line("wanted", t, t / 2))),
        width=80,
        colour=False,
    )
    assert "speed" in text
    assert "wanted" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
