"""The way back: rounding, clamping, status texts, defaults of tables."""

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.bits import BitField
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.compu import compile_conversion
from xcaliper.quantity.rounding import fit


def conversion(body, extra="", **kwargs):
    file = parse(f'/begin COMPU_METHOD C "" {body} /end COMPU_METHOD {extra}')
    assert not file.diagnostics
    return compile_conversion("C", ModuleIndex(file.module), **kwargs)


def measurement(datatype, limits, options="", method="NO_COMPU_METHOD", extra=""):
    file = parse(
        f'{extra} /begin MEASUREMENT m "" {datatype} {method} 0 0 {limits} ECU_ADDRESS 0x100 READ_WRITE {options} '
        "/end MEASUREMENT"
    )
    assert not file.diagnostics
    return Catalog(file).bind("m")


TENTH = '/begin COMPU_METHOD TENTH "" LINEAR "" "V" COEFFS_LINEAR 0.1 0 /end COMPU_METHOD'


# ---- fit


@pytest.mark.parametrize(
    ("values", "raw", "rounded"),
    [
        ([0.5, 1.5, -0.5, -2.5], [1, 2, -1, -3], [True] * 4),
        ([0.4999, 2.0, 2.0000000001], [0, 2, 2], [True, False, False]),
        ([3, -3], [3, -3], [False, False]),
    ],
)
def test_halves_go_away_from_zero(values, raw, rounded):
    made = fit(values, DataType.SBYTE)
    assert (made.raw.tolist(), made.rounded.tolist()) == (raw, rounded)
    assert made.raw.dtype == np.int8
    assert not made.clamped.any()


@pytest.mark.parametrize(
    ("datatype", "value", "clamped"),
    [
        ("UBYTE", 255.5, 255),
        ("UBYTE", -0.5, 0),
        ("SBYTE", -129, -128),
        ("A_UINT64", 2.0**64, 2**64 - 1),
        ("A_UINT64", 2**64, 2**64 - 1),
        ("A_UINT64", -1, 0),
        ("A_INT64", 2.0**63, 2**63 - 1),
        ("A_INT64", np.uint64(2**63), 2**63 - 1),
        ("A_INT64", -(2.0**63) - 2048, -(2**63)),
        ("SLONG", 1e300, 2**31 - 1),
    ],
)
def test_nothing_wraps(datatype, value, clamped):
    with pytest.raises(LimitError):
        fit(value, DataType(datatype))
    made = fit([value, 1], DataType(datatype), clamp=True)
    assert made.raw.tolist() == [clamped, 1]
    assert made.clamped.tolist() == [True, False]


def test_mixed_lists_and_infinities():
    made = fit([2**70, 1.5, 1.25], DataType.UBYTE, clamp=True)
    assert made.raw.tolist() == [255, 2, 1]
    assert made.rounded.tolist() == [False, True, True]
    made = fit([np.inf, -np.inf], DataType.SLONG, clamp=True)
    assert (made.raw.tolist(), made.clamped.all()) == ([2**31 - 1, -(2**31)], True)
    with pytest.raises(LimitError):
        fit(np.inf, DataType.SLONG)


def test_ends_of_the_types_are_exact():
    for datatype in (t for t in DataType if not t.is_float):
        lower, upper = datatype.limits
        assert fit([lower], datatype).raw.tolist() == [lower]
        assert fit(np.array([upper], dtype=datatype.dtype()), datatype).raw.tolist() == [upper]
    assert fit(-(2.0**63), DataType.A_INT64).raw.item() == -(2**63)
    assert fit(2.0**64 - 2048, DataType.A_UINT64).raw.item() == 2**64 - 2048


def test_floats_round_and_end_too():
    made = fit([0.1, 1e-60, np.inf, np.nan], DataType.FLOAT32_IEEE)
    assert made.raw[0] == np.float32(0.1)
    assert made.rounded.tolist() == [False, True, False, False]
    with pytest.raises(LimitError):
        fit(1e39, DataType.FLOAT32_IEEE)
    assert fit(1e39, DataType.FLOAT32_IEEE, clamp=True).raw.item() == np.finfo(np.float32).max
    assert fit(70000.0, DataType.FLOAT16_IEEE, clamp=True).clamped.item()


