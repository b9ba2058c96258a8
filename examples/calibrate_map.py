"""Change a parameter and one cell of a map, see limits at work, put everything back."""

import numpy as np

import xcaliper
from xcaliper.core.errors import LimitError
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        # A scalar: checked, written, read back.
        done = ecu.write("cIdleSpeedTarget", 900.3)
        print(f"idle speed {done.before} → {done.after} rpm, rounded: {done.rounded}")

        # Beyond its limits nothing is sent.
        try:
            ecu.write("cIdleSpeedTarget", 9000)
        except LimitError as error:
            print("refused:", error)

        # A map comes with its axes: X is speed, Y is load; values are [y, x].
        before = ecu.read("KFZW")
        print(before)

        # Find the cell that belongs to an operating point and raise the angle there.
        x, y = before.axes
        at = (int(np.abs(y.points - 50).argmin()), int(np.abs(x.points - 2000).argmin()))
        done = ecu.write("KFZW", before.values[at] + 1.5, at=at)
        print(f"cell {at}: {done.before:.1f} → {done.after:.1f} °CA, {done.bytes_sent} bytes sent")

        # Whole tables work the same; only what differs is sent.
        done = ecu.write("KFZW", before)
        print(f"put back: {done.changed} value changed, {done.bytes_sent} bytes sent")


if __name__ == "__main__":
    main()
