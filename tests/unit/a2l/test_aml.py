"""A2ML texts made by hand: types, values by those types, and what damage does."""

import time

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.aml import MAX_AML_CHARS, parse_aml, write_aml
from xcaliper.a2l.aml_match import RawItems, TagValues, build, match
from xcaliper.a2l.aml_types import (
    AmlArray,
    AmlEnum,
    AmlNumber,
    AmlOpaque,
    AmlSequence,
    AmlStruct,
    AmlTag,
    AmlTaggedStruct,
    AmlText,
)
from xcaliper.a2l.check import check
from xcaliper.a2l.ifdata import IfBlock, IfData, Quoted
from xcaliper.core.diagnostics import Severity, Where
from xcaliper.core.errors import UsageError

TEXT = """
/* a comment
   of two lines */
enum mode { "OFF" = 0, "ON" = 0x10, "AUTO" };   // AUTO counts on
struct place { ulong; uint; };
taggedstruct common {
  "SIZE" uint;
  block "PAGE" struct { struct place; char[8]; };
  ("LINK" struct place)*;
  "FLAG";
};
block "IF_DATA" taggedunion if_data {
  "DEMO" struct {
    int;
    enum mode;
    uchar[3];
    (float)*;
    taggedstruct common;
  };
  "WORDS" taggedstruct { "MODE" taggedunion { "BLOCK" taggedstruct { "SLAVE"; "MASTER" struct { uchar; uchar; }; };
                                               "INTERLEAVED" uchar; };
                         "NEXT" uchar; };
};
"""


def aml_of(text):
    found = []
    return parse_aml(text, found), found


def data_of(text):
    """The first IF_DATA of a module with this content."""
    file = parse(f'/begin PROJECT p ""\n/begin MODULE m ""\n{text}\n/end MODULE /end PROJECT')
    return file.module.if_data[0]


AML = parse_aml(TEXT)


def test_types():
    aml, found = aml_of(TEXT)
    assert found == []
    mode = AmlEnum({"OFF": 0, "ON": 16, "AUTO": 17}, "mode")
    place = AmlStruct((AmlNumber("ulong"), AmlNumber("uint")), "place")
    common = AmlTaggedStruct(
        (
            AmlTag("SIZE", AmlNumber("uint")),
            AmlTag("PAGE", AmlStruct((place, AmlText(8))), block=True),
            AmlTag("LINK", place, repeated=True),
            AmlTag("FLAG"),
        ),
        "common",
    )
    assert aml.named == {
        ("enum", "mode"): mode,
        ("struct", "place"): place,
        ("taggedstruct", "common"): common,
    }
    assert aml.tag("DEMO").type == AmlStruct(
        (
            AmlNumber("int"),
            mode,
            AmlArray(AmlNumber("uchar"), 3),
            AmlSequence(AmlNumber("float")),
            common,
        )
    )


def test_old_root_and_reference_to_root():
    aml, found = aml_of('taggedunion if_data { "A" uint; };')
    assert found == []
    assert aml.tag("A").type == AmlNumber("uint")
    aml, found = aml_of('taggedunion if_data { "A" uint; }; block "IF_DATA" taggedunion if_data;')
    assert found == []
    assert [t.tag for t in aml.root.tags] == ["A"]


def test_text_written_is_read_back():
    text = write_aml(AML)
    again, found = aml_of(text)
    assert found == []
    assert again.root == AML.root
    assert again.named == AML.named
    assert write_aml(again) == text


def test_values():
    data = data_of(
        "/begin IF_DATA DEMO -5 AUTO 1 0x02 3 1.5 2 SIZE 9 FLAG LINK 0x10 1 LINK 0x20 2\n"
        '/begin PAGE 0x8000 1 "flash" /end PAGE /end IF_DATA'
    )
    matched = match(AML, data)
    assert matched.diagnostics == ()
    number, mode, octets, floats, common = matched.content
    assert (number, mode, octets, floats) == (-5, "AUTO", [1, 2, 3], [1.5, 2])
    assert common.value("SIZE") == 9
    assert "FLAG" in common
    assert "NONE" not in common
    assert common.values("LINK") == [[16, 1], [32, 2]]
    assert common.value("PAGE") == [[0x8000, 1], "flash"]
    assert build(AML, matched.values) == data


