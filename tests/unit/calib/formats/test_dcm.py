"""DCM 2.0, held against files made by hand."""

import numpy as np
import pytest

from support.set_strategies import entry as plain_entry
from xcaliper.calib.formats.table import losses, read_set, write_set
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import ParameterSetError, PlanError

#: By hand after the grammar of the format; every kind of block, both kinds of cells, both quotings.
WHOLE = """\
* encoding="utf-8"
* name="run 7"
* epk="E\\"1\\""
! a comment of the head
KONSERVIERUNG_FORMAT 2.0

MODULKOPF Tool "wrote it"
MODULKOPF "and went on"

FUNKTIONEN
  FKT Idle "1.2" "Idle control"
  FKT Ignition "" ""
END

VARIANTENKODIERUNG
  KRITERIUM Gear manual automatic
END

FESTWERT IdleSpeed
  LANGNAME "Idle set point"
  DISPLAYNAME Idle.n
  FUNKTION Idle "Ignition"
  EINHEIT_W "1/min"
  WERT 780
END

FESTWERT Mode
  VAR Gear=manual
  TEXT "sport \\"S\\""
END

FESTWERT Mode
  VAR Gear = "automatic"
  TEXT "eco"
END

FESTWERTEBLOCK PumpTab 3 @ 2
  EINHEIT_W "mm³"
  WERT 1.0 2.0
  WERT 3.0 4.0 5.0 0x10
END

FESTWERTEBLOCK States 3
  TEXT "off"
  TEXT "half" "on"
END

KENNLINIE Curve 2
  EINHEIT_X "°C"
  EINHEIT_W "-"
  ST/X -1e1 20.5
  WERT +.5 2.
END

FESTKENNLINIE Fixed 2
  ST/X 0 1
  WERT 7 8
END

GRUPPENKENNFELD Map 3 2
  EINHEIT_X "1/min"
  EINHEIT_Y "%"
* SSTX AxN
*SSTY AxL
  ST/X 800.0 2000.0
  ST/X 4500.0
  ST/Y 10.0
  WERT 8.0 14.5 20.0
  ST/Y 80.0
* between rows
  WERT 2.0
  WERT 6.0 9.25
END

KENNFELD Gears 1 2
  ST_TX/X "low"
  ST_TX/Y "first"
  WERT 1
  ST_TX/Y "second"
  TEXT "none"
END

STUETZSTELLENVERTEILUNG AxN 3
*SST
  LANGNAME "Speed axis"
  EINHEIT_X "1/min"
  ST/X 800.0 2000.0 4500.0
END

TEXTSTRING Label
  LANGNAME "back\\slash"
  TEXT "REV C"
END
"""
HEAD = "KONSERVIERUNG_FORMAT 2.0\n"


def read(text):
    return read_set(text.encode(), source="a.dcm")


def one(text):
    """The only entry of a file that has nothing to complain about."""
    found = read(HEAD + text)
    assert found.diagnostics == ()
    (entry,) = found.values
    return entry


@pytest.fixture(params=["\n", "\r\n", "\r"])
def whole(request):
    return read(WHOLE.replace("\n", request.param))


def test_every_block_is_understood(whole):
    assert whole.diagnostics == ()
    found = {entry.name: entry for entry in whole.values if entry.name != "Mode"}
    assert [e.kind for e in found.values()] == [
        *("VALUE", "VAL_BLK", "VAL_BLK", "CURVE", "CURVE", "MAP", "MAP", "AXIS_PTS", "ASCII"),
    ]
    idle = found["IdleSpeed"]
    assert (idle.values, idle.unit, idle.long_name) == (780, "1/min", "Idle set point")
    assert (idle.display_name, idle.functions, idle.where) == (
        *("Idle.n", ("Idle", "Ignition"), "line 19"),
    )
    assert found["PumpTab"].values.tolist() == [[1, 2, 3], [4, 5, 16]]
    assert found["States"].values.tolist() == ["off", "half", "on"]
    curve = found["Curve"]
    assert (curve.values.tolist(), curve.axes[0].values.tolist()) == ([0.5, 2.0], [-10.0, 20.5])
    assert (curve.axes[0].kind, curve.axes[0].unit, curve.unit) == (AxisKind.STD, "°C", "-")
    assert found["Fixed"].axes[0].kind == AxisKind.FIX
    assert found["Fixed"].values.dtype == np.int64
    table = found["Map"]
    assert table.values.tolist() == [[8.0, 14.5, 20.0], [2.0, 6.0, 9.25]]
    assert [(a.kind, a.ref, a.unit) for a in table.axes] == [
        (AxisKind.COM, "AxN", "1/min"),
        (AxisKind.COM, "AxL", "%"),
    ]
    assert table.axes[1].values.tolist() == [10.0, 80.0]
    gears = found["Gears"]
    assert [axis.values.tolist() for axis in gears.axes] == [["low"], ["first", "second"]]
    assert gears.values.tolist() == [[1], ["none"]]
    assert (found["AxN"].unit, found["AxN"].values.tolist()) == ("1/min", [800, 2000, 4500])
    assert (found["Label"].values, found["Label"].long_name) == ("REV C", "back\\slash")


