"""Conversions against values worked out by hand from the definitions."""

import math

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.compu import compile_conversion, round_to


def conversion(body, extra="", **kwargs):
    text = f'/begin COMPU_METHOD C "" {body} /end COMPU_METHOD {extra}'
    return compile_conversion("C", ModuleIndex(parse(text).module), **kwargs)


def rat(coeffs, **kwargs):
    return conversion(f'RAT_FUNC "%6.3" "rpm" COEFFS {coeffs}', **kwargs)


def test_no_compu_method_is_the_identity():
    index = ModuleIndex(parse('/begin GROUP g "" /end GROUP').module)
    made = compile_conversion("NO_COMPU_METHOD", index, phys_unit="V")
    raw = np.array([2**64 - 1], dtype=np.uint64)
    assert made.to_phys(raw).tolist() == [2**64 - 1]
    assert made.to_raw(raw).tolist() == [2**64 - 1]
    assert (made.unit, made.kind) == ("V", "identical")


def test_linear_runs_forward():
    made = conversion('LINEAR "%3" "A" COEFFS_LINEAR 2 -10')
    assert made.to_phys([0, 5]).tolist() == [-10.0, 0.0]
    assert made.to_raw([-10.0, 0.0]).tolist() == [0.0, 5.0]
    assert made.linear == (2, -10)


@pytest.mark.parametrize(
    ("coeffs", "raw", "phys"),
    [
        ("0 1 0 0 0 1", 7, 7.0),
        ("0 10 0 0 0 1", 25, 2.5),
        ("0 4 -100 0 0 2", 50, 50.0),  # phys = (2*50 + 100) / 4
        ("0 0 1 0 1 0", 4, 0.25),  # raw = 1 / phys
        ("0 1 2 0 1 -1", 4, 2.0),  # 4 = (x + 2) / (x - 1)
    ],
)
def test_rational_runs_backwards(coeffs, raw, phys):
    made = rat(coeffs)
    assert made.to_phys(raw) == pytest.approx(phys)
    assert made.to_raw(phys) == pytest.approx(raw)
    assert made.unit == "rpm"


def test_rational_quadratic_takes_the_root_inside_the_limits():
    assert rat("1 0 0 0 0 1", limits=(0, 100)).to_phys([9, 16]).tolist() == [3.0, 4.0]
    assert rat("1 0 0 0 0 1", limits=(-100, -1)).to_phys(9) == -3.0
    assert math.isnan(rat("1 0 0 0 0 1", limits=(-100, 100)).to_phys(9))
    assert rat("1 0 0 0 0 1", limits=(-100, 100)).to_phys(0) == 0.0
    assert math.isnan(rat("1 0 0 0 0 1", limits=(0, 1)).to_phys(-4))


def test_rational_has_no_negative_zero():
    assert math.copysign(1, rat("0 -1 0 0 0 1").to_phys(0)) == 1.0


def test_rational_without_dependence_is_refused():
    with pytest.raises(UsageError, match="C"):
        rat("0 0 1 0 0 1")


TAB = '/begin COMPU_TAB T "" {} 3 10 100 0 0 20 150 {} /end COMPU_TAB'


def test_interpolation_sorts_clamps_and_inverts():
    made = conversion('TAB_INTP "%3" "" COMPU_TAB_REF T', TAB.format("TAB_INTP", ""))
    assert made.to_phys([-5, 0, 5, 15, 99]).tolist() == [0, 0, 50, 125, 150]
    assert made.to_raw([50, 125]).tolist() == [5, 15]
    made = conversion(
        'TAB_INTP "%3" "" COMPU_TAB_REF T', TAB.format("TAB_INTP", "DEFAULT_VALUE_NUMERIC 7")
    )
    assert made.to_phys([-5, 5, 99]).tolist() == [7, 50, 7]


def test_interpolation_that_is_not_monotonic_has_no_way_back():
    table = '/begin COMPU_TAB T "" TAB_INTP 3 0 0 1 5 2 3 /end COMPU_TAB'
    with pytest.raises(UsageError, match="monotonic"):
        conversion('TAB_INTP "%3" "" COMPU_TAB_REF T', table).to_raw(1)


