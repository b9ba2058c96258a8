"""Declared commands and the table that finds them."""

import re

import pytest

from xcaliper.proto.command import CommandTable, Request, Response, command, standard_name
from xcaliper.wire.layout import Packet, layout_of, packet, u8, u16
from xcaliper.xcp.table import COMMANDS


@packet(0xFF)
class Plain(Response):
    """Done."""


@packet(0xFF)
class Counted(Response):
    """Done, with a number."""

    count: int = u8(1)


@command(0xF4, group="STD")
class ShortUpload(Request[Counted]):
    """Read."""

    count: int = u8(1)


@command(
    0xC0,
    0x03,
    group="DAQ",
    name="VENDOR_THING",
    timer="T2",
    recovery="none",
    resource="DAQ",
    since="1.5",
    mandatory=True,
    answered=False,
)
class Special(Request[Plain]):
    """Level 1."""

    mode: int = u16(2)


@command(0xC0, group="STD")
class Family(Request[Plain]):
    """The bare code."""


@command(0xC0, 0x03, 0x07, group="STD")
class Deep(Request[Plain]):
    """Two sub-commands."""


@pytest.fixture
def table():
    return CommandTable(ShortUpload, Special, Family)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Connect", "CONNECT"),
        ("ShortUpload", "SHORT_UPLOAD"),
        ("SetDaqListMode", "SET_DAQ_LIST_MODE"),
        ("GetDAQClock", "GET_DAQ_CLOCK"),
        ("DtoCtrProperties", "DTO_CTR_PROPERTIES"),
        ("Level1Command", "LEVEL1_COMMAND"),
        ("SetCALPage", "SET_CAL_PAGE"),
    ],
)
def test_standard_name(class_name, name):
    assert standard_name(class_name) == name


def test_defaults_of_a_declaration():
    info = ShortUpload.__command__
    assert (info.name, info.prefix, info.code) == ("SHORT_UPLOAD", b"\xf4", 0xF4)
    assert (info.request, info.response, info.group) == (ShortUpload, Counted, "STD")
    assert (info.timer, info.recovery, info.resource) == ("T1", "synch", "")
    assert (info.since, info.mandatory, info.answered) == ("1.0", False, True)
    assert layout_of(ShortUpload).prefix == b"\xf4"


def test_everything_declared():
    info = Special.__command__
    assert (info.name, info.prefix, info.code) == ("VENDOR_THING", b"\xc0\x03", 0xC0)
    assert (info.timer, info.recovery, info.resource) == ("T2", "none", "DAQ")
    assert (info.since, info.mandatory, info.answered) == ("1.5", True, False)
    assert Special(mode=5).mode == 5


def test_a_command_without_answer_class_is_refused():
    with pytest.raises(AssertionError, match="Nameless"):

        @command(0x01, group="STD")
        class Nameless(Request):
            """No answer named."""


def test_lookup(table):
    assert len(table) == 3
    assert [info.name for info in table] == ["SHORT_UPLOAD", "VENDOR_THING", "FAMILY"]
    assert "FAMILY" in table
    assert "UPLOAD" not in table
    assert table["FAMILY"].request is Family
    with pytest.raises(KeyError):
        table["UPLOAD"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xf4\x01", "SHORT_UPLOAD"),
        (b"\xf4", "SHORT_UPLOAD"),
        (b"\xc0\x03", "VENDOR_THING"),
        (b"\xc0\x03\x07\x00", "VENDOR_THING"),
        (b"\xc0\x04", "FAMILY"),
        (b"\xc0", "FAMILY"),
        (b"\x03\xc0", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_find_takes_the_longest_sub_command(table, kind, data, name):
    info = table.find(kind(data))
    assert (info and info.name) == name


def test_family(table):
    assert table.has_family(0xC0)
    assert table.has_family(0xF4)
    assert not table.has_family(0x03)
    assert not CommandTable(Special).find(b"\xc0\x04")
    assert CommandTable(Special).has_family(0xC0)


def test_an_extended_table_is_a_new_one(table):
    more = table.extended(Deep)
    assert more.find(b"\xc0\x03\x07").name == "DEEP"
    assert more.find(b"\xc0\x03\x08").name == "VENDOR_THING"
    assert "DEEP" not in table
    assert (len(table), len(more)) == (3, 4)


def test_duplicates_are_named(table):
    with pytest.raises(ValueError, match="FAMILY, FAMILY stands twice"):
        table.extended(Family)

    @command(0xC0, 0x03, group="USER")
    class Other(Request[Plain]):
        """The prefix of another command."""

    with pytest.raises(ValueError, match="VENDOR_THING, OTHER stands twice"):
        table.extended(Other)

    @command(0x55, group="USER", name="FAMILY")
    class Renamed(Request[Plain]):
        """The name of another command."""

    with pytest.raises(ValueError, match="FAMILY, FAMILY stands twice"):
        CommandTable(Family, Renamed)


def test_an_empty_table_finds_nothing():
    empty = CommandTable()
    assert len(empty) == 0
    assert empty.find(b"\xff") is None
    assert list(empty.extended(Family)) == [Family.__command__]


def test_the_standard_table_names_every_class_by_the_rule():
    for info in COMMANDS:
        assert info.name == standard_name(info.request.__name__)
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", info.name)
        assert COMMANDS.find(info.prefix + bytes(8)) is info
        assert issubclass(info.response, Packet)
