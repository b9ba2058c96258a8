"""What the verbs of calibration make of words and values, without an ECU."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from xcaliper.calib.values import Axis, Table
from xcaliper.cli import shell
from xcaliper.cli.main import main
from xcaliper.cli.map_change import MapOptions, changed_cells, changed_value
from xcaliper.cli.value_view import Shown, json_value, show_values
from xcaliper.core.errors import UsageError

X = Axis("Speed", np.array([500.0, 1000.0, 2000.0]), "rpm")
Y = Axis("Load", np.array([10.0, 90.0]), "%")


def grid():
    return Table("KF", np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), (X, Y), "Nm")


@pytest.mark.parametrize(
    ("options", "given", "values"),
    [
        (MapOptions(offset="-2"), None, [[-1, 0, 1], [2, 3, 4]]),
        (MapOptions(scale="0.5", where=("x = 1000",)), None, [[1, 1, 3], [4, 2.5, 6]]),
        (MapOptions(clip="2..5"), None, [[2, 2, 3], [4, 5, 5]]),
        (MapOptions(clip="..5"), None, [[1, 2, 3], [4, 5, 5]]),
        (MapOptions(clip="-1.."), None, [[1, 2, 3], [4, 5, 6]]),
        (MapOptions(interpolate="x"), None, [[1, 1 + 2 / 3, 3], [4, 4 + 2 / 3, 6]]),
        (MapOptions(interpolate="all", where=("y > 10",)), None, [[1, 2, 3], [4, 4 + 2 / 3, 6]]),
        (MapOptions(smooth=1, where=("x[1]", "y[1]")), None, [[1, 2, 3], [4, 4, 6]]),
        (MapOptions(fill="left", where=("x[1]",)), None, [[1, 1, 3], [4, 4, 6]]),
        (MapOptions(where=("value > 4",)), 0, [[1, 2, 3], [4, 0, 0]]),
    ],
)
def test_operations(options, given, values):
    assert changed_value(grid(), options, given).values == pytest.approx(np.array(values))


def test_operations_on_one_number():
    assert changed_value(820.0, MapOptions(offset="-20")).item() == 800.0
    assert changed_value(3, MapOptions(scale="2")).item() == 6


@pytest.mark.parametrize(
    ("value", "options", "given", "words"),
    [
        ("text", MapOptions(offset="1"), None, "it is a text"),
        (grid(), MapOptions(), None, "either a value or one operation"),
        (grid(), MapOptions(offset="1"), 5, "either a value or one operation"),
        (grid(), MapOptions(offset="1,5"), None, "'1,5' is no number"),
        (grid(), MapOptions(clip="5"), None, "'5' is no range"),
        (grid(), MapOptions(clip=".."), None, "'..' is no range"),
        (grid(), MapOptions(clip="a..b"), None, "'a' is no number"),
        (grid(), MapOptions(fill="north"), None, "no source 'north'"),
        (grid(), MapOptions(interpolate="w"), None, "no axis 'w'"),
        (grid(), MapOptions(offset="1", scale="2"), None, "--offset and --scale: one operation"),
    ],
)
def test_operations_that_are_refused(value, options, given, words):
    with pytest.raises(UsageError, match=words):
        changed_value(value, options, given)


def test_changed_cells():
    other = changed_value(grid(), MapOptions(where=("x[0]", "y[1]")), 9)
    assert changed_cells(grid(), other).tolist() == [[False] * 3, [True, False, False]]
    holes = np.array([np.nan, 1.0])
    assert not changed_cells(holes, holes.copy()).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cal", "set", "udp://127.0.0.1:1", "KF"], "no value given"),
        (
            ["cal", "set", "udp://127.0.0.1:1", "KF", "5", "--offset", "-2"],
            "either values or --offset",
        ),
        (
            ["cal", "set", "udp://127.0.0.1:1", "KF", "5", "6", "--where", "x > 1"],
            "takes one value",
        ),
        (
            ["cal", "set", "udp://127.0.0.1:1", "KF", "--clip", "-5..40", "--fill", "up"],
            "one operation",
        ),
        (["cal", "get", "udp://127.0.0.1:1"], "no name given"),
        (["page", "show"], "where does the slave listen"),
        (["page", "jump", "udp://127.0.0.1:1"], "no action 'jump'"),
        (["page", "udp://127.0.0.1:1", "jump"], "no action 'jump'"),
        (["page", "switch", "udp://127.0.0.1:1", "1"], "1 values are given, 2 are needed"),
        (["page", "udp://127.0.0.1:1", "set", "1"], "page switch: 1 values are given"),
        (["page", "copy", "udp://127.0.0.1:1", "1", "1"], "2 values are given, 4 are needed"),
        (["page", "freeze", "udp://127.0.0.1:1"], "no segment is given"),
        (["page", "show", "udp://127.0.0.1:1", "1"], "0 are needed"),
    ],
)
def test_words_that_do_not_fit_are_refused_before_connecting(arguments, words, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_a_file_that_is_no_target(capsys):
    assert main(["cal", "get", "nothing.txt", "KF"]) in (2, 3)
    assert "nothing.txt" in capsys.readouterr().err


# --- how values are shown ---


class Colours(Console):
    """A terminal with colours, so wide."""

    def __init__(self, width=200):
        self.text = io.StringIO()
        super().__init__(
            file=self.text, force_terminal=True, color_system="truecolor", width=width,
            highlight=False, emoji=False, legacy_windows=False, _environ={},
        )  # fmt: skip


@pytest.fixture
def console(monkeypatch):
    def made(width=200):
        shown = Colours(width)
        monkeypatch.setattr(shell, "make_console", lambda **_: shown)
        return shown

    return made


def test_without_colours_a_table_is_its_text(capsys):
    show_values([Shown("KF", grid(), "Nm")])
    assert capsys.readouterr().out == f"{grid().text()}\n"


def test_changed_cells_are_marked_without_colours_too(capsys):
    mark = np.array([[False, True, False], [False] * 3])
    show_values([Shown("KF", grid(), "Nm", mark)])
    _, head, first, second = capsys.readouterr().out.splitlines()
    assert head == "% \\ rpm  500   1000   2000"
    assert first == "     10    1      2*     3"
    assert second == "     90    4      5      6"


def test_single_values_come_first_with_units(capsys):
    show_values(
        [
            Shown("KF", grid(), "Nm"),
            Shown("c", 820.25, "rpm"),
            Shown("b", np.array([1.0, 2.5]), "V"),
            Shown("m", np.array([[1, 2], [3, 4]]), "A"),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "c  820.25  rpm"
    assert lines[1] == "b   1 2.5  V"
    assert lines[2] == "KF [Nm]"
    assert lines[6:] == ["m [A]", "1  2", "3  4"]


def test_cells_are_coloured_from_low_to_high(console):
    shown = console()
    mark = np.array([[False, True, False], [False] * 3])
    show_values([Shown("KF", grid(), "Nm", mark)])
    text = shown.text.getvalue()
    assert "48;2;64;110;220" in text  # the lowest: blue
    assert "48;2;220;90;70" in text  # the highest: red
    assert text.index("48;2;64;110;220") < text.index("48;2;220;90;70")
    assert "\x1b[1;4;" in text  # bold and underlined


def test_texts_and_equal_values_have_no_colour(console):
    shown = console()
    words = Table("KW", np.array([["ON", "OFF"]], dtype=object), (X, Y))
    show_values([Shown("KW", words), Shown("C", Table("C", np.full((2, 3), 7.0), (X, Y)))])
    assert "48;2;" not in shown.text.getvalue()


@pytest.mark.parametrize("width", [1, 14, 20, 30])
def test_wide_tables_are_cut_into_parts_that_fit(console, width):
    shown = console(width)
    wide = Table("KW", np.arange(40.0).reshape(2, 20), (Axis("", np.arange(100, 120)), Y))
    show_values([Shown("KW", wide)])
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", one) for one in shown.text.getvalue().splitlines()]
    heads = [line.split()[3:] for line in plain if "\\" in line]
    assert [label for head in heads for label in head] == [str(n) for n in range(100, 120)]
    if width > 14:
        assert max(map(len, plain)) <= width


def test_surface_is_drawn_on_request(capsys):
    show_values([Shown("KF", grid(), "Nm"), Shown("c", 5.0)], surface=True)
    text = capsys.readouterr().out
    assert "KF [Nm], 1 … 6" in text
    assert text.startswith("c  5")
    with pytest.raises(UsageError, match="no numbers to draw"):
        show_values([Shown("KW", Table("KW", np.array([["ON"]]), ()))], surface=True)


def test_brackets_are_no_markup(capsys):
    odd = Table("[red]K", np.array([["[bold]", "[/]"]], dtype=object), (X, Y), "[°]")
    show_values([Shown("[red]K", odd), Shown("n", "[red]x[/]")])
    text = capsys.readouterr().out
    for words in ("[red]K [[°]]", "[bold]", "[/]", "[red]x[/]"):
        assert words in text


def test_json_of_a_table_has_its_axes():
    made = json.loads(json.dumps(json_value(grid())))
    assert made["values"] == [[1, 2, 3], [4, 5, 6]]
    assert made["axes"][0] == {"name": "Speed", "unit": "rpm", "points": [500, 1000, 2000]}
    assert json_value(np.float64(1.5)) == 1.5
    assert json_value("x") == "x"