def test_union_and_tags_behind_it():
    data = data_of("/begin IF_DATA WORDS MODE BLOCK SLAVE MASTER 1 2 NEXT 3 /end IF_DATA")
    matched = match(AML, data)
    assert matched.diagnostics == ()
    mode = matched.content.value("MODE")
    assert mode == [("BLOCK", [("SLAVE", None), ("MASTER", [1, 2])])]
    assert matched.content.value("NEXT") == 3


def test_edit_keeps_the_rest_as_spelled():
    data = data_of("/begin IF_DATA DEMO 0x0005 ON 001 2 3 SIZE 0x09 /end IF_DATA")
    values = match(AML, data).values
    values[0][1][4].put("SIZE", 10)
    values[0][1][4].put("PAGE", [[1, 2], "x"])
    assert build(AML, values).items == [
        *("0x0005", "ON", "001", "2", "3", "SIZE", "10"),
        IfBlock("PAGE", ["1", "2", Quoted("x")]),
    ]


@pytest.mark.parametrize(
    ("content", "slug", "line"),
    [
        ("DEMO -5 AUTO 1 2 ON", "aml-mismatch", 3),
        ("DEMO -5 NEVER 1 2 3", "aml-mismatch", 3),
        ("DEMO -5", "aml-mismatch", 3),
        ("DEMO 70000 ON 1 2 3", "aml-range", 3),
        ("DEMO 1 ON 1 2 256", "aml-range", 3),
        ("DEMO 1 ON 1 2 1.5", "aml-range", 3),
        ("DEMO 1 ON 1 2 3 SIZE 1 SIZE 2", "aml-tag-repeated", 3),
        ("DEMO 1 ON 1 2 3 STRANGE 1 SIZE 2", "aml-mismatch", 3),
        ('DEMO 1 ON 1 2 3\n/begin PAGE 1 2 "far too long" /end PAGE', "aml-text-long", 4),
        ("DEMO 1 ON 1 2 3\n/begin PAGE 1 2 bare /end PAGE", "aml-unquoted", 4),
        ("DEMO 1 ON 1 2 3\n/begin STRANGE 1 /end STRANGE", "aml-mismatch", 4),
        ("DEMO 1 ON 1 2 3\n/begin PAGE 1 /end PAGE", "aml-mismatch", 4),
        ("OTHER 1", "aml-tag-unknown", 3),
        ("WORDS MODE BLOCK MASTER 1", "aml-mismatch", 3),
    ],
)
def test_misfit_is_one_finding_and_survives(content, slug, line):
    data = data_of(f"/begin IF_DATA {content} /end IF_DATA")
    matched = match(AML, data)
    assert [(d.slug, d.where.line) for d in matched.diagnostics] == [(slug, line)]
    assert build(AML, matched.values) == data


def test_neighbours_of_a_misfit_are_values():
    data = data_of(
        "/begin IF_DATA DEMO 1 ON 1 2 3 STRANGE 4 5 SIZE 6\n"
        '/begin PAGE 1 /end PAGE /begin PAGE 1 2 "b" /end PAGE /end IF_DATA'
    )
    common = match(AML, data).content[4]
    assert common.value("SIZE") == 6
    assert common.value("STRANGE") == RawItems(["STRANGE", "4", "5"])
    assert common.values("PAGE") == [RawItems(["1"]), [[1, 2], "b"]]


def test_hexadecimal_may_fill_a_signed_type():
    aml = parse_aml('block "IF_DATA" taggedunion { "A" long; };')
    assert match(aml, IfData("A", ["0xFFFFFFFF"])).diagnostics == ()
    assert match(aml, IfData("A", ["4294967295"])).diagnostics[0].slug == "aml-range"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, "NO", [1, 2, 3], [], TagValues()], "one of OFF, ON, AUTO"),
        ([1, "ON", [1, 2], [], TagValues()], "a list of 3"),
        ([1, "ON", [1, 2, 3], []], "a list of 5 members"),
        ([True, "ON", [1, 2, 3], [], TagValues()], "a number"),
        ([70000, "ON", [1, 2, 3], [], TagValues()], "-32768 to 32767"),
        ([1, "ON", [1, 2, 3], [], TagValues([("NO", 1)])], "one of the tags"),
        ([1, "ON", [1, 2, 3], [], TagValues([("FLAG", 1)])], "no value"),
        ([1, "ON", [1, 2, 3], [], []], "a list of tags"),
        ([1, "ON", [1, 2, 3], 4, TagValues()], "a list"),
        ([1, "ON", [1, 2, 3], [], TagValues([("PAGE", [[1, 2], 3])])], "a string"),
    ],
)
def test_build_refuses_what_does_not_fit(content, words):
    with pytest.raises(UsageError, match=words):
        build(AML, TagValues([("DEMO", content)]))