def test_not_a_number_is_refused_for_whole_numbers():
    for clamp in (False, True):
        with pytest.raises(LimitError, match=r"x\[1\]"):
            fit([1.0, np.nan], DataType.UBYTE, name="x", clamp=clamp)


def test_the_element_outside_is_named():
    with pytest.raises(LimitError) as caught:
        fit([[1, 2], [3, 256]], DataType.UBYTE, name="x")
    assert (caught.value.name, caught.value.phys, caught.value.upper) == ("x[1][1]", 256, 255)


# ---- a whole quantity


def test_report_of_a_measurement():
    bound = measurement("UBYTE", "0 20", "MATRIX_DIM 5", "TENTH", TENTH)
    made = bound.phys_to_raw([1.0, 1.04, 20.0, 25.0, -1.0], clamp=True)
    assert made.raw.tolist() == [10, 10, 200, 200, 0]
    assert made.rounded.tolist() == [False, True, False, False, False]
    assert made.clamped.tolist() == [False, False, False, True, True]
    assert bound.encode([1, 1, 1, 99, 1], clamp=True) == [(Address(0x100), b"\x0a\x0a\x0a\xc8\x0a")]
    with pytest.raises(LimitError) as caught:
        bound.phys_to_raw([1, 1, 25, 1, 1])
    assert (caught.value.name, caught.value.unit if hasattr(caught.value, "unit") else "V") == (
        "m[2]",
        "V",
    )


def test_type_ends_before_the_limits():
    bound = measurement("UBYTE", "0 100", "", "TENTH", TENTH)
    with pytest.raises(LimitError):
        bound.encode(26)
    made = bound.phys_to_raw(26, clamp=True)
    assert (made.raw.item(), made.clamped.item()) == (255, True)


def test_bits_end_before_the_limits():
    bound = measurement("UWORD", "0 100", "BIT_MASK 0x70")
    made = bound.phys_to_raw([3.2, 9], clamp=True)
    assert (made.raw.tolist(), made.rounded.tolist(), made.clamped.tolist()) == (
        [3, 7],
        [True, False],
        [False, True],
    )
    assert bound.encode(5, current=b"\xff\xff") == [(Address(0x100), b"\xdf\xff")]
    with pytest.raises(LimitError):
        bound.encode(8, current=b"\xff\xff")


def test_raw_limits_without_end():
    """Infinite limits refuse nothing but what is no number."""
    bound = measurement("FLOAT64_IEEE", "-1e400 1e400")
    assert bound.encode(1e300)
    with pytest.raises(LimitError):
        bound.encode(np.nan)


def test_absurd_numbers_are_refused():
    bound = measurement("UBYTE", "0 100", "MATRIX_DIM 2")
    for values in ([10**400, 1], [-(10**5000), 1.5], np.array([10**400, "x"], dtype=object)):
        with pytest.raises(UsageError):
            bound.encode(values)
    with pytest.raises(LimitError):
        bound.encode([10**30, 1])


# ---- bits


@pytest.mark.parametrize(
    ("field", "datatype", "before", "raw", "after"),
    [
        (BitField(0x0FF0, 4), "UWORD", 0xABCD, 0x12, 0xA12D),
        (BitField(0x0FF0, 4, sign_extend=True), "UWORD", 0xABCD, -2, 0xAFED),
        (BitField(0x0F, -2), "UBYTE", 0xA0, 0x3C, 0xAF),
        (BitField(0xF0, 0), "UBYTE", 0x0A, 0x50, 0x5A),
        (BitField(1 << 63, 63), "A_UINT64", 1, 1, 2**63 + 1),
        (BitField(2**64 - 1, 0, sign_extend=True), "A_INT64", 1, -(2**63), -(2**63)),
        (BitField(0xFF00, 8), "SWORD", -1, 0, 0xFF),
        (BitField(0x8, 3, sign_extend=True), "UBYTE", 0, -1, 8),
    ],
)
def test_fields_both_ways(field, datatype, before, raw, after):
    memory = np.array([before, before], dtype=DataType(datatype).dtype())
    made = field.put(memory, np.array([raw, raw]), "x")
    assert made.tolist() == [after, after]
    assert field.take(made, DataType(datatype)).tolist() == [raw, raw]


