"""Connect, look around, read two values, measure for two seconds."""

import xcaliper
from xcaliper.sim.process import EcuProcess


def main() -> None:
    # A virtual ECU in its own process stands for the real one; a real one has a fixed URL.
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        # The ECU told everything there is to know, its description (A2L) included.
        print(ecu.info)

        # Reading asks once and gives physical values.
        print("speed", ecu.read("EngineSpeed"), ecu.describe("EngineSpeed")["unit"])
        print("state", ecu.read("EngineState"))

        # Measuring lets the ECU send, in step with its tasks; each event has its own time axis.
        measurement = ecu.measure(
            ["EngineSpeed", "Lambda", "EngineState", "CoolantTemp"], duration_s=2
        )
        for block in measurement.run().blocks():
            print(f"{block.event}: {len(block)} samples, {block.t[0]:.3f} to {block.t[-1]:.3f} s")
            for name in block.names:
                print(f"  {name:16} {block.latest(name)} {measurement.unit(name)}")
        print(measurement.quality)


if __name__ == "__main__":
    main()
