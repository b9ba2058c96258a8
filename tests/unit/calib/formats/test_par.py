"""CANape PAR, held against files made by hand."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.set_ecu import catalog, values
from support.set_strategies import cell, plain
from xcaliper.calib.formats.par import with_kinds
from xcaliper.calib.formats.table import read_set, write_set
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, Origin, ParameterSet, SetAxis
from xcaliper.core.errors import ParameterSetError, PlanError, UsageError

#: By hand after the open implementations' agreement; both versions' ways to begin a block.
WHOLE = """\
CANape PAR V3.2: "my ecu.a2l" 1 0 ECU one
; a comment
Speed [UINT(16)] 7805 ; 780.5
Inst.part[0] Device_2 [INT(8)] -1 ; -1
Label [STRING(8)] 82 69 86 32 67 0 0 0 ; REV C
Block [FLOAT(32),(2,3)]
: 1.5 ; 1.5
: -2
: 0.25
: 4
: 5
: 6
Row [UINT(8),(1,3)] : 1 ; 0.1
: 2 ; 0.2
: 0xFF ; 25.5
Curve [INT(32),(1,2)]
: -15 ; -1.5
: 70 ; 7
X : 80 ; 8
X : 200 ; 20
Map [INT(16),(2,1)]
: 1 ; 0.1
: 2 ; 0.2
Y : 5 ; 0.5
Y : 9 ; 0.9
"""


@pytest.fixture
def ecu():
    return catalog()


def read(text):
    return read_set(text.encode(), source="a.par")


def test_every_form_is_understood():
    found = read(WHOLE)
    assert [(one.slug, one.severity) for one in found.diagnostics] == [("device", 0)]
    assert (found.values.name, found.values.origin) == ("ECU one", Origin(a2l="my ecu.a2l"))
    rows = {entry.name: entry for entry in found.values}
    assert [(n, e.kind, e.is_raw) for n, e in rows.items()] == [
        ("Speed", EntryKind.VALUE, True),
        ("Inst.part[0]", EntryKind.VALUE, True),
        ("Label", EntryKind.ASCII, False),
        ("Block", EntryKind.VAL_BLK, True),
        ("Row", EntryKind.VAL_BLK, True),
        ("Curve", EntryKind.CURVE, True),
        ("Map", EntryKind.MAP, True),
    ]
    assert (rows["Speed"].values, rows["Inst.part[0]"].values, rows["Label"].values) == (
        *(7805, -1, "REV C"),
    )
    assert rows["Block"].values.tolist() == [[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]]
    assert rows["Row"].values.tolist() == [1, 2, 255]
    assert rows["Curve"].axes[0].values.tolist() == [80, 200]
    assert [(axis.kind, axis.values is None) for axis in rows["Map"].axes] == [
        (AxisKind.COM, True),
        (AxisKind.STD, False),
    ]


@pytest.mark.parametrize(
    ("lines", "slug", "line"),
    [
        ("a [UINT(8)] 256\n", "wrong-count", 2),
        ("a [UINT(8)] 1.5\n", "wrong-count", 2),
        ("a [FLOAT(32)] 1e39\n", "wrong-count", 2),
        ("a [UINT(8)] 1 2\n", "wrong-count", 2),
        ("a [UINT(8)]\n", "wrong-count", 2),
        ("a [UINT(8)] 1,5\n", "bad-value", 2),
        ("a [UINT(7)] 1\n", "bad-type", 2),
        ("a [UINT(8),(1,2)]\n: 1\n", "wrong-count", 2),
        ("a [UINT(8),(0,2)]\n", "wrong-count", 2),
        ("a [UINT(8),(1,2)]\n: 1\n: 2\nX : 1\n", "wrong-count", 2),
        ("a [STRING(2)] 65 66 67\n", "wrong-count", 2),
        ("a [STRING(2)] 65 300\n", "wrong-count", 2),
        (": 5\n", "unknown-line", 2),
        ("a [UINT(8)] 1\nnonsense\n", "unknown-line", 3),
        ("a [UINT(8)] 12", "no-end", 2),
        ("a [FLOAT(32)] NaN ; NaN\n", "not-a-number", 2),
        ("a [UINT(8)] 12 ; 1.", "no-end", 2),
    ],
)
def test_what_is_wrong_is_reported_with_its_line(lines, slug, line):
    found = read(f"CANape PAR V3.1: ~ 0 0 x\n{lines}")
    assert [(one.slug, one.where.line) for one in found.diagnostics] == [(slug, line)]
    assert len(found.values) == (found.diagnostics[0].severity == 1)


@pytest.mark.parametrize(
    ("text", "word"),
    [("hello\n", "does not begin"), ("CANape PAR V2.0: ~ 0 0\n", "version 2.0"), ("", "not begin")],
)
def test_other_files_are_refused(text, word):
    with pytest.raises(ParameterSetError, match=word):
        read_set(text.encode(), format="par")


def test_a_cut_file_never_gives_a_wrong_value():
    whole = {entry.name: entry for entry in read(WHOLE).values}
    ends = set(accumulate(map(len, WHOLE.splitlines(keepends=True))))
    for end in range(WHOLE.index("\n") + 1, len(WHOLE)):
        found = read(WHOLE[:end])
        told = {one.slug for one in found.diagnostics} - {"device"}
        assert told or end in ends
        for entry in found.values:
            expected = whole[entry.name]
            assert cell(entry.values) == cell(expected.values)
            if cell(entry.axes) != cell(
                expected.axes
            ):  # cut behind its last value: it has no points
                assert (entry.name, entry.axes) == (found.values.names[-1], ())


NUMBERS = {
    "Speed": st.integers(0, 2**16 - 1),
    "Mode": st.integers(0, 255),
    "Lowest": st.integers(-(2**31), 2**31 - 1),
    "Gain": st.floats(width=32, allow_infinity=False),
    "Exact": st.floats(allow_infinity=False),
    "Block": st.floats(width=32, allow_infinity=False),
    "Row": st.integers(0, 255),
    "Curve": st.integers(-(2**31), 2**31 - 1),
}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_raw_values_come_back(data):
    ecu = catalog()
    entries = []
    for name in data.draw(st.lists(st.sampled_from(sorted(NUMBERS)), unique=True)):
        bound = ecu.bind(name)
        shape = (data.draw(st.integers(1, 4)),) if name == "Curve" else bound.shape
        count = int(np.prod(shape))
        cells = data.draw(st.lists(NUMBERS[name], min_size=count, max_size=count))
        dtype = np.float64 if isinstance(cells[0], float) else np.int64
        values = np.array(cells, dtype).reshape(shape) if shape else cells[0]
        points = st.integers(0, 2**16 - 1)
        axes = ()
        if name == "Curve":
            found = data.draw(st.lists(points, min_size=count, max_size=count, unique=True))
            axes = (SetAxis(AxisKind.STD, np.sort(np.array(found, np.int64))),)
        entries.append(Entry(name, EntryKind(bound.type), values, axes, is_raw=True))
    some = ParameterSet(entries)
    again = read_set(write_set(some, "par", catalog=ecu), format="par")
    assert {one.slug for one in again.diagnostics} <= {"not-a-number"}
    assert plain(with_kinds(again.values, ecu)) == plain(some)


def test_the_description_tells_what_the_file_does_not(ecu):
    text = "Shared [UINT(8),(2,3)]\n" + ": 1\n" * 6 + "AxN [UINT(16),(1,2)]\n: 8\n: 9\n"
    text += (
        "Row [UINT(8),(1,3)]\n: 1\n: 2\n: 3\nNone [UINT(8),(1,2)]\n: 1\n: 2\nSpeed [UINT(16)] 5\n"
    )
    text += "Curve [INT(32),(1,2)]\n: 1\n: 2\nX : 3\nX : 4\n"
    found = with_kinds(read(f"CANape PAR V3.2: ~ 0 0\n{text}").values, ecu)
    shared, axis, row, unknown, speed, curve = found
    assert (shared.kind, [a.kind for a in shared.axes]) == ("MAP", [AxisKind.COM, AxisKind.FIX])
    assert (shared.axes[0].ref, axis.kind, row.kind) == ("AxN", "AXIS_PTS", "VAL_BLK")
    assert (unknown.kind, speed.values, curve.kind) == ("VAL_BLK", 5, "CURVE")
    assert (curve.axes[0].kind, curve.axes[0].values.tolist()) == (AxisKind.STD, [3, 4])


def test_written_as_by_hand(ecu):
    kept = ("Speed", "Mode", "Gain", "Label", "Row", "Curve")
    some = ParameterSet([one for one in values() if one.name in kept], name="run 7")
    assert (
        write_set(some, "par", catalog=ecu).decode()
        == """\
