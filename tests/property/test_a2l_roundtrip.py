"""Text of any tree reads back to that tree; any text reads without exception."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import A2lFile, parse, write
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, Quoted
from xcaliper.a2l.index import walk
from xcaliper.a2l.keywords.project import A2mlVersion, Asap2Version, Module, Project

KEYWORDS = {
    name: entry.cls
    for name, entry in table_of(Module).optional.items()
    if entry.mode == "object" and name not in ("IF_DATA", "A2ML")
}


def all_tables(cls, seen):
    if cls in seen or cls in (IfData, A2ml):
        return seen
    seen.add(cls)
    for entry in table_of(cls).optional.values():
        if entry.mode == "object":
            all_tables(entry.cls, seen)
    return seen


ALL = all_tables(Project, set())
NAMES = {cls.KEYWORD for cls in ALL} | {n for cls in ALL for n in table_of(cls).optional}

strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
idents = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\[\]\-#]{0,10}", fullmatch=True).filter(
    lambda word: word not in NAMES
)
ints = st.integers(-(2**31), 2**64)
numbers = ints | st.floats(allow_nan=False)


def plain(param):
    if param.words:
        return st.sampled_from(sorted(param.words))
    return {"ident": idents, "text": strings, "int": ints, "num": numbers}[param.kind]


def tags(depth):
    words = idents | st.builds(Quoted, strings) | numbers.map(str)
    if not depth:
        return st.lists(words, max_size=4)
    block = st.builds(IfBlock, idents, st.deferred(lambda: tags(depth - 1)))
    return st.lists(words | block, max_size=4)


@st.composite
def objects(draw, cls, depth=3):
    if cls is IfData:
        return IfData(draw(idents), draw(tags(2)))
    if cls is A2ml:
        return A2ml(" " + draw(st.from_regex(r"[a-z{};\" ]{0,20}", fullmatch=True)) + " ")
    table = table_of(cls)
    made = cls(*(draw(plain(p)) for p in table.params))
    if table.rest:
        attr, params = table.rest
        row = plain(params[0]) if len(params) == 1 else st.tuples(*map(plain, params))
        setattr(made, attr, draw(st.lists(row, max_size=3)))
    if depth:
        entries = list(table.optional.values())
        chosen = draw(st.sets(st.sampled_from(entries), max_size=4)) if entries else ()
        for entry in sorted(chosen, key=entries.index):
            setattr(made, entry.attr, draw(optional(entry, depth - 1)))
    return made


def optional(entry, depth):
    if entry.mode == "flag":
        return st.just(True)
    if entry.mode == "object":
        one = objects(entry.cls, depth)
    elif entry.mode == "values":
        one = st.lists(plain(entry.param), max_size=3).map(tuple)
    else:
        one = plain(entry.param)
    return st.lists(one, max_size=2) if entry.repeated else one


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(KEYWORDS)).flatmap(lambda name: objects(KEYWORDS[name])))
def test_write_then_parse_gives_the_same_object(made):
    module = Module("m", "")
    attr = made.KEYWORD.lower()
    setattr(module, attr, [made] if isinstance(getattr(module, attr), list) else made)
    file = A2lFile(Asap2Version(1, 71), A2mlVersion(1, 31), Project("p", "", None, [module]))
    again = parse(write(file))
    assert again == file
    assert again.diagnostics == []


@settings(deadline=None, max_examples=60)
@given(objects(Module, depth=4))
def test_whole_modules(module):
    file = A2lFile(Asap2Version(1, 71), None, Project("p", "", None, [module]))
    again = parse(write(file))
    assert again == file
    assert again.diagnostics == []


def test_every_keyword_of_the_tree_has_a_table():
    assert len(ALL) > 120
    for cls in ALL:
        assert table_of(cls).name == cls.KEYWORD


PIECES = st.sampled_from(
    [
        *sorted(NAMES),
        "/begin",
        "/end",
        "/include",
        '"',
        '""',
        "\\",
        "/*",
        "*/",
        "//",
        "\n",
        "0x1F",
        "-1.5e3",
        "x",
        "[",
        "A2ML",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=60).map(" ".join) | st.text(max_size=80))
def test_any_text_gives_a_tree(text):
    file = parse(text, loader=lambda name, source: None)
    assert file.modules is not None
    assert all(d.slug and d.text for d in file.diagnostics)


GOOD = """ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""
/begin MEASUREMENT a "x" UBYTE CM 0 0 0 1 FORMAT "%3" /begin IF_DATA XCP /begin D 1 /end D /end IF_DATA /end MEASUREMENT
/begin COMPU_VTAB t "" TAB_VERB 2 0 "a" 1 "b" DEFAULT_VALUE "c" /end COMPU_VTAB
/begin CHARACTERISTIC c "" VALUE 0 L 0 CM 0 1 /end CHARACTERISTIC
/end MODULE /end PROJECT"""


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=3))
def test_any_damage_gives_a_tree_that_can_be_written(at, length, inserted):
    damaged = GOOD[:at] + inserted + GOOD[at + length :]
    file = parse(damaged)
    again = parse(write(file))
    assert [len(m.measurement) for m in again.modules] == [len(m.measurement) for m in file.modules]
    for module in file.modules:
        for made in walk(module):
            assert made.where.line >= 0
            assert not math.isnan(made.where.column)