def test_bits_that_the_mask_leaves_out_are_not_lost_silently():
    memory = np.zeros(1, dtype=np.uint8)
    with pytest.raises(UsageError, match="x: 2 needs bits outside of the mask 0xA"):
        BitField(0xA, 1).put(memory, np.array([2]), "x")
    with pytest.raises(LimitError):
        BitField(0xA, 1).put(memory, np.array([6]), "x")


def test_error_mask_flags_samples():
    bound = measurement("UWORD", "0 1", "ERROR_MASK 0x8000 MATRIX_DIM 3")
    memory = np.array([[1, 0x8000, 0xFFFF]], dtype=np.uint16)
    assert bound.invalid(memory).tolist() == [[False, True, True]]


# ---- status texts

STATUS = (
    "COEFFS_LINEAR 0.5 0 STATUS_STRING_REF S",
    '/begin COMPU_VTAB S "" TAB_VERB 2 254 "not available" 255 "error" /end COMPU_VTAB',
)


def test_status_texts_come_first():
    made = conversion(f'LINEAR "" "V" {STATUS[0]}', STATUS[1])
    assert made.to_phys([10, 254, 255]).tolist() == [5.0, "not available", "error"]
    assert made.to_phys(np.array([10, 20])).dtype == float
    assert made.to_phys(255).item() == "error"
    numbers = made.to_numbers([10, 255])
    assert numbers[0] == 5.0
    assert np.isnan(numbers[1])


def test_a_status_is_not_written_alone_but_survives_in_a_table():
    made = conversion(f'LINEAR "" "V" {STATUS[0]}', STATUS[1])
    with pytest.raises(UsageError, match="status"):
        made.to_raw("error")
    phys = made.to_phys([10, 254, 255])
    phys[0] = 6.0
    assert made.to_raw(phys).tolist() == [12, 254, 255]
    with pytest.raises(UsageError, match="not a number"):
        made.to_raw(["error", "erorr"])


def test_limits_do_not_hold_for_status_values():
    extra = f'/begin COMPU_METHOD C "" LINEAR "" "" {STATUS[0]} /end COMPU_METHOD {STATUS[1]}'
    bound = measurement("UBYTE", "0 100", "MATRIX_DIM 2", "C", extra)
    raw = bound.decode(b"\x0a\xff")
    assert bound.encode(bound.to_phys(raw)) == [(Address(0x100), b"\x0a\xff")]
    with pytest.raises(LimitError):
        bound.encode(np.array([101, "error"], dtype=object))


# ---- tables


def tab(kind, rows, default=""):
    count = len(rows.split()) // 2
    return f'/begin COMPU_TAB T "" {kind} {count} {rows} {default} /end COMPU_TAB'


@pytest.mark.parametrize(
    ("default", "beyond"),
    [
        ("", [0, 150]),
        ("DEFAULT_VALUE_NUMERIC 300.5", [300.5, 300.5]),
        ('DEFAULT_VALUE "7"', [7, 7]),
        ('DEFAULT_VALUE "too far"', ["too far", "too far"]),
        ('DEFAULT_VALUE "too far" DEFAULT_VALUE_NUMERIC 1', [1, 1]),
    ],
)
def test_ends_of_an_interpolated_table(default, beyond):
    made = conversion(
        'TAB_INTP "" "" COMPU_TAB_REF T', tab("TAB_INTP", "10 100 0 0 20 150", default)
    )
    found = made.to_phys([-1, 0, 5, 20, 21]).tolist()
    assert found == [beyond[0], 0, 50, 150, beyond[1]]


