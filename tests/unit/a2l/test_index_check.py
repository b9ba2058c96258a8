import pytest

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.check import check
from xcaliper.a2l.index import ModuleIndex, spans_of
from xcaliper.core.diagnostics import Severity

M = '/begin MEASUREMENT {} "" UBYTE {} 0 0 {} {} {} /end MEASUREMENT\n'

NOTES = ("unused", "group-no-root", "epk-missing")

LAYOUT = "/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT "


def found(body, version="1 71"):
    text = f'ASAP2_VERSION {version} /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    return [(d.slug, d.subject) for d in check(parse(text), ignore=NOTES)]


def test_clean():
    assert found(M.format("a", "NO_COMPU_METHOD", 0, 1, "")) == []


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (M.format("a", "CM", 0, 1, ""), "reference-dangling"),
        (M.format("a", "NO_COMPU_METHOD", 2, 1, ""), "limits-reversed"),
        (M.format("a", "NO_COMPU_METHOD", 0, 1, "BYTE_ORDER BIG_ENDIAN"), "byte-order-ambiguous"),
        ('/begin COMPU_METHOD a "" LINEAR "%3" "" /end COMPU_METHOD', "conversion-incomplete"),
        ('/begin COMPU_VTAB a "" TAB_VERB 2 0 "x" /end COMPU_VTAB', "table-count"),
        ('/begin GROUP a "" /begin SUB_GROUP b /end SUB_GROUP /end GROUP', "reference-dangling"),
        (
            LAYOUT + '/begin CHARACTERISTIC a "" MAP 0 L 0 NO_COMPU_METHOD 0 1 /end CHARACTERISTIC',
            "axis-count",
        ),
        (
            LAYOUT
            + '/begin CHARACTERISTIC a "" ASCII 0 L 0 NO_COMPU_METHOD 0 1 /end CHARACTERISTIC',
            "size-missing",
        ),
        (
            LAYOUT
            + '/begin CHARACTERISTIC a "" VALUE 0 L 0 NO_COMPU_METHOD 0 9 EXTENDED_LIMITS 1 9 /end CHARACTERISTIC',
            "limits-beyond-extended",
        ),
    ],
)
def test_one_defect(body, slug):
    assert found(body) == [(slug, "a")]


def test_duplicates_share_a_name_space():
    one = M.format("a", "NO_COMPU_METHOD", 0, 1, "")
    blob = '/begin BLOB a "" 0 1 /end BLOB'
    assert found(one + blob) == [("name-duplicate", "a")]
    assert found(one + '/begin GROUP a "" /end GROUP') == []


def test_version_too_new():
    body = M.format("a", "NO_COMPU_METHOD", 0, 1, 'PHYS_UNIT "V"')
    assert found(body, "1 51") == [("version-too-new", "a")]
    assert found(body, "1 60") == []
    assert found('/begin BLOB a "" 0 1 /end BLOB', "1 61") == [("version-too-new", "a")]


def test_reference_graph():
    text = (
        M.format("a", "CM", 0, 1, "")
        + M.format("b", "CM", 0, 1, "")
        + '/begin COMPU_METHOD CM "" IDENTICAL "" "" REF_UNIT U /end COMPU_METHOD'
        + '/begin GROUP g "" /begin REF_MEASUREMENT a x.y s[1].z /end REF_MEASUREMENT /end GROUP'
        + '/begin INSTANCE s "" T 0 /end INSTANCE'
    )
    index = ModuleIndex(parse(text).module)
    assert [r.user.name for r in index.users_of("CM")] == ["a", "b"]
    assert sorted(r.name for r in index.dangling()) == ["T", "U", "x.y"]
    assert index.find("CM", "COMPU_METHOD").name == "CM"
    assert index.find("CM", "UNIT") is None


def test_soft_references_are_warnings():
    text = '/begin GROUP g "" /begin REF_MEASUREMENT gone /end REF_MEASUREMENT /end GROUP'
    (finding,) = check(parse(text), ignore=NOTES)
    assert finding.severity is Severity.WARNING
    assert "gone" in finding.text


REFERENCES = """/begin PROJECT p "" /begin MODULE m ""
/begin MEASUREMENT s "s" UBYTE cm 0 0 0 1 DISPLAY_IDENTIFIER s REF_MEMORY_SEGMENT s
  /begin FUNCTION_LIST s f s2 s /end FUNCTION_LIST /end MEASUREMENT
/begin CHARACTERISTIC c "s" CURVE 0 s 0 s 0 1
  /begin AXIS_DESCR COM_AXIS s s 4 0 1 AXIS_PTS_REF s FORMAT "s" /end AXIS_DESCR
  /begin IF_DATA s s /end IF_DATA /end CHARACTERISTIC
/begin GROUP s "" ROOT /begin REF_CHARACTERISTIC c s "s" ss /end REF_CHARACTERISTIC
  /begin SUB_GROUP s /end SUB_GROUP /end GROUP
/begin MEASUREMENT other "" UBYTE NO_COMPU_METHOD 0 0 0 1 /end MEASUREMENT
/end MODULE /end PROJECT
"""

MARKED = """/begin PROJECT p "" /begin MODULE m ""
/begin MEASUREMENT s "s" UBYTE cm 0 0 0 1 DISPLAY_IDENTIFIER s REF_MEMORY_SEGMENT @
  /begin FUNCTION_LIST @ f s2 @ /end FUNCTION_LIST /end MEASUREMENT
/begin CHARACTERISTIC c "s" CURVE 0 @ 0 @ 0 1
  /begin AXIS_DESCR COM_AXIS @ @ 4 0 1 AXIS_PTS_REF @ FORMAT "s" /end AXIS_DESCR
  /begin IF_DATA s s /end IF_DATA /end CHARACTERISTIC
/begin GROUP s "" ROOT /begin REF_CHARACTERISTIC c @ "@" ss /end REF_CHARACTERISTIC
  /begin SUB_GROUP @ /end SUB_GROUP /end GROUP
/begin MEASUREMENT other "" UBYTE NO_COMPU_METHOD 0 0 0 1 /end MEASUREMENT
/end MODULE /end PROJECT
"""


@pytest.mark.parametrize("opened", [parse, open_a2l])
def test_references_know_their_places(opened):
    file = opened(REFERENCES)
    text = REFERENCES.encode()
    index = ModuleIndex(file.module)
    marked = bytearray(text)
    for ref in index.users_of("s"):
        spans = spans_of(ref)
        assert spans
        for start, stop in spans:
            assert text[start:stop] in (b"s", b'"s"')
            marked[start:stop] = text[start:stop].replace(b"s", b"@")
    assert marked.decode() == MARKED


def test_users_are_found_without_reading_the_others():
    file = open_a2l(REFERENCES.replace('other ""', "other"))
    index = ModuleIndex(file.module)
    assert {ref.user.name for ref in index.users_of("f")} == {"s"}
    assert not file.diagnostics
    file.load_all()
    assert {d.slug for d in file.diagnostics} == {"identifier-quoted", "parameter-missing"}
