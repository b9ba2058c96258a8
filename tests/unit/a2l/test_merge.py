"""Merging loses nothing, changes nothing of the first file that was not asked for, and tells what it did."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcaliper.a2l import parse
from xcaliper.a2l.clone import clone
from xcaliper.a2l.diff import diff
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.project import Module
from xcaliper.a2l.merge import merge
from xcaliper.core.errors import PlanError

ROOT = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[3] / "../shared/data"))
FILES = sorted(p for p in ROOT.glob("a2l/**/*.a2l") if p.stat().st_size < 300_000)

FIRST = """ASAP2_VERSION 1 60
/begin PROJECT p ""
  /begin MODULE m "" // one
    /begin MOD_PAR "" EPK "E1"
      /begin MEMORY_SEGMENT s1 "" DATA FLASH INTERN 0x0 0x10 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT
    /end MOD_PAR
    /begin COMPU_METHOD CM "" IDENTICAL "%4.2" "rpm" /end COMPU_METHOD
    /begin MEASUREMENT a "" UBYTE CM 0x0 00 0 255. /end MEASUREMENT
    /begin MEASUREMENT b "" UBYTE CM 0 0 0 255 /end MEASUREMENT
    /begin GROUP g "" /begin REF_MEASUREMENT a b /end REF_MEASUREMENT /end GROUP
  /end MODULE
/end PROJECT
"""
SECOND = """ASAP2_VERSION 1 71
/begin PROJECT q ""
  /begin MODULE n ""
    /begin MOD_PAR "" CUSTOMER "c"
      /begin MEMORY_SEGMENT s2 "" DATA FLASH INTERN 0x10 0x10 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT
    /end MOD_PAR
    /begin COMPU_METHOD CM "" IDENTICAL "%4.2" "km/h" /end COMPU_METHOD
    /begin COMPU_METHOD ONE "" IDENTICAL "%4.2" "" /end COMPU_METHOD
    /begin MEASUREMENT a "" UBYTE CM 0 0 0 255 /end MEASUREMENT
    /begin MEASUREMENT c "" UBYTE CM 0 0 0 255 /end MEASUREMENT
    /begin GROUP g "other" ROOT /begin REF_MEASUREMENT c a /end REF_MEASUREMENT /end GROUP
    /begin IF_DATA X 1 /begin B 2 /end B /end IF_DATA
  /end MODULE
/end PROJECT
"""


def merged(first, second, **how):
    file = parse(first.encode())
    editor, report = merge(file, parse(second.encode()), **how)
    data = editor.to_bytes()
    again = parse(data)
    assert not again.diagnostics
    assert again.modules == file.modules
    return again, report, data.decode()


def actions(report):
    return {(o.keyword, o.name): (o.action, o.note) for o in report.objects}


def test_conflicts_fail_before_anything_is_changed():
    file = parse(FIRST.encode())
    with pytest.raises(PlanError) as caught:
        merge(file, parse(SECOND.encode()))
    assert caught.value.problems == ("COMPU_METHOD CM differs in unit",)
    assert file.to_bytes() == FIRST.encode()
    assert file == parse(FIRST.encode())


def test_the_first_stays():
    again, report, text = merged(FIRST, SECOND, conflict="first")
    assert actions(report) == {
        ("MOD_PAR", ""): ("joined", "2 added"),
        ("COMPU_METHOD", "CM"): ("kept", "unit"),
        ("COMPU_METHOD", "ONE"): ("added", ""),
        ("MEASUREMENT", "a"): ("same", ""),
        ("MEASUREMENT", "c"): ("added", ""),
        ("GROUP", "g"): ("joined", "2 added"),
        ("IF_DATA", "X"): ("added", ""),
    }
    assert again.module.compu_method[0].unit == "rpm"
    assert again.module.group[0].ref_measurement.names == ["a", "b", "c"]
    assert [s.name for s in again.module.mod_par.memory_segment] == ["s1", "s2"]
    assert again.module.mod_par.epk == "E1"
    assert again.version == "1.71"
    lines = [line for line in FIRST.splitlines() if "GROUP" not in line and "VERSION" not in line]
    assert set(lines) <= set(text.splitlines())


def test_the_second_replaces():
    again, report, text = merged(FIRST, SECOND, conflict="second")
    assert actions(report)["COMPU_METHOD", "CM"] == ("replaced", "unit")
    assert '/begin COMPU_METHOD CM "" IDENTICAL "%4.2" "km/h" /end COMPU_METHOD' in text
    assert "UBYTE CM 0x0 00 0 255." in text
    assert len(again.module.compu_method) == 2


def test_renaming_follows_references():
    again, report, _ = merged(FIRST, SECOND, conflict="rename")
    found = actions(report)
    assert found["COMPU_METHOD", "CM"] == ("renamed", "CM_2")
    assert found["MEASUREMENT", "a"] == ("renamed", "a_2")
    conversions = {m.name: m.conversion for m in again.module.measurement}
    assert conversions == {"a": "CM", "b": "CM", "a_2": "CM_2", "c": "CM_2"}
    assert again.module.group[0].ref_measurement.names == ["a", "b", "c", "a_2"]
    assert {m.name: m.unit for m in again.module.compu_method}["CM_2"] == "km/h"


def test_kinds_that_share_names():
    other = SECOND[: SECOND.index("    /begin COMPU")]
    other += '/begin BLOB a "" 0x0 4 /end BLOB /end MODULE /end PROJECT'
    again, report, _ = merged(FIRST, other, conflict="second")
    assert actions(report)["BLOB", "a"] == ("replaced", "MEASUREMENT and BLOB")
    assert [m.name for m in again.module.measurement] == ["b"]
    assert [m.name for m in again.module.blob] == ["a"]


def test_modules_stay_side_by_side():
    again, report, text = merged(FIRST, SECOND, modules="by-name")
    assert [m.name for m in again.modules] == ["m", "n"]
    assert actions(report) == {("MODULE", "n"): ("added", "")}
    assert text.startswith(FIRST.replace("1 60", "1 71")[: FIRST.index("/end PROJECT")])


def test_merging_with_itself_changes_nothing():
    _, report, text = merged(FIRST, FIRST)
    assert text == FIRST
    assert set(report.counts()) == {"same"}


def test_clones_are_equal_and_apart():
    made = parse(SECOND).module
    copy = clone(made)
    assert copy == made
    copy.group[0].ref_measurement.names.append("x")
    copy.if_data[0].items[1].items.append("3")
    assert made == parse(SECOND).module


TWICE = """ASAP2_VERSION 1 71
/begin PROJECT p ""
  /begin MODULE m ""
    /begin IF_DATA X 1 /end IF_DATA
    /begin IF_DATA X 2 /end IF_DATA
    /begin MEASUREMENT a "" UBYTE NO_COMPU_METHOD 0 0 0 255 /end MEASUREMENT
    /begin MEASUREMENT a "other" UBYTE NO_COMPU_METHOD 0 0 0 255 /end MEASUREMENT
    /begin GROUP g "" /begin REF_MEASUREMENT a /end REF_MEASUREMENT /end GROUP
    /begin GROUP g "" /begin REF_MEASUREMENT b /end REF_MEASUREMENT /end GROUP
  /end MODULE
  /begin MODULE n ""
    /begin MEASUREMENT a "third" UBYTE NO_COMPU_METHOD 0 0 0 255 /end MEASUREMENT
  /end MODULE