def test_reverse_interpolation_reports_its_ends():
    extra = '/begin COMPU_METHOD C "" TAB_INTP "" "" COMPU_TAB_REF T /end COMPU_METHOD ' + tab(
        "TAB_INTP", "0 0 10 100"
    )
    made = measurement("UBYTE", "-1000 1000", "", "C", extra).phys_to_raw([50, 120, -5])
    assert made.raw.tolist() == [5, 10, 0]
    assert made.clamped.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("rows", "phys", "raw"),
    [
        ("0 0 10 50 20 50 30 100", [25, 50, 75, 0, 100], [5, 10, 25, 0, 30]),
        ("0 100 10 50 20 50 30 0", [75, 50, 25, 100, 0], [5, 10, 25, 0, 30]),
        ("0 0 10 0 20 100", [0, 50, -1], [0, 15, 0]),
        ("5 7", [7, 0, 9], [5, 5, 5]),
    ],
)
def test_plateaus_give_their_lowest_raw_value(rows, phys, raw):
    made = conversion('TAB_INTP "" "" COMPU_TAB_REF T', tab("TAB_INTP", rows))
    assert made.to_raw(phys).tolist() == raw


@pytest.mark.parametrize(
    ("default", "other"),
    [("", 3.0), ("DEFAULT_VALUE_NUMERIC -1", -1.0), ('DEFAULT_VALUE "n/a"', "n/a")],
)
def test_unknown_values_of_a_lookup(default, other):
    made = conversion(
        'TAB_NOINTP "" "" COMPU_TAB_REF T', tab("TAB_NOINTP", "2 20 1 10 4 10", default)
    )
    assert made.to_phys([1, 2, 3]).tolist() == [10.0, 20.0, other]
    assert made.to_raw([[10, 20]]).tolist() == [[1, 2]]
    with pytest.raises(UsageError, match="11 is not in the table"):
        made.to_raw([10, 11])


def ranges(rows, default=""):
    return conversion(
        'TAB_VERB "" "" COMPU_TAB_REF R',
        f'/begin COMPU_VTAB_RANGE R "" 9 {rows} {default} /end COMPU_VTAB_RANGE',
    )


def test_float_ranges_touch_without_overlap():
    made = ranges('0 1.5 "low" 1.5 3 "mid" 3 9 "high"')
    assert made.to_phys([0, 1.4999, 1.5, 3, 9]).tolist() == ["low", "low", "mid", "high", "high"]
    assert made.to_phys([9.5]).tolist() == [9.5]
    assert made.to_raw(np.array([["mid", "low"], ["high", "mid"]])).tolist() == [[1.5, 0], [3, 1.5]]


def test_ranges_inside_of_others_win():
    made = ranges('0 10 "any" 5 5 "five" 5 5 "never"', 'DEFAULT_VALUE "none"')
    assert made.to_phys([4, 5, 7, 11]).tolist() == ["any", "five", "any", "none"]


# ---- formulas


def test_syntax_of_formulas_can_be_chosen():
    text = """/begin COMPU_METHOD C "" FORM "" "" /begin FORMULA "X1^2" FORMULA_INV "sqrt(X1)" /end FORMULA /end COMPU_METHOD
    /begin MEASUREMENT m "" UBYTE C 0 0 0 1e5 ECU_ADDRESS 0x100 READ_WRITE /end MEASUREMENT"""
    head = 'ASAP2_VERSION {} /begin PROJECT p "" /begin MODULE m "" {} /end MODULE /end PROJECT'
    new = Catalog(parse(head.format("1 61", text)))
    old = Catalog(parse(head.format("1 51", text)))
    forced = Catalog(parse(head.format("1 61", text)), formula_version="1.5")
    assert [c.bind("m").to_phys(7).item() for c in (new, old, forced)] == [7 ^ 2, 49, 49]
    assert old.bind("m").encode(49) == [(Address(0x100), b"\x07")]


def test_system_constants_may_be_hexadecimal():
    extra = '/begin MOD_PAR "" SYSTEM_CONSTANT "K" "0x10" /end MOD_PAR'
    made = conversion('FORM "" "" /begin FORMULA "X1 * sysc(K)" /end FORMULA', extra)
    assert made.to_phys([1, 2]).tolist() == [16, 32]


def test_root_on_the_limit_is_inside():
    made = conversion('RAT_FUNC "" "" COEFFS 3 0 0 0 0 1', limits=(0, np.sqrt(1 / 3)))
    assert made.to_phys(1).item() == pytest.approx(np.sqrt(1 / 3))