def test_the_head_is_understood(whole):
    values = whole.values
    assert (values.name, values.origin) == ("run 7", Origin(epk='E"1"'))
    assert values.comments == ("a comment of the head", "Tool wrote it", "and went on")
    assert values.functions == (
        CollectionInfo("Idle", "1.2", "Idle control"),
        CollectionInfo("Ignition"),
    )
    assert values.criteria == {"Gear": ("manual", "automatic")}
    variants = {e.variant: e.values for e in values if e.name == "Mode"}
    assert variants == {(("Gear", "manual"),): 'sport "S"', (("Gear", "automatic"),): "eco"}


def test_windows_1252_is_read_where_utf_8_fails():
    found = read_set((HEAD + 'FESTWERT T\nEINHEIT_W "°C"\nWERT 1\nEND\n').encode("cp1252"))
    assert [entry.unit for entry in found.values] == ["°C"]


def test_a_name_without_quotes_around_it_ends_at_a_blank():
    text = 'TEXTSTRING t\nDISPLAYNAME a.b[0]\nFUNKTION F1 F2\nVAR a=1, b="2 x"\nTEXT "C:\\"\nEND\n'
    entry = one(text)
    assert (entry.functions, entry.variant) == (("F1", "F2"), (("a", "1"), ("b", "2 x")))
    assert entry.values == "C:\\"  # by who does not know of backslashes


@pytest.mark.parametrize(
    ("text", "slug", "line"),
    [
        ("FESTWERT a\nWERT 1 2\nEND\n", "wrong-count", 4),
        ("FESTWERT a\nEND\n", "wrong-count", 3),
        ("FESTWERT a\nWERT 1,5\nEND\n", "bad-value", 3),
        ("FESTWERT a\nWERT abc\nEND\n", "bad-value", 3),
        ("FESTWERT a\nWERT 1e999\nEND\n", "bad-value", 3),
        (f"FESTWERT a\nWERT {'9' * 500}\nEND\n", "bad-value", 3),
        ('FESTWERT a\nTEXT "open\nEND\n', "bad-value", 3),
        ("FESTWERT a\nVAR x\nWERT 1\nEND\n", "bad-value", 3),
        ("FESTWERT\nWERT 1\nEND\n", "bad-head", 2),
        ("FESTWERTEBLOCK a\nWERT 1\nEND\n", "bad-head", 2),
        ("FESTWERTEBLOCK a 0\nEND\n", "bad-head", 2),
        ("FESTWERTEBLOCK a 2 @ 2 @ 2\nEND\n", "bad-head", 2),
        ("FESTWERTEBLOCK a 99999999\nWERT 1\nEND\n", "wrong-count", 4),
        ("KENNLINIE a 2\nST/X 1\nWERT 1 2\nEND\n", "wrong-count", 5),
        ("KENNFELD a 2 1\nST/X 1 2\nWERT 1 2\nST/Y 1\nEND\n", "wrong-count", 6),
        ("KENNFELD a 2 1\nST/X 1 2\nST/Y 1\nWERT 1\nEND\n", "wrong-count", 6),
        ("KENNFELD a 2 2\nST/X 1 2\nST/Y 1\nWERT 1 2\nEND\n", "wrong-count", 6),
        ("STUETZSTELLENVERTEILUNG a 2\nST/X 1 2\nWERT 1\nEND\n", "wrong-count", 5),
        ("FESTWERT a\nWERT 1\n", "no-end", 4),
        ("WERT 1\n", "outside-block", 2),
        ("FUNKTIONEN\nWERT 1\nEND\n", "unknown-line", 3),
        ("FUNKTIONEN\nFKT F\n", "no-end", 4),
    ],
)
def test_what_is_wrong_is_reported_with_its_line_and_left_out(text, slug, line):
    found = read(HEAD + text + "FESTWERT other\nWERT 2\nEND\n" * (slug != "no-end"))
    (diagnostic,) = found.diagnostics
    assert (diagnostic.slug, diagnostic.severity, diagnostic.where.line) == (slug, 2, line)
    assert [entry.name for entry in found.values] == ["other"] * (slug != "no-end")


