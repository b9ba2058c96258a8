"""A text laid out anew means the same, and what it lost is listed."""

import os
import re
from pathlib import Path

import pytest

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.diff import diff
from xcaliper.a2l.tidy import tidy

ROOT = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[3] / "../shared/data"))
FILES = sorted(p for p in ROOT.glob("a2l/**/*.a2l") if p.stat().st_size < 300_000)

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
    assert [(d.slug, d.where.line) for d in found] == [("part-lost", 8)]


REMARKED = """// head of the file
/* second */ ASAP2_VERSION 1 71 // version
/begin PROJECT p "" // project
/* above the module
   over lines */
/begin MODULE m "" /* module */
/begin A2ML /* of the grammar */ /end A2ML
/begin IF_DATA X 1 // one
 2 /* two */ 3
 // above the block
 /begin B 4 /* four */ /end B // behind the block
 // last of the interface
/end IF_DATA
/begin MEASUREMENT /* name */ b // first
  /* text */ "// no comment" // second
  UBYTE NO_COMPU_METHOD 0 0 0 255
  // above the address
  ECU_ADDRESS /* hex */ 0x10 // behind the address
  // last
/end MEASUREMENT // behind b
// above a
/begin MEASUREMENT a "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS 0x8 /end MEASUREMENT
/begin GROUP g ""
 /begin REF_MEASUREMENT
   a // row a
   // above row b
   b
 /end REF_MEASUREMENT
/end GROUP
/end MODULE
/end PROJECT // done
// end of the file
"""
LAID_OUT = """// head of the file
/* second */
ASAP2_VERSION 1 71 // version
/begin PROJECT p "" // project
  /* above the module
   over lines */
  /begin MODULE m "" /* module */
    /begin A2ML /* of the grammar */ /end A2ML
    // above a
    /begin MEASUREMENT a "" UBYTE NO_COMPU_METHOD 0 0 0 255
      ECU_ADDRESS 0x8
    /end MEASUREMENT
    /begin MEASUREMENT b "// no comment" UBYTE NO_COMPU_METHOD 0 0 0 255 /* name */ /* first */ /* text */ // second
      // above the address
      ECU_ADDRESS 0x10 /* hex */ // behind the address
      // last
    /end MEASUREMENT // behind b
"""


def test_comments_stay_beside_what_they_stood_at():
    for reader in (parse, open_a2l):
        found = tidy(reader(REMARKED.encode()), order="name")
        assert not found.lost
        text = found.text
        assert [line for line in LAID_OUT.split("\n") if line not in text.split("\n")] == []
        again = tidy(parse(text))
        assert (again.text, again.lost) == (text, [])
        assert not diff(parse(REMARKED), parse(text))


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_real_files_keep_meaning_and_comments():
    words = re.compile(r"\w+")
    kept = 0
    for path in FILES:
        data = path.read_bytes()
        found = tidy(parse(data))
        assert not [d for d in found.lost if d.slug == "comment-lost"], path
        again = parse(found.text)
        assert not diff(parse(data), again), path
        assert tidy(again).text == found.text, path
        plain = again.document.text.decode("utf-8", "replace")
        for comment in re.findall(r"^[ \t]*//([^\n\r]*)", parse(data).document.text.decode(), re.M):
            assert not words.findall(comment) or comment.strip() in plain, (path, comment)
            kept += 1
    assert kept


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_line_ends_stay(encoding):
    text = REMARKED.replace("// first", "// größer").replace("\n", "\r\n")
    found = tidy(parse(text.encode(encoding))).text
    assert found.count("\n") == found.count("\r\n") > 30
    assert "/* größer */" in found
    assert tidy(parse(found.encode(encoding))).text == found
