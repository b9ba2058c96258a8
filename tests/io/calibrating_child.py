"""Child process of the kill tests: calibrates a virtual ECU, and kills itself in the middle.

Arguments: URL, file of the history, seed, number of the first write, that of the write at which it ends (-1 =
never), and where:
``intent`` (it is in the history, nothing is sent), ``sent`` (sent, not looked at), ``seen`` (read back, the
history does not know). Prints how many transactions are done, after each call that came back.
"""

from __future__ import annotations

import os
import random
import signal
import sys

import xcaliper
from xcaliper.calib.history import State

WRITES = 500


#: Seconds to wait for an answer: a machine with much to do answers late, and that is not what is tested.
PATIENCE_S = 10.0


def main(url: str, path: str, seed: str, first: str, last: str, where: str) -> None:
    rng = random.Random(int(seed))
    with xcaliper.connect(url, timeout_s=PATIENCE_S) as ecu:
        calib = ecu.calib
        calib.keep_history(path)
        port, count = calib.working.port, int(first)
        write, read, ended = port.write, port.read, int(last)

        def end(at: str) -> None:
            if count == ended and where == at:
                os.kill(os.getpid(), signal.SIGKILL)

        def counted_write(address, data):
            nonlocal count
            end("intent")
            write(address, data)
            end("sent")
            count += 1

        def counted_read(address, size):
            nonlocal count
            data = read(address, size)
            count -= 1
            end("seen")
            count += 1
            return data

        port.write, port.read = counted_write, counted_read
        found = calib.snapshot(ecu.names("c*", kind="characteristic"))
        names = [one.name for one in found if isinstance(one.values, float)]
        while count < WRITES:
            choice = rng.random()
            if choice < 0.6:
                change(ecu, rng, rng.choice(names))
            elif choice < 0.8:
                calib.write("KFZW", rng.uniform(-10, 50), at=(rng.randrange(12), rng.randrange(16)))
            elif choice < 0.9 and calib.history.undoable() is not None:
                calib.undo()
            else:
                with calib.group("several", how=rng.choice(["order", "park"])):
                    for name in rng.sample(names, 4):
                        change(ecu, rng, name)
            done = sum(one.state is State.DONE for one in calib.history)
            print(done, flush=True)
        print("all", flush=True)


def change(ecu, rng: random.Random, name: str) -> None:
    told = ecu.describe(name)
    lower, upper = max(told["lower"], -1e6), min(told["upper"], 1e6)
    ecu.calib.write(name, rng.uniform(lower, upper))


if __name__ == "__main__":
    main(*sys.argv[1:])
