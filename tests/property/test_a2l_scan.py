"""Both scan engines find the same in any text, and what they find is what the tokens say."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.kernels import compiled_step
from xcaliper.a2l.scan import Marks, fnv, scan
from xcaliper.a2l.tokens import BEGIN, END, RAW, STRING, WORD, tokens_of, transcode

CORPUS = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[2] / "../shared/data"))
FILES = sorted(CORPUS.glob("a2l/**/*.a2l"))

needs_numba = pytest.mark.skipif(compiled_step() is None, reason="the fast extra is not installed")

PIECES = [
    *(b"/begin", b"/end", b"/include", b"/BEGIN X", b"/endX", b"/begin ", b"/end ", b"/include "),
    *(b" ", b"\n", b"\t", b"\r\n", b"\0", b"\x1f", b"\xc2\xa0", b"\xef\xbb\xbf", b"\xc2", b"\xef"),
    *(b'"', b'\\"', b'""', b'"""', b'"a"', b'"a\nb"', b"\\", b"/*", b"*/", b"//", b"/", b"*"),
    *(b"A2ML", b"IF_DATA", b"MODULE", b"a", b"m/s", b"\xe4", b'x"y', b"/begin A2ML ", b"0x1F"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=60)


def same(one, other):
    for name in Marks.__dataclass_fields__:
        assert np.array_equal(getattr(one.marks, name), getattr(other.marks, name)), name
    assert one.findings == other.findings
    assert one.includes == other.includes
    assert one.stop == other.stop


def marks_of_tokens(text):
    """The marks with keyword and following token, from the tokens."""
    tokens = tokens_of(text, 0, len(text), None)
    found = []
    for at, kind in enumerate(tokens.kinds):
        if kind in (BEGIN, END):
            keyword = at + 1 if tokens.kinds[at + 1] == WORD else None
            first = keyword + 1 if keyword and tokens.kinds[keyword + 1] in (WORD, STRING) else None
            found.append(
                (
                    kind,
                    tokens.span(at)[0],
                    *(tokens.span(keyword) if keyword else (-1, tokens.span(at)[1])),
                    *(tokens.span(first) if first else (-1, -1)),
                    fnv(text[slice(*tokens.span(keyword))]) if keyword else 0,
                )
            )
    return found


@needs_numba
@settings(deadline=None, max_examples=400)
@given(texts)
def test_engines_agree(text):
    same(scan(text, engine="re"), scan(text, engine="fast"))


@settings(deadline=None, max_examples=400)
@given(texts)
def test_marks_are_those_of_the_tokens(text):
    found = scan(text, engine="re")
    if found.includes:
        return
    columns = [getattr(found.marks, name).tolist() for name in Marks.__dataclass_fields__]
    assert list(zip(*columns, strict=True)) == marks_of_tokens(text)


USUAL = [
    *(b" ", b"\n", b"\x1f", b"/begin", b"/end", b"/begin ", b"/end\n", b"/", b"/*", b"*/", b"//"),
    *(b'"', b'""', b'"a"', b'"/end"', b'"// b"', b'"a\nb"', b"/* c */", b'/* "c" */', b"// d\n"),
    *(b"a", b"0x1F", b"m/s", b"/BEGIN", b"\0", b'x"y', b"/* c */d", b"e// f\n"),
]


@settings(deadline=None, max_examples=1500)
@given(texts | st.lists(st.sampled_from(USUAL), max_size=14).map(b"".join))
def test_tokens_are_what_stands_at_their_offsets(text):
    found = tokens_of(text, 0, len(text), None)
    assert len(found.kinds) == len(found.texts)
    odd = text + b"\n\xc2\xa0"  # a blank that is not ASCII: read by the pattern
    if b"A2ML" not in text:
        other = tokens_of(odd, 0, len(odd), None)
        assert (found.kinds, found.texts) == (other.kinds, other.texts)
    places = [found.span(at) for at in range(len(found.kinds))]
    assert places == sorted(places)
    assert places[-1] == (len(text), len(text))
    kinds = {b"/begin": BEGIN, b"/end": END}
    for kind, word, (start, stop) in zip(found.kinds, found.texts, places[:-1], strict=False):
        raw = text[start:stop]
        if kind != STRING:
            assert raw.decode("utf-8", "replace") == word
            assert kind in (kinds.get(raw.lower(), WORD), RAW)
        elif b"\\" not in raw and raw.count(b'"') == 2 and raw.endswith(b'"'):
            assert raw[1:-1].decode("utf-8", "replace") == word


@settings(deadline=None, max_examples=300)
@given(texts)
def test_any_bytes_open_and_are_given_back(text):
    data = b'/begin PROJECT p "" /begin MODULE m ""\n' + text + b"\n/end MODULE /end PROJECT"
    for given_bytes in (text, data):
        file = parse(given_bytes)
        assert file.to_bytes() == given_bytes
        assert all(d.text and d.slug for d in file.diagnostics)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_access_in_any_order_gives_what_reading_at_once_gives(data):
    block = '/begin {0} n{1} "" {2} /end {3}\n'
    rows = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["MEASUREMENT", "GROUP", "UNIT", "FANCY"]),
                st.integers(0, 3),
                st.sampled_from(["", "UBYTE CM 0 0 0 1", "ROOT", "/begin ANNOTATION"]),
                st.sampled_from(["", "MEASUREMENT", "GROUP", "ANNOTATION /end MEASUREMENT"]),
            ),
            max_size=8,
        )
    )
    text = '/begin PROJECT p "" /begin MODULE m ""\n'
    text += "".join(block.format(a, n, b, c or a) for a, n, b, c in rows)
    text += "/end MODULE /end PROJECT"
    eager, late = parse(text), open_a2l(text)
    for module in late.modules:
        for objects in data.draw(st.permutations([module.measurement, module.group, module.unit])):
            assert len(list(objects)) == len(objects)
    late.load_all()
    assert late == eager
    assert late.diagnostics == eager.diagnostics


@needs_numba
@pytest.mark.skipif(not FILES, reason="no corpus here")
def test_engines_agree_on_real_files():
    for path in FILES:
        text, _ = transcode(path.read_bytes())
        same(scan(text, engine="re"), scan(text, engine="fast"))
        half = text[: len(text) // 2]
        same(scan(half, engine="re"), scan(half, engine="fast"))


@needs_numba
def test_engines_agree_beyond_one_round():
    text = b'/begin X n "x" /end X ' * 70_000
    one, other = scan(text, engine="re"), scan(text, engine="fast")
    assert len(one.marks) == 140_000
    same(one, other)