@pytest.mark.parametrize(
    ("text", "slug", "expected"),
    [
        ("FESTWERT a\nWERT NaN\nEND\n", "not-a-number", [np.nan]),
        ("FESTWERT a\nWERT -1.#IND\nEND\n", "not-a-number", [np.nan]),
        ("FESTWERT a\nWERT 1\nFESTWERT b\nWERT 2\nEND\n", "no-end", [1, 2]),
        ("FESTWERT a\nWERT 1\nEND\nFESTWERT a\nWERT 2\nEND\n", "given-twice", [2]),
        ("FESTWERT a\nGRENZE 3\nWERT 1\nEND\n", "unknown-line", [1]),
        ("KENNLINIE a 1\n*SSTX x\nST/X 1\nWERT 1\nEND\n", "axis-name", [1]),
    ],
)
def test_what_is_doubtful_is_read_and_told(text, slug, expected):
    found = read(HEAD + text)
    (diagnostic,) = found.diagnostics
    assert (diagnostic.slug, diagnostic.severity < 2) == (slug, True)
    got = [float(np.ravel(entry.values)[0]) for entry in found.values]
    assert np.array_equal(got, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("points", "kept", "hint"), [("1 3", [1, 3], "block"), ("1 2 3", [1, 2], "own points")]
)
def test_a_distribution_wins_over_the_points_in_a_group_block(points, kept, hint):
    count = len(points.split())
    text = "GRUPPENKENNLINIE c 2\n*SSTX ax\nST/X 1 2\nWERT 5 6\nEND\n"
    found = read(f"{HEAD}{text}STUETZSTELLENVERTEILUNG ax {count}\nST/X {points}\nEND\n")
    (diagnostic,) = found.diagnostics
    assert (diagnostic.slug, diagnostic.severity, diagnostic.where.line) == ("axis-differs", 1, 2)
    assert hint in diagnostic.hint
    assert next(iter(found.values)).axes[0].values.tolist() == kept


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no KONSERVIERUNG_FORMAT"),
        ("* only a comment\n", "no KONSERVIERUNG_FORMAT"),
        ("hello\n", "does not begin"),
        ("KONSERVIERUNG_FORMAT 1.0\nFESTWERT a\n", "DCM 1.0"),
        ("FESTWERT a 5\nKENNLINIE b\n", "DCM 1.x"),
    ],
)
def test_other_files_are_refused_politely(text, word):
    with pytest.raises(ParameterSetError, match=word) as caught:
        read(text)
    assert caught.value.hint


def test_a_cut_file_never_gives_a_wrong_value():
    whole = {entry.key: plain_entry(entry) for entry in read(WHOLE).values}
    for end in range(WHOLE.index("FESTWERT"), len(WHOLE)):
        found = read(WHOLE[:end])
        assert all(plain_entry(entry) == whole[entry.key] for entry in found.values)
        assert found.diagnostics or WHOLE[:end].rstrip().endswith("END")


def test_findings_are_counted_where_there_are_too_many():
    found = read(HEAD + "x\n" * 5000)
    assert len(found.diagnostics) == 1001
    assert found.diagnostics[-1].text.startswith("4000 more")


# --- written -------------------------------------------------------------------------------------


