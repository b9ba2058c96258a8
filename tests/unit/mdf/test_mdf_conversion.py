"""Conversion rules: parts of a CC block, evaluation, masks that keep their weight."""

import numpy as np
import pytest

from xcaliper.core.errors import MdfError, UsageError
from xcaliper.mdf.conversion import (
    Algebraic,
    CcParts,
    Identity,
    Linear,
    RangeToText,
    Rational,
    TableInterpolated,
    TableStep,
    ValueToText,
    from_parts,
    prescaled,
    to_parts,
    to_phys,
)

RULES = [
    (Identity(), CcParts(0)),
    (Linear(1.0, 2.0), CcParts(1, (), (1.0, 2.0))),
    (Rational(1, 2, 3, 4, 5, 6), CcParts(2, (), (1, 2, 3, 4, 5, 6))),
    (Algebraic("X+1"), CcParts(3, ("X+1",))),
    (TableInterpolated((1, 2), (10, 20)), CcParts(4, (), (1, 10, 2, 20))),
    (TableStep((1, 2), (10, 20)), CcParts(5, (), (1, 10, 2, 20))),
    (ValueToText((1, 2), ("a", "b"), "c"), CcParts(7, ("a", "b", "c"), (1, 2))),
    (RangeToText((1, 5), (4, 6), ("a", "b"), "c"), CcParts(8, ("a", "b", "c"), (1, 4, 5, 6))),
]


@pytest.mark.parametrize(("rule", "parts"), RULES)
def test_parts_of_a_block(rule, parts):
    assert to_parts(rule) == parts
    assert from_parts(parts) == rule


def test_tables_are_sorted_and_empty_ones_are_identity():
    assert to_parts(TableInterpolated((2, 1), (20, 10))).values == (1, 10, 2, 20)
    for rule in (TableStep((), ()), ValueToText((), ()), RangeToText((), (), ())):
        assert to_parts(rule) == CcParts(0)
    assert to_parts(ValueToText((1, 1), ("first", "second"), "d")).texts == ("first", "d")


def test_numbers_without_a_text_stay_numbers_where_a_file_can_say_so():
    raw = np.array([[1, 7], [2, 250]], np.uint8)
    listed = ValueToText((1, 2), ("a", "b"), None)
    ranges = RangeToText((1,), (6,), ("low",), None)
    assert to_phys(listed, raw).tolist() == [["a", "7"], ["b", "250"]]
    assert to_phys(ranges, raw.astype("f4") / 2).tolist() == [["0.5", "low"], ["low", "125.0"]]
    assert to_parts(listed).texts == ("a", "b", "")
    assert to_parts(ranges).texts == ("low", "")


@pytest.mark.parametrize(
    "parts", [CcParts(99), CcParts(1, (), (1,)), CcParts(3), CcParts(7, (), (1,))]
)
def test_damaged_parts(parts):
    with pytest.raises(MdfError):
        from_parts(parts)


def test_unequal_columns():
    with pytest.raises(UsageError, match="differ"):
        to_parts(TableStep((1, 2), (1,)))


@pytest.mark.parametrize(
    ("formula", "truth"),
    [
        ("X", [1, 2]), ("-X^2", [-1, -4]), ("X**2+1", [2, 5]), ("pow(X, 3)/4", [0.25, 2]),
        ("sqrt(X*X)", [1, 2]), ("7", [7, 7]), ("X % 2", [1, 0]), ("+abs(0-X)", [1, 2]),
    ],
)  # fmt: skip
def test_formulas(formula, truth):
    raw = np.array([1, 2], np.uint8)
    np.testing.assert_allclose(to_phys(Algebraic(formula), raw), truth)


@pytest.mark.parametrize(
    "formula",
    ["", "Y", "X.real", "__import__('os')", "X if X else 1", "sin(X, X)", "X(", "'a'", "(" * 5000,
     "1" + "0" * 400, "X[0]", "lambda: X", "exec(X)"],
)  # fmt: skip
def test_formulas_that_are_none(formula):
    with pytest.raises(MdfError, match="formula"):
        to_phys(Algebraic(formula), np.arange(3))


@pytest.mark.parametrize(("rule", "_parts"), RULES)
def test_prescaled(rule, _parts):
    stored = np.array([0, 1, 2, 3], np.int32)
    np.testing.assert_array_equal(to_phys(prescaled(rule, 4.0), stored), to_phys(rule, stored * 4))


def test_division_by_zero_is_not_an_error():
    found = to_phys(Rational(0, 0, 1, 0, 1, 0), np.array([0, 2]))
    assert found.tolist() == [np.inf, 0.5]
