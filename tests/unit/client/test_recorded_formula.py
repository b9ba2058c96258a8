"""Formulas that both languages read alike get into the recording; others stay raw, with a note."""

import numpy as np
import pytest

from xcaliper.client.binding import recorded_conversion
from xcaliper.mdf.conversion import Algebraic, Identity, to_phys
from xcaliper.quantity.compu import FormulaConversion, Verbal
from xcaliper.quantity.formula import compile_formula

RAW = np.array([0, 1, 3, 60_000], np.uint16)


def conversion(text: str) -> FormulaConversion:
    return FormulaConversion(name="F", formula=compile_formula(text))


@pytest.mark.parametrize("text", ["X1*X1", "2.5e-1 * X + sqrt(X1) / 3", "-(X1 - 4) * exp(-X1)"])
def test_recorded_formula_gives_the_same_values(text):
    rule = conversion(text)
    recorded, note = recorded_conversion(rule)
    assert isinstance(recorded, Algebraic)
    assert not note
    np.testing.assert_allclose(to_phys(recorded, RAW), rule.to_phys(RAW))


@pytest.mark.parametrize("text", ["X1^2", "X1 & 3", "X1 >> 2", "log(X1 + 1)", "pow(X1, 2)"])
def test_formula_that_may_mean_something_else_stays_raw(text):
    recorded, note = recorded_conversion(conversion(text))
    assert recorded == Identity()
    assert "raw" in note


def test_texts_are_those_of_the_description():
    rule = Verbal(name="V", rows=((0.0, 0.0, "off"), (1.0, 1.0, "on")), default=None)
    recorded, note = recorded_conversion(rule)
    assert not note
    assert to_phys(recorded, RAW).tolist() == list(map(str, rule.to_phys(RAW)))
    rule = Verbal(name="V", rows=((0.0, 2.0, "low"),), default="?")
    assert to_phys(recorded_conversion(rule)[0], RAW).tolist() == list(rule.to_phys(RAW))


def test_long_words_are_no_trap():
    rule = FormulaConversion(name="F", formula=compile_formula("X1 + " * 300 + "X1 ^ X1"))
    assert recorded_conversion(rule)[0] == Identity()
