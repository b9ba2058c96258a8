"""Measure two ECUs together: one time axis, one file, and how far the axis can be trusted."""

import xcaliper
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with (
        EcuProcess("demo-engine") as first,
        EcuProcess("demo-engine", seed=2) as second,
        xcaliper.connect(first.url) as left,
        xcaliper.connect(second.url) as right,
    ):
        measurement = xcaliper.measure_together(
            {
                "left": left.select(["EngineSpeed", "Lambda"]),
                "right": right.select("EngineSpeed"),
            },
            # Both have an EngineSpeed, so each is called by its ECU; expressions may mix them.
            calculated={"Difference": "`left/EngineSpeed` - `right/EngineSpeed`"},
            duration_s=2,
            record="both.mf4",
            overwrite=True,
        )
        measurement.run()
        for block in measurement.blocks():
            names = ", ".join(block.names)
            print(f"{block.event}: {len(block)} samples from {block.t[0]:.3f} s on ({names})")
        for label, correlation in measurement.correlations.items():
            print(f"{label}: {correlation.describe()}")
        print(f"samples of one instant lie within {measurement.axis_error_ns / 1000:.0f} µs")


if __name__ == "__main__":
    main()
