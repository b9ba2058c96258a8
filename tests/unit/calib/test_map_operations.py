"""Operations on the cells of curves, maps and blocks, and how cells are selected."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.calib.map_operations import (
    clip_cells,
    fill_cells,
    interpolate_cells,
    offset_cells,
    scale_cells,
    set_cells,
    smooth_cells,
)
from xcaliper.calib.map_selection import axis_positions, block_of, select
from xcaliper.calib.values import Axis, Table
from xcaliper.core.errors import UsageError

X = Axis("Speed", np.array([500.0, 1000.0, 2000.0, 4000.0]), "rpm")
Y = Axis("Load", np.array([10.0, 50.0, 90.0]), "%")
GEAR = Axis("Gear", np.array(["N", "D", "R"], dtype=object))
NAN = float("nan")


def grid(*rows, y=Y):
    made = rows or ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0])
    return Table("KF", np.array(made), (X, y), "Nm")


def curve(*values):
    return Table("KL", np.array(values), (X,), "Nm")


def shown(mask):
    return ["".join("#" if cell else "." for cell in row) for row in np.atleast_2d(mask)]


@pytest.mark.parametrize(
    ("conditions", "rows"),
    [
        ((), ["####", "####", "####"]),
        (("x 1000..3000",), [".##.", ".##.", ".##."]),
        (("x 1000..3000", "y > 10"), ["....", ".##.", ".##."]),
        (("x 1000 .. 3000, y >= 50",), ["....", ".##.", ".##."]),
        (("x ..1000",), ["##..", "##..", "##.."]),
        (("x 2000..",), ["..##", "..##", "..##"]),
        (("Speed < 1000",), ["#...", "#...", "#..."]),
        (("Load<=50",), ["####", "####", "...."]),
        (("y = 50",), ["....", "####", "...."]),
        (("y != 50",), ["####", "....", "####"]),
        (("x[1..2], y[0]",), [".##.", "....", "...."]),
        (("x[3]",), ["...#", "...#", "...#"]),
        (("y[1..]",), ["....", "####", "####"]),
        (("value 3..6",), ["..##", "##..", "...."]),
        (("value > 3", "x < 2000"), ["....", "##..", "##.."]),
        (("value .5..50, x 1e3..0.3e4",), [".##.", ".##.", ".##."]),
    ],
)
def test_select(conditions, rows):
    assert shown(select(grid(), *conditions)) == rows


def test_numbers_are_compared_as_they_are_shown():
    thirds = Table("KL", np.zeros(3), (Axis("", np.array([1 / 3, 2 / 3, 1.0])),))
    assert shown(select(thirds, "x = 0.333333")) == ["#.."]
    assert shown(select(thirds, "x 0.333334..0.666667")) == [".#."]
    assert shown(select(thirds, "x > 0.333333")) == [".##"]
    assert shown(select(thirds, "x < 0.666667")) == ["#.."]
    assert shown(select(thirds, "x >= 0.666667")) == [".##"]


def test_text_points_and_text_values():
    gears = grid(y=GEAR)
    assert shown(select(gears, "y = D")) == ["....", "####", "...."]
    assert shown(select(gears, "Gear != 'D'")) == ["####", "....", "####"]
    words = Table("KW", np.array(["ON", "OFF"], dtype=object), ())
    assert shown(select(words, "value = ON")) == ["#."]
    with pytest.raises(UsageError, match="texts have no order"):
        select(gears, "y > D")


def test_names_of_axes_win_over_their_letters():
    odd = Table("K", np.zeros((2, 2)), (Axis("y", np.array([1, 2])), Axis("Arr[0].n", [3, 4])))
    assert shown(select(odd, "y = 1")) == ["#.", "#."]
    assert shown(select(odd, "Arr[0].n = 4")) == ["..", "##"]
    assert shown(select(odd, "Arr[0].n[0]")) == ["##", ".."]


def test_blocks_without_axes_count_their_positions():
    block = np.arange(24).reshape(2, 3, 4)
    assert select(block, "z[1], y = 2, x 1..2").sum() == 2
    assert axis_positions(block, 2).tolist() == [0, 1]
    assert select(np.array(5.0)).shape == ()
    five = np.zeros((2, 2, 1, 1, 3))
    assert select(five, "5[1]").sum() == 6
    assert select(five, "4 = 0").sum() == 6


def test_missing_numbers_can_be_selected():
    assert shown(select(curve(1.0, NAN, 3.0, NAN), "value = nan")) == [".#.#"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("x 5000..9000", "no cell meets 'x 5000..9000'; the axis goes from 500 to 4000"),
        ("value > 99", "no cell meets 'value > 99'"),
        ("x[7]", "no cell meets"),
        ("x 3000..1000", "range is empty"),
        ("x nan..1", "range is empty"),
        ("x ..", "no range"),
        ("x[..]", "no range"),
        ("x[]", "no number"),
        ("x > fast", "'fast' is no number"),
        ("x 1000", "no range"),
        ("y > 50,5", "'5' is no condition"),
        ("z > 1", "2 dimensions"),
        ("w > 1", "no condition"),
        ("value[1]", "only axes have positions"),
        ("", "no condition"),
        (",".join(["x > 1"] * 33), "33 conditions"),
    ],
)
def test_conditions_that_mean_nothing(condition, words):
    with pytest.raises(UsageError, match=words.replace("[", r"\[").replace("..", r"\.\.")):
        select(grid(), condition)


def test_an_axis_with_less_points_than_cells():
    short = Table("KL", np.zeros(4), (Axis("", np.array([1, 2])),))
    assert shown(select(short, "x[1..2]")) == [".##."]
    with pytest.raises(UsageError, match="2 points for 4 cells"):
        select(short, "x > 1")


def test_block_of():
    assert block_of(select(grid(), "value > 3")) is None
    rows, columns = block_of(select(grid(), "x != 1000", "y > 10"))
    assert (rows.tolist(), columns.tolist()) == ([1, 2], [0, 2, 3])


def test_set_offset_scale_clip():
    where = select(grid(), "x 1000..2000, y > 10")
    assert set_cells(grid(), 0, where=where).values.tolist() == [
        [1, 2, 3, 4], [5, 0, 0, 8], [9, 0, 0, 12],
    ]  # fmt: skip
    assert offset_cells(grid(), -1.5, where=where).values[1].tolist() == [5, 4.5, 5.5, 8]
    assert scale_cells(grid(), 0.5, where=where).values[2].tolist() == [9, 5, 5.5, 12]
    assert clip_cells(grid(), 6.5, 10.5, where=where).values[1:].tolist() == [
        [5, 6.5, 7, 8], [9, 10, 10.5, 12],
    ]  # fmt: skip
    assert clip_cells(grid(), upper=2).values.max() == 2
    assert clip_cells(grid(), lower=2).values.min() == 2


def test_the_given_table_stays():
    table = grid()
    for changed in (
        set_cells(table, 0), offset_cells(table, 1), scale_cells(table, 2), clip_cells(table, 3, 4),
        interpolate_cells(table), smooth_cells(table), fill_cells(table, where=select(table, "x[0]")),
        fill_cells(table, "left", where=select(table, "x[2]")),
    ):  # fmt: skip
        assert (changed.name, changed.unit, changed.axes) == ("KF", "Nm", table.axes)
        assert changed.values is not table.values
    assert table == grid()


def test_cells_that_are_not_selected_keep_their_last_bit():
    deep = np.array([0.1 + 0.2, 2**53 + 2.0, NAN, 1.0])
    changed = offset_cells(deep, 1, where=np.array([False, False, False, True]))
    assert changed.tobytes()[:24] == deep.tobytes()[:24]
    whole = np.array([2**64 - 1, 3], np.uint64)
    assert offset_cells(whole, 1, where=np.array([False, True])).tolist() == [2**64 - 1, 4]


def test_whole_numbers_stay_whole_where_they_can():
    raw = np.array([1, 2, 250], np.uint8)
    assert offset_cells(raw, 5).dtype == np.uint8
    assert offset_cells(raw, 5).tolist() == [6, 7, 255]
    assert offset_cells(raw, 6).tolist() == [
        7.0,
        8.0,
        256.0,
    ]  # the write refuses it; it does not wrap
    assert scale_cells(raw, 0.5).tolist() == [0.5, 1.0, 125.0]
    assert scale_cells(np.array([1.5], np.float32), 2).tolist() == [3.0]
    assert set_cells(np.array([True, False]), 1).tolist() == [1, 1]


def test_texts_can_be_set():
    words = Table("KW", np.array(["ON", "OFF"]), ())
    assert set_cells(words, "AUTOMATIC", where=select(words, "x[1]")).values.tolist() == [
        "ON", "AUTOMATIC",
    ]  # fmt: skip


def test_interpolate_a_curve_by_its_axis():
    found = interpolate_cells(curve(0.0, 9.0, 9.0, 35.0))
    assert found.values.tolist() == pytest.approx([0, 5, 15, 35])  # 0.01 Nm per rpm from 500
    part = interpolate_cells(curve(0.0, 9.0, 9.0, 39.0), where=select(curve(0, 0, 0, 0), "x > 500"))
    assert part.values.tolist() == pytest.approx([0, 9, 19, 39])


def test_interpolate_a_map_from_its_corners():
    table = grid([0.0, 9, 9, 35], [9, 9, 9, 9], [40.0, 9, 9, 75])
    assert interpolate_cells(table).values == pytest.approx(
        np.array([[0, 5, 15, 35], [20, 25, 35, 55], [40, 45, 55, 75]])
    )
    rows = interpolate_cells(table, along="x").values
    assert rows[0] == pytest.approx(np.array([0, 5, 15, 35]))
    assert rows[1].tolist() == [9, 9, 9, 9]
    columns = interpolate_cells(table, along="y").values
    assert columns[1] == pytest.approx(np.array([20, 9, 9, 55]))


def test_interpolate_falling_axes_and_positions():
    falling = Table("KL", np.array([0.0, 9.0, 30.0]), (Axis("", np.array([30, 20, 0])),))
    assert interpolate_cells(falling).values.tolist() == pytest.approx([0, 10, 30])
    assert interpolate_cells(np.array([0.0, 9.0, 9.0, 3.0])).tolist() == pytest.approx([0, 1, 2, 3])
    cube = np.zeros((3, 3, 3))
    cube[2, 2, 2] = 8.0
    assert interpolate_cells(cube)[1, 1, 1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("table", "along", "where", "words"),
    [
        (grid(), "", ("value > 5",), "no block"),
        (grid(), "", ("x[0..1]", "y[0..1]"), "no cell lies between"),
        (grid(), "x", ("x[0..1]",), "no cell lies between"),
        (grid(), "z", (), "no axis 'z'"),
        (grid(y=GEAR), "y", (), "points of its y axis are texts"),
        (grid(y=Axis("", np.array([1, 1, 2]))), "", (), "neither rise nor fall"),
        (curve(NAN, 1.0, 2.0, 3.0), "", (), "no number in some cells"),
    ],
)
def test_what_cannot_be_interpolated(table, along, where, words):
    with pytest.raises(UsageError, match=words):
        interpolate_cells(table, along=along, where=select(table, *where))


def test_text_axes_can_be_left_aside():
    assert interpolate_cells(grid(y=GEAR), along="x").values[0, 0] == 1


def test_smooth():
    assert smooth_cells(np.array([0.0, 4.0, 0.0])).tolist() == pytest.approx([4 / 3, 2, 4 / 3])
    peak = np.zeros((3, 3))
    peak[1, 1] = 16.0
    assert smooth_cells(peak, where=select(peak, "x[1], y[1]"))[1].tolist() == [0, 4, 0]
    assert smooth_cells(peak, along="x")[0].tolist() == [0, 0, 0]
    assert smooth_cells(peak, along="x")[1].tolist() == pytest.approx([16 / 3, 8, 16 / 3])
    flat = np.full((4, 5), 2.5)
    assert smooth_cells(flat, 10).tolist() == flat.tolist()
    assert np.ptp(smooth_cells(peak, 5)) < np.ptp(smooth_cells(peak, 1))


def test_smooth_leaves_missing_numbers_alone():
    found = smooth_cells(np.array([1.0, NAN, 4.0, 1.0]))
    assert found[[0, 2, 3]].tolist() == pytest.approx([1, 3, 2])
    assert np.isnan(found[1])


def test_fill_a_hole_of_a_curve_is_a_straight_line():
    table = curve(1.0, NAN, 99.0, 8.0)
    assert fill_cells(table, where=select(table, "x 1000..2000")).values.tolist() == pytest.approx(
        [1, 2, 4, 8]  # 0.002 Nm per rpm
    )
    border = fill_cells(table, where=select(table, "x <= 2000"))
    assert border.values.tolist() == pytest.approx([8, 8, 8, 8])


def test_fill_a_hole_of_a_map():
    plane = np.add.outer(Y.points, X.points / 100)  # a plane is as smooth as can be
    table = Table("KF", plane.copy(), (X, Y))
    table.values[1, 1:3] = NAN
    assert fill_cells(table, where=select(table, "value = nan")).values == pytest.approx(plane)
    cross = np.array([[0.0, 1.0, 0.0], [2.0, NAN, 4.0], [0.0, 5.0, 0.0]])
    assert fill_cells(cross, where=select(cross, "value = nan"))[1, 1] == pytest.approx(3.0)


def test_fill_from_a_side():
    where = select(grid(), "x 1000..2000, y > 10")
    sides = {
        "left": [[5, 5, 5, 8], [9, 9, 9, 12]],
        "right": [[5, 8, 8, 8], [9, 12, 12, 12]],
        "up": [[5, 2, 3, 8], [9, 2, 3, 12]],
    }
    for side, rows in sides.items():
        assert fill_cells(grid(), side, where=where).values[1:].tolist() == rows
    top = select(grid(), "y[0..1]")
    assert fill_cells(grid(), "down", where=top).values[0].tolist() == [9, 10, 11, 12]
    words = np.array(["a", "b", "c"])
    assert fill_cells(words, "left", where=select(words, "x[1]")).tolist() == ["a", "a", "c"]


@pytest.mark.parametrize(
    ("values", "source", "where", "words"),
    [
        (grid(), "around", (), "no cells to fill from"),
        (curve(1.0, NAN, 3.0, 4.0), "around", ("x[0]",), "missing numbers to fill from"),
        (grid(), "left", ("x[0]",), "nothing is left"),
        (curve(1.0, 2.0, 3.0, 4.0), "up", ("x[0]",), "no cells up"),
        (grid(), "above", ("x[0]",), "no source 'above'"),
        (np.zeros((60, 60)), "around", ("x[1..50]",), "3000 cells at once"),
        (np.array(["a", "b"]), "around", ("x[0]",), "texts"),
    ],
)
def test_what_cannot_be_filled(values, source, where, words):
    with pytest.raises(UsageError, match=words):
        fill_cells(values, source, where=select(values, *where))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: set_cells(grid(), NAN), "nan is no number"),
        (lambda: set_cells(grid(), "ON"), "'ON' is a text"),
        (lambda: offset_cells(grid(), float("inf")), "inf is no number"),
        (lambda: scale_cells(grid([1e308] * 4, [1.0] * 4, [1.0] * 4), 1e308), "no number in some"),
        (lambda: clip_cells(grid(), 5, 4), "leaves nothing"),
        (lambda: smooth_cells(grid(), 0), "0 passes"),
        (lambda: smooth_cells(grid(), 1001), "1001 passes"),
        (lambda: offset_cells(Table("KW", np.array(["a"]), ()), 1), "texts"),
        (lambda: offset_cells(grid(), 1, where=np.ones(3, bool)), "a selection of shape"),
        (lambda: interpolate_cells(np.array(1.0), along="x"), "no axis 'x'"),
    ],
)
def test_what_operations_refuse(act, words):
    with pytest.raises(UsageError, match=words):
        act()
