"""Declare a small ECU in Python, a pendulum, serve it, and calibrate it over XCP."""

import math

import xcaliper
from xcaliper.core.datatypes import DataType
from xcaliper.sim.conversion import Linear
from xcaliper.sim.declare import EcuDeclaration, Event, Measurement, Scalar, Segment
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.server import EcuServer
from xcaliper.sim.signals import ParameterReader, SignalWriter
from xcaliper.sim.tasks import Task

DEGREES = Linear(0.01, unit="°")

# Memory image, A2L and event list follow from this.
PENDULUM = EcuDeclaration(
    name="Pendulum",
    text="A pendulum with friction",
    epk="PENDULUM-1",
    events=(Event("Task5ms", 0, 5, "5ms"),),
    signals=(Measurement(name="Angle", datatype=DataType.SWORD, text="Deflection",
                         event="Task5ms", conversion=DEGREES, limits=(-180, 180)),),
    parameters=(Scalar(name="cFriction", datatype=DataType.FLOAT32_IEEE, default=0.2,
                       text="Share of speed lost per second", segment="Cal", limits=(0, 20)),),
    segments=(Segment(name="Cal", number=0, address=0x0801_0000, size_bytes=64),),
)  # fmt: skip


class Model:
    """The application: reads parameters, computes, writes signals."""

    def __init__(self, memory: EcuMemory) -> None:
        self.angle, self.speed = 1.0, 0.0
        self.parameters = ParameterReader(memory)
        self.signals = SignalWriter(memory, ["Angle"])
        self.tasks = (Task("Task5ms", 0, self.run, 5_000_000),)

    def run(self, _now_ns: int) -> None:
        self.parameters.refresh()
        drag = self.parameters.scalars["cFriction"] * self.speed
        self.speed -= (9.81 * math.sin(self.angle) + drag) * 0.005
        self.angle += self.speed * 0.005
        self.signals.write({"Angle": math.degrees(self.angle)})


def main() -> None:
    with (
        EcuServer(VirtualEcu(PENDULUM, Model), ["udp://127.0.0.1:0"]) as server,
        xcaliper.connect(server.url, cache=False) as master,
    ):
        for friction in (0.2, 10):
            master.write("cFriction", friction)
            swing = master.measure("Angle", duration_s=1.5).run().blocks()[0]["Angle"]
            print(f"friction {friction}: {swing.min():.1f}° to {swing.max():.1f}°")


if __name__ == "__main__":
    main()