CANape PAR V3.2: ~ 0 0 run 7
Speed [UINT(16)] 7805 ; 780.5
Mode [UINT(8)] 3 ; sport; or so
Gain [FLOAT(32)] 0.10000000149011612 ; 0.10000000149
Label [STRING(8)] 82 69 86 32 67 0 0 0 ; REV C
Row [UINT(8),(1,3)]
: 1 ; 0.1
: 2 ; 0.2
: 255 ; 25.5
Curve [INT(32),(1,3)]
: -15 ; -1.5
: 10000000 ; 1000000
: 70 ; 7
X : 80 ; 8
X : 200 ; 20
X : 455 ; 45.5
"""
    )


def test_raw_values_come_back_as_they_were_written(ecu):
    some = ParameterSet([one for one in values() if one.name not in ("Lowest64", "Serial")])
    data = write_set(some, "par", catalog=ecu)
    found = read_set(data)
    assert found.diagnostics == ()
    again = with_kinds(found.values, ecu)
    assert write_set(again, "par", catalog=ecu) == data
    for before, after in zip(some, again, strict=True):
        assert (before.name, before.kind) == (after.name, after.kind)
        bound = ecu.bind(before.name)
        if before.kind == EntryKind.ASCII:
            assert after.values == before.values
        elif not isinstance(before.values, str):
            phys = np.asarray(bound.conversion.to_phys(np.asarray(after.values)))
            assert np.allclose(phys, np.asarray(before.values, dtype=float), rtol=1e-12)


def test_what_par_cannot_hold_is_refused_with_every_reason(ecu):
    one = SetAxis(AxisKind.STD, np.zeros(2))
    entries = [
        Entry("Half", EntryKind.VALUE, 1.0),
        Entry("Serial", EntryKind.VALUE, 1),
        Entry("Speed", EntryKind.VALUE, 7000.0),
        Entry("Nobody", EntryKind.VALUE, 1),
        Entry("Mode", EntryKind.VALUE, "racing"),
        Entry("Row", EntryKind.VALUE, 1),
        Entry("Block", EntryKind.VAL_BLK, np.zeros((2, 4))),
        Entry("Gain", EntryKind.VALUE, 1.0, variant=(("a", "b"),)),
        Entry("Curve", EntryKind.CURVE, np.zeros(2), (SetAxis(AxisKind.STD),)),
        Entry("Pointed", EntryKind.CURVE, np.zeros(3), (one,)),
        Entry("Blob", EntryKind.BLOB, b"1"),
    ]
    with pytest.raises(PlanError) as caught:
        write_set(ParameterSet(entries), "par", catalog=ecu)
    told = " ".join(caught.value.problems)
    assert len(caught.value.problems) == len(entries)
    for word in ("FLOAT16", "A_UINT64", "6553.5", "no such object", "racing", "calls it a VAL_BLK"):
        assert word in told
    for word in ("does not fit", "one variant", "not in the set", "2 points", "a BLOB"):
        assert word in told
    with pytest.raises(UsageError, match="ECU values"):
        write_set(ParameterSet(), "par")