def test_written_as_by_hand():
    axis = SetAxis(AxisKind.COM, np.array([800.0, 2000.0]), "AxN", "1/min")
    own = SetAxis(AxisKind.STD, np.array([10, 80]), unit="%")
    values = ParameterSet(
        [
            Entry("a", EntryKind.VALUE, 1e-7, unit="s", long_name='say "hi"\nthere'),
            Entry(
                "m", EntryKind.MAP, np.array([[1, 2], [3, 4]]), (axis, own), variant=(("v", "x y"),)
            ),
            Entry("b", EntryKind.VAL_BLK, np.arange(16.0).reshape(2, 8)),
            Entry("t", EntryKind.ASCII, "end\\", functions=("F", "G H"), display_name="d.e"),
            Entry("AxN", EntryKind.AXIS_PTS, np.array([800.0, 2000.0]), unit="1/min"),
        ],
        name="set",
        comments=["first", "second\nthird"],
        criteria=[("v", ("x y", "z"))],
        functions=[CollectionInfo("F", "1", "text"), CollectionInfo("C", is_collection=True)],
    )
    assert (
        write_set(values, "dcm").decode()
        == """\
* encoding="utf-8"
* name="set"
* first
* second
* third
KONSERVIERUNG_FORMAT 2.0

FUNKTIONEN
  FKT F "1" "text"
END

VARIANTENKODIERUNG
  KRITERIUM v "x y" z
END

FESTWERT a
  LANGNAME "say \\"hi\\" there"
  EINHEIT_W "s"
  WERT 1e-07
END

GRUPPENKENNFELD m 2 2
  VAR v="x y"
  EINHEIT_X "1/min"
  EINHEIT_Y "%"
*SSTX AxN
  ST/X 800.0 2000.0
  ST/Y 10
  WERT 1 2
  ST/Y 80
  WERT 3 4
END

FESTWERTEBLOCK b 8 @ 2
  WERT 0.0 1.0 2.0 3.0 4.0 5.0
  WERT 6.0 7.0
  WERT 8.0 9.0 10.0 11.0 12.0 13.0
  WERT 14.0 15.0
END

TEXTSTRING t
  DISPLAYNAME d.e
  FUNKTION F "G H"
  TEXT "end\\\\"
END

STUETZSTELLENVERTEILUNG AxN 2
*SST
  EINHEIT_X "1/min"
  ST/X 800.0 2000.0
END
"""
    )


def test_points_of_a_shared_axis_come_from_its_object():
    axis = SetAxis(AxisKind.COM, None, "AxN")
    curve = Entry("c", EntryKind.CURVE, np.array([1, 2]), (axis,))
    shared = Entry("AxN", EntryKind.AXIS_PTS, np.array([5, 6]))
    text = write_set(ParameterSet([curve, shared]), "dcm").decode()
    assert "ST/X 5 6\n  WERT 1 2" in text
    with pytest.raises(PlanError, match="axis X are unknown"):
        write_set(ParameterSet([curve]), "dcm")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry("c", EntryKind.CUBOID, np.zeros((1, 1, 1)), (SetAxis(AxisKind.FIX),) * 3), "CUBOID"),
        (Entry("x", EntryKind.BLOB, b"1"), "BLOB"),
        (Entry("x", EntryKind.VALUE, 1, is_raw=True), "raw"),
        (Entry("x", EntryKind.VAL_BLK, np.zeros((1, 1, 1))), "3 dimensions"),
        (Entry("x", EntryKind.VAL_BLK, np.zeros(0)), "no values"),
        (Entry("x", EntryKind.CURVE, np.zeros(2)), "1 axes"),
        (
            Entry("x", EntryKind.CURVE, np.zeros(2), (SetAxis(AxisKind.STD, np.zeros(3)),)),
            "3 points",
        ),
        (Entry("x y", EntryKind.VALUE, 1), "no name"),
        (Entry("x", EntryKind.VALUE, 1, variant=(("a b", "c"),)), "no name"),
        (Entry("x", EntryKind.ASCII, "a\nb"), "several lines"),
    ],
)
def test_what_dcm_cannot_hold_is_refused_with_every_reason(entry, reason):
    with pytest.raises(PlanError, match=reason) as caught:
        write_set(ParameterSet([entry, Entry("bad name", EntryKind.VALUE, 1)]), "dcm")
    assert len(caught.value.problems) == 2


def test_what_would_be_lost_is_told_before():
    history = (HistoryEntry("changed"),)
    values = ParameterSet([Entry("x", EntryKind.VALUE, 1, unit="s", history=history)])
    assert [str(one) for one in losses(values, "dcm")] == ["history and maturity"]
    assert losses(values, "python") == ()
