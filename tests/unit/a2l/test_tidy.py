"""A text laid out anew means the same, and what it lost is listed."""

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.diff import diff
from xcaliper.a2l.tidy import tidy

TEXT = """ASAP2_VERSION 1 71 /* first
second */
/begin PROJECT p "no // comment /* here */"
/begin MODULE m ""
/begin A2ML /* of the grammar */ /end A2ML
/begin MEASUREMENT b "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS 0x10 /end MEASUREMENT // b
/begin MEASUREMENT C "" UBYTE NO_COMPU_METHOD 0 0 0 255 /end MEASUREMENT
/begin MEASUREMENT a "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS 0x20 STRANGE 1 /end MEASUREMENT
/end MODULE
/end PROJECT
"""


def names(text):
    return [m.name for m in parse(text).module.measurement]


def test_means_the_same():
    for reader in (parse, open_a2l):
        found = tidy(reader(TEXT.encode()))
        assert not diff(parse(TEXT), parse(found.text))
        assert names(found.text) == ["b", "C", "a"]
        assert tidy(parse(found.text)).text == found.text


def test_orders():
    assert names(tidy(parse(TEXT), order="name").text) == ["a", "b", "C"]
    assert names(tidy(parse(TEXT), order="address").text) == ["b", "a", "C"]


def test_what_is_lost_is_listed():
    found = tidy(parse(TEXT)).lost
    assert [(d.slug, d.where.line) for d in found] == [
        ("comment-lost", 1),
        ("comment-lost", 6),
        ("part-lost", 8),
    ]
    assert "first second" in found[0].text
