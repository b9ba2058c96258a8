"""Whatever text comes: a compiled expression or a clear error, never anything else."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import UsageError
from xcaliper.quantity.expression import Known, as_numbers, compile_expression
from xcaliper.quantity.expression_functions import ELEMENTWISE, REDUCTIONS
from xcaliper.quantity.stateful import STATEFUL

KNOWN = {
    "a": Known(np.dtype("<u2"), np.dtype("<u2")),
    "f": Known(np.dtype("f8"), np.dtype("f8")),
    "b.c[0]": Known(np.dtype("f4"), np.dtype("f4"), (2,)),
    "gear": Known(np.dtype("u1"), np.dtype("u1"), (), True),
    "ok": Known(np.dtype("?"), np.dtype("?")),
}
WORDS = [
    *KNOWN, "`b.c[0]`", "t", "pi", "1", "2.5", "0x1F", "1e400", "'D'", "True", "None", "nix",
    "+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "~", "@", ":=", "=",
    "<", "<=", "==", "!=", "in", "is", "and", "or", "not", "if", "else", "lambda", "await",
    "(", ")", "[", "]", "[0]", "[:, 0]", ",", ":", ".", "`", "\n", "#", "\\", "é", "\0", "{", "}",
    *(f"{name}(" for name in (*STATEFUL, *ELEMENTWISE, *REDUCTIONS, "raw", "open", "__import__")),
]  # fmt: skip
N = 6


def compiled(text):
    """The expression, or None and why not."""
    try:
        return compile_expression(text, KNOWN), ""
    except UsageError as error:
        return None, error.message


@settings(deadline=None, max_examples=600)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
        st.lists(st.sampled_from(WORDS), max_size=9).map(lambda w: " ".join(w) + ")" * 3),
    )
)
def test_any_text_is_compiled_or_refused(text):
    expression, message = compiled(text)
    if expression is None:
        assert len(message) < 700
        return
    running = expression.start()
    rng = np.random.default_rng(1)
    for _ in range(2):
        given_values = []
        for item in expression.inputs:
            if item.kind == "text":
                given_values.append(np.array(["D", "P"] * 3, dtype=object))
            elif item.kind == "time":
                given_values.append(np.arange(N))
            else:
                known = KNOWN[item.name]
                values = rng.integers(0, 9, (N, *known.shape))
                given_values.append(as_numbers(values.astype(known.dtype)))
        result = running(np.arange(N, dtype=np.int64) * 1000, given_values)
        assert result.shape == (N, *expression.shape)
        assert result.dtype == expression.dtype


SCALARS = st.recursive(
    st.sampled_from(["a", "f", "gear", "ok", "t", "3", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "<", ">=", "and", "or"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        inner.map(lambda x: f"delta({x})"),
        inner.map(lambda x: f"lowpass({x}, 0.01)"),
        inner.map(lambda x: f"count({x} > 1)"),
        st.tuples(inner, inner).map(lambda p: f"hold({p[0]}, {p[1]} > 2)"),
        inner.map(lambda x: f"rising({x}, 2, 1)"),
        inner.map(lambda x: f"integral({x})"),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=100)
@given(SCALARS, st.lists(st.integers(0, 40), max_size=6), st.integers(0, 1 << 30))
def test_how_samples_come_in_blocks_does_not_matter(text, cuts, seed):
    expression, message = compiled(text)
    assert expression is not None, message
    rng = np.random.default_rng(seed)
    t_ns = np.cumsum(rng.integers(1, 10**7, 40))
    columns = {
        "a": rng.integers(0, 6, 40).astype(np.int64),
        "f": rng.normal(size=40) * 3,
        "gear": rng.integers(0, 4, 40).astype(np.int64),
        "ok": rng.integers(0, 2, 40).astype(bool),
        "": t_ns,
    }
    arrays = [columns[item.name] for item in expression.inputs]
    whole = expression.start()(t_ns, arrays)
    marks = sorted({0, 40, *cuts})
    running = expression.start()
    parts = [
        running(t_ns[a:b], [array[a:b] for array in arrays]) for a, b in itertools.pairwise(marks)
    ]
    np.testing.assert_allclose(
        np.concatenate(parts).astype(float), whole.astype(float), rtol=1e-6, atol=1e-6
    )
