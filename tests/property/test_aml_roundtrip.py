"""A2ML types and values made by Hypothesis: written and read back, built and matched."""

from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import parse, write
from xcaliper.a2l.aml import parse_aml, write_aml
from xcaliper.a2l.aml_match import BlockTag, TagValues, build, match
from xcaliper.a2l.aml_types import (
    NUMBERS,
    Aml,
    AmlArray,
    AmlEnum,
    AmlNumber,
    AmlSequence,
    AmlStruct,
    AmlTag,
    AmlTaggedStruct,
    AmlTaggedUnion,
    AmlText,
)
from xcaliper.a2l.builtin_aml import builtin_aml
from xcaliper.a2l.ifdata import IfBlock, IfData, Quoted

TAGS = ["A", "B", "C", "D", "E", "F"]
WORDS = ["ON", "OFF", "AUTO"]

numbers = st.sampled_from(list(NUMBERS)).map(AmlNumber)
texts = st.integers(1, 20).map(AmlText)
enums = st.lists(st.sampled_from(WORDS), min_size=1, unique=True).map(
    lambda words: AmlEnum({word: at for at, word in enumerate(words)})
)
plain = st.one_of(numbers, texts, enums)


def grown(inner):
    tags = st.lists(
        st.builds(AmlTag, st.sampled_from(TAGS), st.none() | inner, st.booleans(), st.booleans()),
        max_size=4,
        unique_by=lambda tag: tag.tag,
    ).map(tuple)
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda members: AmlStruct(tuple(members))),
        tags.map(AmlTaggedStruct),
        tags.map(AmlTaggedUnion),
        st.builds(AmlArray, numbers.filter(lambda n: n.kind != "char") | enums, st.integers(0, 3)),
    )


types = st.recursive(plain, grown, max_leaves=8)


@st.composite
def values_of(draw, made):
    """Values that fit a type and can be told from what follows."""
    if isinstance(made, AmlNumber):
        span = NUMBERS[made.kind]
        floats = st.floats(allow_nan=False, allow_infinity=False, width=32)
        return draw(st.integers(*span) if span else floats)
    if isinstance(made, AmlText):
        return draw(
            st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=made.size)
        )
    if isinstance(made, AmlEnum):
        return draw(st.sampled_from(list(made.words)))
    if isinstance(made, AmlStruct):
        return [draw(values_of(member)) for member in made.members]
    if isinstance(made, AmlArray):
        return [draw(values_of(made.element)) for _ in range(made.size)]
    tags = draw(st.permutations(made.tags))
    most = 1 if isinstance(made, AmlTaggedUnion) else len(tags)
    chosen = tags[: draw(st.integers(0, most))]
    return TagValues(
        (BlockTag(t.tag) if t.block else t.tag, None if t.type is None else draw(values_of(t.type)))
        for t in chosen
    )


@st.composite
def cases(draw):
    made = draw(types)
    aml = Aml(AmlTaggedUnion((AmlTag("X", made),), "if_data"))
    return aml, TagValues([("X", draw(values_of(made)))])


@settings(deadline=None, max_examples=150)
@given(types)
def test_types_are_read_back(made):
    aml = Aml(AmlTaggedUnion((AmlTag("X", made),), "if_data"))
    found = []
    assert parse_aml(write_aml(aml), found).root == aml.root
    assert found == []


@settings(deadline=None, max_examples=200)
@given(cases())
def test_built_data_survive_text_and_matching(case):
    aml, values = case
    data = build(aml, values)
    again = parse(write(data)).module.if_data[0]
    assert again == data
    assert build(aml, match(aml, again).values) == data


@st.composite
def flat_cases(draw):
    """Structs of plain members and one list of tags behind them: nothing can be mistaken."""
    members = draw(st.lists(plain, max_size=5))
    tags = draw(
        st.lists(
            st.builds(AmlTag, st.sampled_from(TAGS), st.none() | plain, st.booleans()),
            unique_by=lambda tag: tag.tag,
        )
    )
    made = AmlStruct((*members, AmlTaggedStruct(tuple(tags))))
    aml = Aml(AmlTaggedUnion((AmlTag("X", made),), "if_data"))
    return aml, TagValues([("X", draw(values_of(made)))])


@settings(deadline=None, max_examples=200)
@given(flat_cases())
def test_matching_undoes_building(case):
    aml, values = case
    matched = match(aml, build(aml, values))
    assert matched.diagnostics == ()
    assert matched.values == values


items = st.recursive(
    st.sampled_from(["1", "-3", "0x10", "1.5", "ON", "A", "B", "XCP", "DAQ", "EVENT", Quoted("t")]),
    lambda inner: st.builds(
        IfBlock, st.sampled_from(["A", "B", "DAQ", "EVENT", "PROTOCOL_LAYER"]), st.lists(inner)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(types, st.lists(items))
def test_any_items_survive_any_types(made, given_items):
    aml = Aml(AmlTaggedUnion((AmlTag("X", made),), "if_data"))
    data = IfData("X", given_items)
    assert build(aml, match(aml, data).values) == data


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["XCP", "XCPplus", "ASAP1B_CCP", "CANAPE_EXT"]), st.lists(items))
def test_any_items_survive_the_built_in_types(name, given_items):
    data = IfData(name, given_items)
    assert build(builtin_aml(), match(builtin_aml(), data).values) == data


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                '"A"',
                "struct",
                "taggedstruct",
                "taggedunion",
                "enum",
                "block",
                "uint",
                "char",
                "s",
                "{",
                "}",
                "(",
                ")",
                "*",
                "[",
                "]",
                ";",
                "=",
                ",",
                "3",
                "/*",
                "*/",
                '"',
                '"IF_DATA"',
            ]
        )
    )
)
def test_any_text_is_read(words):
    found = []
    aml = parse_aml(" ".join(words), found)
    match(aml, IfData("A", ["1", "A", IfBlock("A", ["2"])]))
    assert all(d.slug.startswith("aml-") for d in found)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([AmlSequence(AmlNumber("uint")), AmlSequence(AmlEnum({"ON": 1}))]))
def test_sequences_end_where_something_else_begins(made):
    aml = Aml(AmlTaggedUnion((AmlTag("X", AmlStruct((made, AmlText(9)))),), "if_data"))
    word = "7" if isinstance(made.element, AmlNumber) else "ON"
    assert match(aml, IfData("X", [word, word, Quoted("end")])).content == [
        [word, word] if word == "ON" else [7, 7],
        "end",
    ]
