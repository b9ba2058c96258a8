"""Tables in HTML, as shaded cells and as a surface of characters."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from xcaliper.calib.display import Cell, colour, grids_of, shown_value, surface_of, table_html
from xcaliper.calib.entries import AxisKind, Entry, EntryKind, SetAxis
from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.values import Axis, Table
from xcaliper.core.errors import UsageError

X = Axis("Speed", np.array([500.0, 1000.0, 1500.0]), "rpm")
Y = Axis("Load", np.array([10, 90]), "%")
Z = Axis("<Gear>", np.array(["N", "D"], dtype=object))
NAN = float("nan")


def grid(values=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))):
    return Table("KF", np.array(values), (X, Y), "Nm")


class Tags(HTMLParser):
    """Refuses HTML whose tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.styles = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.styles += [value for name, value in attrs if name == "style"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append((self.open[-1], data))


def test_cells_have_levels_from_low_to_high():
    (made,) = grids_of(grid(((0.0, 5.0, NAN), (10.0, 2.5, 0.0))))
    assert (made.title, made.corner, made.columns, made.labels) == (
        "", "% \\ rpm", ("500", "1000", "1500"), ("10", "90"),
    )  # fmt: skip
    assert made.rows[0] == (Cell("0", 0.0), Cell("5", 0.5), Cell("nan", None))
    assert [cell.level for cell in made.rows[1]] == [1.0, 0.25, 0.0]


@pytest.mark.parametrize(
    "values", [[7.0, 7.0], ["ON", "OFF"], [NAN, NAN], [float("inf"), 1.0], [True]]
)
def test_nothing_to_tell_apart_has_no_level(values):
    (made,) = grids_of(Table("B", np.array(values), ()))
    assert [cell.level for cell in made.rows[0]] == [None] * len(values)


def test_levels_of_the_largest_numbers():
    (made,) = grids_of(Table("B", np.array([-1.7e308, 0.0, 1.7e308]), ()))
    assert [cell.level for cell in made.rows[0]] == pytest.approx([0.0, 0.5, 1.0])


def test_marked_cells():
    mark = np.array([[False, False, True], [False, False, False]])
    (made,) = grids_of(grid(), changed=mark)
    assert [cell.changed for cell in made.rows[0]] == [False, False, True]
    tags = Tags(table_html(grid(), changed=mark))
    assert [data for tag, data in tags.cells if tag == "b"] == ["3"]


def test_slices_tell_where_they_are():
    cube = Table("KC", np.arange(12.0).reshape(2, 2, 3), (X, Y, Z))
    assert [one.title for one in grids_of(cube)] == ["<Gear> = N", "<Gear> = D"]
    five = Table("K5", np.zeros((2, 1, 1, 1, 1)), (X, Y, Axis("", np.array([7]), "s")))
    assert [one.title for one in grids_of(five)] == [
        "5[0], 4[0], z = 7 s", "5[1], 4[0], z = 7 s",
    ]  # fmt: skip


def test_html_of_a_map():
    text = table_html(grid())
    tags = Tags(text)
    assert tags.cells == [
        ("caption", "KF [Nm]"),
        ("th", "% \\ rpm"), ("th", "500"), ("th", "1000"), ("th", "1500"),
        ("th", "10"), ("td", "1"), ("td", "2"), ("td", "3"),
        ("th", "90"), ("td", "4"), ("td", "5"), ("td", "6"),
    ]  # fmt: skip
    assert tags.styles[0] == "background:rgba(64,110,220,.35)"
    assert tags.styles[-1] == "background:rgba(220,90,70,.35)"
    assert len(tags.styles) == 6


def test_html_of_a_cuboid_is_one_table_per_slice():
    cube = Table("KC", np.arange(12.0).reshape(2, 2, 3), (X, Y, Z))
    text = cube._repr_html_()
    assert [data for tag, data in Tags(text).cells if tag == "caption"] == [
        "<Gear> = N",
        "<Gear> = D",
    ]
    assert "<Gear>" not in text


def test_html_of_too_many_values():
    assert Table("B", np.zeros((200, 200)), ())._repr_html_() == (
        "<p>B: 200 × 200 values, too many to show here</p>"
    )


def test_colours_go_from_blue_to_red():
    assert colour(0.0) == (64, 110, 220)
    assert colour(1.0) == (220, 90, 70)
    assert colour(0.5) == (80, 180, 80)
    assert colour(0.125) == (52, 138, 195)  # half way to the next one
    assert colour(-1.0) == colour(0.0)
    assert colour(2.0) == colour(1.0)


def test_surface_of_a_curve():
    ramp = Table("KL", np.array([0.0, 9.0, 0.0]), (X,), "Nm")
    head, *lines, foot = surface_of(ramp, width=21).splitlines()
    assert head == "KL [Nm], 0 … 9"
    assert foot == "500          1500 rpm"
    assert len(lines) == 10  # one line per tenth, the highest on top
    assert lines[0] == "          @"
    assert lines[9] == ".                   ."
    tops = [min(at for at, line in enumerate(lines) if line[c : c + 1].strip()) for c in range(21)]
    assert tops == tops[::-1]
    assert tops[:11] == sorted(tops[:11], reverse=True)


def test_surface_steps_are_joined():
    step = Table("KL", np.array([0.0, 0.0, 9.0, 9.0]), ())
    _, *lines = surface_of(step, width=20).splitlines()
    columns = range(20)
    filled = [[at for at, line in enumerate(lines) if line[c : c + 1].strip()] for c in columns]
    for left, right in itertools.pairwise(filled):
        assert min(abs(a - b) for a in left for b in right) <= 1


def test_surface_of_a_map_has_its_first_row_in_front():
    high = np.zeros((3, 4))
    high[0] = 10.0  # in front: hides what is behind it
    axis = Axis("", np.array([10, 20, 30]), "%")
    text = surface_of(Table("KF", high, (Axis("", np.arange(4)), axis)), width=20)
    lines = text.splitlines()[1:]
    labels = [line.split()[0] for line in lines if re.match(r"\s*[123]0\b", line)]
    assert labels == ["30", "20", "10"]
    back = surface_of(Table("KF", high[::-1], (Axis("", np.arange(4)), axis)), width=20)
    assert back.count("@") == 20
    assert text.count("@") == 20
    assert text.count(".") < back.count(".")


def test_surface_columns_follow_the_axis():
    crowded = Axis("", np.array([0.0, 1.0, 100.0]))
    _, *lines, _ = surface_of(
        Table("KL", np.array([0.0, 9.0, 9.0]), (crowded,)), width=50
    ).splitlines()
    assert lines[0].count("@") >= 49
    falling = Axis("", np.array([3, 2, 1]))
    assert surface_of(Table("KL", np.array([0.0, 9.0, 9.0]), (falling,)))


def test_surface_of_many_rows_shows_some():
    axis = Axis("", np.arange(1000, 1100))
    text = surface_of(Table("KF", np.zeros((100, 5)), (X, axis)), width=30)
    labels = [int(line.split()[0]) for line in text.splitlines() if re.match(r"1\d\d\d ", line)]
    assert len(labels) == 16
    assert (labels[0], labels[-1]) == (1099, 1000)


def test_surface_of_what_is_flat_missing_or_single():
    assert "@" not in surface_of(Table("KF", np.full((2, 3), 4.0), (X, Y)))
    holes = surface_of(Table("KL", np.array([1.0, NAN, 3.0, 3.0]), ()), width=40)
    assert "1 … 3" in holes
    assert surface_of(Table("KL", np.array([NAN, NAN]), ())).startswith("KL, none")
    assert surface_of(Table("K", np.array(5.0), ())).startswith("K, 5 … 5")
    cube = Table("KC", np.arange(12.0).reshape(2, 2, 3), (X, Y, Z))
    assert surface_of(cube).count("<Gear> = ") == 2


@pytest.mark.parametrize("width", [-5, 0, 5, 10_000])
def test_surface_keeps_a_width_that_can_be_shown(width):
    text = surface_of(grid(), width=width)
    assert max(map(len, text.splitlines()[:-1])) <= 410


@pytest.mark.parametrize("values", [np.array(["ON"]), np.zeros((0, 3))])
def test_surface_needs_numbers(values):
    with pytest.raises(UsageError, match="no numbers to draw"):
        surface_of(Table("KW", values, ()))


def entry(values, *axes, name="K", kind=EntryKind.MAP):
    return Entry(name, kind, values, axes, unit="Nm")


def test_an_entry_is_shown_as_reading_it_gives_it():
    own = SetAxis(AxisKind.STD, np.array([1.0, 2.0]), unit="rpm", quantity="Speed")
    shared = SetAxis(AxisKind.COM, None, ref="AxL")
    points = entry(np.array([10.0, 20.0, 30.0]), name="AxL", kind=EntryKind.AXIS_PTS)
    made = entry(np.zeros((3, 2)), own, shared)
    table = shown_value(made, ParameterSet([made, points]))
    assert [axis.points.tolist() for axis in table.axes] == [[1, 2], [10, 20, 30]]
    assert [(axis.name, axis.unit) for axis in table.axes] == [("Speed", "rpm"), ("AxL", "Nm")]
    assert (table.name, table.unit, table.shape) == ("K", "Nm", (3, 2))
    alone = shown_value(made)
    assert alone.axes[1].points.tolist() == [0, 1, 2]


def test_an_entry_without_axes_is_its_value():
    assert shown_value(entry(1.5, kind=EntryKind.VALUE)) == 1.5
    assert shown_value(entry("text", kind=EntryKind.ASCII)) == "text"
    assert shown_value(entry(b"\x01\xff", kind=EntryKind.BLOB)) == "01 ff"
    assert shown_value(entry(np.array([1, 2]), kind=EntryKind.VAL_BLK)).tolist() == [1, 2]
