"""Numbers, axes and tables as users see them."""

import numpy as np
import pytest

from xcaliper.calib.values import Axis, Table, format_number
from xcaliper.core.errors import UsageError

X = Axis("Speed", np.array([500.0, 1000.0, 1500.5]), "rpm")
Y = Axis("Load", np.array([10, 90]), "%")
Z = Axis("Gear", np.array([1, 2]))


def curve():
    return Table("KL", np.array([1.0, 2.5, -3.0]), (X,), "Nm")


def grid():
    return Table("KF", np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.25]]), (X, Y), "Nm")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (np.float32(0.1), "0.1"),
        (1 / 3, "0.333333"),
        (2.0, "2"),
        (-0.0, "0"),
        (123456.7, "123457"),
        (1234567.0, "1234567"),
        (-16777216.0, "-16777216"),
        (1e15, "1e+15"),
        (1.5e-9, "1.5e-09"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.uint64(18446744073709551615), "18446744073709551615"),
        (7, "7"),
        ("Off", "Off"),
        (np.str_("Off"), "Off"),
    ],
)
def test_format_number(number, text):
    assert format_number(number) == text


def test_text_of_a_curve():
    assert curve().text().splitlines() == [
        "KL [Nm]",
        "500  1000  1500.5",
        "  1   2.5      -3",
    ]
    assert str(curve()) == curve().text()


def test_text_of_a_map():
    assert grid().text().splitlines() == [
        "KF [Nm]",
        "% \\ rpm  500  1000  1500.5",
        "     10    1     2       3",
        "     90    4     5    6.25",
    ]


def test_text_of_a_cuboid_is_slices():
    cube = Table("KC", np.arange(12).reshape(2, 2, 3), (Axis("", X.points), Axis("", Y.points), Z))
    assert cube.text().splitlines() == [
        "KC",
        "Gear = 1",
        "y \\ x  500  1000  1500.5",
        "   10    0     1       2",
        "   90    3     4       5",
        "",
        "Gear = 2",
        "y \\ x  500  1000  1500.5",
        "   10    6     7       8",
        "   90    9    10      11",
    ]


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        (np.array([1, 20]), ["B", "1  20"]),
        (np.array([[1, 2], [30, 4]]), ["B", " 1  2", "30  4"]),
        (np.array(5), ["B", "5"]),
        (np.zeros(0), ["B"]),
        (np.zeros((0, 3)), ["B"]),
        (np.zeros((2, 0, 3)), ["B", "z[0]", "", "z[1]"]),
    ],
)
def test_values_without_axes(values, lines):
    table = Table("B", values, ())
    assert table.text().splitlines() == lines
    assert table._repr_html_()


def test_axes_that_hold_more_or_less_points_than_are_used():
    more = Table("KL", np.array([7.0, 8.0]), (X,))
    assert more.text().splitlines() == ["KL", "500  1000", "  7     8"]
    less = Table("KF", np.array([[1, 2], [3, 4]]), (Axis("", np.array([5])),))
    assert less.text().splitlines() == ["KF", "y \\ x  5   ", "       1  2", "       3  4"]


def test_shape_and_array():
    table = grid()
    assert table.shape == (2, 3)
    assert np.asarray(table).tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.25]]
    assert np.asarray(table, dtype=np.float32).dtype == np.float32
    assert (np.array(table) * 2)[1, 2] == 12.5
    assert np.mean(table) == pytest.approx(3.5416667)


def test_an_array_of_a_table_can_be_changed_without_changing_the_table():
    table = grid()
    made = np.asarray(table)
    made[0, 0] = 99
    assert table.values[0, 0] == 1


def test_no_copy_means_the_values_themselves():
    table = grid()
    assert np.shares_memory(table.__array__(copy=False), table.values)
    assert np.shares_memory(table.__array__(np.float64, copy=False), table.values)
    with pytest.raises(ValueError, match="copy"):
        table.__array__(np.float32, copy=False)


def test_with_cell():
    table = grid()
    changed = table.with_cell((1, 2), 7)
    assert changed.values.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]
    assert changed.values.dtype == np.float64
    assert (changed.name, changed.axes, changed.unit) == ("KF", table.axes, "Nm")
    assert table.values[1, 2] == 6.25
    assert table.with_cell((-1, -3), 7).values[1, 0] == 7
    assert curve().with_cell((0,), 9).values[0] == 9


@pytest.mark.parametrize("at", [(2, 0), (0, 3), (-3, 0), (0,), (0, 0, 0), ()])
def test_no_such_cell(at):
    with pytest.raises(UsageError, match="KF: no cell"):
        grid().with_cell(at, 1)


@pytest.mark.parametrize("value", [1.5, 256, -1, "many", None, [1, 2], float("nan")])
def test_a_raw_cell_takes_only_what_it_can_hold(value):
    table = Table("KF", np.array([[1, 2], [3, 4]], np.uint8), ())
    with pytest.raises(UsageError, match="does not fit a cell of type uint8"):
        table.with_cell((0, 0), value)


@pytest.mark.parametrize("value", ["many", [1, 2], object()])
def test_a_physical_cell_takes_one_number(value):
    with pytest.raises(UsageError, match="does not fit"):
        grid().with_cell((0, 0), value)


def test_a_raw_cell_takes_whole_floats():
    table = Table("KF", np.array([1, 2], np.uint8), ())
    assert table.with_cell((1,), 255.0).values.tolist() == [1, 255]


def test_a_longer_word_is_not_cut():
    table = Table("KW", np.array(["Off", "On"]), ())
    changed = table.with_cell((1,), "Automatic")
    assert changed.values.tolist() == ["Off", "Automatic"]
    assert table.with_cell((0,), "X").values.tolist() == ["X", "On"]
    mixed = Table("KW", np.array(["Off", 1.5], object), ())
    assert mixed.with_cell((1,), "Automatic").values.tolist() == ["Off", "Automatic"]


def test_equality_is_by_content():
    assert grid() == grid()
    assert grid() != grid().with_cell((0, 0), 9)
    assert curve() != grid()
    assert Axis("a", X.points) == Axis("a", X.points.copy())
    assert Axis("a", X.points) != Axis("a", X.points, "s")
    assert Axis("a", X.points) != Axis("a", X.points[:2])
    holes = Table("N", np.array([np.nan, 1.0]), ())
    assert holes == Table("N", np.array([np.nan, 1.0]), ())
    words = Table("W", np.array(["a", "b"]), ())
    assert words == Table("W", np.array(["a", "b"]), ())
    assert words != Table("W", np.array([1.0, 2.0]), ())
    assert Axis("a", X.points) != "a"
    assert grid() != "KF"
    with pytest.raises(TypeError):
        hash(grid())


def test_html_is_escaped():
    named = Table(
        "<b>", np.array([[1.0]]), (Axis("", np.array([2]), "<i>"), Axis("", np.array([3])))
    )
    assert named._repr_html_() == (
        "<table><caption>&lt;b&gt;</caption><thead><tr><th>y \\ &lt;i&gt;</th><th>2</th></tr></thead>"
        "<tbody><tr><th>3</th><td>1</td></tr></tbody></table>"
    )
    words = Table("KW", np.array(["<on>"]), ())
    assert words._repr_html_() == (
        "<table><caption>KW</caption><tbody><tr><td>&lt;on&gt;</td></tr></tbody></table>"
    )
