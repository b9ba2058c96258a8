"""A set of values as the memory one works on."""

from __future__ import annotations

import numpy as np
import pytest

from support.calib_ecu import MAPS, SEGMENTS, CalibEcu, catalog
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.entries import AxisKind, Entry, EntryKind, SetAxis
from xcaliper.calib.paramset import ParameterSet
from xcaliper.client.set_memory import SetMemory
from xcaliper.core.address import Address
from xcaliper.core.errors import PlanError


@pytest.fixture
def calib():
    return Calibrator(catalog(), CalibEcu(), SEGMENTS, clock=lambda: 0)


def worked(**changes) -> ParameterSet:
    """a is 1, the axis 10, 20, 30, 40 in the ECU."""
    made = {
        "a": Entry("a", EntryKind.VALUE, changes.get("a", 1.0), long_name="mine"),
        "ax": Entry("ax", EntryKind.AXIS_PTS, np.array(changes.get("ax", [10, 20, 30, 40]))),
        "t1": Entry("t1", EntryKind.VALUE, changes.get("t1", 7)),
    }
    points = SetAxis(AxisKind.COM, made["ax"].values, ref="ax")
    values = np.array(changes.get("curve", [1, 2, 3, 4]))
    made["curve"] = Entry("curve", EntryKind.CURVE, values, axes=(points,))
    return ParameterSet(made.values(), name="mine")


def test_memory_is_the_ecu_with_the_set_over_it(calib):
    data = SetMemory(calib, worked(a=50.0))
    seen = data.read(Address(MAPS), 512)
    now = calib.read_memory(Address(MAPS), 512)
    assert seen[:2] == (100).to_bytes(2, "little")
    assert seen[0x20:0x22] == (55).to_bytes(2, "little")  # the sum follows
    assert seen[0x40:0x44] == bytes([1, 2, 3, 4])
    assert seen[0x60:] == now[0x60:]
    assert data.ag == 1


def test_the_ecu_wins_where_its_bytes_are_taken_over(calib):
    given = worked(a=50.0, ax=[10, 20, 30, 50])
    data = SetMemory(calib, given)
    data.read(Address(MAPS), 1)
    assert not data.is_changed
    assert data.values() is given
    for at, size in ((MAPS, 2), (MAPS + 0x30, 4)):
        data.write(Address(at), calib.read_memory(Address(at), size))
    assert data.is_changed
    found = data.values()
    assert (found["a"].values, found["a"].long_name) == (1, "mine")
    assert found["ax"].values.tolist() == [10, 20, 30, 40]
    assert found["curve"].axes[0].values.tolist() == [10, 20, 30, 40]  # the points moved under it
    assert found["curve"].values.tolist() == [1, 2, 3, 4]
    assert found["t1"] == given["t1"]
    assert found.name == "mine"
    assert not data.diagnostics


def test_what_the_ecu_cannot_take(calib):
    given = worked(a=5000.0)
    with pytest.raises(PlanError, match="a: outside limits") as caught:
        SetMemory(calib, given).read(Address(MAPS), 1)
    assert "partial" in caught.value.hint
    seen = SetMemory(calib, given, partial=True).read(Address(MAPS), 0x44)
    assert seen[:2] == calib.read_memory(Address(MAPS), 2)
    assert seen[0x40:] == bytes([1, 2, 3, 4])
    assert SetMemory(calib, given, clamp=True).read(Address(MAPS), 2) == (2000).to_bytes(
        2, "little"
    )
    outside = ParameterSet([Entry("p", EntryKind.VALUE, 9)])  # in memory without pages
    with pytest.raises(PlanError, match="outside of the segments"):
        SetMemory(calib, outside).read(Address(MAPS), 1)
    same = ParameterSet([Entry("p", EntryKind.VALUE, 0)])
    assert SetMemory(calib, same).read(Address(MAPS), 2) == calib.read_memory(Address(MAPS), 2)
