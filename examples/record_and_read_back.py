"""Record to MDF4 while a parameter changes, then open the file with asammdf."""

from pathlib import Path

import xcaliper
from xcaliper.sim.process import EcuProcess


def main() -> None:
    file = Path("idle.mf4")
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        names = ["EngineSpeed", "EngineState", "IdleSpeedTarget"]
        changed = False
        with ecu.measure(names, duration_s=3, record=file, overwrite=True) as measurement:
            for _ in measurement:  # blocks could be shown here; the file is written anyway
                if not changed and measurement.elapsed_s > 1:
                    ecu.write("cIdleSpeedTarget", 1100)  # becomes a marker in the file
                    changed = True
        print(measurement.summary())
    print(f"{file}: {file.stat().st_size} bytes")

    try:
        from asammdf import MDF
    except ImportError:
        print('To read it here: pip install "xcaliper[mdf]"')
        return
    with MDF(file) as recording:
        speed = recording.get("EngineSpeed")
        print(f"{len(speed)} samples from {speed.samples[0]} to {speed.samples[-1]} {speed.unit}")
        states = {text.decode() for text in recording.get("EngineState").samples}
        print("states:", ", ".join(sorted(states)))
        for event in recording.events:
            print("marker:", event.comment)


if __name__ == "__main__":
    main()
