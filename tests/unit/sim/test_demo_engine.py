"""The demo engine: what it offers and how it reacts, on virtual time."""

import statistics

import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import NotFoundError
from xcaliper.sim.conversion import Enum
from xcaliper.sim.gallery import NAMES, build_ecu
from xcaliper.sim.gallery.demo_engine import demo_engine
from xcaliper.sim.image import record_elements, record_offsets
from xcaliper.sim.items import (
    Axis,
    BitField,
    Curve,
    FixAxis,
    Map,
    Measurement,
    Scalar,
    StdAxis,
    StructArray,
    Text,
    TextMeasurement,
    ValueBlock,
)
from xcaliper.sim.signals import signal_view

SECOND = 1_000_000_000


class Bench:
    """A demo engine, its clock and its values by name."""

    def __init__(self, *, seed=1):
        self.ecu = build_ecu("demo-engine", seed=seed)
        self.memory = self.ecu.memory
        self.now_ns = 0

    def run(self, seconds):
        self.now_ns += int(seconds * SECOND)
        self.ecu.on_time(self.now_ns)

    def phys(self, name):
        item = self.ecu.declaration[name]
        return float(item.conversion.to_phys(signal_view(self.memory, name)[()]))

    def mean(self, name, seconds):
        values = []
        for _ in range(int(seconds * 100)):
            self.run(0.01)
            values.append(self.phys(name))
        return statistics.fmean(values)

    def set(self, name, phys, index=0):
        item = self.ecu.declaration[name]
        elements = record_elements(item)
        offsets, _ = record_offsets(elements)
        dtype = elements[-1].datatype.dtype(self.ecu.declaration.byte_order)
        raw = item.conversion.to_raw(phys)
        data = (raw if elements[-1].datatype.is_float else raw.round()).astype(dtype).tobytes()
        placed = self.ecu.image[name]
        start = placed.address + offsets[-1] + index * dtype.itemsize
        self.memory.write(Address(start, placed.extension), data)


@pytest.fixture(scope="module")
def declaration():
    return demo_engine()


def idling():
    """A bench whose engine idles for ever, warm enough for steady conditions."""
    bench = Bench()
    bench.set("cDriveCycleEnable", 0)
    for index in range(9):
        bench.set("KLIdleSpeedCoolant", 0, index)
    bench.run(12)
    return bench


def test_enough_measurements_of_every_kind(declaration):
    measurements = [s for s in declaration.signals if isinstance(s, Measurement | BitField)]
    assert len(measurements) >= 150
    plain = [s for s in measurements if isinstance(s, Measurement)]
    assert {s.datatype for s in plain if not s.shape} == set(DataType)
    assert {len(s.shape) for s in plain} == {0, 1, 2}
    assert any(isinstance(s.conversion, Enum) for s in plain)
    assert any(s.writable for s in plain)
    kinds = {type(s) for s in declaration.signals}
    assert kinds == {Measurement, BitField, TextMeasurement, StructArray}


def test_enough_parameters_of_every_kind(declaration):
    assert len(declaration.parameters) >= 60
    kinds = {type(item) for item in declaration.parameters}
    assert kinds == {Scalar, Text, ValueBlock, Curve, Map, Axis}
    scalars = [p for p in declaration.parameters if isinstance(p, Scalar)]
    assert {p.datatype for p in scalars} == set(DataType)
    tables = [p for p in declaration.parameters if isinstance(p, Curve | Map)]
    axes = [axis for table in tables for axis in table.axes]
    assert {type(axis) for axis in axes} == {str, StdAxis, FixAxis}
    assert {p.segment for p in declaration.parameters} == {s.name for s in declaration.segments}
    assert len(declaration["KFZW"].default) == 12
    assert len(declaration["KFZW"].default[0]) == 16


@pytest.mark.parametrize(
    "name",
    [
        *("EngineSpeed", "Lambda", "LambdaReq", "InjectionTime", "ThrottlePos", "KFZW"),
        *("cIdleSpeedTarget", "cLambdaKp", "cFanOnTemp", "cKnockEnable"),
    ],
)
def test_names_that_the_documents_show(declaration, name):
    assert declaration[name].name == name


def test_four_events_one_of_them_crank_synchronous(declaration):
    assert [event.cycle_ms for event in declaration.events] == [1, 10, 100, None]


