"""A function of a virtual ECU that is bypassed: inputs before it runs, outputs when it ends."""

import struct

import pytest

from xcaliper.a2l import parse
from xcaliper.core.datatypes import DataType
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.declare import EcuDeclaration, Event, Measurement
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.signals import SignalWriter, signal_view
from xcaliper.sim.tasks import Task
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_daq_config import CounterConfig, EventConfig
from xcaliper.xcp.slave_stim import StimSettings

MS = 1_000_000
DOUBLER = EcuDeclaration(
    name="Doubler",
    text="Its output is twice its input",
    epk="DOUBLER-1",
    events=(Event("Start", 0, 10, "start"), Event("End", 1, 10, "end", stim=True)),
    signals=tuple(
        Measurement(name=name, datatype=DataType.UWORD, text="", event="End", limits=(0, 65535))
        for name in ("In", "Out", "Used")
    ),
    parameters=(),
    segments=(),
)


class Model:
    """Out = 2 · In; another function uses Out a moment later."""

    def __init__(self, memory):
        self.turn = 0
        self.out = signal_view(memory, "Out")
        self.signals = SignalWriter(memory, ["In"])
        self.used = SignalWriter(memory, ["Used"])
        self.result = SignalWriter(memory, ["Out"])
        self.tasks = (
            Task("sense", -1, self.sense, 10 * MS),
            Task("double", 1, self.run, 10 * MS, start_channel=0, runtime_ns=4 * MS),
            Task("use", -1, self.use, 10 * MS, offset_ns=5 * MS),
        )

    def sense(self, _now_ns):
        self.turn += 1
        self.signals.write({"In": self.turn})

    def run(self, _now_ns):
        self.result.write({"Out": 2 * self.turn})

    def use(self, _now_ns):
        self.used.write({"Used": float(self.out[()])})


class Bench:
    """An ECU with a DAQ list for In at its start and a STIM list for Out at its end."""

    def __init__(self, **settings):
        self.ecu = VirtualEcu(DOUBLER, Model, SlaveConfig(**settings))
        self.now_ns = 0
        place = {n: self.ecu.image[n].offset for n in ("In", "Out", "Used")}
        base = self.ecu.image.regions["RAM"].address
        self.address = {name: base + offset for name, offset in place.items()}
        self.ask("ff 00")
        self.ask("d6")
        self.ask("d5 00 0200")
        for number in (0, 1):
            self.ask(f"d4 00 {number:02x}00 01")
        for number in (0, 1):
            self.ask(f"d3 00 {number:02x}00 00 01")
        for number, name, mode, event in ((0, "In", 0, 0), (1, "Out", 2, 1)):
            self.ask(f"e2 00 {number:02x}00 00 00")
            self.ask("e1 ff 02 00" + struct.pack("<I", self.address[name]).hex())
            self.ask(f"e0 {mode:02x} {number:02x}00 {event:02x}00 01 00")
            self.ask(f"de 02 {number:02x}00")
        self.ask("dd 01")

    def ask(self, packet):
        self.ecu.receive(bytes.fromhex(packet), self.now_ns)
        (answer,) = self.ecu.outgoing()
        assert answer[0] == 0xFF, answer.hex()

    def until(self, ms):
        """Samples of In that came."""
        self.now_ns = ms * MS
        self.ecu.on_time(self.now_ns)
        return [struct.unpack_from("<H", p, 2)[0] for p in self.ecu.outgoing() if p[0] == 0]

    def send(self, value):
        self.ecu.receive(b"\0\1" + struct.pack("<H", value), self.now_ns)

    def value(self, name):
        return int(signal_view(self.ecu.memory, name)[()])


def test_the_answer_to_a_sample_is_used_in_the_same_cycle():
    bench = Bench()
    assert bench.until(0) == [1]
    bench.send(100)
    assert bench.until(3) == []
    assert bench.value("Out") == 0  # not before the end of the function
    bench.until(4)
    assert bench.value("Out") == 100
    bench.until(5)
    assert bench.value("Used") == 100
    assert bench.until(10) == [2]
    bench.until(15)  # nothing came
    assert bench.value("Used") == 4


def test_a_late_answer_counts_for_the_next_cycle():
    bench = Bench(stim=StimSettings(grace=0))
    bench.until(4)
    bench.send(100)
    bench.until(5)
    assert bench.value("Used") == 2
    bench.until(15)
    assert bench.value("Used") == 100
    counters = bench.ecu.slave.state.stim.counters
    assert (counters.applied, counters.missing) == (1, 1)


def test_the_a2l_tells_what_each_event_can():
    events = (
        EventConfig(0, "", stim=True, daq=False),
        EventConfig(1, "", stim=True, consistency=2, counter=CounterConfig(daq_mode=1)),
    )
    ecu = VirtualEcu(DOUBLER, Model, SlaveConfig(events=events))
    xcp = Catalog(parse(ecu.a2l)).xcp.merged()
    first, second = xcp.daq.events
    assert (first.direction, second.direction) == ("STIM", "DAQ_STIM")
    assert (second.consistency, second.dto_ctr_daq_mode) == ("EVENT", "INSERT_STIM_COUNTER_COPY")
    assert second.stim_dto_ctr_copy_present
    assert not second.dto_ctr_daq_mode_fixed
    assert second.dto_ctr_stim_mode == "DO_NOT_CHECK_COUNTER"
    assert xcp.daq.stim is not None
    demo = Catalog(parse(build_ecu("demo-engine").a2l)).xcp.merged()
    assert [event.direction for event in demo.daq.events] == ["DAQ", "DAQ_STIM", "DAQ", "DAQ"]


def test_the_idle_throttle_of_the_engine_can_be_replaced():
    ecu = build_ecu("demo-engine")
    ecu.on_time(2000 * MS)
    view = signal_view(ecu.memory, "IdleThrottle")
    target = signal_view(ecu.memory, "ThrottleTarget")
    view[()] = 1100
    ecu.on_time(2001 * MS)
    assert int(target[()]) == pytest.approx(1100, abs=1)
    ecu.on_time(2011 * MS)  # the controller has written again
    assert int(view[()]) != 1100
