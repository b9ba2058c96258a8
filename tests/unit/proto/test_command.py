"""The command table: lookup by name and longest prefix, extension, double entries."""

import pytest

from xcaliper.proto.command import CommandTable, Request, command, standard_name
from xcaliper.wire.layout import u8
from xcaliper.xcp import std
from xcaliper.xcp.codes import Group
from xcaliper.xcp.level1 import GetVersion
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import CAN_COMMANDS, ETH_COMMANDS


def test_names():
    assert standard_name("ShortUpload") == "SHORT_UPLOAD"
    assert standard_name("GetDaqEventInfo") == "GET_DAQ_EVENT_INFO"
    for info in COMMANDS:
        assert info.name == standard_name(info.request.__name__)


def test_lookup():
    assert COMMANDS["SHORT_UPLOAD"].request is std.ShortUpload
    assert "SHORT_UPLOAD" in COMMANDS
    assert "NOTHING" not in COMMANDS
    assert COMMANDS.find(b"\xf4\x04").name == "SHORT_UPLOAD"
    assert COMMANDS.find(b"\xc4") is None
    assert COMMANDS.find(b"") is None


def test_longest_prefix_wins():
    assert COMMANDS.find(b"\xc0\x00").request is GetVersion
    assert COMMANDS.find(b"\xc0\xfc\x11").name == "DBG_READ"
    assert COMMANDS.find(b"\xc0\x77") is None
    assert COMMANDS.has_family(0xC0)
    assert not COMMANDS.has_family(0xC1)
    assert COMMANDS.find(b"\xf2\xff").name == "TRANSPORT_LAYER_CMD"
    assert COMMANDS.extended(*CAN_COMMANDS).find(b"\xf2\xff").name == "GET_SLAVE_ID"


def test_extension_makes_a_new_table():
    @command(0xC1, 0x01, group=Group.STD, name="VENDOR_NOP", confirmed=False)
    class VendorNop(Request[std.EmptyResponse]):
        level: int = u8(2, default=0)

    table = COMMANDS.extended(VendorNop)
    assert len(table) == len(COMMANDS) + 1
    info = table.find(b"\xc1\x01\x05")
    assert (info.name, info.code, info.response) == ("VENDOR_NOP", 0xC1, std.EmptyResponse)
    assert not info.confirmed
    with pytest.raises(ValueError, match="VENDOR_NOP"):
        table.extended(VendorNop)


def test_two_transports_do_not_fit_one_table():
    with pytest.raises(ValueError, match="GET_SLAVE_ID"):
        COMMANDS.extended(*CAN_COMMANDS, *ETH_COMMANDS)


def test_an_empty_table():
    assert CommandTable().find(b"\xff") is None
