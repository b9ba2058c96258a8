"""Program the flash of an ECU: sectors, a part of one written anew, and what is there after the restart."""

import xcaliper
from xcaliper.sim.flash import flash_settings
from xcaliper.sim.process import EcuProcess
from xcaliper.xcp.slave_config import SlaveConfig

DATA = b"second edition of this program part"


def main() -> None:
    settings = SlaveConfig(program=flash_settings())
    with EcuProcess("demo-engine", settings=settings) as engine:
        with xcaliper.connect(engine.url) as ecu:
            for sector in ecu.program.sectors:
                print(f"{sector.name}: {sector.size_bytes} bytes from {sector.address}")
            start = ecu.program.sectors[0].address
            # Erases the sector as a whole, writes, and ends with PROGRAM_RESET: the session is over.
            ecu.program.write([(start, DATA)])

        with xcaliper.connect(engine.url) as ecu:
            print("flash holds:", ecu.read_memory(start, len(DATA)).decode())


if __name__ == "__main__":
    main()