def test_build_needs_a_known_name():
    with pytest.raises(UsageError, match="does not know"):
        build(AML, TagValues([("NONE", 1)]))
    with pytest.raises(UsageError, match="exactly one"):
        build(AML, TagValues())


# ---- damaged texts

BROKEN = {
    "unclosed comment": ('block "IF_DATA" taggedunion { "A" uint; }; /* no end', "aml-syntax"),
    "unclosed body": ('block "IF_DATA" taggedunion { "A" uint;', "aml-syntax"),
    "semicolon": (
        'struct s { uint; uint } ; block "IF_DATA" taggedunion { "A" uint }',
        "aml-syntax",
    ),
    "no root": ("struct s { uint; };", "aml-root-missing"),
    "prose": ("I am not a grammar.", "aml-syntax"),
    "unknown reference": ('block "IF_DATA" taggedunion { "A" struct nowhere; };', "aml-reference"),
    "itself": (
        'struct s { struct s; }; block "IF_DATA" taggedunion { "A" struct s; };',
        "aml-reference",
    ),
    "word as tag": ('block "IF_DATA" taggedunion { A uint; "B" uint; };', "aml-syntax"),
    "bad type": ('block "IF_DATA" taggedunion { "A" integer; };', "aml-syntax"),
    "bad size": ('block "IF_DATA" taggedunion { "A" char[n]; };', "aml-syntax"),
    "include": (
        '/include "missing.aml" block "IF_DATA" taggedunion { "A" uint; };',
        "aml-include-missing",
    ),
    "not tags": ('block "IF_DATA" uint;', "aml-syntax"),
    "stray brace": ('}} block "IF_DATA" taggedunion { "A" uint; };', "aml-syntax"),
}


@pytest.mark.parametrize(("text", "slug"), BROKEN.values(), ids=list(BROKEN))
def test_damage_is_found(text, slug):
    _, found = aml_of(text)
    assert slug in [d.slug for d in found]


def test_damage_leaves_the_rest():
    aml, found = aml_of(
        'struct bad { uint; wrong; ulong; };\nblock "IF_DATA" taggedunion {\n'
        '"A" struct bad; nonsense { x; }; "B" uint; };'
    )
    assert [d.where for d in found] == [Where("", 1, 20), Where("", 3, 17)]
    assert aml.tag("B").type == AmlNumber("uint")
    assert aml.tag("A").type == AmlStruct(
        (AmlNumber("uint"), AmlOpaque(), AmlNumber("ulong")), "bad"
    )


def test_root_in_capitals_and_named_members():
    """As the standard prints its own example, and as C programmers write it."""
    aml, found = aml_of(
        'taggedunion IF_DATA { "A" struct { uint count; char text[4]; float gain [2]; }; };'
    )
    assert found == []
    assert aml.tag("A").type == AmlStruct(
        (AmlNumber("uint"), AmlText(4), AmlArray(AmlNumber("float"), 2))
    )


def test_a_row_of_odd_words_is_one_finding():
    _, found = aml_of("this is prose, not a grammar; and more of it")
    assert [(d.slug, d.where) for d in found] == [
        ("aml-syntax", Where("", 1, 1)),
        ("aml-root-missing", Where("", 1)),
    ]


CONTENT = 'TAGGED 1\n  300 /begin INNER 1 "four" /end INNER\n  /begin INNER x /end INNER'


def test_findings_point_at_the_word():
    head = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
    aml = (
        '/begin A2ML block "IF_DATA" taggedunion if_data { "A" taggedstruct { "TAGGED" struct { uint; uchar; }; '
        '(block "INNER" struct { uint; char[3]; })*; }; }; /end A2ML\n'
    )
    text = f"{head}{aml}/begin IF_DATA A {CONTENT}\n/end IF_DATA /end MODULE /end PROJECT"
    lines = text.splitlines()
    found = [
        (d.slug, lines[d.where.line - 1][d.where.column - 1 :].split()[0])
        for d in check(parse(text))
    ]
    assert found == [
        ("aml-range", "300"),
        ("aml-text-long", '"four"'),
        ("aml-mismatch", "x"),
    ]