def test_every_signal_is_in_a_group(declaration):
    grouped = {name for group in declaration.groups for name in group.members}
    plain = {s.name for s in declaration.signals if not isinstance(s, BitField)}
    assert plain <= grouped


def test_every_float_and_integer_moves_or_is_known_to_rest():
    bench = Bench()
    seen = {}
    for _ in range(60):
        bench.run(1)
        for signal in bench.ecu.declaration.signals:
            if isinstance(signal, Measurement):
                raw = signal_view(bench.memory, signal.name).tobytes()
                seen.setdefault(signal.name, set()).add(raw)
    resting = {name for name, values in seen.items() if len(values) == 1}
    assert resting <= {
        *("AmbientTemp", "AmbientPressure", "FactorAltitude", "RoadGrade", "KnockThreshold"),
        *("StimulusTorque", "ErrorCount", "FaultCodes", "MisfireCount", "MisfireDetected"),
        *("ParameterGeneration", "DriveCycleCount", "WaveTriangle", "WaveSine", "WaveSquare"),
        "TorqueMax",
    }


def test_counters_count_task_runs_exactly():
    bench = Bench()
    bench.run(2.5)
    assert bench.phys("TaskCounter1ms") == 2501
    assert bench.phys("TaskCounter10ms") == 251
    assert bench.phys("TaskCounter100ms") == 26
    assert bench.phys("TimeUs") == 2_500_000


def test_engine_starts_and_reaches_its_idle_target():
    bench = Bench()
    assert bench.phys("EngineSpeed") == 0
    bench.run(0.35)
    assert bench.phys("EngineState") == 1
    bench.run(5)
    assert bench.phys("EngineState") == 2
    assert bench.phys("EngineSpeed") == pytest.approx(bench.phys("IdleSpeedTarget"), abs=40)


def test_idle_speed_follows_its_parameter():
    bench = idling()
    before = bench.mean("EngineSpeed", 1)
    bench.set("cIdleSpeedTarget", 1020)
    bench.run(8)
    after = bench.mean("EngineSpeed", 1)
    assert before == pytest.approx(820, abs=10)
    assert after - before == pytest.approx(200, abs=20)


def test_reference_page_brings_the_old_idle_speed_back():
    bench = Bench()
    bench.run(2)
    bench.set("cIdleSpeedTarget", 1020)
    bench.run(4)
    raised = bench.mean("EngineSpeed", 0.5)
    assert raised == pytest.approx(bench.phys("IdleSpeedTarget"), abs=30)
    bench.memory.set_page(1, 1, ecu=True, xcp=False)
    bench.run(5)
    lowered = bench.mean("EngineSpeed", 0.5)
    assert lowered == pytest.approx(bench.phys("IdleSpeedTarget"), abs=30)
    assert raised - lowered == pytest.approx(225, abs=50)  # it also warms up meanwhile


def test_a_map_cell_acts_only_where_the_engine_operates():
    bench = idling()
    speed, load = bench.phys("EngineSpeed"), bench.phys("Load")
    assert 500 < speed < 900
    assert 10 < load < 26
    before = bench.mean("IgnitionAngleBase", 0.2)
    bench.set("KFZW", 40, index=11 * 16 + 15)  # 6500 rpm, 98 %
    bench.run(0.5)
    assert bench.mean("IgnitionAngleBase", 0.2) == pytest.approx(before, abs=0.3)
    for index in (0, 1, 16, 17, 32, 33):  # 500 and 900 rpm, 10 to 26 %
        bench.set("KFZW", 30, index=index)
    bench.run(3)
    assert bench.mean("IgnitionAngleBase", 0.2) == pytest.approx(30, abs=0.1)


def test_ignition_angle_makes_torque():
    bench = idling()
    load = bench.mean("Load", 1)
    bench.set("cIgnitionOffset", -10)
    bench.run(6)
    assert bench.mean("EngineSpeed", 1) == pytest.approx(820, abs=15)  # the idle control holds it
    assert bench.mean("Load", 1) > load * 1.03  # with more air


