"""Sets out of memory: every kind of parameter, variants, holes, and how few reads it takes."""

from __future__ import annotations

import numpy as np
import pytest

from support.parameters import Bench
from xcaliper.calib.extract import extract
from xcaliper.calib.named_values import from_values, to_physical
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, Origin, ParameterSet
from xcaliper.calib.values import Axis, Table
from xcaliper.core.errors import LinkError

MANUAL, AUTOMATIC = (("Gear", "Manual"),), (("Gear", "Automatic"),)


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def values(bench):
    return extract(bench.catalog, bench.read, on_problem=bench.tell)


def test_single_values_and_texts(values):
    assert values["speed"] == Entry(
        "speed",
        EntryKind.VALUE,
        780.0,
        unit="1/min",
        long_name="idle speed",
        display_name="d.speed",
        functions=("Idle",),
    )
    found = {name: values[name].values for name in ("torque", "factor", "mode", "flag", "label")}
    assert found == {"torque": 5, "factor": 0.5, "mode": "on", "flag": 1, "label": "REV C"}
    assert type(values["torque"].values) is int
    assert values["label"].kind is EntryKind.ASCII
    assert values["blob"] == Entry(
        "blob", EntryKind.BLOB, b"\xde\xad\xbe\xef", long_name="raw bytes"
    )
    assert values["twice"].category == "DEPENDENT_VALUE"


def test_blocks_axes_and_tables(values):
    assert values["block"].values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert values["modes"].values.tolist() == ["off", "auto"]
    assert values["modes"].values.dtype == object
    assert values["ax"].values.tolist() == [800, 2000, 4500]
    assert values["rx"].values.tolist() == [[10, 0], [30, 100]]
    assert values["rx"].category == "RES_AXIS"
    curve = values["curve"]
    assert curve.values.tolist() == [-1, 0, 1]
    (axis,) = curve.axes
    assert (axis.kind, axis.ref, axis.unit) == (AxisKind.COM, "ax", "1/min")
    assert axis.values.tolist() == [800, 2000, 4500]
    made = values["map"]
    assert made.values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert [one.values.tolist() for one in made.axes] == [[1, 2, 3], [10, 20]]
    assert {one.kind for one in made.axes} == {AxisKind.STD}
    assert values["fixed"].axes[0].values.tolist() == [0, 5, 10]
    assert values["cube"].values.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert values["cube"].axes[2].values.tolist() == [5, 6]


def test_instances_have_their_names_and_variants_are_entries_of_their_own(values):
    assert [values[f"pid[{n}].{part}"].values for n in (0, 1) for part in "pi"] == [11, 12, 21, 22]
    assert values["coded", MANUAL].values == 40
    assert values["coded", AUTOMATIC].values == 41
    assert values["ccurve", AUTOMATIC].values.tolist() == [60, 61]
    (axis,) = values["ccurve", AUTOMATIC].axes
    assert (axis.ref, axis.values.tolist()) == ("cx", [3, 4])
    assert values["plain"].axes[0].values is None  # which points it has depends on the variant
    assert values["plain"].axes[0].ref == "cx"
    assert values.criteria == {"Gear": ("Manual", "Automatic")}


def test_one_variant_alone_gives_its_places(bench):
    wanted = {"Gear": "Automatic"}
    values = extract(bench.catalog, bench.read, on_problem=bench.tell, variants=wanted)
    assert [one.variant for one in values.of("coded")] == [AUTOMATIC]
    assert values["plain"].axes[0].values.tolist() == [3, 4]
    one = extract(bench.catalog, bench.read, ["coded.0"], on_problem=bench.tell)
    assert one.keys == (("coded", MANUAL),)


def test_what_is_left_out_is_told(bench, values):
    assert "gone" not in values
    assert "virtual" not in values
    told = "\n".join(bench.told)
    assert len(bench.told) == 2
    assert "gone: left out: no memory at 0x00009000" in told
    assert "virtual: it is virtual and has no memory; it is left out." in told
    bench.told.clear()
    found = extract(bench.catalog, bench.read, ["speed", "nothing", "rpm"], on_problem=bench.tell)
    assert found.names == ("speed",)
    assert [one.partition(":")[0].split()[-1] for one in bench.told] == ["nothing", "rpm"]


def test_a_count_in_memory_that_cannot_be_right_is_told(bench):
    bench.memory.write(bench.catalog.bind("counted").address, b"\x09")
    found = extract(bench.catalog, bench.read, ["counted"], on_problem=bench.tell)
    assert found["counted"].values.tolist() == [4, 5, 6]
    assert "NO_AXIS_PTS_X is 9 where 1 to 3 can be" in bench.told[0]


def test_neighbours_are_read_together_and_a_hole_costs_little(bench, values):
    assert len(values) > 25
    assert len(bench.reads) < len(values)
    first = bench.reads[0]
    assert first == (0x100, 0x33)  # up to the end of the map; 13 bytes without a parameter follow


def test_a_silent_ecu_ends_the_work(bench):
    def dead(address, size):
        raise LinkError("link: it is gone.")

    with pytest.raises(LinkError):
        extract(bench.catalog, dead, ["speed"], on_problem=bench.tell)


def test_head_tells_where_values_come_from(bench, values):
    assert (values.origin.epk, values.origin.tool) == ("V7", "XCaliper")
    assert [(one.name, one.version) for one in values.functions] == [("Idle", "1.2"), ("Inner", "")]
    own = extract(
        bench.catalog, bench.read, [], on_problem=bench.tell, name="n", origin=Origin(image="x.hex")
    )
    assert (own.name, own.origin.image, len(own)) == ("n", "x.hex", 0)


def test_raw_values_and_the_way_to_physical_ones(bench, values):
    raw = extract(bench.catalog, bench.read, on_problem=bench.tell, raw=True)
    assert (raw["speed"].values, raw["speed"].unit, raw["speed"].is_raw) == (7800, "", True)
    assert raw["ax"].values.tolist() == [8000, 20000, 45000]
    assert raw["label"].values.tolist() == list(b"REV C\0")
    assert raw["mode"].values == 1
    bench.told.clear()
    back = to_physical(raw.without(["rx"]), bench.catalog, on_problem=bench.tell)
    assert bench.told == []
    for name in ("speed", "mode", "label", "ax", "curve", "map", "modes", "blob"):
        assert back[name].values is not None
        assert np.array_equal(back[name].values, values[name].values), name
    assert back["curve"].axes == values["curve"].axes
    odd = ParameterSet([Entry("nothing", EntryKind.VALUE, 1, is_raw=True)])
    assert len(to_physical(odd, bench.catalog, on_problem=bench.tell)) == 0
    assert "nothing" in bench.told[0]


def test_values_by_name_become_a_set(bench):
    table = Table("t", np.array([1.0, 2.0]), (Axis("n", np.array([3, 4]), "rpm"),), "Nm")
    given = {"speed": np.float32(780), "block": np.ones((2, 3)), "nothing": 1, "rpm": 4}
    made = from_values(given, bench.catalog, on_problem=bench.tell)
    assert made.names == ("speed", "block")
    assert (made["speed"].values, made["speed"].unit) == (780.0, "1/min")
    assert len(bench.told) == 2
    bare = from_values({"a": 1, "t": table, "b": b"\1"}, on_problem=bench.tell)
    assert [one.kind for one in bare] == [EntryKind.VALUE, EntryKind.CURVE, EntryKind.BLOB]
    assert bare["t"].axes[0].unit == "rpm"
