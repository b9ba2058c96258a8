"""Replace the idle controller of a running engine by a function in Python: what a load step does, before and after."""

import time

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import xcaliper
from xcaliper.sim.process import EcuProcess

LOAD_NM = -12.0
STEP_S = 0.6
LENGTH_S = 2.4
PICTURE = "bypass_idle.png"


class IdleController:
    """Proportional, integral and damping part; it knows nothing of the controller in the ECU.

    The bypass calls it for every sample of its inputs, in physical units, as soon as it has come.
    """

    def __init__(self, opening: float) -> None:
        self.integral = opening
        self.before: float | None = None

    def __call__(self, speed: float, target: float) -> float:
        error = target - speed
        slope = 0.0 if self.before is None else (speed - self.before) / 0.01
        self.before = speed
        self.integral = min(max(self.integral + 0.06 * error * 0.01, 1.0), 10.0)
        return min(max(self.integral + 0.02 * error - 0.002 * slope, 0.5), 12.0)


def as_it_is(ecu: xcaliper.Connection) -> tuple[np.ndarray, np.ndarray]:
    """Time since the load step and engine speed, while the ECU controls it."""
    measurement = ecu.measure(["EngineSpeed"], event="10ms", duration_s=LENGTH_S)
    blocks, loaded_s = [], 0.0
    for block in measurement:
        blocks.append(block)
        if not loaded_s and block.t[-1] > STEP_S:
            ecu.write("StimulusTorque", LOAD_NM)  # somebody switches the air conditioning on
            loaded_s = block.t[-1]
    ecu.write("StimulusTorque", 0.0)
    return (
        np.concatenate([block.t for block in blocks]) - loaded_s,
        np.concatenate([block["EngineSpeed"] for block in blocks]),
    )


def bypassed(ecu: xcaliper.Connection) -> tuple[np.ndarray, np.ndarray]:
    """The same while the function does it."""
    bypass = ecu.bypass(
        inputs=["EngineSpeed", "IdleSpeedTarget"],
        outputs="IdleThrottle",
        algorithm=IdleController(opening=ecu.read("IdleThrottle")),
        event="10ms",
    )
    print(bypass.describe())
    with bypass:
        bypass.wait(STEP_S)
        loaded_s = bypass.result().t_s[-1]
        ecu.write("StimulusTorque", LOAD_NM)
        bypass.wait(LENGTH_S - STEP_S)
    ecu.write("StimulusTorque", 0.0)
    result = bypass.result()
    print(result)  # counts, and how long the answers took
    return result.t_s - loaded_s, result.inputs["EngineSpeed"]


def draw(curves: dict[str, tuple[np.ndarray, np.ndarray]], target: float) -> None:
    """Both curves in one picture."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for label, (t, speed) in curves.items():
        axes.plot(t, speed, label=label)
    axes.axhline(target, color="grey", linewidth=0.8, linestyle="--", label="target")
    axes.axvline(0, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="time since the load step in s",
        ylabel="EngineSpeed in rpm",
        title=f"Idle speed of the engine, {-LOAD_NM:g} Nm more to be driven",
    )
    axes.legend()
    figure.savefig(PICTURE, dpi=100)


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        ecu.write("cDriveCycleEnable", 0)  # nobody drives
        ecu.write("cPedalManual", 0.0)
        ecu.write("cIdleSpeedTarget", 900)
        time.sleep(2.5)  # the engine starts and settles
        curves = {"controller of the ECU": as_it_is(ecu)}
        time.sleep(0.8)
        curves["function in Python"] = bypassed(ecu)
        target = ecu.read("IdleSpeedTarget")
    for label, (t, speed) in curves.items():
        dip = speed[t < 0][-1] - speed[t > 0].min()
        print(f"{label}: the speed drops by {dip:.0f} rpm")
    draw(curves, target)
    print("picture:", PICTURE)


if __name__ == "__main__":
    main()
