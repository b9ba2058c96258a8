"""Parameter sets through files: what was written comes back; any bytes give a set or our error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from support.parameter_files import FOLDER, latin, problems_of
from xcaliper.calib.formats.cdf import read_cdf, write_cdf
from xcaliper.calib.formats.cvx import read_cvx
from xcaliper.calib.formats.json_set import read_json, write_json
from xcaliper.calib.formats.model import ReadSet
from xcaliper.calib.formats.paco import read_paco
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import ParameterSetError

# Characters of XML; descriptive texts have no blanks around them in CDF.
letters = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
)
exact = st.text(letters | st.sampled_from("\t\n\r <&>\"'"), max_size=8)
told = exact.map(str.strip)
names = st.text(letters, min_size=1, max_size=8).map(str.strip).filter(bool)
numbers = st.integers(-(2**70), 2**70) | st.floats()
cells = numbers.filter(lambda n: not isinstance(n, int) or abs(n) < 2**53) | exact
history = st.builds(
    HistoryEntry, told, told, told, told, told, told, told, told, told,
    st.lists(told, max_size=2).map(tuple), st.lists(st.tuples(exact, told), max_size=2).map(tuple),
)  # fmt: skip
flags = st.builds(Flag, told, told, told, told, st.lists(told, max_size=2).map(tuple))
dtypes = st.sampled_from([np.int64, np.uint64, np.float64, np.float32, np.uint8])


def table(dimensions: int, *, least: int = 1) -> st.SearchStrategy:
    shapes = arrays.array_shapes(
        min_dims=dimensions, max_dims=dimensions, min_side=least, max_side=3
    )
    return shapes.flatmap(
        lambda shape: st.one_of(
            dtypes.flatmap(lambda dtype: arrays.arrays(dtype, shape)),
            arrays.arrays(object, shape, elements=cells),
        )
    )


@st.composite
def entries(draw, name: str, variant: tuple = ()) -> Entry:
    kind = draw(st.sampled_from([k for k in EntryKind if k is not EntryKind.BLOB]))
    category = ""
    if kind is EntryKind.VALUE:
        values = draw(numbers | exact)
    elif kind is EntryKind.ASCII:
        values = draw(exact)
    elif kind is EntryKind.VAL_BLK:
        values = draw(st.integers(1, 3).flatmap(table))
    elif kind is EntryKind.AXIS_PTS and draw(st.booleans()):
        values, category = draw(arrays.arrays(np.float64, (draw(st.integers(1, 3)), 2))), "RES_AXIS"
    else:
        sizes = {"AXIS_PTS": 1, "CURVE": 1, "MAP": 2, "CUBOID": 3, "CUBE_4": 4, "CUBE_5": 5}
        values = draw(table(sizes[kind]))
    axes = []
    if kind in (EntryKind.CURVE, EntryKind.MAP, EntryKind.CUBOID):
        for count in reversed(values.shape):
            axis = draw(st.sampled_from([k for k in AxisKind if k is not AxisKind.CURVE]))
            ref = draw(names) if axis in (AxisKind.COM, AxisKind.RES) else ""
            points = None
            if not ref or draw(st.booleans()):
                points = draw(arrays.arrays(np.float64, (count,)))
            axes.append(SetAxis(axis, points, ref, draw(exact), draw(exact)))
    return Entry(
        name, kind, values, tuple(axes), draw(exact), draw(told), draw(told),
        draw(st.lists(names, max_size=2).map(tuple)), variant,
        draw(st.lists(history, max_size=2).map(tuple)), draw(st.lists(flags, max_size=2).map(tuple)),
        category,
    )  # fmt: skip


@st.composite
def sets(draw) -> ParameterSet:
    made = [draw(entries(name)) for name in draw(st.lists(names, max_size=4, unique=True))]
    if made and draw(st.booleans()):
        # The same parameter in two variants.
        first, other = made[0], draw(names)
        made[:1] = [
            replace(first, variant=((other, value),), functions=first.functions[:count])
            for value, count in (("a", 2), ("b", draw(st.integers(0, 2))))
        ]
    functions = st.builds(CollectionInfo, names, told, exact, st.booleans())
    return ParameterSet(
        made,
        name=draw(names),
        origin=Origin(draw(told), draw(exact), draw(told), draw(told), draw(exact), draw(exact)),
        functions=draw(st.lists(functions, max_size=2, unique_by=lambda one: one.name)),
        criteria=draw(
            st.dictionaries(names, st.lists(exact, max_size=2).map(tuple), max_size=2)
        ).items(),
        comments=draw(st.lists(exact, max_size=2)),
    )


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(sets())
def test_a_set_comes_back_from_cdf_and_json(values: ParameterSet) -> None:
    data = write_cdf(values)
    assert problems_of(data) == []
    for read in (read_cdf(data), read_json(write_json(values))):
        assert read.diagnostics == ()
        assert {one.key: one for one in read.values} == {one.key: one for one in values}
        assert read.values.name == values.name
        assert read.values.origin == values.origin
        assert read.values.functions == values.functions
        assert dict(read.values.criteria) == dict(values.criteria)
        assert read.values.comments == values.comments


READERS = {"cdf": read_cdf, "paco": read_paco, "cvx": read_cvx, "json": read_json}
SEEDS = [
    latin(path.name)
    for path in sorted(FOLDER.iterdir())
    if path.suffix in (".cdfx", ".xml", ".cvx")
]
SEEDS += [write_json(read_cdf(latin("engine.cdfx")).values)]


def outcome(reader, data: bytes) -> None:
    try:
        read = reader(data, source="any")
    except ParameterSetError:
        return
    assert isinstance(read, ReadSet)
    for entry in read.values:
        assert entry.name
        assert isinstance(entry.kind, EntryKind)


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes) -> None:
    outcome(READERS[name], data)


@settings(deadline=None, max_examples=250)
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.binary(max_size=6)
            | st.sampled_from(
                [b"<V>", b"</V>", b"<VG>", b"]", b"{", b'"', b";;", b"\n;", b"1e5", b"@"]
            ),
        ),
        max_size=4,
    ),
    cut=st.floats(0, 1) | st.none(),
)
def test_any_damage(seed: bytes, edits: list, cut: float | None) -> None:
    data = seed
    for where, remove, insert in edits:
        at = int(where * len(data))
        data = data[:at] + insert + data[at + remove :]
    if cut is not None:
        data = data[: int(cut * len(data))]
    for reader in READERS.values():
        outcome(reader, data)
