"""Any set: one outcome per entry, nothing else moves, and a second time nothing is left to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from support.parameters import Bench, described
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis

CATALOG = described()
NAMES = [
    *CATALOG.characteristics,
    *CATALOG.axis_pts,
    "blob",
    "rpm",
    "nothing",
    "coded.1",
    "pid[1].p",
]
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 5, 10, 20, 99, 100.04, 800, 2000, 4500, -1, 300]),
    st.floats(width=32),
    st.integers(-(2**70), 2**70),
)
TEXTS = st.sampled_from(["on", "off", "auto", "Manual", "REV D", "", "much too long", "日"])
SHAPES = st.sampled_from([(2,), (3,), (6,), (2, 3), (3, 2), (2, 2), (2, 2, 2), (1,), (0,)])


@st.composite
def arrays(draw, shapes=SHAPES):
    shape = draw(shapes)
    items = draw(
        st.lists(
            st.one_of(NUMBERS, TEXTS) if draw(st.integers(0, 4)) == 0 else NUMBERS,
            min_size=int(np.prod(shape)),
            max_size=int(np.prod(shape)),
        )
    )
    whole = all(isinstance(one, int | float) for one in items)
    small = whole and all(abs(one) < 2**60 for one in items if one == one)
    made = np.empty(len(items), dtype=float if small else object)
    made[:] = items
    if draw(st.booleans()) and small and np.isfinite(made).all():
        made = np.sort(made)
    return made.reshape(shape)


@st.composite
def axes(draw):
    values = draw(st.one_of(st.none(), arrays(st.sampled_from([(2,), (3,), (4,)]))))
    return SetAxis(draw(st.sampled_from(AxisKind)), values, draw(st.sampled_from(["", "ax", "cx"])))


def saved(*, raw):
    bench = Bench()
    return list(extract(bench.catalog, bench.read, on_problem=bench.tell, raw=raw))


SAVED = saved(raw=False) * 3 + saved(raw=True)


@st.composite
def mutated(draw, values):
    """The same with something else in some places; whole numbers and texts may take their place."""
    if isinstance(values, np.ndarray):
        made = values.astype(object)
        for _ in range(draw(st.integers(0, 3))):
            place = tuple(draw(st.integers(0, n - 1)) for n in made.shape)
            made[place] = draw(st.one_of(NUMBERS, st.sampled_from([int(place[0]) + 1, 3, 7])))
        floats = values.dtype.kind != "O" and all(type(one) is float for one in made.ravel())
        return made.astype(float) if floats else made
    if isinstance(values, bytes):
        return draw(st.one_of(st.binary(min_size=4, max_size=4), st.just(values)))
    return draw(TEXTS if isinstance(values, str) else NUMBERS)


@st.composite
def near(draw):
    """An entry as memory has it, more or less."""
    one = draw(st.sampled_from(SAVED))
    points = [
        replace(axis, values=None if axis.values is None else draw(mutated(axis.values)))
        if draw(st.integers(0, 3)) == 0
        else axis
        for axis in one.axes
    ]
    return replace(one, values=draw(mutated(one.values)), axes=tuple(points))


@st.composite
def far(draw):
    """An entry of anything."""
    return Entry(
        draw(st.sampled_from(NAMES)),
        draw(st.sampled_from(EntryKind)),
        draw(st.one_of(NUMBERS, TEXTS, arrays(), st.binary(max_size=5))),
        tuple(draw(st.lists(axes(), max_size=3))),
        unit=draw(st.sampled_from(["", "1/min", "x"])),
        variant=draw(st.sampled_from([(), (("Gear", "Manual"),), (("Gear", "Automatic"),)])),
        is_raw=draw(st.booleans()),
    )


ENTRIES = st.one_of(near(), near(), near(), far())


@given(
    st.lists(ENTRIES, min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from(["refuse", "keep", "interpolate"]),
)
@settings(max_examples=250, deadline=None)
def test_any_set_is_planned_to_its_end(given_entries, clamp, on_axis):
    values = ParameterSet(given_entries)
    bench = Bench()
    before = bench.whole()
    plan = plan_apply(values, bench.catalog, bench.read, clamp=clamp, on_axis=on_axis)
    assert bench.whole() == before
    assert [one.key for one in plan.outcomes] == list(values.keys)
    for one in plan.outcomes:
        assert one.outcome.is_taken or one.text
        assert one.outcome.is_taken or one.outcome == "read only" or not one.writes
    touched = {address.value + n for address, data in plan.writes for n in range(len(data))}
    bench.write(plan.writes)
    now = bench.whole()
    assert {0x100 + n for n in range(len(now)) if now[n] != before[n]} <= touched
    assert plan.size_bytes == len(touched)  # no byte is sent twice
    if any(values.get("gear") or one.name == "gear" for one in values):
        return  # which variant is in effect has changed; entries without one mean another place
    again = plan_apply(values, bench.catalog, bench.read, clamp=clamp, on_axis=on_axis)
    assert again.writes == ()


@given(st.binary(min_size=256, max_size=256))
@settings(max_examples=40, deadline=None)
def test_whatever_memory_holds_comes_back(data):
    bench = Bench()
    address = bench.catalog.bind("speed").address
    bench.memory.write(address, data)
    saved = extract(bench.catalog, bench.read, on_problem=bench.tell, raw=True)
    bench.memory.write(address, bytes(256))
    plan = plan_apply(saved, bench.catalog, bench.read)
    bench.write(plan.writes)
    back = extract(bench.catalog, bench.read, on_problem=bench.tell, raw=True)
    refused = [one.name for one in plan.refused]
    found = compare(saved.filter(only=lambda e: e.name not in refused), back)
    assert not [d.name for d in found.changed if d.name not in refused]