def test_lambda_follows_its_request():
    bench = Bench()
    bench.set("cDriveCycleEnable", 0)
    bench.set("cPedalManual", 0)
    for index in range(9):
        bench.set("KLWarmupFuel", 0, index)
    bench.run(15)
    assert bench.mean("Lambda", 1) == pytest.approx(1.0, abs=0.01)
    assert bench.mean("FactorLambda", 1) == pytest.approx(1.03, abs=0.02)  # weak injectors
    bench.set("cLambdaReqOffset", -0.1)
    bench.run(10)
    assert bench.mean("Lambda", 1) == pytest.approx(0.9, abs=0.01)


def test_open_loop_keeps_the_error_of_the_injectors():
    bench = Bench()
    bench.set("cDriveCycleEnable", 0)
    bench.set("cLambdaEnable", 0)
    for index in range(9):
        bench.set("KLWarmupFuel", 0, index)
    bench.run(15)
    assert bench.mean("Lambda", 1) == pytest.approx(1.03, abs=0.02)


def test_fan_starts_at_its_temperature():
    bench = idling()
    assert bench.phys("FanState") == 0
    bench.set("cFanOnTemp", 60)
    bench.run(40)
    assert bench.phys("CoolantTemp") > 56
    seen = []
    for _ in range(40):
        bench.run(0.5)
        seen.append(bench.phys("FanState"))
    assert 1 in seen


def test_advanced_ignition_knocks_and_the_control_retards():
    def knocks(advance, enable):
        bench = Bench()
        bench.set("cIgnitionOffset", advance)
        bench.set("cKnockEnable", enable)
        bench.run(25)
        return bench.phys("KnockCountTotal"), bench.phys("KnockRetardMean")

    calm, _ = knocks(0, 1)
    loud, retard = knocks(8, 1)
    assert loud > calm + 20
    assert retard > 1
    assert knocks(8, 0)[1] == 0


def test_crank_event_follows_the_engine_speed():
    bench = idling()
    before = bench.phys("SegmentCounter")
    speed = bench.mean("EngineSpeed", 4)
    segments = bench.phys("SegmentCounter") - before
    assert segments == pytest.approx(4 * speed / 30, rel=0.02)
    assert bench.phys("SegmentTime") == pytest.approx(30e6 / speed, rel=0.05)


def test_stimulus_accelerates_the_engine():
    bench = idling()
    signal_view(bench.memory, "StimulusTorque")[()] = 60.0
    bench.run(1)
    assert bench.phys("EngineSpeed") > 1200
    signal_view(bench.memory, "StimulusTorque")[()] = float("nan")
    bench.run(1)
    assert bench.phys("EngineSpeed") < 1200


def test_cycle_pulls_cruises_and_returns_to_idle():
    bench = Bench()
    speeds, phases = [], set()
    for _ in range(59):
        bench.run(1)
        speeds.append(bench.phys("VehicleSpeed"))
        phases.add(bench.phys("DriveCyclePhase"))
    assert max(speeds) > 90
    assert speeds[-1] < 1
    assert phases >= {1, 2, 3, 4}


def test_same_seed_same_bytes():
    benches = [Bench(seed=7), Bench(seed=7), Bench(seed=8)]
    for bench in benches:
        bench.run(3)
    first, second, third = (bytes(bench.memory.ram) for bench in benches)
    assert first == second
    assert first != third


def test_any_parameter_bytes_leave_the_engine_alive():
    import random

    for seed in range(6):
        noise = random.Random(seed)
        bench = Bench(seed=seed)
        bench.run(1)
        for segment in bench.ecu.declaration.segments:
            data = noise.randbytes(segment.size_bytes)
            bench.memory.write(Address(segment.address), data)
        bench.run(3)
        assert bench.phys("TaskCounter1ms") == 4001


def test_big_endian_ecu_behaves_the_same():
    from xcaliper.xcp.slave_config import SlaveConfig

    ecu = build_ecu("demo-engine", SlaveConfig(byte_order=ByteOrder.MOTOROLA))
    ecu.on_time(5 * SECOND)
    raw = signal_view(ecu.memory, "EngineSpeed")
    assert raw.dtype.byteorder == ">"
    little = Bench()
    little.run(5)
    assert float(raw[()]) == float(signal_view(little.memory, "EngineSpeed")[()])


def test_unknown_ecu_is_named():
    assert NAMES[:2] == ("demo-engine", "many-signals")
    with pytest.raises(NotFoundError, match="demo-engine"):
        build_ecu("demo")
