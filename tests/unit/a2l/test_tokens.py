import pytest

from xcaliper.a2l.tokens import BEGIN, END, EOF, RAW, STRING, WORD, decode_text, tokenize


def pairs(text):
    tokens = tokenize(text)
    assert tokens.kinds[-1] == EOF
    return list(zip(tokens.kinds, tokens.texts, strict=True))[:-1]


def test_words_strings_and_marks():
    assert pairs('/begin A "b ""c"" \\"d\\" \\n" /* x */ 0x1F // y\n/END A') == [
        (BEGIN, "/begin"),
        (WORD, "A"),
        (STRING, 'b "c" "d" \n'),
        (WORD, "0x1F"),
        (END, "/END"),
        (WORD, "A"),
    ]


def test_tokens_without_separator():
    assert pairs('"text"UWORD/*c*/X') == [(STRING, "text"), (WORD, "UWORD"), (WORD, "X")]


def test_block_marks_need_no_separator():
    assert pairs("m/s /end A/begin B") == [
        (WORD, "m/s"),
        (END, "/end"),
        (WORD, "A"),
        (BEGIN, "/begin"),
        (WORD, "B"),
    ]


def test_comment_marks_inside_strings():
    assert pairs('"a /* b" "// c"') == [(STRING, "a /* b"), (STRING, "// c")]


def test_line_break_inside_string():
    assert pairs('"two\nlines" X') == [(STRING, "two\nlines"), (WORD, "X")]


def test_a2ml_payload_is_one_token():
    text = "/begin A2ML it's \"free { text /end A2ML X"
    assert pairs(text)[:3] == [(BEGIN, "/begin"), (WORD, "A2ML"), (RAW, " it's \"free { text ")]


def test_places():
    tokens = tokenize('A\n  "b"\n\tC', source="s")
    found = [(tokens.where(n).line, tokens.where(n).column) for n in range(3)]
    assert found == [(1, 1), (2, 3), (3, 2)]
    assert str(tokens.where(1)) == "s:2:3"


@pytest.mark.parametrize(
    ("data", "text", "name"),
    [
        ("ä".encode("utf-8-sig"), "ä", "utf-8-sig"),
        ("ä".encode(), "ä", "utf-8"),
        (b"\xe4\x80", "ä€", "cp1252"),
        (b"\xe4\x81", "ä\x81", "latin-1"),
        (b"\xff\xfeA\0B\0", "AB", "utf-16"),
        (b"\xfe\xff\0A\0B", "AB", "utf-16"),
        (b"A\0B\0", "AB", "utf-16-le"),
        (b"\0A\0B", "AB", "utf-16-be"),
        (b"A\0\0\0", "A", "utf-32-le"),
        (b"\0\0\0A", "A", "utf-32-be"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings(data, text, name):
    assert decode_text(data) == (text, name)
