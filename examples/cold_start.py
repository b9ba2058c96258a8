"""Measure an ECU from its first moment on: it keeps the DAQ lists and runs them before anybody connects."""

import xcaliper
from xcaliper.sim.ecu import STORING
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig


def main() -> None:
    settings = SlaveConfig(**STORING)
    with EcuServer(build_ecu("demo-engine", settings), ["tcp://127.0.0.1:0"]) as engine:
        with xcaliper.connect(engine.url) as ecu:
            ecu.store_measurement(["EngineSpeed", "EngineState"], event="10ms", file="cold.json")

        engine.reboot()  # the lists run from here on; what they send waits for a master

        with xcaliper.connect(engine.url, resume="cold.json", wait_s=5) as ecu:
            measurement = ecu.resumed.measure(duration_s=0.5)
            blocks = list(measurement)
            ecu.clear_stored()
    first, last = blocks[0], blocks[-1]
    print(f"first sample {first.t[0]:.3f} s after power-up, at {first['EngineSpeed'][0]:.0f} rpm")
    print(f"last sample {last.t[-1]:.3f} s after power-up, at {last['EngineSpeed'][-1]:.0f} rpm")


if __name__ == "__main__":
    main()
