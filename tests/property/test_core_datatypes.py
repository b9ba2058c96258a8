"""Limits are exactly what the type stores; any field survives pickling of an error."""

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import LimitError, NegativeResponseError

INTEGERS = [kind for kind in DataType if not kind.is_float]


@given(st.sampled_from(INTEGERS), st.sampled_from(list(ByteOrder)), st.data())
@settings(deadline=None, max_examples=150)
def test_integers_inside_the_limits_round_trip(kind, order, data):
    low, high = kind.limits
    number = data.draw(st.integers(low, high))
    stored = np.array([number], kind.dtype(order))
    assert int(stored[0]) == number
    assert stored.tobytes() == struct.pack(order.mark + kind.struct_code, number)


@pytest.mark.parametrize("kind", INTEGERS)
def test_one_more_does_not_fit(kind):
    low, high = kind.limits
    for number in (low - 1, high + 1):
        with pytest.raises(struct.error):
            struct.pack("<" + kind.struct_code, number)


@given(st.integers(0, 100), st.integers(0, 40), st.integers(0, 140), st.integers(0, 40))
@settings(deadline=None, max_examples=150)
def test_contains_is_the_subset_of_bytes(start, size, at, length):
    held = AddressRange(Address(start), size).contains(Address(at), length)
    wanted = set(range(at, at + length))
    if length:
        assert held == (wanted <= set(range(start, start + size)))
    else:
        assert held == (start <= at <= start + size)


@given(st.text(max_size=20), st.integers(0, 255), st.binary(max_size=9), st.floats(), st.floats())
@settings(deadline=None, max_examples=80)
def test_errors_survive_pickling(name, code, info, phys, limit):
    for error in (
        NegativeResponseError(name, code=code, code_name=name, remedy=name, info=info),
        LimitError(name, phys=phys, lower=limit, upper=limit, unit=name),
    ):
        other = pickle.loads(pickle.dumps(error))
        assert str(other) == str(error)
        assert repr(vars(other)) == repr(vars(error))
