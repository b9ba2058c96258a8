"""Write to an ECU that protects calibration: see what is locked, give a key function, get a key wrong."""

import xcaliper
from xcaliper.core.errors import AccessLockedError, UnlockError
from xcaliper.sim.demo_key import demo_key, demo_security
from xcaliper.sim.process import EcuProcess
from xcaliper.xcp.seed_key import resource_named
from xcaliper.xcp.slave_config import SlaveConfig


def wrong_key(resource: int, seed: bytes) -> bytes:
    """A key function of another ECU."""
    return demo_key(resource, seed)[::-1]


def main() -> None:
    settings = SlaveConfig(security=demo_security(resource_named("cal")))
    with EcuProcess("demo-engine", settings=settings) as engine:
        with xcaliper.connect(engine.url) as ecu:
            print("locked:", ecu.security.state())
            try:
                ecu.write("cIdleSpeedTarget", 900)
            except AccessLockedError as error:
                print(error)

        # A library of the maker goes the same way: keys="ecu_keys.so", or "a2l" for the one that the A2L names.
        with xcaliper.connect(engine.url, keys=demo_key) as ecu:
            done = ecu.write("cIdleSpeedTarget", 900)  # unlocks, because the ECU asks for it
            print(f"{done.name}: {done.before} → {done.after}")

        try:
            with xcaliper.connect(engine.url) as ecu:
                ecu.security.unlock("cal", keys=wrong_key)
        except UnlockError as error:
            print(error)


if __name__ == "__main__":
    main()
