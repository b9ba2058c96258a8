"""Where an image holds what a description places elsewhere: moves, mirrors, extensions, gaps."""

import pytest

from xcaliper.a2l import parse
from xcaliper.calib.image_values import GuardedImage, compare_images
from xcaliper.calib.page_image import (
    Move,
    PageImage,
    described_moves,
    described_ranges,
    given_moves,
)
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import GapError, NotFoundError, UsageError
from xcaliper.image.memory_image import MemoryImage
from xcaliper.quantity.catalog import Catalog

SEGMENTS = """
/begin MOD_PAR ""
  /begin MEMORY_SEGMENT Ram "" DATA RAM INTERN 0x1000 0x20 -1 -1 -1 -1 -1
    /begin IF_DATA XCP /begin SEGMENT 3 1 0 0 0
      /begin PAGE 0 ECU_ACCESS_DONT_CARE XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_DONT_CARE
        INIT_SEGMENT 7 /end PAGE
    /end SEGMENT /end IF_DATA
  /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Initial "" DATA FLASH INTERN 0x8000 0x20 -1 -1 -1 -1 -1
    /begin IF_DATA XCP /begin SEGMENT 7 1 0 0 0
      /begin PAGE 0 ECU_ACCESS_DONT_CARE XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_NOT_ALLOWED
        INIT_SEGMENT 7 /end PAGE
    /end SEGMENT /end IF_DATA
  /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Mapped "" DATA FLASH INTERN 0x2000 0x10 -1 -1 -1 -1 -1
    /begin IF_DATA XCP /begin SEGMENT 1 1 2 0 0
      /begin ADDRESS_MAPPING 0x2000 0x9000 0x10 /end ADDRESS_MAPPING
    /end SEGMENT /end IF_DATA
  /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Mirrored "" DATA FLASH INTERN 0x3000 0x10 0x7000 -1 -1 -1 0
  /end MEMORY_SEGMENT
  /begin MEMORY_LAYOUT PRG_DATA 0x4000 0x8 -0x1000 -1 -1 -1 -1 /end MEMORY_LAYOUT
/end MOD_PAR
"""


def catalog_of(body):
    return Catalog(
        parse(
            f'ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M "" {body} /end MODULE /end PROJECT'
        )
    )


@pytest.fixture
def segments():
    return catalog_of(SEGMENTS)


def page_of(runs, moves=(), described=()):
    return PageImage(MemoryImage(runs), moves, described)


def test_what_a_description_tells(segments):
    moves = described_moves(segments)
    places = {(one.start, one.size_bytes, one.to, one.reason) for one in moves}
    assert places == {
        (Address(0x1000), 0x20, Address(0x8000), "Ram is initialised from Initial"),
        (Address(0x2000, 2), 0x10, Address(0x9000, 2), "ADDRESS_MAPPING of Mapped"),
        (Address(0x9000, 2), 0x10, Address(0x2000, 2), "ADDRESS_MAPPING of Mapped"),
        (Address(0x3000), 0x10, Address(0xA000), "mirror of Mirrored"),
        (Address(0xA000), 0x10, Address(0x3000), "mirror of Mirrored"),
        (Address(0x4000), 0x8, Address(0x3000), "mirror of PRG_DATA"),
        (Address(0x3000), 0x8, Address(0x4000), "mirror of PRG_DATA"),
    }
    assert not any(one.is_firm for one in moves)
    assert described_ranges(segments)[2] == AddressRange(Address(0x2000, 2), 0x10)
    page = page_of([(Address(0x8000), bytes(range(0x20))), (Address(0xA000), b"m" * 16)], moves)
    assert page.read(Address(0x1004), 3) == b"\4\5\6"
    assert page.read(Address(0x3001), 2) == b"mm"
    page.write(Address(0x1004), b"xyz")
    assert page.image.read(Address(0x8004), 3) == b"xyz"
    with pytest.raises(GapError, match="0x0000101F, 2 bytes: the image lacks 1 byte at 0x00001020"):
        page.read(Address(0x101F), 2)


def test_an_address_that_the_image_holds_is_itself(segments):
    runs = [(Address(0x1000), b"ram!" * 8), (Address(0x8000), b"rom!" * 8)]
    assert page_of(runs, described_moves(segments)).read(Address(0x1000), 4) == b"ram!"
    firm = given_moves(segments, {"Ram": 0x7000})
    assert [(one.to, one.is_firm) for one in firm] == [(Address(0x8000), True)]
    page = page_of(runs, (*firm, *described_moves(segments)))
    assert page.read(Address(0x1000), 4) == b"rom!"
    assert page.read(Address(0x8000), 4) == b"rom!"
    page = page_of(runs[:1], firm)
    with pytest.raises(GapError, match="the offset of Ram: nothing is there either"):
        page.read(Address(0x1000), 4)


def test_an_offset_for_everything_that_is_missing(segments):
    for offset in (0x7000, -0x0F00):
        (move,) = given_moves(segments, offset)
        page = page_of([(Address(0x8000), b"flash"), (Address(0x100), b"below")], [move])
        wanted = b"flash" if offset > 0 else b"below"
        assert page.read(Address(0x1000), 5) == page.read(Address(0x1000, 9), 5) == wanted
        assert page.read(Address(0x8001), 2) == b"la"
        with pytest.raises(GapError, match="The offset given: nothing is there either"):
            page.read(Address(0x1000), 6)
    assert given_moves(segments, None) == ()
    own = (Move(Address(1), 2, Address(3)),)
    assert given_moves(segments, own) == own
    with pytest.raises(NotFoundError, match="Ram"):
        given_moves(segments, {"ram": 1})
    with pytest.raises(UsageError, match="Ram: offset -4097 leads below address 0"):
        given_moves(segments, {"Ram": -0x1001})


