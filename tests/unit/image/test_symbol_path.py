"""Symbol texts as they stand in descriptions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.image.c_types import Array, Base, Member, Struct, base_name
from xcaliper.image.debug_info import DebugInfo, SymbolPath, Variable, parse_symbol_path
from xcaliper.image.program import Program, demangle

U16 = Base("unsigned short", "unsigned", 2)
SUB = Struct("struct", "sub", 4, (Member("x", U16, 0), Member("y", U16, 2)))
TOP = Struct("struct", "top", 26, (Member("n", U16, 0), Member("part", Array(SUB, (2, 3)), 2)))
INFO = DebugInfo(
    (
        Variable("base", 0x100, TOP),
        Variable("dup", 0x200, U16, unit="src/a.c", is_external=False),
        Variable("dup", 0x300, U16, unit="src/b.c", is_external=False),
        Variable("ns::state", 0x400, U16, linkage_name="_ZN2ns5stateE"),
        Variable("odd.name[1]", 0x500, U16),
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v", SymbolPath("v")),
        ("base.member[1].sub", SymbolPath("base", ("member", 1, "sub"))),
        ("base.member._1_.sub", SymbolPath("base", ("member", 1, "sub"))),
        ("a[1][0x2]", SymbolPath("a", (1, 2))),
        ("a[ 3 ].b", SymbolPath("a", (3, "b"))),
        ("ns::C<int>::v.m", SymbolPath("ns::C<int>::v", ("m",))),
        (
            "v{Function:f}{CompileUnit:u_c}{Namespace:Global}",
            SymbolPath("v", (), "u_c", "f", "Global"),
        ),
        ("v{CompileUnit:u_c}.m", SymbolPath("v", ("m",), "u_c")),
    ],
)
def test_texts(text, expected) -> None:
    assert parse_symbol_path(text) == expected


@pytest.mark.parametrize(
    "text", ["", "[1]", ".a", "a[", "a[x]", "a[-1]", "a." + ".b" * 3, "a[99999999999]"]
)
def test_no_paths(text) -> None:
    assert parse_symbol_path(text) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("base", 0x100),
        ("base.n", 0x100),
        ("base.part", 0x102),
        ("base.part[1][2].y", 0x102 + 4 * 5 + 2),
        ("base.part._1_._2_.y", 0x102 + 4 * 5 + 2),
        ("dup", 0x200),
        ("dup{CompileUnit:b_c}", 0x300),
        ("b_c.dup", 0x300),
        ("b.dup", 0x300),
        ("ns::state", 0x400),
        ("_ZN2ns5stateE", 0x400),
        ("state{Namespace:ns}", 0x400),
        ("odd.name[1]", 0x500),
    ],
)
def test_places(text, address) -> None:
    assert Program(types=INFO).locate(text).address == address


@pytest.mark.parametrize(
    "text",
    ["none", "base.none", "base.n.x", "base.part[2][0]", "base[0]", "dup{CompileUnit:c_c}", "c_c.dup", "state"],
)  # fmt: skip
def test_nothing_there(text) -> None:
    assert Program(types=INFO).locate(text) is None


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("_ZN6engine4rowsE", "engine::rows"),
        ("_ZN6engine3Map4rowsE", "engine::Map::rows"),
        ("_ZL5count", "count"),
        ("_ZN12_GLOBAL__N_16hiddenE", "hidden"),
        ("_Z3fooi", ""),
        ("_ZN3abc", ""),
        ("_ZN9999abcE", ""),
        ("plain", ""),
    ],
)
def test_plain_cpp_names(symbol, name) -> None:
    assert demangle(symbol) == name


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("short unsigned int", "unsigned short"),
        ("long unsigned int", "unsigned long"),
        ("unsigned int", "unsigned int"),
        ("long long int", "long long"),
        ("signed char", "signed char"),
        ("char", "char"),
        ("float", "float"),
        ("", ""),
    ],
)
def test_one_spelling(spelled, name) -> None:
    assert base_name(spelled) == name


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab.[]{}:<>_012 x\u00e9", max_size=60))
def test_any_text_gives_a_path_or_none(text) -> None:
    path = parse_symbol_path(text)
    assert path is None or path.root
    Program(types=INFO).locate(text)
