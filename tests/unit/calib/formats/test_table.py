"""The table of formats: names, endings, content, and what each can hold."""

import pytest

from support.set_ecu import catalog, values
from support.set_strategies import plain
from xcaliper.calib.formats.model import Holds
from xcaliper.calib.formats.table import (
    FORMATS,
    find_format,
    format_of,
    losses,
    read_set,
    write_set,
)
from xcaliper.calib.paramset import Entry, EntryKind, Flag, Origin, ParameterSet
from xcaliper.core.errors import NotFoundError, ParameterSetError


def test_rows_are_whole_and_differ():
    assert len({one.name for one in FORMATS}) == len(FORMATS)
    for one in FORMATS:
        assert one.read or one.write, one.name
        assert one.title, one.name
        assert one.suffixes, one.name
        assert one.sniff or not one.read, one.name
        assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in one.suffixes)


@pytest.mark.parametrize("name", [one.name for one in FORMATS if one.read and one.write])
def test_what_is_written_is_known_by_its_content_alone(name):
    some = ParameterSet([one for one in values() if one.name in ("Speed", "Label", "Curve")])
    data = write_set(some, name, catalog=catalog())
    assert format_of(data).name == name
    assert format_of(data, source="misleading.dcm").name == name
    assert len(read_set(data).values) == 3


def test_names_and_endings_are_understood():
    assert find_format(" DCM ").name == "dcm"
    assert format_of(b"", source="folder/file.PAR").name == "par"
    text = b"* a long comment\r\n" * 2000 + b"KONSERVIERUNG_FORMAT 2.0\r\n"
    assert format_of(text, source="file.txt").name == "dcm"
    with pytest.raises(NotFoundError) as caught:
        find_format("hex")
    assert "dcm" in caught.value.nearest
    with pytest.raises(ParameterSetError, match="neither its name nor its content") as unknown:
        read_set(b"\x7fELF", source="a.out")
    assert "dcm" in unknown.value.hint


def test_a_set_in_one_format_is_the_same_in_another():
    first = ParameterSet(values(), name="run")
    again = read_set(write_set(first, "python")).values
    assert plain(again) == plain(first)


def test_losses_are_what_a_format_has_no_place_for():
    rich = ParameterSet(
        [
            Entry("a", EntryKind.BLOB, b"1", flags=(Flag("x"),)),
            Entry("b", EntryKind.VALUE, 1, is_raw=True, variant=(("v", "1"),)),
        ],
        origin=Origin(epk="E"),
    )
    assert set(losses(rich, "csv")) == {Holds.FLAGS, Holds.ORIGIN}
    assert set(losses(rich, "dcm")) == {Holds.BLOBS, Holds.FLAGS, Holds.RAW}
    assert losses(rich, "python") == losses(ParameterSet(), "c") == ()
