"""A formula in the other syntax has the same values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcaliper.a2l.formula_text import translated
from xcaliper.quantity import compile_formula

INPUTS = np.array([[0.0, 1.0, 2.0, 3.0, -1.5, 0.5], [2.0, 0.0, 1.0, 3.0, 2.0, -1.0]])


def formulas(binary, unary, calls):
    leaf = st.sampled_from(["X1", "X2", "0", "1", "2.5", "0x0F"])

    def grown(inner):
        operand = st.one_of(inner, inner.map(lambda a: f"({a})"))
        return st.one_of(
            st.tuples(operand, st.sampled_from(binary), operand).map(" ".join),
            st.tuples(st.sampled_from(unary), operand).map("".join),
            st.tuples(st.sampled_from(calls), inner).map(lambda p: p[0].replace("@", p[1])),
        )

    return st.recursive(leaf, grown, max_leaves=10)


SHARED = ["+", "-", "*", "/", "<", "==", ">="]
OLD = formulas([*SHARED, "^", "&", "|", "XOR"], ["-", "~"], ["arcsin(@)", "ARCTAN(@)", "sqrt(@)"])
NEW = formulas([*SHARED, "&&", "||"], ["-", "!"], ["pow(@, 2)", "pow(2, @)", "acos(@)", "log(@)"])


def same(text, other, versions):
    values = [
        compile_formula(one, version=version)(*INPUTS)
        for one, version in zip((text, other), versions, strict=True)
    ]
    return np.array_equal(*np.broadcast_arrays(*values), equal_nan=True)


@given(OLD)
def test_old_to_new(text):
    other = translated(text, upward=True)
    assert other is not None
    assert same(text, other, ("1.51", "1.60"))


@given(NEW)
def test_new_to_old(text):
    other = translated(text, upward=False)
    assert other is not None
    assert same(text, other, ("1.60", "1.51"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X1 ^ 2 ^ X2", "pow(X1, pow(2, X2))"),
        ("-X1^2", "-pow(X1, 2)"),
        ("X1&X2|~X3", "X1 && X2 || !X3"),
        ("arcsin(X1) + sysc(GAIN)", "asin(X1) + sysc(GAIN)"),
    ],
)
def test_by_hand(old, new):
    assert translated(old, upward=True) == new


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("pow(X1 + 1, 2)", "(X1 + 1) ^ 2"),
        ("pow(pow(X1, 2), 3)", "(X1 ^ 2) ^ 3"),
        ("!(X1 > 2) && X2", "~(X1 > 2) & X2"),
        ("X1 *  2", "X1 *  2"),
        ("X1 & 0xFF", None),
        ("X1 << 2", None),
        ("~X1", None),
        ("X1 +", None),
        ("(" * 100 + "X1" + ")" * 100, None),
    ],
)
def test_back_by_hand(new, old):
    assert translated(new, upward=False) == old
