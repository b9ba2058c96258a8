"""Full-passing as a template: a whole function of the ECU is replaced, with the inputs and outputs of its FUNCTION in the A2L."""

import xcaliper
from xcaliper.sim.process import EcuProcess

FUNCTION = "IdleSpeedControl"
EVENT = "10ms"
LENGTH_S = 2.0
FILE = "full_passing.mf4"


class IdleSpeedControl:
    """What the ECU's own function does, written anew: state, one step, physical values in and out."""

    def __init__(self) -> None:
        self.integral = 4.0

    def __call__(self, values: dict[str, float]) -> dict[str, float]:
        target = 900.0 + max(0.0, 60.0 - values["CoolantTemp"]) * 4.0
        error = target - values["EngineSpeed"]
        idle = values["PedalPos"] < 1.0
        if idle:
            self.integral = min(max(self.integral + 0.0006 * error, 1.0), 10.0)
        return {
            "IdleSpeedTarget": target,
            "IdleSpeedError": error,
            "IdleThrottle": min(max(self.integral + 0.02 * error, 0.5), 12.0) if idle else 3.0,
            "IgnitionCorrIdle": min(max(0.02 * error, -6.0), 6.0) if idle else 0.0,
        }


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        functions = {one.name: one for one in ecu.description.file.module.function}
        inputs = functions[FUNCTION].in_measurement.names
        outputs = functions[FUNCTION].out_measurement.names
        ecu.write("cDriveCycleEnable", 0)  # nobody drives
        ecu.write("cPedalManual", 0.0)
        bypass = ecu.bypass(
            inputs,
            outputs,
            IdleSpeedControl(),
            event=EVENT,
            measure={"Load": EVENT, "IgnitionAngle": "100ms"},  # what it brings about
            record=FILE,
            overwrite=True,
            reconnect=True,
        )
        print(bypass.describe())
        with bypass:
            bypass.wait(LENGTH_S)
        result = bypass.result()
    print(result)
    for block in bypass.measurement.blocks():
        print(f"{block.event}: {len(block)} samples of {', '.join(block.names)}")
    print("recording:", FILE)


if __name__ == "__main__":
    main()
