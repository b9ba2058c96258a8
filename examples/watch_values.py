"""Follow values live, one line per block, and stop when something happens."""

import xcaliper
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        # Every signal in the 10 ms task, whatever the description suggests; keep=False because
        # nobody asks for frames afterwards. Without a duration it runs until stopped.
        with ecu.measure(
            ["EngineSpeed", "EngineState", "ThrottlePos"], event="10ms", keep=False
        ) as measurement:
            for block in measurement:
                speed = block["EngineSpeed"]
                print(
                    f"{block.t[-1]:6.2f} s  {speed.mean():7.1f} rpm  "
                    f"{block.latest('ThrottlePos'):5.1f} %  {block.latest('EngineState')}"
                )
                if block.gaps:
                    print("  lost:", sum(gap.lost for gap in block.gaps))
                if speed.max() > 2000 or block.t[-1] > 2:
                    break  # leaving the block stops the ECU's lists
        print(f"{measurement.quality.samples} samples, {measurement.quality.lost} lost")


if __name__ == "__main__":
    main()
