"""Record from half a second before a condition to half a second behind it, twice, besides everything."""

from pathlib import Path

import xcaliper
from xcaliper import Recording
from xcaliper.sim.process import EcuProcess


def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        measurement = ecu.measure(
            ["EngineSpeed", "TaskCounter1ms", "CoolantTemp"],
            duration_s=3.5,
            keep=False,
            record=[
                "everything.mf4",
                # The counter stands for whatever happens rarely. Each trigger gets a file of its own.
                Recording(
                    "moment.mf4",
                    trigger="TaskCounter1ms % 1500 == 700",
                    pre_s=0.5,
                    post_s=0.5,
                    repeat=True,
                    signals=("EngineSpeed", "TaskCounter1ms"),
                ),
            ],
            overwrite=True,
        )
        for _ in measurement:
            pass  # blocks could be shown here; the files are written anyway
        for recorder in measurement.recorders:
            stats = recorder.stats
            files = ", ".join(Path(file).name for file in stats.files)
            print(f"{stats.recordings} recordings, {stats.recorded_samples} samples: {files}")
        print("dropped anywhere:", measurement.quality.dropped)


if __name__ == "__main__":
    main()
