"""Selections and operations on any table: cells that are not meant stay, any text is a selection or an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xcaliper.calib.display import surface_of, table_html, table_text
from xcaliper.calib.map_operations import (
    clip_cells,
    fill_cells,
    interpolate_cells,
    offset_cells,
    scale_cells,
    set_cells,
    smooth_cells,
)
from xcaliper.calib.map_selection import select
from xcaliper.calib.values import Axis, Table
from xcaliper.core.errors import UsageError

shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def tables(draw, *, elements=numbers):
    shape = draw(shapes)
    values = draw(hnp.arrays(np.float64, shape, elements=elements))
    axes = tuple(
        Axis(f"A{at}", np.cumsum(draw(hnp.arrays(np.float64, n, elements=st.floats(0.5, 100)))))
        for at, n in enumerate(reversed(shape))
    )
    return Table("T", values, axes)


@st.composite
def parts(draw):
    table = draw(tables())
    return table, draw(hnp.arrays(np.bool_, table.shape))


OPERATIONS = [
    lambda table, mask: set_cells(table, 1.5, where=mask),
    lambda table, mask: offset_cells(table, -3, where=mask),
    lambda table, mask: scale_cells(table, 1.1, where=mask),
    lambda table, mask: clip_cells(table, -10, 10, where=mask),
    lambda table, mask: smooth_cells(table, 2, where=mask),
    lambda table, mask: interpolate_cells(table, where=mask),
    lambda table, mask: fill_cells(table, where=mask),
    lambda table, mask: fill_cells(table, "left", where=mask),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=range(len(OPERATIONS)))
@given(parts())
def test_cells_that_are_not_selected_stay(operation, part):
    table, mask = part
    before = table.values.copy()
    try:
        changed = operation(table, mask)
    except UsageError:
        changed = table
    assert changed.values[~mask].tobytes() == before[~mask].tobytes()
    assert table.values.tobytes() == before.tobytes()
    assert changed.shape == table.shape


@given(parts())
def test_means_and_courses_stay_between_what_they_come_from(part):
    table, mask = part
    low, high = table.values.min(), table.values.max()
    room = 1e-9 * max(abs(low), abs(high), 1)
    for operation in OPERATIONS[4:]:
        try:
            values = operation(table, mask).values
        except UsageError:
            continue
        assert values.min() >= low - room
        assert values.max() <= high + room


@given(tables(), st.text("xyzA012 .<>=!,[]-eEinfa", max_size=24))
def test_any_text_is_a_selection_or_an_error(table, text):
    try:
        mask = select(table, text)
    except UsageError:
        return
    assert mask.shape == table.shape
    assert mask.any()


@given(tables(), numbers, numbers)
def test_ranges_mean_what_they_say(table, one, other):
    low, high = min(one, other), max(one, other)
    wanted = (table.values > low) & (table.values < high)
    try:
        mask = select(table, f"value {low!r}..{high!r}")
    except UsageError:
        assert not wanted.any()
        return
    assert mask[wanted].all()
    edge = np.isclose(table.values, low, rtol=1e-5) | np.isclose(table.values, high, rtol=1e-5)
    assert not mask[~wanted & ~edge].any()


@given(tables(elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_anything_can_be_shown(table):
    assert table_text(table).startswith("T\n")
    assert table_html(table).count("<table>") == table_html(table).count("</table>")
    assert surface_of(table, width=20).startswith("T, ")