def test_lookup_matches_exactly():
    made = conversion('TAB_NOINTP "%3" "" COMPU_TAB_REF T', TAB.format("TAB_NOINTP", ""))
    assert made.to_phys([0, 10, 11]).tolist() == [0, 100, 11]
    assert made.to_raw([100, 150]).tolist() == [10, 20]
    with pytest.raises(UsageError, match="table"):
        made.to_raw(99)


VTAB = '/begin COMPU_VTAB T "" TAB_VERB 3 0 "off" 1 "on" 7 "error" {} /end COMPU_VTAB'


def test_texts():
    made = conversion('TAB_VERB "%3" "" COMPU_TAB_REF T', VTAB.format(""))
    assert made.to_phys([1, 7, 3, 0]).tolist() == ["on", "error", 3, "off"]
    assert made.to_phys(1).item() == "on"
    assert made.texts == {0: "off", 1: "on", 7: "error"}
    assert made.to_raw(["error", "off"]).tolist() == [7, 0]
    assert made.to_raw("on").item() == 1
    assert made.to_raw(3).item() == 3
    with pytest.raises(UsageError, match="error"):
        made.to_raw("eror")
    made = conversion('TAB_VERB "%3" "" COMPU_TAB_REF T', VTAB.format('DEFAULT_VALUE "?"'))
    assert made.to_phys([1, 3]).tolist() == ["on", "?"]


def test_ranges_include_both_ends():
    table = '/begin COMPU_VTAB_RANGE T "" 2 10 12 "b" 0 3 "a" /end COMPU_VTAB_RANGE'
    made = conversion('TAB_VERB "%3" "" COMPU_TAB_REF T', table)
    assert made.to_phys([0, 3, 4, 10, 12, 13]).tolist() == ["a", "a", 4, "b", "b", 13]
    assert made.to_raw("b").item() == 10
    assert made.texts == {0: "a", 1: "a", 2: "a", 3: "a", 10: "b", 11: "b", 12: "b"}


def test_formula_both_ways():
    made = conversion('FORM "%3" "" /begin FORMULA "X1*2+1" FORMULA_INV "(X1-1)/2" /end FORMULA')
    assert made.to_phys([0, 3]).tolist() == [1, 7]
    assert made.to_raw([1, 7]).tolist() == [0, 3]
    made = conversion('FORM "%3" "" /begin FORMULA "5" /end FORMULA')
    assert made.to_phys([0, 3]).tolist() == [5, 5]
    with pytest.raises(UsageError, match="FORMULA_INV"):
        made.to_raw(5)


def test_unit_chain():
    unit = '/begin UNIT U "" "km/h" DERIVED /end UNIT'
    assert conversion('IDENTICAL "" "" REF_UNIT U', unit).unit == "km/h"
    assert conversion('IDENTICAL "" "m/s" REF_UNIT U', unit).unit == "m/s"
    assert conversion('IDENTICAL "" "m/s"', phys_unit="mph").unit == "mph"


@pytest.mark.parametrize(
    "body", ['LINEAR "" ""', 'TAB_VERB "" ""', 'TAB_VERB "" "" COMPU_TAB_REF X', 'ODD "" ""']
)
def test_incomplete_methods_name_themselves(body):
    with pytest.raises(UsageError, match="conversion C"):
        conversion(body)


def test_rounding_is_half_away_from_zero():
    values = np.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999999999999994])
    assert round_to(values, DataType.SWORD).tolist() == [1, 2, 3, -1, -3, 0]


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        (255.5, "UBYTE"),
        (-0.6, "UBYTE"),
        (2.0**64, "A_UINT64"),
        (2**63, "A_INT64"),
        (math.nan, "UWORD"),
        (1e39, "FLOAT32_IEEE"),
    ],
)
def test_rounding_never_wraps(value, datatype):
    with pytest.raises(LimitError):
        round_to(value, DataType(datatype))


def test_big_integers_stay_exact():
    assert round_to(2**64 - 1, DataType.A_UINT64).item() == 2**64 - 1
