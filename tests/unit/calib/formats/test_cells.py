"""Numbers of files and arrays of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xcaliper.calib.formats.cells import cell_array, number_text, parse_number, plain, shaped


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("780", 780),
        (" +7 ", 7),
        ("-0", 0),
        ("007", 7),
        ("0x1F", 31),
        ("-0XfF", -255),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5D-2", 0.015),
        ("INF", math.inf),
        ("-infinity", -math.inf),
        ("1.#INF", math.inf),
        ("9" * 300, int("9" * 300)),
    ],
)
def test_numbers(text: str, number: float) -> None:
    found = parse_number(text)
    assert (found, type(found)) == (number, type(number))


def test_not_a_number() -> None:
    assert math.isnan(parse_number("nan"))
    assert math.isnan(parse_number("1.#QNAN"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a number is missing"),
        ("1,5", "'1,5' has a decimal comma"),
        ("1 000", "no number"),
        ("1_000", "no number"),
        ("٣", "no number"),
        ("0x", "no number"),
        ("1e999", "beyond what a number can hold"),
        ("x" * 100, r"'x{37}\.\.\.' is no number"),
    ],
)
def test_no_numbers(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_number(text)


def test_digits_without_end_become_a_float() -> None:
    assert parse_number("9" * 301) == 1e301
    with pytest.raises(ValueError, match="beyond"):
        parse_number("9" * 400)


@pytest.mark.parametrize("number", [0, -5, 2**70, 0.1, -0.0, 5e-324, 1e300, math.inf, -math.inf])
def test_texts_give_the_number_back(number: float) -> None:
    assert repr(parse_number(number_text(number))) == repr(number)


def test_text_of_not_a_number() -> None:
    assert number_text(math.nan) == "NaN"


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([], np.float64),
        ([1, 2], np.int64),
        ([-(2**63), 2**63 - 1], np.int64),
        ([0, 2**64 - 1], np.uint64),
        ([-1, 2**63], np.float64),
        ([0, 2**64], np.float64),
        ([1, 2.5], np.float64),
        ([1, "a"], object),
    ],
)
def test_arrays_keep_the_kind_of_their_cells(cells: list, dtype: type) -> None:
    array = cell_array(cells)
    assert array.dtype == dtype
    assert array.tolist() == cells


def test_shapes() -> None:
    assert shaped([1, 2, 3, 4], (2, 2)).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="3 values, 2 × 2 = 4 are due"):
        shaped([1, 2, 3], (2, 2))


def test_plain_scalars() -> None:
    assert [type(plain(v)) for v in (np.int8(1), np.float32(1), np.bool_(True), True, "a")] == [
        int,
        float,
        int,
        int,
        str,
    ]
