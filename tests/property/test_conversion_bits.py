"""No bit pattern of memory makes a conversion warn; what is no number stays none."""

import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import parse
from xcaliper.core.errors import UsageError, XcaliperError
from xcaliper.quantity.catalog import Catalog

METHODS = {
    "IDENT": 'IDENTICAL "" ""',
    "LIN": 'LINEAR "" "" COEFFS_LINEAR 0.5 3',
    "ZERO": 'LINEAR "" "" COEFFS_LINEAR 0 3',
    "STEEP": 'LINEAR "" "" COEFFS_LINEAR 1e300 -1e300',
    "RAT": 'RAT_FUNC "" "" COEFFS 0 10 0 0 0 1',
    "HYPER": 'RAT_FUNC "" "" COEFFS 0 0 5 0 2 1',
    "QUAD": 'RAT_FUNC "" "" COEFFS 1 2 0 3 0 1',
    "FORMULA_": 'FORM "" "" /begin FORMULA "log(X1) / X1 + (X1 & 3)" FORMULA_INV "exp(X1) << 2" /end FORMULA',
    "INTP": 'TAB_INTP "" "" COMPU_TAB_REF T',
    "INTD": 'TAB_INTP "" "" COMPU_TAB_REF D',
    "NOINTP": 'TAB_NOINTP "" "" COMPU_TAB_REF T',
    "TEXTS": 'TAB_VERB "" "" COMPU_TAB_REF V',
    "RANGES": 'TAB_VERB "" "" COMPU_TAB_REF R',
    "STATUS": 'LINEAR "" "" COEFFS_LINEAR 1e300 3 STATUS_STRING_REF V',
}
TYPES = {"FLOAT16_IEEE": "e", "FLOAT32_IEEE": "f", "FLOAT64_IEEE": "d"}
TABLES = """/begin COMPU_TAB T "" TAB_INTP 3 0 1 1 5 9 7 /end COMPU_TAB
  /begin COMPU_TAB D "" TAB_INTP 2 0 1 1 5 DEFAULT_VALUE_NUMERIC 99 /end COMPU_TAB
  /begin COMPU_VTAB V "" TAB_VERB 2 0 "off" 1 "on" /end COMPU_VTAB
  /begin COMPU_VTAB_RANGE R "" 2 -9 0.5 "low" 3 1e39 "high" DEFAULT_VALUE "?" /end COMPU_VTAB_RANGE"""
#: Quiet and signalling NaN of both signs, infinities, the largest, the smallest normal and denormal numbers.
ODD = {
    "e": (0x7E00, 0x7C01, 0xFC01, 0xFE00, 0x7C00, 0xFC00, 0x7BFF, 0x0400, 0x0001, 0x8000, 0),
    "f": (0x7FC00000, 0x7F800001, 0xFFA00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x800000, 1, 1 << 31, 0),
    "d": (0x7FF8 << 48, 0x7FF << 52 | 1, 0xFFF4 << 48, 0x7FF << 52, 0xFFF << 52, (0x7FF << 52) - 1, 1 << 52, 1, 1 << 63, 0),
}  # fmt: skip


def described():
    methods = "".join(
        f'/begin COMPU_METHOD {name} "" {rule} /end COMPU_METHOD\n'
        for name, rule in METHODS.items()
    )
    measurements = "".join(
        f'/begin MEASUREMENT {name}_{kind} "" {kind} {name} 0 0 -1e308 1e308 ECU_ADDRESS 0 MATRIX_DIM {len(ODD[code])} '
        f"/end MEASUREMENT\n"
        for name in METHODS
        for kind, code in TYPES.items()
    )
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {TABLES} {methods} {measurements} '
        "/end MODULE /end PROJECT"
    )
    assert not file.diagnostics
    return Catalog(file)


CATALOG = described()


def patterns(kind):
    """Bytes of as many values as a measurement has."""
    code = TYPES[kind]
    bits = 8 * struct.calcsize(code)
    one = st.one_of(st.integers(0, (1 << bits) - 1), st.sampled_from(ODD[code]))
    count = len(ODD[code])
    return st.lists(one, min_size=count, max_size=count).map(lambda cells: packed(code, cells))


def packed(code, cells):
    return b"".join(cell.to_bytes(struct.calcsize(code), "little") for cell in cells)


def either(action):
    """The result, or None where the way is refused."""
    try:
        return action()
    except XcaliperError:
        return None


def check(name, kind, data):
    bound = CATALOG.bind(f"{name}_{kind}")
    rule = bound.conversion
    raw = bound.decode(data)
    assert raw.dtype == np.dtype(TYPES[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [rule.forward(raw), rule.to_phys(raw), rule.to_numbers(raw)]
        assert all(one.shape == raw.shape for one in found)
        for values in (raw, raw.astype(object), raw[0], *found):
            either(lambda v=values: rule.backward(v))
            either(lambda v=values: rule.to_raw(v))
            either(lambda v=values: rule.outside(v))
            for clamp in (False, True):
                either(lambda v=values, c=clamp: bound.encode(v, clamp=c))
    return raw, found[2]


@settings(deadline=None, max_examples=200)
@given(st.data(), st.sampled_from([*METHODS]), st.sampled_from([*TYPES]))
def test_no_pattern_warns(data, name, kind):
    check(name, kind, data.draw(patterns(kind)))


@pytest.mark.parametrize("kind", TYPES)
def test_odd_patterns_of_every_conversion(kind):
    code = TYPES[kind]
    for name in METHODS:
        raw, phys = check(name, kind, packed(code, ODD[code]))
        if name in ("IDENT", "LIN", "RAT", "HYPER"):
            assert np.isnan(phys)[np.isnan(raw)].all(), name
    assert np.isnan(raw).sum() == 4 if code == "e" else np.isnan(raw).sum() == 3


def test_numbers_and_texts_go_back_together():
    """Each cell as it goes back alone; the first unknown text is named."""
    texts = CATALOG.bind("TEXTS_FLOAT32_IEEE").conversion
    mixed = np.array([["off", 3, 2.5], ["on", np.str_("on"), True]], dtype=object)
    assert texts.to_raw(mixed).tolist() == [[0, 3, 2.5], [1, 1, 1]]
    with pytest.raises(UsageError, match="'onn' is not one of its texts"):
        texts.to_raw(np.array(["off", 1, "onn", "x"], dtype=object))
    with pytest.raises(UsageError, match=r"x.* is not a number"):
        texts.to_raw(np.array(["off", 1, b"x"], dtype=object))
    status = CATALOG.bind("STATUS_FLOAT32_IEEE").conversion
    assert status.to_raw(np.array(["on", 1e300 + 3, "off", 3], dtype=object)).tolist() == [
        1,
        1,
        0,
        0,
    ]
