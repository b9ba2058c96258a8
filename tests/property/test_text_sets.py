"""Sets written and read again are the same, as far as each text format can hold them; any bytes end well."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.set_strategies import plain, sets
from xcaliper.calib.formats.table import FORMATS, find_format, read_set, write_set
from xcaliper.core.errors import ParameterSetError

DCM_KINDS = ("VALUE", "ASCII", "VAL_BLK", "CURVE", "MAP", "AXIS_PTS")
FIRST_LINES = (
    b"KONSERVIERUNG_FORMAT 2.0\n",
    b"CANape PAR V3.2: ~ 0 0 x\n",
    b"name,index,axis,value\n",
    b"name;value\n",
    b"XCALIPER_SET = 1\nPARAMETERS = [\n",
)
WORDS = (
    *(b"FESTWERT a\n WERT 1\nEND\n", b"KENNFELD m 2 1\n ST/X 1 2\n", b"ST/Y 0x1\n", b'TEXT "\\'),
    *(b"STUETZSTELLENVERTEILUNG a 9\n", b"*SSTX a\n", b"VAR a=b\n", b"FUNKTIONEN\n", b"FKT\n"),
    *(b"p [UINT(8)] 1 ; 1\n", b"q [FLOAT(32),(2,1)]\n", b": 1\n", b"X : 1e999\n", b"[STRING(2)]"),
    *(b"a,[0],x,1\n", b"a;[1][2];1,5\n", b'"\n', b"'", b"{'name': 'a', 'values': [[1],", b"float("),
    *(b"\r", b"\xff\xfe", b"\0", b"9" * 400, b"\\" * 9, b"END\n", b"\n", b",", b"[", b"}"),
)


@settings(max_examples=50, deadline=None)
@given(sets(kinds=DCM_KINDS, axis_kinds="dcm", history=False, raw=False, collections=False))
def test_dcm_keeps_what_it_can_hold(values):
    found = read_set(write_set(values, "dcm"), format="dcm")
    assert plain(found.values) == plain(values)
    assert {one.slug for one in found.diagnostics} <= {"not-a-number"}


@settings(max_examples=50, deadline=None)
@given(sets(head=False, history=False))
def test_csv_keeps_what_it_can_hold(values):
    found = read_set(write_set(values, "csv"), format="csv")
    assert plain(found.values) == plain(values)
    assert {one.slug for one in found.diagnostics} <= {"not-a-number"}


@settings(max_examples=50, deadline=None)
@given(sets())
def test_python_source_keeps_everything(values):
    data = write_set(values, "python")
    found = read_set(data, format="python")
    assert plain(found.values) == plain(values)
    assert found.diagnostics == ()
    space = {}
    exec(compile(data, "parameters.py", "exec"), space)
    assert [one["name"] for one in space["PARAMETERS"]] == [one.name for one in values]


@pytest.mark.parametrize("name", [one.name for one in FORMATS if one.read])
@settings(max_examples=50, deadline=None)
@given(
    head=st.sampled_from((b"", *FIRST_LINES)),
    parts=st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=12)), max_size=12),
)
@example(head=FIRST_LINES[0], parts=[b"TEXTSTRING t\nTEXT " + b"\\" * 3000, b'"\nEND'])
@example(head=FIRST_LINES[4], parts=[b"[" * 3000])
@example(head=FIRST_LINES[4], parts=[b"'\\", b"x" * 3000])
def test_any_bytes_give_a_set_or_a_named_error(name, head, parts):
    with suppress(ParameterSetError):
        found = find_format(name).read(head + b"".join(parts), source="any")
        assert all(one.text for one in found.diagnostics)
