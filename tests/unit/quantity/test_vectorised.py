"""Arrays are converted as arrays: the number of Python calls does not grow with the number of values."""

import sys

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.tables import Verbal

METHODS = {
    "IDENT": 'IDENTICAL "" ""',
    "LIN": 'LINEAR "" "" COEFFS_LINEAR 0.5 3',
    "LIN_STATUS": 'LINEAR "" "" COEFFS_LINEAR 0.5 3 STATUS_STRING_REF V',
    "RAT": 'RAT_FUNC "" "" COEFFS 0 10 0 0 0 1',
    "QUAD": 'RAT_FUNC "" "" COEFFS 1 0 0 0 0 1',
    "FORMULA_": 'FORM "" "" /begin FORMULA "X1*2+1" FORMULA_INV "(X1-1)/2" /end FORMULA',
    "INTP": 'TAB_INTP "" "" COMPU_TAB_REF T',
    "NOINTP": 'TAB_NOINTP "" "" COMPU_TAB_REF T',
    "TEXTS": 'TAB_VERB "" "" COMPU_TAB_REF V',
    "RANGES": 'TAB_VERB "" "" COMPU_TAB_REF R',
}


def catalog():
    body = "".join(
        f'/begin COMPU_METHOD {name} "" {rule} /end COMPU_METHOD\n'
        for name, rule in METHODS.items()
    )
    pairs = " ".join(f"{n} {3 * n}" for n in range(9))
    texts = " ".join(f'{n} "t{n}"' for n in range(9))
    ranges = " ".join(f'{n} {n + 1} "t{n}"' for n in range(0, 9, 2))
    body += f'/begin COMPU_TAB T "" TAB_INTP 9 {pairs} /end COMPU_TAB\n'
    body += f'/begin COMPU_VTAB V "" TAB_VERB 9 {texts} /end COMPU_VTAB\n'
    body += f'/begin COMPU_VTAB_RANGE R "" 5 {ranges} /end COMPU_VTAB_RANGE\n'
    body += "/begin RECORD_LAYOUT L FNC_VALUES 1 UWORD COLUMN_DIR DIRECT /end RECORD_LAYOUT\n"
    for name in METHODS:
        for size in (8, 64):
            body += (
                f'/begin CHARACTERISTIC {name}{size} "" VAL_BLK 0x1000 L 0 {name} 0 65535 '
                f"MATRIX_DIM {size} {size} /end CHARACTERISTIC\n"
            )
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


def calls_of(action):
    """Calls that Python code makes meanwhile, to Python and to C."""
    count = 0

    def see(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", METHODS)
def test_calls_do_not_grow_with_the_array(name):
    made = catalog()
    memory = SparseMemory()
    memory.add(Address(0x1000), bytearray((np.arange(64 * 64) % 9).astype("<u2").tobytes()))
    calls = {}
    for size in (8, 64):
        bound = made.bind(f"{name}{size}")
        values = bound.to_phys(bound.decode(memory.read)).values
        assert values.shape == (size, size)
        calls[size] = (
            calls_of(lambda b=bound: b.to_phys(b.decode(memory.read))),
            calls_of(lambda b=bound, v=values: b.encode(v, read=memory.read)),
        )
    assert abs(calls[64][0] - calls[8][0]) <= 8
    assert abs(calls[64][1] - calls[8][1]) <= 8


@pytest.mark.parametrize("name", ["TEXTS", "LIN_STATUS"])
def test_calls_do_not_grow_with_numbers_among_texts(name):
    made = catalog()
    calls = {}
    for size in (8, 64):
        bound = made.bind(f"{name}{size}")
        values = np.full((size, size), "t3", dtype=object)
        values[::2], values[::3] = 7, 5.0
        writes = bound.encode(values, read=lambda address, count: bytes(count))
        raw = np.frombuffer(b"".join(data for _, data in writes), "<u2")
        assert (raw == 3).sum() == (values == "t3").sum()
        calls[size] = calls_of(
            lambda b=bound, v=values: b.encode(v, read=lambda address, count: bytes(count))
        )
    assert abs(calls[64] - calls[8]) <= 8


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint64, np.int64])
def test_many_whole_numbers_find_the_rows_that_single_ones_find(dtype):
    rows = ((-4.0, 1.5, "a"), (-2.0, -1.0, "b"), (1.5, 6.0, "c"), (9.0, 9.0, "d"))
    rule = Verbal("v", "", rows=rows)
    numbers = np.arange(0 if np.dtype(dtype).kind == "u" else -20, 60).astype(dtype)
    numbers = np.append(numbers, np.iinfo(dtype).max)
    assert rule.index(numbers).tolist() == [int(rule.index(n)) for n in numbers]
    assert rule.index(np.asarray([-3, -2, 1, 2, 7, 9] * 9))[:6].tolist() == [0, 1, 0, 2, -1, 3]
