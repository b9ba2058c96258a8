"""Random parameter sets, and sets as plain data that can be compared."""

from dataclasses import fields
from math import isnan

import numpy as np
from hypothesis import strategies as st

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

AXES = {"CURVE": 1, "MAP": 2, "CUBOID": 3, "CUBE_4": 4, "CUBE_5": 5}


def plain(values):
    """A set as nested tuples; NaN equals itself, and whole numbers differ from floats."""
    head = (values.name, values.origin, values.functions, tuple(values.criteria.items()))
    return (head, [entry(one) for one in values])


def entry(one):
    """An entry as nested tuples."""
    return tuple(
        (f.name, cell(getattr(one, f.name))) for f in fields(one) if f.name not in ("where",)
    )


def cell(value):
    """Values as nested tuples, with their types."""
    if isinstance(value, np.ndarray):
        return (value.shape, tuple(cell(v) for v in value.ravel().tolist()))
    if isinstance(value, SetAxis):
        return tuple(cell(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple):
        return tuple(map(cell, value))
    if isinstance(value, float):
        return "nan" if isnan(value) else repr(value)
    return value


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=6)
"""Any text of one line."""
_word = st.text(st.sampled_from("abcXYZ_019"), max_size=4)
names = st.builds(
    lambda first, rest, tail: first + rest + tail,
    st.sampled_from("aBx_"),
    _word,
    st.sampled_from(["", ".part", "[0]", "[1][2].x"]),
)
whole = st.integers(-(2**63), 2**63 - 1)
numbers = st.one_of(whole, st.floats())


def arrays(shape, cells=None):
    """Arrays of a shape: whole numbers, floats or texts."""
    count = int(np.prod(shape))

    def of(one, dtype):
        return st.lists(one, min_size=count, max_size=count).map(
            lambda found: filled(found, dtype).reshape(shape)
        )

    if cells is not None:
        return of(cells, object)
    return st.one_of(of(whole, np.int64), of(st.floats(), np.float64), of(texts, object))


def filled(found, dtype):
    out = np.empty(len(found), dtype=dtype)
    out[:] = found
    return out


@st.composite
def entries(draw, kinds=tuple(EntryKind), axis_kinds="any", history=True, raw=True):
    """One entry.

    ``axis_kinds`` is ``any``, or ``dcm``: what its blocks can tell apart.
    """
    kind = EntryKind(draw(st.sampled_from([str(k) for k in kinds])))
    axes = ()
    if kind == EntryKind.VALUE:
        values = draw(st.one_of(numbers, texts))
    elif kind == EntryKind.ASCII:
        values = draw(texts)
    elif kind == EntryKind.BLOB:
        values = draw(st.binary(min_size=1, max_size=8))
    else:
        count = AXES.get(str(kind), 1 if kind == EntryKind.AXIS_PTS else draw(st.integers(1, 2)))
        shape = tuple(draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)))
        values = draw(arrays(shape))
        if str(kind) in AXES:
            axes = draw(axes_of(shape, axis_kinds))
    return Entry(
        draw(names),
        kind,
        values,
        axes=axes,
        unit=draw(texts),
        long_name=draw(texts),
        display_name=draw(texts),
        functions=tuple(draw(st.lists(names, max_size=2))),
        variant=tuple(draw(st.dictionaries(names, names, max_size=2)).items()),
        history=tuple(draw(st.lists(histories, max_size=2))) if history else (),
        flags=tuple(draw(st.lists(flags, max_size=1))) if history else (),
        category=draw(texts) if history else "",
        is_raw=draw(st.booleans()) if raw else False,
    )


@st.composite
def axes_of(draw, shape, axis_kinds):
    found = []
    only = draw(st.sampled_from([AxisKind.STD, AxisKind.FIX, AxisKind.COM]))
    mixed = only == AxisKind.COM and len(shape) > 1 and draw(st.booleans())
    for n, count in enumerate(reversed(shape)):
        kind = draw(st.sampled_from(list(AxisKind))) if axis_kinds == "any" else only
        if axis_kinds == "dcm" and mixed and n == 1:
            kind = AxisKind.STD
        shared = kind in (AxisKind.COM, AxisKind.RES, AxisKind.CURVE)
        points = draw(arrays((count,)))
        if axis_kinds == "any" and shared and draw(st.booleans()):
            points = None
        ref = "shared_" + draw(names) if shared else ""
        quantity = draw(texts) if axis_kinds == "any" else ""
        found.append(SetAxis(kind, points, ref, draw(texts), quantity))
    return tuple(found)


histories = st.builds(
    HistoryEntry,
    **{f.name: texts for f in fields(HistoryEntry) if f.name not in ("remark", "special")},
    remark=st.lists(texts, max_size=2).map(tuple),
    special=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
)
flags = st.builds(
    Flag,
    category=texts,
    flag=texts,
    user=texts,
    date=texts,
    remark=st.lists(texts, max_size=2).map(tuple),
)
origins = st.builds(Origin, **{f.name: texts for f in fields(Origin)})


@st.composite
def sets(draw, head=True, collections=True, **of_entries):
    """A set; names of entries do not repeat."""
    found = draw(st.lists(entries(**of_entries), max_size=3))
    unique = list({one.key: one for one in found}.values())
    if not head:
        return ParameterSet(unique)
    functions = st.builds(
        CollectionInfo,
        name=names,
        version=texts,
        long_name=texts,
        is_collection=st.booleans() if collections else st.just(False),
    )
    criteria = st.dictionaries(names, st.lists(names, max_size=2).map(tuple), max_size=2)
    return ParameterSet(
        unique,
        name=draw(texts),
        origin=draw(origins),
        functions=draw(st.lists(functions, max_size=2)),
        criteria=draw(criteria).items(),
    )
