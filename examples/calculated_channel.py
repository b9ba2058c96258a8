"""Compute a channel while measuring: in blocks, in the recording, and in a picture."""

import xcaliper
from xcaliper.record.recorder import CalculatedSignal
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        measurement = ecu.measure(
            ["EngineSpeed", "TorqueIndicated", "Lambda"],
            calculated=[
                CalculatedSignal("Power", "EngineSpeed * TorqueIndicated / 9549", unit="kW"),
                CalculatedSignal("PowerSmooth", "lowpass(Power, 0.2)", unit="kW"),
            ],
            duration_s=2,
            record="power.mf4",
            overwrite=True,
        )
        with measurement:
            for block in measurement:
                if "Power" in block and len(block):
                    print(f"{block.t[-1]:5.2f} s  {block.latest('Power'):6.2f} kW")
        figure = measurement.plot("EngineSpeed", "Power", "PowerSmooth")
        figure.savefig("power.png")
        print("power.mf4 and power.png are written")


if __name__ == "__main__":
    main()
