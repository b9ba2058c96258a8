import math

import numpy as np
import pytest

from xcaliper.core.errors import UsageError
from xcaliper.quantity.formula import compile_formula


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("X1*2+3", (4,), 11),
        ("2+3*X", (4,), 14),
        ("-X1-1", (2,), -3),
        ("2*-X1", (3,), -6),
        ("X1-X2-X3", (10, 3, 2), 5),
        ("8/4/2", (), 1),
        ("(X1+1)*(X1-1)", (3,), 8),
        ("pow(X1,3)", (2,), 8),
        ("SQRT(X1)", (9,), 3),
        ("log10(X1)", (1000,), 3),
        ("log(exp(X1))", (2,), 2),
        ("X1 & 0x0F", (0x3C,), 0x0C),
        ("X1 | 1", (6,), 7),
        ("X1 ^ 3", (5,), 6),
        ("~X1", (0,), -1),
        ("1 << X1", (4,), 16),
        ("X1 >> 2", (-8,), -2),
        ("X1 > 2 && X1 < 5", (3,), 1),
        ("X1 == 2 || X1 <> 3", (3,), 0),
        ("!X1", (0,), 1),
        ("sysc(K)*X1", (2,), 6.5),
        ("1.5e1 + .5", (), 15.5),
        ("X1 % 3", (7,), 1),
    ],
)
def test_values(text, x, expected):
    assert compile_formula(text, constants={"K": "3.25"})(*x) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("X1^2", (3,), 9),
        ("-X1^2", (3,), -9),
        ("2^3^2", (), 512),
        ("X1 & X2", (2, 4), 1),
        ("X1 XOR X2", (1, 1), 0),
        ("~X1", (5,), 0),
    ],
)
def test_syntax_before_1_6(text, x, expected):
    assert compile_formula(text, version="1.51")(*x) == expected


def test_runs_over_arrays_and_does_not_raise_on_numbers():
    result = compile_formula("sqrt(X1)/X2")(np.array([4.0, -1.0, 1.0]), np.array([2.0, 1.0, 0.0]))
    assert result[0] == 1
    assert math.isnan(result[1])
    assert result[2] == math.inf


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1+",
        "(1",
        "1)",
        "X0",
        "foo",
        "foo(1)",
        "sin(1,2)",
        "sysc(NONE)",
        "import os",
        "X1 $ 2",
        "(" * 500 + "1" + ")" * 500,
        "-" * 500 + "1",
        "1 2",
        "__class__",
    ],
)
def test_refused(text):
    with pytest.raises(UsageError):
        compile_formula(text)


def test_missing_input():
    with pytest.raises(UsageError, match="2 inputs"):
        compile_formula("X2")(1)


def test_long_chains_need_no_deep_stack():
    assert compile_formula("+".join(["X1"] * 9000))(2) == 18000
    with pytest.raises(UsageError):
        compile_formula("+".join(["1"] * 90000))
