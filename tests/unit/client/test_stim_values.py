"""Values in rows, forms of algorithms, and the statistics of answers."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.client.binding import Signal
from xcaliper.client.bypass import adapt_algorithm
from xcaliper.client.reaction import KEPT, Durations
from xcaliper.client.stim_rows import RowReader, RowWriter
from xcaliper.core.errors import UsageError
from xcaliper.daq.capabilities import DaqCapabilities, EventChannel
from xcaliper.daq.plan import compile_plan
from xcaliper.daq.wanted import Wanted
from xcaliper.quantity.catalog import Catalog

MODULE = """/begin PROJECT p "" /begin MODULE m ""
/begin MOD_COMMON "" BYTE_ORDER {order} /end MOD_COMMON
/begin COMPU_METHOD lin "" LINEAR "%6.2" "rpm" COEFFS_LINEAR 0.5 10 /end COMPU_METHOD
/begin COMPU_METHOD tab "" TAB_VERB "%3.0" "" COMPU_TAB_REF words /end COMPU_METHOD
/begin COMPU_VTAB words "" TAB_VERB 2 0 "off" 1 "on" /end COMPU_VTAB
/begin MEASUREMENT speed "" UWORD lin 0 0 10 2000 ECU_ADDRESS 0x10 /end MEASUREMENT
/begin MEASUREMENT real "" FLOAT32_IEEE NO_COMPU_METHOD 0 0 -5 5 ECU_ADDRESS 0x20 /end MEASUREMENT
/begin MEASUREMENT list "" SWORD lin 0 0 -100 100 ECU_ADDRESS 0x30 MATRIX_DIM 3 1 1 /end MEASUREMENT
/begin MEASUREMENT state "" UBYTE tab 0 0 0 1 ECU_ADDRESS 0x40 /end MEASUREMENT
/begin MEASUREMENT flag "" UBYTE NO_COMPU_METHOD 0 0 0 1 BIT_MASK 0x08 ECU_ADDRESS 0x50 /end MEASUREMENT
/begin MEASUREMENT part "" UBYTE NO_COMPU_METHOD 0 0 0 3 BIT_MASK 0x30 ECU_ADDRESS 0x60 /end MEASUREMENT
/begin CHARACTERISTIC para "" VALUE 0x70 rec 0 NO_COMPU_METHOD 0 9 /end CHARACTERISTIC
/begin RECORD_LAYOUT rec FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/end MODULE /end PROJECT
"""
NAMES = ("speed", "real", "list", "state", "flag")


def rastered(order: str, names=NAMES):
    catalog = Catalog(parse(MODULE.format(order=order)))
    signals = {name: Signal.of(catalog.bind(name), None) for name in names}
    caps = DaqCapabilities(events=(EventChannel(0, "e", 1_000_000, stim=True),), max_dto=100)
    plan = compile_plan(Wanted(tuple(s.wanted() for s in signals.values()), event_channel=0), caps)
    (raster,) = plan.rasters
    return raster, signals


@pytest.mark.parametrize(("order", "mark"), [("MSB_LAST", "<"), ("MSB_FIRST", ">")])
def test_values_go_in_and_come_out(order: str, mark: str) -> None:
    raster, signals = rastered(order)
    writer, reader = RowWriter(raster, signals), RowReader(raster, signals)
    given = {"speed": 500.0, "real": 1.5, "list": [1.0, -2.0, 30.0], "state": "on", "flag": 1}
    writer.put_all([given[name] for name in writer.names])
    row = np.frombuffer(writer.row, raster.dtype)
    assert row["speed"].tobytes() == (980).to_bytes(2, "little" if mark == "<" else "big")
    assert row["list"].tobytes() == np.array([-18, -24, 40], f"{mark}i2").tobytes()
    assert row["flag"].tobytes() == b"\1"  # a truth value, whatever the mask is
    found = dict(zip(reader.names, reader.read(writer.row), strict=True))
    assert (found["speed"], found["real"], found["state"]) == (500.0, 1.5, "on")
    assert found["list"].tolist() == given["list"]
    writer.put("flag", 0)
    assert row["flag"].tobytes() == b"\0"


def test_values_are_brought_to_their_limits() -> None:
    raster, signals = rastered("MSB_LAST", ("speed", "real"))
    writer, reader = RowWriter(raster, signals), RowReader(raster, signals)
    for given, held in ((5000, 2000.0), (-1, 10.0), (float("inf"), 2000.0), (10.3, 10.5)):
        writer.put("speed", given)
        assert dict(zip(reader.names, reader.read(writer.row), strict=True))["speed"] == held
    assert writer.clamped == 3
    writer.put("real", -7.0)
    assert dict(zip(reader.names, reader.read(writer.row), strict=True))["real"] == -5.0
    with pytest.raises(UsageError, match="NaN"):
        writer.put("real", float("nan"))


def test_values_that_are_none_are_named_and_change_nothing() -> None:
    raster, signals = rastered("MSB_LAST")
    writer = RowWriter(raster, signals)
    given = {"speed": 500.0, "real": 1.5, "list": [1, 2, 3], "state": "on", "flag": 1}
    writer.put_all([given[name] for name in writer.names])
    before = bytes(writer.row)
    wrong = {
        "speed": ("abc", None, [1, 2], {}, 1j, 10**400),
        "real": ("abc", None, object()),
        "list": ("abc", None, [1, 2], [1, "x", 3], [[1], [2, 3]], 1j),
        "state": ("neither", None, [1, 2], object()),
        "flag": ("abc", None, [1, 2], object()),
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(UsageError, match=name):
                writer.put(name, value)
            assert bytes(writer.row) == before, (name, value)


@pytest.mark.parametrize(("name", "why"), [("part", "shares its bytes"), ("para", "measurements")])
def test_what_cannot_be_stimulated(name: str, why: str) -> None:
    raster, signals = rastered("MSB_LAST", (name,))
    with pytest.raises(UsageError, match=why):
        RowWriter(raster, signals)


# -- algorithms -----------------------------------------------------------------------------------


class Stateful:
    def __call__(self, a, b=2):
        return a + b


@pytest.mark.parametrize(
    ("algorithm", "outputs"),
    [
        (lambda a, b: (a + b, a - b), ["x", "y"]),
        (lambda a, b: {"y": a - b, "x": a + b}, ["x", "y"]),
        (lambda values: [values["a"] + values["b"], values["a"] - values["b"]], ["x", "y"]),
        (lambda *values: np.array([sum(values), values[0] - values[1]]), ["x", "y"]),
        (lambda a, b: a + b, ["x"]),
        (Stateful(), ["x"]),
        (max, ["x"]),
    ],
)
def test_forms_of_algorithms(algorithm, outputs) -> None:
    call, diagnostics = adapt_algorithm(algorithm, ["a", "b"], outputs)
    found = call([3.0, -1.0])
    assert diagnostics == []
    assert found == ([2.0, 4.0][: len(outputs)] if algorithm is not max else [3.0])


def test_an_algorithm_of_the_wrong_form() -> None:
    with pytest.raises(UsageError, match="3 values, there are 2 inputs"):
        adapt_algorithm(lambda a, b, c: a, ["a", "b"], ["x"])


def test_an_algorithm_on_arrays_falls_back_to_python(monkeypatch) -> None:
    def algorithm(taken, given):
        given[0] = taken[0] + 2 * taken[1]

    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "numba":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    call, diagnostics = adapt_algorithm(algorithm, ["a", "b"], ["x"], arrays=True)
    assert call([1.0, 2.0]) == [5.0]
    assert [one.slug for one in diagnostics] == ["algorithm-not-compiled"]


def test_an_algorithm_on_arrays_is_compiled() -> None:
    numba = pytest.importorskip("numba", reason="the fast extra is not installed")

    def algorithm(taken, given):
        given[0] = taken[0] + 2 * taken[1]

    for one in (algorithm, numba.njit(algorithm)):
        call, diagnostics = adapt_algorithm(one, ["a", "b"], ["x"], arrays=True)
        assert call([1.0, 2.0]) == [5.0]
        assert diagnostics == []


# -- durations ------------------------------------------------------------------------------------


def test_durations_and_their_histogram() -> None:
    found = Durations()
    assert (str(found), found.percentile_ns(50), found.bars()) == ("none", 0.0, "")
    for duration_ns in (500, 5_000, 5_000_000, 20_000_000_000):
        found.add(duration_ns)
    assert (found.count, found.shortest_ns, found.longest_ns) == (4, 500, 20_000_000_000)
    rows = found.histogram()
    assert rows[0] == (0, 1000, 1)
    assert rows[-1][1:] == (-1, 1)
    assert sum(count for _, _, count in rows) == 4
    assert str(found).startswith("min 500 ns, median 2.5 ms")
    told = found.to_dict()
    assert told["count"] == 4
    assert told["histogram"][-1]["to_s"] is None
    assert len(found.bars().splitlines()) == 4


def test_only_the_latest_durations_are_kept() -> None:
    found = Durations()
    for _ in range(KEPT):
        found.add(1_000)
    for _ in range(KEPT):
        found.add(3_000)
    assert found.percentile_ns(0) == 3_000
    assert (found.count, found.shortest_ns) == (2 * KEPT, 1_000)
