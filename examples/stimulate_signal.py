"""Load a running engine: a torque held by value, then a stream of values, and what the speed does."""

import numpy as np

import xcaliper
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        ecu.write("cDriveCycleEnable", 0)  # nobody drives
        ecu.write("cPedalManual", 0.0)

        with ecu.stimulate({"StimulusTorque": -10.0}, event="10ms") as stimulation:
            stimulation.wait(0.5)  # the ECU writes the value at every event
            print("braked:", ecu.read("StimulusTorque"), "Nm,", ecu.read("EngineSpeed"), "rpm")
            stimulation.set(StimulusTorque=8.0)
            stimulation.wait(0.5)
            print("driven:", ecu.read("StimulusTorque"), "Nm,", ecu.read("EngineSpeed"), "rpm")

        t = np.linspace(0, 1, 101)
        wave = {"StimulusTorque": 8 * np.sin(2 * np.pi * t)}
        with ecu.stimulate(stream=wave, t_s=t, event="10ms") as stream:
            stream.join()
        print("the stream is over, the lists are stopped")


if __name__ == "__main__":
    main()