def test_unknown_interfaces_are_one_finding_and_those_of_vendors_none():
    text = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n' + (
        "/begin IF_DATA Unheard 1 /end IF_DATA /begin IF_DATA ETK 1 /end IF_DATA\n" * 3
    )
    found = check(parse(text + "/end MODULE /end PROJECT"))
    assert [d.slug for d in found] == ["aml-tag-unknown", "aml-missing"]
    assert "3 such blocks" in found[0].text


def test_includes_come_through_the_loader():
    texts = {"a.aml": 'struct s { uint; };\n/include "b.aml"', "b.aml": "/include a.aml"}
    found = []
    aml = parse_aml(
        '/include "a.aml"\nblock "IF_DATA" taggedunion { "A" struct s; };', found, loader=texts.get
    )
    assert aml.tag("A").type == AmlStruct((AmlNumber("uint"),), "s")
    assert [d.slug for d in found] == ["aml-include-missing"]  # the cycle
    assert aml.missing == ("a.aml",)


def nested(levels):
    return "struct { " * levels + "uint; " + "};" * levels


HOSTILE = {
    "deep": f'block "IF_DATA" taggedunion {{ "A" {nested(50_000)} }};',
    "parentheses": f'block "IF_DATA" taggedunion {{ "A" {"(" * 50_000} }};',
    "brackets": f'block "IF_DATA" taggedunion {{ "A" uint{"[1]" * 50_000}; }};',
    "chain": "struct s0 { uint; };\n"
    + "\n".join(f"struct s{n} {{ struct s{n - 1}; }};" for n in range(1, 3000))
    + '\nblock "IF_DATA" taggedunion { "A" struct s2999; };',
    "doubling": 'struct s0 { taggedstruct { "X"; }; };\n'
    + "\n".join(f"struct s{n} {{ struct s{n - 1}; struct s{n - 1}; }};" for n in range(1, 60))
    + '\nblock "IF_DATA" taggedunion { "A" struct s59; };',
    "endless array": 'block "IF_DATA" taggedunion { "A" taggedstruct { "X"; }[99999999999]; };',
    "empty repeats": 'block "IF_DATA" taggedunion { "A" ((taggedstruct { "X"; })*)*; };',
    "braces": "}" * 100_000,
    "tags": 'block "IF_DATA" taggedunion { "A" taggedstruct { ' + '"T" uint; ' * 50_000 + "}; };",
    "comment": "/*" + "*" * 500_000,
    "quotes": '"' * 100_000,
    "digits": f'enum {{ "A" = {"9" * 50_000} }};',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_text_is_bounded(text):
    start = time.process_time()
    aml, found = aml_of(text)
    data = IfData("A", ["X", *(["1"] * 2000), IfBlock("B", ["2"])])
    matched = match(aml, data)
    assert len(found) <= 200
    assert len(matched.diagnostics) <= 50
    assert build(aml, matched.values) == data
    assert time.process_time() - start < 5


def test_huge_text_is_refused():
    _, found = aml_of(" " * (MAX_AML_CHARS + 1))
    assert found[0].slug == "aml-size"
    assert found[0].severity is Severity.ERROR


def test_a_semicolon_may_stand_inside_of_parentheses():
    aml, found = aml_of("""block "IF_DATA" taggedunion if_data { "OLD" taggedstruct {
        ("DLL" char[256]; )*;
        "CODES" ( uchar; )*;
        "PAIRS" ( uint; float; )*;
        block "SOURCE" struct { taggedstruct { "QP" struct { uint; } ; } } ;
    }; };""")
    assert not found
    matched = match(
        aml,
        data_of(
            '/begin IF_DATA OLD DLL "a" DLL "b" CODES 1 2 3 PAIRS 1 0.5 2 1.5 '
            "/begin SOURCE QP 7 /end SOURCE /end IF_DATA"
        ),
    )
    assert matched.diagnostics == ()
    assert matched.content.values("DLL") == ["a", "b"]
    assert matched.content.value("CODES") == [1, 2, 3]
    assert matched.content.value("PAIRS") == [[1, 0.5], [2, 1.5]]
