"""Rows of one layout into rows of another: offsets and bytes by hand."""

import numpy as np
import pytest

from xcaliper.core.errors import UsageError
from xcaliper.core.rows import RowCopy, packed_fields

#: a: bytes 1 to 4; low: the second half of a; gap; b: byte 7; c: bytes 8 and 9; two bytes behind.
WIDE = np.dtype(
    {
        "names": ["a", "low", "b", "c"],
        "formats": [">u4", ">u2", "u1", "<u2"],
        "offsets": [1, 3, 7, 8],
        "itemsize": 12,
    }
)
RAW = bytes.fromhex("ee 01020304 eeee 55 0607 eeee") + bytes.fromhex(
    "ee 11121314 eeee 65 1617 eeee"
)


@pytest.mark.parametrize(
    ("names", "offsets", "size", "octets"),
    [
        (["a", "low", "b", "c"], [0, 2, 4, 5], 7, "01020304550607 11121314651617"),
        (["low", "c"], [0, 2], 4, "03040607 13141617"),
        (["b"], [0], 1, "55 65"),
        ([], [], 0, ""),
    ],
)
def test_fields_move_together_and_fields_that_share_bytes_still_do(names, offsets, size, octets):
    rows = np.frombuffer(RAW, WIDE)
    target = packed_fields(WIDE, names)
    assert [target.fields[name][1] for name in target.names or ()] == offsets
    assert target.itemsize == size
    if size:
        assert RowCopy(WIDE, target)(rows).tobytes() == bytes.fromhex(octets)


def test_bytes_of_no_field_become_zero():
    spaced = np.dtype({"names": ["b"], "formats": ["u1"], "offsets": [2], "itemsize": 4})
    out = np.full(2, b"\xff" * 4, "V4")
    RowCopy(WIDE, spaced).into(out, np.frombuffer(RAW, WIDE))
    assert out.tobytes() == bytes.fromhex("00005500 00006500")


@pytest.mark.parametrize("field", [("x", "u1"), ("b", "i1")])
def test_a_field_that_is_missing_or_of_another_type_is_named(field):
    with pytest.raises(UsageError, match=repr(field[0])):
        RowCopy(WIDE, np.dtype([field]))