/end PROJECT
"""


@pytest.mark.parametrize("text", [FIRST, SECOND, TWICE])
@pytest.mark.parametrize("conflict", ["fail", "first", "second", "rename"])
def test_names_that_stand_twice_meet_themselves(text, conflict):
    _, report, edited = merged(text, text, conflict=conflict)
    assert edited == text
    assert set(report.counts()) == {"same"}


@given(st.sampled_from([FIRST, SECOND]), st.randoms(use_true_random=False))
def test_halves_become_the_whole(text, random):
    sides = [parse(text), parse(text)]
    count = len(list(objects(sides[0])))
    gone = [random.randrange(2) for _ in range(count)]
    for number, side in enumerate(sides):
        leaving = [m for m, of in zip(objects(side), gone, strict=True) if of == number]
        Editor(side).drop(side.module, leaving)
    merge(*sides)
    assert len(list(objects(sides[0]))) == count
    found = diff(parse(text), sides[0])
    assert not found, found.text()


def objects(file):
    for entry in table_of(Module).optional.values():
        value = getattr(file.module, entry.attr)
        if entry.mode == "object" and value is not None:
            yield from value if entry.repeated else [value]


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_real_files_meet_themselves():
    for path in FILES:
        data = path.read_bytes()
        first = parse(data)
        if not first.modules:
            continue
        editor, report = merge(first, parse(data))
        assert set(report.counts()) <= {"same"}, path
        assert editor.to_bytes() == data, path


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_halves_of_real_files():
    seen = 0
    for path in FILES:
        data = path.read_bytes()
        sides = [parse(data), parse(data)]
        if len(sides[0].modules) != 1 or sides[0].project is None:
            continue
        for number, side in enumerate(sides):
            editor = Editor(side)
            index = ModuleIndex(side.module)
            interfaces = [one.name for one in side.module.if_data]
            if index.duplicates or len(set(interfaces)) < len(interfaces):
                break
            # each half keeps the defaults that its objects rely on
            own = [m for m in index.users() if m.KEYWORD not in ("MOD_COMMON", "MOD_PAR")]
            leaving = [m for at, m in enumerate(own) if at % 2 == number]
            seen += len(leaving)
            editor.drop(side.module, leaving)
            halved = parse(editor.to_bytes())
            assert halved.module == side.module, path
            sides[number] = halved
        else:
            editor, _ = merge(*sides)
            whole = parse(editor.to_bytes())
            assert not diff(parse(data), whole), path
    assert seen
