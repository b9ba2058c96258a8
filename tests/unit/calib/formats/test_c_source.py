"""C header and source as text; what a compiler makes of them is seen elsewhere."""

import numpy as np
import pytest

from support.set_ecu import catalog, std, values
from xcaliper.calib.formats.table import read_set, write_set
from xcaliper.calib.paramset import Entry, EntryKind, ParameterSet
from xcaliper.core.errors import PlanError, UsageError


@pytest.fixture(scope="module")
def ecu():
    return catalog()


def some(*names):
    return ParameterSet([one for one in values() if one.name in names], name="run 7")


def test_written_as_by_hand(ecu):
    found = some("Speed", "Lowest64", "Curve")
    assert (
        write_set(found, "c-header", catalog=ecu).decode()
        == """\
#ifndef RUN_7_H
#define RUN_7_H

#include <stdint.h>

/* Speed [1/min]: idle * / speed */
extern const uint16_t Speed;
/* Lowest64 */
extern const int64_t Lowest64;
/* Curve */
typedef struct {
    uint8_t identification;  /* not in the set, 0 */
    uint8_t no_axis_pts_x;
    uint16_t axis_pts_x[3];
    int32_t fnc_values[3];
} Curve_t;
extern const Curve_t Curve;

#endif
"""
    )
    assert (
        write_set(found, "c", catalog=ecu).decode()
        == """\
#include <stddef.h>
#include "run_7.h"

/* Speed [1/min]: idle * / speed */
const uint16_t Speed = 7805u;
_Static_assert(sizeof Speed == 2, "Speed");

/* Lowest64 */
const int64_t Lowest64 = (-9223372036854775807ll - 1);
_Static_assert(sizeof Lowest64 == 8, "Lowest64");

/* Curve */
const Curve_t Curve = {
    .identification = 0u,
    .no_axis_pts_x = 3u,
    .axis_pts_x = {80u, 200u, 455u},
    .fnc_values = {-15, 10000000, 70},
};
_Static_assert(offsetof(Curve_t, identification) == 0, "Curve.identification");
_Static_assert(offsetof(Curve_t, no_axis_pts_x) == 1, "Curve.no_axis_pts_x");
_Static_assert(offsetof(Curve_t, axis_pts_x) == 2, "Curve.axis_pts_x");
_Static_assert(offsetof(Curve_t, fnc_values) == 8, "Curve.fnc_values");
_Static_assert(sizeof Curve == (20 + _Alignof(Curve_t) - 1) / _Alignof(Curve_t) * _Alignof(Curve_t), "Curve");

"""
    )


def test_room_that_is_kept_is_in_the_object(ecu):
    text = write_set(some("Short"), "c-header", catalog=ecu).decode()
    assert "uint8_t axis_pts_x[2];\n    uint8_t unused_3[2];\n    uint8_t fnc_values[2];" in text


def test_floats_that_are_no_numbers_are_divisions(ecu):
    entries = [
        Entry("Gain", EntryKind.VALUE, float("nan"), is_raw=True),
        Entry("Exact", EntryKind.VALUE, -float("inf"), is_raw=True),
    ]
    text = write_set(ParameterSet(entries), "c", catalog=ecu).decode()
    assert "const float Gain = (0.0f / 0.0f);" in text
    assert "const double Exact = (-1.0 / 0.0);" in text
    assert '#include "parameters.h"' in text


def test_what_c_cannot_hold_is_refused_with_every_reason(ecu):
    entries = [
        Entry("Half", EntryKind.VALUE, 1.0),
        Entry("Pointed", EntryKind.CURVE, np.zeros(2), (std(1, 2),)),
        Entry("Speed", EntryKind.VALUE, 1.0, variant=(("a", "b"),)),
        Entry("Columns", EntryKind.MAP, np.zeros((2, 2)), (std(1, 2), std(1.0, 2.0))),
    ]
    with pytest.raises(PlanError) as caught:
        write_set(ParameterSet(entries), "c", catalog=ecu)
    assert len(caught.value.problems) == 4
    told = " ".join(caught.value.problems)
    for word in ("FLOAT16_IEEE", "behind pointers", "per variant", "axis 0 has 3 points, not 2"):
        assert word in told
    with pytest.raises(UsageError, match="ECU values"):
        write_set(ParameterSet(), "c-header")
    with pytest.raises(UsageError, match="only be written"):
        read_set(b"", format="c")