def test_files_know_no_extensions():
    plain = page_of([(Address(0x100), b"abcd")])
    assert plain.read(Address(0x101, 5), 2) == b"bc"
    claimed = page_of([(Address(0x100), b"abcd")], described=[AddressRange(Address(0x100), 4)])
    assert claimed.read(Address(0x101), 2) == b"bc"
    with pytest.raises(GapError, match="The image holds address extension 0: say which one"):
        claimed.read(Address(0x101, 5), 2)  # the description has other memory there
    both = page_of([(Address(0x100), b"abcd"), (Address(0x100, 1), b"efgh")])
    assert both.read(Address(0x100, 1), 4) == b"efgh"
    with pytest.raises(GapError, match="address extension 0, 1"):
        both.read(Address(0x100, 2), 4)


def test_what_lies_across_a_border_is_put_together():
    moves = [
        Move(Address(0x10), 8, Address(0x110), is_firm=True),
        Move(Address(0x18), 8, Address(0x218), is_firm=True),
    ]
    page = page_of([(Address(0x110), b"leftleft"), (Address(0x218), b"rightrig")], moves)
    assert page.read(Address(0x14), 8) == b"leftrigh"
    assert page.places(Address(0x14), 8) == [
        AddressRange(Address(0x114), 4),
        AddressRange(Address(0x218), 4),
    ]
    page.write(Address(0x17), b"##")
    assert page.read(Address(0x10), 16) == b"leftlef##ightrig"
    assert page.read_many([(Address(0x10), 4), (Address(0x1C), 4)]) == [b"left", b"trig"]
    with pytest.raises(GapError):
        page.write(Address(0x1F), b"##")
    assert page.read(Address(0x1F), 1) == b"g"


def test_words_count_as_addresses():
    move = Move(Address(0x10), 8, Address(0x110))
    page = PageImage(MemoryImage([(Address(0x110), b"abcdefgh")], ag=2), [move])
    assert page.read(Address(0x12), 4) == b"efgh"
    assert page.ag == 2
    with pytest.raises(GapError):
        page.read(Address(0x12), 5)


def test_kept_places_are_not_written():
    page = page_of([(Address(0x100), b"..EPK-1..")], [Move(Address(0), 9, Address(0x100))])
    memory = GuardedImage(page, [(AddressRange(Address(0x102), 5), "the EPK")])
    for address, data in ((Address(0x106), b"!!"), (Address(1), b"!!"), (Address(0), bytes(9))):
        with pytest.raises(UsageError, match="the EPK lies at 0x00000102, and is kept"):
            memory.write(address, data)
    memory.write(Address(0x107), b"!")
    memory.write(Address(1), b"?")
    assert memory.read(Address(0x100), 9) == b".?EPK-1!."
    assert memory.ag == 1


PARAMETERS = (
    SEGMENTS
    + """
/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT P FNC_VALUES 2 UBYTE ROW_DIR DIRECT RESERVED 1 BYTE /end RECORD_LAYOUT
/begin COMPU_METHOD HALF "" LINEAR "%5.1" "V" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD
/begin CHARACTERISTIC one "" VALUE 0x1000 L 0 HALF 0 100 /end CHARACTERISTIC
/begin CHARACTERISTIC block "" VAL_BLK 0x1002 L 0 NO_COMPU_METHOD 0 255 MATRIX_DIM 3 /end CHARACTERISTIC
/begin CHARACTERISTIC padded "" VALUE 0x1006 P 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC flag "" VALUE 0x1008 L 0 NO_COMPU_METHOD 0 255 BIT_MASK 0x1 /end CHARACTERISTIC
/begin CHARACTERISTIC edge "" VALUE 0x101F L 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin BLOB raw "" 0x1014 4 /end BLOB
/begin CHARACTERISTIC lost "" VALUE 0x5000 L 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
"""
)


def test_images_are_compared_as_parameters():
    catalog = catalog_of(PARAMETERS)
    left = PageImage(MemoryImage([(Address(0x8000), bytes(range(0x20)))]), described_moves(catalog))
    right = PageImage(
        MemoryImage([(Address(0x8000), bytes(range(0x1F))), (Address(0x9100), b"new")]),
        described_moves(catalog),
    )
    for at, byte in ((0, 8), (3, 30), (6, 99), (8, 0x88), (0x10, 1), (0x15, 0xFF)):
        right.image.write(Address(0x8000 + at), bytes([byte]))
    found = compare_images(catalog, left, right)
    assert found.names == ("one", "block", "raw", "edge")
    assert [
        (d.name, d.left.values, d.right.values) for d in found.parameters.changed if d.name == "one"
    ] == [("one", 0, 4)]
    assert found.parameters.left_only == (("edge", ()),)
    assert found.alike == ("padded", "flag")
    assert found.unnamed == (AddressRange(Address(0x8010), 1),)
    assert found.left_only == (AddressRange(Address(0x801F), 1),)
    assert found.right_only == (AddressRange(Address(0x9100), 3),)
    assert {one.subject for one in found.diagnostics} >= {"lost", "edge"}
    text = found.text()
    for line in (
        "other bytes, equal values: padded, flag",
        "no parameter: 1 bytes at 0x00008010 (1)",
        "only in the right image: 3 bytes at 0x00009100 (3)",
    ):
        assert line in text
    told = found.as_dict()
    assert told["unnamed"] == [{"address": 0x8010, "extension": 0, "size": 1}]
    assert told["alike"] == ["padded", "flag"]
    assert found
    assert found._repr_html_().startswith("<pre>")
    near = compare_images(catalog, left, right, absolute=4)
    assert "one" in near.alike
    assert not compare_images(catalog, left, left)
