"""Compare the working page with the reference page, parameter by parameter, and undo all changes."""

import numpy as np

import xcaliper
from xcaliper.calib.values import Table
from xcaliper.sim.process import EcuProcess

WORKING, REFERENCE = 0, 1  # page numbers of the demo engine


def snapshot(ecu: xcaliper.Connection, page: int) -> dict[str, object]:
    """Every parameter as it is on a page; the ECU itself keeps running on its own page."""
    for segment in ecu.info.segments:
        ecu.set_page(segment.number, page, ecu=False)  # move only what XCP sees
    return {name: ecu.read(name) for name in ecu.names(kind="characteristic")}


def numbers(value: object) -> np.ndarray:
    return np.asarray(value.values if isinstance(value, Table) else value)


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        ecu.write("cIdleSpeedTarget", 950)
        ecu.write("cLambdaEnable", "OFF")
        ecu.write("KFZW", 20, at=(3, 4))

        reference, working = snapshot(ecu, REFERENCE), snapshot(ecu, WORKING)
        for name, value in working.items():
            old, new = numbers(reference[name]), numbers(value)
            if differs := int(np.sum(old != new)):
                what = f"{old} → {new}" if new.ndim == 0 else f"{differs} of {new.size} values"
                print(f"{name}: {what}")

        # Copying the reference page onto the working page undoes everything at once.
        for segment in ecu.info.segments:
            ecu.copy_page((segment.number, REFERENCE), (segment.number, WORKING))
        print("idle speed again", ecu.read("cIdleSpeedTarget"), "rpm")


if __name__ == "__main__":
    main()
